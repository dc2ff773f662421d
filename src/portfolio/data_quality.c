/*-------------------------------------------------------------------------
 *
 * data_quality.c
 *		Counts of the doubtful rows of a source of events.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include "catalog/pg_type.h"
#include "utils/array.h"

#include "portfolio/data_quality.h"

/*
 * quality_count: a row that a check finds doubtful; an amount that is not
 * known is 0
 *
 * An amount with which the sum would leave the range of amounts is left out: a
 * report must not fail for what it reports.
 */
void
quality_count(QualityCounts *counts, QualityCheck check, int128 amount, int scale)
{
	int128		sum = counts->money[check] +
	amount * decimal_power_of_ten[DECIMAL_MAX_SCALE - scale];

	counts->rows[check]++;
	if (sum > decimal_limit(DECIMAL_MAX_SCALE) || sum < -decimal_limit(DECIMAL_MAX_SCALE))
		return;
	counts->money[check] = sum;
	counts->display_scale[check] = Max(counts->display_scale[check], scale);
}

/* Is there any doubtful row? */
bool
quality_any(const QualityCounts *counts)
{
	int			i;

	for (i = 0; i < QUALITY_CHECKS; i++)
		if (counts->rows[i] > 0)
			return true;
	return false;
}

/* The counts as bigint[] and their money as numeric[], one element per check. */
void
quality_arrays(const QualityCounts *counts, Datum *rows, Datum *money)
{
	Datum		row_values[QUALITY_CHECKS];
	Datum		money_values[QUALITY_CHECKS];
	int			i;

	for (i = 0; i < QUALITY_CHECKS; i++)
	{
		row_values[i] = Int64GetDatum(counts->rows[i]);
		money_values[i] = NumericGetDatum(decimal_to_numeric(counts->money[i], DECIMAL_MAX_SCALE,
															 counts->display_scale[i]));
	}
	*rows = PointerGetDatum(construct_array(row_values, QUALITY_CHECKS, INT8OID,
											sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	*money = PointerGetDatum(construct_array(money_values, QUALITY_CHECKS, NUMERICOID,
											 -1, false, TYPALIGN_INT));
}
