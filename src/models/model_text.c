/*-------------------------------------------------------------------------
 *
 * model_text.c
 *		The text form of the type segment.model.
 *
 * It is a JSON object, so that a model can be read, kept in a file and taken
 * apart with the server's JSON functions:
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

#include "common/shortest_dec.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"

#include "base/time_unit.h"
#include "models/model.h"

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
			appendStringInfo(buf, "%s\"%s\"", separator, model_warning_names[i]);
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
					 time_unit_names[model->unit], model_statuses[model->status]);
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

/* ---------- text input ---------- */

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
	return read_name(reader, name, value, model_statuses, MODEL_NSTATUSES,
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
		index = model_param_by_name(model, param);
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
					   model_warning_names, MODEL_NWARNINGS, &index))
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
