/*-------------------------------------------------------------------------
 *
 * customer_dependence.c
 *		What the rows of a customer in a source query depend on.
 *
 * A refresh may read only the customers whose rows changed if the rows that
 * the query returns for a customer depend on nothing but the rows of watched
 * tables with that customer's key.  This file proves it from the query's
 * analyzed and rewritten form, or names the first thing that is in the way:
 *
 *  - every table read is watched;
 *  - nothing depends on the clock, the session or chance;
 *  - every watched table is restricted to the customer: its customer column is
 *    the result's first column, or equal to it by a chain of equality conditions
 *    between columns; in subqueries too, where rows are grouped or numbered
 *    within the customer only, and none are cut off by LIMIT.
 *
 * Tables that are watched as a whole (a change in them concerns everybody, as
 * with a table of currencies) need no such condition.
 *
 * It errs on the safe side: what it cannot follow counts as being in the way.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include "access/stratnum.h"
#include "access/transam.h"
#include "catalog/pg_class.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "nodes/parsenodes.h"
#include "nodes/primnodes.h"
#include "optimizer/optimizer.h"
#include "parser/parsetree.h"
#include "rewrite/rewriteManip.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/formatting.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "base/result_row.h"
#include "portfolio/customer_dependence.h"
#include "portfolio/source.h"

/* What is known of the tables, and what was found. */
typedef struct Dependence
{
	WatchedTables watched;
	List	   *tables;			/* OIDs of all tables read */
	char	   *reason;			/* why not, the first one found; or NULL */
} Dependence;

/* A query inside a query, and the columns of its own that equal the customer's key. */
typedef struct Level
{
	Query	   *query;
	struct Level *outer;
	List	   *equalities;		/* pairs of Vars, as lists of two */
	List	   *key_columns;	/* Vars of this level */
	List	   *in_sublinks;	/* SubLinks "x IN (SELECT ...)" that must be
								 * true */
	Bitmapset  *nullable;		/* entries that an outer join fills with nulls */
} Level;

static bool query_is_restricted(Query *query, int key_column, Level *outer, Dependence *dependence);

static void refuse(Dependence *dependence, const char *format,...) pg_attribute_printf(2, 3);

static void
refuse(Dependence *dependence, const char *format,...)
{
	StringInfoData string;

	if (dependence->reason != NULL)
		return;
	initStringInfo(&string);
	for (;;)
	{
		va_list		arguments;
		int			needed;

		va_start(arguments, format);
		needed = appendStringInfoVA(&string, format, arguments);
		va_end(arguments);
		if (needed == 0)
			break;
		enlargeStringInfo(&string, needed);
	}
	dependence->reason = string.data;
}

static char *
relation_name(Oid relation)
{
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relation)), get_rel_name(relation));
}

/* Whether a table is watched, and the number of its customer column. */
bool
table_is_watched(const WatchedTables *watched, Oid relation, AttrNumber *customer_column)
{
	for (int i = 0; i < watched->count; i++)
	{
		if (watched->tables[i] == relation)
		{
			*customer_column = watched->customer_columns[i];
			return true;
		}
	}
	return false;
}

static bool
is_watched(const Dependence *dependence, Oid relation, AttrNumber *customer_column)
{
	return table_is_watched(&dependence->watched, relation, customer_column);
}

/* ---------- the clock, the session, chance ---------- */

/*
 * Whether a function's result depends on its arguments, the settings that a
 * refresh fixes, and nothing else.  Of the stable functions only the server's
 * own are known well enough: those with arguments depend on settings such as
 * the time zone, except those that look at the catalog or at the clock.
 */
static bool
function_is_reproducible(Oid function)
{
	static const char *const excluded[] = {"pg_", "has_", "inet_", "txid_", "to_reg", "table_to_xml",
		"query_to_xml", "schema_to_xml", "database_to_xml", "cursor_to_xml", "current_",
		"col_description", "obj_description", "shobj_description", "row_security_active", "lo_",
	"age", "format_type", "is_schema_", "ts_"};
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Form_pg_proc form;
	bool		reproducible;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", function);
	form = (Form_pg_proc) GETSTRUCT(tuple);
	reproducible = form->provolatile == PROVOLATILE_IMMUTABLE ||
		(form->provolatile == PROVOLATILE_STABLE && form->pronamespace == PG_CATALOG_NAMESPACE &&
		 function < FirstUnpinnedObjectId && form->pronargs > 0);
	if (reproducible && form->provolatile == PROVOLATILE_STABLE)
	{
		for (int i = 0; i < lengthof(excluded); i++)
		{
			if (strncmp(NameStr(form->proname), excluded[i], strlen(excluded[i])) == 0)
				reproducible = false;
		}
	}
	ReleaseSysCache(tuple);
	return reproducible;
}

static bool
function_is_not_reproducible(Oid function, void *context)
{
	if (function_is_reproducible(function))
		return false;
	refuse((Dependence *) context, "function %s may depend on more than the tables", format_procedure(function));
	return true;
}

/* Whether an expression or query, at any depth, depends on more than tables. */
static bool
find_not_reproducible(Node *node, void *context)
{
	Dependence *dependence = (Dependence *) context;

	if (node == NULL)
		return false;
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, find_not_reproducible, context, QTW_EXAMINE_RTES_BEFORE);
	if (IsA(node, RangeTblEntry))
	{
		RangeTblEntry *entry = (RangeTblEntry *) node;

		if (entry->rtekind == RTE_RELATION && entry->tablesample != NULL)
			refuse(dependence, "the query takes a sample of a table");
		/* go on to the expressions in it */
		return dependence->reason != NULL;
	}
	if (IsA(node, SQLValueFunction))
	{
		switch (((SQLValueFunction *) node)->op)
		{
				/* the portfolio's owner and database, in every refresh */
			case SVFOP_CURRENT_ROLE:
			case SVFOP_CURRENT_USER:
			case SVFOP_USER:
			case SVFOP_CURRENT_CATALOG:
			case SVFOP_CURRENT_SCHEMA:
				break;
			case SVFOP_SESSION_USER:
				refuse(dependence, "session_user depends on who refreshes");
				return true;
			default:
				refuse(dependence, "the current date or time is not part of the tables");
				return true;
		}
	}
	if (IsA(node, NextValueExpr))
	{
		refuse(dependence, "the query depends on more than the tables");
		return true;
	}
	if (check_functions_in_node(node, function_is_not_reproducible, context))
		return true;
	return expression_tree_walker(node, find_not_reproducible, context);
}

/*
 * Literals such as 'today', which are a date by the time the query is analyzed.
 */
static bool
find_clock_literal(Node *node, void *context)
{
	static const char *const words[] = {"now", "today", "tomorrow", "yesterday"};

	if (node == NULL)
		return false;
	if (IsA(node, A_Const))
	{
		A_Const    *literal = (A_Const *) node;

		if (!literal->isnull && IsA(&literal->val, String))
		{
			char	   *string = asc_tolower(strVal(&literal->val), strlen(strVal(&literal->val)));

			string += strspn(string, " \t\r\n");
			for (int i = 0; i < lengthof(words); i++)
			{
				size_t		length = strlen(words[i]);

				if (strncmp(string, words[i], length) == 0 &&
					string[length + strspn(string + length, " \t\r\n")] == '\0')
				{
					refuse((Dependence *) context, "'%s' depends on the clock", words[i]);
					return true;
				}
			}
		}
		return false;
	}
	return raw_expression_tree_walker(node, find_clock_literal, context);
}

/* ---------- the tables ---------- */

/*
 * The tables that a query reads, at any depth; only those in the FROM of some
 * level, since the entry of a view itself remains in the range table.
 */
static bool
find_tables(Node *node, void *context)
{
	Dependence *dependence = (Dependence *) context;
	ListCell   *lc;

	if (node == NULL)
		return false;
	if (!IsA(node, Query))
		return expression_tree_walker(node, find_tables, context);

	foreach(lc, ((Query *) node)->rtable)
	{
		RangeTblEntry *entry = lfirst_node(RangeTblEntry, lc);

		if (entry->rtekind == RTE_RELATION && entry->relkind != RELKIND_VIEW)
			dependence->tables = list_append_unique_oid(dependence->tables, entry->relid);
	}
	return query_tree_walker((Query *) node, find_tables, context, 0);
}

static void
check_watched(Dependence *dependence)
{
	ListCell   *lc;

	foreach(lc, dependence->tables)
	{
		Oid			table = lfirst_oid(lc);
		AttrNumber	column;

		if (is_watched(dependence, table, &column))
			continue;
		switch (get_rel_relkind(table))
		{
			case RELKIND_RELATION:
			case RELKIND_PARTITIONED_TABLE:
				refuse(dependence, "table %s is not watched", relation_name(table));
				break;
			default:
				refuse(dependence, "%s is not a table that can be watched", relation_name(table));
		}
	}
}

/*
 * Whether a query reads, at any depth, a table that has a customer column; the
 * context are the WatchedTables.
 */
bool
query_reads_customers(Node *node, void *context)
{
	ListCell   *lc;

	if (node == NULL)
		return false;
	if (!IsA(node, Query))
		return expression_tree_walker(node, query_reads_customers, context);
	foreach(lc, ((Query *) node)->rtable)
	{
		RangeTblEntry *entry = lfirst_node(RangeTblEntry, lc);
		AttrNumber	column;

		/* a CTE that is not followed here may read anything */
		if (entry->rtekind == RTE_CTE && entry->ctelevelsup > 0)
			return true;
		if (entry->rtekind == RTE_RELATION && table_is_watched((WatchedTables *) context, entry->relid, &column) &&
			column != 0)
			return true;
	}
	return query_tree_walker((Query *) node, query_reads_customers, context, 0);
}

/* ---------- columns that equal the key ---------- */

/* What a type's default operator class, which keys are compared by, belongs to. */
static Oid
comparison_family(Oid type)
{
	return lookup_type_cache(getBaseType(type), TYPECACHE_BTREE_OPFAMILY)->btree_opf;
}

/*
 * The column that an expression is, or NULL.  It may be labeled as another
 * type, if that one compares alike (varchar as text, but not citext as text).
 */
static Var *
plain_column(Node *node)
{
	while (node != NULL && IsA(node, RelabelType))
	{
		Node	   *argument = (Node *) ((RelabelType *) node)->arg;

		if (comparison_family(exprType(node)) != comparison_family(exprType(argument)))
			return NULL;
		node = argument;
	}
	return node != NULL && IsA(node, Var) ? (Var *) node : NULL;
}

/* Whether a column, seen from a level, equals the customer's key. */
static bool
column_equals_key(const Level *level, const Var *var)
{
	ListCell   *lc;

	for (Index up = var->varlevelsup; up > 0 && level != NULL; up--)
		level = level->outer;
	if (level == NULL)
		return false;
	foreach(lc, level->key_columns)
	{
		Var		   *key_column = lfirst_node(Var, lc);

		if (key_column->varno == var->varno && key_column->varattno == var->varattno)
			return true;
	}
	return false;
}

/*
 * Draws the conclusions from the equalities; what is known of a column of an
 * outer level does not change here.
 */
static void
close_equalities(Level *level)
{
	bool		more = true;

	while (more)
	{
		ListCell   *lc;

		more = false;
		foreach(lc, level->equalities)
		{
			List	   *pair = lfirst_node(List, lc);

			for (int side = 0; side < 2; side++)
			{
				Var		   *known = (Var *) list_nth(pair, side);
				Var		   *other = (Var *) list_nth(pair, 1 - side);

				if (other->varlevelsup == 0 && column_equals_key(level, known) && !column_equals_key(level, other))
				{
					level->key_columns = lappend(level->key_columns, other);
					more = true;
				}
			}
		}
	}
}

/* Whether an operator is the equality that keys of its arguments' type are compared by. */
static bool
is_equality(const OpExpr *operator)
{
	Oid			family;

	if (list_length(operator->args) != 2)
		return false;
	family = comparison_family(exprType((Node *) linitial(operator->args)));
	return OidIsValid(family) && get_op_opfamily_strategy(operator->opno, family) == BTEqualStrategyNumber;
}

/*
 * Collects the equalities in a condition that must be true.  In the condition
 * of an outer join only those count that concern the side which is filled with
 * nulls: it does not take rows away from the other.
 */
static void
collect_equalities(Level *level, Node *condition, Bitmapset *nullable)
{
	if (condition == NULL)
		return;
	if (IsA(condition, List))
	{
		ListCell   *lc;

		foreach(lc, (List *) condition)
			collect_equalities(level, (Node *) lfirst(lc), nullable);
	}
	else if (IsA(condition, BoolExpr) && ((BoolExpr *) condition)->boolop == AND_EXPR)
		collect_equalities(level, (Node *) ((BoolExpr *) condition)->args, nullable);
	else if (IsA(condition, OpExpr) && is_equality((OpExpr *) condition))
	{
		Var		   *left = plain_column((Node *) linitial(((OpExpr *) condition)->args));
		Var		   *right = plain_column((Node *) lsecond(((OpExpr *) condition)->args));

		if (left != NULL && right != NULL &&
			(nullable == NULL ||
			 (left->varlevelsup == 0 && bms_is_member(left->varno, nullable)) ||
			 (right->varlevelsup == 0 && bms_is_member(right->varno, nullable))))
			level->equalities = lappend(level->equalities, list_make2(left, right));
	}
	else if (IsA(condition, SubLink) && ((SubLink *) condition)->subLinkType == ANY_SUBLINK && nullable == NULL)
		level->in_sublinks = lappend(level->in_sublinks, condition);
}

/* The range table entries in a part of the FROM. */
Bitmapset *
query_from_entries(Node *node)
{
	Bitmapset  *entries = NULL;
	ListCell   *lc;

	if (node == NULL)
		return NULL;
	if (IsA(node, RangeTblRef))
		return bms_make_singleton(((RangeTblRef *) node)->rtindex);
	if (IsA(node, JoinExpr))
		return bms_union(query_from_entries(((JoinExpr *) node)->larg), query_from_entries(((JoinExpr *) node)->rarg));
	foreach(lc, castNode(FromExpr, node)->fromlist)
		entries = bms_union(entries, query_from_entries((Node *) lfirst(lc)));
	return entries;
}

/* Those that a join fills with nulls. */
Bitmapset *
query_nullable_entries(const JoinExpr *join)
{
	Bitmapset  *nullable = NULL;

	if (join->jointype == JOIN_LEFT || join->jointype == JOIN_FULL)
		nullable = bms_union(nullable, query_from_entries(join->rarg));
	if (join->jointype == JOIN_RIGHT || join->jointype == JOIN_FULL)
		nullable = bms_union(nullable, query_from_entries(join->larg));
	return nullable;
}

static void
collect_from(Level *level, Node *node)
{
	ListCell   *lc;

	if (node == NULL || IsA(node, RangeTblRef))
		return;
	if (IsA(node, JoinExpr))
	{
		JoinExpr   *join = (JoinExpr *) node;
		Bitmapset  *nullable = query_nullable_entries(join);

		level->nullable = bms_union(level->nullable, nullable);
		collect_equalities(level, join->quals, nullable);
		collect_from(level, join->larg);
		collect_from(level, join->rarg);
		return;
	}
	foreach(lc, castNode(FromExpr, node)->fromlist)
		collect_from(level, (Node *) lfirst(lc));
	collect_equalities(level, castNode(FromExpr, node)->quals, NULL);
}

/* ---------- the proof, level by level ---------- */

/*
 * The query of a WITH item that an entry refers to, or NULL, and the level
 * where it is written, from which its own names are looked up.
 */
static Query *
cte_query(Level *level, const RangeTblEntry *entry, Level **written)
{
	ListCell   *lc;

	for (Index up = entry->ctelevelsup; up > 0 && level != NULL; up--)
		level = level->outer;
	*written = level;
	if (level == NULL || entry->self_reference)
		return NULL;
	foreach(lc, level->query->cteList)
	{
		CommonTableExpr *item = lfirst_node(CommonTableExpr, lc);

		if (strcmp(item->ctename, entry->ctename) == 0)
			return item->cterecursive ? NULL : castNode(Query, item->ctequery);
	}
	return NULL;
}

/*
 * Whether a subquery in the FROM of a level, written in that one or an outer
 * one, is restricted by one of its columns, or from outside.  If not, the
 * first trial's reason is the one to tell.
 */
static bool
subquery_is_restricted(Query *subquery, Index entry, Level *level, Level *written, Dependence *dependence)
{
	char	   *before = dependence->reason;
	char	   *first = NULL;
	ListCell   *lc;

	foreach(lc, level->key_columns)
	{
		Var		   *key_column = lfirst_node(Var, lc);

		if (key_column->varno != entry || key_column->varattno <= 0)
			continue;
		if (query_is_restricted(subquery, key_column->varattno, written, dependence))
			return true;
		if (first == NULL)
			first = dependence->reason;
		dependence->reason = before;
	}
	if (query_is_restricted(subquery, 0, written, dependence))
		return true;
	if (before == NULL && first != NULL)
		dependence->reason = first;
	return false;
}

static bool
entry_is_restricted(Index index, Level *level, Dependence *dependence)
{
	RangeTblEntry *entry = rt_fetch(index, level->query->rtable);
	AttrNumber	column;
	Query	   *subquery;
	Level	   *written;

	switch (entry->rtekind)
	{
		case RTE_RELATION:
			if (!is_watched(dependence, entry->relid, &column) || column == 0)
				return true;
			if (column_equals_key(level, makeVar(index, column, InvalidOid, -1, InvalidOid, 0)))
				return true;
			refuse(dependence, "no condition ties column %s of table %s to the customer",
				   quote_identifier(get_attname(entry->relid, column, false)), relation_name(entry->relid));
			return false;
		case RTE_SUBQUERY:
			return subquery_is_restricted(entry->subquery, index, level, level, dependence);
		case RTE_CTE:
			subquery = cte_query(level, entry, &written);
			if (subquery != NULL)
				return subquery_is_restricted(subquery, index, level, written, dependence);
			refuse(dependence, "the query is recursive");
			return false;
		case RTE_FUNCTION:
		case RTE_TABLEFUNC:
		case RTE_VALUES:
		case RTE_RESULT:
			return true;
		default:
			refuse(dependence, "the query reads what cannot be watched");
			return false;
	}
}

static bool
all_entries_are_restricted(Level *level, Dependence *dependence)
{
	Bitmapset  *entries = query_from_entries((Node *) level->query->jointree);
	int			index = -1;

	while ((index = bms_next_member(entries, index)) >= 0)
	{
		if (!entry_is_restricted(index, level, dependence))
			return false;
	}
	return true;
}

/* The arms of UNION and so on: each by itself, since equal rows have equal keys. */
static bool
arms_are_restricted(Node *node, int key_column, Level *level, Dependence *dependence)
{
	if (IsA(node, RangeTblRef))
		return query_is_restricted(rt_fetch(((RangeTblRef *) node)->rtindex, level->query->rtable)->subquery,
								   key_column, level, dependence);
	return arms_are_restricted(castNode(SetOperationStmt, node)->larg, key_column, level, dependence) &&
		arms_are_restricted(castNode(SetOperationStmt, node)->rarg, key_column, level, dependence);
}

/* Whether one of the columns that a clause sorts or groups by equals the key. */
static bool
clause_has_key(List *clause, const Level *level)
{
	ListCell   *lc;

	foreach(lc, clause)
	{
		Var		   *var = plain_column(get_sortgroupclause_expr(lfirst_node(SortGroupClause, lc),
																level->query->targetList));

		if (var != NULL && column_equals_key(level, var))
			return true;
	}
	return false;
}

/*
 * Whether what a level does with its rows stays within a customer.  Grouping
 * does: the key's column stands outside of aggregates, so it has one value in
 * each group.
 */
static bool
level_stays_within_key(const Level *level, Dependence *dependence)
{
	Query	   *query = level->query;
	ListCell   *lc;

	if (query->limitCount != NULL || query->limitOffset != NULL)
		refuse(dependence, "LIMIT or OFFSET counts the rows of all customers");
	if (query->groupingSets != NIL)
		refuse(dependence, "grouping sets join customers");
	if (query->hasDistinctOn && !clause_has_key(query->distinctClause, level))
		refuse(dependence, "DISTINCT ON compares the rows of several customers");
	foreach(lc, query->windowClause)
	{
		if (!clause_has_key(lfirst_node(WindowClause, lc)->partitionClause, level))
			refuse(dependence, "a window function looks at the rows of several customers");
	}
	return dependence->reason == NULL;
}

typedef struct SublinkContext
{
	Level	   *level;
	Dependence *dependence;
} SublinkContext;

/* The column of "x IN (SELECT column ...)" that equals the key because x does, or 0. */
static int
in_sublink_column(const SubLink *sublink, const Level *level)
{
	OpExpr	   *test = (OpExpr *) sublink->testexpr;
	Var		   *var;
	Node	   *param;

	if (!list_member_ptr(level->in_sublinks, sublink) || test == NULL || !IsA(test, OpExpr) || !is_equality(test))
		return 0;
	var = plain_column((Node *) linitial(test->args));
	param = (Node *) lsecond(test->args);
	while (IsA(param, RelabelType))
		param = (Node *) ((RelabelType *) param)->arg;
	if (var == NULL || !column_equals_key(level, var) || !IsA(param, Param))
		return 0;
	return ((Param *) param)->paramid;
}

/* Whether an expression has a subquery that is not restricted. */
static bool
find_unrestricted_sublink(Node *node, void *context)
{
	SublinkContext *sublinks = (SublinkContext *) context;

	if (node == NULL)
		return false;
	if (IsA(node, SubLink))
	{
		SubLink    *sublink = (SubLink *) node;
		int			column = in_sublink_column(sublink, sublinks->level);

		if (!query_is_restricted(castNode(Query, sublink->subselect), column, sublinks->level, sublinks->dependence))
			return true;
		return find_unrestricted_sublink(sublink->testexpr, context);
	}
	if (IsA(node, RangeTblEntry))
		return false;
	/* those in the FROM are looked at as such */
	if (IsA(node, Query))
		return false;
	return expression_tree_walker(node, find_unrestricted_sublink, context);
}

/*
 * A copy with join columns and, from 18 on, grouped ones as what they stand for.
 */
Query *
query_without_aliases(Query *original)
{
	Query	   *query = copyObject(original);

#if PG_VERSION_NUM >= 160000
#define FLATTEN(node)	((void *) flatten_join_alias_vars(NULL, query, (Node *) (node)))
#else
#define FLATTEN(node)	((void *) flatten_join_alias_vars(query, (Node *) (node)))
#endif
	ListCell   *lc;

#if PG_VERSION_NUM >= 180000
	if (query->hasGroupRTE)
	{
		query->targetList = (List *) flatten_group_exprs(NULL, query, (Node *) query->targetList);
		query->havingQual = flatten_group_exprs(NULL, query, query->havingQual);
	}
#endif
	query->targetList = FLATTEN(query->targetList);
	query->jointree = FLATTEN(query->jointree);
	query->havingQual = FLATTEN(query->havingQual);
	foreach(lc, query->rtable)
	{
		RangeTblEntry *entry = lfirst_node(RangeTblEntry, lc);

		if (entry->rtekind == RTE_SUBQUERY && entry->lateral)
			entry->subquery = FLATTEN(entry->subquery);
		else if (entry->rtekind == RTE_FUNCTION && entry->lateral)
			entry->functions = FLATTEN(entry->functions);
		else if (entry->rtekind == RTE_VALUES && entry->lateral)
			entry->values_lists = FLATTEN(entry->values_lists);
		entry->securityQuals = FLATTEN(entry->securityQuals);
	}
	return query;
}

static bool
sublinks_are_restricted(Level *level, Dependence *dependence)
{
	SublinkContext context = {level, dependence};

	/* expressions of this level only, in all places where they can stand */
	return !query_tree_walker(level->query, find_unrestricted_sublink, &context,
							  QTW_IGNORE_RT_SUBQUERIES | QTW_IGNORE_CTE_SUBQUERIES | QTW_EXAMINE_SORTGROUP) ||
		(refuse(dependence, "a subquery may concern other customers"), false);
}

/*
 * Whether the rows that a query returns with a key in a column (0: all rows,
 * where the outer query restricts it) depend on rows with that key only.
 */
static bool
query_is_restricted(Query *original, int key_column, Level *outer, Dependence *dependence)
{
	Level		level = {0};
	char	   *before = dependence->reason;
	Var		   *key = NULL;

	CHECK_FOR_INTERRUPTS();
	check_stack_depth();
	if (!query_reads_customers((Node *) original, &dependence->watched))
		return true;

	level.query = query_without_aliases(original);
	level.outer = outer;
	if (level.query->setOperations != NULL)
	{
		if (key_column == 0 ||
			!arms_are_restricted(level.query->setOperations, key_column, &level, dependence))
		{
			refuse(dependence, "a subquery may concern other customers");
			return false;
		}
		return level_stays_within_key(&level, dependence) && sublinks_are_restricted(&level, dependence);
	}

	collect_from(&level, (Node *) level.query->jointree);
	/* restricted from outside alone: then all of its rows are one customer's */
	close_equalities(&level);
	if (outer != NULL && all_entries_are_restricted(&level, dependence))
		return sublinks_are_restricted(&level, dependence);
	if (outer != NULL && key_column == 0)
		return false;
	dependence->reason = before;

	if (key_column > 0)
	{
		TargetEntry *column = get_tle_by_resno(level.query->targetList, key_column);

		key = column != NULL ? plain_column((Node *) column->expr) : NULL;
	}
	if (key == NULL || key->varlevelsup > 0)
	{
		refuse(dependence, "the customer's key is computed, not a column of a table");
		return false;
	}
	/* rows without a key would come and go with rows that have one */
	if (bms_is_member(key->varno, level.nullable))
	{
		refuse(dependence, "an outer join may leave rows without a customer");
		return false;
	}
	level.key_columns = lappend(level.key_columns, key);
	close_equalities(&level);
	return all_entries_are_restricted(&level, dependence) && level_stays_within_key(&level, dependence) &&
		sublinks_are_restricted(&level, dependence);
}

/* ---------- from SQL ---------- */

/* The arguments watched oid[], customer_columns smallint[]. */
void
watched_tables_argument(WatchedTables *watched, ArrayType *tables, ArrayType *columns)
{
	Datum	   *values;
	Datum	   *numbers;
	bool	   *nulls;
	int			ncolumns;

	deconstruct_array(tables, OIDOID, sizeof(Oid), true, TYPALIGN_INT, &values, &nulls, &watched->count);
	deconstruct_array(columns, INT2OID, sizeof(int16), true, TYPALIGN_SHORT, &numbers, &nulls, &ncolumns);
	if (watched->count != ncolumns || array_contains_nulls(tables) || array_contains_nulls(columns))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("watched tables and their columns must be equally many, and not null")));
	watched->tables = palloc_array(Oid, ncolumns + 1);
	watched->customer_columns = palloc_array(int16, ncolumns + 1);
	for (int i = 0; i < ncolumns; i++)
	{
		Oid			relation = DatumGetObjectId(values[i]);
		int16		column = DatumGetInt16(numbers[i]);

		/* a table that is gone is in no query */
		if (column != 0 && get_rel_name(relation) != NULL && get_attname(relation, column, true) == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("table %s has no column %d", relation_name(relation), column)));
		watched->tables[i] = relation;
		watched->customer_columns[i] = column;
	}
}

/*
 * source_dependence(source text, query text, watched oid[], customer_columns smallint[],
 *					 OUT tables oid[], OUT obstacle text, OUT form text)
 *
 * For tables that are watched, each with the number of its customer column or
 * 0, what is in the way of reading only some customers, or NULL; the tables
 * that the query reads; and its analyzed form as text, which changes when a
 * view in it does.  Errors as source_columns.
 */
PG_FUNCTION_INFO_V1(segment_source_dependence);
Datum
segment_source_dependence(PG_FUNCTION_ARGS)
{
	Dependence	dependence = {0};
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char	   *query_text = text_to_cstring(PG_GETARG_TEXT_PP(1));
	RawStmt    *statement;
	Query	   *query;
	Datum	   *tables;
	Datum		values[3];
	bool		nulls[3] = {false};
	int			ntables = 0;
	ListCell   *lc;

	watched_tables_argument(&dependence.watched, PG_GETARG_ARRAYTYPE_P(2), PG_GETARG_ARRAYTYPE_P(3));

	query = source_rewritten(name, query_text, &statement);
	find_clock_literal(statement->stmt, &dependence);
	values[2] = CStringGetTextDatum(nodeToString(query));
	find_tables((Node *) query, &dependence);
	check_watched(&dependence);
	if (dependence.reason == NULL)
		find_not_reproducible((Node *) query, &dependence);
	if (dependence.reason == NULL)
		query_is_restricted(query, 1, NULL, &dependence);

	tables = palloc_array(Datum, list_length(dependence.tables) + 1);
	foreach(lc, dependence.tables)
		tables[ntables++] = ObjectIdGetDatum(lfirst_oid(lc));
	values[0] = PointerGetDatum(construct_array(tables, ntables, OIDOID, sizeof(Oid), true, TYPALIGN_INT));
	nulls[1] = dependence.reason == NULL;
	values[1] = nulls[1] ? (Datum) 0 : CStringGetTextDatum(dependence.reason);
	PG_RETURN_DATUM(row_form(result_row(fcinfo, lengthof(values)), values, nulls));
}
