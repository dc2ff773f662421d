/*-------------------------------------------------------------------------
 *
 * local_day.h
 *		The day of a moment, in a time zone.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_LOCAL_DAY_H
#define SEGMENT_LOCAL_DAY_H

#include "datatype/timestamp.h"
#include "pgtime.h"
#include "utils/date.h"

/*
 * Moments are looked up by the period of 2^41 microseconds (25 days and a
 * half) that they are in.  Where a clock changes twice in one, as happened a
 * few times, that period is not remembered.
 */
#define LOCAL_DAY_PERIOD_BITS	41
#define LOCAL_DAY_SLOTS			128 /* of nine years */

/* The offsets from UTC in one period, in microseconds east. */
typedef struct LocalDaySlot
{
	int64		period;			/* LOCAL_DAY_NO_PERIOD if the slot is empty */
	TimestampTz change;			/* of the clock, or after the period */
	int64		offset_before;
	int64		offset_after;
} LocalDaySlot;

#define LOCAL_DAY_NO_PERIOD		PG_INT64_MAX

/* A time zone, with the offsets from UTC that were looked up so far. */
typedef struct LocalDayZone
{
	pg_tz	   *zone;
	int			name_size;
	char		name[TZ_STRLEN_MAX + 1];
	LocalDaySlot slots[LOCAL_DAY_SLOTS];
} LocalDayZone;

extern bool local_day_zone_is(const LocalDayZone *zone, const struct varlena *name);
extern void local_day_zone_set(LocalDayZone *zone, const struct varlena *name);
extern DateADT local_day_look_up(LocalDayZone *zone, TimestampTz at);
pg_noreturn extern void local_day_infinite_date(DateADT day);
pg_noreturn extern void local_day_infinite_time(Timestamp at);

/* The day of microseconds of local time; days begin at midnight also before 2000. */
static inline int64
local_day_of_time(int64 local)
{
	return local / USECS_PER_DAY - (local % USECS_PER_DAY < 0 ? 1 : 0);
}

/*
 * local_day_of_date: the day itself
 * local_day_of_timestamp: the day of a local time
 *
 * Error 22008 if it is infinite.
 */
static inline DateADT
local_day_of_date(DateADT day)
{
	if (unlikely(DATE_NOT_FINITE(day)))
		local_day_infinite_date(day);
	return day;
}

static inline DateADT
local_day_of_timestamp(Timestamp at)
{
	if (unlikely(TIMESTAMP_NOT_FINITE(at)))
		local_day_infinite_time(at);
	return (DateADT) local_day_of_time(at);
}

/*
 * local_day: the day of a moment in a zone
 *
 * Error 22008 if the moment is infinite, or its day is out of range.
 */
static inline DateADT
local_day(LocalDayZone *zone, TimestampTz at)
{
	int64		period = at >> LOCAL_DAY_PERIOD_BITS;
	const LocalDaySlot *slot = &zone->slots[period & (LOCAL_DAY_SLOTS - 1)];

	if (unlikely(slot->period != period))
		return local_day_look_up(zone, at);
	return (DateADT) local_day_of_time(at + (at < slot->change ? slot->offset_before :
											 slot->offset_after));
}

#endif							/* SEGMENT_LOCAL_DAY_H */
