--
-- histories(query): the same as history_agg under GROUP BY
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
SELECT plan(84);

SELECT setseed(0.5);
CREATE DOMAIN customer_number AS bigint CHECK (VALUE > -100);
CREATE TYPE way AS ENUM ('shop', 'post');
CREATE COLLATION without_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TEMP TABLE orders AS
SELECT n AS customer, n::smallint AS small, n::integer AS whole, n::customer_number AS domain_key,
	n::real AS real_number, CASE WHEN n % 7 = 0 THEN 'NaN'::float8 WHEN n % 7 = 1 THEN CASE WHEN random() < 0.5 THEN 0::float8 ELSE '-0' END ELSE n END AS float,
	(('customer ' || n)::name) AS short_name, date '2020-01-01' + n::integer AS birthday, CASE WHEN n % 3 = 0 THEN 'shop' ELSE 'post' END::way AS way,
	-- equal, but not the same bytes
	round(n / 8.0, 3 + (random() * 9)::integer) AS scaled, ('b' || n || repeat(' ', (random() * 3)::integer))::bpchar AS padded,
	'customer ' || n AS name, md5(n::text)::uuid AS id, (n / 7.0)::numeric AS fraction,
	(CASE WHEN random() < 0.5 THEN 'Name' ELSE 'NAME' END || n) COLLATE without_case AS folded,
	ARRAY[n, n + 1] AS list, repeat('long ', 200) || n AS long_name,
	timestamptz '2020-01-01 00:00+00' + random() * interval '900 days' AS at,
	round((random() * 100 - 15)::numeric, (random() * 4)::integer) AS amount,
	round((random() * 20 - 5)::numeric, 2) AS margin
FROM (SELECT floor(power(random(), 3) * 700)::bigint AS n FROM generate_series(1, 30000)) AS s;
UPDATE orders SET amount = NULL WHERE random() < 0.02;
UPDATE orders SET at = NULL WHERE random() < 0.02;
UPDATE orders SET margin = NULL WHERE random() < 0.1;
UPDATE orders SET amount = amount * 1e21 WHERE random() < 0.01;
UPDATE orders SET customer = NULL, real_number = NULL, float = NULL, short_name = NULL, birthday = NULL, way = NULL,
	scaled = NULL, padded = NULL, small = NULL, whole = NULL, domain_key = NULL, name = NULL, id = NULL,
	fraction = NULL, folded = NULL, list = NULL, long_name = NULL WHERE random() < 0.01;

-- What differs from history_agg under GROUP BY, for a key of some type: rows.
CREATE FUNCTION pg_temp.differences(key text, type text, at text DEFAULT 'at', zone text DEFAULT 'Asia/Kathmandu',
	shown text DEFAULT 'lower(key::text)')
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	result bigint;
	days text := CASE at WHEN 'at' THEN format('at, %%s, %L', zone) ELSE at || '::date, %s' END;
BEGIN
	EXECUTE format($q$
		WITH one AS (
			SELECT %7$s AS key, segment_internal.history_send(a) AS a, segment_internal.history_send(b) AS b
			FROM segment.histories('SELECT %1$I, %3$s, amount, margin FROM orders', %4$L)
				AS h(key %2$s, a segment.history, b segment.history)
		), other AS (
			SELECT %7$s AS key, segment_internal.history_send(a) AS a, segment_internal.history_send(b) AS b
			FROM (SELECT %1$I AS key, segment.history_agg(%5$s) AS a, segment.history_agg(%6$s) AS b
				FROM orders GROUP BY 1) AS g
		)
		SELECT (SELECT count(*) FROM (TABLE one EXCEPT ALL TABLE other) AS x)
			+ (SELECT count(*) FROM (TABLE other EXCEPT ALL TABLE one) AS y)$q$, key, type, at, zone,
		format(days, 'amount'), format(days, 'margin'), shown)
	INTO result;
	RETURN result;
END $$;

SELECT is(pg_temp.differences(k.key, k.type), 0::bigint, 'the same for keys of type ' || k.type)
FROM (VALUES ('customer', 'bigint'), ('small', 'smallint'), ('whole', 'integer'), ('domain_key', 'customer_number'),
	('name', 'text'), ('id', 'uuid'), ('fraction', 'numeric'), ('birthday', 'date'), ('way', 'way'), ('short_name', 'name'), ('real_number', 'real'), ('list', 'bigint[]'), ('long_name', 'text'),
	('folded', 'text COLLATE without_case')) AS k(key, type);
SELECT is(pg_temp.differences('scaled', 'numeric', shown => 'trim_scale(key)::text'), 0::bigint, 'numbers of other scales are equal');
SELECT is(pg_temp.differences('padded', 'bpchar', shown => 'rtrim(key)'), 0::bigint, 'blanks at the end do not count');
SELECT is(pg_temp.differences('float', 'float8', shown => '(key + 0)::text'), 0::bigint, 'zero and its negative are equal, and so are two that are no number');
SELECT is(pg_temp.differences('customer', 'bigint', 'at', z), 0::bigint, 'with days of ' || z)
FROM unnest(ARRAY['UTC', 'America/St_Johns', 'Pacific/Apia']) AS z;
SELECT is(pg_temp.differences('customer', 'bigint', 'at::date', NULL), 0::bigint, 'from dates');
SELECT is(pg_temp.differences('customer', 'bigint', 'at::timestamp', NULL), 0::bigint, 'from timestamps without time zone');

-- The days of other years, hour by hour in random order, beside AT TIME ZONE:
-- summer times, double ones, one day left out, clocks changed twice in a few
-- weeks, before 1970 and after 2100.
CREATE FUNCTION pg_temp.other_days(zone text, first date, last date, step interval) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	result bigint;
BEGIN
	CREATE TEMP TABLE moment AS
	SELECT at, (at AT TIME ZONE zone)::date AS day
	FROM generate_series(first::timestamp AT TIME ZONE 'UTC', last::timestamp AT TIME ZONE 'UTC', step) AS at
	ORDER BY random();
	SELECT count(*) INTO result FROM (
		SELECT day, count(*) AS orders FROM moment GROUP BY day
		EXCEPT (SELECT day, orders FROM segment.histories('SELECT 1, at, 1.0 FROM moment', zone) AS h(one integer, h segment.history),
				segment.unnest(h)
			INTERSECT SELECT day, orders FROM segment.unnest((SELECT segment.history_agg(at, 1, zone) FROM moment)))) AS s;
	DROP TABLE moment;
	RETURN result;
END $$;
SELECT is(pg_temp.other_days(zone, first::date, last::date, CASE WHEN last::date - first::date < 2000 THEN '53 minutes 7.000001 seconds' ELSE '29 hours 53 minutes' END::interval), 0::bigint, format('days of %s from %s to %s', zone, first, last))
FROM (VALUES ('Asia/Gaza', '2040-09-01', '2041-01-01'), ('Asia/Gaza', '2053-03-01', '2054-05-01'), ('America/Toronto', '1840-01-01', '2140-01-01'), ('America/Argentina/San_Luis', '2007-11-01', '2008-04-01'),
	('Africa/Cairo', '2010-04-01', '2010-11-01'), ('Africa/El_Aaiun', '1976-04-01', '1976-06-01'),
	('Africa/Casablanca', '2101-01-01', '2102-01-01'), ('Europe/London', '1945-01-01', '1948-01-01'),
	('Europe/Amsterdam', '1916-01-01', '1918-01-01'), ('Pacific/Apia', '2011-06-01', '2012-06-01'),
	('America/New_York', '1883-11-01', '1883-12-01'), ('Australia/Lord_Howe', '2300-01-01', '2301-01-01'),
	('Asia/Kathmandu', '1985-12-01', '1986-02-01'), ('America/Los_Angeles', '1000-01-01', '1000-03-01')) AS z(zone, first, last);

-- Amounts in all forms that numeric has.
CREATE TEMP TABLE money AS
SELECT n % 500 AS customer, date '2020-01-01' + n % 3 AS day,
	CASE WHEN n % 500 < 10 THEN CASE n / 500 WHEN 0 THEN 999999999999999999999999999.999999999 WHEN 1 THEN -999999999999999999999999999.999999999
			WHEN 2 THEN 0.000 WHEN 3 THEN round(0, 9) ELSE round(0, 30) END
		ELSE sign * round(digits / 10.0 ^ decimals, greatest(decimals - zeros, 0)) * 10.0 ^ zeros END AS amount
FROM generate_series(0, 24999) AS n,
	LATERAL (SELECT (random() * 9)::integer AS decimals, floor(random() * 5)::integer AS zeros, CASE WHEN random() < 0.2 THEN -1 ELSE 1 END AS sign,
		trunc((10 ^ (random() * 20))::numeric, 0) AS digits OFFSET n * 0) AS s;
UPDATE money SET amount = round(amount, scale(amount) + (random() * 12)::integer) WHERE random() < 0.2;
UPDATE money SET amount = trim_scale(amount) WHERE random() < 0.2;
SELECT cmp_ok(count(DISTINCT scale(amount)), '>', 15::bigint, 'amounts of many scales') FROM money;
SELECT is_empty($$ SELECT customer FROM segment.histories('SELECT customer, day, amount FROM money') AS h(customer integer, h segment.history)
	FULL JOIN (SELECT customer, sum(amount) AS net, sum(amount) FILTER (WHERE amount >= 0) AS gross, segment.history_agg(day, amount) AS h
		FROM money GROUP BY customer) AS s USING (customer)
	WHERE segment.net(h.h) <> net OR segment.gross(h.h) <> gross OR segment_internal.history_send(h.h) IS DISTINCT FROM segment_internal.history_send(s.h) $$,
	'amounts of all forms, as they are stored, have the sum of sum()');
SELECT is_empty($$ SELECT customer FROM segment.histories('SELECT customer, day, amount * 1, amount FROM money') AS h(customer integer, h segment.history, o segment.history)
	WHERE h::text IS DISTINCT FROM o::text $$, 'and as they are computed');
SELECT is(h::text, '{2020-01-01: 12.500000000}', 'more than nine decimals, all zero')
FROM segment.histories('SELECT 1, date ''2020-01-01'', round(12.5, 1000)') AS h(c integer, h segment.history);

-- numbers of so many digits are not stored in place; whatever their size is
CREATE TEMP TABLE long_amount AS
SELECT 1 AS customer, date '2020-01-01' AS day, (SELECT string_agg(floor(random() * 10)::text, '') FROM generate_series(1, 60000 + n * 300))::numeric AS outside,
	(1 || repeat('23', n * 3000))::numeric AS compressed
FROM generate_series(1, 21) AS n;
SELECT cmp_ok(min(pg_column_size(outside)), '>', 8192, 'amounts in places of their own') FROM long_amount;
SELECT cmp_ok(max(pg_column_size(compressed)), '<', 3000, 'and compressed ones') FROM long_amount;
CREATE FUNCTION pg_temp.refused(column_name text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	place tid;
	result bigint := 0;
BEGIN
	FOR place IN SELECT ctid FROM long_amount LOOP
		BEGIN
			EXECUTE format('SELECT FROM segment.histories(%L) AS h(c integer, h segment.history)',
				format('SELECT customer, day, %I FROM long_amount WHERE ctid = %L', column_name, place));
		EXCEPTION WHEN numeric_value_out_of_range THEN
			result := result + 1;
		END;
	END LOOP;
	RETURN result;
END $$;
SELECT is(pg_temp.refused(c), 21::bigint, 'refused: ' || c) FROM unnest('{outside,compressed}'::text[]) AS c;

-- Days far from each other.
CREATE TEMP TABLE far AS
SELECT n % 40 AS customer, 1.5 AS amount, CASE n % 4 WHEN 0 THEN date '2020-01-01' - n % 17 WHEN 1 THEN date '9999-12-31' - n
	WHEN 2 THEN date '4713-01-02 BC' + (n * 7919) % 3000000 ELSE date '5874897-12-31' - n % 11 END AS day
FROM generate_series(1, 20000) AS n;
SELECT is_empty($$ SELECT customer FROM segment.histories('SELECT customer, day, amount FROM far') AS h(customer integer, h segment.history)
	FULL JOIN (SELECT customer, segment.history_agg(day, amount) AS h FROM far GROUP BY customer) AS s USING (customer)
	WHERE segment_internal.history_send(h.h) IS DISTINCT FROM segment_internal.history_send(s.h) $$, 'days from the first to the last there is');

-- through temporary files
SET LOCAL work_mem = '64kB';
SELECT is(pg_temp.differences(k.key, k.type), 0::bigint, 'the same from temporary files for keys of type ' || k.type)
FROM (VALUES ('customer', 'bigint'), ('id', 'uuid'), ('long_name', 'text'), ('fraction', 'numeric'), ('real_number', 'real')) AS k(key, type);
SELECT results_eq($$ SELECT c, segment.orders(h), segment.net(h) FROM segment.histories(
		'SELECT CASE WHEN g < 50000 THEN 1 ELSE NULL END, date ''2020-01-01'' + g % 100, 1e20 + g FROM generate_series(1, 60000) AS g') AS h(c integer, h segment.history) $$,
	$$ SELECT c, count(*), sum(1e20 + g) FROM generate_series(1, 60000) AS g, LATERAL (SELECT CASE WHEN g < 50000 THEN 1 ELSE NULL END AS c) AS s GROUP BY c ORDER BY c DESC $$,
	'customers with more rows than there is memory for');

-- How many temporary files there are, and how much memory the rows take.
CREATE FUNCTION pg_temp.files() RETURNS bigint LANGUAGE sql VOLATILE
AS $$ SELECT count(*) FROM pg_catalog.pg_ls_tmpdir() WHERE name LIKE 'pgsql_tmp' || pg_catalog.pg_backend_pid() || '.%' $$;
CREATE FUNCTION pg_temp.memory() RETURNS bigint LANGUAGE sql VOLATILE
AS $$ SELECT sum(total_bytes)::bigint FROM pg_catalog.pg_backend_memory_contexts WHERE name = 'segment partitions' $$;
CREATE FUNCTION pg_temp.at_the_end(what text, work_mem text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	result bigint;
BEGIN
	PERFORM set_config('work_mem', work_mem, true);
	SELECT c INTO result FROM segment.histories(format($q$ SELECT g, date '2020-01-01', 1.0 FROM generate_series(-150000, -1) AS g
			UNION ALL SELECT CASE WHEN g = 150000 THEN %s ELSE -g END, '2020-01-01', 1.0 FROM generate_series(1, 150000) AS g $q$, what)) AS h(c bigint, h segment.history)
	WHERE c >= 0;
	RETURN result;
END $$;
SELECT is(pg_temp.at_the_end('pg_temp.files()', '64MB'), 0::bigint, 'no temporary files where the memory suffices');
SELECT cmp_ok(pg_temp.at_the_end('pg_temp.files()', '4MB'), '>', 100::bigint, 'temporary files where it does not');
SELECT cmp_ok(pg_temp.at_the_end('pg_temp.memory()', '4MB'), '<', 5000000::bigint, 'memory is bounded by work_mem');
SELECT cmp_ok(pg_temp.at_the_end('pg_temp.memory()', '1MB'), '<', 1300000::bigint, 'also by a small one');
SELECT throws_ok($$ SELECT pg_temp.at_the_end('1 / (pg_temp.files() < 100)::integer::bigint', '4MB') $$, '22012', 'division by zero', 'an error while there are files');
SELECT is(pg_temp.files(), 0::bigint, 'leaves none of them');
RESET work_mem;

SELECT is_empty($$ SELECT * FROM segment.histories('SELECT 1, now(), 2.0 WHERE false', 'UTC') AS h(c integer, h segment.history) $$,
	'no rows, no histories');
SELECT results_eq($$ SELECT * FROM segment.histories('SELECT NULL::integer, date ''2020-01-01'', 2.0 UNION ALL SELECT 1, NULL, NULL')
		AS h(c integer, h segment.history) ORDER BY c $$,
	$$ VALUES (1, NULL::segment.history), (NULL, '{2020-01-01: 2.0}') $$, 'a null customer is a group, nothing valid gives a null history');
SELECT is(h::text, '{2020-01-01: 3.0/2}', 'a VALUES list and a closing semicolon are fine')
FROM segment.histories('VALUES (1, date ''2020-01-01'', 1.5), (1, ''2020-01-01'', 1.5);') AS h(c integer, h segment.history);

-- refusals
SELECT throws_ok($$ SELECT FROM segment.histories('SELECT 1, now(), 2.0; SELECT 2', 'UTC') AS h(c integer, h segment.history) $$,
	'22023', 'source "query" must be one SELECT, not several statements');
SELECT throws_ok($$ SELECT FROM segment.histories('DELETE FROM orders RETURNING customer, at, amount', 'UTC') AS h(c bigint, h segment.history) $$,
	'22023', 'source "query" must be one SELECT, not another command');
SELECT throws_ok($$ SELECT FROM segment.histories('SELECT 1, 2', 'UTC') AS h(c integer, h segment.history) $$,
	'22023', 'the query must return 3 or 4 columns, not 2');
SELECT throws_ok($$ SELECT FROM segment.histories('SELECT 1, now(), 2', 'UTC') AS h(c integer, h segment.history) $$,
	'42804', 'column 3 of the query must be numeric, not integer');
SELECT throws_ok($$ SELECT FROM segment.histories('SELECT 1, now(), 2.0', 'UTC') AS h(c bigint, h segment.history) $$,
	'42804', 'the column definition list does not fit the query');
SELECT throws_ok($$ SELECT FROM segment.histories('SELECT 1, now(), 2.0') AS h(c integer, h segment.history) $$,
	'22004', 'time zone must not be null');
SELECT throws_ok($$ SELECT FROM segment.histories('SELECT 1, now(), 2.0', 'Nowhere/City') AS h(c integer, h segment.history) $$,
	'22023', 'time zone "Nowhere/City" not recognized');
SELECT throws_ok($$ SELECT FROM segment.histories('SELECT ''(1,2)''::point, now(), 2.0', 'UTC') AS h(c point, h segment.history) $$,
	'42883', 'column 1 of the query cannot be the customer: values of type point cannot be hashed');
SELECT throws_ok($$ SELECT FROM segment.histories('SELECT 1, now(), ''NaN''::numeric', 'UTC') AS h(c integer, h segment.history) $$,
	'22023', 'amount must be a finite number, not "NaN"');
SELECT throws_ok(format($$ SELECT FROM segment.histories('SELECT 1, date ''2020-01-01'', 1.0, ''%s''::numeric') AS h(c integer, h segment.history, m segment.history) $$, v),
	'22023', format('amount must be a finite number, not "%s"', v), format('a second amount that is %s', v))
FROM unnest('{NaN,Infinity,-Infinity}'::text[]) AS v;
SELECT throws_ok(format($$ SELECT FROM segment.histories('SELECT 1, date ''2020-01-01'', %s') AS h(c integer, h segment.history) $$, v),
	'22003', format('amount is out of range: "%s"', v), 'an amount of ' || v)
FROM unnest('{1000000000000000000000000000,-1000000000000000000000000000,0.0000000001,12345.0000000001}'::text[]) AS v;
SELECT throws_ok(format($$ SELECT FROM segment.histories('SELECT 1, date ''2020-01-01'' + g %% %s, 999999999999999999999999999.9 FROM generate_series(1, 1000) AS g')
		AS h(c integer, h segment.history) $$, days), '22003', 'sum of amounts is out of range', format('a sum of %s days', days))
FROM unnest('{1,2,1000}'::integer[]) AS days;
SELECT throws_ok(format($$ SELECT FROM segment.histories('SELECT 1, %s, 1.0') AS h(c integer, h segment.history) $$, at),
	'22008', format('%s must be finite, not "-infinity"', kind), 'a ' || at)
FROM (VALUES ('day', 'date ''''-infinity'''''), ('time', 'timestamp ''''-infinity''''')) AS v(kind, at);
CREATE TEMP TABLE collated (a text COLLATE "C", b text COLLATE "POSIX");
SELECT throws_ok($$ SELECT FROM segment.histories('SELECT a || b, now(), 1.0 FROM collated', 'UTC') AS h(c text, h segment.history) $$,
	'42P22', NULL, 'a customer whose collation is not known');
SELECT throws_ok($$ SELECT FROM segment.histories('SELECT 1, timestamptz ''infinity'', 1.0', 'UTC') AS h(c integer, h segment.history) $$,
	'22008', 'time must be finite, not "infinity"');
CREATE FUNCTION pg_temp.cancelled(query text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE query;
	RETURN false;
EXCEPTION WHEN query_canceled THEN
	RETURN true;
END $$;
SET LOCAL statement_timeout = '500ms';
SELECT ok(pg_temp.cancelled($$ SELECT FROM segment.histories('SELECT g, date ''2020-01-01'', 1.0 FROM generate_series(1, 100000000) AS g')
	AS h(c integer, h segment.history) $$), 'a long read can be cancelled');
SET LOCAL statement_timeout = 0;

SELECT * FROM finish();
ROLLBACK;
