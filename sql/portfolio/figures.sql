/*
 * figures: those of all customers while a refresh is under way
 *
 * A scorecard is computed in three steps: what does not depend on it, from one
 * pass over the figures as they come; then, with its models, the predictions; then
 * the cuts over these.  So that nothing is predicted twice, the second step
 * leaves the figures of everybody in the table refresh_figures, from which cuts
 * and rows are made.
 */

/*
 * From the histories, or from kept figures that hold on the day.  Those of events are NULL
 * where the scorecard is still to be made, which does not look at them.  While a
 * scorecard is kept, customers are seen from the day of a later order: then today is given.
 */
CREATE FUNCTION segment_internal.figures_query(
	portfolio text, scorecard_id bigint, as_of date, from_kept boolean, has_scorecard boolean, today date
) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN (SELECT format($template$
		SELECT h.customer_id, %3$s%4$s
		FROM %1$I.scorecards(ARRAY[%2$s]) AS s%5$s%6$s%7$s$template$, portfolio, scorecard_id,
	(SELECT string_agg(format(CASE WHEN e.attname IS NULL THEN 'f.%2$I' WHEN has_scorecard AND events.item <> '' THEN 'e.%2$I' ELSE 'NULL::%1$s AS %2$I' END, c.type, c.name),
			', ' ORDER BY c.ordinal)
		FROM segment_internal.customer_columns() AS c
		LEFT JOIN pg_attribute AS e ON e.attrelid = 'segment_internal.event_figures'::regclass AND e.attname = c.name
		WHERE c.name <> 'kept_from'),
	(SELECT string_agg(format(CASE WHEN from_kept THEN ', h.%I' ELSE ', a.%I' END, c.name), '' ORDER BY c.ordinal)
		FROM segment_internal.attribute_columns(portfolio) AS c),
	segment_internal.customer_figures_items(portfolio,
		format(CASE WHEN from_kept THEN 'greatest(h.as_of, %L::date)' WHEN today IS NOT NULL
			THEN 'segment_internal.judged_day(h.purchases, %L::date, %L::date)' ELSE '%L::date' END, as_of, today), from_kept),
	a.item, CASE WHEN has_scorecard THEN events.item END)
	FROM segment_internal.attribute_item(portfolio, from_kept) AS a
	CROSS JOIN segment_internal.event_item(portfolio, 'f.as_of', false) AS events);
COMMENT ON FUNCTION segment_internal.figures_query(text, bigint, date, boolean, boolean, date) IS
'the query of the columns of all customers but for classes, by a scorecard as of a day, or, if today is given, of the newest order up to it where that is later, from the histories, or from figures that are kept and still hold (internal)';

/* Of a row h of refresh_figures. */
CREATE FUNCTION segment_internal.figures_value() RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
SELECT format('ROW(%s)::segment_internal.customer_figures', string_agg(
	CASE WHEN c.name IS NULL THEN 'NULL' ELSE format('h.%I', a.attname) END, ', ' ORDER BY a.attnum))
FROM pg_attribute AS a
LEFT JOIN segment_internal.customer_columns() AS c ON c.name = a.attname
WHERE a.attrelid = 'segment_internal.customer_figures'::regclass AND a.attnum > 0 AND NOT a.attisdropped;
END;
COMMENT ON FUNCTION segment_internal.figures_value() IS
'the expression that makes a value of customer_figures of the columns of a FROM item h (internal)';

/* It is dropped by kept_fill, or by whom does not need it. */
CREATE FUNCTION segment_internal.figures_create(portfolio text, scorecard_id bigint, as_of date, from_kept boolean, today date) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $figures_create$
BEGIN
	-- a table is filled by parallel workers only when it is created
	EXECUTE format('CREATE UNLOGGED TABLE %I.refresh_figures AS %s', portfolio,
		segment_internal.figures_query(portfolio, scorecard_id, as_of, from_kept, true, today));
END
$figures_create$;
COMMENT ON FUNCTION segment_internal.figures_create(text, bigint, date, boolean, date) IS
'creates the table refresh_figures of a portfolio: the figures of all customers by a scorecard as of a day (internal)';
