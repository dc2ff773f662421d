/*-------------------------------------------------------------------------
 *
 * fit.c
 *		The aggregates that fit a model: what they accept, where the search
 *		begins, and what there is to say about the result.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include <math.h>

#include "base/aggregate.h"
#include "base/arguments.h"
#include "models/gammagamma.h"
#include "models/inputs.h"
#include "models/maximise.h"
#include "models/model.h"
#include "portability/instr_time.h"
#include "models/purchase_model.h"

/* Fewer customers with a repeat purchase than this say next to nothing. */
#define FIT_TOO_FEW_REPEAT_BUYERS	10

/* ... and fewer than this leave the parameters uncertain. */
#define FIT_FEW_REPEAT_BUYERS		50

/* Correlation of number and amount from which on we warn. */
#define FIT_MAX_CORRELATION			0.3

/* A mean spend below this counts as none. */
#define FIT_LEAST_SPEND				1e-30

/*
 * Limits of a parameter, as multiples of its typical value.  They are far
 * enough out to be as good as zero and infinity.
 */
#define FIT_LOWER	1e-6
#define FIT_UPPER	1e+6

/* What the inputs are like, before any model is fitted */
typedef struct Summary
{
	double		customers;		/* sum of weights */
	double		repeat_buyers;	/* of these with x > 0 */
	double		gap;			/* mean time per repeat purchase */
	double		period;			/* mean time of observation */
	double		spend;			/* mean of the second column */
	double		correlation;	/* of the first and second column */
} Summary;

/* ---------------------------------------------------------------------
 * Collecting
 * --------------------------------------------------------------------- */

/* The state of an aggregate, made if there is none yet */
static Inputs *
state_argument(FunctionCallInfo fcinfo)
{
	Inputs	   *inputs = (Inputs *) aggregate_state(fcinfo);

	return inputs != NULL ? inputs : inputs_create(aggregate_context(fcinfo));
}

/* The weight, if the aggregate has one as its argument number n */
static double
weight_argument(FunctionCallInfo fcinfo, int n)
{
	double		weight;

	if (PG_NARGS() <= n)
		return 1;
	weight = PG_GETARG_FLOAT8(n);
	arguments_check_weight(weight);
	return weight;
}

/* (state, x, t_x, t [, weight]) for bgnbd, mbgnbd and pnbd */
PG_FUNCTION_INFO_V1(segment_fit_customer);
Datum
segment_fit_customer(PG_FUNCTION_ARGS)
{
	Inputs	   *inputs;
	double		x;
	double		t_x;
	double		t;

	if (aggregate_skips_row(fcinfo))
		return aggregate_unchanged(fcinfo);
	x = PG_GETARG_FLOAT8(1);
	t_x = PG_GETARG_FLOAT8(2);
	t = PG_GETARG_FLOAT8(3);
	arguments_check_customer(x, t_x, t);
	inputs = state_argument(fcinfo);
	inputs_add(inputs, x, t_x, t, weight_argument(fcinfo, 4), 1);
	PG_RETURN_POINTER(inputs);
}

/* (state, x, t_x, n [, weight]) for bgbb */
PG_FUNCTION_INFO_V1(segment_fit_chances);
Datum
segment_fit_chances(PG_FUNCTION_ARGS)
{
	Inputs	   *inputs;
	double		x;
	double		t_x;
	double		n;

	if (aggregate_skips_row(fcinfo))
		return aggregate_unchanged(fcinfo);
	x = PG_GETARG_FLOAT8(1);
	t_x = PG_GETARG_FLOAT8(2);
	n = PG_GETARG_FLOAT8(3);
	arguments_check_chances(x, t_x, n);
	inputs = state_argument(fcinfo);
	inputs_add(inputs, x, t_x, n, weight_argument(fcinfo, 4), 1);
	PG_RETURN_POINTER(inputs);
}

/*
 * (state, x, mean_spend [, weight]) for gammagamma.  Customers without a
 * repeat purchase tell nothing; those who bought for nothing cannot be told
 * by a model of positive amounts.
 */
PG_FUNCTION_INFO_V1(segment_fit_spend);
Datum
segment_fit_spend(PG_FUNCTION_ARGS)
{
	Inputs	   *inputs;
	double		x;
	double		mean_spend;
	double		weight;

	if (aggregate_skips_row(fcinfo))
		return aggregate_unchanged(fcinfo);
	x = PG_GETARG_FLOAT8(1);
	mean_spend = PG_GETARG_FLOAT8(2);
	weight = weight_argument(fcinfo, 3);
	arguments_check_count("x", x, ARGUMENTS_MAX_COUNT);
	arguments_check_range("mean_spend", mean_spend,
						  -ARGUMENTS_MAX_MONEY, ARGUMENTS_MAX_MONEY);
	inputs = state_argument(fcinfo);
	if (x > 0 && mean_spend < FIT_LEAST_SPEND)
		inputs_ignore(inputs, 1);
	else if (x > 0)
		inputs_add(inputs, x, mean_spend, 0, weight, 1);
	PG_RETURN_POINTER(inputs);
}

PG_FUNCTION_INFO_V1(segment_fit_combine);
Datum
segment_fit_combine(PG_FUNCTION_ARGS)
{
	return aggregate_combine(fcinfo, &inputs_kind);
}

PG_FUNCTION_INFO_V1(segment_fit_serialize);
Datum
segment_fit_serialize(PG_FUNCTION_ARGS)
{
	return aggregate_serialize(fcinfo, &inputs_kind);
}

PG_FUNCTION_INFO_V1(segment_fit_deserialize);
Datum
segment_fit_deserialize(PG_FUNCTION_ARGS)
{
	return aggregate_deserialize(fcinfo, &inputs_kind);
}

/* ---------------------------------------------------------------------
 * Where the search begins, and where it must end
 * --------------------------------------------------------------------- */

/*
 * A value that can serve as a scale, whatever the data are: its limits, times
 * those of a parameter, are within what a model accepts
 */
static double
scale_of(double value)
{
	if (!(value > 0))
		return 1;
	return Max(1e-30, Min(1e30, value));
}

static double
weighted_correlation(const PurchaseInput *inputs, size_t ninputs, double weight,
					 double mean_x, double mean_y)
{
	double		xx = 0;
	double		yy = 0;
	double		xy = 0;
	size_t		i;

	for (i = 0; i < ninputs; i++)
	{
		double		w = inputs[i].weight / weight;
		double		x = inputs[i].x - mean_x;
		double		y = inputs[i].t_x - mean_y;

		xx += w * x * x;
		yy += w * y * y;
		xy += w * x * y;
	}
	if (!(xx > 0 && yy > 0))
		return 0;
	return xy / sqrt(xx) / sqrt(yy);
}

static void
summarise(const PurchaseInput *inputs, size_t ninputs, Summary *summary)
{
	double		x = 0;
	double		t_x = 0;
	double		t = 0;
	size_t		i;

	memset(summary, 0, sizeof(Summary));
	for (i = 0; i < ninputs; i++)
	{
		double		weight = inputs[i].weight;

		summary->customers += weight;
		if (inputs[i].x > 0)
			summary->repeat_buyers += weight;
		x += weight * inputs[i].x;
		t_x += weight * inputs[i].t_x;
		t += weight * inputs[i].t;
	}
	summary->period = scale_of(t / summary->customers);
	summary->gap = x > 0 ? scale_of(t / x) : summary->period;
	summary->spend = scale_of(t_x / summary->customers);
	summary->correlation = weighted_correlation(inputs, ninputs, summary->customers,
												x / summary->customers,
												t_x / summary->customers);
}

static void
set_range(Likelihood *likelihood, int param, double typical)
{
	likelihood->lower[param] = typical * FIT_LOWER;
	likelihood->upper[param] = typical * FIT_UPPER;
}

static void
add_start(Likelihood *likelihood, double p0, double p1, double p2, double p3)
{
	double	   *start = likelihood->starts[likelihood->nstarts++];

	start[0] = p0;
	start[1] = p1;
	start[2] = p2;
	start[3] = p3;
}

/* r, alpha, a, b: rates gamma(r, alpha), dropout beta(a, b) per purchase */
static void
prepare_beta_geometric(Likelihood *likelihood, const Summary *summary)
{
	double		gap = summary->gap;

	set_range(likelihood, 0, 1);
	set_range(likelihood, 1, gap);
	set_range(likelihood, 2, 1);
	set_range(likelihood, 3, 1);
	add_start(likelihood, 0.3, 0.15 * gap, 0.7, 2.5);
	add_start(likelihood, 0.3, 0.3 * gap, 0.1, 5);
	add_start(likelihood, 0.3, 0.1 * gap, 0.3, 0.4);
	add_start(likelihood, 3, 1 * gap, 0.7, 2.5);
	add_start(likelihood, 3, 3 * gap, 0.1, 5);
	add_start(likelihood, 3, 1 * gap, 5, 20);
}

/* r, alpha, s, beta: rates gamma(r, alpha), death rates gamma(s, beta) */
static void
prepare_pnbd(Likelihood *likelihood, const Summary *summary)
{
	double		gap = summary->gap;
	double		period = summary->period;

	set_range(likelihood, 0, 1);
	set_range(likelihood, 1, gap);
	set_range(likelihood, 2, 1);
	set_range(likelihood, 3, period);
	add_start(likelihood, 0.5, 0.25 * gap, 0.6, 0.4 * period);
	add_start(likelihood, 0.5, 0.5 * gap, 0.3, 3 * period);
	add_start(likelihood, 3, 1 * gap, 0.6, 0.4 * period);
	add_start(likelihood, 3, 3 * gap, 0.3, 3 * period);
	add_start(likelihood, 3, 1 * gap, 4, 4 * period);
}

/* alpha, beta: chance to buy; gamma, delta: chance to leave */
static void
prepare_bgbb(Likelihood *likelihood, const Summary *summary)
{
	int			i;

	for (i = 0; i < 4; i++)
		set_range(likelihood, i, 1);
	add_start(likelihood, 1, 1, 0.5, 3);
	add_start(likelihood, 1, 1, 0.2, 10);
	add_start(likelihood, 0.3, 2, 0.5, 3);
	add_start(likelihood, 0.3, 10, 0.2, 10);
	add_start(likelihood, 5, 5, 3, 9);
	add_start(likelihood, 2, 20, 3, 9);
}

/* p, q, gamma: amounts gamma(p, nu), nu gamma(q, gamma) */
static void
prepare_gammagamma(Likelihood *likelihood, const Summary *summary)
{
	double		spend = summary->spend;

	set_range(likelihood, GAMMAGAMMA_P, 1);
	set_range(likelihood, GAMMAGAMMA_Q, 1);
	set_range(likelihood, GAMMAGAMMA_GAMMA, spend);
	add_start(likelihood, 1, 2, 1 * spend, 0);
	add_start(likelihood, 6, 4, 0.5 * spend, 0);
	add_start(likelihood, 6, 1.5, 0.1 * spend, 0);
	add_start(likelihood, 40, 4, 0.08 * spend, 0);
	add_start(likelihood, 40, 30, 0.7 * spend, 0);
	add_start(likelihood, 1, 10, 9 * spend, 0);
}

/* ---------------------------------------------------------------------
 * What there is to say
 * --------------------------------------------------------------------- */

/* Does a parameter lie at the far end of its range? */
static bool
at_upper(const Likelihood *likelihood, const Maximum *maximum, int param)
{
	return maximum->held[param] &&
		maximum->params[param] > sqrt(likelihood->lower[param] * likelihood->upper[param]);
}

/*
 * What a pair of held parameters means whose distribution has the mean m (of
 * the chance to leave, or of the rate of leaving in a typical period).
 */
static uint32
dropout_warning(double mean, bool equal)
{
	if (mean < 1e-5)
		return MODEL_WARN_NO_DROPOUT;
	if (mean > 1 - 1e-5)
		return MODEL_WARN_FULL_DROPOUT;
	return equal ? MODEL_WARN_EQUAL_DROPOUT : 0;
}

/* Warnings about parameters at a limit */
static uint32
limit_warnings(ModelKind kind, const Likelihood *likelihood, const Maximum *maximum,
			   const Summary *summary)
{
	const double *p = maximum->params;
	bool		equal_rates = at_upper(likelihood, maximum, 0) || at_upper(likelihood, maximum, 1);
	bool		equal_dropout = at_upper(likelihood, maximum, 2) || at_upper(likelihood, maximum, 3);
	uint32		result = 0;
	int			i;

	for (i = 0; i < likelihood->nparams; i++)
	{
		if (maximum->held[i])
			result |= MODEL_WARN_HELD_PARAMETER;
	}
	if (kind == MODEL_GAMMAGAMMA || result == 0 || summary->repeat_buyers <= 0)
		return result;

	if (maximum->held[2] || maximum->held[3])
	{
		double		mean;

		if (kind == MODEL_PNBD)
			mean = -expm1(-p[2] / p[3] * summary->period);
		else
			mean = p[2] / (p[2] + p[3]);
		result |= dropout_warning(mean, equal_dropout);
	}
	if (equal_rates)
		result |= MODEL_WARN_EQUAL_RATES;
	return result;
}

static uint32
fit_warnings(ModelKind kind, const Likelihood *likelihood, const Maximum *maximum,
			 const Summary *summary, const Inputs *inputs)
{
	uint32		result = limit_warnings(kind, likelihood, maximum, summary);

	if (summary->repeat_buyers <= 0)
		result |= MODEL_WARN_NO_REPEAT_BUYERS;
	else if (summary->repeat_buyers < FIT_FEW_REPEAT_BUYERS)
		result |= MODEL_WARN_FEW_REPEAT_BUYERS;
	if (maximum->flat)
		result |= MODEL_WARN_FLAT_LIKELIHOOD;
	if (!maximum->converged)
		result |= MODEL_WARN_NOT_CONVERGED;
	if (kind == MODEL_GAMMAGAMMA)
	{
		if (maximum->params[GAMMAGAMMA_Q] <= 1)
			result |= MODEL_WARN_UNDEFINED_MEAN;
		if (fabs(summary->correlation) > FIT_MAX_CORRELATION)
			result |= MODEL_WARN_SPEND_CORRELATED;
		if (inputs_ignored(inputs) > 0)
			result |= MODEL_WARN_NO_SPEND_IGNORED;
	}
	return result;
}

static ModelStatus
fit_status(const Maximum *maximum, uint32 warnings, const Summary *summary)
{
	if (summary->repeat_buyers < FIT_TOO_FEW_REPEAT_BUYERS)
		return MODEL_TOO_FEW;
	if (!maximum->converged)
		return MODEL_NOT_CONVERGED;
	if (warnings & MODEL_WARN_HELD_PARAMETER)
		return MODEL_BOUNDARY;
	if (maximum->flat)
		return MODEL_FLAT;
	return MODEL_CONVERGED;
}

/* ---------------------------------------------------------------------
 * The fit
 * --------------------------------------------------------------------- */

static void
set_maximum(Model *model, const Maximum *maximum)
{
	int			n = model_kinds[model->kind].nparams;
	int			i;
	int			j;

	model->loglik = maximum->loglik + 0.0;
	model->flags |= MODEL_HAS_LOGLIK;
	for (i = 0; i < n; i++)
	{
		model->values[i] = maximum->params[i];
		if (maximum->held[i])
			model->flags |= MODEL_HELD(i);
	}
	if (!maximum->has_covariance)
		return;
	model->flags |= MODEL_HAS_COVARIANCE;
	for (i = 0; i < n; i++)
	{
		for (j = 0; j <= i; j++)
		{
			if (!maximum->held[i] && !maximum->held[j])
				model->values[MODEL_COVARIANCE_AT(n, i, j)] = maximum->covariance[i][j] + 0.0;
		}
	}
}

/* For those who measure: SET client_min_messages = debug1 */
static void
report(const Model *model, const Likelihood *likelihood, const Maximum *maximum,
	   const instr_time *phases)
{
	instr_time	merging = phases[1];
	instr_time	maximising = phases[2];

	INSTR_TIME_SUBTRACT(merging, phases[0]);
	INSTR_TIME_SUBTRACT(maximising, phases[1]);
	ereport(DEBUG1,
			(errmsg_internal("fit of kind \"%s\": %zu distinct inputs, sorted and merged in %.1f ms, maximised in %.1f ms with %d evaluations on all of them",
							 model_kinds[model->kind].name, likelihood->ninputs,
							 INSTR_TIME_GET_MILLISEC(merging),
							 INSTR_TIME_GET_MILLISEC(maximising),
							 maximum->evaluations)));
}

/*
 * Fit a model to the state of an aggregate, which stays as it is.  NULL if
 * there are no inputs.
 */
static Datum
fit(FunctionCallInfo fcinfo, ModelKind kind,
	double (*loglik) (const double *, const PurchaseInput *, size_t, double *),
	void (*prepare) (Likelihood *, const Summary *))
{
	Inputs	   *inputs;
	PurchaseInput *merged;
	Likelihood	likelihood;
	Summary		summary;
	Maximum		maximum;
	Model	   *model;
	instr_time	phases[3];

	inputs = (Inputs *) aggregate_state(fcinfo);
	if (inputs == NULL || inputs_rows(inputs) == 0)
		PG_RETURN_NULL();

	INSTR_TIME_SET_CURRENT(phases[0]);
	memset(&likelihood, 0, sizeof(Likelihood));
	merged = inputs_merged(inputs, &likelihood.ninputs);
	INSTR_TIME_SET_CURRENT(phases[1]);
	likelihood.inputs = merged;
	likelihood.nparams = model_kinds[kind].nparams;
	likelihood.loglik = loglik;
	summarise(merged, likelihood.ninputs, &summary);
	prepare(&likelihood, &summary);
	maximise(&likelihood, &maximum);
	INSTR_TIME_SET_CURRENT(phases[2]);

	model = model_create(kind);
	model->rows = inputs_rows(inputs);
	model->customers = summary.customers;
	set_maximum(model, &maximum);
	model->warnings = fit_warnings(kind, &likelihood, &maximum, &summary, inputs);
	model->status = fit_status(&maximum, model->warnings, &summary);
	report(model, &likelihood, &maximum, phases);
	pfree(merged);
	PG_RETURN_MODEL_P(model);
}

PG_FUNCTION_INFO_V1(segment_bgnbd_fit);
Datum
segment_bgnbd_fit(PG_FUNCTION_ARGS)
{
	return fit(fcinfo, MODEL_BGNBD, bgnbd_kind.loglik, prepare_beta_geometric);
}

PG_FUNCTION_INFO_V1(segment_mbgnbd_fit);
Datum
segment_mbgnbd_fit(PG_FUNCTION_ARGS)
{
	return fit(fcinfo, MODEL_MBGNBD, mbgnbd_kind.loglik, prepare_beta_geometric);
}

PG_FUNCTION_INFO_V1(segment_pnbd_fit);
Datum
segment_pnbd_fit(PG_FUNCTION_ARGS)
{
	return fit(fcinfo, MODEL_PNBD, pnbd_kind.loglik, prepare_pnbd);
}

PG_FUNCTION_INFO_V1(segment_bgbb_fit);
Datum
segment_bgbb_fit(PG_FUNCTION_ARGS)
{
	return fit(fcinfo, MODEL_BGBB, bgbb_kind.loglik, prepare_bgbb);
}

PG_FUNCTION_INFO_V1(segment_gammagamma_fit);
Datum
segment_gammagamma_fit(PG_FUNCTION_ARGS)
{
	return fit(fcinfo, MODEL_GAMMAGAMMA, gammagamma_loglik, prepare_gammagamma);
}
