--
-- Churn: the tests of chance against exact values, the windows against plain
-- SQL, every signal on a customer made for it, who came back, the best list
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
SELECT plan(106);

CREATE FUNCTION pg_temp.close_to(have float8, want float8, relative float8) RETURNS boolean
LANGUAGE sql RETURN abs(have - want) <= relative * abs(want);

-- ---------- rates: exact references ----------

CREATE TEMP TABLE churn_rate_reference (recent bigint, past bigint, recent_days float8, past_days float8,
	fall float8, rise float8);
CREATE TEMP TABLE churn_prior_reference (recent bigint, past bigint, recent_days float8, past_days float8,
	events float8, days float8, fall float8);
CREATE TEMP TABLE churn_rank_reference (lower float8[], higher float8[], exact float8);
\ir ../reference/churn.sql

SELECT is((SELECT count(*) FROM churn_rate_reference), 93::bigint, 'all rates are there');
SELECT is_empty($$
	SELECT r.*, segment.fall_p_value(recent, past, recent_days, past_days) FROM churn_rate_reference AS r
	WHERE NOT pg_temp.close_to(segment.fall_p_value(recent, past, recent_days, past_days), fall, 1e-12) $$,
	'chance of so few: the exact values');
SELECT is_empty($$
	SELECT r.*, segment.rise_p_value(recent, past, recent_days, past_days) FROM churn_rate_reference AS r
	WHERE NOT pg_temp.close_to(segment.rise_p_value(recent, past, recent_days, past_days), rise, 1e-12) $$,
	'chance of so many: the exact values');
SELECT cmp_ok((SELECT max(fall) FROM churn_rate_reference), '=', 1::float8, 'the largest is certainty');

-- ---------- rates: properties ----------

CREATE TEMP TABLE pair AS
SELECT recent, past, recent_days, past_days,
	segment.fall_p_value(recent, past, recent_days, past_days) AS fall,
	segment.rise_p_value(recent, past, recent_days, past_days) AS rise
FROM generate_series(0, 30, 3) AS recent, generate_series(0, 60, 5) AS past,
	unnest('{1,30,91,364}'::float8[]) AS recent_days, unnest('{1,91,364,3650}'::float8[]) AS past_days;
SELECT is_empty($$ SELECT * FROM pair WHERE NOT (fall > 0 AND fall <= 1 AND rise > 0 AND rise <= 1) $$,
	'chances are above 0 and at most 1');
SELECT is_empty($$ SELECT * FROM pair WHERE recent > 0 AND abs(rise
	+ segment.fall_p_value(recent - 1, past + 1, recent_days, past_days) - 1) > 1e-13 $$,
	'at least so many, or fewer: together certain');
SELECT is_empty($$ SELECT * FROM pair WHERE fall <> segment.rise_p_value(past, recent, past_days, recent_days) $$,
	'few recent events are many past ones');
SELECT is_empty($$ SELECT * FROM pair WHERE fall > segment.fall_p_value(recent + 1, past, recent_days, past_days)
	OR fall < segment.fall_p_value(recent, past + 1, recent_days, past_days) $$,
	'more recent events are a weaker sign, more past ones a stronger');
SELECT is_empty($$ SELECT * FROM pair
	WHERE NOT pg_temp.close_to(segment.fall_p_value(recent, past, recent_days * 7, past_days * 7), fall, 1e-12) $$,
	'the unit of time does not matter');
SELECT ok(pg_temp.close_to(segment.fall_p_value(2, 5, 91, 91), 0.2265625, 1e-13), 'three orders less of five: chance brings it in 23 of 100 cases');
SELECT is(segment.fall_p_value(NULL, 5, 1, 1), NULL, 'NULL in, NULL out');
SELECT throws_ok($$ SELECT segment.fall_p_value(-1, 5, 1, 1) $$, '22023',
	'recent must be a whole number from 0 to 1000000000, not "-1"', 'a negative count');
SELECT throws_ok($$ SELECT segment.rise_p_value(1, 1000000001, 1, 1) $$, '22023',
	'past must be a whole number from 0 to 1000000000, not "1000000001"', 'a count too large');
SELECT throws_ok($$ SELECT segment.fall_p_value(1, 1, 'NaN', 1) $$, '22023',
	'recent_days must be between 1e-12 and 1000000000000, not "NaN"', 'no number of days');
SELECT throws_ok($$ SELECT segment.rise_p_value(1, 1, 1, 0) $$, '22023',
	'past_days must be between 1e-12 and 1000000000000, not "0"', 'no days');

-- ---------- with what is known of others ----------

SELECT is((SELECT count(*) FROM churn_prior_reference), 32::bigint, 'all cases with a prior are there');
SELECT is_empty($$
	SELECT r.*, segment.fall_p_value(recent, past, recent_days, past_days, events, days) FROM churn_prior_reference AS r
	WHERE NOT pg_temp.close_to(segment.fall_p_value(recent, past, recent_days, past_days, events, days), fall, 1e-12) $$,
	'chance of so few with a prior: the exact values');
SELECT is_empty($$ SELECT * FROM pair WHERE fall <> segment.fall_p_value(recent, past, recent_days, past_days, 0, 0)
	OR past > 0 AND NOT pg_temp.close_to(segment.fall_p_value(recent, past, recent_days, past_days, 1e-9, 0), fall, 1e-6) $$,
	'without a prior it is the test of two rates');
SELECT is_empty($$ SELECT * FROM pair WHERE segment.fall_p_value(recent, past, recent_days, past_days, 3, 20)
	<> segment.fall_p_value(recent, past + 3, recent_days, past_days + 20) $$, 'a prior is added to the past');
SELECT throws_ok(format('SELECT segment.fall_p_value(1, 5, 1, 1, %s)', a), '22023', m, 'a prior out of range')
FROM (VALUES ('-1, 1', 'prior_events must be between 0 and 1000000000000, not "-1"'),
	($$1, 'NaN'$$, 'prior_days must be between 0 and 1000000000000, not "NaN"')) AS v(a, m);

-- ---------- ranks: the exact chance, or close to it ----------

SELECT is((SELECT count(*) FROM churn_rank_reference), 86::bigint, 'all cases of ranks are there');
CREATE TEMP TABLE ranks AS
SELECT r.*, segment_internal.rank_sum_p_value(lower, higher) AS p,
	cardinality(lower) * cardinality(higher) <= 100 OR least(cardinality(lower), cardinality(higher)) <= 3 AS is_exact
FROM churn_rank_reference AS r;
SELECT cmp_ok((SELECT count(*) FROM ranks WHERE is_exact), '>=', 70::bigint, 'most are small');
SELECT is_empty($$ SELECT * FROM ranks WHERE is_exact AND NOT pg_temp.close_to(p, exact, 1e-14) $$, 'small samples: the exact chance');
SELECT is_empty($$ SELECT * FROM ranks WHERE NOT is_exact AND abs(p - exact) > 0.004 $$, 'large ones: close to it');
SELECT is_empty($$ SELECT * FROM ranks WHERE p <> segment_internal.rank_sum_p_value(
	ARRAY(SELECT v * 8 FROM unnest(lower) AS v), ARRAY(SELECT v * 8 FROM unnest(higher) AS v)) $$, 'the unit of money does not matter');
SELECT is(segment_internal.rank_sum_p_value('{}', '{1,2}'), 1::float8, 'nothing is not low');
SELECT is(segment_internal.rank_sum_p_value('{1,2,3}', '{4,5,6,7}'), 1 / 35::float8, 'the least there is: one choice of all');
SELECT ok(pg_temp.close_to(segment_internal.rank_sum_least(3, 4), 1 / 35::float8, 1e-13), 'which is known beforehand');
SELECT throws_ok($$ SELECT segment_internal.rank_sum_p_value('{1,NULL}', '{1}') $$, '22004', 'argument "lower" must not contain nulls', 'a value that is not known');
SELECT throws_ok($$ SELECT segment_internal.rank_sum_p_value('{1}', '{NaN}') $$, '22023', 'higher must be a finite number, not "NaN"', 'not a number');

-- ---------- the windows: against plain SQL over the events ----------

CREATE TEMP TABLE event AS
SELECT customer, series, day, amount
FROM generate_series(1, 200) AS customer,
	LATERAL (SELECT n, hashint8extended(customer * 1000 + n, 1) & 1073741823 AS h
		FROM generate_series(1, 1 + customer % 30) AS n) AS r,
	LATERAL (SELECT (ARRAY['purchases', 'purchases', 'complaints', 'satisfaction'])[1 + h % 4] AS series,
		'2024-12-31'::date - (h / 4 % 600)::integer + 40 AS day,
		CASE h % 4 WHEN 2 THEN 1 ELSE (h / 2400 % 10000 - CASE h % 4 WHEN 3 THEN 0 ELSE 900 END) / 100.0 END AS amount) AS e;
CREATE FUNCTION pg_temp.figures(purchases segment.history, complaints segment.history, satisfaction segment.history,
	as_of date, recent_days integer, past_days integer, significance float8 DEFAULT 1) RETURNS segment_internal.customer_figures
LANGUAGE sql RETURN (SELECT f FROM segment_internal.customer_figures(purchases, NULL, NULL, complaints, satisfaction, true, as_of,
	jsonb_populate_record(NULL::segment_internal.scorecard_terms, jsonb_build_object('prior_gaps', 0, 'usual_gap_days', 30, 'dormancy_asleep', 5,
		'churn_recent_days', recent_days, 'churn_past_days', past_days, 'churn_significance', significance))) AS f);
-- with the significance 1 the shortest windows always do
CREATE TEMP TABLE compared AS
SELECT h.*, w.*, pg_temp.figures(h.purchases, h.complaints, h.satisfaction, w.as_of, w.recent_days, w.past_days) AS m
FROM (
	SELECT customer, segment.history_agg(day, amount) FILTER (WHERE series = 'purchases') AS purchases,
		segment.history_agg(day, amount) FILTER (WHERE series = 'complaints') AS complaints,
		segment.history_agg(day, amount) FILTER (WHERE series = 'satisfaction') AS satisfaction
	FROM event GROUP BY customer
) AS h, (VALUES ('2024-12-31'::date, 91, 364), ('2024-12-31', 30, 30), ('2024-06-01', 7, 200), ('2023-06-01', 91, 364),
	('2025-02-09', 36525, 36525)) AS w(as_of, recent_days, past_days);
CREATE TEMP TABLE plain AS
SELECT c.customer, c.as_of, c.recent_days, first_day,
	greatest(0, least(c.recent_days, c.as_of - first_day)) AS own_recent_days,
	greatest(0, least(c.past_days, c.as_of - c.recent_days - first_day)) AS own_past_days,
	count(DISTINCT day) FILTER (WHERE bought AND day > recent_after) AS recent_purchase_days,
	count(DISTINCT day) FILTER (WHERE bought AND day <= recent_after) AS past_purchase_days,
	coalesce(sum(amount) FILTER (WHERE bought AND day > recent_after), 0) AS recent_spend,
	coalesce(sum(amount) FILTER (WHERE bought AND day <= recent_after), 0) AS past_spend,
	count(*) FILTER (WHERE series = 'complaints' AND day > recent_after) AS recent_complaints,
	count(*) FILTER (WHERE series = 'complaints' AND day <= recent_after) AS past_complaints,
	avg(amount) FILTER (WHERE series = 'satisfaction' AND day > recent_after) AS recent_satisfaction,
	avg(amount) FILTER (WHERE series = 'satisfaction' AND day <= recent_after) AS past_satisfaction
FROM compared AS c
LEFT JOIN LATERAL (
	SELECT e.*, c.as_of - c.recent_days AS recent_after,
		series = 'purchases' AND amount >= 0 AND day > first_day AS bought
	FROM (SELECT e.*, min(day) FILTER (WHERE series = 'purchases' AND amount >= 0) OVER () AS first_day
		FROM event AS e WHERE e.customer = c.customer AND e.day <= c.as_of) AS e
	WHERE day > c.as_of - c.recent_days - c.past_days OR day = first_day
) AS e ON true
GROUP BY c.customer, c.as_of, c.recent_days, c.past_days, first_day;
-- The first purchase, kept above only to have the first day, lies before the window or at its begin.
SELECT cmp_ok((SELECT count(*) FROM plain), '=', 1000::bigint, 'plain SQL has a row for everybody');
SELECT is_empty($$
	SELECT p.*, c.m FROM plain AS p JOIN compared AS c USING (customer, as_of, recent_days)
	WHERE first_day IS NOT NULL AND ROW(own_recent_days, own_past_days, p.recent_purchase_days, p.past_purchase_days,
			p.recent_spend, p.past_spend)
		IS DISTINCT FROM ROW((m).recent_days, (m).past_days, (m).recent_purchase_days, (m).past_purchase_days,
			(m).recent_spend, (m).past_spend) $$, 'days, purchase days and spend equal those of plain SQL');
SELECT is_empty($$
	SELECT p.*, c.m FROM plain AS p JOIN compared AS c USING (customer, as_of, recent_days)
	WHERE first_day IS NULL AND num_nonnulls((m).recent_days, (m).past_days, (m).recent_purchase_days, (m).past_purchase_days,
		(m).frequency_p_value, (m).recent_spend, (m).past_spend,
		(m).spend_p_value, (m).complaints_p_value) > 0 $$, 'who never bought: nothing can be said');
SELECT cmp_ok((SELECT count(*) FROM plain WHERE first_day IS NULL), '>', 10::bigint, 'and there are such');
SELECT is_empty($$
	SELECT p.*, c.m FROM plain AS p JOIN compared AS c USING (customer, as_of, recent_days)
	LEFT JOIN LATERAL (
		SELECT count(*) FILTER (WHERE series = 'complaints' AND day > c.as_of - c.recent_days) AS rc,
			count(*) FILTER (WHERE series = 'complaints' AND day <= c.as_of - c.recent_days) AS pc,
			avg(amount) FILTER (WHERE series = 'satisfaction' AND day > c.as_of - c.recent_days)::float8 AS rs,
			avg(amount) FILTER (WHERE series = 'satisfaction' AND day <= c.as_of - c.recent_days)::float8 AS ps
		FROM event AS e WHERE e.customer = p.customer AND e.day <= c.as_of
			AND day > c.as_of - c.recent_days - c.past_days
	) AS e ON true
	WHERE (rc, pc) IS DISTINCT FROM (coalesce((m).recent_complaints, 0), coalesce((m).past_complaints, 0))
		OR (rs IS NULL) <> ((m).recent_satisfaction IS NULL) OR abs(rs - (m).recent_satisfaction) > 1e-12 * abs(rs)
		OR (ps IS NULL) <> ((m).past_satisfaction IS NULL) OR abs(ps - (m).past_satisfaction) > 1e-12 * abs(ps) $$,
	'complaints and mean scores equal those of plain SQL');
SELECT is_empty($$
	SELECT * FROM compared WHERE (m).recent_days > 0 AND (m).past_days > 0 AND (
		(m).frequency_p_value <> segment.fall_p_value((m).recent_purchase_days, (m).past_purchase_days, (m).recent_days, (m).past_days)
		OR (m).recent_complaints > 0 AND (m).complaints_p_value
			<> segment.rise_p_value((m).recent_complaints, (m).past_complaints, (m).recent_days, (m).past_days)) $$,
	'chances follow from these numbers');
SELECT is_empty($$
	SELECT p.*, c.m FROM plain AS p JOIN compared AS c USING (customer, as_of, recent_days)
	CROSS JOIN LATERAL (
		SELECT array_agg(e.spent) FILTER (WHERE day > c.as_of - c.recent_days) AS recent,
			array_agg(e.spent) FILTER (WHERE day <= c.as_of - c.recent_days) AS past
		FROM (SELECT day, sum(amount)::float8 AS spent FROM event WHERE event.customer = p.customer AND series = 'purchases' AND amount >= 0
			AND day > greatest(p.first_day, c.as_of - c.recent_days - c.past_days) AND day <= c.as_of GROUP BY day) AS e
	) AS e
	WHERE segment_internal.rank_sum_p_value(recent, past) IS DISTINCT FROM (m).spend_p_value $$, 'that of the spend, too');
-- the choice of the windows, by the number of purchases in the longest
CREATE TEMP TABLE chosen AS
SELECT w.as_of, k.n, first_day, pg_temp.figures(h.purchases, NULL, NULL, w.as_of, 30, 60, w.significance) AS m, w.significance, h.customer
FROM (SELECT customer, purchases FROM compared GROUP BY customer, purchases) AS h
CROSS JOIN (VALUES ('2024-12-31'::date, 0.05), ('2024-12-31', 0.3), ('2024-08-01', 0.1), ('2023-09-01', 0.05), ('2025-02-09', 0.001)) AS w(as_of, significance)
CROSS JOIN LATERAL (SELECT min(day) AS first_day FROM event AS e WHERE e.customer = h.customer AND series = 'purchases' AND amount >= 0 AND day <= w.as_of) AS f
CROSS JOIN LATERAL (SELECT count(DISTINCT day) AS n FROM event AS e WHERE e.customer = h.customer AND series = 'purchases' AND amount >= 0
	AND day > greatest(first_day, w.as_of - 360) AND day <= w.as_of) AS k
WHERE first_day IS NOT NULL;
SELECT results_eq($$ SELECT customer, as_of, significance, (m).recent_window FROM chosen ORDER BY 1, 2, 3 $$, $$
	SELECT customer, as_of, significance, coalesce(
		min(30 * size) FILTER (WHERE (size = 1 OR tenure >= 60 * size) AND days > 30 * size
			AND least(1, q ^ e * (1 + e * (1 - q) / q)) <= significance),
		max(30 * size) FILTER (WHERE size = 1 OR tenure >= 60 * size))
	FROM chosen CROSS JOIN LATERAL (SELECT as_of - first_day AS tenure) AS t
	CROSS JOIN LATERAL (SELECT size, least(tenure, 90 * size) AS days FROM unnest('{1,2,4}'::integer[]) AS size) AS s
	-- the share of the past, and the purchases to be expected
	CROSS JOIN LATERAL (SELECT (days - 30 * size)::float8 / nullif(days, 0) AS q, n * days / nullif(least(tenure, 360), 0)::float8 AS e) AS x
	GROUP BY 1, 2, 3 ORDER BY 1, 2, 3 $$, 'the shortest window in which one purchase would be a fall, else the longest');
SELECT cmp_ok((SELECT min(n) FROM (SELECT count(*) AS n FROM chosen GROUP BY (m).recent_window) AS g), '>', 30::bigint, 'each window is chosen for some');
SELECT is((SELECT count(DISTINCT (m).recent_window) FROM chosen), 3::bigint, 'all three');
SELECT is_empty($$
	SELECT * FROM compared
	WHERE to_jsonb(m) - 'next_event' IS DISTINCT FROM to_jsonb(pg_temp.figures(segment.as_of(purchases, as_of), segment.as_of(complaints, as_of),
		segment.as_of(satisfaction, as_of), as_of, recent_days, past_days)) - 'next_event' $$, 'what comes after as_of plays no part');
SELECT is((m).recent_days || ' ' || (m).past_days, '0 0', 'first bought on the day itself: no days yet')
FROM (SELECT pg_temp.figures(segment.history_agg('2024-12-31', 5), NULL, NULL, '2024-12-31', 91, 364) AS m) AS q;
SELECT is((m).past_days, 1, 'first bought two days before the recent window: one day in the past one')
FROM (SELECT pg_temp.figures(segment.history_agg('2024-09-30', 5), NULL, NULL, '2024-12-31', 91, 364) AS m) AS q;
SELECT lives_ok($$ SELECT pg_temp.figures(segment.history_agg(d, 5), NULL, NULL, d, 36525, 36525)
	FROM (VALUES ('4714-11-24 BC'::date), ('5874897-12-31')) AS v(d) GROUP BY d $$, 'the ends of the calendar');

-- ---------- a portfolio of customers made for each signal ----------

CREATE TEMP TABLE made (customer_id text, at date, amount numeric);
INSERT INTO made
	SELECT 'steady', d, 20 FROM generate_series('2023-01-02', '2024-12-31', interval '7 days') AS d
	UNION ALL SELECT 'fewer', d, 20 FROM generate_series('2023-01-02', '2024-09-25', interval '7 days') AS d
	UNION ALL SELECT 'fewer', d::date, 20 FROM unnest('{2024-11-01,2024-12-30}'::date[]) AS d
	-- five orders a quarter, in the last one three less
	UNION ALL SELECT 'two of five', '2023-09-20'::date + 18 * n, 30 FROM generate_series(0, 20) AS n
	UNION ALL SELECT 'two of five', d::date, 30 FROM unnest('{2024-12-01,2024-12-28}'::date[]) AS d
	UNION ALL SELECT 'cheaper', d, CASE WHEN d > '2024-10-01' THEN 20 ELSE 100 END
		FROM generate_series('2023-01-02', '2024-12-31', interval '7 days') AS d
	UNION ALL SELECT 'gone', d, 20 FROM generate_series('2023-01-02', '2024-11-20', interval '7 days') AS d
	UNION ALL SELECT 'angry', d, 20 FROM generate_series('2023-01-02', '2024-12-31', interval '7 days') AS d
	UNION ALL SELECT 'sad', d, 20 FROM generate_series('2023-01-02', '2024-12-31', interval '7 days') AS d
	UNION ALL SELECT 'new', d, 20 FROM unnest('{2024-12-01,2024-12-31}'::date[]) AS d
	UNION ALL SELECT 'refunds', '2024-12-01', -5
	UNION ALL SELECT 'growing', d, 20 FROM generate_series('2023-01-02', '2024-09-25', interval '30 days') AS d
	UNION ALL SELECT 'growing', d, 20 FROM generate_series('2024-10-02', '2024-12-31', interval '3 days') AS d;
CREATE TEMP TABLE complaint (customer_id text, at date);
INSERT INTO complaint VALUES ('angry', '2024-11-01'), ('angry', '2024-11-20'), ('steady', '2024-11-01'),
	('new', '2024-12-15'), ('new', '2024-12-16'), ('nobody', '2024-12-01');
CREATE TEMP TABLE score (customer_id text, at date, score numeric);
INSERT INTO score VALUES ('sad', '2024-02-01', 5), ('sad', '2024-05-01', 4.5), ('sad', '2024-12-01', 3),
	('steady', '2024-02-01', 4), ('steady', '2024-12-01', 3.5), ('angry', '2024-12-01', 1),
	('gone', '2024-02-01', -2), ('gone', '2024-11-01', -3);

SELECT segment.create_portfolio('made', 'SELECT customer_id, at, amount FROM made',
	customers => $$ SELECT unnest('{steady,prospect}'::text[]) AS customer_id $$,
	timezone => 'UTC') \g /dev/null
SELECT segment.create_portfolio('heard', 'SELECT customer_id, at, amount FROM made',
	complaints => 'SELECT customer_id, at FROM complaint', satisfaction => 'SELECT customer_id, at, score FROM score',
	timezone => 'UTC') \g /dev/null

SELECT results_eq($$ SELECT customer_id, signals, frequency_falling, spend_falling, overdue, p_alive_low, complaints_rising,
		satisfaction_falling FROM made.churn_signal ORDER BY customer_id $$,
	$$ VALUES ('cheaper', 1, false, true, false, NULL::boolean, NULL::boolean, NULL::boolean),
		('fewer', 1, true, false, false, NULL, NULL, NULL),
		('gone', 1, false, false, true, NULL, NULL, NULL) $$,
	'from purchases alone: who buys less often, who spends less, who is overdue, and nobody else');
SELECT results_eq($$ SELECT customer_id, signals, frequency_falling, spend_falling, overdue, p_alive_low, complaints_rising,
		satisfaction_falling FROM heard.churn_signal ORDER BY customer_id $$,
	$$ VALUES ('angry', 1, false, false, false, NULL::boolean, true, NULL::boolean),
		('cheaper', 1, false, true, false, NULL, false, NULL),
		('fewer', 1, true, false, false, NULL, false, NULL),
		('gone', 1, false, false, true, NULL, false, NULL),
		('sad', 1, false, false, false, NULL, false, true) $$,
	'with complaints and scores: also who complains and who is less content');
SELECT results_eq($$ SELECT recent_days, past_days, recent_complaints, past_complaints, round(complaints_p_value::numeric, 12),
		recent_satisfaction, past_satisfaction FROM heard.churn_signal WHERE customer_id = 'angry' $$,
	$$ VALUES (91, 364, 2::bigint, 0::bigint, 0.04, 1::float8, NULL::float8) $$,
	'two complaints after a year without: one chance in 25, being (91 / 455) squared');
SELECT results_eq($$ SELECT recent_satisfaction, past_satisfaction, satisfaction_ratio = 3 / 4.75::float8
	FROM heard.churn_signal WHERE customer_id = 'sad' $$, $$ VALUES (3::float8, 4.75::float8, true) $$, 'mean scores');
SELECT is(satisfaction_falling, NULL, 'no ratio to a past mean that is not positive')
FROM heard.churn_signal WHERE customer_id = 'gone';
SELECT is(num_nonnulls(recent_complaints, past_complaints, complaints_p_value, recent_satisfaction, satisfaction_ratio), 0,
	'without the sources their numbers are NULL') FROM made.churn_signal WHERE customer_id = 'gone';
SELECT results_eq($$ SELECT recent_purchase_days, past_purchase_days, recent_spend, past_spend
	FROM made.churn_signal WHERE customer_id = 'fewer' $$,
	$$ SELECT count(*) FILTER (WHERE at > '2024-10-01'), count(*) FILTER (WHERE at BETWEEN '2023-10-04' AND '2024-10-01'),
		sum(amount) FILTER (WHERE at > '2024-10-01'), sum(amount) FILTER (WHERE at BETWEEN '2023-10-04' AND '2024-10-01')
	FROM made WHERE customer_id = 'fewer' $$, 'the numbers behind a signal are those of the orders');
SELECT results_eq('SELECT * FROM heard.churn_sign ORDER BY sign', $$ VALUES ('complaints_rising', 8::bigint, 8::bigint, 1::bigint), ('frequency_falling', 8, 8, 1),
	('overdue', 9, 9, 1), ('p_alive_low', 0, 0, 0), ('satisfaction_falling', 2, 2, 1), ('spend_falling', 8, 8, 1) $$,
	'how many can be judged, and seen: all but the new one, who has no past, and the one of whom only a refund is known');
SELECT cmp_ok((SELECT segment.fall_p_value(2, 20, 91, 364)), '>', 0.15::float8,
	'two orders instead of five: no alarm, since chance brings it often');

-- A number exactly at its limit, and with limits next to it: chance counts up to
-- the significance, a ratio below its setting, a gap above it.
CREATE FUNCTION pg_temp.sign_at(signal text, customer text, setting text, threshold float8) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	before jsonb := (SELECT settings FROM heard.scorecard);
	result boolean;
BEGIN
	UPDATE heard.scorecard SET settings = settings || jsonb_build_object(setting, threshold);
	EXECUTE format('SELECT coalesce((SELECT %I FROM heard.churn_signal WHERE customer_id = %L), false)', signal, customer) INTO result;
	UPDATE heard.scorecard SET settings = before;
	RETURN result;
END
$$;
CREATE TEMP TABLE at_limit AS
SELECT v.*, c.value
FROM (VALUES ('fewer', 'frequency_falling', 'churn_significance', true, 1), ('cheaper', 'spend_falling', 'churn_significance', true, 1),
	('angry', 'complaints_rising', 'churn_significance', true, 1), ('fewer', 'frequency_falling', 'churn_ratio', false, 1),
	('cheaper', 'spend_falling', 'churn_ratio', false, 1), ('sad', 'satisfaction_falling', 'churn_satisfaction_ratio', false, 1),
	('gone', 'overdue', 'churn_overdue_gaps', false, -1)) AS v(customer_id, signal, setting, counts_at, towards)
JOIN heard.churn_signal AS s USING (customer_id),
	LATERAL (SELECT CASE WHEN signal = 'overdue' THEN s.gap_ratio WHEN signal = 'satisfaction_falling' THEN s.satisfaction_ratio
		WHEN signal = 'complaints_rising' THEN s.complaints_p_value
		WHEN setting = 'churn_ratio' THEN CASE signal WHEN 'spend_falling' THEN s.spend_ratio ELSE s.frequency_ratio END
		ELSE CASE signal WHEN 'spend_falling' THEN s.spend_p_value ELSE s.frequency_p_value END END AS value) AS c;
SELECT is(ARRAY[pg_temp.sign_at(signal, customer_id, setting, value),
	pg_temp.sign_at(signal, customer_id, setting, value * (1 + towards * 4e-16::float8)),
	pg_temp.sign_at(signal, customer_id, setting, value * (1 - towards * 4e-16::float8))], ARRAY[counts_at, true, false],
	format('%s at exactly %s, and on both sides of it', signal, setting)) FROM at_limit;

-- settings
SELECT segment.alter_portfolio('made', settings => '{"churn_significance": 0.2, "churn_overdue_gaps": 100}') \g /dev/null
SELECT segment.refresh('made') \g /dev/null
SELECT results_eq($$ SELECT customer_id FROM made.churn_signal WHERE frequency_falling ORDER BY 1 $$,
	$$ VALUES ('fewer'), ('gone'), ('two of five') $$, 'a less strict significance: weaker signs count');
SELECT is_empty($$ SELECT * FROM made.churn_signal WHERE overdue $$, 'nobody is overdue after a hundred gaps');
SELECT throws_ok($$ SELECT segment.alter_portfolio('made', settings => '{"churn_recent_days": 0}') $$, '22023',
	'setting "churn_recent_days" must be from 1 to 36525, not 0', 'a window needs a day');

-- ---------- a simulated portfolio ----------

-- Customers who buy at random at a rate of their own; those with an even
-- number never change, the others buy at a sixth of the rate in the last quarter.
CREATE TEMP TABLE simulated AS
WITH person AS (
	SELECT c, 10 + 30 * (hashint8extended(c, 7) & 1048575) / 1048576::float8 AS gap FROM generate_series(1, 3000) AS c
), waiting AS (
	SELECT c, n, gap * -ln(((hashint8extended(c * 1000 + n, 3) & 1048575) + 0.5::float8) / 1048576) AS gap_days
	FROM person, generate_series(1, 140) AS n
), arrival AS (
	SELECT c, n, sum(gap_days) OVER (PARTITION BY c ORDER BY n) AS day FROM waiting
)
SELECT c AS customer_id, '2022-12-31'::date + ceil(day)::integer AS at,
	round((5 + 50 * ((hashint8extended(c * 1000 + n, 5) & 1048575) / 1048576.0))::numeric, 2) AS amount
FROM arrival
WHERE day <= 731 AND (c % 2 = 0 OR day <= 731 - 91 OR hashint8extended(c * 1000 + n, 6) % 6 = 0);
SELECT segment.create_portfolio('simulated', 'SELECT customer_id, at, amount FROM simulated', timezone => 'UTC') \g /dev/null
SELECT is((SELECT as_of FROM simulated.scorecard), '2024-12-31'::date, 'two years are simulated');
SELECT cmp_ok(count(*) FILTER (WHERE frequency_falling) / 1500.0, '<=', 0.05,
	'who never changed: chance gives a false alarm at most as often as the significance says')
FROM simulated.churn_signal WHERE customer_id % 2 = 0;
SELECT cmp_ok(count(*) FILTER (WHERE spend_falling) / 1500.0, '<=', 0.05, 'spend as well')
FROM simulated.churn_signal WHERE customer_id % 2 = 0;
-- A purchase in 12.5 days makes 29 in the past window and 1.2 in the recent
-- one; 2 or fewer are significant, and that happens with the chance 0.88.  At
-- one in 15 days it is 24, 1.0, 1 or fewer, 0.73.
SELECT cmp_ok(avg(coalesce(frequency_falling, false)::integer), '>', 0.7,
	'who bought often and now at a sixth of the rate is seen')
FROM simulated.customer AS c LEFT JOIN simulated.churn_signal USING (customer_id)
WHERE customer_id % 2 = 1 AND 10 + 30 * (hashint8extended(customer_id, 7) & 1048575) / 1048576::float8 <= 15;
SELECT is_empty($$ SELECT * FROM simulated.churn_signal JOIN simulated.customer AS c USING (customer_id)
	WHERE (churn_signal.churn_risk, churn_signal.clv, churn_signal.gap_ratio, churn_signal.p_alive, value_at_risk, wake_priority)
		IS DISTINCT FROM (c.churn_risk, c.clv, c.gap_ratio, c.p_alive, c.clv * c.churn_risk, c.purchase_probability * c.expected_spend) $$,
	'risk and value are those of the view customer');
SELECT is_empty($$ SELECT * FROM simulated.churn_signal WHERE value_at_risk IS NULL OR value_at_risk > clv $$, 'at risk is a part of the value');
SELECT set_eq($$ SELECT customer_id FROM simulated.churn_measure $$, $$ SELECT customer_id FROM simulated.customer $$, 'everybody is measured');
SELECT set_eq($$ SELECT customer_id FROM simulated.churn_signal WHERE overdue $$,
	$$ SELECT customer_id FROM simulated.customer WHERE gap_ratio > 3 $$, 'overdue: by the view customer');
SELECT set_eq($$ SELECT customer_id FROM simulated.churn_signal WHERE p_alive_low $$,
	$$ SELECT customer_id FROM simulated.customer WHERE p_alive < 0.5 $$, 'p_alive_low: by the view customer');
SELECT is_empty($$ SELECT * FROM simulated.churn_signal WHERE signals <> num_nonnulls(nullif(frequency_falling, false),
	nullif(spend_falling, false), nullif(overdue, false), nullif(p_alive_low, false),
	nullif(complaints_rising, false), nullif(satisfaction_falling, false)) OR signals < 1 $$, 'signals counts those that are true');
CREATE TEMP TABLE before AS SELECT * FROM simulated.churn_signal;
INSERT INTO simulated.customer_history (customer_id, purchases, listed)
	SELECT 1000000 + c, segment.history_agg('2024-12-30'::date, 1000000), false FROM generate_series(1, 100) AS c GROUP BY c;
SELECT is_empty($$ (SELECT * FROM simulated.churn_signal WHERE customer_id < 1000000 EXCEPT SELECT * FROM before)
	UNION ALL (SELECT * FROM before EXCEPT SELECT * FROM simulated.churn_signal) $$, 'other customers change nobody''s signals');
DELETE FROM simulated.customer_history WHERE customer_id > 1000000;

-- ---------- six orders a year ----------

-- Customers who buy at random, six times a year or (last digit 0 to 4) more
-- often, for six years; 1 to 500 and 1000 on never change, those from 501 to 600
-- make no order in the last year, those from 601 to 700 one.
CREATE TEMP TABLE rare AS
SELECT c AS id, '2018-12-31'::date + 1 + floor(day)::integer AS at, round((20 * exp(((hashint8extended(c * 1000 + n, 15) & 1048575) / 1048576.0 - 0.5)
	- CASE WHEN c BETWEEN 701 AND 800 AND day > 2192 - 365 THEN 0.7 ELSE 0 END))::numeric, 2) AS amount
FROM (
	SELECT c, n, sum((ARRAY[20, 30, 40, 50, 56, 60, 60, 60, 60, 60])[1 + c % 10] * -ln(((hashint8extended(c * 1000 + n, 13) & 1048575) + 0.5::float8) / 1048576))
		OVER (PARTITION BY c ORDER BY n) AS day
	FROM generate_series(1, 2200) AS c, generate_series(1, 160) AS n
) AS a
WHERE day < 2192 - CASE WHEN c BETWEEN 501 AND 700 THEN 365 ELSE 0 END
UNION ALL
SELECT c, '2024-12-31'::date - (c * 97) % 364, 20 FROM generate_series(601, 700) AS c;
SELECT segment.create_portfolio('rare', 'SELECT id, at, amount FROM rare', timezone => 'UTC') \g /dev/null
SELECT is((SELECT as_of FROM rare.scorecard), '2024-12-31'::date, 'six years');
SELECT cmp_ok((SELECT count(*) FROM rare.churn_measure WHERE customer_id BETWEEN 501 AND 600 AND frequency_falling), '>=', 98::bigint, 'none after six a year is a fall');
SELECT cmp_ok((SELECT count(*) FROM rare.churn_measure WHERE customer_id BETWEEN 601 AND 700 AND frequency_falling), '>', 65::bigint, 'one instead of six, as a rule');
SELECT cmp_ok((SELECT count(*) FROM rare.churn_measure WHERE customer_id BETWEEN 701 AND 800 AND spend_falling), '>', 60::bigint, 'half of the amount each time is seen of most');
SELECT cmp_ok((SELECT avg(coalesce(frequency_can_fall, false)::integer) FROM rare.churn_measure), '>', 0.98, 'nearly all of them could be seen');
SELECT cmp_ok((SELECT avg(frequency_falling::integer) FROM rare.churn_measure WHERE customer_id < 500 OR customer_id >= 1000), '<=', 0.05,
	'who never changed: false alarms at most as often as the significance says');
SELECT cmp_ok((SELECT avg(frequency_falling::integer) FROM rare.churn_measure WHERE customer_id < 500 OR customer_id >= 1000), '>', 0.01, 'and not much more seldom');
SELECT cmp_ok((SELECT avg((frequency_p_value <= 0.05)::integer) FROM rare.churn_measure WHERE (customer_id < 500 OR customer_id >= 1000) AND customer_id % 10 >= 5), '<=', 0.05,
	'also of those who buy less often than most');
SELECT cmp_ok((SELECT abs(avg((spend_p_value <= 0.05)::integer) - 0.04) FROM rare.churn_measure WHERE customer_id < 500 OR customer_id >= 1000), '<', 0.015, 'spend: chance does what it says');
SELECT results_eq('SELECT * FROM rare.churn_sign ORDER BY sign', $$
	SELECT s.sign, count(s.value), count(s.value) FILTER (WHERE s.can), count(*) FILTER (WHERE s.value)
	FROM rare.churn_measure AS m CROSS JOIN LATERAL (VALUES ('frequency_falling', frequency_falling, frequency_can_fall), ('spend_falling', spend_falling, spend_can_fall),
		('overdue', overdue, true), ('p_alive_low', p_alive_low, true), ('complaints_rising', complaints_rising, true), ('satisfaction_falling', satisfaction_falling, true)) AS s(sign, value, can)
	GROUP BY s.sign ORDER BY s.sign $$, 'for how many each sign can be judged, can be true, and is');

-- Kept rows are read, and a history only of who has come back.
CREATE FUNCTION pg_temp.reads(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	plan json;
BEGIN
	EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO plan;
	RETURN (SELECT string_agg(DISTINCT format('%s %s', n ->> 'Relation Name', CASE WHEN n ? 'Index Cond' OR n ? 'Recheck Cond' THEN 'by key' ELSE 'whole' END), ', ')
		FROM jsonb_path_query(plan::jsonb, '$.** ? (@."Relation Name" starts with "kept" || @."Relation Name" starts with "customer")') AS n);
END
$$;
SELECT is(pg_temp.reads('SELECT * FROM simulated.churn_signal'), 'kept_customer whole', 'the whole view reads what is kept');
SELECT is(pg_temp.reads('SELECT * FROM simulated.churn_signal WHERE customer_id = 5'), 'kept_customer by key', 'one customer''s signals by key');
SELECT is(pg_temp.reads('SELECT * FROM simulated.win_back WHERE customer_id = 5'), 'customer_history by key, kept_customer by key', 'one customer''s return by key');
SELECT cmp_ok((SELECT count(*) FROM simulated.kept_customer AS c, simulated.scorecard AS s WHERE c.return_below > s.usual_gap_days), '=',
	(SELECT count(*) FROM simulated.win_back), 'histories are read only of those who came back');
SELECT is((SELECT count(*) FROM simulated.win_back), (SELECT count(*) FROM simulated.customer_history AS h, simulated.scorecard AS s
	WHERE segment_internal.churn_return(h.purchases, s.as_of, s.usual_gap_days, 2, 5) IS NOT NULL), 'and of all of them');

-- ---------- who came back ----------

CREATE TEMP TABLE returned AS
WITH purchase AS (
	SELECT customer_id, at AS day, lag(at) OVER w AS before, row_number() OVER w AS n, min(at) OVER w AS first_day
	FROM (SELECT DISTINCT customer_id, at FROM simulated) AS d
	WINDOW w AS (PARTITION BY customer_id ORDER BY at)
)
SELECT p.customer_id, before, day AS since, rank() OVER (PARTITION BY p.customer_id ORDER BY day DESC) AS nth_last,
	count(*) OVER (PARTITION BY p.customer_id) AS returns
FROM purchase AS p, simulated.scorecard AS s
WHERE n > 1 AND (day - before - 1) / ((2 * s.usual_gap_days + (before - first_day)) / (2 + n - 2)) > 5;
SELECT cmp_ok((SELECT count(*) FROM returned WHERE nth_last = 1), '>', 50::bigint, 'some have come back');
SELECT results_eq($$ SELECT customer_id, left_day, since, gap_days, returns, orders, value FROM simulated.win_back ORDER BY 1 $$,
	$$ SELECT r.customer_id, r.before, r.since, r.since - r.before, r.returns, count(*), sum(o.amount)
	FROM returned AS r JOIN simulated AS o ON o.customer_id = r.customer_id AND o.at >= r.since
	WHERE r.nth_last = 1 GROUP BY r.customer_id, r.before, r.since, r.returns ORDER BY 1 $$,
	'gap, day, number of returns, orders and value as plain SQL has them, to the cent');
SELECT is_empty($$
	SELECT w.* FROM (SELECT * FROM simulated.win_back ORDER BY customer_id LIMIT 12) AS w
	CROSS JOIN LATERAL (SELECT c.* FROM simulated.customer_at(w.since - 1) AS c WHERE c.customer_id = w.customer_id) AS c
	WHERE c.dormancy <> 'asleep' OR NOT pg_temp.close_to(w.gap_ratio, c.gap_ratio, 1e-12) OR c.last_day <> w.left_day $$,
	'on the day before the return the customer was asleep');

-- ---------- the best list ----------

SELECT results_eq($$ SELECT * FROM simulated.best_list(50, 0.5) $$,
	$$ SELECT row_number() OVER (ORDER BY purchase_probability * expected_spend * contribution_rate DESC, customer_id), customer_id,
		purchase_probability, expected_spend, contribution_rate, purchase_probability * expected_spend * contribution_rate, clv, days_since_last, k.class, k.action, k.action_zh
	FROM simulated.customer JOIN simulated.scheme_class AS k ON k.scheme = 'next_step' AND k.class = next_step
	WHERE purchase_probability >= 0.5 ORDER BY 1 LIMIT 50 $$, 'best first, with a least probability, and with the action of the scheme that leads');
SELECT is((SELECT count(*) FROM simulated.best_list()), 100::bigint, 'a hundred unless said');
SELECT is((SELECT count(*) FROM simulated.best_list(NULL, NULL)), (SELECT count(*) FROM simulated.customer), 'NULL: all');
SELECT is((SELECT count(*) FROM simulated.best_list(0)), 0::bigint, 'none');
SELECT throws_ok('SELECT * FROM simulated.best_list(-1)', '22023', 'n must not be negative, not "-1"', 'a negative number');
SELECT throws_ok('SELECT * FROM simulated.best_list(10, 20)', '22023', 'min_probability must be between 0 and 1, not "20"', 'per cent');
SELECT throws_ok($$ SELECT * FROM simulated.best_list(10, 'NaN') $$, '22023', 'min_probability must be between 0 and 1, not "NaN"', 'no number');
SELECT is_empty('SELECT * FROM made.best_list()', 'without a model there is no best list');

-- customers who are the same in everything but the key
SELECT segment.create_portfolio('twins', $$ SELECT t || customer_id, at, amount FROM simulated, unnest('{b,a}'::text[]) AS t
	WHERE customer_id <= 300 $$, timezone => 'UTC') \g /dev/null
SELECT is_empty($$ SELECT * FROM (SELECT place, customer_id, lag(customer_id) OVER (ORDER BY place) AS above, expected_value,
		lag(expected_value) OVER (ORDER BY place) AS more FROM twins.best_list(NULL)) AS l
	WHERE expected_value > more OR expected_value = more AND customer_id < above $$, 'equal ones are ordered by key');

-- ---------- portfolios at the edge ----------

CREATE FUNCTION pg_temp.rows_of(portfolio text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	found text;
BEGIN
	EXECUTE format('SELECT concat_ws(%L, (SELECT count(*) FROM %I.churn_signal), (SELECT count(*) FROM %I.win_back),
		(SELECT count(*) FROM %I.best_list()))', ' ', portfolio, portfolio, portfolio) INTO found;
	RETURN found;
END
$$;
SELECT segment.create_portfolio('empty', 'SELECT 1, date ''2024-01-01'', 1.0 WHERE false') \g /dev/null
SELECT segment.create_portfolio('one', 'SELECT 1, date ''2024-01-01'', 1.0') \g /dev/null
SELECT segment.create_portfolio('prospects', 'SELECT 1, date ''2024-01-01'', 1.0 WHERE false', customers => 'SELECT n FROM generate_series(1, 5) n') \g /dev/null
SELECT segment.create_portfolio('refunds', 'SELECT n, date ''2024-01-01'', -1.0 FROM generate_series(1, 5) n') \g /dev/null
SELECT segment.create_portfolio('one_day', 'SELECT n, date ''2024-01-01'', 1.0 FROM generate_series(1, 5) n') \g /dev/null
SELECT is(array_agg(pg_temp.rows_of(p)), '{0 0 0,0 0 0,0 0 0,0 0 0,0 0 0}'::text[], 'nobody, one customer, prospects, refunds, one day: no signs')
FROM unnest('{empty,one,prospects,refunds,one_day}'::text[]) AS p;

-- ---------- the catalog ----------

SELECT is_empty($$ SELECT a.attrelid::regclass, a.attname FROM pg_attribute AS a
	WHERE a.attrelid IN ('made.churn_signal'::regclass, 'made.win_back'::regclass)
		AND (coalesce(col_description(a.attrelid, a.attnum), '') = ''
			OR a.atttypid NOT IN ('text'::regtype, 'bigint'::regtype, 'integer'::regtype, 'float8'::regtype,
				'numeric'::regtype, 'boolean'::regtype, 'date'::regtype)) $$, 'every column has a comment and a plain type');
SELECT is_empty($$ SELECT c.* FROM segment_internal.churn_comments() AS c
	WHERE col IS NOT NULL AND NOT EXISTS (SELECT FROM pg_attribute AS a
		WHERE a.attrelid = format('made.%I', c.relation)::regclass AND a.attname = c.col)$$, 'every comment has its column');
SELECT isnt(obj_description('made.best_list(integer, float8)'::regprocedure), NULL, 'the function has a comment');

SELECT * FROM finish();
ROLLBACK;
