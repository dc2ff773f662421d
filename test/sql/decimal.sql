--
-- Amounts: numeric, float8 and bigint in, exact sums out, limits and refusals
--
-- Amounts have no functions of their own; they are seen through rfm and history.
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

-- 0.1 + 0.2 = 0.3
SELECT segment.net(segment.rfm_agg('2020-01-01'::date, v)),
	segment.net(segment.rfm_agg('2020-01-01'::date, v::float8)),
	segment.net(segment.history_agg('2020-01-01', v))
FROM (VALUES (0.1), (0.2)) AS t(v);

-- The stored form of numeric has digits of base 10000: all positions of the
-- decimal point, all lengths.  Text and display scale are those of sum().
CREATE TEMP TABLE amount (v numeric);
INSERT INTO amount
SELECT sign * (digits || repeat('0', zeros))::numeric / ('1' || repeat('0', decimals))::numeric
FROM unnest('{1,-1}'::integer[]) sign,
	unnest('{1,9,10,12,99,123,1234,9999,10000,10001,12345,99999999,100000001,1234567890123,99990000}'::text[]) digits,
	generate_series(0, 14) zeros, generate_series(0, 9) decimals;
UPDATE amount SET v = trim_scale(v);
SELECT count(*), min(v), max(v), min(abs(v)), count(DISTINCT scale(v)) AS scales FROM amount;
SELECT count(*) AS wrong FROM (
	SELECT v, segment.net(segment.rfm_agg('2020-01-01'::date, v)) AS r,
		segment.net(segment.history_agg('2020-01-01', v)) AS h
	FROM (SELECT DISTINCT v FROM amount) AS d GROUP BY v) AS s
WHERE r::text <> v::text OR h::text <> v::text;
SELECT sum(v)::text = segment.net(segment.rfm_agg('2020-01-01'::date, v))::text AS rfm,
	sum(v)::text = segment.net(segment.history_agg('2020-01-01', v))::text AS history
FROM amount;

-- Display scales 0 to 20, of which at most 9 decimals can be other than zero
-- and at most 9 are shown.
SELECT decimals, segment.net(segment.rfm_agg('2020-01-01'::date, v)) AS rfm,
	segment.net(segment.history_agg('2020-01-01', v)) AS history
FROM generate_series(0, 20) decimals,
	LATERAL (SELECT round(12.5::numeric, decimals) AS v) AS s
GROUP BY decimals ORDER BY decimals;
-- a long display scale alone does not matter, whatever the number's form
SELECT segment.net(segment.rfm_agg('2020-01-01'::date, v)), segment.net(segment.history_agg('2020-01-01', v))
FROM (VALUES (round(0, 16383)), (round(1, 16383)), (round(123456789.123456789, 1000))) AS t(v)
GROUP BY v ORDER BY v;
-- the largest number of decimals decides, also that of a zero
SELECT segment.net(segment.rfm_agg('2020-01-01'::date, v)), segment.net(segment.history_agg('2020-01-01', v)), sum(v)
FROM (VALUES (1), (0.000), (2.5)) AS t(v);

-- The tenth decimal.
SELECT v, pg_temp.failure(format('SELECT segment.rfm_agg(%L::date, %L::numeric)', '2020-01-01', v)) AS rfm,
	pg_temp.failure(format('SELECT segment.history_agg(%L, %L::numeric)', '2020-01-01', v)) AS history
FROM unnest('{0.1234567890,0.1234567891,-0.1234567891,0.0000000001,0.00000000001,1e-13,1e-20,123456789012345678901234567.0000000001}'::text[]) v;
-- The 28th digit.
SELECT v, pg_temp.failure(format('SELECT segment.rfm_agg(%L::date, %L::numeric)', '2020-01-01', v)) AS rfm,
	pg_temp.failure(format('SELECT segment.history_agg(%L, %L::numeric)', '2020-01-01', v)) AS history
FROM unnest('{999999999999999999999999999.999999999,-999999999999999999999999999.999999999,1e27,-1e27,9999999999999999999999999999,1e28,1e40}'::text[]) v;
SELECT left(pg_temp.failure($$ SELECT segment.rfm_agg('2020-01-01'::date, 1e131071::numeric) $$), 40);
SELECT left(pg_temp.failure($$ SELECT segment.history_agg('2020-01-01'::date, 1e131071::numeric) $$), 40);
SELECT left(pg_temp.failure($$ SELECT segment.rfm_agg('2020-01-01'::date, 1e-16383::numeric) $$), 40);
SELECT left(pg_temp.failure($$ SELECT segment.history_agg('2020-01-01'::date, 1e-16383::numeric) $$), 40);
-- What is no finite number.
SELECT v, pg_temp.failure(format('SELECT segment.rfm_agg(%L::date, %L::numeric)', '2020-01-01', v)) AS rfm,
	pg_temp.failure(format('SELECT segment.history_agg(%L, %L::numeric)', '2020-01-01', v)) AS history,
	pg_temp.failure(format('SELECT segment.rfm_agg(%L::date, %L::float8)', '2020-01-01', v)) AS float8
FROM unnest('{NaN,Infinity,-Infinity}'::text[]) v;

-- Sums at the limit, from both sides, and beyond.
CREATE TEMP TABLE large (n integer, v numeric);
INSERT INTO large VALUES
	(1, 999999999999999999999999999.999999998), (2, 0.000000001),
	(3, -999999999999999999999999999.999999998), (4, -0.000000001),
	(5, 0.000000001), (6, -0.000000001);
SELECT max(n) AS rows, segment.net(segment.rfm_agg('2020-01-01'::date, v)) = sum(v) AS net,
	segment.gross(segment.rfm_agg('2020-01-01'::date, v)),
	segment.refunded(segment.rfm_agg('2020-01-01'::date, v)),
	segment.gross(segment.history_agg(date '2020-01-01' + n, v)) = segment.gross(segment.rfm_agg('2020-01-01'::date, v)) AS same_gross,
	segment.refunded(segment.history_agg(date '2020-01-01' + n, v)) = segment.refunded(segment.rfm_agg('2020-01-01'::date, v)) AS same_refunded
FROM generate_series(1, 4) upto JOIN large ON n <= upto GROUP BY upto ORDER BY upto;
SELECT pg_temp.failure($$ SELECT segment.rfm_agg('2020-01-01'::date, v) FROM large WHERE n <= 5 $$);
SELECT pg_temp.failure($$ SELECT segment.rfm_agg('2020-01-01'::date, v) FROM large WHERE n <> 5 $$);
SELECT pg_temp.failure($$ SELECT segment.history_agg('2020-01-01', v) FROM large WHERE n <= 5 $$);
SELECT pg_temp.failure($$ SELECT segment.history_agg(date '2020-01-01' + n, v) FROM large WHERE n <> 5 $$);
SELECT pg_temp.failure($$ SELECT segment.rollup(r) FROM (SELECT segment.rfm_agg('2020-01-01'::date, v) AS r FROM large GROUP BY n) AS s $$);
SELECT pg_temp.failure($$ SELECT segment.rollup(h) FROM (SELECT segment.history_agg('2020-01-01', v) AS h FROM large GROUP BY n) AS s $$);
SELECT pg_temp.failure($$ SELECT a.h OPERATOR(segment.+) a.h FROM (SELECT segment.history_agg('2020-01-01', 5e26) AS h) AS a $$);
SELECT pg_temp.failure($$ SELECT segment.rollup(h) FROM (SELECT segment.history_agg('2020-01-01', 5e26) AS h) AS a, generate_series(1, 2) $$);
-- a million amounts cannot wrap around
SELECT pg_temp.failure($$ SELECT segment.rfm_agg('2020-01-01'::date, 999999999999999999999999999) FROM generate_series(1, 1000000) $$);

-- float8: the decimal number that was meant, with 15 digits and 9 decimals.
SELECT v, segment.net(segment.rfm_agg('2020-01-01'::date, v)) AS net,
	segment.orders(segment.rfm_agg('2020-01-01'::date, v)) AS orders,
	segment.refunds(segment.rfm_agg('2020-01-01'::date, v)) AS refunds
FROM unnest('{0,-0,0.1,0.10,29.33,-29.33,1e-9,4e-10,6e-10,-1e-12,5e-324,0.3333333333333333,999999.999999999,123456789.123456789,1e15,9007199254740993,1e20,123456789012345678,-9.99e26}'::float8[])
	WITH ORDINALITY AS u(v, n)
GROUP BY n, v ORDER BY n;
SELECT v, pg_temp.failure(format('SELECT segment.rfm_agg(now(), %L::float8)', v))
FROM unnest('{1e27,-1e27,1e300,1.7976931348623157e308}'::float8[]) v;
-- bigint
SELECT v, segment.net(segment.rfm_agg('2020-01-01'::date, v))
FROM unnest('{0,1,-1,9223372036854775807,-9223372036854775808}'::bigint[]) v GROUP BY v ORDER BY v;
SELECT segment.gross(segment.rfm_agg('2020-01-01'::date, 9223372036854775807)), sum(9223372036854775807)
FROM generate_series(1, 1000);
-- integer, smallint and real find an aggregate too
SELECT segment.net(segment.rfm_agg('2020-01-01'::date, 7)),
	segment.net(segment.rfm_agg('2020-01-01'::date, 7::smallint)),
	segment.net(segment.rfm_agg('2020-01-01'::date, 0.5::real)),
	segment.net(segment.history_agg('2020-01-01'::date, 7));

-- A numeric that is compressed or out of line is read too.
CREATE TEMP TABLE stored (v numeric);
ALTER TABLE stored ALTER v SET STORAGE EXTERNAL;
INSERT INTO stored SELECT 12.5 FROM generate_series(1, 3);
SELECT segment.net(segment.rfm_agg('2020-01-01'::date, v)), segment.net(segment.history_agg('2020-01-01', v)) FROM stored;
INSERT INTO stored VALUES (('1' || repeat('0123456789', 10000))::numeric);
SELECT left(pg_temp.failure('SELECT segment.rfm_agg(''2020-01-01''::date, v) FROM stored'), 40);
SELECT left(pg_temp.failure('SELECT segment.history_agg(''2020-01-01'', v) FROM stored'), 40);
