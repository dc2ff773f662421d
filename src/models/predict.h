/*-------------------------------------------------------------------------
 *
 * predict.h
 *		What a model says about a customer.
 *
 * All check their arguments: the errors are those of the SQL functions.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_PREDICT_H
#define SEGMENT_PREDICT_H

#include "models/model.h"

/* What a model of purchases knows of a customer, in its time unit. */
typedef struct CustomerInput
{
	double		x;				/* repeat purchases */
	double		t_x;			/* from the first purchase to the last */
	double		t;				/* from the first purchase to now */
} CustomerInput;

extern double predict_p_alive(const Model *model, const CustomerInput *input);
extern double predict_purchases(const Model *model, const CustomerInput *input, double horizon);
extern double predict_purchase_probability(const Model *model, const CustomerInput *input, double horizon);
extern double predict_discounted_purchases(const Model *model, const CustomerInput *input, double horizon,
										   double annual_rate, const char *what);
extern double predict_spend(const Model *model, double x, double mean_spend, const char *spend_name);
extern double predict_value(double purchases, double amount, double margin);

#endif							/* SEGMENT_PREDICT_H */
