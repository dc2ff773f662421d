--
-- rfm: exact sums, the same bits whatever the order, partition and number of
-- workers; window frames; round trips
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
SELECT plan(62);

\set failure_form message
\ir ../helpers.sql

-- ---------- against plain SQL ----------

SELECT setseed(0.25);
CREATE TABLE event AS
SELECT row_number() OVER () AS id, customer, at, amount, (8 * random())::integer AS part
FROM (
	SELECT customer, timestamptz '1995-01-01+00' + 10000 * random() * interval '1 day' AS at,
		round((1000 * random() - 200)::numeric, (9 * random())::integer) AS amount
	FROM generate_series(1, 40) customer, LATERAL generate_series(1, customer * customer / 3 + 1)
	UNION ALL -- very large amounts, and the ends of time
	SELECT 41, CASE i % 3 WHEN 0 THEN '4714-11-24 00:00+00 BC'::timestamptz WHEN 1 THEN '294276-12-31 23:59:59.999999+00' ELSE '2020-01-01+00' END,
		sign * (trunc(1e15 * random()::numeric) * 1e9 + 0.000000001)
	FROM generate_series(1, 200) i, unnest('{1,-1}'::integer[]) sign
	UNION ALL -- refunds only, and zeros
	SELECT 42, '2020-02-29+00', -0.01 FROM generate_series(1, 3)
	UNION ALL SELECT 43, '2020-02-29 11:11:11.111111+00', 0 FROM generate_series(1, 300)
	UNION ALL -- nothing that counts
	SELECT 44, NULL, 1 UNION ALL SELECT 44, '2020-01-01+00', NULL
	UNION ALL SELECT (30 * random())::integer + 1, NULL, 3 FROM generate_series(1, 30)
	UNION ALL SELECT (30 * random())::integer + 1, '2020-01-01+00', NULL FROM generate_series(1, 30)) AS s;
ALTER TABLE event SET (parallel_workers = 4);
ANALYZE event;
CREATE TABLE reference AS
SELECT customer, segment.rfm_agg(at, amount ORDER BY id) AS r FROM event GROUP BY customer;
SELECT is((SELECT count(*) FROM reference), 44::bigint, 'kinds of customers');
SELECT is((SELECT array_agg(customer) FROM reference WHERE r IS NULL), '{44}'::integer[], 'nothing gives NULL');
CREATE VIEW plain_sql AS
SELECT customer, count(*) FILTER (WHERE amount >= 0) AS orders, count(*) FILTER (WHERE amount < 0) AS refunds,
	COALESCE(sum(amount) FILTER (WHERE amount >= 0), 0) AS gross,
	COALESCE(-sum(amount) FILTER (WHERE amount < 0), 0) AS refunded, sum(amount) AS net,
	min(at) FILTER (WHERE amount >= 0) AS first_at, max(at) FILTER (WHERE amount >= 0) AS last_at
FROM event WHERE at IS NOT NULL AND amount IS NOT NULL GROUP BY customer;
SELECT is_empty($$
	SELECT * FROM plain_sql EXCEPT
	SELECT customer, segment.orders(r), segment.refunds(r), segment.gross(r), segment.refunded(r), segment.net(r),
		segment.first_at(r), segment.last_at(r) FROM reference $$, 'every accessor equals plain SQL');
SELECT is_empty($$ SELECT customer FROM reference JOIN plain_sql USING (customer) WHERE segment.net(r)::text <> net::text $$,
	'net is sum(amount) to the last digit');
SELECT is_empty($$
	SELECT customer FROM reference JOIN plain_sql USING (customer) WHERE segment.average_order(r) IS DISTINCT FROM segment.gross(r) / NULLIF(orders, 0) $$,
	'average order is gross / orders');
SELECT is_empty($$
	SELECT customer, at FROM reference, unnest('{1990-01-01 00:00+00,2020-03-08 10:00:00.000001+00,4714-11-24 00:00+00 BC,294276-12-31 23:59:59.999999+00}'::timestamptz[]) at
	WHERE segment.days_since_last(r, at) IS DISTINCT FROM (1000000 * (extract(epoch FROM at) - extract(epoch FROM segment.last_at(r))))::float8 / 86400e6
		OR segment.tenure_days(r, at) IS DISTINCT FROM (1000000 * (extract(epoch FROM at) - extract(epoch FROM segment.first_at(r))))::float8 / 86400e6 $$,
	'days since last and tenure are days of 24 hours');

-- ---------- the kinds of arguments ----------

CREATE TABLE kind AS
SELECT date '1900-01-01' + (80000 * random())::integer AS day, round((2e6 * random() - 1e6)::numeric, (9 * random())::integer)::float8 AS f,
	(1e18 * random() - 5e17)::bigint AS b
FROM generate_series(1, 3000);
SELECT is_empty($$ SELECT f FROM kind GROUP BY f HAVING segment.net(segment.rfm_agg(now(), f)) <> count(*) * round(f::numeric, 9) $$,
	'a float8 counts as its numeric with 9 decimals');
SELECT is_empty($$
	SELECT v FROM (SELECT DISTINCT f * 1000 ^ i AS v FROM kind, generate_series(1, 3) i) AS s
	GROUP BY v HAVING abs(v) < 1e15 AND segment.net(segment.rfm_agg(now(), v)) <> round(v::numeric, 9) $$,
	'also a large one');
SELECT is(segment.net(segment.rfm_agg(day, b)), sum(b), 'bigint') FROM kind;
SELECT is(segment_internal.rfm_send(segment.rfm_agg(day, b)), segment_internal.rfm_send(segment.rfm_agg(day::timestamp AT TIME ZONE 'UTC', b)), 'dates and bigint') FROM kind;
SELECT is(segment_internal.rfm_send(segment.rfm_agg(day, f)), segment_internal.rfm_send(segment.rfm_agg(day::timestamp AT TIME ZONE 'UTC', f)), 'dates and float8') FROM kind;
SELECT is(segment_internal.rfm_send(segment.rfm_agg(day, f)), segment_internal.rfm_send(segment.rfm_agg(day, trim_scale(round(f::numeric, 9)))), 'float8 and numeric') FROM kind;
SET LOCAL timezone = 'Asia/Tokyo';
SELECT is(segment_internal.rfm_send(segment.rfm_agg(day, f)), segment_internal.rfm_send(segment.rfm_agg(day::timestamp AT TIME ZONE 'UTC', f)), 'dates in another time zone') FROM kind;
SET LOCAL timezone = 'UTC';

-- ---------- the same bits ----------

CREATE FUNCTION pg_temp.bits(query text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	EXECUTE 'SELECT md5(string_agg(customer || '':'' || COALESCE(segment_internal.rfm_send(r)::text, ''null''), '';'' ORDER BY customer)) FROM ('
		|| query || ') AS q(customer, r)' INTO result;
	RETURN result;
END
$$;
SELECT pg_temp.bits('SELECT customer, r FROM reference') AS bits \gset
SELECT pg_temp.bits('SELECT 0, segment.rfm_agg(at, amount) FROM event') AS total_bits \gset
CREATE FUNCTION pg_temp.rearranged(trial integer) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	parts integer := 1 + trial % 8 * (trial % 8);
	result text[] := '{}';
BEGIN
	PERFORM setseed(trial / 100.0);
	CREATE TEMP TABLE partial AS
	SELECT customer, part, segment.rfm_agg(at, amount ORDER BY random()) AS r
	FROM (SELECT customer, at, amount, floor(parts * random()) AS part FROM event) AS e GROUP BY customer, part
	UNION ALL SELECT customer, -1, NULL FROM generate_series(1, 44) customer;
	result := ARRAY[
		pg_temp.bits('SELECT customer, segment.rfm_agg(at, amount ORDER BY random()) FROM event GROUP BY customer'),
		pg_temp.bits('SELECT customer, segment.rollup(r ORDER BY random()) FROM partial GROUP BY customer'),
		pg_temp.bits('SELECT customer, segment.rollup(r) FROM (SELECT customer, segment.rollup(r) FROM partial GROUP BY customer, (5 * random())::integer) AS s(customer, r) GROUP BY customer'),
		pg_temp.bits('SELECT customer, segment.rollup(r::text::segment.rfm) FROM partial GROUP BY customer')];
	DROP TABLE partial;
	RETURN (SELECT string_agg(DISTINCT r, ' ') FROM unnest(result) r);
END
$$;
SELECT is(pg_temp.rearranged(trial), :'bits', 'rearranged and merged the same bits come out, trial ' || trial)
FROM generate_series(1, 16) trial;

CREATE TABLE partial AS SELECT customer, part, segment.rfm_agg(at, amount) AS r FROM event GROUP BY customer, part;
SELECT current_setting('data_directory') || '/segment_rfm_' || pg_backend_pid() AS file \gset
COPY partial TO :'file' (FORMAT binary);
CREATE TABLE partial_again (LIKE partial);
COPY partial_again FROM :'file' (FORMAT binary);
COPY (SELECT 1 WHERE false) TO :'file';
SELECT is(pg_temp.bits('SELECT customer, segment.rollup(r) FROM partial_again GROUP BY customer'), :'bits',
	'partial results combine after a way in binary form');
CREATE AGGREGATE pg_temp.combine(segment.rfm) (SFUNC = segment_internal.rfm_combine, STYPE = segment.rfm,
	INITCOND = '(orders=0,refunds=0,gross=0,refunded=0)');
SELECT is(pg_temp.bits('SELECT customer, pg_temp.combine(r) FROM partial WHERE customer <> 44 GROUP BY customer'),
	pg_temp.bits('SELECT customer, r FROM reference WHERE customer <> 44'), 'nothing is the neutral element');

SELECT ok(NOT pg_temp.plan_has('SELECT customer, segment.rfm_agg(at, amount) FROM event GROUP BY customer', 'Partial'),
	'the reference is serial');
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
CREATE FUNCTION pg_temp.with_workers(workers integer, leader text) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('max_parallel_workers_per_gather', workers::text, true),
		set_config('parallel_leader_participation', leader, true);
	RETURN concat_ws(' ', pg_temp.bits('SELECT customer, segment.rfm_agg(at, amount) FROM event GROUP BY customer'),
		pg_temp.bits('SELECT 0, segment.rfm_agg(at, amount) FROM event'));
END
$$;
SET LOCAL max_parallel_workers_per_gather = 4;
SELECT is_empty($$
	SELECT a FROM unnest('{"at, amount","at, amount::float8","at, amount::bigint","at::date, amount","at::date, amount::float8","at::date, amount::bigint"}'::text[]) a
	WHERE NOT pg_temp.plan_has(format('SELECT segment.rfm_agg(%s) FROM event', a), 'Partial Aggregate') $$, 'every rfm_agg can run in parallel');
SELECT ok(pg_temp.plan_has('SELECT segment.rollup(r) FROM partial', 'Partial Aggregate'), 'rollup can run in parallel');
SELECT is(pg_temp.with_workers(workers, leader), :'bits' || ' ' || :'total_bits', format('%s workers, leader %s', workers, leader))
FROM generate_series(0, 4) workers, unnest('{on,off}'::text[]) leader;
SELECT is(pg_temp.bits('SELECT customer, segment.rollup(r) FROM partial GROUP BY customer'), :'bits', 'parallel rollup');
SELECT set_config(name, CASE name WHEN 'force_parallel_mode' THEN 'regress' ELSE 'on' END, true) IS NULL
FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query') \g /dev/null
SELECT is(pg_temp.with_workers(4, 'off'), :'bits' || ' ' || :'total_bits', 'parallel mode forced');
SELECT is(pg_temp.bits('SELECT 0, segment.rfm_agg(at, amount) FROM event WHERE customer = 44'), md5('0:null'), 'no rows in any worker');
SELECT set_config(name, 'off', true) IS NULL
FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query') \g /dev/null
SET LOCAL max_parallel_workers_per_gather = 0;
CREATE TABLE event_parted (LIKE event) PARTITION BY LIST (part);
SELECT format('CREATE TABLE event_part_%s PARTITION OF event_parted FOR VALUES IN (%s)', i, i) FROM generate_series(0, 9) i \gexec
INSERT INTO event_parted SELECT * FROM event;
ANALYZE event_parted;
SET LOCAL enable_partitionwise_aggregate = on;
SELECT ok(pg_temp.plan_has('SELECT customer, segment.rfm_agg(at, amount) FROM event_parted GROUP BY customer', 'Partial'),
	'partitions are aggregated one by one');
SELECT is(pg_temp.bits('SELECT customer, segment.rfm_agg(at, amount) FROM event_parted GROUP BY customer'), :'bits',
	'partitions give the same bits');
SET LOCAL enable_partitionwise_aggregate = off;

-- ---------- window frames ----------

CREATE TABLE framed AS
SELECT row_number() OVER () AS n, at, amount FROM event WHERE customer IN (30, 44) OR customer = 42 ORDER BY id;
CREATE FUNCTION pg_temp.frame_errors(frame text, low text, high text) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
	result bigint;
BEGIN
	EXECUTE format($q$
		SELECT count(*) FROM (
			SELECT n, segment.rfm_agg(at, amount) OVER w AS r, segment.rollup(segment_internal.rfm_accum(NULL, at, amount)) OVER w AS u,
				segment.rfm_agg(at, amount::float8) OVER w AS f
			FROM framed WINDOW w AS (ORDER BY n ROWS BETWEEN %s)) AS f, LATERAL (
			SELECT segment.rfm_agg(at, amount) AS r FROM framed c WHERE c.n BETWEEN %s AND %s) AS s
		WHERE segment_internal.rfm_send(f.r) IS DISTINCT FROM segment_internal.rfm_send(s.r)
			OR segment_internal.rfm_send(f.u) IS DISTINCT FROM segment_internal.rfm_send(s.r)
			OR NOT f.f OPERATOR(segment.=) s.r
		$q$, frame, low, high)
	INTO result;
	RETURN result;
END
$$;
SELECT cmp_ok((SELECT count(*) FROM framed), '>', 250::bigint, 'rows for frames');
SELECT is(pg_temp.frame_errors('UNBOUNDED PRECEDING AND CURRENT ROW', '1', 'f.n'), 0::bigint, 'growing frames');
SELECT is(pg_temp.frame_errors('30 PRECEDING AND 10 FOLLOWING', 'f.n - 30', 'f.n + 10'), 0::bigint, 'sliding frames');
SELECT is(pg_temp.frame_errors('CURRENT ROW AND CURRENT ROW', 'f.n', 'f.n'), 0::bigint, 'frames of one row');

-- ---------- by hand ----------

CREATE TABLE untouched AS SELECT customer, r, segment_internal.rfm_send(r) AS bytes FROM reference;
SELECT lives_ok($$
	SELECT segment_internal.rfm_accum(r, '2040-01-01+00'::timestamptz, 1.000000001), segment_internal.rfm_accum(r, '2040-01-01'::date, -1::bigint), segment_internal.rfm_combine(r, r)
	FROM untouched $$, 'support functions by hand');
SELECT is_empty($$ SELECT customer FROM untouched WHERE segment_internal.rfm_send(r) IS DISTINCT FROM bytes $$, 'leave stored values alone');

-- ---------- equality, settings, cancelling ----------

SELECT is_empty($$
	SELECT a.customer, b.customer FROM reference a, reference b, LATERAL (SELECT a.r::text::segment.rfm AS x, b.r AS y) AS s
	WHERE (a.customer = b.customer) <> (x OPERATOR(segment.=) y)
		OR (x OPERATOR(segment.=) y) <> (segment_internal.rfm_cmp(x, y) = 0) OR segment_internal.rfm_cmp(x, y) <> -segment_internal.rfm_cmp(y, x)
		OR (x OPERATOR(segment.=) y) AND (segment_internal.rfm_hash(x) <> segment_internal.rfm_hash(y)
			OR segment_internal.rfm_hash_extended(x, 5) <> segment_internal.rfm_hash_extended(y, 5)) $$,
	'equality, order and hash agree');
CREATE FUNCTION pg_temp.under(settings text[]) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
	i integer;
	saved text[] := '{}';
	result boolean;
BEGIN
	FOR i IN 1 .. array_length(settings, 1) LOOP
		saved := saved || ARRAY[[settings[i][1], current_setting(settings[i][1])]];
		PERFORM set_config(settings[i][1], settings[i][2], true);
	END LOOP;
	SELECT bool_and(pg_catalog.md5(r::pg_catalog.text) OPERATOR(pg_catalog.=) t
		AND segment_internal.rfm_send(r::pg_catalog.text::segment.rfm) OPERATOR(pg_catalog.=) segment_internal.rfm_send(r))
	INTO result FROM public.written;
	FOR i IN 1 .. pg_catalog.array_length(settings, 1) LOOP
		PERFORM pg_catalog.set_config(saved[i][1], saved[i][2], true);
	END LOOP;
	RETURN result;
END
$$;
CREATE TABLE public.written AS SELECT r, md5(r::text) AS t FROM reference WHERE r IS NOT NULL;
SELECT ok(pg_temp.under(s.s), 'the text form under ' || s.s::text)
FROM (VALUES ('{{extra_float_digits,-15},{datestyle,"SQL, DMY"},{intervalstyle,sql_standard},{timezone,Asia/Kathmandu}}'::text[]),
	('{{extra_float_digits,3},{datestyle,"German, DMY"},{intervalstyle,iso_8601},{timezone,Pacific/Apia}}'),
	('{{datestyle,"Postgres, MDY"},{timezone,America/New_York},{timezone_abbreviations,Australia}}'),
	('{{lc_numeric,C},{lc_monetary,C},{lc_time,C},{bytea_output,escape},{standard_conforming_strings,on}}'),
	('{{search_path,""}}')) AS s(s);
CREATE FUNCTION pg_temp.cancelled(statement text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	start timestamptz := clock_timestamp();
	state text := 'finished';
BEGIN
	BEGIN
		EXECUTE statement;
	EXCEPTION WHEN query_canceled THEN
		state := SQLSTATE;
	END;
	RETURN state || CASE WHEN clock_timestamp() - start > interval '2 s' THEN ', late' ELSE '' END;
END
$$;
SET LOCAL statement_timeout = '100ms';
SELECT is(pg_temp.cancelled($$ SELECT segment.rfm_agg(now(), i) FROM (SELECT generate_series(1, 100000000) AS i) AS s $$),
	'57014', 'rfm_agg is cancelled at once');
SET LOCAL statement_timeout = 0;

SELECT * FROM finish();
ROLLBACK;
