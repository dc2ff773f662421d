/*-------------------------------------------------------------------------
 *
 * churn.c
 *		Signs that a customer is leaving, from the histories: the recent past
 *		against the customer's own past, with the chance that nothing has
 *		changed; and customers who came back.
 *
 * Days are compared in two windows: the recent one, the last recent_days up
 * to as_of, and the past one, the past_days before it.  A customer's own
 * windows begin no earlier than the day after the first purchase: before it
 * there was no customer, and the first purchase itself is what made the
 * customer known, so it says nothing about the rate.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include <math.h>

#include "access/htup_details.h"
#include "common/int.h"
#include "miscadmin.h"

#include "base/arguments.h"
#include "base/decimal.h"
#include "base/result_row.h"
#include "base/special.h"
#include "portfolio/customer.h"
#include "types/history.h"

/* Longest window: 100 years */
#define CHURN_MAX_DAYS 36525

/* Shortest and longest exposure of the tests of rates, in any unit */
#define CHURN_MIN_EXPOSURE 1e-12
#define CHURN_MAX_EXPOSURE 1e12

/*
 * How finely the recent spend is divided in the test of spend: into so many
 * parts for each recent purchase, but so many at least and at most.
 */
#define SPEND_PARTS_EACH 16
#define SPEND_LEAST_PARTS 256
#define SPEND_MOST_PARTS 1024

/* ---------- chance ---------- */

/*
 * P(K <= k) for K binomial(n, share) with odds = share / (1 - share) > 0;
 * k and n whole.  The terms on the shorter side of k are added up, largest
 * first, each from the one before; the first is in Loader's form.  Relative
 * error about 1e-13 below the mean.
 */
static double
binomial_lower_tail(double k, double n, double odds)
{
	bool		below;
	double		j,
				term,
				sum;

	if (k >= n)
		return 1.0;
	/* up to the mean n * share, or beyond it? */
	below = k * (1.0 + odds) <= n * odds;
	j = below ? k : k + 1.0;

	/*
	 * C(n, j) share^j (1 - share)^(n - j) as j failures before n - j + 1
	 * successes
	 */
	term = exp(special_negative_binomial_log_pmf(j, n - j + 1.0, odds) + log1p(odds));
	sum = term;
	while (term > sum * 1e-17)
	{
		CHECK_FOR_INTERRUPTS();
		if (below)
		{
			term *= j / ((n - j + 1.0) * odds);
			j -= 1.0;
		}
		else
		{
			term *= (n - j) * odds / (j + 1.0);
			j += 1.0;
		}
		sum += term;
	}
	return special_clamp_probability(below ? sum : 1.0 - sum);
}

/*
 * Chance of so few recent events if the rate has always been the same.
 *
 * With a Poisson rate that does not change, each of the recent + past events
 * falls in the recent window with the probability recent_days / (recent_days +
 * past_days), independently of the rate: the exact conditional test
 * (Przyborowski and Wilenski, 1940).  The chance of so many is the same test
 * with the windows exchanged.
 */
static double
fall_p_value(double recent, double past, double recent_days, double past_days)
{
	return binomial_lower_tail(recent, recent + past, recent_days / past_days);
}

/*
 * Chance of so little recent spend if each purchase were as likely on any
 * day: the amounts are taken as given, each falls in the recent window with
 * the same probability, and their sum there is at most "recent".
 *
 * The distribution of the sum is built up purchase by purchase over parts of
 * "recent", amounts rounded down to whole parts: so the result is never
 * smaller than the exact chance, and never larger than the chance of a recent
 * sum that is larger by less than one part a purchase.  Equal amounts are a
 * whole number of parts, or so many that their sums are told apart all the
 * same, up to 64 recent purchases: then it is the exact chance.
 */
static double
spend_p_value(const double *amounts, int count, double recent, int64 recent_purchases,
			  double odds)
{
	double		cells[2][SPEND_MOST_PARTS + 1];
	double	   *now = cells[0];
	double	   *next = cells[1];
	int			parts = (int) Min(Max(recent_purchases * SPEND_PARTS_EACH, SPEND_LEAST_PARTS),
								  SPEND_MOST_PARTS);
	double		miss = 1.0 / (1.0 + odds);
	double		hit = odds / (1.0 + odds);
	double		all_missed = 1.0;
	double		sum = 0.0;
	int			top = 0;		/* highest cell that can be reached */
	int			i,
				c;

	now[0] = 1.0;
	for (i = 0; i < count; i++)
	{
		int			step,
					new_top;
		double	   *swap;

		CHECK_FOR_INTERRUPTS();
		if (amounts[i] > recent)
		{
			/* cannot be one of the recent purchases */
			all_missed *= miss;
			continue;
		}
		if (amounts[i] == 0.0)
			continue;
		step = Min((int) floor(amounts[i] * parts / recent), parts);
		new_top = Min(top + step, parts);
		/* missed, and hit where now there is something to be hit from */
		for (c = 0; c < Min(step, top + 1); c++)
			next[c] = now[c] * miss;
		for (c = top + 1; c < step; c++)
			next[c] = 0.0;
		for (c = step; c <= top; c++)
			next[c] = now[c] * miss + now[c - step] * hit;
		for (c = Max(step, top + 1); c <= new_top; c++)
			next[c] = now[c - step] * hit;
		top = new_top;
		swap = now;
		now = next;
		next = swap;
	}
	for (c = 0; c <= top; c++)
		sum += now[c];
	return special_clamp_probability(all_missed * sum);
}

/* The four arguments of a test of rates, checked. */
static double
test_of_rates(FunctionCallInfo fcinfo, bool fall)
{
	double		recent = (double) PG_GETARG_INT64(0);
	double		past = (double) PG_GETARG_INT64(1);
	double		recent_days = PG_GETARG_FLOAT8(2);
	double		past_days = PG_GETARG_FLOAT8(3);

	arguments_check_count("recent", recent, ARGUMENTS_MAX_COUNT);
	arguments_check_count("past", past, ARGUMENTS_MAX_COUNT);
	arguments_check_range("recent_days", recent_days, CHURN_MIN_EXPOSURE, CHURN_MAX_EXPOSURE);
	arguments_check_range("past_days", past_days, CHURN_MIN_EXPOSURE, CHURN_MAX_EXPOSURE);
	return fall ? fall_p_value(recent, past, recent_days, past_days) :
		fall_p_value(past, recent, past_days, recent_days);
}

PG_FUNCTION_INFO_V1(segment_churn_fall_p_value);
Datum
segment_churn_fall_p_value(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(test_of_rates(fcinfo, true));
}

PG_FUNCTION_INFO_V1(segment_churn_rise_p_value);
Datum
segment_churn_rise_p_value(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(test_of_rates(fcinfo, false));
}

/* ---------- the windows ---------- */

/* Kept from one row to the next. */
typedef struct ChurnState
{
	TupleDesc	tupdesc;
	double	   *amounts;		/* of the purchase days in both windows */
	int			count;
	int			capacity;
} ChurnState;

/* int64, so that no date comes near the end of the range */
typedef struct ChurnWindows
{
	int64		past_from;
	int64		recent_from;
	int64		as_of;
} ChurnWindows;

/* What happened in one window. */
typedef struct ChurnWindow
{
	int64		days;			/* of them the customer's own */
	int64		events;
	int128		amount;
} ChurnWindow;

static ChurnState *
churn_state(FunctionCallInfo fcinfo, int natts)
{
	ChurnState *state = (ChurnState *) fcinfo->flinfo->fn_extra;

	if (state == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);

		state = palloc0(sizeof(ChurnState));
		state->tupdesc = result_row_lookup(fcinfo, natts);
		state->capacity = 64;
		state->amounts = palloc(state->capacity * sizeof(double));
		MemoryContextSwitchTo(old);
		fcinfo->flinfo->fn_extra = state;
	}
	return state;
}

/* At most one amount a day, so no more than both windows have days. */
static void
keep_amount(ChurnState *state, double amount)
{
	if (state->count == state->capacity)
	{
		state->amounts = repalloc(state->amounts, 2 * state->capacity * sizeof(double));
		state->capacity *= 2;
	}
	state->amounts[state->count++] = amount;
}

static void
window_add(ChurnWindow *window, int64 events, int128 amount, int scale)
{
	if (unlikely(pg_add_s64_overflow(window->events, events, &window->events)))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("number of events in a history is out of range")));
	decimal_add(&window->amount, amount, scale);
}

static ChurnWindows
windows_before(DateADT as_of, int32 recent_days, int32 past_days)
{
	ChurnWindows windows;

	arguments_check_range("recent_days", recent_days, 1, CHURN_MAX_DAYS);
	arguments_check_range("past_days", past_days, 1, CHURN_MAX_DAYS);
	windows.as_of = finite_date(as_of, "as_of");
	windows.recent_from = windows.as_of - recent_days + 1;
	windows.past_from = windows.recent_from - past_days;
	return windows;
}

/* Is the number of days enough to compare: are there any in both windows? */
static bool
comparable(const ChurnWindow *recent, const ChurnWindow *past)
{
	return recent->days > 0 && past->days > 0;
}

/*
 * The purchase days after the first, in both windows, and the amounts of
 * each.  False if there was no purchase up to as_of.
 */
static bool
read_purchases(const struct varlena *history, const ChurnWindows *windows,
			   ChurnState *state, HistoryReader *reader,
			   ChurnWindow *recent, ChurnWindow *past)
{
	HistoryDay	day;
	bool		bought = false;

	state->count = 0;
	history_open(reader, history);
	while (history_next(reader, &day) && day.day <= windows->as_of)
	{
		CHECK_FOR_INTERRUPTS();
		if (day.orders == 0)
			continue;
		if (!bought)
		{
			int64		from = Max(windows->past_from, (int64) day.day + 1);

			bought = true;
			past->days = Max(windows->recent_from - from, 0);
			recent->days = windows->as_of - Max(windows->recent_from, from) + 1;
			continue;
		}
		if (day.day < windows->past_from)
			continue;
		window_add(day.day < windows->recent_from ? past : recent,
				   1, day.gross, reader->scale);
		keep_amount(state, (double) day.gross);
	}
	return bought;
}

/* All events in both windows: complaints, or scores with their sum. */
static int
read_events(const struct varlena *history, const ChurnWindows *windows,
			ChurnWindow *recent, ChurnWindow *past)
{
	HistoryReader reader;
	HistoryDay	day;

	history_open(&reader, history);
	while (history_next(&reader, &day) && day.day <= windows->as_of)
	{
		ChurnWindow *window = day.day < windows->recent_from ? past : recent;

		CHECK_FOR_INTERRUPTS();
		if (day.day < windows->past_from)
			continue;
		window_add(window, day.orders, day.gross, reader.scale);
		window_add(window, day.refunds, -day.refunded, reader.scale);
	}
	return reader.scale;
}

/* ---------- the recent past against the past ---------- */

/* Rate in the recent window divided by that in the past one; false if that was 0. */
static bool
rate_ratio(double recent, double past, double odds, double *ratio)
{
	*ratio = recent / past / odds;
	return past > 0;
}

/* Columns of the type segment_internal.churn_measures. */
enum
{
	RECENT_DAYS,
	PAST_DAYS,
	RECENT_PURCHASE_DAYS,
	PAST_PURCHASE_DAYS,
	FREQUENCY_RATIO,
	FREQUENCY_P_VALUE,
	RECENT_SPEND,
	PAST_SPEND,
	SPEND_RATIO,
	SPEND_P_VALUE,
	RECENT_COMPLAINTS,
	PAST_COMPLAINTS,
	COMPLAINTS_P_VALUE,
	RECENT_SATISFACTION,
	PAST_SATISFACTION,
	MEASURES
};

/* A row of churn_measures being filled; what is not set is NULL. */
typedef struct ChurnMeasures
{
	Datum		values[MEASURES];
	bool		nulls[MEASURES];
} ChurnMeasures;

static inline void
set_measure(ChurnMeasures *measures, int measure, Datum value)
{
	measures->values[measure] = value;
	measures->nulls[measure] = false;
}

static void
set_ratio(ChurnMeasures *measures, int measure, double recent, double past, double odds)
{
	double		ratio;

	if (rate_ratio(recent, past, odds, &ratio))
		set_measure(measures, measure, Float8GetDatum(ratio));
}

/*
 * Purchase days and spend.  recent and past have the customer's own days
 * afterwards, which complaints are compared by as well.
 */
static void
measure_purchases(ChurnMeasures *measures, const struct varlena *history,
				  const ChurnWindows *windows, ChurnState *state,
				  ChurnWindow *recent, ChurnWindow *past)
{
	HistoryReader reader;
	double		odds;

	if (!read_purchases(history, windows, state, &reader, recent, past))
		return;
	set_measure(measures, RECENT_DAYS, Int32GetDatum((int32) recent->days));
	set_measure(measures, PAST_DAYS, Int32GetDatum((int32) past->days));
	set_measure(measures, RECENT_PURCHASE_DAYS, Int64GetDatum(recent->events));
	set_measure(measures, PAST_PURCHASE_DAYS, Int64GetDatum(past->events));
	set_measure(measures, RECENT_SPEND,
				NumericGetDatum(decimal_to_numeric(recent->amount, reader.scale, reader.display_scale)));
	set_measure(measures, PAST_SPEND,
				NumericGetDatum(decimal_to_numeric(past->amount, reader.scale, reader.display_scale)));
	if (!comparable(recent, past))
		return;
	odds = (double) recent->days / past->days;
	set_ratio(measures, FREQUENCY_RATIO, recent->events, past->events, odds);
	set_measure(measures, FREQUENCY_P_VALUE,
				Float8GetDatum(fall_p_value(recent->events, past->events, recent->days, past->days)));
	set_ratio(measures, SPEND_RATIO, (double) recent->amount, (double) past->amount, odds);
	set_measure(measures, SPEND_P_VALUE,
				Float8GetDatum(spend_p_value(state->amounts, state->count, (double) recent->amount,
											 recent->events, odds)));
}

/* Complaints, NULL for none; days are those of the windows of the purchases. */
static void
measure_complaints(ChurnMeasures *measures, const struct varlena *history,
				   const ChurnWindows *windows, const ChurnWindow *recent_days,
				   const ChurnWindow *past_days)
{
	ChurnWindow recent = {0};
	ChurnWindow past = {0};

	if (history != NULL)
		read_events(history, windows, &recent, &past);
	set_measure(measures, RECENT_COMPLAINTS, Int64GetDatum(recent.events));
	set_measure(measures, PAST_COMPLAINTS, Int64GetDatum(past.events));
	/* the chance of so many: the test of a fall with the windows exchanged */
	if (comparable(recent_days, past_days))
		set_measure(measures, COMPLAINTS_P_VALUE,
					Float8GetDatum(fall_p_value(past.events, recent.events,
												past_days->days, recent_days->days)));
}

/* Mean scores of satisfaction. */
static void
measure_satisfaction(ChurnMeasures *measures, const struct varlena *history,
					 const ChurnWindows *windows)
{
	ChurnWindow recent = {0};
	ChurnWindow past = {0};
	int			scale = read_events(history, windows, &recent, &past);

	if (recent.events > 0)
		set_measure(measures, RECENT_SATISFACTION,
					Float8GetDatum(decimal_to_float8(recent.amount, scale) / recent.events));
	if (past.events > 0)
		set_measure(measures, PAST_SATISFACTION,
					Float8GetDatum(decimal_to_float8(past.amount, scale) / past.events));
}

/*
 * churn_measures(purchases, complaints, satisfaction, as_of, recent_days,
 * past_days)
 *		The numbers behind the signals that compare a recent window with the
 *		customer's own past, in one pass over each history.
 *
 * A history that is NULL holds no events.  What cannot be said is NULL:
 * everything about purchases without any, ratios and p-values of rates where
 * the customer's first purchase leaves no day in the past window, mean scores
 * of windows without scores.
 */
PG_FUNCTION_INFO_V1(segment_churn_measures);
Datum
segment_churn_measures(PG_FUNCTION_ARGS)
{
	ChurnState *state;
	ChurnWindows windows;
	ChurnWindow recent = {0};
	ChurnWindow past = {0};
	ChurnMeasures measures;

	if (PG_ARGISNULL(3) || PG_ARGISNULL(4) || PG_ARGISNULL(5))
		PG_RETURN_NULL();
	windows = windows_before(PG_GETARG_DATEADT(3), PG_GETARG_INT32(4), PG_GETARG_INT32(5));
	state = churn_state(fcinfo, MEASURES);
	memset(measures.nulls, true, sizeof(measures.nulls));
	if (!PG_ARGISNULL(0))
		measure_purchases(&measures, history_argument(PG_GETARG_DATUM(0)), &windows, state,
						  &recent, &past);
	measure_complaints(&measures,
					   PG_ARGISNULL(1) ? NULL : history_argument(PG_GETARG_DATUM(1)),
					   &windows, &recent, &past);
	if (!PG_ARGISNULL(2))
		measure_satisfaction(&measures, history_argument(PG_GETARG_DATUM(2)), &windows);
	PG_RETURN_DATUM(row_form(state->tupdesc, measures.values, measures.nulls));
}

/* ---------- customers who came back ---------- */

/* A customer's purchases so far, and what has happened since the last return. */
typedef struct ChurnReturn
{
	int64		purchase_days;
	DateADT		first_day;		/* valid if purchase_days > 0 */
	DateADT		last_day;
	int64		returns;
	DateADT		left_day;		/* valid if returns > 0, as all below */
	DateADT		since;
	double		gap_ratio;		/* on the day before the return */
	int64		orders;
	int128		gross;
	int128		refunded;
} ChurnReturn;

/* A purchase day: is it a return after more than "asleep" usual gaps? */
static void
add_purchase_day(ChurnReturn *customer, DateADT day, double prior_gaps, double usual_gap_days,
				 double asleep)
{
	if (customer->purchase_days == 0)
		customer->first_day = day;
	else
	{
		double		ratio = customer_gap_ratio((int64) day - customer->last_day - 1,
											   (int64) customer->last_day - customer->first_day,
											   customer->purchase_days,
											   prior_gaps, usual_gap_days);

		if (ratio > asleep)
		{
			customer->returns++;
			customer->left_day = customer->last_day;
			customer->since = day;
			customer->gap_ratio = ratio;
			customer->orders = 0;
			customer->gross = customer->refunded = 0;
		}
	}
	customer->last_day = day;
	customer->purchase_days++;
}

/*
 * churn_return(purchases, as_of, usual_gap_days, prior_gaps, asleep)
 *		The last time the customer bought again after having been asleep.
 *
 * Asleep means: on the day before the purchase the gap ratio of the view
 * customer was above "asleep".  NULL for customers who never came back.
 */
PG_FUNCTION_INFO_V1(segment_churn_return);
Datum
segment_churn_return(PG_FUNCTION_ARGS)
{
	struct varlena *history = history_argument(PG_GETARG_DATUM(0));
	DateADT		as_of = finite_date(PG_GETARG_DATEADT(1), "as_of");
	double		usual_gap_days = PG_GETARG_FLOAT8(2);
	double		prior_gaps = PG_GETARG_FLOAT8(3);
	double		asleep = PG_GETARG_FLOAT8(4);
	ChurnReturn customer = {0};
	HistoryReader reader;
	HistoryDay	day;
	Datum		values[7];
	bool		nulls[7] = {false};

	arguments_check_range("usual_gap_days", usual_gap_days, CHURN_MIN_EXPOSURE, CHURN_MAX_EXPOSURE);
	arguments_check_range("prior_gaps", prior_gaps, 0, CHURN_MAX_EXPOSURE);
	arguments_check_range("asleep", asleep, 0, CHURN_MAX_EXPOSURE);
	history_open(&reader, history);
	while (history_next(&reader, &day) && day.day <= as_of)
	{
		CHECK_FOR_INTERRUPTS();
		if (day.orders > 0)
			add_purchase_day(&customer, day.day, prior_gaps, usual_gap_days, asleep);
		customer.orders += day.orders;
		decimal_add(&customer.gross, day.gross, reader.scale);
		decimal_add(&customer.refunded, day.refunded, reader.scale);
	}
	if (customer.returns == 0)
		PG_RETURN_NULL();
	values[0] = Int64GetDatum(customer.returns);
	values[1] = DateADTGetDatum(customer.left_day);
	values[2] = DateADTGetDatum(customer.since);
	values[3] = Int32GetDatum(customer.since - customer.left_day);
	values[4] = Float8GetDatum(customer.gap_ratio);
	values[5] = Int64GetDatum(customer.orders);
	values[6] = NumericGetDatum(decimal_to_numeric(customer.gross - customer.refunded, reader.scale,
												   reader.display_scale));
	PG_RETURN_DATUM(row_form(result_row(fcinfo, lengthof(values)), values, nulls));
}
