/*-------------------------------------------------------------------------
 *
 * kmeans_fit.c
 *		Clusters of rows by k-means, as an aggregate.
 *
 * Rows are appended to an array; when it is full it is sorted, equal rows become
 * one with their number, and only if it is then still more than half full it grows.
 * So memory is bounded by the number of different rows.  All sums are taken
 * over the sorted rows, so that the result has the same bits whatever the order of
 * the rows, the plan and the number of workers.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "storage/shmem.h"
#include "utils/array.h"
#include "utils/memutils.h"

#include "base/aggregate.h"
#include "base/arguments.h"
#include "base/double_double.h"
#include "base/result_row.h"
#include "statistics/clusters.h"
#include "statistics/kmeans.h"

/* First allocation; small, as there may be many groups. */
#define MIN_CAPACITY	16

/*
 * The rows seen: of each the features (finite, zero never negative) and, as one
 * double more, how many such there are.
 */
typedef struct FeatureRows
{
	int32		clusters;
	int64		seed;
	int			features;
	int64		count;
	int64		capacity;
	double	   *rows;
} FeatureRows;

static inline size_t
row_doubles(const FeatureRows *state)
{
	return (size_t) state->features + 1;
}

static inline double *
row_at(const FeatureRows *state, int64 i)
{
	return state->rows + i * row_doubles(state);
}

static inline int
row_compare(const double *a, const double *b, int features)
{
	for (int j = 0; j < features; j++)
		if (a[j] != b[j])
			return a[j] < b[j] ? -1 : 1;
	return 0;
}

#define ST_SORT sort_rows
#define ST_ELEMENT_TYPE_VOID
#define ST_COMPARE(a, b, features) row_compare((const double *) (a), (const double *) (b), *(features))
#define ST_COMPARE_ARG_TYPE const int
#define ST_SCOPE static
#define ST_CHECK_FOR_INTERRUPTS
#define ST_DEFINE
#include "lib/sort_template.h"

static void *
alloc_array(MemoryContext context, int64 count, size_t size)
{
	return MemoryContextAllocHuge(context, mul_size(count, size));
}

static FeatureRows *
state_create(MemoryContext context, int32 clusters, int64 seed, int features, int64 capacity)
{
	FeatureRows *state = (FeatureRows *) MemoryContextAlloc(context, sizeof(FeatureRows));

	state->clusters = clusters;
	state->seed = seed;
	state->features = features;
	state->count = 0;
	state->capacity = Max(capacity, MIN_CAPACITY);
	state->rows = (double *) alloc_array(context, state->capacity, row_doubles(state) * sizeof(double));
	return state;
}

/* Sort, and make equal rows one. */
static void
state_sort(FeatureRows *state)
{
	int64		distinct = 0;

	sort_rows(state->rows, state->count, row_doubles(state) * sizeof(double), &state->features);
	for (int64 i = 0; i < state->count; i++)
	{
		double	   *row = row_at(state, i);

		CHECK_FOR_INTERRUPTS();
		if (distinct > 0 && row_compare(row_at(state, distinct - 1), row, state->features) == 0)
			row_at(state, distinct - 1)[state->features] += row[state->features];
		else
			memmove(row_at(state, distinct++), row, row_doubles(state) * sizeof(double));
	}
	state->count = distinct;
}

/* Room for one more row: its place */
static double *
state_append(FeatureRows *state)
{
	if (state->count == state->capacity)
	{
		state_sort(state);
		if (state->count > state->capacity / 2)
		{
			state->capacity *= 2;
			state->rows = (double *) repalloc_huge(state->rows,
												   mul_size(state->capacity, row_doubles(state) * sizeof(double)));
		}
	}
	return row_at(state, state->count++);
}

/* ---------- collecting the rows ---------- */

static void
check_parameters(int32 clusters, int features)
{
	if (clusters < 1 || clusters > CLUSTERS_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("number of clusters must be from 1 to %d, not %d", CLUSTERS_MAX, clusters)));
	if (features < 1 || features > CLUSTERS_MAX_FEATURES)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("number of features must be from 1 to %d, not %d", CLUSTERS_MAX_FEATURES, features)));
}

static void
check_same_parameters(const FeatureRows *state, int32 clusters, int64 seed, int features)
{
	arguments_check_same(state->clusters == clusters, "k");
	arguments_check_same(state->seed == seed, "seed");
	if (unlikely(state->features != features))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("number of features must be the same for all rows"),
				 errdetail("Both %d and %d were given.", Min(state->features, features),
						   Max(state->features, features))));
}

/*
 * kmeans_fit_accum(state, features, k, seed): one more row
 *
 * A row with a NULL, also among the features, or with a feature that is not a
 * finite number is skipped.  Errors: 22023 for a k below 1 or above 1000, for no
 * features or more than 1600, and where k, seed or the number of features differ from
 * those of another row; 2202E for an array of several dimensions.
 */
PG_FUNCTION_INFO_V1(segment_kmeans_fit_accum);
Datum
segment_kmeans_fit_accum(PG_FUNCTION_ARGS)
{
	FeatureRows *state = (FeatureRows *) aggregate_state(fcinfo);
	ArrayType  *features;
	const double *values;
	int			count;
	double	   *row;

	if (aggregate_skips_row(fcinfo))
		return aggregate_unchanged(fcinfo);
	features = PG_GETARG_ARRAYTYPE_P(1);
	if (ARR_NDIM(features) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("features must be an array of one dimension")));
	count = ArrayGetNItems(ARR_NDIM(features), ARR_DIMS(features));
	check_parameters(PG_GETARG_INT32(2), count);
	if (state != NULL)
		check_same_parameters(state, PG_GETARG_INT32(2), PG_GETARG_INT64(3), count);
	if (array_contains_nulls(features))
		return aggregate_unchanged(fcinfo);
	values = (const double *) ARR_DATA_PTR(features);
	for (int j = 0; j < count; j++)
		if (!isfinite(values[j]))
			return aggregate_unchanged(fcinfo);
	if (state == NULL)
		state = state_create(aggregate_context(fcinfo), PG_GETARG_INT32(2), PG_GETARG_INT64(3), count, 0);
	row = state_append(state);
	/* adding 0 turns -0 into 0 */
	for (int j = 0; j < count; j++)
		row[j] = values[j] + 0.0;
	row[count] = 1;
	PG_RETURN_POINTER(state);
}

static void *
kmeans_fit_create_like(MemoryContext context, const void *other)
{
	const FeatureRows *state = (const FeatureRows *) other;

	return state_create(context, state->clusters, state->seed, state->features, state->count);
}

static void
kmeans_fit_merge(void *into, const void *from)
{
	FeatureRows *state = (FeatureRows *) into;
	const FeatureRows *other = (const FeatureRows *) from;

	check_same_parameters(state, other->clusters, other->seed, other->features);
	for (int64 i = 0; i < other->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		memcpy(state_append(state), row_at(other, i), row_doubles(state) * sizeof(double));
	}
}

/* Number of clusters, seed, number of features, of rows, rows. */
static void
kmeans_fit_send(StringInfo buf, void *state)
{
	FeatureRows *rows = (FeatureRows *) state;

	state_sort(rows);
	pq_sendint32(buf, rows->clusters);
	pq_sendint64(buf, rows->seed);
	pq_sendint32(buf, rows->features);
	pq_sendint64(buf, rows->count);
	aggregate_reserve(buf, rows->count, row_doubles(rows) * sizeof(double));
	for (int64 i = 0; i < rows->count * (int64) row_doubles(rows); i++)
	{
		CHECK_FOR_INTERRUPTS();
		pq_sendfloat8(buf, rows->rows[i]);
	}
}

static void *
kmeans_fit_receive(StringInfo buf, const AggregateKind *kind)
{
	int32		clusters = pq_getmsgint(buf, 4);
	int64		seed = pq_getmsgint64(buf);
	int32		features = pq_getmsgint(buf, 4);
	int64		count = pq_getmsgint64(buf);
	FeatureRows *state;

	if (clusters < 1 || clusters > CLUSTERS_MAX || features < 1 || features > CLUSTERS_MAX_FEATURES ||
		count < 1 || count != (buf->len - buf->cursor) / (int64) ((features + 1) * sizeof(double)))
		aggregate_invalid_state(kind);
	state = state_create(CurrentMemoryContext, clusters, seed, features, count);
	state->count = count;
	for (int64 i = 0; i < count * (int64) row_doubles(state); i++)
	{
		CHECK_FOR_INTERRUPTS();
		state->rows[i] = pq_getmsgfloat8(buf);
		if (!isfinite(state->rows[i]))
			aggregate_invalid_state(kind);
	}
	return state;
}

static const AggregateKind kmeans_fit_kind = {
	.name = "kmeans_fit",
	.version = 1,
	.create_like = kmeans_fit_create_like,
	.merge = kmeans_fit_merge,
	.send = kmeans_fit_send,
	.receive = kmeans_fit_receive,
};

PG_FUNCTION_INFO_V1(segment_kmeans_fit_combine);
Datum
segment_kmeans_fit_combine(PG_FUNCTION_ARGS)
{
	return aggregate_combine(fcinfo, &kmeans_fit_kind);
}

PG_FUNCTION_INFO_V1(segment_kmeans_fit_serialize);
Datum
segment_kmeans_fit_serialize(PG_FUNCTION_ARGS)
{
	return aggregate_serialize(fcinfo, &kmeans_fit_kind);
}

PG_FUNCTION_INFO_V1(segment_kmeans_fit_deserialize);
Datum
segment_kmeans_fit_deserialize(PG_FUNCTION_ARGS)
{
	return aggregate_deserialize(fcinfo, &kmeans_fit_kind);
}

/* ---------- standardizing ---------- */

/*
 * Mean and standard deviation (0: all are equal) of one feature, of all rows and
 * not as an estimate for others.  In twice the usual precision, of values scaled by a power of two, so
 * that squares are in range.
 */
static void
feature_scale(const FeatureRows *state, int feature, double total_weight, double *feature_mean, double *deviation)
{
	DoubleDouble sum = {0, 0};
	DoubleDouble squares = {0, 0};
	double		largest = 0;
	double		mean;
	int			exponent;
	bool		varies = false;

	for (int64 i = 0; i < state->count; i++)
	{
		largest = Max(largest, fabs(row_at(state, i)[feature]));
		varies |= row_at(state, i)[feature] != row_at(state, 0)[feature];
	}
	*feature_mean = row_at(state, 0)[feature];
	*deviation = 0;
	if (!varies)
		return;
	(void) frexp(largest, &exponent);
	for (int64 i = 0; i < state->count; i++)
	{
		const double *row = row_at(state, i);

		CHECK_FOR_INTERRUPTS();
		sum = dd_add(sum, dd_two_product(ldexp(row[feature], -exponent), row[state->features]));
	}
	mean = dd_divide_double(sum, total_weight).high;
	for (int64 i = 0; i < state->count; i++)
	{
		const double *row = row_at(state, i);
		DoubleDouble distance = dd_two_sum(ldexp(row[feature], -exponent), -mean);

		CHECK_FOR_INTERRUPTS();
		squares = dd_add(squares, dd_multiply_double(dd_multiply(distance, distance), row[state->features]));
	}
	*feature_mean = ldexp(mean, exponent);
	*deviation = ldexp(sqrt(dd_divide_double(squares, total_weight).high), exponent);
}

/* The rows as points in standard units */
static KmeansPoints
standard_points(const FeatureRows *state, const double *means, const double *deviations)
{
	KmeansPoints points;

	points.count = state->count;
	points.dimensions = state->features;
	points.values = (double *) alloc_array(CurrentMemoryContext, state->count * state->features, sizeof(double));
	points.weights = (double *) alloc_array(CurrentMemoryContext, state->count, sizeof(double));
	for (int64 i = 0; i < state->count; i++)
	{
		const double *row = row_at(state, i);

		CHECK_FOR_INTERRUPTS();
		for (int j = 0; j < state->features; j++)
			points.values[i * state->features + j] = clusters_standard(row[j], means[j], deviations[j]);
		points.weights[i] = row[state->features];
	}
	return points;
}

/* ---------- the result ---------- */

/* A cluster that was found */
typedef struct Found
{
	double	   *center;			/* in the features' own units */
	int			features;
	int64		size;
} Found;

static int
compare_found(const void *a, const void *b)
{
	const Found *x = (const Found *) a;
	const Found *y = (const Found *) b;

	return row_compare(x->center, y->center, x->features);
}

/* Leave out the clusters without rows: how many there are then */
static int
drop_empty(Found *found, int clusters)
{
	int			filled = 0;

	for (int c = 0; c < clusters; c++)
		if (found[c].size > 0)
			found[filled++] = found[c];
	return filled;
}

/* The means of the rows that are nearest to each of some points, ordered by the first feature */
static Found *
find_means(const FeatureRows *state, const KmeansPoints *points, const double *nearest_to, int *clusters)
{
	Found	   *found = (Found *) palloc0(*clusters * sizeof(Found));

	for (int c = 0; c < *clusters; c++)
	{
		found[c].features = state->features;
		found[c].center = (double *) palloc0(state->features * sizeof(double));
	}
	for (int64 i = 0; i < state->count; i++)
	{
		double		distance;
		Found	   *own = &found[kmeans_nearest(kmeans_point(points, i), nearest_to, *clusters, state->features, &distance)];

		CHECK_FOR_INTERRUPTS();
		own->size += (int64) points->weights[i];
		/* a mean that is moved on stays within the values */
		for (int j = 0; j < state->features; j++)
			own->center[j] += (row_at(state, i)[j] / 2 - own->center[j]) * (points->weights[i] / own->size);
	}
	*clusters = drop_empty(found, *clusters);
	for (int c = 0; c < *clusters; c++)
		for (int j = 0; j < state->features; j++)
			found[c].center[j] *= 2;
	qsort(found, *clusters, sizeof(Found), compare_found);
	return found;
}

/*
 * How many rows belong to each cluster, as cluster() tells it; and the sum of
 * squares within them, in standard units
 */
static double
count_members(const FeatureRows *state, const double *deviations, Found *found, int clusters)
{
	double	   *centers = (double *) palloc((size_t) clusters * state->features * sizeof(double));
	ClustersParts parts = {.clusters = clusters,.features = state->features,.center = centers,.deviation = deviations};
	double		within = 0;

	for (int c = 0; c < clusters; c++)
	{
		memcpy(centers + (size_t) c * state->features, found[c].center, state->features * sizeof(double));
		found[c].size = 0;
	}
	clusters_prepare(&parts);
	for (int64 i = 0; i < state->count; i++)
	{
		const double *row = row_at(state, i);
		double		weight = row[state->features];
		double		distance;

		CHECK_FOR_INTERRUPTS();
		found[clusters_nearest(&parts, row, &distance)].size += (int64) weight;
		within += weight * distance;
	}
	return within;
}

/*
 * The clusters by the means of their first features, none of them empty; and the
 * sum of squares within them.  Where the search ended before it came to rest, a row
 * between two of them may be nearer to another mean than to that of its own.
 */
static Found *
find_clusters(const FeatureRows *state, const KmeansPoints *points, const double *nearest_to,
			  const double *deviations, int *clusters, double *within)
{
	Found	   *found = find_means(state, points, nearest_to, clusters);
	int			counted;

	do
	{
		counted = *clusters;
		*within = count_members(state, deviations, found, counted);
		*clusters = drop_empty(found, counted);
	} while (*clusters < counted);
	return found;
}

/* An array of numbers of so many rows; of one dimension if 0 is given for them */
static Datum
numbers_array(const double *numbers, int rows, int columns)
{
	int			count = Max(rows, 1) * columns;
	Datum	   *elements = (Datum *) palloc(mul_size(count, sizeof(Datum)));
	int			dims[2] = {rows, columns};
	int			bounds[2] = {1, 1};
	int			is_list = rows == 0 ? 1 : 0;

	for (int i = 0; i < count; i++)
		elements[i] = Float8GetDatum(numbers[i]);
	return PointerGetDatum(construct_md_array(elements, NULL, 2 - is_list, dims + is_list, bounds + is_list,
											  FLOAT8OID, sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

/* The clusters as a row of segment.clusters */
static Datum
clusters_row(FunctionCallInfo fcinfo, const FeatureRows *state, const double *means, const double *deviations,
			 const Found *found, int clusters, double within)
{
	Datum		values[CLUSTERS_COLUMNS];
	bool		nulls[CLUSTERS_COLUMNS] = {false};
	double	   *centers = (double *) palloc((size_t) clusters * state->features * sizeof(double));
	Datum	   *sizes = (Datum *) palloc(clusters * sizeof(Datum));
	int64		rows = 0;
	int			varying = 0;

	for (int j = 0; j < state->features; j++)
		varying += deviations[j] > 0;
	for (int c = 0; c < clusters; c++)
	{
		rows += found[c].size;
		sizes[c] = Int64GetDatum(found[c].size);
		for (int j = 0; j < state->features; j++)
			centers[(size_t) c * state->features + j] = found[c].center[j] + 0.0;
	}
	values[CLUSTERS_ROWS] = Int64GetDatum(rows);
	values[CLUSTERS_MEAN] = numbers_array(means, 0, state->features);
	values[CLUSTERS_DEVIATION] = numbers_array(deviations, 0, state->features);
	values[CLUSTERS_CENTER] = numbers_array(centers, clusters, state->features);
	values[CLUSTERS_SIZE] = PointerGetDatum(construct_array(sizes, clusters, INT8OID, sizeof(int64), FLOAT8PASSBYVAL,
															TYPALIGN_DOUBLE));
	values[CLUSTERS_WITHIN] = Float8GetDatum(within);
	/* in standard units each feature that varies has the variance 1 */
	values[CLUSTERS_TOTAL] = Float8GetDatum((double) rows * varying);
	return row_form(result_row(fcinfo, CLUSTERS_COLUMNS), values, nulls);
}

/*
 * kmeans_fit_final: the clusters; NULL without rows
 *
 * Puts the rows of the state in order, which changes nothing of what they are.
 */
PG_FUNCTION_INFO_V1(segment_kmeans_fit_final);
Datum
segment_kmeans_fit_final(PG_FUNCTION_ARGS)
{
	FeatureRows *state = (FeatureRows *) aggregate_state(fcinfo);
	double	   *means;
	double	   *deviations;
	KmeansPoints points;
	double	   *centers;
	double		weight = 0;
	double		within;
	int			clusters;
	Found	   *found;

	if (state == NULL)
		PG_RETURN_NULL();
	state_sort(state);
	for (int64 i = 0; i < state->count; i++)
		weight += row_at(state, i)[state->features];
	means = (double *) palloc(state->features * sizeof(double));
	deviations = (double *) palloc(state->features * sizeof(double));
	for (int j = 0; j < state->features; j++)
		feature_scale(state, j, weight, &means[j], &deviations[j]);
	points = standard_points(state, means, deviations);
	clusters = (int) Min(state->clusters, state->count);
	centers = kmeans_centers(&points, clusters, state->seed);
	found = find_clusters(state, &points, centers, deviations, &clusters, &within);
	return clusters_row(fcinfo, state, means, deviations, found, clusters, within);
}
