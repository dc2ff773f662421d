/*-------------------------------------------------------------------------
 *
 * eigen.c
 *		Eigenvalues of a small symmetric matrix.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include <math.h>

#include "models/eigen.h"

/* One Jacobi rotation that makes matrix[p][q] zero */
static void
rotate(ParamMatrix matrix, ParamMatrix vectors, int n, int p, int q)
{
	double		theta = (matrix[q][q] - matrix[p][p]) / (2 * matrix[p][q]);
	double		t = copysign(1.0, theta) / (fabs(theta) + hypot(theta, 1.0));
	double		c = 1 / hypot(t, 1.0);
	double		s = t * c;

	for (int k = 0; k < n; k++)
	{
		double		kp = matrix[k][p];
		double		kq = matrix[k][q];

		matrix[k][p] = c * kp - s * kq;
		matrix[k][q] = s * kp + c * kq;
	}
	for (int k = 0; k < n; k++)
	{
		double		pk = matrix[p][k];
		double		qk = matrix[q][k];

		matrix[p][k] = c * pk - s * qk;
		matrix[q][k] = s * pk + c * qk;
	}
	for (int k = 0; k < n; k++)
	{
		double		pk = vectors[p][k];
		double		qk = vectors[q][k];

		vectors[p][k] = c * pk - s * qk;
		vectors[q][k] = s * pk + c * qk;
	}
	matrix[p][q] = matrix[q][p] = 0;
}

/* Eigenvalues by Jacobi's method, which is exact enough for tiny ones */
void
eigen(const ParamMatrix source, int n, Eigen *result)
{
	ParamMatrix matrix;

	memcpy(matrix, source, sizeof(matrix));
	memset(result, 0, sizeof(Eigen));
	for (int p = 0; p < n; p++)
		result->vectors[p][p] = 1;

	for (int sweep = 0; sweep < 30; sweep++)
	{
		bool		rotated = false;

		for (int p = 0; p < n; p++)
		{
			for (int q = p + 1; q < n; q++)
			{
				if (fabs(matrix[p][q]) <= 1e-30 ||
					fabs(matrix[p][q]) <= 1e-17 * sqrt(fabs(matrix[p][p] * matrix[q][q])))
					continue;
				rotate(matrix, result->vectors, n, p, q);
				rotated = true;
			}
		}
		if (!rotated)
			break;
	}
	for (int p = 0; p < n; p++)
		result->values[p] = matrix[p][p];
}
