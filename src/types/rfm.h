/*-------------------------------------------------------------------------
 *
 * rfm.h
 *		The small summary of a customer's orders: how many, how much, first
 *		and last.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_RFM_H
#define SEGMENT_RFM_H

#include "datatype/timestamp.h"
#include "utils/date.h"

#define RFM_VERSION		1

/*
 * The stored form: 64 bytes, so that a group's state is one cache line and
 * one 64-byte allocation.
 *
 * Both amounts are 128-bit words at the full scale of decimal.h (c.h declares
 * them to need no more alignment than palloc gives).  A sum needs 120 bits;
 * the topmost byte of gross is the format version, that of refunded the
 * display scale (the largest number of decimals seen, 0..9).
 */
typedef struct Rfm
{
	TimestampTz first_at;		/* first order; DT_NOEND if there is none */
	TimestampTz last_at;		/* last order; DT_NOBEGIN if there is none */
	int64		orders;			/* amounts >= 0 */
	int64		refunds;		/* amounts < 0 */
	uint128		gross;			/* sum of the orders; version */
	uint128		refunded;		/* minus the sum of the refunds; display scale */
} Rfm;

/* What goes into a summary besides single orders: a day's, a part's. */
typedef struct RfmPart
{
	TimestampTz first_at;
	TimestampTz last_at;
	int64		orders;
	int64		refunds;
	int128		gross;			/* both at the full scale */
	int128		refunded;
	int			display_scale;
} RfmPart;

extern TimestampTz rfm_midnight_utc(DateADT day);
extern Rfm *rfm_create(void);
extern void rfm_add(Rfm *rfm, const RfmPart *part);

#endif							/* SEGMENT_RFM_H */
