/*-------------------------------------------------------------------------
 *
 * time_unit.c
 *		The time units of model inputs.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include "utils/builtins.h"

#include "base/time_unit.h"

const char *const time_unit_names[TIME_UNIT_COUNT] = {"day", "week", "month", "year"};

/* Error 22023 if there is no such unit. */
TimeUnit
time_unit_from_name(const char *name, int length)
{
	int			i;

	for (i = 0; i < TIME_UNIT_COUNT; i++)
		if (strlen(time_unit_names[i]) == length &&
			memcmp(time_unit_names[i], name, length) == 0)
			return (TimeUnit) i;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("time unit \"%.*s\" not recognized", length, name),
			 errhint("Time units are \"day\", \"week\", \"month\" (30.4375 days) and \"year\" (365.25 days).")));
}

/* Days in a unit: a month is a twelfth of the Julian year. */
double
time_unit_days(TimeUnit unit)
{
	switch (unit)
	{
		case TIME_UNIT_DAY:
			return 1;
		case TIME_UNIT_WEEK:
			return 7;
		case TIME_UNIT_MONTH:
			return DAYS_PER_YEAR_MEAN / 12;
		case TIME_UNIT_YEAR:
			return DAYS_PER_YEAR_MEAN;
	}
	elog(ERROR, "unrecognized time unit %d", (int) unit);
}

PG_FUNCTION_INFO_V1(segment_unit_days);
Datum
segment_unit_days(PG_FUNCTION_ARGS)
{
	text	   *unit = PG_GETARG_TEXT_PP(0);

	PG_RETURN_FLOAT8(time_unit_days(time_unit_from_name(VARDATA_ANY(unit),
														VARSIZE_ANY_EXHDR(unit))));
}
