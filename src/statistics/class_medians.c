/*-------------------------------------------------------------------------
 *
 * class_medians.c
 *		The median of each class of many ways to classify the same customers.
 *
 * A customer is in one class of each scheme, so that an ordinary aggregate
 * would have to see every value once for every scheme.  Here values are
 * collected and sorted once; then one walk over the sorted values finds the
 * medians of the classes of all schemes.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include "catalog/pg_type.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "storage/shmem.h"
#include "utils/array.h"
#include "utils/memutils.h"

#include "base/aggregate.h"
#include "base/arguments.h"

#define MIN_CAPACITY			1024

typedef struct GroupValue
{
	double		value;
	int32		group;			/* from 0 */
} GroupValue;

typedef struct MedianState
{
	int			schemes;
	int			groups;
	int			classes;		/* classes have the numbers 1 .. classes */
	int32	   *class_of;		/* [group * schemes + scheme] */
	size_t		count;
	size_t		capacity;
	GroupValue *values;
} MedianState;

#define ST_SORT sort_values
#define ST_ELEMENT_TYPE GroupValue
#define ST_COMPARE(a, b) (((a)->value > (b)->value) - ((a)->value < (b)->value))
#define ST_SCOPE static
#define ST_CHECK_FOR_INTERRUPTS
#define ST_DEFINE
#include "lib/sort_template.h"

static void
state_allocate(MedianState *state, MemoryContext context, size_t capacity)
{
	state->capacity = Max(capacity, MIN_CAPACITY);
	state->values = MemoryContextAllocHuge(context, mul_size(state->capacity, sizeof(GroupValue)));
}

/* A new state for an array of classes, [scheme][group] */
static MedianState *
state_create(MemoryContext context, ArrayType *class_of)
{
	MedianState *state;
	int			n;

	if (ARR_NDIM(class_of) != 2 || ARR_HASNULL(class_of))
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("classes must be a two-dimensional array without NULL")));
	state = MemoryContextAllocZero(context, sizeof(MedianState));
	state->schemes = ARR_DIMS(class_of)[0];
	state->groups = ARR_DIMS(class_of)[1];
	n = state->schemes * state->groups;
	state->class_of = MemoryContextAlloc(context, n * sizeof(int32));
	for (int i = 0; i < n; i++)
	{
		int32		class = ((int32 *) ARR_DATA_PTR(class_of))[i];

		if (class < 1 || class > n)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("number of a class must be from 1 to %d, not %d", n, class)));
		state->classes = Max(state->classes, class);
		/* all schemes of a group together, as they are read */
		state->class_of[i % state->groups * state->schemes + i / state->groups] = class;
	}
	state_allocate(state, context, 0);
	return state;
}

/* Make room for more values. */
static void
state_reserve(MedianState *state, size_t more)
{
	if (state->count + more <= state->capacity)
		return;
	state->capacity = Max(state->count + more, state->capacity * 2);
	state->values = repalloc_huge(state->values, mul_size(state->capacity, sizeof(GroupValue)));
}

/*
 * class_medians_accum(state, group, values, class_of): the values of a group
 *
 * A row with a NULL is skipped, and so are values that are NULL.  Errors: 22023
 * for NaN, infinity, and a group or class that is out of range; 2202E for
 * classes in an array of other dimensions.
 */
PG_FUNCTION_INFO_V1(segment_class_medians_accum);
Datum
segment_class_medians_accum(PG_FUNCTION_ARGS)
{
	MedianState *state = (MedianState *) aggregate_state(fcinfo);
	ArrayIterator iterator;
	ArrayType  *values;
	int32		group;
	Datum		element;
	bool		isnull;

	if (aggregate_skips_row(fcinfo))
		return aggregate_unchanged(fcinfo);
	if (state == NULL)
		state = state_create(aggregate_context(fcinfo), PG_GETARG_ARRAYTYPE_P(3));
	group = PG_GETARG_INT32(1);
	if (group < 1 || group > state->groups)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("group must be from 1 to %d, not %d", state->groups, group)));
	values = PG_GETARG_ARRAYTYPE_P(2);
	state_reserve(state, ArrayGetNItems(ARR_NDIM(values), ARR_DIMS(values)));
	iterator = array_create_iterator(values, 0, NULL);
	while (array_iterate(iterator, &element, &isnull))
	{
		GroupValue *entry = &state->values[state->count];

		CHECK_FOR_INTERRUPTS();
		if (isnull)
			continue;
		arguments_check_number("value", DatumGetFloat8(element));
		entry->value = DatumGetFloat8(element) + 0.0;	/* no -0 */
		entry->group = group - 1;
		state->count++;
	}
	array_free_iterator(iterator);
	PG_RETURN_POINTER(state);
}

/* ---------- between processes ---------- */

static void *
class_medians_create_like(MemoryContext context, const void *other)
{
	MedianState *state = MemoryContextAllocZero(context, sizeof(MedianState));
	const MedianState *like = (const MedianState *) other;
	Size		size = (Size) like->schemes * like->groups * sizeof(int32);

	state->schemes = like->schemes;
	state->groups = like->groups;
	state->classes = like->classes;
	state->class_of = MemoryContextAlloc(context, size);
	memcpy(state->class_of, like->class_of, size);
	state_allocate(state, context, like->count);
	return state;
}

static void
class_medians_merge(void *into, const void *from)
{
	MedianState *state = (MedianState *) into;
	const MedianState *other = (const MedianState *) from;

	state_reserve(state, other->count);
	for (size_t i = 0; i < other->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		state->values[state->count++] = other->values[i];
	}
}

/* Schemes, groups, class_of, count, and the values with their groups */
static void
class_medians_send(StringInfo buf, void *state)
{
	const MedianState *medians = (const MedianState *) state;

	pq_sendint32(buf, medians->schemes);
	pq_sendint32(buf, medians->groups);
	for (int i = 0; i < medians->schemes * medians->groups; i++)
		pq_sendint32(buf, medians->class_of[i]);
	pq_sendint64(buf, medians->count);
	for (size_t i = 0; i < medians->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		pq_sendint32(buf, medians->values[i].group);
		pq_sendfloat8(buf, medians->values[i].value);
	}
}

static void *
class_medians_receive(StringInfo buf, const AggregateKind *kind)
{
	MedianState *state = palloc0(sizeof(MedianState));
	int64		n;
	int64		count;

	state->schemes = pq_getmsgint(buf, 4);
	state->groups = pq_getmsgint(buf, 4);
	n = (int64) state->schemes * state->groups;
	if (state->schemes < 1 || state->groups < 1 || n > buf->len)
		aggregate_invalid_state(kind);
	state->class_of = palloc(n * sizeof(int32));
	for (int64 i = 0; i < n; i++)
	{
		state->class_of[i] = pq_getmsgint(buf, 4);
		if (state->class_of[i] < 1 || state->class_of[i] > n)
			aggregate_invalid_state(kind);
		state->classes = Max(state->classes, state->class_of[i]);
	}
	count = pq_getmsgint64(buf);
	if (count < 0 || count > buf->len)
		aggregate_invalid_state(kind);
	state_allocate(state, CurrentMemoryContext, count);
	for (; state->count < count; state->count++)
	{
		GroupValue *entry = &state->values[state->count];

		CHECK_FOR_INTERRUPTS();
		entry->group = pq_getmsgint(buf, 4);
		if (entry->group < 0 || entry->group >= state->groups)
			aggregate_invalid_state(kind);
		entry->value = pq_getmsgfloat8(buf);
	}
	return state;
}

static const AggregateKind class_medians_kind = {
	.name = "class_medians",
	.version = 2,
	.create_like = class_medians_create_like,
	.merge = class_medians_merge,
	.send = class_medians_send,
	.receive = class_medians_receive,
};

PG_FUNCTION_INFO_V1(segment_class_medians_combine);
Datum
segment_class_medians_combine(PG_FUNCTION_ARGS)
{
	return aggregate_combine(fcinfo, &class_medians_kind);
}

PG_FUNCTION_INFO_V1(segment_class_medians_serialize);
Datum
segment_class_medians_serialize(PG_FUNCTION_ARGS)
{
	return aggregate_serialize(fcinfo, &class_medians_kind);
}

PG_FUNCTION_INFO_V1(segment_class_medians_deserialize);
Datum
segment_class_medians_deserialize(PG_FUNCTION_ARGS)
{
	return aggregate_deserialize(fcinfo, &class_medians_kind);
}

/* ---------- the result ---------- */

/* How many values the lower half of each class has, the median included */
static int64 *
class_halves(const MedianState *state)
{
	int64	   *left = palloc0(mul_size(state->classes + 1, sizeof(int64)));

	for (size_t i = 0; i < state->count; i++)
	{
		const int32 *class_of = state->class_of + (size_t) state->values[i].group * state->schemes;

		CHECK_FOR_INTERRUPTS();
		for (int scheme = 0; scheme < state->schemes; scheme++)
			left[class_of[scheme]]++;
	}
	for (int c = 1; c <= state->classes; c++)
		left[c] = (left[c] + 1) / 2;
	return left;
}

/* The median of every class, by its number; NULL where it has no value */
PG_FUNCTION_INFO_V1(segment_class_medians_final);
Datum
segment_class_medians_final(PG_FUNCTION_ARGS)
{
	const MedianState *state = (const MedianState *) aggregate_state(fcinfo);
	GroupValue *sorted;
	int64	   *left;
	bool	   *nulls;
	Datum	   *result;
	int			classes;
	int			lbs[1] = {1};

	if (state == NULL)
		PG_RETURN_NULL();
	/* a copy, as the state may be used again (window frames) */
	sorted = MemoryContextAllocHuge(CurrentMemoryContext, mul_size(state->count, sizeof(GroupValue)));
	memcpy(sorted, state->values, state->count * sizeof(GroupValue));
	sort_values(sorted, state->count);
	left = class_halves(state);
	classes = state->classes;
	result = palloc0(mul_size(classes, sizeof(Datum)));
	nulls = palloc(mul_size(classes, sizeof(bool)));
	memset(nulls, true, classes * sizeof(bool));
	for (size_t i = 0; i < state->count; i++)
	{
		const int32 *class_of = state->class_of + (size_t) sorted[i].group * state->schemes;

		CHECK_FOR_INTERRUPTS();
		for (int scheme = 0; scheme < state->schemes; scheme++)
		{
			int			c = class_of[scheme];

			if (--left[c] == 0)
			{
				result[c - 1] = Float8GetDatum(sorted[i].value);
				nulls[c - 1] = false;
			}
		}
	}
	PG_RETURN_ARRAYTYPE_P(construct_md_array(result, nulls, 1, &classes, lbs, FLOAT8OID,
											 sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}
