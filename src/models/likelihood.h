/*-------------------------------------------------------------------------
 *
 * likelihood.h
 *		A log-likelihood, and where to look for its maximum.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_LIKELIHOOD_H
#define SEGMENT_LIKELIHOOD_H

/* No kind of model has more parameters. */
#define MODEL_MAX_PARAMS		4

/* From how many points the search for a maximum can begin. */
#define LIKELIHOOD_MAX_STARTS	12

/* One customer, or many with equal inputs. */
typedef struct FitInput
{
	double		x;				/* repeat purchases (transactions after the
								 * first) */
	double		t_x;			/* time of the last one, since the first
								 * purchase (gammagamma: the mean spend) */
	double		t;				/* end of observation, since the first
								 * purchase (bgbb: the number of opportunities
								 * n; gammagamma: not used) */
	double		weight;			/* how many customers, > 0 */
} FitInput;

/*
 * The sum over the inputs of weight * log-likelihood, in the order given, not
 * rescaled; the gradient (a value per parameter, may be NULL) is by the
 * *logarithm* of each parameter.  The combinatorial constant that the
 * published log-likelihood of the model leaves out is left out.
 */
typedef double (*LoglikFunction) (const double *params, const FitInput *inputs,
								  size_t ninputs, double *gradient);

typedef double ParamMatrix[MODEL_MAX_PARAMS][MODEL_MAX_PARAMS];

/*
 * The sum over the inputs of weight * second derivatives of the
 * log-likelihood, each multiplied with its two parameters.  The second
 * derivatives by the logarithms are these, with the gradient by the
 * logarithms added on the diagonal.
 */
typedef void (*ScaledHessianFunction) (const double *params, const FitInput *inputs,
									   size_t ninputs, ParamMatrix hessian);

typedef struct Likelihood
{
	int			nparams;
	LoglikFunction loglik;
	ScaledHessianFunction scaled_hessian;	/* NULL: the gradient is
											 * differenced */
	const FitInput *inputs;		/* sorted, distinct */
	size_t		ninputs;		/* at least 1 */

	/* Limits of the parameters; a maximum beyond them is held there. */
	double		lower[MODEL_MAX_PARAMS];
	double		upper[MODEL_MAX_PARAMS];

	/* Where to begin; the best of them are tried. */
	int			nstarts;
	double		starts[LIKELIHOOD_MAX_STARTS][MODEL_MAX_PARAMS];
} Likelihood;

#endif							/* SEGMENT_LIKELIHOOD_H */
