/*
 * evaluation: predictions proved on the user's own data
 */

/* What a backtest is made with; refuses what cannot be compared. */
CREATE FUNCTION segment_internal.backtest_prepare(portfolio text, cutoff date, horizon_days integer) RETURNS segment_internal.backtest_run
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $backtest_prepare$
DECLARE
	last_day date;
	run segment_internal.backtest_run;
BEGIN
	IF cutoff IS NULL OR NOT isfinite(cutoff) THEN
		RAISE EXCEPTION USING ERRCODE = 'datetime_field_overflow',
			MESSAGE = format('argument "cutoff" must be a finite date, not "%s"', coalesce(cutoff::text, 'NULL'));
	ELSIF horizon_days IS NULL OR horizon_days < 1 OR horizon_days > 36525 THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('argument "horizon_days" must be from 1 to 36525, not %s', coalesce(horizon_days::text, 'NULL'));
	END IF;
	EXECUTE format('SELECT s.as_of, s.settings, s.margin, s.customers, p.unit
		FROM %1$I.scorecard AS s JOIN %1$I.portfolio AS p ON p.scorecard_id = s.scorecard_id', portfolio)
	INTO last_day, run.settings, run.margin_rate, run.customers, run.unit;
	IF cutoff + horizon_days > last_day THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('the %s days after %s are not over yet', horizon_days, cutoff),
			DETAIL = format('The portfolio is seen as of %s.', last_day),
			HINT = format('The latest cutoff for this horizon is %s.', last_day - horizon_days);
	END IF;
	-- without a model of its own, the portfolio is judged by the usual one
	run.kind := coalesce(nullif(run.settings ->> 'purchase_model', 'none'), 'mbgnbd');
	run.cutoff := cutoff;
	run.horizon_days := horizon_days;
	RETURN run;
END
$backtest_prepare$;
COMMENT ON FUNCTION segment_internal.backtest_prepare(text, date, integer) IS
'checks the arguments of a backtest, and says what it is made with; errors: 22008 cutoff, 22023 horizon or days that are not over (internal)';

/*
 * Why a model may not be trusted, in words; empty if it may.  Each number comes
 * with what it is compared with.
 */
CREATE FUNCTION segment_internal.backtest_objections(
	rank segment_internal.ranking, bias float8, past_bias float8, cost float8, cost_of_everybody float8, cost_of_nobody float8,
	error_rate float8, miss_rate float8, settings jsonb
) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN (SELECT concat_ws('; ',
	CASE WHEN least(rank.hits, rank.rows - rank.hits) < 10
		THEN format('fewer than 10 who bought, or who did not, are too few to tell skill from chance: %s of %s bought', rank.hits, rank.rows)
		WHEN rank.auc_low <= 0.5
		THEN format('it does not rank better than chance: the interval of auc, %s to %s, is not above 0.5', n.auc_low, n.auc_high) END,
	CASE WHEN rank.difference_high < 0
		THEN format('it ranks worse than the baseline: auc %s against %s', n.auc, n.baseline_auc)
		WHEN rank.difference_low <= 0 AND abs(bias) >= abs(past_bias)
		THEN format('it ranks no better than the baseline, auc %s against %s, and its total is no nearer, bias %s against %s',
			n.auc, n.baseline_auc, round(bias::numeric, 3), round(past_bias::numeric, 3)) END,
	CASE WHEN cost >= cost_of_everybody
		THEN format('it costs no less than to contact everybody: %s against %s', cost, cost_of_everybody) END,
	CASE WHEN cost >= cost_of_nobody
		THEN format('it costs no less than to contact nobody: %s against %s', cost, cost_of_nobody) END,
	CASE WHEN error_rate > (settings ->> 'usable_error_rate')::float8
		THEN format('the error rate %s is above %s', round(error_rate::numeric, 3), settings ->> 'usable_error_rate') END,
	CASE WHEN miss_rate > (settings ->> 'usable_miss_rate')::float8
		THEN format('the miss rate %s is above %s', round(miss_rate::numeric, 3), settings ->> 'usable_miss_rate') END)
	FROM (SELECT round(rank.auc::numeric, 3) AS auc, round(rank.auc_low::numeric, 3) AS auc_low, round(rank.auc_high::numeric, 3) AS auc_high,
		round(rank.baseline_auc::numeric, 3) AS baseline_auc) AS n);
COMMENT ON FUNCTION segment_internal.backtest_objections(segment_internal.ranking, float8, float8, float8, float8, float8, float8, float8, jsonb) IS
'all that speaks against using a model, separated by semicolons; empty: nothing (internal)';

/*
 * How early the signs of leaving are seen: days from the first sign to the loss,
 * for customers who were lost in the days after the cutoff.  A sign counts after
 * the last order, as of which nothing speaks against it any more; it is looked for
 * week by week, and for a sample of customers.
 */
CREATE FUNCTION segment_internal.backtest_lead_query(
	portfolio text, run segment_internal.backtest_run, fit segment_internal.backtest_fit
) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN format($template$
	SELECT count(*)::float8 AS lost, count(w.first_sign)::float8 AS warned,
		percentile_disc(0.5) WITHIN GROUP (ORDER BY g.last_day + %4$s - w.first_sign)::float8 AS lead_days
	FROM (
		SELECT k.customer_id, %5$L::date - (k.tenure_days - k.span_days) AS last_day, k.purchase_days, k.span_days, k.x, k.t_x,
			k.tenure_days - k.span_days AS silent_days
		FROM %3$s
		WHERE k.tenure_days - k.span_days < %4$s AND k.tenure_days - k.span_days >= %4$s - %6$s
	) AS g
	JOIN %1$I.customer_history AS h ON h.customer_id %2$s g.customer_id
	CROSS JOIN (SELECT segment_internal.churn_limits(%7$L::jsonb) AS limits) AS l
	CROSS JOIN LATERAL (
		SELECT min(f.as_of) AS first_sign
		FROM segment_internal.customer_days(h.purchases, NULL, NULL, h.complaints, h.satisfaction, NULL, ARRAY(
			SELECT ROW(g.last_day + 7 * w, NULL, jsonb_populate_record(NULL::segment_internal.scorecard_terms,
				%9$L::jsonb || jsonb_build_object('usual_gap_days', ($2).usual_gap_days)))::segment_internal.scored_day
			FROM generate_series(1, (%4$s - 1) / 7) AS w ORDER BY w)) AS f
		CROSS JOIN LATERAL segment_internal.churn_signs(ROW(f.recent_days, f.past_days, f.recent_purchase_days, f.past_purchase_days,
				f.frequency_p_value, f.recent_spend, f.past_spend, f.spend_p_value, f.complaints_p_value,
				f.recent_satisfaction, f.past_satisfaction, f.gap_ratio,
				CASE WHEN ($2).usable AND NOT segment_internal.without_dropout(($2).purchase_model)
					THEN segment.p_alive(($2).purchase_model, g.x, g.t_x, g.t_x + f.days_since_last / %8$s::float8) END)::segment_internal.churn_measures,
			h.complaints IS NOT NULL, l.limits) AS s
		WHERE s.signals > 0
	) AS w
	WHERE coalesce(segment.purchase_days(segment.during(h.purchases, g.last_day + 1, g.last_day + %4$s)), 0) = 0$template$,
	portfolio, (segment_internal.portfolio_key(portfolio)).equality,
	segment_internal.backtest_customers(portfolio, run, segment_internal.customer_sample((fit).leaving, 100)),
	((run).settings ->> 'lost_after_days')::float8::integer, (run).cutoff, (run).horizon_days, (run).settings,
	segment_internal.unit_days((run).unit), jsonb_build_object('prior_gaps', (run).settings -> 'dormancy_prior_gaps',
		'churn_recent_days', ((run).settings ->> 'churn_recent_days')::float8::integer,
		'churn_past_days', ((run).settings ->> 'churn_past_days')::float8::integer,
		'churn_significance', (run).settings -> 'churn_significance', 'dormancy_asleep', (run).settings -> 'dormancy_asleep'));
COMMENT ON FUNCTION segment_internal.backtest_lead_query(text, segment_internal.backtest_run, segment_internal.backtest_fit) IS
'the query, of one row, for the customers lost in the days after a cutoff, 100 to 200 of them if there are more: their number, those with a sign of leaving before, median of the days from the first sign to the loss. Parameter $2 is the backtest_fit (internal)';

CREATE TYPE segment_internal.backtest_measure AS (measure text, model float8, baseline float8, meaning text);
COMMENT ON TYPE segment_internal.backtest_measure IS
'a row of backtest (internal)';

/* All of backtest, as the portfolio's owner: see portfolio_run. */
CREATE FUNCTION segment_internal.backtest_measures(name text, arguments jsonb)
RETURNS SETOF segment_internal.backtest_measure
LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 40
SET search_path = pg_catalog, pg_temp SET jit = off
AS $backtest_measures$
DECLARE
	run segment_internal.backtest_run := segment_internal.backtest_prepare(name, (arguments ->> 'cutoff')::date,
		(arguments ->> 'horizon_days')::integer);
	false_alarm_cost float8 := arguments ->> 'false_alarm_cost';
	miss_cost float8 := arguments ->> 'miss_cost';
	threshold float8;
	fit segment_internal.backtest_fit;
	shares float8[];
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
	fit := segment_internal.backtest_fit(name, run, 'true', true);
	shares := ((segment_internal.risk_of_past(name, ARRAY[run.cutoff], run.horizon_days, run.settings, fit.first_day, fit.usual_gap_days,
		segment_internal.customer_sample(run.customers, 25000)))[1]).shares;
	RETURN QUERY EXECUTE format($query$
	WITH collected AS MATERIALIZED (
		SELECT count(*)::float8 AS customers, count(*) FILTER (WHERE j.actual_days > 0)::float8 AS buyers,
			count(*) FILTER (WHERE j.probability >= $3)::float8 AS predicted,
			count(*) FILTER (WHERE j.probability >= $3 AND j.actual_days > 0)::float8 AS hits,
			count(*) FILTER (WHERE j.past_days > 0)::float8 AS past_predicted,
			count(*) FILTER (WHERE j.past_days > 0 AND j.actual_days > 0)::float8 AS past_hits,
			coalesce(segment_internal.exact_sum(j.actual_days), 0)::float8 AS actual, coalesce(segment_internal.exact_sum(j.past_days), 0)::float8 AS past,
			segment_internal.exact_sum(j.expected)::float8 AS expected,
			segment.exact_avg(abs(j.expected - j.actual_days)) AS mae, segment.exact_avg(abs(j.past_days - j.actual_days)) AS past_mae,
			segment_internal.exact_sum(j.value)::float8 AS value, segment_internal.exact_sum(j.actual_value)::float8 AS actual_value,
			segment_internal.exact_sum(j.past_value)::float8 AS past_value,
			segment.exact_avg(abs(j.value - j.actual_value)) AS value_mae, segment.exact_avg(abs(j.past_value - j.actual_value)) AS past_value_mae,
			segment.exact_avg(abs(($2).mean_past_value - j.actual_value)) AS mean_value_mae,
			segment_internal.ranking_agg(j.probability, j.past_days, j.actual_days > 0) AS rank,
			segment_internal.ranking_agg(1 - j.probability, j.risk, j.actual_days = 0) AS churn,
			segment_internal.tenths_agg(j.expected, ARRAY[j.actual_days]) AS sums,
			segment_internal.tenths_agg(j.past_days, ARRAY[j.actual_days]) AS past_sums,
			segment_internal.tenths_agg(1 - j.probability, ARRAY[1 - j.probability, (j.actual_days = 0)::integer]) AS churn_sums,
			segment_internal.tenths_agg(j.risk, ARRAY[j.risk, (j.actual_days = 0)::integer]) AS risk_sums,
			segment_internal.cheapest_threshold_agg(j.probability, j.actual_days > 0, $4, $5) AS best_threshold
		FROM %1$s
	), totals AS MATERIALIZED (
		SELECT c.*, t.*, $1 IS NOT NULL AS has_risk, ($2).usable AS usable, ($2).has_value AS has_value,
			c.actual / nullif(c.customers, 0) AS mean_actual,
			c.sums[1][2] / c.sums[1][1] AS top, c.past_sums[1][2] / c.past_sums[1][1] AS past_top,
			1 - c.hits / nullif(c.predicted, 0) AS error_rate, 1 - c.hits / nullif(c.buyers, 0) AS miss_rate,
			$4 * (c.predicted - c.hits) + $5 * (c.buyers - c.hits) AS cost,
			$4 * (c.past_predicted - c.past_hits) + $5 * (c.buyers - c.past_hits) AS past_cost,
			$4 * (c.customers - c.buyers) AS cost_of_everybody, $5 * c.buyers AS cost_of_nobody,
			c.expected / nullif(c.actual, 0) - 1 AS bias, c.past / nullif(c.actual, 0) - 1 AS past_bias
		FROM collected AS c
		CROSS JOIN LATERAL (
			SELECT segment_internal.tenths_total(c.churn_sums, 2) AS churn_expected, segment_internal.tenths_total(c.risk_sums, 2) AS risk_expected,
				segment_internal.tenths_error(c.churn_sums) AS churn_error, segment_internal.tenths_error(c.risk_sums) AS risk_error
		) AS t
	), figures AS (
		SELECT t.*, l.lost, l.warned, l.lead_days, ($2).born_after::float8 AS born_after,
			segment_internal.backtest_objections(t.rank, t.bias, t.past_bias, t.cost, t.cost_of_everybody, t.cost_of_nobody,
				t.error_rate, t.miss_rate, $6) AS objections
		FROM totals AS t CROSS JOIN (%2$s) AS l
	)
	SELECT v.measure, CASE v.needs WHEN 'nothing' THEN v.model WHEN 'model' THEN CASE WHEN f.usable THEN v.model END
			WHEN 'value' THEN CASE WHEN f.has_value THEN v.model END END,
		v.baseline, v.meaning
	FROM figures AS f
	CROSS JOIN LATERAL (VALUES
		('customers', 'nothing', f.customers, f.customers, 'customers with a purchase up to the cutoff'),
		('born_after_cutoff', 'nothing', f.born_after, f.born_after, 'customers whose first purchase came in the days after the cutoff: not predicted, not counted elsewhere'),
		('buyers', 'nothing', f.buyers, f.buyers, 'of the customers, those who bought in the days after the cutoff'),
		('actual_purchases', 'nothing', f.actual, f.actual, 'purchase days after the cutoff'),
		('predicted_purchases', 'model', f.expected, f.past, 'purchase days predicted'),
		('bias', 'model', f.bias, f.past_bias, 'predicted against actual purchase days: 0 is exact, 0.1 is 10 %% too many'),
		('mae', 'model', f.mae, f.past_mae, 'mean absolute error of a customer''s purchase days; lower is better'),
		('threshold', 'model', $3, NULL, 'predicted to buy from this probability on: cost of a false alarm / (that of a false alarm + that of a miss)'),
		('best_threshold', 'model', f.best_threshold, NULL, 'the threshold that would have cost least, in hindsight'),
		('predicted_buyers', 'model', f.predicted, f.past_predicted, 'customers predicted to buy'),
		('error_rate', 'model', f.error_rate, 1 - f.past_hits / nullif(f.past_predicted, 0), 'predicted to buy but did not, of all predicted, 0..1; lower is better'),
		('miss_rate', 'model', f.miss_rate, 1 - f.past_hits / nullif(f.buyers, 0), 'bought but not predicted, of all who bought, 0..1; lower is better'),
		('recall', 'model', 1 - f.miss_rate, f.past_hits / nullif(f.buyers, 0), '1 - miss_rate'),
		('cost', 'model', f.cost, f.past_cost, 'cost of the false alarms and the misses, in units of the stated costs; lower is better'),
		('cost_of_everybody', 'nothing', f.cost_of_everybody, f.cost_of_everybody, 'the same if everybody is contacted'),
		('cost_of_nobody', 'nothing', f.cost_of_nobody, f.cost_of_nobody, 'the same if nobody is contacted'),
		('auc', 'model', (f.rank).auc, (f.rank).baseline_auc, 'chance that a buyer was ranked above a non-buyer, 0..1; 0.5 is chance, higher is better'),
		('auc_low', 'model', (f.rank).auc_low, (f.rank).baseline_low, 'lower end of its 95 %% interval (DeLong)'),
		('auc_high', 'model', (f.rank).auc_high, (f.rank).baseline_high, 'upper end of its 95 %% interval (DeLong)'),
		('auc_gain', 'model', (f.rank).difference, NULL, 'auc above that of the baseline, -1..1; higher is better'),
		('auc_gain_low', 'model', (f.rank).difference_low, NULL, 'lower end of its 95 %% interval (DeLong, same customers)'),
		('auc_gain_high', 'model', (f.rank).difference_high, NULL, 'upper end of its 95 %% interval (DeLong, same customers)'),
		('top_decile_lift', 'model', f.top / nullif(f.mean_actual, 0), f.past_top / nullif(f.mean_actual, 0), 'purchase days of the tenth ranked highest, against the mean of all; higher is better'),
		('actual_contribution', 'nothing', f.actual_value, f.actual_value, 'contribution in the days after the cutoff, in units of money: margin minus cost'),
		('predicted_contribution', 'value', f.value, f.past_value, 'contribution predicted, in units of money; baseline: the same as in the days before'),
		('contribution_bias', 'value', f.value / nullif(f.actual_value, 0) - 1, f.past_value / nullif(f.actual_value, 0) - 1, 'predicted against actual contribution: 0 is exact'),
		('contribution_mae', 'value', f.value_mae, f.past_value_mae, 'mean absolute error of a customer''s contribution, in units of money; baseline: the same as in the days before; lower is better'),
		('contribution_mae_of_mean', 'value', f.value_mae, f.mean_value_mae, 'the same; baseline: for everybody the mean of the days before'),
		('churned', 'nothing', f.customers - f.buyers, f.customers - f.buyers, 'of the customers, those who did not buy in the days after the cutoff'),
		('predicted_churned', 'model', f.churn_expected, CASE WHEN f.has_risk THEN f.risk_expected END, 'sum of the risks not to buy; this and the next four: model beside the portfolio''s own past (customers alike)'),
		('churn_auc', 'model', (f.churn).auc, CASE WHEN f.has_risk THEN (f.churn).baseline_auc END, 'chance that one who did not buy had a higher risk than one who did, 0..1; 0.5 is chance, higher is better'),
		('churn_auc_low', 'model', (f.churn).auc_low, CASE WHEN f.has_risk THEN (f.churn).baseline_low END, 'lower end of its 95 %% interval (DeLong)'),
		('churn_auc_high', 'model', (f.churn).auc_high, CASE WHEN f.has_risk THEN (f.churn).baseline_high END, 'upper end of its 95 %% interval (DeLong)'),
		('churn_calibration_error', 'model', f.churn_error, CASE WHEN f.has_risk THEN f.risk_error END, 'mean distance, over tenths by risk, of the mean risk from the share that did not buy, 0..1; lower is better'),
		('lost_customers', 'nothing', f.lost, NULL, 'customers looked at, at most 200, who were lost in the days after the cutoff: no order for lost_after_days'),
		('lost_with_sign', 'nothing', f.warned / nullif(f.lost, 0), NULL, 'share of them with a sign of leaving (churn_signal) between the last order and the loss, 0..1; higher is better'),
		('sign_lead_days', 'nothing', f.lead_days, NULL, 'median of the days from their first sign to the loss; more is better'),
		('verdict', 'nothing', CASE WHEN NOT f.usable THEN 0 WHEN f.buyers > 0 THEN (f.objections = '')::integer END, NULL,
			CASE WHEN NOT f.usable THEN 'not usable: too few repeat buyers before the cutoff to fit a model'
				WHEN f.buyers = 0 THEN 'not to be judged: nobody bought after the cutoff'
				WHEN f.objections <> '' THEN 'not usable: ' || f.objections
				WHEN (f.rank).difference_low > 0 THEN 'usable: ranks better than the baseline'
				ELSE 'usable: ranks as well as the baseline, with a better total' END)
	) AS v(measure, needs, model, baseline, meaning)$query$, segment_internal.backtest_judged(name, run, 'true'),
		segment_internal.backtest_lead_query(name, run, fit))
	USING shares, fit, threshold, false_alarm_cost, miss_cost, run.settings;
END
$backtest_measures$;
COMMENT ON FUNCTION segment_internal.backtest_measures(text, jsonb) IS
'backtests the model of purchases, with the current user''s rights; errors as for backtest (internal)';

CREATE FUNCTION segment.backtest(
	name text, cutoff date, horizon_days integer,
	false_alarm_cost float8 DEFAULT 1, miss_cost float8 DEFAULT 1
) RETURNS TABLE (measure text, model float8, baseline float8, meaning text)
LANGUAGE sql STABLE PARALLEL RESTRICTED ROWS 40
SET search_path = pg_catalog, pg_temp
-- the costs become JSON, and must keep their digits
SET extra_float_digits = 1
BEGIN ATOMIC
SELECT * FROM segment_internal.portfolio_run(name, 'backtest', jsonb_build_object(
	'cutoff', cutoff, 'horizon_days', horizon_days, 'false_alarm_cost', false_alarm_cost, 'miss_cost', miss_cost),
	NULL::segment_internal.backtest_measure);
END;
COMMENT ON FUNCTION segment.backtest(text, date, integer, float8, float8) IS
'fits the portfolio''s model of purchases on what was known at the end of cutoff, and compares the horizon_days after it with what it predicts, one row per measure, beside the naive baseline (whoever bought in as many days before the cutoff, after the first purchase day, buys again, as often and for as much). Customers born after the cutoff are counted, not judged. The last row is the verdict: model is 1 if the model is usable, 0 if not, NULL if nobody bought; meaning names all that speaks against it. Usable: the 95 % interval of auc is above 0.5; it ranks better than the baseline, or as well with a better total; it costs less than to contact everybody, or nobody; error and miss rate are within the settings usable_error_rate and usable_miss_rate. Errors: 22023 horizon, costs, or days that are not over, 22008 cutoff, 42704, 42501';

CREATE TYPE segment_internal.backtest_tenth AS (
	decile integer, customers bigint, predicted float8, actual float8, buyers float8, mean_probability float8,
	predicted_contribution float8, actual_contribution float8, mean_risk float8
);
COMMENT ON TYPE segment_internal.backtest_tenth IS
'a row of backtest_deciles (internal)';

/* All of backtest_deciles, as the portfolio's owner: see portfolio_run. */
CREATE FUNCTION segment_internal.backtest_tenths(name text, arguments jsonb)
RETURNS SETOF segment_internal.backtest_tenth
LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 10
SET search_path = pg_catalog, pg_temp SET jit = off
AS $backtest_tenths$
DECLARE
	run segment_internal.backtest_run := segment_internal.backtest_prepare(name, (arguments ->> 'cutoff')::date,
		(arguments ->> 'horizon_days')::integer);
	score text := CASE arguments ->> 'by' WHEN 'purchases' THEN 'j.expected' WHEN 'contribution' THEN 'j.value'
		WHEN 'risk' THEN 'j.risk' END;
	fit segment_internal.backtest_fit;
	shares float8[];
BEGIN
	IF score IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('argument "by" must be purchases, contribution or risk, not "%s"', coalesce(arguments ->> 'by', 'NULL'));
	END IF;
	fit := segment_internal.backtest_fit(name, run, 'true', true);
	shares := ((segment_internal.risk_of_past(name, ARRAY[run.cutoff], run.horizon_days, run.settings, fit.first_day, fit.usual_gap_days,
		segment_internal.customer_sample(run.customers, 25000)))[1]).shares;
	RETURN QUERY EXECUTE format($query$
		SELECT d.tenth, round(t.tenths[d.tenth][1])::bigint, t.tenths[d.tenth][2], t.tenths[d.tenth][3], t.tenths[d.tenth][4],
			t.tenths[d.tenth][5] / t.tenths[d.tenth][1],
			CASE WHEN ($2).has_value THEN t.tenths[d.tenth][6] END, t.tenths[d.tenth][7],
			CASE WHEN $1 IS NOT NULL THEN t.tenths[d.tenth][8] / t.tenths[d.tenth][1] END
		FROM (
			SELECT segment_internal.tenths_agg(%1$s, ARRAY[j.expected, j.actual_days,
				(j.actual_days > 0)::integer, j.probability, j.value, j.actual_value, j.risk]) AS tenths
			FROM %2$s
			WHERE CASE $3 WHEN 'purchases' THEN ($2).usable WHEN 'contribution' THEN ($2).has_value ELSE ($2).usable AND $1 IS NOT NULL END
		) AS t
		CROSS JOIN LATERAL generate_series(1, array_length(t.tenths, 1)) AS d(tenth)
		ORDER BY d.tenth$query$, score, segment_internal.backtest_judged(name, run, 'true'))
	USING shares, fit, arguments ->> 'by';
END
$backtest_tenths$;
COMMENT ON FUNCTION segment_internal.backtest_tenths(text, jsonb) IS
'the calibration of a backtest, with the current user''s rights; errors as for backtest, 22023 for another "by" (internal)';

CREATE FUNCTION segment.backtest_deciles(name text, cutoff date, horizon_days integer, by text DEFAULT 'purchases')
RETURNS TABLE (decile integer, customers bigint, predicted float8, actual float8, buyers float8, mean_probability float8,
	predicted_contribution float8, actual_contribution float8, mean_risk float8)
LANGUAGE sql STABLE PARALLEL RESTRICTED ROWS 10
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
SELECT * FROM segment_internal.portfolio_run(name, 'backtest_deciles',
	jsonb_build_object('cutoff', cutoff, 'horizon_days', horizon_days, 'by', by), NULL::segment_internal.backtest_tenth);
END;
COMMENT ON FUNCTION segment.backtest_deciles(text, date, integer, text) IS
'calibration of a backtest: the customers in tenths, 1 the highest, by what was predicted for them: purchases, contribution, or risk (not to buy, by the portfolio''s own past); with predicted and actual purchase days, number of buyers and mean predicted probability to buy, predicted and actual contribution in units of money, and that risk. Customers with the same prediction are not told apart: a tenth gets its share of what they did, so buyers need not be a whole number. No rows if there is too little data for what was asked, columns NULL if for theirs; errors as for backtest, 22023 for another "by"';

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
