/*-------------------------------------------------------------------------
 *
 * exact_sum.h
 *		Sum of floating point numbers, the same for any order of rows.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_EXACT_SUM_H
#define SEGMENT_EXACT_SUM_H

#include "lib/stringinfo.h"
#include "utils/numeric.h"

#include "base/aggregate.h"

/* A sum so far, begun with zeros. */
typedef struct ExactSum
{
	int64		count;
	int			scale;			/* most decimals seen, of those in the next
								 * two */
	int128		small;			/* sum of the numbers below 100,000 */
	int128		large;			/* of those from there on */
	Numeric		rest;			/* of those out of range; or NULL */
} ExactSum;

extern void exact_sum_add(ExactSum *sum, double value, MemoryContext context);
extern void exact_sum_merge(ExactSum *sum, const ExactSum *other, MemoryContext context);
extern void exact_sum_send(StringInfo buf, const ExactSum *sum);
extern void exact_sum_receive(StringInfo buf, ExactSum *sum, const AggregateKind *kind);
extern Numeric exact_sum_numeric(const ExactSum *sum);

#endif							/* SEGMENT_EXACT_SUM_H */
