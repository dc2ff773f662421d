/*-------------------------------------------------------------------------
 *
 * score.c
 *		The score of a value: its group among cut points.
 *
 * The score is one more than the number of cut points below the value.  So a
 * value equal to a cut point belongs to the group below it, and equal values
 * have equal scores.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include <float.h>

#include "utils/array.h"
#include "utils/float.h"

#include "base/arguments.h"
#include "statistics/score.h"

/*
 * The cut points as they lie in the array: perhaps behind a short varlena
 * header, and then not aligned.
 */
typedef struct Cuts
{
	const char *data;
	int			count;
} Cuts;

static inline double
cut_at(const Cuts *cuts, int i)
{
	double		cut;

	memcpy(&cut, cuts->data + i * sizeof(double), sizeof(cut));
	return cut;
}

/*
 * Find the cut points in an array without copying it.  An array with a short
 * header has its fields where they would be behind a full one, less the
 * difference of the two headers.
 */
static void
find_cuts(struct varlena *array, Cuts *cuts)
{
	const char *body = VARDATA_ANY(array);
	int32		ndim;
	int32		dataoffset;

	memcpy(&ndim, body + offsetof(ArrayType, ndim) - VARHDRSZ, sizeof(ndim));
	memcpy(&dataoffset, body + offsetof(ArrayType, dataoffset) - VARHDRSZ,
		   sizeof(dataoffset));
	if (ndim == 0)
	{
		cuts->data = body;
		cuts->count = 0;
		return;
	}
	if (ndim != 1)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("cut points must be a one-dimensional array")));
	memcpy(&cuts->count, body + sizeof(ArrayType) - VARHDRSZ, sizeof(cuts->count));

	/* A null bitmap may be there without any NULL: its bits are 1 then. */
	if (dataoffset != 0)
	{
		const uint8 *bitmap;

		bitmap = (const uint8 *) body + sizeof(ArrayType) + 2 * sizeof(int32) - VARHDRSZ;

		for (int i = 0; i < cuts->count; i++)
		{
			if ((bitmap[i / BITS_PER_BYTE] & (1 << (i % BITS_PER_BYTE))) == 0)
				ereport(ERROR,
						(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						 errmsg("cut points must not contain NULL")));
		}
		cuts->data = body + dataoffset - VARHDRSZ;
	}
	else
		cuts->data = body + ARR_OVERHEAD_NONULLS(1) - VARHDRSZ;
}

/* Say what is wrong with cut points that are not finite and ascending. */
static void
invalid_cuts(const Cuts *cuts)
{
	for (int i = 0; i < cuts->count; i++)
	{
		double		cut = cut_at(cuts, i);

		arguments_check_number("cut point", cut);
		if (i > 0 && cut < cut_at(cuts, i - 1))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("cut points must be in ascending order"),
					 errdetail("Cut point \"%s\" follows \"%s\".",
							   float8out_internal(cut),
							   float8out_internal(cut_at(cuts, i - 1)))));
	}
}

/*
 * score_of: the group of a value, from 1 (lowest) to one more than the number
 * of cut points
 *
 * One more than the number of cut points below the value.  This runs for
 * every customer several times: one pass counts and checks.  Errors: 22023
 * for a value or a cut point that is not finite and for cut points that
 * descend; 22004 for a NULL cut point; 2202E for more than one dimension.
 */
int
score_of(double value, struct varlena *array)
{
	Cuts		cuts;
	double		previous = -DBL_MAX;
	bool		valid = true;
	int			below = 0;

	arguments_check_number("value", value);
	find_cuts(array, &cuts);

	/* NaN fails the first comparison, -infinity too; +infinity the last. */
	for (int i = 0; i < cuts.count; i++)
	{
		double		cut = cut_at(&cuts, i);

		valid &= (previous <= cut);
		below += (cut < value);
		previous = cut;
	}
	if (unlikely(!valid || previous > DBL_MAX))
		invalid_cuts(&cuts);
	return below + 1;
}

/* score(value, cuts) */
PG_FUNCTION_INFO_V1(segment_score);
Datum
segment_score(PG_FUNCTION_ARGS)
{
	struct varlena *array = PG_DETOAST_DATUM_PACKED(PG_GETARG_DATUM(1));
	int			result = score_of(PG_GETARG_FLOAT8(0), array);

	PG_FREE_IF_COPY(array, 1);
	PG_RETURN_INT32(result);
}
