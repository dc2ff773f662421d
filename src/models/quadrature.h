/*-------------------------------------------------------------------------
 *
 * quadrature.h
 *		Gauss-Legendre quadrature, by panels that follow the integrand.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_QUADRATURE_H
#define SEGMENT_QUADRATURE_H

#define QUADRATURE_NODES 16

/* Nodes in 0..1 and weights with sum 1. */
extern const double quadrature_node[QUADRATURE_NODES];
extern const double quadrature_weight[QUADRATURE_NODES];

#define QUADRATURE_SHORT_NODES 8

extern const double quadrature_short_node[QUADRATURE_SHORT_NODES];
extern const double quadrature_short_weight[QUADRATURE_SHORT_NODES];

/* On such a panel 16 nodes integrate exp(f) to about 1e-14. */
#define QUADRATURE_MAX_FALL 8.0 /* change of f */
#define QUADRATURE_MAX_STEP 2.0 /* length, singularities at least pi away */

/* On such a panel 8 nodes do. */
#define QUADRATURE_SHORT_FALL 2.0
#define QUADRATURE_SHORT_STEP 0.7

typedef double (*quadrature_log_function) (double v, const void *arg);

extern double quadrature_log_integral(quadrature_log_function f, const void *arg,
									  double low, double high, double mode);

/* A positive sequence: ln of a term, and the next term over this one. */
typedef double (*quadrature_log_term) (double i, const void *arg);
typedef double (*quadrature_ratio) (double i, const void *arg);

extern double quadrature_log_add(double log_a, double log_b);
extern double quadrature_log_smooth_sum(quadrature_log_term log_term, const void *arg,
										double from, double to, double mode,
										double singularity);
extern double quadrature_log_sum(quadrature_log_term log_term, quadrature_ratio ratio,
								 const void *arg, double count, double singularity);

#endif							/* SEGMENT_QUADRATURE_H */
