/*-------------------------------------------------------------------------
 *
 * selection.h
 *		Several order statistics at once, in linear time.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_SELECTION_H
#define SEGMENT_SELECTION_H

/* The key of an int64, and back: an unsigned integer in the same order. */
#define SELECTION_SIGN			(UINT64CONST(1) << 63)

extern int64 selection_rank(int64 i, int64 n, int64 count);
extern void selection_ranks(uint64 *keys, int64 n, int64 base, const int64 *ranks, int nranks);
extern void selection_shares(uint64 *keys, int64 n, int groups, uint64 *answers);

#endif							/* SEGMENT_SELECTION_H */
