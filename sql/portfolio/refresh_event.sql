/*
 * refresh_event: reads the events that have a text, and brings table event_history to them
 */

/*
 * A source as a query of its histories, one row per customer and text, with what
 * is doubtful about the rows (see checked_histories).  Customer and text are one key, of the
 * type event_key, whose equality is that of the customer's key.
 */
CREATE FUNCTION segment_internal.event_source_query(
	portfolio text, source text, shape segment_internal.source_shape, timezone text, changes_only boolean
) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN (SELECT format($query$
	SELECT %1$L AS source, (t.key).customer_id, (t.key).value, t.events, %2$s AS margins, t.counts, t.money
	FROM segment_internal.checked_histories(%1$L, %3$L, %4$L, $1)
		AS t (key %5$I.event_key, events segment.history%6$s, counts pg_catalog.int8[], money pg_catalog.numeric[])$query$,
	source, CASE WHEN (shape).margin IS NOT NULL THEN 't.margins' ELSE 'NULL::segment.history' END,
	format($template$
		SELECT CASE WHEN e.customer_id IS DISTINCT FROM NULL THEN ROW(e.customer_id::%1$s, %2$s)::%3$I.event_key END, e.at, %4$s%5$s
		FROM %6$s%7$s$template$,
		key.key_cast || key.key_collation, coalesce((shape).value, 'NULL'), portfolio, (shape).amount,
		-- a line without an amount counts nowhere
		CASE WHEN (shape).margin IS NOT NULL THEN format(', CASE WHEN e.amount IS NOT NULL THEN %s END', (shape).margin) END,
		segment_internal.source_events(shape),
		CASE WHEN changes_only THEN format(E'\n\t\tWHERE %s OR e.customer_id IS NOT DISTINCT FROM NULL',
			segment_internal.refresh_key_condition(portfolio, shape, 'e.customer_id')) END),
	timezone, portfolio, CASE WHEN (shape).margin IS NOT NULL THEN ', margins segment.history' END)
	FROM segment_internal.portfolio_key(portfolio) AS key);
COMMENT ON FUNCTION segment_internal.event_source_query(text, text, segment_internal.source_shape, text, boolean) IS
'the query that reads a source of events with a text into histories and counts of doubtful rows, all or those of the customers in table refresh_key (internal)';

/* Into table refresh_event, if there is anything to read, or has been: else false. */
CREATE FUNCTION segment_internal.event_read(portfolio text, definition jsonb, changes_only boolean) RETURNS boolean
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $event_read$
DECLARE
	s record;
	shape segment_internal.source_shape;
	queries text;
	has_had boolean;
BEGIN
	FOR s IN SELECT * FROM segment_internal.portfolio_sources(definition) AS p WHERE p.form = 'events' LOOP
		shape := segment_internal.check_source(s.source, s.query, definition ->> 'search_path');
		queries := concat(queries || E'\nUNION ALL', segment_internal.event_source_query(portfolio, s.source, shape,
			definition ->> 'timezone', changes_only));
	END LOOP;
	IF queries IS NULL THEN
		EXECUTE format('SELECT EXISTS (SELECT FROM %I.event_history)', portfolio) INTO has_had;
		IF has_had THEN
			EXECUTE format('DELETE FROM %I.event_history', portfolio);
		END IF;
		RETURN false;
	END IF;
	PERFORM segment_internal.refresh_run(portfolio, format('CREATE UNLOGGED TABLE %I.refresh_event AS %s', portfolio, queries),
		definition ->> 'search_path', changes_only, false);
	EXECUTE format('ANALYZE %I.refresh_event', portfolio);
	RETURN true;
END
$event_read$;
COMMENT ON FUNCTION segment_internal.event_read(text, jsonb, boolean) IS
'reads the events with a text into table refresh_event, all or those of the customers in table refresh_key; false, and no table, for a portfolio without such sources (internal)';

/*
 * Brings event_history to what was read.  Returns the number of customers whose
 * events changed and whose series, in table refresh_read, did not, so that
 * refresh_store, which comes after, does not count them.
 */
CREATE FUNCTION segment_internal.event_store(portfolio text, changes_only boolean) RETURNS bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $event_store$
DECLARE
	equality text := (segment_internal.portfolio_key(portfolio)).equality;
	-- *= compares the stored bytes
	same text := format('r.source = c.source AND r.customer_id %s c.customer_id AND r.value IS NOT DISTINCT FROM c.value
				AND ROW(r.events, r.margins)::record *= ROW(c.events, c.margins)::record', equality);
	changed bigint;
BEGIN
	EXECUTE format('CREATE UNLOGGED TABLE %1$I.event_changed AS SELECT c.customer_id FROM %1$I.event_history AS c WITH NO DATA', portfolio);
	EXECUTE format($template$
		WITH gone AS (
			DELETE FROM %1$I.event_history AS c
			WHERE %3$s NOT EXISTS (SELECT FROM %1$I.refresh_event AS r WHERE %2$s)
			RETURNING c.customer_id
		)
		INSERT INTO %1$I.event_changed SELECT g.customer_id FROM gone AS g$template$, portfolio, same,
		CASE WHEN changes_only THEN format('EXISTS (SELECT FROM %I.refresh_key AS k WHERE k.customer_id %s c.customer_id) AND', portfolio, equality) END);
	EXECUTE format($template$
		WITH written AS (
			INSERT INTO %1$I.event_history AS h (source, customer_id, value, events, margins)
			SELECT r.source, r.customer_id, r.value, r.events, r.margins
			FROM %1$I.refresh_event AS r
			WHERE r.customer_id IS DISTINCT FROM NULL AND r.events IS NOT NULL
				AND NOT EXISTS (SELECT FROM %1$I.event_history AS c WHERE %2$s)
			RETURNING h.customer_id
		)
		INSERT INTO %1$I.event_changed SELECT w.customer_id FROM written AS w$template$, portfolio, same);
	EXECUTE format($template$
		SELECT count(*)
		FROM (SELECT DISTINCT c.customer_id FROM %1$I.event_changed AS c) AS e
		JOIN %1$I.customer_history AS o ON o.customer_id %2$s e.customer_id
		JOIN %1$I.refresh_read AS r ON r.customer_id %2$s e.customer_id
		WHERE %3$s *= %4$s$template$, portfolio, equality,
		segment_internal.history_row('o'), segment_internal.history_row('r'))
	INTO changed;
	EXECUTE format('DROP TABLE %I.event_changed', portfolio);
	IF NOT changes_only THEN
		EXECUTE format('ANALYZE %I.event_history', portfolio);
	END IF;
	RETURN changed;
END
$event_store$;
COMMENT ON FUNCTION segment_internal.event_store(text, boolean) IS
'writes what a refresh has read into table refresh_event to event_history: of everybody, or of the customers in table refresh_key; returns the number of customers changed by that alone (internal)';
