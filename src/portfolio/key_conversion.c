/*-------------------------------------------------------------------------
 *
 * key_conversion.c
 *		How values of a column become keys of customers.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include "catalog/pg_type.h"
#include "parser/parse_coerce.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "portfolio/key_conversion.h"

static bool
is_integer(Oid type)
{
	return type == INT2OID || type == INT4OID || type == INT8OID;
}

/*
 * The one place that says which columns can be followed to a key.
 */
KeyConversion
key_conversion(Oid column_type, Oid key_type)
{
	column_type = getBaseType(column_type);
	if (column_type == key_type)
		return CONVERSION_NONE;
	if (is_integer(column_type) && is_integer(key_type))
		return CONVERSION_INTEGER;
	if (IsBinaryCoercible(column_type, key_type))
		return CONVERSION_BINARY;
	return CONVERSION_IMPOSSIBLE;
}

/*
 * key_conversion(column_type oid, key_type oid): text
 *
 * 'none', 'binary' or 'integer' as above, or NULL where values of the one are
 * not keys of the other, or where there is no such type.
 */
PG_FUNCTION_INFO_V1(segment_key_conversion_text);
Datum
segment_key_conversion_text(PG_FUNCTION_ARGS)
{
	Oid			column_type = PG_GETARG_OID(0);
	Oid			key_type = PG_GETARG_OID(1);

	if (!SearchSysCacheExists1(TYPEOID, ObjectIdGetDatum(column_type)) ||
		!SearchSysCacheExists1(TYPEOID, ObjectIdGetDatum(key_type)))
		PG_RETURN_NULL();
	switch (key_conversion(column_type, getBaseType(key_type)))
	{
		case CONVERSION_NONE:
			PG_RETURN_TEXT_P(cstring_to_text("none"));
		case CONVERSION_BINARY:
			PG_RETURN_TEXT_P(cstring_to_text("binary"));
		case CONVERSION_INTEGER:
			PG_RETURN_TEXT_P(cstring_to_text("integer"));
		case CONVERSION_IMPOSSIBLE:
			break;
	}
	PG_RETURN_NULL();
}

/*
 * Converts an integer, and says whether it fits.
 */
bool
key_convert_integer(Datum *value, Oid from, Oid to)
{
	int64		number = from == INT2OID ? DatumGetInt16(*value) :
	from == INT4OID ? DatumGetInt32(*value) : DatumGetInt64(*value);

	if (to == INT2OID)
	{
		*value = Int16GetDatum((int16) number);
		return number >= PG_INT16_MIN && number <= PG_INT16_MAX;
	}
	if (to == INT4OID)
	{
		*value = Int32GetDatum((int32) number);
		return number >= PG_INT32_MIN && number <= PG_INT32_MAX;
	}
	*value = Int64GetDatum(number);
	return true;
}
