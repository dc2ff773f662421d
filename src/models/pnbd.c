/*-------------------------------------------------------------------------
 *
 * pnbd.c
 *		The Pareto/NBD model: Schmittlein, Morrison, Colombo 1987, Counting
 *		your customers: who are they and what will they do next?, Management
 *		Science 33; Fader, Hardie 2005, A note on deriving the Pareto/NBD model
 *		and related expressions; Fader, Hardie, Lee 2005, RFM and CLV (for the
 *		discounted transactions).
 *
 * While alive, a customer buys at Poisson rate lambda, gamma(r, alpha) over
 * customers, and dies at rate mu, gamma(s, beta) over customers.  All that is
 * needed follows from one integral, that of two competing risks,
 *
 *		risk(s, b; r, a; h) = s int_0^h (b / (b + u))^s (a / (a + u))^r
 *								  du / (b + u),
 *
 * the probability that the event with rate gamma(s, b) happens within h, and
 * before the one with rate gamma(r, a).
 * With A = alpha + t_x, B = beta + t_x, h = t - t_x the likelihood is
 *
 *		Gamma(r + x) alpha^r beta^s / (Gamma(r) A^(r + x) B^s)
 *		* (exp(-fall) + risk(s, B; r + x, A; h)),
 *		fall = (r + x) ln((A + h) / A) + s ln((B + h) / B),
 *
 * the first term for a customer who is alive at t.  Given that, lambda and mu
 * are independent, gamma(r + x, alpha + t) and gamma(s, beta + t): every
 * prediction is P(alive) times that for such a customer.
 *
 * The papers write the integral as a difference of Gauss hypergeometric
 * functions, by cases of alpha < beta; here it is Gauss-Legendre quadrature
 * of the positive integrand, for which alpha = beta is nothing special.
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
	PARAM_R, PARAM_ALPHA, PARAM_S, PARAM_BETA
};

/* A customer who is alive, and how likely that is. */
typedef struct LiveCustomer
{
	double		log_alive;		/* ln P(alive at t) */
	double		size;			/* lambda ~ gamma(size, scale) */
	double		scale;
	double		shape;			/* mu ~ gamma(shape, death_scale) */
	double		death_scale;
} LiveCustomer;

/* ---------- competing risks ---------- */

/*
 * The probability and what its derivatives need: the means over the integrand
 * of ln((a + u) / a), ln((b + u) / b), u / (a + u) and u / (b + u), times the
 * probability.
 */
typedef struct CompetingRisk
{
	double		value;
	double		log_other;
	double		log_own;
	double		share_other;
	double		share_own;
} CompetingRisk;

/* More than any sensible parameters need. */
#define MAX_PANELS 1000

/* The log integrand falls (or rises) at most this fast from here on. */
static inline double
competing_risk_slope(double near_exponent, double far_exponent, double far_weight,
					 double ratio, double w)
{
	double		far_share = ratio * exp(w) / (1.0 + ratio * expm1(w));

	return fabs(near_exponent + far_exponent * far_share + far_weight * (far_share - 1.0));
}

/*
 * risk(own_shape, own_scale; other_shape, other_scale; horizon), as above.
 *
 * Integrated over w = ln(1 + u / near), near being the smaller scale, in
 * which the integrand is log-concave and its singularities lie pi away.  Each
 * panel is so short that the integrand changes by at most exp(8).  Moments
 * other than the value are computed on request.
 */
static inline CompetingRisk
competing_risk(double own_shape, double own_scale, double other_shape, double other_scale,
			   double horizon, bool moments)
{
	bool		own_is_near = own_scale <= other_scale;
	double		near = own_is_near ? own_scale : other_scale;
	double		far = own_is_near ? other_scale : own_scale;
	double		near_exponent = own_is_near ? own_shape : other_shape;
	double		far_exponent = own_is_near ? other_shape : own_shape;
	double		far_weight = own_is_near ? 0.0 : 1.0;
	double		ratio = near / far;
	double		end = log1p(horizon / near);
	double		at = 0.0;
	double		peak = -DBL_MAX;
	double		near_log = 0.0,
				far_log = 0.0,
				near_share = 0.0,
				far_share = 0.0,
				value = 0.0;
	CompetingRisk result;

	for (int panel = 0; panel < MAX_PANELS && at < end; panel++)
	{
		double		step = QUADRATURE_MAX_STEP;
		double		here = competing_risk_slope(near_exponent, far_exponent, far_weight, ratio, at);
		double		slope,
					last = 0.0;
		const double *node = quadrature_node;
		const double *weight = quadrature_weight;
		int			nodes = QUADRATURE_NODES;

		step = Min(step, end - at);
		slope = Max(here, competing_risk_slope(near_exponent, far_exponent, far_weight,
											   ratio, at + step));
		if (step * slope > QUADRATURE_MAX_FALL)
			step = QUADRATURE_MAX_FALL / slope;
		else if (step * slope <= QUADRATURE_SHORT_FALL && step <= QUADRATURE_SHORT_STEP)
		{
			node = quadrature_short_node;
			weight = quadrature_short_weight;
			nodes = QUADRATURE_SHORT_NODES;
		}
		if (at + step == at)
			break;

		for (int i = 0; i < nodes; i++)
		{
			double		w = at + step * node[i];
			double		grown = expm1(w);
			double		far_grown = ratio * grown;
			double		l = log1p(far_grown);
			double		g = -near_exponent * w - far_exponent * l;
			double		f = exp(g) * weight[i] * step;

			if (!own_is_near)
				f *= (ratio + far_grown) / (1.0 + far_grown);
			value += f;
			last = f / (weight[i] * step);
			if (moments)
			{
				near_log += f * w;
				far_log += f * l;
				near_share += f * (grown / (1.0 + grown));
				far_share += f * (far_grown / (1.0 + far_grown));
			}
		}
		at += step;
		peak = Max(peak, last);
		if (last < 1e-18 * peak)
			break;
	}

	result.value = own_shape * value;
	result.log_own = own_shape * (own_is_near ? near_log : far_log);
	result.log_other = own_shape * (own_is_near ? far_log : near_log);
	result.share_own = own_shape * (own_is_near ? near_share : far_share);
	result.share_other = own_shape * (own_is_near ? far_share : near_share);
	return result;
}

/* ---------- likelihood ---------- */

/* What the likelihood needs and depends on x only. */
typedef struct CountTerms
{
	double		x;
	double		log_gamma;		/* ln Gamma(r + x) / Gamma(r) */
	double		digamma;		/* its derivative */
} CountTerms;

#define CACHED_COUNTS 64

/*
 * The likelihood above, summed.  It is the density of the purchase times, so
 * there is no combinatorial constant to leave out.
 */
static double
loglik(const double *params, const FitInput *inputs, size_t ninputs,
	   double *gradient)
{
	double		r = params[PARAM_R];
	double		alpha = params[PARAM_ALPHA];
	double		s = params[PARAM_S];
	double		beta = params[PARAM_BETA];
	double		log_alpha = log(alpha);
	double		total = 0.0;
	double		d_r = 0.0,
				d_alpha = 0.0,
				d_s = 0.0,
				d_beta = 0.0;
	CountTerms	cache[CACHED_COUNTS];

	for (size_t i = 0; i < CACHED_COUNTS; i++)
		cache[i].x = -1.0;

	for (size_t i = 0; i < ninputs; i++)
	{
		double		x = inputs[i].x;
		double		t_x = inputs[i].t_x;
		double		gap = inputs[i].t - t_x;
		double		weight = inputs[i].weight;
		double		a = alpha + t_x;
		double		b = beta + t_x;
		double		size = r + x;
		double		log_a_gap = log1p(gap / a);
		double		log_b_gap = log1p(gap / b);
		double		fall = size * log_a_gap + s * log_b_gap;
		double		alive = exp(-fall);
		double		sum;
		double		log_start_a = log1p(t_x / alpha);
		double		log_start_b = log1p(t_x / beta);
		CompetingRisk death = competing_risk(s, b, size, a, gap, gradient != NULL);
		CountTerms *terms = &cache[x < 4096.0 ? (int) x % CACHED_COUNTS : 0];

		if (terms->x != x)
		{
			terms->x = x;
			terms->log_gamma = special_log_gamma_ratio(r, x);
			if (gradient)
				terms->digamma = special_digamma_difference(r, x);
		}

		sum = alive + death.value;
		total += weight * (terms->log_gamma - (x > 0.0 ? x * log_alpha : 0.0)
						   - size * log_start_a - s * log_start_b
						   + (sum > DBL_MIN ? log(sum) : -fall));

		if (gradient)
		{
			double		scale = sum > DBL_MIN ? 1.0 / sum : 0.0;

			d_r += weight * (terms->digamma - log_start_a
							 - scale * (death.log_other + alive * log_a_gap));
			d_alpha += weight * (r * t_x / alpha - x +
								 scale * size * (death.share_other + alive * (gap / (a + gap)))) / a;
			d_s += weight * (-log_start_b +
							 scale * (death.value / s - death.log_own - alive * log_b_gap));
			d_beta += weight * (s * t_x / beta +
								scale * ((s + 1.0) * death.share_own - death.value +
										 s * alive * (gap / (b + gap)))) / b;
		}
	}

	if (gradient)
	{
		gradient[PARAM_R] = r * d_r;
		gradient[PARAM_ALPHA] = alpha * d_alpha;
		gradient[PARAM_S] = s * d_s;
		gradient[PARAM_BETA] = beta * d_beta;
	}
	return special_clamp_loglik(total);
}

/* ---------- predictions ---------- */

static double
log_p_alive(const double *params, double x, double t_x, double t)
{
	double		a = params[PARAM_ALPHA] + t_x;
	double		b = params[PARAM_BETA] + t_x;
	double		s = params[PARAM_S];
	double		size = params[PARAM_R] + x;
	double		gap = t - t_x;
	double		fall = size * log1p(gap / a) + s * log1p(gap / b);
	double		death = competing_risk(s, b, size, a, gap, false).value;

	if (death == 0.0)
		return 0.0;
	return -special_log1p_exp(fall + log(death));
}

static LiveCustomer
live_customer(const double *params, double x, double t_x, double t)
{
	LiveCustomer c;

	c.log_alive = log_p_alive(params, x, t_x, t);
	c.size = params[PARAM_R] + x;
	c.scale = params[PARAM_ALPHA] + t;
	c.shape = params[PARAM_S];
	c.death_scale = params[PARAM_BETA] + t;
	return c;
}

/* P(alive at t | x, t_x, t), 1 where t = t_x. */
static double
p_alive(const double *params, double x, double t_x, double t)
{
	return special_clamp_probability(exp(log_p_alive(params, x, t_x, t)));
}

/*
 * A live customer buys at the mean rate size / scale while alive, and is alive
 * after u with probability (death_scale / (death_scale + u))^shape, which
 * integrates to a power, or a logarithm at shape = 1.
 */
static double
expected(const double *params, double x, double t_x, double t, double horizon)
{
	LiveCustomer c = live_customer(params, x, t_x, t);
	double		length = log1p(horizon / c.death_scale);
	double		lifetime = c.death_scale * length *
	special_expm1_ratio((1.0 - c.shape) * length);

	return special_clamp_expectation(special_exp_scaled(c.log_alive,
														c.size / c.scale * lifetime));
}

/*
 * No purchase: dead already, or neither a purchase nor death in the horizon,
 * or death before any purchase.  n purchases: alive at the end of the horizon
 * with n arrivals, or dead within it at a time with n arrivals.
 */
static double
pmf(const double *params, double x, double t_x, double t, double horizon, double n)
{
	LiveCustomer c = live_customer(params, x, t_x, t);
	double		log_survival = -c.shape * log1p(horizon / c.death_scale);
	double		live;

	if (n == 0.0)
	{
		live = exp(log_survival - c.size * log1p(horizon / c.scale)) +
			competing_risk(c.shape, c.death_scale, c.size, c.scale, horizon, false).value;
		return special_clamp_probability(-expm1(c.log_alive) + exp(c.log_alive) * live);
	}
	if (horizon == 0.0)
		return 0.0;
	return special_clamp_probability(exp(c.log_alive + log_survival +
										 special_negative_binomial_log_pmf(n, c.size, horizon / c.scale)) +
									 exp(c.log_alive +
										 arrivals_log_until_death(n, c.size, c.scale, c.shape,
																  c.death_scale, horizon)));
}

/* The first purchase comes within the horizon and before death. */
static double
probability(const double *params, double x, double t_x, double t, double horizon)
{
	LiveCustomer c = live_customer(params, x, t_x, t);
	double		live = competing_risk(c.size, c.scale, c.shape, c.death_scale, horizon, false).value;

	return special_clamp_probability(special_exp_scaled(c.log_alive, live));
}

/* The discounted lifetime's log integrand, over v = ln(1 + u / death_scale). */
typedef struct DiscountedLifetime
{
	double		growth;			/* 1 - shape */
	double		discount;		/* rate * death_scale */
} DiscountedLifetime;

static double
log_discounted_lifetime(double v, const void *arg)
{
	const DiscountedLifetime *lifetime = arg;

	return lifetime->growth * v - lifetime->discount * expm1(v);
}

/*
 * The expectation with exp(-rate u) under the integral; without a horizon
 * (infinite) this is DERT, which the papers write with the confluent
 * hypergeometric function of the second kind.
 */
static double
discounted(const double *params, double x, double t_x, double t, double horizon,
		   double rate)
{
	LiveCustomer c;
	DiscountedLifetime lifetime;
	double		end,
				mode;

	if (rate == 0.0 || horizon == 0.0)
		return expected(params, x, t_x, t, horizon);
	c = live_customer(params, x, t_x, t);
	lifetime.growth = 1.0 - c.shape;
	lifetime.discount = rate * c.death_scale;
	end = log1p(horizon / c.death_scale);
	mode = 0.0;
	if (lifetime.growth > lifetime.discount)
		mode = Min(log(lifetime.growth / lifetime.discount), end);
	return special_clamp_expectation(special_exp_scaled(c.log_alive,
														c.size / c.scale * c.death_scale *
														exp(quadrature_log_integral(log_discounted_lifetime,
																					&lifetime, 0.0, end, mode))));
}

/* The chance to leave in a period, at the mean rate of leaving */
static double
mean_dropout(const double *params, const FitSummary *summary)
{
	return -expm1(-params[PARAM_S] / params[PARAM_BETA] * summary->typical[SCALE_PERIOD]);
}

const ModelKind pnbd_kind = {
	.name = "pnbd",
	.nparams = 4,
	.params = {{"r"}, {"alpha", SCALE_GAP}, {"s"}, {"beta", SCALE_PERIOD}},
	.loglik = loglik,
	.nstarts = 5,
	.starts = {
		{0.5, 0.25, 0.6, 0.4},
		{0.5, 0.5, 0.3, 3},
		{3, 1, 0.6, 0.4},
		{3, 3, 0.3, 3},
		{3, 1, 4, 4},
	},
	.mean_dropout = mean_dropout,
	.p_alive = p_alive,
	.expected = expected,
	.pmf = pmf,
	.probability = probability,
	.discounted = discounted,
};
