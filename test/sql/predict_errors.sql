-- predictions: what they refuse, NULLs, and how the functions are declared
SET client_min_messages = warning;
\pset format unaligned

CREATE FUNCTION raises(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	EXECUTE statement INTO result;
	RETURN 'no error: ' || coalesce(result, 'NULL');
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
CREATE TABLE m (name text, model segment.model);
INSERT INTO m VALUES
	('bg', segment.model('bgnbd', '{"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}')),
	('bb', segment.model('bgbb', '{"alpha": 1.204, "beta": 0.750, "gamma": 0.657, "delta": 2.783}')),
	('gg', segment.model('gammagamma', '{"p": 6.25, "q": 3.74, "gamma": 15.44}'));
CREATE FUNCTION calls(call text) RETURNS text LANGUAGE sql AS
$$ SELECT raises(format('SELECT segment.%s FROM m bg, m bb, m gg WHERE bg.name = ''bg'' AND bb.name = ''bb'' AND gg.name = ''gg''',
	regexp_replace(call, '\m(bg|bb|gg)\M', '\1.model', 'g'))) $$;

SELECT call, calls(call) FROM (VALUES
	-- the customer
	('p_alive(bg, -1, 0, 1)'), ('p_alive(bg, 0.5, 1, 2)'), ('p_alive(bg, 1, 3, 2)'), ('p_alive(bg, 0, 1, 2)'), ('p_alive(bg, 1, 1, ''NaN'')'),
	('p_alive(bg, ''infinity'', 1, 2)'), ('p_alive(bg, 1, 1, 1e13)'), ('p_alive(bb, 3, 2, 4)'), ('p_alive(bb, 1, 1, 2.5)'),
	('expected_purchases(bg, 1, 3, 2, 1)'), ('purchase_probability(bg, 1, 3, 2, 1)'), ('purchase_pmf(bg, 1, 3, 2, 1, 1)'),
	('discounted_purchases(bg, 1, 3, 2, 1, 0.1)'), ('dert(bg, 1, 3, 2, 0.1)'), ('clv(bg, gg, 1, 3, 2, 20, 52, 0.1, 0.3)'),
	-- the horizon
	('expected_purchases(bg, 1, 1, 2, -1)'), ('expected_purchases(bg, 1, 1, 2, ''NaN'')'), ('expected_purchases(bg, 1, 1, 2, ''infinity'')'),
	('expected_purchases(bg, -1)'), ('expected_purchases(bg, 1e13)'), ('expected_purchases(bb, 1.5)'), ('expected_purchases(bb, 1, 1, 2, 100001)'),
	('purchase_probability(bg, 1, 1, 2, -1)'), ('purchase_pmf(bg, 1, 1, 2, -1, 1)'), ('discounted_purchases(bg, 1, 1, 2, -1, 0.1)'),
	('clv(bg, gg, 1, 1, 2, 20, -1, 0.1, 0.3)'),
	-- n
	('purchase_pmf(bg, 1, 1, 2, 1, -1)'), ('purchase_pmf(bg, 1, 1, 2, 1, 0.5)'), ('purchase_pmf(bg, 1, 1, 2, 1, ''NaN'')'),
	-- the rate
	('discounted_purchases(bg, 1, 1, 2, 1, -0.1)'), ('discounted_purchases(bg, 1, 1, 2, 1, 101)'), ('discounted_purchases(bg, 1, 1, 2, 1, ''NaN'')'),
	('dert(bg, 1, 1, 2, 0)'), ('dert(bg, 1, 1, 2, -0.1)'), ('clv(bg, gg, 1, 1, 2, 20, 52, -0.1, 0.3)'),
	-- money
	('expected_spend(gg, -1, 20)'), ('expected_spend(gg, 1, -20)'), ('expected_spend(gg, 1, ''NaN'')'), ('expected_spend(gg, 1, ''infinity'')'),
	('clv(bg, gg, 1, 1, 2, -20, 52, 0.1, 0.3)'), ('clv(bg, gg, 1, 1, 2, 20, 52, 0.1, 1.1)'), ('clv(bg, gg, 1, 1, 2, 20, 52, 0.1, ''NaN'')'),
	('clv_formula(''NaN'', 1, 1, 1, 0, 0, 0)'), ('clv_formula(1, -1, 1, 1, 0, 0, 0)'), ('clv_formula(1, 1, 1.1, 1, 0, 0, 0)'), ('clv_formula(1, 1, -0.1, 1, 0, 0, 0)'),
	('clv_formula(1, 1, 1, -1, 0, 0, 0)'), ('clv_formula(1, 1, 1, ''infinity'', 0, 0, 0)'), ('clv_formula(1, 1, 1, 1, -0.1, 0, 0)'),
	('clv_formula(1, 1, 1, 1, 0, -1, 0)'), ('clv_formula(1, 1, 1, 1, 0, 0, -1)'),
	-- a model of the wrong sort
	('p_alive(gg, 1, 1, 2)'), ('expected_purchases(gg, 1, 1, 2, 1)'), ('expected_purchases(gg, 1)'), ('purchase_probability(gg, 1, 1, 2, 1)'),
	('purchase_pmf(gg, 1, 1, 2, 1, 1)'), ('discounted_purchases(gg, 1, 1, 2, 1, 0.1)'), ('dert(gg, 1, 1, 2, 0.1)'),
	('expected_spend(bg, 1, 20)'), ('clv(gg, gg, 1, 1, 2, 20, 52, 0.1, 0.3)'), ('clv(bg, bg, 1, 1, 2, 20, 52, 0.1, 0.3)')
) t(call);

-- one NULL argument makes the result NULL; mean_repeat_spend only if x > 0
SELECT call, calls(call) FROM (VALUES
	('p_alive(NULL, 1, 1, 2)'), ('p_alive(bg, NULL, 1, 2)'), ('expected_purchases(bg, 1, 1, 2, NULL)'), ('expected_purchases(bg, NULL)'),
	('expected_spend(gg, 1, NULL)'), ('clv(bg, gg, 1, 1, 2, NULL, 52, 0.1, 0.3)'), ('clv(bg, NULL, 0, 0, 2, NULL, 52, 0.1, 0.3)'),
	('clv(bg, gg, 0, 0, 2, NULL, 52, NULL, 0.3)'), ('clv_formula(1, 1, 1, 1, 0, 0, NULL)'),
	('clv(bg, gg, 0, 0, 2, NULL, 52, 0.1, 0.3) > 0')
) t(call);
-- numeric and integer arguments are taken
SELECT round(segment.clv(bg.model, gg.model, 2, 30.43, 38.86, 22.35::numeric, 52, 0.1, 0.3)::numeric, 6)
	= round(segment.clv(bg.model, gg.model, 2, 30.43, 38.86, 22.35::float8, 52, 0.1, 0.3)::numeric, 6) AS same
FROM m bg, m gg WHERE bg.name = 'bg' AND gg.name = 'gg';

-- every function of models: immutable, parallel safe, with a comment; none reads tables or settings
SELECT p.oid::regprocedure FROM pg_proc p JOIN pg_depend d ON d.objid = p.oid AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
JOIN pg_language l ON l.oid = p.prolang
WHERE p.prosrc ~ '^segment_(model|fit|.*_fit|p_alive|expected|purchase|discounted|dert|clv)'
	AND (l.lanname <> 'c' OR p.provolatile <> 'i' OR p.proparallel <> 's' OR obj_description(p.oid, 'pg_proc') IS NULL);
-- their aggregates: combine, serialization and an estimate of the state's size
SELECT a.aggfnoid::regprocedure FROM pg_aggregate a JOIN pg_proc p ON p.oid = a.aggfnoid
WHERE a.aggfnoid::regprocedure::text ~ '_fit\('
	AND (a.aggcombinefn = 0 OR a.aggserialfn = 0 OR a.aggdeserialfn = 0 OR a.aggtransspace = 0 OR a.aggfinalmodify <> 'r' OR p.proparallel <> 's'
		OR obj_description(p.oid, 'pg_proc') IS NULL);
SELECT count(*) FROM pg_aggregate WHERE aggfnoid::regprocedure::text ~ '_fit\(';

DROP TABLE m;
DROP FUNCTION calls(text);
DROP FUNCTION raises(text);
