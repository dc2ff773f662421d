/*-------------------------------------------------------------------------
 *
 * history.h
 *		A dated series of money events, at day resolution, exact and
 *		compressed: the form that the portfolio keeps of every customer.
 *
 * Stored form (version 1), a varlena that may have a short header:
 *
 *		byte 0	low four bits: format version (HISTORY_VERSION);
 *				HISTORY_RUNNING marks the running state of an aggregate, see below;
 *				HISTORY_SCALES says that the next byte is there
 *		byte 1	low half: scale of the amounts; high half: display scale, the
 *				largest number of decimals seen (scale <= display scale <= 9);
 *				left out if both are 2, as they are for most money
 *		...		one entry per day, days ascending
 *
 * An entry is made of numbers in a code of variable length (see below):
 *
 *		step, gross								a day with one order
 *		0, step, orders, refunds,
 *			gross if orders > 0, refunded if refunds > 0	any other day
 *
 * where step is the distance from the day before (>= 1), for the first day
 * 1 + the zigzag code of its distance from 2020-01-01.  Amounts are integers
 * at the scale.  The form is canonical: days are distinct, the short entry is
 * used where it can be, and the scale is the smallest that holds every day's
 * amounts.  The sums over all days are within the limits of a single amount
 * and a single count.  Equal series differ in the display scale at most.
 *
 * A number below a limit, which depends on what it counts, is one byte; the
 * bytes from there to HISTORY_LONG - 1 begin a number of two bytes; those
 * from HISTORY_LONG on say how many bytes follow, least significant first.
 * So an order of up to a few hundred units of money takes three bytes.
 *
 * The running state is a HistoryRunning: entries as they came, steps always
 * in zigzag code (1 + zigzag of the distance from the entry before), then
 * unused room to grow into.  Its days are neither sorted nor distinct.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_HISTORY_H
#define SEGMENT_HISTORY_H

#include "lib/stringinfo.h"
#include "utils/date.h"

#include "base/decimal.h"

#define HISTORY_VERSION		1
#define HISTORY_VERSION_MASK	0x0F
#define HISTORY_SCALES		0x40
#define HISTORY_RUNNING		0x80

/* What byte 1 is when it is left out. */
#define HISTORY_USUAL_SCALES	(2 | 2 << 4)

/* Limits of the numbers that take one byte. */
#define HISTORY_SHORT_STEP		208
#define HISTORY_SHORT_COUNT		208
#define HISTORY_SHORT_AMOUNT	64
#define HISTORY_LONG			248

/* What happened on one day.  Amounts are coefficients at the history's scale. */
typedef struct HistoryDay
{
	DateADT		day;
	int64		orders;			/* amounts >= 0 */
	int64		refunds;		/* amounts < 0 */
	int128		gross;			/* sum of the orders */
	int128		refunded;		/* minus the sum of the refunds */
} HistoryDay;

/* The days of a stored history, one after the other. */
typedef struct HistoryReader
{
	const uint8 *next;
	const uint8 *end;
	int			scale;
	int			display_scale;
	bool		running;
	bool		started;
	bool		received;		/* from the wire, not from disk */
	DateADT		day;			/* of the entry before */
} HistoryReader;

/*
 * Days on their way to a stored history, in any order and not yet distinct,
 * all at one scale.
 */
typedef struct HistoryDays
{
	HistoryDay *days;
	size_t		count;
	size_t		capacity;
	int			scale;
	int			display_scale;
} HistoryDays;

#define HISTORY_RUNNING_VERSION	(HISTORY_VERSION | HISTORY_SCALES | HISTORY_RUNNING)

/* The running state of an aggregate: the fixed fields, then entries. */
typedef struct HistoryRunning
{
	int32		vl_len_;		/* varlena header: the capacity, all told */
	uint8		version;		/* HISTORY_RUNNING_VERSION */
	uint8		scales;
	uint16		zero;
	int32		used;			/* bytes of entries */
	DateADT		last_day;		/* of the newest entry */
	uint8		entries[FLEXIBLE_ARRAY_MEMBER];
} HistoryRunning;

/*
 * history.c: the stored form.  Other extensions can call what is exported, by
 * load_external_function().
 */
extern PGDLLEXPORT struct varlena *history_argument(Datum value);
extern PGDLLEXPORT void history_open(HistoryReader *reader, const struct varlena *history);
extern PGDLLEXPORT bool history_next(HistoryReader *reader, HistoryDay *day);
extern void history_damaged(const HistoryReader *reader, const char *detail);

extern void history_days_init(HistoryDays *list, int scale, int display_scale);
extern void history_days_reserve(HistoryDays *list, size_t capacity);
extern void history_days_read(HistoryDays *list, const struct varlena *history);
extern void history_days_merge(HistoryDays *list);
extern struct varlena *history_store(HistoryDays *list);

/* history_aggregate.c */
extern bool history_days_subtract(HistoryDays *list, const HistoryDays *taken, DateADT *day_short);

extern uint8 *history_write_entry(uint8 *out, const HistoryDay *day, uint64 step);

static inline void
history_days_add(HistoryDays *list, const HistoryDay *day)
{
	if (unlikely(list->count >= list->capacity))
		history_days_reserve(list, list->count + 1);
	list->days[list->count++] = *day;
}

/*
 * Add an order (amount >= 0) or refund (amount < 0) at the list's scale.  Only
 * a day that differs from the last one takes room.
 */
static inline void
history_days_add_event(HistoryDays *list, DateADT day, int128 amount)
{
	HistoryDay *last;

	if (list->count == 0 || list->days[list->count - 1].day != day)
	{
		if (unlikely(list->count >= list->capacity))
			history_days_reserve(list, list->count + 1);
		last = &list->days[list->count++];
		last->day = day;
		last->orders = last->refunds = 0;
		last->gross = last->refunded = 0;
	}
	else
		last = &list->days[list->count - 1];
	if (amount >= 0)
	{
		last->orders++;
		last->gross += amount;
	}
	else
	{
		last->refunds++;
		last->refunded -= amount;
	}
	/* history_store is more exact, but its sums must not overflow before */
	if (unlikely(last->gross > decimal_limit(DECIMAL_MAX_SCALE) ||
				 last->refunded > decimal_limit(DECIMAL_MAX_SCALE)))
		decimal_sum_overflow();
}

/* A history up to a day: the day to come next, as long as there is one. */
typedef struct HistoryStream
{
	HistoryReader reader;
	HistoryDay	day;
	int64		until;
	bool		more;
} HistoryStream;

static inline void
history_stream_next(HistoryStream *stream)
{
	stream->more = history_next(&stream->reader, &stream->day) &&
		stream->day.day <= stream->until;
}

static inline void
history_stream_open(HistoryStream *stream, const struct varlena *history, int64 until)
{
	history_open(&stream->reader, history);
	stream->until = until;
	history_stream_next(stream);
}

/* Orders minus refunds of the day. */
static inline int128
history_stream_net(const HistoryStream *stream)
{
	return stream->day.gross - stream->day.refunded;
}

#define HISTORY_MAX_ENTRY	64	/* bytes: 1 + 9 + 2 * 9 + 2 * 17, rounded up */

/* The day that first steps are counted from: 2020-01-01, in PostgreSQL's days. */
#define HISTORY_EPOCH		7305

/* 1 + the zigzag code of a distance: 1, 2, 3, 4 for 0, -1, 1, -2 */
static inline uint64
history_step(int64 distance)
{
	return 1 + (((uint64) distance << 1) ^ (uint64) (distance >> 63));
}

#endif							/* SEGMENT_HISTORY_H */
