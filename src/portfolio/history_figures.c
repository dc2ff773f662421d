/*-------------------------------------------------------------------------
 *
 * history_figures.c
 *		The figures of a customer that the histories give, as of a day or of many
 *		days, in one pass over each history.
 *
 * This is the only place that says from when on a customer is known.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include "utils/date.h"
#include "utils/numeric.h"

#include "base/decimal.h"
#include "portfolio/history_figures.h"
#include "types/history.h"

/* Begins before the first day. */
void
customer_open(Customer *customer, const CustomerHistories *histories)
{
	history_run_start(&customer->purchases, histories->purchases);
	history_run_start(&customer->margins, histories->margins);
	history_run_start(&customer->costs, histories->costs);
	known_days_open(&customer->purchase_days, histories->purchases);
	known_days_open(&customer->margin_days, histories->margins);
	known_days_open(&customer->cost_days, histories->costs);
	known_days_open(&customer->complaint_days, histories->complaints);
	known_days_open(&customer->satisfaction_days, histories->satisfaction);
	memset(&customer->returns, 0, sizeof(customer->returns));
	customer->listed = histories->listed;
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
bool
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
