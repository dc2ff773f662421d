/*-------------------------------------------------------------------------
 *
 * predict.c
 *		What a model says about a customer.
 *
 * The mathematics is that of the kinds (model_kind.h).  Here the arguments are
 * checked, once, and annual rates become continuous rates per time unit of the
 * model.
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
#include "models/predict.h"

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

static void
check_customer(const Model *model, const CustomerInput *input)
{
	if (model_kinds[model->kind]->discrete)
		arguments_check_chances(input->x, input->t_x, input->t);
	else
		arguments_check_customer(input->x, input->t_x, input->t);
}

/* A horizon in units of the model; whole opportunities if it has those */
static void
check_horizon(const Model *model, double horizon)
{
	if (model_kinds[model->kind]->discrete)
		arguments_check_count("horizon", horizon, ARGUMENTS_MAX_CHANCES);
	else
		arguments_check_range("horizon", horizon, 0, ARGUMENTS_MAX_TIME);
}

/* An effective annual rate as continuous rate per time unit of the model */
static double
continuous_rate(const Model *model, double annual_rate, double least)
{
	arguments_check_range("annual_rate", annual_rate, least, MAX_ANNUAL_RATE);
	return log1p(annual_rate) * time_unit_days(model->unit) / DAYS_PER_YEAR_MEAN;
}

/* x, t_x and t, from argument n on */
static CustomerInput
customer_argument(FunctionCallInfo fcinfo, int n)
{
	CustomerInput input = {PG_GETARG_FLOAT8(n), PG_GETARG_FLOAT8(n + 1), PG_GETARG_FLOAT8(n + 2)};

	return input;
}

/* Money that is too large for a double is given as the largest double. */
static double
finite_money(double value)
{
	return Max(-DBL_MAX, Min(DBL_MAX, value));
}

/* ---------- what is predicted ---------- */

/* Probability that the customer is still active. */
double
predict_p_alive(const Model *model, const CustomerInput *input)
{
	const ModelKind *kind = purchase_kind(model, "p_alive");

	check_customer(model, input);
	return kind->p_alive(model->values, input->x, input->t_x, input->t);
}

/* Expected number of purchases within a horizon. */
double
predict_purchases(const Model *model, const CustomerInput *input, double horizon)
{
	const ModelKind *kind = purchase_kind(model, "expected_purchases");

	check_customer(model, input);
	check_horizon(model, horizon);
	return kind->expected(model->values, input->x, input->t_x, input->t, horizon);
}

/* Probability of at least one purchase within a horizon. */
double
predict_purchase_probability(const Model *model, const CustomerInput *input, double horizon)
{
	const ModelKind *kind = purchase_kind(model, "purchase_probability");

	check_customer(model, input);
	check_horizon(model, horizon);
	return kind->probability(model->values, input->x, input->t_x, input->t, horizon);
}

/* The same as predict_purchases, each purchase discounted to now; what is for the error message. */
double
predict_discounted_purchases(const Model *model, const CustomerInput *input, double horizon, double annual_rate,
							 const char *what)
{
	const ModelKind *kind = purchase_kind(model, what);

	check_customer(model, input);
	check_horizon(model, horizon);
	return kind->discounted(model->values, input->x, input->t_x, input->t,
							horizon, continuous_rate(model, annual_rate, 0));
}

/*
 * Expected spend per purchase of a customer with x repeat purchases whose mean
 * is mean_spend, which is not looked at if x = 0; spend_name is for the error
 * message.
 */
double
predict_spend(const Model *model, double x, double mean_spend, const char *spend_name)
{
	const ModelKind *kind = spend_kind(model, "expected_spend");

	arguments_check_count("x", x, ARGUMENTS_MAX_COUNT);
	if (x > 0)
		arguments_check_range(spend_name, mean_spend, 0, ARGUMENTS_MAX_MONEY);
	return kind->expected_spend(model->values, x, x > 0 ? mean_spend : 0);
}

/* Value of purchases that bring an amount each, of which margin is contribution; finite. */
double
predict_value(double purchases, double amount, double margin)
{
	return finite_money(margin * finite_money(amount * purchases));
}

/* ---------- purchases ---------- */

/* p_alive(model, x, t_x, t) */
PG_FUNCTION_INFO_V1(segment_p_alive);
Datum
segment_p_alive(PG_FUNCTION_ARGS)
{
	CustomerInput input = customer_argument(fcinfo, 1);

	PG_RETURN_FLOAT8(predict_p_alive(PG_GETARG_MODEL_P(0), &input));
}

/* expected_purchases(model, x, t_x, t, horizon) */
PG_FUNCTION_INFO_V1(segment_expected_purchases);
Datum
segment_expected_purchases(PG_FUNCTION_ARGS)
{
	CustomerInput input = customer_argument(fcinfo, 1);

	PG_RETURN_FLOAT8(predict_purchases(PG_GETARG_MODEL_P(0), &input, PG_GETARG_FLOAT8(4)));
}

/* expected_purchases(model, horizon), of a new customer */
PG_FUNCTION_INFO_V1(segment_expected_purchases_new);
Datum
segment_expected_purchases_new(PG_FUNCTION_ARGS)
{
	const Model *model = PG_GETARG_MODEL_P(0);
	const ModelKind *kind = purchase_kind(model, "expected_purchases");
	double		horizon = PG_GETARG_FLOAT8(1);

	check_horizon(model, horizon);
	/* nothing has been observed yet */
	PG_RETURN_FLOAT8(kind->expected(model->values, 0, 0, 0, horizon));
}

/* purchase_probability(model, x, t_x, t, horizon) */
PG_FUNCTION_INFO_V1(segment_purchase_probability);
Datum
segment_purchase_probability(PG_FUNCTION_ARGS)
{
	CustomerInput input = customer_argument(fcinfo, 1);

	PG_RETURN_FLOAT8(predict_purchase_probability(PG_GETARG_MODEL_P(0), &input, PG_GETARG_FLOAT8(4)));
}

/* purchase_pmf(model, x, t_x, t, horizon, n) */
PG_FUNCTION_INFO_V1(segment_purchase_pmf);
Datum
segment_purchase_pmf(PG_FUNCTION_ARGS)
{
	const Model *model = PG_GETARG_MODEL_P(0);
	const ModelKind *kind = purchase_kind(model, "purchase_pmf");
	CustomerInput input = customer_argument(fcinfo, 1);
	double		horizon = PG_GETARG_FLOAT8(4);
	double		n = PG_GETARG_FLOAT8(5);

	check_customer(model, &input);
	check_horizon(model, horizon);
	arguments_check_count("n", n, ARGUMENTS_MAX_COUNT);
	PG_RETURN_FLOAT8(kind->pmf(model->values, input.x, input.t_x, input.t, horizon, n));
}

/* discounted_purchases(model, x, t_x, t, horizon, annual_rate) */
PG_FUNCTION_INFO_V1(segment_discounted_purchases);
Datum
segment_discounted_purchases(PG_FUNCTION_ARGS)
{
	CustomerInput input = customer_argument(fcinfo, 1);

	PG_RETURN_FLOAT8(predict_discounted_purchases(PG_GETARG_MODEL_P(0), &input, PG_GETARG_FLOAT8(4),
												  PG_GETARG_FLOAT8(5), "discounted_purchases"));
}

/* dert(model, x, t_x, t, annual_rate) */
PG_FUNCTION_INFO_V1(segment_dert);
Datum
segment_dert(PG_FUNCTION_ARGS)
{
	const Model *model = PG_GETARG_MODEL_P(0);
	const ModelKind *kind = purchase_kind(model, "dert");
	CustomerInput input = customer_argument(fcinfo, 1);
	double		rate;

	check_customer(model, &input);
	rate = continuous_rate(model, PG_GETARG_FLOAT8(4), MIN_DERT_RATE);
	PG_RETURN_FLOAT8(kind->discounted(model->values, input.x, input.t_x, input.t, INFINITY, rate));
}

/* ---------- money ---------- */

/* expected_spend(model, x, mean_spend) */
PG_FUNCTION_INFO_V1(segment_expected_spend);
Datum
segment_expected_spend(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || (PG_ARGISNULL(2) && PG_GETARG_FLOAT8(1) > 0))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(predict_spend(PG_GETARG_MODEL_P(0), PG_GETARG_FLOAT8(1),
								   PG_ARGISNULL(2) ? 0 : PG_GETARG_FLOAT8(2), "mean_spend"));
}

/*
 * clv(purchase_model, spend_model, x, t_x, t, mean_repeat_spend, horizon,
 * annual_rate, margin)
 */
PG_FUNCTION_INFO_V1(segment_clv);
Datum
segment_clv(PG_FUNCTION_ARGS)
{
	CustomerInput input;
	double		purchases;
	double		amount;

	for (int i = 0; i < PG_NARGS(); i++)
	{
		if (i != 5 && PG_ARGISNULL(i))
			PG_RETURN_NULL();
	}
	input = customer_argument(fcinfo, 2);
	purchases = predict_discounted_purchases(PG_GETARG_MODEL_P(0), &input, PG_GETARG_FLOAT8(6),
											 PG_GETARG_FLOAT8(7), "clv");
	if (input.x > 0 && PG_ARGISNULL(5))
		PG_RETURN_NULL();
	amount = predict_spend(PG_GETARG_MODEL_P(1), input.x, PG_ARGISNULL(5) ? 0 : PG_GETARG_FLOAT8(5),
						   "mean_repeat_spend");
	arguments_check_range("margin", PG_GETARG_FLOAT8(8), -ARGUMENTS_MAX_MONEY, 1);
	PG_RETURN_FLOAT8(predict_value(purchases, amount, PG_GETARG_FLOAT8(8)));
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
