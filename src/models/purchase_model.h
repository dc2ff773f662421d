/*-------------------------------------------------------------------------
 *
 * purchase_model.h
 *		What a purchase model is to the rest of the extension: a set of pure
 *		functions of parameters and a customer's sufficient statistic.
 *
 * Nothing here allocates, raises errors or reads settings.  Arguments have
 * been checked by the caller: parameters are positive and finite, and
 * 0 <= t_x <= t, x >= 0, x = 0 implies t_x = 0, horizon >= 0, rate >= 0.
 * Times are in the model's own unit.  Every function returns a finite value
 * within its range (probabilities 0..1, expectations >= 0) for any such
 * arguments.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_PURCHASE_MODEL_H
#define SEGMENT_PURCHASE_MODEL_H

#define PURCHASE_MODEL_MAX_PARAMS 4

/* One customer, or many with equal inputs. */
typedef struct PurchaseInput
{
	double		x;				/* repeat purchases (transactions after the first) */
	double		t_x;			/* time of the last one, since the first purchase */
	double		t;				/* end of observation, since the first purchase
								 * (bgbb: the number of opportunities n) */
	double		weight;			/* how many customers, > 0 */
} PurchaseInput;

typedef struct PurchaseModelKind
{
	const char *name;			/* "bgnbd", "mbgnbd", "pnbd", "bgbb" */
	int			nparams;
	const char *param_names[PURCHASE_MODEL_MAX_PARAMS];

	/*
	 * Sum over the inputs of weight * log-likelihood, in the order given, not
	 * rescaled; gradient (nparams values, may be NULL) is by the *logarithm*
	 * of each parameter.  The combinatorial constant that the published
	 * log-likelihood of the model leaves out is left out.
	 */
	double		(*loglik) (const double *params, const PurchaseInput *inputs,
						   size_t ninputs, double *gradient);

	/* P(alive at t | x, t_x, t) */
	double		(*p_alive) (const double *params, double x, double t_x, double t);

	/* E[purchases in (t, t + horizon] | x, t_x, t] */
	double		(*expected) (const double *params, double x, double t_x, double t,
							 double horizon);

	/* E[repeat purchases in (0, horizon]] of a new customer */
	double		(*expected_new) (const double *params, double horizon);

	/* P(n purchases in (t, t + horizon] | x, t_x, t) */
	double		(*pmf) (const double *params, double x, double t_x, double t,
						double horizon, double n);

	/* P(at least one purchase in (t, t + horizon] | x, t_x, t) */
	double		(*probability) (const double *params, double x, double t_x, double t,
								double horizon);

	/*
	 * Expected discounted purchases in (t, t + horizon], a purchase at t + s
	 * counting exp(-rate * s); rate is continuous, per time unit of the model.
	 */
	double		(*discounted) (const double *params, double x, double t_x, double t,
							   double horizon, double rate);

	/* The same over an infinite horizon, rate > 0.  NULL: not defined. */
	double		(*dert) (const double *params, double x, double t_x, double t,
						 double rate);
} PurchaseModelKind;

extern const PurchaseModelKind bgnbd_kind;
extern const PurchaseModelKind mbgnbd_kind;
extern const PurchaseModelKind pnbd_kind;
extern const PurchaseModelKind bgbb_kind;

#endif							/* SEGMENT_PURCHASE_MODEL_H */
