/*-------------------------------------------------------------------------
 *
 * special.h
 *		Differences and ratios of special functions, as the purchase models
 *		need them: without the cancellation that the functions themselves
 *		would bring.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_SPECIAL_H
#define SEGMENT_SPECIAL_H

#include <math.h>

extern double special_log_gamma_ratio(double z, double n);
extern double special_digamma_difference(double z, double n);
extern double special_trigamma(double z);
extern double special_trigamma_difference(double z, double n);
extern double special_log_beta_ratio(double a, double b, double n);
extern double special_stirling_error(double z);
extern double special_negative_binomial_log_pmf(double n, double size, double odds);
extern double special_beta_binomial_log_pmf(double k, double n, double a, double b);
extern double special_log1p_exp(double x);
extern double special_expm1_ratio(double x);
extern double special_exp_scaled(double log_scale, double value);
extern double special_clamp_probability(double p);
extern double special_clamp_expectation(double value);
extern double special_clamp_loglik(double value);

/*
 * ln(1 + x), x > -1 and finite, to a few units in the last place: half the
 * time of log1p, for sums over many customers (Goldberg, "What every computer
 * scientist should know about floating-point arithmetic", 1991, theorem 4).
 */
static inline double
special_log1p_fast(double x)
{
	double		u = 1.0 + x;

	return u == 1.0 ? x : log(u) * (x / (u - 1.0));
}

#endif							/* SEGMENT_SPECIAL_H */
