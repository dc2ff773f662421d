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
 * Sum of weight * log-likelihood, with its gradient by the logarithms of the
 * parameters if wanted (as in purchase_model.h).
 *
 * Fader, Hardie 2013, equation (1a), the density of the mean z of x amounts:
 *
 *	Gamma(px + q) / (Gamma(px) Gamma(q)) * gamma^q z^(px - 1) x^(px)
 *		/ (gamma + xz)^(px + q)
 *
 * written with u = xz / gamma, so that no large terms cancel:
 *
 *	ln (Gamma(px + q) / Gamma(px)) - ln Gamma(q) - ln z
 *		- px ln(1 + 1/u) - q ln(1 + u)
 */
double
gammagamma_loglik(const double *params, const PurchaseInput *inputs,
				  size_t ninputs, double *gradient)
{
	double		p = params[GAMMAGAMMA_P];
	double		q = params[GAMMAGAMMA_Q];
	double		gamma = params[GAMMAGAMMA_GAMMA];
	double		log_gamma_q = lgamma(q);
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
		double		log_1_u = log1p(u);
		double		log_1_inv = log1p(1 / u);

		sum += weight * (special_log_gamma_ratio(px, q) - log_gamma_q - log(z)
						 - px * log_1_inv - q * log_1_u);
		if (gradient == NULL)
			continue;
		gradient[GAMMAGAMMA_P] += weight * px *
			(special_digamma_difference(px, q) - log_1_inv);
		gradient[GAMMAGAMMA_Q] += weight * q *
			(special_digamma_difference(q, px) - log_1_u);
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
