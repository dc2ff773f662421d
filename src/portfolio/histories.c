/*-------------------------------------------------------------------------
 *
 * histories.c
 *		The histories of all customers in the result of a query: what
 *		history_agg under GROUP BY gives, by a grouping of its own.
 *
 * The server's hash aggregate misses the processor's cache several times for
 * every row.  Here the rows are received from the executor (so that any
 * query, permission and row security holds) and, in a compact form, set apart
 * by the hash of their key; a partition is small enough for the cache when
 * its rows are then sorted by customer and day, without a comparison, and put
 * together.  Beyond work_mem the partitions go to temporary files.
 *
 * A portfolio's refresh has the rows checked on the way: which ones lack
 * something, are for nothing, or repeat another one.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "tcop/dest.h"
#include "tcop/tcopprot.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/plancache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/tuplestore.h"

#include "base/partition.h"
#include "portfolio/data_quality.h"
#include "portfolio/event_group.h"
#include "portfolio/event_row.h"
#include "portfolio/linear_source.h"
#include "portfolio/source.h"

/* Columns of the result: customer, one or two histories, two of failed checks. */
#define MAX_COLUMNS	(1 + EVENT_MAX_AMOUNTS + 2)

/* A query whose rows are received. */
typedef struct EventQuery
{
	DestReceiver receiver;		/* must be first */
	EventFormat format;
	QualityCounts without_customer; /* rows without one, if they are checked */
	PartitionSet *partitions;
	MemoryContext row_context;	/* detoasted values of a few rows */
	Size		received;
} EventQuery;

/* ---------- receiving ---------- */

static bool
receive_row(TupleTableSlot *slot, DestReceiver *self)
{
	EventQuery *query = (EventQuery *) self;
	MemoryContext old = MemoryContextSwitchTo(query->row_context);

	slot_getallattrs(slot);
	if (unlikely(query->format.checked && slot->tts_isnull[0]))
	{
		int			scale;
		int128		amount = event_amount_to_report(slot, &scale);

		quality_count(&query->without_customer, QUALITY_NULL_CUSTOMER, amount, scale);
	}
	else
		event_row_append(query->partitions, &query->format, slot);
	MemoryContextSwitchTo(old);
	if ((++query->received & 0xFF) == 0)
		MemoryContextReset(query->row_context);
	return true;
}

static void
receiver_startup(DestReceiver *self, int operation, TupleDesc typeinfo)
{
}

static void
receiver_done(DestReceiver *self)
{
}

static EventQuery *
query_create(MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	EventQuery *query = palloc0(sizeof(EventQuery));

	query->receiver.receiveSlot = receive_row;
	query->receiver.rStartup = receiver_startup;
	query->receiver.rShutdown = receiver_done;
	query->receiver.rDestroy = receiver_done;
	query->receiver.mydest = DestNone;
	query->partitions = partition_set_create((Size) work_mem * 1024, 0);
	query->row_context = AllocSetContextCreate(context, "segment row", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(old);
	return query;
}

/* ---------- the result, partition by partition ---------- */

/* What checked_histories tells of failed checks: the last two columns. */
static void
set_quality(const QualityCounts *counts, Datum *values, bool *nulls)
{
	nulls[0] = nulls[1] = counts == NULL;
	if (counts != NULL)
		quality_arrays(counts, &values[0], &values[1]);
}

static void
put_customer(EventQuery *query, EventGroups *groups, EventGroup *group, HistoryDays *list,
			 ReturnSetInfo *result)
{
	int			amounts = query->format.amounts;
	Datum		values[MAX_COLUMNS] = {group->key};
	bool		nulls[MAX_COLUMNS] = {group->null_key};

	for (int i = 0; i < amounts; i++)
	{
		struct varlena *history = event_group_history(groups, group, i, list);

		values[1 + i] = PointerGetDatum(history);
		nulls[1 + i] = history == NULL;
	}
	if (query->format.checked)
	{
		quality_check_duplicates(&groups->quality, &group->quality, &query->format,
								 groups->rows + group->begin, group->end - group->begin,
								 group->scale[0]);
		set_quality(quality_counts(&groups->quality, group->quality),
					&values[1 + amounts], &nulls[1 + amounts]);
	}
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	for (int i = 0; i < amounts; i++)
		if (!nulls[1 + i])
			pfree(DatumGetPointer(values[1 + i]));
}

static void
put_partition(EventQuery *query, PartitionSet *set, Partition *partition, ReturnSetInfo *result)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "segment partition",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	EventGroups groups;
	HistoryDays list;

	partition_load(set, partition);
	event_groups_read(&groups, &query->format, partition);
	history_days_init(&list, 0, 0);
	for (uint32 i = 0; i < groups.ngroups; i++)
	{
		CHECK_FOR_INTERRUPTS();
		put_customer(query, &groups, &groups.groups[i], &list, result);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	partition_clear(set, partition);
}

/*
 * The rows of a partition that is too large for the memory, in a set of their
 * own, by further bits of the hash.
 */
static PartitionSet *
split_partition(EventFormat *format, PartitionSet *set, Partition *partition)
{
	PartitionSet *parts = partition_set_create(set->memory, set->skipped_bits + 32 - set->shift);

	partition_rewind(partition);
	for (Size i = 0; i < partition->rows; i++)
	{
		EventRow	row;
		Size		size;
		char	   *place;

		CHECK_FOR_INTERRUPTS();
		partition_read(partition, &row, sizeof(EventRow));
		size = event_row_size(format, &row);
		place = partition_append(parts, event_row_hash(format, &row), size);
		memcpy(place, &row, sizeof(EventRow));
		partition_read(partition, place + sizeof(EventRow), size - sizeof(EventRow));
	}
	partition_clear(set, partition);
	partition_set_finish(parts);
	return parts;
}

/* The histories of all customers of a set. */
static void
put_partitions(EventQuery *query, PartitionSet *set, ReturnSetInfo *result)
{
	for (int i = 0; i < set->count; i++)
	{
		Partition  *partition = &set->partitions[i];

		if (partition_is_too_large(set, partition))
		{
			PartitionSet *parts = split_partition(&query->format, set, partition);

			put_partitions(query, parts, result);
			partition_set_free(parts);
		}
		else if (partition->rows > 0)
			put_partition(query, set, partition, result);
	}
}

/* The rows without a customer: nothing but failed checks. */
static void
put_without_customer(const EventQuery *query, ReturnSetInfo *result)
{
	int			amounts = query->format.amounts;
	Datum		values[MAX_COLUMNS] = {0};
	bool		nulls[MAX_COLUMNS] = {true, true, true};

	if (!quality_any(&query->without_customer))
		return;
	set_quality(&query->without_customer, &values[1 + amounts], &nulls[1 + amounts]);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* ---------- the function ---------- */

/* The type history: the extension is not relocatable. */
static Oid
history_type(void)
{
	return GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid, CStringGetDatum("history"),
						   ObjectIdGetDatum(get_namespace_oid("segment", false)));
}

/*
 * The caller's column list: the key's type, then history once or twice, then
 * what is told of failed checks.
 */
static void
check_result(const EventFormat *format, TupleDesc expected)
{
	Oid			history = history_type();
	int			columns = 1 + format->amounts;
	bool		fits = expected != NULL &&
	expected->natts == columns + (format->checked ? 2 : 0) &&
	TupleDescAttr(expected, 0)->atttypid == format->key_type;

	for (int i = 1; fits && i < columns; i++)
		fits = TupleDescAttr(expected, i)->atttypid == history;
	if (fits && format->checked)
		fits = TupleDescAttr(expected, columns)->atttypid == INT8ARRAYOID &&
			TupleDescAttr(expected, columns + 1)->atttypid == NUMERICARRAYOID;
	if (!fits)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("the column definition list does not fit the query"),
				 errhint("Write AS h(customer_id %s, history segment.history%s%s).",
						 format_type_be(format->key_type),
						 format->amounts == 2 ? ", margins segment.history" : "",
						 format->checked ? ", counts bigint[], money numeric[]" : "")));
}

/* An argument of the function as the parameter $1 of the query, which the planner may look at. */
static ParamListInfo
query_parameter(FunctionCallInfo fcinfo, int argument)
{
	ParamListInfo params = makeParamList(1);

	params->params[0].ptype = get_fn_expr_argtype(fcinfo->flinfo, argument);
	params->params[0].pflags = PARAM_FLAG_CONST;
	params->params[0].isnull = PG_ARGISNULL(argument);
	params->params[0].value = params->params[0].isnull ? 0 : PG_GETARG_DATUM(argument);
	return params;
}

/* Which of a portfolio's sources an error is about. */
static void
source_context(void *arg)
{
	errcontext("reading source \"%s\"", (const char *) arg);
}

/* Sets up the result, once it is known what the query returns. */
static void
prepare_result(FunctionCallInfo fcinfo, EventQuery *query, TupleDesc returned,
			   const struct varlena *timezone, bool checked, MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);

	event_format_init(&query->format, returned, timezone, checked);
	MemoryContextSwitchTo(old);
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	check_result(&query->format, ((ReturnSetInfo *) fcinfo->resultinfo)->setDesc);
}

/*
 * Run the query, whose rows go to partitions.  What a refresh reads is read in
 * the snapshot of the query that calls: together with the log of changes, which
 * must not tell of what is read, and must tell of all else.
 */
static void
run_query(FunctionCallInfo fcinfo, EventQuery *query, const char *statement,
		  const struct varlena *timezone, ParamListInfo params, MemoryContext context)
{
	SPIExecuteOptions options = {0};
	SPIPlanPtr	plan;

	SPI_connect();
	plan = SPI_prepare_cursor(statement, params != NULL ? 1 : 0,
							  params != NULL ? &params->params[0].ptype : NULL,
							  CURSOR_OPT_PARALLEL_OK | CURSOR_OPT_CUSTOM_PLAN);
	if (plan == NULL || list_length(SPI_plan_get_plan_sources(plan)) != 1)
		elog(ERROR, "could not prepare the query: %s", SPI_result_code_string(SPI_result));
	prepare_result(fcinfo, query,
				   ((CachedPlanSource *) linitial(SPI_plan_get_plan_sources(plan)))->resultDesc,
				   timezone, params != NULL, context);

	options.params = params;
	options.read_only = params != NULL;
	options.dest = &query->receiver;
	if (SPI_execute_plan_extended(plan, &options) < 0)
		elog(ERROR, "could not run the query: %s", SPI_result_code_string(SPI_result));
	SPI_finish();
	partition_set_finish(query->partitions);
}

/* The same for a linear query, over the rows with one sign of the logs of its tables. */
static void
run_over_logs(FunctionCallInfo fcinfo, EventQuery *query, const char *statement,
			  const struct varlena *timezone, const LoggedTables *logged, int sign,
			  MemoryContext context)
{
	RawStmt    *raw;
	Query	   *tree = source_rewritten("query", statement, &raw);
	PlannedStmt *plan;
	QueryDesc  *run;

	linear_source_over_logs(tree, logged, sign);
	plan = plan_query(tree, statement, CURSOR_OPT_PARALLEL_OK, NULL);
	prepare_result(fcinfo, query, ExecCleanTypeFromTL(plan->planTree->targetlist), timezone, true, context);

	run = CreateQueryDesc(plan, statement, GetActiveSnapshot(), InvalidSnapshot, &query->receiver,
						  NULL, NULL, 0);
	ExecutorStart(run, 0);
	executor_run(run);
	ExecutorFinish(run);
	ExecutorEnd(run);
	FreeQueryDesc(run);
	partition_set_finish(query->partitions);
}

/* The arguments tables oid[], logs oid[]. */
static void
logged_tables_argument(LoggedTables *logged, ArrayType *tables, ArrayType *logs)
{
	Datum	   *table_values;
	Datum	   *log_values;
	int			nlogs;

	deconstruct_array(tables, OIDOID, sizeof(Oid), true, TYPALIGN_INT, &table_values, NULL, &logged->count);
	deconstruct_array(logs, OIDOID, sizeof(Oid), true, TYPALIGN_INT, &log_values, NULL, &nlogs);
	if (logged->count != nlogs)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("tables and logs must be equally many")));
	logged->tables = palloc_array(Oid, nlogs + 1);
	logged->logs = palloc_array(Oid, nlogs + 1);
	for (int i = 0; i < nlogs; i++)
	{
		logged->tables[i] = DatumGetObjectId(table_values[i]);
		logged->logs[i] = DatumGetObjectId(log_values[i]);
	}
}

/*
 * The functions below, whose query and time zone are arguments first and
 * first + 1.  A query that is checked has a parameter, argument first + 2, or is
 * one over logs: arguments first + 2 to first + 4 are tables, logs, and the sign.
 */
static Datum
read_query(FunctionCallInfo fcinfo, int first, bool checked, bool over_logs)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	const struct varlena *timezone = PG_ARGISNULL(first + 1) ? NULL : PG_GETARG_TEXT_PP(first + 1);
	MemoryContext context;
	MemoryContext old;
	EventQuery *query;
	char	   *statement;

	if (PG_ARGISNULL(first))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("query must not be null")));
	statement = text_to_cstring(PG_GETARG_TEXT_PP(first));
	source_check_one_select("query", statement);

	context = AllocSetContextCreate(CurrentMemoryContext, "segment histories of a query",
									ALLOCSET_DEFAULT_SIZES);
	query = query_create(context);
	if (over_logs)
	{
		LoggedTables logged;

		logged_tables_argument(&logged, PG_GETARG_ARRAYTYPE_P(first + 2), PG_GETARG_ARRAYTYPE_P(first + 3));
		run_over_logs(fcinfo, query, statement, timezone, &logged, PG_GETARG_INT32(first + 4), context);
	}
	else
		run_query(fcinfo, query, statement, timezone,
				  checked ? query_parameter(fcinfo, first + 2) : NULL, context);
	old = MemoryContextSwitchTo(context);
	put_partitions(query, query->partitions, result);
	put_without_customer(query, result);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return (Datum) 0;
}

/*
 * histories(query text, timezone text): setof (customer, history [, history])
 *
 * Errors: 22023 the query is not one SELECT, has other than 3 or 4 columns,
 * unknown time zone; 42804 types; 22004 time zone missing; those of
 * history_agg for the values, and those of the query.
 */
PG_FUNCTION_INFO_V1(segment_history_query);
Datum
segment_history_query(PG_FUNCTION_ARGS)
{
	return read_query(fcinfo, 0, false, false);
}

/* read_query for a source, argument 0, which errors name. */
static Datum
read_source(FunctionCallInfo fcinfo, bool over_logs)
{
	ErrorContextCallback context;
	Datum		result;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("source must not be null")));
	context.callback = source_context;
	context.arg = text_to_cstring(PG_GETARG_TEXT_PP(0));
	context.previous = error_context_stack;
	error_context_stack = &context;
	result = read_query(fcinfo, 1, true, over_logs);
	error_context_stack = context.previous;
	return result;
}

/*
 * checked_histories(source text, query text, timezone text, parameter
 * anyarray): the same, of a source's query with a parameter, with two more
 * columns, the counts of the customer's rows that fail a check and their money,
 * in the order of QualityCheck; NULL where all pass
 *
 * Rows without a customer are counted, in a row of their own, and are in no
 * history.  Amounts of rows without a customer or a day, which count nowhere
 * else, raise no error.
 */
PG_FUNCTION_INFO_V1(segment_checked_history_query);
Datum
segment_checked_history_query(PG_FUNCTION_ARGS)
{
	return read_source(fcinfo, false);
}

/*
 * changed_histories(source text, query text, timezone text, tables oid[],
 * logs oid[], sign integer): the same, of a linear source's query, over the rows
 * with one sign of the logs of its tables
 */
PG_FUNCTION_INFO_V1(segment_changed_history_query);
Datum
segment_changed_history_query(PG_FUNCTION_ARGS)
{
	for (int i = 3; i < 6; i++)
		if (PG_ARGISNULL(i))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("tables, logs and sign must not be null")));
	return read_source(fcinfo, true);
}
