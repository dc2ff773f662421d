/*-------------------------------------------------------------------------
 *
 * transition_rows.c
 *		The rows that a statement changed, as a trigger gets them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include "executor/executor.h"

#include "base/transition_rows.h"

/* Whether a trigger tells its rows: one that does not tells as little as TRUNCATE. */
bool
trigger_tells_rows(const TriggerData *trigger)
{
	return !TRIGGER_FIRED_BY_TRUNCATE(trigger->tg_event) &&
		(TRIGGER_FIRED_BY_INSERT(trigger->tg_event) || trigger->tg_oldtable != NULL) &&
		(TRIGGER_FIRED_BY_DELETE(trigger->tg_event) || trigger->tg_newtable != NULL);
}

void
transition_rows_begin(TransitionRows *transition, Tuplestorestate *rows, TupleDesc description)
{
	transition->rows = rows;
	transition->slot = MakeSingleTupleTableSlot(description, &TTSOpsMinimalTuple);
	if (rows != NULL)
	{
		tuplestore_select_read_pointer(rows, tuplestore_alloc_read_pointer(rows, EXEC_FLAG_REWIND));
		tuplestore_rescan(rows);
	}
}

bool
transition_rows_next(TransitionRows *transition)
{
	return transition->rows != NULL && tuplestore_gettupleslot(transition->rows, true, false, transition->slot);
}

void
transition_rows_end(TransitionRows *transition)
{
	if (transition->rows != NULL)
		tuplestore_select_read_pointer(transition->rows, 0);
	ExecDropSingleTupleTableSlot(transition->slot);
}
