/*
 * watch: which customers changed since the last refresh
 *
 * Triggers on the tables that the sources read note the keys of changed
 * customers in the portfolio's table changed_customer (src/portfolio/watch.c), and the
 * next refresh reads only those, where that is provably the same as reading
 * everything (src/portfolio/dependence.c).
 */

CREATE FUNCTION segment_internal.note_changes() RETURNS trigger
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'note_changes';
COMMENT ON FUNCTION segment_internal.note_changes() IS
'trigger of segment.watch: notes the customers of the rows that a statement changed for the portfolio named in its argument, with the rights of the portfolio''s owner; does nothing where that portfolio is gone or does not watch the table';

CREATE FUNCTION segment_internal.source_dependence(
	source text, query text, watched oid[], customer_columns smallint[],
	OUT tables oid[], OUT obstacle text, OUT form text
)
LANGUAGE C STABLE STRICT PARALLEL RESTRICTED COST 1000
AS 'MODULE_PATHNAME', 'source_dependence';
COMMENT ON FUNCTION segment_internal.source_dependence(text, text, oid[], smallint[]) IS
'for tables that are watched, each with the number of its customer column (0: a change concerns everybody): the tables that a query reads, what keeps the rows of a customer in its result from depending on that customer''s rows in watched tables alone (NULL: nothing), and its analysed form, which changes with the views in it; errors as source_columns (internal)';

CREATE TYPE segment.watch_report AS (
	portfolio text, relation text, customer_column text, tables bigint, obstacle text
);
COMMENT ON TYPE segment.watch_report IS
'what watch or unwatch did: the table, its customer column (NULL: a change concerns everybody), how many tables got or lost triggers (with partitions), and what still stands in the way of reading only changed customers (NULL: nothing)';

CREATE FUNCTION segment_internal.watch_run(portfolio text, task text, arguments jsonb) RETURNS segment.watch_report
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'portfolio_run';
COMMENT ON FUNCTION segment_internal.watch_run(text, text, jsonb) IS
'runs watch_change as the portfolio''s owner; errors as for portfolio_owner (internal)';

CREATE FUNCTION segment_internal.watch_create_tables(portfolio text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $watch_create_tables$
BEGIN
	EXECUTE format($template$
		CREATE TABLE %1$I.watched_table (
			relation text PRIMARY KEY,
			customer_column text,
			watched_at timestamptz NOT NULL DEFAULT clock_timestamp()
		);
		-- the key's base type, with its collation; only ever appended to, so
		-- without an index
		CREATE TABLE %1$I.changed_customer AS
			SELECT d.customer_id, NULL::boolean AS everybody FROM %1$I.defect AS d WITH NO DATA;
		ALTER TABLE %1$I.changed_customer
			ALTER COLUMN everybody SET NOT NULL,
			ALTER COLUMN everybody SET DEFAULT false$template$, portfolio);
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
	('watched_table', 'watched_at', 'since when'),
	('changed_customer', NULL, 'customers whose rows in watched tables changed since the last refresh; repeats are normal'),
	('changed_customer', 'customer_id', 'key of the customer; NULL: rows without a customer changed'),
	('changed_customer', 'everybody', 'whether more changed than single customers: the next refresh reads everything')
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

CREATE FUNCTION segment_internal.watch_triggers(portfolio text)
RETURNS TABLE (relation oid, trigger_name name, event smallint, sound boolean, mark text)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 10
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
SELECT t.tgrelid, t.tgname, t.tgtype,
	t.tgenabled IN ('O', 'A') AND t.tgqual IS NULL
		-- after a statement: insert 4, delete 8, update 16, truncate 32
		AND CASE t.tgtype WHEN 4 THEN t.tgnewtable IS NOT NULL
			WHEN 8 THEN t.tgoldtable IS NOT NULL
			WHEN 16 THEN t.tgoldtable IS NOT NULL AND t.tgnewtable IS NOT NULL
			WHEN 32 THEN true ELSE false END,
	-- xmin and cmin change when a trigger is disabled and enabled again
	concat_ws(' ', t.oid, t.tgenabled, t.xmin, t.cmin)
FROM pg_trigger AS t
WHERE t.tgfoid = 'segment_internal.note_changes()'::regprocedure
	AND t.tgargs = convert_to(portfolio, getdatabaseencoding()) || '\x00'::bytea;
END;
COMMENT ON FUNCTION segment_internal.watch_triggers(text) IS
'the triggers of segment.watch for a portfolio: table, event (bits of pg_trigger.tgtype), whether they note all rows, and a mark that changes when they do (internal)';

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
				WHEN (SELECT count(DISTINCT t.event) FROM segment_internal.watch_triggers($1) AS t
						WHERE t.relation = c.oid AND t.sound) < 4
					THEN format('table %%s has lost its triggers', w.relation)
			END,
			concat_ws(' ', c.oid, c.relfilenode, a.attnum, w.xmin,
				(SELECT string_agg(t.mark, ' ' ORDER BY t.mark) FROM segment_internal.watch_triggers($1) AS t
				WHERE t.relation = c.oid))
		FROM %I.watched_table AS w
		JOIN pg_class AS c ON c.oid = to_regclass(w.relation)
		LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = w.customer_column
			AND a.attnum > 0 AND NOT a.attisdropped$query$, portfolio)
	USING portfolio;
END
$watch_tables$;
COMMENT ON FUNCTION segment_internal.watch_tables(text) IS
'the watched tables that exist: name, OID, number of the customer column (0: a change concerns everybody), what keeps their notes from being complete (NULL: nothing), and a mark that changes when the table is rewritten or its triggers change (internal)';

/*
 * Whether a refresh may read only changed customers, and a fingerprint of all
 * that the answer and the notes rest on: the analysed sources with their views,
 * the files of the tables, the triggers.  Notes are complete as long as the
 * fingerprint is the one of the last refresh.
 */
CREATE FUNCTION segment_internal.watch_state(portfolio text, definition jsonb, OUT obstacle text, OUT fingerprint text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $watch_state$
DECLARE
	s record;
	d record;
	watched oid[];
	columns smallint[];
	tables oid[] := '{}';
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
		tables := tables || d.tables;
		forms := forms || d.form;
		obstacle := coalesce(watch_state.obstacle,
			(SELECT min(w.obstacle) FROM segment_internal.watch_tables(portfolio) AS w WHERE w.relation = ANY (d.tables)),
			format('source "%s": %s', s.source, d.obstacle));
		IF d.obstacle IS NULL AND obstacle = format('source "%s": ', s.source) THEN
			obstacle := NULL;
		END IF;
	END LOOP;

	-- where the notes go
	SELECT coalesce(watch_state.obstacle, CASE WHEN c.relkind <> 'r' OR c.relnatts <> 2
			THEN format('table %s is not as segment.create_portfolio made it', segment_internal.table_name(c.oid)) END),
		forms || c.oid
	INTO STRICT watch_state.obstacle, forms
	FROM pg_class AS c WHERE c.oid = format('%I.changed_customer', portfolio)::regclass;

	-- partitions, which statements can name too
	SELECT coalesce(watch_state.obstacle, min(format('table %s is not watched, as %s is: call segment.watch again',
			segment_internal.table_name(f.member), segment_internal.table_name(t.root)))
		FILTER (WHERE w.relation IS NULL)), string_agg(w.mark, ' ' ORDER BY w.mark)
	INTO watch_state.obstacle, marks
	FROM unnest(tables) AS t(root)
	CROSS JOIN LATERAL segment_internal.table_family(t.root) AS f(member)
	LEFT JOIN segment_internal.watch_tables(portfolio) AS w ON w.relation = f.member AND w.obstacle IS NULL;

	fingerprint := CASE WHEN watch_state.obstacle IS NULL THEN
		md5(concat_ws(' ', definition - '{settings,created_at,refreshed_at,scorecard_id,read_fingerprint}'::text[], forms, marks)) END;
END
$watch_state$;
COMMENT ON FUNCTION segment_internal.watch_state(text, jsonb) IS
'what stands in the way of reading only changed customers (NULL: nothing), and a fingerprint of sources, views, tables and triggers, or NULL (internal)';

/* ---------- watch and unwatch ---------- */

CREATE FUNCTION segment_internal.watch_check(portfolio text, relation oid, customer_column text) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $watch_check$
DECLARE
	t pg_class;
	column_type oid;
	key_type oid;
BEGIN
	SELECT * INTO t FROM pg_class AS c WHERE c.oid = relation;
	IF t.relkind NOT IN ('r', 'p') THEN
		RAISE EXCEPTION USING ERRCODE = 'wrong_object_type',
			MESSAGE = format('%s is not a table', segment_internal.table_name(relation)),
			HINT = 'Watch the tables that a view reads; foreign tables and materialized views cannot be watched.';
	ELSIF t.relpersistence <> 'p' THEN
		RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = format('table %s cannot be watched: it is %s', segment_internal.table_name(relation),
				CASE t.relpersistence WHEN 'u' THEN 'unlogged' ELSE 'temporary' END),
			DETAIL = 'After a crash, or in another session, its rows would be gone without a note.';
	ELSIF EXISTS (SELECT FROM pg_subscription_rel AS s WHERE s.srrelid = relation) THEN
		RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = format('table %s cannot be watched: it is filled by a subscription', segment_internal.table_name(relation)),
			DETAIL = 'Logical replication fires no triggers of statements.';
	ELSIF NOT has_table_privilege(relation, 'TRIGGER') THEN
		RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
			MESSAGE = format('role "%s", the owner of portfolio "%s", has no privilege TRIGGER on table %s',
				current_user, portfolio, segment_internal.table_name(relation)),
			HINT = format('GRANT TRIGGER ON %s TO %I;', segment_internal.table_name(relation), current_user);
	END IF;
	IF customer_column IS NULL THEN
		RETURN;
	END IF;
	SELECT coalesce(nullif(y.typbasetype, 0), y.oid) INTO column_type
	FROM pg_attribute AS a JOIN pg_type AS y ON y.oid = a.atttypid
	WHERE a.attrelid = relation AND a.attname = customer_column AND a.attnum > 0 AND NOT a.attisdropped;
	IF column_type IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_column',
			MESSAGE = format('column "%s" of table %s does not exist', customer_column, segment_internal.table_name(relation)),
			HINT = 'Name the column that holds the customer''s key, or NULL if a change of the table concerns everybody.';
	END IF;
	SELECT a.atttypid INTO STRICT key_type FROM pg_attribute AS a
	WHERE a.attrelid = format('%I.changed_customer', portfolio)::regclass AND a.attname = 'customer_id';
	IF column_type <> key_type
		AND NOT ARRAY[column_type, key_type] <@ '{smallint,integer,bigint}'::regtype[]::oid[]
		AND NOT EXISTS (SELECT FROM pg_cast AS c WHERE c.castsource = column_type AND c.casttarget = key_type
			AND c.castmethod = 'b' AND c.castcontext = 'i') THEN
		RAISE EXCEPTION USING ERRCODE = 'datatype_mismatch',
			MESSAGE = format('column "%s" of table %s is of type %s, but the customer''s key of portfolio "%s" of type %s',
				customer_column, segment_internal.table_name(relation), format_type(column_type, NULL), portfolio,
				format_type(key_type, NULL)),
			HINT = 'Name the column that holds the customer''s key, or NULL if a change of the table concerns everybody.';
	END IF;
END
$watch_check$;
COMMENT ON FUNCTION segment_internal.watch_check(text, oid, text) IS
'errors if a table cannot be watched: 42809 no table, 55000 unlogged, temporary or filled by a subscription, 42501 no privilege TRIGGER, 42703 no such column, 42804 its type is not the key''s (internal)';

CREATE FUNCTION segment_internal.watch_table(portfolio text, relation oid, customer_column text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $watch_table$
DECLARE
	t record;
	trigger_name text;
BEGIN
	EXECUTE format('INSERT INTO %I.watched_table AS w (relation, customer_column) VALUES ($1, $2)
		ON CONFLICT ON CONSTRAINT watched_table_pkey DO UPDATE
		SET customer_column = excluded.customer_column, watched_at = excluded.watched_at', portfolio)
	USING segment_internal.table_name(relation), customer_column;
	FOR t IN SELECT * FROM (VALUES
		('INSERT', 'REFERENCING NEW TABLE AS new_rows'),
		('UPDATE', 'REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows'),
		('DELETE', 'REFERENCING OLD TABLE AS old_rows'),
		('TRUNCATE', '')) AS v(event, rows)
	LOOP
		trigger_name := format('segment_%s_%s_%s', left(portfolio, 20), left(md5(portfolio), 8), lower(t.event));
		EXECUTE format('CREATE OR REPLACE TRIGGER %I AFTER %s ON %s %s
			FOR EACH STATEMENT EXECUTE FUNCTION segment_internal.note_changes(%L)',
			trigger_name, t.event, segment_internal.table_name(relation), t.rows, portfolio);
		-- also for sessions that replicate, where the right to say so is there
		IF pg_has_role((SELECT c.relowner FROM pg_class AS c WHERE c.oid = relation), 'USAGE') THEN
			EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', segment_internal.table_name(relation), trigger_name);
		END IF;
	END LOOP;
END
$watch_table$;
COMMENT ON FUNCTION segment_internal.watch_table(text, oid, text) IS
'registers one table as watched and gives it the triggers (internal)';

CREATE FUNCTION segment_internal.watch_drop_triggers(portfolio text, tables oid[]) RETURNS bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $watch_drop_triggers$
DECLARE
	t record;
	dropped oid[] := '{}';
BEGIN
	FOR t IN
		SELECT w.relation, w.trigger_name FROM segment_internal.watch_triggers(portfolio) AS w
		JOIN pg_class AS c ON c.oid = w.relation
		WHERE (tables IS NULL OR w.relation = ANY (tables)) AND pg_has_role(c.relowner, 'USAGE')
	LOOP
		EXECUTE format('DROP TRIGGER %I ON %s', t.trigger_name, segment_internal.table_name(t.relation));
		dropped := dropped || t.relation;
	END LOOP;
	RETURN (SELECT count(DISTINCT d) FROM unnest(dropped) AS d);
END
$watch_drop_triggers$;
COMMENT ON FUNCTION segment_internal.watch_drop_triggers(text, oid[]) IS
'drops the triggers of segment.watch from these tables (NULL: all), as far as the caller may; the number of tables that lost triggers; those left do nothing any more, since the table is not registered (internal)';

CREATE FUNCTION segment_internal.watch_change(name text, arguments jsonb) RETURNS segment.watch_report
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $watch_change$
DECLARE
	root oid := (arguments ->> 'relation')::oid;
	family oid[] := ARRAY(SELECT segment_internal.table_family(root));
	member oid;
	definition jsonb;
	deleted bigint;
	report segment.watch_report;
BEGIN
	-- not while a refresh is under way, which has begun without these notes
	EXECUTE format('SELECT to_jsonb(p) FROM %I.portfolio AS p FOR UPDATE', name) INTO STRICT definition;
	report.portfolio := name;
	report.relation := segment_internal.table_name(root);
	IF (arguments ->> 'watch')::boolean THEN
		report.customer_column := arguments ->> 'customer_column';
		report.tables := cardinality(family);
		FOREACH member IN ARRAY family LOOP
			PERFORM segment_internal.watch_check(name, member, report.customer_column);
		END LOOP;
		FOREACH member IN ARRAY family LOOP
			PERFORM segment_internal.watch_table(name, member, report.customer_column);
		END LOOP;
	ELSE
		EXECUTE format('DELETE FROM %I.watched_table AS w
			WHERE $1 IS NULL OR to_regclass(w.relation) = ANY ($2)', name) USING root, family;
		GET DIAGNOSTICS deleted = ROW_COUNT;
		IF deleted = 0 AND root IS NOT NULL THEN
			RAISE EXCEPTION USING ERRCODE = 'undefined_object',
				MESSAGE = format('table %s is not watched by portfolio "%s"', report.relation, name),
				HINT = format('The table %I.watched_table lists the watched tables.', name);
		END IF;
		report.tables := deleted;
		PERFORM segment_internal.watch_drop_triggers(name, CASE WHEN root IS NOT NULL THEN family END);
	END IF;
	SELECT s.obstacle INTO report.obstacle FROM segment_internal.watch_state(name, definition) AS s;
	RETURN report;
END
$watch_change$;
COMMENT ON FUNCTION segment_internal.watch_change(text, jsonb) IS
'watch and unwatch, with the current user''s rights (internal)';

CREATE FUNCTION segment.watch(name text, relation regclass, customer_column text) RETURNS segment.watch_report
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $watch$
BEGIN
	IF relation IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'table to watch must not be null';
	END IF;
	RETURN segment_internal.watch_run(name, 'watch', jsonb_build_object('watch', true,
		'relation', relation::oid::bigint, 'customer_column', customer_column));
END
$watch$;
COMMENT ON FUNCTION segment.watch(text, regclass, text) IS
'notes from now on which customers'' rows of a table change, so that refresh reads only those; customer_column holds the key of the customer whom a row concerns, NULL means that a change concerns everybody. Triggers fire once per statement, on the table and its partitions. The next refresh still reads everything. The report''s obstacle says what is missing before refresh can read changes only. Errors: 42704 no such portfolio, 42501 not the owner, or the owner lacks TRIGGER on the table, 42809 no table, 55000 an unlogged table or one filled by a subscription, 42703 no such column, 42804 its type is not the key''s';

CREATE FUNCTION segment.unwatch(name text, relation regclass DEFAULT NULL) RETURNS segment.watch_report
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
RETURN segment_internal.watch_run(name, 'watch', jsonb_build_object('watch', false, 'relation', relation::oid::bigint));
COMMENT ON FUNCTION segment.unwatch(text, regclass) IS
'ends watch for a table with its partitions, or for all tables of a portfolio; the next refresh reads everything. Triggers on tables of other owners are left, and do nothing. Errors: 42704 no such portfolio, or the table is not watched, 42501 not the owner';
