/*
 * log: the changed rows of watched tables
 *
 * Where all sources that read a watched table are linear (source_linear), its
 * triggers append the changed rows, as far as the sources read them, to a table
 * change_N of the portfolio, each with its sign: 1, the row has come, -1, it is
 * gone.  A refresh runs the sources' queries over them instead of the table, and
 * adds the result to the histories (see refresh_fold.sql).
 *
 * The table watched_table says which log is in use.  A log is never altered: where
 * other columns are wanted there is another log.  Transactions that were open
 * meanwhile may still write to the old one.  Its rows cannot be relied on, so
 * that if there are any, the next refresh reads everything.
 */

/*
 * For each table that a source reads and that is watched by customer: the columns
 * to log, or why its rows are not logged.
 */
CREATE FUNCTION segment_internal.log_wanted(portfolio text, definition jsonb)
RETURNS TABLE (root oid, columns name[], obstacle text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 10
SET search_path = pg_catalog, pg_temp
AS $log_wanted$
DECLARE
	s record;
	d record;
	l record;
	watched oid[];
	customer_columns smallint[];
	sources oid[] := '{}';
	obstacles text[] := '{}';
	read_tables oid[] := '{}';
	read_columns smallint[] := '{}';
	key_type oid := (segment_internal.portfolio_key(portfolio)).base_type::regtype;
BEGIN
	SELECT coalesce(array_agg(w.relation), '{}'), coalesce(array_agg(w.customer_column), '{}')
	INTO watched, customer_columns
	FROM segment_internal.watch_tables(portfolio) AS w WHERE w.obstacle IS NULL;
	IF watched = '{}' THEN
		RETURN;
	END IF;
	FOR s IN SELECT * FROM segment_internal.portfolio_sources(definition) LOOP
		PERFORM pg_catalog.set_config('search_path', definition ->> 'search_path', true);
		d := segment_internal.source_dependence(s.source, s.query, watched, customer_columns);
		l := segment_internal.source_linear(s.source, s.query, watched, customer_columns);
		PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
		sources := sources || d.tables;
		obstacles := obstacles || array_fill('source "' || s.source || '": '
			|| coalesce(d.obstacle, CASE WHEN s.form = 'attributes' THEN 'attributes are read, not added'
				WHEN s.form = 'events' THEN 'events with a text are read, not added'
				WHEN l.obstacle IS NULL AND (segment_internal.check_source(s.source, s.query, definition ->> 'search_path')).histories
				THEN 'histories are read, not added' END, l.obstacle),
			ARRAY[cardinality(d.tables)]);
		read_tables := read_tables || l.tables;
		read_columns := read_columns || l.columns;
	END LOOP;
	RETURN QUERY
	SELECT t.root, (SELECT array_agg(DISTINCT a.attname ORDER BY a.attname)
			FROM unnest(read_tables, read_columns) AS c(relation, col)
			JOIN pg_attribute AS a ON a.attrelid = c.relation AND a.attnum = c.col
			WHERE c.relation = t.root),
		coalesce(min(t.obstacle),
			min(CASE WHEN EXISTS (SELECT FROM unnest(sources) AS o(other), segment_internal.table_family(o.other) AS f(member)
					WHERE o.other <> t.root AND (f.member = t.root OR o.other IN (SELECT segment_internal.table_family(t.root))))
				THEN 'a table is read together with one that it inherits from' END),
			-- every value of the column is a key
			min(CASE WHEN segment_internal.key_conversion(a.atttypid, key_type) = 'integer'
					AND (SELECT c.typlen > k.typlen FROM pg_type AS c, pg_type AS k WHERE c.oid = a.atttypid AND k.oid = key_type)
				THEN 'the customer''s column has numbers that are no keys' END))
	FROM unnest(sources, obstacles) AS t(root, obstacle)
	JOIN unnest(watched, customer_columns) AS w(relation, col) ON w.relation = t.root AND w.col <> 0
	JOIN pg_attribute AS a ON a.attrelid = t.root AND a.attnum = w.col
	GROUP BY t.root;
END
$log_wanted$;
COMMENT ON FUNCTION segment_internal.log_wanted(text, jsonb) IS
'the tables that the sources of a portfolio read and that are watched by customer: columns that the sources read, and why changed rows are not logged (NULL: they are) (internal)';

/* The logs that there are, in use or not. */
CREATE FUNCTION segment_internal.log_tables(portfolio text) RETURNS TABLE (name name, log oid)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 5
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
SELECT c.relname, c.oid
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = portfolio AND c.relkind = 'r' AND c.relname ~ '^change_[0-9]+$' AND c.relowner = n.nspowner;
END;
COMMENT ON FUNCTION segment_internal.log_tables(text) IS
'the tables of a portfolio for changed rows, with their names (internal)';

/* Those in use: each with its table, and the customer of a row as a key. */
CREATE FUNCTION segment_internal.log_in_use(portfolio text) RETURNS TABLE (root oid, name name, log oid, customer text)
LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 5
SET search_path = pg_catalog, pg_temp
AS $log_in_use$
BEGIN
	RETURN QUERY EXECUTE format($query$
		SELECT DISTINCT ON (l.log) c.oid, l.name, l.log, format('l.%%I::%%s%%s', w.customer_column, k.key_cast, k.key_collation)
		FROM %I.watched_table AS w
		JOIN segment_internal.log_tables($1) AS l ON l.name = w.log
		JOIN pg_class AS c ON c.oid = to_regclass(w.relation)
		CROSS JOIN segment_internal.portfolio_key($1) AS k
		-- the parent of partitions has the others in its family
		ORDER BY l.log, (SELECT count(*) FROM segment_internal.table_family(c.oid)) DESC, c.oid$query$, portfolio) USING portfolio;
END
$log_in_use$;
COMMENT ON FUNCTION segment_internal.log_in_use(text) IS
'the logs of a portfolio that its watched tables write to, each with the table, the parent where there are partitions, and the expression of the customer''s key, of rows l (internal)';

CREATE FUNCTION segment_internal.log_create(portfolio text, root oid, columns name[]) RETURNS name
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $log_create$
DECLARE
	log name := (SELECT format('change_%s', coalesce(max(substr(l.name::text, 8)::integer), 0) + 1) FROM segment_internal.log_tables(portfolio) AS l);
	sign name := 'sign';
BEGIN
	WHILE sign = ANY (columns) LOOP
		sign := sign || '_';
	END LOOP;
	-- of the table's own types, with their collations; only ever appended to, so without an index
	EXECUTE format('CREATE TABLE %I.%I AS SELECT NULL::smallint AS %I, %s FROM %s AS t WITH NO DATA', portfolio, log, sign,
		(SELECT string_agg(format('t.%I', c.name), ', ' ORDER BY c.name) FROM unnest(columns) AS c(name)), segment_internal.table_name(root));
	-- so that a publication may have it
	EXECUTE format('ALTER TABLE %I.%I REPLICA IDENTITY FULL', portfolio, log);
	EXECUTE format('COMMENT ON TABLE %I.%I IS %L', portfolio, log,
		format('changed rows of table %s since the last refresh, as far as the sources read them', segment_internal.table_name(root)));
	EXECUTE format('COMMENT ON COLUMN %I.%I.%I IS %L', portfolio, log, sign, '1: the row has come, -1: it is gone');
	EXECUTE (SELECT string_agg(format('COMMENT ON COLUMN %I.%I.%I IS %L', portfolio, log, c.name, 'as in the table'), '; ')
		FROM unnest(columns) AS c(name));
	RETURN log;
END
$log_create$;
COMMENT ON FUNCTION segment_internal.log_create(text, oid, name[]) IS
'creates a log for the changed rows of a table, and returns its name (internal)';

/* The customers in notes and logs, whose rows may not be what is kept. */
CREATE FUNCTION segment_internal.log_define_pending(portfolio text, security_invoker boolean) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $log_define_pending$
DECLARE
	key_collation text := (SELECT format(' COLLATE %I.%I', n.nspname, c.collname)
		FROM pg_attribute AS a
		JOIN pg_collation AS c ON c.oid = a.attcollation
		JOIN pg_namespace AS n ON n.oid = c.collnamespace
		WHERE a.attrelid = format('%I.changed_customer', portfolio)::regclass AND a.attname = 'customer_id');
BEGIN
	EXECUTE format($template$
		CREATE OR REPLACE VIEW %1$I.pending_customer WITH (security_invoker = %2$s) AS
		SELECT c.customer_id, c.everybody FROM %1$I.changed_customer AS c
		UNION ALL
		SELECT NULL, true FROM %1$I.unnoted_change%3$s$template$, portfolio, security_invoker,
		(SELECT string_agg(format($part$
		UNION ALL
		SELECT (%s)%s, false FROM %I.%I AS l$part$, u.customer, key_collation, portfolio, u.name), '' ORDER BY u.name)
		FROM segment_internal.log_in_use(portfolio) AS u));
END
$log_define_pending$;
COMMENT ON FUNCTION segment_internal.log_define_pending(text, boolean) IS
'creates or replaces the view pending_customer of a portfolio (internal)';

/*
 * Logs that no table writes to any more, unless somebody still does, or they have
 * rows.  An old snapshot does not show all of them.
 */
CREATE FUNCTION segment_internal.log_drop_unused(portfolio text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $log_drop_unused$
DECLARE
	unused name;
	is_empty boolean;
BEGIN
	IF current_setting('transaction_isolation') IN ('repeatable read', 'serializable') THEN
		RETURN;
	END IF;
	FOR unused IN SELECT l.name FROM segment_internal.log_tables(portfolio) AS l
		WHERE l.log NOT IN (SELECT u.log FROM segment_internal.log_in_use(portfolio) AS u)
	LOOP
		BEGIN
			-- nobody is to wait
			EXECUTE format('LOCK TABLE %I.%I IN ACCESS EXCLUSIVE MODE NOWAIT', portfolio, unused);
			EXECUTE format('SELECT NOT EXISTS (SELECT FROM %I.%I)', portfolio, unused) INTO is_empty;
			IF is_empty THEN
				EXECUTE format('DROP TABLE %I.%I', portfolio, unused);
			END IF;
		EXCEPTION WHEN lock_not_available OR dependent_objects_still_exist THEN
			NULL;
		END;
	END LOOP;
END
$log_drop_unused$;
COMMENT ON FUNCTION segment_internal.log_drop_unused(text) IS
'drops the empty logs of a portfolio that no watched table writes to, without waiting (internal)';

/*
 * Brings the logs to what the sources and the watched tables are now.  Until this
 * is committed, changed rows go to the logs that were in use before.
 */
CREATE FUNCTION segment_internal.log_define(portfolio text, definition jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $log_define$
DECLARE
	w record;
	fitting name;
	logged oid[] := '{}';
BEGIN
	FOR w IN SELECT * FROM segment_internal.log_wanted(portfolio, definition) AS l WHERE l.obstacle IS NULL LOOP
		SELECT u.name INTO fitting FROM segment_internal.log_in_use(portfolio) AS u
		WHERE u.root = w.root AND NOT EXISTS (
			SELECT FROM unnest(w.columns) AS c(name)
			JOIN pg_attribute AS a ON a.attrelid = w.root AND a.attname = c.name
			LEFT JOIN pg_attribute AS b ON b.attrelid = u.log AND b.attname = c.name AND b.attnum > 1
			WHERE ROW(a.atttypid, a.attcollation) IS DISTINCT FROM ROW(b.atttypid, b.attcollation));
		fitting := coalesce(fitting, segment_internal.log_create(portfolio, w.root, w.columns));
		EXECUTE format('UPDATE %I.watched_table AS w SET log = $1
			WHERE w.log IS DISTINCT FROM $1 AND to_regclass(w.relation) IN (SELECT segment_internal.table_family($2))', portfolio)
		USING fitting, w.root;
		logged := logged || ARRAY(SELECT segment_internal.table_family(w.root));
	END LOOP;
	EXECUTE format('UPDATE %I.watched_table AS w SET log = NULL
		WHERE w.log IS NOT NULL AND (to_regclass(w.relation) = ANY ($1)) IS NOT TRUE', portfolio) USING logged;
END
$log_define$;
COMMENT ON FUNCTION segment_internal.log_define(text, jsonb) IS
'brings the logs of a portfolio, and the column log of its table watched_table, to its sources and watched tables as they are now; log_finish must follow (internal)';

/*
 * What other sessions have to wait for: whoever reads the view pending_customer,
 * if it must be made anew.  So it is the last thing that a transaction does.
 */
CREATE FUNCTION segment_internal.log_finish(portfolio text, definition jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $log_finish$
BEGIN
	IF EXISTS (
		SELECT l.log FROM segment_internal.log_tables(portfolio) AS l
		WHERE (l.log IN (SELECT u.log FROM segment_internal.log_in_use(portfolio) AS u)) <> EXISTS (
			SELECT FROM pg_rewrite AS r
			JOIN pg_depend AS d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
			WHERE r.ev_class = format('%I.pending_customer', portfolio)::regclass
				AND d.refclassid = 'pg_class'::regclass AND d.refobjid = l.log))
	THEN
		PERFORM segment_internal.log_define_pending(portfolio,
			(segment_internal.check_settings(definition -> 'settings') ->> 'security_invoker')::boolean);
	END IF;
	PERFORM segment_internal.log_drop_unused(portfolio);
END
$log_finish$;
COMMENT ON FUNCTION segment_internal.log_finish(text, jsonb) IS
'makes the view pending_customer of a portfolio read the logs that are in use, and drops those that are not (internal)';

/* The keys of all customers in the logs. */
CREATE FUNCTION segment_internal.log_keys(portfolio text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN (SELECT string_agg(format('SELECT %3$s AS customer_id FROM %1$I.%2$I AS l WHERE %3$s IS DISTINCT FROM NULL', portfolio, u.name, u.customer), ' UNION ')
	FROM segment_internal.log_in_use(portfolio) AS u);
COMMENT ON FUNCTION segment_internal.log_keys(text) IS
'the query of the customers, each once, in the logs of a portfolio; NULL: there is no log (internal)';

/* Whether there are rows in logs that are not in use. */
CREATE FUNCTION segment_internal.log_has_strays(portfolio text) RETURNS boolean
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $log_has_strays$
DECLARE
	strays boolean := false;
	query text := (SELECT string_agg(format('SELECT FROM %I.%I', portfolio, l.name), ' UNION ALL ') FROM segment_internal.log_tables(portfolio) AS l
		WHERE l.log NOT IN (SELECT u.log FROM segment_internal.log_in_use(portfolio) AS u));
BEGIN
	IF query IS NOT NULL THEN
		EXECUTE format('SELECT EXISTS (%s)', query) INTO strays;
	END IF;
	RETURN strays;
END
$log_has_strays$;
COMMENT ON FUNCTION segment_internal.log_has_strays(text) IS
'whether logs of a portfolio that are not in use have rows (internal)';
