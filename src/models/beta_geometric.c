/*-------------------------------------------------------------------------
 *
 * beta_geometric.c
 *		The BG/NBD model: Fader, Hardie, Lee 2005, "Counting your customers"
 *		the easy way: an alternative to the Pareto/NBD model, Marketing
 *		Science 24(2); and the MBG/NBD model: Batislam, Denizel, Filiztekin
 *		2007, Empirical validation and comparison of models for customer base
 *		analysis, International Journal of Research in Marketing 24; Hoppe,
 *		Wagner 2007, Customer base analysis: the case for a central variant of
 *		the betageometric/NBD model, Marketing JRM 3(2).
 *
 * While alive, a customer buys at Poisson rate lambda, gamma(r, alpha) over
 * customers; after each purchase a coin is tossed that ends the customer with
 * probability p, beta(a, b) over customers.  The two models differ only in
 * the first purchase, at time zero: in BG/NBD it is not followed by a coin
 * (first_coin = 0), so that P(alive | x = 0) = 1; in MBG/NBD it is
 * (first_coin = 1), so that P(alive | x = 0) < 1.
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
#include "base/compat.h"

#include <float.h>
#include <math.h>

#include "base/special.h"
#include "models/arrivals.h"
#include "models/model_kind.h"
#include "models/quadrature.h"

enum
{
	PARAM_R, PARAM_ALPHA, PARAM_A, PARAM_B
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

/* ---------- likelihood ---------- */

/* What the likelihood needs and depends on x only. */
typedef struct CountTerms
{
	double		x;
	double		constant;		/* ln Gamma(r+x)/Gamma(r) B(a,b+k)/B(a,b) */
	double		log_odds;		/* ln a / (b + k - 1) */
	double		b_before;		/* b + k - 1; 0 if no coin was tossed */
	double		d_b_dead;		/* 1 / b_before */
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
	terms->d_b_dead = k > 0.0 ? 1.0 / terms->b_before : 0.0;
	terms->log_odds = k > 0.0 ? log(a / terms->b_before) : -INFINITY;
	if (derivatives)
	{
		terms->d_r = special_digamma_difference(params[PARAM_R], x);
		terms->d_a = -special_digamma_difference(a + b, k);
		terms->d_b = special_digamma_difference(b, k) + terms->d_a;
	}
}

/* What it needs and depends on t_x only. */
typedef struct LastPurchase
{
	double		t_x;
	double		log_grown;		/* ln (alpha + t_x) / alpha */
	double		inverse_clock;	/* 1 / (alpha + t_x) */
} LastPurchase;

static inline LastPurchase
last_purchase(const double *params, double t_x)
{
	LastPurchase last;

	last.t_x = t_x;
	last.log_grown = special_log1p_fast(t_x / params[PARAM_ALPHA]);
	last.inverse_clock = 1.0 / (params[PARAM_ALPHA] + t_x);
	return last;
}

/* One customer's likelihood, and the odds of being dead that are in it. */
typedef struct InputTerms
{
	double		gap;			/* 1 + gap = (alpha + t) / (alpha + t_x) */
	double		log_gap;		/* ln (1 + gap) */
	double		log_odds;		/* -infinity if no coin was tossed */
	double		smaller;		/* the odds, or their inverse if that is less */
	double		loglik;
} InputTerms;

static inline InputTerms
input_terms(const double *params, double log_alpha, const FitInput *input,
			const CountTerms *terms, const LastPurchase *last)
{
	double		x = input->x;
	double		size = params[PARAM_R] + x;
	double		fall;
	InputTerms	result;

	result.gap = (input->t - input->t_x) * last->inverse_clock;
	result.log_gap = result.gap > 0.25 ? log(1.0 + result.gap) :
		result.gap > 0.0 ? special_log1p_fast(result.gap) : 0.0;
	fall = size * result.log_gap;

	result.loglik = terms->constant - size * last->log_grown;
	if (x > 0.0)
		result.loglik -= x * log_alpha;
	if (terms->b_before == 0.0)
	{
		result.log_odds = -INFINITY;
		result.smaller = 0.0;
		result.loglik -= fall;
	}
	else
	{
		result.log_odds = terms->log_odds + fall;
		result.smaller = exp(-fabs(result.log_odds));
		/* start from the likelier of the two: nothing cancels */
		result.loglik += log(1.0 + result.smaller);
		if (result.log_odds <= 0.0)
			result.loglik -= fall;
		else
			result.loglik += terms->log_odds;
	}
	return result;
}

/* Sums over the inputs of which the gradient is made */
typedef struct Derivatives
{
	double		r;
	double		alpha;
	double		a;
	double		b;
	double		deaths;			/* weight * P(dead) */
} Derivatives;

static inline void
add_derivatives(Derivatives *sum, const double *params, const FitInput *input,
				const CountTerms *terms, const LastPurchase *last,
				const InputTerms *customer)
{
	double		r = params[PARAM_R];
	double		alpha = params[PARAM_ALPHA];
	double		weight = input->weight;
	double		x = input->x;
	double		dead = (customer->log_odds <= 0.0 ? customer->smaller : 1.0) /
	(1.0 + customer->smaller);

	sum->r += weight * (terms->d_r - (last->log_grown + customer->log_gap) +
						dead * customer->log_gap);
	sum->alpha += weight * ((r * input->t / alpha - x) -
							dead * (r + x) * customer->gap) / (alpha + input->t);
	sum->a += weight * terms->d_a;
	sum->b += weight * (terms->d_b - dead * terms->d_b_dead);
	sum->deaths += weight * dead;
}

/*
 * The likelihood above, summed.  What depends on x alone (the gamma and beta
 * ratios and their derivatives) is kept for the last counts seen, and what
 * depends on t_x for the last of these, since inputs come in order of x and
 * t_x.  So the usual input costs three elementary functions.
 */
static double
loglik(int first_coin, const double *params, const FitInput *inputs,
	   size_t ninputs, double *gradient)
{
	double		log_alpha = log(params[PARAM_ALPHA]);
	double		total = 0.0;
	Derivatives sum = {0};
	LastPurchase last = {.t_x = -1.0};
	CountTerms	cache[CACHED_COUNTS];

	for (int i = 0; i < CACHED_COUNTS; i++)
		cache[i].x = -1.0;

	for (size_t i = 0; i < ninputs; i++)
	{
		const FitInput *input = &inputs[i];
		double		x = input->x;
		CountTerms *terms = &cache[x < 4096.0 ? (int) x % CACHED_COUNTS : 0];
		InputTerms	customer;

		if (terms->x != x)
			compute_count_terms(terms, first_coin, params, x, gradient != NULL);
		if (last.t_x != input->t_x)
			last = last_purchase(params, input->t_x);
		customer = input_terms(params, log_alpha, input, terms, &last);
		total += input->weight * customer.loglik;
		if (gradient)
			add_derivatives(&sum, params, input, terms, &last, &customer);
	}

	if (gradient)
	{
		gradient[PARAM_R] = params[PARAM_R] * sum.r;
		gradient[PARAM_ALPHA] = params[PARAM_ALPHA] * sum.alpha;
		gradient[PARAM_A] = params[PARAM_A] * sum.a + sum.deaths;
		gradient[PARAM_B] = params[PARAM_B] * sum.b;
	}
	return special_clamp_loglik(total);
}

/* Second derivatives of what depends on x only, by r, and by a and b. */
typedef struct CountCurvature
{
	double		x;
	double		rr;
	double		total;			/* by a + b */
	double		bb;				/* by b, without that */
} CountCurvature;

static CountCurvature
count_curvature(int first_coin, const double *params, double x)
{
	double		a = params[PARAM_A];
	double		b = params[PARAM_B];
	double		k = x + first_coin;
	CountCurvature result;

	result.x = x;
	result.rr = special_trigamma_difference(params[PARAM_R], x);
	result.total = -special_trigamma_difference(a + b, k);
	result.bb = special_trigamma_difference(b, k);
	return result;
}

/*
 * Add a customer's second derivatives by the parameters, below the diagonal.
 *
 * The logarithm of the likelihood is a part without the odds, plus
 * ln (1 + odds).  Where e is the logarithm of the odds, and dead = odds /
 * (1 + odds), the second derivatives of the latter are
 *
 *		dead (1 - dead) e_i e_j + dead e_ij.
 */
static inline void
add_second_derivatives(ParamMatrix sum, const double *params, const FitInput *input,
					   const CountTerms *terms, const CountCurvature *curvature,
					   const LastPurchase *last, const InputTerms *customer)
{
	double		r = params[PARAM_R];
	double		alpha = params[PARAM_ALPHA];
	double		weight = input->weight;
	double		size = r + input->x;
	double		end = 1.0 / (alpha + input->t);
	double		before = last->inverse_clock;
	double		dead = (customer->log_odds <= 0.0 ? customer->smaller : 1.0) /
	(1.0 + customer->smaller);
	double		spread = weight * customer->smaller /
	((1.0 + customer->smaller) * (1.0 + customer->smaller));
	double		later = -customer->gap * end;	/* end - before */
	double		e_r = customer->log_gap;
	double		e_alpha = size * later;
	double		e_a = 1.0 / params[PARAM_A];
	double		e_b = -terms->d_b_dead;

	dead *= weight;
	sum[PARAM_R][PARAM_R] += weight * curvature->rr + spread * e_r * e_r;
	sum[PARAM_ALPHA][PARAM_R] += weight * (input->t / alpha * end) + spread * e_r * e_alpha +
		dead * later;
	sum[PARAM_ALPHA][PARAM_ALPHA] += weight * (size * end * end - r / (alpha * alpha)) +
		spread * e_alpha * e_alpha - dead * size * later * (end + before);
	sum[PARAM_A][PARAM_A] += weight * curvature->total + (spread - dead) * e_a * e_a;
	sum[PARAM_B][PARAM_B] += weight * (curvature->total + curvature->bb) +
		(spread + dead) * e_b * e_b;
	sum[PARAM_B][PARAM_A] += weight * curvature->total + spread * e_a * e_b;
	sum[PARAM_A][PARAM_R] += spread * e_a * e_r;
	sum[PARAM_A][PARAM_ALPHA] += spread * e_a * e_alpha;
	sum[PARAM_B][PARAM_R] += spread * e_b * e_r;
	sum[PARAM_B][PARAM_ALPHA] += spread * e_b * e_alpha;
}

/* As loglik, for the second derivatives. */
static void
scaled_hessian(int first_coin, const double *params, const FitInput *inputs,
			   size_t ninputs, ParamMatrix hessian)
{
	double		log_alpha = log(params[PARAM_ALPHA]);
	LastPurchase last = {.t_x = -1.0};
	CountTerms	terms = {.x = -1.0};
	CountCurvature curvature = {.x = -1.0};

	memset(hessian, 0, sizeof(ParamMatrix));
	for (size_t i = 0; i < ninputs; i++)
	{
		const FitInput *input = &inputs[i];
		InputTerms	customer;

		if (terms.x != input->x)
		{
			compute_count_terms(&terms, first_coin, params, input->x, false);
			curvature = count_curvature(first_coin, params, input->x);
		}
		if (last.t_x != input->t_x)
			last = last_purchase(params, input->t_x);
		customer = input_terms(params, log_alpha, input, &terms, &last);
		add_second_derivatives(hessian, params, input, &terms, &curvature, &last, &customer);
	}
	for (int i = 0; i < 4; i++)
	{
		for (int j = 0; j <= i; j++)
		{
			hessian[i][j] *= params[i] * params[j];
			hessian[j][i] = hessian[i][j];
		}
	}
}

/* ---------- predictions ---------- */

static double
p_alive(int first_coin, const double *params, double x, double t_x, double t)
{
	return special_clamp_probability(exp(-special_log1p_exp(log_dead_odds(first_coin, params,
																		  x, t_x, t))));
}

/* Series longer than this cost more than the quadrature. */
#define MAX_SERIES_TERMS 1000.0

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
		double		ratio = hit * (c->size + m) / m;	/* bounds all later
														 * ratios */

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
 * is normalized by the same rule.
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

#define MAX_LATTICE 4000

static double
beta_mean(double a, double b, BetaFunction f, const void *arg, double f_scale)
{
	BetaLattice lattice = beta_lattice(a, b);
	double		norm = 0.0;
	double		sum = 0.0;

	/* from the mode to p = 0; f is constant where p * f_scale is negligible */
	for (int i = 0; i < MAX_LATTICE; i++)
	{
		BetaNode	node = beta_node(&lattice, -i * lattice.step);
		double		value = node.density * f(node.p, arg);

		norm += node.density;
		sum += value;
		if (node.p * (f_scale + a + b) < 1e-13)
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
	for (int i = 1; i < MAX_LATTICE; i++)
	{
		BetaNode	node = beta_node(&lattice, i * lattice.step);
		double		value = node.density * f(node.p, arg);

		norm += node.density;
		sum += value;
		if (node.q * (f_scale + a + b) < 1e-13)
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
		arrivals_series_length(c->size, odds) < MAX_SERIES_TERMS)
		return live_expected_series(c, odds);
	else
	{
		GivenDropout given = {c->size, odds};

		return beta_mean(c->a, c->b, expected_given_dropout, &given,
						 (1.0 + c->size) * (1.0 + odds));
	}
}

static double
expected(int first_coin, const double *params, double x, double t_x, double t,
		 double horizon)
{
	LiveCustomer c = live_customer(first_coin, params, x, t_x, t);

	return special_clamp_expectation(special_exp_scaled(c.log_alive,
														live_expected(&c, horizon)));
}

/*
 * No purchase: dead, or no arrival in the horizon.  n purchases: n arrivals
 * and n coins survived, or at least n arrivals and the n-th coin fatal.
 */
static double
pmf(int first_coin, const double *params, double x, double t_x, double t,
	double horizon, double n)
{
	LiveCustomer c = live_customer(first_coin, params, x, t_x, t);
	double		odds = Min(horizon / c.clock, DBL_MAX);
	double		log_coins;

	if (n == 0.0)
		return special_clamp_probability(-expm1(c.log_alive) +
										 exp(c.log_alive - c.size * log1p(odds)));
	if (odds == 0.0)
		return 0.0;
	log_coins = c.log_alive + special_log_beta_ratio(c.a, c.b, n);
	return special_clamp_probability(exp(log_coins +
										 special_negative_binomial_log_pmf(n, c.size, odds)) +
									 exp(log_coins + log(c.a / (c.b + (n - 1.0))) +
										 arrivals_log_tail(n, c.size, c.clock, horizon)));
}

/* The first arrival comes within the horizon. */
static double
probability(int first_coin, const double *params, double x, double t_x,
			double t, double horizon)
{
	LiveCustomer c = live_customer(first_coin, params, x, t_x, t);
	double		arrival = -expm1(-c.size * log1p(horizon / c.clock));

	return special_clamp_probability(special_exp_scaled(c.log_alive, arrival));
}

/*
 * Discounted purchases, int_0^horizon exp(-rate u) m(u) du with the purchase
 * rate m(u) of a live customer.  Two ways: along time, or over lambda and p.
 *
 * Along time, in w = ln(1 + u / clock),
 *
 *		m(u) du = size (1 + u / clock)^-size F(u / (clock + u)) dw,
 *
 * F(z) the Gauss series 2F1(size + 1, b; a + b; z), whose terms are positive
 * (by Euler's integral this is the mean of (1 + p u / clock)^-(size + 1) over
 * p).  Gauss-Legendre panels as for Pareto/NBD, the series summed for all
 * nodes of a panel at once.
 */
#define MAX_PANEL_WORK 40000.0
#define DISCOUNTED_AWAY 45.0	/* exp(-45) no longer counts */

typedef struct TimePanel
{
	double		start;
	double		step;
	int			nodes;
	const double *node;
	const double *weight;
} TimePanel;

/*
 * The panel from start: the rate falls at most like exp(-fall w), the discount
 * like exp(-discount exp(w)).
 */
static TimePanel
next_panel(double start, double end, double fall, double discount)
{
	TimePanel	panel;
	double		slope;

	panel.start = start;
	panel.step = Min(QUADRATURE_MAX_STEP, end - start);
	slope = fall + discount * exp(start + panel.step);
	panel.nodes = QUADRATURE_NODES;
	panel.node = quadrature_node;
	panel.weight = quadrature_weight;
	if (panel.step * slope > QUADRATURE_MAX_FALL)
		panel.step = QUADRATURE_MAX_FALL / slope;
	else if (panel.step * slope <= QUADRATURE_SHORT_FALL &&
			 panel.step <= QUADRATURE_SHORT_STEP)
	{
		panel.nodes = QUADRATURE_SHORT_NODES;
		panel.node = quadrature_short_node;
		panel.weight = quadrature_short_weight;
	}
	return panel;
}

/*
 * How fast the purchase rate falls in w: at most by size times the dropout
 * probability, of which high values hardly occur.
 */
static double
rate_fall(const LiveCustomer *c)
{
	return c->size * Min(1.0, (c->a + 8.0) / (c->a + c->b + 8.0));
}

/* About how many multiplications the panels up to end take. */
static double
panel_work(const LiveCustomer *c, double end, double discount)
{
	double		fall = rate_fall(c);
	double		work = 0.0;
	double		start = 0.0;

	if (c->size * end > 600.0)
		return INFINITY;
	while (start < end && work <= MAX_PANEL_WORK)
	{
		TimePanel	panel = next_panel(start, end, fall, discount);

		start += panel.step;
		if (start + panel.step == start)
			break;
		work += panel.nodes * arrivals_series_length(c->size + 1.0, expm1(start));
	}
	return work;
}

static double
panel_integral(const LiveCustomer *c, const TimePanel *panel, double discount)
{
	double		z[QUADRATURE_NODES];
	double		term[QUADRATURE_NODES];
	double		sum[QUADRATURE_NODES];
	double		integral = 0.0;
	int			last = panel->nodes - 1;
	double		k;

	for (int j = 0; j < QUADRATURE_NODES; j++)
	{
		double		w = panel->start + panel->step * panel->node[Min(j, last)];

		z[j] = -expm1(-w);
		term[j] = exp(-c->size * w - discount * expm1(w));
		sum[j] = term[j];
	}
	/* the series converges slowest at the last node */
	for (k = 0.0; k < 1e6; k += 1.0)
	{
		double		factor = (c->size + 1.0 + k) * (c->b + k) /
		((k + 1.0) * (c->a + c->b + k));
		double		ratio = z[last] * (c->size + 1.0 + k) / (k + 1.0);

		if (ratio < 1.0 && term[last] * ratio < 1e-15 * sum[last] * (1.0 - ratio))
			break;
		for (int j = 0; j <= last; j++)
		{
			term[j] *= z[j] * factor;
			sum[j] += term[j];
		}
	}
	for (int j = 0; j <= last; j++)
		integral += panel->weight[j] * sum[j];
	return integral * panel->step;
}

static double
discounted_along_time(const LiveCustomer *c, double end, double discount)
{
	double		fall = rate_fall(c);
	double		start = 0.0;
	double		integral = 0.0;

	while (start < end)
	{
		TimePanel	panel = next_panel(start, end, fall, discount);

		if (start + panel.step == start)
			break;
		integral += panel_integral(c, &panel, discount);
		start += panel.step;
	}
	return c->size * integral;
}

/*
 * Over lambda and p: given both, the discounted purchases are
 * lambda (1 - exp(-(lambda p + rate) horizon)) / (lambda p + rate).  The
 * trapezoidal rule in ln(lambda) and logit(p), as in beta_mean; the cost is
 * bounded whatever size and horizon are.
 */
#define MAX_RATES 1024

typedef struct RateLattice
{
	int			count;
	double		lambda[MAX_RATES];
	double		weight[MAX_RATES];	/* density times lambda, normalized */
	double		horizon;
	double		rate;
} RateLattice;

/* The density of gamma(size, clock) in ln(lambda), times lambda. */
static void
fill_rate_lattice(RateLattice *lattice, const LiveCustomer *c)
{
	double		size = c->size;
	double		mean = size / c->clock;
	double		step = Min(0.22, 0.5 / sqrt(size));
	double		scale = step * mean *
	exp(-special_stirling_error(size)) * sqrt(size / (2.0 * M_PI));

	lattice->count = 0;
	for (int side = 0; side < 2; side++)
	{

		for (int i = side; lattice->count < MAX_RATES; i++)
		{
			double		distance = side == 0 ? -i * step : i * step;
			double		log_weight = size * (distance - expm1(distance)) + distance;

			if (log_weight < -34.0)
				break;
			lattice->lambda[lattice->count] = mean * exp(distance);
			lattice->weight[lattice->count] = scale * exp(log_weight);
			lattice->count++;
		}
	}
}

static double
discounted_given_dropout(double p, const void *arg)
{
	const RateLattice *lattice = arg;
	double		sum = 0.0;

	for (int i = 0; i < lattice->count; i++)
	{
		double		total = lattice->lambda[i] * p + lattice->rate;
		double		exponent = total * lattice->horizon;

		if (exponent > 36.0)
			sum += lattice->weight[i] / total;
		else
			sum -= lattice->weight[i] * expm1(-exponent) / total;
	}
	return sum;
}

static double
discounted_over_rates(const LiveCustomer *c, double horizon, double rate)
{
	RateLattice lattice;

	fill_rate_lattice(&lattice, c);
	lattice.horizon = horizon;
	lattice.rate = rate;
	return beta_mean(c->a, c->b, discounted_given_dropout, &lattice,
					 (1.0 + lattice.lambda[lattice.count - 1]) * Min(horizon, 1.0 / rate));
}

static double
discounted(int first_coin, const double *params, double x, double t_x,
		   double t, double horizon, double rate)
{
	LiveCustomer c;
	double		discount;
	double		end;
	double		live;

	if (rate == 0.0 || horizon == 0.0)
		return expected(first_coin, params, x, t_x, t, horizon);
	c = live_customer(first_coin, params, x, t_x, t);
	discount = rate * c.clock;
	end = log1p(Min(horizon, DISCOUNTED_AWAY / rate) / c.clock);
	if (panel_work(&c, end, discount) <= MAX_PANEL_WORK)
		live = discounted_along_time(&c, end, discount);
	else
		live = discounted_over_rates(&c, horizon, rate);
	return special_clamp_expectation(special_exp_scaled(c.log_alive, live));
}

/* ---------- the kinds ---------- */

/* The mean chance that a coin ends the customer */
static double
mean_dropout(const double *params, const FitSummary *summary)
{
	return params[PARAM_A] / (params[PARAM_A] + params[PARAM_B]);
}

/* A kind's functions are those above, with its first coin. */
#define BETA_GEOMETRIC_KIND(kind, first_coin) \
static double \
kind##_loglik(const double *params, const FitInput *inputs, size_t ninputs, \
			  double *gradient) \
{ \
	return loglik(first_coin, params, inputs, ninputs, gradient); \
} \
\
static void \
kind##_scaled_hessian(const double *params, const FitInput *inputs, size_t ninputs, \
					  ParamMatrix hessian) \
{ \
	scaled_hessian(first_coin, params, inputs, ninputs, hessian); \
} \
\
static double \
kind##_p_alive(const double *params, double x, double t_x, double t) \
{ \
	return p_alive(first_coin, params, x, t_x, t); \
} \
\
static double \
kind##_expected(const double *params, double x, double t_x, double t, \
				double horizon) \
{ \
	return expected(first_coin, params, x, t_x, t, horizon); \
} \
\
static double \
kind##_pmf(const double *params, double x, double t_x, double t, \
		   double horizon, double n) \
{ \
	return pmf(first_coin, params, x, t_x, t, horizon, n); \
} \
\
static double \
kind##_probability(const double *params, double x, double t_x, double t, \
				   double horizon) \
{ \
	return probability(first_coin, params, x, t_x, t, horizon); \
} \
\
static double \
kind##_discounted(const double *params, double x, double t_x, double t, \
				  double horizon, double rate) \
{ \
	return discounted(first_coin, params, x, t_x, t, horizon, rate); \
} \
\
const ModelKind kind##_kind = { \
	.name = #kind, \
	.nparams = 4, \
	.params = {{"r"}, {"alpha", SCALE_GAP}, {"a"}, {"b"}}, \
	.loglik = kind##_loglik, \
	.scaled_hessian = kind##_scaled_hessian, \
	.nstarts = 6, \
	.starts = { \
		{0.3, 0.15, 0.7, 2.5}, \
		{0.3, 0.3, 0.1, 5}, \
		{0.3, 0.1, 0.3, 0.4}, \
		{3, 1, 0.7, 2.5}, \
		{3, 3, 0.1, 5}, \
		{3, 1, 5, 20}, \
	}, \
	.mean_dropout = mean_dropout, \
	.p_alive = kind##_p_alive, \
	.expected = kind##_expected, \
	.pmf = kind##_pmf, \
	.probability = kind##_probability, \
	.discounted = kind##_discounted, \
}

BETA_GEOMETRIC_KIND(bgnbd, 0);
BETA_GEOMETRIC_KIND(mbgnbd, 1);
