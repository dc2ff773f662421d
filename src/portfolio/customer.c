/*-------------------------------------------------------------------------
 *
 * customer.c
 *		The row of a customer as of a day, or of many days, but for classes: the
 *		functions that give it, with their arguments.
 *
 * What the histories say is computed in history_figures.c, what follows from that
 * by a scorecard in derived_figures.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

#include "base/arguments.h"
#include "base/result_row.h"
#include "portfolio/derived_figures.h"
#include "portfolio/history_figures.h"
#include "types/history.h"

/* The arguments of customer_figures that are kept figures. */
static const int kept_figures[] = {
	FIGURE_ORDERS, FIGURE_PURCHASE_DAYS, FIGURE_VISITS, FIGURE_FIRST_DAY, FIGURE_LAST_DAY,
	FIGURE_GROSS, FIGURE_REFUNDED, FIGURE_NET, FIGURE_USAGE, FIGURE_MARGIN, FIGURE_COST,
	FIGURE_MEAN_GAP_DAYS, FIGURE_GAP_CV, FIGURE_MONETARY, FIGURE_REPEAT_SPEND,
	FIGURE_PERIOD_ORDERS, FIGURE_PERIOD_NET, FIGURE_PERIOD_MARGIN, FIGURE_PERIOD_COST, FIGURE_PREVIOUS_NET,
	FIGURE_TREND_NET, FIGURE_TREND_MOMENT, FIGURE_TREND_SQUARE,
	FIGURE_RECENT_WINDOW, FIGURE_RECENT_PURCHASE_DAYS, FIGURE_PAST_PURCHASE_DAYS,
	FIGURE_RECENT_SPEND, FIGURE_PAST_SPEND, FIGURE_SPEND_P_VALUE,
	FIGURE_RECENT_COMPLAINTS, FIGURE_PAST_COMPLAINTS, FIGURE_RECENT_SATISFACTION, FIGURE_PAST_SATISFACTION,
	FIGURE_RETURN_BELOW, FIGURE_NEXT_EVENT, FIGURE_NEXT_CHANGE
};

/* Columns of the type segment_internal.scored_day. */
enum
{
	DAY_DAY,
	DAY_SCORECARD_ID,
	DAY_TERMS,
	DAY_COLUMNS
};

typedef struct ScoredDay
{
	DateADT		day;
	Datum		scorecard_id;
	bool		has_scorecard_id;
	ScorecardTerms terms;
} ScoredDay;

/* The last argument of the last call, deformed; it is hardly ever another. */
typedef struct ScoredDays
{
	MemoryContext context;		/* of what belongs to this argument */
	struct varlena *image;
	int			count;
	ScoredDay  *days;
	TupleDesc	result;
} ScoredDays;

/* ---------- arguments and results ---------- */

/* A history that is an argument; NULL if it is. */
static const struct varlena *
optional_history(FunctionCallInfo fcinfo, int argument)
{
	return PG_ARGISNULL(argument) ? NULL : history_argument(PG_GETARG_DATUM(argument));
}

/* Begin with arguments 0 to 5: purchases, margins, costs, complaints, satisfaction, listed. */
static void
open_customer(Customer *customer, FunctionCallInfo fcinfo)
{
	const CustomerHistories histories = {
		.purchases = optional_history(fcinfo, 0),
		.margins = optional_history(fcinfo, 1),
		.costs = optional_history(fcinfo, 2),
		.complaints = optional_history(fcinfo, 3),
		.satisfaction = optional_history(fcinfo, 4),
		.listed = !PG_ARGISNULL(5) && PG_GETARG_BOOL(5)
	};

	customer_open(customer, &histories);
}

/* An array of days, each with the terms of its scorecard. */
static void
deform_days(ScoredDays *days, ArrayType *array)
{
	TupleDesc	tupdesc;
	Datum	   *rows;
	bool	   *nulls;

	deconstruct_array(array, ARR_ELEMTYPE(array), -1, false, TYPALIGN_DOUBLE,
					  &rows, &nulls, &days->count);
	if (days->count == 0)
		return;
	tupdesc = row_type_lookup(ARR_ELEMTYPE(array), DAY_COLUMNS);
	days->days = palloc0(days->count * sizeof(ScoredDay));
	for (int i = 0; i < days->count; i++)
	{
		ScoredDay  *day = &days->days[i];
		Datum		values[DAY_COLUMNS];
		bool		day_nulls[DAY_COLUMNS] = {true, true, true};

		CHECK_FOR_INTERRUPTS();
		if (!nulls[i])
			row_deform(rows[i], tupdesc, values, day_nulls);
		if (day_nulls[DAY_DAY])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("argument \"%s\" must not contain nulls", "days")));
		day->day = finite_date(DatumGetDateADT(values[DAY_DAY]), "days");
		day->scorecard_id = values[DAY_SCORECARD_ID];
		day->has_scorecard_id = !day_nulls[DAY_SCORECARD_ID];
		if (day_nulls[DAY_TERMS])
			day->terms = no_scorecard_terms;
		else
			scorecard_terms_deform(values[DAY_TERMS], &day->terms);
		if (i > 0 && day->day <= days->days[i - 1].day)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("argument \"%s\" must be in ascending order", "days")));
	}
}

/*
 * What a call is asked for: an array of days, or the terms for one day, which
 * the caller has from another argument; NULL: none.
 */
static ScoredDays *
scored_days(FunctionCallInfo fcinfo, int argument_number, bool is_array)
{
	ScoredDays *days = (ScoredDays *) fcinfo->flinfo->fn_extra;
	struct varlena *argument;
	struct varlena *image;
	MemoryContext old;

	if (days == NULL)
	{
		old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
		days = palloc0(sizeof(ScoredDays));
		days->result = result_row_lookup(fcinfo, FIGURES);
		days->context = AllocSetContextCreate(CurrentMemoryContext, "days of customers",
											  ALLOCSET_SMALL_SIZES);
		MemoryContextSwitchTo(old);
		fcinfo->flinfo->fn_extra = days;
	}
	if (PG_ARGISNULL(argument_number))
	{
		days->image = NULL;
		days->count = 1;
		days->days = MemoryContextAllocZero(days->context, sizeof(ScoredDay));
		days->days[0].terms = no_scorecard_terms;
		return days;
	}
	argument = PG_DETOAST_DATUM_PACKED(PG_GETARG_DATUM(argument_number));
	if (days->image != NULL &&
		VARSIZE_ANY_EXHDR(days->image) == VARSIZE_ANY_EXHDR(argument) &&
		memcmp(VARDATA_ANY(days->image), VARDATA_ANY(argument), VARSIZE_ANY_EXHDR(argument)) == 0)
		return days;

	days->image = NULL;			/* should the new argument be an error */
	MemoryContextReset(days->context);
	old = MemoryContextSwitchTo(days->context);
	image = PG_DETOAST_DATUM_COPY(PointerGetDatum(argument));
	if (is_array)
		deform_days(days, (ArrayType *) image);
	else
	{
		days->count = 1;
		days->days = palloc0(sizeof(ScoredDay));
		scorecard_terms_deform(PointerGetDatum(image), &days->days[0].terms);
	}
	days->image = image;
	MemoryContextSwitchTo(old);
	return days;
}

/* A tuplestore as the result of a function that is called for each customer. */
static Tuplestorestate *
materialize(FunctionCallInfo fcinfo)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext old;

	if (result == NULL || !IsA(result, ReturnSetInfo) ||
		(result->allowedModes & SFRM_Materialize) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("set-valued function called in context that cannot accept a set")));
	old = MemoryContextSwitchTo(result->econtext->ecxt_per_query_memory);
	result->returnMode = SFRM_Materialize;
	result->setResult = tuplestore_begin_heap((result->allowedModes & SFRM_Materialize_Random) != 0,
											  false, work_mem);
	MemoryContextSwitchTo(old);
	return result->setResult;
}

/* ---------- functions ---------- */

/*
 * customer_figures(purchases, margins, costs, complaints, satisfaction, listed,
 * as_of, terms): the row of a customer as of a day; none if the customer was not
 * known by then
 *
 * This is a set of at most one row, in a FROM clause: so a customer's histories
 * are read once, not once for every column.
 */
PG_FUNCTION_INFO_V1(segment_customer_figures);
Datum
segment_customer_figures(PG_FUNCTION_ARGS)
{
	Tuplestorestate *rows = materialize(fcinfo);
	ScoredDays *days;
	Customer	customer;
	DateADT		as_of;

	if (PG_ARGISNULL(6))
		return (Datum) 0;
	as_of = finite_date(PG_GETARG_DATEADT(6), "as_of");
	days = scored_days(fcinfo, 7, false);
	open_customer(&customer, fcinfo);
	if (customer_move(&customer, as_of, &days->days[0].terms))
	{
		derive_figures(customer.values, customer.nulls, as_of, &days->days[0].terms);
		tuplestore_putvalues(rows, days->result, customer.values, customer.nulls);
	}
	return (Datum) 0;
}

/*
 * customer_figures(orders, ..., next_event, as_of, terms): the same from figures
 * that were kept, which still hold on the day
 */
PG_FUNCTION_INFO_V1(segment_customer_figures_kept);
Datum
segment_customer_figures_kept(PG_FUNCTION_ARGS)
{
	const int	as_of_at = lengthof(kept_figures);
	Tuplestorestate *rows = materialize(fcinfo);
	ScoredDays *days;
	Datum		values[FIGURES];
	bool		nulls[FIGURES];

	if (PG_ARGISNULL(as_of_at))
		return (Datum) 0;
	days = scored_days(fcinfo, as_of_at + 1, false);
	memset(nulls, true, sizeof(nulls));
	for (int i = 0; i < lengthof(kept_figures); i++)
	{
		values[kept_figures[i]] = PG_GETARG_DATUM(i);
		nulls[kept_figures[i]] = PG_ARGISNULL(i);
	}

	/*
	 * counts and sums that are kept as 0 and were not known; a margin that
	 * was a share of sales
	 */
	if (nulls[FIGURE_MONETARY])
		nulls[FIGURE_NET] = nulls[FIGURE_PERIOD_NET] = true;
	if (days->days[0].terms.has_margin_rate)
		nulls[FIGURE_MARGIN] = nulls[FIGURE_PERIOD_MARGIN] = true;
	derive_figures(values, nulls, finite_date(PG_GETARG_DATEADT(as_of_at), "as_of"), &days->days[0].terms);
	tuplestore_putvalues(rows, days->result, values, nulls);
	return (Datum) 0;
}

/*
 * customer_days(purchases, margins, costs, complaints, satisfaction, listed,
 * days): the rows for each of the days by which the customer was known
 *
 * The same as customer_figures for each day, but each history is read once.
 * day_number is that of the day in the array, days_known the number of rows: once
 * known, a customer stays known, so these are the last days.
 *
 * Errors: 22004 a NULL among the days, 22023 days that are not in ascending
 * order, 22008 an infinite day, those of score and of the predictions.
 */
PG_FUNCTION_INFO_V1(segment_customer_days);
Datum
segment_customer_days(PG_FUNCTION_ARGS)
{
	Tuplestorestate *rows = materialize(fcinfo);
	ScoredDays *days;
	Customer	customer;
	int			days_known = 0;

	if (PG_ARGISNULL(6))
		return (Datum) 0;
	days = scored_days(fcinfo, 6, true);
	open_customer(&customer, fcinfo);
	for (int i = 0; i < days->count; i++)
	{
		const ScoredDay *day = &days->days[i];
		Datum		values[FIGURES];
		bool		nulls[FIGURES];

		CHECK_FOR_INTERRUPTS();
		if (!customer_move(&customer, day->day, &day->terms))
			continue;
		if (days_known == 0)
			days_known = days->count - i;
		memcpy(values, customer.values, sizeof(values));
		memcpy(nulls, customer.nulls, sizeof(nulls));
		derive_figures(values, nulls, day->day, &day->terms);
		values[FIGURE_DAY_NUMBER] = Int32GetDatum(i + 1);
		values[FIGURE_DAYS_KNOWN] = Int32GetDatum(days_known);
		values[FIGURE_SCORECARD_ID] = day->scorecard_id;
		nulls[FIGURE_DAY_NUMBER] = nulls[FIGURE_DAYS_KNOWN] = false;
		nulls[FIGURE_SCORECARD_ID] = !day->has_scorecard_id;
		tuplestore_putvalues(rows, days->result, values, nulls);
	}
	return (Datum) 0;
}

/* ---------- subqueries in one piece ---------- */

/*
 * one_row(): true.  To SQL this is a set: a subquery that calls it is kept in
 * one piece.
 */
PG_FUNCTION_INFO_V1(segment_one_row);
Datum
segment_one_row(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(true);
}
