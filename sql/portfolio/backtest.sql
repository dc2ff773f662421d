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
	orders bigint, actual_days float8, purchase_days bigint, span_days integer, tenure_days integer, repeat_spend float8,
	gross float8, past_days float8, value float8, actual_value float8, past_value float8
);
COMMENT ON TYPE segment_internal.backtest_customer IS
'a customer seen from the end of a cutoff: orders up to it, purchase days in the days after it; purchase days up to it, days from the first to the last of them and from the first to the cutoff, mean gross of a repeat purchase day, gross; purchase days in as many days before it, without the first purchase day and what was before it; contribution, margin minus cost, up to the cutoff, in the days after it and in those before it. NULL but for the first two without an order up to the cutoff';

CREATE FUNCTION segment_internal.backtest_customer(
	purchases segment.history, margins segment.history, costs segment.history, cutoff date, days integer, margin_rate float8
) RETURNS segment_internal.backtest_customer
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20
AS 'MODULE_PATHNAME', 'segment_backtest_customer';
COMMENT ON FUNCTION segment_internal.backtest_customer(segment.history, segment.history, segment.history, date, integer, float8) IS
'what is known of a customer at a cutoff, and what came in the days after and before it; margin_rate: share of sales that is contribution, where margins is NULL (NULL: none). NULL without an order up to the end of the days after the cutoff. Errors: 22008 infinite cutoff, 22023 days that are not between 1 and 36525 (internal)';

/* ---------- the model, fitted on what was known ---------- */

CREATE TYPE segment_internal.backtest_run AS (
	kind text, unit text, settings jsonb, margin_rate float8, cutoff date, horizon_days integer, customers bigint
);
COMMENT ON TYPE segment_internal.backtest_run IS
'what a backtest is made with: kind and time unit of the model of purchases, settings, share of sales that is contribution (NULL: the purchases have margins), last day that is known, days that are predicted, about how many customers there are';

CREATE TYPE segment_internal.backtest_fit AS (
	customers bigint, born_after bigint, leaving bigint, first_day date, usual_gap_days float8,
	mean_past_value float8, rate float8, usual_gross float8, prior_purchases float8,
	purchase_model segment.model, spend_model segment.model, usable boolean, has_value boolean
);
COMMENT ON TYPE segment_internal.backtest_fit IS
'what was known at the cutoff of a backtest: customers with an order; those whose first came in the days after; those whose last order would make them lost (setting lost_after_days) in the days after; first purchase day and usual gap of the population; mean contribution in as many days before, contribution per unit of gross, a usual purchase, and for how many of them that rate counts; the models, and whether purchases and contribution can be predicted';

/* The customers of a backtest: the FROM item k, for the c that a condition picks. */
CREATE FUNCTION segment_internal.backtest_customers(portfolio text, run segment_internal.backtest_run, sample text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN format($template$(
		SELECT r.customer_id, (r.b).orders, (r.b).actual_days, (r.b).purchase_days, (r.b).span_days, (r.b).tenure_days,
			((r.b).purchase_days - 1)::float8 AS x, (r.b).span_days / %5$s::float8 AS t_x, (r.b).tenure_days / %5$s::float8 AS t,
			(r.b).repeat_spend, (r.b).gross, (r.b).past_days, (r.b).value, (r.b).actual_value, (r.b).past_value
		FROM (
			SELECT c.customer_id, segment_internal.backtest_customer(c.purchases, c.margins, c.costs, %2$L::date, %3$s, %4$L::float8) AS b
			FROM %1$I.customer_history AS c
			WHERE %6$s
			OFFSET NULL
		) AS r
		WHERE (r.b).orders IS NOT NULL
	) AS k$template$, portfolio, (run).cutoff, (run).horizon_days, (run).margin_rate, segment_internal.unit_days((run).unit), sample);
COMMENT ON FUNCTION segment_internal.backtest_customers(text, segment_internal.backtest_run, text) IS
'the FROM item k: customers with an order up to the end of a backtest, orders is 0 for those who had none up to the cutoff, with the inputs of the models x, t_x, t, for the customers c of customer_history that a condition picks (internal)';

CREATE FUNCTION segment_internal.backtest_fit(
	portfolio text, run segment_internal.backtest_run, sample text, with_value boolean
) RETURNS segment_internal.backtest_fit
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp SET jit = off
AS $backtest_fit$
DECLARE
	fit segment_internal.backtest_fit;
BEGIN
	EXECUTE format($query$
		SELECT t.customers, t.born_after, t.leaving, t.first_day, t.usual_gap_days, t.mean_past_value, t.rate, u.usual_gross,
			coalesce(($2 ->> 'contribution_prior_purchases')::float8, segment_internal.contribution_prior(t.moments, t.rate, u.usual_gross)),
			t.purchase_model, t.spend_model
		FROM (
			SELECT count(*) FILTER (WHERE k.orders > 0) AS customers, count(*) FILTER (WHERE k.orders = 0) AS born_after,
				count(*) FILTER (WHERE k.tenure_days - k.span_days < $3 AND k.tenure_days - k.span_days >= $3 - $4) AS leaving,
				$1 - max(k.tenure_days) AS first_day,
				coalesce(segment.exact_avg(k.span_days / k.x) FILTER (WHERE k.x > 0), ($2 ->> 'dormancy_default_gap_days')::float8) AS usual_gap_days,
				segment_internal.exact_sum(k.past_value)::float8 / count(*) FILTER (WHERE k.orders > 0) AS mean_past_value,
				segment_internal.exact_sum(k.value)::float8 / nullif(segment_internal.exact_sum(k.gross)::float8, 0) AS rate,
				%4$s AS moments,
				segment.with_unit(segment.%1$I(k.x, k.t_x, k.t) FILTER (WHERE k.orders > 0), $5) AS purchase_model, %2$s AS spend_model
			FROM %3$s
		) AS t
		CROSS JOIN LATERAL (SELECT segment_internal.usual_gross(t.moments) AS usual_gross) AS u$query$, (run).kind || '_fit',
		CASE WHEN with_value THEN 'segment.with_unit(segment.gammagamma_fit(k.x, k.repeat_spend) FILTER (WHERE k.orders > 0), $5)' ELSE 'NULL::segment.model' END,
		segment_internal.backtest_customers(portfolio, run, sample),
		CASE WHEN with_value THEN 'segment_internal.contribution_moments(k.value, k.gross, k.purchase_days)' ELSE 'NULL::float8[]' END)
	INTO fit USING (run).cutoff, (run).settings, ((run).settings ->> 'lost_after_days')::float8::integer, (run).horizon_days, (run).unit;
	fit.usable := coalesce(segment.status(fit.purchase_model) <> 'too_few', false);
	fit.has_value := fit.usable AND coalesce(segment.status(fit.spend_model) <> 'too_few', false);
	RETURN fit;
END
$backtest_fit$;
COMMENT ON FUNCTION segment_internal.backtest_fit(text, segment_internal.backtest_run, text, boolean) IS
'fits the models of a backtest on what was known at its cutoff, that of amounts if contribution is to be predicted, for the customers c of customer_history that a condition picks (internal)';

/* ---------- what was predicted, beside what happened ---------- */

/*
 * The customers of a backtest, known at its cutoff, with what was predicted and
 * what happened: days are purchase days, value is contribution, past is the naive
 * baseline, risk the one not to buy by the portfolio's own past.  What could not
 * be predicted is 0.  Parameters: $1 the shares of risk_agg, or NULL, $2 the
 * backtest_fit.
 */
CREATE FUNCTION segment_internal.backtest_judged(portfolio text, run segment_internal.backtest_run, sample text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN format($template$(
		SELECT p.actual_days, p.past_days, p.actual_value, p.past_value, p.expected, p.probability,
			CASE WHEN ($2).has_value THEN coalesce(p.expected * segment.expected_spend(($2).spend_model, p.x, p.repeat_spend)
				* segment_internal.contribution_rate(p.value, p.gross, p.purchase_days, ($2).rate, ($2).usual_gross, ($2).prior_purchases), 0) ELSE 0 END AS value,
			coalesce(segment_internal.risk_share($1, segment_internal.gap_ratio(p.tenure_days - p.span_days, p.span_days, p.purchase_days,
				%3$L::float8, ($2).usual_gap_days), p.orders), 0) AS risk
		FROM (
			SELECT k.*,
				CASE WHEN ($2).usable THEN segment.expected_purchases(($2).purchase_model, k.x, k.t_x, k.t, %2$L::float8) ELSE 0 END AS expected,
				CASE WHEN ($2).usable THEN segment.purchase_probability(($2).purchase_model, k.x, k.t_x, k.t, %2$L::float8) ELSE 0 END AS probability
			FROM %1$s
			WHERE k.orders > 0
			OFFSET NULL
		) AS p
		OFFSET NULL
	) AS j$template$, segment_internal.backtest_customers(portfolio, run, sample),
	(run).horizon_days / segment_internal.unit_days((run).unit)::float8, (run).settings ->> 'dormancy_prior_gaps');
COMMENT ON FUNCTION segment_internal.backtest_judged(text, segment_internal.backtest_run, text) IS
'the FROM item j: what a backtest predicted of each customer known at its cutoff, and what happened, for the customers c of customer_history that a condition picks (internal)';

/* ---------- sums over tenths ---------- */

CREATE FUNCTION segment_internal.tenths_total(tenths float8[], col integer) RETURNS float8
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN (SELECT sum(tenths[t.tenth][col]) FROM generate_series(1, array_length(tenths, 1)) AS t(tenth));
COMMENT ON FUNCTION segment_internal.tenths_total(float8[], integer) IS
'the sum of a column of the result of tenths_agg, in the order of the tenths (internal)';

CREATE FUNCTION segment_internal.tenths_error(tenths float8[]) RETURNS float8
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN (SELECT sum(abs(tenths[t.tenth][2] - tenths[t.tenth][3])) / sum(tenths[t.tenth][1])
	FROM generate_series(1, array_length(tenths, 1)) AS t(tenth));
COMMENT ON FUNCTION segment_internal.tenths_error(float8[]) IS
'the calibration error of a result of tenths_agg with two amounts, predicted and actual: mean distance of their means, over the tenths (internal)';
