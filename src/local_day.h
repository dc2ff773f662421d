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

#define LOCAL_DAY_SLOTS		32

/* A time zone, with the offsets from UTC that were looked up so far. */
typedef struct LocalDayZone
{
	pg_tz	   *zone;
	int			name_size;
	char		name[TZ_STRLEN_MAX + 1];
	struct
	{
		pg_time_t	from;		/* the offset holds from here */
		pg_time_t	until;		/* to before here */
		long		offset;		/* seconds east of UTC */
	}			slots[LOCAL_DAY_SLOTS];
} LocalDayZone;

extern bool local_day_zone_is(const LocalDayZone *zone, const struct varlena *name);
extern void local_day_zone_set(LocalDayZone *zone, const struct varlena *name);
extern DateADT local_day(LocalDayZone *zone, TimestampTz at);

#endif							/* SEGMENT_LOCAL_DAY_H */
