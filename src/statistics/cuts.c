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
 * Where values are equal, those cut points give all of them the score of the
 * lowest group that they reach into: of a thousand customers of whom 900 bought
 * today, the 900 would be in the group 1 of 5.  score_cuts has the cut points
 * of scores that are fair to ties: see tied_score.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include <float.h>
#include <math.h>

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

/*
 * cuts_state_values: the values of a state, in any order, for aggregates that
 * share it
 */
const double *
cuts_state_values(const void *state, int64 *count, int *groups)
{
	const QuantileState *quantiles = (const QuantileState *) state;

	*count = quantiles->count;
	*groups = quantiles->groups;
	return quantiles->values;
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

/* The values at the n - 1 ranks of the quantiles, ascending. */
static double *
quantile_values(const QuantileState *state)
{
	int			ncuts = state->groups - 1;
	uint64	   *keys;
	int64	   *ranks;
	double	   *cuts;

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

	cuts = (double *) palloc(mul_size(ncuts, sizeof(double)));
	for (int i = 0; i < ncuts; i++)
		cuts[i] = value_of_key(keys[ranks[i]]);
	pfree(ranks);
	pfree(keys);
	return cuts;
}

/* cuts_array: cut points as the result of an aggregate */
Datum
cuts_array(const double *cuts, int ncuts)
{
	Datum	   *elements = (Datum *) palloc(mul_size(ncuts, sizeof(Datum)));

	if (ncuts == 0)
		return PointerGetDatum(construct_empty_array(FLOAT8OID));

	for (int i = 0; i < ncuts; i++)
		elements[i] = Float8GetDatum(cuts[i]);
	return PointerGetDatum(construct_array(elements, ncuts, FLOAT8OID, sizeof(float8),
										   FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
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

	if (state == NULL)
		PG_RETURN_NULL();
	if (state->groups == 1)
		return cuts_array(NULL, 0);
	return cuts_array(quantile_values(state), state->groups - 1);
}

/* ---------- scores that are fair to ties ---------- */

/* A value that is the value at some rank of a quantile, among all values. */
typedef struct TiedValue
{
	double		value;
	int64		between;		/* values above the one before, below this */
	int64		equal;			/* values equal to this */
	double		before;			/* the largest value below it */
} TiedValue;

/*
 * The group of a rank, counted from 1, of so many ranks in n groups.  Both are
 * far below what could overflow: an array of a million, and 8 bytes a value.
 */
static inline int64
group_of_rank(int64 rank, int64 n, int64 count)
{
	return (rank - 1) * n / count + 1;
}

/*
 * The score of equal values that have the ranks from first to last
 *
 * They span the groups a to b of n groups of equal count, and get the middle,
 * rounded down; but the worst values get 1 and the best n, and where all are
 * equal, the middle of 1 and n.
 */
static int64
tied_score(int64 first, int64 last, int64 n, int64 count)
{
	if (first == 1 && last == count)
		return (1 + n) / 2;
	if (first == 1)
		return 1;
	if (last == count)
		return n;
	return (group_of_rank(first, n, count) + group_of_rank(last, n, count)) / 2;
}

/* Distinct cut points, ascending, with what the values say of each. */
static TiedValue *
tied_values(const QuantileState *state, const double *cuts, int *ntied)
{
	TiedValue  *tied = (TiedValue *) palloc0(mul_size(state->groups - 1, sizeof(TiedValue)));
	int			n = 0;

	for (int i = 0; i < state->groups - 1; i++)
	{
		if (n > 0 && tied[n - 1].value == cuts[i])
			continue;
		/* the one before, unless some value between them is found */
		tied[n].before = n > 0 ? tied[n - 1].value : -DBL_MAX;
		tied[n++].value = cuts[i];
	}
	for (int64 i = 0; i < state->count; i++)
	{
		double		value = state->values[i];
		int			low = 0;
		int			high = n;

		CHECK_FOR_INTERRUPTS();
		while (low < high)
		{
			int			middle = low + (high - low) / 2;

			if (tied[middle].value < value)
				low = middle + 1;
			else
				high = middle;
		}
		if (low == n)
			continue;
		if (tied[low].value == value)
			tied[low].equal++;
		else
		{
			tied[low].between++;
			tied[low].before = Max(tied[low].before, value);
		}
	}
	*ntied = n;
	return tied;
}

/*
 * score_cuts_final: the n - 1 cut points of scores that are fair to ties
 *
 * The i-th is the largest value whose score is at most i.  Only values at the
 * ranks of quantiles reach from one group into another, so the cut points of
 * quantile_cuts are right but for these: such a value is the cut point from
 * its own score on, and the next smaller one before.  Where there is none, as
 * all are equal, the next smaller number is: whoever comes to be worse gets 1.
 * (Nothing is below -1.7976931348623157e308; if all are that, they get 1.)
 */
PG_FUNCTION_INFO_V1(segment_score_cuts_final);
Datum
segment_score_cuts_final(PG_FUNCTION_ARGS)
{
	const QuantileState *state = (const QuantileState *) aggregate_state(fcinfo);
	int64		rank = 0;		/* of the last value looked at */
	int			ntied;
	int			cut = 0;
	double	   *cuts;
	TiedValue  *tied;

	if (state == NULL)
		PG_RETURN_NULL();
	if (state->groups == 1)
		return cuts_array(NULL, 0);
	cuts = quantile_values(state);
	tied = tied_values(state, cuts, &ntied);
	for (int i = 0; i < ntied; i++)
	{
		int64		first = rank + tied[i].between + 1;
		int64		score;

		rank = first + tied[i].equal - 1;
		score = tied_score(first, rank, state->groups, state->count);
		if (tied[i].equal == state->count)
			tied[i].before = Max(nextafter(tied[i].value, -DBL_MAX), -DBL_MAX);
		for (; cut < state->groups - 1 && cuts[cut] == tied[i].value; cut++)
		{
			CHECK_FOR_INTERRUPTS();
			if (cut + 1 < score)
				cuts[cut] = tied[i].before;
		}
	}
	return cuts_array(cuts, state->groups - 1);
}
