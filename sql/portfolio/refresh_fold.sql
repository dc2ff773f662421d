/*
 * refresh_fold: what the logs of changed rows do to the histories
 *
 * new history = old + added - removed, of the sources' queries over the logs.
 * It is to be, to the last bit, what all rows give that are there now, with what
 * is doubtful about them.  Where that cannot be told from the history and the
 * changes alone, the customer is read again.
 */

CREATE FUNCTION segment_internal.run_at_once(commands text[], paths text[]) RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'segment_run_at_once';
COMMENT ON FUNCTION segment_internal.run_at_once(text[], text[]) IS
'runs commands one after the other in one snapshot, each with its search path (NULL: pg_catalog, pg_temp): they see what others had committed when the first one began, and what they do themselves. What a command returns in its first row is the parameter $1 of those after it. Errors: 22004 a NULL command, 2202E not as many paths, and those of the commands (internal)';

CREATE FUNCTION segment_internal.history_change(
	old segment.history, added segment.history, removed segment.history, by_day boolean,
	OUT result segment.history, OUT obstacle text
)
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 10
AS 'MODULE_PATHNAME', 'segment_history_change';
COMMENT ON FUNCTION segment_internal.history_change(segment.history, segment.history, segment.history, boolean) IS
'old + added - removed, the same bits, display scale included, as the history of all rows that are left, NULL for none; or what keeps that from being told: more is removed than there was; rows with the most decimals are gone; and with by_day, something was added on a day that has more than that, so that two rows may be the same. Errors: 22003 sums out of range, 22004 by_day is NULL (internal)';

CREATE TYPE segment_internal.fold_source AS (source text, statement text, has_margin boolean, tables oid[], logs oid[]);
COMMENT ON TYPE segment_internal.fold_source IS
'a linear source whose tables have logs: the query of its rows, whether they have a margin, and the tables that are watched by customer, with their logs (0: none) (internal)';

/* The sources that are linear, as far as their tables have logs. */
CREATE FUNCTION segment_internal.fold_sources(portfolio text, definition jsonb) RETURNS segment_internal.fold_source[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $fold_sources$
DECLARE
	s record;
	l record;
	shape segment_internal.source_shape;
	is_read boolean;
	obstacle text;
	found segment_internal.fold_source;
	sources segment_internal.fold_source[] := '{}';
	key_type text := (SELECT k.key_cast || k.key_collation FROM segment_internal.portfolio_key(portfolio) AS k);
	watched oid[];
	columns smallint[];
	roots oid[] := ARRAY(SELECT u.root FROM segment_internal.log_in_use(portfolio) AS u);
BEGIN
	IF roots = '{}' THEN
		RETURN sources;
	END IF;
	SELECT array_agg(w.relation), array_agg(w.customer_column),
		-- tables in which a change concerns everybody are read as they are
		array_agg(w.relation) FILTER (WHERE w.customer_column <> 0), array_agg(coalesce(u.log, 0)) FILTER (WHERE w.customer_column <> 0)
	INTO watched, columns, found.tables, found.logs
	FROM segment_internal.watch_tables(portfolio) AS w
	LEFT JOIN segment_internal.log_in_use(portfolio) AS u ON u.root = w.relation
	WHERE w.obstacle IS NULL;
	FOR s IN SELECT * FROM segment_internal.portfolio_sources(definition) AS p WHERE p.source <> 'customers' LOOP
		PERFORM pg_catalog.set_config('search_path', definition ->> 'search_path', true);
		l := segment_internal.source_linear(s.source, s.query, watched, columns);
		obstacle := coalesce(l.obstacle, CASE WHEN s.form = 'events' THEN 'its events have a text' END);
		is_read := obstacle IS NOT NULL AND (segment_internal.source_dependence(s.source, s.query, watched, columns)).tables && roots;
		PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
		IF obstacle IS NULL AND l.tables && roots THEN
			shape := segment_internal.check_source(s.source, s.query, definition ->> 'search_path');
			found.source := s.source;
			found.statement := segment_internal.refresh_event_rows(shape, key_type, NULL);
			found.has_margin := shape.margin IS NOT NULL;
			sources := sources || found;
		ELSIF is_read THEN
			RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
				MESSAGE = format('source "%s" is not linear any more: %s', s.source, obstacle);
		END IF;
	END LOOP;
	RETURN sources;
END
$fold_sources$;
COMMENT ON FUNCTION segment_internal.fold_sources(text, jsonb) IS
'the linear sources of a portfolio whose tables have logs; error 55000 if one that reads them is not linear (internal)';

/* What was added to and removed from the histories of customers: the query of table refresh_change. */
CREATE FUNCTION segment_internal.fold_change_query(portfolio text, sources segment_internal.fold_source[], timezone text) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $fold_change_query$
DECLARE
	s record;
	from_items text;
	keys text;
	columns text := '';
	doubts text;
	key record := segment_internal.portfolio_key(portfolio);
BEGIN
	FOR s IN
		SELECT f.*, format('%s_%s', f.source, v.what) AS item, v.*
		FROM unnest(sources) AS f
		CROSS JOIN (VALUES ('added', 1), ('removed', -1)) AS v(what, sign)
	LOOP
		from_items := concat(from_items || E'\nFULL JOIN ', format(
			'segment_internal.changed_histories(%L, %L, %L, %L, %L, %s) AS %I (customer_id %s, history segment.history%s, counts pg_catalog.int8[], money pg_catalog.numeric[])',
				s.source, s.statement, timezone, s.tables, s.logs, s.sign, s.item, key.key_cast || key.key_collation,
				CASE WHEN s.has_margin THEN ', margins segment.history' END),
			format(' ON COALESCE(%s) %s %I.customer_id', keys, key.equality, s.item)
				-- none for the first
				|| left(keys, 0));
		keys := concat(keys || ', ', format('%I.customer_id', s.item));
		columns := columns || format(', %1$I.history AS %1$I', s.item)
			|| CASE WHEN s.has_margin THEN format(', %I.margins AS %I', s.item, 'margins_' || s.what) ELSE '' END;
		doubts := concat(doubts || ' OR ', format('%I.counts IS NOT NULL', s.item));
	END LOOP;
	RETURN 'SELECT COALESCE(' || keys || ') AS customer_id' || columns || ', ' || doubts || ' AS doubtful FROM ' || from_items;
END
$fold_change_query$;
COMMENT ON FUNCTION segment_internal.fold_change_query(text, segment_internal.fold_source[], text) IS
'the query that tells, from the logs, what was added to and removed from the histories of each customer, and whether any of the rows is doubtful; NULL without sources (internal)';

/*
 * The histories after that, of FROM items that are the result of the query above,
 * and the customers who are read in any case: the query of table refresh_fold.  What is doubtful
 * about rows is told of all rows of a customer, so who has such rows, or had some,
 * is read again.
 */
CREATE FUNCTION segment_internal.fold_query(portfolio text, sources segment_internal.fold_source[], change text, noted text) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $fold_query$
DECLARE
	changed text[] := ARRAY(SELECT unnest(ARRAY[f.source, CASE WHEN f.has_margin THEN 'margins' END]) FROM unnest(sources) AS f);
BEGIN
	RETURN (SELECT format($query$
		SELECT coalesce(h.customer_id, d.customer_id) AS customer_id, %2$s, coalesce(h.listed, false) AS listed, h.attributes,
			CASE WHEN EXISTS (SELECT FROM %7$s AS n WHERE n.customer_id %4$s d.customer_id) THEN 'noted'
				WHEN d.doubtful OR EXISTS (SELECT FROM %1$I.defect AS f WHERE f.customer_id %4$s d.customer_id AND f.check_name
					OPERATOR(pg_catalog.=) ANY ('{null_date,null_amount,null_margin,zero_amount,duplicate,duplicate_customer}')) THEN 'rows are doubtful'
				ELSE coalesce(%5$s) END AS obstacle
		FROM %6$s AS d
		LEFT JOIN %1$I.customer_history AS h ON h.customer_id %4$s d.customer_id
		%3$s
		WHERE d.customer_id IS DISTINCT FROM NULL$query$, portfolio,
		string_agg(CASE WHEN c.name = ANY (changed) THEN format('%1$I.result AS %1$I', c.name) ELSE format('h.%I', c.name) END, ', ' ORDER BY c.ordinal),
		string_agg(format('CROSS JOIN LATERAL segment_internal.history_change(h.%1$I, d.%2$I, d.%3$I, %4$L) AS %1$I',
			c.name, c.name || '_added', c.name || '_removed', c.name <> 'margins'), E'\n\t\t' ORDER BY c.ordinal) FILTER (WHERE c.name = ANY (changed)),
		(segment_internal.portfolio_key(portfolio)).equality,
		string_agg(format('%I.obstacle', c.name), ', ' ORDER BY c.ordinal) FILTER (WHERE c.name = ANY (changed)), change, noted)
	FROM segment_internal.history_columns(portfolio) AS c);
END
$fold_query$;
COMMENT ON FUNCTION segment_internal.fold_query(text, segment_internal.fold_source[], text, text) IS
'the query of the histories of customers after what a FROM item like table refresh_change tells, given one with the customers who are read in any case, and of what keeps them from being told (internal)';

/*
 * The commands that read, for run_at_once.  The logs are emptied of what was there
 * in the snapshot in which everything else is read: no row is counted both by the
 * reading and, later, from the log, and none is lost.
 */
CREATE FUNCTION segment_internal.refresh_commands(portfolio text, definition jsonb, changes_only boolean, folding boolean)
RETURNS TABLE (command text, path text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 10
SET search_path = pg_catalog, pg_temp
AS $refresh_commands$
DECLARE
	equality text := (segment_internal.portfolio_key(portfolio)).equality;
	keys text := CASE WHEN changes_only THEN segment_internal.log_keys(portfolio) END;
	-- keys that are arrays cannot be the parameter that says whom to read, so all are read
	sources segment_internal.fold_source[] := CASE WHEN folding AND keys IS NOT NULL AND (segment_internal.portfolio_key(portfolio)).base_type NOT LIKE '%[]'
		THEN segment_internal.fold_sources(portfolio, definition) ELSE '{}' END;
BEGIN
	folding := sources <> '{}';
	IF keys IS NOT NULL THEN
		RETURN QUERY SELECT format('INSERT INTO %1$I.refresh_key (customer_id, everybody, folded) SELECT c.customer_id, false, %2$L FROM (%3$s) AS c',
			portfolio, folding, keys), NULL;
	END IF;
	IF folding THEN
		-- notes that were committed since others were taken: a statement may have logged some of its rows before it noted all
		RETURN QUERY VALUES
			(format('INSERT INTO %1$I.refresh_key (customer_id, everybody) SELECT c.customer_id, false FROM %1$I.changed_customer AS c
				WHERE c.customer_id IS DISTINCT FROM NULL', portfolio), NULL),
			(format('UPDATE %1$I.refresh_key AS k SET folded = false
				WHERE k.folded AND (EXISTS (SELECT FROM %1$I.changed_customer AS c WHERE c.everybody) OR EXISTS (SELECT FROM %1$I.unnoted_change))',
				portfolio), NULL),
			(format('CREATE UNLOGGED TABLE %I.refresh_change AS %s', portfolio,
				segment_internal.fold_change_query(portfolio, sources, definition ->> 'timezone')), definition ->> 'search_path'),
			(format('CREATE UNLOGGED TABLE %I.refresh_fold AS %s', portfolio, segment_internal.fold_query(portfolio, sources,
				format('%I.refresh_change', portfolio), format('(SELECT k.customer_id FROM %I.refresh_key AS k WHERE NOT k.folded)', portfolio))), NULL),
			(format('UPDATE %1$I.refresh_key AS k SET folded = false FROM %1$I.refresh_fold AS f
				WHERE k.folded AND f.obstacle IS NOT NULL AND k.customer_id %2$s f.customer_id', portfolio, equality), NULL),
			-- changes of rows that no query lets through
			(format('DELETE FROM %1$I.refresh_key AS k
				WHERE k.folded AND NOT EXISTS (SELECT FROM %1$I.refresh_fold AS f WHERE k.customer_id %2$s f.customer_id)', portfolio, equality), NULL);
	END IF;
	-- a table of the portfolio's and not a temporary one, which the owner's
	-- queries could leave traps around
	RETURN QUERY VALUES
		('SELECT ' || CASE WHEN changes_only THEN segment_internal.refresh_keys(portfolio, true) ELSE $$'{}'::text[]$$ END, NULL),
		(format('CREATE UNLOGGED TABLE %I.refresh_read AS %s', portfolio,
			segment_internal.refresh_read_query(portfolio, definition, changes_only)), definition ->> 'search_path');
	IF folding THEN
		RETURN QUERY SELECT format($command$
			INSERT INTO %1$I.refresh_read (customer_id, %2$s, listed, attributes)
			SELECT f.customer_id, %3$s, f.listed, f.attributes FROM %1$I.refresh_fold AS f
			WHERE f.obstacle IS NULL AND (f.listed OR num_nonnulls(%3$s) > 0)$command$, portfolio,
			string_agg(format('%I', c.name), ', ' ORDER BY c.ordinal), string_agg(format('f.%I', c.name), ', ' ORDER BY c.ordinal)), NULL
		FROM segment_internal.history_columns(portfolio) AS c;
	END IF;
	-- logs that are not in use must be empty (see log_has_strays): if they have got rows by now, the next refresh reads everything
	RETURN QUERY SELECT format('DELETE FROM %I.%I', portfolio, l.name), NULL FROM segment_internal.log_tables(portfolio) AS l
	WHERE NOT changes_only OR l.log IN (SELECT u.log FROM segment_internal.log_in_use(portfolio) AS u);
END
$refresh_commands$;
COMMENT ON FUNCTION segment_internal.refresh_commands(text, jsonb, boolean, boolean) IS
'the commands, each with its search path, that take the logs and read the sources into table refresh_read: everybody, or the customers in table refresh_key and in the logs, the latter, with folding, as far as needed (internal)';

CREATE FUNCTION segment_internal.refresh_take(portfolio text, definition jsonb, changes_only boolean, folding boolean) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
SELECT segment_internal.run_at_once(array_agg(c.command ORDER BY c.n), array_agg(c.path ORDER BY c.n))
FROM segment_internal.refresh_commands(portfolio, definition, changes_only, folding) WITH ORDINALITY AS c(command, path, n);
END;
COMMENT ON FUNCTION segment_internal.refresh_take(text, jsonb, boolean, boolean) IS
'takes the logs and reads the sources: see refresh_commands (internal)';

/*
 * The same, and why customers were read again.  A row of the log may be one that
 * the query fails for, and that was changed again since: then all are read again.
 */
CREATE FUNCTION segment_internal.refresh_take_changes(portfolio text, definition jsonb) RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $refresh_take_changes$
DECLARE
	again text;
BEGIN
	BEGIN
		PERFORM segment_internal.refresh_take(portfolio, definition, true, true);
	EXCEPTION WHEN OTHERS THEN
		IF segment_internal.is_beyond_query(SQLSTATE) THEN
			RAISE;
		END IF;
		again := format('all of them read again, since changes could not be added: %s', SQLERRM);
		PERFORM segment_internal.refresh_take(portfolio, definition, true, false);
		RETURN again;
	END;
	IF to_regclass(format('%I.refresh_fold', portfolio)) IS NOT NULL THEN
		EXECUTE format($query$
			SELECT string_agg(format('%%s read again, since %%s', f.n, f.obstacle), ', ' ORDER BY f.n DESC, f.obstacle)
			FROM (SELECT f.obstacle, count(*) AS n FROM %1$I.refresh_fold AS f WHERE f.obstacle <> 'noted' GROUP BY 1) AS f$query$, portfolio)
		INTO again;
		EXECUTE format('DROP TABLE %1$I.refresh_change, %1$I.refresh_fold', portfolio);
	END IF;
	RETURN again;
END
$refresh_take_changes$;
COMMENT ON FUNCTION segment_internal.refresh_take_changes(text, jsonb) IS
'takes the logs and reads changed customers into table refresh_read, from the logs where that can be, else from the sources; returns how many of those in the logs were read again, and why (NULL: none) (internal)';
