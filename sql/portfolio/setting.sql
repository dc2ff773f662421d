/*
 * setting: what can be set for a portfolio, with the defaults
 */

CREATE VIEW segment.setting AS
SELECT s.name, s.type, s.default_value, s.least, s.greatest, s.choices, s.meaning
FROM (VALUES
	('margin', 'number', '1', 0::float8, 1::float8, NULL::text,
	 'share of sales that is contribution, where the purchases have no margin column'),
	('purchase_model', 'text', 'mbgnbd', NULL, NULL, 'bgnbd, mbgnbd, pnbd, none',
	 'model of purchases that refresh fits; none: no predictions'),
	('spend_model', 'text', 'gammagamma', NULL, NULL, 'gammagamma, none',
	 'model of the amount of a purchase that refresh fits; none: no expected_spend and clv'),
	('horizon_weeks', 'number', '52', 0, 5218, NULL,
	 'weeks ahead that expected_purchases and clv count'),
	('probability_weeks', 'number', '13', 0, 5218, NULL,
	 'weeks ahead that purchase_probability looks'),
	('annual_rate', 'number', '0.1', 0, 100, NULL,
	 'effective annual discount rate of clv; 0.1 is 10 %'),
	('contribution_prior_purchases', 'number', NULL, 0, 1000000, NULL,
	 'how many purchases the contribution rate of the portfolio counts for, when a customer''s own is averaged with it; not set: estimated from the data, between 1 and 5'),
	('dormancy_prior_gaps', 'number', '2', 0, 1000, NULL,
	 'how many gaps the usual gap of the population counts for, when a customer''s own gaps are averaged with it'),
	('dormancy_default_gap_days', 'number', '365', 1, 36525, NULL,
	 'usual gap in days, as long as no customer has bought twice'),
	('dormancy_drowsy', 'number', '2', 0, 1000, NULL,
	 'drowsy after this many usual gaps without a purchase; about one in 7 customers who buy at random is away that long (exp(-2))'),
	('dormancy_half_asleep', 'number', '3', 0, 1000, NULL,
	 'half asleep after this many usual gaps without a purchase; about one in 20 (exp(-3))'),
	('dormancy_asleep', 'number', '5', 0, 1000, NULL,
	 'asleep after this many usual gaps without a purchase; about one in 150 (exp(-5))'),
	('period_days', 'number', '365', 1, 36525, NULL,
	 'days of a period: of the period_ figures and previous_net of the view customer, and of its figures of places'),
	('trend_periods', 'number', '4', 1, 100, NULL,
	 'periods that trend looks back over, the last among them'),
	('abcd_by', 'text', 'net', NULL, NULL, 'net, net_value, period_net, period_net_value',
	 'what the pyramid abcd is built by: sales or profit, since the beginning or of the last period'),
	('cost_per_non_buyer', 'number', '0', 0, 1e15, NULL,
	 'what a customer without an order costs, in units of money: taken off the profit in segment_summary, pyramid, usage_share, profit, concentration and exposure'),
	('profile_values', 'number', '50', 1, 1000, NULL,
	 'how many values of an attribute segment_profile shows, the most frequent over all customers; the rest is one row'),
	('key_account_stay_days', 'number', '365', 0, 36525, NULL,
	 'days that a key account stays before a review can find that it would be demoted'),
	('key_account_least', 'number', '5', 0, 1000000, NULL,
	 'a review with fewer key accounts says so'),
	('key_account_most', 'number', '25', 0, 1000000, NULL,
	 'a review with more key accounts says so'),
	('visit_abc_rule', 'text', 'lower', NULL, NULL, 'lower, higher, sum',
	 'class in visit_abc where visits and spend differ: the lower or the higher of the two grades, or by their sum'),
	('value_middle_classes', 'number', '1', 1, 20, NULL,
	 'number of classes, by net value, into which value_class divides the customers in the middle'),
	('visit_type_regular', 'number', '1', 0, 100, NULL,
	 'largest gap_cv of a loyal visitor; 0 is perfectly regular, about 1 is random'),
	('visit_type_share', 'number', '0.8', 0, 1, NULL,
	 'least share of the visits of a loyal visitor that are to one place, where the source visits tells the places'),
	('margin_limit', 'number', '0.3', 0, 1, NULL,
	 'share of sales that a category must leave as margin, over all customers, to be one of high margin (margin_share)'),
	('cancel_same_day', 'boolean', 'true', NULL, NULL, NULL,
	 'whether visits and usage leave out what was refunded on the day of the order'),
	('leading_scheme', 'text', 'next_step', NULL, NULL, NULL,
	 'scheme that decides what to do with a customer (view customer_action)'),
	('contact_column', 'text', '', NULL, NULL, NULL,
	 'boolean attribute (a column of the source customers) that tells who may be contacted (column may_contact of customer_action, and best_list); empty: everybody may'),
	('contact_limit', 'number', NULL, 0, 1000000, NULL,
	 'a customer with so many contacts in the last period (source contacts, setting period_days) may not be contacted again (column may_contact of customer_action, and best_list); not set: no limit'),
	('contact_pressure', 'number', '2', 0, 1000000, NULL,
	 'over-contacted above so many times the median of the contacted customers of the class (customer_contact, contact_pressure)'),
	('resource_columns', 'text', '', NULL, NULL, NULL,
	 'columns of the view customer, such as attributes, that are resources in resource_share, separated by commas, each with the price of a unit if it is known: service_hours = 80, visits_made'),
	('churn_recent_days', 'number', '91', 1, 36525, NULL,
	 'days of the recent window of churn_signal, for those who buy often enough; for others two or four times as many'),
	('churn_past_days', 'number', '364', 1, 36525, NULL,
	 'days before it that the recent window is compared with; two or four times as many as the recent window is longer'),
	('churn_significance', 'number', '0.05', 0, 1, NULL,
	 'frequency, spend and complaints: a change counts where chance alone would bring it at most this often'),
	('churn_ratio', 'number', '0.8', 0, 1, NULL,
	 'frequency and spend: a fall counts below this share of the customer''s own past rate'),
	('churn_overdue_gaps', 'number', '3', 0, 1000, NULL,
	 'overdue after this many usual gaps without a purchase'),
	('churn_p_alive', 'number', '0.5', 0, 1, NULL,
	 'p_alive_low below this probability'),
	('churn_satisfaction_ratio', 'number', '0.8', 0, 1, NULL,
	 'satisfaction_falling below this share of the customer''s own past mean score'),
	('churn_prior_customers', 'number', '20', 1, 1000000, NULL,
	 'how many customers the share of all with the same gap ratio counts for, when the risk of a loss is taken from the past of customers alike'),
	('usable_error_rate', 'number', '0.5', 0, 1, NULL,
	 'largest error rate of a model that backtest calls usable'),
	('usable_miss_rate', 'number', '0.7', 0, 1, NULL,
	 'largest miss rate of a model that backtest calls usable'),
	('lost_after_days', 'number', '365', 1, 36525, NULL,
	 'a customer is lost after so many days without an order (leaky_bucket, sales_bridge, churn_rate)'),
	('scorecards_per_day', 'number', '24', 1, 1000000, NULL,
	 'how many scorecards as of the same day are kept, the newest ones; only the newest of all is used for that day'),
	('scorecard_days', 'number', '1830', 0, 365250, NULL,
	 'days that a scorecard is kept, counted back from the newest one''s as_of; those that snapshots name are kept as well'),
	('refresh_log_days', 'number', '400', 0, 36525, NULL,
	 'days that the rows of refresh_log are kept'),
	('indexes', 'text', 'clv', NULL, NULL, NULL,
	 'columns of the view customer that have an index besides the key, separated by commas; each makes a refresh longer'),
	('anonymous_keys', 'text', 'unknown, guest, anonymous', NULL, NULL, NULL,
	 'keys that do not identify a customer, separated by commas, in upper or lower case and with any blanks; empty keys are among them in any case. data_quality counts their rows'),
	('oldest_day', 'date', '1971-01-01', NULL, NULL, NULL,
	 'data_quality counts events before this day, such as those at the zero of a clock'),
	('outlier_mads', 'number', '8', 1, 1000, NULL,
	 'data_quality counts orders whose logarithm is further from the median than so many median absolute deviations; 8 are about 5.4 standard deviations of a lognormal amount'),
	('security_invoker', 'boolean', 'false', NULL, NULL, NULL,
	 'whether the views check the rights of the reader (and row security) instead of those of the portfolio''s owner')
) AS s(name, type, default_value, least, greatest, choices, meaning);
COMMENT ON VIEW segment.setting IS
'the settings of a portfolio: one row each, with type, default and range';
COMMENT ON COLUMN segment.setting.name IS 'key in the settings of create_portfolio and alter_portfolio';
COMMENT ON COLUMN segment.setting.type IS 'number, boolean, text or date (as text: YYYY-MM-DD)';
COMMENT ON COLUMN segment.setting.default_value IS 'value in force where nothing is set; NULL: it is estimated from the data';
COMMENT ON COLUMN segment.setting.least IS 'smallest value allowed; NULL where there is no order';
COMMENT ON COLUMN segment.setting.greatest IS 'largest value allowed; NULL where there is no order';
COMMENT ON COLUMN segment.setting.choices IS 'values allowed, where there are only a few';
COMMENT ON COLUMN segment.setting.meaning IS 'what it does, with its unit';
GRANT SELECT ON segment.setting TO PUBLIC;

CREATE FUNCTION segment_internal.is_day(day text) RETURNS boolean
LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $is_day$
BEGIN
	RETURN day ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}$' AND day::date IS NOT NULL;
EXCEPTION WHEN datetime_field_overflow THEN
	RETURN false;
END
$is_day$;
COMMENT ON FUNCTION segment_internal.is_day(text) IS
'whether a text is a day of the calendar as YYYY-MM-DD (internal)';

CREATE FUNCTION segment_internal.check_settings(settings jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $check_settings$
DECLARE
	given record;
	known segment.setting;
	complete jsonb;
BEGIN
	IF jsonb_typeof(settings) <> 'object' THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('settings must be a JSON object, not %s', settings);
	END IF;
	FOR given IN SELECT key, value FROM jsonb_each(settings) LOOP
		SELECT * INTO known FROM segment.setting AS s WHERE s.name = given.key;
		IF NOT FOUND THEN
			RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
				MESSAGE = format('setting "%s" is not known', given.key),
				HINT = 'The view segment.setting lists the settings.';
		ELSIF given.value = 'null' AND known.default_value IS NULL THEN
			-- not set
			CONTINUE;
		ELSIF jsonb_typeof(given.value) <> (CASE WHEN known.type IN ('text', 'date') THEN 'string' ELSE known.type END) THEN
			RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
				MESSAGE = format('setting "%s" must be a %s, not %s', given.key, known.type, given.value),
				HINT = upper(left(known.meaning, 1)) || substr(known.meaning, 2) || '.';
		ELSIF known.type = 'date' AND NOT segment_internal.is_day(given.value #>> '{}') THEN
			RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
				MESSAGE = format('setting "%s" must be a date as YYYY-MM-DD, not %s', given.key, given.value),
				HINT = upper(left(known.meaning, 1)) || substr(known.meaning, 2) || '.';
		ELSIF NOT (given.value #>> '{}') = ANY (string_to_array(known.choices, ', ')) THEN
			RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
				MESSAGE = format('setting "%s" must be one of %s, not %s',
					given.key, known.choices, given.value),
				HINT = upper(left(known.meaning, 1)) || substr(known.meaning, 2) || '.';
		ELSIF known.type = 'number' AND
			NOT (given.value #>> '{}')::numeric BETWEEN known.least::numeric AND known.greatest::numeric THEN
			RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
				MESSAGE = format('setting "%s" must be from %s to %s, not %s',
					given.key, known.least, known.greatest, given.value),
				HINT = upper(left(known.meaning, 1)) || substr(known.meaning, 2) || '.';
		END IF;
	END LOOP;
	SELECT jsonb_object_agg(s.name, CASE WHEN s.type IN ('text', 'date') THEN to_jsonb(s.default_value)
			ELSE s.default_value::jsonb END) || settings
	INTO complete FROM segment.setting AS s;
	IF NOT ((complete ->> 'dormancy_drowsy')::numeric <= (complete ->> 'dormancy_half_asleep')::numeric
			AND (complete ->> 'dormancy_half_asleep')::numeric <= (complete ->> 'dormancy_asleep')::numeric) THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'settings dormancy_drowsy, dormancy_half_asleep and dormancy_asleep must ascend',
			DETAIL = format('They are %s, %s and %s.', complete -> 'dormancy_drowsy',
				complete -> 'dormancy_half_asleep', complete -> 'dormancy_asleep');
	END IF;
	RETURN complete;
END
$check_settings$;
COMMENT ON FUNCTION segment_internal.check_settings(jsonb) IS
'all settings of a portfolio: those given, and the defaults of the others; error 22023 for an unknown setting, a wrong type or a value out of range';
