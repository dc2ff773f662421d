/*-------------------------------------------------------------------------
 *
 * fit_inputs.h
 *		The inputs of a fit: distinct rows with exact counts.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_FIT_INPUTS_H
#define SEGMENT_FIT_INPUTS_H

#include "utils/palloc.h"

#include "base/aggregate.h"
#include "models/likelihood.h"

typedef struct FitInputs FitInputs;

/* FitInputs as the state of the aggregates that fit a model */
extern const AggregateKind fit_inputs_kind;

extern FitInputs *fit_inputs_create(MemoryContext context);
extern void fit_inputs_add(FitInputs *inputs, double x, double t_x, double t,
						   double weight, int64 count);
extern void fit_inputs_ignore(FitInputs *inputs, int64 count);
extern int64 fit_inputs_rows(const FitInputs *inputs);
extern int64 fit_inputs_ignored(const FitInputs *inputs);
extern FitInput *fit_inputs_merged(FitInputs *inputs, size_t *count);

#endif							/* SEGMENT_FIT_INPUTS_H */
