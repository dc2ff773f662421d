/*-------------------------------------------------------------------------
 *
 * derived_figures.h
 *		The figures of a customer that follow from those of the histories, the day
 *		and a scorecard.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_DERIVED_FIGURES_H
#define SEGMENT_DERIVED_FIGURES_H

#include "utils/date.h"

#include "portfolio/customer_figures.h"
#include "portfolio/scorecard_terms.h"

extern void derive_figures(Datum *values, bool *nulls, DateADT as_of, const ScorecardTerms *terms);

#endif							/* SEGMENT_DERIVED_FIGURES_H */
