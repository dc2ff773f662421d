/*-------------------------------------------------------------------------
 *
 * beta_geometric.h
 *		What BG/NBD and MBG/NBD share: Poisson purchases at a rate with a gamma
 *		distribution, and after each purchase a coin that ends the customer
 *		with a probability that has a beta distribution.
 *
 * params are r, alpha, a, b.  first_coin is 0 if the first purchase (at time
 * zero) is not followed by a coin (BG/NBD), 1 if it is (MBG/NBD).  All else
 * is as in purchase_model.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_BETA_GEOMETRIC_H
#define SEGMENT_BETA_GEOMETRIC_H

#include "models/purchase_model.h"

extern double beta_geometric_loglik(int first_coin, const double *params,
									const PurchaseInput *inputs, size_t ninputs,
									double *gradient);
extern double beta_geometric_p_alive(int first_coin, const double *params,
									 double x, double t_x, double t);
extern double beta_geometric_expected(int first_coin, const double *params,
									  double x, double t_x, double t,
									  double horizon);
extern double beta_geometric_pmf(int first_coin, const double *params,
								 double x, double t_x, double t,
								 double horizon, double n);
extern double beta_geometric_probability(int first_coin, const double *params,
										 double x, double t_x, double t,
										 double horizon);
extern double beta_geometric_discounted(int first_coin, const double *params,
										double x, double t_x, double t,
										double horizon, double rate);
extern double beta_geometric_dert(int first_coin, const double *params,
								  double x, double t_x, double t, double rate);

#endif							/* SEGMENT_BETA_GEOMETRIC_H */
