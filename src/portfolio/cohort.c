/*-------------------------------------------------------------------------
 *
 * cohort.c
 *		Cohorts: what became of the customers who came in the same calendar
 *		month.
 *
 * Months are counted back from the month of as_of, which is month 0.  A
 * customer costs time proportional to the days of the history.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include "libpq/pqformat.h"
#include "miscadmin.h"

#include "base/aggregate.h"
#include "base/arguments.h"
#include "base/calendar.h"
#include "base/decimal.h"
#include "base/result_row.h"
#include "types/history.h"

/* Rows of the cohort table: the array of them must stay below 1 GB. */
#define COHORT_MAX_CELLS		5000000

/* ---------- the state ---------- */

typedef struct CohortCell
{
	int64		active;			/* customers who ordered in the month */
	int128		sales;
} CohortCell;

/* A cohort has index + 1 cells: its own month, and all that follow. */
typedef struct CohortState
{
	DateADT		as_of;
	int			display_scale;
	CalendarMonth newest;
	int			capacity;		/* cohorts that there is room for */
	int64		cells;			/* of all cohorts together */
	CohortCell **cohorts;		/* NULL: nobody bought first in that month */
} CohortState;

static CohortState *
cohort_create(MemoryContext context, DateADT as_of)
{
	CohortState *state = MemoryContextAllocZero(context, sizeof(CohortState));

	state->as_of = as_of;
	calendar_month_of(as_of, &state->newest);
	state->capacity = 64;
	state->cohorts = MemoryContextAllocZero(context, state->capacity * sizeof(CohortCell *));
	return state;
}

/* The cells of a cohort, by age in months. */
static CohortCell *
cohort_cells(CohortState *state, int index)
{
	if (index >= state->capacity)
	{
		int			capacity = Max(index + 1, 2 * state->capacity);

		state->cohorts = repalloc_huge(state->cohorts, capacity * sizeof(CohortCell *));
		memset(state->cohorts + state->capacity, 0,
			   (capacity - state->capacity) * sizeof(CohortCell *));
		state->capacity = capacity;
	}
	if (state->cohorts[index] == NULL)
	{
		state->cells += index + 1;
		if (state->cells > COHORT_MAX_CELLS)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("cohorts have too many months: at most %d in total are possible",
							COHORT_MAX_CELLS),
					 errhint("Look for wrong dates in the distant past.")));
		state->cohorts[index] =
			MemoryContextAllocZero(GetMemoryChunkContext(state),
								   (index + 1) * sizeof(CohortCell));
	}
	return state->cohorts[index];
}

static void
cohort_add_customer(CohortState *state, const struct varlena *history)
{
	HistoryStream events;
	CalendarMonth month;
	CohortCell *cells = NULL;
	int			cohort = 0;
	int128		sales = 0;
	int128		factor;

	history_stream_open(&events, history, state->as_of);
	factor = decimal_power_of_ten[DECIMAL_MAX_SCALE - events.reader.scale];
	/* refunds before the first order count with its month */
	for (; events.more && events.day.orders == 0; history_stream_next(&events))
		sales += history_stream_net(&events);
	if (!events.more)
		return;
	state->display_scale = Max(state->display_scale, events.reader.display_scale);
	while (events.more)
	{
		CohortCell *cell;
		bool		ordered = false;
		int			index;

		CHECK_FOR_INTERRUPTS();
		calendar_month_of(events.day.day, &month);
		index = calendar_months_back(&state->newest, &month);
		if (cells == NULL)
		{
			cohort = index;
			cells = cohort_cells(state, cohort);
		}
		for (; events.more && events.day.day <= month.last; history_stream_next(&events))
		{
			sales += history_stream_net(&events);
			ordered |= events.day.orders > 0;
		}
		cell = &cells[cohort - index];
		cell->active += ordered;
		decimal_sum_add(&cell->sales, sales * factor);
		sales = 0;
	}
}

/* ---------- the aggregate ---------- */

/* transition function: (state, history, as_of) */
PG_FUNCTION_INFO_V1(segment_cohort_accum);
Datum
segment_cohort_accum(PG_FUNCTION_ARGS)
{
	CohortState *state = (CohortState *) aggregate_state(fcinfo);
	DateADT		as_of;

	if (aggregate_skips_row(fcinfo))
		return aggregate_unchanged(fcinfo);
	as_of = finite_date(PG_GETARG_DATEADT(2), "as_of");
	if (state == NULL)
		state = cohort_create(aggregate_context(fcinfo), as_of);
	arguments_check_same(state->as_of == as_of, "as_of");
	cohort_add_customer(state, history_argument(PG_GETARG_DATUM(1)));
	PG_RETURN_POINTER(state);
}

static void *
cohort_create_like(MemoryContext context, const void *other)
{
	return cohort_create(context, ((const CohortState *) other)->as_of);
}

static void
cohort_merge(void *into, const void *from)
{
	CohortState *state = (CohortState *) into;
	const CohortState *other = (const CohortState *) from;

	arguments_check_same(state->as_of == other->as_of, "as_of");
	state->display_scale = Max(state->display_scale, other->display_scale);
	for (int i = 0; i < other->capacity; i++)
	{
		CohortCell *cells;

		CHECK_FOR_INTERRUPTS();
		if (other->cohorts[i] == NULL)
			continue;
		cells = cohort_cells(state, i);
		for (int age = 0; age <= i; age++)
		{
			cells[age].active += other->cohorts[i][age].active;
			decimal_sum_add(&cells[age].sales, other->cohorts[i][age].sales);
		}
	}
}

static void
cohort_send(StringInfo buf, void *state)
{
	const CohortState *cohorts = (const CohortState *) state;

	pq_sendbyte(buf, cohorts->display_scale);
	pq_sendint32(buf, cohorts->as_of);
	for (int i = 0; i < cohorts->capacity; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (cohorts->cohorts[i] == NULL)
			continue;
		pq_sendint32(buf, i);
		for (int age = 0; age <= i; age++)
		{
			pq_sendint64(buf, cohorts->cohorts[i][age].active);
			decimal_send(buf, cohorts->cohorts[i][age].sales);
		}
	}
}

static void *
cohort_receive(StringInfo buf, const AggregateKind *kind)
{
	int			display_scale = pq_getmsgbyte(buf);
	DateADT		as_of = pq_getmsgint(buf, 4);
	CohortState *state;

	if (display_scale > DECIMAL_MAX_SCALE || !IS_VALID_DATE(as_of))
		aggregate_invalid_state(kind);
	state = cohort_create(CurrentMemoryContext, as_of);
	state->display_scale = display_scale;
	while (buf->cursor < buf->len)
	{
		int			index = pq_getmsgint(buf, 4);
		CohortCell *cells;

		CHECK_FOR_INTERRUPTS();
		if (index < 0 || index >= CALENDAR_MAX_MONTHS)
			aggregate_invalid_state(kind);
		cells = cohort_cells(state, index);
		for (int age = 0; age <= index; age++)
		{
			cells[age].active = pq_getmsgint64(buf);
			cells[age].sales = decimal_receive(buf);
		}
	}
	return state;
}

static const AggregateKind cohort_kind = {
	.name = "cohort_agg",
	.version = 1,
	.create_like = cohort_create_like,
	.merge = cohort_merge,
	.send = cohort_send,
	.receive = cohort_receive,
};

PG_FUNCTION_INFO_V1(segment_cohort_combine);
Datum
segment_cohort_combine(PG_FUNCTION_ARGS)
{
	return aggregate_combine(fcinfo, &cohort_kind);
}

PG_FUNCTION_INFO_V1(segment_cohort_serialize);
Datum
segment_cohort_serialize(PG_FUNCTION_ARGS)
{
	return aggregate_serialize(fcinfo, &cohort_kind);
}

PG_FUNCTION_INFO_V1(segment_cohort_deserialize);
Datum
segment_cohort_deserialize(PG_FUNCTION_ARGS)
{
	return aggregate_deserialize(fcinfo, &cohort_kind);
}

/* ---------- the result ---------- */

/* Columns of the type segment.cohort_month. */
#define COHORT_COLUMNS	7

/*
 * cohort_final: one row per cohort and month since, up to the month of as_of;
 * an empty array if nobody has bought; NULL without rows
 */
PG_FUNCTION_INFO_V1(segment_cohort_final);
Datum
segment_cohort_final(PG_FUNCTION_ARGS)
{
	const CohortState *state = (const CohortState *) aggregate_state(fcinfo);
	ResultRows	rows;

	if (state == NULL)
		PG_RETURN_NULL();
	result_rows_begin(&rows, fcinfo, COHORT_COLUMNS, state->cells);
	for (int i = state->capacity - 1; i >= 0; i--)
	{
		const CohortCell *cells = state->cohorts[i];

		for (int age = 0; cells != NULL && age <= i; age++)
		{
			int			number = state->newest.number - i + age;
			Datum		values[COHORT_COLUMNS];
			bool		nulls[COHORT_COLUMNS] = {false};

			values[0] = DateADTGetDatum(calendar_first_day(state->newest.number - i));
			values[1] = Int32GetDatum(age);
			values[2] = DateADTGetDatum(calendar_first_day(number));
			values[3] = BoolGetDatum(calendar_last_day(number) <= state->as_of);
			values[4] = Int64GetDatum(cells[0].active);
			values[5] = Int64GetDatum(cells[age].active);
			values[6] = NumericGetDatum(decimal_sum_to_numeric(cells[age].sales,
															   state->display_scale));
			result_rows_add(&rows, values, nulls);
		}
	}
	return result_rows_end(&rows);
}
