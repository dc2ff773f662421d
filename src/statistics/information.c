/*-------------------------------------------------------------------------
 *
 * information.c
 *		What a column tells about an outcome that is true or false: bins of
 *		its values, the information value of these, and the area under the
 *		ROC curve.
 *
 * All counts are exact integers, and what is computed of them goes through the
 * bins in an order that depends on nothing but the counts and, where values have
 * one, their order.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include <math.h>

#include "statistics/information.h"

/* One false alarm in twenty calls of drivers whose columns tell nothing */
#define FALSE_ALARMS	0.05

/* ---------- bins ---------- */

/* information_begin: no values yet; how many rows there will be is known */
void
information_begin(InformationColumn *column, bool ordered, InformationBin known, InformationBin missing)
{
	memset(column, 0, sizeof(*column));
	column->ordered = ordered;
	column->known = known;
	column->missing = missing;
	/* the first bin of names is that of all rare ones */
	column->nbins = ordered ? INFORMATION_TENTHS : 1;
}

static inline void
bin_add(InformationBin *bin, InformationBin more)
{
	bin->hits += more.hits;
	bin->misses += more.misses;
}

/*
 * The bin of a value.  A number's is the tenth of the rows in which the middle
 * one of those with this number is: equal numbers stay together, and those that
 * many rows have, apart from others.
 */
static InformationBin *
bin_of(InformationColumn *column, InformationBin value)
{
	int64		rows = information_rows(value);
	int64		known = information_rows(column->known);

	if (column->ordered)
		return &column->bins[(int) ((int128) INFORMATION_TENTHS * (2 * information_rows(column->below) + rows) / (2 * known))];
	if (rows < INFORMATION_RARE_ROWS || (int128) rows * INFORMATION_PARTS < known)
		return &column->bins[0];
	return &column->bins[column->nbins++];
}

/* information_add: all rows with one value; values come in ascending order */
void
information_add(InformationColumn *column, InformationBin value)
{
	column->pairs_in_order += (int128) value.hits * (2 * column->below.misses + value.misses);
	bin_add(bin_of(column, value), value);
	bin_add(&column->below, value);
	column->values++;
}

/*
 * By the share of hits, then by the number of rows: in no way by the values.
 * qsort may swap bins that are the same.
 */
static int
compare_bins(const void *a, const void *b)
{
	const InformationBin *one = (const InformationBin *) a;
	const InformationBin *other = (const InformationBin *) b;
	int128		left = (int128) one->hits * other->misses;
	int128		right = (int128) other->hits * one->misses;

	if (left != right)
		return left < right ? -1 : 1;
	return (one->hits > other->hits) - (one->hits < other->hits) +
		(one->misses > other->misses) - (one->misses < other->misses);
}

/* information_end: no more values; takes out empty bins, and puts names in order */
void
information_end(InformationColumn *column)
{
	int			nbins = 0;

	for (int i = 0; i < column->nbins; i++)
		if (information_rows(column->bins[i]) > 0)
			column->bins[nbins++] = column->bins[i];
	column->nbins = nbins;
	if (!column->ordered)
		qsort(column->bins, nbins, sizeof(InformationBin), compare_bins);
}

/* ---------- information ---------- */

/*
 * Is a sum that chance alone would make chi-squared distributed so large that
 * this happens in one of twenty calls with so many tests?  By the cube root of
 * Wilson and Hilferty, "The distribution of chi-square", PNAS 17, 1931, and the
 * correction of Bonferroni.
 */
static bool
more_than_chance(double chi_squared, int degrees, int tests)
{
	double		variance = 2.0 / (9.0 * degrees);
	double		z = (cbrt(chi_squared / degrees) - (1 - variance)) / sqrt(variance);

	return erfc(z / M_SQRT2) / 2 < FALSE_ALARMS / tests;
}

/*
 * information_of: the information value of bins, the sum over them of
 * (p - q) ln(p / q), where p is the bin's share of the hits and q that of the
 * misses
 *
 * It is the divergence of Jeffreys, "An invariant form for the prior probability
 * in estimation problems", 1946, as it is used for scorecards (Siddiqi, "Credit
 * risk scorecards", 2006).  Each bin has half a row more of either kind than was
 * seen, so that none is empty, whatever p and q are.  Where the column tells
 * nothing, it is, times hits * misses / rows, about chi-squared distributed with
 * a degree less than there are bins.
 */
Information
information_of(const InformationBin *bins, int nbins, int tests)
{
	InformationBin all = {0};
	Information result = {0};
	double		hits,
				misses,
				scale;

	for (int i = 0; i < nbins; i++)
		bin_add(&all, bins[i]);
	if (nbins < 2 || all.hits == 0 || all.misses == 0)
		return result;
	hits = all.hits + nbins / 2.0;
	misses = all.misses + nbins / 2.0;
	for (int i = 0; i < nbins; i++)
	{
		double		p = (bins[i].hits + 0.5) / hits;
		double		q = (bins[i].misses + 0.5) / misses;

		result.value += (p - q) * log(p / q);
	}
	scale = (double) all.hits * all.misses / information_rows(all);
	result.chance = (nbins - 1) / scale;
	result.significant = more_than_chance(result.value * scale, nbins - 1, tests);
	return result;
}

/* ---------- the area under the ROC curve ---------- */

/*
 * information_area: the chance that of a hit and a miss, both with a value, the
 * hit has the higher one; ties half.  There must be one of each.
 */
double
information_area(const InformationColumn *column)
{
	return (double) column->pairs_in_order / 2 / ((double) column->known.hits * column->known.misses);
}

/*
 * information_area_of_bins: the same for the bins in the order of their shares
 * of hits: how well the outcome can be told from the bin, whatever the order of
 * values is
 */
double
information_area_of_bins(const InformationColumn *column)
{
	InformationBin bins[INFORMATION_MAX_BINS];
	int128		pairs = 0;
	int64		misses = 0;

	memcpy(bins, column->bins, column->nbins * sizeof(InformationBin));
	qsort(bins, column->nbins, sizeof(InformationBin), compare_bins);
	for (int i = 0; i < column->nbins; i++)
	{
		pairs += (int128) bins[i].hits * (2 * misses + bins[i].misses);
		misses += bins[i].misses;
	}
	return (double) pairs / 2 / ((double) column->known.hits * column->known.misses);
}
