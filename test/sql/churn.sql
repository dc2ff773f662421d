--
-- churn: meaning on small examples, and every refusal
--
SET extra_float_digits = -3;

\getenv test_directory PG_ABS_SRCDIR
\set helpers :test_directory '/helpers.sql'
\set failure_form message
\set ECHO none
\i :helpers
\set ECHO all

-- three orders less of five, in windows of the same length: 29 / 128
SELECT segment.fall_p_value(2, 5, 1, 1), 29 / 128.0;
-- none after ten, in a window a quarter as long: (4 / 5) ^ 10
SELECT segment.fall_p_value(0, 10, 91, 364), 0.8 ^ 10;
-- two after none: (1 / 5) ^ 2
SELECT segment.rise_p_value(2, 0, 91, 364), 0.2 * 0.2 AS by_hand;
-- nothing at all says nothing
SELECT segment.fall_p_value(0, 0, 91, 364), segment.rise_p_value(0, 0, 91, 364);
-- extremes of size
SELECT segment.fall_p_value(0, 1000000000, 1e12, 1e-12), segment.fall_p_value(0, 1000000000, 1e-12, 1e12),
	segment.fall_p_value(1000000000, 0, 1e-12, 1e12), segment.rise_p_value(1000000000, 0, 1e-12, 1e12);

SELECT pg_temp.failure(format('SELECT segment.%s_p_value(%s)', f, a))
FROM unnest('{fall,rise}'::text[]) AS f,
	unnest(ARRAY['-1, 5, 1, 1', '1, -5, 1, 1', '1000000001, 0, 1, 1', '0, 9223372036854775807, 1, 1',
		'1, 5, 0, 1', '1, 5, 1, -1', $$1, 5, 'NaN', 1$$, $$1, 5, 1, 'Infinity'$$, '1, 5, 1, 1e13', 'NULL, 5, 1, 1']) AS a;

-- with a prior: none where three were seen in 60 days and two are known of others in 40: (100 / 120) ^ 5
SELECT segment.fall_p_value(0, 3, 20, 60, 2, 40), (100 / 120.0) ^ 5 AS by_hand;
SELECT pg_temp.failure(format('SELECT segment.fall_p_value(1, 5, 1, 1, %s)', a))
FROM unnest(ARRAY['-0.1, 1', '1, -1', $$'NaN', 1$$, $$1, 'Infinity'$$, '1, 1e13', 'NULL, 1']) AS a;
-- ranks: 1, 2 and 4 of six are one of the two lowest choices of twenty; then with ties
SELECT segment_internal.rank_sum_p_value('{1,2,4}', '{3,5,6}'), 2 / 20.0 AS by_hand;
SELECT segment_internal.rank_sum_p_value('{1,1}', '{1,2}'), 3 / 6.0 AS by_hand;
SELECT segment_internal.rank_sum_p_value('{7,7}', '{7,7}'), segment_internal.rank_sum_p_value('{}', '{}');
SELECT segment_internal.rank_sum_least(3, 3), segment_internal.rank_sum_least(0, 5);
SELECT pg_temp.failure(format('SELECT segment_internal.rank_sum_%s', a))
FROM unnest(ARRAY[$$p_value('{NULL}', '{1}')$$, $$p_value('{1}', '{Infinity}')$$, 'least(-1, 2)', 'least(1, 1000000001)']) AS a;

-- windows of 10 and 20 days: 2024-01-21 to -30, and 2024-01-01 to -20
CREATE TEMP TABLE h AS
SELECT segment.history_agg(day::date, amount) AS purchases FROM (VALUES
	('2023-12-31', 100.00), ('2024-01-01', 10), ('2024-01-20', 20), ('2024-01-20', 5), ('2024-01-21', 7),
	('2024-01-22', -3), ('2024-01-30', 1.25), ('2024-01-31', 9)) AS v(day, amount);
CREATE FUNCTION pg_temp.signs(purchases segment.history, events segment.history, as_of date, terms jsonb DEFAULT '{}')
RETURNS TABLE (recent_window integer, recent_days integer, past_days integer, recent_purchase_days integer, past_purchase_days integer,
	frequency_p_value float8, recent_spend numeric, past_spend numeric, spend_p_value float8, recent_complaints bigint, past_complaints bigint,
	complaints_p_value float8, recent_satisfaction float8, past_satisfaction float8, return_below float8, next_event date, next_change date)
LANGUAGE sql BEGIN ATOMIC
SELECT f.recent_window, f.recent_days, f.past_days, f.recent_purchase_days, f.past_purchase_days, f.frequency_p_value, f.recent_spend, f.past_spend,
	f.spend_p_value, f.recent_complaints, f.past_complaints, f.complaints_p_value, f.recent_satisfaction, f.past_satisfaction, f.return_below, f.next_event, f.next_change
FROM segment_internal.customer_figures(purchases, NULL, NULL, events, events, true, as_of, jsonb_populate_record(NULL::segment_internal.scorecard_terms,
	'{"prior_gaps": 0, "usual_gap_days": 10, "dormancy_asleep": 1.5, "churn_recent_days": 10, "churn_past_days": 20, "churn_significance": 1}'::jsonb || terms)) AS f;
END;
\x on
SELECT s.* FROM h, pg_temp.signs(purchases, NULL, '2024-01-30') AS s;
-- half of the past window is there, so one purchase of others in 10 days is added (2 or fewer of 5 with the chance 1 / 4: 0.896484375), and
-- complaints and scores; then by a stricter test in longer windows
SELECT s.* FROM h, pg_temp.signs(purchases, purchases, '2024-01-30', '{"prior_gaps": 2, "churn_past_days": 40}') AS s;
SELECT s.* FROM h, pg_temp.signs(purchases OPERATOR(segment.+) (SELECT segment.history_agg('2020-01-01', 1)), NULL, '2024-01-30', '{"churn_significance": 0.01}') AS s;
-- the first purchase within the recent window; nothing known; refunds only
SELECT s.* FROM h, pg_temp.signs(purchases, NULL, '2024-01-04') AS s;
SELECT s.* FROM pg_temp.signs(NULL, NULL, '2024-01-30') AS s;
SELECT s.* FROM pg_temp.signs((SELECT segment.history_agg('2024-01-29', -1)), NULL, '2024-01-30') AS s;
-- without the terms nothing is said
SELECT s.* FROM h, pg_temp.signs(purchases, purchases, '2024-01-30', '{"dormancy_asleep": null}') AS s;
\x off
SELECT pg_temp.failure(format('SELECT s.* FROM h, pg_temp.signs(purchases, NULL, ''2024-01-30'', %L) AS s', a))
FROM unnest(ARRAY['{"churn_recent_days": 0}', '{"churn_past_days": 36526}', '{"churn_recent_days": -2147483648}', '{"churn_significance": 1.1}',
	'{"churn_significance": "NaN"}', '{"dormancy_asleep": -1}']) AS a;

-- coming back: every 10 days, then 100 days away; usual gap before: (2 * 10 + 20) / 4 = 10
CREATE TEMP TABLE r AS
SELECT segment.history_agg(day::date, amount) AS purchases FROM (VALUES
	('2024-01-01', 1.00), ('2024-01-11', 1), ('2024-01-21', 1), ('2024-04-30', 50.5), ('2024-05-02', -20), ('2024-05-03', 4)) AS v(day, amount);
SELECT (segment_internal.churn_return(purchases, '2024-12-31', 10, 2, 5)).* FROM r;
-- 99 of 100 days away is 9.9 gaps: more than 9.8, not more than 9.9
SELECT segment_internal.churn_return(purchases, '2024-12-31', 10, 2, 9.8) IS NULL,
	segment_internal.churn_return(purchases, '2024-12-31', 10, 2, 9.9) IS NULL FROM r;
-- on the day before the return nobody had come back
SELECT segment_internal.churn_return(purchases, '2024-04-29', 10, 2, 5) IS NULL,
	(segment_internal.churn_return(purchases, '2024-04-30', 10, 2, 5)).* FROM r;
-- without a prior: the own gap; after one purchase only the usual one
SELECT (segment_internal.churn_return(purchases, '2024-12-31', 3, 0, 2)).* FROM r;
SELECT pg_temp.failure(format('SELECT segment_internal.churn_return(purchases, %s) FROM r', a))
FROM unnest(ARRAY[$$'infinity', 10, 2, 5$$, $$'2024-12-31', 0, 2, 5$$, $$'2024-12-31', 'NaN', 2, 5$$,
	$$'2024-12-31', 10, -1, 5$$, $$'2024-12-31', 10, 2, 'NaN'$$, $$'2024-12-31', 10, 2, -0.1$$]) AS a;

SELECT segment_internal.best_list_limit(5, 0.5), segment_internal.best_list_limit(NULL, NULL) IS NULL, segment_internal.best_list_limit(0, 1);
SELECT pg_temp.failure(format('SELECT segment_internal.best_list_limit(%s)', a))
FROM unnest(ARRAY['-1, 0', '1, -0.1', '1, 1.1', $$1, 'NaN'$$]) AS a;
