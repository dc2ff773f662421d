/*-------------------------------------------------------------------------
 *
 * distribution.h
 *		The normal distribution and Student's t, for tests and intervals.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_DISTRIBUTION_H
#define SEGMENT_DISTRIBUTION_H

extern double distribution_normal_beyond(double z);
extern double distribution_normal_limit(double level);
extern double distribution_student_beyond(double t, double df);
extern double distribution_student_limit(double level, double df);

#endif							/* SEGMENT_DISTRIBUTION_H */
