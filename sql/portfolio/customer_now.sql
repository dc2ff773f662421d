/*
 * customer_now: the view customer, up to the last commit
 *
 * A customer's row is a function of the own histories, so it is current if they
 * are.  Notes and logs tell whose may have changed since the last refresh: their
 * histories are brought up to date as a refresh would do it, in the reader's
 * snapshot, and the row is computed from them by the scorecard in force; all
 * others are shown as they are kept.
 */

CREATE FUNCTION segment_internal.customer_now_create_tables(portfolio text) RETURNS void
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN NULL;
COMMENT ON FUNCTION segment_internal.customer_now_create_tables(text) IS
'the concept customer_now has no tables (internal)';

/* Of a FROM item, the columns of table customer_history, of its types: a key may be of a domain. */
CREATE FUNCTION segment_internal.customer_now_columns(portfolio text, item text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN (SELECT string_agg(format('%I.%I::%s', item, a.attname, segment_internal.qualified_type(a.atttypid)), ', ' ORDER BY a.attnum)
	FROM pg_attribute AS a
	WHERE a.attrelid = format('%I.customer_history', portfolio)::regclass AND a.attnum > 0 AND NOT a.attisdropped);
COMMENT ON FUNCTION segment_internal.customer_now_columns(text, text) IS
'the columns of table customer_history, taken from a FROM item (internal)';

/* Runs a query that reads sources, with keys as $1. */
CREATE FUNCTION segment_internal.customer_now_run(query text, query_path text, keys anycompatiblearray, report anyelement) RETURNS SETOF anyelement
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED ROWS 100
SET search_path = pg_catalog, pg_temp
AS $customer_now_run$
BEGIN
	PERFORM set_config('search_path', query_path, true);
	RETURN QUERY EXECUTE query USING keys;
	PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
END
$customer_now_run$;
COMMENT ON FUNCTION segment_internal.customer_now_run(text, text, anycompatiblearray, anyelement) IS
'the rows of a query, of the type of the last argument, with a search path and an array of keys as $1 (internal)';

/* The histories as the sources give them, of everybody or of the customers in $1, as rows of customer_history. */
CREATE FUNCTION segment_internal.customer_now_read_query(portfolio text, definition jsonb, all_customers boolean) RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $customer_now_read_query$
BEGIN
	RETURN format('SELECT %s FROM (%s) AS r WHERE r.customer_id IS DISTINCT FROM NULL%s',
		segment_internal.customer_now_columns(portfolio, 'r'),
		segment_internal.refresh_read_query(portfolio, definition, NOT all_customers),
		CASE WHEN NOT all_customers THEN ' AND pg_catalog.cardinality($1) OPERATOR(pg_catalog.>) 0' END);
END
$customer_now_read_query$;
COMMENT ON FUNCTION segment_internal.customer_now_read_query(text, jsonb, boolean) IS
'the query of the histories in the sources, as rows of table customer_history, of everybody or of the customers whose keys are the parameter $1 as an array (internal)';

/*
 * The histories of the customers in notes and logs.  Those in logs alone: the stored
 * one after the changes, or as it is, if the source does not let them through.  All
 * others are read from the sources.
 */
CREATE FUNCTION segment_internal.customer_now_query(portfolio text, definition jsonb, sources segment_internal.fold_source[]) RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $customer_now_query$
DECLARE
	key record := segment_internal.portfolio_key(portfolio);
	history regclass := format('%I.customer_history', portfolio);
	series text := (SELECT string_agg(format('f.%I', c.name), ', ' ORDER BY c.ordinal) FROM segment_internal.history_columns(portfolio) AS c);
BEGIN
	RETURN format($query$
		WITH noted AS MATERIALIZED (
			SELECT n.customer_id FROM %1$I.changed_customer AS n WHERE n.customer_id IS DISTINCT FROM NULL%2$s
		)%3$s
		SELECT r.* FROM segment_internal.customer_now_run(%4$L, %5$L,
			ARRAY(SELECT n.customer_id FROM noted AS n%6$s), NULL::%7$s) AS r$query$, portfolio,
		-- without sources that are linear all in logs are read
		CASE WHEN sources = '{}' THEN ' UNION ' || segment_internal.log_keys(portfolio) END,
		CASE WHEN sources <> '{}' THEN format($items$, logged AS MATERIALIZED (
			%s
		), change AS MATERIALIZED (
			%s
		), fold AS MATERIALIZED (
			%s
		)
		SELECT %s FROM fold AS f WHERE f.obstacle IS NULL AND (f.listed OR pg_catalog.num_nonnulls(%s) OPERATOR(pg_catalog.>) 0)
		UNION ALL
		SELECT %s FROM %I.customer_history AS h
		WHERE EXISTS (SELECT FROM logged AS l WHERE l.customer_id %8$s h.customer_id)
			AND NOT EXISTS (SELECT FROM fold AS f WHERE f.customer_id %8$s h.customer_id)
			AND NOT EXISTS (SELECT FROM noted AS n WHERE n.customer_id %8$s h.customer_id)
		UNION ALL$items$, segment_internal.log_keys(portfolio),
			segment_internal.fold_change_query(portfolio, sources, definition ->> 'timezone'),
			segment_internal.fold_query(portfolio, sources, 'change', 'noted'),
			segment_internal.customer_now_columns(portfolio, 'f'), series,
			segment_internal.customer_now_columns(portfolio, 'h'), portfolio, key.equality) END,
		segment_internal.customer_now_read_query(portfolio, definition, false), definition ->> 'search_path',
		CASE WHEN sources <> '{}' THEN ' UNION ALL SELECT f.customer_id FROM fold AS f WHERE f.obstacle IS NOT NULL' END,
		history);
END
$customer_now_query$;
COMMENT ON FUNCTION segment_internal.customer_now_query(text, jsonb, segment_internal.fold_source[]) IS
'the query of the histories of the customers in notes and logs, as they are now, as rows of table customer_history: from the logs, where sources are linear and that can be, else from the sources (internal)';

/* In the snapshot of the query that calls: see portfolio_run. */
CREATE FUNCTION segment_internal.customer_now_histories(name text, arguments jsonb, report anyelement) RETURNS SETOF anyelement
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED ROWS 100
-- compiling expressions takes longer than it saves
SET search_path = pg_catalog, pg_temp SET jit = off
AS $customer_now_histories$
DECLARE
	definition jsonb;
	everybody boolean;
	sources segment_internal.fold_source[];
BEGIN
	EXECUTE format('SELECT to_jsonb(p) FROM %I.portfolio AS p', name) INTO STRICT definition;
	EXECUTE format('SELECT coalesce(bool_or(p.everybody), false) FROM %I.pending_customer AS p', name) INTO everybody;
	-- keys that are arrays cannot be the elements of one
	IF everybody OR (segment_internal.portfolio_key(name)).base_type LIKE '%[]' THEN
		RETURN QUERY SELECT r.* FROM segment_internal.customer_now_run(segment_internal.customer_now_read_query(name, definition, true),
			definition ->> 'search_path', '{}'::text[], report) AS r;
		RETURN;
	END IF;
	BEGIN
		sources := segment_internal.fold_sources(name, definition);
		IF sources <> '{}' THEN
			RETURN QUERY SELECT r.* FROM segment_internal.customer_now_run(segment_internal.customer_now_query(name, definition, sources),
				definition ->> 'search_path', '{}'::text[], report) AS r;
			RETURN;
		END IF;
	EXCEPTION WHEN OTHERS THEN
		-- a row of a log may be one that the query fails for, and that was changed again since
		IF segment_internal.is_beyond_query(SQLSTATE) THEN
			RAISE;
		END IF;
	END;
	RETURN QUERY SELECT r.* FROM segment_internal.customer_now_run(segment_internal.customer_now_query(name, definition, '{}'),
		definition ->> 'search_path', '{}'::text[], report) AS r;
END
$customer_now_histories$;
COMMENT ON FUNCTION segment_internal.customer_now_histories(text, jsonb, anyelement) IS
'the histories, as they are now, of the customers whom notes and logs tell of, of everybody where these do not tell whom, as rows of the type of the last argument, which is that of table customer_history (internal)';

CREATE FUNCTION segment_internal.customer_now_create_views(portfolio text, security_invoker boolean) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $customer_now_create_views$
DECLARE
	columns text := (SELECT string_agg(format('c.%I', k.name), ', ' ORDER BY k.ordinal)
		FROM segment_internal.kept_columns(portfolio) AS k WHERE k.is_shown AND k.name <> 'customer_id');
	equality text := (segment_internal.portfolio_key(portfolio)).equality;
BEGIN
	PERFORM segment_internal.log_define_pending(portfolio, security_invoker);
	EXECUTE format($template$
		CREATE OR REPLACE VIEW %1$I.customer_now WITH (security_invoker = %2$s) AS
		SELECT c.customer_id, %3$s
		FROM %1$I.kept_customer AS c
		WHERE NOT EXISTS (SELECT FROM %1$I.pending_customer AS p WHERE p.customer_id %4$s c.customer_id)
			AND NOT EXISTS (SELECT FROM %1$I.pending_customer AS p%8$s)
		UNION ALL
		SELECT h.customer_id, %3$s
		FROM (
			SELECT t.scorecard_id, t.as_of_given, (now() AT TIME ZONE p.timezone)::date AS today, n.nspname::text AS name
			FROM %1$I.portfolio AS p
			JOIN %1$I.scorecard AS t ON t.scorecard_id = p.scorecard_id
			JOIN pg_class AS r ON r.oid = %5$L::regclass
			JOIN pg_namespace AS n ON n.oid = r.relnamespace
			-- nothing is called where nothing has changed
			WHERE EXISTS (SELECT FROM %1$I.pending_customer)
			OFFSET NULL
		) AS n
		JOIN %1$I.scorecard_figures AS s ON s.scorecard_id = n.scorecard_id%6$s%7$s$template$,
		portfolio, security_invoker, columns, equality, format('%I.customer_history', portfolio),
		segment_internal.customer_figures_items(portfolio,
			'CASE WHEN n.as_of_given THEN s.scorecard_as_of ELSE segment_internal.judged_day(h.purchases, s.scorecard_as_of, n.today) END', false,
			format('LATERAL segment_internal.portfolio_run(n.name, ''now'', ''{}'', NULL::%I.customer_history)', portfolio)),
		segment_internal.customer_row_items(portfolio, 's.scorecard_as_of', 'f.*', false),
		-- customers with such keys are all read, see customer_now_histories
		CASE WHEN (segment_internal.portfolio_key(portfolio)).base_type NOT LIKE '%[]' THEN ' WHERE p.everybody' END);
	EXECUTE format('CREATE OR REPLACE VIEW %I.customer_action_now WITH (security_invoker = %s) AS %s', portfolio, security_invoker,
		segment_internal.scheme_action_query(portfolio, 'customer_now'));
END
$customer_now_create_views$;
COMMENT ON FUNCTION segment_internal.customer_now_create_views(text, boolean) IS
'creates or replaces the views pending_customer, customer_now and customer_action_now (internal)';

CREATE FUNCTION segment_internal.customer_now_comments() RETURNS TABLE (relation text, col text, meaning text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 20
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
SELECT v.* FROM (VALUES
	('pending_customer', NULL, 'customers with changes in watched tables since the last refresh, as far as the reader''s snapshot sees them; repeats are normal'),
	('pending_customer', 'customer_id', 'key of the customer; NULL: rows without a customer, or everybody'),
	('pending_customer', 'everybody', 'whether more changed than single customers'),
	('customer_now', NULL, 'the view customer with all changes of watched tables that the reader''s snapshot sees, own ones too: by the scorecard in force, as of its day, or of the customer''s newest order where that is later and the day was not given'),
	('customer_now', 'customer_id', 'key of the customer, of the type in the source')
) AS v(relation, col, meaning)
UNION ALL
SELECT 'customer_action_now', s.col, s.meaning || CASE WHEN s.col IS NULL THEN ', of the view customer_now' ELSE '' END
FROM segment_internal.scheme_comments() AS s WHERE s.relation = 'customer_action';
END;
COMMENT ON FUNCTION segment_internal.customer_now_comments() IS
'the comments on the views of the concept customer_now';
