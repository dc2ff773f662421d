/*-------------------------------------------------------------------------
 *
 * run_at_once.c
 *		Several commands in one snapshot.
 *
 * At READ COMMITTED each command has a snapshot of its own.  A refresh takes the
 * changed rows out of a log and reads the tables that they are of.  Were there
 * two snapshots, then a transaction that commits in between would be read and
 * also be found in the log the next time, or be taken and not be read.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

/* What a command has returned, for those after it. */
typedef struct Parameter
{
	Oid			type;			/* InvalidOid: nothing yet */
	Datum		value;
	bool		isnull;
} Parameter;

/* Keeps the first column of the first row. */
static void
keep_result(Parameter *parameter, MemoryContext context)
{
	int16		length;
	bool		by_value;

	parameter->type = SPI_gettypeid(SPI_tuptable->tupdesc, 1);
	parameter->value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &parameter->isnull);
	get_typlenbyval(parameter->type, &length, &by_value);
	if (!parameter->isnull)
	{
		MemoryContext old = MemoryContextSwitchTo(context);

		parameter->value = datumCopy(parameter->value, by_value, length);
		MemoryContextSwitchTo(old);
	}
}

static void
run_command(const char *command, const char *path, Snapshot snapshot, Parameter *parameter, MemoryContext context)
{
	int			settings = NewGUCNestLevel();
	char		nulls[1] = {parameter->isnull ? 'n' : ' '};
	SPIPlanPtr	plan;
	int			result;

	(void) set_config_option("search_path", path, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	plan = SPI_prepare(command, OidIsValid(parameter->type) ? 1 : 0, &parameter->type);
	if (plan == NULL)
		elog(ERROR, "could not prepare a command: %s", SPI_result_code_string(SPI_result));
	result = SPI_execute_snapshot(plan, &parameter->value, nulls, snapshot, InvalidSnapshot, false, true, 0);
	if (result < 0)
		elog(ERROR, "could not run a command: %s", SPI_result_code_string(result));
	if (result == SPI_OK_SELECT && SPI_processed > 0)
		keep_result(parameter, context);
	SPI_freeplan(plan);
	AtEOXact_GUC(false, settings);
}

/*
 * run_at_once(commands text[], paths text[]): void
 */
PG_FUNCTION_INFO_V1(segment_run_at_once);
Datum
segment_run_at_once(PG_FUNCTION_ARGS)
{
	MemoryContext context = CurrentMemoryContext;
	Parameter	parameter = {.isnull = true};
	Datum	   *commands;
	Datum	   *paths;
	bool	   *command_nulls;
	bool	   *path_nulls;
	int			ncommands;
	int			npaths;
	Snapshot	snapshot;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || array_contains_nulls(PG_GETARG_ARRAYTYPE_P(0)))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("commands must not be null")));
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(0), TEXTOID, -1, false, TYPALIGN_INT, &commands, &command_nulls, &ncommands);
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(1), TEXTOID, -1, false, TYPALIGN_INT, &paths, &path_nulls, &npaths);
	if (ncommands != npaths)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("commands and search paths must be equally many")));

	SPI_connect();
	snapshot = RegisterSnapshot(GetTransactionSnapshot());
	for (int i = 0; i < ncommands; i++)
	{
		CHECK_FOR_INTERRUPTS();
		run_command(TextDatumGetCString(commands[i]),
					path_nulls[i] ? "pg_catalog, pg_temp" : TextDatumGetCString(paths[i]),
					snapshot, &parameter, context);
	}
	UnregisterSnapshot(snapshot);
	SPI_finish();
	PG_RETURN_VOID();
}
