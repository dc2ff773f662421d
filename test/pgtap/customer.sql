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
SELECT plan(27);

-- what a scorecard says of scores and gaps, without models
CREATE FUNCTION pg_temp.terms(recency_cuts float8[], frequency_cuts float8[], monetary_cuts float8[], prior_gaps float8, usual_gap_days float8)
RETURNS segment_internal.scorecard_terms LANGUAGE sql IMMUTABLE
RETURN jsonb_populate_record(NULL::segment_internal.scorecard_terms, jsonb_build_object('recency_cuts', recency_cuts, 'frequency_cuts', frequency_cuts,
	'monetary_cuts', monetary_cuts, 'prior_gaps', prior_gaps, 'usual_gap_days', usual_gap_days));

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
CROSS JOIN LATERAL segment_internal.customer_figures(s.h, NULL, NULL, NULL, NULL, true, d.day,
	pg_temp.terms('{-400,-200,-100}', '{1,3}', '{10,50,100,200}', 2, 45.5)) AS f;
SELECT is(count(*)::integer, 1200, 'one row for each call') FROM figures;
SELECT is_empty($$
	SELECT * FROM figures AS f CROSS JOIN LATERAL segment.measures(f.h, f.day) AS m
	WHERE f.monetary IS NOT NULL AND ROW(f.orders, f.purchase_days, f.first_day, f.last_day, f.days_since_last, f.tenure_days,
		f.gross, f.refunded, f.net, f.monetary, f.repeat_spend, f.mean_gap_days, f.gap_cv)
		IS DISTINCT FROM ROW(m.orders, m.purchase_days, m.first_day, m.last_day, m.days_since_last, m.tenure_days,
		m.gross, m.refunded, m.net, m.monetary, m.mean_repeat_spend, m.mean_gap_days, m.gap_cv) $$,
	'measures as measures() gives them');
SELECT is_empty($$ SELECT * FROM figures AS f WHERE (f.monetary IS NULL) <> ((segment.measures(f.h, f.day)).monetary IS NULL) $$,
	'where there are any');
-- what was refunded on the day of the order, from the days by themselves
SELECT is_empty($$
	SELECT f.id, f.day, f.visits, f.usage FROM figures AS f
	CROSS JOIN LATERAL (
		SELECT count(*) FILTER (WHERE u.orders > 0 AND (u.gross = 0 OR u.gross > u.refunded)) AS visits,
			coalesce(sum(greatest(u.gross - u.refunded, 0)), 0) AS usage
		FROM segment.unnest(f.h) AS u WHERE u.day <= f.day) AS d
	WHERE (coalesce(f.visits, 0), coalesce(f.usage, 0)) <> (d.visits, d.usage) $$, 'visits and usage leave out what was refunded on the day');
SELECT is(ROW(f.orders, f.purchase_days, f.visits, f.gross, f.usage)::text, '(7,6,4,85,53)',
	'cancelled, in part, one of two, not on the day, a gift of nothing, more returned than bought')
FROM segment_internal.customer_figures(
	'{2020-01-01: 10, 2020-01-01: -10, 2020-01-02: 20, 2020-01-02: -5, 2020-01-03: 12, 2020-01-03: 15, 2020-01-03: -12, 2020-01-04: 23, 2020-01-05: -23, 2020-01-06: 0, 2020-01-06: -1, 2020-01-07: 5, 2020-01-07: -9}',
	NULL, NULL, NULL, NULL, NULL, '2020-02-01', NULL) AS f;
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
SELECT is_empty($$ SELECT * FROM figures AS f WHERE f.day = '2019-12-31' AND (f.orders <> 0 OR f.monetary IS NOT NULL) $$,
	'nothing has happened before the first day');
SELECT is(ROW(f.orders, f.net, f.net_value, f.average_order, f.monetary, f.first_day)::text, '(0,0,0,,,)', 'nothing has happened without a history')
FROM segment_internal.customer_figures(NULL, NULL, NULL, NULL, NULL, true, '2020-01-01', NULL) AS f;
SELECT is(ROW(f.orders, f.r_score, f.m_score, f.gap_ratio)::text, '(1,,,)', 'no cut points, no scores')
FROM segment_internal.customer_figures('{2020-01-01: 5}', NULL, NULL, NULL, NULL, NULL, '2020-01-05', NULL) AS f;
SELECT is(f.gap_ratio, 0.4::float8, 'without prior gaps one purchase counts by the usual gap')
FROM segment_internal.customer_figures('{2020-01-01: 5}', NULL, NULL, NULL, NULL, NULL, '2020-01-05', pg_temp.terms(NULL, NULL, NULL, 0, 10)) AS f;
SELECT throws_ok($$ SELECT segment_internal.customer_figures('{2020-01-01: 5}', NULL, NULL, NULL, NULL, NULL, 'infinity', pg_temp.terms(NULL, NULL, NULL, 0, 10)) $$,
	'22008', 'argument "as_of" must be finite, not "infinity"', 'an infinite day is refused');
SELECT throws_ok($$ SELECT segment_internal.customer_figures('{2020-01-01: 5}', NULL, NULL, NULL, NULL, NULL, '2020-01-05', pg_temp.terms('{3,2}', NULL, NULL, 0, 10)) $$,
	'22023', 'cut points must be in ascending order', 'descending cut points are refused');

-- from when on a customer is known, and by what
SELECT is(count(*)::integer, 0, 'nobody is known before something has happened')
FROM segment_internal.customer_figures('{2020-01-01: 5}', '{2020-01-01: 5}', '{2020-01-02: 1}', '{2020-01-03: 1}',
	'{2020-01-04: 1}', false, '2019-12-31', NULL);
SELECT is(count(*)::integer, 0, 'nor on an unknown day')
FROM segment_internal.customer_figures('{2020-01-01: 5}', NULL, NULL, NULL, NULL, true, NULL, NULL);
SELECT is(string_agg(k.name, ' ' ORDER BY k.name), 'complaints costs listed purchases satisfaction',
	'a purchase, a cost, a complaint or a score makes a customer known, and so does the list of customers')
FROM (VALUES ('purchases', '{2020-01-01: 5}'::segment.history, NULL::segment.history, NULL::segment.history,
		NULL::segment.history, NULL::segment.history, NULL::boolean),
	('margins', NULL, '{2020-01-01: 5}', NULL, NULL, NULL, false),
	('costs', NULL, NULL, '{2020-01-01: 5}', NULL, NULL, NULL),
	('complaints', NULL, NULL, NULL, '{2020-01-01: 1}', NULL, NULL),
	('satisfaction', NULL, NULL, NULL, NULL, '{2020-01-01: 3}', NULL),
	('listed', NULL, NULL, NULL, NULL, NULL, true)) AS k(name, p, m, c, n, s, l),
	segment_internal.customer_figures(k.p, k.m, k.c, k.n, k.s, k.l, '2020-01-01', NULL);

-- margins and costs; what a repeat purchase day brings is what was paid on it, whatever the margin
SELECT is(ROW(f.net, f.margin, f.cost, f.repeat_spend)::text, '(60.00,21.5,7,25)', 'margin and cost up to the day')
FROM segment_internal.customer_figures('{2020-01-01: 10.00, 2020-02-01: 20.00, 2020-03-01: 30.00, 2021-01-01: 90.00}',
	'{2020-01-01: 10, 2020-02-01: 5.5, 2020-03-01: 6, 2021-01-01: 30}', '{2020-02-01: 7, 2021-01-01: 9}',
	NULL, NULL, NULL, '2020-12-31', NULL) AS f;
SELECT is(f.repeat_spend, 20::float8, 'also where it was sold at a loss')
FROM segment_internal.customer_figures('{2020-01-01: 10, 2020-02-01: 20}', '{2020-01-01: 10, 2020-02-01: -5.5}',
	NULL, NULL, NULL, NULL, '2020-12-31', NULL) AS f;

-- the same in one call for many days
SELECT is_empty($$
	SELECT s.id, a.day FROM series AS s
	CROSS JOIN (SELECT array_agg(ROW(d, 1, pg_temp.terms('{-400,-200,-100}', '{1,3}', '{10,50,100,200}', 2, 45.5))::segment_internal.scored_day
			ORDER BY d) AS days FROM generate_series(date '2019-12-31', date '2022-12-31', interval '50 days') AS d) AS d
	CROSS JOIN LATERAL segment_internal.customer_days(s.h, s.h, s.h, NULL, NULL, s.id % 2 = 0, d.days) AS m
	CROSS JOIN LATERAL (SELECT (d.days[m.day_number]).day) AS a
	LEFT JOIN LATERAL segment_internal.customer_figures(s.h, s.h, s.h, NULL, NULL, s.id % 2 = 0, a.day,
		pg_temp.terms('{-400,-200,-100}', '{1,3}', '{10,50,100,200}', 2, 45.5)) AS f ON true
	WHERE (to_jsonb(m) - '{day_number,days_known,scorecard_id}'::text[])::text IS DISTINCT FROM (to_jsonb(f) - '{day_number,days_known,scorecard_id}'::text[])::text
	$$, 'each day of many has the figures of that day alone');

-- a type that the C code does not fit is an error, before anything is read or written
SELECT throws_ok($$ ALTER TYPE segment_internal.customer_figures ADD ATTRIBUTE further text;
	SELECT segment_internal.customer_figures('{2020-01-01: 5}', NULL, NULL, NULL, NULL, NULL, '2020-01-05',
		NULL) $$,
	'42804', (SELECT format('row type segment_internal.customer_figures has %s columns where %s are expected', relnatts + 1, relnatts)
		FROM pg_class WHERE oid = 'segment_internal.customer_figures'::regclass), 'a result of another shape is refused');
SELECT throws_ok($$ ALTER TYPE segment_internal.scored_day ADD ATTRIBUTE further text;
	SELECT segment_internal.customer_days('{2020-01-01: 5}', NULL, NULL, NULL, NULL, NULL,
		ARRAY[ROW('2022-01-01', 1, NULL, NULL)::segment_internal.scored_day]) $$,
	'42804', 'row type segment_internal.scored_day has 4 columns where 3 are expected', 'and so is an argument');

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
FROM (SELECT segment_internal.customer_figures(h, NULL, NULL, NULL, NULL, NULL, '2022-12-31', NULL) AS m FROM series WHERE id = 7) AS s
WHERE (s.m).orders + (s.m).purchase_days > 0 OR (s.m).orders = 0;

SELECT * FROM finish();
ROLLBACK;
