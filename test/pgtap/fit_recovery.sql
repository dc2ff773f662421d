--
-- Fits of simulated customers: the parameters come back within their standard
-- errors, for each kind, at several sizes and in awkward shapes; and what is
-- said about data that do not determine a model
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
SELECT plan(70);
SELECT setseed(0.314159);

-- ---------- random variates ----------

CREATE FUNCTION pg_temp.uniform() RETURNS float8 LANGUAGE sql VOLATILE AS
$$ SELECT 1 - random() $$;		-- never 0

CREATE FUNCTION pg_temp.normal() RETURNS float8 LANGUAGE sql VOLATILE AS
$$ SELECT sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random()) $$;

-- Marsaglia, Tsang 2000; below 1e-300 is 1e-300
CREATE FUNCTION pg_temp.gamma(shape float8) RETURNS float8 LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	d float8 := (CASE WHEN shape < 1 THEN shape + 1 ELSE shape END) - 1 / 3.0::float8;
	z float8;
	v float8;
	boost float8 := 0;		-- logarithm
BEGIN
	IF shape < 1 THEN
		boost := ln(1 - random()) / shape;
	END IF;
	LOOP
		z := sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random());
		v := 1 + z / sqrt(9 * d);
		CONTINUE WHEN v <= 0;
		v := v ^ 3;
		EXIT WHEN ln(1 - random()) < z * z / 2 + d - d * v + d * ln(v);
	END LOOP;
	RETURN exp(greatest(ln(d * v) + boost, -690));
END $$;

CREATE FUNCTION pg_temp.beta(a float8, b float8) RETURNS float8 LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	x float8 := pg_temp.gamma(a);
BEGIN
	RETURN x / (x + pg_temp.gamma(b));
END $$;

CREATE FUNCTION pg_temp.poisson(mean float8) RETURNS float8 LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	n integer := 0;
	p float8 := 1 - random();
	least float8;
BEGIN
	IF mean > 300 THEN
		RETURN greatest(0, round(mean + sqrt(mean) * pg_temp.normal()));
	END IF;
	least := exp(-mean);
	WHILE p > least LOOP
		p := p * (1 - random());
		n := n + 1;
	END LOOP;
	RETURN n;
END $$;

-- failures before the first success of probability p, at most 1e6
CREATE FUNCTION pg_temp.failures(p float8) RETURNS float8 LANGUAGE sql VOLATILE AS $$
	SELECT CASE WHEN p >= 1 THEN 0 WHEN p < 1e-9 THEN 1e6
		ELSE least(1e6, floor(ln(1 - random()) / ln(1 - p))) END $$;

-- ---------- customers ----------

CREATE TYPE pg_temp.customer AS (x float8, t_x float8, t float8);

-- n purchases in 0..t at random times: the time of purchase number x of them
CREATE FUNCTION pg_temp.arrival(x float8, n float8, t float8) RETURNS float8 LANGUAGE sql VOLATILE AS $$
	SELECT CASE WHEN x = 0 THEN 0
		WHEN x = n THEN t * (1 - random()) ^ (1 / n)
		ELSE t * pg_temp.beta(x, n - x + 1) END $$;

-- BG/NBD (first_coin 0) and MBG/NBD (1), observed for t
CREATE FUNCTION pg_temp.beta_geometric(first_coin integer, r float8, alpha float8, a float8, b float8, t float8)
RETURNS pg_temp.customer LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	n float8 := pg_temp.poisson(pg_temp.gamma(r) / alpha * t);
	k float8 := pg_temp.failures(pg_temp.beta(a, b)) + 1 - first_coin;	-- leaves after purchase k
	x float8 := least(n, k);
BEGIN
	RETURN (x, pg_temp.arrival(x, n, t), t);
END $$;

CREATE FUNCTION pg_temp.pareto(r float8, alpha float8, s float8, beta float8, t float8)
RETURNS pg_temp.customer LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	life float8 := least(t, -ln(1 - random()) / (pg_temp.gamma(s) / beta));
	n float8 := pg_temp.poisson(pg_temp.gamma(r) / alpha * life);
BEGIN
	RETURN (n, pg_temp.arrival(n, n, life), t);
END $$;

CREATE FUNCTION pg_temp.beta_bernoulli(alpha float8, beta float8, gamma float8, delta float8, n float8)
RETURNS pg_temp.customer LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	p float8 := pg_temp.beta(alpha, beta);
	chances integer := least(n, pg_temp.failures(pg_temp.beta(gamma, delta)));
	c pg_temp.customer := (0, 0, n);
BEGIN
	FOR i IN 1..chances LOOP
		IF random() < p THEN
			c.x := c.x + 1;
			c.t_x := i;
		END IF;
	END LOOP;
	RETURN c;
END $$;

-- ---------- fits ----------

CREATE TEMP TABLE simulated (name text, true_params jsonb, m segment.model, seconds float8);

-- Simulate customers by an expression over i, fit, and keep the model.
CREATE FUNCTION pg_temp.simulate(name text, kind text, true_params jsonb, customers integer, customer text)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	m segment.model;
	began timestamptz;
BEGIN
	EXECUTE format('CREATE TEMP TABLE sample AS SELECT c.* FROM (SELECT i, %s AS c FROM generate_series(1, %s) i) s, LATERAL (SELECT (c).*) c',
		customer, customers);
	began := clock_timestamp();
	EXECUTE format('SELECT segment.%s_fit(x, t_x, t) FROM sample', kind) INTO m;
	INSERT INTO simulated VALUES (name, true_params, m, extract(epoch FROM clock_timestamp() - began));
	DROP TABLE sample;
END $$;

-- observed for 10 to 90 weeks
\o /dev/null
SELECT pg_temp.simulate('bgnbd, 2000 customers', 'bgnbd', '{"r": 0.5, "alpha": 6, "a": 0.8, "b": 2.5}', 2000,
	'pg_temp.beta_geometric(0, 0.5, 6, 0.8, 2.5, 10 + i % 80)');
SELECT pg_temp.simulate('bgnbd, 20000 customers', 'bgnbd', '{"r": 0.5, "alpha": 6, "a": 0.8, "b": 2.5}', 20000,
	'pg_temp.beta_geometric(0, 0.5, 6, 0.8, 2.5, 10 + i % 80)');
SELECT pg_temp.simulate('mbgnbd, 2000 customers', 'mbgnbd', '{"r": 0.5, "alpha": 6, "a": 0.8, "b": 2.5}', 2000,
	'pg_temp.beta_geometric(1, 0.5, 6, 0.8, 2.5, 10 + i % 80)');
SELECT pg_temp.simulate('mbgnbd, 20000 customers', 'mbgnbd', '{"r": 0.5, "alpha": 6, "a": 0.8, "b": 2.5}', 20000,
	'pg_temp.beta_geometric(1, 0.5, 6, 0.8, 2.5, 10 + i % 80)');
SELECT pg_temp.simulate('pnbd, 2000 customers', 'pnbd', '{"r": 0.6, "alpha": 5, "s": 0.7, "beta": 10}', 2000,
	'pg_temp.pareto(0.6, 5, 0.7, 10, 10 + i % 80)');
SELECT pg_temp.simulate('pnbd, 10000 customers', 'pnbd', '{"r": 0.6, "alpha": 5, "s": 0.7, "beta": 10}', 10000,
	'pg_temp.pareto(0.6, 5, 0.7, 10, 10 + i % 80)');
SELECT pg_temp.simulate('bgbb, 20000 customers', 'bgbb', '{"alpha": 1.2, "beta": 0.8, "gamma": 0.7, "delta": 2.8}', 20000,
	'pg_temp.beta_bernoulli(1.2, 0.8, 0.7, 2.8, 4 + i % 6)');

-- awkward shapes
SELECT pg_temp.simulate('bgnbd, a + b < 1', 'bgnbd', '{"r": 0.8, "alpha": 4, "a": 0.2, "b": 0.3}', 10000,
	'pg_temp.beta_geometric(0, 0.8, 4, 0.2, 0.3, 10 + i % 80)');
SELECT pg_temp.simulate('mbgnbd, a + b < 1', 'mbgnbd', '{"r": 0.8, "alpha": 4, "a": 0.2, "b": 0.3}', 10000,
	'pg_temp.beta_geometric(1, 0.8, 4, 0.2, 0.3, 10 + i % 80)');
SELECT pg_temp.simulate('bgnbd, r near 0', 'bgnbd', '{"r": 0.01, "alpha": 3, "a": 0.8, "b": 2.5}', 40000,
	'pg_temp.beta_geometric(0, 0.01, 3, 0.8, 2.5, 10 + i % 80)');
SELECT pg_temp.simulate('mbgnbd, very regular buyers', 'mbgnbd', '{"r": 60, "alpha": 120, "a": 0.6, "b": 9}', 5000,
	'pg_temp.beta_geometric(1, 60, 120, 0.6, 9, 10 + i % 80)');
SELECT pg_temp.simulate('bgnbd, ten years of days', 'bgnbd', '{"r": 0.9, "alpha": 30, "a": 0.7, "b": 6}', 5000,
	'pg_temp.beta_geometric(0, 0.9, 30, 0.7, 6, 1 + (i * 37) % 3650)');
SELECT pg_temp.simulate('pnbd, ten years of days', 'pnbd', '{"r": 0.9, "alpha": 30, "s": 0.5, "beta": 400}', 3000,
	'pg_temp.pareto(0.9, 30, 0.5, 400, 1 + (i * 37) % 3650)');
SELECT pg_temp.simulate('mbgnbd, counts beyond 300', 'mbgnbd', '{"r": 2, "alpha": 0.5, "a": 0.6, "b": 200}', 3000,
	'pg_temp.beta_geometric(1, 2, 0.5, 0.6, 200, 10 + i % 200)');
SELECT pg_temp.simulate('bgnbd, counts beyond 10000', 'bgnbd', '{"r": 2, "alpha": 0.02, "a": 0.6, "b": 9000}', 2000,
	'pg_temp.beta_geometric(0, 2, 0.02, 0.6, 9000, 10 + i % 200)');
SELECT pg_temp.simulate('pnbd, counts beyond 300', 'pnbd', '{"r": 2, "alpha": 0.5, "s": 0.6, "beta": 40}', 2000,
	'pg_temp.pareto(2, 0.5, 0.6, 40, 10 + i % 200)');
SELECT pg_temp.simulate('pnbd, alpha equals beta', 'pnbd', '{"r": 0.8, "alpha": 8, "s": 1, "beta": 8}', 5000,
	'pg_temp.pareto(0.8, 8, 1, 8, 10 + i % 80)');
SELECT pg_temp.simulate('bgbb, many opportunities', 'bgbb', '{"alpha": 0.6, "beta": 2, "gamma": 0.4, "delta": 20}', 3000,
	'pg_temp.beta_bernoulli(0.6, 2, 0.4, 20, 100 + i % 200)');

\o
-- spend: x purchases of the mean given
INSERT INTO simulated
SELECT format('gammagamma, %s customers, q = %s', n, q), jsonb_build_object('p', 6, 'q', q, 'gamma', 15), m
FROM (SELECT n, q, segment.gammagamma_fit(x, spend) AS m FROM (
	SELECT n, q, x, CASE WHEN x > 0 THEN pg_temp.gamma(6 * x) / x / (pg_temp.gamma(q) / 15) ELSE 0 END AS spend
	FROM (VALUES (2000, 3.7), (20000, 3.7), (5000, 0.8)) v(n, q), LATERAL (
		SELECT pg_temp.poisson(0.9) AS x FROM generate_series(1, n)) c) s
	GROUP BY n, q) f;

CREATE TEMP TABLE recovered AS
SELECT s.name, p.key AS param, p.value::float8 AS truth, segment.param(m, p.key) AS value,
	segment.stderr(m, p.key) AS stderr
FROM simulated s, jsonb_each_text(true_params) p;

SELECT is(segment.status(m), 'converged', name || ': converged') FROM simulated ORDER BY name;
SELECT is(array_remove(segment.warnings(m), (SELECT w FROM unnest(segment.warnings(m)) w WHERE w LIKE 'undefined_mean:%')),
	'{}'::text[], name || ': nothing to warn of but an undefined mean') FROM simulated ORDER BY name;
-- 84 parameters: four standard errors off happens once in 200 such tests
SELECT is((SELECT string_agg(format('%s is %s +- %s', param, value, stderr), '; ')
	FROM recovered r WHERE r.name = s.name AND NOT coalesce(abs(value - truth) < 4 * stderr, false)), NULL,
	name || ': all parameters within four standard errors of the truth') FROM simulated s ORDER BY name;
-- and the standard errors are not just large: the deviations are of their size
SELECT cmp_ok(sqrt(avg(((value - truth) / stderr) ^ 2))::numeric, '<', 1.4,
	'deviations from the truth are about one standard error: not above') FROM recovered;
SELECT cmp_ok(sqrt(avg(((value - truth) / stderr) ^ 2))::numeric, '>', 0.6,
	'deviations from the truth are about one standard error: not below') FROM recovered;
-- ten times the customers
SELECT cmp_ok(abs(ln(a.stderr / b.stderr / sqrt(10)))::numeric, '<', 0.4,
	'ten times the customers leave a standard error of ' || a.param || ' of 1/sqrt(10)')
FROM recovered a JOIN recovered b USING (param)
WHERE a.name = 'bgnbd, 2000 customers' AND b.name = 'bgnbd, 20000 customers' ORDER BY param;
SELECT is_empty('SELECT name, seconds FROM simulated WHERE seconds > 20', 'no fit takes long');

SELECT * FROM finish();
ROLLBACK;
