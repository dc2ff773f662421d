--
-- A hostile portfolio: its owner has put functions that look who runs them
-- wherever the owner can put code, and everybody calls every public function on
-- it.  They must run as the owner, never as somebody with other rights.
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
SET LOCAL jit = off;
SET LOCAL timezone = 'UTC';

CREATE ROLE segment_test_owner;
CREATE ROLE segment_test_stranger;
CREATE ROLE segment_test_reader;
CREATE ROLE segment_test_other;
CREATE ROLE segment_test_tables;
CREATE ROLE segment_test_member;
CREATE ROLE segment_test_superuser SUPERUSER;
GRANT segment_test_owner TO segment_test_member;
DO $$ BEGIN
	EXECUTE format('GRANT CREATE ON DATABASE %I TO segment_test_owner, segment_test_other', current_database());
END $$;

-- ---------- the trap ----------

CREATE SCHEMA trap AUTHORIZATION segment_test_owner;
SET LOCAL ROLE segment_test_owner;
GRANT USAGE ON SCHEMA trap TO PUBLIC;
-- what runs is counted in sequences, which no rollback turns back
CREATE TABLE trap.place (place text PRIMARY KEY);
INSERT INTO trap.place VALUES ('source'), ('view'), ('trigger'), ('statement_trigger'), ('rule'), ('policy'), ('check'), ('index'),
	('default'), ('generated'), ('class_rule'), ('cut'), ('operator'), ('function'), ('portfolio_function');
CREATE FUNCTION trap.counter(place text, who text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT format('trap.%I', concat(place, CASE WHEN who = 'segment_test_owner' THEN ' as owner' ELSE ' as ' || who END)) $$;
DO $$
DECLARE
	p record;
BEGIN
	FOR p IN SELECT trap.counter(place, 'segment_test_' || who) AS counter
		FROM trap.place, unnest('{owner,stranger,reader,other,tables,member,superuser}'::text[]) AS who LOOP
		EXECUTE format('CREATE SEQUENCE %s', p.counter);
		EXECUTE format('GRANT ALL ON SEQUENCE %s TO PUBLIC', p.counter);
	END LOOP;
END $$;
CREATE FUNCTION trap.look(place text, anything anyelement) RETURNS boolean LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog AS $$
BEGIN
	IF coalesce(current_setting('trap.armed', true), '') = '' THEN
		RETURN true;
	END IF;
	PERFORM nextval(trap.counter(place, current_user));
	IF current_setting('trap.armed') = 'look' THEN
		RETURN true;
	END IF;
	-- and tries to become somebody else
	BEGIN
		PERFORM set_config('role', 'none', true);
		PERFORM nextval(trap.counter(place, current_user));
	EXCEPTION WHEN insufficient_privilege THEN
		NULL;
	END;
	RETURN true;
END $$;
CREATE FUNCTION trap.look_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM trap.look(TG_ARGV[0], 1);
	RETURN coalesce(NEW, OLD);
END $$;
-- operators and functions that fit better than the server's, for whoever has the schema in the search path
CREATE FUNCTION trap.equal(a integer, b integer) RETURNS boolean LANGUAGE plpgsql SET search_path = pg_catalog AS $$ BEGIN PERFORM trap.look('operator', 1); RETURN a = b; END $$;
CREATE OPERATOR trap.= (LEFTARG = integer, RIGHTARG = integer, FUNCTION = trap.equal);
CREATE FUNCTION trap.equal(a text, b text) RETURNS boolean LANGUAGE plpgsql SET search_path = pg_catalog AS $$ BEGIN PERFORM trap.look('operator', 1); RETURN a = b; END $$;
CREATE OPERATOR trap.= (LEFTARG = text, RIGHTARG = text, FUNCTION = trap.equal);
CREATE FUNCTION trap.joined(a text, b text) RETURNS text LANGUAGE plpgsql SET search_path = pg_catalog AS $$ BEGIN PERFORM trap.look('operator', 1); RETURN a || b; END $$;
CREATE OPERATOR trap.|| (LEFTARG = text, RIGHTARG = text, FUNCTION = trap.joined);
CREATE FUNCTION trap.format(a text, b text) RETURNS text LANGUAGE plpgsql SET search_path = pg_catalog AS $$ BEGIN PERFORM trap.look('function', 1); RETURN format(a, b); END $$;
CREATE FUNCTION trap.current_setting(a text) RETURNS text LANGUAGE plpgsql SET search_path = pg_catalog AS $$ BEGIN PERFORM trap.look('function', 1); RETURN current_setting(a); END $$;
CREATE FUNCTION trap.jsonb_build_object(a text, b text) RETURNS jsonb LANGUAGE plpgsql SET search_path = pg_catalog AS $$ BEGIN PERFORM trap.look('function', 1); RETURN jsonb_build_object(a, b); END $$;
CREATE FUNCTION trap.to_jsonb(a anyelement) RETURNS jsonb LANGUAGE plpgsql SET search_path = pg_catalog AS $$ BEGIN PERFORM trap.look('function', 1); RETURN to_jsonb(a); END $$;
CREATE FUNCTION trap.sum(a bigint) RETURNS bigint LANGUAGE plpgsql SET search_path = pg_catalog AS $$ BEGIN PERFORM trap.look('function', 1); RETURN a; END $$;

-- ---------- who is caught ----------

-- The result of a query as a role whose search path leads into the trap; what it does is undone.
CREATE FUNCTION trap.query_result(query text) RETURNS text LANGUAGE plpgsql SET search_path = trap, pg_catalog, public AS $$
DECLARE
	result text;
BEGIN
	EXECUTE query INTO result;
	RETURN result;
END $$;
RESET ROLE;
CREATE FUNCTION public.as_role(role text, query text) RETURNS text LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
	result text;
BEGIN
	PERFORM set_config('role', role, true);
	result := trap.query_result(query);
	RAISE EXCEPTION USING ERRCODE = 'ZZ999', MESSAGE = 'done';
EXCEPTION WHEN SQLSTATE 'ZZ999' THEN
	RETURN 'done: ' || coalesce(result, '');
WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
-- How often code ran, by place and role.
CREATE FUNCTION public.caught() RETURNS TABLE (counter text, times bigint) LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
	s record;
BEGIN
	FOR s IN SELECT relname FROM pg_class WHERE relnamespace = 'trap'::regnamespace AND relkind = 'S' LOOP
		RETURN QUERY EXECUTE format('SELECT %L, CASE WHEN is_called THEN last_value ELSE 0 END FROM trap.%I', s.relname, s.relname);
	END LOOP;
END $$;
-- Those that are not the owner's.
CREATE FUNCTION public.caught_others() RETURNS text LANGUAGE sql SET search_path = pg_catalog AS $$
	SELECT string_agg(format('%s %sx', c.counter, c.times), ', ' ORDER BY c.counter) FROM public.caught() AS c
	WHERE c.times > 0 AND c.counter NOT LIKE '% as owner' $$;

-- ---------- the hostile portfolios ----------

CREATE SCHEMA shop AUTHORIZATION segment_test_tables;
SET LOCAL ROLE segment_test_tables;
CREATE TABLE shop.orders AS
SELECT n % 7 AS customer, date '2023-01-03' + n * 7 % 330 AS at, (n * 31 % 97)::numeric AS amount FROM generate_series(1, 60) AS n;
GRANT USAGE ON SCHEMA shop TO segment_test_owner, segment_test_other;
GRANT SELECT ON shop.orders TO segment_test_owner, segment_test_other;
SET LOCAL ROLE segment_test_other;
SELECT segment.create_portfolio('others', 'SELECT customer, at, amount FROM shop.orders') IS NOT NULL AS created \gset

-- Each portfolio is complete before it becomes hostile.
SET LOCAL ROLE segment_test_owner;
CREATE TABLE trap.orders AS TABLE shop.orders;
CREATE FUNCTION trap.make(name text) RETURNS void LANGUAGE plpgsql SET search_path = trap, pg_catalog AS $$
BEGIN
	PERFORM segment.create_portfolio(name,
		'SELECT customer, at, amount FROM trap.orders WHERE trap.look(''source'', customer) AND customer = customer',
		customers => 'SELECT customer, at::text || '''' AS met, jsonb_build_object(''a'', ''b'') AS b FROM shop.orders');
	PERFORM segment.create_scheme(name, 'own', '[{"class": "big", "rule": "net > own_cut", "stay_rule": "net > 0"}, {"class": "rest"}]',
		'{"own_cut": "SELECT avg(net) FROM customers"}');
	PERFORM segment.create_cluster_scheme(name, 'groups', '{net,orders}', 2);
	PERFORM segment.take_snapshot(name, '2023-06-30');
	PERFORM segment.review_key_accounts(name);
	PERFORM segment.override_key_account(name, 3, true, 'friend', '2099-01-01', 'me');
	PERFORM segment.watch(name, 'trap.orders', 'customer');
END $$;
-- Every table but those that make it a portfolio, and every view, is a view that looks.
CREATE FUNCTION trap.replace_by_views(portfolio text, kinds "char"[]) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
	r record;
BEGIN
	FOR r IN SELECT relname FROM pg_class WHERE relnamespace = quote_ident(portfolio)::regnamespace AND relkind = ANY (kinds)
		AND relname NOT IN ('portfolio', 'customer_history') LOOP
		EXECUTE format('ALTER TABLE %I.%I RENAME TO %I', portfolio, r.relname, r.relname || '_0');
		EXECUTE format('CREATE VIEW %1$I.%2$I AS SELECT * FROM %1$I.%3$I AS t WHERE trap.look(''view'', t::text)', portfolio, r.relname, r.relname || '_0');
	END LOOP;
END $$;
SELECT trap.make('hostile_tables') IS NULL AS made \gset
SELECT trap.replace_by_views('hostile_tables', '{r}') IS NULL AS made \gset
SELECT trap.make('hostile_views') IS NULL AS made \gset
SELECT trap.replace_by_views('hostile_views', '{v}') IS NULL AS made \gset
ALTER FUNCTION hostile_views.customer_at(date) RENAME TO customer_at_0;
CREATE FUNCTION hostile_views.customer_at(day date) RETURNS SETOF hostile_views.customer LANGUAGE sql STABLE AS $$
	SELECT * FROM hostile_views.customer AS c WHERE trap.look('portfolio_function', c.customer_id) $$;
-- All that hangs on tables.
SELECT trap.make('hostile_parts') IS NULL AS made \gset
DO $$
DECLARE
	r record;
BEGIN
	FOR r IN SELECT oid::regclass AS name, coalesce((SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid = c.oid AND attnum = 1), '1') AS col
		FROM pg_class AS c WHERE relnamespace = 'hostile_parts'::regnamespace AND relkind = 'r' LOOP
		EXECUTE format('CREATE TRIGGER look BEFORE INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION trap.look_row(''trigger'')', r.name);
		EXECUTE format('CREATE TRIGGER look_after AFTER INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION trap.look_row(''trigger'')', r.name);
		EXECUTE format('CREATE TRIGGER look_all AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION trap.look_row(''statement_trigger'')', r.name);
		EXECUTE format('ALTER TABLE %s ADD CHECK (trap.look(''check'', %s))', r.name, r.col);
		EXECUTE format('CREATE INDEX ON %s ((trap.look(''index'', %s)))', r.name, r.col);
		EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', r.name);
		EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', r.name);
		EXECUTE format('CREATE POLICY look ON %s USING (trap.look(''policy'', %s))', r.name, r.col);
	END LOOP;
	ALTER TABLE hostile_parts.refresh_log ALTER who SET DEFAULT 'x' || trap.look('default', 1);
	ALTER TABLE hostile_parts.scorecard ALTER created_at SET DEFAULT CASE WHEN trap.look('default', 1) THEN now() END;
	ALTER TABLE hostile_parts.scorecard ADD own boolean GENERATED ALWAYS AS (trap.look('generated', scorecard_id)) STORED;
	UPDATE hostile_parts.scheme_class SET rule = 'trap.look(''class_rule'', orders) AND ' || rule WHERE scheme = 'dormancy';
	UPDATE hostile_parts.scheme_class SET stay_rule = 'trap.look(''class_rule'', orders)' WHERE scheme = 'own' AND rule IS NOT NULL;
	UPDATE hostile_parts.scheme_cut SET query = 'SELECT avg(net) FROM customers WHERE trap.look(''cut'', orders)' WHERE cut = 'own_cut';
END $$;
-- on the table that no INSERT ... ON CONFLICT goes to, which a rule forbids
CREATE RULE look AS ON INSERT TO hostile_parts.refresh_log DO ALSO SELECT trap.look('rule', 1);
GRANT USAGE ON SCHEMA hostile_tables, hostile_views, hostile_parts TO segment_test_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA hostile_tables, hostile_views, hostile_parts TO segment_test_reader;
RESET ROLE;
SET LOCAL trap.armed = 'look and try';

-- ---------- every public function ----------

CREATE TEMPORARY TABLE call (function regprocedure, query text);
INSERT INTO call VALUES
	('segment.create_portfolio(text,text,text,text,text,text,text,text,jsonb,text,text,text)', $$ SELECT segment.create_portfolio(%L, 'SELECT customer, at, amount FROM shop.orders') $$),
	('segment.alter_portfolio(text,text,text,text,text,text,text,text,jsonb,text,text,text)', $$ SELECT segment.alter_portfolio(%L, unit => 'day') $$),
	('segment.alter_portfolio(text,text,text,text,text,text,text,text,jsonb,text,text,text)', $$ SELECT segment.alter_portfolio(%L, purchases => 'SELECT customer, at, amount FROM trap.orders') $$),
	('segment.drop_portfolio(text,boolean)', $$ SELECT segment.drop_portfolio(%L) $$),
	('segment.drop_portfolio(text,boolean)', $$ SELECT segment.drop_portfolio(%L, true) $$),
	('segment.refresh(text,date,boolean,boolean,boolean)', $$ SELECT segment.refresh(%L) $$),
	('segment.refresh(text,date,boolean,boolean,boolean)', $$ SELECT segment.refresh(%L, '2023-08-01', true, true) $$),
	('segment.refresh(text,date,boolean,boolean,boolean)', $$ SELECT segment.refresh(%L, scorecard => false) $$),
	('segment.create_scheme(text,text,jsonb,jsonb,text,text,text)', $$ SELECT segment.create_scheme(%L, 'new', '[{"class": "a", "rule": "net > 1"}, {"class": "b"}]', '{"new_cut": "avg(net)"}') $$),
	('segment.alter_scheme(text,text,jsonb,jsonb)', $$ SELECT segment.alter_scheme(%L, 'own', '[{"class": "a", "rule": "net > 1", "stay_rule": "net > 2"}, {"class": "b"}]', '{"new_cut": "SELECT avg(net) FROM customers"}') $$),
	('segment.drop_scheme(text,text)', $$ SELECT segment.drop_scheme(%L, 'own') $$),
	('segment.create_cluster_scheme(text,text,text[],integer,bigint,text)', $$ SELECT segment.create_cluster_scheme(%L, 'alike', '{net,orders}', transform => 'rank') $$),
	('segment.refit_cluster_scheme(text,text,integer,bigint)', $$ SELECT segment.refit_cluster_scheme(%L, 'groups', 3) $$),
	('segment.scheme_check(text,text)', $$ SELECT count(*) FROM segment.scheme_check(%L, 'own') $$),
	('segment.scheme_check(text,text)', $$ SELECT count(*) FROM segment.scheme_check(%L, 'dormancy') $$),
	('segment.explain(text,text)', $$ SELECT count(*) FROM segment.explain(%L, '3') $$),
	('segment.explain(text,anynonarray)', $$ SELECT count(*) FROM segment.explain(%L, 3) $$),
	('segment.backtest(text,date,integer,float8,float8)', $$ SELECT count(*) FROM segment.backtest(%L, '2023-06-30', 60) $$),
	('segment.backtest_deciles(text,date,integer,text)', $$ SELECT count(*) FROM segment.backtest_deciles(%L, '2023-06-30', 60) $$),
	('segment.backtest_series(text,integer,date[])', $$ SELECT count(*) FROM segment.backtest_series(%L, 60, '{2023-06-30}') $$),
	('segment.crosstab(text,text,text)', $$ SELECT count(*) FROM segment.crosstab(%L, 'dormancy', 'rfm_segment') $$),
	('segment.chart(text,text,jsonb)', $$ SELECT count(segment.chart(%L, c.chart)) FROM segment_internal.chart_catalog AS c $$),
	('segment.report(text,text,jsonb)', $$ SELECT length(segment.report(%L)) > 0 $$),
	('segment.drivers(text,text,date,integer)', $$ SELECT count(*) FROM segment.drivers(%L, 'bought', '2023-06-30', 20) $$),
	('segment.experiment_readout(text,text,double precision,date,date,jsonb,integer,double precision)', $$ SELECT count(*) FROM segment.experiment_readout(%L, 's', 0.5, '2023-07-01', classes => '{"own": ["big", "rest"]}') $$),
	('segment.value_score(text,jsonb)', $$ SELECT count(*) FROM segment.value_score(%L, '{"net": 1, "orders": 2}') $$),
	('segment.define_traits(text,jsonb)', $$ SELECT segment.define_traits(%L, '[{"trait": "a", "rule": "net > 0"}]') $$),
	('segment.take_snapshot(text,date)', $$ SELECT segment.take_snapshot(%L) $$),
	('segment.take_snapshot(text,date)', $$ SELECT segment.take_snapshot(%L, '2023-07-31') $$),
	('segment.review_key_accounts(text)', $$ SELECT segment.review_key_accounts(%L) $$),
	('segment.override_key_account(text,text,boolean,text,date,text)', $$ SELECT segment.override_key_account(%L, '4'::text, true, 'why', '2099-01-01') $$),
	('segment.override_key_account(text,anynonarray,boolean,text,date,text)', $$ SELECT segment.override_key_account(%L, 4, false, 'why', '2099-01-01') $$),
	('segment.end_key_account_override(text,text,text,text)', $$ SELECT segment.end_key_account_override(%L, '3'::text, 'why') $$),
	('segment.end_key_account_override(text,anynonarray,text,text)', $$ SELECT segment.end_key_account_override(%L, 3, 'why') $$),
	('segment.assign_key_account(text,text,text,text)', $$ SELECT segment.assign_key_account(%L, '3'::text, 'Ann') $$),
	('segment.assign_key_account(text,anynonarray,text,text)', $$ SELECT segment.assign_key_account(%L, 3, 'Ann', 'Ben') $$),
	('segment.set_key_account_stage(text,text,text,text,text)', $$ SELECT segment.set_key_account_stage(%L, '3'::text, 'early') $$),
	('segment.set_key_account_stage(text,anynonarray,text,text,text)', $$ SELECT segment.set_key_account_stage(%L, 3, 'middle', 'why') $$),
	('segment.demote_key_account(text,text,text,text)', $$ SELECT segment.demote_key_account(%L, '3'::text, 'why') $$),
	('segment.demote_key_account(text,anynonarray,text,text)', $$ SELECT segment.demote_key_account(%L, 3, 'why') $$),
	('segment.grant_read(text,text)', $$ SELECT segment.grant_read(%L, 'segment_test_reader') $$),
	('segment.revoke_read(text,text)', $$ SELECT segment.revoke_read(%L, 'segment_test_reader') $$),
	('segment.watch(text,regclass,text)', $$ SELECT segment.watch(%L, 'trap.orders', NULL) $$),
	('segment.unwatch(text,regclass)', $$ SELECT segment.unwatch(%L) $$),
	('segment.unwatch(text,regclass)', $$ SELECT segment.unwatch(%L, 'trap.orders') $$);
-- The others take values only; histories and drivers run a query, as whoever calls them and wrote it.
-- dashboard reads what is the extension's own.
SELECT is_empty($$
	SELECT p.oid::regprocedure FROM pg_proc AS p
	WHERE p.pronamespace = 'segment'::regnamespace AND p.prokind = 'f'
		AND (p.provolatile <> 'i' AND p.oid NOT IN ('segment.histories'::regproc, 'segment.drivers(text)'::regprocedure, 'segment.dashboard'::regproc)
			OR p.proargnames[1] IN ('name', 'portfolio') AND p.proargtypes[0] = 'text'::regtype)
		AND p.oid <> ALL (SELECT c.function FROM call AS c) $$, 'every public function of a portfolio is called');

CREATE TEMPORARY TABLE called AS
SELECT r.role, p.portfolio, c.function, format(c.query, p.portfolio) AS query, NULL::text AS result
FROM call AS c, unnest('{hostile_tables,hostile_views,hostile_parts}'::text[]) AS p(portfolio),
	unnest('{stranger,reader,other,tables,member,superuser}'::text[]) WITH ORDINALITY AS r(role, nth)
WHERE r.role <> 'member' OR p.portfolio = 'hostile_parts'
ORDER BY r.nth, p.portfolio;
UPDATE called SET result = as_role('segment_test_' || role, query) WHERE role IN ('stranger', 'reader', 'other', 'tables');
SELECT is_empty($$ SELECT role, query, result FROM called WHERE role IN ('stranger', 'reader', 'other', 'tables')
	AND result NOT SIMILAR TO '42501 must be owner( or reader)? of portfolio "hostile%'
	-- readers may ask these
	AND NOT (role IN ('reader', 'tables') AND function::text ~ 'segment.(explain|scheme_check|backtest|crosstab|drivers|experiment_readout|value_score|chart|report)')
	AND NOT (function::text ~ 'create_portfolio' AND result ~ '^(42501 permission denied for database|42P06)') $$,
	'who does not have the owner''s rights is refused by every function');
SELECT is(caught_others(), NULL, 'and is not caught');

UPDATE called SET result = as_role('segment_test_superuser', query) WHERE role = 'superuser';
SELECT is(caught_others(), NULL, 'a superuser calls every function, and nothing of the owner''s runs as superuser');
UPDATE called SET result = as_role('segment_test_member', query) WHERE role = 'member';
SELECT is(caught_others(), NULL, 'nor as a member of the owner''s role');

-- that the traps are traps
SELECT is_empty($$ SELECT place FROM trap.place AS p WHERE NOT EXISTS (SELECT FROM caught() AS c WHERE c.counter = p.place || ' as owner' AND c.times > 0)
 $$, 'the owner''s code ran in every place where he can put it');
SELECT is_empty($$ SELECT DISTINCT function FROM called WHERE role = 'superuser' AND portfolio = 'hostile_parts' AND result NOT LIKE 'done%'
	AND function::text !~ 'create_portfolio|demote_key' $$, 'and every function did its work on a portfolio with traps on its tables');
SELECT is(result, 'done: ', 'a superuser drops ' || portfolio || ' with all that is in it')
FROM called WHERE role = 'superuser' AND query LIKE '%drop_portfolio(%true%' ORDER BY portfolio;
SELECT matches(result, '^(done|2BP01)', 'or without cascade: ' || portfolio)
FROM called WHERE role = 'superuser' AND query LIKE '%drop_portfolio(%' AND query NOT LIKE '%true%' ORDER BY portfolio;

-- ---------- reading, as with any view ----------

SET LOCAL trap.armed = look;
SELECT matches(as_role('segment_test_reader', 'SELECT count(*) FROM hostile_views.customer'), '^done: 7$', 'who reads a view');
SELECT matches(caught_others(), '^view as segment_test_reader [0-9]+x$', 'runs its functions himself');

SELECT * FROM finish();
ROLLBACK;
