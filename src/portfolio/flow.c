/*-------------------------------------------------------------------------
 *
 * flow.c
 *		The leaky bucket: histories by calendar month, who came, left and came
 *		back, and why the running sales changed.
 *
 * A customer is active at the end of a day if the last order known then is
 * less than lost_after days old: there is an order in the lost_after days that
 * end with that day.  The net sales of these days are the running sales.  Both
 * change only when a day of the history enters the window or leaves it
 * lost_after days later.  So two readers run over the same history, one
 * lost_after days behind the other, and a customer costs time proportional to
 * the days of the history, however many months there are.
 *
 * What is lost with a customer is not what happens to be left of the running
 * sales on that day, which shrink all the time that the customer stays away: it
 * is what the last active period brought, the lost_after days up to the last
 * order, less refunds since.  What of it had left the running sales before is
 * given back, so that the books balance.
 *
 * Months are counted back from the month of as_of, which is month 0: as
 * customers with an earlier first day come along, the array grows at its end.
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

/* ---------- the state ---------- */

/* Heads that a month moves. */
enum
{
	HEADS_NEW,					/* first order ever in the month */
	HEADS_WON_BACK,				/* bought earlier, not active before the
								 * month, ordered in it */
	HEADS_LOST,					/* active before or bought in the month, not
								 * active after it */
	HEADS_LOST_OPENING,			/* those of them who were active before the
								 * month */
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
	CHANGE_LOST,				/* active before, not after: what the last
								 * active period brought */
	CHANGE_SHRUNK_BEFORE,		/* what of that had left already */
	CHANGE_OTHER,				/* active neither before nor after: refunds
								 * only */
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
	calendar_month_of(as_of, &state->newest);
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
	int128		worth;			/* net sales from lost_after days before the
								 * last order on */
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
	decimal_sum_add(&month->sales[sales], customer->entered);
	if (reason == CHANGE_LOST)
	{
		decimal_sum_add(&month->change[CHANGE_LOST], -customer->worth);
		decimal_sum_add(&month->change[CHANGE_SHRUNK_BEFORE], change + customer->worth);
	}
	else
		decimal_sum_add(&month->change[reason], change);
}

/* Take the days out of the running sales that are lost_after days old on a day. */
static void
flow_leave(HistoryStream *leaving, int64 lost_after, DateADT day, int128 *left)
{
	for (; leaving->more && leaving->day.day + lost_after <= day; history_stream_next(leaving))
		*left += history_stream_net(leaving);
}

static void
flow_add_customer(FlowState *state, const struct varlena *history)
{
	int64		lost_after = state->lost_after;
	int128		factor;
	HistoryStream entering;
	HistoryStream leaving;
	bool		bought = false;
	DateADT		last_order = 0; /* valid if bought */
	int128		running = 0;	/* at the end of the month before */
	int128		worth = 0;

	history_stream_open(&entering, history, state->as_of);
	history_stream_open(&leaving, history, state->as_of - lost_after);
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
		calendar_month_of((DateADT) day, &month);
		end = Min(month.last, state->as_of);
		customer.bought_before = bought;
		customer.active_before = bought && last_order + lost_after >= month.first;
		for (; entering.more && entering.day.day <= end; history_stream_next(&entering))
		{
			int128		net = history_stream_net(&entering);

			customer.entered += net;
			worth += net;
			if (entering.day.orders > 0)
			{
				customer.ordered = bought = true;
				last_order = entering.day.day;
				flow_leave(&leaving, lost_after, last_order, &customer.left);
				worth = running + customer.entered - customer.left;
			}
		}
		flow_leave(&leaving, lost_after, end, &customer.left);
		running += customer.entered - customer.left;
		customer.active_after = bought && last_order + lost_after > end;
		customer.entered *= factor;
		customer.left *= factor;
		customer.worth = worth * factor;
		flow_add_month(flow_month(state, calendar_months_back(&state->newest, &month)), &customer);
	}
}

/* ---------- the aggregate ---------- */

static void
check_arguments(const FlowState *state, DateADT as_of, int32 lost_after)
{
	arguments_check_same(state->as_of == as_of, "as_of");
	arguments_check_same(state->lost_after == lost_after, "lost_after_days");
}

/* transition function: (state, history, as_of, lost_after_days) */
PG_FUNCTION_INFO_V1(segment_flow_accum);
Datum
segment_flow_accum(PG_FUNCTION_ARGS)
{
	FlowState  *state = (FlowState *) aggregate_state(fcinfo);
	DateADT		as_of;
	int32		lost_after;

	if (aggregate_skips_row(fcinfo))
		return aggregate_unchanged(fcinfo);
	as_of = finite_date(PG_GETARG_DATEADT(2), "as_of");
	lost_after = PG_GETARG_INT32(3);
	if (unlikely(lost_after < 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must be at least 1, not %d", "lost_after_days", lost_after)));
	if (state == NULL)
		state = flow_create(aggregate_context(fcinfo), as_of, lost_after);
	check_arguments(state, as_of, lost_after);
	flow_add_customer(state, history_argument(PG_GETARG_DATUM(1)));
	PG_RETURN_POINTER(state);
}

static void *
flow_create_like(MemoryContext context, const void *other)
{
	const FlowState *state = (const FlowState *) other;

	return flow_create(context, state->as_of, state->lost_after);
}

static void
flow_merge(void *into, const void *from)
{
	FlowState  *state = (FlowState *) into;
	const FlowState *other = (const FlowState *) from;

	check_arguments(state, other->as_of, other->lost_after);
	state->display_scale = Max(state->display_scale, other->display_scale);
	for (int i = 0; i < other->count; i++)
	{
		FlowMonth  *month = flow_month(state, i);

		for (int j = 0; j < HEADS_COUNT; j++)
			month->heads[j] += other->months[i].heads[j];
		for (int j = 0; j < SALES_COUNT; j++)
			decimal_sum_add(&month->sales[j], other->months[i].sales[j]);
		for (int j = 0; j < CHANGE_COUNT; j++)
			decimal_sum_add(&month->change[j], other->months[i].change[j]);
	}
}

static void
flow_send(StringInfo buf, void *state)
{
	const FlowState *flow = (const FlowState *) state;

	pq_sendbyte(buf, flow->display_scale);
	pq_sendint32(buf, flow->as_of);
	pq_sendint32(buf, flow->lost_after);
	pq_sendint32(buf, flow->count);
	for (int i = 0; i < flow->count; i++)
	{
		const FlowMonth *month = &flow->months[i];

		for (int j = 0; j < HEADS_COUNT; j++)
			pq_sendint64(buf, month->heads[j]);
		for (int j = 0; j < SALES_COUNT; j++)
			decimal_send(buf, month->sales[j]);
		for (int j = 0; j < CHANGE_COUNT; j++)
			decimal_send(buf, month->change[j]);
	}
}

static void *
flow_receive(StringInfo buf, const AggregateKind *kind)
{
	int			display_scale = pq_getmsgbyte(buf);
	DateADT		as_of = pq_getmsgint(buf, 4);
	int32		lost_after = pq_getmsgint(buf, 4);
	int32		count = pq_getmsgint(buf, 4);
	FlowState  *state;

	if (display_scale > DECIMAL_MAX_SCALE || !IS_VALID_DATE(as_of) || lost_after < 1 ||
		count < 0 || count > CALENDAR_MAX_MONTHS)
		aggregate_invalid_state(kind);
	state = flow_create(CurrentMemoryContext, as_of, lost_after);
	state->display_scale = display_scale;
	for (int i = 0; i < count; i++)
	{
		FlowMonth  *month = flow_month(state, i);

		for (int j = 0; j < HEADS_COUNT; j++)
			month->heads[j] = pq_getmsgint64(buf);
		for (int j = 0; j < SALES_COUNT; j++)
			month->sales[j] = decimal_receive(buf);
		for (int j = 0; j < CHANGE_COUNT; j++)
			month->change[j] = decimal_receive(buf);
	}
	return state;
}

static const AggregateKind flow_kind = {
	.name = "flow_agg",
	.version = 2,
	.create_like = flow_create_like,
	.merge = flow_merge,
	.send = flow_send,
	.receive = flow_receive,
};

PG_FUNCTION_INFO_V1(segment_flow_combine);
Datum
segment_flow_combine(PG_FUNCTION_ARGS)
{
	return aggregate_combine(fcinfo, &flow_kind);
}

PG_FUNCTION_INFO_V1(segment_flow_serialize);
Datum
segment_flow_serialize(PG_FUNCTION_ARGS)
{
	return aggregate_serialize(fcinfo, &flow_kind);
}

PG_FUNCTION_INFO_V1(segment_flow_deserialize);
Datum
segment_flow_deserialize(PG_FUNCTION_ARGS)
{
	return aggregate_deserialize(fcinfo, &flow_kind);
}

/* ---------- the result ---------- */

/* Columns of the type segment.flow_month. */
#define FLOW_COLUMNS	23

/* One row; opening and running are those before the month, and move on. */
static void
flow_row(ResultRows *rows, const FlowState *state, int index, int64 *opening, int128 *running)
{
	const FlowMonth *month = &state->months[index];
	int			number = state->newest.number - index;
	DateADT		last = calendar_last_day(number);
	int64		closing = *opening + month->heads[HEADS_NEW] +
	month->heads[HEADS_WON_BACK] - month->heads[HEADS_LOST];
	int128		after = *running;
	int128		sales = 0;
	Datum		values[FLOW_COLUMNS];
	bool		nulls[FLOW_COLUMNS] = {false};
	int			n = 0;

	for (int j = 0; j < CHANGE_COUNT; j++)
		decimal_sum_add(&after, month->change[j]);
	for (int j = 0; j < SALES_COUNT; j++)
		decimal_sum_add(&sales, month->sales[j]);

	values[n++] = DateADTGetDatum(calendar_first_day(number));
	values[n++] = DateADTGetDatum(Min(last, state->as_of));
	values[n++] = BoolGetDatum(last <= state->as_of);
	values[n++] = Int64GetDatum(*opening);
	for (int j = 0; j < HEADS_COUNT; j++)
		values[n++] = Int64GetDatum(month->heads[j]);
	values[n++] = Int64GetDatum(closing);
	values[n++] = NumericGetDatum(decimal_sum_to_numeric(sales, state->display_scale));
	for (int j = 0; j < SALES_COUNT; j++)
		values[n++] = NumericGetDatum(decimal_sum_to_numeric(month->sales[j], state->display_scale));
	values[n++] = NumericGetDatum(decimal_sum_to_numeric(*running, state->display_scale));
	for (int j = 0; j < CHANGE_COUNT; j++)
		/* shrunk and lost are subtracted in the books */
		values[n++] = NumericGetDatum(decimal_sum_to_numeric(j == CHANGE_SHRUNK || j == CHANGE_LOST ?
															 -month->change[j] : month->change[j],
															 state->display_scale));
	values[n++] = NumericGetDatum(decimal_sum_to_numeric(after, state->display_scale));
	Assert(n == FLOW_COLUMNS);
	result_rows_add(rows, values, nulls);
	*opening = closing;
	*running = after;
}

/*
 * flow_final: one row per month, from that of the first event to that of
 * as_of; an empty array if there is none; NULL without rows
 */
PG_FUNCTION_INFO_V1(segment_flow_final);
Datum
segment_flow_final(PG_FUNCTION_ARGS)
{
	const FlowState *state = (const FlowState *) aggregate_state(fcinfo);
	ResultRows	rows;
	int64		opening = 0;
	int128		running = 0;

	if (state == NULL)
		PG_RETURN_NULL();
	result_rows_begin(&rows, fcinfo, FLOW_COLUMNS, state->count);
	for (int i = state->count - 1; i >= 0; i--)
		flow_row(&rows, state, i, &opening, &running);
	return result_rows_end(&rows);
}
