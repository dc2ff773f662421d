/*-------------------------------------------------------------------------
 *
 * history_totals.h
 *		What a history says, gathered in one pass.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_HISTORY_TOTALS_H
#define SEGMENT_HISTORY_TOTALS_H

#include "utils/numeric.h"

#include "types/history.h"

/* One pass over a history gathers all there is to know. */
typedef struct HistoryTotals
{
	int64		orders;
	int64		refunds;
	int64		purchase_days;
	int64		visits;			/* of them, days whose orders did not all come
								 * back on the day */
	DateADT		first_day;		/* valid if purchase_days > 0 */
	DateADT		last_day;
	int128		gross;
	int128		refunded;
	int128		cancelled;		/* what was refunded on the day of the order */
	int128		first_gross;	/* gross of the first purchase day */
	int128		squared_gaps;	/* sum of the squared gaps between purchase
								 * days */
	int			scale;
	int			display_scale;
	bool		any;			/* was there any day? */
} HistoryTotals;

/*
 * The same for several days, each later than the one before, in one pass over
 * the history.
 */
typedef struct HistoryRun
{
	HistoryReader reader;
	HistoryDay	next;			/* the first day that is not in the totals */
	bool		more;			/* is there one? */
	HistoryTotals totals;
} HistoryRun;

extern PGDLLEXPORT void history_total_up_to(const struct varlena *history, DateADT as_of,
											HistoryTotals *totals);
extern void history_run_start(HistoryRun *run, const struct varlena *history);
extern bool history_run_to(HistoryRun *run, DateADT as_of);
extern Numeric history_amount(const HistoryTotals *totals, int128 amount);
extern double history_monetary(const HistoryTotals *totals);
extern double history_mean_repeat_spend(const HistoryTotals *totals);
extern double history_mean_gap(const HistoryTotals *totals);
extern double history_gap_variation(const HistoryTotals *totals);

#endif							/* SEGMENT_HISTORY_TOTALS_H */
