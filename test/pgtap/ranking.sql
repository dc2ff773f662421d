--
-- Areas under the ROC curve and their intervals against pROC, tenths and the
-- cheapest threshold against plain SQL, ties, and rows in any order
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
SELECT plan(23);

-- ---------- areas and intervals ----------

CREATE TEMP TABLE ranking_reference (scores float8[], baselines float8[], hits integer[], expected float8[]);
\ir ../reference/ranking.sql
CREATE TEMP TABLE ranked AS
SELECT r.expected, (SELECT segment_internal.ranking_agg(u.score, u.baseline, u.hit = 1)
	FROM unnest(r.scores, r.baselines, r.hits) AS u(score, baseline, hit)) AS g
FROM ranking_reference AS r;
SELECT is((SELECT count(*) FROM ranked), 6::bigint, 'all references are there');
SELECT is_empty($$ SELECT have, want FROM ranked,
		unnest(ARRAY[(g).auc, (g).auc_low, (g).auc_high, (g).baseline_auc, (g).baseline_low, (g).baseline_high,
			(g).difference_low, (g).difference_high], expected) AS u(have, want)
	WHERE abs(have - want) > 1e-13 OR num_nulls(have, want) > 0 $$, 'areas, intervals and the interval of the difference: those of pROC');
SELECT is_empty($$ SELECT FROM ranked WHERE (g).difference <> (g).auc - (g).baseline_auc $$, 'the difference is one');

CREATE TEMP TABLE random AS
SELECT n, (hashint8extended(n, 1) & 15) / 4.0::float8 AS score, (hashint8extended(n, 2) & 1023)::float8 AS baseline,
	hashint8extended(n, 3) & 3 = 0 AS hit, (hashint8extended(n, 4) & 255) / 7.0::float8 AS amount
FROM generate_series(1, 503) AS n;
SELECT is(round((g).auc::numeric, 12), p.auc, 'the area is the share of pairs in order, ties half') FROM (
	SELECT segment_internal.ranking_agg(score, baseline, hit) AS g FROM random) AS g, (
	SELECT round(avg(CASE WHEN a.score > b.score THEN 1 WHEN a.score = b.score THEN 0.5 ELSE 0 END), 12) AS auc
	FROM random AS a, random AS b WHERE a.hit AND NOT b.hit) AS p;
-- The variance of DeLong as its definition has it.
SELECT ok(abs((g).auc_high - (g).auc - 1.959963984540054 * sqrt(v.variance)) < 1e-13, 'the interval is that of the definition') FROM (
	SELECT segment_internal.ranking_agg(score, baseline, hit) AS g FROM random) AS g, (
	SELECT sum(s.part) AS variance FROM (
		SELECT var_samp(share) / count(*) AS part FROM (
			SELECT a.n, a.hit, avg(CASE WHEN a.score = b.score THEN 0.5 WHEN (a.score > b.score) = a.hit THEN 1 ELSE 0 END)::float8 AS share
			FROM random AS a JOIN random AS b ON a.hit <> b.hit GROUP BY a.n, a.hit) AS v
		GROUP BY hit) AS s) AS v;
SELECT is((SELECT segment_internal.ranking_agg(score, baseline, hit ORDER BY n DESC) FROM random),
	(SELECT segment_internal.ranking_agg(score, baseline, hit ORDER BY n) FROM random), 'rows in another order: the same bits');
SELECT is(ROW((g).auc, (g).auc_low, (g).baseline_auc, (g).difference)::text, '(1,1,0.5,0.5)', 'perfect, and no score at all')
FROM (SELECT segment_internal.ranking_agg(v, 0, v > 2) AS g FROM unnest('{1,2,3,4}'::float8[]) AS v) AS q;
SELECT is(g::text, e, w) FROM (VALUES
	((SELECT segment_internal.ranking_agg(1, 1, true) FROM generate_series(1, 3)), '(3,3,,,,,,,,,)', 'hits only: no area'),
	((SELECT segment_internal.ranking_agg(v, -v, v > 2) FROM unnest('{1,2,3}'::float8[]) AS v), '(3,1,1,,,0,,,1,,)', 'one hit: no interval'),
	((SELECT segment_internal.ranking_agg(1, 1, true) WHERE false), NULL, 'no rows'),
	((SELECT segment_internal.ranking_agg(v, 1, true) FROM unnest('{NULL,2}'::float8[]) AS v), '(1,1,,,,,,,,,)', 'NULL is skipped')) AS t(g, e, w);
SELECT throws_ok($$ SELECT segment_internal.ranking_agg('NaN', 1, true) $$, '22023', 'score must be a finite number, not "NaN"', 'NaN');

-- ---------- tenths ----------

-- Without ties it is ntile.
SELECT is((SELECT segment_internal.tenths_agg(n, ARRAY[n, 1]) FROM generate_series(1, 503) AS n),
	(SELECT array_agg(ARRAY[c, s, c] ORDER BY t) FROM (
		SELECT t, count(*)::float8 AS c, sum(n)::float8 AS s FROM (SELECT n, ntile(10) OVER (ORDER BY n DESC) AS t FROM generate_series(1, 503) AS n) AS q GROUP BY t) AS q),
	'without ties: as ntile divides');
SELECT is((SELECT segment_internal.tenths_agg(1, ARRAY[n]) FROM generate_series(0, 19) AS n), (SELECT array_agg(ARRAY[2, 19]::float8[]) FROM generate_series(1, 10)),
	'all equal: each tenth has the mean');
-- The expected value over ties, from the mean of each group of equals.
SELECT is_empty($$
	SELECT t, have, want FROM (SELECT segment_internal.tenths_agg(score, ARRAY[amount]) AS tenths FROM random) AS a,
		(SELECT t, sum(m)::float8 AS want FROM (
			SELECT ntile(10) OVER (ORDER BY score DESC) AS t, avg(amount::numeric) OVER (PARTITION BY score) AS m FROM random) AS q GROUP BY t) AS q,
		LATERAL (SELECT tenths[t][2] AS have) AS h
	WHERE abs(have - want) > 1e-9 $$, 'ties: the mean of the equals in each place');
SELECT is((SELECT segment_internal.tenths_agg(score, ARRAY[amount, baseline] ORDER BY n DESC) FROM random),
	(SELECT segment_internal.tenths_agg(score, ARRAY[amount, baseline] ORDER BY hashint8(n)) FROM random), 'rows in another order: the same bits');
SELECT is((SELECT segment_internal.tenths_agg(n, ARRAY[n]) FROM generate_series(1, 3) AS n), '{{1,3},{1,2},{1,1}}'::float8[], 'fewer than ten rows');
SELECT throws_ok($$ SELECT segment_internal.tenths_agg(n, array_fill(1::float8, ARRAY[n])) FROM generate_series(1, 2) AS n $$, '22023',
	'argument "amounts" must have the same number of elements in all rows', 'as many amounts in all rows');
SELECT throws_ok($$ SELECT segment_internal.tenths_agg(1, ARRAY[NULL]::float8[]) $$, '22004', 'argument "amounts" must not contain nulls', 'NULL among them');

-- ---------- the cheapest threshold ----------

SELECT is(segment_internal.cheapest_threshold_agg(score, hit, f, m), (
		SELECT t FROM (SELECT DISTINCT score AS t FROM random) AS t ORDER BY (SELECT f * count(*) FILTER (WHERE score >= t AND NOT hit)
			+ m * count(*) FILTER (WHERE score < t AND hit) FROM random), t DESC LIMIT 1), format('costs %s and %s', f, m))
FROM random, (VALUES (1::float8, 1::float8), (1, 4), (1, 3)) AS c(f, m) GROUP BY f, m;

-- ---------- workers ----------

CREATE TABLE ranking_random AS SELECT * FROM random;
CREATE TEMP TABLE serial AS SELECT segment_internal.ranking_agg(score, baseline, hit)::text AS r, segment_internal.tenths_agg(score, ARRAY[amount, baseline]) AS t,
	segment_internal.cheapest_threshold_agg(score, hit, 1, 3) AS c FROM random;
SET LOCAL min_parallel_table_scan_size = 0;
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
ALTER TABLE ranking_random SET (parallel_workers = 2);
SELECT results_eq('SELECT segment_internal.ranking_agg(score, baseline, hit)::text, segment_internal.tenths_agg(score, ARRAY[amount, baseline]),
	segment_internal.cheapest_threshold_agg(score, hit, 1, 3) FROM ranking_random', 'SELECT r, t, c FROM serial', 'with workers: the same bits');

SELECT * FROM finish();
ROLLBACK;
