/*-------------------------------------------------------------------------
 *
 * history_query.c
 *		The histories of all customers that a query's rows tell of: what
 *		history_agg under GROUP BY gives, by a grouping of its own.
 *
 * The server's hash aggregate misses the processor's cache several times for
 * every row.  Here the rows are received from the executor (so that any
 * query, permission and row security holds) and appended to one of 256
 * partitions by the hash of their key, in a compact form; a partition is small
 * enough for the cache when its rows are then put together, customer by
 * customer.  Beyond work_mem the partitions go to temporary files.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "compat.h"

#include "access/htup_details.h"
#include "access/tupdesc.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "commands/tablespace.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/buffile.h"
#include "tcop/dest.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/plancache.h"
#include "utils/resowner.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include "decimal.h"
#include "history.h"
#include "local_day.h"
#include "source.h"

#define PARTITION_BITS	8
#define PARTITIONS		(1 << PARTITION_BITS)

/* ---------- rows on their way ---------- */

/*
 * A row in a partition: this head, then the amounts that are there (8 bytes
 * each, 16 if wide), then the key: a Datum passed by value, or its bytes.
 * Every part begins at a multiple of 8.
 */
typedef struct Row
{
	uint32		hash;
	uint32		size;			/* all told */
	DateADT		day;
	uint8		flags;
	uint8		scale[2];		/* of amount and margin */
	uint8		unused;
} Row;

#define ROW_HAS(i)		(1 << (i))	/* amount i is there, and the day */
#define ROW_WIDE(i)		(4 << (i))
#define ROW_NULL_KEY	16

typedef struct RowBlock
{
	struct RowBlock *next;
	Size		used;
	char		data[FLEXIBLE_ARRAY_MEMBER];
} RowBlock;

typedef struct Partition
{
	RowBlock	   *first;
	RowBlock	   *last;
	BufFile    *file;			/* what did not fit into memory */
	Size		file_bytes;
	Size		rows;
} Partition;

typedef enum DayKind
{
	DAY_DATE,
	DAY_TIMESTAMP,
	DAY_TIMESTAMPTZ
} DayKind;

typedef struct Reading
{
	DestReceiver receiver;		/* must be first */

	/* the query's columns */
	int			amounts;		/* 1, or 2 with a margin */
	DayKind		day_kind;
	LocalDayZone *zone;			/* NULL if none was given */
	Oid			key_type;
	int16		key_length;
	bool		key_by_value;
	bool		key_is_integer;	/* equal values have equal Datums, and no others */
	Oid			key_collation;
	FmgrInfo	key_hash;
	FmgrInfo	key_equal;

	/* the partitions */
	MemoryContext blocks;
	MemoryContext row_context;	/* detoasted values of a few rows */
	ResourceOwner owner;		/* of the temporary files */
	RowBlock	   *free_blocks;
	Size		block_size;
	Size		used;			/* memory in blocks */
	Size		limit;
	Size		rows;
	Partition	partitions[PARTITIONS];
} Reading;

static RowBlock *
new_block(Reading *reading, Size size)
{
	RowBlock	   *block;

	if (size == reading->block_size && reading->free_blocks != NULL)
	{
		block = reading->free_blocks;
		reading->free_blocks = block->next;
	}
	else
		block = MemoryContextAllocHuge(reading->blocks, offsetof(RowBlock, data) + size);
	block->next = NULL;
	block->used = 0;
	reading->used += size;
	return block;
}

/* All rows so far to temporary files, which the end of the query removes. */
static void
spill(Reading *reading)
{
	ResourceOwner caller = CurrentResourceOwner;
	MemoryContext old = MemoryContextSwitchTo(reading->blocks);
	int			i;

	CurrentResourceOwner = reading->owner;
	PrepareTempTablespaces();
	for (i = 0; i < PARTITIONS; i++)
	{
		Partition  *partition = &reading->partitions[i];
		RowBlock	   *block = partition->first;

		if (block != NULL && partition->file == NULL)
			partition->file = BufFileCreateTemp(false);
		while (block != NULL)
		{
			RowBlock	   *next = block->next;

			BufFileWrite(partition->file, block->data, block->used);
			partition->file_bytes += block->used;
			if (block->used > reading->block_size)
				pfree(block);	/* one large row */
			else
			{
				block->next = reading->free_blocks;
				reading->free_blocks = block;
			}
			block = next;
		}
		partition->first = partition->last = NULL;
	}
	reading->used = 0;
	CurrentResourceOwner = caller;
	MemoryContextSwitchTo(old);
}

/* Room for a row of the given size at the end of its partition. */
static inline char *
append_row(Reading *reading, uint32 hash, Size size)
{
	Partition  *partition = &reading->partitions[hash >> (32 - PARTITION_BITS)];
	RowBlock	   *block = partition->last;
	char	   *place;

	if (unlikely(block == NULL || block->used + size > reading->block_size))
	{
		if (reading->used >= reading->limit)
			spill(reading);
		block = new_block(reading, Max(size, reading->block_size));
		if (partition->last == NULL)
			partition->first = block;
		else
			partition->last->next = block;
		partition->last = block;
	}
	place = block->data + block->used;
	block->used += size;
	partition->rows++;
	return place;
}

/* ---------- receiving ---------- */

static uint32
hash_key(Reading *reading, Datum key)
{
	if (reading->key_is_integer)
		return murmurhash32((uint32) key ^ murmurhash32((uint32) ((uint64) key >> 32)));
	return murmurhash32(DatumGetUInt32(FunctionCall1Coll(&reading->key_hash,
														 reading->key_collation, key)));
}

static DateADT
row_day(Reading *reading, Datum at)
{
	DateADT		day;
	Timestamp	moment;

	switch (reading->day_kind)
	{
		case DAY_DATE:
			day = DatumGetDateADT(at);
			if (unlikely(DATE_NOT_FINITE(day)))
				ereport(ERROR,
						(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
						 errmsg("day of an order must be finite, not \"%s\"",
								DATE_IS_NOBEGIN(day) ? "-infinity" : "infinity")));
			return day;
		case DAY_TIMESTAMP:
			moment = DatumGetTimestamp(at);
			if (unlikely(TIMESTAMP_NOT_FINITE(moment)))
				ereport(ERROR,
						(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
						 errmsg("time of an order must be finite, not \"%s\"",
								TIMESTAMP_IS_NOBEGIN(moment) ? "-infinity" : "infinity")));
			return (DateADT) (moment / USECS_PER_DAY - (moment % USECS_PER_DAY < 0 ? 1 : 0));
		case DAY_TIMESTAMPTZ:
			break;
	}
	return local_day(reading->zone, DatumGetTimestampTz(at));
}

/* A key passed by reference, as it can be stored. */
static Datum
flat_key(Reading *reading, Datum key, Size *size)
{
	if (reading->key_length == -1)
		key = PointerGetDatum(PG_DETOAST_DATUM_PACKED(key));
	*size = datumGetSize(key, false, reading->key_length);
	return key;
}

static bool
receive_row(TupleTableSlot *slot, DestReceiver *self)
{
	Reading    *reading = (Reading *) self;
	MemoryContext old = MemoryContextSwitchTo(reading->row_context);
	Row			row = {0};
	int128		amounts[2];
	Datum		key;
	Size		key_size = 0;
	Size		size = sizeof(Row);
	char	   *place;
	int			i;

	slot_getallattrs(slot);
	key = slot->tts_values[0];
	if (unlikely(slot->tts_isnull[0]))
		row.flags = ROW_NULL_KEY;
	else
	{
		if (!reading->key_by_value)
			key = flat_key(reading, key, &key_size);
		else
			key_size = sizeof(Datum);
		row.hash = hash_key(reading, key);
	}
	if (likely(!slot->tts_isnull[1]))
	{
		for (i = 0; i < reading->amounts; i++)
		{
			if (unlikely(slot->tts_isnull[2 + i]))
				continue;
			row.scale[i] =
				decimal_from_numeric(PointerGetDatum(PG_DETOAST_DATUM_PACKED(slot->tts_values[2 + i])),
									 &amounts[i]);
			row.flags |= ROW_HAS(i);
			if (unlikely(amounts[i] != (int64) amounts[i]))
				row.flags |= ROW_WIDE(i);
			size += row.flags & ROW_WIDE(i) ? sizeof(int128) : sizeof(int64);
		}
		if (row.flags & (ROW_HAS(0) | ROW_HAS(1)))
			row.day = row_day(reading, slot->tts_values[1]);
	}
	if (unlikely(size + MAXALIGN(key_size) > PG_UINT32_MAX))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("key of a customer is too long")));
	size += MAXALIGN(key_size);
	row.size = (uint32) size;

	place = append_row(reading, row.hash, size);
	memcpy(place, &row, sizeof(Row));
	place += sizeof(Row);
	for (i = 0; i < reading->amounts; i++)
	{
		if (row.flags & ROW_WIDE(i))
		{
			memcpy(place, &amounts[i], sizeof(int128));
			place += sizeof(int128);
		}
		else if (row.flags & ROW_HAS(i))
		{
			int64		amount = (int64) amounts[i];

			memcpy(place, &amount, sizeof(int64));
			place += sizeof(int64);
		}
	}
	if (key_size > 0)
	{
		if (reading->key_by_value)
			memcpy(place, &key, sizeof(Datum));
		else
			memcpy(place, DatumGetPointer(key), key_size);
	}

	MemoryContextSwitchTo(old);
	if ((++reading->rows & 0xFF) == 0)
		MemoryContextReset(reading->row_context);
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

/* ---------- putting together ---------- */

typedef struct CustomerRows
{
	const Row  *first;			/* has the key */
	uint32		hash;
	Size		rows;
	Size		begin;			/* of its rows in the sorted list */
} CustomerRows;

static inline const char *
row_amount(const Row *row, int i, int128 *amount)
{
	const char *place = (const char *) row + sizeof(Row);
	int			j;

	for (j = 0; j < i; j++)
		place += row->flags & ROW_WIDE(j) ? sizeof(int128) :
			row->flags & ROW_HAS(j) ? sizeof(int64) : 0;
	if (row->flags & ROW_WIDE(i))
	{
		memcpy(amount, place, sizeof(int128));
		return place + sizeof(int128);
	}
	if (row->flags & ROW_HAS(i))
	{
		int64		narrow;

		memcpy(&narrow, place, sizeof(int64));
		*amount = narrow;
		return place + sizeof(int64);
	}
	return place;
}

static inline Datum
row_key(const Reading *reading, const Row *row)
{
	int128		amount;
	const char *place = row_amount(row, 1, &amount);
	Datum		key;

	if (!reading->key_by_value)
		return PointerGetDatum(place);
	memcpy(&key, place, sizeof(Datum));
	return key;
}

static bool
keys_equal(Reading *reading, const Row *a, const Row *b)
{
	if ((a->flags | b->flags) & ROW_NULL_KEY)
		return (a->flags & b->flags & ROW_NULL_KEY) != 0;
	if (reading->key_is_integer)
		return row_key(reading, a) == row_key(reading, b);
	if (datum_image_eq(row_key(reading, a), row_key(reading, b),
					   reading->key_by_value, reading->key_length))
		return true;
	return DatumGetBool(FunctionCall2Coll(&reading->key_equal, reading->key_collation,
										  row_key(reading, a), row_key(reading, b)));
}

/* The rows of a partition, from its file and its blocks. */
static const Row **
list_rows(Reading *reading, Partition *partition)
{
	const Row **rows = MemoryContextAllocHuge(CurrentMemoryContext,
											  partition->rows * sizeof(Row *));
	Size		n = 0;
	RowBlock	   *block;
	char	   *place;

	if (partition->file != NULL)
	{
		char	   *bytes = MemoryContextAllocHuge(CurrentMemoryContext, partition->file_bytes);

		if (BufFileSeek(partition->file, 0, 0, SEEK_SET) != 0 ||
			BufFileRead(partition->file, bytes, partition->file_bytes) != partition->file_bytes)
			ereport(ERROR,
					(errcode_for_file_access(),
					 errmsg("could not read temporary file of a query's histories")));
		BufFileClose(partition->file);
		partition->file = NULL;
		for (place = bytes; place < bytes + partition->file_bytes; place += ((Row *) place)->size)
			rows[n++] = (Row *) place;
	}
	for (block = partition->first; block != NULL; block = block->next)
		for (place = block->data; place < block->data + block->used; place += ((Row *) place)->size)
			rows[n++] = (Row *) place;
	Assert(n == partition->rows);
	return rows;
}

/* Number the groups of a partition's rows; group_of[] gets each row's. */
static CustomerRows *
find_groups(Reading *reading, const Row **rows, Size nrows, uint32 *group_of, Size *ngroups)
{
	Size		capacity = 256;
	CustomerRows	   *groups = MemoryContextAllocHuge(CurrentMemoryContext, capacity * sizeof(CustomerRows));
	uint32	   *table = palloc0(capacity * 4 * sizeof(uint32));
	Size		mask = capacity * 4 - 1;	/* at most a quarter is used */
	Size		n = 0;
	Size		i;

	for (i = 0; i < nrows; i++)
	{
		const Row  *row = rows[i];
		Size		slot = row->hash & mask;

		while (table[slot] != 0 &&
			   (groups[table[slot] - 1].hash != row->hash ||
				!keys_equal(reading, groups[table[slot] - 1].first, row)))
			slot = (slot + 1) & mask;
		if (table[slot] == 0)
		{
			if (n == capacity)
			{
				/* rebuild the table, twice as large, and look again */
				Size		j;

				capacity *= 2;
				mask = capacity * 4 - 1;
				groups = repalloc_huge(groups, capacity * sizeof(CustomerRows));
				pfree(table);
				table = MemoryContextAllocExtended(CurrentMemoryContext,
												   (mask + 1) * sizeof(uint32),
												   MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
				for (j = 0; j < n; j++)
				{
					for (slot = groups[j].hash & mask; table[slot] != 0;)
						slot = (slot + 1) & mask;
					table[slot] = j + 1;
				}
				for (slot = row->hash & mask; table[slot] != 0;)
					slot = (slot + 1) & mask;
			}
			groups[n].first = row;
			groups[n].hash = row->hash;
			groups[n].rows = 0;
			table[slot] = ++n;
		}
		group_of[i] = table[slot] - 1;
		groups[group_of[i]].rows++;
		if ((i & 0xFFFF) == 0xFFFF)
			CHECK_FOR_INTERRUPTS();
	}
	*ngroups = n;
	return groups;
}

/* The history of amount i of some rows; NULL if none of them has one. */
static struct varlena *
rows_history(HistoryDays *list, const Row **rows, Size nrows, int i)
{
	int			scale = 0;
	Size		j;

	for (j = 0; j < nrows; j++)
		if (rows[j]->flags & ROW_HAS(i))
			scale = Max(scale, rows[j]->scale[i]);
	list->count = 0;
	list->scale = list->display_scale = scale;
	for (j = 0; j < nrows; j++)
	{
		HistoryDay	day = {0};
		int128		amount;

		if (!(rows[j]->flags & ROW_HAS(i)))
			continue;
		row_amount(rows[j], i, &amount);
		amount = decimal_rescale(amount, rows[j]->scale[i], scale);
		day.day = rows[j]->day;
		if (amount >= 0)
		{
			day.orders = 1;
			day.gross = amount;
		}
		else
		{
			day.refunds = 1;
			day.refunded = -amount;
		}
		history_days_add(list, &day);
		if ((j & 0xFFFF) == 0xFFFF)
			CHECK_FOR_INTERRUPTS();
	}
	return list->count > 0 ? history_store(list) : NULL;
}

static void
emit_partition(Reading *reading, Partition *partition, ReturnSetInfo *result)
{
	Size		nrows = partition->rows;
	const Row **rows = list_rows(reading, partition);
	const Row **sorted = MemoryContextAllocHuge(CurrentMemoryContext, nrows * sizeof(Row *));
	uint32	   *group_of = MemoryContextAllocHuge(CurrentMemoryContext, nrows * sizeof(uint32));
	Size		ngroups;
	CustomerRows	   *groups = find_groups(reading, rows, nrows, group_of, &ngroups);
	Size		begin = 0;
	MemoryContext group_context = AllocSetContextCreate(CurrentMemoryContext,
														"segment history of a group",
														ALLOCSET_DEFAULT_SIZES);
	Size		i;

	/* counting sort by group */
	for (i = 0; i < ngroups; i++)
	{
		groups[i].begin = begin;
		begin += groups[i].rows;
	}
	for (i = 0; i < nrows; i++)
		sorted[groups[group_of[i]].begin++] = rows[i];

	for (i = 0; i < ngroups; i++)
	{
		const Row **own = sorted + groups[i].begin - groups[i].rows;
		MemoryContext old = MemoryContextSwitchTo(group_context);
		Datum		values[3] = {0};
		bool		nulls[3] = {false};
		HistoryDays list;
		int			j;

		nulls[0] = (groups[i].first->flags & ROW_NULL_KEY) != 0;
		if (!nulls[0])
			values[0] = row_key(reading, groups[i].first);
		history_days_init(&list, 0, 0);
		for (j = 0; j < reading->amounts; j++)
		{
			struct varlena *history = rows_history(&list, own, groups[i].rows, j);

			values[1 + j] = PointerGetDatum(history);
			nulls[1 + j] = history == NULL;
		}
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
		MemoryContextSwitchTo(old);
		MemoryContextReset(group_context);
		CHECK_FOR_INTERRUPTS();
	}
}

/* ---------- the function ---------- */

/* The type history, in the schema of the function that is running. */
static Oid
history_type(FunctionCallInfo fcinfo)
{
	Oid			schema = get_func_namespace(fcinfo->flinfo->fn_oid);

	return GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid,
						   CStringGetDatum("history"), ObjectIdGetDatum(schema));
}

static void
wrong_column(int number, const char *expected, Oid type)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("column %d of the query must be %s, not %s",
					number, expected, format_type_be(type)),
			 errhint("Its columns are the customer, the time (date, timestamp or timestamptz), the amount (numeric) and, if wanted, a second amount. Cast them in the query.")));
}

/* What the query returns, and how its keys are hashed and compared. */
static void
describe_query(Reading *reading, TupleDesc desc, const struct varlena *timezone)
{
	TypeCacheEntry *key;
	Oid			at;
	int			i;

	if (desc->natts != 3 && desc->natts != 4)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the query must return 3 or 4 columns, not %d", desc->natts),
				 errhint("Its columns are the customer, the time, the amount and, if wanted, a second amount.")));
	reading->amounts = desc->natts - 2;

	at = getBaseType(TupleDescAttr(desc, 1)->atttypid);
	if (at == DATEOID)
		reading->day_kind = DAY_DATE;
	else if (at == TIMESTAMPOID)
		reading->day_kind = DAY_TIMESTAMP;
	else if (at == TIMESTAMPTZOID)
		reading->day_kind = DAY_TIMESTAMPTZ;
	else
		wrong_column(2, "a date or timestamp", at);
	if (reading->day_kind == DAY_TIMESTAMPTZ)
	{
		if (timezone == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("time zone must not be null"),
					 errdetail("The query's times are moments; their days depend on a time zone.")));
		reading->zone = palloc0(sizeof(LocalDayZone));
		local_day_zone_set(reading->zone, timezone);
	}
	for (i = 2; i < desc->natts; i++)
		if (getBaseType(TupleDescAttr(desc, i)->atttypid) != NUMERICOID)
			wrong_column(i + 1, "numeric", TupleDescAttr(desc, i)->atttypid);

	reading->key_type = TupleDescAttr(desc, 0)->atttypid;
	reading->key_collation = TupleDescAttr(desc, 0)->attcollation;
	key = lookup_type_cache(reading->key_type,
							TYPECACHE_HASH_PROC_FINFO | TYPECACHE_EQ_OPR_FINFO);
	if (!OidIsValid(key->hash_proc_finfo.fn_oid) || !OidIsValid(key->eq_opr_finfo.fn_oid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("column 1 of the query cannot be the customer: values of type %s cannot be hashed",
						format_type_be(reading->key_type))));
	reading->key_length = key->typlen;
	reading->key_by_value = key->typbyval;
	fmgr_info_copy(&reading->key_hash, &key->hash_proc_finfo, CurrentMemoryContext);
	fmgr_info_copy(&reading->key_equal, &key->eq_opr_finfo, CurrentMemoryContext);
	switch (getBaseType(reading->key_type))
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case OIDOID:
			reading->key_is_integer = reading->key_by_value;
			break;
		default:
			reading->key_is_integer = false;
	}
}

/* The caller's column list: the key's type, then history once or twice. */
static void
check_result(FunctionCallInfo fcinfo, const Reading *reading, TupleDesc expected)
{
	Oid			history = history_type(fcinfo);
	bool		fits = expected != NULL && expected->natts == 1 + reading->amounts &&
		TupleDescAttr(expected, 0)->atttypid == reading->key_type;
	int			i;

	for (i = 1; fits && i < expected->natts; i++)
		fits = TupleDescAttr(expected, i)->atttypid == history;
	if (!fits)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("the column definition list does not fit the query"),
				 errhint("Write AS h(customer_id %s, history segment.history%s).",
						 format_type_be(reading->key_type),
						 reading->amounts == 2 ? ", margins segment.history" : "")));
}

/*
 * histories(query text, timezone text): setof (customer, history [, history])
 *
 * Errors: 22023 the query is not one SELECT, has other than 3 or 4 columns,
 * unknown time zone; 42804 types; 22004 time zone missing; those of
 * history_agg for the values, and those of the query.
 */
PG_FUNCTION_INFO_V1(history_query);
Datum
history_query(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	const struct varlena *timezone = PG_ARGISNULL(1) ? NULL : PG_GETARG_TEXT_PP(1);
	SPIExecuteOptions options = {0};
	MemoryContext context;
	MemoryContext old;
	Reading    *reading;
	SPIPlanPtr	plan;
	char	   *query;
	int			i;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("query must not be null")));
	query = text_to_cstring(PG_GETARG_TEXT_PP(0));
	source_check_one_select("query", query);

	context = AllocSetContextCreate(CurrentMemoryContext, "segment histories of a query",
									ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	reading = palloc0(sizeof(Reading));
	reading->receiver.receiveSlot = receive_row;
	reading->receiver.rStartup = receiver_startup;
	reading->receiver.rShutdown = receiver_done;
	reading->receiver.rDestroy = receiver_done;
	reading->receiver.mydest = DestNone;
	reading->owner = CurrentResourceOwner;
	reading->limit = (Size) work_mem * 1024;
	reading->block_size = Max(1024, Min(32 * 1024, reading->limit / PARTITIONS / 4));
	reading->blocks = AllocSetContextCreate(context, "segment rows", ALLOCSET_DEFAULT_SIZES);
	reading->row_context = AllocSetContextCreate(context, "segment row", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(old);

	SPI_connect();
	plan = SPI_prepare_cursor(query, 0, NULL, CURSOR_OPT_PARALLEL_OK);
	if (plan == NULL || list_length(SPI_plan_get_plan_sources(plan)) != 1)
		elog(ERROR, "could not prepare the query: %s", SPI_result_code_string(SPI_result));
	MemoryContextSwitchTo(context);
	describe_query(reading,
				   ((CachedPlanSource *) linitial(SPI_plan_get_plan_sources(plan)))->resultDesc,
				   timezone);
	MemoryContextSwitchTo(old);
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	check_result(fcinfo, reading, result->setDesc);

	options.read_only = false;
	options.dest = &reading->receiver;
	if (SPI_execute_plan_extended(plan, &options) < 0)
		elog(ERROR, "could not run the query: %s", SPI_result_code_string(SPI_result));
	SPI_finish();

	/* partition by partition, each with memory of its own */
	for (i = 0; i < PARTITIONS; i++)
	{
		Partition  *partition = &reading->partitions[i];
		MemoryContext partition_context;

		if (partition->rows == 0)
			continue;
		partition_context = AllocSetContextCreate(context, "segment partition",
												  ALLOCSET_DEFAULT_SIZES);
		MemoryContextSwitchTo(partition_context);
		emit_partition(reading, partition, result);
		MemoryContextSwitchTo(old);
		MemoryContextDelete(partition_context);
	}
	MemoryContextDelete(context);
	return (Datum) 0;
}
