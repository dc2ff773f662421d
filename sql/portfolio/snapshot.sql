/*
 * snapshot: the classes and the value of all customers on a day, kept; and who
 * moved from class to class between two days
 */

CREATE FUNCTION segment_internal.snapshot_forget() RETURNS trigger
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $snapshot_forget$
BEGIN
	EXECUTE format('DELETE FROM %I.snapshot_customer AS c WHERE c.as_of = $1', TG_TABLE_SCHEMA) USING OLD.as_of;
	RETURN NULL;
END
$snapshot_forget$;
COMMENT ON FUNCTION segment_internal.snapshot_forget() IS
'trigger function: deletes the customers of a snapshot that is deleted (internal)';

CREATE FUNCTION segment_internal.snapshot_create_tables(portfolio text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $snapshot_create_tables$
BEGIN
	EXECUTE format($template$
		CREATE TABLE %1$I.snapshot (
			as_of date PRIMARY KEY CHECK (isfinite(as_of)),
			taken_at timestamptz NOT NULL DEFAULT clock_timestamp(),
			scorecard_id bigint NOT NULL,
			customers bigint NOT NULL,
			schemes text[] NOT NULL
		);
		-- the key's type, with domain and collation, from customer_history
		CREATE TABLE %1$I.snapshot_customer AS
			SELECT NULL::date AS as_of, c.customer_id FROM %1$I.customer_history AS c WITH NO DATA;
		ALTER TABLE %1$I.snapshot_customer
			ADD PRIMARY KEY (as_of, customer_id),
			ADD COLUMN orders bigint NOT NULL,
			ADD COLUMN net numeric NOT NULL,
			ADD COLUMN margin numeric NOT NULL,
			ADD COLUMN cost numeric NOT NULL,
			ADD COLUMN net_value numeric NOT NULL,
			ADD COLUMN p_alive float8,
			ADD COLUMN clv float8,
			-- scheme -> class; the keys of an object are distinct, so that a
			-- customer is in one class of each scheme
			ADD COLUMN classes jsonb NOT NULL CHECK (jsonb_typeof(classes) = 'object');
		-- what a foreign key would do, without looking up the day for each customer
		CREATE TRIGGER forget AFTER DELETE ON %1$I.snapshot
			FOR EACH ROW EXECUTE FUNCTION segment_internal.snapshot_forget()$template$, portfolio);
END
$snapshot_create_tables$;
COMMENT ON FUNCTION segment_internal.snapshot_create_tables(text) IS
'creates the tables of a portfolio''s snapshots (internal)';

CREATE TYPE segment.snapshot_report AS (
	portfolio text, as_of date, scorecard_id bigint, customers bigint, schemes bigint, replaced boolean,
	seconds float8
);
COMMENT ON TYPE segment.snapshot_report IS
'what take_snapshot did: the day, the scorecard that judged, customers and schemes stored, whether an older snapshot of that day was replaced, seconds taken';

/* All of take_snapshot, as the portfolio's owner: see portfolio_run. */
CREATE FUNCTION segment_internal.snapshot_take(name text, arguments jsonb) RETURNS segment.snapshot_report
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $snapshot_take$
DECLARE
	as_of date := (arguments ->> 'as_of')::date;
	started timestamptz := clock_timestamp();
	newest date;
	names text[];
	classes text;
	deleted bigint;
	has_stay_rules boolean;
	later boolean;
	report segment.snapshot_report;
BEGIN
	-- not while a refresh or another snapshot is under way
	EXECUTE format('SELECT FROM %I.portfolio AS p FOR UPDATE', name);
	newest := (segment_internal.scorecard_in_force(name)).as_of;
	EXECUTE format('SELECT EXISTS (SELECT FROM %I.kept_customer AS c WHERE c.as_of > $1)', name) INTO later USING newest;
	report.portfolio := name;
	report.as_of := coalesce(as_of, newest);
	IF NOT isfinite(report.as_of) THEN
		RAISE EXCEPTION USING ERRCODE = 'datetime_field_overflow',
			MESSAGE = format('argument "as_of" must be finite, not "%s"', as_of);
	ELSIF report.as_of > newest THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('as_of must not be after that of the last refresh: %s', as_of),
			DETAIL = format('Portfolio "%s" is seen from %s.', name, newest),
			HINT = 'segment.refresh(name, as_of) takes it to a later day.';
	END IF;

	EXECUTE format('SELECT array_agg(s.scheme ORDER BY s.ordinal),
			string_agg(format(''c.%%I'', s.scheme), '', '' ORDER BY s.ordinal)
		FROM %I.scheme AS s', name) INTO names, classes;
	EXECUTE format('DELETE FROM %I.snapshot AS s WHERE s.as_of = $1', name) USING report.as_of;
	GET DIAGNOSTICS deleted = ROW_COUNT;
	EXECUTE format('INSERT INTO %1$I.snapshot (as_of, scorecard_id, customers, schemes)
		VALUES ($1, %1$I.scorecard_on($1), 0, $2)', name)
	USING report.as_of, coalesce(names, '{}');
	EXECUTE format($query$
		INSERT INTO %1$I.snapshot_customer (as_of, customer_id, orders, net, margin, cost, net_value,
			p_alive, clv, classes)
		SELECT $1, c.customer_id, c.orders, c.net, c.margin, c.cost, c.net_value, c.p_alive, c.clv,
			jsonb_object($2, ARRAY[%2$s]::text[])
		FROM %3$s AS c$query$, name, classes,
		-- what is kept is as of the newest scorecard, but for customers with orders since
		CASE WHEN report.as_of = newest AND NOT later THEN format('%I.customer', name) ELSE format('%I.customer_at($1)', name) END) USING report.as_of, coalesce(names, '{}');
	GET DIAGNOSTICS report.customers = ROW_COUNT;
	EXECUTE format('UPDATE %I.snapshot AS s SET customers = $2 WHERE s.as_of = $1
		RETURNING s.scorecard_id', name)
	INTO STRICT report.scorecard_id USING report.as_of, report.customers;
	-- stay rules look in the last snapshot before the day that customers are seen from
	EXECUTE format('SELECT EXISTS (SELECT FROM %I.scheme_class AS c WHERE c.stay_rule IS NOT NULL)', name) INTO has_stay_rules;
	IF has_stay_rules AND report.as_of < newest THEN
		PERFORM segment_internal.figures_create(name, (segment_internal.scorecard_in_force(name)).scorecard_id, newest, true, NULL);
		PERFORM segment_internal.kept_fill(name, false, true);
	END IF;
	report.schemes := coalesce(cardinality(names), 0);
	report.replaced := deleted > 0;
	report.seconds := extract(epoch FROM clock_timestamp() - started);
	RETURN report;
END
$snapshot_take$;
COMMENT ON FUNCTION segment_internal.snapshot_take(text, jsonb) IS
'takes a snapshot of a portfolio, with the current user''s rights (internal)';

CREATE FUNCTION segment.take_snapshot(name text, as_of date DEFAULT NULL) RETURNS segment.snapshot_report
LANGUAGE sql VOLATILE PARALLEL UNSAFE
AS $take_snapshot$
SELECT segment_internal.portfolio_run(name, 'snapshot', pg_catalog.jsonb_build_object('as_of', as_of),
	NULL::segment.snapshot_report)
$take_snapshot$;
COMMENT ON FUNCTION segment.take_snapshot(text, date) IS
'keeps the class in every scheme and the value of every customer as of a day (default: that of the last refresh), as customer_at of that day gives them now; an older snapshot of the same day is replaced. What it holds decides about classes with stay rules on later days, up to the next snapshot. Errors: 42704 no such portfolio, 42501 not the owner, 22008 infinite as_of, 22023 as_of after that of the last refresh';

CREATE FUNCTION segment_internal.check_scheme(scheme text, schemes text[]) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $check_scheme$
BEGIN
	IF scheme IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed',
			MESSAGE = 'scheme must not be null',
			HINT = format('Schemes are %s.', array_to_string(schemes, ', '));
	ELSIF NOT scheme = ANY (schemes) THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('scheme "%s" is not known', scheme),
			HINT = format('Schemes are %s.', array_to_string(schemes, ', '));
	END IF;
	RETURN true;
END
$check_scheme$;
COMMENT ON FUNCTION segment_internal.check_scheme(text, text[]) IS
'true; error 22023 if a scheme is not among those of a portfolio, 22004 if it is NULL (internal)';

/*
 * All customers on a day with their class in the scheme $3: from the snapshot
 * of that day if there is one with that scheme, else computed.  The conditions
 * on snapshot are evaluated once, so that only one branch runs.
 */
CREATE FUNCTION segment_internal.snapshot_population(portfolio text, day text) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $snapshot_population$
BEGIN
	RETURN format($template$(
			SELECT p.customer_id, p.classes ->> $3 AS class, p.net, p.net_value
			FROM %1$I.snapshot_customer AS p
			WHERE p.as_of = %2$s
				AND EXISTS (SELECT FROM %1$I.snapshot AS t WHERE t.as_of = %2$s AND $3 = ANY (t.schemes))
			UNION ALL
			SELECT c.customer_id, CASE $3 %3$s END, c.net, c.net_value
			FROM %1$I.customer_at(%2$s) AS c
			WHERE NOT EXISTS (SELECT FROM %1$I.snapshot AS t WHERE t.as_of = %2$s AND $3 = ANY (t.schemes))
		)$template$, portfolio, day, segment_internal.scheme_choice(portfolio));
END
$snapshot_population$;
COMMENT ON FUNCTION segment_internal.snapshot_population(text, text) IS
'the FROM item of all customers on a day, with class, net and net_value (internal)';

CREATE FUNCTION segment_internal.snapshot_create_views(portfolio text, security_invoker boolean) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $snapshot_create_views$
DECLARE
	schemes text[];
	checks text;
	held record := segment_internal.scheme_held_item(portfolio, 'f.as_of');
	attributes record := segment_internal.attribute_item(portfolio, false);
	events record := segment_internal.event_item(portfolio, 'f.as_of', false);
	equality text := (segment_internal.portfolio_key(portfolio)).equality;
BEGIN
	EXECUTE format('SELECT coalesce(array_agg(s.scheme ORDER BY s.ordinal), ''{}'') FROM %I.scheme AS s', portfolio)
	INTO schemes;
	checks := format('segment_internal.check_scheme($3, %L) AND segment_internal.check_period($1, $2)', schemes);

	EXECUTE format($template$
		CREATE OR REPLACE VIEW %1$I.snapshot_class WITH (security_invoker = %2$s) AS
		SELECT p.as_of, p.customer_id, k.scheme, k.class, p.net, p.net_value, p.clv
		FROM %1$I.snapshot_customer AS p
		CROSS JOIN LATERAL jsonb_each_text(p.classes) AS k(scheme, class)$template$,
		portfolio, security_invoker);

	EXECUTE format($template$
		CREATE OR REPLACE VIEW %1$I.segment_trend WITH (security_invoker = %2$s) AS
		SELECT g.as_of, g.scheme, g.class, g.customers, g.customers::float8 / t.customers AS share,
			g.customers - lag(g.customers) OVER before AS customers_change,
			g.net AS lifetime_net, g.net - lag(g.net) OVER before AS lifetime_net_change,
			g.net_value AS lifetime_net_value, g.net_value - lag(g.net_value) OVER before AS lifetime_net_value_change,
			g.clv::float8 AS clv, (g.clv - lag(g.clv) OVER before)::float8 AS clv_change
		FROM (
			-- a class that was empty in a snapshot has a row as well
			SELECT t.as_of, k.scheme, k.class, coalesce(n.customers, 0) AS customers,
				coalesce(n.net, 0) AS net, coalesce(n.net_value, 0) AS net_value,
				-- nobody is worth nothing; who has no prediction is worth nobody knows what
				CASE WHEN n.class IS NULL THEN 0 ELSE n.clv END AS clv
			FROM %1$I.snapshot AS t
			JOIN (
				SELECT c.scheme, c.class FROM %1$I.scheme_class AS c
				UNION
				SELECT p.scheme, p.class FROM %1$I.snapshot_class AS p
			) AS k ON k.scheme = ANY (t.schemes)
			LEFT JOIN (
				SELECT p.as_of, p.scheme, p.class, count(*) AS customers,
					sum(p.net) AS net, sum(p.net_value) AS net_value, segment_internal.exact_sum(p.clv) AS clv
				FROM %1$I.snapshot_class AS p
				GROUP BY p.as_of, p.scheme, p.class
			) AS n ON n.as_of = t.as_of AND n.scheme = k.scheme AND n.class = k.class
		) AS g
		JOIN %1$I.snapshot AS t ON t.as_of = g.as_of
		WHERE t.customers > 0
		WINDOW before AS (PARTITION BY g.scheme, g.class ORDER BY g.as_of)$template$,
		portfolio, security_invoker);

	-- where each customer was at both ends of a period, and whose that is
	EXECUTE format($template$
		CREATE OR REPLACE VIEW %1$I.owner_scoreboard WITH (security_invoker = %2$s) AS
		SELECT g.scheme, g.owner, g.from_day, g.to_day,
			g.customers_from, g.customers_to, g.came, g."left",
			coalesce(g.equity_from, 0)::float8 AS equity_from, coalesce(g.equity_to, 0)::float8 AS equity_to,
			(coalesce(g.equity_to, 0) - coalesce(g.equity_from, 0))::float8 AS equity_change,
			coalesce(g.equity_came, 0)::float8 AS equity_came, coalesce(g.equity_left, 0)::float8 AS equity_left,
			coalesce(g.equity_grown, 0)::float8 AS equity_grown, coalesce(g.equity_shrunk, 0)::float8 AS equity_shrunk,
			coalesce(g.net_value, 0) AS net_value
		FROM (
			SELECT m.scheme, m.owner, m.from_day, m.to_day,
				count(*) FILTER (WHERE m.had) AS customers_from, count(*) FILTER (WHERE m.has) AS customers_to,
				count(*) FILTER (WHERE NOT m.had) AS came, count(*) FILTER (WHERE NOT m.has) AS "left",
				segment_internal.exact_sum(m.clv_from) FILTER (WHERE m.had) AS equity_from,
				segment_internal.exact_sum(m.clv_to) FILTER (WHERE m.has) AS equity_to,
				segment_internal.exact_sum(m.clv_to) FILTER (WHERE NOT m.had) AS equity_came,
				segment_internal.exact_sum(m.clv_from) FILTER (WHERE NOT m.has) AS equity_left,
				segment_internal.exact_sum(m.clv_to) FILTER (WHERE m.had AND m.has AND m.clv_to > m.clv_from)
					- segment_internal.exact_sum(m.clv_from) FILTER (WHERE m.had AND m.has AND m.clv_to > m.clv_from) AS equity_grown,
				segment_internal.exact_sum(m.clv_from) FILTER (WHERE m.had AND m.has AND m.clv_to < m.clv_from)
					- segment_internal.exact_sum(m.clv_to) FILTER (WHERE m.had AND m.has AND m.clv_to < m.clv_from) AS equity_shrunk,
				sum(m.net_value) FILTER (WHERE m.had) AS net_value
			FROM (
				SELECT c.from_day, c.to_day, s.scheme, o.owner, c.clv_from, c.clv_to, c.net_value,
					coalesce(a.owner = o.owner, false) AS had, coalesce(b.owner = o.owner, false) AS has
				FROM (
					SELECT coalesce(f.from_day, t.from_day) AS from_day, coalesce(f.to_day, t.to_day) AS to_day,
						coalesce(f.schemes, t.schemes) AS schemes, f.classes AS classes_from, t.classes AS classes_to,
						coalesce(f.clv, 0) AS clv_from, coalesce(t.clv, 0) AS clv_to,
						-- who is no longer known brought nothing
						t.net_value - coalesce(f.net_value, 0) AS net_value
					FROM (SELECT p.*, c.customer_id, c.classes, c.clv, c.net_value
						FROM %3$s AS p JOIN %1$I.snapshot_customer AS c ON c.as_of = p.from_day) AS f
					FULL JOIN (SELECT p.*, c.customer_id, c.classes, c.clv, c.net_value
						FROM %3$s AS p JOIN %1$I.snapshot_customer AS c ON c.as_of = p.to_day) AS t
						ON t.to_day = f.to_day AND t.customer_id %4$s f.customer_id
				) AS c
				CROSS JOIN LATERAL unnest(c.schemes) AS s(scheme)
				LEFT JOIN %1$I.scheme_class AS a ON a.scheme = s.scheme AND a.class = c.classes_from ->> s.scheme
				LEFT JOIN %1$I.scheme_class AS b ON b.scheme = s.scheme AND b.class = c.classes_to ->> s.scheme
				CROSS JOIN LATERAL (
					SELECT a.owner WHERE a.owner IS NOT NULL
					UNION
					SELECT b.owner WHERE b.owner IS NOT NULL
				) AS o
			) AS m
			GROUP BY m.scheme, m.owner, m.from_day, m.to_day
		) AS g$template$, portfolio, security_invoker,
		-- from snapshot to snapshot, with the schemes of both
		format($periods$(
							SELECT d.from_day, d.as_of AS to_day, ARRAY(SELECT unnest(d.schemes) INTERSECT SELECT unnest(d.before)) AS schemes
							FROM (
								SELECT t.as_of, t.schemes, lag(t.as_of) OVER w AS from_day, lag(t.schemes) OVER w AS before
								FROM %1$I.snapshot AS t WINDOW w AS (ORDER BY t.as_of)
							) AS d
							WHERE d.from_day IS NOT NULL
						)$periods$, portfolio), equality);

	EXECUTE format($template$
		CREATE OR REPLACE FUNCTION %1$I.migration(from_day date, to_day date, scheme text,
			OUT from_class text, OUT to_class text, OUT customers bigint,
			OUT net_from numeric, OUT net_to numeric, OUT net_change numeric,
			OUT net_value_from numeric, OUT net_value_to numeric, OUT net_value_change numeric)
		RETURNS SETOF record
		LANGUAGE sql STABLE PARALLEL SAFE ROWS 100
		BEGIN ATOMIC
		SELECT f.class, t.class, count(*), coalesce(sum(f.net), 0), coalesce(sum(t.net), 0),
			coalesce(sum(t.net), 0) - coalesce(sum(f.net), 0),
			coalesce(sum(f.net_value), 0), coalesce(sum(t.net_value), 0),
			coalesce(sum(t.net_value), 0) - coalesce(sum(f.net_value), 0)
		FROM %3$s AS f
		FULL JOIN %4$s AS t ON t.customer_id %5$s f.customer_id
		WHERE %2$s
		GROUP BY f.class, t.class;
		END$template$, portfolio, checks,
		segment_internal.snapshot_population(portfolio, '$1'), segment_internal.snapshot_population(portfolio, '$2'),
		equality);

	-- each customer is read once, for all days, and nothing is sorted
	EXECUTE format($template$
		CREATE OR REPLACE FUNCTION %1$I.monthly_migration(from_day date, to_day date, scheme text,
			OUT day_before date, OUT day date, OUT from_class text, OUT to_class text,
			OUT customers bigint, OUT net_from numeric, OUT net_to numeric, OUT net_change numeric)
		RETURNS SETOF record
		LANGUAGE sql STABLE PARALLEL SAFE ROWS 1000
		BEGIN ATOMIC
		SELECT (a.days[m.day_number - 1]).day, (a.days[m.day_number]).day, m.from_class, m.to_class, m.customers,
			m.net_from, m.net_to, m.net_to - m.net_from
		FROM (
			SELECT %4$s AS days,
				segment.migration_agg(q.customer, q.day_number, q.days_known, q.class, q.net) AS moves
			FROM (
				SELECT h.ctid AS customer, f.day_number, f.days_known,
					CASE $3 %3$s END AS class, c.net
				-- with a FROM clause, without which workers could not take part, and joined by a
				-- condition that always holds, and that no planner finds out: by a hash join the
				-- days are computed once for each process
				FROM (SELECT %4$s AS days FROM generate_series(1, 1) OFFSET NULL) AS d
				JOIN %1$I.customer_history AS h ON (h.tableoid = 0) = (d.days IS NULL)
				CROSS JOIN LATERAL segment_internal.customer_days(h.purchases, h.margins, h.costs, h.complaints,
					h.satisfaction, h.listed, d.days) AS f
				JOIN %1$I.scorecards() AS s ON s.scorecard_id = f.scorecard_id%5$s%7$s%9$s
				CROSS JOIN LATERAL %1$I.customer_row(h.customer_id, f.*, s.*, %6$s, %8$s, %10$s) AS c
				WHERE %2$s
			) AS q
		) AS a
		CROSS JOIN LATERAL unnest(a.moves) AS m;
		END$template$, portfolio, checks, segment_internal.scheme_choice(portfolio),
		format('segment_internal.scored_days(%L::regclass, $1, $2)', format('%I.scorecard', portfolio)), held.item, held.columns,
		attributes.item, attributes.value, events.item, events.value);

	EXECUTE format($template$
		CREATE OR REPLACE FUNCTION %1$I.movers(from_day date, to_day date, scheme text)
		RETURNS TABLE (customer_id %5$s, from_class text, to_class text, from_rank integer, to_rank integer,
			net_from numeric, net_to numeric, net_change numeric,
			net_value_from numeric, net_value_to numeric, net_value_change numeric)
		LANGUAGE sql STABLE PARALLEL SAFE ROWS 10000
		BEGIN ATOMIC
		SELECT m.customer_id, m.from_class, m.to_class, a.class_rank, b.class_rank,
			m.net_from, m.net_to, m.net_to - m.net_from,
			m.net_value_from, m.net_value_to, m.net_value_to - m.net_value_from
		FROM (
			SELECT coalesce(f.customer_id, t.customer_id) AS customer_id, f.class AS from_class, t.class AS to_class,
				coalesce(f.net, 0) AS net_from, coalesce(t.net, 0) AS net_to,
				coalesce(f.net_value, 0) AS net_value_from, coalesce(t.net_value, 0) AS net_value_to
			FROM %3$s AS f
			FULL JOIN %4$s AS t ON t.customer_id %6$s f.customer_id
			WHERE f.class IS DISTINCT FROM t.class AND %2$s
		) AS m
		LEFT JOIN %1$I.class AS a ON a.scheme = $3 AND a.class = m.from_class
		LEFT JOIN %1$I.class AS b ON b.scheme = $3 AND b.class = m.to_class;
		END$template$, portfolio, checks,
		segment_internal.snapshot_population(portfolio, '$1'), segment_internal.snapshot_population(portfolio, '$2'),
		(SELECT format_type(a.atttypid, a.atttypmod) FROM pg_attribute AS a
		WHERE a.attrelid = format('%I.customer_history', portfolio)::regclass AND a.attname = 'customer_id'),
		equality);

	-- everybody who bought, returned or cost something in one of the two periods
	EXECUTE format($template$
		CREATE OR REPLACE FUNCTION %1$I.customer_change(from_day date, to_day date)
		RETURNS TABLE (customer_id %2$s, orders_before bigint, orders bigint, net_before numeric, net numeric, net_change numeric,
			net_value_before numeric, net_value numeric, net_value_change numeric)
		LANGUAGE sql STABLE PARALLEL SAFE ROWS 10000
		BEGIN ATOMIC
		SELECT c.customer_id, c.orders_before, c.orders, c.net_before, c.net, c.net - c.net_before,
			v.net_value_before, v.net_value, v.net_value - v.net_value_before
		FROM (
			SELECT h.customer_id, n.margin AS margin_rate,
				coalesce(segment.orders(p.before), 0) AS orders_before, coalesce(segment.orders(p.now), 0) AS orders,
				coalesce(segment.net(p.before), 0) AS net_before, coalesce(segment.net(p.now), 0) AS net,
				coalesce(segment.net(p.margin_before), 0) AS margin_before, coalesce(segment.net(p.margin_now), 0) AS margin_now,
				coalesce(segment.net(p.cost_before), 0) AS cost_before, coalesce(segment.net(p.cost_now), 0) AS cost_now
			FROM %1$I.scorecard_in_force AS n
			CROSS JOIN %1$I.customer_history AS h
			CROSS JOIN LATERAL (
				SELECT segment.during(h.purchases, $1 - ($2 - $1) + 1, $1) AS before, segment.during(h.purchases, $1 + 1, $2) AS now,
					segment.during(h.margins, $1 - ($2 - $1) + 1, $1) AS margin_before, segment.during(h.margins, $1 + 1, $2) AS margin_now,
					segment.during(h.costs, $1 - ($2 - $1) + 1, $1) AS cost_before, segment.during(h.costs, $1 + 1, $2) AS cost_now
				OFFSET 0
			) AS p
			WHERE segment_internal.check_period($1, $2) AND num_nonnulls(p.before, p.now, p.cost_before, p.cost_now) > 0
		) AS c
		CROSS JOIN LATERAL (
			SELECT coalesce(segment_internal.margin(c.net_before, c.margin_rate), c.margin_before) - c.cost_before AS net_value_before,
				coalesce(segment_internal.margin(c.net, c.margin_rate), c.margin_now) - c.cost_now AS net_value
			OFFSET 0
		) AS v;
		END$template$, portfolio,
		(SELECT format_type(a.atttypid, a.atttypmod) FROM pg_attribute AS a
		WHERE a.attrelid = format('%I.customer_history', portfolio)::regclass AND a.attname = 'customer_id'));

	EXECUTE format($template$
		CREATE OR REPLACE FUNCTION %1$I.class_retention(from_day date, to_day date, scheme text,
			OUT class text, OUT customers bigint, OUT active bigint, OUT retention float8,
			OUT retention_low float8, OUT retention_high float8, OUT sales numeric)
		RETURNS SETOF record
		LANGUAGE sql STABLE PARALLEL SAFE ROWS 20
		BEGIN ATOMIC
		SELECT g.class, g.customers, g.active, g.active::float8 / g.customers, w.low, w.high, g.sales
		FROM (
			SELECT f.class, count(*) AS customers, count(*) FILTER (WHERE p.orders > 0) AS active,
				coalesce(sum(p.net), 0) AS sales
			FROM %3$s AS f
			JOIN %1$I.customer_history AS h ON h.customer_id %4$s f.customer_id
			CROSS JOIN LATERAL (
				SELECT segment.orders(d.during) AS orders, segment.net(d.during) AS net
				FROM (SELECT segment.during(h.purchases, $1 + 1, $2) AS during OFFSET 0) AS d
				OFFSET 0
			) AS p
			WHERE %2$s
			GROUP BY f.class
		) AS g
		CROSS JOIN LATERAL segment.wilson_interval(g.active, g.customers) AS w;
		END$template$, portfolio, checks, segment_internal.snapshot_population(portfolio, '$1'), equality);
END
$snapshot_create_views$;
COMMENT ON FUNCTION segment_internal.snapshot_create_views(text, boolean) IS
'creates or replaces the views and functions of a portfolio''s snapshots (internal)';

CREATE FUNCTION segment_internal.snapshot_comments() RETURNS TABLE (relation text, col text, meaning text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 40
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
SELECT v.* FROM (VALUES
	('snapshot', NULL, 'one row per snapshot, made by take_snapshot; deleting it deletes what it holds, also for stay rules (scheme_class)'),
	('snapshot', 'as_of', 'day that the snapshot shows'),
	('snapshot', 'taken_at', 'time at which it was taken'),
	('snapshot', 'scorecard_id', 'scorecard that judged the customers'),
	('snapshot', 'customers', 'number of customers in it'),
	('snapshot', 'schemes', 'schemes in it'),
	('snapshot_customer', NULL, 'one row per snapshot and customer: what customer_at said when the snapshot was taken'),
	('snapshot_customer', 'as_of', 'day that the snapshot shows'),
	('snapshot_customer', 'customer_id', 'key of the customer, of the type in the source'),
	('snapshot_customer', 'orders', 'number of orders, >= 0'),
	('snapshot_customer', 'net', 'gross minus refunded in units of money'),
	('snapshot_customer', 'margin', 'contribution in units of money'),
	('snapshot_customer', 'cost', 'costs of acquiring and serving in units of money'),
	('snapshot_customer', 'net_value', 'margin minus cost in units of money'),
	('snapshot_customer', 'p_alive', 'probability that the customer was still active, 0..1; NULL: no prediction'),
	('snapshot_customer', 'clv', 'customer lifetime value in units of money; NULL: no prediction'),
	('snapshot_customer', 'classes', 'class in each scheme, as an object from scheme to class'),
	('snapshot_class', NULL, 'one row per snapshot, customer and scheme'),
	('snapshot_class', 'as_of', 'day that the snapshot shows'),
	('snapshot_class', 'customer_id', 'key of the customer'),
	('snapshot_class', 'scheme', 'code of the scheme'),
	('snapshot_class', 'class', 'class of the customer in it'),
	('snapshot_class', 'net', 'gross minus refunded in units of money; may be negative; more is better'),
	('snapshot_class', 'net_value', 'margin minus cost in units of money; may be negative; more is better'),
	('snapshot_class', 'clv', 'customer lifetime value in units of money; may be negative; more is better; NULL: no prediction'),
	('segment_trend', NULL, 'one row per snapshot, scheme and class, with the change since the snapshot before; classes without customers included'),
	('segment_trend', 'as_of', 'day that the snapshot shows'),
	('segment_trend', 'scheme', 'code of the scheme'),
	('segment_trend', 'class', 'class'),
	('segment_trend', 'customers', 'customers in the class, >= 0'),
	('segment_trend', 'share', 'their share of all customers of the snapshot, 0..1'),
	('segment_trend', 'customers_change', 'customers more (or, if negative, less) than in the snapshot before; NULL in the first'),
	('segment_trend', 'lifetime_net', 'sum of their net sales since the beginning, in units of money; more is better'),
	('segment_trend', 'lifetime_net_change', 'change of lifetime_net since the snapshot before, in units of money: also by customers who entered or left the class with all their sales, so it is not what the class bought in between (segment_pnl); NULL in the first'),
	('segment_trend', 'lifetime_net_value', 'sum of their margin minus cost since the beginning, in units of money; more is better'),
	('segment_trend', 'lifetime_net_value_change', 'change of lifetime_net_value since the snapshot before, in units of money, as lifetime_net_change; NULL in the first'),
	('segment_trend', 'clv', 'customer equity: sum of their customer lifetime values, in units of money; more is better; NULL: no predictions'),
	('segment_trend', 'clv_change', 'change of clv since the snapshot before, in units of money; NULL in the first, and without predictions'),
	('owner_scoreboard', NULL, 'one row per scheme, owner of classes (table scheme_class, as it is now) and period from one snapshot to the next: equity_from + equity_came - equity_left + equity_grown - equity_shrunk = equity_to. Classes without an owner are left out'),
	('owner_scoreboard', 'scheme', 'code of the scheme'),
	('owner_scoreboard', 'owner', 'who is responsible for the classes'),
	('owner_scoreboard', 'from_day', 'snapshot at which the period begins: what the owner was given'),
	('owner_scoreboard', 'to_day', 'snapshot at which it ends; never NULL'),
	('owner_scoreboard', 'customers_from', 'customers in the owner''s classes at the end of from_day, >= 0'),
	('owner_scoreboard', 'customers_to', 'customers in them at the end of to_day, >= 0; more is better'),
	('owner_scoreboard', 'came', 'customers in them on to_day and not on from_day, >= 0; more is better'),
	('owner_scoreboard', 'left', 'customers in them on from_day and not on to_day, >= 0; fewer is better'),
	('owner_scoreboard', 'equity_from', 'customer equity on from_day: sum of the customer lifetime values, in units of money; who has no prediction counts 0'),
	('owner_scoreboard', 'equity_to', 'customer equity on to_day, in units of money; more is better'),
	('owner_scoreboard', 'equity_change', 'equity_to minus equity_from, in units of money; more is better'),
	('owner_scoreboard', 'equity_came', 'equity on to_day of customers who came, in units of money; more is better'),
	('owner_scoreboard', 'equity_left', 'equity on from_day of customers who left, in units of money; less is better'),
	('owner_scoreboard', 'equity_grown', 'increase of those who stayed and are worth more, in units of money, >= 0; more is better'),
	('owner_scoreboard', 'equity_shrunk', 'decrease of those who stayed and are worth less, in units of money, >= 0; less is better'),
	('owner_scoreboard', 'net_value', 'margin minus cost of the period, of the customers that the owner had on from_day, wherever they are on to_day, in units of money; may be negative; more is better'),
	('migration(date, date, text)', NULL, 'one row per pair of classes of a scheme: how many customers were in from_class at the end of from_day and in to_class at the end of to_day, with net sales and net value since the beginning on both days and what they gained between (net_change: their sales of the period). from_class is NULL for customers who were not known on from_day, to_class for those no longer known. A day with a snapshot is read from it, any other is computed by customer_at. Errors: 22023 unknown scheme, days NULL, infinite or in the wrong order'),
	('monthly_migration(date, date, text)', NULL, 'migration from month end to month end: one row per day (each end of a month between from_day and to_day, and to_day), day before it, and pair of classes; all days are computed, snapshots are not read but for the classes that stay rules keep; columns and errors as migration, and error 54000 for a period of more than 1200 months'),
	('movers(date, date, text)', NULL, 'one row per customer whose class in a scheme differs between the ends of two days, with the ranks of both classes, net sales and net value on both days in units of money, and the change (sales and net value of the period); NULLs and errors as migration'),
	('customer_change(date, date)', NULL, 'one row per customer with an order, refund or cost from the day after from_day to to_day, or in as many days before: orders, net sales and net value (margin minus cost) of both periods, in units of money, and the change, which is negative for those who bring less. Over all customers net_change is the change of sales. Errors: 22023 days NULL, infinite or in the wrong order'),
	('class_retention(date, date, text)', NULL, 'one row per class of a scheme at the end of from_day: its customers, how many of them ordered later, up to to_day (active), as a share (retention, 0..1, with its 95 % interval by Wilson), and their net sales in that time; classes without customers are left out; errors as migration')
) AS v(relation, col, meaning);
END;
COMMENT ON FUNCTION segment_internal.snapshot_comments() IS
'the comments on the tables, views and functions of a portfolio''s snapshots';
