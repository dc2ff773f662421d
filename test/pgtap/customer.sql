--
-- What the view customer needs of a history and a scorecard, in one call
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
SELECT plan(16);

SELECT setseed(0.25);
CREATE TEMP TABLE series AS
SELECT g AS id, segment.history_agg(date '2020-01-01' + floor(random() * 900)::integer,
	round((random() * 200 - 30)::numeric, (random() * 3)::integer)) AS h
FROM generate_series(1, 400) AS g, generate_series(1, 1 + g % 12) GROUP BY g;

-- the same as the accessors and scores one by one
CREATE TEMP TABLE figures AS
SELECT s.id, s.h, d.day, f.*
FROM series AS s
CROSS JOIN (VALUES (date '2020-06-30'), ('2022-12-31'), ('2019-12-31')) AS d(day)
CROSS JOIN LATERAL segment_internal.customer_figures(s.h, d.day, '{-400,-200,-100}', '{1,3}', '{10,50,100,200}', 2, 45.5) AS f;
SELECT is(count(*)::integer, 1200, 'one row for each call') FROM figures;
SELECT is_empty($$
	SELECT * FROM figures AS f CROSS JOIN LATERAL segment.measures(f.h, f.day) AS m
	WHERE ROW(f.orders, f.purchase_days, f.first_day, f.last_day, f.days_since_last, f.tenure_days,
		f.gross, f.refunded, f.net, f.monetary, f.mean_repeat_spend, f.mean_gap_days, f.gap_cv)
		IS DISTINCT FROM ROW(m.orders, m.purchase_days, m.first_day, m.last_day, m.days_since_last, m.tenure_days,
		m.gross, m.refunded, m.net, m.monetary, m.mean_repeat_spend, m.mean_gap_days, m.gap_cv) $$,
	'measures as measures() gives them');
SELECT is_empty($$
	SELECT * FROM figures AS f WHERE f.orders > 0 AND
		ROW(f.r_score, f.f_score, f.m_score) IS DISTINCT FROM
		ROW(segment.score(-f.days_since_last::float8, '{-400,-200,-100}'), segment.score(f.orders::float8, '{1,3}'),
			segment.score(f.net::float8, '{10,50,100,200}')) $$, 'scores as score() gives them');
SELECT is_empty($$
	SELECT * FROM figures AS f WHERE f.orders > 0 AND abs(f.gap_ratio - f.days_since_last
		/ ((2 * 45.5 + (f.last_day - f.first_day)) / (2 + f.purchase_days - 1))) > 1e-12 * (1 + f.gap_ratio) $$,
	'the gap ratio by its formula');
SELECT is_empty($$
	SELECT * FROM figures AS f WHERE coalesce(f.orders, 0) = 0
		AND num_nonnulls(f.r_score, f.f_score, f.m_score, f.gap_ratio, f.days_since_last, f.first_day) > 0 $$,
	'without an order there is no score, ratio or day');
SELECT is_empty($$ SELECT * FROM figures AS f WHERE f.day = '2019-12-31' AND f.orders IS NOT NULL $$,
	'nothing is known before the first day');
SELECT is(f.orders, NULL, 'nothing is known of no history')
FROM segment_internal.customer_figures(NULL, '2020-01-01', NULL, NULL, NULL, NULL, NULL) AS f;
SELECT is(ROW(f.orders, f.r_score, f.m_score, f.gap_ratio)::text, '(1,,,)', 'no cut points, no scores')
FROM segment_internal.customer_figures('{2020-01-01: 5}', '2020-01-05', NULL, NULL, NULL, NULL, NULL) AS f;
SELECT is(f.gap_ratio, 0.4::float8, 'without prior gaps one purchase counts by the usual gap')
FROM segment_internal.customer_figures('{2020-01-01: 5}', '2020-01-05', NULL, NULL, NULL, 0, 10) AS f;
SELECT throws_ok($$ SELECT segment_internal.customer_figures('{2020-01-01: 5}', 'infinity', NULL, NULL, NULL, 0, 10) $$,
	'22008', 'argument "as_of" must be finite, not "infinity"', 'an infinite day is refused');
SELECT throws_ok($$ SELECT segment_internal.customer_figures('{2020-01-01: 5}', '2020-01-05', '{3,2}', NULL, NULL, 0, 10) $$,
	'22023', 'cut points must be in ascending order', 'descending cut points are refused');

-- numeric to float8
SELECT is_empty($$
	SELECT y FROM (SELECT i, round((random() * power(10, i % 22 - 8))::numeric, i % 12)
		* CASE WHEN i % 3 = 0 THEN -1 ELSE 1 END AS y FROM generate_series(1, 20000) AS i) AS s
	WHERE segment_internal.float8(y) IS DISTINCT FROM y::float8 $$, 'float8() is the server''s cast');
SELECT is_empty($$
	SELECT v FROM unnest('{0,-0,1,-1,0.1,9007199254740992,9007199254740993,9007199254740994,123456789012345678,1e30,1e-30,
		0.000000000000000001,99999999.99999999,1e130,NaN,Infinity,-Infinity}'::numeric[]) AS v
	WHERE segment_internal.float8(v) IS DISTINCT FROM v::float8 $$, 'also at the edges');
SELECT throws_ok($$ SELECT segment_internal.float8(1e400) $$, '22003', NULL, 'too large for a double');
SELECT is(segment_internal.float8(NULL), NULL, 'NULL in, NULL out');
SELECT is(count(*)::integer, 1, 'the planner keeps the call in one piece')
FROM (SELECT segment_internal.customer_figures(h, '2022-12-31', NULL, NULL, NULL, NULL, NULL) AS m FROM series WHERE id = 7) AS s
WHERE (s.m).orders + (s.m).purchase_days > 0 OR (s.m).orders = 0;

SELECT * FROM finish();
ROLLBACK;
