--
-- Long fits end at once when they are cancelled, and neither a cancelled nor
-- a finished fit leaves memory behind
--
-- Runs alone: it wants a cancelled fit to end within a second
--
\unset ECHO
\set QUIET 1
\pset format unaligned
\pset tuples_only true
\set ON_ERROR_STOP true
SET client_min_messages = warning;

-- no transaction around it all: a statement that is cancelled would end it
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS segment;
SELECT plan(15);

-- no two customers alike
CREATE TEMP TABLE many AS
SELECT x::float8, CASE WHEN x = 0 THEN 0 ELSE t * (0.1 + 0.9 * ((i * 31) % 997) / 997) END::float8 AS t_x, t::float8
FROM (SELECT i, (i * 7) % 23 AS x, (1 + i / 3e3)::float8 AS t FROM generate_series(1::bigint, 300000) i) s;
CREATE TEMP TABLE part AS SELECT * FROM many WHERE t BETWEEN 20 AND 21;
CREATE TEMP TABLE outcome (what text, after float8);

-- Runs a query; notes how it ended and after how many seconds.
CREATE FUNCTION pg_temp.run(query text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	began timestamptz := clock_timestamp();
	ended text := 'finished';
BEGIN
	BEGIN
		EXECUTE query;
	EXCEPTION WHEN query_canceled THEN
		ended := SQLSTATE;
	END;
	INSERT INTO outcome VALUES (ended, extract(epoch FROM clock_timestamp() - began));
END $$;

-- Pareto/NBD on these takes much longer than any of the limits; the first
-- ones strike while rows are collected, the others while the maximum is
-- sought.
\o /dev/null
SELECT format('SET statement_timeout = %s', ms), format('SELECT pg_temp.run(%L)', q), 'SET statement_timeout = 0',
	format('INSERT INTO outcome SELECT %L || what, after FROM outcome WHERE what = ''57014'' OR what = ''finished''', ms || ' ms: '),
	'DELETE FROM outcome WHERE what = ''57014'' OR what = ''finished'''
FROM unnest(ARRAY[50, 200, 400, 600, 900, 1300]) ms,
	(VALUES ('SELECT segment.pnbd_fit(x, t_x, t) FROM many')) v(q) \gexec
\o
SELECT is(count(*)::int, 6, 'six long fits were tried') FROM outcome;
SELECT is(what, split_part(what, ' ', 1) || ' ms: 57014', 'statement_timeout of ' || split_part(what, ':', 1) || ' cancels the fit') FROM outcome
ORDER BY split_part(what, ' ', 1)::int;
SELECT cmp_ok(max(after - split_part(what, ' ', 1)::float8 / 1000)::numeric, '<', 1::numeric, 'within a second') FROM outcome;
TRUNCATE outcome;

-- memory of this backend in kB, whoever allocated it
CREATE FUNCTION pg_temp.resident() RETURNS float8 LANGUAGE sql VOLATILE AS $$
	SELECT 4 * split_part(pg_read_file('/proc/self/statm'), ' ', 2)::float8 $$;

-- each of the fits cancelled at many different moments; those outside of the
-- function's exception block end the statement
\set ON_ERROR_STOP false
\o /dev/null
SELECT format('SET statement_timeout = %s', 1 + i % 9),
	format('SELECT pg_temp.run(''SELECT segment.%s(x, t_x, t) FROM part'')', (ARRAY['pnbd_fit', 'bgnbd_fit', 'mbgnbd_fit'])[1 + i % 3])
FROM generate_series(1, 100) i \gexec
SET statement_timeout = 0;
SELECT pg_temp.resident() AS before \gset
SELECT format('SET statement_timeout = %s', 1 + i % 9),
	format('SELECT pg_temp.run(''SELECT segment.%s(x, t_x, t) FROM part'')', (ARRAY['pnbd_fit', 'bgnbd_fit', 'mbgnbd_fit'])[1 + i % 3])
FROM generate_series(1, 1000) i \gexec
SET statement_timeout = 0;
\o
\set ON_ERROR_STOP true
SELECT cmp_ok(1100 - count(*)::int, '>=', 500, 'of 1100 short fits many are cancelled') FROM outcome WHERE what = 'finished';
SELECT is_empty($$ SELECT what FROM outcome WHERE what NOT IN ('finished', '57014') $$, 'none ends in another way');
SELECT cmp_ok((pg_temp.resident() - :before)::numeric, '<', 2000::numeric, 'and leave no memory behind: less than 2 MB');

-- 3,000 fits that finish, in one statement and in many
CREATE TEMP TABLE few AS SELECT * FROM part LIMIT 100;
CREATE TEMP TABLE fitted AS SELECT g, segment.bgnbd_fit(x, t_x, t) AS m FROM few, generate_series(1, 1000) g GROUP BY g;
SELECT pg_temp.resident() AS before \gset
CREATE TEMP TABLE fitted_too AS SELECT g, segment.bgnbd_fit(x, t_x, t) AS m FROM few, generate_series(1, 1000) g GROUP BY g;
SELECT is(count(DISTINCT m::text)::int, 1, '1000 fits of the same rows give one model') FROM fitted_too;
\o /dev/null
SELECT 'SELECT segment.mbgnbd_fit(x, t_x, t), segment.gammagamma_fit(x, t) FROM few' FROM generate_series(1, 1000) \gexec
\o
SELECT cmp_ok((pg_temp.resident() - :before)::numeric, '<', 2000::numeric, '3000 finished fits leave no memory behind: less than 2 MB');
SELECT lives_ok('SELECT segment.bgnbd_fit(x, t_x, t) FROM few', 'the session goes on');
SELECT is((SELECT segment.status(segment.pnbd_fit(x, t_x, t)) FROM part) IS NOT NULL, true, 'also with a fit that was cancelled before');

SELECT * FROM finish();
