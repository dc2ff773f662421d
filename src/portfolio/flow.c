/*-------------------------------------------------------------------------
 *
 * flow.c
 *		Histories by calendar month: who came, left and came back, and what
 *		became of those who came in the same month.
 *
 * A customer is active at the end of a day if the last order known then is
 * less than lost_after days old: there is an order in the lost_after days that
 * end with that day.  The net sales of these days are the running sales.  Both
 * change only when a day of the history enters the window or leaves it
 * lost_after days later.  So two readers run over the same history, one
 * lost_after days behind the other, and a customer costs time proportional to
 * the days of the history, however many months there are.
 *
 * Months are counted back from the month of as_of, which is month 0: as
 * customers with an earlier first day come along, the array grows at its end.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include "funcapi.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/typcache.h"

#include "base/aggregate.h"
#include "base/decimal.h"
#include "types/history.h"
#include "base/row_array.h"
#include "base/time_unit.h"

#define FLOW_STATE_VERSION		1
#define COHORT_STATE_VERSION	1

/* All months from 4714 BC on to far into the future. */
#define FLOW_MAX_MONTHS			120000

/* Rows of the cohort table: the array of them must stay below 1 GB. */
#define COHORT_MAX_CELLS		5000000

/* ---------- calendar months ---------- */

typedef struct CalendarMonth
{
	int			number;			/* 12 * year + month - 1, of the proleptic calendar */
	DateADT		first;
	DateADT		last;
} CalendarMonth;

/* The first day of a month, but not before the first date there is. */
static DateADT
first_day_of(int number)
{
	int			year = number / 12 - (number % 12 < 0 ? 1 : 0);
	int			julian = date2j(year, number - 12 * year + 1, 1);

	return Max(julian, DATETIME_MIN_JULIAN) - POSTGRES_EPOCH_JDATE;
}

static void
month_of(DateADT day, CalendarMonth *month)
{
	int			year;
	int			month_of_year;
	int			day_of_month;

	j2date(day + POSTGRES_EPOCH_JDATE, &year, &month_of_year, &day_of_month);
	month->number = 12 * year + month_of_year - 1;
	month->first = first_day_of(month->number);
	month->last = first_day_of(month->number + 1) - 1;
}

/* ---------- amounts ---------- */

/*
 * Amounts are coefficients at the full scale.  Those of many customers are
 * added without a look at the limit, which is checked at the end: whether a sum
 * of both signs is in range does then not depend on the order of the rows.
 * 128 bits are 170 times the limit.
 */
static inline void
add_amount(int128 *sum, int128 addend)
{
	if (unlikely(__builtin_add_overflow(*sum, addend, sum)))
		decimal_sum_overflow();
}

static Datum
amount_datum(int128 amount, int display_scale)
{
	if (amount > decimal_limit(DECIMAL_MAX_SCALE) || amount < -decimal_limit(DECIMAL_MAX_SCALE))
		decimal_sum_overflow();
	return NumericGetDatum(decimal_to_numeric(amount, DECIMAL_MAX_SCALE, display_scale));
}

/* ---------- reading histories day by day ---------- */

/* A history up to a day: the day to come next, as long as there is one. */
typedef struct DayStream
{
	HistoryReader reader;
	HistoryDay	day;
	int64		until;
	bool		more;
} DayStream;

static inline void
stream_next(DayStream *stream)
{
	stream->more = history_next(&stream->reader, &stream->day) &&
		stream->day.day <= stream->until;
}

static void
stream_open(DayStream *stream, const struct varlena *history, int64 until)
{
	history_open(&stream->reader, history);
	stream->until = until;
	stream_next(stream);
}

static inline int128
stream_net(const DayStream *stream)
{
	return stream->day.gross - stream->day.refunded;
}

/* ---------- arguments ---------- */

static void
check_same_day(DateADT one, DateADT other)
{
	if (unlikely(one != other))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must be the same for all rows", "as_of")));
}

static int
month_index(const CalendarMonth *newest, const CalendarMonth *month)
{
	int			index = newest->number - month->number;

	if (unlikely(index >= FLOW_MAX_MONTHS))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("histories span too many months: at most %d are possible",
						FLOW_MAX_MONTHS)));
	return index;
}

/* Read a serialised state in place. */
static void
begin_reading(StringInfo buf, bytea *image)
{
	buf->data = VARDATA_ANY(image);
	buf->len = buf->maxlen = VARSIZE_ANY_EXHDR(image);
	buf->cursor = 0;
}

static void
invalid_state(const char *aggregate)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
			 errmsg("invalid state of aggregate function %s", aggregate)));
}

/* ---------- the leaky bucket ---------- */

/* Heads that a month moves. */
enum
{
	HEADS_NEW,					/* first order ever in the month */
	HEADS_WON_BACK,				/* bought earlier, not active before the month, ordered in it */
	HEADS_LOST,					/* active before or bought in the month, not active after it */
	HEADS_LOST_OPENING,			/* those of them who were active before the month */
	HEADS_COUNT
};

/* Whose sales of the month. */
enum
{
	SALES_OPENING,				/* of customers active before the month */
	SALES_NEW,
	SALES_WON_BACK,
	SALES_OTHER,				/* of all others: refunds only */
	SALES_COUNT
};

/* Why the running sales changed over the month. */
enum
{
	CHANGE_NEW,
	CHANGE_WON_BACK,
	CHANGE_GROWN,				/* active before and after */
	CHANGE_SHRUNK,
	CHANGE_LOST,				/* active before, not after */
	CHANGE_OTHER,				/* active neither before nor after: refunds only */
	CHANGE_COUNT
};

typedef struct FlowMonth
{
	int64		heads[HEADS_COUNT];
	int128		sales[SALES_COUNT];
	int128		change[CHANGE_COUNT];
} FlowMonth;

typedef struct FlowState
{
	DateADT		as_of;
	int32		lost_after;		/* days, >= 1 */
	int			display_scale;
	CalendarMonth newest;		/* that of as_of */
	int			count;			/* months used, from the month of as_of back */
	int			capacity;
	FlowMonth  *months;
} FlowState;

static FlowState *
flow_create(MemoryContext context, DateADT as_of, int32 lost_after)
{
	FlowState  *state = MemoryContextAllocZero(context, sizeof(FlowState));

	state->as_of = as_of;
	state->lost_after = lost_after;
	month_of(as_of, &state->newest);
	state->capacity = 64;
	state->months = MemoryContextAllocZero(context, state->capacity * sizeof(FlowMonth));
	return state;
}

/* The figures of a month; the array stays in its memory context. */
static FlowMonth *
flow_month(FlowState *state, int index)
{
	if (index >= state->capacity)
	{
		int			capacity = Max(index + 1, 2 * state->capacity);

		state->months = repalloc_huge(state->months, capacity * sizeof(FlowMonth));
		memset(state->months + state->capacity, 0,
			   (capacity - state->capacity) * sizeof(FlowMonth));
		state->capacity = capacity;
	}
	state->count = Max(state->count, index + 1);
	return &state->months[index];
}

/* What a month did to one customer. */
typedef struct CustomerMonth
{
	bool		bought_before;
	bool		active_before;
	bool		ordered;
	bool		active_after;
	int128		entered;		/* net sales of the month */
	int128		left;			/* net sales that leave the running sales */
} CustomerMonth;

static void
flow_add_month(FlowMonth *month, const CustomerMonth *customer)
{
	int128		change = customer->entered - customer->left;
	bool		is_new = customer->ordered && !customer->bought_before;
	bool		won_back = customer->ordered && customer->bought_before && !customer->active_before;
	int			sales;
	int			reason;

	month->heads[HEADS_NEW] += is_new;
	month->heads[HEADS_WON_BACK] += won_back;
	if ((customer->active_before || is_new || won_back) && !customer->active_after)
		month->heads[HEADS_LOST]++;
	if (customer->active_before && !customer->active_after)
		month->heads[HEADS_LOST_OPENING]++;

	if (is_new)
	{
		sales = SALES_NEW;
		reason = CHANGE_NEW;
	}
	else if (won_back)
	{
		sales = SALES_WON_BACK;
		reason = CHANGE_WON_BACK;
	}
	else if (customer->active_before)
	{
		sales = SALES_OPENING;
		reason = !customer->active_after ? CHANGE_LOST :
			change >= 0 ? CHANGE_GROWN : CHANGE_SHRUNK;
	}
	else
	{
		sales = SALES_OTHER;
		reason = CHANGE_OTHER;
	}
	add_amount(&month->sales[sales], customer->entered);
	add_amount(&month->change[reason], change);
}

static void
flow_add_customer(FlowState *state, const struct varlena *history)
{
	int64		lost_after = state->lost_after;
	int128		factor;
	DayStream	entering;
	DayStream	leaving;
	bool		bought = false;
	DateADT		last_order = 0; /* valid if bought */

	stream_open(&entering, history, state->as_of);
	stream_open(&leaving, history, state->as_of - lost_after);
	factor = decimal_power_of_ten[DECIMAL_MAX_SCALE - entering.reader.scale];
	state->display_scale = Max(state->display_scale, entering.reader.display_scale);
	while (entering.more || leaving.more)
	{
		CustomerMonth customer = {0};
		CalendarMonth month;
		int64		day = entering.more ? entering.day.day : PG_INT64_MAX;
		DateADT		end;

		CHECK_FOR_INTERRUPTS();
		if (leaving.more)
			day = Min(day, leaving.day.day + lost_after);
		month_of((DateADT) day, &month);
		end = Min(month.last, state->as_of);
		customer.bought_before = bought;
		customer.active_before = bought && last_order + lost_after >= month.first;
		for (; entering.more && entering.day.day <= end; stream_next(&entering))
		{
			customer.entered += stream_net(&entering);
			if (entering.day.orders > 0)
			{
				customer.ordered = bought = true;
				last_order = entering.day.day;
			}
		}
		for (; leaving.more && leaving.day.day + lost_after <= end; stream_next(&leaving))
			customer.left += stream_net(&leaving);
		customer.active_after = bought && last_order + lost_after > end;
		customer.entered *= factor;
		customer.left *= factor;
		flow_add_month(flow_month(state, month_index(&state->newest, &month)), &customer);
	}
}

/* transition function: (state, history, as_of, lost_after_days) */
PG_FUNCTION_INFO_V1(flow_accum);
Datum
flow_accum(PG_FUNCTION_ARGS)
{
	MemoryContext context = aggregate_context(fcinfo);
	FlowState  *state = PG_ARGISNULL(0) ? NULL : (FlowState *) PG_GETARG_POINTER(0);
	DateADT		as_of;
	int32		lost_after;

	if (PG_ARGISNULL(1) || PG_ARGISNULL(2) || PG_ARGISNULL(3))
	{
		if (state == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(state);
	}
	as_of = finite_date(PG_GETARG_DATEADT(2), "as_of");
	lost_after = PG_GETARG_INT32(3);
	if (unlikely(lost_after < 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must be at least 1, not %d", "lost_after_days", lost_after)));
	if (state == NULL)
		state = flow_create(context, as_of, lost_after);
	check_same_day(state->as_of, as_of);
	if (unlikely(state->lost_after != lost_after))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must be the same for all rows", "lost_after_days")));
	flow_add_customer(state, history_argument(PG_GETARG_DATUM(1)));
	PG_RETURN_POINTER(state);
}

static void
flow_merge(FlowState *into, const FlowState *from)
{
	check_same_day(into->as_of, from->as_of);
	into->display_scale = Max(into->display_scale, from->display_scale);
	for (int i = 0; i < from->count; i++)
	{
		FlowMonth  *month = flow_month(into, i);

		for (int j = 0; j < HEADS_COUNT; j++)
			month->heads[j] += from->months[i].heads[j];
		for (int j = 0; j < SALES_COUNT; j++)
			add_amount(&month->sales[j], from->months[i].sales[j]);
		for (int j = 0; j < CHANGE_COUNT; j++)
			add_amount(&month->change[j], from->months[i].change[j]);
	}
}

PG_FUNCTION_INFO_V1(flow_combine);
Datum
flow_combine(PG_FUNCTION_ARGS)
{
	MemoryContext context = aggregate_context(fcinfo);
	FlowState  *state = PG_ARGISNULL(0) ? NULL : (FlowState *) PG_GETARG_POINTER(0);

	if (!PG_ARGISNULL(1))
	{
		FlowState  *other = (FlowState *) PG_GETARG_POINTER(1);

		if (state == NULL)
			state = flow_create(context, other->as_of, other->lost_after);
		flow_merge(state, other);
	}
	if (state == NULL)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(state);
}

PG_FUNCTION_INFO_V1(flow_serialize);
Datum
flow_serialize(PG_FUNCTION_ARGS)
{
	FlowState  *state = (FlowState *) PG_GETARG_POINTER(0);
	StringInfoData buf;

	(void) aggregate_context(fcinfo);
	pq_begintypsend(&buf);
	pq_sendbyte(&buf, FLOW_STATE_VERSION);
	pq_sendbyte(&buf, state->display_scale);
	pq_sendint32(&buf, state->as_of);
	pq_sendint32(&buf, state->lost_after);
	pq_sendint32(&buf, state->count);
	for (int i = 0; i < state->count; i++)
	{
		const FlowMonth *month = &state->months[i];

		for (int j = 0; j < HEADS_COUNT; j++)
			pq_sendint64(&buf, month->heads[j]);
		for (int j = 0; j < SALES_COUNT; j++)
			decimal_send(&buf, month->sales[j]);
		for (int j = 0; j < CHANGE_COUNT; j++)
			decimal_send(&buf, month->change[j]);
	}
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

PG_FUNCTION_INFO_V1(flow_deserialize);
Datum
flow_deserialize(PG_FUNCTION_ARGS)
{
	StringInfoData buf;
	FlowState  *state;
	int			version;
	int			display_scale;
	DateADT		as_of;
	int32		lost_after;
	int32		count;

	(void) aggregate_context(fcinfo);
	begin_reading(&buf, PG_GETARG_BYTEA_PP(0));
	version = pq_getmsgbyte(&buf);
	display_scale = pq_getmsgbyte(&buf);
	as_of = pq_getmsgint(&buf, 4);
	lost_after = pq_getmsgint(&buf, 4);
	count = pq_getmsgint(&buf, 4);
	if (version != FLOW_STATE_VERSION || display_scale > DECIMAL_MAX_SCALE ||
		!IS_VALID_DATE(as_of) || lost_after < 1 || count < 0 || count > FLOW_MAX_MONTHS)
		invalid_state("flow_agg");
	state = flow_create(CurrentMemoryContext, as_of, lost_after);
	state->display_scale = display_scale;
	for (int i = 0; i < count; i++)
	{
		FlowMonth  *month = flow_month(state, i);

		for (int j = 0; j < HEADS_COUNT; j++)
			month->heads[j] = pq_getmsgint64(&buf);
		for (int j = 0; j < SALES_COUNT; j++)
			month->sales[j] = decimal_receive(&buf);
		for (int j = 0; j < CHANGE_COUNT; j++)
			month->change[j] = decimal_receive(&buf);
	}
	pq_getmsgend(&buf);
	PG_RETURN_POINTER(state);
}

/* Columns of the type segment.flow_month. */
#define FLOW_COLUMNS	22

/* One row; opening and running are those before the month, and move on. */
static void
flow_row(RowArray *array, const FlowState *state, int index, int64 *opening, int128 *running)
{
	const FlowMonth *month = &state->months[index];
	int			number = state->newest.number - index;
	DateADT		last = first_day_of(number + 1) - 1;
	int64		closing = *opening + month->heads[HEADS_NEW] +
		month->heads[HEADS_WON_BACK] - month->heads[HEADS_LOST];
	int128		after = *running;
	int128		sales = 0;
	Datum		values[FLOW_COLUMNS];
	bool		nulls[FLOW_COLUMNS] = {false};
	int			n = 0;

	for (int j = 0; j < CHANGE_COUNT; j++)
		add_amount(&after, month->change[j]);
	for (int j = 0; j < SALES_COUNT; j++)
		add_amount(&sales, month->sales[j]);

	values[n++] = DateADTGetDatum(first_day_of(number));
	values[n++] = DateADTGetDatum(Min(last, state->as_of));
	values[n++] = BoolGetDatum(last <= state->as_of);
	values[n++] = Int64GetDatum(*opening);
	for (int j = 0; j < HEADS_COUNT; j++)
		values[n++] = Int64GetDatum(month->heads[j]);
	values[n++] = Int64GetDatum(closing);
	values[n++] = amount_datum(sales, state->display_scale);
	for (int j = 0; j < SALES_COUNT; j++)
		values[n++] = amount_datum(month->sales[j], state->display_scale);
	values[n++] = amount_datum(*running, state->display_scale);
	for (int j = 0; j < CHANGE_COUNT; j++)
		/* shrunk and lost are subtracted in the books */
		values[n++] = amount_datum(j == CHANGE_SHRUNK || j == CHANGE_LOST ?
								   -month->change[j] : month->change[j],
								   state->display_scale);
	values[n++] = amount_datum(after, state->display_scale);
	Assert(n == array->tupdesc->natts && n <= FLOW_COLUMNS);
	row_array_add(array, values, nulls);
	*opening = closing;
	*running = after;
}

/*
 * flow_final: one row per month, from that of the first event to that of
 * as_of; an empty array if there is none; NULL without rows
 */
PG_FUNCTION_INFO_V1(flow_final);
Datum
flow_final(PG_FUNCTION_ARGS)
{
	FlowState  *state;
	RowArray	array;
	int64		opening = 0;
	int128		running = 0;

	(void) aggregate_context(fcinfo);
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	state = (FlowState *) PG_GETARG_POINTER(0);
	row_array_begin(&array, fcinfo, state->count);
	for (int i = state->count - 1; i >= 0; i--)
		flow_row(&array, state, i, &opening, &running);
	return row_array_end(&array);
}

/* ---------- cohorts ---------- */

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
	month_of(as_of, &state->newest);
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
	DayStream	events;
	CalendarMonth month;
	CohortCell *cells = NULL;
	int			cohort = 0;
	int128		sales = 0;
	int128		factor;

	stream_open(&events, history, state->as_of);
	factor = decimal_power_of_ten[DECIMAL_MAX_SCALE - events.reader.scale];
	/* refunds before the first order count with its month */
	for (; events.more && events.day.orders == 0; stream_next(&events))
		sales += stream_net(&events);
	if (!events.more)
		return;
	state->display_scale = Max(state->display_scale, events.reader.display_scale);
	while (events.more)
	{
		CohortCell *cell;
		bool		ordered = false;
		int			index;

		CHECK_FOR_INTERRUPTS();
		month_of(events.day.day, &month);
		index = month_index(&state->newest, &month);
		if (cells == NULL)
		{
			cohort = index;
			cells = cohort_cells(state, cohort);
		}
		for (; events.more && events.day.day <= month.last; stream_next(&events))
		{
			sales += stream_net(&events);
			ordered |= events.day.orders > 0;
		}
		cell = &cells[cohort - index];
		cell->active += ordered;
		add_amount(&cell->sales, sales * factor);
		sales = 0;
	}
}

/* transition function: (state, history, as_of) */
PG_FUNCTION_INFO_V1(cohort_accum);
Datum
cohort_accum(PG_FUNCTION_ARGS)
{
	MemoryContext context = aggregate_context(fcinfo);
	CohortState *state = PG_ARGISNULL(0) ? NULL : (CohortState *) PG_GETARG_POINTER(0);
	DateADT		as_of;

	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
	{
		if (state == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(state);
	}
	as_of = finite_date(PG_GETARG_DATEADT(2), "as_of");
	if (state == NULL)
		state = cohort_create(context, as_of);
	check_same_day(state->as_of, as_of);
	cohort_add_customer(state, history_argument(PG_GETARG_DATUM(1)));
	PG_RETURN_POINTER(state);
}

PG_FUNCTION_INFO_V1(cohort_combine);
Datum
cohort_combine(PG_FUNCTION_ARGS)
{
	MemoryContext context = aggregate_context(fcinfo);
	CohortState *state = PG_ARGISNULL(0) ? NULL : (CohortState *) PG_GETARG_POINTER(0);

	if (!PG_ARGISNULL(1))
	{
		CohortState *other = (CohortState *) PG_GETARG_POINTER(1);

		if (state == NULL)
			state = cohort_create(context, other->as_of);
		check_same_day(state->as_of, other->as_of);
		state->display_scale = Max(state->display_scale, other->display_scale);
		for (int i = 0; i < other->capacity; i++)
		{
			CohortCell *cells;

			if (other->cohorts[i] == NULL)
				continue;
			cells = cohort_cells(state, i);
			for (int age = 0; age <= i; age++)
			{
				cells[age].active += other->cohorts[i][age].active;
				add_amount(&cells[age].sales, other->cohorts[i][age].sales);
			}
		}
	}
	if (state == NULL)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(state);
}

PG_FUNCTION_INFO_V1(cohort_serialize);
Datum
cohort_serialize(PG_FUNCTION_ARGS)
{
	CohortState *state = (CohortState *) PG_GETARG_POINTER(0);
	StringInfoData buf;

	(void) aggregate_context(fcinfo);
	pq_begintypsend(&buf);
	pq_sendbyte(&buf, COHORT_STATE_VERSION);
	pq_sendbyte(&buf, state->display_scale);
	pq_sendint32(&buf, state->as_of);
	for (int i = 0; i < state->capacity; i++)
	{
		if (state->cohorts[i] == NULL)
			continue;
		pq_sendint32(&buf, i);
		for (int age = 0; age <= i; age++)
		{
			pq_sendint64(&buf, state->cohorts[i][age].active);
			decimal_send(&buf, state->cohorts[i][age].sales);
		}
		CHECK_FOR_INTERRUPTS();
	}
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

PG_FUNCTION_INFO_V1(cohort_deserialize);
Datum
cohort_deserialize(PG_FUNCTION_ARGS)
{
	StringInfoData buf;
	CohortState *state;
	int			version;
	int			display_scale;
	DateADT		as_of;

	(void) aggregate_context(fcinfo);
	begin_reading(&buf, PG_GETARG_BYTEA_PP(0));
	version = pq_getmsgbyte(&buf);
	display_scale = pq_getmsgbyte(&buf);
	as_of = pq_getmsgint(&buf, 4);
	if (version != COHORT_STATE_VERSION || display_scale > DECIMAL_MAX_SCALE ||
		!IS_VALID_DATE(as_of))
		invalid_state("cohort_agg");
	state = cohort_create(CurrentMemoryContext, as_of);
	state->display_scale = display_scale;
	while (buf.cursor < buf.len)
	{
		int			index = pq_getmsgint(&buf, 4);
		CohortCell *cells;

		if (index < 0 || index >= FLOW_MAX_MONTHS)
			invalid_state("cohort_agg");
		cells = cohort_cells(state, index);
		for (int age = 0; age <= index; age++)
		{
			cells[age].active = pq_getmsgint64(&buf);
			cells[age].sales = decimal_receive(&buf);
		}
	}
	PG_RETURN_POINTER(state);
}

/* Columns of the type segment.cohort_month. */
#define COHORT_COLUMNS	7

/*
 * cohort_final: one row per cohort and month since, up to the month of as_of;
 * an empty array if nobody has bought; NULL without rows
 */
PG_FUNCTION_INFO_V1(cohort_final);
Datum
cohort_final(PG_FUNCTION_ARGS)
{
	CohortState *state;
	RowArray	array;

	(void) aggregate_context(fcinfo);
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	state = (CohortState *) PG_GETARG_POINTER(0);
	row_array_begin(&array, fcinfo, state->cells);
	for (int i = state->capacity - 1; i >= 0; i--)
	{
		const CohortCell *cells = state->cohorts[i];

		for (int age = 0; cells != NULL && age <= i; age++)
		{
			int			number = state->newest.number - i + age;
			Datum		values[COHORT_COLUMNS];
			bool		nulls[COHORT_COLUMNS] = {false};

			values[0] = DateADTGetDatum(first_day_of(state->newest.number - i));
			values[1] = Int32GetDatum(age);
			values[2] = DateADTGetDatum(first_day_of(number));
			values[3] = BoolGetDatum(first_day_of(number + 1) - 1 <= state->as_of);
			values[4] = Int64GetDatum(cells[0].active);
			values[5] = Int64GetDatum(cells[age].active);
			values[6] = amount_datum(cells[age].sales, state->display_scale);
			row_array_add(&array, values, nulls);
		}
	}
	return row_array_end(&array);
}
