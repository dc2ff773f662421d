/*-------------------------------------------------------------------------
 *
 * customer.h
 *		What the view customer needs of a history and a scorecard.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_CUSTOMER_H
#define SEGMENT_CUSTOMER_H

#include "types/history_measure.h"

/* What a scorecard says that a customer is measured by. */
typedef struct CustomerYardstick
{
	struct varlena *cuts[3];	/* of recency, frequency, monetary: detoasted float8[]; or NULL */
	bool		has_gap;		/* are the next two known? */
	double		prior_gaps;
	double		usual_gap;
} CustomerYardstick;

/* How many columns each of these functions sets. */
#define CUSTOMER_JUDGED		6	/* scores, gap_ratio, days_since_last, tenure_days */
#define CUSTOMER_MEASURES	6	/* counts, days and rhythm */
#define CUSTOMER_AMOUNTS	3	/* gross, refunded, net */

extern void customer_set_judged(const HistoryTotals *totals, DateADT as_of,
								const CustomerYardstick *yardstick, Datum *values, bool *nulls);
extern void customer_set_measures(const HistoryTotals *totals, Datum *values, bool *nulls);
extern void customer_set_amounts(const HistoryTotals *totals, Datum *values);

#endif							/* SEGMENT_CUSTOMER_H */
