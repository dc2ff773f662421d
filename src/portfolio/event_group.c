/*-------------------------------------------------------------------------
 *
 * event_group.c
 *		The rows of a partition by customer and day.
 *
 * The customers are numbered by a hash table.  Then the rows are sorted by day
 * and by customer without a comparison: radix sorts, in time linear in their
 * number.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "utils/memutils.h"

#include "base/decimal.h"
#include "portfolio/event_group.h"

#define FIRST_CAPACITY		128 /* groups */

#define PREFETCH_DISTANCE	16	/* rows */

/* ---------- numbers of the customers ---------- */

/*
 * The table has the numbers of the groups alone, plus 1, in 4 bytes each, at
 * most half full: all of it stays in the processor's cache beside the rows of
 * the partition.  With lib/simplehash.h, whose entries need a hash and a status
 * too, the whole query takes 5 to 8 percent more processor time (0.278 s
 * instead of 0.256 s for 2 million orders of 200,000 customers with keys of
 * type bigint, 0.412 s instead of 0.394 s with text).
 */
static void
table_create(EventGroups *groups)
{
	groups->mask = groups->capacity * 2 - 1;
	groups->table = MemoryContextAllocExtended(CurrentMemoryContext,
											   ((Size) groups->mask + 1) * sizeof(uint32),
											   MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
}

/* The free place in the table for a key that is not in it. */
static inline uint32
free_slot(const EventGroups *groups, uint32 hash)
{
	uint32		slot = hash & groups->mask;

	while (groups->table[slot] != 0)
		slot = (slot + 1) & groups->mask;
	return slot;
}

static void
table_enlarge(EventGroups *groups)
{
	if (groups->capacity > PG_UINT32_MAX / 4)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many customers")));
	groups->capacity *= 2;
	groups->groups = repalloc_huge(groups->groups, groups->capacity * sizeof(EventGroup));
	pfree(groups->table);
	table_create(groups);
	for (uint32 i = 0; i < groups->ngroups; i++)
	{
		CHECK_FOR_INTERRUPTS();
		groups->table[free_slot(groups, groups->groups[i].hash)] = i + 1;
	}
}

static inline bool
in_group(const EventGroups *groups, const EventGroup *group, const EventRow *row, uint32 hash)
{
	if (group->hash != hash)
		return false;
	if (unlikely(group->null_key || row->flags & EVENT_NULL_KEY))
		return group->null_key && row->flags & EVENT_NULL_KEY;
	return event_keys_equal(groups->format, group->key, event_row_key(groups->format, row));
}

/* A group that has no rows yet. */
static void
add_group(EventGroups *groups, const EventRow *row, uint32 hash)
{
	EventGroup *group;

	if (groups->ngroups == groups->capacity)
		table_enlarge(groups);
	group = &groups->groups[groups->ngroups];
	memset(group, 0, sizeof(EventGroup));
	group->null_key = (row->flags & EVENT_NULL_KEY) != 0;
	group->key = group->null_key ? 0 : event_row_key(groups->format, row);
	group->hash = hash;
	groups->table[free_slot(groups, hash)] = ++groups->ngroups;
}

/* The number of a row's group, which may be a new one. */
static inline uint32
find_group(EventGroups *groups, const EventRow *row)
{
	uint32		hash = event_row_hash(groups->format, row);
	uint32		slot = hash & groups->mask;

	while (groups->table[slot] != 0)
	{
		if (in_group(groups, &groups->groups[groups->table[slot] - 1], row, hash))
			return groups->table[slot] - 1;
		slot = (slot + 1) & groups->mask;
	}
	add_group(groups, row, hash);
	return groups->ngroups - 1;
}

static void
groups_init(EventGroups *groups, EventFormat *format, Size nrows)
{
	memset(groups, 0, sizeof(EventGroups));
	groups->format = format;
	groups->rows = MemoryContextAllocHuge(CurrentMemoryContext, nrows * sizeof(EventRow *));
	groups->spare = MemoryContextAllocHuge(CurrentMemoryContext, nrows * sizeof(EventRow *));
	groups->first_day = PG_INT32_MAX;
	groups->last_day = PG_INT32_MIN;
	groups->capacity = FIRST_CAPACITY;
	groups->groups = palloc(FIRST_CAPACITY * sizeof(EventGroup));
	table_create(groups);
}

/* Number the customers, count the rows of each, and list them. */
static void
find_groups(EventGroups *groups, const Partition *partition)
{
	EventFormat *format = groups->format;

	for (PartitionBlock *block = partition->first; block != NULL; block = block->next)
	{
		EventRow   *row;

		for (char *place = block->data; place < block->end; place += event_row_size(format, row))
		{
			uint32		number;
			EventGroup *group;

			CHECK_FOR_INTERRUPTS();
			row = (EventRow *) place;
			number = find_group(groups, row);
			group = &groups->groups[number];
			if (format->checked)
				quality_check_row(&groups->quality, &group->quality, format, row);
			if (unlikely(!(row->flags & EVENT_HAS_ANY)))
				continue;
			row->key.group = number;
			group->end++;
			group->scale[0] = Max(group->scale[0], row->scale[0]);
			group->scale[1] = Max(group->scale[1], row->scale[1]);
			groups->first_day = Min(groups->first_day, row->day);
			groups->last_day = Max(groups->last_day, row->day);
			groups->rows[groups->nrows++] = row;
		}
	}
}

/* ---------- sorting ---------- */

#define MAX_DIGIT_BITS	12		/* eleven years of days take one pass */

/* As many bits of the distance of a row's day from the first day. */
static inline uint32
day_digit(const EventGroups *groups, const EventRow *row, int shift, int bits)
{
	uint32		distance = (uint32) row->day - (uint32) groups->first_day;

	return distance >> shift & ((1 << bits) - 1);
}

static void
swap_lists(EventGroups *groups)
{
	EventRow  **rows = groups->rows;

	groups->rows = groups->spare;
	groups->spare = rows;
}

/* Sort the rows by day: a radix sort with about as many digits as rows. */
static void
sort_by_day(EventGroups *groups)
{
	int			bits = Min(MAX_DIGIT_BITS, pg_leftmost_one_pos64(groups->nrows + 1) + 2);
	Size		offsets[1 << MAX_DIGIT_BITS];
	uint32		range = (uint32) groups->last_day - (uint32) groups->first_day;

	for (int shift = 0; shift < 32 && range >> shift > 0; shift += bits)
	{
		Size		begin = 0;

		memset(offsets, 0, sizeof(Size) << bits);
		for (Size i = 0; i < groups->nrows; i++)
		{
			CHECK_FOR_INTERRUPTS();
			offsets[day_digit(groups, groups->rows[i], shift, bits)]++;
		}
		for (int i = 0; i < 1 << bits; i++)
		{
			Size		count = offsets[i];

			offsets[i] = begin;
			begin += count;
		}
		for (Size i = 0; i < groups->nrows; i++)
		{
			EventRow   *row = groups->rows[i];

			CHECK_FOR_INTERRUPTS();
			groups->spare[offsets[day_digit(groups, row, shift, bits)]++] = row;
		}
		swap_lists(groups);
	}
}

/* Sort the rows by customer; those of one customer keep their order. */
static void
sort_by_group(EventGroups *groups)
{
	Size		begin = 0;

	for (uint32 i = 0; i < groups->ngroups; i++)
	{
		EventGroup *group = &groups->groups[i];
		Size		count = group->end;

		group->begin = group->end = begin;
		begin += count;
	}
	for (Size i = 0; i < groups->nrows; i++)
	{
		EventRow   *row = groups->rows[i];

		CHECK_FOR_INTERRUPTS();
		groups->spare[groups->groups[row->key.group].end++] = row;
	}
	swap_lists(groups);
}

/* event_groups_read: the rows of a loaded partition by customer and day */
void
event_groups_read(EventGroups *groups, EventFormat *format, const Partition *partition)
{
	groups_init(groups, format, partition->rows);
	find_groups(groups, partition);
	sort_by_day(groups);
	sort_by_group(groups);
}

/*
 * event_group_history: the history of amount i of a customer's rows; NULL if
 * none of them has one
 */
struct varlena *
event_group_history(const EventGroups *groups, const EventGroup *group, int i, HistoryDays *list)
{
	int			scale = group->scale[i];

	list->count = 0;
	list->scale = list->display_scale = scale;
	for (Size j = group->begin; j < group->end; j++)
	{
		const EventRow *row = groups->rows[j];

		CHECK_FOR_INTERRUPTS();
		if (likely(j + PREFETCH_DISTANCE < groups->nrows))
			prefetch(groups->rows[j + PREFETCH_DISTANCE]);
		if (likely(row->flags & EVENT_HAS_AMOUNT(i)))
			history_days_add_event(list, row->day,
								   event_row_amount(row, i) *
								   decimal_power_of_ten[scale - row->scale[i]]);
	}
	return list->count > 0 ? history_store(list) : NULL;
}
