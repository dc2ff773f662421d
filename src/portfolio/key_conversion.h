/*-------------------------------------------------------------------------
 *
 * key_conversion.h
 *		How values of a column become keys of customers.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_KEY_CONVERSION_H
#define SEGMENT_KEY_CONVERSION_H

/* How values of one type become keys of another. */
typedef enum KeyConversion
{
	CONVERSION_NONE,			/* it is the key's type */
	CONVERSION_BINARY,			/* another type, the same bytes */
	CONVERSION_INTEGER,			/* from one integer type to another */
	CONVERSION_IMPOSSIBLE
} KeyConversion;

extern KeyConversion key_conversion(Oid column_type, Oid key_type);
extern bool key_convert_integer(Datum *value, Oid from, Oid to);

#endif							/* SEGMENT_KEY_CONVERSION_H */
