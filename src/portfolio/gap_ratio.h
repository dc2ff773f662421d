/*-------------------------------------------------------------------------
 *
 * gap_ratio.h
 *		Days without a purchase, in units of what is usual.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_GAP_RATIO_H
#define SEGMENT_GAP_RATIO_H

/*
 * customer_gap_ratio: days without a purchase in units of the customer's usual
 * gap
 *
 * That is the mean of the gaps between the purchase days, which lie in a span
 * of days, and of prior_gaps gaps of usual_gap days, those of the population.
 */
static inline double
customer_gap_ratio(int64 days, int64 span, int64 purchase_days, double prior_gaps, double usual_gap)
{
	double		gaps = prior_gaps + (purchase_days - 1);

	return days / (gaps > 0 ? (prior_gaps * usual_gap + span) / gaps : usual_gap);
}

#endif							/* SEGMENT_GAP_RATIO_H */
