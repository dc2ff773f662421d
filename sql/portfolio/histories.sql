CREATE FUNCTION segment.histories(query text, timezone text DEFAULT NULL) RETURNS SETOF record
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 100000
AS 'MODULE_PATHNAME', 'segment_history_query';

COMMENT ON FUNCTION segment.histories(text, text) IS
'the histories of all customers in a query: SELECT customer, at, amount [, second amount]; the same as history_agg under GROUP BY, but several times faster for many rows, in memory up to work_mem and then in temporary files. Needs a column definition list: AS h(customer_id bigint, history segment.history). at: date, timestamp, or timestamptz with timezone naming the zone of the days; amounts are numeric; the customer is of any hashable type. Errors: 22023 not one SELECT, wrong number of columns or unknown time zone, 22004 no time zone, 42804 wrong types, and those of history_agg';

CREATE FUNCTION segment_internal.checked_histories(source text, query text, timezone text, parameter anyarray) RETURNS SETOF record
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 100000
AS 'MODULE_PATHNAME', 'segment_checked_history_query';
COMMENT ON FUNCTION segment_internal.checked_histories(text, text, text, anyarray) IS
'as histories, of a source whose query may have a parameter $1, with two more columns, counts bigint[] and money numeric[], that tell of doubtful rows: without customer, without date, without amount, without margin, with amount 0, repeating another; NULL for customers who have none, and a row of its own, with the customer NULL, for rows without a customer (internal)';

CREATE FUNCTION segment_internal.changed_histories(
	source text, query text, timezone text, tables oid[], logs oid[], sign integer
) RETURNS SETOF record
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100000 ROWS 5000
AS 'MODULE_PATHNAME', 'segment_changed_history_query';
COMMENT ON FUNCTION segment_internal.changed_histories(text, text, text, oid[], oid[], integer) IS
'as checked_histories, of a linear source (source_linear), over the rows with one sign of the logs of its tables in the place of the tables: what has come (1) or is gone (-1) (internal)';
