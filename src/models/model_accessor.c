/*-------------------------------------------------------------------------
 *
 * model_accessor.c
 *		What a value of the type segment.model holds, as SQL functions.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "base/time_unit.h"
#include "models/model.h"

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
	PG_RETURN_TEXT_P(cstring_to_text(model_statuses[PG_GETARG_MODEL_P(0)->status]));
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

/* Number of the parameter that argument 1 names; an error if there is none */
static int
param_argument(FunctionCallInfo fcinfo, const Model *model)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(1));
	int			param = model_param_by_name(model, name);

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
			elems[count++] = CStringGetTextDatum(psprintf("%s: %s", model_warning_names[i],
														  warning_meanings[i]));
	}
	PG_RETURN_ARRAYTYPE_P(construct_array(elems, count, TEXTOID, -1, false, TYPALIGN_INT));
}
