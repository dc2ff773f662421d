/*
 * contact: how much the customers are written to and called, what they buy of
 * which category, and which class takes the resources
 */

CREATE FUNCTION segment_internal.contact_create_tables(portfolio text) RETURNS void
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
END;
COMMENT ON FUNCTION segment_internal.contact_create_tables(text) IS
'the concept contact has no tables of its own (internal)';

/* ---------- resources ---------- */

/*
 * The setting resource_columns: columns of the view customer, each with what a unit of it
 * costs, if known: "service_hours = 80, visits_made".  Costs are one in any case, contacts
 * where there is the source.
 */
CREATE FUNCTION segment_internal.contact_resources(portfolio text, settings jsonb) RETURNS TABLE (ordinal bigint, col text, price numeric)
LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 3
SET search_path = pg_catalog, pg_temp
AS $contact_resources$
DECLARE
	asked text[] := ARRAY(SELECT btrim(a.item) FROM unnest(string_to_array(settings ->> 'resource_columns', ',')) AS a(item) WHERE btrim(a.item) <> '');
	wrong text;
BEGIN
	SELECT a.item INTO wrong FROM unnest(asked) AS a(item)
	WHERE a.item !~ '^[^=]+(=\s*[0-9]+(\.[0-9]+)?)?$' OR NOT EXISTS (
		SELECT FROM pg_attribute AS t
		JOIN pg_type AS y ON y.oid = t.atttypid AND y.typcategory = 'N'
		WHERE t.attrelid = to_regclass(format('%I.kept_customer', portfolio)) AND t.attname = btrim(split_part(a.item, '=', 1)) AND NOT t.attisdropped)
	LIMIT 1;
	IF wrong IS NOT NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('setting "resource_columns" must name numeric columns of the view customer, each with the price of a unit or without, not "%s"', wrong),
			HINT = 'For instance "service_hours = 80, visits_made".';
	END IF;
	RETURN QUERY
	SELECT row_number() OVER (ORDER BY min(r.place)), r.col, min(r.price)
	FROM (
		SELECT 1 AS place, 'cost' AS col, 1::numeric AS price
		UNION ALL
		SELECT 2, 'period_contacts', NULL WHERE 'contacts' = ANY (segment_internal.portfolio_event_sources(portfolio))
		UNION ALL
		SELECT 2 + a.nth, btrim(split_part(a.item, '=', 1)), nullif(btrim(split_part(a.item, '=', 2)), '')::numeric
		FROM unnest(asked) WITH ORDINALITY AS a(item, nth)
	) AS r
	GROUP BY r.col;
END
$contact_resources$;
COMMENT ON FUNCTION segment_internal.contact_resources(text, jsonb) IS
'the resources of a portfolio: columns of the view customer, and what a unit costs, NULL: not known; error 22023 for the setting resource_columns (internal)';

CREATE FUNCTION segment_internal.contact_create_resources(portfolio text, security_invoker boolean, settings jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $contact_create_resources$
DECLARE
	schemes record := segment_internal.value_schemes(portfolio);
	sums text;
	resources text;
BEGIN
	SELECT string_agg(format('sum(c.%I::numeric) AS %I', r.col, 'sum ' || r.ordinal), ', ' ORDER BY r.ordinal),
		string_agg(format('(%s, %L, g.%I, %L::numeric)', r.ordinal, r.col, 'sum ' || r.ordinal, r.price), ', ' ORDER BY r.ordinal)
	INTO sums, resources
	FROM segment_internal.contact_resources(portfolio, settings) AS r;
	EXECUTE format($template$
		CREATE OR REPLACE VIEW %1$I.resource_share WITH (security_invoker = %2$s) AS
		SELECT t.scheme, t.class, t.class_rank, t.label, t.label_zh, t.resource, t.amount,
			%3$s AS resource_share, t.net_share AS sales_share, t.profit_share, t.clv_share AS equity_share,
			(t.amount * t.all_sales / nullif(t.sales * t.total, 0))::float8 AS ratio,
			(t.total * t.sales / t.all_sales)::float8 AS target,
			(t.total * t.sales / t.all_sales - t.amount)::float8 AS move,
			((t.total * t.sales / t.all_sales - t.amount) * t.price)::float8 AS move_money
		FROM (
			SELECT k.*, r.nth, r.resource, r.price, coalesce(r.amount, 0) AS amount,
				coalesce(sum(r.amount) OVER w, 0) AS total, greatest(k.net, 0) AS sales, nullif(sum(greatest(k.net, 0)) OVER w, 0) AS all_sales
			FROM %1$I.segment_summary AS k
			JOIN (
				SELECT m.scheme, m.class, v.nth, v.resource, v.price, sum(v.amount) AS amount
				FROM (
					SELECT %4$s AS classes, %5$s
					FROM %1$I.customer AS c
					GROUP BY %6$s
				) AS g
				CROSS JOIN LATERAL (VALUES %7$s) AS v(nth, resource, amount, price)
				CROSS JOIN LATERAL unnest(%8$s, g.classes) AS m(scheme, class)
				GROUP BY m.scheme, m.class, v.nth, v.resource, v.price
			) AS r ON r.scheme = k.scheme AND r.class = k.class
			WINDOW w AS (PARTITION BY k.scheme, r.nth)
		) AS t$template$, portfolio, security_invoker, segment_internal.value_share('t.amount', 't.total'),
		schemes.classes, sums, schemes.columns, resources, schemes.names);
END
$contact_create_resources$;
COMMENT ON FUNCTION segment_internal.contact_create_resources(text, boolean, jsonb) IS
'creates or replaces the view resource_share (internal)';

/* ---------- the views ---------- */

CREATE FUNCTION segment_internal.contact_create_views(portfolio text, security_invoker boolean) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $contact_create_views$
DECLARE
	settings jsonb;
	schemes record := segment_internal.value_schemes(portfolio);
	pressure text;
BEGIN
	EXECUTE format('SELECT segment_internal.check_settings(p.settings) FROM %I.portfolio AS p', portfolio) INTO settings;
	pressure := settings ->> 'contact_pressure';
	EXECUTE format($template$
		CREATE OR REPLACE VIEW %1$I.customer_contact WITH (security_invoker = %2$s) AS
		SELECT c.customer_id, c.as_of, c.%3$I AS class, c.period_contacts, c.period_orders,
			c.period_contacts::float8 / nullif(c.period_orders, 0) AS contacts_per_order,
			m.median AS class_median, c.period_contacts::float8 / m.median AS pressure,
			coalesce(c.period_contacts > %4$L::numeric * m.median, false) AS over_contacted
		FROM %1$I.customer AS c
		JOIN (
			SELECT k.%3$I AS class, percentile_disc(0.5) WITHIN GROUP (ORDER BY k.period_contacts) FILTER (WHERE k.period_contacts > 0) AS median
			FROM %1$I.customer AS k
			GROUP BY k.%3$I
		) AS m ON m.class = c.%3$I
		WHERE c.period_contacts IS NOT NULL$template$, portfolio, security_invoker, settings ->> 'leading_scheme', pressure);

	EXECUTE format($template$
		CREATE OR REPLACE VIEW %1$I.contact_pressure WITH (security_invoker = %2$s) AS
		SELECT k.scheme, k.class, k.class_rank, k.label, k.label_zh, t.customers, t.contacted, t.contacts, t.orders,
			t.contacts::float8 / nullif(t.orders, 0) AS contacts_per_order, t.median, t.over_contacted
		FROM (
			SELECT m.scheme, m.class, count(*) AS customers, count(*) FILTER (WHERE m.period_contacts > 0) AS contacted,
				sum(m.period_contacts)::bigint AS contacts, sum(m.period_orders)::bigint AS orders, min(m.median) AS median,
				count(*) FILTER (WHERE m.period_contacts > %5$L::numeric * m.median) AS over_contacted
			FROM (
				SELECT c.period_contacts, c.period_orders, v.scheme, v.class, d.median
				FROM %1$I.customer AS c
				CROSS JOIN LATERAL unnest(%3$s, %4$s) AS v(scheme, class)
				JOIN (
					SELECT u.scheme, u.class, percentile_disc(0.5) WITHIN GROUP (ORDER BY c.period_contacts) FILTER (WHERE c.period_contacts > 0) AS median
					FROM %1$I.customer AS c
					CROSS JOIN LATERAL unnest(%3$s, %4$s) AS u(scheme, class)
					GROUP BY u.scheme, u.class
				) AS d ON d.scheme = v.scheme AND d.class = v.class
				WHERE c.period_contacts IS NOT NULL
			) AS m
			GROUP BY m.scheme, m.class
		) AS t
		JOIN %1$I.class AS k ON k.scheme = t.scheme AND k.class = t.class$template$, portfolio, security_invoker,
		schemes.names, schemes.classes, pressure);

	EXECUTE format($template$
		CREATE OR REPLACE VIEW %1$I.sales_composition WITH (security_invoker = %2$s) AS
		SELECT k.scheme, k.class, k.class_rank, k.label, k.label_zh, t.category, t.customers, t.sales, t.margin,
			%3$s AS margin_rate, %4$s AS share, %5$s AS all_share,
			(100 * t.sales * t.all_sales / nullif(greatest(t.class_sales, 0) * greatest(t.category_sales, 0), 0))::float8 AS index,
			t.category = ANY (s.high_margin_categories) AS is_high_margin
		FROM (
			SELECT g.scheme, g.class, g.category, g.customers, g.sales, g.margin, sum(g.sales) OVER (PARTITION BY g.scheme, g.class) AS class_sales,
				sum(g.sales) OVER (PARTITION BY g.scheme, g.category) AS category_sales, sum(g.sales) OVER (PARTITION BY g.scheme) AS all_sales
			FROM (
				SELECT m.scheme, m.class, c.category, sum(c.customers)::bigint AS customers, sum(c.sales) AS sales, sum(c.margin) AS margin
				FROM (
					SELECT %6$s AS classes, e.value AS category, count(*) FILTER (WHERE segment.orders(segment.as_of(e.events, c.as_of)) > 0) AS customers,
						sum(segment.net(segment.as_of(e.events, c.as_of))) AS sales, sum(coalesce(segment.net(segment.as_of(e.margins, c.as_of)), 0)) AS margin
					FROM %1$I.customer AS c
					JOIN %1$I.event_history AS e ON e.customer_id %7$s c.customer_id AND e.source = 'lines'
					GROUP BY %8$s, e.value
				) AS c
				CROSS JOIN LATERAL unnest(%9$s, c.classes) AS m(scheme, class)
				WHERE c.sales IS NOT NULL
				GROUP BY m.scheme, m.class, c.category
			) AS g
		) AS t
		JOIN %1$I.class AS k ON k.scheme = t.scheme AND k.class = t.class
		CROSS JOIN (SELECT n.high_margin_categories FROM %1$I.scorecard AS n
			WHERE n.scorecard_id = (SELECT p.scorecard_id FROM %1$I.portfolio AS p) OFFSET 0) AS s$template$, portfolio, security_invoker,
		segment_internal.value_share('t.margin', 't.sales'), segment_internal.value_share('t.sales', 't.class_sales'),
		segment_internal.value_share('t.category_sales', 't.all_sales'), schemes.classes,
		(segment_internal.portfolio_key(portfolio)).equality, schemes.columns, schemes.names);

	PERFORM segment_internal.contact_create_resources(portfolio, security_invoker, settings);
END
$contact_create_views$;
COMMENT ON FUNCTION segment_internal.contact_create_views(text, boolean) IS
'creates or replaces the views of the concept contact (internal)';

CREATE FUNCTION segment_internal.contact_comments() RETURNS TABLE (relation text, col text, meaning text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 60
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
SELECT v.* FROM (VALUES
	('customer_contact', NULL, 'one row per customer: contacts and orders of the last period (setting period_days), against the class in the scheme that leads (setting leading_scheme); none without the source contacts'),
	('customer_contact', 'customer_id', 'key of the customer'),
	('customer_contact', 'as_of', 'day from whose end everything is seen'),
	('customer_contact', 'class', 'class of the customer in the scheme that leads'),
	('customer_contact', 'period_contacts', 'number of contacts in the last period, >= 0'),
	('customer_contact', 'period_orders', 'number of orders in the last period, >= 0; more is better'),
	('customer_contact', 'contacts_per_order', 'contacts divided by orders, >= 0; fewer is better; NULL: no order'),
	('customer_contact', 'class_median', 'contacts of the customer in the middle of those of the class who were contacted, >= 1; NULL: nobody was'),
	('customer_contact', 'pressure', 'period_contacts divided by class_median, >= 0; 1 is usual in the class; NULL as class_median'),
	('customer_contact', 'over_contacted', 'whether pressure is above the setting contact_pressure'),
	('contact_pressure', NULL, 'one row per scheme and class: contacts and orders of the last period (setting period_days); none without the source contacts'),
	('contact_pressure', 'scheme', 'code of the scheme'),
	('contact_pressure', 'class', 'code of the class'),
	('contact_pressure', 'class_rank', 'order of the classes in the scheme, 1 is first'),
	('contact_pressure', 'label', 'name of the class in English'),
	('contact_pressure', 'label_zh', 'name of the class in Chinese'),
	('contact_pressure', 'customers', 'number of customers, >= 1'),
	('contact_pressure', 'contacted', 'number of them who were contacted in the last period, >= 0'),
	('contact_pressure', 'contacts', 'number of contacts in the last period, >= 0'),
	('contact_pressure', 'orders', 'number of orders in the last period, >= 0; more is better'),
	('contact_pressure', 'contacts_per_order', 'contacts divided by orders, >= 0; fewer is better; NULL: no order'),
	('contact_pressure', 'median', 'contacts of the customer in the middle of those who were contacted, >= 1; NULL: nobody was'),
	('contact_pressure', 'over_contacted', 'number of customers with more than the setting contact_pressure times the median, >= 0; fewer is better'),
	('sales_composition', NULL, 'one row per scheme, class and category: what the customers of a class have bought (source lines); none without the source'),
	('sales_composition', 'scheme', 'code of the scheme'),
	('sales_composition', 'class', 'code of the class'),
	('sales_composition', 'class_rank', 'order of the classes in the scheme, 1 is first'),
	('sales_composition', 'label', 'name of the class in English'),
	('sales_composition', 'label_zh', 'name of the class in Chinese'),
	('sales_composition', 'category', 'category; NULL: lines without one'),
	('sales_composition', 'customers', 'number of customers of the class who have bought of it, >= 0'),
	('sales_composition', 'sales', 'net sales in units of money; may be negative; more is better'),
	('sales_composition', 'margin', 'contribution in units of money; may be negative; more is better'),
	('sales_composition', 'margin_rate', 'margin divided by sales; higher is better; NULL unless sales are positive'),
	('sales_composition', 'share', 'share of the sales of the class, 0..1 unless some are negative; NULL unless those are positive'),
	('sales_composition', 'all_share', 'share of the category in the sales of all customers, 0..1 unless some are negative; NULL unless those are positive'),
	('sales_composition', 'index', 'share against all_share, which is 100; NULL unless both sums are positive'),
	('sales_composition', 'is_high_margin', 'whether the category leaves more than the setting margin_limit over all customers; NULL as category'),
	('resource_share', NULL, 'one row per scheme, class with customers, and resource: who takes cost, contacts and the resources of the setting resource_columns, beside who brings sales, profit and customer equity'),
	('resource_share', 'scheme', 'code of the scheme'),
	('resource_share', 'class', 'code of the class'),
	('resource_share', 'class_rank', 'order of the classes in the scheme, 1 is first'),
	('resource_share', 'label', 'name of the class in English'),
	('resource_share', 'label_zh', 'name of the class in Chinese'),
	('resource_share', 'resource', 'column of the view customer: cost, period_contacts (where there is the source contacts), or one of the setting resource_columns'),
	('resource_share', 'amount', 'what the class takes, in units of the resource'),
	('resource_share', 'resource_share', 'share of what all customers take, 0..1 unless some are negative; NULL unless that is positive'),
	('resource_share', 'sales_share', 'share of the net sales of all customers; NULL unless these are positive'),
	('resource_share', 'profit_share', 'share of the profit of all customers; NULL unless it is positive'),
	('resource_share', 'equity_share', 'share of the lifetime value of all customers; NULL unless it is positive, or without predictions'),
	('resource_share', 'ratio', 'resource_share divided by the share of sales, >= 0; 1 is in step, above 1 takes more than it brings; NULL: no sales, or none of the resource'),
	('resource_share', 'target', 'what the class would take if the resource followed sales, 80 % of it to those who bring 80 %, in units of the resource; NULL: no sales at all'),
	('resource_share', 'move', 'target minus amount in units of the resource: what to add, or, negative, to take away; they add up to 0'),
	('resource_share', 'move_money', 'move in units of money, by the price of a unit; NULL: no price in the setting resource_columns')
) AS v(relation, col, meaning);
END;
COMMENT ON FUNCTION segment_internal.contact_comments() IS
'the comments on the views of the concept contact (internal)';
