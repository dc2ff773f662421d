/*-------------------------------------------------------------------------
 *
 * backtest.c
 *		What was known of a customer at the end of a day, and what the days after
 *		it and as many days before it brought: one pass over each history.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include "base/arguments.h"
#include "base/decimal.h"
#include "base/result_row.h"
#include "types/history.h"
#include "types/history_totals.h"

/* Longest window: 100 years */
#define BACKTEST_MAX_DAYS 36525

/* Columns of the type segment_internal.backtest_customer */
enum
{
	/* up to the cutoff */
	BACKTEST_ORDERS,
	BACKTEST_ACTUAL_DAYS,		/* after it */
	BACKTEST_PURCHASE_DAYS,
	BACKTEST_SPAN_DAYS,
	BACKTEST_TENURE_DAYS,
	BACKTEST_REPEAT_SPEND,
	BACKTEST_GROSS,
	BACKTEST_PAST_DAYS,			/* before it, without the first purchase day */
	/* contribution up to the cutoff, after and before it */
	BACKTEST_VALUE,
	BACKTEST_ACTUAL_VALUE,
	BACKTEST_PAST_VALUE,
	BACKTEST_COLUMNS
};

/* A sum of amounts up to three days: where the past window begins, the cutoff, the end. */
typedef struct NetSums
{
	int128		begin;
	int128		cutoff;
	int128		end;
	int			scale;
} NetSums;

static inline int128
net_of(const HistoryTotals *totals)
{
	return totals->gross - totals->refunded;
}

static NetSums
net_sums(const struct varlena *history, DateADT begin, DateADT cutoff, DateADT end)
{
	HistoryRun	run;
	NetSums		sums;

	history_run_start(&run, history);
	(void) history_run_to(&run, begin);
	sums.begin = net_of(&run.totals);
	(void) history_run_to(&run, cutoff);
	sums.cutoff = net_of(&run.totals);
	(void) history_run_to(&run, end);
	sums.end = net_of(&run.totals);
	sums.scale = run.totals.scale;
	return sums;
}

/* Adds what came up to the cutoff, after it and before it, times a factor. */
static void
add_sums(double *values, const NetSums *sums, double factor)
{
	values[0] += factor * decimal_to_float8(sums->cutoff, sums->scale);
	values[1] += factor * decimal_to_float8(sums->end - sums->cutoff, sums->scale);
	values[2] += factor * decimal_to_float8(sums->cutoff - sums->begin, sums->scale);
}

/*
 * Purchases: what is known at the cutoff, and what came after and before it, with
 * the sums of net.  The past window begins after the first purchase day, which
 * made the customer known, and so says nothing about what comes again.  Returns
 * the last day that is not in it; if there was no purchase up to the cutoff, and
 * only the purchase days after it are set, one that is after it.
 */
static int64
set_purchases(Datum *values, NetSums *net, const struct varlena *history, DateADT cutoff, int32 days)
{
	DateADT		begin = cutoff - days;
	HistoryRun	run;
	HistoryTotals at_begin;
	HistoryTotals known;

	history_run_start(&run, history);
	(void) history_run_to(&run, begin);
	if (run.totals.purchase_days == 0)
	{
		/* on to the first purchase day, if that is not after the cutoff */
		while (run.more && run.next.day <= cutoff && run.totals.purchase_days == 0)
			(void) history_run_to(&run, run.next.day);
		begin = run.totals.purchase_days == 0 ? cutoff : run.totals.first_day;
	}
	at_begin = run.totals;
	(void) history_run_to(&run, cutoff);
	known = run.totals;
	(void) history_run_to(&run, cutoff + days);
	values[BACKTEST_ORDERS] = Int64GetDatum(known.orders);
	values[BACKTEST_ACTUAL_DAYS] = Float8GetDatum((double) (run.totals.purchase_days - known.purchase_days));
	if (known.purchase_days == 0)
		return (int64) cutoff + 1;
	values[BACKTEST_PURCHASE_DAYS] = Int64GetDatum(known.purchase_days);
	values[BACKTEST_SPAN_DAYS] = Int32GetDatum(known.last_day - known.first_day);
	values[BACKTEST_TENURE_DAYS] = Int32GetDatum(cutoff - known.first_day);
	values[BACKTEST_REPEAT_SPEND] = Float8GetDatum(history_mean_repeat_spend(&known));
	values[BACKTEST_GROSS] = Float8GetDatum(decimal_to_float8(known.gross, known.scale));
	values[BACKTEST_PAST_DAYS] = Float8GetDatum((double) (known.purchase_days - at_begin.purchase_days));
	net->begin = net_of(&at_begin);
	net->cutoff = net_of(&known);
	net->end = net_of(&run.totals);
	net->scale = known.scale;
	return begin;
}

/* A history of amounts that is an argument, if it is there: its sums, times a factor, are added. */
static void
add_history(FunctionCallInfo fcinfo, int argument, double *values, int64 begin, DateADT cutoff, int32 days, double factor)
{
	NetSums		sums;

	if (PG_ARGISNULL(argument))
		return;
	sums = net_sums(history_argument(PG_GETARG_DATUM(argument)), begin, cutoff, cutoff + days);
	add_sums(values, &sums, factor);
}

/*
 * backtest_customer(purchases, margins, costs, cutoff, days, margin_rate): see the
 * comment on the SQL type; NULL without an order up to the end of the days after
 * the cutoff
 *
 * Errors: 22008 infinite cutoff, 22023 days out of range.
 */
PG_FUNCTION_INFO_V1(segment_backtest_customer);
Datum
segment_backtest_customer(PG_FUNCTION_ARGS)
{
	DateADT		cutoff;
	int32		days;
	int64		begin;
	NetSums		net;
	double		value[3] = {0};
	Datum		values[BACKTEST_COLUMNS] = {0};
	bool		nulls[BACKTEST_COLUMNS] = {false};

	if (PG_ARGISNULL(0) || PG_ARGISNULL(3) || PG_ARGISNULL(4))
		PG_RETURN_NULL();
	cutoff = finite_date(PG_GETARG_DATEADT(3), "cutoff");
	days = PG_GETARG_INT32(4);
	arguments_check_range("days", days, 1, BACKTEST_MAX_DAYS);
	begin = set_purchases(values, &net, history_argument(PG_GETARG_DATUM(0)), cutoff, days);
	if (begin > cutoff)
	{
		if (DatumGetFloat8(values[BACKTEST_ACTUAL_DAYS]) == 0)
			PG_RETURN_NULL();
		memset(nulls + BACKTEST_PURCHASE_DAYS, true, BACKTEST_COLUMNS - BACKTEST_PURCHASE_DAYS);
		PG_RETURN_DATUM(row_form(result_row(fcinfo, BACKTEST_COLUMNS), values, nulls));
	}
	add_history(fcinfo, 1, value, begin, cutoff, days, 1);
	if (PG_ARGISNULL(1) && !PG_ARGISNULL(5))
		add_sums(value, &net, PG_GETARG_FLOAT8(5));
	add_history(fcinfo, 2, value, begin, cutoff, days, -1);
	for (int i = 0; i < lengthof(value); i++)
		values[BACKTEST_VALUE + i] = Float8GetDatum(value[i]);
	PG_RETURN_DATUM(row_form(result_row(fcinfo, BACKTEST_COLUMNS), values, nulls));
}
