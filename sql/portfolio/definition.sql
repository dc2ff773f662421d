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
 * What DROP EXTENSION ... CASCADE leaves: the tables, without the columns of our
 * types, and no views.
 */
CREATE FUNCTION segment_internal.portfolio_remains(portfolio text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN (
	SELECT pg_get_userbyid(n.nspowner)
	FROM pg_namespace AS n
	JOIN pg_class AS p ON p.relnamespace = n.oid AND p.relname = 'portfolio' AND p.relkind = 'r' AND p.relowner = n.nspowner
	JOIN pg_class AS h ON h.relnamespace = n.oid AND h.relname = 'customer_history' AND h.relkind = 'r' AND h.relowner = n.nspowner
	WHERE n.nspname = portfolio
		AND EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = p.oid AND a.attname = 'read_fingerprint' AND NOT a.attisdropped)
		AND NOT EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = h.oid AND a.attname = 'purchases' AND NOT a.attisdropped));
COMMENT ON FUNCTION segment_internal.portfolio_remains(text) IS
'the owner of a schema that holds what DROP EXTENSION ... CASCADE left of a portfolio; NULL if it does not (internal)';

CREATE FUNCTION segment_internal.portfolio_existing(portfolio text) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $portfolio_existing$
DECLARE
	found_owner text;
BEGIN
	IF portfolio IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed',
			MESSAGE = 'name of the portfolio must not be null';
	END IF;
	SELECT p.owner INTO found_owner FROM segment.portfolio AS p WHERE p.name = portfolio_existing.portfolio;
	IF found_owner IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object',
			MESSAGE = format('portfolio "%s" does not exist', portfolio),
			HINT = CASE WHEN segment_internal.portfolio_remains(portfolio) IS NOT NULL
				THEN format('DROP EXTENSION ... CASCADE left the tables of one. Its queries and settings are in the table %I.portfolio; segment.drop_portfolio takes the tables away, so that segment.create_portfolio can make it anew.', portfolio)
				WHEN to_regclass(format('%I.customer_history', portfolio)) IS NULL
				THEN 'The view segment.portfolio lists the portfolios; segment.create_portfolio makes one.'
				ELSE 'There are tables of one, but they and their schema belong to different roles. Give them all to one.' END;
	END IF;
	RETURN found_owner;
END
$portfolio_existing$;
COMMENT ON FUNCTION segment_internal.portfolio_existing(text) IS
'the owner of a portfolio; errors: 22004 NULL, 42704 no such portfolio (internal)';

/*
 * The portfolio's owner, in whose name everything is done: the caller must
 * have the owner's rights, as for ALTER TABLE.
 */
CREATE FUNCTION segment_internal.portfolio_owner(portfolio text) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $portfolio_owner$
DECLARE
	found_owner text := segment_internal.portfolio_existing(portfolio);
BEGIN
	IF NOT pg_has_role(current_user, found_owner::name, 'USAGE') THEN
		RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
			MESSAGE = format('must be owner of portfolio "%s"', portfolio);
	END IF;
	RETURN found_owner;
END
$portfolio_owner$;
COMMENT ON FUNCTION segment_internal.portfolio_owner(text) IS
'the owner of a portfolio; errors: 42704 no such portfolio, 42501 the caller does not have the owner''s rights';

/*
 * The settings of a session that decide what the text of a query means, or how
 * values are read, and for which there is no one right value: the order of day
 * and month in dates, and the locales of money, numbers and names of months.
 * They are kept with the queries, as the search path is.
 */
CREATE FUNCTION segment_internal.session_settings() RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN jsonb_build_object(
	'DateStyle', 'ISO, ' || split_part(current_setting('DateStyle'), ', ', 2),
	'lc_monetary', current_setting('lc_monetary'),
	'lc_numeric', current_setting('lc_numeric'),
	'lc_time', current_setting('lc_time'));
COMMENT ON FUNCTION segment_internal.session_settings() IS
'the settings of this session that are kept with the queries of a portfolio (internal)';

/*
 * The settings that a portfolio brings itself, under which everything is done
 * with it: those kept with it, unless the arguments of the task have others.
 */
CREATE FUNCTION segment_internal.portfolio_session(portfolio text, arguments jsonb)
RETURNS TABLE (name text, setting text)
LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 5
SET search_path = pg_catalog, pg_temp
AS $portfolio_session$
DECLARE
	session jsonb := coalesce(arguments -> 'session', '{}');
	kept jsonb;
BEGIN
	IF NOT session ?& '{timezone,session_settings}' THEN
		EXECUTE format('SELECT jsonb_build_object(''timezone'', p.timezone, ''session_settings'', p.session_settings)
			FROM %I.portfolio AS p', portfolio)
		INTO STRICT kept;
		session := kept || session;
	END IF;
	-- refuses an unknown time zone
	PERFORM segment.history_agg(now(), 0::numeric, coalesce(session ->> 'timezone', ''));
	RETURN QUERY SELECT 'TimeZone', session ->> 'timezone'
		UNION ALL
		-- no others, whatever somebody has written into the table
		SELECT s.key, s.value FROM jsonb_each_text(session -> 'session_settings') AS s
		WHERE s.key IN ('DateStyle', 'lc_monetary', 'lc_numeric', 'lc_time');
END
$portfolio_session$;
COMMENT ON FUNCTION segment_internal.portfolio_session(text, jsonb) IS
'the settings that a portfolio brings itself: time zone, order of dates and locales, as portfolio_run fixes them; error 22023 for an unknown time zone (internal)';

CREATE FUNCTION segment_internal.portfolio_run(portfolio text, task text, arguments jsonb, report anyelement)
RETURNS SETOF anyelement
LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 10
AS 'MODULE_PATHNAME', 'segment_portfolio_run';
COMMENT ON FUNCTION segment_internal.portfolio_run(text, text, jsonb, anyelement) IS
'runs a task as the portfolio''s owner, in a way that queries and rules, which the owner wrote, cannot take back, and under settings that do not depend on who calls; returns its report, of the type of the last argument; errors as for portfolio_owner (internal)';

/*
 * A new portfolio begins with its schema.  That there is none of the name is
 * known for certain only when it has been made: another session may be making
 * one at the same time, whose row in the catalog is then in the way.
 */
CREATE FUNCTION segment_internal.portfolio_create_schema(name text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $portfolio_create_schema$
BEGIN
	IF name IS NULL OR name = '' THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'name of the portfolio must not be empty',
			HINT = 'It becomes the name of a schema.';
	ELSIF octet_length(name) > 63 THEN
		RAISE EXCEPTION USING ERRCODE = 'name_too_long',
			MESSAGE = format('name of the portfolio is too long: "%s"', name),
			DETAIL = 'It becomes the name of a schema, of at most 63 bytes.';
	END IF;
	EXECUTE format('CREATE SCHEMA %I', name);
EXCEPTION WHEN duplicate_schema OR unique_violation THEN
	RAISE EXCEPTION USING ERRCODE = 'duplicate_schema',
		MESSAGE = format('schema "%s" already exists', name),
		HINT = CASE WHEN segment_internal.portfolio_remains(name) IS NOT NULL
			THEN format('DROP EXTENSION ... CASCADE left the tables of a portfolio in it, with its queries and settings in the table %I.portfolio. segment.drop_portfolio takes them away.', name)
			ELSE 'A portfolio makes a schema of its own. Choose another name, or drop the old portfolio with segment.drop_portfolio.' END;
END
$portfolio_create_schema$;
COMMENT ON FUNCTION segment_internal.portfolio_create_schema(text) IS
'makes the schema of a new portfolio; errors: 22023 empty name, 42622 too long, 42P06 there is such a schema, 42501 no right to create schemas (internal)';

/* What went wrong with somebody's SQL is told with a hint how to write it; not so what would have hit any. */
CREATE FUNCTION segment_internal.is_beyond_query(state text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN left(state, 2) IN ('40', '53', '57', '58', 'XX') OR state = '55P03';
COMMENT ON FUNCTION segment_internal.is_beyond_query(text) IS
'whether an error has nothing to do with what a query says: conflicts with other sessions, lack of resources, intervention, the system (internal)';

/* Name and query of each source that is given. */
CREATE FUNCTION segment_internal.portfolio_sources(definition jsonb) RETURNS TABLE (source text, query text, form text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 5
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
SELECT s.source, definition ->> s.source, s.form
FROM (
	SELECT v.source, v.form FROM (VALUES ('purchases', 'series'), ('customers', 'attributes'), ('costs', 'series'),
		('complaints', 'series'), ('satisfaction', 'series')) AS v(source, form)
	UNION ALL
	SELECT e.source, 'events' FROM segment_internal.event_sources() AS e
) AS s
WHERE definition ->> s.source IS NOT NULL;
END;
COMMENT ON FUNCTION segment_internal.portfolio_sources(jsonb) IS
'the sources that a definition (the row of table portfolio as JSON) names, with their queries, and how they are kept: as a series (a column of table customer_history), as attributes (in the same table), or as events with a text (table event_history) (internal)';

/*
 * Checks all sources of a definition; the definition with clean statements.
 * The time zone has been checked when the settings were fixed.
 */
CREATE FUNCTION segment_internal.portfolio_check(definition jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $portfolio_check$
DECLARE
	s record;
	shape segment_internal.source_shape;
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
	PERFORM segment_internal.check_settings(definition -> 'settings');
	FOR s IN SELECT * FROM segment_internal.portfolio_sources(definition) LOOP
		shape := segment_internal.check_source(s.source, s.query, definition ->> 'search_path');
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
COMMENT ON FUNCTION segment_internal.portfolio_check(jsonb) IS
'checks the definition of a portfolio and returns it with clean statements (internal)';
