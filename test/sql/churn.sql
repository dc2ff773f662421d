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

-- windows of 10 and 20 days: 2024-01-21 to -30, and 2024-01-01 to -20
CREATE TEMP TABLE h AS
SELECT segment.history_agg(day::date, amount) AS purchases FROM (VALUES
	('2023-12-31', 100.00), ('2024-01-01', 10), ('2024-01-20', 20), ('2024-01-20', 5), ('2024-01-21', 7),
	('2024-01-22', -3), ('2024-01-30', 1.25), ('2024-01-31', 9)) AS v(day, amount);
\x on
SELECT (segment_internal.churn_measures(purchases, NULL, NULL, '2024-01-30', 10, 20)).* FROM h;
-- a purchase earlier: the first of all was long before
SELECT (segment_internal.churn_measures(purchases OPERATOR(segment.+) segment.history_agg('2020-01-01', 1), purchases, purchases, '2024-01-30', 10, 20)).*
FROM h GROUP BY h.purchases;
-- the first purchase within the past window, and within the recent one
SELECT (segment_internal.churn_measures(purchases, NULL, NULL, '2024-01-30', 10, 50)).past_days,
	(segment_internal.churn_measures(purchases, NULL, NULL, '2024-01-04', 10, 50)).* FROM h;
-- nothing known, refunds only
SELECT (segment_internal.churn_measures(NULL, NULL, NULL, '2024-01-30', 10, 20)).*;
SELECT (segment_internal.churn_measures(segment.history_agg('2024-01-29', -1), NULL, NULL, '2024-01-30', 10, 20)).*;
\x off
SELECT segment_internal.churn_measures(purchases, NULL, NULL, NULL, 10, 20) IS NULL,
	segment_internal.churn_measures(purchases, NULL, NULL, '2024-01-30', NULL, 20) IS NULL,
	segment_internal.churn_measures(purchases, NULL, NULL, '2024-01-30', 10, NULL) IS NULL FROM h;
SELECT pg_temp.failure(format('SELECT segment_internal.churn_measures(purchases, NULL, NULL, %s) FROM h', a))
FROM unnest(ARRAY[$$'infinity', 10, 20$$, $$'-infinity', 10, 20$$, $$'2024-01-30', 0, 20$$, $$'2024-01-30', 10, 36526$$,
	$$'2024-01-30', -2147483648, 20$$, $$'2024-01-30', 10, 2147483647$$]) AS a;

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
