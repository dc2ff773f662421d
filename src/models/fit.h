/*-------------------------------------------------------------------------
 *
 * fit.h
 *		The fit of a model to inputs that have been collected.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_FIT_H
#define SEGMENT_FIT_H

#include "models/fit_inputs.h"
#include "models/model.h"

/* A mean spend below this counts as none. */
#define FIT_LEAST_SPEND				1e-30

extern void fit_add_spend(FitInputs *inputs, double x, double mean_spend, double weight);
extern Model *fit_model(ModelKindId id, const FitInputs *inputs, const FitInput *merged,
						size_t count, const Model *earlier);

#endif							/* SEGMENT_FIT_H */
