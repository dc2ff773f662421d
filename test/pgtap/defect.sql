--
-- defect: keys and histories that are doubtful, beside hand-written SQL
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
SELECT no_plan();

SELECT setseed(0.6);
-- keys: plain ones, those that differ in case and blanks, those that stand for nobody
CREATE FUNCTION pg_temp.any_key() RETURNS text LANGUAGE sql VOLATILE AS $$
SELECT CASE WHEN random() < 0.9 THEN 'c' || floor(random() * 200)
	WHEN random() < 0.6 THEN (ARRAY['Ann Lee', 'ann lee', 'ANNLEE', ' annlee', 'Bo', 'bo', E'b\to', 'Ärger', 'ärger', 'alone'])[1 + floor(random() * 10)]
	ELSE (ARRAY['', ' ', 'unknown', 'Unknown', 'GUEST', 'gu est', 'anonymous', 'nobody', 'n/a'])[1 + floor(random() * 9)] END
$$;
CREATE TABLE sale AS
SELECT pg_temp.any_key() AS customer,
	CASE WHEN random() < 0.01 THEN date '1900-01-01' WHEN random() < 0.01 THEN '1970-12-31' WHEN random() < 0.01 THEN '1971-01-01' ELSE date '2023-01-01' + floor(random() * 365)::integer END AS day,
	round((exp(4 + sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random())) * CASE WHEN random() < 0.004 THEN 1e6 WHEN random() < 0.004 THEN 1e-4 WHEN random() < 0.1 THEN -1 ELSE 1 END)::numeric, 4) AS amount
FROM generate_series(1, 4000);
CREATE TABLE cost AS SELECT CASE WHEN random() < 0.1 THEN 'lost ' || floor(random() * 20) ELSE pg_temp.any_key() END AS customer, date '2023-01-01' + floor(random() * 365)::integer AS day, 5.5 AS amount FROM generate_series(1, 500);
CREATE TABLE complaint AS SELECT CASE WHEN random() < 0.1 THEN 'lost ' || floor(random() * 20) ELSE pg_temp.any_key() END AS customer, CASE WHEN random() < 0.1 THEN date '1899-12-31' ELSE '2023-05-05' END AS day FROM generate_series(1, 300);
CREATE TABLE person AS SELECT DISTINCT customer FROM (SELECT pg_temp.any_key() AS customer FROM generate_series(1, 100) UNION ALL SELECT 'lost 3') AS p;

-- The checks by hand, from the rows, all of them or those of the amounts.
CREATE FUNCTION public.by_hand(anonymous text[], oldest date, mads float8) RETURNS TABLE (source text, check_name text, customer text, count bigint, money numeric) LANGUAGE sql AS $$
WITH event AS (
	SELECT 'purchases' AS source, customer, day, amount FROM sale
	UNION ALL SELECT 'costs', customer, day, amount FROM cost
	UNION ALL SELECT 'complaints', customer, day, 0 FROM complaint
	UNION ALL SELECT 'customers', customer, NULL, 0 FROM person
), key AS (
	SELECT DISTINCT customer, lower(regexp_replace(customer, '\s', '', 'g')) AS plain FROM event
), order_day AS (
	SELECT customer, day, count(*) AS orders, sum(amount) AS gross, ln((sum(amount) / count(*))::float8) AS l
	FROM sale WHERE amount >= 0 GROUP BY 1, 2
), middle AS (
	SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY l) AS m FROM order_day
), spread AS (
	SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY abs(l - m)) AS mad FROM order_day, middle
)
SELECT e.source, 'anonymous_customer', e.customer, count(*), sum(e.amount)
FROM event AS e JOIN key AS k USING (customer) WHERE k.plain = ANY (anonymous || ''::text) GROUP BY 1, 3
UNION ALL
SELECT e.source, 'similar_customer', e.customer, count(*), sum(e.amount)
FROM event AS e JOIN key AS k USING (customer)
WHERE EXISTS (SELECT FROM key AS o WHERE o.plain = k.plain AND o.customer <> k.customer) GROUP BY 1, 3
UNION ALL
SELECT e.source, 'unknown_customer', e.customer, count(*), sum(e.amount)
FROM event AS e WHERE e.source IN ('costs', 'complaints') AND e.customer NOT IN (SELECT customer FROM sale UNION SELECT customer FROM person) GROUP BY 1, 3
UNION ALL
SELECT e.source, 'old_date', e.customer, count(*), sum(e.amount) FROM event AS e WHERE e.day < oldest GROUP BY 1, 3
UNION ALL
SELECT 'purchases', 'unusual_amount', d.customer, sum(d.orders), sum(d.gross) FROM order_day AS d, middle, spread WHERE abs(d.l - m) > mads * mad GROUP BY 3
$$;
CREATE FUNCTION public.found(portfolio text) RETURNS TABLE (source text, check_name text, customer text, count bigint, money numeric) LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format('SELECT d.source, d.check_name, d.customer_id::text, d.count, d.money FROM %I.defect AS d
		WHERE d.check_name IN (''anonymous_customer'', ''similar_customer'', ''unknown_customer'', ''old_date'', ''unusual_amount'')', portfolio);
END
$$;
CREATE FUNCTION public.differences(portfolio text, anonymous text[] DEFAULT '{unknown,guest,anonymous}', oldest date DEFAULT '1971-01-01', mads float8 DEFAULT 8) RETURNS SETOF text LANGUAGE sql AS $$
SELECT 'missing ' || d::text FROM (SELECT * FROM public.by_hand(anonymous, oldest, mads) EXCEPT ALL SELECT * FROM public.found(portfolio)) AS d
UNION ALL
SELECT 'too many ' || d::text FROM (SELECT * FROM public.found(portfolio) EXCEPT ALL SELECT * FROM public.by_hand(anonymous, oldest, mads)) AS d
$$;

SELECT segment.create_portfolio('shop', 'SELECT customer, day, amount FROM sale', customers => 'SELECT customer FROM person',
	costs => 'SELECT customer, day, amount FROM cost', complaints => 'SELECT customer, day FROM complaint') IS NOT NULL AS made \gset
SELECT is_empty($$ SELECT * FROM public.differences('shop') $$, 'what is found is what plain SQL finds');
SELECT set_eq($$ SELECT source, check_name FROM public.found('shop') $$,
	$$ SELECT * FROM (VALUES ('complaints', 'anonymous_customer'), ('complaints', 'old_date'), ('complaints', 'similar_customer'), ('complaints', 'unknown_customer'),
		('costs', 'anonymous_customer'), ('costs', 'similar_customer'), ('costs', 'unknown_customer'),
		('customers', 'anonymous_customer'), ('customers', 'similar_customer'),
		('purchases', 'anonymous_customer'), ('purchases', 'old_date'), ('purchases', 'similar_customer'), ('purchases', 'unusual_amount')) AS v $$, 'all checks find some');
SELECT set_eq($$ SELECT q.source, q.check_name, q.count, q.money FROM shop.data_quality AS q
		WHERE q.check_name ~ '(_customer|old_date|unusual_amount)$' AND q.check_name NOT IN ('null_customer', 'duplicate_customer') AND q.count > 0 $$,
	$$ SELECT source, check_name, sum(count)::bigint AS count, sum(money) AS money FROM public.by_hand('{unknown,guest,anonymous}', '1971-01-01', 8) GROUP BY 1, 2 $$, 'and data_quality adds them up');
SELECT cmp_ok((SELECT count(*) FROM public.found('shop') WHERE check_name = 'unusual_amount' AND money > 1000), '>', 3::bigint, 'amounts that are much too large');
SELECT cmp_ok((SELECT count(*) FROM public.found('shop') WHERE check_name = 'unusual_amount' AND money < 1), '>', 3::bigint, 'and much too small');

-- ---------- settings ----------

SELECT segment.alter_portfolio('shop', settings => '{"anonymous_keys": " N/A,nobody,C 7", "oldest_day": "2023-02-01", "outlier_mads": 3}') IS NOT NULL AS made \gset
SELECT is_empty($$ SELECT * FROM public.differences('shop', '{n/a,nobody,c7}', '2023-02-01', 3) $$, 'by other settings');
SELECT throws_ok(format($$ SELECT segment.alter_portfolio('shop', settings => %L) $$, s), '22023', m, s) FROM (VALUES
	('{"oldest_day": "2023-02-30"}', 'setting "oldest_day" must be a date as YYYY-MM-DD, not "2023-02-30"'),
	('{"oldest_day": "yesterday"}', 'setting "oldest_day" must be a date as YYYY-MM-DD, not "yesterday"'),
	('{"oldest_day": 20230101}', 'setting "oldest_day" must be a date, not 20230101'),
	('{"outlier_mads": 0}', 'setting "outlier_mads" must be from 1 to 1000, not 0')) AS v(s, m);
SELECT segment.alter_portfolio('shop', settings => '{"anonymous_keys": "", "oldest_day": null, "outlier_mads": null}') IS NOT NULL AS made \gset
SELECT is_empty($$ SELECT * FROM public.differences('shop', '{}') $$, 'without names of nobody, the empty key alone');
SELECT segment.alter_portfolio('shop', settings => '{"anonymous_keys": null}') IS NOT NULL AS made \gset

-- ---------- what only changed ----------

SELECT count(segment.watch('shop', t, 'customer')) AS watched FROM unnest('{sale,person,cost,complaint}'::regclass[]) AS t \gset
SELECT segment.refresh('shop') IS NOT NULL AS made \gset
-- a key that comes makes others look like it, one that goes no longer does
INSERT INTO sale VALUES ('C 7', '2023-05-05', 50), ('guest', '2023-05-05', 60), ('c8', '1950-01-01', 70), ('whale', '2023-05-05', 1e9);
DELETE FROM sale WHERE customer = 'bo';
DELETE FROM cost WHERE customer = 'bo';
DELETE FROM complaint WHERE customer = 'bo';
DELETE FROM person WHERE customer IN ('bo', 'lost 3');
INSERT INTO person SELECT 'lost 4';
SELECT is((SELECT mode FROM segment.refresh('shop')), 'changes', 'changes are read');
SELECT is_empty($$ SELECT * FROM public.differences('shop') AS d WHERE d !~ 'unusual_amount' $$, 'and found');
SELECT is((SELECT count FROM public.found('shop') WHERE check_name = 'unusual_amount' AND customer = 'whale'), 1::bigint, 'unusual amounts, too, by what was usual when all was read');
CREATE TABLE changed AS SELECT * FROM public.found('shop');
SELECT is((SELECT mode FROM segment.refresh('shop', "full" => true)), 'full', 'all is read');
SELECT is_empty($$ SELECT * FROM public.differences('shop') $$, 'and found');
SELECT set_eq($$ SELECT * FROM public.found('shop') WHERE check_name <> 'unusual_amount' $$, $$ SELECT * FROM changed WHERE check_name <> 'unusual_amount' $$, 'the same as from changes');

-- ---------- other keys, other sources ----------

CREATE TABLE numbered AS SELECT CASE WHEN n % 50 = 0 THEN -1 ELSE n % 40 END AS customer, date '2023-01-01' + n AS day, 10 AS amount FROM generate_series(1, 300) AS n;
SELECT segment.create_portfolio('numbers', 'SELECT customer, day, amount FROM numbered', settings => '{"anonymous_keys": "-1"}') IS NOT NULL AS made \gset
SELECT set_eq($$ SELECT * FROM public.found('numbers') $$, $$ VALUES ('purchases', 'anonymous_customer', '-1', 6::bigint, 60::numeric) $$, 'a number that stands for nobody; equal amounts are not unusual');
SELECT is((SELECT usual_orders FROM numbers.portfolio), NULL, 'where they do not vary');
CREATE COLLATION ignore_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
SELECT segment.create_portfolio('folded', 'SELECT customer COLLATE ignore_case, day, amount FROM sale') IS NOT NULL AS made \gset
SELECT is_empty($$ SELECT f.customer FROM public.found('folded') AS f WHERE f.check_name = 'similar_customer' AND NOT f.customer ~* '^(\s*ann\s*lee|\s*b\s*o|c\s*7|\s*|gu ?est)$' $$, 'keys that ignore case differ in blanks only');
SELECT isnt_empty($$ SELECT FROM public.found('folded') AS f WHERE f.check_name = 'similar_customer' $$, 'some do');
SELECT segment.create_portfolio('given', 'SELECT customer, segment.history_agg(day, amount) FROM sale GROUP BY 1') IS NOT NULL AS made \gset
SELECT set_eq($$ SELECT f.check_name, f.customer, f.count, f.money FROM public.found('given') AS f $$,
	$$ SELECT f.check_name, f.customer, f.count, f.money FROM public.found('shop') AS f WHERE f.source = 'purchases' AND f.check_name IN ('old_date', 'anonymous_customer', 'unusual_amount')
		UNION ALL SELECT 'similar_customer', s.customer, count(*), sum(amount) FROM sale AS s
		WHERE EXISTS (SELECT FROM sale AS o WHERE o.customer <> s.customer AND lower(regexp_replace(o.customer, '\s', '', 'g')) = lower(regexp_replace(s.customer, '\s', '', 'g'))) GROUP BY 2 $$,
	'sources of histories are checked as well');
SELECT is_empty($$ SELECT check_name FROM given.data_quality WHERE count IS NULL AND check_name NOT IN ('null_date', 'null_amount', 'null_margin', 'zero_amount', 'duplicate') $$, 'but for what only rows tell');

SELECT is(segment_internal.unusual_orders('{2024-01-01: 10.00, 2024-01-02: 30/3, 2024-01-03: 0, 2024-01-04: -50, 2024-01-05: 100/2}', 10, 40)::text, '{2024-01-05: 100.00/2}', 'the function behind it: the mean of a day');
SELECT is(segment_internal.unusual_orders('{2024-01-01: 10.00, 2024-01-02: 9.99}', 10, 40)::text, '{2024-01-02: 9.99}', 'limits are usual themselves');
SELECT is(segment_internal.unusual_orders('{2024-01-01: 10.00}', 10, 10)::text, NULL, 'none');

SELECT * FROM finish();
ROLLBACK;
