/*-------------------------------------------------------------------------
 *
 * customer.c
 *		The row of a customer as of a day, or of many days, but for classes: what
 *		the histories say, in one pass over each, and by a scorecard scores and
 *		predictions.
 *
 * This is the only place that says what a customer's margin, gap ratio or value
 * is, and from when on a customer is known.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/tuplestore.h"

#include "base/arguments.h"
#include "base/decimal.h"
#include "base/result_row.h"
#include "models/predict.h"
#include "portfolio/churn.h"
#include "portfolio/contribution.h"
#include "portfolio/customer.h"
#include "portfolio/period.h"
#include "portfolio/risk.h"
#include "statistics/score.h"
#include "types/history.h"
#include "types/history_totals.h"

/* Columns of the type segment_internal.customer_figures. */
enum
{
	FIGURE_AS_OF,
	FIGURE_ORDERS,
	FIGURE_PURCHASE_DAYS,
	FIGURE_VISITS,				/* purchase days but for those cancelled at
								 * once */
	FIGURE_FIRST_DAY,
	FIGURE_LAST_DAY,
	FIGURE_DAYS_SINCE_LAST,
	FIGURE_TENURE_DAYS,
	FIGURE_GROSS,
	FIGURE_REFUNDED,
	FIGURE_NET,
	FIGURE_USAGE,				/* gross but for what was cancelled at once */
	FIGURE_MARGIN,
	FIGURE_COST,
	FIGURE_NET_VALUE,
	FIGURE_AVERAGE_ORDER,
	FIGURE_PERIOD_ORDERS,		/* of the last period, as all with this prefix */
	FIGURE_PERIOD_NET,
	FIGURE_PERIOD_MARGIN,
	FIGURE_PERIOD_COST,
	FIGURE_PERIOD_NET_VALUE,
	FIGURE_PREVIOUS_NET,
	FIGURE_NET_CHANGE,
	FIGURE_TREND,
	FIGURE_TREND_P_VALUE,
	FIGURE_MEAN_GAP_DAYS,
	FIGURE_GAP_CV,
	FIGURE_GAP_RATIO,
	FIGURE_R_SCORE,
	FIGURE_F_SCORE,
	FIGURE_M_SCORE,
	FIGURE_RFM_CELL,
	FIGURE_P_ALIVE,
	FIGURE_EXPECTED_PURCHASES,
	FIGURE_PURCHASE_PROBABILITY,
	FIGURE_EXPECTED_SPEND,
	FIGURE_CONTRIBUTION_RATE,
	FIGURE_CLV,
	FIGURE_CLV_BEFORE_COST,
	FIGURE_CHURN_RISK,
	FIGURE_CHURN_RISK_BASIS,
	FIGURE_MONETARY,			/* net as a double */
	FIGURE_REPEAT_SPEND,
	FIGURE_TREND_NET,			/* sums behind the trend */
	FIGURE_TREND_MOMENT,
	FIGURE_TREND_SQUARE,
	FIGURE_RECENT_WINDOW,		/* days of the recent window of signs of
								 * leaving */
	FIGURE_RECENT_DAYS,			/* of them the customer's own */
	FIGURE_PAST_DAYS,
	FIGURE_RECENT_PURCHASE_DAYS,
	FIGURE_PAST_PURCHASE_DAYS,
	FIGURE_FREQUENCY_P_VALUE,
	FIGURE_RECENT_SPEND,
	FIGURE_PAST_SPEND,
	FIGURE_SPEND_P_VALUE,
	FIGURE_RECENT_COMPLAINTS,
	FIGURE_PAST_COMPLAINTS,
	FIGURE_COMPLAINTS_P_VALUE,
	FIGURE_RECENT_SATISFACTION,
	FIGURE_PAST_SATISFACTION,
	FIGURE_RETURN_BELOW,		/* see churn_returns */
	FIGURE_NEXT_EVENT,			/* first day on which the histories say more */
	FIGURE_NEXT_CHANGE,			/* first day on which kept figures change
								 * without that */
	FIGURE_DAY_NUMBER,			/* of the day among those asked for, from 1 */
	FIGURE_DAYS_KNOWN,			/* by how many of them the customer was known */
	FIGURE_SCORECARD_ID,		/* the scorecard that scores the day */
	FIGURES
};

/* The arguments of customer_figures that are kept figures. */
static const int kept_figures[] = {
	FIGURE_ORDERS, FIGURE_PURCHASE_DAYS, FIGURE_VISITS, FIGURE_FIRST_DAY, FIGURE_LAST_DAY,
	FIGURE_GROSS, FIGURE_REFUNDED, FIGURE_NET, FIGURE_USAGE, FIGURE_MARGIN, FIGURE_COST,
	FIGURE_MEAN_GAP_DAYS, FIGURE_GAP_CV, FIGURE_MONETARY, FIGURE_REPEAT_SPEND,
	FIGURE_PERIOD_ORDERS, FIGURE_PERIOD_NET, FIGURE_PERIOD_MARGIN, FIGURE_PERIOD_COST, FIGURE_PREVIOUS_NET,
	FIGURE_TREND_NET, FIGURE_TREND_MOMENT, FIGURE_TREND_SQUARE,
	FIGURE_RECENT_WINDOW, FIGURE_RECENT_PURCHASE_DAYS, FIGURE_PAST_PURCHASE_DAYS,
	FIGURE_RECENT_SPEND, FIGURE_PAST_SPEND, FIGURE_SPEND_P_VALUE,
	FIGURE_RECENT_COMPLAINTS, FIGURE_PAST_COMPLAINTS, FIGURE_RECENT_SATISFACTION, FIGURE_PAST_SATISFACTION,
	FIGURE_RETURN_BELOW, FIGURE_NEXT_EVENT, FIGURE_NEXT_CHANGE
};

/* Columns of the type segment_internal.scorecard_terms. */
enum
{
	TERM_CUTS,					/* three of them */
	TERM_PRIOR_GAPS = TERM_CUTS + 3,
	TERM_USUAL_GAP,
	TERM_PURCHASE_MODEL,
	TERM_SPEND_MODEL,
	TERM_UNIT_DAYS,
	TERM_HORIZON,
	TERM_PROBABILITY_HORIZON,
	TERM_ANNUAL_RATE,
	TERM_MARGIN_RATE,
	TERM_CANCEL_SAME_DAY,
	TERM_CHURN_BASIS,
	TERM_CHURN_HORIZON,
	TERM_CHURN_SHARES,
	TERM_PERIOD_DAYS,
	TERM_TREND_PERIODS,
	TERM_CHURN_RECENT_DAYS,
	TERM_CHURN_PAST_DAYS,
	TERM_CHURN_SIGNIFICANCE,
	TERM_ASLEEP,
	TERM_CONTRIBUTION_RATE,
	TERM_RATE_BEFORE_COST,
	TERM_USUAL_GROSS,
	TERM_PRIOR_PURCHASES,
	TERM_HIGH_MARGIN_CATEGORIES,	/* for customer_events, which is SQL */
	TERMS
};

/* Columns of the type segment_internal.scored_day. */
enum
{
	DAY_DAY,
	DAY_SCORECARD_ID,
	DAY_TERMS,
	DAY_COLUMNS
};

/* What a customer's figures take from a scorecard. */
typedef struct ScorecardTerms
{
	struct varlena *cuts[3];	/* of recency, frequency, monetary: detoasted
								 * float8[]; or NULL */
	bool		has_gap;		/* are the next two known? */
	double		prior_gaps;
	double		usual_gap;
	const Model *purchase_model;	/* NULL: none, and so with spend_model */
	const Model *spend_model;
	double		unit_days;
	double		horizon;
	double		probability_horizon;
	double		annual_rate;
	bool		has_margin_rate;	/* else the purchases have their margins */
	Datum		margin_rate;	/* numeric */
	text	   *churn_basis;	/* NULL: there is no scorecard yet */
	double		churn_horizon;
	const double *churn_shares; /* of customers alike; NULL: the risk is the
								 * model's */
	bool		cancel_same_day;	/* orders that were refunded on the same
									 * day do not count as visits and usage */
	PeriodTerms period;
	ChurnTerms	churn;
	bool		has_contribution;	/* are the next known? */
	double		contribution_rate;	/* of the portfolio: net value per unit of
									 * gross */
	double		rate_before_cost;	/* the same of the margin */
	double		usual_gross;	/* a usual purchase */
	double		prior_purchases;	/* how many of them the two rates count
									 * for */
} ScorecardTerms;

/* Without a scorecard there are no scores and no predictions. */
static const ScorecardTerms no_terms = {.cancel_same_day = true};

typedef struct ScoredDay
{
	DateADT		day;
	Datum		scorecard_id;
	bool		has_scorecard_id;
	ScorecardTerms terms;
} ScoredDay;

/* The last argument of the last call, deformed; it is hardly ever another. */
typedef struct ScoredDays
{
	MemoryContext context;		/* of what belongs to this argument */
	struct varlena *image;
	int			count;
	ScoredDay  *days;
	TupleDesc	result;
} ScoredDays;

/* A customer's histories on the way through the days, and the figures so far. */
typedef struct Customer
{
	HistoryRun	purchases;
	HistoryRun	margins;
	HistoryRun	costs;
	KnownDays	purchase_days;
	KnownDays	margin_days;
	KnownDays	cost_days;
	KnownDays	complaint_days;
	KnownDays	satisfaction_days;
	ChurnReturns returns;
	bool		listed;
	Datum		values[FIGURES];
	bool		nulls[FIGURES];
} Customer;

/* ---------- the histories ---------- */

/* A history that is an argument; NULL if it is. */
static const struct varlena *
optional_history(FunctionCallInfo fcinfo, int argument)
{
	return PG_ARGISNULL(argument) ? NULL : history_argument(PG_GETARG_DATUM(argument));
}

/* Begin with arguments 0 to 5: purchases, margins, costs, complaints, satisfaction, listed. */
static void
customer_open(Customer *customer, FunctionCallInfo fcinfo)
{
	history_run_start(&customer->purchases, optional_history(fcinfo, 0));
	history_run_start(&customer->margins, optional_history(fcinfo, 1));
	history_run_start(&customer->costs, optional_history(fcinfo, 2));
	known_days_open(&customer->purchase_days, optional_history(fcinfo, 0));
	known_days_open(&customer->margin_days, optional_history(fcinfo, 1));
	known_days_open(&customer->cost_days, optional_history(fcinfo, 2));
	known_days_open(&customer->complaint_days, optional_history(fcinfo, 3));
	known_days_open(&customer->satisfaction_days, optional_history(fcinfo, 4));
	memset(&customer->returns, 0, sizeof(customer->returns));
	customer->listed = !PG_ARGISNULL(5) && PG_GETARG_BOOL(5);
	memset(customer->nulls, true, sizeof(customer->nulls));
}

static inline int128
net_of(const HistoryTotals *totals)
{
	return totals->gross - totals->refunded;
}

static inline void
set_amount(Customer *customer, int figure, const HistoryTotals *totals, int128 amount)
{
	customer->values[figure] = NumericGetDatum(history_amount(totals, amount));
	customer->nulls[figure] = false;
}

/* The figures that come from the purchases alone, and change only with them. */
static void
set_purchases(Customer *customer)
{
	const HistoryTotals *totals = &customer->purchases.totals;
	Datum	   *values = customer->values;
	bool	   *nulls = customer->nulls;

	values[FIGURE_ORDERS] = Int64GetDatum(totals->orders);
	values[FIGURE_PURCHASE_DAYS] = Int64GetDatum(totals->purchase_days);
	values[FIGURE_VISITS] = Int64GetDatum(totals->visits);
	nulls[FIGURE_ORDERS] = nulls[FIGURE_PURCHASE_DAYS] = nulls[FIGURE_VISITS] = false;
	values[FIGURE_FIRST_DAY] = DateADTGetDatum(totals->first_day);
	values[FIGURE_LAST_DAY] = DateADTGetDatum(totals->last_day);
	nulls[FIGURE_FIRST_DAY] = nulls[FIGURE_LAST_DAY] = totals->purchase_days == 0;
	nulls[FIGURE_MEAN_GAP_DAYS] = totals->purchase_days < 2;
	if (!nulls[FIGURE_MEAN_GAP_DAYS])
		values[FIGURE_MEAN_GAP_DAYS] = Float8GetDatum(history_mean_gap(totals));
	nulls[FIGURE_GAP_CV] = totals->purchase_days < 3;
	if (!nulls[FIGURE_GAP_CV])
		values[FIGURE_GAP_CV] = Float8GetDatum(history_gap_variation(totals));
	values[FIGURE_MONETARY] = Float8GetDatum(history_monetary(totals));
	values[FIGURE_REPEAT_SPEND] = Float8GetDatum(history_mean_repeat_spend(totals));
	nulls[FIGURE_MONETARY] = false;
	nulls[FIGURE_REPEAT_SPEND] = totals->purchase_days == 0;
	set_amount(customer, FIGURE_GROSS, totals, totals->gross);
	set_amount(customer, FIGURE_REFUNDED, totals, totals->refunded);
	set_amount(customer, FIGURE_NET, totals, net_of(totals));
	set_amount(customer, FIGURE_USAGE, totals, totals->gross - totals->cancelled);
}

static inline void
set_day(Customer *customer, int figure, int64 day)
{
	customer->nulls[figure] = !IS_VALID_DATE(day);
	if (!customer->nulls[figure])
		customer->values[figure] = DateADTGetDatum((DateADT) day);
}

/* The figures of periods, which change from day to day as days leave them. */
static void
set_periods(Customer *customer, DateADT as_of, const PeriodTerms *terms)
{
	const HistoryTotals *purchases = &customer->purchases.totals;
	const KnownDays *all[] = {&customer->purchase_days, &customer->margin_days, &customer->cost_days};
	int64		change = PG_INT64_MAX;
	PeriodFigures figures;

	if (terms->days == 0)
		return;
	if (customer->purchase_days.count > 0)
	{
		period_purchases(&customer->purchase_days, purchases->first_day, as_of, terms, &figures);
		customer->values[FIGURE_PERIOD_ORDERS] = Int64GetDatum(figures.orders);
		customer->nulls[FIGURE_PERIOD_ORDERS] = false;
		set_amount(customer, FIGURE_PERIOD_NET, purchases, figures.net);
		set_amount(customer, FIGURE_PREVIOUS_NET, purchases, figures.previous_net);
		change = Min(known_days_leave(&customer->purchase_days, as_of, 2 * (int64) terms->days),
					 known_days_leave(&customer->purchase_days, as_of, terms->periods * (int64) terms->days));
		if (purchases->purchase_days > 0)
		{
			double		sums[] = {figures.trend_net, figures.trend_moment, figures.trend_square};

			for (int i = 0; i < lengthof(sums); i++)
			{
				customer->values[FIGURE_TREND_NET + i] = Float8GetDatum(sums[i]);
				customer->nulls[FIGURE_TREND_NET + i] = false;
			}
		}
	}
	if (customer->margin_days.count > 0)
		set_amount(customer, FIGURE_PERIOD_MARGIN, &customer->margins.totals,
				   period_net(&customer->margin_days, as_of, terms->days));
	if (customer->cost_days.count > 0)
		set_amount(customer, FIGURE_PERIOD_COST, &customer->costs.totals,
				   period_net(&customer->cost_days, as_of, terms->days));
	for (int i = 0; i < lengthof(all); i++)
		change = Min(change, known_days_leave(all[i], as_of, terms->days));
	set_day(customer, FIGURE_NEXT_CHANGE, change);
}

static inline void
set_integer(Customer *customer, int figure, int64 value)
{
	customer->values[figure] = Int32GetDatum((int32) value);
	customer->nulls[figure] = false;
}

/* Mean of scores; NULL without any. */
static inline void
set_mean(Customer *customer, int figure, int128 sum, int64 count, int scale)
{
	customer->nulls[figure] = count == 0;
	if (count > 0)
		customer->values[figure] = Float8GetDatum(decimal_to_float8(sum, scale) / count);
}

static inline void
set_count(Customer *customer, int figure, int64 count)
{
	customer->values[figure] = Int64GetDatum(count);
	customer->nulls[figure] = false;
}

/* Complaints, and mean scores of satisfaction, in the windows of a customer. */
static void
set_churn_events(Customer *customer, DateADT as_of, const ChurnWindows *windows)
{
	ChurnCounts counts;

	if (customer->complaint_days.count > 0)
	{
		churn_events(&customer->complaint_days, as_of, windows, &counts);
		set_count(customer, FIGURE_RECENT_COMPLAINTS, counts.recent);
		set_count(customer, FIGURE_PAST_COMPLAINTS, counts.past);
	}
	if (customer->satisfaction_days.count > 0)
	{
		int			scale = customer->satisfaction_days.list.scale;

		churn_events(&customer->satisfaction_days, as_of, windows, &counts);
		set_mean(customer, FIGURE_RECENT_SATISFACTION, counts.recent_amount, counts.recent, scale);
		set_mean(customer, FIGURE_PAST_SATISFACTION, counts.past_amount, counts.past, scale);
	}
}

/* Purchases and spend in the windows of a buyer, and whether he ever came back. */
static void
set_churn_purchases(Customer *customer, DateADT as_of, const ChurnTerms *terms, const ChurnWindows *windows)
{
	const HistoryTotals *totals = &customer->purchases.totals;
	ChurnCounts counts;
	double		p_value;

	customer->nulls[FIGURE_SPEND_P_VALUE] =
		!churn_purchases(&customer->purchase_days, totals->first_day, as_of, windows, &counts, &p_value);
	if (!customer->nulls[FIGURE_SPEND_P_VALUE])
		customer->values[FIGURE_SPEND_P_VALUE] = Float8GetDatum(p_value);
	set_integer(customer, FIGURE_RECENT_PURCHASE_DAYS, counts.recent);
	set_integer(customer, FIGURE_PAST_PURCHASE_DAYS, counts.past);
	set_amount(customer, FIGURE_RECENT_SPEND, totals, counts.recent_amount);
	set_amount(customer, FIGURE_PAST_SPEND, totals, counts.past_amount);
	churn_returns(&customer->returns, &customer->purchase_days, terms);
	customer->nulls[FIGURE_RETURN_BELOW] = customer->returns.below == 0;
	customer->values[FIGURE_RETURN_BELOW] = Float8GetDatum(customer->returns.below);
}

/* The figures behind the signs of leaving, which change as days leave a window. */
static void
set_churn(Customer *customer, DateADT as_of, const ChurnTerms *terms)
{
	const HistoryTotals *totals = &customer->purchases.totals;
	int64		change = customer->nulls[FIGURE_NEXT_CHANGE] ? PG_INT64_MAX :
	DatumGetDateADT(customer->values[FIGURE_NEXT_CHANGE]);
	const KnownDays *events[] = {&customer->complaint_days, &customer->satisfaction_days};
	ChurnWindows windows;

	if (terms->recent_days == 0)
		return;
	if (totals->purchase_days > 0)
	{
		churn_windows(terms, &customer->purchase_days, totals->first_day, as_of, &windows);
		set_churn_purchases(customer, as_of, terms, &windows);
		change = churn_windows_change(terms, &customer->purchase_days, totals->first_day, as_of, &windows, change);
	}
	else
		churn_own_days(terms, terms->recent_days, 0, &windows);
	set_integer(customer, FIGURE_RECENT_WINDOW, windows.window);
	set_churn_events(customer, as_of, &windows);
	for (int i = 0; i < lengthof(events); i++)
	{
		change = Min(change, known_days_leave(events[i], as_of, windows.window));
		change = Min(change, known_days_leave(events[i], as_of, windows.window + windows.past_window));
	}
	set_day(customer, FIGURE_NEXT_CHANGE, change);
}

/* The day of the first event that is not counted yet, of those that change figures. */
static void
set_next_event(Customer *customer)
{
	const KnownDays *all[] = {&customer->purchase_days, &customer->margin_days, &customer->cost_days,
	&customer->complaint_days, &customer->satisfaction_days};
	int64		next = PG_INT64_MAX;

	for (int i = 0; i < lengthof(all); i++)
		next = Min(next, known_days_next(all[i]));
	set_day(customer, FIGURE_NEXT_EVENT, next);
}

/*
 * customer_move: on to a day, which is later than that of the last call
 *
 * Returns whether the customer was known by then: listed, or something has
 * happened.  Only what has changed since the last day is computed again.
 */
static bool
customer_move(Customer *customer, DateADT day, const ScorecardTerms *terms)
{
	if (history_run_to(&customer->purchases, day))
		set_purchases(customer);
	if (history_run_to(&customer->margins, day))
		set_amount(customer, FIGURE_MARGIN, &customer->margins.totals,
				   net_of(&customer->margins.totals));
	if (history_run_to(&customer->costs, day))
		set_amount(customer, FIGURE_COST, &customer->costs.totals,
				   net_of(&customer->costs.totals));
	known_days_move(&customer->purchase_days, day);
	known_days_move(&customer->margin_days, day);
	known_days_move(&customer->cost_days, day);
	known_days_move(&customer->complaint_days, day);
	known_days_move(&customer->satisfaction_days, day);
	set_periods(customer, day, &terms->period);
	set_churn(customer, day, &terms->churn);
	set_next_event(customer);
	return customer->listed || !customer->nulls[FIGURE_ORDERS] || !customer->nulls[FIGURE_COST] ||
		customer->complaint_days.count > 0 || customer->satisfaction_days.count > 0;
}

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
static void
set_rest(Datum *values, bool *nulls, DateADT as_of, const ScorecardTerms *terms)
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

/* ---------- arguments and results ---------- */

static const Model *
model_copy(Datum model)
{
	return model_checked((struct varlena *) PG_DETOAST_DATUM_COPY(model));
}

/* A number of days or periods among the terms; error 22023 unless it is from 1 to most. */
static int32
checked_days(Datum value, const char *name, int32 most)
{
	int32		days = DatumGetInt32(value);

	arguments_check_range(name, days, 1, most);
	return days;
}

/* Into the current memory context, where what it points to stays, too. */
static void
deform_terms(Datum row, ScorecardTerms *terms)
{
	TupleDesc	tupdesc = row_type_lookup(HeapTupleHeaderGetTypeId(DatumGetHeapTupleHeader(row)), TERMS);
	Datum		values[TERMS];
	bool		nulls[TERMS];

	row_deform(row, tupdesc, values, nulls);
	for (int i = 0; i < 3; i++)
		if (!nulls[TERM_CUTS + i])
			terms->cuts[i] = PG_DETOAST_DATUM_COPY(values[TERM_CUTS + i]);
	terms->has_gap = !nulls[TERM_PRIOR_GAPS] && !nulls[TERM_USUAL_GAP];
	if (terms->has_gap)
	{
		terms->prior_gaps = DatumGetFloat8(values[TERM_PRIOR_GAPS]);
		terms->usual_gap = DatumGetFloat8(values[TERM_USUAL_GAP]);
	}
	terms->has_margin_rate = !nulls[TERM_MARGIN_RATE];
	if (terms->has_margin_rate)
		terms->margin_rate = PointerGetDatum(PG_DETOAST_DATUM_COPY(values[TERM_MARGIN_RATE]));
	terms->has_contribution = !nulls[TERM_CONTRIBUTION_RATE] && !nulls[TERM_RATE_BEFORE_COST] &&
		!nulls[TERM_USUAL_GROSS] && !nulls[TERM_PRIOR_PURCHASES];
	if (terms->has_contribution)
	{
		terms->contribution_rate = DatumGetFloat8(values[TERM_CONTRIBUTION_RATE]);
		terms->rate_before_cost = DatumGetFloat8(values[TERM_RATE_BEFORE_COST]);
		terms->usual_gross = DatumGetFloat8(values[TERM_USUAL_GROSS]);
		terms->prior_purchases = DatumGetFloat8(values[TERM_PRIOR_PURCHASES]);
	}
	terms->cancel_same_day = nulls[TERM_CANCEL_SAME_DAY] || DatumGetBool(values[TERM_CANCEL_SAME_DAY]);
	if (!nulls[TERM_CHURN_BASIS])
		terms->churn_basis = DatumGetTextPCopy(values[TERM_CHURN_BASIS]);
	if (!nulls[TERM_CHURN_HORIZON])
		terms->churn_horizon = DatumGetFloat8(values[TERM_CHURN_HORIZON]);
	if (!nulls[TERM_CHURN_SHARES])
		terms->churn_shares = risk_shares_checked(DatumGetArrayTypePCopy(values[TERM_CHURN_SHARES]));
	if (!nulls[TERM_PERIOD_DAYS] && !nulls[TERM_TREND_PERIODS])
	{
		terms->period.days = checked_days(values[TERM_PERIOD_DAYS], "period_days", 36525);
		terms->period.periods = checked_days(values[TERM_TREND_PERIODS], "trend_periods", 100);
	}
	if (!nulls[TERM_CHURN_RECENT_DAYS] && !nulls[TERM_CHURN_PAST_DAYS] && !nulls[TERM_CHURN_SIGNIFICANCE] &&
		!nulls[TERM_ASLEEP] && terms->has_gap)
	{
		terms->churn.recent_days = checked_days(values[TERM_CHURN_RECENT_DAYS], "churn_recent_days", 36525);
		terms->churn.past_days = checked_days(values[TERM_CHURN_PAST_DAYS], "churn_past_days", 36525);
		terms->churn.significance = DatumGetFloat8(values[TERM_CHURN_SIGNIFICANCE]);
		terms->churn.asleep = DatumGetFloat8(values[TERM_ASLEEP]);
		terms->churn.prior_gaps = terms->prior_gaps;
		arguments_check_range("churn_significance", terms->churn.significance, 0, 1);
		arguments_check_range("dormancy_asleep", terms->churn.asleep, 0, ARGUMENTS_MAX_TIME);
	}
	for (int i = TERM_UNIT_DAYS; i <= TERM_ANNUAL_RATE; i++)
		if (nulls[i])
			return;				/* no predictions, then */
	terms->unit_days = DatumGetFloat8(values[TERM_UNIT_DAYS]);
	terms->horizon = DatumGetFloat8(values[TERM_HORIZON]);
	terms->probability_horizon = DatumGetFloat8(values[TERM_PROBABILITY_HORIZON]);
	terms->annual_rate = DatumGetFloat8(values[TERM_ANNUAL_RATE]);
	if (!nulls[TERM_PURCHASE_MODEL])
		terms->purchase_model = model_copy(values[TERM_PURCHASE_MODEL]);
	if (!nulls[TERM_SPEND_MODEL])
		terms->spend_model = model_copy(values[TERM_SPEND_MODEL]);
}

/* An array of days, each with the terms of its scorecard. */
static void
deform_days(ScoredDays *days, ArrayType *array)
{
	TupleDesc	tupdesc;
	Datum	   *rows;
	bool	   *nulls;

	deconstruct_array(array, ARR_ELEMTYPE(array), -1, false, TYPALIGN_DOUBLE,
					  &rows, &nulls, &days->count);
	if (days->count == 0)
		return;
	tupdesc = row_type_lookup(ARR_ELEMTYPE(array), DAY_COLUMNS);
	days->days = palloc0(days->count * sizeof(ScoredDay));
	for (int i = 0; i < days->count; i++)
	{
		ScoredDay  *day = &days->days[i];
		Datum		values[DAY_COLUMNS];
		bool		day_nulls[DAY_COLUMNS] = {true, true, true};

		CHECK_FOR_INTERRUPTS();
		if (!nulls[i])
			row_deform(rows[i], tupdesc, values, day_nulls);
		if (day_nulls[DAY_DAY])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("argument \"%s\" must not contain nulls", "days")));
		day->day = finite_date(DatumGetDateADT(values[DAY_DAY]), "days");
		day->scorecard_id = values[DAY_SCORECARD_ID];
		day->has_scorecard_id = !day_nulls[DAY_SCORECARD_ID];
		day->terms = no_terms;
		if (!day_nulls[DAY_TERMS])
			deform_terms(values[DAY_TERMS], &day->terms);
		if (i > 0 && day->day <= days->days[i - 1].day)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("argument \"%s\" must be in ascending order", "days")));
	}
}

/*
 * What a call is asked for: an array of days, or the terms for one day, which
 * the caller has from another argument; NULL: none.
 */
static ScoredDays *
scored_days(FunctionCallInfo fcinfo, int argument_number, bool is_array)
{
	ScoredDays *days = (ScoredDays *) fcinfo->flinfo->fn_extra;
	struct varlena *argument;
	struct varlena *image;
	MemoryContext old;

	if (days == NULL)
	{
		old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
		days = palloc0(sizeof(ScoredDays));
		days->result = result_row_lookup(fcinfo, FIGURES);
		days->context = AllocSetContextCreate(CurrentMemoryContext, "days of customers",
											  ALLOCSET_SMALL_SIZES);
		MemoryContextSwitchTo(old);
		fcinfo->flinfo->fn_extra = days;
	}
	if (PG_ARGISNULL(argument_number))
	{
		days->image = NULL;
		days->count = 1;
		days->days = MemoryContextAllocZero(days->context, sizeof(ScoredDay));
		days->days[0].terms = no_terms;
		return days;
	}
	argument = PG_DETOAST_DATUM_PACKED(PG_GETARG_DATUM(argument_number));
	if (days->image != NULL &&
		VARSIZE_ANY_EXHDR(days->image) == VARSIZE_ANY_EXHDR(argument) &&
		memcmp(VARDATA_ANY(days->image), VARDATA_ANY(argument), VARSIZE_ANY_EXHDR(argument)) == 0)
		return days;

	days->image = NULL;			/* should the new argument be an error */
	MemoryContextReset(days->context);
	old = MemoryContextSwitchTo(days->context);
	image = PG_DETOAST_DATUM_COPY(PointerGetDatum(argument));
	if (is_array)
		deform_days(days, (ArrayType *) image);
	else
	{
		days->count = 1;
		days->days = palloc0(sizeof(ScoredDay));
		days->days[0].terms = no_terms;
		deform_terms(PointerGetDatum(image), &days->days[0].terms);
	}
	days->image = image;
	MemoryContextSwitchTo(old);
	return days;
}

/* A tuplestore as the result of a function that is called for each customer. */
static Tuplestorestate *
materialize(FunctionCallInfo fcinfo)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext old;

	if (result == NULL || !IsA(result, ReturnSetInfo) ||
		(result->allowedModes & SFRM_Materialize) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("set-valued function called in context that cannot accept a set")));
	old = MemoryContextSwitchTo(result->econtext->ecxt_per_query_memory);
	result->returnMode = SFRM_Materialize;
	result->setResult = tuplestore_begin_heap((result->allowedModes & SFRM_Materialize_Random) != 0,
											  false, work_mem);
	MemoryContextSwitchTo(old);
	return result->setResult;
}

/* ---------- functions ---------- */

/*
 * customer_figures(purchases, margins, costs, complaints, satisfaction, listed,
 * as_of, terms): the row of a customer as of a day; none if the customer was not
 * known by then
 *
 * This is a set of at most one row, in a FROM clause: so a customer's histories
 * are read once, not once for every column.
 */
PG_FUNCTION_INFO_V1(segment_customer_figures);
Datum
segment_customer_figures(PG_FUNCTION_ARGS)
{
	Tuplestorestate *rows = materialize(fcinfo);
	ScoredDays *days;
	Customer	customer;
	DateADT		as_of;

	if (PG_ARGISNULL(6))
		return (Datum) 0;
	as_of = finite_date(PG_GETARG_DATEADT(6), "as_of");
	days = scored_days(fcinfo, 7, false);
	customer_open(&customer, fcinfo);
	if (customer_move(&customer, as_of, &days->days[0].terms))
	{
		set_rest(customer.values, customer.nulls, as_of, &days->days[0].terms);
		tuplestore_putvalues(rows, days->result, customer.values, customer.nulls);
	}
	return (Datum) 0;
}

/*
 * customer_figures(orders, ..., next_event, as_of, terms): the same from figures
 * that were kept, which still hold on the day
 */
PG_FUNCTION_INFO_V1(segment_customer_figures_kept);
Datum
segment_customer_figures_kept(PG_FUNCTION_ARGS)
{
	const int	as_of_at = lengthof(kept_figures);
	Tuplestorestate *rows = materialize(fcinfo);
	ScoredDays *days;
	Datum		values[FIGURES];
	bool		nulls[FIGURES];

	if (PG_ARGISNULL(as_of_at))
		return (Datum) 0;
	days = scored_days(fcinfo, as_of_at + 1, false);
	memset(nulls, true, sizeof(nulls));
	for (int i = 0; i < lengthof(kept_figures); i++)
	{
		values[kept_figures[i]] = PG_GETARG_DATUM(i);
		nulls[kept_figures[i]] = PG_ARGISNULL(i);
	}

	/*
	 * counts and sums that are kept as 0 and were not known; a margin that
	 * was a share of sales
	 */
	if (nulls[FIGURE_MONETARY])
		nulls[FIGURE_NET] = nulls[FIGURE_PERIOD_NET] = true;
	if (days->days[0].terms.has_margin_rate)
		nulls[FIGURE_MARGIN] = nulls[FIGURE_PERIOD_MARGIN] = true;
	set_rest(values, nulls, finite_date(PG_GETARG_DATEADT(as_of_at), "as_of"), &days->days[0].terms);
	tuplestore_putvalues(rows, days->result, values, nulls);
	return (Datum) 0;
}

/*
 * customer_days(purchases, margins, costs, complaints, satisfaction, listed,
 * days): the rows for each of the days by which the customer was known
 *
 * The same as customer_figures for each day, but each history is read once.
 * day_number is that of the day in the array, days_known the number of rows: once
 * known, a customer stays known, so these are the last days.
 *
 * Errors: 22004 a NULL among the days, 22023 days that are not in ascending
 * order, 22008 an infinite day, those of score and of the predictions.
 */
PG_FUNCTION_INFO_V1(segment_customer_days);
Datum
segment_customer_days(PG_FUNCTION_ARGS)
{
	Tuplestorestate *rows = materialize(fcinfo);
	ScoredDays *days;
	Customer	customer;
	int			days_known = 0;

	if (PG_ARGISNULL(6))
		return (Datum) 0;
	days = scored_days(fcinfo, 6, true);
	customer_open(&customer, fcinfo);
	for (int i = 0; i < days->count; i++)
	{
		const ScoredDay *day = &days->days[i];
		Datum		values[FIGURES];
		bool		nulls[FIGURES];

		CHECK_FOR_INTERRUPTS();
		if (!customer_move(&customer, day->day, &day->terms))
			continue;
		if (days_known == 0)
			days_known = days->count - i;
		memcpy(values, customer.values, sizeof(values));
		memcpy(nulls, customer.nulls, sizeof(nulls));
		set_rest(values, nulls, day->day, &day->terms);
		values[FIGURE_DAY_NUMBER] = Int32GetDatum(i + 1);
		values[FIGURE_DAYS_KNOWN] = Int32GetDatum(days_known);
		values[FIGURE_SCORECARD_ID] = day->scorecard_id;
		nulls[FIGURE_DAY_NUMBER] = nulls[FIGURE_DAYS_KNOWN] = false;
		nulls[FIGURE_SCORECARD_ID] = !day->has_scorecard_id;
		tuplestore_putvalues(rows, days->result, values, nulls);
	}
	return (Datum) 0;
}

/* ---------- the rules of money, on their own ---------- */

/* margin(net, margin_rate): contribution of sales, as customer_figures has it */
PG_FUNCTION_INFO_V1(segment_margin);
Datum
segment_margin(PG_FUNCTION_ARGS)
{
	PG_RETURN_DATUM(margin_of(PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)));
}

/* ---------- subqueries in one piece ---------- */

/*
 * one_row(): true.  To SQL this is a set: a subquery that calls it is kept in
 * one piece.
 */
PG_FUNCTION_INFO_V1(segment_one_row);
Datum
segment_one_row(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(true);
}
