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
#include "models/model.h"
#include "base/time_unit.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"

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

const ModelKindInfo model_kinds[MODEL_NKINDS] = {
	[MODEL_BGNBD] = {"bgnbd", 4, {"r", "alpha", "a", "b"}},
	[MODEL_MBGNBD] = {"mbgnbd", 4, {"r", "alpha", "a", "b"}},
	[MODEL_PNBD] = {"pnbd", 4, {"r", "alpha", "s", "beta"}},
	[MODEL_BGBB] = {"bgbb", 4, {"alpha", "beta", "gamma", "delta"}},
	[MODEL_GAMMAGAMMA] = {"gammagamma", 3, {"p", "q", "gamma"}},
};

static const char *const statuses[MODEL_NSTATUSES] = {
	[MODEL_GIVEN] = "given",
	[MODEL_CONVERGED] = "converged",
	[MODEL_BOUNDARY] = "boundary",
	[MODEL_FLAT] = "flat",
	[MODEL_TOO_FEW] = "too_few",
	[MODEL_NOT_CONVERGED] = "not_converged",
};

/* In the order of the bits. */
static const struct
{
	const char *name;			/* in the text form */
	const char *meaning;		/* what warnings() says after the name */
}			warnings[MODEL_NWARNINGS] =
{
	{"few_repeat_buyers",
	"fewer than 50 customers bought again; the parameters are uncertain, look at their standard errors"},
	{"no_repeat_buyers",
	"nobody bought again; the model only says that repeat purchases are rare"},
	{"no_dropout",
	"the data show no sign of customers leaving; everybody counts as alive, so take P(alive) as unknown rather than as 1"},
	{"full_dropout",
	"the likelihood is highest when every customer leaves at the first chance; look at how x, t_x and t were made"},
	{"equal_dropout",
	"the data show no difference between customers in how easily they leave; all have about the same chance"},
	{"equal_rates",
	"the data show no difference between customers in how often they buy; all have about the same rate while alive"},
	{"held_parameter",
	"a parameter went to the limit of its range and is held there; it has no standard error"},
	{"flat_likelihood",
	"very different parameters explain the data almost equally well; predictions may still be good, the parameters mean little"},
	{"undefined_mean",
	"q is at most 1, so the mean spend over all customers does not exist; expected_spend returns the shrunk mean instead"},
	{"spend_correlated",
	"number and amount of purchases are correlated (above 0.3 either way), which the model assumes away; expected_spend is biased for frequent buyers"},
	{"no_spend_ignored",
	"customers with repeat purchases but a mean spend of zero or less were left out"},
	{"not_converged",
	"the maximum of the likelihood was not reached; these are the best parameters that were found"},
};

/* ---------------------------------------------------------------------
 * Checks
 * --------------------------------------------------------------------- */

/* Covariance of a model's parameters i and j */
static double
model_covariance_at(const Model *model, int i, int j)
{
	int			n = model_kinds[model->kind].nparams;

	return model->values[i >= j ? MODEL_COVARIANCE_AT(n, i, j) :
						 MODEL_COVARIANCE_AT(n, j, i)];
}

/* Returns what is wrong with the covariance matrix, or NULL. */
static const char *
model_covariance_complaint(const Model *model)
{
	int			n = model_kinds[model->kind].nparams;
	int			i;
	int			j;

	for (i = 0; i < n; i++)
	{
		for (j = 0; j <= i; j++)
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
	const ModelKindInfo *kind;
	int			i;

	if (model->kind >= MODEL_NKINDS)
		return "unknown kind";
	if (model->unit >= TIME_UNIT_COUNT)
		return "unknown time unit";
	if (model->status >= MODEL_NSTATUSES)
		return "unknown status";
	if (model->warnings >> MODEL_NWARNINGS)
		return "unknown warnings";

	kind = &model_kinds[model->kind];
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
	for (i = 0; i < kind->nparams; i++)
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
	else if (VARSIZE(stored) != MODEL_SIZE(model_kinds[model->kind].nparams))
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
model_create(ModelKind kind)
{
	Size		size = MODEL_SIZE(model_kinds[kind].nparams);
	Model	   *model = palloc0(size);

	SET_VARSIZE(model, size);
	model->version = MODEL_VERSION;
	model->kind = kind;
	model->unit = TIME_UNIT_WEEK;
	model->status = MODEL_GIVEN;
	return model;
}

/* ---------------------------------------------------------------------
 * Names
 * --------------------------------------------------------------------- */

static int
model_kind_by_name(const char *name)
{
	int			i;

	for (i = 0; i < MODEL_NKINDS; i++)
	{
		if (strcmp(name, model_kinds[i].name) == 0)
			return i;
	}
	return -1;
}

static int
model_unit_by_name(const char *name)
{
	int			i;

	for (i = 0; i < TIME_UNIT_COUNT; i++)
	{
		if (strcmp(name, time_unit_names[i]) == 0)
			return i;
	}
	return -1;
}

static int
model_status_by_name(const char *name)
{
	int			i;

	for (i = 0; i < MODEL_NSTATUSES; i++)
	{
		if (strcmp(name, statuses[i]) == 0)
			return i;
	}
	return -1;
}

static int
model_warning_by_name(const char *name)
{
	int			i;

	for (i = 0; i < MODEL_NWARNINGS; i++)
	{
		if (strcmp(name, warnings[i].name) == 0)
			return i;
	}
	return -1;
}

static int
model_param_by_name(ModelKind kind, const char *name)
{
	int			i;

	for (i = 0; i < model_kinds[kind].nparams; i++)
	{
		if (strcmp(name, model_kinds[kind].param_names[i]) == 0)
			return i;
	}
	return -1;
}

/* ---------------------------------------------------------------------
 * Text output
 * --------------------------------------------------------------------- */

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
	const ModelKindInfo *kind = &model_kinds[model->kind];
	int			i;

	appendStringInfoChar(buf, '{');
	for (i = 0; i < kind->nparams; i++)
	{
		appendStringInfo(buf, "%s\"%s\": ", i > 0 ? ", " : "", kind->param_names[i]);
		append_number(buf, model->values[i]);
	}
	appendStringInfoChar(buf, '}');
}

static void
append_covariance(StringInfo buf, const Model *model)
{
	int			n = model_kinds[model->kind].nparams;
	int			i;
	int			j;

	appendStringInfoChar(buf, '[');
	for (i = 0; i < n; i++)
	{
		appendStringInfoString(buf, i > 0 ? ", [" : "[");
		for (j = 0; j <= i; j++)
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
	const ModelKindInfo *kind = &model_kinds[model->kind];
	const char *separator = "";
	int			i;

	appendStringInfoChar(buf, '[');
	for (i = 0; i < kind->nparams; i++)
	{
		if (model->flags & MODEL_HELD(i))
		{
			appendStringInfo(buf, "%s\"%s\"", separator, kind->param_names[i]);
			separator = ", ";
		}
	}
	appendStringInfoChar(buf, ']');
}

static void
append_warnings(StringInfo buf, const Model *model)
{
	const char *separator = "";
	int			i;

	appendStringInfoChar(buf, '[');
	for (i = 0; i < MODEL_NWARNINGS; i++)
	{
		if (model->warnings & (1U << i))
		{
			appendStringInfo(buf, "%s\"%s\"", separator, warnings[i].name);
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
					 model_kinds[model->kind].name);
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

/* ---------------------------------------------------------------------
 * Text input
 *
 * A strict reader of just the JSON that a model can consist of.  Keys may
 * come in any order, each at most once; strings have no escapes, since no
 * name in a model needs one.
 * --------------------------------------------------------------------- */

#define MODEL_NAME_LEN	32

typedef struct ModelText
{
	const char *at;				/* next character */

	/* What has been read; names are looked up once the kind is known. */
	char		kind[MODEL_NAME_LEN];
	char		unit[MODEL_NAME_LEN];
	char		status[MODEL_NAME_LEN];
	int			nparams;
	char		param_names[MODEL_MAX_PARAMS][MODEL_NAME_LEN];
	double		params[MODEL_MAX_PARAMS];
	int			nheld;
	char		held[MODEL_MAX_PARAMS][MODEL_NAME_LEN];
	int			nwarnings;
	char		warnings[MODEL_NWARNINGS][MODEL_NAME_LEN];
	int			covariance_rows;
	double		covariance[MODEL_TRIANGLE(MODEL_MAX_PARAMS)];
	double		loglik;
	double		customers;
	int64		rows;
	uint32		seen;			/* bit per key below */
} ModelText;

enum
{
	SEEN_KIND = 1 << 0,
	SEEN_PARAMS = 1 << 1,
	SEEN_UNIT = 1 << 2,
	SEEN_STATUS = 1 << 3,
	SEEN_LOGLIK = 1 << 4,
	SEEN_ROWS = 1 << 5,
	SEEN_CUSTOMERS = 1 << 6,
	SEEN_HELD = 1 << 7,
	SEEN_COVARIANCE = 1 << 8,
	SEEN_WARNINGS = 1 << 9,
};

static void
skip_space(ModelText *text)
{
	while (*text->at == ' ' || *text->at == '\t' || *text->at == '\n' || *text->at == '\r')
		text->at++;
}

/* Read the character c, with space around it */
static bool
read_mark(ModelText *text, char c)
{
	skip_space(text);
	if (*text->at != c)
		return false;
	text->at++;
	skip_space(text);
	return true;
}

/* Read a quoted name of lower-case letters, digits and underscores */
static bool
read_name(ModelText *text, char *name)
{
	int			len = 0;

	skip_space(text);
	if (*text->at++ != '"')
		return false;
	while ((*text->at >= 'a' && *text->at <= 'z') ||
		   (*text->at >= '0' && *text->at <= '9') || *text->at == '_')
	{
		if (len == MODEL_NAME_LEN - 1)
			return false;
		name[len++] = *text->at++;
	}
	name[len] = '\0';
	return *text->at++ == '"';
}

static const char *
skip_digits(const char *at)
{
	while (*at >= '0' && *at <= '9')
		at++;
	return at;
}

/* Where the JSON number that begins here ends; NULL if there is none */
static const char *
number_end(const char *at)
{
	const char *digits;

	if (*at == '-')
		at++;
	digits = at;
	at = skip_digits(at);
	if (at == digits || (*digits == '0' && at > digits + 1))
		return NULL;
	if (*at == '.')
	{
		digits = ++at;
		at = skip_digits(at);
		if (at == digits)
			return NULL;
	}
	if (*at == 'e' || *at == 'E')
	{
		at++;
		if (*at == '+' || *at == '-')
			at++;
		digits = at;
		at = skip_digits(at);
		if (at == digits)
			return NULL;
	}
	return at;
}

/* Read a finite number; -0 becomes 0 */
static bool
read_number(ModelText *text, double *value)
{
	const char *end;
	char	   *parsed;

	skip_space(text);
	end = number_end(text->at);
	if (end == NULL)
		return false;
	*value = strtod(text->at, &parsed);
	if (parsed != end || !isfinite(*value))
		return false;
	*value += 0.0;
	text->at = end;
	return true;
}

/* Read a whole number from 0 to the largest bigint */
static bool
read_count(ModelText *text, int64 *value)
{
	const char *end;

	skip_space(text);
	end = skip_digits(text->at);
	if (end == text->at || end - text->at > 19 ||
		(*text->at == '0' && end - text->at > 1))
		return false;
	errno = 0;
	*value = strtoll(text->at, NULL, 10);
	if (errno != 0)
		return false;
	text->at = end;
	return true;
}

/* Read {"name": number, ...} */
static bool
read_params(ModelText *text)
{
	if (!read_mark(text, '{'))
		return false;
	if (read_mark(text, '}'))
		return true;
	do
	{
		if (text->nparams == MODEL_MAX_PARAMS ||
			!read_name(text, text->param_names[text->nparams]) ||
			!read_mark(text, ':') ||
			!read_number(text, &text->params[text->nparams]))
			return false;
		text->nparams++;
	} while (read_mark(text, ','));
	return read_mark(text, '}');
}

/* Read ["name", ...] of at most max names */
static bool
read_names(ModelText *text, char (*names)[MODEL_NAME_LEN], int max, int *count)
{
	if (!read_mark(text, '['))
		return false;
	if (read_mark(text, ']'))
		return true;
	do
	{
		if (*count == max || !read_name(text, names[*count]))
			return false;
		(*count)++;
	} while (read_mark(text, ','));
	return read_mark(text, ']');
}

/* Read the lower triangle of a matrix: [[v], [v, v], ...] */
static bool
read_covariance(ModelText *text)
{
	if (!read_mark(text, '['))
		return false;
	do
	{
		int			row = text->covariance_rows;
		int			j;

		if (row == MODEL_MAX_PARAMS || !read_mark(text, '['))
			return false;
		for (j = 0; j <= row; j++)
		{
			if ((j > 0 && !read_mark(text, ',')) ||
				!read_number(text, &text->covariance[MODEL_TRIANGLE(row) + j]))
				return false;
		}
		if (!read_mark(text, ']'))
			return false;
		text->covariance_rows++;
	} while (read_mark(text, ','));
	return read_mark(text, ']');
}

/* Note that a key was seen; false if it was seen before */
static bool
first_time(ModelText *text, uint32 key)
{
	if (text->seen & key)
		return false;
	text->seen |= key;
	return true;
}

/* Read the value that belongs to a key */
static bool
read_value(ModelText *text, const char *key)
{
	if (strcmp(key, "kind") == 0)
		return first_time(text, SEEN_KIND) && read_name(text, text->kind);
	if (strcmp(key, "params") == 0)
		return first_time(text, SEEN_PARAMS) && read_params(text);
	if (strcmp(key, "unit") == 0)
		return first_time(text, SEEN_UNIT) && read_name(text, text->unit);
	if (strcmp(key, "status") == 0)
		return first_time(text, SEEN_STATUS) && read_name(text, text->status);
	if (strcmp(key, "loglik") == 0)
		return first_time(text, SEEN_LOGLIK) && read_number(text, &text->loglik);
	if (strcmp(key, "rows") == 0)
		return first_time(text, SEEN_ROWS) && read_count(text, &text->rows);
	if (strcmp(key, "customers") == 0)
		return first_time(text, SEEN_CUSTOMERS) && read_number(text, &text->customers);
	if (strcmp(key, "held") == 0)
		return first_time(text, SEEN_HELD) &&
			read_names(text, text->held, MODEL_MAX_PARAMS, &text->nheld);
	if (strcmp(key, "covariance") == 0)
		return first_time(text, SEEN_COVARIANCE) && read_covariance(text);
	if (strcmp(key, "warnings") == 0)
		return first_time(text, SEEN_WARNINGS) &&
			read_names(text, text->warnings, MODEL_NWARNINGS, &text->nwarnings);
	return false;
}

/* Read the whole text; false if it is not of the form */
static bool
read_model(ModelText *text)
{
	char		key[MODEL_NAME_LEN];

	if (!read_mark(text, '{'))
		return false;
	do
	{
		if (!read_name(text, key) || !read_mark(text, ':') || !read_value(text, key))
			return false;
	} while (read_mark(text, ','));
	return read_mark(text, '}') && *text->at == '\0' &&
		(text->seen & SEEN_KIND) != 0 && (text->seen & SEEN_PARAMS) != 0;
}

/*
 * Put the named parameters into the model.  Returns what is wrong, or NULL.
 */
static const char *
model_set_params(Model *model, const ModelText *text)
{
	int			i;

	for (i = 0; i < text->nparams; i++)
	{
		int			param = model_param_by_name(model->kind, text->param_names[i]);

		if (param < 0)
			return "there is a parameter that the kind does not have";
		if (model->values[param] != 0)
			return "a parameter is given twice or is zero";
		model->values[param] = text->params[i];
	}
	if (text->nparams != model_kinds[model->kind].nparams)
		return "a parameter is missing";
	return NULL;
}

/* Put the rest into the model.  Returns what is wrong, or NULL. */
static const char *
model_set_fit(Model *model, const ModelText *text)
{
	int			n = model_kinds[model->kind].nparams;
	int			i;

	for (i = 0; i < text->nheld; i++)
	{
		int			param = model_param_by_name(model->kind, text->held[i]);

		if (param < 0)
			return "a held parameter is unknown";
		model->flags |= MODEL_HELD(param);
	}
	for (i = 0; i < text->nwarnings; i++)
	{
		int			warning = model_warning_by_name(text->warnings[i]);

		if (warning < 0)
			return "unknown warnings";
		model->warnings |= 1U << warning;
	}
	if (text->seen & SEEN_COVARIANCE)
	{
		if (text->covariance_rows != n)
			return "the covariance matrix has another size than the parameters";
		memcpy(&model->values[n], text->covariance, MODEL_TRIANGLE(n) * sizeof(float8));
		model->flags |= MODEL_HAS_COVARIANCE;
	}
	if (text->seen & SEEN_LOGLIK)
		model->flags |= MODEL_HAS_LOGLIK;
	model->loglik = text->loglik;
	model->rows = text->rows;
	model->customers = text->customers;
	return NULL;
}

/*
 * Make the model that the text describes.  Returns NULL and what is wrong if
 * there is no such model.
 */
static Model *
model_from_text(const ModelText *text, const char **complaint)
{
	int			kind = model_kind_by_name(text->kind);
	int			unit = TIME_UNIT_WEEK;
	int			status = MODEL_GIVEN;
	Model	   *model;

	if (text->seen & SEEN_UNIT)
		unit = model_unit_by_name(text->unit);
	if (text->seen & SEEN_STATUS)
		status = model_status_by_name(text->status);
	if (kind < 0)
		*complaint = "unknown kind";
	else if (unit < 0)
		*complaint = "unknown time unit";
	else if (status < 0)
		*complaint = "unknown status";
	if (*complaint != NULL)
		return NULL;

	model = model_create(kind);
	model->unit = unit;
	model->status = status;
	*complaint = model_set_params(model, text);
	if (*complaint == NULL)
		*complaint = model_set_fit(model, text);
	if (*complaint == NULL)
		*complaint = model_complaint(model);
	return *complaint == NULL ? model : NULL;
}

PG_FUNCTION_INFO_V1(segment_model_in);
Datum
segment_model_in(PG_FUNCTION_ARGS)
{
	const char *str = PG_GETARG_CSTRING(0);
	struct Node *escontext = SOFT_ERROR_CONTEXT(fcinfo);
	ModelText	text = {.at = str};
	const char *complaint = NULL;
	Model	   *model;

	if (!read_model(&text))
		ereturn(escontext, (Datum) 0,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid input syntax for type %s: \"%s\"",
						"segment.model", str)));
	model = model_from_text(&text, &complaint);
	if (model == NULL)
		ereturn(escontext, (Datum) 0,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid model: %s", complaint),
				 errdetail("The model is \"%s\".", str)));
	PG_RETURN_MODEL_P(model);
}

/* ---------------------------------------------------------------------
 * Binary form: the fields in order, in network byte order, beginning with
 * the version; the values to the end of the message.
 * --------------------------------------------------------------------- */

PG_FUNCTION_INFO_V1(segment_model_send);
Datum
segment_model_send(PG_FUNCTION_ARGS)
{
	const Model *model = PG_GETARG_MODEL_P(0);
	int			n = model_kinds[model->kind].nparams;
	StringInfoData buf;
	int			i;

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
	for (i = 0; i < n + MODEL_TRIANGLE(n); i++)
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
	int			i;
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
	n = model_kinds[kind].nparams;
	for (i = 0; i < n + MODEL_TRIANGLE(n); i++)
		model->values[i] = pq_getmsgfloat8(buf);

	complaint = model_complaint(model);
	if (complaint != NULL)
		binary_error(complaint);
	PG_RETURN_MODEL_P(model);
}

/* ---------------------------------------------------------------------
 * Comparison: equal models have equal bytes.  The order has no meaning; it
 * is there for DISTINCT, merge joins and indexes.
 * --------------------------------------------------------------------- */

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

/* ---------------------------------------------------------------------
 * Constructors
 * --------------------------------------------------------------------- */

static double
jsonb_param(Jsonb *params, ModelKind kind, int param)
{
	const char *name = model_kinds[kind].param_names[param];
	JsonbValue	found;

	if (getKeyJsonValueFromContainer(&params->root, name, strlen(name), &found) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("parameter \"%s\" of a model of kind \"%s\" is missing",
						name, model_kinds[kind].name)));
	if (found.type != jbvNumeric)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("parameter \"%s\" of a model must be a number", name)));
	return DatumGetFloat8(DirectFunctionCall1(numeric_float8,
											  NumericGetDatum(found.val.numeric)));
}

/* model(kind text, params jsonb): a model from known parameters */
PG_FUNCTION_INFO_V1(segment_model_make);
Datum
segment_model_make(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	Jsonb	   *params = PG_GETARG_JSONB_P(1);
	int			kind = model_kind_by_name(name);
	Model	   *model;
	int			i;

	if (kind < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unknown kind of model: \"%s\"", name),
				 errhint("Kinds are bgnbd, mbgnbd, pnbd, bgbb and gammagamma.")));
	if (!JB_ROOT_IS_OBJECT(params))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("params of a model must be a JSON object of names and numbers")));

	model = model_create(kind);
	for (i = 0; i < model_kinds[kind].nparams; i++)
	{
		double		value = jsonb_param(params, kind, i);

		if (!(value >= MODEL_PARAM_MIN && value <= MODEL_PARAM_MAX))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("parameter \"%s\" of a model must be between 1e-40 and 1e+40, not \"%g\"",
							model_kinds[kind].param_names[i], value)));
		model->values[i] = value;
	}
	if (JB_ROOT_COUNT(params) != model_kinds[kind].nparams)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("params has a name that is no parameter of kind \"%s\"", name)));
	PG_RETURN_MODEL_P(model);
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

/* ---------------------------------------------------------------------
 * Accessors
 * --------------------------------------------------------------------- */

PG_FUNCTION_INFO_V1(segment_model_kind);
Datum
segment_model_kind(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(model_kinds[PG_GETARG_MODEL_P(0)->kind].name));
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
	int			param = model_param_by_name(model->kind, name);

	if (param < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a model of kind \"%s\" has no parameter \"%s\"",
						model_kinds[model->kind].name, name)));
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
	int			n = model_kinds[model->kind].nparams;
	Datum		elems[MODEL_MAX_PARAMS * MODEL_MAX_PARAMS];
	bool		nulls[MODEL_MAX_PARAMS * MODEL_MAX_PARAMS];
	int			dims[2] = {n, n};
	int			lbounds[2] = {1, 1};
	int			i;
	int			j;

	if (!(model->flags & MODEL_HAS_COVARIANCE))
		PG_RETURN_NULL();
	for (i = 0; i < n; i++)
	{
		for (j = 0; j < n; j++)
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
	int			i;

	for (i = 0; i < MODEL_NWARNINGS; i++)
	{
		if (model->warnings & (1U << i))
			elems[count++] = CStringGetTextDatum(psprintf("%s: %s", warnings[i].name,
														  warnings[i].meaning));
	}
	PG_RETURN_ARRAYTYPE_P(construct_array(elems, count, TEXTOID, -1, false, TYPALIGN_INT));
}
