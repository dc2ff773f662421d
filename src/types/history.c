/*-------------------------------------------------------------------------
 *
 * history.c
 *		A dated series of money events: its stored form, text and binary
 *		form, and comparison.  history.h describes the bytes.
 *
 * history_aggregate.c builds histories from rows, history_measure.c reads
 * them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include "common/hashfn.h"
#include "common/int.h"
#include "datatype/timestamp.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "parser/scansup.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/memutils.h"

#include "base/decimal.h"
#include "types/history.h"

StaticAssertDecl(offsetof(HistoryRunning, entries) == 16,
				 "the running state's fields have no padding");

/* How many bytes follow the first bytes HISTORY_LONG to 255. */
static const int long_sizes[256 - HISTORY_LONG] = {3, 4, 5, 6, 7, 8, 12, 16};

/* ---------- reading ---------- */

/* The same defect is damage in a stored value, and bad input from the wire. */
void
history_damaged(const HistoryReader *reader, const char *detail)
{
	if (reader->received)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid binary input for type %s", "history"),
				 errdetail("%s", detail)));
	else
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("stored value of type %s is damaged", "history"),
				 errdetail("%s", detail)));
}

/* A number of up to 128 bits; limit as in the list of HISTORY_SHORT_*. */
static inline uint128
read_number(HistoryReader *reader, int limit)
{
	uint128		value = 0;
	int			size;
	int			first;
	int			i;

	if (unlikely(reader->next >= reader->end))
		history_damaged(reader, "It ends in the middle of an entry.");
	first = *reader->next++;
	if (first < limit)
		return first;
	if (likely(first < HISTORY_LONG))
	{
		if (unlikely(reader->next >= reader->end))
			history_damaged(reader, "It ends in the middle of an entry.");
		return ((first - limit) << 8) + *reader->next++ + limit;
	}
	size = long_sizes[first - HISTORY_LONG];
	if (unlikely(size > reader->end - reader->next))
		history_damaged(reader, "It ends in the middle of an entry.");
	for (i = 0; i < size; i++)
		value |= (uint128) *reader->next++ << (8 * i);
	return value;
}

static inline int64
read_count(HistoryReader *reader)
{
	uint128		value = read_number(reader, HISTORY_SHORT_COUNT);

	if (unlikely(value > PG_INT64_MAX))
		history_damaged(reader, "A count is out of range.");
	return (int64) value;
}

static inline int128
read_amount(HistoryReader *reader)
{
	uint128		value = read_number(reader, HISTORY_SHORT_AMOUNT);

	if (unlikely(value > (uint128) decimal_limit(reader->scale)))
		history_damaged(reader, "An amount is out of range.");
	return (int128) value;
}

static void
open_reader(HistoryReader *reader, const struct varlena *history, bool received)
{
	const uint8 *data = (const uint8 *) VARDATA_ANY(history);
	int			size = VARSIZE_ANY_EXHDR(history);
	int			version;
	int			scales;
	int			header;

	reader->received = received;
	if (unlikely(size < 1))
		history_damaged(reader, "It is too short.");
	version = data[0] & HISTORY_VERSION_MASK;
	if (unlikely(version > HISTORY_VERSION))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("format version %d of type %s is not supported",
						version, "history"),
				 errdetail("This library reads version %d.", HISTORY_VERSION)));
	if (unlikely(version != HISTORY_VERSION || (data[0] & 0x30) != 0))
		history_damaged(reader, "Its format version is invalid.");
	scales = HISTORY_USUAL_SCALES;
	header = 1;
	if (data[0] & HISTORY_SCALES)
	{
		if (unlikely(size < 2))
			history_damaged(reader, "It is too short.");
		scales = data[1];
		header = 2;
	}
	reader->running = (data[0] & HISTORY_RUNNING) != 0;
	reader->scale = scales & 0x0F;
	reader->display_scale = scales >> 4;
	if (unlikely(reader->display_scale > DECIMAL_MAX_SCALE ||
				 reader->scale > reader->display_scale))
		history_damaged(reader, "The number of decimals is out of range.");
	reader->started = false;
	reader->day = HISTORY_EPOCH;

	if (unlikely(reader->running))
	{
		int			fixed = offsetof(HistoryRunning, entries) - VARHDRSZ;
		int32		used;

		if (size < fixed || header != 2)
			history_damaged(reader, "It is too short.");
		memcpy(&used, data + offsetof(HistoryRunning, used) - VARHDRSZ, sizeof(used));
		if (used < 0 || used > size - fixed)
			history_damaged(reader, "Its length does not fit.");
		reader->next = data + fixed;
		reader->end = reader->next + used;
	}
	else
	{
		reader->next = data + header;
		reader->end = data + size;
	}
}

/*
 * history_open: start to read a stored history or a running state
 *
 * Checks the header: XX001 if it is damaged, 0A000 if a newer version of the
 * extension wrote it.
 */
void
history_open(HistoryReader *reader, const struct varlena *history)
{
	open_reader(reader, history, false);
}

/*
 * history_next: the next day, or the next entry of a running state
 *
 * False at the end.  Reads never leave the value; XX001 if it is damaged.
 */
bool
history_next(HistoryReader *reader, HistoryDay *day)
{
	uint128		step;
	int64		distance;
	int64		number;
	bool		short_entry;

	if (reader->next >= reader->end)
		return false;

	step = read_number(reader, HISTORY_SHORT_STEP);
	short_entry = step != 0;
	if (!short_entry)
		step = read_number(reader, HISTORY_SHORT_STEP);
	if (unlikely(step == 0 || step > (((uint64) 1) << 33)))
		history_damaged(reader, "A distance of days is out of range.");

	if (reader->started && !reader->running)
		distance = (int64) step;
	else
	{
		uint64		zigzag = (uint64) step - 1;

		distance = (int64) (zigzag >> 1) ^ -(int64) (zigzag & 1);
	}
	number = reader->day + distance;
	if (unlikely(!IS_VALID_DATE(number)))
		history_damaged(reader, "A day is out of range.");
	reader->day = day->day = (DateADT) number;
	reader->started = true;

	if (likely(short_entry))
	{
		day->orders = 1;
		day->refunds = 0;
		day->gross = read_amount(reader);
		day->refunded = 0;
	}
	else
	{
		day->orders = read_count(reader);
		day->refunds = read_count(reader);
		day->gross = day->orders > 0 ? read_amount(reader) : 0;
		day->refunded = day->refunds > 0 ? read_amount(reader) : 0;
		if (day->orders == 0 && day->refunds == 0)
			history_damaged(reader, "A day has neither orders nor refunds.");
		if (day->refunds > 0 && day->refunded == 0)
			history_damaged(reader, "There are refunds without an amount.");
	}
	return true;
}

/*
 * history_argument: an argument of type history in its stored form
 *
 * The result may have a short header.  A running state, which somebody can
 * see who calls support functions by hand (or a distributed engine that moves
 * states between nodes), is brought into the stored form first.
 */
struct varlena *
history_argument(Datum value)
{
	struct varlena *history = PG_DETOAST_DATUM_PACKED(value);
	HistoryReader reader;

	history_open(&reader, history);
	if (unlikely(reader.running))
	{
		HistoryDays list;

		history_days_init(&list, reader.scale, reader.display_scale);
		history_days_read(&list, history);
		return history_store(&list);
	}
	return history;
}

/* ---------- lists of days ---------- */

void
history_days_init(HistoryDays *list, int scale, int display_scale)
{
	list->count = 0;
	list->capacity = 0;
	list->days = NULL;
	list->scale = scale;
	list->display_scale = display_scale;
}

/* Make room for a number of days. */
void
history_days_reserve(HistoryDays *list, size_t capacity)
{
	if (capacity <= list->capacity)
		return;
	capacity = Max(capacity, Max(16, list->capacity * 2));
	if (capacity > MaxAllocHugeSize / sizeof(HistoryDay))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("history has too many days")));
	if (list->days == NULL)
		list->days = MemoryContextAllocHuge(CurrentMemoryContext,
											capacity * sizeof(HistoryDay));
	else
		list->days = repalloc_huge(list->days, capacity * sizeof(HistoryDay));
	list->capacity = capacity;
}

static void
read_days(HistoryDays *list, HistoryReader *reader)
{
	HistoryDay	day;
	int64		factor = decimal_power_of_ten[list->scale - reader->scale];

	list->display_scale = Max(list->display_scale, reader->display_scale);
	while (history_next(reader, &day))
	{
		CHECK_FOR_INTERRUPTS();
		day.gross *= factor;
		day.refunded *= factor;
		history_days_add(list, &day);
	}
}

/* Add all days of a history, whose scale must not be above the list's. */
void
history_days_read(HistoryDays *list, const struct varlena *history)
{
	HistoryReader reader;

	history_open(&reader, history);
	Assert(reader.scale <= list->scale);
	read_days(list, &reader);
}

static void
add_counts(int64 *count, int64 addend)
{
	if (pg_add_s64_overflow(*count, addend, count))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("number of orders or refunds is out of range")));
}

/* Sort keys: the day in the upper half, its place in the list in the lower. */
#define ST_SORT sort_day_keys
#define ST_ELEMENT_TYPE uint64
#define ST_COMPARE(a, b) (*(a) < *(b) ? -1 : *(a) > *(b) ? 1 : 0)
#define ST_CHECK_FOR_INTERRUPTS
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

static void
sort_days(HistoryDays *list)
{
	uint64	   *keys;
	HistoryDay *sorted;
	size_t		i;

	if (list->count > PG_UINT32_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("history has too many days")));
	keys = MemoryContextAllocHuge(CurrentMemoryContext, list->count * sizeof(uint64));
	sorted = MemoryContextAllocHuge(CurrentMemoryContext,
									list->capacity * sizeof(HistoryDay));
	for (i = 0; i < list->count; i++)
		keys[i] = (uint64) ((int64) list->days[i].day - PG_INT32_MIN) << 32 | i;
	sort_day_keys(keys, list->count);
	for (i = 0; i < list->count; i++)
		sorted[i] = list->days[keys[i] & PG_UINT32_MAX];
	pfree(keys);
	pfree(list->days);
	list->days = sorted;
}

/*
 * history_days_merge: sort the days and add up equal ones
 *
 * 22003 if the amount or the number of all days' orders or refunds is out of
 * range: since the sums have terms of one sign, that does not depend on the
 * order, and no day's sum is out of range if these are not.
 */
void
history_days_merge(HistoryDays *list)
{
	const int128 limit = decimal_limit(list->scale);
	int128		gross = 0;
	int128		refunded = 0;
	int64		orders = 0;
	int64		refunds = 0;
	bool		sorted = true;
	size_t		kept = 0;
	size_t		i;

	for (i = 1; i < list->count && sorted; i++)
		sorted = list->days[i - 1].day <= list->days[i].day;
	if (!sorted)
		sort_days(list);

	for (i = 0; i < list->count; i++)
	{
		const HistoryDay *day = &list->days[i];

		gross += day->gross;
		refunded += day->refunded;
		if (unlikely(gross > limit || refunded > limit))
			decimal_sum_overflow();
		add_counts(&orders, day->orders);
		add_counts(&refunds, day->refunds);
		if (kept > 0 && list->days[kept - 1].day == day->day)
		{
			HistoryDay *into = &list->days[kept - 1];

			into->orders += day->orders;
			into->refunds += day->refunds;
			into->gross += day->gross;
			into->refunded += day->refunded;
		}
		else
		{
			if (kept != i)
				list->days[kept] = *day;
			kept++;
		}
		CHECK_FOR_INTERRUPTS();
	}
	list->count = kept;
}

/* How many times can 10 be taken out of an amount, at most limit times? */
static int
trailing_zeros(int128 amount, int limit)
{
	int			zeros = 0;

	if (amount == 0)
		return limit;
	for (; zeros < limit; zeros++)
	{
		/* 64-bit division where it suffices, which is nearly always */
		if (amount <= PG_INT64_MAX ? (int64) amount % 10 != 0 : amount % 10 != 0)
			break;
		amount = amount <= PG_INT64_MAX ? (int64) amount / 10 : amount / 10;
	}
	return zeros;
}

/* Bring all amounts to the smallest scale that holds them. */
static void
reduce_scale(HistoryDays *list)
{
	int			reduction = list->scale;
	int64		divisor;
	size_t		i;

	for (i = 0; i < list->count && reduction > 0; i++)
	{
		reduction = trailing_zeros(list->days[i].gross, reduction);
		reduction = trailing_zeros(list->days[i].refunded, reduction);
		CHECK_FOR_INTERRUPTS();
	}
	if (reduction == 0)
		return;
	divisor = decimal_power_of_ten[reduction];
	for (i = 0; i < list->count; i++)
	{
		list->days[i].gross /= divisor;
		list->days[i].refunded /= divisor;
	}
	list->scale -= reduction;
}

/* ---------- writing ---------- */

static inline uint8 *
write_number(uint8 *out, uint128 value, int limit)
{
	if (value < limit)
		*out++ = (uint8) value;
	else if (likely(value < limit + ((HISTORY_LONG - limit) << 8)))
	{
		*out++ = (uint8) (limit + ((int) (value - limit) >> 8));
		*out++ = (uint8) (value - limit);
	}
	else
	{
		int			code = 0;
		int			i;

		while (long_sizes[code] < 16 && value >> (8 * long_sizes[code]) != 0)
			code++;
		*out++ = HISTORY_LONG + code;
		for (i = 0; i < long_sizes[code]; i++)
			*out++ = (uint8) (value >> (8 * i));
	}
	return out;
}

/* Write one entry of at most HISTORY_MAX_ENTRY bytes; returns its end. */
uint8 *
history_write_entry(uint8 *out, const HistoryDay *day, uint64 step)
{
	if (likely(day->orders == 1 && day->refunds == 0))
	{
		out = write_number(out, step, HISTORY_SHORT_STEP);
		return write_number(out, (uint128) day->gross, HISTORY_SHORT_AMOUNT);
	}
	*out++ = 0;
	out = write_number(out, step, HISTORY_SHORT_STEP);
	out = write_number(out, day->orders, HISTORY_SHORT_COUNT);
	out = write_number(out, day->refunds, HISTORY_SHORT_COUNT);
	if (day->orders > 0)
		out = write_number(out, (uint128) day->gross, HISTORY_SHORT_AMOUNT);
	if (day->refunds > 0)
		out = write_number(out, (uint128) day->refunded, HISTORY_SHORT_AMOUNT);
	return out;
}

/*
 * history_store: the stored form of a list of days
 *
 * Sorts and merges the list in place.  22003 if a sum is out of range, 54000
 * if the value would be too large.
 */
struct varlena *
history_store(HistoryDays *list)
{
	struct varlena *history;
	uint8	   *buffer;
	uint8	   *out;
	uint8		small[1024];
	DateADT		previous = HISTORY_EPOCH;
	size_t		room;
	size_t		size;
	size_t		i;
	int			scales;
	int			header;

	history_days_merge(list);
	reduce_scale(list);
	list->display_scale = Max(list->display_scale, list->scale);

	/* Encode into a buffer that is surely large enough, then copy. */
	room = list->count * HISTORY_MAX_ENTRY;
	buffer = room <= sizeof(small) ? small :
		MemoryContextAllocHuge(CurrentMemoryContext, room);
	out = buffer;
	for (i = 0; i < list->count; i++)
	{
		const HistoryDay *day = &list->days[i];
		int64		distance = (int64) day->day - previous;

		out = history_write_entry(out, day, i == 0 ? history_step(distance) : (uint64) distance);
		previous = day->day;
		CHECK_FOR_INTERRUPTS();
	}

	scales = list->scale | list->display_scale << 4;
	header = scales == HISTORY_USUAL_SCALES ? 1 : 2;
	size = VARHDRSZ + header + (out - buffer);
	if (size > MaxAllocSize)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("history has too many days")));
	history = palloc(size);
	SET_VARSIZE(history, size);
	VARDATA(history)[0] = HISTORY_VERSION | (header == 2 ? HISTORY_SCALES : 0);
	if (header == 2)
		VARDATA(history)[1] = scales;
	memcpy(VARDATA(history) + header, buffer, out - buffer);
	if (buffer != small)
		pfree(buffer);
	return history;
}

/* ---------- text form ---------- */

/*
 * {1997-01-01: 29.33, 1997-01-18: 59.46/2, 1997-02-01: 12.00 -5.00}
 *
 * A day's orders as "amount/number", its refunds as "-amount/number", where a
 * number of one is left out.  Every amount has as many decimals as the
 * history's display scale.
 */
static void
append_day(StringInfo buf, DateADT day)
{
	int			year;
	int			month;
	int			mday;

	j2date(day + POSTGRES_EPOCH_JDATE, &year, &month, &mday);
	appendStringInfo(buf, "%04d-%02d-%02d%s", year > 0 ? year : 1 - year, month, mday,
					 year > 0 ? "" : " BC");
}

static void
append_events(StringInfo buf, const char *sign, int128 amount, int64 count,
			  const HistoryReader *reader)
{
	appendStringInfoString(buf, sign);
	decimal_append(buf, amount, reader->scale, reader->display_scale);
	if (count != 1)
		appendStringInfo(buf, "/" INT64_FORMAT, count);
}

PG_FUNCTION_INFO_V1(segment_history_out);
Datum
segment_history_out(PG_FUNCTION_ARGS)
{
	HistoryReader reader;
	HistoryDay	day;
	StringInfoData buf;

	history_open(&reader, history_argument(PG_GETARG_DATUM(0)));
	initStringInfo(&buf);
	appendStringInfoChar(&buf, '{');
	while (history_next(&reader, &day))
	{
		if (buf.len > 1)
			appendStringInfoString(&buf, ", ");
		append_day(&buf, day.day);
		appendStringInfoChar(&buf, ':');
		if (day.orders > 0)
			append_events(&buf, " ", day.gross, day.orders, &reader);
		if (day.refunds > 0)
			append_events(&buf, " -", day.refunded, day.refunds, &reader);
		CHECK_FOR_INTERRUPTS();
	}
	appendStringInfoChar(&buf, '}');
	PG_RETURN_CSTRING(buf.data);
}

static void
skip_space(const char **p)
{
	while (scanner_isspace(**p))
		(*p)++;
}

static bool
skip_char(const char **p, char expected)
{
	skip_space(p);
	if (**p != expected)
		return false;
	(*p)++;
	return true;
}

/* 1997-01-18 or 0044-03-15 BC: at least four digits of year, a real date */
static bool
parse_day(const char **p, DateADT *day)
{
	int64		year;
	int64		month;
	int64		mday;
	int			julian;
	int			check_year;
	int			check_month;
	int			check_mday;
	const char *start;

	skip_space(p);
	start = *p;
	if (!decimal_parse_count(p, &year) || *p - start < 4 || year > 10000000 || **p != '-')
		return false;
	start = ++*p;
	if (!decimal_parse_count(p, &month) || *p - start != 2 || **p != '-')
		return false;
	start = ++*p;
	if (!decimal_parse_count(p, &mday) || *p - start != 2)
		return false;
	if (strncmp(*p, " BC", 3) == 0)
	{
		*p += 3;
		if (year == 0)
			return false;
		year = 1 - year;
	}
	else if (year == 0)
		return false;
	if (!IS_VALID_JULIAN((int) year, (int) month, (int) mday))
		return false;
	julian = date2j((int) year, (int) month, (int) mday);
	j2date(julian, &check_year, &check_month, &check_mday);
	if (check_year != year || check_month != month || check_mday != mday ||
		!IS_VALID_DATE(julian - POSTGRES_EPOCH_JDATE))
		return false;
	*day = julian - POSTGRES_EPOCH_JDATE;
	return true;
}

/* amount or amount/number, the amount brought to the full scale */
static bool
parse_events(const char **p, int128 *amount, int64 *count, int *display_scale)
{
	int			scale;

	if (!decimal_parse(p, amount, &scale))
		return false;
	*amount = decimal_rescale(*amount, scale, DECIMAL_MAX_SCALE);
	*display_scale = Max(*display_scale, scale);
	*count = 1;
	if (**p == '/')
	{
		(*p)++;
		if (!decimal_parse_count(p, count) || *count < 1)
			return false;
	}
	return true;
}

static bool
parse_history(const char *p, HistoryDays *list)
{
	if (!skip_char(&p, '{'))
		return false;
	skip_space(&p);
	while (*p != '}')
	{
		HistoryDay	day = {0};

		if (list->count > 0 && !skip_char(&p, ','))
			return false;
		if (!parse_day(&p, &day.day) || *p != ':')
			return false;
		p++;
		skip_space(&p);
		if (*p != '-' && !parse_events(&p, &day.gross, &day.orders, &list->display_scale))
			return false;
		skip_space(&p);
		if (*p == '-')
		{
			p++;
			if (!parse_events(&p, &day.refunded, &day.refunds, &list->display_scale) ||
				day.refunded == 0)
				return false;
		}
		skip_space(&p);
		history_days_add(list, &day);
		CHECK_FOR_INTERRUPTS();
	}
	p++;
	skip_space(&p);
	return *p == '\0';
}

PG_FUNCTION_INFO_V1(segment_history_in);
Datum
segment_history_in(PG_FUNCTION_ARGS)
{
	const char *string = PG_GETARG_CSTRING(0);
	struct Node *escontext = SOFT_ERROR_CONTEXT(fcinfo);
	HistoryDays list;
	int128		gross = 0;
	int128		refunded = 0;
	int64		orders = 0;
	int64		refunds = 0;
	size_t		i;

	history_days_init(&list, DECIMAL_MAX_SCALE, 0);
	if (!parse_history(string, &list))
		ereturn(escontext, (Datum) 0,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid input syntax for type %s: \"%s\"", "history", string)));

	/* history_store would raise this as a hard error */
	for (i = 0; i < list.count; i++)
	{
		gross += list.days[i].gross;
		refunded += list.days[i].refunded;
		if (gross > decimal_limit(DECIMAL_MAX_SCALE) ||
			refunded > decimal_limit(DECIMAL_MAX_SCALE) ||
			pg_add_s64_overflow(orders, list.days[i].orders, &orders) ||
			pg_add_s64_overflow(refunds, list.days[i].refunds, &refunds))
			ereturn(escontext, (Datum) 0,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("value out of range for type %s: \"%s\"", "history", string)));
	}
	PG_RETURN_POINTER(history_store(&list));
}

/* ---------- binary form: the stored bytes ---------- */

PG_FUNCTION_INFO_V1(segment_history_send);
Datum
segment_history_send(PG_FUNCTION_ARGS)
{
	struct varlena *history = history_argument(PG_GETARG_DATUM(0));
	StringInfoData buf;

	pq_begintypsend(&buf);
	pq_sendbytes(&buf, VARDATA_ANY(history), VARSIZE_ANY_EXHDR(history));
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

PG_FUNCTION_INFO_V1(segment_history_recv);
Datum
segment_history_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buf = (StringInfo) PG_GETARG_POINTER(0);
	size_t		size = buf->len - buf->cursor;
	struct varlena *history;
	struct varlena *again = NULL;
	HistoryReader reader;
	HistoryDays list;

	if (size > MaxAllocSize - VARHDRSZ)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("history has too many days")));
	history = palloc(VARHDRSZ + size);
	SET_VARSIZE(history, VARHDRSZ + size);
	pq_copymsgbytes(buf, VARDATA(history), size);
	open_reader(&reader, history, true);

	/* Only the canonical form of a series comes out as it went in. */
	if (!reader.running)
	{
		history_days_init(&list, reader.scale, reader.display_scale);
		read_days(&list, &reader);
		again = history_store(&list);
	}
	if (again == NULL || VARSIZE(again) != VARSIZE(history) ||
		memcmp(VARDATA(again), VARDATA(history), size) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid binary input for type %s", "history"),
				 errdetail("It is not in the canonical form.")));
	PG_RETURN_POINTER(history);
}

/* ---------- comparison ---------- */

/* The bytes that make up the value, besides the scale: the entries. */
static HistoryReader
value_of(struct varlena *history)
{
	HistoryReader reader;

	history_open(&reader, history);
	return reader;
}

/*
 * A total order over the values, by their bytes; no more meaning than that.
 * The display scale is not part of the value, as for numeric.
 */
static int
compare_histories(struct varlena *history_a, struct varlena *history_b)
{
	HistoryReader a = value_of(history_a);
	HistoryReader b = value_of(history_b);
	ptrdiff_t	size_a = a.end - a.next;
	ptrdiff_t	size_b = b.end - b.next;
	int			result = memcmp(a.next, b.next, Min(size_a, size_b));

	if (result == 0)
		result = size_a < size_b ? -1 : size_a > size_b ? 1 : a.scale - b.scale;
	return result < 0 ? -1 : result > 0 ? 1 : 0;
}

#define HISTORY_COMPARISON(name, result) \
PG_FUNCTION_INFO_V1(name); \
Datum \
name(PG_FUNCTION_ARGS) \
{ \
	struct varlena *a = history_argument(PG_GETARG_DATUM(0)); \
	struct varlena *b = history_argument(PG_GETARG_DATUM(1)); \
	int			c = compare_histories(a, b); \
\
	/* index support functions must not leak */ \
	if ((Pointer) a != PG_GETARG_POINTER(0)) \
		pfree(a); \
	if ((Pointer) b != PG_GETARG_POINTER(1)) \
		pfree(b); \
	result; \
}

HISTORY_COMPARISON(segment_history_cmp, PG_RETURN_INT32(c))
HISTORY_COMPARISON(segment_history_eq, PG_RETURN_BOOL(c == 0))
HISTORY_COMPARISON(segment_history_ne, PG_RETURN_BOOL(c != 0))
HISTORY_COMPARISON(segment_history_lt, PG_RETURN_BOOL(c < 0))
HISTORY_COMPARISON(segment_history_le, PG_RETURN_BOOL(c <= 0))
HISTORY_COMPARISON(segment_history_gt, PG_RETURN_BOOL(c > 0))
HISTORY_COMPARISON(segment_history_ge, PG_RETURN_BOOL(c >= 0))

PG_FUNCTION_INFO_V1(segment_history_hash);
Datum
segment_history_hash(PG_FUNCTION_ARGS)
{
	HistoryReader value = value_of(history_argument(PG_GETARG_DATUM(0)));

	return hash_any(value.next, value.end - value.next);
}

PG_FUNCTION_INFO_V1(segment_history_hash_extended);
Datum
segment_history_hash_extended(PG_FUNCTION_ARGS)
{
	HistoryReader value = value_of(history_argument(PG_GETARG_DATUM(0)));

	return hash_any_extended(value.next, value.end - value.next, PG_GETARG_INT64(1));
}
