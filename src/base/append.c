/*-------------------------------------------------------------------------
 *
 * append.c
 *		Rows appended straight into the file of a table.
 *
 * No query is planned and nobody's code is run.  So the caller asks first whether
 * the table has nothing that an insertion would have to keep, check or fire, and
 * has the columns that it fills.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "executor/executor.h"
#include "utils/lsyscache.h"

#include "base/append.h"

/*
 * Whether a column is there, stored as it comes, and of a type (InvalidOid: of
 * any that is not a domain).  Whoever owns a schema can put anything of any name
 * into it.
 */
bool
table_has_column(TupleDesc description, AttrNumber attribute, Oid type)
{
	Form_pg_attribute form;

	if (attribute > description->natts)
		return false;
	form = TupleDescAttr(description, attribute - 1);
	return !form->attisdropped && form->attgenerated == '\0' &&
		form->atttypid == (OidIsValid(type) ? type : getBaseType(form->atttypid));
}

/* Whether a table has nothing beside its rows that an insertion would have to keep, to check or to fire. */
bool
table_is_bare(Relation relation)
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

void
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
TupleTableSlot *
append_next(Appender *append)
{
	TupleTableSlot *slot = append->slots[append->used];

	if (slot == NULL)
		slot = append->slots[append->used] = table_slot_create(append->relation, NULL);
	return ExecClearTuple(slot);
}

void
append_done(Appender *append)
{
	ExecStoreVirtualTuple(append->slots[append->used]);
	if (++append->used == APPEND_BATCH)
		append_flush(append);
}

void
append_end(Appender *append)
{
	append_flush(append);
	for (int i = 0; i < APPEND_BATCH && append->slots[i] != NULL; i++)
		ExecDropSingleTupleTableSlot(append->slots[i]);
	FreeBulkInsertState(append->bulk);
}
