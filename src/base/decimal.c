/*-------------------------------------------------------------------------
 *
 * decimal.c
 *		Exact amounts: numeric and float8 to and from 128-bit integers.
 *
 * Sums of amounts must not depend on the order of the rows, and must equal
 * sum(numeric) to the last digit; 128-bit integers do both at the price of an
 * addition.  This is the one place that knows the stored form of numeric: it
 * is fixed (pg_upgrade carries it over unchanged), and reading it directly
 * instead of through numeric's functions or text is what makes an exact sum
 * as cheap as a float8 one.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include "libpq/pqformat.h"
#include <math.h>

#include "common/int.h"
#include "utils/builtins.h"
#include "utils/float.h"

#include "base/decimal.h"

const int64 decimal_power_of_ten[19] = {
	INT64CONST(1),
	INT64CONST(10),
	INT64CONST(100),
	INT64CONST(1000),
	INT64CONST(10000),
	INT64CONST(100000),
	INT64CONST(1000000),
	INT64CONST(10000000),
	INT64CONST(100000000),
	INT64CONST(1000000000),
	INT64CONST(10000000000),
	INT64CONST(100000000000),
	INT64CONST(1000000000000),
	INT64CONST(10000000000000),
	INT64CONST(100000000000000),
	INT64CONST(1000000000000000),
	INT64CONST(10000000000000000),
	INT64CONST(100000000000000000),
	INT64CONST(1000000000000000000)
};

/* ---------- the stored form of numeric ---------- */

/*
 * After the varlena header: a 16-bit word with sign, display scale and (in
 * the short form) the weight, then in the long form 16 bits of weight, then
 * base-10000 digits, most significant first.  The value is the sum of
 * digit[i] * 10000^(weight - i).
 */
#define NUM_FORM_MASK		0xC000
#define NUM_NEGATIVE		0x4000
#define NUM_SHORT			0x8000
#define NUM_SPECIAL			0xC000
#define NUM_SPECIAL_MASK	0xF000
#define NUM_NAN				0xC000
#define NUM_PINF			0xD000
#define NUM_SHORT_NEGATIVE	0x2000
#define NUM_SHORT_SCALE(w)	(((w) & 0x1F80) >> 7)
#define NUM_SHORT_WEIGHT(w)	((int) ((w) & 0x003F) - (((w) & 0x0040) ? 64 : 0))
#define NUM_LONG_SCALE(w)	((w) & 0x3FFF)
#define NUM_BASE			10000
#define NUM_BASE_DIGITS		4

typedef struct NumericParts
{
	bool		negative;
	int			scale;			/* display scale */
	int			weight;
	int			ndigits;
	const char *digits;			/* int16 each, not aligned */
} NumericParts;

static inline int
numeric_digit(const NumericParts *num, int i)
{
	int16		digit;

	memcpy(&digit, num->digits + i * sizeof(int16), sizeof(int16));
	return digit;
}

static void
special_amount(uint16 word)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("amount must be a finite number, not \"%s\"",
					(word & NUM_SPECIAL_MASK) == NUM_NAN ? "NaN" :
					(word & NUM_SPECIAL_MASK) == NUM_PINF ? "Infinity" : "-Infinity")));
}

static void
take_numeric_apart(struct varlena *num, NumericParts *parts)
{
	const char *data = VARDATA_ANY(num);
	int			size = VARSIZE_ANY_EXHDR(num);
	uint16		word;

	memcpy(&word, data, sizeof(word));
	if ((word & NUM_FORM_MASK) == NUM_SPECIAL)
		special_amount(word);
	if ((word & NUM_FORM_MASK) == NUM_SHORT)
	{
		parts->negative = (word & NUM_SHORT_NEGATIVE) != 0;
		parts->scale = NUM_SHORT_SCALE(word);
		parts->weight = NUM_SHORT_WEIGHT(word);
		parts->digits = data + sizeof(word);
		size -= sizeof(word);
	}
	else
	{
		int16		weight;

		memcpy(&weight, data + sizeof(word), sizeof(weight));
		parts->negative = (word & NUM_FORM_MASK) == NUM_NEGATIVE;
		parts->scale = NUM_LONG_SCALE(word);
		parts->weight = weight;
		parts->digits = data + sizeof(word) + sizeof(weight);
		size -= sizeof(word) + sizeof(weight);
	}
	parts->ndigits = size / sizeof(int16);
}

static void
amount_out_of_range(Datum num)
{
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("amount is out of range: \"%s\"",
					DatumGetCString(DirectFunctionCall1(numeric_out, num))),
			 errdetail("Amounts have at most %d digits before and %d after the decimal point.",
					   DECIMAL_MAX_DIGITS, DECIMAL_MAX_SCALE)));
}

/*
 * The general case: any position of the decimal point.  Returns the
 * coefficient at the full scale of 9, or false if it does not fit exactly.
 */
static bool
coefficient_at_full_scale(const NumericParts *parts, int128 *coefficient)
{
	int128		value = 0;
	int			i;

	/* 10000^6 .. 10000^7 has 25 to 28 digits */
	if (parts->weight > 6)
		return false;

	/* Whole base-10000 digits down to 10000^-2, which is a scale of 8. */
	for (i = 0; i <= parts->weight + 2; i++)
		value = value * NUM_BASE + (i < parts->ndigits ? numeric_digit(parts, i) : 0);
	value *= 10;

	/* Of the next digit only the first decimal counts; more must be zero. */
	for (i = Max(parts->weight + 3, 0); i < parts->ndigits; i++)
	{
		int			digit = numeric_digit(parts, i);

		if (i == parts->weight + 3 && digit % 1000 == 0)
			value += digit / 1000;
		else if (digit != 0)
			return false;
	}
	*coefficient = value;
	return value <= decimal_limit(DECIMAL_MAX_SCALE);
}

/*
 * decimal_from_short_numeric: what money looks like, in 64-bit arithmetic
 *
 * Reads a numeric of at most four base-10000 digits whose coefficient is below
 * 10^18, which is nearly every amount there is.  Any other datum, also one
 * that is compressed, out of line or not finite, gives false and is left to
 * decimal_from_numeric.  The scale is as there.
 */
bool
decimal_from_short_numeric(Datum num, int64 *coefficient, int *scale)
{
	struct varlena *stored = (struct varlena *) DatumGetPointer(num);
	NumericParts parts;
	int64		value = 0;
	int			shift;
	int			i;
	uint16		word;

	if (VARATT_IS_EXTERNAL(stored) || VARATT_IS_COMPRESSED(stored))
		return false;
	memcpy(&word, VARDATA_ANY(stored), sizeof(word));
	if ((word & NUM_FORM_MASK) != NUM_SHORT)
		return false;
	parts.ndigits = (VARSIZE_ANY_EXHDR(stored) - sizeof(word)) / sizeof(int16);
	parts.digits = VARDATA_ANY(stored) + sizeof(word);
	parts.weight = NUM_SHORT_WEIGHT(word);
	parts.scale = Min(NUM_SHORT_SCALE(word), DECIMAL_MAX_SCALE);

	/* below 10^(4 weight + 4), so below 10^18 at the scale */
	shift = parts.scale + NUM_BASE_DIGITS * (parts.weight + 1);
	if (parts.ndigits > 4 || shift > 18)
		return false;
	for (i = 0; i < parts.ndigits; i++)
		value = value * NUM_BASE + numeric_digit(&parts, i);
	shift -= NUM_BASE_DIGITS * parts.ndigits;
	if (shift >= 0)
		value *= decimal_power_of_ten[shift];
	else
	{
		int64		quotient;

		if (shift < -NUM_BASE_DIGITS)
			return false;
		quotient = value / decimal_power_of_ten[-shift];
		if (quotient * decimal_power_of_ten[-shift] != value)
			return false;
		value = quotient;
	}
	*coefficient = word & NUM_SHORT_NEGATIVE ? -value : value;
	*scale = parts.scale;
	return true;
}

/*
 * decimal_try_numeric: the exact value of a numeric, if it is an amount
 *
 * Returns false for 10^27 and more and for digits beyond the ninth decimal.
 * The scale is the numeric's own display scale, but at most 9; the display
 * scale is the numeric's, up to 16383.  The datum may have a short header (it
 * is read in place), but must not be compressed or out of line.
 *
 * Error 22023 for NaN and infinities.
 */
bool
decimal_try_numeric(Datum num, int128 *coefficient, int *scale, int *display_scale)
{
	NumericParts parts;
	int64		narrow;

	if (likely(decimal_from_short_numeric(num, &narrow, scale)))
	{
		uint16		word;

		memcpy(&word, VARDATA_ANY(DatumGetPointer(num)), sizeof(word));
		*display_scale = NUM_SHORT_SCALE(word);
		*coefficient = narrow;
		return true;
	}
	take_numeric_apart((struct varlena *) DatumGetPointer(num), &parts);
	*display_scale = parts.scale;
	*scale = Min(parts.scale, DECIMAL_MAX_SCALE);
	if (!coefficient_at_full_scale(&parts, coefficient))
		return false;
	/* exact: digits beyond the display scale are zero */
	*coefficient /= decimal_power_of_ten[DECIMAL_MAX_SCALE - *scale];
	if (parts.negative)
		*coefficient = -*coefficient;
	return true;
}

/*
 * decimal_from_numeric: the exact value of a numeric
 *
 * Returns the scale, which is the numeric's own display scale, but at most 9.
 * The datum is as for decimal_try_numeric.
 *
 * Errors: 22023 for NaN and infinities, 22003 for 10^27 and more or for
 * digits beyond the ninth decimal.
 */
int
decimal_from_numeric(Datum num, int128 *coefficient)
{
	int			scale;
	int			display_scale;

	if (!decimal_try_numeric(num, coefficient, &scale, &display_scale))
		amount_out_of_range(num);
	return scale;
}

/*
 * decimal_from_float8: the amount that a float8 stands for
 *
 * As in the server's cast to numeric, 15 significant digits count, so that
 * 0.1 is a tenth; and at most 9 decimals.  From 10^15 on, the number is a
 * whole one and taken as it is.  Errors as for numeric.
 */
int
decimal_from_float8(double value, int128 *coefficient)
{
	double		magnitude = fabs(value);
	int			scale = DECIMAL_MAX_SCALE;
	int			exponent = 6;	/* magnitude < 10^exponent */

	if (unlikely(isnan(value) || isinf(value)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("amount must be a finite number, not \"%s\"",
						float8out_internal(value))));
	if (unlikely(magnitude >= 1e27))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("amount is out of range: \"%s\"", float8out_internal(value)),
				 errdetail("Amounts have at most %d digits before and %d after the decimal point.",
						   DECIMAL_MAX_DIGITS, DECIMAL_MAX_SCALE)));

	while (scale > 0 && magnitude >= (double) decimal_power_of_ten[exponent])
	{
		exponent++;
		scale--;
	}
	*coefficient = (int128) rint(value * (double) decimal_power_of_ten[scale]);

	/* Drop trailing zeros: a float8 has no display scale of its own. */
	if (*coefficient == 0)
		return 0;
	if (scale == DECIMAL_MAX_SCALE && (int64) *coefficient == *coefficient &&
		(int64) *coefficient % 10000000 == 0)
	{
		*coefficient = (int64) *coefficient / 10000000;
		scale = 2;
	}
	while (scale > 0 && *coefficient % 10 == 0)
	{
		*coefficient /= 10;
		scale--;
	}
	return scale;
}

int
decimal_from_int64(int64 value, int128 *coefficient)
{
	*coefficient = value;
	return 0;
}

/*
 * decimal_to_numeric: the numeric of an amount, with the given number of
 * decimals shown; decimals beyond those must be zero
 */
Numeric
decimal_to_numeric(int128 coefficient, int scale, int display_scale)
{
	int16		digits[16];
	int			first = lengthof(digits);	/* most significant digit used */
	int			ndigits;
	int			weight;
	bool		negative = coefficient < 0;
	uint128		magnitude = negative ? -(uint128) coefficient : (uint128) coefficient;
	uint128		whole = magnitude / decimal_power_of_ten[scale];
	int64		fraction = (int64) (magnitude % decimal_power_of_ten[scale]);
	struct varlena *result;
	uint16		word;
	int			i;

	/* Three digits hold twelve decimals, so nine fit. */
	fraction *= decimal_power_of_ten[12 - scale];
	for (i = 0; i < 3; i++)
	{
		digits[--first] = fraction % NUM_BASE;
		fraction /= NUM_BASE;
	}
	weight = -1;
	while (whole > 0)
	{
		digits[--first] = (int16) (whole % NUM_BASE);
		whole /= NUM_BASE;
		weight++;
	}

	/* Stored digits have neither leading nor trailing zeros. */
	ndigits = lengthof(digits) - first;
	while (ndigits > 0 && digits[first] == 0)
	{
		first++;
		ndigits--;
		weight--;
	}
	while (ndigits > 0 && digits[first + ndigits - 1] == 0)
		ndigits--;
	if (ndigits == 0)
	{
		negative = false;
		weight = 0;
	}

	word = NUM_SHORT | (negative ? NUM_SHORT_NEGATIVE : 0) |
		(display_scale << 7) | (weight & 0x007F);
	result = palloc(VARHDRSZ + sizeof(word) + ndigits * sizeof(int16));
	SET_VARSIZE(result, VARHDRSZ + sizeof(word) + ndigits * sizeof(int16));
	memcpy(VARDATA(result), &word, sizeof(word));
	memcpy(VARDATA(result) + sizeof(word), &digits[first], ndigits * sizeof(int16));
	return (Numeric) result;
}

/*
 * How long the text of a numeric is: exactly, or up to three zeros too long
 *
 * Any finite numeric; the datum is as for decimal_try_numeric.
 */
int
decimal_text_length(Datum num)
{
	NumericParts parts;
	int			whole;

	take_numeric_apart((struct varlena *) DatumGetPointer(num), &parts);
	whole = parts.weight < 0 ? 1 : (parts.weight + 1) * NUM_BASE_DIGITS;
	return (parts.negative ? 1 : 0) + whole + (parts.scale > 0 ? 1 + parts.scale : 0);
}

/*
 * The amount as float8, within two roundings.  By way of the full scale, so
 * that equal amounts give equal results whatever scale they are stored at.
 */
double
decimal_to_float8(int128 coefficient, int scale)
{
	return (double) decimal_rescale(coefficient, scale, DECIMAL_MAX_SCALE) /
		(double) decimal_power_of_ten[DECIMAL_MAX_SCALE];
}

/*
 * float8(numeric): the same as the server's cast, without its detour through
 * text
 *
 * Up to 2^53, digits without the decimal point are exact in a double, and so
 * are powers of ten up to 10^22; one division of the two then rounds right
 * (Clinger 1990).  Anything else goes the server's way.
 */
PG_FUNCTION_INFO_V1(segment_numeric_to_float8);
Datum
segment_numeric_to_float8(PG_FUNCTION_ARGS)
{
	Datum		num = PointerGetDatum(PG_DETOAST_DATUM_PACKED(PG_GETARG_DATUM(0)));
	uint16		word;

	memcpy(&word, VARDATA_ANY(DatumGetPointer(num)), sizeof(word));
	if ((word & NUM_FORM_MASK) != NUM_SPECIAL)
	{
		NumericParts parts;
		int			exponent;

		take_numeric_apart((struct varlena *) DatumGetPointer(num), &parts);
		exponent = NUM_BASE_DIGITS * (parts.weight - parts.ndigits + 1);
		if (parts.ndigits <= 4 && exponent >= -18 && exponent <= 0)
		{
			int64		digits = 0;
			double		result;
			int			i;

			for (i = 0; i < parts.ndigits; i++)
				digits = digits * NUM_BASE + numeric_digit(&parts, i);
			if (digits <= INT64CONST(1) << 53)
			{
				result = (double) digits / (double) decimal_power_of_ten[-exponent];
				PG_RETURN_FLOAT8(parts.negative ? -result : result);
			}
		}
	}
	return DirectFunctionCall1(numeric_float8, num);
}

/* ---------- sums ---------- */

void
decimal_sum_overflow(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("sum of amounts is out of range"),
			 errdetail("A sum of amounts has at most %d digits before the decimal point.",
					   DECIMAL_MAX_DIGITS)));
}

/* *sum += addend, both of the same sign and scale and within the limit. */
void
decimal_add(int128 *sum, int128 addend, int scale)
{
	*sum += addend;
	if (unlikely(*sum > decimal_limit(scale) || *sum < -decimal_limit(scale)))
		decimal_sum_overflow();
}

/*
 * decimal_sum_to_numeric: a sum of decimal_sum_add as a numeric
 *
 * Error 22003 if it is beyond the limit.
 */
Numeric
decimal_sum_to_numeric(int128 sum, int display_scale)
{
	if (sum > decimal_limit(DECIMAL_MAX_SCALE) || sum < -decimal_limit(DECIMAL_MAX_SCALE))
		decimal_sum_overflow();
	return decimal_to_numeric(sum, DECIMAL_MAX_SCALE, display_scale);
}

/* To a scale at least as large; within the limit, this cannot overflow. */
int128
decimal_rescale(int128 coefficient, int from_scale, int to_scale)
{
	Assert(to_scale >= from_scale);
	return coefficient * decimal_power_of_ten[to_scale - from_scale];
}

/* ---------- text ---------- */

/* Append an amount with display_scale decimals (display_scale >= scale). */
void
decimal_append(StringInfo buf, int128 coefficient, int scale, int display_scale)
{
	char		string[DECIMAL_TEXT_SIZE];
	char	   *start = string + sizeof(string);
	int128		shown = decimal_rescale(coefficient, scale, display_scale);
	uint128		rest = shown < 0 ? -(uint128) shown : (uint128) shown;
	int			ndigits = 0;

	do
	{
		if (ndigits == display_scale && display_scale > 0)
			*--start = '.';
		*--start = '0' + (int) (rest % 10);
		rest /= 10;
		ndigits++;
	} while (rest > 0 || ndigits <= display_scale);
	if (shown < 0)
		*--start = '-';
	appendBinaryStringInfo(buf, start, string + sizeof(string) - start);
}

/*
 * decimal_parse: read an unsigned amount, digits with an optional decimal
 * point and digits on both sides of it
 *
 * Moves *string behind what was read.  The scale is the number of decimals
 * written.  Returns false if there is no such amount, or if it is out of
 * range (at most 27 digits before, 9 after the point).
 */
bool
decimal_parse(const char **string, int128 *coefficient, int *scale)
{
	const char *p = *string;
	int128		value = 0;
	int			digits = 0;
	int			decimals = 0;

	while (*p >= '0' && *p <= '9')
	{
		value = value * 10 + (*p++ - '0');
		if (value > 0)
			digits++;
		if (digits > DECIMAL_MAX_DIGITS)
			return false;
	}
	if (p == *string)
		return false;
	if (*p == '.')
	{
		p++;
		while (*p >= '0' && *p <= '9')
		{
			value = value * 10 + (*p++ - '0');
			if (++decimals > DECIMAL_MAX_SCALE)
				return false;
		}
		if (decimals == 0)
			return false;
	}
	*string = p;
	*coefficient = value;
	*scale = decimals;
	return true;
}

/*
 * decimal_parse_count: read an unsigned whole number, digits only
 *
 * Moves *string behind what was read.  Returns false if there is no digit, or
 * if the number does not fit into 64 bits.
 */
bool
decimal_parse_count(const char **string, int64 *count)
{
	const char *p = *string;
	int64		value = 0;

	while (*p >= '0' && *p <= '9')
	{
		if (pg_mul_s64_overflow(value, 10, &value) ||
			pg_add_s64_overflow(value, *p - '0', &value))
			return false;
		p++;
	}
	if (p == *string)
		return false;
	*string = p;
	*count = value;
	return true;
}

/*
 * decimal_send, decimal_receive: a coefficient between processes and clients
 *
 * As 16 bytes in network byte order; the caller checks what was received.
 */
void
decimal_send(StringInfo buf, int128 coefficient)
{
	pq_sendint64(buf, (uint64) (coefficient >> 64));
	pq_sendint64(buf, (uint64) coefficient);
}

int128
decimal_receive(StringInfo buf)
{
	uint64		high = (uint64) pq_getmsgint64(buf);
	uint64		low = (uint64) pq_getmsgint64(buf);

	return (int128) ((uint128) high << 64 | low);
}
