/*-------------------------------------------------------------------------
 *
 * portfolio.c
 *		Runs the work on a portfolio in its owner's name.
 *
 * A portfolio's source queries, and the rules of its classes, were written by
 * its owner, so they must run with the owner's rights, also when somebody with
 * more rights calls: a superuser, or a job that refreshes everything.  SET ROLE
 * is not a protection, since a function in the query can take it back.  As REFRESH
 * MATERIALIZED VIEW does, the user is switched where SQL cannot undo it, nothing may be left behind that would run later with the
 * caller's rights (temporary objects, deferred triggers, prepared statements),
 * and settings that the query changes are put back.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/tuplestore.h"

/*
 * The only things that can be run, each as (portfolio text, arguments jsonb).
 */
typedef struct Task
{
	const char *name;
	const char *statement;
	const char *label;			/* what it is called where nothing can be
								 * written; NULL: it only reads */
	bool		creates;		/* there is no portfolio yet */
	bool		typed;			/* its rows are of the type that is asked for,
								 * which %s in the statement names */
} Task;

static const Task tasks[] = {
	{"create", "SELECT segment_internal.portfolio_create($1, $2)", "the creation of a portfolio", true},
	{"refresh", "SELECT segment_internal.portfolio_refresh($1, $2)", "the refresh of a portfolio"},
	{"alter", "SELECT segment_internal.portfolio_alter($1, $2)", "a change of a portfolio"},
	{"scheme", "SELECT segment_internal.scheme_change($1, $2)", "a change of a portfolio's schemes"},
	{"trait", "SELECT segment_internal.trait_change($1, $2)", "a change of a portfolio's schemes"},
	{"cluster", "SELECT segment_internal.cluster_change($1, $2)", "a change of a portfolio's schemes"},
	{"scheme_check", "SELECT segment_internal.scheme_proof($1, $2)"},
	{"key_account", "SELECT segment_internal.key_account_change($1, $2)", "a change of a portfolio's key accounts"},
	{"snapshot", "SELECT segment_internal.snapshot_take($1, $2)", "a snapshot of a portfolio"},
	{"watch", "SELECT segment_internal.watch_change($1, $2)", "a change of a portfolio's watched tables"},
	{"explain", "SELECT segment_internal.explain_classes($1, $2)"},
	{"crosstab", "SELECT segment_internal.crosstab_cells($1, $2)"},
	{"chart", "SELECT segment_internal.chart_draw($1, $2)"},
	{"report", "SELECT segment_internal.report_write($1, $2)"},
	{"drivers", "SELECT segment_internal.portfolio_drivers($1, $2)"},
	{"experiment", "SELECT segment_internal.experiment_readings($1, $2)"},
	{"value_score", "SELECT segment_internal.value_scores($1, $2)"},
	{"backtest", "SELECT segment_internal.backtest_measures($1, $2)"},
	{"backtest_deciles", "SELECT segment_internal.backtest_tenths($1, $2)"},
	{"now", "SELECT segment_internal.customer_now_histories($1, $2, NULL::%s)", NULL, false, true},
};

/*
 * Settings that decide what SQL text means, or how values become text, and are
 * the same for every portfolio: what the owner's queries and rules give must not
 * depend on who calls.  Those that a portfolio brings itself (its time zone, how
 * it reads dates) come from portfolio_session.
 *
 * session_replication_role is a superuser's; we set it to the usual value,
 * without which no foreign key deletes what belongs to a deleted row.
 */
static const struct
{
	const char *name;
	const char *value;
	GucContext	context;
}			fixed_settings[] = {
	{"array_nulls", "on", PGC_USERSET},
	{"bytea_output", "hex", PGC_USERSET},
	{"extra_float_digits", "1", PGC_USERSET},
	{"IntervalStyle", "postgres", PGC_USERSET},
	{"quote_all_identifiers", "off", PGC_USERSET},
	{"session_replication_role", "origin", PGC_SUSET},
	{"standard_conforming_strings", "on", PGC_USERSET},
	{"transform_null_equals", "off", PGC_USERSET},
	{"xmlbinary", "base64", PGC_USERSET},
	{"xmloption", "content", PGC_USERSET},
};

static const Task *
find_task(const char *name)
{
	for (int i = 0; i < lengthof(tasks); i++)
		if (strcmp(tasks[i].name, name) == 0)
			return &tasks[i];
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("task of a portfolio not recognized: \"%s\"", name)));
	return NULL;				/* not reached */
}

/*
 * Runs a query with the parameters (portfolio text, arguments jsonb); its rows
 * are then in SPI_tuptable.  What only reads does so in the snapshot of the
 * query that calls.
 */
static void
run_query(const char *statement, const Task *task, Datum *values, const char *nulls)
{
	Oid			types[2] = {TEXTOID, JSONBOID};

	if (SPI_execute_with_args(statement, 2, types, values, nulls, task->label == NULL, 0) != SPI_OK_SELECT)
		elog(ERROR, "query of a portfolio returned no rows: %s", statement);
}

/*
 * In whose name the task is run: the portfolio's owner.  Refuses a portfolio
 * that does not exist, and a caller without the owner's rights; a task that only
 * reads is run for whoever may read all views.
 */
static Oid
portfolio_owner(const Task *task, Datum *values, const char *nulls)
{
	bool		isnull;

	if (task->creates)
		return GetUserId();
	run_query(task->label == NULL ? "SELECT segment_internal.portfolio_reader($1)"
			  : "SELECT segment_internal.portfolio_owner($1)", task, values, nulls);
	return get_role_oid(TextDatumGetCString(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull)),
						false);
}

/* A setting for as long as the GUC nest level lasts, also in a parallel operation. */
static void
fix_setting(const char *name, const char *value, GucContext context)
{
	(void) set_config_option(name, value, context, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

/* Fixes all settings on which the result of a task may depend. */
static void
fix_settings(const Task *task, Datum *values, const char *nulls)
{
	for (int i = 0; i < lengthof(fixed_settings); i++)
		fix_setting(fixed_settings[i].name, fixed_settings[i].value, fixed_settings[i].context);
	run_query("SELECT s.name, s.setting FROM segment_internal.portfolio_session($1, $2) AS s", task, values, nulls);
	for (uint64 i = 0; i < SPI_processed; i++)
		fix_setting(SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1),
					SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 2),
					PGC_USERSET);
}

/* Refuses a last argument of a type that is not a row's: the call decides which it has. */
static void
check_report_type(FunctionCallInfo fcinfo)
{
	if (get_call_result_type(fcinfo, NULL, NULL) != TYPEFUNC_COMPOSITE)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("report of a portfolio's task must be of a named composite type, not %s",
						format_type_be(get_fn_expr_rettype(fcinfo->flinfo)))));
}

/* Puts the rows that a task returned, composite values of the result's type, into the result. */
static void
return_rows(FunctionCallInfo fcinfo, const Task *task)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	if (SPI_gettypeid(SPI_tuptable->tupdesc, 1) != get_fn_expr_rettype(fcinfo->flinfo))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("task \"%s\" of a portfolio returns another type", task->name)));
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		Datum		row = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull);
		HeapTupleData tuple;

		if (isnull)
			elog(ERROR, "task \"%s\" of a portfolio returned null", task->name);
		tuple.t_data = DatumGetHeapTupleHeader(row);
		tuple.t_len = HeapTupleHeaderGetDatumLength(tuple.t_data);
		ItemPointerSetInvalid(&tuple.t_self);
		tuple.t_tableOid = InvalidOid;
		tuplestore_puttuple(result->setResult, &tuple);
	}
}

/*
 * portfolio_run(portfolio text, task text, arguments jsonb, report anyelement): the task's report
 *
 * One row or several, of the type of the last argument, whose value does not
 * matter; a task that returns another type is an error.
 *
 * The caller must have the rights of the portfolio's owner (else 42501), or for a
 * task that only reads those to read all views, so nobody gains any by it.  A task that writes fails with 25006 on a standby and
 * in a read-only transaction.
 */
PG_FUNCTION_INFO_V1(segment_portfolio_run);
Datum
segment_portfolio_run(PG_FUNCTION_ARGS)
{
	const Task *task;
	const char *statement;
	Datum		values[2] = {0};
	char		nulls[2] = {' ', ' '};
	Oid			owner;
	Oid			caller;
	int			caller_context;
	int			settings;

	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("task and arguments must not be null")));
	task = find_task(text_to_cstring(PG_GETARG_TEXT_PP(1)));
	if (task->label != NULL)
	{
		PreventCommandDuringRecovery(task->label);
		PreventCommandIfReadOnly(task->label);
	}
	if (PG_ARGISNULL(0))
		nulls[0] = 'n';
	else
		values[0] = PG_GETARG_DATUM(0);
	values[1] = PG_GETARG_DATUM(2);

	check_report_type(fcinfo);
	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	owner = portfolio_owner(task, values, nulls);

	/* An error restores all three, as the end of a (sub)transaction does. */
	GetUserIdAndSecContext(&caller, &caller_context);
	SetUserIdAndSecContext(owner,
						   caller_context | SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION);
	settings = NewGUCNestLevel();
	fix_settings(task, values, nulls);

	statement = task->typed ? psprintf(task->statement, format_type_extended(get_fn_expr_rettype(fcinfo->flinfo), -1,
																			 FORMAT_TYPE_FORCE_QUALIFY)) : task->statement;
	run_query(statement, task, values, nulls);
	return_rows(fcinfo, task);

	AtEOXact_GUC(false, settings);
	SetUserIdAndSecContext(caller, caller_context);
	SPI_finish();
	return (Datum) 0;
}
