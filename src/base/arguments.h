/*-------------------------------------------------------------------------
 *
 * arguments.h
 *		Checks of what users pass to functions.
 *
 * Each check raises 22023 (finite_date: 22008) naming the argument and its
 * value.  The common case
 * is inline and cheap; the errors are not.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_ARGUMENTS_H
#define SEGMENT_ARGUMENTS_H

#include <math.h>

#include "utils/date.h"

/* Largest number of purchases of one customer */
#define ARGUMENTS_MAX_COUNT		1e9

/* Largest number of opportunities (bgbb): some sums run over all of them */
#define ARGUMENTS_MAX_CHANCES	1e5

/* Largest time, in units of the model */
#define ARGUMENTS_MAX_TIME		1e12

/* Largest amount of money */
#define ARGUMENTS_MAX_MONEY		1e30

/* Largest weight of a row */
#define ARGUMENTS_MAX_WEIGHT	1e12

extern void arguments_bad_count(const char *name, double value, double max);
extern void arguments_bad_range(const char *name, double value, double min, double max);
extern void arguments_bad_customer(double x, double t_x, double t, bool counted);
extern void arguments_bad_number(const char *name, double value);
extern void arguments_bad_weight(double weight);
extern void arguments_bad_same(const char *name);

extern DateADT finite_date(DateADT day, const char *argument);

static inline bool
arguments_is_count(double value, double max)
{
	return value >= 0 && value <= max && (double) (int64) value == value;
}

/* A whole number from 0 to max */
static inline void
arguments_check_count(const char *name, double value, double max)
{
	if (unlikely(!arguments_is_count(value, max)))
		arguments_bad_count(name, value, max);
}

/* A number from min to max */
static inline void
arguments_check_range(const char *name, double value, double min, double max)
{
	if (unlikely(!(value >= min && value <= max)))
		arguments_bad_range(name, value, min, max);
}

/* A number that is neither NaN nor infinite */
static inline void
arguments_check_number(const char *name, double value)
{
	if (unlikely(!isfinite(value)))
		arguments_bad_number(name, value);
}

/* An argument of an aggregate that may not change from row to row */
static inline void
arguments_check_same(bool same, const char *name)
{
	if (unlikely(!same))
		arguments_bad_same(name);
}

/* x repeat purchases, the last at t_x, seen until t, all since the first */
static inline void
arguments_check_customer(double x, double t_x, double t)
{
	if (unlikely(!(arguments_is_count(x, ARGUMENTS_MAX_COUNT) &&
				   t_x >= 0 && t_x <= t && t <= ARGUMENTS_MAX_TIME &&
				   (x > 0 || t_x == 0))))
		arguments_bad_customer(x, t_x, t, false);
}

/* x purchases at n opportunities, the last one at the opportunity t_x */
static inline void
arguments_check_chances(double x, double t_x, double n)
{
	if (unlikely(!(arguments_is_count(n, ARGUMENTS_MAX_CHANCES) &&
				   arguments_is_count(t_x, n) && arguments_is_count(x, t_x) &&
				   (x > 0 || t_x == 0))))
		arguments_bad_customer(x, t_x, n, true);
}

/* How many customers a row stands for */
static inline void
arguments_check_weight(double weight)
{
	if (unlikely(!(weight > 0 && weight <= ARGUMENTS_MAX_WEIGHT)))
		arguments_bad_weight(weight);
}

#endif							/* SEGMENT_ARGUMENTS_H */
