/*-------------------------------------------------------------------------
 *
 * objective.h
 *		A log-likelihood as a function of the logarithms of its parameters,
 *		within limits, summed over all inputs or over a sample of them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_OBJECTIVE_H
#define SEGMENT_OBJECTIVE_H

#include <nlopt.h>

#include "models/likelihood.h"

typedef struct Objective
{
	const Likelihood *likelihood;
	const FitInput *inputs;
	size_t		ninputs;
	double		weight;			/* sum of the weights */
	int			n;				/* number of parameters */
	double		lower[MODEL_MAX_PARAMS];	/* limits of the logarithms */
	double		upper[MODEL_MAX_PARAMS];
	int			evaluations;	/* passes over the inputs so far */

	/* Within NLopt only: */
	nlopt_opt	opt;			/* what to stop; NULL outside of NLopt */
	ErrorData  *error;			/* what to raise afterwards */
	MemoryContext error_context;	/* where to keep it */
	double		best;			/* highest value seen */
	double		best_at[MODEL_MAX_PARAMS];
} Objective;

extern void objective_begin(Objective *objective, const Likelihood *likelihood,
							const FitInput *inputs, size_t ninputs);
extern FitInput *objective_sample(const Objective *all, size_t size, size_t *count);
extern double objective_param(const Objective *objective, int i, double at);
extern double objective_clamp(const Objective *objective, int i, double at);
extern double objective_evaluate(Objective *objective, const double *at, double *gradient);
extern void objective_second_derivatives(Objective *objective, const double *at,
										 const double *gradient, ParamMatrix hessian);
extern double objective_search(Objective *objective, nlopt_algorithm algorithm,
							   int max_evaluations, double *at);

#endif							/* SEGMENT_OBJECTIVE_H */
