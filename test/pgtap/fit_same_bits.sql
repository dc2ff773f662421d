--
-- A fit gives the same bits whatever the order of rows, their partition, the
-- number of workers and the way in which equal rows are put together
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
SELECT plan(32);
SET LOCAL search_path = public, segment;

-- 15,000 customers; no randomness needed
CREATE TABLE shop AS
SELECT i, x, CASE WHEN x = 0 THEN 0 ELSE round(t * (0.2 + 0.79 * ((i * 31) % 97) / 97.0), 1) END::float8 AS t_x, t::float8 AS t,
	(10 + (i * 7919) % 1000 / 7.0)::float8 AS spend, (1 + i % 5)::float8 / 10 AS weight
FROM (SELECT i, floor(-3 * ln(((i * 104729) % 9973 + 1) / 9974.0::float8))::float8 AS x,
	(10 + (i * 13) % 90)::numeric AS t FROM generate_series(1::bigint, 15000) i) s;
CREATE TABLE donors AS
SELECT i, least(x, t_x) AS x, t_x, n FROM (
	SELECT i, CASE WHEN t_x = 0 THEN 0 ELSE 1 + (i * 31) % t_x END::float8 AS x, t_x::float8, n::float8
	FROM (SELECT i, 5 + i % 6 AS n, (i * 17) % (6 + i % 6) AS t_x FROM generate_series(1, 20000) i) s) s;
ANALYZE shop, donors;

CREATE TEMP TABLE way (kind text, way text, m segment.model);

-- All ways to feed one aggregate: its name, its arguments, its weight.
CREATE FUNCTION pg_temp.feed(kind text, source text, arguments text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	call text := format('segment.%s_fit(%s)', kind, arguments);
BEGIN
	SET LOCAL max_parallel_workers_per_gather = 0;
	EXECUTE format('INSERT INTO way SELECT %L, ''plain'', %s FROM %s', kind, call, source);
	EXECUTE format('INSERT INTO way SELECT %L, ''backwards'', %s FROM (SELECT * FROM %s ORDER BY i DESC OFFSET 0) s',
		kind, call, source);
	EXECUTE format('INSERT INTO way SELECT %L, ''mixed'', %s FROM (SELECT * FROM %s ORDER BY hashint8(i) OFFSET 0) s',
		kind, call, source);
	EXECUTE format('INSERT INTO way SELECT %L, ''ordered inside'', segment.%s_fit(%s ORDER BY t_x DESC, i) FROM %s',
		kind, kind, arguments, source);
	EXECUTE format('INSERT INTO way SELECT %L, ''grouped'', segment.%s_fit(%s) FROM (
		SELECT %s, count(*)::float8 AS w FROM %s GROUP BY %s) s'
		, kind, kind, arguments || ', w', arguments, source, arguments);
	EXECUTE format('INSERT INTO way SELECT %L, ''partly grouped'', segment.%s_fit(%s) FROM (
		SELECT %s, count(*)::float8 AS w FROM %s GROUP BY %s, i %% 7) s',
		kind, kind, arguments || ', w', arguments, source, arguments);
END $$;

-- An INSERT is never parallel: run the query by itself.
CREATE FUNCTION pg_temp.feed_parallel(kind text, source text, arguments text, leader boolean) RETURNS segment.model
LANGUAGE plpgsql AS $$
DECLARE
	m segment.model;
BEGIN
	SET LOCAL max_parallel_workers_per_gather = 3;
	SET LOCAL parallel_setup_cost = 0;
	SET LOCAL parallel_tuple_cost = 0;
	SET LOCAL min_parallel_table_scan_size = 0;
	EXECUTE format('SET LOCAL parallel_leader_participation = %s', leader);
	EXECUTE format('SELECT segment.%s_fit(%s) FROM %s', kind, arguments, source) INTO m;
	RETURN m;
END $$;
\set failure_form message
\ir ../helpers.sql

\o /dev/null
SELECT pg_temp.feed(k, 'shop', 'x, t_x, t') FROM unnest('{bgnbd,mbgnbd,pnbd}'::text[]) k;
SELECT pg_temp.feed('bgbb', 'donors', 'x, t_x, n');
\o
INSERT INTO way SELECT k, 'in parallel', pg_temp.feed_parallel(k, 'shop', 'x, t_x, t', true) FROM unnest('{bgnbd,mbgnbd,pnbd}'::text[]) k;
INSERT INTO way SELECT k, 'in parallel, by workers only', pg_temp.feed_parallel(k, 'shop', 'x, t_x, t', false) FROM unnest('{bgnbd,mbgnbd,pnbd}'::text[]) k;
INSERT INTO way SELECT 'bgbb', 'in parallel', pg_temp.feed_parallel('bgbb', 'donors', 'x, t_x, n', true);
INSERT INTO way SELECT 'gammagamma', w, pg_temp.feed_parallel('gammagamma', 'shop', 'x, spend', w = 'leader') FROM unnest('{leader,workers}'::text[]) w;
INSERT INTO way SELECT 'gammagamma', 'plain', segment.gammagamma_fit(x, spend) FROM shop;
INSERT INTO way SELECT 'gammagamma', 'mixed', segment.gammagamma_fit(x, spend) FROM (SELECT * FROM shop ORDER BY hashint8(i) OFFSET 0) s;
INSERT INTO way SELECT 'gammagamma', 'grouped', segment.gammagamma_fit(x, spend, n) FROM (SELECT x, spend, count(*)::float8 AS n FROM shop GROUP BY x, spend) s;

-- rows() counts rows, which differ where they were grouped before
SELECT is(count(DISTINCT regexp_replace(m::text, '"rows": [0-9]+', ''))::int, 1, kind || ': one result')
FROM way GROUP BY kind ORDER BY kind;
SELECT cmp_ok(count(*)::int, '>=', 5, kind || ': fed in several ways') FROM way GROUP BY kind ORDER BY kind;
SELECT is(count(*)::int, 0, 'no way gave NULL') FROM way WHERE m IS NULL;
SELECT is(segment.customers(m), CASE kind WHEN 'bgbb' THEN 20000 WHEN 'gammagamma' THEN (SELECT count(*) FROM shop WHERE x > 0)
	ELSE 15000 END::float8, kind || ': all customers used') FROM way WHERE way = 'plain' ORDER BY kind;
SELECT ok(pg_temp.plan_has('SELECT segment.mbgnbd_fit(x, t_x, t) FROM shop', 'Partial Aggregate'),
	'the parallel plan has partial aggregates');
SELECT ok(pg_temp.plan_has('SELECT segment.bgnbd_fit(x, t_x, t), segment.pnbd_fit(x, t_x, t) FROM shop', 'Finalize Aggregate'),
	'also with two fits that share a state');

-- weights that are no whole numbers
SELECT is(count(DISTINCT m)::int, 1, 'fractional weights: one result for three orders of rows') FROM (
	SELECT segment.bgnbd_fit(x, t_x, t, weight) AS m FROM shop
	UNION ALL SELECT segment.bgnbd_fit(x, t_x, t, weight) FROM (SELECT * FROM shop ORDER BY hashint8(i) OFFSET 0) s
	UNION ALL SELECT segment.bgnbd_fit(x, t_x, t, weight) FROM (SELECT * FROM shop ORDER BY weight, i DESC OFFSET 0) s) f;
SELECT is(w = one, true, 'all weights 1 is no weight') FROM (
	SELECT segment.bgnbd_fit(x, t_x, t, 1) AS w, segment.bgnbd_fit(x, t_x, t) AS one FROM shop) s;
SELECT is(count(*)::int, 0, 'all weights 4: the same parameters, standard errors of one half') FROM (
	SELECT segment.bgnbd_fit(x, t_x, t, 4) AS w, segment.bgnbd_fit(x, t_x, t) AS one FROM shop) s, unnest('{r,alpha,a,b}'::text[]) p
WHERE abs(segment.param(w, p) / segment.param(one, p) - 1) > 1e-9
	OR abs(segment.stderr(w, p) / segment.stderr(one, p) - 0.5) > 1e-6;

-- NULLs, FILTER, empty input
SELECT is((SELECT segment.bgnbd_fit(x, t_x, t) FROM (
	SELECT x, t_x, t FROM shop UNION ALL SELECT NULL, 1, 2 UNION ALL SELECT 1, NULL, 2 UNION ALL SELECT 1, 1, NULL) s)
	= (SELECT m FROM way WHERE kind = 'bgnbd' AND way = 'plain'), true, 'rows with a NULL are skipped');
SELECT is((SELECT segment.bgnbd_fit(x, t_x, t) FROM shop WHERE false), NULL, 'no rows: NULL');
SELECT is((SELECT segment.bgnbd_fit(x, t_x, t) FILTER (WHERE false) FROM shop), NULL, 'no rows after FILTER: NULL');
SELECT is((SELECT segment.bgnbd_fit(NULL, t_x, t) FROM shop), NULL, 'only NULLs: NULL');
SELECT is((SELECT segment.gammagamma_fit(0, spend) FROM shop), NULL, 'gamma-gamma, nobody bought again: NULL');
SELECT is((SELECT segment.rows(segment.gammagamma_fit(x, spend)) FROM shop), (SELECT count(*) FROM shop WHERE x > 0),
	'gamma-gamma leaves out those without repeat purchase by itself');

-- groups and windows
CREATE TEMP TABLE grouped AS
SELECT i % 5 AS g, segment.mbgnbd_fit(x, t_x, t) AS m FROM shop GROUP BY 1;
SELECT is(count(*)::int, 5, 'GROUP BY gives one model per group') FROM grouped;
SELECT is(count(*)::int, 0, 'each the same as by itself') FROM grouped
WHERE m <> (SELECT segment.mbgnbd_fit(x, t_x, t) FROM shop WHERE i % 5 = g);
SELECT is(count(*)::int, 0, 'over a growing window: the same as computed anew') FROM (
	SELECT i, segment.bgnbd_fit(x, t_x, t) OVER (ORDER BY i) AS m FROM shop WHERE i <= 200) w
WHERE i % 20 = 0 AND m <> (SELECT segment.bgnbd_fit(x, t_x, t) FROM shop s WHERE s.i <= w.i);
SELECT is(count(*)::int, 0, 'over a sliding window: the same as computed anew') FROM (
	SELECT i, segment.bgnbd_fit(x, t_x, t) OVER (ORDER BY i ROWS 40 PRECEDING) AS m FROM shop WHERE i <= 200) w
WHERE i % 20 = 0 AND m <> (SELECT segment.bgnbd_fit(x, t_x, t) FROM shop s WHERE s.i BETWEEN w.i - 40 AND w.i);
SELECT is(count(DISTINCT m)::int, 2, 'two fits that share a state do not disturb each other') FROM (
	SELECT unnest(ARRAY[segment.bgnbd_fit(x, t_x, t), segment.mbgnbd_fit(x, t_x, t)]) AS m FROM shop
	UNION ALL SELECT m FROM way WHERE kind IN ('bgnbd', 'mbgnbd') AND way = 'plain') s;

SELECT * FROM finish();
ROLLBACK;
