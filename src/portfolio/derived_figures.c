/*-------------------------------------------------------------------------
 *
 * derived_figures.c
 *		The figures of a customer that follow from those of the histories, the day
 *		and a scorecard: money, scores, predictions and risk.
 *
 * This is the only place that says what a customer's margin, net value, score or
 * lifetime value is.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

#include "base/decimal.h"
#include "models/predict.h"
#include "portfolio/contribution.h"
#include "portfolio/derived_figures.h"
#include "portfolio/gap_ratio.h"
#include "portfolio/risk.h"
#include "statistics/score.h"

/* ---------- money ---------- */

static inline bool
is_special(Datum amount)
{
	return numeric_is_nan(DatumGetNumeric(amount)) || numeric_is_inf(DatumGetNumeric(amount));
}

/* The amount, with at most one digit more after the point than another has, and at most 9. */
static Datum
money_like(Datum amount, Datum other)
{
	int32		digits;

	if (is_special(amount) || is_special(other))
		return amount;
	digits = Min(DatumGetInt32(DirectFunctionCall1(numeric_scale, other)) + 1, 9);
	if (DatumGetInt32(DirectFunctionCall1(numeric_scale, amount)) <= digits)
		return amount;
	return DirectFunctionCall2(numeric_round, amount, Int32GetDatum(digits));
}

/* Contribution of sales where it is a share of them. */
static inline Datum
margin_of(Datum net, Datum margin_rate)
{
	return money_like(DirectFunctionCall2(numeric_mul, net, margin_rate), net);
}

/* margin(net, margin_rate): contribution of sales, as customer_figures has it */
PG_FUNCTION_INFO_V1(segment_margin);
Datum
segment_margin(PG_FUNCTION_ARGS)
{
	PG_RETURN_DATUM(margin_of(PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)));
}

static inline double
amount_to_double(Datum amount)
{
	return DatumGetFloat8(DirectFunctionCall1(segment_numeric_to_float8, amount));
}

/* ---------- what the scorecard makes of them ---------- */

/* Scores and gap ratio; NULL without an order, or without cut points or gap. */
static void
set_scores(Datum *values, bool *nulls, const ScorecardTerms *terms)
{
	int32		days = DatumGetInt32(values[FIGURE_DAYS_SINCE_LAST]);
	int32		span = DatumGetInt32(values[FIGURE_TENURE_DAYS]) - days;
	double		scored[] = {-(double) days, (double) DatumGetInt64(values[FIGURE_ORDERS]),
	DatumGetFloat8(values[FIGURE_MONETARY])};
	char		cell[3];

	nulls[FIGURE_RFM_CELL] = false;
	for (int i = 0; i < 3; i++)
	{
		nulls[FIGURE_R_SCORE + i] = terms->cuts[i] == NULL;
		if (nulls[FIGURE_R_SCORE + i])
			nulls[FIGURE_RFM_CELL] = true;
		else
		{
			int			score = score_of(scored[i], terms->cuts[i]);

			values[FIGURE_R_SCORE + i] = Int32GetDatum(score);
			cell[i] = '0' + score;
		}
	}
	if (!nulls[FIGURE_RFM_CELL])
		values[FIGURE_RFM_CELL] = PointerGetDatum(cstring_to_text_with_len(cell, 3));
	nulls[FIGURE_GAP_RATIO] = !terms->has_gap;
	if (terms->has_gap)
		values[FIGURE_GAP_RATIO] =
			Float8GetDatum(customer_gap_ratio(days, span, DatumGetInt64(values[FIGURE_PURCHASE_DAYS]),
											  terms->prior_gaps, terms->usual_gap));
}

static inline void
set_double(Datum *values, bool *nulls, int figure, double value)
{
	values[figure] = Float8GetDatum(value);
	nulls[figure] = false;
}

/*
 * The risk of no order within the days of the scorecard, from the model or from
 * what became of customers alike; NULL if neither can be had.
 */
static void
set_churn_risk(Datum *values, bool *nulls, const ScorecardTerms *terms, const CustomerInput *input)
{
	if (terms->churn_basis == NULL)
		return;
	values[FIGURE_CHURN_RISK_BASIS] = PointerGetDatum(terms->churn_basis);
	nulls[FIGURE_CHURN_RISK_BASIS] = false;
	if (terms->churn_shares != NULL && terms->has_gap)
		set_double(values, nulls, FIGURE_CHURN_RISK,
				   risk_share(terms->churn_shares, DatumGetFloat8(values[FIGURE_GAP_RATIO]),
							  DatumGetInt64(values[FIGURE_ORDERS])));
	else if (terms->churn_shares == NULL && terms->churn_horizon > 0 && terms->purchase_model != NULL)
		set_double(values, nulls, FIGURE_CHURN_RISK,
				   1 - predict_purchase_probability(terms->purchase_model, input, terms->churn_horizon));
}

/* Of net value or margin, with the portfolio's rate of it. */
static double
own_rate(const Datum *values, int contribution, double rate, const ScorecardTerms *terms)
{
	return contribution_rate(amount_to_double(values[contribution]), amount_to_double(values[FIGURE_GROSS]),
							 (double) DatumGetInt64(values[FIGURE_PURCHASE_DAYS]), rate,
							 terms->usual_gross, terms->prior_purchases);
}

/* What the models say; NULL without them. */
static void
set_predictions(Datum *values, bool *nulls, const ScorecardTerms *terms)
{
	int32		tenure = DatumGetInt32(values[FIGURE_TENURE_DAYS]);
	CustomerInput input = {
		.x = (double) (DatumGetInt64(values[FIGURE_PURCHASE_DAYS]) - 1),
		.t_x = (tenure - DatumGetInt32(values[FIGURE_DAYS_SINCE_LAST])) / terms->unit_days,
		.t = tenure / terms->unit_days
	};
	double		spend = 0;
	double		purchases;

	set_churn_risk(values, nulls, terms, &input);
	if (terms->spend_model != NULL)
	{
		spend = predict_spend(terms->spend_model, input.x, DatumGetFloat8(values[FIGURE_REPEAT_SPEND]), "mean_spend");
		set_double(values, nulls, FIGURE_EXPECTED_SPEND, spend);
	}
	if (terms->purchase_model != NULL)
	{
		set_double(values, nulls, FIGURE_P_ALIVE, predict_p_alive(terms->purchase_model, &input));
		set_double(values, nulls, FIGURE_EXPECTED_PURCHASES,
				   predict_purchases(terms->purchase_model, &input, terms->horizon));
		set_double(values, nulls, FIGURE_PURCHASE_PROBABILITY,
				   predict_purchase_probability(terms->purchase_model, &input, terms->probability_horizon));
		if (terms->spend_model == NULL || !terms->has_contribution)
			return;
		purchases = predict_discounted_purchases(terms->purchase_model, &input, terms->horizon,
												 terms->annual_rate, "clv");
		set_double(values, nulls, FIGURE_CLV,
				   predict_value(purchases, spend, DatumGetFloat8(values[FIGURE_CONTRIBUTION_RATE])));
		set_double(values, nulls, FIGURE_CLV_BEFORE_COST,
				   predict_value(purchases, spend, own_rate(values, FIGURE_MARGIN, terms->rate_before_cost, terms)));
	}
}

/* Amounts and counts of nothing are 0 to whoever reads the row. */
static void
set_nothing(Datum *values, bool *nulls)
{
	static const int counts[] = {FIGURE_ORDERS, FIGURE_PURCHASE_DAYS, FIGURE_VISITS, FIGURE_PERIOD_ORDERS};
	static const int amounts[] = {FIGURE_GROSS, FIGURE_REFUNDED, FIGURE_NET, FIGURE_USAGE, FIGURE_MARGIN, FIGURE_COST,
	FIGURE_PERIOD_NET, FIGURE_PERIOD_MARGIN, FIGURE_PERIOD_COST, FIGURE_PREVIOUS_NET};

	for (int i = 0; i < lengthof(counts); i++)
		if (nulls[counts[i]])
			values[counts[i]] = Int64GetDatum(0);
	for (int i = 0; i < lengthof(amounts); i++)
		if (nulls[amounts[i]])
			values[amounts[i]] = NumericGetDatum(int64_to_numeric(0));
	for (int i = 0; i < lengthof(counts); i++)
		nulls[counts[i]] = false;
	for (int i = 0; i < lengthof(amounts); i++)
		nulls[amounts[i]] = false;
}

/* What follows from the sums of periods. */
static void
set_period_results(Datum *values, bool *nulls, DateADT as_of, const PeriodTerms *terms)
{
	PeriodFigures figures;
	double		slope;
	double		p_value;

	values[FIGURE_PERIOD_NET_VALUE] = DirectFunctionCall2(numeric_sub, values[FIGURE_PERIOD_MARGIN], values[FIGURE_PERIOD_COST]);
	values[FIGURE_NET_CHANGE] = DirectFunctionCall2(numeric_sub, values[FIGURE_PERIOD_NET], values[FIGURE_PREVIOUS_NET]);
	nulls[FIGURE_PERIOD_NET_VALUE] = nulls[FIGURE_NET_CHANGE] = false;
	if (nulls[FIGURE_TREND_NET])
		return;
	figures.trend_net = DatumGetFloat8(values[FIGURE_TREND_NET]);
	figures.trend_moment = DatumGetFloat8(values[FIGURE_TREND_MOMENT]);
	figures.trend_square = DatumGetFloat8(values[FIGURE_TREND_SQUARE]);
	if (period_trend(&figures, DatumGetDateADT(values[FIGURE_FIRST_DAY]), as_of, terms, &slope, &p_value))
	{
		set_double(values, nulls, FIGURE_TREND, slope);
		set_double(values, nulls, FIGURE_TREND_P_VALUE, p_value);
	}
}

/* What follows from the counts of both windows, for who has bought. */
static void
set_churn_results(Datum *values, bool *nulls, const ScorecardTerms *terms)
{
	int64		complaints[2];
	double		prior;			/* purchases of others */
	ChurnWindows windows;

	if (nulls[FIGURE_RECENT_WINDOW] || terms->churn.recent_days == 0)
		return;
	churn_own_days(&terms->churn, DatumGetInt32(values[FIGURE_RECENT_WINDOW]),
				   DatumGetInt32(values[FIGURE_TENURE_DAYS]), &windows);
	values[FIGURE_RECENT_DAYS] = Int32GetDatum((int32) windows.recent_days);
	values[FIGURE_PAST_DAYS] = Int32GetDatum((int32) windows.past_days);
	nulls[FIGURE_RECENT_DAYS] = nulls[FIGURE_PAST_DAYS] = false;
	if (windows.recent_days == 0 || windows.past_days == 0)
		return;
	/* the less of the past window is the customer's own, the more */
	prior = terms->prior_gaps * (windows.past_window - windows.past_days) / windows.past_window;
	set_double(values, nulls, FIGURE_FREQUENCY_P_VALUE,
			   churn_fall_p_value(DatumGetInt32(values[FIGURE_RECENT_PURCHASE_DAYS]),
								  DatumGetInt32(values[FIGURE_PAST_PURCHASE_DAYS]) + prior,
								  windows.recent_days, windows.past_days + prior * terms->usual_gap));
	for (int i = 0; i < 2; i++)
		complaints[i] = nulls[FIGURE_RECENT_COMPLAINTS + i] ? 0 :
			DatumGetInt64(values[FIGURE_RECENT_COMPLAINTS + i]);
	/* the chance of so many: the test of a fall with the windows exchanged */
	if (complaints[0] > 0)
		set_double(values, nulls, FIGURE_COMPLAINTS_P_VALUE,
				   churn_fall_p_value(complaints[1], complaints[0], windows.past_days, windows.recent_days));
}

/*
 * All that changes from day to day and with the scorecard, from what does not:
 * the row is complete afterwards.  Errors: those of score and of the
 * predictions.
 */
void
derive_figures(Datum *values, bool *nulls, DateADT as_of, const ScorecardTerms *terms)
{
	bool		buyer = !nulls[FIGURE_LAST_DAY];

	values[FIGURE_AS_OF] = DateADTGetDatum(as_of);
	nulls[FIGURE_AS_OF] = false;
	if (nulls[FIGURE_MARGIN] && terms->has_margin_rate && !nulls[FIGURE_NET])
	{
		values[FIGURE_MARGIN] = margin_of(values[FIGURE_NET], terms->margin_rate);
		nulls[FIGURE_MARGIN] = false;
		if (!nulls[FIGURE_PERIOD_NET])
		{
			values[FIGURE_PERIOD_MARGIN] = margin_of(values[FIGURE_PERIOD_NET], terms->margin_rate);
			nulls[FIGURE_PERIOD_MARGIN] = false;
		}
	}
	set_nothing(values, nulls);
	set_period_results(values, nulls, as_of, &terms->period);
	if (!terms->cancel_same_day)
	{
		values[FIGURE_VISITS] = values[FIGURE_PURCHASE_DAYS];
		values[FIGURE_USAGE] = values[FIGURE_GROSS];
	}
	values[FIGURE_NET_VALUE] = DirectFunctionCall2(numeric_sub, values[FIGURE_MARGIN], values[FIGURE_COST]);
	nulls[FIGURE_NET_VALUE] = false;
	if (!buyer)
		return;
	values[FIGURE_AVERAGE_ORDER] =
		money_like(DirectFunctionCall2(numeric_div, values[FIGURE_GROSS],
									   NumericGetDatum(int64_to_numeric(DatumGetInt64(values[FIGURE_ORDERS])))),
				   values[FIGURE_GROSS]);
	values[FIGURE_DAYS_SINCE_LAST] = Int32GetDatum(as_of - DatumGetDateADT(values[FIGURE_LAST_DAY]));
	values[FIGURE_TENURE_DAYS] = Int32GetDatum(as_of - DatumGetDateADT(values[FIGURE_FIRST_DAY]));
	nulls[FIGURE_AVERAGE_ORDER] = nulls[FIGURE_DAYS_SINCE_LAST] = nulls[FIGURE_TENURE_DAYS] = false;
	if (terms->has_contribution)
		set_double(values, nulls, FIGURE_CONTRIBUTION_RATE,
				   own_rate(values, FIGURE_NET_VALUE, terms->contribution_rate, terms));
	set_scores(values, nulls, terms);
	set_churn_results(values, nulls, terms);
	set_predictions(values, nulls, terms);
}
