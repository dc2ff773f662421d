/*
 * churn: who is leaving, who came back, whom to see first
 *
 * Signals compare the customer with the customer's own past, as of the
 * scorecard's day.  A signal that cannot be judged is NULL, never false.
 */

/* ---------- chance ---------- */

CREATE FUNCTION segment.fall_p_value(recent bigint, past bigint, recent_days float8, past_days float8) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20
AS 'MODULE_PATHNAME', 'segment_churn_fall_p_value';
COMMENT ON FUNCTION segment.fall_p_value(bigint, bigint, float8, float8) IS
'chance, 0..1, of so few recent events, if events come at random at a rate that has not changed: past events were seen in past_days, recent ones in recent_days. Exact conditional test of two Poisson rates, one-sided: P(K <= recent) for K binomial(recent + past, recent_days / (recent_days + past_days)) (Przyborowski and Wilenski 1940). Error 22023 for a count that is negative or above 1e9, or days that are not between 1e-12 and 1e12';

CREATE FUNCTION segment.rise_p_value(recent bigint, past bigint, recent_days float8, past_days float8) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20
AS 'MODULE_PATHNAME', 'segment_churn_rise_p_value';
COMMENT ON FUNCTION segment.rise_p_value(bigint, bigint, float8, float8) IS
'chance, 0..1, of so many recent events, if events come at random at a rate that has not changed: P(K >= recent), otherwise as fall_p_value; errors as there';

CREATE FUNCTION segment.fall_p_value(
	recent bigint, past bigint, recent_days float8, past_days float8, prior_events float8, prior_days float8
) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20
AS 'MODULE_PATHNAME', 'segment_churn_prior_fall_p_value';
COMMENT ON FUNCTION segment.fall_p_value(bigint, bigint, float8, float8, float8, float8) IS
'the same with what is known of others added to the past, prior_events in prior_days: chance of so few recent events if the rate has a gamma distribution of which past + prior_events events were seen in past_days + prior_days: P(K <= recent) for K negative binomial of the size past + prior_events and the mean size x recent_days / (past_days + prior_days). Without a prior it is fall_p_value of four arguments. Error 22023 as there, and for a prior that is not between 0 and 1e12';

/* ---------- a customer's recent past against the past ---------- */

CREATE TYPE segment_internal.churn_measures AS (
	recent_days integer, past_days integer, recent_purchase_days integer, past_purchase_days integer, frequency_p_value float8,
	recent_spend numeric, past_spend numeric, spend_p_value float8, complaints_p_value float8,
	recent_satisfaction float8, past_satisfaction float8, gap_ratio float8, p_alive float8
);
COMMENT ON TYPE segment_internal.churn_measures IS
'what the signs of leaving are judged by, from the row of a customer (customer_columns); p_alive is NULL where the data show no dropout';

CREATE TYPE segment_internal.churn_limits AS (
	significance float8, ratio float8, overdue_gaps float8, p_alive float8, satisfaction_ratio float8
);
COMMENT ON TYPE segment_internal.churn_limits IS
'the settings churn_* from which on a sign of leaving is one';

CREATE FUNCTION segment_internal.churn_limits(settings jsonb) RETURNS segment_internal.churn_limits
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN ROW((settings ->> 'churn_significance')::float8, (settings ->> 'churn_ratio')::float8, (settings ->> 'churn_overdue_gaps')::float8,
	(settings ->> 'churn_p_alive')::float8, (settings ->> 'churn_satisfaction_ratio')::float8)::segment_internal.churn_limits;
COMMENT ON FUNCTION segment_internal.churn_limits(jsonb) IS
'the limits of the signs of leaving among the settings (internal)';

/* The signs.  It is inlined, and takes what it is given several times: that should be columns. */
CREATE FUNCTION segment_internal.churn_signs(
	measures segment_internal.churn_measures, complaints_known boolean, limits segment_internal.churn_limits
) RETURNS TABLE (
	signals integer, frequency_falling boolean, spend_falling boolean, overdue boolean, p_alive_low boolean,
	complaints_rising boolean, satisfaction_falling boolean,
	frequency_ratio float8, spend_ratio float8, complaints_p_value float8, satisfaction_ratio float8
)
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 1
BEGIN ATOMIC
SELECT coalesce(s.frequency_falling::integer, 0) + coalesce(s.spend_falling::integer, 0) + coalesce(s.overdue::integer, 0)
		+ coalesce(s.p_alive_low::integer, 0) + coalesce(s.complaints_rising::integer, 0) + coalesce(s.satisfaction_falling::integer, 0),
	s.frequency_falling, s.spend_falling, s.overdue, s.p_alive_low, s.complaints_rising, s.satisfaction_falling,
	s.frequency_ratio, s.spend_ratio, s.complaints_p_value, s.satisfaction_ratio
FROM (
	SELECT CASE WHEN measures.frequency_p_value IS NOT NULL
			THEN measures.frequency_p_value <= limits.significance AND coalesce(q.frequency_ratio < limits.ratio, false) END AS frequency_falling,
		CASE WHEN measures.spend_p_value IS NOT NULL
			THEN measures.spend_p_value <= limits.significance AND coalesce(q.spend_ratio < limits.ratio, false) END AS spend_falling,
		measures.gap_ratio > limits.overdue_gaps AS overdue, measures.p_alive < limits.p_alive AS p_alive_low,
		q.complaints_p_value <= limits.significance AS complaints_rising,
		q.satisfaction_ratio < limits.satisfaction_ratio AS satisfaction_falling,
		q.frequency_ratio, q.spend_ratio, q.complaints_p_value, q.satisfaction_ratio
	FROM (
		SELECT CASE WHEN measures.past_purchase_days > 0 AND measures.recent_days > 0
				THEN measures.recent_purchase_days::float8 / measures.past_purchase_days * measures.past_days / measures.recent_days END AS frequency_ratio,
			CASE WHEN measures.past_spend > 0 AND measures.recent_purchase_days > 0
				THEN measures.recent_spend::float8 / measures.recent_purchase_days / (measures.past_spend::float8 / measures.past_purchase_days) END AS spend_ratio,
			-- who has a past, but has not complained of late: certain
			CASE WHEN complaints_known AND measures.frequency_p_value IS NOT NULL THEN coalesce(measures.complaints_p_value, 1) END AS complaints_p_value,
			CASE WHEN measures.past_satisfaction > 0
				THEN measures.recent_satisfaction / measures.past_satisfaction END AS satisfaction_ratio
	) AS q
) AS s;
END;
COMMENT ON FUNCTION segment_internal.churn_signs(segment_internal.churn_measures, boolean, segment_internal.churn_limits) IS
'the signs of leaving of a customer, each true, false, or NULL where it cannot be judged, and how many are true, from the numbers behind them. One row (internal)';

/* ---------- coming back ---------- */

CREATE TYPE segment_internal.churn_return AS (
	returns bigint, left_day date, since date, gap_days integer, gap_ratio float8,
	orders bigint, value numeric
);
COMMENT ON TYPE segment_internal.churn_return IS
'a customer''s last return: how often the customer came back, last purchase day before the gap, day of the return, days between them, usual gaps that had gone on the day before the return, orders and net amount from the return on';

CREATE FUNCTION segment_internal.churn_return(
	purchases segment.history, as_of date, usual_gap_days float8, prior_gaps float8, asleep float8
) RETURNS segment_internal.churn_return
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10
AS 'MODULE_PATHNAME', 'segment_churn_return';
COMMENT ON FUNCTION segment_internal.churn_return(segment.history, date, float8, float8, float8) IS
'the last purchase up to as_of after more than "asleep" usual gaps without one; the usual gap is the mean of the customer''s own gaps until then and of prior_gaps gaps of usual_gap_days each. NULL for customers who never came back. Errors: 22008 infinite as_of, 22023 usual_gap_days not between 1e-12 and 1e12, prior_gaps or asleep not between 0 and 1e12';

/* ---------- the best list ---------- */

CREATE FUNCTION segment_internal.best_list_limit(n integer, min_probability float8) RETURNS integer
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $best_list_limit$
BEGIN
	IF n < 0 THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('n must not be negative, not "%s"', n);
	ELSIF NOT min_probability BETWEEN 0 AND 1 THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('min_probability must be between 0 and 1, not "%s"', min_probability),
			HINT = '0.2 is 20 %.';
	END IF;
	RETURN n;
END
$best_list_limit$;
COMMENT ON FUNCTION segment_internal.best_list_limit(integer, float8) IS
'n; error 22023 for a negative n or a probability that is not between 0 and 1 (internal)';

/* ---------- in a portfolio ---------- */

CREATE FUNCTION segment_internal.churn_create_tables(portfolio text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $churn_create_tables$
BEGIN
	-- the histories and the scorecard are all it needs
END
$churn_create_tables$;
COMMENT ON FUNCTION segment_internal.churn_create_tables(text) IS
'creates the tables of the concept churn: none (internal)';

CREATE FUNCTION segment_internal.churn_create_views(portfolio text, security_invoker boolean) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $churn_create_views$
DECLARE
	key_type text;
BEGIN
	-- OFFSET keeps the settings in one piece, so that they are taken out once
	EXECUTE format($template$
		CREATE OR REPLACE VIEW %1$I.churn_measure WITH (security_invoker = %2$s) AS
		SELECT c.customer_id, c.as_of, q.signals,
			q.frequency_falling, q.spend_falling, q.overdue, q.p_alive_low,
			q.complaints_rising, q.satisfaction_falling,
			c.churn_risk, c.clv, c.clv * c.churn_risk AS value_at_risk,
			c.purchase_probability * c.expected_spend * c.contribution_rate AS wake_priority,
			c.recent_days, c.past_days,
			c.recent_purchase_days::bigint AS recent_purchase_days, c.past_purchase_days::bigint AS past_purchase_days,
			q.frequency_ratio, c.frequency_p_value,
			c.recent_spend, c.past_spend, q.spend_ratio, c.spend_p_value,
			c.days_since_last, c.gap_ratio, c.p_alive,
			CASE WHEN s.complaints_known THEN coalesce(c.recent_complaints, 0) END AS recent_complaints,
			CASE WHEN s.complaints_known THEN coalesce(c.past_complaints, 0) END AS past_complaints,
			q.complaints_p_value,
			c.recent_satisfaction, c.past_satisfaction, q.satisfaction_ratio,
			CASE WHEN c.frequency_p_value IS NOT NULL
				THEN c.recent_purchase_days + c.past_purchase_days > 0
					AND segment.fall_p_value(0, c.recent_purchase_days + c.past_purchase_days, c.recent_days, c.past_days,
						p.events, p.events * s.usual_gap_days) <= (s.limits).significance END AS frequency_can_fall,
			segment_internal.rank_sum_least(c.recent_purchase_days, c.past_purchase_days) <= (s.limits).significance AS spend_can_fall
		FROM %1$I.kept_customer AS c
		CROSS JOIN (
			SELECT segment_internal.churn_limits(s.settings) AS limits, segment_internal.without_dropout(s.purchase_model) AS without_dropout,
				(s.settings ->> 'dormancy_prior_gaps')::float8 AS prior_gaps, s.usual_gap_days, p.complaints IS NOT NULL AS complaints_known,
				(s.settings ->> 'churn_past_days')::float8::integer / (s.settings ->> 'churn_recent_days')::float8::integer::float8 AS past_windows
			FROM %1$I.scorecard AS s
			JOIN %1$I.portfolio AS p ON p.scorecard_id = s.scorecard_id
			OFFSET 0
		) AS s
		CROSS JOIN LATERAL segment_internal.churn_signs(ROW(c.recent_days, c.past_days, c.recent_purchase_days, c.past_purchase_days,
				c.frequency_p_value, c.recent_spend, c.past_spend, c.spend_p_value, c.complaints_p_value,
				c.recent_satisfaction, c.past_satisfaction, c.gap_ratio,
				CASE WHEN NOT s.without_dropout THEN c.p_alive END)::segment_internal.churn_measures,
			s.complaints_known, s.limits) AS q
		CROSS JOIN LATERAL (SELECT greatest(0, s.prior_gaps * (1 - c.past_days / (c.recent_window * s.past_windows))) AS events) AS p$template$, portfolio, security_invoker);
	EXECUTE format('CREATE OR REPLACE VIEW %1$I.churn_signal WITH (security_invoker = %2$s) AS
		SELECT m.* FROM %1$I.churn_measure AS m WHERE m.signals > 0', portfolio, security_invoker);
	EXECUTE format($template$
		CREATE OR REPLACE VIEW %1$I.churn_sign WITH (security_invoker = %2$s) AS
		SELECT v.sign, v.judged, v.can_fire, v.fires
		FROM (
			SELECT count(m.frequency_falling) AS frequency_judged, count(*) FILTER (WHERE m.frequency_can_fall) AS frequency_can, count(*) FILTER (WHERE m.frequency_falling) AS frequency,
				count(m.spend_falling) AS spend_judged, count(*) FILTER (WHERE m.spend_falling IS NOT NULL AND m.spend_can_fall) AS spend_can, count(*) FILTER (WHERE m.spend_falling) AS spend,
				count(m.overdue) AS overdue_judged, count(*) FILTER (WHERE m.overdue) AS overdue,
				count(m.p_alive_low) AS p_alive_judged, count(*) FILTER (WHERE m.p_alive_low) AS p_alive,
				count(m.complaints_rising) AS complaints_judged, count(*) FILTER (WHERE m.complaints_rising) AS complaints,
				count(m.satisfaction_falling) AS satisfaction_judged, count(*) FILTER (WHERE m.satisfaction_falling) AS satisfaction
			FROM %1$I.churn_measure AS m
		) AS n
		CROSS JOIN LATERAL (VALUES
			('frequency_falling', n.frequency_judged, n.frequency_can, n.frequency),
			('spend_falling', n.spend_judged, n.spend_can, n.spend),
			('overdue', n.overdue_judged, n.overdue_judged, n.overdue),
			('p_alive_low', n.p_alive_judged, n.p_alive_judged, n.p_alive),
			('complaints_rising', n.complaints_judged, n.complaints_judged, n.complaints),
			('satisfaction_falling', n.satisfaction_judged, n.satisfaction_judged, n.satisfaction)
		) AS v(sign, judged, can_fire, fires)$template$, portfolio, security_invoker);

	EXECUTE format($template$
		CREATE OR REPLACE VIEW %1$I.win_back WITH (security_invoker = %2$s) AS
		SELECT c.customer_id, c.as_of, (r.r).left_day, (r.r).since, (r.r).gap_days, (r.r).gap_ratio,
			(r.r).returns, (r.r).orders, (r.r).value
		FROM (
			SELECT s.usual_gap_days,
				(s.settings ->> 'dormancy_prior_gaps')::float8 AS prior_gaps,
				(s.settings ->> 'dormancy_asleep')::float8 AS asleep
			FROM %1$I.scorecard AS s
			JOIN %1$I.portfolio AS p ON p.scorecard_id = s.scorecard_id
			OFFSET 0
		) AS s
		JOIN %1$I.kept_customer AS c ON c.return_below > s.usual_gap_days
		JOIN %1$I.customer_history AS h ON h.customer_id %3$s c.customer_id
		CROSS JOIN LATERAL (
			SELECT segment_internal.churn_return(h.purchases, c.as_of, s.usual_gap_days, s.prior_gaps, s.asleep) AS r
			OFFSET 0
		) AS r
		WHERE (r.r).since IS NOT NULL$template$, portfolio, security_invoker, (segment_internal.portfolio_key(portfolio)).equality);

	SELECT format_type(a.atttypid, a.atttypmod) INTO STRICT key_type
	FROM pg_attribute AS a
	WHERE a.attrelid = format('%I.customer_history', portfolio)::regclass AND a.attname = 'customer_id';
	EXECUTE format($template$
		CREATE OR REPLACE FUNCTION %1$I.best_list(n integer DEFAULT 100, min_probability float8 DEFAULT 0)
		RETURNS TABLE (place bigint, customer_id %2$s, purchase_probability float8,
			expected_spend float8, contribution_rate float8, expected_value float8, clv float8, days_since_last integer,
			class text, action text, action_zh text)
		LANGUAGE sql STABLE PARALLEL SAFE ROWS 100
		BEGIN ATOMIC
		SELECT row_number() OVER (ORDER BY b.expected_value DESC, b.customer_id), b.customer_id,
			b.purchase_probability, b.expected_spend, b.contribution_rate, b.expected_value, b.clv, b.days_since_last, a.class, a.action, a.action_zh
		FROM (
			SELECT c.customer_id, c.purchase_probability, c.expected_spend, c.contribution_rate,
				c.purchase_probability * c.expected_spend * c.contribution_rate AS expected_value, c.clv, c.days_since_last
			FROM %1$I.customer AS c
			WHERE c.purchase_probability >= coalesce($2, 0) AND c.expected_spend * c.contribution_rate IS NOT NULL
		) AS b
		-- what every other list says of the customer, too
		JOIN %1$I.customer_action AS a ON a.customer_id %3$s b.customer_id AND a.may_contact
		ORDER BY b.expected_value DESC, b.customer_id
		LIMIT segment_internal.best_list_limit($1, $2);
		END$template$, portfolio, key_type, (segment_internal.portfolio_key(portfolio)).equality);
END
$churn_create_views$;
COMMENT ON FUNCTION segment_internal.churn_create_views(text, boolean) IS
'creates or replaces the views churn_measure, churn_signal, churn_sign and win_back and the function best_list of a portfolio (internal)';

CREATE FUNCTION segment_internal.churn_comments() RETURNS TABLE (relation text, col text, meaning text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 50
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
SELECT r.relation, v.col, v.meaning
FROM unnest('{churn_measure,churn_signal}'::text[]) AS r(relation)
CROSS JOIN (VALUES
	('customer_id', 'key of the customer'),
	('as_of', 'day from whose end everything is seen'),
	('signals', 'number of signs that are true, 0..6; fewer is better'),
	('frequency_falling', 'whether the customer buys less often than before, by more than chance: frequency_p_value is at most the setting churn_significance and frequency_ratio below the setting churn_ratio; NULL: never bought, or first bought too late to have a past window'),
	('spend_falling', 'whether the customer spends less on a purchase day than before, by more than chance: spend_p_value is at most the setting churn_significance and spend_ratio below the setting churn_ratio; NULL: no purchase day in one of the windows'),
	('overdue', 'whether the customer has been away too long for the own rhythm: gap_ratio is above the setting churn_overdue_gaps; NULL: never bought'),
	('p_alive_low', 'whether p_alive is below the setting churn_p_alive; NULL: never bought, too little data for a model, or no dropout in the data, so that p_alive is unknown'),
	('complaints_rising', 'whether the customer complains more than before, by more than chance: complaints_p_value is at most the setting churn_significance; NULL: no source of complaints, or as frequency_falling'),
	('satisfaction_falling', 'whether satisfaction_ratio is below the setting churn_satisfaction_ratio; NULL: no scores in one of the windows, or the past mean is not positive'),
	('churn_risk', 'probability of no order within the days of the setting lost_after_days, 0..1; lower is better; NULL: too little data'),
	('clv', 'customer lifetime value as in the view customer, in units of money; may be negative; more is better; NULL without models'),
	('value_at_risk', 'clv times churn_risk in units of money, negative for who costs more than he brings: the order in which to act, highest first; NULL without models'),
	('wake_priority', 'purchase_probability times expected_spend times contribution_rate, in units of money: what the next purchase is likely to bring in the weeks of the setting probability_weeks; may be negative; higher is better; NULL without models'),
	('recent_days', 'days of the recent window that are the customer''s own, >= 0: of churn_recent_days, or of twice or four times as many for who buys rarely; NULL: never bought'),
	('past_days', 'days of the past window that are the customer''s own, >= 0; NULL: never bought'),
	('recent_purchase_days', 'purchase days in the recent window, without the customer''s first, >= 0; more is better; NULL: never bought'),
	('past_purchase_days', 'purchase days in the past window, without the customer''s first, >= 0; NULL: never bought'),
	('frequency_ratio', 'purchase days per day in the recent window divided by those in the past window, >= 0; 1: unchanged, lower is worse; NULL: none in the past window'),
	('frequency_p_value', 'chance of so few recent purchase days if the rate had not changed, 0..1: fall_p_value, with purchases at the usual gap of the population added to a short past: as many as the setting dormancy_prior_gaps, times the share of the past window that is before the first order; lower is a clearer sign; NULL as frequency_falling'),
	('recent_spend', 'gross of these purchase days in the recent window, in units of money, >= 0; more is better; NULL: never bought'),
	('past_spend', 'gross of these purchase days in the past window, in units of money, >= 0; NULL: never bought'),
	('spend_ratio', 'gross per purchase day in the recent window divided by that in the past window, >= 0; 1: unchanged, lower is worse; NULL: none in one of the windows'),
	('spend_p_value', 'chance that recent purchase days brought so little, each, if nothing had changed, 0..1 (test of the sum of ranks); lower is a clearer sign; NULL as spend_falling'),
	('days_since_last', 'days since the last order, >= 0; fewer is better; NULL: never bought'),
	('gap_ratio', 'days since the last order divided by the customer''s usual gap, >= 0; fewer is better; NULL: never bought'),
	('p_alive', 'probability that the customer is still active, 0..1; higher is better; NULL as in the view customer'),
	('recent_complaints', 'complaints in the recent window, >= 0; fewer is better; NULL: no source of complaints'),
	('past_complaints', 'complaints in the past window, >= 0; NULL: no source of complaints'),
	('complaints_p_value', 'chance of so many recent complaints if the rate had not changed, 0..1; lower is a clearer sign; NULL as complaints_rising'),
	('recent_satisfaction', 'mean satisfaction score in the recent window; NULL: no score'),
	('past_satisfaction', 'mean satisfaction score in the past window; NULL: no score'),
	('satisfaction_ratio', 'recent mean score divided by the past one; 1: unchanged, lower is worse; NULL as satisfaction_falling'),
	('frequency_can_fall', 'whether the customer bought so often that no purchase at all in the recent window would be a significant fall; NULL as frequency_falling'),
	('spend_can_fall', 'whether there are so many purchase days in both windows that the least of all sums of ranks would be significant; NULL: never bought')
) AS v(col, meaning)
UNION ALL
SELECT v.* FROM (VALUES
	('churn_measure', NULL, 'one row per customer: the signs of leaving and the numbers behind them, as of the day of the customer''s row; a sign is true, false, or NULL where it cannot be judged'),
	('churn_signal', NULL, 'one row per customer with at least one sign of leaving, the rows of churn_measure with a sign, as of the day of the customer''s row; a sign is true, false, or NULL where it cannot be judged. The recent window is the last days up to as_of, the past window the days before; both begin no earlier than the day after the customer''s first purchase. They are churn_recent_days and churn_past_days long; for who buys too rarely for these, twice or four times as long'),
	('churn_sign', NULL, 'one row per sign of leaving: for how many customers it can be judged, for how many of them it can ever be true, and for how many it is'),
	('churn_sign', 'sign', 'column of churn_signal'),
	('churn_sign', 'judged', 'customers for whom it is not NULL, >= 0'),
	('churn_sign', 'can_fire', 'of them, those with enough purchases for it to be true if no more came: for frequency_falling, if the recent ones had not been, for spend_falling, if the recent ones had been the smallest of all; all of them for the other signs, >= 0'),
	('churn_sign', 'fires', 'customers for whom it is true, >= 0; fewer is better'),
	('win_back', NULL, 'one row per customer who came back: bought again after having been asleep by the own rhythm (setting dormancy_asleep), as of the day of the scorecard in force; the last return counts'),
	('win_back', 'customer_id', 'key of the customer'),
	('win_back', 'as_of', 'day from whose end everything is seen'),
	('win_back', 'left_day', 'last purchase day before the gap'),
	('win_back', 'since', 'day of the return'),
	('win_back', 'gap_days', 'days from left_day to since, >= 2'),
	('win_back', 'gap_ratio', 'usual gaps that had gone without a purchase on the day before the return, above dormancy_asleep; as gap_ratio of the view customer on that day'),
	('win_back', 'returns', 'how many times the customer has come back, >= 1'),
	('win_back', 'orders', 'orders from the return on, >= 1; more is better'),
	('win_back', 'value', 'net amount from the return on, in units of money; may be negative where refunds came after it; more is better'),
	('best_list(integer, double precision)', NULL, 'the n customers (default 100; NULL: all) who are likely to bring most in the weeks of the setting probability_weeks, best first: by purchase_probability times expected_spend times contribution_rate, equal ones by key; each with class and action of the scheme that leads (view customer_action); only those who may be contacted (settings contact_column and contact_limit) and have a purchase_probability of at least min_probability (0..1, default 0). No rows where there are too few data for the models. Error 22023 for a negative n or a min_probability that is not between 0 and 1')
) AS v(relation, col, meaning);
END;
COMMENT ON FUNCTION segment_internal.churn_comments() IS
'the comments on the views and functions of the concept churn';
