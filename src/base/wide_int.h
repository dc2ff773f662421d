/*-------------------------------------------------------------------------
 *
 * wide_int.h
 *		Signed integers of 384 bits: exact sums of products and squares of
 *		128-bit integers.
 *
 * Nothing here checks for overflow: the caller knows that there is none.  A
 * coefficient of decimal.h has at most 120 bits, so that 2^40 of them, their
 * products and the square of their total (2^320) fit easily.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_WIDE_INT_H
#define SEGMENT_WIDE_INT_H

#include "lib/stringinfo.h"

#define WIDE_LIMBS		6

/* In two's complement, least significant limb first. */
typedef struct WideInt
{
	uint64		limb[WIDE_LIMBS];
} WideInt;

extern WideInt wide_scaled(const WideInt *value, uint64 factor);
extern WideInt wide_square(const WideInt *value);
extern double wide_to_float8(const WideInt *value);

extern void wide_send(StringInfo buf, const WideInt *value);
extern WideInt wide_receive(StringInfo buf);

static inline bool
wide_is_negative(const WideInt *value)
{
	return (value->limb[WIDE_LIMBS - 1] >> 63) != 0;
}

static inline bool
wide_is_positive(const WideInt *value)
{
	uint64		any = 0;

	for (int i = 0; i < WIDE_LIMBS; i++)
		any |= value->limb[i];
	return any != 0 && !wide_is_negative(value);
}

/* sum += addend */
static inline void
wide_add(WideInt *sum, const WideInt *addend)
{
	uint64		carry = 0;

	for (int i = 0; i < WIDE_LIMBS; i++)
	{
		uint128		limb = (uint128) sum->limb[i] + addend->limb[i] + carry;

		sum->limb[i] = (uint64) limb;
		carry = (uint64) (limb >> 64);
	}
}

static inline void
wide_negate(WideInt *value)
{
	uint64		carry = 1;

	for (int i = 0; i < WIDE_LIMBS; i++)
	{
		uint128		limb = (uint128) ~value->limb[i] + carry;

		value->limb[i] = (uint64) limb;
		carry = (uint64) (limb >> 64);
	}
}

/* sum += value */
static inline void
wide_add_int128(WideInt *sum, int128 value)
{
	WideInt		addend;
	uint64		sign = value < 0 ? ~UINT64CONST(0) : 0;

	addend.limb[0] = (uint64) value;
	addend.limb[1] = (uint64) (value >> 64);
	for (int i = 2; i < WIDE_LIMBS; i++)
		addend.limb[i] = sign;
	wide_add(sum, &addend);
}

/* sum += a * b */
static inline void
wide_add_product(WideInt *sum, int128 a, int128 b)
{
	uint128		x = a < 0 ? -(uint128) a : (uint128) a;
	uint128		y = b < 0 ? -(uint128) b : (uint128) b;
	uint64		x0 = (uint64) x;
	uint64		x1 = (uint64) (x >> 64);
	uint64		y0 = (uint64) y;
	uint64		y1 = (uint64) (y >> 64);
	WideInt		product = {{0}};
	uint128		low = (uint128) x0 * y0;
	uint128		middle = (uint128) x1 * y0 + (uint64) (low >> 64);
	uint128		middle2 = (uint128) x0 * y1 + (uint64) middle;
	uint128		high = (uint128) x1 * y1 + (uint64) (middle >> 64) + (uint64) (middle2 >> 64);

	product.limb[0] = (uint64) low;
	product.limb[1] = (uint64) middle2;
	product.limb[2] = (uint64) high;
	product.limb[3] = (uint64) (high >> 64);
	if ((a < 0) != (b < 0))
		wide_negate(&product);
	wide_add(sum, &product);
}

#endif							/* SEGMENT_WIDE_INT_H */
