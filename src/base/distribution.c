/*-------------------------------------------------------------------------
 *
 * distribution.c
 *		The normal distribution and Student's t, for tests and intervals.
 *
 * Both are symmetrical, and seen from both sides: the probability beyond t is
 * that of a value farther from 0 than t, and the limit of a level is the t
 * with the probability 1 - level beyond it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include <float.h>
#include <math.h>

#include "base/distribution.h"
#include "base/special.h"

/* Enough for degrees of freedom of 1e10, and far more than for usual ones */
#define MAX_TERMS		1000000

/* Newton's method doubles the digits each time; the rest is for its bracket. */
#define MAX_STEPS		200

/* distribution_normal_beyond: P(|Z| > |z|) */
double
distribution_normal_beyond(double z)
{
	return erfc(fabs(z) * M_SQRT1_2);
}

/*
 * The continued fraction of the incomplete beta function, for x < (a + 1) / (a +
 * b + 2) (Abramowitz and Stegun 26.5.8; by the method of W. J. Lentz, Applied
 * Optics 15, 1976).
 */
static double
beta_fraction(double a, double b, double x)
{
	double		c = 1;
	double		d = 1 / (1 - (a + b) * x / (a + 1));
	double		fraction = d;

	for (int m = 1; m <= MAX_TERMS; m++)
	{
		double		even = m * (b - m) * x / ((a + 2.0 * m - 1) * (a + 2.0 * m));
		double		odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1));
		double		factor;

		d = 1 / (1 + even * d);
		c = 1 + even / c;
		fraction *= c * d;
		d = 1 / (1 + odd * d);
		c = 1 + odd / c;
		factor = c * d;
		fraction *= factor;
		if (fabs(factor - 1) < DBL_EPSILON)
			break;
	}
	return fraction;
}

/*
 * distribution_student_beyond: P(|T| > |t|) with df > 0 degrees of freedom
 *
 * The incomplete beta function of df / (df + t^2) with the parameters df / 2 and
 * 1/2 (Abramowitz and Stegun 26.7.1).
 */
double
distribution_student_beyond(double t, double df)
{
	double		a = df / 2;
	double		ratio = (t / df) * t;	/* (1 - x) / x */
	double		x = 1 / (1 + ratio);
	double		rest = ratio * x;
	double		factor;

	if (!(ratio > 0))
		return 1;
	if (isinf(ratio))
		return 0;
	/* x^a (1 - x)^(1/2) / B(a, 1/2) */
	factor = exp(special_log_gamma_ratio(a, 0.5) - a * log1p(ratio)) * sqrt(rest / M_PI);
	if (x < (a + 1) / (a + 2.5))
		return Min(1, factor / a * beta_fraction(a, 0.5, x));
	return Max(0, 1 - factor * 2 * beta_fraction(0.5, a, rest));
}

/* The density of T at t, doubled: how fast the probability beyond t falls */
static double
student_density(double t, double df)
{
	return 2 * exp(special_log_gamma_ratio(df / 2, 0.5) - (df + 1) / 2 * log1p(t / df * t)) / sqrt(M_PI * df);
}

static double
normal_density(double z)
{
	return exp(-z * z / 2) * M_SQRT1_2 * M_2_SQRTPI;
}

/*
 * The t with a probability beyond it, by Newton's method, between limits that are
 * drawn closer; df is 0 for the normal distribution.
 */
static double
solve_limit(double beyond, double df)
{
	double		low = 0;
	double		high = 1;
	double		t = 1;

	while ((df > 0 ? distribution_student_beyond(high, df) : distribution_normal_beyond(high)) > beyond && high < 1e300)
	{
		low = high;
		high *= 4;
	}
	t = (low + high) / 2;
	for (int step = 0; step < MAX_STEPS; step++)
	{
		double		excess = (df > 0 ? distribution_student_beyond(t, df) : distribution_normal_beyond(t)) - beyond;
		double		next = t + excess / (df > 0 ? student_density(t, df) : normal_density(t));

		if (excess > 0)
			low = t;
		else
			high = t;
		if (!(next > low && next < high))
			next = (low + high) / 2;
		if (fabs(next - t) <= 2 * DBL_EPSILON * t)
			return next;
		t = next;
	}
	return t;
}

/* distribution_normal_limit: the z with P(|Z| > z) = 1 - level, 0 < level < 1 */
double
distribution_normal_limit(double level)
{
	return solve_limit(1 - level, 0);
}

/* distribution_student_limit: the t with P(|T| > t) = 1 - level */
double
distribution_student_limit(double level, double df)
{
	return solve_limit(1 - level, df);
}
