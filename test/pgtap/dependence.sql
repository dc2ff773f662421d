--
-- What the rows of a customer depend on: the proof that a refresh may read
-- changed customers only
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
SELECT plan(151);

CREATE TABLE customers (id integer PRIMARY KEY, country text, name text);
CREATE TABLE orders (id integer PRIMARY KEY, customer_id integer, at timestamptz, day date, total numeric, currency text);
CREATE TABLE lines (order_id integer, customer_id integer, price numeric, n integer);
CREATE TABLE returned (order_id integer, customer_id integer, amount numeric);
CREATE TABLE currency (currency text PRIMARY KEY, rate numeric);
CREATE TABLE elsewhere (customer_id integer, at date, amount numeric);
CREATE TABLE named (customer varchar(20), at date, amount numeric);
CREATE TABLE ordered (at date, amount numeric, customer_id integer) PARTITION BY RANGE (at);
CREATE TABLE ordered_1 PARTITION OF ordered FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE VIEW good_orders AS SELECT o.customer_id, o.at, o.total FROM orders o WHERE o.total > 0;
CREATE VIEW grouped_orders AS SELECT o.customer_id, o.day, sum(o.total) AS total FROM orders o GROUP BY 1, 2;
CREATE VIEW joined_orders AS SELECT c.id, o.at, o.total FROM customers c JOIN orders o ON o.customer_id = c.id;
CREATE MATERIALIZED VIEW stale_orders AS SELECT customer_id, at, total FROM orders;
CREATE FUNCTION steady(numeric) RETURNS numeric LANGUAGE sql IMMUTABLE RETURN $1 + 1;
CREATE FUNCTION unsteady(numeric) RETURNS numeric LANGUAGE plpgsql STABLE AS 'BEGIN RETURN $1 + (SELECT count(*) FROM elsewhere); END';

CREATE FUNCTION in_the_way(query text) RETURNS text LANGUAGE sql AS $$
	SELECT (segment_internal.source_dependence('purchases', query,
		ARRAY['customers', 'orders', 'lines', 'returned', 'currency', 'named', 'ordered', 'ordered_1']::regclass[]::oid[],
		ARRAY[1, 2, 2, 2, 0, 1, 3, 3]::smallint[])).obstacle
$$;

-- ---------- nothing is in the way ----------

SELECT is(in_the_way(v.query), NULL, 'separable: ' || v.query) FROM (VALUES
	(1, 'SELECT customer_id, at, total FROM orders'),
	(2, 'SELECT customer_id, at, total FROM orders WHERE total > 0 AND currency = ''EUR'' ORDER BY at'),
	(3, 'SELECT customer_id, at::date, total FROM orders WHERE at >= timestamptz ''2020-01-01 00:00+00'''),
	(4, 'SELECT customer_id, day + 1, steady(total) FROM orders'),
	(5, 'SELECT customer_id, at, total FROM good_orders'),
	(6, 'SELECT customer_id, day, total FROM grouped_orders'),
	(7, 'SELECT id, at, total FROM joined_orders'),
	(8, 'SELECT c.id, o.at, o.total FROM customers c JOIN orders o ON o.customer_id = c.id WHERE c.country = ''CN'''),
	(9, 'SELECT o.customer_id, o.at, o.total FROM orders o, customers c WHERE c.id = o.customer_id'),
	(10, 'SELECT o.customer_id, o.at, o.total - COALESCE(r.amount, 0) FROM orders o LEFT JOIN returned r ON r.order_id = o.id AND r.customer_id = o.customer_id'),
	(11, 'SELECT o.customer_id, o.at, o.total * c.rate FROM orders o JOIN currency c USING (currency)'),
	(12, 'SELECT o.customer_id, o.at, o.total * (SELECT max(rate) FROM currency) FROM orders o'),
	(13, 'SELECT customer_id, at, total FROM orders o JOIN lines l USING (customer_id)'),
	(14, 'SELECT l.customer_id, o.at, sum(l.price * l.n) FROM lines l JOIN orders o ON o.id = l.order_id AND o.customer_id = l.customer_id GROUP BY l.customer_id, o.id'),
	(15, 'SELECT customer_id, at, total FROM orders UNION ALL SELECT customer_id, NULL, -amount FROM returned'),
	(16, 'SELECT customer_id, at, total FROM orders EXCEPT SELECT customer_id, NULL, amount FROM returned'),
	(17, 'WITH o AS (SELECT * FROM orders WHERE total > 0) SELECT customer_id, at, total FROM o'),
	(18, 'SELECT x.k, x.d, x.s FROM (SELECT customer_id AS k, max(at) AS d, sum(total) AS s FROM orders GROUP BY customer_id HAVING count(*) > 1) x'),
	(19, 'SELECT customer_id, at, total FROM (SELECT *, row_number() OVER (PARTITION BY customer_id ORDER BY at) AS n FROM orders) o WHERE n = 1'),
	(20, 'SELECT DISTINCT ON (customer_id) customer_id, at, total FROM orders ORDER BY customer_id, at'),
	(21, 'SELECT DISTINCT customer_id, at, total FROM orders'),
	(22, 'SELECT customer_id, at, total FROM orders WHERE customer_id IN (SELECT id FROM customers WHERE country = ''CN'')'),
	(23, 'SELECT customer_id, at, total FROM orders o WHERE NOT EXISTS (SELECT FROM returned r WHERE r.order_id = o.id AND r.customer_id = o.customer_id)'),
	(24, 'SELECT o.customer_id, o.at, (SELECT sum(l.price) FROM lines l WHERE l.customer_id = o.customer_id AND l.order_id = o.id) FROM orders o'),
	(25, 'SELECT c.id, o.at, o.total FROM customers c CROSS JOIN LATERAL (SELECT * FROM orders o WHERE o.customer_id = c.id ORDER BY at DESC LIMIT 3) o'),
	(26, 'SELECT customer, at, amount FROM named'),
	(27, 'SELECT customer::text, at, amount FROM named'),
	(28, 'SELECT customer_id, at, amount FROM ordered'),
	(29, 'SELECT customer_id, at, amount FROM ordered_1'),
	(30, 'SELECT o.customer_id, g.d, 1 FROM orders o CROSS JOIN LATERAL generate_series(o.day, o.day + 2, interval ''1 day'') AS g(d)'),
	(31, 'SELECT * FROM (VALUES (1, date ''2020-01-01'', 2)) v'),
	(32, 'SELECT a.customer_id, b.at, b.total FROM orders a JOIN orders b ON a.customer_id = b.customer_id'),
	(33, 'SELECT customer_id, at, CASE WHEN current_user = ''nobody'' THEN 0 ELSE total END FROM orders'),
	(34, 'SELECT customer_id, at, to_char(at, ''YYYY'')::numeric FROM orders'),
	(35, 'WITH a AS (SELECT * FROM orders), b AS (SELECT * FROM a WHERE total > 0) SELECT customer_id, at, total FROM (SELECT * FROM b) x'),
	(36, 'WITH a AS (SELECT * FROM orders), b AS (SELECT * FROM a) SELECT customer_id, at, total FROM (WITH a AS (SELECT rate FROM currency) SELECT b.* FROM b WHERE total > (SELECT min(rate) FROM a)) x')
) AS v(ordinal, query) ORDER BY ordinal;

-- ---------- linear: rows of one table, one for one ----------

CREATE TABLE secured (customer_id integer, at date, amount numeric);
ALTER TABLE secured ENABLE ROW LEVEL SECURITY;
CREATE FUNCTION not_linear(query text) RETURNS text LANGUAGE sql AS $$
	SELECT (segment_internal.source_linear('purchases', query,
		ARRAY['customers', 'orders', 'lines', 'returned', 'currency', 'named', 'ordered', 'ordered_1', 'secured']::regclass[]::oid[],
		ARRAY[1, 2, 2, 2, 0, 1, 3, 3, 1]::smallint[])).obstacle
$$;
SELECT is(not_linear(v.query), v.obstacle, 'linear: ' || v.query) FROM (VALUES
	(1, 'SELECT customer_id, at, total FROM orders', NULL),
	(2, 'SELECT customer_id, day + 1, steady(total) FROM orders WHERE total > 0 AND currency = ''EUR'' ORDER BY at', NULL),
	(3, 'SELECT customer_id, at, total FROM good_orders', NULL),
	(4, 'SELECT o.customer_id, o.at, o.total * c.rate FROM orders o JOIN currency c USING (currency)', NULL),
	(5, 'SELECT o.customer_id, o.at, o.total * c.rate FROM orders o LEFT JOIN currency c ON c.currency = o.currency AND c.rate > 0', NULL),
	(6, 'SELECT o.customer_id, o.at, o.total * c.rate FROM currency c RIGHT JOIN orders o USING (currency)', NULL),
	(7, 'SELECT o.customer_id, o.at, o.total * (SELECT max(rate) FROM currency) FROM orders o', NULL),
	(8, 'SELECT customer_id, at, total FROM orders UNION ALL (SELECT customer_id, NULL::timestamptz, -amount FROM returned UNION ALL SELECT customer_id, NULL, price * n FROM lines)', NULL),
	(9, 'SELECT o.customer_id, o.at, v.k * o.total FROM orders o CROSS JOIN (VALUES (1), (2)) v(k)', NULL),
	(10, 'SELECT o.customer_id, o.at, c.rate FROM orders o CROSS JOIN LATERAL (SELECT sum(rate) AS rate FROM currency WHERE currency = o.currency) c', NULL),
	(11, 'SELECT customer_id, at, amount FROM ordered', NULL),
	(12, 'SELECT customer::text, at, amount FROM named', NULL),
	(13, 'SELECT customer_id, at, total FROM orders FULL JOIN currency USING (currency)', 'an outer join gives a row where the table has none'),
	(14, 'SELECT o.customer_id, o.at, c.rate FROM currency c LEFT JOIN orders o USING (currency)', 'an outer join gives a row where the table has none'),
	(15, 'SELECT customer_id, at::date, total FROM orders', 'function date(timestamp with time zone) is not immutable'),
	(16, 'SELECT customer_id, day, total FROM grouped_orders', 'rows are grouped'),
	(17, 'SELECT id, at, total FROM joined_orders', 'rows of watched tables are joined with each other'),
	(18, 'SELECT a.customer_id, a.at, a.total FROM orders a JOIN orders b ON a.customer_id = b.customer_id', 'rows of watched tables are joined with each other'),
	(19, 'SELECT customer_id, at, total FROM orders UNION SELECT customer_id, NULL, amount FROM returned', 'UNION, INTERSECT or EXCEPT compares rows'),
	(20, 'SELECT DISTINCT customer_id, at, total FROM orders', 'DISTINCT compares rows'),
	(21, 'SELECT customer_id, at, total FROM (SELECT *, row_number() OVER (PARTITION BY customer_id ORDER BY at) AS n FROM orders) o WHERE n = 1', 'a window function looks at several rows'),
	(22, 'SELECT customer_id, at, total FROM orders LIMIT 5', 'LIMIT or OFFSET counts rows'),
	(23, 'WITH o AS (SELECT * FROM orders) SELECT customer_id, at, total FROM o', 'the query has WITH'),
	(24, 'SELECT customer_id, at, total FROM orders WHERE customer_id IN (SELECT id FROM customers)', 'a subquery reads other rows of watched tables'),
	(25, 'SELECT customer_id, generate_series(day, day + 2, interval ''1 day''), total FROM orders', 'a function makes several rows of one'),
	(26, 'SELECT customer_id, at, (o.*)::text::numeric FROM orders o', 'the query uses a row as a whole, or a system column'),
	(27, 'SELECT customer_id, at, length(ctid::text) FROM orders', 'the query uses a row as a whole, or a system column'),
	(28, 'SELECT customer_id, at, amount FROM ONLY ordered', 'a table is read without those that inherit from it'),
	(29, 'SELECT customer_id, at, amount FROM secured', 'a table has row security'),
	(30, 'SELECT * FROM (VALUES (1, date ''2020-01-01'', 2)) v', 'rows come from no watched table'),
	(31, 'SELECT customer_id, at, total FROM orders UNION ALL SELECT 1, NULL, 2', 'rows come from no watched table'),
	(32, 'SELECT customer_id, at, CASE WHEN current_user = ''nobody'' THEN 0 ELSE total END FROM orders', 'the query depends on more than the tables')
) AS v(ordinal, query, obstacle) ORDER BY ordinal;
SELECT results_eq($$
	SELECT array_agg(a.attname ORDER BY a.attname) FROM segment_internal.source_linear('purchases',
		'SELECT o.customer_id, o.at, o.total * c.rate FROM orders o JOIN currency c USING (currency) WHERE o.day > ''2020-01-01''',
		ARRAY['orders', 'currency']::regclass[]::oid[], ARRAY[2, 0]::smallint[]) AS l
	CROSS JOIN LATERAL unnest(l.tables, l.columns) AS c(relation, col)
	JOIN pg_attribute AS a ON a.attrelid = c.relation AND a.attnum = c.col $$,
	$$ SELECT '{at,currency,customer_id,day,total}'::name[] $$, 'what is read of the table, and nothing of the table that is watched as a whole');

-- ---------- a history after a change ----------

SELECT results_eq(format('SELECT h.result::text, h.obstacle FROM segment_internal.history_change(%L, %L, %L, %L) AS h', v.old, v.added, v.removed, v.by_day),
	format('SELECT %L::text, %L::text', v.result, v.obstacle), format('%s + %s - %s', v.old, v.added, v.removed)) FROM (VALUES
	(1, '{2024-01-01: 10.00}', '{2024-01-02: 2.50}', NULL, true, '{2024-01-01: 10.00, 2024-01-02: 2.50}', NULL),
	(2, NULL, '{2024-01-02: 2.5}', NULL, true, '{2024-01-02: 2.5}', NULL),
	(3, '{2024-01-02: 2.5}', NULL, '{2024-01-02: 2.5}', true, NULL, NULL),
	(4, '{2024-01-02: 2.5}', NULL, NULL, true, '{2024-01-02: 2.5}', NULL),
	(5, NULL, NULL, NULL, true, NULL, NULL),
	-- added and removed again, and changed twice
	(6, NULL, '{2024-01-02: 2.5}', '{2024-01-02: 2.5}', true, NULL, NULL),
	(7, '{2024-01-01: 1.25}', '{2024-01-01: 5.50/2}', '{2024-01-01: 3.50/2}', true, '{2024-01-01: 3.25}', NULL),
	-- more decimals than before, and fewer
	(8, '{2024-01-01: 1.2}', '{2024-01-03: 1.255}', NULL, true, '{2024-01-01: 1.200, 2024-01-03: 1.255}', NULL),
	(9, '{2024-01-01: 1.2, 2024-01-03: 1.255}', NULL, '{2024-01-01: 1.2}', true, '{2024-01-03: 1.255}', NULL),
	(10, '{2024-01-01: 1.20, 2024-01-03: 1.25}', NULL, '{2024-01-03: 1.25}', true, NULL, 'rows with the most decimals are gone'),
	(11, '{2024-01-01: 1.25, 2024-01-03: 1.20}', NULL, '{2024-01-03: 1.20}', true, '{2024-01-01: 1.25}', NULL),
	-- rows of one day may be the same
	(12, '{2024-01-01: 10}', '{2024-01-01: 5}', NULL, true, NULL, 'several rows of one day may be the same'),
	(13, '{2024-01-01: 10}', '{2024-01-01: 5}', NULL, false, '{2024-01-01: 15/2}', NULL),
	(14, '{2024-01-01: 10, 2024-01-02: 7}', '{2024-01-01: 5}', '{2024-01-01: 10}', true, '{2024-01-01: 5, 2024-01-02: 7}', NULL),
	(15, '{2024-01-01: 10}', '{2024-01-01: -5}', NULL, true, NULL, 'several rows of one day may be the same'),
	-- what cannot be
	(16, '{2024-01-01: 10}', NULL, '{2024-01-02: 1}', true, NULL, 'more is gone than there was'),
	(17, '{2024-01-01: 10}', NULL, '{2024-01-01: 11}', true, NULL, 'more is gone than there was'),
	(18, NULL, NULL, '{2024-01-01: 11}', false, NULL, 'more is gone than there was')
) AS v(ordinal, old, added, removed, by_day, result, obstacle) ORDER BY ordinal;
SELECT throws_ok('SELECT segment_internal.history_change(NULL, NULL, NULL, NULL)', '22004', 'by_day must not be null', 'by_day is NULL');

-- ---------- something is ----------

SELECT is(in_the_way(v.query), v.obstacle, 'not separable: ' || v.query) FROM (VALUES
	(1, 'SELECT customer_id, at, amount FROM elsewhere', 'table public.elsewhere is not watched'),
	(2, 'SELECT o.customer_id, o.at, o.total FROM orders o WHERE EXISTS (SELECT FROM elsewhere)', 'table public.elsewhere is not watched'),
	(3, 'SELECT customer_id, at, total FROM stale_orders', 'public.stale_orders is not a table that can be watched'),
	(4, 'SELECT o.oid::int, now(), 1 FROM pg_class o', 'table pg_catalog.pg_class is not watched'),
	(5, 'SELECT customer_id, at, total FROM orders WHERE at < now()', 'function now() may depend on more than the tables'),
	(6, 'SELECT customer_id, at, total FROM orders WHERE day > current_date - 365', 'the current date or time is not part of the tables'),
	(7, 'SELECT customer_id, at, total FROM orders WHERE day < ''today''', '''today'' depends on the clock'),
	(8, 'SELECT customer_id, at, total FROM orders WHERE day < date '' Yesterday ''', '''yesterday'' depends on the clock'),
	(9, 'SELECT customer_id, at, total FROM orders WHERE age(at) < interval ''1 year''', 'function age(timestamp with time zone) may depend on more than the tables'),
	(10, 'SELECT customer_id, at, total * random()::numeric FROM orders', 'function random() may depend on more than the tables'),
	(11, 'SELECT customer_id, at, unsteady(total) FROM orders', 'function unsteady(numeric) may depend on more than the tables'),
	(12, 'SELECT customer_id, at, total FROM orders WHERE current_setting(''my.shop'', true) IS NULL', 'function current_setting(text,boolean) may depend on more than the tables'),
	(13, 'SELECT customer_id, at, total FROM orders WHERE session_user <> ''x''', 'session_user depends on who refreshes'),
	(14, 'SELECT customer_id, at, total FROM orders TABLESAMPLE system (10)', 'the query takes a sample of a table'),
	(15, 'SELECT customer_id, at, total FROM orders LIMIT 10', 'LIMIT or OFFSET counts the rows of all customers'),
	(16, 'SELECT customer_id, at, total FROM (SELECT * FROM orders OFFSET 1) o', 'LIMIT or OFFSET counts the rows of all customers'),
	(17, 'SELECT customer_id + 1, at, total FROM orders', 'the customer''s key is computed, not a column of a table'),
	(18, 'SELECT customer_id::text, at, total FROM orders', 'the customer''s key is computed, not a column of a table'),
	(19, 'SELECT id, at, total FROM orders', 'no condition ties column customer_id of table public.orders to the customer'),
	(20, 'SELECT o.customer_id, o.at, l.price FROM orders o JOIN lines l ON l.order_id = o.id', 'no condition ties column customer_id of table public.lines to the customer'),
	(21, 'SELECT o.customer_id, o.at, o.total FROM orders o LEFT JOIN returned r ON r.order_id = o.id', 'no condition ties column customer_id of table public.returned to the customer'),
	(22, 'SELECT a.customer_id, b.at, b.total FROM orders a JOIN orders b ON a.customer_id < b.customer_id', 'no condition ties column customer_id of table public.orders to the customer'),
	(23, 'SELECT a.customer_id, b.at, b.total FROM orders a JOIN orders b ON a.customer_id = b.customer_id OR a.day = b.day', 'no condition ties column customer_id of table public.orders to the customer'),
	(24, 'SELECT r.customer_id, o.at, o.total FROM orders o LEFT JOIN returned r ON r.customer_id = o.customer_id', 'an outer join may leave rows without a customer'),
	(25, 'SELECT o.customer_id, o.at, o.total FROM orders o LEFT JOIN lines l ON o.customer_id = o.id', 'no condition ties column customer_id of table public.lines to the customer'),
	(26, 'SELECT COALESCE(o.customer_id, r.customer_id), o.at, o.total FROM orders o FULL JOIN returned r ON r.customer_id = o.customer_id', 'the customer''s key is computed, not a column of a table'),
	(27, 'SELECT customer_id, at, total FROM orders FULL JOIN returned USING (customer_id)', 'the customer''s key is computed, not a column of a table'),
	(28, 'SELECT customer_id, at, total FROM orders WHERE total > (SELECT avg(total) FROM orders)', 'no condition ties column customer_id of table public.orders to the customer'),
	(29, 'SELECT customer_id, at, total FROM orders o WHERE total > (SELECT avg(p.total) FROM orders p WHERE p.currency = o.currency)', 'no condition ties column customer_id of table public.orders to the customer'),
	(30, 'SELECT customer_id, at, total FROM orders WHERE customer_id NOT IN (SELECT id FROM customers)', 'no condition ties column id of table public.customers to the customer'),
	(31, 'SELECT customer_id, at, total FROM orders WHERE id IN (SELECT order_id FROM returned)', 'no condition ties column customer_id of table public.returned to the customer'),
	(32, 'SELECT customer_id, at, sum(total) OVER (PARTITION BY day) FROM orders', 'a window function looks at the rows of several customers'),
	(33, 'SELECT customer_id, at, sum(total) OVER (ORDER BY at) FROM orders', 'a window function looks at the rows of several customers'),
	(34, 'SELECT customer_id, at, total FROM (SELECT DISTINCT ON (day) * FROM orders) o', 'DISTINCT ON compares the rows of several customers'),
	(35, 'SELECT customer_id, max(at), sum(total) FROM orders GROUP BY ROLLUP (customer_id)', 'grouping sets join customers'),
	(36, 'SELECT min(customer_id), day, sum(total) FROM orders GROUP BY day', 'the customer''s key is computed, not a column of a table'),
	(37, 'SELECT customer_id, at, total FROM orders UNION ALL SELECT order_id, NULL, -amount FROM returned', 'no condition ties column customer_id of table public.returned to the customer'),
	(38, 'WITH RECURSIVE o(c, t, n) AS (SELECT customer_id, at, total FROM orders UNION ALL SELECT c, t, n - 1 FROM o WHERE n > 0) SELECT * FROM o', 'the query is recursive'),
	(39, 'SELECT o.customer_id, o.at, x.s FROM orders o, (SELECT sum(total) AS s FROM orders) x', 'no condition ties column customer_id of table public.orders to the customer'),
	(40, 'SELECT 7, at, total FROM orders', 'the customer''s key is computed, not a column of a table'),
	(43, 'WITH a AS (SELECT customer_id, at, total FROM orders LIMIT 5), b AS (SELECT * FROM a) SELECT customer_id, at, total FROM (WITH a AS (SELECT * FROM orders) SELECT b.* FROM b) x', 'LIMIT or OFFSET counts the rows of all customers'),
	(44, 'WITH a AS (SELECT max(at) AS at FROM orders) SELECT o.customer_id, o.at, o.total FROM orders o WHERE at < (SELECT at FROM a)', 'no condition ties column customer_id of table public.orders to the customer'),
	(41, 'SELECT c.id, o.at, o.total FROM customers c CROSS JOIN LATERAL (SELECT * FROM orders o WHERE o.customer_id > c.id LIMIT 1) o', 'no condition ties column customer_id of table public.orders to the customer')
) AS v(ordinal, query, obstacle) ORDER BY ordinal;

-- ---------- equal by another type ----------

-- citext takes text as it is: what is equal as citext need not be as text, so a
-- row of "ADA" would concern the customer "Ada".
SELECT count(*) > 0 AS have_citext FROM pg_available_extensions WHERE name = 'citext' \gset
\if :have_citext
CREATE EXTENSION IF NOT EXISTS citext SCHEMA public;
CREATE TABLE exact (customer text, at date, amount numeric);
CREATE TABLE folded (customer citext, at date, amount numeric);
CREATE TABLE exact_line (customer text, price numeric);
CREATE TABLE folded_line (customer citext, price numeric);
CREATE FUNCTION in_the_way_of_names(query text) RETURNS text LANGUAGE sql AS $$
	SELECT (segment_internal.source_dependence('purchases', query,
		'{exact,folded,exact_line,folded_line}'::regclass[]::oid[], '{1,1,1,1}'::smallint[])).obstacle
$$;
SELECT is(in_the_way_of_names(v.query), v.obstacle, v.query) FROM (VALUES
	(1, 'SELECT e.customer, e.at, l.price FROM exact e JOIN exact_line l ON l.customer = e.customer', NULL),
	(2, 'SELECT e.customer, e.at, l.price FROM folded e JOIN folded_line l ON l.customer = e.customer', NULL),
	(3, 'SELECT e.customer, e.at, l.price FROM exact e JOIN exact_line l ON l.customer::citext = e.customer::citext', 'no condition ties column customer of table public.exact_line to the customer'),
	(4, 'SELECT e.customer, e.at, l.price FROM exact e JOIN folded_line l ON l.customer = e.customer::citext', 'no condition ties column customer of table public.folded_line to the customer'),
	(5, 'SELECT e.customer, e.at, e.amount FROM exact e WHERE e.customer::citext IN (SELECT customer FROM folded_line)', 'no condition ties column customer of table public.folded_line to the customer'),
	(6, 'SELECT e.customer, e.at, e.amount FROM exact e WHERE e.customer IN (SELECT l.customer::text FROM folded_line l)', 'the customer''s key is computed, not a column of a table'),
	(7, 'SELECT customer, at, sum(amount) OVER (PARTITION BY customer::citext) FROM exact', 'a window function looks at the rows of several customers'),
	(8, 'SELECT DISTINCT ON (customer::citext) customer, at, amount FROM exact', 'DISTINCT ON compares the rows of several customers'),
	(9, 'SELECT customer::citext, at, amount FROM exact', 'the customer''s key is computed, not a column of a table'),
	(10, 'SELECT customer::text, at, amount FROM folded', 'the customer''s key is computed, not a column of a table')
) AS v(ordinal, query, obstacle) ORDER BY ordinal;
-- and so a refresh of changes has all of them
INSERT INTO exact SELECT 'n' || n, '2024-01-01', 1 FROM generate_series(1, 2000) AS n;
INSERT INTO exact VALUES ('Ada', '2024-01-01', 5);
INSERT INTO exact_line VALUES ('ADA', 1);
SELECT segment.create_portfolio('folding', 'SELECT e.customer, e.at, e.amount + sum(l.price)
	FROM exact AS e JOIN exact_line AS l ON l.customer::citext = e.customer::citext GROUP BY e.customer, e.at, e.amount') \gset ignored_
SELECT count(segment.watch('folding', t, 'customer')) FROM unnest('{exact,exact_line}'::regclass[]) AS t \gset ignored_
SELECT segment.refresh('folding') \gset ignored_
INSERT INTO exact_line VALUES ('ADA', 10);
SELECT segment.refresh('folding') \gset ignored_
SELECT is(net, 16::numeric, 'a row of another spelling counts') FROM folding.customer WHERE customer_id = 'Ada';
\else
SELECT * FROM skip('no extension citext', 11);
\endif

-- ---------- what it says besides ----------

SELECT set_eq($$ SELECT unnest((segment_internal.source_dependence('purchases',
		'SELECT id, at, total FROM joined_orders WHERE EXISTS (SELECT FROM currency)', '{}', '{}')).tables)::regclass::text $$,
	ARRAY['customers', 'orders', 'currency'], 'all tables that are read are named, those behind views too');
CREATE TEMPORARY TABLE form AS SELECT (segment_internal.source_dependence('purchases', 'SELECT * FROM good_orders', '{}', '{}')).form;
SELECT is((segment_internal.source_dependence('purchases', 'SELECT * FROM good_orders', '{}', '{}')).form, form,
	'the form stays the same') FROM form;
CREATE OR REPLACE VIEW good_orders AS SELECT o.customer_id, o.at, o.total FROM orders o WHERE o.total > 1;
SELECT isnt((segment_internal.source_dependence('purchases', 'SELECT * FROM good_orders', '{}', '{}')).form, form,
	'and changes with a view in it') FROM form;
ALTER TABLE orders ENABLE ROW LEVEL SECURITY;
ALTER TABLE orders FORCE ROW LEVEL SECURITY;
CREATE POLICY few ON orders USING (EXISTS (SELECT FROM elsewhere));
CREATE ROLE segment_dependent;
ALTER TABLE orders OWNER TO segment_dependent;
GRANT SELECT ON elsewhere TO segment_dependent;
SET LOCAL ROLE segment_dependent;
SELECT is(in_the_way('SELECT customer_id, at, total FROM orders'), 'table public.elsewhere is not watched',
	'row security belongs to the query');
RESET ROLE;
SELECT throws_ok($$ SELECT segment_internal.source_dependence('purchases', 'DELETE FROM orders', '{}', '{}') $$,
	'22023', 'source "purchases" must be one SELECT, not another command', 'only queries');
SELECT throws_ok($$ SELECT segment_internal.source_dependence('purchases', 'SELECT 1', '{1}', '{}') $$,
	'22023', 'watched tables and their columns must be equally many, and not null', 'arrays fit');
SELECT throws_ok($$ SELECT segment_internal.source_dependence('purchases', 'SELECT * FROM orders', ARRAY['orders'::regclass], '{99}') $$,
	'42703', 'table public.orders has no column 99', 'columns exist');
SELECT throws_ok($$ SELECT segment_internal.source_dependence('purchases', 'SELECT nothing FROM orders', '{}', '{}') $$,
	'42703', NULL, 'errors of the parser');
SELECT throws_ok($$ CREATE TABLE t (a integer);
	CREATE TRIGGER t BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION segment_internal.note_changes('x');
	INSERT INTO t VALUES (1) $$,
	'39P01', 'function "note_changes" can only be called by the triggers of segment.watch', 'a trigger of another kind');

SELECT * FROM finish();
ROLLBACK;
