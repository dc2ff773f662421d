--
-- Cut points of amounts, exact sums and means, medians of classes, and the
-- cuts of schemes: against the server's own aggregates, and the same bits
-- whatever the order of rows, their partition and the number of workers
--
-- Takes long: so that it begins first where files run side by side
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
SELECT plan(77);

-- ---------- cut points of amounts ----------

-- kinds of amounts: usual money, many decimals, too large and too precise for
-- 64 bits, equal ones shown differently
SELECT setseed(0.4);
CREATE TEMP TABLE amount AS
SELECT kind, n, i, a FROM unnest('{1,2,3,31,33,100,1000,3000}'::integer[]) n, LATERAL (
	SELECT 'money' AS kind, i, round((1000 * random() - 300)::numeric, 2) AS a FROM generate_series(1, n) i
	UNION ALL SELECT 'positive', i, round((exp(8 * random()))::numeric, 2) FROM generate_series(1, n) i
	UNION ALL SELECT 'decimals', i, round((10 * random() - 5)::numeric, i % 10) FROM generate_series(1, n) i
	UNION ALL SELECT 'whole', i, floor(10 * random())::numeric FROM generate_series(1, n) i
	UNION ALL SELECT 'all equal', i, 12.5 FROM generate_series(1, n) i
	UNION ALL SELECT 'large', i, round((random() * 1e12)::numeric, 2) + (i % 7) * 1e25 FROM generate_series(1, n) i
	UNION ALL SELECT 'late', i, CASE i WHEN n THEN 1e12 + 0.000000001 ELSE 1e9 + i END FROM generate_series(1, n) i
	UNION ALL SELECT 'precise', i, i / 7.0 + 1e-30 FROM generate_series(1, n) i
	UNION ALL SELECT 'losses', i, -1 - i % 3 FROM generate_series(1, n) i) AS s;
CREATE TEMP TABLE cutting AS
SELECT k.kind, k.n, g, segment.amount_cuts(a, g) AS cuts, segment.top_cuts(a, g) AS top, segment.share_cuts(a, g) AS share,
	array_agg(a ORDER BY a) AS sorted
FROM amount AS k, unnest('{1,2,3,20,100}'::integer[]) g
WHERE n < 1000
GROUP BY k.kind, k.n, g;

SELECT is_empty($$
	SELECT kind, n, g, j, cuts[j] FROM cutting, generate_series(1, g - 1) j
	WHERE cuts[j] IS DISTINCT FROM sorted[(j::bigint * n + g - 1) / g] $$, 'amount_cuts are the amounts at the ranks');
SELECT is_empty($$
	SELECT kind, n, g, j, top[j] FROM cutting, generate_series(1, g - 1) j
	WHERE top[j] IS DISTINCT FROM sorted[n + 1 - (j::bigint * n + g - 1) / g] $$, 'top_cuts count from the top');
SELECT is_empty($$
	WITH larger AS MATERIALIZED (
		SELECT kind, n, a, sum(a) OVER (PARTITION BY kind, n ORDER BY a DESC) - a * count(*) OVER (PARTITION BY kind, n, a) AS larger,
			sum(a) OVER (PARTITION BY kind, n) AS total
		FROM amount WHERE a > 0 AND n <= 33)
	SELECT c.kind, c.n, g, j, share[j] FROM cutting AS c, generate_series(1, g - 1) j
	WHERE c.n <= 33 AND share[j] IS DISTINCT FROM (SELECT min(l.a) FROM larger AS l
		WHERE l.kind = c.kind AND l.n = c.n AND l.larger * g < j * l.total) $$,
	'share_cuts are the least of those who bring the first shares of the total');
SELECT is_empty($$ SELECT kind, n FROM cutting WHERE g = 1 AND (cuts <> '{}' OR top <> '{}' OR share <> '{}') $$, 'one group has no cut point');
SELECT ok(bool_and(share IS NULL), 'no share of nothing') FROM cutting WHERE kind = 'losses' AND g > 1;
-- a share that is reached exactly, by amounts of money and by wide numerics
SELECT is(segment.share_cuts(a * unit, 2), ARRAY[2 * unit], format('the first half of 2, 1 and 1 is the 2, in units of %s', unit))
FROM unnest('{1,0.01,1e16,1e27,1e28,1e-20}'::numeric[]) unit, unnest('{2,1,1}'::numeric[]) a GROUP BY unit ORDER BY unit;
SELECT is(segment.amount_cuts(a, 3), NULL, 'without amounts NULL') FROM (SELECT NULL::numeric AS a) AS s;
SELECT is(segment.amount_cuts(a, 2)::text, '{1.000}', 'of equal amounts the one with the most decimals, in any order')
FROM (VALUES (1::numeric), (1.000), (1.0), (NULL), (2), (2)) AS v(a);
SELECT is(segment.top_cuts(a, 2)::text, '{1.000}', 'backwards too') FROM (VALUES (2::numeric), (1.0), (1.000), (1)) AS v(a) WHERE a < 2;
SELECT is(segment.amount_cuts(a, 2)::text, '{100000000000000000000000000001.50}', 'also of numerics that do not fit into 64 bits')
FROM (VALUES (100000000000000000000000000001.5), (100000000000000000000000000001.50), (200000000000000000000000000001)) AS v(a);
SELECT throws_ok(format('SELECT segment.%I(a, g) FROM (VALUES %s) AS v(a, g)', f, v), state)
FROM unnest('{amount_cuts,top_cuts,share_cuts}'::text[]) f, (VALUES
	('(1::numeric, 0)', '22023'), ('(1::numeric, 3), (2, 4)', '22023'), ('(''NaN''::numeric, 3)', '22023'),
	('(''-Infinity''::numeric, 3)', '22023'), ('(1::numeric, 1000001)', '54000')) AS e(v, state);
-- Cut points are no longer than their text may be: an array of a million
-- numbers of 131,000 digits takes little memory as it is, and more than any
-- server has as text.
SELECT throws_ok(format('SELECT segment.%I(1e131000, n) FROM (VALUES (%s)) AS v(n)', f, n), '54000',
	'cut points are too long', format('%s: %s numbers of 131,001 digits', f, n - 1))
FROM unnest('{amount_cuts,top_cuts,share_cuts}'::text[]) f, unnest('{514,1000000}'::integer[]) n;
SELECT is(length(segment.share_cuts(1e131000, 513)::text), 512 * 131001 + 511 + 2, 'but 512 are there');
SELECT is(cardinality(segment.top_cuts(a, 1000000)), 999999, 'and a million of 38 digits')
FROM (VALUES (12345678901234567890123456789.123456789)) AS v(a);

-- ---------- sums and means of floats ----------

CREATE TEMP TABLE float AS
SELECT g, i, CASE WHEN i % 97 = 0 THEN NULL WHEN i % 3 = 0 THEN (1 + i % 1000) / (1.0 + i % 13)
	WHEN i % 3 = 1 THEN exp(-30 * random()) WHEN g = 5 THEN (random() - 0.5) * 1e12 ELSE 1e5 * random() END::float8 AS v
FROM generate_series(1, 8) g, generate_series(1, 3000) i;
INSERT INTO float SELECT 9, i, v FROM (VALUES (1, 0.3::float8), (2, 9.9999999999999999), (3, 99999.9999999999999), (4, 1e-6), (5, 0.1), (6, 1)) AS s(i, v);
INSERT INTO float VALUES (10, 1, 'NaN'), (10, 2, 1);
-- at the ends of what is summed in integers; zeros and both signs
INSERT INTO float SELECT 11, i, v FROM (VALUES (1, 99999.9999999999::float8), (2, -1e5), (3, 123456.789012345), (4, 999999999999999), (5, -1e15), (6, 0), (7, '-0'),
	(8, -0.5), (9, 2e15), (10, -9.99999e-7)) AS s(i, v);
INSERT INTO float SELECT 12, i, v FROM (VALUES (1, 100000::float8), (2, 7e14), (3, -123456789)) AS s(i, v);
INSERT INTO float SELECT 13, i, (CASE WHEN i % 2 = 0 THEN -1 ELSE 1 END) * 10 ^ (-7 + 24 * random()) FROM generate_series(1, 3000) AS i;
SELECT results_eq('SELECT g, segment.exact_avg(v), segment_internal.exact_sum(v)::text FROM float GROUP BY g ORDER BY g',
	'SELECT g, avg(v::numeric)::float8, sum(v::numeric)::text FROM float GROUP BY g ORDER BY g', 'exact_avg and exact_sum are those of numeric');
SELECT is((segment.exact_avg(v), segment_internal.exact_sum(v))::text, '(,)', 'without values NULL') FROM (SELECT NULL::float8 AS v) AS s;

-- ---------- medians of classes ----------

CREATE TEMP TABLE customer AS
SELECT i, 1 + (i * 7919) % 6 AS grp, CASE WHEN i % 11 > 0 THEN floor(100 * random()) END AS v, a
FROM amount WHERE kind = 'money' AND n = 3000;
-- two schemes: three classes with the numbers 1 to 3, two with 4 and 5
CREATE TEMP TABLE class AS
SELECT grp, number FROM unnest('{1,2,3,4,5,6}'::integer[], '{1,1,2,2,3,3}'::integer[]) AS u(grp, number)
UNION ALL SELECT grp, 4 + grp % 2 FROM generate_series(1, 6) grp;
SELECT results_eq(
	$$ SELECT number, m.v[number], m.a[number] FROM generate_series(1, 5) number, (
		SELECT segment_internal.class_medians(grp, ARRAY[v], x.c) AS v, segment_internal.class_medians(grp, ARRAY[NULL, a::float8], x.c) AS a
		FROM customer, (SELECT '{{1,1,2,2,3,3},{5,4,5,4,5,4}}'::integer[] AS c) AS x) AS m ORDER BY number $$,
	$$ SELECT number, percentile_disc(0.5) WITHIN GROUP (ORDER BY v), percentile_disc(0.5) WITHIN GROUP (ORDER BY a::float8)
	FROM customer JOIN class USING (grp) GROUP BY number ORDER BY number $$, 'medians of all classes');
SELECT results_eq('SELECT segment_internal.class_medians(grp, v, ''{{1,1,2,2,3,3},{5,4,5,4,5,4}}'') FROM (SELECT grp, array_agg(v) AS v FROM customer GROUP BY grp) AS g',
	'SELECT segment_internal.class_medians(grp, ARRAY[v], ''{{1,1,2,2,3,3},{5,4,5,4,5,4}}'') FROM customer', 'also of many values together');
SELECT throws_ok('SELECT segment_internal.class_medians(3, ARRAY[1::float8], ''{{1,2}}'')', '22023', NULL, 'a group out of range');
SELECT throws_ok('SELECT segment_internal.class_medians(1, ARRAY[1::float8], ''{{1,3}}'')', '22023', NULL, 'a class out of range');
SELECT throws_ok('SELECT segment_internal.class_medians(1, ARRAY[1::float8], ''{1,2}'')', '2202E', NULL, 'no matrix');
SELECT throws_ok('SELECT segment_internal.class_medians(1, ''{NaN}''::float8[], ''{{1,2}}'')', '22023', NULL, 'not a number');

-- ---------- any order, any number of workers ----------

CREATE TABLE spread AS
SELECT kind, i, a, (a % 1000)::float8 / 7 AS v, 1 + i % 6 AS grp FROM amount WHERE n = 3000;
ALTER TABLE spread SET (parallel_workers = 3);
ANALYZE spread;
CREATE TEMP TABLE way (way text, result text);
CREATE FUNCTION pg_temp.all_of(source text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	EXECUTE format('SELECT string_agg(r::text, E''\n'' ORDER BY kind) FROM (
		SELECT kind, segment.amount_cuts(a, 7) AS c, segment.top_cuts(a, 20) AS t, segment.share_cuts(a, 20) AS s,
			segment.exact_avg(v) AS m, segment_internal.exact_sum(v) AS u,
			segment_internal.class_medians(grp, ARRAY[v], ''{{1,1,2,2,3,3},{5,4,5,4,5,4}}'') AS d,
			segment_internal.class_medians(grp, ARRAY[a::float8], ''{{1,1,2,2,3,3},{5,4,5,4,5,4}}'') AS e
		FROM %s GROUP BY kind) AS r', source) INTO result;
	RETURN result;
END $$;
SET LOCAL max_parallel_workers_per_gather = 0;
INSERT INTO way SELECT w, pg_temp.all_of(s) FROM (VALUES ('plain', 'spread'),
	('backwards', '(SELECT * FROM spread ORDER BY a DESC, i DESC OFFSET 0) AS s'),
	('mixed', '(SELECT * FROM spread ORDER BY hashint4(i), a OFFSET 0) AS s')) AS o(w, s);
SET LOCAL max_parallel_workers_per_gather = 3;
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
CREATE FUNCTION pg_temp.plan_of(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE 'EXPLAIN (COSTS OFF) ' || query;
END $$;
SELECT ok(bool_or(p LIKE '%Partial %Aggregate%'), 'parts are computed by workers')
FROM pg_temp.plan_of('SELECT kind, segment.amount_cuts(a, 7), segment_internal.exact_sum(v), segment_internal.class_medians(grp, ARRAY[a::float8], ''{{1,1,2,2,3,3}}'') FROM spread GROUP BY kind') AS p;
DO $$
DECLARE
	w text;
	result text;
BEGIN
	FOREACH w IN ARRAY ARRAY['on', 'off'] LOOP
		PERFORM set_config('parallel_leader_participation', w, true);
		result := pg_temp.all_of('spread');
		INSERT INTO way VALUES (w, result);
	END LOOP;
END $$;
SELECT is(count(*)::text || count(DISTINCT result), '51', 'five ways, one result') FROM way;

-- ---------- the cuts of schemes ----------

CREATE TABLE orders AS
SELECT i % 700 AS customer, '2024-01-01'::date + (i * 7919) % 400 AS day, round((i * 31 % 977 - 60) / 7.0, 2) AS amount
FROM generate_series(1, 5000) i;
SELECT customers FROM segment.create_portfolio('cut_shop', 'SELECT * FROM orders', timezone => 'UTC') \gset
SELECT is(:customers, 700, 'a portfolio');
CREATE TEMP TABLE before AS SELECT cuts FROM cut_shop.scorecard;
SELECT lives_ok($$ SELECT segment.create_scheme('cut_shop', 'mixed', '[{"class": "a", "rule": "net > one AND clv > three"}, {"class": "b"}]', '{
	"one": "avg(net) FILTER (WHERE orders > 1) -- of those who came again",
	"two": "SELECT avg(net) FROM customers WHERE orders > 1",
	"three": "segment.exact_avg(clv)",
	"four": "(SELECT segment.exact_avg(clv) FROM customers)",
	"five": "42",
	"six": "max(orders) FILTER (WHERE r_score = 5)",
	"seven": "WITH c AS (SELECT * FROM customers) SELECT count(*) FROM c",
	"eight": "count(customers) FILTER (WHERE (customers).clv > 0)"}') $$, 'cuts: expressions and queries');
SELECT results_eq($$ SELECT s.cuts ->> k FROM cut_shop.scorecard AS s, unnest('{one,three,six,eight,seven,five}'::text[]) k
	WHERE scorecard_id = (SELECT max(scorecard_id) FROM cut_shop.scorecard) $$,
	$$ SELECT v FROM cut_shop.scorecard AS s, LATERAL (SELECT array[
		(s.cuts ->> 'two'), ((SELECT segment.exact_avg(clv) FROM cut_shop.customer)::text::numeric)::text,
		(SELECT max(orders) FROM cut_shop.customer WHERE r_score = 5)::text,
		(SELECT count(*) FROM cut_shop.customer WHERE clv > 0)::text, '700', '42']) AS x(w), unnest(w) v
	WHERE scorecard_id = (SELECT max(scorecard_id) FROM cut_shop.scorecard) $$, 'all have the right values');
SELECT is(s.cuts - 'one' - 'two' - 'three' - 'four' - 'five' - 'six' - 'seven' - 'eight', f.cuts, 'and the others stay')
FROM cut_shop.scorecard AS s, before AS f WHERE s.scorecard_id = 2;
CREATE FUNCTION pg_temp.wrong(cut text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM segment.create_scheme('cut_shop', 'wrong', '[{"class": "a"}]', jsonb_build_object('bad', cut));
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
SELECT is(pg_temp.wrong(q), message, q) FROM (VALUES
	('sum(nothing)', '42703 cut "bad" of scheme "wrong": column "nothing" does not exist'),
	('net', '42803 cut "bad" of scheme "wrong": column "customers.net" must appear in the GROUP BY clause or be used in an aggregate function'),
	('avg(net)), (avg(gross)', '42601 cut "bad" of scheme "wrong": subquery must return only one column'),
	('1 / (count(*) - 700)', '22012 cut "bad" of scheme "wrong": division by zero'),
	('sum(1 / (days_since_last - days_since_last)) FILTER (WHERE clv IS NOT NULL)', '22012 cut "bad" of scheme "wrong": division by zero'),
	('SELECT net FROM customers', '21000 cut "bad" of scheme "wrong": more than one row returned by a subquery used as an expression')
) AS e(q, message);
SELECT is((SELECT count(*) FROM cut_shop.scorecard), 2::bigint, 'which leaves nothing behind');
-- whether a cut waits for the scorecard is told by its parse tree
SELECT is(segment_internal.cut_is_scored('cut_shop', cut), scored, format('%s %s', cut, CASE WHEN scored THEN 'waits' ELSE 'does not wait' END))
FROM (VALUES ('avg(net)', false), ('avg(customers.net) FILTER (WHERE customers.orders > 1)', false), ('max(days_since_last) -- not clv', false),
	($$ count(*) FILTER (WHERE 'clv' <> customer_id::text) $$, false), ('avg("net")', false), ('42', false),
	('avg("clv")', true), (E'avg(U&"\\0063lv")', true), ('avg(customers.p_alive)', true), ('max(rfm_cell)', true), ('count(customers)', true), ('max(customers.*::text)', true),
	('SELECT max(net) FROM customers', true), ('(SELECT max(net) FROM customers) * 2', true), ('sum(nothing)', true)) AS v(cut, scored);

-- a rule for those without scores takes no cell, whatever else it asks
SELECT mode FROM segment.create_scheme('cut_shop', 'cells', '[{"class": "returned", "rule": "(refunded > 0 OR net < 0) AND orders = 0 AND f_score IS NULL"},
	{"class": "not", "rule": "NOT (m_score IS NULL OR r_score < 5)"}, {"class": "rest"}]') \g /dev/null
SELECT results_eq($$ SELECT class, cells, verdict FROM segment.scheme_check('cut_shop', 'cells') $$,
	$$ VALUES ('returned', 0::bigint, 'ok'), ('not', 25, 'ok'), ('rest', 100, 'default class also takes score cells that no rule covers') $$, 'so scores decide');

SELECT is(customers, 0::bigint, 'an empty portfolio')
FROM segment.create_portfolio('cut_empty', 'SELECT * FROM orders WHERE false', timezone => 'UTC');
SELECT is(s.cuts - 'rfm8_recency', (SELECT jsonb_object_agg(cut, NULL) FROM cut_empty.scheme_cut WHERE cut <> 'rfm8_recency'), 'has cuts without values')
FROM cut_empty.scorecard AS s;

SELECT * FROM finish();
ROLLBACK;
