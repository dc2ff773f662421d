--
-- Clusters: against all divisions of few rows and against R; numbering, features
-- that do not vary, NULL and NaN, and the same bits for rows in any order and any
-- number of workers
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
SELECT plan(38);

-- ---------- against all divisions, and R ----------

\set csv `cat test/reference/kmeans.csv 2>/dev/null`
CREATE TEMP TABLE reference AS
SELECT f[1]::integer AS number, f[2]::integer AS k, string_to_array(f[3], ' ') AS rows, nullif(f[4], '')::float8 AS best, f[5]::float8 AS r
FROM regexp_split_to_table(:'csv', '\n') WITH ORDINALITY AS l(line, place), LATERAL (SELECT string_to_array(line, ';') AS f) AS s
WHERE place > 1 AND line <> '';
CREATE TEMP TABLE feature AS
SELECT r.number, r.k, string_to_array(u.row, ',')::float8[] AS features FROM reference AS r, unnest(r.rows) AS u(row);
CREATE TEMP TABLE fitted AS
SELECT f.number, r.best, r.r, f.clusters FROM reference AS r
JOIN (SELECT number, segment.kmeans_fit(features, k, number ORDER BY random()) AS clusters FROM feature GROUP BY number) AS f ON f.number = r.number;
SELECT is((SELECT count(*) FROM fitted), 520::bigint, 'all references are there');
SELECT is_empty('SELECT number, best, (clusters).within FROM fitted WHERE (clusters).within < best - 1e-9', 'never better than the best division');
SELECT cmp_ok((SELECT count(*) FROM fitted WHERE (clusters).within < best + 1e-9), '>=', 495::bigint, 'the best division in 99 % of 500 cases');
SELECT is_empty('SELECT number, r, (clusters).within FROM fitted WHERE (clusters).within > r + 1e-9', 'never worse than R''s kmeans with 50 starts');

-- The sums of squares from their definition, over the rows by the cluster that each belongs to.
CREATE TEMP TABLE point AS
SELECT f.number, row_number() OVER () AS id, segment.cluster(g.clusters, f.features) AS cluster, j, x, g.clusters
FROM feature AS f JOIN fitted AS g USING (number), unnest(f.features) WITH ORDINALITY AS u(x, j);
CREATE TEMP TABLE squares AS
SELECT number, sum(CASE WHEN d > 0 THEN (x - own) ^ 2 / d ^ 2 ELSE 0 END) AS within, sum(CASE WHEN d > 0 THEN (x - m) ^ 2 / d ^ 2 ELSE 0 END) AS total
FROM (SELECT number, x, avg(x) OVER (PARTITION BY number, cluster, j) AS own, avg(x) OVER (PARTITION BY number, j) AS m,
	stddev_pop(x::numeric) OVER (PARTITION BY number, j)::float8 AS d FROM point) AS p GROUP BY number;
SELECT is_empty('SELECT number, clusters, s.* FROM fitted JOIN squares AS s USING (number)
	WHERE abs((clusters).within - s.within) > 1e-9 OR abs((clusters).total - s.total) > 1e-9', 'within and total are what they are called');
SELECT is_empty('SELECT number, cluster, j, avg(x), min((clusters).center[cluster][j]) FROM point GROUP BY number, cluster, j
	HAVING abs(avg(x) - min((clusters).center[cluster][j])) > 1e-9', 'centers are the means of those who are in them');
SELECT is_empty('SELECT p.number, cluster, count(*), min((p.clusters).size[cluster]) FROM point AS p WHERE j = 1 GROUP BY p.number, cluster
	HAVING count(*) <> min((p.clusters).size[cluster])', 'sizes are their numbers');
SELECT is_empty('SELECT number FROM fitted, generate_series(2, cardinality((clusters).size)) AS c
	WHERE (clusters).center[c - 1][1] > (clusters).center[c][1]', 'numbered by the mean of the first feature');
SELECT is_empty('SELECT f.number FROM fitted AS f JOIN reference AS r USING (number), LATERAL (SELECT count(DISTINCT u.row) AS n FROM unnest(r.rows) AS u(row)) AS d
	WHERE cardinality((clusters).size) <> least(r.k, d.n)', 'as many as asked for, or as there are different rows');
SELECT is_empty($$ SELECT number, c.* FROM fitted, segment.centers(clusters) AS c
	WHERE c.rows <> (clusters).size[c.cluster] OR c.share <> c.rows::float8 / (clusters).rows
		OR c.center <> ARRAY(SELECT (clusters).center[c.cluster][j] FROM generate_series(1, cardinality((clusters).mean)) AS j)
		OR segment.cluster(clusters, c.center) <> c.cluster $$, 'centers one by one');
SELECT is((SELECT sum((clusters).rows) FROM fitted), (SELECT count(*)::numeric FROM feature), 'every row counts');

-- ---------- units ----------

SELECT is_empty($$
	SELECT a.number FROM fitted AS a JOIN (
		SELECT number, segment.kmeans_fit(ARRAY(SELECT x * 1024 FROM unnest(features) AS x), k, number) AS clusters FROM feature GROUP BY number) AS b USING (number)
	WHERE (a.clusters).size <> (b.clusters).size OR (a.clusters).within <> (b.clusters).within $$, 'another unit, the same clusters');
SELECT is((SELECT array_agg(c.center ORDER BY c.cluster)::text FROM segment.centers(segment.kmeans_fit(ARRAY[x, 0], 3, 1)) AS c),
	'{{-1.7e+308,0},{0.5,0},{1.7e+308,0}}', 'the ends of the range') FROM unnest('{1.7e308,-1.7e308,0,1}'::float8[]) AS x;
SELECT is((segment.kmeans_fit(ARRAY[x, y], 2, 5)).size, '{3,1}', 'tiny and huge features count alike')
FROM (VALUES (1e-200, 1e200), (2e-200, 1e200), (1e-200, 2e200), (9e-200, 9e200)) AS v(x, y);

-- ---------- what is missing, does not vary or is not there ----------

SELECT is((segment.kmeans_fit(f, k, s)).size, '{1,1}', 'rows with a NULL, NaN or infinity are skipped') FROM (VALUES
	(ARRAY[1, 2]::float8[], 2, 3), (NULL, 2, 3), ('{1,NULL}', 2, 3), ('{1,NaN}', 2, 3), ('{Infinity,3}', 2, 3), ('{4,4}', 2, 3),
	('{5,5}', NULL, 3), ('{5,5}', 2, NULL)) AS v(f, k, s);
SELECT is(segment.kmeans_fit(ARRAY[NULL]::float8[], 2, 3), NULL, 'without rows NULL');
SELECT is((segment.kmeans_fit(ARRAY[7, 7], 5, 3))::text, '(100,"{7,7}","{0,0}","{{7,7}}",{100},0,0)', 'all equal: one cluster') FROM generate_series(1, 100);
SELECT is((segment.kmeans_fit(ARRAY[x, 5], 2, 3))::text, '(3,"{1,5}","{1.4142135623730951,0}","{{0,5},{3,5}}","{2,1}",0,3)', 'a feature that does not vary is left out')
FROM unnest('{0,-0,3}'::float8[]) AS x;
CREATE TEMP TABLE two AS SELECT segment.kmeans_fit(ARRAY[x, x + 100], 2, 3) AS c FROM unnest('{0,1,9,10}'::float8[]) AS x;
SELECT is((SELECT array_agg(segment.cluster(c, f.f)) FROM two, (VALUES (1, '{1e308,1e308}'::float8[]), (2, '{-1e308,-1e308}'), (3, '{5,105}'), (4, NULL),
	(5, '{1,NULL}'), (6, '{1,NaN}'), (7, '{-Infinity,1}')) AS f(n, f)), '{2,1,1,NULL,NULL,NULL,NULL}', 'cluster of far, of equally near and of unknown ones');
SELECT throws_ok('SELECT segment.cluster(c, ''{1}'') FROM two', '22023', 'features must be an array of 2 numbers', 'another number of features');
SELECT throws_ok(format('SELECT segment.cluster(%L, ''{1}'')', c), '22023', 'invalid clusters', c) FROM unnest(ARRAY[
	'(1,{1},{1},{1},{1},0,1)', '(1,{1},{-1},{{1}},{1},0,1)', '(1,{1},"{1,1}",{{1}},{1},0,1)', '(1,{1},{1},{{NULL}},{1},0,1)', '(1,{1},{NaN},{{1}},{1},0,1)', '(,,,,,,)']) AS c;
SELECT throws_ok(format('SELECT segment.kmeans_fit(f::float8[], k, s) FROM (VALUES %s) AS v(f, k, s)', v), state, message, message) FROM (VALUES
	('(''{1}'', 0, 1)', '22023', 'number of clusters must be from 1 to 1000, not 0'),
	('(''{1}'', 1001, 1)', '22023', 'number of clusters must be from 1 to 1000, not 1001'),
	('(''{}'', 2, 1)', '22023', 'number of features must be from 1 to 1600, not 0'),
	('(''{1}'', 2, 1), (''{1,2}'', 2, 1)', '22023', 'number of features must be the same for all rows'),
	('(''{1}'', 2, 1), (''{1}'', 3, 1)', '22023', 'argument "k" must be the same for all rows'),
	('(''{{1}}'', 2, 1)', '2202E', 'features must be an array of one dimension')) AS e(v, state, message);

-- ---------- order and workers ----------

CREATE TABLE cluster_random AS
SELECT n, ARRAY[(hashint8extended(n, 1) & 255) + 300 * (n % 3), (hashint8extended(n, 2) & 1023) / 7.0, n % 5]::float8[] AS features FROM generate_series(1, 15000) AS n;
CREATE TEMP TABLE serial AS SELECT segment.kmeans_fit(features, 4, 9 ORDER BY n) AS clusters FROM cluster_random;
SELECT is((SELECT segment.kmeans_fit(features, 4, 9 ORDER BY hashint8(n)) FROM cluster_random), (SELECT clusters FROM serial), 'rows in another order: the same bits');
SET LOCAL min_parallel_table_scan_size = 0;
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
ALTER TABLE cluster_random SET (parallel_workers = 2);
SELECT is((SELECT segment.kmeans_fit(features, 4, 9) FROM cluster_random), (SELECT clusters FROM serial), 'with workers: the same bits');

RESET ALL;
SET LOCAL client_min_messages = warning;

-- ---------- many rows ----------

-- Three wide groups, and 200 rows of two different values far away: the best four clusters are these.
CREATE TEMP TABLE many AS
SELECT CASE WHEN n % 1000 = 0 THEN 4 ELSE n % 3 + 1 END AS own, CASE WHEN n % 1000 = 0 THEN ARRAY[60 + n / 1000 % 2, 60]
	ELSE ARRAY[10 * (n % 3) + (hashint8extended(n, 1) & 65535) / 16384.0, (hashint8extended(n, 2) & 65535) / 16384.0] END AS features
FROM generate_series(1, 200000) AS n;
CREATE TEMP TABLE many_fit AS SELECT segment.kmeans_fit(features, 4, 1) AS clusters FROM many;
SELECT is((clusters).size, ARRAY(SELECT count(*) FROM many GROUP BY own ORDER BY own), 'a small group far away is a cluster, of 200,000 rows, too') FROM many_fit;
-- The same, but the small group is nowhere near the ends of the range, only far from others in comparison with their width.
CREATE TEMP TABLE near_fit AS SELECT segment.kmeans_fit(ARRAY[CASE own WHEN 4 THEN 10.5 ELSE 10 * own - 10 + features[2] / 500 END], 4, 3) AS clusters FROM many;
SELECT is((clusters).size, ARRAY(SELECT count(*) FROM many GROUP BY own ORDER BY CASE own WHEN 4 THEN 2.5 ELSE own END), 'a small group near others is one, too') FROM near_fit;
-- Groups without a gap between: the search ends before it comes to rest.
CREATE TEMP TABLE wide AS
SELECT ARRAY[(hashint8extended(n, 1) & 65535) / 8192.0, exp((hashint8extended(n, 2) & 65535) / 16384.0)] AS features FROM generate_series(1, 30000) AS n;
CREATE TEMP TABLE wide_fit AS SELECT segment.kmeans_fit(features, 8, 1) AS clusters FROM wide;
SELECT is((clusters).size, ARRAY(SELECT count(*) FROM wide GROUP BY segment.cluster(clusters, features) ORDER BY segment.cluster(clusters, features)),
	'sizes are the numbers of those whom cluster() puts into each') FROM wide_fit;
SELECT is(round((clusters).within::numeric, 6), (SELECT round(sum(((features[1] - (clusters).center[segment.cluster(clusters, features)][1]) / (clusters).deviation[1]) ^ 2
	+ ((features[2] - (clusters).center[segment.cluster(clusters, features)][2]) / (clusters).deviation[2]) ^ 2)::numeric, 6) FROM wide),
	'within is of the same') FROM wide_fit;

SELECT * FROM finish();
ROLLBACK;
