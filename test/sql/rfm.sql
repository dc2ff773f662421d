--
-- rfm: text and binary form, aggregates, accessors, refusals, comparison
--
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SET extra_float_digits = 1;

\getenv test_directory PG_ABS_SRCDIR
\set helpers :test_directory '/helpers.sql'
\set failure_form detail
\set ECHO none
\i :helpers
\set ECHO all

-- ---------- an example ----------

CREATE TABLE rfm_order (customer integer, at timestamptz, amount numeric);
INSERT INTO rfm_order VALUES
	(1, '2020-03-01 10:00+00', 20.00), (1, '2020-01-15 09:30+00', 10.50), (1, '2020-02-01 12:00+00', -5.25),
	(2, '2020-05-05 05:05:05.123456+00', 0),
	(3, '2020-06-01+00', -7),
	(4, NULL, 1), (4, '2020-01-01+00', NULL),
	(5, NULL, 1), (5, '2020-01-01+00', 99.999), (5, '2020-01-02+00', NULL);
CREATE TABLE rfm_customer AS
SELECT customer, segment.rfm_agg(at, amount) AS r FROM rfm_order GROUP BY customer;
SELECT * FROM rfm_customer ORDER BY customer;
SELECT customer, segment.orders(r), segment.refunds(r), segment.gross(r), segment.refunded(r), segment.net(r),
	segment.average_order(r)
FROM rfm_customer ORDER BY customer;
SELECT customer, segment.first_at(r), segment.last_at(r),
	segment.days_since_last(r, '2020-03-01 22:00+00'), segment.tenure_days(r, '2020-03-01 22:00+00')
FROM rfm_customer ORDER BY customer;
SELECT segment.rollup(r) FROM rfm_customer;

-- NULL in, NULL out
SELECT segment.orders(NULL::segment.rfm), segment.refunds(NULL::segment.rfm), segment.gross(NULL::segment.rfm),
	segment.refunded(NULL::segment.rfm), segment.net(NULL::segment.rfm), segment.average_order(NULL::segment.rfm),
	segment.first_at(NULL::segment.rfm), segment.last_at(NULL::segment.rfm),
	segment.days_since_last(NULL::segment.rfm, now()), segment.tenure_days(NULL::segment.rfm, now());
SELECT segment.days_since_last(r, NULL), segment.tenure_days(r, NULL) FROM rfm_customer WHERE customer = 1;
-- no rows, no rows left, NULL rows only
SELECT segment.rfm_agg(at, amount) FROM rfm_order WHERE false;
SELECT segment.rfm_agg(at, amount) FILTER (WHERE false) FROM rfm_order;
SELECT segment.rfm_agg(at, amount) FROM rfm_order WHERE customer = 4;
SELECT segment.rollup(r) FROM rfm_customer WHERE r IS NULL;
SELECT segment.rollup(r) FROM rfm_customer WHERE false;
-- one row, and rows that are all the same
SELECT segment.rfm_agg(at, amount) FROM rfm_order, generate_series(1, 3) WHERE customer = 2;
-- zero is an order, minus zero too
SELECT segment.rfm_agg('2020-01-01'::date, v) FROM (VALUES (0), (0.00), (-0.0)) AS t(v);
-- refunds move neither the first nor the last time
SELECT segment.rfm_agg(at, amount)
FROM (VALUES ('2020-01-01+00'::timestamptz, -1.0), ('2020-02-01+00', 3), ('2020-03-01+00', -1)) AS t(at, amount);
SELECT segment.days_since_last(r, '2021-01-01'), segment.tenure_days(r, '2021-01-01'), segment.average_order(r), segment.net(r)
FROM rfm_customer WHERE customer = 3;

-- ---------- time ----------

-- a date is its midnight in UTC, whatever the time zone of the session
SET timezone = 'Pacific/Kiritimati';
SELECT segment.first_at(segment.rfm_agg('2020-03-08'::date, 1)) = '2020-03-08 00:00+00' AS numeric,
	segment.first_at(segment.rfm_agg('2020-03-08'::date, 1::float8)) = '2020-03-08 00:00+00' AS float8,
	segment.first_at(segment.rfm_agg('2020-03-08'::date, 1::bigint)) = '2020-03-08 00:00+00' AS bigint,
	segment.rfm_agg('2020-03-08'::date, 1);
SET timezone = 'America/Los_Angeles';
SELECT segment.rfm_agg('2020-03-08'::date, 1), segment.rfm_agg('2020-03-08 03:00'::timestamptz, 1);
SET timezone = 'UTC';
-- the ends of the ranges
SELECT segment.rfm_agg(at, 1.0) FROM (VALUES
	('4714-11-24 00:00:00+00 BC'::timestamptz), ('294276-12-31 23:59:59.999999+00'),
	('1969-12-31 23:59:59.999999+00'), ('0001-12-31 23:59:59.5+00 BC')) AS t(at) GROUP BY at ORDER BY at;
SELECT segment.days_since_last(r, '294276-12-31 23:59:59.999999+00'), segment.tenure_days(r, '294276-12-31 23:59:59.999999+00'),
	segment.days_since_last(r, '4714-11-24 00:00:00+00 BC')
FROM (SELECT segment.rfm_agg('4714-11-24 00:00:00+00 BC'::timestamptz, 1.0) AS r) AS s;
SELECT segment.rfm_agg(at, 1.0) FROM (VALUES ('4714-11-24 BC'::date), ('294276-12-31'), ('1900-02-28'), ('2100-03-01')) AS t(at)
GROUP BY at ORDER BY at;
SELECT day, pg_temp.failure(format('SELECT segment.rfm_agg(%L::date, 1.0)', day)) AS "order",
	pg_temp.failure(format('SELECT segment.rfm_agg(%L::date, -1::bigint)', day)) AS refund
FROM unnest('{294277-01-01,5874897-12-31,infinity,-infinity}'::text[]) day;
SELECT at, pg_temp.failure(format('SELECT segment.rfm_agg(%L::timestamptz, 1.0)', at)) AS "order",
	pg_temp.failure(format('SELECT segment.rfm_agg(%L::timestamptz, -1::float8)', at)) AS refund,
	pg_temp.failure(format('SELECT segment.days_since_last(r, %L) FROM rfm_customer', at)) AS as_of,
	pg_temp.failure(format('SELECT segment.tenure_days(r, %L) FROM rfm_customer', at)) AS tenure
FROM unnest('{infinity,-infinity}'::text[]) at;

-- ---------- the type ----------

-- what comes out goes in
SELECT v::segment.rfm::text = v AS same, v::segment.rfm FROM unnest(ARRAY[
	'(orders=0,refunds=0,gross=0,refunded=0)',
	'(orders=1,refunds=0,gross=0,refunded=0,first=2020-01-01 00:00:00+00,last=2020-01-01 00:00:00+00)',
	'(orders=0,refunds=2,gross=0.00,refunded=1.50)',
	'(orders=9223372036854775807,refunds=9223372036854775807,gross=999999999999999999999999999.999999999,refunded=999999999999999999999999999.999999999,first=4714-11-24 00:00:00+00 BC,last=294276-12-31 23:59:59.999999+00)'
	]) v;
-- white space between the fields, zeros and other time zones are read, but not written
SELECT v::segment.rfm FROM unnest(ARRAY[
	'   (orders=1 ,refunds=0 ,gross=1.50 ,refunded=0,first=2020-01-01 00:00:00+00 ,last=2020-01-01 00:00:00+00 ) ',
	'(orders=01,refunds=00,gross=000000000000000000000000000000000001.5,refunded=0.000,first=2020-01-01 01:00:00+01,last=2019-12-31 16:00:00-08:00)',
	'(orders=1,refunds=0,gross=1,refunded=0,first=0044-03-15 12:00:00.5+00:53:28 BC,last=0044-03-15 12:00:00.5+00:53:28 BC)'
	]) v;
CREATE TEMP TABLE wrong_literal (n integer GENERATED ALWAYS AS IDENTITY, v text);
INSERT INTO wrong_literal (v) VALUES
	(''), (' '), ('('), ('()'), ('null'), ('0'), ('{}'),
	('(orders=0,refunds=0,gross=0,refunded=0'),
	('(orders=0,refunds=0,gross=0,refunded=0))'),
	('(orders=0,refunds=0,gross=0,refunded=0) x'),
	('(refunds=0,orders=0,gross=0,refunded=0)'),
	('(ORDERS=0,refunds=0,gross=0,refunded=0)'),
	('(orders=,refunds=0,gross=0,refunded=0)'),
	('(orders=-1,refunds=0,gross=0,refunded=0)'),
	('(orders=+1,refunds=0,gross=0,refunded=0)'),
	('(orders=0x0,refunds=0,gross=0,refunded=0)'),
	('(orders=1.0,refunds=0,gross=0,refunded=0)'),
	('(orders=9223372036854775808,refunds=0,gross=0,refunded=0,first=2020-01-01 00:00:00+00,last=2020-01-01 00:00:00+00)'),
	('(orders=0,refunds=1,gross=0,refunded=-1)'),
	('(orders=0,refunds=1,gross=0,refunded=1e3)'),
	('(orders=0,refunds=1,gross=0,refunded=.5)'),
	('(orders=0,refunds=1,gross=0,refunded=5.)'),
	('(orders=0,refunds=1,gross=0,refunded=1,5)'),
	('(orders=0,refunds=1,gross=0,refunded=NaN)'),
	('(orders=0,refunds=1,gross=0,refunded=Infinity)'),
	('(orders=0,refunds=1,gross=0,refunded=1.0000000000)'),
	('(orders=0,refunds=1,gross=0,refunded=1000000000000000000000000000)'),
	('(orders=1,refunds=0,gross=1,refunded=0,first=2020-01-01 00:00:00+00)'),
	('(orders=1,refunds=0,gross=1,refunded=0,last=2020-01-01 00:00:00+00,first=2020-01-01 00:00:00+00)'),
	('(orders=1,refunds=0,gross=1,refunded=0,first=,last=)'),
	('(orders=1,refunds=0,gross=1,refunded=0,first=now,last=now)'),
	('(orders=1,refunds=0,gross=1,refunded=0,first=infinity,last=infinity)'),
	('(orders=1,refunds=0,gross=1,refunded=0,first=2020-01-01,last=2020-01-01)'),
	('(orders=1,refunds=0,gross=1,refunded=0,first=2020-01-01 00:00:00,last=2020-01-01 00:00:00)'),
	('(orders=1,refunds=0,gross=1,refunded=0,first=01-02-2020 00:00:00+00,last=01-02-2020 00:00:00+00)'),
	('(orders=1,refunds=0,gross=1,refunded=0,first=2020-01-01 00:00:00 PST,last=2020-01-01 00:00:00 PST)'),
	('(orders=1,refunds=0,gross=1,refunded=0,first=2020-01-01 10:00 BCC+3,last=2020-01-01 10:00 BCC+3)'),
	('(orders=1,refunds=0,gross=1,refunded=0,first=2020-02-30 00:00:00+00,last=2020-02-30 00:00:00+00)'),
	('(orders=1,refunds=0,gross=1,refunded=0,first=2020-13-01 00:00:00+00,last=2020-13-01 00:00:00+00)'),
	('(orders=1,refunds=0,gross=1,refunded=0,first=2020-01-01 25:00:00+00,last=2020-01-01 25:00:00+00)'),
	('(orders=1,refunds=0,gross=1,refunded=0,first=2020-01-01 00:00:00+99,last=2020-01-01 00:00:00+99)'),
	('(orders=1,refunds=0,gross=1,refunded=0,first=2020-01-01 00:00:00.1234567+00,last=2020-01-01 00:00:00+00)'),
	('(orders=1,refunds=0,gross=1,refunded=0,first=0000-01-01 00:00:00+00,last=2020-01-01 00:00:00+00)'),
	('(orders=1,refunds=0,gross=1,refunded=0,first=4714-11-23 00:00:00+00 BC,last=2020-01-01 00:00:00+00)'),
	('(orders=1,refunds=0,gross=1,refunded=0,first=2020-01-01 00:00:00+00,last=294277-01-01 00:00:00+00)'),
	-- read, but against the rules
	('(orders=0,refunds=0,gross=1,refunded=0)'),
	('(orders=0,refunds=0,gross=0,refunded=1)'),
	('(orders=0,refunds=1,gross=0,refunded=0)'),
	('(orders=1,refunds=0,gross=1,refunded=0)'),
	('(orders=0,refunds=0,gross=0,refunded=0,first=2020-01-01 00:00:00+00,last=2020-01-01 00:00:00+00)'),
	('(orders=2,refunds=0,gross=1,refunded=0,first=2020-01-02 00:00:00+00,last=2020-01-01 00:00:00+00)'),
	('(orders=1,refunds=0,gross=1,refunded=0,first=2020-01-01 00:00:00+00,last=2020-01-02 00:00:00+00)');
SELECT n, pg_temp.failure(format('SELECT %L::segment.rfm', v)) FROM wrong_literal ORDER BY n;
-- soft errors came with PostgreSQL 16, COPY's ON_ERROR with 17
SELECT current_setting('server_version_num')::integer >= 160000 AS has_soft_errors \gset
\if :has_soft_errors
SELECT bool_and(NOT pg_input_is_valid(v, 'segment.rfm')) AS refused FROM wrong_literal \gset
\else
\set refused t
\endif
\echo soft errors: :refused
-- no type modifier
SELECT pg_temp.failure('SELECT NULL::segment.rfm(3)');
SELECT typlen, typalign, typbyval FROM pg_type WHERE oid = 'segment.rfm'::regtype;
SELECT pg_column_size(r) FROM rfm_customer WHERE customer = 1;

-- the binary form: eight words of eight bytes, most significant first
SELECT segment_internal.rfm_send('(orders=2,refunds=1,gross=3.00,refunded=0.25,first=2000-01-01 00:00:00+00,last=2000-01-01 00:00:01+00)');

-- ---------- support functions by hand ----------

-- they leave what is stored alone
SELECT segment_internal.rfm_accum(r, '2030-01-01+00'::timestamptz, 1.125) FROM rfm_customer ORDER BY customer;
SELECT segment_internal.rfm_combine(r, r) FROM rfm_customer ORDER BY customer;
SELECT * FROM rfm_customer ORDER BY customer;
SELECT segment_internal.rfm_accum(NULL, '2030-01-01'::date, 1.5), segment_internal.rfm_accum(NULL, NULL::date, 1.5),
	segment_internal.rfm_accum(NULL, '2030-01-01'::date, NULL::float8), segment_internal.rfm_combine(NULL, NULL);
SELECT segment_internal.rfm_combine(r, NULL), segment_internal.rfm_combine(NULL, r) FROM rfm_customer WHERE customer = 1;
-- counts cannot wrap around
SELECT pg_temp.failure($$ SELECT segment_internal.rfm_combine(r, r) FROM (SELECT '(orders=9223372036854775807,refunds=0,gross=0,refunded=0,first=2020-01-01 00:00:00+00,last=2020-01-01 00:00:00+00)'::segment.rfm AS r) AS s $$);
SELECT pg_temp.failure($$ SELECT segment_internal.rfm_accum('(orders=9223372036854775807,refunds=0,gross=0,refunded=0,first=2020-01-01 00:00:00+00,last=2020-01-01 00:00:00+00)', now(), 1.0) $$);
SELECT pg_temp.failure($$ SELECT segment_internal.rfm_accum('(orders=0,refunds=9223372036854775807,gross=0,refunded=1)', now(), -1.0) $$);

-- ---------- comparison ----------

CREATE TABLE rfm_value AS
SELECT segment.rfm_agg('2020-01-01'::date + i % 50, (i % 3)::numeric) AS r, i
FROM generate_series(1, 1000) i GROUP BY i;
INSERT INTO rfm_value VALUES (NULL, -1), (NULL, -2);
-- the display scale is not part of the value, as with numeric
SELECT a OPERATOR(segment.=) b AS eq, a OPERATOR(segment.<>) b AS ne, a OPERATOR(segment.<) b AS lt,
	a OPERATOR(segment.<=) b AS le, a OPERATOR(segment.>) b AS gt, a OPERATOR(segment.>=) b AS ge,
	segment_internal.rfm_cmp(a, b), segment_internal.rfm_hash(a) = segment_internal.rfm_hash(b) AS hash,
	segment_internal.rfm_hash_extended(a, 7) = segment_internal.rfm_hash_extended(b, 7) AS hash_extended, a::text = b::text AS text
FROM (SELECT segment.rfm_agg('2020-01-01'::date, 1.5) AS a, segment.rfm_agg('2020-01-01'::date, 1.50) AS b) AS s;
-- every field counts
WITH v AS (SELECT row_number() OVER () AS n, v::segment.rfm AS r FROM unnest(ARRAY[
	'(orders=0,refunds=0,gross=0,refunded=0)',
	'(orders=0,refunds=1,gross=0,refunded=1)',
	'(orders=0,refunds=1,gross=0,refunded=2)',
	'(orders=0,refunds=2,gross=0,refunded=1)',
	'(orders=2,refunds=0,gross=1,refunded=0,first=2020-01-01 00:00:00+00,last=2020-01-02 00:00:00+00)',
	'(orders=2,refunds=0,gross=2,refunded=0,first=2020-01-01 00:00:00+00,last=2020-01-02 00:00:00+00)',
	'(orders=3,refunds=0,gross=2,refunded=0,first=2020-01-01 00:00:00+00,last=2020-01-02 00:00:00+00)',
	'(orders=2,refunds=0,gross=1,refunded=0,first=2020-01-02 00:00:00+00,last=2020-01-02 00:00:00+00)',
	'(orders=2,refunds=0,gross=1,refunded=0,first=2020-01-01 00:00:00+00,last=2020-01-03 00:00:00+00)']) v)
SELECT count(*), count(*) FILTER (WHERE segment_internal.rfm_cmp(a.r, b.r) = sign(a.n - b.n)) AS right_order,
	count(*) FILTER (WHERE (segment_internal.rfm_hash(a.r) = segment_internal.rfm_hash(b.r)) = (a.n = b.n)) AS right_hash
FROM v a, v b;
SELECT segment_internal.rfm_hash_extended(r, 0) & 4294967295 = segment_internal.rfm_hash(r)::bigint & 4294967295 AS same_without_seed,
	segment_internal.rfm_hash_extended(r, 0) <> segment_internal.rfm_hash_extended(r, 1) AS other_with_seed
FROM rfm_customer WHERE customer = 1;

SET search_path = segment, segment_internal, public;
SELECT count(DISTINCT r), (SELECT count(*) FROM (SELECT r FROM rfm_value GROUP BY r) AS s) AS groups,
	(SELECT count(*) FROM (SELECT r FROM rfm_value UNION SELECT r FROM rfm_value) AS s) AS set
FROM rfm_value;
-- sorted by last time, then first, ...
SELECT bool_and(last_at(r) >= before) FROM (SELECT r, lag(last_at(r)) OVER (ORDER BY r) AS before FROM rfm_value) AS s;
CREATE INDEX rfm_value_btree ON rfm_value (r);
CREATE INDEX rfm_value_hash ON rfm_value USING hash (r);
CREATE UNIQUE INDEX rfm_unique ON rfm_customer (r);
SELECT pg_temp.failure('INSERT INTO rfm_customer SELECT 9, r FROM rfm_customer WHERE customer = 1') LIKE '23505%' AS unique;
ANALYZE rfm_value;
SELECT null_frac > 0 AS nulls, n_distinct, most_common_vals IS NOT NULL OR histogram_bounds IS NOT NULL AS values
FROM pg_stats WHERE tablename = 'rfm_value' AND attname = 'r';
-- joins and index scans find the same rows
CREATE TEMP TABLE joined AS
SELECT a.i AS a, b.i AS b FROM rfm_value a, rfm_value b WHERE rfm_send(a.r) = rfm_send(b.r);
SELECT count(*) FROM joined;
SET enable_nestloop = off; SET enable_mergejoin = off; SET enable_hashjoin = on;
SELECT pg_temp.plan_has('SELECT 1 FROM rfm_value a JOIN rfm_value b USING (r)', 'Hash Join') AS hash_join;
SELECT count(*) FROM (SELECT a.i, b.i FROM rfm_value a JOIN rfm_value b USING (r) EXCEPT SELECT a, b FROM joined) AS s;
SELECT count(*) FROM rfm_value a JOIN rfm_value b USING (r);
SET enable_mergejoin = on; SET enable_hashjoin = off;
SELECT pg_temp.plan_has('SELECT 1 FROM rfm_value a JOIN rfm_value b USING (r)', 'Merge Join') AS merge_join;
SELECT count(*) FROM (SELECT a.i, b.i FROM rfm_value a JOIN rfm_value b USING (r) EXCEPT SELECT a, b FROM joined) AS s;
SELECT count(*) FROM rfm_value a JOIN rfm_value b USING (r);
RESET enable_nestloop; RESET enable_hashjoin; RESET enable_mergejoin;
SET enable_seqscan = off; SET enable_bitmapscan = off;
SELECT pg_temp.plan_has('SELECT * FROM rfm_value WHERE r = (SELECT r FROM rfm_customer WHERE customer = 1)', 'Index Scan') AS index_scan;
SELECT count(*) > 0 AND count(*) = (SELECT count(*) FROM rfm_value WHERE rfm_cmp(r, v) = 0) AS eq
FROM rfm_value, (SELECT r AS v FROM rfm_value WHERE i = 500) AS s WHERE r = v GROUP BY v;
SELECT count(*) = (SELECT count(*) FROM rfm_value WHERE rfm_cmp(r, v) < 0) AS lt
FROM rfm_value, (SELECT r AS v FROM rfm_value WHERE i = 500) AS s WHERE r < v GROUP BY v;
RESET enable_seqscan; RESET enable_bitmapscan;
RESET search_path;

-- the operator classes are complete
SELECT opcname, amname, amvalidate(c.oid), opcdefault
FROM pg_opclass c JOIN pg_am a ON a.oid = opcmethod
WHERE opcintype = 'segment.rfm'::regtype ORDER BY amname;
SELECT oprname, oprcanhash, oprcanmerge, oprcom::regoper::text, oprnegate::regoper::text, oprrest, oprjoin
FROM pg_operator WHERE oprleft = 'segment.rfm'::regtype ORDER BY oprname;

DROP TABLE rfm_order, rfm_customer, rfm_value;
