/*-------------------------------------------------------------------------
 *
 * result_row.c
 *		Rows of composite types, as results and as arguments.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/typcache.h"

#include "base/result_row.h"

/*
 * A composite type must have as many columns as the C code knows: another
 * version of the extension may have been installed than that of the library.
 */
static void
check_columns(Oid type, TupleDesc tupdesc, int natts)
{
	if (unlikely(tupdesc->natts != natts))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("row type %s has %d columns where %d are expected",
						format_type_be(type), tupdesc->natts, natts),
				 errhint("The installed library may not be of the version of the extension.")));
}

/*
 * result_row_lookup: the row type that the calling function returns, in the
 * current memory context
 *
 * For functions that keep something of their own in fn_extra, and with it this.
 */
TupleDesc
result_row_lookup(FunctionCallInfo fcinfo, int natts)
{
	TupleDesc	tupdesc;
	Oid			type;

	if (get_call_result_type(fcinfo, &type, &tupdesc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	check_columns(type, tupdesc, natts);
	return BlessTupleDesc(tupdesc);
}

/*
 * result_row: the same, looked up once per query
 */
TupleDesc
result_row(FunctionCallInfo fcinfo, int natts)
{
	TupleDesc	tupdesc = (TupleDesc) fcinfo->flinfo->fn_extra;

	if (tupdesc == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);

		tupdesc = result_row_lookup(fcinfo, natts);
		MemoryContextSwitchTo(old);
		fcinfo->flinfo->fn_extra = tupdesc;
	}
	return tupdesc;
}

/* row_type_lookup: a named row type, in the current memory context */
TupleDesc
row_type_lookup(Oid type, int natts)
{
	TupleDesc	tupdesc = lookup_rowtype_tupdesc_copy(type, -1);

	check_columns(type, tupdesc, natts);
	return tupdesc;
}

/* row_deform: the columns of a row of a type from row_type_lookup */
void
row_deform(Datum row, TupleDesc tupdesc, Datum *values, bool *nulls)
{
	HeapTupleHeader header = DatumGetHeapTupleHeader(row);
	HeapTupleData tuple;

	tuple.t_len = HeapTupleHeaderGetDatumLength(header);
	ItemPointerSetInvalid(&tuple.t_self);
	tuple.t_tableOid = InvalidOid;
	tuple.t_data = header;
	heap_deform_tuple(&tuple, tupdesc, values, nulls);
}

/* ---------- many rows ---------- */

/*
 * result_set_begin: a tuplestore for the rows of a set-returning function, with
 * tuplestore_putvalues(result->setResult, result->setDesc, values, nulls)
 */
ReturnSetInfo *
result_set_begin(FunctionCallInfo fcinfo, int natts)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	check_columns(result->setDesc->tdtypeid, result->setDesc, natts);
	return result;
}

/*
 * result_rows_begin: an empty array with room for capacity rows
 *
 * The rows are of the element type of the calling function's result.
 */
void
result_rows_begin(ResultRows *rows, FunctionCallInfo fcinfo, int natts, int64 capacity)
{
	Oid			type;

	/* of the declared function: the expression's type is not known everywhere */
	(void) get_call_result_type(fcinfo, &type, NULL);
	rows->element_type = get_element_type(type);
	rows->tupdesc = row_type_lookup(rows->element_type, natts);
	rows->rows = MemoryContextAllocHuge(CurrentMemoryContext, Max(capacity, 1) * sizeof(Datum));
	rows->count = 0;
}

/* Add a row; there must be room for it. */
void
result_rows_add(ResultRows *rows, const Datum *values, const bool *nulls)
{
	CHECK_FOR_INTERRUPTS();
	rows->rows[rows->count++] = row_form(rows->tupdesc, values, nulls);
}

Datum
result_rows_end(const ResultRows *rows)
{
	return PointerGetDatum(construct_array(rows->rows, (int) rows->count, rows->element_type,
										   -1, false, TYPALIGN_DOUBLE));
}
