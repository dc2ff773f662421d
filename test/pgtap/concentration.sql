--
-- Concentration: exact references, properties, and the same bits whatever the
-- order of rows, their partition and the number of workers
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
SELECT plan(49);

-- ---------- exact references ----------

CREATE TEMP TABLE concentration_reference
	(dataset text, measure text, parameter text, "values" numeric[], expected float8[]);
\ir ../reference/concentration.sql

CREATE TEMP TABLE measured AS
SELECT dataset, measure, parameter, expected,
	CASE measure
		WHEN 'gini' THEN ARRAY[(SELECT segment.gini(v) FROM unnest("values") v)]
		WHEN 'hhi' THEN ARRAY[(SELECT segment.hhi(v) FROM unnest("values") v)]
		WHEN 'top_share' THEN ARRAY[(SELECT segment.top_share(v, parameter::float8) FROM unnest("values") v)]
		WHEN 'lorenz' THEN (SELECT segment.lorenz(v, parameter::integer) FROM unnest("values") v)
	END AS result
FROM concentration_reference;

-- Two exact numbers rounded once and divided: three roundings of 2^-53.  A
-- fraction times the number of values is rounded once more.
CREATE FUNCTION pg_temp.differing(which text, tolerance float8) RETURNS SETOF text
LANGUAGE sql AS $$
	SELECT format('%s %s(%s): %s instead of %s', dataset, measure, parameter, result, expected)
	FROM measured
	WHERE measure = which
	AND (cardinality(result) IS DISTINCT FROM cardinality(expected)
		OR EXISTS (SELECT FROM unnest(result, expected) AS u(r, e)
			WHERE abs(r - e) <= tolerance * abs(e) IS NOT TRUE))
$$;

SELECT cmp_ok(count(*), '=', 378::bigint, 'all reference rows are there') FROM measured;
SELECT is_empty($$ SELECT pg_temp.differing('gini', 3.4e-16) $$, 'gini equals the exact value');
SELECT is_empty($$ SELECT pg_temp.differing('hhi', 3.4e-16) $$, 'hhi equals the exact value');
SELECT is_empty($$ SELECT pg_temp.differing('lorenz', 3.4e-16) $$, 'lorenz equals the exact value');
SELECT is_empty($$ SELECT pg_temp.differing('top_share', 1e-15) $$, 'top_share equals the exact value');

-- ---------- known results ----------

-- the numbers 1 to N: (N - 1) / (3 N)
SELECT is_empty($$
	SELECT n, g FROM generate_series(1, 300) n,
		LATERAL (SELECT segment.gini(i) AS g FROM generate_series(1, n) i) AS s
	WHERE abs(g - (n - 1) / (3.0::float8 * n)) > 1e-15 $$,
	'gini of 1..N is (N - 1)/(3 N)');
SELECT is_empty($$
	SELECT n, g, h, t FROM generate_series(1, 300) n,
		LATERAL (SELECT segment.gini(v) AS g, segment.hhi(v) AS h, segment.top_share(v, 1.0 / n) AS t
			FROM (SELECT CASE i WHEN 1 THEN 0.07 ELSE 0 END AS v FROM generate_series(1, n) i) AS w) AS s
	WHERE abs(g - (n - 1) / n::float8) > 3e-16 OR h <> 1 OR abs(t - 1) > 3e-16 $$,
	'one of N has all: gini (N - 1)/N, hhi 1, and the top 1/N has it');
SELECT is_empty($$
	SELECT n, g, h FROM generate_series(1, 300) n,
		LATERAL (SELECT segment.gini(v) AS g, segment.hhi(v) AS h, segment.lorenz(v, n) AS l,
				segment.top_share(v, 0.37) AS t
			FROM (SELECT 0.1 AS v FROM generate_series(1, n)) AS w) AS s
	WHERE g <> 0 OR abs(h * n - 1) > 4e-16 OR abs(t - 0.37) > 4e-16
	OR EXISTS (SELECT FROM unnest(l) WITH ORDINALITY AS u(y, i) WHERE abs(y - i / n::float8) > 4e-16 * y) $$,
	'all equal: gini 0, hhi 1/N, the Lorenz curve is the diagonal');

-- 1,000 customers: the top 1 % are 10
SELECT is((SELECT segment.top_share(i, 0.01) FROM generate_series(1, 1000) i),
	(SELECT (sum(i) FILTER (WHERE i > 990))::float8 / sum(i)::float8 FROM generate_series(1, 1000) i),
	'the top 1 % of 1,000 are 10');

-- Coffee: households 16/16/15/52 %, sales 83/14/3/0 %; cola: 8/8/8/76 % and
-- 84/13/3/0 %.  Buyers in thirds, from the heaviest down, and those who buy none.
CREATE TEMP TABLE households AS
SELECT 'coffee' AS product, CASE i WHEN 1 THEN 5.75 ELSE 5.15 END AS spend FROM generate_series(1, 16) i
UNION ALL SELECT 'coffee', CASE WHEN i <= 8 THEN 0.75 ELSE 1 END FROM generate_series(1, 16) i
UNION ALL SELECT 'coffee', 0.2 FROM generate_series(1, 15)
UNION ALL SELECT 'coffee', 0 FROM generate_series(1, 51)
UNION ALL SELECT 'cola', 10.5 FROM generate_series(1, 8)
UNION ALL SELECT 'cola', 1.625 FROM generate_series(1, 8)
UNION ALL SELECT 'cola', 0.375 FROM generate_series(1, 8)
UNION ALL SELECT 'cola', 0 FROM generate_series(1, 76);
SELECT results_eq($$
	WITH buyers AS (
		SELECT product, segment.quantile_cuts(-spend, 3) AS cuts
		FROM households WHERE spend > 0 GROUP BY product),
	classed AS (
		SELECT product, spend, CASE WHEN spend > 0 THEN segment.score(-spend, cuts) ELSE 4 END AS class
		FROM households JOIN buyers USING (product))
	SELECT product, class,
		round(100 * count(*) / sum(count(*)) OVER w),
		round(100 * sum(spend) / sum(sum(spend)) OVER w)
	FROM classed GROUP BY product, class
	WINDOW w AS (PARTITION BY product)
	ORDER BY product, class $$,
	$$ VALUES ('coffee', 1, 16.0, 83.0), ('coffee', 2, 16, 14), ('coffee', 3, 15, 3), ('coffee', 4, 52, 0),
		('cola', 1, 8, 84), ('cola', 2, 8, 13), ('cola', 3, 8, 3), ('cola', 4, 76, 0) $$,
	'heavy, medium, light and no coffee and cola, as published');
SELECT results_eq($$
	SELECT product, round(segment.top_share(spend, heavy)::numeric, 12),
		round(segment.top_share(spend, medium)::numeric, 12),
		round(segment.top_share(spend, light)::numeric, 12)
	FROM (SELECT *, CASE product WHEN 'coffee' THEN 16 / 98.0 ELSE 0.08 END AS heavy,
			CASE product WHEN 'coffee' THEN 32 / 98.0 ELSE 0.16 END AS medium,
			CASE product WHEN 'coffee' THEN 47 / 98.0 ELSE 0.24 END AS light FROM households) AS h
	GROUP BY product ORDER BY product $$,
	$$ VALUES ('coffee', 0.83, 0.97, 1.0), ('cola', 0.84, 0.97, 1.0) $$,
	'the same shares from top_share');

-- ---------- properties ----------

SELECT setseed(0.42);
CREATE TABLE customers AS
SELECT i AS id, i % 7 AS region, i % 5 AS part,
	CASE WHEN i % 11 = 0 THEN NULL
		WHEN i % 1000 = 1 THEN (1e11 * random())::numeric(36, 9)
		ELSE (exp(9 * random()) - 20)::numeric(12, 2) END AS value
FROM generate_series(1, 20000) i;
UPDATE customers SET value = NULL WHERE region = 3 AND part <> 2;
UPDATE customers SET value = NULL WHERE region = 5;
CREATE TABLE gains AS
SELECT id, value FROM customers WHERE value >= 0 AND value < 1e7;
ANALYZE customers, gains;

SELECT is((SELECT segment.gini(value * 8192) FROM gains), (SELECT segment.gini(value) FROM gains),
	'gini does not change with the unit');
SELECT is((SELECT segment.hhi(value * 8192) FROM gains), (SELECT segment.hhi(value) FROM gains),
	'hhi does not change with the unit');
SELECT is((SELECT segment.lorenz(value * 8192, 17) FROM gains), (SELECT segment.lorenz(value, 17) FROM gains),
	'lorenz does not change with the unit');
SELECT is((SELECT segment.top_share(value * 8192, 0.3) FROM gains), (SELECT segment.top_share(value, 0.3) FROM gains),
	'top_share does not change with the unit');
SELECT ok(abs(a.g - b.g) < 1e-15 AND abs(a.t - b.t) < 1e-15 AND abs(3 * a.h - b.h) < 1e-15
		AND NOT EXISTS (SELECT FROM unnest(a.l, b.l) AS u(x, y) WHERE abs(x - y) > 1e-15),
	'each customer three times: the same gini, top share and Lorenz curve, a third of the hhi')
FROM (SELECT segment.gini(value) AS g, segment.top_share(value, 0.123) AS t, segment.hhi(value) AS h,
		segment.lorenz(value, 23) AS l FROM gains, generate_series(1, 3)) AS a,
	(SELECT segment.gini(value) AS g, segment.top_share(value, 0.123) AS t, segment.hhi(value) AS h,
		segment.lorenz(value, 23) AS l FROM gains) AS b;
SELECT ok(abs(h - (SELECT sum((value / (SELECT sum(value) FROM gains)) ^ 2) FROM gains)::float8) < 1e-15,
	'hhi is the sum of the squared shares')
FROM (SELECT segment.hhi(value) AS h FROM gains) AS s;
SELECT is_empty($$
	SELECT p, share FROM (
		SELECT p, share, lag(share) OVER (ORDER BY p) AS before
		FROM (SELECT p / 1000.0::float8 AS p,
				(SELECT segment.top_share(value, p / 1000.0) FROM gains WHERE id <= 777) AS share
			FROM generate_series(0, 1000) p) AS s) AS t
	WHERE share < before OR share < p OR share > 1 $$,
	'top_share grows with the fraction, and lies between the fraction and 1');
SELECT is_empty($$
	SELECT p FROM generate_series(0, 1000) p, LATERAL (
		SELECT segment.top_share(value, p / 1000.0) AS top, segment.lorenz(value, 1000) AS l
		FROM gains WHERE id <= 777) AS s
	WHERE abs(top + CASE p WHEN 1000 THEN 0 ELSE l[1000 - p] END - 1) > 1e-14 $$,
	'top_share(p) and the Lorenz curve at 1 - p add up to 1');
SELECT is_empty($$
	WITH curve AS (
		SELECT i, y, lag(y, 1, 0) OVER w AS y1, lead(y) OVER w AS y2
		FROM (SELECT segment.lorenz(value, 997) AS l FROM customers) AS s,
			unnest(l) WITH ORDINALITY AS u(y, i)
		WINDOW w AS (ORDER BY i))
	SELECT * FROM curve WHERE y - y1 > y2 - y + 1e-15 $$,
	'the Lorenz curve is convex, also with negative values');
SELECT is((SELECT (segment.lorenz(value, 997))[997] FROM customers), 1::float8,
	'the last point of the Lorenz curve is 1');
-- with a point for each of the N values: gini = 1 + 1/N - 2/N * sum of the curve
SELECT ok(abs(g - (1 + 1.0 / n - 2.0 / n * (SELECT sum(y) FROM unnest(l) y))) < 1e-12,
	'gini is twice the area between the Lorenz curve and the diagonal')
FROM (SELECT segment.gini(value) AS g, segment.lorenz(value, 500) AS l, 500::float8 AS n
	FROM (SELECT value FROM gains ORDER BY id LIMIT 500) AS s) AS t;

-- ---------- the same bits on every path ----------

CREATE FUNCTION pg_temp.measures(relation regclass, condition text DEFAULT 'true') RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	EXECUTE format('SELECT concat_ws('' '', segment.gini(value), segment.hhi(value),
		segment.top_share(value, 0.17), segment.lorenz(value, 13), segment_internal.top_sums(value, 13)) FROM %s WHERE %s', relation, condition)
	INTO result;
	RETURN result;
END
$$;
CREATE FUNCTION pg_temp.measures_by_region(relation regclass) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	EXECUTE format('SELECT string_agg(m, E''\n'' ORDER BY region) FROM (
		SELECT region, format(''%%s %%s %%s %%s %%s %%s'', region, segment.gini(value), segment.hhi(value),
		segment.top_share(value, 0.17), segment.lorenz(value, 13), segment_internal.top_sums(value, 13)) AS m FROM %s GROUP BY region) AS s', relation)
	INTO result;
	RETURN result;
END
$$;
\set failure_form message
\ir ../helpers.sql

SET LOCAL max_parallel_workers_per_gather = 0;
CREATE TEMP TABLE serial AS
SELECT pg_temp.measures('customers') AS total, pg_temp.measures_by_region('customers') AS regions;
SELECT isnt(total, NULL, 'there is something to compare') FROM serial;
SELECT is((SELECT segment_internal.top_sums(value, n)::text FROM customers),
	(SELECT array_agg(s.sum ORDER BY i)::text FROM generate_series(1, n) AS i CROSS JOIN LATERAL (
		SELECT sum(c.value) FROM (SELECT value FROM customers WHERE value IS NOT NULL ORDER BY value DESC
			LIMIT ceil((SELECT count(value) FROM customers) * i / n::numeric)) AS c) AS s(sum)),
	format('the sums of the %s-ths from the top', n))
FROM unnest('{1,7,100}'::integer[]) AS n;
SELECT is((SELECT segment_internal.top_sums(v, 4)::text FROM unnest('{-3,1.50,-0.25,NULL,7}'::numeric[]) AS v), '{7.00,8.50,8.25,5.25}',
	'negative values count as they are, with the most decimals there are');
SELECT is((SELECT segment_internal.top_sums(v, 3)::text FROM unnest('{0,-2}'::numeric[]) AS v), '{0,-2,-2}', 'fewer values than parts');

CREATE TABLE shuffled AS SELECT * FROM customers ORDER BY random();
SELECT is(pg_temp.measures('shuffled'), total, 'the order of rows does not matter') FROM serial;
CREATE TABLE ascending AS SELECT * FROM customers ORDER BY value;
SELECT is(pg_temp.measures('ascending'), total, 'nor do ascending rows') FROM serial;

-- partitions: one without rows, one with NULLs only, wide values in some only
CREATE TABLE partitioned (LIKE customers) PARTITION BY LIST (part);
CREATE TABLE partition_0 PARTITION OF partitioned FOR VALUES IN (0);
CREATE TABLE partition_1 PARTITION OF partitioned FOR VALUES IN (1);
CREATE TABLE partition_2 PARTITION OF partitioned FOR VALUES IN (2);
CREATE TABLE partition_3 PARTITION OF partitioned FOR VALUES IN (3);
CREATE TABLE partition_4 PARTITION OF partitioned FOR VALUES IN (4);
CREATE TABLE partition_none PARTITION OF partitioned FOR VALUES IN (5);
CREATE TABLE partition_null PARTITION OF partitioned FOR VALUES IN (6);
INSERT INTO partitioned SELECT * FROM customers;
INSERT INTO partitioned SELECT -i, i % 7, 6, NULL FROM generate_series(1, 100) i;
ANALYZE partitioned;
SET LOCAL enable_partitionwise_aggregate = on;
SELECT ok(pg_temp.plan_has('SELECT region, segment.gini(value) FROM partitioned GROUP BY region', 'Partial'),
	'partitions are aggregated one by one');
SELECT is(pg_temp.measures('partitioned'), total, 'partial results combine to the same bits') FROM serial;
SELECT is(pg_temp.measures_by_region('partitioned'), regions, 'also by group, where groups are missing in partitions')
FROM serial;
SET LOCAL enable_partitionwise_aggregate = off;

-- workers
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
SET LOCAL max_parallel_workers_per_gather = 4;
SELECT ok(pg_temp.plan_has('SELECT segment.' || call || ' FROM customers', 'Partial Aggregate'),
	call || ' can run in parallel')
FROM unnest('{gini(value),hhi(value),"top_share(value, 0.1)","lorenz(value, 3)"}'::text[]) call;
SELECT ok(pg_temp.plan_has('SELECT segment_internal.top_sums(value, 3) FROM customers', 'Partial Aggregate'), 'and so can top_sums');
SELECT is(pg_temp.measures('customers'), total, 'parallel workers give the same bits') FROM serial;
SELECT is(pg_temp.measures_by_region('customers'), regions, 'also by group') FROM serial;
SET LOCAL parallel_leader_participation = off;
SELECT is(pg_temp.measures('shuffled'), total, 'and without the leader') FROM serial;
SET LOCAL max_parallel_workers_per_gather = 1;
SELECT is(pg_temp.measures('shuffled'), total, 'and with one worker') FROM serial;
SELECT set_config(name, CASE name WHEN 'force_parallel_mode' THEN 'regress' ELSE 'on' END, true) IS NULL
FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query') \g /dev/null
SELECT is(pg_temp.measures('shuffled'), total, 'and with parallel mode forced') FROM serial;
SELECT is(pg_temp.measures('shuffled', 'false'), '', 'no rows in any worker');
SELECT set_config(name, 'off', true) IS NULL
FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query') \g /dev/null
SET LOCAL max_parallel_workers_per_gather = 0;

-- ---------- window frames: the state outlives its result ----------

CREATE FUNCTION pg_temp.frame_errors(frame text, low text, high text) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
	result bigint;
BEGIN
	EXECUTE format($q$
		WITH framed AS (
			SELECT id, segment.gini(value) OVER w AS g, segment.hhi(value) OVER w AS h,
				segment.top_share(value, 0.17) OVER w AS t, segment.lorenz(value, 5) OVER w AS l,
				segment_internal.top_sums(value, 5) OVER w AS s
			FROM customers WHERE id <= 400
			WINDOW w AS (ORDER BY id ROWS BETWEEN %s))
		SELECT count(*) FROM framed f, LATERAL (
			SELECT segment.gini(value) AS g, segment.hhi(value) AS h,
				segment.top_share(value, 0.17) AS t, segment.lorenz(value, 5) AS l,
				segment_internal.top_sums(value, 5) AS s
			FROM customers c WHERE c.id BETWEEN %s AND %s AND c.id <= 400) AS s
		WHERE (f.g, f.h, f.t, f.l, f.s) IS DISTINCT FROM (s.g, s.h, s.t, s.l, s.s)
		$q$, frame, low, high)
	INTO result;
	RETURN result;
END
$$;
SELECT is(pg_temp.frame_errors('UNBOUNDED PRECEDING AND CURRENT ROW', '1', 'f.id'), 0::bigint, 'growing frames');
SELECT is(pg_temp.frame_errors('20 PRECEDING AND 10 FOLLOWING', 'f.id - 20', 'f.id + 10'), 0::bigint, 'sliding frames');
SELECT is(pg_temp.frame_errors('CURRENT ROW AND CURRENT ROW', 'f.id', 'f.id'), 0::bigint, 'frames of one row');

-- ---------- catalog ----------

SELECT is_empty($$
	SELECT p.oid::regprocedure FROM pg_proc p
	WHERE p.pronamespace = 'segment'::regnamespace
	AND p.proname ~ '^(gini|hhi|top_share|lorenz|concentration)'
	AND (p.proparallel <> 's' OR p.provolatile <> 'i' OR obj_description(p.oid, 'pg_proc') IS NULL) $$,
	'every function is immutable, parallel safe and commented');
SELECT is_empty($$
	SELECT a.aggfnoid FROM pg_aggregate a JOIN pg_proc p ON p.oid = a.aggfnoid
	WHERE p.pronamespace = 'segment'::regnamespace
	AND p.proname IN ('gini', 'hhi', 'top_share', 'lorenz')
	AND (a.aggcombinefn = 0 OR a.aggserialfn = 0 OR a.aggdeserialfn = 0 OR a.aggtransspace = 0
		OR a.aggfinalmodify <> 'r') $$,
	'every aggregate combines, serialises and leaves its state alone');

SELECT * FROM finish();
ROLLBACK;
