/*
 * key: how customers' keys are read and compared, everywhere in a portfolio
 */

CREATE FUNCTION segment_internal.equality_operator(type oid) RETURNS text
LANGUAGE C STABLE STRICT PARALLEL SAFE COST 100
AS 'MODULE_PATHNAME', 'segment_equality_operator';
COMMENT ON FUNCTION segment_internal.equality_operator(oid) IS
'the operator that GROUP BY and primary keys compare a type with, as OPERATOR(schema.name): "=" means another one where the search path hides it (citext = would be text =); errors: 42704 if there is no such type, 42883 if it has none';

CREATE FUNCTION segment_internal.qualified_type(type oid) RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN (SELECT format('%I.%I', n.nspname, t.typname)
	FROM pg_type AS t JOIN pg_namespace AS n ON n.oid = t.typnamespace
	WHERE t.oid = type);
COMMENT ON FUNCTION segment_internal.qualified_type(oid) IS
'a type as it is to be named where any search path may be in force (internal)';

/*
 * How keys are read and compared.  As the base type: a domain may forbid NULL,
 * which rows without a customer have.  With the key's collation, where that
 * decides which keys are equal.  A key that is a row may have fields that are
 * NULL, and is there all the same: therefore IS DISTINCT FROM NULL.
 */
CREATE FUNCTION segment_internal.portfolio_key(
	portfolio text, OUT base_type text, OUT key_cast text, OUT key_collation text, OUT equality text
)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
SELECT format_type(a.atttypid, -1), segment_internal.qualified_type(a.atttypid),
	coalesce((SELECT format(' COLLATE %I.%I', n.nspname, c.collname)
		FROM pg_collation AS c JOIN pg_namespace AS n ON n.oid = c.collnamespace
		WHERE c.oid = a.attcollation AND NOT c.collisdeterministic), ''),
	segment_internal.equality_operator(a.atttypid)
FROM pg_attribute AS a
WHERE a.attrelid = format('%I.defect', portfolio)::regclass AND a.attname = 'customer_id';
END;
COMMENT ON FUNCTION segment_internal.portfolio_key(text) IS
'the base type of a portfolio''s keys, qualified for a cast, the COLLATE clause that comparisons need, and their equality operator (internal)';

/* ---------- keys that look like others ---------- */

CREATE FUNCTION segment_internal.key_is_string(portfolio text) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN (SELECT t.typcategory = 'S' FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid
	WHERE a.attrelid = format('%I.defect', portfolio)::regclass AND a.attname = 'customer_id');
COMMENT ON FUNCTION segment_internal.key_is_string(text) IS
'whether a portfolio''s keys are of a type of strings, which can differ in case and blanks (internal)';

/* The collation is given, since that of a key may know no regular expressions. */
CREATE FUNCTION segment_internal.plain_key(key text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 10
SET search_path = pg_catalog, pg_temp
RETURN lower(regexp_replace(key COLLATE "default", '\s+', '', 'g'));
COMMENT ON FUNCTION segment_internal.plain_key(text) IS
'a key in lower case and without blanks: equal for keys that differ in nothing else (internal)';

/* ---------- the keys in table refresh_key ---------- */

/*
 * Their rows in a table of the portfolio.  The keys are a parameter, whose value
 * the planner knows; but keys that are arrays themselves cannot be the elements
 * of one.
 */
CREATE FUNCTION segment_internal.key_condition(portfolio text, col text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN (SELECT format('%s %s %s', col, k.equality, CASE WHEN k.base_type LIKE '%[]'
		THEN format('ANY (SELECT k.customer_id FROM %I.refresh_key AS k WHERE k.customer_id IS NOT NULL)', portfolio)
		ELSE format('ANY ($1%s)', k.key_collation) END)
	FROM segment_internal.portfolio_key(portfolio) AS k);
COMMENT ON FUNCTION segment_internal.key_condition(text, text) IS
'the condition that a column of keys is in table refresh_key, whose keys are the parameter $1 as an array (internal)';

/*
 * Runs a query that reads sources: names in it are looked up along the owner's
 * path, and $1 are the keys.
 */
CREATE FUNCTION segment_internal.refresh_execute(query text, query_path text, keys anyarray) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $refresh_execute$
BEGIN
	PERFORM set_config('search_path', query_path, true);
	EXECUTE query USING keys;
	PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
END
$refresh_execute$;
COMMENT ON FUNCTION segment_internal.refresh_execute(text, text, anyarray) IS
'runs a query with a search path and an array of keys as $1 (internal)';

/* The keys in table refresh_key, or those of them that are to be read, as an array expression. */
CREATE FUNCTION segment_internal.refresh_keys(portfolio text, to_read boolean) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN CASE WHEN (segment_internal.portfolio_key(portfolio)).base_type NOT LIKE '%[]'
	THEN format('ARRAY(SELECT k.customer_id FROM %I.refresh_key AS k WHERE k.customer_id IS DISTINCT FROM NULL%s)', portfolio,
		CASE WHEN to_read THEN ' AND NOT k.folded' END)
	ELSE $$'{}'::text[]$$ END;
COMMENT ON FUNCTION segment_internal.refresh_keys(text, boolean) IS
'the array expression of the keys in table refresh_key, all or those that are to be read; an empty one for keys that are arrays (internal)';

CREATE FUNCTION segment_internal.refresh_run(
	portfolio text, query text, query_path text, changes_only boolean, to_read boolean DEFAULT false
) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $refresh_run$
BEGIN
	EXECUTE format('SELECT segment_internal.refresh_execute($1, $2, %s)',
		CASE WHEN changes_only THEN segment_internal.refresh_keys(portfolio, to_read) ELSE $$'{}'::text[]$$ END)
	USING query, query_path;
END
$refresh_run$;
COMMENT ON FUNCTION segment_internal.refresh_run(text, text, text, boolean, boolean) IS
'runs a query over all customers, or those in table refresh_key, or those in it that are to be read (internal)';

/*
 * A key on its way into a portfolio, where it is read under the portfolio's
 * settings: so it must not be written as the caller's session writes it.
 */
CREATE FUNCTION segment_internal.key_text(key anynonarray) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp SET bytea_output = hex SET "DateStyle" = 'ISO' SET extra_float_digits = 1
SET "IntervalStyle" = postgres
AS $key_text$ SELECT key::text $key_text$;
COMMENT ON FUNCTION segment_internal.key_text(anynonarray) IS
'a customer''s key as text that means the same in every session (internal)';
