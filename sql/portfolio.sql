/*
 * portfolio: from the user's tables to views
 *
 * Everything that belongs to a portfolio lives in a schema of its own: the
 * definition, the histories, the scorecards, the classes, the views.  It
 * belongs to the user who created it, and is dumped, restored and granted like
 * any other schema.  The extension keeps no list: segment.portfolio finds the
 * portfolios in the catalog.
 */

CREATE VIEW segment.portfolio AS
SELECT n.nspname::text AS name, pg_get_userbyid(n.nspowner)::text AS owner
FROM pg_namespace AS n
-- tables that others put into somebody's schema do not make it a portfolio
WHERE EXISTS (
	SELECT FROM pg_class AS t
	JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attname = 'purchases' AND NOT a.attisdropped
	WHERE t.relnamespace = n.oid AND t.relname = 'customer_history' AND t.relkind = 'r'
		AND t.relowner = n.nspowner AND a.atttypid = 'segment.history'::regtype)
AND EXISTS (
	SELECT FROM pg_class AS t
	WHERE t.relnamespace = n.oid AND t.relname = 'portfolio' AND t.relkind = 'r'
		AND t.relowner = n.nspowner);
COMMENT ON VIEW segment.portfolio IS 'the portfolios of this database: schemas made by create_portfolio';
COMMENT ON COLUMN segment.portfolio.name IS 'name of the portfolio and of its schema';
COMMENT ON COLUMN segment.portfolio.owner IS 'role it belongs to';
GRANT SELECT ON segment.portfolio TO PUBLIC;

CREATE TYPE segment.refresh_report AS (
	portfolio text, as_of date, mode text, reason text, customers bigint, customers_read bigint,
	customers_changed bigint, scorecard_id bigint, purchase_model text, spend_model text,
	seconds float8
);
COMMENT ON TYPE segment.refresh_report IS
'what a refresh did: the day everything is seen from, what it read (changes: only customers whose rows changed, or full) and why, customers in the scorecard in force, customers read, customers whose stored row changed, number of that scorecard, status of its models, seconds taken';

/*
 * The portfolio's owner, in whose name everything is done: the caller must
 * have the owner's rights, as for ALTER TABLE.
 */
CREATE FUNCTION segment.portfolio_owner(portfolio text) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $portfolio_owner$
DECLARE
	found_owner text;
BEGIN
	IF portfolio IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed',
			MESSAGE = 'name of the portfolio must not be null';
	END IF;
	SELECT p.owner INTO found_owner FROM segment.portfolio AS p WHERE p.name = portfolio_owner.portfolio;
	IF found_owner IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object',
			MESSAGE = format('portfolio "%s" does not exist', portfolio),
			HINT = CASE WHEN to_regclass(format('%I.customer_history', portfolio)) IS NULL
				THEN 'The view segment.portfolio lists the portfolios; segment.create_portfolio makes one.'
				ELSE 'There are tables of one, but they and their schema belong to different roles. Give them all to one.' END;
	ELSIF NOT pg_has_role(current_user, found_owner::name, 'USAGE') THEN
		RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
			MESSAGE = format('must be owner of portfolio "%s"', portfolio);
	END IF;
	RETURN found_owner;
END
$portfolio_owner$;
COMMENT ON FUNCTION segment.portfolio_owner(text) IS
'the owner of a portfolio; errors: 42704 no such portfolio, 42501 the caller does not have the owner''s rights';

CREATE FUNCTION segment.portfolio_run(portfolio text, task text, arguments jsonb) RETURNS segment.refresh_report
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'portfolio_run';
COMMENT ON FUNCTION segment.portfolio_run(text, text, jsonb) IS
'runs portfolio_refresh or portfolio_alter as the portfolio''s owner, in a way that queries and rules, which the owner wrote, cannot take back; errors as for portfolio_owner (internal)';

CREATE FUNCTION segment.portfolio_check_name(name text) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $portfolio_check_name$
BEGIN
	IF name IS NULL OR name = '' THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'name of the portfolio must not be empty',
			HINT = 'It becomes the name of a schema.';
	ELSIF octet_length(name) > 63 THEN
		RAISE EXCEPTION USING ERRCODE = 'name_too_long',
			MESSAGE = format('name of the portfolio is too long: "%s"', name),
			DETAIL = 'It becomes the name of a schema, of at most 63 bytes.';
	ELSIF EXISTS (SELECT FROM pg_namespace AS n WHERE n.nspname = portfolio_check_name.name) THEN
		RAISE EXCEPTION USING ERRCODE = 'duplicate_schema',
			MESSAGE = format('schema "%s" already exists', name),
			HINT = 'A portfolio makes a schema of its own. Choose another name, or drop the old portfolio with segment.drop_portfolio.';
	END IF;
END
$portfolio_check_name$;
COMMENT ON FUNCTION segment.portfolio_check_name(text) IS
'checks the name of a new portfolio; errors: 22023 empty, 42622 too long, 42P06 there is such a schema';

/* The tables of a portfolio, owned by the caller. */
CREATE FUNCTION segment.portfolio_create_tables(portfolio text, purchases segment.source_shape, query_path text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $portfolio_create_tables$
DECLARE
	concept text;
BEGIN
	EXECUTE format('CREATE SCHEMA %I', portfolio);
	EXECUTE format($template$
		CREATE TABLE %1$I.portfolio (
			singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
			purchases text NOT NULL,
			customers text,
			costs text,
			complaints text,
			satisfaction text,
			timezone text NOT NULL,
			unit text NOT NULL CHECK (unit IN ('day', 'week', 'month', 'year')),
			settings jsonb NOT NULL,
			search_path text NOT NULL,
			created_at timestamptz NOT NULL DEFAULT now(),
			refreshed_at timestamptz,
			scorecard_id bigint,
			read_fingerprint text
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
			created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
			customers bigint NOT NULL,
			buyers bigint NOT NULL,
			recency_cuts float8[],
			frequency_cuts float8[],
			monetary_cuts float8[],
			usual_gap_days float8 NOT NULL,
			margin numeric,
			purchase_model segment.model,
			spend_model segment.model,
			purchase_model_usable boolean NOT NULL,
			spend_model_usable boolean NOT NULL,
			unit_days float8 NOT NULL,
			horizon float8 NOT NULL,
			probability_horizon float8 NOT NULL,
			settings jsonb NOT NULL,
			cuts jsonb
		);
		CREATE INDEX ON %1$I.scorecard (as_of, scorecard_id);
		ALTER TABLE %1$I.portfolio ADD FOREIGN KEY (scorecard_id) REFERENCES %1$I.scorecard$template$, portfolio);

	-- from the query itself, so that domain and collation of the key are kept
	PERFORM set_config('search_path', query_path, true);
	EXECUTE pg_catalog.format('CREATE TABLE %I.customer_history AS
		SELECT e.customer_id::%s AS customer_id FROM %s WITH NO DATA',
		portfolio, purchases.key_cast, segment.source_events(purchases));
	EXECUTE pg_catalog.format('CREATE TABLE %I.defect AS
		SELECT NULL::pg_catalog.text AS source, NULL::pg_catalog.text AS check_name,
			e.customer_id::%s AS customer_id, NULL::bigint AS count,
			NULL::pg_catalog.numeric AS money FROM %s WITH NO DATA',
		-- not the domain, which may forbid NULL
		portfolio, purchases.key_base_cast, segment.source_events(purchases));
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
		ALTER TABLE %1$I.defect
			ALTER COLUMN source SET NOT NULL,
			ALTER COLUMN check_name SET NOT NULL;
		CREATE INDEX ON %1$I.defect (customer_id)$template$, portfolio);
	FOREACH concept IN ARRAY segment.portfolio_concepts() LOOP
		EXECUTE format('SELECT segment.%I($1)', concept || '_create_tables') USING portfolio;
	END LOOP;
END
$portfolio_create_tables$;
COMMENT ON FUNCTION segment.portfolio_create_tables(text, segment.source_shape, text) IS
'creates the schema and the tables of a portfolio (internal)';

/* Name and query of each source that is given. */
CREATE FUNCTION segment.portfolio_sources(definition jsonb) RETURNS TABLE (source text, query text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 5
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
SELECT s.source, definition ->> s.source
FROM unnest(ARRAY['purchases', 'customers', 'costs', 'complaints', 'satisfaction']) AS s(source)
WHERE definition ->> s.source IS NOT NULL;
END;
COMMENT ON FUNCTION segment.portfolio_sources(jsonb) IS
'the sources that a definition (the row of table portfolio as JSON) names, with their queries (internal)';

/* Checks all sources of a definition; the definition with clean statements. */
CREATE FUNCTION segment.portfolio_check(definition jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $portfolio_check$
DECLARE
	s record;
	shape segment.source_shape;
	key_type text;
BEGIN
	IF definition ->> 'purchases' IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed',
			MESSAGE = 'source "purchases" must not be null',
			HINT = 'Give the query of the orders: customer, at, amount and, if known, margin.';
	END IF;
	IF coalesce(definition ->> 'unit', '') NOT IN ('day', 'week', 'month', 'year') THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('time unit "%s" not recognized', definition ->> 'unit'),
			HINT = 'Time units are "day", "week", "month" (30.4375 days) and "year" (365.25 days).';
	END IF;
	-- refuses an unknown time zone
	PERFORM segment.history_agg(now(), 0::numeric, coalesce(definition ->> 'timezone', ''));
	PERFORM segment.check_settings(definition -> 'settings');
	FOR s IN SELECT * FROM segment.portfolio_sources(definition) LOOP
		shape := segment.check_source(s.source, s.query, definition ->> 'search_path');
		definition := jsonb_set(definition, ARRAY[s.source], to_jsonb(shape.statement));
		key_type := coalesce(key_type, shape.key_type);
		IF shape.key_type <> key_type THEN
			BEGIN
				-- without a row, since a domain may forbid NULL
				EXECUTE format('SELECT k.k::%s FROM (SELECT NULL::%s WHERE false) AS k(k)',
					key_type, shape.key_type);
			EXCEPTION WHEN cannot_coerce THEN
				RAISE EXCEPTION USING ERRCODE = 'datatype_mismatch',
					MESSAGE = format('the customer in source "%s" is of type %s, in "purchases" of type %s',
						s.source, shape.key_type, key_type),
					HINT = 'Cast one of them in the query.';
			END;
		END IF;
	END LOOP;
	RETURN definition;
END
$portfolio_check$;
COMMENT ON FUNCTION segment.portfolio_check(jsonb) IS
'checks the definition of a portfolio and returns it with clean statements (internal)';

/* ---------- create, alter, drop ---------- */

CREATE FUNCTION segment.portfolio_create(name text, definition jsonb) RETURNS segment.refresh_report
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
-- as in portfolio_run
SET array_nulls = on
SET quote_all_identifiers = off
SET standard_conforming_strings = on
SET transform_null_equals = off
AS $portfolio_create$
BEGIN
	PERFORM segment.portfolio_check_name(name);
	definition := segment.portfolio_check(definition);
	PERFORM segment.portfolio_create_tables(name,
		segment.check_source('purchases', definition ->> 'purchases', definition ->> 'search_path'),
		definition ->> 'search_path');
	EXECUTE format($template$
		INSERT INTO %1$I.portfolio (purchases, customers, costs, complaints, satisfaction,
			timezone, unit, settings, search_path)
		SELECT d.purchases, d.customers, d.costs, d.complaints, d.satisfaction,
			d.timezone, d.unit, d.settings, d.search_path
		FROM jsonb_populate_record(NULL::%1$I.portfolio, $1) AS d$template$, name) USING definition;
	EXECUTE format('ANALYZE %I.portfolio', name);
	PERFORM segment.scheme_check_leading(name, definition -> 'settings');
	PERFORM segment.portfolio_create_views(name,
		(segment.check_settings(definition -> 'settings') ->> 'security_invoker')::boolean);
	RETURN segment.refresh(name);
END
$portfolio_create$;
COMMENT ON FUNCTION segment.portfolio_create(text, jsonb) IS
'creates a portfolio from its definition (internal)';

/*
 * Without SET search_path: the names in the queries are looked up as the
 * caller would.  Therefore nothing here but one qualified call.
 */
CREATE FUNCTION segment.create_portfolio(
	name text, purchases text, customers text DEFAULT NULL, costs text DEFAULT NULL,
	complaints text DEFAULT NULL, satisfaction text DEFAULT NULL, timezone text DEFAULT NULL,
	unit text DEFAULT 'week', settings jsonb DEFAULT '{}'
) RETURNS segment.refresh_report
LANGUAGE sql VOLATILE PARALLEL UNSAFE
AS $create_portfolio$
SELECT segment.portfolio_create(name, pg_catalog.jsonb_build_object(
	'purchases', purchases, 'customers', customers, 'costs', costs,
	'complaints', complaints, 'satisfaction', satisfaction,
	'timezone', COALESCE(timezone, pg_catalog.current_setting('TimeZone')),
	'unit', unit, 'settings', COALESCE(settings, '{}'),
	'search_path', pg_catalog.current_setting('search_path')))
$create_portfolio$;
COMMENT ON FUNCTION segment.create_portfolio(text, text, text, text, text, text, text, text, jsonb) IS
'creates a portfolio: a schema of this name, owned by the caller, with tables and views, filled from queries: purchases (customer, at, amount [, margin]), customers (customer, attributes...), costs (customer, at, amount), complaints (customer, at), satisfaction (customer, at, score). Days begin in timezone (default: the session''s), unit is the models'' (day, week, month, year), settings as in the view segment.setting. Errors name what is wrong: 22023 and 42804 sources and settings, 42P06 there is such a schema, 42501 no right to create schemas; nothing is left behind';

CREATE FUNCTION segment.alter_portfolio(
	name text, purchases text DEFAULT NULL, customers text DEFAULT NULL, costs text DEFAULT NULL,
	complaints text DEFAULT NULL, satisfaction text DEFAULT NULL, timezone text DEFAULT NULL,
	unit text DEFAULT NULL, settings jsonb DEFAULT NULL
) RETURNS segment.refresh_report
LANGUAGE sql VOLATILE PARALLEL UNSAFE
AS $alter_portfolio$
SELECT segment.portfolio_run(name, 'alter', pg_catalog.jsonb_build_object(
	'changes', pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object(
		'purchases', purchases, 'customers', customers, 'costs', costs,
		'complaints', complaints, 'satisfaction', satisfaction,
		'timezone', timezone, 'unit', unit)),
	'settings', settings, 'search_path', pg_catalog.current_setting('search_path')))
$alter_portfolio$;
COMMENT ON FUNCTION segment.alter_portfolio(text, text, text, text, text, text, text, text, jsonb) IS
'changes what is given, leaves the rest, and refreshes; an empty query takes a source away, a JSON null sets a setting back to its default; where a query is given, the search path of the caller is kept with the portfolio. Errors as for create_portfolio, 42804 if the type of the customer''s key would change; an error leaves everything as it was';

/* All of alter_portfolio, as the portfolio's owner: see portfolio_run. */
CREATE FUNCTION segment.portfolio_alter(name text, arguments jsonb)
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
	report segment.refresh_report;
BEGIN
	EXECUTE format('SELECT to_jsonb(p) FROM %I.portfolio AS p FOR UPDATE', name) INTO STRICT definition;
	IF settings IS NOT NULL AND jsonb_typeof(settings) = 'object' THEN
		settings := jsonb_strip_nulls((definition -> 'settings') || settings);
	END IF;
	IF changes ?| ARRAY['purchases', 'customers', 'costs', 'complaints', 'satisfaction'] THEN
		definition := definition || jsonb_build_object('search_path', arguments -> 'search_path');
	END IF;
	definition := definition || (
		SELECT coalesce(jsonb_object_agg(c.key, nullif(c.value, '""'::jsonb)), '{}')
		FROM jsonb_each(changes) AS c)
		|| jsonb_build_object('settings', coalesce(settings, definition -> 'settings'));
	definition := segment.portfolio_check(definition);
	PERFORM segment.scheme_check_leading(name, definition -> 'settings');

	SELECT format_type(a.atttypid, -1) INTO STRICT old_key
	FROM pg_attribute AS a
	WHERE a.attrelid = format('%I.customer_history', name)::regclass AND a.attname = 'customer_id';
	new_key := (segment.check_source('purchases', definition ->> 'purchases',
		definition ->> 'search_path')).key_type;
	IF new_key <> old_key THEN
		RAISE EXCEPTION USING ERRCODE = 'datatype_mismatch',
			MESSAGE = format('the customer''s key of portfolio "%s" is of type %s, not %s', name, old_key, new_key),
			HINT = 'Cast it in the query, or make a new portfolio.';
	END IF;

	EXECUTE format($template$
		UPDATE %1$I.portfolio AS p
		SET (purchases, customers, costs, complaints, satisfaction, timezone, unit, settings, search_path)
			= (SELECT d.purchases, d.customers, d.costs, d.complaints, d.satisfaction,
				d.timezone, d.unit, d.settings, d.search_path
			FROM jsonb_populate_record(NULL::%1$I.portfolio, $1) AS d)$template$, name) USING definition;
	report := segment.portfolio_refresh(name, '{"full": false, "nowait": false, "scorecard": true}');
	-- last, since it locks out readers
	PERFORM segment.portfolio_create_views(name,
		(segment.check_settings(definition -> 'settings') ->> 'security_invoker')::boolean);
	RETURN report;
END
$portfolio_alter$;
COMMENT ON FUNCTION segment.portfolio_alter(text, jsonb) IS
'changes the definition of a portfolio and refreshes it, with the current user''s rights (internal)';

/* Our own objects, without those that others made: what depends on ours is an error. */
CREATE FUNCTION segment.portfolio_drop_members(portfolio text, kinds text[]) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $portfolio_drop_members$
DECLARE
	drop_command text;
BEGIN
	FOR drop_command IN
		SELECT format('DROP %s IF EXISTS %s', m.kind, string_agg(format(
				CASE m.kind WHEN 'FUNCTION' THEN '%I.%s' ELSE '%I.%I' END, portfolio, m.relation), ', '))
		FROM segment.portfolio_members(portfolio) AS m
		WHERE m.col IS NULL AND m.kind = ANY (kinds)
		GROUP BY m.kind
		ORDER BY array_position(kinds, m.kind)
	LOOP
		EXECUTE drop_command;
	END LOOP;
END
$portfolio_drop_members$;
COMMENT ON FUNCTION segment.portfolio_drop_members(text, text[]) IS
'drops the functions, views or tables of a portfolio, in the order of the kinds given; error 2BP01 if others depend on them (internal)';

CREATE FUNCTION segment.drop_portfolio(name text, cascade boolean DEFAULT false) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $drop_portfolio$
BEGIN
	PERFORM segment.portfolio_owner(name);
	PERFORM segment.watch_drop_triggers(name, NULL);
	IF cascade THEN
		EXECUTE format('DROP SCHEMA %I CASCADE', name);
		RETURN;
	END IF;
	PERFORM segment.portfolio_drop_members(name, ARRAY['FUNCTION', 'VIEW', 'TABLE']);
	EXECUTE format('DROP SCHEMA %I', name);
END
$drop_portfolio$;
COMMENT ON FUNCTION segment.drop_portfolio(text, boolean) IS
'drops a portfolio with its schema, never the tables it reads; what others built on it, or put into its schema, is an error 2BP01 that names it, unless cascade is true; errors: 42704 no such portfolio, 42501 not the owner';
