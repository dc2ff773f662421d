/*
 * expression: what cuts and rules name, which come as text
 */

CREATE FUNCTION segment_internal.query_mentions(query text) RETURNS text[]
LANGUAGE C STABLE STRICT PARALLEL RESTRICTED COST 1000
AS 'MODULE_PATHNAME', 'segment_query_mentions';
COMMENT ON FUNCTION segment_internal.query_mentions(text) IS
'the columns of the relations in its FROM clause that a query names, in any place, some perhaps several times; NULL if it names whole rows; the query is analyzed, not run; errors: those of the parser (internal)';

CREATE FUNCTION segment_internal.condition_nulls(query text) RETURNS text[]
LANGUAGE C STABLE STRICT PARALLEL RESTRICTED COST 1000
AS 'MODULE_PATHNAME', 'segment_condition_nulls';
COMMENT ON FUNCTION segment_internal.condition_nulls(text) IS
'the columns that must be NULL for the condition to be true that a query selects: those of a IS NULL, or of a IS NULL AND anything; the query is analyzed, not run; errors: those of the parser (internal)';
