/*-------------------------------------------------------------------------
 *
 * linear_source.c
 *		Sources whose rows are rows of watched tables, one for one.
 *
 * If every row of a source comes from one row of a watched table, and from
 * nothing else that changes, then what a change of the table does to the source
 * is the source's query over the changed rows alone: over the old ones for what
 * is gone, over the new ones for what has come.  No row of the table has to be
 * read again.  This file tells which queries are such, from their analyzed and
 * rewritten form, and puts a log of changed rows in the place of the table.
 *
 * A query is linear if it is UNION ALL of queries each of which
 *
 *  - reads one watched table, perhaps through views, and beside it only tables
 *    that are watched as a whole (a change in them concerns everybody), VALUES and
 *    functions;
 *  - keeps, leaves out and computes rows, each by itself: no grouping, window,
 *    DISTINCT, LIMIT; and the table is not on the side of a join that is filled
 *    with nulls;
 *  - uses immutable functions only, so that the row says the same whenever, and
 *    in whichever session, it is looked at.
 *
 * It errs on the safe side: what is not known to be linear is not.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include "access/htup_details.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "parser/parsetree.h"
#include "tcop/tcopprot.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/syscache.h"

#include "base/result_row.h"
#include "portfolio/customer_dependence.h"
#include "portfolio/linear_source.h"
#include "portfolio/source.h"

/* What was found. */
typedef struct LinearSource
{
	WatchedTables watched;
	char	   *obstacle;		/* why it is not linear, the first reason; or
								 * NULL */
	ArrayBuildState *tables;	/* of the columns that are read */
	ArrayBuildState *columns;
} LinearSource;

static bool query_is_linear(Query *original, LinearSource *source);

static bool
refuse(LinearSource *source, const char *obstacle)
{
	if (source->obstacle == NULL)
		source->obstacle = pstrdup(obstacle);
	return false;
}

/* ---------- columns ---------- */

/* The columns of one entry of a level's range table that a query uses. */
typedef struct UsedColumns
{
	Index		entry;
	Index		levels_up;
	Bitmapset  *columns;
	bool		others;			/* the whole row, or a column of the system */
} UsedColumns;

static bool
find_used_columns(Node *node, void *context)
{
	UsedColumns *used = (UsedColumns *) context;

	if (node == NULL)
		return false;
	if (IsA(node, Var))
	{
		Var		   *var = (Var *) node;

		if (var->varno != used->entry || var->varlevelsup != used->levels_up)
			return false;
		if (var->varattno > 0)
			used->columns = bms_add_member(used->columns, var->varattno);
		else
			used->others = true;
		return false;
	}
	if (IsA(node, Query))
	{
		bool		result;

		used->levels_up++;
		result = query_tree_walker((Query *) node, find_used_columns, context, QTW_IGNORE_JOINALIASES);
		used->levels_up--;
		return result;
	}
	return expression_tree_walker(node, find_used_columns, context);
}

/* The row of pg_class of a table. */
static FormData_pg_class
class_of(Oid table)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(table));
	FormData_pg_class form;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for relation %u", table);
	form = *(Form_pg_class) GETSTRUCT(tuple);
	ReleaseSysCache(tuple);
	return form;
}

/* Notes which columns of the watched table are read. */
static bool
table_is_linear(Query *query, Index index, LinearSource *source)
{
	RangeTblEntry *entry = rt_fetch(index, query->rtable);
	UsedColumns used = {.entry = index};
	int			column = -1;

	if (class_of(entry->relid).relrowsecurity)
		return refuse(source, "a table has row security");
	if (!entry->inh)
		return refuse(source, "a table is read without those that inherit from it");

	query_tree_walker(query, find_used_columns, &used, QTW_IGNORE_JOINALIASES);
	if (used.others)
		return refuse(source, "the query uses a row as a whole, or a system column");
	while ((column = bms_next_member(used.columns, column)) >= 0)
	{
		/* from 18 on there are columns that are computed when they are read */
		if (get_attgenerated(entry->relid, column) == 'v')
			return refuse(source, "a column of the table is virtual");
		source->tables = accumArrayResult(source->tables, ObjectIdGetDatum(entry->relid), false,
										  OIDOID, CurrentMemoryContext);
		source->columns = accumArrayResult(source->columns, Int16GetDatum(column), false,
										   INT2OID, CurrentMemoryContext);
	}
	return true;
}

/* ---------- a level ---------- */

static bool
find_customers_in_sublink(Node *node, void *context)
{
	if (node == NULL || IsA(node, RangeTblEntry) || IsA(node, Query))
		return false;
	if (IsA(node, SubLink) && query_reads_customers(((SubLink *) node)->subselect, context))
		return true;
	return expression_tree_walker(node, find_customers_in_sublink, context);
}

/* What a level does with its rows. */
static bool
rows_stay_apart(Query *query, LinearSource *source)
{
	if (query->commandType != CMD_SELECT || query->hasModifyingCTE || query->rowMarks != NIL)
		return refuse(source, "the query does more than to read");
	if (query->hasAggs || query->groupClause != NIL || query->groupingSets != NIL || query->havingQual != NULL)
		return refuse(source, "rows are grouped");
	if (query->hasWindowFuncs)
		return refuse(source, "a window function looks at several rows");
	if (query->distinctClause != NIL)
		return refuse(source, "DISTINCT compares rows");
	if (query->limitCount != NULL || query->limitOffset != NULL)
		return refuse(source, "LIMIT or OFFSET counts rows");
	if (query->cteList != NIL)
		return refuse(source, "the query has WITH");
	if (query->hasTargetSRFs)
		return refuse(source, "a function makes several rows of one");
	if (query->hasRowSecurity)
		return refuse(source, "a table has row security");
	if (query->hasSubLinks &&
		query_tree_walker(query, find_customers_in_sublink, &source->watched,
						  QTW_IGNORE_RT_SUBQUERIES | QTW_IGNORE_CTE_SUBQUERIES))
		return refuse(source, "a subquery reads other rows of watched tables");
	return true;
}

/* Whether an entry of the FROM is what the rows come from. */
static bool
brings_customers(RangeTblEntry *entry, LinearSource *source)
{
	AttrNumber	column;

	if (entry->rtekind == RTE_RELATION)
		return table_is_watched(&source->watched, entry->relid, &column) && column != 0;
	return entry->rtekind == RTE_SUBQUERY && query_reads_customers((Node *) entry->subquery, &source->watched);
}

/* The entries of a part of the FROM that some join in it fills with nulls. */
static Bitmapset *
nullable_entries(Node *node)
{
	Bitmapset  *nullable = NULL;
	ListCell   *lc;

	if (node == NULL || IsA(node, RangeTblRef))
		return NULL;
	if (IsA(node, JoinExpr))
	{
		JoinExpr   *join = (JoinExpr *) node;

		return bms_union(query_nullable_entries(join),
						 bms_union(nullable_entries(join->larg), nullable_entries(join->rarg)));
	}
	foreach(lc, castNode(FromExpr, node)->fromlist)
		nullable = bms_union(nullable, nullable_entries((Node *) lfirst(lc)));
	return nullable;
}

/* Whether the rows come from one entry of the FROM, and that one's rows from one table each. */
static bool
from_is_linear(Query *query, LinearSource *source)
{
	Bitmapset  *entries = query_from_entries((Node *) query->jointree);
	int			main_entry = 0;
	int			index = -1;

	while ((index = bms_next_member(entries, index)) >= 0)
	{
		if (!brings_customers(rt_fetch(index, query->rtable), source))
			continue;
		if (main_entry != 0)
			return refuse(source, "rows of watched tables are joined with each other");
		main_entry = index;
	}
	if (main_entry == 0)
		return refuse(source, "rows come from no watched table");
	if (bms_is_member(main_entry, nullable_entries((Node *) query->jointree)))
		return refuse(source, "an outer join gives a row where the table has none");
	if (rt_fetch(main_entry, query->rtable)->rtekind == RTE_RELATION)
		return table_is_linear(query, main_entry, source);
	return query_is_linear(rt_fetch(main_entry, query->rtable)->subquery, source);
}

static bool
arms_are_linear(Node *node, Query *query, LinearSource *source)
{
	SetOperationStmt *operation;

	if (IsA(node, RangeTblRef))
		return query_is_linear(rt_fetch(((RangeTblRef *) node)->rtindex, query->rtable)->subquery, source);
	operation = castNode(SetOperationStmt, node);
	if (operation->op != SETOP_UNION || !operation->all)
		return refuse(source, "UNION, INTERSECT or EXCEPT compares rows");
	return arms_are_linear(operation->larg, query, source) && arms_are_linear(operation->rarg, query, source);
}

static bool
query_is_linear(Query *original, LinearSource *source)
{
	Query	   *query = query_without_aliases(original);

	CHECK_FOR_INTERRUPTS();
	check_stack_depth();
	if (!rows_stay_apart(query, source))
		return false;
	return query->setOperations != NULL ? arms_are_linear(query->setOperations, query, source)
		: from_is_linear(query, source);
}

/* ---------- functions ---------- */

static bool
function_is_mutable(Oid function, void *context)
{
	if (func_volatile(function) == PROVOLATILE_IMMUTABLE)
		return false;
	refuse((LinearSource *) context, psprintf("function %s is not immutable", format_procedure(function)));
	return true;
}

/* Whether an expression or query, at any depth, may mean something else at another time. */
static bool
find_mutable(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, find_mutable, context, 0);
	if (IsA(node, SQLValueFunction) || IsA(node, NextValueExpr))
	{
		refuse((LinearSource *) context, "the query depends on more than the tables");
		return true;
	}
	if (check_functions_in_node(node, function_is_mutable, context))
		return true;
	return expression_tree_walker(node, find_mutable, context);
}

/* ---------- from SQL ---------- */

/*
 * source_linear(source text, query text, watched oid[], customer_columns smallint[],
 *				 OUT obstacle text, OUT tables oid[], OUT columns smallint[])
 *
 * For a source that depends on watched tables alone (source_dependence): what
 * keeps it from being linear, or NULL; and the columns that it reads, each with
 * its table.
 */
PG_FUNCTION_INFO_V1(segment_source_linear);
Datum
segment_source_linear(PG_FUNCTION_ARGS)
{
	LinearSource source = {0};
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char	   *query_text = text_to_cstring(PG_GETARG_TEXT_PP(1));
	RawStmt    *statement;
	Query	   *query;
	Datum		values[3];
	bool		nulls[3] = {false};

	watched_tables_argument(&source.watched, PG_GETARG_ARRAYTYPE_P(2), PG_GETARG_ARRAYTYPE_P(3));
	source.tables = initArrayResult(OIDOID, CurrentMemoryContext, false);
	source.columns = initArrayResult(INT2OID, CurrentMemoryContext, false);

	query = source_rewritten(name, query_text, &statement);
	if (query_is_linear(query, &source))
		find_mutable((Node *) query, &source);
	nulls[0] = source.obstacle == NULL;
	values[0] = nulls[0] ? (Datum) 0 : CStringGetTextDatum(source.obstacle);
	values[1] = makeArrayResult(source.tables, CurrentMemoryContext);
	values[2] = makeArrayResult(source.columns, CurrentMemoryContext);
	PG_RETURN_DATUM(row_form(result_row(fcinfo, lengthof(values)), values, nulls));
}

/* ---------- over the log ---------- */

/*
 * The name of a table's column in its log, or NULL where it is not logged, or
 * there is no log.
 */
static const char *
logged_name(Oid table, AttrNumber column, Oid log)
{
	char	   *name = get_attname(table, column, true);
	AttrNumber	logged = name == NULL || !OidIsValid(log) ? InvalidAttrNumber : get_attnum(log, name);
	Oid			types[2];
	int32		modifiers[2];
	Oid			collations[2];

	/* the first column of a log is the sign */
	if (logged <= LOG_SIGN)
		return NULL;
	get_atttypetypmodcoll(table, column, &types[0], &modifiers[0], &collations[0]);
	get_atttypetypmodcoll(log, logged, &types[1], &modifiers[1], &collations[1]);
	if (types[0] != types[1] || collations[0] != collations[1])
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("column \"%s\" of table \"%s\" is not as it is logged", name, get_rel_name(table))));
	return quote_identifier(name);
}

/* Of a column that is not read: NULL, of its type. */
static const char *
null_column(Oid table, AttrNumber column)
{
	Oid			type = get_atttype(table, column);

	/* of a column that was dropped */
	if (!OidIsValid(type))
		return "NULL";
	return psprintf("NULL::%s", format_type_extended(getBaseType(type), -1, FORMAT_TYPE_FORCE_QUALIFY));
}

/*
 * The rows of a log with one sign, with the columns of the table in their places;
 * none where there is no log.
 */
static Query *
log_query(Oid table, Oid log, int sign)
{
	StringInfoData string;
	RawStmt    *statement;
	int			natts = class_of(table).relnatts;

	initStringInfo(&string);
	for (AttrNumber column = 1; column <= natts; column++)
	{
		const char *name = logged_name(table, column, log);

		appendStringInfo(&string, "%s%s", column == 1 ? "SELECT " : ", ",
						 name != NULL ? name : null_column(table, column));
	}
	if (OidIsValid(log))
		appendStringInfo(&string, " FROM ONLY %s WHERE %s OPERATOR(pg_catalog.=) %d",
						 quote_qualified_identifier(get_namespace_name(get_rel_namespace(log)), get_rel_name(log)),
						 quote_identifier(get_attname(log, LOG_SIGN, false)), sign);
	else
		appendStringInfoString(&string, " WHERE false");
	return source_rewritten("log", string.data, &statement);
}

typedef struct LogContext
{
	const LoggedTables *logged;
	int			sign;
} LogContext;

/* Puts the logs in the places of the tables, at any depth. */
static bool
replace_tables(Node *node, void *context)
{
	const LogContext *logs = (const LogContext *) context;
	ListCell   *lc;

	if (node == NULL)
		return false;
	if (!IsA(node, Query))
		return expression_tree_walker(node, replace_tables, context);
	foreach(lc, ((Query *) node)->rtable)
	{
		RangeTblEntry *entry = lfirst_node(RangeTblEntry, lc);

		for (int i = 0; entry->rtekind == RTE_RELATION && i < logs->logged->count; i++)
		{
			if (entry->relid != logs->logged->tables[i])
				continue;
			entry->rtekind = RTE_SUBQUERY;
			entry->subquery = log_query(entry->relid, logs->logged->logs[i], logs->sign);
			entry->relid = InvalidOid;
			entry->relkind = 0;
			entry->rellockmode = 0;
			entry->inh = false;
#if PG_VERSION_NUM >= 160000
			entry->perminfoindex = 0;
#else
			entry->requiredPerms = 0;
			entry->selectedCols = NULL;
#endif
		}
	}
	return query_tree_walker((Query *) node, replace_tables, context, 0);
}

/* linear_source_over_logs: a linear query, over the rows with one sign of the logs of its tables */
void
linear_source_over_logs(Query *query, const LoggedTables *logged, int sign)
{
	LogContext	context = {logged, sign};

	replace_tables((Node *) query, &context);
}
