/*
 * value: what the classes and the whole customer base are worth
 *
 * These views aggregate over everybody.  Each scheme is a column of the view
 * customer, so every customer is read once, however many schemes there are.
 */

/*
 * The schemes of a portfolio: their names as an array, their columns of a
 * customer c, and the classes in these as an array.  Arrays, since a scheme may
 * have any name.
 */
CREATE FUNCTION segment_internal.value_schemes(portfolio text, OUT names text, OUT columns text, OUT classes text)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $value_schemes$
BEGIN
	EXECUTE format($query$
		SELECT format('ARRAY[%%s]::text[]', string_agg(quote_literal(s.scheme), ', ' ORDER BY s.ordinal)),
			coalesce(string_agg(format('c.%%I', s.scheme), ', ' ORDER BY s.ordinal), '()')
		FROM %1$I.scheme AS s$query$, portfolio)
	INTO names, columns;
	classes := format('ARRAY[%s]::text[]', nullif(columns, '()'));
END
$value_schemes$;
COMMENT ON FUNCTION segment_internal.value_schemes(text) IS
'the schemes of a portfolio as expressions: the array of their names, the list of their columns of a row c of the view customer, and the array of the classes in these (internal)';

/* The scorecard in force: the FROM item s (as_of, margin, and the settings used here). */
CREATE FUNCTION segment_internal.value_scorecard(portfolio text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN format($template$(
		SELECT n.as_of, n.margin,
			-- of as many decimals as amounts may have
			trim_scale(round((n.settings ->> 'cost_per_non_buyer')::numeric, 9)) AS cost_per_non_buyer,
			(n.settings ->> 'profile_values')::numeric AS profile_values
		FROM %1$I.scorecard_in_force AS n
		OFFSET 0
	) AS s$template$, portfolio);
COMMENT ON FUNCTION segment_internal.value_scorecard(text) IS
'the FROM item s: day, margin and settings of the scorecard in force of a portfolio (internal)';

/* part / total, NULL where the total is not positive and a share means nothing */
CREATE FUNCTION segment_internal.value_share(part text, total text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN format('(%s / nullif(greatest(%s, 0), 0))::float8', part, total);
COMMENT ON FUNCTION segment_internal.value_share(text, text) IS
'the expression part / total, NULL unless the total is positive (internal)';

/* The numbers of the view customer that segment_profile compares, in the order shown. */
CREATE FUNCTION segment_internal.value_measures() RETURNS TABLE (measure text, type text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 19
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
SELECT v.* FROM (VALUES
	('orders', 'bigint'), ('purchase_days', 'bigint'), ('days_since_last', 'integer'), ('tenure_days', 'integer'),
	('gross', 'numeric'), ('refunded', 'numeric'), ('net', 'numeric'), ('margin', 'numeric'), ('cost', 'numeric'),
	('net_value', 'numeric'), ('average_order', 'numeric'), ('mean_gap_days', 'float8'), ('p_alive', 'float8'),
	('expected_purchases', 'float8'), ('purchase_probability', 'float8'), ('expected_spend', 'float8'), ('contribution_rate', 'float8'),
	('clv', 'float8'), ('clv_before_cost', 'float8')
) AS v(measure, type);
END;
COMMENT ON FUNCTION segment_internal.value_measures() IS
'the numeric columns of the view customer that segment_profile compares between classes, with their types (internal)';

CREATE FUNCTION segment_internal.value_create_tables(portfolio text) RETURNS void
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
END;
COMMENT ON FUNCTION segment_internal.value_create_tables(text) IS
'the concept value has no tables of its own (internal)';

CREATE FUNCTION segment_internal.value_create_views(portfolio text, security_invoker boolean) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $value_create_views$
BEGIN
	PERFORM segment_internal.value_create_class_views(portfolio, security_invoker);
	PERFORM segment_internal.value_create_profile(portfolio, security_invoker);
	PERFORM segment_internal.value_create_population_views(portfolio, security_invoker);
END
$value_create_views$;
COMMENT ON FUNCTION segment_internal.value_create_views(text, boolean) IS
'creates or replaces the views of the concept value (internal)';

/* ---------- one row per class ---------- */

CREATE FUNCTION segment_internal.value_create_class_views(portfolio text, security_invoker boolean) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $value_create_class_views$
DECLARE
	schemes record := segment_internal.value_schemes(portfolio);
	shares text;
BEGIN
	SELECT string_agg(format('%s AS %I', segment_internal.value_share('t.' || m.name,
			format('sum(t.%s) OVER (PARTITION BY t.scheme)', m.name)), m.name || '_share'), ', ')
	INTO shares
	FROM unnest(ARRAY['gross', 'net', 'margin', 'cost', 'net_value', 'profit']) AS m(name);

	EXECUTE format($template$
		CREATE OR REPLACE VIEW %1$I.segment_summary WITH (security_invoker = %2$s) AS
		SELECT t.scheme, t.class, t.class_rank, t.label, t.label_zh,
			t.customers, t.buyers, %4$s AS share,
			t.gross, t.refunded, t.net, t.margin, t.cost, t.net_value,
			t.non_buyer_cost, t.profit, t.clv::float8 AS clv, %5$s,
			%6$s AS clv_share,
			t.below_zero, greatest(-t.net_value, 0) AS break_even_fee,
			(greatest(-t.net_value, 0) / nullif(t.customers, 0))::float8 AS break_even_fee_per_customer
		FROM (
			SELECT k.scheme, k.class, k.class_rank, k.label, k.label_zh,
				coalesce(g.customers, 0) AS customers, coalesce(g.buyers, 0) AS buyers,
				coalesce(g.gross, 0) AS gross, coalesce(g.refunded, 0) AS refunded,
				coalesce(g.net, 0) AS net, coalesce(g.margin, 0) AS margin,
				coalesce(g.cost, 0) AS cost, coalesce(g.net_value, 0) AS net_value,
				coalesce((g.customers - g.buyers) * s.cost_per_non_buyer, 0) AS non_buyer_cost,
				coalesce(g.net_value - (g.customers - g.buyers) * s.cost_per_non_buyer, 0) AS profit,
				g.clv, coalesce(g.below_zero, 0) AS below_zero
			FROM %1$I.class AS k
			CROSS JOIN %3$s
			LEFT JOIN (
				SELECT m.scheme, m.class, sum(c.customers)::bigint AS customers, sum(c.buyers)::bigint AS buyers,
					sum(c.gross) AS gross, sum(c.refunded) AS refunded, sum(c.net) AS net,
					sum(c.margin) AS margin, sum(c.cost) AS cost, sum(c.net_value) AS net_value,
					sum(c.clv) AS clv, sum(c.below_zero)::bigint AS below_zero
				FROM (
					-- first those who are in the same class of every scheme
					SELECT %9$s AS classes, count(*) AS customers, count(*) FILTER (WHERE c.orders > 0) AS buyers,
						sum(c.gross) AS gross, sum(c.refunded) AS refunded, sum(c.net) AS net,
						sum(c.margin) AS margin, sum(c.cost) AS cost, sum(c.net_value) AS net_value,
						-- a plain sum of floats depends on the order of rows
						segment_internal.exact_sum(c.clv) AS clv,
						count(*) FILTER (WHERE c.net_value < 0) AS below_zero
					FROM %1$I.customer AS c
					GROUP BY %8$s
				) AS c
				CROSS JOIN LATERAL unnest(%7$s, c.classes) AS m(scheme, class)
				GROUP BY m.scheme, m.class
			) AS g ON g.scheme = k.scheme AND g.class = k.class
		) AS t$template$, portfolio, security_invoker, segment_internal.value_scorecard(portfolio),
		segment_internal.value_share('t.customers', 'sum(t.customers) OVER (PARTITION BY t.scheme)'), shares,
		segment_internal.value_share('t.clv', 'sum(t.clv) OVER (PARTITION BY t.scheme)'),
		schemes.names, schemes.columns, schemes.classes);

	EXECUTE format($template$
		CREATE OR REPLACE VIEW %1$I.pyramid WITH (security_invoker = %2$s) AS
		SELECT t.scheme, t.class, t.class_rank, t.label, t.label_zh,
			t.customers, t.share AS customer_share, t.net AS sales, t.net_share AS sales_share,
			t.profit, t.profit_share
		FROM %1$I.segment_summary AS t$template$, portfolio, security_invoker);

	-- a class with all that are below it
	EXECUTE format($template$
		CREATE OR REPLACE VIEW %1$I.segment_rollup WITH (security_invoker = %2$s) AS
		WITH RECURSIVE below AS (
			SELECT c.scheme, c.class AS top, c.class FROM %1$I.class AS c
			UNION
			SELECT b.scheme, b.top, c.class
			FROM below AS b
			JOIN %1$I.class AS c ON c.scheme = b.scheme AND c.parent = b.class
		)
		SELECT k.scheme, k.class, k.class_rank, k.label, k.label_zh, k.parent,
			(SELECT count(*) FROM below AS a WHERE a.scheme = k.scheme AND a.class = k.class AND a.top <> k.class)::integer AS level,
			t.classes, t.customers, t.buyers, %3$s AS share,
			t.gross, t.refunded, t.net, t.margin, t.cost, t.net_value, t.profit, t.clv,
			%4$s AS net_share, %5$s AS profit_share, %6$s AS clv_share
		FROM %1$I.class AS k
		JOIN (
			SELECT b.scheme, b.top, count(*) AS classes, sum(s.customers)::bigint AS customers, sum(s.buyers)::bigint AS buyers,
				sum(s.gross) AS gross, sum(s.refunded) AS refunded, sum(s.net) AS net, sum(s.margin) AS margin, sum(s.cost) AS cost,
				sum(s.net_value) AS net_value, sum(s.profit) AS profit, segment_internal.exact_sum(s.clv)::float8 AS clv,
				-- the same for all
				min(s.all_customers) AS all_customers, min(s.all_net) AS all_net, min(s.all_profit) AS all_profit, min(s.all_clv) AS all_clv
			FROM below AS b
			JOIN (
				SELECT m.*, sum(m.customers) OVER w AS all_customers, sum(m.net) OVER w AS all_net, sum(m.profit) OVER w AS all_profit,
					(segment_internal.exact_sum(m.clv) OVER w)::float8 AS all_clv
				FROM %1$I.segment_summary AS m
				WINDOW w AS (PARTITION BY m.scheme)
			) AS s ON s.scheme = b.scheme AND s.class = b.class
			GROUP BY b.scheme, b.top
		) AS t ON t.scheme = k.scheme AND t.top = k.class$template$, portfolio, security_invoker,
		segment_internal.value_share('t.customers', 't.all_customers'), segment_internal.value_share('t.net', 't.all_net'),
		segment_internal.value_share('t.profit', 't.all_profit'), segment_internal.value_share('t.clv', 't.all_clv'));

	-- one history per class and span of months that are judged alike, not one row per
	-- customer and month: a class has few days
	EXECUTE format($template$
		CREATE OR REPLACE VIEW %1$I.segment_pnl WITH (security_invoker = %2$s) AS
		WITH span AS MATERIALIZED (
			-- judged at the start of the year, or by a snapshot taken since
			SELECT d.class_day, min(d.month) AS from_day, (max(d.month) + interval '1 month')::date - 1 AS to_day,
				%1$I.scorecard_on(d.class_day) AS scorecard_id,
				EXISTS (SELECT FROM %1$I.snapshot AS t WHERE t.as_of = d.class_day AND t.schemes @> %4$s) AS is_snapshot
			FROM (
				SELECT m.month::date AS month, greatest(date_trunc('year', m.month)::date - 1,
					(SELECT max(t.as_of) FROM %1$I.snapshot AS t WHERE t.as_of < m.month AND t.schemes @> %4$s)) AS class_day
				FROM (
					SELECT min(u.day) AS day
					FROM (
						SELECT segment.rollup(h.purchases) AS purchases, segment.rollup(h.margins) AS margins, segment.rollup(h.costs) AS costs
						FROM %1$I.customer_history AS h
					) AS a
					CROSS JOIN LATERAL (
						SELECT p.day FROM segment.unnest(a.purchases) AS p
						UNION ALL
						SELECT m.day FROM segment.unnest(a.margins) AS m
						UNION ALL
						SELECT c.day FROM segment.unnest(a.costs) AS c
					) AS u
				) AS f
				CROSS JOIN %3$s
				CROSS JOIN LATERAL generate_series(date_trunc('month', f.day::timestamp), s.as_of::timestamp, interval '1 month') AS m(month)
			) AS d
			GROUP BY d.class_day
		)
		SELECT p.scheme, p.class, k.class_rank, k.owner, p.month,
			p.class_day, CASE WHEN p.is_snapshot THEN 'snapshot' ELSE 'computed' END AS class_basis,
			p.orders, p.revenue, p.margin, p.cost, p.margin - p.cost AS net
		FROM (
			SELECT g.scheme, g.class, g.class_day, g.is_snapshot, date_trunc('month', e.day::timestamp)::date AS month,
				sum(e.orders)::bigint AS orders, sum(e.revenue) AS revenue, sum(e.cost) AS cost,
				CASE WHEN s.margin IS NULL THEN sum(e.margin) ELSE segment_internal.margin(sum(e.revenue), s.margin) END AS margin
			FROM (
				SELECT c.class_day, c.is_snapshot, m.scheme, m.class, segment.rollup(c.purchases) AS purchases,
					segment.rollup(c.margins) AS margins, segment.rollup(c.costs) AS costs
				FROM (
					SELECT p.class_day, p.is_snapshot, p.classes, segment.rollup(segment.during(p.purchases, p.from_day, p.to_day)) AS purchases,
						segment.rollup(segment.during(p.margins, p.from_day, p.to_day)) AS margins,
						segment.rollup(segment.during(p.costs, p.from_day, p.to_day)) AS costs
					FROM (
						SELECT i.*, h.purchases, h.margins, h.costs, %5$s AS classes
						FROM span AS i
						CROSS JOIN LATERAL %1$I.scorecards(ARRAY[i.scorecard_id]) AS s%7$s
						WHERE NOT i.is_snapshot
						UNION ALL
						SELECT i.*, h.purchases, h.margins, h.costs, ARRAY(SELECT t.classes ->> n.scheme FROM unnest(%4$s) WITH ORDINALITY AS n(scheme, nth) ORDER BY n.nth)
						FROM span AS i
						JOIN %1$I.snapshot_customer AS t ON t.as_of = i.class_day
						JOIN %1$I.customer_history AS h ON h.customer_id %6$s t.customer_id
						WHERE i.is_snapshot
						UNION ALL
						-- who was not known then is in no class
						SELECT i.*, h.purchases, h.margins, h.costs, NULL
						FROM span AS i
						CROSS JOIN %1$I.customer_history AS h
						WHERE CASE WHEN i.is_snapshot
							THEN NOT EXISTS (SELECT FROM %1$I.snapshot_customer AS t WHERE t.as_of = i.class_day AND t.customer_id %6$s h.customer_id)
							ELSE NOT EXISTS (SELECT FROM segment_internal.customer_figures(h.purchases, h.margins, h.costs, h.complaints,
								h.satisfaction, h.listed, i.class_day, NULL)) END
					) AS p
					GROUP BY p.class_day, p.is_snapshot, p.classes
				) AS c
				CROSS JOIN LATERAL unnest(%4$s, coalesce(c.classes, '{}')) AS m(scheme, class)
				GROUP BY c.class_day, c.is_snapshot, m.scheme, m.class
			) AS g
			CROSS JOIN %3$s
			CROSS JOIN LATERAL (
				SELECT u.day, u.orders, u.gross - u.refunded AS revenue, 0::numeric AS margin, 0::numeric AS cost
				FROM segment.unnest(segment.as_of(g.purchases, s.as_of)) AS u
				UNION ALL
				SELECT u.day, 0, 0, u.gross - u.refunded, 0
				FROM segment.unnest(segment.as_of(g.margins, s.as_of)) AS u
				UNION ALL
				SELECT u.day, 0, 0, 0, u.gross - u.refunded
				FROM segment.unnest(segment.as_of(g.costs, s.as_of)) AS u
			) AS e
			GROUP BY g.scheme, g.class, g.class_day, g.is_snapshot, month, s.margin
		) AS p
		LEFT JOIN %1$I.class AS k ON k.scheme = p.scheme AND k.class = p.class$template$,
		portfolio, security_invoker, segment_internal.value_scorecard(portfolio), schemes.names, schemes.classes,
		(segment_internal.portfolio_key(portfolio)).equality, segment_internal.customer_items(portfolio, 'i.class_day'));
END
$value_create_class_views$;
COMMENT ON FUNCTION segment_internal.value_create_class_views(text, boolean) IS
'creates or replaces the views segment_summary, pyramid, segment_rollup and segment_pnl (internal)';

/*
 * The profile: numbers of the view customer, numbers among the attributes,
 * and categories among the attributes.  What it compares with is everybody,
 * which is the same for each scheme.
 */
CREATE FUNCTION segment_internal.value_create_profile(portfolio text, security_invoker boolean) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $value_create_profile$
DECLARE
	schemes record := segment_internal.value_schemes(portfolio);
	figures text;
	sums text;
	overall text;
	medians text;
	rows text;
BEGIN
	SELECT
		-- of a group: how many are known, their sum, exactly, and the values
		string_agg(format('count(c.%1$I) AS %2$I, %4$s(c.%1$I)::numeric AS %3$I, array_agg(%5$s) AS %1$I',
			m.measure, m.measure || '_known', m.measure || '_sum',
			CASE m.type WHEN 'float8' THEN 'segment_internal.exact_sum' ELSE 'sum' END,
			format(CASE m.type WHEN 'float8' THEN 'c.%I' WHEN 'numeric' THEN 'segment_internal.float8(c.%I)'
				ELSE 'c.%I::float8' END, m.measure)), E',\n\t\t\t\t'),
		string_agg(format('sum(g.%1$I)::bigint AS %1$I, sum(g.%2$I) / nullif(sum(g.%1$I), 0) AS %3$I',
			m.measure || '_known', m.measure || '_sum', m.measure || '_mean'), E',\n\t\t\t\t\t'),
		string_agg(format('sum(g.%2$I) / nullif(sum(g.%3$I), 0) AS %1$I',
			m.measure, m.measure || '_sum', m.measure || '_known'), ', '),
		string_agg(format('segment_internal.class_medians(g.number, g.%1$I, x.class_of) AS %1$I', m.measure), E',\n\t\t\t\t'),
		string_agg(format('(%1$L, g.%2$I, g.%3$I, d.%1$I[g.number], a.%1$I)',
			m.measure, m.measure || '_known', m.measure || '_mean'), E',\n\t\t\t')
	INTO figures, sums, overall, medians, rows
	FROM segment_internal.value_measures() AS m;

	EXECUTE format($template$
		CREATE OR REPLACE VIEW %1$I.segment_profile WITH (security_invoker = %2$s) AS
		WITH together AS MATERIALIZED (
			-- those who are in the same class of every scheme are a group
			SELECT row_number() OVER ()::integer AS number, g.*
			FROM (
				SELECT %9$s AS classes, count(*) AS customers,
				%5$s
				FROM %1$I.customer AS c GROUP BY %10$s
			) AS g
		), numbered AS MATERIALIZED (
			SELECT m.scheme, m.class, row_number() OVER ()::integer AS number
			FROM together AS g CROSS JOIN LATERAL unnest(%8$s, g.classes) AS m(scheme, class)
			GROUP BY m.scheme, m.class
		), median AS MATERIALIZED (
			SELECT %11$s
			FROM together AS g
			CROSS JOIN (
				SELECT array_agg(s.numbers) AS class_of
				FROM (
					SELECT array_agg(n.number ORDER BY g.number) AS numbers
					FROM together AS g
					CROSS JOIN LATERAL unnest(%8$s, g.classes) AS m(scheme, class)
					JOIN numbered AS n ON n.scheme = m.scheme AND n.class = m.class
					GROUP BY n.scheme
				) AS s
			) AS x
		), attribute AS (
			-- a number that has no place in floating point is taken for a category
			SELECT h.customer_id, a.key AS measure, a.value #>> '{}' AS value,
				CASE WHEN jsonb_typeof(a.value) = 'number' AND abs((a.value #>> '{}')::numeric) < 1e308
					THEN (a.value #>> '{}')::numeric END AS number
			FROM %1$I.customer_history AS h
			CROSS JOIN LATERAL jsonb_each(h.attributes) AS a
			WHERE h.listed AND jsonb_typeof(a.value) <> 'null'
		), ranked AS (
			SELECT a.measure, a.value, count(*) AS customers,
				row_number() OVER (PARTITION BY a.measure ORDER BY count(*) DESC, a.value COLLATE "C") AS place
			FROM attribute AS a
			WHERE a.number IS NULL
			GROUP BY a.measure, a.value
		), category AS (
			-- the most frequent values; the rest under one name
			SELECT r.measure, r.value,
				CASE WHEN r.place <= s.profile_values THEN r.value ELSE '(other)' END AS shown,
				r.customers
			FROM ranked AS r CROSS JOIN %3$s
		), everybody AS (
			SELECT coalesce(sum(g.customers), 0)::bigint AS customers FROM together AS g
		), shown AS (
			SELECT c.measure, c.shown AS value, sum(c.customers) AS customers
			FROM category AS c GROUP BY c.measure, c.shown
			UNION ALL
			SELECT c.measure, NULL::text AS value, e.customers - sum(c.customers) AS customers
			FROM category AS c CROSS JOIN everybody AS e
			GROUP BY c.measure, e.customers
			HAVING sum(c.customers) < e.customers
		)
		SELECT p.scheme, p.class, k.class_rank, p.source, p.measure, p.kind, p.value, p.customers,
			p.mean::float8 AS mean, p.median, p.all_mean::float8 AS all_mean, p.share, p.all_share,
			CASE p.kind WHEN 'number' THEN %4$s ELSE 100 * p.share / nullif(p.all_share, 0) END AS index
		FROM %1$I.class AS k
		JOIN (
			SELECT g.scheme, g.class, 'portfolio'::text AS source, v.measure, 'number'::text AS kind,
				NULL::text AS value, v.customers, v.mean, v.median, v.all_mean,
				NULL::float8 AS share, NULL::float8 AS all_share
			FROM (
				SELECT n.scheme, n.class, n.number,
					%12$s
				FROM together AS g
				CROSS JOIN LATERAL unnest(%8$s, g.classes) AS m(scheme, class)
				JOIN numbered AS n ON n.scheme = m.scheme AND n.class = m.class
				GROUP BY n.scheme, n.class, n.number
			) AS g
			CROSS JOIN (SELECT %6$s FROM together AS g) AS a
			CROSS JOIN median AS d
			CROSS JOIN LATERAL (VALUES
			%7$s
			) AS v(measure, customers, mean, median, all_mean)
			UNION ALL
			SELECT g.scheme, g.class, 'attributes'::text AS source, g.measure, 'number'::text AS kind,
				NULL::text AS value, g.customers, g.mean, g.median, a.mean AS all_mean,
				NULL::float8 AS share, NULL::float8 AS all_share
			FROM (
				SELECT m.scheme, m.class, a.measure, count(*) AS customers, avg(a.number) AS mean,
					(percentile_disc(0.5) WITHIN GROUP (ORDER BY a.number))::float8 AS median
				FROM attribute AS a
				JOIN %1$I.customer AS c ON c.customer_id %13$s a.customer_id
				CROSS JOIN LATERAL unnest(%8$s, %9$s) AS m(scheme, class)
				WHERE a.number IS NOT NULL
				GROUP BY m.scheme, m.class, a.measure
			) AS g
			JOIN (
				SELECT a.measure, avg(a.number) AS mean
				FROM attribute AS a WHERE a.number IS NOT NULL GROUP BY a.measure
			) AS a ON a.measure = g.measure
			UNION ALL
			SELECT q.scheme, q.class, 'attributes'::text AS source, q.measure, 'category'::text AS kind, q.value,
				q.customers::bigint AS customers, NULL::numeric AS mean, NULL::float8 AS median, NULL::numeric AS all_mean,
				(q.customers / q.size)::float8 AS share, (q.all_customers / q.all_size)::float8 AS all_share
			FROM (
				-- those without a value are what is left of the class
				SELECT z.scheme, z.class, w.measure, w.value, z.customers AS size,
					w.customers AS all_customers, e.customers::numeric AS all_size,
					CASE WHEN w.value IS NOT NULL THEN coalesce(g.customers, 0)
						ELSE z.customers - coalesce(sum(g.customers)
							OVER (PARTITION BY z.scheme, z.class, w.measure), 0) END AS customers
				FROM (
					SELECT m.scheme, m.class, sum(c.customers) AS customers
					FROM together AS c
					CROSS JOIN LATERAL unnest(%8$s, c.classes) AS m(scheme, class)
					GROUP BY m.scheme, m.class
				) AS z
				CROSS JOIN shown AS w
				CROSS JOIN everybody AS e
				LEFT JOIN (
					SELECT m.scheme, m.class, c.measure, c.shown, sum(c.customers) AS customers
					FROM (
						SELECT %9$s AS classes, y.measure, y.shown, count(*) AS customers
						FROM attribute AS a
						JOIN category AS y ON y.measure = a.measure AND y.value = a.value
						JOIN %1$I.customer AS c ON c.customer_id %13$s a.customer_id
						WHERE a.number IS NULL
						GROUP BY %10$s, y.measure, y.shown
					) AS c
					CROSS JOIN LATERAL unnest(%8$s, c.classes) AS m(scheme, class)
					GROUP BY m.scheme, m.class, c.measure, c.shown
				) AS g ON g.scheme = z.scheme AND g.class = z.class AND g.measure = w.measure
					AND g.shown = w.value
			) AS q
		) AS p ON p.scheme = k.scheme AND p.class = k.class$template$,
		portfolio, security_invoker, segment_internal.value_scorecard(portfolio),
		segment_internal.value_share('100 * p.mean', 'p.all_mean'), figures, overall, rows,
		schemes.names, schemes.classes, schemes.columns, medians, sums, (segment_internal.portfolio_key(portfolio)).equality);
END
$value_create_profile$;
COMMENT ON FUNCTION segment_internal.value_create_profile(text, boolean) IS
'creates or replaces the view segment_profile (internal)';

/* ---------- everybody ---------- */

CREATE FUNCTION segment_internal.value_create_population_views(portfolio text, security_invoker boolean) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $value_create_population_views$
DECLARE
	-- profit: net_value, less what a non-buyer costs for those without an order
	persons text := format($template$
				SELECT c.net, c.margin, c.orders > 0 AS buyer,
					CASE WHEN c.orders > 0 THEN c.net_value ELSE c.net_value - s.cost_per_non_buyer END AS profit
				FROM %1$I.customer AS c CROSS JOIN %2$s$template$, portfolio, segment_internal.value_scorecard(portfolio));
BEGIN
	EXECUTE format($template$
		CREATE OR REPLACE VIEW %1$I.usage_share WITH (security_invoker = %2$s) AS
		SELECT t.class, t.class_rank, t.customers, %4$s AS customer_share,
			t.sales, %5$s AS sales_share, t.profit, %6$s AS profit_share
		FROM (
			SELECT v.class, v.class_rank, coalesce(g.customers, 0) AS customers, coalesce(g.sales, 0) AS sales,
				coalesce(g.net_value - g.non_buyers * s.cost_per_non_buyer, 0) AS profit
			FROM (VALUES ('heavy', 1), ('medium', 2), ('light', 3), ('returns_only', 4), ('none', 5)) AS v(class, class_rank)
			CROSS JOIN %3$s
			LEFT JOIN (
				SELECT CASE WHEN c.visits > 0 THEN segment.score(-segment_internal.float8(c.usage), u.cuts)
						WHEN c.orders > 0 OR c.refunded > 0 THEN 4 ELSE 5 END AS class_rank,
					count(*) AS customers, count(*) FILTER (WHERE c.orders = 0) AS non_buyers, sum(c.net) AS sales, sum(c.net_value) AS net_value
				FROM %1$I.customer AS c
				CROSS JOIN (
					-- counted from the top: a remainder goes to the heavy, then to the medium
					SELECT segment.quantile_cuts(-segment_internal.float8(p.usage), 3) AS cuts
					FROM %1$I.customer AS p WHERE p.visits > 0
				) AS u
				GROUP BY 1
			) AS g ON g.class_rank = v.class_rank
		) AS t$template$, portfolio, security_invoker, segment_internal.value_scorecard(portfolio),
		segment_internal.value_share('t.customers', 'sum(t.customers) OVER ()'),
		segment_internal.value_share('t.sales', 'sum(t.sales) OVER ()'),
		segment_internal.value_share('t.profit', 'sum(t.profit) OVER ()'));

	EXECUTE format($template$
		CREATE OR REPLACE VIEW %1$I.profit WITH (security_invoker = %2$s) AS
		SELECT t.part, t.customers, %4$s AS share, t.sales, t.margin, t.cost, t.non_buyer_cost,
			t.margin - t.cost - t.non_buyer_cost AS profit, t.below_zero, t.break_even_fees
		FROM (
			SELECT v.part, coalesce(sum(g.customers), 0)::bigint AS customers,
				coalesce(sum(g.net), 0) AS sales, coalesce(sum(g.margin), 0) AS margin, coalesce(sum(g.cost), 0) AS cost,
				coalesce(sum(g.customers * s.cost_per_non_buyer) FILTER (WHERE NOT g.buyer), 0) AS non_buyer_cost,
				coalesce(sum(g.below_zero), 0)::bigint AS below_zero, coalesce(sum(g.fees), 0) AS break_even_fees
			FROM (VALUES ('buyers', true, false), ('non_buyers', false, true), ('all', true, true))
				AS v(part, buyers, non_buyers)
			CROSS JOIN %3$s
			LEFT JOIN (
				SELECT c.orders > 0 AS buyer, count(*) AS customers, sum(c.net) AS net, sum(c.margin) AS margin,
					sum(c.cost) AS cost, count(*) FILTER (WHERE c.net_value < 0) AS below_zero,
					sum(-c.net_value) FILTER (WHERE c.net_value < 0) AS fees
				FROM %1$I.customer AS c
				GROUP BY 1
			) AS g ON CASE WHEN g.buyer THEN v.buyers ELSE v.non_buyers END
			GROUP BY v.part
		) AS t$template$, portfolio, security_invoker, segment_internal.value_scorecard(portfolio),
		segment_internal.value_share('t.customers::numeric', 'max(t.customers) OVER ()'));

	EXECUTE format($template$
		CREATE OR REPLACE VIEW %1$I.break_even WITH (security_invoker = %2$s) AS
		SELECT c.customer_id, c.orders, c.net, c.margin, c.cost, c.net_value,
			-c.net_value AS break_even_fee
		FROM %1$I.customer AS c
		WHERE c.net_value < 0$template$, portfolio, security_invoker);

	EXECUTE format($template$
		CREATE OR REPLACE VIEW %1$I.concentration WITH (security_invoker = %2$s) AS
		SELECT t.population, v.percent / 100::float8 AS top_share,
			-- rounded up: the top 1 %% of 1,000 are 10, of 50 one
			(t.customers * v.percent + 99) / 100 AS customers,
			v.sales, %4$s AS sales_share, v.profit, %5$s AS profit_share
		FROM (
			-- each sum is made of the largest, so one pass is enough for all
			SELECT count(*) AS customers, count(*) FILTER (WHERE c.buyer) AS buyers,
				segment_internal.top_sums(c.net, 100) AS sales, segment_internal.top_sums(c.profit, 100) AS profit,
				segment_internal.top_sums(c.net, 100) FILTER (WHERE c.buyer) AS buyers_sales,
				segment_internal.top_sums(c.profit, 100) FILTER (WHERE c.buyer) AS buyers_profit
			FROM (%3$s
			) AS c
		) AS a
		CROSS JOIN LATERAL (VALUES ('customers', a.customers, a.sales, a.profit),
			('buyers', a.buyers, a.buyers_sales, a.buyers_profit)) AS t(population, customers, sales, profit)
		CROSS JOIN LATERAL unnest(t.sales, t.profit) WITH ORDINALITY AS v(sales, profit, percent)$template$,
		portfolio, security_invoker, persons,
		segment_internal.value_share('v.sales', 't.sales[100]'), segment_internal.value_share('v.profit', 't.profit[100]'));

	EXECUTE format($template$
		CREATE OR REPLACE VIEW %1$I.exposure WITH (security_invoker = %2$s) AS
		SELECT t.population, t.measure, t.customers, t.total, t.largest, %4$s AS largest_share,
			t.hhi, 1 / nullif(t.hhi, 0) AS effective_customers, t.gini, t.top_1_share, t.top_20_share,
			t.positive, t.negative, %5$s AS not_positive_share,
			t.peak, %6$s AS peak_share, %7$s AS peak_customer_share
		FROM (
			SELECT p.population, v.measure, count(*) AS customers, sum(v.amount) AS total,
				max(v.amount) AS largest, segment.hhi(v.amount) AS hhi, segment.gini(v.amount) AS gini,
				segment.top_share(v.amount, 0.01) AS top_1_share,
				segment.top_share(v.amount, 0.2) AS top_20_share,
				count(*) FILTER (WHERE v.amount > 0) AS positive,
				count(*) FILTER (WHERE v.amount < 0) AS negative,
				coalesce(sum(v.amount) FILTER (WHERE v.amount > 0), 0) AS peak
			FROM (%3$s
			) AS c
			-- everybody, and once more those with an order
			CROSS JOIN LATERAL unnest(ARRAY['customers', CASE WHEN c.buyer THEN 'buyers' END]) AS p(population)
			CROSS JOIN LATERAL unnest(ARRAY['sales', 'margin', 'profit'], ARRAY[c.net, c.margin, c.profit])
				AS v(measure, amount)
			WHERE p.population IS NOT NULL
			GROUP BY p.population, v.measure
		) AS t$template$, portfolio, security_invoker, persons,
		segment_internal.value_share('t.largest', 't.total'),
		segment_internal.value_share('(t.customers - t.positive)::numeric', 't.customers'),
		segment_internal.value_share('t.peak', 't.total'),
		segment_internal.value_share('t.positive::numeric', 't.customers'));
END
$value_create_population_views$;
COMMENT ON FUNCTION segment_internal.value_create_population_views(text, boolean) IS
'creates or replaces the views usage_share, profit, break_even, concentration and exposure (internal)';

CREATE FUNCTION segment_internal.value_comments() RETURNS TABLE (relation text, col text, meaning text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 120
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
SELECT v.* FROM (VALUES
	('segment_summary', NULL, 'one row per scheme and class, also of classes without customers: how many customers, and what they are worth'),
	('segment_summary', 'scheme', 'code of the scheme'),
	('segment_summary', 'class', 'code of the class'),
	('segment_summary', 'class_rank', 'order of the classes in the scheme, 1 is first'),
	('segment_summary', 'label', 'name of the class in English'),
	('segment_summary', 'label_zh', 'name of the class in Chinese'),
	('segment_summary', 'customers', 'number of customers, >= 0'),
	('segment_summary', 'buyers', 'number of them with an order, >= 0'),
	('segment_summary', 'share', 'share of all customers, 0..1; NULL without any customers'),
	('segment_summary', 'gross', 'sum of their orders in units of money, >= 0; more is better'),
	('segment_summary', 'refunded', 'sum of their refunds in units of money, >= 0; less is better'),
	('segment_summary', 'net', 'gross minus refunded in units of money; may be negative; more is better'),
	('segment_summary', 'margin', 'contribution in units of money; may be negative; more is better'),
	('segment_summary', 'cost', 'costs of acquiring and serving them in units of money; less is better'),
	('segment_summary', 'net_value', 'margin minus cost in units of money; may be negative; more is better'),
	('segment_summary', 'non_buyer_cost', 'setting cost_per_non_buyer times the customers without an order, in units of money, >= 0; less is better'),
	('segment_summary', 'profit', 'net_value minus non_buyer_cost in units of money; may be negative; more is better'),
	('segment_summary', 'clv', 'customer equity: sum of the customer lifetime values in units of money; may be negative; more is better; NULL: no predictions'),
	('segment_summary', 'gross_share', 'share of the gross of all customers, 0..1; NULL unless that is positive'),
	('segment_summary', 'net_share', 'share of the net of all customers, 0..1 unless some class is negative; NULL unless that is positive'),
	('segment_summary', 'margin_share', 'share of the margin of all customers, 0..1 unless some class is negative; NULL unless that is positive'),
	('segment_summary', 'cost_share', 'share of the cost of all customers, 0..1 unless some class is negative; NULL unless that is positive'),
	('segment_summary', 'net_value_share', 'share of the net value of all customers, 0..1 unless some class is negative; NULL unless that is positive'),
	('segment_summary', 'profit_share', 'share of the profit of all customers, 0..1 unless some class is negative; NULL unless that is positive'),
	('segment_summary', 'clv_share', 'share of the lifetime value of all customers, 0..1 unless some class is negative; NULL unless that is positive, or without predictions'),
	('segment_summary', 'below_zero', 'number of customers with a negative net value, >= 0; fewer is better'),
	('segment_summary', 'break_even_fee', 'amount that brings the net value of the class to 0, in units of money, >= 0; 0: none needed'),
	('segment_summary', 'break_even_fee_per_customer', 'mean of break_even_fee over all customers of the class, in units of money, >= 0; NULL without customers'),
	('pyramid', NULL, 'one row per scheme and class: share of the customers beside share of sales and profit'),
	('pyramid', 'scheme', 'code of the scheme'),
	('pyramid', 'class', 'code of the class'),
	('pyramid', 'class_rank', 'order of the classes in the scheme, 1 is first'),
	('pyramid', 'label', 'name of the class in English'),
	('pyramid', 'label_zh', 'name of the class in Chinese'),
	('pyramid', 'customers', 'number of customers, >= 0'),
	('pyramid', 'customer_share', 'share of all customers, 0..1; NULL without any customers'),
	('pyramid', 'sales', 'net sales in units of money; may be negative; more is better'),
	('pyramid', 'sales_share', 'share of the sales of all customers, 0..1 unless some class is negative; NULL unless they are positive'),
	('pyramid', 'profit', 'net value less the cost of non-buyers in units of money; may be negative; more is better'),
	('pyramid', 'profit_share', 'share of the profit of all customers, 0..1 unless some class is negative; NULL unless it is positive'),
	('segment_rollup', NULL, 'one row per scheme and class, with all classes below it (scheme_class.parent): rows of one level do not overlap, those of level 0 are all customers'),
	('segment_rollup', 'scheme', 'code of the scheme'),
	('segment_rollup', 'class', 'code of the class'),
	('segment_rollup', 'class_rank', 'order of the classes in the scheme, 1 is first'),
	('segment_rollup', 'label', 'name of the class in English'),
	('segment_rollup', 'label_zh', 'name of the class in Chinese'),
	('segment_rollup', 'parent', 'the class above; NULL: none'),
	('segment_rollup', 'level', 'number of classes above, >= 0'),
	('segment_rollup', 'classes', 'number of classes added up, itself among them, >= 1'),
	('segment_rollup', 'customers', 'number of customers, >= 0'),
	('segment_rollup', 'buyers', 'number of them with an order, >= 0'),
	('segment_rollup', 'share', 'share of all customers, 0..1; NULL without any customers'),
	('segment_rollup', 'gross', 'sum of their orders in units of money, >= 0; more is better'),
	('segment_rollup', 'refunded', 'sum of their refunds in units of money, >= 0; less is better'),
	('segment_rollup', 'net', 'gross minus refunded in units of money; may be negative; more is better'),
	('segment_rollup', 'margin', 'contribution in units of money; may be negative; more is better'),
	('segment_rollup', 'cost', 'costs of acquiring and serving them in units of money; less is better'),
	('segment_rollup', 'net_value', 'margin minus cost in units of money; may be negative; more is better'),
	('segment_rollup', 'profit', 'net_value less the cost of non-buyers in units of money; may be negative; more is better'),
	('segment_rollup', 'clv', 'customer equity: sum of the customer lifetime values in units of money; more is better; NULL: no predictions'),
	('segment_rollup', 'net_share', 'share of the net of all customers, 0..1 unless some class is negative; NULL unless that is positive'),
	('segment_rollup', 'profit_share', 'share of the profit of all customers, 0..1 unless some class is negative; NULL unless that is positive'),
	('segment_rollup', 'clv_share', 'share of the lifetime value of all customers, 0..1; NULL unless that is positive, or without predictions'),
	('segment_pnl', NULL, 'profit and loss of each class, one row per scheme, class and month in which something happened. Customers count in the class that they were in at the start of the year, or in the last snapshot of the year before the month, whatever became of them since: see class_day'),
	('segment_pnl', 'scheme', 'code of the scheme'),
	('segment_pnl', 'class', 'code of the class on class_day; NULL: customers who were not known then'),
	('segment_pnl', 'class_rank', 'order of the classes in the scheme, 1 is first; NULL as class'),
	('segment_pnl', 'owner', 'who is responsible for the class (table scheme_class, as it is now), and answers for who was in it on class_day; NULL: no owner was given'),
	('segment_pnl', 'month', 'first day of the month; never NULL'),
	('segment_pnl', 'class_day', 'day from whose end the class is: the last of the year before, or that of the last snapshot after it and before the month; never NULL'),
	('segment_pnl', 'class_basis', 'snapshot: the class as it was kept; computed: from the histories, by the scorecard of that day or else the oldest'),
	('segment_pnl', 'orders', 'number of orders, >= 0; more is better'),
	('segment_pnl', 'revenue', 'orders minus refunds in units of money; may be negative; more is better'),
	('segment_pnl', 'margin', 'contribution in units of money: of the purchases where they have margins, else revenue times the setting margin, rounded to one digit more than revenue has; may be negative; more is better'),
	('segment_pnl', 'cost', 'costs of acquiring and serving in units of money; less is better'),
	('segment_pnl', 'net', 'margin minus cost in units of money; may be negative; more is better'),
	('segment_profile', NULL, 'one row per scheme, class and measure (of a category: and value): how the customers of a class differ from all; classes without customers are left out'),
	('segment_profile', 'scheme', 'code of the scheme'),
	('segment_profile', 'class', 'code of the class'),
	('segment_profile', 'class_rank', 'order of the classes in the scheme, 1 is first'),
	('segment_profile', 'source', 'portfolio: a column of the view customer; attributes: from the source customers'),
	('segment_profile', 'measure', 'name of the column or attribute'),
	('segment_profile', 'kind', 'number or category'),
	('segment_profile', 'value', 'of a category: its value; (other): all beyond the most frequent (setting profile_values); NULL: not known; of a number: NULL'),
	('segment_profile', 'customers', 'number of customers of the class of whom the number is known, or who have the value; >= 0'),
	('segment_profile', 'mean', 'of a number: mean in the unit of the measure; NULL: known of nobody, or a category'),
	('segment_profile', 'median', 'of a number: the smallest value that at least half do not exceed, in the unit of the measure; NULL as mean'),
	('segment_profile', 'all_mean', 'of a number: mean over all customers, in the unit of the measure'),
	('segment_profile', 'share', 'of a category: share of the class that has the value, 0..1; NULL: a number'),
	('segment_profile', 'all_share', 'of a category: share of all customers that has the value, 0..1; NULL: a number'),
	('segment_profile', 'index', 'mean or share against that of all customers, which is 100; >= 0 unless the mean is negative; NULL where the mean of all is not positive'),
	('usage_share', NULL, 'the classes of usage_class: thirds of the buyers by usage, counted from the top, those who returned all at once, and those who never bought: share of customers beside share of sales; equal customers are in the same third'),
	('usage_share', 'class', 'heavy, medium, light, returns_only (orders cancelled at once or refunds, and no other order) or none (no order)'),
	('usage_share', 'class_rank', '1 heavy, 2 medium, 3 light, 4 returns_only, 5 none'),
	('usage_share', 'customers', 'number of customers, >= 0'),
	('usage_share', 'customer_share', 'share of all customers, 0..1; NULL without any customers'),
	('usage_share', 'sales', 'net sales in units of money; may be negative; more is better'),
	('usage_share', 'sales_share', 'share of the sales of all customers, 0..1 unless some are negative; NULL unless they are positive'),
	('usage_share', 'profit', 'net value less the cost of non-buyers in units of money; may be negative; more is better'),
	('usage_share', 'profit_share', 'share of the profit of all customers, 0..1 unless some are negative; NULL unless it is positive'),
	('profit', NULL, 'profit = margin of the buyers - their cost - cost of those who do not buy: a row for buyers, for non-buyers and for all'),
	('profit', 'part', 'buyers (at least one order), non_buyers, all'),
	('profit', 'customers', 'number of customers, >= 0'),
	('profit', 'share', 'share of all customers, 0..1; NULL without any customers'),
	('profit', 'sales', 'net sales in units of money; may be negative; more is better'),
	('profit', 'margin', 'contribution in units of money; may be negative; more is better'),
	('profit', 'cost', 'costs of acquiring and serving in units of money; less is better'),
	('profit', 'non_buyer_cost', 'setting cost_per_non_buyer times the non-buyers, in units of money, >= 0; less is better'),
	('profit', 'profit', 'margin minus cost minus non_buyer_cost in units of money; may be negative; more is better'),
	('profit', 'below_zero', 'number of customers with a negative net value, >= 0; fewer is better'),
	('profit', 'break_even_fees', 'sum of the fees that would bring each of them to 0, in units of money, >= 0'),
	('break_even', NULL, 'one row per customer whose net value is below zero, with the fee that would bring it to 0'),
	('break_even', 'customer_id', 'key of the customer'),
	('break_even', 'orders', 'number of orders, >= 0'),
	('break_even', 'net', 'net sales in units of money; may be negative'),
	('break_even', 'margin', 'contribution in units of money; may be negative; more is better'),
	('break_even', 'cost', 'costs of acquiring and serving in units of money; less is better'),
	('break_even', 'net_value', 'margin minus cost in units of money, < 0'),
	('break_even', 'break_even_fee', 'amount that brings net_value to 0, in units of money, > 0'),
	('concentration', NULL, 'what the best 1, 2, ... 100 % of the customers bring; profit over top_share is the whale curve'),
	('concentration', 'population', 'customers: everybody, also those who never bought; buyers: those with an order'),
	('concentration', 'top_share', 'share of the population, from the top, 0.01..1'),
	('concentration', 'customers', 'their number: top_share of the population, rounded up'),
	('concentration', 'sales', 'net sales of as many customers with the highest sales, in units of money'),
	('concentration', 'sales_share', 'sales divided by those of the population, 0..1, more where some are negative; NULL unless those are positive'),
	('concentration', 'profit', 'profit of as many customers with the highest profit, in units of money'),
	('concentration', 'profit_share', 'profit divided by that of the population, 0..1, more where some lose money; NULL unless that is positive'),
	('exposure', NULL, 'one row per population and measure: how much depends on how few'),
	('exposure', 'population', 'customers: everybody, also those who never bought; buyers: those with an order'),
	('exposure', 'measure', 'sales (net), margin or profit'),
	('exposure', 'customers', 'number of customers in the population, >= 1'),
	('exposure', 'total', 'sum over the population in units of money; may be negative; more is better'),
	('exposure', 'largest', 'amount of the largest customer in units of money'),
	('exposure', 'largest_share', 'largest divided by total, 0..1, more where some are negative; lower is safer; NULL unless the total is positive'),
	('exposure', 'hhi', 'Herfindahl-Hirschman index: sum of the squared shares, 0..1, more where some are negative; lower is safer; NULL unless the total is positive'),
	('exposure', 'effective_customers', '1 / hhi: number of equal customers that would be as concentrated; more is safer; NULL as hhi'),
	('exposure', 'gini', 'Gini coefficient, 0 = all equal, 1 = one has all, more where some are negative; NULL unless the total is positive'),
	('exposure', 'top_1_share', 'share of the total of the best 1 % (part of a customer counts), 0..1, more where some are negative; NULL unless the total is positive'),
	('exposure', 'top_20_share', 'share of the total of the best 20 % (part of a customer counts), 0..1, more where some are negative; NULL unless the total is positive'),
	('exposure', 'positive', 'number of customers above 0; more is better'),
	('exposure', 'negative', 'number of customers below 0; fewer is better'),
	('exposure', 'not_positive_share', 'share of the customers who bring nothing or less, 0..1; lower is better'),
	('exposure', 'peak', 'highest point of the whale curve: sum over those above 0 in units of money, >= 0'),
	('exposure', 'peak_share', 'peak divided by total, >= 1; NULL unless the total is positive'),
	('exposure', 'peak_customer_share', 'share of the customers at the peak, who are above 0, 0..1')
) AS v(relation, col, meaning);
END;
COMMENT ON FUNCTION segment_internal.value_comments() IS
'the comments on the views of the concept value and on their columns';
