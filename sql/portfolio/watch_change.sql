/*
 * watch and unwatch
 */

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
	SELECT a.atttypid INTO column_type FROM pg_attribute AS a
	WHERE a.attrelid = relation AND a.attname = customer_column AND a.attnum > 0 AND NOT a.attisdropped;
	IF column_type IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_column',
			MESSAGE = format('column "%s" of table %s does not exist', customer_column, segment_internal.table_name(relation)),
			HINT = 'Name the column that holds the customer''s key, or NULL if a change of the table concerns everybody.';
	END IF;
	SELECT a.atttypid INTO STRICT key_type FROM pg_attribute AS a
	WHERE a.attrelid = format('%I.changed_customer', portfolio)::regclass AND a.attname = 'customer_id';
	IF segment_internal.key_conversion(column_type, key_type) IS NULL THEN
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

/*
 * The cast to name cuts after as many bytes as an identifier may have, at the end
 * of a character; so others are put in front, and taken away again.
 */
CREATE FUNCTION segment_internal.cut_name(name text, bytes integer) RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
SELECT substr((repeat('x', m.most - least(greatest(bytes, 0), m.most)) || name)::name::text,
	m.most - least(greatest(bytes, 0), m.most) + 1)
FROM (SELECT current_setting('max_identifier_length')::integer) AS m(most);
END;
COMMENT ON FUNCTION segment_internal.cut_name(text, integer) IS
'the beginning of a name, at most so many bytes and whole characters (internal)';

/* The beginning of the portfolio's name, to be read, and a digest, to be unique. */
CREATE FUNCTION segment_internal.watch_trigger_name(portfolio text, event text) RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN format('segment_%s_%s_%s', segment_internal.cut_name(portfolio, 20), left(md5(portfolio), 16), event);
COMMENT ON FUNCTION segment_internal.watch_trigger_name(text, text) IS
'the name of a trigger of segment.watch, of at most 63 bytes (internal)';

CREATE FUNCTION segment_internal.watch_table(portfolio text, relation oid, customer_column text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $watch_table$
DECLARE
	t record;
	target text := segment_internal.table_name(relation);
	-- only the table's owner may say in which sessions triggers fire
	owned boolean;
	partitioned boolean;
BEGIN
	EXECUTE format('INSERT INTO %I.watched_table AS w (relation, customer_column, portfolio) VALUES ($1, $2, $3)
		ON CONFLICT ON CONSTRAINT watched_table_pkey DO UPDATE
		SET customer_column = excluded.customer_column, portfolio = excluded.portfolio,
			watched_at = excluded.watched_at', portfolio)
	USING target, customer_column, portfolio;
	SELECT pg_has_role(c.relowner, 'USAGE'), c.relkind = 'p' INTO STRICT owned, partitioned
	FROM pg_class AS c WHERE c.oid = relation;
	FOR t IN SELECT * FROM (VALUES
		('insert', 'INSERT', 'REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT', 'ALWAYS'),
		('update', 'UPDATE', 'REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT', 'ALWAYS'),
		('delete', 'DELETE', 'REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT', 'ALWAYS'),
		('truncate', 'TRUNCATE', 'FOR EACH STATEMENT', 'ALWAYS'),
		-- for logical replication, which writes to partitions without statements;
		-- in other sessions it does not fire, and would be too slow
		('replicated', 'INSERT OR UPDATE OR DELETE', 'FOR EACH ROW', 'REPLICA')) AS v(suffix, event, rows, fires)
		WHERE v.fires = 'ALWAYS' OR owned AND NOT partitioned
	LOOP
		EXECUTE format('CREATE OR REPLACE TRIGGER %I AFTER %s ON %s %s EXECUTE FUNCTION segment_internal.note_changes(%L)',
			segment_internal.watch_trigger_name(portfolio, t.suffix), t.event, target, t.rows, portfolio);
		IF owned THEN
			EXECUTE format('ALTER TABLE %s ENABLE %s TRIGGER %I', target, t.fires,
				segment_internal.watch_trigger_name(portfolio, t.suffix));
		END IF;
	END LOOP;
END
$watch_table$;
COMMENT ON FUNCTION segment_internal.watch_table(text, oid, text) IS
'registers one table as watched and gives it the triggers (internal)';

/*
 * After ALTER SCHEMA ... RENAME the triggers still bear the portfolio's old name
 * and do nothing.  They are its own as long as no other portfolio has that name.
 */
CREATE FUNCTION segment_internal.watch_former_names(portfolio text) RETURNS SETOF text
LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
SELECT DISTINCT n.name FROM unnest(segment_internal.watch_names(portfolio)) AS n(name)
WHERE n.name <> portfolio AND NOT EXISTS (SELECT FROM segment.portfolio AS p WHERE p.name = n.name);
END;
COMMENT ON FUNCTION segment_internal.watch_former_names(text) IS
'the names that a portfolio had when tables were watched, and that no portfolio has now (internal)';

CREATE FUNCTION segment_internal.watch_drop_named(trigger_portfolio text, tables oid[]) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $watch_drop_named$
DECLARE
	t record;
BEGIN
	FOR t IN
		SELECT w.relation, w.trigger_name FROM segment_internal.watch_triggers(trigger_portfolio) AS w
		JOIN pg_class AS c ON c.oid = w.relation
		WHERE (tables IS NULL OR w.relation = ANY (tables)) AND pg_has_role(c.relowner, 'USAGE')
	LOOP
		EXECUTE format('DROP TRIGGER %I ON %s', t.trigger_name, segment_internal.table_name(t.relation));
	END LOOP;
END
$watch_drop_named$;
COMMENT ON FUNCTION segment_internal.watch_drop_named(text, oid[]) IS
'drops the triggers of segment.watch that bear a name from these tables (NULL: all), as far as the caller may; those left do nothing, since the table is not registered (internal)';

CREATE FUNCTION segment_internal.watch_drop_triggers(portfolio text, tables oid[]) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $watch_drop_triggers$
BEGIN
	PERFORM segment_internal.watch_drop_named(n.name, tables)
	FROM (SELECT portfolio UNION ALL SELECT segment_internal.watch_former_names(portfolio)) AS n(name);
END
$watch_drop_triggers$;
COMMENT ON FUNCTION segment_internal.watch_drop_triggers(text, oid[]) IS
'drops the triggers of a portfolio, those that bear a former name of it included, from these tables (NULL: all), as far as the caller may (internal)';

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
		PERFORM segment_internal.watch_drop_named(n.name, family)
		FROM segment_internal.watch_former_names(watch_change.name) AS n(name);
		FOREACH member IN ARRAY family LOOP
			PERFORM segment_internal.watch_table(name, member, report.customer_column);
		END LOOP;
	ELSE
		-- first, since the names that they bear are in the rows
		PERFORM segment_internal.watch_drop_triggers(name, CASE WHEN root IS NOT NULL THEN family END);
		EXECUTE format('DELETE FROM %I.watched_table AS w
			WHERE $1 IS NULL OR to_regclass(w.relation) = ANY ($2)', name) USING root, family;
		GET DIAGNOSTICS deleted = ROW_COUNT;
		IF deleted = 0 AND root IS NOT NULL THEN
			RAISE EXCEPTION USING ERRCODE = 'undefined_object',
				MESSAGE = format('table %s is not watched by portfolio "%s"', report.relation, name),
				HINT = format('The table %I.watched_table lists the watched tables.', name);
		END IF;
		report.tables := deleted;
	END IF;
	PERFORM segment_internal.log_define(name, definition);
	PERFORM segment_internal.log_finish(name, definition);
	SELECT s.obstacle INTO report.obstacle FROM segment_internal.watch_state(name, definition) AS s;
	report.linear := false;
	SELECT l.obstacle IS NULL, l.obstacle INTO report.linear, report.not_linear
	FROM segment_internal.log_wanted(name, definition) AS l WHERE l.root = (arguments ->> 'relation')::oid;
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
	RETURN segment_internal.portfolio_run(name, 'watch', jsonb_build_object('watch', true,
		'relation', relation::oid::bigint, 'customer_column', customer_column), NULL::segment.watch_report);
END
$watch$;
COMMENT ON FUNCTION segment.watch(text, regclass, text) IS
'notes from now on which customers'' rows of a table change, so that refresh reads only those; customer_column holds the key of the customer whom a row concerns, NULL means that a change concerns everybody. Triggers fire once per statement, on the table and its partitions. The next refresh still reads everything. The report''s obstacle says what is missing before refresh can read changes only. Errors: 42704 no such portfolio, 42501 not the owner, or the owner lacks TRIGGER on the table, 42809 no table, 55000 an unlogged table or one filled by a subscription, 42703 no such column, 42804 its type is not the key''s';

CREATE FUNCTION segment.unwatch(name text, relation regclass DEFAULT NULL) RETURNS segment.watch_report
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
RETURN segment_internal.portfolio_run(name, 'watch',
	jsonb_build_object('watch', false, 'relation', relation::oid::bigint), NULL::segment.watch_report);
COMMENT ON FUNCTION segment.unwatch(text, regclass) IS
'ends watch for a table with its partitions, or for all tables of a portfolio; the next refresh reads everything. Triggers on tables of other owners are left, and do nothing. Errors: 42704 no such portfolio, or the table is not watched, 42501 not the owner';
