/*-------------------------------------------------------------------------
 *
 * local_day.c
 *		The day of a moment, in a time zone.
 *
 * The offsets from UTC between two changes of the clock are remembered: a
 * slot per 97 days of 8.5 years, so that moments in any order seldom need the
 * zone's tables.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "compat.h"

#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/timestamp.h"

#include "local_day.h"

#define SLOT_SHIFT	23			/* seconds */

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

	memset(zone, 0, sizeof(LocalDayZone));
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

/* Error 22008 if the moment is infinite, or its day is out of range. */
DateADT
local_day(LocalDayZone *zone, TimestampTz at)
{
	int64		seconds = at / USECS_PER_SEC - (at % USECS_PER_SEC < 0 ? 1 : 0);
	pg_time_t	time = seconds +
		(int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY;
	int			i = (time >> SLOT_SHIFT) & (LOCAL_DAY_SLOTS - 1);
	int64		local;
	int64		day;

	if (unlikely(TIMESTAMP_NOT_FINITE(at)))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("time of an order must be finite, not \"%s\"",
						TIMESTAMP_IS_NOBEGIN(at) ? "-infinity" : "infinity")));
	if (unlikely(time < zone->slots[i].from || time >= zone->slots[i].until))
	{
		pg_time_t	boundary;
		long		offset_after;
		int			isdst;
		int			isdst_after;
		int			found;

		found = pg_next_dst_boundary(&time, &zone->slots[i].offset, &isdst,
									 &boundary, &offset_after, &isdst_after,
									 zone->zone);
		if (found < 0)
			elog(ERROR, "could not look up the offset of a time zone");
		zone->slots[i].from = time;
		zone->slots[i].until = found > 0 ? boundary : PG_INT64_MAX;
	}
	local = seconds + zone->slots[i].offset;
	day = local / SECS_PER_DAY - (local % SECS_PER_DAY < 0 ? 1 : 0);
	/* the very first timestamps, west of Greenwich */
	if (unlikely(!IS_VALID_DATE(day)))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("time of an order is out of range in time zone \"%s\": \"%s\"",
						zone->name,
						DatumGetCString(DirectFunctionCall1(timestamptz_out,
															TimestampTzGetDatum(at))))));
	return (DateADT) day;
}
