/*-------------------------------------------------------------------------
 *
 * contribution.c
 *		What of a customer's gross sales is left as contribution, and how
 *		customers differ in it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "libpq/pqformat.h"
#include "utils/array.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"

#include "base/aggregate.h"
#include "portfolio/contribution.h"
#include "statistics/exact_sum.h"

/* ---------- of a customer ---------- */

/*
 * contribution_rate: contribution per unit of gross, the customer's own averaged
 * with that of the portfolio
 *
 * As if the customer had made some purchases more at the portfolio's rate: the
 * credibility estimate of Buehlmann and Straub (1970).  These purchases are of
 * the customer's own size, averaged with one usual purchase; but of usual size
 * at most, or an order of enormous size that came back would be expected to
 * stay the next time.
 */
double
contribution_rate(double contribution, double gross, double purchase_days,
				  double rate, double usual_gross, double prior_purchases)
{
	double		size = Min(usual_gross, (gross + usual_gross) / (purchase_days + 1));
	double		prior_gross = prior_purchases * size;

	return gross + prior_gross > 0 ? (contribution + prior_gross * rate) / (gross + prior_gross) : rate;
}

/*
 * contribution_rate(contribution, gross, purchase_days, rate, usual_gross,
 * prior_purchases): the same as a function of SQL
 */
PG_FUNCTION_INFO_V1(segment_contribution_rate);
Datum
segment_contribution_rate(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(contribution_rate(PG_GETARG_FLOAT8(0), PG_GETARG_FLOAT8(1), PG_GETARG_FLOAT8(2),
									   PG_GETARG_FLOAT8(3), PG_GETARG_FLOAT8(4), PG_GETARG_FLOAT8(5)));
}

/* ---------- of all ---------- */

/*
 * What the variance of the customers' rates is estimated from, see
 * contribution_prior: sums over customers, exact, so that they do not depend on
 * the order of rows.
 */
#define MOMENTS		9

typedef struct Moments
{
	ExactSum	sums[MOMENTS];
} Moments;

/* Add a customer. */
static void
moments_add(Moments *moments, double contribution, double gross, double days, MemoryContext context)
{
	double		square = contribution * contribution / gross;
	double		values[MOMENTS] = {1, gross, contribution, square,
		1 / days, gross / days, contribution / days, square / days,
	log(gross / days)};

	for (int i = 0; i < MOMENTS; i++)
		exact_sum_add(&moments->sums[i], values[i], context);
}

/*
 * contribution_moments_accum(state, contribution, gross, purchase_days): one more
 * customer, unless there is no gross
 */
PG_FUNCTION_INFO_V1(segment_contribution_moments_accum);
Datum
segment_contribution_moments_accum(PG_FUNCTION_ARGS)
{
	Moments    *moments = (Moments *) aggregate_state(fcinfo);
	double		contribution;
	double		gross;
	double		days;

	if (aggregate_skips_row(fcinfo))
		return aggregate_unchanged(fcinfo);
	contribution = PG_GETARG_FLOAT8(1);
	gross = PG_GETARG_FLOAT8(2);
	days = PG_GETARG_FLOAT8(3);
	if (!(gross > 0 && days > 0))
		return aggregate_unchanged(fcinfo);
	if (moments == NULL)
		moments = MemoryContextAllocZero(aggregate_context(fcinfo), sizeof(Moments));
	moments_add(moments, contribution, gross, days, aggregate_context(fcinfo));
	PG_RETURN_POINTER(moments);
}

static void *
moments_create_like(MemoryContext context, const void *other)
{
	return MemoryContextAllocZero(context, sizeof(Moments));
}

static void
moments_merge(void *into, const void *from)
{
	for (int i = 0; i < MOMENTS; i++)
		exact_sum_merge(&((Moments *) into)->sums[i], &((const Moments *) from)->sums[i],
						GetMemoryChunkContext(into));
}

static void
moments_send(StringInfo buf, void *state)
{
	for (int i = 0; i < MOMENTS; i++)
		exact_sum_send(buf, &((Moments *) state)->sums[i]);
}

static void *
moments_receive(StringInfo buf, const AggregateKind *kind)
{
	Moments    *moments = palloc0(sizeof(Moments));

	for (int i = 0; i < MOMENTS; i++)
		exact_sum_receive(buf, &moments->sums[i], kind);
	return moments;
}

static const AggregateKind moments_kind = {
	.name = "contribution_moments",
	.version = 1,
	.create_like = moments_create_like,
	.merge = moments_merge,
	.send = moments_send,
	.receive = moments_receive,
};

PG_FUNCTION_INFO_V1(segment_contribution_moments_combine);
Datum
segment_contribution_moments_combine(PG_FUNCTION_ARGS)
{
	return aggregate_combine(fcinfo, &moments_kind);
}

PG_FUNCTION_INFO_V1(segment_contribution_moments_serialize);
Datum
segment_contribution_moments_serialize(PG_FUNCTION_ARGS)
{
	return aggregate_serialize(fcinfo, &moments_kind);
}

PG_FUNCTION_INFO_V1(segment_contribution_moments_deserialize);
Datum
segment_contribution_moments_deserialize(PG_FUNCTION_ARGS)
{
	return aggregate_deserialize(fcinfo, &moments_kind);
}

/* The final function: the sums as an array; NULL if nobody had any gross. */
PG_FUNCTION_INFO_V1(segment_contribution_moments_final);
Datum
segment_contribution_moments_final(PG_FUNCTION_ARGS)
{
	const Moments *moments = (const Moments *) aggregate_state(fcinfo);
	Datum		values[MOMENTS];

	if (moments == NULL)
		PG_RETURN_NULL();
	for (int i = 0; i < MOMENTS; i++)
		values[i] = DirectFunctionCall1(numeric_float8,
										NumericGetDatum(exact_sum_numeric(&moments->sums[i])));
	PG_RETURN_ARRAYTYPE_P(construct_array(values, MOMENTS, FLOAT8OID, sizeof(float8),
										  FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}
