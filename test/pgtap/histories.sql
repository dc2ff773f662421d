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
SELECT plan(31);

SELECT setseed(0.5);
CREATE DOMAIN customer_number AS bigint CHECK (VALUE > -100);
CREATE COLLATION without_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TEMP TABLE orders AS
SELECT n AS customer, n::smallint AS small, n::integer AS whole, n::customer_number AS domain_key,
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
UPDATE orders SET customer = NULL, small = NULL, whole = NULL, domain_key = NULL, name = NULL, id = NULL,
	fraction = NULL, folded = NULL, list = NULL, long_name = NULL WHERE random() < 0.01;

-- What differs from history_agg under GROUP BY, for a key of some type: rows.
CREATE FUNCTION pg_temp.differences(key text, type text, at text DEFAULT 'at', zone text DEFAULT 'Asia/Kathmandu')
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	result bigint;
	days text := CASE at WHEN 'at' THEN format('at, %%s, %L', zone) ELSE at || '::date, %s' END;
BEGIN
	EXECUTE format($q$
		WITH one AS (
			SELECT lower(key::text) AS key, segment.history_send(a) AS a, segment.history_send(b) AS b
			FROM segment.histories('SELECT %1$I, %3$s, amount, margin FROM orders', %4$L)
				AS h(key %2$s, a segment.history, b segment.history)
		), other AS (
			SELECT lower(key::text) AS key, segment.history_send(a) AS a, segment.history_send(b) AS b
			FROM (SELECT %1$I AS key, segment.history_agg(%5$s) AS a, segment.history_agg(%6$s) AS b
				FROM orders GROUP BY 1) AS g
		)
		SELECT (SELECT count(*) FROM (TABLE one EXCEPT ALL TABLE other) AS x)
			+ (SELECT count(*) FROM (TABLE other EXCEPT ALL TABLE one) AS y)$q$, key, type, at, zone,
		format(days, 'amount'), format(days, 'margin'))
	INTO result;
	RETURN result;
END $$;

SELECT is(pg_temp.differences(k.key, k.type), 0::bigint, 'the same for keys of type ' || k.type)
FROM (VALUES ('customer', 'bigint'), ('small', 'smallint'), ('whole', 'integer'), ('domain_key', 'customer_number'),
	('name', 'text'), ('id', 'uuid'), ('fraction', 'numeric'), ('list', 'bigint[]'), ('long_name', 'text'),
	('folded', 'text COLLATE without_case')) AS k(key, type);
SELECT is(pg_temp.differences('customer', 'bigint', 'at', z), 0::bigint, 'with days of ' || z)
FROM unnest(ARRAY['UTC', 'America/St_Johns', 'Pacific/Apia']) AS z;
SELECT is(pg_temp.differences('customer', 'bigint', 'at::date', NULL), 0::bigint, 'from dates');
SELECT is(pg_temp.differences('customer', 'bigint', 'at::timestamp', NULL), 0::bigint, 'from timestamps without time zone');

-- through temporary files
SET LOCAL work_mem = '64kB';
SELECT is(pg_temp.differences('customer', 'bigint'), 0::bigint, 'the same from temporary files');
SELECT is(pg_temp.differences('long_name', 'text'), 0::bigint, 'also with long keys');
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
SELECT throws_ok($$ SELECT FROM segment.histories('SELECT 1, timestamptz ''infinity'', 1.0', 'UTC') AS h(c integer, h segment.history) $$,
	'22008', 'time of an order must be finite, not "infinity"');
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
