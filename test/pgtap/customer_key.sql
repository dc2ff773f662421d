--
-- Keys of customers: which are equal, and which are there
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
SELECT plan(38);

-- What a refresh of everything changes: nothing, if the last one was right.
CREATE FUNCTION changes_of_full(portfolio text) RETURNS bigint LANGUAGE sql AS
	$$ SELECT r.customers_changed FROM segment.refresh(portfolio, "full" => true) AS r $$;

-- ---------- keys that are equal though they look different ----------

CREATE COLLATION without_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE folded_sale (c text COLLATE without_case, at date, amount numeric);
CREATE TABLE folded_cost (c text COLLATE without_case, at date, amount numeric);
CREATE TABLE plain_cost (c text, at date, amount numeric);
INSERT INTO folded_sale VALUES ('Ada', '2024-01-01', 1), ('ADA', '2024-01-02', 2), ('Bob', '2024-01-01', 1);
INSERT INTO folded_cost VALUES ('ADA', '2024-01-01', 3), ('bob', '2024-01-01', 4), ('CYD', '2024-01-01', 5);
INSERT INTO plain_cost SELECT * FROM folded_cost UNION ALL SELECT 'ada', '2024-01-02', 6;

CREATE FUNCTION customers(portfolio text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format('SELECT concat_ws('' '', upper(c.customer_id::text), c.net, c.cost) FROM %I.customer AS c', portfolio);
END $$;
SELECT segment.create_portfolio('folded', 'SELECT c, at, amount FROM folded_sale', costs => 'SELECT c, at, amount FROM folded_cost') \gset ignored_
SELECT set_eq($$ SELECT customers('folded') $$, ARRAY['ADA 3 3', 'BOB 1 4', 'CYD 0 5'], 'one customer, however it is spelled');
SELECT is(changes_of_full('folded'), 0::bigint, 'a second refresh changes nothing');
SELECT segment.create_portfolio('half', 'SELECT c, at, amount FROM folded_sale', costs => 'SELECT c, at, amount FROM plain_cost',
	customers => $$ SELECT c, 'a' AS kind FROM (VALUES ('ada'), ('BOB'), ('Dan')) AS v(c) $$) \gset ignored_
SELECT set_eq($$ SELECT customers('half') $$, ARRAY['ADA 3 9', 'BOB 1 4', 'CYD 0 5', 'DAN 0 0'], 'also in sources that spell it exactly');

-- enough customers that few changes are read by themselves
INSERT INTO folded_sale SELECT 'Cust' || n, '2024-01-01', 1 FROM generate_series(1, 2000) AS n;
INSERT INTO plain_cost SELECT 'Cust' || n, '2024-01-01', 7 FROM generate_series(1, 2000) AS n;
SELECT segment.drop_portfolio('half');
SELECT segment.create_portfolio('half', 'SELECT c, at, amount FROM folded_sale', costs => 'SELECT c, at, amount FROM plain_cost') \gset ignored_
SELECT segment.watch('half', 'folded_sale', 'c') \gset ignored_
SELECT segment.watch('half', 'plain_cost', 'c') \gset ignored_
SELECT segment.refresh('half') \gset ignored_
INSERT INTO folded_sale VALUES ('CUST7', '2024-01-02', 1);
INSERT INTO plain_cost VALUES ('cUST9', '2024-01-02', 10);
SELECT is((SELECT mode FROM segment.refresh('half')), 'changes', 'changed customers are read');
SELECT set_eq($$ SELECT * FROM customers('half') AS c WHERE c ~ '^CUST[79] ' $$, ARRAY['CUST7 2 7', 'CUST9 1 17'], 'whatever of them in each source');
SELECT is(changes_of_full('half'), 0::bigint, 'as all are');

-- ---------- a domain that forbids NULL ----------

CREATE DOMAIN sure AS bigint NOT NULL CHECK (VALUE IS NOT NULL AND VALUE < 1000);
CREATE TABLE sure_sale (c sure, at date, amount numeric);
CREATE TABLE cost (c bigint, at date, amount numeric);
INSERT INTO sure_sale VALUES (1, '2024-01-01', 5);
INSERT INTO cost VALUES (NULL, '2024-01-01', 6), (1, '2024-01-01', 7);
SELECT lives_ok($$ SELECT segment.create_portfolio('sure', 'SELECT c, at, amount FROM sure_sale', costs => 'SELECT c, at, amount FROM cost',
	customers => 'SELECT c FROM cost') $$, 'rows without a customer beside keys that cannot be NULL');
SELECT set_eq($$ SELECT source, check_name, count FROM sure.defect $$, $$ VALUES ('costs', 'null_customer', 1::bigint), ('customers', 'null_customer', 1) $$, 'are counted');
SELECT set_eq($$ SELECT customers('sure') $$, ARRAY['1 5 7'], 'and nothing else is concerned');
INSERT INTO cost VALUES (1000, '2024-01-01', 6);
SELECT throws_ok($$ SELECT segment.refresh('sure') $$, '23514', NULL, 'a key must be one of the domain');

-- ---------- keys that are rows ----------

CREATE TYPE branch AS (shop integer, code text);
CREATE TABLE row_sale (c branch, at date, amount numeric);
INSERT INTO row_sale VALUES (ROW(1, 'a'), '2024-01-01', 1), (ROW(2, NULL), '2024-01-01', 2), (ROW(NULL, NULL), '2024-01-01', 3), (NULL, '2024-01-01', 4);
SELECT segment.create_portfolio('rows', 'SELECT c, at, amount FROM row_sale', customers => 'SELECT c FROM row_sale') \gset ignored_
SELECT set_eq($$ SELECT customers('rows') $$, ARRAY['(1,A) 1 0', '(2,) 2 0', '(,) 3 0'], 'with fields that are NULL they are there all the same');
SELECT set_eq($$ SELECT source, check_name, customer_id::text, count, money FROM rows.defect $$,
	$$ VALUES ('purchases', 'null_customer', NULL, 1::bigint, 4::numeric), ('customers', 'null_customer', NULL, 1, 0) $$, 'and NULL itself is not');
SELECT segment.watch('rows', 'row_sale', 'c') \gset ignored_
SELECT segment.refresh('rows') \gset ignored_
INSERT INTO row_sale VALUES (ROW(2, NULL), '2024-01-02', 20), (ROW(NULL, NULL), '2024-01-02', 30), (NULL, '2024-01-02', 40), (ROW(3, 'c'), '2024-01-02', 50);
DELETE FROM row_sale WHERE (c).shop = 1;
SELECT is((SELECT mode FROM segment.refresh('rows')), 'changes', 'changed ones are read');
SELECT set_eq($$ SELECT customers('rows') $$, ARRAY['(2,) 22 0', '(,) 33 0', '(3,C) 50 0'], 'and found');
SELECT is(changes_of_full('rows'), 0::bigint, 'as all are');
SELECT is((SELECT money FROM rows.defect WHERE source = 'purchases' AND check_name = 'null_customer'), 44::numeric, 'so are rows without a customer');

-- ---------- whole numbers of several widths ----------

CREATE TABLE wide_cost (c bigint, at date, amount numeric);
CREATE TABLE narrow_complaint (c smallint, at date);
CREATE TABLE sale (c integer, at date, amount numeric);
INSERT INTO sale SELECT n, '2024-01-01', 1 FROM generate_series(1, 3000) AS n;
INSERT INTO wide_cost SELECT n, '2024-01-01', 2 FROM generate_series(1, 3000) AS n;
INSERT INTO narrow_complaint SELECT n, '2024-01-01' FROM generate_series(1, 3000, 2) AS n;
SELECT segment.create_portfolio('widths', 'SELECT * FROM sale', costs => 'SELECT * FROM wide_cost', complaints => 'SELECT * FROM narrow_complaint') \gset ignored_
SELECT count(segment.watch('widths', t, 'c')) FROM unnest('{sale,wide_cost,narrow_complaint}'::regclass[]) AS t \gset ignored_
SELECT segment.refresh('widths') \gset ignored_
INSERT INTO sale VALUES (100000, '2024-01-02', 5);
INSERT INTO wide_cost VALUES (7, '2024-01-02', 5);
DELETE FROM narrow_complaint WHERE c = 9;
SELECT is((SELECT r.mode || ' ' || r.customers_changed FROM segment.refresh('widths') AS r), 'changes 3', 'changes in each are seen');
SELECT is(changes_of_full('widths'), 0::bigint, 'as if all were read');
INSERT INTO wide_cost VALUES (3000000000, '2024-01-02', 5);
SELECT throws_ok($$ SELECT segment.refresh('widths') $$, '22003', 'integer out of range', 'a key that is too wide is an error');

-- ---------- names of types that the owner's path hides ----------

CREATE SCHEMA evil;
CREATE DOMAIN evil.text AS varchar(2);
CREATE TABLE long_key (c pg_catalog.text, at date, amount numeric);
INSERT INTO long_key VALUES ('abcdef', '2024-01-01', 1), ('abxyz', '2024-01-01', 2);
SET LOCAL search_path = public, evil, pg_catalog;
SELECT segment.create_portfolio('hidden', 'SELECT c, at, amount FROM long_key') \gset ignored_
RESET search_path;
SELECT set_eq($$ SELECT customers('hidden') $$, ARRAY['ABCDEF 1 0', 'ABXYZ 2 0'], 'keys stay as they are');

-- ---------- queries that are none ----------

SELECT throws_ok($$ SELECT * FROM segment.histories('SELECT 1, date ''2024-01-01'', 1.0 INTO other') AS h(c integer, h segment.history) $$,
	'22023', NULL, 'SELECT INTO is no query for histories');
SELECT throws_ok($$ SELECT * FROM segment.histories('SELECT 1, date ''2024-01-01'', 1.0 INTO other UNION SELECT 2, date ''2024-01-01'', 1.0') AS h(c integer, h segment.history) $$,
	'22023', NULL, 'nor at the beginning of a UNION');
SELECT throws_ok($$ SELECT * FROM segment.histories('(SELECT 1, date ''2024-01-01'', 1.0 INTO other)') AS h(c integer, h segment.history) $$,
	'22023', NULL, 'nor in parentheses');
SELECT throws_ok($$ SELECT * FROM segment_internal.checked_histories('purchases', 'SELECT 1, date ''2024-01-01'', 1.0 INTO other', NULL, '{}'::text[]) AS h(c integer, h segment.history, counts bigint[], money numeric[]) $$,
	'22023', NULL, 'nor for those that are checked');
SELECT throws_ok($$ SELECT segment.create_portfolio('into', 'SELECT * INTO other FROM long_key') $$, '22023',
	'source "purchases" must be one SELECT, not SELECT INTO', 'nor a source');

-- ---------- what a type calls equal ----------

CREATE DOMAIN far AS sure;
SELECT is(segment_internal.equality_operator(t::regtype), 'OPERATOR(pg_catalog.=)', 'equality of ' || t)
FROM unnest('{bigint,text,far,date[],branch}'::text[]) AS t;
SELECT throws_ok(format('SELECT segment_internal.equality_operator(%s)', t), '42704', NULL, t || ' is not a type')
FROM unnest('{0,1,1259,4294967295}'::text[]) AS t;
SELECT throws_ok(format('SELECT segment_internal.equality_operator(%L::regtype)', t), '42883', NULL, t || ' has none')
FROM unnest('{point,json,json[],internal}'::text[]) AS t;

SELECT * FROM finish();
ROLLBACK;
