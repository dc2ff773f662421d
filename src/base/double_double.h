/*-------------------------------------------------------------------------
 *
 * double_double.h
 *		Floating point numbers of twice the usual precision.
 *
 * A number is the unevaluated sum of two doubles, the second at most half a
 * unit in the last place of the first: 106 bits, about 32 digits.  The
 * algorithms are those of T. J. Dekker, "A floating-point technique for extending
 * the available precision", Numerische Mathematik 18, 1971; they need arithmetic
 * that rounds every operation (no fused multiply-add, which the Makefile sees
 * to).  Operands are far from the ends of the range: the callers scale them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_DOUBLE_DOUBLE_H
#define SEGMENT_DOUBLE_DOUBLE_H

typedef struct DoubleDouble
{
	double		high;
	double		low;
} DoubleDouble;

/* high + low where |high| >= |low| or high is 0 */
static inline DoubleDouble
dd_normalize(double high, double low)
{
	DoubleDouble sum;

	sum.high = high + low;
	sum.low = low - (sum.high - high);
	return sum;
}

/* a + b, exactly */
static inline DoubleDouble
dd_two_sum(double a, double b)
{
	DoubleDouble sum;
	double		part;

	sum.high = a + b;
	part = sum.high - a;
	sum.low = (a - (sum.high - part)) + (b - part);
	return sum;
}

/* a * b, exactly */
static inline DoubleDouble
dd_two_product(double a, double b)
{
	const double splitter = 134217729.0;	/* 2^27 + 1 */
	double		scaled_a = splitter * a;
	double		scaled_b = splitter * b;
	double		high_a = scaled_a - (scaled_a - a);
	double		high_b = scaled_b - (scaled_b - b);
	double		low_a = a - high_a;
	double		low_b = b - high_b;
	DoubleDouble product;

	product.high = a * b;
	product.low = ((high_a * high_b - product.high) + high_a * low_b + low_a * high_b) + low_a * low_b;
	return product;
}

static inline DoubleDouble
dd_add(DoubleDouble a, DoubleDouble b)
{
	DoubleDouble high = dd_two_sum(a.high, b.high);
	DoubleDouble low = dd_two_sum(a.low, b.low);

	high = dd_normalize(high.high, high.low + low.high);
	return dd_normalize(high.high, high.low + low.low);
}

static inline DoubleDouble
dd_subtract(DoubleDouble a, DoubleDouble b)
{
	DoubleDouble negative = {-b.high, -b.low};

	return dd_add(a, negative);
}

static inline DoubleDouble
dd_multiply(DoubleDouble a, DoubleDouble b)
{
	DoubleDouble product = dd_two_product(a.high, b.high);

	return dd_normalize(product.high, product.low + (a.high * b.low + a.low * b.high));
}

static inline DoubleDouble
dd_multiply_double(DoubleDouble a, double b)
{
	DoubleDouble product = dd_two_product(a.high, b);

	return dd_normalize(product.high, product.low + a.low * b);
}

static inline DoubleDouble
dd_divide_double(DoubleDouble a, double b)
{
	double		first = a.high / b;
	DoubleDouble rest = dd_subtract(a, dd_two_product(first, b));

	return dd_normalize(first, rest.high / b);
}

static inline bool
dd_less(DoubleDouble a, DoubleDouble b)
{
	return a.high < b.high || (a.high == b.high && a.low < b.low);
}

#endif							/* SEGMENT_DOUBLE_DOUBLE_H */
