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
