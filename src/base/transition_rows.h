/*-------------------------------------------------------------------------
 *
 * transition_rows.h
 *		The rows that a statement changed, as a trigger gets them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_TRANSITION_ROWS_H
#define SEGMENT_TRANSITION_ROWS_H

#include "commands/trigger.h"
#include "executor/tuptable.h"
#include "utils/tuplestore.h"

/* A transition table, as it is read from the beginning; other triggers may read it as well. */
typedef struct TransitionRows
{
	Tuplestorestate *rows;		/* NULL: there is none */
	TupleTableSlot *slot;
} TransitionRows;

extern bool trigger_tells_rows(const TriggerData *trigger);
extern void transition_rows_begin(TransitionRows *transition, Tuplestorestate *rows, TupleDesc description);
extern bool transition_rows_next(TransitionRows *transition);
extern void transition_rows_end(TransitionRows *transition);

#endif							/* SEGMENT_TRANSITION_ROWS_H */
