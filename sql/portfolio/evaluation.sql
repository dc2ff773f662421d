/*
 * evaluation: predictions proved on the user's own data
 *
 * A model is fitted on what was known at the end of a cutoff day, predicts the
 * days after it, and is compared with what happened then; beside it the naive
 * baseline: whoever bought in as many days before the cutoff buys again, as
 * often.  All from the stored histories.
 */

/*
 * The customers known at the cutoff with prediction, baseline and what
 * happened: relation judged (customer_id, expected, probability, actual, past).
 */
CREATE FUNCTION segment_internal.backtest_query(portfolio text, kind text, unit text, cutoff date, horizon_days integer) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN format($template$
	WITH known AS MATERIALIZED (
		SELECT ((r.m).purchase_days - 1)::float8 AS x,
			((r.m).last_day - (r.m).first_day) / u.days AS t_x, (r.m).tenure_days / u.days AS t,
			u.days AS unit_days, r.actual, r.past, c.customer_id
		FROM (SELECT segment_internal.unit_days(%3$L)) AS u(days)
		CROSS JOIN %1$I.customer_history AS c
		CROSS JOIN LATERAL (
			SELECT segment.measures(c.purchases, %4$L::date) AS m,
				coalesce(segment.purchase_days(segment.during(c.purchases,
					%4$L::date + 1, %4$L::date + %5$s)), 0)::float8 AS actual,
				coalesce(segment.purchase_days(segment.during(c.purchases,
					%4$L::date - %5$s + 1, %4$L::date)), 0)::float8 AS past
			OFFSET 0
		) AS r
		WHERE (r.m).orders > 0
	), fitted AS MATERIALIZED (
		SELECT nullif(segment.status(f.model), 'too_few') AS status, f.model
		FROM (SELECT segment.with_unit(segment.%2$I(k.x, k.t_x, k.t), %3$L) AS model FROM known AS k) AS f
	), judged AS MATERIALIZED (
		SELECT k.customer_id, k.actual, k.past,
			CASE WHEN f.status IS NOT NULL
				THEN segment.expected_purchases(f.model, k.x, k.t_x, k.t, %5$s / k.unit_days) END AS expected,
			CASE WHEN f.status IS NOT NULL
				THEN segment.purchase_probability(f.model, k.x, k.t_x, k.t, %5$s / k.unit_days) END AS probability
		FROM known AS k CROSS JOIN fitted AS f
	)$template$, portfolio, kind || '_fit', unit, cutoff, horizon_days);
COMMENT ON FUNCTION segment_internal.backtest_query(text, text, text, date, integer) IS
'the common part of the queries behind backtest: relations known, fitted and judged (internal)';

/* Kind and unit of the models; refuses what cannot be compared. */
CREATE FUNCTION segment_internal.backtest_prepare(
	portfolio text, cutoff date, horizon_days integer, OUT kind text, OUT unit text, OUT settings jsonb
)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $backtest_prepare$
DECLARE
	last_day date;
BEGIN
	IF cutoff IS NULL OR NOT isfinite(cutoff) THEN
		RAISE EXCEPTION USING ERRCODE = 'datetime_field_overflow',
			MESSAGE = format('argument "cutoff" must be a finite date, not "%s"', coalesce(cutoff::text, 'NULL'));
	ELSIF horizon_days IS NULL OR horizon_days < 1 OR horizon_days > 36525 THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('argument "horizon_days" must be from 1 to 36525, not %s', coalesce(horizon_days::text, 'NULL'));
	END IF;
	EXECUTE format('SELECT s.as_of, s.settings FROM %I.scorecard AS s ORDER BY s.scorecard_id DESC LIMIT 1', portfolio)
	INTO last_day, settings;
	EXECUTE format('SELECT p.unit FROM %I.portfolio AS p', portfolio) INTO unit;
	IF cutoff + horizon_days > last_day THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('the %s days after %s are not over yet', horizon_days, cutoff),
			DETAIL = format('The portfolio is seen as of %s.', last_day),
			HINT = format('The latest cutoff for this horizon is %s.', last_day - horizon_days);
	END IF;
	-- without a model of its own, the portfolio is judged by the usual one
	kind := coalesce(nullif(settings ->> 'purchase_model', 'none'), 'mbgnbd');
END
$backtest_prepare$;
COMMENT ON FUNCTION segment_internal.backtest_prepare(text, date, integer) IS
'checks the arguments of a backtest; errors: 22008 cutoff, 22023 horizon or days that are not over (internal)';

CREATE TYPE segment_internal.backtest_measure AS (measure text, model float8, baseline float8, meaning text);
COMMENT ON TYPE segment_internal.backtest_measure IS
'a row of backtest (internal)';

/* All of backtest, as the portfolio's owner: see portfolio_run. */
CREATE FUNCTION segment_internal.backtest_measures(name text, arguments jsonb)
RETURNS SETOF segment_internal.backtest_measure
LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 20
SET search_path = pg_catalog, pg_temp
AS $backtest_measures$
DECLARE
	cutoff date := arguments ->> 'cutoff';
	horizon_days integer := arguments ->> 'horizon_days';
	false_alarm_cost float8 := arguments ->> 'false_alarm_cost';
	miss_cost float8 := arguments ->> 'miss_cost';
	prepared record := segment_internal.backtest_prepare(name, cutoff, horizon_days);
	threshold float8;
BEGIN
	-- so that their sum is finite, too; NaN is greater than any number
	IF NOT coalesce(false_alarm_cost BETWEEN 0 AND 1e300 AND miss_cost BETWEEN 0 AND 1e300
			AND false_alarm_cost + miss_cost > 0, false) THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('costs must be finite, not negative and not both 0: %s, %s',
				coalesce(false_alarm_cost::text, 'NULL'), coalesce(miss_cost::text, 'NULL')),
			HINT = 'They are false_alarm_cost and miss_cost, at most 1e300.';
	END IF;
	threshold := false_alarm_cost / (false_alarm_cost + miss_cost);
	RETURN QUERY EXECUTE segment_internal.backtest_query(name, prepared.kind, prepared.unit, cutoff, horizon_days)
		|| format($query$, ranked AS MATERIALIZED (
		-- mean ranks: equal predictions share one
		SELECT j.*, j.actual > 0 AS bought, j.probability >= $1 AS predicted, j.past > 0 AS expected_again,
			rank() OVER p + (count(*) OVER (PARTITION BY j.probability) - 1) / 2.0 AS probability_rank,
			rank() OVER b + (count(*) OVER (PARTITION BY j.past) - 1) / 2.0 AS past_rank,
			ntile(10) OVER (ORDER BY j.expected DESC, j.probability DESC, j.customer_id) AS decile,
			ntile(10) OVER (ORDER BY j.past DESC, j.customer_id) AS past_decile
		FROM judged AS j WINDOW p AS (ORDER BY j.probability), b AS (ORDER BY j.past)
	), counted AS (
		SELECT count(*)::float8 AS customers, count(*) FILTER (WHERE r.bought)::float8 AS buyers,
			sum(r.actual::numeric)::float8 AS actual,
			sum(r.expected::numeric)::float8 AS expected, sum(r.past::numeric)::float8 AS past,
			avg(abs(r.expected - r.actual)::numeric)::float8 AS mae,
			avg(abs(r.past - r.actual)::numeric)::float8 AS past_mae,
			count(*) FILTER (WHERE r.predicted)::float8 AS predicted,
			count(*) FILTER (WHERE r.predicted AND r.bought)::float8 AS hits,
			count(*) FILTER (WHERE r.expected_again)::float8 AS past_predicted,
			count(*) FILTER (WHERE r.expected_again AND r.bought)::float8 AS past_hits,
			sum(r.probability_rank) FILTER (WHERE r.bought)::float8 AS ranks,
			sum(r.past_rank) FILTER (WHERE r.bought)::float8 AS past_ranks,
			avg(r.actual::numeric) FILTER (WHERE r.decile = 1)::float8 AS top,
			avg(r.actual::numeric) FILTER (WHERE r.past_decile = 1)::float8 AS past_top,
			bool_and(r.probability IS NOT NULL) AS usable
		FROM ranked AS r
	), best AS (
		-- the cheapest threshold in hindsight: false alarms above it, misses below
		SELECT t.probability FROM (
			SELECT r.probability,
				$2 * count(*) FILTER (WHERE NOT r.bought) OVER w
				- $3 * count(*) FILTER (WHERE r.bought) OVER w AS cost
			FROM ranked AS r WINDOW w AS (ORDER BY r.probability DESC)
		) AS t ORDER BY t.cost, t.probability DESC LIMIT 1
	), figures AS (
		SELECT c.*, b.probability AS best_threshold, 1 - c.hits / nullif(c.predicted, 0) AS error_rate,
			1 - c.hits / nullif(c.buyers, 0) AS miss_rate,
			(c.ranks - c.buyers * (c.buyers + 1) / 2) / nullif(c.buyers * (c.customers - c.buyers), 0) AS auc,
			(c.past_ranks - c.buyers * (c.buyers + 1) / 2) / nullif(c.buyers * (c.customers - c.buyers), 0) AS past_auc,
			(SELECT count(*) FROM %1$I.customer_history AS h
				WHERE segment.first_day(h.purchases) > %2$L::date
				AND segment.first_day(h.purchases) <= %2$L::date + %3$s)::float8 AS born_after
		FROM counted AS c LEFT JOIN best AS b ON true
	)
	SELECT v.measure, CASE WHEN f.usable OR v.always THEN v.model END, v.baseline, v.meaning
	FROM figures AS f
	CROSS JOIN LATERAL (VALUES
		('customers', true, f.customers, f.customers, 'customers with a purchase up to the cutoff'),
		('born_after_cutoff', true, f.born_after, f.born_after, 'customers whose first purchase came in the days after the cutoff: not predicted, not counted elsewhere'),
		('buyers', true, f.buyers, f.buyers, 'of the customers, those who bought in the days after the cutoff'),
		('actual_purchases', true, f.actual, f.actual, 'purchase days after the cutoff'),
		('predicted_purchases', false, f.expected, f.past, 'purchase days predicted'),
		('bias', false, f.expected / nullif(f.actual, 0) - 1, f.past / nullif(f.actual, 0) - 1, 'predicted against actual purchase days: 0 is exact, 0.1 is 10 %% too many'),
		('mae', false, f.mae, f.past_mae, 'mean absolute error of a customer''s purchase days; lower is better'),
		('threshold', false, $1, NULL, 'predicted to buy from this probability on: cost of a false alarm / (that of a false alarm + that of a miss)'),
		('best_threshold', false, f.best_threshold, NULL, 'the threshold that would have cost least, in hindsight'),
		('predicted_buyers', false, f.predicted, f.past_predicted, 'customers predicted to buy'),
		('error_rate', false, f.error_rate, 1 - f.past_hits / nullif(f.past_predicted, 0), 'predicted to buy but did not, of all predicted, 0..1; lower is better'),
		('miss_rate', false, f.miss_rate, 1 - f.past_hits / nullif(f.buyers, 0), 'bought but not predicted, of all who bought, 0..1; lower is better'),
		('recall', false, 1 - f.miss_rate, f.past_hits / nullif(f.buyers, 0), '1 - miss_rate'),
		('auc', false, f.auc, f.past_auc, 'chance that a buyer was ranked above a non-buyer, 0..1; 0.5 is chance, higher is better'),
		('top_decile_lift', false, f.top * f.customers / nullif(f.actual, 0), f.past_top * f.customers / nullif(f.actual, 0), 'purchase days of the tenth ranked highest, against the mean of all; higher is better'),
		('verdict', true, CASE WHEN f.usable THEN (f.auc > f.past_auc)::integer + (f.mae < f.past_mae)::integer END, NULL,
			CASE WHEN NOT coalesce(f.usable, false) THEN 'not usable: too few repeat buyers before the cutoff to fit a model'
				WHEN f.buyers = 0 THEN 'not to be judged: nobody bought after the cutoff'
				WHEN f.error_rate > $4 THEN format('not usable: the error rate %%s is above %%s', round(f.error_rate::numeric, 3), $4)
				WHEN f.miss_rate > $5 THEN format('not usable: the miss rate %%s is above %%s', round(f.miss_rate::numeric, 3), $5)
				WHEN f.auc > f.past_auc AND f.mae < f.past_mae THEN 'usable: better than the baseline in ranking and in numbers'
				WHEN f.auc > f.past_auc THEN 'usable: better than the baseline in ranking, not in numbers'
				WHEN f.mae < f.past_mae THEN 'usable: better than the baseline in numbers, not in ranking'
				ELSE 'no better than the baseline' END)
	) AS v(measure, always, model, baseline, meaning)$query$, name, cutoff, horizon_days)
	USING threshold, false_alarm_cost, miss_cost,
		(prepared.settings ->> 'usable_error_rate')::float8, (prepared.settings ->> 'usable_miss_rate')::float8;
END
$backtest_measures$;
COMMENT ON FUNCTION segment_internal.backtest_measures(text, jsonb) IS
'backtests the model of purchases, with the current user''s rights; errors as for backtest (internal)';

CREATE FUNCTION segment.backtest(
	name text, cutoff date, horizon_days integer,
	false_alarm_cost float8 DEFAULT 1, miss_cost float8 DEFAULT 1
) RETURNS TABLE (measure text, model float8, baseline float8, meaning text)
LANGUAGE sql STABLE PARALLEL RESTRICTED ROWS 20
SET search_path = pg_catalog, pg_temp
-- the costs become JSON, and must keep their digits
SET extra_float_digits = 1
BEGIN ATOMIC
SELECT * FROM segment_internal.portfolio_run(name, 'backtest', jsonb_build_object(
	'cutoff', cutoff, 'horizon_days', horizon_days, 'false_alarm_cost', false_alarm_cost, 'miss_cost', miss_cost),
	NULL::segment_internal.backtest_measure);
END;
COMMENT ON FUNCTION segment.backtest(text, date, integer, float8, float8) IS
'fits the portfolio''s model of purchases on what was known at the end of cutoff, and compares the horizon_days after it with what it predicts, one row per measure, beside the naive baseline (whoever bought in as many days before the cutoff buys again, as often). Customers born after the cutoff are counted, not judged. The last row is the verdict: in model, in how many of two respects (ranking, numbers) the model beats the baseline. Limits for usable: settings usable_error_rate, usable_miss_rate. Errors: 22023 horizon, costs, or days that are not over, 22008 cutoff, 42704, 42501';

CREATE TYPE segment_internal.backtest_tenth AS (
	decile integer, customers bigint, predicted float8, actual float8, buyers bigint, mean_probability float8
);
COMMENT ON TYPE segment_internal.backtest_tenth IS
'a row of backtest_deciles (internal)';

/* All of backtest_deciles, as the portfolio's owner: see portfolio_run. */
CREATE FUNCTION segment_internal.backtest_tenths(name text, arguments jsonb)
RETURNS SETOF segment_internal.backtest_tenth
LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 10
SET search_path = pg_catalog, pg_temp
AS $backtest_tenths$
DECLARE
	cutoff date := arguments ->> 'cutoff';
	horizon_days integer := arguments ->> 'horizon_days';
	prepared record := segment_internal.backtest_prepare(name, cutoff, horizon_days);
BEGIN
	RETURN QUERY EXECUTE segment_internal.backtest_query(name, prepared.kind, prepared.unit, cutoff, horizon_days) || $query$
		SELECT d.decile, count(*), sum(d.expected::numeric)::float8, sum(d.actual::numeric)::float8,
			count(*) FILTER (WHERE d.actual > 0), avg(d.probability::numeric)::float8
		FROM (SELECT j.*, ntile(10) OVER (ORDER BY j.expected DESC, j.probability DESC, j.customer_id) AS decile
			FROM judged AS j WHERE j.expected IS NOT NULL) AS d
		GROUP BY d.decile ORDER BY d.decile$query$;
END
$backtest_tenths$;
COMMENT ON FUNCTION segment_internal.backtest_tenths(text, jsonb) IS
'the calibration of a backtest, with the current user''s rights; errors as for backtest (internal)';

CREATE FUNCTION segment.backtest_deciles(name text, cutoff date, horizon_days integer)
RETURNS TABLE (decile integer, customers bigint, predicted float8, actual float8, buyers bigint, mean_probability float8)
LANGUAGE sql STABLE PARALLEL RESTRICTED ROWS 10
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
SELECT * FROM segment_internal.portfolio_run(name, 'backtest_deciles',
	jsonb_build_object('cutoff', cutoff, 'horizon_days', horizon_days), NULL::segment_internal.backtest_tenth);
END;
COMMENT ON FUNCTION segment.backtest_deciles(text, date, integer) IS
'calibration of a backtest: the customers in tenths by expected purchases, 1 the highest, with predicted and actual purchase days, number of buyers and mean predicted probability to buy; no rows if there is too little data for a model; errors as for backtest';

CREATE FUNCTION segment.backtest_series(name text, horizon_days integer, cutoffs date[])
RETURNS TABLE (cutoff date, measure text, model float8, baseline float8, meaning text)
LANGUAGE sql STABLE PARALLEL RESTRICTED ROWS 100
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
SELECT c.cutoff, b.measure, b.model, b.baseline, b.meaning
FROM unnest(cutoffs) WITH ORDINALITY AS c(cutoff, ordinal)
CROSS JOIN LATERAL segment.backtest(name, c.cutoff, horizon_days) WITH ORDINALITY
	AS b(measure, model, baseline, meaning, line)
ORDER BY c.ordinal, b.line;
END;
COMMENT ON FUNCTION segment.backtest_series(text, integer, date[]) IS
'backtest at several cutoffs: is the model steady? arguments and errors as for backtest';
