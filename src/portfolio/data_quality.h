/*-------------------------------------------------------------------------
 *
 * data_quality.h
 *		Checks of the rows of a source of events.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_DATA_QUALITY_H
#define SEGMENT_DATA_QUALITY_H

#include "base/decimal.h"
#include "portfolio/event_row.h"

/*
 * What may be wrong with a row, as in the view segment_internal.quality_check, and in
 * the order in which segment_internal.checked_histories reports it.  Of the first three
 * a row is counted for one.
 */
typedef enum QualityCheck
{
	QUALITY_NULL_CUSTOMER,
	QUALITY_NULL_DATE,
	QUALITY_NULL_AMOUNT,
	QUALITY_NULL_MARGIN,
	QUALITY_ZERO_AMOUNT,
	QUALITY_DUPLICATE
} QualityCheck;

#define QUALITY_CHECKS	(QUALITY_DUPLICATE + 1)

/* For each check, its rows and the sum of their amounts. */
typedef struct QualityCounts
{
	int64		rows[QUALITY_CHECKS];
	int128		money[QUALITY_CHECKS];	/* at the full scale */
	int			display_scale[QUALITY_CHECKS];	/* largest of the amounts */
} QualityCounts;

/*
 * The counts of those customers that have any.  A customer keeps the number of
 * its counts plus 1, or 0 as long as every row has passed.
 */
typedef struct QualityList
{
	QualityCounts *counts;
	uint32		count;
	uint32		capacity;		/* 0: there is no list yet */
} QualityList;

extern void quality_count(QualityCounts *counts, QualityCheck check, int128 amount, int scale);
extern bool quality_any(const QualityCounts *counts);
extern void quality_arrays(const QualityCounts *counts, Datum *rows, Datum *money);

extern void quality_row_failed(QualityList *list, uint32 *number, const EventFormat *format,
							   const EventRow *row);
extern void quality_check_duplicates(QualityList *list, uint32 *number, const EventFormat *format,
									 EventRow **rows, Size nrows, int scale);

/* The counts of a customer; NULL if every row has passed. */
static inline const QualityCounts *
quality_counts(const QualityList *list, uint32 number)
{
	return number == 0 ? NULL : &list->counts[number - 1];
}

/* Check a row by itself. */
static inline void
quality_check_row(QualityList *list, uint32 *number, const EventFormat *format, const EventRow *row)
{
	uint8		wanted = (1 << format->amounts) - 1;	/* EVENT_HAS_AMOUNT of
														 * all */

	if (unlikely((row->flags & wanted) != wanted || event_row_amount(row, 0) == 0))
		quality_row_failed(list, number, format, row);
}

#endif							/* SEGMENT_DATA_QUALITY_H */
