--
-- Predictions of random models and customers, 100,000 cases per function:
-- never NaN, never infinite, never an error, always in range
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
SELECT plan(43);
SELECT setseed(0.57721);
-- for each of the four kinds; SEGMENT_FUZZ_CASES sets another number
\set cases `echo "${SEGMENT_FUZZ_CASES:-25000}"`

-- Parameters over all that a model accepts, most of them within 1e-4..1e4.
CREATE FUNCTION pg_temp.param() RETURNS jsonb LANGUAGE sql VOLATILE AS $$
	SELECT to_jsonb(CASE floor(random() * 8)::int
		WHEN 0 THEN 10 ^ (-40 + 80 * random())
		WHEN 1 THEN (ARRAY[1e-40, 1e-4, 0.5, 1, 2, 3, 1e4, 1e40])[1 + floor(random() * 8)::int]
		WHEN 2 THEN 1 + (random() - 0.5) * 10 ^ (-16 * random())
		ELSE 10 ^ (-4 + 8 * random()) END::float8) $$;
CREATE FUNCTION pg_temp.amount(most float8) RETURNS float8 LANGUAGE sql VOLATILE AS $$
	SELECT least(most, CASE floor(random() * 8)::int WHEN 0 THEN 0 WHEN 1 THEN most
		WHEN 2 THEN most ^ random() ELSE 10 ^ (-3 + 8 * random()) END) $$;
CREATE FUNCTION pg_temp.count(most float8) RETURNS float8 LANGUAGE sql VOLATILE AS $$
	SELECT floor(pg_temp.amount(most)) $$;

CREATE TEMP TABLE cases AS
SELECT kind, segment.with_unit(segment.model(kind, params), (ARRAY['day', 'week', 'month', 'year'])[1 + floor(random() * 4)::int]) AS m,
	x, CASE WHEN x = 0 THEN 0 ELSE t_x END AS t_x, t, h, n, rate
FROM (
	SELECT kind, jsonb_build_object(p1, pg_temp.param(), p2, pg_temp.param(), p3, pg_temp.param(), p4, pg_temp.param()) AS params,
		pg_temp.count(1e9) AS x, CASE floor(random() * 5)::int WHEN 0 THEN t WHEN 1 THEN t * 1e-9 ELSE t * random() END AS t_x, t,
		pg_temp.amount(1e12) AS h, pg_temp.count(1e9) AS n, pg_temp.amount(100) AS rate
	FROM (SELECT kind, p1, p2, p3, p4, pg_temp.amount(1e12) AS t
		FROM (VALUES ('bgnbd', 'r', 'alpha', 'a', 'b'), ('mbgnbd', 'r', 'alpha', 'a', 'b'), ('pnbd', 'r', 'alpha', 's', 'beta')) v(kind, p1, p2, p3, p4),
			generate_series(1, :cases)) s) s;
INSERT INTO cases
SELECT 'bgbb', m, CASE WHEN t_x = 0 THEN 0 ELSE least(t_x, 1 + pg_temp.count(1e5)) END, t_x, t, h, n, rate
FROM (SELECT segment.model('bgbb', jsonb_build_object('alpha', pg_temp.param(), 'beta', pg_temp.param(), 'gamma', pg_temp.param(), 'delta', pg_temp.param())) AS m,
		least(t, pg_temp.count(1e5)) AS t_x, t, pg_temp.count(1e5) AS h, pg_temp.count(1e9) AS n, pg_temp.amount(100) AS rate
	FROM (SELECT pg_temp.count(1e5) AS t FROM generate_series(1, :cases)) s) s;
SELECT is(count(*)::int, :cases, kind || ': ' || count(*) || ' cases') FROM cases GROUP BY kind ORDER BY kind;

CREATE TEMP TABLE some_cases AS SELECT * FROM cases WHERE random() < 0.5;

-- What is out of range, or an error that names a case.
CREATE FUNCTION pg_temp.bad(kind text, call text, low float8, high float8) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	EXECUTE format('SELECT string_agg(t, '' / '') FROM (SELECT format(''%%s x=%%s t_x=%%s t=%%s h=%%s n=%%s rate=%%s: %%s'', segment.params(m), x, t_x, t, h, n, rate, r) AS t
		FROM (SELECT *, %s AS r FROM cases WHERE kind = %L) s WHERE (r BETWEEN %L AND %L) IS NOT TRUE LIMIT 3) s', call, kind, low, high) INTO result;
	RETURN result;
END $$;
SELECT is(pg_temp.bad(kind, call, low, high), NULL, kind || ': ' || call)
FROM unnest(ARRAY['bgbb', 'bgnbd', 'mbgnbd', 'pnbd']) kind, (VALUES
	('segment.p_alive(m, x, t_x, t)', 0, 1),
	('segment.expected_purchases(m, x, t_x, t, h)', 0, 1.7976931348623157e308),
	('segment.expected_purchases(m, h)', 0, 1.7976931348623157e308),
	('segment.purchase_probability(m, x, t_x, t, h)', 0, 1),
	('segment.purchase_pmf(m, x, t_x, t, h, n)', 0, 1),
	('segment.discounted_purchases(m, x, t_x, t, h, rate)', 0, 1.7976931348623157e308),
	('segment.dert(m, x, t_x, t, least(100, rate + 1e-6))', 0, 1.7976931348623157e308)) v(call, low, high);
-- beyond, digits are lost that this needs
SELECT is_empty(format('SELECT m, x, t_x, t, h, rate FROM some_cases WHERE kind = %L
	AND (SELECT bool_and(value::float8 BETWEEN 1e-4 AND 1e4) FROM jsonb_each_text(segment.params(m)))
	AND segment.discounted_purchases(m, x, t_x, t, h, rate) / (1 + 1e-9) > segment.expected_purchases(m, x, t_x, t, h) LIMIT 3', kind),
	kind || ': discounting never adds, parameters 1e-4 to 1e4') FROM unnest(ARRAY['bgbb', 'bgnbd', 'mbgnbd', 'pnbd']) kind;
SELECT is_empty(format('SELECT m, x, t_x, t, h FROM some_cases WHERE kind = %L
	AND segment.purchase_probability(m, x, t_x, t, h) > segment.p_alive(m, x, t_x, t) * (1 + 1e-9) LIMIT 3', kind),
	kind || ': only who is alive can buy') FROM unnest(ARRAY['bgbb', 'bgnbd', 'mbgnbd', 'pnbd']) kind;

-- spend and value
CREATE TEMP TABLE spenders AS
SELECT segment.model('gammagamma', jsonb_build_object('p', pg_temp.param(), 'q', pg_temp.param(), 'gamma', pg_temp.param())) AS m,
	pg_temp.count(1e9) AS x, pg_temp.amount(1e30) AS z FROM generate_series(1, 100000);
SELECT is_empty($$ SELECT m, x, z, segment.expected_spend(m, x, z) FROM spenders
	WHERE (segment.expected_spend(m, x, z) BETWEEN 0 AND 1.7976931348623157e308) IS NOT TRUE LIMIT 3 $$, 'expected_spend');
SELECT is_empty($$ SELECT m, x, t_x, t, h, rate FROM some_cases, LATERAL (SELECT segment.clv(m,
		'{"kind": "gammagamma", "params": {"p": 1e40, "q": 0.5, "gamma": 1e40}}', x, t_x, t, 1e30, h, rate, 1) AS v) l
	WHERE (v BETWEEN 0 AND 1.7976931348623157e308) IS NOT TRUE LIMIT 3 $$, 'clv');
SELECT is_empty($$ SELECT * FROM (SELECT (random() * 2 - 1) * pg_temp.amount(1e30) AS c, pg_temp.amount(1e9) AS f, least(1, pg_temp.amount(1.5)) AS r,
		pg_temp.amount(1e9) AS y, pg_temp.amount(100) AS d, pg_temp.amount(1e30) AS a, pg_temp.amount(1e30) AS k FROM generate_series(1, 100000)) s,
	LATERAL (SELECT segment.clv_formula(c, f, r, y, d, a, k) AS v) l
	WHERE (v BETWEEN -1.7976931348623157e308 AND 1.7976931348623157e308) IS NOT TRUE LIMIT 3 $$, 'clv_formula');

SELECT * FROM finish();
ROLLBACK;
