--
-- reader: a reporting role reads everything of a portfolio, and does nothing
-- else; and what DROP EXTENSION ... CASCADE leaves
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
SELECT no_plan();

CREATE ROLE segment_test_owner;
CREATE ROLE segment_test_reporting;
CREATE ROLE "segment test ""Ann""";
CREATE ROLE segment_test_other;
CREATE ROLE segment_test_member;
GRANT segment_test_reporting TO segment_test_member;
DO $$ BEGIN
	EXECUTE format('GRANT CREATE ON DATABASE %I TO segment_test_owner', current_database());
END $$;

-- The one value of a query as a role, or its error; what it does is taken back.
CREATE FUNCTION public.as_role(role text, query text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	PERFORM set_config('role', role, true);
	EXECUTE query INTO result;
	RAISE EXCEPTION USING ERRCODE = 'ZZ999';
EXCEPTION WHEN SQLSTATE 'ZZ999' THEN
	RETURN coalesce(result, 'ok');
WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END
$$;

-- All that may be read of a portfolio.
CREATE FUNCTION public.reading(portfolio text) RETURNS TABLE (query text) LANGUAGE sql AS $$
SELECT format('SELECT count(*) FROM %I.%I', portfolio, c.relname) FROM pg_class AS c
WHERE c.relnamespace = quote_ident(portfolio)::regnamespace AND c.relkind = 'v'
UNION ALL
SELECT format('SELECT count(*) FROM %I.%I(%s)', portfolio, p.proname, CASE p.proname
	WHEN 'customer_at' THEN '''2024-06-30''' WHEN 'scorecard_on' THEN '''2024-06-30'''
	WHEN 'scorecards' THEN CASE p.pronargs WHEN 0 THEN '' ELSE '''{1}''' END WHEN 'best_list' THEN '5'
	WHEN 'customer_change' THEN '''2024-03-31'', ''2024-06-30'''
	WHEN 'churn_change' THEN '''2024-01-01'', ''2024-03-31'', ''2024-04-01'', ''2024-06-30'''
	ELSE '''2024-03-31'', ''2024-06-30'', ''rfm_segment''' END)
-- these stand in the FROM clauses of others
FROM pg_proc AS p WHERE p.pronamespace = quote_ident(portfolio)::regnamespace AND p.proname NOT IN ('customer_row', 'customer_events')
UNION ALL
SELECT format(q.query, portfolio) FROM (VALUES
	('SELECT count(*) FROM segment.explain(%L, ''3'')'), ('SELECT count(*) FROM segment.explain(%L, 3)'),
	('SELECT length(segment.report(%L))'),
	('SELECT count(segment.chart(%1$L, c.chart)) FROM %1$I.chart AS c'),
	('SELECT count(*) FROM segment.scheme_check(%L, ''rfm_segment'')'),
	('SELECT count(*) FROM segment.backtest(%L, ''2024-06-30'', 90)'),
	('SELECT count(*) FROM segment.drivers(%L, ''bought'', ''2024-06-30'', 90)'),
	('SELECT count(*) FROM segment.backtest_deciles(%L, ''2024-06-30'', 90)'),
	('SELECT count(*) FROM segment.backtest_series(%L, 90, ''{2024-06-30}'')')) AS q(query)
$$;
-- Those of which a role gets an error.
CREATE FUNCTION public.unreadable(role text, portfolio text) RETURNS TABLE (query text, error text) LANGUAGE sql AS $$
SELECT r.query, e.error FROM public.reading(portfolio) AS r CROSS JOIN LATERAL public.as_role(role, r.query) AS e(error) WHERE e.error ~ '^[0-9A-Z]{5} '
$$;

SET LOCAL ROLE segment_test_owner;
CREATE SCHEMA shop_data;
CREATE TABLE shop_data.orders AS SELECT n % 60 AS customer, date '2024-01-01' + (n * n % 365) AS day, 10 + n % 90 AS amount FROM generate_series(1, 900) AS n;
SELECT segment.create_portfolio('Shop 1', 'SELECT customer, day, amount FROM shop_data.orders') IS NOT NULL AS made \gset
SELECT segment.take_snapshot('Shop 1', '2024-03-31') IS NOT NULL AS made \gset
RESET ROLE;

-- ---------- a role that has nothing else ----------

SELECT cmp_ok((SELECT count(*) FROM public.reading('Shop 1')), '>', 30::bigint, 'there is much to read');
SELECT is((SELECT count(*) FROM public.unreadable('segment_test_reporting', 'Shop 1')), (SELECT count(*) FROM public.reading('Shop 1')), 'and nothing of it without a right');
SELECT is(as_role('segment_test_reporting', $$ SELECT count(*) FROM segment.explain('Shop 1', 3) $$), '42501 must be owner or reader of portfolio "Shop 1"', 'which the error says');
SELECT lives_ok($$ SET LOCAL ROLE segment_test_owner; SELECT segment.grant_read('Shop 1', 'segment_test_reporting'); SELECT segment.grant_read('Shop 1', 'segment test "Ann"') $$, 'granted');
RESET ROLE;
SELECT is_empty($$ SELECT * FROM public.unreadable('segment_test_reporting', 'Shop 1') $$, 'a reader reads all');
SELECT is_empty($$ SELECT * FROM public.unreadable('segment test "Ann"', 'Shop 1') $$, 'also one whose name needs quotes');
SELECT is_empty($$ SELECT * FROM public.unreadable('segment_test_member', 'Shop 1') $$, 'and members of its role');
SELECT is((SELECT count(*) FROM public.unreadable('segment_test_other', 'Shop 1')), (SELECT count(*) FROM public.reading('Shop 1')), 'nobody else');
SELECT is(as_role('segment_test_reporting', $$ SELECT string_agg(e::text, '|') FROM segment.explain('Shop 1', 7) AS e $$), (SELECT string_agg(e::text, '|') FROM segment.explain('Shop 1', 7) AS e), 'what the owner reads');

-- ---------- and nothing else ----------

SELECT results_eq($$ SELECT DISTINCT a.privilege_type::text FROM pg_class AS c CROSS JOIN LATERAL aclexplode(c.relacl) AS a
	WHERE c.relnamespace = '"Shop 1"'::regnamespace AND a.grantee = 'segment_test_reporting'::regrole $$, $$ VALUES ('SELECT') $$, 'it may select');
SELECT is((SELECT string_agg(a.privilege_type, ',') FROM pg_namespace AS n CROSS JOIN LATERAL aclexplode(n.nspacl) AS a
	WHERE n.nspname = 'Shop 1' AND a.grantee = 'segment_test_reporting'::regrole), 'USAGE', 'and look into the schema');
SELECT matches(as_role('segment_test_reporting', format(q, 'Shop 1')), '^42501 must be owner of portfolio "Shop 1"', 'not ' || q) FROM (VALUES
	($$ SELECT segment.refresh(%L) $$), ($$ SELECT segment.alter_portfolio(%L, unit => 'day') $$), ($$ SELECT segment.drop_portfolio(%L) $$),
	($$ SELECT segment.create_scheme(%L, 'x', '[{"class": "a"}]') $$), ($$ SELECT segment.take_snapshot(%L) $$), ($$ SELECT segment.review_key_accounts(%L) $$),
	($$ SELECT segment.unwatch(%L) $$), ($$ SELECT segment.grant_read(%L, 'segment_test_other') $$), ($$ SELECT segment.revoke_read(%L, 'segment_test_reporting') $$)) AS v(q);
SELECT is_empty($$ SELECT c.relname FROM pg_class AS c WHERE c.relnamespace = '"Shop 1"'::regnamespace AND c.relkind IN ('r', 'v')
	AND has_table_privilege('segment_test_reporting', c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER') $$, 'nothing is written');
SELECT is_empty($$ SELECT c.relname FROM pg_class AS c WHERE c.relnamespace = '"Shop 1"'::regnamespace AND c.relkind = 'r'
	AND c.relname IN ('portfolio', 'refresh_log', 'watched_table', 'changed_customer', 'key_account_criterion') AND has_table_privilege('segment_test_reporting', c.oid, 'SELECT') $$, 'nor are tables read that no function needs');
SELECT is(as_role('segment_test_reporting', 'SELECT count(*) FROM shop_data.orders'), '42501 permission denied for schema shop_data', 'nor the owner''s orders');
SELECT is(as_role('segment_test_reporting', $$ CREATE TABLE "Shop 1".mine () $$), '42501 permission denied for schema Shop 1', 'nothing is made');

-- a role that may read some views only does not become a reader
GRANT USAGE ON SCHEMA "Shop 1" TO segment_test_other;
GRANT SELECT ON "Shop 1".customer, "Shop 1".class TO segment_test_other;
SELECT is(as_role('segment_test_other', $$ SELECT count(*) FROM segment.explain('Shop 1', 3) $$), '42501 must be owner or reader of portfolio "Shop 1"', 'some views are not all');
REVOKE ALL ON "Shop 1".customer, "Shop 1".class FROM segment_test_other;
-- whoever may read all views is one, however that came
GRANT SELECT ON ALL TABLES IN SCHEMA "Shop 1" TO segment_test_other;
SELECT is(as_role('segment_test_other', $$ SELECT count(*) FROM segment.explain('Shop 1', 3) $$), '12', 'all are');
REVOKE ALL ON ALL TABLES IN SCHEMA "Shop 1" FROM segment_test_other;
REVOKE USAGE ON SCHEMA "Shop 1" FROM segment_test_other;

-- ---------- what comes later ----------

SET LOCAL ROLE segment_test_owner;
SELECT segment.alter_portfolio('Shop 1', settings => '{"margin": 0.5}') IS NOT NULL AS made \gset
SELECT segment.create_scheme('Shop 1', 'size', '[{"class": "big", "rule": "net > 500", "stay_rule": "net > 300"}, {"class": "small"}]') IS NOT NULL AS made \gset
RESET ROLE;
SELECT is(as_role('segment_test_reporting', $$ SELECT count(size) FROM "Shop 1".customer $$), '60', 'a new scheme is read');
-- its functions read the snapshots now
SELECT is_empty($$ SELECT * FROM public.unreadable('segment_test_reporting', 'Shop 1') $$, 'and all that its stay rule makes functions read');
SET LOCAL ROLE segment_test_owner;
SELECT segment.drop_scheme('Shop 1', 'abc') IS NOT NULL AS made \gset
-- as a later version of the extension would bring views
DROP VIEW "Shop 1".model_card;
SELECT segment.alter_portfolio('Shop 1', settings => '{"margin": 0.4}') IS NOT NULL AS made \gset
RESET ROLE;
SELECT is_empty($$ SELECT * FROM public.unreadable('segment_test_reporting', 'Shop 1') $$, 'after a scheme was dropped, and a view made');
SELECT is((SELECT count(*) FROM public.unreadable('segment_test_other', 'Shop 1')), (SELECT count(*) FROM public.reading('Shop 1')), 'still nobody else');

-- ---------- security_invoker ----------

SET LOCAL ROLE segment_test_owner;
SELECT segment.alter_portfolio('Shop 1', settings => '{"security_invoker": true}') IS NOT NULL AS made \gset
RESET ROLE;
SELECT is_empty($$ SELECT * FROM public.unreadable('segment_test_reporting', 'Shop 1') $$, 'views that check the reader''s rights are read, since the tables behind are granted');
SET LOCAL ROLE segment_test_owner;
ALTER TABLE "Shop 1".kept_customer ENABLE ROW LEVEL SECURITY;
CREATE POLICY few ON "Shop 1".kept_customer FOR SELECT TO segment_test_reporting USING (customer_id < 10);
RESET ROLE;
SELECT is(as_role('segment_test_reporting', $$ SELECT count(*) FROM "Shop 1".customer $$), '10', 'policies hide customers');
SELECT matches(as_role('segment_test_reporting', query), '^42501 must be owner or reader of portfolio "Shop 1"', 'then not ' || query) FROM public.reading('Shop 1') WHERE query ~ 'segment\.';
SELECT is(as_role('segment_test_owner', $$ SELECT count(*) FROM segment.explain('Shop 1', 30) $$), '12', 'but the owner still');
SET LOCAL ROLE segment_test_owner;
ALTER TABLE "Shop 1".kept_customer DISABLE ROW LEVEL SECURITY;
SELECT segment.alter_portfolio('Shop 1', settings => '{"security_invoker": null}') IS NOT NULL AS made \gset
RESET ROLE;

-- ---------- taken back ----------

SELECT lives_ok($$ SELECT segment.revoke_read('Shop 1', 'segment_test_reporting') $$, 'taken back, by a superuser');
SELECT is((SELECT count(*) FROM public.unreadable('segment_test_reporting', 'Shop 1')), (SELECT count(*) FROM public.reading('Shop 1')), 'all of it');
SELECT is_empty($$ SELECT c.relname FROM pg_class AS c WHERE c.relnamespace = '"Shop 1"'::regnamespace AND has_table_privilege('segment_test_reporting', c.oid, 'SELECT') $$, 'no table remains');
SELECT is_empty($$ SELECT * FROM public.unreadable('segment test "Ann"', 'Shop 1') $$, 'the other reader reads on');
SELECT lives_ok($$ SELECT segment.revoke_read('Shop 1', 'segment test "Ann"'); DROP ROLE "segment test ""Ann""" $$, 'nothing keeps a role that was a reader');
SELECT lives_ok($$ SELECT segment.grant_read('Shop 1', 'public') $$, 'everybody');
SELECT is_empty($$ SELECT * FROM public.unreadable('segment_test_other', 'Shop 1') $$, 'is everybody');
SELECT lives_ok($$ SET LOCAL ROLE segment_test_owner; SELECT segment.create_scheme('Shop 1', 'stay', '[{"class": "big", "rule": "net > 500"}, {"class": "small"}]'); SELECT segment.revoke_read('Shop 1', 'public') $$, 'no more');
RESET ROLE;
SELECT is((SELECT count(*) FROM public.unreadable('segment_test_other', 'Shop 1')), (SELECT count(*) FROM public.reading('Shop 1')), 'nobody again');

-- ---------- errors ----------

SELECT throws_ok(format(q, f), state, message, f || ': ' || message) FROM unnest('{grant_read,revoke_read}'::text[]) AS f, (VALUES
	('SELECT segment.%s(''nosuch'', ''segment_test_other'')', '42704', 'portfolio "nosuch" does not exist'),
	('SELECT segment.%s(NULL, ''segment_test_other'')', '22004', 'name of the portfolio must not be null'),
	('SELECT segment.%s(''Shop 1'', ''nosuch'')', '42704', 'role "nosuch" does not exist'),
	('SELECT segment.%s(''Shop 1'', NULL)', '22004', 'argument "role" must not be null'),
	('SELECT segment.%s(''Shop 1'', ''segment_test_owner'')', '22023', 'role "segment_test_owner" is the owner of portfolio "Shop 1"')) AS v(q, state, message);

-- ---------- what DROP EXTENSION ... CASCADE leaves ----------

SET LOCAL ROLE segment_test_owner;
SELECT segment.watch('Shop 1', 'shop_data.orders', 'customer') IS NOT NULL AS made \gset
SELECT segment.create_portfolio('second', 'SELECT customer, day, amount FROM shop_data.orders') IS NOT NULL AS made \gset
RESET ROLE;
DROP EXTENSION segment CASCADE;
CREATE EXTENSION segment;
CREATE FUNCTION public.error_with_hint(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	hint text;
BEGIN
	EXECUTE query;
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(' ', SQLSTATE, SQLERRM, hint);
END
$$;
SELECT is(error_with_hint($$ SELECT segment.create_portfolio('Shop 1', 'SELECT customer, day, amount FROM shop_data.orders') $$),
	'42P06 schema "Shop 1" already exists DROP EXTENSION ... CASCADE left the tables of a portfolio in it, with its queries and settings in the table "Shop 1".portfolio. segment.drop_portfolio takes them away.', 'create_portfolio says what to do');
SELECT is(error_with_hint($$ SELECT segment.refresh('Shop 1') $$),
	'42704 portfolio "Shop 1" does not exist DROP EXTENSION ... CASCADE left the tables of one. Its queries and settings are in the table "Shop 1".portfolio; segment.drop_portfolio takes the tables away, so that segment.create_portfolio can make it anew.', 'and so does refresh');
SELECT matches(as_role('segment_test_other', $$ SELECT segment.drop_portfolio('Shop 1') $$), '^42704 ', 'not everybody drops it');
SELECT is((SELECT purchases FROM "Shop 1".portfolio), 'SELECT customer, day, amount FROM shop_data.orders', 'the query is still there');
CREATE VIEW public.built AS SELECT customer_id FROM second.customer_history;
SET LOCAL ROLE segment_test_owner;
SELECT lives_ok($$ SELECT segment.drop_portfolio('Shop 1') $$, 'drop_portfolio does it');
SELECT throws_ok($$ SELECT segment.drop_portfolio('second') $$, '2BP01', NULL, 'not where others have built on it');
SELECT lives_ok($$ SELECT segment.drop_portfolio('second', true) $$, 'unless they are to go, too');
SELECT is((segment.create_portfolio('Shop 1', 'SELECT customer, day, amount FROM shop_data.orders')).customers, 60::bigint, 'and it is made anew');
SELECT is((SELECT count(*) FROM shop_data.orders), 900::bigint, 'the orders were never touched');
RESET ROLE;
-- a schema that looks a little like one is none
CREATE SCHEMA lookalike;
CREATE TABLE lookalike.portfolio (purchases text);
CREATE TABLE lookalike.customer_history (customer_id integer);
SELECT throws_ok($$ SELECT segment.drop_portfolio('lookalike', true) $$, '42704', 'portfolio "lookalike" does not exist', 'a schema of somebody''s own is not dropped');
-- nor one in which somebody else put tables
CREATE SCHEMA lent;
GRANT CREATE, USAGE ON SCHEMA lent TO segment_test_owner;
SET LOCAL ROLE segment_test_owner;
CREATE TABLE lent.portfolio AS SELECT ''::text AS read_fingerprint;
CREATE TABLE lent.customer_history (customer_id integer);
RESET ROLE;
SELECT throws_ok($$ SELECT segment.drop_portfolio('lent', true) $$, '42704', 'portfolio "lent" does not exist', 'nor another''s with such tables in it');

SELECT * FROM finish();
ROLLBACK;
