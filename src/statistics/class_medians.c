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

#include <math.h>

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
#include "base/decimal.h"

/* A loop over values checks for interrupts each time it has done so many. */
#define INTERRUPT_INTERVAL		65536

#define MIN_CAPACITY			1024

#define STATE_VERSION			1

typedef struct GroupValue
{
	double		value;
	Numeric		exact;			/* the same as numeric; NULL: it is no numeric */
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
	state->capacity = MIN_CAPACITY;
	state->values = MemoryContextAllocHuge(context, state->capacity * sizeof(GroupValue));
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
 * The state of an aggregate with the arguments (state, group, value, class_of)
 * and room for one more value; *counts is false for a row with a NULL.
 */
static MedianState *
state_argument(FunctionCallInfo fcinfo, MemoryContext context, bool *counts)
{
	MedianState *state = PG_ARGISNULL(0) ? NULL : (MedianState *) PG_GETARG_POINTER(0);
	int32		group;

	*counts = !PG_ARGISNULL(1) && !PG_ARGISNULL(2) && !PG_ARGISNULL(3);
	if (!*counts)
		return state;
	if (state == NULL)
		state = state_create(context, PG_GETARG_ARRAYTYPE_P(3));
	group = PG_GETARG_INT32(1);
	if (group < 1 || group > state->groups)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("group must be from 1 to %d, not %d", state->groups, group)));
	state_reserve(state, 1);
	return state;
}

static Datum
class_medians_add(FunctionCallInfo fcinfo, bool numeric)
{
	MemoryContext context;
	MedianState *state;
	GroupValue *entry;
	double		value;
	bool		counts;

	context = aggregate_context(fcinfo);
	state = state_argument(fcinfo, context, &counts);
	if (!counts)
	{
		if (state == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(state);
	}
	value = numeric ? DatumGetFloat8(DirectFunctionCall1(numeric_to_float8, PG_GETARG_DATUM(2))) :
		PG_GETARG_FLOAT8(2);
	if (!isfinite(value))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("value must be a finite number")));
	entry = &state->values[state->count];
	entry->value = value + 0.0; /* no -0 */
	entry->exact = NULL;
	if (numeric)
	{
		MemoryContext old = MemoryContextSwitchTo(context);

		entry->exact = DatumGetNumericCopy(PG_GETARG_DATUM(2));
		MemoryContextSwitchTo(old);
	}
	entry->group = PG_GETARG_INT32(1) - 1;
	state->count++;
	PG_RETURN_POINTER(state);
}

/*
 * class_medians_accum(state, group, value, class_of): one more value
 *
 * A row with a NULL is skipped.  Errors: 22023 for NaN, infinity, and a group
 * or class that is out of range; 2202E for an array of other dimensions.
 */
PG_FUNCTION_INFO_V1(class_medians_accum);
Datum
class_medians_accum(PG_FUNCTION_ARGS)
{
	return class_medians_add(fcinfo, false);
}

PG_FUNCTION_INFO_V1(class_medians_accum_numeric);
Datum
class_medians_accum_numeric(PG_FUNCTION_ARGS)
{
	return class_medians_add(fcinfo, true);
}

PG_FUNCTION_INFO_V1(class_medians_combine);
Datum
class_medians_combine(PG_FUNCTION_ARGS)
{
	MemoryContext context;
	MemoryContext old;
	MedianState *state;
	MedianState *other;

	context = aggregate_context(fcinfo);
	state = PG_ARGISNULL(0) ? NULL : (MedianState *) PG_GETARG_POINTER(0);
	other = PG_ARGISNULL(1) ? NULL : (MedianState *) PG_GETARG_POINTER(1);
	if (other == NULL)
	{
		if (state == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(state);
	}
	old = MemoryContextSwitchTo(context);
	if (state == NULL)
	{
		int			n = other->schemes * other->groups;

		state = palloc(sizeof(MedianState));
		*state = *other;
		state->class_of = palloc(n * sizeof(int32));
		memcpy(state->class_of, other->class_of, n * sizeof(int32));
		state->count = 0;
		state->values = MemoryContextAllocHuge(context, mul_size(state->capacity, sizeof(GroupValue)));
	}
	state_reserve(state, other->count);
	for (size_t i = 0; i < other->count; i++)
	{
		GroupValue *entry = &state->values[state->count++];

		*entry = other->values[i];
		if (entry->exact != NULL)
			entry->exact = DatumGetNumericCopy(NumericGetDatum(entry->exact));
		if (i % INTERRUPT_INTERVAL == 0)
			CHECK_FOR_INTERRUPTS();
	}
	MemoryContextSwitchTo(old);
	PG_RETURN_POINTER(state);
}

/*
 * Version, schemes, groups, class_of, count, and for each value its group, the
 * length of its numeric (0: none), the numeric as it lies in memory, and the
 * value.
 */
PG_FUNCTION_INFO_V1(class_medians_serialize);
Datum
class_medians_serialize(PG_FUNCTION_ARGS)
{
	MedianState *state = (MedianState *) PG_GETARG_POINTER(0);
	StringInfoData buf;

	aggregate_context(fcinfo);
	pq_begintypsend(&buf);
	pq_sendbyte(&buf, STATE_VERSION);
	pq_sendint32(&buf, state->schemes);
	pq_sendint32(&buf, state->groups);
	for (int i = 0; i < state->schemes * state->groups; i++)
		pq_sendint32(&buf, state->class_of[i]);
	pq_sendint64(&buf, state->count);
	for (size_t i = 0; i < state->count; i++)
	{
		const GroupValue *entry = &state->values[i];
		int			size = entry->exact != NULL ? VARSIZE(entry->exact) : 0;

		pq_sendint32(&buf, entry->group);
		pq_sendint32(&buf, size);
		if (size > 0)
			pq_sendbytes(&buf, (const char *) entry->exact, size);
		pq_sendfloat8(&buf, entry->value);
		if (i % INTERRUPT_INTERVAL == 0)
			CHECK_FOR_INTERRUPTS();
	}
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

static void
state_error(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
			 errmsg("invalid state of aggregate function class_medians")));
}

static void
receive_value(StringInfo buf, const MedianState *state, GroupValue *entry)
{
	int			size;

	entry->group = pq_getmsgint(buf, 4);
	size = pq_getmsgint(buf, 4);
	if (entry->group < 0 || entry->group >= state->groups ||
		size < 0 || size > buf->len - buf->cursor)
		state_error();
	entry->exact = NULL;
	if (size > 0)
	{
		entry->exact = palloc(size);
		memcpy(entry->exact, pq_getmsgbytes(buf, size), size);
	}
	entry->value = pq_getmsgfloat8(buf);
}

PG_FUNCTION_INFO_V1(class_medians_deserialize);
Datum
class_medians_deserialize(PG_FUNCTION_ARGS)
{
	bytea	   *bytes = PG_GETARG_BYTEA_PP(0);
	MedianState *state;
	StringInfoData buf;
	int64		n;

	aggregate_context(fcinfo);
	buf.data = VARDATA_ANY(bytes);
	buf.len = buf.maxlen = VARSIZE_ANY_EXHDR(bytes);
	buf.cursor = 0;
	state = palloc0(sizeof(MedianState));
	if (pq_getmsgbyte(&buf) != STATE_VERSION)
		state_error();
	state->schemes = pq_getmsgint(&buf, 4);
	state->groups = pq_getmsgint(&buf, 4);
	n = (int64) state->schemes * state->groups;
	if (state->schemes < 1 || state->groups < 1 || n > buf.len)
		state_error();
	state->class_of = palloc(n * sizeof(int32));
	for (int64 i = 0; i < n; i++)
	{
		state->class_of[i] = pq_getmsgint(&buf, 4);
		if (state->class_of[i] < 1 || state->class_of[i] > n)
			state_error();
		state->classes = Max(state->classes, state->class_of[i]);
	}
	state->count = pq_getmsgint64(&buf);
	if (state->count > (size_t) buf.len)
		state_error();
	state->capacity = Max(state->count, MIN_CAPACITY);
	state->values = MemoryContextAllocHuge(CurrentMemoryContext,
										   mul_size(state->capacity, sizeof(GroupValue)));
	for (size_t i = 0; i < state->count; i++)
		receive_value(&buf, state, &state->values[i]);
	pq_getmsgend(&buf);
	PG_RETURN_POINTER(state);
}

/* The medians of the classes of one scheme, from sorted values; NULL stays */
static void
scheme_medians(const MedianState *state, const int32 *class_of, int64 *left,
			   const GroupValue **medians)
{
	memset(left, 0, (state->classes + 1) * sizeof(int64));
	for (size_t i = 0; i < state->count; i++)
	{
		left[class_of[state->values[i].group]]++;
		if (i % INTERRUPT_INTERVAL == 0)
			CHECK_FOR_INTERRUPTS();
	}
	for (int c = 1; c <= state->classes; c++)
		left[c] = (left[c] + 1) / 2;
	for (size_t i = 0; i < state->count; i++)
	{
		int			class = class_of[state->values[i].group];

		if (--left[class] == 0)
			medians[class - 1] = &state->values[i];
		if (i % INTERRUPT_INTERVAL == 0)
			CHECK_FOR_INTERRUPTS();
	}
}

static Datum
class_medians_result(FunctionCallInfo fcinfo, bool numeric)
{
	MedianState *state;
	MedianState sorted;
	int64	   *left;
	const GroupValue **medians;
	bool	   *nulls;
	Datum	   *result;
	int			lbs[1] = {1};

	aggregate_context(fcinfo);
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	state = (MedianState *) PG_GETARG_POINTER(0);
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
		PG_RETURN_ARRAYTYPE_P(construct_md_array(result, nulls, 1, &state->classes, lbs,
												 NUMERICOID, -1, false, TYPALIGN_INT));
	PG_RETURN_ARRAYTYPE_P(construct_md_array(result, nulls, 1, &state->classes, lbs, FLOAT8OID,
											 sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

/* The median of every class, by its number; NULL where it has no value */
PG_FUNCTION_INFO_V1(class_medians_final);
Datum
class_medians_final(PG_FUNCTION_ARGS)
{
	return class_medians_result(fcinfo, false);
}

PG_FUNCTION_INFO_V1(class_medians_final_numeric);
Datum
class_medians_final_numeric(PG_FUNCTION_ARGS)
{
	return class_medians_result(fcinfo, true);
}
