/*-------------------------------------------------------------------------
 *
 * beta_geometric.c
 *		The mathematics that BG/NBD and MBG/NBD share.
 *
 * Given the purchase rate lambda and the dropout probability p, a customer
 * who made x repeat purchases, the last at t_x, and was seen until t, has
 * tossed k = x + first_coin coins.  The likelihood is
 *
 *		(1 - p)^k lambda^x exp(-lambda t)					alive at t
 *		+ p (1 - p)^(k - 1) lambda^x exp(-lambda t_x)		dead since t_x,
 *
 * the second term only if k > 0.  Integrated over lambda ~ gamma(r, alpha)
 * and p ~ beta(a, b) it becomes (Fader, Hardie, Lee 2005, equation 6;
 * Batislam et al. 2007)
 *
 *		Gamma(r + x) alpha^r / Gamma(r) (alpha + t)^-(r + x)
 *		* B(a, b + k) / B(a, b) * (1 + odds),
 *		odds = a / (b + k - 1) ((alpha + t) / (alpha + t_x))^(r + x),
 *
 * and P(alive) = 1 / (1 + odds).  Given that the customer is alive at t,
 * lambda and p are independent, lambda ~ gamma(r + x, alpha + t) and
 * p ~ beta(a, b + k): all predictions are P(alive) times a prediction for
 * such a customer, with size = r + x, clock = alpha + t, a and b + k.  That
 * customer makes at least n >= 1 purchases in the horizon if the Poisson
 * process has n arrivals there and the first n - 1 coins are survived.
 *
 * Only sums and integrals of positive terms are used, nowhere the Gauss
 * hypergeometric function of the papers with its cancellation and its
 * singularity at a = 1.
 *
 * Nothing here allocates, raises errors or reads settings.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "compat.h"

#include <float.h>
#include <math.h>

#include "beta_geometric.h"
#include "quadrature.h"
#include "special.h"

enum
{
	PARAM_R, PARAM_ALPHA, PARAM_A, PARAM_B, NPARAMS
};

/* A customer who is alive, and how likely that is. */
typedef struct LiveCustomer
{
	double		log_alive;		/* ln P(alive at t) */
	double		size;			/* lambda ~ gamma(size, clock) */
	double		clock;
	double		a;				/* p ~ beta(a, b) */
	double		b;
} LiveCustomer;

/* ln of the odds of being dead; -infinity if no coin has been tossed */
static inline double
log_dead_odds(int first_coin, const double *params, double x, double t_x, double t)
{
	double		b_before = params[PARAM_B] + (x + first_coin - 1.0);

	if (x + first_coin <= 0.0)
		return -INFINITY;
	return log(params[PARAM_A] / b_before) +
		(params[PARAM_R] + x) * log1p((t - t_x) / (params[PARAM_ALPHA] + t_x));
}

static LiveCustomer
live_customer(int first_coin, const double *params, double x, double t_x, double t)
{
	LiveCustomer c;

	c.log_alive = -special_log1p_exp(log_dead_odds(first_coin, params, x, t_x, t));
	c.size = params[PARAM_R] + x;
	c.clock = params[PARAM_ALPHA] + t;
	c.a = params[PARAM_A];
	c.b = params[PARAM_B] + x + first_coin;
	return c;
}

/*----------
 * Likelihood
 *----------
 */

/* What the likelihood needs and depends on x only. */
typedef struct CountTerms
{
	double		x;
	double		constant;		/* ln Gamma(r+x)/Gamma(r) B(a,b+k)/B(a,b) */
	double		log_odds;		/* ln a / (b + k - 1) */
	double		b_before;		/* b + k - 1; 0 if no coin was tossed */
	double		d_r;			/* derivatives of the constant */
	double		d_a;
	double		d_b;
} CountTerms;

#define CACHED_COUNTS 64

static void
compute_count_terms(CountTerms *terms, int first_coin, const double *params,
					double x, bool derivatives)
{
	double		a = params[PARAM_A];
	double		b = params[PARAM_B];
	double		k = x + first_coin;

	terms->x = x;
	terms->constant = special_log_gamma_ratio(params[PARAM_R], x) +
		special_log_beta_ratio(a, b, k);
	terms->b_before = k > 0.0 ? b + (k - 1.0) : 0.0;
	terms->log_odds = k > 0.0 ? log(a / terms->b_before) : -INFINITY;
	if (derivatives)
	{
		terms->d_r = special_digamma_difference(params[PARAM_R], x);
		terms->d_a = -special_digamma_difference(a + b, k);
		terms->d_b = special_digamma_difference(b, k) + terms->d_a;
	}
}

/*
 * The likelihood above, summed.  What depends on x alone (the gamma and beta
 * ratios and their derivatives) is kept for the last counts seen, so that the
 * usual input costs four elementary functions.
 */
double
beta_geometric_loglik(int first_coin, const double *params,
					  const PurchaseInput *inputs, size_t ninputs,
					  double *gradient)
{
	double		r = params[PARAM_R];
	double		alpha = params[PARAM_ALPHA];
	double		a = params[PARAM_A];
	double		b = params[PARAM_B];
	double		log_alpha = log(alpha);
	double		total = 0.0;
	double		d_r = 0.0,
				d_alpha = 0.0,
				d_a = 0.0,
				d_b = 0.0;
	CountTerms	cache[CACHED_COUNTS];
	size_t		i;

	for (i = 0; i < CACHED_COUNTS; i++)
		cache[i].x = -1.0;

	for (i = 0; i < ninputs; i++)
	{
		double		x = inputs[i].x;
		double		t_x = inputs[i].t_x;
		double		t = inputs[i].t;
		double		weight = inputs[i].weight;
		CountTerms *terms = &cache[x < 4096.0 ? (int) x % CACHED_COUNTS : 0];
		double		log_time = log1p(t / alpha);
		double		loglik;

		if (terms->x != x)
			compute_count_terms(terms, first_coin, params, x, gradient != NULL);

		loglik = terms->constant - (r + x) * log_time;
		if (x > 0.0)
			loglik -= x * log_alpha;

		if (terms->b_before == 0.0)
		{
			if (gradient)
			{
				d_r += weight * (terms->d_r - log_time);
				d_alpha += weight * (r * t / alpha - x) / (alpha + t);
				d_a += weight * terms->d_a;
				d_b += weight * terms->d_b;
			}
		}
		else
		{
			double		log_gap = t > t_x ? log1p((t - t_x) / (alpha + t_x)) : 0.0;
			double		log_odds = terms->log_odds + (r + x) * log_gap;

			if (log_odds <= 0.0)
				loglik += log1p(exp(log_odds));
			else
			{
				/* most likely dead: start from that term, nothing cancels */
				loglik = terms->constant + terms->log_odds - (r + x) * log1p(t_x / alpha) +
					log1p(exp(-log_odds));
				if (x > 0.0)
					loglik -= x * log_alpha;
			}
			if (gradient)
			{
				double		dead = 1.0 / (1.0 + exp(-log_odds));

				d_r += weight * (terms->d_r - log_time + dead * log_gap);
				d_alpha += weight * ((r * t / alpha - x) -
									 dead * (r + x) * (t - t_x) / (alpha + t_x)) / (alpha + t);
				d_a += weight * (terms->d_a + dead / a);
				d_b += weight * (terms->d_b - dead / terms->b_before);
			}
		}
		total += weight * loglik;
	}

	if (gradient)
	{
		gradient[PARAM_R] = r * d_r;
		gradient[PARAM_ALPHA] = alpha * d_alpha;
		gradient[PARAM_A] = a * d_a;
		gradient[PARAM_B] = b * d_b;
	}
	return total;
}

/*----------
 * Predictions
 *----------
 */

double
beta_geometric_p_alive(int first_coin, const double *params,
					   double x, double t_x, double t)
{
	return special_clamp_probability(exp(-special_log1p_exp(log_dead_odds(first_coin, params,
																		  x, t_x, t))));
}

/* Series longer than this cost more than the quadrature. */
#define MAX_SERIES_TERMS 1000.0

/* About how many terms a negative binomial series needs. */
static double
series_length(double size, double odds)
{
	double		mean = size * odds;

	return 34.0 * (1.0 + odds) + mean + 8.5 * sqrt(mean * (1.0 + odds));
}

/*
 * Expected purchases of a live customer as the sum over m >= 1 of
 * P(m arrivals) * sum over k < m of E[(1 - p)^k], all terms positive.  The
 * rest that is left out is bounded by a geometric series.
 */
static double
live_expected_series(const LiveCustomer *c, double odds)
{
	double		hit = odds / (1.0 + odds);
	double		arrivals = exp(-c->size * log1p(odds)) * c->size * hit;
	double		survived = 1.0;
	double		purchases = 1.0;
	double		sum = arrivals;
	double		m;

	for (m = 1.0; m < 20000.0; m += 1.0)
	{
		double		ratio = hit * (c->size + m) / m;	/* bounds all later ratios */

		if (ratio < 1.0 &&
			arrivals * purchases * ratio < 1e-14 * sum * (1.0 - ratio))
			break;
		arrivals *= hit * (c->size + m) / (m + 1.0);
		survived *= (c->b + m - 1.0) / (c->a + c->b + m - 1.0);
		purchases += survived;
		sum += arrivals * purchases;
	}
	return sum;
}

/*
 * The mean of a function of p ~ beta(a, b) that is smooth in the logarithm of
 * p and constant for p -> 0.
 *
 * The trapezoidal rule in y = logit(p), where the density is
 * p^a (1 - p)^b dy: its error falls exponentially with the step, since the
 * integrand is analytic in a strip of half-width pi/2 (or, for large a and b,
 * about a normal density).  The lattice is walked outwards from the mode; the
 * tails on which the function no longer changes are geometric series and
 * summed as such, which is what makes a or b near zero harmless.  The density
 * is normalised by the same rule.
 */
typedef struct BetaLattice
{
	double		a;
	double		b;
	double		step;
	double		mode_p;			/* a / (a + b) */
	double		mode_q;
} BetaLattice;

typedef struct BetaNode
{
	double		p;
	double		q;				/* 1 - p */
	double		density;		/* relative to the mode */
} BetaNode;

static BetaLattice
beta_lattice(double a, double b)
{
	BetaLattice lattice;

	lattice.a = a;
	lattice.b = b;
	lattice.step = Min(0.3, 0.5 * sqrt(1.0 / a + 1.0 / b));
	lattice.mode_p = a / (a + b);
	lattice.mode_q = b / (a + b);
	return lattice;
}

static inline BetaNode
beta_node(const BetaLattice *lattice, double distance)
{
	BetaNode	node;
	double		growth = exp(distance);
	double		scale = 1.0 + lattice->mode_p * expm1(distance);

	node.p = lattice->mode_p * growth / scale;
	node.q = lattice->mode_q / scale;
	node.density = exp(lattice->a * distance -
					   (lattice->a + lattice->b) *
					   (distance > 1.0 ? log(scale) : log1p(lattice->mode_p * expm1(distance))));
	return node;
}

typedef double (*BetaFunction) (double p, const void *arg);

#define MAX_LATTICE 20000

static double
beta_mean(double a, double b, BetaFunction f, const void *arg, double f_scale)
{
	BetaLattice lattice = beta_lattice(a, b);
	double		norm = 0.0;
	double		sum = 0.0;
	int			i;

	/* from the mode to p = 0; f is constant where p * f_scale is negligible */
	for (i = 0; i < MAX_LATTICE; i++)
	{
		BetaNode	node = beta_node(&lattice, -i * lattice.step);
		double		value = node.density * f(node.p, arg);

		norm += node.density;
		sum += value;
		if (node.p * (f_scale + a + b) < 1e-14)
		{
			norm += node.density / expm1(a * lattice.step);
			sum += value / expm1(a * lattice.step);
			break;
		}
		/* the density falls at least geometrically, f grows at most as 1/p */
		if (node.density < 1e-16 * norm * Min(1.0, a * lattice.step) &&
			value < 1e-16 * sum * Min(1.0, (a - 1.0) * lattice.step))
			break;
	}

	/* from the mode to p = 1 */
	for (i = 1; i < MAX_LATTICE; i++)
	{
		BetaNode	node = beta_node(&lattice, i * lattice.step);
		double		value = node.density * f(node.p, arg);

		norm += node.density;
		sum += value;
		if (node.q * (f_scale + a + b) < 1e-14)
		{
			norm += node.density / expm1(b * lattice.step);
			sum += value / expm1(b * lattice.step);
			break;
		}
		if (node.density < 1e-16 * norm * Min(1.0, b * lattice.step) &&
			value < 1e-16 * sum * Min(1.0, b * lattice.step))
			break;
	}
	return sum / norm;
}

/* Expected purchases given p: (1 - (1 + p odds)^-size) / p. */
typedef struct GivenDropout
{
	double		size;
	double		odds;
} GivenDropout;

static double
expected_given_dropout(double p, const void *arg)
{
	const GivenDropout *given = arg;
	double		exponent;

	exponent = given->size * log1p(p * given->odds);
	if (exponent < 1e-300)
		return given->size * given->odds;
	return -expm1(-exponent) / p;
}

static double
live_expected(const LiveCustomer *c, double horizon)
{
	double		odds = Min(horizon / c->clock, DBL_MAX);

	if (odds == 0.0)
		return 0.0;
	if (c->size * log1p(odds) < 650.0 &&
		series_length(c->size, odds) < MAX_SERIES_TERMS)
		return live_expected_series(c, odds);
	else
	{
		GivenDropout given = {c->size, odds};

		return beta_mean(c->a, c->b, expected_given_dropout, &given,
						 (1.0 + c->size) * (1.0 + odds));
	}
}

double
beta_geometric_expected(int first_coin, const double *params,
						double x, double t_x, double t, double horizon)
{
	LiveCustomer c = live_customer(first_coin, params, x, t_x, t);

	return special_clamp_expectation(special_exp_scaled(c.log_alive,
														live_expected(&c, horizon)));
}

double
beta_geometric_pmf(int first_coin, const double *params,
				   double x, double t_x, double t, double horizon, double n)
{
	return 0.0;
}

double
beta_geometric_probability(int first_coin, const double *params,
						   double x, double t_x, double t, double horizon)
{
	LiveCustomer c = live_customer(first_coin, params, x, t_x, t);
	double		arrival = -expm1(-c.size * log1p(horizon / c.clock));

	return special_clamp_probability(special_exp_scaled(c.log_alive, arrival));
}

double
beta_geometric_discounted(int first_coin, const double *params,
						  double x, double t_x, double t, double horizon, double rate)
{
	return 0.0;
}

double
beta_geometric_dert(int first_coin, const double *params,
					double x, double t_x, double t, double rate)
{
	return 0.0;
}
