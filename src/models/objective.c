/*-------------------------------------------------------------------------
 *
 * objective.c
 *		A log-likelihood as a function of the logarithms of its parameters,
 *		within limits, summed over all inputs or over a sample of them.
 *
 * NLopt is C code that does not expect longjmp.  Within it, interrupts are
 * processed under PG_TRY; an error is kept, the search is stopped by NLopt's
 * own means, its memory is freed, and only then is the error raised.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include <math.h>

#include "miscadmin.h"

#include "models/objective.h"

/* Inputs between two checks for interrupts: a few milliseconds at most. */
#define INPUTS_PER_CHECK	512

/* Step in the logarithm of a parameter when the gradient is differenced. */
#define DIFFERENCE_STEP		1e-4

/* The log-likelihood where it is not finite. */
#define NOT_FINITE			(-1e300)

/* A likelihood on some of its inputs, ready to be evaluated. */
void
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
FitInput *
objective_sample(const Objective *all, size_t size, size_t *count)
{
	FitInput   *sample = palloc(size * sizeof(FitInput));
	double		step = all->weight / size;
	double		sum = 0;
	double		taken = 0;
	size_t		n = 0;

	for (size_t i = 0; i < all->ninputs && n < size; i++)
	{
		double		upto;

		sum += all->inputs[i].weight;
		upto = floor(sum / step + 0.5);
		if (upto > taken)
		{
			sample[n] = all->inputs[i];
			sample[n].weight = (upto - taken) * step;
			taken = upto;
			n++;
		}
	}
	*count = n;
	return sample;
}

/* ---------- evaluation ---------- */

/* The parameter of a logarithm; at a limit exactly the limit asked for */
double
objective_param(const Objective *objective, int i, double at)
{
	if (at == objective->lower[i])
		return objective->likelihood->lower[i];
	if (at == objective->upper[i])
		return objective->likelihood->upper[i];
	return exp(at);
}

/* The logarithm of a parameter, moved to the nearest within the limits */
double
objective_clamp(const Objective *objective, int i, double at)
{
	return Max(objective->lower[i], Min(objective->upper[i], at));
}

/* Process a pending interrupt.  Returns false if the search must stop. */
static bool
process_interrupt(Objective *objective)
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

static bool
all_finite(const double *values, int n)
{
	for (int i = 0; i < n; i++)
	{
		if (!isfinite(values[i]))
			return false;
	}
	return true;
}

/*
 * The log-likelihood at a point, with its gradient if wanted.  A value that
 * is not finite counts as very low.  After an error within NLopt the value
 * has no meaning.
 */
double
objective_evaluate(Objective *objective, const double *at, double *gradient)
{
	int			n = objective->n;
	double		params[MODEL_MAX_PARAMS];
	double		total = 0;

	for (int i = 0; i < n; i++)
		params[i] = objective_param(objective, i, at[i]);
	if (gradient != NULL)
		memset(gradient, 0, n * sizeof(double));
	objective->evaluations++;

	for (size_t done = 0; done < objective->ninputs; done += INPUTS_PER_CHECK)
	{
		double		part[MODEL_MAX_PARAMS];

		if (unlikely(INTERRUPTS_PENDING_CONDITION()) && !process_interrupt(objective))
			return 0;
		total += objective->likelihood->loglik(params, objective->inputs + done,
											   Min(INPUTS_PER_CHECK, objective->ninputs - done),
											   gradient != NULL ? part : NULL);
		for (int i = 0; gradient != NULL && i < n; i++)
			gradient[i] += part[i];
	}

	if (isfinite(total) && (gradient == NULL || all_finite(gradient, n)))
		return total;
	if (gradient != NULL)
		memset(gradient, 0, n * sizeof(double));
	return NOT_FINITE;
}

/* ---------- second derivatives ---------- */

/* By central differences of the gradient */
static void
differenced_hessian(Objective *objective, const double *at, ParamMatrix hessian)
{
	int			n = objective->n;

	for (int i = 0; i < n; i++)
	{
		double		above[MODEL_MAX_PARAMS];
		double		below[MODEL_MAX_PARAMS];
		double		moved[MODEL_MAX_PARAMS];

		memcpy(moved, at, n * sizeof(double));
		moved[i] = at[i] + DIFFERENCE_STEP;
		(void) objective_evaluate(objective, moved, above);
		moved[i] = at[i] - DIFFERENCE_STEP;
		(void) objective_evaluate(objective, moved, below);
		for (int j = 0; j < n; j++)
			hessian[i][j] = (above[j] - below[j]) / (2 * DIFFERENCE_STEP);
	}
	for (int i = 0; i < n; i++)
	{
		for (int j = 0; j < i; j++)
			hessian[i][j] = hessian[j][i] = (hessian[i][j] + hessian[j][i]) / 2;
	}
}

/* By the formulas of the kind of model.  Returns false if one is not finite. */
static bool
analytic_hessian(Objective *objective, const double *at, const double *gradient,
				 ParamMatrix hessian)
{
	int			n = objective->n;
	double		params[MODEL_MAX_PARAMS];

	for (int i = 0; i < n; i++)
		params[i] = objective_param(objective, i, at[i]);
	memset(hessian, 0, sizeof(ParamMatrix));
	for (int i = 0; i < n; i++)
		hessian[i][i] = gradient[i];
	objective->evaluations++;

	for (size_t done = 0; done < objective->ninputs; done += INPUTS_PER_CHECK)
	{
		ParamMatrix part;

		CHECK_FOR_INTERRUPTS();
		objective->likelihood->scaled_hessian(params, objective->inputs + done,
											  Min(INPUTS_PER_CHECK, objective->ninputs - done),
											  part);
		for (int i = 0; i < n; i++)
		{
			for (int j = 0; j < n; j++)
				hessian[i][j] += part[i][j];
		}
	}
	for (int i = 0; i < n; i++)
	{
		if (!all_finite(hessian[i], n))
			return false;
	}
	return true;
}

/*
 * Second derivatives by the logarithms of the parameters at a point with
 * the given gradient.  Not to be called within NLopt.
 */
void
objective_second_derivatives(Objective *objective, const double *at,
							 const double *gradient, ParamMatrix hessian)
{
	if (objective->likelihood->scaled_hessian == NULL ||
		!analytic_hessian(objective, at, gradient, hessian))
		differenced_hessian(objective, at, hessian);
}

/* ---------- NLopt ---------- */

/* What NLopt minimizes: minus the mean log-likelihood of a customer */
static double
nlopt_objective(unsigned n, const double *at, double *gradient, void *data)
{
	Objective  *objective = data;
	double		value = 0;

	if (objective->error == NULL)
		value = objective_evaluate(objective, at, gradient);
	if (objective->error != NULL)
		return HUGE_VAL;
	if (value > objective->best)
	{
		objective->best = value;
		memcpy(objective->best_at, at, n * sizeof(double));
	}
	for (unsigned i = 0; gradient != NULL && i < n; i++)
		gradient[i] = -gradient[i] / objective->weight;
	return -value / objective->weight;
}

/*
 * Search with one of NLopt's algorithms from a point, which becomes the best
 * point seen.  How the algorithm says it ended does not matter; the caller
 * finds out whether the result is a maximum.
 */
double
objective_search(Objective *objective, nlopt_algorithm algorithm,
				 int max_evaluations, double *at)
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
