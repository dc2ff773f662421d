/*-------------------------------------------------------------------------
 *
 * period.c
 *		What a customer bought in the last period, in the one before it, and
 *		whether sales rise or fall over the last few.
 *
 * A period is a number of days, the last one ends on the day that the customer
 * is seen from.  Everything is a sum over the days of a history between two
 * days, so it changes only when a day enters or leaves such a range.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include <math.h>

#include "miscadmin.h"

#include "base/decimal.h"
#include "portfolio/period.h"

/* ---------- the days of a history ---------- */

/* None of them is known yet; NULL is a history without days. */
void
known_days_open(KnownDays *days, const struct varlena *history)
{
	days->count = 0;
	history_days_init(&days->list, DECIMAL_MAX_SCALE, 0);
	if (history != NULL)
	{
		HistoryReader reader;

		history_open(&reader, history);
		history_days_init(&days->list, reader.scale, reader.display_scale);
		history_days_read(&days->list, history);
	}
}

/* On to a day, which is not before that of the last call. */
void
known_days_move(KnownDays *days, DateADT as_of)
{
	while (days->count < days->list.count && days->list.days[days->count].day <= as_of)
		days->count++;
}

/* The next day that is not known yet; far away if none. */
int64
known_days_next(const KnownDays *days)
{
	return days->count < days->list.count ? days->list.days[days->count].day : PG_INT64_MAX;
}

/* The place of the first known day after a day; their number if there is none. */
int
known_days_after(const KnownDays *days, int64 day)
{
	int			low = 0;
	int			high = days->count;

	while (low < high)
	{
		int			middle = low + (high - low) / 2;

		if (days->list.days[middle].day > day)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/* The day on which the next known day is older than the last so many; far away if none. */
int64
known_days_leave(const KnownDays *days, DateADT as_of, int64 length)
{
	int			next = known_days_after(days, as_of - length);

	return next < days->count ? days->list.days[next].day + length : PG_INT64_MAX;
}

/* ---------- sums ---------- */

static inline int128
net_of(const HistoryDay *day)
{
	return day->gross - day->refunded;
}

/* Orders minus refunds of the last so many days. */
int128
period_net(const KnownDays *days, DateADT as_of, int64 length)
{
	int128		net = 0;

	for (int i = known_days_after(days, as_of - length); i < days->count; i++)
		net += net_of(&days->list.days[i]);
	return net;
}

/*
 * All sums of the purchases.  The first purchase day, valid if there is one, is
 * not in those of the trend: it only opens the time in which there is a
 * customer to look at.
 */
void
period_purchases(const KnownDays *days, DateADT first_day, DateADT as_of, const PeriodTerms *terms,
				 PeriodFigures *figures)
{
	int64		last_from = (int64) as_of - terms->days;	/* all are exclusive */
	int64		previous_from = last_from - terms->days;
	int64		trend_from = as_of - (int64) terms->days * terms->periods;

	memset(figures, 0, sizeof(PeriodFigures));
	for (int i = known_days_after(days, Min(previous_from, trend_from)); i < days->count; i++)
	{
		const HistoryDay *day = &days->list.days[i];

		CHECK_FOR_INTERRUPTS();
		if (day->day > last_from)
		{
			figures->orders += day->orders;
			figures->net += net_of(day);
		}
		else if (day->day > previous_from)
			figures->previous_net += net_of(day);
		if (day->day > trend_from && day->day > first_day)
		{
			double		net = decimal_to_float8(net_of(day), days->list.scale);

			figures->trend_net += net;
			figures->trend_moment += net * ((int64) day->day - first_day);
			figures->trend_square += net * net;
		}
	}
}

/* ---------- the trend ---------- */

/*
 * period_trend: by how much the net amount of a period changes from one to the
 * next, and the chance of a change so large if nothing had changed
 *
 * The days looked at begin after the first purchase, and no earlier than the
 * terms say.  The slope is that of least squares of the net amount of each day
 * over the days.  If nothing changes, each day's amount might as well have come
 * on any other day; then the slope has the mean 0, and a variance that follows
 * from the amounts: Laplace's test for a trend in a series of events (Cox and
 * Lewis, "The Statistical Analysis of Series of Events", 1966, section 3.3),
 * with the amounts as weights.  The sum of uniform variates is normal enough
 * from three on, and with fewer, or where one amount outweighs all others, its
 * tails are shorter, so that the p-value is too high, never too low.
 *
 * False, and nothing can be said, if the first purchase is not a whole period
 * ago, or nothing came after it.
 */
bool
period_trend(const PeriodFigures *figures, DateADT first_day, DateADT as_of, const PeriodTerms *terms,
			 double *slope, double *p_value)
{
	double		end = (double) as_of - first_day;
	double		days = Min(end, (double) terms->days * terms->periods);
	double		spread = days * (days * days - 1.0) / 12.0; /* of the days */
	double		lean;

	if (end < terms->days || days < 2.0 || figures->trend_square == 0.0)
		return false;
	/* the amounts around the middle of the days */
	lean = figures->trend_moment - figures->trend_net * (end - (days - 1.0) / 2.0);
	*slope = lean / spread * terms->days * terms->days;
	*p_value = erfc(fabs(lean) / sqrt(2.0 * figures->trend_square * spread / days));
	return true;
}
