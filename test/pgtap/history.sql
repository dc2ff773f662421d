--
-- Histories: against plain SQL on real data; the same bits whatever the order,
-- partition and number of workers; as of a day; window frames; round trips
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
SELECT plan(112);

CREATE FUNCTION pg_temp.same(a segment.history, b segment.history) RETURNS boolean
LANGUAGE sql AS $$ SELECT COALESCE(a OPERATOR(segment.=) b, a IS NULL AND b IS NULL) $$;
\set failure_form message
\ir ../helpers.sql

-- ---------- real orders, against plain SQL ----------

-- The data lie in the directory SEGMENT_DATA, or beside the checkout.
\set orders_csv `cat "${SEGMENT_DATA:-../shared/data}/cdnow_orders.csv" 2>/dev/null`
\set summary_csv `cat "${SEGMENT_DATA:-../shared/data}/cdnow_summary.csv" 2>/dev/null`
SELECT length(:'orders_csv') > 0 AND length(:'summary_csv') > 0 AS have_data \gset
\if :have_data

CREATE FUNCTION pg_temp.lines(csv text) RETURNS SETOF text[] LANGUAGE sql AS $$
	SELECT string_to_array(line, ',')
	FROM regexp_split_to_table(csv, E'\r?\n') WITH ORDINALITY l(line, n)
	WHERE n > 1 AND line <> ''
$$;
CREATE TABLE cdnow AS
SELECT l[1]::integer AS customer, l[2]::date AS day, l[3]::numeric AS amount FROM pg_temp.lines(:'orders_csv') l;
CREATE TABLE cdnow_summary AS
SELECT l[1]::integer AS customer, l[2]::integer AS x, l[3]::numeric AS t_x, l[4]::numeric AS t,
	l[5]::numeric AS mean_repeat_spend
FROM pg_temp.lines(:'summary_csv') l;
SELECT is((SELECT count(*) FROM cdnow), 6919::bigint, 'orders of CDNOW');
SELECT is((SELECT count(*) FROM cdnow_summary), 2357::bigint, 'customers of CDNOW');
-- the real orders have no refunds: take back every seventh
INSERT INTO cdnow SELECT customer, day + 5, -amount FROM cdnow WHERE amount > 0 AND (customer + extract(day FROM day)::integer) % 7 = 0;
CREATE TABLE cdnow_history AS
SELECT customer, segment.history_agg(day, amount) AS h,
	segment.history_agg(day, amount) FILTER (WHERE amount >= 0) AS purchases,
	segment.rfm_agg(day, amount) AS r
FROM cdnow GROUP BY customer;
CREATE VIEW cdnow_sql AS
SELECT customer, count(*) FILTER (WHERE amount >= 0) AS orders, count(*) FILTER (WHERE amount < 0) AS refunds,
	count(DISTINCT day) FILTER (WHERE amount >= 0) AS purchase_days,
	COALESCE(sum(amount) FILTER (WHERE amount >= 0), 0) AS gross,
	COALESCE(-sum(amount) FILTER (WHERE amount < 0), 0) AS refunded, sum(amount) AS net,
	min(day) FILTER (WHERE amount >= 0) AS first_day, max(day) FILTER (WHERE amount >= 0) AS last_day
FROM cdnow GROUP BY customer;
SELECT is((SELECT count(*) FROM cdnow_sql WHERE refunds > 0) > 300, true, 'customers with refunds');
SELECT is_empty($$
	SELECT customer, segment.orders(h), segment.refunds(h), segment.purchase_days(h), segment.gross(h), segment.refunded(h),
		segment.net(h), segment.first_day(h), segment.last_day(h) FROM cdnow_history
	EXCEPT SELECT * FROM cdnow_sql $$, 'every accessor of a history equals plain SQL');
SELECT is_empty($$
	SELECT customer, segment.orders(r), segment.refunds(r), segment.gross(r), segment.refunded(r),
		segment.net(r), (segment.first_at(r) AT TIME ZONE 'UTC')::date, (segment.last_at(r) AT TIME ZONE 'UTC')::date FROM cdnow_history
	EXCEPT SELECT customer, orders, refunds, gross, refunded, net, first_day, last_day FROM cdnow_sql $$,
	'every accessor of an rfm equals plain SQL');
SELECT is_empty($$
	SELECT customer, segment.net(h) FROM cdnow_history JOIN cdnow_sql USING (customer) WHERE segment.net(h)::text <> net::text $$,
	'also in the number of decimals');
SELECT is_empty($$ SELECT customer FROM cdnow_history WHERE segment.rfm(h) OPERATOR(segment.<>) r $$,
	'rfm of a history is the rfm of its rows');
SELECT is_empty($$
	SELECT customer FROM cdnow_history JOIN cdnow_sql USING (customer)
	WHERE round(segment.average_order(h), 10) <> round(gross / orders, 10) OR segment.average_order(h) <> segment.average_order(r) $$,
	'average order');
SELECT is_empty($$
	SELECT customer, (segment.unnest(h)).* FROM cdnow_history
	EXCEPT SELECT customer, day, count(*) FILTER (WHERE amount >= 0), COALESCE(sum(amount) FILTER (WHERE amount >= 0), 0),
		count(*) FILTER (WHERE amount < 0), COALESCE(-sum(amount) FILTER (WHERE amount < 0), 0)
	FROM cdnow GROUP BY customer, day $$, 'the days of a history are those of plain SQL');
SELECT is((SELECT count(*) FROM cdnow_history, segment.unnest(h)), (SELECT count(*) FROM (SELECT DISTINCT customer, day FROM cdnow) AS s),
	'and all of them');
CREATE VIEW cdnow_gaps AS
SELECT customer, avg(gap) AS mean_gap, stddev_samp(gap) / avg(gap) AS cv
FROM (SELECT customer, (day - lag(day) OVER (PARTITION BY customer ORDER BY day))::float8 AS gap
	FROM (SELECT DISTINCT customer, day FROM cdnow WHERE amount >= 0) AS d) AS g GROUP BY customer;
SELECT is_empty($$
	SELECT customer, segment.mean_gap_days(h), mean_gap, segment.gap_cv(h), cv FROM cdnow_history JOIN cdnow_gaps USING (customer)
	WHERE (segment.mean_gap_days(h) IS NULL) <> (mean_gap IS NULL) OR (segment.gap_cv(h) IS NULL) <> (cv IS NULL)
		OR abs(segment.mean_gap_days(h) - mean_gap) > 1e-12 * mean_gap OR abs(segment.gap_cv(h) - cv) > 1e-12 * (1 + cv) $$,
	'rhythm equals plain SQL');
-- the published inputs, to their two decimals
SELECT is_empty($$
	SELECT customer, c.*, s.* FROM cdnow_history JOIN cdnow_summary s USING (customer), segment.cbs(purchases, '1997-09-30', 'week') c
	WHERE c.x <> s.x OR round(c.t_x::numeric, 2) <> s.t_x OR round(c.t::numeric, 2) <> s.t
		OR round(c.mean_repeat_spend, 2) <> s.mean_repeat_spend $$, 'model inputs at 1997-09-30 equal the published ones');
SELECT is((SELECT count(*) FROM cdnow_history JOIN cdnow_summary USING (customer) WHERE segment.cbs(purchases, '1997-09-30') IS NOT NULL),
	2357::bigint, 'for all customers');
-- refunds change none of the model inputs
SELECT is_empty($$
	SELECT customer FROM cdnow_history WHERE segment.cbs(h, '1997-09-30') IS DISTINCT FROM segment.cbs(purchases, '1997-09-30') $$,
	'refunds change no model input');

\else
SELECT * FROM skip('no test data: set SEGMENT_DATA to their directory', 14);
\endif

-- ---------- the same bits ----------

-- Customers of many kinds: few and many rows, all on few days, amounts of all
-- scales and signs, very large ones, rows with NULLs.
SELECT setseed(0.25);
CREATE TABLE event AS
SELECT row_number() OVER () AS id, customer, day, amount, (8 * random())::integer AS part
FROM (
	SELECT customer, date '2020-01-01' + (300 * random())::integer AS day,
		round((1000 * random() - 200)::numeric, (9 * random())::integer) AS amount
	FROM generate_series(1, 30) customer, LATERAL generate_series(1, customer * customer / 3 + 1)
	UNION ALL -- many events on few days: states are merged before they grow
	SELECT 31, date '1960-02-28' + i % 5, (i % 1000 - 300) * 0.01 FROM generate_series(1, 5000) i
	UNION ALL -- many days
	SELECT 32, date '1000-01-01 BC' + (i * 7919 % 6007) * 3, i FROM generate_series(1, 3000) i
	UNION ALL -- very large amounts
	SELECT 33, date '5874897-12-31' - i % 3 * 1000000000, sign * (trunc(1e15 * random()::numeric) * 1e9 + 0.000000001)
	FROM generate_series(1, 200) i, unnest('{1,-1}'::integer[]) sign
	UNION ALL -- refunds only, and zeros
	SELECT 34, '2020-02-29', -0.01 FROM generate_series(1, 3)
	UNION ALL SELECT 35, '2020-02-29', 0 FROM generate_series(1, 300)
	UNION ALL -- nothing that counts
	SELECT 36, NULL, 1 UNION ALL SELECT 36, '2020-01-01', NULL
	UNION ALL SELECT (30 * random())::integer + 1, NULL, 3 FROM generate_series(1, 30)
	UNION ALL SELECT (30 * random())::integer + 1, '2020-01-01', NULL FROM generate_series(1, 30)) AS s;
ALTER TABLE event SET (parallel_workers = 4);
ANALYZE event;
CREATE TABLE reference AS
SELECT customer, segment.history_agg(day, amount ORDER BY id) AS h FROM event GROUP BY customer;
SELECT is((SELECT count(*) FROM reference), 36::bigint, 'kinds of customers');
SELECT is((SELECT array_agg(customer) FROM reference WHERE h IS NULL), '{36}'::integer[], 'nothing gives NULL');

CREATE FUNCTION pg_temp.bits(query text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	EXECUTE 'SELECT md5(string_agg(customer || '':'' || COALESCE(segment_internal.history_send(h)::text, ''null''), '';'' ORDER BY customer)) FROM ('
		|| query || ') AS q(customer, h)' INTO result;
	RETURN result;
END
$$;
SELECT pg_temp.bits('SELECT customer, h FROM reference') AS bits \gset
SELECT pg_temp.bits('SELECT 0, segment.history_agg(day, amount) FROM event WHERE customer <= 32') AS total_bits \gset

-- sums are those of numeric, text and all
SELECT is_empty($$
	SELECT customer, net, segment.net(h) FROM reference JOIN
		(SELECT customer, sum(amount) AS net, COALESCE(sum(amount) FILTER (WHERE amount >= 0), 0) AS gross,
			COALESCE(-sum(amount) FILTER (WHERE amount < 0), 0) AS refunded
		FROM event WHERE day IS NOT NULL GROUP BY customer) AS s USING (customer)
	WHERE net::text <> segment.net(h)::text OR gross <> segment.gross(h) OR refunded <> segment.refunded(h) $$,
	'net is sum(amount) to the last digit');

-- any order of rows, any partition, merged in any order
CREATE AGGREGATE pg_temp.plus(segment.history) (SFUNC = segment_internal.history_add, STYPE = segment.history);
CREATE FUNCTION pg_temp.rearranged(trial integer) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	parts integer := 1 + trial % 8 * (trial % 8);
	result text[] := '{}';
BEGIN
	PERFORM setseed(trial / 100.0);
	CREATE TEMP TABLE partial AS
	SELECT customer, part, segment.history_agg(day, amount ORDER BY random()) AS h
	FROM (SELECT customer, day, amount, floor(parts * random()) AS part FROM event) AS e GROUP BY customer, part
	-- parts without anything
	UNION ALL SELECT customer, -1, NULL FROM generate_series(1, 36) customer;
	result := ARRAY[
		pg_temp.bits('SELECT customer, segment.history_agg(day, amount ORDER BY random()) FROM event GROUP BY customer'),
		pg_temp.bits('SELECT customer, segment.rollup(h ORDER BY random()) FROM partial GROUP BY customer'),
		pg_temp.bits('SELECT customer, pg_temp.plus(h ORDER BY random()) FROM partial GROUP BY customer'),
		-- in two steps
		pg_temp.bits('SELECT customer, segment.rollup(h) FROM (SELECT customer, segment.rollup(h) FROM partial GROUP BY customer, (5 * random())::integer) AS s(customer, h) GROUP BY customer'),
		-- partial results as text
		pg_temp.bits('SELECT customer, segment.rollup(h::text::segment.history) FROM partial GROUP BY customer')];
	DROP TABLE partial;
	RETURN (SELECT string_agg(DISTINCT r, ' ') FROM unnest(result) r);
END
$$;
SELECT is(pg_temp.rearranged(trial), :'bits', 'rearranged and merged the same bits come out, trial ' || trial)
FROM generate_series(1, 16) trial;

-- states that were never finished, as a distributed engine moves them
CREATE AGGREGATE pg_temp.state(date, numeric) (SFUNC = segment_internal.history_accum, STYPE = segment.history);
CREATE AGGREGATE pg_temp.combine(segment.history) (SFUNC = segment_internal.history_combine, STYPE = segment.history);
CREATE TABLE state AS SELECT customer, part, pg_temp.state(day, amount) AS h FROM event GROUP BY customer, part;
SELECT is(pg_temp.bits('SELECT customer, segment_internal.history_final(pg_temp.combine(h)) FROM state GROUP BY customer'), :'bits',
	'states combine');
SELECT is(pg_temp.bits('SELECT customer, segment_internal.history_final(pg_temp.combine(h::text::segment.history)) FROM state GROUP BY customer'), :'bits',
	'states combine after a way as text');
SELECT is(pg_temp.bits('SELECT customer, segment.rollup(h) FROM state GROUP BY customer'), :'bits', 'states roll up');
-- ---------- what is left ----------

SET LOCAL search_path = public, segment;

CREATE TABLE divided AS
SELECT e.customer, segment.history_agg(e.day, e.amount) AS everything,
	segment.history_agg(e.day, e.amount) FILTER (WHERE e.taken) AS taken, segment.history_agg(e.day, e.amount) FILTER (WHERE NOT e.taken) AS rest
FROM (SELECT customer, day, amount, random() < (customer % 5) / 4.0 AS taken FROM event WHERE day IS NOT NULL AND amount IS NOT NULL) AS e
GROUP BY e.customer;
SELECT cmp_ok(count(*) FILTER (WHERE taken IS NOT NULL AND rest IS NOT NULL), '>', 15::bigint, 'histories of which a part is taken') FROM divided;
SELECT is_empty($$ SELECT * FROM divided WHERE everything OPERATOR(segment.-) taken IS DISTINCT FROM coalesce(rest, '{}') AND taken IS NOT NULL $$,
	'what is left is the history of the other events');
SELECT is_empty($$ SELECT * FROM divided WHERE segment_internal.history_hash(everything OPERATOR(segment.-) taken) <> segment_internal.history_hash(coalesce(rest, '{}')) $$,
	'with the same hash');
SELECT is_empty($$ SELECT * FROM divided WHERE (everything OPERATOR(segment.-) rest) OPERATOR(segment.+) rest <> everything
	OR everything OPERATOR(segment.-) everything <> '{}' OR (everything OPERATOR(segment.-) '{}')::text <> everything::text $$,
	'everything comes back, and nothing is left of itself');
SELECT is(a::segment.history OPERATOR(segment.-) b::segment.history, r::segment.history, format('%s - %s', a, b))
FROM (VALUES ('{2024-01-01: 5.00/2 -3.00, 1960-02-29: 7}', '{2024-01-01: 2 -3}', '{1960-02-29: 7, 2024-01-01: 3}'),
	('{2024-01-01: 0/3}', '{2024-01-01: 0}', '{2024-01-01: 0/2}'), ('{}', '{}', '{}'),
	('{2024-01-01: 5/2}', '{2024-01-01: 1.001}', '{2024-01-01: 3.999}')) AS v(a, b, r);
SELECT is(('{2024-01-01: 5.00}'::segment.history OPERATOR(segment.+) '{2024-01-02: 1.5000}' OPERATOR(segment.-) '{2024-01-02: 1.5}')::text,
	'{2024-01-01: 5.0000}', 'as many decimals as in the first');
SELECT throws_ok(format('SELECT %L::segment.history OPERATOR(segment.-) %L::segment.history', a, b), '22023',
	'cannot subtract more from a history than there is on ' || day, format('%s - %s', a, b))
FROM (VALUES ('{2024-01-01: 5}', '{2024-01-02: 5}', '2024-01-02'), ('{2024-01-02: 5}', '{2024-01-01: 5, 2024-01-02: 9}', '2024-01-01'),
	('{2024-01-02: 5}', '{2024-01-02: 6}', '2024-01-02'), ('{2024-01-02: 5}', '{2024-01-02: 4}', '2024-01-02'),
	('{2024-01-02: 5/2}', '{2024-01-02: 5/3}', '2024-01-02'), ('{2024-01-02: -5/2}', '{2024-01-02: -5}', '2024-01-02'),
	('{2024-01-02: 5}', '{2024-01-02: -5}', '2024-01-02'), ('{}', '{2024-01-02: 0}', '2024-01-02')) AS v(a, b, day);
SELECT is(NULL::segment.history OPERATOR(segment.-) '{2024-01-02: 0}', NULL, 'NULL is not known');
RESET search_path;

SELECT current_setting('data_directory') || '/segment_history_' || pg_backend_pid() AS file \gset
COPY state TO :'file' (FORMAT binary);
CREATE TABLE state_again (LIKE state);
COPY state_again FROM :'file' (FORMAT binary);
SELECT is(pg_temp.bits('SELECT customer, segment_internal.history_final(pg_temp.combine(h)) FROM state_again GROUP BY customer'), :'bits',
	'states combine after a way in binary form');
COPY reference TO :'file' (FORMAT binary);
CREATE TABLE reference_again (LIKE reference);
COPY reference_again FROM :'file' (FORMAT binary);
SELECT is(pg_temp.bits('SELECT * FROM reference_again'), :'bits', 'the binary form is lossless');
COPY (SELECT 1 WHERE false) TO :'file';
CREATE TABLE reference_copied (LIKE reference);
INSERT INTO reference_copied SELECT customer, h::text::segment.history FROM reference;
SELECT is(pg_temp.bits('SELECT * FROM reference_copied'), :'bits', 'the text form is lossless');

-- workers and partitions
SELECT ok(NOT pg_temp.plan_has('SELECT customer, segment.history_agg(day, amount) FROM event GROUP BY customer', 'Partial'),
	'the reference is serial');
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
CREATE FUNCTION pg_temp.with_workers(workers integer, leader text) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('max_parallel_workers_per_gather', workers::text, true),
		set_config('parallel_leader_participation', leader, true);
	RETURN concat_ws(' ',
		pg_temp.bits('SELECT customer, segment.history_agg(day, amount) FROM event GROUP BY customer'),
		pg_temp.bits('SELECT 0, segment.history_agg(day, amount) FROM event WHERE customer <= 32'));
END
$$;
SET LOCAL max_parallel_workers_per_gather = 4;
SELECT ok(pg_temp.plan_has('SELECT segment.history_agg(day, amount) FROM event', 'Partial Aggregate'), 'history_agg can run in parallel');
SELECT ok(pg_temp.plan_has('SELECT segment.history_agg(day, amount, ''UTC'') FROM event', 'Partial Aggregate'), 'also with a time zone');
SELECT ok(pg_temp.plan_has('SELECT segment.rollup(h) FROM state', 'Partial Aggregate'), 'rollup can run in parallel');
SELECT is(pg_temp.with_workers(workers, leader), :'bits' || ' ' || :'total_bits', format('%s workers, leader %s', workers, leader))
FROM generate_series(0, 4) workers, unnest('{on,off}'::text[]) leader;
SET LOCAL enable_hashagg = off;
SELECT is(pg_temp.with_workers(2, 'on'), :'bits' || ' ' || :'total_bits', 'sorted groups');
RESET enable_hashagg;
SELECT is(pg_temp.bits('SELECT customer, segment.rollup(h) FROM state GROUP BY customer'), :'bits', 'parallel rollup');
SET LOCAL parallel_leader_participation = off;
SELECT set_config(name, CASE name WHEN 'force_parallel_mode' THEN 'regress' ELSE 'on' END, true) IS NULL
FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query') \g /dev/null
SELECT is(pg_temp.with_workers(4, 'off'), :'bits' || ' ' || :'total_bits', 'parallel mode forced');
SELECT is(pg_temp.bits('SELECT 0, segment.history_agg(day, amount) FROM event WHERE customer = 36'), md5('0:null'), 'no rows in any worker');
SELECT is(pg_temp.bits('SELECT 34, segment.history_agg(day, amount) FROM event WHERE customer = 34'),
	pg_temp.bits('SELECT customer, h FROM reference WHERE customer = 34'), 'rows in one worker only');
SELECT set_config(name, 'off', true) IS NULL
FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query') \g /dev/null
SET LOCAL max_parallel_workers_per_gather = 0;
CREATE TABLE event_parted (LIKE event) PARTITION BY LIST (part);
SELECT format('CREATE TABLE event_part_%s PARTITION OF event_parted FOR VALUES IN (%s)', i, i) FROM generate_series(0, 9) i \gexec
INSERT INTO event_parted SELECT * FROM event;
ANALYZE event_parted;
SET LOCAL enable_partitionwise_aggregate = on;
SELECT ok(pg_temp.plan_has('SELECT customer, segment.history_agg(day, amount) FROM event_parted GROUP BY customer', 'Partial'),
	'partitions are aggregated one by one');
SELECT is(pg_temp.bits('SELECT customer, segment.history_agg(day, amount) FROM event_parted GROUP BY customer'), :'bits',
	'partitions give the same bits');
SET LOCAL enable_partitionwise_aggregate = off;
-- little memory: groups go to disk and come back
SET LOCAL work_mem = '64kB';
SELECT is(pg_temp.bits('SELECT customer, segment.history_agg(day, amount) FROM event GROUP BY customer'), :'bits', 'little memory');
RESET work_mem;

-- ---------- as of a day, and parts ----------

SELECT setseed(0.5);
CREATE TABLE moment AS
SELECT r.customer, r.h, d.d AS day, CASE WHEN d.d > '5874000-01-01' THEN d.d ELSE d.d + (100 * random())::integer END AS until
FROM reference r, LATERAL (
	SELECT day AS d FROM (SELECT e.day FROM event e WHERE e.customer = r.customer AND e.day IS NOT NULL ORDER BY random() LIMIT 6) AS s
	UNION ALL SELECT day - 1 FROM (SELECT e.day FROM event e WHERE e.customer = r.customer AND e.day > '4714-12-01 BC' ORDER BY random() LIMIT 3) AS s
	UNION ALL SELECT date '2019-12-31' + (310 * random())::integer FROM generate_series(1, 6)
	UNION ALL SELECT unnest('{4714-11-24 BC,0001-01-01,5874800-12-31}'::date[])) AS d;
SELECT cmp_ok((SELECT count(*) FROM moment), '>', 500::bigint, 'enough days');
SELECT is_empty($$
	SELECT customer, day FROM moment m WHERE NOT pg_temp.same(segment.as_of(h, day),
		(SELECT segment.history_agg(e.day, amount) FROM event e WHERE e.customer = m.customer AND e.day <= m.day)) $$,
	'as_of is the history of the rows up to a day');
SELECT is_empty($$
	SELECT customer, day, until FROM moment m WHERE NOT pg_temp.same(segment.during(h, day, until),
		(SELECT segment.history_agg(e.day, amount) FROM event e WHERE e.customer = m.customer AND e.day BETWEEN m.day AND m.until)) $$,
	'during is the history of the rows in a range');
SELECT is_empty($$
	SELECT customer, day FROM moment m,
		LATERAL (SELECT segment.as_of(h, day) AS known,
			CASE WHEN day < '5874897-12-31' THEN segment.during(h, day + 1, '5874897-12-31') END AS later) AS s
	WHERE NOT pg_temp.same(h, COALESCE(known OPERATOR(segment.+) later, known, later)) $$,
	'what was known and what came after make up the whole');
SELECT is_empty($$
	SELECT customer, day FROM moment WHERE NOT pg_temp.same(segment.as_of(h, day), segment.during(h, '4714-11-24 BC', day)) $$,
	'as_of is during from the beginning');
SELECT is_empty($$
	SELECT customer, day FROM moment, segment.as_of(h, day) k, segment.measures(h, day) m
	WHERE (m.orders, m.refunds, m.purchase_days, m.first_day, m.last_day, m.days_since_last, m.tenure_days,
			m.gross, m.refunded, m.net, m.average_order, m.mean_gap_days, m.gap_cv) IS DISTINCT FROM
		(segment.orders(k), segment.refunds(k), segment.purchase_days(k), segment.first_day(k), segment.last_day(k),
			segment.days_since_last(k, day), segment.tenure_days(k, day), segment.gross(k), segment.refunded(k), segment.net(k),
			segment.average_order(k), segment.mean_gap_days(k), segment.gap_cv(k))
		OR (m.monetary IS NULL) <> (k IS NULL) OR abs(m.monetary - segment.net(k)::float8) > 1e-15 * abs(segment.net(k)::float8)
		OR (m.mean_repeat_spend IS NULL) <> (segment.purchase_days(k) IS NOT DISTINCT FROM 0 OR k IS NULL)
		OR abs(m.mean_repeat_spend - (segment.cbs(k, day)).mean_repeat_spend::float8) > 1e-15 * m.mean_repeat_spend $$,
	'measures are the accessors of what was known');
SELECT is_empty($$
	SELECT customer, day FROM moment m, LATERAL (SELECT segment.as_of(h, day) AS k) AS s
	WHERE segment.days_since_last(h, day) IS DISTINCT FROM day - segment.last_day(k)
		OR segment.tenure_days(h, day) IS DISTINCT FROM day - segment.first_day(k)
		OR segment.cbs(h, day, 'day') IS DISTINCT FROM segment.cbs(k, day, 'day') $$,
	'recency, tenure and model inputs depend on what was known only');
SELECT is_empty($$
	SELECT customer, day FROM moment m, segment.cbs(h, day, 'day') c
	WHERE (c.x, c.t_x, c.t) IS DISTINCT FROM (NULLIF(segment.purchase_days(segment.as_of(h, day)), 0) - 1,
		segment.last_day(segment.as_of(h, day)) - segment.first_day(segment.as_of(h, day)), segment.tenure_days(h, day)) $$,
	'model inputs count repeat purchase days, and days');
SELECT is_empty($$
	SELECT customer FROM moment WHERE segment.days_since_last(h, day) < 0 OR segment.tenure_days(h, day) < segment.days_since_last(h, day) $$,
	'0 <= recency <= tenure');
SELECT is_empty($$
	SELECT a.customer, b.customer FROM reference a, reference b
	WHERE a.customer < 33 AND b.customer < 33 AND segment_internal.history_send(a.h OPERATOR(segment.+) b.h) IS DISTINCT FROM
			segment_internal.history_send(b.h OPERATOR(segment.+) a.h)
		OR a.customer <> b.customer AND a.customer + b.customer < 20 AND NOT pg_temp.same(a.h OPERATOR(segment.+) b.h,
			(SELECT segment.history_agg(day, amount) FROM event WHERE customer IN (a.customer, b.customer))) $$,
	'the sum of two histories is the history of all rows');
-- equal values are equal under all four views of equality
SELECT is_empty($$
	SELECT a.customer, b.customer FROM reference a, reference b,
		LATERAL (SELECT a.h::text::segment.history AS x, b.h AS y) AS s
	WHERE (a.customer = b.customer) <> (x OPERATOR(segment.=) y)
		OR (x OPERATOR(segment.=) y) <> (segment_internal.history_cmp(x, y) = 0)
		OR (x OPERATOR(segment.=) y) AND (segment_internal.history_hash(x) <> segment_internal.history_hash(y)
			OR segment_internal.history_hash_extended(x, 5) <> segment_internal.history_hash_extended(y, 5)) $$,
	'equality, order and hash agree');

-- ---------- time zones ----------

-- Each zone, at random times and around each change of the clock in two years.
CREATE TABLE instant AS
SELECT timestamptz '1900-01-01+00' + 200 * 365.25 * random() * interval '1 day' AS at FROM generate_series(1, 400)
UNION ALL SELECT timestamptz '2024-01-01+00' + i * interval '1 hour' + (random() * 3599) * interval '1 second'
	FROM generate_series(0, 366 * 24, 5) i
UNION ALL SELECT unnest('{4714-12-01 00:00+00 BC,0001-01-01 00:00+00,1969-12-31 23:59:59.999999+00,1970-01-01 00:00+00,2038-01-19 03:14:08+00,2500-07-01 12:00+00,294276-12-30 12:00+00}'::timestamptz[]);
CREATE TABLE zone AS
SELECT name FROM pg_timezone_names
WHERE name ~ '^(UTC|GMT|EST5EDT|Africa/Casablanca|Africa/Monrovia|America/New_York|America/St_Johns|America/Sao_Paulo|America/Caracas|Antarctica/Troll|Asia/Kolkata|Asia/Kathmandu|Asia/Shanghai|Asia/Tehran|Asia/Gaza|Atlantic/Azores|Australia/Lord_Howe|Europe/London|Europe/Dublin|Europe/Moscow|Europe/Amsterdam|Pacific/Apia|Pacific/Chatham|Pacific/Kiritimati|Pacific/Kwajalein|Pacific/Pago_Pago|Etc/GMT.*)$';
SELECT cmp_ok((SELECT count(*) FROM zone), '>', 20::bigint, 'enough time zones');
SET LOCAL timezone = 'America/Los_Angeles';
SELECT is_empty($$
	SELECT name, s.day, s.n FROM zone, LATERAL (
		SELECT day, orders AS n FROM segment.unnest((SELECT segment.history_agg(at, 1, name ORDER BY md5(at::text)) FROM instant))
		EXCEPT SELECT (at AT TIME ZONE name)::date, count(*) FROM instant GROUP BY 1) AS s $$,
	'the day is that of AT TIME ZONE');
SELECT is_empty($$
	SELECT at FROM instant WHERE at > '1800-01-01' AND NOT pg_temp.same(
		(SELECT segment.history_agg(at, 1, name) FROM zone), (SELECT segment.history_agg((at AT TIME ZONE name)::date, 1) FROM zone)) $$,
	'also when the zone changes with every row');
SET LOCAL timezone = 'UTC';
SELECT is_empty($$
	SELECT name FROM zone WHERE NOT pg_temp.same((SELECT segment.history_agg(at, 1, upper(name)) FROM instant),
		(SELECT segment.history_agg(at, 1, name) FROM instant)) $$, 'names of zones in capitals, as elsewhere');

-- ---------- window frames: the state outlives its result ----------

CREATE TABLE framed AS
SELECT row_number() OVER () AS n, day, amount FROM event WHERE customer IN (20, 31, 36) AND id % 7 = 0 OR customer = 34 ORDER BY id;
CREATE FUNCTION pg_temp.frame_errors(frame text, low text, high text) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
	result bigint;
BEGIN
	EXECUTE format($q$
		SELECT count(*) FROM (
			SELECT n, segment.history_agg(day, amount) OVER w AS h,
				segment.rollup(segment_internal.history_accum(NULL, day, amount)) OVER w AS r,
				segment.history_agg(day + time '22:00' AT TIME ZONE 'UTC', amount, 'Asia/Tokyo') OVER w AS z
			FROM framed WHERE n <= 400 WINDOW w AS (ORDER BY n ROWS BETWEEN %s)) AS f, LATERAL (
			SELECT segment.history_agg(day, amount) AS h, segment.history_agg(day + 1, amount) AS z
			FROM framed c WHERE c.n BETWEEN %s AND %s AND c.n <= 400) AS s
		WHERE segment_internal.history_send(f.h) IS DISTINCT FROM segment_internal.history_send(s.h)
			OR segment_internal.history_send(f.r) IS DISTINCT FROM segment_internal.history_send(s.h)
			OR segment_internal.history_send(f.z) IS DISTINCT FROM segment_internal.history_send(s.z)
		$q$, frame, low, high)
	INTO result;
	RETURN result;
END
$$;
SELECT cmp_ok((SELECT count(*) FROM framed), '>', 400::bigint, 'rows for frames');
SELECT is(pg_temp.frame_errors('UNBOUNDED PRECEDING AND CURRENT ROW', '1', 'f.n'), 0::bigint, 'growing frames');
SELECT is(pg_temp.frame_errors('30 PRECEDING AND 10 FOLLOWING', 'f.n - 30', 'f.n + 10'), 0::bigint, 'sliding frames');
SELECT is(pg_temp.frame_errors('CURRENT ROW AND CURRENT ROW', 'f.n', 'f.n'), 0::bigint, 'frames of one row');
SELECT is(pg_temp.frame_errors('CURRENT ROW AND UNBOUNDED FOLLOWING', 'f.n', '400'), 0::bigint, 'shrinking frames');
-- one state, several results
CREATE FUNCTION pg_temp.final_twice(segment.history) RETURNS segment.history LANGUAGE sql AS
$$ SELECT segment_internal.history_final($1) OPERATOR(segment.+) segment_internal.history_final($1) $$;
CREATE AGGREGATE pg_temp.twice(date, numeric) (SFUNC = segment_internal.history_accum, STYPE = segment.history, FINALFUNC = pg_temp.final_twice);
SELECT is_empty($$
	SELECT customer FROM (SELECT customer, pg_temp.twice(day, amount) AS t, segment.history_agg(day, amount) AS h FROM event WHERE customer <> 33 GROUP BY customer) AS s
	WHERE NOT pg_temp.same(t, h OPERATOR(segment.+) h) $$, 'the final function leaves a shared state alone');

-- ---------- by hand ----------

CREATE TABLE untouched AS SELECT customer, h, segment_internal.history_send(h) AS bytes FROM reference
UNION ALL SELECT customer, h, segment_internal.history_send(h) FROM state;
SELECT lives_ok($$
	SELECT segment_internal.history_accum(h, '2040-01-01', 1.000000001), segment_internal.history_combine(h, h), segment_internal.history_final(h)
	FROM untouched WHERE customer <> 33 $$, 'support functions by hand');
SELECT is_empty($$ SELECT customer FROM untouched WHERE segment_internal.history_send(h) IS DISTINCT FROM bytes $$, 'leave stored values alone');
DO $$
DECLARE
	h segment.history := '{2020-01-01: 1}';
	before bytea := segment_internal.history_send(h);
BEGIN
	PERFORM segment_internal.history_accum(h, '2020-01-01', 1), segment_internal.history_combine(h, h);
	IF segment_internal.history_send(h) <> before THEN
		RAISE 'a variable was changed';
	END IF;
END
$$;
SELECT pass('variables too');

-- ---------- settings ----------

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
	SELECT bool_and(pg_catalog.md5(h::pg_catalog.text) OPERATOR(pg_catalog.=) t
		AND segment_internal.history_send(h::pg_catalog.text::segment.history) OPERATOR(pg_catalog.=) segment_internal.history_send(h))
	INTO result FROM public.written WHERE h IS NOT NULL;
	FOR i IN 1 .. pg_catalog.array_length(settings, 1) LOOP
		PERFORM pg_catalog.set_config(saved[i][1], saved[i][2], true);
	END LOOP;
	RETURN result;
END
$$;
CREATE TABLE public.written AS SELECT h, md5(h::text) AS t FROM reference;
SELECT ok(pg_temp.under(s.s), 'the text form under ' || s.s::text)
FROM (VALUES ('{{extra_float_digits,-15},{datestyle,"SQL, DMY"},{intervalstyle,sql_standard},{timezone,Asia/Kathmandu}}'::text[]),
	('{{extra_float_digits,3},{datestyle,"German, DMY"},{intervalstyle,iso_8601},{timezone,Pacific/Apia}}'),
	('{{datestyle,"Postgres, MDY"},{timezone,America/New_York},{timezone_abbreviations,Australia}}'),
	('{{lc_numeric,C},{lc_monetary,C},{lc_time,C},{bytea_output,escape},{standard_conforming_strings,on}}'),
	('{{search_path,""}}')) AS s(s);

-- ---------- cancelling ----------

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
CREATE TABLE long AS
SELECT segment.history_agg(date '2000-01-01 BC' + i, i % 1000 + 0.5) AS h FROM (SELECT generate_series(1, 500000) AS i) AS s;
SET LOCAL statement_timeout = '100ms';
SELECT is(pg_temp.cancelled($$ SELECT segment.history_agg('2020-01-01'::date + i % 100000, i) FROM (SELECT generate_series(1, 100000000) AS i) AS s $$),
	'57014', 'history_agg is cancelled at once');
SET LOCAL statement_timeout = '100ms';
SELECT is(pg_temp.cancelled($$ SELECT segment.rollup(h) FROM long, generate_series(1, 1000) $$), '57014', 'rollup is cancelled at once');
SET LOCAL statement_timeout = '100ms';
SELECT is(pg_temp.cancelled($$ SELECT max(segment.net(segment.during(h OPERATOR(segment.+) h, '1000-01-01 BC', '0001-01-01'))) FROM long, generate_series(1, 1000) $$),
	'57014', 'sums and parts are cancelled at once');
SET LOCAL statement_timeout = '100ms';
SELECT is(pg_temp.cancelled($$ SELECT max(length(h::text::segment.history::text)) FROM long, generate_series(1, 1000) i WHERE i > 0 $$),
	'57014', 'input and output are cancelled at once');
SET LOCAL statement_timeout = 0;

SELECT * FROM finish();
ROLLBACK;
