/*-------------------------------------------------------------------------
 *
 * risk.h
 *		The risk of no order, from what became of customers alike.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_RISK_H
#define SEGMENT_RISK_H

#include "utils/array.h"

extern const double *risk_shares_checked(ArrayType *shares);
extern double risk_share(const double *shares, double gap_ratio, int64 orders);

#endif							/* SEGMENT_RISK_H */
