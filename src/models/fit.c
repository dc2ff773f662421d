/*-------------------------------------------------------------------------
 *
 * fit.c
 *		The aggregates that fit a model: the rows they accept, the way to the
 *		maximum of the likelihood, and the status and warnings of the result.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include <math.h>

#include "portability/instr_time.h"

#include "base/aggregate.h"
#include "base/arguments.h"
#include "models/fit.h"
#include "models/maximize.h"

/* Fewer customers with a repeat purchase than this say next to nothing. */
#define FIT_TOO_FEW_REPEAT_BUYERS	10

/* ... and fewer than this leave the parameters uncertain. */
#define FIT_FEW_REPEAT_BUYERS		50

/* Correlation of number and amount from which on we warn. */
#define FIT_MAX_CORRELATION			0.3

/*
 * Limits of a parameter, as multiples of its typical size.  They are far
 * enough out to be as good as zero and infinity.
 */
#define FIT_LOWER	1e-6
#define FIT_UPPER	1e+6

/* ---------- collecting ---------- */

/* The state of an aggregate, made if there is none yet */
static FitInputs *
state_argument(FunctionCallInfo fcinfo)
{
	FitInputs  *inputs = (FitInputs *) aggregate_state(fcinfo);

	return inputs != NULL ? inputs : fit_inputs_create(aggregate_context(fcinfo));
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
	FitInputs  *inputs;
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
	fit_inputs_add(inputs, x, t_x, t, weight_argument(fcinfo, 4), 1);
	PG_RETURN_POINTER(inputs);
}

/* (state, x, t_x, n [, weight]) for bgbb */
PG_FUNCTION_INFO_V1(segment_fit_chances);
Datum
segment_fit_chances(PG_FUNCTION_ARGS)
{
	FitInputs  *inputs;
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
	fit_inputs_add(inputs, x, t_x, n, weight_argument(fcinfo, 4), 1);
	PG_RETURN_POINTER(inputs);
}

/*
 * Add the mean spend of a customer's x repeat purchases.  Customers without a
 * repeat purchase tell nothing; a model of positive amounts cannot describe
 * those who bought for nothing.
 */
void
fit_add_spend(FitInputs *inputs, double x, double mean_spend, double weight)
{
	arguments_check_count("x", x, ARGUMENTS_MAX_COUNT);
	arguments_check_range("mean_spend", mean_spend,
						  -ARGUMENTS_MAX_MONEY, ARGUMENTS_MAX_MONEY);
	if (x > 0 && mean_spend < FIT_LEAST_SPEND)
		fit_inputs_ignore(inputs, 1);
	else if (x > 0)
		fit_inputs_add(inputs, x, mean_spend, 0, weight, 1);
}

/* (state, x, mean_spend [, weight]) for gammagamma */
PG_FUNCTION_INFO_V1(segment_fit_spend);
Datum
segment_fit_spend(PG_FUNCTION_ARGS)
{
	FitInputs  *inputs;
	double		weight;

	if (aggregate_skips_row(fcinfo))
		return aggregate_unchanged(fcinfo);
	weight = weight_argument(fcinfo, 3);
	inputs = state_argument(fcinfo);
	fit_add_spend(inputs, PG_GETARG_FLOAT8(1), PG_GETARG_FLOAT8(2), weight);
	PG_RETURN_POINTER(inputs);
}

PG_FUNCTION_INFO_V1(segment_fit_combine);
Datum
segment_fit_combine(PG_FUNCTION_ARGS)
{
	return aggregate_combine(fcinfo, &fit_inputs_kind);
}

PG_FUNCTION_INFO_V1(segment_fit_serialize);
Datum
segment_fit_serialize(PG_FUNCTION_ARGS)
{
	return aggregate_serialize(fcinfo, &fit_inputs_kind);
}

PG_FUNCTION_INFO_V1(segment_fit_deserialize);
Datum
segment_fit_deserialize(PG_FUNCTION_ARGS)
{
	return aggregate_deserialize(fcinfo, &fit_inputs_kind);
}

/* ---------- where the search begins, and where it must end ---------- */

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
weighted_correlation(const FitInput *inputs, size_t ninputs, double weight,
					 double mean_x, double mean_y)
{
	double		xx = 0;
	double		yy = 0;
	double		xy = 0;

	for (size_t i = 0; i < ninputs; i++)
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
summarize(const FitInput *inputs, size_t ninputs, FitSummary *summary)
{
	double		x = 0;
	double		t_x = 0;
	double		t = 0;

	memset(summary, 0, sizeof(FitSummary));
	for (size_t i = 0; i < ninputs; i++)
	{
		double		weight = inputs[i].weight;

		summary->customers += weight;
		if (inputs[i].x > 0)
			summary->repeat_buyers += weight;
		x += weight * inputs[i].x;
		t_x += weight * inputs[i].t_x;
		t += weight * inputs[i].t;
	}
	summary->typical[SCALE_ONE] = 1;
	summary->typical[SCALE_PERIOD] = scale_of(t / summary->customers);
	summary->typical[SCALE_GAP] = x > 0 ? scale_of(t / x) : summary->typical[SCALE_PERIOD];
	summary->typical[SCALE_SPEND] = scale_of(t_x / summary->customers);
	summary->correlation = weighted_correlation(inputs, ninputs, summary->customers,
												x / summary->customers,
												t_x / summary->customers);
}

/* Set the limits of the parameters, and where to begin. */
static void
likelihood_prepare(Likelihood *likelihood, const ModelKind *kind,
				   const FitSummary *summary)
{
	likelihood->nstarts = kind->nstarts;
	for (int i = 0; i < kind->nparams; i++)
	{
		double		typical = summary->typical[kind->params[i].scale];

		likelihood->lower[i] = typical * FIT_LOWER;
		likelihood->upper[i] = typical * FIT_UPPER;
		for (int j = 0; j < kind->nstarts; j++)
			likelihood->starts[j][i] = typical * kind->starts[j][i];
	}
}

/* ---------- status and warnings ---------- */

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
limit_warnings(const ModelKind *kind, const Likelihood *likelihood,
			   const Maximum *maximum, const FitSummary *summary)
{
	bool		equal_rates = at_upper(likelihood, maximum, 0) || at_upper(likelihood, maximum, 1);
	bool		equal_dropout = at_upper(likelihood, maximum, 2) || at_upper(likelihood, maximum, 3);
	uint32		result = 0;

	for (int i = 0; i < likelihood->nparams; i++)
	{
		if (maximum->held[i])
			result |= MODEL_WARN_HELD_PARAMETER;
	}
	if (kind->mean_dropout == NULL || result == 0 || summary->repeat_buyers <= 0)
		return result;

	if (maximum->held[2] || maximum->held[3])
		result |= dropout_warning(kind->mean_dropout(maximum->params, summary), equal_dropout);
	if (equal_rates)
		result |= MODEL_WARN_EQUAL_RATES;
	return result;
}

static uint32
fit_warnings(const ModelKind *kind, const Likelihood *likelihood,
			 const Maximum *maximum, const FitSummary *summary,
			 const FitInputs *inputs)
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
	if (kind->expected_spend != NULL)
	{
		if (!kind->mean_exists(maximum->params))
			result |= MODEL_WARN_UNDEFINED_MEAN;
		if (fabs(summary->correlation) > FIT_MAX_CORRELATION)
			result |= MODEL_WARN_SPEND_CORRELATED;
		if (fit_inputs_ignored(inputs) > 0)
			result |= MODEL_WARN_NO_SPEND_IGNORED;
	}
	return result;
}

static ModelStatus
fit_status(const Maximum *maximum, uint32 warnings, const FitSummary *summary)
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

/* ---------- the fit ---------- */

static void
set_maximum(Model *model, const Maximum *maximum)
{
	int			n = model_kinds[model->kind]->nparams;

	model->loglik = maximum->loglik + 0.0;
	model->flags |= MODEL_HAS_LOGLIK;
	for (int i = 0; i < n; i++)
	{
		model->values[i] = maximum->params[i];
		if (maximum->held[i])
			model->flags |= MODEL_HELD(i);
	}
	if (!maximum->has_covariance)
		return;
	model->flags |= MODEL_HAS_COVARIANCE;
	for (int i = 0; i < n; i++)
	{
		for (int j = 0; j <= i; j++)
		{
			if (!maximum->held[i] && !maximum->held[j])
				model->values[MODEL_COVARIANCE_AT(n, i, j)] = maximum->covariance[i][j] + 0.0;
		}
	}
}

/* For those who measure: SET client_min_messages = debug1 */
static void
report(const Model *model, const Likelihood *likelihood, const Maximum *maximum,
	   instr_time started)
{
	instr_time	taken;

	INSTR_TIME_SET_CURRENT(taken);
	INSTR_TIME_SUBTRACT(taken, started);
	ereport(DEBUG1,
			(errmsg_internal("fit of kind \"%s\": %zu distinct inputs, maximized in %.1f ms with %d evaluations on all of them",
							 model_kinds[model->kind]->name, likelihood->ninputs,
							 INSTR_TIME_GET_MILLISEC(taken), maximum->evaluations)));
}

/* The maximum that a model was fitted at */
static void
maximum_of_model(const Model *model, Maximum *maximum)
{
	int			n = model_kinds[model->kind]->nparams;

	memset(maximum, 0, sizeof(Maximum));
	maximum->has_covariance = (model->flags & MODEL_HAS_COVARIANCE) != 0;
	for (int i = 0; i < n; i++)
	{
		maximum->params[i] = model->values[i];
		for (int j = 0; j <= i; j++)
			maximum->covariance[i][j] = maximum->covariance[j][i] =
				model->values[MODEL_COVARIANCE_AT(n, i, j)];
	}
}

/*
 * Fit a model to merged inputs, in the time unit of weeks, which a caller may
 * change.  An earlier model, or NULL, helps if it is of the same kind and unit
 * and was fitted at an inner maximum.
 */
Model *
fit_model(ModelKindId id, const FitInputs *inputs, const FitInput *merged,
		  size_t count, const Model *earlier)
{
	const ModelKind *kind = model_kinds[id];
	Likelihood	likelihood;
	FitSummary	summary;
	Maximum		before;
	Maximum		maximum;
	Model	   *model;
	instr_time	started;

	INSTR_TIME_SET_CURRENT(started);
	memset(&likelihood, 0, sizeof(Likelihood));
	likelihood.inputs = merged;
	likelihood.ninputs = count;
	likelihood.nparams = kind->nparams;
	likelihood.loglik = kind->loglik;
	likelihood.scaled_hessian = kind->scaled_hessian;
	summarize(merged, count, &summary);
	likelihood_prepare(&likelihood, kind, &summary);
	if (earlier != NULL && earlier->kind == id && earlier->status == MODEL_CONVERGED)
	{
		maximum_of_model(earlier, &before);
		maximize(&likelihood, &before, &maximum);
	}
	else
		maximize(&likelihood, NULL, &maximum);

	model = model_create(id);
	model->rows = fit_inputs_rows(inputs);
	model->customers = summary.customers;
	set_maximum(model, &maximum);
	model->warnings = fit_warnings(kind, &likelihood, &maximum, &summary, inputs);
	model->status = fit_status(&maximum, model->warnings, &summary);
	report(model, &likelihood, &maximum, started);
	return model;
}

/*
 * Fit a model to the state of an aggregate, which stays as it is.  NULL if
 * there are no inputs.
 */
static Datum
fit(FunctionCallInfo fcinfo, ModelKindId id)
{
	FitInputs  *inputs = (FitInputs *) aggregate_state(fcinfo);
	FitInput   *merged;
	size_t		count;
	Model	   *model;

	if (inputs == NULL || fit_inputs_rows(inputs) == 0)
		PG_RETURN_NULL();
	merged = fit_inputs_merged(inputs, &count);
	model = fit_model(id, inputs, merged, count, NULL);
	pfree(merged);
	PG_RETURN_MODEL_P(model);
}

/* A final function of an aggregate for each kind */
#define FIT_FINAL(name, id) \
	PG_FUNCTION_INFO_V1(name); \
	Datum \
	name(PG_FUNCTION_ARGS) \
	{ \
		return fit(fcinfo, id); \
	}

FIT_FINAL(segment_bgnbd_fit, MODEL_BGNBD)
FIT_FINAL(segment_mbgnbd_fit, MODEL_MBGNBD)
FIT_FINAL(segment_pnbd_fit, MODEL_PNBD)
FIT_FINAL(segment_bgbb_fit, MODEL_BGBB)
FIT_FINAL(segment_gammagamma_fit, MODEL_GAMMAGAMMA)
