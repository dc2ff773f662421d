--
-- Migration month by month: the same as migration from each day to the next,
-- for schemes of all kinds; each history is read once for all days
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
SELECT plan(71);

-- ---------- a portfolio with everything ----------

-- orders and refunds, some customers with refunds alone, many late ones
SELECT setseed(0.35);
CREATE TABLE mm_order AS
SELECT customer, '2022-01-10'::date + arrival + (span * random())::integer AS day,
	CASE WHEN random() < 0.1 OR customer % 40 = 0 THEN -1 ELSE 1 END
		* round((random() * 100)::numeric, (random() * 2)::integer) AS amount
FROM (
	SELECT customer, (random() * 700)::integer AS arrival, (random() * 300)::integer AS span,
		1 + (random() * random() * 16)::integer AS events
	FROM generate_series(1, 300) AS customer
	OFFSET 0
) AS c, generate_series(1, events);
CREATE TABLE mm_cost AS
SELECT n AS customer, '2022-02-01'::date + 2 * n AS day, round((random() * 60)::numeric, 2) AS amount
FROM generate_series(150, 340) AS n, generate_series(1, 2);
CREATE TABLE mm_complaint AS
SELECT n AS customer, '2022-03-01'::date + n AS day FROM generate_series(1, 400, 7) AS n;
CREATE TABLE mm_score AS
SELECT n AS customer, '2022-01-20'::date + 2 * n AS day, round((random() * 5)::numeric, 1) AS score
FROM generate_series(1, 420, 11) AS n;
CREATE TABLE mm_person AS SELECT n AS customer FROM generate_series(290, 330) AS n;
SELECT segment.create_portfolio('mm', 'SELECT customer, day, amount, amount * 0.3 FROM mm_order',
	customers => 'SELECT customer FROM mm_person', costs => 'SELECT customer, day, amount FROM mm_cost',
	complaints => 'SELECT customer, day FROM mm_complaint',
	satisfaction => 'SELECT customer, day, score FROM mm_score', timezone => 'UTC') IS NOT NULL \g /dev/null
-- several scorecards, in no order
SELECT segment.refresh('mm', '2023-02-15') IS NOT NULL, segment.refresh('mm', '2022-08-31') IS NOT NULL,
	segment.refresh('mm', '2023-06-30') IS NOT NULL, segment.refresh('mm') IS NOT NULL \g /dev/null
SELECT segment.create_scheme('mm', 'everything', '[
	{"class": "regular", "rule": "gap_cv < 0.8 AND mean_gap_days < 60 AND tenure_days > 30"},
	{"class": "costly", "rule": "cost > 40 AND net_value < cost"},
	{"class": "refunder", "rule": "refunded > gross / 5 AND first_day < last_day"},
	{"class": "promising", "rule": "clv > 10 AND p_alive > 0.5 AND expected_spend > 12"},
	{"class": "odd", "rule": "rfm_cell LIKE ''%3%'' OR extract(month FROM last_day) = 5"},
	{"class": "young", "rule": "days_since_last < dormancy_default_gap_days / 4 AND average_order > 20 AND as_of > ''2022-07-01''"},
	{"class": "rest"}]') IS NOT NULL \g /dev/null
SELECT is(count(DISTINCT as_of)::integer, 4, 'the scorecards are of several days') FROM mm.scorecard;

-- ---------- the figures of many days ----------

CREATE TEMP TABLE figures AS
SELECT h.customer_id, (d.days[m.day_number]).day AS day, m.*
FROM mm.customer_history AS h,
	segment_internal.scored_days('mm.scorecard', '2022-01-01', '2024-01-31') AS d(days),
	segment_internal.customer_days(h.purchases, h.margins, h.costs, h.complaints, h.satisfaction, h.listed, d.days) AS m;
CREATE TEMP TABLE one_by_one AS
SELECT d.day, c.* FROM (SELECT DISTINCT day FROM figures) AS d, LATERAL (SELECT * FROM mm.customer_at(d.day)) AS c;
SELECT is(count(DISTINCT day)::integer, 26, 'the first day, month ends, and the last day') FROM figures;
SELECT set_eq('SELECT day, customer_id FROM figures', 'SELECT day, customer_id FROM one_by_one',
	'known on the same days as in customer_at');
SELECT ok(count(*) FILTER (WHERE orders = 0 AND monetary IS NULL) > 50 AND count(*) FILTER (WHERE orders = 0) > 50
	AND count(*) FILTER (WHERE gap_cv > 0) > 200 AND count(*) FILTER (WHERE cost = 0) > 50,
	'there are customers of every kind') FROM figures;
SELECT is_empty($$
	SELECT * FROM figures AS f JOIN one_by_one AS c USING (day, customer_id)
	WHERE ROW(coalesce(f.orders, 0), coalesce(f.purchase_days, 0), f.first_day, f.last_day, f.days_since_last, f.tenure_days,
			f.mean_gap_days, f.gap_cv, f.gap_ratio, f.r_score, f.f_score, f.m_score)
		IS DISTINCT FROM ROW(c.orders, c.purchase_days, c.first_day, c.last_day, c.days_since_last, c.tenure_days,
			c.mean_gap_days, c.gap_cv, c.gap_ratio, c.r_score, c.f_score, c.m_score) $$,
	'counts, days, rhythm and scores as in customer_at, to the last bit');
SELECT is_empty($$
	SELECT * FROM figures AS f JOIN one_by_one AS c USING (day, customer_id)
	WHERE ROW(f.gross, f.refunded, f.net, f.margin, f.cost, f.net_value, f.average_order)::text
		<> ROW(c.gross, c.refunded, c.net, c.margin, c.cost, c.net_value, c.average_order)::text $$,
	'amounts too, with their decimals');
SELECT is_empty($$
	SELECT * FROM figures AS f JOIN one_by_one AS c USING (day, customer_id)
	WHERE ROW(f.p_alive, f.expected_purchases, f.purchase_probability, f.expected_spend, f.contribution_rate, f.clv, f.clv_before_cost, f.churn_risk)
		IS DISTINCT FROM ROW(c.p_alive, c.expected_purchases, c.purchase_probability, c.expected_spend, c.contribution_rate, c.clv, c.clv_before_cost, c.churn_risk) $$,
	'and predictions');
SELECT is_empty($$
	SELECT f.customer_id, f.day FROM figures AS f
	JOIN mm.customer_history AS h USING (customer_id)
	CROSS JOIN LATERAL segment.measures(h.purchases, f.day) AS m
	WHERE f.orders > 0 AND f.repeat_spend IS DISTINCT FROM m.mean_repeat_spend $$,
	'what a repeat purchase day brings is gross');
SELECT is_empty($$
	SELECT customer_id FROM figures GROUP BY customer_id
	HAVING min(days_known) <> max(days_known) OR max(days_known) <> count(*) OR max(day_number) - min(day_number) + 1 <> count(*) OR max(day_number) <> 26 $$,
	'days are consecutive, up to the last, and counted');

-- days and arguments
SET LOCAL statement_timeout = '5s';
SELECT throws_ok(format('SELECT segment_internal.scored_days(''mm.scorecard'', %s)', v), state, message, 'judged days: ' || v)
FROM (VALUES
	($$'-infinity', '0001-01-01'$$, '22023', 'both days must be finite: from -infinity to 0001-01-01'),
	($$'2022-01-01', 'infinity'$$, '22023', 'both days must be finite: from 2022-01-01 to infinity'),
	($$'2022-01-01', NULL$$, '22023', 'both days must be finite: from 2022-01-01 to null'),
	($$'2022-01-02', '2022-01-01'$$, '22023', 'from_day must not be after to_day: from 2022-01-02 to 2022-01-01'),
	($$'0001-01-01', '9999-12-01'$$, '54000', 'period is too long: from 0001-01-01 to 9999-12-01'),
	($$'4714-11-24 BC', '5874897-12-31'$$, '54000', NULL),
	($$'1922-01-31', '2022-01-31'$$, '54000', NULL)) AS e(v, state, message);
SELECT throws_ok($$ SELECT * FROM mm.monthly_migration('0001-01-01', '9999-12-01', 'abcd') $$,
	'54000', 'period is too long: from 0001-01-01 to 9999-12-01', 'a migration of ten thousand years');
SET LOCAL statement_timeout = 0;
SELECT is(cardinality(segment_internal.scored_days('mm.scorecard', '1922-01-31', '2022-01-30')), 1201, 'a hundred years are possible');
SELECT is((SELECT string_agg(day::text, ' ') FROM unnest(segment_internal.scored_days('mm.scorecard', '2022-01-31', '2022-03-31'))),
	'2022-01-31 2022-02-28 2022-03-31', 'month ends');
SELECT is((SELECT string_agg(day::text, ' ') FROM unnest(segment_internal.scored_days('mm.scorecard', '2024-02-10', '2024-02-10'))),
	'2024-02-10', 'one day');
SELECT is_empty($$
	SELECT j.day FROM unnest(segment_internal.scored_days('mm.scorecard', '2021-11-15', '2024-01-31')) AS j
	WHERE j.scorecard_id IS DISTINCT FROM (SELECT s.scorecard_id FROM mm.scorecard AS s
		ORDER BY s.as_of > j.day, CASE WHEN s.as_of <= j.day THEN -(s.as_of - date '2000-01-01') ELSE s.as_of - date '2000-01-01' END,
			s.scorecard_id DESC LIMIT 1) $$,
	'the newest scorecard that is not later judges a day, or the oldest');
SELECT is_empty($$ SELECT * FROM segment_internal.customer_days(NULL, NULL, NULL, NULL, NULL, true, NULL) $$, 'no days, no rows');
SELECT is_empty($$ SELECT * FROM segment_internal.customer_days(NULL, NULL, NULL, NULL, NULL, true, '{}') $$, 'nor with an empty array');
SELECT is_empty($$ SELECT * FROM segment_internal.customer_days(NULL, NULL, NULL, NULL, NULL, NULL,
	ARRAY[ROW('2022-01-01', 1, NULL)::segment_internal.scored_day]) $$, 'nor for somebody nobody knows');
SELECT is((SELECT ROW(day_number, days_known, r_score, orders, net)::text FROM segment_internal.customer_days(NULL, NULL, NULL, NULL, NULL, true,
	ARRAY[ROW('2022-01-01', 1, NULL)::segment_internal.scored_day])), '(1,1,,0,0)', 'a prospect');
PREPARE unordered AS SELECT * FROM segment_internal.customer_days(NULL, NULL, NULL, NULL, NULL, true,
	ARRAY[ROW('2022-02-01', 1, NULL), ROW('2022-02-01', 1, NULL)]::segment_internal.scored_day[]);
SELECT throws_ok('unordered', '22023', 'argument "days" must be in ascending order', 'days ascend');
SELECT throws_ok($$ SELECT * FROM segment_internal.customer_days(NULL, NULL, NULL, NULL, NULL, true, ARRAY[NULL]::segment_internal.scored_day[]) $$,
	'22004', NULL, 'no NULL among the days');
SELECT throws_ok($$ SELECT * FROM segment_internal.customer_days(NULL, NULL, NULL, NULL, NULL, true,
	ARRAY[ROW(NULL, 1, NULL)::segment_internal.scored_day]) $$, '22004', NULL, 'nor a day that is NULL');
SELECT throws_ok($$ SELECT * FROM segment_internal.customer_days(NULL, NULL, NULL, NULL, NULL, true,
	ARRAY[ROW('infinity', 1, NULL)::segment_internal.scored_day]) $$, '22008', NULL, 'nor an infinite one');
-- a call whose days differ from row to row
SELECT is_empty($$
	SELECT m.* FROM (SELECT n, date '2022-01-01' + n AS day FROM generate_series(1, 50) AS n) AS d,
		segment_internal.customer_days(NULL, NULL, NULL, NULL, NULL, true,
			ARRAY[ROW(d.day, 1, NULL), ROW(d.day + 1, 1, NULL)]::segment_internal.scored_day[]) AS m
	WHERE m.days_known <> 2 $$, 'the days may be others in each row');

-- ---------- the migration ----------

CREATE TEMP TABLE monthly AS
SELECT s.scheme, m.* FROM mm.scheme AS s, mm.monthly_migration('2021-12-15', '2024-01-20', s.scheme) AS m;
SELECT is(count(DISTINCT scheme), (SELECT count(*) FROM mm.scheme), 'all schemes') FROM monthly;
SELECT is(count(DISTINCT to_class)::integer, 7, 'everybody is somewhere in the scheme of one''s own')
FROM monthly WHERE scheme = 'everything';
SELECT ok(count(DISTINCT scheme || from_class || to_class) > 150, 'many pairs of classes') FROM monthly;
SELECT set_eq('SELECT scheme, day_before, day, from_class, to_class, customers, net_from, net_to, net_change FROM monthly',
	$$ SELECT d.scheme, d.day_before, d.day, m.from_class, m.to_class, m.customers, m.net_from, m.net_to, m.net_change
	FROM (SELECT s.scheme, lag(j.day) OVER (PARTITION BY s.scheme ORDER BY j.day) AS day_before, j.day
		FROM mm.scheme AS s, unnest(segment_internal.scored_days('mm.scorecard', '2021-12-15', '2024-01-20')) AS j) AS d,
		mm.migration(d.day_before, d.day, d.scheme) AS m WHERE d.day_before IS NOT NULL $$,
	'the migration of each month, for all schemes, judged by the scorecards of the days');
SELECT is(count(*), (SELECT count(*) FROM (SELECT DISTINCT scheme, day, from_class, to_class FROM monthly) AS d), 'a pair is once there') FROM monthly;
SELECT is_empty($$
	SELECT scheme, day FROM monthly GROUP BY scheme, day
	HAVING ROW(sum(customers), sum(net_to)) <> (SELECT count(*)::numeric, coalesce(sum(net), 0) FROM mm.customer_at(day)) $$,
	'heads and money add up to those of the day');
SELECT is_empty($$
	SELECT scheme, day_before FROM monthly GROUP BY scheme, day_before
	HAVING coalesce(sum(customers) FILTER (WHERE from_class IS NOT NULL), 0) <> (SELECT count(*) FROM mm.customer_at(day_before))
		OR sum(net_from) <> (SELECT coalesce(sum(net), 0) FROM mm.customer_at(day_before)) $$,
	'and to those of the day before');
SELECT is_empty($$
	SELECT scheme, day FROM monthly GROUP BY scheme, day, day_before
	HAVING sum(net_change) <> (SELECT coalesce(sum(amount), 0) FROM mm_order WHERE mm_order.day > day_before AND mm_order.day <= monthly.day) $$,
	'the change is the sales of the month');
SELECT is_empty($$ SELECT * FROM mm.monthly_migration('2022-05-31', '2022-05-31', 'abcd') $$, 'one day: nobody moves');
SELECT is_empty($$ SELECT * FROM mm.monthly_migration('2020-01-31', '2021-05-31', 'abcd') WHERE to_class <> 'prospects' $$,
	'before any order there are the listed customers only');
-- the scheme need not be known when the query is planned
SET LOCAL plan_cache_mode = force_generic_plan;
PREPARE any_scheme(date, date, text) AS SELECT * FROM mm.monthly_migration($1, $2, $3);
SELECT set_eq($$ EXECUTE any_scheme('2021-12-15', '2024-01-20', 'rfm125') $$,
	$$ SELECT day_before, day, from_class, to_class, customers, net_from, net_to, net_change FROM monthly WHERE scheme = 'rfm125' $$,
	'the same with a plan for any scheme');
SELECT throws_ok($$ EXECUTE any_scheme('2021-12-15', '2024-01-20', 'nonsense') $$, '22023', 'scheme "nonsense" is not known', 'errors as well');
SELECT throws_ok($$ EXECUTE any_scheme('2021-12-15', 'infinity', 'abcd') $$, '22023', NULL, 'an infinite day');
RESET plan_cache_mode;
SELECT throws_ok($$ SELECT * FROM mm.monthly_migration('2022-05-31', '2022-05-30', 'abcd') $$, '22023', NULL, 'days in the wrong order');
SELECT throws_ok($$ SELECT * FROM mm.monthly_migration('2022-05-31', NULL, 'abcd') $$, '22023', NULL, 'a day that is NULL');
-- with workers, as far as the server grants them
SET LOCAL max_parallel_workers_per_gather = 2;
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
CREATE FUNCTION pg_temp.plan_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	line text;
	result text := '';
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
		result := result || line || E'\n';
	END LOOP;
	RETURN result;
END $$;
ALTER TABLE mm.customer_history SET (parallel_workers = 2);
SELECT matches(pg_temp.plan_of($$ SELECT * FROM mm.monthly_migration('2021-12-15', '2024-01-20', 'everything') $$),
	'Gather.*Partial Aggregate.*customer_days', 'the work is shared among workers');
SELECT set_eq($$ SELECT * FROM mm.monthly_migration('2021-12-15', '2024-01-20', 'everything') $$,
	$$ SELECT day_before, day, from_class, to_class, customers, net_from, net_to, net_change FROM monthly WHERE scheme = 'everything' $$,
	'with the same result');
-- without the leader, who would have everything done before they are there
SET LOCAL parallel_leader_participation = off;
SELECT set_eq($$ SELECT * FROM mm.monthly_migration('2021-12-15', '2024-01-20', 'everything') $$,
	$$ SELECT day_before, day, from_class, to_class, customers, net_from, net_to, net_change FROM monthly WHERE scheme = 'everything' $$,
	'by two workers, try ' || try)
FROM generate_series(1, 3) AS try;
RESET parallel_leader_participation;
RESET max_parallel_workers_per_gather;

-- stay rules look at the last snapshot before each day
SELECT segment.create_scheme('mm', 'sticky', '[
	{"class": "often", "rule": "orders >= 4 AND days_since_last < 60", "stay_rule": "days_since_last < 120"},
	{"class": "big", "rule": "net > 100 AND days_since_last < 30", "stay_rule": "net > 20"},
	{"class": "rest"}]') \g /dev/null
CREATE TEMP TABLE not_sticky AS SELECT * FROM mm.monthly_migration('2021-12-15', '2024-01-20', 'sticky');
SELECT segment.take_snapshot('mm', '2022-06-15'), segment.take_snapshot('mm', '2022-10-15'), segment.take_snapshot('mm', '2023-03-31') \g /dev/null
CREATE TEMP TABLE sticky AS SELECT * FROM mm.monthly_migration('2021-12-15', '2024-01-20', 'sticky');
SELECT set_eq('SELECT day_before, day, from_class, to_class, customers, net_from, net_to, net_change FROM sticky',
	$$ SELECT d.day_before, d.day, m.from_class, m.to_class, m.customers, m.net_from, m.net_to, m.net_change
	FROM (SELECT lag(j.day) OVER (ORDER BY j.day) AS day_before, j.day
		FROM unnest(segment_internal.scored_days('mm.scorecard', '2021-12-15', '2024-01-20')) AS j) AS d,
		mm.migration(d.day_before, d.day, 'sticky') AS m WHERE d.day_before IS NOT NULL $$,
	'the same with stay rules');
SELECT isnt_empty('TABLE sticky EXCEPT TABLE not_sticky', 'and they matter');
-- A snapshot, and scorecards of the same day that come after it: the last of
-- them judges the day, and what the snapshot of a day holds decides about later
-- days only.
SELECT segment.create_scheme('mm', 'placed', '[
	{"class": "top", "rule": "m_score = 5", "stay_rule": "net > 0"},
	{"class": "rest"}]') \g /dev/null
SELECT segment.take_snapshot('mm', '2022-10-15'), segment.take_snapshot('mm', '2023-03-31') \g /dev/null
INSERT INTO mm_order SELECT 1000 + n, '2022-07-20', 100000 + n FROM generate_series(1, 150) AS n;
SELECT segment.refresh('mm', '2023-03-31'), segment.refresh('mm', '2022-08-31') \g /dev/null
DELETE FROM mm_order WHERE customer > 1050;
SELECT segment.refresh('mm', '2023-03-31'), segment.refresh('mm', '2022-08-31') \g /dev/null
SELECT is(count(DISTINCT monetary_cuts)::integer, 3, 'cut points of one day, before and after')
FROM mm.scorecard WHERE as_of = '2022-08-31';
-- the scorecard of each day by hand
CREATE TEMP TABLE judge AS
SELECT d.day, n.scorecard_id, n.monetary_cuts
FROM (VALUES ('2022-07-31'::date, '2022-08-31'::date), ('2022-08-31', '2022-08-31'), ('2023-03-31', '2023-03-31')) AS d(day, as_of),
	LATERAL (SELECT * FROM mm.scorecard AS s WHERE s.as_of = d.as_of ORDER BY s.scorecard_id DESC LIMIT 1) AS n;
SELECT is_empty($$ SELECT * FROM judge AS j, LATERAL (SELECT * FROM mm.customer_at(j.day)) AS c
	WHERE c.orders > 0 AND c.m_score IS DISTINCT FROM segment.score(c.net::float8, j.monetary_cuts) $$,
	'of two scorecards of one day the later judges in customer_at, the earlier days too');
SELECT results_eq($$ SELECT j.day, (d).scorecard_id, ((d).terms).monetary_cuts FROM judge AS j, unnest(segment_internal.scored_days('mm.scorecard', j.day, j.day)) AS d ORDER BY 1 $$,
	'SELECT day, scorecard_id, monetary_cuts FROM judge ORDER BY 1', 'and in scored_days');
CREATE TEMP TABLE placed AS
SELECT d.day, c.customer_id, c.placed, c.net
FROM unnest('{2022-01-31,2022-02-28,2022-03-31,2022-07-31,2022-08-31,2023-02-28,2023-03-31,2023-04-30}'::date[]) AS d(day),
	LATERAL (SELECT * FROM mm.customer_at(d.day)) AS c;
SELECT isnt_empty($$ SELECT * FROM placed AS p JOIN mm.snapshot_class AS s USING (customer_id)
	WHERE p.day = '2023-03-31' AND s.as_of = p.day AND s.scheme = 'placed' AND s.class = 'top' AND p.placed = 'rest' AND p.net > 0 $$,
	'some are judged otherwise than by the snapshot of the day');
SELECT set_eq(format($$ SELECT day_before, day, from_class, to_class, customers, net_from, net_to
		FROM mm.monthly_migration(%1$L, %2$L, 'placed') $$, from_day, to_day),
	format($$ SELECT b.day AS day_before, a.day, f.placed AS from_class, t.placed AS to_class, count(*), coalesce(sum(f.net), 0), sum(t.net)
	FROM (SELECT DISTINCT day FROM placed) AS a
	JOIN (SELECT DISTINCT day FROM placed) AS b ON b.day = (SELECT max(day) FROM placed WHERE day < a.day)
	JOIN placed AS t ON t.day = a.day
	LEFT JOIN placed AS f ON f.day = b.day AND f.customer_id = t.customer_id
	WHERE a.day > %1$L AND a.day <= %2$L GROUP BY 1, 2, 3, 4 $$, from_day, to_day),
	'each day is judged as customer_at does, from ' || from_day)
FROM (VALUES ('2022-01-31', '2022-03-31'), ('2022-07-31', '2022-08-31'), ('2023-02-28', '2023-04-30')) AS p(from_day, to_day);

-- ---------- the aggregate ----------

CREATE TABLE mm_row AS
SELECT h.ctid AS customer, f.day_number, f.days_known AS days, 'class ' || coalesce(f.r_score, 0) AS class, f.net
FROM figures AS f JOIN mm.customer_history AS h USING (customer_id) ORDER BY random();
ANALYZE mm_row;
CREATE TEMP TABLE counted AS
SELECT p.day_number, p.from_class, p.to_class, count(*) AS customers, coalesce(sum(p.net_from), 0) AS net_from, coalesce(sum(p.net), 0) AS net_to
FROM (
	SELECT day_number, net, class AS to_class, lag(class) OVER before AS from_class, lag(net) OVER before AS net_from
	FROM mm_row WINDOW before AS (PARTITION BY customer ORDER BY day_number)
) AS p
WHERE day_number > 1 GROUP BY 1, 2, 3;
SELECT set_eq($$ SELECT m.* FROM (SELECT segment.migration_agg(customer, day_number, days, class, net) AS a FROM mm_row) AS k, unnest(k.a) AS m $$,
	'TABLE counted', 'rows in any order give the pairs of the window function');
-- customers torn apart between workers
ALTER TABLE mm_row SET (parallel_workers = 2);
SET LOCAL max_parallel_workers_per_gather = 2;
SET LOCAL min_parallel_table_scan_size = 0;
SELECT matches(pg_temp.plan_of('SELECT segment.migration_agg(customer, day_number, days, class, net) FROM mm_row'), 'Partial Aggregate',
	'a parallel plan');
SELECT set_eq($$ SELECT m.* FROM (SELECT segment.migration_agg(customer, day_number, days, class, net) AS a FROM mm_row) AS k, unnest(k.a) AS m $$,
	'TABLE counted', 'as do parts of customers in several workers');
RESET max_parallel_workers_per_gather;
-- States that must be combined, since each is of one partition: some customers
-- are torn apart between them, others whole in one; each meets the classes in
-- another order.
CREATE TABLE mm_part (LIKE mm_row, part integer) PARTITION BY LIST (part);
CREATE TABLE mm_part_0 PARTITION OF mm_part FOR VALUES IN (0) WITH (parallel_workers = 2);
CREATE TABLE mm_part_1 PARTITION OF mm_part FOR VALUES IN (1) WITH (parallel_workers = 2);
CREATE TABLE mm_part_2 PARTITION OF mm_part FOR VALUES IN (2) WITH (parallel_workers = 2);
INSERT INTO mm_part
SELECT r.customer, r.day_number, r.days, r.class, r.net, p.part
FROM mm_row AS r, LATERAL (SELECT CASE (r.customer::text::point)[1]::integer % 2
	WHEN 0 THEN r.day_number ELSE (r.customer::text::point)[1]::integer / 2 END % 3 AS part) AS p
ORDER BY p.part, CASE p.part WHEN 0 THEN r.class END, CASE p.part WHEN 1 THEN r.class END DESC, r.customer, r.day_number;
ANALYZE mm_part;
SELECT is(count(*)::integer, 3, 'classes are met in different orders')
FROM (SELECT DISTINCT ON (part) part, class FROM (SELECT part, class, tableoid, ctid FROM mm_part) AS p ORDER BY part, ctid) AS f
WHERE class = (ARRAY['class 0', 'class 5', class])[part + 1];
SET LOCAL enable_partitionwise_aggregate = on;
SET LOCAL parallel_tuple_cost = 1; -- rather results than rows
SELECT matches(pg_temp.plan_of('SELECT segment.migration_agg(customer, day_number, days, class, net) FROM mm_part'),
	'Finalize Aggregate.*Gather.*Append.*Partial Aggregate.*Partial Aggregate.*Partial Aggregate', 'partitions are counted one by one');
SELECT set_eq($$ SELECT m.* FROM (SELECT segment.migration_agg(customer, day_number, days, class, net) AS a FROM mm_part) AS k, unnest(k.a) AS m $$,
	'TABLE counted', 'the states of partitions combine, between processes');
SET LOCAL max_parallel_workers_per_gather = 0;
SELECT matches(pg_temp.plan_of('SELECT segment.migration_agg(customer, day_number, days, class, net) FROM mm_part GROUP BY days * 0'),
	'^Finalize (?!.*Gather).*Append.*Partial .*Partial .*Partial ', 'so they are within one process');
SELECT set_eq($$ SELECT m.* FROM (SELECT segment.migration_agg(customer, day_number, days, class, net) AS a FROM mm_part GROUP BY days * 0) AS k, unnest(k.a) AS m $$,
	'TABLE counted', 'with the same result');
RESET enable_partitionwise_aggregate;
RESET max_parallel_workers_per_gather;
SELECT is((SELECT segment.migration_agg(customer, day_number, days, class, net) FROM mm_row WHERE false), NULL, 'no rows: NULL');
SELECT throws_ok('SELECT segment.migration_agg(customer, day_number, days, class, net) FROM mm_row WHERE day_number < 26',
	'22023', 'rows of a customer are missing', 'all rows of a customer must come');
SELECT throws_ok('SELECT segment.migration_agg(customer, day_number, days, class, net) FROM (TABLE mm_row UNION ALL (SELECT * FROM mm_row WHERE days > 3 LIMIT 1)) AS r',
	'22023', NULL, 'and none twice');
SELECT is((SELECT array_agg(ROW(m.*)::text ORDER BY m) FROM unnest((
	SELECT segment.migration_agg('(1,1)', p, 3, c, n) FROM (VALUES (1, NULL, 1.5), (2, '', NULL), (3, NULL, -2)) AS v(p, c, n))) AS m),
	'{"(2,,\"\",1,1.5,0.0)","(3,\"\",,1,0.0,-2.0)"}', 'a class may be NULL or empty, money NULL');

SELECT * FROM finish();
ROLLBACK;
