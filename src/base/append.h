/*-------------------------------------------------------------------------
 *
 * append.h
 *		Rows appended straight into the file of a table.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_APPEND_H
#define SEGMENT_APPEND_H

#include "access/heapam.h"
#include "executor/tuptable.h"
#include "utils/rel.h"

/* Rows on their way to a table, many at once, which costs a fraction. */
#define APPEND_BATCH	256

typedef struct Appender
{
	Relation	relation;
	CommandId	command;
	BulkInsertState bulk;
	TupleTableSlot *slots[APPEND_BATCH];
	int			used;
} Appender;

extern bool table_has_column(TupleDesc description, AttrNumber attribute, Oid type);
extern bool table_is_bare(Relation relation);

extern void append_begin(Appender *append, Relation relation);
extern TupleTableSlot *append_next(Appender *append);
extern void append_done(Appender *append);
extern void append_end(Appender *append);

#endif							/* SEGMENT_APPEND_H */
