/*-------------------------------------------------------------------------
 *
 * churn.c
 *		Signs that a customer is leaving, from the histories: the recent past
 *		against the customer's own past, with the chance that nothing has
 *		changed; and customers who came back.
 *
 * Days are compared in two windows: the recent one, the last days up to as_of,
 * and the past one, the days before it.  Both begin no earlier than the day
 * after the first purchase: before it there was no customer, and the first
 * purchase itself is what made the customer known, so it says nothing about the
 * rate.  Who buys too rarely for a change to show in a recent window of
 * recent_days is compared in windows that are twice or four times as long.
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
#include "portfolio/churn.h"
#include "portfolio/gap_ratio.h"
#include "statistics/rank_sum.h"
#include "types/history.h"

/* Shortest and longest exposure of the tests of rates, in any unit */
#define CHURN_MIN_EXPOSURE 1e-12
#define CHURN_MAX_EXPOSURE 1e12

/* Windows are as long as the settings say, or twice or four times as long. */
#define CHURN_WINDOWS	3

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
 * P(N <= k), N a Poisson count whose mean is odds times a standard gamma
 * variate of shape size; k whole, size > 0.  Summed as above.
 */
static double
negative_binomial_lower_tail(double k, double size, double odds)
{
	double		hit = odds / (1.0 + odds);
	bool		below = k <= size * odds;
	double		j = below ? k : k + 1.0;
	double		term,
				sum;

	term = sum = exp(special_negative_binomial_log_pmf(j, size, odds));
	while (term > sum * 1e-17 && (!below || j > 0.0))
	{
		CHECK_FOR_INTERRUPTS();
		if (below)
		{
			term *= j / ((size + j - 1.0) * hit);
			j -= 1.0;
		}
		else
		{
			term *= (size + j) / (j + 1.0) * hit;
			j += 1.0;
		}
		sum += term;
	}
	return special_clamp_probability(below ? sum : 1.0 - sum);
}

/*
 * churn_fall_p_value: chance of so few recent events if the rate has always been
 * the same
 *
 * With a Poisson rate that does not change, each of the recent + past events
 * falls in the recent window with the probability recent_days / (recent_days +
 * past_days), independently of the rate: the exact conditional test
 * (Przyborowski and Wilenski, 1940).  That at most so many of them do is the same
 * as that at most so many come before the past ones are complete, which is
 * negative binomial.  So it is also the chance of so few recent events if the
 * rate is a gamma variate of which past events in past_days have been seen; and
 * what is known of others can be added to the past, also a part of an event.  The
 * chance of so many is the same test with the windows exchanged.
 */
double
churn_fall_p_value(double recent, double past, double recent_days, double past_days)
{
	double		odds = recent_days / past_days;

	return past == floor(past) ? binomial_lower_tail(recent, recent + past, odds) :
		negative_binomial_lower_tail(recent, past, odds);
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
	return fall ? churn_fall_p_value(recent, past, recent_days, past_days) :
		churn_fall_p_value(past, recent, past_days, recent_days);
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

/* fall_p_value(recent, past, recent_days, past_days, prior_events, prior_days) */
PG_FUNCTION_INFO_V1(segment_churn_prior_fall_p_value);
Datum
segment_churn_prior_fall_p_value(PG_FUNCTION_ARGS)
{
	double		recent = (double) PG_GETARG_INT64(0);
	double		past = (double) PG_GETARG_INT64(1);
	double		recent_days = PG_GETARG_FLOAT8(2);
	double		past_days = PG_GETARG_FLOAT8(3);
	double		prior_events = PG_GETARG_FLOAT8(4);
	double		prior_days = PG_GETARG_FLOAT8(5);

	arguments_check_count("recent", recent, ARGUMENTS_MAX_COUNT);
	arguments_check_count("past", past, ARGUMENTS_MAX_COUNT);
	arguments_check_range("recent_days", recent_days, CHURN_MIN_EXPOSURE, CHURN_MAX_EXPOSURE);
	arguments_check_range("past_days", past_days, CHURN_MIN_EXPOSURE, CHURN_MAX_EXPOSURE);
	arguments_check_range("prior_events", prior_events, 0, CHURN_MAX_EXPOSURE);
	arguments_check_range("prior_days", prior_days, 0, CHURN_MAX_EXPOSURE);
	PG_RETURN_FLOAT8(churn_fall_p_value(recent, past + prior_events, recent_days, past_days + prior_days));
}

/* ---------- the windows ---------- */

/* The days of the nth recent and past window together. */
static inline int64
window_reach(const ChurnTerms *terms, int nth)
{
	return ((int64) terms->recent_days + terms->past_days) << nth;
}

/*
 * The chance of at most one purchase in the recent window, of so many in all days
 * of both windows, which need not be whole.
 */
static double
chance_of_one(double purchases, double window, double days)
{
	double		past = (days - window) / days;

	return Min(pow(past, purchases) * (1.0 + purchases * window / (days - window)), 1.0);
}

/*
 * How long a customer's recent window is: the shortest in which a single purchase
 * would still count as a fall, by what can be expected of the purchases that the
 * customer made in the days of the longest windows; if there is none, the
 * longest that is not longer than the past.
 *
 * The choice looks at the number of all purchases only, not at when they came.
 * Given that number, if the rate has not changed, when they came is not more
 * likely to be one way than another: so the choice does not make a false alarm
 * more likely.  As the days go on and nothing happens, it only ever goes to
 * longer ones.
 */
static int32
choose_window(const ChurnTerms *terms, int64 purchases, int64 tenure_days)
{
	double		reach = Min(tenure_days, window_reach(terms, CHURN_WINDOWS - 1));
	int32		window = terms->recent_days;

	for (int nth = 0; nth < CHURN_WINDOWS; nth++)
	{
		int32		next = terms->recent_days << nth;
		double		days = Min(tenure_days, window_reach(terms, nth));

		if (nth > 0 && tenure_days < 2 * (int64) next)
			break;
		window = next;
		if (days > window && chance_of_one(purchases * days / reach, window, days) <= terms->significance)
			break;
	}
	return window;
}

/* The windows of a customer whose recent one is so long. */
void
churn_own_days(const ChurnTerms *terms, int32 window, int64 tenure_days, ChurnWindows *windows)
{
	windows->window = window;
	windows->past_window = (int64) terms->past_days * (window / terms->recent_days);
	windows->recent_days = Min(window, tenure_days);
	windows->past_days = Max(Min(windows->past_window, tenure_days - window), 0);
}

/* The place of the first of the last so many days, and after the first purchase. */
static inline int
own_days_after(const KnownDays *purchases, DateADT first_day, DateADT as_of, int64 length)
{
	return known_days_after(purchases, Max((int64) first_day, as_of - length));
}

/* Purchase days, without the first, in the days of the longest windows. */
static int64
count_purchases(const ChurnTerms *terms, const KnownDays *purchases, DateADT first_day, DateADT as_of)
{
	int64		count = 0;

	for (int i = own_days_after(purchases, first_day, as_of, window_reach(terms, CHURN_WINDOWS - 1)); i < purchases->count; i++)
		count += purchases->list.days[i].orders > 0;
	return count;
}

/* The windows of a customer as of a day, on which the first purchase was made or is past. */
void
churn_windows(const ChurnTerms *terms, const KnownDays *purchases, DateADT first_day, DateADT as_of,
			  ChurnWindows *windows)
{
	int64		tenure_days = (int64) as_of - first_day;

	churn_own_days(terms, choose_window(terms, count_purchases(terms, purchases, first_day, as_of), tenure_days),
				   tenure_days, windows);
}

/* The day on which the next own day is older than so many; far away if none. */
static int64
own_days_leave(const KnownDays *purchases, DateADT first_day, DateADT as_of, int64 length)
{
	int			next = own_days_after(purchases, first_day, as_of, length);

	return next < purchases->count ? purchases->list.days[next].day + length : PG_INT64_MAX;
}

/*
 * churn_windows_change: the first day after as_of on which the windows are others,
 * or hold others of the days that are known; "before" at the latest
 */
int64
churn_windows_change(const ChurnTerms *terms, const KnownDays *purchases, DateADT first_day, DateADT as_of,
					 const ChurnWindows *windows, int64 before)
{
	int64		count = count_purchases(terms, purchases, first_day, as_of);
	int64		longest = window_reach(terms, CHURN_WINDOWS - 1);
	int64		same = as_of;	/* the windows are the same on this day */
	int64		change = Min(before, own_days_leave(purchases, first_day, as_of, windows->window));

	change = Min(change, own_days_leave(purchases, first_day, as_of, windows->window + windows->past_window));
	change = Min(change, own_days_leave(purchases, first_day, as_of, longest));

	/*
	 * who has been a customer for so long is not seen differently for being
	 * one longer
	 */
	if (choose_window(terms, count, Min(change, first_day + longest) - first_day) == windows->window)
		return change;
	change = Min(change, first_day + longest);
	while (change - same > 1)
	{
		int64		day = same + (change - same) / 2;

		if (choose_window(terms, count, day - first_day) == windows->window)
			same = day;
		else
			change = day;
	}
	return change;
}

/* ---------- the recent past against the past ---------- */

static inline void
add_amount(int128 *sum, int128 amount, int scale)
{
	decimal_add(sum, amount, scale);
}

/*
 * The purchase days after the first and their gross, in both windows, and the
 * chance that a recent one brought so little, by rank_sum_p_value; false if
 * there are none in one of the windows.
 */
bool
churn_purchases(const KnownDays *purchases, DateADT first_day, DateADT as_of, const ChurnWindows *windows,
				ChurnCounts *counts, double *spend_p_value)
{
	int			from = own_days_after(purchases, first_day, as_of, windows->window + windows->past_window);
	int64		recent_after = (int64) as_of - windows->window;
	RankedValue *amounts = palloc(Max(purchases->count - from, 1) * sizeof(RankedValue));
	int			count = 0;
	bool		comparable;

	memset(counts, 0, sizeof(ChurnCounts));
	for (int i = from; i < purchases->count; i++)
	{
		const HistoryDay *day = &purchases->list.days[i];
		bool		recent = day->day > recent_after;

		CHECK_FOR_INTERRUPTS();
		if (day->orders == 0)
			continue;
		amounts[count].value = (double) day->gross;
		amounts[count++].chosen = recent;
		if (recent)
			counts->recent++;
		else
			counts->past++;
		add_amount(recent ? &counts->recent_amount : &counts->past_amount, day->gross, purchases->list.scale);
	}
	comparable = counts->recent > 0 && counts->past > 0;
	if (comparable)
		*spend_p_value = rank_sum_p_value(amounts, count);
	pfree(amounts);
	return comparable;
}

/* All events in both windows: complaints, or scores with their sum. */
void
churn_events(const KnownDays *events, DateADT as_of, const ChurnWindows *windows, ChurnCounts *counts)
{
	int64		recent_after = (int64) as_of - windows->window;

	memset(counts, 0, sizeof(ChurnCounts));
	for (int i = known_days_after(events, recent_after - windows->past_window); i < events->count; i++)
	{
		const HistoryDay *day = &events->list.days[i];
		bool		recent = day->day > recent_after;
		int64	   *number = recent ? &counts->recent : &counts->past;
		int128	   *amount = recent ? &counts->recent_amount : &counts->past_amount;

		CHECK_FOR_INTERRUPTS();
		if (unlikely(pg_add_s64_overflow(*number, day->orders, number) ||
					 pg_add_s64_overflow(*number, day->refunds, number)))
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("number of events in a history is out of range")));
		add_amount(amount, day->gross, events->list.scale);
		add_amount(amount, -day->refunded, events->list.scale);
	}
}

/*
 * churn_returns: on to the days that are known by now
 *
 * A purchase is a return after a long absence if the gap ratio of the day before
 * was above terms->asleep: see churn_return, below.  That depends on the usual gap of
 * the population, which each scorecard has another; and since the ratio falls as
 * that rises, there is a gap below which it is a return.  The greatest of them
 * is what returns->below is afterwards: 0 if no purchase can be a return.
 */
void
churn_returns(ChurnReturns *returns, const KnownDays *purchases, const ChurnTerms *terms)
{
	for (; returns->read < purchases->count; returns->read++)
	{
		const HistoryDay *day = &purchases->list.days[returns->read];

		CHECK_FOR_INTERRUPTS();
		if (day->orders == 0)
			continue;
		if (returns->purchase_days == 0)
			returns->first_day = day->day;
		else
		{
			double		away = (int64) day->day - returns->last_day - 1;
			double		span = (int64) returns->last_day - returns->first_day;
			double		gaps = terms->prior_gaps + (returns->purchase_days - 1);

			/*
			 * the gap ratio is away / ((prior_gaps x usual gap + span) /
			 * gaps), or away / usual gap
			 */
			double		own = gaps > 0 ? span / gaps : 0.0;
			double		weight = gaps > 0 ? terms->prior_gaps / gaps : 1.0;
			double		limit = terms->asleep > 0 ? away / terms->asleep : CHURN_MAX_EXPOSURE;

			/* a little more, so that rounding never hides one */
			limit = limit * (1.0 + 1e-9) - own;
			if (limit > 0 && away > 0)
				returns->below = Max(returns->below, weight > 0 ? Min(limit / weight, CHURN_MAX_EXPOSURE) : CHURN_MAX_EXPOSURE);
		}
		returns->last_day = day->day;
		returns->purchase_days++;
	}
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
