/*-------------------------------------------------------------------------
 *
 * inputs.h
 *		The inputs of a fit: distinct rows with exact counts.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_INPUTS_H
#define SEGMENT_INPUTS_H

#include "base/aggregate.h"
#include "models/purchase_model.h"
#include "utils/palloc.h"

typedef struct Inputs Inputs;

/* Inputs as the state of the aggregates that fit a model */
extern const AggregateKind inputs_kind;

extern Inputs *inputs_create(MemoryContext context);
extern void inputs_add(Inputs *inputs, double x, double t_x, double t,
					   double weight, int64 count);
extern void inputs_ignore(Inputs *inputs, int64 count);
extern int64 inputs_rows(const Inputs *inputs);
extern int64 inputs_ignored(const Inputs *inputs);
extern PurchaseInput *inputs_merged(Inputs *inputs, size_t *count);

#endif							/* SEGMENT_INPUTS_H */
