--
-- Visits by place, contacts by channel and lines by category: from the source to
-- the columns of the view customer, against plain SQL over the same rows
--
\unset ECHO
\set QUIET 1
\pset format unaligned
\pset tuples_only true
\set ON_ERROR_STOP true
SET client_min_messages = warning;
SET timezone = 'UTC';

BEGIN;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS segment;
SELECT no_plan();

-- ---------- a shop at random ----------

SELECT setseed(0.375) \g /dev/null
CREATE TABLE orders (id integer, at date, amount numeric);
CREATE TABLE visits (id integer, at timestamp, place text);
CREATE TABLE contacts (id integer, at date, channel integer);
CREATE TABLE lines (id integer, at date, amount numeric, margin numeric, category text);
CREATE TABLE people (id integer, may boolean);
CREATE INDEX ON orders (id); CREATE INDEX ON visits (id); CREATE INDEX ON contacts (id); CREATE INDEX ON lines (id); CREATE INDEX ON people (id);
INSERT INTO people SELECT n, n % 4 > 0 FROM generate_series(1, 130) AS n;
INSERT INTO orders SELECT 1 + floor(random() * 100)::integer, date '2023-01-01' + floor(random() * 730)::integer, round((1 + random() * 99)::numeric, 2)
FROM generate_series(1, 500);
-- some go to one place, some to many; some places are not known, some visitors never bought
INSERT INTO visits SELECT d.id, timestamp '2022-06-01' + floor(random() * 940 * 24) * interval '1 hour',
	CASE WHEN random() < 0.05 THEN NULL ELSE 'shop ' || 1 + floor(power(random(), 1 + d.id % 7) * 5)::integer END
FROM (SELECT 1 + floor(random() * 120)::integer AS id FROM generate_series(1, 2500)) AS d;
INSERT INTO contacts SELECT 1 + floor(power(random(), 2) * 120)::integer, date '2023-06-01' + floor(random() * 579)::integer, floor(random() * 3)::integer
FROM generate_series(1, 900);
INSERT INTO lines SELECT d.id, date '2023-01-01' + floor(random() * 730)::integer, d.amount,
	round((d.amount * (0.1 * d.c + 0.1 * random()))::numeric, 3), CASE WHEN d.c > 0 THEN chr(96 + d.c) END
FROM (SELECT 1 + floor(random() * 100)::integer AS id, floor(random() * 6)::integer AS c,
	round((random() * 100 - 8)::numeric, 2) AS amount FROM generate_series(1, 1500)) AS d;
-- who has come no more for long, who goes to one place alone
DELETE FROM visits WHERE id BETWEEN 60 AND 70 AND at > '2023-01-15';
DELETE FROM orders WHERE id BETWEEN 60 AND 70 AND at > '2023-01-15';
UPDATE visits SET place = 'shop 2' WHERE id BETWEEN 71 AND 75;
-- known only later, and not at all
INSERT INTO visits VALUES (3, '2031-01-01', 'shop 9'), (999, '2024-05-05', 'shop 1'), (NULL, '2024-05-05', 'shop 1'), (4, NULL, 'shop 1');
INSERT INTO visits SELECT * FROM visits WHERE id = 5 ORDER BY at, place LIMIT 1;
INSERT INTO lines VALUES (3, '2024-01-01', NULL, 1, 'a'), (3, '2024-01-01', 1, NULL, 'a');

SELECT segment.create_portfolio('shop', 'SELECT id, at, amount FROM orders', customers => 'SELECT id, may FROM people', timezone => 'UTC',
	visits => 'SELECT id, at, place FROM visits', contacts => 'SELECT id, at, channel FROM contacts',
	lines => 'SELECT id, at, amount, margin, category FROM lines', settings => '{"purchase_model": "none", "spend_model": "none", "margin_limit": 0.35}') \g /dev/null
SELECT segment.refresh('shop', '2024-12-31') \g /dev/null

-- What the columns are, by hand, as of the end of a day.
CREATE FUNCTION by_hand(day date, usual_gap float8) RETURNS TABLE (id integer, place_visits bigint, places bigint, main_place text, main_place_share float8,
	visit_gap_ratio float8, period_contacts bigint, categories bigint, margin_share float8) LANGUAGE sql AS $$
	WITH recent AS (
		SELECT v.id, v.place, count(*) AS n, max(v.at::date) AS last FROM visits AS v WHERE v.at::date > day - 365 AND v.at::date <= day GROUP BY 1, 2
	), gap AS (
		SELECT v.id, (day - max(v.at::date)) / ((2 * usual_gap + (max(v.at::date) - min(v.at::date))) / (2 + count(DISTINCT v.at::date) - 1)) AS ratio
		FROM visits AS v WHERE v.at::date <= day GROUP BY 1
	), line AS (
		SELECT l.*, l.category IN (SELECT a.category FROM lines AS a WHERE a.at <= day AND a.amount IS NOT NULL
			GROUP BY 1 HAVING sum(a.margin) > 0.35 * sum(a.amount)) AS is_high
		FROM lines AS l WHERE l.at <= day AND l.amount IS NOT NULL
	)
	SELECT p.id, coalesce((SELECT sum(r.n) FROM recent AS r WHERE r.id = p.id), 0)::bigint,
		(SELECT count(*) FROM recent AS r WHERE r.id = p.id AND r.place IS NOT NULL),
		(SELECT r.place FROM recent AS r WHERE r.id = p.id AND r.place IS NOT NULL ORDER BY r.n DESC, r.last DESC, r.place LIMIT 1),
		(SELECT max(r.n)::float8 / sum(r.n) FROM recent AS r WHERE r.id = p.id AND r.place IS NOT NULL),
		(SELECT g.ratio FROM gap AS g WHERE g.id = p.id),
		(SELECT count(*) FROM contacts AS c WHERE c.id = p.id AND c.at > day - 365 AND c.at <= day),
		(SELECT count(DISTINCT l.category) FROM line AS l WHERE l.id = p.id AND l.amount >= 0),
		(SELECT CASE WHEN sum(l.amount) > 0 THEN coalesce(sum(l.amount) FILTER (WHERE l.is_high), 0) / sum(l.amount) END FROM line AS l WHERE l.id = p.id)::float8
	FROM (SELECT o.id FROM orders AS o UNION SELECT e.id FROM people AS e) AS p $$;
CREATE FUNCTION wrong(portfolio text, day date) RETURNS TABLE (is_hand boolean, customer integer, figures text) LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format($query$
		WITH hand AS MATERIALIZED (
			SELECT h.* FROM by_hand($1, (SELECT s.usual_gap_days FROM %1$I.scorecard AS s WHERE s.scorecard_id = %1$I.scorecard_on($1))) AS h
		), seen AS MATERIALIZED (
			SELECT c.customer_id AS id, c.place_visits, c.places, c.main_place, c.main_place_share, c.visit_gap_ratio, c.period_contacts, c.categories, c.margin_share
			FROM %1$I.customer_at($1) AS c
		)
		SELECT coalesce(h.id, 0) > 0, coalesce(s.id, h.id), coalesce(s.*::text, '') || ' ' || coalesce(h.*::text, '') FROM hand AS h FULL JOIN seen AS s ON s.id = h.id
		WHERE (h.place_visits, h.places, h.main_place, h.period_contacts, h.categories) IS DISTINCT FROM (s.place_visits, s.places, s.main_place, s.period_contacts, s.categories)
			OR (h.main_place_share IS NULL) <> (s.main_place_share IS NULL) OR abs(h.main_place_share - s.main_place_share) > 1e-12
			OR (h.visit_gap_ratio IS NULL) <> (s.visit_gap_ratio IS NULL) OR abs(h.visit_gap_ratio - s.visit_gap_ratio) > 1e-12 * h.visit_gap_ratio
			OR (h.margin_share IS NULL) <> (s.margin_share IS NULL) OR abs(h.margin_share - s.margin_share) > 1e-12$query$, portfolio)
	USING day;
END $$;
SELECT is_empty($$ SELECT * FROM wrong('shop', '2024-12-31') $$, 'as by hand');
SELECT is_empty($$ SELECT c.* FROM shop.customer AS c FULL JOIN shop.customer_at('2024-12-31') AS a USING (customer_id) WHERE c::record *<> a::record $$,
	'what is kept is what is computed for the day');
SELECT is((SELECT count(*) FROM shop.customer), 130::bigint, 'who is named by these sources alone is not a customer');
SELECT ok(count(DISTINCT main_place) >= 4 AND count(*) FILTER (WHERE main_place_share BETWEEN 0.3 AND 0.7) > 10 AND count(*) FILTER (WHERE period_contacts = 0) > 5
	AND count(*) FILTER (WHERE margin_share BETWEEN 0.2 AND 0.8) > 20, 'and there is something to see') FROM shop.customer;

-- as of a day between, with a scorecard of that day
SELECT segment.refresh('shop', '2024-03-15') \g /dev/null
SELECT is_empty($$ SELECT * FROM wrong('shop', '2024-03-15') $$, 'as of another day, as by hand');
SELECT is((SELECT high_margin_categories FROM shop.scorecard ORDER BY scorecard_id DESC LIMIT 1),
	(SELECT array_agg(category ORDER BY category) FROM (SELECT category FROM lines WHERE at <= '2024-03-15' AND amount IS NOT NULL AND category IS NOT NULL
		GROUP BY 1 HAVING sum(margin) > 0.35 * sum(amount)) AS c), 'the categories of high margin are those of the day');

-- ---------- visit types ----------

SELECT segment.refresh('shop', '2024-12-31') \g /dev/null
CREATE FUNCTION types_by_hand(share float8) RETURNS TABLE (customer_id integer, visit_type text) LANGUAGE sql AS $$
	SELECT c.customer_id, CASE
		WHEN c.gap_ratio IS NULL AND c.visit_gap_ratio IS NULL THEN 'prospects'
		WHEN coalesce(c.gap_ratio, 1e9) > 5 AND coalesce(c.visit_gap_ratio, 1e9) > 5 THEN 'lost'
		WHEN c.place_visits >= 3 AND c.main_place_share >= share THEN 'loyal'
		WHEN c.place_visits = 0 AND c.visits >= 3 AND c.gap_cv <= 1 THEN 'loyal'
		ELSE 'flexible' END
	FROM shop.customer AS c $$;
SELECT set_eq('SELECT customer_id, visit_type FROM shop.customer', 'SELECT * FROM types_by_hand(0.8)', 'visit types by places');
SELECT ok((SELECT count(DISTINCT visit_type) = 4 FROM shop.customer), 'of every kind');
SELECT segment.alter_portfolio('shop', contacts => 'SELECT id, at FROM contacts', settings => '{"visit_type_share": 0.5}') \g /dev/null
SELECT set_eq('SELECT customer_id, visit_type FROM shop.customer', 'SELECT * FROM types_by_hand(0.5)', 'visit_type_share decides');
SELECT set_eq('SELECT customer_id, main_place, places, place_visits FROM shop.customer_place',
	'SELECT customer_id, main_place, places, place_visits FROM shop.customer WHERE visit_gap_ratio IS NOT NULL', 'customer_place has who ever came');

-- ---------- changes ----------

SELECT segment.watch('shop', t, 'id') FROM unnest('{orders,visits,contacts,lines,people}'::regclass[]) AS t \g /dev/null
SELECT segment.refresh('shop', '2024-12-31') \g /dev/null
INSERT INTO visits SELECT 7, '2024-12-30', 'shop 8' FROM generate_series(1, 40);
DELETE FROM visits WHERE id = 8;
UPDATE lines SET category = 'e' WHERE id = 9;
INSERT INTO contacts VALUES (10, '2024-12-01', 2), (1000, '2024-12-01', 2);
INSERT INTO orders VALUES (10, '2024-12-02', 5);
CREATE TABLE report AS SELECT * FROM segment.refresh('shop', scorecard => false);
SELECT is((SELECT (mode, customers_read, customers_changed)::text FROM report), '(changes,4,4)', 'changed customers are read by themselves, and counted once');
SELECT is_empty($$ SELECT * FROM wrong('shop', '2024-12-31') WHERE customer <> 9 $$, 'changes, as by hand');
SELECT is((SELECT main_place FROM shop.customer WHERE customer_id = 7), 'shop 8', 'a new main place');
CREATE TABLE changed AS SELECT source, customer_id, value, events::text, margins::text FROM shop.event_history;
SELECT is((SELECT (mode, customers_changed)::text FROM segment.refresh('shop', '2024-12-31', "full" => true)), '(full,0)', 'a full reading finds nothing else');
SELECT set_eq('SELECT source, customer_id, value, events::text, margins::text FROM shop.event_history', 'TABLE changed', 'and leaves the same');
SELECT is_empty($$ SELECT * FROM wrong('shop', '2024-12-31') $$, 'with a new scorecard, as by hand');
INSERT INTO visits VALUES (11, '2024-12-31', 'shop 1');
SELECT is((SELECT (mode, customers_changed)::text FROM segment.refresh('shop', '2024-12-31')), '(changes,1)', 'a visit alone is a change');
SELECT is_empty($$ SELECT * FROM wrong('shop', '2024-12-31') $$, 'that the row shows');
-- a stranger who becomes a customer has had visits before
INSERT INTO people VALUES (999, true);
SELECT segment.refresh('shop', '2024-12-31') \g /dev/null
SELECT is((SELECT (place_visits, main_place)::text FROM shop.customer WHERE customer_id = 999), '(1,"shop 1")', 'events count once the customer is known');
SELECT is_empty($$ SELECT * FROM wrong('shop', '2024-12-31') $$, 'as by hand');

-- ---------- doubtful rows ----------

SELECT results_eq($$ SELECT source, check_name, count FROM shop.data_quality WHERE source IN ('visits', 'contacts', 'lines') AND count <> 0 ORDER BY 1, 2 $$,
	$$ SELECT q.source, q.check_name, q.count::bigint FROM (
		SELECT 'contacts' AS source, 'duplicate' AS check_name, (SELECT sum(n - 1) FROM (SELECT count(*) AS n FROM contacts GROUP BY id, at) AS g) AS count
		UNION ALL SELECT 'contacts', 'unknown_customer', count(*) FROM contacts WHERE id NOT IN (SELECT id FROM people UNION SELECT id FROM orders)
		UNION ALL SELECT 'lines', 'duplicate', (SELECT sum(n - 1) FROM (SELECT count(*) AS n FROM lines WHERE amount IS NOT NULL GROUP BY id, at, amount, category) AS g)
		UNION ALL SELECT 'lines', 'null_amount', 1
		UNION ALL SELECT 'lines', 'null_category', count(*) FROM lines WHERE category IS NULL AND amount IS NOT NULL
		UNION ALL SELECT 'lines', 'null_margin', 1
		UNION ALL SELECT 'visits', 'duplicate', (SELECT sum(n - 1) FROM (SELECT count(*) AS n FROM visits WHERE id IS NOT NULL AND at IS NOT NULL GROUP BY id, at, place) AS g)
		UNION ALL SELECT 'visits', 'future_date', 1
		UNION ALL SELECT 'visits', 'null_customer', 1
		UNION ALL SELECT 'visits', 'null_date', 1
		UNION ALL SELECT 'visits', 'null_place', count(*) FROM visits WHERE place IS NULL
	) AS q WHERE q.count > 0 ORDER BY 1, 2 $$, 'doubtful rows are counted');

-- ---------- other shapes, and none ----------

SELECT throws_ok($$ SELECT segment.alter_portfolio('shop', visits => 'SELECT id, at FROM visits') $$, '22023', 'source "visits" has a wrong number of columns: 2');
SELECT throws_ok($$ SELECT segment.alter_portfolio('shop', contacts => 'SELECT id, channel, at FROM contacts') $$, '42804',
	'column 2 (channel) of source "contacts" must be a date or timestamp, not integer');
SELECT throws_ok($$ SELECT segment.alter_portfolio('shop', lines => 'SELECT id, at, category, margin, amount FROM lines') $$, '42804',
	'column 3 (category) of source "lines" must be a number, not text');
SELECT throws_ok($$ SELECT segment.alter_portfolio('shop', visits => 'SELECT id, at, v FROM visits AS v CROSS JOIN LATERAL (SELECT ROW(1, place) AS v) AS r') $$, '42804',
	'column 3 (v) of source "visits" cannot be the place: record cannot be the type of a column');
SELECT is((SELECT count(*) FROM shop.event_history WHERE source = 'contacts' AND value IS NOT NULL), 0::bigint, 'contacts may have no channel, and count the same');
SELECT segment.alter_portfolio('shop', visits => '', contacts => '', lines => '') \g /dev/null
SELECT is_empty($$ SELECT FROM shop.event_history $$, 'sources that are taken away leave nothing');
SELECT is_empty($$ SELECT FROM shop.customer WHERE num_nonnulls(place_visits, places, main_place, main_place_share, visit_gap_ratio, period_contacts, categories, margin_share) > 0 $$,
	'and no figures');
SELECT ok(position('event_history' in pg_get_functiondef('shop.customer_at'::regproc)) + position('customer_events' in pg_get_functiondef('shop.customer_at'::regproc)) = 0,
	'no row looks for them');
SELECT set_eq('SELECT customer_id, visit_type FROM shop.customer', $$ SELECT customer_id, CASE WHEN orders = 0 THEN 'prospects' WHEN gap_ratio > 5 THEN 'lost'
	WHEN visits >= 3 AND gap_cv <= 1 THEN 'loyal' ELSE 'flexible' END FROM shop.customer $$, 'without places the rhythm decides');
SELECT segment.alter_portfolio('shop', lines => 'SELECT id, at, amount, margin, category FROM lines') \g /dev/null
SELECT ok((SELECT count(margin_share) > 50 AND count(place_visits) = 0 FROM shop.customer), 'each comes by itself');

-- ---------- the first day there is, and the last ----------

SELECT is((SELECT count(*) FROM shop.customer_at('4714-11-24 BC')), 131::bigint, 'the first day');
SELECT lives_ok($$ SELECT count(margin_share) FROM shop.customer_at('5874897-12-31') $$, 'and the last');

SELECT * FROM finish();
ROLLBACK;
