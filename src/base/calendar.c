/*-------------------------------------------------------------------------
 *
 * calendar.c
 *		Calendar months, and counting them back from a newest one.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include "utils/datetime.h"

#include "base/calendar.h"

/* The first day of a month, but not before the first date there is. */
DateADT
calendar_first_day(int number)
{
	int			year = number / 12 - (number % 12 < 0 ? 1 : 0);
	int			julian = date2j(year, number - 12 * year + 1, 1);

	return Max(julian, DATETIME_MIN_JULIAN) - POSTGRES_EPOCH_JDATE;
}

DateADT
calendar_last_day(int number)
{
	return calendar_first_day(number + 1) - 1;
}

void
calendar_month_of(DateADT day, CalendarMonth *month)
{
	int			year;
	int			month_of_year;
	int			day_of_month;

	j2date(day + POSTGRES_EPOCH_JDATE, &year, &month_of_year, &day_of_month);
	month->number = 12 * year + month_of_year - 1;
	month->first = calendar_first_day(month->number);
	month->last = calendar_last_day(month->number);
}

/*
 * calendar_months_back: how many months a month is before the newest one
 *
 * Error 54000 if that is CALENDAR_MAX_MONTHS or more.
 */
int
calendar_months_back(const CalendarMonth *newest, const CalendarMonth *month)
{
	int			months = newest->number - month->number;

	if (unlikely(months >= CALENDAR_MAX_MONTHS))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("dates span too many months: at most %d are possible",
						CALENDAR_MAX_MONTHS)));
	return months;
}
