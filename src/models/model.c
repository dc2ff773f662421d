/*-------------------------------------------------------------------------
 *
 * model.c
 *		The type segment.model: input and output, checks, accessors.
 *
 * The text form is a JSON object, so that a model can be read, kept in a
 * file and taken apart with the server's JSON functions:
 *
 *	{"kind": "bgnbd", "params": {"r": 0.24, "alpha": 4.4, "a": 0.8, "b": 2.4},
 *	 "unit": "week", "status": "given"}
 *
 * Numbers are written in the shortest form that reads back as the same
 * double, whatever extra_float_digits says.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "common/shortest_dec.h"
#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"

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

static const char *const statuses[MODEL_NSTATUSES] = {
	[MODEL_GIVEN] = "given",
	[MODEL_CONVERGED] = "converged",
	[MODEL_BOUNDARY] = "boundary",
	[MODEL_FLAT] = "flat",
	[MODEL_TOO_FEW] = "too_few",
	[MODEL_NOT_CONVERGED] = "not_converged",
};

/* In the order of the bits */
static const char *const warning_names[MODEL_NWARNINGS] = {
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

/* What warnings() says after the name */
static const char *const warning_meanings[MODEL_NWARNINGS] = {
	"fewer than 50 customers bought again; the parameters are uncertain, look at their standard errors",
	"nobody bought again; the model only says that repeat purchases are rare",
	"the data show no sign of customers leaving; everybody counts as alive, so take P(alive) as unknown rather than as 1",
	"the likelihood is highest when every customer leaves at the first chance; look at how x, t_x and t were made",
	"the data show no difference between customers in how easily they leave; all have about the same chance",
	"the data show no difference between customers in how often they buy; all have about the same rate while alive",
	"a parameter went to the limit of its range and is held there; it has no standard error",
	"very different parameters explain the data almost equally well; predictions may still be good, the parameters mean little",
	"q is at most 1, so the mean spend over all customers does not exist; expected_spend returns the shrunk mean instead",
	"number and amount of purchases are correlated (above 0.3 either way), which the model assumes away; expected_spend is biased for frequent buyers",
	"customers with repeat purchases but a mean spend of zero or less were left out",
	"the maximum of the likelihood was not reached; these are the best parameters that were found",
};

/* ---------- checks ---------- */

/* Covariance of a model's parameters i and j */
static double
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
static const char *
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

/* Place of a name in a list, or -1 */
static int
name_index(const char *name, const char *const *names, int count)
{
	for (int i = 0; i < count; i++)
	{
		if (strcmp(name, names[i]) == 0)
			return i;
	}
	return -1;
}

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

static int
param_by_name(const Model *model, const char *name)
{
	const ModelKind *kind = model_kinds[model->kind];

	for (int i = 0; i < kind->nparams; i++)
	{
		if (strcmp(name, kind->params[i].name) == 0)
			return i;
	}
	return -1;
}

/* ---------- text output ---------- */

static void
append_number(StringInfo buf, double value)
{
	char		digits[DOUBLE_SHORTEST_DECIMAL_LEN];

	double_to_shortest_decimal_buf(value, digits);
	appendStringInfoString(buf, digits);
}

static void
append_params(StringInfo buf, const Model *model)
{
	const ModelKind *kind = model_kinds[model->kind];

	appendStringInfoChar(buf, '{');
	for (int i = 0; i < kind->nparams; i++)
	{
		appendStringInfo(buf, "%s\"%s\": ", i > 0 ? ", " : "", kind->params[i].name);
		append_number(buf, model->values[i]);
	}
	appendStringInfoChar(buf, '}');
}

static void
append_covariance(StringInfo buf, const Model *model)
{
	int			n = model_kinds[model->kind]->nparams;

	appendStringInfoChar(buf, '[');
	for (int i = 0; i < n; i++)
	{
		appendStringInfoString(buf, i > 0 ? ", [" : "[");
		for (int j = 0; j <= i; j++)
		{
			if (j > 0)
				appendStringInfoString(buf, ", ");
			append_number(buf, model_covariance_at(model, i, j));
		}
		appendStringInfoChar(buf, ']');
	}
	appendStringInfoChar(buf, ']');
}

static void
append_held(StringInfo buf, const Model *model)
{
	const ModelKind *kind = model_kinds[model->kind];
	const char *separator = "";

	appendStringInfoChar(buf, '[');
	for (int i = 0; i < kind->nparams; i++)
	{
		if (model->flags & MODEL_HELD(i))
		{
			appendStringInfo(buf, "%s\"%s\"", separator, kind->params[i].name);
			separator = ", ";
		}
	}
	appendStringInfoChar(buf, ']');
}

static void
append_warnings(StringInfo buf, const Model *model)
{
	const char *separator = "";

	appendStringInfoChar(buf, '[');
	for (int i = 0; i < MODEL_NWARNINGS; i++)
	{
		if (model->warnings & (1U << i))
		{
			appendStringInfo(buf, "%s\"%s\"", separator, warning_names[i]);
			separator = ", ";
		}
	}
	appendStringInfoChar(buf, ']');
}

PG_FUNCTION_INFO_V1(segment_model_out);
Datum
segment_model_out(PG_FUNCTION_ARGS)
{
	const Model *model = PG_GETARG_MODEL_P(0);
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfo(&buf, "{\"kind\": \"%s\", \"params\": ",
					 model_kinds[model->kind]->name);
	append_params(&buf, model);
	appendStringInfo(&buf, ", \"unit\": \"%s\", \"status\": \"%s\"",
					 time_unit_names[model->unit], statuses[model->status]);
	if (model->flags & MODEL_HAS_LOGLIK)
	{
		appendStringInfoString(&buf, ", \"loglik\": ");
		append_number(&buf, model->loglik);
	}
	if (model->rows != 0)
		appendStringInfo(&buf, ", \"rows\": " INT64_FORMAT, model->rows);
	if (model->customers != 0)
	{
		appendStringInfoString(&buf, ", \"customers\": ");
		append_number(&buf, model->customers);
	}
	if (model->flags & MODEL_HELD_MASK)
	{
		appendStringInfoString(&buf, ", \"held\": ");
		append_held(&buf, model);
	}
	if (model->flags & MODEL_HAS_COVARIANCE)
	{
		appendStringInfoString(&buf, ", \"covariance\": ");
		append_covariance(&buf, model);
	}
	if (model->warnings != 0)
	{
		appendStringInfoString(&buf, ", \"warnings\": ");
		append_warnings(&buf, model);
	}
	appendStringInfoChar(&buf, '}');
	PG_RETURN_CSTRING(buf.data);
}

/* ---------- text input ---------- */

/*
 * The text is read as jsonb, which is then taken apart.  Keys may come in any
 * order.  One that a model does not have is an error, and so is one that is
 * given twice, of which jsonb keeps the last only.
 */

/* What is read, and where errors go */
typedef struct ModelReader
{
	Model	   *model;			/* of the right kind; to be filled in */
	const char *string;			/* NULL if only parameters are given */
	struct Node *escontext;
} ModelReader;

/* Report a value that is not allowed.  Soft errors return false. */
static bool
bad_value(const ModelReader *reader, const char *complaint)
{
	ereturn(reader->escontext, false,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid model: %s", complaint),
			 reader->string != NULL ? errdetail("The model is \"%s\".", reader->string) : 0));
}

/* Report a text that is not of the form, likewise. */
static bool
bad_form(const ModelReader *reader, const char *complaint)
{
	if (reader->string == NULL)
		return bad_value(reader, complaint);
	ereturn(reader->escontext, false,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("invalid input syntax for type %s: \"%s\"",
					"segment.model", reader->string),
			 errdetail("In a model, %s.", complaint)));
}

/*
 * Read a finite number.  A numeric has all digits of the text, so this is the
 * double that is nearest to it.
 */
static bool
read_number(const ModelReader *reader, const char *name, const JsonbValue *value,
			double *result)
{
	if (value->type == jbvNumeric)
	{
		Datum		digits = DirectFunctionCall1(numeric_out,
												 NumericGetDatum(value->val.numeric));

		*result = strtod(DatumGetCString(digits), NULL);
		if (isfinite(*result))
			return true;
	}
	return bad_form(reader, psprintf("\"%s\" has a value that is not a finite number", name));
}

/* Read a string; NULL if it is not one */
static char *
read_string(const ModelReader *reader, const char *name, const JsonbValue *value)
{
	if (value->type == jbvString)
		return pnstrdup(value->val.string.val, value->val.string.len);
	(void) bad_form(reader, psprintf("\"%s\" has a value that is not a string", name));
	return NULL;
}

/* Read a name of a list as its index in it */
static bool
read_name(const ModelReader *reader, const char *name, const JsonbValue *value,
		  const char *const *names, int count, uint8 *result)
{
	char	   *string = read_string(reader, name, value);
	int			index;

	if (string == NULL)
		return false;
	index = name_index(string, names, count);
	if (index < 0)
		return bad_value(reader, psprintf("unknown %s \"%s\"", name, string));
	*result = index;
	return true;
}

/* The array that a value is, if it is one of min to max elements; else NULL */
static JsonbContainer *
array_of(const JsonbValue *value, int min, int max)
{
	JsonbContainer *array = value->val.binary.data;

	if (value->type == jbvBinary && JsonContainerIsArray(array) &&
		JsonContainerSize(array) >= min && JsonContainerSize(array) <= max)
		return array;
	return NULL;
}

/* The parameters, each by its name; no other */
static bool
read_params(const ModelReader *reader, JsonbContainer *params)
{
	const ModelKind *kind = model_kinds[reader->model->kind];

	for (int i = 0; i < kind->nparams; i++)
	{
		const char *name = kind->params[i].name;
		JsonbValue *found = getKeyJsonValueFromContainer(params, name, strlen(name), NULL);
		double		value;

		if (found == NULL)
			return bad_value(reader, psprintf("parameter \"%s\" of kind \"%s\" is missing",
											  name, kind->name));
		if (!read_number(reader, name, found, &value))
			return false;
		if (!(value >= MODEL_PARAM_MIN && value <= MODEL_PARAM_MAX))
			return bad_value(reader, psprintf("parameter \"%s\" must be between 1e-40 and 1e+40, not \"%g\"",
											  name, value));
		reader->model->values[i] = value;
	}
	if (JsonContainerSize(params) != kind->nparams)
		return bad_value(reader, psprintf("\"params\" has a name that kind \"%s\" does not have",
										  kind->name));
	return true;
}

static bool
read_params_field(const ModelReader *reader, const char *name, const JsonbValue *value)
{
	if (value->type != jbvBinary || !JsonContainerIsObject(value->val.binary.data))
		return bad_form(reader, psprintf("\"%s\" must be an object", name));
	return read_params(reader, value->val.binary.data);
}

static bool
read_unit(const ModelReader *reader, const char *name, const JsonbValue *value)
{
	return read_name(reader, name, value, time_unit_names, TIME_UNIT_COUNT,
					 &reader->model->unit);
}

static bool
read_status(const ModelReader *reader, const char *name, const JsonbValue *value)
{
	return read_name(reader, name, value, statuses, MODEL_NSTATUSES,
					 &reader->model->status);
}

static bool
read_loglik(const ModelReader *reader, const char *name, const JsonbValue *value)
{
	reader->model->flags |= MODEL_HAS_LOGLIK;
	return read_number(reader, name, value, &reader->model->loglik);
}

static bool
read_customers(const ModelReader *reader, const char *name, const JsonbValue *value)
{
	return read_number(reader, name, value, &reader->model->customers);
}

static bool
read_rows(const ModelReader *reader, const char *name, const JsonbValue *value)
{
	if (value->type == jbvNumeric)
	{
		char	   *digits = DatumGetCString(DirectFunctionCall1(numeric_out,
																 NumericGetDatum(value->val.numeric)));

		errno = 0;
		reader->model->rows = strtoll(digits, NULL, 10);
		if (errno == 0 && strspn(digits, "0123456789") == strlen(digits))
			return true;
	}
	return bad_form(reader, psprintf("\"%s\" must be a whole number of type bigint, not negative",
									 name));
}

static bool
read_held(const ModelReader *reader, const char *name, const JsonbValue *value)
{
	Model	   *model = reader->model;
	int			n = model_kinds[model->kind]->nparams;
	JsonbContainer *array = array_of(value, 0, n);

	if (array == NULL)
		return bad_form(reader, psprintf("\"%s\" must be an array of at most %d names", name, n));
	for (int i = 0; i < JsonContainerSize(array); i++)
	{
		char	   *param = read_string(reader, name, getIthJsonbValueFromContainer(array, i));
		int			index;

		if (param == NULL)
			return false;
		index = param_by_name(model, param);
		if (index < 0)
			return bad_value(reader, psprintf("unknown parameter \"%s\" in \"%s\"", param, name));
		model->flags |= MODEL_HELD(index);
	}
	return true;
}

/* The lower triangle of the matrix: [[v], [v, v], ...] */
static bool
read_covariance(const ModelReader *reader, const char *name, const JsonbValue *value)
{
	Model	   *model = reader->model;
	int			n = model_kinds[model->kind]->nparams;
	JsonbContainer *rows = array_of(value, 1, MODEL_MAX_PARAMS);
	double		triangle[MODEL_TRIANGLE(MODEL_MAX_PARAMS)];

	for (int i = 0; rows != NULL && i < JsonContainerSize(rows); i++)
	{
		JsonbContainer *row = array_of(getIthJsonbValueFromContainer(rows, i), i + 1, i + 1);

		if (row == NULL)
		{
			rows = NULL;
			break;
		}
		for (int j = 0; j <= i; j++)
		{
			if (!read_number(reader, name, getIthJsonbValueFromContainer(row, j),
							 &triangle[MODEL_TRIANGLE(i) + j]))
				return false;
		}
	}
	if (rows == NULL)
		return bad_form(reader, psprintf("\"%s\" must be the lower triangle of a matrix", name));
	if (JsonContainerSize(rows) != n)
		return bad_value(reader, "the covariance matrix has another size than the parameters");
	memcpy(&model->values[n], triangle, MODEL_TRIANGLE(n) * sizeof(float8));
	model->flags |= MODEL_HAS_COVARIANCE;
	return true;
}

static bool
read_warnings(const ModelReader *reader, const char *name, const JsonbValue *value)
{
	JsonbContainer *array = array_of(value, 0, MODEL_NWARNINGS);

	if (array == NULL)
		return bad_form(reader, psprintf("\"%s\" must be an array of at most %d names",
										 name, MODEL_NWARNINGS));
	for (int i = 0; i < JsonContainerSize(array); i++)
	{
		uint8		index;

		if (!read_name(reader, name, getIthJsonbValueFromContainer(array, i),
					   warning_names, MODEL_NWARNINGS, &index))
			return false;
		reader->model->warnings |= 1U << index;
	}
	return true;
}

/* The keys of a model but "kind", which is read before them. */
static const struct
{
	const char *name;
	bool		(*read) (const ModelReader *reader, const char *name,
						 const JsonbValue *value);
}			fields[] =

{
	{"params", read_params_field},
	{"unit", read_unit},
	{"status", read_status},
	{"loglik", read_loglik},
	{"rows", read_rows},
	{"customers", read_customers},
	{"held", read_held},
	{"covariance", read_covariance},
	{"warnings", read_warnings},
};

/* How many keys a JSON text has: the colons outside of its strings */
static int
count_keys(const char *json)
{
	bool		in_string = false;
	int			keys = 0;

	for (; *json != '\0'; json++)
	{
		if (*json == '"')
			in_string = !in_string;
		else if (in_string && *json == '\\')
			json++;
		else if (!in_string && *json == ':')
			keys++;
	}
	return keys;
}

static JsonbValue *
field_value(JsonbContainer *object, const char *name)
{
	return getKeyJsonValueFromContainer(object, name, strlen(name), NULL);
}

/* Read the fields but the kind; all keys of the text must be among them. */
static bool
read_fields(const ModelReader *reader, JsonbContainer *object)
{
	int			keys = 1 + model_kinds[reader->model->kind]->nparams;

	if (field_value(object, "params") == NULL)
		return bad_form(reader, "\"params\" is missing");
	for (int i = 0; i < lengthof(fields); i++)
	{
		JsonbValue *value = field_value(object, fields[i].name);

		if (value == NULL)
			continue;
		if (!fields[i].read(reader, fields[i].name, value))
			return false;
		keys++;
	}
	if (count_keys(reader->string) != keys)
		return bad_form(reader, "a key is given twice or unknown");
	return true;
}

/* The model of a text; NULL after a soft error */
static Model *
read_model(const char *string, struct Node *escontext)
{
	ModelReader reader = {NULL, string, escontext};
	Datum		json;
	JsonbContainer *object;
	JsonbValue *value;
	char	   *name;
	int			kind;
	const char *complaint;

	if (!DirectInputFunctionCallSafe(jsonb_in, unconstify(char *, string), InvalidOid, -1,
									 escontext, &json))
		return NULL;
	object = &DatumGetJsonbP(json)->root;
	value = JsonContainerIsObject(object) ? field_value(object, "kind") : NULL;
	if (value == NULL)
	{
		(void) bad_form(&reader, "\"kind\" is missing");
		return NULL;
	}
	name = read_string(&reader, "kind", value);
	if (name == NULL)
		return NULL;
	kind = model_kind_by_name(name);
	if (kind < 0)
	{
		(void) bad_value(&reader, psprintf("unknown kind \"%s\"", name));
		return NULL;
	}

	reader.model = model_create(kind);
	if (!read_fields(&reader, object))
		return NULL;
	complaint = model_complaint(reader.model);
	if (complaint != NULL)
	{
		(void) bad_value(&reader, complaint);
		return NULL;
	}
	return reader.model;
}

PG_FUNCTION_INFO_V1(segment_model_in);
Datum
segment_model_in(PG_FUNCTION_ARGS)
{
	Model	   *model = read_model(PG_GETARG_CSTRING(0), SOFT_ERROR_CONTEXT(fcinfo));

	if (model == NULL)
		PG_RETURN_NULL();
	PG_RETURN_MODEL_P(model);
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

/* ---------- constructors ---------- */

/* model(kind text, params jsonb): a model from known parameters */
PG_FUNCTION_INFO_V1(segment_model_make);
Datum
segment_model_make(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	Jsonb	   *params = PG_GETARG_JSONB_P(1);
	int			kind = model_kind_by_name(name);
	ModelReader reader = {NULL};

	if (kind < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unknown kind of model: \"%s\"", name),
				 errhint("Kinds are bgnbd, mbgnbd, pnbd, bgbb and gammagamma.")));
	if (!JB_ROOT_IS_OBJECT(params))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("params of a model must be a JSON object of names and numbers")));

	reader.model = model_create(kind);
	(void) read_params(&reader, &params->root);
	PG_RETURN_MODEL_P(reader.model);
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

/* ---------- accessors ---------- */

PG_FUNCTION_INFO_V1(segment_model_kind);
Datum
segment_model_kind(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(model_kinds[PG_GETARG_MODEL_P(0)->kind]->name));
}

PG_FUNCTION_INFO_V1(segment_model_unit);
Datum
segment_model_unit(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(time_unit_names[PG_GETARG_MODEL_P(0)->unit]));
}

PG_FUNCTION_INFO_V1(segment_model_status);
Datum
segment_model_status(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(statuses[PG_GETARG_MODEL_P(0)->status]));
}

PG_FUNCTION_INFO_V1(segment_model_rows);
Datum
segment_model_rows(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(PG_GETARG_MODEL_P(0)->rows);
}

PG_FUNCTION_INFO_V1(segment_model_customers);
Datum
segment_model_customers(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(PG_GETARG_MODEL_P(0)->customers);
}

PG_FUNCTION_INFO_V1(segment_model_loglik);
Datum
segment_model_loglik(PG_FUNCTION_ARGS)
{
	const Model *model = PG_GETARG_MODEL_P(0);

	if (!(model->flags & MODEL_HAS_LOGLIK))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(model->loglik);
}

PG_FUNCTION_INFO_V1(segment_model_params);
Datum
segment_model_params(PG_FUNCTION_ARGS)
{
	const Model *model = PG_GETARG_MODEL_P(0);
	StringInfoData buf;

	initStringInfo(&buf);
	append_params(&buf, model);
	PG_RETURN_DATUM(DirectFunctionCall1(jsonb_in, CStringGetDatum(buf.data)));
}

/* Number of the parameter that argument 1 names; an error if there is none */
static int
param_argument(FunctionCallInfo fcinfo, const Model *model)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(1));
	int			param = param_by_name(model, name);

	if (param < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a model of kind \"%s\" has no parameter \"%s\"",
						model_kinds[model->kind]->name, name)));
	return param;
}

PG_FUNCTION_INFO_V1(segment_model_param);
Datum
segment_model_param(PG_FUNCTION_ARGS)
{
	const Model *model = PG_GETARG_MODEL_P(0);

	PG_RETURN_FLOAT8(model->values[param_argument(fcinfo, model)]);
}

/* NULL for a model that was not fitted and for held parameters */
PG_FUNCTION_INFO_V1(segment_model_stderr);
Datum
segment_model_stderr(PG_FUNCTION_ARGS)
{
	const Model *model = PG_GETARG_MODEL_P(0);
	int			param = param_argument(fcinfo, model);

	if (!(model->flags & MODEL_HAS_COVARIANCE) || (model->flags & MODEL_HELD(param)))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(sqrt(model_covariance_at(model, param, param)));
}

/* The covariance matrix as a two-dimensional array, NULL where not known */
PG_FUNCTION_INFO_V1(segment_model_covariance);
Datum
segment_model_covariance(PG_FUNCTION_ARGS)
{
	const Model *model = PG_GETARG_MODEL_P(0);
	int			n = model_kinds[model->kind]->nparams;
	Datum		elems[MODEL_MAX_PARAMS * MODEL_MAX_PARAMS];
	bool		nulls[MODEL_MAX_PARAMS * MODEL_MAX_PARAMS];
	int			dims[2] = {n, n};
	int			lbounds[2] = {1, 1};

	if (!(model->flags & MODEL_HAS_COVARIANCE))
		PG_RETURN_NULL();
	for (int i = 0; i < n; i++)
	{
		for (int j = 0; j < n; j++)
		{
			elems[i * n + j] = Float8GetDatum(model_covariance_at(model, i, j));
			nulls[i * n + j] = (model->flags & (MODEL_HELD(i) | MODEL_HELD(j))) != 0;
		}
	}
	PG_RETURN_ARRAYTYPE_P(construct_md_array(elems, nulls, 2, dims, lbounds,
											 FLOAT8OID, sizeof(float8),
											 FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

PG_FUNCTION_INFO_V1(segment_model_warnings);
Datum
segment_model_warnings(PG_FUNCTION_ARGS)
{
	const Model *model = PG_GETARG_MODEL_P(0);
	Datum		elems[MODEL_NWARNINGS];
	int			count = 0;

	for (int i = 0; i < MODEL_NWARNINGS; i++)
	{
		if (model->warnings & (1U << i))
			elems[count++] = CStringGetTextDatum(psprintf("%s: %s", warning_names[i],
														  warning_meanings[i]));
	}
	PG_RETURN_ARRAYTYPE_P(construct_array(elems, count, TEXTOID, -1, false, TYPALIGN_INT));
}
