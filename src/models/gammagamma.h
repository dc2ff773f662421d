/*-------------------------------------------------------------------------
 *
 * gammagamma.h
 *		The gamma-gamma model of spend per purchase.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_GAMMAGAMMA_H
#define SEGMENT_GAMMAGAMMA_H

#include "models/purchase_model.h"

/* Order of the parameters */
#define GAMMAGAMMA_P		0
#define GAMMAGAMMA_Q		1
#define GAMMAGAMMA_GAMMA	2

/* In an input of the fit, x is itself and t_x the mean spend; t is not used. */
#define GAMMAGAMMA_SPEND(input)	((input)->t_x)

extern double gammagamma_loglik(const double *params, const PurchaseInput *inputs,
								size_t ninputs, double *gradient);
extern double gammagamma_expected_spend(const double *params, double x, double mean_spend);

#endif							/* SEGMENT_GAMMAGAMMA_H */
