/*-------------------------------------------------------------------------
 *
 * score.h
 *		The group of a value among cut points.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_SCORE_H
#define SEGMENT_SCORE_H

/* cuts: a float8[], detoasted, possibly with a short header */
extern int	score_of(double value, struct varlena *cuts);

#endif							/* SEGMENT_SCORE_H */
