--
-- Portfolios: whose rights count.  An ordinary user installs the extension,
-- makes a portfolio and lets others read; nobody gains rights by another's.
--
\unset ECHO
\set QUIET 1
\pset format unaligned
\pset tuples_only true
\set ON_ERROR_STOP true
SET client_min_messages = warning;

BEGIN;
CREATE EXTENSION IF NOT EXISTS pgtap;
SELECT no_plan();
DROP EXTENSION IF EXISTS segment CASCADE;
DROP SCHEMA IF EXISTS segment CASCADE;

CREATE ROLE segment_test_alice;
CREATE ROLE segment_test_bob;
CREATE ROLE segment_test_reader;
CREATE ROLE segment_test_superuser SUPERUSER;
GRANT segment_test_alice, segment_test_bob, segment_test_reader TO segment_test_superuser;
DO $$ BEGIN
	EXECUTE format('GRANT CREATE ON DATABASE %I TO segment_test_alice, segment_test_bob', current_database());
END $$;

-- The one value of a query as a role, or its error.
CREATE FUNCTION public.as_role(role text, query text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	PERFORM set_config('role', role, true);
	EXECUTE query INTO result;
	PERFORM set_config('role', 'none', true);
	RETURN result;
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END
$$;

-- ---------- installed and used without a superuser ----------

SELECT is(as_role('segment_test_reader', 'CREATE EXTENSION segment'), '42501 permission denied to create extension "segment"', 'not without CREATE on the database');
-- who makes a schema of its name beforehand could put functions into it that
-- come before the extension's own
SET LOCAL ROLE segment_test_bob;
CREATE SCHEMA segment;
CREATE FUNCTION segment.format(text, name, name) RETURNS text LANGUAGE sql RETURN 'trap';
SELECT public.as_role('segment_test_alice', 'CREATE EXTENSION segment') AS refused_first \gset
DROP SCHEMA segment CASCADE;
CREATE SCHEMA segment_internal;
SELECT public.as_role('segment_test_alice', 'CREATE EXTENSION segment') AS refused_second \gset
DROP SCHEMA segment_internal;
RESET ROLE;
SELECT is(:'refused_first'::text, '42P06 schema "segment" already exists', 'not into a schema that is there already');
SELECT is(:'refused_second'::text, '42P06 schema "segment_internal" already exists', 'nor beside one');
SET LOCAL ROLE segment_test_alice;
CREATE EXTENSION segment;
CREATE SCHEMA alice;
CREATE TABLE alice.orders (customer bigint, at date, amount numeric);
INSERT INTO alice.orders VALUES (1, '2024-01-01', 5), (2, '2024-01-02', 7), (1, '2024-02-01', 3);
CREATE TABLE alice.by_whom AS SELECT 1 AS n;
SELECT public.as_role('segment_test_alice', $$ SELECT segment.create_portfolio('shop', 'SELECT customer, at, amount FROM alice.orders') $$) ~ '^\(shop,' AS made \gset
RESET ROLE;
SELECT is_empty($$ SELECT nspname FROM pg_namespace WHERE nspname ~ '^segment' AND pg_get_userbyid(nspowner) = 'segment_test_alice' $$,
	'the schemas do not belong to who installs it');
SELECT is(as_role('segment_test_alice', $$ CREATE FUNCTION segment.format(text, name, name) RETURNS text LANGUAGE sql RETURN 'trap' $$), '42501 permission denied for schema segment', 'who can put nothing into them');
SELECT is(as_role('segment_test_alice', $$ CREATE FUNCTION segment_internal.format(text, name, name) RETURNS text LANGUAGE sql RETURN 'trap' $$), '42501 permission denied for schema segment_internal', 'neither one');
SELECT ok(:'made', 'a user with CREATE on the database installs it and makes a portfolio');
SELECT is((SELECT string_agg(DISTINCT pg_get_userbyid(relowner), ',') FROM pg_class WHERE relnamespace = 'shop'::regnamespace), 'segment_test_alice', 'all of it is hers');
SELECT is(as_role('segment_test_alice', 'SELECT sum(net) FROM shop.customer'), '15', 'she reads it');
SELECT matches(as_role('segment_test_bob', $$ SELECT segment.create_portfolio('bobs', 'SELECT 1, date ''2024-01-01'', 1') $$), '^\(bobs,', 'others use the extension too');
SELECT is(as_role('segment_test_bob', $$ SELECT segment.create_portfolio('bad', 'SELECT customer, at, amount FROM alice.orders') $$),
	'42501 permission denied for schema alice', 'but not to read what they may not');
SELECT is(as_role('segment_test_bob', 'SELECT sum(net) FROM shop.customer'), '42501 permission denied for schema shop', 'a portfolio is its owner''s');
SELECT is(as_role('segment_test_bob', query), '42501 must be owner of portfolio "shop"', query)
FROM (VALUES ('SELECT segment.refresh(''shop'')'), ('SELECT segment.alter_portfolio(''shop'', unit => ''day'')'),
	('SELECT segment.drop_portfolio(''shop'')'), ('SELECT segment.drop_portfolio(''shop'', true)')) AS q(query);

-- ---------- readers ----------

SET LOCAL ROLE segment_test_alice;
GRANT USAGE ON SCHEMA shop TO segment_test_reader;
GRANT SELECT ON shop.customer, shop.customer_class, shop.class, shop.data_quality, shop.model_card TO segment_test_reader;
RESET ROLE;
SELECT is(as_role('segment_test_reader', 'SELECT sum(net) FROM shop.customer'), '15', 'who is granted the views reads them');
SELECT is(as_role('segment_test_reader', 'SELECT count(DISTINCT customer_id) FROM shop.customer_class'), '2', 'and those over them');
SELECT is(as_role('segment_test_reader', 'SELECT sum(count) FROM shop.data_quality'), '0', 'and data_quality');
SELECT is(as_role('segment_test_reader', 'SELECT count(*) FROM shop.customer_history'), '42501 permission denied for table customer_history', 'not the tables behind');
SELECT matches(as_role('segment_test_reader', 'SELECT count(*) FROM shop.customer_at(''2024-01-01'')'), '^42501 permission denied for view', 'nor, with them, past days');
SET LOCAL ROLE segment_test_alice;
GRANT SELECT ON shop.customer_history, shop.scorecard, shop.scorecard_figures TO segment_test_reader;
RESET ROLE;
SELECT is(as_role('segment_test_reader', 'SELECT count(*) FROM shop.customer_at(''2024-01-01'')'), '1', 'unless granted');

-- ---------- row security ----------

-- the owner reads what the owner's policies show
CREATE SCHEMA guarded;
CREATE TABLE guarded.orders (customer bigint, at date, amount numeric, region text);
INSERT INTO guarded.orders VALUES (1, '2024-01-01', 5, 'north'), (2, '2024-01-02', 7, 'south');
ALTER TABLE guarded.orders ENABLE ROW LEVEL SECURITY;
GRANT USAGE ON SCHEMA guarded TO segment_test_alice;
GRANT SELECT ON guarded.orders TO segment_test_alice;
CREATE POLICY north ON guarded.orders FOR SELECT TO segment_test_alice USING (region = 'north');
SELECT matches(as_role('segment_test_alice', $$ SELECT segment.create_portfolio('secret', 'SELECT customer, at, amount FROM guarded.orders') $$), '^\(secret,', 'a source with row security');
SELECT is((SELECT array_agg(customer_id) FROM secret.customer), '{1}', 'its owner''s rows');
-- also when somebody refreshes who could read all
SELECT matches(as_role('segment_test_superuser', $$ SELECT segment.refresh('secret') $$), '^\(secret,', 'a superuser refreshes');
SELECT is((SELECT array_agg(customer_id) FROM secret.customer), '{1}', 'and the owner''s rows stay the owner''s');
-- readers under row security of the portfolio's own table
SET LOCAL ROLE segment_test_alice;
ALTER TABLE shop.kept_customer ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON shop.kept_customer FOR SELECT TO segment_test_reader USING (customer_id = 2);
GRANT SELECT ON shop.kept_customer TO segment_test_reader;
RESET ROLE;
SELECT is(as_role('segment_test_reader', 'SELECT count(*) FROM shop.customer'), '2', 'without security_invoker the owner''s rights count');
SELECT matches(as_role('segment_test_alice', $$ SELECT segment.alter_portfolio('shop', settings => '{"security_invoker": true}') $$), '^\(shop,', 'security_invoker');
SELECT is(as_role('segment_test_reader', 'SELECT count(*) || '' '' || sum(net) FROM shop.customer'), '1 7', 'then the reader''s own, with row security');
SELECT is_empty($$ SELECT relname FROM pg_class WHERE relnamespace = 'shop'::regnamespace AND relkind = 'v'
	AND NOT reloptions::text ~ 'security_invoker=(t|true|on)\M' $$, 'in all views');
SELECT is(as_role('segment_test_reader', 'SELECT count(*) FROM shop.class'), '42501 permission denied for table scheme_class', 'and nothing by the owner''s');

-- a policy that names the current user sees the portfolio's owner, not who calls
SET LOCAL ROLE segment_test_alice;
CREATE TABLE alice.letters (customer bigint, at date, amount numeric, sender text);
INSERT INTO alice.letters VALUES (1, '2024-01-01', 5, 'segment_test_alice'), (2, '2024-01-02', 7, 'segment_test_superuser'), (3, '2024-01-02', 7, 'segment_test_bob');
ALTER TABLE alice.letters ENABLE ROW LEVEL SECURITY;
CREATE POLICY sender ON alice.letters USING (sender = current_user);
RESET ROLE;
SELECT matches(as_role('segment_test_alice', $$ SELECT segment.create_portfolio('letters', 'SELECT customer, at, amount FROM alice.letters') $$), '^\(letters,', 'a table of the owner''s own');
SELECT is((SELECT array_agg(customer_id ORDER BY customer_id) FROM letters.customer), '{1,2,3}', 'whose policies the owner is free of');
SET LOCAL ROLE segment_test_alice;
ALTER TABLE alice.letters FORCE ROW LEVEL SECURITY;
RESET ROLE;
SELECT matches(as_role('segment_test_superuser', $$ SELECT segment.refresh('letters') $$), '^\(letters,', 'unless they are forced');
SELECT is((SELECT array_agg(customer_id ORDER BY customer_id) FROM letters.customer), '{1}', 'then they hold for the owner, also when a superuser refreshes');
-- who asks for an error rather than for fewer rows gets it
SET LOCAL row_security = off;
SELECT is(as_role('segment_test_alice', $$ SELECT segment.refresh('letters') $$), '42501 query would be affected by row-level security policy for table "letters"', 'row_security = off: an error');
SELECT is(as_role('segment_test_superuser', $$ SELECT segment.refresh('letters') $$), '42501 query would be affected by row-level security policy for table "letters"', 'also for a superuser');
SELECT is(as_role('segment_test_superuser', $$ SELECT segment.refresh('secret') $$), '42501 query would be affected by row-level security policy for table "orders"', 'and of others'' tables');
SET LOCAL row_security = on;
SELECT is((SELECT array_agg(customer_id ORDER BY customer_id) FROM letters.customer), '{1}', 'and the old state stays');

-- with security_invoker, policies on all tables that have customers decide what
-- a reader sees in every view and function
SET LOCAL ROLE segment_test_alice;
CREATE TABLE alice.visits AS
SELECT n % 6 AS customer, date '2024-01-01' + n * 9 AS at, CASE WHEN n % 4 = 0 THEN 0 ELSE n END AS amount FROM generate_series(0, 40) AS n;
CREATE TABLE alice.people AS SELECT n AS customer, 'town ' || n % 2 AS town FROM generate_series(0, 5) AS n;
SELECT segment.create_portfolio('rows', 'SELECT customer, at, amount FROM alice.visits', customers => 'SELECT customer, town FROM alice.people',
	settings => '{"security_invoker": true}') IS NOT NULL AS made \gset
SELECT segment.take_snapshot('rows') IS NOT NULL AND segment.take_snapshot('rows', '2024-06-30') IS NOT NULL
	AND segment.review_key_accounts('rows') IS NOT NULL AS made \gset
DO $$
DECLARE
	guarded text;
BEGIN
	FOR guarded IN SELECT c.relname FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
		WHERE c.relnamespace = 'rows'::regnamespace AND c.relkind = 'r' AND a.attname = 'customer_id' LOOP
		EXECUTE format('ALTER TABLE rows.%1$I ENABLE ROW LEVEL SECURITY;
			CREATE POLICY own ON rows.%1$I FOR SELECT TO segment_test_reader USING (customer_id IN (2, 3))', guarded);
	END LOOP;
END
$$;
GRANT USAGE ON SCHEMA rows TO segment_test_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA rows TO segment_test_reader;
RESET ROLE;
CREATE TEMPORARY TABLE customers_seen AS
SELECT r.name, as_role('segment_test_alice', format('SELECT array_agg(DISTINCT customer_id ORDER BY customer_id) FROM %s', r.name)) AS by_owner,
	as_role('segment_test_reader', format('SELECT array_agg(DISTINCT customer_id ORDER BY customer_id) FROM %s', r.name)) AS by_reader
FROM (
	SELECT format('rows.%I', c.relname) AS name
	FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
	WHERE c.relnamespace = 'rows'::regnamespace AND c.relkind IN ('r', 'v') AND a.attname = 'customer_id'
	UNION ALL VALUES ('rows.customer_at(''2024-06-30'')'), ('rows.movers(''2024-03-31'', ''2024-06-30'', ''rfm_segment'')'), ('rows.best_list(10)')
) AS r;
SELECT cmp_ok(count(*), '>', 10::bigint, 'many views and functions show customers') FROM customers_seen WHERE by_owner ~ '[0145]';
SELECT is_empty($$ SELECT * FROM customers_seen WHERE by_reader !~ '^[{](2|3|2,3)[}]$' OR by_owner ~ ' ' $$, 'a reader sees in none of them what the policies hide');
SELECT is((SELECT by_reader FROM customers_seen WHERE name = 'rows.customer'), '{2,3}', 'and in the view customer all that they show');
SELECT is(as_role('segment_test_reader', format('SELECT count(*) FROM %s', v)), '0', v || ': nothing of others')
FROM (VALUES ('rows.segment_profile WHERE measure = ''town'' AND customers > 2'), ('rows.segment_summary WHERE customers > 2'),
	('rows.leaky_bucket WHERE closing > 2'), ('rows.segment_trend WHERE customers > 2')) AS q(v);
SELECT is(as_role('segment_test_reader', 'SELECT sum(customers) FROM rows.segment_summary WHERE scheme = ''dormancy'''), '2', 'sums are over the rows that are seen');
SELECT is(as_role('segment_test_alice', 'SELECT sum(customers) FROM rows.segment_summary WHERE scheme = ''dormancy'''), '6', 'the owner sees all');
SELECT is(as_role('segment_test_reader', 'SELECT max(customers) FROM rows.model_card'), '6', 'cut points and models are those of everybody');

-- ---------- nobody's queries run with another's rights ----------

SET LOCAL ROLE segment_test_bob;
CREATE SCHEMA bob;
GRANT USAGE ON SCHEMA bob TO PUBLIC;
CREATE TABLE bob.mode (what text);
INSERT INTO bob.mode VALUES ('nothing');
CREATE TABLE bob.deferred (n integer);
CREATE FUNCTION bob.later() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER later AFTER INSERT ON bob.deferred DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION bob.later();
CREATE FUNCTION bob.trap() RETURNS date LANGUAGE plpgsql AS $$
BEGIN
	CASE (SELECT what FROM bob.mode)
		WHEN 'role' THEN PERFORM set_config('role', 'none', true);
		WHEN 'superuser' THEN PERFORM set_config('role', 'segment_test_superuser', true);
		WHEN 'session' THEN SET SESSION AUTHORIZATION DEFAULT;
		WHEN 'temporary' THEN CREATE TEMPORARY TABLE left_behind ();
		WHEN 'deferred' THEN INSERT INTO bob.deferred VALUES (1);
		WHEN 'setting' THEN PERFORM set_config('search_path', 'bob', false), set_config('work_mem', '77MB', false);
		ELSE NULL;
	END CASE;
	RETURN '2024-01-01';
END
$$;
RESET ROLE;
SELECT matches(as_role('segment_test_bob', $$ SELECT segment.create_portfolio('trap', 'SELECT current_user::text, bob.trap(), 1') $$), '^\(trap,', 'a portfolio with a trap');
SELECT matches(as_role('segment_test_superuser', 'SELECT segment.refresh(''trap'')'), '^\(trap,', 'a superuser refreshes it');
SELECT is((SELECT string_agg(customer_id, ',') FROM trap.customer), 'segment_test_bob', 'and its query ran as its owner');
SELECT matches(as_role('segment_test_superuser', $$ SELECT segment.alter_portfolio('trap', unit => 'day') $$), '^\(trap,', 'a superuser changes it');
SELECT is((SELECT string_agg(customer_id, ',') FROM trap.customer), 'segment_test_bob', 'and its query ran as its owner');
SELECT is((SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = 'trap.customer'::regclass), 'segment_test_bob', 'and its views stay the owner''s');
CREATE FUNCTION public.spring(trap text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	UPDATE bob.mode SET what = trap;
	RETURN public.as_role('segment_test_superuser', 'SELECT segment.refresh(''trap'')');
END
$$;
SELECT is(spring('role'), '42501 cannot set parameter "role" within security-definer function', 'it cannot take back the role');
SELECT is(spring('superuser'), '42501 cannot set parameter "role" within security-definer function', 'nor become another');
SELECT is(spring('session'), '42501 cannot set parameter "session_authorization" within security-definer function', 'nor the session''s user');
SELECT is(spring('temporary'), '42501 cannot create temporary table within security-restricted operation', 'nor leave a temporary table behind');
SELECT is(spring('deferred'), '42501 cannot fire deferred trigger within security-restricted operation', 'nor a trigger for the end of the transaction');
SELECT current_setting('search_path') AS path, current_setting('work_mem') AS memory \gset
SELECT matches(spring('setting'), '^\(trap,', 'settings that it changes');
SELECT is(current_setting('search_path') || current_setting('work_mem'), :'path' || :'memory', 'are put back');
-- the rules of classes are SQL of the owner's, too
SELECT spring('nothing') IS NULL AS spring \gset
UPDATE trap.scheme_class SET rule = 'true OR set_config(''role'', ''none'', true) = ''x''' WHERE scheme = 'dormancy' AND class_rank = 1;
SELECT matches(as_role('segment_test_superuser', $$ SELECT segment.alter_portfolio('trap') $$), '^\(trap,', 'a rule');
-- nor does a snapshot run it as the superuser who takes it
SET LOCAL ROLE segment_test_bob;
CREATE TABLE bob.seen (who text);
CREATE FUNCTION bob.note() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('role', 'none', true);
	INSERT INTO bob.seen VALUES (current_user);
	RETURN false;
EXCEPTION WHEN insufficient_privilege THEN
	INSERT INTO bob.seen VALUES (current_user);
	RETURN false;
END
$$;
-- a rule must be immutable: it says so
CREATE FUNCTION bob.look(orders bigint) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT bob.note()';
UPDATE trap.scheme_class SET rule = 'bob.look(orders)' WHERE scheme = 'dormancy' AND class_rank = 1;
RESET ROLE;
SELECT matches(as_role('segment_test_bob', $$ SELECT segment.alter_portfolio('trap') $$), '^\(trap,', 'a rule that looks who runs it');
DELETE FROM bob.seen;
SELECT matches(as_role('segment_test_superuser', $$ SELECT segment.take_snapshot('trap') $$), '^\(trap,', 'a superuser takes a snapshot');
SELECT matches(as_role('segment_test_superuser', $$ SELECT segment.alter_portfolio('trap') $$), '^\(trap,', 'and has all rows computed');
SELECT is((SELECT string_agg(DISTINCT who, ',') FROM bob.seen), 'segment_test_bob', 'and its rule ran as its owner');
UPDATE trap.scheme_class SET rule = 'true THEN '''' END AS x FROM pg_class; ALTER ROLE segment_test_bob SUPERUSER; --' WHERE scheme = 'dormancy' AND class_rank = 1;
SELECT matches(as_role('segment_test_superuser', $$ SELECT segment.alter_portfolio('trap') $$), '^4', 'a rule that is more than a rule');
SELECT is(rolsuper, false, 'gives nothing') FROM pg_roles WHERE rolname = 'segment_test_bob';
-- tables that somebody puts into another's schema do not make it a portfolio
SET LOCAL ROLE segment_test_alice;
CREATE SCHEMA common;
GRANT CREATE, USAGE ON SCHEMA common TO segment_test_bob;
SET LOCAL ROLE segment_test_bob;
CREATE TABLE common.portfolio AS SELECT * FROM bobs.portfolio;
CREATE TABLE common.customer_history AS SELECT * FROM bobs.customer_history;
RESET ROLE;
SELECT is_empty($$ SELECT name FROM segment.portfolio WHERE name = 'common' $$, 'not listed');
SELECT is(as_role('segment_test_alice', 'SELECT segment.refresh(''common'')'), '42704 portfolio "common" does not exist', 'not refreshed');
SELECT is(as_role('segment_test_alice', 'SELECT segment.drop_portfolio(''common'', true)'), '42704 portfolio "common" does not exist', 'not dropped');

-- ---------- the end ----------

SELECT matches(as_role('segment_test_alice', 'DROP EXTENSION segment'), '^2BP01 cannot drop extension segment because other objects depend on it', 'the extension stays while it is used');
SELECT is(as_role('segment_test_alice', 'SELECT segment.drop_portfolio(''shop'')'), '', 'the owner drops her portfolio');
SELECT is((SELECT count(*) FROM alice.orders), 3::bigint, 'and her table stays');

SELECT * FROM finish();
ROLLBACK;
