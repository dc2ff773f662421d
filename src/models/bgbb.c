/*-------------------------------------------------------------------------
 *
 * bgbb.c
 *		The BG/BB model, for purchases that can happen only at given, equally
 *		spaced opportunities (a yearly appeal, a weekly box): Fader, Hardie,
 *		Shang 2010, Customer-base analysis in a discrete-time noncontractual
 *		setting, Marketing Science 29(6).
 *
 * At the beginning of each opportunity a live customer dies with probability
 * theta, beta(gamma, delta) over customers; one who is still alive buys with
 * probability p, beta(alpha, beta) over customers.  The inputs are the number
 * of purchases x, the opportunity t_x of the last one (0 if none) and the
 * number of opportunities n, all whole with x <= t_x <= n.
 *
 * With a = alpha + x, b = beta + t_x - x, d = delta + t_x and m = n - t_x the
 * likelihood (equation 5 of the paper) is
 *
 *		B(a, b) / B(alpha, beta) * B(gamma, d) / B(gamma, delta)
 *		* (E[(1 - p)^m] E[(1 - theta)^m]
 *		   + sum over i = 0 .. m - 1 of E[(1 - p)^i] E[theta (1 - theta)^i])
 *
 * with p ~ beta(a, b) and theta ~ beta(gamma, d): the customer has survived
 * the m opportunities without a purchase, or died at the (i + 1)-th of them.
 *
 * P(alive) is that of being alive at opportunity n + 1, as in the paper's
 * equation 11 and table: the customer has survived the draw that the next
 * opportunity begins with, so that it is below 1 even for x = t_x = n.
 * Software that reports P(alive at n) gives 1 there.
 *
 * Horizons are numbers of opportunities; a fraction of one holds no
 * opportunity, so a horizon is rounded down.
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
#include "models/model_kind.h"
#include "models/quadrature.h"

enum
{
	PARAM_ALPHA, PARAM_BETA, PARAM_GAMMA, PARAM_DELTA
};

/* A customer who was alive at the last opportunity seen. */
typedef struct LiveCustomer
{
	double		log_alive;		/* ln P(alive at n) */
	double		a;				/* p ~ beta(a, b) */
	double		b;
	double		g;				/* theta ~ beta(g, d) */
	double		d;
	double		k;				/* purchases to come, for the sums below */
	double		rate;			/* discount, likewise */
} LiveCustomer;

/* ---------- the sequences that are summed ---------- */

/*
 * Each is given by ln of its term i, from i = 0, and the ratio of term i + 1 to
 * term i.
 */

/* Death at opportunity i + 1, no purchase before: E[(1-p)^i] E[theta (1-theta)^i] */
static double
death_log_term(double i, const void *arg)
{
	const LiveCustomer *c = arg;

	return special_log_beta_ratio(c->a, c->b, i) + special_log_beta_ratio(c->g, c->d, i) +
		log(c->g / (c->g + c->d + i));
}

static double
death_ratio(double i, const void *arg)
{
	const LiveCustomer *c = arg;

	return (c->b + i) / (c->a + c->b + i) * ((c->d + i) / (c->g + c->d + 1.0 + i));
}

/* First purchase at opportunity i + 1: E[p (1-p)^i] E[(1-theta)^(i+1)] */
static double
purchase_log_term(double i, const void *arg)
{
	const LiveCustomer *c = arg;

	return special_log_beta_ratio(c->a, c->b, i) + log(c->a / (c->a + c->b + i)) +
		special_log_beta_ratio(c->g, c->d, i + 1.0);
}

static double
purchase_ratio(double i, const void *arg)
{
	const LiveCustomer *c = arg;

	return (c->b + i) / (c->a + c->b + 1.0 + i) * ((c->d + 1.0 + i) / (c->g + c->d + 1.0 + i));
}

/* k purchases at the first k + i opportunities, then death */
static double
count_log_term(double i, const void *arg)
{
	const LiveCustomer *c = arg;
	double		n = c->k + i;

	return special_beta_binomial_log_pmf(c->k, n, c->a, c->b) +
		special_log_beta_ratio(c->g, c->d, n) + log(c->g / (c->g + c->d + n));
}

static double
count_ratio(double i, const void *arg)
{
	const LiveCustomer *c = arg;
	double		n = c->k + i;

	return (n + 1.0) / (i + 1.0) * ((c->b + i) / (c->a + c->b + n)) *
		((c->d + n) / (c->g + c->d + 1.0 + n));
}

/* Alive at opportunity i + 1, discounted: exp(-rate (i+1)) E[(1-theta)^(i+1)] */
static double
survival_log_term(double i, const void *arg)
{
	const LiveCustomer *c = arg;

	return special_log_beta_ratio(c->g, c->d, i + 1.0) - c->rate * (i + 1.0);
}

static double
survival_ratio(double i, const void *arg)
{
	const LiveCustomer *c = arg;

	return exp(-c->rate) * ((c->d + 1.0 + i) / (c->g + c->d + 1.0 + i));
}

/* P(death within count opportunities, before any purchase) */
static double
death_first(const LiveCustomer *c, double count)
{
	if (count < 1.0)
		return 0.0;
	return exp(quadrature_log_sum(death_log_term, death_ratio, c, count, Min(c->b, c->d)));
}

/* ln P(neither purchase nor death within count opportunities) */
static double
log_silent_survival(const LiveCustomer *c, double count)
{
	return special_log_beta_ratio(c->a, c->b, count) + special_log_beta_ratio(c->g, c->d, count);
}

/* The customer as known right after the last purchase. */
static LiveCustomer
customer_at_last_purchase(const double *params, double x, double t_x)
{
	LiveCustomer c = {0};

	c.a = params[PARAM_ALPHA] + x;
	c.b = params[PARAM_BETA] + (t_x - x);
	c.g = params[PARAM_GAMMA];
	c.d = params[PARAM_DELTA] + t_x;
	return c;
}

/* ---------- likelihood ---------- */

/*
 * The sum over death_log_term and its derivatives: each is the sum of the
 * terms times a positive sum of reciprocals.
 */
typedef struct DeathSum
{
	double		value;
	double		by_ab;			/* times sum over j < i of 1 / (a + b + j) */
	double		by_b;			/* ... of 1 / (b + j) */
	double		by_gd;			/* sum over j <= i of 1 / (g + d + j) */
	double		by_d;			/* sum over j < i of 1 / (d + j) */
} DeathSum;

static DeathSum
death_sum_directly(const LiveCustomer *c, double count)
{
	DeathSum	sum = {0};
	double		ab = c->a + c->b;
	double		gd = c->g + c->d;
	double		term = c->g / gd;
	double		sum_ab = 0.0,
				sum_b = 0.0,
				sum_gd = 1.0 / gd,
				sum_d = 0.0;
	double		i;

	for (i = 0.0; i < count; i += 1.0)
	{
		double		inverse_ab = 1.0 / (ab + i);
		double		inverse_gd = 1.0 / (gd + i + 1.0);
		double		ratio = (c->b + i) * inverse_ab * ((c->d + i) * inverse_gd);

		sum.value += term;
		sum.by_ab += term * sum_ab;
		sum.by_b += term * sum_b;
		sum.by_gd += term * sum_gd;
		sum.by_d += term * sum_d;
		sum_ab += inverse_ab;
		sum_b += 1.0 / (c->b + i);
		sum_gd += inverse_gd;
		sum_d += 1.0 / (c->d + i);
		term *= ratio;
		/* the weights grow like logarithms */
		if (term * (count - i) * (1.0 + sum_b + sum_d) < 1e-18 * sum.value)
			break;
	}
	return sum;
}

/* The terms times each of the sums of reciprocals, for long sums. */
static double
death_by_ab_log_term(double i, const void *arg)
{
	const LiveCustomer *c = arg;

	return death_log_term(i, arg) + log(special_digamma_difference(c->a + c->b, i));
}

static double
death_by_b_log_term(double i, const void *arg)
{
	const LiveCustomer *c = arg;

	return death_log_term(i, arg) + log(special_digamma_difference(c->b, i));
}

static double
death_by_gd_log_term(double i, const void *arg)
{
	const LiveCustomer *c = arg;

	return death_log_term(i, arg) + log(special_digamma_difference(c->g + c->d, i + 1.0));
}

static double
death_by_d_log_term(double i, const void *arg)
{
	const LiveCustomer *c = arg;

	return death_log_term(i, arg) + log(special_digamma_difference(c->d, i));
}

/* Sums up to this length are added term by term. */
#define DIRECT_DEATHS 8192.0

static double
later_deaths(quadrature_log_term log_term, const LiveCustomer *c, double count)
{
	return exp(quadrature_log_smooth_sum(log_term, c, DIRECT_DEATHS, count, DIRECT_DEATHS,
										 Min(c->b, c->d)));
}

static DeathSum
death_sum(const LiveCustomer *c, double count)
{
	DeathSum	sum = death_sum_directly(c, Min(count, DIRECT_DEATHS));

	if (count > DIRECT_DEATHS + 1.0)
	{
		sum.value += later_deaths(death_log_term, c, count);
		sum.by_ab += later_deaths(death_by_ab_log_term, c, count);
		sum.by_b += later_deaths(death_by_b_log_term, c, count);
		sum.by_gd += later_deaths(death_by_gd_log_term, c, count);
		sum.by_d += later_deaths(death_by_d_log_term, c, count);
	}
	return sum;
}

/*
 * The likelihood above, summed; the binomial number of purchase histories with
 * the same inputs is left out, as in the paper.
 */
static double
loglik(const double *params, const FitInput *inputs, size_t ninputs,
	   double *gradient)
{
	double		alpha = params[PARAM_ALPHA];
	double		beta = params[PARAM_BETA];
	double		gamma = params[PARAM_GAMMA];
	double		delta = params[PARAM_DELTA];
	double		total = 0.0;
	double		d_alpha = 0.0,
				d_beta = 0.0,
				d_gamma = 0.0,
				d_delta = 0.0;

	for (size_t i = 0; i < ninputs; i++)
	{
		double		x = inputs[i].x;
		double		t_x = inputs[i].t_x;
		double		misses = t_x - x;
		double		count = inputs[i].t - t_x;
		double		weight = inputs[i].weight;
		LiveCustomer c = customer_at_last_purchase(params, x, t_x);
		DeathSum	death = death_sum(&c, count);
		double		log_alive = log_silent_survival(&c, count);
		double		alive = exp(log_alive);
		double		sum = alive + death.value;

		/* B(a, b) / B(alpha, beta) in two steps: the purchases, then the rest */
		total += weight * (special_log_beta_ratio(beta, alpha, x) +
						   special_log_beta_ratio(alpha + x, beta, misses) +
						   special_log_beta_ratio(gamma, delta, t_x) +
						   (sum > DBL_MIN ? log(sum) : log_alive));

		if (gradient)
		{
			double		scale = sum > DBL_MIN ? 1.0 / sum : 0.0;
			double		by_ab = special_digamma_difference(alpha + beta, t_x) +
			scale * (death.by_ab + alive * special_digamma_difference(c.a + c.b, count));
			double		by_gd = special_digamma_difference(gamma + delta, t_x) +
			scale * (death.by_gd + alive * special_digamma_difference(c.g + c.d, count));

			d_alpha += weight * (special_digamma_difference(alpha, x) - by_ab);
			d_beta += weight * (special_digamma_difference(beta, misses) - by_ab +
								scale * (death.by_b + alive * special_digamma_difference(c.b, count)));
			d_gamma += weight * (scale * death.value / gamma - by_gd);
			d_delta += weight * (special_digamma_difference(delta, t_x) - by_gd +
								 scale * (death.by_d + alive * special_digamma_difference(c.d, count)));
		}
	}

	if (gradient)
	{
		gradient[PARAM_ALPHA] = alpha * d_alpha;
		gradient[PARAM_BETA] = beta * d_beta;
		gradient[PARAM_GAMMA] = gamma * d_gamma;
		gradient[PARAM_DELTA] = delta * d_delta;
	}
	return special_clamp_loglik(total);
}

/* ---------- predictions ---------- */

/* The customer as known at n, given that it was then alive. */
static LiveCustomer
live_customer(const double *params, double x, double t_x, double n)
{
	LiveCustomer c = customer_at_last_purchase(params, x, t_x);
	double		count = n - t_x;

	if (count >= 1.0)
	{
		double		log_death = quadrature_log_sum(death_log_term, death_ratio, &c, count,
												   Min(c.b, c.d));

		c.log_alive = -special_log1p_exp(log_death - log_silent_survival(&c, count));
	}
	c.b += count;
	c.d += count;
	return c;
}

/* P(alive at opportunity n + 1 | x, t_x, n): see the head of this file. */
static double
p_alive(const double *params, double x, double t_x, double n)
{
	LiveCustomer c = live_customer(params, x, t_x, n);

	return special_clamp_probability(special_exp_scaled(c.log_alive, c.d / (c.g + c.d)));
}

/*
 * The expected number of the next horizon opportunities at which a live
 * customer is still alive, sum over k = 1 .. horizon of (d)_k / (g + d)_k,
 * which telescopes to d / (g - 1) (1 - (d + 1)_h / (g + d)_h); at g = 1 a
 * difference of digammas.
 */
static double
expected_opportunities(const LiveCustomer *c, double horizon)
{
	double		excess = c->g - 1.0;

	if (excess == 0.0)
		return c->d * special_digamma_difference(c->d + 1.0, horizon);
	if (excess > 0.0)
		return c->d / excess * -expm1(special_log_beta_ratio(excess, c->d + 1.0, horizon));
	return c->d / -excess * expm1(-special_log_beta_ratio(-excess, c->g + c->d, horizon));
}

static double
expected(const double *params, double x, double t_x, double n, double horizon)
{
	LiveCustomer c = live_customer(params, x, t_x, n);
	double		live = c.a / (c.a + c.b) * expected_opportunities(&c, floor(horizon));

	return special_clamp_expectation(special_exp_scaled(c.log_alive, live));
}

/*
 * No purchase: dead already, or silent through the horizon, or dead within it
 * before any purchase.  k purchases: alive to the end of the horizon, or dead
 * at one of the opportunities after the k-th.
 */
static double
pmf(const double *params, double x, double t_x, double n, double horizon, double k)
{
	LiveCustomer c = live_customer(params, x, t_x, n);
	double		live;

	horizon = floor(horizon);
	if (k > horizon)
		return 0.0;
	if (k == 0.0)
	{
		live = exp(log_silent_survival(&c, horizon)) + death_first(&c, horizon);
		return special_clamp_probability(-expm1(c.log_alive) + exp(c.log_alive) * live);
	}
	c.k = k;
	live = exp(c.log_alive + special_beta_binomial_log_pmf(k, horizon, c.a, c.b) +
			   special_log_beta_ratio(c.g, c.d, horizon));
	if (k < horizon)
		live += exp(c.log_alive + quadrature_log_sum(count_log_term, count_ratio, &c, horizon - k,
													 Min(1.0, c.b)));
	return special_clamp_probability(live);
}

static double
probability(const double *params, double x, double t_x, double n, double horizon)
{
	LiveCustomer c = live_customer(params, x, t_x, n);
	double		log_purchase;

	horizon = floor(horizon);
	if (horizon < 1.0)
		return 0.0;
	log_purchase = quadrature_log_sum(purchase_log_term, purchase_ratio, &c, horizon,
									  Min(c.b, c.d));
	return special_clamp_probability(exp(c.log_alive + log_purchase));
}

/*
 * The expectation with exp(-rate k) for a purchase at the k-th opportunity
 * from now; without a horizon (infinite) this is the paper's DERT, whose
 * discount rate per opportunity is exp(rate) - 1.
 */
static double
discounted(const double *params, double x, double t_x, double n, double horizon,
		   double rate)
{
	LiveCustomer c;
	double		log_live;

	horizon = floor(horizon);
	if (rate == 0.0 || horizon < 1.0)
		return expected(params, x, t_x, n, horizon);
	c = live_customer(params, x, t_x, n);
	c.rate = rate;
	log_live = log(c.a / (c.a + c.b)) +
		quadrature_log_sum(survival_log_term, survival_ratio, &c, horizon, c.d);
	return special_clamp_expectation(exp(c.log_alive + log_live));
}

/* The chance to leave at an opportunity */
static double
mean_dropout(const double *params, const FitSummary *summary)
{
	return params[PARAM_GAMMA] / (params[PARAM_GAMMA] + params[PARAM_DELTA]);
}

const ModelKind bgbb_kind = {
	.name = "bgbb",
	.nparams = 4,
	.params = {{"alpha"}, {"beta"}, {"gamma"}, {"delta"}},
	.loglik = loglik,
	.nstarts = 6,
	.starts = {
		{1, 1, 0.5, 3},
		{1, 1, 0.2, 10},
		{0.3, 2, 0.5, 3},
		{0.3, 10, 0.2, 10},
		{5, 5, 3, 9},
		{2, 20, 3, 9},
	},
	.discrete = true,
	.mean_dropout = mean_dropout,
	.p_alive = p_alive,
	.expected = expected,
	.pmf = pmf,
	.probability = probability,
	.discounted = discounted,
};
