/*
 * defect: what is doubtful about histories and keys, once they have been read
 *
 * The checks of single rows are made while they are read (see checked_histories).
 * These look at what was read: at each customer alone, but for keys that look
 * like another one, and for amounts that are unusual beside all others.
 */

CREATE FUNCTION segment_internal.unusual_orders(series segment.history, smallest float8, largest float8) RETURNS segment.history
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10
AS 'MODULE_PATHNAME', 'segment_unusual_orders';
COMMENT ON FUNCTION segment_internal.unusual_orders(segment.history, float8, float8) IS
'the orders of the days on which the mean amount of an order is above 0 and below smallest, or above largest; NULL: none (internal)';

/*
 * The usual amounts: within so many median absolute deviations of the median,
 * in logarithms; NULL where more than half of all amounts are the same.  Of many
 * customers, those of a sample of about 100,000 decide, the same ones each time.
 */
CREATE FUNCTION segment_internal.defect_usual_orders(portfolio text, mads float8) RETURNS float8[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $defect_usual_orders$
DECLARE
	usual float8[];
BEGIN
	EXECUTE format($query$
		WITH amount AS MATERIALIZED (
			SELECT ln(d.gross::float8 / d.orders) AS log_amount
			FROM %1$I.refresh_read AS r
			CROSS JOIN LATERAL segment.unnest(r.purchases) AS d
			WHERE d.gross > 0 AND hashtext(r.customer_id::text COLLATE "C") %% (
				SELECT greatest(count(*) / 100000, 1)::integer FROM %1$I.refresh_read) = 0
		), middle AS (
			SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY a.log_amount) AS median FROM amount AS a
		), spread AS (
			SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY abs(a.log_amount - m.median)) AS mad
			FROM amount AS a CROSS JOIN middle AS m
		)
		SELECT ARRAY[exp(greatest(m.median - $1 * s.mad, -700)), exp(least(m.median + $1 * s.mad, 700))]
		FROM middle AS m CROSS JOIN spread AS s
		WHERE s.mad > 0$query$, portfolio)
	INTO usual USING mads;
	RETURN usual;
END
$defect_usual_orders$;
COMMENT ON FUNCTION segment_internal.defect_usual_orders(text, float8) IS
'smallest and largest usual amount of an order, from the histories in table refresh_read; NULL if the amounts do not vary (internal)';

/* Keys that stand for nobody, in plain form; and the expression for that of the key of a row r. */
CREATE FUNCTION segment_internal.defect_anonymous_keys(settings jsonb) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN ARRAY(SELECT segment_internal.plain_key(k.key)
	FROM unnest(string_to_array(settings ->> 'anonymous_keys', ',') || ''::text) AS k(key));
COMMENT ON FUNCTION segment_internal.defect_anonymous_keys(jsonb) IS
'the keys that stand for nobody by the setting anonymous_keys, in lower case and without blanks (internal)';

CREATE FUNCTION segment_internal.defect_plain_key(portfolio text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
-- others than strings have no blanks
RETURN CASE WHEN segment_internal.key_is_string(portfolio) THEN 'segment_internal.plain_key(r.customer_id::text)'
	ELSE 'lower(r.customer_id::text)' END;
COMMENT ON FUNCTION segment_internal.defect_plain_key(text) IS
'the expression for the key of a row r as defect_anonymous_keys has it (internal)';

/*
 * What can be told of a customer alone, from those in table refresh_read.  What is
 * usual is found out where everything is read, and kept for the refreshes that
 * read changes only.
 */
CREATE FUNCTION segment_internal.defect_histories(portfolio text, definition jsonb, changes_only boolean) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $defect_histories$
DECLARE
	settings jsonb := segment_internal.check_settings(definition -> 'settings');
	usual float8[];
	anonymous text[] := segment_internal.defect_anonymous_keys(settings);
	plain text := segment_internal.defect_plain_key(portfolio);
	s record;
BEGIN
	IF changes_only THEN
		EXECUTE format('SELECT p.usual_orders FROM %I.portfolio AS p', portfolio) INTO STRICT usual;
	ELSE
		usual := segment_internal.defect_usual_orders(portfolio, (settings ->> 'outlier_mads')::float8);
		EXECUTE format('UPDATE %I.portfolio AS p SET usual_orders = $1 WHERE p.usual_orders IS DISTINCT FROM $1', portfolio)
		USING usual;
	END IF;
	FOR s IN SELECT * FROM segment_internal.portfolio_sources(definition) AS p WHERE p.form = 'series' LOOP
		EXECUTE format($template$
			INSERT INTO %1$I.defect
			SELECT q.source, q.check_name, r.customer_id, segment.orders(c.part) + segment.refunds(c.part),
				CASE WHEN segment_internal.source_has_money(q.source) THEN segment.net(c.part) ELSE 0 END
			FROM %1$I.refresh_read AS r
			CROSS JOIN LATERAL (VALUES
				('old_date', segment.as_of(r.%2$I, $1 - 1)),
				('anonymous_customer', CASE WHEN %3$s = ANY ($2) THEN r.%2$I END),
				('unknown_customer', CASE WHEN r.purchases IS NULL AND NOT r.listed THEN r.%2$I END),
				('refund_without_purchase', CASE WHEN segment.orders(r.%2$I) = 0 THEN r.%2$I END),
				('unusual_amount', segment_internal.unusual_orders(r.%2$I, $3, $4))) AS c(check_name, part)
			JOIN segment_internal.quality_check AS q ON q.source = %2$L AND q.check_name = c.check_name
			WHERE r.customer_id IS DISTINCT FROM NULL AND c.part IS NOT NULL$template$, portfolio, s.source, plain)
		USING (settings ->> 'oldest_day')::date, anonymous, usual[1], usual[2];
	END LOOP;
	EXECUTE format($template$
		INSERT INTO %1$I.defect
		SELECT 'purchases', 'cancelled_same_day', r.customer_id, sum(least(u.orders, u.refunds)), sum(least(u.gross, u.refunded))
		FROM %1$I.refresh_read AS r
		CROSS JOIN LATERAL segment.unnest(r.purchases) AS u
		WHERE segment.orders(r.purchases) > 0 AND segment.refunds(r.purchases) > 0 AND u.gross > 0 AND u.refunds > 0
		GROUP BY r.customer_id$template$, portfolio);
	IF definition ->> 'customers' IS NOT NULL THEN
		EXECUTE format($template$
			INSERT INTO %1$I.defect
			SELECT 'customers', 'anonymous_customer', r.customer_id, 1, 0
			FROM %1$I.refresh_read AS r
			WHERE r.listed AND %2$s = ANY ($1)$template$, portfolio, plain)
		USING anonymous;
	END IF;
END
$defect_histories$;
COMMENT ON FUNCTION segment_internal.defect_histories(text, jsonb, boolean) IS
'finds what is doubtful about the customers in table refresh_read: old dates, keys that stand for nobody, customers that nothing else knows, refunds without an order, orders cancelled on the same day, unusual amounts (internal)';

/* The same of what was read of events with a text, in table refresh_event, where there is one. */
CREATE FUNCTION segment_internal.defect_events(portfolio text, definition jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $defect_events$
DECLARE
	settings jsonb := segment_internal.check_settings(definition -> 'settings');
BEGIN
	IF to_regclass(format('%I.refresh_event', portfolio)) IS NULL THEN
		RETURN;
	END IF;
	EXECUTE format($template$
		INSERT INTO %1$I.defect
		SELECT q.source, q.check_name, r.customer_id, segment.orders(c.part) + segment.refunds(c.part),
			CASE WHEN segment_internal.source_has_money(q.source) THEN segment.net(c.part) ELSE 0 END
		FROM %1$I.refresh_event AS r
		CROSS JOIN LATERAL (VALUES
			('old_date', segment.as_of(r.events, $1 - 1)),
			('anonymous_customer', CASE WHEN %2$s = ANY ($2) THEN r.events END),
			('unknown_customer', CASE WHEN NOT EXISTS (SELECT FROM %1$I.customer_history AS h WHERE h.customer_id %3$s r.customer_id)
				THEN r.events END),
			('null_place', CASE WHEN r.value IS NULL THEN r.events END),
			('null_category', CASE WHEN r.value IS NULL THEN r.events END)) AS c(check_name, part)
		JOIN segment_internal.quality_check AS q ON q.source = r.source AND q.check_name = c.check_name
		WHERE r.customer_id IS DISTINCT FROM NULL AND c.part IS NOT NULL$template$, portfolio,
		segment_internal.defect_plain_key(portfolio), (segment_internal.portfolio_key(portfolio)).equality)
	USING (settings ->> 'oldest_day')::date, segment_internal.defect_anonymous_keys(settings);
END
$defect_events$;
COMMENT ON FUNCTION segment_internal.defect_events(text, jsonb) IS
'finds what is doubtful about the events in table refresh_event: old dates, keys that stand for nobody, customers that nothing else knows, no place or category (internal)';

/*
 * Keys that differ in case or blanks only, among all customers, or among those
 * whose keys look like one in table refresh_key.
 */
CREATE FUNCTION segment_internal.defect_similar_keys(portfolio text, changes_only boolean) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $defect_similar_keys$
DECLARE
	changed text := CASE WHEN changes_only THEN format('
		AND segment_internal.plain_key(c.customer_id::text) IN (
			SELECT segment_internal.plain_key(k.customer_id::text) FROM %I.refresh_key AS k)', portfolio) END;
BEGIN
	EXECUTE format('DELETE FROM %I.defect AS c WHERE c.check_name = ''similar_customer''%s', portfolio, changed);
	EXECUTE format($template$
		INSERT INTO %1$I.defect
		SELECT v.source, 'similar_customer', c.customer_id, v.count, v.money
		FROM (
			SELECT segment_internal.plain_key(c.customer_id::text) AS plain
			FROM %1$I.customer_history AS c
			WHERE true%2$s
			GROUP BY 1 HAVING count(*) > 1
		) AS g
		JOIN %1$I.customer_history AS c ON segment_internal.plain_key(c.customer_id::text) = g.plain
		CROSS JOIN LATERAL (
			VALUES
			('purchases', segment.orders(c.purchases) + segment.refunds(c.purchases), segment.net(c.purchases)),
			('customers', c.listed::integer, 0),
			('costs', segment.orders(c.costs) + segment.refunds(c.costs), segment.net(c.costs)),
			('complaints', segment.orders(c.complaints) + segment.refunds(c.complaints), 0),
			('satisfaction', segment.orders(c.satisfaction) + segment.refunds(c.satisfaction), 0)
			UNION ALL
			SELECT e.source, sum(segment.orders(e.events) + segment.refunds(e.events)),
				CASE WHEN segment_internal.source_has_money(e.source) THEN sum(segment.net(e.events)) ELSE 0 END
			FROM %1$I.event_history AS e
			WHERE e.customer_id %3$s c.customer_id
			GROUP BY e.source
		) AS v(source, count, money)
		WHERE v.count > 0$template$, portfolio, changed, (segment_internal.portfolio_key(portfolio)).equality);
END
$defect_similar_keys$;
COMMENT ON FUNCTION segment_internal.defect_similar_keys(text, boolean) IS
'finds keys that differ from another one in case or blanks only, anew or where table refresh_key has a key that looks like them (internal)';
