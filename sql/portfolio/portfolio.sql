/*
 * portfolio: from the user's tables to views
 *
 * Everything that belongs to a portfolio lives in a schema of its own: the
 * definition, the histories, the scorecards, the classes, the views.  It
 * belongs to the user who created it, and is dumped, restored and granted like
 * any other schema.  The extension keeps no list: segment.portfolio finds the
 * portfolios in the catalog.
 */

/* The tables of a portfolio, owned by the current user. */
CREATE FUNCTION segment_internal.portfolio_create_tables(portfolio text, purchases segment_internal.source_shape, query_path text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $portfolio_create_tables$
DECLARE
	concept text;
BEGIN
	EXECUTE format($template$
		CREATE TABLE %1$I.portfolio (
			singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
			purchases text NOT NULL,
			customers text,
			costs text,
			complaints text,
			satisfaction text,
			visits text,
			contacts text,
			lines text,
			timezone text NOT NULL,
			unit text NOT NULL CHECK (unit IN ('day', 'week', 'month', 'year')),
			settings jsonb NOT NULL,
			search_path text NOT NULL,
			session_settings jsonb NOT NULL,
			created_at timestamptz NOT NULL DEFAULT now(),
			refreshed_at timestamptz,
			scorecard_id bigint,
			read_fingerprint text,
			usual_orders float8[]
		-- so that the planner learns soon, also after a restore, that it has one row
		) WITH (autovacuum_analyze_threshold = 0, autovacuum_analyze_scale_factor = 0);
		CREATE TABLE %1$I.refresh_log (
			started_at timestamptz PRIMARY KEY,
			who text NOT NULL DEFAULT session_user,
			as_of date NOT NULL,
			mode text NOT NULL CHECK (mode IN ('full', 'changes')),
			reason text NOT NULL,
			customers bigint NOT NULL,
			customers_read bigint NOT NULL,
			customers_changed bigint NOT NULL,
			scorecard_id bigint NOT NULL,
			purchase_model text,
			spend_model text,
			seconds float8 NOT NULL
		);
		CREATE TABLE %1$I.scorecard (
			scorecard_id bigint PRIMARY KEY,
			as_of date NOT NULL,
			as_of_given boolean NOT NULL,
			created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
			customers bigint NOT NULL,
			buyers bigint NOT NULL,
			recency_cuts float8[],
			frequency_cuts float8[],
			monetary_cuts float8[],
			usual_gap_days float8 NOT NULL,
			margin numeric,
			contribution_rate float8,
			rate_before_cost float8,
			usual_gross float8,
			prior_purchases float8,
			purchase_model segment.model,
			spend_model segment.model,
			purchase_model_usable boolean NOT NULL,
			spend_model_usable boolean NOT NULL,
			unit_days float8 NOT NULL,
			horizon float8 NOT NULL,
			probability_horizon float8 NOT NULL,
			settings jsonb NOT NULL,
			cuts jsonb,
			churn_basis text,
			churn_days integer,
			churn_shares float8[],
			churn_reason text,
			high_margin_categories text[]
		);
		CREATE INDEX ON %1$I.scorecard (as_of, scorecard_id);
		ALTER TABLE %1$I.portfolio ADD FOREIGN KEY (scorecard_id) REFERENCES %1$I.scorecard$template$, portfolio);

	-- from the query itself, so that domain and collation of the key are kept
	PERFORM set_config('search_path', query_path, true);
	EXECUTE pg_catalog.format('CREATE TABLE %I.customer_history AS
		SELECT e.customer_id::%s AS customer_id FROM %s WITH NO DATA',
		portfolio, purchases.key_cast, segment_internal.source_events(purchases));
	EXECUTE pg_catalog.format('CREATE TABLE %I.defect AS
		SELECT NULL::pg_catalog.text AS source, NULL::pg_catalog.text AS check_name,
			e.customer_id::%s AS customer_id, NULL::bigint AS count,
			NULL::pg_catalog.numeric AS money FROM %s WITH NO DATA',
		-- not the domain, which may forbid NULL
		portfolio, purchases.key_base_cast, segment_internal.source_events(purchases));
	PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
	EXECUTE format($template$
		ALTER TABLE %1$I.customer_history
			ADD PRIMARY KEY (customer_id),
			ADD COLUMN purchases segment.history,
			ADD COLUMN margins segment.history,
			ADD COLUMN costs segment.history,
			ADD COLUMN complaints segment.history,
			ADD COLUMN satisfaction segment.history,
			ADD COLUMN listed boolean NOT NULL,
			ADD COLUMN attributes jsonb;
		-- its fields come with the source customers
		CREATE TYPE %1$I.customer_attributes AS ();
		ALTER TABLE %1$I.defect
			ALTER COLUMN source SET NOT NULL,
			ALTER COLUMN check_name SET NOT NULL,
			-- without a key: so that a publication may have it
			REPLICA IDENTITY FULL;
		CREATE INDEX ON %1$I.defect (customer_id)$template$, portfolio);
	IF segment_internal.key_is_string(portfolio) THEN
		EXECUTE format('CREATE INDEX ON %I.customer_history (segment_internal.plain_key(customer_id::text))', portfolio);
	END IF;
	FOREACH concept IN ARRAY segment_internal.portfolio_concepts() LOOP
		EXECUTE format('SELECT segment_internal.%I($1)', concept || '_create_tables') USING portfolio;
	END LOOP;
END
$portfolio_create_tables$;
COMMENT ON FUNCTION segment_internal.portfolio_create_tables(text, segment_internal.source_shape, text) IS
'creates the tables of a portfolio (internal)';

/* ---------- create, alter, drop ---------- */

/* All of create_portfolio, as the caller, who becomes the owner: see portfolio_run. */
CREATE FUNCTION segment_internal.portfolio_create(name text, arguments jsonb) RETURNS segment.refresh_report
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $portfolio_create$
DECLARE
	definition jsonb;
	attributes segment_internal.source_shape;
BEGIN
	PERFORM segment_internal.portfolio_create_schema(name);
	definition := segment_internal.portfolio_check((arguments -> 'definition') || (arguments -> 'session'));
	PERFORM segment_internal.portfolio_create_tables(name,
		segment_internal.check_source('purchases', definition ->> 'purchases', definition ->> 'search_path'),
		definition ->> 'search_path');
	EXECUTE format($template$
		INSERT INTO %1$I.portfolio (purchases, customers, costs, complaints, satisfaction, visits, contacts, lines,
			timezone, unit, settings, search_path, session_settings)
		SELECT d.purchases, d.customers, d.costs, d.complaints, d.satisfaction, d.visits, d.contacts, d.lines,
			d.timezone, d.unit, d.settings, d.search_path, d.session_settings
		FROM jsonb_populate_record(NULL::%1$I.portfolio, $1) AS d$template$, name) USING definition;
	EXECUTE format('ANALYZE %I.portfolio', name);
	PERFORM segment_internal.scheme_check_leading(name, definition -> 'settings');
	PERFORM segment_internal.scheme_divide_middle(name,
		(segment_internal.check_settings(definition -> 'settings') ->> 'value_middle_classes')::float8::integer);
	PERFORM segment_internal.scheme_measure_abcd(name, segment_internal.check_settings(definition -> 'settings') ->> 'abcd_by');
	attributes := segment_internal.attribute_source(definition);
	PERFORM segment_internal.attribute_check_names(name, attributes.names[2:]);
	PERFORM segment_internal.attribute_define(name, attributes);
	PERFORM segment_internal.scheme_check_contact(name, definition -> 'settings');
	PERFORM segment_internal.portfolio_create_views(name,
		(segment_internal.check_settings(definition -> 'settings') ->> 'security_invoker')::boolean);
	RETURN segment_internal.portfolio_refresh(name, '{"full": false, "nowait": false, "scorecard": true, "all_rows": true}');
END
$portfolio_create$;
COMMENT ON FUNCTION segment_internal.portfolio_create(text, jsonb) IS
'creates a portfolio from its definition, with the current user''s rights (internal)';

/*
 * Without SET search_path: the names in the queries are looked up as the
 * caller would.  Therefore nothing here but one qualified call.
 */
CREATE FUNCTION segment.create_portfolio(
	name text, purchases text, customers text DEFAULT NULL, costs text DEFAULT NULL,
	complaints text DEFAULT NULL, satisfaction text DEFAULT NULL, timezone text DEFAULT NULL,
	unit text DEFAULT 'week', settings jsonb DEFAULT '{}', visits text DEFAULT NULL, contacts text DEFAULT NULL,
	lines text DEFAULT NULL
) RETURNS segment.refresh_report
LANGUAGE sql VOLATILE PARALLEL UNSAFE
AS $create_portfolio$
SELECT segment_internal.portfolio_run(name, 'create', pg_catalog.jsonb_build_object(
	'definition', pg_catalog.jsonb_build_object(
		'purchases', purchases, 'customers', customers, 'costs', costs,
		'complaints', complaints, 'satisfaction', satisfaction,
		'visits', visits, 'contacts', contacts, 'lines', lines,
		'unit', unit, 'settings', COALESCE(settings, '{}'),
		'search_path', pg_catalog.current_setting('search_path')),
	'session', pg_catalog.jsonb_build_object(
		'timezone', COALESCE(timezone, pg_catalog.current_setting('TimeZone')),
		'session_settings', segment_internal.session_settings())), NULL::segment.refresh_report)
$create_portfolio$;
COMMENT ON FUNCTION segment.create_portfolio(text, text, text, text, text, text, text, text, jsonb, text, text, text) IS
'creates a portfolio: a schema of this name, owned by the caller, with tables and views, filled from queries: purchases (customer, at, amount [, margin]), customers (customer, attributes...), costs (customer, at, amount), complaints (customer, at), satisfaction (customer, at, score), visits (customer, at, place), contacts (customer, at [, channel]: what was sent to the customer or said), lines (customer, at, amount, margin, category: the lines of the orders). Days begin in timezone (default: the session''s), unit is the models'' (day, week, month, year), settings as in the view segment.setting. Errors name what is wrong: 22023 and 42804 sources and settings, 42P06 there is such a schema, 42501 no right to create schemas; nothing is left behind';

CREATE FUNCTION segment.alter_portfolio(
	name text, purchases text DEFAULT NULL, customers text DEFAULT NULL, costs text DEFAULT NULL,
	complaints text DEFAULT NULL, satisfaction text DEFAULT NULL, timezone text DEFAULT NULL,
	unit text DEFAULT NULL, settings jsonb DEFAULT NULL, visits text DEFAULT NULL, contacts text DEFAULT NULL,
	lines text DEFAULT NULL
) RETURNS segment.refresh_report
LANGUAGE sql VOLATILE PARALLEL UNSAFE
AS $alter_portfolio$
SELECT segment_internal.portfolio_run(name, 'alter', pg_catalog.jsonb_build_object(
	'changes', pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object(
		'purchases', purchases, 'customers', customers, 'costs', costs,
		'complaints', complaints, 'satisfaction', satisfaction,
		'visits', visits, 'contacts', contacts, 'lines', lines, 'unit', unit)),
	'settings', settings, 'search_path', pg_catalog.current_setting('search_path'),
	-- those of the session come with a query
	'session', pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object('timezone', timezone,
		'session_settings', CASE WHEN COALESCE(purchases, customers, costs, complaints, satisfaction, visits, contacts, lines) IS NOT NULL
			THEN segment_internal.session_settings() END))), NULL::segment.refresh_report)
$alter_portfolio$;
COMMENT ON FUNCTION segment.alter_portfolio(text, text, text, text, text, text, text, text, jsonb, text, text, text) IS
'changes what is given, leaves the rest, and refreshes, as of the same day where the last refresh was given one; an empty query takes a source away, a JSON null sets a setting back to its default; where a query is given, the search path of the caller is kept with the portfolio, and the session''s order of dates and locales. Errors as for create_portfolio, 42804 if the type of the customer''s key would change; an error leaves everything as it was';

/* All of alter_portfolio, as the portfolio's owner: see portfolio_run. */
CREATE FUNCTION segment_internal.portfolio_alter(name text, arguments jsonb)
RETURNS segment.refresh_report
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $portfolio_alter$
DECLARE
	changes jsonb := arguments -> 'changes';
	settings jsonb := nullif(arguments -> 'settings', 'null');
	definition jsonb;
	old_key text;
	new_key text;
	given_day date;
	report segment.refresh_report;
BEGIN
	EXECUTE format('SELECT to_jsonb(p) FROM %I.portfolio AS p FOR UPDATE', name) INTO STRICT definition;
	IF settings IS NOT NULL AND jsonb_typeof(settings) = 'object' THEN
		settings := jsonb_strip_nulls((definition -> 'settings') || settings);
	END IF;
	IF EXISTS (SELECT FROM segment_internal.portfolio_sources(changes)) THEN
		definition := definition || jsonb_build_object('search_path', arguments -> 'search_path');
	END IF;
	definition := definition || (
		SELECT coalesce(jsonb_object_agg(c.key, nullif(c.value, '""'::jsonb)), '{}')
		FROM jsonb_each(changes) AS c)
		|| (arguments -> 'session')
		|| jsonb_build_object('settings', coalesce(settings, definition -> 'settings'));
	definition := segment_internal.portfolio_check(definition);
	PERFORM segment_internal.scheme_check_leading(name, definition -> 'settings');
	PERFORM segment_internal.scheme_divide_middle(name,
		(segment_internal.check_settings(definition -> 'settings') ->> 'value_middle_classes')::float8::integer);
	PERFORM segment_internal.scheme_measure_abcd(name, segment_internal.check_settings(definition -> 'settings') ->> 'abcd_by');

	SELECT format_type(a.atttypid, -1) INTO STRICT old_key
	FROM pg_attribute AS a
	WHERE a.attrelid = format('%I.customer_history', name)::regclass AND a.attname = 'customer_id';
	new_key := (segment_internal.check_source('purchases', definition ->> 'purchases',
		definition ->> 'search_path')).key_type;
	IF new_key <> old_key THEN
		RAISE EXCEPTION USING ERRCODE = 'datatype_mismatch',
			MESSAGE = format('the customer''s key of portfolio "%s" is of type %s, not %s', name, old_key, new_key),
			HINT = 'Cast it in the query, or make a new portfolio.';
	END IF;

	EXECUTE format($template$
		UPDATE %1$I.portfolio AS p
		SET (purchases, customers, costs, complaints, satisfaction, visits, contacts, lines, timezone, unit, settings,
				search_path, session_settings)
			= (SELECT d.purchases, d.customers, d.costs, d.complaints, d.satisfaction, d.visits, d.contacts, d.lines,
				d.timezone, d.unit, d.settings, d.search_path, d.session_settings
			FROM jsonb_populate_record(NULL::%1$I.portfolio, $1) AS d)$template$, name) USING definition;
	-- rules may have been changed, by hand too
	PERFORM segment_internal.attribute_change(name, definition,
		(segment_internal.check_settings(definition -> 'settings') ->> 'security_invoker')::boolean);
	-- a day that was asked for stays until the next refresh
	SELECT s.as_of INTO given_day FROM segment_internal.scorecard_in_force(name) AS s WHERE s.as_of_given;
	report := segment_internal.portfolio_refresh(name, jsonb_build_object('as_of', given_day, 'full', false,
		'nowait', false, 'scorecard', true, 'all_rows', true));
	-- last, since it locks out readers
	PERFORM segment_internal.portfolio_renew_views(name,
		(segment_internal.check_settings(definition -> 'settings') ->> 'security_invoker')::boolean);
	RETURN report;
END
$portfolio_alter$;
COMMENT ON FUNCTION segment_internal.portfolio_alter(text, jsonb) IS
'changes the definition of a portfolio and refreshes it, with the current user''s rights (internal)';

CREATE FUNCTION segment.drop_portfolio(name text, cascade boolean DEFAULT false) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $drop_portfolio$
DECLARE
	log name;
BEGIN
	-- also what DROP EXTENSION ... CASCADE left of one
	IF NOT coalesce(pg_has_role(current_user, segment_internal.portfolio_remains(name)::name, 'USAGE'), false) THEN
		PERFORM segment_internal.portfolio_owner(name);
	END IF;
	PERFORM segment_internal.watch_drop_triggers(name, NULL);
	IF cascade THEN
		EXECUTE format('DROP SCHEMA %I CASCADE', name);
		RETURN;
	END IF;
	PERFORM segment_internal.portfolio_drop_members(name, ARRAY['FUNCTION', 'VIEW', 'TABLE', 'TYPE']);
	FOR log IN SELECT l.name FROM segment_internal.log_tables(drop_portfolio.name) AS l LOOP
		EXECUTE format('DROP TABLE %I.%I', name, log);
	END LOOP;
	EXECUTE format('DROP SCHEMA %I', name);
END
$drop_portfolio$;
COMMENT ON FUNCTION segment.drop_portfolio(text, boolean) IS
'drops a portfolio with its schema, never the tables it reads; what others built on it, or put into its schema, is an error 2BP01 that names it, unless cascade is true. It also drops the tables that DROP EXTENSION ... CASCADE leaves of a portfolio, once there is the extension again. Errors: 42704 no such portfolio, 42501 not the owner';
