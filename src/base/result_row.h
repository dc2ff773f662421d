/*-------------------------------------------------------------------------
 *
 * result_row.h
 *		Rows of composite types, as results and as arguments.
 *
 * C functions fill, or read, arrays of values that are kept in step with a SQL
 * type by hand.  Here each of them says how many values it has, and whatever
 * does not fit the type is an error before anything is read or written.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_RESULT_ROW_H
#define SEGMENT_RESULT_ROW_H

#include "access/htup_details.h"
#include "access/tupdesc.h"
#include "fmgr.h"
#include "funcapi.h"

/* An array of rows of the calling function's element type, being filled. */
typedef struct ResultRows
{
	Oid			element_type;
	TupleDesc	tupdesc;
	Datum	   *rows;
	int64		count;
} ResultRows;

extern TupleDesc result_row(FunctionCallInfo fcinfo, int natts);
extern TupleDesc result_row_lookup(FunctionCallInfo fcinfo, int natts);
extern TupleDesc row_type_lookup(Oid type, int natts);
extern void row_deform(Datum row, TupleDesc tupdesc, Datum *values, bool *nulls);

extern ReturnSetInfo *result_set_begin(FunctionCallInfo fcinfo, int natts);
extern void result_rows_begin(ResultRows *rows, FunctionCallInfo fcinfo, int natts, int64 capacity);
extern void result_rows_add(ResultRows *rows, const Datum *values, const bool *nulls);
extern Datum result_rows_end(const ResultRows *rows);

/* A row as a value; the arrays have as many elements as tupdesc was asked for. */
static inline Datum
row_form(TupleDesc tupdesc, const Datum *values, const bool *nulls)
{
	/* the server does not change them, but before 17 it does not say so */
	return HeapTupleGetDatum(heap_form_tuple(tupdesc, (Datum *) values, (bool *) nulls));
}

#endif							/* SEGMENT_RESULT_ROW_H */
