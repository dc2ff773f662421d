/*-------------------------------------------------------------------------
 *
 * period.h
 *		What a customer bought in the last period and in those before it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_PERIOD_H
#define SEGMENT_PERIOD_H

#include "types/history.h"

/* The days of a history, those up to and including a day. */
typedef struct KnownDays
{
	HistoryDays list;			/* ascending */
	int			count;			/* so many of them are up to the day */
} KnownDays;

/* The last period and those that a trend looks back over, the last among them. */
typedef struct PeriodTerms
{
	int32		days;			/* of a period; 0: unknown, and nothing is
								 * said */
	int32		periods;
} PeriodTerms;

/* Of the purchases, up to a day; they change when an order enters or leaves. */
typedef struct PeriodFigures
{
	int64		orders;			/* in the last period */
	int128		net;
	int128		previous_net;	/* in the one before */
	double		trend_net;		/* sum of the net amounts of the trend's days */
	double		trend_moment;	/* sum of these times the days since the first
								 * purchase */
	double		trend_square;	/* sum of their squares */
} PeriodFigures;

extern void known_days_open(KnownDays *days, const struct varlena *history);
extern void known_days_move(KnownDays *days, DateADT as_of);
extern int	known_days_after(const KnownDays *days, int64 day);
extern int64 known_days_next(const KnownDays *days);
extern int64 known_days_leave(const KnownDays *days, DateADT as_of, int64 length);

extern int128 period_net(const KnownDays *days, DateADT as_of, int64 length);
extern void period_purchases(const KnownDays *days, DateADT first_day, DateADT as_of,
							 const PeriodTerms *terms, PeriodFigures *figures);
extern bool period_trend(const PeriodFigures *figures, DateADT first_day, DateADT as_of,
						 const PeriodTerms *terms, double *slope, double *p_value);

#endif							/* SEGMENT_PERIOD_H */
