/*
 * source: the queries that a portfolio reads
 */

CREATE FUNCTION segment_internal.source_columns(
	source text, query text, OUT ordinal integer, OUT name text, OUT type oid, OUT base_type oid,
	OUT modifier integer, OUT col_collation oid
) RETURNS SETOF record
LANGUAGE C STABLE STRICT PARALLEL RESTRICTED COST 1000 ROWS 4
AS 'MODULE_PATHNAME', 'segment_source_columns';
COMMENT ON FUNCTION segment_internal.source_columns(text, text) IS
'the columns that a query would return, with their types and, for domains, base types, the modifier (length, precision) of the base type, -1: none, and the collation, 0: none; the query is analyzed, not run; errors: 22023 if it is not one SELECT that only reads, else those of the parser';

CREATE FUNCTION segment_internal.source_statement(source text, query text) RETURNS text
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000
AS 'MODULE_PATHNAME', 'segment_source_statement';
COMMENT ON FUNCTION segment_internal.source_statement(text, text) IS
'the text of a query without a closing semicolon and what follows it; error 22023 if it is not one SELECT';

/*
 * The sources whose events have a text of their own beside the time: they are
 * kept in table event_history, a history for each customer and text.
 */
CREATE FUNCTION segment_internal.event_sources() RETURNS TABLE (source text, value text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 3
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
SELECT v.* FROM (VALUES ('visits', 'place'), ('contacts', 'channel'), ('lines', 'category')) AS v(source, value);
END;
COMMENT ON FUNCTION segment_internal.event_sources() IS
'the sources whose events have a text beside the time, and what that is: the place of a visit, the channel of a contact, the category of a line (internal)';

/* Those whose amounts are money. */
CREATE FUNCTION segment_internal.source_has_money(source text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN source IN ('purchases', 'costs', 'lines');
COMMENT ON FUNCTION segment_internal.source_has_money(text) IS
'whether the amounts of a source are money (internal)';

CREATE TYPE segment_internal.source_shape AS (
	statement text, key_type text, key_base_type text, key_cast text, key_base_cast text, day_type text, amount text, margin text, value text, names text[],
	types text[], histories boolean
);
COMMENT ON TYPE segment_internal.source_shape IS
'a checked source: its statement, type and base type of its key, both of them qualified for a cast, base type of its time column (date, timestamp, timestamptz), the expressions of its amount and margin as numeric, that of its place, channel or category (value) as text, the names and types (column_type) of its columns, and whether it brings histories instead of events: then amount and margin are histories, and there is no time column (internal)';

CREATE FUNCTION segment_internal.column_type(type oid, modifier integer, col_collation oid) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN format_type(type, modifier) || coalesce((
	SELECT format(' COLLATE %I.%I', n.nspname, c.collname)
	FROM pg_collation AS c
	JOIN pg_namespace AS n ON n.oid = c.collnamespace
	WHERE c.oid = col_collation AND c.oid <> (SELECT t.typcollation FROM pg_type AS t WHERE t.oid = type)), '');
COMMENT ON FUNCTION segment_internal.column_type(oid, integer, oid) IS
'a type with modifier, and with the collation where it is not that of the type, as the definition of a column has it under any search path (internal)';

CREATE FUNCTION segment_internal.check_source_column(
	source text, col jsonb, meaning text
) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $check_source_column$
DECLARE
	type_name text := format_type((col ->> 'type')::oid, NULL);
	base_type text := format_type((col ->> 'base_type')::oid, NULL);
BEGIN
	IF meaning = 'customer' THEN
		PERFORM FROM pg_type AS t WHERE t.oid = (col ->> 'base_type')::oid AND t.typtype = 'p';
		IF FOUND THEN
			RAISE EXCEPTION USING ERRCODE = 'datatype_mismatch',
				MESSAGE = format('column %s (%I) of source "%s" cannot be the customer''s key: %s cannot be the type of a column',
					col ->> 'ordinal', col ->> 'name', source, type_name),
				HINT = 'The first column is the customer''s key, for instance a bigint, text or uuid.';
		END IF;
		BEGIN
			-- a key is grouped by, and is the primary key of a table
			EXECUTE format('SELECT FROM (SELECT NULL::%s AS k) AS t GROUP BY k ORDER BY k', base_type);
		EXCEPTION WHEN undefined_function THEN
			RAISE EXCEPTION USING ERRCODE = 'datatype_mismatch',
				MESSAGE = format('column %s (%I) of source "%s" cannot be the customer''s key: values of type %s cannot be compared',
					col ->> 'ordinal', col ->> 'name', source, type_name),
				HINT = 'The first column is the customer''s key, for instance a bigint, text or uuid.';
		END;
	ELSIF meaning = 'attribute' THEN
		-- of a row nobody knows the columns, nor of an array of such
		PERFORM FROM pg_type AS t WHERE t.oid = (col ->> 'base_type')::oid AND (t.typtype = 'p' OR t.typelem = 'record'::regtype);
		IF FOUND THEN
			RAISE EXCEPTION USING ERRCODE = 'datatype_mismatch',
				MESSAGE = format('column %s (%I) of source "%s" cannot be an attribute: %s cannot be the type of a column',
					col ->> 'ordinal', col ->> 'name', source, type_name),
				HINT = 'Cast it in the query, for instance to jsonb or text.';
		END IF;
	ELSIF meaning = ANY (ARRAY(SELECT s.value FROM segment_internal.event_sources() AS s)) THEN
		-- kept as text, whatever it is
		PERFORM FROM pg_type AS t WHERE t.oid = (col ->> 'base_type')::oid AND t.typtype = 'p';
		IF FOUND THEN
			RAISE EXCEPTION USING ERRCODE = 'datatype_mismatch',
				MESSAGE = format('column %s (%I) of source "%s" cannot be the %s: %s cannot be the type of a column',
					col ->> 'ordinal', col ->> 'name', source, meaning, type_name),
				HINT = 'Cast it in the query, for instance to text.';
		END IF;
	ELSIF meaning = 'at' THEN
		IF base_type NOT IN ('date', 'timestamp without time zone', 'timestamp with time zone') THEN
			RAISE EXCEPTION USING ERRCODE = 'datatype_mismatch',
				MESSAGE = format('column %s (%I) of source "%s" must be a date or timestamp, not %s',
					col ->> 'ordinal', col ->> 'name', source, type_name),
				HINT = 'The second column says when. Cast it in the query, for instance ordered_at::date.';
		END IF;
	ELSIF meaning LIKE '%history' THEN
		IF (col ->> 'base_type')::oid <> 'segment.history'::regtype THEN
			RAISE EXCEPTION USING ERRCODE = 'datatype_mismatch',
				MESSAGE = format('column %s (%I) of source "%s" must be a segment.history, not %s',
					col ->> 'ordinal', col ->> 'name', source, type_name),
				HINT = 'Where the second column is a history, so is that of the margins, for instance segment.history_agg(day, margin).';
		END IF;
	ELSE
		PERFORM FROM pg_type AS t WHERE t.oid = (col ->> 'base_type')::oid AND t.typcategory = 'N'
			AND t.typname !~ '^reg' AND t.typname <> 'oid';
		IF NOT FOUND THEN
			RAISE EXCEPTION USING ERRCODE = 'datatype_mismatch',
				MESSAGE = format('column %s (%I) of source "%s" must be a number, not %s',
					col ->> 'ordinal', col ->> 'name', source, type_name),
				HINT = format('This column is the %s. Cast it in the query, for instance total::numeric.', meaning);
		END IF;
	END IF;
END
$check_source_column$;
COMMENT ON FUNCTION segment_internal.check_source_column(text, jsonb, text) IS
'checks the type of one column of a source; error 42804 that names the column, its type and the source';

/*
 * The columns of the source customers after the first, which is the key, become
 * the fields of an object.  The key is called segment_customer there, until it
 * is taken out.
 */
CREATE FUNCTION segment_internal.check_attribute_names(columns jsonb) RETURNS void
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $check_attribute_names$
DECLARE
	wrong text;
BEGIN
	SELECT c.name INTO wrong FROM jsonb_to_recordset(columns) AS c(ordinal integer, name text)
	WHERE c.ordinal > 1
	GROUP BY c.name HAVING count(*) > 1
	ORDER BY min(c.ordinal) LIMIT 1;
	IF wrong IS NOT NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'duplicate_column',
			MESSAGE = format('source "customers" has more than one attribute "%s"', wrong),
			HINT = 'Give each column a name of its own: AS name.';
	END IF;
	IF EXISTS (SELECT FROM jsonb_to_recordset(columns) AS c(ordinal integer, name text)
			WHERE c.ordinal > 1 AND c.name = 'segment_customer') THEN
		RAISE EXCEPTION USING ERRCODE = 'duplicate_column',
			MESSAGE = 'source "customers" has an attribute "segment_customer", which is what the customer''s key is called while it is read',
			HINT = 'Give the column another name: AS name.';
	END IF;
END
$check_attribute_names$;
COMMENT ON FUNCTION segment_internal.check_attribute_names(jsonb) IS
'error 42701 if two attributes of the source customers have one name, or one has the key''s; its columns are given as a JSON array (internal)';

CREATE FUNCTION segment_internal.source_number(name text, type oid) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN CASE
	WHEN type IS NULL THEN NULL
	-- binary fractions have digits that nobody meant: 0.1 + 0.2, or 100 / 3
	WHEN type IN ('real'::regtype, 'double precision'::regtype)
		THEN format('pg_catalog.trim_scale(pg_catalog.round(e.%I::pg_catalog.numeric, 9))', name)
	ELSE format('e.%I::pg_catalog.numeric', name) END;
COMMENT ON FUNCTION segment_internal.source_number(text, oid) IS
'the expression for a number of a source as numeric, from its base type; real and double precision are rounded to the 9 decimals that a history holds (internal)';

CREATE FUNCTION segment_internal.check_source(source text, query text, query_path text) RETURNS segment_internal.source_shape
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $check_source$
DECLARE
	shape segment_internal.source_shape;
	columns jsonb;
	col jsonb;
	meanings text[] := CASE source
		WHEN 'purchases' THEN ARRAY['customer', 'at', 'amount', 'margin']
		WHEN 'costs' THEN ARRAY['customer', 'at', 'amount']
		WHEN 'complaints' THEN ARRAY['customer', 'at']
		WHEN 'satisfaction' THEN ARRAY['customer', 'at', 'score']
		WHEN 'customers' THEN ARRAY['customer']
		WHEN 'visits' THEN ARRAY['customer', 'at', 'place']
		WHEN 'contacts' THEN ARRAY['customer', 'at', 'channel']
		WHEN 'lines' THEN ARRAY['customer', 'at', 'amount', 'margin', 'category']
	END;
	is_event boolean := source IN (SELECT s.source FROM segment_internal.event_sources() AS s);
	least integer := CASE source WHEN 'purchases' THEN 3 WHEN 'contacts' THEN 2 ELSE cardinality(meanings) END;
BEGIN
	-- the names in the query are looked up as its author would
	PERFORM pg_catalog.set_config('search_path', query_path, true);
	SELECT pg_catalog.jsonb_agg(pg_catalog.to_jsonb(c) ORDER BY c.ordinal) INTO columns
	FROM segment_internal.source_columns(source, query) AS c;
	PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
	shape.histories := source <> 'customers' AND NOT is_event
		AND coalesce((columns -> 1 ->> 'base_type')::oid = 'segment.history'::regtype, false);
	IF shape.histories THEN
		meanings := CASE source WHEN 'purchases' THEN ARRAY['customer', 'history', 'margin history']
			ELSE ARRAY['customer', 'history'] END;
		least := 2;
	END IF;
	IF coalesce(jsonb_array_length(columns), 0) < least
		OR source <> 'customers' AND jsonb_array_length(columns) > cardinality(meanings) THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('source "%s" has a wrong number of columns: %s',
				source, coalesce(jsonb_array_length(columns), 0)),
			HINT = format('Its columns are, in this order: %s.', CASE
				WHEN shape.histories AND source = 'purchases' THEN 'customer, history and, if known, margin history'
				WHEN source = 'purchases' THEN 'customer, at, amount and, if known, margin'
				WHEN source = 'customers' THEN 'customer and any attributes'
				WHEN source = 'contacts' THEN 'customer, at and, if known, channel'
				ELSE array_to_string(meanings, ', ') END);
	END IF;
	IF source = 'customers' THEN
		PERFORM segment_internal.check_attribute_names(columns);
	END IF;
	FOR col IN SELECT jsonb_array_elements(columns) LOOP
		shape.names := shape.names || (col ->> 'name');
		-- NULLs come in wherever somebody is not listed, so not as a domain, which may forbid them
		shape.types := shape.types || segment_internal.column_type((col ->> 'base_type')::oid, (col ->> 'modifier')::integer, (col ->> 'col_collation')::oid);
		PERFORM segment_internal.check_source_column(source, col, coalesce(meanings[(col ->> 'ordinal')::integer], 'attribute'));
	END LOOP;
	shape.statement := btrim(segment_internal.source_statement(source, query), E' \t\r\n');
	-- without a length: a cast to one would cut keys off (-1 and not NULL, which means character(1))
	shape.key_type := format_type((columns -> 0 ->> 'type')::oid, -1);
	shape.key_base_type := format_type((columns -> 0 ->> 'base_type')::oid, -1);
	shape.key_cast := segment_internal.qualified_type((columns -> 0 ->> 'type')::oid);
	shape.key_base_cast := segment_internal.qualified_type((columns -> 0 ->> 'base_type')::oid);
	IF shape.histories THEN
		shape.amount := 'e.history';
		shape.margin := CASE cardinality(shape.names) WHEN 3 THEN 'e.margin' END;
	ELSIF source <> 'customers' THEN
		shape.day_type := format_type((columns -> 1 ->> 'base_type')::oid, NULL);
		shape.amount := coalesce(segment_internal.source_number('amount', CASE WHEN meanings[3] IN ('amount', 'score') THEN (columns -> 2 ->> 'base_type')::oid END),
			'1::pg_catalog.numeric');
		shape.margin := segment_internal.source_number('margin', (columns -> 3 ->> 'base_type')::oid);
		-- by way of text, whatever type it has
		shape.value := CASE WHEN is_event AND cardinality(shape.names) > 2 THEN 'e.value::pg_catalog.text' END;
	END IF;
	RETURN shape;
END
$check_source$;
COMMENT ON FUNCTION segment_internal.check_source(text, text, text) IS
'checks a source query of a portfolio (purchases, customers, costs, complaints, satisfaction, visits, contacts, lines), whose names are looked up in the given search path, and says what it is like; errors that name the source: 22023 wrong number of columns or not one SELECT, 42804 wrong type of a column, else those of the parser';

CREATE FUNCTION segment_internal.source_events(shape segment_internal.source_shape) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN format('(%s%s) AS e (customer_id, %s)', (shape).statement, E'\n',
	(CASE WHEN (shape).histories THEN '{"","history","history, margin"}'::text[]
		WHEN (shape).value IS NOT NULL THEN '{"","","at, value","","at, amount, margin, value"}'
		ELSE '{"",at,"at, amount","at, amount, margin"}' END)[cardinality((shape).names)]);
COMMENT ON FUNCTION segment_internal.source_events(segment_internal.source_shape) IS
'the FROM item that reads a source of events or histories, with standard column names (internal)';
