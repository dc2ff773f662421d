--
-- People who are not customers yet: near, refusing or unexplored, and who became customers
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

SELECT setseed(0.625) \g /dev/null
CREATE TABLE people AS SELECT n AS id, CASE WHEN random() < 0.7 THEN floor(random() * 100)::integer END AS staff,
	CASE WHEN random() < 0.8 THEN (ARRAY['trade', 'crafts', 'office'])[1 + floor(random() * 3)::integer] END AS industry, random() < 0.5 AS local
FROM generate_series(1, 120) AS n;
CREATE TABLE orders AS SELECT n % 30 AS id, date '2024-01-01' + n AS at, 5 + n AS amount FROM generate_series(1, 90) AS n WHERE n % 30 > 0;
INSERT INTO orders VALUES (50, '2024-02-02', -3);
SELECT segment.create_portfolio('shop', 'SELECT * FROM orders', customers => 'SELECT * FROM people', timezone => 'UTC',
	settings => '{"purchase_model": "none", "spend_model": "none"}') \g /dev/null
SELECT segment.define_traits('shop', '[{"trait": "size", "rule": "staff > 20 -- people", "label": "more than 20 people", "label_zh": "20人以上"},
	{"trait": "industry", "rule": "industry IN (''trade'', ''crafts'')"}]') \g /dev/null

CREATE TABLE by_hand AS
SELECT p.id, CASE WHEN p.id < 30 OR p.id = 50 THEN 'customer'
	WHEN p.staff > 20 AND p.industry <> 'office' THEN 'near'
	WHEN p.staff <= 20 OR p.industry = 'office' THEN 'refusing'
	ELSE 'unexplored' END AS class
FROM people AS p;
SELECT set_eq('SELECT customer_id, non_customer FROM shop.customer', 'SELECT * FROM by_hand', 'the classes as by hand');
SELECT ok((SELECT count(DISTINCT class) = 4 FROM by_hand) AND (SELECT count(*) > 10 FROM by_hand WHERE class = 'near'), 'of each there are some');
SELECT is_empty($$ SELECT class, verdict FROM segment.scheme_check('shop', 'non_customer') WHERE verdict <> 'ok' $$, 'the scheme is proved');
SELECT results_eq('SELECT trait, ordinal, label, label_zh FROM shop.target_trait ORDER BY ordinal',
	$$ VALUES ('size', 1, 'more than 20 people', '20人以上'), ('industry', 2, 'industry', NULL) $$, 'traits are rows');
SELECT results_eq($$ SELECT class, label_zh FROM shop.class WHERE scheme = 'non_customer' ORDER BY class_rank $$,
	$$ VALUES ('near', '准非客户'), ('refusing', '拒绝型非客户'), ('unexplored', '从未探知的客户'), ('customer', '客户') $$, 'in both languages');

-- ---------- who became a customer ----------

SELECT is_empty('SELECT FROM shop.conversion', 'nobody yet');
SELECT segment.take_snapshot('shop') \g /dev/null
INSERT INTO orders SELECT n, date '2024-04-02' + n, 7 FROM generate_series(31, 80, 3) AS n;
INSERT INTO orders SELECT n, date '2024-06-02' + n, 7 FROM generate_series(31, 100, 3) AS n;
SELECT segment.refresh('shop') \g /dev/null
SELECT set_eq('SELECT as_of, class, month, prospects, converted, converted_so_far, round(conversion_rate::numeric, 9) AS rate, round(mean_days::numeric, 6) AS days FROM shop.conversion', $$
	WITH first AS (SELECT h.class, h.id, min(o.at) AS at FROM by_hand AS h JOIN orders AS o USING (id) WHERE h.class <> 'customer' GROUP BY 1, 2),
	cell AS (SELECT class, date_trunc('month', at)::date AS month, count(*) AS converted, avg(at - date '2024-03-30') AS days FROM first GROUP BY 1, 2)
	SELECT date '2024-03-30', c.class, c.month, (SELECT count(*) FROM by_hand AS h WHERE h.class = c.class) AS prospects, c.converted,
		(SELECT count(*) FROM first AS f WHERE f.class = c.class AND f.at < c.month + interval '1 month') AS so_far,
		round((SELECT count(*) FROM first AS f WHERE f.class = c.class AND f.at < c.month + interval '1 month')::numeric
			/ (SELECT count(*) FROM by_hand AS h WHERE h.class = c.class), 9) AS rate, round(c.days, 6) AS days
	FROM cell AS c $$, 'conversion as by hand, by the class at the snapshot');
SELECT ok((SELECT count(DISTINCT class) = 3 AND count(DISTINCT month) > 3 FROM shop.conversion), 'and of every class');

-- ---------- other traits, and wrong ones ----------

SELECT segment.define_traits('shop', '[{"trait": "here", "rule": "local"}]') \g /dev/null
SELECT set_eq($$ SELECT customer_id FROM shop.customer WHERE non_customer = 'near' $$,
	'SELECT id FROM people WHERE local AND id NOT IN (SELECT id FROM orders)', 'other traits take the place of the first');
SELECT throws_ok(format('SELECT segment.define_traits(%L, %L)', 'shop', wrong), '22023', NULL, wrong)
FROM unnest('{"[]","{}","[{\"trait\": \"a\"}]","[1]"}'::text[]) AS wrong;
SELECT throws_ok($$ SELECT segment.define_traits('shop', '[{"trait": "a", "rule": "local"}, {"trait": "a", "rule": "true"}]') $$, '23505', NULL, 'a trait named twice');
SELECT throws_ok($$ SELECT segment.define_traits('shop', '[{"trait": "a", "rule": "height > 2"}]') $$, '42703', NULL, 'an attribute that is not there');
SELECT results_eq('SELECT trait FROM shop.target_trait', $$ VALUES ('here') $$, 'errors leave the traits as they were');

SELECT * FROM finish();
ROLLBACK;
