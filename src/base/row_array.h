/*-------------------------------------------------------------------------
 *
 * row_array.h
 *		An array of rows, as the result of an aggregate that has many.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_ROW_ARRAY_H
#define SEGMENT_ROW_ARRAY_H

#include "access/tupdesc.h"
#include "fmgr.h"

/* Rows of the final function's element type, being filled. */
typedef struct RowArray
{
	Oid			element_type;
	TupleDesc	tupdesc;
	Datum	   *rows;
	int64		count;
} RowArray;

extern void row_array_begin(RowArray *array, FunctionCallInfo fcinfo, int64 capacity);
extern void row_array_add(RowArray *array, Datum *values, bool *nulls);
extern Datum row_array_end(RowArray *array);

#endif							/* SEGMENT_ROW_ARRAY_H */
