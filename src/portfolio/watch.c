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
 * fail: changed_customer.c says what is noted where the keys cannot be, and a
 * portfolio that is gone notes nothing.  Rows are only ever appended, without an
 * index, so that writers never wait for each other.
 *
 * Where watched_table names a log for the table, the changed rows themselves are
 * appended to it (change_log.c), and keys are noted only where that is not
 * possible: whoever has a note is read from the table, whatever the logs say.
 *
 * Rows that logical replication brings fire no triggers of statements.  Where
 * the portfolio's owner owns the table too, a trigger of rows, which fires in
 * replicating sessions only, notes "everybody" for them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include "access/transam.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/xid8.h"

#include "base/transition_rows.h"
#include "portfolio/change_log.h"
#include "portfolio/changed_customer.h"
#include "portfolio/watched_table.h"

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
	if (watched_table_find(watched_table, trigger->tg_relation, &column, &log))
	{
		if (log == NULL || !trigger_tells_rows(trigger) || !change_log_append(trigger, namespace, log))
			changed_customer_note(trigger, namespace, column);
		if (TRIGGER_FIRED_FOR_ROW(trigger->tg_event))
			remember_noted_row(namespace);
	}
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
	return PointerGetDatum(NULL);
}
