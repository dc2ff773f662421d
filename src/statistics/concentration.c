/*-------------------------------------------------------------------------
 *
 * concentration.c
 *		How unequally a total is spread: Gini coefficient, Lorenz curve, share
 *		and sums of the largest, Herfindahl-Hirschman index.
 *
 * With the values ascending, x_1 <= ... <= x_N, and their total T > 0:
 *
 *		Gini	sum over i of (2 i - N - 1) x_i  /  (N T)
 *		Lorenz	L(q) = (sum of the q N smallest) / T
 *		top		1 - L(1 - p), the share of the p N largest
 *		HHI		sum of (x_i / T)^2
 *
 * A fraction of a value counts as that fraction of it: the Lorenz curve is
 * the broken line through its N + 1 corners (M. O. Lorenz, "Methods of
 * Measuring the Concentration of Wealth", Publications of the American
 * Statistical Association 9, 1905).  The Gini coefficient is half the relative
 * mean absolute difference, without the small-sample factor N / (N - 1)
 * (C. Gini, "Variabilita e mutabilita", 1912).
 *
 * Values may be negative.  The formulas then hold as they stand: the Lorenz
 * curve first falls below zero, the share of the top can exceed 1, and so can
 * the Gini coefficient.  There are no shares of a total that is zero or
 * negative: the result is NULL.
 *
 * All sums are exact.  Only their quotient is rounded to float8, so that the
 * result has the same bits whatever the order of rows and number of workers.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include "catalog/pg_type.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/float.h"
#include "utils/memutils.h"

#include "base/aggregate.h"
#include "base/decimal.h"
#include "base/wide_int.h"

/* First allocation; small, as there may be many groups. */
#define MIN_CAPACITY			16

/* Ranks, doubled, must fit well into 64 bits; far beyond any memory. */
#define MAX_COUNT				(INT64CONST(1) << 40)

/* More points of a Lorenz curve than anybody draws. */
#define LORENZ_MAX_POINTS		1000000

/* ---------- the values ---------- */

/*
 * The values seen, in units of 10^-9, in any order.  They are kept in 64 bits
 * until one of them does not fit.
 */
typedef struct ConcentrationState
{
	double		fraction;		/* p of top_share, else 0 */
	int32		points;			/* n of lorenz and top_sums, else 0 */
	int			display_scale;	/* most decimals of a value */
	bool		is_wide;
	int64		count;
	int64		capacity;
	void	   *values;			/* int64, or int128 if wide */
} ConcentrationState;

static inline size_t
value_size(bool is_wide)
{
	return is_wide ? sizeof(int128) : sizeof(int64);
}

static inline int128
value_at(const ConcentrationState *state, int64 i)
{
	return state->is_wide ? ((const int128 *) state->values)[i] :
		((const int64 *) state->values)[i];
}

static ConcentrationState *
state_create(MemoryContext context, double fraction, int32 points,
			 bool is_wide, int64 capacity)
{
	ConcentrationState *state;

	state = (ConcentrationState *) MemoryContextAlloc(context, sizeof(ConcentrationState));
	state->fraction = fraction;
	state->points = points;
	state->display_scale = 0;
	state->is_wide = is_wide;
	state->count = 0;
	state->capacity = Max(capacity, MIN_CAPACITY);
	state->values = MemoryContextAllocHuge(context,
										   state->capacity * value_size(is_wide));
	return state;
}

/* Make room for more values; the array stays in its memory context. */
static void
state_reserve(ConcentrationState *state, int64 more)
{
	int64		needed = state->count + more;

	if (likely(needed <= state->capacity))
		return;
	if (needed > MAX_COUNT)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many values: at most %lld are possible",
						(long long) MAX_COUNT)));
	state->capacity = Max(needed, state->capacity * 2);
	state->values = repalloc_huge(state->values,
								  state->capacity * value_size(state->is_wide));
}

/* From 64 to 128 bits a value. */
static void
state_widen(ConcentrationState *state)
{
	int64	   *narrow = (int64 *) state->values;
	int128	   *wide;

	wide = (int128 *) MemoryContextAllocHuge(GetMemoryChunkContext(state),
											 state->capacity * sizeof(int128));
	for (int64 i = 0; i < state->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		wide[i] = narrow[i];
	}
	pfree(narrow);
	state->values = wide;
	state->is_wide = true;
}

/* One more value; there must be room. */
static inline void
state_append(ConcentrationState *state, int128 value)
{
	if (!state->is_wide && unlikely(value != (int64) value))
		state_widen(state);
	if (state->is_wide)
		((int128 *) state->values)[state->count++] = value;
	else
		((int64 *) state->values)[state->count++] = (int64) value;
}

static WideInt
state_total(const ConcentrationState *state)
{
	WideInt		total = {{0}};

	for (int64 i = 0; i < state->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		wide_add_int128(&total, value_at(state, i));
	}
	return total;
}

#define ST_SORT sort_narrow
#define ST_ELEMENT_TYPE int64
#define ST_COMPARE(a, b) ((*(a) > *(b)) - (*(a) < *(b)))
#define ST_SCOPE static
#define ST_CHECK_FOR_INTERRUPTS
#define ST_DEFINE
#include "lib/sort_template.h"

#define ST_SORT sort_wide
#define ST_ELEMENT_TYPE int128
#define ST_COMPARE(a, b) ((*(a) > *(b)) - (*(a) < *(b)))
#define ST_SCOPE static
#define ST_CHECK_FOR_INTERRUPTS
#define ST_DEFINE
#include "lib/sort_template.h"

/*
 * The same values in ascending order.  A copy, as the state may be used again
 * (window frames).
 */
static ConcentrationState *
state_sorted(const ConcentrationState *state)
{
	ConcentrationState *sorted;

	sorted = state_create(CurrentMemoryContext, state->fraction, state->points,
						  state->is_wide, state->count);
	memcpy(sorted->values, state->values, state->count * value_size(state->is_wide));
	sorted->count = state->count;
	if (sorted->is_wide)
		sort_wide((int128 *) sorted->values, sorted->count);
	else
		sort_narrow((int64 *) sorted->values, sorted->count);
	return sorted;
}

static void
state_free(ConcentrationState *state)
{
	pfree(state->values);
	pfree(state);
}

/* ---------- collecting the values ---------- */

/* A numeric in units of 10^-9, and its decimals; errors as of decimal_from_numeric. */
static int128
value_from_numeric(Datum num, int *scale)
{
	Datum		plain = PointerGetDatum(PG_DETOAST_DATUM_PACKED(num));
	int128		coefficient;

	*scale = decimal_from_numeric(plain, &coefficient);
	return coefficient * decimal_power_of_ten[DECIMAL_MAX_SCALE - *scale];
}

static void
check_same_parameters(const ConcentrationState *state, double fraction, int32 points)
{
	if (unlikely(state->fraction != fraction))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("fraction must be the same for all rows"),
				 errdetail("Both %s and %s were given.",
						   float8out_internal(Min(state->fraction, fraction)),
						   float8out_internal(Max(state->fraction, fraction)))));
	if (unlikely(state->points != points))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("number of points must be the same for all rows"),
				 errdetail("Both %d and %d were given.",
						   Min(state->points, points),
						   Max(state->points, points))));
}

/* Add the value in argument 1 to the state in argument 0. */
static Datum
collect_value(FunctionCallInfo fcinfo, double fraction, int32 points)
{
	ConcentrationState *state = (ConcentrationState *) aggregate_state(fcinfo);
	int			scale;
	int128		value = value_from_numeric(PG_GETARG_DATUM(1), &scale);

	if (state == NULL)
		state = state_create(aggregate_context(fcinfo), fraction, points, false, 0);
	else
		check_same_parameters(state, fraction, points);
	state->display_scale = Max(state->display_scale, scale);
	state_reserve(state, 1);
	state_append(state, value);
	PG_RETURN_POINTER(state);
}

PG_FUNCTION_INFO_V1(segment_gini_accum);
Datum
segment_gini_accum(PG_FUNCTION_ARGS)
{
	if (aggregate_skips_row(fcinfo))
		return aggregate_unchanged(fcinfo);
	return collect_value(fcinfo, 0, 0);
}

PG_FUNCTION_INFO_V1(segment_top_share_accum);
Datum
segment_top_share_accum(PG_FUNCTION_ARGS)
{
	double		fraction;

	if (aggregate_skips_row(fcinfo))
		return aggregate_unchanged(fcinfo);
	fraction = PG_GETARG_FLOAT8(2);
	if (unlikely(!(fraction >= 0 && fraction <= 1)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("fraction must be between 0 and 1, not \"%s\"",
						float8out_internal(fraction))));
	return collect_value(fcinfo, fraction, 0);
}

PG_FUNCTION_INFO_V1(segment_lorenz_accum);
Datum
segment_lorenz_accum(PG_FUNCTION_ARGS)
{
	int32		points;

	if (aggregate_skips_row(fcinfo))
		return aggregate_unchanged(fcinfo);
	points = PG_GETARG_INT32(2);
	if (unlikely(points < 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("number of points must be at least 1, not \"%d\"", points)));
	if (unlikely(points > LORENZ_MAX_POINTS))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("number of points must be at most %d, not \"%d\"",
						LORENZ_MAX_POINTS, points)));
	return collect_value(fcinfo, 0, points);
}

/* ---------- between processes ---------- */

static void *
concentration_create_like(MemoryContext context, const void *other)
{
	const ConcentrationState *state = (const ConcentrationState *) other;

	return state_create(context, state->fraction, state->points, state->is_wide, state->count);
}

static void
concentration_merge(void *into, const void *from)
{
	ConcentrationState *state = (ConcentrationState *) into;
	const ConcentrationState *other = (const ConcentrationState *) from;

	check_same_parameters(state, other->fraction, other->points);
	state->display_scale = Max(state->display_scale, other->display_scale);
	state_reserve(state, other->count);
	for (int64 i = 0; i < other->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		state_append(state, value_at(other, i));
	}
}

/* Width, decimals, points, fraction, count, values. */
static void
concentration_send(StringInfo buf, void *state)
{
	const ConcentrationState *values = (const ConcentrationState *) state;

	pq_sendbyte(buf, values->is_wide);
	pq_sendbyte(buf, values->display_scale);
	pq_sendint32(buf, values->points);
	pq_sendfloat8(buf, values->fraction);
	pq_sendint64(buf, values->count);
	aggregate_reserve(buf, values->count, value_size(values->is_wide));
	for (int64 i = 0; i < values->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (values->is_wide)
			decimal_send(buf, value_at(values, i));
		else
			pq_sendint64(buf, (int64) value_at(values, i));
	}
}

static void *
concentration_receive(StringInfo buf, const AggregateKind *kind)
{
	int			is_wide = pq_getmsgbyte(buf);
	int			display_scale = pq_getmsgbyte(buf);
	int32		points = pq_getmsgint(buf, 4);
	double		fraction = pq_getmsgfloat8(buf);
	int64		count = pq_getmsgint64(buf);
	int128		limit = decimal_limit(DECIMAL_MAX_SCALE);
	ConcentrationState *state;

	if (is_wide > 1 || display_scale > DECIMAL_MAX_SCALE || points < 0 || points > LORENZ_MAX_POINTS ||
		!(fraction >= 0 && fraction <= 1) ||
		count < 1 || count != (buf->len - buf->cursor) / (int) value_size(is_wide))
		aggregate_invalid_state(kind);
	state = state_create(CurrentMemoryContext, fraction, points, is_wide, count);
	state->display_scale = display_scale;
	for (int64 i = 0; i < count; i++)
	{
		int128		value = is_wide ? decimal_receive(buf) : pq_getmsgint64(buf);

		CHECK_FOR_INTERRUPTS();
		if (value < -limit || value > limit)
			aggregate_invalid_state(kind);
		state_append(state, value);
	}
	return state;
}

static const AggregateKind concentration_kind = {
	.name = "gini, top_share, top_sums or lorenz",
	.version = 2,
	.create_like = concentration_create_like,
	.merge = concentration_merge,
	.send = concentration_send,
	.receive = concentration_receive,
};

PG_FUNCTION_INFO_V1(segment_concentration_combine);
Datum
segment_concentration_combine(PG_FUNCTION_ARGS)
{
	return aggregate_combine(fcinfo, &concentration_kind);
}

PG_FUNCTION_INFO_V1(segment_concentration_serialize);
Datum
segment_concentration_serialize(PG_FUNCTION_ARGS)
{
	return aggregate_serialize(fcinfo, &concentration_kind);
}

PG_FUNCTION_INFO_V1(segment_concentration_deserialize);
Datum
segment_concentration_deserialize(PG_FUNCTION_ARGS)
{
	return aggregate_deserialize(fcinfo, &concentration_kind);
}

/* ---------- results ---------- */

/*
 * The values of a final function's state in ascending order, and their total;
 * NULL if there are none or the total is not positive
 */
static ConcentrationState *
sorted_values(FunctionCallInfo fcinfo, WideInt *total)
{
	const ConcentrationState *state = (const ConcentrationState *) aggregate_state(fcinfo);

	if (state == NULL)
		return NULL;
	*total = state_total(state);
	return wide_is_positive(total) ? state_sorted(state) : NULL;
}

/*
 * gini_final: the Gini coefficient, 0 (all equal) to (N - 1)/N (one has all);
 * above that only with negative values.  NULL if the total is not positive.
 */
PG_FUNCTION_INFO_V1(segment_gini_final);
Datum
segment_gini_final(PG_FUNCTION_ARGS)
{
	ConcentrationState *sorted;
	WideInt		total;
	WideInt		numerator = {{0}};
	WideInt		denominator;
	int64		count;

	sorted = sorted_values(fcinfo, &total);
	if (sorted == NULL)
		PG_RETURN_NULL();
	count = sorted->count;
	for (int64 i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		/* the weight 2 i - N - 1, with i from 1 */
		wide_add_product(&numerator, value_at(sorted, i), 2 * i + 1 - count);
	}
	state_free(sorted);
	denominator = wide_scaled(&total, count);
	PG_RETURN_FLOAT8(wide_to_float8(&numerator) / wide_to_float8(&denominator));
}

/* Parts of a value are counted in units of 2^-62. */
#define PART_UNITS				(INT64CONST(1) << 62)

/*
 * top_share_final: what the p N largest of the N values have of the total
 *
 * With k = floor(p N): the k largest and the fraction p N - k of the next one.
 * NULL if the total is not positive.
 */
PG_FUNCTION_INFO_V1(segment_top_share_final);
Datum
segment_top_share_final(PG_FUNCTION_ARGS)
{
	ConcentrationState *sorted;
	WideInt		total;
	WideInt		top = {{0}};
	WideInt		numerator;
	WideInt		denominator;
	double		wanted;
	int64		whole;

	sorted = sorted_values(fcinfo, &total);
	if (sorted == NULL)
		PG_RETURN_NULL();
	wanted = sorted->fraction * (double) sorted->count;
	whole = (int64) wanted;
	for (int64 i = 0; i < whole; i++)
	{
		CHECK_FOR_INTERRUPTS();
		wide_add_int128(&top, value_at(sorted, sorted->count - 1 - i));
	}
	numerator = wide_scaled(&top, PART_UNITS);
	denominator = wide_scaled(&total, PART_UNITS);
	if (whole < sorted->count)
		wide_add_product(&numerator,
						 value_at(sorted, sorted->count - 1 - whole),
						 (int64) ((wanted - whole) * (double) PART_UNITS));
	state_free(sorted);
	PG_RETURN_FLOAT8(wide_to_float8(&numerator) / wide_to_float8(&denominator));
}

/*
 * lorenz_final: the Lorenz curve at i/n for i = 1..n
 *
 * What the i/n smallest values have of the total; the last element is 1, and
 * the point (0, 0) is left out.  NULL if the total is not positive.
 */
PG_FUNCTION_INFO_V1(segment_lorenz_final);
Datum
segment_lorenz_final(PG_FUNCTION_ARGS)
{
	ConcentrationState *sorted;
	WideInt		total;
	WideInt		sum = {{0}};
	WideInt		denominator;
	int64		points;
	int64		summed = 0;
	Datum	   *shares;

	sorted = sorted_values(fcinfo, &total);
	if (sorted == NULL)
		PG_RETURN_NULL();
	points = sorted->points;
	denominator = wide_scaled(&total, points);
	shares = (Datum *) palloc(mul_size(points, sizeof(Datum)));
	for (int64 i = 1; i <= points; i++)
	{
		int64		whole = i * sorted->count / points;
		int64		part = i * sorted->count % points;
		WideInt		numerator;

		CHECK_FOR_INTERRUPTS();
		for (; summed < whole; summed++)
		{
			CHECK_FOR_INTERRUPTS();
			wide_add_int128(&sum, value_at(sorted, summed));
		}
		numerator = wide_scaled(&sum, points);
		if (part > 0)
			wide_add_product(&numerator, value_at(sorted, whole), part);
		shares[i - 1] = Float8GetDatum(wide_to_float8(&numerator) /
									   wide_to_float8(&denominator));
	}
	state_free(sorted);
	PG_RETURN_ARRAYTYPE_P(construct_array(shares, points, FLOAT8OID, sizeof(float8),
										  FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

/*
 * top_sums_final: the sums of the i/n largest values for i = 1..n, their
 * number rounded up
 *
 * The last element is the total.  NULL if there are no values.
 */
PG_FUNCTION_INFO_V1(segment_top_sums_final);
Datum
segment_top_sums_final(PG_FUNCTION_ARGS)
{
	const ConcentrationState *state = (const ConcentrationState *) aggregate_state(fcinfo);
	ConcentrationState *sorted;
	int128		sum = 0;
	int64		points;
	int64		summed = 0;
	Datum	   *sums;

	if (state == NULL)
		PG_RETURN_NULL();
	sorted = state_sorted(state);
	points = sorted->points;
	sums = (Datum *) palloc(mul_size(points, sizeof(Datum)));
	for (int64 i = 1; i <= points; i++)
	{
		int64		wanted = (i * sorted->count + points - 1) / points;

		CHECK_FOR_INTERRUPTS();
		for (; summed < wanted; summed++)
		{
			CHECK_FOR_INTERRUPTS();
			decimal_sum_add(&sum, value_at(sorted, sorted->count - 1 - summed));
		}
		sums[i - 1] = NumericGetDatum(decimal_sum_to_numeric(sum, state->display_scale));
	}
	state_free(sorted);
	PG_RETURN_ARRAYTYPE_P(construct_array(sums, points, NUMERICOID, -1, false, TYPALIGN_INT));
}

/* ---------- Herfindahl-Hirschman index ---------- */

/* Needs no order, so no values: two sums. */
typedef struct HhiState
{
	WideInt		total;
	WideInt		squares;
} HhiState;

PG_FUNCTION_INFO_V1(segment_hhi_accum);
Datum
segment_hhi_accum(PG_FUNCTION_ARGS)
{
	HhiState   *state = (HhiState *) aggregate_state(fcinfo);
	int128		value;
	int			scale;

	if (aggregate_skips_row(fcinfo))
		return aggregate_unchanged(fcinfo);
	value = value_from_numeric(PG_GETARG_DATUM(1), &scale);
	if (state == NULL)
		state = MemoryContextAllocZero(aggregate_context(fcinfo), sizeof(HhiState));
	wide_add_int128(&state->total, value);
	wide_add_product(&state->squares, value, value);
	PG_RETURN_POINTER(state);
}

static void *
hhi_create_like(MemoryContext context, const void *other)
{
	return MemoryContextAllocZero(context, sizeof(HhiState));
}

static void
hhi_merge(void *into, const void *from)
{
	HhiState   *state = (HhiState *) into;
	const HhiState *other = (const HhiState *) from;

	wide_add(&state->total, &other->total);
	wide_add(&state->squares, &other->squares);
}

static void
hhi_send(StringInfo buf, void *state)
{
	wide_send(buf, &((HhiState *) state)->total);
	wide_send(buf, &((HhiState *) state)->squares);
}

static void *
hhi_receive(StringInfo buf, const AggregateKind *kind)
{
	HhiState   *state = (HhiState *) palloc(sizeof(HhiState));

	state->total = wide_receive(buf);
	state->squares = wide_receive(buf);
	return state;
}

static const AggregateKind hhi_kind = {
	.name = "hhi",
	.version = 1,
	.create_like = hhi_create_like,
	.merge = hhi_merge,
	.send = hhi_send,
	.receive = hhi_receive,
};

PG_FUNCTION_INFO_V1(segment_hhi_combine);
Datum
segment_hhi_combine(PG_FUNCTION_ARGS)
{
	return aggregate_combine(fcinfo, &hhi_kind);
}

PG_FUNCTION_INFO_V1(segment_hhi_serialize);
Datum
segment_hhi_serialize(PG_FUNCTION_ARGS)
{
	return aggregate_serialize(fcinfo, &hhi_kind);
}

PG_FUNCTION_INFO_V1(segment_hhi_deserialize);
Datum
segment_hhi_deserialize(PG_FUNCTION_ARGS)
{
	return aggregate_deserialize(fcinfo, &hhi_kind);
}

/*
 * hhi_final: the sum of the squared shares, 1/N (all equal) to 1 (one has
 * all); above 1 only with negative values.  NULL if the total is not positive.
 */
PG_FUNCTION_INFO_V1(segment_hhi_final);
Datum
segment_hhi_final(PG_FUNCTION_ARGS)
{
	const HhiState *state = (const HhiState *) aggregate_state(fcinfo);
	WideInt		denominator;

	if (state == NULL || !wide_is_positive(&state->total))
		PG_RETURN_NULL();
	denominator = wide_square(&state->total);
	PG_RETURN_FLOAT8(wide_to_float8(&state->squares) / wide_to_float8(&denominator));
}
