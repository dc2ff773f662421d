/*-------------------------------------------------------------------------
 *
 * fit_inputs.c
 *		The inputs of a fit: distinct rows with exact counts.
 *
 * A million customers may have far fewer different (x, t_x, t).  Rows are
 * appended to an array; when it is full it is sorted, equal rows become one
 * with their count, and only if it is then still more than half full it grows.
 * So memory is bounded by the number of distinct rows, the likelihood is
 * summed over distinct rows only, and where nearly all are distinct a row
 * costs no look-up that misses the cache.
 *
 * Rows are told apart by their weight too, and counted in an integer.  Only
 * when the fit begins are the counts multiplied with the weights and summed,
 * in the order of the sorted rows.  So the fit sees the same bits whatever
 * the order of the rows, the plan and the number of workers.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include "common/int.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "storage/shmem.h"
#include "utils/memutils.h"

#include "models/fit_inputs.h"

/* First allocation; small, as there may be many groups. */
#define MIN_CAPACITY	32

typedef struct InputRow
{
	double		x;				/* no -0 in here */
	double		t_x;
	double		t;
	double		weight;
	int64		count;			/* how many such rows came */
} InputRow;

struct FitInputs
{
	InputRow   *entries;
	size_t		sorted;			/* so many at the start are sorted and
								 * distinct */
	size_t		used;
	size_t		capacity;
	int64		rows;			/* rows added */
	int64		ignored;		/* rows left out for want of a positive spend */
};

#define COMPARE_FIELD(a, b, field) \
	if ((a)->field != (b)->field) \
		return (a)->field < (b)->field ? -1 : 1

static inline int
row_compare(const InputRow *a, const InputRow *b)
{
	COMPARE_FIELD(a, b, x);
	COMPARE_FIELD(a, b, t_x);
	COMPARE_FIELD(a, b, t);
	COMPARE_FIELD(a, b, weight);
	return 0;
}

#define ST_SORT sort_rows
#define ST_ELEMENT_TYPE InputRow
#define ST_COMPARE(a, b) row_compare(a, b)
#define ST_SCOPE static
#define ST_CHECK_FOR_INTERRUPTS
#define ST_DEFINE
#include "lib/sort_template.h"

static void *
alloc_array(MemoryContext context, size_t count, size_t size)
{
	return MemoryContextAllocHuge(context, mul_size(Max(count, 1), size));
}

/* No inputs yet; all memory comes from the context. */
FitInputs *
fit_inputs_create(MemoryContext context)
{
	FitInputs  *inputs = MemoryContextAllocZero(context, sizeof(FitInputs));

	inputs->capacity = MIN_CAPACITY;
	inputs->entries = alloc_array(context, inputs->capacity, sizeof(InputRow));
	return inputs;
}

/* Append a row to sorted ones, or count it where the last is equal. */
static inline InputRow *
append_sorted(InputRow *first, InputRow *end, const InputRow *row)
{
	if (end > first && row_compare(end - 1, row) == 0)
		end[-1].count += row->count;	/* at most the rows of the inputs */
	else
		*end++ = *row;
	return end;
}

/* Sort everything and merge what is equal, with room for a number of rows. */
static void
fit_inputs_sort(FitInputs *inputs, size_t capacity)
{
	InputRow   *left = inputs->entries;
	InputRow   *left_end = left + inputs->sorted;
	InputRow   *right = left_end;
	InputRow   *right_end = left + inputs->used;
	InputRow   *merged;
	InputRow   *end;

	if (inputs->sorted == inputs->used && capacity <= inputs->capacity)
		return;
	sort_rows(right, right_end - right);
	merged = alloc_array(GetMemoryChunkContext(inputs), capacity, sizeof(InputRow));
	end = merged;
	while (left < left_end || right < right_end)
	{
		if (right == right_end || (left < left_end && row_compare(left, right) <= 0))
			end = append_sorted(merged, end, left++);
		else
			end = append_sorted(merged, end, right++);
	}
	pfree(inputs->entries);
	inputs->entries = merged;
	inputs->sorted = inputs->used = end - merged;
	inputs->capacity = capacity;
}

/* Make room for at least one more row. */
static void
fit_inputs_make_room(FitInputs *inputs)
{
	fit_inputs_sort(inputs, inputs->capacity);
	if (inputs->used > inputs->capacity / 2)
	{
		inputs->capacity *= 2;
		inputs->entries = repalloc_huge(inputs->entries,
										mul_size(inputs->capacity, sizeof(InputRow)));
	}
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
fit_inputs_add(FitInputs *inputs, double x, double t_x, double t, double weight, int64 count)
{
	InputRow   *row;

	add_counts(&inputs->rows, count);
	if (unlikely(inputs->used == inputs->capacity))
		fit_inputs_make_room(inputs);
	row = &inputs->entries[inputs->used++];

	/* adding 0 turns -0 into 0 */
	row->x = x + 0.0;
	row->t_x = t_x + 0.0;
	row->t = t + 0.0;
	row->weight = weight;
	row->count = count;
}

/* Count rows that were left out. */
void
fit_inputs_ignore(FitInputs *inputs, int64 count)
{
	add_counts(&inputs->ignored, count);
}

int64
fit_inputs_rows(const FitInputs *inputs)
{
	return inputs->rows;
}

int64
fit_inputs_ignored(const FitInputs *inputs)
{
	return inputs->ignored;
}

/* ---------- merging ---------- */

/*
 * The distinct inputs, sorted by x, t_x, t, with the sum of their weights.
 * Allocated in the current memory context; the inputs are put in order.
 */
FitInput *
fit_inputs_merged(FitInputs *inputs, size_t *count)
{
	FitInput   *merged;
	FitInput   *last = NULL;

	fit_inputs_sort(inputs, inputs->capacity);
	merged = alloc_array(CurrentMemoryContext, inputs->used, sizeof(FitInput));
	for (size_t i = 0; i < inputs->used; i++)
	{
		const InputRow *row = &inputs->entries[i];
		double		weight = row->weight * (double) row->count;

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
	*count = (last == NULL) ? 0 : last - merged + 1;
	return merged;
}

/* ---------- the state of an aggregate ---------- */

/* An image is ignored rows, number of entries, entries. */

#define ENTRY_BYTES	(4 * sizeof(float8) + sizeof(int64))

static void *
fit_inputs_create_like(MemoryContext context, const void *other)
{
	return fit_inputs_create(context);
}

/* Add everything that is in another set of inputs. */
static void
fit_inputs_merge(void *into, const void *from)
{
	FitInputs  *inputs = (FitInputs *) into;
	const FitInputs *other = (const FitInputs *) from;

	add_counts(&inputs->rows, other->rows);
	add_counts(&inputs->ignored, other->ignored);

	/* sorted first, so that sorted rows are appended to sorted rows */
	fit_inputs_sort(inputs, Max(inputs->capacity, inputs->used + other->used));
	memcpy(inputs->entries + inputs->used, other->entries, other->used * sizeof(InputRow));
	inputs->used += other->used;
}

static void
fit_inputs_send(StringInfo buf, void *state)
{
	FitInputs  *inputs = (FitInputs *) state;

	fit_inputs_sort(inputs, inputs->capacity);
	pq_sendint64(buf, inputs->ignored);
	pq_sendint64(buf, inputs->used);
	aggregate_reserve(buf, inputs->used, ENTRY_BYTES);
	for (size_t i = 0; i < inputs->used; i++)
	{
		const InputRow *row = &inputs->entries[i];

		CHECK_FOR_INTERRUPTS();
		pq_sendfloat8(buf, row->x);
		pq_sendfloat8(buf, row->t_x);
		pq_sendfloat8(buf, row->t);
		pq_sendfloat8(buf, row->weight);
		pq_sendint64(buf, row->count);
	}
}

/* Read one entry; the values have been through the checks of the sender. */
static void
receive_entry(FitInputs *inputs, StringInfo buf, const AggregateKind *kind)
{
	double		x = pq_getmsgfloat8(buf);
	double		t_x = pq_getmsgfloat8(buf);
	double		t = pq_getmsgfloat8(buf);
	double		weight = pq_getmsgfloat8(buf);
	int64		count = pq_getmsgint64(buf);

	/* written so that NaN fails */
	if (!(x >= 0 && t_x >= 0 && t >= 0 && weight > 0 && count > 0))
		aggregate_invalid_state(kind);
	fit_inputs_add(inputs, x, t_x, t, weight, count);
}

static void *
fit_inputs_receive(StringInfo buf, const AggregateKind *kind)
{
	FitInputs  *inputs = fit_inputs_create(CurrentMemoryContext);
	int64		nentries;

	inputs->ignored = pq_getmsgint64(buf);
	nentries = pq_getmsgint64(buf);
	if (inputs->ignored < 0 || nentries < 0 ||
		nentries != (buf->len - buf->cursor) / ENTRY_BYTES)
		aggregate_invalid_state(kind);
	for (int64 i = 0; i < nentries; i++)
	{
		CHECK_FOR_INTERRUPTS();
		receive_entry(inputs, buf, kind);
	}
	return inputs;
}

const AggregateKind fit_inputs_kind = {
	.name = "*_fit",
	.version = 1,
	.create_like = fit_inputs_create_like,
	.merge = fit_inputs_merge,
	.send = fit_inputs_send,
	.receive = fit_inputs_receive,
};
