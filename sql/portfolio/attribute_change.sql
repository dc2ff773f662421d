/*
 * attribute_change: other attributes, and so other columns of the view customer
 */

/*
 * The names that rules see are one space: attributes, the other columns of the
 * view customer, schemes, settings and cuts.
 */
CREATE FUNCTION segment_internal.attribute_check_names(portfolio text, names text[]) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $attribute_check_names$
DECLARE
	taken record;
BEGIN
	EXECUTE format($query$
		SELECT n.name, t.what
		FROM unnest($1) WITH ORDINALITY AS n(name, ordinal)
		JOIN (
			SELECT 'customer_id' AS name, 'the key in the view customer' AS what
			UNION ALL
			SELECT c.name, CASE WHEN c.is_shown THEN 'a column of the view customer' ELSE 'a column of the table kept_customer' END
			FROM segment_internal.customer_columns() AS c
			UNION ALL
			SELECT s.name, 'a setting' FROM segment.setting AS s
			UNION ALL
			SELECT s.scheme, 'a scheme' FROM %1$I.scheme AS s
			UNION ALL
			SELECT c.cut, format('a cut of scheme "%%s"', c.scheme) FROM %1$I.scheme_cut AS c
		) AS t ON t.name = n.name
		ORDER BY n.ordinal LIMIT 1$query$, portfolio)
	INTO taken USING names;
	IF taken.name IS NOT NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'duplicate_column',
			MESSAGE = format('attribute "%s" of source "customers" has the name of %s', taken.name, taken.what),
			DETAIL = 'Rules name attributes, columns, schemes, settings and cuts alike.',
			HINT = format('Give it another name in the query: AS %I.', 'customer_' || taken.name);
	END IF;
	-- names within the query of a customer's row
	SELECT n.name INTO taken FROM unnest(names) AS n(name) WHERE n.name ~ '^(held|level|rule) [0-9]+$';
	IF taken.name IS NOT NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'reserved_name',
			MESSAGE = format('attribute "%s" of source "customers" has a name that is used internally', taken.name),
			HINT = 'Give it another name in the query.';
	END IF;
END
$attribute_check_names$;
COMMENT ON FUNCTION segment_internal.attribute_check_names(text, text[]) IS
'errors: 42701 an attribute has the name of another column of the view customer, a scheme, a setting or a cut, 42939 a name that is used internally (internal)';

/*
 * Brings the type customer_attributes, and the columns of the table
 * kept_customer, to the columns of a source (NULL: none).  What others have built
 * on a column that goes, or gets another type, is an error.
 */
CREATE FUNCTION segment_internal.attribute_define(portfolio text, shape segment_internal.source_shape) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $attribute_define$
DECLARE
	d record;
BEGIN
	FOR d IN SELECT * FROM segment_internal.attribute_differences(portfolio, shape) AS f ORDER BY f.ordinal LOOP
		IF d.old_type IS NOT NULL THEN
			EXECUTE format('ALTER TYPE %I.customer_attributes DROP ATTRIBUTE %I', portfolio, d.name);
			EXECUTE format('ALTER TABLE %I.kept_customer DROP COLUMN %I', portfolio, d.name);
		END IF;
		IF d.new_type IS NOT NULL THEN
			EXECUTE format('ALTER TYPE %I.customer_attributes ADD ATTRIBUTE %I %s', portfolio, d.name, d.new_type);
		END IF;
	END LOOP;
END
$attribute_define$;
COMMENT ON FUNCTION segment_internal.attribute_define(text, segment_internal.source_shape) IS
'gives the attributes of a portfolio the names and types of the columns of its source customers; error 2BP01 if others depend on a column that goes (internal)';

/* The source customers of a definition; NULL if there is none. */
CREATE FUNCTION segment_internal.attribute_source(definition jsonb) RETURNS segment_internal.source_shape
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
RETURN CASE WHEN definition ->> 'customers' IS NOT NULL
	THEN segment_internal.check_source('customers', definition ->> 'customers', definition ->> 'search_path') END;
COMMENT ON FUNCTION segment_internal.attribute_source(jsonb) IS
'what the source customers of a definition is like; NULL if there is none (internal)';

/*
 * Attributes as the source of a definition now has them.  New ones are columns
 * behind the others, which views can be given; for others, views and functions
 * are made anew.
 */
CREATE FUNCTION segment_internal.attribute_change(portfolio text, definition jsonb, security_invoker boolean) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $attribute_change$
DECLARE
	shape segment_internal.source_shape := segment_internal.attribute_source(definition);
	gone text[] := ARRAY(SELECT d.name FROM segment_internal.attribute_differences(portfolio, shape) AS d WHERE d.old_type IS NOT NULL);
	grants text[];
BEGIN
	PERFORM segment_internal.attribute_check_names(portfolio, (shape).names[2:]);
	IF gone = '{}' THEN
		PERFORM segment_internal.attribute_define(portfolio, shape);
		PERFORM segment_internal.scheme_check_contact(portfolio, definition -> 'settings');
		PERFORM segment_internal.kept_define_rules(portfolio, security_invoker);
	ELSE
		grants := segment_internal.portfolio_take_views(portfolio, gone);
		PERFORM segment_internal.attribute_define(portfolio, shape);
		PERFORM segment_internal.scheme_check_contact(portfolio, definition -> 'settings');
		PERFORM segment_internal.portfolio_put_views(portfolio, security_invoker, grants);
	END IF;
END
$attribute_change$;
COMMENT ON FUNCTION segment_internal.attribute_change(text, jsonb, boolean) IS
'gives the view customer the columns of the source customers of a definition, and rules and cuts their effect (internal)';
