/*-------------------------------------------------------------------------
 *
 * customer.c
 *		What the view customer needs of a history and a scorecard, in one pass.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "compat.h"

#include "access/htup_details.h"
#include "funcapi.h"

#include "history.h"
#include "history_measure.h"
#include "score.h"
#include "time_unit.h"

/* The columns of the result, in the order of the type customer_figures */
enum
{
	ORDERS, PURCHASE_DAYS, MONETARY,
	DAYS_SINCE_LAST, TENURE_DAYS, FIRST_DAY, LAST_DAY,
	MEAN_REPEAT_SPEND, MEAN_GAP_DAYS, GAP_CV, GAP_RATIO,
	R_SCORE, F_SCORE, M_SCORE,
	NET, GROSS, REFUNDED,
	COLUMNS
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
 * customer_figures(history, as_of, recency_cuts, frequency_cuts,
 * monetary_cuts, prior_gaps, usual_gap): the scores and measures of a customer
 *
 * Returns NULL if nothing was known at as_of.  Scores and gap ratio are NULL
 * without an order, or without cut points or gap.
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
	HistoryTotals totals;
	DateADT		as_of;
	Datum		values[COLUMNS] = {0};
	bool		nulls[COLUMNS] = {false};
	double		scored[3];
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

	values[ORDERS] = Int64GetDatum(totals.orders);
	values[PURCHASE_DAYS] = Int64GetDatum(totals.purchase_days);
	values[MONETARY] = Float8GetDatum(history_monetary(&totals));
	values[DAYS_SINCE_LAST] = Int32GetDatum(as_of - totals.last_day);
	values[TENURE_DAYS] = Int32GetDatum(as_of - totals.first_day);
	values[FIRST_DAY] = DateADTGetDatum(totals.first_day);
	values[LAST_DAY] = DateADTGetDatum(totals.last_day);
	values[MEAN_REPEAT_SPEND] = Float8GetDatum(history_mean_repeat_spend(&totals));
	for (i = DAYS_SINCE_LAST; i <= MEAN_REPEAT_SPEND; i++)
		nulls[i] = totals.purchase_days == 0;
	nulls[MEAN_GAP_DAYS] = totals.purchase_days < 2;
	if (!nulls[MEAN_GAP_DAYS])
		values[MEAN_GAP_DAYS] = Float8GetDatum(history_mean_gap(&totals));
	nulls[GAP_CV] = totals.purchase_days < 3;
	if (!nulls[GAP_CV])
		values[GAP_CV] = Float8GetDatum(history_gap_variation(&totals));
	nulls[GAP_RATIO] = totals.purchase_days == 0 || PG_ARGISNULL(5) || PG_ARGISNULL(6);
	if (!nulls[GAP_RATIO])
		values[GAP_RATIO] = Float8GetDatum(gap_ratio(&totals, as_of, PG_GETARG_FLOAT8(5),
													 PG_GETARG_FLOAT8(6)));
	scored[0] = -((double) as_of - totals.last_day);
	scored[1] = (double) totals.orders;
	scored[2] = history_monetary(&totals);
	for (i = 0; i < 3; i++)
	{
		nulls[R_SCORE + i] = totals.purchase_days == 0 || PG_ARGISNULL(2 + i);
		if (!nulls[R_SCORE + i])
			values[R_SCORE + i] = Int32GetDatum(score_of(scored[i],
														 PG_DETOAST_DATUM_PACKED(PG_GETARG_DATUM(2 + i))));
	}
	values[NET] = NumericGetDatum(history_amount(&totals, totals.gross - totals.refunded));
	values[GROSS] = NumericGetDatum(history_amount(&totals, totals.gross));
	values[REFUNDED] = NumericGetDatum(history_amount(&totals, totals.refunded));
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
