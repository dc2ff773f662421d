/*-------------------------------------------------------------------------
 *
 * history_aggregate.c
 *		Building histories from rows and from other histories.
 *
 * The state of the aggregates is of type history itself, in its running form
 * (history.h): entries as they come, a few bytes each, with room to grow,
 * changed in place.  The final function sorts, merges and trims.  So a group
 * costs little memory, the states of parallel workers need no translation,
 * and a distributed engine can move them as values of the type.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/compat.h"

#include "miscadmin.h"
#include "pgtime.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "base/aggregate.h"
#include "base/decimal.h"
#include "base/local_day.h"
#include "types/history.h"

/* Bytes all told; powers of two, which the server's allocator hands out exactly. */
#define FIRST_CAPACITY		128

/* Above this, equal days are merged before a state may double. */
#define COMPACT_CAPACITY	4096

/* ---------- the running state ---------- */

static HistoryRunning *
create_running(size_t capacity, int scale, int display_scale)
{
	HistoryRunning *state;

	if (capacity > MaxAllocSize)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("history has too many days")));
	state = palloc0(capacity);
	SET_VARSIZE(state, capacity);
	state->version = HISTORY_RUNNING_VERSION;
	state->scales = scale | display_scale << 4;
	state->last_day = HISTORY_EPOCH;
	return state;
}

static inline int
running_scale(const HistoryRunning *state)
{
	return state->scales & 0x0F;
}

static inline int
running_display_scale(const HistoryRunning *state)
{
	return state->scales >> 4;
}

static inline size_t
running_room(const HistoryRunning *state)
{
	return VARSIZE(state) - offsetof(HistoryRunning, entries) - state->used;
}

/* Write an entry at the state's scale; there must be room. */
static inline void
write_running(HistoryRunning *state, const HistoryDay *day)
{
	uint8	   *out = state->entries + state->used;
	int64		distance = (int64) day->day - state->last_day;

	state->used = history_write_entry(out, day, history_step(distance)) - state->entries;
	state->last_day = day->day;
}

/* A running state of a list of days, with as much room again. */
static HistoryRunning *
running_from_days(const HistoryDays *list, size_t least_capacity)
{
	size_t		needed = offsetof(HistoryRunning, entries) + HISTORY_MAX_ENTRY;
	size_t		capacity = least_capacity;
	uint8		entry[HISTORY_MAX_ENTRY];
	DateADT		previous = HISTORY_EPOCH;
	HistoryRunning *state;
	size_t		i;

	for (i = 0; i < list->count; i++)
	{
		const HistoryDay *day = &list->days[i];

		needed += history_write_entry(entry, day,
									  history_step((int64) day->day - previous)) - entry;
		previous = day->day;
	}
	while (capacity < needed * 2)
		capacity *= 2;
	state = create_running(Min(capacity, Max(needed, MaxAllocSize)),
						   list->scale, list->display_scale);
	for (i = 0; i < list->count; i++)
		write_running(state, &list->days[i]);
	return state;
}

/* Any history as a running state of its own, at least at the given scales. */
static HistoryRunning *
running_from_history(const struct varlena *history, int scale, int display_scale,
					 size_t least_capacity, bool merge)
{
	HistoryReader reader;
	HistoryDays list;
	HistoryRunning *state;

	history_open(&reader, history);
	history_days_init(&list, Max(reader.scale, scale),
					  Max(reader.display_scale, display_scale));
	history_days_read(&list, history);
	if (merge)
		history_days_merge(&list);
	state = running_from_days(&list, least_capacity);
	if (list.days != NULL)
		pfree(list.days);
	return state;
}

/*
 * A state that has become too small: twice as large, or, since what makes a
 * state large is mostly many events on the same days, the same with equal
 * days merged.  Either leaves as much room as was used, so the cost of a row
 * stays constant.
 */
static HistoryRunning *
grow_running(HistoryRunning *state)
{
	size_t		capacity = VARSIZE(state);
	HistoryRunning *larger;

	if (capacity >= COMPACT_CAPACITY)
		return running_from_history((struct varlena *) state, 0, 0, capacity, true);
	larger = create_running(capacity * 2, running_scale(state),
							running_display_scale(state));
	larger->used = state->used;
	larger->last_day = state->last_day;
	memcpy(larger->entries, state->entries, state->used);
	return larger;
}

/*
 * Add the events of a day, at the given scale.  Returns the state, which may
 * be a new one in the current memory context (nodeAgg then copies it).
 */
static HistoryRunning *
add_events(HistoryRunning *state, HistoryDay *day, int scale, int display_scale)
{
	if (unlikely(scale > running_scale(state)))
		state = running_from_history((struct varlena *) state, scale, display_scale,
									 VARSIZE(state), false);
	else if (scale < running_scale(state))
	{
		int64		factor = decimal_power_of_ten[running_scale(state) - scale];

		day->gross *= factor;
		day->refunded *= factor;
	}
	if (unlikely(display_scale > running_display_scale(state)))
		state->scales = running_scale(state) | display_scale << 4;
	if (unlikely(running_room(state) < HISTORY_MAX_ENTRY))
	{
		/* most entries are much shorter: look closer before growing */
		uint8		entry[HISTORY_MAX_ENTRY];
		int64		distance = (int64) day->day - state->last_day;

		if (running_room(state) <
			history_write_entry(entry, day, history_step(distance)) - entry)
			state = grow_running(state);
	}
	write_running(state, day);
	return state;
}

/*
 * The state to work on.  Inside an aggregate it is the running one, to be
 * changed in place; when somebody calls the function by hand, a copy.
 */
static HistoryRunning *
state_argument(FunctionCallInfo fcinfo, bool in_aggregate)
{
	struct varlena *value = (struct varlena *) PG_GETARG_POINTER(0);

	if (in_aggregate && VARATT_IS_4B_U(value) &&
		VARSIZE(value) >= FIRST_CAPACITY &&
		((HistoryRunning *) value)->version == HISTORY_RUNNING_VERSION)
		return (HistoryRunning *) value;
	return running_from_history(PG_DETOAST_DATUM_PACKED(PointerGetDatum(value)),
								0, 0, FIRST_CAPACITY, false);
}

/* A state as the result of a support function. */
static Datum
state_result(HistoryRunning *state, bool in_aggregate)
{
	if (in_aggregate)
		return PointerGetDatum(state);
	return PointerGetDatum(history_argument(PointerGetDatum(state)));
}

/* ---------- transition functions ---------- */

/* One order (amount >= 0) or refund (amount < 0). */
static Datum
accumulate(FunctionCallInfo fcinfo, DateADT day, Datum amount)
{
	bool		in_aggregate = AggCheckCallContext(fcinfo, NULL) != 0;
	HistoryRunning *state;
	HistoryDay	event;
	int128		coefficient;
	int			scale;

	scale = decimal_from_numeric(PointerGetDatum(PG_DETOAST_DATUM_PACKED(amount)),
								 &coefficient);
	event.day = day;
	event.orders = coefficient >= 0;
	event.refunds = coefficient < 0;
	event.gross = coefficient >= 0 ? coefficient : 0;
	event.refunded = coefficient < 0 ? -coefficient : 0;

	state = PG_ARGISNULL(0) ? create_running(FIRST_CAPACITY, scale, scale) :
		state_argument(fcinfo, in_aggregate);
	return state_result(add_events(state, &event, scale, scale), in_aggregate);
}

PG_FUNCTION_INFO_V1(segment_history_accum_date);
Datum
segment_history_accum_date(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
		return aggregate_unchanged(fcinfo);
	return accumulate(fcinfo, local_day_of_date(PG_GETARG_DATEADT(1)), PG_GETARG_DATUM(2));
}

/* The zone of the last row, which is nearly always that of the next. */
static LocalDayZone *
zone_argument(FunctionCallInfo fcinfo, const struct varlena *name)
{
	LocalDayZone *zone = (LocalDayZone *) fcinfo->flinfo->fn_extra;

	if (zone == NULL)
	{
		zone = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(LocalDayZone));
		fcinfo->flinfo->fn_extra = zone;
	}
	if (!local_day_zone_is(zone, name))
		local_day_zone_set(zone, name);
	return zone;
}

PG_FUNCTION_INFO_V1(segment_history_accum_timestamptz);
Datum
segment_history_accum_timestamptz(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
		return aggregate_unchanged(fcinfo);
	if (PG_ARGISNULL(3))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("time zone must not be null")));
	return accumulate(fcinfo, local_day(zone_argument(fcinfo, PG_GETARG_TEXT_PP(3)),
										PG_GETARG_TIMESTAMPTZ(1)),
					  PG_GETARG_DATUM(2));
}

/* ---------- merging ---------- */

/* Add all entries of another history, stored or running. */
static HistoryRunning *
add_history(HistoryRunning *state, const struct varlena *other)
{
	HistoryReader reader;
	HistoryDay	day;

	history_open(&reader, other);
	while (history_next(&reader, &day))
	{
		state = add_events(state, &day, reader.scale, reader.display_scale);
		CHECK_FOR_INTERRUPTS();
	}
	return state;
}

/* combine function of the aggregates, and transition function of rollup */
PG_FUNCTION_INFO_V1(segment_history_combine);
Datum
segment_history_combine(PG_FUNCTION_ARGS)
{
	bool		in_aggregate = AggCheckCallContext(fcinfo, NULL) != 0;
	struct varlena *other;
	HistoryReader reader;
	HistoryRunning *state;

	if (PG_ARGISNULL(1))
		return aggregate_unchanged(fcinfo);
	other = PG_DETOAST_DATUM_PACKED(PG_GETARG_DATUM(1));
	history_open(&reader, other);
	state = PG_ARGISNULL(0) ?
		create_running(FIRST_CAPACITY, reader.scale, reader.display_scale) :
		state_argument(fcinfo, in_aggregate);
	return state_result(add_history(state, other), in_aggregate);
}

PG_FUNCTION_INFO_V1(segment_history_final);
Datum
segment_history_final(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	PG_RETURN_POINTER(history_argument(PG_GETARG_DATUM(0)));
}

/* history + history */
PG_FUNCTION_INFO_V1(segment_history_add);
Datum
segment_history_add(PG_FUNCTION_ARGS)
{
	struct varlena *a = history_argument(PG_GETARG_DATUM(0));
	struct varlena *b = history_argument(PG_GETARG_DATUM(1));
	HistoryReader reader_a;
	HistoryReader reader_b;
	HistoryDays list;

	history_open(&reader_a, a);
	history_open(&reader_b, b);
	history_days_init(&list, Max(reader_a.scale, reader_b.scale), 0);
	history_days_read(&list, a);
	history_days_read(&list, b);
	PG_RETURN_POINTER(history_store(&list));
}

/* What is left of a day; false if more would be taken away than there is. */
static bool
subtract_day(HistoryDay *from, const HistoryDay *day)
{
	from->orders -= day->orders;
	from->refunds -= day->refunds;
	from->gross -= day->gross;
	from->refunded -= day->refunded;
	/* an order may be of nothing, a refund not; no amount without either */
	return from->orders >= 0 && from->refunds >= 0 && from->gross >= 0 &&
		(from->orders > 0 || from->gross == 0) &&
		(from->refunds > 0 ? from->refunded > 0 : from->refunded == 0);
}

/*
 * history_days_subtract: take days, distinct and ascending as those that they are
 * taken from, at the same scale; false, with the first such day, if more would
 * be taken away than there is
 */
bool
history_days_subtract(HistoryDays *list, const HistoryDays *taken, DateADT *day_short)
{
	size_t		left = 0;
	size_t		next = 0;

	for (size_t i = 0; i < list->count; i++)
	{
		HistoryDay	day = list->days[i];

		CHECK_FOR_INTERRUPTS();
		if (next < taken->count && taken->days[next].day <= day.day)
		{
			if (taken->days[next].day < day.day || !subtract_day(&day, &taken->days[next]))
				break;
			next++;
		}
		if (day.orders > 0 || day.refunds > 0)
			list->days[left++] = day;
	}
	list->count = left;
	if (next < taken->count)
		*day_short = taken->days[next].day;
	return next == taken->count;
}

static void
taken_too_much(DateADT day)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("cannot subtract more from a history than there is on %s",
					DatumGetCString(DirectFunctionCall1(date_out, DateADTGetDatum(day))))));
}

/*
 * history - history: what is left
 *
 * With the display scale of the first, unless the amounts left need more
 * decimals: nothing tells which of those that were added up had the most.
 */
PG_FUNCTION_INFO_V1(segment_history_subtract);
Datum
segment_history_subtract(PG_FUNCTION_ARGS)
{
	struct varlena *a = history_argument(PG_GETARG_DATUM(0));
	struct varlena *b = history_argument(PG_GETARG_DATUM(1));
	HistoryReader reader_a;
	HistoryReader reader_b;
	HistoryDays list;
	HistoryDays taken;
	DateADT		day_short = 0;

	history_open(&reader_a, a);
	history_open(&reader_b, b);
	history_days_init(&list, Max(reader_a.scale, reader_b.scale), 0);
	history_days_init(&taken, list.scale, 0);
	history_days_read(&list, a);
	history_days_read(&taken, b);
	list.display_scale = reader_a.display_scale;
	if (!history_days_subtract(&list, &taken, &day_short))
		taken_too_much(day_short);
	PG_RETURN_POINTER(history_store(&list));
}
