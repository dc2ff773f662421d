/*-------------------------------------------------------------------------
 *
 * cuts.c
 *		Cut points of equal-count groups.
 *
 * The i-th of the n - 1 cut points is the i/n quantile of the values in the
 * sense of percentile_disc: the smallest value that at least i/n of all values
 * do not exceed (Hyndman and Fan, "Sample Quantiles in Statistical Packages",
 * The American Statistician 50, 1996, definition 1).  With the scores
 * of score.c, n groups of distinct values differ in size by at most one.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include "catalog/pg_type.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/memutils.h"

#include "base/aggregate.h"
#include "base/arguments.h"
#include "base/selection.h"
#include "statistics/cuts.h"

/* First allocation; small, as there may be many groups. */
#define QUANTILE_MIN_CAPACITY	16

/* The values seen, in any order; all finite, zero never negative. */
typedef struct QuantileState
{
	int32		groups;			/* n */
	int64		count;
	int64		capacity;
	double	   *values;
} QuantileState;

/* The key of a finite float8: an integer in the same order. */
static inline uint64
key_of_value(double value)
{
	uint64		bits;

	memcpy(&bits, &value, sizeof(bits));
	return (bits >> 63) ? ~bits : bits | (UINT64CONST(1) << 63);
}

static inline double
value_of_key(uint64 key)
{
	uint64		bits = (key >> 63) ? key ^ (UINT64CONST(1) << 63) : ~key;
	double		value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

static QuantileState *
quantile_state_create(MemoryContext context, int32 groups, int64 capacity)
{
	QuantileState *state;

	state = (QuantileState *) MemoryContextAlloc(context, sizeof(QuantileState));
	state->groups = groups;
	state->count = 0;
	state->capacity = Max(capacity, QUANTILE_MIN_CAPACITY);
	state->values = (double *)
		MemoryContextAllocHuge(context, state->capacity * sizeof(double));
	return state;
}

/* Make room for more values; the array stays in its memory context. */
static void
quantile_state_reserve(QuantileState *state, int64 more)
{
	int64		needed = state->count + more;

	if (needed <= state->capacity)
		return;
	state->capacity = Max(needed, state->capacity * 2);
	state->values = (double *)
		repalloc_huge(state->values, state->capacity * sizeof(double));
}

/*
 * cuts_check_groups: the number of groups of a row, where the rows before had
 * another one, or 0 if there were none
 *
 * Error 22023 if they differ, and below 1; 54000 above CUTS_MAX_GROUPS.
 */
void
cuts_check_groups(int32 groups, int32 before)
{
	if (likely(groups == before && groups > 0))
		return;
	if (before != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("number of groups must be the same for all rows"),
				 errdetail("Both %d and %d were given.",
						   Min(before, groups), Max(before, groups))));
	if (groups < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("number of groups must be at least 1, not \"%d\"", groups)));
	if (groups > CUTS_MAX_GROUPS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("number of groups must be at most %d, not \"%d\"",
						CUTS_MAX_GROUPS, groups)));
}

/*
 * quantile_cuts_accum(state, value, n): one more value
 *
 * A row with a NULL value or a NULL n is skipped.  Errors: 22023 for a value
 * that is not finite, for n < 1 and for an n that differs from another row's;
 * 54000 for n > 1,000,000.
 */
PG_FUNCTION_INFO_V1(segment_quantile_cuts_accum);
Datum
segment_quantile_cuts_accum(PG_FUNCTION_ARGS)
{
	QuantileState *state = (QuantileState *) aggregate_state(fcinfo);
	double		value;
	int32		groups;

	if (aggregate_skips_row(fcinfo))
		return aggregate_unchanged(fcinfo);
	value = PG_GETARG_FLOAT8(1);
	groups = PG_GETARG_INT32(2);
	arguments_check_number("value", value);
	cuts_check_groups(groups, state != NULL ? state->groups : 0);
	if (state == NULL)
		state = quantile_state_create(aggregate_context(fcinfo), groups, 0);
	quantile_state_reserve(state, 1);
	/* -0 equals 0: which of them is returned must not depend on row order */
	state->values[state->count++] = value == 0 ? 0 : value;
	PG_RETURN_POINTER(state);
}

static void *
quantile_cuts_create_like(MemoryContext context, const void *other)
{
	const QuantileState *state = (const QuantileState *) other;

	return quantile_state_create(context, state->groups, state->count);
}

static void
quantile_cuts_merge(void *into, const void *from)
{
	QuantileState *state = (QuantileState *) into;
	const QuantileState *other = (const QuantileState *) from;

	cuts_check_groups(other->groups, state->groups);
	quantile_state_reserve(state, other->count);
	memcpy(state->values + state->count, other->values, other->count * sizeof(double));
	state->count += other->count;
}

/* Number of groups, count, values. */
static void
quantile_cuts_send(StringInfo buf, void *state)
{
	const QuantileState *quantiles = (const QuantileState *) state;

	pq_sendint32(buf, quantiles->groups);
	pq_sendint64(buf, quantiles->count);
	aggregate_reserve(buf, quantiles->count, sizeof(double));
	for (int64 i = 0; i < quantiles->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		pq_sendfloat8(buf, quantiles->values[i]);
	}
}

static void *
quantile_cuts_receive(StringInfo buf, const AggregateKind *kind)
{
	QuantileState *state;
	int32		groups = pq_getmsgint(buf, 4);
	int64		count = pq_getmsgint64(buf);

	if (groups < 1 || groups > CUTS_MAX_GROUPS ||
		count < 1 || count != (buf->len - buf->cursor) / (int) sizeof(double))
		aggregate_invalid_state(kind);
	state = quantile_state_create(CurrentMemoryContext, groups, count);
	for (; state->count < count; state->count++)
	{
		double		value = pq_getmsgfloat8(buf);

		CHECK_FOR_INTERRUPTS();
		arguments_check_number("value", value);
		state->values[state->count] = value;
	}
	return state;
}

static const AggregateKind quantile_cuts_kind = {
	.name = "quantile_cuts",
	.version = 1,
	.create_like = quantile_cuts_create_like,
	.merge = quantile_cuts_merge,
	.send = quantile_cuts_send,
	.receive = quantile_cuts_receive,
};

PG_FUNCTION_INFO_V1(segment_quantile_cuts_combine);
Datum
segment_quantile_cuts_combine(PG_FUNCTION_ARGS)
{
	return aggregate_combine(fcinfo, &quantile_cuts_kind);
}

PG_FUNCTION_INFO_V1(segment_quantile_cuts_serialize);
Datum
segment_quantile_cuts_serialize(PG_FUNCTION_ARGS)
{
	return aggregate_serialize(fcinfo, &quantile_cuts_kind);
}

PG_FUNCTION_INFO_V1(segment_quantile_cuts_deserialize);
Datum
segment_quantile_cuts_deserialize(PG_FUNCTION_ARGS)
{
	return aggregate_deserialize(fcinfo, &quantile_cuts_kind);
}

/*
 * quantile_cuts_final: the n - 1 cut points, ascending
 *
 * NULL if there was no value; an empty array for n = 1.  Works on a copy of
 * the values, as the state may be used again (window frames).
 */
PG_FUNCTION_INFO_V1(segment_quantile_cuts_final);
Datum
segment_quantile_cuts_final(PG_FUNCTION_ARGS)
{
	const QuantileState *state = (const QuantileState *) aggregate_state(fcinfo);
	int			ncuts;
	uint64	   *keys;
	int64	   *ranks;
	Datum	   *cuts;

	if (state == NULL)
		PG_RETURN_NULL();
	ncuts = state->groups - 1;
	if (ncuts == 0)
		PG_RETURN_ARRAYTYPE_P(construct_empty_array(FLOAT8OID));

	keys = (uint64 *) MemoryContextAllocHuge(CurrentMemoryContext,
											 state->count * sizeof(uint64));
	for (int64 i = 0; i < state->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		keys[i] = key_of_value(state->values[i]);
	}
	ranks = (int64 *) palloc(mul_size(ncuts, sizeof(int64)));
	for (int i = 0; i < ncuts; i++)
		ranks[i] = selection_rank(i + 1, state->groups, state->count);

	selection_ranks(keys, state->count, 0, ranks, ncuts);

	cuts = (Datum *) palloc(mul_size(ncuts, sizeof(Datum)));
	for (int i = 0; i < ncuts; i++)
		cuts[i] = Float8GetDatum(value_of_key(keys[ranks[i]]));
	pfree(keys);
	PG_RETURN_ARRAYTYPE_P(construct_array(cuts, ncuts, FLOAT8OID, sizeof(float8),
										  FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}
