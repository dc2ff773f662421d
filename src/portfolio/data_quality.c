/*-------------------------------------------------------------------------
 *
 * data_quality.c
 *		Checks of the rows of a source of events, and of amounts.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/memutils.h"

#include "portfolio/data_quality.h"
#include "types/history.h"

#define FIRST_CAPACITY	128		/* customers with counts */

/* ---------- counts ---------- */

/*
 * quality_count: a row that fails a check; an amount that is not known is 0
 *
 * An amount with which the sum would leave the range of amounts is left out: a
 * report must not fail for what it reports.
 */
void
quality_count(QualityCounts *counts, QualityCheck check, int128 amount, int scale)
{
	int128		sum = counts->money[check] +
	amount * decimal_power_of_ten[DECIMAL_MAX_SCALE - scale];

	counts->rows[check]++;
	if (sum > decimal_limit(DECIMAL_MAX_SCALE) || sum < -decimal_limit(DECIMAL_MAX_SCALE))
		return;
	counts->money[check] = sum;
	counts->display_scale[check] = Max(counts->display_scale[check], scale);
}

/* Did any row fail? */
bool
quality_any(const QualityCounts *counts)
{
	int			i;

	for (i = 0; i < QUALITY_CHECKS; i++)
		if (counts->rows[i] > 0)
			return true;
	return false;
}

/* The counts as bigint[] and their money as numeric[], one element per check. */
void
quality_arrays(const QualityCounts *counts, Datum *rows, Datum *money)
{
	Datum		row_values[QUALITY_CHECKS];
	Datum		money_values[QUALITY_CHECKS];
	int			i;

	for (i = 0; i < QUALITY_CHECKS; i++)
	{
		row_values[i] = Int64GetDatum(counts->rows[i]);
		money_values[i] = NumericGetDatum(decimal_to_numeric(counts->money[i], DECIMAL_MAX_SCALE,
															 counts->display_scale[i]));
	}
	*rows = PointerGetDatum(construct_array(row_values, QUALITY_CHECKS, INT8OID,
											sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	*money = PointerGetDatum(construct_array(money_values, QUALITY_CHECKS, NUMERICOID,
											 -1, false, TYPALIGN_INT));
}

/* ---------- the rows of a customer ---------- */

/* Count a row for the customer whose number in the list this is. */
static void
count_row(QualityList *list, uint32 *number, QualityCheck check, int128 amount, int scale)
{
	if (*number == 0)
	{
		if (list->capacity == 0)
		{
			list->capacity = FIRST_CAPACITY;
			list->counts = palloc(FIRST_CAPACITY * sizeof(QualityCounts));
		}
		else if (list->count == list->capacity)
		{
			list->capacity *= 2;
			list->counts = repalloc_huge(list->counts, list->capacity * sizeof(QualityCounts));
		}
		memset(&list->counts[list->count], 0, sizeof(QualityCounts));
		*number = ++list->count;
	}
	quality_count(&list->counts[*number - 1], check, amount, scale);
}

/* quality_row_failed: count whatever is wrong with a row by itself */
void
quality_row_failed(QualityList *list, uint32 *number, const EventFormat *format,
				   const EventRow *row)
{
	int128		amount = event_row_amount(row, 0);

	if (row->flags & EVENT_NO_DAY)
		count_row(list, number, QUALITY_NULL_DATE, amount, row->scale[0]);
	else if (!(row->flags & EVENT_HAS_AMOUNT(0)))
		count_row(list, number, QUALITY_NULL_AMOUNT, 0, 0);
	else
	{
		if (amount == 0)
			count_row(list, number, QUALITY_ZERO_AMOUNT, 0, 0);
		if (format->amounts == 2 && !(row->flags & EVENT_HAS_AMOUNT(1)))
			count_row(list, number, QUALITY_NULL_MARGIN, amount, row->scale[0]);
	}
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
count_repeated(QualityList *list, uint32 *number, const EventFormat *format,
			   EventRow **rows, Size nrows, int scale)
{
	Repeatable *day = MemoryContextAllocHuge(CurrentMemoryContext, nrows * sizeof(Repeatable));
	Size		count = 0;

	for (Size i = 0; i < nrows; i++)
	{
		const EventRow *row = rows[i];

		CHECK_FOR_INTERRUPTS();
		if (!(row->flags & EVENT_HAS_AMOUNT(0)))
			continue;
		day[count].moment = event_row_moment(format, row);
		day[count++].amount = event_row_amount(row, 0) *
			decimal_power_of_ten[scale - row->scale[0]];
	}
	sort_repeatable(day, count);
	for (Size i = 1; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (compare_repeatable(&day[i - 1], &day[i]) == 0)
			count_row(list, number, QUALITY_DUPLICATE, day[i].amount, scale);
	}
	pfree(day);
}

/*
 * quality_check_duplicates: the rows of a customer, in the order of days, that
 * repeat others; scale is the largest of their amounts
 */
void
quality_check_duplicates(QualityList *list, uint32 *number, const EventFormat *format,
						 EventRow **rows, Size nrows, int scale)
{
	Size		begin = 0;

	for (Size i = 1; i <= nrows; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (i < nrows && rows[i]->day == rows[begin]->day)
			continue;
		if (i - begin > 1)
			count_repeated(list, number, format, rows + begin, i - begin, scale);
		begin = i;
	}
}

/* ---------- orders of an unusual amount ---------- */

/*
 * unusual_orders(series history, smallest float8, largest float8): the orders of the
 * days on which the mean amount of an order is above 0 but below smallest, or
 * above largest; NULL if there are none
 *
 * A history knows the sum and the number of a day's orders, not each.
 */
PG_FUNCTION_INFO_V1(segment_unusual_orders);
Datum
segment_unusual_orders(PG_FUNCTION_ARGS)
{
	float8		smallest = PG_GETARG_FLOAT8(1);
	float8		largest = PG_GETARG_FLOAT8(2);
	HistoryReader reader;
	HistoryDays list;
	HistoryDay	day;

	history_open(&reader, history_argument(PG_GETARG_DATUM(0)));
	history_days_init(&list, reader.scale, reader.display_scale);
	while (history_next(&reader, &day))
	{
		double		mean;

		CHECK_FOR_INTERRUPTS();
		if (day.gross == 0)
			continue;
		mean = decimal_to_float8(day.gross, reader.scale) / day.orders;
		if (mean >= smallest && mean <= largest)
			continue;
		day.refunds = 0;
		day.refunded = 0;
		history_days_add(&list, &day);
	}
	if (list.count == 0)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(history_store(&list));
}
