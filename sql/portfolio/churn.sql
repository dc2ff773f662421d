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

/* ---------- a customer's recent past against the past ---------- */

CREATE TYPE segment_internal.churn_measures AS (
	recent_days integer, past_days integer,
	recent_purchase_days bigint, past_purchase_days bigint,
	frequency_ratio float8, frequency_p_value float8,
	recent_spend numeric, past_spend numeric, spend_ratio float8, spend_p_value float8,
	recent_complaints bigint, past_complaints bigint, complaints_p_value float8,
	recent_satisfaction float8, past_satisfaction float8
);
COMMENT ON TYPE segment_internal.churn_measures IS
'the recent window of a customer against the customer''s own past: days in each window after the first purchase day; purchase days after the first, and their gross, in each; ratios of the rates per day (recent / past; NULL where the past one is 0) and the chance of so low a recent rate; complaints and the chance of so many; mean satisfaction scores';

CREATE FUNCTION segment_internal.churn_measures(
	purchases segment.history, complaints segment.history, satisfaction segment.history,
	as_of date, recent_days integer, past_days integer
) RETURNS segment_internal.churn_measures
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 50
AS 'MODULE_PATHNAME', 'segment_churn_measures';
COMMENT ON FUNCTION segment_internal.churn_measures(segment.history, segment.history, segment.history, date, integer, integer) IS
'the numbers behind the signals of churn: the last recent_days up to as_of against the past_days before them, both only from the day after the first purchase on. Histories that are NULL hold no events. frequency_p_value: fall_p_value of the purchase days; complaints_p_value: rise_p_value of the complaints; spend_p_value: chance of so little recent spend if each of these purchases, with its amount, were as likely on any day (never less than the exact chance). NULL where as_of or a number of days is NULL; in it NULL what cannot be said: without purchases, or where the first one leaves no day in the past window. Errors: 22008 infinite as_of, 22023 a number of days that is not between 1 and 36525';

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

/*
 * The signs.  It is inlined, and takes what it is given several times: that
 * should be a column.
 */
CREATE FUNCTION segment_internal.churn_signs(
	measures segment_internal.churn_measures, complaints_known boolean, gap_ratio float8, p_alive float8,
	limits segment_internal.churn_limits
) RETURNS TABLE (
	signals integer, frequency_falling boolean, spend_falling boolean, overdue boolean, p_alive_low boolean,
	complaints_rising boolean, satisfaction_falling boolean, satisfaction_ratio float8
)
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 1
BEGIN ATOMIC
SELECT coalesce(s.frequency_falling::integer, 0) + coalesce(s.spend_falling::integer, 0) + coalesce(s.overdue::integer, 0)
		+ coalesce(s.p_alive_low::integer, 0) + coalesce(s.complaints_rising::integer, 0) + coalesce(s.satisfaction_falling::integer, 0),
	s.frequency_falling, s.spend_falling, s.overdue, s.p_alive_low, s.complaints_rising, s.satisfaction_falling, s.satisfaction_ratio
FROM (
	SELECT CASE WHEN measures.frequency_p_value IS NOT NULL
			THEN measures.frequency_p_value <= limits.significance AND coalesce(measures.frequency_ratio < limits.ratio, false) END AS frequency_falling,
		CASE WHEN measures.spend_p_value IS NOT NULL
			THEN measures.spend_p_value <= limits.significance AND coalesce(measures.spend_ratio < limits.ratio, false) END AS spend_falling,
		gap_ratio > limits.overdue_gaps AS overdue, p_alive < limits.p_alive AS p_alive_low,
		CASE WHEN complaints_known THEN measures.complaints_p_value <= limits.significance END AS complaints_rising,
		q.satisfaction_ratio < limits.satisfaction_ratio AS satisfaction_falling, q.satisfaction_ratio
	FROM (
		SELECT CASE WHEN measures.past_satisfaction > 0
			THEN measures.recent_satisfaction / measures.past_satisfaction END AS satisfaction_ratio
	) AS q
) AS s;
END;
COMMENT ON FUNCTION segment_internal.churn_signs(segment_internal.churn_measures, boolean, float8, float8, segment_internal.churn_limits) IS
'the signs of leaving of a customer, each true, false, or NULL where it cannot be judged, and how many are true, from the numbers behind them; p_alive is to be NULL where the data show no dropout. One row (internal)';

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
	EXECUTE format($template$
		CREATE OR REPLACE VIEW %1$I.churn_signal WITH (security_invoker = %2$s) AS
		SELECT c.customer_id, c.as_of, q.signals,
			q.frequency_falling, q.spend_falling, q.overdue, q.p_alive_low,
			q.complaints_rising, q.satisfaction_falling,
			c.churn_risk, c.clv, c.clv * c.churn_risk AS value_at_risk,
			c.purchase_probability * c.expected_spend * c.contribution_rate AS wake_priority,
			(r.m).recent_days, (r.m).past_days,
			(r.m).recent_purchase_days, (r.m).past_purchase_days, (r.m).frequency_ratio, (r.m).frequency_p_value,
			(r.m).recent_spend, (r.m).past_spend, (r.m).spend_ratio, (r.m).spend_p_value,
			c.days_since_last, c.gap_ratio, c.p_alive,
			CASE WHEN s.complaints_known THEN (r.m).recent_complaints END AS recent_complaints,
			CASE WHEN s.complaints_known THEN (r.m).past_complaints END AS past_complaints,
			CASE WHEN s.complaints_known THEN (r.m).complaints_p_value END AS complaints_p_value,
			(r.m).recent_satisfaction, (r.m).past_satisfaction, q.satisfaction_ratio
		FROM %1$I.customer AS c
		JOIN %1$I.customer_history AS h ON h.customer_id %3$s c.customer_id
		CROSS JOIN (
			SELECT (s.settings ->> 'churn_recent_days')::float8::integer AS recent_days,
				(s.settings ->> 'churn_past_days')::float8::integer AS past_days,
				segment_internal.churn_limits(s.settings) AS limits,
				segment_internal.without_dropout(s.purchase_model) AS without_dropout,
				(SELECT p.complaints IS NOT NULL FROM %1$I.portfolio AS p) AS complaints_known
			FROM %1$I.scorecard AS s
			WHERE s.scorecard_id = (SELECT max(n.scorecard_id) FROM %1$I.scorecard AS n)
			OFFSET 0
		) AS s
		CROSS JOIN LATERAL (
			SELECT segment_internal.churn_measures(h.purchases, h.complaints, h.satisfaction,
				c.as_of, s.recent_days, s.past_days) AS m
			OFFSET 0
		) AS r
		CROSS JOIN LATERAL segment_internal.churn_signs(r.m, s.complaints_known, c.gap_ratio,
			CASE WHEN NOT s.without_dropout THEN c.p_alive END, s.limits) AS q
		WHERE q.signals > 0$template$, portfolio, security_invoker, (segment_internal.portfolio_key(portfolio)).equality);

	EXECUTE format($template$
		CREATE OR REPLACE VIEW %1$I.win_back WITH (security_invoker = %2$s) AS
		SELECT h.customer_id, s.as_of, (r.r).left_day, (r.r).since, (r.r).gap_days, (r.r).gap_ratio,
			(r.r).returns, (r.r).orders, (r.r).value
		FROM %1$I.customer_history AS h
		CROSS JOIN (
			SELECT s.as_of, s.usual_gap_days,
				(s.settings ->> 'dormancy_prior_gaps')::float8 AS prior_gaps,
				(s.settings ->> 'dormancy_asleep')::float8 AS asleep
			FROM %1$I.scorecard AS s
			WHERE s.scorecard_id = (SELECT max(n.scorecard_id) FROM %1$I.scorecard AS n)
			OFFSET 0
		) AS s
		CROSS JOIN LATERAL (
			SELECT segment_internal.churn_return(h.purchases, s.as_of, s.usual_gap_days, s.prior_gaps, s.asleep) AS r
			OFFSET 0
		) AS r
		WHERE (r.r).since IS NOT NULL$template$, portfolio, security_invoker);

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
'creates or replaces the views churn_signal and win_back and the function best_list of a portfolio (internal)';

CREATE FUNCTION segment_internal.churn_comments() RETURNS TABLE (relation text, col text, meaning text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 50
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
SELECT v.* FROM (VALUES
	('churn_signal', NULL, 'one row per customer with at least one sign of leaving, as of the day of the scorecard in force; a sign is true, false, or NULL where it cannot be judged. The recent window is the last churn_recent_days days, the past window the churn_past_days days before; both begin no earlier than the day after the customer''s first purchase'),
	('churn_signal', 'customer_id', 'key of the customer'),
	('churn_signal', 'as_of', 'day from whose end everything is seen'),
	('churn_signal', 'signals', 'number of signs that are true, 1..6; fewer is better'),
	('churn_signal', 'frequency_falling', 'whether the customer buys less often than before, by more than chance: frequency_p_value is at most the setting churn_significance and frequency_ratio below the setting churn_ratio; NULL: never bought, or first bought too late to have a past window'),
	('churn_signal', 'spend_falling', 'whether the customer spends less than before, by more than chance: spend_p_value is at most the setting churn_significance and spend_ratio below the setting churn_ratio; NULL as frequency_falling'),
	('churn_signal', 'overdue', 'whether the customer has been away too long for the own rhythm: gap_ratio is above the setting churn_overdue_gaps; NULL: never bought'),
	('churn_signal', 'p_alive_low', 'whether p_alive is below the setting churn_p_alive; NULL: never bought, too little data for a model, or no dropout in the data, so that p_alive is unknown'),
	('churn_signal', 'complaints_rising', 'whether the customer complains more than before, by more than chance: complaints_p_value is at most the setting churn_significance; NULL: no source of complaints, or as frequency_falling'),
	('churn_signal', 'satisfaction_falling', 'whether satisfaction_ratio is below the setting churn_satisfaction_ratio; NULL: no scores in one of the windows, or the past mean is not positive'),
	('churn_signal', 'churn_risk', 'probability of no order within the days of the setting lost_after_days, 0..1; lower is better; NULL: too little data'),
	('churn_signal', 'clv', 'customer lifetime value as in the view customer, in units of money; may be negative; more is better; NULL without models'),
	('churn_signal', 'value_at_risk', 'clv times churn_risk in units of money, negative for who costs more than he brings: the order in which to act, highest first; NULL without models'),
	('churn_signal', 'wake_priority', 'purchase_probability times expected_spend times contribution_rate, in units of money: what the next purchase is likely to bring in the weeks of the setting probability_weeks; may be negative; higher is better; NULL without models'),
	('churn_signal', 'recent_days', 'days of the recent window that are the customer''s own, >= 0; NULL: never bought'),
	('churn_signal', 'past_days', 'days of the past window that are the customer''s own, >= 0; NULL: never bought'),
	('churn_signal', 'recent_purchase_days', 'purchase days in the recent window, without the customer''s first, >= 0; more is better; NULL: never bought'),
	('churn_signal', 'past_purchase_days', 'purchase days in the past window, without the customer''s first, >= 0; NULL: never bought'),
	('churn_signal', 'frequency_ratio', 'purchase days per day in the recent window divided by those in the past window, >= 0; 1: unchanged, lower is worse; NULL: none in the past window'),
	('churn_signal', 'frequency_p_value', 'chance of so few recent purchase days if the rate had not changed (exact conditional test of two Poisson rates), 0..1; lower is a clearer sign; NULL as frequency_falling'),
	('churn_signal', 'recent_spend', 'gross of these purchase days in the recent window, in units of money, >= 0; more is better; NULL: never bought'),
	('churn_signal', 'past_spend', 'gross of these purchase days in the past window, in units of money, >= 0; NULL: never bought'),
	('churn_signal', 'spend_ratio', 'spend per day in the recent window divided by that in the past window, >= 0; 1: unchanged, lower is worse; NULL: none in the past window'),
	('churn_signal', 'spend_p_value', 'chance of so little recent spend if each purchase, with its amount, had been as likely on any day, 0..1, never below the exact chance; lower is a clearer sign; NULL as frequency_falling'),
	('churn_signal', 'days_since_last', 'days since the last order, >= 0; fewer is better; NULL: never bought'),
	('churn_signal', 'gap_ratio', 'days since the last order divided by the customer''s usual gap, >= 0; fewer is better; NULL: never bought'),
	('churn_signal', 'p_alive', 'probability that the customer is still active, 0..1; higher is better; NULL as p_alive_low'),
	('churn_signal', 'recent_complaints', 'complaints in the recent window, >= 0; fewer is better; NULL: no source of complaints'),
	('churn_signal', 'past_complaints', 'complaints in the past window, >= 0; NULL: no source of complaints'),
	('churn_signal', 'complaints_p_value', 'chance of so many recent complaints if the rate had not changed, 0..1; lower is a clearer sign; NULL as complaints_rising'),
	('churn_signal', 'recent_satisfaction', 'mean satisfaction score in the recent window; NULL: no score'),
	('churn_signal', 'past_satisfaction', 'mean satisfaction score in the past window; NULL: no score'),
	('churn_signal', 'satisfaction_ratio', 'recent mean score divided by the past one; 1: unchanged, lower is worse; NULL as satisfaction_falling'),
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
