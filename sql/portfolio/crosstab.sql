/*
 * crosstab: what two columns of the view customer have to do with each other,
 * and with value
 */

CREATE FUNCTION segment_internal.customer_column(portfolio text, col text) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $customer_column$
DECLARE
	found_type text;
BEGIN
	SELECT format_type(a.atttypid, NULL) INTO found_type
	FROM pg_attribute AS a
	WHERE a.attrelid = format('%I.customer', portfolio)::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attname = col;
	IF found_type IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_column',
			MESSAGE = format('view customer of portfolio "%s" has no column "%s"', portfolio, coalesce(col, 'NULL')),
			HINT = 'Its columns are figures, attributes from the source customers, and a class for each scheme.';
	END IF;
	RETURN found_type;
END
$customer_column$;
COMMENT ON FUNCTION segment_internal.customer_column(text, text) IS
'the type of a column of the view customer of a portfolio; error 42703 if there is none (internal)';

/* A column of numbers, or of yes and no, as an expression of its name. */
CREATE FUNCTION segment_internal.customer_number(portfolio text, col text, purpose text) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $customer_number$
DECLARE
	col_type text := segment_internal.customer_column(portfolio, col);
BEGIN
	IF col_type <> 'boolean' AND (SELECT t.typcategory FROM pg_type AS t WHERE t.oid = to_regtype(col_type)) IS DISTINCT FROM 'N' THEN
		RAISE EXCEPTION USING ERRCODE = 'datatype_mismatch',
			MESSAGE = format('column "%s" of the view customer must be a number or a boolean to be %s, not %s', col, purpose, col_type);
	END IF;
	RETURN format(CASE col_type WHEN 'boolean' THEN '%I::integer' ELSE '%I' END, col);
END
$customer_number$;
COMMENT ON FUNCTION segment_internal.customer_number(text, text, text) IS
'the expression of a column of the view customer as a number; errors: 42703 no such column, 42804 it is neither a number nor a boolean, which it must be for a purpose (a participle) (internal)';

/* Classes by their rank, numbers by size, other values as text. */
CREATE FUNCTION segment_internal.crosstab_order(portfolio text, col text, value text) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $crosstab_order$
DECLARE
	is_scheme boolean;
	is_number boolean := (SELECT t.typcategory = 'N' FROM pg_type AS t
		WHERE t.oid = to_regtype(segment_internal.customer_column(portfolio, col)));
BEGIN
	EXECUTE format('SELECT EXISTS (SELECT FROM %I.scheme AS s WHERE s.scheme = $1)', portfolio) INTO is_scheme USING col;
	RETURN CASE WHEN is_scheme
			THEN format('(SELECT k.class_rank FROM %I.scheme_class AS k WHERE k.scheme = %L AND k.class = %s)', portfolio, col, value)
		WHEN is_number THEN format('%s::numeric', value) ELSE value END;
END
$crosstab_order$;
COMMENT ON FUNCTION segment_internal.crosstab_order(text, text, text) IS
'the expression by which values (an expression of text) of a column of the view customer are ordered (internal)';

CREATE TYPE segment_internal.crosstab_cell AS (
	row_value text, column_value text, customers bigint, share float8, index float8, net numeric, net_value numeric, clv float8,
	net_value_lower numeric, net_value_median numeric, net_value_upper numeric
);
COMMENT ON TYPE segment_internal.crosstab_cell IS
'a row of crosstab (internal)';

/* All of crosstab, as the portfolio's owner: see portfolio_run. */
CREATE FUNCTION segment_internal.crosstab_cells(name text, arguments jsonb) RETURNS SETOF segment_internal.crosstab_cell
LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 50
SET search_path = pg_catalog, pg_temp
AS $crosstab_cells$
DECLARE
	row_by text := arguments ->> 'row_by';
	column_by text := arguments ->> 'column_by';
BEGIN
	PERFORM segment_internal.customer_column(name, row_by), segment_internal.customer_column(name, column_by);
	RETURN QUERY EXECUTE format($query$
		SELECT g.row_value, g.column_value, g.customers,
			(g.customers / sum(g.customers) OVER of_row)::float8,
			(100 * g.customers * sum(g.customers) OVER () / (sum(g.customers) OVER of_row * sum(g.customers) OVER of_column))::float8,
			g.net, g.net_value, g.clv, g.quartiles[1], g.quartiles[2], g.quartiles[3]
		FROM (
			SELECT c.%2$I::text COLLATE "C" AS row_value, c.%3$I::text COLLATE "C" AS column_value, count(*) AS customers,
				sum(c.net) AS net, sum(c.net_value) AS net_value, segment_internal.exact_sum(c.clv)::float8 AS clv,
				percentile_disc('{0.25,0.5,0.75}'::float8[]) WITHIN GROUP (ORDER BY c.net_value) AS quartiles
			FROM %1$I.customer AS c
			GROUP BY 1, 2
		) AS g
		WINDOW of_row AS (PARTITION BY g.row_value), of_column AS (PARTITION BY g.column_value)
		ORDER BY %4$s, g.row_value, %5$s, g.column_value$query$, name, row_by, column_by,
		segment_internal.crosstab_order(name, row_by, 'g.row_value'), segment_internal.crosstab_order(name, column_by, 'g.column_value'));
END
$crosstab_cells$;
COMMENT ON FUNCTION segment_internal.crosstab_cells(text, jsonb) IS
'crosses two columns of the view customer, with the current user''s rights; errors as for crosstab (internal)';

CREATE FUNCTION segment.crosstab(name text, row_by text, column_by text)
RETURNS TABLE (row_value text, column_value text, customers bigint, share float8, index float8, net numeric, net_value numeric, clv float8,
	net_value_lower numeric, net_value_median numeric, net_value_upper numeric)
LANGUAGE sql STABLE PARALLEL RESTRICTED ROWS 50
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
SELECT * FROM segment_internal.portfolio_run(name, 'crosstab', jsonb_build_object('row_by', row_by, 'column_by', column_by),
	NULL::segment_internal.crosstab_cell);
END;
COMMENT ON FUNCTION segment.crosstab(text, text, text) IS
'crosses two columns of the view customer of a portfolio, schemes, attributes or figures: one row per pair of values (as text; NULL: not known) that some customer has. customers: how many; share: their share of the customers of the row, 0..1; index: that share against the share of the column value among all customers, 100 is the same; net, net_value and clv: sums in units of money, clv NULL without predictions; net_value_lower, _median and _upper: the quartiles of the net value inside, each an amount that a customer has, the least that at least a quarter, half, three quarters do not exceed. Classes are ordered by rank, numbers by size. Errors: 42703 no such column, 42704 no such portfolio, 42501 neither owner nor reader';
