/*-------------------------------------------------------------------------
 *
 * customer_figures.h
 *		The figures of a customer: columns of the type
 *		segment_internal.customer_figures.
 *
 * They are kept in two arrays of FIGURES elements, values and nulls.  Those that
 * the histories give are from history_figures.c, those that follow from these, the
 * day and a scorecard from derived_figures.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_CUSTOMER_FIGURES_H
#define SEGMENT_CUSTOMER_FIGURES_H

enum CustomerFigure
{
	FIGURE_AS_OF,
	FIGURE_ORDERS,
	FIGURE_PURCHASE_DAYS,
	FIGURE_VISITS,				/* purchase days but for those cancelled at
								 * once */
	FIGURE_FIRST_DAY,
	FIGURE_LAST_DAY,
	FIGURE_DAYS_SINCE_LAST,
	FIGURE_TENURE_DAYS,
	FIGURE_GROSS,
	FIGURE_REFUNDED,
	FIGURE_NET,
	FIGURE_USAGE,				/* gross but for what was cancelled at once */
	FIGURE_MARGIN,
	FIGURE_COST,
	FIGURE_NET_VALUE,
	FIGURE_AVERAGE_ORDER,
	FIGURE_PERIOD_ORDERS,		/* of the last period, as all with this prefix */
	FIGURE_PERIOD_NET,
	FIGURE_PERIOD_MARGIN,
	FIGURE_PERIOD_COST,
	FIGURE_PERIOD_NET_VALUE,
	FIGURE_PREVIOUS_NET,
	FIGURE_NET_CHANGE,
	FIGURE_TREND,
	FIGURE_TREND_P_VALUE,
	FIGURE_MEAN_GAP_DAYS,
	FIGURE_GAP_CV,
	FIGURE_GAP_RATIO,
	FIGURE_R_SCORE,
	FIGURE_F_SCORE,
	FIGURE_M_SCORE,
	FIGURE_RFM_CELL,
	FIGURE_P_ALIVE,
	FIGURE_EXPECTED_PURCHASES,
	FIGURE_PURCHASE_PROBABILITY,
	FIGURE_EXPECTED_SPEND,
	FIGURE_CONTRIBUTION_RATE,
	FIGURE_CLV,
	FIGURE_CLV_BEFORE_COST,
	FIGURE_CHURN_RISK,
	FIGURE_CHURN_RISK_BASIS,
	FIGURE_MONETARY,			/* net as a double */
	FIGURE_REPEAT_SPEND,
	FIGURE_TREND_NET,			/* sums behind the trend */
	FIGURE_TREND_MOMENT,
	FIGURE_TREND_SQUARE,
	FIGURE_RECENT_WINDOW,		/* days of the recent window of signs of
								 * leaving */
	FIGURE_RECENT_DAYS,			/* of them the customer's own */
	FIGURE_PAST_DAYS,
	FIGURE_RECENT_PURCHASE_DAYS,
	FIGURE_PAST_PURCHASE_DAYS,
	FIGURE_FREQUENCY_P_VALUE,
	FIGURE_RECENT_SPEND,
	FIGURE_PAST_SPEND,
	FIGURE_SPEND_P_VALUE,
	FIGURE_RECENT_COMPLAINTS,
	FIGURE_PAST_COMPLAINTS,
	FIGURE_COMPLAINTS_P_VALUE,
	FIGURE_RECENT_SATISFACTION,
	FIGURE_PAST_SATISFACTION,
	FIGURE_RETURN_BELOW,		/* see churn_returns */
	FIGURE_NEXT_EVENT,			/* first day on which the histories say more */
	FIGURE_NEXT_CHANGE,			/* first day on which kept figures change
								 * without that */
	FIGURE_DAY_NUMBER,			/* of the day among those asked for, from 1 */
	FIGURE_DAYS_KNOWN,			/* by how many of them the customer was known */
	FIGURE_SCORECARD_ID,		/* the scorecard that scores the day */
	FIGURES
};

#endif							/* SEGMENT_CUSTOMER_FIGURES_H */
