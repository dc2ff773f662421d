/*
 * refresh_read: the query that reads the sources of a portfolio
 *
 * All of them, or only the customers in table refresh_key, whose keys are its
 * parameter: into rows as of table customer_history, with the counts of doubtful
 * rows beside them.
 */

/* What is stored of a customer besides the key, as a row of an alias, to be compared with another. */
CREATE FUNCTION segment_internal.history_row(alias text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN format('ROW(%1$I.purchases, %1$I.margins, %1$I.costs, %1$I.complaints, %1$I.satisfaction, %1$I.listed, %1$I.attributes)::record', alias);
COMMENT ON FUNCTION segment_internal.history_row(text) IS
'the expression for all columns of table customer_history but the key, of a FROM item (internal)';

/*
 * A source of histories: where several rows tell of a customer they are merged.
 * The query of the source stays as it is, so that a GROUP BY in it can run
 * where the rows are.
 */
CREATE FUNCTION segment_internal.refresh_histories_query(
	source text, shape segment_internal.source_shape, key_type text, condition text
) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN format($template$(
	SELECT e.customer_id::%1$s AS customer_id, segment.rollup(e.history::segment.history) AS %2$I%3$s
	FROM %4$s
	WHERE e.customer_id IS DISTINCT FROM NULL%5$s
	GROUP BY 1) AS %2$I$template$,
	key_type, source,
	CASE WHEN (shape).margin IS NOT NULL THEN ', segment.rollup(e.margin::segment.history) AS margins' END,
	segment_internal.source_events(shape), ' AND ' || condition);
COMMENT ON FUNCTION segment_internal.refresh_histories_query(text, segment_internal.source_shape, text, text) IS
'the FROM item that reads a source of histories, where a condition holds (NULL: all) (internal)';

/* The rows of a source of events, in the columns that checked_histories takes. */
CREATE FUNCTION segment_internal.refresh_event_rows(shape segment_internal.source_shape, key_type text, condition text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN format($template$
		SELECT e.customer_id::%1$s, e.at, %2$s%3$s
		FROM %4$s%5$s$template$,
	key_type, (shape).amount,
	-- a row without an amount counts nowhere
	CASE WHEN (shape).margin IS NOT NULL
		THEN format(', CASE WHEN e.amount IS NOT NULL THEN %s END', (shape).margin) END,
	segment_internal.source_events(shape), E'\n\t\tWHERE ' || condition);
COMMENT ON FUNCTION segment_internal.refresh_event_rows(segment_internal.source_shape, text, text) IS
'the query of the rows of a source of events, where a condition holds (NULL: all) (internal)';

/*
 * A source of events as histories, one row per customer; and in two more columns
 * what is doubtful about the rows, see segment_internal.checked_histories.  Rows without
 * a customer come with those of any customers: it is not known which have changed.
 */
CREATE FUNCTION segment_internal.refresh_events_query(
	source text, shape segment_internal.source_shape, key_type text, definition jsonb, condition text
) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN CASE WHEN (shape).histories THEN segment_internal.refresh_histories_query(source, shape, key_type, condition)
ELSE format($from_item$segment_internal.checked_histories(%3$L, %1$L, %2$L, $1)
		AS %3$I (customer_id %4$s, %3$I segment.history%5$s, %6$I pg_catalog.int8[], %7$I pg_catalog.numeric[])$from_item$,
	segment_internal.refresh_event_rows(shape, key_type, condition || ' OR e.customer_id IS NOT DISTINCT FROM NULL'),
	definition ->> 'timezone', source, key_type,
	CASE WHEN (shape).margin IS NOT NULL THEN ', margins segment.history' END,
	source || '_counts', source || '_money') END;
COMMENT ON FUNCTION segment_internal.refresh_events_query(text, segment_internal.source_shape, text, jsonb, text) IS
'the FROM item that reads a source of events into histories and counts of doubtful rows, where a condition holds (NULL: all) (internal)';

/*
 * The source customers: one row per customer, attributes as JSON.  a.* and not
 * a, which would be an attribute of this name.
 */
CREATE FUNCTION segment_internal.refresh_customers_query(shape segment_internal.source_shape, key_type text, condition text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN format($template$(
	SELECT DISTINCT ON (1) a.segment_customer::%1$s AS customer_id, true AS listed,
		pg_catalog.to_jsonb(a.*) OPERATOR(pg_catalog.-) 'segment_customer'::pg_catalog.text AS attributes
	FROM (%2$s
	) AS a (segment_customer)
	WHERE a.segment_customer IS DISTINCT FROM NULL%3$s
	ORDER BY 1, (pg_catalog.to_jsonb(a.*) OPERATOR(pg_catalog.-) 'segment_customer'::pg_catalog.text)::pg_catalog.text COLLATE pg_catalog."C") AS customers$template$,
	key_type, (shape).statement, ' AND ' || condition);
COMMENT ON FUNCTION segment_internal.refresh_customers_query(segment_internal.source_shape, text, text) IS
'the FROM item that reads the source customers, where a condition holds (NULL: all) (internal)';

/*
 * The condition that only changed customers are read.  Their keys are a
 * parameter, whose value the planner knows: so it takes the condition into the
 * source's query and to an index of its tables, or, where there is none, looks
 * the customer of every row up in a hash table.  The column stays as it is,
 * without a cast, or no index would be found.  Keys that are arrays themselves
 * cannot be the elements of one.
 */
CREATE FUNCTION segment_internal.refresh_key_condition(portfolio text, shape segment_internal.source_shape, col text) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $refresh_key_condition$
DECLARE
	key record := segment_internal.portfolio_key(portfolio);
	source_type oid := shape.key_base_type::regtype;
	key_type oid := key.base_type::regtype;
	conversion text := segment_internal.key_conversion(source_type, key_type);
BEGIN
	RETURN format('%s %s %s',
		CASE WHEN conversion IN ('none', 'integer') THEN col ELSE format('%s::%s', col, key.key_cast) END,
		key.equality,
		CASE WHEN key.base_type LIKE '%[]'
			THEN format('ANY (SELECT k.customer_id FROM %I.refresh_key AS k WHERE NOT k.folded AND k.customer_id IS NOT NULL)', portfolio)
			-- integers of two widths cannot be looked up in a hash table
			WHEN conversion = 'integer' AND (SELECT s.typlen > k.typlen FROM pg_type AS s, pg_type AS k
				WHERE s.oid = source_type AND k.oid = key_type)
			THEN format('ANY ($1::%s[])', shape.key_base_type)
			ELSE format('ANY ($1%s)', key.key_collation) END);
END
$refresh_key_condition$;
COMMENT ON FUNCTION segment_internal.refresh_key_condition(text, segment_internal.source_shape, text) IS
'the condition on a column of a source that its customer is in table refresh_key and to be read, the keys being the parameter $1 as an array (internal)';

/* The series of customer_history. */
CREATE FUNCTION segment_internal.history_columns(portfolio text) RETURNS TABLE (name name, ordinal smallint)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 5
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
SELECT a.attname, a.attnum
FROM pg_attribute AS a
WHERE a.attrelid = format('%I.customer_history', portfolio)::regclass AND a.atttypid = 'segment.history'::regtype AND NOT a.attisdropped;
END;
COMMENT ON FUNCTION segment_internal.history_columns(text) IS
'the columns of table customer_history that are histories: each source of events, and the margins of the purchases (internal)';

/*
 * All sources together: one row per customer, as in table customer_history, with
 * the counts of doubtful rows; and rows without a customer for those that have none.
 */
CREATE FUNCTION segment_internal.refresh_read_query(portfolio text, definition jsonb, changes_only boolean) RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $refresh_read_query$
DECLARE
	s record;
	shape segment_internal.source_shape;
	from_items text;
	keys text;
	doubts text;
	own_margin boolean := false;
	key record := segment_internal.portfolio_key(portfolio);
	key_type text := key.key_cast || key.key_collation;
BEGIN
	FOR s IN SELECT * FROM segment_internal.portfolio_sources(definition) AS p WHERE p.form <> 'events' LOOP
		-- the tables may have changed since the portfolio was created
		shape := segment_internal.check_source(s.source, s.query, definition ->> 'search_path');
		own_margin := own_margin OR s.source = 'purchases' AND shape.margin IS NOT NULL;
		IF s.source = 'customers' THEN
			PERFORM segment_internal.attribute_compare(portfolio, shape);
		END IF;
		from_items := concat(from_items || E'\nFULL JOIN ', CASE s.source
			WHEN 'customers' THEN segment_internal.refresh_customers_query(shape, key_type,
				CASE WHEN changes_only THEN segment_internal.refresh_key_condition(portfolio, shape, 'a.segment_customer') END)
			ELSE segment_internal.refresh_events_query(s.source, shape, key_type, definition,
				CASE WHEN changes_only THEN segment_internal.refresh_key_condition(portfolio, shape, 'e.customer_id') END) END,
			format(' ON COALESCE(%s) %s %I.customer_id', keys, key.equality, s.source)
				-- none for the first
				|| left(keys, 0));
		keys := concat(keys || ', ', format('%I.customer_id', s.source));
		IF s.source <> 'customers' AND NOT shape.histories THEN
			doubts := concat(doubts, format(', %I, %I', s.source || '_counts', s.source || '_money'));
		END IF;
	END LOOP;
	RETURN format('SELECT COALESCE(%s) AS customer_id, purchases, %s, %s, %s, %s, %s%s
		FROM %s',
		keys,
		CASE WHEN own_margin THEN 'margins' ELSE 'NULL::segment.history AS margins' END,
		CASE WHEN definition ->> 'costs' IS NULL THEN 'NULL::segment.history AS costs' ELSE 'costs' END,
		CASE WHEN definition ->> 'complaints' IS NULL THEN 'NULL::segment.history AS complaints' ELSE 'complaints' END,
		CASE WHEN definition ->> 'satisfaction' IS NULL THEN 'NULL::segment.history AS satisfaction' ELSE 'satisfaction' END,
		CASE WHEN definition ->> 'customers' IS NULL THEN 'false AS listed, NULL::pg_catalog.jsonb AS attributes'
			ELSE 'COALESCE(listed, false) AS listed, attributes' END,
		doubts, from_items);
END
$refresh_read_query$;
COMMENT ON FUNCTION segment_internal.refresh_read_query(text, jsonb, boolean) IS
'the query that reads all sources of a portfolio, or only the customers in its table refresh_key, into rows of its table customer_history, with columns that tell of doubtful rows (internal)';
