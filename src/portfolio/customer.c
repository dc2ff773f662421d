/*-------------------------------------------------------------------------
 *
 * customer.c
 *		What the view customer needs of a history and a scorecard, in one pass.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include "access/htup_details.h"
#include "funcapi.h"

#include "portfolio/customer.h"
#include "types/history.h"
#include "statistics/score.h"
#include "base/arguments.h"

/*
 * Columns of the type segment.customer_figures.  Those that are read most come
 * first, where they are found fastest.
 */
enum
{
	COLUMN_JUDGED,
	COLUMN_MEASURES = COLUMN_JUDGED + CUSTOMER_JUDGED,
	COLUMN_MONETARY = COLUMN_MEASURES + CUSTOMER_MEASURES,
	COLUMN_REPEAT_SPEND,
	COLUMN_AMOUNTS,
	COLUMNS = COLUMN_AMOUNTS + CUSTOMER_AMOUNTS
};

/*
 * Days since the last purchase in units of the customer's own usual gap: the
 * mean of the own gaps, into which the population's usual gap goes as often as
 * prior_gaps says.
 */
static double
gap_ratio(const HistoryTotals *totals, DateADT as_of, double prior_gaps, double usual_gap)
{
	double		gaps = prior_gaps + totals->purchase_days - 1;
	double		own_gap = usual_gap;

	if (gaps > 0)
		own_gap = (prior_gaps * usual_gap +
				   ((double) totals->last_day - totals->first_day)) / gaps;
	return ((double) as_of - totals->last_day) / own_gap;
}

/*
 * customer_set_judged: what changes from day to day: r_score, f_score,
 * m_score, gap_ratio, days_since_last, tenure_days
 *
 * NULL without an order; scores and gap ratio also without cut points or gap.
 * Errors: those of score.
 */
void
customer_set_judged(const HistoryTotals *totals, DateADT as_of,
					const CustomerYardstick *yardstick, Datum *values, bool *nulls)
{
	double		scored[3];
	int			i;

	scored[0] = -((double) as_of - totals->last_day);
	scored[1] = (double) totals->orders;
	scored[2] = history_monetary(totals);
	for (i = 0; i < 3; i++)
	{
		nulls[i] = totals->purchase_days == 0 || yardstick->cuts[i] == NULL;
		if (!nulls[i])
			values[i] = Int32GetDatum(score_of(scored[i], yardstick->cuts[i]));
	}
	nulls[3] = totals->purchase_days == 0 || !yardstick->has_gap;
	if (!nulls[3])
		values[3] = Float8GetDatum(gap_ratio(totals, as_of, yardstick->prior_gaps,
											 yardstick->usual_gap));
	values[4] = Int32GetDatum(as_of - totals->last_day);
	values[5] = Int32GetDatum(as_of - totals->first_day);
	nulls[4] = nulls[5] = totals->purchase_days == 0;
}

/*
 * customer_set_measures: what changes with the history only: orders,
 * purchase_days, first_day, last_day, mean_gap_days, gap_cv
 */
void
customer_set_measures(const HistoryTotals *totals, Datum *values, bool *nulls)
{
	values[0] = Int64GetDatum(totals->orders);
	values[1] = Int64GetDatum(totals->purchase_days);
	nulls[0] = nulls[1] = false;
	values[2] = DateADTGetDatum(totals->first_day);
	values[3] = DateADTGetDatum(totals->last_day);
	nulls[2] = nulls[3] = totals->purchase_days == 0;
	nulls[4] = totals->purchase_days < 2;
	if (!nulls[4])
		values[4] = Float8GetDatum(history_mean_gap(totals));
	nulls[5] = totals->purchase_days < 3;
	if (!nulls[5])
		values[5] = Float8GetDatum(history_gap_variation(totals));
}

/* customer_set_amounts: gross, refunded and net, never NULL */
void
customer_set_amounts(const HistoryTotals *totals, Datum *values)
{
	values[0] = NumericGetDatum(history_amount(totals, totals->gross));
	values[1] = NumericGetDatum(history_amount(totals, totals->refunded));
	values[2] = NumericGetDatum(history_amount(totals, totals->gross - totals->refunded));
}

/*
 * customer_figures(history, as_of, recency_cuts, frequency_cuts,
 * monetary_cuts, prior_gaps, usual_gap): the scores and measures of a customer
 *
 * Returns NULL if nothing was known at as_of.
 *
 * To SQL this is a set of one row: so the planner keeps the subquery that
 * calls it in one piece, and a customer's history is read once, not once for
 * every column that is taken out of the result.
 */
PG_FUNCTION_INFO_V1(customer_figures);
Datum
customer_figures(PG_FUNCTION_ARGS)
{
	TupleDesc	tupdesc = (TupleDesc) fcinfo->flinfo->fn_extra;
	CustomerYardstick yardstick = {0};
	HistoryTotals totals;
	DateADT		as_of;
	Datum		values[COLUMNS] = {0};
	bool		nulls[COLUMNS] = {false};
	int			i;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	as_of = finite_date(PG_GETARG_DATEADT(1), "as_of");
	history_total_up_to(history_argument(PG_GETARG_DATUM(0)), as_of, &totals);
	if (!totals.any)
		PG_RETURN_NULL();
	if (tupdesc == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);

		if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE)
			elog(ERROR, "return type must be a row type");
		tupdesc = BlessTupleDesc(tupdesc);
		MemoryContextSwitchTo(old);
		fcinfo->flinfo->fn_extra = tupdesc;
	}

	for (i = 0; i < 3 && totals.purchase_days > 0; i++)
		if (!PG_ARGISNULL(2 + i))
			yardstick.cuts[i] = PG_DETOAST_DATUM_PACKED(PG_GETARG_DATUM(2 + i));
	yardstick.has_gap = !PG_ARGISNULL(5) && !PG_ARGISNULL(6);
	if (yardstick.has_gap)
	{
		yardstick.prior_gaps = PG_GETARG_FLOAT8(5);
		yardstick.usual_gap = PG_GETARG_FLOAT8(6);
	}
	customer_set_judged(&totals, as_of, &yardstick, values + COLUMN_JUDGED, nulls + COLUMN_JUDGED);
	customer_set_measures(&totals, values + COLUMN_MEASURES, nulls + COLUMN_MEASURES);
	values[COLUMN_MONETARY] = Float8GetDatum(history_monetary(&totals));
	values[COLUMN_REPEAT_SPEND] = Float8GetDatum(history_mean_repeat_spend(&totals));
	nulls[COLUMN_REPEAT_SPEND] = totals.purchase_days == 0;
	customer_set_amounts(&totals, values + COLUMN_AMOUNTS);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(tupdesc, values, nulls)));
}

/*
 * one_row(): true.  To SQL this is a set, too: a subquery that calls it is kept
 * in one piece as well.
 */
PG_FUNCTION_INFO_V1(one_row);
Datum
one_row(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(true);
}
