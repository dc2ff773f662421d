/*-------------------------------------------------------------------------
 *
 * inputs.c
 *		The inputs of a fit: distinct rows with exact counts.
 *
 * A million customers have far fewer different (x, t_x, t).  Equal rows are
 * merged as they come in, so that memory is bounded by the number of distinct
 * rows, and the likelihood is summed over distinct rows only.
 *
 * Rows are told apart by their weight too, and counted in an integer.  Only
 * when the fit begins are the counts multiplied with the weights and summed,
 * in the order of the sorted rows.  So the fit sees the same bits whatever
 * the order of the rows, the plan and the number of workers.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "compat.h"

#include "common/hashfn.h"
#include "common/int.h"
#include "inputs.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "storage/shmem.h"

#define INPUTS_VERSION	1

typedef struct InputRow
{
	double		x;
	double		t_x;
	double		t;
	double		weight;
} InputRow;

typedef struct InputEntry
{
	InputRow	row;			/* the key; no -0 in it */
	int64		count;			/* how many such rows came */
	uint32		hash;
	char		status;
} InputEntry;

/* The finalizer of MurmurHash3 */
static inline uint64
mix(uint64 h)
{
	h ^= h >> 33;
	h *= UINT64CONST(0xff51afd7ed558ccd);
	h ^= h >> 33;
	h *= UINT64CONST(0xc4ceb9fe1a85ec53);
	h ^= h >> 33;
	return h;
}

/*
 * Each table has a seed of its own: rows that are read from one table in its
 * order and put into another with the same hash function would pile up there.
 */
static inline uint32
row_hash(uint32 seed, const InputRow *row)
{
	uint64		bits[4];
	uint64		hash;

	memcpy(bits, row, sizeof(bits));
	hash = mix(bits[0] ^ seed);
	hash = mix(hash ^ bits[1]);
	hash = mix(hash ^ bits[2]);
	hash = mix(hash ^ bits[3]);
	return (uint32) hash;
}

static inline bool
row_equal(const InputRow *a, const InputRow *b)
{
	return memcmp(a, b, sizeof(InputRow)) == 0;
}

#define SH_PREFIX		rows
#define SH_ELEMENT_TYPE	InputEntry
#define SH_KEY_TYPE		InputRow
#define SH_KEY			row
#define SH_HASH_KEY(tb, key)	row_hash((uint32) (uintptr_t) (tb)->private_data, &(key))
#define SH_EQUAL(tb, a, b)		row_equal(&(a), &(b))
#define SH_SCOPE		static inline
#define SH_STORE_HASH
#define SH_GET_HASH(tb, a)		(a)->hash
#define SH_DEFINE
#define SH_DECLARE
#include "lib/simplehash.h"

struct Inputs
{
	rows_hash  *table;
	int64		rows;			/* rows added */
	int64		ignored;		/* rows left out for want of a positive spend */
};

/* No inputs yet; all memory comes from the context. */
Inputs *
inputs_create(MemoryContext context)
{
	static uint32 seed = 0;
	Inputs	   *inputs = MemoryContextAllocZero(context, sizeof(Inputs));

	seed = murmurhash32(seed + MyProcPid);
	inputs->table = rows_create(context, 64, (void *) (uintptr_t) seed);
	return inputs;
}

static void
add_counts(int64 *sum, int64 count)
{
	if (pg_add_s64_overflow(*sum, count, sum))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("number of rows of a fit is out of range")));
}

/* Add count rows of these values, which the caller has checked. */
void
inputs_add(Inputs *inputs, double x, double t_x, double t, double weight, int64 count)
{
	InputRow	row;
	InputEntry *entry;
	bool		found;

	/* adding 0 turns -0 into 0 */
	row.x = x + 0.0;
	row.t_x = t_x + 0.0;
	row.t = t + 0.0;
	row.weight = weight;

	add_counts(&inputs->rows, count);
	entry = rows_insert(inputs->table, row, &found);
	if (!found)
		entry->count = 0;
	entry->count += count;		/* at most inputs->rows */
}

/* Add everything that is in another set of inputs. */
void
inputs_add_all(Inputs *inputs, const Inputs *other)
{
	rows_iterator i;
	InputEntry *entry;

	rows_start_iterate(other->table, &i);
	while ((entry = rows_iterate(other->table, &i)) != NULL)
		inputs_add(inputs, entry->row.x, entry->row.t_x, entry->row.t,
				   entry->row.weight, entry->count);
	add_counts(&inputs->ignored, other->ignored);
}

/* Count rows that were left out. */
void
inputs_ignore(Inputs *inputs, int64 count)
{
	add_counts(&inputs->ignored, count);
}

int64
inputs_rows(const Inputs *inputs)
{
	return inputs->rows;
}

int64
inputs_ignored(const Inputs *inputs)
{
	return inputs->ignored;
}

/* ---------------------------------------------------------------------
 * Merging
 * --------------------------------------------------------------------- */

#define COMPARE_FIELD(a, b, field) \
	if ((a)->row.field != (b)->row.field) \
		return (a)->row.field < (b)->row.field ? -1 : 1

static inline int
entry_compare(const InputEntry *a, const InputEntry *b)
{
	COMPARE_FIELD(a, b, x);
	COMPARE_FIELD(a, b, t_x);
	COMPARE_FIELD(a, b, t);
	COMPARE_FIELD(a, b, weight);
	return 0;
}

#define ST_SORT sort_entries
#define ST_ELEMENT_TYPE InputEntry
#define ST_COMPARE(a, b) entry_compare(a, b)
#define ST_SCOPE static
#define ST_CHECK_FOR_INTERRUPTS
#define ST_DEFINE
#include "lib/sort_template.h"

static void *
alloc_array(size_t count, size_t size)
{
	return MemoryContextAllocHuge(CurrentMemoryContext, mul_size(Max(count, 1), size));
}

/*
 * The distinct inputs, sorted by x, t_x, t, with the sum of their weights.
 * Allocated in the current memory context; the inputs stay as they are.
 */
PurchaseInput *
inputs_merged(const Inputs *inputs, size_t *count)
{
	size_t		nentries = inputs->table->members;
	InputEntry *entries = alloc_array(nentries, sizeof(InputEntry));
	PurchaseInput *merged = alloc_array(nentries, sizeof(PurchaseInput));
	PurchaseInput *last = NULL;
	rows_iterator iterator;
	InputEntry *entry;
	size_t		i = 0;

	rows_start_iterate(inputs->table, &iterator);
	while ((entry = rows_iterate(inputs->table, &iterator)) != NULL)
		entries[i++] = *entry;
	sort_entries(entries, nentries);

	for (i = 0; i < nentries; i++)
	{
		const InputRow *row = &entries[i].row;
		double		weight = row->weight * (double) entries[i].count;

		if (last != NULL && last->x == row->x && last->t_x == row->t_x && last->t == row->t)
		{
			last->weight += weight;
			continue;
		}
		last = (last == NULL) ? merged : last + 1;
		last->x = row->x;
		last->t_x = row->t_x;
		last->t = row->t;
		last->weight = weight;
	}
	pfree(entries);
	*count = (last == NULL) ? 0 : last - merged + 1;
	return merged;
}

/* ---------------------------------------------------------------------
 * Between processes: version, ignored rows, number of entries, entries
 * --------------------------------------------------------------------- */

#define ENTRY_BYTES	(4 * sizeof(float8) + sizeof(int64))

void
inputs_send(const Inputs *inputs, StringInfo buf)
{
	rows_iterator i;
	InputEntry *entry;

	pq_sendbyte(buf, INPUTS_VERSION);
	pq_sendint64(buf, inputs->ignored);
	pq_sendint64(buf, inputs->table->members);
	rows_start_iterate(inputs->table, &i);
	while ((entry = rows_iterate(inputs->table, &i)) != NULL)
	{
		pq_sendfloat8(buf, entry->row.x);
		pq_sendfloat8(buf, entry->row.t_x);
		pq_sendfloat8(buf, entry->row.t);
		pq_sendfloat8(buf, entry->row.weight);
		pq_sendint64(buf, entry->count);
	}
}

static void
state_error(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
			 errmsg("invalid serialized state of a fit")));
}

/* Read one entry; the values have been through the checks of the sender. */
static void
receive_entry(Inputs *inputs, StringInfo buf)
{
	double		x = pq_getmsgfloat8(buf);
	double		t_x = pq_getmsgfloat8(buf);
	double		t = pq_getmsgfloat8(buf);
	double		weight = pq_getmsgfloat8(buf);
	int64		count = pq_getmsgint64(buf);

	/* written so that NaN fails */
	if (!(x >= 0 && t_x >= 0 && t >= 0 && weight > 0 && count > 0))
		state_error();
	inputs_add(inputs, x, t_x, t, weight, count);
}

Inputs *
inputs_receive(MemoryContext context, StringInfo buf)
{
	Inputs	   *inputs = inputs_create(context);
	int64		nentries;
	int64		i;

	if (pq_getmsgbyte(buf) != INPUTS_VERSION)
		state_error();
	inputs->ignored = pq_getmsgint64(buf);
	nentries = pq_getmsgint64(buf);
	if (inputs->ignored < 0 || nentries < 0 ||
		nentries != (buf->len - buf->cursor) / ENTRY_BYTES)
		state_error();
	for (i = 0; i < nentries; i++)
		receive_entry(inputs, buf);
	pq_getmsgend(buf);
	return inputs;
}
