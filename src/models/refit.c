/*-------------------------------------------------------------------------
 *
 * refit.c
 *		The aggregates that fit the models of a portfolio again and again.
 *
 * They differ from those of fit.c in three ways.  The kind of model is an
 * argument.  The inputs of models of purchases are collected as counts of
 * (x, first day, last day), which do not depend on the day of the scorecard;
 * x, t_x and t are made of them when the fit begins.  And a fit can begin at
 * an earlier model.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include "libpq/pqformat.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/memutils.h"

#include "base/aggregate.h"
#include "base/arguments.h"
#include "base/time_unit.h"
#include "models/fit.h"

/*
 * A later day than any, from which first days are counted backwards: inputs
 * are then sorted as by t.
 */
#define LATEST_DAY	(DATE_END_JULIAN - POSTGRES_EPOCH_JDATE)

/* What is to be fitted, the same for all rows, and the inputs */
typedef struct Refit
{
	ModelKindId kind;
	TimeUnit	unit;
	DateADT		as_of;			/* 0 for a model of spend */
	Model	   *earlier;		/* NULL: none */
	FitInputs  *inputs;
} Refit;

/* ---------- the state ---------- */

static Model *
copy_model(MemoryContext context, const Model *model)
{
	Model	   *copy = MemoryContextAlloc(context, VARSIZE(model));

	memcpy(copy, model, VARSIZE(model));
	return copy;
}

static void *
refit_create_like(MemoryContext context, const void *other)
{
	Refit	   *refit = MemoryContextAlloc(context, sizeof(Refit));

	memcpy(refit, other, sizeof(Refit));
	if (refit->earlier != NULL)
		refit->earlier = copy_model(context, refit->earlier);
	refit->inputs = fit_inputs_create(context);
	return refit;
}

static bool
same_models(const Model *one, const Model *other)
{
	if (one == NULL || other == NULL)
		return one == other;
	return VARSIZE(one) == VARSIZE(other) && memcmp(one, other, VARSIZE(one)) == 0;
}

static void
refit_merge(void *into, const void *from)
{
	Refit	   *refit = (Refit *) into;
	const Refit *other = (const Refit *) from;

	arguments_check_same(refit->kind == other->kind, "kind");
	arguments_check_same(refit->unit == other->unit, "unit");
	arguments_check_same(refit->as_of == other->as_of, "as_of");
	arguments_check_same(same_models(refit->earlier, other->earlier), "earlier");
	fit_inputs_kind.merge(refit->inputs, other->inputs);
}

static void
refit_send(StringInfo buf, void *state)
{
	Refit	   *refit = (Refit *) state;
	uint32		size = refit->earlier != NULL ? VARSIZE(refit->earlier) : 0;

	pq_sendbyte(buf, refit->kind);
	pq_sendbyte(buf, refit->unit);
	pq_sendint32(buf, refit->as_of);
	pq_sendint32(buf, size);
	/* as it is on disk: an image goes no further than to another process */
	pq_sendbytes(buf, (char *) refit->earlier, size);
	fit_inputs_kind.send(buf, refit->inputs);
}

static void *
refit_receive(StringInfo buf, const AggregateKind *kind)
{
	Refit	   *refit = palloc0(sizeof(Refit));
	uint32		size;

	refit->kind = pq_getmsgbyte(buf);
	refit->unit = pq_getmsgbyte(buf);
	refit->as_of = pq_getmsgint(buf, 4);
	size = pq_getmsgint(buf, 4);
	if (refit->kind >= MODEL_NKINDS || refit->unit >= TIME_UNIT_COUNT ||
		size > buf->len - buf->cursor)
		aggregate_invalid_state(kind);
	if (size > 0)
	{
		struct varlena *image = palloc(size);

		pq_copymsgbytes(buf, (char *) image, size);
		if (size < VARHDRSZ || VARSIZE(image) != size)
			aggregate_invalid_state(kind);
		refit->earlier = copy_model(CurrentMemoryContext, model_checked(image));
	}
	refit->inputs = (FitInputs *) fit_inputs_kind.receive(buf, kind);
	return refit;
}

static const AggregateKind refit_kind = {
	.name = "refit",
	.version = 1,
	.create_like = refit_create_like,
	.merge = refit_merge,
	.send = refit_send,
	.receive = refit_receive,
};

PG_FUNCTION_INFO_V1(segment_refit_combine);
Datum
segment_refit_combine(PG_FUNCTION_ARGS)
{
	return aggregate_combine(fcinfo, &refit_kind);
}

PG_FUNCTION_INFO_V1(segment_refit_serialize);
Datum
segment_refit_serialize(PG_FUNCTION_ARGS)
{
	return aggregate_serialize(fcinfo, &refit_kind);
}

PG_FUNCTION_INFO_V1(segment_refit_deserialize);
Datum
segment_refit_deserialize(PG_FUNCTION_ARGS)
{
	return aggregate_deserialize(fcinfo, &refit_kind);
}

/* ---------- collecting ---------- */

/* What both transition functions have: (state, kind, unit, earlier, ...) */
#define ARG_KIND		1
#define ARG_UNIT		2
#define ARG_EARLIER		3
#define ARG_INPUTS		4

/* The kind of a name, which must be one of purchases in time or of spend. */
static ModelKindId
kind_argument(FunctionCallInfo fcinfo, bool of_spend)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(ARG_KIND));
	int			kind = model_kind_by_name(name);

	if (kind < 0 || model_kinds[kind]->discrete ||
		(model_kinds[kind]->expected_spend != NULL) != of_spend)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("model kind must be one of %s, not \"%s\"",
						of_spend ? "spend" : "purchases in time", name)));
	return kind;
}

/* The state of an aggregate, made if there is none yet */
static Refit *
refit_argument(FunctionCallInfo fcinfo, bool of_spend)
{
	Refit	   *refit = (Refit *) aggregate_state(fcinfo);
	text	   *unit;

	if (refit != NULL)
		return refit;
	refit = MemoryContextAllocZero(aggregate_context(fcinfo), sizeof(Refit));
	refit->kind = kind_argument(fcinfo, of_spend);
	unit = PG_GETARG_TEXT_PP(ARG_UNIT);
	refit->unit = time_unit_from_name(VARDATA_ANY(unit), VARSIZE_ANY_EXHDR(unit));
	if (!PG_ARGISNULL(ARG_EARLIER))
		refit->earlier = copy_model(aggregate_context(fcinfo),
									PG_GETARG_MODEL_P(ARG_EARLIER));
	refit->inputs = fit_inputs_create(aggregate_context(fcinfo));
	return refit;
}

/* Does a row count?  Only "earlier" may be NULL. */
static bool
skips_row(FunctionCallInfo fcinfo)
{
	for (int i = 1; i < PG_NARGS(); i++)
	{
		if (i != ARG_EARLIER && PG_ARGISNULL(i))
			return true;
	}
	return false;
}

/* (state, kind, unit, earlier, as_of, x, first_day, last_day) */
PG_FUNCTION_INFO_V1(segment_refit_purchases);
Datum
segment_refit_purchases(PG_FUNCTION_ARGS)
{
	Refit	   *refit;
	DateADT		as_of;
	DateADT		first_day;
	double		x;
	double		span;

	if (skips_row(fcinfo))
		return aggregate_unchanged(fcinfo);
	as_of = finite_date(PG_GETARG_DATEADT(ARG_INPUTS), "as_of");
	x = (double) PG_GETARG_INT64(ARG_INPUTS + 1);
	first_day = finite_date(PG_GETARG_DATEADT(ARG_INPUTS + 2), "first_day");
	span = (double) finite_date(PG_GETARG_DATEADT(ARG_INPUTS + 3), "last_day") - first_day;
	arguments_check_customer(x, span, (double) as_of - first_day);
	refit = refit_argument(fcinfo, false);
	if (fit_inputs_rows(refit->inputs) == 0)
		refit->as_of = as_of;
	arguments_check_same(refit->as_of == as_of, "as_of");
	fit_inputs_add(refit->inputs, x, span, (double) LATEST_DAY - first_day, 1, 1);
	PG_RETURN_POINTER(refit);
}

/* (state, kind, unit, earlier, x, mean_spend) */
PG_FUNCTION_INFO_V1(segment_refit_spend);
Datum
segment_refit_spend(PG_FUNCTION_ARGS)
{
	Refit	   *refit;

	if (skips_row(fcinfo))
		return aggregate_unchanged(fcinfo);
	refit = refit_argument(fcinfo, true);
	fit_add_spend(refit->inputs, (double) PG_GETARG_INT64(ARG_INPUTS),
				  PG_GETARG_FLOAT8(ARG_INPUTS + 1), 1);
	PG_RETURN_POINTER(refit);
}

/* ---------- the fit ---------- */

/* Make t_x and t, in the unit of the model, of the days that were collected. */
static void
set_times(const Refit *refit, FitInput *inputs, size_t count)
{
	double		unit_days = time_unit_days(refit->unit);
	double		later = (double) LATEST_DAY - refit->as_of;

	for (size_t i = 0; i < count; i++)
	{
		inputs[i].t_x = inputs[i].t_x / unit_days;
		inputs[i].t = (inputs[i].t - later) / unit_days;
	}
}

/* The final function of both.  NULL if there are no inputs. */
PG_FUNCTION_INFO_V1(segment_refit_final);
Datum
segment_refit_final(PG_FUNCTION_ARGS)
{
	Refit	   *refit = (Refit *) aggregate_state(fcinfo);
	const Model *earlier;
	FitInput   *merged;
	size_t		count;
	Model	   *model;

	if (refit == NULL || fit_inputs_rows(refit->inputs) == 0)
		PG_RETURN_NULL();
	merged = fit_inputs_merged(refit->inputs, &count);
	if (model_kinds[refit->kind]->expected_spend == NULL)
		set_times(refit, merged, count);
	earlier = refit->earlier;
	if (earlier != NULL && earlier->unit != refit->unit)
		earlier = NULL;
	model = fit_model(refit->kind, refit->inputs, merged, count, earlier);
	model->unit = refit->unit;
	pfree(merged);
	PG_RETURN_MODEL_P(model);
}
