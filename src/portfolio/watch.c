/*-------------------------------------------------------------------------
 *
 * watch.c
 *		The trigger that notes which customers' rows a statement changed.
 *
 * It fires once per statement on the tables that segment.watch was given, and
 * appends the keys of the customers concerned, each once, to the table
 * changed_customer of the portfolio; the next refresh reads only those.
 *
 * The statement is somebody's who runs a shop and may have no rights on the
 * portfolio, so the trigger writes without asking for any, straight into the
 * table's file: no query is planned, and nobody's code is run, neither with the
 * rights of the writer nor with those of the portfolio's owner.  Nothing that
 * happens to the portfolio or to the table's columns may make the statement
 * fail: where the keys cannot be told any more, "everybody" is noted; where
 * something hangs on changed_customer (an index, a trigger, a constraint), a
 * row in the table unnoted_change tells the next refresh to read everything;
 * and a portfolio that is gone notes nothing.  Rows are only ever appended,
 * without an index, so that writers never wait for each other.
 *
 * Where all sources that read a table are linear (src/portfolio/linear_source.c),
 * the trigger does not note keys but appends the changed rows themselves, as far
 * as the sources read them, to a log: the old ones with the sign -1, the new ones
 * with 1.  Rows that are the same before and after, in these columns, are left
 * out.  Where that is not possible, or so many rows changed that reading them from
 * the table is cheaper, the keys are noted as elsewhere: whoever has a note is
 * read from the table, whatever the logs say.
 *
 * Rows that logical replication brings fire no triggers of statements.  Where
 * the portfolio's owner owns the table too, a trigger of rows, which fires in
 * replicating sessions only, notes "everybody" for them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include "access/heapam.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "common/hashfn.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "parser/parse_coerce.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/tuplestore.h"
#include "utils/xid8.h"

#include "portfolio/linear_source.h"

/* Columns of the table watched_table, as sql/portfolio/watch.sql creates it. */
enum
{
	Anum_watched_relation = 1,
	Anum_watched_column = 2,
	Anum_watched_portfolio = 3,
	Anum_watched_log = 4,
};

/*
 * Columns of the tables that take notes: changed_customer has two, and
 * unnoted_change, where a row as such is the note, none.
 */
enum
{
	Anum_changed_customer = 1,
	Anum_changed_everybody = 2,
	Natts_changed = 2,
	Natts_unnoted = 0,
};

/*
 * Where more customers have changed than this share of all, and than the least,
 * reading everything is cheaper.  A statement that concerns more is noted as
 * everybody.
 */
#define CHANGED_SHARE	0.2
#define CHANGED_LEAST	1000

/*
 * A statement that changes more than this share of a table's rows, and than
 * CHANGED_LEAST, is not logged row by row: reading the customers is cheaper.
 */
#define LOGGED_SHARE	0.1

/* The distinct keys of a statement, by their bytes. */
typedef struct KeyEntry
{
	Datum		key;
	uint32		hash;
	char		status;
} KeyEntry;

typedef struct KeyType
{
	Oid			type;
	int16		length;
	bool		by_value;
} KeyType;

#define SH_PREFIX keyset
#define SH_ELEMENT_TYPE KeyEntry
#define SH_KEY_TYPE Datum
#define SH_KEY key
#define SH_HASH_KEY(table, k) \
	datum_image_hash(k, ((KeyType *) (table)->private_data)->by_value, ((KeyType *) (table)->private_data)->length)
#define SH_EQUAL(table, a, b) \
	datum_image_eq(a, b, ((KeyType *) (table)->private_data)->by_value, ((KeyType *) (table)->private_data)->length)
#define SH_STORE_HASH
#define SH_GET_HASH(table, entry) ((entry)->hash)
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

/* What a statement changed. */
typedef struct Changed
{
	KeyType		key_type;
	keyset_hash *keys;
	uint64		limit;			/* more keys than this are everybody */
	bool		null_key;		/* rows without a customer */
	bool		everybody;
} Changed;

/* How values of one type become keys of another. */
typedef enum Conversion
{
	CONVERSION_NONE,			/* it is the key's type */
	CONVERSION_BINARY,			/* another type, the same bytes */
	CONVERSION_INTEGER,			/* from one integer type to another */
	CONVERSION_IMPOSSIBLE
} Conversion;

static bool
is_integer(Oid type)
{
	return type == INT2OID || type == INT4OID || type == INT8OID;
}

/*
 * The one place that says which columns can be followed to a key.
 */
static Conversion
key_conversion(Oid column_type, Oid key_type)
{
	column_type = getBaseType(column_type);
	if (column_type == key_type)
		return CONVERSION_NONE;
	if (is_integer(column_type) && is_integer(key_type))
		return CONVERSION_INTEGER;
	if (IsBinaryCoercible(column_type, key_type))
		return CONVERSION_BINARY;
	return CONVERSION_IMPOSSIBLE;
}

/*
 * key_conversion(column_type oid, key_type oid): text
 *
 * 'none', 'binary' or 'integer' as above, or NULL where values of the one are
 * not keys of the other, or where there is no such type.
 */
PG_FUNCTION_INFO_V1(segment_key_conversion_text);
Datum
segment_key_conversion_text(PG_FUNCTION_ARGS)
{
	Oid			column_type = PG_GETARG_OID(0);
	Oid			key_type = PG_GETARG_OID(1);

	if (!SearchSysCacheExists1(TYPEOID, ObjectIdGetDatum(column_type)) ||
		!SearchSysCacheExists1(TYPEOID, ObjectIdGetDatum(key_type)))
		PG_RETURN_NULL();
	switch (key_conversion(column_type, getBaseType(key_type)))
	{
		case CONVERSION_NONE:
			PG_RETURN_TEXT_P(cstring_to_text("none"));
		case CONVERSION_BINARY:
			PG_RETURN_TEXT_P(cstring_to_text("binary"));
		case CONVERSION_INTEGER:
			PG_RETURN_TEXT_P(cstring_to_text("integer"));
		case CONVERSION_IMPOSSIBLE:
			break;
	}
	PG_RETURN_NULL();
}

/*
 * Converts an integer, and says whether it fits.
 */
static bool
convert_integer(Datum *value, Oid from, Oid to)
{
	int64		number = from == INT2OID ? DatumGetInt16(*value) :
	from == INT4OID ? DatumGetInt32(*value) : DatumGetInt64(*value);

	if (to == INT2OID)
	{
		*value = Int16GetDatum((int16) number);
		return number >= PG_INT16_MIN && number <= PG_INT16_MAX;
	}
	if (to == INT4OID)
	{
		*value = Int32GetDatum((int32) number);
		return number >= PG_INT32_MIN && number <= PG_INT32_MAX;
	}
	*value = Int64GetDatum(number);
	return true;
}

static void
note_key(Changed *changed, Datum key)
{
	bool		found;
	KeyEntry   *entry;

	if (!changed->key_type.by_value && changed->key_type.length == -1)
		key = PointerGetDatum(PG_DETOAST_DATUM_PACKED(key));
	entry = keyset_insert(changed->keys, key, &found);
	if (!found)
		entry->key = datumCopy(key, changed->key_type.by_value, changed->key_type.length);
	if (changed->keys->members > changed->limit)
		changed->everybody = true;
}

/*
 * Notes the keys in a transition table, which other triggers may read as well.
 */
static void
note_rows(Changed *changed, Tuplestorestate *rows, TupleDesc description, const char *column)
{
	TupleTableSlot *slot = MakeSingleTupleTableSlot(description, &TTSOpsMinimalTuple);
	int			pointer = tuplestore_alloc_read_pointer(rows, EXEC_FLAG_REWIND);
	AttrNumber	attribute = InvalidAttrNumber;
	Conversion	conversion = CONVERSION_IMPOSSIBLE;
	Oid			type = InvalidOid;

	for (int i = 0; column != NULL && i < description->natts; i++)
	{
		Form_pg_attribute form = TupleDescAttr(description, i);

		if (!form->attisdropped && strcmp(NameStr(form->attname), column) == 0)
		{
			attribute = form->attnum;
			type = getBaseType(form->atttypid);
			conversion = key_conversion(type, changed->key_type.type);
		}
	}

	tuplestore_select_read_pointer(rows, pointer);
	tuplestore_rescan(rows);
	while (!changed->everybody && tuplestore_gettupleslot(rows, true, false, slot))
	{
		Datum		key;
		bool		isnull;

		CHECK_FOR_INTERRUPTS();
		/* no column was named, or it is not what it was: anybody's row */
		if (conversion == CONVERSION_IMPOSSIBLE)
		{
			changed->everybody = true;
			break;
		}
		key = slot_getattr(slot, attribute, &isnull);
		if (isnull)
			changed->null_key = true;
		else if (conversion == CONVERSION_INTEGER && !convert_integer(&key, type, changed->key_type.type))
			changed->everybody = true;
		else
			note_key(changed, key);
	}
	tuplestore_select_read_pointer(rows, 0);
	ExecDropSingleTupleTableSlot(slot);
}

/*
 * Whether a column is there, stored as it comes, and of a type (InvalidOid: of
 * any that is not a domain).  Whoever owns a schema can put anything of any name
 * into it.
 */
static bool
has_column(TupleDesc description, AttrNumber attribute, Oid type)
{
	Form_pg_attribute form;

	if (attribute > description->natts)
		return false;
	form = TupleDescAttr(description, attribute - 1);
	return !form->attisdropped && form->attgenerated == '\0' &&
		form->atttypid == (OidIsValid(type) ? type : getBaseType(form->atttypid));
}

/* Whether nothing hangs on a table that an insertion would have to keep, to check or to fire. */
static bool
nothing_hangs_on(Relation relation)
{
	TupleConstr *constraints = RelationGetDescr(relation)->constr;
	List	   *indexes;

	if (relation->rd_rel->relkind != RELKIND_RELATION ||
		relation->rd_rel->relpersistence != RELPERSISTENCE_PERMANENT ||
		relation->rd_rel->relispartition || relation->rd_rel->relrowsecurity ||
		relation->trigdesc != NULL || relation->rd_rules != NULL ||
		(constraints != NULL && constraints->num_check > 0))
		return false;
	/* relhasindex stays true for a while after the last index is gone */
	indexes = RelationGetIndexList(relation);
	list_free(indexes);
	return indexes == NIL;
}

/*
 * Whether a table can take notes: it is changed_customer or unnoted_change as
 * segment.create_portfolio makes them.
 */
static bool
takes_notes(Relation relation)
{
	TupleDesc	description = RelationGetDescr(relation);

	if (description->natts != Natts_unnoted &&
		(description->natts != Natts_changed ||
		 !has_column(description, Anum_changed_customer, InvalidOid) ||
		 TupleDescAttr(description, Anum_changed_customer - 1)->attnotnull ||
		 !has_column(description, Anum_changed_everybody, BOOLOID)))
		return false;
	return nothing_hangs_on(relation);
}

/*
 * takes_notes(relation oid): boolean
 */
PG_FUNCTION_INFO_V1(segment_takes_notes_oid);
Datum
segment_takes_notes_oid(PG_FUNCTION_ARGS)
{
	Relation	relation = try_relation_open(PG_GETARG_OID(0), AccessShareLock);
	bool		result = false;

	if (relation != NULL)
	{
		result = takes_notes(relation);
		relation_close(relation, AccessShareLock);
	}
	PG_RETURN_BOOL(result);
}

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
		!has_column(description, Anum_watched_relation, TEXTOID) ||
		!has_column(description, Anum_watched_column, TEXTOID) ||
		!has_column(description, Anum_watched_portfolio, TEXTOID) ||
		!has_column(description, Anum_watched_log, TEXTOID))
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
static bool
find_watched(Oid watched_table, Relation relation, char **column, char **log)
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

/*
 * The number of keys beyond which reading everything is cheaper.
 */
static double
changed_limit(double customers)
{
	return Max(customers * CHANGED_SHARE, CHANGED_LEAST);
}

/*
 * changed_limit(customers bigint): float8
 */
PG_FUNCTION_INFO_V1(segment_changed_limit_bigint);
Datum
segment_changed_limit_bigint(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(changed_limit((double) PG_GETARG_INT64(0)));
}

/* The same for the portfolio in a schema, as far as its customers were counted. */
static uint64
portfolio_limit(Oid namespace)
{
	Oid			histories = get_relname_relid("customer_history", namespace);
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(histories));
	double		customers = 0;

	if (HeapTupleIsValid(tuple))
	{
		/* -1 where nobody has counted yet */
		customers = Max(((Form_pg_class) GETSTRUCT(tuple))->reltuples, 0);
		ReleaseSysCache(tuple);
	}
	return (uint64) changed_limit(customers);
}

/*
 * next_transaction(): xid8
 *
 * The number that the next transaction of all will get: every one that has
 * written anything so far has a lower one.
 */
PG_FUNCTION_INFO_V1(segment_next_transaction);
Datum
segment_next_transaction(PG_FUNCTION_ARGS)
{
	PG_RETURN_FULLTRANSACTIONID(ReadNextFullTransactionId());
}

/*
 * Rows on their way to a table of notes, many at once, which costs a fraction.
 */
#define APPEND_BATCH	256

typedef struct Appender
{
	Relation	relation;
	CommandId	command;
	BulkInsertState bulk;
	TupleTableSlot *slots[APPEND_BATCH];
	int			used;
} Appender;

static void
append_begin(Appender *append, Relation relation)
{
	memset(append, 0, sizeof(Appender));
	append->relation = relation;
	append->command = GetCurrentCommandId(true);
	append->bulk = GetBulkInsertState();
}

static void
append_flush(Appender *append)
{
	if (append->used > 0)
		table_multi_insert(append->relation, append->slots, append->used,
						   append->command, 0, append->bulk);
	append->used = 0;
}

/* The place of the next row, which append_done takes. */
static TupleTableSlot *
append_next(Appender *append)
{
	TupleTableSlot *slot = append->slots[append->used];

	if (slot == NULL)
		slot = append->slots[append->used] = table_slot_create(append->relation, NULL);
	return ExecClearTuple(slot);
}

static void
append_done(Appender *append)
{
	ExecStoreVirtualTuple(append->slots[append->used]);
	if (++append->used == APPEND_BATCH)
		append_flush(append);
}

/* A row; the values count in changed_customer only. */
static void
append_row(Appender *append, Datum key, bool no_key, bool everybody)
{
	TupleTableSlot *slot = append_next(append);

	if (RelationGetNumberOfAttributes(append->relation) == Natts_changed)
	{
		slot->tts_values[Anum_changed_customer - 1] = key;
		slot->tts_isnull[Anum_changed_customer - 1] = no_key;
		slot->tts_values[Anum_changed_everybody - 1] = BoolGetDatum(everybody);
		slot->tts_isnull[Anum_changed_everybody - 1] = false;
	}
	append_done(append);
}

static void
append_end(Appender *append)
{
	append_flush(append);
	for (int i = 0; i < APPEND_BATCH && append->slots[i] != NULL; i++)
		ExecDropSingleTupleTableSlot(append->slots[i]);
	FreeBulkInsertState(append->bulk);
}

static void
append_changed(const Changed *changed, Relation relation)
{
	Appender	append;
	keyset_iterator iterator;
	KeyEntry   *entry;

	append_begin(&append, relation);
	if (changed->everybody)
		append_row(&append, (Datum) 0, true, true);
	else
	{
		if (changed->null_key)
			append_row(&append, (Datum) 0, true, false);
		keyset_start_iterate(changed->keys, &iterator);
		while ((entry = keyset_iterate(changed->keys, &iterator)) != NULL)
		{
			CHECK_FOR_INTERRUPTS();
			append_row(&append, entry->key, false, false);
		}
	}
	append_end(&append);
}

/*
 * Leaves word that there is a change without a note: a row in the table
 * unnoted_change.  It commits with the change, and stays until a refresh has
 * taken it, whatever is done to changed_customer in between.
 */
static void
leave_word(Oid namespace)
{
	Oid			table = get_relname_relid("unnoted_change", namespace);
	Relation	relation = OidIsValid(table) ? try_relation_open(table, RowExclusiveLock) : NULL;
	Appender	append;

	/* refresh reads everything while it is not there, or another one */
	if (relation == NULL)
		return;
	if (RelationGetNumberOfAttributes(relation) == Natts_unnoted && takes_notes(relation))
	{
		append_begin(&append, relation);
		append_row(&append, (Datum) 0, true, true);
		append_end(&append);
	}
	relation_close(relation, NoLock);
}

/* ---------- the log ---------- */

/* For each column of a log but the first, the sign, the column of the changed table. */
static AttrNumber *
log_columns(Relation log, TupleDesc changed)
{
	TupleDesc	description = RelationGetDescr(log);
	AttrNumber *columns;

	if (!nothing_hangs_on(log) || !has_column(description, LOG_SIGN, INT2OID))
		return NULL;
	columns = palloc0_array(AttrNumber, description->natts);
	for (int i = LOG_SIGN; i < description->natts; i++)
	{
		Form_pg_attribute form = TupleDescAttr(description, i);

		if (form->attisdropped || form->attgenerated != '\0' || form->attnotnull)
			return NULL;
		for (int j = 0; j < changed->natts && columns[i] == 0; j++)
		{
			Form_pg_attribute other = TupleDescAttr(changed, j);

			if (!other->attisdropped && other->atttypid == form->atttypid &&
				namestrcmp(&other->attname, NameStr(form->attname)) == 0)
				columns[i] = other->attnum;
		}
		/* it is gone, or not what it was */
		if (columns[i] == 0)
			return NULL;
	}
	return columns;
}

/* Whether the logged columns of two rows are the same, to the byte. */
static bool
rows_are_alike(TupleTableSlot *one, TupleTableSlot *other, TupleDesc description, const AttrNumber *columns, int ncolumns)
{
	for (int i = LOG_SIGN; i < ncolumns; i++)
	{
		Form_pg_attribute form = TupleDescAttr(description, columns[i] - 1);
		bool		one_is_null;
		bool		other_is_null;
		Datum		one_value = slot_getattr(one, columns[i], &one_is_null);
		Datum		other_value = slot_getattr(other, columns[i], &other_is_null);

		if (one_is_null != other_is_null ||
			(!one_is_null && !datum_image_eq(one_value, other_value, form->attbyval, form->attlen)))
			return false;
	}
	return true;
}

static void
append_changed_row(Appender *append, int sign, TupleTableSlot *row, const AttrNumber *columns)
{
	TupleTableSlot *slot = append_next(append);

	slot->tts_values[LOG_SIGN - 1] = Int16GetDatum(sign);
	slot->tts_isnull[LOG_SIGN - 1] = false;
	for (int i = LOG_SIGN; i < RelationGetNumberOfAttributes(append->relation); i++)
		slot->tts_values[i] = slot_getattr(row, columns[i], &slot->tts_isnull[i]);
	append_done(append);
	/* the row goes on to the next one of its statement */
	if (append->used > 0)
		ExecMaterializeSlot(slot);
}

/* A transition table, as it is read from the beginning; other triggers may read it as well. */
typedef struct ChangedRows
{
	Tuplestorestate *rows;
	TupleTableSlot *slot;
} ChangedRows;

static void
changed_rows_begin(ChangedRows *changed, Tuplestorestate *rows, TupleDesc description)
{
	changed->rows = rows;
	changed->slot = MakeSingleTupleTableSlot(description, &TTSOpsMinimalTuple);
	if (rows != NULL)
	{
		tuplestore_select_read_pointer(rows, tuplestore_alloc_read_pointer(rows, EXEC_FLAG_REWIND));
		tuplestore_rescan(rows);
	}
}

static bool
changed_rows_next(ChangedRows *changed)
{
	return changed->rows != NULL && tuplestore_gettupleslot(changed->rows, true, false, changed->slot);
}

static void
changed_rows_end(ChangedRows *changed)
{
	if (changed->rows != NULL)
		tuplestore_select_read_pointer(changed->rows, 0);
	ExecDropSingleTupleTableSlot(changed->slot);
}

/* How many rows of a statement are logged at most. */
static double
logged_limit(Relation relation)
{
	return Max(relation->rd_rel->reltuples * LOGGED_SHARE, CHANGED_LEAST);
}

/*
 * Appends the rows of a statement; false if there are so many that they are
 * better noted in another way, which makes those that are written count for
 * nothing.  An UPDATE puts the old and the new version of
 * a row into the two tables one after the other, so that both can be read side by
 * side; were they not in step, rows that are the same would be written twice,
 * with both signs, and mean nothing all the same.
 */
static bool
append_changed_rows(TriggerData *trigger, Relation log, const AttrNumber *columns)
{
	TupleDesc	description = RelationGetDescr(trigger->tg_relation);
	double		limit = logged_limit(trigger->tg_relation);
	double		rows = 0;
	Appender	append;
	ChangedRows old;
	ChangedRows new;
	bool		has_old = false;
	bool		has_new = false;

	append_begin(&append, log);
	changed_rows_begin(&old, trigger->tg_oldtable, description);
	changed_rows_begin(&new, trigger->tg_newtable, description);
	while (rows <= limit)
	{
		CHECK_FOR_INTERRUPTS();
		has_old = changed_rows_next(&old);
		has_new = changed_rows_next(&new);
		if (!has_old && !has_new)
			break;
		if (has_old && has_new &&
			rows_are_alike(old.slot, new.slot, description, columns, RelationGetNumberOfAttributes(log)))
			continue;
		if (has_old)
			append_changed_row(&append, -1, old.slot, columns);
		if (has_new)
			append_changed_row(&append, 1, new.slot, columns);
		rows += (int) has_old + (int) has_new;
	}
	changed_rows_end(&old);
	changed_rows_end(&new);
	append_end(&append);
	return rows <= limit;
}

/*
 * Whether it is known before that a statement changed too many rows; of an UPDATE
 * it is not, since rows that stay the same do not count.
 */
static bool
too_many_to_log(TriggerData *trigger)
{
	Tuplestorestate *rows = TRIGGER_FIRED_BY_INSERT(trigger->tg_event) ? trigger->tg_newtable : trigger->tg_oldtable;

	return !TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) &&
		tuplestore_tuple_count(rows) > logged_limit(trigger->tg_relation);
}

/*
 * Logs the rows of one statement; false where they have to be noted in another
 * way.  The lock is kept, as that of changed_customer.  It is not waited for:
 * whoever has it may be dropping the log, in a transaction that takes long, and
 * a note does as well.
 */
static bool
log_change(TriggerData *trigger, Oid namespace, const char *log_name)
{
	Oid			table = get_relname_relid(log_name, namespace);
	Relation	log;
	AttrNumber *columns;
	bool		logged;

	if (!OidIsValid(table) || too_many_to_log(trigger) ||
		!ConditionalLockRelationOid(table, RowExclusiveLock))
		return false;
	log = try_relation_open(table, NoLock);
	if (log == NULL)
	{
		UnlockRelationOid(table, RowExclusiveLock);
		return false;
	}
	columns = log_columns(log, RelationGetDescr(trigger->tg_relation));
	logged = columns != NULL && append_changed_rows(trigger, log, columns);
	relation_close(log, NoLock);
	return logged;
}

/* ---------- the trigger ---------- */

/* Whether a trigger tells its rows: one that does not tells as little as TRUNCATE. */
static bool
tells_rows(TriggerData *trigger)
{
	return !TRIGGER_FIRED_BY_TRUNCATE(trigger->tg_event) &&
		(TRIGGER_FIRED_BY_INSERT(trigger->tg_event) || trigger->tg_oldtable != NULL) &&
		(TRIGGER_FIRED_BY_DELETE(trigger->tg_event) || trigger->tg_newtable != NULL);
}

/*
 * The notes of one statement, or of one row, in one portfolio.  The lock on
 * changed_customer is kept until the transaction ends: what changes the table
 * must wait for notes that are not committed yet.
 */
static void
note_change(TriggerData *trigger, Oid namespace, const char *column)
{
	Oid			table = get_relname_relid("changed_customer", namespace);
	Relation	relation = OidIsValid(table) ? try_relation_open(table, RowExclusiveLock) : NULL;
	Changed		changed = {0};

	if (relation == NULL || RelationGetNumberOfAttributes(relation) != Natts_changed || !takes_notes(relation))
	{
		ereport(WARNING,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("changes are not noted, since table \"%s.%s\" is not as segment.create_portfolio made it",
						get_namespace_name(namespace), "changed_customer"),
				 errdetail("The next refresh reads everything."),
				 errhint("Take away what was added to the table: columns, indexes, triggers, rules, policies, constraints.")));
		leave_word(namespace);
		if (relation != NULL)
			relation_close(relation, NoLock);
		return;
	}
	changed.key_type.type = TupleDescAttr(RelationGetDescr(relation), Anum_changed_customer - 1)->atttypid;
	get_typlenbyval(changed.key_type.type, &changed.key_type.length, &changed.key_type.by_value);
	changed.limit = portfolio_limit(namespace);
	changed.keys = keyset_create(CurrentMemoryContext, 16, &changed.key_type);

	changed.everybody = !tells_rows(trigger);
	if (trigger->tg_oldtable != NULL)
		note_rows(&changed, trigger->tg_oldtable, RelationGetDescr(trigger->tg_relation), column);
	if (trigger->tg_newtable != NULL)
		note_rows(&changed, trigger->tg_newtable, RelationGetDescr(trigger->tg_relation), column);

	if (changed.everybody || changed.null_key || changed.keys->members > 0)
		append_changed(&changed, relation);
	relation_close(relation, NoLock);
}

/*
 * Whether a trigger of rows need not note anything.  It fires for statements of
 * replicating sessions as well, which the triggers of statements note; but not
 * so for rows that a process of logical replication writes without statements.
 * One note is enough for all rows of a transaction, or of a part of it that
 * can be rolled back by itself.
 */
static Oid	noted_namespace = InvalidOid;
static TransactionId noted_transaction = InvalidTransactionId;

static bool
row_is_noted(Oid namespace)
{
	return MyBackendType != B_BG_WORKER ||
		(noted_namespace == namespace && noted_transaction == GetCurrentTransactionId());
}

static void
remember_noted_row(Oid namespace)
{
	noted_namespace = namespace;
	noted_transaction = GetCurrentTransactionId();
}

/*
 * note_changes(): trigger, AFTER, of segment.watch
 *
 * FOR EACH STATEMENT it notes whose rows changed, FOR EACH ROW (of logical
 * replication) that some did.  Its argument is the name of the portfolio.  Does
 * nothing where the portfolio does not list the table as watched: whoever may
 * put triggers on a table of his own cannot write notes into somebody's
 * portfolio by it.  39P01 if it is called in another way.
 */
PG_FUNCTION_INFO_V1(segment_note_changes);
Datum
segment_note_changes(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	MemoryContext context;
	MemoryContext caller;
	Oid			namespace;
	Oid			watched_table;
	char	   *column = NULL;
	char	   *log = NULL;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_AFTER(trigger->tg_event) ||
		trigger->tg_trigger->tgnargs != 1)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" can only be called by the triggers of segment.watch", "note_changes")));

	/*
	 * A transaction that goes on writing to the same table takes no new lock,
	 * and would not hear of a schema that got its name back.
	 */
	AcceptInvalidationMessages();
	namespace = get_namespace_oid(trigger->tg_trigger->tgargs[0], true);
	if (!OidIsValid(namespace) ||
		(TRIGGER_FIRED_FOR_ROW(trigger->tg_event) && row_is_noted(namespace)))
		return PointerGetDatum(NULL);
	watched_table = get_relname_relid("watched_table", namespace);
	if (!OidIsValid(watched_table))
		return PointerGetDatum(NULL);

	context = AllocSetContextCreate(CurrentMemoryContext, "changed customers", ALLOCSET_DEFAULT_SIZES);
	caller = MemoryContextSwitchTo(context);
	if (find_watched(watched_table, trigger->tg_relation, &column, &log))
	{
		if (log == NULL || !tells_rows(trigger) || !log_change(trigger, namespace, log))
			note_change(trigger, namespace, column);
		if (TRIGGER_FIRED_FOR_ROW(trigger->tg_event))
			remember_noted_row(namespace);
	}
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
	return PointerGetDatum(NULL);
}
