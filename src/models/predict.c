/*-------------------------------------------------------------------------
 *
 * predict.c
 *		What a model says about a customer: the functions users call.
 *
 * The mathematics is that of the kinds (model_kind.h).  Here the arguments are checked, once, and annual rates become continuous
 * rates per time unit of the model.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include <float.h>
#include <math.h>

#include "base/arguments.h"
#include "base/time_unit.h"
#include "models/model.h"

/* Highest annual discount rate: 100 is 10,000 % */
#define MAX_ANNUAL_RATE	100

/* Lowest annual discount rate over an infinite horizon */
#define MIN_DERT_RATE	1e-6

/* ---------- arguments ---------- */

static void
not_defined(const Model *model, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("%s is not defined for a model of kind \"%s\"",
					what, model_kinds[model->kind]->name)));
}

/* The kind of a model of purchases; an error for a model of spend */
static const ModelKind *
purchase_kind(const Model *model, const char *what)
{
	const ModelKind *kind = model_kinds[model->kind];

	if (kind->expected == NULL)
		not_defined(model, what);
	return kind;
}

/* The kind of a model of spend; an error for a model of purchases */
static const ModelKind *
spend_kind(const Model *model, const char *what)
{
	const ModelKind *kind = model_kinds[model->kind];

	if (kind->expected_spend == NULL)
		not_defined(model, what);
	return kind;
}

/* Check x, t_x and t, which are arguments n, n + 1 and n + 2. */
static void
check_customer(FunctionCallInfo fcinfo, const Model *model, int n)
{
	double		x = PG_GETARG_FLOAT8(n);
	double		t_x = PG_GETARG_FLOAT8(n + 1);
	double		t = PG_GETARG_FLOAT8(n + 2);

	if (model_kinds[model->kind]->discrete)
		arguments_check_chances(x, t_x, t);
	else
		arguments_check_customer(x, t_x, t);
}

/* The horizon, in units of the model; whole opportunities if it has those */
static double
horizon_argument(FunctionCallInfo fcinfo, const Model *model, int n)
{
	double		horizon = PG_GETARG_FLOAT8(n);

	if (model_kinds[model->kind]->discrete)
		arguments_check_count("horizon", horizon, ARGUMENTS_MAX_CHANCES);
	else
		arguments_check_range("horizon", horizon, 0, ARGUMENTS_MAX_TIME);
	return horizon;
}

/* An effective annual rate as continuous rate per time unit of the model */
static double
rate_argument(FunctionCallInfo fcinfo, const Model *model, int n, double least)
{
	double		annual_rate = PG_GETARG_FLOAT8(n);

	arguments_check_range("annual_rate", annual_rate, least, MAX_ANNUAL_RATE);
	return log1p(annual_rate) * time_unit_days(model->unit) / DAYS_PER_YEAR_MEAN;
}

/* Money that is too large for a double is given as the largest double. */
static double
finite_money(double value)
{
	return Max(-DBL_MAX, Min(DBL_MAX, value));
}

/* ---------- purchases ---------- */

/* p_alive(model, x, t_x, t) */
PG_FUNCTION_INFO_V1(segment_p_alive);
Datum
segment_p_alive(PG_FUNCTION_ARGS)
{
	const Model *model = PG_GETARG_MODEL_P(0);
	const ModelKind *kind = purchase_kind(model, "p_alive");

	check_customer(fcinfo, model, 1);
	PG_RETURN_FLOAT8(kind->p_alive(model->values, PG_GETARG_FLOAT8(1),
								   PG_GETARG_FLOAT8(2), PG_GETARG_FLOAT8(3)));
}

/* expected_purchases(model, x, t_x, t, horizon) */
PG_FUNCTION_INFO_V1(segment_expected_purchases);
Datum
segment_expected_purchases(PG_FUNCTION_ARGS)
{
	const Model *model = PG_GETARG_MODEL_P(0);
	const ModelKind *kind = purchase_kind(model, "expected_purchases");
	double		horizon;

	check_customer(fcinfo, model, 1);
	horizon = horizon_argument(fcinfo, model, 4);
	PG_RETURN_FLOAT8(kind->expected(model->values, PG_GETARG_FLOAT8(1),
									PG_GETARG_FLOAT8(2), PG_GETARG_FLOAT8(3),
									horizon));
}

/* expected_purchases(model, horizon), of a new customer */
PG_FUNCTION_INFO_V1(segment_expected_purchases_new);
Datum
segment_expected_purchases_new(PG_FUNCTION_ARGS)
{
	const Model *model = PG_GETARG_MODEL_P(0);
	const ModelKind *kind = purchase_kind(model, "expected_purchases");

	/* nothing has been observed yet */
	PG_RETURN_FLOAT8(kind->expected(model->values, 0, 0, 0,
									horizon_argument(fcinfo, model, 1)));
}

/* purchase_probability(model, x, t_x, t, horizon) */
PG_FUNCTION_INFO_V1(segment_purchase_probability);
Datum
segment_purchase_probability(PG_FUNCTION_ARGS)
{
	const Model *model = PG_GETARG_MODEL_P(0);
	const ModelKind *kind = purchase_kind(model, "purchase_probability");
	double		horizon;

	check_customer(fcinfo, model, 1);
	horizon = horizon_argument(fcinfo, model, 4);
	PG_RETURN_FLOAT8(kind->probability(model->values, PG_GETARG_FLOAT8(1),
									   PG_GETARG_FLOAT8(2), PG_GETARG_FLOAT8(3),
									   horizon));
}

/* purchase_pmf(model, x, t_x, t, horizon, n) */
PG_FUNCTION_INFO_V1(segment_purchase_pmf);
Datum
segment_purchase_pmf(PG_FUNCTION_ARGS)
{
	const Model *model = PG_GETARG_MODEL_P(0);
	const ModelKind *kind = purchase_kind(model, "purchase_pmf");
	double		horizon;
	double		n = PG_GETARG_FLOAT8(5);

	check_customer(fcinfo, model, 1);
	horizon = horizon_argument(fcinfo, model, 4);
	arguments_check_count("n", n, ARGUMENTS_MAX_COUNT);
	PG_RETURN_FLOAT8(kind->pmf(model->values, PG_GETARG_FLOAT8(1),
							   PG_GETARG_FLOAT8(2), PG_GETARG_FLOAT8(3),
							   horizon, n));
}

/* Discounted purchases of the customer in arguments n to n + 4 */
static double
discounted(FunctionCallInfo fcinfo, const Model *model, const char *what, int n,
		   int horizon_at)
{
	const ModelKind *kind = purchase_kind(model, what);
	double		horizon;
	double		rate;

	check_customer(fcinfo, model, n);
	horizon = horizon_argument(fcinfo, model, horizon_at);
	rate = rate_argument(fcinfo, model, horizon_at + 1, 0);
	return kind->discounted(model->values, PG_GETARG_FLOAT8(n),
							PG_GETARG_FLOAT8(n + 1), PG_GETARG_FLOAT8(n + 2),
							horizon, rate);
}

/* discounted_purchases(model, x, t_x, t, horizon, annual_rate) */
PG_FUNCTION_INFO_V1(segment_discounted_purchases);
Datum
segment_discounted_purchases(PG_FUNCTION_ARGS)
{
	const Model *model = PG_GETARG_MODEL_P(0);

	PG_RETURN_FLOAT8(discounted(fcinfo, model, "discounted_purchases", 1, 4));
}

/* dert(model, x, t_x, t, annual_rate) */
PG_FUNCTION_INFO_V1(segment_dert);
Datum
segment_dert(PG_FUNCTION_ARGS)
{
	const Model *model = PG_GETARG_MODEL_P(0);
	const ModelKind *kind = purchase_kind(model, "dert");
	double		rate;

	check_customer(fcinfo, model, 1);
	rate = rate_argument(fcinfo, model, 4, MIN_DERT_RATE);
	PG_RETURN_FLOAT8(kind->discounted(model->values, PG_GETARG_FLOAT8(1),
									  PG_GETARG_FLOAT8(2), PG_GETARG_FLOAT8(3),
									  INFINITY, rate));
}

/* ---------- money ---------- */

/*
 * Expected spend of a customer with argument x_at repeat purchases whose mean
 * is argument spend_at, which is not looked at if x = 0.  Returns false if
 * the result is NULL.
 */
static bool
spend(FunctionCallInfo fcinfo, const Model *model, const char *what, int x_at,
	  const char *spend_name, int spend_at, double *result)
{
	const ModelKind *kind = spend_kind(model, what);
	double		x = PG_GETARG_FLOAT8(x_at);
	double		mean_spend = 0;

	arguments_check_count("x", x, ARGUMENTS_MAX_COUNT);
	if (x > 0)
	{
		if (PG_ARGISNULL(spend_at))
			return false;
		mean_spend = PG_GETARG_FLOAT8(spend_at);
		arguments_check_range(spend_name, mean_spend, 0, ARGUMENTS_MAX_MONEY);
	}
	*result = kind->expected_spend(model->values, x, mean_spend);
	return true;
}

/* expected_spend(model, x, mean_spend) */
PG_FUNCTION_INFO_V1(segment_expected_spend);
Datum
segment_expected_spend(PG_FUNCTION_ARGS)
{
	double		result;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) ||
		!spend(fcinfo, PG_GETARG_MODEL_P(0), "expected_spend", 1, "mean_spend", 2, &result))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(result);
}

/*
 * clv(purchase_model, spend_model, x, t_x, t, mean_repeat_spend, horizon,
 * annual_rate, margin)
 */
PG_FUNCTION_INFO_V1(segment_clv);
Datum
segment_clv(PG_FUNCTION_ARGS)
{
	double		margin;
	double		amount;
	double		purchases;

	for (int i = 0; i < PG_NARGS(); i++)
	{
		if (i != 5 && PG_ARGISNULL(i))
			PG_RETURN_NULL();
	}
	purchases = discounted(fcinfo, PG_GETARG_MODEL_P(0), "clv", 2, 6);
	if (!spend(fcinfo, PG_GETARG_MODEL_P(1), "expected_spend", 2,
			   "mean_repeat_spend", 5, &amount))
		PG_RETURN_NULL();
	margin = PG_GETARG_FLOAT8(8);
	arguments_check_range("margin", margin, -ARGUMENTS_MAX_MONEY, 1);
	PG_RETURN_FLOAT8(finite_money(margin * finite_money(amount * purchases)));
}

/*
 * 1 + q + q^2 + ... of the given number of terms; a fraction of a term at the
 * end counts as that fraction of it.  0 <= q <= 1.
 */
static double
geometric_sum(double q, double terms)
{
	double		whole = floor(terms);
	double		next = whole == 0 ? 1 : pow(q, whole);
	double		sum;

	if (q == 1)
		return terms;
	if (q == 0)
		sum = Min(whole, 1);
	else
		sum = expm1(whole * log(q)) / (q - 1);
	return sum + (terms - whole) * next;
}

/*
 * clv_formula(contribution, purchases_per_year, retention, years, annual_rate,
 * acquisition_cost, yearly_cost)
 *
 * Gupta et al. 2006, "Modeling customer lifetime value", Journal of Service
 * Research 9(2), equation (1).
 */
PG_FUNCTION_INFO_V1(segment_clv_formula);
Datum
segment_clv_formula(PG_FUNCTION_ARGS)
{
	double		contribution = PG_GETARG_FLOAT8(0);
	double		purchases_per_year = PG_GETARG_FLOAT8(1);
	double		retention = PG_GETARG_FLOAT8(2);
	double		years = PG_GETARG_FLOAT8(3);
	double		annual_rate = PG_GETARG_FLOAT8(4);
	double		acquisition_cost = PG_GETARG_FLOAT8(5);
	double		yearly_cost = PG_GETARG_FLOAT8(6);

	arguments_check_range("contribution", contribution,
						  -ARGUMENTS_MAX_MONEY, ARGUMENTS_MAX_MONEY);
	arguments_check_range("purchases_per_year", purchases_per_year, 0, ARGUMENTS_MAX_COUNT);
	arguments_check_range("retention", retention, 0, 1);
	arguments_check_range("years", years, 0, ARGUMENTS_MAX_COUNT);
	arguments_check_range("annual_rate", annual_rate, 0, MAX_ANNUAL_RATE);
	arguments_check_range("acquisition_cost", acquisition_cost, 0, ARGUMENTS_MAX_MONEY);
	arguments_check_range("yearly_cost", yearly_cost, 0, ARGUMENTS_MAX_MONEY);

	PG_RETURN_FLOAT8((contribution * purchases_per_year - yearly_cost) *
					 geometric_sum(retention / (1 + annual_rate), years) -
					 acquisition_cost);
}
