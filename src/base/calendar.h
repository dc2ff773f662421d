/*-------------------------------------------------------------------------
 *
 * calendar.h
 *		Calendar months, and counting them back from a newest one.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_CALENDAR_H
#define SEGMENT_CALENDAR_H

#include "utils/date.h"

/* All months from 4714 BC on to far into the future. */
#define CALENDAR_MAX_MONTHS		120000

typedef struct CalendarMonth
{
	int			number;			/* 12 * year + month - 1, of the proleptic
								 * calendar */
	DateADT		first;
	DateADT		last;
} CalendarMonth;

extern DateADT calendar_first_day(int number);
extern DateADT calendar_last_day(int number);
extern void calendar_month_of(DateADT day, CalendarMonth *month);
extern int	calendar_months_back(const CalendarMonth *newest, const CalendarMonth *month);

#endif							/* SEGMENT_CALENDAR_H */
