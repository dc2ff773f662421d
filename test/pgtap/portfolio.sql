--
-- Portfolios: the views against plain SQL over the orders, classes, past days,
-- as_of, data quality, and what a lookup costs
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

-- ---------- a shop with everything that can be in one ----------

SELECT setseed(0.42);
CREATE TABLE orders AS
SELECT n AS order_id,
	CASE WHEN random() < 0.01 THEN NULL ELSE (700 * random() ^ 2)::integer END AS customer,
	CASE WHEN random() < 0.01 THEN NULL
		-- in whole hours, so that some fall on midnight somewhere, and repeat
		ELSE timestamptz '2022-01-01 00:00+00' + floor(24 * 730 * random()) * interval '1 hour' END AS at,
	CASE WHEN random() < 0.01 THEN NULL WHEN random() < 0.02 THEN 0
		WHEN random() < 0.08 THEN -floor(1000 * random()) / 100
		ELSE floor(10000 * random() ^ 3 + 1) / 100 END::numeric AS amount,
	CASE WHEN random() < 0.02 THEN NULL ELSE floor(4000 * random() - 500) / 1000 END::numeric AS margin
FROM generate_series(1, 4000) AS n;
-- doubles, and what will only happen
INSERT INTO orders SELECT order_id + 10000, customer, at, amount, margin FROM orders WHERE order_id % 97 = 0;
INSERT INTO orders SELECT 20000 + n, n * 10, timestamptz '2999-01-01 12:00+00', 10 * n FROM generate_series(1, 9) AS n;
CREATE TABLE person AS SELECT n AS id, 'name ' || n AS name FROM generate_series(600, 760) AS n;
CREATE TABLE cost AS
SELECT (800 * random())::integer AS customer, date '2022-01-01' + (730 * random())::integer AS at,
	(floor(500 * random()) / 100)::numeric AS amount
FROM generate_series(1, 900);
CREATE TABLE complaint AS
SELECT 850 + (60 * random())::integer AS customer, date '2022-01-01' + (730 * random())::integer AS at
FROM generate_series(1, 40);
CREATE TABLE opinion AS
SELECT 900 + (60 * random())::integer AS customer, date '2022-01-01' + (730 * random())::integer AS at, (10 * random())::integer AS score
FROM generate_series(1, 40);
ANALYZE;

\set zone '''Asia/Kolkata'''
SELECT is(as_of, (SELECT max((at AT TIME ZONE :zone)::date) FROM orders WHERE amount >= 0 AND customer IS NOT NULL AND at < now()),
	'as_of is the last purchase day in the portfolio''s zone; future orders do not count')
FROM segment.create_portfolio('shop', 'SELECT customer, at, amount FROM orders',
	customers => 'SELECT * FROM person', costs => 'TABLE cost', complaints => 'TABLE complaint',
	satisfaction => 'TABLE opinion', timezone => :zone, settings => '{"margin": 0.3}');
SELECT is((r.portfolio, r.mode, r.scorecard_id)::text, '(marginal,full,1)', 'a portfolio with own margins')
FROM segment.create_portfolio('marginal', 'SELECT customer, at, amount, margin FROM orders', timezone => :zone) AS r;

-- What plain SQL says of everybody as of a day.
CREATE FUNCTION known(day date) RETURNS TABLE (
	customer_id integer, orders bigint, purchase_days bigint, first_day date, last_day date,
	days_since_last integer, tenure_days integer, gross numeric, refunded numeric, net numeric,
	margin numeric, own_margin numeric, cost numeric)
LANGUAGE sql STABLE AS $$
	WITH counted AS (
		SELECT o.customer, (o.at AT TIME ZONE 'Asia/Kolkata')::date AS d, o.amount, o.margin FROM orders AS o
		WHERE o.customer IS NOT NULL AND o.amount IS NOT NULL AND (o.at AT TIME ZONE 'Asia/Kolkata')::date <= $1
	), bought AS (
		SELECT c.customer AS id, count(*) FILTER (WHERE amount >= 0) AS orders,
			count(DISTINCT d) FILTER (WHERE amount >= 0) AS purchase_days,
			min(d) FILTER (WHERE amount >= 0) AS first_day, max(d) FILTER (WHERE amount >= 0) AS last_day,
			coalesce(sum(amount) FILTER (WHERE amount >= 0), 0) AS gross,
			coalesce(-sum(amount) FILTER (WHERE amount < 0), 0) AS refunded,
			sum(amount) AS net, sum(c.margin) AS own_margin
		FROM counted AS c GROUP BY 1
	), everybody AS (
		SELECT id FROM bought UNION SELECT id FROM person
		UNION SELECT customer FROM cost WHERE at <= $1 UNION SELECT customer FROM complaint WHERE at <= $1
		UNION SELECT customer FROM opinion WHERE at <= $1
	)
	SELECT e.id, coalesce(b.orders, 0), coalesce(b.purchase_days, 0), b.first_day, b.last_day,
		$1 - b.last_day, $1 - b.first_day, coalesce(b.gross, 0), coalesce(b.refunded, 0), coalesce(b.net, 0),
		coalesce(b.net, 0) * 0.3, coalesce(b.own_margin, 0),
		coalesce((SELECT sum(k.amount) FROM cost AS k WHERE k.customer = e.id AND k.at <= $1), 0)
	FROM everybody AS e LEFT JOIN bought AS b USING (id)
$$;
SELECT as_of AS as_of FROM shop.customer LIMIT 1 \gset
SELECT set_eq(
	$$ SELECT customer_id, orders, purchase_days, first_day, last_day, days_since_last, tenure_days,
		gross, refunded, net, margin, cost, net_value FROM shop.customer $$,
	format($$ SELECT customer_id, orders, purchase_days, first_day, last_day, days_since_last, tenure_days,
		gross, refunded, net, margin, cost, margin - cost FROM known(%L) $$, :'as_of'),
	'the view customer is what plain SQL says, for everybody');
SELECT bag_eq(
	$$ SELECT customer_id, net, margin FROM marginal.customer $$,
	format($$ SELECT customer_id, net, own_margin FROM known(%L)
		WHERE customer_id IN (SELECT customer FROM orders WHERE at <= %L::date + 1 AND amount IS NOT NULL) $$, :'as_of', :'as_of'),
	'margins come from the source that has them');
-- what a repeat purchase day brings, by plain SQL: what was paid on all days after the first
CREATE TEMP TABLE repeat_spend AS
SELECT k.customer_id, k.purchase_days - 1 AS x, CASE WHEN k.purchase_days > 1
	THEN coalesce((SELECT sum(o.amount) FROM orders AS o WHERE o.customer = k.customer_id AND o.amount >= 0
		AND (o.at AT TIME ZONE :zone)::date > k.first_day AND (o.at AT TIME ZONE :zone)::date <= :'as_of'), 0)::float8
		/ (k.purchase_days - 1) ELSE 0 END AS spend
FROM known(:'as_of') AS k WHERE k.orders > 0;
SELECT is(segment.loglik(s.spend_model), segment.loglik(f.fit), 'the model of spend is fitted to what repeat purchases bring, also where there are margins')
FROM marginal.scorecard AS s, (SELECT segment.gammagamma_fit(x, spend) AS fit FROM repeat_spend) AS f;
SELECT cmp_ok(count(expected_spend), '>', 100::bigint, 'which is expected of many') FROM marginal.customer WHERE purchase_days > 1;
SELECT is_empty($$ SELECT c.customer_id, c.expected_spend FROM marginal.customer AS c JOIN repeat_spend AS k USING (customer_id), marginal.scorecard AS s
	WHERE c.expected_spend IS DISTINCT FROM segment.expected_spend(s.spend_model, k.x, k.spend) $$,
	'and the expectation of each customer begins with it');
SELECT results_eq(
	$$ SELECT sum(net), sum(gross - refunded), sum(orders)::bigint, sum(cost) FROM shop.customer $$,
	format($$ SELECT sum(amount), sum(amount), count(*) FILTER (WHERE amount >= 0), (SELECT sum(amount) FROM cost WHERE at <= %L)
		FROM orders WHERE customer IS NOT NULL AND (at AT TIME ZONE 'Asia/Kolkata')::date <= %L $$, :'as_of', :'as_of'),
	'sums over the view are those over the sources, to the last digit');
SELECT is_empty($$ SELECT customer_id FROM shop.customer
	WHERE average_order IS DISTINCT FROM round(gross / nullif(orders, 0), scale(gross) + 1)
		OR mean_gap_days IS DISTINCT FROM (last_day - first_day)::float8 / nullif(purchase_days - 1, 0) $$,
	'average order and mean gap');
SELECT is_empty($$ SELECT customer_id FROM shop.customer GROUP BY customer_id HAVING count(*) > 1 $$, 'everybody once');
SELECT ok(count(*) > 0, 'there are customers who never bought')
FROM shop.customer WHERE orders = 0 AND r_score IS NULL AND days_since_last IS NULL AND rfm_segment = 'prospects';

-- ---------- scores ----------

SELECT results_eq($$ SELECT recency_cuts, frequency_cuts, monetary_cuts FROM shop.scorecard $$,
	$$ SELECT ARRAY(SELECT r[ceil(i * n / 5.0)] FROM generate_series(1, 4) AS i), ARRAY(SELECT f[ceil(i * n / 5.0)] FROM generate_series(1, 4) AS i),
			ARRAY(SELECT m[ceil(i * n / 5.0)] FROM generate_series(1, 4) AS i)
		FROM (SELECT count(*) AS n, array_agg(-days_since_last::float8 ORDER BY days_since_last DESC) AS r,
				array_agg(orders::float8 ORDER BY orders) AS f, array_agg(net::float8 ORDER BY net) AS m
			FROM shop.customer WHERE orders > 0) AS s $$,
	'the cut points are those of the sorted buyers');
SELECT is_empty($$ SELECT customer_id FROM shop.customer CROSS JOIN shop.scorecard
	WHERE orders > 0 AND (r_score, f_score, m_score) IS DISTINCT FROM (
		1 + (SELECT count(*) FROM unnest(recency_cuts) AS c WHERE c < -days_since_last)::integer,
		1 + (SELECT count(*) FROM unnest(frequency_cuts) AS c WHERE c < orders)::integer,
		1 + (SELECT count(*) FROM unnest(monetary_cuts) AS c WHERE c < net::float8)::integer)
	OR rfm_cell IS DISTINCT FROM concat(r_score, f_score, m_score) AND orders > 0 $$, 'scores are the cut points passed, plus one');
SELECT is_empty($$
	SELECT 'r', days_since_last::numeric FROM shop.customer GROUP BY 2 HAVING count(DISTINCT r_score) > 1
	UNION ALL SELECT 'f', orders FROM shop.customer WHERE orders > 0 GROUP BY 2 HAVING count(DISTINCT f_score) > 1
	UNION ALL SELECT 'm', net FROM shop.customer WHERE orders > 0 GROUP BY 2 HAVING count(DISTINCT m_score) > 1 $$,
	'equal values have equal scores');

-- ---------- classes ----------

SELECT is_empty($$ SELECT c.customer_id, s.scheme FROM shop.customer AS c CROSS JOIN shop.scheme AS s
	LEFT JOIN shop.customer_class AS k USING (customer_id, scheme)
	GROUP BY 1, 2 HAVING count(k.class) <> 1 $$, 'everybody is in exactly one class of each scheme');
SELECT is((SELECT count(*) FROM shop.customer_class), (SELECT count(*) FROM shop.customer) * (SELECT count(*) FROM shop.scheme),
	'and in no other');
SELECT is_empty($$ SELECT c.customer_id FROM shop.customer AS c JOIN shop.customer_class AS k USING (customer_id)
	WHERE k.scheme = 'rfm_segment' AND k.class <> c.rfm_segment OR k.scheme = 'dormancy' AND k.class <> c.dormancy $$,
	'the columns of customer say the same as customer_class');
SELECT is_empty($$ SELECT scheme, class FROM shop.customer_class EXCEPT SELECT scheme, class FROM shop.class $$, 'all classes are listed');
-- the published grid, cell by cell
CREATE FUNCTION classes_of_cells() RETURNS TABLE (r_score integer, f_score integer, class text)
LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE (SELECT string_agg(format(
			'SELECT r_score, f_score, %L FROM generate_series(1, 5) AS r_score, generate_series(1, 5) AS f_score WHERE %s', k.class, k.rule),
			' UNION ALL ')
		FROM shop.scheme_class AS k WHERE k.scheme = 'rfm_segment' AND k.rule IS NOT NULL AND k.class <> 'returns_only');
END
$$;
SELECT bag_eq('SELECT * FROM classes_of_cells()', $$
	SELECT r, f, class FROM (VALUES ('champions', 5, 5, 4, 5), ('loyal', 3, 4, 4, 5), ('potential_loyalist', 4, 5, 2, 3),
		('new', 5, 5, 1, 1), ('promising', 4, 4, 1, 1), ('need_attention', 3, 3, 3, 3), ('about_to_sleep', 3, 3, 1, 2),
		('cannot_lose', 1, 2, 5, 5), ('at_risk', 1, 2, 3, 4), ('hibernating', 1, 2, 1, 2)) AS g(class, r1, r2, f1, f2),
		generate_series(r1, r2) AS r, generate_series(f1, f2) AS f $$,
	'each of the 25 cells of rfm_segment meets one rule, that of the published grid');
SELECT is_empty($$ SELECT c.customer_id FROM shop.customer AS c LEFT JOIN classes_of_cells() AS g USING (r_score, f_score)
	WHERE c.rfm_segment <> coalesce(g.class, CASE WHEN c.refunded > 0 THEN 'returns_only' ELSE 'prospects' END) $$, 'and customers have the class of their cell');
-- dormancy by hand: time since the last purchase in usual gaps, the own gaps shrunk towards everybody's
SELECT is_empty(format($$
	WITH gaps AS (SELECT avg((last_day - first_day)::numeric / (purchase_days - 1)) AS usual FROM known(%1$L) WHERE purchase_days > 1),
	ratio AS (
		SELECT k.customer_id, k.days_since_last / ((2 * g.usual + (k.last_day - k.first_day)) / (2 + k.purchase_days - 1)) AS r
		FROM known(%1$L) AS k, gaps AS g)
	SELECT c.customer_id FROM shop.customer AS c JOIN ratio USING (customer_id)
	WHERE abs(c.gap_ratio - r) > 1e-9 * (1 + r) OR (c.gap_ratio IS NULL) <> (r IS NULL)
		OR c.dormancy <> CASE WHEN r <= 2 THEN 'active' WHEN r <= 3 THEN 'drowsy' WHEN r <= 5 THEN 'half_asleep'
			WHEN r > 5 THEN 'asleep' WHEN c.refunded > 0 THEN 'returns_only' ELSE 'prospects' END $$, :'as_of'), 'dormancy is the formula that is documented');

-- ---------- past days, scorecards ----------

SELECT is(as_of, date '2023-03-31', 'a day can be given') FROM segment.refresh('shop', '2023-03-31');
SELECT set_eq($$ SELECT customer_id, as_of, orders, days_since_last, tenure_days, net, cost FROM shop.customer $$,
	$$ SELECT customer_id, date '2023-03-31', orders, days_since_last, tenure_days, net, cost FROM known('2023-03-31') $$,
	'and everybody is seen as of its end');
SELECT segment.create_portfolio('past', $$ SELECT customer, at, amount FROM orders WHERE (at AT TIME ZONE 'Asia/Kolkata')::date <= '2023-03-31' $$,
	customers => 'SELECT * FROM person', costs => $$ SELECT * FROM cost WHERE at <= '2023-03-31' $$,
	complaints => $$ SELECT * FROM complaint WHERE at <= '2023-03-31' $$,
	satisfaction => $$ SELECT * FROM opinion WHERE at <= '2023-03-31' $$, timezone => :zone, settings => '{"margin": 0.3}') IS NOT NULL AS made \gset
SELECT segment.refresh('past', '2023-03-31') IS NOT NULL AS made \gset
SELECT segment.refresh('shop') IS NOT NULL AS made \gset
SELECT bag_eq($$ SELECT * FROM shop.customer_at('2023-03-31') $$, 'SELECT * FROM past.customer',
	'customer_at a day is a portfolio that knows only what had happened, with the same scorecard');
SELECT set_eq($$ SELECT customer_id, as_of, orders, purchase_days, first_day, last_day, days_since_last, gross, refunded, net, margin, cost
		FROM shop.customer_at('2022-06-30') $$,
	$$ SELECT customer_id, date '2022-06-30', orders, purchase_days, first_day, last_day, days_since_last, gross, refunded, net, margin, cost
		FROM known('2022-06-30') $$, 'also where no scorecard is as old');
SELECT bag_eq(format('SELECT * FROM shop.customer_at(%L)', :'as_of'), 'SELECT * FROM shop.customer', 'customer_at the day of the newest scorecard is the view');
SELECT is((SELECT count(*) FROM shop.customer_at('0001-01-01')), (SELECT count(*) FROM person), 'before all time there are the listed customers');
CREATE TEMP TABLE before AS SELECT * FROM shop.customer;
CREATE TEMP TABLE cards AS SELECT * FROM shop.model_card;
INSERT INTO orders SELECT 30000 + n, 5000 + n, timestamptz '2023-12-30 12:00+00', 100000 FROM generate_series(1, 500) AS n;
SELECT bag_eq('SELECT * FROM shop.customer', 'SELECT * FROM before', 'other customers'' orders change nobody');
SELECT results_eq('SELECT customers_changed, scorecard_id FROM segment.refresh(''shop'')', 'VALUES (500::bigint, 4::bigint)',
	'a refresh writes those who are new');
SELECT isnt_empty('SELECT customer_id, m_score FROM before EXCEPT SELECT customer_id, m_score FROM shop.customer', 'and judges everybody anew');
SELECT is_empty('SELECT * FROM cards EXCEPT SELECT * FROM shop.model_card', 'but old scorecards are kept as they were');
SELECT results_eq('SELECT scorecard_id, as_of FROM shop.scorecard ORDER BY 1',
	format('VALUES (1::bigint, %1$L::date), (2, ''2023-03-31''), (3, %1$L), (4, %1$L)', :'as_of'), 'one for each refresh');
DELETE FROM orders WHERE order_id > 30000;
SELECT segment.refresh('shop') IS NOT NULL AS made \gset
SELECT bag_eq('SELECT * FROM shop.customer', 'SELECT * FROM before', 'the same orders give the same view');

-- ---------- as_of and the time zone ----------

CREATE TABLE at_the_edge AS
SELECT 1 AS customer, (now() AT TIME ZONE 'Pacific/Kiritimati')::date AS at, 1 AS amount UNION ALL SELECT 2, '2024-01-01', 1;
SELECT results_eq($$ SELECT as_of, customers FROM segment.create_portfolio('kiritimati', 'TABLE at_the_edge', timezone => 'Pacific/Kiritimati') $$,
	$$ SELECT (now() AT TIME ZONE 'Pacific/Kiritimati')::date, 2::bigint $$, 'an order of today counts');
-- 25 hours behind, so it is tomorrow there or later
SELECT results_eq($$ SELECT as_of, customers FROM segment.create_portfolio('pago', 'TABLE at_the_edge', timezone => 'Pacific/Pago_Pago') $$,
	$$ VALUES (date '2024-01-01', 1::bigint) $$, 'an order of tomorrow does not');
SELECT results_eq($$ SELECT count, money FROM pago.data_quality WHERE check_name = 'future_date' $$, 'VALUES (1::bigint, 1::numeric)', 'it is reported');
SELECT is(dormancy, 'active', 'and nobody falls asleep of it') FROM pago.customer;
CREATE TABLE instant AS SELECT 1 AS customer, timestamptz '2024-02-29 20:00+00' AS at, 5 AS amount;
SELECT results_eq($$ SELECT segment.create_portfolio('east', 'TABLE instant', timezone => 'Asia/Tokyo') IS NULL,
	segment.create_portfolio('west', 'TABLE instant', timezone => 'America/Los_Angeles') IS NULL $$, 'VALUES (false, false)', 'one instant');
SELECT results_eq('SELECT e.last_day, w.last_day FROM east.customer AS e, west.customer AS w',
	$$ VALUES (date '2024-03-01', date '2024-02-29') $$, 'two days');
-- the session's settings do not matter
CREATE TABLE setting_matters AS SELECT 1 AS customer, timestamptz '2024-02-29 20:00+00' AS at, 5 AS amount,
	timestamptz '2024-02-29 20:00+00' AS seen, 0.1::float8 + 0.2::float8 AS rate, interval '1 day 2 hours' AS span, '\x00ff'::bytea AS bytes;
SELECT segment.create_portfolio('steady', 'SELECT customer, at::date, amount FROM setting_matters',
	customers => 'SELECT customer, seen, rate, span, bytes FROM setting_matters', timezone => 'Asia/Tokyo') IS NOT NULL AS made \gset
SELECT is(last_day, date '2024-03-01', 'a cast in the query uses the portfolio''s zone') FROM steady.customer;
SET LOCAL timezone = 'America/Los_Angeles';
SET LOCAL extra_float_digits = -5;
SET LOCAL intervalstyle = 'iso_8601';
SET LOCAL bytea_output = 'escape';
SET LOCAL datestyle = 'German';
SELECT is(customers_changed, 0::bigint, 'another session reads the same') FROM segment.refresh('steady');
SELECT is(current_setting('timezone') || current_setting('intervalstyle'), 'America/Los_Angelesiso_8601', 'a refresh leaves the session''s settings alone');
RESET extra_float_digits;
RESET intervalstyle;
RESET bytea_output;
RESET datestyle;

-- ---------- data quality ----------

CREATE TABLE dirty (customer integer, at date, amount numeric, margin numeric);
INSERT INTO dirty VALUES
	(1, '2024-01-01', 10, 1), (1, '2024-01-01', 10.00, 2), (1, '2024-01-01', 10, 3), (1, '2024-01-01', 11, 1), -- two repeats of 10
	(2, '2024-01-01', 5, NULL), (2, '2024-01-02', 6, NULL), (2, '2024-01-03', -6, 1), (2, '2024-01-03', -6, 1), -- no margin twice, a repeated refund
	(3, '2024-01-04', 0, 0), (3, '2024-01-04', 0, 0), (3, '2024-01-05', 0, 0), -- three zeros, one repeated
	(NULL, '2024-01-01', 100, 1), (NULL, NULL, 200, NULL), (NULL, '2024-01-01', NULL, 1), (NULL, NULL, NULL, NULL),
	(4, NULL, 50, 1), (4, NULL, 50, 1), (4, NULL, NULL, 1), (4, '2024-01-06', NULL, 7), (4, '2024-01-06', NULL, 7), (4, '2024-01-07', 1, 1),
	(5, '2024-01-01', -3, 0), (5, '2024-01-09', -4, 0), -- refunds only
	(6, '2999-01-01', 1000, 1), (6, '2999-01-02', -1, 1); -- later
CREATE TABLE dirty_person (id bigint, name text);
INSERT INTO dirty_person VALUES (1, 'b'), (1, 'a'), (1, 'a'), (7, 'x'), (NULL, 'y'), (NULL, NULL);
CREATE TABLE dirty_event (customer integer, at timestamptz, amount float8);
INSERT INTO dirty_event VALUES (1, '2024-01-01 12:00', 5), (1, '2024-01-01 12:00', 5), (1, '2024-01-01 13:00', 5),
	(NULL, '2024-01-01', 7), (2, NULL, 8), (2, '2024-01-01', NULL), (3, '2999-01-01', 9);
SELECT segment.create_portfolio('dirty_shop', 'TABLE dirty', customers => 'TABLE dirty_person', costs => 'TABLE dirty_event',
	complaints => 'SELECT customer, at FROM dirty_event', satisfaction => 'TABLE dirty_event') IS NOT NULL AS made \gset
SELECT bag_eq('SELECT source, check_name, count, money FROM dirty_shop.data_quality', $$ VALUES
	('purchases', 'null_customer', 4, 300), ('purchases', 'null_date', 3, 100), ('purchases', 'null_amount', 2, 0),
	('purchases', 'null_margin', 2, 11), ('purchases', 'zero_amount', 3, 0), ('purchases', 'duplicate', 4, 14),
	('purchases', 'future_date', 2, 999), ('purchases', 'refund_without_purchase', 2, -7), ('purchases', 'cancelled_same_day', 0, 0),
	('customers', 'null_customer', 2, 0), ('customers', 'duplicate_customer', 2, 0),
	('costs', 'null_customer', 1, 7), ('costs', 'null_date', 1, 8), ('costs', 'null_amount', 1, 0), ('costs', 'duplicate', 1, 5), ('costs', 'future_date', 1, 9),
	('complaints', 'null_customer', 1, 0), ('complaints', 'null_date', 1, 0), ('complaints', 'duplicate', 1, 0), ('complaints', 'future_date', 1, 0),
	('satisfaction', 'null_customer', 1, 0), ('satisfaction', 'null_date', 1, 0), ('satisfaction', 'null_amount', 1, 0),
	('satisfaction', 'duplicate', 1, 0), ('satisfaction', 'future_date', 1, 0),
	-- means of days 10.25, 5, 6, 1 and 1000: the logarithm of the last is 5.1 from the median, more than 8 times 0.54
	('purchases', 'unusual_amount', 1, 1000) $$ || (
	SELECT string_agg(format(' UNION ALL SELECT %L, %L, 0, 0', n.source, n.check_name), '')
	FROM (SELECT s.source, c.check_name FROM unnest('{purchases,customers,costs,complaints,satisfaction}'::text[]) AS s(source),
			unnest('{anonymous_customer,similar_customer,old_date,unknown_customer}'::text[]) AS c(check_name)
		WHERE (s.source, c.check_name) NOT IN (('customers', 'old_date'), ('customers', 'unknown_customer'), ('purchases', 'unknown_customer'))) AS n),
	'each kind of defect is counted, with its money');
SELECT is(
	(SELECT sum(segment.orders(purchases) + segment.refunds(purchases)) FROM dirty_shop.customer_history)
		+ (SELECT sum(count) FROM dirty_shop.data_quality WHERE source = 'purchases' AND check_name IN ('null_customer', 'null_date', 'null_amount')),
	(SELECT count(*)::numeric FROM dirty), 'rows read are those in the histories and those without customer, date or amount');
SELECT is(
	(SELECT sum(segment.orders(purchases) + segment.refunds(purchases)) FROM shop.customer_history)
		+ (SELECT sum(count) FROM shop.data_quality WHERE source = 'purchases' AND check_name IN ('null_customer', 'null_date', 'null_amount')),
	(SELECT count(*)::numeric FROM orders), 'also in the shop');
SELECT is(
	(SELECT sum(segment.net(purchases)) FROM shop.customer_history)
		+ (SELECT sum(money) FROM shop.data_quality WHERE source = 'purchases' AND check_name IN ('null_customer', 'null_date')),
	(SELECT sum(amount) FROM orders), 'and their money');
SELECT results_eq($$ SELECT check_name, count, money FROM shop.data_quality WHERE source = 'purchases' AND check_name IN ('duplicate', 'zero_amount') ORDER BY 1 $$,
	$$ SELECT 'duplicate', sum(n - 1)::bigint, sum(amount * (n - 1)) FROM (SELECT amount, count(*) AS n FROM orders
			WHERE customer IS NOT NULL AND at IS NOT NULL AND amount IS NOT NULL GROUP BY customer, at, amount) AS g
		UNION ALL SELECT 'zero_amount', count(*), 0 FROM orders WHERE amount = 0 AND customer IS NOT NULL AND at IS NOT NULL ORDER BY 1 $$,
	'duplicates and zeros of the shop');
-- a row without an amount counts nowhere, not even its margin
SELECT is(margin, 1.0, 'no margin without an amount') FROM dirty_shop.customer WHERE customer_id = 4;
SELECT is(attributes, '{"name": "a"}', 'of customers named twice one is kept, whatever the order') FROM dirty_shop.customer_history WHERE customer_id = 1;

-- ---------- small portfolios ----------

CREATE TABLE few (customer integer, at date, amount numeric);
CREATE FUNCTION few_portfolio(kind text, customers text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	result text;
	relation text;
BEGIN
	PERFORM segment.create_portfolio(kind, 'TABLE few', customers => customers);
	PERFORM segment.refresh(kind);
	-- all views can be read
	FOR relation IN SELECT c.oid::regclass FROM pg_class AS c WHERE c.relnamespace = kind::regnamespace AND c.relkind = 'v' LOOP
		EXECUTE format('SELECT count(*) FROM (SELECT * FROM %s) AS v', relation);
	END LOOP;
	EXECUTE format('SELECT string_agg(format(''%%s %%s %%s %%s %%s'', customer_id, orders, net, rfm_segment, dormancy), '', '' ORDER BY customer_id)
		FROM %I.customer', kind) INTO result;
	EXECUTE format('SELECT concat_ws(''; '', $1, (SELECT count(*) FROM %1$I.customer_at(current_date)) || '' at'', customers || '' of them '' || buyers)
		FROM %1$I.model_card WHERE scorecard_id = 2', kind) INTO result USING result;
	RETURN result;
END
$$;
SELECT is(few_portfolio('nobody'), '0 at; 0 of them 0', 'nobody');
SELECT is(as_of, (now() AT TIME ZONE timezone)::date, 'without a purchase as_of is today') FROM nobody.scorecard AS s, nobody.portfolio WHERE s.scorecard_id = 1;
SELECT is(few_portfolio('prospects_only', 'VALUES (1), (2)'), '1 0 0 prospects prospects, 2 0 0 prospects prospects; 2 at; 2 of them 0', 'prospects only');
INSERT INTO few VALUES (1, '2024-01-01', 5);
SELECT is(few_portfolio('single'), '1 1 5 need_attention active; 1 at; 1 of them 1', 'one customer');
INSERT INTO few SELECT n, '2024-01-01', n FROM generate_series(2, 4) AS n;
SELECT is(few_portfolio('one_day'),
	'1 1 5 need_attention active, 2 1 2 need_attention active, 3 1 3 need_attention active, 4 1 4 need_attention active; 4 at; 4 of them 4', 'all on one day');
UPDATE few SET amount = -amount;
SELECT is(few_portfolio('refunds_only'),
	'1 0 -5 returns_only returns_only, 2 0 -2 returns_only returns_only, 3 0 -3 returns_only returns_only, 4 0 -4 returns_only returns_only; 4 at; 4 of them 0', 'refunds only');
SELECT is(sum(net), -14.0, 'their money counts') FROM refunds_only.customer;

-- ---------- names ----------

CREATE SCHEMA other;
CREATE TABLE other.few (customer integer, at date, amount numeric);
INSERT INTO other.few VALUES (99, '2024-01-01', 1);
-- The one value of a query under a search path, or its error.
CREATE FUNCTION under(path text, query text) RETURNS text
LANGUAGE plpgsql SET search_path = t, public AS $$
DECLARE
	result text;
BEGIN
	PERFORM set_config('search_path', path, true);
	EXECUTE query INTO result;
	RETURN result;
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END
$$;
SELECT is(under('other', $$ SELECT customers FROM segment.refresh('single') $$), '4',
	'names in a source are looked up as when it was given, whatever the search path now');
SELECT is(under('', $$ SELECT portfolio FROM segment.create_portfolio('nameless', 'SELECT customer, at, amount FROM other.few') $$), 'nameless',
	'all works with an empty search path: create');
SELECT is(under('', $$ SELECT customers FROM segment.refresh('nameless') $$), '1', 'refresh');
SELECT is(under('', $$ SELECT customers FROM segment.alter_portfolio('nameless', costs => 'SELECT customer, at, amount FROM other.few') $$), '1', 'alter');
SELECT is(under('', 'SELECT customer_id::pg_catalog.text || cost FROM nameless.customer'), '991', 'read');
SELECT is(under('', $$ SELECT customer_id FROM nameless.customer_at('2024-01-01') $$), '99', 'read a past day');
SELECT is(under('', $$ SELECT segment.create_portfolio('bad', 'SELECT customer, at, amount FROM few') $$), '42P01 relation "few" does not exist',
	'an unqualified name is not found then');
SELECT is(under('', $$ SELECT segment.drop_portfolio('nameless') $$), '', 'drop');
-- functions and operators that hide the server's own are not used
CREATE FUNCTION other.count() RETURNS bigint LANGUAGE sql AS 'SELECT 1 / 0::bigint';
CREATE FUNCTION other.lie(numeric, integer) RETURNS boolean LANGUAGE sql AS 'SELECT 1 / 0 = 1';
CREATE OPERATOR other.= (LEFTARG = numeric, RIGHTARG = integer, FUNCTION = other.lie);
CREATE FUNCTION other.wrong(numeric, bigint) RETURNS numeric LANGUAGE sql AS 'SELECT 1 / 0::numeric';
CREATE OPERATOR other.* (LEFTARG = numeric, RIGHTARG = bigint, FUNCTION = other.wrong);
INSERT INTO other.few VALUES (99, '2024-01-01', 1), (NULL, '2024-01-01', 1), (99, '2024-01-01', 0);
SELECT is(under('other, pg_catalog', $$ SELECT portfolio FROM segment.create_portfolio('hidden', 'SELECT customer, at, amount FROM few',
	'SELECT customer, at FROM few') $$), 'hidden', 'what hides functions and operators of the server is not called');

-- ---------- a key whose equality is not that of text ----------

SELECT count(*) > 0 AS have_citext FROM pg_available_extensions WHERE name = 'citext' \gset
\if :have_citext
CREATE EXTENSION IF NOT EXISTS citext SCHEMA public;
CREATE TABLE mailing (email public.citext, at date, amount numeric);
INSERT INTO mailing VALUES ('Ann@x', '2024-01-01', 1), ('ANN@x', '2024-01-02', 2), ('bob@x', '2024-01-01', 4);
SELECT is(customers, 2::bigint, 'citext: spellings of one customer are one')
FROM segment.create_portfolio('mailed', 'TABLE mailing', costs => 'SELECT upper(email::text), at, 1 FROM mailing');
CREATE TEMP TABLE spelled AS SELECT ctid AS place, * FROM mailed.customer_history;
UPDATE mailing SET email = upper(email::text);
SELECT is(customers_changed, 0::bigint, 'another spelling is no change') FROM segment.refresh('mailed');
SELECT bag_eq('SELECT h.ctid AS place, h.customer_id::text, c.net FROM mailed.customer_history AS h JOIN mailed.customer AS c ON c.customer_id OPERATOR(public.=) h.customer_id',
	'SELECT place, customer_id::text, segment.net(purchases) AS net FROM spelled', 'and no row is written');
SELECT is(cost, 2::numeric, 'other sources meet the same customer') FROM mailed.customer WHERE customer_id = 'aNN@X';
\else
SELECT * FROM skip('no extension citext', 4);
\endif

-- ---------- what the catalog says ----------

SELECT is_empty($$
	SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod)
	FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0
	WHERE c.relnamespace = 'shop'::regnamespace AND c.relkind = 'v'
		-- these are rows as customer_row takes them, and one of table scorecard
		AND c.relname NOT IN ('scorecard_figures', 'scorecard_in_force')
		AND a.atttypid NOT IN ('text'::regtype, 'bigint'::regtype, 'integer'::regtype, 'float8'::regtype,
			'numeric'::regtype, 'boolean'::regtype, 'date'::regtype, 'timestamptz'::regtype) $$, 'views have base types only');
SELECT is_empty($$ SELECT relname FROM pg_class WHERE relnamespace = 'shop'::regnamespace AND relkind NOT IN ('r', 'v', 'i') AND relname NOT IN ('customer_attributes', 'event_key') $$,
	'there are tables, views and indexes, and the type of the attributes');
SELECT is_empty($$
	SELECT c.relname, NULL::name FROM pg_class AS c
	WHERE c.relnamespace = 'shop'::regnamespace AND c.relkind IN ('r', 'v') AND obj_description(c.oid, 'pg_class') IS NULL
	UNION ALL SELECT c.relname, a.attname FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
	WHERE c.relnamespace = 'shop'::regnamespace AND c.relkind IN ('r', 'v') AND col_description(c.oid, a.attnum) IS NULL
	UNION ALL SELECT p.proname, NULL FROM pg_proc AS p
	WHERE p.pronamespace = 'shop'::regnamespace AND obj_description(p.oid, 'pg_proc') IS NULL $$, 'every table, view, column and function has a comment');
SELECT is_empty($$ SELECT m.relation, m.col FROM segment_internal.portfolio_members('shop') AS m
	WHERE m.kind <> 'FUNCTION' AND m.col IS NOT NULL AND NOT EXISTS (
		SELECT FROM pg_attribute AS a WHERE a.attrelid = format('shop.%I', m.relation)::regclass AND a.attname = m.col) $$,
	'and no comment is on a column that is not there');
SELECT is_empty($$ SELECT relname FROM pg_class WHERE relname = 'refresh_read' $$, 'a refresh leaves no table behind');

-- ---------- what a lookup costs ----------

CREATE TABLE many AS SELECT (20000 * random())::integer AS customer, date '2023-01-01' + (365 * random())::integer AS at, 1 + (100 * random())::integer AS amount
FROM generate_series(1, 40000);
SELECT segment.create_portfolio('large', 'TABLE many') IS NOT NULL AS made \gset
-- The nodes of a plan that read a table, with how.
CREATE FUNCTION scans(query text) RETURNS TABLE (node text, relation text, condition text)
LANGUAGE plpgsql AS $$
DECLARE
	plan jsonb;
BEGIN
	EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO plan;
	RETURN QUERY
	WITH RECURSIVE nodes AS (
		SELECT plan -> 0 -> 'Plan' AS n
		UNION ALL
		SELECT p FROM nodes, jsonb_array_elements(n -> 'Plans') AS p
	)
	SELECT n ->> 'Node Type', n ->> 'Relation Name', n ->> 'Index Cond' FROM nodes WHERE n ? 'Relation Name' OR n ->> 'Node Type' LIKE 'Gather%';
END
$$;
SELECT results_eq(format('SELECT node, condition FROM scans(%L) WHERE relation = %L', query, read),
	$$ VALUES ('Index Scan', '(customer_id = 4711)') $$, 'one index scan: ' || query)
FROM (VALUES ('SELECT * FROM large.customer WHERE customer_id = 4711', 'kept_customer'),
	('SELECT * FROM large.customer_class WHERE customer_id = 4711', 'kept_customer'),
	('SELECT * FROM large.customer_action WHERE customer_id = 4711', 'kept_customer'),
	('SELECT * FROM large.customer_at(''2023-06-30'') WHERE customer_id = 4711', 'customer_history')) AS q(query, read);
SELECT results_eq(format('SELECT count(*) FROM scans(%L) WHERE relation = %L', query, read), 'VALUES (1::bigint)', 'one pass: ' || query)
FROM (VALUES ('SELECT * FROM large.customer', 'kept_customer'), ('SELECT * FROM large.customer_class', 'kept_customer'), ('SELECT * FROM large.customer_action', 'kept_customer'),
	('SELECT rfm_segment, sum(net), avg(p_alive) FROM large.customer GROUP BY 1', 'kept_customer'),
	('SELECT * FROM large.customer_at(''2023-06-30'')', 'customer_history')) AS q(query, read);
SELECT is_empty(format('SELECT * FROM scans(%L) WHERE relation = ''customer_history''', query), 'from what is kept alone: ' || query)
FROM (VALUES ('SELECT * FROM large.customer'), ('SELECT * FROM large.customer_action'), ('SELECT * FROM large.segment_summary'), ('SELECT * FROM large.pyramid'),
	('SELECT * FROM large.usage_share'), ('SELECT * FROM large.concentration'), ('SELECT * FROM large.exposure'), ('SELECT * FROM large.profit')) AS q(query);
-- not 0, or the one scorecard may be read in parallel instead of the customers
SET LOCAL parallel_setup_cost = 10;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
SELECT isnt_empty(format('SELECT * FROM scans(%L) WHERE node LIKE ''Gather%%''', query), 'in parallel: ' || query)
FROM (VALUES ('SELECT * FROM large.customer'), ('SELECT rfm_segment, sum(net) FROM large.customer GROUP BY 1'),
	('SELECT * FROM large.customer_at(''2023-06-30'')')) AS q(query);
-- The nodes of a plan that compute what a customer is, and are left to one process.
CREATE FUNCTION left_to_one(query text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	plan jsonb;
BEGIN
	EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO plan;
	RETURN (
		WITH RECURSIVE nodes AS (
			SELECT plan -> 0 -> 'Plan' AS n
			UNION ALL
			SELECT p FROM nodes, jsonb_array_elements(n -> 'Plans') AS p WHERE n ->> 'Node Type' NOT LIKE 'Gather%'
		)
		SELECT count(*) FROM nodes WHERE n ->> 'Function Name' = 'customer_figures');
END
$$;
SELECT is(left_to_one(query), 0::bigint, 'not only the reading: ' || query)
FROM (VALUES ('SELECT * FROM large.customer'), ('SELECT rfm_segment, sum(net) FROM large.customer GROUP BY 1'),
	('SELECT sum(clv) FROM large.customer'), ('SELECT * FROM large.customer_class'), ('SELECT * FROM large.churn_signal')) AS q(query);
CREATE TEMP TABLE in_parallel AS SELECT rfm_segment, dormancy, count(*), sum(net), sum(clv::numeric) AS clv FROM large.customer GROUP BY 1, 2;
SET LOCAL max_parallel_workers_per_gather = 0;
SELECT bag_eq('SELECT rfm_segment, dormancy, count(*), sum(net), sum(clv::numeric) AS clv FROM large.customer GROUP BY 1, 2', 'TABLE in_parallel',
	'with the same answers');
SELECT cmp_ok(left_to_one('SELECT * FROM large.customer_at(''2023-06-30'')'), '>', 0::bigint, 'one process computes alone where there are no others');

-- ---------- the scorecard that judges ----------

SELECT is((SELECT scorecard_id FROM large.portfolio), (SELECT max(scorecard_id) FROM large.scorecard), 'the newest scorecard judges');
SELECT segment.refresh('large', '2023-06-30') IS NOT NULL AS refreshed \gset
SELECT is((SELECT scorecard_id FROM large.portfolio), (SELECT max(scorecard_id) FROM large.scorecard), 'also if it is of an earlier day');
SELECT is(as_of, '2023-06-30', 'which customers are then seen from') FROM large.customer LIMIT 1;
SELECT throws_ok('DELETE FROM large.scorecard WHERE scorecard_id = 2', '23503', NULL, 'it cannot be deleted');
SELECT lives_ok('DELETE FROM large.scorecard WHERE scorecard_id = 1', 'older ones can');

SELECT * FROM finish();
ROLLBACK;
