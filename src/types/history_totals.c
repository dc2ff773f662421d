/*-------------------------------------------------------------------------
 *
 * history_totals.c
 *		What a history says: counts, amounts, rhythm, model inputs, and the
 *		history as it was known on an earlier day.
 *
 * A purchase day is a day with at least one order.  Days with refunds only
 * change the net amount, nothing else.  Visits and what was cancelled tell of
 * orders that were refunded on their own day.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "common/int.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/numeric.h"

#include "base/arguments.h"
#include "base/decimal.h"
#include "base/result_row.h"
#include "base/time_unit.h"
#include "types/history.h"
#include "types/history_totals.h"
#include "types/rfm.h"

static void
totals_init(HistoryTotals *totals, const HistoryReader *reader)
{
	memset(totals, 0, sizeof(HistoryTotals));
	totals->scale = reader->scale;
	totals->display_scale = reader->display_scale;
}

/* The sums of a valid history are within the limits. */
static inline void
totals_add(HistoryTotals *totals, const HistoryDay *day, int128 limit, const HistoryReader *reader)
{
	totals->any = true;
	totals->gross += day->gross;
	totals->refunded += day->refunded;
	if (unlikely(pg_add_s64_overflow(totals->orders, day->orders, &totals->orders) ||
				 pg_add_s64_overflow(totals->refunds, day->refunds, &totals->refunds) ||
				 totals->gross > limit || totals->refunded > limit))
		history_damaged(reader, "A sum is out of range.");
	if (day->orders == 0)
		return;
	CHECK_FOR_INTERRUPTS();
	if (totals->purchase_days == 0)
	{
		totals->first_day = day->day;
		totals->first_gross = day->gross;
	}
	else
	{
		int64		gap = (int64) day->day - totals->last_day;

		totals->squared_gaps += (int128) gap * gap;
	}
	totals->last_day = day->day;
	totals->purchase_days++;
	/* a refund on the day of an order takes it back, as far as it goes */
	totals->cancelled += Min(day->refunded, day->gross);
	if (day->gross == 0 || day->refunded < day->gross)
		totals->visits++;
}

/* Everything up to and including a day. */
void
history_total_up_to(const struct varlena *history, DateADT as_of, HistoryTotals *totals)
{
	HistoryReader reader;
	HistoryDay	day;
	int128		limit;

	history_open(&reader, history);
	limit = decimal_limit(reader.scale);
	totals_init(totals, &reader);
	while (history_next(&reader, &day) && day.day <= as_of)
		totals_add(totals, &day, limit, &reader);
}

/*
 * history_run_start: before the first day; the history must stay in memory
 *
 * NULL is a history without days.
 */
void
history_run_start(HistoryRun *run, const struct varlena *history)
{
	if (history == NULL)
	{
		memset(run, 0, sizeof(HistoryRun));
		return;
	}
	history_open(&run->reader, history);
	totals_init(&run->totals, &run->reader);
	run->more = history_next(&run->reader, &run->next);
}

/*
 * history_run_to: everything up to and including a day, which is not before
 * the day of the last call
 *
 * Returns whether the totals have changed.
 */
bool
history_run_to(HistoryRun *run, DateADT as_of)
{
	int128		limit;

	if (!run->more || run->next.day > as_of)
		return false;
	limit = decimal_limit(run->reader.scale);
	do
	{
		totals_add(&run->totals, &run->next, limit, &run->reader);
		run->more = history_next(&run->reader, &run->next);
	} while (run->more && run->next.day <= as_of);
	return true;
}

static inline void
total(const struct varlena *history, HistoryTotals *totals)
{
	history_total_up_to(history, PG_INT32_MAX, totals);
}

Numeric
history_amount(const HistoryTotals *totals, int128 amount)
{
	return decimal_to_numeric(amount, totals->scale, totals->display_scale);
}

/* An amount divided by a count, with the decimals that numeric's division gives. */
static Datum
average_of(const HistoryTotals *totals, int128 amount, int64 count)
{
	return DirectFunctionCall2(numeric_div,
							   NumericGetDatum(history_amount(totals, amount)),
							   NumericGetDatum(int64_to_numeric(count)));
}

/* Mean of the gaps between purchase days; there are at least two. */
double
history_mean_gap(const HistoryTotals *totals)
{
	return ((double) totals->last_day - totals->first_day) / (totals->purchase_days - 1);
}

/*
 * Standard deviation of the gaps (sample, n - 1) divided by their mean; there
 * are at least three purchase days.  The sums are exact integers.
 */
double
history_gap_variation(const HistoryTotals *totals)
{
	int128		gaps = totals->purchase_days - 1;
	int128		span = (int64) totals->last_day - totals->first_day;
	int128		spread = gaps * totals->squared_gaps - span * span;

	return sqrt((double) spread / (double) (gaps * (gaps - 1))) / history_mean_gap(totals);
}

/* ---------- accessors of the whole history ---------- */

/* NULL with fewer purchase days than so many. */
#define HISTORY_ACCESSOR(name, least, result) \
PG_FUNCTION_INFO_V1(name); \
Datum \
name(PG_FUNCTION_ARGS) \
{ \
	HistoryTotals totals; \
\
	total(history_argument(PG_GETARG_DATUM(0)), &totals); \
	if (totals.purchase_days < (least)) \
		PG_RETURN_NULL(); \
	result; \
}

HISTORY_ACCESSOR(segment_history_orders, 0, PG_RETURN_INT64(totals.orders))
HISTORY_ACCESSOR(segment_history_refunds, 0, PG_RETURN_INT64(totals.refunds))
HISTORY_ACCESSOR(segment_history_purchase_days, 0, PG_RETURN_INT64(totals.purchase_days))
HISTORY_ACCESSOR(segment_history_last_day, 1, PG_RETURN_DATEADT(totals.last_day))
HISTORY_ACCESSOR(segment_history_gross, 0,
				 PG_RETURN_NUMERIC(history_amount(&totals, totals.gross)))
HISTORY_ACCESSOR(segment_history_refunded, 0,
				 PG_RETURN_NUMERIC(history_amount(&totals, totals.refunded)))
HISTORY_ACCESSOR(segment_history_net, 0,
				 PG_RETURN_NUMERIC(history_amount(&totals, totals.gross - totals.refunded)))
HISTORY_ACCESSOR(segment_history_average_order, 1,
				 return average_of(&totals, totals.gross, totals.orders))
HISTORY_ACCESSOR(segment_history_mean_gap_days, 2, PG_RETURN_FLOAT8(history_mean_gap(&totals)))
HISTORY_ACCESSOR(segment_history_gap_cv, 3, PG_RETURN_FLOAT8(history_gap_variation(&totals)))

/* The first day with an order, without looking at what comes after it. */
PG_FUNCTION_INFO_V1(segment_history_first_day);
Datum
segment_history_first_day(PG_FUNCTION_ARGS)
{
	HistoryReader reader;
	HistoryDay	day;

	history_open(&reader, history_argument(PG_GETARG_DATUM(0)));
	while (history_next(&reader, &day))
	{
		CHECK_FOR_INTERRUPTS();
		if (day.orders > 0)
			PG_RETURN_DATEADT(day.day);
	}
	PG_RETURN_NULL();
}

/* ---------- as of a day ---------- */

static DateADT
as_of_argument(FunctionCallInfo fcinfo)
{
	return finite_date(PG_GETARG_DATEADT(1), "as_of");
}

PG_FUNCTION_INFO_V1(segment_history_days_since_last);
Datum
segment_history_days_since_last(PG_FUNCTION_ARGS)
{
	DateADT		as_of = as_of_argument(fcinfo);
	HistoryTotals totals;

	history_total_up_to(history_argument(PG_GETARG_DATUM(0)), as_of, &totals);
	if (totals.purchase_days == 0)
		PG_RETURN_NULL();
	PG_RETURN_INT32(as_of - totals.last_day);
}

PG_FUNCTION_INFO_V1(segment_history_tenure_days);
Datum
segment_history_tenure_days(PG_FUNCTION_ARGS)
{
	DateADT		as_of = as_of_argument(fcinfo);
	HistoryTotals totals;

	history_total_up_to(history_argument(PG_GETARG_DATUM(0)), as_of, &totals);
	if (totals.purchase_days == 0)
		PG_RETURN_NULL();
	PG_RETURN_INT32(as_of - totals.first_day);
}

/* The days of a closed range as a history of their own; NULL if there are none. */
static Datum
part_of(FunctionCallInfo fcinfo, DateADT from_day, DateADT to_day)
{
	struct varlena *history = history_argument(PG_GETARG_DATUM(0));
	HistoryReader reader;
	HistoryDays list;
	HistoryDay	day;
	bool		all = true;

	history_open(&reader, history);
	history_days_init(&list, reader.scale, reader.display_scale);
	while (history_next(&reader, &day))
	{
		CHECK_FOR_INTERRUPTS();
		if (day.day > to_day)
		{
			all = false;
			break;
		}
		if (day.day >= from_day)
			history_days_add(&list, &day);
		else
			all = false;
	}
	if (list.count == 0)
		PG_RETURN_NULL();
	if (all)
		PG_RETURN_POINTER(history);
	PG_RETURN_POINTER(history_store(&list));
}

PG_FUNCTION_INFO_V1(segment_history_as_of);
Datum
segment_history_as_of(PG_FUNCTION_ARGS)
{
	return part_of(fcinfo, PG_INT32_MIN, as_of_argument(fcinfo));
}

PG_FUNCTION_INFO_V1(segment_history_during);
Datum
segment_history_during(PG_FUNCTION_ARGS)
{
	return part_of(fcinfo,
				   finite_date(PG_GETARG_DATEADT(1), "from_day"),
				   finite_date(PG_GETARG_DATEADT(2), "to_day"));
}

/* ---------- several values at once ---------- */

/* Gross of the purchase days after the first, and their number. */
static int128
repeat_gross(const HistoryTotals *totals)
{
	return totals->gross - totals->first_gross;
}

/* Net amount, and mean gross of a repeat purchase day (0 without one), as floats. */
double
history_monetary(const HistoryTotals *totals)
{
	return decimal_to_float8(totals->gross - totals->refunded, totals->scale);
}

double
history_mean_repeat_spend(const HistoryTotals *totals)
{
	if (totals->purchase_days < 2)
		return 0;
	return decimal_to_float8(repeat_gross(totals), totals->scale) /
		(totals->purchase_days - 1);
}

static Datum
mean_repeat_spend(const HistoryTotals *totals)
{
	if (totals->purchase_days < 2)
		return NumericGetDatum(int64_to_numeric(0));
	return average_of(totals, repeat_gross(totals), totals->purchase_days - 1);
}

/* customer by sufficient statistic: (x, t_x, t, mean_repeat_spend) */
PG_FUNCTION_INFO_V1(segment_history_cbs);
Datum
segment_history_cbs(PG_FUNCTION_ARGS)
{
	DateADT		as_of = as_of_argument(fcinfo);
	text	   *unit = PG_GETARG_TEXT_PP(2);
	double		unit_days = time_unit_days(time_unit_from_name(VARDATA_ANY(unit),
															   VARSIZE_ANY_EXHDR(unit)));
	HistoryTotals totals;
	Datum		values[4];
	bool		nulls[4] = {false};

	history_total_up_to(history_argument(PG_GETARG_DATUM(0)), as_of, &totals);
	if (totals.purchase_days == 0)
		PG_RETURN_NULL();
	values[0] = Float8GetDatum((double) (totals.purchase_days - 1));
	values[1] = Float8GetDatum(((double) totals.last_day - totals.first_day) / unit_days);
	values[2] = Float8GetDatum(((double) as_of - totals.first_day) / unit_days);
	values[3] = mean_repeat_spend(&totals);
	PG_RETURN_DATUM(row_form(result_row(fcinfo, lengthof(values)), values, nulls));
}

/* everything that a history says of a customer as of a day, in one pass */
PG_FUNCTION_INFO_V1(segment_history_measures);
Datum
segment_history_measures(PG_FUNCTION_ARGS)
{
	DateADT		as_of = as_of_argument(fcinfo);
	HistoryTotals totals;
	Datum		values[15];
	bool		nulls[15] = {false};
	bool		bought;

	history_total_up_to(history_argument(PG_GETARG_DATUM(0)), as_of, &totals);
	if (!totals.any)
		PG_RETURN_NULL();
	bought = totals.purchase_days > 0;
	values[0] = Int64GetDatum(totals.orders);
	values[1] = Int64GetDatum(totals.refunds);
	values[2] = Int64GetDatum(totals.purchase_days);
	values[3] = DateADTGetDatum(totals.first_day);
	values[4] = DateADTGetDatum(totals.last_day);
	values[5] = Int32GetDatum(as_of - totals.last_day);
	values[6] = Int32GetDatum(as_of - totals.first_day);
	nulls[3] = nulls[4] = nulls[5] = nulls[6] = !bought;
	values[7] = NumericGetDatum(history_amount(&totals, totals.gross));
	values[8] = NumericGetDatum(history_amount(&totals, totals.refunded));
	values[9] = NumericGetDatum(history_amount(&totals, totals.gross - totals.refunded));
	nulls[10] = !bought;
	values[10] = bought ? average_of(&totals, totals.gross, totals.orders) : (Datum) 0;
	values[11] = Float8GetDatum(history_monetary(&totals));
	nulls[12] = !bought;
	values[12] = Float8GetDatum(history_mean_repeat_spend(&totals));
	nulls[13] = totals.purchase_days < 2;
	values[13] = nulls[13] ? (Datum) 0 : Float8GetDatum(history_mean_gap(&totals));
	nulls[14] = totals.purchase_days < 3;
	values[14] = nulls[14] ? (Datum) 0 : Float8GetDatum(history_gap_variation(&totals));
	PG_RETURN_DATUM(row_form(result_row(fcinfo, lengthof(values)), values, nulls));
}

/* ---------- the days as rows ---------- */

PG_FUNCTION_INFO_V1(segment_history_unnest);
Datum
segment_history_unnest(PG_FUNCTION_ARGS)
{
	FuncCallContext *call;
	HistoryReader *reader;
	HistoryDay	day;
	Datum		values[5];
	bool		nulls[5] = {false};

	if (SRF_IS_FIRSTCALL())
	{
		MemoryContext old;
		struct varlena *history;

		call = SRF_FIRSTCALL_INIT();
		old = MemoryContextSwitchTo(call->multi_call_memory_ctx);
		call->tuple_desc = result_row_lookup(fcinfo, lengthof(values));
		/* the argument does not outlive the first call, a copy does */
		history = history_argument(PG_GETARG_DATUM(0));
		if ((Pointer) history == PG_GETARG_POINTER(0))
			history = (struct varlena *)
				DatumGetPointer(datumCopy(PointerGetDatum(history), false, -1));
		reader = palloc(sizeof(HistoryReader));
		history_open(reader, history);
		call->user_fctx = reader;
		MemoryContextSwitchTo(old);
	}
	call = SRF_PERCALL_SETUP();
	reader = (HistoryReader *) call->user_fctx;
	if (!history_next(reader, &day))
		SRF_RETURN_DONE(call);
	values[0] = DateADTGetDatum(day.day);
	values[1] = Int64GetDatum(day.orders);
	values[2] = NumericGetDatum(decimal_to_numeric(day.gross, reader->scale,
												   reader->display_scale));
	values[3] = Int64GetDatum(day.refunds);
	values[4] = NumericGetDatum(decimal_to_numeric(day.refunded, reader->scale,
												   reader->display_scale));
	SRF_RETURN_NEXT(call, row_form(call->tuple_desc, values, nulls));
}

/* ---------- the small summary ---------- */

PG_FUNCTION_INFO_V1(segment_history_rfm);
Datum
segment_history_rfm(PG_FUNCTION_ARGS)
{
	HistoryTotals totals;
	RfmPart		part;
	Rfm		   *rfm = rfm_create();
	int64		factor;

	total(history_argument(PG_GETARG_DATUM(0)), &totals);
	factor = decimal_power_of_ten[DECIMAL_MAX_SCALE - totals.scale];
	part.first_at = totals.purchase_days > 0 ? rfm_midnight_utc(totals.first_day) : DT_NOEND;
	part.last_at = totals.purchase_days > 0 ? rfm_midnight_utc(totals.last_day) : DT_NOBEGIN;
	part.orders = totals.orders;
	part.refunds = totals.refunds;
	part.gross = totals.gross * factor;
	part.refunded = totals.refunded * factor;
	part.display_scale = totals.display_scale;
	rfm_add(rfm, &part);
	PG_RETURN_POINTER(rfm);
}
