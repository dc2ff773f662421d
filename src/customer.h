/*-------------------------------------------------------------------------
 *
 * customer.h
 *		What the view customer needs of a history and a scorecard.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_CUSTOMER_H
#define SEGMENT_CUSTOMER_H

#include "history_measure.h"

/* What a scorecard says that a customer is measured by. */
typedef struct CustomerYardstick
{
	struct varlena *cuts[3];	/* of recency, frequency, monetary: detoasted float8[]; or NULL */
	bool		has_gap;		/* are the next two known? */
	double		prior_gaps;
	double		usual_gap;
} CustomerYardstick;

/*
 * Columns of the type segment.customer_figures: first those that are not
 * amounts, then gross, refunded and net.
 */
#define CUSTOMER_FIGURES	14
#define CUSTOMER_AMOUNTS	3

extern void customer_set_figures(const HistoryTotals *totals, DateADT as_of,
								 const CustomerYardstick *yardstick,
								 Datum *values, bool *nulls);
extern void customer_set_amounts(const HistoryTotals *totals, Datum *values);

#endif							/* SEGMENT_CUSTOMER_H */
