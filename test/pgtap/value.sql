--
-- What classes and customers are worth: the worked examples, books that
-- balance to the last digit, and portfolios at the edges
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

-- ---------- coffee and cola: thirds of the buyers, and those who buy none ----------

-- heavy, medium and light buyers a each, with sums of 84, 13 and 3 (or 83, 14
-- and 3) hundred; amounts in steps of one
CREATE TABLE coffee AS
SELECT 'c' || row_number() OVER (ORDER BY b.part, i) AS household, date '2024-03-01' + i AS day, b.base + i AS spend
FROM (VALUES (1, 16, 510.25), (2, 16, 79), (3, 15, 12)) AS b(part, households, base)
CROSS JOIN LATERAL generate_series(1, b.households) AS i;
CREATE TABLE cola AS
SELECT row_number() OVER (ORDER BY b.part, i) AS household, date '2024-03-01' + i AS day, b.base + i AS spend
FROM (VALUES (1, 8, 1045.5), (2, 8, 158), (3, 8, 33)) AS b(part, households, base)
CROSS JOIN LATERAL generate_series(1, b.households) AS i;
CREATE TABLE coffee_cost (household text, day date, amount numeric);
INSERT INTO coffee_cost SELECT household, '2024-03-05', 100 FROM coffee WHERE spend > 500;
INSERT INTO coffee_cost VALUES ('c33', '2024-03-05', 50);

SELECT lives_ok($$ SELECT segment.create_portfolio('coffee', 'SELECT * FROM coffee',
	customers => $q$ SELECT 'c' || i FROM generate_series(1, 98) AS i $q$, costs => 'SELECT * FROM coffee_cost',
	settings => '{"margin": 0.4, "cost_per_non_buyer": 2}') $$, 'a portfolio of 98 households');
SELECT lives_ok($$ SELECT segment.create_portfolio('cola', 'SELECT * FROM cola',
	customers => 'SELECT i::bigint FROM generate_series(1, 100) AS i') $$, 'and one of 100');

SELECT is(array_agg(round(100 * customer_share) ORDER BY class_rank), '{16,16,15,0,52}'::float8[],
	'coffee: 16, 16, 15, nobody who returned all, and 52 % of the households') FROM coffee.usage_share;
SELECT is(array_agg(round(100 * sales_share) ORDER BY class_rank), '{83,14,3,0,0}'::float8[],
	'coffee: 83, 14, 3 and 0 % of the sales') FROM coffee.usage_share;
SELECT is(array_agg(round(100 * customer_share) ORDER BY class_rank), '{8,8,8,0,76}'::float8[],
	'cola: 8, 8, 8 and 76 % of the households') FROM cola.usage_share;
SELECT is(array_agg(round(100 * sales_share) ORDER BY class_rank), '{84,13,3,0,0}'::float8[],
	'cola: 84, 13, 3 and 0 % of the sales') FROM cola.usage_share;
SELECT is(array_agg(class ORDER BY class_rank), '{heavy,medium,light,returns_only,none}', 'in this order') FROM cola.usage_share;
SELECT is(array_agg(customers ORDER BY class_rank), '{16,16,15,0,51}'::bigint[],
	'a remainder of the thirds goes to the top') FROM coffee.usage_share;
SELECT bag_eq('SELECT class, customers, sales FROM coffee.usage_share',
	$$ SELECT class, customers, net FROM coffee.segment_summary WHERE scheme = 'usage_class' $$,
	'the scheme usage_class has the same classes');
SELECT bag_eq($$ SELECT class, customers, customer_share, sales, sales_share, profit, profit_share FROM coffee.usage_share $$,
	$$ SELECT class, customers, customer_share, sales, sales_share, profit, profit_share
		FROM coffee.pyramid WHERE scheme = 'usage_class' $$, 'and the same pyramid');

-- ---------- profit = margin of buyers - cost of buyers - cost of non-buyers ----------

SELECT is(profit, 4000 - 1650 - 102::numeric, 'profit by hand') FROM coffee.profit WHERE part = 'all';
SELECT is(profit, 4000 - 1650::numeric, 'of the buyers') FROM coffee.profit WHERE part = 'buyers';
SELECT is(profit, -102::numeric, 'of the 51 non-buyers') FROM coffee.profit WHERE part = 'non_buyers';
SELECT is(sum(profit), 2248::numeric, 'the summary has the same profit') FROM coffee.segment_summary WHERE scheme = 'dormancy';
SELECT is(array_agg(profit ORDER BY class_rank), ARRAY[3320 - 1600, 560, 120 - 50, 0, -102]::numeric[],
	'and usage_share') FROM coffee.usage_share;
SELECT is(profit, 2248::numeric, 'and the end of the whale curve') FROM coffee.concentration
WHERE population = 'customers' AND top_share = 1;

-- below zero, and the fee that breaks even
SELECT results_eq('SELECT customer_id, net_value, break_even_fee FROM coffee.break_even',
	$$ VALUES ('c33', 0.4 * 13 - 50, 50 - 0.4 * 13) $$, 'the customer below zero, and the fee');
SELECT results_eq($$ SELECT below_zero, break_even_fees FROM coffee.profit ORDER BY part $$,
	$$ VALUES (1::bigint, 44.8), (1, 44.8), (0, 0.0) $$, 'in the profit: all, buyers, non_buyers');
SELECT is(break_even_fee, 0::numeric, 'a class above zero needs none') FROM coffee.segment_summary
WHERE scheme = 'usage_class' AND class = 'light';
SELECT results_eq($$ SELECT class, customers, net_value, break_even_fee, break_even_fee_per_customer
		FROM coffee.segment_summary WHERE scheme = 'value_class' AND net_value < 0 $$,
	$$ VALUES ('bz', 1::bigint, -44.8, 44.8, 44.8::float8) $$, 'the class below zero needs the fee of its customer');
INSERT INTO coffee_cost VALUES ('c33', '2024-03-06', -44.8);
SELECT lives_ok($$ SELECT segment.refresh('coffee') $$, 'the fee is charged');
SELECT is_empty('SELECT * FROM coffee.break_even', 'then nobody is below zero');
SELECT is(net_value, 0::numeric, 'and the customer is exactly at 0') FROM coffee.customer WHERE customer_id = 'c33';

-- ---------- the whale curve ----------

CREATE TABLE whale AS SELECT i AS customer, date '2024-01-10' AS day, 10 AS amount, m AS margin
FROM unnest('{50,30,20,10,0,0,-5,-5,-10,-10}'::numeric[]) WITH ORDINALITY AS u(m, i);
SELECT lives_ok($$ SELECT segment.create_portfolio('whale', 'SELECT * FROM whale') $$, 'ten customers with margins');
SELECT results_eq($$ SELECT total, positive, negative, not_positive_share, peak, peak_share, peak_customer_share,
		largest, largest_share FROM whale.exposure WHERE measure = 'profit' AND population = 'customers' $$,
	$$ VALUES (80::numeric, 4::bigint, 4::bigint, 0.6::float8, 110::numeric, 1.375::float8, 0.4::float8,
		50::numeric, 0.625::float8) $$, 'peak of 110 at 40 % of the customers, 60 % bring no profit');
SELECT is(array_agg(profit ORDER BY top_share), '{50,80,100,110,110,110,105,100,90,80}'::numeric[],
	'the curve') FROM whale.concentration
WHERE population = 'customers' AND round(100 * top_share)::integer % 10 = 0;
SELECT is(max(profit), 110::numeric, 'its highest point is the peak') FROM whale.concentration;
SELECT is(profit_share, 1.375::float8, 'as a share') FROM whale.concentration
WHERE population = 'customers' AND top_share = 0.4;
SELECT results_eq($$ SELECT hhi, effective_customers, gini FROM whale.exposure
		WHERE measure = 'sales' AND population = 'customers' $$,
	'VALUES (0.1::float8, 10::float8, 0::float8)', 'ten equal customers');
SELECT lives_ok($$ SELECT segment.create_portfolio('thousand',
	'SELECT i, date ''2024-01-01'', i FROM generate_series(1, 1000) AS i') $$, 'a thousand customers');
SELECT results_eq($$ SELECT customers, sales FROM thousand.concentration WHERE population = 'buyers' AND top_share = 0.01 $$,
	'VALUES (10::bigint, 9955::numeric)', 'the top 1 % of 1,000 are 10');
SELECT is_empty($$ SELECT c.* FROM thousand.concentration AS c
	WHERE abs(c.sales_share - (SELECT segment.top_share(k.net, c.top_share) FROM thousand.customer AS k)) > 1e-14 $$,
	'each share is that of top_share');

-- ---------- books balance exactly ----------

CREATE FUNCTION pg_temp.noise(i integer, purpose integer, n integer) RETURNS integer
LANGUAGE sql IMMUTABLE RETURN ((hashint8extended(i, purpose) & 1048575) % n)::integer;
CREATE TABLE person AS SELECT i AS id, (ARRAY['north', 'south', NULL])[1 + i % 3] AS region,
	CASE WHEN i % 7 > 0 THEN 20 + i % 50 END AS age, i % 2 = 0 AS club, 'name ' || i AS name
FROM generate_series(1, 700) AS i;
CREATE TABLE sale AS SELECT 1 + pg_temp.noise(i, 1, 600) AS id, date '2022-01-01' + pg_temp.noise(i, 2, 900) AS day,
	(pg_temp.noise(i, 3, 100000) - 5000) / (CASE WHEN i % 5 = 0 THEN 1000.0 ELSE 100.0 END) AS amount,
	(pg_temp.noise(i, 4, 50000) - 9000) / 1000.0 AS margin
FROM generate_series(1, 6000) AS i;
CREATE TABLE service AS SELECT 1 + pg_temp.noise(i, 5, 750) AS id, date '2021-06-01' + pg_temp.noise(i, 6, 1300) AS day,
	pg_temp.noise(i, 7, 20000) / 700.0::numeric(20, 6) AS amount FROM generate_series(1, 900) AS i;
UPDATE service SET amount = round(amount, 6);
SELECT lives_ok($$ SELECT segment.create_portfolio('margins', 'SELECT * FROM sale', customers => 'SELECT * FROM person',
	costs => 'SELECT * FROM service', settings => '{"cost_per_non_buyer": 0.123, "profile_values": 3}') $$, 'a portfolio with margins');
SELECT lives_ok($$ SELECT segment.create_portfolio('nets', 'SELECT id, day, amount FROM sale', customers => 'SELECT * FROM person',
	costs => 'SELECT * FROM service', settings => '{"margin": 0.37}') $$, 'and one without');
SELECT segment.refresh(p, '2024-03-15') IS NOT NULL FROM unnest('{margins,nets}'::text[]) AS p \g /dev/null

CREATE TABLE source_sum AS
SELECT (SELECT sum(amount) FROM sale WHERE day <= '2024-03-15') AS sales,
	(SELECT sum(margin) FROM sale WHERE day <= '2024-03-15') AS margin,
	(SELECT sum(amount) FROM service WHERE day <= '2024-03-15') AS cost;
SELECT is_empty($$ SELECT scheme FROM margins.segment_pnl GROUP BY scheme
	HAVING (sum(revenue), sum(margin), sum(cost), sum(net))
		IS DISTINCT FROM (SELECT (sales, margin, cost, margin - cost) FROM source_sum) $$,
	'profit and loss of each scheme adds up to the sources');
SELECT is_empty($$ SELECT scheme FROM nets.segment_pnl GROUP BY scheme
	HAVING (sum(revenue), sum(margin), sum(cost)) IS DISTINCT FROM (SELECT (sales, sales * 0.37, cost) FROM source_sum) $$,
	'also with the setting margin');
SELECT is_empty($$
	SELECT scheme, month, sum(revenue), sum(margin), sum(cost), sum(orders) FROM margins.segment_pnl GROUP BY scheme, month
	EXCEPT
	SELECT s.scheme, date_trunc('month', e.day::timestamp)::date, sum(e.amount), sum(e.margin), sum(e.cost), sum(e.orders)
	FROM margins.scheme AS s CROSS JOIN (
		SELECT day, amount, margin, 0 AS cost, (amount >= 0)::integer AS orders FROM sale UNION ALL
		SELECT day, 0, 0, amount, 0 FROM service) AS e
	WHERE e.day <= '2024-03-15' GROUP BY 1, 2 $$, 'and so does each month');
SELECT is((SELECT count(DISTINCT month) FROM margins.segment_pnl),
	(SELECT count(DISTINCT date_trunc('month', day::timestamp)) FROM
		(SELECT day FROM sale UNION ALL SELECT day FROM service) AS e WHERE day <= '2024-03-15'), 'no month is left out');
SELECT is_empty('SELECT * FROM margins.segment_pnl WHERE month IS NULL', 'the month is never null');
-- Judged at the start of the year, or by a later snapshot before the month: by hand.
CREATE FUNCTION pg_temp.judged(snapshots date[]) RETURNS TABLE (scheme text, class text, month date, class_day date, orders bigint, revenue numeric, margin numeric, cost numeric)
LANGUAGE sql AS $$
	WITH month AS (
		SELECT e.*, greatest(date_trunc('year', e.month)::date - 1, (SELECT max(d) FROM unnest(snapshots) AS d WHERE d < e.month)) AS class_day
		FROM (
			SELECT id, date_trunc('month', day::timestamp)::date AS month, (amount >= 0)::integer AS orders, amount AS revenue, margin, 0 AS cost FROM sale WHERE day <= '2024-03-15'
			UNION ALL
			SELECT id, date_trunc('month', day::timestamp)::date, 0, 0, 0, amount FROM service WHERE day <= '2024-03-15'
		) AS e
	), judge AS (
		SELECT d.class_day, c.customer_id, v.scheme, v.class
		FROM (SELECT DISTINCT class_day FROM month) AS d
		CROSS JOIN LATERAL margins.customer_at(d.class_day) AS c
		CROSS JOIN LATERAL (VALUES ('dormancy', c.dormancy), ('abcd', c.abcd), ('usage_class', c.usage_class)) AS v(scheme, class)
	)
	SELECT k.scheme, j.class, m.month, m.class_day, sum(m.orders), sum(m.revenue), sum(m.margin), sum(m.cost)
	FROM month AS m
	CROSS JOIN unnest('{dormancy,abcd,usage_class}'::text[]) AS k(scheme)
	LEFT JOIN judge AS j ON j.class_day = m.class_day AND j.customer_id = m.id AND j.scheme = k.scheme
	GROUP BY k.scheme, j.class, m.month, m.class_day $$;
SELECT set_eq($$ SELECT scheme, class, month, class_day, orders, revenue, margin, cost FROM margins.segment_pnl WHERE scheme IN ('dormancy', 'abcd', 'usage_class') $$,
	$$ SELECT * FROM pg_temp.judged('{}') $$, 'customers count in the class that they had at the start of the year');
SELECT isnt_empty($$ SELECT * FROM margins.segment_pnl WHERE class IS NULL AND owner IS NULL AND class_rank IS NULL $$, 'who came later in none');
SELECT is((SELECT array_agg(DISTINCT class_basis) FROM margins.segment_pnl), '{computed}', 'computed, since there is no snapshot');
SELECT segment.take_snapshot('margins', d) FROM unnest('{2022-05-31,2023-12-31,2024-01-20}'::date[]) AS d \g /dev/null
SELECT set_eq($$ SELECT scheme, class, month, class_day, orders, revenue, margin, cost FROM margins.segment_pnl WHERE scheme IN ('dormancy', 'abcd', 'usage_class') $$,
	$$ SELECT * FROM pg_temp.judged('{2022-05-31,2023-12-31,2024-01-20}') $$, 'with snapshots, by the last one before the month in its year');
SELECT set_eq($$ SELECT DISTINCT class_day FROM margins.segment_pnl WHERE class_basis = 'snapshot' $$, '{2022-05-31,2023-12-31,2024-01-20}'::date[], 'which the column says');
-- what became of them since does not matter: a snapshot is not judged again
UPDATE margins.snapshot_customer SET classes = classes || '{"abcd": "b"}' WHERE as_of = '2024-01-20';
SELECT is((SELECT array_agg(DISTINCT class) FROM margins.segment_pnl WHERE scheme = 'abcd' AND class_day = '2024-01-20' AND class IS NOT NULL), '{b}', 'the class is that of the snapshot');
SELECT is_empty($$ SELECT scheme FROM margins.segment_pnl GROUP BY scheme
	HAVING (sum(revenue), sum(margin), sum(cost)) IS DISTINCT FROM (SELECT (sales, margin, cost) FROM source_sum) $$, 'the books balance as well');
DELETE FROM margins.snapshot;
SELECT is_empty($$ SELECT scheme FROM margins.segment_summary GROUP BY scheme
	HAVING (sum(customers), sum(gross), sum(refunded), sum(net), sum(margin), sum(cost), sum(net_value), sum(profit))
		IS DISTINCT FROM (SELECT (count(*)::numeric, sum(gross), sum(refunded), sum(net), sum(margin), sum(cost),
			sum(net_value), sum(net_value) - 0.123 * count(*) FILTER (WHERE orders = 0)) FROM margins.customer) $$,
	'the summary of each scheme adds up to all customers');
SELECT is_empty($$
	SELECT s.scheme, s.class, s.customers, s.net, s.net_value, s.below_zero FROM margins.segment_summary AS s
	EXCEPT SELECT k.scheme, k.class, count(c.customer_id), coalesce(sum(c.net), 0), coalesce(sum(c.net_value), 0),
		count(*) FILTER (WHERE c.net_value < 0)
	FROM margins.class AS k LEFT JOIN margins.customer_class AS m ON m.scheme = k.scheme AND m.class = k.class
	LEFT JOIN margins.customer AS c ON c.customer_id = m.customer_id GROUP BY 1, 2 $$,
	'each class is that of customer_class');
SELECT is_empty($$ SELECT scheme FROM margins.segment_summary GROUP BY scheme
	HAVING abs(sum(share) - 1) > 1e-12 OR abs(sum(gross_share) - 1) > 1e-12 OR abs(sum(clv_share) - 1) > 1e-12
		OR abs(sum(profit_share) - 1) > 1e-12 $$, 'shares add up to 1');

-- the best i % by a window over all, beside the one pass of the view
CREATE FUNCTION pg_temp.top(portfolio text) RETURNS TABLE (population text, top_share float8, customers bigint, sales numeric, profit numeric)
LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format($query$
		WITH person AS (
			SELECT v.population, c.net, c.net_value - CASE WHEN c.orders > 0 THEN 0 ELSE
				(SELECT (s.settings ->> 'cost_per_non_buyer')::numeric FROM %1$I.scorecard AS s ORDER BY s.scorecard_id DESC LIMIT 1) END AS profit
			FROM %1$I.customer AS c CROSS JOIN (VALUES ('customers', 0), ('buyers', 1)) AS v(population, least) WHERE c.orders >= v.least
		), placed AS (
			SELECT p.*, row_number() OVER (PARTITION BY p.population ORDER BY p.net DESC) AS by_net,
				row_number() OVER (PARTITION BY p.population ORDER BY p.profit DESC) AS by_profit,
				count(*) OVER (PARTITION BY p.population) AS n
			FROM person AS p
		)
		SELECT p.population, i / 100.0::float8, ceil(p.n * i / 100.0)::bigint,
			sum(p.net) FILTER (WHERE p.by_net <= ceil(p.n * i / 100.0)), sum(p.profit) FILTER (WHERE p.by_profit <= ceil(p.n * i / 100.0))
		FROM placed AS p CROSS JOIN generate_series(1, 100) AS i GROUP BY p.population, p.n, i$query$, portfolio);
END
$$;
SELECT bag_eq($$ SELECT population, top_share, customers, sales, profit FROM margins.concentration $$, $$ SELECT * FROM pg_temp.top('margins') $$,
	'the best are those of a window over all');
SELECT bag_eq($$ SELECT population, top_share, customers, sales, profit FROM nets.concentration $$, $$ SELECT * FROM pg_temp.top('nets') $$,
	'also with the setting margin');
SELECT is_empty($$ SELECT c.* FROM margins.concentration AS c, margins.concentration AS t WHERE t.population = c.population AND t.top_share = 1
	AND (c.sales_share, c.profit_share) IS DISTINCT FROM ((c.sales / t.sales)::float8, (c.profit / t.profit)::float8) $$, 'and so are their shares');

-- ---------- the profile ----------

SELECT is_empty($$ SELECT scheme, class, measure FROM margins.segment_profile WHERE kind = 'category' GROUP BY 1, 2, 3
	HAVING abs(sum(share) - 1) > 1e-12 OR sum(customers) <> (SELECT s.customers FROM margins.segment_summary AS s
		WHERE s.scheme = segment_profile.scheme AND s.class = segment_profile.class) $$,
	'each customer has one value of each category');
SELECT is_empty($$ SELECT scheme, measure FROM margins.segment_profile WHERE kind = 'number' GROUP BY 1, 2
	HAVING abs(sum(customers * mean) / nullif(sum(customers), 0) - max(all_mean)) > 1e-9 * abs(max(all_mean)) + 1e-9 $$,
	'the mean of all is the mean of the classes, weighted');
SELECT results_eq($$ SELECT value, customers, round(share * 1000) FROM margins.segment_profile
		WHERE scheme = 'usage_class' AND class = 'none' AND measure = 'region' ORDER BY 1 $$,
	$$ SELECT region, count(*), round(1000 * count(*) / sum(count(*)) OVER ()::float8)
		FROM person RIGHT JOIN margins.customer_class AS m ON m.customer_id = id
		WHERE scheme = 'usage_class' AND class = 'none' GROUP BY 1 ORDER BY 1 $$,
	'categories as counted by hand, the unknown ones too');
SELECT results_eq($$ SELECT customers, mean, median, index FROM margins.segment_profile
		WHERE scheme = 'rfm8' AND class_rank = 1 AND measure = 'age' $$,
	$$ SELECT count(age), avg(age)::float8, (percentile_disc(0.5) WITHIN GROUP (ORDER BY age))::float8,
		(100 * avg(age) / (SELECT avg(age) FROM person))::float8
		FROM person JOIN margins.customer_class AS m ON m.customer_id = id
		WHERE scheme = 'rfm8' AND class_rank = 1 $$, 'numbers among the attributes, too');
SELECT results_eq($$ SELECT value, sum(customers)::bigint FROM margins.segment_profile
		WHERE scheme = 'abc' AND measure = 'name' AND value IS NOT NULL GROUP BY 1 ORDER BY 1 $$,
	$$ VALUES ('(other)', 697::bigint), ('name 1', 1), ('name 10', 1), ('name 100', 1) $$,
	'values beyond the setting profile_values are one row');
SELECT is_empty($$ SELECT scheme, class FROM margins.segment_profile AS p WHERE measure = 'net_value'
	AND mean <> (SELECT (s.net_value / s.customers)::float8 FROM margins.segment_summary AS s
		WHERE s.scheme = p.scheme AND s.class = p.class) $$, 'the mean is the sum of the summary over its customers');

-- every number of every class by itself, beside the one pass of the view
SELECT is_empty($$
	SELECT p.scheme, p.class, p.measure, p.customers, p.mean, p.median FROM margins.segment_profile AS p WHERE p.source = 'portfolio'
	EXCEPT
	-- of a float the 15 digits that it is shown with count
	SELECT m.scheme, m.class, w.measure, count(k.value),
		avg(CASE w.type WHEN 'float8' THEN k.value::float8::numeric ELSE k.value::numeric END)::float8,
		percentile_disc(0.5) WITHIN GROUP (ORDER BY k.value::float8)
	FROM margins.customer_class AS m JOIN margins.customer AS c ON c.customer_id = m.customer_id
	CROSS JOIN LATERAL jsonb_each_text(to_jsonb(c)) AS k JOIN segment_internal.value_measures() AS w ON w.measure = k.key
	GROUP BY 1, 2, 3 $$, 'means and medians are those of each class by itself');

-- a scheme of one's own, of any name, is in all of them
SELECT lives_ok($$ SELECT segment.create_scheme('margins', 'classes',
	'[{"class": "profit", "rule": "orders > 8"}, {"class": "customers"}]') $$, 'a new scheme with awkward names');
SELECT bag_eq($$ SELECT class, customers FROM margins.segment_summary WHERE scheme = 'classes' $$,
	$$ SELECT CASE WHEN orders > 8 THEN 'profit' ELSE 'customers' END, count(*) FROM margins.customer GROUP BY 1 $$,
	'is in the summary');
SELECT is((SELECT array_agg(DISTINCT class ORDER BY class) FROM margins.segment_profile WHERE scheme = 'classes')
		|| (SELECT array_agg(DISTINCT class ORDER BY class) FROM margins.segment_pnl WHERE scheme = 'classes' AND class IS NOT NULL),
	'{customers,profit,customers,profit}', 'in the profile, and in profit and loss');

-- ---------- edges ----------

CREATE FUNCTION pg_temp.edge(purchases text, customers text DEFAULT NULL) RETURNS SETOF text
LANGUAGE plpgsql AS $$
DECLARE
	v text;
	n bigint;
BEGIN
	PERFORM segment.create_portfolio('edge', purchases, customers => customers, settings => '{"cost_per_non_buyer": 1}');
	FOREACH v IN ARRAY '{segment_summary,segment_pnl,segment_profile,pyramid,usage_share,profit,break_even,concentration,exposure}'::text[] LOOP
		EXECUTE format('SELECT count(*) FROM (SELECT to_jsonb(v) FROM edge.%I AS v OFFSET 0) AS v', v) INTO n;
		RETURN NEXT v || ' ' || CASE n WHEN 0 THEN 'empty' ELSE 'rows' END;
	END LOOP;
	RETURN QUERY SELECT 'wrong sum: ' || s.scheme FROM edge.segment_summary AS s GROUP BY s.scheme
		HAVING (sum(s.customers), sum(s.net), sum(s.profit)) IS DISTINCT FROM (SELECT (count(*)::numeric,
			coalesce(sum(c.net), 0), coalesce(sum(c.net_value - CASE c.orders WHEN 0 THEN 1 ELSE 0 END), 0)) FROM edge.customer AS c);
	RETURN QUERY SELECT 'wrong sales: ' || s.scheme FROM edge.segment_pnl AS s GROUP BY s.scheme
		HAVING sum(s.revenue) IS DISTINCT FROM (SELECT sum(c.net) FROM edge.customer AS c);
	PERFORM segment.drop_portfolio('edge');
END
$$;
CREATE FUNCTION pg_temp.all_but(VARIADIC empty text[]) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT v || CASE WHEN v = ANY (empty) THEN ' empty' ELSE ' rows' END
	FROM unnest('{segment_summary,segment_pnl,segment_profile,pyramid,usage_share,profit,break_even,concentration,exposure}'::text[]) AS v
$$;
SELECT bag_eq($$ SELECT pg_temp.edge('SELECT 1, date ''2024-01-01'', 1.5 WHERE false') $$,
	$$ SELECT pg_temp.all_but('segment_pnl', 'segment_profile', 'break_even', 'concentration', 'exposure') $$, 'no customers');
SELECT bag_eq($$ SELECT pg_temp.edge('SELECT 1, date ''2024-01-01'', 1.5') $$,
	$$ SELECT pg_temp.all_but('break_even') $$, 'one customer');
SELECT bag_eq($$ SELECT pg_temp.edge('SELECT 1, date ''2024-01-01'', 1.5 WHERE false', 'SELECT i, i % 2 FROM generate_series(1, 9) AS i') $$,
	$$ SELECT pg_temp.all_but('segment_pnl', 'break_even') $$, 'prospects only');
SELECT bag_eq($$ SELECT pg_temp.edge('SELECT i, date ''2024-01-01'', -1.5 FROM generate_series(1, 9) AS i') $$,
	$$ SELECT pg_temp.all_but('') $$, 'refunds only: everybody is below zero');
SELECT bag_eq($$ SELECT pg_temp.edge('SELECT i, date ''2024-01-01'', 0 FROM generate_series(1, 9) AS i') $$,
	$$ SELECT pg_temp.all_but('break_even') $$, 'all on one day, for nothing');

-- Where refunds and costs outweigh what was sold, nothing is a share of the
-- total: NULL, neither a negative share nor one above 1.
SELECT lives_ok($$ SELECT segment.create_portfolio('negative',
	'SELECT * FROM (VALUES (1, date ''2024-01-01'', 5.0), (2, ''2024-01-02'', 1), (2, ''2024-01-03'', -9), (3, ''2024-01-03'', 2)) AS v',
	customers => 'SELECT 4', costs => 'SELECT 3, date ''2024-01-01'', 1') $$, 'a portfolio with a negative total');
SELECT results_eq($$ SELECT sum(net), sum(gross), sum(cost), sum(gross_share), sum(cost_share), sum(share),
		count(net_share) + count(margin_share) + count(net_value_share) + count(profit_share)
	FROM negative.segment_summary WHERE scheme = 'usage_class' $$,
	$$ VALUES (-1.0, 8.0, 1::numeric, 1::float8, 1::float8, 1::float8, 0::bigint) $$, 'shares of the positive sums alone, in the summary');
SELECT results_eq($$ SELECT count(customer_share) = count(*), count(sales_share) + count(profit_share) FROM negative.pyramid $$,
	'VALUES (true, 0::bigint)', 'in the pyramid');
SELECT results_eq($$ SELECT count(customer_share) = count(*), count(sales_share) + count(profit_share) FROM negative.usage_share $$,
	'VALUES (true, 0::bigint)', 'in usage_share');
SELECT results_eq($$ SELECT count(*), min(sales), count(sales_share) + count(profit_share) FROM negative.concentration WHERE population = 'customers' $$,
	'VALUES (100::bigint, -1.0, 0::bigint)', 'in the concentration');
SELECT results_eq($$ SELECT measure, total, largest_share, top_1_share, top_20_share, peak_share, gini, hhi
		FROM negative.exposure WHERE population = 'customers' ORDER BY 1 $$,
	$$ VALUES ('margin', -1.0, NULL::float8, NULL::float8, NULL::float8, NULL::float8, NULL::float8, NULL::float8),
		('profit', -2.0, NULL, NULL, NULL, NULL, NULL, NULL),
		('sales', -1.0, NULL, NULL, NULL, NULL, NULL, NULL) $$, 'and in the exposure');

-- more decimals than an amount may have: a net amount of 9, times a margin of 3
SELECT lives_ok($$ SELECT segment.create_portfolio('fine',
	'SELECT i, date ''2024-01-01'', i + 0.123456789 FROM generate_series(1, 3) AS i',
	settings => '{"margin": 0.123, "cost_per_non_buyer": 0.12345678912}', customers => 'SELECT 4') $$, 'amounts of 9 decimals, and a margin');
SELECT results_eq($$ SELECT measure, total, largest, round(hhi::numeric, 6) FROM fine.exposure WHERE population = 'buyers' ORDER BY measure $$,
	$$ VALUES ('margin', 0.783555555, 0.384185185, 0.382617), ('profit', 0.783555555, 0.384185185, 0.382617), ('sales', 6.370370367, 3.123456789, 0.382617) $$,
	'exposure sees them with 9');
SELECT results_eq($$ SELECT sales, profit FROM fine.concentration WHERE population = 'customers' AND top_share IN (0.5, 1) ORDER BY top_share $$,
	$$ VALUES (5.246913578, 0.645370370), (6.370370367, 0.783555555 - 0.123456789) $$, 'and concentration');

-- ---------- the catalog ----------

SELECT is_empty($$ SELECT a.attrelid::regclass, a.attname, a.atttypid::regtype FROM pg_attribute AS a
	JOIN pg_class AS c ON c.oid = a.attrelid AND c.relnamespace = 'margins'::regnamespace
	WHERE c.relname IN (SELECT relation FROM segment_internal.value_comments()) AND a.attnum > 0
		AND (a.atttypid::regtype NOT IN ('text', 'bigint', 'integer', 'float8', 'numeric', 'boolean', 'date', 'timestamptz')
			OR col_description(a.attrelid, a.attnum) IS NULL) $$, 'base types, and a comment on every column');
SELECT is_empty($$ SELECT relation, col FROM segment_internal.value_comments() AS m WHERE col IS NOT NULL AND NOT EXISTS (
	SELECT FROM pg_attribute AS a WHERE a.attrelid = format('margins.%I', m.relation)::regclass AND a.attname = m.col) $$,
	'and no comment without a column');
SELECT lives_ok($$ SELECT segment.drop_portfolio(p) FROM unnest('{coffee,cola,whale,thousand,margins,nets,negative,fine}'::text[]) AS p $$,
	'portfolios can be dropped');

SELECT * FROM finish();
ROLLBACK;
