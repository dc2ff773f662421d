/*-------------------------------------------------------------------------
 *
 * maximise.h
 *		The maximum of a log-likelihood over positive parameters.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_MAXIMISE_H
#define SEGMENT_MAXIMISE_H

#include "models/purchase_model.h"

#define MAXIMISE_MAX_STARTS		12

/*
 * A log-likelihood with where to look for its maximum.  The likelihood is as
 * described for PurchaseModelKind: gradient by the logarithm of each
 * parameter.
 */
typedef struct Likelihood
{
	int			nparams;
	double		(*loglik) (const double *params, const PurchaseInput *inputs,
						   size_t ninputs, double *gradient);
	const PurchaseInput *inputs;	/* sorted, distinct */
	size_t		ninputs;		/* at least 1 */

	/* Limits of the parameters; a maximum beyond them is held there. */
	double		lower[PURCHASE_MODEL_MAX_PARAMS];
	double		upper[PURCHASE_MODEL_MAX_PARAMS];

	/* Where to begin; the best of them are tried. */
	int			nstarts;
	double		starts[MAXIMISE_MAX_STARTS][PURCHASE_MODEL_MAX_PARAMS];
} Likelihood;

typedef struct Maximum
{
	double		params[PURCHASE_MODEL_MAX_PARAMS];
	double		loglik;
	bool		held[PURCHASE_MODEL_MAX_PARAMS];	/* at a limit */
	bool		converged;		/* it is a maximum, if there is one */
	bool		flat;			/* the likelihood hardly changes in some
								 * direction among the parameters not held */

	/*
	 * Inverse observed information in the parameters themselves, zero in rows
	 * and columns of held parameters; only if has_covariance.
	 */
	bool		has_covariance;
	double		covariance[PURCHASE_MODEL_MAX_PARAMS][PURCHASE_MODEL_MAX_PARAMS];

	int			evaluations;	/* passes over all inputs */
} Maximum;

extern void maximise(const Likelihood *likelihood, Maximum *maximum);

#endif							/* SEGMENT_MAXIMISE_H */
