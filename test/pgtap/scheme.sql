--
-- Schemes: total and disjoint; the cells of published grids; worked examples;
-- ties and sizes; a class is a function of history and scorecard
--
\unset ECHO
\set QUIET 1
\pset format unaligned
\pset tuples_only true
\set ON_ERROR_STOP true
SET client_min_messages = warning;
SET timezone = 'UTC';

BEGIN;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS segment;
SELECT plan(178);

CREATE SCHEMA scheme_test;
SET search_path = scheme_test, public;

-- Classes of a scheme with their customers, in order of rank: "a=10 b=40".
CREATE FUNCTION counts(portfolio text, scheme text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	EXECUTE format('SELECT string_agg(format(''%%s=%%s'', class, n), '' '' ORDER BY class_rank)
		FROM (SELECT class, class_rank, count(*) AS n FROM %I.customer_class WHERE scheme = $1 GROUP BY 1, 2) AS s',
		portfolio) INTO result USING scheme;
	RETURN result;
END
$$;
-- Class codes in order of the key.
CREATE FUNCTION codes(portfolio text, scheme text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	EXECUTE format('SELECT string_agg(%I, '' '' ORDER BY customer_id) FROM %I.customer', scheme, portfolio) INTO result;
	RETURN result;
END
$$;
-- Breaches of "one class per customer and scheme".
CREATE FUNCTION breaches(portfolio text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	result bigint;
BEGIN
	EXECUTE format('SELECT count(*) FROM (
		SELECT c.customer_id, s.scheme FROM %1$I.customer AS c CROSS JOIN %1$I.scheme AS s
		LEFT JOIN %1$I.customer_class AS k ON k.customer_id = c.customer_id AND k.scheme = s.scheme
		GROUP BY 1, 2 HAVING count(k.class) <> 1
		UNION ALL
		SELECT k.customer_id, k.scheme FROM %1$I.customer_class AS k LEFT JOIN %1$I.class AS c USING (scheme, class)
		WHERE c.class_rank IS DISTINCT FROM k.class_rank OR c.label IS DISTINCT FROM k.label
		UNION ALL
		SELECT c.customer_id, NULL FROM %1$I.customer AS c LEFT JOIN %1$I.customer_action AS a USING (customer_id)
		GROUP BY 1 HAVING count(a.action) <> 1) AS b', portfolio) INTO result;
	RETURN result;
END
$$;
CREATE FUNCTION plan_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	line text;
	result text := '';
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
		result := result || line || E'\n';
	END LOOP;
	RETURN result;
END
$$;

-- ---------- the published grids, written out ----------

CREATE TABLE published AS
SELECT 'rfm125' AS scheme, p.class, cell.cell
FROM (VALUES
	('champions', '555 554 544 545 454 455 445'),
	('loyal', '543 444 435 355 354 345 344 335'),
	('potential_loyalist', '553 551 552 541 542 533 532 531 452 451 442 441 431 453 433 432 423 353 352 351 342 341 333 323'),
	('new', '512 511 422 421 412 411 311'),
	('promising', '525 524 523 522 521 515 514 513 425 424 413 414 415 315 314 313'),
	('need_attention', '535 534 443 434 343 334 325 324'),
	('about_to_sleep', '331 321 312 221 213 231 241 251'),
	('at_risk', '255 254 245 244 253 252 243 242 235 234 225 224 153 152 145 143 142 135 134 133 125 124'),
	('cannot_lose', '155 154 144 214 215 115 114 113'),
	('hibernating', '332 322 233 232 223 222 132 123 122 212 211'),
	('lost', '111 112 121 131 141 151')) AS p(class, cells)
CROSS JOIN LATERAL string_to_table(p.cells, ' ') AS cell(cell)
UNION ALL
-- recency down, frequency across
SELECT 'rfm_segment', (string_to_array(g.classes, ' '))[f], g.r || '' || f || m
FROM (VALUES
	(5, 'new potential_loyalist potential_loyalist champions champions'),
	(4, 'promising potential_loyalist potential_loyalist loyal loyal'),
	(3, 'about_to_sleep about_to_sleep need_attention loyal loyal'),
	(2, 'hibernating hibernating at_risk at_risk cannot_lose'),
	(1, 'hibernating hibernating at_risk at_risk cannot_lose')) AS g(r, classes)
CROSS JOIN generate_series(1, 5) AS f CROSS JOIN generate_series(1, 5) AS m
UNION ALL
-- above the average are 4 and 5, the average is 3
SELECT 'rfm8', p.class, r || '' || f || m
FROM (VALUES
	(true, true, true, 'important_value'), (true, false, true, 'important_develop'),
	(false, true, true, 'important_keep'), (false, false, true, 'important_retain'),
	(true, true, false, 'general_value'), (true, false, false, 'general_develop'),
	(false, true, false, 'general_keep'), (false, false, false, 'general_retain')) AS p(r_above, f_above, m_above, class)
CROSS JOIN generate_series(1, 5) AS r CROSS JOIN generate_series(1, 5) AS f CROSS JOIN generate_series(1, 5) AS m
WHERE r_above = (r > 3) AND f_above = (f > 3) AND m_above = (m > 3)
UNION ALL
-- asleep is r = 1; loyal is f > 3, valuable m > 3
SELECT 'hsbc', CASE WHEN r = 1 THEN 'e' ELSE (ARRAY['d', 'c', 'b', 'a'])[1 + (f > 3)::integer + 2 * (m > 3)::integer] END, r || '' || f || m
FROM generate_series(1, 5) AS r CROSS JOIN generate_series(1, 5) AS f CROSS JOIN generate_series(1, 5) AS m
UNION ALL
SELECT 'dormancy', (ARRAY['asleep', 'half_asleep', 'drowsy', 'active', 'active'])[r], r || '' || f || m
FROM generate_series(1, 5) AS r CROSS JOIN generate_series(1, 5) AS f CROSS JOIN generate_series(1, 5) AS m;
SELECT is(count(*), 125::bigint, scheme || ' as published has 125 cells') FROM published GROUP BY scheme ORDER BY scheme;
SELECT is(count(DISTINCT cell), 125::bigint, scheme || ' as published has each once') FROM published GROUP BY scheme ORDER BY scheme;

-- One customer in each of the 125 cells, and two who never bought: r, f and m
-- are days since the last order (0, 2, 3, 4, 6), orders and the amount.
CREATE TABLE grid AS
SELECT r * 100 + f * 10 + m AS id, date '2024-03-10' - (ARRAY[6, 4, 3, 2, 0])[r] AS day, m * 60.00 / f AS amount
FROM generate_series(1, 5) AS r CROSS JOIN generate_series(1, 5) AS f CROSS JOIN generate_series(1, 5) AS m
CROSS JOIN LATERAL generate_series(1, f);
SELECT is((segment.create_portfolio('grid', 'SELECT id, day, amount FROM grid',
	customers => 'SELECT id FROM grid UNION SELECT 1 UNION SELECT 2', costs => 'SELECT 2, date ''2024-03-01'', 7',
	settings => '{"dormancy_default_gap_days": 1}')).customers, 127::bigint, 'grid of 125 customers and 2 prospects');
SELECT is_empty('SELECT customer_id, rfm_cell FROM grid.customer WHERE customer_id > 2 AND rfm_cell IS DISTINCT FROM customer_id::text',
	'each customer is in the cell it was made for');
SELECT is_empty(format($$ SELECT c.rfm_cell, c.%1$I, p.class FROM grid.customer AS c JOIN published AS p ON p.cell = c.rfm_cell
	WHERE p.scheme = %1$L AND p.class IS DISTINCT FROM c.%1$I $$, scheme), scheme || ' is the published grid')
FROM published GROUP BY scheme ORDER BY scheme;
SELECT is(string_agg(DISTINCT class, ',') FILTER (WHERE scheme NOT IN ('hsbc', 'usage_class')), 'prospects', 'who never bought is a prospect in every scheme')
FROM grid.customer_class WHERE customer_id = 1;
SELECT is((SELECT hsbc || ' ' || usage_class FROM grid.customer WHERE customer_id = 1), 'f none', 'in hsbc F, in usage_class none');
SELECT is((SELECT value_class FROM grid.customer WHERE customer_id = 2), 'bz', 'a prospect with costs is below zero');
SELECT is(breaches('grid'), 0::bigint, 'grid: one class per customer and scheme, one action');
SELECT is(counts('grid', 'visit_type'), 'flexible=100 lost=25 prospects=2', 'visit_type: lost where asleep, else flexible, without three purchase days');
SELECT is(counts('grid', 'rfm8'), 'important_value=8 important_develop=12 important_keep=12 important_retain=18 general_value=12 general_develop=18 general_keep=18 general_retain=27 prospects=2',
	'prospects do not count in the averages of rfm8');
SELECT is(cells, published, class || ': cells of rfm125 that scheme_check counts')
FROM segment.scheme_check('grid', 'rfm125') AS c
JOIN LATERAL (SELECT count(*) AS published FROM published AS p WHERE p.scheme = 'rfm125' AND p.class = c.class) AS p ON true
ORDER BY class_rank;
SELECT results_eq($$ SELECT sum(cells), sum(hidden), string_agg(DISTINCT verdict, ',') FROM segment.scheme_check('grid', 'rfm_segment') $$,
	$$ VALUES (125::numeric, 0::numeric, 'ok') $$, 'rfm_segment is proved total and disjoint');
SELECT lives_ok($$ SELECT segment_internal.rule_check('grid') $$,
	'the rules of all built-in schemes pass the check that own rules must pass');

-- ---------- thousands of classes ----------

-- more than a table for each rule would leave locks for
CREATE FUNCTION many_classes(wrong integer DEFAULT 0) RETURNS jsonb LANGUAGE sql RETURN (
	SELECT jsonb_agg(jsonb_strip_nulls(jsonb_build_object('class', 'c' || n,
		'rule', CASE WHEN n < 2000 THEN 'net <= ' || n || CASE wrong WHEN n THEN ' AND oops' ELSE '' END END)) ORDER BY n)
	FROM generate_series(1, 2000) AS n);
SAVEPOINT many;
SELECT is((segment.create_scheme('grid', 'many', many_classes())).customers, 127::bigint, 'a scheme of 2,000 classes');
SELECT is_empty($$ SELECT customer_id, net, many FROM grid.customer WHERE many <> 'c' || least(greatest(ceil(net), 1), 2000) $$, 'whose rules are tried in order');
SELECT throws_ok(format($$ SELECT segment.alter_scheme('grid', 'many', many_classes(%s)) $$, n), '42703',
	format('rule of class "c%s" in scheme "many": column "oops" does not exist', n), format('rule %s is wrong', n)) FROM unnest('{1,777,1999}'::integer[]) AS n;
ROLLBACK TO many;
-- what is not the rule's fault is told as it is
SELECT is(segment_internal.is_beyond_query(state), beyond, state) FROM (VALUES ('53200', true), ('40P01', true), ('57014', true), ('55P03', true), ('42703', false), ('22012', false), ('54001', false)) AS v(state, beyond);

-- ---------- ABCD: sizes and ties ----------

CREATE FUNCTION pyramid(name text, amounts text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM segment.create_portfolio(name, format('SELECT i, date ''2024-01-01'' + i %% 7, (%s)::numeric FROM %s', amounts,
		format('generate_series(1, %s) AS i', split_part(name, '_', 2))));
	RETURN counts(name, 'abcd');
END
$$;
SELECT is(pyramid('p_1000', 'i'), 'a=10 b=40 c=150 d=800', '1,000 customers: 10 A (1, 4, 15, 80 %)');
SELECT is(pyramid('p_1', 'i'), 'a=1', '1 customer');
SELECT is(pyramid('p_3', 'i'), 'a=1 d=2', '3 customers');
SELECT is(pyramid('p_99', 'i'), 'a=1 b=4 c=15 d=79', '99 customers');
SELECT is(pyramid('p_101', 'i'), 'a=2 b=4 c=15 d=80', '101 customers: rounded up');
SELECT is(pyramid('p_1000_ties', 'least(i, 981)'), 'a=20 b=30 c=150 d=800', '20 equal at the top are all A');
SELECT is(pyramid('p_1000_cut', 'CASE WHEN i BETWEEN 941 AND 960 THEN 941 ELSE i END'), 'a=10 b=50 c=140 d=800', '20 equal across the second cut are all B');
SELECT is(pyramid('p_1000_same', '5'), 'a=1000', 'all equal, all A');
SELECT is(pyramid('p_1000_digits', '12345678.123456789 + i * 0.00000001'), 'a=10 b=40 c=150 d=800', 'amounts of 17 digits');
SELECT is(counts('p_1000_digits', 'usage_class'), 'heavy=334 medium=333 light=333', 'amounts of 17 digits: thirds');
SELECT is(counts('p_1000_digits', 'hsbc'), 'b=400 d=600', 'amounts of 17 digits: the value limit of hsbc');
SELECT is(counts('p_1000_digits', 'value_class'), 'mvc=200 second=200 middle=600', 'amounts of 17 digits: value classes, without clv by rank');
SELECT is(counts('p_3', 'usage_class'), 'heavy=1 medium=1 light=1', 'usage_class: thirds of 3');
SELECT is(counts('p_1', 'usage_class'), 'heavy=1', 'usage_class: 1 customer');
SELECT is(counts('p_99', 'usage_class'), 'heavy=33 medium=33 light=33', 'usage_class: thirds of 99');
SELECT is(counts('p_101', 'usage_class'), 'heavy=34 medium=34 light=33', 'usage_class: thirds of 101');
SELECT is(sum(breaches('p_' || n)), 0::numeric, 'sizes: one class per customer and scheme')
FROM unnest(ARRAY['1', '3', '99', '101', '1000', '1000_ties', '1000_same', '1000_digits']) AS n;

-- ---------- worked examples ----------

-- ABC: of 100 the first 80, the next 15, the last 5
CREATE TABLE abc (id integer, day date, amount numeric);
INSERT INTO abc VALUES (1, '2024-01-01', 50), (2, '2024-01-01', 30), (3, '2024-01-01', 10), (4, '2024-01-01', 5),
	(5, '2024-01-01', 3), (6, '2024-01-01', 2), (7, '2024-01-01', 5), (7, '2024-01-01', -10);
SELECT is((segment.create_portfolio('abc', 'SELECT * FROM abc')).customers, 7::bigint, 'abc');
SELECT is(codes('abc', 'abc'), 'a a b b c c c', 'ABC by sales: 50 and 30 are 80 %, 10 and 5 the next 15 %, 3 and 2 the last 5 %; below zero is C');
SELECT is((segment.create_portfolio('abc_ties', 'SELECT * FROM (VALUES (1, date ''2024-01-01'', 40), (2, ''2024-01-01'', 20), (3, ''2024-01-01'', 20), (4, ''2024-01-01'', 20)) AS v')).customers,
	4::bigint, 'abc with ties');
SELECT is(codes('abc_ties', 'abc'), 'a a a a', 'equal sales, equal class');

-- visits x spend: all nine cells, many to few visits, much to little spent
CREATE TABLE visit AS
SELECT (3 - v) * 3 + (4 - s) AS id, date '2024-01-01' + 7 * i AS day, s * 60.00 / v AS amount
FROM generate_series(1, 3) AS v CROSS JOIN generate_series(1, 3) AS s CROSS JOIN LATERAL generate_series(1, v) AS i;
SELECT is((segment.create_portfolio('visit', 'SELECT * FROM visit')).customers, 9::bigint, 'nine cells');
SELECT is(codes('visit', 'visit_abc'), 'a b c b b c c c c', 'the lower of the two grades (default)');
SELECT is((segment.alter_portfolio('visit', settings => '{"visit_abc_rule": "higher"}')).customers, 9::bigint, 'higher');
SELECT is(codes('visit', 'visit_abc'), 'a a a a b b a b c', 'the higher of the two grades');
SELECT is((segment.alter_portfolio('visit', settings => '{"visit_abc_rule": "sum"}')).customers, 9::bigint, 'sum');
SELECT is(codes('visit', 'visit_abc'), 'a a b a b c b c c', 'by the sum of the grades');
SELECT is(codes('visit', 'usage_class'), 'heavy medium light heavy medium light heavy medium light', 'usage_class: thirds of the buyers by sales');

-- value: contribution less costs
CREATE TABLE value AS SELECT i AS id, date '2024-01-01' AS day, (110 - 10 * i)::numeric AS amount FROM generate_series(1, 10) AS i;
SELECT is((segment.create_portfolio('value', 'SELECT * FROM value', customers => 'SELECT generate_series(1, 12)',
	costs => 'SELECT * FROM (VALUES (10, date ''2024-01-01'', 15), (11, ''2024-01-01'', 3)) AS v',
	settings => '{"spend_model": "none", "margin": 1}')).customers, 12::bigint, 'value');
SELECT is(codes('value', 'value_class'), 'mvc mvc second second middle middle middle middle middle bz bz prospects',
	'without clv nobody is called growable; below zero are the customer and the prospect who cost more than they bring');
SELECT is((segment.alter_portfolio('value', costs => 'SELECT id, day, 1000 FROM value')).customers, 12::bigint, 'all cost too much');
SELECT is(codes('value', 'value_class'), 'bz bz bz bz bz bz bz bz bz bz prospects prospects', 'nobody below zero is called valuable');

-- Dormancy at its boundaries: all buy every 7 days, so that 7 days are the usual
-- gap of each; away for exactly 2, 3 and 5 of them, and a day longer.
CREATE TABLE away AS
SELECT id, date '2024-03-01' - days - earlier AS day, 10 AS amount
FROM unnest('{14,15,21,22,35,36}'::integer[]) WITH ORDINALITY AS a(days, id), unnest('{0,7}'::integer[]) AS earlier;
SELECT is((segment.create_portfolio('away', 'SELECT * FROM away')).customers, 6::bigint, 'away');
SELECT is((segment.refresh('away', as_of => '2024-03-01')).as_of, date '2024-03-01', 'seen from 2024-03-01');
SELECT is_empty($$ SELECT * FROM away.customer WHERE gap_ratio <> days_since_last / 7::float8 $$, 'in gaps of 7 days');
SELECT is(codes('away', 'dormancy'), 'active drowsy drowsy half_asleep half_asleep asleep', 'dormancy: a boundary belongs to the class before it');
SELECT is(codes('away', 'visit_type'), 'flexible flexible flexible flexible flexible lost', 'so does that of visit types');
SELECT is(codes('away', 'hsbc') ~ '^([a-d] ){5}e$', true, 'and of inactive customers');

-- rhythm: weekly, twice only, irregular; seen from 2024-03-01
CREATE TABLE rhythm AS
SELECT 1 AS id, date '2024-02-29' - 7 * i AS day, 10 AS amount FROM generate_series(0, 4) AS i
UNION ALL SELECT 2, d::date, 10 FROM unnest(ARRAY['2024-02-08', '2024-02-15']) AS d
UNION ALL SELECT 3, d::date, 10 FROM unnest(ARRAY['2023-11-30', '2023-12-01', '2023-12-02', '2023-12-03', '2024-02-29']) AS d
UNION ALL SELECT 4, date '2023-09-01' - 7 * i, 10 FROM generate_series(0, 4) AS i;
SELECT is((segment.create_portfolio('rhythm', 'SELECT * FROM rhythm', settings => '{"dormancy_prior_gaps": 0}')).customers, 4::bigint, 'rhythm');
SELECT is((segment.refresh('rhythm', as_of => '2024-03-01')).as_of, date '2024-03-01', 'seen from 2024-03-01');
SELECT is(codes('rhythm', 'visit_type'), 'loyal flexible flexible lost', 'visit types: regular, too few visits, irregular, gone');
SELECT results_eq('SELECT round(gap_ratio::numeric, 6) FROM rhythm.customer ORDER BY customer_id',
	-- 1 / 7, 15 / 7, 1 / 22.75, 182 / 7
	$$ VALUES (0.142857), (2.142857), (0.043956), (26.000000) $$, 'days since the last order in units of the own mean gap');
SELECT is(codes('rhythm', 'dormancy'), 'active drowsy active asleep', 'dormancy by the own rhythm');

-- ---------- ties ----------

-- 1,000 monthly payers, of whom 900 paid today: nobody of them is about to be lost
CREATE TABLE payer AS
SELECT i AS id, date '2024-12-28' - 30 * m AS day, 30 AS amount FROM generate_series(1, 1000) AS i, generate_series(CASE WHEN i > 900 THEN 4 ELSE 0 END, 11) AS m;
SELECT is((segment.create_portfolio('payer', 'SELECT * FROM payer')).customers, 1000::bigint, '1,000 monthly payers, of whom 900 paid today');
SELECT is((SELECT string_agg(DISTINCT r_score || '/' || f_score || '/' || m_score || ' ' || rfm_segment, ', ') FROM payer.customer WHERE customer_id <= 900),
	'5/5/5 champions', 'who paid today has the best scores');
SELECT is((SELECT string_agg(DISTINCT r_score || '/' || f_score || '/' || m_score || ' ' || rfm_segment, ', ') FROM payer.customer WHERE customer_id > 900),
	'1/1/1 hibernating', 'who stopped has the worst');
CREATE TABLE same AS SELECT i AS id, date '2024-12-28' AS day, 30 AS amount FROM generate_series(1, 100) AS i;
SELECT is((segment.create_portfolio('same', 'SELECT * FROM same')).customers, 100::bigint, 'all alike');
SELECT is((SELECT string_agg(DISTINCT rfm_cell || ' ' || rfm_segment || ' ' || rfm125, ', ') FROM same.customer), '333 need_attention potential_loyalist', 'all have the middle score');
SELECT is((SELECT concat(recency_cuts, frequency_cuts, monetary_cuts) FROM same.scorecard), '{-5e-324,-5e-324,0,0}{0.9999999999999999,0.9999999999999999,1,1}{29.999999999999996,29.999999999999996,30,30}', 'by these cut points');
-- 10 % with 1 order, 80 % with 12, 10 % with 13
CREATE TABLE many AS SELECT i AS id, date '2024-01-01' + k AS day, 1 AS amount FROM generate_series(1, 100) AS i,
	generate_series(1, CASE WHEN i <= 10 THEN 1 WHEN i <= 90 THEN 12 ELSE 13 END) AS k;
SELECT is((segment.create_portfolio('many', 'SELECT * FROM many')).customers, 100::bigint, '1, 12 and 13 orders');
SELECT is((SELECT string_agg(DISTINCT orders || ':' || f_score, ' ' ORDER BY orders || ':' || f_score) FROM many.customer), '12:3 13:5 1:1', 'get the frequency scores 1, 3 and 5');
-- every plan and the scores of single rows: the same as window functions over all
SELECT is_empty($$ SELECT c.customer_id FROM many.customer AS c JOIN (
		SELECT id, n, min(place) OVER (PARTITION BY n) AS first, max(place) OVER (PARTITION BY n) AS last
		FROM (SELECT id, count(*) AS n, row_number() OVER (ORDER BY count(*)) AS place FROM many GROUP BY id) AS s) AS w ON w.id = c.customer_id
	WHERE c.f_score <> CASE WHEN first = 1 THEN 1 WHEN last = 100 THEN 5 ELSE ((first - 1) * 5 / 100 + 1 + (last - 1) * 5 / 100 + 1) / 2 END $$,
	'as window functions give them');
-- a third bought once: they are those with few visits
CREATE TABLE third AS SELECT i AS id, date '2024-01-01' + k AS day, i AS amount FROM generate_series(1, 99) AS i,
	generate_series(1, CASE WHEN i <= 40 THEN 1 WHEN i <= 70 THEN 2 ELSE 3 + i % 5 END) AS k;
SELECT is((segment.create_portfolio('third', 'SELECT * FROM third', settings => '{"visit_abc_rule": "higher"}')).customers, 99::bigint, 'two fifths bought once');
SELECT is((SELECT string_agg(DISTINCT visit_abc, ' ') FROM third.customer WHERE customer_id <= 33), 'c', 'few visits and little spent is C, by the higher grade too');

-- ---------- returned ----------

-- 1 bought and returned all on the day; 2 bought twice, cancelled one at once; 3 only
-- returned; 4 returned later; 5 bought; 6 never did
CREATE TABLE returned AS SELECT * FROM (VALUES
	(1, date '2024-03-01', 168000.00, 50000.00), (1, '2024-03-01', -168000, -50000), (2, '2024-02-01', 80, 20), (2, '2024-03-01', 90, 20), (2, '2024-03-01', -90, -20),
	(3, '2024-03-01', -5, -1), (4, '2024-02-01', 60, 10), (4, '2024-03-01', -60, -10), (5, '2024-03-01', 40, 10)) AS v(id, day, amount, margin);
SELECT is((segment.create_portfolio('returned', 'SELECT id, day, amount FROM returned', customers => 'SELECT generate_series(1, 6)')).customers, 6::bigint, 'returns of many kinds');
SELECT is((SELECT string_agg(format('%s: %s %s %s', customer_id, visits, usage, usage_class), ', ' ORDER BY customer_id) FROM returned.customer),
	'1: 0 0.00 returns_only, 2: 1 80 heavy, 3: 0 0 returns_only, 4: 1 60 medium, 5: 1 40 light, 6: 0 0 none', 'usage does not count what was cancelled on the day');
SELECT is_empty($$ SELECT customer_id, scheme, class FROM returned.customer_class WHERE customer_id < 6 AND class IN ('prospects', 'f', 'none') $$,
	'who has ordered or returned is a prospect in no scheme');
SELECT is((SELECT count(*) FROM returned.customer_class AS c JOIN returned.class AS k USING (scheme, class) WHERE customer_id = 3 AND c.class IN ('returns_only', 'bz') AND k.label_zh <> k.label), 12::bigint,
	'returns only is a class of its own in all twelve, in both languages');
SELECT is((SELECT string_agg(next_step, ' ' ORDER BY customer_id) FROM returned.customer), 'returns_only best returns_only returns_only new prospects', 'who returned everything is offered nothing');
SELECT results_eq($$ SELECT count, money FROM returned.data_quality WHERE check_name = 'cancelled_same_day' $$, 'VALUES (2::bigint, 168090.00)', 'data_quality tells of the orders cancelled at once');
SELECT is((segment.alter_portfolio('returned', settings => '{"cancel_same_day": false}')).customers, 6::bigint, 'cancel_same_day off');
SELECT is((SELECT string_agg(format('%s: %s %s', customer_id, visits, usage), ', ' ORDER BY customer_id) FROM returned.customer),
	'1: 1 168000.00, 2: 2 170, 3: 0 0, 4: 1 60, 5: 1 40, 6: 0 0', 'then visits are purchase days, and usage is gross');

-- ---------- the middle of value_class ----------

CREATE TABLE middle AS SELECT i AS id, date '2024-01-01' AS day, i AS amount FROM generate_series(1, 100) AS i;
SELECT is((segment.create_portfolio('middle', 'SELECT * FROM middle', settings => '{"value_middle_classes": 3, "purchase_model": "none"}')).customers, 100::bigint, 'three classes in the middle');
SELECT is(counts('middle', 'value_class'), 'mvc=20 second=20 middle_1=20 middle_2=20 middle_3=20', 'of equal count, by net value');
UPDATE middle.scheme_class SET owner = 'Ada' WHERE class = 'middle_3';
SELECT is((segment.alter_portfolio('middle', settings => '{"value_middle_classes": 1}')).customers, 100::bigint, 'one again');
SELECT is(counts('middle', 'value_class'), 'mvc=20 second=20 middle=60', 'of all of them');
SELECT results_eq($$ SELECT class_rank, owner FROM middle.class WHERE scheme = 'value_class' AND class IN ('middle', 'bz') ORDER BY 1 $$, $$ VALUES (4, 'Ada'), (5, NULL) $$, 'ranks follow, and the owner stays');
SELECT throws_ok($$ SELECT segment.alter_portfolio('middle', settings => '{"value_middle_classes": 21}') $$, '22023', 'setting "value_middle_classes" must be from 1 to 20, not 21', 'not more than 20');

-- ---------- edges ----------

SELECT is((segment.create_portfolio('none', 'SELECT 1, date ''2024-01-01'', 1 WHERE false')).customers, 0::bigint, 'nobody');
SELECT is((segment.create_portfolio('only_prospects', 'SELECT 1, date ''2024-01-01'', 1 WHERE false', customers => 'SELECT generate_series(1, 5)')).customers, 5::bigint, 'prospects only');
SELECT is((segment.create_portfolio('only_refunds', 'SELECT i, date ''2024-01-01'', -1 FROM generate_series(1, 5) AS i')).customers, 5::bigint, 'refunds only');
SELECT is(breaches(p), 0::bigint, p || ': one class per customer and scheme') FROM unnest(ARRAY['none', 'only_prospects', 'only_refunds', 'abc', 'visit', 'value', 'rhythm']) AS p;
SELECT is((SELECT count(*) FROM only_prospects.customer_class WHERE class NOT IN ('prospects', 'f', 'none')), 0::bigint, 'prospects only');
SELECT is((SELECT string_agg(DISTINCT class, ' ' ORDER BY class) FROM only_refunds.customer_class), 'bz returns_only', 'refunds only: no prospects in any scheme; below zero where that is asked');

-- ---------- CDNOW ----------

\set orders_csv `cat "${SEGMENT_DATA:-../shared/data}/cdnow_orders.csv" 2>/dev/null`
SELECT length(:'orders_csv') > 0 AS have_data \gset
\if :have_data
CREATE TABLE cdnow AS
SELECT l[1]::integer AS customer, l[2]::date AS day, l[3]::numeric AS amount
FROM (SELECT string_to_array(line, ',') AS l FROM regexp_split_to_table(:'orders_csv', E'\r?\n') WITH ORDINALITY AS r(line, n)
	WHERE n > 1 AND line <> '') AS s;
SELECT is((segment.create_portfolio('cdnow', 'SELECT * FROM cdnow')).customers, 2357::bigint, 'CDNOW');
SELECT is(breaches('cdnow'), 0::bigint, 'CDNOW: one class per customer and scheme');
SELECT is_empty(format($$ SELECT c.customer_id FROM cdnow.customer AS c LEFT JOIN published AS p ON p.cell = c.rfm_cell AND p.scheme = %1$L
	WHERE c.%1$I IS DISTINCT FROM p.class $$, s), 'CDNOW: ' || s || ' is the published grid') FROM unnest(ARRAY['rfm125', 'rfm_segment']) AS s;
-- classes from the orders themselves, by other means
CREATE TABLE plain AS
SELECT p.*, rank() OVER (ORDER BY net DESC) AS net_rank,
	rank() OVER (ORDER BY clv DESC) AS clv_rank, count(*) OVER () AS n,
	sum(net) OVER (ORDER BY net DESC RANGE UNBOUNDED PRECEDING EXCLUDE GROUP) AS larger, sum(net) OVER () AS total
FROM (SELECT o.customer AS id, sum(o.amount) AS net, (SELECT clv FROM cdnow.customer AS c WHERE c.customer_id = o.customer)
	FROM cdnow AS o GROUP BY o.customer) AS p;
SELECT is_empty($$ SELECT * FROM plain JOIN cdnow.customer AS c ON c.customer_id = id WHERE c.abcd <> CASE
	WHEN net_rank <= ceil(n / 100.0) THEN 'a' WHEN net_rank <= ceil(n / 20.0) THEN 'b' WHEN net_rank <= ceil(n / 5.0) THEN 'c' ELSE 'd' END $$,
	'CDNOW: abcd by rank');
SELECT is_empty($$ SELECT * FROM plain JOIN cdnow.customer AS c ON c.customer_id = id WHERE c.abc <> CASE
	WHEN plain.net <= 0 THEN 'c' WHEN coalesce(larger, 0) < 0.8 * total THEN 'a' WHEN coalesce(larger, 0) < 0.95 * total THEN 'b' ELSE 'c' END $$,
	'CDNOW: abc by what larger customers bring');
SELECT is_empty($$ SELECT * FROM plain JOIN cdnow.customer AS c ON c.customer_id = id WHERE c.value_class <> CASE
	WHEN net_rank <= ceil(n / 5.0) THEN 'mvc' WHEN clv_rank <= ceil(n / 5.0) THEN 'mgc' ELSE 'middle' END $$,
	'CDNOW: value classes by rank of net value, then of clv');
SELECT is((SELECT count(*) FROM cdnow.customer WHERE value_class = 'mgc' AND clv IS NOT NULL) > 0, true, 'CDNOW: clv decides');
\else
SELECT * FROM skip('no test data: set SEGMENT_DATA to their directory', 8);
\endif

-- ---------- a class changes only when history or scorecard does ----------

CREATE TABLE before AS SELECT * FROM visit.customer_class;
INSERT INTO visit SELECT 100 + i, date '2024-01-20', 500 FROM generate_series(1, 50) AS i;
SELECT results_eq('TABLE before ORDER BY 1, 2', 'SELECT * FROM visit.customer_class ORDER BY 1, 2', 'orders of others change nobody before a refresh');
INSERT INTO visit.customer_history (customer_id, purchases, listed) SELECT 200, segment.history_agg('2024-01-20'::date, 900), false;
SELECT results_eq('TABLE before ORDER BY 1, 2', 'SELECT * FROM visit.customer_class WHERE customer_id <> 200 ORDER BY 1, 2',
	'and a new history nobody else, with the same scorecard');
CREATE TABLE first_day AS SELECT * FROM visit.customer WHERE customer_id < 10;
CREATE TABLE first_card AS SELECT * FROM visit.scorecard ORDER BY scorecard_id DESC LIMIT 1;
SELECT is((segment.refresh('visit', '2024-02-10')).as_of, date '2024-02-10', 'refresh with 50 new customers');
SELECT isnt((SELECT cuts FROM first_card), (SELECT cuts FROM visit.scorecard ORDER BY scorecard_id DESC LIMIT 1), 'the cuts have changed');
SELECT results_eq('TABLE first_day ORDER BY 1', format('SELECT * FROM visit.customer_at(%L) WHERE customer_id < 10 ORDER BY 1', (SELECT as_of FROM first_card)),
	'customer_at: a day is judged by the scorecard of that day');
-- a later scheme judges days before it by its first cuts, not by its default
SELECT is((segment.create_scheme('visit', 'big', '[{"class": "big", "rule": "gross >= big_gross -- more than half of it"}, {"class": "small"}]',
	'{"big_gross": "SELECT avg(GROSS) FROM customers WHERE orders > 0 -- mean"}')).customers, 59::bigint, 'a scheme with a cut, both ending in comments');
SELECT is((SELECT string_agg(DISTINCT cuts ->> 'big_gross', ',') FROM visit.scorecard),
	(SELECT (sum(gross) / 59)::text FROM visit.customer), 'its cut is in all scorecards');
SELECT is((SELECT count(*) FROM visit.customer_at('2024-01-20') WHERE big = 'big'), 50::bigint, 'customer_at knows it');
SELECT is(breaches('visit'), 0::bigint, 'one class per customer and scheme, with the new one');
SELECT is(col_description('visit.customer'::regclass, attnum), 'class in the scheme big (view class)', 'its column has a comment')
FROM pg_attribute WHERE attrelid = 'visit.customer'::regclass AND attname = 'big';

-- ---------- lookups by key ----------

SELECT ok(plan_of(format('SELECT * FROM p_1000.%I WHERE customer_id = 17', v)) ~ 'Index Scan using kept_customer_pkey'
	AND plan_of(format('SELECT * FROM p_1000.%I WHERE customer_id = 17', v)) !~ 'Seq Scan on (kept_customer|customer_history)', v || ' by key is an index lookup')
FROM unnest(ARRAY['customer', 'customer_class', 'customer_action']) AS v;
SELECT ok(plan_of('SELECT * FROM p_1000.customer_action') !~ 'clv|expected_purchases', 'customer_action computes the scheme that leads, not the models');

-- ---------- own schemes ----------

SELECT is((segment.create_scheme('grid', 'only_one', '[{"class": "all", "priority": 2, "label": "everybody", "label_zh": "全部", "owner": "Ada"}]')).customers, 127::bigint, 'a scheme of its default class');
SELECT is(counts('grid', 'only_one'), 'all=127', 'everybody is in it');
SELECT is((segment.create_scheme('grid', 'nulls', '[{"class": "late", "rule": "days_since_last > 3"}, {"class": "unknown", "rule": "NULL"}, {"class": "rest"}]')).customers,
	127::bigint, 'rules that are NULL');
SELECT is(counts('grid', 'nulls'), 'late=50 rest=77', 'NULL is not true: the next rule, at last the default');
SELECT is((segment.create_scheme('grid', 'vip', '[{"class": "vip", "rule": "customer_id IN (1, 555)"}, {"class": "other"}]')).customers, 127::bigint, 'a rule on the key');
SELECT is((SELECT string_agg(customer_id::text, ',' ORDER BY customer_id) FROM grid.customer WHERE vip = 'vip'), '1,555', 'names customers');
-- the default first: it is still the default
SELECT is((segment.create_scheme('grid', 'first', '[{"class": "rest"}, {"class": "five", "rule": "m_score = 5"}]')).customers, 127::bigint, 'default listed first');
SELECT is(counts('grid', 'first'), 'rest=102 five=25', 'the default takes what no rule does, wherever it stands');
-- three defects, each shown: an unreachable class, uncovered cells, a rule that overlaps
SELECT is((segment.create_scheme('grid', 'defect', '[{"class": "good", "rule": "r_score >= 4"}, {"class": "best", "rule": "r_score = 5 AND f_score = 5"},
	{"class": "frequent", "rule": "f_score = 5"}, {"class": "nobody", "rule": "m_score > 5"}, {"class": "rest"}]')).customers, 127::bigint, 'a defective scheme');
SELECT results_eq($$ SELECT class, cells, hidden, verdict FROM segment.scheme_check('grid', 'defect') $$, $$ VALUES
	('good', 50::bigint, 0::bigint, 'ok'),
	('best', 0, 5, 'earlier rules take every score cell of this class'),
	('frequent', 15, 10, 'earlier rules take some score cells of this class'),
	('nobody', 0, 0, 'no score cell reaches this class'),
	('rest', 60, 0, 'default class also takes score cells that no rule covers') $$, 'scheme_check shows all defects');
SELECT results_eq($$ SELECT class, customers, cells, hidden, verdict FROM segment.scheme_check('grid', 'vip') $$, $$ VALUES
	('vip', 2::bigint, NULL::bigint, NULL::bigint, 'ok'), ('other', 125, NULL, NULL, 'ok') $$, 'rules on more than scores are counted by customers');

-- the scheme that leads
SELECT is((segment.alter_portfolio('grid', settings => '{"leading_scheme": "defect"}')).customers, 127::bigint, 'another scheme leads');
SELECT results_eq('SELECT scheme, class, count(*) FROM grid.customer_action GROUP BY 1, 2 ORDER BY 2',
	$$ VALUES ('defect', 'frequent', 15::bigint), ('defect', 'good', 50), ('defect', 'rest', 62) $$, 'customer_action follows it, one row per customer');

-- ---------- rights ----------

CREATE ROLE segment_scheme_owner;
CREATE ROLE segment_scheme_reader;
GRANT USAGE ON SCHEMA scheme_test TO segment_scheme_owner;
GRANT SELECT ON grid TO segment_scheme_owner;
DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO segment_scheme_owner', current_database()); END $$;
CREATE FUNCTION who() RETURNS integer LANGUAGE sql STABLE RETURN (current_user = 'segment_scheme_owner')::integer;
SET ROLE segment_scheme_owner;
SELECT is((segment.create_portfolio('owned', 'SELECT id, day, amount FROM grid')).customers, 125::bigint, 'a portfolio of another role');
GRANT USAGE ON SCHEMA owned TO segment_scheme_reader;
GRANT SELECT ON owned.customer TO segment_scheme_reader;
GRANT SELECT (customer_id, class) ON owned.customer_class TO segment_scheme_reader;
REVOKE EXECUTE ON FUNCTION owned.customer_at(date) FROM PUBLIC;
RESET ROLE;
SELECT is((segment.create_scheme('owned', 'mine', '[{"class": "a", "rule": "orders > is_owner"}, {"class": "b"}]', '{"is_owner": "SELECT scheme_test.who()"}')).customers,
	125::bigint, 'a superuser adds a scheme to it');
SELECT is((SELECT cuts ->> 'is_owner' FROM owned.scorecard ORDER BY scorecard_id DESC LIMIT 1), '1', 'and its cuts are run as the owner');
CREATE TABLE rights AS SELECT * FROM segment_internal.portfolio_grants('owned');
SELECT ok((SELECT count(*) FROM rights) >= 3, 'there are rights');
SELECT is((segment.drop_scheme('owned', 'mine')).customers, 125::bigint, 'a scheme is dropped');
SELECT set_eq('TABLE rights', $$ SELECT * FROM segment_internal.portfolio_grants('owned') $$, 'and the rights on the views, their columns and functions stay');
SELECT is(has_function_privilege('segment_scheme_reader', 'owned.customer_at(date)', 'EXECUTE'), false, 'also where there are fewer than usual');
SELECT hasnt_column('owned'::name, 'customer'::name, 'mine'::name, 'the column is gone');
SET ROLE segment_scheme_reader;
SELECT is((SELECT count(*) FROM owned.customer), 125::bigint, 'a reader reads');
SELECT throws_ok(format(s, 'owned'), '42501', 'must be owner of portfolio "owned"', 'and nothing more: ' || split_part(s, '(', 1)) FROM unnest(ARRAY[
	$$SELECT segment.create_scheme(%L, 'x', '[{"class": "a"}]')$$, $$SELECT segment.alter_scheme(%L, 'abc', '[{"class": "a"}]')$$,
	$$SELECT segment.drop_scheme(%L, 'abc')$$]) AS s;
SELECT throws_ok($$ SELECT * FROM segment.scheme_check('owned', 'abc') $$, '42501', 'must be owner or reader of portfolio "owned"', 'since not all views are granted: scheme_check');
RESET ROLE;

SELECT * FROM finish();
ROLLBACK;
