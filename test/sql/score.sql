--
-- quantile_cuts and score: meaning on small examples, and every refusal
--
SET extra_float_digits = 1;

\getenv test_directory PG_ABS_SRCDIR
\set helpers :test_directory '/helpers.sql'
\set failure_form message
\set ECHO none
\i :helpers
\set ECHO all

-- ten values, five groups of two; the cut point belongs to the lower group
SELECT segment.quantile_cuts(i, 5) FROM generate_series(1, 10) i;
SELECT i, segment.score(i, '{2,4,6,8}') FROM generate_series(0, 10) i;
-- the order of rows does not matter
SELECT segment.quantile_cuts(i, 5 ORDER BY i DESC) FROM generate_series(1, 10) i;
-- one group needs no cut point, and everybody is in it
SELECT segment.quantile_cuts(i, 1), segment.score(7, segment.quantile_cuts(i, 1))
FROM generate_series(1, 10) i;
-- fewer values than groups
SELECT segment.quantile_cuts(v, 5) FROM (VALUES (1.5), (2.5)) AS t(v);
SELECT segment.quantile_cuts(7, 4);
-- ties: six in ten bought once; they share the lowest score
SELECT segment.quantile_cuts(v, 5) FROM unnest('{1,1,1,1,1,1,2,3,5,9}'::float8[]) v;
SELECT v, segment.score(v, '{1,1,1,3}') FROM unnest('{1,2,3,5,9}'::float8[]) v;
-- all equal
SELECT segment.quantile_cuts(3, 5), segment.score(3, segment.quantile_cuts(3, 5))
FROM generate_series(1, 100);
-- the same with score_cuts: the best has 5, the worst 1, who is in between the middle; all equal have the middle
SELECT segment.score_cuts(v, 5) FROM unnest('{1,1,1,1,1,1,2,3,5,9}'::float8[]) v;
SELECT segment.score_cuts(v, 5) FROM unnest('{1,2,2,2,2,2,2,2,2,3}'::float8[]) v;
SELECT segment.score_cuts(3, 5), segment.score(3, segment.score_cuts(3, 5)), segment.score_cuts(3, 1)
FROM generate_series(1, 100);
-- rows with a NULL are skipped; no rows, no cut points
SELECT segment.quantile_cuts(v, n)
FROM (VALUES (1, 2), (NULL, 2), (2, NULL), (NULL, NULL), (NULL, 0), (3, 2)) AS t(v, n);
SELECT segment.quantile_cuts(v, 5) IS NULL FROM (VALUES (NULL::float8)) AS t(v);
SELECT segment.quantile_cuts(v, 5) IS NULL FROM (SELECT 1.0::float8 WHERE false) AS t(v);
SELECT segment.quantile_cuts(v, 5) FILTER (WHERE false) IS NULL FROM (VALUES (1)) AS t(v);
-- minus zero is zero
SELECT segment.quantile_cuts(v, 3) FROM unnest('{-0,0,-0}'::float8[]) v;
SELECT segment.score('-0', '{0}'), segment.score('0', '{-0}');
-- the ends of the range, and the smallest numbers
SELECT segment.quantile_cuts(v, 4)
FROM unnest('{1.7976931348623157e308,-1.7976931348623157e308,5e-324,-5e-324}'::float8[]) v;
SELECT v, segment.score(v, '{-1.7976931348623157e308,-5e-324,5e-324}')
FROM unnest('{-1.7976931348623157e308,-5e-324,0,5e-324,1.7976931348623157e308}'::float8[]) v;

-- values that are not finite
SELECT pg_temp.failure($$ SELECT segment.quantile_cuts('NaN', 5) $$);
SELECT pg_temp.failure($$ SELECT segment.score_cuts('NaN', 5) $$);
SELECT pg_temp.failure($$ SELECT segment.score_cuts(1, 0) $$);
SELECT pg_temp.failure($$ SELECT segment.score_cuts(1, 1000001) $$);
SELECT pg_temp.failure($$ SELECT segment.quantile_cuts('Infinity', 5) $$);
SELECT pg_temp.failure($$ SELECT segment.quantile_cuts('-Infinity', 5) $$);
-- the number of groups
SELECT pg_temp.failure($$ SELECT segment.quantile_cuts(1, 0) $$);
SELECT pg_temp.failure($$ SELECT segment.quantile_cuts(1, -2147483648) $$);
SELECT pg_temp.failure($$ SELECT segment.quantile_cuts(1, 1000001) $$);
SELECT pg_temp.failure($$ SELECT segment.quantile_cuts(1, 2147483647) $$);
SELECT array_length(segment.quantile_cuts(1, 1000000), 1);
SELECT segment.quantile_cuts(1, n) FROM (VALUES (5), (4)) AS t(n);
SELECT pg_temp.failure($$ SELECT segment.quantile_cuts(1, n) FROM (VALUES (4), (5)) AS t(n) $$);

-- score: arguments that are NULL or not finite
SELECT segment.score(NULL, '{1}') IS NULL, segment.score(1, NULL) IS NULL;
SELECT segment.score(5, '{}');
SELECT pg_temp.failure($$ SELECT segment.score('NaN', '{1}') $$);
SELECT pg_temp.failure($$ SELECT segment.score('Infinity', '{1}') $$);
SELECT pg_temp.failure($$ SELECT segment.score('-Infinity', '{}') $$);
-- cut points
SELECT pg_temp.failure($$ SELECT segment.score(1, '{NaN}') $$);
SELECT pg_temp.failure($$ SELECT segment.score(1, '{1,NaN}') $$);
SELECT pg_temp.failure($$ SELECT segment.score(1, '{NaN,1}') $$);
SELECT pg_temp.failure($$ SELECT segment.score(1, '{-Infinity,1}') $$);
SELECT pg_temp.failure($$ SELECT segment.score(1, '{1,Infinity}') $$);
SELECT pg_temp.failure($$ SELECT segment.score(1, '{2,1}') $$);
SELECT segment.score(1, '{1,3,2,4}');
SELECT segment.score(1, '{1,NaN,2,3}');
SELECT pg_temp.failure($$ SELECT segment.score(1, '{1,NULL}') $$);
SELECT pg_temp.failure($$ SELECT segment.score(1, '{NULL}') $$);
SELECT pg_temp.failure($$ SELECT segment.score(1, '{{1,2},{3,4}}') $$);
SELECT pg_temp.failure($$ SELECT segment.score(1, '{{1}}') $$);
-- an array may start at any subscript, and keep the bitmap of a NULL that is gone
SELECT segment.score(1.5, '[5:7]={1,2,3}'),
	segment.score(1.5, (ARRAY[1, 2, NULL]::float8[])[1:2]),
	segment.score(1.5, array_remove(ARRAY[1, NULL, 2]::float8[], NULL));
SELECT pg_temp.failure($$ SELECT segment.score(1, array_fill(NULL::float8, ARRAY[20])) $$);

-- cut points as they come from a table: short, long, compressed, out of line
CREATE TEMP TABLE stored (kind text, cuts float8[]);
INSERT INTO stored
SELECT 'of ' || n, ARRAY(SELECT i::float8 FROM generate_series(1, n) i)
FROM unnest('{0,1,13,14,100,100000}'::integer[]) n;
INSERT INTO stored SELECT 'all equal', array_fill(1::float8, ARRAY[100000]);
INSERT INTO stored VALUES ('NULL removed', (ARRAY[1, 2, 3, NULL]::float8[])[1:3]);
SELECT kind, pg_column_size(cuts) < 127 AS short,
	segment.score(0, cuts), segment.score(1, cuts), segment.score(2.5, cuts),
	segment.score(1e6, cuts)
FROM stored ORDER BY cardinality(cuts), kind COLLATE "C";
-- and from a variable of PL/pgSQL
DO $$
DECLARE
	cuts float8[] := '{1,2}';
BEGIN
	cuts[3] := 3;
	RAISE NOTICE '%', segment.score(2.5, cuts);
	cuts[3] := 0;
	RAISE NOTICE '%', segment.score(2.5, cuts);
EXCEPTION WHEN OTHERS THEN
	RAISE NOTICE '% %', SQLSTATE, SQLERRM;
END
$$;

-- everything without a search path
SET search_path = '';
SELECT segment.score(3, segment.quantile_cuts(i, 5)) FROM pg_catalog.generate_series(1, 10) i;
RESET search_path;

-- a long run can be cancelled
SET statement_timeout = '100ms';
SELECT segment.quantile_cuts(i, 5) FROM generate_series(1, 100000000) i;
RESET statement_timeout;
