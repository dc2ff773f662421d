/*-------------------------------------------------------------------------
 *
 * maximize.c
 *		The maximum of a log-likelihood over positive parameters.
 *
 * All the work is done in the logarithms of the parameters, within a box.
 * There is no randomness and no clock: equal inputs give equal bits.
 *
 * 1. On a thinned sample of the inputs: the likelihood at every start, then
 *	  NLopt's L-BFGS from the best of them.
 * 2. On a larger sample, and then on all inputs: Newton's method with
 *	  eigenvalues made positive, backtracking, and parameters held where they
 *	  press against the box.  The matrix of second derivatives is differenced
 *	  from the analytic gradient and kept for as long as it serves, so that
 *	  a fit needs about a dozen passes over all inputs.
 * 3. If that does not end at a maximum: L-BFGS on all inputs, then NLopt's
 *	  Sbplx, which needs no derivatives, each followed by Newton's method.
 * 4. Where the likelihood is flat in some direction it may be rising towards
 *	  a limit of the model that no finite parameters reach.  Then go along
 *	  that direction to the box, and stay if the likelihood is no lower there.
 *
 * NLopt is C code that knows nothing of longjmp.  Within it, interrupts are
 * processed under PG_TRY; an error is kept, the search is stopped by its own
 * means, its memory given back, and only then is the error raised.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include <math.h>
#include <nlopt.h>

#include "miscadmin.h"

#include "models/maximize.h"

/* Inputs between two looks at interrupts: a few milliseconds at most. */
#define INPUTS_PER_LOOK		512

/* Sizes of the samples. */
#define SMALL_SAMPLE	2000
#define LARGE_SAMPLE	40000

/* How many of the starts are followed. */
#define FOLLOWED_STARTS	3

/* Step in the logarithm of a parameter for second derivatives. */
#define DIFFERENCE_STEP	1e-4

/*
 * A point is a maximum when a Newton step from it promises to raise the
 * log-likelihood by less than half of this; the step is then still taken, and
 * its error is of the order of its square.
 */
#define DECREMENT_TOLERANCE	1e-8

/*
 * Standard deviation of the logarithm of a parameter, or of a direction in
 * parameter space, from which on we call the likelihood flat: the data leave
 * a factor of e^5 = 150 either way.
 */
#define FLAT_DEVIATION	5.0

typedef double Matrix[MODEL_MAX_PARAMS][MODEL_MAX_PARAMS];

/* A likelihood, the box in logarithms, and the state of an evaluation. */
typedef struct Objective
{
	const Likelihood *likelihood;
	const FitInput *inputs;
	size_t		ninputs;
	double		weight;			/* sum of the weights */
	int			n;				/* number of parameters */
	double		lower[MODEL_MAX_PARAMS];
	double		upper[MODEL_MAX_PARAMS];
	int			evaluations;	/* so far */

	/* Within NLopt only: */
	nlopt_opt	opt;			/* what to stop; NULL outside of NLopt */
	ErrorData  *error;			/* what to raise afterwards */
	MemoryContext error_context;	/* where to keep it */
	double		best;			/* highest value seen */
	double		best_at[MODEL_MAX_PARAMS];
} Objective;

/* A point with all that Newton's method knows about it. */
typedef struct Point
{
	double		at[MODEL_MAX_PARAMS];
	double		value;
	double		gradient[MODEL_MAX_PARAMS];
	bool		held[MODEL_MAX_PARAMS];
	bool		fresh;			/* second derivatives belong to this point (or
								 * to one within the tolerance) */
	bool		has_hessian;
	Matrix		hessian;
	double		decrement;		/* twice the rise that a Newton step promises */
} Point;

/* Eigenvalues and orthonormal eigenvectors of a symmetric matrix */
typedef struct Eigen
{
	double		values[MODEL_MAX_PARAMS];
	Matrix		vectors;		/* [i] belongs to values[i] */
} Eigen;

/* ---------- evaluation ---------- */

/*
 * Process a pending interrupt.  Returns false if the search must stop.
 */
static bool
survive_interrupt(Objective *objective)
{
	if (objective->opt == NULL)
	{
		CHECK_FOR_INTERRUPTS();
		return true;
	}

	PG_TRY();
	{
		CHECK_FOR_INTERRUPTS();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(objective->error_context);
		objective->error = CopyErrorData();
		FlushErrorState();
		nlopt_force_stop(objective->opt);
	}
	PG_END_TRY();
	return objective->error == NULL;
}

/* A parameter at a point; at the box exactly the limit that was asked for */
static double
param_at(const Objective *objective, int i, double at)
{
	if (at == objective->lower[i])
		return objective->likelihood->lower[i];
	if (at == objective->upper[i])
		return objective->likelihood->upper[i];
	return exp(at);
}

/*
 * The log-likelihood at a point, with its gradient if wanted.  A value that
 * is not finite counts as very low.  After an error within NLopt the value
 * means nothing.
 */
static double
evaluate(Objective *objective, const double *at, double *gradient)
{
	int			n = objective->n;
	double		params[MODEL_MAX_PARAMS];
	double		total = 0;

	for (int i = 0; i < n; i++)
	{
		params[i] = param_at(objective, i, at[i]);
		if (gradient != NULL)
			gradient[i] = 0;
	}
	objective->evaluations++;

	for (size_t done = 0; done < objective->ninputs; done += INPUTS_PER_LOOK)
	{
		double		part[MODEL_MAX_PARAMS];

		if (unlikely(INTERRUPTS_PENDING_CONDITION()) && !survive_interrupt(objective))
			return 0;
		total += objective->likelihood->loglik(params, objective->inputs + done,
											   Min(INPUTS_PER_LOOK, objective->ninputs - done),
											   gradient != NULL ? part : NULL);
		for (int i = 0; gradient != NULL && i < n; i++)
			gradient[i] += part[i];
	}

	for (int i = 0; gradient != NULL && i < n; i++)
	{
		if (!isfinite(gradient[i]))
			total = NAN;
	}
	if (!isfinite(total))
	{
		for (int i = 0; gradient != NULL && i < n; i++)
			gradient[i] = 0;
		return -1e300;
	}
	return total;
}

/* A likelihood on some of its inputs, ready to be evaluated */
static void
objective_begin(Objective *objective, const Likelihood *likelihood,
				const FitInput *inputs, size_t ninputs)
{
	memset(objective, 0, sizeof(Objective));
	objective->likelihood = likelihood;
	objective->inputs = inputs;
	objective->ninputs = ninputs;
	objective->n = likelihood->nparams;
	objective->error_context = CurrentMemoryContext;
	for (size_t i = 0; i < ninputs; i++)
		objective->weight += inputs[i].weight;
	for (int p = 0; p < likelihood->nparams; p++)
	{
		objective->lower[p] = log(likelihood->lower[p]);
		objective->upper[p] = log(likelihood->upper[p]);
	}
}

/*
 * At most size inputs that stand for all: a systematic sample, in which each
 * input has a weight near its own.
 */
static FitInput *
thin_inputs(const FitInput *inputs, size_t ninputs, double weight,
			size_t size, size_t *count)
{
	FitInput   *sample = palloc(size * sizeof(FitInput));
	double		step = weight / size;
	double		sum = 0;
	double		taken = 0;
	size_t		n = 0;

	for (size_t i = 0; i < ninputs && n < size; i++)
	{
		double		upto;

		sum += inputs[i].weight;
		upto = floor(sum / step + 0.5);
		if (upto > taken)
		{
			sample[n] = inputs[i];
			sample[n].weight = (upto - taken) * step;
			taken = upto;
			n++;
		}
	}
	*count = n;
	return sample;
}

/* ---------- NLopt ---------- */

/* What NLopt minimizes: minus the mean log-likelihood of a customer */
static double
nlopt_objective(unsigned n, const double *at, double *gradient, void *data)
{
	Objective  *objective = data;
	double		value = 0;
	unsigned	i;

	if (objective->error == NULL)
		value = evaluate(objective, at, gradient);
	if (objective->error != NULL)
		return HUGE_VAL;
	if (value > objective->best)
	{
		objective->best = value;
		memcpy(objective->best_at, at, n * sizeof(double));
	}
	for (i = 0; gradient != NULL && i < n; i++)
		gradient[i] = -gradient[i] / objective->weight;
	return -value / objective->weight;
}

/*
 * Search with one of NLopt's algorithms from a point, which becomes the best
 * point seen.  How the algorithm says it ended does not matter; whether the
 * result is a maximum is found out afterwards.
 */
static double
search(Objective *objective, nlopt_algorithm algorithm, int max_evaluations,
	   double *at)
{
	int			n = objective->n;
	double		x[MODEL_MAX_PARAMS];
	double		f;
	nlopt_opt	opt = nlopt_create(algorithm, n);

	if (opt == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	nlopt_set_min_objective(opt, nlopt_objective, objective);
	nlopt_set_lower_bounds(opt, objective->lower);
	nlopt_set_upper_bounds(opt, objective->upper);
	nlopt_set_ftol_rel(opt, 1e-10);
	nlopt_set_xtol_abs1(opt, 1e-6);
	nlopt_set_maxeval(opt, max_evaluations);

	objective->opt = opt;
	objective->best = -HUGE_VAL;
	memcpy(objective->best_at, at, n * sizeof(double));
	memcpy(x, at, n * sizeof(double));
	(void) nlopt_optimize(opt, x, &f);
	objective->opt = NULL;
	nlopt_destroy(opt);
	if (objective->error != NULL)
		ReThrowError(objective->error);

	memcpy(at, objective->best_at, n * sizeof(double));
	return objective->best;
}

/* ---------- small matrices ---------- */

/* One Jacobi rotation that makes matrix[p][q] zero */
static void
rotate(Matrix matrix, Matrix vectors, int n, int p, int q)
{
	double		theta = (matrix[q][q] - matrix[p][p]) / (2 * matrix[p][q]);
	double		t = copysign(1.0, theta) / (fabs(theta) + hypot(theta, 1.0));
	double		c = 1 / hypot(t, 1.0);
	double		s = t * c;

	for (int k = 0; k < n; k++)
	{
		double		kp = matrix[k][p];
		double		kq = matrix[k][q];

		matrix[k][p] = c * kp - s * kq;
		matrix[k][q] = s * kp + c * kq;
	}
	for (int k = 0; k < n; k++)
	{
		double		pk = matrix[p][k];
		double		qk = matrix[q][k];

		matrix[p][k] = c * pk - s * qk;
		matrix[q][k] = s * pk + c * qk;
	}
	for (int k = 0; k < n; k++)
	{
		double		pk = vectors[p][k];
		double		qk = vectors[q][k];

		vectors[p][k] = c * pk - s * qk;
		vectors[q][k] = s * pk + c * qk;
	}
	matrix[p][q] = matrix[q][p] = 0;
}

/* Eigenvalues by Jacobi's method, which is exact enough for tiny ones */
static void
eigen(const Matrix source, int n, Eigen *result)
{
	Matrix		matrix;

	memcpy(matrix, source, sizeof(matrix));
	memset(result, 0, sizeof(Eigen));
	for (int p = 0; p < n; p++)
		result->vectors[p][p] = 1;

	for (int sweep = 0; sweep < 30; sweep++)
	{
		bool		rotated = false;

		for (int p = 0; p < n; p++)
		{
			for (int q = p + 1; q < n; q++)
			{
				if (fabs(matrix[p][q]) <= 1e-30 ||
					fabs(matrix[p][q]) <= 1e-17 * sqrt(fabs(matrix[p][p] * matrix[q][q])))
					continue;
				rotate(matrix, result->vectors, n, p, q);
				rotated = true;
			}
		}
		if (!rotated)
			break;
	}
	for (int p = 0; p < n; p++)
		result->values[p] = matrix[p][p];
}

/* ---------- Newton's method ---------- */

static double
clamp(const Objective *objective, int i, double value)
{
	return Max(objective->lower[i], Min(objective->upper[i], value));
}

/* Evaluate a point and see which parameters press against the box */
static void
point_evaluate(Objective *objective, Point *point)
{
	point->value = evaluate(objective, point->at, point->gradient);
	for (int i = 0; i < objective->n; i++)
	{
		point->held[i] =
			(point->at[i] <= objective->lower[i] && point->gradient[i] <= 0) ||
			(point->at[i] >= objective->upper[i] && point->gradient[i] >= 0);
	}
	point->fresh = false;
}

/* Second derivatives by central differences of the gradient */
static void
point_second_derivatives(Objective *objective, Point *point)
{
	int			n = objective->n;

	for (int i = 0; i < n; i++)
	{
		double		above[MODEL_MAX_PARAMS];
		double		below[MODEL_MAX_PARAMS];
		double		at[MODEL_MAX_PARAMS];

		memcpy(at, point->at, sizeof(at));
		at[i] = point->at[i] + DIFFERENCE_STEP;
		(void) evaluate(objective, at, above);
		at[i] = point->at[i] - DIFFERENCE_STEP;
		(void) evaluate(objective, at, below);
		for (int j = 0; j < n; j++)
			point->hessian[i][j] = (above[j] - below[j]) / (2 * DIFFERENCE_STEP);
	}
	for (int i = 0; i < n; i++)
	{
		for (int j = 0; j < i; j++)
			point->hessian[i][j] = point->hessian[j][i] =
				(point->hessian[i][j] + point->hessian[j][i]) / 2;
	}
	point->fresh = true;
	point->has_hessian = true;
}

/*
 * Eigenvalues of minus the second derivatives over the parameters that are
 * not held; a held parameter has its axis as eigenvector, with value 0.
 */
static void
point_eigen(const Objective *objective, const Point *point, Eigen *result)
{
	Matrix		information;

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
static bool
eigen_held(const Objective *objective, const Point *point, const Eigen *e, int i)
{
	for (int k = 0; k < objective->n; k++)
	{
		if (!point->held[k] && e->vectors[i][k] != 0)
			return false;
	}
	return true;
}

/*
 * The step of Newton's method from a point, uphill even where the likelihood
 * is not concave, and no longer than a factor of e^3 in any parameter.
 */
static void
point_step(const Objective *objective, Point *point, double *step)
{
	int			n = objective->n;
	Eigen		e;
	double		least;
	double		longest = 0;

	point_eigen(objective, point, &e);
	least = 0;
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
	for (int k = 0; k < n; k++)
		longest = Max(longest, fabs(step[k]));
	for (int k = 0; longest > 3 && k < n; k++)
		step[k] *= 3 / longest;
}

/* The point at a multiple of a step, within the box; evaluated */
static void
point_move(Objective *objective, const Point *from, const double *step,
		   double factor, Point *to)
{
	*to = *from;
	for (int i = 0; i < objective->n; i++)
		to->at[i] = clamp(objective, i, from->at[i] + factor * step[i]);
	point_evaluate(objective, to);
}

/*
 * Go along a step as far as the likelihood rises: shorter than the step if
 * need be, and longer while every doubling pays.  Returns false if it does
 * not rise at all.
 */
static bool
point_climb(Objective *objective, Point *point, const double *step)
{
	Point		next;
	Point		further;
	double		factor = 1;

	point_move(objective, point, step, factor, &next);
	while (next.value <= point->value)
	{
		factor /= 4;
		if (factor < 1e-8)
			return false;
		point_move(objective, point, step, factor, &next);
	}
	while (factor >= 1 && factor < 64 && next.value - point->value > 0.4 * point->decrement)
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

/*
 * Newton's method from a point to a maximum.  The point may bring second
 * derivatives from elsewhere; they are used while they serve.  Returns
 * whether a maximum was reached; if so, the second derivatives are those at
 * the maximum.
 */
static bool
newton(Objective *objective, Point *point)
{
	double		step[MODEL_MAX_PARAMS];
	double		last = HUGE_VAL;

	point_evaluate(objective, point);
	for (int round = 0; round < 100; round++)
	{
		bool		done;

		if (!point->has_hessian)
			point_second_derivatives(objective, point);
		point_step(objective, point, step);
		done = point->decrement < DECREMENT_TOLERANCE;
		if (!point->fresh && (done || point->decrement > last / 10))
		{
			point_second_derivatives(objective, point);
			point_step(objective, point, step);
			done = point->decrement < DECREMENT_TOLERANCE;
		}
		last = point->decrement;

		if (done)
		{
			/* as good as it gets: the last step need not raise the value */
			Point		next;

			point_move(objective, point, step, 1, &next);
			if (memcmp(next.held, point->held, sizeof(next.held)) == 0 &&
				next.value >= point->value - 1e-10 * fabs(point->value))
			{
				next.fresh = true;
				next.decrement = point->decrement;
				*point = next;
			}
			return true;
		}
		if (!point_climb(objective, point, step))
		{
			/* the noise of the last digits can hide a tiny rise */
			if (point->fresh)
				return point->decrement < 1e-9 * fabs(point->value);
			last = 0;
		}
	}
	return false;
}

/* ---------- the whole way ---------- */

/* The best point that can be reached from the starts */
static void
explore(Objective *objective, double *best_at)
{
	const Likelihood *likelihood = objective->likelihood;
	int			n = objective->n;
	double		starts[LIKELIHOOD_MAX_STARTS][MODEL_MAX_PARAMS];
	double		values[LIKELIHOOD_MAX_STARTS];
	double		best = -HUGE_VAL;

	for (int i = 0; i < likelihood->nstarts; i++)
	{
		for (int j = 0; j < n; j++)
			starts[i][j] = clamp(objective, j, log(likelihood->starts[i][j]));
		values[i] = evaluate(objective, starts[i], NULL);
	}
	for (int i = 0; i < Min(FOLLOWED_STARTS, likelihood->nstarts); i++)
	{
		int			highest = 0;
		double		value;

		for (int j = 1; j < likelihood->nstarts; j++)
		{
			if (values[j] > values[highest])
				highest = j;
		}
		values[highest] = -HUGE_VAL;
		value = search(objective, NLOPT_LD_LBFGS, 200, starts[highest]);
		if (i == 0 || value > best)
		{
			best = value;
			memcpy(best_at, starts[highest], n * sizeof(double));
		}
	}
}

/* Find a maximum on the inputs of the objective, beginning at the point */
static bool
settle(Objective *objective, Point *point)
{
	nlopt_algorithm tries[] = {NLOPT_LD_LBFGS, NLOPT_LN_SBPLX};
	int			evaluations[] = {200, 1000};
	bool		reached = newton(objective, point);

	for (int i = 0; !reached && i < lengthof(tries); i++)
	{
		Point		again = *point;

		(void) search(objective, tries[i], evaluations[i], again.at);
		again.has_hessian = false;
		reached = newton(objective, &again);
		if (reached || again.value > point->value)
			*point = again;
	}
	return reached;
}

/*
 * The flattest direction among the parameters that are not held.  Returns
 * the standard deviation along it, infinite where there is no maximum.
 */
static double
flattest(const Objective *objective, const Point *point, double *direction)
{
	Eigen		e;
	double		worst = 0;

	point_eigen(objective, point, &e);
	memset(direction, 0, objective->n * sizeof(double));
	for (int i = 0; i < objective->n; i++)
	{
		double		deviation;

		if (eigen_held(objective, point, &e, i))
			continue;
		deviation = e.values[i] > 0 ? 1 / sqrt(e.values[i]) : HUGE_VAL;
		if (deviation > worst)
		{
			worst = deviation;
			memcpy(direction, e.vectors[i], objective->n * sizeof(double));
		}
	}
	return worst;
}

/* Largest multiple of a direction that stays within the box */
static double
room(const Objective *objective, const Point *point, const double *direction)
{
	double		most = HUGE_VAL;

	for (int i = 0; i < objective->n; i++)
	{
		/* a parameter that hardly takes part does not end the way */
		if (point->held[i] || fabs(direction[i]) < 0.1)
			continue;
		most = Min(most, ((direction[i] > 0 ? objective->upper[i] : objective->lower[i]) -
						  point->at[i]) / direction[i]);
	}
	return isfinite(most) ? Max(most, 0) : 0;
}

/*
 * Where the likelihood is flat, see whether it is at least as high at the
 * box, and if so move there.  Returns whether the point moved.
 */
static bool
go_to_limit(Objective *objective, Point *point, double *direction)
{
	for (int side = 0; side < 2; side++)
	{
		Point		limit;

		point_move(objective, point, direction, room(objective, point, direction), &limit);
		limit.has_hessian = false;
		if (newton(objective, &limit) && limit.value >= point->value - 1e-6)
		{
			for (int i = 0; i < objective->n; i++)
			{
				if (limit.held[i] && !point->held[i])
				{
					*point = limit;
					return true;
				}
			}
		}
		for (int i = 0; i < objective->n; i++)
			direction[i] = -direction[i];
	}
	return false;
}

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
		if (eigen_held(objective, point, &e, k))
			continue;
		if (!(e.values[k] > 0))
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

/* Follow a sample: begin where the smaller one ended */
static void
settle_sample(const Likelihood *likelihood, const Objective *all, size_t size, Point *point)
{
	Objective	sample;
	size_t		count;
	FitInput   *inputs;

	if (all->ninputs <= size)
		return;
	inputs = thin_inputs(all->inputs, all->ninputs, all->weight, size, &count);
	objective_begin(&sample, likelihood, inputs, count);
	(void) newton(&sample, point);
	pfree(inputs);
}

/* Find where to begin, on a small sample */
static void
explore_sample(const Likelihood *likelihood, const Objective *all, Point *point)
{
	Objective	sample;
	size_t		count = all->ninputs;
	FitInput   *inputs = NULL;

	if (all->ninputs > SMALL_SAMPLE)
		inputs = thin_inputs(all->inputs, all->ninputs, all->weight, SMALL_SAMPLE, &count);
	objective_begin(&sample, likelihood, inputs != NULL ? inputs : all->inputs, count);
	explore(&sample, point->at);
	if (inputs != NULL)
		pfree(inputs);
}

/*
 * Find the maximum of a likelihood.  Never fails, except for interrupts and
 * want of memory: the best parameters found are returned with what is known
 * about them.
 */
void
maximize(const Likelihood *likelihood, Maximum *maximum)
{
	Objective	all;
	Point		point;
	double		direction[MODEL_MAX_PARAMS];

	memset(maximum, 0, sizeof(Maximum));
	memset(&point, 0, sizeof(Point));
	objective_begin(&all, likelihood, likelihood->inputs, likelihood->ninputs);

	explore_sample(likelihood, &all, &point);
	settle_sample(likelihood, &all, LARGE_SAMPLE, &point);
	maximum->converged = settle(&all, &point);
	for (int i = 0; i < all.n && flattest(&all, &point, direction) > FLAT_DEVIATION; i++)
	{
		if (!go_to_limit(&all, &point, direction))
			break;
		maximum->converged = true;
	}
	maximum->flat = flattest(&all, &point, direction) > FLAT_DEVIATION;

	for (int i = 0; i < all.n; i++)
	{
		maximum->params[i] = param_at(&all, i, point.at[i]);
		maximum->held[i] = point.held[i];
	}
	maximum->loglik = point.value;
	maximum->evaluations = all.evaluations;
	if (maximum->converged)
		set_covariance(&all, &point, maximum);
}
