/*-------------------------------------------------------------------------
 *
 * clusters.h
 *		The row type segment.clusters.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_CLUSTERS_H
#define SEGMENT_CLUSTERS_H

/* The columns of segment.clusters, in their order */
typedef enum ClustersColumn
{
	CLUSTERS_ROWS,
	CLUSTERS_MEAN,
	CLUSTERS_DEVIATION,
	CLUSTERS_CENTER,
	CLUSTERS_SIZE,
	CLUSTERS_WITHIN,
	CLUSTERS_TOTAL,
	CLUSTERS_COLUMNS
} ClustersColumn;

/* Far beyond what anybody tells apart */
#define CLUSTERS_MAX			1000
/* As many as a table has columns */
#define CLUSTERS_MAX_FEATURES	1600

/* Clusters taken apart, with room for one point */
typedef struct ClustersParts
{
	int			clusters;
	int			features;
	const double *center;		/* of the first cluster, of the second, ... */
	const double *deviation;
	double	   *standard;		/* centers in units of the deviations */
	double	   *point;
} ClustersParts;

extern double clusters_standard(double value, double mean, double deviation);
extern void clusters_prepare(ClustersParts *parts);
extern int	clusters_nearest(ClustersParts *parts, const double *features, double *distance);

#endif							/* SEGMENT_CLUSTERS_H */
