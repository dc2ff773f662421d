/*-------------------------------------------------------------------------
 *
 * score.c
 *		Cut points of equal-count groups, and the score of a value by them.
 *
 * The i-th of the n - 1 cut points is the i/n quantile of the values in the
 * sense of percentile_disc: the smallest value that at least i/n of all values
 * do not exceed (Hyndman and Fan, "Sample Quantiles in Statistical Packages",
 * The American Statistician 50, 1996, definition 1).  The score is one more
 * than the number of cut points below the value.  So a value equal to a cut
 * point belongs to the group below it, equal values have equal scores, and n
 * groups of distinct values differ in size by at most one.
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
#include "utils/float.h"
#include "utils/memutils.h"

#include "base/aggregate.h"
#include "statistics/score.h"
#include "base/selection.h"

/* More groups than anybody reads; keeps the result far below 1 GB. */
#define QUANTILE_MAX_GROUPS		1000000

#define QUANTILE_STATE_VERSION	1
/* version, groups, count */
#define QUANTILE_HEADER_SIZE	(1 + 4 + 8)

/* First allocation; small, as there may be many groups. */
#define QUANTILE_MIN_CAPACITY	16

/* A loop over values checks for interrupts each time it has done so many. */
#define INTERRUPT_INTERVAL		65536

/* The values seen, in any order; all finite, zero never negative. */
typedef struct QuantileState
{
	int32		groups;			/* n */
	int64		count;
	int64		capacity;
	double	   *values;
} QuantileState;

/* ---------- quantile_cuts ---------- */

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

static void
check_same_groups(int32 first, int32 other)
{
	if (unlikely(first != other))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("number of groups must be the same for all rows"),
				 errdetail("Both %d and %d were given.",
						   Min(first, other), Max(first, other))));
}

static void
check_groups(int32 groups)
{
	if (groups < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("number of groups must be at least 1, not \"%d\"", groups)));
	if (groups > QUANTILE_MAX_GROUPS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("number of groups must be at most %d, not \"%d\"",
						QUANTILE_MAX_GROUPS, groups)));
}

static void
value_not_finite(double value)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("value must be a finite number, not \"%s\"",
					float8out_internal(value))));
}

/*
 * quantile_cuts_accum(state, value, n): one more value
 *
 * A row with a NULL value or a NULL n is skipped.  Errors: 22023 for a value
 * that is not finite, for n < 1 and for an n that differs from another row's;
 * 54000 for n > 1,000,000.
 */
PG_FUNCTION_INFO_V1(quantile_cuts_accum);
Datum
quantile_cuts_accum(PG_FUNCTION_ARGS)
{
	MemoryContext context = aggregate_context(fcinfo);
	QuantileState *state;
	double		value;
	int32		groups;

	state = PG_ARGISNULL(0) ? NULL : (QuantileState *) PG_GETARG_POINTER(0);
	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
	{
		if (state == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(state);
	}
	value = PG_GETARG_FLOAT8(1);
	groups = PG_GETARG_INT32(2);

	if (unlikely(!isfinite(value)))
		value_not_finite(value);
	if (state == NULL)
	{
		check_groups(groups);
		state = quantile_state_create(context, groups, 0);
	}
	else
		check_same_groups(state->groups, groups);

	quantile_state_reserve(state, 1);
	/* -0 equals 0: which of them is returned must not depend on row order */
	state->values[state->count++] = value == 0 ? 0 : value;
	PG_RETURN_POINTER(state);
}

PG_FUNCTION_INFO_V1(quantile_cuts_combine);
Datum
quantile_cuts_combine(PG_FUNCTION_ARGS)
{
	MemoryContext context = aggregate_context(fcinfo);
	QuantileState *state;
	QuantileState *other;

	state = PG_ARGISNULL(0) ? NULL : (QuantileState *) PG_GETARG_POINTER(0);
	other = PG_ARGISNULL(1) ? NULL : (QuantileState *) PG_GETARG_POINTER(1);
	if (other == NULL)
	{
		if (state == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(state);
	}

	/* The second state may live shorter than the aggregate: copy it. */
	if (state == NULL)
		state = quantile_state_create(context, other->groups, other->count);
	else
		check_same_groups(state->groups, other->groups);
	quantile_state_reserve(state, other->count);
	memcpy(state->values + state->count, other->values,
		   other->count * sizeof(double));
	state->count += other->count;
	PG_RETURN_POINTER(state);
}

/*
 * What passes between the processes of a parallel query: version byte,
 * number of groups, count, values; all in network byte order.
 */
PG_FUNCTION_INFO_V1(quantile_cuts_serialize);
Datum
quantile_cuts_serialize(PG_FUNCTION_ARGS)
{
	QuantileState *state = (QuantileState *) PG_GETARG_POINTER(0);
	int64		max_count;
	StringInfoData buf;

	(void) aggregate_context(fcinfo);
	max_count = (MaxAllocSize - VARHDRSZ - QUANTILE_HEADER_SIZE - 1) / sizeof(double);
	if (state->count > max_count)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many values to pass between processes: %lld",
						(long long) state->count),
				 errdetail("One process can pass on at most %lld values.",
						   (long long) max_count),
				 errhint("Set max_parallel_workers_per_gather to 0 for this query.")));

	pq_begintypsend(&buf);
	enlargeStringInfo(&buf, QUANTILE_HEADER_SIZE + state->count * sizeof(double));
	pq_writeint8(&buf, QUANTILE_STATE_VERSION);
	pq_writeint32(&buf, state->groups);
	pq_writeint64(&buf, state->count);
	for (int64 i = 0; i < state->count; i++)
	{
		uint64		bits;

		memcpy(&bits, &state->values[i], sizeof(bits));
		pq_writeint64(&buf, bits);
		if (i % INTERRUPT_INTERVAL == 0)
			CHECK_FOR_INTERRUPTS();
	}
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

PG_FUNCTION_INFO_V1(quantile_cuts_deserialize);
Datum
quantile_cuts_deserialize(PG_FUNCTION_ARGS)
{
	bytea	   *image = PG_GETARG_BYTEA_PP(0);
	StringInfoData buf;
	QuantileState *state;
	int			version;
	int32		groups;
	int64		count;

	(void) aggregate_context(fcinfo);
	buf.data = VARDATA_ANY(image);
	buf.len = buf.maxlen = VARSIZE_ANY_EXHDR(image);
	buf.cursor = 0;

	version = pq_getmsgbyte(&buf);
	groups = pq_getmsgint(&buf, 4);
	count = pq_getmsgint64(&buf);
	if (version != QUANTILE_STATE_VERSION ||
		groups < 1 || groups > QUANTILE_MAX_GROUPS ||
		count < 1 || count != (buf.len - buf.cursor) / (int) sizeof(double))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid state of aggregate function quantile_cuts")));

	state = quantile_state_create(CurrentMemoryContext, groups, count);
	for (int64 i = 0; i < count; i++)
	{
		double		value = pq_getmsgfloat8(&buf);

		if (unlikely(!isfinite(value)))
			value_not_finite(value);
		state->values[i] = value;
		if (i % INTERRUPT_INTERVAL == 0)
			CHECK_FOR_INTERRUPTS();
	}
	pq_getmsgend(&buf);
	state->count = count;
	PG_RETURN_POINTER(state);
}

/*
 * quantile_cuts_final: the n - 1 cut points, ascending
 *
 * NULL if there was no value; an empty array for n = 1.  Works on a copy of
 * the values, as the state may be used again (window frames).
 */
PG_FUNCTION_INFO_V1(quantile_cuts_final);
Datum
quantile_cuts_final(PG_FUNCTION_ARGS)
{
	QuantileState *state;
	int			ncuts;
	uint64	   *keys;
	int64	   *ranks;
	Datum	   *cuts;

	(void) aggregate_context(fcinfo);
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	state = (QuantileState *) PG_GETARG_POINTER(0);
	ncuts = state->groups - 1;
	if (ncuts == 0)
		PG_RETURN_ARRAYTYPE_P(construct_empty_array(FLOAT8OID));

	keys = (uint64 *) MemoryContextAllocHuge(CurrentMemoryContext,
											 state->count * sizeof(uint64));
	for (int64 i = 0; i < state->count; i++)
	{
		keys[i] = key_of_value(state->values[i]);
		if (i % INTERRUPT_INTERVAL == 0)
			CHECK_FOR_INTERRUPTS();
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

/* ---------- score ---------- */

/*
 * The cut points as they lie in the array: perhaps behind a short varlena
 * header, and then not aligned.
 */
typedef struct Cuts
{
	const char *data;
	int			count;
} Cuts;

static inline double
cut_at(const Cuts *cuts, int i)
{
	double		cut;

	memcpy(&cut, cuts->data + i * sizeof(double), sizeof(cut));
	return cut;
}

/*
 * Find the cut points in an array without copying it.  An array with a short
 * header has its fields where they would be behind a full one, less the
 * difference of the two headers.
 */
static void
find_cuts(struct varlena *array, Cuts *cuts)
{
	const char *body = VARDATA_ANY(array);
	int32		ndim;
	int32		dataoffset;

	memcpy(&ndim, body + offsetof(ArrayType, ndim) - VARHDRSZ, sizeof(ndim));
	memcpy(&dataoffset, body + offsetof(ArrayType, dataoffset) - VARHDRSZ,
		   sizeof(dataoffset));
	if (ndim == 0)
	{
		cuts->data = body;
		cuts->count = 0;
		return;
	}
	if (ndim != 1)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("cut points must be a one-dimensional array")));
	memcpy(&cuts->count, body + sizeof(ArrayType) - VARHDRSZ, sizeof(cuts->count));

	/* A null bitmap may be there without any NULL: its bits are 1 then. */
	if (dataoffset != 0)
	{
		const uint8 *bitmap;

		bitmap = (const uint8 *) body + sizeof(ArrayType) + 2 * sizeof(int32) - VARHDRSZ;

		for (int i = 0; i < cuts->count; i++)
		{
			if ((bitmap[i / BITS_PER_BYTE] & (1 << (i % BITS_PER_BYTE))) == 0)
				ereport(ERROR,
						(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						 errmsg("cut points must not contain NULL")));
		}
		cuts->data = body + dataoffset - VARHDRSZ;
	}
	else
		cuts->data = body + ARR_OVERHEAD_NONULLS(1) - VARHDRSZ;
}

/* Say what is wrong with cut points that are not finite and ascending. */
static void
invalid_cuts(const Cuts *cuts)
{
	for (int i = 0; i < cuts->count; i++)
	{
		double		cut = cut_at(cuts, i);

		if (!isfinite(cut))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("cut point must be a finite number, not \"%s\"",
							float8out_internal(cut))));
		if (i > 0 && cut < cut_at(cuts, i - 1))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("cut points must be in ascending order"),
					 errdetail("Cut point \"%s\" follows \"%s\".",
							   float8out_internal(cut),
							   float8out_internal(cut_at(cuts, i - 1)))));
	}
}

/*
 * score_of: the group of a value, from 1 (lowest) to one more than the number
 * of cut points
 *
 * One more than the number of cut points below the value.  This runs for
 * every customer several times: one pass counts and checks.  Errors: 22023
 * for a value or a cut point that is not finite and for cut points that
 * descend; 22004 for a NULL cut point; 2202E for more than one dimension.
 */
int
score_of(double value, struct varlena *array)
{
	Cuts		cuts;
	double		previous = -DBL_MAX;
	bool		valid = true;
	int			below = 0;

	if (unlikely(!isfinite(value)))
		value_not_finite(value);
	find_cuts(array, &cuts);

	/* NaN fails the first comparison, -infinity too; +infinity the last. */
	for (int i = 0; i < cuts.count; i++)
	{
		double		cut = cut_at(&cuts, i);

		valid &= (previous <= cut);
		below += (cut < value);
		previous = cut;
	}
	if (unlikely(!valid || previous > DBL_MAX))
		invalid_cuts(&cuts);
	return below + 1;
}

/* score(value, cuts) */
PG_FUNCTION_INFO_V1(score);
Datum
score(PG_FUNCTION_ARGS)
{
	struct varlena *array = PG_DETOAST_DATUM_PACKED(PG_GETARG_DATUM(1));
	int			result = score_of(PG_GETARG_FLOAT8(0), array);

	PG_FREE_IF_COPY(array, 1);
	PG_RETURN_INT32(result);
}
