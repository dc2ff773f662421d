/*-------------------------------------------------------------------------
 *
 * ranking.c
 *		How well scores rank: the area under the ROC curve with its interval,
 *		two scores compared, tenths by a score, the cheapest threshold.
 *
 * All three aggregates collect their rows and put them in order at the end.
 * Rows with equal scores are never told apart: each of them counts as the
 * mean of all.  So the order of rows plays no part, nor does a key.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/memutils.h"

#include "base/aggregate.h"
#include "base/arguments.h"
#include "base/result_row.h"

/* The 97.5 % quantile of the normal distribution */
#define RANKING_Z 1.959963984540054

/* Most amounts beside a score */
#define RANKING_MAX_AMOUNTS 32

/* First allocation, in rows */
#define RANKING_MIN_CAPACITY 64

/* The rows seen, each a number of values; and what is the same for all of them. */
typedef struct RankingState
{
	int			width;
	int64		count;
	int64		capacity;		/* in rows */
	double	   *values;
	double		costs[2];		/* of a false alarm, of a miss */
} RankingState;

static RankingState *
ranking_state_create(MemoryContext context, int width, int64 capacity)
{
	RankingState *state = MemoryContextAllocZero(context, sizeof(RankingState));

	state->width = width;
	state->capacity = Max(capacity, RANKING_MIN_CAPACITY);
	state->values = MemoryContextAllocHuge(context, state->capacity * width * sizeof(double));
	return state;
}

static void
ranking_state_reserve(RankingState *state, int64 more)
{
	if (state->count + more <= state->capacity)
		return;
	state->capacity = Max(state->count + more, 2 * state->capacity);
	state->values = repalloc_huge(state->values, state->capacity * state->width * sizeof(double));
}

/* Room for the values of one more row. */
static inline double *
ranking_state_add(RankingState *state)
{
	ranking_state_reserve(state, 1);
	return state->values + state->count++ * state->width;
}

/* ---------- the state between processes ---------- */

static void
ranking_check_width(const RankingState *state, int width)
{
	if (unlikely(state != NULL && state->width != width))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must have the same number of elements in all rows",
						"amounts")));
}

static void *
ranking_create_like(MemoryContext context, const void *other)
{
	const RankingState *like = (const RankingState *) other;
	RankingState *state = ranking_state_create(context, like->width, like->count);

	memcpy(state->costs, like->costs, sizeof(state->costs));
	return state;
}

static void
ranking_merge(void *target, const void *other)
{
	RankingState *state = (RankingState *) target;
	const RankingState *more = (const RankingState *) other;

	ranking_check_width(state, more->width);
	arguments_check_same(state->costs[0] == more->costs[0], "false_alarm_cost");
	arguments_check_same(state->costs[1] == more->costs[1], "miss_cost");
	ranking_state_reserve(state, more->count);
	memcpy(state->values + state->count * state->width, more->values,
		   more->count * more->width * sizeof(double));
	state->count += more->count;
}

static void
ranking_send(StringInfo buf, void *source)
{
	const RankingState *state = (const RankingState *) source;

	pq_sendint32(buf, state->width);
	pq_sendfloat8(buf, state->costs[0]);
	pq_sendfloat8(buf, state->costs[1]);
	pq_sendint64(buf, state->count);
	aggregate_reserve(buf, state->count * state->width, sizeof(double));
	for (int64 i = 0; i < state->count * state->width; i++)
		pq_sendfloat8(buf, state->values[i]);
}

static void *
ranking_receive(StringInfo buf, const AggregateKind *kind)
{
	int			width = pq_getmsgint(buf, 4);
	double		false_alarm_cost = pq_getmsgfloat8(buf);
	double		miss_cost = pq_getmsgfloat8(buf);
	int64		count = pq_getmsgint64(buf);
	RankingState *state;

	if (width < 1 || width > RANKING_MAX_AMOUNTS + 1 || count < 0 ||
		count != (buf->len - buf->cursor) / (width * (int64) sizeof(double)))
		aggregate_invalid_state(kind);
	state = ranking_state_create(CurrentMemoryContext, width, count);
	state->costs[0] = false_alarm_cost;
	state->costs[1] = miss_cost;
	state->count = count;
	for (int64 i = 0; i < count * width; i++)
	{
		state->values[i] = pq_getmsgfloat8(buf);
		if (!isfinite(state->values[i]))
			aggregate_invalid_state(kind);
	}
	return state;
}

static const AggregateKind ranking_kind = {
	"ranking_agg", 1, ranking_create_like, ranking_merge, ranking_send, ranking_receive
};

PG_FUNCTION_INFO_V1(segment_ranking_combine);
Datum
segment_ranking_combine(PG_FUNCTION_ARGS)
{
	return aggregate_combine(fcinfo, &ranking_kind);
}

PG_FUNCTION_INFO_V1(segment_ranking_serialize);
Datum
segment_ranking_serialize(PG_FUNCTION_ARGS)
{
	return aggregate_serialize(fcinfo, &ranking_kind);
}

PG_FUNCTION_INFO_V1(segment_ranking_deserialize);
Datum
segment_ranking_deserialize(PG_FUNCTION_ARGS)
{
	return aggregate_deserialize(fcinfo, &ranking_kind);
}

/* ---------- rows in order ---------- */

/* A row's score, with the number of the row */
typedef struct ScoredRow
{
	double		score;
	int64		row;
} ScoredRow;

static inline int
compare_scores(const ScoredRow *a, const ScoredRow *b)
{
	return (a->score > b->score) - (a->score < b->score);
}

#define ST_SORT sort_scored_rows
#define ST_ELEMENT_TYPE ScoredRow
#define ST_COMPARE(a, b) compare_scores(a, b)
#define ST_SCOPE static
#define ST_CHECK_FOR_INTERRUPTS
#define ST_DEFINE
#include "lib/sort_template.h"

/* The rows in ascending order of one of their values. */
static ScoredRow *
rows_by(const RankingState *state, int value)
{
	ScoredRow  *rows = palloc_extended(Max(state->count, 1) * sizeof(ScoredRow), MCXT_ALLOC_HUGE);

	for (int64 i = 0; i < state->count; i++)
	{
		rows[i].score = state->values[i * state->width + value];
		rows[i].row = i;
	}
	sort_scored_rows(rows, state->count);
	return rows;
}

/* The end of the group of equal scores that begins at a row. */
static inline int64
group_end(const ScoredRow *rows, int64 count, int64 start)
{
	int64		end = start + 1;

	while (end < count && rows[end].score == rows[start].score)
		end++;
	return end;
}

/* ---------- the area under the ROC curve ---------- */

enum
{
	RANKING_SCORE,
	RANKING_BASELINE,
	RANKING_HIT,
	RANKING_WIDTH
};

/* ranking_accum(state, score, baseline, hit): one more row; one with a NULL is skipped */
PG_FUNCTION_INFO_V1(segment_ranking_accum);
Datum
segment_ranking_accum(PG_FUNCTION_ARGS)
{
	RankingState *state = (RankingState *) aggregate_state(fcinfo);
	double		score,
				baseline;
	double	   *values;

	if (aggregate_skips_row(fcinfo))
		return aggregate_unchanged(fcinfo);
	score = PG_GETARG_FLOAT8(1);
	baseline = PG_GETARG_FLOAT8(2);
	arguments_check_number("score", score);
	arguments_check_number("baseline", baseline);
	if (state == NULL)
		state = ranking_state_create(aggregate_context(fcinfo), RANKING_WIDTH, 0);
	values = ranking_state_add(state);
	values[RANKING_SCORE] = score;
	values[RANKING_BASELINE] = baseline;
	values[RANKING_HIT] = PG_GETARG_BOOL(3);
	PG_RETURN_POINTER(state);
}

/*
 * For each row, twice the number of rows of the other kind that it ranks right
 * against: of a hit, the misses below it; of a miss, the hits above it.  A tie
 * counts as half.
 */
static int64 *
ranked_right(const RankingState *state, int value, int64 hits)
{
	ScoredRow  *rows = rows_by(state, value);
	int64	   *right = palloc_extended(Max(state->count, 1) * sizeof(int64), MCXT_ALLOC_HUGE);
	int64		hits_below = 0;
	int64		end;

	for (int64 start = 0; start < state->count; start = end)
	{
		int64		tied_hits = 0;
		int64		tied_misses;

		CHECK_FOR_INTERRUPTS();
		end = group_end(rows, state->count, start);
		for (int64 i = start; i < end; i++)
			tied_hits += state->values[rows[i].row * state->width + RANKING_HIT] > 0;
		tied_misses = end - start - tied_hits;
		for (int64 i = start; i < end; i++)
		{
			bool		hit = state->values[rows[i].row * state->width + RANKING_HIT] > 0;

			right[rows[i].row] = hit ? 2 * (start - hits_below) + tied_misses :
				2 * (hits - hits_below - tied_hits) + tied_hits;
		}
		hits_below += tied_hits;
	}
	pfree(rows);
	return right;
}

/* Sums over the hits, or over the misses, of what is ranked right by each score. */
typedef struct RankedSums
{
	int64		count;
	int128		sums[2];
	int128		products[2][2];
} RankedSums;

/*
 * The part of a covariance that comes from one kind of rows: that of their
 * shares ranked right, divided by their number.  others is the number of rows
 * of the other kind, at least one.
 */
static double
covariance_part(const RankedSums *sums, int64 others, int one, int other)
{
	double		n = sums->count;

	return (double) (sums->count * sums->products[one][other] - sums->sums[one] * sums->sums[other]) /
		(n * (n - 1)) / (4.0 * others * others) / n;
}

static double
within(double value, double least, double most)
{
	return Min(Max(value, least), most);
}

/*
 * ranking_final(state): areas under the ROC curve of both scores and their
 * difference, each with its 95 % interval
 *
 * The variances and the covariance are those of DeLong, DeLong and
 * Clarke-Pearson, "Comparing the areas under two or more correlated receiver
 * operating characteristic curves", Biometrics 44, 1988; the sums are exact
 * integers.  Areas are NULL without hits or without misses, intervals with fewer
 * than two of either.
 */
PG_FUNCTION_INFO_V1(segment_ranking_final);
Datum
segment_ranking_final(PG_FUNCTION_ARGS)
{
	RankingState *state = (RankingState *) aggregate_state(fcinfo);
	RankedSums	kinds[2] = {0}; /* misses, hits */
	int64	   *right[2];
	Datum		values[11];
	bool		nulls[11] = {false};
	double		areas[2] = {0, 0};
	double		pairs;

	if (state == NULL)
		PG_RETURN_NULL();
	for (int64 i = 0; i < state->count; i++)
		kinds[state->values[i * state->width + RANKING_HIT] > 0].count++;
	for (int score = 0; score < 2; score++)
		right[score] = ranked_right(state, score, kinds[1].count);
	for (int64 i = 0; i < state->count; i++)
	{
		RankedSums *kind = &kinds[state->values[i * state->width + RANKING_HIT] > 0];

		for (int one = 0; one < 2; one++)
		{
			kind->sums[one] += right[one][i];
			for (int other = 0; other <= one; other++)
				kind->products[one][other] += (int128) right[one][i] * right[other][i];
		}
	}
	pfree(right[0]);
	pfree(right[1]);

	values[0] = Int64GetDatum(state->count);
	values[1] = Int64GetDatum(kinds[1].count);
	pairs = (double) kinds[0].count * kinds[1].count;
	memset(nulls + 2, pairs == 0, 9);
	for (int score = 0; score < 2 && pairs > 0; score++)
	{
		areas[score] = (double) kinds[1].sums[score] / 2 / pairs;
		values[2 + 3 * score] = Float8GetDatum(areas[score]);
	}
	if (pairs > 0)
		values[8] = Float8GetDatum(areas[0] - areas[1]);
	if (kinds[0].count < 2 || kinds[1].count < 2)
		nulls[3] = nulls[4] = nulls[6] = nulls[7] = nulls[9] = nulls[10] = true;
	else
	{
		double		covariances[2][2];
		double		reach;

		for (int one = 0; one < 2; one++)
			for (int other = 0; other <= one; other++)
				covariances[one][other] = covariance_part(&kinds[1], kinds[0].count, one, other) +
					covariance_part(&kinds[0], kinds[1].count, one, other);
		for (int score = 0; score < 2; score++)
		{
			reach = RANKING_Z * sqrt(covariances[score][score]);
			values[3 + 3 * score] = Float8GetDatum(within(areas[score] - reach, 0, 1));
			values[4 + 3 * score] = Float8GetDatum(within(areas[score] + reach, 0, 1));
		}
		reach = RANKING_Z * sqrt(Max(covariances[0][0] + covariances[1][1] - 2 * covariances[1][0], 0));
		values[9] = Float8GetDatum(within(areas[0] - areas[1] - reach, -1, 1));
		values[10] = Float8GetDatum(within(areas[0] - areas[1] + reach, -1, 1));
	}
	PG_RETURN_DATUM(row_form(result_row(fcinfo, lengthof(values)), values, nulls));
}

/* ---------- tenths ---------- */

/* tenths_accum(state, score, amounts): one more row; one with a NULL is skipped */
PG_FUNCTION_INFO_V1(segment_tenths_accum);
Datum
segment_tenths_accum(PG_FUNCTION_ARGS)
{
	RankingState *state = (RankingState *) aggregate_state(fcinfo);
	ArrayType  *amounts;
	double		score;
	double	   *values;
	int			n;

	if (aggregate_skips_row(fcinfo))
		return aggregate_unchanged(fcinfo);
	score = PG_GETARG_FLOAT8(1);
	amounts = PG_GETARG_ARRAYTYPE_P(2);
	n = ArrayGetNItems(ARR_NDIM(amounts), ARR_DIMS(amounts));
	arguments_check_number("score", score);
	if (array_contains_nulls(amounts))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not contain nulls", "amounts")));
	if (n > RANKING_MAX_AMOUNTS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must have at most %d elements, not %d",
						"amounts", RANKING_MAX_AMOUNTS, n)));
	ranking_check_width(state, n + 1);
	if (state == NULL)
		state = ranking_state_create(aggregate_context(fcinfo), n + 1, 0);
	values = ranking_state_add(state);
	values[0] = score;
	for (int i = 0; i < n; i++)
	{
		values[i + 1] = ((double *) ARR_DATA_PTR(amounts))[i];
		arguments_check_number("amounts", values[i + 1]);
	}
	PG_RETURN_POINTER(state);
}

static inline int
compare_numbers(const double *a, const double *b)
{
	return (*a > *b) - (*a < *b);
}

#define ST_SORT sort_numbers
#define ST_ELEMENT_TYPE double
#define ST_COMPARE(a, b) compare_numbers(a, b)
#define ST_SCOPE static
#define ST_CHECK_FOR_INTERRUPTS
#define ST_DEFINE
#include "lib/sort_template.h"

/* The mean of one value over a group of rows, the same for any order of them. */
static double
group_mean(const RankingState *state, const ScoredRow *rows, int64 start, int64 end, int value,
		   double *scratch)
{
	double		sum = 0.0;

	if (end - start == 1)
		return state->values[rows[start].row * state->width + value];
	for (int64 i = start; i < end; i++)
		scratch[i - start] = state->values[rows[i].row * state->width + value];
	sort_numbers(scratch, end - start);
	for (int64 i = 0; i < end - start; i++)
		sum += scratch[i];
	return sum / (end - start);
}

/*
 * tenths_final(state): for each tenth of the rows by descending score, the number
 * of rows and the sums of the amounts
 *
 * As with ntile, the first tenths have one row more where the number of rows is
 * not a multiple of ten; fewer than ten rows make as many tenths.  Of rows with
 * equal scores that span tenths, each tenth gets its share of the sum: what is
 * to be expected if they were put in order at random.
 */
PG_FUNCTION_INFO_V1(segment_tenths_final);
Datum
segment_tenths_final(PG_FUNCTION_ARGS)
{
	RankingState *state = (RankingState *) aggregate_state(fcinfo);
	int			dims[2];
	int			lower[2] = {1, 1};
	ScoredRow  *rows;
	Datum	   *sums;
	double	   *scratch;
	int64		end;
	int64		done = 0;		/* rows given to tenths */
	int			tenth = 0;
	int			tenths;
	int64		room;			/* rows that the tenth still takes */

	if (state == NULL)
		PG_RETURN_NULL();
	tenths = (int) Min(state->count, 10);
	dims[0] = tenths;
	dims[1] = state->width;
	sums = palloc0(tenths * state->width * sizeof(Datum));
	for (int i = 0; i < tenths * state->width; i++)
		sums[i] = Float8GetDatum(0.0);
	rows = rows_by(state, 0);
	scratch = palloc_extended(state->count * sizeof(double), MCXT_ALLOC_HUGE);
	/* from the highest score down */
	for (int64 i = 0; i < state->count / 2; i++)
	{
		ScoredRow	row = rows[i];

		rows[i] = rows[state->count - 1 - i];
		rows[state->count - 1 - i] = row;
	}
	room = state->count / 10 + (state->count % 10 > 0);
	for (int64 start = 0; start < state->count; start = end)
	{
		double		means[RANKING_MAX_AMOUNTS + 1];

		CHECK_FOR_INTERRUPTS();
		end = group_end(rows, state->count, start);
		for (int value = 1; value < state->width; value++)
			means[value] = group_mean(state, rows, start, end, value, scratch);
		means[0] = 1.0;
		while (done < end)
		{
			int64		part = Min(room, end - done);

			for (int value = 0; value < state->width; value++)
			{
				Datum	   *sum = &sums[tenth * state->width + value];

				*sum = Float8GetDatum(DatumGetFloat8(*sum) + part * means[value]);
			}
			done += part;
			room -= part;
			if (room == 0)
			{
				tenth++;
				room = state->count / 10 + (tenth < state->count % 10);
			}
		}
	}
	PG_RETURN_ARRAYTYPE_P(construct_md_array(sums, NULL, 2, dims, lower, FLOAT8OID,
											 sizeof(float8), true, TYPALIGN_DOUBLE));
}

/* ---------- the cheapest threshold ---------- */

/* cheapest_threshold_accum(state, score, hit, false_alarm_cost, miss_cost) */
PG_FUNCTION_INFO_V1(segment_cheapest_threshold_accum);
Datum
segment_cheapest_threshold_accum(PG_FUNCTION_ARGS)
{
	RankingState *state = (RankingState *) aggregate_state(fcinfo);
	double		score;
	double	   *values;

	if (aggregate_skips_row(fcinfo))
		return aggregate_unchanged(fcinfo);
	score = PG_GETARG_FLOAT8(1);
	arguments_check_number("score", score);
	arguments_check_number("false_alarm_cost", PG_GETARG_FLOAT8(3));
	arguments_check_number("miss_cost", PG_GETARG_FLOAT8(4));
	if (state == NULL)
	{
		state = ranking_state_create(aggregate_context(fcinfo), 2, 0);
		state->costs[0] = PG_GETARG_FLOAT8(3);
		state->costs[1] = PG_GETARG_FLOAT8(4);
	}
	arguments_check_same(state->costs[0] == PG_GETARG_FLOAT8(3), "false_alarm_cost");
	arguments_check_same(state->costs[1] == PG_GETARG_FLOAT8(4), "miss_cost");
	values = ranking_state_add(state);
	/* the highest first */
	values[0] = -score;
	values[1] = PG_GETARG_BOOL(2);
	PG_RETURN_POINTER(state);
}

/*
 * cheapest_threshold_final(state): the score from which on everybody is
 * predicted at the least cost of false alarms and misses; of several, the highest
 */
PG_FUNCTION_INFO_V1(segment_cheapest_threshold_final);
Datum
segment_cheapest_threshold_final(PG_FUNCTION_ARGS)
{
	RankingState *state = (RankingState *) aggregate_state(fcinfo);
	ScoredRow  *rows;
	double		least = INFINITY;
	double		threshold = 0.0;
	int64		hits = 0;		/* predicted at the threshold that is tried */
	int64		end;

	if (state == NULL)
		PG_RETURN_NULL();
	rows = rows_by(state, 0);
	for (int64 start = 0; start < state->count; start = end)
	{
		double		cost;

		CHECK_FOR_INTERRUPTS();
		end = group_end(rows, state->count, start);
		for (int64 i = start; i < end; i++)
			hits += state->values[rows[i].row * state->width + 1] > 0;
		cost = state->costs[0] * (end - hits) - state->costs[1] * hits;
		if (cost < least)
		{
			least = cost;
			threshold = 0 - rows[start].score;
		}
	}
	PG_RETURN_FLOAT8(threshold);
}
