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
 * portfolio, so the trigger writes as the portfolio's owner, without a query to
 * plan, and nothing that happens to the portfolio or to the table's columns may
 * make the statement fail: where the keys cannot be told any more, "everybody"
 * is noted, and a portfolio that is gone notes nothing.  Rows are only ever
 * appended, without an index, so that writers never wait for each other.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include "access/heapam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "common/hashfn.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "parser/parse_coerce.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/tuplestore.h"

/* Columns of the table watched_table, as sql/portfolio/watch.sql creates it. */
enum
{
	Anum_watched_relation = 1,
	Anum_watched_column = 2,
};

/* Columns of the table changed_customer. */
enum
{
	Anum_changed_customer = 1,
	Anum_changed_everybody = 2,
	Natts_changed = 2,
};

/*
 * A statement that concerns more customers than this share of all, and than
 * the least, is noted as everybody: the refresh would read everything anyway
 * (see segment_internal.portfolio_refresh).
 */
#define CHANGED_SHARE	0.2
#define CHANGED_LEAST	1000

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

/* How values of the customer's column become keys. */
typedef enum Conversion
{
	CONVERSION_NONE,			/* no change of the value needed */
	CONVERSION_INTEGER,			/* from one integer type to another */
	CONVERSION_IMPOSSIBLE
} Conversion;

static bool
is_integer(Oid type)
{
	return type == INT2OID || type == INT4OID || type == INT8OID;
}

static Conversion
key_conversion(Oid column_type, Oid key_type)
{
	column_type = getBaseType(column_type);
	if (is_integer(column_type) && is_integer(key_type))
		return column_type == key_type ? CONVERSION_NONE : CONVERSION_INTEGER;
	if (IsBinaryCoercible(column_type, key_type))
		return CONVERSION_NONE;
	return CONVERSION_IMPOSSIBLE;
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
		/* no column was named, or it is no more what it was: anybody's row */
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
 * Whether a relation is an ordinary table with at least so many columns, of
 * which two are of these types (InvalidOid: any).  Whoever owns a schema can
 * put anything of any name into it.
 */
static bool
has_columns(Relation relation, int least, AttrNumber one, Oid one_type, AttrNumber other, Oid other_type)
{
	TupleDesc	description = RelationGetDescr(relation);
	Form_pg_attribute first;
	Form_pg_attribute second;

	if (relation->rd_rel->relkind != RELKIND_RELATION || description->natts < least)
		return false;
	first = TupleDescAttr(description, one - 1);
	second = TupleDescAttr(description, other - 1);
	return !first->attisdropped && !second->attisdropped &&
		(one_type == InvalidOid || first->atttypid == one_type) &&
		(other_type == InvalidOid || second->atttypid == other_type);
}

/*
 * The row of the table watched_table for a relation: whether there is one, and
 * the column that it names, or NULL.
 */
static bool
find_watched(Oid watched_table, Relation relation, char **column)
{
	char	   *name = quote_qualified_identifier(get_namespace_name(RelationGetNamespace(relation)),
												  RelationGetRelationName(relation));
	Relation	watched = table_open(watched_table, AccessShareLock);
	Snapshot	snapshot;
	TableScanDesc scan;
	TupleTableSlot *slot;
	bool		found = false;

	if (!has_columns(watched, Anum_watched_column, Anum_watched_relation, TEXTOID, Anum_watched_column, TEXTOID))
	{
		table_close(watched, AccessShareLock);
		return false;
	}
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	scan = table_scan_start(watched, snapshot);
	slot = table_slot_create(watched, NULL);

	/* a handful of rows, so that an index would take longer */
	while (!found && table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		bool		isnull;
		Datum		value = slot_getattr(slot, Anum_watched_relation, &isnull);

		if (isnull || strcmp(TextDatumGetCString(value), name) != 0)
			continue;
		found = true;
		value = slot_getattr(slot, Anum_watched_column, &isnull);
		*column = isnull ? NULL : TextDatumGetCString(value);
	}
	ExecDropSingleTupleTableSlot(slot);
	table_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(watched, AccessShareLock);
	return found;
}

/*
 * The number of keys beyond which a statement concerns everybody.
 */
static uint64
changed_limit(Oid namespace)
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
	return (uint64) Max(customers * CHANGED_SHARE, CHANGED_LEAST);
}

/* A row of changed_customer in a slot. */
static void
fill_slot(TupleTableSlot *slot, Datum key, bool no_key, bool everybody)
{
	ExecClearTuple(slot);
	slot->tts_values[Anum_changed_customer - 1] = key;
	slot->tts_isnull[Anum_changed_customer - 1] = no_key;
	slot->tts_values[Anum_changed_everybody - 1] = BoolGetDatum(everybody);
	slot->tts_isnull[Anum_changed_everybody - 1] = false;
	ExecStoreVirtualTuple(slot);
}

/*
 * Rows on their way to changed_customer.  Usually nothing hangs on that table,
 * and many rows go into a page at once, which costs a fraction; where its owner
 * gave it an index, a trigger or a constraint, each is inserted by the executor.
 */
#define APPEND_BATCH	256

typedef struct Appender
{
	Relation	relation;
	EState	   *estate;
	ResultRelInfo *target;		/* NULL: in batches */
	BulkInsertState bulk;
	TupleTableSlot *slots[APPEND_BATCH];
	int			used;
} Appender;

static void
append_begin(Appender *append, Relation relation)
{
	TupleConstr *constraints = RelationGetDescr(relation)->constr;

	memset(append, 0, sizeof(Appender));
	append->relation = relation;
	append->estate = CreateExecutorState();
	append->estate->es_output_cid = GetCurrentCommandId(true);
	if (!relation->rd_rel->relhasindex && relation->trigdesc == NULL &&
		(constraints == NULL || (constraints->num_check == 0 && !constraints->has_generated_stored)))
	{
		append->bulk = GetBulkInsertState();
		return;
	}
	append->target = makeNode(ResultRelInfo);
	InitResultRelInfo(append->target, relation, 0, NULL, 0);
	ExecOpenIndices(append->target, false);
}

static void
append_flush(Appender *append)
{
	if (append->used > 0)
		table_multi_insert(append->relation, append->slots, append->used,
						   append->estate->es_output_cid, 0, append->bulk);
	append->used = 0;
}

static void
append_row(Appender *append, Datum key, bool no_key, bool everybody)
{
	TupleTableSlot **slot = &append->slots[append->used];

	if (*slot == NULL)
		*slot = table_slot_create(append->relation, &append->estate->es_tupleTable);
	fill_slot(*slot, key, no_key, everybody);
	if (append->target != NULL)
	{
		ExecSimpleRelationInsert(append->target, append->estate, *slot);
		ResetPerTupleExprContext(append->estate);
	}
	else if (++append->used == APPEND_BATCH)
		append_flush(append);
}

static void
append_end(Appender *append)
{
	append_flush(append);
	if (append->bulk != NULL)
		FreeBulkInsertState(append->bulk);
	else
		ExecCloseIndices(append->target);
	ExecResetTupleTable(append->estate->es_tupleTable, false);
	FreeExecutorState(append->estate);
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
 * The notes of one statement in one portfolio.
 */
static void
note_statement(TriggerData *trigger, Oid namespace, Oid changed_table, const char *column)
{
	Relation	relation = table_open(changed_table, RowExclusiveLock);
	TupleDesc	description = RelationGetDescr(relation);
	Changed		changed = {0};
	Oid			user;
	int			security_context;

	if (description->natts != Natts_changed ||
		!has_columns(relation, Natts_changed, Anum_changed_customer, InvalidOid, Anum_changed_everybody, BOOLOID))
	{
		/* refresh stumbles over it, too, and that is the place to fail */
		ereport(WARNING,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("changes are not noted, since table \"%s.%s\" is not as segment.create_portfolio made it",
						get_namespace_name(namespace), RelationGetRelationName(relation)),
				 errhint("Take the trigger \"%s\" away with segment.unwatch.",
						 trigger->tg_trigger->tgname)));
		table_close(relation, RowExclusiveLock);
		return;
	}
	changed.key_type.type = getBaseType(TupleDescAttr(description, Anum_changed_customer - 1)->atttypid);
	get_typlenbyval(changed.key_type.type, &changed.key_type.length, &changed.key_type.by_value);
	changed.limit = changed_limit(namespace);
	changed.keys = keyset_create(CurrentMemoryContext, 16, &changed.key_type);

	/* a trigger that somebody made without the rows tells as little as TRUNCATE */
	changed.everybody = TRIGGER_FIRED_BY_TRUNCATE(trigger->tg_event) ||
		(!TRIGGER_FIRED_BY_INSERT(trigger->tg_event) && trigger->tg_oldtable == NULL) ||
		(!TRIGGER_FIRED_BY_DELETE(trigger->tg_event) && trigger->tg_newtable == NULL);
	if (trigger->tg_oldtable != NULL)
		note_rows(&changed, trigger->tg_oldtable, RelationGetDescr(trigger->tg_relation), column);
	if (trigger->tg_newtable != NULL)
		note_rows(&changed, trigger->tg_newtable, RelationGetDescr(trigger->tg_relation), column);

	if (changed.everybody || changed.null_key || changed.keys->members > 0)
	{
		/* what the owner may have put on the table runs with the owner's rights */
		GetUserIdAndSecContext(&user, &security_context);
		SetUserIdAndSecContext(relation->rd_rel->relowner,
							   security_context | SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION);
		append_changed(&changed, relation);
		SetUserIdAndSecContext(user, security_context);
	}
	table_close(relation, RowExclusiveLock);
}

/*
 * note_changes(): trigger, AFTER ... FOR EACH STATEMENT, of segment.watch
 *
 * Its argument is the name of the portfolio.  Does nothing where the portfolio
 * does not list the table as watched: whoever may put triggers on a table of
 * his own cannot write notes into somebody's portfolio by it.  39P01 if it is
 * called in another way.
 */
PG_FUNCTION_INFO_V1(note_changes);
Datum
note_changes(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	MemoryContext context;
	MemoryContext caller;
	Oid			namespace;
	Oid			watched_table;
	Oid			changed_table;
	char	   *column;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_AFTER(trigger->tg_event) ||
		!TRIGGER_FIRED_FOR_STATEMENT(trigger->tg_event) || trigger->tg_trigger->tgnargs != 1)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" can only be called by the triggers of segment.watch", "note_changes")));

	namespace = get_namespace_oid(trigger->tg_trigger->tgargs[0], true);
	if (!OidIsValid(namespace))
		return PointerGetDatum(NULL);
	watched_table = get_relname_relid("watched_table", namespace);
	changed_table = get_relname_relid("changed_customer", namespace);
	if (!OidIsValid(watched_table) || !OidIsValid(changed_table))
		return PointerGetDatum(NULL);

	context = AllocSetContextCreate(CurrentMemoryContext, "changed customers", ALLOCSET_DEFAULT_SIZES);
	caller = MemoryContextSwitchTo(context);
	if (find_watched(watched_table, trigger->tg_relation, &column))
		note_statement(trigger, namespace, changed_table, column);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
	return PointerGetDatum(NULL);
}
