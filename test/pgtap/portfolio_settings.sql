--
-- Portfolios: what they say does not depend on the settings of whoever calls
--
-- Takes long: so that it begins first where files run side by side
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
SET LOCAL timezone = 'UTC';
-- compiling takes longer than all else here
SET LOCAL jit = off;

CREATE TABLE public.settings_orders (customer integer, at timestamptz, day text, amount float8, note text);
INSERT INTO public.settings_orders
SELECT n % 60, timestamptz '2023-01-03 15:30+00' + n * 7 % 330 * interval '1 day', to_char(date '2023-01-03' + n * 7 % 330, 'DD/MM/YYYY'),
	round(n * 31 % 97 / 7.0, 2), NULL FROM generate_series(1, 400) AS n;
-- a key that shows how the query was understood, and days by the time zone
CREATE FUNCTION public.settings_create(name text) RETURNS segment.refresh_report LANGUAGE sql AS $$
SELECT segment.create_portfolio(name, $query$
	SELECT concat_ws(' ', customer, (date '2023-02-01' + (at::date - at::date))::text, interval '1 day 2 hours', 0.1::float8 + 0.2, 'A'::bytea,
		'back\slash', note = NULL, '{NULL}'::text[] = ARRAY['NULL'], timestamptz '2023-02-01 20:00:00+00'), at, amount
	FROM public.settings_orders$query$,
	customers => 'SELECT concat_ws('' '', customer, ''listed''), min(at) AS since, avg(amount) AS mean FROM public.settings_orders GROUP BY 1',
	timezone => 'Asia/Shanghai', settings => '{"margin": 0.25, "key_account_stay_days": 0}')
$$;
-- one whose dates mean what they mean to the session that made it
SET DateStyle = 'SQL, DMY';
SELECT (segment.create_portfolio('steady', 'SELECT customer, day::date, amount FROM public.settings_orders WHERE day::date > ''05/02/2023''',
	costs => 'SELECT DISTINCT customer, ''04/03/2023''::date, amount FROM public.settings_orders',
	timezone => 'Asia/Shanghai', settings => '{"margin": 0.25}')).as_of = '28/11/2023' AS created \gset
RESET DateStyle;

-- All that a portfolio holds, the rows and classes of its customers and, if asked
-- for, all else that it says, but for the times at which it was done, bit for bit.
CREATE FUNCTION public.settings_digest(portfolio text, all_views boolean DEFAULT false) RETURNS jsonb LANGUAGE plpgsql
SET datestyle = 'ISO, MDY' SET intervalstyle = 'postgres' SET extra_float_digits = 1 SET bytea_output = 'hex'
SET timezone = 'UTC' SET jit = off AS $$
DECLARE
	r record;
	digest text;
	result jsonb := '{}';
BEGIN
	FOR r IN SELECT relname FROM pg_class WHERE relnamespace = quote_ident(portfolio)::regnamespace
			AND (relkind = 'r' OR relname = 'customer' OR all_views AND relkind = 'v')
		UNION ALL
		SELECT f FROM unnest('{customer_at(''2023-06-30''),"migration(''2023-03-31'', ''2023-06-30'', ''rfm_segment'')",best_list(5)}'::text[]) AS f WHERE all_views LOOP
		EXECUTE format($query$ SELECT md5(string_agg(v.row::text, ' ' ORDER BY v.row::text)) FROM (SELECT to_jsonb(v)
			- '{taken_at,created_at,refreshed_at,started_at,fitted_at,watched_at,seconds,who,read_fingerprint,search_path,session_settings}'::text[] AS row FROM %I.%s AS v) AS v $query$,
			portfolio, CASE WHEN r.relname LIKE '%(%' THEN r.relname ELSE quote_ident(r.relname) END) INTO digest;
		result := result || jsonb_build_object(r.relname, digest);
	END LOOP;
	RETURN result;
END
$$;
-- The rows of a query, in their order, bit for bit.
CREATE FUNCTION public.settings_rows(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	rows record;
	result text;
BEGIN
	EXECUTE format('SELECT array_agg(q) AS rows FROM (%s) AS q', query) INTO rows;
	-- values are told here, after the query has run under the session's own settings
	PERFORM set_config('extra_float_digits', '1', true), set_config('DateStyle', 'ISO', true);
	RETURN md5(to_jsonb(rows)::text);
END
$$;

-- What comes of every task, done with a portfolio under some settings; all is undone.
CREATE FUNCTION public.settings_work(settings text[], name text, create_it boolean) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
	setting text;
	customer text;
	cutoff date;
	result jsonb := '{}';
	report segment.refresh_report;
BEGIN
	FOREACH setting IN ARRAY settings LOOP
		PERFORM set_config(split_part(setting, '=', 1), split_part(setting, '=', 2), true);
	END LOOP;
	IF create_it THEN
		report := public.settings_create(name);
		result := jsonb_build_object('created', public.settings_digest(name));
	END IF;
	report := segment.refresh(name);
	result := result || jsonb_build_object('refreshed', public.settings_digest(name), 'full', report.customers_changed);
	PERFORM segment.watch(name, 'public.settings_orders', CASE WHEN create_it THEN NULL ELSE 'customer' END);
	PERFORM segment.refresh(name);
	UPDATE public.settings_orders AS o SET amount = amount + 1 WHERE o.customer < 5;
	report := segment.refresh(name);
	result := result || jsonb_build_object('changed', public.settings_digest(name), 'mode', report.mode, 'changes', report.customers_changed);
	PERFORM segment.alter_portfolio(name, unit => 'day', settings => '{"annual_rate": 0.07}');
	result := result || jsonb_build_object('altered', public.settings_digest(name));
	-- an avg of float8 would have other bits for another order of rows
	PERFORM segment.create_scheme(name, 'size', '[{"class": "big", "rule": "net > size_cut AND length(''a\\d'') = 3", "stay_rule": "net > other_cut"}, {"class": "small"}]',
		cuts => '{"size_cut": "SELECT max(net::float8 / 3) FROM customers", "other_cut": "max(gap_ratio / 3)"}');
	result := result || jsonb_build_object('scheme', public.settings_digest(name));
	EXECUTE format('SELECT max(customer_id::text), max(as_of) - 100 FROM %I.customer', name) INTO customer, cutoff;
	PERFORM segment.take_snapshot(name, cutoff);
	PERFORM segment.take_snapshot(name);
	PERFORM segment.alter_scheme(name, 'size', '[{"class": "big", "rule": "net > size_cut"}, {"class": "middle", "rule": "last_day > ''2023-06-30''"}, {"class": "small"}]',
		cuts => '{"size_cut": "max(net::float8 / 7)"}');
	PERFORM segment.review_key_accounts(name);
	PERFORM segment.override_key_account(name, customer, true, 'why', '2099-12-31', 'me');
	PERFORM segment.assign_key_account(name, customer, 'Ann');
	result := result || jsonb_build_object('snapshots and key accounts', public.settings_digest(name, true),
		'check', public.settings_rows(format('SELECT * FROM segment.scheme_check(%L, %L)', name, 'size')),
		'explain', public.settings_rows(format('SELECT * FROM segment.explain(%L, %L)', name, customer)),
		'backtest', public.settings_rows(format('SELECT * FROM segment.backtest(%L, date %L, 90, 1/3::float8, 0.7)', name, to_char(cutoff, 'YYYY-MM-DD'))),
		'deciles', public.settings_rows(format('SELECT * FROM segment.backtest_deciles(%L, date %L, 90)', name, to_char(cutoff, 'YYYY-MM-DD'))));
	PERFORM segment.drop_scheme(name, 'size');
	result := result || jsonb_build_object('dropped scheme', public.settings_digest(name));
	PERFORM segment.drop_portfolio(name);
	RAISE EXCEPTION USING ERRCODE = 'ZZ999';
EXCEPTION WHEN SQLSTATE 'ZZ999' THEN
	RETURN result;
WHEN OTHERS THEN
	RETURN jsonb_build_object('error', SQLSTATE || ' ' || SQLERRM);
END
$$;
SELECT public.settings_work('{}', 'fresh', true) AS fresh, public.settings_work('{}', 'steady', false) AS steady,
	public.settings_digest('steady') AS digest \gset
SELECT ok(:'created', 'a portfolio whose dates were read as its maker reads them');
SELECT is(:'fresh'::jsonb ->> 'error', NULL, 'all tasks');
SELECT is(jsonb_build_array(:'steady'::jsonb ->> 'error', :'steady'::jsonb -> 'full', :'steady'::jsonb -> 'mode', :'steady'::jsonb -> 'changes'),
	'[null, 0, "changes", 5]', 'and with the other, where changes are read');

-- What differs between two results, by task and table.
CREATE FUNCTION public.settings_differ(a jsonb, b jsonb) RETURNS text LANGUAGE sql AS $$
	SELECT coalesce(b ->> 'error', string_agg(format('%s: %s', k.key, CASE WHEN jsonb_typeof(a -> k.key) = 'object' AND jsonb_typeof(b -> k.key) = 'object'
			THEN (SELECT string_agg(t.key, ', ' ORDER BY t.key) FROM jsonb_each(a -> k.key) AS t WHERE t.value IS DISTINCT FROM b -> k.key -> t.key)
			ELSE concat(a -> k.key, ' and ', b -> k.key) END), '; ' ORDER BY k.key))
	FROM (SELECT key FROM jsonb_each(a) UNION SELECT key FROM jsonb_each(b)) AS k WHERE a -> k.key IS DISTINCT FROM b -> k.key
$$;
CREATE TEMPORARY TABLE settings (settings text, is_value boolean);
INSERT INTO settings VALUES
	-- what text means, and how values become text
	('DateStyle=SQL, DMY;IntervalStyle=sql_standard;search_path=', true), ('DateStyle=German;IntervalStyle=iso_8601;extra_float_digits=0', true),
	('DateStyle=Postgres, MDY;IntervalStyle=postgres_verbose;extra_float_digits=3', true),
	('TimeZone=America/St_Johns;extra_float_digits=-15;bytea_output=escape', true), ('TimeZone=Pacific/Kiritimati;extra_float_digits=-5', true),
	('lc_numeric=C;lc_monetary=C;lc_time=C;xmlbinary=hex;xmloption=document', true),
	-- from 19 on strings are standard ones
	(CASE WHEN current_setting('server_version_num')::integer < 190000 THEN 'standard_conforming_strings=off;escape_string_warning=off;backslash_quote=off;array_nulls=off'
		ELSE 'backslash_quote=off;array_nulls=off' END, true),
	('quote_all_identifiers=on;check_function_bodies=off;transform_null_equals=on', true),
	('plpgsql.variable_conflict=use_column;row_security=off', false), ('plpgsql.variable_conflict=use_variable;plpgsql.extra_errors=shadowed_variables', false),
	('search_path=pg_temp, steady, segment, public;default_toast_compression=pglz;constraint_exclusion=on;synchronize_seqscans=off', false),
	-- how plans are made and run
	('work_mem=64kB;hash_mem_multiplier=1;maintenance_work_mem=1MB', false), ('plan_cache_mode=force_generic_plan;enable_hashjoin=off;enable_hashagg=off', false),
	('plan_cache_mode=force_custom_plan;enable_mergejoin=off;enable_incremental_sort=off', false),
	('enable_seqscan=off', false), ('enable_indexscan=off;enable_bitmapscan=off;geqo_threshold=2', false),
	('from_collapse_limit=1;join_collapse_limit=1', false),
	('parallel_setup_cost=0;parallel_tuple_cost=0;min_parallel_table_scan_size=0;max_parallel_workers_per_gather=2', false),
	('session_replication_role=replica', false),
	('jit=on;jit_above_cost=100000;jit_inline_above_cost=-1;jit_optimize_above_cost=-1', false);
SELECT is(public.settings_differ(:'fresh', public.settings_work(string_to_array(settings, ';'), 'fresh', true)), NULL, 'made and used under ' || settings)
FROM settings WHERE is_value;
SELECT is(public.settings_differ(:'steady', public.settings_work(string_to_array(settings, ';'), 'steady', false)), NULL, 'used under ' || settings)
FROM settings;

-- ---------- what cannot be done is refused clearly ----------

-- the error of a statement in a read-only transaction
CREATE FUNCTION public.settings_error(query text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('transaction_read_only', 'on', true);
	EXECUTE query;
	RAISE EXCEPTION 'no error';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END
$$;
SELECT is(public.settings_error(query), '25006 ' || error, query)
FROM (VALUES
	('SELECT segment.refresh(''steady'')', 'cannot execute the refresh of a portfolio in a read-only transaction'),
	('SELECT segment.alter_portfolio(''steady'', unit => ''day'')', 'cannot execute a change of a portfolio in a read-only transaction'),
	('SELECT segment.take_snapshot(''steady'')', 'cannot execute a snapshot of a portfolio in a read-only transaction'),
	('SELECT segment.drop_scheme(''steady'', ''abc'')', 'cannot execute a change of a portfolio''s schemes in a read-only transaction'),
	('SELECT segment.review_key_accounts(''steady'')', 'cannot execute a change of a portfolio''s key accounts in a read-only transaction'),
	('SELECT segment.create_portfolio(''other'', ''SELECT 1, now(), 1'')', 'cannot execute the creation of a portfolio in a read-only transaction'),
	('SELECT segment.drop_portfolio(''steady'', true)', 'cannot execute DROP SCHEMA in a read-only transaction')) AS v(query, error);
SELECT is(public.settings_error('DO $x$ BEGIN RAISE EXCEPTION ''%'', public.settings_digest(''steady''); END $x$'), 'P0001 ' || :'digest', 'a read-only transaction reads everything');

SELECT * FROM finish();
ROLLBACK;
