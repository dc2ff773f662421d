/*-------------------------------------------------------------------------
 *
 * special.c
 *		Differences and ratios of special functions.
 *
 * The purchase models never need the gamma, beta or digamma function by
 * itself, always a ratio or a difference of two values, and those are where
 * the digits go: lgamma(100000.5) - lgamma(100000) has lost six of them.
 * Every function here computes its difference directly.
 *
 * Nothing here allocates, raises errors or reads settings.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include <float.h>
#include <math.h>

#include "base/special.h"

/* From here on the asymptotic series below are exact to the last bits. */
#define ASYMPTOTIC_FROM 12.0

/* Whole increments up to here are multiplied out. */
#define DIRECT_FACTORS 32

/* Beyond this ratio a product of twelve factors could overflow. */
#define SAFE_RATIO 1e20

#define HALF_LOG_TWO_PI 0.91893853320467274178

/*
 * ln(Gamma(z + n) / Gamma(z)) for z >= ASYMPTOTIC_FROM and
 * z + n >= ASYMPTOTIC_FROM - 1: Stirling's series, the correction terms
 * subtracted in factored form, so that the result keeps its relative accuracy
 * when n is tiny.
 */
static double
log_gamma_ratio_asymptotic(double z, double n)
{
	double		u = 1.0 / (z + n);
	double		v = 1.0 / z;
	double		uv = u * v;
	double		u2 = u * u;
	double		v2 = v * v;
	double		power_sum = 1.0;	/* (u^k - v^k) / (u - v), k = 1, 3, 5, ... */
	double		u_power = u2;
	double		series = 1.0 / 12.0;
	static const double coefficient[] = {
		-1.0 / 360.0, 1.0 / 1260.0, -1.0 / 1680.0, 1.0 / 1188.0,
		-691.0 / 360360.0, 1.0 / 156.0
	};
	int			i;

	for (i = 0; i < (int) lengthof(coefficient); i++)
	{
		/* S(k + 2) = v^2 S(k) + u^k (u + v) */
		power_sum = power_sum * v2 + u_power * (1.0 + v / u);
		u_power *= u2;
		series += coefficient[i] * power_sum;
	}
	return (z - 0.5) * log1p(n / z) + n * (log(z + n) - 1.0) - n * uv * series;
}

/*
 * special_log_gamma_ratio
 *		ln(Gamma(z + n) / Gamma(z)), the logarithm of the rising factorial
 *		(z)_n.
 *
 * z > 0, n > -1 and z + n > 0.  Whole n up to 32 are multiplied out; else
 * z is moved up by the recurrence until Stirling's series (Abramowitz and
 * Stegun 6.1.40) holds.  Absolute error a few units in the last place of the
 * larger of the result and n; relative for tiny n.
 */
double
special_log_gamma_ratio(double z, double n)
{
	double		product = 0.0;
	double		shift = 0.0;

	if (n == 0.0)
		return 0.0;

	if (n > 0.0 && n <= 16.0 && n == floor(n) && z < 1e15 && z > 1e-15)
	{
		double		p = z;
		int			k;

		for (k = 1; k < (int) n; k++)
			p *= z + k;
		return log(p);
	}

	/* product + 1 = prod (1 + n / (z + j)), which never cancels */
	while (z < ASYMPTOTIC_FROM)
	{
		double		e = n / z;

		if (e > SAFE_RATIO)
			shift += log1p(e);
		else
			product += e + product * e;
		z += 1.0;
	}
	if (product != 0.0)
		shift += log1p(product);
	return log_gamma_ratio_asymptotic(z, n) - shift;
}

/*
 * special_digamma_difference
 *		psi(z + n) - psi(z), z > 0, n >= 0.
 *
 * Moved up by the recurrence, then the asymptotic series (Abramowitz and
 * Stegun 6.3.18), both subtracted in factored form.  Relative error a few
 * units in the last place.
 */
double
special_digamma_difference(double z, double n)
{
	double		sum = 0.0;
	double		u,
				v,
				u2,
				v2,
				difference,
				power_sum = 1.0,
				u_power = 1.0,
				series = 0.0;
	static const double coefficient[] = {
		1.0 / 12.0, -1.0 / 120.0, 1.0 / 252.0, -1.0 / 240.0, 1.0 / 132.0,
		-691.0 / 32760.0, 1.0 / 12.0
	};
	int			i;

	if (n == 0.0)
		return 0.0;
	while (z < ASYMPTOTIC_FROM)
	{
		sum += (n / z) / (z + n);
		z += 1.0;
	}

	u = 1.0 / (z + n);
	v = 1.0 / z;
	u2 = u * u;
	v2 = v * v;
	difference = n * u * v;		/* v - u */
	/* sum of c_k (v^2k - u^2k) = (v - u)(v + u) times a symmetric sum */
	for (i = 0; i < (int) lengthof(coefficient); i++)
	{
		series += coefficient[i] * power_sum;
		u_power *= u2;
		power_sum = power_sum * v2 + u_power;
	}
	return sum + log1p(n / z) + difference * (0.5 + (u + v) * series);
}

/* Of 1 / z^3, 1 / z^5, ... in the asymptotic series of psi'(z). */
static const double trigamma_coefficient[] = {
	1.0 / 6.0, -1.0 / 30.0, 1.0 / 42.0, -1.0 / 30.0, 5.0 / 66.0,
	-691.0 / 2730.0, 7.0 / 6.0
};

/*
 * special_trigamma
 *		psi'(z), z > 0, as below.
 */
double
special_trigamma(double z)
{
	double		sum = 0.0;
	double		v;
	double		power;
	double		series;

	while (z < ASYMPTOTIC_FROM)
	{
		sum += 1.0 / z / z;
		z += 1.0;
	}
	v = 1.0 / z;
	power = v;
	series = v + v * v / 2.0;
	for (int i = 0; i < (int) lengthof(trigamma_coefficient); i++)
	{
		power *= v * v;
		series += trigamma_coefficient[i] * power;
	}
	return sum + series;
}

/*
 * special_trigamma_difference
 *		psi'(z + n) - psi'(z), z > 0, n >= 0; at most zero.
 *
 * Moved up by the recurrence, then the asymptotic series (Abramowitz and
 * Stegun 6.4.12), both subtracted in factored form.  Relative error a few
 * units in the last place.
 */
double
special_trigamma_difference(double z, double n)
{
	double		sum = 0.0;
	double		u;
	double		v;
	double		power_sum = 1.0;	/* (u^k - v^k) / (u - v), k = 1, 3, 5, ... */
	double		u_power;
	double		series;

	if (n == 0.0)
		return 0.0;
	while (z < ASYMPTOTIC_FROM)
	{
		/* 1 / (z + n)^2 - 1 / z^2 */
		sum += (n / z) / (z + n) * (1.0 / z + 1.0 / (z + n));
		z += 1.0;
	}

	u = 1.0 / (z + n);
	v = 1.0 / z;
	u_power = u * u;
	series = 1.0 + (u + v) / 2.0;
	for (int i = 0; i < (int) lengthof(trigamma_coefficient); i++)
	{
		power_sum = power_sum * v * v + u_power * (1.0 + v / u);
		u_power *= u * u;
		series += trigamma_coefficient[i] * power_sum;
	}
	return -(sum + n * u * v * series);
}

/*
 * special_log_beta_ratio
 *		ln(B(a, b + n) / B(a, b)), the logarithm of the mean of (1 - p)^n when
 *		p has a beta distribution with parameters a and b.
 *
 * a > 0, b > 0, n >= 0; the result is <= 0.  Whole n up to 32 are multiplied
 * out, which keeps the relative accuracy of tiny results; else the increment
 * of the smaller of a and n is taken at both places.
 */
double
special_log_beta_ratio(double a, double b, double n)
{
	double		result;

	if (n <= 0.0)
		return 0.0;
	if (n <= DIRECT_FACTORS && n == floor(n) && a < b * 1e9)
	{
		double		product = 0.0;
		int			k;

		/* product + 1 = prod (a + b + k) / (b + k) */
		for (k = 0; k < (int) n; k++)
		{
			double		e = a / (b + k);

			product += e + product * e;
		}
		if (product <= DBL_MAX)
			return -log1p(product);
	}
	if (a <= n)
		result = special_log_gamma_ratio(b, a) - special_log_gamma_ratio(b + n, a);
	else
		result = special_log_gamma_ratio(b, n) - special_log_gamma_ratio(a + b, n);
	return Min(result, 0.0);
}

/*
 * special_stirling_error
 *		ln(Gamma(z)) - (z - 1/2) ln z + z - ln(2 pi) / 2, z > 0: the error of
 *		Stirling's formula.  Absolute error below 1e-14.
 */
double
special_stirling_error(double z)
{
	double		y = 1.0 / (z * z);

	if (z < ASYMPTOTIC_FROM)
		return lgamma(z + 1.0) - (z + 0.5) * log(z) + z - HALF_LOG_TWO_PI;
	return (1.0 / 12.0 -
			y * (1.0 / 360.0 -
				 y * (1.0 / 1260.0 -
					  y * (1.0 / 1680.0 -
						   y * (1.0 / 1188.0 -
								y * (691.0 / 360360.0 -
									 y / 156.0)))))) / z;
}

/* x ln(x / m) + m - x, accurate near x = m; x >= 0, m > 0 */
static double
deviance(double x, double m)
{
	double		d = x - m;

	if (x == 0.0)
		return m;
	if (fabs(d) < 0.1 * (x + m))
	{
		double		v = d / (x + m);
		double		s = d * v;
		double		term = 2.0 * x * v;
		double		v2 = v * v;
		int			k;

		for (k = 1; k < 100; k++)
		{
			double		next;

			term *= v2;
			next = s + term / (2 * k + 1);
			if (next == s)
				break;
			s = next;
		}
		return s;
	}
	return x * log(x / m) - d;
}

/*
 * special_negative_binomial_log_pmf
 *		ln P(N = n), N a Poisson count whose mean is odds times a standard
 *		gamma variate of shape size: Gamma(size + n) / (Gamma(size) n!) *
 *		(1 + odds)^-size * (odds / (1 + odds))^n.
 *
 * n >= 0, size > 0, odds >= 0.  Loader's saddle-point form ("Fast and accurate
 * computation of binomial probabilities", 2000), in which no large terms
 * cancel.  -infinity where the probability is 0.
 */
double
special_negative_binomial_log_pmf(double n, double size, double odds)
{
	double		total = n + size;
	double		fail = 1.0 / (1.0 + odds);
	double		hit = odds / (1.0 + odds);

	if (n == 0.0)
		return -size * log1p(odds);
	if (odds == 0.0)
		return -INFINITY;
	if (size < 1.0 || n < 1.0)
	{
		/* one of them small: nothing large cancels in the plain form */
		return special_log_gamma_ratio(n + 1.0, size) - log(total)
			- lgamma(size + 1.0) + log(size)
			- size * log1p(odds) - n * log1p(1.0 / odds);
	}
	return special_stirling_error(total) - special_stirling_error(size) - special_stirling_error(n)
		- deviance(size, total * fail) - deviance(n, total * hit)
		- HALF_LOG_TWO_PI - 0.5 * (log(n) + log1p(n / size));
}

/*
 * special_beta_binomial_log_pmf
 *		ln of C(n, k) B(a + k, b + n - k) / B(a, b): the probability of k
 *		successes in n trials whose chance has a beta(a, b) distribution.
 *
 * a > 0, b > 0, 0 <= k <= n, not necessarily whole.  The saddle-point form of
 * the binomial coefficient and both beta functions, in which no large terms
 * cancel.
 */
double
special_beta_binomial_log_pmf(double k, double n, double a, double b)
{
	double		misses = n - k;
	double		total = a + b + n;
	double		hit = (a + k) / total;
	double		miss = (b + misses) / total;

	if (k <= 0.0)
		return special_log_beta_ratio(a, b, n);
	if (misses <= 0.0)
		return special_log_beta_ratio(b, a, n);
	return -deviance(k, n * hit) - deviance(misses, n * miss)
		- deviance(a, (a + b) * hit) - deviance(b, (a + b) * miss)
		+ special_stirling_error(n) - special_stirling_error(k) - special_stirling_error(misses)
		+ special_stirling_error(a + k) + special_stirling_error(b + misses) - special_stirling_error(total)
		- special_stirling_error(a) - special_stirling_error(b) + special_stirling_error(a + b)
		- HALF_LOG_TWO_PI
		+ 0.5 * (log(n / k / misses) + log(total / (a + k) / (b + misses)) +
				 log(a / (a + b) * b));
}

/* ln(1 + exp(x)) for any x */
double
special_log1p_exp(double x)
{
	if (x > 40.0)
		return x;
	return log1p(exp(x));
}

/* (exp(x) - 1) / x, by its limit 1 at x = 0 */
double
special_expm1_ratio(double x)
{
	return x == 0.0 ? 1.0 : expm1(x) / x;
}

/*
 * exp(log_scale) * value for log_scale <= 0 and value >= 0, without
 * underflow on the way when only the factor is too small for a double.
 */
double
special_exp_scaled(double log_scale, double value)
{
	if (value == 0.0)
		return 0.0;
	if (log_scale > -650.0)
		return exp(log_scale) * value;
	return exp(log_scale + log(value));
}

/* The nearest value in 0..1. */
double
special_clamp_probability(double p)
{
	return p > 0.0 ? Min(p, 1.0) : 0.0;
}

/*
 * The nearest value in 0..DBL_MAX: an expectation that is too large for a
 * double is given as the largest double.
 */
double
special_clamp_expectation(double value)
{
	return value > 0.0 ? Min(value, DBL_MAX) : 0.0;
}

/*
 * The nearest finite value; -DBL_MAX where a log-likelihood cannot be
 * computed at all, so that no optimiser goes there.
 */
double
special_clamp_loglik(double value)
{
	if (isnan(value))
		return -DBL_MAX;
	return Max(-DBL_MAX, Min(value, DBL_MAX));
}
