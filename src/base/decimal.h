/*-------------------------------------------------------------------------
 *
 * decimal.h
 *		Exact amounts: numeric and float8 to and from 128-bit integers.
 *
 * An amount is a coefficient and a scale: value = coefficient * 10^-scale,
 * with 0 <= scale <= DECIMAL_MAX_SCALE.  Every amount, and every sum of
 * amounts, is smaller than 10^27 in magnitude, so that a coefficient brought
 * to the full scale of 9 stays within 10^36 - 1, which 120 bits hold.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_DECIMAL_H
#define SEGMENT_DECIMAL_H

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/numeric.h"

#ifndef HAVE_INT128
#error "segment needs a compiler with 128-bit integers"
#endif

#define DECIMAL_MAX_SCALE	9
#define DECIMAL_MAX_DIGITS	27	/* before the decimal point */

/* 10^n for 0 <= n <= 18 */
extern const int64 decimal_power_of_ten[19];

/* The largest coefficient at a scale: 10^(27 + scale) - 1. */
static inline int128
decimal_limit(int scale)
{
	return (int128) decimal_power_of_ten[18] *
		decimal_power_of_ten[DECIMAL_MAX_DIGITS - 18 + scale] - 1;
}

extern void decimal_sum_overflow(void);

/*
 * decimal_sum_add: add to a sum of many amounts, both at the full scale
 *
 * Without a look at the limit, which decimal_sum_to_numeric checks at the end:
 * whether a sum of both signs is in range does then not depend on the order of
 * the rows.  128 bits are 170 times the limit.
 */
static inline void
decimal_sum_add(int128 *sum, int128 addend)
{
	if (unlikely(__builtin_add_overflow(*sum, addend, sum)))
		decimal_sum_overflow();
}

/* Longest text of an amount: sign, 27 digits, point, 9 decimals, NUL; rounded up. */
#define DECIMAL_TEXT_SIZE	48

extern bool decimal_from_short_numeric(Datum num, int64 *coefficient, int *scale);
extern bool decimal_try_numeric(Datum num, int128 *coefficient, int *scale, int *display_scale);
extern int	decimal_from_numeric(Datum num, int128 *coefficient);
extern int	decimal_from_float8(double value, int128 *coefficient);
extern int	decimal_from_int64(int64 value, int128 *coefficient);
extern Numeric decimal_to_numeric(int128 coefficient, int scale, int display_scale);
extern double decimal_to_float8(int128 coefficient, int scale);
extern int	decimal_text_length(Datum num);

/* the SQL function segment_internal.float8 */
extern Datum segment_numeric_to_float8(PG_FUNCTION_ARGS);

extern void decimal_add(int128 *sum, int128 addend, int scale);
extern Numeric decimal_sum_to_numeric(int128 sum, int display_scale);
extern int128 decimal_rescale(int128 coefficient, int from_scale, int to_scale);

extern void decimal_send(StringInfo buf, int128 coefficient);
extern int128 decimal_receive(StringInfo buf);

extern void decimal_append(StringInfo buf, int128 coefficient, int scale, int display_scale);
extern bool decimal_parse(const char **string, int128 *coefficient, int *scale);
extern bool decimal_parse_count(const char **string, int64 *count);

#endif							/* SEGMENT_DECIMAL_H */
