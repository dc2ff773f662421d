/*
 * refresh: from the sources to histories and a new scorecard
 *
 * Reads everything, or only the customers whose rows changed where watch tells
 * them (sql/portfolio/watch.sql); writes the rows that differ; looks for doubtful rows of
 * the sources; and computes the scorecard over all customers.
 */

/* ---------- reading ---------- */

/*
 * A source of histories: where several rows tell of a customer they are merged.
 * The query of the source stays as it is, so that a GROUP BY in it can run
 * where the rows are.
 */
CREATE FUNCTION segment_internal.refresh_histories_query(
	source text, shape segment_internal.source_shape, key_type text, condition text
) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN format($template$(
	SELECT e.customer_id::%1$s AS customer_id, segment.rollup(e.history::segment.history) AS %2$I%3$s
	FROM %4$s
	WHERE e.customer_id IS DISTINCT FROM NULL%5$s
	GROUP BY 1) AS %2$I$template$,
	key_type, source,
	CASE WHEN (shape).margin IS NOT NULL THEN ', segment.rollup(e.margin::segment.history) AS margins' END,
	segment_internal.source_events(shape), ' AND ' || condition);
COMMENT ON FUNCTION segment_internal.refresh_histories_query(text, segment_internal.source_shape, text, text) IS
'the FROM item that reads a source of histories, where a condition holds (NULL: all) (internal)';

/*
 * A source of events as histories, one row per customer; and in two more columns
 * what is doubtful about the rows, see segment_internal.checked_histories.  Rows without
 * a customer come with those of any customers: it is not known which have changed.
 */
CREATE FUNCTION segment_internal.refresh_events_query(
	source text, shape segment_internal.source_shape, key_type text, timezone text, condition text
) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN CASE WHEN (shape).histories THEN segment_internal.refresh_histories_query(source, shape, key_type, condition)
ELSE format($from_item$segment_internal.checked_histories(%3$L, %1$L, %2$L, $1)
		AS %3$I (customer_id %4$s, %3$I segment.history%5$s, %6$I pg_catalog.int8[], %7$I pg_catalog.numeric[])$from_item$,
	format($template$
		SELECT e.customer_id::%1$s, e.at, %2$s%3$s
		FROM %4$s%5$s$template$,
		key_type, (shape).amount,
		-- a row without an amount counts nowhere
		CASE WHEN (shape).margin IS NOT NULL
			THEN format(', CASE WHEN e.amount IS NOT NULL THEN %s END', (shape).margin) END,
		segment_internal.source_events(shape), E'\n\t\tWHERE ' || condition || ' OR e.customer_id IS NOT DISTINCT FROM NULL'),
	timezone, source, key_type,
	CASE WHEN (shape).margin IS NOT NULL THEN ', margins segment.history' END,
	source || '_counts', source || '_money') END;
COMMENT ON FUNCTION segment_internal.refresh_events_query(text, segment_internal.source_shape, text, text, text) IS
'the FROM item that reads a source of events into histories and counts of doubtful rows, where a condition holds (NULL: all) (internal)';

/*
 * The source customers: one row per customer, attributes as JSON.  a.* and not
 * a, which would be an attribute of this name.
 */
CREATE FUNCTION segment_internal.refresh_customers_query(shape segment_internal.source_shape, key_type text, condition text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN format($template$(
	SELECT DISTINCT ON (1) a.segment_customer::%1$s AS customer_id, true AS listed,
		pg_catalog.to_jsonb(a.*) OPERATOR(pg_catalog.-) 'segment_customer'::pg_catalog.text AS attributes
	FROM (%2$s
	) AS a (segment_customer)
	WHERE a.segment_customer IS DISTINCT FROM NULL%3$s
	ORDER BY 1, (pg_catalog.to_jsonb(a.*) OPERATOR(pg_catalog.-) 'segment_customer'::pg_catalog.text)::pg_catalog.text COLLATE pg_catalog."C") AS customers$template$,
	key_type, (shape).statement, ' AND ' || condition);
COMMENT ON FUNCTION segment_internal.refresh_customers_query(segment_internal.source_shape, text, text) IS
'the FROM item that reads the source customers, where a condition holds (NULL: all) (internal)';

/*
 * The condition that only changed customers are read.  Their keys are a
 * parameter, whose value the planner knows: so it takes the condition into the
 * source's query and to an index of its tables, or, where there is none, looks
 * the customer of every row up in a hash table.  The column stays as it is,
 * without a cast, or no index would be found.  Keys that are arrays themselves
 * cannot be the elements of one.
 */
CREATE FUNCTION segment_internal.refresh_key_condition(portfolio text, shape segment_internal.source_shape, col text) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $refresh_key_condition$
DECLARE
	key record := segment_internal.portfolio_key(portfolio);
	source_type oid := shape.key_base_type::regtype;
	key_type oid := key.base_type::regtype;
	conversion text := segment_internal.key_conversion(source_type, key_type);
BEGIN
	RETURN format('%s %s %s',
		CASE WHEN conversion IN ('none', 'integer') THEN col ELSE format('%s::%s', col, key.key_cast) END,
		key.equality,
		CASE WHEN key.base_type LIKE '%[]'
			THEN format('ANY (SELECT k.customer_id FROM %I.refresh_key AS k WHERE k.customer_id IS NOT NULL)', portfolio)
			-- integers of two widths cannot be looked up in a hash table
			WHEN conversion = 'integer' AND (SELECT s.typlen > k.typlen FROM pg_type AS s, pg_type AS k
				WHERE s.oid = source_type AND k.oid = key_type)
			THEN format('ANY ($1::%s[])', shape.key_base_type)
			ELSE format('ANY ($1%s)', key.key_collation) END);
END
$refresh_key_condition$;
COMMENT ON FUNCTION segment_internal.refresh_key_condition(text, segment_internal.source_shape, text) IS
'the condition on a column of a source that its customer is in table refresh_key, whose keys are the parameter $1 as an array (internal)';

/*
 * All sources together: one row per customer, as in table customer_history, with
 * the counts of doubtful rows; and rows without a customer for those that have none.
 */
CREATE FUNCTION segment_internal.refresh_read_query(portfolio text, definition jsonb, changes_only boolean) RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $refresh_read_query$
DECLARE
	s record;
	shape segment_internal.source_shape;
	from_items text;
	keys text;
	doubts text;
	own_margin boolean := false;
	key record := segment_internal.portfolio_key(portfolio);
	key_type text := key.key_cast || key.key_collation;
BEGIN
	FOR s IN SELECT * FROM segment_internal.portfolio_sources(definition) LOOP
		-- the tables may have changed since the portfolio was created
		shape := segment_internal.check_source(s.source, s.query, definition ->> 'search_path');
		own_margin := own_margin OR s.source = 'purchases' AND shape.margin IS NOT NULL;
		IF s.source = 'customers' THEN
			PERFORM segment_internal.attribute_compare(portfolio, shape);
		END IF;
		from_items := concat(from_items || E'\nFULL JOIN ', CASE s.source
			WHEN 'customers' THEN segment_internal.refresh_customers_query(shape, key_type,
				CASE WHEN changes_only THEN segment_internal.refresh_key_condition(portfolio, shape, 'a.segment_customer') END)
			ELSE segment_internal.refresh_events_query(s.source, shape, key_type, definition ->> 'timezone',
				CASE WHEN changes_only THEN segment_internal.refresh_key_condition(portfolio, shape, 'e.customer_id') END) END,
			format(' ON COALESCE(%s) %s %I.customer_id', keys, key.equality, s.source)
				-- none for the first
				|| left(keys, 0));
		keys := concat(keys || ', ', format('%I.customer_id', s.source));
		IF s.source <> 'customers' AND NOT shape.histories THEN
			doubts := concat(doubts, format(', %I, %I', s.source || '_counts', s.source || '_money'));
		END IF;
	END LOOP;
	RETURN format('SELECT COALESCE(%s) AS customer_id, purchases, %s, %s, %s, %s, %s%s
		FROM %s',
		keys,
		CASE WHEN own_margin THEN 'margins' ELSE 'NULL::segment.history AS margins' END,
		CASE WHEN definition ->> 'costs' IS NULL THEN 'NULL::segment.history AS costs' ELSE 'costs' END,
		CASE WHEN definition ->> 'complaints' IS NULL THEN 'NULL::segment.history AS complaints' ELSE 'complaints' END,
		CASE WHEN definition ->> 'satisfaction' IS NULL THEN 'NULL::segment.history AS satisfaction' ELSE 'satisfaction' END,
		CASE WHEN definition ->> 'customers' IS NULL THEN 'false AS listed, NULL::pg_catalog.jsonb AS attributes'
			ELSE 'COALESCE(listed, false) AS listed, attributes' END,
		doubts, from_items);
END
$refresh_read_query$;
COMMENT ON FUNCTION segment_internal.refresh_read_query(text, jsonb, boolean) IS
'the query that reads all sources of a portfolio, or only the customers in its table refresh_key, into rows of its table customer_history, with columns that tell of doubtful rows (internal)';

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
	source, segment_internal.source_events(shape), CASE WHEN source IN ('purchases', 'costs') THEN 'g.money' ELSE '0' END,
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

/* Of a source of events: what its reading has told. */
CREATE FUNCTION segment_internal.refresh_events_defect_query(portfolio text, source text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN format($template$
	SELECT %2$L, q.check_name, r.customer_id, d.count, %5$s
	FROM %1$I.refresh_read AS r
	-- in the order of checked_histories
	CROSS JOIN LATERAL ROWS FROM (
		pg_catalog.unnest('{null_customer,null_date,null_amount,null_margin,zero_amount,duplicate}'::pg_catalog.text[]),
		pg_catalog.unnest(r.%3$I), pg_catalog.unnest(r.%4$I)) AS d(check_name, count, money)
	JOIN segment_internal.quality_check AS q ON q.source OPERATOR(pg_catalog.=) %2$L
		AND q.check_name OPERATOR(pg_catalog.=) d.check_name
	WHERE r.%3$I IS NOT NULL AND d.count OPERATOR(pg_catalog.>) 0$template$,
	portfolio, source, source || '_counts', source || '_money',
	CASE WHEN source IN ('purchases', 'costs') THEN 'd.money' ELSE '0' END);
COMMENT ON FUNCTION segment_internal.refresh_events_defect_query(text, text) IS
'the query that takes the doubtful rows of a source of events out of table refresh_read (internal)';

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
		ELSE segment_internal.refresh_events_defect_query(portfolio, source) END;
BEGIN
	PERFORM segment_internal.refresh_run(portfolio, format('INSERT INTO %I.defect %s', portfolio, query), query_path, changes_only);
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
	FOR s IN SELECT * FROM segment_internal.portfolio_sources(definition) AS p WHERE p.source <> 'customers' LOOP
		EXECUTE format($template$
			WITH before AS (
				DELETE FROM %1$I.defect AS d
				WHERE d.source = %2$L AND d.check_name = 'future_date'
				RETURNING d.customer_id
			)
			INSERT INTO %1$I.defect
			SELECT %2$L, 'future_date', f.customer_id,
				segment.orders(f.later) + segment.refunds(f.later),
				CASE WHEN %2$L IN ('purchases', 'costs') THEN segment.net(f.later) ELSE 0 END
			FROM (
				SELECT c.customer_id, segment.during(c.%2$I, %3$L::date + 1, '5874897-12-31') AS later
				FROM %1$I.customer_history AS c%4$s
			) AS f
			WHERE f.later IS NOT NULL$template$, portfolio, s.source, today,
			CASE WHEN changes_only THEN format('
				WHERE EXISTS (
					SELECT FROM (
						SELECT k.customer_id FROM %I.refresh_key AS k
						UNION ALL
						SELECT b.customer_id FROM before AS b
					) AS k
					WHERE k.customer_id %s c.customer_id)', portfolio, key_equality) END);
	END LOOP;
END
$refresh_future_dates$;
COMMENT ON FUNCTION segment_internal.refresh_future_dates(text, jsonb, text, date, boolean) IS
'finds the events after today anew, or those of the customers in table refresh_key and of those who had some (internal)';

/* ---------- writing ---------- */

/*
 * Brings customer_history to what was read.  Rows that stay the same are not
 * written, so that a refresh without changes leaves no dead rows.
 */
CREATE FUNCTION segment_internal.refresh_store(portfolio text, key_equality text, changes_only boolean) RETURNS bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $refresh_store$
DECLARE
	written bigint;
	deleted bigint;
	empty boolean;
BEGIN
	EXECUTE format('SELECT NOT EXISTS (SELECT FROM %I.customer_history)', portfolio) INTO empty;
	IF empty THEN
		-- nothing to compare with, or to collide with
		EXECUTE format($template$
			INSERT INTO %1$I.customer_history
				(customer_id, purchases, margins, costs, complaints, satisfaction, listed, attributes)
			SELECT r.customer_id, r.purchases, r.margins, r.costs, r.complaints, r.satisfaction,
				r.listed, r.attributes
			FROM %1$I.refresh_read AS r
			WHERE r.customer_id IS DISTINCT FROM NULL$template$, portfolio);
		GET DIAGNOSTICS written = ROW_COUNT;
		RETURN written;
	END IF;
	EXECUTE format($template$
		INSERT INTO %1$I.customer_history AS c
			(customer_id, purchases, margins, costs, complaints, satisfaction, listed, attributes)
		SELECT r.customer_id, r.purchases, r.margins, r.costs, r.complaints, r.satisfaction,
			r.listed, r.attributes
		FROM %1$I.refresh_read AS r
		LEFT JOIN %1$I.customer_history AS o ON o.customer_id %2$s r.customer_id
		-- *<> compares the stored bytes, so a new display scale counts as well;
		-- but of a key that is spelled in several ways, the first one stays
		WHERE r.customer_id IS DISTINCT FROM NULL AND (o.listed IS NULL
			OR ROW(o.purchases, o.margins, o.costs, o.complaints, o.satisfaction, o.listed, o.attributes)::record
				*<> ROW(r.purchases, r.margins, r.costs, r.complaints, r.satisfaction, r.listed, r.attributes)::record)
		ON CONFLICT (customer_id) DO UPDATE SET
			purchases = excluded.purchases, margins = excluded.margins, costs = excluded.costs,
			complaints = excluded.complaints, satisfaction = excluded.satisfaction,
			listed = excluded.listed, attributes = excluded.attributes$template$, portfolio, key_equality);
	GET DIAGNOSTICS written = ROW_COUNT;
	EXECUTE format(CASE WHEN changes_only THEN $template$
		DELETE FROM %1$I.customer_history AS c
		USING %1$I.refresh_key AS k
		WHERE k.customer_id %2$s c.customer_id AND NOT EXISTS (
			SELECT FROM %1$I.refresh_read AS r WHERE r.customer_id %2$s k.customer_id)$template$
	ELSE $template$
		DELETE FROM %1$I.customer_history AS c
		WHERE NOT EXISTS (
			SELECT FROM %1$I.refresh_read AS r WHERE r.customer_id %2$s c.customer_id)$template$ END,
		portfolio, key_equality);
	GET DIAGNOSTICS deleted = ROW_COUNT;
	RETURN written + deleted;
END
$refresh_store$;
COMMENT ON FUNCTION segment_internal.refresh_store(text, text, boolean) IS
'writes what a refresh has read to customer_history: everybody, or the customers in table refresh_key; returns the number of rows changed (internal)';

/* The day everything is seen from: the one given, else the last purchase day. */
CREATE FUNCTION segment_internal.refresh_day(portfolio text, given date, today date, look boolean) RETURNS date
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $refresh_day$
DECLARE
	last_purchase date;
BEGIN
	IF given IS NOT NULL THEN
		IF NOT isfinite(given) THEN
			RAISE EXCEPTION USING ERRCODE = 'datetime_field_overflow',
				MESSAGE = format('argument "as_of" must be finite, not "%s"', given);
		ELSIF given > today THEN
			RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
				MESSAGE = format('as_of must not be after the current date: %s', given),
				DETAIL = format('The current date in the portfolio''s time zone is %s.', today);
		END IF;
		RETURN given;
	ELSIF NOT look THEN
		RETURN NULL;
	END IF;
	-- hardly any history goes beyond today: only those are cut off
	EXECUTE format($query$
		SELECT max(CASE WHEN d.last_day <= $1 THEN d.last_day
			ELSE segment.last_day(segment.as_of(d.purchases, $1)) END)
		FROM (
			SELECT c.purchases, segment.last_day(c.purchases) AS last_day, segment_internal.one_row() AS one_row
			FROM %I.customer_history AS c
		) AS d$query$, portfolio) INTO last_purchase USING today;
	RETURN coalesce(last_purchase, today);
END
$refresh_day$;
COMMENT ON FUNCTION segment_internal.refresh_day(text, date, date, boolean) IS
'the as_of day of a refresh: the one given, else the last purchase day that is not after today, else today, or NULL if it is not wanted; errors: 22008 infinite, 22023 after today (internal)';

/*
 * What a scorecard is made of, from one pass over the customers: their rows as
 * far as they do not depend on it, which is there already, but without cut points
 * and models.  $1 and $2 are the models of an earlier scorecard, or NULL, at
 * which the fits begin.
 */
CREATE FUNCTION segment_internal.refresh_figures_query(
	portfolio text, scorecard_id bigint, as_of date, from_kept boolean, settings jsonb, unit text, cuts text
) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN format($template$
	SELECT count(*) AS customers, count(*) FILTER (WHERE orders > 0) AS buyers,
		segment.score_cuts(-days_since_last::float8, 5) AS recency_cuts,
		segment.score_cuts(orders::float8, 5) FILTER (WHERE orders > 0) AS frequency_cuts,
		segment.score_cuts(monetary, 5) FILTER (WHERE orders > 0) AS monetary_cuts,
		segment.exact_avg(mean_gap_days) AS usual_gap_days, min(first_day) AS first_day,
		segment_internal.refit_purchases(%4$L, %5$L, $1, as_of, purchase_days - 1, first_day, last_day)
			FILTER (WHERE orders > 0) AS purchase_model,
		segment_internal.refit_spend(%6$L, %5$L, $2, purchase_days - 1, repeat_spend)
			FILTER (WHERE orders > 0) AS spend_model,
		(sum(net_value) FILTER (WHERE orders > 0) / nullif(sum(gross), 0))::float8 AS contribution_rate,
		(sum(margin) FILTER (WHERE orders > 0) / nullif(sum(gross), 0))::float8 AS rate_before_cost,
		ARRAY[%8$s] AS moments,
		%7$s AS cuts
	FROM (
		SELECT c.*, m."the moments"
		FROM %1$I.scorecards(ARRAY[%2$s]) AS s%3$s
		CROSS JOIN LATERAL (
			SELECT CASE WHEN c.gross > 0 THEN segment_internal.contribution_moments(segment_internal.float8(c.net_value),
				segment_internal.float8(c.gross), c.purchase_days) END AS "the moments", segment_internal.one_row() AS "one row"
		) AS m
	) AS customers$template$, portfolio, scorecard_id,
	segment_internal.customer_items(portfolio, format('%L::date', as_of), from_kept),
	nullif(settings ->> 'purchase_model', 'none'), unit, nullif(settings ->> 'spend_model', 'none'),
	coalesce(cuts, 'NULL::numeric[]'),
	(SELECT string_agg(format('segment_internal.exact_sum("the moments"[%s])', n), ', ' ORDER BY n) FROM generate_series(1, 9) AS n));
COMMENT ON FUNCTION segment_internal.refresh_figures_query(text, bigint, date, boolean, jsonb, text, text) IS
'the query of the figures of a new scorecard, which has its day, margin and settings, over the customers as of its day, with two parameters, earlier models; cuts is an array expression, NULL: none (internal)';

/* ---------- the scorecard ---------- */

/*
 * Cut points, the population's rhythm and the models, over everybody, as one
 * new row.  A model that has hardly any data is kept, with its status, but not
 * used: predictions are then NULL, and model_card tells why.
 */
CREATE FUNCTION segment_internal.refresh_scorecard(
	portfolio text, settings jsonb, unit text, own_margin boolean, as_of date, as_of_given boolean, from_kept boolean,
	OUT scorecard_id bigint, OUT customers bigint, OUT purchase_status text, OUT spend_status text
)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $refresh_scorecard$
DECLARE
	cuts record := segment_internal.scheme_cuts(portfolio, false, false);
	unscored jsonb;
	earlier record;
	f record;
	usual_gap_days float8;
	risk segment_internal.risk_source;
BEGIN
	EXECUTE format($template$
		INSERT INTO %1$I.scorecard AS s (scorecard_id, as_of, as_of_given, customers, buyers, usual_gap_days, margin,
			purchase_model_usable, spend_model_usable, unit_days, horizon, probability_horizon, settings)
		SELECT coalesce((SELECT max(n.scorecard_id) FROM %1$I.scorecard AS n), 0) + 1, $1, $5, 0, 0,
			($2 ->> 'dormancy_default_gap_days')::float8, CASE WHEN NOT $3 THEN ($2 ->> 'margin')::numeric END,
			false, false, u.days, ($2 ->> 'horizon_weeks')::float8 * 7 / u.days,
			($2 ->> 'probability_weeks')::float8 * 7 / u.days, $2
		FROM (SELECT segment_internal.unit_days($4)) AS u(days)
		RETURNING s.scorecard_id$template$, portfolio)
	INTO scorecard_id USING as_of, settings, own_margin, unit, as_of_given;
	-- a full refresh begins anew, and so does not depend on what came before
	EXECUTE format('SELECT s.purchase_model AS purchases, s.spend_model AS spend
		FROM (VALUES ($1)) AS k(from_kept)
		LEFT JOIN (%1$I.portfolio AS p JOIN %1$I.scorecard AS s ON s.scorecard_id = p.scorecard_id) ON k.from_kept', portfolio)
	INTO STRICT earlier USING from_kept;
	-- computed first and then stored, since an UPDATE never uses parallel workers
	BEGIN
		EXECUTE segment_internal.refresh_figures_query(portfolio, scorecard_id, as_of, from_kept, settings, unit,
			format('ARRAY[%s]::numeric[]', cuts.elements)) INTO STRICT f USING earlier.purchases, earlier.spend;
		unscored := segment_internal.cuts_object(cuts.cuts, f.cuts);
	EXCEPTION WHEN OTHERS THEN
		IF segment_internal.is_beyond_query(SQLSTATE) THEN
			RAISE;
		END IF;
		-- if it is a cut, scheme_compute_cuts will tell which
		EXECUTE segment_internal.refresh_figures_query(portfolio, scorecard_id, as_of, from_kept, settings, unit, NULL) INTO STRICT f
		USING earlier.purchases, earlier.spend;
	END;
	usual_gap_days := coalesce(f.usual_gap_days, (settings ->> 'dormancy_default_gap_days')::float8);
	risk := segment_internal.risk_source(portfolio, as_of, settings, unit, f.customers, f.first_day, usual_gap_days, f.purchase_model);
	EXECUTE format($template$
		UPDATE %1$I.scorecard AS s
		SET (customers, buyers, recency_cuts, frequency_cuts, monetary_cuts, usual_gap_days,
				contribution_rate, rate_before_cost, usual_gross, prior_purchases,
				purchase_model, spend_model, purchase_model_usable, spend_model_usable, cuts,
				churn_basis, churn_days, churn_shares, churn_reason)
			= ROW($2, $3, $4, $5, $6, $7, $12, $13, u.gross,
				coalesce((s.settings ->> 'contribution_prior_purchases')::float8, segment_internal.contribution_prior($14, $12, u.gross)),
				$8, $9,
				coalesce(segment.status($8) <> 'too_few', false), coalesce(segment.status($9) <> 'too_few', false), $10,
				($11).basis, ($11).days, ($11).shares, ($11).reason)
		FROM (SELECT segment_internal.usual_gross($14) AS gross) AS u
		WHERE s.scorecard_id = $1
		RETURNING s.customers, segment.status(s.purchase_model), segment.status(s.spend_model)$template$, portfolio)
	INTO customers, purchase_status, spend_status
	USING scorecard_id, f.customers, f.buyers, f.recency_cuts, f.frequency_cuts, f.monetary_cuts,
		usual_gap_days, f.purchase_model, f.spend_model, nullif(unscored, '{}'), risk,
		f.contribution_rate, f.rate_before_cost, f.moments;
	PERFORM segment_internal.scheme_compute_cuts(portfolio, scorecard_id, as_of, unscored, from_kept);
	EXECUTE format('UPDATE %I.portfolio AS p SET scorecard_id = $1', portfolio) USING scorecard_id;
END
$refresh_scorecard$;
COMMENT ON FUNCTION segment_internal.refresh_scorecard(text, jsonb, text, boolean, date, boolean, boolean) IS
'computes a new scorecard as of a day, which somebody asked for or not, from the stored histories or from kept figures that hold on that day (internal)';

/* ---------- the whole ---------- */

/*
 * What to read, and why.  Takes the notes of changed customers, those committed
 * so far, before anything is read: what is committed later is noted again, and
 * read by the next refresh.
 */
CREATE FUNCTION segment_internal.refresh_plan(
	portfolio text, definition jsonb, full_asked boolean, OUT mode text, OUT reason text, OUT fingerprint text
)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $refresh_plan$
DECLARE
	state record;
	stored text := definition ->> 'read_fingerprint';
	known bigint;
	changed bigint;
	unnoted bigint;
	everybody boolean;
BEGIN
	state := segment_internal.watch_state(portfolio, definition);
	fingerprint := segment_internal.watch_settle(state.fingerprint, stored, state.tables);
	EXECUTE format('CREATE UNLOGGED TABLE %1$I.refresh_key AS TABLE %1$I.changed_customer WITH NO DATA', portfolio);
	EXECUTE format('
		WITH taken AS (DELETE FROM %1$I.changed_customer RETURNING customer_id, everybody)
		INSERT INTO %1$I.refresh_key (customer_id, everybody)
		SELECT DISTINCT t.customer_id, t.everybody FROM taken AS t', portfolio);
	GET DIAGNOSTICS changed = ROW_COUNT;
	EXECUTE format('DELETE FROM %I.unnoted_change', portfolio);
	GET DIAGNOSTICS unnoted = ROW_COUNT;
	EXECUTE format('SELECT EXISTS (SELECT FROM %1$I.refresh_key AS k WHERE k.everybody),
		coalesce((SELECT s.customers FROM %1$I.scorecard AS s JOIN %1$I.portfolio AS p ON p.scorecard_id = s.scorecard_id), 0)', portfolio)
	INTO everybody, known;
	reason := CASE
		WHEN full_asked THEN 'it was asked for'
		WHEN state.obstacle IS NOT NULL THEN state.obstacle
		WHEN stored IS NULL THEN 'the tables were not all watched at the last refresh'
		WHEN state.fingerprint <> segment_internal.watch_found(stored)
			THEN 'sources, views in them, watched tables or their triggers were changed'
		WHEN state.fingerprint <> stored
			THEN 'transactions that were open at the last refresh may have written without a note'
		WHEN unnoted > 0 THEN 'changes could not be noted'
		WHEN everybody THEN 'a change concerned everybody'
		-- more than a million are read faster from the beginning to the end than by an index
		WHEN changed > least(segment_internal.changed_limit(known), 1000000)
			THEN format('%s of %s customers changed', changed, known) END;
	mode := CASE WHEN reason IS NULL THEN 'changes' ELSE 'full' END;
	reason := coalesce(reason, format('%s of %s customers changed', changed, known));
	IF mode = 'changes' THEN
		EXECUTE format('ANALYZE %I.refresh_key', portfolio);
	END IF;
END
$refresh_plan$;
COMMENT ON FUNCTION segment_internal.refresh_plan(text, jsonb, boolean) IS
'decides whether a refresh reads everything (full) or changed customers (changes), whose keys it moves to table refresh_key, and says why; with the fingerprint of the watched tables (internal)';

/* The step of a refresh, shown in pg_stat_activity. */
CREATE FUNCTION segment_internal.refresh_step(portfolio text, step text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $refresh_step$
BEGIN
	-- as many bytes as it can have
	PERFORM set_config('application_name',
		format('segment %s: %s', segment_internal.cut_name(portfolio, 53 - octet_length(step)), step), true);
	RAISE DEBUG 'refresh of portfolio "%": %', portfolio, step;
END
$refresh_step$;
COMMENT ON FUNCTION segment_internal.refresh_step(text, text) IS
'shows the step that a refresh is at as application_name (internal)';

/* Reads all customers, or those that changed, and stores what came. */
CREATE FUNCTION segment_internal.refresh_histories(
	portfolio text, definition jsonb, today date, changes_only boolean,
	OUT customers_read bigint, OUT customers_changed bigint
)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $refresh_histories$
DECLARE
	key_equality text := (segment_internal.portfolio_key(portfolio)).equality;
	query text;
	known bigint;
BEGIN
	PERFORM segment_internal.refresh_step(portfolio, CASE WHEN changes_only THEN 'reading changes' ELSE 'reading' END);
	-- a table of the portfolio's and not a temporary one, which the owner's
	-- queries could leave traps around
	query := format('CREATE UNLOGGED TABLE %I.refresh_read AS %s', portfolio,
		segment_internal.refresh_read_query(portfolio, definition, changes_only));
	PERFORM segment_internal.refresh_run(portfolio, query, definition ->> 'search_path', changes_only);
	EXECUTE format('SELECT count(*) FROM %I.refresh_read AS r WHERE r.customer_id IS DISTINCT FROM NULL', portfolio) INTO customers_read;
	EXECUTE format('ANALYZE %I.refresh_read', portfolio);

	PERFORM segment_internal.refresh_step(portfolio, 'storing');
	customers_changed := segment_internal.refresh_store(portfolio, key_equality, changes_only);
	PERFORM segment_internal.refresh_step(portfolio, 'checking');
	PERFORM segment_internal.refresh_defects(portfolio, definition, key_equality, today, changes_only);
	EXECUTE format('DROP TABLE %I.refresh_read', portfolio);
	SELECT greatest(c.reltuples, 0) INTO known
	FROM pg_class AS c WHERE c.oid = format('%I.customer_history', portfolio)::regclass;
	IF customers_changed > known / 10 THEN
		EXECUTE format('ANALYZE %I.customer_history', portfolio);
	END IF;
END
$refresh_histories$;
COMMENT ON FUNCTION segment_internal.refresh_histories(text, jsonb, date, boolean) IS
'reads the sources and brings customer_history and defect up to date, for everybody or for the customers in table refresh_key (internal)';

/*
 * Scorecards and rows of the log that are not needed any more.  Of the scorecards
 * of one day only the newest is used.
 */
CREATE FUNCTION segment_internal.refresh_retain(portfolio text, settings jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $refresh_retain$
BEGIN
	EXECUTE format($template$
		DELETE FROM %1$I.scorecard AS s
		USING (
			SELECT n.scorecard_id, row_number() OVER (PARTITION BY n.as_of ORDER BY n.scorecard_id DESC) AS age,
				first_value(n.as_of) OVER (ORDER BY n.scorecard_id DESC) - n.as_of AS days
			FROM %1$I.scorecard AS n
		) AS k
		WHERE k.scorecard_id = s.scorecard_id
			AND (k.age > ($1 ->> 'scorecards_per_day')::numeric OR k.days > ($1 ->> 'scorecard_days')::numeric)
			AND NOT EXISTS (SELECT FROM %1$I.snapshot AS t WHERE t.scorecard_id = s.scorecard_id)
		$template$, portfolio) USING settings;
	EXECUTE format($template$
		DELETE FROM %I.refresh_log AS l
		WHERE l.started_at < clock_timestamp() - ($1 ->> 'refresh_log_days')::float8 * interval '1 day'
		$template$, portfolio) USING settings;
END
$refresh_retain$;
COMMENT ON FUNCTION segment_internal.refresh_retain(text, jsonb) IS
'deletes scorecards beyond the settings scorecards_per_day and scorecard_days, unless a snapshot names them, and old rows of refresh_log (internal)';

/*
 * What the caller of a refresh should know, though nothing has failed: warnings of the
 * models, and settings with which figures say less than they seem to.
 */
CREATE FUNCTION segment_internal.refresh_notice(portfolio text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $refresh_notice$
DECLARE
	card record;
	warning record;
	is_long boolean;
	first_day date;
BEGIN
	EXECUTE format('SELECT s.as_of, s.margin, s.purchase_model, s.spend_model, (s.settings ->> ''lost_after_days'')::integer AS lost_after
		FROM %1$I.scorecard AS s JOIN %1$I.portfolio AS p ON p.scorecard_id = s.scorecard_id', portfolio)
	INTO STRICT card;
	FOR warning IN
		SELECT m.name, w.text
		FROM (VALUES (1, 'purchases', card.purchase_model), (2, 'amounts', card.spend_model)) AS m(nth, name, model)
		CROSS JOIN LATERAL unnest(segment.warnings(m.model)) WITH ORDINALITY AS w(text, nth)
		ORDER BY m.nth, w.nth
	LOOP
		RAISE NOTICE USING MESSAGE = format('model of %s of portfolio "%s": %s', warning.name, portfolio, warning.text);
	END LOOP;
	IF card.margin = 1 THEN
		RAISE NOTICE USING MESSAGE = format('setting "margin" of portfolio "%s" is 1, so margin and clv are revenue', portfolio),
			HINT = 'Set it to the share of sales that is contribution, or give each purchase its margin as a fourth column.';
	END IF;
	-- found at once where the data are long
	EXECUTE format('SELECT EXISTS (SELECT FROM %I.kept_customer AS k WHERE k.first_day <= $1)', portfolio)
	INTO is_long USING card.as_of + 1 - 2 * card.lost_after;
	IF NOT is_long THEN
		EXECUTE format('SELECT min(k.first_day) FROM %I.kept_customer AS k', portfolio) INTO first_day;
		IF first_day IS NOT NULL THEN
			RAISE NOTICE USING MESSAGE = format('setting "lost_after_days" of portfolio "%s" (%s) is longer than half of the data (%s days)',
					portfolio, card.lost_after, card.as_of - first_day + 1),
				HINT = 'Hardly anybody can be lost yet in leaky_bucket, sales_bridge and churn_rate. Set it shorter, or read older purchases.';
		END IF;
	END IF;
END
$refresh_notice$;
COMMENT ON FUNCTION segment_internal.refresh_notice(text) IS
'raises a NOTICE for each warning of the newest models, where the setting margin makes clv revenue, and where lost_after_days is longer than half of the data (internal)';

/* All of a refresh, as the portfolio's owner: see portfolio_run. */
CREATE FUNCTION segment_internal.portfolio_refresh(name text, arguments jsonb)
RETURNS segment.refresh_report
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
-- compiling many expressions takes longer than it saves, the more so where
-- few customers are read
SET search_path = pg_catalog, pg_temp SET jit = off
AS $portfolio_refresh$
DECLARE
	started timestamptz := clock_timestamp();
	definition jsonb;
	plan record;
	settings jsonb;
	today date;
	own_margin boolean;
	as_of date;
	from_kept boolean := false;
	same_rows boolean := false;
	report segment.refresh_report;
BEGIN
	-- one refresh at a time; readers are not concerned
	IF (arguments ->> 'nowait')::boolean THEN
		BEGIN
			EXECUTE format('SELECT FROM %I.portfolio AS p FOR UPDATE NOWAIT', name);
		EXCEPTION WHEN lock_not_available THEN
			RAISE EXCEPTION USING ERRCODE = 'lock_not_available',
				MESSAGE = format('portfolio "%s" is being refreshed or changed by another session', name),
				HINT = 'Without nowait, refresh waits for it.';
		END;
	END IF;
	EXECUTE format('SELECT to_jsonb(p) FROM %I.portfolio AS p FOR UPDATE', name) INTO STRICT definition;
	-- in the portfolio's time zone: see portfolio_run
	today := clock_timestamp()::date;
	settings := segment_internal.check_settings(definition -> 'settings');
	IF NOT (arguments ->> 'scorecard')::boolean AND arguments ->> 'as_of' IS NOT NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('as_of must be null without a new scorecard, not %s', arguments ->> 'as_of'),
			HINT = 'The day that customers are seen from belongs to the scorecard.';
	END IF;

	plan := segment_internal.refresh_plan(name, definition, (arguments ->> 'full')::boolean);
	SELECT h.* INTO report.customers_read, report.customers_changed
	FROM segment_internal.refresh_histories(name, definition, today, plan.mode = 'changes') AS h;
	-- also so that a refresh with an older snapshot cannot go on (40001)
	EXECUTE format('UPDATE %I.portfolio AS p SET read_fingerprint = $1, refreshed_at = clock_timestamp()', name)
	USING plan.fingerprint;

	report.portfolio := name;
	report.mode := plan.mode;
	report.reason := plan.reason;
	IF (arguments ->> 'scorecard')::boolean THEN
		PERFORM segment_internal.refresh_step(name, 'scorecard');
		own_margin := (segment_internal.check_source('purchases', definition ->> 'purchases',
			definition ->> 'search_path')).margin IS NOT NULL;
		as_of := segment_internal.refresh_day(name, (arguments ->> 'as_of')::date, today, plan.mode = 'full');
		IF plan.mode = 'changes' THEN
			report.as_of := segment_internal.kept_move(name, as_of, today);
		END IF;
		from_kept := report.as_of IS NOT NULL;
		report.as_of := coalesce(report.as_of, as_of, segment_internal.refresh_day(name, NULL, today, true));
		SELECT s.scorecard_id, s.customers, s.purchase_status, s.spend_status
		INTO report.scorecard_id, report.customers, report.purchase_model, report.spend_model
		FROM segment_internal.refresh_scorecard(name, settings, definition ->> 'unit', own_margin, report.as_of,
			arguments ->> 'as_of' IS NOT NULL, from_kept) AS s;
		same_rows := segment_internal.scorecards_agree(name, (definition ->> 'scorecard_id')::bigint, report.scorecard_id);
	ELSE
		EXECUTE format('SELECT s.as_of, s.scorecard_id, s.customers, segment.status(s.purchase_model),
				segment.status(s.spend_model)
			FROM %1$I.scorecard AS s JOIN %1$I.portfolio AS p ON p.scorecard_id = s.scorecard_id', name)
		INTO STRICT report.as_of, report.scorecard_id, report.customers, report.purchase_model, report.spend_model;
		same_rows := true;
	END IF;
	PERFORM segment_internal.refresh_step(name, 'keeping');
	IF NOT (arguments ->> 'scorecard')::boolean AND plan.mode = 'changes' THEN
		PERFORM segment_internal.kept_fill_changed(name, report.as_of);
	-- where the scorecard gives the rows of the one before, and no rule was changed, the rows are
	-- right if no history changed, and those of changed customers if they were computed
	ELSIF NOT (same_rows AND (from_kept OR report.customers_changed = 0)) OR (arguments ->> 'all_rows')::boolean THEN
		PERFORM segment_internal.kept_fill(name, from_kept);
	END IF;
	EXECUTE format('DROP TABLE %I.refresh_key', name);
	report.seconds := extract(epoch FROM clock_timestamp() - started);
	EXECUTE format('INSERT INTO %I.refresh_log (started_at, as_of, mode, reason, customers, customers_read,
			customers_changed, scorecard_id, purchase_model, spend_model, seconds)
		SELECT $1, $2.as_of, $2.mode, $2.reason, $2.customers, $2.customers_read,
			$2.customers_changed, $2.scorecard_id, $2.purchase_model, $2.spend_model, $2.seconds', name)
	USING started, report;
	PERFORM segment_internal.refresh_retain(name, settings);
	IF (arguments ->> 'scorecard')::boolean THEN
		PERFORM segment_internal.refresh_notice(name);
	END IF;
	RETURN report;
END
$portfolio_refresh$;
COMMENT ON FUNCTION segment_internal.portfolio_refresh(text, jsonb) IS
'refreshes a portfolio, with the current user''s rights (internal)';

CREATE FUNCTION segment.refresh(
	name text, as_of date DEFAULT NULL, "full" boolean DEFAULT false, nowait boolean DEFAULT false,
	scorecard boolean DEFAULT true
) RETURNS segment.refresh_report
LANGUAGE sql VOLATILE PARALLEL UNSAFE
AS $refresh$
SELECT segment_internal.portfolio_run(name, 'refresh', pg_catalog.jsonb_build_object(
	'as_of', as_of, 'full', COALESCE("full", false), 'nowait', COALESCE(nowait, false),
	'scorecard', COALESCE(scorecard, true)), NULL::segment.refresh_report)
$refresh$;
COMMENT ON FUNCTION segment.refresh(text, date, boolean, boolean, boolean) IS
'reads the sources of a portfolio, in its owner''s name, and computes a new scorecard as of a day (default: the last purchase day that is not after the current date); says what it did. Where segment.watch notes the changes, only changed customers are read, unless "full" asks for all. Readers see the old state until it commits, a second refresh waits or, with nowait, fails with 55P03; an error leaves the old state. With scorecard false the newest scorecard stays in force, with its day: only the histories change. A NOTICE tells each warning of a model, that margin is 1, so that clv is revenue, and that lost_after_days is longer than half of the data. Errors: 42704 no such portfolio, 42501 not the owner, 22023 as_of after the current date or without a new scorecard, and those of the sources';
