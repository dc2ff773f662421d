--
-- gini, top_share, lorenz, hhi: meaning on small examples, and every refusal
--
SET extra_float_digits = 1;

\getenv test_directory PG_ABS_SRCDIR
\set helpers :test_directory '/helpers.sql'
\set failure_form message
\set ECHO none
\i :helpers
\set ECHO all

-- all equal
SELECT segment.gini(5), segment.hhi(5), segment.top_share(5, 0.25), segment.lorenz(5, 4)
FROM generate_series(1, 8);
-- one of four has all
SELECT segment.gini(v), segment.hhi(v), segment.top_share(v, 0.25), segment.lorenz(v, 4)
FROM unnest('{0,0,8,0}'::numeric[]) v;
-- one customer
SELECT segment.gini(v), segment.hhi(v), segment.top_share(v, 0.5), segment.lorenz(v, 2)
FROM (VALUES (0.01)) AS t(v);
-- four firms with 30, 30, 20 and 20 per cent: 2,600 of 10,000 points
-- (U.S. Department of Justice, Herfindahl-Hirschman Index)
SELECT segment.hhi(v) FROM unnest('{30,30,20,20}'::numeric[]) v;
-- 80 per cent of the total with 20 per cent of the heads: the Gini coefficient is 0.8 - 0.2
SELECT segment.gini(v), segment.top_share(v, 0.2), segment.lorenz(v, 5)
FROM unnest('{80,5,5,5,5}'::numeric[]) v;
-- part of a value: 1.5 of three, and steps of 3/4 of a value
SELECT segment.top_share(v, 0.5), segment.lorenz(v, 4)
FROM unnest('{16,4,12}'::numeric[]) v;
-- the ends of the fraction
SELECT segment.top_share(v, 0), segment.top_share(v, '-0'), segment.top_share(v, 1),
	segment.top_share(v, 5e-324)
FROM unnest('{16,4,12}'::numeric[]) v;

-- negative values: total 8, of which the best has 10
SELECT segment.gini(v), segment.hhi(v), segment.top_share(v, 0.25), segment.lorenz(v, 4)
FROM unnest('{10,4,-2,-4}'::numeric[]) v;
-- no shares of nothing or of a loss
SELECT segment.gini(v), segment.hhi(v), segment.top_share(v, 0.25), segment.lorenz(v, 4)
FROM unnest('{0,0}'::numeric[]) v;
SELECT segment.gini(v), segment.hhi(v), segment.top_share(v, 0.25), segment.lorenz(v, 4)
FROM unnest('{5,-5}'::numeric[]) v;
SELECT segment.gini(v), segment.hhi(v), segment.top_share(v, 0.25), segment.lorenz(v, 4)
FROM unnest('{5,-6}'::numeric[]) v;
-- rows with a NULL are skipped; no rows, no result
SELECT segment.gini(v), segment.hhi(v), segment.top_share(v, 0.5), segment.lorenz(v, 2)
FROM unnest('{NULL,1,NULL,3}'::numeric[]) v;
SELECT segment.top_share(v, p), segment.lorenz(v, n)
FROM (VALUES (3, 0.5, 2), (9, NULL, NULL), (NULL, 7, 0), (1, 0.5, 2)) AS t(v, p, n);
SELECT segment.gini(v), segment.hhi(v), segment.top_share(v, 0.5), segment.lorenz(v, 2)
FROM (VALUES (NULL::numeric), (NULL)) AS t(v);
SELECT segment.gini(v), segment.hhi(v), segment.top_share(v, 0.5), segment.lorenz(v, 2)
FROM (SELECT 1 WHERE false) AS t(v);

-- the largest and the smallest values, together: 64 bits do not hold them
SELECT segment.gini(v), segment.hhi(v), segment.top_share(v, 0.5), segment.lorenz(v, 2)
FROM unnest('{999999999999999999999999999.999999999,0.000000001}'::numeric[]) v;
SELECT segment.gini(v), segment.hhi(v)
FROM unnest('{999999999999999999999999999.999999999,-999999999999999999999999999.999999998}'::numeric[]) v;
SELECT segment.gini(999999999999999999999999999.999999999),
	segment.hhi(999999999999999999999999999.999999999)
FROM generate_series(1, 100000);
-- about 2^63 units of 10^-9, where the values change from 64 to 128 bits
SELECT segment.lorenz(v, 4), segment.hhi(v)
FROM unnest('{9223372036.854775807,9223372036.854775808,-9223372036.854775808,-9223372036.854775809,4}'::numeric[]) v;

-- just above the middle between two float8: (2^73 + 2^20 + 1) / 2^80 is nearer
-- to the upper one, 2^-7 + 2^-59
SELECT (segment.lorenz(v, 2))[1], (segment.lorenz(v, 2))[1] = 2::float8 ^ -7 + 2::float8 ^ -59 AS rounded_once
FROM unnest('{1199481086648889.883230207,9444732965739.291475969}'::numeric[]) v;

-- values that are not finite, or beyond the range
SELECT a, v, left(pg_temp.failure(format(a, v)), 72) AS failure
FROM unnest(ARRAY['SELECT segment.gini(%L)', 'SELECT segment.hhi(%L)',
		'SELECT segment.top_share(%L, 0.5)', 'SELECT segment.lorenz(%L, 2)']) WITH ORDINALITY AS f(a, i),
	unnest(ARRAY['NaN', 'Infinity', '-Infinity', '1e27', '-1e27', '0.0000000001', '1e131071'])
		WITH ORDINALITY AS w(v, j)
ORDER BY i, j;
-- the fraction
SELECT p, pg_temp.failure(format('SELECT segment.top_share(1, %L)', p))
FROM unnest('{NaN,Infinity,-Infinity,-5e-324,1.0000000000000002,20}'::float8[]) p;
SELECT segment.top_share(1, p) FROM (VALUES (0.2::float8), (0.1)) AS t(p);
-- the number of points
SELECT n, pg_temp.failure(format('SELECT segment.lorenz(1, %L)', n))
FROM unnest('{0,-1,-2147483648,1000001,2147483647}'::integer[]) n;
SELECT segment.lorenz(1, n) FROM (VALUES (3), (2)) AS t(n);
SELECT array_length(segment.lorenz(1, 1000000), 1);

-- everything without a search path
SET search_path = '';
SELECT segment.gini(v), segment.hhi(v), segment.top_share(v, 0.5), segment.lorenz(v, 2)
FROM pg_catalog.generate_series(1, 3) v;
RESET search_path;

-- a long run can be cancelled
SET statement_timeout = '100ms';
SELECT segment.gini(i) FROM generate_series(1, 100000000) i;
SELECT segment.hhi(i) FROM generate_series(1, 100000000) i;
RESET statement_timeout;
