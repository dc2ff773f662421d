/*-------------------------------------------------------------------------
 *
 * gammagamma.c
 *		The gamma-gamma model of spend per purchase.
 *
 * The amounts of a customer's purchases are gamma(p, nu), and nu varies over
 * customers as gamma(q, gamma).  Amounts do not depend on how often the
 * customer buys.
 *
 * Colombo, Jiang 1999, "A stochastic RFM model", Journal of Interactive
 * Marketing 13(3); Fader, Hardie, Lee 2005, "RFM and CLV", Journal of
 * Marketing Research 42; Fader, Hardie 2013, "The gamma-gamma model of
 * monetary value".
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "compat.h"

#include <math.h>

#include "gammagamma.h"
#include "special.h"

/*
 * ln of Gamma(m + q) / (Gamma(m) Gamma(q)) u^m / (1 + u)^(m + q), the factor
 * of the density below that has gamma functions in it, without the
 * cancellation that these bring when m or q is large.
 */
static double
log_kernel(double m, double q, double u)
{
	double		gammas;

	if (m >= 1 && q >= 1)
		return special_negative_binomial_log_pmf(m, q, u) + log(m);
	if (m < q)
		gammas = special_log_gamma_ratio(q, m) - lgamma(m);
	else
		gammas = special_log_gamma_ratio(m, q) - lgamma(q);
	return gammas - m * log1p(1 / u) - q * log1p(u);
}

/*
 * Sum of weight * log-likelihood, with its gradient by the logarithms of the
 * parameters if wanted (as in purchase_model.h).
 *
 * Fader, Hardie 2013, equation (1a), the density of the mean z of x amounts:
 *
 *	Gamma(px + q) / (Gamma(px) Gamma(q)) * gamma^q z^(px - 1) x^(px)
 *		/ (gamma + xz)^(px + q)
 *
 * which with u = xz / gamma is
 *
 *	Gamma(px + q) / (Gamma(px) Gamma(q)) * u^(px) / (1 + u)^(px + q) / z
 */
double
gammagamma_loglik(const double *params, const PurchaseInput *inputs,
				  size_t ninputs, double *gradient)
{
	double		p = params[GAMMAGAMMA_P];
	double		q = params[GAMMAGAMMA_Q];
	double		gamma = params[GAMMAGAMMA_GAMMA];
	double		sum = 0;
	size_t		i;

	if (gradient != NULL)
		gradient[GAMMAGAMMA_P] = gradient[GAMMAGAMMA_Q] = gradient[GAMMAGAMMA_GAMMA] = 0;

	for (i = 0; i < ninputs; i++)
	{
		double		weight = inputs[i].weight;
		double		px = p * inputs[i].x;
		double		z = GAMMAGAMMA_SPEND(&inputs[i]);
		double		u = inputs[i].x * z / gamma;

		sum += weight * (log_kernel(px, q, u) - log(z));
		if (gradient == NULL)
			continue;
		gradient[GAMMAGAMMA_P] += weight * px *
			(special_digamma_difference(px, q) - log1p(1 / u));
		gradient[GAMMAGAMMA_Q] += weight * q *
			(special_digamma_difference(q, px) - log1p(u));
		gradient[GAMMAGAMMA_GAMMA] += weight * (q * u - px) / (1 + u);
	}
	return sum;
}

/*
 * Expected mean spend per purchase of a customer with x purchases of the
 * given mean, or of a customer of whom nothing is known if x = 0.  mean_spend
 * is not used then.  The result is positive and finite.
 *
 * Fader, Hardie 2013, equation (5): the mean of p / nu, where nu is
 * gamma(px + q, gamma + x mean_spend) once the purchases are known,
 *
 *	p (gamma + x mean_spend) / (px + q - 1)
 *
 * For q <= 1 the mean over all customers is infinite and this one runs off
 * for small x.  Then it is p divided by the mean of nu instead,
 *
 *	p (gamma + x mean_spend) / (px + q)
 *
 * the average of mean_spend and p gamma / q with the weights px and q.
 */
double
gammagamma_expected_spend(const double *params, double x, double mean_spend)
{
	double		p = params[GAMMAGAMMA_P];
	double		q = params[GAMMAGAMMA_Q];
	double		gamma = params[GAMMAGAMMA_GAMMA];
	double		prior = q > 1 ? q - 1 : q;

	if (x == 0)
		return gamma * (p / prior);
	return (gamma + x * mean_spend) * (p / (p * x + prior));
}
