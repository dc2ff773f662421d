/*
 * refresh_defect: brings the doubtful rows of a portfolio, in table defect, up to date
 *
 * Those that reading the sources has told, those that can be seen in the stored
 * histories (sql/portfolio/defect.sql), and the events after today.
 */

/* Of a source of histories: what can be told of it, and which checks could not be made. */
CREATE FUNCTION segment_internal.refresh_histories_defect_query(
	portfolio text, source text, shape segment_internal.source_shape
) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN format($template$
	SELECT %1$L, 'null_customer', NULL::%4$s, g.count, %3$s
	FROM (
		SELECT pg_catalog.sum(segment.orders(e.history) OPERATOR(pg_catalog.+) segment.refunds(e.history)) AS count,
			pg_catalog.sum(segment.net(e.history)) AS money
		FROM %2$s
		WHERE e.customer_id IS NOT DISTINCT FROM NULL
	) AS g
	WHERE g.count OPERATOR(pg_catalog.>) 0
	UNION ALL
	SELECT q.source, q.check_name, NULL, NULL, NULL
	FROM segment_internal.quality_check AS q
	WHERE q.source OPERATOR(pg_catalog.=) %1$L
		AND q.check_name OPERATOR(pg_catalog.=) ANY ('{null_date,null_amount,null_margin,zero_amount,duplicate}'::pg_catalog.text[])$template$,
	source, segment_internal.source_events(shape), CASE WHEN segment_internal.source_has_money(source) THEN 'g.money' ELSE '0' END,
	(segment_internal.portfolio_key(portfolio)).key_cast);
COMMENT ON FUNCTION segment_internal.refresh_histories_defect_query(text, text, segment_internal.source_shape) IS
'the query for the rows of table defect of a source of histories: events without a customer, and a row without a count for each check that needs the events themselves (internal)';

/* Of the source customers: rows without a key, and rows that name a customer again. */
CREATE FUNCTION segment_internal.refresh_customers_defect_query(
	portfolio text, shape segment_internal.source_shape, changes_only boolean
) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN (SELECT format($template$
	SELECT 'customers', CASE WHEN g.customer_id IS NOT DISTINCT FROM NULL THEN 'null_customer' ELSE 'duplicate_customer' END,
		g.customer_id, CASE WHEN g.customer_id IS NOT DISTINCT FROM NULL THEN g.n ELSE g.n OPERATOR(pg_catalog.-) 1 END, 0
	FROM (
		SELECT a.segment_customer::%1$s AS customer_id, pg_catalog.count(*) AS n
		FROM (%2$s
		) AS a (segment_customer)%3$s
		GROUP BY 1
	) AS g
	WHERE g.customer_id IS NOT DISTINCT FROM NULL OR g.n OPERATOR(pg_catalog.>) 1$template$,
	key.key_cast || key.key_collation, (shape).statement,
	CASE WHEN changes_only THEN format(E'\n\t\tWHERE %s OR a.segment_customer IS NOT DISTINCT FROM NULL',
		segment_internal.refresh_key_condition(portfolio, shape, 'a.segment_customer')) END)
	FROM segment_internal.portfolio_key(portfolio) AS key);
COMMENT ON FUNCTION segment_internal.refresh_customers_defect_query(text, segment_internal.source_shape, boolean) IS
'the query that finds doubtful rows of the source customers, all or those of the customers in table refresh_key and of none (internal)';

/* Of a source of events: what its reading has told, in a FROM item with the columns customer_id, counts and money. */
CREATE FUNCTION segment_internal.refresh_events_defect_query(source text, item text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN format($template$
	SELECT %1$L, q.check_name, r.customer_id, d.count, %3$s
	FROM %2$s AS r
	-- in the order of checked_histories
	CROSS JOIN LATERAL ROWS FROM (
		pg_catalog.unnest('{null_customer,null_date,null_amount,null_margin,zero_amount,duplicate}'::pg_catalog.text[]),
		pg_catalog.unnest(r.counts), pg_catalog.unnest(r.money)) AS d(check_name, count, money)
	JOIN segment_internal.quality_check AS q ON q.source OPERATOR(pg_catalog.=) %1$L
		AND q.check_name OPERATOR(pg_catalog.=) d.check_name
	WHERE r.counts IS NOT NULL AND d.count OPERATOR(pg_catalog.>) 0$template$,
	source, item, CASE WHEN segment_internal.source_has_money(source) THEN 'd.money' ELSE '0' END);
COMMENT ON FUNCTION segment_internal.refresh_events_defect_query(text, text) IS
'the query that takes the doubtful rows of a source of events out of what was read (internal)';

/* Those of one source, added to table defect. */
CREATE FUNCTION segment_internal.refresh_source_defects(
	portfolio text, source text, shape segment_internal.source_shape, query_path text, changes_only boolean
) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $refresh_source_defects$
DECLARE
	query text := CASE
		WHEN source = 'customers' THEN
			segment_internal.refresh_customers_defect_query(portfolio, shape, changes_only)
		WHEN (shape).histories THEN segment_internal.refresh_histories_defect_query(portfolio, source, shape)
		WHEN source IN (SELECT e.source FROM segment_internal.event_sources() AS e) THEN
			segment_internal.refresh_events_defect_query(source, format(
				'(SELECT e.customer_id, e.counts, e.money FROM %I.refresh_event AS e WHERE e.source OPERATOR(pg_catalog.=) %L)', portfolio, source))
		ELSE segment_internal.refresh_events_defect_query(source, format(
			'(SELECT e.customer_id, e.%I AS counts, e.%I AS money FROM %I.refresh_read AS e)', source || '_counts', source || '_money', portfolio)) END;
BEGIN
	PERFORM segment_internal.refresh_run(portfolio, format('INSERT INTO %I.defect %s', portfolio, query), query_path, changes_only, true);
END
$refresh_source_defects$;
COMMENT ON FUNCTION segment_internal.refresh_source_defects(text, text, segment_internal.source_shape, text, boolean) IS
'finds the doubtful rows of a source, all or those of the customers in table refresh_key (internal)';

/*
 * Brings table defect up to date.  A future date is one only until that day
 * has come, so customers who had one are looked at again in any case.
 */
CREATE FUNCTION segment_internal.refresh_defects(
	portfolio text, definition jsonb, key_equality text, today date, changes_only boolean
) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $refresh_defects$
DECLARE
	s record;
BEGIN
	EXECUTE format($template$DELETE FROM %I.defect AS d WHERE d.check_name <> 'future_date'%s$template$, portfolio,
		CASE WHEN changes_only THEN format(' AND EXISTS (
			SELECT FROM %I.refresh_key AS k WHERE k.customer_id %s d.customer_id)', portfolio, key_equality) END);
	IF changes_only THEN
		EXECUTE format('DELETE FROM %I.defect AS d WHERE d.customer_id IS NOT DISTINCT FROM NULL', portfolio);
	END IF;
	FOR s IN SELECT * FROM segment_internal.portfolio_sources(definition) LOOP
		PERFORM segment_internal.refresh_source_defects(portfolio, s.source,
			segment_internal.check_source(s.source, s.query, definition ->> 'search_path'),
			definition ->> 'search_path', changes_only);
	END LOOP;
	PERFORM segment_internal.defect_histories(portfolio, definition, changes_only);
	PERFORM segment_internal.defect_events(portfolio, definition);
	IF segment_internal.key_is_string(portfolio) THEN
		PERFORM segment_internal.defect_similar_keys(portfolio, changes_only);
	END IF;
	PERFORM segment_internal.refresh_future_dates(portfolio, definition, key_equality, today, changes_only);
END
$refresh_defects$;
COMMENT ON FUNCTION segment_internal.refresh_defects(text, jsonb, text, date, boolean) IS
'finds the doubtful rows of all sources anew, or those of the customers in table refresh_key (internal)';

/* Events after today, from the stored histories. */
CREATE FUNCTION segment_internal.refresh_future_dates(
	portfolio text, definition jsonb, key_equality text, today date, changes_only boolean
) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $refresh_future_dates$
DECLARE
	s record;
BEGIN
	FOR s IN SELECT * FROM segment_internal.portfolio_sources(definition) AS p WHERE p.form <> 'attributes' LOOP
		EXECUTE format($template$
			WITH before AS (
				DELETE FROM %1$I.defect AS d
				WHERE d.source = %2$L AND d.check_name = 'future_date'
				RETURNING d.customer_id
			)
			INSERT INTO %1$I.defect
			SELECT %2$L, 'future_date', f.customer_id,
				segment.orders(f.later) + segment.refunds(f.later),
				CASE WHEN segment_internal.source_has_money(%2$L) THEN segment.net(f.later) ELSE 0 END
			FROM (
				SELECT c.customer_id, segment.during(c.events, %3$L::date + 1, '5874897-12-31') AS later
				FROM %5$s AS c%4$s
			) AS f
			WHERE f.later IS NOT NULL$template$, portfolio, s.source, today,
			CASE WHEN changes_only THEN format('
				WHERE EXISTS (
					SELECT FROM (
						SELECT k.customer_id FROM %I.refresh_key AS k
						UNION ALL
						SELECT b.customer_id FROM before AS b
					) AS k
					WHERE k.customer_id %s c.customer_id)', portfolio, key_equality) END,
			CASE s.form WHEN 'events' THEN format('(SELECT h.customer_id, h.events FROM %I.event_history AS h WHERE h.source = %L)', portfolio, s.source)
				ELSE format('(SELECT h.customer_id, h.%I AS events FROM %I.customer_history AS h)', s.source, portfolio) END);
	END LOOP;
END
$refresh_future_dates$;
COMMENT ON FUNCTION segment_internal.refresh_future_dates(text, jsonb, text, date, boolean) IS
'finds the events after today anew, or those of the customers in table refresh_key and of those who had some (internal)';
