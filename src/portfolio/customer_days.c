/*-------------------------------------------------------------------------
 *
 * customer_days.c
 *		What the view customer needs of a customer's histories, for many days
 *		in one pass.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"
#include "utils/typcache.h"

#include "portfolio/customer.h"
#include "types/history.h"
#include "base/arguments.h"

/* Columns of the type segment.judged_day. */
enum
{
	DAY_DAY,
	DAY_SCORECARD,
	DAY_CUTS,					/* three of them */
	DAY_PRIOR_GAPS = DAY_CUTS + 3,
	DAY_USUAL_GAP,
	DAY_COLUMNS
};

/* Columns of the type segment.customer_day. */
enum
{
	COLUMN_PLACE,
	COLUMN_PLACES,
	COLUMN_JUDGED,
	COLUMN_MEASURES = COLUMN_JUDGED + CUSTOMER_JUDGED,
	COLUMN_REPEAT_SPEND = COLUMN_MEASURES + CUSTOMER_MEASURES,
	COLUMN_AMOUNTS,
	COLUMN_MARGIN = COLUMN_AMOUNTS + CUSTOMER_AMOUNTS,
	COLUMN_COST,
	COLUMNS
};

typedef struct JudgedDay
{
	DateADT		day;
	CustomerYardstick yardstick;
} JudgedDay;

/* The argument "days" of the last call, taken apart; it is hardly ever another. */
typedef struct JudgedDays
{
	MemoryContext context;		/* of what belongs to this argument */
	struct varlena *image;
	int			count;
	JudgedDay  *days;
	TupleDesc	result;
} JudgedDays;

/* ---------- the days ---------- */

static void
take_day_apart(HeapTupleHeader row, TupleDesc tupdesc, JudgedDay *day)
{
	HeapTupleData tuple;
	Datum		values[DAY_COLUMNS];
	bool		nulls[DAY_COLUMNS];

	tuple.t_len = HeapTupleHeaderGetDatumLength(row);
	ItemPointerSetInvalid(&tuple.t_self);
	tuple.t_tableOid = InvalidOid;
	tuple.t_data = row;
	heap_deform_tuple(&tuple, tupdesc, values, nulls);

	if (nulls[DAY_DAY])
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not contain nulls", "days")));
	day->day = finite_date(DatumGetDateADT(values[DAY_DAY]), "days");
	for (int i = 0; i < 3; i++)
		if (!nulls[DAY_CUTS + i])
			day->yardstick.cuts[i] = PG_DETOAST_DATUM_COPY(values[DAY_CUTS + i]);
	day->yardstick.has_gap = !nulls[DAY_PRIOR_GAPS] && !nulls[DAY_USUAL_GAP];
	if (day->yardstick.has_gap)
	{
		day->yardstick.prior_gaps = DatumGetFloat8(values[DAY_PRIOR_GAPS]);
		day->yardstick.usual_gap = DatumGetFloat8(values[DAY_USUAL_GAP]);
	}
}

static void
take_days_apart(JudgedDays *days, struct varlena *argument)
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
	tupdesc = lookup_rowtype_tupdesc_copy(ARR_ELEMTYPE(array), -1);
	days->days = palloc0(days->count * sizeof(JudgedDay));
	for (int i = 0; i < days->count; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("argument \"%s\" must not contain nulls", "days")));
		take_day_apart(DatumGetHeapTupleHeader(rows[i]), tupdesc, &days->days[i]);
		if (i > 0 && days->days[i].day <= days->days[i - 1].day)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("argument \"%s\" must ascend", "days")));
	}
}

static JudgedDays *
judged_days(FunctionCallInfo fcinfo, int argument_number)
{
	JudgedDays *days = (JudgedDays *) fcinfo->flinfo->fn_extra;
	struct varlena *argument = PG_DETOAST_DATUM_PACKED(PG_GETARG_DATUM(argument_number));
	MemoryContext old;

	if (days == NULL)
	{
		old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
		days = palloc0(sizeof(JudgedDays));
		if (get_call_result_type(fcinfo, NULL, &days->result) != TYPEFUNC_COMPOSITE)
			elog(ERROR, "return type must be a row type");
		days->result = BlessTupleDesc(days->result);
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
	take_days_apart(days, argument);
	MemoryContextSwitchTo(old);
	return days;
}

/* ---------- the customer ---------- */

/* A customer's histories on the way through the days. */
typedef struct CustomerRun
{
	HistoryRun	purchases;
	HistoryRun	margins;
	HistoryRun	costs;
	bool		has_purchases;
	bool		has_margins;
	bool		has_costs;
	int64		heard_of;		/* first day on which others say something */
	int128		first_margin;	/* up to the first purchase day */
	bool		first_margin_known;
} CustomerRun;

static bool
start_run(FunctionCallInfo fcinfo, int argument_number, HistoryRun *run)
{
	if (PG_ARGISNULL(argument_number))
		return false;
	history_run_start(run, history_argument(PG_GETARG_DATUM(argument_number)));
	return true;
}

/* The first day of a history; far in the future without one. */
static int64
first_event(FunctionCallInfo fcinfo, int argument_number)
{
	HistoryReader reader;
	HistoryDay	day;

	if (PG_ARGISNULL(argument_number))
		return PG_INT64_MAX;
	history_open(&reader, history_argument(PG_GETARG_DATUM(argument_number)));
	return history_next(&reader, &day) ? day.day : PG_INT64_MAX;
}

/*
 * Contribution of a repeat purchase day where the source has margins, else its
 * sales: the same numbers as portfolio_known_customers in sql/portfolio/customer.sql.
 */
static double
repeat_spend(FunctionCallInfo fcinfo, CustomerRun *run)
{
	const HistoryTotals *purchases = &run->purchases.totals;
	const HistoryTotals *margins = &run->margins.totals;
	Numeric		margin;
	double		spend;

	if (!run->has_margins || purchases->purchase_days < 2)
		return history_mean_repeat_spend(purchases);
	if (!run->first_margin_known)
	{
		HistoryTotals first;

		history_total_up_to(history_argument(PG_GETARG_DATUM(1)), purchases->first_day, &first);
		run->first_margin = first.gross - first.refunded;
		run->first_margin_known = true;
	}
	margin = history_amount(margins, margins->gross - margins->refunded - run->first_margin);
	spend = DatumGetFloat8(DirectFunctionCall1(numeric_float8, NumericGetDatum(margin))) /
		(purchases->purchase_days - 1);
	return spend > 0 ? spend : 0;
}

/* Whether anything was known of the customer by a day; moves on to it. */
static bool
known_by(FunctionCallInfo fcinfo, CustomerRun *run, DateADT day, bool listed,
		 Datum *values, bool *nulls)
{
	bool		bought = run->has_purchases && history_run_to(&run->purchases, day);
	bool		earned = run->has_margins && history_run_to(&run->margins, day);
	bool		spent = run->has_costs && history_run_to(&run->costs, day);

	if (bought)
	{
		customer_set_measures(&run->purchases.totals, values + COLUMN_MEASURES,
							  nulls + COLUMN_MEASURES);
		customer_set_amounts(&run->purchases.totals, values + COLUMN_AMOUNTS);
	}
	if (earned)
		values[COLUMN_MARGIN] = NumericGetDatum(history_amount(&run->margins.totals,
															   run->margins.totals.gross - run->margins.totals.refunded));
	if (spent)
		values[COLUMN_COST] = NumericGetDatum(history_amount(&run->costs.totals,
															 run->costs.totals.gross - run->costs.totals.refunded));
	for (int i = 0; i < CUSTOMER_AMOUNTS; i++)
		nulls[COLUMN_AMOUNTS + i] &= !bought;
	nulls[COLUMN_MARGIN] &= !earned;
	nulls[COLUMN_COST] &= !spent;
	if ((bought || earned) && run->purchases.totals.purchase_days > 0)
	{
		values[COLUMN_REPEAT_SPEND] = Float8GetDatum(repeat_spend(fcinfo, run));
		nulls[COLUMN_REPEAT_SPEND] = false;
	}
	return listed || !nulls[COLUMN_AMOUNTS] || !nulls[COLUMN_COST] || run->heard_of <= day;
}

/*
 * customer_days(purchases, margins, costs, complaints, satisfaction, listed,
 * days): a row for each of the days on which the customer was known
 *
 * The same figures as customer_figures for each day, but each history is read
 * once.  place is the day's place in the array, places the number of rows:
 * once known, a customer stays known, so these are the last places.
 *
 * Errors: 22004 a NULL among the days, 22023 days that do not ascend, 22008 an
 * infinite day, those of score.
 */
PG_FUNCTION_INFO_V1(customer_days);
Datum
customer_days(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext old;
	JudgedDays *days;
	CustomerRun run = {0};
	Tuplestorestate *rows;
	Datum		values[COLUMNS] = {0};
	bool		nulls[COLUMNS];
	int			places = 0;
	bool		listed = !PG_ARGISNULL(5) && PG_GETARG_BOOL(5);

	if (result == NULL || !IsA(result, ReturnSetInfo) ||
		(result->allowedModes & SFRM_Materialize) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("set-valued function called in context that cannot accept a set")));

	old = MemoryContextSwitchTo(result->econtext->ecxt_per_query_memory);
	rows = tuplestore_begin_heap((result->allowedModes & SFRM_Materialize_Random) != 0,
								 false, work_mem);
	MemoryContextSwitchTo(old);
	result->returnMode = SFRM_Materialize;
	result->setResult = rows;
	if (PG_ARGISNULL(6))
		return (Datum) 0;
	days = judged_days(fcinfo, 6);

	run.has_purchases = start_run(fcinfo, 0, &run.purchases);
	run.has_margins = start_run(fcinfo, 1, &run.margins);
	run.has_costs = start_run(fcinfo, 2, &run.costs);
	run.heard_of = Min(first_event(fcinfo, 3), first_event(fcinfo, 4));
	memset(nulls, true, sizeof(nulls));
	nulls[COLUMN_PLACE] = nulls[COLUMN_PLACES] = false;

	for (int i = 0; i < days->count; i++)
	{
		const JudgedDay *day = &days->days[i];

		if (!known_by(fcinfo, &run, day->day, listed, values, nulls))
			continue;
		if (places == 0)
			places = days->count - i;
		values[COLUMN_PLACE] = Int32GetDatum(i + 1);
		values[COLUMN_PLACES] = Int32GetDatum(places);
		if (run.purchases.totals.any)
			customer_set_judged(&run.purchases.totals, day->day, &day->yardstick,
								values + COLUMN_JUDGED, nulls + COLUMN_JUDGED);
		tuplestore_putvalues(rows, days->result, values, nulls);
		if ((i & 0xFF) == 0xFF)
			CHECK_FOR_INTERRUPTS();
	}
	return (Datum) 0;
}
