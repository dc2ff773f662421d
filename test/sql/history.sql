--
-- history: text and binary form, aggregates, accessors, refusals, comparison
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

CREATE TABLE history_order (customer integer, day date, amount numeric);
INSERT INTO history_order VALUES
	(1, '2020-03-01', 20.00), (1, '2020-01-15', 10.50), (1, '2020-02-01', -5.25), (1, '2020-03-01', 7), (1, '2020-04-01', 1), (1, '2020-04-01', -1),
	(2, '2020-05-05', 0),
	(3, '2020-06-01', -7), (3, '2020-06-01', -1),
	(4, NULL, 1), (4, '2020-01-01', NULL),
	(5, NULL, 1), (5, '2020-01-01', 99.999), (5, '2020-01-02', NULL),
	(6, '2020-01-01', 1), (6, '2020-01-11', 1), (6, '2020-01-21', 1);
CREATE TABLE history_customer AS
SELECT customer, segment.history_agg(day, amount) AS h FROM history_order GROUP BY customer;
SELECT * FROM history_customer ORDER BY customer;
SELECT customer, segment.orders(h), segment.refunds(h), segment.purchase_days(h), segment.gross(h), segment.refunded(h),
	segment.net(h), segment.average_order(h)
FROM history_customer ORDER BY customer;
SELECT customer, segment.first_day(h), segment.last_day(h), segment.mean_gap_days(h), segment.gap_cv(h),
	segment.days_since_last(h, '2020-03-15'), segment.tenure_days(h, '2020-03-15')
FROM history_customer ORDER BY customer;
SELECT customer, (segment.unnest(h)).* FROM history_customer ORDER BY customer, day;
SELECT customer, segment.rfm(h) FROM history_customer ORDER BY customer;
SELECT customer, (segment.cbs(h, '2020-04-01')).*, (segment.cbs(h, '2020-04-01', 'day')).t FROM history_customer ORDER BY customer;
SELECT customer, (segment.measures(h, '2020-03-15')).* FROM history_customer ORDER BY customer;
SELECT segment.rollup(h) FROM history_customer;
SELECT a.h OPERATOR(segment.+) b.h FROM history_customer a, history_customer b WHERE a.customer = 1 AND b.customer = 6;

-- NULL in, NULL out
SELECT segment.orders(h), segment.refunds(h), segment.purchase_days(h), segment.gross(h), segment.refunded(h), segment.net(h),
	segment.average_order(h), segment.first_day(h), segment.last_day(h), segment.mean_gap_days(h), segment.gap_cv(h),
	segment.days_since_last(h, '2020-01-01'), segment.tenure_days(h, '2020-01-01'), segment.as_of(h, '2020-01-01'),
	segment.during(h, '2020-01-01', '2020-01-02'), segment.cbs(h, '2020-01-01'), segment.measures(h, '2020-01-01'),
	segment.rfm(h), h OPERATOR(segment.+) h AS sum
FROM (SELECT NULL::segment.history AS h) AS s;
SELECT segment.days_since_last(h, NULL), segment.tenure_days(h, NULL), segment.as_of(h, NULL),
	segment.during(h, NULL, '2020-01-01'), segment.during(h, '2020-01-01', NULL), segment.cbs(h, NULL),
	segment.cbs(h, '2020-04-01', NULL), segment.measures(h, NULL), h OPERATOR(segment.+) NULL AS sum
FROM history_customer WHERE customer = 1;
SELECT * FROM segment.unnest(NULL::segment.history);
-- no rows, no rows left, NULL rows only
SELECT segment.history_agg(day, amount) FROM history_order WHERE false;
SELECT segment.history_agg(day, amount) FILTER (WHERE false) FROM history_order;
SELECT segment.history_agg(day, amount) FROM history_order WHERE customer = 4;
SELECT segment.rollup(h) FROM history_customer WHERE h IS NULL;
-- a history without any day can be written, and adds nothing
SELECT h, segment.orders(h), segment.net(h), segment.first_day(h), segment.as_of(h, '2020-01-01'), segment.measures(h, '2020-01-01'),
	segment.rfm(h), h OPERATOR(segment.+) '{2020-01-01: 1}' AS sum, (SELECT count(*) FROM segment.unnest(h)) AS days
FROM (SELECT '{}'::segment.history AS h) AS s;
-- zero is an order, minus zero too; the order of rows does not matter
SELECT segment.history_agg('2020-01-01', v) FROM (VALUES (0), (0.00), (-0.0)) AS t(v);
SELECT segment.history_agg(day, amount ORDER BY day) OPERATOR(segment.=)
	segment.history_agg(day, amount ORDER BY day DESC, amount) AS same
FROM history_order;

-- ---------- what was known, and when ----------

SELECT day, segment.as_of(h, day), segment.during(h, day, '2020-03-01'), segment.days_since_last(h, day) AS days_since_last,
	segment.tenure_days(h, day) AS tenure_days, (segment.cbs(h, day, 'day')).*, (segment.measures(h, day)).purchase_days
FROM history_customer,
	unnest('{0001-01-01,2020-01-14,2020-01-15,2020-01-31,2020-02-01,2020-02-29,2020-03-01,2020-03-31,2020-04-01,5874897-12-31}'::date[]) day
WHERE customer = 1 ORDER BY day;
SELECT segment.during(h, '2020-02-01', '2020-02-01'), segment.during(h, '2020-02-02', '2020-02-29'),
	segment.during(h, '2020-03-01', '2020-01-15') AS reversed
FROM history_customer WHERE customer = 1;
-- refunds only: known, but no purchase
SELECT segment.as_of(h, '2020-06-01'), segment.days_since_last(h, '2020-07-01'), segment.cbs(h, '2020-07-01'), segment.measures(h, '2020-07-01')
FROM history_customer WHERE customer = 3;
SELECT day, pg_temp.failure(format('SELECT segment.as_of(h, %L) FROM history_customer', day)) AS as_of,
	pg_temp.failure(format('SELECT segment.during(h, %L, ''2020-01-01'') FROM history_customer', day)) AS "from",
	pg_temp.failure(format('SELECT segment.during(h, ''2020-01-01'', %L) FROM history_customer', day)) AS "to",
	pg_temp.failure(format('SELECT segment.days_since_last(h, %L) FROM history_customer', day)) AS since,
	pg_temp.failure(format('SELECT segment.tenure_days(h, %L) FROM history_customer', day)) AS tenure,
	pg_temp.failure(format('SELECT segment.cbs(h, %L) FROM history_customer', day)) AS cbs,
	pg_temp.failure(format('SELECT segment.measures(h, %L) FROM history_customer', day)) AS measures,
	pg_temp.failure(format('SELECT segment.history_agg(%L::date, 1)', day)) AS "order",
	pg_temp.failure(format('SELECT segment.history_agg(%L::timestamptz, -1, ''UTC'')', day)) AS refund
FROM unnest('{infinity,-infinity}'::text[]) day;
-- units: 7, 30.4375 and 365.25 days
SELECT unit, (segment.cbs('{2000-01-01: 1, 2004-01-01: 3, 2008-01-01: 4}', '2008-01-01', unit)).*
FROM unnest('{day,week,month,year}'::text[]) unit;
SELECT unit, pg_temp.failure(format('SELECT segment.cbs(''{2020-01-01: 1}'', ''2020-01-01'', %L)', unit))
FROM unnest('{"",Week,weeks,"week ",hour,ｗeek}'::text[]) unit;
-- the ends of the range of dates
SELECT segment.history_agg(day, 1.5) FROM unnest('{4714-11-24 BC,0044-03-15 BC,0001-12-31 BC,0001-01-01,1582-10-10,1969-12-31,1970-01-01,2000-02-29,2100-03-01,9999-12-31,10000-01-01,5874897-12-31}'::date[]) day;
SELECT segment.tenure_days(h, '5874897-12-31'), segment.mean_gap_days(h), segment.gap_cv(h), (segment.cbs(h, '5874897-12-31', 'year')).*
FROM (SELECT '{4714-11-24 BC: 1, 4714-11-25 BC: 1, 5874897-12-31: 1}'::segment.history AS h) AS s;
SELECT pg_temp.failure($$ SELECT segment.rfm('{294277-01-01: 1}'::segment.history) $$);
SELECT segment.rfm('{4714-11-24 BC: 1, 294276-12-31: 1}'::segment.history);

-- ---------- time zones ----------

-- the day is the local one, whatever the time zone of the session
SELECT zone, segment.history_agg(at, 1, zone ORDER BY at) FROM unnest('{UTC,America/New_York,Asia/Shanghai,Pacific/Kiritimati,Pacific/Pago_Pago,Asia/Kolkata,utc,EST5EDT,<+03>-3}'::text[]) zone,
	unnest('{2020-03-08 04:59:59.999999+00,2020-03-08 05:00+00,2020-03-08 12:00+00,2020-07-01 04:00+00,1969-12-31 23:59:59.999999+00}'::timestamptz[]) at
GROUP BY zone ORDER BY zone;
SET timezone = 'Asia/Tokyo';
SELECT segment.history_agg('2020-03-08 04:59:59+00'::timestamptz, 1, 'America/New_York');
SET timezone = 'UTC';
-- Samoa skipped 2011-12-30
SELECT segment.history_agg(at, 1, 'Pacific/Apia') FROM unnest('{2011-12-30 09:59:59+00,2011-12-30 10:00:00+00}'::timestamptz[]) at;
-- the zone can differ from row to row
SELECT segment.history_agg('2020-01-01 03:00+00'::timestamptz, 1, zone) FROM unnest('{UTC,America/New_York,UTC,Asia/Tokyo}'::text[]) zone;
SELECT zone, pg_temp.failure(format('SELECT segment.history_agg(now(), 1, %L)', zone))
FROM unnest('{"",Mars/Olympus,"UTC ",../../etc/passwd,/etc/passwd}'::text[]) zone;
SELECT pg_temp.failure($$ SELECT segment.history_agg(now(), 1, repeat('x', 1000)) $$) LIKE '22023: time zone "xxx%" not recognized' AS long_name;
SELECT pg_temp.failure($$ SELECT segment.history_agg(now(), 1, NULL) $$);
-- a row that is skipped needs no zone
SELECT segment.history_agg(NULL::timestamptz, 1, NULL), segment.history_agg(now(), NULL, NULL);
SELECT segment.history_agg('4714-11-24 00:00+00 BC'::timestamptz, 1, 'UTC'), segment.history_agg('294276-12-31 23:59:59.999999+00'::timestamptz, 1, 'Pacific/Kiritimati');
SELECT pg_temp.failure($$ SELECT segment.history_agg('4714-11-24 00:00+00 BC'::timestamptz, 1, 'America/New_York') $$);

-- ---------- the type ----------

-- what comes out goes in
SELECT v::segment.history::text = v AS same, v::segment.history FROM unnest(ARRAY[
	'{}',
	'{2020-01-01: 0}',
	'{2020-01-01: -1}',
	'{2020-01-01: 0.00 -0.01}',
	'{1997-01-01: 29.33, 1997-01-18: 59.46/2, 1997-02-01: 12.00 -5.00/3}',
	'{4714-11-24 BC: 999999999999999999999999999.999999999/9223372036854775807 -999999999999999999999999999.999999999/9223372036854775807}',
	'{4714-11-24 BC: 999999999999999999999999999.999999999/9223372036854775806, 5874897-12-31: 0.000000000}'
	]) v;
-- unsorted and equal days, white space, zeros and fewer decimals are read, but not written
SELECT v::segment.history FROM unnest(ARRAY[
	' { 2020-01-02: 1 , 2020-01-01: 2.50 } ',
	'{2020-01-01: 1, 2020-01-01: 2/3, 2020-01-01: -1}',
	'{2020-01-01:001.5/01-0.10}',
	'{02020-01-01: 1}',
	E'{\n\t2020-01-01:\t1\n}'
	]) v;
CREATE TEMP TABLE wrong_literal (n integer GENERATED ALWAYS AS IDENTITY, v text);
INSERT INTO wrong_literal (v) VALUES
	(''), (' '), ('{'), ('}'), ('{}}'), ('{} x'), ('()'), ('null'), ('{,}'),
	('{2020-01-01: 1,}'), ('{,2020-01-01: 1}'), ('{2020-01-01: 1 2020-01-02: 1}'), ('{2020-01-01: 1'),
	('{2020-01-01}'), ('{2020-01-01:}'), ('{2020-01-01 1}'), ('{2020-01-01 : 1}'), ('{: 1}'),
	('{20-01-01: 1}'), ('{2020-1-1: 1}'), ('{2020-01-1: 1}'), ('{2020/01/01: 1}'), ('{01-02-2020: 1}'), ('{20200101: 1}'),
	('{2020-02-30: 1}'), ('{2019-02-29: 1}'), ('{2020-00-01: 1}'), ('{2020-01-00: 1}'), ('{2020-13-01: 1}'), ('{2020-99-99: 1}'),
	('{0000-01-01: 1}'), ('{0000-01-01 BC: 1}'), ('{4714-11-23 BC: 1}'), ('{5874898-01-01: 1}'), ('{99999999999999999999-01-01: 1}'),
	('{infinity: 1}'), ('{today: 1}'), ('{2020-01-01 AD: 1}'), ('{2020-01-01BC: 1}'),
	('{2020-01-01: +1}'), ('{2020-01-01: .5}'), ('{2020-01-01: 5.}'), ('{2020-01-01: 1e3}'), ('{2020-01-01: 1,5}'), ('{2020-01-01: NaN}'), ('{2020-01-01: 0x1}'),
	('{2020-01-01: 1 1}'), ('{2020-01-01: -1 -1}'), ('{2020-01-01: -1 1}'), ('{2020-01-01: --1}'), ('{2020-01-01: - 1}'), ('{2020-01-01: -0}'), ('{2020-01-01: 1 -0.00}'),
	('{2020-01-01: 1/0}'), ('{2020-01-01: 1/-1}'), ('{2020-01-01: 1/}'), ('{2020-01-01: 1/1.5}'), ('{2020-01-01: 1 /2}'), ('{2020-01-01: 1/2/3}'),
	('{2020-01-01: 1/9223372036854775808}'), ('{2020-01-01: 1.0000000000}'), ('{2020-01-01: 1000000000000000000000000000}'),
	-- read, but too much together
	('{2020-01-01: 999999999999999999999999999, 2020-01-02: 1}'),
	('{2020-01-01: -999999999999999999999999999, 2020-01-01: -1}'),
	('{2020-01-01: 1/9223372036854775807, 2020-01-02: 1}'),
	('{2020-01-01: -1/9223372036854775807, 2020-01-01: -1}');
SELECT n, pg_temp.failure(format('SELECT %L::segment.history', v)) FROM wrong_literal ORDER BY n;
-- soft errors came with PostgreSQL 16
SELECT current_setting('server_version_num')::integer >= 160000 AS has_soft_errors \gset
\if :has_soft_errors
SELECT bool_and(NOT pg_input_is_valid(v, 'segment.history')) AS refused FROM wrong_literal \gset
\else
\set refused t
\endif
\echo soft errors: :refused
SELECT pg_temp.failure('SELECT NULL::segment.history(3)');
SELECT typlen, typalign, typstorage FROM pg_type WHERE oid = 'segment.history'::regtype;

-- the bytes, worked out by hand from the description in src/types/history.h
SELECT v, segment_internal.history_send(v::segment.history) FROM unnest(ARRAY[
	-- version 1 with scales, both 0
	'{}',
	-- usual scales; step 1 + zigzag(0) = 1, amount 0
	'{2020-01-01: 0.01}',
	-- 1 + zigzag(1) = 3; one day later; 64 + 300 - 64 = 236 above 64: bytes 64, 236
	'{2020-01-02: 0.63, 2020-01-03: 3.00}',
	-- scale 0, display scale 2 (high half); step 1 + zigzag(-1) = 2
	'{2019-12-31: 1.00}',
	-- 0, step 1, 2 orders, 1 refund, 5, 3
	'{2020-01-01: 0.05/2 -0.03}',
	-- the largest number of two bytes, 64 + 184 * 256 - 1 = 47167; then three more bytes
	'{2020-01-01: 471.67, 2020-01-02: 471.68}'
	]) v;
SELECT customer, pg_column_size(h), octet_length(segment_internal.history_send(h)) FROM history_customer ORDER BY customer;

-- ---------- support functions by hand ----------

-- they leave what is stored alone, and never show the running state
SELECT segment_internal.history_accum(h, '2030-01-01', 1.125) FROM history_customer ORDER BY customer;
SELECT segment_internal.history_accum(h, '2030-01-01 00:00+00', 1, 'America/New_York') FROM history_customer WHERE customer = 2;
SELECT segment_internal.history_combine(h, h) FROM history_customer ORDER BY customer;
SELECT segment_internal.history_final(h) FROM history_customer ORDER BY customer;
SELECT * FROM history_customer ORDER BY customer;
SELECT segment_internal.history_accum(NULL, '2030-01-01', 1.5), segment_internal.history_accum(NULL, NULL, 1.5),
	segment_internal.history_accum(NULL, '2030-01-01', NULL), segment_internal.history_combine(NULL, NULL), segment_internal.history_final(NULL);
SELECT segment_internal.history_combine(h, NULL), segment_internal.history_combine(NULL, h) FROM history_customer WHERE customer = 1;
SELECT pg_temp.failure($$ SELECT segment_internal.history_accum('{2020-01-01: 1/9223372036854775807}', '2020-01-01', 1) $$);
SELECT pg_temp.failure($$ SELECT segment_internal.history_combine('{2020-01-01: -1/9223372036854775807}', '{2020-01-02: -1}') $$);
-- somebody's own aggregate without the final function keeps running states: they are worth the same
CREATE AGGREGATE history_raw (date, numeric) (SFUNC = segment_internal.history_accum, STYPE = segment.history);
CREATE TABLE history_state AS
SELECT customer, history_raw(day, amount) AS h FROM history_order GROUP BY customer;
SELECT customer, c.h::text = s.h::text AS text, segment_internal.history_send(c.h) = segment_internal.history_send(s.h) AS send,
	c.h OPERATOR(segment.=) s.h AS eq, segment_internal.history_hash(c.h) = segment_internal.history_hash(s.h) AS hash,
	segment.net(c.h) = segment.net(s.h) AS net, segment.as_of(c.h, '2020-03-15') OPERATOR(segment.=) segment.as_of(s.h, '2020-03-15') AS as_of,
	(SELECT count(*) FROM segment.unnest(c.h)) = (SELECT count(*) FROM segment.unnest(s.h)) AS days
FROM history_customer c JOIN history_state s USING (customer) ORDER BY customer;
SELECT segment_internal.history_send(segment.rollup(c.h)) = segment_internal.history_send(segment.rollup(s.h)) AS same
FROM history_customer c JOIN history_state s USING (customer);
DROP TABLE history_state;
DROP AGGREGATE history_raw(date, numeric);

-- ---------- comparison ----------

-- the display scale is not part of the value, as with numeric
SELECT a OPERATOR(segment.=) b AS eq, a OPERATOR(segment.<>) b AS ne, a OPERATOR(segment.<) b AS lt,
	a OPERATOR(segment.<=) b AS le, a OPERATOR(segment.>) b AS gt, a OPERATOR(segment.>=) b AS ge,
	segment_internal.history_cmp(a, b), segment_internal.history_hash(a) = segment_internal.history_hash(b) AS hash,
	segment_internal.history_hash_extended(a, 7) = segment_internal.history_hash_extended(b, 7) AS hash_extended, a::text = b::text AS text
FROM (VALUES ('{2020-01-01: 1.5}'::segment.history, '{2020-01-01: 1.50}'::segment.history),
	('{2020-01-01: 1}', '{2020-01-01: 1.000000000}'), ('{}', '{}'), ('{2020-01-01: 100}', '{2020-01-01: 100.00}')) AS t(a, b);
-- unequal although the bytes of the entries are the same
SELECT segment_internal.history_cmp('{2020-01-01: 1}', '{2020-01-01: 0.1}'), segment_internal.history_cmp('{2020-01-01: 0.1}', '{2020-01-01: 1}');
-- a total order over different values
WITH v AS (SELECT v::segment.history AS h, n FROM unnest(ARRAY[
	'{}', '{2020-01-01: 1}', '{2020-01-01: 1.1}', '{2020-01-01: 1, 2020-01-02: 1}', '{2020-01-02: 1}', '{2019-12-31: 1}', '{2020-01-01: 1/2}',
	'{2020-01-01: -1}', '{2020-01-01: 1 -1}', '{2020-01-01: 10000000000}']) WITH ORDINALITY AS u(v, n))
SELECT count(*) AS triples,
	count(*) FILTER (WHERE (a.n = b.n) = (segment_internal.history_cmp(a.h, b.h) = 0)) AS distinct_values,
	count(*) FILTER (WHERE segment_internal.history_cmp(a.h, b.h) = -segment_internal.history_cmp(b.h, a.h)) AS antisymmetric,
	count(*) FILTER (WHERE segment_internal.history_cmp(a.h, b.h) > 0 OR segment_internal.history_cmp(b.h, c.h) > 0 OR segment_internal.history_cmp(a.h, c.h) <= 0) AS transitive,
	count(*) FILTER (WHERE (segment_internal.history_hash(a.h) = segment_internal.history_hash(b.h)) = (a.n = b.n)
		OR left(a.h::text, 14) = left(b.h::text, 14)) AS right_hash
FROM v a, v b, v c;

CREATE TABLE history_value AS
SELECT segment.history_agg('2020-01-01'::date + i % 50, (i % 3)::numeric) AS h, i
FROM generate_series(1, 1000) i GROUP BY i;
INSERT INTO history_value VALUES (NULL, -1), (NULL, -2);
SET search_path = segment, segment_internal, public;
SELECT count(DISTINCT h), (SELECT count(*) FROM (SELECT h FROM history_value GROUP BY h) AS s) AS groups,
	(SELECT count(*) FROM (SELECT h FROM history_value UNION SELECT h FROM history_value) AS s) AS set
FROM history_value;
CREATE INDEX history_value_btree ON history_value (h);
CREATE INDEX history_value_hash ON history_value USING hash (h);
CREATE UNIQUE INDEX history_unique ON history_customer (h);
SELECT pg_temp.failure('INSERT INTO history_customer SELECT 9, h FROM history_customer WHERE customer = 1') LIKE '23505%' AS unique;
ANALYZE history_value;
SELECT null_frac > 0 AS nulls, n_distinct, most_common_vals IS NOT NULL OR histogram_bounds IS NOT NULL AS values
FROM pg_stats WHERE tablename = 'history_value' AND attname = 'h';
CREATE TEMP TABLE joined AS
SELECT a.i AS a, b.i AS b FROM history_value a, history_value b WHERE history_send(a.h) = history_send(b.h);
SELECT count(*) FROM joined;
SET enable_nestloop = off; SET enable_mergejoin = off; SET enable_hashjoin = on;
SELECT pg_temp.plan_has('SELECT 1 FROM history_value a JOIN history_value b USING (h)', 'Hash Join') AS hash_join;
SELECT count(*) FROM (SELECT a.i, b.i FROM history_value a JOIN history_value b USING (h) EXCEPT SELECT a, b FROM joined) AS s;
SELECT count(*) FROM history_value a JOIN history_value b USING (h);
SET enable_mergejoin = on; SET enable_hashjoin = off;
SELECT pg_temp.plan_has('SELECT 1 FROM history_value a JOIN history_value b USING (h)', 'Merge Join') AS merge_join;
SELECT count(*) FROM (SELECT a.i, b.i FROM history_value a JOIN history_value b USING (h) EXCEPT SELECT a, b FROM joined) AS s;
SELECT count(*) FROM history_value a JOIN history_value b USING (h);
RESET enable_nestloop; RESET enable_hashjoin; RESET enable_mergejoin;
SET enable_seqscan = off; SET enable_bitmapscan = off;
SELECT pg_temp.plan_has('SELECT * FROM history_value WHERE h = (SELECT h FROM history_customer WHERE customer = 1)', 'Index Scan') AS index_scan;
SELECT count(*) > 0 AND count(*) = (SELECT count(*) FROM history_value WHERE history_cmp(h, v) = 0) AS eq
FROM history_value, (SELECT h AS v FROM history_value WHERE i = 500) AS s WHERE h = v GROUP BY v;
SELECT count(*) > 0 AND count(*) = (SELECT count(*) FROM history_value WHERE history_cmp(h, v) < 0) AS lt
FROM history_value, (SELECT h AS v FROM history_value WHERE i = 500) AS s WHERE h < v GROUP BY v;
RESET enable_seqscan; RESET enable_bitmapscan;
RESET search_path;

-- the operator classes are complete
SELECT opcname, amname, amvalidate(c.oid), opcdefault
FROM pg_opclass c JOIN pg_am a ON a.oid = opcmethod
WHERE opcintype = 'segment.history'::regtype ORDER BY amname;
SELECT oprname, oprcanhash, oprcanmerge, oprcom::regoper::text, oprnegate::regoper::text, oprrest, oprjoin
FROM pg_operator WHERE oprleft = 'segment.history'::regtype ORDER BY oprname;

DROP TABLE history_order, history_customer, history_value;
