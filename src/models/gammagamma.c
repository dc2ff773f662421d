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
#include "base/compat.h"

#include <math.h>

#include "base/special.h"
#include "models/model_kind.h"

enum
{
	PARAM_P, PARAM_Q, PARAM_GAMMA
};

/* In an input of the fit, x is itself and t_x the mean spend; t is not used. */
#define MEAN_SPEND(input)	((input)->t_x)

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

/* What the likelihood needs and depends on the number of amounts only. */
typedef struct CountTerms
{
	double		x;
	double		shape;			/* m = px */
	double		total;			/* m + q */
	double		smaller;		/* the smaller of m and q ... */
	double		fraction;		/* ... as a share of m + q */
	double		constant;		/* log_kernel at u = m / q */
	double		d_p;			/* derivatives of the constant, by m and by q,
								 * u fixed */
	double		d_q;
} CountTerms;

static void
compute_count_terms(CountTerms *terms, double p, double q, double x, bool derivatives)
{
	double		m = p * x;
	double		middle = m / q;

	terms->x = x;
	terms->shape = m;
	terms->total = m + q;
	terms->smaller = Min(m, q);
	terms->fraction = terms->smaller / terms->total;
	terms->constant = log_kernel(m, q, middle);
	if (derivatives)
	{
		terms->d_p = m * (special_digamma_difference(m, q) - log1p(1 / middle));
		terms->d_q = q * (special_digamma_difference(q, m) - log1p(middle));
	}
}

/*
 * Sum of weight * log-likelihood, with its gradient by the logarithms of the
 * parameters if wanted (as in likelihood.h).
 *
 * Fader, Hardie 2013, equation (1a), the density of the mean z of x amounts:
 *
 *	Gamma(px + q) / (Gamma(px) Gamma(q)) * gamma^q z^(px - 1) x^(px)
 *		/ (gamma + xz)^(px + q)
 *
 * which with m = px and u = xz / gamma is
 *
 *	Gamma(m + q) / (Gamma(m) Gamma(q)) * u^m / (1 + u)^(m + q) / z
 *
 * What has gamma functions in it is computed once for every x, at u = m / q,
 * where it is highest over ln u.  From there, with v = u q / m, the logarithm
 * changes by
 *
 *	m ln v - (m + q) ln((1 + u) / (1 + m / q))
 *		=  m ln v - (m + q) ln(1 + (v - 1) m / (m + q))
 *		= -q ln v - (m + q) ln(1 + (1 / v - 1) q / (m + q))
 *
 * Of the last two the one with the smaller of m and q in it is taken, which
 * keeps its digits when the other is large.  So the usual input, in order of
 * x, costs two logarithms.
 */
static double
loglik(const double *params, const FitInput *inputs, size_t ninputs,
	   double *gradient)
{
	double		p = params[PARAM_P];
	double		q = params[PARAM_Q];
	double		unit = params[PARAM_GAMMA] * (p / q);	/* z at v = 1 */
	double		log_unit = log(unit);
	CountTerms	terms = {.x = -1};
	double		sum = 0;
	double		d_p = 0;
	double		d_q = 0;
	double		d_gamma = 0;

	for (size_t i = 0; i < ninputs; i++)
	{
		double		weight = inputs[i].weight;
		double		z = MEAN_SPEND(&inputs[i]);
		double		v = z / unit;
		double		log_v = log(v);
		double		up;			/* ln (1 + u) / (1 + m / q) */
		double		down;		/* ln (1 + 1 / u) / (1 + q / m) = up - ln v */

		if (inputs[i].x != terms.x)
			compute_count_terms(&terms, p, q, inputs[i].x, gradient != NULL);
		if (terms.shape <= q)
		{
			up = special_log1p_fast((v - 1) * terms.fraction);
			down = up - log_v;
			sum += weight * (terms.constant + terms.shape * log_v - terms.total * up -
							 (log_unit + log_v));
		}
		else
		{
			down = special_log1p_fast((unit / z - 1) * terms.fraction);
			up = down + log_v;
			sum += weight * (terms.constant - q * log_v - terms.total * down -
							 (log_unit + log_v));
		}
		if (gradient != NULL)
		{
			/* (qu - m) / (1 + u) with u = v m / q */
			double		spread = (v - 1) / (q + v * terms.shape);

			d_p += weight * (terms.d_p - terms.shape * down);
			d_q += weight * (terms.d_q - q * up);
			d_gamma += weight * (terms.shape * (q * spread));
		}
	}
	if (gradient != NULL)
	{
		gradient[PARAM_P] = d_p;
		gradient[PARAM_Q] = d_q;
		gradient[PARAM_GAMMA] = d_gamma;
	}
	return sum;
}

/*
 * Second derivatives of the logarithm of the density above, times their
 * parameters.  With s = u / (1 + u) the derivative by ln gamma is
 * (m + q) s - m, from which the others by gamma follow; those by p and q
 * alone depend on x only.
 */
static void
scaled_hessian(const double *params, const FitInput *inputs, size_t ninputs,
			   ParamMatrix hessian)
{
	double		p = params[PARAM_P];
	double		q = params[PARAM_Q];
	double		gamma = params[PARAM_GAMMA];
	double		x = -1;
	double		m = 0;
	double		pp = 0;
	double		pq = 0;
	double		qq = 0;

	memset(hessian, 0, sizeof(ParamMatrix));
	for (size_t i = 0; i < ninputs; i++)
	{
		double		weight = inputs[i].weight;
		double		above;		/* u / (1 + u) */
		double		below;		/* 1 / (1 + u) */

		if (inputs[i].x != x)
		{
			x = inputs[i].x;
			m = p * x;
			pp = m * m * special_trigamma_difference(m, q);
			qq = q * q * special_trigamma_difference(q, m);
			pq = m * q * special_trigamma(m + q);
		}
		below = 1 / (1 + x * MEAN_SPEND(&inputs[i]) / gamma);
		above = 1 / (1 + gamma / (x * MEAN_SPEND(&inputs[i])));
		hessian[PARAM_P][PARAM_P] += weight * pp;
		hessian[PARAM_Q][PARAM_Q] += weight * qq;
		hessian[PARAM_Q][PARAM_P] += weight * pq;
		hessian[PARAM_GAMMA][PARAM_P] -= weight * m * below;
		hessian[PARAM_GAMMA][PARAM_Q] += weight * q * above;
		hessian[PARAM_GAMMA][PARAM_GAMMA] += weight *
			(m * below * below - q * above * (1 + below));
	}
	hessian[PARAM_P][PARAM_Q] = hessian[PARAM_Q][PARAM_P];
	hessian[PARAM_P][PARAM_GAMMA] = hessian[PARAM_GAMMA][PARAM_P];
	hessian[PARAM_Q][PARAM_GAMMA] = hessian[PARAM_GAMMA][PARAM_Q];
}

/* The mean over all customers, p gamma / (q - 1), is infinite for q <= 1. */
static bool
mean_exists(const double *params)
{
	return params[PARAM_Q] > 1;
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
static double
expected_spend(const double *params, double x, double mean_spend)
{
	double		p = params[PARAM_P];
	double		q = params[PARAM_Q];
	double		gamma = params[PARAM_GAMMA];
	double		prior = mean_exists(params) ? q - 1 : q;

	if (x == 0)
		return gamma * (p / prior);
	return (gamma + x * mean_spend) * (p / (p * x + prior));
}

const ModelKind gammagamma_kind = {
	.name = "gammagamma",
	.nparams = 3,
	.params = {{"p"}, {"q"}, {"gamma", SCALE_SPEND}},
	.loglik = loglik,
	.scaled_hessian = scaled_hessian,
	.nstarts = 6,
	.starts = {
		{1, 2, 1},
		{6, 4, 0.5},
		{6, 1.5, 0.1},
		{40, 4, 0.08},
		{40, 30, 0.7},
		{1, 10, 9},
	},
	.mean_exists = mean_exists,
	.expected_spend = expected_spend,
};
