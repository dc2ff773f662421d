/*-------------------------------------------------------------------------
 *
 * migration.c
 *		Counting who moves from class to class between consecutive days.
 *
 * The rows of a customer, one for each day, come one after the other, in any
 * order; those of another customer follow when they are complete.  So there is
 * nothing to sort: a customer's classes are collected by day, and then each
 * pair of consecutive days is counted.  Classes are interned.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "compat.h"

#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/numeric.h"

#include "decimal.h"
#include "row_array.h"

#define MIGRATION_STATE_VERSION		1

/* More days than anybody asks for, and more classes than a scheme has. */
#define MIGRATION_MAX_PLACES		100000
#define MIGRATION_MAX_CLASSES		65535

/* One count: everybody who moves between two classes on the way to a day. */
typedef struct Move
{
	uint64		key;			/* place, from, to: see move_key */
	int64		customers;
	int128		net_from;
	int128		net_to;
	uint32		hash;
	char		status;
} Move;

static inline uint32
hash_of_key(uint64 key)
{
	/* the finaliser of MurmurHash3 */
	key ^= key >> 33;
	key *= UINT64CONST(0xff51afd7ed558ccd);
	key ^= key >> 33;
	return (uint32) key;
}

#define SH_PREFIX moves
#define SH_ELEMENT_TYPE Move
#define SH_KEY_TYPE uint64
#define SH_KEY key
#define SH_HASH_KEY(table, key) hash_of_key(key)
#define SH_EQUAL(table, a, b) ((a) == (b))
#define SH_SCOPE static inline
#define SH_STORE_HASH
#define SH_GET_HASH(table, element) ((element)->hash)
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

/* A customer on one day. */
typedef struct Stay
{
	bool		set;
	int			class;
	int128		net;			/* at the full scale */
} Stay;

typedef struct MigrationState
{
	int			display_scale;
	moves_hash *moves;

	/* class number 0 is NULL: no class, not known */
	int			class_count;
	int			class_capacity;
	struct varlena **classes;

	/* the customer whose rows are coming */
	int			places;			/* rows that there will be; 0: none under way */
	int			seen;
	int			first;			/* smallest and largest place seen */
	int			last;
	int			stay_capacity;
	Stay	   *stays;			/* by place - 1 */
} MigrationState;

static MemoryContext
aggregate_context(FunctionCallInfo fcinfo)
{
	MemoryContext context;

	if (!AggCheckCallContext(fcinfo, &context))
		elog(ERROR, "aggregate function called in non-aggregate context");
	return context;
}

static MigrationState *
migration_create(MemoryContext context)
{
	MigrationState *state = MemoryContextAllocZero(context, sizeof(MigrationState));

	state->moves = moves_create(context, 256, NULL);
	state->class_capacity = 32;
	state->class_count = 1;
	state->classes = MemoryContextAllocZero(context, state->class_capacity * sizeof(*state->classes));
	state->stay_capacity = 64;
	state->stays = MemoryContextAllocZero(context, state->stay_capacity * sizeof(Stay));
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
class_number(MemoryContext context, MigrationState *state, struct varlena *class, int likely)
{
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

/*
 * Sums of many customers, at the full scale, without a look at the limit: that
 * comes at the end.
 */
static inline void
add_amount(int128 *sum, int128 addend)
{
	if (unlikely(__builtin_add_overflow(*sum, addend, sum)))
		decimal_sum_overflow();
}

static void
add_move(MigrationState *state, int place, int from, int to,
		 int64 customers, int128 net_from, int128 net_to)
{
	bool		found;
	Move	   *move = moves_insert(state->moves,
									(uint64) place << 32 | (uint64) from << 16 | (uint64) to, &found);

	if (!found)
	{
		move->customers = 0;
		move->net_from = 0;
		move->net_to = 0;
	}
	move->customers += customers;
	add_amount(&move->net_from, net_from);
	add_amount(&move->net_to, net_to);
}

#define MOVE_PLACE(move)	((int) ((move)->key >> 32))
#define MOVE_FROM(move)		((int) ((move)->key >> 16 & 0xFFFF))
#define MOVE_TO(move)		((int) ((move)->key & 0xFFFF))

/* Counts the customer who is complete; the first day has none before it. */
static void
count_customer(MigrationState *state)
{
	Stay		before = {0};

	for (int place = state->first; place <= state->last; place++)
	{
		Stay	   *stay = &state->stays[place - 1];

		if (place > 1)
			add_move(state, place, before.class, stay->class, 1, before.net, stay->net);
		before = *stay;
		stay->set = false;
	}
	state->places = 0;
}

static void
check_complete(const MigrationState *state)
{
	if (state->places > 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("rows of a customer are missing: %d of %d", state->seen, state->places)));
}

/* The place for a row of the customer that is under way, or of the next. */
static Stay *
next_stay(MigrationState *state, int place, int places)
{
	if (place < 1 || place > MIGRATION_MAX_PLACES || places < 1 || places > MIGRATION_MAX_PLACES)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("place %d or number of places %d is out of range", place, places),
				 errdetail("At most %d days are possible.", MIGRATION_MAX_PLACES)));
	if (place > state->stay_capacity)
	{
		int			capacity = Max(place, 2 * state->stay_capacity);

		state->stays = repalloc_huge(state->stays, capacity * sizeof(Stay));
		memset(state->stays + state->stay_capacity, 0,
			   (capacity - state->stay_capacity) * sizeof(Stay));
		state->stay_capacity = capacity;
	}
	if (state->places == 0)
	{
		state->places = places;
		state->seen = 0;
		state->first = state->last = place;
	}
	state->first = Min(state->first, place);
	state->last = Max(state->last, place);
	if (places != state->places || state->stays[place - 1].set ||
		state->last - state->first >= places)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("rows of different customers are mixed")));
	state->stays[place - 1].set = true;
	state->seen++;
	return &state->stays[place - 1];
}

/* ---------- the aggregate ---------- */

/*
 * migration_accum(state, place, places, class, net): a customer on a day
 *
 * place counts the days from 1; places is the number of the customer's rows,
 * which are for consecutive places.  net NULL counts as 0.
 */
PG_FUNCTION_INFO_V1(migration_accum);
Datum
migration_accum(PG_FUNCTION_ARGS)
{
	MemoryContext context = aggregate_context(fcinfo);
	MigrationState *state;
	Stay	   *stay;
	int			likely = 0;
	int			place;

	state = PG_ARGISNULL(0) ? migration_create(context) : (MigrationState *) PG_GETARG_POINTER(0);
	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("place and number of places must not be null")));
	place = PG_GETARG_INT32(1);
	stay = next_stay(state, place, PG_GETARG_INT32(2));
	if (place > 1 && state->stays[place - 2].set)
		likely = state->stays[place - 2].class;
	stay->class = 0;
	if (!PG_ARGISNULL(3))
		stay->class = class_number(context, state,
								   (struct varlena *) PG_DETOAST_DATUM_PACKED(PG_GETARG_DATUM(3)), likely);
	stay->net = 0;
	if (!PG_ARGISNULL(4))
	{
		int			scale = decimal_from_numeric(PointerGetDatum(PG_DETOAST_DATUM_PACKED(PG_GETARG_DATUM(4))),
												 &stay->net);

		stay->net = decimal_rescale(stay->net, scale, DECIMAL_MAX_SCALE);
		state->display_scale = Max(state->display_scale, scale);
	}
	if (state->seen == state->places)
		count_customer(state);
	PG_RETURN_POINTER(state);
}

PG_FUNCTION_INFO_V1(migration_combine);
Datum
migration_combine(PG_FUNCTION_ARGS)
{
	MemoryContext context = aggregate_context(fcinfo);
	MigrationState *state;
	MigrationState *other;
	moves_iterator iterator;
	Move	   *move;
	int		   *numbers;

	if (PG_ARGISNULL(1))
	{
		if (PG_ARGISNULL(0))
			PG_RETURN_NULL();
		PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	}
	state = PG_ARGISNULL(0) ? migration_create(context) : (MigrationState *) PG_GETARG_POINTER(0);
	other = (MigrationState *) PG_GETARG_POINTER(1);
	check_complete(state);
	check_complete(other);
	state->display_scale = Max(state->display_scale, other->display_scale);
	numbers = palloc0(other->class_count * sizeof(int));
	for (int i = 1; i < other->class_count; i++)
		numbers[i] = class_number(context, state, other->classes[i], 0);
	moves_start_iterate(other->moves, &iterator);
	while ((move = moves_iterate(other->moves, &iterator)) != NULL)
		add_move(state, MOVE_PLACE(move), numbers[MOVE_FROM(move)], numbers[MOVE_TO(move)],
				 move->customers, move->net_from, move->net_to);
	pfree(numbers);
	PG_RETURN_POINTER(state);
}

static void
send_amount(StringInfo buf, int128 amount)
{
	pq_sendint64(buf, (uint64) (amount >> 64));
	pq_sendint64(buf, (uint64) amount);
}

static int128
receive_amount(StringInfo buf)
{
	uint64		high = (uint64) pq_getmsgint64(buf);
	uint64		low = (uint64) pq_getmsgint64(buf);

	return (int128) ((uint128) high << 64 | low);
}

PG_FUNCTION_INFO_V1(migration_serialize);
Datum
migration_serialize(PG_FUNCTION_ARGS)
{
	MigrationState *state = (MigrationState *) PG_GETARG_POINTER(0);
	StringInfoData buf;
	moves_iterator iterator;
	Move	   *move;

	(void) aggregate_context(fcinfo);
	check_complete(state);
	pq_begintypsend(&buf);
	pq_sendbyte(&buf, MIGRATION_STATE_VERSION);
	pq_sendbyte(&buf, state->display_scale);
	pq_sendint32(&buf, state->class_count);
	for (int i = 1; i < state->class_count; i++)
	{
		pq_sendint32(&buf, VARSIZE_ANY_EXHDR(state->classes[i]));
		pq_sendbytes(&buf, VARDATA_ANY(state->classes[i]), VARSIZE_ANY_EXHDR(state->classes[i]));
	}
	moves_start_iterate(state->moves, &iterator);
	while ((move = moves_iterate(state->moves, &iterator)) != NULL)
	{
		pq_sendint64(&buf, move->key);
		pq_sendint64(&buf, move->customers);
		send_amount(&buf, move->net_from);
		send_amount(&buf, move->net_to);
	}
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

static void
invalid_state(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
			 errmsg("invalid state of aggregate function %s", "migration_agg")));
}

PG_FUNCTION_INFO_V1(migration_deserialize);
Datum
migration_deserialize(PG_FUNCTION_ARGS)
{
	bytea	   *image = PG_GETARG_BYTEA_PP(0);
	MigrationState *state = migration_create(CurrentMemoryContext);
	StringInfoData buf;
	int			class_count;

	(void) aggregate_context(fcinfo);
	buf.data = VARDATA_ANY(image);
	buf.len = buf.maxlen = VARSIZE_ANY_EXHDR(image);
	buf.cursor = 0;
	if (pq_getmsgbyte(&buf) != MIGRATION_STATE_VERSION)
		invalid_state();
	state->display_scale = pq_getmsgbyte(&buf);
	class_count = pq_getmsgint(&buf, 4);
	if (state->display_scale > DECIMAL_MAX_SCALE || class_count < 1 ||
		class_count > MIGRATION_MAX_CLASSES + 1)
		invalid_state();
	for (int i = 1; i < class_count; i++)
	{
		int			size = pq_getmsgint(&buf, 4);
		text	   *class;

		if (size < 0 || size > buf.len - buf.cursor)
			invalid_state();
		class = cstring_to_text_with_len(pq_getmsgbytes(&buf, size), size);
		if (class_number(CurrentMemoryContext, state, class, 0) != i)
			invalid_state();
		pfree(class);
	}
	while (buf.cursor < buf.len)
	{
		uint64		key = (uint64) pq_getmsgint64(&buf);
		int64		customers = pq_getmsgint64(&buf);
		int128		net_from = receive_amount(&buf);
		int128		net_to = receive_amount(&buf);
		Move		move;

		move.key = key;
		if (key >> 32 > MIGRATION_MAX_PLACES || MOVE_FROM(&move) >= class_count ||
			MOVE_TO(&move) >= class_count || customers < 1)
			invalid_state();
		add_move(state, MOVE_PLACE(&move), MOVE_FROM(&move), MOVE_TO(&move),
				 customers, net_from, net_to);
	}
	PG_RETURN_POINTER(state);
}

static Datum
amount_datum(int128 amount, int display_scale)
{
	if (amount > decimal_limit(DECIMAL_MAX_SCALE) || amount < -decimal_limit(DECIMAL_MAX_SCALE))
		decimal_sum_overflow();
	return NumericGetDatum(decimal_to_numeric(amount, DECIMAL_MAX_SCALE, display_scale));
}

/* Columns of the type segment.class_migration. */
#define MIGRATION_COLUMNS	6

/* migration_final: one row per day and pair of classes, in no order; NULL without rows */
PG_FUNCTION_INFO_V1(migration_final);
Datum
migration_final(PG_FUNCTION_ARGS)
{
	MigrationState *state;
	moves_iterator iterator;
	Move	   *move;
	RowArray	array;

	(void) aggregate_context(fcinfo);
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	state = (MigrationState *) PG_GETARG_POINTER(0);
	check_complete(state);
	row_array_begin(&array, fcinfo, state->moves->members);
	moves_start_iterate(state->moves, &iterator);
	while ((move = moves_iterate(state->moves, &iterator)) != NULL)
	{
		Datum		values[MIGRATION_COLUMNS];
		bool		nulls[MIGRATION_COLUMNS] = {false};

		values[0] = Int32GetDatum(MOVE_PLACE(move));
		values[1] = PointerGetDatum(state->classes[MOVE_FROM(move)]);
		nulls[1] = MOVE_FROM(move) == 0;
		values[2] = PointerGetDatum(state->classes[MOVE_TO(move)]);
		nulls[2] = MOVE_TO(move) == 0;
		values[3] = Int64GetDatum(move->customers);
		values[4] = amount_datum(move->net_from, state->display_scale);
		values[5] = amount_datum(move->net_to, state->display_scale);
		row_array_add(&array, values, nulls);
	}
	return row_array_end(&array);
}
