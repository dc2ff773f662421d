/*
 * watch: which customers changed since the last refresh
 *
 * Triggers on the tables that the sources read note the keys of changed
 * customers in the portfolio's table changed_customer (src/portfolio/watch.c), and the
 * next refresh reads only those, where that is provably the same as reading
 * everything (src/portfolio/customer_dependence.c).
 */

CREATE FUNCTION segment_internal.note_changes() RETURNS trigger
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'segment_note_changes';
COMMENT ON FUNCTION segment_internal.note_changes() IS
'trigger of segment.watch: notes the customers of the rows that a statement changed, or for each row that logical replication brings that everybody''s may have, for the portfolio named in its argument; fires no trigger and runs no other code; does nothing where that portfolio is gone or does not watch the table';

CREATE FUNCTION segment_internal.key_conversion(column_type oid, key_type oid) RETURNS text
LANGUAGE C STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_key_conversion_text';
COMMENT ON FUNCTION segment_internal.key_conversion(oid, oid) IS
'how values of a column become keys: none (the same type), binary (another type, the same bytes), integer (another width), or NULL where they cannot be followed (internal)';

CREATE FUNCTION segment_internal.changed_limit(customers bigint) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_changed_limit_bigint';
COMMENT ON FUNCTION segment_internal.changed_limit(bigint) IS
'of so many customers, how many may have changed before reading everything is cheaper (internal)';

CREATE FUNCTION segment_internal.takes_notes(relation oid) RETURNS boolean
LANGUAGE C STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_takes_notes_oid';
COMMENT ON FUNCTION segment_internal.takes_notes(oid) IS
'whether a table is changed_customer or unnoted_change as create_portfolio makes them, without index, trigger, rule, policy or constraint (internal)';

CREATE FUNCTION segment_internal.watch_names(portfolio text) RETURNS text[]
LANGUAGE C STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_watch_names';
COMMENT ON FUNCTION segment_internal.watch_names(text) IS
'the names that the triggers of a portfolio bear: the column portfolio of its table watched_table; none for a role that does not have the rights of the owner (internal)';

CREATE FUNCTION segment_internal.next_transaction() RETURNS xid8
LANGUAGE C VOLATILE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_next_transaction';
COMMENT ON FUNCTION segment_internal.next_transaction() IS
'the number that the next transaction will get (internal)';

CREATE FUNCTION segment_internal.source_dependence(
	source text, query text, watched oid[], customer_columns smallint[],
	OUT tables oid[], OUT obstacle text, OUT form text
)
LANGUAGE C STABLE STRICT PARALLEL RESTRICTED COST 1000
AS 'MODULE_PATHNAME', 'segment_source_dependence';
COMMENT ON FUNCTION segment_internal.source_dependence(text, text, oid[], smallint[]) IS
'for tables that are watched, each with the number of its customer column (0: a change concerns everybody): the tables that a query reads, what keeps the rows of a customer in its result from depending on that customer''s rows in watched tables alone (NULL: nothing), and its analyzed form, which changes with the views in it; errors as source_columns (internal)';

CREATE FUNCTION segment_internal.source_linear(
	source text, query text, watched oid[], customer_columns smallint[],
	OUT obstacle text, OUT tables oid[], OUT columns smallint[]
)
LANGUAGE C STABLE STRICT PARALLEL RESTRICTED COST 1000
AS 'MODULE_PATHNAME', 'segment_source_linear';
COMMENT ON FUNCTION segment_internal.source_linear(text, text, oid[], smallint[]) IS
'for tables that are watched, each with the number of its customer column (0: a change concerns everybody): what keeps each row of a query from being made of one row of a watched table, by immutable expressions (NULL: nothing), and the columns that it reads of such tables, each with its table; errors as source_columns (internal)';

CREATE TYPE segment.watch_report AS (
	portfolio text, relation text, customer_column text, tables bigint, obstacle text, linear boolean, not_linear text
);
COMMENT ON TYPE segment.watch_report IS
'what watch or unwatch did: the table, its customer column (NULL: a change concerns everybody), how many tables got or lost triggers (with partitions), what still stands in the way of reading only changed customers (NULL: nothing), whether changed rows are logged, so that a refresh need not read the customers'' other rows again, and if not, why';

CREATE FUNCTION segment_internal.watch_create_tables(portfolio text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $watch_create_tables$
BEGIN
	EXECUTE format($template$
		CREATE TABLE %1$I.watched_table (
			relation text PRIMARY KEY,
			customer_column text,
			portfolio text NOT NULL,
			log text,
			watched_at timestamptz NOT NULL DEFAULT clock_timestamp()
		);
		-- the key's base type, with its collation; only ever appended to, so
		-- without an index
		CREATE TABLE %1$I.changed_customer AS
			SELECT d.customer_id, NULL::boolean AS everybody FROM %1$I.defect AS d WITH NO DATA;
		ALTER TABLE %1$I.changed_customer
			ALTER COLUMN everybody SET NOT NULL,
			ALTER COLUMN everybody SET DEFAULT false;
		-- without columns, so that hardly anything can be hung on it
		CREATE TABLE %1$I.unnoted_change ();
		-- without keys: so that a publication may have them
		ALTER TABLE %1$I.changed_customer REPLICA IDENTITY FULL;
		ALTER TABLE %1$I.unnoted_change REPLICA IDENTITY FULL$template$, portfolio);
END
$watch_create_tables$;
COMMENT ON FUNCTION segment_internal.watch_create_tables(text) IS
'creates the tables of the concept watch (internal)';

CREATE FUNCTION segment_internal.watch_create_views(portfolio text, security_invoker boolean) RETURNS void
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN NULL;
COMMENT ON FUNCTION segment_internal.watch_create_views(text, boolean) IS
'the concept watch has no views (internal)';

CREATE FUNCTION segment_internal.watch_comments() RETURNS TABLE (relation text, col text, meaning text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 10
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
SELECT v.* FROM (VALUES
	('watched_table', NULL, 'the tables whose changes are noted, made by segment.watch'),
	('watched_table', 'relation', 'qualified name of the table'),
	('watched_table', 'customer_column', 'column that holds the key of the customer whom a row concerns; NULL: a change concerns everybody'),
	('watched_table', 'portfolio', 'name of the portfolio when the triggers were made, which they bear'),
	('watched_table', 'log', 'table of the portfolio that takes the changed rows, as far as the sources read them; NULL: keys are noted instead'),
	('watched_table', 'watched_at', 'since when'),
	('changed_customer', NULL, 'customers whose rows in watched tables changed since the last refresh; repeats are normal'),
	('changed_customer', 'customer_id', 'key of the customer; NULL: rows without a customer changed'),
	('changed_customer', 'everybody', 'whether more changed than single customers: the next refresh reads everything'),
	('unnoted_change', NULL, 'one row, without columns, for each statement whose changes could not be noted: the next refresh reads everything')
) AS v(relation, col, meaning);
END;
COMMENT ON FUNCTION segment_internal.watch_comments() IS
'the comments on the tables of the concept watch';

/* ---------- what can be relied on ---------- */

/* A table and all that inherit from it, which statements can name as well. */
CREATE FUNCTION segment_internal.table_family(relation oid) RETURNS SETOF oid
LANGUAGE sql STABLE PARALLEL SAFE ROWS 10
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
WITH RECURSIVE family(member) AS (
	SELECT relation
	UNION
	SELECT i.inhrelid FROM family AS f JOIN pg_inherits AS i ON i.inhparent = f.member
)
SELECT f.member FROM family AS f;
END;
COMMENT ON FUNCTION segment_internal.table_family(oid) IS
'a table with its partitions and the tables that inherit from it, at any depth (internal)';

CREATE FUNCTION segment_internal.table_name(relation oid) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN (SELECT format('%I.%I', n.nspname, c.relname)
	FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = relation);
COMMENT ON FUNCTION segment_internal.table_name(oid) IS
'the qualified name of a table (internal)';

/*
 * A row of the catalog is told from its later versions by xmin and ctid: a change
 * gives it both anew, even if it is taken back, and even in the transaction that
 * changed it before.  VACUUM (FREEZE), ANALYZE, CREATE INDEX and a crash keep
 * both; cmin, which also tells versions apart, is not logged.
 */
CREATE FUNCTION segment_internal.watch_triggers(portfolio text)
RETURNS TABLE (relation oid, trigger_name name, event smallint, sound boolean, mark text)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 10
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
SELECT t.tgrelid, t.tgname, t.tgtype,
	t.tgqual IS NULL
		-- after a statement: insert 4, delete 8, update 16, truncate 32; after each
		-- row of a replicating session: 1 + 4 + 8 + 16
		AND CASE t.tgtype WHEN 4 THEN t.tgenabled IN ('O', 'A') AND t.tgnewtable IS NOT NULL
			WHEN 8 THEN t.tgenabled IN ('O', 'A') AND t.tgoldtable IS NOT NULL
			WHEN 16 THEN t.tgenabled IN ('O', 'A') AND t.tgoldtable IS NOT NULL AND t.tgnewtable IS NOT NULL
			WHEN 32 THEN t.tgenabled IN ('O', 'A')
			-- fires for replication only, unless ALTER TABLE ... ENABLE TRIGGER USER changed that
			WHEN 29 THEN t.tgenabled <> 'D' ELSE false END,
	concat_ws(' ', t.oid, t.xmin, t.ctid)
FROM pg_trigger AS t
WHERE t.tgfoid = 'segment_internal.note_changes()'::regprocedure
	AND t.tgargs = convert_to(portfolio, getdatabaseencoding()) || '\x00'::bytea;
END;
COMMENT ON FUNCTION segment_internal.watch_triggers(text) IS
'the triggers of segment.watch that bear a name: table, event (bits of pg_trigger.tgtype), whether they note all rows, and a mark that changes when they do (internal)';

CREATE FUNCTION segment_internal.watch_tables(portfolio text)
RETURNS TABLE (name text, relation oid, customer_column smallint, obstacle text, mark text)
LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 10
SET search_path = pg_catalog, pg_temp
AS $watch_tables$
BEGIN
	RETURN QUERY EXECUTE format($query$
		SELECT w.relation, c.oid, CASE WHEN w.customer_column IS NULL THEN 0::smallint ELSE a.attnum END,
			CASE WHEN w.customer_column IS NOT NULL AND a.attnum IS NULL
					THEN format('column %%I of table %%s is gone', w.customer_column, w.relation)
				WHEN c.relpersistence <> 'p'
					THEN format('table %%s is unlogged', w.relation)
				WHEN EXISTS (SELECT FROM pg_subscription_rel AS s WHERE s.srrelid = c.oid)
					THEN format('table %%s is filled by a subscription, which fires no triggers', w.relation)
				WHEN w.portfolio <> $1
					THEN format('table %%s was watched when the portfolio was named "%%s": call segment.watch again',
						w.relation, w.portfolio)
				WHEN t.statements < 4 OR NOT t.rows
					THEN format('table %%s has lost its triggers', w.relation)
			END,
			concat_ws(' ', c.oid, c.relfilenode, c.xmin, c.ctid, n.xmin, n.ctid, a.attnum, a.xmin, a.ctid,
				w.xmin, w.ctid, t.marks, l.oid, l.relfilenode, l.xmin, l.ctid, g.marks)
		FROM %1$I.watched_table AS w
		JOIN pg_class AS c ON c.oid = to_regclass(w.relation)
		LEFT JOIN pg_class AS l ON l.relname = w.log AND l.relnamespace = quote_ident(%1$L)::regnamespace
		JOIN pg_namespace AS n ON n.oid = c.relnamespace
		LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = w.customer_column
			AND a.attnum > 0 AND NOT a.attisdropped
		CROSS JOIN LATERAL (
			SELECT count(DISTINCT t.event) FILTER (WHERE t.sound AND t.event & 1 = 0) AS statements,
				coalesce(bool_and(t.sound) FILTER (WHERE t.event & 1 = 1), true) AS rows,
				string_agg(t.mark, ' ' ORDER BY t.mark) AS marks
			FROM segment_internal.watch_triggers($1) AS t WHERE t.relation = c.oid
		) AS t
		-- columns are logged by their names
		CROSS JOIN LATERAL (
			SELECT string_agg(concat_ws(' ', f.attnum, f.xmin, f.ctid), ' ' ORDER BY f.attnum) AS marks
			FROM pg_attribute AS f JOIN pg_attribute AS g ON g.attrelid = l.oid AND g.attname = f.attname AND g.attnum > 1
			WHERE f.attrelid = c.oid AND f.attnum > 0 AND NOT f.attisdropped
		) AS g$query$, portfolio)
	USING portfolio;
END
$watch_tables$;
COMMENT ON FUNCTION segment_internal.watch_tables(text) IS
'the watched tables that exist: name, OID, number of the customer column (0: a change concerns everybody), what keeps their notes from being complete (NULL: nothing), and a mark that changes when the table or its log is rewritten or renamed, it, a logged column or the column of the customer, its schema, or its triggers change (internal)';

/* The tables of a portfolio that notes go through. */
CREATE FUNCTION segment_internal.watch_notes(portfolio text, OUT obstacle text, OUT mark text)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
SELECT min(format('table %I.%I is not as segment.create_portfolio made it', portfolio, v.relation))
		FILTER (WHERE c.oid IS NULL OR v.columns IS NOT NULL
			AND (c.relnatts <> v.columns OR NOT segment_internal.takes_notes(c.oid))),
	string_agg(concat_ws(' ', c.oid, c.relfilenode, c.xmin, c.ctid, n.xmin, n.ctid), ' ' ORDER BY v.relation)
FROM (VALUES ('changed_customer', 2), ('unnoted_change', 0), ('watched_table', NULL)) AS v(relation, columns)
CROSS JOIN pg_namespace AS n
LEFT JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = v.relation
WHERE n.nspname = portfolio;
END;
COMMENT ON FUNCTION segment_internal.watch_notes(text) IS
'what keeps the tables changed_customer and unnoted_change of a portfolio from taking notes (NULL: nothing), and a mark that changes when they, watched_table or the schema are changed or renamed (internal)';

/*
 * Whether a refresh may read only changed customers, and a fingerprint of all
 * that the answer and the notes rest on: the analyzed sources with their views,
 * the files and names of the tables, the triggers.  Notes are complete as long
 * as the fingerprint is the one of the last refresh.
 */
CREATE FUNCTION segment_internal.watch_state(
	portfolio text, definition jsonb, OUT obstacle text, OUT fingerprint text, OUT tables oid[]
)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $watch_state$
DECLARE
	s record;
	d record;
	notes record := segment_internal.watch_notes(portfolio);
	watched oid[];
	columns smallint[];
	sources oid[] := '{}';
	forms text := '';
	marks text;
BEGIN
	SELECT coalesce(array_agg(w.relation), '{}'), coalesce(array_agg(w.customer_column), '{}')
	INTO watched, columns
	FROM segment_internal.watch_tables(portfolio) AS w WHERE w.obstacle IS NULL;
	IF watched = '{}' THEN
		obstacle := coalesce((SELECT min(w.obstacle) FROM segment_internal.watch_tables(portfolio) AS w), 'no table is watched');
		RETURN;
	END IF;
	FOR s IN SELECT * FROM segment_internal.portfolio_sources(definition) LOOP
		PERFORM pg_catalog.set_config('search_path', definition ->> 'search_path', true);
		d := segment_internal.source_dependence(s.source, s.query, watched, columns);
		PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
		sources := sources || d.tables;
		forms := forms || d.form;
		obstacle := coalesce(watch_state.obstacle,
			(SELECT min(w.obstacle) FROM segment_internal.watch_tables(portfolio) AS w WHERE w.relation = ANY (d.tables)),
			'source "' || s.source || '": ' || d.obstacle);
	END LOOP;

	-- with partitions, which statements can name too
	SELECT coalesce(watch_state.obstacle, notes.obstacle,
			min(format('table %s is not watched, as %s is: call segment.watch again',
				segment_internal.table_name(f.member), segment_internal.table_name(t.root)))
			FILTER (WHERE w.relation IS NULL)),
		string_agg(w.mark, ' ' ORDER BY w.mark), array_agg(f.member)
	INTO watch_state.obstacle, marks, watch_state.tables
	FROM unnest(sources) AS t(root)
	CROSS JOIN LATERAL segment_internal.table_family(t.root) AS f(member)
	LEFT JOIN segment_internal.watch_tables(portfolio) AS w ON w.relation = f.member AND w.obstacle IS NULL;

	fingerprint := CASE WHEN watch_state.obstacle IS NULL THEN
		md5(concat_ws(' ', definition - '{settings,created_at,refreshed_at,scorecard_id,read_fingerprint,usual_orders}'::text[],
			forms, notes.mark, marks)) END;
END
$watch_state$;
COMMENT ON FUNCTION segment_internal.watch_state(text, jsonb) IS
'what stands in the way of reading only changed customers (NULL: nothing), a fingerprint of sources, views, tables and triggers, or NULL, and the tables that are read, with partitions (internal)';

/* What is stored is a fingerprint, or one with a number (see watch_settle). */
CREATE FUNCTION segment_internal.watch_found(stored text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN split_part(stored, ' ', 1);
COMMENT ON FUNCTION segment_internal.watch_found(text) IS
'the fingerprint that the last refresh found, whether it counts or not (internal)';

CREATE FUNCTION segment_internal.watch_has_writers(tables oid[]) RETURNS boolean
LANGUAGE sql VOLATILE PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
SELECT EXISTS (
	SELECT FROM pg_locks AS l
	WHERE l.locktype = 'relation' AND l.relation = ANY (tables) AND l.granted
		AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
		-- whoever writes rows has the first of these, and TRUNCATE the second
		AND l.mode IN ('RowExclusiveLock', 'AccessExclusiveLock')
		-- a prepared transaction has no process
		AND l.pid IS DISTINCT FROM pg_backend_pid());
END;
COMMENT ON FUNCTION segment_internal.watch_has_writers(oid[]) IS
'whether transactions of others that may have written to these tables are open (internal)';

/*
 * The fingerprint to store with what is read now.
 *
 * A fingerprint that differs from the last one says that some change may have
 * left no note.  This refresh reads everything, but it does not see the rows of
 * transactions that are not committed in its snapshot.  What they write from
 * now on they note; what they have written they may not have: they began before
 * the triggers were made (where the snapshot is older than the wait for their
 * locks), or did not find the portfolio by its name for a while.  So the new
 * fingerprint counts only where none of them is left: nobody holds a lock to
 * write, if the reading is still to take its snapshot.  Else it is stored
 * together with the number of the next transaction, which makes the next
 * refresh read everything as well.  That one's fingerprint counts if all
 * transactions with lower numbers are finished in its snapshot.
 */
CREATE FUNCTION segment_internal.watch_settle(fingerprint text, stored text, tables oid[]) RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $watch_settle$
BEGIN
	IF fingerprint IS NULL OR fingerprint = stored THEN
		RETURN fingerprint;
	ELSIF current_setting('transaction_isolation') NOT IN ('repeatable read', 'serializable')
			AND NOT segment_internal.watch_has_writers(tables) THEN
		RETURN fingerprint;
	ELSIF segment_internal.watch_found(stored) IS DISTINCT FROM fingerprint THEN
		RETURN concat_ws(' ', fingerprint, segment_internal.next_transaction());
	ELSIF pg_snapshot_xmin(pg_current_snapshot()) >= split_part(stored, ' ', 2)::xid8 THEN
		RETURN fingerprint;
	END IF;
	RETURN stored;
END
$watch_settle$;
COMMENT ON FUNCTION segment_internal.watch_settle(text, text, oid[]) IS
'the fingerprint that a refresh stores, given what it has found and what was stored before: the same, or followed by the number of a transaction if the next refresh must read everything, too (internal)';
