--
-- How good a scheme is: variances by their definition, and the adjusted Rand index
-- from all pairs of customers
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
SET client_min_messages = error;
SELECT plan(13);

CREATE TABLE sale AS
SELECT n AS id, date '2023-01-05' + (n * 7 + i * (11 + n % 29)) AS at, (5 + (n * 13 + i * 7) % 90)::numeric + 0.25 AS amount
FROM generate_series(1, 120) AS n, generate_series(0, 30) AS i WHERE n * 7 + i * (11 + n % 29) < 1000 AND i < 2 + n % 11;
SELECT segment.create_portfolio('shop', 'SELECT id, at, amount FROM sale', costs => 'SELECT id, at, round(amount / 3, 2) FROM sale WHERE id % 4 = 0',
	customers => 'SELECT generate_series(1, 130)', timezone => 'UTC', settings => '{"purchase_model": "none", "spend_model": "none", "lost_after_days": 90, "margin": 0.5}') IS NOT NULL AS made \gset
SELECT segment.create_scheme('shop', 'everybody', '[{"class": "all"}]') IS NOT NULL AS made \gset

SELECT is((SELECT count(*) FROM shop.scheme_quality), (SELECT count(*) FROM shop.scheme), 'one row per scheme');
CREATE TEMP TABLE expected AS
SELECT scheme, count(DISTINCT class) AS classes, count(*) AS customers, max(n) / count(*)::float8 AS largest, var_pop(v) AS variance,
	avg((v - m) ^ 2) AS within, avg((m - a) ^ 2) AS between
FROM (SELECT scheme, class, net_value AS v, avg(net_value) OVER (PARTITION BY scheme, class) AS m, avg(net_value) OVER (PARTITION BY scheme) AS a,
	count(*) OVER (PARTITION BY scheme, class) AS n FROM shop.customer_class JOIN shop.customer USING (customer_id)) AS c GROUP BY scheme;
SELECT is_empty($$ SELECT q.*, e.* FROM shop.scheme_quality AS q FULL JOIN expected AS e USING (scheme)
	WHERE (q.classes, q.customers, q.largest_share) IS DISTINCT FROM (e.classes, e.customers, e.largest)
		OR NOT (abs(q.variance - e.variance) <= 1e-9 * e.variance AND abs(q.within - e.within) <= 1e-9 * e.variance AND abs(q.between - e.between) <= 1e-9 * e.variance
			AND abs(q.explained - e.between / e.variance) <= 1e-9) $$, 'variances are those of the definition');
SELECT is_empty('SELECT scheme FROM shop.scheme_quality WHERE abs(variance - within - between) > 1e-9 * variance', 'and add up');
SELECT is(explained, 0::float8, 'one class explains nothing') FROM shop.scheme_quality WHERE scheme = 'everybody';
SELECT cmp_ok(explained, '>', 0.4::float8, 'classes by value explain much') FROM shop.scheme_quality WHERE scheme = 'abcd';
SELECT is_empty('SELECT scheme FROM shop.scheme_quality WHERE num_nonnulls(from_day, to_day, compared, stayed_share, adjusted_rand) > 0', 'without snapshots there is nothing to compare');

SELECT segment.take_snapshot('shop', '2024-03-31') IS NOT NULL AND segment.take_snapshot('shop', '2024-06-30') IS NOT NULL AS made \gset
SELECT segment.create_scheme('shop', 'new', '[{"class": "big", "rule": "net > 100"}, {"class": "small"}]') IS NOT NULL AS made \gset
SELECT segment.take_snapshot('shop', '2024-08-31') IS NOT NULL AS made \gset
-- from all pairs: together in both, in the first, in the second, in none
CREATE TEMP TABLE pair AS
SELECT scheme, count(*) FILTER (WHERE f AND t)::numeric AS a, count(*) FILTER (WHERE f AND NOT t)::numeric AS b,
	count(*) FILTER (WHERE NOT f AND t)::numeric AS c, count(*) FILTER (WHERE NOT f AND NOT t)::numeric AS d
FROM (
	SELECT x.scheme, x.class = y.class AS f, v.class = w.class AS t
	FROM shop.snapshot_class AS x
	JOIN shop.snapshot_class AS y ON y.as_of = x.as_of AND y.scheme = x.scheme AND y.customer_id > x.customer_id
	JOIN shop.snapshot_class AS v ON v.as_of = '2024-08-31' AND v.scheme = x.scheme AND v.customer_id = x.customer_id
	JOIN shop.snapshot_class AS w ON w.as_of = '2024-08-31' AND w.scheme = x.scheme AND w.customer_id = y.customer_id
	WHERE x.as_of = '2024-06-30') AS p GROUP BY scheme;
SELECT is_empty($$ SELECT q.scheme, q.adjusted_rand, p.* FROM shop.scheme_quality AS q JOIN pair AS p USING (scheme)
	WHERE q.scheme <> 'everybody' AND NOT abs(q.adjusted_rand - 2 * (a * d - b * c) / ((a + b) * (b + d) + (a + c) * (c + d))) < 1e-12 $$,
	'the adjusted Rand index is that of all pairs of customers');
SELECT cmp_ok((SELECT count(DISTINCT round(adjusted_rand::numeric, 3)) FROM shop.scheme_quality), '>', 4::bigint, 'which differ');
SELECT results_eq('SELECT scheme, from_day, to_day, compared, stayed_share FROM shop.scheme_quality WHERE scheme <> ''new'' ORDER BY 1', $$
	SELECT scheme, date '2024-06-30', date '2024-08-31', count(*), avg((a.class = b.class)::integer)::float8
	FROM shop.snapshot_class AS a JOIN shop.snapshot_class AS b USING (customer_id, scheme) WHERE a.as_of = '2024-06-30' AND b.as_of = '2024-08-31'
	GROUP BY 1 ORDER BY 1 $$, 'over those who are in both');
SELECT is(adjusted_rand, 1::float8, 'one class does not change') FROM shop.scheme_quality WHERE scheme = 'everybody';
SELECT results_eq('SELECT from_day, adjusted_rand FROM shop.scheme_quality WHERE scheme = ''new''', 'VALUES (NULL::date, NULL::float8)', 'a scheme that is in one snapshot has none');
-- scikit-learn's documentation: adjusted_rand_score([0, 0, 1, 2], [0, 0, 1, 1]) is 0.57...
DELETE FROM shop.snapshot_customer WHERE customer_id > 4;
UPDATE shop.snapshot_customer SET classes = jsonb_build_object('abc', CASE as_of WHEN '2024-06-30' THEN (ARRAY['0', '0', '1', '2'])[customer_id] ELSE (ARRAY['0', '0', '1', '1'])[customer_id] END);
SELECT is(round(adjusted_rand::numeric, 4), 0.5714, 'as scikit-learn has it') FROM shop.scheme_quality WHERE scheme = 'abc';
-- all equal: nothing to explain
SELECT segment.alter_portfolio('shop', purchases => 'SELECT 1, date ''2024-01-01'', 5', costs => '', customers => '') IS NOT NULL AS made \gset
SELECT is_empty('SELECT scheme FROM shop.scheme_quality WHERE (variance, explained) IS DISTINCT FROM (0::float8, NULL::float8)', 'one customer');

SELECT * FROM finish();
ROLLBACK;
