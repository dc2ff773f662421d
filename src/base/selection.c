/*-------------------------------------------------------------------------
 *
 * selection.c
 *		Several order statistics at once, in linear time.
 *
 * By partitioning on the most significant bits that differ and following only
 * the parts that hold a wanted rank.  Every pass over a part settles at least
 * 8 bits, so at most 8 passes touch a key: linear in the number of keys
 * whatever they are.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include "miscadmin.h"
#include "port/pg_bitutils.h"

#include "base/selection.h"

#define DIGIT_BITS				8
#define DIGIT_VALUES			(1 << DIGIT_BITS)
#define INSERTION_SORT_MAX		32

static void
insertion_sort(uint64 *keys, int64 n)
{
	for (int64 i = 1; i < n; i++)
	{
		uint64		key = keys[i];
		int64		j = i;

		for (; j > 0 && keys[j - 1] > key; j--)
			keys[j] = keys[j - 1];
		keys[j] = key;
	}
}

/* Where to shift for the digit that holds the highest differing bit; -1: all equal. */
static int
first_digit_shift(const uint64 *keys, int64 n)
{
	uint64		differing = 0;
	int			highest;

	for (int64 i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		differing |= keys[i] ^ keys[0];
	}
	if (differing == 0)
		return -1;
	highest = pg_leftmost_one_pos64(differing);
	return Max(highest + 1 - DIGIT_BITS, 0);
}

static inline int
digit_of_key(uint64 key, int shift)
{
	return (key >> shift) & (DIGIT_VALUES - 1);
}

/* Order keys by one digit, in place; part d then ends before ends[d]. */
static void
partition_by_digit(uint64 *keys, int64 n, int shift, int64 *ends)
{
	int64		next[DIGIT_VALUES] = {0};	/* first open place of each part */
	int64		sum = 0;

	for (int64 i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		next[digit_of_key(keys[i], shift)]++;
	}
	for (int d = 0; d < DIGIT_VALUES; d++)
	{
		int64		size = next[d];

		next[d] = sum;
		sum += size;
		ends[d] = sum;
	}

	/* Each exchange brings one key to its part. */
	for (int d = 0; d < DIGIT_VALUES; d++)
	{
		while (next[d] < ends[d])
		{
			uint64		key = keys[next[d]];
			int			digit;

			CHECK_FOR_INTERRUPTS();
			while ((digit = digit_of_key(key, shift)) != d)
			{
				uint64		displaced = keys[next[digit]];

				keys[next[digit]++] = key;
				key = displaced;
			}
			keys[next[d]++] = key;
		}
	}
}

/*
 * Put the right key in each of the places ranks[0..nranks - 1] (ascending,
 * counted from the start of the whole array; keys[0] is place "base").
 */
void
selection_ranks(uint64 *keys, int64 n, int64 base, const int64 *ranks, int nranks)
{
	int64		ends[DIGIT_VALUES];
	int64		begin = 0;
	int			shift;

	if (n <= INSERTION_SORT_MAX)
	{
		insertion_sort(keys, n);
		return;
	}
	shift = first_digit_shift(keys, n);
	if (shift < 0)
		return;
	partition_by_digit(keys, n, shift, ends);

	for (int d = 0; d < DIGIT_VALUES && nranks > 0; d++)
	{
		int			inside = 0;

		while (inside < nranks && ranks[inside] < base + ends[d])
			inside++;
		if (inside > 0 && shift > 0)
			selection_ranks(keys + begin, ends[d] - begin, base + begin, ranks, inside);
		ranks += inside;
		nranks -= inside;
		begin = ends[d];
	}
}

/* The place, from 0, of the i/n quantile of count keys: ceil(i * count / n) - 1. */
int64
selection_rank(int64 i, int64 n, int64 count)
{
	/* i * count could overflow */
	return i * (count / n) + (i * (count % n) + n - 1) / n - 1;
}

/* ---------- shares of the total ---------- */

/* Where selection_shares has got to. */
typedef struct Shares
{
	uint128		total;			/* of all keys */
	int			groups;
	int			next;			/* the first i without an answer yet */
	uint64	   *answers;		/* [i - 1] belongs to i */
} Shares;

/* Is the next i reached when the largest keys up to this sum are counted? */
static inline bool
share_reached(const Shares *shares, uint128 sum)
{
	return shares->next < shares->groups &&
		(uint128) shares->next * shares->total <= sum * shares->groups;
}

static inline void
answer_shares(Shares *shares, uint128 sum, uint64 key)
{
	while (share_reached(shares, sum))
		shares->answers[shares->next++ - 1] = key;
}

/* Find what these keys answer; "larger" is the sum of all larger ones. */
static void
walk_shares(uint64 *keys, int64 n, uint128 larger, Shares *shares)
{
	int64		ends[DIGIT_VALUES];
	int			shift;

	if (n <= INSERTION_SORT_MAX)
	{
		insertion_sort(keys, n);
		while (n-- > 0)
		{
			larger += keys[n];
			answer_shares(shares, larger, keys[n]);
		}
		return;
	}
	shift = first_digit_shift(keys, n);
	if (shift < 0)
	{
		answer_shares(shares, larger + (uint128) keys[0] * n, keys[0]);
		return;
	}
	partition_by_digit(keys, n, shift, ends);

	for (int d = DIGIT_VALUES - 1; d >= 0 && shares->next < shares->groups; d--)
	{
		int64		begin = d > 0 ? ends[d - 1] : 0;
		uint128		sum = larger;

		for (int64 i = begin; i < ends[d]; i++)
			sum += keys[i];
		if (share_reached(shares, sum))
			walk_shares(keys + begin, ends[d] - begin, larger, shares);
		larger = sum;
	}
}

/*
 * For i = 1 .. groups - 1 the smallest of the keys before which, from the
 * largest down, less than i / groups of the total has been counted; equal keys
 * are counted together.  At least one key; keys are above 0 and below 2^63,
 * there are at most 2^40 of them and of the groups 2^20, so that nothing
 * overflows.  Changes the order of the keys.
 */
void
selection_shares(uint64 *keys, int64 n, int groups, uint64 *answers)
{
	Shares		shares = {0, groups, 1, answers};

	for (int64 i = 0; i < n; i++)
		shares.total += keys[i];
	walk_shares(keys, n, 0, &shares);
}
