/*-------------------------------------------------------------------------
 *
 * rank_sum.c
 *		Are the values of one sample lower than those of another?  The test of
 *		the sum of ranks (Wilcoxon, "Individual Comparisons by Ranking Methods",
 *		Biometrics Bulletin 1, 1945; Mann and Whitney, 1947).
 *
 * If nothing makes the samples differ, each choice of so many of all values is
 * as likely to be the one sample as any other.  Only the order of the values
 * counts, so a single enormous one cannot decide.  Equal values share the mean
 * of their ranks.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"

#include "base/arguments.h"
#include "base/special.h"
#include "statistics/rank_sum.h"

/* Up to these sizes all choices are counted. */
#define EXACT_PAIRS		100		/* size of one sample times that of the other */
#define EXACT_SMALLER	3		/* or the smaller sample */
#define EXACT_VALUES	1000	/* and both together */

/* Two samples, their values in ascending order; ranks and sums are doubled, so that they are whole. */
typedef struct RankedSamples
{
	RankedValue *values;
	int			count;
	int			chosen;
	int64		chosen_ranks;	/* sum of the ranks of the sample that may be
								 * lower */
	double		ties;			/* sum of t^3 - t over the groups of t equal
								 * values */
} RankedSamples;

static int
compare_values(const void *a, const void *b)
{
	double		x = ((const RankedValue *) a)->value;
	double		y = ((const RankedValue *) b)->value;

	return x < y ? -1 : x > y;
}

static void
rank_values(RankedSamples *samples)
{
	RankedValue *values = samples->values;

	qsort(values, samples->count, sizeof(RankedValue), compare_values);
	for (int from = 0, next; from < samples->count; from = next)
	{
		double		equal;

		for (next = from; next < samples->count && values[next].value == values[from].value; next++)
			;
		equal = next - from;
		samples->ties += equal * (equal * equal - 1.0);
		for (int i = from; i < next; i++)
		{
			/* the ranks are from + 1 to next */
			values[i].rank = from + 1 + next;
			if (values[i].chosen)
			{
				samples->chosen++;
				samples->chosen_ranks += values[i].rank;
			}
		}
	}
}

/* How many choices of so many of n there are; exact where they are counted. */
static double
choices(int n, int chosen)
{
	double		result = 1.0;

	for (int i = 1; i <= chosen; i++)
		result = rint(result * (n - chosen + i) / i);
	return result;
}

/*
 * The share of all choices whose sum of ranks is at most that of the chosen
 * sample.  If the other sample is the smaller one, its choices are counted
 * instead, by ranks from the top.
 */
static double
exact_p_value(const RankedSamples *samples)
{
	int			count = samples->count;
	bool		flip = samples->chosen > count - samples->chosen;
	int			chosen = flip ? count - samples->chosen : samples->chosen;
	int64		total = (int64) count * (count + 1);
	int64		most = flip ? 2 * (int64) (count + 1) * chosen - (total - samples->chosen_ranks) : samples->chosen_ranks;
	int			unit = samples->ties == 0.0 ? 2 : 1;	/* without ties all are
														 * even */
	size_t		width = most / unit + 1;
	double	   *ways = palloc0((chosen + 1) * width * sizeof(double));
	double		sum = 0.0;

	ways[0] = 1.0;
	for (int i = 0; i < count; i++)
	{
		int			rank = samples->values[flip ? count - 1 - i : i].rank;
		size_t		step = (flip ? 2 * (count + 1) - rank : rank) / unit;

		CHECK_FOR_INTERRUPTS();
		for (int j = Min(i + 1, chosen); j > 0; j--)
		{
			const double *fewer = ways + (j - 1) * width;
			double	   *more = ways + j * width;

			for (size_t s = step; s < width; s++)
				more[s] += fewer[s - step];
		}
	}
	for (size_t s = 0; s < width; s++)
		sum += ways[chosen * width + s];
	pfree(ways);
	return special_clamp_probability(sum / choices(count, chosen));
}

/* The normal distribution with the same mean and variance, corrected for whole ranks. */
static double
normal_p_value(const RankedSamples *samples)
{
	double		n = samples->count;
	double		chosen = samples->chosen;
	double		mean = chosen * (n + 1.0) / 2.0;
	double		variance = chosen * (n - chosen) / 12.0 * (n + 1.0 - samples->ties / (n * (n - 1.0)));

	if (variance <= 0.0)
		return 1.0;
	return 0.5 * erfc((mean - 0.5 - samples->chosen_ranks / 2.0) / sqrt(2.0 * variance));
}

/*
 * rank_sum_p_value: the chance that the chosen values are as low as they are
 *
 * The values are sorted.  1 if one sample is empty.
 */
double
rank_sum_p_value(RankedValue *values, int count)
{
	RankedSamples samples = {.values = values,.count = count};
	int64		others;

	rank_values(&samples);
	others = samples.count - samples.chosen;
	if (samples.chosen == 0 || others == 0)
		return 1.0;
	if (count <= EXACT_VALUES && (samples.chosen * others <= EXACT_PAIRS || Min(samples.chosen, others) <= EXACT_SMALLER))
		return exact_p_value(&samples);
	return normal_p_value(&samples);
}

/* ---------- functions ---------- */

/* The values of a float8[], all finite, to the values of both samples. */
static void
add_sample(RankedValue *values, int *count, ArrayType *array, bool chosen, const char *name)
{
	int			size = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	const double *given = (const double *) ARR_DATA_PTR(array);

	if (array_contains_nulls(array))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not contain nulls", name)));
	for (int i = 0; i < size; i++)
	{
		if (!isfinite(given[i]))
			arguments_bad_number(name, given[i]);
		values[*count].value = given[i];
		values[(*count)++].chosen = chosen;
	}
}

/* rank_sum_p_value(lower, higher): the chance of values so low in the first sample */
PG_FUNCTION_INFO_V1(segment_rank_sum_p_value);
Datum
segment_rank_sum_p_value(PG_FUNCTION_ARGS)
{
	ArrayType  *lower = PG_GETARG_ARRAYTYPE_P(0);
	ArrayType  *higher = PG_GETARG_ARRAYTYPE_P(1);
	int			size = ArrayGetNItems(ARR_NDIM(lower), ARR_DIMS(lower)) + ArrayGetNItems(ARR_NDIM(higher), ARR_DIMS(higher));
	RankedValue *values = palloc(Max(size, 1) * sizeof(RankedValue));
	int			count = 0;

	add_sample(values, &count, lower, true, "lower");
	add_sample(values, &count, higher, false, "higher");
	PG_RETURN_FLOAT8(rank_sum_p_value(values, count));
}

/* rank_sum_least(lower, higher): the least p-value with samples of such sizes, without ties */
PG_FUNCTION_INFO_V1(segment_rank_sum_least);
Datum
segment_rank_sum_least(PG_FUNCTION_ARGS)
{
	double		lower = PG_GETARG_INT64(0);
	double		higher = PG_GETARG_INT64(1);

	arguments_check_count("lower", lower, ARGUMENTS_MAX_COUNT);
	arguments_check_count("higher", higher, ARGUMENTS_MAX_COUNT);
	PG_RETURN_FLOAT8(special_clamp_probability(exp(lgamma(lower + 1.0) + lgamma(higher + 1.0) - lgamma(lower + higher + 1.0))));
}
