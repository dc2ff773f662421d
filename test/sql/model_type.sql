-- segment.model: input and output, checks, accessors, comparison
\set VERBOSITY terse
SET extra_float_digits = 1;
-- for the operators
SET search_path = public, segment, segment_internal;
\pset format unaligned

-- prints SQLSTATE and message of what a statement raises, and the detail
-- where it tells what is wrong with a text
CREATE FUNCTION raises(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
BEGIN
	EXECUTE statement;
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RETURN SQLSTATE || ' ' || SQLERRM || CASE WHEN detail LIKE 'In a model,%' THEN ' (' || detail || ')' ELSE '' END;
END $$;
CREATE FUNCTION reads(literal text) RETURNS text LANGUAGE sql AS
$$ SELECT raises(format('SELECT %L::segment.model', literal)) $$;

-- construction and the text form
SELECT segment.model('bgnbd', '{"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}');
SELECT segment.model('mbgnbd', '{"b": 1.6, "a": 0.9, "alpha": 6.2, "r": 0.5}');
SELECT segment.model('pnbd', '{"r": 0.553, "alpha": 10.578, "s": 0.606, "beta": 11.669}');
SELECT segment.model('bgbb', '{"alpha": 1.204, "beta": 0.75, "gamma": 0.657, "delta": 2.783}');
SELECT segment.model('gammagamma', '{"p": 6.25, "q": 3.74, "gamma": 15.44}');
SELECT segment.with_unit(segment.model('gammagamma', '{"p": 1e-40, "q": 1e40, "gamma": 0.1}'), 'day');

-- a model with everything, keys in any order, space anywhere
SELECT ' { "warnings" : [ "no_dropout" , "held_parameter" ] ,
	"covariance":[[0.04],[0.5,9.0],[0,0,0],[0,0,0,0]], "held":["a","b"],
	"customers":12.5,"rows":9223372036854775807,"loglik":-1.25e2,"status":"boundary",
	"unit":"month","params":{"alpha":2,"b":1e6,"r":1,"a":1e-6},"kind":"bgnbd"} '::segment.model AS m \gset
SELECT :'m'::segment.model;
SELECT segment.kind(:'m'), segment.unit(:'m'), segment.status(:'m'), segment.rows(:'m'),
	segment.customers(:'m'), segment.loglik(:'m');
SELECT segment.params(:'m');
SELECT p, segment.param(:'m', p), segment.stderr(:'m', p) FROM unnest(ARRAY['r', 'alpha', 'a', 'b']) p;
SELECT segment.covariance(:'m');
SELECT unnest(segment.warnings(:'m'));

-- a given model has no fit
SELECT segment.model('bgnbd', '{"r": 1, "alpha": 2, "a": 3, "b": 4}') AS g \gset
SELECT segment.status(:'g'), segment.rows(:'g'), segment.customers(:'g'), segment.loglik(:'g') IS NULL AS no_loglik,
	segment.stderr(:'g', 'r') IS NULL AS no_stderr, segment.covariance(:'g') IS NULL AS no_covariance,
	segment.warnings(:'g');

-- NULL in, NULL out
SELECT segment.params(NULL) IS NULL AND segment.param(NULL, 'r') IS NULL AND segment.param(:'g', NULL) IS NULL
	AND segment.with_unit(:'g', NULL) IS NULL AND segment.model(NULL, '{}') IS NULL;

-- text that is no model
SELECT literal, reads(literal) FROM (VALUES
	(''), ('{}'), ('null'), ('[]'), ('"bgnbd"'), ('{'), ('{"kind"}'),
	('{"kind": "bgnbd"}'),
	('{"params": {"r": 1, "alpha": 2, "a": 3, "b": 4}}'),
	('{"kind": bgnbd, "params": {"r": 1, "alpha": 2, "a": 3, "b": 4}}'),
	('{"kind": "bgnbd", "params": {"r": 1, "alpha": 2, "a": 3, "b": 4}'),
	('{"kind": "bgnbd", "params": {"r": 1, "alpha": 2, "a": 3, "b": 4}}}'),
	('{"kind": "bgnbd", "params": {"r": 1, "alpha": 2, "a": 3, "b": 4}} x'),
	('{"kind": "bgnbd", "params": {"r": 1, "alpha": 2, "a": 3, "b": 4,}}'),
	('{"kind": "bgnbd", "params": {"r": 1, "alpha": 2, "a": 3, "b": 4},}'),
	('{"kind": "bgnbd", "kind": "bgnbd", "params": {"r": 1, "alpha": 2, "a": 3, "b": 4}}'),
	('{"kind": "bgnbd", "params": {"r": 1, "alpha": 2, "a": 3, "b": 4}, "other": 1}'),
	('{"kind": "bgnbd", "params": {"r": 1, "alpha": 2, "a": 3, "b": 4, "c": 5}}'),
	('{"kind": "bgnbd", "params": {"r": "1", "alpha": 2, "a": 3, "b": 4}}'),
	('{"kind": "bgnbd", "params": {"r": 0x1, "alpha": 2, "a": 3, "b": 4}}'),
	('{"kind": "bgnbd", "params": {"r": 01, "alpha": 2, "a": 3, "b": 4}}'),
	('{"kind": "bgnbd", "params": {"r": +1, "alpha": 2, "a": 3, "b": 4}}'),
	('{"kind": "bgnbd", "params": {"r": .1, "alpha": 2, "a": 3, "b": 4}}'),
	('{"kind": "bgnbd", "params": {"r": 1., "alpha": 2, "a": 3, "b": 4}}'),
	('{"kind": "bgnbd", "params": {"r": 1e, "alpha": 2, "a": 3, "b": 4}}'),
	('{"kind": "bgnbd", "params": {"r": 1,5, "alpha": 2, "a": 3, "b": 4}}'),
	('{"kind": "bgnbd", "params": {"r": NaN, "alpha": 2, "a": 3, "b": 4}}'),
	('{"kind": "bgnbd", "params": {"r": inf, "alpha": 2, "a": 3, "b": 4}}'),
	('{"kind": "bgnbd", "params": {"r": 1e999, "alpha": 2, "a": 3, "b": 4}}'),
	('{"kind": "bgnbd", "params": {"r": null, "alpha": 2, "a": 3, "b": 4}}'),
	('{"kind": "bgnbd", "params": {"r": 1, "alpha": 2, "a": 3, "b": 4}, "rows": -1}'),
	('{"kind": "bgnbd", "params": {"r": 1, "alpha": 2, "a": 3, "b": 4}, "rows": 9223372036854775808}'),
	('{"kind": "bgnbd", "params": {"r": 1, "alpha": 2, "a": 3, "b": 4}, "rows": 99999999999999999999}'),
	('{"kind": "bgnbd", "params": {"r": 1, "alpha": 2, "a": 3, "b": 4}, "rows": 1.5}'),
	('{"kind": "bgnbd", "params": {"r": 1, "alpha": 2, "a": 3, "b": 4}, "covariance": []}'),
	('{"kind": "bgnbd", "params": {"r": 1, "alpha": 2, "a": 3, "b": 4}, "covariance": [[1, 2]]}'),
	('{"kind": "bgnbd", "params": {"r": 1, "alpha": 2, "a": 3, "b": 4}, "held": ["r", "r", "r", "r", "r"]}'),
	('{"kind": "' || repeat('b', 40) || '", "params": {"r": 1, "alpha": 2, "a": 3, "b": 4}}'),
	('{"kind": 1, "params": {"r": 1, "alpha": 2, "a": 3, "b": 4}}'),
	('{"kind": "bgnbd", "params": [1, 2, 3, 4]}'),
	('{"kind": "bgnbd", "params": {"r": 1, "alpha": 2, "a": 3, "b": 4}, "unit": {"day": 1}}'),
	('{"kind": "bgnbd", "params": {"r": 1, "alpha": 2, "a": 3, "b": 4}, "unit": "day", "unit": "week"}'),
	('{"kind": "bgnbd", "params": {"r": 1, "alpha": 2, "a": 3, "b": 3, "b": 4}}'),
	('{"kind": "bgnbd", "params": {"r": 1, "alpha": 2, "a": 3, "b": 4}, "params": {"r": 1, "alpha": 2, "a": 3, "b": 4}}'),
	('{"kind": "bgnbd", "params": {"r": 1, "alpha": 2, "a": 3, "b": 4}, "un\u0069t": "day", "unit": "week"}'),
	('{"kind": "bgnbd", "params": {"r": 1, "alpha": 2, "a": 3, "b": 4}, "held": "r"}'),
	('{"kind": "bgnbd", "params": {"r": 1, "alpha": 2, "a": 3, "b": 4}, "held": [1]}'),
	('{"kind": "bgnbd", "params": {"r": 1, "alpha": 2, "a": 3, "b": 4}, "warnings": {}}'),
	('{"kind": "bgnbd", "params": {"r": 1, "alpha": 2, "a": 3, "b": 4}, "covariance": [[1], 2]}'),
	('{"kind": "bgnbd", "params": {"r": 1, "alpha": 2, "a": 3, "b": 4}, "covariance": [["1"]]}'),
	('{"kind": "bgnbd", "params": {"r": 1, "alpha": 2, "a": 3, "b": 4}, "loglik": true}'),
	('{"kind": "bgnbd", "params": {"r": 1e999999, "alpha": 2, "a": 3, "b": 4}}')
) t(literal);
-- text with what is not needed: escapes, exponents, and all digits
SELECT literal::segment.model FROM (VALUES
	('{"k\u0069nd": "bgn\u0062d", "params": {"r": 1, "alpha": 2, "a": 3, "b": 4}}'),
	('{"kind": "bgnbd", "params": {"r": 1, "alpha": 2, "a": 3, "b": 4}, "rows": 12e3, "customers": -0, "loglik": -0.0}'),
	('{"kind": "bgnbd", "params": {"r": 0.1000000000000000055511151231257827, "alpha": 2.50000000000000000000, "a": 300e-2, "b": 9007199254740993.00000000000000000000000001}}')
) t(literal);
SELECT reads('{"kind": "bgn\":\"bd", "params": {"r": 1, "alpha": 2, "a": 3, "b": 4}}');

-- text of a model with values that are not allowed
SELECT literal, reads(literal) FROM (VALUES
	('{"kind": "other", "params": {"r": 1, "alpha": 2, "a": 3, "b": 4}}'),
	('{"kind": "", "params": {"r": 1, "alpha": 2, "a": 3, "b": 4}}'),
	('{"kind": "bgnbd", "params": {}}'),
	('{"kind": "bgnbd", "params": {"r": 1, "alpha": 2, "a": 3}}'),
	('{"kind": "bgnbd", "params": {"r": 1, "alpha": 2, "a": 3, "a": 4}}'),
	('{"kind": "bgnbd", "params": {"r": 1, "alpha": 2, "s": 3, "beta": 4}}'),
	('{"kind": "gammagamma", "params": {"p": 1, "q": 2, "gamma": 3, "x": 4}}'),
	('{"kind": "bgnbd", "params": {"r": 0, "alpha": 2, "a": 3, "b": 4}}'),
	('{"kind": "bgnbd", "params": {"r": -1, "alpha": 2, "a": 3, "b": 4}}'),
	('{"kind": "bgnbd", "params": {"r": 1e-41, "alpha": 2, "a": 3, "b": 4}}'),
	('{"kind": "bgnbd", "params": {"r": 1.1e40, "alpha": 2, "a": 3, "b": 4}}'),
	('{"kind": "bgnbd", "params": {"r": 1, "alpha": 2, "a": 3, "b": 4}, "unit": "fortnight"}'),
	('{"kind": "bgnbd", "params": {"r": 1, "alpha": 2, "a": 3, "b": 4}, "status": "fine"}'),
	('{"kind": "bgnbd", "params": {"r": 1, "alpha": 2, "a": 3, "b": 4}, "warnings": ["beware"]}'),
	('{"kind": "bgnbd", "params": {"r": 1, "alpha": 2, "a": 3, "b": 4}, "held": ["q"]}'),
	('{"kind": "bgnbd", "params": {"r": 1, "alpha": 2, "a": 3, "b": 4}, "customers": -1}'),
	('{"kind": "bgnbd", "params": {"r": 1, "alpha": 2, "a": 3, "b": 4}, "covariance": [[1],[0,1],[0,0,1]]}'),
	('{"kind": "bgnbd", "params": {"r": 1, "alpha": 2, "a": 3, "b": 4}, "covariance": [[1],[0,-1],[0,0,1],[0,0,0,1]]}'),
	('{"kind": "bgnbd", "params": {"r": 1, "alpha": 2, "a": 3, "b": 4}, "covariance": [[1],[0,0],[0,0,1],[0,0,0,1]]}'),
	('{"kind": "bgnbd", "params": {"r": 1, "alpha": 2, "a": 3, "b": 4}, "held": ["r"], "covariance": [[1],[0,1],[0,0,1],[0,0,0,1]]}')
) t(literal);

-- constructor and accessors
SELECT call, raises('SELECT ' || call) FROM (VALUES
	($$ segment.model('other', '{}') $$),
	($$ segment.model('bgnbd', '[]') $$),
	($$ segment.model('bgnbd', '1') $$),
	($$ segment.model('bgnbd', '{}') $$),
	($$ segment.model('bgnbd', '{"r": 1, "alpha": 2, "a": 3}') $$),
	($$ segment.model('bgnbd', '{"r": 1, "alpha": 2, "a": 3, "b": "4"}') $$),
	($$ segment.model('bgnbd', '{"r": 1, "alpha": 2, "a": 3, "b": null}') $$),
	($$ segment.model('bgnbd', '{"r": 1, "alpha": 2, "a": 3, "b": 4, "c": 5}') $$),
	($$ segment.model('bgnbd', '{"r": 1, "alpha": 2, "a": 3, "b": 0}') $$),
	($$ segment.model('bgnbd', '{"r": 1, "alpha": 2, "a": 3, "b": 1e41}') $$),
	($$ segment.with_unit(segment.model('gammagamma', '{"p": 1, "q": 2, "gamma": 3}'), 'hour') $$),
	($$ segment.param(segment.model('gammagamma', '{"p": 1, "q": 2, "gamma": 3}'), 'r') $$),
	($$ segment.stderr(segment.model('gammagamma', '{"p": 1, "q": 2, "gamma": 3}'), '') $$)
) t(call);

-- no type modifier
SELECT raises('SELECT NULL::segment.model(3)');

-- binary form: every value comes back with the same bits
CREATE TABLE models (id int, m segment.model);
INSERT INTO models VALUES (1, :'m'), (2, :'g'),
	(3, segment.model('gammagamma', '{"p": 0.1, "q": 2.2250738585072014e-20, "gamma": 1e20}'));
SELECT id, segment_internal.model_send(m) FROM models ORDER BY id;
SELECT every(segment_internal.model_in(segment_internal.model_out(m)) = m) FROM models;
SET extra_float_digits = -15;
SELECT every(segment_internal.model_in(segment_internal.model_out(m)) = m) FROM models;
SELECT m FROM models WHERE id = 3;
RESET extra_float_digits;

-- comparison, hash and btree
INSERT INTO models SELECT id + 3, m FROM models;
SELECT count(*), count(DISTINCT m) FROM models;
SELECT count(*) FROM (SELECT m FROM models GROUP BY m) g;
SET enable_hashjoin = off; SET enable_nestloop = off;
SELECT count(*) FROM models a JOIN models b USING (m);
RESET enable_hashjoin; SET enable_mergejoin = off;
SELECT count(*) FROM models a JOIN models b USING (m);
RESET enable_nestloop; RESET enable_mergejoin;
SELECT raises('CREATE UNIQUE INDEX ON models (m)');
SELECT count(*) FROM models a, models b
WHERE (a.m < b.m)::int + (a.m = b.m)::int + (a.m > b.m)::int <> 1
	OR (a.m <= b.m) <> (a.m < b.m OR a.m = b.m) OR (a.m >= b.m) <> (a.m > b.m OR a.m = b.m)
	OR (a.m <> b.m) = (a.m = b.m)
	OR segment_internal.model_cmp(a.m, b.m) <> (a.m > b.m)::int - (a.m < b.m)::int
	OR (a.m = b.m AND (segment_internal.model_hash(a.m) <> segment_internal.model_hash(b.m)
		OR segment_internal.model_hash_extended(a.m, 7) <> segment_internal.model_hash_extended(b.m, 7)));
SELECT opcname, amvalidate(oid) FROM pg_opclass WHERE opcname = 'model_ops' ORDER BY opcmethod;
-- a stored model stays what it was
SELECT segment.with_unit(m, 'day') = m AS same FROM models WHERE id = 2;
SELECT segment.unit(m) FROM models WHERE id = 2;
ANALYZE models;

DROP TABLE models;
DROP FUNCTION reads(text);
DROP FUNCTION raises(text);
