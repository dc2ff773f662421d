/*-------------------------------------------------------------------------
 *
 * quadrature.c
 *		Gauss-Legendre quadrature, by panels that follow the integrand.
 *
 * Nothing here allocates, raises errors or reads settings.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include <math.h>

#include "models/quadrature.h"

/* Roots of the Legendre polynomial of degree 16, moved to 0..1. */
const double quadrature_node[QUADRATURE_NODES] = {
	0.0052995325041750337019,
	0.027712488463383711961,
	0.06718439880608412806,
	0.12229779582249848305,
	0.19106187779867812578,
	0.27099161117138630683,
	0.35919822461037054338,
	0.45249374508118127991,
	0.54750625491881872009,
	0.64080177538962945662,
	0.72900838882861369317,
	0.80893812220132187422,
	0.87770220417750151695,
	0.93281560119391587194,
	0.97228751153661628804,
	0.9947004674958249663
};

const double quadrature_weight[QUADRATURE_NODES] = {
	0.013576229705877047426,
	0.031126761969323946431,
	0.047579255841246392405,
	0.062314485627766936026,
	0.074797994408288366041,
	0.084578259697501269095,
	0.091301707522461794433,
	0.094725305227534248143,
	0.094725305227534248143,
	0.091301707522461794433,
	0.084578259697501269095,
	0.074797994408288366041,
	0.062314485627766936026,
	0.047579255841246392405,
	0.031126761969323946431,
	0.013576229705877047426
};

/* The same of degree 8. */
const double quadrature_short_node[QUADRATURE_SHORT_NODES] = {
	0.019855071751231884158,
	0.1016667612931866302,
	0.23723379504183550709,
	0.40828267875217509753,
	0.59171732124782490247,
	0.76276620495816449291,
	0.8983332387068133698,
	0.98014492824876811584
};

const double quadrature_short_weight[QUADRATURE_SHORT_NODES] = {
	0.050614268145188129576,
	0.11119051722668723527,
	0.15685332293894364367,
	0.18134189168918099148,
	0.18134189168918099148,
	0.15685332293894364367,
	0.11119051722668723527,
	0.050614268145188129576
};

/* Below exp(-this) of the maximum, nothing counts. */
#define NEGLIGIBLE 42.0

/* A bound that no integrand of ours comes near. */
#define MAX_PANELS 2000

/*
 * The integral of exp(f - peak) from start outwards to end (which may lie on
 * either side), in panels on which f changes by at most QUADRATURE_MAX_FALL.
 */
static double
integrate_outwards(quadrature_log_function f, const void *arg,
				   double start, double end, double peak)
{
	double		direction = end >= start ? 1.0 : -1.0;
	double		at = start;
	double		f_at = peak;
	double		step = QUADRATURE_MAX_STEP;
	double		total = 0.0;


	for (int panel = 0; panel < MAX_PANELS; panel++)
	{
		double		next,
					f_next,
					sum = 0.0;

		if (at == end || peak - f_at > NEGLIGIBLE)
			break;
		for (;;)
		{
			next = at + direction * step;
			if ((end - next) * direction <= 0.0)
				next = end;
			if (next == at)
				return total;	/* narrower than the numbers can tell */
			f_next = f(next, arg);
			if (fabs(f_next - f_at) <= QUADRATURE_MAX_FALL)
				break;
			step = Min(step, fabs(next - at)) * 0.5;
		}
		for (int i = 0; i < QUADRATURE_NODES; i++)
			sum += quadrature_weight[i] *
				exp(f(at + (next - at) * quadrature_node[i], arg) - peak);
		total += sum * fabs(next - at);

		step = Min(step * 1.5, QUADRATURE_MAX_STEP);
		at = next;
		f_at = f_next;
	}
	return total;
}

/*
 * quadrature_log_integral
 *		ln of the integral of exp(f(v)) over low..high, f being unimodal and
 *		smooth, without singularities within pi of the real line, and mode the
 *		place of its maximum in low..high.
 *
 * Gauss-Legendre with 16 nodes on panels that grow outwards from the mode; on
 * a panel f changes by at most 8 over a length of at most 2, for which the
 * relative error is about 1e-14; what lies 42 below the maximum is left out.
 * low may be -infinity and high infinity where f falls without bound.
 */
double
quadrature_log_integral(quadrature_log_function f, const void *arg,
						double low, double high, double mode)
{
	double		peak = f(mode, arg);
	double		total;

	total = integrate_outwards(f, arg, mode, high, peak) +
		integrate_outwards(f, arg, mode, low, peak);
	return peak + log(total);
}

/* ln(exp(log_a) + exp(log_b)) */
double
quadrature_log_add(double log_a, double log_b)
{
	double		high = Max(log_a, log_b);
	double		low = Min(log_a, log_b);

	if (low == -INFINITY)
		return high;
	return high + log1p(exp(low - high));
}

/* So many terms are added one by one at either end of a sequence. */
#define DIRECT_TERMS 4096.0

/*
 * ln of the sum of the terms first, first + step, ... (count of them, step is
 * 1 or -1), by their ratios.  rest bounds how many terms there are to come in
 * all, for leaving early where they fall.
 */
static double
log_sum_directly(quadrature_log_term log_term, quadrature_ratio ratio, const void *arg,
				 double first, double step, double count, double rest)
{
	double		log_scale = log_term(first, arg);
	double		term = 1.0;
	double		sum = 1.0;
	double		done;
	double		i = first;

	for (done = 1.0; done < count; done += 1.0)
	{
		double		change = step > 0.0 ? ratio(i, arg) : 1.0 / ratio(i - 1.0, arg);

		term *= change;
		i += step;
		sum += term;
		if (change < 1.0 && term * (rest - done) < 1e-17 * sum)
			break;
		if (sum > 1e250)
		{
			log_scale += log(sum);
			term /= sum;
			sum = 1.0;
		}
	}
	return log_scale + log(sum);
}

/* The log term as a function of ln(i + singularity), for the integral. */
typedef struct SmoothTerm
{
	quadrature_log_term log_term;
	const void *arg;
	double		singularity;
} SmoothTerm;

static double
log_smooth_term(double v, const void *arg)
{
	const SmoothTerm *smooth = arg;

	return smooth->log_term(exp(v) - smooth->singularity, smooth->arg) + v;
}

/*
 * quadrature_log_smooth_sum
 *		ln of the sum of the terms from .. to - 1 of a positive sequence that
 *		is unimodal, with its mode about at mode, and changes by less than 1 %
 *		or so from one term to the next wherever it counts.
 *
 * The sequence must be analytic in i except for i <= -singularity.  The
 * Euler-Maclaurin formula at the midpoints with its first correction, the
 * integral by quadrature_log_integral over ln(i + singularity).  With a
 * relative change of c per term, the next correction is below 0.003 c^3 of one
 * term.  to may be infinite if the terms fall geometrically.
 */
double
quadrature_log_smooth_sum(quadrature_log_term log_term, const void *arg,
						  double from, double to, double mode, double singularity)
{
	SmoothTerm	smooth = {log_term, arg, singularity};
	double		low = log(from - 0.5 + singularity);
	double		high = to < INFINITY ? log(to - 0.5 + singularity) : INFINITY;
	double		place = Min(high, Max(low, log(mode + singularity)));
	double		result,
				correction;

	result = quadrature_log_integral(log_smooth_term, &smooth, low, high, place);
	if (result == -INFINITY)
		return result;
	correction = exp(log_term(from - 1.0, arg) - result) *
		expm1(log_term(from, arg) - log_term(from - 1.0, arg));
	if (to < INFINITY)
		correction -= exp(log_term(to - 1.0, arg) - result) *
			expm1(log_term(to, arg) - log_term(to - 1.0, arg));
	return result + log1p(correction / 24.0);
}

/*
 * quadrature_log_sum
 *		ln of the sum of the terms 0 .. count - 1 of a positive, unimodal
 *		sequence; count >= 1 may be infinite if the terms fall geometrically.
 *
 * The sequence must be analytic in i except for i <= -singularity.  Up to
 * 8192 terms are added directly.  Of longer sums, the first and the last 4096
 * terms are; what then still counts in the middle is smooth.  The cost is
 * bounded, whatever the count.
 */
double
quadrature_log_sum(quadrature_log_term log_term, quadrature_ratio ratio,
				   const void *arg, double count, double singularity)
{
	double		from = DIRECT_TERMS;
	double		to = count - DIRECT_TERMS;	/* the middle is from .. to - 1 */
	double		mode = from;
	double		total;

	if (count <= 2.0 * DIRECT_TERMS)
		return log_sum_directly(log_term, ratio, arg, 0.0, 1.0, count, count);

	total = log_sum_directly(log_term, ratio, arg, 0.0, 1.0, DIRECT_TERMS, count);
	if (ratio(from, arg) < 1.0 && to < INFINITY &&
		log_term(from, arg) + log(count) < total - NEGLIGIBLE)
		return total;
	if (to < INFINITY)
	{
		double		bound = to;

		total = quadrature_log_add(total,
								   log_sum_directly(log_term, ratio, arg, count - 1.0, -1.0,
													DIRECT_TERMS, count));
		/* the terms rise as long as the ratio is above 1 */
		while (bound - mode > 1e-3 * mode)
		{
			double		center = 0.5 * (mode + bound);

			if (ratio(center, arg) >= 1.0)
				mode = center;
			else
				bound = center;
		}
	}
	if (log_term(mode, arg) + log(to < INFINITY ? to : 1e20) < total - NEGLIGIBLE)
		return total;
	return quadrature_log_add(total, quadrature_log_smooth_sum(log_term, arg, from, to, mode,
															   singularity));
}
