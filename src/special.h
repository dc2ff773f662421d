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

extern double special_log_gamma_ratio(double z, double n);
extern double special_digamma_difference(double z, double n);
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

#endif							/* SEGMENT_SPECIAL_H */
