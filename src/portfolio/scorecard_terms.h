/*-------------------------------------------------------------------------
 *
 * scorecard_terms.h
 *		What a customer's figures take from a scorecard.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_SCORECARD_TERMS_H
#define SEGMENT_SCORECARD_TERMS_H

#include "models/model.h"
#include "portfolio/churn.h"
#include "portfolio/period.h"

/* A value of the type segment_internal.scorecard_terms. */
typedef struct ScorecardTerms
{
	struct varlena *cuts[3];	/* of recency, frequency, monetary: detoasted
								 * float8[]; or NULL */
	bool		has_gap;		/* are the next two known? */
	double		prior_gaps;
	double		usual_gap;
	const Model *purchase_model;	/* NULL: none, and so with spend_model */
	const Model *spend_model;
	double		unit_days;
	double		horizon;
	double		probability_horizon;
	double		annual_rate;
	bool		has_margin_rate;	/* else the purchases have their margins */
	Datum		margin_rate;	/* numeric */
	text	   *churn_basis;	/* NULL: there is no scorecard yet */
	double		churn_horizon;
	const double *churn_shares; /* of customers alike; NULL: the risk is the
								 * model's */
	bool		cancel_same_day;	/* orders that were refunded on the same
									 * day do not count as visits and usage */
	PeriodTerms period;
	ChurnTerms	churn;
	bool		has_contribution;	/* are the next known? */
	double		contribution_rate;	/* of the portfolio: net value per unit of
									 * gross */
	double		rate_before_cost;	/* the same of the margin */
	double		usual_gross;	/* a usual purchase */
	double		prior_purchases;	/* how many of them the two rates count
									 * for */
} ScorecardTerms;

extern const ScorecardTerms no_scorecard_terms;

extern void scorecard_terms_deform(Datum row, ScorecardTerms *terms);

#endif							/* SEGMENT_SCORECARD_TERMS_H */
