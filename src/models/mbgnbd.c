/*-------------------------------------------------------------------------
 *
 * mbgnbd.c
 *		The MBG/NBD model: Batislam, Denizel, Filiztekin 2007, Empirical
 *		validation and comparison of models for customer base analysis,
 *		International Journal of Research in Marketing 24; Hoppe, Wagner 2007,
 *		Customer base analysis: the case for a central variant of the
 *		betageometric/NBD model, Marketing JRM 3(2).
 *
 * As BG/NBD (bgnbd.c), but the customer may also drop out right after the
 * first purchase, at time zero, so that P(alive | x = 0) < 1.  See
 * beta_geometric.c for the mathematics.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include "models/beta_geometric.h"

#define FIRST_COIN 1

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

const PurchaseModelKind mbgnbd_kind = {
	.name = "mbgnbd",
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
