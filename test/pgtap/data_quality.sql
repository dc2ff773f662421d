--
-- data_quality: doubtful rows, beside the counts of plain SQL
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
SELECT plan(33);

-- ---------- random rows, of which many lack something or come again ----------

SELECT setseed(0.25);
CREATE TABLE sale AS
SELECT CASE WHEN random() < 0.05 THEN NULL ELSE 'customer ' || floor(power(random(), 2) * 60) END AS customer,
	CASE WHEN random() < 0.05 THEN NULL
		ELSE timestamptz '1969-12-25 21:00+00' + floor(random() * 20) * interval '1 day' + floor(random() * 3) * interval '1 hour 1 microsecond' END AS at,
	CASE WHEN random() < 0.05 THEN NULL
		WHEN random() < 0.1 THEN 0.000
		-- equal amounts of unequal scales, and amounts beyond 64 bits
		WHEN random() < 0.1 THEN round(floor(random() * 3)::numeric - 1, floor(random() * 9)::integer) * 1000000000000000000
		ELSE round(floor(random() * 5)::numeric - 1, floor(random() * 9)::integer) END AS amount,
	CASE WHEN random() < 0.1 THEN NULL ELSE 1.25 END AS margin
FROM generate_series(1, 20000);
-- many on one day
INSERT INTO sale SELECT 'customer 7', '1970-01-02 12:00+00'::timestamptz + n % 1000 * interval '1 microsecond', 3, 1 FROM generate_series(1, 5000) AS n;

-- What differs from plain SQL, for a time column of some type: rows.
CREATE FUNCTION pg_temp.differences(portfolio text, source text, at text, amount text, with_margin boolean, with_zero boolean, with_money boolean)
RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format($q$
		WITH row_ AS (
			SELECT customer, %3$s AS at, %4$s AS amount, margin,
				customer IS NOT NULL AND %3$s IS NOT NULL AND %4$s IS NOT NULL AS complete
			FROM sale
		), expected (check_name, customer, count, money) AS (
			SELECT 'null_customer', NULL, count(*), sum(amount) FROM row_ WHERE customer IS NULL
			UNION ALL
			SELECT 'null_date', customer, count(*), sum(amount) FROM row_ WHERE customer IS NOT NULL AND at IS NULL GROUP BY 2
			UNION ALL
			SELECT 'null_amount', customer, count(*), 0 FROM row_ WHERE customer IS NOT NULL AND at IS NOT NULL AND amount IS NULL GROUP BY 2
			UNION ALL
			SELECT 'null_margin', customer, count(*), sum(amount) FROM row_ WHERE complete AND margin IS NULL AND %5$L GROUP BY 2
			UNION ALL
			SELECT 'zero_amount', customer, count(*), 0 FROM row_ WHERE complete AND amount = 0 AND %6$L GROUP BY 2
			UNION ALL
			SELECT 'duplicate', customer, sum(again), sum(amount * again)
			FROM (SELECT customer, amount, count(*) - 1 AS again FROM row_ WHERE complete GROUP BY customer, at, amount) AS g
			WHERE again > 0 GROUP BY 2
		), found (check_name, customer, count, money) AS (
			SELECT d.check_name, d.customer_id, d.count, d.money FROM %1$I.defect AS d
			WHERE d.source = %2$L AND d.check_name IN ('null_customer', 'null_date', 'null_amount', 'null_margin', 'zero_amount', 'duplicate')
		), wanted AS (SELECT check_name, customer, count, CASE WHEN %7$L THEN coalesce(money, 0) ELSE 0 END FROM expected)
		SELECT w::text FROM ((TABLE wanted EXCEPT ALL TABLE found) UNION ALL (TABLE found EXCEPT ALL TABLE wanted)) AS w$q$,
		portfolio, source, at, amount, with_margin, with_zero, with_money);
END $$;

SELECT segment.create_portfolio('moments', 'SELECT customer, at, amount, margin FROM sale', timezone => 'Asia/Kathmandu') \gset ignored_
SELECT is_empty($$ SELECT pg_temp.differences('moments', 'purchases', 'at', 'amount', true, true, true) $$, 'rows with moments and margins');
SELECT results_eq($$ SELECT check_name FROM moments.defect WHERE source = 'purchases' AND check_name NOT IN ('refund_without_purchase', 'cancelled_same_day', 'old_date', 'unusual_amount') GROUP BY 1 ORDER BY 1 $$,
	ARRAY['duplicate', 'null_amount', 'null_customer', 'null_date', 'null_margin', 'zero_amount'], 'all checks have found some');
SELECT is((SELECT sum(q.count) FROM moments.data_quality AS q WHERE q.check_name IN ('null_customer', 'null_date', 'null_amount'))
	+ (SELECT sum(segment.orders(h.purchases) + segment.refunds(h.purchases)) FROM moments.customer_history AS h),
	(SELECT count(*) FROM sale)::numeric, 'every row is in a history, or counted as one that cannot be');
SELECT ok((SELECT q.count FROM moments.data_quality AS q WHERE q.check_name = 'duplicate') > 4000, 'many of one day come again');

SELECT segment.create_portfolio('local', 'SELECT customer, at::timestamp, amount FROM sale',
	costs => 'SELECT customer, at, amount FROM sale',
	complaints => 'SELECT customer, at FROM sale',
	satisfaction => 'SELECT customer, at::date, amount FROM sale') \gset ignored_
SELECT is_empty($$ SELECT pg_temp.differences('local', 'purchases', 'at::timestamp', 'amount', false, true, true) $$, 'without margins, times without zone');
SELECT is_empty($$ SELECT pg_temp.differences('local', 'costs', 'at', 'amount', false, false, true) $$, 'costs');
SELECT is_empty($$ SELECT pg_temp.differences('local', 'complaints', 'at', '1', false, false, false) $$, 'complaints');
SELECT is_empty($$ SELECT pg_temp.differences('local', 'satisfaction', 'at::date', 'amount', false, false, false) $$, 'satisfaction, by days');

-- in parts and temporary files, the same
SET LOCAL work_mem = '64kB';
CREATE TABLE kept AS SELECT * FROM moments.defect;
SELECT segment.refresh('moments') \gset ignored_
SELECT set_eq('TABLE moments.defect', 'TABLE kept', 'with little memory the same');
SELECT segment.create_portfolio('narrow', 'SELECT customer, at::date, amount, margin FROM sale') \gset ignored_
SELECT is_empty($$ SELECT pg_temp.differences('narrow', 'purchases', 'at::date', 'amount', true, true, true) $$, 'also of days');
RESET work_mem;

-- ---------- what only changed ----------

SELECT watch FROM segment.watch('moments', 'sale', 'customer') \gset ignored_
SELECT segment.refresh('moments') \gset ignored_
UPDATE sale SET margin = NULL WHERE customer = 'customer 11';
UPDATE sale SET customer = NULL WHERE customer = 'customer 12' AND random() < 0.5;
UPDATE sale SET customer = 'customer 13' WHERE ctid IN (SELECT ctid FROM sale WHERE customer IS NULL LIMIT 20);
UPDATE sale SET amount = 0, at = NULL WHERE customer = 'customer 14';
DELETE FROM sale WHERE customer = 'customer 15';
INSERT INTO sale SELECT * FROM sale WHERE customer = 'customer 16';
SELECT is((SELECT mode FROM segment.refresh('moments')), 'changes', 'changed customers are read');
SELECT is_empty($$ SELECT pg_temp.differences('moments', 'purchases', 'at', 'amount', true, true, true) $$, 'and checked again, as are rows without a customer');
CREATE TABLE changed AS SELECT * FROM moments.defect;
SELECT is((SELECT mode FROM segment.refresh('moments', "full" => true)), 'full', 'all are read');
SELECT set_eq('TABLE moments.defect', 'TABLE changed', 'and nothing else is found');
DELETE FROM sale WHERE customer IS NULL;
SELECT is((SELECT mode FROM segment.refresh('moments')), 'changes', 'rows without a customer are gone');
SELECT is_empty($$ SELECT FROM moments.defect WHERE check_name = 'null_customer' $$, 'and so is what was said of them');

-- ---------- amounts that are none, where they do not count ----------

CREATE TABLE strange (customer integer, at timestamptz, amount numeric);
INSERT INTO strange VALUES (1, '2024-01-01', 10), (NULL, '2024-01-01', 'NaN'), (NULL, 'infinity', 'Infinity'), (NULL, NULL, 1.12345678949),
	(2, NULL, '-Infinity'), (2, NULL, 1e27), (2, NULL, 2.50), (NULL, '-infinity', 1e100), (3, '2024-01-01', NULL), (4, 'infinity', NULL);
SELECT segment.create_portfolio('strange_shop', 'SELECT customer, at, amount FROM strange') \gset ignored_
SELECT is((SELECT d::text FROM strange_shop.defect AS d WHERE check_name = 'null_customer'), '(purchases,null_customer,,4,1.123456789)', 'they are counted, and the other amounts added');
SELECT is((SELECT d::text FROM strange_shop.defect AS d WHERE check_name = 'null_date'), '(purchases,null_date,2,3,2.50)', 'also without a date');
SELECT is((SELECT count(*) FROM strange_shop.defect AS d WHERE check_name = 'null_amount'), 2::bigint, 'whatever the date of one without amount is');
INSERT INTO strange VALUES (5, '2024-01-01', 'NaN');
SELECT throws_ok($$ SELECT segment.refresh('strange_shop') $$, '22023', NULL, 'an amount that would count must be one');
DELETE FROM strange WHERE customer = 5;
INSERT INTO strange VALUES (5, 'infinity', 1);
SELECT throws_ok($$ SELECT segment.refresh('strange_shop') $$, '22008', NULL, 'and so must a date');
DELETE FROM strange;
SELECT is((SELECT customers FROM segment.refresh('strange_shop')), 0::bigint, 'nobody');
SELECT is_empty('TABLE strange_shop.defect', 'nothing');
INSERT INTO strange VALUES (NULL, '2024-01-01', 5), (NULL, '2024-01-02', 6);
SELECT is((SELECT r.customers_read || ' ' || r.customers FROM segment.refresh('strange_shop') AS r), '0 0', 'nobody is no customer');
SELECT is((SELECT string_agg(d::text, ' ') FROM strange_shop.defect AS d), '(purchases,null_customer,,2,11)', 'but is counted');
TRUNCATE strange;
INSERT INTO strange VALUES (NULL, '2024-01-01', 9e26), (NULL, '2024-01-01', 9e26), (1, NULL, -9e26), (1, NULL, -9e26), (1, NULL, -1);
SELECT lives_ok($$ SELECT segment.refresh('strange_shop') $$, 'sums out of range are no reason to fail');
SELECT set_eq($$ SELECT check_name, count, money FROM strange_shop.defect $$,
	$$ VALUES ('null_customer', 2::bigint, 9e26), ('null_date', 3, -9e26 - 1) $$, 'what does not fit is left out');

-- ---------- the function behind it ----------

SELECT results_eq($$ SELECT c, h::text, counts, money FROM segment_internal.checked_histories('purchases', 'SELECT * FROM (VALUES
		(1, date ''2024-01-01'', 2.0), (1, ''2024-01-01'', 2.00), (1, NULL, 3), (NULL, ''2024-01-01'', 4), (2, ''2024-01-01'', 5)) AS v', NULL, '{}'::text[]) AS h(c integer, h segment.history, counts bigint[], money numeric[])
		ORDER BY c $$,
	$$ VALUES (1, '{2024-01-01: 4.00/2}'::text, '{0,1,0,0,0,1}'::bigint[], '{0,3,0,0,0,2.00}'::numeric[]),
		(2, '{2024-01-01: 5}', NULL, NULL), (NULL, NULL, '{1,0,0,0,0,0}', '{4,0,0,0,0,0}') $$, 'counts and money of each check');
SELECT throws_ok($$ SELECT * FROM segment_internal.checked_histories('purchases', 'SELECT 1, date ''2024-01-01'', 1.0', NULL, '{}'::text[]) AS h(c integer, h segment.history) $$,
	'42804', 'the column definition list does not fit the query', 'the columns must be there');
SELECT throws_ok($$ SELECT * FROM segment_internal.checked_histories('purchases', 'SELECT 1, date ''2024-01-01'', 1.0', NULL, '{}'::text[]) AS h(c integer, h segment.history, counts integer[], money numeric[]) $$,
	'42804', 'the column definition list does not fit the query', 'and of these types');
SELECT throws_ok($$ SELECT * FROM segment_internal.checked_histories('purchases', 'SELECT 1, date ''2024-01-01'', 1.0, 1.0', NULL, '{}'::text[]) AS h(c integer, h segment.history, counts bigint[], money numeric[]) $$,
	'42804', 'the column definition list does not fit the query', 'and as many');
SELECT throws_ok($$ SELECT * FROM segment_internal.checked_histories('purchases', NULL, NULL, '{}'::text[]) AS h(c integer, h segment.history, counts bigint[], money numeric[]) $$,
	'22004', 'query must not be null', 'and a query');
SELECT throws_ok($$ SELECT * FROM segment_internal.checked_histories('purchases', 'SELECT n % 2, date ''2024-01-01'', CASE n % 2 WHEN 0 THEN NULL ELSE 1e26 END FROM generate_series(1, 100) AS n', NULL, '{}'::text[]) AS h(c integer, h segment.history, counts bigint[], money numeric[]) $$,
	'22003', NULL, 'sums have their limits');

SELECT * FROM finish();
ROLLBACK;
