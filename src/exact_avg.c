/*-------------------------------------------------------------------------
 *
 * exact_avg.c
 *		The mean of floating point numbers, the same for any order of rows.
 *
 * A sum of float8 depends on the order in which it is taken.  Here each number
 * is taken as the decimal number of 15 significant digits that it is shown as,
 * and decimal numbers are summed exactly: avg(value::numeric)::float8, bit by
 * bit, without going through text for every row.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "compat.h"

#include <math.h>

#include "libpq/pqformat.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

#include "decimal.h"

/* Decimals of a number in [1, 10) with DBL_DIG significant digits */
#define SUM_SCALE		14

/* Numbers that are summed in integers: 2^63 of them stay below 2^127. */
#define LEAST_VALUE		1.0
#define END_OF_VALUES	1e5

#define STATE_VERSION	1

typedef struct AvgState
{
	int64		count;
	int			scale;			/* most decimals seen, of those in the sum */
	int128		sum;			/* at SUM_SCALE */
	Numeric		rest;			/* sum of the numbers out of range; or NULL */
} AvgState;

static AvgState *
state_argument(FunctionCallInfo fcinfo, MemoryContext *context)
{
	if (!AggCheckCallContext(fcinfo, context))
		elog(ERROR, "aggregate function called in non-aggregate context");
	if (PG_ARGISNULL(0))
		return MemoryContextAllocZero(*context, sizeof(AvgState));
	return (AvgState *) PG_GETARG_POINTER(0);
}

static void
add_rest(AvgState *state, MemoryContext context, Numeric value)
{
	MemoryContext old = MemoryContextSwitchTo(context);
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

/*
 * A number within the range at SUM_SCALE, rounded to 15 significant digits,
 * half to even, as printf does it.
 */
static int128
decimal_of(double value)
{
	int			decimals = SUM_SCALE;
	int			exponent;
	int64		mantissa = (int64) ldexp(frexp(value, &exponent), 53);
	int			shift = 53 - exponent;	/* value = mantissa / 2^shift, shift > 0 */
	uint128		product;
	uint128		half = (uint128) 1 << (shift - 1);
	uint128		rest;
	uint128		result;

	while (value >= (double) decimal_power_of_ten[SUM_SCALE + 1 - decimals])
		decimals--;
	product = (uint128) mantissa * decimal_power_of_ten[decimals];
	result = product >> shift;
	rest = product - (result << shift);
	if (rest > half || (rest == half && (result & 1) != 0))
		result++;
	return (int128) result * decimal_power_of_ten[SUM_SCALE - decimals];
}

/* exact_avg_accum(state, value): one more number; NULL is skipped */
PG_FUNCTION_INFO_V1(exact_avg_accum);
Datum
exact_avg_accum(PG_FUNCTION_ARGS)
{
	MemoryContext context;
	AvgState   *state = state_argument(fcinfo, &context);
	double		value;

	if (PG_ARGISNULL(1))
		PG_RETURN_POINTER(state);
	value = PG_GETARG_FLOAT8(1);
	state->count++;
	if (likely(value >= LEAST_VALUE && value < END_OF_VALUES))
	{
		int128		decimal = decimal_of(value);

		state->sum += decimal;
		while (state->scale < SUM_SCALE &&
			   decimal % decimal_power_of_ten[SUM_SCALE - state->scale] != 0)
			state->scale++;
	}
	else
		add_rest(state, context,
				 DatumGetNumeric(DirectFunctionCall1(float8_numeric, Float8GetDatum(value))));
	PG_RETURN_POINTER(state);
}

PG_FUNCTION_INFO_V1(exact_avg_combine);
Datum
exact_avg_combine(PG_FUNCTION_ARGS)
{
	MemoryContext context;
	AvgState   *state = state_argument(fcinfo, &context);

	if (!PG_ARGISNULL(1))
	{
		AvgState   *other = (AvgState *) PG_GETARG_POINTER(1);

		state->count += other->count;
		state->scale = Max(state->scale, other->scale);
		state->sum += other->sum;
		if (other->rest != NULL)
			add_rest(state, context, other->rest);
	}
	PG_RETURN_POINTER(state);
}

/* Version, count, scale, the sum in two halves, and the rest in its binary form */
PG_FUNCTION_INFO_V1(exact_avg_serialize);
Datum
exact_avg_serialize(PG_FUNCTION_ARGS)
{
	MemoryContext context;
	AvgState   *state = state_argument(fcinfo, &context);
	StringInfoData buf;

	pq_begintypsend(&buf);
	pq_sendbyte(&buf, STATE_VERSION);
	pq_sendint64(&buf, state->count);
	pq_sendbyte(&buf, state->scale);
	pq_sendint64(&buf, (int64) (state->sum >> 64));
	pq_sendint64(&buf, (int64) (uint64) state->sum);
	if (state->rest != NULL)
	{
		bytea	   *rest = DatumGetByteaP(DirectFunctionCall1(numeric_send,
															  NumericGetDatum(state->rest)));

		pq_sendbytes(&buf, VARDATA(rest), VARSIZE(rest) - VARHDRSZ);
	}
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

PG_FUNCTION_INFO_V1(exact_avg_deserialize);
Datum
exact_avg_deserialize(PG_FUNCTION_ARGS)
{
	bytea	   *bytes = PG_GETARG_BYTEA_PP(0);
	AvgState   *state;
	StringInfoData buf;
	uint128		sum;

	if (!AggCheckCallContext(fcinfo, NULL))
		elog(ERROR, "aggregate function called in non-aggregate context");
	state = palloc0(sizeof(AvgState));
	initStringInfo(&buf);
	appendBinaryStringInfo(&buf, VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
	if (pq_getmsgbyte(&buf) != STATE_VERSION)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid state of aggregate function exact_avg")));
	state->count = pq_getmsgint64(&buf);
	state->scale = Min(pq_getmsgbyte(&buf), SUM_SCALE);
	sum = (uint128) (uint64) pq_getmsgint64(&buf) << 64;
	sum |= (uint64) pq_getmsgint64(&buf);
	state->sum = (int128) sum;
	if (buf.cursor < buf.len)
		state->rest = DatumGetNumeric(DirectFunctionCall3(numeric_recv, PointerGetDatum(&buf),
														  ObjectIdGetDatum(InvalidOid),
														  Int32GetDatum(-1)));
	PG_RETURN_POINTER(state);
}

/* The sum in integers as a numeric with as many decimals as were seen */
static Numeric
sum_of(const AvgState *state)
{
	StringInfoData text;
	int128		whole = state->sum / decimal_power_of_ten[SUM_SCALE];
	int64		fraction = (int64) (state->sum % decimal_power_of_ten[SUM_SCALE]);

	/* whole < 2^63 x 10^5: in two parts */
	initStringInfo(&text);
	appendStringInfo(&text, INT64_FORMAT "%018" INT64_MODIFIER "d",
					 (int64) (whole / decimal_power_of_ten[18]),
					 (int64) (whole % decimal_power_of_ten[18]));
	if (state->scale > 0)
		appendStringInfo(&text, ".%0*" INT64_MODIFIER "d", state->scale,
						 fraction / decimal_power_of_ten[SUM_SCALE - state->scale]);
	return DatumGetNumeric(DirectFunctionCall3(numeric_in, CStringGetDatum(text.data),
											   ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
}

/* The mean; NULL if there was no number */
PG_FUNCTION_INFO_V1(exact_avg_final);
Datum
exact_avg_final(PG_FUNCTION_ARGS)
{
	AvgState   *state;
	Numeric		sum;

	if (!AggCheckCallContext(fcinfo, NULL))
		elog(ERROR, "aggregate function called in non-aggregate context");
	state = PG_ARGISNULL(0) ? NULL : (AvgState *) PG_GETARG_POINTER(0);
	if (state == NULL || state->count == 0)
		PG_RETURN_NULL();
	sum = sum_of(state);
	if (state->rest != NULL)
		sum = DatumGetNumeric(DirectFunctionCall2(numeric_add, NumericGetDatum(sum),
												  NumericGetDatum(state->rest)));
	return DirectFunctionCall1(numeric_float8,
							   DirectFunctionCall2(numeric_div, NumericGetDatum(sum),
												   NumericGetDatum(int64_to_numeric(state->count))));
}
