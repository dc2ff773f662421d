/*-------------------------------------------------------------------------
 *
 * arguments.c
 *		Checks of what users pass to functions: the errors.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include <math.h>

#include "base/arguments.h"
#include "common/shortest_dec.h"

/* A number for a message, whatever extra_float_digits says */
static char *
number(double value)
{
	char	   *digits = palloc(DOUBLE_SHORTEST_DECIMAL_LEN);

	double_to_shortest_decimal_buf(value, digits);
	return digits;
}

void
arguments_bad_count(const char *name, double value, double max)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%s must be a whole number from 0 to %s, not \"%s\"",
					name, number(max), number(value))));
}

void
arguments_bad_range(const char *name, double value, double min, double max)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%s must be between %s and %s, not \"%s\"",
					name, number(min), number(max), number(value))));
}

void
arguments_bad_number(const char *name, double value)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%s must be a finite number, not \"%s\"", name, number(value))));
}

void
arguments_bad_weight(double weight)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("weight must be greater than 0 and at most %s, not \"%s\"",
					number(ARGUMENTS_MAX_WEIGHT), number(weight))));
}

/*
 * Says what is wrong with x, t_x and t (or n, where time is counted).  The
 * first complaint that holds is raised; the caller has seen that there is one.
 */
void
arguments_bad_customer(double x, double t_x, double t, bool counted)
{
	const char *t_name = counted ? "n" : "t";

	if (counted)
		arguments_check_count(t_name, t, ARGUMENTS_MAX_CHANCES);
	else
		arguments_check_range(t_name, t, 0, ARGUMENTS_MAX_TIME);
	arguments_check_count("x", x, ARGUMENTS_MAX_COUNT);
	if (!(t_x >= 0 && t_x <= t))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("t_x must be between 0 and %s, which is \"%s\", not \"%s\"",
						t_name, number(t), number(t_x)),
				 errdetail("t_x is the time of the last purchase and %s the end of observation, both since the first purchase.",
						   t_name)));
	if (counted)
		arguments_check_count("t_x", t_x, ARGUMENTS_MAX_CHANCES);
	if (x == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("t_x must be 0 when x is 0, not \"%s\"", number(t_x)),
				 errdetail("Without a repeat purchase there is no time of the last one.")));
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("x must be at most t_x, which is \"%s\", not \"%s\"",
					number(t_x), number(x)),
			 errdetail("There can be no more purchases than opportunities up to the last one.")));
}

/* The date itself; error 22008 if it is infinite. */
DateADT
finite_date(DateADT day, const char *argument)
{
	if (unlikely(DATE_NOT_FINITE(day)))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("argument \"%s\" must be finite, not \"%s\"", argument,
						DATE_IS_NOBEGIN(day) ? "-infinity" : "infinity")));
	return day;
}

void
arguments_bad_same(const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("argument \"%s\" must be the same for all rows", name)));
}
