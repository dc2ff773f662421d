/*-------------------------------------------------------------------------
 *
 * history_figures.h
 *		The figures of a customer that the histories give.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_HISTORY_FIGURES_H
#define SEGMENT_HISTORY_FIGURES_H

#include "portfolio/churn.h"
#include "portfolio/customer_figures.h"
#include "portfolio/period.h"
#include "portfolio/scorecard_terms.h"
#include "types/history_totals.h"

/* What is known of a customer; a history that is not there is NULL. */
typedef struct CustomerHistories
{
	const struct varlena *purchases;
	const struct varlena *margins;
	const struct varlena *costs;
	const struct varlena *complaints;
	const struct varlena *satisfaction;
	bool		listed;			/* known though nothing may have happened */
} CustomerHistories;

/* A customer's histories on the way through the days, and the figures so far. */
typedef struct Customer
{
	HistoryRun	purchases;
	HistoryRun	margins;
	HistoryRun	costs;
	KnownDays	purchase_days;
	KnownDays	margin_days;
	KnownDays	cost_days;
	KnownDays	complaint_days;
	KnownDays	satisfaction_days;
	ChurnReturns returns;
	bool		listed;
	Datum		values[FIGURES];
	bool		nulls[FIGURES];
} Customer;

extern void customer_open(Customer *customer, const CustomerHistories *histories);
extern bool customer_move(Customer *customer, DateADT day, const ScorecardTerms *terms);

#endif							/* SEGMENT_HISTORY_FIGURES_H */
