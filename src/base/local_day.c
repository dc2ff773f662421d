/*-------------------------------------------------------------------------
 *
 * local_day.c
 *		The day of a moment, in a time zone.
 *
 * The offsets from UTC are remembered period by period, so that moments in any
 * order seldom need the zone's tables.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/timestamp.h"

#include "base/local_day.h"

/* Has the zone this name? */
bool
local_day_zone_is(const LocalDayZone *zone, const struct varlena *name)
{
	int			size = VARSIZE_ANY_EXHDR(name);

	return zone->zone != NULL && zone->name_size == size &&
		memcmp(zone->name, VARDATA_ANY(name), size) == 0;
}

/* Look up a zone by its name; error 22023 if there is none, or it has leap seconds. */
void
local_day_zone_set(LocalDayZone *zone, const struct varlena *name)
{
	int			size = VARSIZE_ANY_EXHDR(name);
	pg_tz	   *found = NULL;
	int			i;

	memset(zone, 0, sizeof(LocalDayZone));
	for (i = 0; i < LOCAL_DAY_SLOTS; i++)
		zone->slots[i].period = LOCAL_DAY_NO_PERIOD;
	if (size <= TZ_STRLEN_MAX)
	{
		memcpy(zone->name, VARDATA_ANY(name), size);
		found = pg_tzset(zone->name);
	}
	if (found == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("time zone \"%s\" not recognized", text_to_cstring(name)),
				 errhint("The view pg_timezone_names lists the names of time zones.")));
	if (!pg_tz_acceptable(found))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("time zone \"%s\" appears to use leap seconds", zone->name),
				 errdetail("PostgreSQL does not support leap seconds.")));
	zone->name_size = size;
	zone->zone = found;
}

/* Seconds since 1970 of a moment, rounded down. */
static pg_time_t
unix_seconds(TimestampTz at)
{
	return at / USECS_PER_SEC - (at % USECS_PER_SEC < 0 ? 1 : 0) +
		(int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY;
}

/*
 * The offset from UTC at a moment, and the next change with the offset after
 * it; false if the clock never changes again.
 */
static bool
next_change(const LocalDayZone *zone, pg_time_t at, long *offset,
			pg_time_t *change, long *offset_after)
{
	int			isdst;
	int			isdst_after;
	int			found = pg_next_dst_boundary(&at, offset, &isdst, change,
											 offset_after, &isdst_after, zone->zone);

	if (found < 0)
		elog(ERROR, "could not look up the offset of a time zone");
	return found > 0;
}

/* Remember the offsets of a period, unless the clock changes twice in it. */
static void
fill_slot(LocalDayZone *zone, int64 period)
{
	LocalDaySlot slot;
	pg_time_t	start = unix_seconds(period * (INT64CONST(1) << LOCAL_DAY_PERIOD_BITS));
	pg_time_t	end = start + (INT64CONST(1) << LOCAL_DAY_PERIOD_BITS) / USECS_PER_SEC + 2;
	pg_time_t	change;
	pg_time_t	second_change;
	long		before;
	long		after;
	long		later;

	slot.period = period;
	slot.change = PG_INT64_MAX;
	if (next_change(zone, start, &before, &change, &after) && change < end)
	{
		if (next_change(zone, change, &after, &second_change, &later) && second_change < end)
			return;
		slot.change = (change -
					   (int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY) *
			USECS_PER_SEC;
	}
	else
		after = before;
	slot.offset_before = before * USECS_PER_SEC;
	slot.offset_after = after * USECS_PER_SEC;
	zone->slots[period & (LOCAL_DAY_SLOTS - 1)] = slot;
}

void
local_day_infinite_date(DateADT day)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
			 errmsg("day must be finite, not \"%s\"",
					DATE_IS_NOBEGIN(day) ? "-infinity" : "infinity")));
}

void
local_day_infinite_time(Timestamp at)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
			 errmsg("time must be finite, not \"%s\"",
					TIMESTAMP_IS_NOBEGIN(at) ? "-infinity" : "infinity")));
}

/* local_day for a moment whose period is not in its slot. */
DateADT
local_day_look_up(LocalDayZone *zone, TimestampTz at)
{
	pg_time_t	change;
	long		offset;
	long		offset_after;
	int64		day;

	if (TIMESTAMP_NOT_FINITE(at))
		local_day_infinite_time(at);
	next_change(zone, unix_seconds(at), &offset, &change, &offset_after);
	day = local_day_of_time(at + offset * USECS_PER_SEC);

	/*
	 * the very first timestamps, west of Greenwich: that period is not
	 * remembered
	 */
	if (!IS_VALID_DATE(day))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("time is out of range in time zone \"%s\": \"%s\"",
						zone->name,
						DatumGetCString(DirectFunctionCall1(timestamptz_out,
															TimestampTzGetDatum(at))))));
	if (at >> LOCAL_DAY_PERIOD_BITS > MIN_TIMESTAMP >> LOCAL_DAY_PERIOD_BITS)
		fill_slot(zone, at >> LOCAL_DAY_PERIOD_BITS);
	return (DateADT) day;
}
