-- fits: what they refuse, and what they say about too little or degenerate data
SET client_min_messages = warning;
\pset format unaligned

CREATE FUNCTION raises(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END $$;

SELECT call, raises('SELECT segment.' || call) FROM (VALUES
	('bgnbd_fit(-1, 0, 1)'), ('bgnbd_fit(1.5, 1, 2)'), ('bgnbd_fit(''NaN'', 1, 2)'), ('bgnbd_fit(''infinity'', 1, 2)'), ('bgnbd_fit(1000000001, 1, 2)'),
	('bgnbd_fit(1, -1, 2)'), ('bgnbd_fit(1, 3, 2)'), ('bgnbd_fit(1, ''NaN'', 2)'), ('bgnbd_fit(1, ''infinity'', 2)'), ('bgnbd_fit(0, 1, 2)'),
	('bgnbd_fit(1, 1, -2)'), ('bgnbd_fit(1, 1, ''NaN'')'), ('bgnbd_fit(1, 1, ''infinity'')'), ('bgnbd_fit(1, 1, 1.1e12)'),
	('bgnbd_fit(1, 1, 2, 0)'), ('bgnbd_fit(1, 1, 2, -1)'), ('bgnbd_fit(1, 1, 2, ''NaN'')'), ('bgnbd_fit(1, 1, 2, ''infinity'')'), ('bgnbd_fit(1, 1, 2, 1.1e12)'),
	('mbgnbd_fit(1, 3, 2)'), ('mbgnbd_fit(1, 1, 2, 0)'), ('pnbd_fit(1, 3, 2)'), ('pnbd_fit(1, 1, 2, 0)'),
	('bgbb_fit(-1, 0, 1)'), ('bgbb_fit(0.5, 1, 2)'), ('bgbb_fit(1, 1.5, 2)'), ('bgbb_fit(1, 1, 2.5)'), ('bgbb_fit(3, 2, 4)'), ('bgbb_fit(1, 3, 2)'),
	('bgbb_fit(0, 1, 2)'), ('bgbb_fit(1, 1, ''NaN'')'), ('bgbb_fit(1, 1, 100001)'), ('bgbb_fit(1, 1, 2, 0)'),
	('gammagamma_fit(-1, 10)'), ('gammagamma_fit(1.5, 10)'), ('gammagamma_fit(1, ''NaN'')'), ('gammagamma_fit(1, ''infinity'')'), ('gammagamma_fit(1, 1.1e30)'), ('gammagamma_fit(1, 10, 0)')
) t(call);
-- states are no arguments for users; how the server says so depends on its minor version
SELECT call, raises('SELECT segment.' || call) ~ '^(42883 function .* does not exist|0A000 cannot accept a value of type internal)$' AS refused
FROM (VALUES
	('fit_customer(NULL, 1, 1, 2)'), ('fit_combine(NULL, NULL)'), ('bgnbd_fit_final(NULL)'), ('fit_deserialize(''\x00'', NULL)')
) t(call);

-- what a fit says about itself: no error, parameters and likelihood finite
CREATE TABLE fits (data text, kind text, m segment.model);
CREATE FUNCTION fit(data text, query text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	k text;
BEGIN
	FOREACH k IN ARRAY '{bgnbd,mbgnbd,pnbd}'::text[] LOOP
		EXECUTE format('INSERT INTO fits SELECT %L, %L, segment.%s_fit(x, t_x, t) FROM (%s) s(x, t_x, t)', data, k, k, query);
	END LOOP;
END $$;
CREATE FUNCTION summary(m segment.model, OUT status text, OUT warnings text, OUT rows bigint, OUT finite boolean) LANGUAGE sql AS $$
	SELECT segment.status(m), (SELECT string_agg(split_part(w, ':', 1), ' ' ORDER BY w) FROM unnest(segment.warnings(m)) w), segment.rows(m),
		segment.loglik(m) BETWEEN -1e300 AND 1e300
		AND (SELECT bool_and(value::float8 BETWEEN 1e-40 AND 1e40) FROM jsonb_each_text(segment.params(m)))
$$;
\o /dev/null
SELECT fit('one customer', 'VALUES (5, 30, 40)');
SELECT fit('one one-time buyer', 'VALUES (0, 0, 40)');
SELECT fit('first bought today', 'VALUES (0, 0, 0)');
SELECT fit('all one-time buyers', 'SELECT 0, 0, t FROM generate_series(1, 1000) t');
SELECT fit('all bought again at once', 'SELECT 1, 0, t FROM generate_series(1, 1000) t');
SELECT fit('nine repeat buyers', 'SELECT i % 3, CASE WHEN i % 3 = 0 THEN 0 ELSE i % 11 END, 20 FROM generate_series(1, 13) i');
SELECT fit('thirty repeat buyers', 'SELECT i % 4, CASE WHEN i % 4 = 0 THEN 0 ELSE 1 + i % 17 END, 20 FROM generate_series(1, 40) i');
SELECT fit('all alive', 'SELECT x, least(50, 49 + x * 0.01), 50 FROM (SELECT 1 + (i * 7919) % 31 * ((i * 31) % 7) FROM generate_series(1, 1000) i) s(x)');
SELECT fit('all the same', 'SELECT 50, 50, 51 FROM generate_series(1, 1000) i');
SELECT fit('all dead after the second purchase', 'SELECT 1, 1, 1000 FROM generate_series(1, 1000) i');
SELECT fit('enormous counts', 'SELECT 1e9 / i, 3650, 3652 FROM (SELECT (ARRAY[1, 2, 4, 5, 8, 10])[1 + i % 6] FROM generate_series(1, 600) i) s(i)');
SELECT fit('enormous times', 'SELECT 1 + i % 7, 1e11 * (1 + i % 5), 1e12 FROM generate_series(1, 1000) i');
SELECT fit('tiny times', 'SELECT 1 + i % 7, 1e-11 * (1 + i % 5), 1e-10 FROM generate_series(1, 1000) i');
\o
INSERT INTO fits VALUES ('nobody gave again', 'bgbb', (SELECT segment.bgbb_fit(0, 0, 6) FROM generate_series(1, 1000)));
INSERT INTO fits VALUES ('all gave always', 'bgbb', (SELECT segment.bgbb_fit(6, 6, 6) FROM generate_series(1, 1000)));
INSERT INTO fits VALUES ('no opportunity', 'bgbb', (SELECT segment.bgbb_fit(0, 0, 0) FROM generate_series(1, 1000)));
INSERT INTO fits VALUES ('all alike', 'bgbb', (SELECT segment.bgbb_fit(3, 5, 6) FROM generate_series(1, 1000)));
INSERT INTO fits VALUES ('a hundred thousand opportunities', 'bgbb', (SELECT segment.bgbb_fit(1000 * (i % 50 + 1), 60000 + 10 * i, 100000) FROM generate_series(1, 100) i));
INSERT INTO fits VALUES ('one buyer', 'gammagamma', (SELECT segment.gammagamma_fit(3, 20)));
INSERT INTO fits VALUES ('all spend the same', 'gammagamma', (SELECT segment.gammagamma_fit(1 + i % 5, 20) FROM generate_series(1, 1000) i));
INSERT INTO fits VALUES ('one purchase each', 'gammagamma', (SELECT segment.gammagamma_fit(1, 10 + i % 50) FROM generate_series(1, 1000) i));
INSERT INTO fits VALUES ('spend of a heavy tail', 'gammagamma', (SELECT segment.gammagamma_fit(1 + i % 5, 3 / (i / 1000.0) ^ 2) FROM generate_series(1, 1000) i));
INSERT INTO fits VALUES ('frequent buyers spend more', 'gammagamma', (SELECT segment.gammagamma_fit(1 + i % 5, (1 + i % 5) * (10 + (i * 31) % 17)) FROM generate_series(1, 1000) i));
INSERT INTO fits VALUES ('some spend nothing', 'gammagamma', (SELECT segment.gammagamma_fit(1 + i % 5, (i * 31) % 17) FROM generate_series(1, 1000) i));
INSERT INTO fits VALUES ('amounts of 1e30', 'gammagamma', (SELECT segment.gammagamma_fit(1 + i % 5, 5e28 * (1 + (i * 31) % 17)) FROM generate_series(1, 1000) i));
INSERT INTO fits VALUES ('amounts of 1e-25', 'gammagamma', (SELECT segment.gammagamma_fit(1 + i % 5, 1e-25 * (1 + (i * 31) % 17)) FROM generate_series(1, 1000) i));
SELECT data, kind, s.* FROM fits, summary(m) s;
-- predictions from all of them stay finite
SELECT data, kind FROM fits WHERE kind IN ('bgnbd', 'mbgnbd', 'pnbd') AND NOT (
	segment.p_alive(m, 2, 10, 40) BETWEEN 0 AND 1 AND segment.expected_purchases(m, 2, 10, 40, 52) BETWEEN 0 AND 1e300
	AND segment.discounted_purchases(m, 0, 0, 40, 52, 0.1) BETWEEN 0 AND 1e300);
-- only gamma-gamma with nobody to fit is NULL
SELECT segment.gammagamma_fit(1, 0) IS NULL AS only_zero, segment.gammagamma_fit(0, 20) IS NULL AS only_one_time;
-- held parameters have no standard error, the others do
SELECT data, kind, p AS param, segment.param(m, p) AS value, segment.stderr(m, p) IS NULL AS no_stderr
FROM fits, LATERAL jsonb_object_keys(segment.params(m)) p
WHERE data = 'all the same' AND kind = 'mbgnbd' AND p <> 'alpha' ORDER BY p;

DROP TABLE fits;
DROP FUNCTION fit(text, text);
DROP FUNCTION summary(segment.model);
DROP FUNCTION raises(text);
