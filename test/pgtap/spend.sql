--
-- The gamma-gamma model against arbitrary precision (test/reference/spend.py):
-- a fit of weighted customers, and the expected spend of a purchase
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
SELECT plan(17);

\set csv `cat test/reference/spend.csv 2>/dev/null`
CREATE TEMP TABLE line AS SELECT string_to_array(l, ',') AS l FROM regexp_split_to_table(:'csv', E'\n') AS l;
CREATE TEMP TABLE customer AS
SELECT l[2]::float8 AS x, l[3]::float8 AS spend, l[4]::float8 AS weight FROM line WHERE l[1] = 'data';
CREATE TEMP TABLE reference AS
SELECT l[2] AS param, l[3]::float8 AS value, l[4]::float8 AS stderr, l[5]::float8 AS loglik FROM line WHERE l[1] = 'fit';
CREATE TEMP TABLE expected AS
SELECT segment.model('gammagamma', jsonb_build_object('p', l[2]::float8, 'q', l[3]::float8, 'gamma', l[4]::float8)) AS m,
	l[5]::float8 AS x, l[6]::float8 AS spend, l[7]::float8 AS expected
FROM line WHERE l[1] = 'expected';
SELECT results_eq('SELECT (SELECT count(*) FROM customer), (SELECT count(*) FROM reference), (SELECT count(*) FROM expected)',
	'VALUES (60::bigint, 3::bigint, 24::bigint)', 'there are customers, a fit of them, and expected spends');

-- ---------- weights ----------

SELECT segment.gammagamma_fit(x, spend, weight) AS fit, segment.gammagamma_fit(x, spend) AS unweighted,
	segment.gammagamma_fit(x, spend, 4 * weight) AS fourfold,
	(SELECT segment.gammagamma_fit(x, spend) FROM customer, generate_series(1, (4 * weight)::integer)) AS repeated
FROM customer \gset

SELECT is_empty(format('SELECT param, value, segment.param(%1$L, param) FROM reference WHERE NOT abs(segment.param(%1$L, param) / value - 1) < 1e-8', :'fit'),
	'weighted: the parameters are those of the maximum in arbitrary precision, to eight digits');
SELECT is_empty(format('SELECT param, stderr, segment.stderr(%1$L, param) FROM reference WHERE NOT abs(segment.stderr(%1$L, param) / stderr - 1) < 1e-5', :'fit'),
	'weighted: so are the standard errors, to five digits');
SELECT is_empty(format('SELECT loglik, segment.loglik(%1$L) FROM reference WHERE NOT abs(segment.loglik(%1$L) / loglik - 1) < 1e-13', :'fit'),
	'weighted: so is the log-likelihood');
SELECT is(segment.customers(:'fit'), (SELECT sum(weight) FROM customer), 'weighted: the customers are the sum of the weights');
SELECT is(segment.rows(:'fit'), 60::bigint, 'weighted: the rows are rows');
SELECT is_empty(format('SELECT param FROM reference WHERE NOT abs(segment.param(%L, param) / value - 1) > 0.04', :'unweighted'),
	'without weights these customers have quite another model');

-- At the maximum the derivative by gamma is zero; it has no gamma function.
CREATE FUNCTION pg_temp.slope(m segment.model, weighted boolean) RETURNS float8 LANGUAGE sql AS $$
	SELECT sum(w * (q / gamma - (p * x + q) / (gamma + x * spend))) / sum(w * q / gamma)
	FROM (SELECT segment.param(m, 'p') AS p, segment.param(m, 'q') AS q, segment.param(m, 'gamma') AS gamma) AS params,
		(SELECT x, spend, CASE WHEN weighted THEN weight ELSE 1 END AS w FROM customer) AS c
$$;
SELECT cmp_ok(abs(pg_temp.slope(:'fit', true)), '<', 1e-9::float8, 'weighted: the derivative by gamma of the weighted likelihood is zero');
SELECT cmp_ok(abs(pg_temp.slope(:'fit', false)), '>', 0.1::float8, 'weighted: that of the likelihood without weights is not');
SELECT cmp_ok(abs(pg_temp.slope(:'unweighted', false)), '<', 1e-9::float8, 'without weights it is the other way round: zero without them');
SELECT cmp_ok(abs(pg_temp.slope(:'unweighted', true)), '>', 0.1::float8, '... and not zero with them');

-- four customers instead of one, by their weights and one by one
SELECT is_empty(format($$ SELECT param, segment.param(%1$L, param), segment.param(%2$L, param), segment.stderr(%1$L, param), segment.stderr(%2$L, param)
	FROM reference WHERE NOT (abs(segment.param(%1$L, param) / value - 1) < 1e-8 AND abs(2 * segment.stderr(%1$L, param) / stderr - 1) < 1e-5) $$,
	:'fourfold', :'fit'), 'four times the weights: the same parameters, half the standard errors');
SELECT is(segment.param(:'repeated', p), segment.param(:'fourfold', p), p || ' is the same where the weight is the number of rows')
FROM unnest('{p,q,gamma}'::text[]) AS p;

-- ---------- expected spend ----------

SELECT is_empty('SELECT m, x, spend, expected, segment.expected_spend(m, x, spend) FROM expected
	WHERE NOT abs(segment.expected_spend(m, x, spend) / expected - 1) < 1e-12',
	'expected_spend is the mean over what is not known of a customer, by quadrature');

-- With p = 1 the first amount of a customer has the distribution function
-- 1 - (gamma / (gamma + z))^q.  What is expected after it is, in the mean over
-- all customers, what was expected before it.
SELECT is_empty($$
	SELECT q, before, after FROM unnest('{3,4.5,10}'::float8[]) AS q,
		LATERAL (SELECT segment.model('gammagamma', jsonb_build_object('p', 1, 'q', q, 'gamma', 8)) AS m) AS model,
		LATERAL (SELECT segment.expected_spend(m, 0, NULL) AS before) AS b,
		LATERAL (SELECT avg(segment.expected_spend(m, 1, 8 * (((i - 0.5) / 20000) ^ (-1 / q) - 1))) AS after FROM generate_series(1, 20000) AS i) AS a
	WHERE NOT abs(after / before - 1) < 0.001 $$,
	'a purchase does not change what is expected of all customers together');

SELECT * FROM finish();
ROLLBACK;
