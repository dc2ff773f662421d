/*-------------------------------------------------------------------------
 *
 * cuts.h
 *		What aggregates of cut points have in common.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_CUTS_H
#define SEGMENT_CUTS_H

/* More groups than anybody reads; keeps the result far below 1 GB. */
#define CUTS_MAX_GROUPS		1000000

extern void cuts_check_groups(int32 groups, int32 before);
extern const double *cuts_state_values(const void *state, int64 *count, int *groups);
extern Datum cuts_array(const double *cuts, int ncuts);

#endif							/* SEGMENT_CUTS_H */
