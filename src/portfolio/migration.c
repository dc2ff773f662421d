/*-------------------------------------------------------------------------
 *
 * migration.c
 *		Counting who moves from class to class between consecutive days.
 *
 * There is a row for each customer and day.  A customer's classes are
 * collected by day; when they are complete, each pair of consecutive days is
 * counted.  So nothing is sorted.  Rows may come in any order, but usually
 * those of a customer come together; then only one customer is under way.
 * Classes are interned.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "storage/itemptr.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/numeric.h"

#include "base/aggregate.h"
#include "base/decimal.h"
#include "base/result_row.h"

/* More days than anybody asks for, and more classes than a scheme has. */
#define MIGRATION_MAX_DAYS		100000
#define MIGRATION_MAX_CLASSES		65535

/* One count: everybody who moves between two classes on the way to a day. */
typedef struct Move
{
	uint64		key;			/* day, from, to: see MOVE_DAY */
	int64		customers;
	int128		net_from;
	int128		net_to;
	uint32		hash;
	char		status;
} Move;

#define SH_PREFIX moves
#define SH_ELEMENT_TYPE Move
#define SH_KEY_TYPE uint64
#define SH_KEY key
#define SH_HASH_KEY(table, key) ((uint32) murmurhash64(key))
#define SH_EQUAL(table, a, b) ((a) == (b))
#define SH_SCOPE static inline
#define SH_STORE_HASH
#define SH_GET_HASH(table, element) ((element)->hash)
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

/* A customer on one day. */
typedef struct DayClass
{
	bool		set;
	int			class;
	int128		net;			/* at the full scale */
} DayClass;

/* A customer whose rows are coming. */
typedef struct Customer
{
	uint64		key;
	int			days;			/* rows that there will be; 0: none yet */
	int			seen;
	int			first;			/* smallest and largest day seen */
	int			last;
	int			capacity;
	DayClass   *entries;		/* by day - 1; none is set beyond those seen */
} Customer;

typedef struct Incomplete
{
	uint64		key;
	Customer   *customer;
	char		status;
} Incomplete;

#define SH_PREFIX incomplete
#define SH_ELEMENT_TYPE Incomplete
#define SH_KEY_TYPE uint64
#define SH_KEY key
#define SH_HASH_KEY(table, key) ((uint32) murmurhash64(key))
#define SH_EQUAL(table, a, b) ((a) == (b))
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

typedef struct MigrationState
{
	int			display_scale;
	moves_hash *moves;

	/* class number 0 is NULL: no class, not known */
	int			class_count;
	int			class_capacity;
	struct varlena **classes;

	Customer   *current;		/* of the row before */
	incomplete_hash *incomplete;	/* others who are not complete */
} MigrationState;

static Customer *
customer_create(MemoryContext context)
{
	Customer   *customer = MemoryContextAllocZero(context, sizeof(Customer));

	customer->capacity = 64;
	customer->entries = MemoryContextAllocZero(context, customer->capacity * sizeof(DayClass));
	return customer;
}

static MigrationState *
migration_create(MemoryContext context)
{
	MigrationState *state = MemoryContextAllocZero(context, sizeof(MigrationState));

	state->moves = moves_create(context, 256, NULL);
	state->class_capacity = 32;
	state->class_count = 1;
	state->classes = MemoryContextAllocZero(context, state->class_capacity * sizeof(*state->classes));
	state->current = customer_create(context);
	state->incomplete = incomplete_create(context, 16, NULL);
	return state;
}

/* ---------- classes ---------- */

static inline bool
same_class(const struct varlena *one, const struct varlena *other)
{
	return VARSIZE_ANY_EXHDR(one) == VARSIZE_ANY_EXHDR(other) &&
		memcmp(VARDATA_ANY(one), VARDATA_ANY(other), VARSIZE_ANY_EXHDR(one)) == 0;
}

/* The number of a class; likely says which it may be. */
static int
class_number(MigrationState *state, struct varlena *class, int likely)
{
	MemoryContext context = GetMemoryChunkContext(state);
	int			number;

	if (likely > 0 && same_class(state->classes[likely], class))
		return likely;
	for (number = 1; number < state->class_count; number++)
		if (same_class(state->classes[number], class))
			return number;
	if (number > MIGRATION_MAX_CLASSES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many classes: at most %d are possible", MIGRATION_MAX_CLASSES)));
	if (number >= state->class_capacity)
	{
		state->class_capacity *= 2;
		state->classes = repalloc(state->classes, state->class_capacity * sizeof(*state->classes));
	}
	state->classes[number] = MemoryContextAlloc(context, VARSIZE_ANY(class));
	memcpy(state->classes[number], class, VARSIZE_ANY(class));
	state->class_count++;
	return number;
}

/* ---------- counts ---------- */

static void
add_move(MigrationState *state, int day, int from, int to,
		 int64 customers, int128 net_from, int128 net_to)
{
	bool		found;
	Move	   *move = moves_insert(state->moves,
									(uint64) day << 32 | (uint64) from << 16 | (uint64) to, &found);

	if (!found)
	{
		move->customers = 0;
		move->net_from = 0;
		move->net_to = 0;
	}
	move->customers += customers;
	decimal_sum_add(&move->net_from, net_from);
	decimal_sum_add(&move->net_to, net_to);
}

#define MOVE_DAY(move)	((int) ((move)->key >> 32))
#define MOVE_FROM(move)		((int) ((move)->key >> 16 & 0xFFFF))
#define MOVE_TO(move)		((int) ((move)->key & 0xFFFF))

/* ---------- customers ---------- */

/* Counts a customer who is complete; the first day has none before it. */
static void
count_customer(MigrationState *state, Customer *customer)
{
	DayClass	before = {0};

	for (int day = customer->first; day <= customer->last; day++)
	{
		DayClass   *entry = &customer->entries[day - 1];

		if (day > 1)
			add_move(state, day, before.class, entry->class, 1, before.net, entry->net);
		before = *entry;
		entry->set = false;
	}
	customer->days = 0;
}

/* The customer of a row: nearly always that of the row before. */
static Customer *
find_customer(MigrationState *state, uint64 key)
{
	Customer   *customer = state->current;
	Incomplete *incomplete;
	bool		found;

	if (customer->key == key)
		return customer;
	if (customer->days > 0)
	{
		/* not complete: make room for another */
		incomplete_insert(state->incomplete, customer->key, &found)->customer = customer;
		customer = NULL;
	}
	if (state->incomplete->members > 0 &&
		(incomplete = incomplete_lookup(state->incomplete, key)) != NULL)
	{
		if (customer != NULL)
		{
			pfree(customer->entries);
			pfree(customer);
		}
		customer = incomplete->customer;
		incomplete_delete(state->incomplete, key);
	}
	else if (customer == NULL)
		customer = customer_create(GetMemoryChunkContext(state));
	customer->key = key;
	state->current = customer;
	return customer;
}

/* The day for another row of a customer. */
static DayClass *
next_entry(Customer *customer, int day, int days)
{
	if (day < 1 || day > MIGRATION_MAX_DAYS || days < 1 || days > MIGRATION_MAX_DAYS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("day number %d or number of days %d is out of range", day, days),
				 errdetail("At most %d days are possible.", MIGRATION_MAX_DAYS)));
	if (day > customer->capacity)
	{
		int			capacity = Max(day, 2 * customer->capacity);

		customer->entries = repalloc(customer->entries, capacity * sizeof(DayClass));
		memset(customer->entries + customer->capacity, 0,
			   (capacity - customer->capacity) * sizeof(DayClass));
		customer->capacity = capacity;
	}
	if (customer->days == 0)
	{
		customer->days = days;
		customer->seen = 0;
		customer->first = customer->last = day;
	}
	customer->first = Min(customer->first, day);
	customer->last = Max(customer->last, day);
	if (days != customer->days || customer->entries[day - 1].set ||
		customer->last - customer->first >= days)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("rows of a customer are not for %d consecutive days", customer->days)));
	customer->entries[day - 1].set = true;
	customer->seen++;
	return &customer->entries[day - 1];
}

static void
check_complete(const MigrationState *state)
{
	if (state->current->days > 0 || state->incomplete->members > 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("rows of a customer are missing")));
}

/* ---------- the aggregate ---------- */

/*
 * migration_accum(state, customer, day, days, class, net): a customer on a
 * day
 *
 * day counts the days from 1; days is the number of the customer's rows,
 * which are for consecutive days.  net NULL counts as 0.
 */
PG_FUNCTION_INFO_V1(segment_migration_accum);
Datum
segment_migration_accum(PG_FUNCTION_ARGS)
{
	MigrationState *state = (MigrationState *) aggregate_state(fcinfo);
	ItemPointer row;
	Customer   *customer;
	DayClass   *entry;
	int			likely = 0;
	int			day;

	if (state == NULL)
		state = migration_create(aggregate_context(fcinfo));
	if (PG_ARGISNULL(1) || PG_ARGISNULL(2) || PG_ARGISNULL(3))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("customer, day number and number of days must not be null")));
	row = (ItemPointer) PG_GETARG_POINTER(1);
	day = PG_GETARG_INT32(2);
	customer = find_customer(state,
							 (uint64) ItemPointerGetBlockNumberNoCheck(row) << 16 |
							 ItemPointerGetOffsetNumberNoCheck(row));
	entry = next_entry(customer, day, PG_GETARG_INT32(3));
	if (day > 1 && customer->entries[day - 2].set)
		likely = customer->entries[day - 2].class;
	entry->class = 0;
	if (!PG_ARGISNULL(4))
		entry->class = class_number(state,
									(struct varlena *) PG_DETOAST_DATUM_PACKED(PG_GETARG_DATUM(4)), likely);
	entry->net = 0;
	if (!PG_ARGISNULL(5))
	{
		int			scale = decimal_from_numeric(PointerGetDatum(PG_DETOAST_DATUM_PACKED(PG_GETARG_DATUM(5))),
												 &entry->net);

		entry->net = decimal_rescale(entry->net, scale, DECIMAL_MAX_SCALE);
		state->display_scale = Max(state->display_scale, scale);
	}
	if (customer->seen == customer->days)
		count_customer(state, customer);
	PG_RETURN_POINTER(state);
}

/* Everything of another state's customer who is not complete, with the numbers of its classes here. */
static void
add_customer(MigrationState *state, const Customer *other, const int *numbers)
{
	for (int day = other->first; other->days > 0 && day <= other->last; day++)
	{
		const DayClass *from = &other->entries[day - 1];
		Customer   *customer;
		DayClass   *entry;

		if (!from->set)
			continue;
		customer = find_customer(state, other->key);
		entry = next_entry(customer, day, other->days);
		entry->class = numbers[from->class];
		entry->net = from->net;
		if (customer->seen == customer->days)
			count_customer(state, customer);
	}
}

static void *
migration_create_like(MemoryContext context, const void *other)
{
	return migration_create(context);
}

static void
migration_merge(void *into, const void *from)
{
	MigrationState *state = (MigrationState *) into;
	const MigrationState *other = (const MigrationState *) from;
	moves_iterator iterator;
	Move	   *move;
	incomplete_iterator customers;
	Incomplete *incomplete;
	int		   *numbers = palloc0(other->class_count * sizeof(int));

	state->display_scale = Max(state->display_scale, other->display_scale);
	for (int i = 1; i < other->class_count; i++)
		numbers[i] = class_number(state, other->classes[i], 0);
	moves_start_iterate(other->moves, &iterator);
	while ((move = moves_iterate(other->moves, &iterator)) != NULL)
	{
		CHECK_FOR_INTERRUPTS();
		add_move(state, MOVE_DAY(move), numbers[MOVE_FROM(move)], numbers[MOVE_TO(move)],
				 move->customers, move->net_from, move->net_to);
	}
	add_customer(state, other->current, numbers);
	incomplete_start_iterate(other->incomplete, &customers);
	while ((incomplete = incomplete_iterate(other->incomplete, &customers)) != NULL)
	{
		CHECK_FOR_INTERRUPTS();
		add_customer(state, incomplete->customer, numbers);
	}
	pfree(numbers);
}

/* The rows of a customer who is not complete. */
static void
send_customer(StringInfo buf, const Customer *customer)
{
	for (int day = customer->first; customer->days > 0 && day <= customer->last; day++)
	{
		const DayClass *entry = &customer->entries[day - 1];

		if (!entry->set)
			continue;
		pq_sendint64(buf, customer->key);
		pq_sendint32(buf, day);
		pq_sendint32(buf, customer->days);
		pq_sendint32(buf, entry->class);
		decimal_send(buf, entry->net);
	}
}

static void
migration_send(StringInfo buf, void *state)
{
	const MigrationState *migration = (const MigrationState *) state;
	moves_iterator iterator;
	Move	   *move;
	incomplete_iterator customers;
	Incomplete *incomplete;

	pq_sendbyte(buf, migration->display_scale);
	pq_sendint32(buf, migration->class_count);
	for (int i = 1; i < migration->class_count; i++)
	{
		const struct varlena *class = migration->classes[i];

		pq_sendint32(buf, VARSIZE_ANY_EXHDR(class));
		pq_sendbytes(buf, VARDATA_ANY(class), VARSIZE_ANY_EXHDR(class));
	}
	pq_sendint64(buf, migration->moves->members);
	moves_start_iterate(migration->moves, &iterator);
	while ((move = moves_iterate(migration->moves, &iterator)) != NULL)
	{
		CHECK_FOR_INTERRUPTS();
		pq_sendint64(buf, move->key);
		pq_sendint64(buf, move->customers);
		decimal_send(buf, move->net_from);
		decimal_send(buf, move->net_to);
	}
	send_customer(buf, migration->current);
	incomplete_start_iterate(migration->incomplete, &customers);
	while ((incomplete = incomplete_iterate(migration->incomplete, &customers)) != NULL)
	{
		CHECK_FOR_INTERRUPTS();
		send_customer(buf, incomplete->customer);
	}
}

static void
receive_classes(StringInfo buf, MigrationState *state, const AggregateKind *kind)
{
	int			count = pq_getmsgint(buf, 4);

	if (count < 1 || count > MIGRATION_MAX_CLASSES + 1)
		aggregate_invalid_state(kind);
	for (int i = 1; i < count; i++)
	{
		int			size = pq_getmsgint(buf, 4);
		text	   *class;

		if (size < 0 || size > buf->len - buf->cursor)
			aggregate_invalid_state(kind);
		class = cstring_to_text_with_len(pq_getmsgbytes(buf, size), size);
		if (class_number(state, class, 0) != i)
			aggregate_invalid_state(kind);
		pfree(class);
	}
}

static void
receive_move(StringInfo buf, MigrationState *state, const AggregateKind *kind)
{
	Move		move;

	move.key = (uint64) pq_getmsgint64(buf);
	move.customers = pq_getmsgint64(buf);
	move.net_from = decimal_receive(buf);
	move.net_to = decimal_receive(buf);
	if (move.key >> 32 > MIGRATION_MAX_DAYS || MOVE_FROM(&move) >= state->class_count ||
		MOVE_TO(&move) >= state->class_count || move.customers < 1)
		aggregate_invalid_state(kind);
	add_move(state, MOVE_DAY(&move), MOVE_FROM(&move), MOVE_TO(&move),
			 move.customers, move.net_from, move.net_to);
}

static void
receive_entry(StringInfo buf, MigrationState *state, const AggregateKind *kind)
{
	Customer   *customer = find_customer(state, (uint64) pq_getmsgint64(buf));
	int			day = pq_getmsgint(buf, 4);
	DayClass   *entry = next_entry(customer, day, pq_getmsgint(buf, 4));

	entry->class = pq_getmsgint(buf, 4);
	if (entry->class < 0 || entry->class >= state->class_count || customer->seen == customer->days)
		aggregate_invalid_state(kind);
	entry->net = decimal_receive(buf);
}

static void *
migration_receive(StringInfo buf, const AggregateKind *kind)
{
	MigrationState *state = migration_create(CurrentMemoryContext);

	state->display_scale = pq_getmsgbyte(buf);
	if (state->display_scale > DECIMAL_MAX_SCALE)
		aggregate_invalid_state(kind);
	receive_classes(buf, state, kind);
	for (int64 moves = pq_getmsgint64(buf); moves > 0; moves--)
	{
		CHECK_FOR_INTERRUPTS();
		receive_move(buf, state, kind);
	}
	while (buf->cursor < buf->len)
	{
		CHECK_FOR_INTERRUPTS();
		receive_entry(buf, state, kind);
	}
	return state;
}

static const AggregateKind migration_kind = {
	.name = "migration_agg",
	.version = 1,
	.create_like = migration_create_like,
	.merge = migration_merge,
	.send = migration_send,
	.receive = migration_receive,
};

PG_FUNCTION_INFO_V1(segment_migration_combine);
Datum
segment_migration_combine(PG_FUNCTION_ARGS)
{
	return aggregate_combine(fcinfo, &migration_kind);
}

PG_FUNCTION_INFO_V1(segment_migration_serialize);
Datum
segment_migration_serialize(PG_FUNCTION_ARGS)
{
	return aggregate_serialize(fcinfo, &migration_kind);
}

PG_FUNCTION_INFO_V1(segment_migration_deserialize);
Datum
segment_migration_deserialize(PG_FUNCTION_ARGS)
{
	return aggregate_deserialize(fcinfo, &migration_kind);
}

/* Columns of the type segment.class_migration. */
#define MIGRATION_COLUMNS	6

/* migration_final: one row per day and pair of classes, in no order; NULL without rows */
PG_FUNCTION_INFO_V1(segment_migration_final);
Datum
segment_migration_final(PG_FUNCTION_ARGS)
{
	const MigrationState *state = (const MigrationState *) aggregate_state(fcinfo);
	moves_iterator iterator;
	Move	   *move;
	ResultRows	rows;

	if (state == NULL)
		PG_RETURN_NULL();
	check_complete(state);
	result_rows_begin(&rows, fcinfo, MIGRATION_COLUMNS, state->moves->members);
	moves_start_iterate(state->moves, &iterator);
	while ((move = moves_iterate(state->moves, &iterator)) != NULL)
	{
		Datum		values[MIGRATION_COLUMNS];
		bool		nulls[MIGRATION_COLUMNS] = {false};

		values[0] = Int32GetDatum(MOVE_DAY(move));
		values[1] = PointerGetDatum(state->classes[MOVE_FROM(move)]);
		nulls[1] = MOVE_FROM(move) == 0;
		values[2] = PointerGetDatum(state->classes[MOVE_TO(move)]);
		nulls[2] = MOVE_TO(move) == 0;
		values[3] = Int64GetDatum(move->customers);
		values[4] = NumericGetDatum(decimal_sum_to_numeric(move->net_from, state->display_scale));
		values[5] = NumericGetDatum(decimal_sum_to_numeric(move->net_to, state->display_scale));
		result_rows_add(&rows, values, nulls);
	}
	return result_rows_end(&rows);
}
