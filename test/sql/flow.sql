-- Errors of the books, snapshots and migration
\set VERBOSITY sqlstate
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';

CREATE FUNCTION attempt(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	hint text;
BEGIN
	EXECUTE query;
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
	RETURN SQLSTATE || ' ' || SQLERRM || CASE WHEN hint <> '' THEN ' (' || hint || ')' ELSE '' END;
END $$;

CREATE TABLE series AS
SELECT n, segment.history_agg(day, amount) AS h
FROM (VALUES (1, date '2024-01-05', 10.50), (1, '2024-03-01', 4.5), (2, '2024-02-10', 7)) AS v(n, day, amount) GROUP BY n;

-- the aggregates
SELECT m.* FROM (SELECT segment.flow_agg(h, '2024-03-15', 30) AS months FROM series) AS a, unnest(a.months) AS m;
SELECT k.* FROM (SELECT segment.cohort_agg(h, '2024-03-15') AS months FROM series) AS a, unnest(a.months) AS k;
SELECT segment.flow_agg(h, '2024-03-15', 30) IS NULL, segment.cohort_agg(h, '2024-03-15') IS NULL FROM series WHERE false;
SELECT attempt($$ SELECT segment.flow_agg(h, 'infinity', 30) FROM series $$);
SELECT attempt($$ SELECT segment.flow_agg(h, '2024-03-15', 0) FROM series $$);
SELECT attempt($$ SELECT segment.flow_agg(h, '2024-03-15', n) FROM series $$);
SELECT attempt($$ SELECT segment.flow_agg(h, '2024-03-15'::date + n, 30) FROM series $$);
SELECT attempt($$ SELECT segment.flow_agg(h, '15000-03-15', 30) FROM series $$);
SELECT attempt($$ SELECT segment.cohort_agg(h, '-infinity') FROM series $$);
SELECT attempt($$ SELECT segment.cohort_agg(h, '2024-03-15'::date + n) FROM series $$);
SELECT attempt($$ SELECT segment.cohort_agg(h, '15000-03-15') FROM series $$);
-- cohorts in every month of two thousand years
SELECT attempt($$ SELECT segment.cohort_agg(h, '2024-03-15') FROM (
	SELECT segment.history_agg(('0001-01-01'::date + 31 * n), 1) AS h FROM generate_series(1, 20000) AS n GROUP BY n) AS s $$);
-- sums beyond 27 digits, also where both signs come together
SELECT attempt($$ SELECT segment.flow_agg(h, '2024-03-15', 30) FROM (
	SELECT segment.history_agg('2024-01-05'::date, 999999999999999999999999999) AS h FROM generate_series(1, 2) AS n GROUP BY n) AS s $$);
SELECT attempt($$ SELECT segment.cohort_agg(h, '2024-03-15') FROM (
	SELECT segment.history_agg('2024-01-05'::date, 999999999999999999999999999) AS h FROM generate_series(1, 1000) AS n GROUP BY n) AS s $$);
SELECT (segment.flow_agg(h, '2024-03-15', 30))[1].sales_new, (segment.cohort_agg(h, '2024-03-15'))[1].sales FROM (
	SELECT segment.history_agg('2024-01-05'::date, amount) AS h
	FROM generate_series(1, 3) AS n, unnest('{1,-1}'::integer[]) AS s,
		LATERAL (VALUES (0), (s * 999999999999999999999999999)) AS v(amount) GROUP BY n, s) AS v;

-- a portfolio
CREATE TABLE orders AS SELECT 1 + n % 7 AS customer, date '2023-01-01' + 20 * n AS day, 5.00 AS amount FROM generate_series(1, 40) AS n;
SELECT (segment.create_portfolio('books', 'SELECT customer, day, amount FROM orders', timezone => 'UTC')).customers;
SELECT attempt($$ SELECT segment.create_portfolio('other', 'SELECT customer, day, amount FROM orders', settings => '{"lost_after_days": 0}') $$);
SELECT attempt($$ SELECT segment.create_portfolio('other', 'SELECT customer, day, amount FROM orders', settings => '{"lost_after_days": "year"}') $$);
SELECT attempt($$ SELECT segment.take_snapshot('nowhere') $$);
SELECT attempt($$ SELECT segment.take_snapshot('books', 'infinity') $$);
SELECT attempt($$ SELECT segment.take_snapshot('books', '2025-12-31') $$);
SELECT attempt($$ SELECT * FROM books.migration('2023-06-30', '2024-06-30', 'horoscope') $$);
SELECT attempt($$ SELECT * FROM books.migration('2023-06-30', '2024-06-30', NULL) $$);
SELECT attempt($$ SELECT * FROM books.migration('2024-06-30', '2023-06-30', 'dormancy') $$);
SELECT attempt($$ SELECT * FROM books.movers('-infinity', '2023-06-30', 'dormancy') $$);
SELECT attempt($$ SELECT * FROM books.movers('2023-06-30', NULL, 'dormancy') $$);
SELECT attempt($$ SELECT * FROM books.monthly_migration('2023-06-30', 'infinity', 'dormancy') $$);
SELECT attempt($$ SELECT * FROM books.class_retention('2023-06-30', '2023-07-31', 'horoscope') $$);
-- also where nothing is known in advance
PREPARE pairs(date, date, text) AS SELECT sum(customers) FROM books.migration($1, $2, $3);
SET plan_cache_mode = force_generic_plan;
EXECUTE pairs('2023-06-30', '2024-06-30', 'dormancy');
EXECUTE pairs('2023-06-30', '2024-06-30', 'horoscope');
RESET plan_cache_mode;

-- only the owner takes snapshots; those who may read the views read them
CREATE ROLE flow_reader;
GRANT USAGE ON SCHEMA books TO flow_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA books TO flow_reader;
SET ROLE flow_reader;
SELECT attempt($$ SELECT segment.take_snapshot('books') $$);
SELECT count(*) FROM books.leaky_bucket;
SELECT sum(customers) FROM books.migration('2023-06-30', '2024-06-30', 'dormancy');
RESET ROLE;
SELECT segment.drop_portfolio('books');
DROP OWNED BY flow_reader;
DROP ROLE flow_reader;
DROP TABLE orders, series;
DROP FUNCTION attempt;
