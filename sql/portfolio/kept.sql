/*
 * kept: the customers' rows, kept as a refresh computed them
 *
 * A customer's row is a pure function of the own histories and a scorecard (see
 * customer.sql), so it changes with a refresh and at no other time: a refresh
 * stores it in the table kept_customer, and whoever reads the view customer, or
 * a view over it, reads a plain table.  A new scorecard rewrites all rows, a
 * refresh that keeps it those of the changed customers.  Rows are deleted and
 * inserted, never the table exchanged: a reader with an older snapshot goes on
 * seeing the old rows, whole.
 */

/*
 * The rows as they are to be kept: what customer.sql defines, by the scorecard in
 * force, from the histories or from figures that are kept and still hold.
 */
CREATE FUNCTION segment_internal.kept_query(portfolio text, as_of text DEFAULT 's.scorecard_as_of', from_kept boolean DEFAULT false)
RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN (SELECT segment_internal.portfolio_customer_query(portfolio, as_of, NULL,
		concat(', k."the monetary" AS monetary, k."the repeat spend" AS repeat_spend, k."the next event" AS next_event', c.columns),
		c.held_classes, NULL, from_kept)
	FROM segment_internal.scheme_columns(portfolio) AS c);
COMMENT ON FUNCTION segment_internal.kept_query(text, text, boolean) IS
'the query of all rows of the table kept_customer, judged by the scorecard in force as of a day (an expression) (internal)';

/*
 * What a scorecard is made of, as portfolio_unscored_query has it, from figures
 * that are kept and still hold.
 */
CREATE FUNCTION segment_internal.kept_unscored_query(portfolio text, as_of date, margin_rate numeric) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN format($template$
SELECT k.*, k.margin - k.cost AS net_value
FROM (
	SELECT c.customer_id, %2$L::date AS as_of, c.orders, c.purchase_days, c.visits, c.first_day, c.last_day,
		%2$L::date - c.last_day AS days_since_last, %2$L::date - c.first_day AS tenure_days,
		c.gross, c.refunded, c.net, c.usage, %3$s AS margin,
		c.cost, c.average_order, c.mean_gap_days, c.gap_cv, c.monetary, c.repeat_spend
	FROM %1$I.kept_customer AS c
) AS k$template$, portfolio, as_of,
	CASE WHEN margin_rate IS NULL THEN 'c.margin'
		ELSE format('CASE WHEN c.monetary IS NOT NULL THEN c.net * %L::numeric ELSE 0 END', margin_rate) END);
COMMENT ON FUNCTION segment_internal.kept_unscored_query(text, date, numeric) IS
'portfolio_unscored_query from the table kept_customer, whose figures must hold on the day (internal)';

/*
 * The columns: what is known of a customer, then a class for each scheme.  Those
 * that are kept for the next computation only are not shown by the view customer.
 */
CREATE FUNCTION segment_internal.kept_columns(portfolio text) RETURNS TABLE (name text, is_shown boolean, ordinal bigint)
LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 40
SET search_path = pg_catalog, pg_temp
AS $kept_columns$
BEGIN
	RETURN QUERY EXECUTE format($query$
		SELECT c.name, c.name NOT IN ('monetary', 'repeat_spend', 'next_event'), row_number() OVER (ORDER BY c.is_scheme, c.place)
		FROM (
			SELECT a.attname::text AS name, false AS is_scheme, a.attnum::integer AS place
			FROM pg_attribute AS a
			WHERE a.attrelid = %2$L::regclass AND a.attnum > 0 AND NOT a.attisdropped
				AND NOT EXISTS (SELECT FROM %1$I.scheme AS s WHERE s.scheme = a.attname)
			UNION ALL
			SELECT s.scheme, true, s.ordinal FROM %1$I.scheme AS s
		) AS c$query$, portfolio, format('%I.kept_customer', portfolio));
END
$kept_columns$;
COMMENT ON FUNCTION segment_internal.kept_columns(text) IS
'the columns of a portfolio''s table kept_customer in the order of the view customer, and which of them it shows (internal)';

/*
 * Makes the table, or brings its columns to the schemes as they are: a column
 * for each, which is NULL until the rows are filled again.
 */
CREATE FUNCTION segment_internal.kept_define(portfolio text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $kept_define$
DECLARE
	kept regclass := to_regclass(format('%I.kept_customer', portfolio));
	command text;
BEGIN
	IF kept IS NULL THEN
		EXECUTE format('CREATE TABLE %I.kept_customer AS %s WITH NO DATA', portfolio, segment_internal.kept_query(portfolio));
		EXECUTE format('ALTER TABLE %1$I.kept_customer ADD PRIMARY KEY (customer_id)', portfolio);
		EXECUTE format('CREATE INDEX ON %1$I.kept_customer (clv)', portfolio);
		-- as a rule of nobody or few
		EXECUTE format('CREATE INDEX ON %1$I.kept_customer (next_event) WHERE next_event IS NOT NULL', portfolio);
		RETURN;
	END IF;
	FOR command IN EXECUTE format($query$
		SELECT CASE WHEN s.scheme IS NULL THEN format('DROP COLUMN %%I', a.attname) ELSE format('ADD COLUMN %%I text', s.scheme) END
		FROM (SELECT * FROM pg_attribute WHERE attrelid = $1 AND NOT attisdropped
			AND attnum > (SELECT b.attnum FROM pg_attribute AS b WHERE b.attrelid = $1 AND b.attname = 'next_event')) AS a
		FULL JOIN %I.scheme AS s ON s.scheme = a.attname
		WHERE s.scheme IS NULL OR a.attname IS NULL
		ORDER BY s.ordinal$query$, portfolio) USING kept
	LOOP
		EXECUTE format('ALTER TABLE %I.kept_customer %s', portfolio, command);
	END LOOP;
END
$kept_define$;
COMMENT ON FUNCTION segment_internal.kept_define(text) IS
'creates the table kept_customer of a portfolio, with its indexes, or gives it the columns of the schemes as they are now (internal)';

/*
 * Do two scorecards judge alike?  All but the number, the time and the counts of
 * customers decide; stay rules also ask for the day.
 */
CREATE FUNCTION segment_internal.scorecards_agree(portfolio text, one bigint, other bigint) RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $scorecards_agree$
DECLARE
	agree boolean;
BEGIN
	EXECUTE format($query$
		SELECT to_jsonb(a) - c.others = to_jsonb(b) - c.others
		FROM %1$I.scorecard AS a, %1$I.scorecard AS b,
			(SELECT '{scorecard_id,created_at,customers,buyers}'::text[]) AS c(others)
		WHERE a.scorecard_id = $1 AND b.scorecard_id = $2$query$, portfolio)
	INTO agree USING one, other;
	RETURN coalesce(agree, false);
END
$scorecards_agree$;
COMMENT ON FUNCTION segment_internal.scorecards_agree(text, bigint, bigint) IS
'whether two scorecards give every customer the same row (internal)';

/*
 * Runs a query that computes rows, with the keys of table refresh_key as $1 if
 * only theirs are wanted.  A rule that cannot be computed for somebody is an
 * error that names its scheme.
 */
CREATE FUNCTION segment_internal.kept_run(portfolio text, query text, changes_only boolean, from_kept boolean) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $kept_run$
DECLARE
	schemes text[];
	scheme text;
	message text;
	state text;
	failure record;
BEGIN
	PERFORM segment_internal.refresh_run(portfolio, query, 'pg_catalog, pg_temp', changes_only);
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, state = RETURNED_SQLSTATE;
	IF segment_internal.is_beyond_query(state) THEN
		RAISE;
	END IF;
	EXECUTE format('SELECT array_agg(s.scheme ORDER BY s.ordinal) FROM %I.scheme AS s', portfolio) INTO schemes;
	FOREACH scheme IN ARRAY coalesce(schemes, '{}') LOOP
		BEGIN
			-- not count(), for which the planner computes nothing that cannot be NULL
			EXECUTE format('SELECT max(c.%I) FROM (%s) AS c', scheme,
				segment_internal.kept_query(portfolio, from_kept => from_kept));
		EXCEPTION WHEN OTHERS THEN
			failure := segment_internal.scheme_rule_failure(scheme, message);
			RAISE EXCEPTION USING ERRCODE = state, MESSAGE = failure.message, HINT = failure.hint;
		END;
	END LOOP;
	RAISE;
END
$kept_run$;
COMMENT ON FUNCTION segment_internal.kept_run(text, text, boolean, boolean) IS
'runs a query that computes rows of the table kept_customer; an error of a rule names its scheme (internal)';

/* The rows of the customers in table refresh_key, from their histories, as of a day (an expression). */
CREATE FUNCTION segment_internal.kept_fill_changed(portfolio text, as_of text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $kept_fill_changed$
DECLARE
	columns text := (SELECT string_agg(quote_ident(c.name), ', ' ORDER BY c.ordinal) FROM segment_internal.kept_columns(portfolio) AS c);
BEGIN
	EXECUTE format('DELETE FROM %1$I.kept_customer AS c USING %1$I.refresh_key AS k WHERE c.customer_id %2$s k.customer_id',
		portfolio, (segment_internal.portfolio_key(portfolio)).equality);
	PERFORM segment_internal.kept_run(portfolio, format('INSERT INTO %1$I.kept_customer (%2$s) SELECT %2$s FROM (%3$s) AS c WHERE %4$s',
		portfolio, columns, segment_internal.kept_query(portfolio, as_of), segment_internal.key_condition(portfolio, 'c.customer_id')),
		true, false);
END
$kept_fill_changed$;
COMMENT ON FUNCTION segment_internal.kept_fill_changed(text, text) IS
'computes the rows of the customers in table refresh_key from their histories, by the scorecard in force as of a day (internal)';

/* All rows, by the scorecard in force. */
CREATE FUNCTION segment_internal.kept_fill(portfolio text, from_kept boolean) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $kept_fill$
DECLARE
	columns text := (SELECT string_agg(quote_ident(c.name), ', ' ORDER BY c.ordinal) FROM segment_internal.kept_columns(portfolio) AS c);
BEGIN
	-- computed first and then inserted, since an INSERT never uses parallel
	-- workers; in the order of keys, which the primary key's index likes
	PERFORM segment_internal.kept_run(portfolio, format('CREATE UNLOGGED TABLE %I.refresh_row AS %s', portfolio,
		segment_internal.kept_query(portfolio, 's.scorecard_as_of', from_kept)), false, from_kept);
	EXECUTE format('DELETE FROM %I.kept_customer', portfolio);
	EXECUTE format('INSERT INTO %1$I.kept_customer (%2$s) SELECT %2$s FROM %1$I.refresh_row AS r ORDER BY r.customer_id', portfolio, columns);
	EXECUTE format('DROP TABLE %I.refresh_row', portfolio);
	EXECUTE format('ANALYZE %I.kept_customer', portfolio);
END
$kept_fill$;
COMMENT ON FUNCTION segment_internal.kept_fill(text, boolean) IS
'computes all rows of the table kept_customer by the scorecard in force, from the histories or from kept figures, which must hold on its day (internal)';

/*
 * Moves the kept figures on to the day of a new scorecard: the one given, else
 * the last purchase day.  Besides the customers in table refresh_key only those
 * are computed again whose histories say more since, and those who were not
 * known before.  NULL, and no row is computed, if that day is before the one that
 * the figures are of, or if they were computed by another cancel_same_day.
 */
CREATE FUNCTION segment_internal.kept_move(portfolio text, given date, today date) RETURNS date
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $kept_move$
DECLARE
	equality text := (segment_internal.portfolio_key(portfolio)).equality;
	kept_day date;
	others boolean;
	same_rule boolean;
	day date;
BEGIN
	EXECUTE format($query$
		SELECT s.as_of, s.settings -> 'cancel_same_day' IS NOT DISTINCT FROM segment_internal.check_settings(p.settings) -> 'cancel_same_day'
		FROM %1$I.scorecard AS s JOIN %1$I.portfolio AS p ON p.scorecard_id = s.scorecard_id$query$, portfolio)
	INTO kept_day, same_rule;
	IF given < kept_day OR kept_day IS NULL OR NOT same_rule THEN
		RETURN NULL;
	END IF;
	EXECUTE format($query$
		INSERT INTO %1$I.refresh_key (customer_id, everybody)
		SELECT c.customer_id, false FROM %1$I.kept_customer AS c WHERE c.next_event <= $1$query$, portfolio) USING today;
	EXECUTE format('ANALYZE %I.refresh_key', portfolio);
	-- who was kept and has not changed is still in customer_history; so, the
	-- changed ones left aside, counts tell whether it has others, not known before
	EXECUTE format($query$
		SELECT (SELECT count(*) FROM %1$I.customer_history)
				- (SELECT count(*) FROM %1$I.customer_history AS h
					WHERE EXISTS (SELECT FROM %1$I.refresh_key AS k WHERE k.customer_id %2$s h.customer_id))
			<> (SELECT count(*) FROM %1$I.kept_customer)
				- (SELECT count(*) FROM %1$I.kept_customer AS c
					WHERE EXISTS (SELECT FROM %1$I.refresh_key AS k WHERE k.customer_id %2$s c.customer_id))$query$, portfolio, equality)
	INTO others;
	IF others THEN
		EXECUTE format($query$
			INSERT INTO %1$I.refresh_key (customer_id, everybody)
			SELECT h.customer_id, false FROM %1$I.customer_history AS h
			WHERE NOT EXISTS (SELECT FROM %1$I.kept_customer AS c WHERE c.customer_id %2$s h.customer_id)$query$, portfolio, equality);
		EXECUTE format('ANALYZE %I.refresh_key', portfolio);
	END IF;
	day := given;
	IF day IS NULL THEN
		-- of those who are not computed again, and of those who are
		EXECUTE format($query$
			SELECT greatest(
				(SELECT max(c.last_day) FROM %1$I.kept_customer AS c
				WHERE NOT EXISTS (SELECT FROM %1$I.refresh_key AS k WHERE k.customer_id %2$s c.customer_id)),
				(SELECT max(segment.last_day(segment.as_of(h.purchases, $1))) FROM %1$I.customer_history AS h
				WHERE EXISTS (SELECT FROM %1$I.refresh_key AS k WHERE k.customer_id %2$s h.customer_id)), NULL)$query$, portfolio, equality)
		INTO day USING today;
		day := coalesce(day, today);
	END IF;
	IF day < kept_day THEN
		RETURN NULL;
	END IF;
	PERFORM segment_internal.kept_fill_changed(portfolio, format('%L::date', day));
	RETURN day;
END
$kept_move$;
COMMENT ON FUNCTION segment_internal.kept_move(text, date, date) IS
'brings the figures of the table kept_customer to the day of a new scorecard, which it returns; NULL if they have to be computed from the histories (internal)';
