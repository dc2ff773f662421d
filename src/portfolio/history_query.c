/*-------------------------------------------------------------------------
 *
 * history_query.c
 *		The histories of all customers that a query's rows tell of: what
 *		history_agg under GROUP BY gives, by a grouping of its own.
 *
 * The server's hash aggregate misses the processor's cache several times for
 * every row.  Here the rows are received from the executor (so that any
 * query, permission and row security holds) and, in a compact form, set apart
 * by the hash of their key; a partition is small enough for the cache when
 * its rows are then sorted by customer and day, without a comparison, and put
 * together.  Beyond work_mem the partitions go to temporary files.
 *
 * A portfolio's refresh has the rows checked on the way: which ones lack
 * something, are for nothing, or repeat another one.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include "access/htup_details.h"
#include "access/nbtree.h"
#include "access/tupdesc.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "tcop/dest.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/plancache.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"
#include "utils/typcache.h"

#include "portfolio/data_quality.h"
#include "base/decimal.h"
#include "types/history.h"
#include "base/local_day.h"
#include "base/partition.h"
#include "portfolio/source.h"

/* ---------- rows on their way ---------- */

/*
 * A row in a partition: this head, then the amounts (8 bytes each, 16 if the
 * row is wide), then the moment if it is wanted (8), then the bytes of a key
 * that is passed by reference.  Every part begins at a multiple of 8.
 */
typedef struct Row
{
	DateADT		day;
	uint8		flags;
	uint8		scale[2];		/* of the amounts */
	uint8		unused;
	union
	{
		Datum		value;		/* of a key passed by value */
		struct
		{
			uint32		hash;
			uint32		size;
		}			bytes;		/* of any other key */
		uint32		group;		/* once the customers are known */
	}			key;
} Row;

#define ROW_HAS(i)		(1 << (i))	/* amount i is there, and the day */
#define ROW_HAS_ANY		(ROW_HAS(0) | ROW_HAS(1))
#define ROW_WIDE		4
#define ROW_NULL_KEY	8
#define ROW_NO_DAY		16			/* of checked rows; amount 0 is there, if known */

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
	bool		key_is_image;	/* equal values have the same bytes, and no others */
	Oid			key_collation;
	FmgrInfo	key_hash;
	FmgrInfo	key_equal;

	bool		checked;		/* are doubtful rows counted? */
	bool		moments;		/* and is a day too coarse to tell rows apart? */
	QualityCounts nobody;		/* rows without a customer, if checked */

	PartitionSet *partitions;
	MemoryContext row_context;	/* detoasted values of a few rows */
	Size		received;
} Reading;

/* What makes up a key passed by reference: its bytes without a length word. */
static inline const char *
key_image(const Reading *reading, Datum key, Size *size)
{
	if (reading->key_length > 0)
	{
		*size = reading->key_length;
		return DatumGetPointer(key);
	}
	*size = VARSIZE_ANY_EXHDR(DatumGetPointer(key));
	return VARDATA_ANY(DatumGetPointer(key));
}

/* Its upper bits choose the partition, its lower bits the place in a table. */
static inline uint32
hash_key(Reading *reading, Datum key)
{
	if (reading->key_is_image && reading->key_by_value)
	{
		/* as MurmurHash3 mixes 64 bits at its end */
		uint64		mixed = (uint64) key;

		mixed = (mixed ^ mixed >> 33) * UINT64CONST(0xFF51AFD7ED558CCD);
		mixed = (mixed ^ mixed >> 33) * UINT64CONST(0xC4CEB9FE1A85EC53);
		return (uint32) (mixed >> 32);
	}
	if (reading->key_is_image)
	{
		Size		size;
		const char *image = key_image(reading, key, &size);

		return hash_bytes((const unsigned char *) image, size);
	}
	/* a type's own function may be careless about some of the bits */
	return murmurhash32(DatumGetUInt32(FunctionCall1Coll(&reading->key_hash,
														 reading->key_collation, key)));
}

/* ---------- receiving ---------- */

static inline DateADT
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
			return (DateADT) local_day_of_time(moment);
		case DAY_TIMESTAMPTZ:
			break;
	}
	return local_day(reading->zone, DatumGetTimestampTz(at));
}

/*
 * The amount of a row that has no customer or no day, for the report of such
 * rows alone: rounded, and 0 if it is none that can be added up.
 */
static int128
doubtful_amount(const TupleTableSlot *slot, int *scale)
{
	if (!slot->tts_isnull[2])
	{
		Numeric		number = DatumGetNumeric(slot->tts_values[2]);
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
take_events(Reading *reading, TupleTableSlot *slot, DateADT *day, int128 *amounts, int *scales)
{
	uint8		flags = 0;
	int			i;

	if (unlikely(slot->tts_isnull[1]))
	{
		if (reading->checked)
		{
			amounts[0] = doubtful_amount(slot, &scales[0]);
			flags = ROW_NO_DAY | (amounts[0] != (int64) amounts[0] ? ROW_WIDE : 0);
		}
		return flags;
	}
	for (i = 0; i < reading->amounts; i++)
	{
		Datum		amount = slot->tts_values[2 + i];
		int64		narrow;

		if (unlikely(slot->tts_isnull[2 + i]))
			continue;
		flags |= ROW_HAS(i);
		if (likely(decimal_from_short_numeric(amount, &narrow, &scales[i])))
			amounts[i] = narrow;
		else
		{
			scales[i] = decimal_from_numeric(PointerGetDatum(PG_DETOAST_DATUM_PACKED(amount)),
											 &amounts[i]);
			if (amounts[i] != (int64) amounts[i])
				flags |= ROW_WIDE;
		}
	}
	if (likely(flags != 0))
		*day = row_day(reading, slot->tts_values[1]);
	return flags;
}

/* The size of the amounts of a row. */
static inline Size
amounts_size(const Reading *reading, uint8 flags)
{
	return reading->amounts * (flags & ROW_WIDE ? sizeof(int128) : sizeof(int64));
}

/* That of all in front of the bytes of a key. */
static inline Size
head_size(const Reading *reading, uint8 flags)
{
	return sizeof(Row) + amounts_size(reading, flags) + (reading->moments ? sizeof(int64) : 0);
}

static bool
receive_row(TupleTableSlot *slot, DestReceiver *self)
{
	Reading    *reading = (Reading *) self;
	MemoryContext old = MemoryContextSwitchTo(reading->row_context);
	DateADT		day = 0;
	int128		amounts[2] = {0};
	int			scales[2] = {0};
	uint8		flags;
	Datum		key;
	uint32		key_size = 0;
	uint32		hash = 0;
	Row		   *row;
	char	   *place;
	int			i;

	slot_getallattrs(slot);
	if (unlikely(reading->checked && slot->tts_isnull[0]))
	{
		amounts[0] = doubtful_amount(slot, &scales[0]);
		quality_count(&reading->nobody, QUALITY_NULL_CUSTOMER, amounts[0], scales[0]);
		MemoryContextSwitchTo(old);
		MemoryContextReset(reading->row_context);
		return true;
	}
	flags = take_events(reading, slot, &day, amounts, scales);
	key = slot->tts_values[0];
	if (unlikely(slot->tts_isnull[0]))
	{
		flags |= ROW_NULL_KEY;
		key = 0;
	}
	else
	{
		if (reading->key_length == -1)
			key = PointerGetDatum(PG_DETOAST_DATUM_PACKED(key));
		if (!reading->key_by_value)
			key_size = datumGetSize(key, false, reading->key_length);
		hash = hash_key(reading, key);
	}

	/* straight to its place: what was just written as bytes is slow to copy */
	row = (Row *) partition_append(reading->partitions, hash,
								   head_size(reading, flags) + MAXALIGN(key_size));
	row->day = day;
	row->flags = flags;
	row->scale[0] = scales[0];
	row->scale[1] = scales[1];
	row->unused = 0;
	if (reading->key_by_value)
		row->key.value = key;
	else
	{
		row->key.bytes.hash = hash;
		row->key.bytes.size = key_size;
	}
	place = (char *) row + sizeof(Row);
	for (i = 0; i < reading->amounts; i++)
	{
		if (unlikely(flags & ROW_WIDE))
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
	if (reading->moments)
	{
		int64		moment = flags & ROW_NO_DAY ? 0 : DatumGetInt64(slot->tts_values[1]);

		memcpy(place, &moment, sizeof(int64));
		place += sizeof(int64);
	}
	if (key_size > 0)
		memcpy(place, DatumGetPointer(key), key_size);

	MemoryContextSwitchTo(old);
	if ((++reading->received & 0xFF) == 0)
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

/* ---------- rows of a partition ---------- */

/* The size of a row all told. */
static inline Size
row_size(const Reading *reading, const Row *row)
{
	Size		size = head_size(reading, row->flags);

	if (!reading->key_by_value)
		size += MAXALIGN(row->key.bytes.size);
	return size;
}

static inline int128
row_amount(const Row *row, int i)
{
	const char *amounts = (const char *) row + sizeof(Row);
	int128		wide;
	int64		narrow;

	if (unlikely(row->flags & ROW_WIDE))
	{
		memcpy(&wide, amounts + i * sizeof(int128), sizeof(int128));
		return wide;
	}
	memcpy(&narrow, amounts + i * sizeof(int64), sizeof(int64));
	return narrow;
}

static inline Datum
row_key(const Reading *reading, const Row *row)
{
	if (reading->key_by_value)
		return row->key.value;
	return PointerGetDatum((const char *) row + head_size(reading, row->flags));
}

/* When it happened, as far as it makes a difference within a day. */
static inline int64
row_moment(const Reading *reading, const Row *row)
{
	int64		moment = 0;

	if (reading->moments)
		memcpy(&moment, (const char *) row + sizeof(Row) + amounts_size(reading, row->flags),
			   sizeof(int64));
	return moment;
}

static inline uint32
row_hash(Reading *reading, const Row *row)
{
	if (unlikely(row->flags & ROW_NULL_KEY))
		return 0;
	return reading->key_by_value ? hash_key(reading, row->key.value) : row->key.bytes.hash;
}

/*
 * The rows of a partition that is too large for the memory, in a set of their
 * own, by further bits of the hash.
 */
static PartitionSet *
split_partition(Reading *reading, PartitionSet *set, Partition *partition)
{
	PartitionSet *parts = partition_set_create(set->memory, set->skipped_bits + 32 - set->shift);
	Size		i;

	partition_rewind(partition);
	for (i = 0; i < partition->rows; i++)
	{
		Row			row;
		Size		size;
		char	   *place;

		partition_read(partition, &row, sizeof(Row));
		size = row_size(reading, &row);
		place = partition_append(parts, row_hash(reading, &row), size);
		memcpy(place, &row, sizeof(Row));
		partition_read(partition, place + sizeof(Row), size - sizeof(Row));
		if ((i & 0xFFFF) == 0xFFFF)
			CHECK_FOR_INTERRUPTS();
	}
	partition_clear(set, partition);
	partition_set_finish(parts);
	return parts;
}

/* ---------- putting together ---------- */

typedef struct CustomerRows
{
	Datum		key;
	uint32		hash;
	bool		null_key;
	uint8		scale[2];		/* largest of the amounts */
	uint32		doubts;			/* number of its counts + 1; 0: no doubtful rows */
	Size		end;			/* of its rows in the sorted list */
} CustomerRows;

/* Columns of the result: customer, one or two histories, two of doubtful rows. */
#define MAX_COLUMNS	5

/* A partition's rows and customers on their way to histories. */
typedef struct Grouping
{
	Row		  **rows;			/* those with amounts */
	Row		  **spare;			/* as many places */
	Size		nrows;
	DateADT		first_day;
	DateADT		last_day;
	CustomerRows *groups;
	uint32		ngroups;
	uint32		capacity;
	uint32	   *table;			/* numbers of groups + 1, by hash; at most half full */
	uint32		mask;
	QualityCounts *doubts;		/* of some customers */
	uint32		ndoubts;
	uint32		doubts_capacity;	/* 0: there is no list yet */
} Grouping;

#define FIRST_CAPACITY	128

#define PREFETCH_DISTANCE	16	/* rows */

static bool
same_customer(Reading *reading, const CustomerRows *group, const Row *row, uint32 hash)
{
	Datum		key;

	if (group->hash != hash)
		return false;
	if (unlikely(group->null_key || row->flags & ROW_NULL_KEY))
		return group->null_key && row->flags & ROW_NULL_KEY;
	key = row_key(reading, row);
	if (reading->key_is_image)
	{
		Size		size;
		Size		group_size;
		const char *image;
		const char *group_image;

		if (reading->key_by_value)
			return group->key == key;
		image = key_image(reading, key, &size);
		group_image = key_image(reading, group->key, &group_size);
		return size == group_size && memcmp(image, group_image, size) == 0;
	}
	return datum_image_eq(group->key, key, reading->key_by_value, reading->key_length) ||
		DatumGetBool(FunctionCall2Coll(&reading->key_equal, reading->key_collation,
									   group->key, key));
}

static void
enlarge_table(Grouping *grouping)
{
	uint32		i;

	if (grouping->capacity > PG_UINT32_MAX / 4)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many customers")));
	grouping->capacity *= 2;
	grouping->mask = grouping->capacity * 2 - 1;
	grouping->groups = repalloc_huge(grouping->groups, grouping->capacity * sizeof(CustomerRows));
	pfree(grouping->table);
	grouping->table = MemoryContextAllocExtended(CurrentMemoryContext,
												 ((Size) grouping->mask + 1) * sizeof(uint32),
												 MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (i = 0; i < grouping->ngroups; i++)
	{
		uint32		slot = grouping->groups[i].hash & grouping->mask;

		while (grouping->table[slot] != 0)
			slot = (slot + 1) & grouping->mask;
		grouping->table[slot] = i + 1;
	}
}

/* The number of a row's group, which may be a new one. */
static inline uint32
find_group(Reading *reading, Grouping *grouping, const Row *row)
{
	uint32		hash = row_hash(reading, row);
	uint32		slot = hash & grouping->mask;
	CustomerRows *group;

	while (grouping->table[slot] != 0)
	{
		if (same_customer(reading, &grouping->groups[grouping->table[slot] - 1], row, hash))
			return grouping->table[slot] - 1;
		slot = (slot + 1) & grouping->mask;
	}
	if (grouping->ngroups == grouping->capacity)
	{
		enlarge_table(grouping);
		for (slot = hash & grouping->mask; grouping->table[slot] != 0;)
			slot = (slot + 1) & grouping->mask;
	}
	group = &grouping->groups[grouping->ngroups];
	group->null_key = (row->flags & ROW_NULL_KEY) != 0;
	group->key = group->null_key ? 0 : row_key(reading, row);
	group->hash = hash;
	group->scale[0] = group->scale[1] = 0;
	group->doubts = 0;
	group->end = 0;
	grouping->table[slot] = ++grouping->ngroups;
	return grouping->ngroups - 1;
}

/* A doubtful row of a customer. */
static void
count_doubt(Grouping *grouping, CustomerRows *group, QualityCheck check, int128 amount, int scale)
{
	if (group->doubts == 0)
	{
		if (grouping->doubts_capacity == 0)
		{
			grouping->doubts_capacity = FIRST_CAPACITY;
			grouping->doubts = palloc(FIRST_CAPACITY * sizeof(QualityCounts));
		}
		else if (grouping->ndoubts == grouping->doubts_capacity)
		{
			grouping->doubts_capacity *= 2;
			grouping->doubts = repalloc_huge(grouping->doubts,
											 grouping->doubts_capacity * sizeof(QualityCounts));
		}
		memset(&grouping->doubts[grouping->ndoubts], 0, sizeof(QualityCounts));
		group->doubts = ++grouping->ndoubts;
	}
	quality_count(&grouping->doubts[group->doubts - 1], check, amount, scale);
}

/* Whatever is doubtful about a row by itself. */
static inline void
check_row(const Reading *reading, Grouping *grouping, CustomerRows *group, const Row *row)
{
	if (unlikely(row->flags & ROW_NO_DAY))
		count_doubt(grouping, group, QUALITY_NULL_DATE, row_amount(row, 0), row->scale[0]);
	else if (unlikely(!(row->flags & ROW_HAS(0))))
		count_doubt(grouping, group, QUALITY_NULL_AMOUNT, 0, 0);
	else
	{
		int128		amount = row_amount(row, 0);

		if (unlikely(amount == 0))
			count_doubt(grouping, group, QUALITY_ZERO_AMOUNT, 0, 0);
		if (unlikely(reading->amounts == 2 && !(row->flags & ROW_HAS(1))))
			count_doubt(grouping, group, QUALITY_NULL_MARGIN, amount, row->scale[0]);
	}
}

/* Number the customers of a partition, and list its rows. */
static void
find_groups(Reading *reading, Grouping *grouping, const Partition *partition)
{
	PartitionBlock *block;

	grouping->rows = MemoryContextAllocHuge(CurrentMemoryContext, partition->rows * sizeof(Row *));
	grouping->spare = MemoryContextAllocHuge(CurrentMemoryContext, partition->rows * sizeof(Row *));
	grouping->nrows = 0;
	grouping->first_day = PG_INT32_MAX;
	grouping->last_day = PG_INT32_MIN;
	grouping->ngroups = 0;
	grouping->capacity = FIRST_CAPACITY;
	grouping->mask = 2 * FIRST_CAPACITY - 1;
	grouping->groups = palloc(FIRST_CAPACITY * sizeof(CustomerRows));
	grouping->table = palloc0(2 * FIRST_CAPACITY * sizeof(uint32));
	grouping->doubts = NULL;
	grouping->ndoubts = grouping->doubts_capacity = 0;

	for (block = partition->first; block != NULL; block = block->next)
	{
		char	   *place;
		Row		   *row;

		for (place = block->data; place < block->end; place += row_size(reading, row))
		{
			uint32		number;
			CustomerRows *group;

			row = (Row *) place;
			number = find_group(reading, grouping, row);
			group = &grouping->groups[number];
			if (reading->checked)
				check_row(reading, grouping, group, row);
			if (unlikely(!(row->flags & ROW_HAS_ANY)))
				continue;
			row->key.group = number;
			group->end++;
			group->scale[0] = Max(group->scale[0], row->scale[0]);
			group->scale[1] = Max(group->scale[1], row->scale[1]);
			grouping->first_day = Min(grouping->first_day, row->day);
			grouping->last_day = Max(grouping->last_day, row->day);
			grouping->rows[grouping->nrows++] = row;
			if ((grouping->nrows & 0xFFFF) == 0)
				CHECK_FOR_INTERRUPTS();
		}
		CHECK_FOR_INTERRUPTS();
	}
}

#define MAX_DIGIT_BITS	12		/* eleven years of days take one pass */

/* As many bits of the distance of a row's day from the first day. */
static inline uint32
day_digit(const Grouping *grouping, const Row *row, int shift, int bits)
{
	uint32		distance = (uint32) row->day - (uint32) grouping->first_day;

	return distance >> shift & ((1 << bits) - 1);
}

static void
swap_lists(Grouping *grouping)
{
	Row		  **rows = grouping->rows;

	grouping->rows = grouping->spare;
	grouping->spare = rows;
}

/* Sort the rows by day: a radix sort with about as many digits as rows. */
static void
sort_by_day(Grouping *grouping)
{
	int			bits = Min(MAX_DIGIT_BITS, pg_leftmost_one_pos64(grouping->nrows + 1) + 2);
	Size		places[1 << MAX_DIGIT_BITS];
	uint32		range = (uint32) grouping->last_day - (uint32) grouping->first_day;
	int			shift;

	for (shift = 0; shift < 32 && range >> shift > 0; shift += bits)
	{
		Size		begin = 0;
		Size		i;

		memset(places, 0, sizeof(Size) << bits);
		for (i = 0; i < grouping->nrows; i++)
			places[day_digit(grouping, grouping->rows[i], shift, bits)]++;
		for (i = 0; i < 1 << bits; i++)
		{
			Size		count = places[i];

			places[i] = begin;
			begin += count;
		}
		for (i = 0; i < grouping->nrows; i++)
		{
			Row		   *row = grouping->rows[i];

			grouping->spare[places[day_digit(grouping, row, shift, bits)]++] = row;
		}
		swap_lists(grouping);
		CHECK_FOR_INTERRUPTS();
	}
}

/* Sort the rows by customer; those of one customer keep their order. */
static void
sort_by_group(Grouping *grouping)
{
	Size		begin = 0;
	Size		i;

	for (i = 0; i < grouping->ngroups; i++)
	{
		Size		count = grouping->groups[i].end;

		grouping->groups[i].end = begin;
		begin += count;
	}
	for (i = 0; i < grouping->nrows; i++)
	{
		Row		   *row = grouping->rows[i];

		grouping->spare[grouping->groups[row->key.group].end++] = row;
	}
	swap_lists(grouping);
	CHECK_FOR_INTERRUPTS();
}

/*
 * The history of amount i of the rows of a customer, which begin at a place in
 * the list; NULL if none of them has one.
 */
static struct varlena *
customer_history(const Grouping *grouping, const CustomerRows *customer, Size begin, int i,
				 HistoryDays *list)
{
	int			scale = customer->scale[i];
	Size		j;

	list->count = 0;
	list->scale = list->display_scale = scale;
	for (j = begin; j < customer->end; j++)
	{
		const Row  *row = grouping->rows[j];

		if (likely(j + PREFETCH_DISTANCE < grouping->nrows))
			prefetch(grouping->rows[j + PREFETCH_DISTANCE]);
		if (likely(row->flags & ROW_HAS(i)))
			history_days_add_event(list, row->day,
								   row_amount(row, i) *
								   decimal_power_of_ten[scale - row->scale[i]]);
		if ((j & 0xFFFF) == 0xFFFF)
			CHECK_FOR_INTERRUPTS();
	}
	return list->count > 0 ? history_store(list) : NULL;
}

/* An order as far as another one may repeat it. */
typedef struct Repeatable
{
	int64		moment;
	int128		amount;			/* at the customer's scale */
} Repeatable;

/* Equal ones next to each other. */
static inline int
compare_repeatable(const Repeatable *a, const Repeatable *b)
{
	if (a->moment != b->moment)
		return a->moment < b->moment ? -1 : 1;
	return a->amount < b->amount ? -1 : a->amount > b->amount;
}

#define ST_SORT sort_repeatable
#define ST_ELEMENT_TYPE Repeatable
#define ST_COMPARE(a, b) compare_repeatable(a, b)
#define ST_SCOPE static
#define ST_CHECK_FOR_INTERRUPTS
#define ST_DEFINE
#include "lib/sort_template.h"

/* The rows of one day of a customer that repeat others. */
static void
count_repeated(const Reading *reading, Grouping *grouping, CustomerRows *customer, Size begin, Size end)
{
	Repeatable *day = MemoryContextAllocHuge(CurrentMemoryContext, (end - begin) * sizeof(Repeatable));
	Size		count = 0;
	Size		i;

	for (i = begin; i < end; i++)
	{
		const Row  *row = grouping->rows[i];

		if (!(row->flags & ROW_HAS(0)))
			continue;
		day[count].moment = row_moment(reading, row);
		day[count++].amount = row_amount(row, 0) *
			decimal_power_of_ten[customer->scale[0] - row->scale[0]];
	}
	sort_repeatable(day, count);
	for (i = 1; i < count; i++)
		if (compare_repeatable(&day[i - 1], &day[i]) == 0)
			count_doubt(grouping, customer, QUALITY_DUPLICATE, day[i].amount, customer->scale[0]);
	pfree(day);
}

/* The rows of a customer that repeat others: those of each day are together. */
static void
count_duplicates(const Reading *reading, Grouping *grouping, CustomerRows *customer, Size begin)
{
	Size		day = begin;
	Size		i;

	for (i = begin; i < customer->end; i++)
	{
		bool		last = i + 1 == customer->end ||
			grouping->rows[i + 1]->day != grouping->rows[i]->day;

		if (last && i > day)
			count_repeated(reading, grouping, customer, day, i + 1);
		if (last)
			day = i + 1;
	}
}

/* What checked_histories tells of doubtful rows: the last two columns. */
static void
emit_doubts(const QualityCounts *counts, Datum *values, bool *nulls)
{
	nulls[0] = nulls[1] = counts == NULL;
	if (counts != NULL)
		quality_arrays(counts, &values[0], &values[1]);
}

/* The histories of a partition's customers. */
static pg_noinline void
emit_partition(Reading *reading, PartitionSet *set, Partition *partition, ReturnSetInfo *result)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "segment partition",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Grouping	grouping;
	HistoryDays list;
	Size		begin = 0;
	uint32		i;

	partition_load(set, partition);
	find_groups(reading, &grouping, partition);
	sort_by_day(&grouping);
	sort_by_group(&grouping);

	history_days_init(&list, 0, 0);
	for (i = 0; i < grouping.ngroups; i++)
	{
		CustomerRows *group = &grouping.groups[i];
		Datum		values[MAX_COLUMNS] = {group->key};
		bool		nulls[MAX_COLUMNS] = {group->null_key};
		int			j;

		for (j = 0; j < reading->amounts; j++)
		{
			struct varlena *history = customer_history(&grouping, group, begin, j, &list);

			values[1 + j] = PointerGetDatum(history);
			nulls[1 + j] = history == NULL;
		}
		if (reading->checked)
		{
			count_duplicates(reading, &grouping, group, begin);
			emit_doubts(group->doubts == 0 ? NULL : &grouping.doubts[group->doubts - 1],
						&values[1 + reading->amounts], &nulls[1 + reading->amounts]);
		}
		begin = group->end;
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
		for (j = 0; j < reading->amounts; j++)
			if (!nulls[1 + j])
				pfree(DatumGetPointer(values[1 + j]));
		CHECK_FOR_INTERRUPTS();
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	partition_clear(set, partition);
}

/* The rows without a customer: nothing but doubts. */
static void
emit_nobody(const Reading *reading, ReturnSetInfo *result)
{
	Datum		values[MAX_COLUMNS] = {0};
	bool		nulls[MAX_COLUMNS] = {true, true, true};

	if (!quality_any(&reading->nobody))
		return;
	emit_doubts(&reading->nobody, &values[1 + reading->amounts], &nulls[1 + reading->amounts]);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* The histories of all customers of a set, partition by partition. */
static void
emit_partitions(Reading *reading, PartitionSet *set, ReturnSetInfo *result)
{
	int			i;

	for (i = 0; i < set->count; i++)
	{
		Partition  *partition = &set->partitions[i];

		if (partition_is_too_large(set, partition))
		{
			PartitionSet *parts = split_partition(reading, set, partition);

			emit_partitions(reading, parts, result);
			partition_set_free(parts);
		}
		else if (partition->rows > 0)
			emit_partition(reading, set, partition, result);
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

/* Are values of a type equal if, and only if, their bytes are? */
static bool
equal_means_same_bytes(const TypeCacheEntry *type, Oid collation)
{
	Oid			function = InvalidOid;

	/* of character(n), blanks at the end do not count, whatever its family says */
	if (type->btree_opintype == BPCHAROID)
		return false;
	if (OidIsValid(type->btree_opf) && (type->typbyval || type->typlen > 0 || type->typlen == -1))
		function = get_opfamily_proc(type->btree_opf, type->btree_opintype,
									 type->btree_opintype, BTEQUALIMAGE_PROC);
	return OidIsValid(function) &&
		DatumGetBool(OidFunctionCall1Coll(function, collation,
										  ObjectIdGetDatum(type->btree_opintype)));
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
	reading->moments = reading->checked && reading->day_kind != DAY_DATE;
	for (i = 2; i < desc->natts; i++)
		if (getBaseType(TupleDescAttr(desc, i)->atttypid) != NUMERICOID)
			wrong_column(i + 1, "numeric", TupleDescAttr(desc, i)->atttypid);

	reading->key_type = TupleDescAttr(desc, 0)->atttypid;
	reading->key_collation = TupleDescAttr(desc, 0)->attcollation;
	key = lookup_type_cache(reading->key_type,
							TYPECACHE_HASH_PROC_FINFO | TYPECACHE_EQ_OPR_FINFO |
							TYPECACHE_BTREE_OPFAMILY);
	if (!OidIsValid(key->hash_proc_finfo.fn_oid) || !OidIsValid(key->eq_opr_finfo.fn_oid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("column 1 of the query cannot be the customer: values of type %s cannot be hashed",
						format_type_be(reading->key_type))));
	reading->key_length = key->typlen;
	reading->key_by_value = key->typbyval;
	fmgr_info_copy(&reading->key_hash, &key->hash_proc_finfo, CurrentMemoryContext);
	fmgr_info_copy(&reading->key_equal, &key->eq_opr_finfo, CurrentMemoryContext);
	reading->key_is_image = equal_means_same_bytes(key, reading->key_collation);
}

/*
 * The caller's column list: the key's type, then history once or twice, then
 * what is told of doubtful rows.
 */
static void
check_result(FunctionCallInfo fcinfo, const Reading *reading, TupleDesc expected)
{
	Oid			history = history_type(fcinfo);
	int			columns = 1 + reading->amounts;
	bool		fits = expected != NULL && expected->natts == columns + (reading->checked ? 2 : 0) &&
		TupleDescAttr(expected, 0)->atttypid == reading->key_type;
	int			i;

	for (i = 1; fits && i < columns; i++)
		fits = TupleDescAttr(expected, i)->atttypid == history;
	if (fits && reading->checked)
		fits = TupleDescAttr(expected, columns)->atttypid == INT8ARRAYOID &&
			TupleDescAttr(expected, columns + 1)->atttypid == NUMERICARRAYOID;
	if (!fits)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("the column definition list does not fit the query"),
				 errhint("Write AS h(customer_id %s, history segment.history%s%s).",
						 format_type_be(reading->key_type),
						 reading->amounts == 2 ? ", margins segment.history" : "",
						 reading->checked ? ", counts bigint[], money numeric[]" : "")));
}

/* An argument of the function as the parameter $1 of the query, which the planner may look at. */
static ParamListInfo
query_parameter(FunctionCallInfo fcinfo, int argument)
{
	ParamListInfo params = makeParamList(1);

	params->params[0].ptype = get_fn_expr_argtype(fcinfo->flinfo, argument);
	params->params[0].pflags = PARAM_FLAG_CONST;
	params->params[0].isnull = PG_ARGISNULL(argument);
	params->params[0].value = params->params[0].isnull ? 0 : PG_GETARG_DATUM(argument);
	return params;
}

/* Which of a portfolio's sources an error is about. */
static void
source_context(void *arg)
{
	errcontext("reading source \"%s\"", (const char *) arg);
}

/* The functions below, whose query and time zone are arguments first and first + 1. */
static Datum
read_query(FunctionCallInfo fcinfo, int first, bool checked)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	const struct varlena *timezone = PG_ARGISNULL(first + 1) ? NULL : PG_GETARG_TEXT_PP(first + 1);
	SPIExecuteOptions options = {0};
	MemoryContext context;
	MemoryContext old;
	Reading    *reading;
	SPIPlanPtr	plan;
	char	   *query;

	if (PG_ARGISNULL(first))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("query must not be null")));
	query = text_to_cstring(PG_GETARG_TEXT_PP(first));
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
	reading->checked = checked;
	reading->partitions = partition_set_create((Size) work_mem * 1024, 0);
	reading->row_context = AllocSetContextCreate(context, "segment row", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(old);

	SPI_connect();
	if (checked)
		options.params = query_parameter(fcinfo, first + 2);
	plan = SPI_prepare_cursor(query, checked ? 1 : 0,
							  checked ? &options.params->params[0].ptype : NULL,
							  CURSOR_OPT_PARALLEL_OK | CURSOR_OPT_CUSTOM_PLAN);
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

	partition_set_finish(reading->partitions);
	MemoryContextSwitchTo(context);
	emit_partitions(reading, reading->partitions, result);
	emit_nobody(reading, result);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return (Datum) 0;
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
	return read_query(fcinfo, 0, false);
}

/*
 * checked_histories(source text, query text, timezone text, parameter
 * anyarray): the same, of a source's query with a parameter, with two more
 * columns, the counts of doubtful rows of the customer and their money, in the
 * order of QualityCheck; NULL where there are none
 *
 * Rows without a customer are counted, in a row of their own, and are in no
 * history.  Amounts of rows without a customer or a day, which count nowhere
 * else, raise no error.
 */
PG_FUNCTION_INFO_V1(checked_history_query);
Datum
checked_history_query(PG_FUNCTION_ARGS)
{
	ErrorContextCallback context;
	Datum		result;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("source must not be null")));
	context.callback = source_context;
	context.arg = text_to_cstring(PG_GETARG_TEXT_PP(0));
	context.previous = error_context_stack;
	error_context_stack = &context;
	result = read_query(fcinfo, 1, true);
	error_context_stack = context.previous;
	return result;
}
