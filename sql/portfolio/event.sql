/*
 * event: events that have a text beside the time: the place of a visit, the
 * channel of a contact, the category of a line of an order
 *
 * They are kept in the table event_history of the portfolio, a history for each
 * source, customer and text, so that every past day can be seen.  What a customer's row
 * takes from them are the columns of event_figures, computed for one
 * customer and day by the portfolio's function customer_events.  A portfolio without such
 * sources has an empty table, and no query of a row looks into it.
 */

CREATE TYPE segment_internal.event_figures AS (
	place_visits bigint, places bigint, main_place text, main_place_share float8, visit_gap_ratio float8,
	period_contacts bigint, categories bigint, margin_share float8
);
COMMENT ON TYPE segment_internal.event_figures IS
'the columns of a customer''s row (customer_columns) that come from table event_history (internal)';

CREATE FUNCTION segment_internal.period_start(day date, days integer) RETURNS date
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE WHEN day - date '4714-11-24 BC' < days THEN date '4714-11-24 BC' ELSE day - days + 1 END;
COMMENT ON FUNCTION segment_internal.period_start(date, integer) IS
'the first of so many days up to a day, the oldest day there is where they go beyond it (internal)';

CREATE FUNCTION segment_internal.event_create_tables(portfolio text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $event_create_tables$
DECLARE
	key record := segment_internal.portfolio_key(portfolio);
BEGIN
	EXECUTE format($template$
		-- the key with its own type, domain and collation
		CREATE TABLE %1$I.event_history AS
			SELECT NULL::text AS source, c.customer_id FROM %1$I.customer_history AS c WITH NO DATA;
		ALTER TABLE %1$I.event_history
			ALTER COLUMN source SET NOT NULL,
			ADD COLUMN value text,
			ADD COLUMN events segment.history NOT NULL,
			ADD COLUMN margins segment.history,
			-- without a key: so that a publication may have it
			REPLICA IDENTITY FULL;
		CREATE INDEX ON %1$I.event_history (customer_id);
		-- by which events are grouped while they are read
		CREATE TYPE %1$I.event_key AS (customer_id %2$s%3$s, value text)$template$, portfolio, key.key_cast, key.key_collation);
END
$event_create_tables$;
COMMENT ON FUNCTION segment_internal.event_create_tables(text) IS
'creates the table of the concept event (internal)';

/* Which of the sources a portfolio has. */
CREATE FUNCTION segment_internal.portfolio_event_sources(portfolio text) RETURNS text[]
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $portfolio_event_sources$
DECLARE
	definition jsonb;
BEGIN
	EXECUTE format('SELECT to_jsonb(p) FROM %I.portfolio AS p', portfolio) INTO definition;
	RETURN ARRAY(SELECT s.source FROM segment_internal.portfolio_sources(definition) AS s WHERE s.form = 'events');
END
$portfolio_event_sources$;
COMMENT ON FUNCTION segment_internal.portfolio_event_sources(text) IS
'the sources of a portfolio whose events have a text beside the time (internal)';

/* ---------- one customer ---------- */

/*
 * The function customer_events(customer, day, terms): parts of sources that the
 * portfolio does not have are NULL.  The planner puts it into the query around it.
 */
CREATE FUNCTION segment_internal.event_define(portfolio text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $event_define$
DECLARE
	sources text[] := segment_internal.portfolio_event_sources(portfolio);
	visits text := 'SELECT NULL::bigint AS place_visits, NULL::bigint AS places, NULL::text AS main_place, NULL::float8 AS main_place_share,
			NULL::float8 AS visit_gap_ratio';
	contacts text := 'SELECT NULL::bigint AS period_contacts';
	lines text := 'SELECT NULL::bigint AS categories, NULL::float8 AS margin_share';
BEGIN
	IF 'visits' = ANY (sources) THEN
		visits := $visits$SELECT coalesce(sum(t.visits), 0)::bigint AS place_visits, count(t.visits) FILTER (WHERE t.value IS NOT NULL) AS places,
			(array_agg(t.value ORDER BY t.visits DESC, t.last_day DESC, t.value COLLATE "C")
				FILTER (WHERE t.visits > 0 AND t.value IS NOT NULL))[1] AS main_place,
			(max(t.visits) FILTER (WHERE t.value IS NOT NULL)
				/ nullif(sum(t.visits) FILTER (WHERE t.value IS NOT NULL), 0))::float8 AS main_place_share,
			-- the own rhythm of visits, as gap_ratio is that of orders
			segment_internal.gap_ratio($2 - max(t.last_day_ever), max(t.last_day_ever) - min(t.first_day_ever),
				segment.purchase_days(segment.rollup(t.until_then)), ($3).prior_gaps, ($3).usual_gap_days) AS visit_gap_ratio
		FROM (
			SELECT e.value, segment.orders(u.recent) AS visits, segment.last_day(u.recent) AS last_day,
				u.until_then, segment.first_day(u.until_then) AS first_day_ever, segment.last_day(u.until_then) AS last_day_ever
			FROM %1$I.event_history AS e
			CROSS JOIN LATERAL (
				SELECT segment.as_of(e.events, $2) AS until_then,
					segment.during(e.events, segment_internal.period_start($2, ($3).period_days), $2) AS recent
			) AS u
			WHERE e.source = 'visits' AND e.customer_id %2$s $1
		) AS t$visits$;
	END IF;
	IF 'contacts' = ANY (sources) THEN
		contacts := $contacts$SELECT coalesce(sum(segment.orders(segment.during(e.events, segment_internal.period_start($2, ($3).period_days), $2))), 0)::bigint
			AS period_contacts
		FROM %1$I.event_history AS e
		WHERE e.source = 'contacts' AND e.customer_id %2$s $1$contacts$;
	END IF;
	IF 'lines' = ANY (sources) THEN
		lines := $lines$SELECT count(*) FILTER (WHERE t.value IS NOT NULL AND segment.orders(t.until_then) > 0) AS categories,
			(coalesce(sum(segment.net(t.until_then)) FILTER (WHERE t.value = ANY (($3).high_margin_categories)), 0)
				/ nullif(greatest(sum(segment.net(t.until_then)), 0), 0))::float8 AS margin_share
		FROM (
			SELECT e.value, segment.as_of(e.events, $2) AS until_then
			FROM %1$I.event_history AS e
			WHERE e.source = 'lines' AND e.customer_id %2$s $1
		) AS t$lines$;
	END IF;
	EXECUTE format($template$
		CREATE OR REPLACE FUNCTION %1$I.customer_events("the customer" %2$s, "the day" date, "the terms" segment_internal.scorecard_terms)
		RETURNS SETOF segment_internal.event_figures
		LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
		BEGIN ATOMIC
		SELECT v.place_visits, v.places, v.main_place, v.main_place_share, v.visit_gap_ratio,
			c.period_contacts, l.categories, l.margin_share
		FROM (%3$s) AS v
		CROSS JOIN (%4$s) AS c
		CROSS JOIN (%5$s) AS l;
		END$template$, portfolio,
		(SELECT format_type(a.atttypid, a.atttypmod) FROM pg_attribute AS a
		WHERE a.attrelid = format('%I.customer_history', portfolio)::regclass AND a.attname = 'customer_id'),
		format(visits, portfolio, (segment_internal.portfolio_key(portfolio)).equality),
		format(contacts, portfolio, (segment_internal.portfolio_key(portfolio)).equality),
		format(lines, portfolio, (segment_internal.portfolio_key(portfolio)).equality));
END
$event_define$;
COMMENT ON FUNCTION segment_internal.event_define(text) IS
'creates or replaces the function customer_events of a portfolio (internal)';

/*
 * The figures of the FROM item h as of a day (an expression), by the scorecard s, and the
 * argument of customer_row that they are; if h has them as columns, these.
 */
CREATE FUNCTION segment_internal.event_item(portfolio text, as_of text, are_columns boolean, OUT item text, OUT value text)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $event_item$
BEGIN
	item := '';
	value := 'NULL';
	IF segment_internal.portfolio_event_sources(portfolio) = '{}' THEN
		RETURN;
	ELSIF are_columns THEN
		value := (SELECT format('ROW(%s)::segment_internal.event_figures', string_agg(format('h.%I', a.attname), ', ' ORDER BY a.attnum))
			FROM pg_attribute AS a WHERE a.attrelid = 'segment_internal.event_figures'::regclass);
	ELSE
		item := format($template$
		CROSS JOIN LATERAL %1$I.customer_events(h.customer_id, %2$s, s.terms) AS e$template$, portfolio, as_of);
		value := 'e.*';
	END IF;
END
$event_item$;
COMMENT ON FUNCTION segment_internal.event_item(text, text, boolean) IS
'the FROM item that computes the figures of table event_history for customers h, empty if h has them as columns, and the value of type event_figures; empty, and NULL, for a portfolio without such sources (internal)';

/* ---------- everybody ---------- */

CREATE FUNCTION segment_internal.event_high_margin_categories(portfolio text, as_of date, margin_limit numeric) RETURNS text[]
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $event_high_margin_categories$
DECLARE
	categories text[];
BEGIN
	IF 'lines' = ANY (segment_internal.portfolio_event_sources(portfolio)) THEN
		EXECUTE format($query$
			SELECT array_agg(c.value ORDER BY c.value COLLATE "C")
			FROM (
				SELECT e.value, sum(segment.net(segment.as_of(e.events, $1))) AS sales, sum(segment.net(segment.as_of(e.margins, $1))) AS margin
				FROM %I.event_history AS e
				WHERE e.source = 'lines' AND e.value IS NOT NULL
				GROUP BY e.value
			) AS c
			WHERE c.sales > 0 AND c.margin > $2 * c.sales$query$, portfolio)
		INTO categories USING as_of, margin_limit;
		categories := coalesce(categories, '{}');
	END IF;
	RETURN categories;
END
$event_high_margin_categories$;
COMMENT ON FUNCTION segment_internal.event_high_margin_categories(text, date, numeric) IS
'the categories whose margin, by the lines of all customers up to a day, is more than this share of their sales; NULL without the source lines (internal)';

/* ---------- views ---------- */

CREATE FUNCTION segment_internal.event_create_views(portfolio text, security_invoker boolean) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $event_create_views$
BEGIN
	EXECUTE format($template$
		CREATE OR REPLACE VIEW %1$I.customer_place WITH (security_invoker = %2$s) AS
		SELECT c.customer_id, c.as_of, c.place_visits, c.places, c.main_place, c.main_place_share, c.visit_gap_ratio
		FROM %1$I.customer AS c
		WHERE c.visit_gap_ratio IS NOT NULL$template$, portfolio, security_invoker);
END
$event_create_views$;
COMMENT ON FUNCTION segment_internal.event_create_views(text, boolean) IS
'creates or replaces the views of the concept event (internal)';

CREATE FUNCTION segment_internal.event_comments() RETURNS TABLE (relation text, col text, meaning text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 30
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
SELECT v.* FROM (VALUES
	('event_history', NULL, 'per source, customer and text the dated series of events: visits by place, contacts by channel, lines of orders by category'),
	('event_history', 'source', 'visits, contacts or lines'),
	('event_history', 'customer_id', 'key of the customer, of the type in table customer_history, which need not have the customer'),
	('event_history', 'value', 'place, channel or category; NULL: not known'),
	('event_history', 'events', 'visits and contacts, each with the amount 1, or the sales of the lines'),
	('event_history', 'margins', 'contribution of the lines; NULL for visits and contacts'),
	('event_key', NULL, 'customer and text of an event, as events are grouped while they are read'),
	('customer_events(*)', NULL, 'what the row of a customer takes from table event_history as of the end of a day, by a scorecard''s terms (segment_internal.event_figures) (internal)'),
	('customer_place', NULL, 'one row per customer who has made a visit (source visits): where, and how faithful to one place, in the last period (setting period_days)'),
	('customer_place', 'customer_id', 'key of the customer'),
	('customer_place', 'as_of', 'day from whose end everything is seen'),
	('customer_place', 'place_visits', 'number of visits in the last period, >= 0; more is better'),
	('customer_place', 'places', 'number of different places of these visits, >= 0'),
	('customer_place', 'main_place', 'place of most of these visits; of equal ones that of the latest visit; NULL: none in the period, or no places known'),
	('customer_place', 'main_place_share', 'share of these visits, as far as their place is known, that are to the main place, 0..1; higher is more faithful; NULL as main_place'),
	('customer_place', 'visit_gap_ratio', 'days since the last visit divided by the customer''s usual gap between visits, >= 0; fewer is better')
) AS v(relation, col, meaning);
END;
COMMENT ON FUNCTION segment_internal.event_comments() IS
'the comments on the table, the views and functions of the concept event (internal)';
