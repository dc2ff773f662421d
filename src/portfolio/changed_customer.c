/*-------------------------------------------------------------------------
 *
 * changed_customer.c
 *		Notes of the customers whose rows a statement changed, in the table
 *		changed_customer of a portfolio.
 *
 * Where the keys cannot be told any more, "everybody" is noted; where something
 * hangs on changed_customer (an index, a trigger, a constraint), a row in the
 * table unnoted_change tells the next refresh to read everything.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include "access/relation.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "base/append.h"
#include "base/transition_rows.h"
#include "portfolio/changed_customer.h"
#include "portfolio/key_conversion.h"

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
 * Notes the keys in a transition table, if there is one.
 */
static void
note_rows(Changed *changed, Tuplestorestate *rows, TupleDesc description, const char *column)
{
	TransitionRows transition;
	AttrNumber	attribute = InvalidAttrNumber;
	KeyConversion conversion = CONVERSION_IMPOSSIBLE;
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

	transition_rows_begin(&transition, rows, description);
	while (!changed->everybody && transition_rows_next(&transition))
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
		key = slot_getattr(transition.slot, attribute, &isnull);
		if (isnull)
			changed->null_key = true;
		else if (conversion == CONVERSION_INTEGER && !key_convert_integer(&key, type, changed->key_type.type))
			changed->everybody = true;
		else
			note_key(changed, key);
	}
	transition_rows_end(&transition);
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
		 !table_has_column(description, Anum_changed_customer, InvalidOid) ||
		 TupleDescAttr(description, Anum_changed_customer - 1)->attnotnull ||
		 !table_has_column(description, Anum_changed_everybody, BOOLOID)))
		return false;
	return table_is_bare(relation);
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

/*
 * The notes of one statement, or of one row, in one portfolio.  The lock on
 * changed_customer is kept until the transaction ends: what changes the table
 * must wait for notes that are not committed yet.
 */
void
changed_customer_note(TriggerData *trigger, Oid namespace, const char *column)
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

	changed.everybody = !trigger_tells_rows(trigger);
	note_rows(&changed, trigger->tg_oldtable, RelationGetDescr(trigger->tg_relation), column);
	note_rows(&changed, trigger->tg_newtable, RelationGetDescr(trigger->tg_relation), column);

	if (changed.everybody || changed.null_key || changed.keys->members > 0)
		append_changed(&changed, relation);
	relation_close(relation, NoLock);
}
