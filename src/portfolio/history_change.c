/*-------------------------------------------------------------------------
 *
 * history_change.c
 *		A history after a change of the rows behind it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include "miscadmin.h"
#include "utils/builtins.h"

#include "base/result_row.h"
#include "types/history.h"

/* Columns of the result: the history, or why it cannot be told. */
enum
{
	CHANGE_RESULT,
	CHANGE_OBSTACLE,
	CHANGE_COLUMNS
};

/* An argument, or NULL, and its scales. */
typedef struct Part
{
	struct varlena *history;
	int			scale;
	int			display_scale;
} Part;

static Part
part_argument(FunctionCallInfo fcinfo, int argument)
{
	Part		part = {0};

	if (!PG_ARGISNULL(argument))
	{
		HistoryReader reader;

		part.history = history_argument(PG_GETARG_DATUM(argument));
		history_open(&reader, part.history);
		part.scale = reader.scale;
		part.display_scale = reader.display_scale;
	}
	return part;
}

/* The days of a part, at a scale that is not below its own. */
static void
part_read(const Part *part, HistoryDays *list)
{
	if (part->history != NULL)
		history_days_read(list, part->history);
}

/* Whether a day on which something was added has other events as well. */
static bool
added_to_others(const HistoryDays *list, const Part *added, int scale)
{
	HistoryDays days;
	size_t		next = 0;

	history_days_init(&days, scale, 0);
	part_read(added, &days);
	for (size_t i = 0; i < days.count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		while (next < list->count && list->days[next].day < days.days[i].day)
			next++;
		if (next < list->count && list->days[next].day == days.days[i].day &&
			list->days[next].orders + list->days[next].refunds > 1)
			return true;
	}
	return false;
}

/*
 * The history of old + added - removed, NULL for no events, to the last bit what
 * all rows give that are there now; or false, with what is in the way.
 *
 * What the display scale was of rows that stay is not known.  It is if none that
 * was removed had the largest, or if the amounts that are left need it.
 */
static bool
change_history(const Part *old, const Part *added, const Part *removed, bool by_day,
			   struct varlena **result, const char **obstacle)
{
	HistoryDays list;
	HistoryDays taken;
	DateADT		day_short;
	int			scale = Max(Max(old->scale, added->scale), removed->scale);
	int			display_scale = Max(old->display_scale, added->display_scale);

	history_days_init(&list, scale, 0);
	history_days_init(&taken, scale, 0);
	part_read(old, &list);
	part_read(added, &list);
	history_days_merge(&list);
	part_read(removed, &taken);
	if (!history_days_subtract(&list, &taken, &day_short))
	{
		*obstacle = "more is gone than there was";
		return false;
	}
	if (by_day && added_to_others(&list, added, scale))
	{
		*obstacle = "several rows of one day may be the same";
		return false;
	}
	*result = NULL;
	if (list.count == 0)
		return true;
	list.display_scale = display_scale;
	*result = history_store(&list);
	if (removed->history != NULL && removed->display_scale >= display_scale && list.scale < display_scale)
	{
		*obstacle = "rows with the most decimals are gone";
		return false;
	}
	return true;
}

/*
 * history_change(old history, added history, removed history, by_day boolean,
 *				  OUT result history, OUT obstacle text)
 */
PG_FUNCTION_INFO_V1(segment_history_change);
Datum
segment_history_change(PG_FUNCTION_ARGS)
{
	Datum		values[CHANGE_COLUMNS] = {0};
	bool		nulls[CHANGE_COLUMNS] = {true, true};
	Part		old = part_argument(fcinfo, 0);
	Part		added = part_argument(fcinfo, 1);
	Part		removed = part_argument(fcinfo, 2);
	struct varlena *result = old.history;
	const char *obstacle = NULL;

	if (PG_ARGISNULL(3))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("by_day must not be null")));
	if ((added.history != NULL || removed.history != NULL) &&
		!change_history(&old, &added, &removed, PG_GETARG_BOOL(3), &result, &obstacle))
	{
		nulls[CHANGE_OBSTACLE] = false;
		values[CHANGE_OBSTACLE] = CStringGetTextDatum(obstacle);
	}
	else if (result != NULL)
	{
		nulls[CHANGE_RESULT] = false;
		values[CHANGE_RESULT] = PointerGetDatum(result);
	}
	PG_RETURN_DATUM(row_form(result_row(fcinfo, CHANGE_COLUMNS), values, nulls));
}
