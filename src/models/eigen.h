/*-------------------------------------------------------------------------
 *
 * eigen.h
 *		Eigenvalues of a small symmetric matrix.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_EIGEN_H
#define SEGMENT_EIGEN_H

#include "models/likelihood.h"

/* Eigenvalues and orthonormal eigenvectors of a symmetric matrix */
typedef struct Eigen
{
	double		values[MODEL_MAX_PARAMS];
	ParamMatrix vectors;		/* [i] belongs to values[i] */
} Eigen;

extern void eigen(const ParamMatrix source, int n, Eigen *result);

#endif							/* SEGMENT_EIGEN_H */
