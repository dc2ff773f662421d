--
-- A portfolio over real orders: CDNOW, 6,919 orders of 2,357 customers
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
SELECT plan(11);

-- The data lie in the directory SEGMENT_DATA, or beside the checkout.
\set orders_csv `cat "${SEGMENT_DATA:-../shared/data}/cdnow_orders.csv" 2>/dev/null`
\set summary_csv `cat "${SEGMENT_DATA:-../shared/data}/cdnow_summary.csv" 2>/dev/null`
SELECT length(:'orders_csv') > 0 AND length(:'summary_csv') > 0 AS have_data \gset
\if :have_data

CREATE SCHEMA cd;
SET LOCAL search_path = cd, public;
CREATE FUNCTION lines(csv text) RETURNS SETOF text[] LANGUAGE sql AS $$
	SELECT string_to_array(line, ',')
	FROM regexp_split_to_table(csv, E'\r?\n') WITH ORDINALITY l(line, n)
	WHERE n > 1 AND line <> ''
$$;
CREATE TABLE orders AS
SELECT l[1]::integer AS customer_id, l[2]::date AS day, l[3]::numeric AS amount FROM lines(:'orders_csv') AS l;
CREATE TABLE summary AS
SELECT l[1]::integer AS customer_id, l[2]::float8 AS x, l[3]::numeric AS t_x, l[4]::numeric AS t, l[5]::numeric AS mean_repeat_spend
FROM lines(:'summary_csv') AS l;

SELECT results_eq($$ SELECT as_of, customers FROM segment.create_portfolio('cdnow', 'TABLE orders') $$,
	$$ SELECT max(day), count(DISTINCT customer_id) FROM orders $$, 'as_of is the last purchase day');
SELECT set_eq($$ SELECT customer_id, orders, purchase_days, first_day, last_day, gross, refunded, net FROM cdnow.customer $$,
	$$ SELECT customer_id, count(*) AS orders, count(DISTINCT day) AS days, min(day), max(day),
		sum(amount) AS gross, 0::numeric AS refunded, sum(amount) AS net FROM orders GROUP BY 1 $$,
	'every customer is what plain SQL says');
SELECT is(sum(net), (SELECT sum(amount) FROM orders), 'the money is all there') FROM cdnow.customer;
SELECT is((SELECT sum(n - 1) FROM (SELECT count(*) AS n FROM orders GROUP BY customer_id, day, amount) AS g),
	(SELECT count::numeric FROM cdnow.data_quality WHERE check_name = 'duplicate'), 'duplicates');
SELECT is((SELECT count(*) FROM orders WHERE amount = 0), (SELECT count FROM cdnow.data_quality WHERE check_name = 'zero_amount'), 'zero amounts');
SELECT is(as_of, date '1997-09-30', 'seen from the end of the calibration period') FROM segment.refresh('cdnow', '1997-09-30');
SELECT is_empty($$ SELECT s.customer_id FROM summary AS s LEFT JOIN cdnow.customer_history AS h USING (customer_id)
	CROSS JOIN LATERAL segment.cbs(h.purchases, '1997-09-30', 'week') AS c
	WHERE (c.x, round(c.t_x::numeric, 2), round(c.t::numeric, 2)) IS DISTINCT FROM (s.x, s.t_x, s.t)
		OR abs(c.mean_repeat_spend - s.mean_repeat_spend) > 0.005 $$, 'the models'' inputs are the published ones');
SELECT is((SELECT count(*) FROM summary), customers, 'of all customers') FROM cdnow.model_card WHERE scorecard_id = 2;
SELECT is((SELECT count(*) FROM cdnow.customer_class WHERE scheme = 'rfm_segment'), 2357::bigint, 'everybody has a class');
-- the same customers' purchases in the 39 weeks after, in total, against what was expected then
SELECT segment.alter_portfolio('cdnow', settings => '{"horizon_weeks": 39}') IS NOT NULL AS altered \gset
SELECT segment.refresh('cdnow', '1997-09-30') IS NOT NULL AS refreshed \gset
SELECT cmp_ok(abs(sum(e.expected_purchases) / (SELECT count(DISTINCT (customer_id, day)) FROM orders WHERE day > '1997-09-30') - 1), '<', 0.2::float8,
	'purchases of the next 39 weeks are expected within a fifth') FROM cdnow.customer AS e;
SELECT bag_eq($$ SELECT * FROM cdnow.customer_at('1997-09-30') $$, 'SELECT * FROM cdnow.customer', 'the past day is as it was judged');
\else
SELECT skip('no test data: set SEGMENT_DATA to their directory', 11);
\endif

SELECT * FROM finish();
ROLLBACK;
