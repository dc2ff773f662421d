/*
 * backtest: what was predicted at an earlier day, beside what happened then
 *
 * A model is fitted on what was known at the end of a cutoff day, predicts the
 * days after it, and is compared with what happened; beside it the naive
 * baseline: whoever bought in as many days before the cutoff, after the first
 * purchase day, buys again, as often and for as much.  All from the stored
 * histories.
 */

CREATE TYPE segment_internal.backtest_customer AS (
	orders bigint, purchase_days bigint, span_days integer, tenure_days integer, repeat_spend float8,
	gross float8, net float8, cost float8, actual_days float8, actual_net float8, actual_cost float8,
	past_days float8, past_net float8, past_cost float8, margin float8, actual_margin float8, past_margin float8
);
COMMENT ON TYPE segment_internal.backtest_customer IS
'a customer seen from the end of a cutoff: orders, purchase days, days from the first to the last of them and from the first to the cutoff, mean gross of a repeat purchase day, sums up to the cutoff; actual: purchase days and sums in the days after it; past: those in as many days before it, without the first purchase day and what was before it. margin is NULL where the purchases have none';

CREATE FUNCTION segment_internal.backtest_customer(
	purchases segment.history, margins segment.history, costs segment.history, cutoff date, days integer
) RETURNS segment_internal.backtest_customer
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20
AS 'MODULE_PATHNAME', 'segment_backtest_customer';
COMMENT ON FUNCTION segment_internal.backtest_customer(segment.history, segment.history, segment.history, date, integer) IS
'what is known of a customer at a cutoff, and what came in the days after and before it; NULL without an order up to the cutoff. Errors: 22008 infinite cutoff, 22023 days that are not between 1 and 36525 (internal)';

CREATE FUNCTION segment_internal.tenths_total(tenths float8[], col integer) RETURNS float8
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN (SELECT sum(tenths[t.tenth][col]) FROM generate_series(1, array_length(tenths, 1)) AS t(tenth));
COMMENT ON FUNCTION segment_internal.tenths_total(float8[], integer) IS
'the sum of a column of the result of tenths_agg, in the order of the tenths (internal)';

/* ---------- the query ---------- */

CREATE TYPE segment_internal.backtest_run AS (
	kind text, unit text, settings jsonb, margin_rate float8, cutoff date, horizon_days integer, usual_gap_days float8
);
COMMENT ON TYPE segment_internal.backtest_run IS
'what a backtest is made with: kind and time unit of the model of purchases, settings, share of sales that is contribution (NULL: the purchases have margins), last day that is known, days that are predicted, usual gap of the population as it was known';

CREATE FUNCTION segment_internal.tenths_error(tenths float8[]) RETURNS float8
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN (SELECT sum(abs(tenths[t.tenth][2] - tenths[t.tenth][3])) / sum(tenths[t.tenth][1])
	FROM generate_series(1, array_length(tenths, 1)) AS t(tenth));
COMMENT ON FUNCTION segment_internal.tenths_error(float8[]) IS
'the calibration error of a result of tenths_agg with two amounts, predicted and actual: mean distance of their means, over the tenths (internal)';

/*
 * The common part of the queries behind backtest.  Relations:
 *
 *	known	the customers with an order up to the cutoff, and what happened
 *	base	one row: what is the same for all
 *	fitted	the same with the models, fitted on what was known
 *	judged	the customers with what was predicted and what happened: days are
 *			purchase days, value is contribution; past is the naive baseline.
 *			What could not be predicted is 0 here, and usable is false
 *
 * Parameter $1 is the shares of risk_of_past.
 */
CREATE FUNCTION segment_internal.backtest_query(portfolio text, run segment_internal.backtest_run, sample text DEFAULT 'true') RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN format($template$
	WITH known AS MATERIALIZED (
		SELECT r.customer_id, (r.b).orders, (r.b).purchase_days, (r.b).span_days, (r.b).tenure_days, (r.b).repeat_spend, (r.b).gross,
			coalesce((r.b).margin, (r.b).net * m.rate, 0) - (r.b).cost AS value, (r.b).actual_days, (r.b).past_days,
			coalesce((r.b).actual_margin, (r.b).actual_net * m.rate, 0) - (r.b).actual_cost AS actual_value,
			coalesce((r.b).past_margin, (r.b).past_net * m.rate, 0) - (r.b).past_cost AS past_value
		FROM (
			SELECT c.customer_id, segment_internal.backtest_customer(c.purchases, c.margins, c.costs, %2$L::date, %3$s) AS b
			FROM %1$I.customer_history AS c
			WHERE %10$s
			OFFSET 0
		) AS r
		CROSS JOIN (SELECT %4$L::float8 AS rate) AS m
		WHERE (r.b).orders > 0
	), base AS MATERIALIZED (
		SELECT t.customers, t.past_value / t.customers AS mean_past_value, r.rate, r.usual_gross,
			coalesce(%11$L::float8, segment_internal.contribution_prior(t.moments, r.rate, r.usual_gross)) AS prior_purchases,
			t.purchase_model, t.spend_model
		FROM (
			SELECT count(*)::float8 AS customers,
				segment_internal.exact_sum(k.past_value) AS past_value, segment_internal.exact_sum(k.value) AS value,
				segment_internal.exact_sum(k.gross) AS gross, ARRAY[%12$s] AS moments,
				segment.with_unit(segment.%7$I(k.purchase_days - 1, k.span_days / %8$s::float8, k.tenure_days / %8$s::float8), %5$L) AS purchase_model,
				segment.with_unit(segment.gammagamma_fit(k.purchase_days - 1, k.repeat_spend), %5$L) AS spend_model
			FROM known AS k
			CROSS JOIN LATERAL (
				SELECT CASE WHEN k.gross > 0 THEN segment_internal.contribution_moments(k.value, k.gross, k.purchase_days) END AS moments
				OFFSET 0
			) AS m
		) AS t
		CROSS JOIN LATERAL (
			SELECT t.value / nullif(t.gross, 0) AS rate, segment_internal.usual_gross(t.moments) AS usual_gross
		) AS r
	), fitted AS MATERIALIZED (
		SELECT b.*, coalesce(segment.status(b.purchase_model) <> 'too_few', false) AS usable,
			coalesce(segment.status(b.purchase_model) <> 'too_few' AND segment.status(b.spend_model) <> 'too_few', false) AS has_value
		FROM base AS b
	), judged AS MATERIALIZED (
		SELECT k.customer_id, k.purchase_days, k.span_days, k.tenure_days, k.actual_days, k.past_days, k.actual_value, k.past_value,
			f.usable, f.has_value, p.expected, p.probability,
			CASE WHEN f.has_value THEN coalesce(p.expected * segment.expected_spend(f.spend_model, x.x, k.repeat_spend)
				* segment_internal.contribution_rate(k.value, k.gross, k.purchase_days, f.rate, f.usual_gross, f.prior_purchases), 0) ELSE 0 END AS value,
			coalesce(segment_internal.risk_share($1, segment_internal.gap_ratio(k.tenure_days - k.span_days, k.span_days, k.purchase_days,
				%9$L::float8, %6$L::float8), k.orders), 0) AS risk
		FROM known AS k
		CROSS JOIN fitted AS f
		CROSS JOIN LATERAL (
			SELECT (k.purchase_days - 1)::float8 AS x, k.span_days / %8$s::float8 AS t_x, k.tenure_days / %8$s::float8 AS t
		) AS x
		CROSS JOIN LATERAL (
			SELECT CASE WHEN f.usable THEN segment.expected_purchases(f.purchase_model, x.x, x.t_x, x.t, %3$s / %8$s::float8) ELSE 0 END AS expected,
				CASE WHEN f.usable THEN segment.purchase_probability(f.purchase_model, x.x, x.t_x, x.t, %3$s / %8$s::float8) ELSE 0 END AS probability
			OFFSET 0
		) AS p
	)$template$, portfolio, (run).cutoff, (run).horizon_days, (run).margin_rate, (run).unit,
	(run).usual_gap_days, (run).kind || '_fit', segment_internal.unit_days((run).unit),
	(run).settings ->> 'dormancy_prior_gaps', sample, (run).settings ->> 'contribution_prior_purchases',
	(SELECT string_agg(format('segment_internal.exact_sum(m.moments[%s])', n), ', ' ORDER BY n) FROM generate_series(1, 9) AS n));
COMMENT ON FUNCTION segment_internal.backtest_query(text, segment_internal.backtest_run, text) IS
'the common part of the queries behind backtest: relations known, base, fitted and judged, with the shares of risk_agg as parameter $1 (NULL: none), for the customers c of customer_history that a condition picks (internal)';
