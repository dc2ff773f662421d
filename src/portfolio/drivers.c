/*-------------------------------------------------------------------------
 *
 * drivers.c
 *		Which columns of a query tell most about an outcome.
 *
 * The query is run once.  Every value becomes an integer in the same order (a
 * name becomes its hash: all that matters is which are equal), and the rows are
 * kept column by column.  Then one column after another is sorted, hits and
 * misses apart, and both are read side by side: so all counts are exact, and
 * the memory is bounded by work_mem, whatever the number of rows.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_operator_d.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "tcop/dest.h"
#include "utils/builtins.h"
#include "utils/float.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/plancache.h"
#include "utils/tuplesort.h"
#include "utils/tuplestore.h"

#include "base/column_store.h"
#include "base/result_row.h"
#include "portfolio/source.h"
#include "statistics/information.h"

/* From here on a column tells the outcome almost perfectly. */
#define LEAKING_AREA	0.99

/* What a column is. */
typedef enum DriverKind
{
	DRIVER_NUMBER,
	DRIVER_BOOLEAN,
	DRIVER_DATE,
	DRIVER_TEXT,
	DRIVER_UNSUPPORTED
} DriverKind;

static const char *const kind_names[] = {"number", "boolean", "date", "text", "unsupported"};

/* A value as an integer.  False: there is none (NaN). */
typedef bool (*DriverKey) (Datum value, int64 *key);

/* A column of the query but for the first. */
typedef struct Driver
{
	char	   *name;
	Oid			type;
	DriverKind	kind;
	DriverKey	key;
	bool		varlena;		/* must it be detoasted first? */
	int			place;			/* in the store */
	int64		missing;
	InformationColumn column;
	Information all;			/* of all bins */
	Information known;			/* of those of rows with a value */
	double		area;			/* NaN: there is none */
	double		bin_area;
} Driver;

/* A query whose rows are received. */
typedef struct DriverQuery
{
	DestReceiver receiver;		/* must be first */
	int			ndrivers;
	Driver	   *drivers;
	int			supported;		/* of them */
	InformationBin rows;
	ColumnStore *store;
	MemoryContext context;
	MemoryContext row_context;	/* detoasted values of a few rows */
	Size		received;
} DriverQuery;

/* ---------- values as integers ---------- */

static bool
key_of_bool(Datum value, int64 *key)
{
	*key = DatumGetBool(value);
	return true;
}

static bool
key_of_int16(Datum value, int64 *key)
{
	*key = DatumGetInt16(value);
	return true;
}

static bool
key_of_int32(Datum value, int64 *key)
{
	*key = DatumGetInt32(value);
	return true;
}

static bool
key_of_int64(Datum value, int64 *key)
{
	*key = DatumGetInt64(value);
	return true;
}

/* The bits of a negative number fall where it rises; the two zeros are one. */
static bool
key_of_double(double value, int64 *key)
{
	union
	{
		double		value;
		int64		bits;
	}			u = {value + 0.0};

	*key = u.bits < 0 ? u.bits ^ PG_INT64_MAX : u.bits;
	return !isnan(value);
}

static bool
key_of_float4(Datum value, int64 *key)
{
	return key_of_double(DatumGetFloat4(value), key);
}

static bool
key_of_float8(Datum value, int64 *key)
{
	return key_of_double(DatumGetFloat8(value), key);
}

static bool
key_of_numeric(Datum value, int64 *key)
{
	return key_of_double(DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow, value)), key);
}

static bool
key_of_text(Datum value, int64 *key)
{
	struct varlena *string = (struct varlena *) DatumGetPointer(value);

	*key = (int64) hash_bytes_extended((const unsigned char *) VARDATA_ANY(string), VARSIZE_ANY_EXHDR(string), 0);
	return true;
}

/* Trailing blanks do not count. */
static bool
key_of_char(Datum value, int64 *key)
{
	struct varlena *string = (struct varlena *) DatumGetPointer(value);

	*key = (int64) hash_bytes_extended((const unsigned char *) VARDATA_ANY(string),
									   bpchartruelen(VARDATA_ANY(string), VARSIZE_ANY_EXHDR(string)), 0);
	return true;
}

/* The key of an enum is its number: only equality matters. */
static bool
key_of_enum(Datum value, int64 *key)
{
	*key = DatumGetObjectId(value);
	return true;
}

/* ---------- columns ---------- */

static const struct
{
	Oid			type;
	DriverKind	kind;
	DriverKey	key;
}			supported_types[] = {
	{BOOLOID, DRIVER_BOOLEAN, key_of_bool},
	{INT2OID, DRIVER_NUMBER, key_of_int16},
	{INT4OID, DRIVER_NUMBER, key_of_int32},
	{INT8OID, DRIVER_NUMBER, key_of_int64},
	{FLOAT4OID, DRIVER_NUMBER, key_of_float4},
	{FLOAT8OID, DRIVER_NUMBER, key_of_float8},
	{NUMERICOID, DRIVER_NUMBER, key_of_numeric},
	{CASHOID, DRIVER_NUMBER, key_of_int64},
	{DATEOID, DRIVER_DATE, key_of_int32},
	{TIMESTAMPOID, DRIVER_DATE, key_of_int64},
	{TIMESTAMPTZOID, DRIVER_DATE, key_of_int64},
	{BPCHAROID, DRIVER_TEXT, key_of_char},
};

/* Other texts than those of the table, such as citext, and enums. */
static void
driver_set_kind(Driver *driver, Oid type)
{
	char		category;
	bool		preferred;

	driver->kind = DRIVER_UNSUPPORTED;
	driver->varlena = get_typlen(type) == -1;
	for (int i = 0; i < lengthof(supported_types); i++)
		if (supported_types[i].type == type)
		{
			driver->kind = supported_types[i].kind;
			driver->key = supported_types[i].key;
			return;
		}
	get_type_category_preferred(type, &category, &preferred);
	if (category == TYPCATEGORY_ENUM)
		driver->key = key_of_enum;
	else if (category == TYPCATEGORY_STRING && driver->varlena)
		driver->key = key_of_text;
	else
		return;
	driver->kind = DRIVER_TEXT;
}

static void
query_set_columns(DriverQuery *query, TupleDesc desc)
{
	if (getBaseType(TupleDescAttr(desc, 0)->atttypid) != BOOLOID)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("the first column of the query must be the outcome, a boolean, not %s",
						format_type_be(TupleDescAttr(desc, 0)->atttypid))));
	if (desc->natts < 2)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the query has no column beside the outcome")));
	query->ndrivers = desc->natts - 1;
	query->drivers = palloc0(query->ndrivers * sizeof(Driver));
	for (int i = 0; i < query->ndrivers; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i + 1);
		Driver	   *driver = &query->drivers[i];

		driver->name = pstrdup(NameStr(attribute->attname));
		driver->type = attribute->atttypid;
		driver_set_kind(driver, getBaseType(attribute->atttypid));
		if (driver->kind != DRIVER_UNSUPPORTED)
			driver->place = query->supported++;
	}
	/* the other half of the memory is for sorting */
	query->store = column_store_create(query->supported, (Size) work_mem * 1024 / 2);
}

/* ---------- receiving ---------- */

static bool
receive_row(TupleTableSlot *slot, DestReceiver *self)
{
	DriverQuery *query = (DriverQuery *) self;
	MemoryContext old = MemoryContextSwitchTo(query->row_context);
	bool		hit;

	slot_getallattrs(slot);
	if (!slot->tts_isnull[0])
	{
		hit = DatumGetBool(slot->tts_values[0]);
		for (int i = 0; i < query->ndrivers; i++)
		{
			Driver	   *driver = &query->drivers[i];
			bool		isnull = slot->tts_isnull[i + 1];
			Datum		value = slot->tts_values[i + 1];
			int64		key = 0;

			if (driver->kind == DRIVER_UNSUPPORTED)
			{
				driver->missing += isnull;
				continue;
			}
			if (!isnull)
			{
				if (driver->varlena)
					value = PointerGetDatum(PG_DETOAST_DATUM_PACKED(value));
				isnull = !driver->key(value, &key);
			}
			column_store_put(query->store, driver->place, key, isnull);
		}
		column_store_end_row(query->store, hit);
		if (hit)
			query->rows.hits++;
		else
			query->rows.misses++;
	}
	MemoryContextSwitchTo(old);
	if ((++query->received & 0xF) == 0)
		MemoryContextReset(query->row_context);
	return true;
}

static void
receiver_startup(DestReceiver *self, int operation, TupleDesc typeinfo)
{
}

static void
receiver_done(DestReceiver *self)
{
}

static DriverQuery *
query_create(MemoryContext context)
{
	DriverQuery *query = MemoryContextAllocZero(context, sizeof(DriverQuery));

	query->receiver.receiveSlot = receive_row;
	query->receiver.rStartup = receiver_startup;
	query->receiver.rShutdown = receiver_done;
	query->receiver.rDestroy = receiver_done;
	query->receiver.mydest = DestNone;
	query->context = context;
	query->row_context = AllocSetContextCreate(context, "segment row", ALLOCSET_DEFAULT_SIZES);
	return query;
}

/* Run the query, whose rows go to the store. */
static void
run_query(DriverQuery *query, const char *statement)
{
	SPIExecuteOptions options = {0};
	SPIPlanPtr	plan;
	MemoryContext old;

	SPI_connect();
	plan = SPI_prepare_cursor(statement, 0, NULL, CURSOR_OPT_PARALLEL_OK);
	if (plan == NULL || list_length(SPI_plan_get_plan_sources(plan)) != 1)
		elog(ERROR, "could not prepare the query: %s", SPI_result_code_string(SPI_result));
	old = MemoryContextSwitchTo(query->context);
	query_set_columns(query, ((CachedPlanSource *) linitial(SPI_plan_get_plan_sources(plan)))->resultDesc);
	MemoryContextSwitchTo(old);

	/* it sees what the statement sees that calls */
	options.read_only = true;
	options.dest = &query->receiver;
	if (SPI_execute_plan_extended(plan, &options) < 0)
		elog(ERROR, "could not run the query: %s", SPI_result_code_string(SPI_result));
	SPI_finish();
	column_store_finish(query->store);
}

/* ---------- one column ---------- */

/* The values of a column in ascending order, those of hits or of misses. */
typedef struct SortedKeys
{
	Tuplesortstate *sort;
	bool		done;
	int64		key;			/* the next one, unless it is done */
} SortedKeys;

static void
sorted_keys_begin(SortedKeys *keys)
{
	keys->sort = tuplesort_begin_datum(INT8OID, Int8LessOperator, InvalidOid, false,
									   Max(work_mem / 4, 64), NULL, TUPLESORT_NONE);
}

static void
sorted_keys_next(SortedKeys *keys)
{
	Datum		value;
	bool		isnull;

	keys->done = !tuplesort_next_datum(keys->sort, &value, &isnull);
	if (!keys->done)
		keys->key = DatumGetInt64(value);
}

/* Take all that equal a key; how many were there? */
static int64
sorted_keys_take(SortedKeys *keys, int64 key)
{
	int64		count = 0;

	for (; !keys->done && keys->key == key; count++)
	{
		CHECK_FOR_INTERRUPTS();
		sorted_keys_next(keys);
	}
	return count;
}

/* A column's values, of misses and of hits; how many of either have none? */
static InformationBin
sort_column(DriverQuery *query, const Driver *driver, SortedKeys keys[2])
{
	InformationBin missing = {0};
	ColumnPart	part;

	for (int hit = 0; hit < 2; hit++)
		sorted_keys_begin(&keys[hit]);
	for (int64 i = 0; i < column_store_parts(query->store); i++)
	{
		CHECK_FOR_INTERRUPTS();
		column_store_read(query->store, i, driver->place, &part);
		for (int row = 0; row < part.rows; row++)
		{
			bool		hit = column_bit(part.marks, row);

			if (!column_bit(part.nulls, row))
				tuplesort_putdatum(keys[hit].sort, Int64GetDatum(part.values[row]), false);
			else if (hit)
				missing.hits++;
			else
				missing.misses++;
		}
	}
	for (int hit = 0; hit < 2; hit++)
	{
		tuplesort_performsort(keys[hit].sort);
		sorted_keys_next(&keys[hit]);
	}
	return missing;
}

static void
read_column(DriverQuery *query, Driver *driver)
{
	InformationColumn *column = &driver->column;
	SortedKeys	keys[2];
	InformationBin missing = sort_column(query, driver, keys);
	InformationBin known = {query->rows.hits - missing.hits, query->rows.misses - missing.misses};

	information_begin(column, driver->kind != DRIVER_TEXT, known, missing);
	while (!keys[0].done || !keys[1].done)
	{
		bool		hit_is_next = keys[0].done || (!keys[1].done && keys[1].key < keys[0].key);
		int64		key = keys[hit_is_next].key;
		InformationBin value;

		value.misses = sorted_keys_take(&keys[0], key);
		value.hits = sorted_keys_take(&keys[1], key);
		information_add(column, value);
	}
	information_end(column);
	for (int hit = 0; hit < 2; hit++)
		tuplesort_end(keys[hit].sort);
	driver->missing = information_rows(missing);
}

static void
judge_column(DriverQuery *query, Driver *driver)
{
	InformationColumn *column = &driver->column;
	int			nbins = column->nbins;

	driver->known = information_of(column->bins, nbins, query->supported);
	if (driver->missing > 0)
		column->bins[nbins++] = column->missing;
	driver->all = information_of(column->bins, nbins, query->supported);
	driver->area = driver->bin_area = get_float8_nan();
	if (column->known.hits > 0 && column->known.misses > 0)
	{
		driver->bin_area = information_area_of_bins(column);
		driver->area = column->ordered ? information_area(column) : driver->bin_area;
	}
}

/* ---------- the result ---------- */

/* Is a value known only where the outcome is true, or only where it is false? */
static bool
known_for_one_outcome(const DriverQuery *query, const Driver *driver)
{
	const InformationColumn *column = &driver->column;
	InformationBin bins[2] = {column->known, column->missing};

	return information_rows(column->known) > 0 && (column->known.hits == 0 || column->known.misses == 0) &&
		information_of(bins, 2, query->supported).significant;
}

/* Does the column give away the outcome? */
static bool
separates_outcome(const Driver *driver)
{
	return driver->known.significant &&
		(driver->area >= LEAKING_AREA || driver->area <= 1 - LEAKING_AREA || driver->bin_area >= LEAKING_AREA);
}

/* Which values go with the outcome; NULL: it cannot be said. */
static const char *
direction(const Driver *driver)
{
	if (!driver->column.ordered || !driver->known.significant)
		return NULL;
	/* their order tells less than half of what their bins do */
	if (fabs(driver->area - 0.5) < (driver->bin_area - 0.5) / 2)
		return "mixed";
	return driver->area > 0.5 ? "higher" : "lower";
}

static void
add_note(StringInfo notes, const char *note)
{
	appendStringInfo(notes, "%s%s", notes->len > 0 ? "; " : "", note);
}

/* What else there is to say of a column. */
static char *
driver_notes(const DriverQuery *query, const Driver *driver)
{
	const InformationColumn *column = &driver->column;
	StringInfoData notes;

	initStringInfo(&notes);
	if (driver->kind == DRIVER_UNSUPPORTED)
		add_note(&notes, psprintf("values of type %s cannot be judged: cast them to a number, date or text",
								  format_type_be(driver->type)));
	else if (column->values == 0)
		add_note(&notes, "no value is known");
	else
	{
		if (column->values == 1)
			add_note(&notes, "all values are the same");
		if (known_for_one_outcome(query, driver))
			add_note(&notes, column->known.misses == 0 ? "known only where the outcome is true" :
					 "known only where the outcome is false");
		if (separates_outcome(driver))
			add_note(&notes, "tells the outcome almost perfectly");
		if (!driver->all.significant)
			add_note(&notes, "no more than chance would give");
		else if (!driver->known.significant)
			add_note(&notes, "what tells is whether a value is known, not which");
		if (driver->kind == DRIVER_TEXT && column->values > INFORMATION_RARE_ROWS &&
			column->values > information_rows(column->known) * 0.9)
			add_note(&notes, "nearly every row has a value of its own");
	}
	return notes.len > 0 ? notes.data : NULL;
}

/* The information of a column beyond what chance would give. */
static double
driver_gain(const Driver *driver)
{
	return driver->all.significant ? driver->all.value - driver->all.chance : 0;
}

static inline Datum
text_or_null(const char *string, bool *isnull)
{
	*isnull = string == NULL;
	return string != NULL ? CStringGetTextDatum(string) : (Datum) 0;
}

static void
put_driver(const DriverQuery *query, int number, double all_gains, ReturnSetInfo *result)
{
	enum
	{
		POSITION, COLUMN_NAME, KIND, N, MISSING, AUC, INFORMATION_VALUE, CONTRIBUTION, DIRECTION, LEAKAGE, NOTE, WIDTH
	};
	const Driver *driver = &query->drivers[number];
	bool		supported = driver->kind != DRIVER_UNSUPPORTED;
	Datum		values[WIDTH];
	bool		nulls[WIDTH] = {false};

	values[POSITION] = Int32GetDatum(number + 1);
	values[COLUMN_NAME] = CStringGetTextDatum(driver->name);
	values[KIND] = CStringGetTextDatum(kind_names[driver->kind]);
	values[N] = Int64GetDatum(information_rows(query->rows) - driver->missing);
	values[MISSING] = Int64GetDatum(driver->missing);
	values[AUC] = Float8GetDatum(driver->area);
	nulls[AUC] = !supported || isnan(driver->area);
	values[INFORMATION_VALUE] = Float8GetDatum(driver->all.value);
	values[CONTRIBUTION] = Float8GetDatum(all_gains > 0 ? driver_gain(driver) / all_gains : 0);
	values[LEAKAGE] = BoolGetDatum(supported && (known_for_one_outcome(query, driver) || separates_outcome(driver)));
	nulls[INFORMATION_VALUE] = nulls[CONTRIBUTION] = nulls[LEAKAGE] = !supported;
	values[DIRECTION] = text_or_null(supported ? direction(driver) : NULL, &nulls[DIRECTION]);
	values[NOTE] = text_or_null(driver_notes(query, driver), &nulls[NOTE]);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

static void
put_drivers(DriverQuery *query, FunctionCallInfo fcinfo)
{
	ReturnSetInfo *result = result_set_begin(fcinfo, 11);
	double		all_gains = 0;

	for (int i = 0; i < query->ndrivers; i++)
	{
		Driver	   *driver = &query->drivers[i];

		if (driver->kind == DRIVER_UNSUPPORTED)
			continue;
		read_column(query, driver);
		judge_column(query, driver);
		all_gains += driver_gain(driver);
	}
	for (int i = 0; i < query->ndrivers; i++)
		put_driver(query, i, all_gains, result);
}

/* There must be rows of either kind to tell them apart. */
static void
check_outcomes(const DriverQuery *query)
{
	if (query->rows.hits == 0 || query->rows.misses == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the outcome must be true in some rows of the query and false in others"),
				 errdetail("It is true in %lld rows and false in %lld.",
						   (long long) query->rows.hits, (long long) query->rows.misses)));
}

/*
 * drivers(query text): how much each column of a query tells about the outcome,
 * which is its first
 *
 * Errors: 22004 no query; 22023 it is not one SELECT, has one column only, or
 * one outcome only; 42804 the outcome is not a boolean; and those of the query.
 */
PG_FUNCTION_INFO_V1(segment_drivers);
Datum
segment_drivers(PG_FUNCTION_ARGS)
{
	MemoryContext context;
	MemoryContext old;
	DriverQuery *query;
	char	   *statement;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("query must not be null")));
	statement = text_to_cstring(PG_GETARG_TEXT_PP(0));
	source_check_one_select("query", statement);

	context = AllocSetContextCreate(CurrentMemoryContext, "segment drivers", ALLOCSET_DEFAULT_SIZES);
	query = query_create(context);
	run_query(query, statement);
	check_outcomes(query);
	old = MemoryContextSwitchTo(context);
	put_drivers(query, fcinfo);
	MemoryContextSwitchTo(old);
	column_store_free(query->store);
	MemoryContextDelete(context);
	return (Datum) 0;
}
