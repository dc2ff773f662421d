/*-------------------------------------------------------------------------
 *
 * newton.c
 *		Newton's method for the maximum of a log-likelihood within limits.
 *
 * Eigenvalues of the second derivatives are made negative, steps are shortened
 * until the likelihood rises, and a parameter is held where the likelihood
 * would rise beyond its limit.  Second derivatives cost more than a gradient,
 * so they are kept for as long as every step reduces what is left to gain by
 * a large factor.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include <math.h>

#include "models/newton.h"

#define MAX_ROUNDS		100

/*
 * From here on the value of the likelihood does not tell two points apart
 * reliably, but its gradient does: steps are taken without comparing values.
 */
#define SMALL_DECREMENT	1e-8

/*
 * A maximum, as far as it can be computed: the step that is left is 1e-11 of
 * the parameters' standard errors.
 */
#define LEAST_DECREMENT	1e-22

/*
 * By which factor a step must reduce the decrement for the second derivatives
 * of an earlier point to be kept: they cost about two gradients if there are
 * formulas for them, and two for each parameter if not.
 */
#define KEEP_ANALYTIC		1e-3
#define KEEP_DIFFERENCED	1e-1

/* The longest step: a factor of e^3 in a parameter. */
#define LONGEST_STEP	3.0

/* Smallest factor of a step that is tried, and largest. */
#define LEAST_FACTOR	1e-8
#define GREATEST_FACTOR	64.0

/* ---------- points ---------- */

/* Evaluate a point and find the parameters that are held. */
static void
point_evaluate(Objective *objective, Point *point)
{
	point->value = objective_evaluate(objective, point->at, point->gradient);
	for (int i = 0; i < objective->n; i++)
	{
		point->held[i] =
			(point->at[i] <= objective->lower[i] && point->gradient[i] <= 0) ||
			(point->at[i] >= objective->upper[i] && point->gradient[i] >= 0);
	}
	point->fresh = false;
}

/* The factor by which a step must reduce the decrement */
static double
sufficient_reduction(const Objective *objective)
{
	return objective->likelihood->scaled_hessian != NULL ? KEEP_ANALYTIC : KEEP_DIFFERENCED;
}

static void
point_second_derivatives(Objective *objective, Point *point)
{
	objective_second_derivatives(objective, point->at, point->gradient, point->hessian);
	point->fresh = true;
	point->has_hessian = true;
}

/* The point at a multiple of a step, within the limits; evaluated */
void
point_move(Objective *objective, const Point *from, const double *step,
		   double factor, Point *to)
{
	*to = *from;
	for (int i = 0; i < objective->n; i++)
		to->at[i] = objective_clamp(objective, i, from->at[i] + factor * step[i]);
	point_evaluate(objective, to);
}

/*
 * Eigenvalues of minus the second derivatives over the parameters that are
 * not held; a held parameter has its axis as eigenvector, with value 0.
 */
void
point_eigen(const Objective *objective, const Point *point, Eigen *result)
{
	ParamMatrix information;

	memset(information, 0, sizeof(information));
	for (int i = 0; i < objective->n; i++)
	{
		for (int j = 0; j < objective->n; j++)
		{
			if (!point->held[i] && !point->held[j])
				information[i][j] = -point->hessian[i][j];
		}
	}
	eigen(information, objective->n, result);
}

/* Does an eigenvector belong to a held parameter? */
bool
point_eigen_held(const Objective *objective, const Point *point, const Eigen *e, int i)
{
	for (int k = 0; k < objective->n; k++)
	{
		if (!point->held[k] && e->vectors[i][k] != 0)
			return false;
	}
	return true;
}

/* ---------- steps ---------- */

/* Shorten a step that is too long for the second derivatives to be true. */
static void
limit_step(double *step, int n)
{
	double		longest = 0;

	for (int k = 0; k < n; k++)
		longest = Max(longest, fabs(step[k]));
	for (int k = 0; longest > LONGEST_STEP && k < n; k++)
		step[k] *= LONGEST_STEP / longest;
}

/*
 * The step of Newton's method from a point, uphill even where the likelihood
 * is not concave.
 */
static void
point_step(const Objective *objective, Point *point, double *step)
{
	int			n = objective->n;
	Eigen		e;
	double		least = 0;

	point_eigen(objective, point, &e);
	for (int i = 0; i < n; i++)
		least = Max(least, fabs(e.values[i]));
	least = Max(least * 1e-13, 1e-13);

	memset(step, 0, n * sizeof(double));
	point->decrement = 0;
	for (int i = 0; i < n; i++)
	{
		double		along = 0;
		double		curvature = Max(fabs(e.values[i]), least);

		for (int k = 0; k < n; k++)
		{
			if (!point->held[k])
				along += e.vectors[i][k] * point->gradient[k];
		}
		for (int k = 0; k < n; k++)
		{
			if (!point->held[k])
				step[k] += e.vectors[i][k] * along / curvature;
		}
		point->decrement += along * along / curvature;
	}
	limit_step(step, n);
}

/*
 * Go along a step to where the likelihood is higher: a part of the step if
 * need be, or a multiple of it while the likelihood rises by more than a
 * parabola would.  Returns false if it does not rise at all.
 */
static bool
search_along(Objective *objective, Point *point, const double *step)
{
	Point		next;
	Point		further;
	double		factor = 1;

	point_move(objective, point, step, factor, &next);
	while (next.value <= point->value)
	{
		factor /= 4;
		if (factor < LEAST_FACTOR)
			return false;
		point_move(objective, point, step, factor, &next);
	}
	while (factor >= 1 && factor < GREATEST_FACTOR &&
		   next.value - point->value > 0.6 * point->decrement)
	{
		factor *= 2;
		point_move(objective, point, step, factor, &further);
		if (further.value <= next.value)
			break;
		next = further;
	}
	*point = next;
	return true;
}

/* ---------- the maximum ---------- */

/*
 * Whole steps by the second derivatives at hand: by those of the point itself
 * until rounding errors end it, by those of an earlier point as long as they
 * are to be kept.
 */
static void
point_refine(Objective *objective, Point *point)
{
	double		step[MODEL_MAX_PARAMS];
	double		reduction = point->fresh ? 0.25 : sufficient_reduction(objective);
	double		last = HUGE_VAL;

	point_step(objective, point, step);
	while (point->decrement > LEAST_DECREMENT && point->decrement < last * reduction)
	{
		Point		next;

		last = point->decrement;
		point_move(objective, point, step, 1, &next);
		if (memcmp(next.held, point->held, sizeof(next.held)) != 0 ||
			next.value < point->value - 1e-10 * fabs(point->value))
			return;
		next.fresh = point->fresh && last < SMALL_DECREMENT * SMALL_DECREMENT;
		*point = next;
		point_step(objective, point, step);
	}
}

/*
 * From a point near a maximum to the maximum, with the second derivatives
 * there.  Returns false if these tell that it is not near after all.
 */
static bool
point_finish(Objective *objective, Point *point)
{
	for (int i = 0; i < 3; i++)
	{
		double		step[MODEL_MAX_PARAMS];

		point_refine(objective, point);
		if (point->fresh)
			break;
		point_second_derivatives(objective, point);
		point_step(objective, point, step);
		if (point->decrement >= SMALL_DECREMENT)
			return false;
		if (point->decrement < LEAST_DECREMENT)
			break;
	}
	return true;
}

/*
 * From a point to a maximum.  The point may bring second derivatives from a
 * point nearby.  Returns whether a maximum was reached; if so, the second
 * derivatives are those at the maximum.
 */
bool
newton_maximize(Objective *objective, Point *point)
{
	double		step[MODEL_MAX_PARAMS];
	double		last = HUGE_VAL;

	point_evaluate(objective, point);
	for (int round = 0; round < MAX_ROUNDS; round++)
	{
		if (!point->has_hessian)
			point_second_derivatives(objective, point);
		point_step(objective, point, step);
		if (!point->fresh && point->decrement >= SMALL_DECREMENT &&
			point->decrement > last * sufficient_reduction(objective))
		{
			point_second_derivatives(objective, point);
			point_step(objective, point, step);
		}
		last = point->decrement;
		if (point->decrement < SMALL_DECREMENT)
		{
			if (point_finish(objective, point))
				return true;
			/* the second derivatives are new now */
			point_step(objective, point, step);
		}
		if (!search_along(objective, point, step))
		{
			/* rounding errors can hide a tiny rise */
			if (point->fresh)
				return point->decrement < 1e-9 * fabs(point->value);
			last = 0;
		}
	}
	return false;
}
