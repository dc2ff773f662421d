/*-------------------------------------------------------------------------
 *
 * concentration.c
 *		How unequally a total is spread: Gini coefficient, Lorenz curve, share
 *		of the largest, Herfindahl-Hirschman index.
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

#include <math.h>

#include "catalog/pg_type.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "utils/array.h"
#include "utils/float.h"
#include "utils/memutils.h"

#include "base/aggregate.h"
#include "base/decimal.h"

#define CONCENTRATION_STATE_VERSION	1
/* version, width, points, fraction, count */
#define CONCENTRATION_HEADER_SIZE	(1 + 1 + 4 + 8 + 8)

#define HHI_STATE_VERSION		1

/* First allocation; small, as there may be many groups. */
#define MIN_CAPACITY			16

/* Ranks, doubled, must fit well into 64 bits; far beyond any memory. */
#define MAX_COUNT				(INT64CONST(1) << 40)

/* More points of a Lorenz curve than anybody draws. */
#define LORENZ_MAX_POINTS		1000000

/* A loop over values checks for interrupts each time it has done so many. */
#define INTERRUPT_INTERVAL		65536

/* ---------- exact sums ---------- */

/*
 * A signed integer of 384 bits in two's complement, least significant limb
 * first.  A value has at most 120 bits (27 digits and 9 decimals) and there
 * are at most 2^40 of them.  The largest numbers here are sums of squares,
 * 2^280, and squares of totals, 2^320.
 */
#define EXACT_LIMBS				6

typedef struct ExactSum
{
	uint64		limb[EXACT_LIMBS];
} ExactSum;

static inline bool
exact_is_negative(const ExactSum *sum)
{
	return (sum->limb[EXACT_LIMBS - 1] >> 63) != 0;
}

static bool
exact_is_positive(const ExactSum *sum)
{
	uint64		any = 0;

	for (int i = 0; i < EXACT_LIMBS; i++)
		any |= sum->limb[i];
	return any != 0 && !exact_is_negative(sum);
}

static inline void
exact_add(ExactSum *sum, const ExactSum *addend)
{
	uint64		carry = 0;

	for (int i = 0; i < EXACT_LIMBS; i++)
	{
		uint128		limb = (uint128) sum->limb[i] + addend->limb[i] + carry;

		sum->limb[i] = (uint64) limb;
		carry = (uint64) (limb >> 64);
	}
}

static inline void
exact_negate(ExactSum *sum)
{
	uint64		carry = 1;

	for (int i = 0; i < EXACT_LIMBS; i++)
	{
		uint128		limb = (uint128) ~sum->limb[i] + carry;

		sum->limb[i] = (uint64) limb;
		carry = (uint64) (limb >> 64);
	}
}

/* sum += value */
static inline void
exact_add_value(ExactSum *sum, int128 value)
{
	ExactSum	addend;
	uint64		sign = value < 0 ? ~UINT64CONST(0) : 0;

	addend.limb[0] = (uint64) value;
	addend.limb[1] = (uint64) (value >> 64);
	for (int i = 2; i < EXACT_LIMBS; i++)
		addend.limb[i] = sign;
	exact_add(sum, &addend);
}

/* sum += a * b */
static inline void
exact_add_product(ExactSum *sum, int128 a, int128 b)
{
	uint128		x = a < 0 ? -(uint128) a : (uint128) a;
	uint128		y = b < 0 ? -(uint128) b : (uint128) b;
	uint64		x0 = (uint64) x;
	uint64		x1 = (uint64) (x >> 64);
	uint64		y0 = (uint64) y;
	uint64		y1 = (uint64) (y >> 64);
	ExactSum	product = {{0}};
	uint128		low = (uint128) x0 * y0;
	uint128		middle = (uint128) x1 * y0 + (uint64) (low >> 64);
	uint128		middle2 = (uint128) x0 * y1 + (uint64) middle;
	uint128		high = (uint128) x1 * y1 + (uint64) (middle >> 64) + (uint64) (middle2 >> 64);

	product.limb[0] = (uint64) low;
	product.limb[1] = (uint64) middle2;
	product.limb[2] = (uint64) high;
	product.limb[3] = (uint64) (high >> 64);
	if ((a < 0) != (b < 0))
		exact_negate(&product);
	exact_add(sum, &product);
}

/* sum * factor */
static ExactSum
exact_scaled(const ExactSum *sum, uint64 factor)
{
	ExactSum	result = *sum;
	uint64		carry = 0;

	if (exact_is_negative(sum))
		exact_negate(&result);
	for (int i = 0; i < EXACT_LIMBS; i++)
	{
		uint128		limb = (uint128) result.limb[i] * factor + carry;

		result.limb[i] = (uint64) limb;
		carry = (uint64) (limb >> 64);
	}
	if (exact_is_negative(sum))
		exact_negate(&result);
	return result;
}

/* The nearest float8. */
static double
exact_to_float8(const ExactSum *sum)
{
	ExactSum	magnitude = *sum;
	int			top = EXACT_LIMBS - 1;
	int			shift;
	uint64		mantissa;
	uint64		rest = 0;
	double		result;

	if (exact_is_negative(sum))
		exact_negate(&magnitude);
	while (top > 0 && magnitude.limb[top] == 0)
		top--;
	if (magnitude.limb[top] == 0)
		return 0;

	/*
	 * The 64 leading bits, the last of them also set if a lower one is: the
	 * conversion then rounds as it would have rounded the whole.
	 */
	shift = 63 - pg_leftmost_one_pos64(magnitude.limb[top]);
	mantissa = magnitude.limb[top] << shift;
	if (top > 0)
	{
		if (shift > 0)
			mantissa |= magnitude.limb[top - 1] >> (64 - shift);
		rest = magnitude.limb[top - 1] << shift;
		for (int i = 0; i < top - 1; i++)
			rest |= magnitude.limb[i];
	}
	result = ldexp((double) (mantissa | (rest != 0)), 64 * top - shift);
	return exact_is_negative(sum) ? -result : result;
}

/* ---------- the values ---------- */

/*
 * The values seen, in units of 10^-9, in any order.  They are kept in 64 bits
 * until one of them does not fit.
 */
typedef struct ConcentrationState
{
	double		fraction;		/* p of top_share, else 0 */
	int32		points;			/* n of lorenz, else 0 */
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
		wide[i] = narrow[i];
		if (i % INTERRUPT_INTERVAL == 0)
			CHECK_FOR_INTERRUPTS();
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

static ExactSum
state_total(const ConcentrationState *state)
{
	ExactSum	total = {{0}};

	for (int64 i = 0; i < state->count; i++)
	{
		exact_add_value(&total, value_at(state, i));
		if (i % INTERRUPT_INTERVAL == 0)
			CHECK_FOR_INTERRUPTS();
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

/* A numeric in units of 10^-9; errors as of decimal_from_numeric. */
static int128
value_from_numeric(Datum num)
{
	Datum		plain = PointerGetDatum(PG_DETOAST_DATUM_PACKED(num));
	int128		coefficient;
	int			scale = decimal_from_numeric(plain, &coefficient);

	return coefficient * decimal_power_of_ten[DECIMAL_MAX_SCALE - scale];
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

/* A NULL in any argument but the state: the row does not count. */
static bool
row_is_skipped(FunctionCallInfo fcinfo)
{
	for (int i = 1; i < PG_NARGS(); i++)
	{
		if (PG_ARGISNULL(i))
			return true;
	}
	return false;
}

static Datum
unchanged_state(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	PG_RETURN_DATUM(PG_GETARG_DATUM(0));
}

/* Add the value in argument 1 to the state in argument 0. */
static Datum
collect_value(FunctionCallInfo fcinfo, double fraction, int32 points)
{
	MemoryContext context = aggregate_context(fcinfo);
	int128		value = value_from_numeric(PG_GETARG_DATUM(1));
	ConcentrationState *state;

	if (PG_ARGISNULL(0))
		state = state_create(context, fraction, points, false, 0);
	else
	{
		state = (ConcentrationState *) PG_GETARG_POINTER(0);
		check_same_parameters(state, fraction, points);
	}
	state_reserve(state, 1);
	state_append(state, value);
	PG_RETURN_POINTER(state);
}

PG_FUNCTION_INFO_V1(gini_accum);
Datum
gini_accum(PG_FUNCTION_ARGS)
{
	if (row_is_skipped(fcinfo))
		return unchanged_state(fcinfo);
	return collect_value(fcinfo, 0, 0);
}

PG_FUNCTION_INFO_V1(top_share_accum);
Datum
top_share_accum(PG_FUNCTION_ARGS)
{
	double		fraction;

	if (row_is_skipped(fcinfo))
		return unchanged_state(fcinfo);
	fraction = PG_GETARG_FLOAT8(2);
	if (unlikely(!(fraction >= 0 && fraction <= 1)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("fraction must be between 0 and 1, not \"%s\"",
						float8out_internal(fraction))));
	return collect_value(fcinfo, fraction, 0);
}

PG_FUNCTION_INFO_V1(lorenz_accum);
Datum
lorenz_accum(PG_FUNCTION_ARGS)
{
	int32		points;

	if (row_is_skipped(fcinfo))
		return unchanged_state(fcinfo);
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

PG_FUNCTION_INFO_V1(concentration_combine);
Datum
concentration_combine(PG_FUNCTION_ARGS)
{
	MemoryContext context = aggregate_context(fcinfo);
	ConcentrationState *state;
	ConcentrationState *other;

	if (PG_ARGISNULL(1))
		return unchanged_state(fcinfo);
	other = (ConcentrationState *) PG_GETARG_POINTER(1);

	/* The second state may live shorter than the aggregate: copy it. */
	if (PG_ARGISNULL(0))
		state = state_create(context, other->fraction, other->points,
							 other->is_wide, other->count);
	else
	{
		state = (ConcentrationState *) PG_GETARG_POINTER(0);
		check_same_parameters(state, other->fraction, other->points);
	}
	state_reserve(state, other->count);
	for (int64 i = 0; i < other->count; i++)
	{
		state_append(state, value_at(other, i));
		if (i % INTERRUPT_INTERVAL == 0)
			CHECK_FOR_INTERRUPTS();
	}
	PG_RETURN_POINTER(state);
}

/*
 * What passes between the processes of a parallel query: version byte, width,
 * points, fraction, count, values; all in network byte order.
 */
PG_FUNCTION_INFO_V1(concentration_serialize);
Datum
concentration_serialize(PG_FUNCTION_ARGS)
{
	ConcentrationState *state = (ConcentrationState *) PG_GETARG_POINTER(0);
	size_t		size = value_size(state->is_wide);
	int64		max_count;
	StringInfoData buf;

	(void) aggregate_context(fcinfo);
	max_count = (MaxAllocSize - VARHDRSZ - CONCENTRATION_HEADER_SIZE - 1) / size;
	if (state->count > max_count)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many values to pass between processes: %lld",
						(long long) state->count),
				 errdetail("One process can pass on at most %lld values of this size.",
						   (long long) max_count),
				 errhint("Set max_parallel_workers_per_gather to 0 for this query.")));

	pq_begintypsend(&buf);
	enlargeStringInfo(&buf, CONCENTRATION_HEADER_SIZE + state->count * size);
	pq_writeint8(&buf, CONCENTRATION_STATE_VERSION);
	pq_writeint8(&buf, state->is_wide ? 1 : 0);
	pq_writeint32(&buf, state->points);
	pq_sendfloat8(&buf, state->fraction);
	pq_writeint64(&buf, state->count);
	for (int64 i = 0; i < state->count; i++)
	{
		int128		value = value_at(state, i);

		if (state->is_wide)
			pq_writeint64(&buf, (uint64) (value >> 64));
		pq_writeint64(&buf, (uint64) value);
		if (i % INTERRUPT_INTERVAL == 0)
			CHECK_FOR_INTERRUPTS();
	}
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

static void
invalid_state(const char *aggregate)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
			 errmsg("invalid state of aggregate function %s", aggregate)));
}

/* Read a serialised state in place. */
static void
begin_reading(StringInfo buf, bytea *image)
{
	buf->data = VARDATA_ANY(image);
	buf->len = buf->maxlen = VARSIZE_ANY_EXHDR(image);
	buf->cursor = 0;
}

PG_FUNCTION_INFO_V1(concentration_deserialize);
Datum
concentration_deserialize(PG_FUNCTION_ARGS)
{
	StringInfoData buf;
	ConcentrationState *state;
	int			version;
	int			is_wide;
	int32		points;
	double		fraction;
	int64		count;
	int128		limit = decimal_limit(DECIMAL_MAX_SCALE);

	(void) aggregate_context(fcinfo);
	begin_reading(&buf, PG_GETARG_BYTEA_PP(0));
	version = pq_getmsgbyte(&buf);
	is_wide = pq_getmsgbyte(&buf);
	points = pq_getmsgint(&buf, 4);
	fraction = pq_getmsgfloat8(&buf);
	count = pq_getmsgint64(&buf);
	if (version != CONCENTRATION_STATE_VERSION || is_wide > 1 ||
		points < 0 || points > LORENZ_MAX_POINTS ||
		!(fraction >= 0 && fraction <= 1) ||
		count < 1 || count != (buf.len - buf.cursor) / (int) value_size(is_wide))
		invalid_state("over concentration");

	state = state_create(CurrentMemoryContext, fraction, points, is_wide, count);
	for (int64 i = 0; i < count; i++)
	{
		int128		value = pq_getmsgint64(&buf);

		if (is_wide)
			value = value * ((int128) 1 << 64) + (uint64) pq_getmsgint64(&buf);
		if (value < -limit || value > limit)
			invalid_state("over concentration");
		state_append(state, value);
		if (i % INTERRUPT_INTERVAL == 0)
			CHECK_FOR_INTERRUPTS();
	}
	pq_getmsgend(&buf);
	PG_RETURN_POINTER(state);
}

/* ---------- results ---------- */

/*
 * gini_final: the Gini coefficient, 0 (all equal) to (N - 1)/N (one has all);
 * above that only with negative values.  NULL if the total is not positive.
 */
PG_FUNCTION_INFO_V1(gini_final);
Datum
gini_final(PG_FUNCTION_ARGS)
{
	ConcentrationState *sorted;
	ExactSum	total;
	ExactSum	numerator = {{0}};
	ExactSum	denominator;
	int64		count;

	(void) aggregate_context(fcinfo);
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	total = state_total((ConcentrationState *) PG_GETARG_POINTER(0));
	if (!exact_is_positive(&total))
		PG_RETURN_NULL();

	sorted = state_sorted((ConcentrationState *) PG_GETARG_POINTER(0));
	count = sorted->count;
	for (int64 i = 0; i < count; i++)
	{
		/* the weight 2 i - N - 1, with i from 1 */
		exact_add_product(&numerator, value_at(sorted, i), 2 * i + 1 - count);
		if (i % INTERRUPT_INTERVAL == 0)
			CHECK_FOR_INTERRUPTS();
	}
	state_free(sorted);
	denominator = exact_scaled(&total, count);
	PG_RETURN_FLOAT8(exact_to_float8(&numerator) / exact_to_float8(&denominator));
}

/* Parts of a value are counted in units of 2^-62. */
#define PART_UNITS				(INT64CONST(1) << 62)

/*
 * top_share_final: what the p N largest of the N values have of the total
 *
 * With k = floor(p N): the k largest and the fraction p N - k of the next one.
 * NULL if the total is not positive.
 */
PG_FUNCTION_INFO_V1(top_share_final);
Datum
top_share_final(PG_FUNCTION_ARGS)
{
	ConcentrationState *sorted;
	ExactSum	total;
	ExactSum	top = {{0}};
	ExactSum	numerator;
	ExactSum	denominator;
	double		wanted;
	int64		whole;

	(void) aggregate_context(fcinfo);
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	total = state_total((ConcentrationState *) PG_GETARG_POINTER(0));
	if (!exact_is_positive(&total))
		PG_RETURN_NULL();

	sorted = state_sorted((ConcentrationState *) PG_GETARG_POINTER(0));
	wanted = sorted->fraction * (double) sorted->count;
	whole = (int64) wanted;
	for (int64 i = 0; i < whole; i++)
	{
		exact_add_value(&top, value_at(sorted, sorted->count - 1 - i));
		if (i % INTERRUPT_INTERVAL == 0)
			CHECK_FOR_INTERRUPTS();
	}
	numerator = exact_scaled(&top, PART_UNITS);
	denominator = exact_scaled(&total, PART_UNITS);
	if (whole < sorted->count)
		exact_add_product(&numerator,
						  value_at(sorted, sorted->count - 1 - whole),
						  (int64) ((wanted - whole) * (double) PART_UNITS));
	state_free(sorted);
	PG_RETURN_FLOAT8(exact_to_float8(&numerator) / exact_to_float8(&denominator));
}

/*
 * lorenz_final: the Lorenz curve at i/n for i = 1..n
 *
 * What the i/n smallest values have of the total; the last element is 1, and
 * the point (0, 0) is left out.  NULL if the total is not positive.
 */
PG_FUNCTION_INFO_V1(lorenz_final);
Datum
lorenz_final(PG_FUNCTION_ARGS)
{
	ConcentrationState *sorted;
	ExactSum	total;
	ExactSum	sum = {{0}};
	ExactSum	denominator;
	int64		points;
	int64		summed = 0;
	Datum	   *shares;

	(void) aggregate_context(fcinfo);
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	total = state_total((ConcentrationState *) PG_GETARG_POINTER(0));
	if (!exact_is_positive(&total))
		PG_RETURN_NULL();

	sorted = state_sorted((ConcentrationState *) PG_GETARG_POINTER(0));
	points = sorted->points;
	denominator = exact_scaled(&total, points);
	shares = (Datum *) palloc(mul_size(points, sizeof(Datum)));
	for (int64 i = 1; i <= points; i++)
	{
		int64		whole = i * sorted->count / points;
		int64		part = i * sorted->count % points;
		ExactSum	numerator;

		for (; summed < whole; summed++)
		{
			exact_add_value(&sum, value_at(sorted, summed));
			if (summed % INTERRUPT_INTERVAL == 0)
				CHECK_FOR_INTERRUPTS();
		}
		numerator = exact_scaled(&sum, points);
		if (part > 0)
			exact_add_product(&numerator, value_at(sorted, whole), part);
		shares[i - 1] = Float8GetDatum(exact_to_float8(&numerator) /
									   exact_to_float8(&denominator));
		if (i % INTERRUPT_INTERVAL == 0)
			CHECK_FOR_INTERRUPTS();
	}
	state_free(sorted);
	PG_RETURN_ARRAYTYPE_P(construct_array(shares, points, FLOAT8OID, sizeof(float8),
										  FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

/* ---------- Herfindahl-Hirschman index ---------- */

/* Needs no order, so no values: two sums. */
typedef struct HhiState
{
	ExactSum	total;
	ExactSum	squares;
} HhiState;

/* sum * sum, for |sum| < 2^191 */
static ExactSum
exact_square(const ExactSum *sum)
{
	ExactSum	magnitude = *sum;
	ExactSum	result = {{0}};

	if (exact_is_negative(sum))
		exact_negate(&magnitude);
	for (int i = 0; i < EXACT_LIMBS / 2; i++)
	{
		ExactSum	product = exact_scaled(&magnitude, magnitude.limb[i]);

		memmove(&product.limb[i], &product.limb[0], (EXACT_LIMBS - i) * sizeof(uint64));
		memset(&product.limb[0], 0, i * sizeof(uint64));
		exact_add(&result, &product);
	}
	return result;
}

PG_FUNCTION_INFO_V1(hhi_accum);
Datum
hhi_accum(PG_FUNCTION_ARGS)
{
	MemoryContext context = aggregate_context(fcinfo);
	HhiState   *state;
	int128		value;

	if (row_is_skipped(fcinfo))
		return unchanged_state(fcinfo);
	value = value_from_numeric(PG_GETARG_DATUM(1));
	if (PG_ARGISNULL(0))
		state = (HhiState *) MemoryContextAllocZero(context, sizeof(HhiState));
	else
		state = (HhiState *) PG_GETARG_POINTER(0);
	exact_add_value(&state->total, value);
	exact_add_product(&state->squares, value, value);
	PG_RETURN_POINTER(state);
}

PG_FUNCTION_INFO_V1(hhi_combine);
Datum
hhi_combine(PG_FUNCTION_ARGS)
{
	MemoryContext context = aggregate_context(fcinfo);
	HhiState   *state;
	HhiState   *other;

	if (PG_ARGISNULL(1))
		return unchanged_state(fcinfo);
	other = (HhiState *) PG_GETARG_POINTER(1);
	if (PG_ARGISNULL(0))
		state = (HhiState *) MemoryContextAllocZero(context, sizeof(HhiState));
	else
		state = (HhiState *) PG_GETARG_POINTER(0);
	exact_add(&state->total, &other->total);
	exact_add(&state->squares, &other->squares);
	PG_RETURN_POINTER(state);
}

/* Version byte, then the limbs of total and squares in network byte order. */
PG_FUNCTION_INFO_V1(hhi_serialize);
Datum
hhi_serialize(PG_FUNCTION_ARGS)
{
	HhiState   *state = (HhiState *) PG_GETARG_POINTER(0);
	StringInfoData buf;

	(void) aggregate_context(fcinfo);
	pq_begintypsend(&buf);
	pq_sendint8(&buf, HHI_STATE_VERSION);
	for (int i = 0; i < EXACT_LIMBS; i++)
		pq_sendint64(&buf, state->total.limb[i]);
	for (int i = 0; i < EXACT_LIMBS; i++)
		pq_sendint64(&buf, state->squares.limb[i]);
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

PG_FUNCTION_INFO_V1(hhi_deserialize);
Datum
hhi_deserialize(PG_FUNCTION_ARGS)
{
	HhiState   *state = (HhiState *) palloc(sizeof(HhiState));
	StringInfoData buf;

	(void) aggregate_context(fcinfo);
	begin_reading(&buf, PG_GETARG_BYTEA_PP(0));
	if (pq_getmsgbyte(&buf) != HHI_STATE_VERSION)
		invalid_state("hhi");
	for (int i = 0; i < EXACT_LIMBS; i++)
		state->total.limb[i] = pq_getmsgint64(&buf);
	for (int i = 0; i < EXACT_LIMBS; i++)
		state->squares.limb[i] = pq_getmsgint64(&buf);
	pq_getmsgend(&buf);
	PG_RETURN_POINTER(state);
}

/*
 * hhi_final: the sum of the squared shares, 1/N (all equal) to 1 (one has
 * all); above 1 only with negative values.  NULL if the total is not positive.
 */
PG_FUNCTION_INFO_V1(hhi_final);
Datum
hhi_final(PG_FUNCTION_ARGS)
{
	HhiState   *state;
	ExactSum	denominator;

	(void) aggregate_context(fcinfo);
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	state = (HhiState *) PG_GETARG_POINTER(0);
	if (!exact_is_positive(&state->total))
		PG_RETURN_NULL();
	denominator = exact_square(&state->total);
	PG_RETURN_FLOAT8(exact_to_float8(&state->squares) / exact_to_float8(&denominator));
}
