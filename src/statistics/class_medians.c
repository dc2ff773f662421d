/*-------------------------------------------------------------------------
 *
 * class_medians.c
 *		The median of each class of many ways to classify the same customers.
 *
 * A customer is in one class of each scheme, so that an ordinary aggregate
 * would have to see every value once for every scheme.  Here values are
 * collected and sorted once; then one walk per scheme over the sorted values
 * finds the medians of all its classes.
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
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/numeric.h"

#include "base/aggregate.h"
#include "base/arguments.h"
#include "base/decimal.h"

#define MIN_CAPACITY			1024

typedef struct GroupValue
{
	double		value;
	Numeric		exact;			/* the same as numeric; NULL: it is not a
								 * numeric */
	int32		group;			/* from 0 */
} GroupValue;

typedef struct MedianState
{
	int			schemes;
	int			groups;
	int			classes;		/* classes have the numbers 1 .. classes */
	int32	   *class_of;		/* [scheme * groups + group] */
	size_t		count;
	size_t		capacity;
	GroupValue *values;
} MedianState;

static int
numeric_decimals(Numeric value)
{
	return DatumGetInt32(DirectFunctionCall1(numeric_scale, NumericGetDatum(value)));
}

/*
 * Numerics are compared as such only where they are the same in floating
 * point; equal ones by their decimals, so that the order is always the same.
 */
static inline int
compare_values(const GroupValue *a, const GroupValue *b)
{
	int			result;

	if (a->value != b->value)
		return a->value > b->value ? 1 : -1;
	if (a->exact == NULL)
		return 0;
	result = DatumGetInt32(DirectFunctionCall2(numeric_cmp, NumericGetDatum(a->exact),
											   NumericGetDatum(b->exact)));
	return result != 0 ? result : numeric_decimals(a->exact) - numeric_decimals(b->exact);
}

#define ST_SORT sort_values
#define ST_ELEMENT_TYPE GroupValue
#define ST_COMPARE(a, b) compare_values(a, b)
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
	memcpy(state->class_of, ARR_DATA_PTR(class_of), n * sizeof(int32));
	for (int i = 0; i < n; i++)
	{
		if (state->class_of[i] < 1 || state->class_of[i] > n)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("number of a class must be from 1 to %d, not %d", n, state->class_of[i])));
		state->classes = Max(state->classes, state->class_of[i]);
	}
	state_allocate(state, context, 0);
	return state;
}

static Numeric
copy_numeric(const MedianState *state, Numeric value)
{
	MemoryContext old = MemoryContextSwitchTo(GetMemoryChunkContext((void *) state));
	Numeric		copy = DatumGetNumericCopy(NumericGetDatum(value));

	MemoryContextSwitchTo(old);
	return copy;
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

/* The functions below: numeric says of which type the value is. */
static Datum
class_medians_add(FunctionCallInfo fcinfo, bool numeric)
{
	MedianState *state = (MedianState *) aggregate_state(fcinfo);
	GroupValue *entry;
	int32		group;
	double		value;

	if (aggregate_skips_row(fcinfo))
		return aggregate_unchanged(fcinfo);
	if (state == NULL)
		state = state_create(aggregate_context(fcinfo), PG_GETARG_ARRAYTYPE_P(3));
	group = PG_GETARG_INT32(1);
	if (group < 1 || group > state->groups)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("group must be from 1 to %d, not %d", state->groups, group)));
	value = numeric ? DatumGetFloat8(DirectFunctionCall1(segment_numeric_to_float8, PG_GETARG_DATUM(2))) :
		PG_GETARG_FLOAT8(2);
	arguments_check_number("value", value);
	state_reserve(state, 1);
	entry = &state->values[state->count++];
	entry->value = value + 0.0; /* no -0 */
	entry->exact = numeric ? copy_numeric(state, PG_GETARG_NUMERIC(2)) : NULL;
	entry->group = group - 1;
	PG_RETURN_POINTER(state);
}

/*
 * class_medians_accum(state, group, value, class_of): one more value
 *
 * A row with a NULL is skipped.  Errors: 22023 for NaN, infinity, and a group
 * or class that is out of range; 2202E for an array of other dimensions.
 */
PG_FUNCTION_INFO_V1(segment_class_medians_accum);
Datum
segment_class_medians_accum(PG_FUNCTION_ARGS)
{
	return class_medians_add(fcinfo, false);
}

PG_FUNCTION_INFO_V1(segment_class_medians_accum_numeric);
Datum
segment_class_medians_accum_numeric(PG_FUNCTION_ARGS)
{
	return class_medians_add(fcinfo, true);
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
		GroupValue *entry = &state->values[state->count++];

		CHECK_FOR_INTERRUPTS();
		*entry = other->values[i];
		if (entry->exact != NULL)
			entry->exact = copy_numeric(state, entry->exact);
	}
}

/*
 * Schemes, groups, class_of, count, and for each value its group, the length
 * of its numeric (0: none), the numeric as it lies in memory, and the value.
 */
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
		const GroupValue *entry = &medians->values[i];
		int			size = entry->exact != NULL ? VARSIZE(entry->exact) : 0;

		CHECK_FOR_INTERRUPTS();
		pq_sendint32(buf, entry->group);
		pq_sendint32(buf, size);
		if (size > 0)
			pq_sendbytes(buf, (const char *) entry->exact, size);
		pq_sendfloat8(buf, entry->value);
	}
}

static void
receive_value(StringInfo buf, const MedianState *state, GroupValue *entry,
			  const AggregateKind *kind)
{
	int			size;

	entry->group = pq_getmsgint(buf, 4);
	size = pq_getmsgint(buf, 4);
	if (entry->group < 0 || entry->group >= state->groups ||
		size < 0 || size > buf->len - buf->cursor)
		aggregate_invalid_state(kind);
	entry->exact = NULL;
	if (size > 0)
	{
		entry->exact = palloc(size);
		memcpy(entry->exact, pq_getmsgbytes(buf, size), size);
	}
	entry->value = pq_getmsgfloat8(buf);
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
		CHECK_FOR_INTERRUPTS();
		receive_value(buf, state, &state->values[state->count], kind);
	}
	return state;
}

static const AggregateKind class_medians_kind = {
	.name = "class_medians",
	.version = 1,
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

/* The medians of the classes of one scheme, from sorted values; NULL stays */
static void
scheme_medians(const MedianState *state, const int32 *class_of, int64 *left,
			   const GroupValue **medians)
{
	memset(left, 0, (state->classes + 1) * sizeof(int64));
	for (size_t i = 0; i < state->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		left[class_of[state->values[i].group]]++;
	}
	for (int c = 1; c <= state->classes; c++)
		left[c] = (left[c] + 1) / 2;
	for (size_t i = 0; i < state->count; i++)
	{
		int			class = class_of[state->values[i].group];

		CHECK_FOR_INTERRUPTS();
		if (--left[class] == 0)
			medians[class - 1] = &state->values[i];
	}
}

static Datum
class_medians_result(FunctionCallInfo fcinfo, bool numeric)
{
	const MedianState *state = (const MedianState *) aggregate_state(fcinfo);
	MedianState sorted;
	int64	   *left;
	const GroupValue **medians;
	bool	   *nulls;
	Datum	   *result;
	int			lbs[1] = {1};

	if (state == NULL)
		PG_RETURN_NULL();
	sorted = *state;
	sorted.values = MemoryContextAllocHuge(CurrentMemoryContext,
										   mul_size(state->count, sizeof(GroupValue)));
	memcpy(sorted.values, state->values, state->count * sizeof(GroupValue));
	sort_values(sorted.values, sorted.count);

	left = palloc((state->classes + 1) * sizeof(int64));
	medians = palloc0(state->classes * sizeof(GroupValue *));
	for (int scheme = 0; scheme < state->schemes; scheme++)
		scheme_medians(&sorted, state->class_of + (size_t) scheme * state->groups, left, medians);

	result = palloc0(state->classes * sizeof(Datum));
	nulls = palloc0(state->classes * sizeof(bool));
	for (int c = 0; c < state->classes; c++)
	{
		if (medians[c] == NULL)
			nulls[c] = true;
		else
			result[c] = numeric ? NumericGetDatum(medians[c]->exact) :
				Float8GetDatum(medians[c]->value);
	}
	if (numeric)
		PG_RETURN_ARRAYTYPE_P(construct_md_array(result, nulls, 1, &sorted.classes, lbs,
												 NUMERICOID, -1, false, TYPALIGN_INT));
	PG_RETURN_ARRAYTYPE_P(construct_md_array(result, nulls, 1, &sorted.classes, lbs, FLOAT8OID,
											 sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

/* The median of every class, by its number; NULL where it has no value */
PG_FUNCTION_INFO_V1(segment_class_medians_final);
Datum
segment_class_medians_final(PG_FUNCTION_ARGS)
{
	return class_medians_result(fcinfo, false);
}

PG_FUNCTION_INFO_V1(segment_class_medians_final_numeric);
Datum
segment_class_medians_final_numeric(PG_FUNCTION_ARGS)
{
	return class_medians_result(fcinfo, true);
}
