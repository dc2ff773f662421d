--
-- The books of a portfolio against the definitions, written out in SQL over the
-- source rows; that they balance; edge portfolios; intervals as published
--
-- Takes long: so that it begins first where files run side by side
--
\unset ECHO
\set QUIET 1
\pset format unaligned
\pset tuples_only true
\set ON_ERROR_STOP true
\set cdnow_csv `cat "${SEGMENT_DATA:-../shared/data}/cdnow_orders.csv" 2>/dev/null`
SELECT length(:'cdnow_csv') > 0 AS have_data \gset
SET client_min_messages = warning;

BEGIN;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS segment;
SELECT plan(64);

-- ---------- the definitions, row by row ----------

-- Events of any kind: rare and frequent customers, pauses, refunds before and
-- after orders, refunds only, several events a day, decimals, future events.
SELECT setseed(0.4);
CREATE TEMP TABLE event AS
SELECT customer, '2020-03-10'::date + least(arrival + (span * random() ^ 2)::integer, 1100) AS day,
	CASE WHEN refunds_only OR random() < 0.15 THEN -1 ELSE 1 END * round((random() * 100)::numeric, places) AS amount
FROM (
	SELECT customer, (random() * 900)::integer AS arrival, (random() * 900)::integer AS span,
		1 + (random() * random() * 14)::integer AS events, customer % 23 = 0 AS refunds_only,
		CASE WHEN customer % 7 = 0 THEN 4 ELSE 2 END AS places
	FROM generate_series(1, 250) AS customer
	OFFSET 0
) AS c, generate_series(1, events);
INSERT INTO event SELECT 1000 + n, day, 5 FROM generate_series(1, 3) n,
	unnest('{2020-12-31,2021-01-01,2022-12-31}'::date[]) day;
CREATE TEMP TABLE series AS
SELECT customer, segment.history_agg(day, amount) AS h FROM event GROUP BY customer;

-- The day everything is seen from is in the middle of a month, and there are events after it.
\set as_of '''2022-08-17''::date'
CREATE TEMP TABLE month AS
SELECT m::date AS month, least((m + interval '1 month')::date - 1, :as_of) AS month_end
FROM generate_series(date_trunc('month', (SELECT min(day) FROM event)::timestamp), :as_of, '1 month') AS m;

-- What is true of one customer around one month, by definition.
CREATE TEMP TABLE expected AS
WITH known AS (SELECT * FROM event WHERE day <= :as_of),
status AS (
	SELECT k.days, m.month, m.month_end, c.customer,
		coalesce(bool_or(e.amount >= 0 AND e.day < m.month AND e.day > m.month - 1 - k.days), false) AS before,
		coalesce(bool_or(e.amount >= 0 AND e.day <= m.month_end AND e.day > m.month_end - k.days), false) AS after,
		coalesce(bool_or(e.amount >= 0 AND e.day < m.month), false) AS bought_before,
		coalesce(bool_or(e.amount >= 0 AND e.day BETWEEN m.month AND m.month_end), false) AS ordered,
		coalesce(sum(e.amount) FILTER (WHERE e.day BETWEEN m.month AND m.month_end), 0) AS sales,
		coalesce(sum(e.amount) FILTER (WHERE e.day < m.month AND e.day > m.month - 1 - k.days), 0) AS running_before,
		coalesce(sum(e.amount) FILTER (WHERE e.day <= m.month_end AND e.day > m.month_end - k.days), 0) AS running_after,
		-- the last active period: the days up to the last order, and refunds since
		(SELECT coalesce(sum(w.amount), 0) FROM known AS w WHERE w.customer = c.customer AND w.day <= m.month_end AND w.day >
			(SELECT max(l.day) FROM known AS l WHERE l.customer = c.customer AND l.amount >= 0 AND l.day <= m.month_end) - k.days) AS worth
	FROM unnest('{1,2,20,31,90,365,2000}'::integer[]) AS k(days)
	CROSS JOIN month AS m
	CROSS JOIN (SELECT DISTINCT customer FROM known) AS c
	JOIN known AS e USING (customer)
	GROUP BY k.days, m.month, m.month_end, c.customer
), sorted AS (
	SELECT *, ordered AND NOT bought_before AS is_new, ordered AND bought_before AND NOT before AS back,
		running_after - running_before AS change
	FROM status
)
SELECT days, month, month_end, count(*) FILTER (WHERE before) AS opening, count(*) FILTER (WHERE is_new) AS new,
	count(*) FILTER (WHERE back) AS won_back,
	count(*) FILTER (WHERE (before OR is_new OR back) AND NOT after) AS lost,
	count(*) FILTER (WHERE before AND NOT after) AS lost_opening,
	count(*) FILTER (WHERE after) AS closing,
	sum(sales) AS sales,
	coalesce(sum(sales) FILTER (WHERE before), 0) AS sales_opening,
	coalesce(sum(sales) FILTER (WHERE is_new), 0) AS sales_new,
	coalesce(sum(sales) FILTER (WHERE back), 0) AS sales_won_back,
	coalesce(sum(sales) FILTER (WHERE NOT (before OR is_new OR back)), 0) AS sales_other,
	sum(running_before) AS running_opening,
	coalesce(sum(change) FILTER (WHERE is_new), 0) AS running_new,
	coalesce(sum(change) FILTER (WHERE back), 0) AS running_won_back,
	coalesce(sum(change) FILTER (WHERE before AND after AND change > 0), 0) AS running_grown,
	coalesce(-sum(change) FILTER (WHERE before AND after AND change < 0), 0) AS running_shrunk,
	coalesce(sum(worth) FILTER (WHERE before AND NOT after), 0) AS running_lost,
	coalesce(sum(worth + change) FILTER (WHERE before AND NOT after), 0) AS running_shrunk_before,
	coalesce(sum(change) FILTER (WHERE NOT (before OR is_new OR back)), 0) AS running_other,
	sum(running_after) AS running_closing
FROM sorted GROUP BY days, month, month_end;

CREATE TEMP TABLE books AS
SELECT k.days, f.*
FROM unnest('{1,2,20,31,90,365,2000}'::integer[]) AS k(days)
CROSS JOIN LATERAL (SELECT segment.flow_agg(h, :as_of, k.days) AS months FROM series OFFSET 0) AS a
CROSS JOIN LATERAL unnest(a.months) AS f;

SELECT is(count(*), (SELECT 7 * count(*) FROM month), 'every month has a row, for each number of days') FROM books;
SELECT results_eq(
	$$ SELECT days, month, month_end, opening, new, won_back, lost, lost_opening, closing FROM books ORDER BY 1, 2 $$,
	$$ SELECT days, month, month_end, opening, new, won_back, lost, lost_opening, closing FROM expected ORDER BY 1, 2 $$,
	'heads follow the definition');
SELECT results_eq(
	$$ SELECT days, month, sales, sales_opening, sales_new, sales_won_back, sales_other FROM books ORDER BY 1, 2 $$,
	$$ SELECT days, month, sales, sales_opening, sales_new, sales_won_back, sales_other FROM expected ORDER BY 1, 2 $$,
	'sales of the groups follow the definition');
SELECT results_eq(
	$$ SELECT days, month, running_opening, running_new, running_won_back, running_grown, running_shrunk,
		running_lost, running_shrunk_before, running_other, running_closing FROM books ORDER BY 1, 2 $$,
	$$ SELECT days, month, running_opening, running_new, running_won_back, running_grown, running_shrunk,
		running_lost, running_shrunk_before, running_other, running_closing FROM expected ORDER BY 1, 2 $$,
	'running sales follow the definition');
-- the data contain every case, so that the comparisons above mean something
SELECT ok(bool_and(n > 0), 'every group has heads and money in the test data') FROM (
	SELECT unnest(ARRAY[sum(new), sum(won_back), sum(lost), sum(lost - lost_opening), -sum(sales_other),
		sum(running_grown), sum(running_shrunk), sum(running_lost), sum(running_shrunk_before), sum(abs(running_other))]) AS n
	FROM books) AS s;
SELECT is_empty($$ SELECT * FROM books WHERE complete IS DISTINCT FROM (month < '2022-08-01') $$,
	'only the month of as_of is incomplete');

-- cohorts
CREATE TEMP TABLE cohorts AS
SELECT k.* FROM (SELECT segment.cohort_agg(h, :as_of) AS months FROM series) AS a, unnest(a.months) AS k;
SELECT results_eq(
	$$ SELECT cohort, age, month, customers, active, sales FROM cohorts $$,
	$$ WITH known AS (SELECT * FROM event WHERE day <= '2022-08-17'),
	born AS (SELECT customer, date_trunc('month', min(day)::timestamp)::date AS cohort FROM known
		WHERE amount >= 0 GROUP BY customer),
	size AS (SELECT cohort, count(*) AS customers FROM born GROUP BY cohort)
	SELECT s.cohort, (12 * (extract(year FROM m.month) - extract(year FROM s.cohort))
			+ extract(month FROM m.month) - extract(month FROM s.cohort))::integer, m.month, s.customers,
		count(DISTINCT e.customer) FILTER (WHERE e.amount >= 0 AND e.day BETWEEN m.month AND m.month_end),
		coalesce(sum(e.amount) FILTER (WHERE e.day <= m.month_end AND (e.day >= m.month OR m.month = s.cohort)), 0)
	FROM size AS s
	JOIN month AS m ON m.month >= s.cohort
	JOIN born AS b ON b.cohort = s.cohort
	JOIN known AS e ON e.customer = b.customer
	GROUP BY s.cohort, s.customers, m.month
	ORDER BY s.cohort, m.month $$,
	'cohorts follow the definition');
SELECT ok(count(*) > 300 AND count(*) FILTER (WHERE active = 0) > 0, 'there are many cohorts, and months without activity')
FROM cohorts;

-- the same bits whatever the plan
CREATE TEMP TABLE plain (customer integer, h segment.history);
INSERT INTO plain SELECT * FROM series ORDER BY customer DESC;
CREATE TABLE shared_series AS SELECT customer, h FROM series, generate_series(1, 20) ORDER BY random();
ALTER TABLE shared_series SET (parallel_workers = 3);
SET LOCAL parallel_setup_cost = 0; SET LOCAL parallel_tuple_cost = 0; SET LOCAL min_parallel_table_scan_size = 0;
CREATE TEMP TABLE parallel_books AS
SELECT segment.flow_agg(h, :as_of, 90) AS f, segment.cohort_agg(h, :as_of) AS k FROM shared_series;
SET LOCAL max_parallel_workers_per_gather = 0;
SELECT ok(p.f = s.f AND p.k = s.k, 'a parallel plan gives the same books')
FROM parallel_books AS p, (SELECT segment.flow_agg(h, :as_of, 90) AS f, segment.cohort_agg(h, :as_of) AS k
	FROM shared_series) AS s;
SELECT ok(p.f = s.f AND p.k = s.k, 'the order of rows does not matter')
FROM (SELECT segment.flow_agg(h, :as_of, 90) AS f, segment.cohort_agg(h, :as_of) AS k FROM plain) AS p,
	(SELECT segment.flow_agg(h, :as_of, 90) AS f, segment.cohort_agg(h, :as_of) AS k FROM series) AS s;

-- far away
SELECT is(cardinality(segment.flow_agg(h, '2024-12-31', 365)), (2024 + 4713) * 12 + 2,
	'all months since November 4714 BC, the first there is')
FROM (SELECT segment.history_agg(d, 1) AS h FROM unnest('{4714-11-24 BC,2024-12-01}'::date[]) d) AS g;
SELECT is((SELECT concat_ws(' ', m.month, m.new, m.running_closing) FROM unnest(segment.flow_agg(h, '4714-12-31 BC', 365)) AS m
	WHERE m.new > 0), '4714-11-24 BC 1 1', 'the first month begins with the first date')
FROM (SELECT segment.history_agg('4714-11-24 BC'::date, 1) AS h) AS g;
SELECT is((SELECT string_agg(concat_ws(' ', m.month, m.month_end, m.complete), ', ')
	FROM unnest(segment.flow_agg(h, '5874897-12-31', 2147483647)) AS m), '5874897-12-01 5874897-12-31 t',
	'the last date, the largest number of days')
FROM (SELECT segment.history_agg('5874897-12-31'::date, 1) AS h) AS g;
SELECT is(cardinality(segment.flow_agg(h, '2020-01-01', 365)), 0, 'no event yet: no months') FROM series;
SELECT is(segment.flow_agg(h, '2020-01-01', NULL), NULL, 'rows with a NULL are skipped') FROM series;

-- ---------- intervals ----------

-- Newcombe, Two-sided confidence intervals for the single proportion, Statistics in Medicine 17 (1998), table I
SELECT is(round(low::numeric, 4) || '..' || round(high::numeric, 4), expected,
	format('Wilson interval of %s of %s as published', x, n))
FROM (VALUES (81, 263, '0.2553..0.3662'), (15, 148, '0.0624..0.1605'), (0, 20, '0.0000..0.1611'),
	(1, 29, '0.0061..0.1718')) AS v(x, n, expected), segment.wilson_interval(x, n);
SELECT is(segment.wilson_interval(0, 0)::text, '(,)', 'no interval without trials');
SELECT is(segment.wilson_interval(20, 20)::text LIKE '(0.83%,1)', true, 'all successes: up to 1');
-- Fagerland, Lydersen and Laake, Statistical Analysis of Contingency Tables (2017), table of chapter 4: 7 of 34 against 1 of 34
SELECT is(round(ratio::numeric, 4) || ' ' || round(low::numeric, 4) || '..' || round(high::numeric, 4),
	'7.0000 1.1537..41.9763', 'interval of a ratio as published')
FROM segment.ratio_interval(7, 34, 1, 34);
SELECT ok(ratio = 0 AND low = 0 AND high BETWEEN 0.9 AND 1.2, 'no successes: from 0 on')
FROM segment.ratio_interval(0, 16, 15, 72);
SELECT is((SELECT r::text FROM segment.ratio_interval(3, 16, 0, 72) AS r), '(,,)', 'nothing to compare with');
SELECT is_empty($$
	SELECT x, n, y, m FROM generate_series(0, 12) x, generate_series(1, 12) n, generate_series(1, 12) y,
		generate_series(1, 12) m, segment.ratio_interval(x, n, y, m)
	WHERE x <= n AND y <= m AND NOT (low >= 0 AND low <= ratio AND ratio <= high AND high < 'infinity') $$,
	'an interval of a ratio holds the ratio');

-- ---------- a portfolio ----------

CREATE TABLE flow_order AS SELECT customer, day, amount FROM event;
CREATE TABLE flow_person AS SELECT 1 + n AS customer FROM generate_series(1, 300) n;
SELECT segment.create_portfolio('flow_shop', 'SELECT customer, day, amount FROM flow_order',
	customers => 'SELECT customer FROM flow_person', timezone => 'UTC',
	settings => '{"lost_after_days": 90}') IS NOT NULL \g /dev/null
SELECT segment.refresh('flow_shop', :as_of) IS NOT NULL \g /dev/null

SELECT results_eq(
	'SELECT month, month_end, opening, new, won_back, lost, closing, sales, sales_opening, sales_new, sales_won_back, sales_other FROM flow_shop.leaky_bucket',
	'SELECT month, month_end, opening, new, won_back, lost, closing, sales, sales_opening, sales_new, sales_won_back, sales_other FROM expected WHERE days = 90 ORDER BY month',
	'leaky_bucket of a portfolio, with the setting lost_after_days');
SELECT results_eq(
	'SELECT month, opening, new, won_back, grown, shrunk, lost, shrunk_before, other, closing FROM flow_shop.sales_bridge',
	'SELECT month, running_opening, running_new, running_won_back, running_grown, running_shrunk, running_lost, running_shrunk_before, running_other, running_closing FROM expected WHERE days = 90 ORDER BY month',
	'sales_bridge of a portfolio');
-- who was lost, by definition: the setting margin is 1, so that worth is sales
SELECT results_eq('SELECT customer_id, last_day, lost_on, orders, sales, worth FROM flow_shop.lost_customer ORDER BY 1',
	format($$ SELECT l.customer, l.last_day, l.last_day + 90, count(*) FILTER (WHERE o.amount >= 0), sum(o.amount), sum(o.amount)
	FROM (SELECT customer, max(day) FILTER (WHERE amount >= 0) AS last_day FROM flow_order WHERE day <= %L GROUP BY customer) AS l
	JOIN flow_order AS o ON o.customer = l.customer AND o.day > l.last_day - 90 AND o.day <= %L
	WHERE l.last_day + 90 <= %L GROUP BY l.customer, l.last_day ORDER BY 1 $$, :as_of, :as_of, :as_of), 'lost_customer lists who was lost, when, and what they brought');
SELECT is((SELECT count(*) FROM flow_shop.lost_customer),
	(SELECT sum(lost) - sum(won_back) FROM flow_shop.leaky_bucket)::bigint, 'as many as were lost and not won back');
SELECT is((SELECT sum(sales) FROM flow_shop.leaky_bucket),
	(SELECT sum(amount) FROM flow_order WHERE day <= :as_of), 'sales of all months equal those of the source');
SELECT is((SELECT sum(sales) FROM flow_shop.leaky_bucket),
	(SELECT sum(net) FROM flow_shop.customer), 'and those of all customers');
SELECT is((SELECT sum(new) FROM flow_shop.leaky_bucket)::bigint,
	(SELECT count(*) FROM flow_shop.customer WHERE orders > 0), 'new customers of all months are the buyers');
SELECT is((SELECT closing FROM flow_shop.leaky_bucket ORDER BY month DESC LIMIT 1),
	(SELECT count(*) FROM flow_shop.customer WHERE days_since_last < 90), 'the last closing counts the active customers of today');
SELECT is((SELECT sum(sales) FROM flow_shop.cohort_retention),
	(SELECT sum(net) FROM flow_shop.customer WHERE orders > 0), 'sales of the cohorts equal those of the buyers');
SELECT results_eq(
	'SELECT cohort, age, month, complete, customers, active, sales FROM flow_shop.cohort_retention',
	'SELECT cohort, age, month, complete, customers, active, sales FROM cohorts', 'cohort_retention of a portfolio');
SELECT is_empty($$ SELECT * FROM flow_shop.cohort_retention
	WHERE retention <> active::float8 / customers OR NOT retention BETWEEN retention_low AND retention_high
		OR (age = 0 AND retention <> 1) $$, 'retention is a share within its interval');

SELECT results_eq(
	'SELECT month, opening, lost, churn_rate, base_opening, base_lost FROM flow_shop.churn_rate',
	$$ SELECT e.month, e.opening, e.lost_opening, e.lost_opening::float8 / nullif(e.opening, 0),
		(SELECT coalesce(sum(b.opening), 0)::bigint FROM expected b WHERE b.days = 90
			AND b.month < e.month AND b.month >= e.month - interval '12 months'),
		(SELECT coalesce(sum(b.lost_opening), 0)::bigint FROM expected b WHERE b.days = 90
			AND b.month < e.month AND b.month >= e.month - interval '12 months')
	FROM expected e WHERE e.days = 90 ORDER BY 1 $$,
	'churn_rate of a portfolio, and the 12 months before');
SELECT is_empty($$ SELECT * FROM flow_shop.churn_rate
	WHERE NOT churn_rate BETWEEN churn_low AND churn_high OR NOT change BETWEEN change_low AND change_high
		OR abs(change - (churn_rate / nullif(base_rate, 0) - 1)) > 1e-12
		OR (change IS NULL) <> (change_low IS NULL) OR (change IS NULL) <> (change_high IS NULL) $$, 'rates and changes lie within their intervals');
-- A year of months in which somebody could be lost: 90 days after the first month, and 12 months.
SELECT is_empty($$ SELECT r.month, r.change FROM flow_shop.churn_rate AS r, (SELECT min(month) AS first FROM flow_shop.churn_rate) AS f
	WHERE (r.change IS NOT NULL) <> (r.base_lost > 0 AND r.opening > 0
		AND (r.month - interval '12 months')::date - 90 >= (f.first + interval '1 month')::date - 1) $$, 'no change before a whole window and a whole base year are over');
SELECT cmp_ok((SELECT count(*) FROM flow_shop.churn_rate WHERE base_lost > 0 AND opening > 0 AND change IS NULL), '>', 3::bigint, 'though some have been lost before');
SELECT cmp_ok((SELECT count(*) FROM flow_shop.churn_rate WHERE change IS NOT NULL), '>', 3::bigint, 'and there are changes after it');
SELECT results_eq(
	$$ SELECT base_months, base_opening, base_lost, months, opening, lost,
		round(change::numeric, 12), round(change_low::numeric, 12), round(change_high::numeric, 12)
	FROM flow_shop.churn_change('2021-01-01', '2021-06-30', '2022-01-01', '2022-08-31') $$,
	$$ SELECT b.n, b.opening, b.lost, a.n, a.opening, a.lost,
		round((r.ratio - 1)::numeric, 12), round((r.low - 1)::numeric, 12), round((r.high - 1)::numeric, 12)
	FROM (SELECT count(*) AS n, sum(opening)::bigint AS opening, sum(lost_opening)::bigint AS lost FROM expected
			WHERE days = 90 AND month BETWEEN '2021-01-01' AND '2021-06-30') AS b,
		(SELECT count(*) AS n, sum(opening)::bigint AS opening, sum(lost_opening)::bigint AS lost FROM expected
			WHERE days = 90 AND month BETWEEN '2022-01-01' AND '2022-07-31') AS a,
		segment.ratio_interval(a.lost, a.opening, b.lost, b.opening) AS r $$,
	'churn_change of two periods; the incomplete month does not count');
SELECT is(change, NULL, 'no change against a time without customers')
FROM flow_shop.churn_change('1990-01-01', '1990-06-30', '2022-01-01', '2022-08-31');

-- Churn cut by 30 %: 1000 of 10000 lost before, 700 of 10000 after.
SELECT ok(abs(ratio - 0.7) < 1e-12 AND high < 0.78 AND low > 0.63, 'churn cut by 30 per cent')
FROM segment.ratio_interval(700, 10000, 1000, 10000);

-- what others do, and the future, leave a month alone
CREATE TEMP TABLE kept AS SELECT * FROM flow_shop.leaky_bucket;
SELECT segment.refresh('flow_shop') IS NOT NULL \g /dev/null
SELECT is_empty($$ SELECT * FROM kept WHERE complete EXCEPT SELECT * FROM flow_shop.leaky_bucket $$,
	'complete months stay as they are when time goes on');
SELECT ok(count(*) > (SELECT count(*) FROM kept), 'and later months come') FROM flow_shop.leaky_bucket;

-- ---------- edge portfolios ----------

CREATE FUNCTION pg_temp.books(source text, people text DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	PERFORM segment.create_portfolio('flow_edge', source, customers => people, timezone => 'UTC');
	SELECT concat_ws(' | ',
		(SELECT string_agg(concat_ws(' ', opening, new, won_back, lost, closing, sales), ', ' ORDER BY month) FROM flow_edge.leaky_bucket),
		(SELECT string_agg(concat_ws(' ', opening, new, grown, shrunk, lost, other, closing), ', ' ORDER BY month) FROM flow_edge.sales_bridge),
		(SELECT string_agg(concat_ws(' ', age, customers, active, sales), ', ' ORDER BY cohort, age) FROM flow_edge.cohort_retention),
		(SELECT count(*) FROM flow_edge.churn_rate)) INTO result;
	PERFORM segment.drop_portfolio('flow_edge');
	RETURN result;
END $$;
SELECT is(pg_temp.books('SELECT 1 AS customer, NULL::date AS day, 1.0 AS amount WHERE false'), '0', 'nobody');
SELECT is(pg_temp.books('SELECT 1 AS customer, NULL::date AS day, 1.0 AS amount WHERE false', 'SELECT 7'), '0', 'prospects only');
SELECT is(pg_temp.books($$ SELECT 1, date '2024-05-07', 2.50 $$),
	'0 1 0 0 1 2.50 | 0.00 2.50 0.00 0.00 0.00 0.00 2.50 | 0 1 1 2.50 | 1', 'one order');
SELECT is(pg_temp.books($$ SELECT n, date '2024-05-07', 2 FROM generate_series(1, 5) n $$),
	'0 5 0 0 5 10 | 0 10 0 0 0 0 10 | 0 5 5 10 | 1', 'all on one day');
SELECT is(pg_temp.books($$ SELECT 1, day, 2 FROM unnest('{2024-01-31,2024-04-01}'::date[]) day $$),
	'0 1 0 0 1 2, 1 0 0 0 1 0, 1 0 0 0 1 0, 1 0 0 0 1 2 | 0 2 0 0 0 0 2, 2 0 0 0 0 0 2, 2 0 0 0 0 0 2, 2 0 2 0 0 0 4 | 0 1 1 2, 1 1 0 0, 2 1 0 0, 3 1 1 2 | 4',
	'months without events have rows');

-- a customer who brought 44 a month for a year, stayed away and came back after
-- the loss is not lost; one who did not is, with the whole year
SELECT segment.create_portfolio('flow_loss', $$ SELECT c, date '2021-01-15' + m * interval '1 month', 44.10 FROM generate_series(1, 2) AS c, generate_series(0, 11) AS m
	UNION ALL SELECT 2, date '2023-06-01', 1 UNION ALL SELECT 1, date '2022-03-01', -0.10 UNION ALL SELECT 3, date '2023-08-15', 5 $$,
	timezone => 'UTC', settings => '{"margin": 0.25, "leading_scheme": "rfm_segment"}') IS NOT NULL \g /dev/null
SELECT results_eq('SELECT customer_id, last_day, lost_on, orders, sales, worth, scheme, class_before FROM flow_loss.lost_customer',
	$$ VALUES (1, date '2021-12-15', date '2022-12-15', 12::bigint, 529.10, 132.275, 'rfm_segment', NULL::text) $$,
	'what was lost is what the last active year brought, less refunds since');
SELECT results_eq('SELECT month, lost, shrunk_before FROM flow_loss.sales_bridge WHERE lost <> 0',
	$$ VALUES (date '2022-12-01', 529.10 + 529.20, 11 * 2 * 44.10 - 0.10) $$, 'and so in the bridge, of which eleven months had gone before, and the refund goes later');
SELECT is(sum(lost), 1058.30, 'not what a month of the year was worth') FROM flow_loss.sales_bridge;
SELECT segment.take_snapshot('flow_loss', '2021-12-31') IS NOT NULL AND segment.take_snapshot('flow_loss', '2022-12-15') IS NOT NULL \g /dev/null
SELECT results_eq('SELECT class_before, class_day FROM flow_loss.lost_customer',
	$$ SELECT rfm_segment, date '2021-12-31' FROM flow_loss.customer_at('2021-12-31') WHERE customer_id = 1 $$,
	'the class before is that of the last snapshot before the loss');

-- without an order, as_of is today, so there are many months
SELECT segment.create_portfolio('flow_refund', $$ SELECT 1, day, amount FROM (VALUES (date '2024-05-07', -2), ('2024-06-09', -3)) AS v(day, amount) $$,
	timezone => 'UTC') IS NOT NULL \g /dev/null
SELECT is((SELECT concat_ws(' ', min(month), sum(opening + new + won_back + lost + closing), sum(sales), sum(sales_other))
	FROM flow_refund.leaky_bucket), '2024-05-01 0 -5 -5', 'refunds only: nobody is active, the money is there');
SELECT is((SELECT array_agg(closing ORDER BY month) FROM flow_refund.sales_bridge)::text
	LIKE '{-2,-5,-5,-5,-5,-5,-5,-5,-5,-5,-5,-5,-3,0%', true, 'refunds only: running sales for a year');
SELECT is_empty('SELECT * FROM flow_refund.cohort_retention', 'refunds only: no cohorts');

-- ---------- CDNOW ----------

\if :have_data
CREATE TABLE cdnow_order AS
SELECT split_part(l, ',', 1)::integer AS customer, split_part(l, ',', 2)::date AS day, split_part(l, ',', 3)::numeric AS amount
FROM regexp_split_to_table(trim(E'\n' FROM :'cdnow_csv'), E'\r?\n') WITH ORDINALITY AS t(l, n) WHERE n > 1;
SELECT segment.create_portfolio('flow_cdnow', 'SELECT customer, day, amount FROM cdnow_order', timezone => 'UTC',
	settings => '{"lost_after_days": 60}') IS NOT NULL \g /dev/null
SELECT is_empty($$ SELECT * FROM flow_cdnow.leaky_bucket WHERE opening + new + won_back - lost <> closing
	OR sales_opening + sales_new + sales_won_back + sales_other <> sales $$, 'CDNOW: every month balances');
SELECT is_empty($$ SELECT * FROM (SELECT *, lag(closing, 1, 0) OVER (ORDER BY month) AS before FROM flow_cdnow.leaky_bucket) AS b
	WHERE opening <> before $$, 'CDNOW: closing is the next opening');
SELECT is_empty($$ SELECT * FROM (SELECT *, lag(closing, 1, 0) OVER (ORDER BY month) AS before FROM flow_cdnow.sales_bridge) AS b
	WHERE opening <> before OR opening + new + won_back + grown - shrunk - lost + shrunk_before + other <> closing $$,
	'CDNOW: running sales balance');
SELECT results_eq('SELECT month, closing FROM flow_cdnow.leaky_bucket',
	$$ SELECT m.month::date, (SELECT count(DISTINCT customer) FROM cdnow_order AS o
		WHERE o.day <= e.day AND o.day > e.day - 60)
	FROM generate_series(timestamp '1997-01-01', '1998-06-01', '1 month') AS m(month),
		LATERAL (SELECT least((m.month + interval '1 month')::date - 1, (SELECT max(day) FROM cdnow_order)) AS day) AS e $$,
	'CDNOW: closing counts who bought in the last 60 days');
SELECT results_eq('SELECT month, sales FROM flow_cdnow.leaky_bucket',
	$$ SELECT date_trunc('month', day::timestamp)::date, sum(amount) FROM cdnow_order GROUP BY 1 ORDER BY 1 $$,
	'CDNOW: sales of each month');
SELECT results_eq('SELECT cohort, sum(sales), max(customers) FROM flow_cdnow.cohort_retention GROUP BY cohort ORDER BY cohort',
	$$ SELECT cohort, sum(amount), count(DISTINCT customer) FROM (
		SELECT *, date_trunc('month', min(day) OVER (PARTITION BY customer)::timestamp)::date AS cohort FROM cdnow_order) AS o
	GROUP BY 1 ORDER BY 1 $$, 'CDNOW: sales and size of each cohort');
\else
SELECT skip('cdnow_orders.csv is not there', 6);
\endif

SELECT * FROM finish();
ROLLBACK;
