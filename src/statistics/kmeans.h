/*-------------------------------------------------------------------------
 *
 * kmeans.h
 *		k-means over weighted points.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_KMEANS_H
#define SEGMENT_KMEANS_H

/* Points in a space of so many dimensions, each with the number that it stands for. */
typedef struct KmeansPoints
{
	int64		count;
	int			dimensions;
	double	   *values;			/* of the first point, of the second, ... */
	double	   *weights;
} KmeansPoints;

extern int	kmeans_nearest(const double *point, const double *centers, int clusters, int dimensions,
						   double *distance);
extern double *kmeans_centers(const KmeansPoints *points, int clusters, int64 seed);

/* A point's values */
static inline const double *
kmeans_point(const KmeansPoints *points, int64 i)
{
	return points->values + i * points->dimensions;
}

#endif							/* SEGMENT_KMEANS_H */
