--
-- Snapshots equal customer_at of their date, migration adds up to the
-- population on both sides, in heads and money
--
\unset ECHO
\set QUIET 1
\pset format unaligned
\pset tuples_only true
\set ON_ERROR_STOP true
SET client_min_messages = warning;

BEGIN;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS segment;
SELECT plan(52);

SELECT setseed(0.6);
CREATE TABLE snap_order AS
SELECT 'c' || customer AS customer, '2022-01-10'::date + least(arrival + (span * random())::integer, 1000) AS day,
	CASE WHEN random() < 0.08 THEN -1 ELSE 1 END * round((random() * 100)::numeric, 2) AS amount
FROM (
	SELECT customer, (random() * 900)::integer AS arrival, (random() * 600)::integer AS span,
		1 + (random() * random() * 14)::integer AS events
	FROM generate_series(1, 400) AS customer
	OFFSET 0
) AS c, generate_series(1, events);
CREATE TABLE snap_cost AS
SELECT 'c' || n AS customer, '2022-05-01'::date + n AS day, round((random() * 60)::numeric, 2) AS amount FROM generate_series(1, 420) n;
CREATE TABLE snap_person AS SELECT 'c' || n AS customer FROM generate_series(390, 450) n;
SELECT segment.create_portfolio('snap', 'SELECT customer, day, amount, amount * 0.3 FROM snap_order',
	customers => 'SELECT customer FROM snap_person', costs => 'SELECT customer, day, amount FROM snap_cost',
	timezone => 'UTC') IS NOT NULL \g /dev/null
SELECT as_of FROM snap.customer LIMIT 1 \gset

-- ---------- migration, computed ----------

CREATE TEMP TABLE period AS SELECT * FROM (VALUES ('2022-09-30'::date, '2023-09-30'::date),
	('2022-01-01', :'as_of'), ('2023-03-31', '2023-03-31'), ('2021-01-01', '2021-02-01')) AS p(from_day, to_day);
CREATE TEMP TABLE moved AS
SELECT p.*, s.scheme, m.* FROM period AS p, snap.scheme AS s, snap.migration(p.from_day, p.to_day, s.scheme) AS m;
SELECT ok(count(*) > 200 AND count(DISTINCT scheme) = (SELECT count(*) FROM snap.scheme),
	'many pairs of classes, of all schemes') FROM moved;

CREATE FUNCTION pg_temp.side(day date) RETURNS TABLE (scheme text, class text, customers bigint, net numeric, net_value numeric)
LANGUAGE plpgsql AS $$
DECLARE
	s text;
BEGIN
	FOR s IN SELECT k.scheme FROM snap.scheme AS k LOOP
		RETURN QUERY EXECUTE format('SELECT %L, c.%I, count(*), sum(c.net), sum(c.net_value) FROM snap.customer_at($1) AS c GROUP BY 2', s, s)
		USING day;
	END LOOP;
END $$;
CREATE TEMP TABLE side AS
SELECT d.day, s.* FROM (SELECT from_day AS day FROM period UNION SELECT to_day FROM period) AS d, pg_temp.side(d.day) AS s;
SELECT set_eq(
	$$ SELECT from_day, to_day, scheme, from_class, sum(customers)::bigint AS customers, sum(net_from) AS net, sum(net_value_from) AS net_value
		FROM moved WHERE from_class IS NOT NULL GROUP BY 1, 2, 3, 4 $$,
	$$ SELECT p.from_day, p.to_day, s.scheme, s.class, s.customers, s.net, s.net_value
		FROM period p JOIN side s ON s.day = p.from_day $$,
	'rows add up to the classes of the first day, in heads and money');
SELECT set_eq(
	$$ SELECT from_day, to_day, scheme, to_class, sum(customers)::bigint AS customers, sum(net_to) AS net, sum(net_value_to) AS net_value
		FROM moved WHERE to_class IS NOT NULL GROUP BY 1, 2, 3, 4 $$,
	$$ SELECT p.from_day, p.to_day, s.scheme, s.class, s.customers, s.net, s.net_value
		FROM period p JOIN side s ON s.day = p.to_day $$,
	'and to those of the second day');
SELECT is_empty($$ SELECT * FROM moved WHERE net_change <> net_to - net_from
	OR net_value_change <> net_value_to - net_value_from OR customers < 1 $$, 'the change is the difference');
SELECT is_empty($$ SELECT from_day, to_day, scheme FROM moved AS m GROUP BY 1, 2, 3
	HAVING sum(net_change) <> (SELECT coalesce(sum(amount), 0) FROM snap_order AS o
		WHERE o.day > m.from_day AND o.day <= m.to_day) $$, 'net_change is the sales of the period');
SELECT is_empty($$ SELECT * FROM moved WHERE to_class IS NULL $$, 'nobody is forgotten');
SELECT ok(count(*) > 10 AND sum(net_from) = 0, 'newcomers have no class and no money before')
FROM moved WHERE from_class IS NULL AND from_day = '2022-09-30';
SELECT is_empty($$ SELECT * FROM moved WHERE from_day = to_day AND (from_class IS DISTINCT FROM to_class OR net_change <> 0) $$,
	'within one day nobody moves');

-- the class of every customer by hand
SELECT set_eq($$ SELECT from_class, to_class, customers, net_from, net_to FROM snap.migration('2022-09-30', '2023-09-30', 'dormancy') $$,
	$$ SELECT a.dormancy AS a, b.dormancy AS b, count(*), coalesce(sum(a.net), 0) AS c, coalesce(sum(b.net), 0) AS d
	FROM snap.customer_at('2022-09-30') AS a FULL JOIN snap.customer_at('2023-09-30') AS b USING (customer_id) GROUP BY 1, 2 $$,
	'migration is the join of two days');

-- month by month
CREATE TEMP TABLE monthly AS
SELECT k.scheme, m.* FROM (VALUES ('dormancy'), ('abcd'), ('rfm_segment')) AS k(scheme),
	snap.monthly_migration('2022-05-15', '2022-11-10', k.scheme) AS m;
SELECT is(string_agg(DISTINCT day_before || '-' || day, ' ' ORDER BY day_before || '-' || day),
	'2022-05-15-2022-05-31 2022-05-31-2022-06-30 2022-06-30-2022-07-31 2022-07-31-2022-08-31 2022-08-31-2022-09-30 2022-09-30-2022-10-31 2022-10-31-2022-11-10',
	'from month end to month end, and both days') FROM monthly;
SELECT set_eq('SELECT scheme, day_before, day, from_class, to_class, customers, net_from, net_to, net_change FROM monthly',
	$$ SELECT d.scheme, d.day_before, d.day, m.from_class, m.to_class, m.customers, m.net_from, m.net_to, m.net_change
	FROM (SELECT DISTINCT scheme, day_before, day FROM monthly) AS d, snap.migration(d.day_before, d.day, d.scheme) AS m $$,
	'monthly_migration is the migration of each month');
SELECT is((SELECT string_agg(DISTINCT day_before || '-' || day, ' ') FROM snap.monthly_migration('2022-01-31', '2022-02-28', 'abcd')),
	'2022-01-31-2022-02-28', 'from a month end to the next');

-- movers
CREATE TEMP TABLE mover AS SELECT * FROM snap.movers('2022-09-30', '2023-09-30', 'rfm_segment');
SELECT is_empty('SELECT * FROM mover WHERE from_class IS NOT DISTINCT FROM to_class', 'movers have moved');
SELECT is(count(DISTINCT customer_id), count(*), 'once each') FROM mover;
SELECT set_eq('SELECT from_class, to_class, count(*), sum(net_from) AS a, sum(net_to) AS b, sum(net_change) AS c, sum(net_value_change) AS d FROM mover GROUP BY 1, 2',
	$$ SELECT from_class, to_class, customers, net_from, net_to, net_change, net_value_change FROM moved
	WHERE scheme = 'rfm_segment' AND from_day = '2022-09-30' AND from_class IS DISTINCT FROM to_class $$,
	'movers add up to the migration');
SELECT is_empty($$ SELECT customer_id FROM mover LEFT JOIN snap.class AS a ON a.scheme = 'rfm_segment' AND a.class = from_class
	LEFT JOIN snap.class AS b ON b.scheme = 'rfm_segment' AND b.class = to_class
	WHERE from_rank IS DISTINCT FROM a.class_rank OR to_rank IS DISTINCT FROM b.class_rank $$, 'ranks are those of the classes');
SELECT is(pg_typeof(customer_id)::text, 'text', 'the key keeps its type') FROM mover LIMIT 1;

-- retention of classes
SELECT set_eq($$ SELECT class, customers, active, retention, sales FROM snap.class_retention('2022-09-30', '2023-03-31', 'rfm_segment') $$,
	$$ SELECT rfm_segment, count(*) AS a, count(*) FILTER (WHERE o.orders > 0) AS b, (count(*) FILTER (WHERE o.orders > 0))::float8 / count(*) AS c, coalesce(sum(o.net), 0)
	FROM snap.customer_at('2022-09-30') AS c
	LEFT JOIN (SELECT customer, count(*) FILTER (WHERE amount >= 0) AS orders, sum(amount) AS net FROM snap_order
		WHERE day > '2022-09-30' AND day <= '2023-03-31' GROUP BY customer) AS o ON o.customer = c.customer_id
	GROUP BY 1 $$, 'retention of the classes follows the definition');
SELECT is((SELECT sum(customers) FROM snap.class_retention('2022-09-30', '2022-09-30', 'abcd')),
	(SELECT count(*) FROM snap.customer_at('2022-09-30'))::numeric, 'an empty period: all customers, nobody active');

-- ---------- snapshots ----------

SELECT is((s).customers || ' ' || (s).schemes || ' ' || (s).replaced || ' ' || (s).as_of,
	(SELECT count(*) FROM snap.customer_at('2022-09-30')) || ' ' || (SELECT count(*) FROM snap.scheme) || ' false 2022-09-30',
	'take_snapshot says what it did')
FROM (SELECT segment.take_snapshot('snap', '2022-09-30') AS s) AS t;
SELECT segment.take_snapshot('snap', '2023-09-30') IS NOT NULL \g /dev/null
SELECT is((segment.take_snapshot('snap')).as_of, :'as_of'::date, 'the default is the day of the last refresh');
CREATE TEMP TABLE unpacked AS
SELECT d.day, c.customer_id, j.key AS scheme, j.value AS class
FROM (VALUES ('2022-09-30'::date), ('2023-09-30'), (:'as_of')) AS d(day),
	LATERAL (SELECT * FROM snap.customer_at(d.day)) AS c, LATERAL jsonb_each_text(to_jsonb(c)) AS j
WHERE j.key IN (SELECT scheme FROM snap.scheme);
SELECT set_eq('SELECT as_of, customer_id, scheme, class FROM snap.snapshot_class', 'SELECT day, customer_id, scheme, class FROM unpacked',
	'snapshots hold the classes of customer_at of their dates');
SELECT set_eq('SELECT as_of, customer_id, orders, net, margin, cost, net_value, p_alive, clv FROM snap.snapshot_customer',
	$$ SELECT d.day, c.customer_id, orders, net, margin, cost, net_value, p_alive, clv
	FROM (SELECT DISTINCT day FROM unpacked) AS d, LATERAL (SELECT * FROM snap.customer_at(d.day)) AS c $$,
	'and its values');
SELECT is_empty($$ SELECT as_of, customer_id FROM snap.snapshot_class JOIN snap.scheme USING (scheme) GROUP BY 1, 2
	HAVING count(*) <> (SELECT count(*) FROM snap.scheme) OR count(DISTINCT scheme) <> count(*) $$,
	'every customer has exactly one class of each scheme');
SELECT is_empty($$ SELECT as_of FROM snap.snapshot AS s WHERE customers <> (SELECT count(*) FROM snap.snapshot_customer AS c WHERE c.as_of = s.as_of) $$,
	'the number of customers is kept');
-- the current view is that of the last snapshot
SELECT set_eq($$ SELECT customer_id, scheme, class FROM snap.customer_class $$,
	format('SELECT customer_id, scheme, class FROM snap.snapshot_class WHERE as_of = %L', :'as_of'),
	'the snapshot of the last refresh equals the view customer_class');

SELECT set_eq($$ SELECT from_class, to_class, customers, net_from, net_to, net_value_change FROM snap.migration('2022-09-30', '2023-09-30', 'abcd') $$,
	$$ SELECT from_class, to_class, customers, net_from, net_to, net_value_change FROM moved WHERE scheme = 'abcd' AND from_day = '2022-09-30' $$,
	'migration between snapshots equals the computed one');
SELECT set_eq($$ SELECT * FROM snap.movers('2022-09-30', '2023-09-30', 'rfm_segment') $$, 'SELECT * FROM mover', 'so do movers');

-- a snapshot is a record: late rows do not change it, but they change other days
INSERT INTO snap_order VALUES ('c1', '2022-02-01', 1000000), ('late', '2022-03-01', 77);
SELECT segment.refresh('snap') IS NOT NULL \g /dev/null
SELECT is((SELECT sum(net_from) FROM snap.migration('2022-09-30', '2023-09-30', 'abcd')),
	(SELECT sum(net_from) FROM moved WHERE scheme = 'abcd' AND from_day = '2022-09-30'), 'a snapshot stays when late orders arrive');
SELECT is((SELECT sum(net_from) FROM snap.migration('2022-09-29', '2023-09-30', 'abcd')),
	(SELECT sum(amount) FROM snap_order WHERE day <= '2022-09-29'), 'other days are computed from what is known now');
-- a scheme that is not in the snapshot is computed
UPDATE snap.snapshot SET schemes = array_remove(schemes, 'abc') WHERE as_of = '2022-09-30';
SELECT is((SELECT sum(net_from) FROM snap.migration('2022-09-30', '2023-09-30', 'abc')),
	(SELECT sum(amount) FROM snap_order WHERE day <= '2022-09-30'), 'a scheme that a snapshot lacks is computed');
SELECT is((t).replaced, true, 'a snapshot taken again replaces the old one')
FROM (SELECT segment.take_snapshot('snap', '2022-09-30') AS t) AS s;
SELECT is((SELECT sum(net) FROM snap.snapshot_customer WHERE as_of = '2022-09-30'),
	(SELECT sum(amount) FROM snap_order WHERE day <= '2022-09-30'), 'with what is known now');
SELECT is(count(*)::integer, 2, 'two scorecards of one day') FROM snap.scorecard WHERE as_of = :'as_of';
SELECT is((segment.take_snapshot('snap', d)).scorecard_id, (SELECT max(scorecard_id) FROM snap.scorecard),
	'of which a snapshot names the later, as of ' || d) FROM unnest(ARRAY['2022-09-30', :'as_of']::date[]) AS d;

-- trend
SELECT set_eq($$ SELECT as_of, scheme, class, customers, lifetime_net, lifetime_net_value FROM snap.segment_trend WHERE customers > 0 $$,
	$$ SELECT as_of, scheme, class, count(*), sum(net) AS net, sum(net_value) AS net_value FROM snap.snapshot_class GROUP BY 1, 2, 3 $$,
	'segment_trend counts the snapshots');
SELECT is_empty($$ SELECT as_of, scheme FROM snap.segment_trend GROUP BY 1, 2 HAVING abs(sum(share) - 1) > 1e-9 $$, 'shares add up to 1');
SELECT is_empty($$ SELECT t.* FROM snap.segment_trend AS t LEFT JOIN snap.segment_trend AS b ON b.scheme = t.scheme AND b.class = t.class
		AND b.as_of = (SELECT max(as_of) FROM snap.snapshot WHERE as_of < t.as_of)
	WHERE t.customers_change IS DISTINCT FROM t.customers - b.customers OR t.lifetime_net_change IS DISTINCT FROM t.lifetime_net - b.lifetime_net
		OR t.lifetime_net_value_change IS DISTINCT FROM t.lifetime_net_value - b.lifetime_net_value $$, 'changes are those since the snapshot before');

SELECT is_empty($$ SELECT t.* FROM snap.segment_trend AS t WHERE t.customers > 0 AND t.clv IS DISTINCT FROM
	(SELECT sum(p.clv::numeric)::float8 FROM snap.snapshot_class AS p WHERE p.as_of = t.as_of AND p.scheme = t.scheme AND p.class = t.class) $$,
	'segment_trend carries customer equity');
SELECT ok(count(t.clv) > 0 AND bool_and(abs(t.clv_change - (t.clv - b.clv)) <= 1e-9 * (abs(t.clv) + abs(b.clv))), 'and its change')
FROM snap.segment_trend AS t JOIN snap.segment_trend AS b ON b.scheme = t.scheme AND b.class = t.class
	AND b.as_of = (SELECT max(as_of) FROM snap.snapshot WHERE as_of < t.as_of)
WHERE t.clv IS NOT NULL AND b.clv IS NOT NULL;

-- owners: each period by hand, customer by customer
UPDATE snap.scheme_class SET owner = CASE class_rank % 3 WHEN 0 THEN 'Ann' WHEN 1 THEN 'Bo' END WHERE scheme IN ('rfm_segment', 'abcd');
SELECT results_eq($$ SELECT scheme, owner, from_day, to_day, customers_from, customers_to, came, "left", net_value,
		round(equity_from::numeric, 4), round(equity_to::numeric, 4), round(equity_came::numeric, 4), round(equity_left::numeric, 4),
		round(equity_grown::numeric, 4), round(equity_shrunk::numeric, 4)
	FROM snap.owner_scoreboard ORDER BY 1, 2, 3 $$,
	$$ WITH period AS (
		SELECT a.as_of AS from_day, min(b.as_of) AS to_day FROM snap.snapshot AS a JOIN snap.snapshot AS b ON b.as_of > a.as_of GROUP BY 1
	), owned AS (
		SELECT s.as_of, s.customer_id, s.scheme, k.owner FROM snap.snapshot_class AS s JOIN snap.class AS k USING (scheme, class)
	), pair AS (
		SELECT p.from_day, p.to_day, o.scheme, o.owner, c.customer_id, f.owner IS NOT NULL AS had, t.owner IS NOT NULL AS has,
			coalesce(cf.clv, 0)::numeric AS clv_from, coalesce(ct.clv, 0)::numeric AS clv_to,
			-- late is in the first snapshot alone, and brought nothing
			CASE WHEN ct.net_value IS NOT NULL THEN ct.net_value - coalesce(cf.net_value, 0) ELSE 0 END AS net_value
		FROM period AS p
		CROSS JOIN (SELECT DISTINCT scheme, owner FROM snap.class WHERE owner IS NOT NULL) AS o
		CROSS JOIN (SELECT DISTINCT customer_id FROM snap.snapshot_customer) AS c
		LEFT JOIN owned AS f ON f.as_of = p.from_day AND f.customer_id = c.customer_id AND f.scheme = o.scheme AND f.owner = o.owner
		LEFT JOIN owned AS t ON t.as_of = p.to_day AND t.customer_id = c.customer_id AND t.scheme = o.scheme AND t.owner = o.owner
		LEFT JOIN snap.snapshot_customer AS cf ON cf.as_of = p.from_day AND cf.customer_id = c.customer_id
		LEFT JOIN snap.snapshot_customer AS ct ON ct.as_of = p.to_day AND ct.customer_id = c.customer_id
		WHERE f.owner IS NOT NULL OR t.owner IS NOT NULL
	)
	SELECT scheme, owner, from_day, to_day, count(*) FILTER (WHERE had), count(*) FILTER (WHERE has), count(*) FILTER (WHERE NOT had),
		count(*) FILTER (WHERE NOT has), coalesce(sum(net_value) FILTER (WHERE had), 0),
		round(coalesce(sum(clv_from) FILTER (WHERE had), 0), 4), round(coalesce(sum(clv_to) FILTER (WHERE has), 0), 4),
		round(coalesce(sum(clv_to) FILTER (WHERE NOT had), 0), 4), round(coalesce(sum(clv_from) FILTER (WHERE NOT has), 0), 4),
		round(coalesce(sum(greatest(clv_to - clv_from, 0)) FILTER (WHERE had AND has), 0), 4),
		round(coalesce(sum(greatest(clv_from - clv_to, 0)) FILTER (WHERE had AND has), 0), 4)
	FROM pair GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3 $$, 'owner_scoreboard follows the definition');
SELECT ok(count(*) = 8 AND sum(came) > 0 AND sum("left") > 0 AND sum(equity_grown) > 0 AND sum(equity_shrunk) > 0, 'of all owners and periods')
FROM snap.owner_scoreboard;
SELECT is_empty($$ SELECT * FROM snap.owner_scoreboard WHERE customers_from + came - "left" <> customers_to
	OR abs(equity_from + equity_came - equity_left + equity_grown - equity_shrunk - equity_to) > 1e-9 * (1 + equity_from + equity_to)
	OR abs(equity_change - (equity_to - equity_from)) > 1e-9 * (1 + equity_from + equity_to) $$, 'and its books balance');

DELETE FROM snap.snapshot WHERE as_of = '2022-09-30';
SELECT is_empty($$ SELECT FROM snap.snapshot_customer WHERE as_of = '2022-09-30' $$, 'deleting a snapshot deletes what it holds');

-- exactly one class per scheme, whoever writes
PREPARE two AS INSERT INTO snap.snapshot_customer SELECT * FROM snap.snapshot_customer WHERE as_of = '2023-09-30' LIMIT 1;
SELECT throws_ok('two', '23505', NULL, 'a customer is in a snapshot once');
PREPARE none AS UPDATE snap.snapshot_customer SET classes = '[]';
SELECT throws_ok('none', '23514', NULL, 'classes are an object');

-- ---------- edge portfolios ----------

CREATE FUNCTION pg_temp.edge(source text, people text DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	PERFORM segment.create_portfolio('snap_edge', source, customers => people, timezone => 'UTC');
	result := concat_ws(' ', (segment.take_snapshot('snap_edge')).customers, (segment.take_snapshot('snap_edge', '2020-01-01')).customers);
	result := concat_ws(' ', result,
		(SELECT count(*) FROM snap_edge.segment_trend WHERE customers > 0 AND scheme = 'dormancy'),
		(SELECT string_agg(coalesce(from_class, '-') || '>' || coalesce(to_class, '-') || ':' || customers, ',')
			FROM snap_edge.migration('2020-01-01', '2024-05-07', 'dormancy')));
	PERFORM segment.drop_portfolio('snap_edge');
	RETURN result;
END $$;
SELECT is(pg_temp.edge('SELECT 1 AS customer, NULL::date AS day, 1.0 AS amount WHERE false'), '0 0 0', 'nobody');
SELECT is(pg_temp.edge('SELECT 1 AS customer, NULL::date AS day, 1.0 AS amount WHERE false', 'SELECT 7'),
	'1 1 2 prospects>prospects:1', 'prospects only');
SELECT is(pg_temp.edge($$ SELECT 1, date '2024-05-07', 2.50 $$), '1 0 1 ->active:1', 'one order');
SELECT is(pg_temp.edge($$ SELECT n, date '2024-05-07', 2 FROM generate_series(1, 5) n $$), '5 0 1 ->active:5', 'all on one day');
SELECT is(pg_temp.edge($$ SELECT 1, date '2024-05-07', -2 $$), '1 0 1 ->returns_only:1', 'refunds only');

SELECT * FROM finish();
ROLLBACK;
