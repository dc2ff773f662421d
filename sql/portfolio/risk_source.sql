/*
 * risk_source: what churn_risk of a scorecard is taken from, the model or the past
 */

/*
 * A portfolio is looked at through a sample where it has more customers than are
 * needed: a power of two of them is one in the sample, by the hash of the key.
 */
CREATE FUNCTION segment_internal.customer_sample(customers bigint, wanted integer) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN CASE WHEN customers >= 2 * wanted THEN format('pg_catalog.hash_record_extended(ROW(c.customer_id), 0) & %s = 0',
	(2 ^ floor(log(2, customers / wanted::numeric)))::bigint - 1) ELSE 'true' END;
COMMENT ON FUNCTION segment_internal.customer_sample(bigint, integer) IS
'the condition on c.customer_id of a sample of one to two times as many customers as are wanted, the same ones as long as the number of all is about the same; true where there are fewer (internal)';

/*
 * The risk of no order within days as it can be told from the past of the
 * portfolio: only if it goes back twice as far, or customers would be compared
 * with others who had not yet had the time to become like them.
 */
CREATE FUNCTION segment_internal.risk_of_past(
	portfolio text, as_of date[], days integer, settings jsonb, first_day date, usual_gap_days float8, sample text
) RETURNS segment_internal.risk[]
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp SET jit = off
AS $risk_of_past$
DECLARE
	risks segment_internal.risk[];
BEGIN
	EXECUTE format('SELECT ARRAY[%s] FROM %I.customer_history AS c WHERE %s',
		(SELECT string_agg(format('segment_internal.risk_agg(c.purchases, $1[%1$s], $2, $3, $4, $5) FILTER (WHERE $6 <= $1[%1$s] - 2 * $2)', n), ', ' ORDER BY n)
		FROM generate_subscripts(as_of, 1) AS n), portfolio, sample)
	INTO risks USING as_of, days, (settings ->> 'dormancy_prior_gaps')::float8, usual_gap_days,
		(settings ->> 'churn_prior_customers')::float8, first_day;
	RETURN ARRAY(SELECT CASE WHEN (risks[n]).known >= 50 THEN risks[n] END FROM generate_subscripts(risks, 1) AS n ORDER BY n);
END
$risk_of_past$;
COMMENT ON FUNCTION segment_internal.risk_of_past(text, date[], integer, jsonb, date, float8, text) IS
'the risk of no order within days, as of each of some days, from the portfolio''s own past, with its first purchase day and usual gap, for the customers c of customer_history that a condition picks; NULL where the first purchase is not twice as many days ago, or fewer than 50 customers were known by the last cutoff (internal)';

CREATE TYPE segment_internal.risk_source AS (basis text, days integer, shares float8[], reason text);
COMMENT ON TYPE segment_internal.risk_source IS
'where churn_risk of a scorecard comes from: model, past, past_short or too_short; the days without an order that it is the risk of; the shares of risk_agg; why, in words (internal)';

CREATE TYPE segment_internal.risk_trial AS (rank segment_internal.ranking, error float8, past_error float8);
COMMENT ON TYPE segment_internal.risk_trial IS
'how the risk not to buy did in days that are over, by the model and, as the baseline, by the past: how it ranked, and its calibration error, the mean distance over tenths by risk of the mean risk from the share that did not buy (internal)';

/*
 * Why the model is not taken: in days that are over it ranked who made no order no
 * better than chance, or worse than the past, or its risks were no probabilities;
 * NULL: it is.
 */
CREATE FUNCTION segment_internal.risk_objection(trial segment_internal.risk_trial, days integer, has_past boolean) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN (SELECT CASE WHEN coalesce(least((t.rank).hits, (t.rank).rows - (t.rank).hits), 0) < 10
		THEN format('it could not be tried: of %s customers %s made no order in the last %s days', coalesce((t.rank).rows, 0), coalesce((t.rank).hits, 0), days)
	WHEN (t.rank).auc_low <= 0.5 THEN format('it ranked no better than chance in the last %s days: auc %s, interval from %s',
		days, round((t.rank).auc::numeric, 3), round((t.rank).auc_low::numeric, 3))
	WHEN has_past AND (t.rank).difference_high < 0
		THEN format('it ranked worse than the past of customers alike in the last %s days: auc %s against %s',
		days, round((t.rank).auc::numeric, 3), round((t.rank).baseline_auc::numeric, 3))
	WHEN t.error > 0.1 AND NOT (has_past AND t.past_error >= t.error)
		THEN format('its risks were wrong by %s on average in the last %s days, which is more than 0.1', round(t.error::numeric, 3), days) END
	FROM (SELECT (trial).*) AS t);
COMMENT ON FUNCTION segment_internal.risk_objection(segment_internal.risk_trial, integer, boolean) IS
'what speaks against taking the risk from the model, by how it did in the last days, beside the past where that can be had; NULL: nothing (internal)';

/*
 * What churn_risk is taken from: the model, where it has skill and the data show
 * customers leaving; else the portfolio's own past.  The model is tried on the
 * last days that are over, as backtest would.
 */
CREATE FUNCTION segment_internal.risk_source(
	portfolio text, as_of date, settings jsonb, unit text, customers bigint, first_day date, usual_gap_days float8, purchase_model segment.model
) RETURNS segment_internal.risk_source
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp SET jit = off
AS $risk_source$
DECLARE
	lost_after_days integer := (settings ->> 'lost_after_days')::float8::integer;
	-- half of what is known of the portfolio, at most
	past_days integer := coalesce(least(lost_after_days, (as_of - first_day) / 2), 0);
	run segment_internal.backtest_run := ROW(coalesce(segment.kind(purchase_model), 'mbgnbd'), unit, settings, NULL, as_of - past_days,
		past_days, customers)::segment_internal.backtest_run;
	sample text := segment_internal.customer_sample(customers, 25000);
	risks segment_internal.risk[];
	past segment_internal.risk;
	before segment_internal.risk;
	fit segment_internal.backtest_fit;
	trial segment_internal.risk_trial;
	objection text := CASE WHEN purchase_model IS NULL OR segment.status(purchase_model) = 'too_few' THEN 'there is no usable model of purchases'
		WHEN segment_internal.without_dropout(purchase_model) THEN 'the data show no customer leaving'
		WHEN past_days < lost_after_days THEN format('the data go back only %s days, less than twice lost_after_days', as_of - first_day) END;
BEGIN
	IF past_days >= 1 THEN
		risks := segment_internal.risk_of_past(portfolio, ARRAY[as_of] || CASE WHEN objection IS NULL THEN run.cutoff END, past_days,
			settings, first_day, usual_gap_days, sample);
		past := risks[1];
		before := risks[2];
	END IF;
	IF objection IS NULL THEN
		fit := segment_internal.backtest_fit(portfolio, run, sample, false);
		-- that of the shares
		fit.usual_gap_days := usual_gap_days;
		EXECUTE format('SELECT segment_internal.ranking_agg(1 - j.probability, j.risk, j.actual_days = 0),
				segment_internal.tenths_error(segment_internal.tenths_agg(1 - j.probability, ARRAY[1 - j.probability, (j.actual_days = 0)::integer])),
				segment_internal.tenths_error(segment_internal.tenths_agg(j.risk, ARRAY[j.risk, (j.actual_days = 0)::integer]))
			FROM %s WHERE ($2).usable', segment_internal.backtest_judged(portfolio, run, sample))
		INTO trial USING before.shares, fit;
		objection := segment_internal.risk_objection(trial, past_days, before.shares IS NOT NULL);
	END IF;
	IF objection IS NULL THEN
		RETURN ROW('model', lost_after_days, NULL, format('the model ranked who made no order in the last %s days: auc %s, interval from %s',
			past_days, round((trial.rank).auc::numeric, 3), round((trial.rank).auc_low::numeric, 3)))::segment_internal.risk_source;
	ELSIF past.shares IS NULL THEN
		RETURN ROW('too_short', past_days, NULL, format('no model, since %s; nor the past: fewer than 50 customers were known %s days ago',
			objection, past_days))::segment_internal.risk_source;
	END IF;
	RETURN ROW(CASE WHEN past_days < lost_after_days THEN 'past_short' ELSE 'past' END, past_days, past.shares,
		format('not the model, since %s; instead what became of %s customers, counted at five days of the past, in the %s days after',
		objection, past.customers, past_days))::segment_internal.risk_source;
END
$risk_source$;
COMMENT ON FUNCTION segment_internal.risk_source(text, date, jsonb, text, bigint, date, float8, segment.model) IS
'where churn_risk is to come from, as of a day, with the number of customers, the first purchase day and the usual gap: the model if it ranks, in the last lost_after_days, who made no order better than chance and not worse than the portfolio''s own past, with risks that are about right; else the past, over half of its days where they are less than lost_after_days: then the risk is that of these days, which is higher (internal)';
