/*-------------------------------------------------------------------------
 *
 * maximize.h
 *		The maximum of a log-likelihood over positive parameters.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_MAXIMIZE_H
#define SEGMENT_MAXIMIZE_H

#include "models/likelihood.h"

typedef struct Maximum
{
	double		params[MODEL_MAX_PARAMS];
	double		loglik;
	bool		held[MODEL_MAX_PARAMS]; /* at a limit */
	bool		converged;		/* it is a maximum, if there is one */
	bool		flat;			/* the likelihood hardly changes in some
								 * direction among the parameters not held */

	/*
	 * Inverse observed information in the parameters themselves, zero in rows
	 * and columns of held parameters; only if has_covariance.
	 */
	bool		has_covariance;
	ParamMatrix covariance;

	int			evaluations;	/* passes over all inputs */
} Maximum;

extern void maximize(const Likelihood *likelihood, const Maximum *earlier,
					 Maximum *maximum);

#endif							/* SEGMENT_MAXIMIZE_H */
