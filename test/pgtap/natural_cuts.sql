--
-- Natural groups: no other division has a smaller sum of squares, found by trying
-- all; and the same bits whatever the order of rows and the number of workers
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
SELECT plan(14);

-- ---------- every division of few values ----------

-- money, whole numbers with ties, a wide range, values far from zero, one value
SELECT setseed(0.3);
CREATE TEMP TABLE drawn AS
SELECT kind, draw, v::float8 AS v
FROM generate_series(1, 40) AS draw, LATERAL (
	SELECT 'money' AS kind, round((1000 * random() - 300)::numeric, 2) AS v FROM generate_series(1, 1 + draw % 10)
	UNION ALL SELECT 'ties', floor(6 * random())::numeric FROM generate_series(1, 1 + draw % 13)
	UNION ALL SELECT 'wide', round(exp(25 * random() - 10)::numeric, 6) FROM generate_series(1, 1 + draw % 10)
	UNION ALL SELECT 'far', 1e12 + round((100 * random())::numeric, 2) FROM generate_series(1, 1 + draw % 9)
	UNION ALL SELECT 'equal', 12.5 FROM generate_series(1, draw)) AS s;
CREATE TEMP TABLE divided AS
SELECT kind, draw, n, array_agg(v ORDER BY v) AS sorted, segment.natural_cuts(v, n ORDER BY random()) AS cuts,
	count(DISTINCT v) AS different
FROM drawn, generate_series(1, 5) AS n GROUP BY kind, draw, n;

-- the sum of squares of groups by their cut points, exactly
CREATE FUNCTION pg_temp.squares(sorted float8[], cuts float8[]) RETURNS numeric LANGUAGE sql AS $$
	SELECT sum(g.squares) FROM (
		SELECT sum(v::text::numeric * v::text::numeric) - sum(v::text::numeric) * sum(v::text::numeric) / count(*)::numeric(40, 30) AS squares
		FROM unnest(sorted) AS v GROUP BY segment.score(v, cuts)) AS g $$;
CREATE TEMP TABLE every AS
SELECT d.kind, d.draw, d.n, min(pg_temp.squares(d.sorted, s.cuts)) AS least
FROM divided AS d
CROSS JOIN LATERAL (
	SELECT ARRAY(SELECT c FROM unnest(ARRAY[a, b, c, e]) AS c WHERE c IS NOT NULL) AS cuts
	FROM (SELECT array_agg(DISTINCT v) AS u FROM unnest(d.sorted) AS v) AS u,
		LATERAL (SELECT x AS a FROM unnest(u.u) AS x WHERE d.n > 1 UNION ALL SELECT NULL WHERE d.n = 1) AS a,
		LATERAL (SELECT x AS b FROM unnest(u.u) AS x WHERE d.n > 2 AND x >= a UNION ALL SELECT NULL WHERE d.n <= 2) AS b,
		LATERAL (SELECT x AS c FROM unnest(u.u) AS x WHERE d.n > 3 AND x >= b UNION ALL SELECT NULL WHERE d.n <= 3) AS c,
		LATERAL (SELECT x AS e FROM unnest(u.u) AS x WHERE d.n > 4 AND x >= c UNION ALL SELECT NULL WHERE d.n <= 4) AS e
	) AS s
WHERE d.draw <= 20 OR d.n <= 3
GROUP BY d.kind, d.draw, d.n;
SELECT ok(count(*) > 600, 'there are enough of them') FROM every;
SELECT is_empty($$
	SELECT kind, draw, n, cuts, pg_temp.squares(sorted, cuts), least FROM divided JOIN every USING (kind, draw, n)
	WHERE pg_temp.squares(sorted, cuts) > least + 1e-25 * pg_temp.squares(sorted, '{}') $$, 'no division of the values is better');
SELECT is_empty($$
	SELECT kind, draw, n, cuts FROM divided, generate_subscripts(cuts, 1) AS i
	WHERE cuts[i] <> ALL (sorted) OR cuts[i] < cuts[i - 1] OR (different >= n AND cuts[i] = cuts[i - 1]) OR cardinality(cuts) <> n - 1 $$,
	'n - 1 cut points in ascending order, each one of the values');
SELECT is_empty($$
	SELECT kind, draw, n FROM divided WHERE different <= n AND pg_temp.squares(sorted, cuts) <> 0 $$, 'different values, no more than groups: each has its own');

-- ---------- larger examples ----------

SELECT is(segment.natural_cuts(v, 4), '{5,20,40}', 'groups that everybody sees')
FROM unnest('{4,5,4.5,3,5,18,20,19,39,40,38,38,100,101}'::float8[]) AS v;
-- against the plain dynamic program, of all pairs of groups
CREATE TEMP TABLE many AS SELECT round((exp(3 * random()) * 10)::numeric, 1)::float8 AS v FROM generate_series(1, 400);
WITH RECURSIVE u AS MATERIALIZED (
	SELECT row_number() OVER (ORDER BY v) AS i, sum(n) OVER w AS n, sum(n * v) OVER w AS s, sum(n * v * v) OVER w AS q
	FROM (SELECT v::numeric AS v, count(*) AS n FROM many GROUP BY v) AS g WINDOW w AS (ORDER BY v)
), pair AS MATERIALIZED (
	SELECT coalesce(a.i, 0) AS a, b.i AS b, b.q - coalesce(a.q, 0) - (b.s - coalesce(a.s, 0)) ^ 2 / (b.n - coalesce(a.n, 0)) AS squares
	FROM u AS b LEFT JOIN LATERAL (SELECT a.* FROM u AS a WHERE a.i < b.i UNION ALL SELECT 0, 0, 0, 0) AS a ON true
), two AS MATERIALIZED (SELECT b.b, min(a.squares + b.squares) AS squares FROM pair AS a JOIN pair AS b ON b.a = a.b WHERE a.a = 0 GROUP BY b.b
), three AS MATERIALIZED (SELECT b.b, min(a.squares + b.squares) AS squares FROM two AS a JOIN pair AS b ON b.a = a.b GROUP BY b.b
), four AS (SELECT b.b, min(a.squares + b.squares) AS squares FROM three AS a JOIN pair AS b ON b.a = a.b GROUP BY b.b)
SELECT ok(abs(pg_temp.squares(m.sorted, m.cuts) - f.squares) < 1e-9, 'as the plain dynamic program, over 400 values')
FROM four AS f, (SELECT array_agg(v) AS sorted, segment.natural_cuts(v, 4) AS cuts FROM many) AS m WHERE f.b = (SELECT max(i) FROM u);
SELECT is(segment.natural_cuts(v, 3), '{-1.7976931348623157e308,5e-324}', 'the ends of the range')
FROM unnest('{1.7976931348623157e308,-1.7976931348623157e308,5e-324,-5e-324,0}'::float8[]) AS v;
SELECT is((SELECT array_agg(c / 1024 ORDER BY c) FROM unnest(segment.natural_cuts(v * 1024, 7)) AS c), segment.natural_cuts(v, 7), 'another unit, the same groups') FROM many;

-- ---------- NULL, errors, order and workers ----------

SELECT is(segment.natural_cuts(v, n), '{1}', 'rows with a NULL are skipped') FROM (VALUES (1, 2), (NULL, 2), (2, NULL), (9, 2)) AS r(v, n);
SELECT is(segment.natural_cuts(NULL, 3), NULL, 'without values NULL');
SELECT throws_ok('SELECT segment.natural_cuts(''NaN'', 3)', '22023', 'value must be a finite number, not "NaN"', 'NaN');
SELECT throws_ok('SELECT segment.natural_cuts(1, 0)', '22023', 'number of groups must be at least 1, not "0"', 'no groups');
CREATE TABLE natural_random AS SELECT (hashint8extended(n, 7) & 65535) / 7.0::float8 AS v FROM generate_series(1, 20000) AS n;
CREATE TEMP TABLE serial AS SELECT segment.natural_cuts(v, 9 ORDER BY v DESC) AS cuts FROM natural_random;
SELECT is((SELECT segment.natural_cuts(v, 9 ORDER BY hashfloat8(v)) FROM natural_random), (SELECT cuts FROM serial), 'rows in another order: the same bits');
SET LOCAL min_parallel_table_scan_size = 0;
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
ALTER TABLE natural_random SET (parallel_workers = 2);
SELECT is((SELECT segment.natural_cuts(v, 9) FROM natural_random), (SELECT cuts FROM serial), 'with workers: the same bits');

SELECT * FROM finish();
ROLLBACK;
