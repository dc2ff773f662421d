/*-------------------------------------------------------------------------
 *
 * rank_sum.h
 *		The test of the sum of ranks of two samples.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_RANK_SUM_H
#define SEGMENT_RANK_SUM_H

typedef struct RankedValue
{
	double		value;
	bool		chosen;			/* is it of the sample that may be lower? */
	int			rank;			/* room for the test */
} RankedValue;

extern double rank_sum_p_value(RankedValue *values, int count);

#endif							/* SEGMENT_RANK_SUM_H */
