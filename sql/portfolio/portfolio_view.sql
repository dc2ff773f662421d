/*
 * portfolio_view: the views of a portfolio, each from one template
 *
 * A customer's row is a pure function of the own histories and of a scorecard.
 * Nothing here is computed over all customers, so a filter on the key reaches
 * the primary key of customer_history.
 */

/*
 * The concepts that add tables and views of their own to a portfolio.  Each
 * has, in its own file, the functions CONCEPT_create_tables(portfolio),
 * CONCEPT_create_views(portfolio, security_invoker) and CONCEPT_comments();
 * they are called in this order.
 */
CREATE FUNCTION segment_internal.portfolio_concepts() RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
-- a line each, in the order in which they are created
RETURN ARRAY[
	'scheme',
	'event',
	'churn',
	'value',
	'contact',
	'key_account',
	'flow',
	'snapshot',
	'trait',
	'watch',
	'customer_now',
	'cluster',
	'scheme_quality',
	'chart'
];
COMMENT ON FUNCTION segment_internal.portfolio_concepts() IS
'the concepts that add tables and views of their own to a portfolio (internal)';

CREATE FUNCTION segment_internal.model_figures(model segment.model) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
SELECT string_agg(format('%s %s', p.key, round((p.value #>> '{}')::numeric, 6))
	|| coalesce(format(' (%s)', round(segment.stderr(model, p.key)::numeric, 6)), ''), ', ' ORDER BY p.key)
FROM jsonb_each(segment.params(model)) AS p;
END;
COMMENT ON FUNCTION segment_internal.model_figures(segment.model) IS
'the parameters of a model with their standard errors, as a line to read: "a 0.89 (0.15), ..."';

CREATE FUNCTION segment_internal.portfolio_create_views(portfolio text, security_invoker boolean) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $portfolio_create_views$
DECLARE
	columns text;
	concept text;
BEGIN
	PERFORM segment_internal.kept_define(portfolio);
	PERFORM segment_internal.rule_check(portfolio);
	SELECT string_agg(format('c.%I', k.name), ', ' ORDER BY k.ordinal) INTO columns
	FROM segment_internal.kept_columns(portfolio) AS k WHERE k.is_shown AND k.name <> 'customer_id';
	PERFORM segment_internal.customer_define_scorecard(portfolio, security_invoker);
	PERFORM segment_internal.customer_define_row(portfolio);
	PERFORM segment_internal.kept_index(portfolio);
	EXECUTE format('CREATE OR REPLACE VIEW %1$I.customer WITH (security_invoker = %2$s) AS
		SELECT c.customer_id, %3$s FROM %1$I.kept_customer AS c', portfolio, security_invoker, columns);

	EXECUTE format($template$
		CREATE OR REPLACE FUNCTION %1$I.customer_at(day date) RETURNS SETOF %1$I.customer
		LANGUAGE sql STABLE PARALLEL SAFE ROWS 100000
		BEGIN ATOMIC
		SELECT h.customer_id, %2$s
		FROM (SELECT %1$I.scorecard_on($1) AS scorecard_id OFFSET NULL) AS n
		CROSS JOIN LATERAL %1$I.scorecards(ARRAY[n.scorecard_id]) AS s%3$s;
		END$template$, portfolio, columns, segment_internal.customer_items(portfolio, '$1'));

	EXECUTE format($template$
		CREATE OR REPLACE VIEW %1$I.model_card WITH (security_invoker = %2$s) AS
		SELECT s.scorecard_id, s.as_of, s.created_at AS fitted_at, s.customers, s.buyers,
			s.recency_cuts::text AS recency_cuts, s.frequency_cuts::text AS frequency_cuts,
			s.monetary_cuts::text AS monetary_cuts, s.usual_gap_days, s.margin,
			s.contribution_rate, s.rate_before_cost, s.usual_gross, s.prior_purchases,
			segment.kind(s.purchase_model) AS purchase_model,
			segment_internal.model_figures(s.purchase_model) AS purchase_parameters,
			segment.loglik(s.purchase_model) AS purchase_loglik,
			segment.status(s.purchase_model) AS purchase_status,
			array_to_string(segment.warnings(s.purchase_model), E'\n') AS purchase_warnings,
			s.purchase_model_usable,
			segment.kind(s.spend_model) AS spend_model,
			segment_internal.model_figures(s.spend_model) AS spend_parameters,
			segment.loglik(s.spend_model) AS spend_loglik,
			segment.status(s.spend_model) AS spend_status,
			array_to_string(segment.warnings(s.spend_model), E'\n') AS spend_warnings,
			s.spend_model_usable,
			s.unit_days, s.horizon * s.unit_days / 7 AS horizon_weeks,
			s.probability_horizon * s.unit_days / 7 AS probability_weeks,
			(s.settings ->> 'annual_rate')::float8 AS annual_rate,
			s.settings::text AS settings, s.cuts::text AS cuts, s.churn_basis, s.churn_days, s.churn_reason
		FROM %1$I.scorecard AS s$template$, portfolio, security_invoker);

	EXECUTE format($template$
		CREATE OR REPLACE VIEW %1$I.data_quality WITH (security_invoker = %2$s) AS
		SELECT s.source, q.check_name, CASE WHEN d.source IS NULL THEN 0 ELSE d.count END::bigint AS count,
			CASE WHEN d.source IS NULL THEN 0 ELSE d.money END AS money, q.meaning
		FROM %1$I.portfolio AS p
		CROSS JOIN LATERAL (VALUES ('purchases', p.purchases), ('customers', p.customers),
			('costs', p.costs), ('complaints', p.complaints), ('satisfaction', p.satisfaction),
			('visits', p.visits), ('contacts', p.contacts), ('lines', p.lines)) AS s(source, query)
		JOIN segment_internal.quality_check AS q ON q.source = s.source
		LEFT JOIN (
			SELECT f.source, f.check_name, sum(f.count) AS count, sum(f.money) AS money
			FROM %1$I.defect AS f GROUP BY f.source, f.check_name
		) AS d ON d.source = s.source AND d.check_name = q.check_name
		WHERE s.query IS NOT NULL$template$, portfolio, security_invoker);

	FOREACH concept IN ARRAY segment_internal.portfolio_concepts() LOOP
		EXECUTE format('SELECT segment_internal.%I($1, $2)', concept || '_create_views')
		USING portfolio, security_invoker;
	END LOOP;
	PERFORM segment_internal.portfolio_comment(portfolio);
END
$portfolio_create_views$;
COMMENT ON FUNCTION segment_internal.portfolio_create_views(text, boolean) IS
'creates or replaces the views of a portfolio (internal)';

CREATE FUNCTION segment_internal.portfolio_column_comments() RETURNS TABLE (relation text, col text, meaning text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 100
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
WITH v(relation, col, meaning) AS (VALUES
	('portfolio', NULL, 'definition of the portfolio: one row'),
	('portfolio', 'singleton', 'always true: there is one row'),
	('portfolio', 'purchases', 'query of the orders: customer, at, amount and, if known, margin; or customer, history and, if known, margin history'),
	('portfolio', 'customers', 'query of all customers, with attributes; NULL: none'),
	('portfolio', 'costs', 'query of the costs of acquiring and serving: customer, at, amount; NULL: none'),
	('portfolio', 'complaints', 'query of complaints: customer, at; NULL: none'),
	('portfolio', 'satisfaction', 'query of satisfaction scores: customer, at, score; NULL: none'),
	('portfolio', 'visits', 'query of visits: customer, at, place; NULL: none'),
	('portfolio', 'contacts', 'query of contacts, that is what was sent or said to a customer: customer, at and, if known, channel; NULL: none'),
	('portfolio', 'lines', 'query of the lines of the orders: customer, at, amount, margin, category; NULL: none'),
	('portfolio', 'timezone', 'time zone in which days begin'),
	('portfolio', 'unit', 'time unit of the models: day, week, month or year'),
	('portfolio', 'settings', 'settings that differ from the defaults (view segment.setting)'),
	('portfolio', 'search_path', 'search path in which names in the queries are looked up'),
	('portfolio', 'session_settings', 'settings of the session that gave the queries, under which they are run: order of day and month in dates, locales'),
	('portfolio', 'created_at', 'when the portfolio was created'),
	('portfolio', 'refreshed_at', 'when the last refresh had read the sources'),
	('portfolio', 'scorecard_id', 'number of the scorecard in force, the newest; NULL: none yet'),
	('portfolio', 'read_fingerprint', 'what the last refresh found of sources and watched tables; while it stays the same, their notes are complete; NULL: not all tables are watched'),
	('portfolio', 'usual_orders', 'smallest and largest usual amount of an order in units of money, as of the last refresh that read everything, for the check unusual_amount of data_quality; NULL: the amounts do not vary'),
	('refresh_log', NULL, 'one row per refresh that was completed (setting refresh_log_days)'),
	('refresh_log', 'started_at', 'when it began'),
	('refresh_log', 'who', 'user of the session that called'),
	('refresh_log', 'as_of', 'day from whose end everything is seen'),
	('refresh_log', 'mode', 'full: all customers were read; changes: those whose rows had changed'),
	('refresh_log', 'reason', 'why'),
	('refresh_log', 'customers', 'customers in the scorecard'),
	('refresh_log', 'customers_read', 'customers read from the sources'),
	('refresh_log', 'customers_changed', 'customers whose stored row changed'),
	('refresh_log', 'scorecard_id', 'number of the scorecard in force afterwards'),
	('refresh_log', 'purchase_model', 'status of the model of purchases; NULL: none'),
	('refresh_log', 'spend_model', 'status of the model of amounts; NULL: none'),
	('refresh_log', 'seconds', 'time it took, in seconds'),
	('customer_history', NULL, 'per customer the dated series that everything is computed from'),
	('customer_history', 'customer_id', 'key of the customer, of the type in the source'),
	('customer_history', 'purchases', 'orders (amounts >= 0) and refunds (< 0); NULL: none'),
	('customer_history', 'margins', 'contribution of the purchases; NULL: none, or not in the source'),
	('customer_history', 'costs', 'costs of acquiring and serving; NULL: none'),
	('customer_history', 'complaints', 'complaints, each with the amount 1; NULL: none'),
	('customer_history', 'satisfaction', 'satisfaction scores as amounts; NULL: none'),
	('customer_history', 'listed', 'whether the source customers names the customer'),
	('customer_history', 'attributes', 'attributes from the source customers as they were read; NULL: not listed'),
	('customer_attributes', NULL, 'the attributes of customers: names and types of the columns of the source customers'),
	('scorecard', NULL, 'cut points and other figures computed over all customers, one row per refresh, all kept'),
	('scorecard', 'scorecard_id', 'ascending number; the highest is in force'),
	('scorecard', 'as_of', 'day from whose end everything is seen'),
	('scorecard', 'as_of_given', 'whether refresh was asked for this day; if not, it is the last purchase day that is not after the day of the refresh'),
	('scorecard', 'created_at', 'time of the refresh'),
	('scorecard', 'customers', 'number of customers, including those without orders'),
	('scorecard', 'buyers', 'number of customers with an order'),
	('scorecard', 'recency_cuts', 'cut points of the recency score, in minus days since the last purchase, ascending'),
	('scorecard', 'frequency_cuts', 'cut points of the frequency score, in orders, ascending'),
	('scorecard', 'monetary_cuts', 'cut points of the monetary score, in net amount, ascending'),
	('scorecard', 'usual_gap_days', 'usual gap of the population in days: mean of the customers'' own mean gaps'),
	('scorecard', 'margin', 'contribution as a share of the net amount, 0..1; NULL where the purchases have margins'),
	('scorecard', 'contribution_rate', 'net value of the buyers per unit of gross, after refunds and costs; may be negative; NULL: nobody has paid anything'),
	('scorecard', 'rate_before_cost', 'margin of the buyers per unit of gross, without the source costs; may be negative; NULL as contribution_rate'),
	('scorecard', 'usual_gross', 'a usual purchase in units of money: geometric mean of the buyers'' gross per purchase day, > 0; NULL: nobody has paid anything'),
	('scorecard', 'prior_purchases', 'how many purchases the two rates count for, when a customer''s own are averaged with them, >= 0 (setting contribution_prior_purchases, or estimated)'),
	('scorecard', 'purchase_model', 'fitted model of purchases; NULL without buyers or if none is asked for'),
	('scorecard', 'spend_model', 'fitted model of the amount of a purchase; NULL without repeat buyers or if none is asked for'),
	('scorecard', 'purchase_model_usable', 'whether there was enough data for predictions of purchases'),
	('scorecard', 'spend_model_usable', 'whether there was enough data for predictions of amounts'),
	('scorecard', 'unit_days', 'days in the time unit of the models'),
	('scorecard', 'horizon', 'horizon of expected_purchases and clv, in units of the models'),
	('scorecard', 'probability_horizon', 'horizon of purchase_probability, in units of the models'),
	('scorecard', 'settings', 'all settings in force'),
	('scorecard', 'cuts', 'figures over all customers that the rules of the schemes refer to'),
	('scorecard', 'churn_basis', 'what churn_risk comes from: model, past, past_short or too_short, see customer.churn_risk_basis'),
	('scorecard', 'churn_days', 'the days without an order that churn_risk is the risk of'),
	('scorecard', 'churn_shares', 'shares of customers alike who made no order for so long, a line for each band of orders, a column for each step of the gap ratio; NULL where they are not used'),
	('scorecard', 'churn_reason', 'why it is this basis'),
	('scorecard', 'high_margin_categories', 'the categories whose margin, of the lines of all customers, is more than the setting margin_limit of the sales; NULL: no source lines'),
	('defect', NULL, 'rows of the sources that data_quality reports, per customer'),
	('defect', 'source', 'source query'),
	('defect', 'check_name', 'name of the check'),
	('defect', 'customer_id', 'key of the customer; NULL where the rows have none'),
	('defect', 'count', 'number of rows; NULL: not known, since the source brings histories'),
	('defect', 'money', 'sum of their amounts in units of money; 0 where the source has none; NULL as count'),
	('kept_customer', NULL, 'the rows of the view customer, as the last refresh computed them'),
	('scorecard_figures', NULL, 'one row per scorecard: what the rows of customers are computed by, with the settings and the figures that rules refer to as columns (internal)'),
	('scorecard_figures', 'scorecard_id', 'ascending number'),
	('scorecard_figures', 'scorecard_as_of', 'day from whose end everything is seen'),
	('scorecard_figures', 'is_there', 'always true'),
	('scorecard_figures', 'terms', 'cut points, usual gap, models and rates, as segment_internal.customer_figures takes them'),
	('scorecard_in_force', NULL, 'the row of scorecard that is in force: the newest (internal)'),
	('scorecards()', NULL, 'rows of scorecard_figures (internal)'),
	('scorecards(bigint[])', NULL, 'rows of scorecard_figures by their numbers (internal)'),
	('scorecard_on(date)', NULL, 'number of the scorecard that is used for a day: the newest that is not later, or the oldest'),
	('customer_row(*)', NULL, 'the row of a customer in the view customer: from the figures as of a day (segment_internal.customer_figures), a scorecard, the classes that stay rules look at, the attributes, and the figures of table event_history (internal)'),
	('customer', NULL, 'one row per customer, including those who never bought, as of the newest scorecard'),
	('kept_customer', 'customer_id', 'key of the customer, of the type in the source'),
	('customer', 'customer_id', 'key of the customer, of the type in the source'),
	('model_card', NULL, 'one row per scorecard: what it was computed from, and what came out'),
	('model_card', 'scorecard_id', 'ascending number; the highest is in force'),
	('model_card', 'as_of', 'day from whose end everything is seen'),
	('model_card', 'fitted_at', 'time of the refresh'),
	('model_card', 'customers', 'number of customers, including those without orders'),
	('model_card', 'buyers', 'number of customers with an order'),
	('model_card', 'recency_cuts', 'cut points of the recency score, in minus days since the last purchase, ascending; NULL without buyers'),
	('model_card', 'frequency_cuts', 'cut points of the frequency score, in orders, ascending; NULL without buyers'),
	('model_card', 'monetary_cuts', 'cut points of the monetary score, in net amount, ascending; NULL without buyers'),
	('model_card', 'usual_gap_days', 'usual gap of the population in days, >= 1'),
	('model_card', 'margin', 'contribution as a share of the net amount, 0..1; NULL where the purchases have margins'),
	('model_card', 'contribution_rate', 'net value of the buyers per unit of gross, after refunds and costs; may be negative; NULL: nobody has paid anything'),
	('model_card', 'rate_before_cost', 'margin of the buyers per unit of gross, without the source costs; may be negative; NULL as contribution_rate'),
	('model_card', 'usual_gross', 'a usual purchase in units of money: geometric mean of the buyers'' gross per purchase day, > 0; NULL: nobody has paid anything'),
	('model_card', 'prior_purchases', 'how many purchases the two rates count for, when a customer''s own are averaged with them, >= 0 (setting contribution_prior_purchases, or estimated)'),
	('model_card', 'purchase_model', 'kind of the model of purchases; NULL: none'),
	('model_card', 'purchase_parameters', 'its parameters with standard errors; times in its time unit'),
	('model_card', 'purchase_loglik', 'its log-likelihood; higher is better on the same data'),
	('model_card', 'purchase_status', 'converged, boundary, flat, too_few (not used) or not_converged (doc/models.md)'),
	('model_card', 'purchase_warnings', 'what to know before using it, one warning a line; empty if nothing'),
	('model_card', 'purchase_model_usable', 'whether predictions of purchases are made from it'),
	('model_card', 'spend_model', 'kind of the model of amounts; NULL: none'),
	('model_card', 'spend_parameters', 'its parameters with standard errors, in units of money'),
	('model_card', 'spend_loglik', 'its log-likelihood; higher is better on the same data'),
	('model_card', 'spend_status', 'converged, boundary, flat, too_few (not used) or not_converged (doc/models.md)'),
	('model_card', 'spend_warnings', 'what to know before using it, one warning a line; empty if nothing'),
	('model_card', 'spend_model_usable', 'whether predictions of amounts are made from it'),
	('model_card', 'unit_days', 'days in the time unit of the models'),
	('model_card', 'horizon_weeks', 'weeks ahead that expected_purchases and clv count'),
	('model_card', 'probability_weeks', 'weeks ahead that purchase_probability looks'),
	('model_card', 'annual_rate', 'effective annual discount rate, 0.1 is 10 %'),
	('model_card', 'settings', 'all settings in force, as JSON'),
	('model_card', 'cuts', 'figures over all customers that the rules of the schemes refer to, as JSON'),
	('model_card', 'churn_basis', 'what churn_risk comes from: model, past, past_short or too_short, see customer.churn_risk_basis'),
	('model_card', 'churn_days', 'the days without an order that churn_risk is the risk of'),
	('model_card', 'churn_reason', 'why it is this basis, with the numbers'),
	('customer_at(date)', NULL, 'the view customer as it was at the end of a day, by the newest scorecard that is not later than that day, or by the oldest; stay rules of classes look in the last snapshot before that day; attributes are those of the last refresh, which knows no former ones'),
	('data_quality', NULL, 'one row per source and check: how much of the source data is doubtful, as of the last refresh'),
	('data_quality', 'source', 'source query'),
	('data_quality', 'check_name', 'name of the check'),
	('data_quality', 'count', 'number of rows concerned, >= 0; fewer is better; NULL: not known, since the source brings histories'),
	('data_quality', 'money', 'sum of their amounts in units of money; 0 where the source has none; NULL as count'),
	('data_quality', 'meaning', 'what is counted, and what becomes of it')
)
SELECT v.* FROM v
UNION ALL
SELECT 'scorecard_in_force', v.col, v.meaning FROM v WHERE v.relation = 'scorecard' AND v.col IS NOT NULL
UNION ALL
SELECT r.relation, c.name, c.meaning
FROM segment_internal.customer_columns() AS c
CROSS JOIN (VALUES ('kept_customer', true), ('customer', false), ('customer_now', false)) AS r(relation, has_all)
WHERE c.is_shown OR r.has_all;
END;
COMMENT ON FUNCTION segment_internal.portfolio_column_comments() IS
'the comments on the tables and views of a portfolio and on their columns';

/* Every table, view and function of a portfolio, with its comment. */
CREATE FUNCTION segment_internal.portfolio_members(portfolio text)
RETURNS TABLE (kind text, relation text, col text, meaning text)
LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 300
SET search_path = pg_catalog, pg_temp
AS $portfolio_members$
DECLARE
	concept text;
BEGIN
	FOREACH concept IN ARRAY ARRAY['portfolio_column'] || segment_internal.portfolio_concepts() LOOP
		RETURN QUERY EXECUTE format($query$
			SELECT CASE WHEN m.relation LIKE '%%)' THEN 'FUNCTION' WHEN c.relkind = 'v' THEN 'VIEW' WHEN c.relkind = 'c' THEN 'TYPE' ELSE 'TABLE' END,
				coalesce(f.signature, m.relation), m.col, m.meaning
			FROM segment_internal.%I() AS m
			LEFT JOIN pg_class AS c ON c.relname = m.relation AND c.relnamespace = $1::regnamespace
			-- (*): the arguments depend on the portfolio
			LEFT JOIN LATERAL (
				SELECT format('%%I(%%s)', p.proname, (SELECT string_agg(format_type(a.type, NULL), ', ' ORDER BY a.ordinal)
					FROM unnest(p.proargtypes) WITH ORDINALITY AS a(type, ordinal))) AS signature
				FROM pg_proc AS p
				WHERE p.pronamespace = $1::regnamespace AND m.relation = p.proname || '(*)'
			) AS f ON true
			WHERE c.oid IS NOT NULL OR f.signature IS NOT NULL OR (m.relation LIKE '%%)' AND m.relation NOT LIKE '%%(*)')$query$,
			concept || '_comments')
		USING quote_ident(portfolio);
	END LOOP;
END
$portfolio_members$;
COMMENT ON FUNCTION segment_internal.portfolio_members(text) IS
'the tables, views, types, columns and functions of a portfolio, but for the columns of its schemes and attributes, with kind and comment, from the catalog alone (internal)';

CREATE FUNCTION segment_internal.portfolio_comment(portfolio text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $portfolio_comment$
DECLARE
	m record;
	s record;
	a record;
	f record;
BEGIN
	FOR m IN SELECT * FROM segment_internal.portfolio_members(portfolio) LOOP
		IF m.col IS NOT NULL THEN
			EXECUTE format('COMMENT ON COLUMN %I.%I.%I IS %L', portfolio, m.relation, m.col, m.meaning);
		ELSIF m.kind = 'FUNCTION' THEN
			EXECUTE format('COMMENT ON FUNCTION %I.%s IS %L', portfolio, m.relation, m.meaning);
		ELSE
			EXECUTE format('COMMENT ON %s %I.%I IS %L', m.kind, portfolio, m.relation, m.meaning);
		END IF;
	END LOOP;
	FOR s IN EXECUTE format('SELECT s.scheme, concat_ws('': '', s.label, s.meaning) AS meaning FROM %I.scheme AS s', portfolio) LOOP
		EXECUTE format('COMMENT ON COLUMN %1$I.customer.%2$I IS %3$L; COMMENT ON COLUMN %1$I.kept_customer.%2$I IS %3$L;
			COMMENT ON COLUMN %1$I.customer_now.%2$I IS %3$L',
			portfolio, s.scheme, format('class in the scheme %s (view class)', s.meaning));
	END LOOP;
	FOR a IN SELECT * FROM segment_internal.attribute_columns(portfolio) LOOP
		EXECUTE format('COMMENT ON COLUMN %1$I.customer.%2$I IS %3$L; COMMENT ON COLUMN %1$I.kept_customer.%2$I IS %3$L;
			COMMENT ON COLUMN %1$I.customer_now.%2$I IS %3$L',
			portfolio, a.name, 'attribute from the source customers, as of the last refresh; NULL: not listed, or NULL there');
	END LOOP;
	FOR f IN EXECUTE format($query$
		SELECT a.attrelid::regclass AS relation, a.attname, coalesce('setting: ' || n.meaning, 'cut: ' || coalesce(c.meaning, c.query),
			'cut that is no more') AS meaning
		FROM pg_attribute AS a
		LEFT JOIN segment.setting AS n ON n.name = a.attname
		LEFT JOIN %1$I.scheme_cut AS c ON c.cut = a.attname
		WHERE a.attrelid = %2$L::regclass AND a.attname NOT IN ('scorecard_id', 'scorecard_as_of', 'is_there', 'terms')$query$,
		portfolio, format('%I.scorecard_figures', portfolio)) LOOP
		EXECUTE format('COMMENT ON COLUMN %s.%I IS %L', f.relation, f.attname, f.meaning);
	END LOOP;
END
$portfolio_comment$;
COMMENT ON FUNCTION segment_internal.portfolio_comment(text) IS
'comments on the tables, views and functions of a portfolio (internal)';
