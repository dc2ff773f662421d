/*-------------------------------------------------------------------------
 *
 * natural_cuts.c
 *		Cut points of natural groups: those that make the sum of the squared
 *		distances of the values from the mean of their group least.
 *
 * W. D. Fisher, "On grouping for maximum homogeneity", Journal of the American
 * Statistical Association 53, 1958; known to cartographers by the name of G. F.
 * Jenks, "The data model concept in statistical mapping", International Yearbook
 * of Cartography 7, 1967.
 *
 * The groups of the best division are intervals of the sorted values.  So it is
 * found by dynamic programming: the best g groups of the first j values are the
 * best g - 1 groups of the first i and one of the rest, for the best i.  That i
 * never falls as j grows, so the middle j is solved first, and bounds i on both
 * sides of it.  Of each g only two rows are kept; where the groups begin is
 * found by dividing the groups into halves (D. S. Hirschberg, Communications of
 * the ACM 18, 1975).  Distinct values n: time in proportion to groups x n x log n,
 * memory to n.
 *
 * Sums of squares are differences of sums over all values before, in twice the
 * usual precision and about a value in the middle: errors are below 1e-28 of the
 * sum of squares of all values.  Sums are taken over the sorted distinct values,
 * each with its number, and so do not depend on the order of rows.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include <math.h>

#include "miscadmin.h"
#include "storage/shmem.h"
#include "utils/memutils.h"

#include "base/aggregate.h"
#include "base/double_double.h"
#include "statistics/cuts.h"

/* The distinct values in ascending order, and sums over those before each */
typedef struct Division
{
	int64		count;
	double	   *values;
	int64	   *weights;		/* how many rows; [i] of those before i */
	DoubleDouble *sums;			/* of the distances from the value in the
								 * middle */
	DoubleDouble *squares;		/* of their squares */
} Division;

/* One row of the dynamic program: of the first j values, for each j */
typedef struct Layer
{
	DoubleDouble *least;		/* sum of squares of the best groups */
	int64	   *middle;			/* so many values are in the first half of the
								 * groups */
} Layer;

#define ST_SORT sort_values
#define ST_ELEMENT_TYPE double
#define ST_COMPARE(a, b) ((*(a) > *(b)) - (*(a) < *(b)))
#define ST_SCOPE static
#define ST_CHECK_FOR_INTERRUPTS
#define ST_DEFINE
#include "lib/sort_template.h"

static void *
alloc_array(int64 count, size_t size)
{
	return MemoryContextAllocHuge(CurrentMemoryContext, mul_size(count, size));
}

/* Sort, and count equal values. */
static void
division_collect(Division *division, const double *values, int64 count)
{
	double	   *sorted = (double *) alloc_array(count, sizeof(double));
	int64		n = 0;

	memcpy(sorted, values, count * sizeof(double));
	sort_values(sorted, count);
	division->weights = (int64 *) alloc_array(count + 1, sizeof(int64));
	division->weights[0] = 0;
	for (int64 i = 0; i < count; i++)
	{
		if (n == 0 || sorted[n - 1] != sorted[i])
			sorted[n++] = sorted[i];
		division->weights[n] = i + 1;
	}
	division->values = sorted;
	division->count = n;
}

/*
 * Sums of the values, scaled by a power of two so that squares are in range,
 * and seen from the value in the middle, so that nothing cancels but what is
 * small.
 */
static void
division_sum(Division *division)
{
	int64		n = division->count;
	double		largest = Max(fabs(division->values[0]), fabs(division->values[n - 1]));
	int64		half = division->weights[n] / 2;
	int64		place = 0;
	double		middle;
	int			exponent;

	(void) frexp(largest, &exponent);
	while (division->weights[place + 1] <= half)
		place++;
	middle = ldexp(division->values[place], -exponent);
	division->sums = (DoubleDouble *) alloc_array(n + 1, sizeof(DoubleDouble));
	division->squares = (DoubleDouble *) alloc_array(n + 1, sizeof(DoubleDouble));
	memset(&division->sums[0], 0, sizeof(DoubleDouble));
	memset(&division->squares[0], 0, sizeof(DoubleDouble));
	for (int64 i = 0; i < n; i++)
	{
		DoubleDouble distance = dd_two_sum(ldexp(division->values[i], -exponent), -middle);
		double		weight = (double) (division->weights[i + 1] - division->weights[i]);

		CHECK_FOR_INTERRUPTS();
		division->sums[i + 1] = dd_add(division->sums[i], dd_multiply_double(distance, weight));
		division->squares[i + 1] = dd_add(division->squares[i],
										  dd_multiply_double(dd_multiply(distance, distance), weight));
	}
}

/* Sum of squares of the values from begin to before end about their mean */
static inline DoubleDouble
group_squares(const Division *division, int64 begin, int64 end)
{
	DoubleDouble sum;
	DoubleDouble squares;
	double		weight;

	if (end - begin == 1)
	{
		DoubleDouble zero = {0, 0};

		return zero;
	}
	weight = (double) (division->weights[end] - division->weights[begin]);
	sum = dd_subtract(division->sums[end], division->sums[begin]);
	squares = dd_subtract(division->squares[end], division->squares[begin]);
	return dd_subtract(squares, dd_divide_double(dd_multiply(sum, sum), weight));
}

/*
 * The best of the first j values from "first" on with one group more than in
 * the row before, whose best number of values is from low to high; returned.
 */
static int64
layer_solve(const Division *division, int64 first, const Layer *before, const Layer *after,
			int64 j, int64 low, int64 high, bool is_middle)
{
	int64		best = low;

	high = Min(high, j - 1);
	for (int64 i = low; i <= high; i++)
	{
		DoubleDouble squares = dd_add(before->least[i],
									  group_squares(division, first + i, first + j));

		CHECK_FOR_INTERRUPTS();
		if (i == low || dd_less(squares, after->least[j]))
		{
			after->least[j] = squares;
			best = i;
		}
	}
	after->middle[j] = is_middle ? best : before->middle[best];
	return best;
}

/* The same for all j from begin to end: the one in the middle first. */
static void
layer_fill(const Division *division, int64 first, const Layer *before, const Layer *after,
		   int64 begin, int64 end, int64 low, int64 high, bool is_middle)
{
	while (begin <= end)
	{
		int64		j = begin + (end - begin) / 2;
		int64		best = layer_solve(division, first, before, after, j, low, high, is_middle);

		layer_fill(division, first, before, after, begin, j - 1, low, best, is_middle);
		begin = j + 1;
		low = best;
	}
}

static void
layer_create(Layer *layer, int64 n)
{
	layer->least = (DoubleDouble *) alloc_array(n + 1, sizeof(DoubleDouble));
	layer->middle = (int64 *) alloc_array(n + 1, sizeof(int64));
}

static void
layer_free(Layer *layer)
{
	pfree(layer->least);
	pfree(layer->middle);
}

/* How many of the values from first to before last are in the first half of the groups */
static int64
division_middle(const Division *division, int64 first, int64 last, int groups)
{
	int64		n = last - first;
	int			half = groups / 2;
	Layer		before;
	Layer		after;
	int64		middle;

	layer_create(&before, n);
	layer_create(&after, n);
	for (int64 j = 1; j <= n; j++)
		before.least[j] = group_squares(division, first, first + j);
	for (int g = 2; g <= groups; g++)
	{
		Layer		swap = before;

		/* at least one value for each group: of the last row, all of them */
		layer_fill(division, first, &before, &after, g == groups ? n : g, n - (groups - g),
				   g - 1, n - (groups - g) - 1, g - 1 == half);
		before = after;
		after = swap;
	}
	middle = before.middle[n];
	layer_free(&before);
	layer_free(&after);
	return middle;
}

/* Write the last value of each group but the last; there are as many values at least. */
static void
division_cut(const Division *division, int64 first, int64 last, int groups, double *cuts)
{
	int			half = groups / 2;
	int64		middle;

	check_stack_depth();
	if (groups == 1)
		return;
	middle = first + division_middle(division, first, last, groups);
	cuts[half - 1] = division->values[middle - 1];
	division_cut(division, first, middle, half, cuts);
	division_cut(division, middle, last, groups - half, cuts + half);
}

/*
 * natural_cuts_final: the n - 1 cut points, ascending
 *
 * NULL if there was no value; an empty array for n = 1.  Where there are fewer
 * different values than groups each has a group of its own, and the last groups
 * are empty.
 */
PG_FUNCTION_INFO_V1(segment_natural_cuts_final);
Datum
segment_natural_cuts_final(PG_FUNCTION_ARGS)
{
	const void *state = aggregate_state(fcinfo);
	const double *values;
	int64		count;
	int			groups;
	int			filled;
	double	   *cuts;
	Division	division;

	if (state == NULL)
		PG_RETURN_NULL();
	values = cuts_state_values(state, &count, &groups);
	division_collect(&division, values, count);
	cuts = (double *) alloc_array(groups, sizeof(double));
	filled = (int) Min(groups, division.count);
	if (filled == division.count)
		memcpy(cuts, division.values, filled * sizeof(double));
	else
	{
		division_sum(&division);
		division_cut(&division, 0, division.count, filled, cuts);
	}
	for (int i = filled; i < groups; i++)
		cuts[i] = division.values[division.count - 1];
	return cuts_array(cuts, groups - 1);
}
