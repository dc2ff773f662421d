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

-- a key that shows how the query was understood
CREATE TABLE public.settings_orders AS
SELECT n % 60 AS customer, date '2023-01-03' + n * 7 % 330 AS day, (n * 31 % 97)::numeric AS amount, NULL::text AS note
FROM generate_series(1, 400) AS n;
CREATE FUNCTION public.settings_create(name text) RETURNS segment.refresh_report LANGUAGE sql AS $$
SELECT segment.create_portfolio(name, $query$
	SELECT concat_ws(' ', customer, (date '2023-02-01' + (day - day))::text, interval '1 day 2 hours', 0.1::float8 + 0.2, 'A'::bytea,
		'back\slash', note = NULL, '{NULL}'::text[] = ARRAY['NULL']), day, amount
	FROM public.settings_orders$query$, timezone => 'Asia/Shanghai', settings => '{"margin": 0.25}')
$$;

-- What a portfolio holds and says, under the usual settings.
CREATE FUNCTION public.settings_digest(portfolio text) RETURNS text LANGUAGE plpgsql
SET datestyle = 'ISO, MDY' SET intervalstyle = 'postgres' SET extra_float_digits = 1 SET bytea_output = 'hex'
SET timezone = 'UTC' SET jit = off AS $$
DECLARE
	result text;
BEGIN
	EXECUTE format($query$ SELECT concat_ws(' ',
		(SELECT md5(string_agg(v::text, ' ' ORDER BY v.customer_id)) FROM %1$I.customer_history AS v),
		(SELECT md5(string_agg(v::text, ' ' ORDER BY v.customer_id)) FROM %1$I.customer AS v),
		(SELECT md5(string_agg(v::text, ' ' ORDER BY v.scheme, v.class)) FROM %1$I.class AS v),
		(SELECT md5(string_agg(v::text, ' ' ORDER BY v.scheme, v.class)) FROM %1$I.segment_summary AS v),
		(SELECT md5(string_agg(v::text, ' ' ORDER BY v.month)) FROM %1$I.leaky_bucket AS v),
		(SELECT md5(string_agg(v::text, ' ' ORDER BY v.customer_id)) FROM %1$I.customer_at('2023-06-30') AS v))$query$, portfolio)
	INTO STRICT result;
	RETURN result;
END
$$;
SELECT (public.settings_create('steady')).customers = 60 AS created \gset
SELECT public.settings_digest('steady') AS digest \gset
SELECT ok(:'created' AND array_length(string_to_array(:'digest', ' '), 1) = 6, 'a portfolio to compare with');
SELECT is((SELECT count(*) FROM steady.customer WHERE customer_id LIKE '% back\\slash %'), 60::bigint, 'its keys tell');

-- All that can be done with a portfolio under some settings: how it differs from
-- the same without them.
CREATE FUNCTION public.settings_differ(settings text[], digest text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	setting text;
	said text[];
	report segment.refresh_report;
BEGIN
	BEGIN
		FOREACH setting IN ARRAY settings LOOP
			PERFORM set_config(split_part(setting, '=', 1), split_part(setting, '=', 2), true);
		END LOOP;
		report := segment.refresh('steady');
		IF report.customers_changed <> 0 THEN
			said := said || format('refresh changed %s customers', report.customers_changed);
		ELSIF public.settings_digest('steady') <> digest THEN
			said := said || 'another state after refresh'::text;
		END IF;
		report := public.settings_create('fresh');
		IF public.settings_digest('fresh') <> digest THEN
			said := said || 'another state after create_portfolio'::text;
		END IF;
		PERFORM segment.alter_portfolio('fresh', complaints => 'SELECT customer_id, date ''2023-02-01'' FROM steady.customer');
		PERFORM segment.create_scheme('fresh', 'size', '[{"class": "big", "rule": "net > size_cut AND length(''a\\d'') = 3"}, {"class": "small"}]',
			cuts => '{"size_cut": "SELECT avg(net) FROM customers"}');
		IF (SELECT count(*) FROM segment.scheme_check('fresh', 'rfm_segment')) < 10
			OR (SELECT count(*) FROM segment.explain('fresh', (SELECT max(customer_id) FROM fresh.customer))
				WHERE figures IS NOT NULL OR scheme = 'size') <> 12 THEN
			said := said || 'another explanation'::text;
		END IF;
		IF NOT EXISTS (SELECT FROM segment.take_snapshot('fresh', (SELECT as_of - 100 FROM fresh.customer LIMIT 1)) AS s
				WHERE s.customers BETWEEN 50 AND 60)
			OR NOT EXISTS (SELECT FROM segment.backtest('fresh', (SELECT as_of - 100 FROM fresh.customer LIMIT 1), 90)) THEN
			said := said || 'another snapshot or backtest'::text;
		END IF;
		IF (SELECT count(*) FROM fresh.customer WHERE size = 'big') NOT BETWEEN 1 AND 59 THEN
			said := said || 'other classes'::text;
		END IF;
		PERFORM segment.drop_portfolio('fresh');
		RAISE EXCEPTION USING ERRCODE = 'ZZ999';
	EXCEPTION WHEN SQLSTATE 'ZZ999' THEN
		-- all is undone
		RETURN array_to_string(said, ', ');
	WHEN OTHERS THEN
		RETURN SQLSTATE || ' ' || SQLERRM;
	END;
END
$$;

SELECT is(public.settings_differ(string_to_array(settings, ';'), :'digest'), NULL, CASE settings WHEN '' THEN 'usual settings' ELSE settings END)
FROM (VALUES (''),
	('DateStyle=SQL, DMY;IntervalStyle=sql_standard'), ('DateStyle=German;IntervalStyle=iso_8601'),
	('DateStyle=Postgres, DMY;IntervalStyle=postgres_verbose'),
	('TimeZone=America/St_Johns;extra_float_digits=-5;bytea_output=escape'),
	-- from 19 on strings are standard ones
	(CASE WHEN current_setting('server_version_num')::integer < 190000 THEN 'standard_conforming_strings=off;escape_string_warning=off;backslash_quote=off'
		ELSE 'backslash_quote=off' END),
	('quote_all_identifiers=on'), ('check_function_bodies=off'), ('transform_null_equals=on'), ('array_nulls=off'),
	('plpgsql.variable_conflict=use_column'), ('plpgsql.variable_conflict=use_variable'), ('plpgsql.extra_errors=shadowed_variables'),
	('row_security=off'), ('session_replication_role=replica'), ('search_path='), ('search_path=pg_temp, steady, segment, public'),
	('work_mem=64kB;hash_mem_multiplier=1;maintenance_work_mem=1MB'), ('plan_cache_mode=force_generic_plan'), ('plan_cache_mode=force_custom_plan'),
	('enable_hashjoin=off;enable_hashagg=off'), ('enable_seqscan=off'), ('enable_indexscan=off;enable_bitmapscan=off'), ('enable_mergejoin=off;enable_incremental_sort=off'),
	('from_collapse_limit=1;join_collapse_limit=1'), ('geqo_threshold=2'),
	('parallel_setup_cost=0;parallel_tuple_cost=0;min_parallel_table_scan_size=0;max_parallel_workers_per_gather=2'),
	('default_toast_compression=pglz'), ('constraint_exclusion=on'), ('synchronize_seqscans=off'),
	('jit=on;jit_above_cost=100000;jit_inline_above_cost=-1;jit_optimize_above_cost=-1')) AS s(settings);

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
	('SELECT segment.create_portfolio(''other'', ''SELECT 1, now(), 1'')', 'cannot execute CREATE SCHEMA in a read-only transaction'),
	('SELECT segment.drop_portfolio(''steady'', true)', 'cannot execute DROP SCHEMA in a read-only transaction')) AS v(query, error);
SELECT is(public.settings_error('DO $x$ BEGIN RAISE EXCEPTION ''%'', public.settings_digest(''steady''); END $x$'), 'P0001 ' || :'digest', 'a read-only transaction reads everything');

SELECT * FROM finish();
ROLLBACK;
