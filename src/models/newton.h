/*-------------------------------------------------------------------------
 *
 * newton.h
 *		Newton's method for the maximum of a log-likelihood within limits.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_NEWTON_H
#define SEGMENT_NEWTON_H

#include "models/eigen.h"
#include "models/objective.h"

/* A point, in logarithms, with all that Newton's method knows about it. */
typedef struct Point
{
	double		at[MODEL_MAX_PARAMS];
	double		value;
	double		gradient[MODEL_MAX_PARAMS];
	bool		held[MODEL_MAX_PARAMS]; /* at a limit, beyond which the value
										 * would rise */
	bool		has_hessian;	/* second derivatives are known, here or at a
								 * point nearby */
	bool		fresh;			/* they are those of this point */
	ParamMatrix hessian;
	double		decrement;		/* twice the rise that a Newton step promises */
} Point;

extern bool newton_maximize(Objective *objective, Point *point);
extern void point_move(Objective *objective, const Point *from, const double *step,
					   double factor, Point *to);
extern void point_eigen(const Objective *objective, const Point *point, Eigen *result);
extern bool point_eigen_held(const Objective *objective, const Point *point,
							 const Eigen *e, int i);

#endif							/* SEGMENT_NEWTON_H */
