/*-------------------------------------------------------------------------
 *
 * arrivals.c
 *		Arrivals of a Poisson process whose rate has a gamma distribution with
 *		shape size and rate clock: the number N(tau) of arrivals in (0, tau]
 *		is negative binomial with odds tau / clock.
 *
 * Both functions are integrals over time of P(N(tau) = n) times a smooth
 * factor, taken in y = ln(tau), in which all singularities lie pi away from
 * the real line, whatever the parameters.
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
#include "models/quadrature.h"

typedef struct Arrivals
{
	double		n;
	double		size;
	double		clock;
	double		shape;			/* lifetime: (death_clock / (death_clock +
								 * tau))^shape is P(alive at tau); 0 if it
								 * plays no part */
	double		death_clock;
	double		reference;		/* a place tau, about where the mode is, */
	double		log_reference;	/* and ln P(N(tau) = n) there */
} Arrivals;

/* The slope of the log integrand in y = ln(tau). */
static double
log_slope(const Arrivals *arrivals, double tau)
{
	double		slope = arrivals->n -
	(arrivals->n + arrivals->size) * (tau / (arrivals->clock + tau));

	if (arrivals->shape > 0.0)
		slope += 1.0 - (arrivals->shape + 1.0) * (tau / (arrivals->death_clock + tau));
	return slope;
}

/*
 * The log integrand at tau = reference * exp(v).  The negative binomial
 * probability is taken relative to that at the reference, so that large terms
 * cancel before they are rounded.
 */
static double
log_integrand(double v, const void *arg)
{
	const Arrivals *arrivals = arg;
	double		tau = arrivals->reference * exp(v);
	double		moved = arrivals->reference * expm1(v);
	double		result;

	result = arrivals->n * v - (arrivals->n + arrivals->size) *
		log1p(moved / (arrivals->clock + arrivals->reference));
	if (arrivals->shape > 0.0)
		result += log(arrivals->shape * (tau / (arrivals->death_clock + tau))) -
			arrivals->shape * log1p(tau / arrivals->death_clock);
	return result;
}

/*
 * ln of the integral of the integrand over tau in 0..horizon.  The slope falls
 * with tau, so the mode is found by bisection, to a fraction of the width of
 * the peak.
 */
static double
log_integral(Arrivals *arrivals, double horizon)
{
	double		high = log(horizon);
	double		mode = high;

	if (log_slope(arrivals, horizon) < 0.0)
	{
		double		low = log(Min(arrivals->clock, arrivals->shape > 0.0 ?
								  arrivals->death_clock : arrivals->clock)) +
		log(arrivals->n / (arrivals->n + arrivals->size + arrivals->shape + 1.0)) - 1.0;
		double		bound = high;
		double		width = 0.3 / sqrt(arrivals->n + arrivals->size + arrivals->shape + 1.0);

		low = Min(low, high - 1.0);
		while (bound - low > Max(width, 1e-14 * fabs(low)))
		{
			mode = 0.5 * (low + bound);
			if (log_slope(arrivals, exp(mode)) < 0.0)
				bound = mode;
			else
				low = mode;
		}
	}
	arrivals->reference = mode < high ? exp(mode) : horizon;
	return special_negative_binomial_log_pmf(arrivals->n, arrivals->size,
											 arrivals->reference / arrivals->clock) +
		quadrature_log_integral(log_integrand, arrivals, -INFINITY,
								mode < high ? log(horizon / arrivals->reference) : 0.0,
								0.0);
}

/*
 * arrivals_series_length
 *		About how many terms sum over n of P(N = n) needs, odds being
 *		horizon / clock.
 */
double
arrivals_series_length(double size, double odds)
{
	double		mean = size * odds;

	return 34.0 * (1.0 + odds) + mean + 8.5 * sqrt(mean * (1.0 + odds));
}

/* Longer series cost more than the integral. */
#define MAX_TAIL_TERMS 2000.0

/*
 * arrivals_log_tail
 *		ln P(N(horizon) >= n), n >= 1, horizon > 0.
 *
 * This is the logarithm of the regularized incomplete beta function
 * I_h/(clock + h) (n, size).  The sum of the probabilities where that is
 * short, else an integral: the n-th arrival falls in the horizon, and its
 * density at tau is n P(N(tau) = n) / tau.
 */
double
arrivals_log_tail(double n, double size, double clock, double horizon)
{
	Arrivals	arrivals = {.n = n,.size = size,.clock = clock};
	double		odds = Min(horizon / clock, DBL_MAX);

	if (arrivals_series_length(size, odds) < MAX_TAIL_TERMS)
	{
		double		hit = odds / (1.0 + odds);
		double		term = 1.0;
		double		sum = 1.0;
		double		m;

		for (m = n; m < n + 1e5; m += 1.0)
		{
			double		ratio = hit * (size + m) / (m + 1.0);

			/* later ratios lie between this one and hit */
			term *= ratio;
			sum += term;
			ratio = Max(ratio, hit);
			if (ratio < 1.0 && term * ratio < 1e-16 * sum * (1.0 - ratio))
				break;
		}
		return Min(special_negative_binomial_log_pmf(n, size, odds) + log(sum), 0.0);
	}

	return Min(log(n) + log_integral(&arrivals, horizon), 0.0);
}

/*
 * arrivals_log_until_death
 *		ln P(death at tau <= horizon and N(tau) = n), n >= 1, horizon > 0, for
 *		a lifetime that is exponential with a rate that has a gamma
 *		distribution with the given shape and rate death_clock.
 */
double
arrivals_log_until_death(double n, double size, double clock,
						 double shape, double death_clock, double horizon)
{
	Arrivals	arrivals = {.n = n,.size = size,.clock = clock,
	.shape = shape,.death_clock = death_clock};

	return Min(log_integral(&arrivals, horizon), 0.0);
}
