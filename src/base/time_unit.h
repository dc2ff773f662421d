/*-------------------------------------------------------------------------
 *
 * time_unit.h
 *		The time units of model inputs: the one place that knows how many days
 *		a unit has.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_TIME_UNIT_H
#define SEGMENT_TIME_UNIT_H

typedef enum TimeUnit
{
	TIME_UNIT_DAY,
	TIME_UNIT_WEEK,
	TIME_UNIT_MONTH,
	TIME_UNIT_YEAR
} TimeUnit;

#define TIME_UNIT_COUNT		4
#define DAYS_PER_YEAR_MEAN	365.25

extern const char *const time_unit_names[TIME_UNIT_COUNT];

extern TimeUnit time_unit_from_name(const char *name, int length);
extern double time_unit_days(TimeUnit unit);

#endif							/* SEGMENT_TIME_UNIT_H */
