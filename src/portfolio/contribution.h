/*-------------------------------------------------------------------------
 *
 * contribution.h
 *		What of a customer's gross sales is left as contribution.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_CONTRIBUTION_H
#define SEGMENT_CONTRIBUTION_H

extern double contribution_rate(double contribution, double gross, double purchase_days,
								double rate, double usual_gross, double prior_purchases);

#endif							/* SEGMENT_CONTRIBUTION_H */
