/*-------------------------------------------------------------------------
 *
 * portfolio.c
 *		Runs the work on a portfolio in its owner's name.
 *
 * A portfolio's source queries, and the rules of its classes, were written by
 * its owner, so they must run with the owner's rights, also when somebody with
 * more rights calls: a superuser, or a job that refreshes everything.  SET ROLE
 * is no protection, since a function in the query can take it back.  This is
 * the way that REFRESH MATERIALIZED VIEW goes: the user is switched where SQL
 * cannot undo it, nothing may be left behind that would run later with the
 * caller's rights (temporary objects, deferred triggers, prepared statements),
 * and settings that the query changes are put back.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

/*
 * The only things that can be run, each as (portfolio text, arguments jsonb),
 * and what they are called where they cannot.
 */
typedef struct Task
{
	const char *name;
	const char *statement;
	const char *label;
} Task;

static const Task tasks[] = {
	{"refresh", "SELECT segment_internal.portfolio_refresh($1, $2)", "the refresh of a portfolio"},
	{"alter", "SELECT segment_internal.portfolio_alter($1, $2)", "a change of a portfolio"},
	{"scheme", "SELECT segment_internal.scheme_change($1, $2)", "a change of a portfolio's schemes"},
	{"key_account", "SELECT segment_internal.key_account_change($1, $2)", "a change of a portfolio's key accounts"},
	{"snapshot", "SELECT segment_internal.snapshot_take($1, $2)", "a snapshot of a portfolio"},
	{"watch", "SELECT segment_internal.watch_change($1, $2)", "a change of a portfolio's watched tables"},
};

/*
 * Settings that decide what SQL text means, or how values become text.  The
 * owner's queries must give the same whoever calls.  Of DateStyle only the form
 * of the output is set: how dates are read stays as the session has it.
 */
static const struct
{
	const char *name;
	const char *value;
}			fixed_settings[] = {
	{"array_nulls", "on"},
	{"DateStyle", "ISO"},
	{"quote_all_identifiers", "off"},
	{"standard_conforming_strings", "on"},
	{"transform_null_equals", "off"},
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

/* Runs a query of one row and one column; the value lives in SPI's memory. */
static Datum
query_value(const char *statement, int nargs, Oid *types, Datum *values, const char *nulls)
{
	bool		isnull;
	Datum		value;

	if (SPI_execute_with_args(statement, nargs, types, values, nulls, false, 2) != SPI_OK_SELECT ||
		SPI_processed != 1)
		elog(ERROR, "query of a portfolio returned no single row: %s", statement);
	value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	if (isnull)
		elog(ERROR, "query of a portfolio returned null: %s", statement);
	return value;
}

/*
 * The portfolio's owner.  Refuses a portfolio that does not exist, and a
 * caller without the owner's rights.
 */
static Oid
portfolio_owner(Datum portfolio, const char *nulls)
{
	Oid			types[1] = {TEXTOID};
	Datum		owner = query_value("SELECT segment_internal.portfolio_owner($1)", 1, types, &portfolio, nulls);

	return get_role_oid(TextDatumGetCString(owner), false);
}

/*
 * portfolio_run(portfolio text, task text, arguments jsonb): the task's report
 *
 * Declared once for each type of report; a task of another is an error.
 *
 * The caller must have the rights of the portfolio's owner (else 42501), so
 * nobody gains any by it.  25006 on a standby and in a read-only transaction.
 */
PG_FUNCTION_INFO_V1(portfolio_run);
Datum
portfolio_run(PG_FUNCTION_ARGS)
{
	const Task *task;
	Oid			types[2] = {TEXTOID, JSONBOID};
	Datum		values[2] = {0};
	char		nulls[2] = {' ', ' '};
	Oid			owner;
	Oid			caller;
	int			caller_context;
	int			settings;
	Datum		report;

	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("task and arguments must not be null")));
	task = find_task(text_to_cstring(PG_GETARG_TEXT_PP(1)));
	PreventCommandDuringRecovery(task->label);
	PreventCommandIfReadOnly(task->label);
	if (PG_ARGISNULL(0))
		nulls[0] = 'n';
	else
		values[0] = PG_GETARG_DATUM(0);
	values[1] = PG_GETARG_DATUM(2);

	SPI_connect();
	owner = portfolio_owner(values[0], nulls);

	/* An error restores all three, as the end of a (sub)transaction does. */
	GetUserIdAndSecContext(&caller, &caller_context);
	SetUserIdAndSecContext(owner,
						   caller_context | SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION);
	settings = NewGUCNestLevel();
	for (int i = 0; i < lengthof(fixed_settings); i++)
		(void) set_config_option(fixed_settings[i].name, fixed_settings[i].value,
								 PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);

	report = query_value(task->statement, 2, types, values, nulls);
	if (HeapTupleHeaderGetTypeId(DatumGetHeapTupleHeader(report)) != get_func_rettype(fcinfo->flinfo->fn_oid))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("task \"%s\" of a portfolio returns another type", task->name)));

	AtEOXact_GUC(false, settings);
	SetUserIdAndSecContext(caller, caller_context);

	report = SPI_datumTransfer(report, false, -1);
	SPI_finish();
	return report;
}
