/*-------------------------------------------------------------------------
 *
 * customer.c
 *		The figures of a customer as of a day, or of many days: all that the
 *		view customer takes from the histories, in one pass over each.
 *
 * This is the only place that says what a customer's margin, cost or gap ratio
 * is, and from when on a customer is known.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

#include "base/arguments.h"
#include "base/result_row.h"
#include "portfolio/customer.h"
#include "statistics/score.h"
#include "types/history.h"
#include "types/history_totals.h"

/*
 * Columns of the type segment_internal.customer_figures.  Those that are read most come
 * first, where they are found fastest.
 */
enum
{
	/* of the day */
	FIGURE_PLACE,				/* number of the day among those asked for */
	FIGURE_PLACES,				/* number of days by which the customer was
								 * known */
	FIGURE_R_SCORE,
	FIGURE_F_SCORE,
	FIGURE_M_SCORE,
	FIGURE_GAP_RATIO,
	FIGURE_DAYS_SINCE_LAST,
	FIGURE_TENURE_DAYS,

	/* of the histories up to the day */
	FIGURE_ORDERS,
	FIGURE_PURCHASE_DAYS,
	FIGURE_VISITS,				/* purchase days but for those cancelled at
								 * once */
	FIGURE_FIRST_DAY,
	FIGURE_LAST_DAY,
	FIGURE_MEAN_GAP_DAYS,
	FIGURE_GAP_CV,
	FIGURE_MONETARY,
	FIGURE_REPEAT_SPEND,
	FIGURE_NEXT_EVENT,			/* first day after it on which they say more */
	FIGURE_GROSS,
	FIGURE_REFUNDED,
	FIGURE_NET,
	FIGURE_USAGE,				/* gross but for what was cancelled at once */
	FIGURE_MARGIN,
	FIGURE_COST,
	FIGURES
};

/* What a scorecard says that customers are scored by. */
typedef struct Scoring
{
	struct varlena *cuts[3];	/* of recency, frequency, monetary: detoasted
								 * float8[]; or NULL */
	bool		has_gap;		/* are the next two known? */
	double		prior_gaps;
	double		usual_gap;
} Scoring;

/* A customer's histories on the way through the days, and the figures so far. */
typedef struct Customer
{
	HistoryRun	purchases;
	HistoryRun	margins;
	HistoryRun	costs;
	const struct varlena *margin_history;	/* NULL: the purchases have none */
	int128		first_margin;	/* of the first purchase day and all before it */
	bool		first_margin_known;
	bool		listed;
	int64		first_contact;	/* day of the first complaint or satisfaction
								 * score */
	Datum		values[FIGURES];
	bool		nulls[FIGURES];
} Customer;

/* ---------- the histories ---------- */

/* A history that is an argument; NULL if it is. */
static const struct varlena *
optional_history(FunctionCallInfo fcinfo, int argument)
{
	return PG_ARGISNULL(argument) ? NULL : history_argument(PG_GETARG_DATUM(argument));
}

/* The first day of a history; far in the future without one. */
static int64
first_event(FunctionCallInfo fcinfo, int argument)
{
	const struct varlena *history = optional_history(fcinfo, argument);
	HistoryReader reader;
	HistoryDay	day;

	if (history == NULL)
		return PG_INT64_MAX;
	history_open(&reader, history);
	return history_next(&reader, &day) ? day.day : PG_INT64_MAX;
}

/* Begin with arguments 0 to 5: purchases, margins, costs, complaints, satisfaction, listed. */
static void
customer_open(Customer *customer, FunctionCallInfo fcinfo)
{
	history_run_start(&customer->purchases, optional_history(fcinfo, 0));
	customer->margin_history = optional_history(fcinfo, 1);
	history_run_start(&customer->margins, customer->margin_history);
	history_run_start(&customer->costs, optional_history(fcinfo, 2));
	customer->first_contact = Min(first_event(fcinfo, 3), first_event(fcinfo, 4));
	customer->listed = !PG_ARGISNULL(5) && PG_GETARG_BOOL(5);
	customer->first_margin_known = false;
	memset(customer->nulls, true, sizeof(customer->nulls));
}

static inline int128
net_of(const HistoryTotals *totals)
{
	return totals->gross - totals->refunded;
}

static inline void
set_amount(Customer *customer, int figure, const HistoryTotals *totals, int128 amount)
{
	customer->values[figure] = NumericGetDatum(history_amount(totals, amount));
	customer->nulls[figure] = false;
}

/*
 * What a repeat purchase day brings, never below 0: contribution where the
 * purchases have margins, else sales.
 */
static double
repeat_spend(Customer *customer)
{
	const HistoryTotals *purchases = &customer->purchases.totals;
	const HistoryTotals *margins = &customer->margins.totals;
	Numeric		margin;
	double		spend;

	if (customer->margin_history == NULL || purchases->purchase_days < 2)
		return history_mean_repeat_spend(purchases);
	if (!customer->first_margin_known)
	{
		HistoryTotals first;

		history_total_up_to(customer->margin_history, purchases->first_day, &first);
		customer->first_margin = net_of(&first);
		customer->first_margin_known = true;
	}
	margin = history_amount(margins, net_of(margins) - customer->first_margin);
	spend = DatumGetFloat8(DirectFunctionCall1(numeric_float8, NumericGetDatum(margin))) /
		(purchases->purchase_days - 1);
	return Max(spend, 0);
}

/* The figures that come from the purchases alone, and change only with them. */
static void
set_purchases(Customer *customer)
{
	const HistoryTotals *totals = &customer->purchases.totals;
	Datum	   *values = customer->values;
	bool	   *nulls = customer->nulls;

	values[FIGURE_ORDERS] = Int64GetDatum(totals->orders);
	values[FIGURE_PURCHASE_DAYS] = Int64GetDatum(totals->purchase_days);
	values[FIGURE_VISITS] = Int64GetDatum(totals->visits);
	nulls[FIGURE_ORDERS] = nulls[FIGURE_PURCHASE_DAYS] = nulls[FIGURE_VISITS] = false;
	values[FIGURE_FIRST_DAY] = DateADTGetDatum(totals->first_day);
	values[FIGURE_LAST_DAY] = DateADTGetDatum(totals->last_day);
	nulls[FIGURE_FIRST_DAY] = nulls[FIGURE_LAST_DAY] = totals->purchase_days == 0;
	nulls[FIGURE_MEAN_GAP_DAYS] = totals->purchase_days < 2;
	if (!nulls[FIGURE_MEAN_GAP_DAYS])
		values[FIGURE_MEAN_GAP_DAYS] = Float8GetDatum(history_mean_gap(totals));
	nulls[FIGURE_GAP_CV] = totals->purchase_days < 3;
	if (!nulls[FIGURE_GAP_CV])
		values[FIGURE_GAP_CV] = Float8GetDatum(history_gap_variation(totals));
	values[FIGURE_MONETARY] = Float8GetDatum(history_monetary(totals));
	nulls[FIGURE_MONETARY] = false;
	set_amount(customer, FIGURE_GROSS, totals, totals->gross);
	set_amount(customer, FIGURE_REFUNDED, totals, totals->refunded);
	set_amount(customer, FIGURE_NET, totals, net_of(totals));
	set_amount(customer, FIGURE_USAGE, totals, totals->gross - totals->cancelled);
}

/* The day of the first event that is not counted yet, of those that change figures. */
static void
set_next_event(Customer *customer)
{
	const HistoryRun *runs[] = {&customer->purchases, &customer->margins, &customer->costs};
	int64		next = PG_INT64_MAX;

	for (int i = 0; i < lengthof(runs); i++)
		if (runs[i]->more)
			next = Min(next, runs[i]->next.day);
	customer->nulls[FIGURE_NEXT_EVENT] = next == PG_INT64_MAX;
	if (next != PG_INT64_MAX)
		customer->values[FIGURE_NEXT_EVENT] = DateADTGetDatum((DateADT) next);
}

/*
 * customer_move: on to a day, which is later than that of the last call
 *
 * Returns whether the customer was known by then: listed, or something has
 * happened.  Only what has changed since the last day is computed again.
 */
static bool
customer_move(Customer *customer, DateADT day)
{
	bool		bought = history_run_to(&customer->purchases, day);
	bool		earned = history_run_to(&customer->margins, day);

	if (bought)
		set_purchases(customer);
	if (earned)
		set_amount(customer, FIGURE_MARGIN, &customer->margins.totals,
				   net_of(&customer->margins.totals));
	if (history_run_to(&customer->costs, day))
		set_amount(customer, FIGURE_COST, &customer->costs.totals,
				   net_of(&customer->costs.totals));
	if ((bought || earned) && customer->purchases.totals.purchase_days > 0)
	{
		customer->values[FIGURE_REPEAT_SPEND] = Float8GetDatum(repeat_spend(customer));
		customer->nulls[FIGURE_REPEAT_SPEND] = false;
	}
	set_next_event(customer);
	return customer->listed || !customer->nulls[FIGURE_ORDERS] ||
		!customer->nulls[FIGURE_COST] || customer->first_contact <= day;
}

/*
 * The figures that change from day to day, from those that do not.  NULL without
 * an order; scores and gap ratio also without cut points or gap.  Errors: those
 * of score.
 */
static void
set_scores(Datum *values, bool *nulls, DateADT as_of, const Scoring *scoring)
{
	DateADT		first_day = DatumGetDateADT(values[FIGURE_FIRST_DAY]);
	DateADT		last_day = DatumGetDateADT(values[FIGURE_LAST_DAY]);
	int64		days = (int64) as_of - last_day;
	double		scored[3];

	if (nulls[FIGURE_LAST_DAY])
		return;					/* nor was there an order on an earlier day */
	scored[0] = -(double) days;
	scored[1] = (double) DatumGetInt64(values[FIGURE_ORDERS]);
	scored[2] = DatumGetFloat8(values[FIGURE_MONETARY]);
	for (int i = 0; i < 3; i++)
	{
		nulls[FIGURE_R_SCORE + i] = scoring->cuts[i] == NULL;
		if (scoring->cuts[i] != NULL)
			values[FIGURE_R_SCORE + i] = Int32GetDatum(score_of(scored[i], scoring->cuts[i]));
	}
	nulls[FIGURE_GAP_RATIO] = !scoring->has_gap;
	if (scoring->has_gap)
		values[FIGURE_GAP_RATIO] =
			Float8GetDatum(customer_gap_ratio(days, (int64) last_day - first_day,
											  DatumGetInt64(values[FIGURE_PURCHASE_DAYS]),
											  scoring->prior_gaps, scoring->usual_gap));
	values[FIGURE_DAYS_SINCE_LAST] = Int32GetDatum(as_of - last_day);
	values[FIGURE_TENURE_DAYS] = Int32GetDatum(as_of - first_day);
	nulls[FIGURE_DAYS_SINCE_LAST] = nulls[FIGURE_TENURE_DAYS] = false;
}

/*
 * Five arguments from a number on: cut points of recency, frequency and monetary
 * value, prior gaps and usual gap.  Cut points are for buyers only.
 */
static Scoring
scoring_argument(FunctionCallInfo fcinfo, int first, bool buyer)
{
	Scoring		scoring = {0};

	for (int i = 0; i < 3 && buyer; i++)
		if (!PG_ARGISNULL(first + i))
			scoring.cuts[i] = PG_DETOAST_DATUM_PACKED(PG_GETARG_DATUM(first + i));
	scoring.has_gap = !PG_ARGISNULL(first + 3) && !PG_ARGISNULL(first + 4);
	if (scoring.has_gap)
	{
		scoring.prior_gaps = PG_GETARG_FLOAT8(first + 3);
		scoring.usual_gap = PG_GETARG_FLOAT8(first + 4);
	}
	return scoring;
}

static void
set_place(Customer *customer, int place, int places)
{
	customer->values[FIGURE_PLACE] = Int32GetDatum(place);
	customer->values[FIGURE_PLACES] = Int32GetDatum(places);
	customer->nulls[FIGURE_PLACE] = customer->nulls[FIGURE_PLACES] = false;
}

/* ---------- one day ---------- */

/*
 * customer_figures(purchases, margins, costs, complaints, satisfaction, listed,
 * as_of, recency_cuts, frequency_cuts, monetary_cuts, prior_gaps, usual_gap):
 * the figures of a customer as of a day; no row if the customer was not known
 *
 * To SQL this is a set of at most one row: so the planner keeps the subquery
 * that calls it in one piece, and a customer's histories are read once, not
 * once for every column that is taken out of the result.
 */
PG_FUNCTION_INFO_V1(segment_customer_figures);
Datum
segment_customer_figures(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Scoring		scoring;
	Customer	customer;
	DateADT		as_of;

	if (result == NULL || !IsA(result, ReturnSetInfo))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("set-valued function called in context that cannot accept a set")));
	if (!PG_ARGISNULL(6))
	{
		as_of = finite_date(PG_GETARG_DATEADT(6), "as_of");
		customer_open(&customer, fcinfo);
	}
	if (PG_ARGISNULL(6) || !customer_move(&customer, as_of))
	{
		result->isDone = ExprEndResult;
		PG_RETURN_NULL();
	}
	scoring = scoring_argument(fcinfo, 7, !customer.nulls[FIGURE_LAST_DAY]);
	set_scores(customer.values, customer.nulls, as_of, &scoring);
	set_place(&customer, 1, 1);
	PG_RETURN_DATUM(row_form(result_row(fcinfo, FIGURES), customer.values, customer.nulls));
}

/*
 * customer_figures(orders, ..., cost, as_of, recency_cuts, ..., usual_gap): the
 * same from figures that were kept, which still hold on the day
 *
 * The figures are the first arguments, in the order of the type, from orders on.  NULL is what is not known, as there.
 */
PG_FUNCTION_INFO_V1(segment_customer_figures_kept);
Datum
segment_customer_figures_kept(PG_FUNCTION_ARGS)
{
	const int	kept = FIGURES - FIGURE_ORDERS;
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Datum		values[FIGURES] = {0};
	bool		nulls[FIGURES];
	DateADT		as_of;
	Scoring		scoring;

	if (result == NULL || !IsA(result, ReturnSetInfo))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("set-valued function called in context that cannot accept a set")));
	if (PG_ARGISNULL(kept))
	{
		result->isDone = ExprEndResult;
		PG_RETURN_NULL();
	}
	as_of = finite_date(PG_GETARG_DATEADT(kept), "as_of");
	memset(nulls, true, sizeof(nulls));
	for (int i = FIGURE_ORDERS; i < FIGURES; i++)
	{
		nulls[i] = PG_ARGISNULL(i - FIGURE_ORDERS);
		if (!nulls[i])
			values[i] = PG_GETARG_DATUM(i - FIGURE_ORDERS);
	}
	scoring = scoring_argument(fcinfo, kept + 1, !nulls[FIGURE_LAST_DAY]);
	set_scores(values, nulls, as_of, &scoring);
	PG_RETURN_DATUM(row_form(result_row(fcinfo, FIGURES), values, nulls));
}

/*
 * one_row(): true.  To SQL this is a set, too: a subquery that calls it is kept
 * in one piece as well.
 */
PG_FUNCTION_INFO_V1(segment_one_row);
Datum
segment_one_row(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(true);
}

/* ---------- many days ---------- */

/* Columns of the type segment_internal.judged_day. */
enum
{
	DAY_DAY,
	DAY_SCORECARD,
	DAY_CUTS,					/* three of them */
	DAY_PRIOR_GAPS = DAY_CUTS + 3,
	DAY_USUAL_GAP,
	DAY_COLUMNS
};

typedef struct ScoredDay
{
	DateADT		day;
	Scoring		scoring;
} ScoredDay;

/* The argument "days" of the last call, deformed; it is hardly ever another. */
typedef struct ScoredDays
{
	MemoryContext context;		/* of what belongs to this argument */
	struct varlena *image;
	int			count;
	ScoredDay  *days;
	TupleDesc	result;
} ScoredDays;

static void
deform_day(Datum row, TupleDesc tupdesc, ScoredDay *day)
{
	Datum		values[DAY_COLUMNS];
	bool		nulls[DAY_COLUMNS];

	row_deform(row, tupdesc, values, nulls);
	if (nulls[DAY_DAY])
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not contain nulls", "days")));
	day->day = finite_date(DatumGetDateADT(values[DAY_DAY]), "days");
	for (int i = 0; i < 3; i++)
		if (!nulls[DAY_CUTS + i])
			day->scoring.cuts[i] = PG_DETOAST_DATUM_COPY(values[DAY_CUTS + i]);
	day->scoring.has_gap = !nulls[DAY_PRIOR_GAPS] && !nulls[DAY_USUAL_GAP];
	if (day->scoring.has_gap)
	{
		day->scoring.prior_gaps = DatumGetFloat8(values[DAY_PRIOR_GAPS]);
		day->scoring.usual_gap = DatumGetFloat8(values[DAY_USUAL_GAP]);
	}
}

static void
deform_days(ScoredDays *days, const struct varlena *argument)
{
	ArrayType  *array;
	TupleDesc	tupdesc;
	Datum	   *rows;
	bool	   *nulls;

	days->image = PG_DETOAST_DATUM_COPY(PointerGetDatum(argument));
	array = (ArrayType *) days->image;
	deconstruct_array(array, ARR_ELEMTYPE(array), -1, false, TYPALIGN_DOUBLE,
					  &rows, &nulls, &days->count);
	if (days->count == 0)
		return;
	tupdesc = row_type_lookup(ARR_ELEMTYPE(array), DAY_COLUMNS);
	days->days = palloc0(days->count * sizeof(ScoredDay));
	for (int i = 0; i < days->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("argument \"%s\" must not contain nulls", "days")));
		deform_day(rows[i], tupdesc, &days->days[i]);
		if (i > 0 && days->days[i].day <= days->days[i - 1].day)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("argument \"%s\" must be in ascending order", "days")));
	}
}

static ScoredDays *
scored_days(FunctionCallInfo fcinfo, int argument_number)
{
	ScoredDays *days = (ScoredDays *) fcinfo->flinfo->fn_extra;
	struct varlena *argument = PG_DETOAST_DATUM_PACKED(PG_GETARG_DATUM(argument_number));
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
	if (days->image != NULL &&
		VARSIZE_ANY_EXHDR(days->image) == VARSIZE_ANY_EXHDR(argument) &&
		memcmp(VARDATA_ANY(days->image), VARDATA_ANY(argument), VARSIZE_ANY_EXHDR(argument)) == 0)
		return days;

	days->image = NULL;			/* should the new argument be an error */
	MemoryContextReset(days->context);
	old = MemoryContextSwitchTo(days->context);
	deform_days(days, argument);
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

/*
 * customer_days(purchases, margins, costs, complaints, satisfaction, listed,
 * days): the figures for each of the days by which the customer was known
 *
 * The same as customer_figures for each day, but each history is read once.
 * place is the number of the day in the array, places the number of rows: once
 * known, a customer stays known, so these are the last days.
 *
 * Errors: 22004 a NULL among the days, 22023 days that are not in ascending
 * order, 22008 an infinite day, those of score.
 */
PG_FUNCTION_INFO_V1(segment_customer_days);
Datum
segment_customer_days(PG_FUNCTION_ARGS)
{
	Tuplestorestate *rows = materialize(fcinfo);
	ScoredDays *days;
	Customer	customer;
	int			places = 0;

	if (PG_ARGISNULL(6))
		return (Datum) 0;
	days = scored_days(fcinfo, 6);
	customer_open(&customer, fcinfo);
	for (int i = 0; i < days->count; i++)
	{
		const ScoredDay *day = &days->days[i];

		CHECK_FOR_INTERRUPTS();
		if (!customer_move(&customer, day->day))
			continue;
		if (places == 0)
			places = days->count - i;
		set_place(&customer, i + 1, places);
		set_scores(customer.values, customer.nulls, day->day, &day->scoring);
		tuplestore_putvalues(rows, days->result, customer.values, customer.nulls);
	}
	return (Datum) 0;
}
