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

/* Decimals of a number from LEAST_VALUE on with 15 significant digits */
#define SUM_SCALE		20

/* Numbers that are summed in integers: 2^40 of them stay below 2^127. */
#define LEAST_VALUE		1e-6
#define END_OF_VALUES	1e5

typedef struct SumState
{
	int64		count;
	int			scale;			/* most decimals seen, of those in the sum */
	int128		sum;			/* at SUM_SCALE */
	Numeric		rest;			/* sum of the numbers out of range; or NULL */
} SumState;

static void
add_rest(SumState *state, Numeric value)
{
	MemoryContext old = MemoryContextSwitchTo(GetMemoryChunkContext(state));
	Numeric		sum;

	if (state->rest == NULL)
		sum = DatumGetNumericCopy(NumericGetDatum(value));
	else
	{
		sum = DatumGetNumeric(DirectFunctionCall2(numeric_add, NumericGetDatum(state->rest),
												  NumericGetDatum(value)));
		pfree(state->rest);
	}
	state->rest = sum;
	MemoryContextSwitchTo(old);
}

/* 10^n for 0 <= n <= 36 */
static inline int128
power_of_ten(int n)
{
	return (int128) decimal_power_of_ten[Min(n, 18)] * decimal_power_of_ten[Max(n - 18, 0)];
}

/*
 * A number within the range at SUM_SCALE, rounded to 15 significant digits,
 * half to even, as printf does it.
 */
static int128
decimal_of(double value)
{
	static const double end_of_scale[] = {1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1e0, 1e1, 1e2, 1e3, 1e4, 1e5};
	int			decimals = SUM_SCALE;
	int			exponent;
	int64		mantissa = (int64) ldexp(frexp(value, &exponent), 53);
	int			shift = 53 - exponent;	/* value = mantissa / 2^shift, shift >
										 * 0 */
	uint128		product;
	uint128		half = (uint128) 1 << (shift - 1);
	uint128		rest;
	uint128		result;

	while (value >= end_of_scale[SUM_SCALE - decimals])
		decimals--;
	product = (uint128) mantissa * (uint128) power_of_ten(decimals);
	result = product >> shift;
	rest = product - (result << shift);
	if (rest > half || (rest == half && (result & 1) != 0))
		result++;
	return (int128) result * power_of_ten(SUM_SCALE - decimals);
}

/* exact_avg_accum(state, value): one more number; NULL is skipped */
PG_FUNCTION_INFO_V1(segment_exact_avg_accum);
Datum
segment_exact_avg_accum(PG_FUNCTION_ARGS)
{
	SumState   *state = (SumState *) aggregate_state(fcinfo);
	double		value;

	if (aggregate_skips_row(fcinfo))
		return aggregate_unchanged(fcinfo);
	if (state == NULL)
		state = MemoryContextAllocZero(aggregate_context(fcinfo), sizeof(SumState));
	value = PG_GETARG_FLOAT8(1);
	state->count++;
	if (likely(value >= LEAST_VALUE && value < END_OF_VALUES))
	{
		int128		decimal = decimal_of(value);

		state->sum += decimal;
		while (state->scale < SUM_SCALE &&
			   decimal % power_of_ten(SUM_SCALE - state->scale) != 0)
			state->scale++;
	}
	else
		add_rest(state, DatumGetNumeric(DirectFunctionCall1(float8_numeric, Float8GetDatum(value))));
	PG_RETURN_POINTER(state);
}

/* ---------- between processes ---------- */

static void *
exact_sum_create_like(MemoryContext context, const void *other)
{
	return MemoryContextAllocZero(context, sizeof(SumState));
}

static void
exact_sum_merge(void *into, const void *from)
{
	SumState   *state = (SumState *) into;
	const SumState *other = (const SumState *) from;

	state->count += other->count;
	state->scale = Max(state->scale, other->scale);
	state->sum += other->sum;
	if (other->rest != NULL)
		add_rest(state, other->rest);
}

/* Count, scale, the sum in two halves, and the rest in its binary form. */
static void
exact_sum_send(StringInfo buf, void *state)
{
	const SumState *sum = (const SumState *) state;

	pq_sendint64(buf, sum->count);
	pq_sendbyte(buf, sum->scale);
	decimal_send(buf, sum->sum);
	if (sum->rest != NULL)
	{
		bytea	   *rest = DatumGetByteaP(DirectFunctionCall1(numeric_send,
															  NumericGetDatum(sum->rest)));

		pq_sendbytes(buf, VARDATA(rest), VARSIZE(rest) - VARHDRSZ);
	}
}

static void *
exact_sum_receive(StringInfo buf, const AggregateKind *kind)
{
	SumState   *state = palloc0(sizeof(SumState));

	state->count = pq_getmsgint64(buf);
	state->scale = pq_getmsgbyte(buf);
	state->sum = decimal_receive(buf);
	if (state->count < 1 || state->scale > SUM_SCALE)
		aggregate_invalid_state(kind);
	if (buf->cursor < buf->len)
		state->rest = DatumGetNumeric(DirectFunctionCall3(numeric_recv, PointerGetDatum(buf),
														  ObjectIdGetDatum(InvalidOid),
														  Int32GetDatum(-1)));
	return state;
}

static const AggregateKind exact_sum_kind = {
	.name = "exact_sum or exact_avg",
	.version = 1,
	.create_like = exact_sum_create_like,
	.merge = exact_sum_merge,
	.send = exact_sum_send,
	.receive = exact_sum_receive,
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

/* The sum as a numeric, with as many decimals as were seen */
static Numeric
sum_of(const SumState *state)
{
	char		digits[SUM_SCALE + 1];
	int128		whole = state->sum / power_of_ten(SUM_SCALE);
	int128		fraction = state->sum % power_of_ten(SUM_SCALE);
	StringInfoData string;
	Datum		sum;

	/* in two halves of ten digits */
	snprintf(digits, sizeof(digits), "%010lld%010lld",
			 (long long) (fraction / decimal_power_of_ten[10]),
			 (long long) (fraction % decimal_power_of_ten[10]));
	initStringInfo(&string);
	appendStringInfo(&string, INT64_FORMAT "%s%.*s", (int64) whole, state->scale > 0 ? "." : "",
					 state->scale, digits);
	sum = DirectFunctionCall3(numeric_in, CStringGetDatum(string.data),
							  ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
	if (state->rest != NULL)
		sum = DirectFunctionCall2(numeric_add, sum, NumericGetDatum(state->rest));
	return DatumGetNumeric(sum);
}

PG_FUNCTION_INFO_V1(segment_exact_sum_final);
Datum
segment_exact_sum_final(PG_FUNCTION_ARGS)
{
	const SumState *state = (const SumState *) aggregate_state(fcinfo);

	if (state == NULL)
		PG_RETURN_NULL();
	PG_RETURN_NUMERIC(sum_of(state));
}

PG_FUNCTION_INFO_V1(segment_exact_avg_final);
Datum
segment_exact_avg_final(PG_FUNCTION_ARGS)
{
	const SumState *state = (const SumState *) aggregate_state(fcinfo);

	if (state == NULL)
		PG_RETURN_NULL();
	return DirectFunctionCall1(numeric_float8,
							   DirectFunctionCall2(numeric_div, NumericGetDatum(sum_of(state)),
												   NumericGetDatum(int64_to_numeric(state->count))));
}
