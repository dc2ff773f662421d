/*-------------------------------------------------------------------------
 *
 * source.c
 *		The source queries of a portfolio: what a query given as text is, and
 *		which columns it returns.
 *
 * The query is parsed and analyzed, not run: so a wrong one is refused before
 * anything is created, and a text that is more than one SELECT never reaches
 * the places where it becomes part of another statement.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include "access/htup_details.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "nodes/nodeFuncs.h"
#include "nodes/parsenodes.h"
#include "parser/analyze.h"
#include "parser/parser.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/tuplestore.h"
#include "utils/typcache.h"

#include "base/result_row.h"
#include "portfolio/source.h"

/* Columns of the result of source_columns. */
#define SOURCE_COLUMNS	6

/* A source and its query. */
typedef struct Source
{
	char	   *name;
	char	   *query;
} Source;

/* Where an error of the parser lies: in the source's query, not in the calling one. */
static void
source_error_context(void *arg)
{
	const Source *source = (const Source *) arg;
	int			position = geterrposition();

	if (position > 0)
	{
		errposition(0);
		internalerrposition(position);
		internalerrquery(source->query);
	}
	errcontext("query of source \"%s\"", source->name);
}

static void
not_one_select(const Source *source, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("source \"%s\" must be one SELECT, not %s", source->name, what)));
}

/* INTO stands in the first of the queries that UNION and the like put together. */
static bool
selects_into(const SelectStmt *statement)
{
	while (statement->op != SETOP_NONE)
		statement = statement->larg;
	return statement->intoClause != NULL;
}

/* The raw parse tree of a text that is one SELECT, WITH or VALUES, and no SELECT INTO. */
static RawStmt *
parse_one_select(const Source *source)
{
	List	   *statements = raw_parser(source->query, RAW_PARSE_DEFAULT);
	RawStmt    *statement;

	if (list_length(statements) == 0)
		not_one_select(source, "an empty query");
	if (list_length(statements) > 1)
		not_one_select(source, "several statements");
	statement = linitial_node(RawStmt, statements);
	if (!IsA(statement->stmt, SelectStmt))
		not_one_select(source, "another command");
	if (selects_into((SelectStmt *) statement->stmt))
		not_one_select(source, "SELECT INTO");
	return statement;
}

/* Whether a query has FOR UPDATE, FOR SHARE and so on, at any level. */
static bool
locks_rows(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, Query))
	{
		if (((Query *) node)->hasForUpdate)
			return true;
		return query_tree_walker((Query *) node, locks_rows, context, 0);
	}
	return expression_tree_walker(node, locks_rows, context);
}

/* Error 22023 if a query is not one SELECT. */
void
source_check_one_select(const char *name, const char *query)
{
	Source		source;

	source.name = (char *) name;
	source.query = (char *) query;
	parse_one_select(&source);
}

/*
 * A source's query, analyzed, with its views and row security in it; and its
 * raw parse tree.  Errors as source_columns.
 */
Query *
source_rewritten(const char *name, const char *query, RawStmt **statement)
{
	Source		source;
	ErrorContextCallback context;
	Query	   *rewritten;

	source.name = (char *) name;
	source.query = (char *) query;
	context.callback = source_error_context;
	context.arg = &source;
	context.previous = error_context_stack;
	error_context_stack = &context;

	*statement = parse_one_select(&source);
	/* a copy, since the analysis writes into what it is given */
	rewritten = linitial_node(Query, pg_analyze_and_rewrite_fixedparams(copyObject(*statement), query, NULL, 0, NULL));

	error_context_stack = context.previous;
	return rewritten;
}

/* The arguments (source text, query text) of the functions below. */
static Source
source_argument(FunctionCallInfo fcinfo)
{
	Source		source;

	source.name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	source.query = text_to_cstring(PG_GETARG_TEXT_PP(1));
	return source;
}

/*
 * source_columns(source text, query text): number, name, type, base type with its
 * modifier, and collation of the result's columns
 *
 * 22023 if the text is not exactly one SELECT that only reads; the parser's
 * own errors (42601, 42P01, 42703 and so on) with the position in the query.
 */
PG_FUNCTION_INFO_V1(segment_source_columns);
Datum
segment_source_columns(PG_FUNCTION_ARGS)
{
	Source		source = source_argument(fcinfo);
	ReturnSetInfo *result;
	ErrorContextCallback context;
	RawStmt    *statement;
	Query	   *query;
	ListCell   *lc;

	context.callback = source_error_context;
	context.arg = &source;
	context.previous = error_context_stack;
	error_context_stack = &context;

	statement = parse_one_select(&source);
	query = parse_analyze_fixedparams(statement, source.query, NULL, 0, NULL);
	if (query->hasModifyingCTE)
		not_one_select(&source, "a query that changes data");
	if (locks_rows((Node *) query, NULL))
		not_one_select(&source, "a query that locks rows");

	error_context_stack = context.previous;

	result = result_set_begin(fcinfo, SOURCE_COLUMNS);
	foreach(lc, query->targetList)
	{
		TargetEntry *column = lfirst_node(TargetEntry, lc);
		Oid			type = exprType((Node *) column->expr);
		int32		modifier = exprTypmod((Node *) column->expr);
		Datum		values[SOURCE_COLUMNS];
		bool		nulls[SOURCE_COLUMNS] = {false};
		Oid			base_type;

		if (column->resjunk)
			continue;
		/* a bare literal becomes text */
		if (type == UNKNOWNOID)
			type = TEXTOID;
		/* of a domain, the modifier of what it is a domain over */
		base_type = getBaseTypeAndTypmod(type, &modifier);
		values[0] = Int32GetDatum(column->resno);
		values[1] = CStringGetTextDatum(column->resname ? column->resname : "?column?");
		values[2] = ObjectIdGetDatum(type);
		values[3] = ObjectIdGetDatum(base_type);
		values[4] = Int32GetDatum(modifier);
		values[5] = ObjectIdGetDatum(exprCollation((Node *) column->expr));
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/*
 * source_statement(source text, query text): the query as it can stand inside parentheses
 *
 * Cuts the statement out of the text at the places where the parser saw it
 * begin and end: without a terminating semicolon and what comes after.
 */
PG_FUNCTION_INFO_V1(segment_source_statement);
Datum
segment_source_statement(PG_FUNCTION_ARGS)
{
	Source		source = source_argument(fcinfo);
	RawStmt    *statement = parse_one_select(&source);
	const char *start = source.query + statement->stmt_location;

	if (statement->stmt_len > 0)
		PG_RETURN_TEXT_P(cstring_to_text_with_len(start, statement->stmt_len));
	PG_RETURN_TEXT_P(cstring_to_text(start));
}

/*
 * equality_operator(type oid): what the type's default operator class calls equal
 *
 * As text for a query, OPERATOR(schema.name).  Other than "=" it does not
 * depend on the search path.  42704 if there is no such type, 42883 if it has
 * none.
 */
PG_FUNCTION_INFO_V1(segment_equality_operator);
Datum
segment_equality_operator(PG_FUNCTION_ARGS)
{
	Oid			type = PG_GETARG_OID(0);
	Oid			operator;
	HeapTuple	tuple;
	Form_pg_operator form;
	char	   *result;

	/* unlike getBaseType, this is prepared for any number */
	(void) lookup_type_cache(type, 0);
	operator = lookup_type_cache(getBaseType(type), TYPECACHE_EQ_OPR)->eq_opr;
	if (!OidIsValid(operator))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("could not identify an equality operator for type %s", format_type_be(type))));
	tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(operator));
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for operator %u", operator);
	form = (Form_pg_operator) GETSTRUCT(tuple);
	result = psprintf("OPERATOR(%s.%s)",
					  quote_identifier(get_namespace_name(form->oprnamespace)), NameStr(form->oprname));
	ReleaseSysCache(tuple);
	PG_RETURN_TEXT_P(cstring_to_text(result));
}
