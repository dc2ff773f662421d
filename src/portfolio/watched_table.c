/*-------------------------------------------------------------------------
 *
 * watched_table.c
 *		The table watched_table of a portfolio: which tables are watched, and how
 *		their changes are told.
 *
 * It is read from the file, so that no query is planned and nobody's code is run,
 * neither with the rights of who writes to a watched table nor with others.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include "access/relation.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

#include "base/append.h"
#include "portfolio/watched_table.h"


/* Columns of the table watched_table, as sql/portfolio/watch.sql creates it. */
enum
{
	Anum_watched_relation = 1,
	Anum_watched_column = 2,
	Anum_watched_portfolio = 3,
	Anum_watched_log = 4,
};

/* A scan of the table watched_table, which runs nobody's code. */
typedef struct WatchedScan
{
	Relation	relation;
	Snapshot	snapshot;
	TableScanDesc scan;
	TupleTableSlot *slot;
} WatchedScan;

/*
 * Begins a scan, where the table is one: of its rows as they are now, whatever
 * the transaction has seen so far, or as the calling query sees them, which is
 * all that a parallel plan can.  The lock is not kept: whoever renames the table
 * need not wait for writers, since refresh looks for those who may not have
 * found it (see segment_internal.watch_settle).
 */
static bool
watched_begin(WatchedScan *watched, Oid table, bool latest)
{
	TupleDesc	description;

	watched->relation = try_relation_open(table, AccessShareLock);
	if (watched->relation == NULL)
		return false;
	description = RelationGetDescr(watched->relation);
	if (watched->relation->rd_rel->relkind != RELKIND_RELATION ||
		!table_has_column(description, Anum_watched_relation, TEXTOID) ||
		!table_has_column(description, Anum_watched_column, TEXTOID) ||
		!table_has_column(description, Anum_watched_portfolio, TEXTOID) ||
		!table_has_column(description, Anum_watched_log, TEXTOID))
	{
		relation_close(watched->relation, AccessShareLock);
		return false;
	}
	watched->snapshot = RegisterSnapshot(latest ? GetLatestSnapshot() : GetActiveSnapshot());
	watched->scan = table_scan_start(watched->relation, watched->snapshot);
	watched->slot = table_slot_create(watched->relation, NULL);
	return true;
}

static void
watched_end(WatchedScan *watched)
{
	ExecDropSingleTupleTableSlot(watched->slot);
	table_endscan(watched->scan);
	UnregisterSnapshot(watched->snapshot);
	relation_close(watched->relation, AccessShareLock);
}

/* A column of the row that the scan is at, or NULL. */
static char *
watched_value(WatchedScan *watched, AttrNumber attribute)
{
	bool		isnull;
	Datum		value = slot_getattr(watched->slot, attribute, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

/*
 * Skips an identifier, quoted or not, if it is this name; else returns NULL.
 */
static const char *
skip_identifier(const char *string, const char *name)
{
	bool		quoted = *string == '"';

	for (string += quoted; *name != '\0'; name++, string++)
	{
		if (*string != *name)
			return NULL;
		/* a quote within quotes is written twice */
		if (*string == '"' && *++string != '"')
			return NULL;
	}
	if (!quoted)
		return string;
	return *string == '"' ? string + 1 : NULL;
}

/*
 * Whether a qualified name is that of a relation.  It is taken apart, and not
 * compared with a name made here, since how names are quoted depends on a
 * setting of the session that writes (quote_all_identifiers).
 */
static bool
is_name_of(const char *string, Relation relation)
{
	char	   *namespace = get_namespace_name(RelationGetNamespace(relation));

	string = namespace == NULL ? NULL : skip_identifier(string, namespace);
	if (string == NULL || *string != '.')
		return false;
	string = skip_identifier(string + 1, RelationGetRelationName(relation));
	return string != NULL && *string == '\0';
}

/*
 * The row of the table watched_table for a relation: whether there is one, and
 * the column and the log that it names, or NULL.
 */
bool
watched_table_find(Oid watched_table, Relation relation, char **column, char **log)
{
	WatchedScan watched;
	bool		found = false;

	if (!watched_begin(&watched, watched_table, true))
		return false;
	/* a handful of rows, so that an index would take longer */
	while (!found && table_scan_getnextslot(watched.scan, ForwardScanDirection, watched.slot))
	{
		char	   *name = watched_value(&watched, Anum_watched_relation);

		CHECK_FOR_INTERRUPTS();
		found = name != NULL && is_name_of(name, relation);
		if (found)
		{
			*column = watched_value(&watched, Anum_watched_column);
			*log = watched_value(&watched, Anum_watched_log);
		}
	}
	watched_end(&watched);
	return found;
}

/*
 * watch_names(portfolio name): text[]
 *
 * The names of the portfolio that its triggers bear: all in the column
 * portfolio of its table watched_table, which keeps what the schema was called
 * when segment.watch made them.  None for whoever does not have the rights of
 * that table's owner.  Read from the file, since a superuser may drop a
 * portfolio whose owner put a view in the table's place.
 */
PG_FUNCTION_INFO_V1(segment_watch_names);
Datum
segment_watch_names(PG_FUNCTION_ARGS)
{
	Oid			namespace = get_namespace_oid(text_to_cstring(PG_GETARG_TEXT_PP(0)), true);
	Oid			table = OidIsValid(namespace) ? get_relname_relid("watched_table", namespace) : InvalidOid;
	ArrayBuildState *names = initArrayResult(TEXTOID, CurrentMemoryContext, false);
	WatchedScan watched;

	if (OidIsValid(table) && watched_begin(&watched, table, false))
	{
		if (has_privs_of_role(GetUserId(), watched.relation->rd_rel->relowner))
			while (table_scan_getnextslot(watched.scan, ForwardScanDirection, watched.slot))
			{
				char	   *name = watched_value(&watched, Anum_watched_portfolio);

				CHECK_FOR_INTERRUPTS();
				if (name != NULL)
					names = accumArrayResult(names, CStringGetTextDatum(name), false, TEXTOID, CurrentMemoryContext);
			}
		watched_end(&watched);
	}
	PG_RETURN_DATUM(makeArrayResult(names, CurrentMemoryContext));
}
