/*-------------------------------------------------------------------------
 *
 * churn.h
 *		The recent past of a customer against the customer's own past.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_CHURN_H
#define SEGMENT_CHURN_H

#include "portfolio/period.h"

/* What a customer's signs of leaving take from a scorecard. */
typedef struct ChurnTerms
{
	int32		recent_days;	/* of the shortest recent window; 0: unknown,
								 * and nothing is said */
	int32		past_days;		/* of the past window before it */
	double		significance;	/* a p-value that counts */
	double		asleep;			/* usual gaps without a purchase, after which
								 * a purchase is a return */
	double		prior_gaps;		/* gaps of the population in a usual gap */
} ChurnTerms;

/* The two windows of a customer as of a day. */
typedef struct ChurnWindows
{
	int32		window;			/* days of the recent one */
	int64		past_window;	/* days of the past one */
	int64		recent_days;	/* of them the customer's own */
	int64		past_days;
} ChurnWindows;

/* What a history says of both windows. */
typedef struct ChurnCounts
{
	int64		recent;
	int64		past;
	int128		recent_amount;
	int128		past_amount;
} ChurnCounts;

/* The purchase days so far, looked at for returns after a long absence. */
typedef struct ChurnReturns
{
	int			read;			/* known days that have been looked at */
	int64		purchase_days;
	DateADT		first_day;		/* valid if purchase_days > 0 */
	DateADT		last_day;
	double		below;			/* the customer came back if the usual gap of
								 * the population is less than this */
} ChurnReturns;

extern void churn_windows(const ChurnTerms *terms, const KnownDays *purchases, DateADT first_day,
						  DateADT as_of, ChurnWindows *windows);
extern void churn_own_days(const ChurnTerms *terms, int32 window, int64 tenure_days, ChurnWindows *windows);
extern int64 churn_windows_change(const ChurnTerms *terms, const KnownDays *purchases, DateADT first_day,
								  DateADT as_of, const ChurnWindows *windows, int64 before);
extern bool churn_purchases(const KnownDays *purchases, DateADT first_day, DateADT as_of,
							const ChurnWindows *windows, ChurnCounts *counts, double *spend_p_value);
extern void churn_events(const KnownDays *events, DateADT as_of, const ChurnWindows *windows,
						 ChurnCounts *counts);
extern void churn_returns(ChurnReturns *returns, const KnownDays *purchases, const ChurnTerms *terms);

extern double churn_fall_p_value(double recent, double past, double recent_days, double past_days);

#endif							/* SEGMENT_CHURN_H */
