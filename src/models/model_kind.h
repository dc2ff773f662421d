/*-------------------------------------------------------------------------
 *
 * model_kind.h
 *		What a kind of model is to the rest of the extension: its names, how
 *		it is fitted, and what it predicts.
 *
 * A kind is described once, at the end of the file with its mathematics, as a
 * set of pure functions of the parameters and of what is known of a customer.
 * A new kind needs such a file, a number in model.h and a line in model_kinds
 * (model.c).
 *
 * None of the functions allocates, raises errors or reads settings.  Arguments
 * have been checked by the caller: parameters are positive and finite, and
 * 0 <= t_x <= t, x >= 0, x = 0 implies t_x = 0, horizon >= 0, rate >= 0.
 * Times are in the model's own unit.  Every function returns a finite value
 * within its range (probabilities 0..1, expectations >= 0) for any such
 * arguments.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_MODEL_KIND_H
#define SEGMENT_MODEL_KIND_H

#include "models/likelihood.h"

/* What a parameter is measured in: its typical size is that of ... */
typedef enum ParamScale
{
	SCALE_ONE = 0,				/* a number without unit */
	SCALE_GAP,					/* the mean time per repeat purchase */
	SCALE_PERIOD,				/* the mean time of observation */
	SCALE_SPEND,				/* the mean spend (the second column) */
} ParamScale;

#define NSCALES		4

/* What the inputs of a fit are like, before any model is fitted */
typedef struct FitSummary
{
	double		customers;		/* sum of weights */
	double		repeat_buyers;	/* of these with x > 0 */
	double		correlation;	/* of the first and second column */
	double		typical[NSCALES];	/* by ParamScale */
} FitSummary;

typedef struct ModelKind
{
	const char *name;

	/*
	 * The parameters.  Of a model of purchases the first two describe how the
	 * customers buy and the last two how they leave.
	 */
	int			nparams;
	struct
	{
		const char *name;
		ParamScale	scale;
	}			params[MODEL_MAX_PARAMS];

	/* The fit: where to begin, as multiples of the typical sizes */
	LoglikFunction loglik;
	ScaledHessianFunction scaled_hessian;	/* may be NULL */
	int			nstarts;
	double		starts[LIKELIHOOD_MAX_STARTS][MODEL_MAX_PARAMS];

	/*
	 * Models of purchases; NULL in a model of spend
	 */

	/* Do purchases happen only at opportunities, which time is counted in? */
	bool		discrete;

	/* Mean chance of leaving: at an occasion to do so, or in a mean period */
	double		(*mean_dropout) (const double *params, const FitSummary *summary);

	/* P(alive at t | x, t_x, t) */
	double		(*p_alive) (const double *params, double x, double t_x, double t);

	/*
	 * E[purchases in (t, t + horizon] | x, t_x, t].  A new customer is one of
	 * whom nothing has been observed yet: x = t_x = t = 0.
	 */
	double		(*expected) (const double *params, double x, double t_x, double t,
							 double horizon);

	/* P(n purchases in (t, t + horizon] | x, t_x, t) */
	double		(*pmf) (const double *params, double x, double t_x, double t,
						double horizon, double n);

	/* P(at least one purchase in (t, t + horizon] | x, t_x, t) */
	double		(*probability) (const double *params, double x, double t_x, double t,
								double horizon);

	/*
	 * Expected discounted purchases in (t, t + horizon], a purchase at t + s
	 * counting exp(-rate * s); rate is continuous, per time unit of the
	 * model. The horizon may be infinite if rate > 0: then this is DERT.
	 */
	double		(*discounted) (const double *params, double x, double t_x, double t,
							   double horizon, double rate);

	/*
	 * Models of spend; NULL in a model of purchases
	 */

	/* Does the mean spend over all customers exist? */
	bool		(*mean_exists) (const double *params);

	/*
	 * Expected spend of a purchase of a customer with x purchases of the
	 * given mean, which is not looked at if x = 0
	 */
	double		(*expected_spend) (const double *params, double x, double mean_spend);
} ModelKind;

extern const ModelKind bgnbd_kind;
extern const ModelKind mbgnbd_kind;
extern const ModelKind pnbd_kind;
extern const ModelKind bgbb_kind;
extern const ModelKind gammagamma_kind;

#endif							/* SEGMENT_MODEL_KIND_H */
