/*-------------------------------------------------------------------------
 *
 * exact_sum.c
 *		Sum and mean of floating point numbers, the same for any order of rows.
 *
 * A sum of float8 depends on the order in which it is taken.  Here each number
 * is taken as the decimal number of 15 significant digits that it is shown as,
 * and decimal numbers are summed exactly: sum(value::numeric) and
 * avg(value::numeric)::float8, bit by bit, without going through text for every row.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include <math.h>

#include "libpq/pqformat.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/numeric.h"

#include "base/aggregate.h"
#include "base/decimal.h"
#include "statistics/exact_sum.h"

/* A number is taken with this many significant digits. */
#define DIGITS			15

/* Least and end of the numbers that are summed in integers */
#define LEAST_VALUE		1e-6
#define END_OF_SMALL	1e5
#define END_OF_VALUES	1e15

/*
 * Decimals of the two sums: small numbers have up to 20, others up to 9.  2^40
 * numbers stay below 2^127 in either.
 */
#define SMALL_SCALE		20
#define LARGE_SCALE		9

static void
add_rest(ExactSum *sum, Numeric value, MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	Numeric		rest;

	if (sum->rest == NULL)
		rest = DatumGetNumericCopy(NumericGetDatum(value));
	else
	{
		rest = DatumGetNumeric(DirectFunctionCall2(numeric_add, NumericGetDatum(sum->rest),
												   NumericGetDatum(value)));
		pfree(sum->rest);
	}
	sum->rest = rest;
	MemoryContextSwitchTo(old);
}

/* 10^n for 0 <= n <= 36 */
static inline int128
power_of_ten(int n)
{
	return (int128) decimal_power_of_ten[Min(n, 18)] * decimal_power_of_ten[Max(n - 18, 0)];
}

/*
 * The coefficient of a positive number within the range, rounded to 15
 * significant digits, half to even, as printf does it; and its decimals.
 */
static int64
decimal_of(double value, int *decimals)
{
	static const double end_of_magnitude[] = {1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1e0, 1e1, 1e2, 1e3, 1e4,
	1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
	int			exponent;
	int64		mantissa = (int64) ldexp(frexp(value, &exponent), 53);
	int			shift = 53 - exponent;	/* value = mantissa / 2^shift, shift >
										 * 0 */
	uint128		half = (uint128) 1 << (shift - 1);
	uint128		product;
	uint128		rest;
	int64		coefficient;

	*decimals = SMALL_SCALE;
	while (value >= end_of_magnitude[SMALL_SCALE - *decimals])
		(*decimals)--;
	product = (uint128) mantissa * (uint128) power_of_ten(*decimals);
	coefficient = (int64) (product >> shift);
	rest = product - ((uint128) coefficient << shift);
	if (rest > half || (rest == half && (coefficient & 1) != 0))
		coefficient++;
	return coefficient;
}

/*
 * exact_sum_add: one more number
 *
 * What does not fit into integers goes to a numeric in the memory context.
 */
void
exact_sum_add(ExactSum *sum, double value, MemoryContext context)
{
	double		size = fabs(value);
	int64		coefficient;
	int			decimals;
	int			used;

	sum->count++;
	if (value == 0)
		return;
	if (unlikely(!(size >= LEAST_VALUE && size < END_OF_VALUES)))
	{
		add_rest(sum, DatumGetNumeric(DirectFunctionCall1(float8_numeric, Float8GetDatum(value))), context);
		return;
	}
	coefficient = decimal_of(size, &decimals);
	used = decimals;
	/* zeros at the end are not shown, and do not count */
	for (int64 shown = coefficient; used > sum->scale && shown % 10 == 0; shown /= 10)
		used--;
	sum->scale = Max(sum->scale, used);
	if (value < 0)
		coefficient = -coefficient;
	if (size < END_OF_SMALL)
		sum->small += coefficient * power_of_ten(SMALL_SCALE - decimals);
	else
		sum->large += coefficient * power_of_ten(LARGE_SCALE - decimals);
}

/* exact_avg_accum(state, value): one more number; NULL is skipped */
PG_FUNCTION_INFO_V1(segment_exact_avg_accum);
Datum
segment_exact_avg_accum(PG_FUNCTION_ARGS)
{
	ExactSum   *state = (ExactSum *) aggregate_state(fcinfo);

	if (aggregate_skips_row(fcinfo))
		return aggregate_unchanged(fcinfo);
	if (state == NULL)
		state = MemoryContextAllocZero(aggregate_context(fcinfo), sizeof(ExactSum));
	exact_sum_add(state, PG_GETARG_FLOAT8(1), aggregate_context(fcinfo));
	PG_RETURN_POINTER(state);
}

/* ---------- between processes ---------- */

/* Add another sum. */
void
exact_sum_merge(ExactSum *sum, const ExactSum *other, MemoryContext context)
{
	sum->count += other->count;
	sum->scale = Max(sum->scale, other->scale);
	sum->small += other->small;
	sum->large += other->large;
	if (other->rest != NULL)
		add_rest(sum, other->rest, context);
}

/* Count, scale, the two sums, and the rest in its binary form, with its length. */
void
exact_sum_send(StringInfo buf, const ExactSum *sum)
{
	bytea	   *rest = NULL;

	pq_sendint64(buf, sum->count);
	pq_sendbyte(buf, sum->scale);
	decimal_send(buf, sum->small);
	decimal_send(buf, sum->large);
	if (sum->rest != NULL)
		rest = DatumGetByteaP(DirectFunctionCall1(numeric_send, NumericGetDatum(sum->rest)));
	pq_sendint32(buf, rest != NULL ? VARSIZE(rest) - VARHDRSZ : 0);
	if (rest != NULL)
		pq_sendbytes(buf, VARDATA(rest), VARSIZE(rest) - VARHDRSZ);
}

/* What exact_sum_send wrote; the rest is in the current memory context. */
void
exact_sum_receive(StringInfo buf, ExactSum *sum, const AggregateKind *kind)
{
	uint32		size;
	int			start;

	sum->count = pq_getmsgint64(buf);
	sum->scale = pq_getmsgbyte(buf);
	sum->small = decimal_receive(buf);
	sum->large = decimal_receive(buf);
	sum->rest = NULL;
	size = pq_getmsgint(buf, 4);
	if (sum->count < 0 || sum->scale > SMALL_SCALE || size > buf->len - buf->cursor)
		aggregate_invalid_state(kind);
	if (size == 0)
		return;
	start = buf->cursor;
	sum->rest = DatumGetNumeric(DirectFunctionCall3(numeric_recv, PointerGetDatum(buf),
													ObjectIdGetDatum(InvalidOid),
													Int32GetDatum(-1)));
	if (buf->cursor - start != size)
		aggregate_invalid_state(kind);
}

static void *
state_create_like(MemoryContext context, const void *other)
{
	return MemoryContextAllocZero(context, sizeof(ExactSum));
}

static void
state_merge(void *into, const void *from)
{
	exact_sum_merge((ExactSum *) into, (const ExactSum *) from, GetMemoryChunkContext(into));
}

static void
state_send(StringInfo buf, void *state)
{
	exact_sum_send(buf, (const ExactSum *) state);
}

static void *
state_receive(StringInfo buf, const AggregateKind *kind)
{
	ExactSum   *state = palloc0(sizeof(ExactSum));

	exact_sum_receive(buf, state, kind);
	if (state->count < 1)
		aggregate_invalid_state(kind);
	return state;
}

static const AggregateKind exact_sum_kind = {
	.name = "exact_sum or exact_avg",
	.version = 2,
	.create_like = state_create_like,
	.merge = state_merge,
	.send = state_send,
	.receive = state_receive,
};

PG_FUNCTION_INFO_V1(segment_exact_avg_combine);
Datum
segment_exact_avg_combine(PG_FUNCTION_ARGS)
{
	return aggregate_combine(fcinfo, &exact_sum_kind);
}

PG_FUNCTION_INFO_V1(segment_exact_avg_serialize);
Datum
segment_exact_avg_serialize(PG_FUNCTION_ARGS)
{
	return aggregate_serialize(fcinfo, &exact_sum_kind);
}

PG_FUNCTION_INFO_V1(segment_exact_avg_deserialize);
Datum
segment_exact_avg_deserialize(PG_FUNCTION_ARGS)
{
	return aggregate_deserialize(fcinfo, &exact_sum_kind);
}

/* ---------- results ---------- */

/* One of the two sums as a numeric with so many decimals, which are all that it needs */
static Numeric
numeric_of(int128 sum, int scale, int decimals)
{
	uint128		size = sum < 0 ? -(uint128) sum : (uint128) sum;
	uint128		whole = size / (uint128) power_of_ten(scale);
	uint128		fraction = size % (uint128) power_of_ten(scale);
	StringInfoData string;

	initStringInfo(&string);
	if (sum < 0)
		appendStringInfoChar(&string, '-');
	/* in halves of up to 18 digits */
	if (whole >= (uint128) decimal_power_of_ten[18])
		appendStringInfo(&string, UINT64_FORMAT "%018llu", (uint64) (whole / decimal_power_of_ten[18]),
						 (unsigned long long) (whole % decimal_power_of_ten[18]));
	else
		appendStringInfo(&string, UINT64_FORMAT, (uint64) whole);
	appendStringInfoChar(&string, '.');
	if (scale > 10)
		appendStringInfo(&string, "%0*llu", scale - 10, (unsigned long long) (fraction / decimal_power_of_ten[10]));
	appendStringInfo(&string, "%0*llu", Min(scale, 10), (unsigned long long) (fraction % decimal_power_of_ten[10]));
	string.len -= scale - Min(decimals, scale);
	if (decimals == 0)
		string.len--;			/* nor the point */
	string.data[string.len] = '\0';
	return DatumGetNumeric(DirectFunctionCall3(numeric_in, CStringGetDatum(string.data),
											   ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
}

/* The sum as a numeric, with as many decimals as were seen */
Numeric
exact_sum_numeric(const ExactSum *sum)
{
	Datum		result = NumericGetDatum(numeric_of(sum->small, SMALL_SCALE, sum->scale));

	if (sum->large != 0)
		result = DirectFunctionCall2(numeric_add, result,
									 NumericGetDatum(numeric_of(sum->large, LARGE_SCALE, sum->scale)));
	if (sum->rest != NULL)
		result = DirectFunctionCall2(numeric_add, result, NumericGetDatum(sum->rest));
	return DatumGetNumeric(result);
}

PG_FUNCTION_INFO_V1(segment_exact_sum_final);
Datum
segment_exact_sum_final(PG_FUNCTION_ARGS)
{
	const ExactSum *state = (const ExactSum *) aggregate_state(fcinfo);

	if (state == NULL)
		PG_RETURN_NULL();
	PG_RETURN_NUMERIC(exact_sum_numeric(state));
}

PG_FUNCTION_INFO_V1(segment_exact_avg_final);
Datum
segment_exact_avg_final(PG_FUNCTION_ARGS)
{
	const ExactSum *state = (const ExactSum *) aggregate_state(fcinfo);

	if (state == NULL)
		PG_RETURN_NULL();
	return DirectFunctionCall1(numeric_float8,
							   DirectFunctionCall2(numeric_div, NumericGetDatum(exact_sum_numeric(state)),
												   NumericGetDatum(int64_to_numeric(state->count))));
}
