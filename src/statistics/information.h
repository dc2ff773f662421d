/*-------------------------------------------------------------------------
 *
 * information.h
 *		What a column tells about an outcome.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_INFORMATION_H
#define SEGMENT_INFORMATION_H

/* Numbers are put into tenths of the rows. */
#define INFORMATION_TENTHS	10

/*
 * A name is rare that fewer rows have than this, or less than one part of the
 * rows in so many.
 */
#define INFORMATION_RARE_ROWS	10
#define INFORMATION_PARTS		100

/* Names that are not rare, all that are, and NULL. */
#define INFORMATION_MAX_BINS	(INFORMATION_PARTS + 2)

/* Some rows: of how many was the outcome true (hits), and of how many false (misses)? */
typedef struct InformationBin
{
	int64		hits;
	int64		misses;
} InformationBin;

/* A column's rows in bins, and what was seen on the way. */
typedef struct InformationColumn
{
	bool		ordered;		/* do values have an order, or are they names? */
	InformationBin known;		/* all rows with a value */
	InformationBin missing;		/* all without */
	InformationBin below;		/* rows with the values seen so far */
	int64		values;			/* how many different ones */
	int128		pairs_in_order; /* twice the pairs of a hit and a miss in
								 * which the hit has the higher value, ties
								 * half */
	int			nbins;			/* but for that of missing values */
	InformationBin bins[INFORMATION_MAX_BINS];
} InformationColumn;

/* How much is known about the outcome from the bin. */
typedef struct Information
{
	double		value;			/* the information value */
	double		chance;			/* what chance would give on average */
	bool		significant;	/* is it more than chance would give? */
} Information;

static inline int64
information_rows(InformationBin bin)
{
	return bin.hits + bin.misses;
}

extern void information_begin(InformationColumn *column, bool ordered, InformationBin known, InformationBin missing);
extern void information_add(InformationColumn *column, InformationBin value);
extern void information_end(InformationColumn *column);
extern Information information_of(const InformationBin *bins, int nbins, int tests);
extern double information_area(const InformationColumn *column);
extern double information_area_of_bins(const InformationColumn *column);

#endif							/* SEGMENT_INFORMATION_H */
