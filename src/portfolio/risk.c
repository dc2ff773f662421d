/*-------------------------------------------------------------------------
 *
 * risk.c
 *		The risk of making no order for a number of days, from the portfolio's
 *		own past: what became of customers who were as long away, by their own
 *		rhythm, and had bought as often.
 *
 * Looks at everybody from several earlier days, cutoffs, all at least that
 * number of days ago, and counts, by gap ratio and number of orders, who was
 * there and who then made no order for so long.  Counts are whole numbers, so
 * the result does not depend on the order of customers or on workers.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include "catalog/pg_type.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/memutils.h"

#include "base/aggregate.h"
#include "base/arguments.h"
#include "base/result_row.h"
#include "portfolio/gap_ratio.h"
#include "portfolio/risk.h"
#include "types/history.h"

/* Cutoffs: the last one the days before as_of, each other a quarter of them earlier */
#define RISK_CUTOFFS	5
#define RISK_QUARTERS	4

/* Longest time ahead: 100 years */
#define RISK_MAX_DAYS	36525

/* Where steps of the gap ratio begin, but for the first, which begins at 0 */
static const double risk_steps[] = {
	0.25, 0.35, 0.5, 0.7, 1, 1.4, 2, 2.8, 4, 5.6, 8, 11, 16, 22, 32, 45, 64, 90, 128
};

#define RISK_STEPS		(lengthof(risk_steps) + 1)

/* The largest number of orders in each band, but for the last, which has none */
static const int64 risk_bands[] = {1, 2, 4, 8, 16};

#define RISK_BANDS		(lengthof(risk_bands) + 1)

/* Customers in a cell, and those of them who made no order. */
typedef struct RiskCell
{
	int64		customers;
	int64		lost;
} RiskCell;

typedef struct RiskState
{
	/* the same for all rows */
	DateADT		as_of;
	int32		days;
	double		prior_gaps;
	double		usual_gap;
	double		prior_customers;

	int64		known;			/* customers at the last cutoff */
	RiskCell	cells[RISK_BANDS][RISK_STEPS];
} RiskState;

static inline int
step_of(double gap_ratio)
{
	int			step = 0;

	while (step < lengthof(risk_steps) && gap_ratio >= risk_steps[step])
		step++;
	return step;
}

static inline int
band_of(int64 orders)
{
	int			band = 0;

	while (band < lengthof(risk_bands) && orders > risk_bands[band])
		band++;
	return band;
}

/* ---------- counting ---------- */

/* A customer as seen from a cutoff. */
typedef struct RiskCustomer
{
	int64		orders;
	int64		purchase_days;
	DateADT		first_day;		/* valid if purchase_days > 0 */
	DateADT		last_day;
} RiskCustomer;

static void
count_customer(RiskState *state, const RiskCustomer *customer, int64 cutoff, bool is_last, bool lost)
{
	RiskCell   *cell;

	if (customer->purchase_days == 0)
		return;
	cell = &state->cells[band_of(customer->orders)]
		[step_of(customer_gap_ratio(cutoff - customer->last_day,
									(int64) customer->last_day - customer->first_day,
									customer->purchase_days, state->prior_gaps, state->usual_gap))];
	cell->customers++;
	cell->lost += lost;
	state->known += is_last;
}

/* One pass: a cutoff is decided by the first purchase day after it. */
static void
count_history(RiskState *state, const struct varlena *history)
{
	HistoryReader reader;
	HistoryDay	day;
	RiskCustomer customer = {0};
	int64		cutoffs[RISK_CUTOFFS];
	int			cutoff = 0;

	for (int i = 0; i < RISK_CUTOFFS; i++)
		cutoffs[i] = (int64) state->as_of - state->days -
			(int64) state->days * (RISK_CUTOFFS - 1 - i) / RISK_QUARTERS;
	history_open(&reader, history);
	while (cutoff < RISK_CUTOFFS && history_next(&reader, &day))
	{
		CHECK_FOR_INTERRUPTS();
		if (day.orders == 0)
			continue;
		for (; cutoff < RISK_CUTOFFS && cutoffs[cutoff] < day.day; cutoff++)
			count_customer(state, &customer, cutoffs[cutoff], cutoff == RISK_CUTOFFS - 1,
						   day.day > cutoffs[cutoff] + state->days);
		if (customer.purchase_days == 0)
			customer.first_day = day.day;
		customer.last_day = day.day;
		customer.purchase_days++;
		customer.orders += day.orders;
	}
	for (; cutoff < RISK_CUTOFFS; cutoff++)
		count_customer(state, &customer, cutoffs[cutoff], cutoff == RISK_CUTOFFS - 1, true);
}

/*
 * risk_accum(state, purchases, as_of, days, prior_gaps, usual_gap_days,
 * prior_customers): one more customer; a row with a NULL is skipped
 */
PG_FUNCTION_INFO_V1(segment_risk_accum);
Datum
segment_risk_accum(PG_FUNCTION_ARGS)
{
	RiskState  *state = (RiskState *) aggregate_state(fcinfo);
	DateADT		as_of;
	int32		days;
	double		prior_gaps,
				usual_gap,
				prior_customers;

	if (aggregate_skips_row(fcinfo))
		return aggregate_unchanged(fcinfo);
	as_of = finite_date(PG_GETARG_DATEADT(2), "as_of");
	days = PG_GETARG_INT32(3);
	prior_gaps = PG_GETARG_FLOAT8(4);
	usual_gap = PG_GETARG_FLOAT8(5);
	prior_customers = PG_GETARG_FLOAT8(6);
	if (state == NULL)
	{
		arguments_check_range("days", days, 1, RISK_MAX_DAYS);
		arguments_check_range("prior_gaps", prior_gaps, 0, ARGUMENTS_MAX_TIME);
		arguments_check_range("usual_gap_days", usual_gap, 1e-12, ARGUMENTS_MAX_TIME);
		arguments_check_range("prior_customers", prior_customers, 1e-6, ARGUMENTS_MAX_WEIGHT);
		state = MemoryContextAllocZero(aggregate_context(fcinfo), sizeof(RiskState));
		state->as_of = as_of;
		state->days = days;
		state->prior_gaps = prior_gaps;
		state->usual_gap = usual_gap;
		state->prior_customers = prior_customers;
	}
	arguments_check_same(state->as_of == as_of, "as_of");
	arguments_check_same(state->days == days, "days");
	arguments_check_same(state->prior_gaps == prior_gaps, "prior_gaps");
	arguments_check_same(state->usual_gap == usual_gap, "usual_gap_days");
	arguments_check_same(state->prior_customers == prior_customers, "prior_customers");
	count_history(state, history_argument(PG_GETARG_DATUM(1)));
	PG_RETURN_POINTER(state);
}

/* ---------- the state between processes ---------- */

static void *
risk_create_like(MemoryContext context, const void *other)
{
	RiskState  *state = MemoryContextAlloc(context, sizeof(RiskState));

	*state = *(const RiskState *) other;
	state->known = 0;
	memset(state->cells, 0, sizeof(state->cells));
	return state;
}

static void
risk_merge(void *target, const void *other)
{
	RiskState  *state = (RiskState *) target;
	const RiskState *more = (const RiskState *) other;

	state->known += more->known;
	for (int band = 0; band < RISK_BANDS; band++)
		for (int step = 0; step < RISK_STEPS; step++)
		{
			state->cells[band][step].customers += more->cells[band][step].customers;
			state->cells[band][step].lost += more->cells[band][step].lost;
		}
}

static void
risk_send(StringInfo buf, void *source)
{
	const RiskState *state = (const RiskState *) source;

	pq_sendint32(buf, state->as_of);
	pq_sendint32(buf, state->days);
	pq_sendfloat8(buf, state->prior_gaps);
	pq_sendfloat8(buf, state->usual_gap);
	pq_sendfloat8(buf, state->prior_customers);
	pq_sendint64(buf, state->known);
	for (int band = 0; band < RISK_BANDS; band++)
		for (int step = 0; step < RISK_STEPS; step++)
		{
			pq_sendint64(buf, state->cells[band][step].customers);
			pq_sendint64(buf, state->cells[band][step].lost);
		}
}

static void *
risk_receive(StringInfo buf, const AggregateKind *kind)
{
	RiskState  *state = palloc(sizeof(RiskState));

	state->as_of = pq_getmsgint(buf, 4);
	state->days = pq_getmsgint(buf, 4);
	state->prior_gaps = pq_getmsgfloat8(buf);
	state->usual_gap = pq_getmsgfloat8(buf);
	state->prior_customers = pq_getmsgfloat8(buf);
	state->known = pq_getmsgint64(buf);
	for (int band = 0; band < RISK_BANDS; band++)
		for (int step = 0; step < RISK_STEPS; step++)
		{
			RiskCell   *cell = &state->cells[band][step];

			cell->customers = pq_getmsgint64(buf);
			cell->lost = pq_getmsgint64(buf);
			if (cell->lost < 0 || cell->lost > cell->customers)
				aggregate_invalid_state(kind);
		}
	if (state->known < 0 || state->days < 1 || !(state->prior_customers > 0))
		aggregate_invalid_state(kind);
	return state;
}

static const AggregateKind risk_kind = {
	"risk_agg", 1, risk_create_like, risk_merge, risk_send, risk_receive
};

PG_FUNCTION_INFO_V1(segment_risk_combine);
Datum
segment_risk_combine(PG_FUNCTION_ARGS)
{
	return aggregate_combine(fcinfo, &risk_kind);
}

PG_FUNCTION_INFO_V1(segment_risk_serialize);
Datum
segment_risk_serialize(PG_FUNCTION_ARGS)
{
	return aggregate_serialize(fcinfo, &risk_kind);
}

PG_FUNCTION_INFO_V1(segment_risk_deserialize);
Datum
segment_risk_deserialize(PG_FUNCTION_ARGS)
{
	return aggregate_deserialize(fcinfo, &risk_kind);
}

/* ---------- from counts to shares ---------- */

/*
 * Makes shares ascend, as near to what they are as can be: neighbors that
 * descend get their weighted mean (pool adjacent violators: Ayer and others,
 * Annals of Mathematical Statistics 26, 1955).
 */
static void
make_ascend(double *shares, const double *weights)
{
	double		means[RISK_STEPS];
	double		sums[RISK_STEPS];	/* of weights */
	int			ends[RISK_STEPS];
	int			pools = 0;

	for (int step = 0; step < RISK_STEPS; step++)
	{
		double		mean = shares[step];
		double		sum = weights[step];

		while (pools > 0 && means[pools - 1] >= mean)
		{
			pools--;
			mean = (means[pools] * sums[pools] + mean * sum) / (sums[pools] + sum);
			sum += sums[pools];
		}
		means[pools] = mean;
		sums[pools] = sum;
		ends[pools++] = step + 1;
	}
	for (int pool = 0, step = 0; pool < pools; pool++)
		for (; step < ends[pool]; step++)
			shares[step] = means[pool];
}

/*
 * The share of all customers, whatever their number of orders, by step: with one
 * more customer, half of whom is lost, so that a step that nobody has reached yet
 * is a case of "nobody knows", and never of 0.
 */
static void
shares_of_all(const RiskState *state, double *shares)
{
	double		weights[RISK_STEPS];

	for (int step = 0; step < RISK_STEPS; step++)
	{
		RiskCell	all = {0};

		for (int band = 0; band < RISK_BANDS; band++)
		{
			all.customers += state->cells[band][step].customers;
			all.lost += state->cells[band][step].lost;
		}
		weights[step] = all.customers + 1.0;
		shares[step] = (all.lost + 0.5) / weights[step];
	}
	make_ascend(shares, weights);
}

/* risk_final(state): see the comment on the aggregate risk_agg */
PG_FUNCTION_INFO_V1(segment_risk_final);
Datum
segment_risk_final(PG_FUNCTION_ARGS)
{
	RiskState  *state = (RiskState *) aggregate_state(fcinfo);
	double		all[RISK_STEPS];
	Datum		shares[RISK_BANDS * RISK_STEPS];
	int			dims[2] = {RISK_BANDS, RISK_STEPS};
	int			lower[2] = {1, 1};
	int64		customers = 0;
	int64		lost = 0;
	Datum		values[4];
	bool		nulls[4] = {false};

	if (state == NULL)
		PG_RETURN_NULL();
	shares_of_all(state, all);
	for (int band = 0; band < RISK_BANDS; band++)
	{
		double		own[RISK_STEPS];
		double		weights[RISK_STEPS];

		for (int step = 0; step < RISK_STEPS; step++)
		{
			const RiskCell *cell = &state->cells[band][step];

			customers += cell->customers;
			lost += cell->lost;
			weights[step] = cell->customers + state->prior_customers;
			own[step] = (cell->lost + state->prior_customers * all[step]) / weights[step];
		}
		make_ascend(own, weights);
		for (int step = 0; step < RISK_STEPS; step++)
			shares[band * RISK_STEPS + step] = Float8GetDatum(own[step]);
	}
	values[0] = Int64GetDatum(state->known);
	values[1] = Int64GetDatum(customers);
	values[2] = Int64GetDatum(lost);
	values[3] = PointerGetDatum(construct_md_array(shares, NULL, 2, dims, lower, FLOAT8OID,
												   sizeof(float8), true, TYPALIGN_DOUBLE));
	PG_RETURN_DATUM(row_form(result_row(fcinfo, lengthof(values)), values, nulls));
}

/* ---------- a customer ---------- */

/*
 * risk_shares_checked: the shares in the result of risk_agg
 *
 * Error 22023 for another array.
 */
const double *
risk_shares_checked(ArrayType *shares)
{
	if (ARR_NDIM(shares) != 2 || ARR_DIMS(shares)[0] != RISK_BANDS ||
		ARR_DIMS(shares)[1] != RISK_STEPS || array_contains_nulls(shares))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must be an array of %d times %d numbers", "shares",
						(int) RISK_BANDS, (int) RISK_STEPS)));
	return (const double *) ARR_DATA_PTR(shares);
}

/* risk_share: the share of customers alike who made no order, from one order on */
double
risk_share(const double *shares, double gap_ratio, int64 orders)
{
	return shares[band_of(orders) * RISK_STEPS + step_of(gap_ratio)];
}

/* risk_share(shares, gap_ratio, orders): the same; NULL without an order */
PG_FUNCTION_INFO_V1(segment_risk_share);
Datum
segment_risk_share(PG_FUNCTION_ARGS)
{
	const double *shares = risk_shares_checked(PG_GETARG_ARRAYTYPE_P(0));
	int64		orders = PG_GETARG_INT64(2);

	if (orders < 1)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(risk_share(shares, PG_GETARG_FLOAT8(1), orders));
}

/*
 * gap_ratio(days, span, purchase_days, prior_gaps, usual_gap_days): that of the
 * view customer, from what is known of a customer
 */
PG_FUNCTION_INFO_V1(segment_gap_ratio);
Datum
segment_gap_ratio(PG_FUNCTION_ARGS)
{
	int64		purchase_days = PG_GETARG_INT64(2);
	double		prior_gaps = PG_GETARG_FLOAT8(3);
	double		usual_gap = PG_GETARG_FLOAT8(4);

	arguments_check_range("purchase_days", purchase_days, 1, ARGUMENTS_MAX_TIME);
	arguments_check_range("prior_gaps", prior_gaps, 0, ARGUMENTS_MAX_TIME);
	arguments_check_range("usual_gap_days", usual_gap, 1e-12, ARGUMENTS_MAX_TIME);
	PG_RETURN_FLOAT8(customer_gap_ratio(PG_GETARG_INT32(0), PG_GETARG_INT32(1), purchase_days,
										prior_gaps, usual_gap));
}
