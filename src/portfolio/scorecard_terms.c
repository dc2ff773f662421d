/*-------------------------------------------------------------------------
 *
 * scorecard_terms.c
 *		What a customer's figures take from a scorecard, from a value of the type
 *		segment_internal.scorecard_terms.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include "utils/array.h"
#include "utils/builtins.h"

#include "base/arguments.h"
#include "base/result_row.h"
#include "portfolio/risk.h"
#include "portfolio/scorecard_terms.h"

/* Columns of the type segment_internal.scorecard_terms. */
enum
{
	TERM_CUTS,					/* three of them */
	TERM_PRIOR_GAPS = TERM_CUTS + 3,
	TERM_USUAL_GAP,
	TERM_PURCHASE_MODEL,
	TERM_SPEND_MODEL,
	TERM_UNIT_DAYS,
	TERM_HORIZON,
	TERM_PROBABILITY_HORIZON,
	TERM_ANNUAL_RATE,
	TERM_MARGIN_RATE,
	TERM_CANCEL_SAME_DAY,
	TERM_CHURN_BASIS,
	TERM_CHURN_HORIZON,
	TERM_CHURN_SHARES,
	TERM_PERIOD_DAYS,
	TERM_TREND_PERIODS,
	TERM_CHURN_RECENT_DAYS,
	TERM_CHURN_PAST_DAYS,
	TERM_CHURN_SIGNIFICANCE,
	TERM_ASLEEP,
	TERM_CONTRIBUTION_RATE,
	TERM_RATE_BEFORE_COST,
	TERM_USUAL_GROSS,
	TERM_PRIOR_PURCHASES,
	TERM_HIGH_MARGIN_CATEGORIES,	/* for customer_events, which is SQL */
	TERMS
};

/* Without a scorecard there are no scores and no predictions. */
const ScorecardTerms no_scorecard_terms = {.cancel_same_day = true};

static const Model *
model_copy(Datum model)
{
	return model_checked((struct varlena *) PG_DETOAST_DATUM_COPY(model));
}

/* A number of days or periods among the terms; error 22023 unless it is from 1 to most. */
static int32
checked_days(Datum value, const char *name, int32 most)
{
	int32		days = DatumGetInt32(value);

	arguments_check_range(name, days, 1, most);
	return days;
}

/* What the signs of leaving are judged by; nothing unless all of it is known. */
static void
deform_churn(const Datum *values, const bool *nulls, ScorecardTerms *terms)
{
	if (!nulls[TERM_CHURN_RECENT_DAYS] && !nulls[TERM_CHURN_PAST_DAYS] && !nulls[TERM_CHURN_SIGNIFICANCE] &&
		!nulls[TERM_ASLEEP] && terms->has_gap)
	{
		terms->churn.recent_days = checked_days(values[TERM_CHURN_RECENT_DAYS], "churn_recent_days", 36525);
		terms->churn.past_days = checked_days(values[TERM_CHURN_PAST_DAYS], "churn_past_days", 36525);
		terms->churn.significance = DatumGetFloat8(values[TERM_CHURN_SIGNIFICANCE]);
		terms->churn.asleep = DatumGetFloat8(values[TERM_ASLEEP]);
		terms->churn.prior_gaps = terms->prior_gaps;
		arguments_check_range("churn_significance", terms->churn.significance, 0, 1);
		arguments_check_range("dormancy_asleep", terms->churn.asleep, 0, ARGUMENTS_MAX_TIME);
	}
}

/* The models and what they are asked for; nothing unless all of that is known. */
static void
deform_predictions(const Datum *values, const bool *nulls, ScorecardTerms *terms)
{
	for (int i = TERM_UNIT_DAYS; i <= TERM_ANNUAL_RATE; i++)
		if (nulls[i])
			return;
	terms->unit_days = DatumGetFloat8(values[TERM_UNIT_DAYS]);
	terms->horizon = DatumGetFloat8(values[TERM_HORIZON]);
	terms->probability_horizon = DatumGetFloat8(values[TERM_PROBABILITY_HORIZON]);
	terms->annual_rate = DatumGetFloat8(values[TERM_ANNUAL_RATE]);
	if (!nulls[TERM_PURCHASE_MODEL])
		terms->purchase_model = model_copy(values[TERM_PURCHASE_MODEL]);
	if (!nulls[TERM_SPEND_MODEL])
		terms->spend_model = model_copy(values[TERM_SPEND_MODEL]);
}

/*
 * The terms from a row, into the current memory context, where what they point
 * to stays, too.  They begin as those without a scorecard.
 */
void
scorecard_terms_deform(Datum row, ScorecardTerms *terms)
{
	TupleDesc	tupdesc = row_type_lookup(HeapTupleHeaderGetTypeId(DatumGetHeapTupleHeader(row)), TERMS);
	Datum		values[TERMS];
	bool		nulls[TERMS];

	*terms = no_scorecard_terms;
	row_deform(row, tupdesc, values, nulls);
	for (int i = 0; i < 3; i++)
		if (!nulls[TERM_CUTS + i])
			terms->cuts[i] = PG_DETOAST_DATUM_COPY(values[TERM_CUTS + i]);
	terms->has_gap = !nulls[TERM_PRIOR_GAPS] && !nulls[TERM_USUAL_GAP];
	if (terms->has_gap)
	{
		terms->prior_gaps = DatumGetFloat8(values[TERM_PRIOR_GAPS]);
		terms->usual_gap = DatumGetFloat8(values[TERM_USUAL_GAP]);
	}
	terms->has_margin_rate = !nulls[TERM_MARGIN_RATE];
	if (terms->has_margin_rate)
		terms->margin_rate = PointerGetDatum(PG_DETOAST_DATUM_COPY(values[TERM_MARGIN_RATE]));
	terms->has_contribution = !nulls[TERM_CONTRIBUTION_RATE] && !nulls[TERM_RATE_BEFORE_COST] &&
		!nulls[TERM_USUAL_GROSS] && !nulls[TERM_PRIOR_PURCHASES];
	if (terms->has_contribution)
	{
		terms->contribution_rate = DatumGetFloat8(values[TERM_CONTRIBUTION_RATE]);
		terms->rate_before_cost = DatumGetFloat8(values[TERM_RATE_BEFORE_COST]);
		terms->usual_gross = DatumGetFloat8(values[TERM_USUAL_GROSS]);
		terms->prior_purchases = DatumGetFloat8(values[TERM_PRIOR_PURCHASES]);
	}
	terms->cancel_same_day = nulls[TERM_CANCEL_SAME_DAY] || DatumGetBool(values[TERM_CANCEL_SAME_DAY]);
	if (!nulls[TERM_CHURN_BASIS])
		terms->churn_basis = DatumGetTextPCopy(values[TERM_CHURN_BASIS]);
	if (!nulls[TERM_CHURN_HORIZON])
		terms->churn_horizon = DatumGetFloat8(values[TERM_CHURN_HORIZON]);
	if (!nulls[TERM_CHURN_SHARES])
		terms->churn_shares = risk_shares_checked(DatumGetArrayTypePCopy(values[TERM_CHURN_SHARES]));
	if (!nulls[TERM_PERIOD_DAYS] && !nulls[TERM_TREND_PERIODS])
	{
		terms->period.days = checked_days(values[TERM_PERIOD_DAYS], "period_days", 36525);
		terms->period.periods = checked_days(values[TERM_TREND_PERIODS], "trend_periods", 100);
	}
	deform_churn(values, nulls, terms);
	deform_predictions(values, nulls, terms);
}
