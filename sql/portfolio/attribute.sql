/*
 * attribute: what the source customers tells of a customer, as columns
 *
 * The columns of the source customers after the key are stored as one object per
 * customer, in customer_history.  What they are called, and their types, is the
 * composite type customer_attributes of the portfolio: the view customer has
 * its fields as columns, and rules and cuts may name them.  It changes with
 * alter_portfolio alone, so that a refresh never takes a view away from anybody.
 */

CREATE FUNCTION segment_internal.attribute_columns(portfolio text) RETURNS TABLE (name text, type text, ordinal integer)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 10
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
SELECT a.attname, segment_internal.column_type(a.atttypid, a.atttypmod, a.attcollation), a.attnum
FROM pg_attribute AS a
WHERE a.attrelid = to_regclass(format('%I.customer_attributes', portfolio)) AND a.attnum > 0 AND NOT a.attisdropped;
END;
COMMENT ON FUNCTION segment_internal.attribute_columns(text) IS
'the attributes of a portfolio''s customers: names and types of the columns that they are (internal)';

/* The attributes of the FROM item h, as the FROM item a and as the argument of customer_row that is made of it. */
CREATE FUNCTION segment_internal.attribute_item(portfolio text, from_kept boolean, OUT item text, OUT value text)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
SELECT CASE WHEN count(*) > 0 AND NOT from_kept THEN format($template$
		CROSS JOIN LATERAL jsonb_populate_record(NULL::%I.customer_attributes, h.attributes) AS a$template$, portfolio) ELSE '' END,
	CASE WHEN count(*) = 0 THEN 'NULL' WHEN from_kept
		THEN format('ROW(%s)::%I.customer_attributes', string_agg(format('h.%I', c.name), ', ' ORDER BY c.ordinal), portfolio)
		ELSE 'a.*' END
FROM segment_internal.attribute_columns(portfolio) AS c;
END;
COMMENT ON FUNCTION segment_internal.attribute_item(text, boolean) IS
'the FROM item that takes attributes out of customer_history, empty where there are none or they are kept, and the value of type customer_attributes (internal)';

/* How the columns of a source customers (NULL: none) differ from the attributes that there are. */
CREATE FUNCTION segment_internal.attribute_differences(portfolio text, shape segment_internal.source_shape)
RETURNS TABLE (name text, old_type text, new_type text, ordinal bigint)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 5
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
SELECT coalesce(o.name, n.name), o.type, n.type, n.ordinal
FROM segment_internal.attribute_columns(portfolio) AS o
FULL JOIN unnest((shape).names[2:], (shape).types[2:]) WITH ORDINALITY AS n(name, type, ordinal) ON n.name = o.name
WHERE o.type IS DISTINCT FROM n.type;
END;
COMMENT ON FUNCTION segment_internal.attribute_differences(text, segment_internal.source_shape) IS
'the attributes in which a source customers differs from the columns of the view customer: type there (NULL: none) and in the source (NULL: none) (internal)';

/*
 * The tables that the source reads may have changed.  A refresh goes on with the
 * columns that there are; it cannot where their types no longer fit.
 */
CREATE FUNCTION segment_internal.attribute_compare(portfolio text, shape segment_internal.source_shape) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $attribute_compare$
DECLARE
	d record;
BEGIN
	FOR d IN SELECT * FROM segment_internal.attribute_differences(portfolio, shape) AS f
		ORDER BY f.old_type IS NULL OR f.new_type IS NULL, f.name LOOP
		IF d.old_type IS NOT NULL AND d.new_type IS NOT NULL THEN
			RAISE EXCEPTION USING ERRCODE = 'datatype_mismatch',
				MESSAGE = format('attribute "%s" of source "customers" is of type %s, in portfolio "%s" of type %s',
					d.name, d.new_type, portfolio, d.old_type),
				HINT = 'segment.alter_portfolio brings the columns of the view customer to those of the source.';
		END IF;
		RAISE NOTICE USING MESSAGE = format(CASE WHEN d.new_type IS NULL
				THEN 'source "customers" of portfolio "%s" has no column "%s" any more, so it is NULL in the view customer'
				ELSE 'source "customers" of portfolio "%s" has a column "%s" that the view customer has not' END, portfolio, d.name),
			HINT = 'segment.alter_portfolio brings the columns of the view customer to those of the source.';
	END LOOP;
END
$attribute_compare$;
COMMENT ON FUNCTION segment_internal.attribute_compare(text, segment_internal.source_shape) IS
'a NOTICE for each column by which the source customers differs from the attributes that there are; error 42804 where one is of another type (internal)';
