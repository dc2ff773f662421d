/*-------------------------------------------------------------------------
 *
 * maximize.c
 *		The maximum of a log-likelihood over positive parameters.
 *
 * All the work is done in the logarithms of the parameters, within limits.
 * There is no randomness and no clock: equal inputs give equal bits.
 *
 * 1. On a small sample of the inputs: the likelihood at every start, then
 *	  NLopt's L-BFGS from the best of them.
 * 2. On a larger sample, and then on all inputs: Newton's method, which ends
 *	  where rounding errors begin.
 * 3. If that does not end at a maximum: L-BFGS on all inputs, then NLopt's
 *	  Sbplx, which needs no derivatives, each followed by Newton's method.
 * 4. Where the likelihood is flat in some direction it may be rising towards
 *	  a limit of the model that no finite parameters reach.  Then go along
 *	  that direction to the limit of the parameters, and stay if the
 *	  likelihood is no lower there.
 *
 * The maximum for earlier, similar inputs can take the place of the larger
 * sample, if it leads to the same maximum.  It saves time, but does not change
 * the result by more than rounding errors.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include <math.h>

#include "models/maximize.h"
#include "models/newton.h"

/* Sizes of the samples. */
#define SMALL_SAMPLE	2000
#define LARGE_SAMPLE	40000

/* From how many of the starts the search is continued. */
#define CONTINUED_STARTS	3

/* Two maxima are the same if the logarithms of their parameters differ by less. */
#define SAME_MAXIMUM	1e-6

/*
 * An earlier maximum is near if it lowers the log-likelihood of the sample by
 * less than this.  That of all inputs lowers it by about 2.
 */
#define NEAR_IN_SAMPLE	10.0

/*
 * Standard deviation of the logarithm of a parameter, or of a direction in
 * parameter space, from which on the likelihood is called flat: the data leave
 * a factor of e^5 = 150 either way.
 */
#define FLAT_DEVIATION	5.0

/* What a customer tells about a direction cannot be computed if it is less. */
#define LEAST_INFORMATION	1e-15

/* ---------- from the starts to a maximum ---------- */

/* The best point that can be reached from the starts */
static void
search_from_starts(Objective *objective, double *best_at)
{
	const Likelihood *likelihood = objective->likelihood;
	int			n = objective->n;
	double		starts[LIKELIHOOD_MAX_STARTS][MODEL_MAX_PARAMS];
	double		values[LIKELIHOOD_MAX_STARTS];
	double		best = -HUGE_VAL;

	for (int i = 0; i < likelihood->nstarts; i++)
	{
		for (int j = 0; j < n; j++)
			starts[i][j] = objective_clamp(objective, j, log(likelihood->starts[i][j]));
		values[i] = objective_evaluate(objective, starts[i], NULL);
	}
	for (int i = 0; i < Min(CONTINUED_STARTS, likelihood->nstarts); i++)
	{
		int			highest = 0;
		double		value;

		for (int j = 1; j < likelihood->nstarts; j++)
		{
			if (values[j] > values[highest])
				highest = j;
		}
		values[highest] = -HUGE_VAL;
		value = objective_search(objective, NLOPT_LD_LBFGS, 200, starts[highest]);
		if (i == 0 || value > best)
		{
			best = value;
			memcpy(best_at, starts[highest], n * sizeof(double));
		}
	}
}

/* Find a maximum of the objective from a point, by Newton's method or else. */
static bool
find_maximum(Objective *objective, Point *point)
{
	nlopt_algorithm algorithms[] = {NLOPT_LD_LBFGS, NLOPT_LN_SBPLX};
	int			evaluations[] = {200, 1000};
	bool		reached = newton_maximize(objective, point);

	for (int i = 0; !reached && i < lengthof(algorithms); i++)
	{
		Point		again = *point;

		(void) objective_search(objective, algorithms[i], evaluations[i], again.at);
		again.has_hessian = false;
		reached = newton_maximize(objective, &again);
		if (reached || again.value > point->value)
			*point = again;
	}
	return reached;
}

/* The maximum of a sample, from a point, as the next point */
static void
move_to_maximum_of_sample(const Objective *all, size_t size, Point *point)
{
	Objective	sample;
	size_t		count;
	FitInput   *inputs;

	if (all->ninputs <= size)
		return;
	inputs = objective_sample(all, size, &count);
	objective_begin(&sample, all->likelihood, inputs, count);
	(void) newton_maximize(&sample, point);
	pfree(inputs);
}

/* ---------- flat directions ---------- */

/* Is an eigenvalue of minus the second derivatives more than a rounding error? */
static bool
is_information(const Objective *objective, double eigenvalue)
{
	return eigenvalue > LEAST_INFORMATION * objective->weight;
}

/*
 * The flattest direction among the parameters that are not held.  Returns
 * the standard deviation along it, infinite where there is no maximum.
 */
static double
flattest_direction(const Objective *objective, const Point *point, double *direction)
{
	Eigen		e;
	double		worst = 0;

	point_eigen(objective, point, &e);
	memset(direction, 0, objective->n * sizeof(double));
	for (int i = 0; i < objective->n; i++)
	{
		double		deviation;

		if (point_eigen_held(objective, point, &e, i))
			continue;
		deviation = is_information(objective, e.values[i]) ? 1 / sqrt(e.values[i]) : HUGE_VAL;
		if (deviation > worst)
		{
			worst = deviation;
			memcpy(direction, e.vectors[i], objective->n * sizeof(double));
		}
	}
	return worst;
}


/* ---------- an earlier maximum ---------- */

/* The point of an earlier maximum, with second derivatives if they are known */
static void
point_of_maximum(const Objective *objective, const Maximum *earlier, Point *point)
{
	int			n = objective->n;
	ParamMatrix covariance;		/* of the logarithms */
	Eigen		e;

	memset(point, 0, sizeof(Point));
	for (int i = 0; i < n; i++)
		point->at[i] = objective_clamp(objective, i, log(earlier->params[i]));
	if (!earlier->has_covariance)
		return;

	memset(covariance, 0, sizeof(covariance));
	for (int i = 0; i < n; i++)
	{
		for (int j = 0; j < n; j++)
			covariance[i][j] = earlier->covariance[i][j] /
				(earlier->params[i] * earlier->params[j]);
	}
	eigen(covariance, n, &e);
	for (int k = 0; k < n; k++)
	{
		if (!(e.values[k] > 0 && isfinite(1 / e.values[k])))
			return;
	}
	for (int i = 0; i < n; i++)
	{
		for (int j = 0; j < n; j++)
		{
			for (int k = 0; k < n; k++)
				point->hessian[i][j] -= e.vectors[k][i] * e.vectors[k][j] / e.values[k];
		}
	}
	point->has_hessian = true;
}

/*
 * Does the search on all inputs end at the same maximum, whether it begins at
 * a point, or at the point found from the starts?  To judge by a sample: if
 * both lead to the same maximum there, it is an inner maximum and clearly not
 * flat, and the likelihood at the point is hardly lower.
 */
static bool
can_begin_at(Objective *sample, const Point *point, const Point *found)
{
	int			n = sample->n;
	Point		reached = *point;
	Point		expected = *found;
	double		direction[MODEL_MAX_PARAMS];
	double		value = objective_evaluate(sample, point->at, NULL);

	/* the second derivatives are those of other inputs */
	reached.has_hessian = expected.has_hessian = false;
	if (!newton_maximize(sample, &expected) ||
		flattest_direction(sample, &expected, direction) > FLAT_DEVIATION / 2 ||
		!((expected.value - value) * (sample->ninputs / sample->weight) < NEAR_IN_SAMPLE) ||
		!newton_maximize(sample, &reached))
		return false;
	for (int i = 0; i < n; i++)
	{
		if (expected.held[i] || !(fabs(reached.at[i] - expected.at[i]) < SAME_MAXIMUM))
			return false;
	}
	return true;
}

/*
 * Find out where to begin on all inputs: at the earlier maximum if there is
 * one and it leads to the same result, else where the way from the starts
 * through the samples ends.
 */
static void
find_beginning(const Objective *all, const Maximum *earlier, Point *point)
{
	Objective	sample;
	size_t		count = all->ninputs;
	FitInput   *inputs = NULL;
	Point		earlier_point;

	if (all->ninputs > SMALL_SAMPLE)
		inputs = objective_sample(all, SMALL_SAMPLE, &count);
	objective_begin(&sample, all->likelihood, inputs != NULL ? inputs : all->inputs, count);
	search_from_starts(&sample, point->at);
	if (earlier != NULL)
		point_of_maximum(all, earlier, &earlier_point);
	if (earlier != NULL && can_begin_at(&sample, &earlier_point, point))
		*point = earlier_point;
	else
		move_to_maximum_of_sample(all, LARGE_SAMPLE, point);
	if (inputs != NULL)
		pfree(inputs);
}

/* ---------- limits of the model ---------- */

/* Largest multiple of a direction that stays within the limits */
static double
largest_multiple(const Objective *objective, const Point *point, const double *direction)
{
	double		most = HUGE_VAL;

	for (int i = 0; i < objective->n; i++)
	{
		double		limit = direction[i] > 0 ? objective->upper[i] : objective->lower[i];

		/* a parameter that hardly changes does not decide */
		if (point->held[i] || fabs(direction[i]) < 0.1)
			continue;
		most = Min(most, (limit - point->at[i]) / direction[i]);
	}
	return isfinite(most) ? Max(most, 0) : 0;
}

/* Is a parameter held at one point that is not held at the other? */
static bool
holds_more(const Point *point, const Point *other, int n)
{
	for (int i = 0; i < n; i++)
	{
		if (point->held[i] && !other->held[i])
			return true;
	}
	return false;
}

/*
 * Where the likelihood is flat, find out whether it is at least as high at a
 * limit of the parameters, and if so move there.  Returns whether the point
 * moved.
 */
static bool
move_to_limit(Objective *objective, Point *point, double *direction)
{
	for (int side = 0; side < 2; side++)
	{
		Point		limit;

		point_move(objective, point, direction,
				   largest_multiple(objective, point, direction), &limit);
		limit.has_hessian = false;
		if (newton_maximize(objective, &limit) && limit.value >= point->value - 1e-6 &&
			holds_more(&limit, point, objective->n))
		{
			*point = limit;
			return true;
		}
		for (int i = 0; i < objective->n; i++)
			direction[i] = -direction[i];
	}
	return false;
}

/* ---------- the result ---------- */

/*
 * Inverse of the information, in the parameters themselves.  At a maximum,
 * second derivatives by the logarithm are those by the parameter times the
 * parameters.
 */
static void
set_covariance(const Objective *objective, const Point *point, Maximum *maximum)
{
	int			n = objective->n;
	Eigen		e;

	point_eigen(objective, point, &e);
	for (int k = 0; k < n; k++)
	{
		if (point_eigen_held(objective, point, &e, k))
			continue;
		if (!is_information(objective, e.values[k]))
			return;
		for (int i = 0; i < n; i++)
		{
			for (int j = 0; j < n; j++)
				maximum->covariance[i][j] += e.vectors[k][i] * e.vectors[k][j] /
					e.values[k] * maximum->params[i] * maximum->params[j];
		}
		maximum->has_covariance = true;
	}
	for (int i = 0; i < n; i++)
	{
		if (!point->held[i] && !(maximum->covariance[i][i] > 0 &&
								 isfinite(maximum->covariance[i][i])))
			maximum->has_covariance = false;
	}
}

/*
 * A maximum can be found to about this relative precision, since rounding errors
 * of the likelihood hide more.
 */
#define SAME_PARAMETERS	5e-11

/*
 * If the maximum is where the earlier one was, but for rounding errors, it is the
 * same one, bit by bit: what was predicted by it still holds.
 */
static void
keep_parameters(const Maximum *earlier, Maximum *maximum, int n)
{
	for (int i = 0; i < n; i++)
	{
		if (!(fabs(maximum->params[i] - earlier->params[i]) <= SAME_PARAMETERS * earlier->params[i]))
			return;
	}
	memcpy(maximum->params, earlier->params, n * sizeof(double));
}

/*
 * Find the maximum of a likelihood, with the maximum for earlier inputs, or
 * NULL.  Never fails, except for interrupts and want of memory: the best
 * parameters found are returned with what is known about them.
 */
void
maximize(const Likelihood *likelihood, const Maximum *earlier, Maximum *maximum)
{
	Objective	all;
	Point		point;
	double		direction[MODEL_MAX_PARAMS];

	memset(maximum, 0, sizeof(Maximum));
	memset(&point, 0, sizeof(Point));
	objective_begin(&all, likelihood, likelihood->inputs, likelihood->ninputs);

	find_beginning(&all, earlier, &point);
	maximum->converged = find_maximum(&all, &point);
	for (int i = 0; i < all.n && flattest_direction(&all, &point, direction) > FLAT_DEVIATION; i++)
	{
		if (!move_to_limit(&all, &point, direction))
			break;
		maximum->converged = true;
	}
	maximum->flat = flattest_direction(&all, &point, direction) > FLAT_DEVIATION;

	for (int i = 0; i < all.n; i++)
	{
		maximum->params[i] = objective_param(&all, i, point.at[i]);
		maximum->held[i] = point.held[i];
	}
	maximum->loglik = point.value;
	maximum->evaluations = all.evaluations;
	if (maximum->converged)
		set_covariance(&all, &point, maximum);
	if (maximum->converged && earlier != NULL)
		keep_parameters(earlier, maximum, all.n);
}
