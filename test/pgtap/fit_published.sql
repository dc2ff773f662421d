--
-- Fits of the published data: parameters and log-likelihood of the papers,
-- and maxima and standard errors computed in arbitrary precision by
-- test/reference/standard_errors.py
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
SELECT plan(40);

-- The data lie in the directory SEGMENT_DATA, or beside the checkout.
\set cdnow_csv `cat "${SEGMENT_DATA:-../shared/data}/cdnow_summary.csv" 2>/dev/null`
\set donations_csv `cat "${SEGMENT_DATA:-../shared/data}/donations_bgbb.csv" 2>/dev/null`
\set reference_csv `cat test/reference/standard_errors.csv 2>/dev/null`

SELECT length(:'cdnow_csv') > 0 AND length(:'donations_csv') > 0 AS have_data \gset
\if :have_data

CREATE FUNCTION pg_temp.lines(csv text) RETURNS SETOF text[] LANGUAGE sql AS $$
	SELECT string_to_array(line, ',')
	FROM regexp_split_to_table(csv, E'\r?\n') WITH ORDINALITY l(line, n)
	WHERE n > 1 AND line <> ''
$$;
CREATE TEMP TABLE cdnow AS
SELECT l[2]::float8 AS x, l[3]::float8 AS t_x, l[4]::float8 AS t, l[5]::float8 AS mean_repeat_spend
FROM pg_temp.lines(:'cdnow_csv') l;
CREATE TEMP TABLE donations AS
SELECT l[1]::float8 AS x, l[2]::float8 AS t_x, l[3]::float8 AS n, l[4]::float8 AS customers
FROM pg_temp.lines(:'donations_csv') l;
CREATE TEMP TABLE reference AS
SELECT l[1] AS kind, l[2] AS param, l[3]::float8 AS value, l[4]::float8 AS stderr, l[5]::float8 AS loglik
FROM pg_temp.lines(:'reference_csv') l;

CREATE TEMP TABLE fits AS
SELECT segment.kind(m) AS kind, m FROM (
	SELECT segment.bgnbd_fit(x, t_x, t) FROM cdnow
	UNION ALL SELECT segment.mbgnbd_fit(x, t_x, t) FROM cdnow
	UNION ALL SELECT segment.pnbd_fit(x, t_x, t) FROM cdnow
	UNION ALL SELECT segment.gammagamma_fit(x, mean_repeat_spend) FROM cdnow
	UNION ALL SELECT segment.bgbb_fit(x, t_x, n, customers) FROM donations) f(m);

-- The papers round to three decimals, the gamma-gamma ones to two, and its
-- published gamma ends a little short of the maximum.
CREATE TEMP TABLE published (kind text, param text, value float8, digit float8, loglik float8);
INSERT INTO published VALUES
	('bgnbd', 'r', 0.243, 0.001, -9582.4), ('bgnbd', 'alpha', 4.414, 0.001, -9582.4),
	('bgnbd', 'a', 0.793, 0.001, -9582.4), ('bgnbd', 'b', 2.426, 0.001, -9582.4),
	('pnbd', 'r', 0.553, 0.001, -9595.0), ('pnbd', 'alpha', 10.578, 0.001, -9595.0),
	('pnbd', 's', 0.606, 0.001, -9595.0), ('pnbd', 'beta', 11.669, 0.002, -9595.0),
	('mbgnbd', 'r', 0.525, 0.001, -9582.1), ('mbgnbd', 'alpha', 6.183, 0.001, -9582.1),
	('mbgnbd', 'a', 0.891, 0.001, -9582.1), ('mbgnbd', 'b', 1.614, 0.001, -9582.1),
	('gammagamma', 'p', 6.25, 0.01, -4055.9), ('gammagamma', 'q', 3.74, 0.01, -4055.9),
	('gammagamma', 'gamma', 15.44, 0.02, -4055.9),
	('bgbb', 'alpha', 1.204, 0.001, -33225.6), ('bgbb', 'beta', 0.750, 0.001, -33225.6),
	('bgbb', 'gamma', 0.657, 0.001, -33225.6), ('bgbb', 'delta', 2.783, 0.001, -33225.6);

SELECT cmp_ok(abs(segment.param(m, param) - value)::numeric, '<', digit::numeric,
	format('%s %s is %s as published', kind, param, value))
FROM fits JOIN published USING (kind) ORDER BY kind, param;
SELECT cmp_ok(abs(segment.loglik(m) - p.loglik)::numeric, '<=', 0.05,
	format('%s: log-likelihood is %s as published', kind, p.loglik))
FROM fits JOIN (SELECT DISTINCT kind, loglik FROM published) p USING (kind) ORDER BY kind;
SELECT is(segment.status(m), 'converged', kind || ' converged') FROM fits ORDER BY kind;
SELECT is(segment.warnings(m), '{}'::text[], kind || ' has no warnings') FROM fits ORDER BY kind;

SELECT is(count(*)::int, 19, 'there are reference values for all parameters') FROM reference;
SELECT is_empty($$
	SELECT kind, param, segment.param(m, param), r.value FROM fits JOIN reference r USING (kind)
	WHERE NOT abs(segment.param(m, param) / r.value - 1) < 1e-8 $$,
	'all parameters are those of the maximum in arbitrary precision, to eight digits');
SELECT is_empty($$
	SELECT kind, param, segment.stderr(m, param), r.stderr FROM fits JOIN reference r USING (kind)
	WHERE NOT abs(segment.stderr(m, param) / r.stderr - 1) < 1e-5 $$,
	'all standard errors are those of the Hessian in arbitrary precision, to five digits');
SELECT is_empty($$
	SELECT kind, segment.loglik(m), r.loglik FROM fits JOIN reference r USING (kind)
	WHERE NOT abs(segment.loglik(m) / r.loglik - 1) < 1e-13 $$,
	'all log-likelihoods are those in arbitrary precision');
SELECT is_empty($$
	SELECT kind, p, segment.stderr(m, p), (segment.covariance(m))[i][i]
	FROM fits, LATERAL unnest(CASE kind WHEN 'pnbd' THEN '{r,alpha,s,beta}'::text[]
		WHEN 'bgbb' THEN '{alpha,beta,gamma,delta}' WHEN 'gammagamma' THEN '{p,q,gamma}'
		ELSE '{r,alpha,a,b}' END) WITH ORDINALITY u(p, i)
	WHERE (segment.stderr(m, p) ^ 2 / (segment.covariance(m))[i][i] - 1) NOT BETWEEN -1e-14 AND 1e-14 $$,
	'standard errors are the roots of the diagonal of the covariance');

-- weeks or days: the same model, whose times and likelihood are in that unit
SELECT is_empty($$
	WITH d AS (
		SELECT f.kind, m, CASE f.kind WHEN 'bgnbd' THEN bgnbd WHEN 'mbgnbd' THEN mbgnbd ELSE pnbd END AS d
		FROM fits f, (SELECT segment.bgnbd_fit(x, t_x * 7, t * 7) AS bgnbd, segment.mbgnbd_fit(x, t_x * 7, t * 7) AS mbgnbd,
			segment.pnbd_fit(x, t_x * 7, t * 7) AS pnbd FROM cdnow) x
		WHERE f.kind IN ('bgnbd', 'mbgnbd', 'pnbd'))
	SELECT kind, p, segment.param(m, p), segment.param(d, p)
	FROM d, unnest(CASE kind WHEN 'pnbd' THEN '{r,alpha,s,beta}'::text[] ELSE '{r,alpha,a,b}' END) p
	WHERE NOT abs(segment.param(d, p) / segment.param(m, p)
		/ CASE WHEN p IN ('alpha', 'beta') THEN 7 ELSE 1 END - 1) < 1e-8
	UNION ALL
	SELECT kind, 'loglik', segment.loglik(m), segment.loglik(d) FROM d
	WHERE NOT abs(segment.loglik(d) - (segment.loglik(m) - (SELECT sum(x) * ln(7::float8) FROM cdnow))) < 1e-6 $$,
	'in days alpha and beta are 7 times as large, and the likelihood is that of the data in days');

\else
SELECT * FROM skip('no test data: set SEGMENT_DATA to their directory', 40);
\endif

SELECT * FROM finish();
ROLLBACK;
