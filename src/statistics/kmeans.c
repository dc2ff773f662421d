/*-------------------------------------------------------------------------
 *
 * kmeans.c
 *		k-means over weighted points.
 *
 * The centers are looked for from several starts, and those with the least sum
 * of squared distances win.  A start takes its centers from the points by
 * k-means++ (D. Arthur and S. Vassilvitskii, "k-means++: the advantages of careful
 * seeding", SODA 2007; every other one the best of a few candidates for each center, which
 * begins better, but less differently), moves them by
 * Lloyd's method (S. P. Lloyd, IEEE Transactions on Information Theory 28, 1982), and
 * then moves single points from one cluster to another as long as that makes the sum
 * less (J. A. Hartigan, "Clustering Algorithms", 1975), which gets out of many of
 * Lloyd's resting places.
 *
 * Where there are many points the starts are made on a sample of them, and Lloyd's
 * method goes on from the best over all of them.  The sample is a coreset: points that
 * matter much for the sum of squares, and those of small groups, are taken more often, and
 * weigh less (D. Feldman and M. Langberg, "A unified framework for approximating and
 * clustering data", STOC 2011; O. Bachem, M. Lucic and A. Krause, "Practical coreset
 * constructions for machine learning", 2017).  So a small cluster far from the others
 * is not missed, as it would be by a sample that takes all points alike.
 *
 * The result depends on the points in their order, and on the seed, and on nothing
 * else.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include <math.h>

#include "common/pg_prng.h"
#include "miscadmin.h"
#include "storage/shmem.h"
#include "utils/memutils.h"

#include "statistics/kmeans.h"

/* From so many places.  R's and scikit-learn's users mostly take 10 to 25. */
#define STARTS			50
/* ... of more than so many points, since each of these takes longer */
#define FEW_POINTS		1000
#define STARTS_OF_MANY	20

/* On at most so many points */
#define SAMPLE_POINTS	5000

/* ... taken with the help of so many centers for each that is asked for */
#define ROUGH_CENTERS	2

/* Both methods nearly always rest after far fewer rounds. */
#define MAX_ROUNDS		300
/* ... and need not, on a sample */
#define SAMPLE_ROUNDS	30

/* Of many points, a round that gains less than this part of the sum is the last. */
#define LEAST_ROUND		1e-6

/* A move of a point must be worth so much of what the point costs. */
#define LEAST_GAIN		1e-12

/* Centers, and the points that belong to each */
typedef struct Clustering
{
	int			clusters;
	double	   *centers;
	double	   *sizes;			/* sum of the weights of the points */
	int		   *members;		/* of each point, its cluster; -1: none yet */
	double	   *distances;		/* squared, of each point to its center */
	double		squares;		/* sum of these times the weights */
} Clustering;

static void *
alloc_array(int64 count, size_t size)
{
	return MemoryContextAllocHuge(CurrentMemoryContext, mul_size(count, size));
}

/* A number from 0 to below 1, the same on every server */
static double
random_fraction(pg_prng_state *random)
{
	return ldexp((double) (pg_prng_uint64(random) >> 11), -53);
}

static inline double
squared_distance(const double *a, const double *b, int dimensions)
{
	double		sum = 0;

	for (int d = 0; d < dimensions; d++)
		sum += (a[d] - b[d]) * (a[d] - b[d]);
	return sum;
}

/*
 * kmeans_nearest: which of the centers is the nearest to a point, from 0, the
 * first of several; and its squared distance
 */
int
kmeans_nearest(const double *point, const double *centers, int clusters, int dimensions, double *distance)
{
	int			nearest = 0;

	for (int c = 0; c < clusters; c++)
	{
		double		squared = squared_distance(point, centers + (size_t) c * dimensions, dimensions);

		if (c == 0 || squared < *distance)
		{
			*distance = squared;
			nearest = c;
		}
	}
	return nearest;
}

static void
clustering_create(Clustering *clustering, const KmeansPoints *points, int clusters)
{
	clustering->clusters = clusters;
	clustering->centers = (double *) alloc_array((int64) clusters * points->dimensions, sizeof(double));
	clustering->sizes = (double *) alloc_array(clusters, sizeof(double));
	clustering->members = (int *) alloc_array(points->count, sizeof(int));
	clustering->distances = (double *) alloc_array(points->count, sizeof(double));
}

static void
clustering_free(Clustering *clustering)
{
	pfree(clustering->centers);
	pfree(clustering->sizes);
	pfree(clustering->members);
	pfree(clustering->distances);
}

static inline double *
center_at(const Clustering *clustering, const KmeansPoints *points, int c)
{
	return clustering->centers + (size_t) c * points->dimensions;
}

static void
set_center(Clustering *clustering, const KmeansPoints *points, int c, int64 i)
{
	memcpy(center_at(clustering, points, c), kmeans_point(points, i), points->dimensions * sizeof(double));
}

/* ---------- the first centers ---------- */

/* A point by chance, in proportion to its weight times its distance. */
static int64
draw_point(const KmeansPoints *points, const double *distances, pg_prng_state *random)
{
	double		total = 0;
	double		rest;
	int64		drawn = 0;

	for (int64 i = 0; i < points->count; i++)
		total += points->weights[i] * distances[i];
	rest = random_fraction(random) * total;
	for (int64 i = 0; i < points->count; i++)
	{
		double		part = points->weights[i] * distances[i];

		CHECK_FOR_INTERRUPTS();
		if (part <= 0)
			continue;
		drawn = i;
		if (rest < part)
			break;
		rest -= part;
	}
	return drawn;
}

/* The sum of squares if a point were a center, too */
static double
squares_with(const KmeansPoints *points, const double *distances, int64 candidate)
{
	double		sum = 0;

	for (int64 i = 0; i < points->count; i++)
	{
		double		squared = squared_distance(kmeans_point(points, i), kmeans_point(points, candidate),
											   points->dimensions);

		CHECK_FOR_INTERRUPTS();
		sum += points->weights[i] * Min(squared, distances[i]);
	}
	return sum;
}

/* Points that are far from one another as the centers, each the best of some candidates. */
static void
choose_centers(Clustering *clustering, const KmeansPoints *points, int candidates, pg_prng_state *random)
{
	for (int64 i = 0; i < points->count; i++)
		clustering->distances[i] = 1;
	for (int c = 0; c < clustering->clusters; c++)
	{
		int64		best = draw_point(points, clustering->distances, random);
		double		least = 0;

		for (int k = 0; c > 0 && k < candidates; k++)
		{
			int64		candidate = k == 0 ? best : draw_point(points, clustering->distances, random);
			double		squares = squares_with(points, clustering->distances, candidate);

			if (k == 0 || squares < least)
			{
				least = squares;
				best = candidate;
			}
		}
		set_center(clustering, points, c, best);
		for (int64 i = 0; i < points->count; i++)
		{
			double		squared = squared_distance(kmeans_point(points, i), kmeans_point(points, best),
												   points->dimensions);

			CHECK_FOR_INTERRUPTS();
			clustering->distances[i] = c == 0 ? squared : Min(squared, clustering->distances[i]);
		}
	}
}

/* ---------- Lloyd's method ---------- */

/* Each point to its nearest center; has any changed its cluster? */
static bool
assign_points(Clustering *clustering, const KmeansPoints *points)
{
	bool		changed = false;

	clustering->squares = 0;
	for (int64 i = 0; i < points->count; i++)
	{
		int			nearest = kmeans_nearest(kmeans_point(points, i), clustering->centers, clustering->clusters,
											 points->dimensions, &clustering->distances[i]);

		CHECK_FOR_INTERRUPTS();
		changed |= nearest != clustering->members[i];
		clustering->members[i] = nearest;
		clustering->squares += points->weights[i] * clustering->distances[i];
	}
	return changed;
}

/* An empty cluster gets the point that costs most. */
static void
fill_empty(Clustering *clustering, const KmeansPoints *points, int c)
{
	int64		farthest = 0;
	double		cost = -1;

	for (int64 i = 0; i < points->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (points->weights[i] * clustering->distances[i] > cost)
		{
			cost = points->weights[i] * clustering->distances[i];
			farthest = i;
		}
	}
	set_center(clustering, points, c, farthest);
	/* not for another empty cluster, too */
	clustering->distances[farthest] = 0;
}

/* Each center to the mean of its points. */
static void
move_centers(Clustering *clustering, const KmeansPoints *points)
{
	memset(clustering->sizes, 0, clustering->clusters * sizeof(double));
	memset(clustering->centers, 0, (size_t) clustering->clusters * points->dimensions * sizeof(double));
	for (int64 i = 0; i < points->count; i++)
	{
		double	   *center = center_at(clustering, points, clustering->members[i]);
		const double *point = kmeans_point(points, i);

		CHECK_FOR_INTERRUPTS();
		clustering->sizes[clustering->members[i]] += points->weights[i];
		for (int d = 0; d < points->dimensions; d++)
			center[d] += points->weights[i] * point[d];
	}
	for (int c = 0; c < clustering->clusters; c++)
	{
		double	   *center = center_at(clustering, points, c);

		if (clustering->sizes[c] == 0)
			fill_empty(clustering, points, c);
		else
			for (int d = 0; d < points->dimensions; d++)
				center[d] /= clustering->sizes[c];
	}
}

static void
improve_all(Clustering *clustering, const KmeansPoints *points, int rounds)
{
	double		before = INFINITY;

	for (int64 i = 0; i < points->count; i++)
		clustering->members[i] = -1;
	for (int round = 0; assign_points(clustering, points) && round < rounds; round++)
	{
		if (points->count > SAMPLE_POINTS && before - clustering->squares < LEAST_ROUND * clustering->squares)
			break;
		before = clustering->squares;
		move_centers(clustering, points);
	}
}

/* ---------- single points ---------- */

/* Take a point into a cluster (weight above 0) or out of it (below). */
static void
shift_center(Clustering *clustering, const KmeansPoints *points, int c, int64 i, double weight)
{
	double	   *center = center_at(clustering, points, c);
	const double *point = kmeans_point(points, i);

	clustering->sizes[c] += weight;
	for (int d = 0; d < points->dimensions; d++)
		center[d] += (point[d] - center[d]) * (weight / clustering->sizes[c]);
}

/* Move a point to the cluster where it costs least; false if it is in it. */
static bool
improve_point(Clustering *clustering, const KmeansPoints *points, int64 i)
{
	int			from = clustering->members[i];
	double		weight = points->weights[i];
	double		rest = clustering->sizes[from] - weight;
	int			best = from;
	double		least;

	/* alone in it */
	if (rest <= 0)
		return false;
	least = squared_distance(kmeans_point(points, i), center_at(clustering, points, from), points->dimensions)
		* (clustering->sizes[from] / rest) * (1 - LEAST_GAIN);
	for (int c = 0; c < clustering->clusters; c++)
	{
		double		cost;

		if (c == from)
			continue;
		cost = squared_distance(kmeans_point(points, i), center_at(clustering, points, c), points->dimensions)
			* (clustering->sizes[c] / (clustering->sizes[c] + weight));
		if (cost < least)
		{
			least = cost;
			best = c;
		}
	}
	if (best == from)
		return false;
	shift_center(clustering, points, from, i, -weight);
	shift_center(clustering, points, best, i, weight);
	clustering->members[i] = best;
	return true;
}

static void
improve_single(Clustering *clustering, const KmeansPoints *points, int rounds)
{
	bool		moved = true;

	move_centers(clustering, points);
	for (int round = 0; moved && round < rounds; round++)
	{
		moved = false;
		for (int64 i = 0; i < points->count; i++)
		{
			CHECK_FOR_INTERRUPTS();
			moved |= improve_point(clustering, points, i);
		}
	}
	/* without the rounding errors of many moves */
	move_centers(clustering, points);
	(void) assign_points(clustering, points);
}

/* ---------- all of it ---------- */

/*
 * How often each point is to be in the sample, relative to the others: half of the
 * sample goes to the points in proportion to what they cost, half is shared evenly by the
 * clusters of a rough solution.  That has twice as many centers as are asked for, so that
 * it is nearly sure to have one in each group that matters (A. Aggarwal, A. Deshpande and
 * R. Kannan, "Adaptive sampling for k-means clustering", APPROX 2009).
 */
static double *
sample_parts(const KmeansPoints *points, int clusters, pg_prng_state *random)
{
	double	   *parts = (double *) alloc_array(points->count, sizeof(double));
	Clustering	rough;

	clustering_create(&rough, points, ROUGH_CENTERS * clusters);
	choose_centers(&rough, points, 1, random);
	(void) assign_points(&rough, points);
	memset(rough.sizes, 0, rough.clusters * sizeof(double));
	for (int64 i = 0; i < points->count; i++)
		rough.sizes[rough.members[i]] += points->weights[i];
	for (int64 i = 0; i < points->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		parts[i] = points->weights[i] / rough.sizes[rough.members[i]] / rough.clusters;
		if (rough.squares > 0)
			parts[i] += points->weights[i] * rough.distances[i] / rough.squares;
	}
	clustering_free(&rough);
	return parts;
}

/*
 * So many of the points, by chance and in these parts; each weighs so much more as it
 * is taken less often.  At equal distances along the sum of the parts (W. G. Madow,
 * Annals of Mathematical Statistics 20, 1949), so that a point that would be taken
 * several times surely is in it.
 */
static void
take_sample(KmeansPoints *sample, const KmeansPoints *points, const double *parts, pg_prng_state *random)
{
	double		total = 0;
	double		sum = 0;
	double		taken = random_fraction(random);

	sample->count = 0;
	sample->dimensions = points->dimensions;
	sample->values = (double *) alloc_array((int64) SAMPLE_POINTS * points->dimensions, sizeof(double));
	sample->weights = (double *) alloc_array(SAMPLE_POINTS, sizeof(double));
	for (int64 i = 0; i < points->count; i++)
		total += parts[i];
	for (int64 i = 0; i < points->count; i++)
	{
		double		times;

		CHECK_FOR_INTERRUPTS();
		sum += parts[i];
		times = ceil(sum / total * SAMPLE_POINTS - taken);
		if (times <= 0)
			continue;
		taken += times;
		memcpy(sample->values + sample->count * points->dimensions, kmeans_point(points, i),
			   points->dimensions * sizeof(double));
		sample->weights[sample->count++] = points->weights[i] * times * total / (parts[i] * SAMPLE_POINTS);
	}
}

/* The best centers of several starts */
static double *
best_start(const KmeansPoints *points, int clusters, int rounds, pg_prng_state *random)
{
	int			starts = points->count > FEW_POINTS ? STARTS_OF_MANY : STARTS;
	double	   *best = (double *) alloc_array((int64) clusters * points->dimensions, sizeof(double));
	double		least = 0;
	int			candidates = 2;
	Clustering	clustering;

	for (int c = clusters; c > 1; c /= 2)
		candidates++;
	clustering_create(&clustering, points, clusters);
	for (int start = 0; start < starts; start++)
	{
		choose_centers(&clustering, points, start % 2 == 0 ? candidates : 1, random);
		improve_all(&clustering, points, rounds);
		improve_single(&clustering, points, rounds);
		if (start == 0 || clustering.squares < least)
		{
			least = clustering.squares;
			memcpy(best, clustering.centers, (size_t) clusters * points->dimensions * sizeof(double));
		}
	}
	clustering_free(&clustering);
	return best;
}

/*
 * kmeans_centers: the centers of so many clusters, at most as many as there are
 * points, all of which differ
 */
double *
kmeans_centers(const KmeansPoints *points, int clusters, int64 seed)
{
	pg_prng_state random;
	KmeansPoints sample;
	Clustering	clustering;
	double	   *parts;
	double	   *best;

	pg_prng_seed(&random, (uint64) seed);
	if (points->count <= SAMPLE_POINTS)
		return best_start(points, clusters, MAX_ROUNDS, &random);
	parts = sample_parts(points, clusters, &random);
	take_sample(&sample, points, parts, &random);
	pfree(parts);
	best = best_start(&sample, clusters, SAMPLE_ROUNDS, &random);
	pfree(sample.values);
	pfree(sample.weights);

	clustering_create(&clustering, points, clusters);
	memcpy(clustering.centers, best, (size_t) clusters * points->dimensions * sizeof(double));
	improve_all(&clustering, points, MAX_ROUNDS);
	memcpy(best, clustering.centers, (size_t) clusters * points->dimensions * sizeof(double));
	clustering_free(&clustering);
	return best;
}
