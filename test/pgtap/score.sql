--
-- Scores: cut points against sorting, the sizes of groups, ties, units, and the
-- same bits whatever the order of rows, their partition and the number of workers
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
SELECT plan(62);

-- ---------- cut points equal those of a sorted list ----------

-- Shapes of data that are hard for one or another way to select.
SELECT setseed(0.7);
CREATE TEMP TABLE shaped AS
SELECT shape, n, v FROM unnest('{1,2,3,31,32,33,34,100,1000,5000}'::integer[]) n,
	LATERAL (
		SELECT 'ascending' AS shape, i::float8 AS v FROM generate_series(1, n) i
		UNION ALL SELECT 'descending', -i FROM generate_series(1, n) i
		UNION ALL SELECT 'organ pipe', abs(n / 2.0 - i) FROM generate_series(1, n) i
		UNION ALL SELECT 'all equal', 0.1 FROM generate_series(1, n) i
		UNION ALL SELECT 'two values', i % 2 FROM generate_series(1, n) i
		UNION ALL SELECT 'one outlier', CASE i WHEN 1 THEN 1e300 ELSE 1 END FROM generate_series(1, n) i
		UNION ALL SELECT 'both signs', (random() - 0.5) * 10 FROM generate_series(1, n) i
		UNION ALL SELECT 'every magnitude', (i % 2 * 2 - 1) * 2::float8 ^ (i % 2098 - 1074) FROM generate_series(1, n) i
		UNION ALL SELECT 'neighbours', 1 + i * 2::float8 ^ -52 FROM generate_series(1, n) i
		UNION ALL SELECT 'whole numbers', floor(10 * random()) FROM generate_series(1, n) i
		UNION ALL SELECT 'money', floor(100 * exp(8 * random())) / 100 FROM generate_series(1, n) i
		UNION ALL SELECT 'zeros of both signs', CASE i % 3 WHEN 0 THEN 0 WHEN 1 THEN '-0'::float8 ELSE i - n / 2 END
			FROM generate_series(1, n) i) AS s;

CREATE TEMP TABLE selected AS
SELECT shape, n, groups, sorted, cuts
FROM (SELECT shape, n, array_agg(v ORDER BY v) AS sorted FROM shaped GROUP BY shape, n) AS s
JOIN (SELECT shape, n, 1 AS groups, segment.quantile_cuts(v, 1) AS cuts FROM shaped GROUP BY shape, n
	UNION ALL SELECT shape, n, 2, segment.quantile_cuts(v, 2) FROM shaped GROUP BY shape, n
	UNION ALL SELECT shape, n, 3, segment.quantile_cuts(v, 3) FROM shaped GROUP BY shape, n
	UNION ALL SELECT shape, n, 5, segment.quantile_cuts(v, 5) FROM shaped GROUP BY shape, n
	UNION ALL SELECT shape, n, 10, segment.quantile_cuts(v, 10) FROM shaped GROUP BY shape, n
	UNION ALL SELECT shape, n, 97, segment.quantile_cuts(v, 97) FROM shaped GROUP BY shape, n
	UNION ALL SELECT shape, n, 1000, segment.quantile_cuts(v, 1000) FROM shaped GROUP BY shape, n
	UNION ALL SELECT shape, n, 12345, segment.quantile_cuts(v, 12345) FROM shaped GROUP BY shape, n) AS q
USING (shape, n);

SELECT is(count(*), 12 * 10 * 8::bigint, 'all shapes, sizes and numbers of groups') FROM selected;
SELECT is_empty($$ SELECT shape, n, groups FROM selected WHERE cardinality(cuts) <> groups - 1 $$,
	'n groups have n - 1 cut points');
-- the i-th cut point is the value in place ceil(i N / n) of the sorted list
SELECT is_empty($$
	SELECT shape, n, groups FROM selected
	WHERE cuts <> ARRAY(
		SELECT v FROM generate_series(1, groups - 1) i
		LEFT JOIN unnest(sorted) WITH ORDINALITY AS u(v, place) ON place = (i::bigint * n + groups - 1) / groups
		ORDER BY i) $$,
	'the cut points are those of the sorted list');
SELECT is_empty($$
	SELECT shape, n, groups, cuts FROM selected WHERE '-0' = ANY (cuts::text[]) $$,
	'no cut point is minus zero');
-- percentile_disc takes a float8 i/n: exact for powers of two
SELECT is_empty($$
	SELECT shape, n FROM shaped GROUP BY shape, n
	HAVING segment.quantile_cuts(v, 8) <>
		percentile_disc('{0.125,0.25,0.375,0.5,0.625,0.75,0.875}'::float8[]) WITHIN GROUP (ORDER BY v) $$,
	'the cut points are those of percentile_disc');

-- ---------- groups ----------

CREATE TEMP TABLE sizes AS
WITH cut AS (
	SELECT n, groups, cuts FROM generate_series(1, 150) n,
		LATERAL (
			SELECT 2 AS groups, segment.quantile_cuts(i, 2) AS cuts FROM generate_series(1, n) i
			UNION ALL SELECT 3, segment.quantile_cuts(i, 3) FROM generate_series(1, n) i
			UNION ALL SELECT 5, segment.quantile_cuts(i, 5) FROM generate_series(1, n) i
			UNION ALL SELECT 10, segment.quantile_cuts(i, 10) FROM generate_series(1, n) i
			UNION ALL SELECT 60, segment.quantile_cuts(i, 60) FROM generate_series(1, n) i) AS s)
SELECT n, groups, g AS score,
	(SELECT count(*) FROM generate_series(1, n) i WHERE segment.score(i, cuts) = g) AS size
FROM cut, generate_series(1, groups) g;

SELECT is_empty($$ SELECT n, groups FROM sizes GROUP BY n, groups HAVING max(size) - min(size) > 1 $$,
	'groups of distinct values differ in size by at most one');
SELECT is_empty($$ SELECT n, groups FROM sizes GROUP BY n, groups HAVING sum(size) <> n $$,
	'everybody is in a group');
SELECT is_empty($$ SELECT n, groups FROM sizes WHERE n % groups = 0 AND size <> n / groups $$,
	'groups are equal where the number of values is a multiple of theirs');
SELECT results_eq($$ SELECT n, groups, size, count(*) FROM sizes WHERE size > 0 GROUP BY n, groups, size ORDER BY n, groups, size $$,
	$$ SELECT n, groups, size, count(*) FROM (
		SELECT n, groups, tile, count(*) AS size
		FROM (SELECT n, groups, ntile(groups) OVER (PARTITION BY n, groups ORDER BY i) AS tile
			FROM generate_series(1, 150) n, unnest('{2,3,5,10,60}'::integer[]) groups, generate_series(1, n) i) AS t
		GROUP BY n, groups, tile) AS s
	  GROUP BY n, groups, size ORDER BY n, groups, size $$,
	'as many groups of each size as ntile has');

SELECT is_empty($$
	SELECT i FROM (
		SELECT i, v, ntile(5) OVER (ORDER BY v) AS tile,
			segment.score(v, (SELECT segment.quantile_cuts(sqrt(j), 5) FROM generate_series(1, 10000) j)) AS score
		FROM (SELECT i, sqrt(i) AS v FROM generate_series(1, 10000) i) AS t) AS s
	WHERE tile <> score $$,
	'the score of distinct values is their ntile');

-- ---------- ties, order, units ----------

SELECT setseed(0.1);
CREATE TABLE customers AS
SELECT i AS id, i % 7 AS region, i % 5 AS part,
	CASE WHEN i % 11 <> 0 THEN floor(exp(4 * random())) END AS orders,
	CASE WHEN i % 11 <> 0 THEN -floor(400 * random()) END AS recency,
	CASE WHEN i % 11 <> 0 THEN exp(9 * random()) - 20 END AS value
FROM generate_series(1, 20000) i;
UPDATE customers SET orders = NULL, recency = NULL, value = NULL WHERE region = 3 AND part <> 2 OR region = 5;
ANALYZE customers;
CREATE TEMP TABLE cuts AS
SELECT segment.quantile_cuts(orders, 5) AS orders, segment.quantile_cuts(recency, 5) AS recency,
	segment.quantile_cuts(value, 5) AS value
FROM customers;

SELECT is_empty($$
	SELECT c.orders FROM customers c, cuts GROUP BY c.orders
	HAVING count(DISTINCT segment.score(c.orders, cuts.orders)) > 1 $$,
	'equal values have equal scores');
SELECT is_empty($$
	SELECT * FROM (
		SELECT score, lag(score) OVER (ORDER BY orders) AS before
		FROM (SELECT c.orders, segment.score(c.orders, cuts.orders) AS score FROM customers c, cuts) AS s) AS t
	WHERE score < before $$,
	'a higher value has no lower score');
SELECT is_empty($$
	SELECT c.value FROM customers c, cuts
	WHERE segment.score(c.value, cuts.value) <> 1 + (SELECT count(*) FROM unnest(cuts.value) cut WHERE cut < c.value) $$,
	'the score is one more than the number of cut points below');
SELECT is_empty($$
	SELECT c.id FROM customers c, cuts WHERE segment.score(c.value, cuts.value) NOT BETWEEN 1 AND 5 $$,
	'scores lie between 1 and n');
SELECT is((SELECT count(*) FROM customers c, cuts WHERE segment.score(c.value, cuts.value) IS NULL),
	(SELECT count(*) FROM customers WHERE value IS NULL), 'NULL has no score');
SELECT is_empty(format($$
	SELECT c.id FROM customers c, cuts,
		(SELECT segment.quantile_cuts(value * %1$s, 5) AS value FROM customers) AS scaled
	WHERE segment.score(c.value * %1$s, scaled.value) <> segment.score(c.value, cuts.value) $$, factor),
	'the unit does not matter: ' || factor)
FROM unnest('{0.01,3,1e200,1e-300}'::text[]) factor;
-- with a tie at every cut point, the cut value itself is in the lower group
SELECT is_empty($$
	SELECT cut, i FROM cuts, unnest(recency) WITH ORDINALITY AS u(cut, i)
	WHERE segment.score(cut, recency) <> (SELECT min(j) FROM unnest(recency) WITH ORDINALITY AS w(c, j) WHERE c = cut) $$,
	'a cut point belongs to the group below it');

-- ---------- the same bits on every path ----------

CREATE FUNCTION pg_temp.cuts(relation regclass, condition text DEFAULT 'true') RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	EXECUTE format('SELECT concat_ws('' '', segment.quantile_cuts(value, 5), segment.quantile_cuts(value, 1000),
		segment.quantile_cuts(orders, 5)) FROM %s WHERE %s', relation, condition)
	INTO result;
	RETURN result;
END
$$;
CREATE FUNCTION pg_temp.cuts_by_region(relation regclass) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	EXECUTE format('SELECT string_agg(m, E''\n'' ORDER BY region) FROM (
		SELECT region, format(''%%s %%s %%s'', region, segment.quantile_cuts(value, 5),
		segment.quantile_cuts(orders, 3)) AS m FROM %s GROUP BY region) AS s', relation)
	INTO result;
	RETURN result;
END
$$;
\set failure_form message
\ir ../helpers.sql

SET LOCAL max_parallel_workers_per_gather = 0;
CREATE TEMP TABLE serial AS
SELECT pg_temp.cuts('customers') AS total, pg_temp.cuts_by_region('customers') AS regions;
SELECT cmp_ok(length(total), '>', 5000, 'there is something to compare') FROM serial;

CREATE TABLE shuffled AS SELECT * FROM customers ORDER BY random();
SELECT is(pg_temp.cuts('shuffled'), total, 'the order of rows does not matter') FROM serial;

-- partitions: one without rows, one with NULLs only
CREATE TABLE partitioned (LIKE customers) PARTITION BY LIST (part);
CREATE TABLE partition_0 PARTITION OF partitioned FOR VALUES IN (0);
CREATE TABLE partition_1 PARTITION OF partitioned FOR VALUES IN (1);
CREATE TABLE partition_2 PARTITION OF partitioned FOR VALUES IN (2);
CREATE TABLE partition_3 PARTITION OF partitioned FOR VALUES IN (3);
CREATE TABLE partition_4 PARTITION OF partitioned FOR VALUES IN (4);
CREATE TABLE partition_none PARTITION OF partitioned FOR VALUES IN (5);
CREATE TABLE partition_null PARTITION OF partitioned FOR VALUES IN (6);
INSERT INTO partitioned SELECT * FROM customers;
INSERT INTO partitioned SELECT -i, i % 7, 6 FROM generate_series(1, 100) i;
ANALYZE partitioned;
SET LOCAL enable_partitionwise_aggregate = on;
SELECT ok(pg_temp.plan_has('SELECT region, segment.quantile_cuts(value, 5) FROM partitioned GROUP BY region', 'Partial'),
	'partitions are aggregated one by one');
SELECT is(pg_temp.cuts('partitioned'), total, 'partial results combine to the same bits') FROM serial;
SELECT is(pg_temp.cuts_by_region('partitioned'), regions, 'also by group, where groups are missing in partitions')
FROM serial;
SELECT throws_ok($$ SELECT segment.quantile_cuts(value, 2 + part % 2) FROM partitioned $$, '22023',
	'number of groups must be the same for all rows', 'numbers of groups that differ between partial results');
SET LOCAL enable_partitionwise_aggregate = off;

-- workers
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
SET LOCAL max_parallel_workers_per_gather = 4;
SELECT ok(pg_temp.plan_has('SELECT segment.quantile_cuts(value, 5) FROM customers', 'Partial Aggregate'),
	'quantile_cuts can run in parallel');
SELECT is(pg_temp.cuts('customers'), total, 'parallel workers give the same bits') FROM serial;
SELECT is(pg_temp.cuts_by_region('customers'), regions, 'also by group') FROM serial;
SET LOCAL parallel_leader_participation = off;
SELECT is(pg_temp.cuts('shuffled'), total, 'and without the leader') FROM serial;
SELECT set_config(name, CASE name WHEN 'force_parallel_mode' THEN 'regress' ELSE 'on' END, true) IS NULL
FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query') \g /dev/null
SELECT is(pg_temp.cuts('shuffled'), total, 'and with parallel mode forced') FROM serial;
SELECT is(pg_temp.cuts('shuffled', 'false'), '', 'no rows in any worker');
SELECT set_config(name, 'off', true) IS NULL
FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query') \g /dev/null
SET LOCAL max_parallel_workers_per_gather = 0;

-- ---------- window frames: the state outlives its result ----------

CREATE FUNCTION pg_temp.frame_errors(frame text, low text, high text) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
	result bigint;
BEGIN
	EXECUTE format($q$
		WITH framed AS (
			SELECT id, segment.quantile_cuts(value, 5) OVER w AS five, segment.quantile_cuts(value, 70) OVER w AS seventy
			FROM customers WHERE id <= 400
			WINDOW w AS (ORDER BY id ROWS BETWEEN %s))
		SELECT count(*) FROM framed f, LATERAL (
			SELECT segment.quantile_cuts(value, 5) AS five, segment.quantile_cuts(value, 70) AS seventy
			FROM customers c WHERE c.id BETWEEN %s AND %s AND c.id <= 400) AS s
		WHERE (f.five, f.seventy) IS DISTINCT FROM (s.five, s.seventy)
		$q$, frame, low, high)
	INTO result;
	RETURN result;
END
$$;
SELECT is(pg_temp.frame_errors('UNBOUNDED PRECEDING AND CURRENT ROW', '1', 'f.id'), 0::bigint, 'growing frames');
SELECT is(pg_temp.frame_errors('60 PRECEDING AND 10 FOLLOWING', 'f.id - 60', 'f.id + 10'), 0::bigint, 'sliding frames');
SELECT is(pg_temp.frame_errors('CURRENT ROW AND CURRENT ROW', 'f.id', 'f.id'), 0::bigint, 'frames of one row');

-- ---------- scores that are fair to ties ----------

-- the rule written out: the groups of places, which end at the ranks of the
-- quantiles; the middle of those that equal values span; the ends to the best and the worst
CREATE TEMP TABLE fair AS
WITH placed AS (
	SELECT shape, n, v, min(place) AS first_place, max(place) AS last_place
	FROM (SELECT shape, n, v, row_number() OVER (PARTITION BY shape, n ORDER BY v) AS place FROM shaped) AS s
	GROUP BY shape, n, v
), ranked AS (
	SELECT n, groups, array_agg((i::bigint * n + groups - 1) / groups ORDER BY i) FILTER (WHERE i > 0) AS ranks
	FROM (SELECT DISTINCT n FROM shaped) AS s, unnest('{1,2,3,4,5,10,97}'::integer[]) AS groups, generate_series(0, groups - 1) AS i
	GROUP BY n, groups
)
SELECT shape, n, v, groups, CASE WHEN first_place = 1 AND last_place = n THEN (groups + 1) / 2
	WHEN first_place = 1 THEN 1 WHEN last_place = n THEN groups
	ELSE (2 + (SELECT count(*) FROM unnest(ranks) AS rank WHERE rank < first_place)
		+ (SELECT count(*) FROM unnest(ranks) AS rank WHERE rank < last_place)) / 2 END AS score
FROM placed JOIN ranked USING (n);
CREATE TEMP TABLE fair_cuts AS
SELECT shape, n, 1 AS groups, segment.score_cuts(v, 1) AS cuts FROM shaped GROUP BY shape, n
UNION ALL SELECT shape, n, 2, segment.score_cuts(v, 2) FROM shaped GROUP BY shape, n
UNION ALL SELECT shape, n, 3, segment.score_cuts(v, 3) FROM shaped GROUP BY shape, n
UNION ALL SELECT shape, n, 4, segment.score_cuts(v, 4) FROM shaped GROUP BY shape, n
UNION ALL SELECT shape, n, 5, segment.score_cuts(v, 5) FROM shaped GROUP BY shape, n
UNION ALL SELECT shape, n, 10, segment.score_cuts(v, 10) FROM shaped GROUP BY shape, n
UNION ALL SELECT shape, n, 97, segment.score_cuts(v, 97) FROM shaped GROUP BY shape, n;
SELECT is_empty($$ SELECT f.*, segment.score(f.v, c.cuts) FROM fair AS f JOIN fair_cuts AS c USING (shape, n, groups)
	WHERE segment.score(f.v, c.cuts) <> f.score $$, 'score by score_cuts is the score of the rule');
SELECT is_empty($$ SELECT shape, n, groups FROM fair_cuts WHERE cardinality(cuts) <> groups - 1 OR '-0' = ANY (cuts::text[]) $$,
	'n groups have n - 1 cut points, none of them minus zero');
SELECT is_empty($$ SELECT shape, n, groups FROM fair AS f JOIN fair_cuts AS c USING (shape, n, groups)
	GROUP BY shape, n, groups HAVING count(*) > 1 AND (min(segment.score(v, cuts)) <> 1 OR max(segment.score(v, cuts)) <> groups) $$,
	'where values differ the worst gets 1 and the best n');
SELECT is_empty($$ SELECT shape, n, groups FROM (
		SELECT shape, n, groups, segment.score(v, cuts) - lag(segment.score(v, cuts)) OVER (PARTITION BY shape, n, groups ORDER BY v) AS step
		FROM fair JOIN fair_cuts USING (shape, n, groups)) AS s WHERE step < 0 $$, 'a larger value has no smaller score');
-- all the cut points are values, but where no value is worse than any
SELECT is_empty($$ SELECT shape, n, groups, cut FROM fair_cuts CROSS JOIN unnest(cuts) AS cut
	WHERE shape NOT IN ('all equal') AND n > 33 AND NOT EXISTS (SELECT FROM fair AS f WHERE f.shape = fair_cuts.shape AND f.n = fair_cuts.n AND f.v = cut) $$,
	'cut points are values');
SELECT is((SELECT segment.score_cuts(i, 5) FROM generate_series(1, 1000) AS i), (SELECT segment.quantile_cuts(i, 5) FROM generate_series(1, 1000) AS i),
	'without ties the cut points are those of quantile_cuts');
-- the unit: cents and dozens; whole numbers stay whole in both
SELECT is_empty(format($$ SELECT a.n, a.v FROM (
		SELECT n, v, segment.score(v, segment.score_cuts(v, 5) OVER w) AS score, segment.score(%1$s * v, segment.score_cuts(%1$s * v, 5) OVER w) AS other
		FROM shaped WHERE shape IN ('whole numbers', 'all equal') AND n <= 1000
		WINDOW w AS (PARTITION BY shape, n)) AS a WHERE score <> other $$, unit), format('scores do not depend on the unit: times %s', unit))
FROM unnest('{100,12}'::float8[]) AS unit;

-- constructed: shares of the customers with so many orders, and the scores
SELECT is((SELECT array_agg(segment.score(v, c.cuts) ORDER BY v) FROM unnest(t.orders) AS v), t.scores, t.what)
FROM (VALUES
	('10 % with 1 order, 80 % with 12, 10 % with 13', '{100,800,100}'::integer[], '{1,12,13}'::float8[], '{1,3,5}'::integer[]),
	('half bought once, a fifth twice', '{500,200,100,100,100}', '{1,2,3,4,5}', '{1,3,4,5,5}'),
	('900 of 1,000 paid today, the others earlier', '{40,60,900}', '{-120,-90,0}', '{1,1,5}'),
	('all equal', '{1000}', '{7}', '{3}'),
	('one customer', '{1}', '{7}', '{3}'),
	('two', '{1,1}', '{1,2}', '{1,5}'),
	('three', '{1,1,1}', '{1,2,3}', '{1,2,5}'),
	('all but one at the best end', '{1,999}', '{1,2}', '{1,5}'),
	('all but one at the worst end', '{999,1}', '{1,2}', '{1,5}')) AS t(what, heads, orders, scores)
CROSS JOIN LATERAL (SELECT segment.score_cuts(u.v, 5) FROM unnest(t.heads, t.orders) AS u(heads, v), generate_series(1, u.heads)) AS c(cuts);
SELECT is((SELECT segment.score(3, cuts) || ' ' || segment.score(2.999, cuts) || ' ' || segment.score(3.001, cuts) FROM (SELECT segment.score_cuts(3, 4) FROM generate_series(1, 9)) AS c(cuts)),
	'2 1 4', 'of 4 groups, equal values are in the second; who comes to be worse is in the first, who is better in the last');
SELECT is((SELECT segment.score_cuts(v, 5)::text FROM unnest('{0,-0}'::float8[]) AS v), '{-5e-324,-5e-324,0,0}', 'below zero is the smallest number');
SELECT is(segment.score_cuts(-1.7976931348623157e308, 5)::text, '{-1.7976931348623157e+308,-1.7976931348623157e+308,-1.7976931348623157e+308,-1.7976931348623157e+308}', 'and below the smallest nothing');
SELECT is((SELECT segment.score_cuts(v, 5) FROM (VALUES (NULL::float8)) AS t(v)), NULL, 'no values, no cut points');

-- same bits for every plan
CREATE TEMP TABLE bought AS SELECT i AS id, floor(7 * random() ^ 3)::float8 AS v FROM generate_series(1, 20000) AS i;
CREATE TEMP TABLE bought_once AS SELECT segment.score_cuts(v, 5) AS five, segment.score_cuts(v, 97) AS many FROM bought;
CREATE TABLE bought_mixed AS SELECT * FROM bought ORDER BY random();
ALTER TABLE bought_mixed SET (parallel_workers = 3);
ANALYZE bought_mixed;
SET LOCAL max_parallel_workers_per_gather = 4;
SELECT ok(pg_temp.plan_has('SELECT segment.score_cuts(v, 5) FROM bought_mixed', 'Partial Aggregate'), 'score_cuts can run in parallel');
SELECT results_eq('SELECT segment.score_cuts(v, 5), segment.score_cuts(v, 97) FROM bought_mixed', 'TABLE bought_once', 'another order of rows in several workers gives the same bits');
SET LOCAL max_parallel_workers_per_gather = 0;
SELECT is_empty($$ SELECT id FROM (SELECT id, segment.score_cuts(v, 5) OVER (ORDER BY id ROWS BETWEEN 50 PRECEDING AND CURRENT ROW) AS framed FROM bought WHERE id <= 300) AS f
	WHERE framed IS DISTINCT FROM (SELECT segment.score_cuts(b.v, 5) FROM bought AS b WHERE b.id BETWEEN f.id - 50 AND f.id) $$, 'as a window aggregate');

-- ---------- catalog ----------

SELECT is_empty($$
	SELECT p.oid::regprocedure FROM pg_proc p
	WHERE p.pronamespace = 'segment'::regnamespace AND p.proname ~ '^(quantile_cuts|score_cuts|score$)'
	AND (p.proparallel <> 's' OR p.provolatile <> 'i' OR obj_description(p.oid, 'pg_proc') IS NULL) $$,
	'every function is immutable, parallel safe and commented');
SELECT is_empty($$
	SELECT a.aggfnoid FROM pg_aggregate a
	WHERE a.aggfnoid IN ('segment.quantile_cuts(float8, integer)'::regprocedure, 'segment.score_cuts(float8, integer)'::regprocedure)
	AND (a.aggcombinefn = 0 OR a.aggserialfn = 0 OR a.aggdeserialfn = 0 OR a.aggtransspace = 0
		OR a.aggfinalmodify <> 'r') $$,
	'the aggregates combine, serialise and leave their states alone');
-- an index on a score is only right if the score cannot change
SELECT lives_ok($$ CREATE INDEX ON customers (segment.score(value, '{1,10,100,1000}')) $$, 'a score can be indexed');

SELECT * FROM finish();
ROLLBACK;
