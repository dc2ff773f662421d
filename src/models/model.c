/*-------------------------------------------------------------------------
 *
 * model.c
 *		The type segment.model: what a valid one is, its binary form, comparison.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include <math.h>

#include "common/hashfn.h"
#include "libpq/pqformat.h"

#include "base/time_unit.h"
#include "models/model.h"

StaticAssertDecl(offsetof(Model, version) == 4 &&
				 offsetof(Model, warnings) == 8 &&
				 offsetof(Model, flags) == 12 &&
				 offsetof(Model, rows) == 16 &&
				 offsetof(Model, customers) == 24 &&
				 offsetof(Model, loglik) == 32 &&
				 offsetof(Model, values) == 40,
				 "segment.model must have no padding");

#define MODEL_SIZE(n) \
	(offsetof(Model, values) + ((n) + MODEL_TRIANGLE(n)) * sizeof(float8))

const ModelKind *const model_kinds[MODEL_NKINDS] = {
	[MODEL_BGNBD] = &bgnbd_kind,
	[MODEL_MBGNBD] = &mbgnbd_kind,
	[MODEL_PNBD] = &pnbd_kind,
	[MODEL_BGBB] = &bgbb_kind,
	[MODEL_GAMMAGAMMA] = &gammagamma_kind,
};

const char *const model_statuses[MODEL_NSTATUSES] = {
	[MODEL_GIVEN] = "given",
	[MODEL_CONVERGED] = "converged",
	[MODEL_BOUNDARY] = "boundary",
	[MODEL_FLAT] = "flat",
	[MODEL_TOO_FEW] = "too_few",
	[MODEL_NOT_CONVERGED] = "not_converged",
};

/* In the order of the bits */
const char *const model_warning_names[MODEL_NWARNINGS] = {
	"few_repeat_buyers",
	"no_repeat_buyers",
	"no_dropout",
	"full_dropout",
	"equal_dropout",
	"equal_rates",
	"held_parameter",
	"flat_likelihood",
	"undefined_mean",
	"spend_correlated",
	"no_spend_ignored",
	"not_converged",
};

/* ---------- checks ---------- */

/* Covariance of a model's parameters i and j */
double
model_covariance_at(const Model *model, int i, int j)
{
	int			n = model_kinds[model->kind]->nparams;

	return model->values[i >= j ? MODEL_COVARIANCE_AT(n, i, j) :
						 MODEL_COVARIANCE_AT(n, j, i)];
}

/* Returns what is wrong with the covariance matrix, or NULL. */
static const char *
model_covariance_complaint(const Model *model)
{
	int			n = model_kinds[model->kind]->nparams;

	for (int i = 0; i < n; i++)
	{
		for (int j = 0; j <= i; j++)
		{
			double		value = model_covariance_at(model, i, j);
			bool		must_be_zero = !(model->flags & MODEL_HAS_COVARIANCE) ||
			(model->flags & (MODEL_HELD(i) | MODEL_HELD(j))) != 0;

			if (!isfinite(value) || (value == 0 && signbit(value)))
				return "covariances must be finite";
			if (must_be_zero && value != 0)
				return "covariances of held parameters must be zero";
			if (!must_be_zero && i == j && value <= 0)
				return "variances must be positive";
		}
	}
	return NULL;
}

/*
 * Returns what is wrong with the values of a model, or NULL.  Used for every
 * way in which a model can come about.
 */
const char *
model_complaint(const Model *model)
{
	const ModelKind *kind;

	if (model->kind >= MODEL_NKINDS)
		return "unknown kind";
	if (model->unit >= TIME_UNIT_COUNT)
		return "unknown time unit";
	if (model->status >= MODEL_NSTATUSES)
		return "unknown status";
	if (model->warnings >> MODEL_NWARNINGS)
		return "unknown warnings";

	kind = model_kinds[model->kind];
	if (model->flags & ~(MODEL_HAS_LOGLIK | MODEL_HAS_COVARIANCE | MODEL_HELD_MASK) ||
		(model->flags & MODEL_HELD_MASK) >> (8 + kind->nparams))
		return "unknown flags";
	if (model->rows < 0)
		return "rows must not be negative";
	if (!isfinite(model->customers) || signbit(model->customers))
		return "customers must be a finite number that is not negative";
	if (!isfinite(model->loglik) ||
		(!(model->flags & MODEL_HAS_LOGLIK) && model->loglik != 0) ||
		(model->loglik == 0 && signbit(model->loglik)))
		return "loglik must be finite";
	for (int i = 0; i < kind->nparams; i++)
	{
		if (!(model->values[i] >= MODEL_PARAM_MIN &&
			  model->values[i] <= MODEL_PARAM_MAX))
			return "parameters must be between 1e-40 and 1e+40";
	}
	return model_covariance_complaint(model);
}

/*
 * A stored model, checked.  Stored bytes may be damaged or come from a later
 * version of the extension.
 */
const Model *
model_checked(struct varlena *stored)
{
	const Model *model = (const Model *) stored;
	const char *complaint;

	if (VARSIZE(stored) < offsetof(Model, values))
		complaint = "it is too short";
	else if (model->version > MODEL_VERSION)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("model is stored in format version \"%d\", but this library reads versions up to \"%d\"",
						model->version, MODEL_VERSION),
				 errhint("Install a newer version of the extension \"segment\".")));
	else if (model->version < 1)
		complaint = "it has no format version";
	else if (model->kind >= MODEL_NKINDS)
		complaint = "unknown kind";
	else if (VARSIZE(stored) != MODEL_SIZE(model_kinds[model->kind]->nparams))
		complaint = "its length does not fit its kind";
	else
		complaint = model_complaint(model);

	if (complaint != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("stored model is damaged: %s", complaint)));
	return model;
}

/*
 * A new model of the given kind in the current memory context: status given,
 * time unit week, everything else zero.  The caller must fill in the
 * parameters.
 */
Model *
model_create(ModelKindId kind)
{
	Size		size = MODEL_SIZE(model_kinds[kind]->nparams);
	Model	   *model = palloc0(size);

	SET_VARSIZE(model, size);
	model->version = MODEL_VERSION;
	model->kind = kind;
	model->unit = TIME_UNIT_WEEK;
	model->status = MODEL_GIVEN;
	return model;
}

/* ---------- names ---------- */

/* The ModelKindId of a name, or -1 */
int
model_kind_by_name(const char *name)
{
	for (int i = 0; i < MODEL_NKINDS; i++)
	{
		if (strcmp(name, model_kinds[i]->name) == 0)
			return i;
	}
	return -1;
}

/* Number of the parameter of that name, or -1 */
int
model_param_by_name(const Model *model, const char *name)
{
	const ModelKind *kind = model_kinds[model->kind];

	for (int i = 0; i < kind->nparams; i++)
	{
		if (strcmp(name, kind->params[i].name) == 0)
			return i;
	}
	return -1;
}

/* ---------- binary form ---------- */

/*
 * The fields in order, in network byte order, beginning with the version; the
 * values to the end of the message.
 */

PG_FUNCTION_INFO_V1(segment_model_send);
Datum
segment_model_send(PG_FUNCTION_ARGS)
{
	const Model *model = PG_GETARG_MODEL_P(0);
	int			n = model_kinds[model->kind]->nparams;
	StringInfoData buf;

	pq_begintypsend(&buf);
	pq_sendbyte(&buf, model->version);
	pq_sendbyte(&buf, model->kind);
	pq_sendbyte(&buf, model->unit);
	pq_sendbyte(&buf, model->status);
	pq_sendint32(&buf, model->warnings);
	pq_sendint32(&buf, model->flags);
	pq_sendint64(&buf, model->rows);
	pq_sendfloat8(&buf, model->customers);
	pq_sendfloat8(&buf, model->loglik);
	for (int i = 0; i < n + MODEL_TRIANGLE(n); i++)
		pq_sendfloat8(&buf, model->values[i]);
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

static void
binary_error(const char *complaint)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
			 errmsg("invalid binary form of type %s: %s",
					"segment.model", complaint)));
}

PG_FUNCTION_INFO_V1(segment_model_recv);
Datum
segment_model_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buf = (StringInfo) PG_GETARG_POINTER(0);
	int			version = pq_getmsgbyte(buf);
	int			kind;
	int			n;
	Model	   *model;
	const char *complaint;

	if (version > MODEL_VERSION)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("model is sent in format version \"%d\", but this library reads versions up to \"%d\"",
						version, MODEL_VERSION)));
	if (version < 1)
		binary_error("it has no format version");
	kind = pq_getmsgbyte(buf);
	if (kind >= MODEL_NKINDS)
		binary_error("unknown kind");

	model = model_create(kind);
	model->unit = pq_getmsgbyte(buf);
	model->status = pq_getmsgbyte(buf);
	model->warnings = pq_getmsgint(buf, 4);
	model->flags = pq_getmsgint(buf, 4);
	model->rows = pq_getmsgint64(buf);
	model->customers = pq_getmsgfloat8(buf);
	model->loglik = pq_getmsgfloat8(buf);
	n = model_kinds[kind]->nparams;
	for (int i = 0; i < n + MODEL_TRIANGLE(n); i++)
		model->values[i] = pq_getmsgfloat8(buf);

	complaint = model_complaint(model);
	if (complaint != NULL)
		binary_error(complaint);
	PG_RETURN_MODEL_P(model);
}

/* ---------- comparison ---------- */

/*
 * Equal models have equal bytes.  The order has no meaning; it is there for
 * DISTINCT, merge joins and indexes.
 */

static int
model_compare(FunctionCallInfo fcinfo)
{
	const Model *a = PG_GETARG_MODEL_P(0);
	const Model *b = PG_GETARG_MODEL_P(1);
	Size		len_a = VARSIZE(a) - VARHDRSZ;
	Size		len_b = VARSIZE(b) - VARHDRSZ;
	int			cmp = memcmp(VARDATA(a), VARDATA(b), Min(len_a, len_b));

	if (cmp == 0)
		cmp = (len_a > len_b) - (len_a < len_b);
	/* indexes must not leak */
	if ((const void *) a != (const void *) PG_GETARG_POINTER(0))
		pfree((void *) a);
	if ((const void *) b != (const void *) PG_GETARG_POINTER(1))
		pfree((void *) b);
	return cmp < 0 ? -1 : (cmp > 0 ? 1 : 0);
}

#define MODEL_COMPARISON(name, op) \
	PG_FUNCTION_INFO_V1(name); \
	Datum \
	name(PG_FUNCTION_ARGS) \
	{ \
		PG_RETURN_BOOL(model_compare(fcinfo) op 0); \
	}

MODEL_COMPARISON(segment_model_eq, ==)
MODEL_COMPARISON(segment_model_ne, !=)
MODEL_COMPARISON(segment_model_lt, <)
MODEL_COMPARISON(segment_model_le, <=)
MODEL_COMPARISON(segment_model_gt, >)
MODEL_COMPARISON(segment_model_ge, >=)

PG_FUNCTION_INFO_V1(segment_model_cmp);
Datum
segment_model_cmp(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(model_compare(fcinfo));
}

PG_FUNCTION_INFO_V1(segment_model_hash);
Datum
segment_model_hash(PG_FUNCTION_ARGS)
{
	const Model *model = PG_GETARG_MODEL_P(0);

	return hash_any((const unsigned char *) VARDATA(model), VARSIZE(model) - VARHDRSZ);
}

PG_FUNCTION_INFO_V1(segment_model_hash_extended);
Datum
segment_model_hash_extended(PG_FUNCTION_ARGS)
{
	const Model *model = PG_GETARG_MODEL_P(0);

	return hash_any_extended((const unsigned char *) VARDATA(model),
							 VARSIZE(model) - VARHDRSZ, PG_GETARG_INT64(1));
}

/* with_unit(model, unit text): the same model, said to be in that time unit */
PG_FUNCTION_INFO_V1(segment_model_with_unit);
Datum
segment_model_with_unit(PG_FUNCTION_ARGS)
{
	const Model *model = PG_GETARG_MODEL_P(0);
	text	   *name = PG_GETARG_TEXT_PP(1);
	TimeUnit	unit = time_unit_from_name(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name));
	Model	   *result;

	result = model_create(model->kind);
	memcpy(result, model, VARSIZE(model));
	result->unit = unit;
	PG_RETURN_MODEL_P(result);
}
