/*-------------------------------------------------------------------------
 *
 * clusters.c
 *		Clusters as a value: which of them something belongs to.
 *
 * Features are compared in units of their standard deviation.  One that did not
 * vary where the clusters were found has none, and is left out.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/typcache.h"

#include "base/result_row.h"
#include "statistics/clusters.h"
#include "statistics/kmeans.h"

/*
 * Nothing is farther away, in standard deviations: of the rows that they were
 * computed from none can be (of n rows, at most the square root of n), and of
 * others the direction still tells which center is nearest.
 */
#define FAR_AWAY	1e6

/*
 * clusters_standard: the distance of a value from a mean in units of the standard
 * deviation; 0 where that is 0
 */
double
clusters_standard(double value, double mean, double deviation)
{
	double		standard;

	if (deviation == 0)
		return 0;
	/* halves, whose difference is in range */
	standard = (value / 2 - mean / 2) / deviation * 2;
	return Min(Max(standard, -FAR_AWAY), FAR_AWAY);
}

/*
 * clusters_prepare: the centers in units of the deviations, from centers and
 * deviations; seen from the first center, so that a point near the centers is exact
 */
void
clusters_prepare(ClustersParts *parts)
{
	parts->standard = (double *) palloc((size_t) parts->clusters * parts->features * sizeof(double));
	parts->point = (double *) palloc(parts->features * sizeof(double));
	for (int c = 0; c < parts->clusters; c++)
		for (int j = 0; j < parts->features; j++)
			parts->standard[(size_t) c * parts->features + j] =
				clusters_standard(parts->center[(size_t) c * parts->features + j], parts->center[j], parts->deviation[j]);
}

/* Finite features as a point in standard units, seen from the first center */
static void
place_point(ClustersParts *parts, const double *features)
{
	for (int j = 0; j < parts->features; j++)
		parts->point[j] = clusters_standard(features[j], parts->center[j], parts->deviation[j]);
}

/*
 * clusters_nearest: the cluster that finite features belong to, from 0, the first
 * of several; and the squared distance from its center
 */
int
clusters_nearest(ClustersParts *parts, const double *features, double *distance)
{
	place_point(parts, features);
	return kmeans_nearest(parts->point, parts->standard, parts->clusters, parts->features, distance);
}

pg_noreturn static void
invalid_clusters(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid clusters"),
			 errhint("Clusters are made by segment.kmeans_fit.")));
}

/* The finite numbers of an array of so many dimensions */
static double *
numbers_of(Datum value, bool isnull, int dimensions, int *count, int *length)
{
	ArrayType  *array;
	double	   *numbers;

	if (isnull)
		invalid_clusters();
	array = DatumGetArrayTypePCopy(value);
	if (ARR_NDIM(array) != dimensions || ARR_HASNULL(array))
		invalid_clusters();
	*count = ARR_DIMS(array)[0];
	*length = ARR_DIMS(array)[dimensions - 1];
	numbers = (double *) ARR_DATA_PTR(array);
	for (int i = 0; i < ArrayGetNItems(dimensions, ARR_DIMS(array)); i++)
		if (!isfinite(numbers[i]))
			invalid_clusters();
	return numbers;
}

static ClustersParts *
clusters_take_apart(Datum clusters)
{
	ClustersParts *parts = (ClustersParts *) palloc(sizeof(ClustersParts));
	TupleDesc	tupdesc = row_type_lookup(HeapTupleHeaderGetTypeId(DatumGetHeapTupleHeader(clusters)),
										  CLUSTERS_COLUMNS);
	Datum		values[CLUSTERS_COLUMNS];
	bool		nulls[CLUSTERS_COLUMNS];
	int			deviations;
	int			length;

	row_deform(clusters, tupdesc, values, nulls);
	parts->center = numbers_of(values[CLUSTERS_CENTER], nulls[CLUSTERS_CENTER], 2, &parts->clusters, &parts->features);
	parts->deviation = numbers_of(values[CLUSTERS_DEVIATION], nulls[CLUSTERS_DEVIATION], 1, &deviations, &length);
	if (deviations != parts->features)
		invalid_clusters();
	for (int j = 0; j < parts->features; j++)
		if (parts->deviation[j] < 0)
			invalid_clusters();
	clusters_prepare(parts);
	return parts;
}

/* The parts of the first argument: once per query where it is the same in all rows. */
static ClustersParts *
clusters_argument(FunctionCallInfo fcinfo)
{
	ClustersParts *parts = (ClustersParts *) fcinfo->flinfo->fn_extra;
	MemoryContext old;

	if (parts != NULL)
		return parts;
	if (!get_fn_expr_arg_stable(fcinfo->flinfo, 0))
		return clusters_take_apart(PG_GETARG_DATUM(0));
	old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
	parts = clusters_take_apart(PG_GETARG_DATUM(0));
	MemoryContextSwitchTo(old);
	fcinfo->flinfo->fn_extra = parts;
	return parts;
}

/*
 * The features, of which the clusters must have as many; NULL where one of them is
 * not known or not a finite number.
 */
static const double *
known_features(const ClustersParts *parts, ArrayType *features)
{
	const double *values = (const double *) ARR_DATA_PTR(features);

	if (ARR_NDIM(features) != 1 || ARR_DIMS(features)[0] != parts->features)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("features must be an array of %d numbers", parts->features),
				 errdetail("The clusters were found with so many.")));
	if (array_contains_nulls(features))
		return NULL;
	for (int j = 0; j < parts->features; j++)
		if (!isfinite(values[j]))
			return NULL;
	return values;
}

/*
 * cluster(clusters, features): the number of the nearest center, from 1
 *
 * NULL where a feature is NULL or not a finite number.  Error 22023 for another
 * number of features than the clusters have.
 */
PG_FUNCTION_INFO_V1(segment_cluster);
Datum
segment_cluster(PG_FUNCTION_ARGS)
{
	ClustersParts *parts = clusters_argument(fcinfo);
	const double *features = known_features(parts, PG_GETARG_ARRAYTYPE_P(1));
	double		distance;

	if (features == NULL)
		PG_RETURN_NULL();
	PG_RETURN_INT32(clusters_nearest(parts, features, &distance) + 1);
}

/*
 * cluster_silhouette(clusters, features): 1 - distance from the nearest center /
 * distance from the next
 *
 * NULL as for cluster, and where there is one cluster only; 0 at an equal distance,
 * also of 0.
 */
PG_FUNCTION_INFO_V1(segment_cluster_silhouette);
Datum
segment_cluster_silhouette(PG_FUNCTION_ARGS)
{
	ClustersParts *parts = clusters_argument(fcinfo);
	double		least = INFINITY;
	double		next = INFINITY;
	const double *features;

	if (parts->clusters == 1)
		PG_RETURN_NULL();
	features = known_features(parts, PG_GETARG_ARRAYTYPE_P(1));
	if (features == NULL)
		PG_RETURN_NULL();
	place_point(parts, features);
	for (int c = 0; c < parts->clusters; c++)
	{
		double		distance;

		(void) kmeans_nearest(parts->point, parts->standard + (size_t) c * parts->features, 1, parts->features, &distance);
		if (distance < least)
		{
			next = least;
			least = distance;
		}
		else if (distance < next)
			next = distance;
	}
	PG_RETURN_FLOAT8(next > 0 ? 1 - sqrt(least / next) : 0);
}
