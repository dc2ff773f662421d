/*-------------------------------------------------------------------------
 *
 * event_row.c
 *		The rows of a query of events, in the compact form in which they are
 *		kept until all have come.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include "access/nbtree.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include "base/decimal.h"
#include "portfolio/event_row.h"

/* The columns of the query. */
enum
{
	COLUMN_KEY,
	COLUMN_TIME,
	COLUMN_AMOUNT				/* one, or two */
};

/* ---------- keys ---------- */

/* What makes up a key passed by reference: its bytes without a length word. */
static inline const char *
key_image(const EventFormat *format, Datum key, Size *size)
{
	if (format->key_length > 0)
	{
		*size = format->key_length;
		return DatumGetPointer(key);
	}
	*size = VARSIZE_ANY_EXHDR(DatumGetPointer(key));
	return VARDATA_ANY(DatumGetPointer(key));
}

/* event_hash_key for keys that are not integers of some kind. */
uint32
event_hash_image(EventFormat *format, Datum key)
{
	if (format->key_is_image)
	{
		Size		size;
		const char *image = key_image(format, key, &size);

		return hash_bytes((const unsigned char *) image, size);
	}
	/* a type's own function may be careless about some of the bits */
	return murmurhash32(DatumGetUInt32(FunctionCall1Coll(&format->key_hash,
														 format->key_collation, key)));
}

/* event_keys_equal for such keys. */
bool
event_images_equal(EventFormat *format, Datum one, Datum other)
{
	if (format->key_is_image)
	{
		Size		size;
		Size		other_size;
		const char *image = key_image(format, one, &size);
		const char *other_image = key_image(format, other, &other_size);

		return size == other_size && memcmp(image, other_image, size) == 0;
	}
	return datum_image_eq(one, other, format->key_by_value, format->key_length) ||
		DatumGetBool(FunctionCall2Coll(&format->key_equal, format->key_collation, one, other));
}

/* ---------- what the query returns ---------- */

static void
wrong_column(int number, const char *expected, Oid type)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("column %d of the query must be %s, not %s",
					number, expected, format_type_be(type)),
			 errhint("Its columns are the customer, the time (date, timestamp or timestamptz), the amount (numeric) and, if wanted, a second amount. Cast them in the query.")));
}

/* Are values of a type equal if, and only if, their bytes are? */
static bool
equal_means_same_bytes(const TypeCacheEntry *type, Oid collation)
{
	Oid			function = InvalidOid;

	/*
	 * of character(n), blanks at the end do not count, whatever its family
	 * says
	 */
	if (type->btree_opintype == BPCHAROID)
		return false;
	if (OidIsValid(type->btree_opf) && (type->typbyval || type->typlen > 0 || type->typlen == -1))
		function = get_opfamily_proc(type->btree_opf, type->btree_opintype,
									 type->btree_opintype, BTEQUALIMAGE_PROC);
	return OidIsValid(function) &&
		DatumGetBool(OidFunctionCall1Coll(function, collation,
										  ObjectIdGetDatum(type->btree_opintype)));
}

static void
init_time(EventFormat *format, Oid type, const struct varlena *timezone)
{
	Oid			base = getBaseType(type);

	if (base == DATEOID)
		format->time = EVENT_DATE;
	else if (base == TIMESTAMPOID)
		format->time = EVENT_TIMESTAMP;
	else if (base == TIMESTAMPTZOID)
		format->time = EVENT_TIMESTAMPTZ;
	else
		wrong_column(2, "a date or timestamp", base);
	if (format->time == EVENT_TIMESTAMPTZ)
	{
		if (timezone == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("time zone must not be null"),
					 errdetail("The query's times are moments; their days depend on a time zone.")));
		format->zone = palloc0(sizeof(LocalDayZone));
		local_day_zone_set(format->zone, timezone);
	}
	format->moments = format->checked && format->time != EVENT_DATE;
}

static void
init_key(EventFormat *format, Form_pg_attribute column)
{
	TypeCacheEntry *type = lookup_type_cache(column->atttypid,
											 TYPECACHE_HASH_PROC_FINFO | TYPECACHE_EQ_OPR_FINFO |
											 TYPECACHE_BTREE_OPFAMILY);

	if (!OidIsValid(type->hash_proc_finfo.fn_oid) || !OidIsValid(type->eq_opr_finfo.fn_oid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("column 1 of the query cannot be the customer: values of type %s cannot be hashed",
						format_type_be(column->atttypid))));
	format->key_type = column->atttypid;
	format->key_collation = column->attcollation;
	format->key_length = type->typlen;
	format->key_by_value = type->typbyval;
	fmgr_info_copy(&format->key_hash, &type->hash_proc_finfo, CurrentMemoryContext);
	fmgr_info_copy(&format->key_equal, &type->eq_opr_finfo, CurrentMemoryContext);
	format->key_is_image = equal_means_same_bytes(type, format->key_collation);
}

/*
 * event_format_init: what a query returns, in the current memory context
 *
 * Errors: 22023 other than 3 or 4 columns, unknown time zone; 42804 types;
 * 42883 a key that cannot be hashed; 22004 time zone missing.
 */
void
event_format_init(EventFormat *format, TupleDesc desc, const struct varlena *timezone, bool checked)
{
	memset(format, 0, sizeof(EventFormat));
	format->checked = checked;
	if (desc->natts != 3 && desc->natts != 4)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the query must return 3 or 4 columns, not %d", desc->natts),
				 errhint("Its columns are the customer, the time, the amount and, if wanted, a second amount.")));
	format->amounts = desc->natts - COLUMN_AMOUNT;
	init_time(format, TupleDescAttr(desc, COLUMN_TIME)->atttypid, timezone);
	for (int i = COLUMN_AMOUNT; i < desc->natts; i++)
		if (getBaseType(TupleDescAttr(desc, i)->atttypid) != NUMERICOID)
			wrong_column(i + 1, "numeric", TupleDescAttr(desc, i)->atttypid);
	init_key(format, TupleDescAttr(desc, COLUMN_KEY));
}

/* ---------- taking rows in ---------- */

static inline DateADT
day_of_time(EventFormat *format, Datum time)
{
	switch (format->time)
	{
		case EVENT_DATE:
			return local_day_of_date(DatumGetDateADT(time));
		case EVENT_TIMESTAMP:
			return local_day_of_timestamp(DatumGetTimestamp(time));
		case EVENT_TIMESTAMPTZ:
			break;
	}
	return local_day(format->zone, DatumGetTimestampTz(time));
}

/*
 * event_amount_to_report: the amount of a row that has no customer or no day,
 * for the report of such rows alone: rounded, and 0 if it cannot be added up
 */
int128
event_amount_to_report(const TupleTableSlot *slot, int *scale)
{
	if (!slot->tts_isnull[COLUMN_AMOUNT])
	{
		Numeric		number = DatumGetNumeric(slot->tts_values[COLUMN_AMOUNT]);
		int128		amount;
		int			display_scale;

		if (!numeric_is_nan(number) && !numeric_is_inf(number) &&
			(decimal_try_numeric(NumericGetDatum(number), &amount, scale, &display_scale) ||
			 decimal_try_numeric(DirectFunctionCall2(numeric_round, NumericGetDatum(number),
													 Int32GetDatum(DECIMAL_MAX_SCALE)),
								 &amount, scale, &display_scale)))
			return amount;
	}
	*scale = 0;
	return 0;
}

/*
 * Day and amounts of a row, and its flags; without a day, the amounts do not
 * count.
 */
static inline uint8
read_events(EventFormat *format, const TupleTableSlot *slot, DateADT *day, int128 *amounts,
			int *scales)
{
	uint8		flags = 0;

	if (unlikely(slot->tts_isnull[COLUMN_TIME]))
	{
		if (format->checked)
		{
			amounts[0] = event_amount_to_report(slot, &scales[0]);
			flags = EVENT_NO_DAY | (amounts[0] != (int64) amounts[0] ? EVENT_WIDE : 0);
		}
		return flags;
	}
	for (int i = 0; i < format->amounts; i++)
	{
		Datum		amount = slot->tts_values[COLUMN_AMOUNT + i];
		int64		narrow;

		if (unlikely(slot->tts_isnull[COLUMN_AMOUNT + i]))
			continue;
		flags |= EVENT_HAS_AMOUNT(i);
		if (likely(decimal_from_short_numeric(amount, &narrow, &scales[i])))
			amounts[i] = narrow;
		else
		{
			scales[i] = decimal_from_numeric(PointerGetDatum(PG_DETOAST_DATUM_PACKED(amount)),
											 &amounts[i]);
			if (amounts[i] != (int64) amounts[i])
				flags |= EVENT_WIDE;
		}
	}
	if (likely(flags != 0))
		*day = day_of_time(format, slot->tts_values[COLUMN_TIME]);
	return flags;
}

/* What follows the head of a row: amounts, moment, and the bytes of a key. */
static inline void
write_tail(const EventFormat *format, const TupleTableSlot *slot, EventRow *row,
		   const int128 *amounts, Datum key, uint32 key_size)
{
	char	   *place = (char *) row + sizeof(EventRow);

	for (int i = 0; i < format->amounts; i++)
	{
		if (unlikely(row->flags & EVENT_WIDE))
		{
			memcpy(place, &amounts[i], sizeof(int128));
			place += sizeof(int128);
		}
		else
		{
			int64		narrow = (int64) amounts[i];

			memcpy(place, &narrow, sizeof(int64));
			place += sizeof(int64);
		}
	}
	if (format->moments)
	{
		int64		moment = row->flags & EVENT_NO_DAY ? 0 :
		DatumGetInt64(slot->tts_values[COLUMN_TIME]);

		memcpy(place, &moment, sizeof(int64));
		place += sizeof(int64);
	}
	if (key_size > 0)
		memcpy(place, DatumGetPointer(key), key_size);
}

/*
 * event_row_append: a row of the query, to the partition of its key
 *
 * Detoasted values stay in the current memory context.
 */
void
event_row_append(PartitionSet *set, EventFormat *format, const TupleTableSlot *slot)
{
	DateADT		day = 0;
	int128		amounts[EVENT_MAX_AMOUNTS] = {0};
	int			scales[EVENT_MAX_AMOUNTS] = {0};
	uint8		flags = read_events(format, slot, &day, amounts, scales);
	Datum		key = slot->tts_values[COLUMN_KEY];
	uint32		key_size = 0;
	uint32		hash = 0;
	EventRow   *row;

	if (unlikely(slot->tts_isnull[COLUMN_KEY]))
	{
		flags |= EVENT_NULL_KEY;
		key = 0;
	}
	else
	{
		if (format->key_length == -1)
			key = PointerGetDatum(PG_DETOAST_DATUM_PACKED(key));
		if (!format->key_by_value)
			key_size = datumGetSize(key, false, format->key_length);
		hash = event_hash_key(format, key);
	}

	/* straight to its place: what was just written as bytes is slow to copy */
	row = (EventRow *) partition_append(set, hash, event_head_size(format, flags) + MAXALIGN(key_size));
	row->day = day;
	row->flags = flags;
	row->scale[0] = scales[0];
	row->scale[1] = scales[1];
	row->unused = 0;
	if (format->key_by_value)
		row->key.value = key;
	else
	{
		row->key.bytes.hash = hash;
		row->key.bytes.size = key_size;
	}
	write_tail(format, slot, row, amounts, key, key_size);
}
