/*-------------------------------------------------------------------------
 *
 * row_array.c
 *		An array of rows, as the result of an aggregate that has many.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/typcache.h"

#include "base/row_array.h"

/*
 * row_array_begin: an empty array with room for capacity rows
 *
 * The rows are of the element type of the calling function's result.
 */
void
row_array_begin(RowArray *array, FunctionCallInfo fcinfo, int64 capacity)
{
	Oid			type;

	/* of the declared function: the expression's type is not known everywhere */
	(void) get_call_result_type(fcinfo, &type, NULL);
	array->element_type = get_element_type(type);
	array->tupdesc = lookup_rowtype_tupdesc_copy(array->element_type, -1);
	array->rows = MemoryContextAllocHuge(CurrentMemoryContext, Max(capacity, 1) * sizeof(Datum));
	array->count = 0;
}

/* Add a row; there must be room for it. */
void
row_array_add(RowArray *array, Datum *values, bool *nulls)
{
	array->rows[array->count++] =
		HeapTupleGetDatum(heap_form_tuple(array->tupdesc, values, nulls));
	if (array->count % 4096 == 0)
		CHECK_FOR_INTERRUPTS();
}

Datum
row_array_end(RowArray *array)
{
	return PointerGetDatum(construct_array(array->rows, (int) array->count,
										   array->element_type, -1, false, TYPALIGN_DOUBLE));
}
