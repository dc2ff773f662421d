/*-------------------------------------------------------------------------
 *
 * event_row.h
 *		The rows of a query of events, in the compact form in which they are
 *		kept until all have come.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_EVENT_ROW_H
#define SEGMENT_EVENT_ROW_H

#include "executor/tuptable.h"
#include "fmgr.h"
#include "utils/date.h"

#include "base/local_day.h"
#include "base/partition.h"

#define EVENT_MAX_AMOUNTS	2

typedef enum EventTime
{
	EVENT_DATE,
	EVENT_TIMESTAMP,
	EVENT_TIMESTAMPTZ
} EventTime;

/* What the query returns, and how its keys are hashed and compared. */
typedef struct EventFormat
{
	int			amounts;		/* 1, or 2 with a margin */
	EventTime	time;
	LocalDayZone *zone;			/* NULL if none was given */
	Oid			key_type;
	int16		key_length;
	bool		key_by_value;
	bool		key_is_image;	/* equal values have the same bytes, and no
								 * others */
	Oid			key_collation;
	FmgrInfo	key_hash;
	FmgrInfo	key_equal;
	bool		checked;		/* are rows without a day kept, to be counted? */
	bool		moments;		/* and is a day too coarse to tell rows apart? */
} EventFormat;

/*
 * A row in a partition: this head, then the amounts (8 bytes each, 16 if the
 * row is wide), then the moment if it is wanted (8), then the bytes of a key
 * that is passed by reference.  Every part begins at a multiple of 8.
 */
typedef struct EventRow
{
	DateADT		day;
	uint8		flags;
	uint8		scale[EVENT_MAX_AMOUNTS];	/* of the amounts */
	uint8		unused;
	union
	{
		Datum		value;		/* of a key passed by value */
		struct
		{
			uint32		hash;
			uint32		size;
		}			bytes;		/* of any other key */
		uint32		group;		/* once the keys are known */
	}			key;
} EventRow;

#define EVENT_HAS_AMOUNT(i)	(1 << (i))	/* amount i is there, and the day */
#define EVENT_HAS_ANY		(EVENT_HAS_AMOUNT(0) | EVENT_HAS_AMOUNT(1))
#define EVENT_WIDE			4
#define EVENT_NULL_KEY		8
#define EVENT_NO_DAY		16	/* of checked rows; amount 0 is there, if
								 * known */

extern void event_format_init(EventFormat *format, TupleDesc desc, const struct varlena *timezone,
							  bool checked);
extern int128 event_amount_to_report(const TupleTableSlot *slot, int *scale);
extern void event_row_append(PartitionSet *set, EventFormat *format, const TupleTableSlot *slot);
extern uint32 event_hash_image(EventFormat *format, Datum key);
extern bool event_images_equal(EventFormat *format, Datum one, Datum other);

/* Its upper bits choose the partition, its lower bits the place in a table. */
static inline uint32
event_hash_key(EventFormat *format, Datum key)
{
	if (likely(format->key_is_image && format->key_by_value))
		return (uint32) (murmurhash64((uint64) key) >> 32);
	return event_hash_image(format, key);
}

static inline bool
event_keys_equal(EventFormat *format, Datum one, Datum other)
{
	if (likely(format->key_is_image && format->key_by_value))
		return one == other;
	return event_images_equal(format, one, other);
}

/* The size of the amounts of a row. */
static inline Size
event_amounts_size(const EventFormat *format, uint8 flags)
{
	return format->amounts * (flags & EVENT_WIDE ? sizeof(int128) : sizeof(int64));
}

/* That of all in front of the bytes of a key. */
static inline Size
event_head_size(const EventFormat *format, uint8 flags)
{
	return sizeof(EventRow) + event_amounts_size(format, flags) +
		(format->moments ? sizeof(int64) : 0);
}

/* The size of a row all told. */
static inline Size
event_row_size(const EventFormat *format, const EventRow *row)
{
	Size		size = event_head_size(format, row->flags);

	if (!format->key_by_value)
		size += MAXALIGN(row->key.bytes.size);
	return size;
}

static inline int128
event_row_amount(const EventRow *row, int i)
{
	const char *amounts = (const char *) row + sizeof(EventRow);
	int128		wide;
	int64		narrow;

	if (unlikely(row->flags & EVENT_WIDE))
	{
		memcpy(&wide, amounts + i * sizeof(int128), sizeof(int128));
		return wide;
	}
	memcpy(&narrow, amounts + i * sizeof(int64), sizeof(int64));
	return narrow;
}

static inline Datum
event_row_key(const EventFormat *format, const EventRow *row)
{
	if (format->key_by_value)
		return row->key.value;
	return PointerGetDatum((const char *) row + event_head_size(format, row->flags));
}

/* When it happened, as far as it makes a difference within a day. */
static inline int64
event_row_moment(const EventFormat *format, const EventRow *row)
{
	int64		moment = 0;

	if (format->moments)
		memcpy(&moment,
			   (const char *) row + sizeof(EventRow) + event_amounts_size(format, row->flags),
			   sizeof(int64));
	return moment;
}

/* The hash of a row's key; 0 without one. */
static inline uint32
event_row_hash(EventFormat *format, const EventRow *row)
{
	if (unlikely(row->flags & EVENT_NULL_KEY))
		return 0;
	return format->key_by_value ? event_hash_key(format, row->key.value) : row->key.bytes.hash;
}

#endif							/* SEGMENT_EVENT_ROW_H */
