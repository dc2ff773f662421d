/*-------------------------------------------------------------------------
 *
 * fit_inputs.h
 *		The inputs of a fit: distinct rows with exact counts.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_FIT_INPUTS_H
#define SEGMENT_FIT_INPUTS_H

#include "lib/stringinfo.h"
#include "utils/palloc.h"

#include "models/likelihood.h"

typedef struct FitInputs FitInputs;

extern FitInputs *fit_inputs_create(MemoryContext context);
extern void fit_inputs_add(FitInputs *inputs, double x, double t_x, double t,
					   double weight, int64 count);
extern void fit_inputs_add_all(FitInputs *inputs, const FitInputs *other);
extern void fit_inputs_ignore(FitInputs *inputs, int64 count);
extern int64 fit_inputs_rows(const FitInputs *inputs);
extern int64 fit_inputs_ignored(const FitInputs *inputs);
extern FitInput *fit_inputs_merged(FitInputs *inputs, size_t *count);

extern void fit_inputs_send(FitInputs *inputs, StringInfo buf);
extern FitInputs *fit_inputs_receive(MemoryContext context, StringInfo buf);

#endif							/* SEGMENT_FIT_INPUTS_H */
