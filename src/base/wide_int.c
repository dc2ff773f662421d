/*-------------------------------------------------------------------------
 *
 * wide_int.c
 *		Signed integers of 384 bits.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include <math.h>

#include "libpq/pqformat.h"
#include "port/pg_bitutils.h"

#include "base/wide_int.h"

/* value * factor */
WideInt
wide_scaled(const WideInt *value, uint64 factor)
{
	WideInt		result = *value;
	uint64		carry = 0;

	if (wide_is_negative(value))
		wide_negate(&result);
	for (int i = 0; i < WIDE_LIMBS; i++)
	{
		uint128		limb = (uint128) result.limb[i] * factor + carry;

		result.limb[i] = (uint64) limb;
		carry = (uint64) (limb >> 64);
	}
	if (wide_is_negative(value))
		wide_negate(&result);
	return result;
}

/* The nearest float8. */
double
wide_to_float8(const WideInt *value)
{
	WideInt		magnitude = *value;
	int			top = WIDE_LIMBS - 1;
	int			shift;
	uint64		mantissa;
	uint64		rest = 0;
	double		result;

	if (wide_is_negative(value))
		wide_negate(&magnitude);
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
	return wide_is_negative(value) ? -result : result;
}

/* value * value, for |value| < 2^191 */
WideInt
wide_square(const WideInt *value)
{
	WideInt		magnitude = *value;
	WideInt		result = {{0}};

	if (wide_is_negative(value))
		wide_negate(&magnitude);
	for (int i = 0; i < WIDE_LIMBS / 2; i++)
	{
		WideInt		product = wide_scaled(&magnitude, magnitude.limb[i]);

		memmove(&product.limb[i], &product.limb[0], (WIDE_LIMBS - i) * sizeof(uint64));
		memset(&product.limb[0], 0, i * sizeof(uint64));
		wide_add(&result, &product);
	}
	return result;
}

/* The limbs in network byte order, least significant first. */
void
wide_send(StringInfo buf, const WideInt *value)
{
	for (int i = 0; i < WIDE_LIMBS; i++)
		pq_sendint64(buf, value->limb[i]);
}

WideInt
wide_receive(StringInfo buf)
{
	WideInt		value;

	for (int i = 0; i < WIDE_LIMBS; i++)
		value.limb[i] = pq_getmsgint64(buf);
	return value;
}
