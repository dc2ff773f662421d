--
-- Sums of amounts at their limit: rfm and history on every way to a sum either
-- give sum(numeric), to the last digit, or error 22003.  The limit is 10^27;
-- the 120 bits of a stored sum end at 2^120 billionths, about 1.33 * 10^27.
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
SELECT plan(29);

-- ---------- the grid ----------

-- Two amounts at a scale that make up a total just below, at and just above
-- each threshold; then a third one, the smallest there is at that scale.
CREATE TEMP TABLE summed AS
SELECT row_number() OVER (ORDER BY threshold, step, share, scale, kind) AS id, scale, kind, a.amounts
FROM (VALUES (1e27), (1329227995784915872903807060.280344576), (1999999999999999999999999998)) AS t(threshold),
	generate_series(-2, 1) AS step,
	unnest('{0.5,0.35,0.7}'::numeric[]) AS share,
	generate_series(0, 9) AS scale,
	unnest('{orders,refunds,both}'::text[]) AS kind,
	LATERAL (SELECT round(10::numeric ^ -scale, scale) AS unit) AS u,
	LATERAL (SELECT round(threshold * share, scale) AS first) AS f,
	LATERAL (SELECT round(threshold, scale) + step * unit - first AS second) AS s,
	LATERAL (SELECT CASE kind
		WHEN 'orders' THEN ARRAY[first, second, unit]
		WHEN 'refunds' THEN ARRAY[-first, -second, -unit]
		ELSE ARRAY[first, -second, unit] END AS amounts) AS a
WHERE first < 1e27 AND second < 1e27;
CREATE TEMP TABLE grid AS
SELECT s.id, s.scale, n, s.kind, s.amounts[1:n] AS amounts, e.gross, e.refunded,
	CASE WHEN e.gross < 1e27 AND e.refunded < 1e27 THEN e.gross || ' ' || e.refunded || ' ' || e.net
		ELSE '22003' END AS expected
FROM summed AS s, generate_series(1, 3) AS n,
	LATERAL (SELECT coalesce(sum(a) FILTER (WHERE a >= 0), round(0.0, s.scale)) AS gross,
		coalesce(-sum(a) FILTER (WHERE a < 0), round(0.0, s.scale)) AS refunded, sum(a) AS net
		FROM unnest(s.amounts[1:n]) AS a) AS e
WHERE n > 1 OR s.scale IN (0, 9);
SELECT cmp_ok(count(*), '>', 1000::bigint, 'so many cases') FROM grid;
SELECT is(count(DISTINCT (kind, scale, expected = '22003')), 40::bigint, 'sums that fit and sums that do not, of each sign and scale')
FROM grid WHERE kind <> 'both';
SELECT ok(bool_or(gross = 1e27 - 0.000000001) AND bool_or(gross = 1e27)
	AND bool_or(gross = 1329227995784915872903807060.280344575) AND bool_or(gross = 1329227995784915872903807060.280344576)
	AND bool_or(refunded = 1e27 - 0.000000001) AND bool_or(refunded = 1e27)
	AND bool_or(refunded = 1329227995784915872903807060.280344575) AND bool_or(refunded = 1329227995784915872903807060.280344576),
	'the thresholds themselves are among them') FROM grid;

-- The ways to a sum, as queries over $1, the amounts; all give gross, refunded, net.
CREATE TEMP TABLE way (way text, query text);
INSERT INTO way
SELECT format('%s, %s', t.type, w.way), format('SELECT segment.gross(s.s) || '' '' || segment.refunded(s.s) || '' '' || segment.net(s.s) FROM (%s) AS s',
	replace(replace(w.query, 'AGG', t.agg), 'ONE', t.one))
FROM (VALUES
	('rfm', 'segment.rfm_agg(date ''2024-03-01'', a)', '(SELECT segment.rfm_agg(date ''2024-03-01'', b) AS r FROM (VALUES (a)) AS v(b))'),
	('history of a day', 'segment.history_agg(date ''2024-03-01'', a)', '(SELECT segment.history_agg(date ''2024-03-01'', b) AS r FROM (VALUES (a)) AS v(b))'),
	('history of days', 'segment.history_agg(date ''2024-03-01'' + i::integer, a)', '(SELECT segment.history_agg(date ''2024-03-01'' + i::integer, b) AS r FROM (VALUES (a)) AS v(b))')
) AS t(type, agg, one), (VALUES
	('aggregate', 'SELECT AGG AS s FROM unnest($1) WITH ORDINALITY AS u(a, i)'),
	('backwards', 'SELECT AGG AS s FROM (SELECT * FROM unnest($1) WITH ORDINALITY AS u(a, i) ORDER BY i DESC OFFSET 0) AS u'),
	('rollup', 'SELECT segment.rollup(ONE) AS s FROM unnest($1) WITH ORDINALITY AS u(a, i)'),
	('rollup of rollups', 'SELECT segment.rollup(r) AS s FROM (SELECT segment.rollup(ONE) AS r FROM unnest($1) WITH ORDINALITY AS u(a, i) GROUP BY i / 2) AS g'),
	('growing window frame', 'SELECT s FROM (SELECT i, AGG OVER (ORDER BY i) AS s FROM unnest($1) WITH ORDINALITY AS u(a, i)) AS f ORDER BY i DESC LIMIT 1'),
	('window frame of rollup', 'SELECT s FROM (SELECT i, segment.rollup(ONE) OVER (ORDER BY i ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) AS s FROM unnest($1) WITH ORDINALITY AS u(a, i)) AS f ORDER BY i DESC LIMIT 1')
) AS w(way, query);
INSERT INTO way VALUES
	('rfm, support functions by hand', 'SELECT segment.gross(s) || '' '' || segment.refunded(s) || '' '' || segment.net(s)
		FROM (SELECT segment_internal.rfm_combine(segment_internal.rfm_accum(segment_internal.rfm_accum(NULL, date ''2024-03-01'', $1[1]), date ''2024-03-02'', $1[3]),
			segment_internal.rfm_accum(NULL, date ''2024-03-03'', $1[2])) AS s OFFSET 0) AS h'),
	('history, operator', 'SELECT segment.gross(s) || '' '' || segment.refunded(s) || '' '' || segment.net(s)
		FROM (SELECT COALESCE(a.h OPERATOR(segment.+) b.h, a.h) AS s
			FROM (SELECT segment.history_agg(date ''2024-03-01'', v) AS h FROM unnest($1[1:1]) AS v) AS a,
				(SELECT segment.history_agg(date ''2024-03-01'', v) AS h FROM unnest($1[2:]) AS v) AS b) AS h'),
	('rfm of a history', 'SELECT segment.gross(s) || '' '' || segment.refunded(s) || '' '' || segment.net(s)
		FROM (SELECT segment.rollup(segment.rfm(h)) AS s FROM (
			SELECT segment.history_agg(date ''2024-03-01'' + i::integer, a) AS h FROM unnest($1) WITH ORDINALITY AS u(a, i) GROUP BY i) AS g) AS r');
CREATE FUNCTION pg_temp.result(query text, amounts numeric[]) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	EXECUTE query INTO result USING amounts;
	RETURN result;
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE;
END
$$;
SELECT is_empty(format($$ SELECT id, amounts, pg_temp.result(%L, amounts) AS result, expected FROM grid
	WHERE pg_temp.result(%L, amounts) IS DISTINCT FROM expected ORDER BY id, n LIMIT 3 $$, query, query), way)
FROM way ORDER BY way;

-- ---------- parts that are combined ----------

-- One amount in each partition (and NULLs, which do not count, to make it worth
-- while to sum partitions one by one): their results must be combined, whoever
-- computes them.
CREATE TABLE part (id bigint, i integer, a numeric) PARTITION BY LIST (i);
CREATE TABLE part_1 PARTITION OF part FOR VALUES IN (1) WITH (parallel_workers = 2);
CREATE TABLE part_2 PARTITION OF part FOR VALUES IN (2) WITH (parallel_workers = 2);
CREATE TABLE part_3 PARTITION OF part FOR VALUES IN (3) WITH (parallel_workers = 2);
CREATE TEMP TABLE combined AS SELECT * FROM grid WHERE n = 3 AND scale IN (0, 5, 9) AND id % 4 = 0;
SELECT is(count(DISTINCT (kind, expected = '22003')), 4::bigint, 'there are cases of each kind') FROM combined WHERE kind <> 'both';
INSERT INTO part SELECT id, i, a FROM combined, unnest(amounts) WITH ORDINALITY AS u(a, i);
INSERT INTO part SELECT id, i, NULL FROM combined, generate_series(1, 3) AS i, generate_series(1, 20);
ANALYZE part;
CREATE FUNCTION pg_temp.result_of_parts(aggregate text, id bigint) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	EXECUTE format('SELECT segment.gross(s) || '' '' || segment.refunded(s) || '' '' || segment.net(s) FROM (SELECT segment.%s AS s FROM part WHERE id = %s) AS p',
		aggregate, id) INTO result;
	RETURN result;
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE;
END
$$;
CREATE FUNCTION pg_temp.plan_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	line text;
	result text := '';
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
		result := result || line || E'\n';
	END LOOP;
	RETURN result;
END $$;
SET LOCAL enable_partitionwise_aggregate = on;
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 1; -- rather results than rows
SET LOCAL min_parallel_table_scan_size = 0;
SET LOCAL max_parallel_workers_per_gather = 2;
SELECT matches(pg_temp.plan_of(format('SELECT segment.%s FROM part WHERE id = %s', aggregate, id)),
	'Finalize .*Aggregate.*Gather.*Append.*Partial Aggregate.*Partial Aggregate', aggregate || ' combines the results of partitions')
FROM unnest('{"rfm_agg(date ''2024-03-01'', a)","history_agg(date ''2024-03-01'' + i, a)"}'::text[]) AS aggregate,
	(SELECT min(id) AS id FROM combined) AS c;
SELECT is_empty(format($$ SELECT id, amounts, pg_temp.result_of_parts(%L, id) AS result, expected FROM combined
	WHERE pg_temp.result_of_parts(%L, id) IS DISTINCT FROM expected LIMIT 3 $$, aggregate, aggregate), aggregate || ' in parallel')
FROM unnest('{"rfm_agg(date ''2024-03-01'', a)","history_agg(date ''2024-03-01'' + i, a)"}'::text[]) AS aggregate;

SELECT * FROM finish();
ROLLBACK;
