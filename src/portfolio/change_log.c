/*-------------------------------------------------------------------------
 *
 * change_log.c
 *		Logs of changed rows.
 *
 * Where all sources that read a table are linear (src/portfolio/linear_source.c),
 * the changed rows themselves are appended, as far as the sources read them, to a
 * log: the old ones with the sign -1, the new ones with 1.  Rows that are the same
 * before and after, in these columns, are left out.  Where that is not possible, or
 * so many rows changed that reading the customers from the table is cheaper, the
 * caller has to note them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include "access/relation.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"

#include "base/append.h"
#include "base/transition_rows.h"
#include "portfolio/change_log.h"
#include "portfolio/changed_customer.h"
#include "portfolio/linear_source.h"

/*
 * A statement that changes more than this share of a table's rows, and than
 * CHANGED_LEAST, is not logged row by row: reading the customers is cheaper.
 */
#define LOGGED_SHARE	0.1

/* For each column of a log but the first, the sign, the column of the changed table. */
static AttrNumber *
log_columns(Relation log, TupleDesc changed)
{
	TupleDesc	description = RelationGetDescr(log);
	AttrNumber *columns;

	if (!table_is_bare(log) || !table_has_column(description, LOG_SIGN, INT2OID))
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
	TransitionRows old;
	TransitionRows new;
	bool		has_old = false;
	bool		has_new = false;

	append_begin(&append, log);
	transition_rows_begin(&old, trigger->tg_oldtable, description);
	transition_rows_begin(&new, trigger->tg_newtable, description);
	while (rows <= limit)
	{
		CHECK_FOR_INTERRUPTS();
		has_old = transition_rows_next(&old);
		has_new = transition_rows_next(&new);
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
	transition_rows_end(&old);
	transition_rows_end(&new);
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
bool
change_log_append(TriggerData *trigger, Oid namespace, const char *log_name)
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
