--
-- Predictions against arbitrary precision: relative error at most 1e-9 on
-- grids made by test/reference/purchase_models.py
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
SELECT plan(39);

\set bgnbd `cat test/reference/bgnbd.csv 2>/dev/null`
\set mbgnbd `cat test/reference/mbgnbd.csv 2>/dev/null`
\set pnbd `cat test/reference/pnbd.csv 2>/dev/null`
\set bgbb `cat test/reference/bgbb.csv 2>/dev/null`

-- One row per line of the grids; the header names the parameters.  The rate
-- of the grids is continuous per time unit, so the unit is taken as a year.
CREATE TEMP TABLE grid AS
SELECT kind, n AS line, l[1] AS region,
	segment.with_unit(segment.model(kind, jsonb_build_object(header[2], l[2]::float8, header[3], l[3]::float8, header[4], l[4]::float8, header[5], l[5]::float8)), 'year') AS m,
	l[6]::float8 AS x, l[7]::float8 AS t_x, l[8]::float8 AS t, l[9]::float8 AS h, (exp(l[10]::numeric(40, 25)) - 1)::float8 AS annual_rate, l[11]::float8 AS n,
	nullif(l[13], '')::float8 AS p_alive, nullif(l[14], '')::float8 AS expected, nullif(l[15], '')::float8 AS expected_new, nullif(l[16], '')::float8 AS pmf,
	nullif(l[17], '')::float8 AS probability, nullif(l[18], '')::float8 AS discounted, nullif(l[19], '')::float8 AS dert
FROM (VALUES ('bgnbd', :'bgnbd'), ('mbgnbd', :'mbgnbd'), ('pnbd', :'pnbd'), ('bgbb', :'bgbb')) v(kind, csv),
	LATERAL (SELECT string_to_array(split_part(csv, E'\n', 1), ',') AS header) h,
	LATERAL (SELECT n, string_to_array(line, ',') AS l FROM regexp_split_to_table(csv, E'\n') WITH ORDINALITY u(line, n) WHERE n > 1 AND line <> '') s;
CREATE FUNCTION pg_temp.worse(k text, computed text, expected text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	EXECUTE format($q$ SELECT string_agg(t, E'\n') FROM (
		SELECT format('line %%s (%%s): %%s instead of %%s', line, region, c, e) AS t
		FROM (SELECT line, region, %1$s AS c, %2$s AS e FROM grid WHERE kind = %3$L AND %2$s IS NOT NULL) s
		WHERE NOT coalesce(abs(c - e) <= 1e-9 * abs(e) + 1e-290, false) ORDER BY line LIMIT 5) f $q$, computed, expected, k) INTO result;
	RETURN result;
END $$;

SELECT is(pg_temp.worse(kind, computed, expected), NULL, format('%s: %s on %s points', kind, expected, points))
FROM (SELECT kind, count(*) AS points FROM grid GROUP BY kind) k, (VALUES
	('segment.p_alive(m, x, t_x, t)', 'p_alive'),
	('segment.expected_purchases(m, x, t_x, t, h)', 'expected'),
	('segment.expected_purchases(m, h)', 'expected_new'),
	('segment.purchase_pmf(m, x, t_x, t, h, n)', 'pmf'),
	('segment.purchase_probability(m, x, t_x, t, h)', 'probability'),
	('segment.discounted_purchases(m, x, t_x, t, h, annual_rate)', 'discounted'),
	('segment.dert(m, x, t_x, t, annual_rate)', 'dert')) f(computed, expected)
ORDER BY kind, expected;
SELECT cmp_ok(count(*)::int, '>=', 500, kind || ': at least 500 points') FROM grid GROUP BY kind ORDER BY kind;
SELECT cmp_ok(count(f.value)::int, '>=', 2000, f.name || ': at least 2,000 points over all kinds')
FROM grid AS g
CROSS JOIN LATERAL (VALUES ('p_alive', g.p_alive), ('expected', g.expected), ('expected_new', g.expected_new), ('pmf', g.pmf),
	('probability', g.probability), ('discounted', g.discounted), ('dert', g.dert)) AS f(name, value)
GROUP BY f.name ORDER BY f.name;
SELECT skip('no grid: run test/reference/purchase_models.py', 8) FROM unnest(ARRAY['bgnbd', 'mbgnbd', 'pnbd', 'bgbb']) k
WHERE NOT EXISTS (SELECT FROM grid WHERE kind = k);

SELECT * FROM finish();
ROLLBACK;
