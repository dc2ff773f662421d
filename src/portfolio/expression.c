/*-------------------------------------------------------------------------
 *
 * expression.c
 *		What an expression over the columns of a relation names, from its parse
 *		tree: for cuts and rules, which come as text.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include "catalog/pg_type.h"
#include "nodes/nodeFuncs.h"
#include "nodes/parsenodes.h"
#include "parser/analyze.h"
#include "parser/parser.h"
#include "parser/parsetree.h"
#include "utils/array.h"
#include "utils/builtins.h"

/* ---------- the columns that it names ---------- */

/* The range tables around an expression, the innermost first, and what was found. */
typedef struct Mentions
{
	List	   *queries;
	ArrayBuildState *names;
	bool		whole_rows;
} Mentions;

static void
add_name(Mentions *mentions, const char *name)
{
	mentions->names = accumArrayResult(mentions->names, CStringGetTextDatum(name), false,
									   TEXTOID, CurrentMemoryContext);
}

/* Collect the columns of the outermost query's FROM clause, at all levels. */
static bool
collect_mentions(Node *node, void *context)
{
	Mentions   *mentions = (Mentions *) context;

	if (node == NULL)
		return false;
	if (IsA(node, Var))
	{
		Var		   *var = (Var *) node;

		if (var->varlevelsup == list_length(mentions->queries) - 1)
		{
			Query	   *query = llast_node(Query, mentions->queries);

			if (var->varattno == 0)
				mentions->whole_rows = true;
			else
				add_name(mentions, get_rte_attribute_name(rt_fetch(var->varno, query->rtable), var->varattno));
		}
		return false;
	}
	if (IsA(node, Query))
	{
		mentions->queries = lcons(node, mentions->queries);
		(void) query_tree_walker((Query *) node, collect_mentions, context, 0);
		mentions->queries = list_delete_first(mentions->queries);
		return false;
	}
	return expression_tree_walker(node, collect_mentions, context);
}

/* The query SELECT ... FROM ..., analyzed, not run. */
static Query *
query_argument(FunctionCallInfo fcinfo)
{
	char	   *sql = text_to_cstring(PG_GETARG_TEXT_PP(0));
	List	   *statements = raw_parser(sql, RAW_PARSE_DEFAULT);

	if (list_length(statements) != 1 || !IsA(linitial_node(RawStmt, statements)->stmt, SelectStmt))
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("the query must be one SELECT")));
	return parse_analyze_fixedparams(linitial_node(RawStmt, statements), sql, NULL, 0, NULL);
}

/*
 * query_mentions(query text): the columns of the relations in its FROM clause
 * that a query names, anywhere; NULL if it names whole rows
 *
 * Errors: those of the parser.
 */
PG_FUNCTION_INFO_V1(segment_query_mentions);
Datum
segment_query_mentions(PG_FUNCTION_ARGS)
{
	Mentions	mentions = {NIL, initArrayResult(TEXTOID, CurrentMemoryContext, false), false};

	collect_mentions((Node *) query_argument(fcinfo), &mentions);
	if (mentions.whole_rows)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(makeArrayResult(mentions.names, CurrentMemoryContext));
}

/* ---------- when it is true ---------- */

/* Add the columns that must be NULL for a condition to be true: all that it joins by AND. */
static void
collect_nulls(Node *condition, Mentions *mentions)
{
	if (is_andclause(condition))
	{
		ListCell   *lc;

		foreach(lc, ((BoolExpr *) condition)->args)
			collect_nulls((Node *) lfirst(lc), mentions);
	}
	else if (IsA(condition, NullTest) &&
			 ((NullTest *) condition)->nulltesttype == IS_NULL &&
			 IsA(((NullTest *) condition)->arg, Var))
		collect_mentions((Node *) ((NullTest *) condition)->arg, mentions);
}

/*
 * condition_nulls(query text): of SELECT condition FROM ..., the columns of which
 * the condition says that they are NULL
 *
 * Errors: those of the parser.
 */
PG_FUNCTION_INFO_V1(segment_condition_nulls);
Datum
segment_condition_nulls(PG_FUNCTION_ARGS)
{
	Query	   *query = query_argument(fcinfo);
	Mentions	mentions = {list_make1(query), initArrayResult(TEXTOID, CurrentMemoryContext, false), false};

	if (query->targetList != NIL)
		collect_nulls((Node *) linitial_node(TargetEntry, query->targetList)->expr, &mentions);
	PG_RETURN_DATUM(makeArrayResult(mentions.names, CurrentMemoryContext));
}
