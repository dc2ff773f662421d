/*-------------------------------------------------------------------------
 *
 * bgnbd.c
 *		The BG/NBD model: Fader, Hardie, Lee 2005, "Counting your customers"
 *		the easy way: an alternative to the Pareto/NBD model, Marketing
 *		Science 24(2).
 *
 * While alive, a customer buys at Poisson rate lambda, gamma(r, alpha) over
 * customers; after each repeat purchase the customer drops out with
 * probability p, beta(a, b) over customers.  There is no dropout before the
 * first repeat purchase, so P(alive | x = 0) = 1.  Nothing but that
 * distinguishes it from MBG/NBD: see beta_geometric.c for the mathematics.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include "models/beta_geometric.h"

#define FIRST_COIN 0

static double
loglik(const double *params, const PurchaseInput *inputs, size_t ninputs,
	   double *gradient)
{
	return beta_geometric_loglik(FIRST_COIN, params, inputs, ninputs, gradient);
}

static double
p_alive(const double *params, double x, double t_x, double t)
{
	return beta_geometric_p_alive(FIRST_COIN, params, x, t_x, t);
}

static double
expected(const double *params, double x, double t_x, double t, double horizon)
{
	return beta_geometric_expected(FIRST_COIN, params, x, t_x, t, horizon);
}

/* A new customer is one of whom nothing has been observed yet. */
static double
expected_new(const double *params, double horizon)
{
	return beta_geometric_expected(FIRST_COIN, params, 0.0, 0.0, 0.0, horizon);
}

static double
pmf(const double *params, double x, double t_x, double t, double horizon, double n)
{
	return beta_geometric_pmf(FIRST_COIN, params, x, t_x, t, horizon, n);
}

static double
probability(const double *params, double x, double t_x, double t, double horizon)
{
	return beta_geometric_probability(FIRST_COIN, params, x, t_x, t, horizon);
}

static double
discounted(const double *params, double x, double t_x, double t, double horizon,
		   double rate)
{
	return beta_geometric_discounted(FIRST_COIN, params, x, t_x, t, horizon, rate);
}

static double
dert(const double *params, double x, double t_x, double t, double rate)
{
	return beta_geometric_dert(FIRST_COIN, params, x, t_x, t, rate);
}

const PurchaseModelKind bgnbd_kind = {
	.name = "bgnbd",
	.nparams = 4,
	.param_names = {"r", "alpha", "a", "b"},
	.loglik = loglik,
	.p_alive = p_alive,
	.expected = expected,
	.expected_new = expected_new,
	.pmf = pmf,
	.probability = probability,
	.discounted = discounted,
	.dert = dert
};
