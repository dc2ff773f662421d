--
-- Sources that bring histories: the same portfolio as from the events, what
-- data_quality can say, and errors
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
CREATE SCHEMA t;
SET LOCAL search_path = t, public;
SET LOCAL timezone = 'America/New_York';
\set zone '''Asia/Kolkata'''

SELECT setseed(0.37);
CREATE DOMAIN customer_number AS integer CHECK (VALUE >= 0);
CREATE TABLE orders AS
SELECT CASE WHEN random() < 0.01 THEN NULL ELSE (500 * random() ^ 2)::integer END::customer_number AS customer,
	timestamptz '2022-01-01 00:00+00' + floor(24 * 730 * random()) * interval '1 hour' AS at,
	CASE WHEN random() < 0.01 THEN NULL WHEN random() < 0.08 THEN -floor(1000 * random()) / 100
		ELSE floor(10000 * random() ^ 3 + 1) / 100 END::numeric AS amount,
	CASE WHEN random() < 0.02 THEN NULL ELSE floor(4000 * random() - 500) / 1000 END::numeric AS margin,
	(3 * random())::integer AS shop
FROM generate_series(1, 4000) AS n;
INSERT INTO orders VALUES (7, '2999-01-01', 10, 1), (NULL, '2999-01-01', 10, 1), (900, '2023-01-01', -5, 0);
CREATE TABLE event AS
SELECT (600 * random())::integer AS customer, date '2022-01-01' + (730 * random())::integer AS at,
	floor(10 * random())::numeric AS score
FROM generate_series(1, 900);
CREATE TABLE person AS SELECT n AS id, 'name ' || n AS name FROM generate_series(450, 650) AS n;

-- ---------- the same portfolio ----------

CREATE FUNCTION differences(a text, b text) RETURNS TABLE (relation text, rows bigint)
LANGUAGE plpgsql AS $$
DECLARE
	query text;
BEGIN
	FOR relation, query IN
		SELECT c.relname, format('WITH a AS MATERIALIZED (SELECT r::text FROM %1$I.%3$I AS r), b AS MATERIALIZED (SELECT r::text FROM %2$I.%3$I AS r)
				SELECT count(*) FROM ((TABLE a EXCEPT ALL TABLE b) UNION ALL (TABLE b EXCEPT ALL TABLE a)) AS d', a, b, c.relname)
		FROM pg_class AS c
		WHERE c.relnamespace = a::regnamespace AND c.relkind IN ('r', 'v')
			-- when, from what, and what only events can tell
			AND c.relname NOT IN ('portfolio', 'scorecard', 'scorecard_figures', 'scorecard_in_force', 'model_card', 'defect', 'data_quality', 'key_account_criterion', 'refresh_log',
				-- whose last digits depend on the order of rows; and empty without snapshots
				'segment_profile', 'segment_trend')
	LOOP
		EXECUTE query INTO rows;
		RETURN NEXT;
	END LOOP;
END
$$;

SELECT segment.create_portfolio('events', 'SELECT customer, at, amount, margin FROM orders',
	customers => 'SELECT * FROM person', costs => 'SELECT * FROM event', complaints => 'SELECT customer, at FROM event WHERE score < 2',
	satisfaction => 'SELECT * FROM event', timezone => :zone) IS NOT NULL AS made \gset
-- one row per customer and shop, so that they have to be merged
SELECT format('SELECT customer, segment.history_agg(at, amount, %1$L), segment.history_agg(at, margin, %1$L) FILTER (WHERE amount IS NOT NULL)
	FROM orders GROUP BY customer, shop', :zone) AS merged \gset
CREATE FUNCTION made(purchases text, zone text) RETURNS segment.refresh_report LANGUAGE sql AS $$
	SELECT segment.create_portfolio('histories', purchases,
		customers => 'SELECT * FROM person', costs => 'SELECT customer, segment.history_agg(at, score) FROM event GROUP BY customer',
		complaints => 'SELECT customer::text, segment.history_agg(at, 1) FROM event WHERE score < 2 GROUP BY customer',
		satisfaction => 'SELECT customer, segment.history_agg(at, score) FROM event GROUP BY customer', timezone => zone)
$$;
SELECT results_eq(format('SELECT customers, customers_read, as_of FROM made(%L, %L)', :'merged', :zone),
	'SELECT customers, customers_read, as_of FROM segment.refresh(''events'')', 'a portfolio from histories');
CREATE TABLE difference AS SELECT * FROM differences('events', 'histories');
SELECT cmp_ok((SELECT count(*) FROM difference), '>=', 10::bigint, 'tables and views to compare');
SELECT is((SELECT count(*) FROM difference AS d WHERE d.relation IN ('customer', 'customer_history', 'churn_signal')),
	3::bigint, 'the most important among them');
SELECT is_empty($$ SELECT * FROM difference WHERE rows > 0 $$,
	'every table and view is the same as from the events');
SELECT is((SELECT array_agg(format_type(atttypid, atttypmod)) FROM pg_attribute
	WHERE attname = 'customer_id' AND attrelid IN ('histories.customer_history'::regclass, 'histories.defect'::regclass)),
	'{customer_number,integer}', 'types of the key');
SELECT is(own, other, 'margins are the customers'' own') FROM
	(SELECT margin FROM events.scorecard ORDER BY scorecard_id LIMIT 1) AS e(own), (SELECT margin FROM histories.scorecard) AS h(other);
SELECT is((purchase_model, spend_model, recency_cuts)::text, (SELECT (purchase_model, spend_model, recency_cuts)::text
	FROM events.scorecard WHERE scorecard_id = 1), 'the scorecard is the same') FROM histories.scorecard;
SELECT is(customers_changed, 0::bigint, 'a refresh finds nothing new') FROM segment.refresh('histories');

-- ---------- data quality ----------

SELECT is_empty($$
	SELECT source, check_name, h.count, e.count, h.money, e.money
	FROM histories.data_quality AS h JOIN events.data_quality AS e USING (source, check_name)
	WHERE check_name NOT IN ('null_date', 'null_amount', 'null_margin', 'zero_amount', 'duplicate') AND source <> 'customers'
		-- rows without an amount are in no history
		AND (h.count + CASE WHEN (source, check_name) = ('purchases', 'null_customer')
			THEN (SELECT count(*) FROM orders WHERE customer IS NULL AND amount IS NULL) ELSE 0 END, h.money)
			IS DISTINCT FROM (e.count, e.money) $$, 'what histories can tell is told');
SELECT bag_eq($$ SELECT check_name, count > 0 FROM histories.data_quality WHERE source = 'purchases' AND count IS NOT NULL $$,
	$$ VALUES ('null_customer', true), ('future_date', true), ('refund_without_purchase', true), ('cancelled_same_day', true),
		('old_date', false), ('unusual_amount', false), ('anonymous_customer', false), ('similar_customer', false) $$, 'there is some of it');
SELECT is_empty($$ SELECT source, check_name, count, money FROM histories.data_quality
	WHERE source <> 'customers' AND check_name IN ('null_date', 'null_amount', 'null_margin', 'zero_amount', 'duplicate')
		AND (count IS NOT NULL OR money IS NOT NULL) $$, 'what they cannot tell is NULL, not 0');
SELECT is_empty($$ SELECT source, check_name, count FROM histories.data_quality
	WHERE source = 'customers' AND (count IS NULL OR money IS NULL) $$, 'the list of customers is looked at as ever');
SELECT bag_eq('SELECT source, check_name FROM histories.data_quality', 'SELECT source, check_name FROM events.data_quality',
	'all checks are listed');

-- ---------- from one to the other ----------

SELECT is(customers_changed, 0::bigint, 'from histories to events: nobody''s row changes')
FROM segment.alter_portfolio('histories', purchases => 'SELECT customer, at, amount, margin FROM orders');
SELECT is_empty($$ SELECT check_name, h.count, h.money FROM histories.data_quality AS h WHERE source = 'purchases'
	EXCEPT SELECT check_name, count, money FROM events.data_quality WHERE source = 'purchases' $$, 'and the checks are made again');
SELECT is(customers_changed, (SELECT count(*) FROM events.customer_history WHERE margins IS NOT NULL), 'margins go away with their column')
FROM segment.alter_portfolio('histories', purchases => format(
	'SELECT customer, segment.history_agg(at, amount, %L) FROM orders GROUP BY customer', :zone));

-- ---------- odd ones ----------

CREATE DOMAIN purchases AS segment.history;
CREATE TABLE odd (customer text, h purchases);
INSERT INTO odd VALUES ('a', '{2024-01-01: 10}'), ('b', NULL), ('c', '{}'), (NULL, NULL), (NULL, '{}'), ('a', NULL), ('a', '{2024-01-01: 5, 2023-02-01: -1}'), ('d', '{2023-01-05: -1}');
SELECT results_eq($$ SELECT customers, customers_read FROM segment.create_portfolio('odd', 'TABLE odd', timezone => 'UTC') $$,
	'VALUES (2::bigint, 4::bigint)', 'histories that are NULL or empty, of a domain');
SELECT results_eq('SELECT customer_id, orders, net FROM odd.customer ORDER BY 1', $$ VALUES ('a', 2::bigint, 14.0), ('d', 0, -1) $$,
	'only those who did something are customers');
SELECT results_eq($$ SELECT count FROM odd.data_quality WHERE check_name = 'null_customer' $$, 'VALUES (0::bigint)', 'no event without a customer');
CREATE TABLE nothing (customer text, h segment.history);
SELECT is(customers, 0::bigint, 'no rows') FROM segment.create_portfolio('nothing', 'TABLE nothing', timezone => 'UTC');

-- ---------- errors ----------

SELECT throws_ok($$ SELECT segment.create_portfolio('e', 'SELECT customer, h, 1 FROM odd') $$, '42804',
	'column 3 ("?column?") of source "purchases" must be a segment.history, not integer', 'margins that are no history');
SELECT throws_ok($$ SELECT segment.create_portfolio('e', 'SELECT customer, h, h, h FROM odd') $$, '22023',
	'source "purchases" has a wrong number of columns: 4', 'too many columns');
SELECT throws_ok($$ SELECT segment.create_portfolio('e', 'TABLE odd', costs => 'SELECT customer, h, h FROM odd') $$, '22023',
	'source "costs" has a wrong number of columns: 3', 'margins of costs');
SELECT throws_ok($$ SELECT segment.create_portfolio('e', 'SELECT customer, h::text::date FROM odd') $$, '22023',
	'source "purchases" has a wrong number of columns: 2', 'a date is no history');
SELECT throws_ok($$ SELECT segment.create_portfolio('e', 'SELECT customer, segment.rfm(h) FROM odd') $$, '22023',
	'source "purchases" has a wrong number of columns: 2', 'nor is an rfm');
SELECT lives_ok($$ SELECT segment.create_portfolio('fine', 'SELECT customer, NULL::date, NULL::numeric FROM odd',
	customers => 'SELECT customer, h FROM odd') $$, 'a history among the attributes of a customer is an attribute');

SELECT * FROM finish();
ROLLBACK;
