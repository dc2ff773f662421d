/*-------------------------------------------------------------------------
 *
 * data_quality.h
 *		Counts of the doubtful rows of a source of events.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_DATA_QUALITY_H
#define SEGMENT_DATA_QUALITY_H

#include "base/decimal.h"

/*
 * What may be doubtful about a row, as in the view segment_internal.quality_check, and
 * in the order that segment_internal.checked_histories tells of it.  Of the first three
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

extern void quality_count(QualityCounts *counts, QualityCheck check, int128 amount, int scale);
extern bool quality_any(const QualityCounts *counts);
extern void quality_arrays(const QualityCounts *counts, Datum *rows, Datum *money);

#endif							/* SEGMENT_DATA_QUALITY_H */
