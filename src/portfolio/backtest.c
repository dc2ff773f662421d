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
	BACKTEST_PURCHASE_DAYS,
	BACKTEST_SPAN_DAYS,
	BACKTEST_TENURE_DAYS,
	BACKTEST_REPEAT_SPEND,
	BACKTEST_GROSS,
	BACKTEST_NET,
	BACKTEST_COST,
	/* after it */
	BACKTEST_ACTUAL_DAYS,
	BACKTEST_ACTUAL_NET,
	BACKTEST_ACTUAL_COST,
	/* before it, without the first purchase day */
	BACKTEST_PAST_DAYS,
	BACKTEST_PAST_NET,
	BACKTEST_PAST_COST,
	/* last, since what comes after a NULL is found more slowly */
	BACKTEST_MARGIN,
	BACKTEST_ACTUAL_MARGIN,
	BACKTEST_PAST_MARGIN,
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

/* Up to the cutoff, after it, before it, into three columns. */
static void
set_sums(Datum *values, const NetSums *sums, int known, int actual, int past)
{
	values[known] = Float8GetDatum(decimal_to_float8(sums->cutoff, sums->scale));
	values[actual] = Float8GetDatum(decimal_to_float8(sums->end - sums->cutoff, sums->scale));
	values[past] = Float8GetDatum(decimal_to_float8(sums->cutoff - sums->begin, sums->scale));
}

/*
 * Purchases: what is known at the cutoff, and what came after and before it.
 * Returns where the past window begins, the last day that is not in it: the first
 * purchase made the customer known, so it says nothing about what comes again.
 */
static DateADT
set_purchases(Datum *values, const struct varlena *history, DateADT cutoff, int32 days)
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
		if (run.totals.purchase_days == 0)
			return begin;
		begin = run.totals.first_day;
	}
	at_begin = run.totals;
	(void) history_run_to(&run, cutoff);
	known = run.totals;
	(void) history_run_to(&run, cutoff + days);
	values[BACKTEST_ORDERS] = Int64GetDatum(known.orders);
	values[BACKTEST_PURCHASE_DAYS] = Int64GetDatum(known.purchase_days);
	values[BACKTEST_SPAN_DAYS] = Int32GetDatum(known.last_day - known.first_day);
	values[BACKTEST_TENURE_DAYS] = Int32GetDatum(cutoff - known.first_day);
	values[BACKTEST_REPEAT_SPEND] = Float8GetDatum(history_mean_repeat_spend(&known));
	values[BACKTEST_GROSS] = Float8GetDatum(decimal_to_float8(known.gross, known.scale));
	values[BACKTEST_NET] = Float8GetDatum(decimal_to_float8(net_of(&known), known.scale));
	values[BACKTEST_ACTUAL_DAYS] = Float8GetDatum((double) (run.totals.purchase_days - known.purchase_days));
	values[BACKTEST_ACTUAL_NET] = Float8GetDatum(decimal_to_float8(net_of(&run.totals) - net_of(&known), known.scale));
	values[BACKTEST_PAST_DAYS] = Float8GetDatum((double) (known.purchase_days - at_begin.purchase_days));
	values[BACKTEST_PAST_NET] = Float8GetDatum(decimal_to_float8(net_of(&known) - net_of(&at_begin), known.scale));
	return begin;
}

/*
 * backtest_customer(purchases, margins, costs, cutoff, days): see the comment on
 * the SQL type; NULL without an order up to the cutoff
 *
 * Errors: 22008 infinite cutoff, 22023 days out of range.
 */
PG_FUNCTION_INFO_V1(segment_backtest_customer);
Datum
segment_backtest_customer(PG_FUNCTION_ARGS)
{
	DateADT		cutoff;
	int32		days;
	DateADT		begin;
	NetSums		sums;
	Datum		values[BACKTEST_COLUMNS] = {0};
	bool		nulls[BACKTEST_COLUMNS] = {false};

	if (PG_ARGISNULL(0) || PG_ARGISNULL(3) || PG_ARGISNULL(4))
		PG_RETURN_NULL();
	cutoff = finite_date(PG_GETARG_DATEADT(3), "cutoff");
	days = PG_GETARG_INT32(4);
	arguments_check_range("days", days, 1, BACKTEST_MAX_DAYS);
	begin = set_purchases(values, history_argument(PG_GETARG_DATUM(0)), cutoff, days);
	if (DatumGetInt64(values[BACKTEST_PURCHASE_DAYS]) == 0)
		PG_RETURN_NULL();
	nulls[BACKTEST_MARGIN] = nulls[BACKTEST_ACTUAL_MARGIN] = nulls[BACKTEST_PAST_MARGIN] = PG_ARGISNULL(1);
	if (!PG_ARGISNULL(1))
	{
		sums = net_sums(history_argument(PG_GETARG_DATUM(1)), begin, cutoff, cutoff + days);
		set_sums(values, &sums, BACKTEST_MARGIN, BACKTEST_ACTUAL_MARGIN, BACKTEST_PAST_MARGIN);
	}
	values[BACKTEST_COST] = values[BACKTEST_ACTUAL_COST] = values[BACKTEST_PAST_COST] = Float8GetDatum(0.0);
	if (!PG_ARGISNULL(2))
	{
		sums = net_sums(history_argument(PG_GETARG_DATUM(2)), begin, cutoff, cutoff + days);
		set_sums(values, &sums, BACKTEST_COST, BACKTEST_ACTUAL_COST, BACKTEST_PAST_COST);
	}
	PG_RETURN_DATUM(row_form(result_row(fcinfo, BACKTEST_COLUMNS), values, nulls));
}
