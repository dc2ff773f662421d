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

/* ---------- the table ---------- */

/*
 * Makes the table, or brings its columns to the attributes and schemes as they
 * are: a column for each, which is NULL until the rows are filled again.
 */
CREATE FUNCTION segment_internal.kept_define(portfolio text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $kept_define$
DECLARE
	command text;
BEGIN
	IF to_regclass(format('%I.kept_customer', portfolio)) IS NULL THEN
		-- from the histories, so that domain and collation of the key are kept
		EXECUTE format('CREATE TABLE %1$I.kept_customer AS SELECT h.customer_id, %2$s FROM %1$I.customer_history AS h WITH NO DATA',
			portfolio, (SELECT string_agg(format('NULL::%s AS %I', c.type, c.name), ', ' ORDER BY c.ordinal)
			FROM segment_internal.customer_columns() AS c));
		EXECUTE format('ALTER TABLE %1$I.kept_customer ADD PRIMARY KEY (customer_id)', portfolio);
		-- as a rule of nobody or few
		EXECUTE format('CREATE INDEX ON %1$I.kept_customer (next_event) WHERE next_event IS NOT NULL', portfolio);
	END IF;
	FOR command IN EXECUTE format($query$
		SELECT CASE WHEN k.name IS NULL THEN format('DROP COLUMN %%I', a.attname) ELSE format('ADD COLUMN %%I %%s', k.name, k.type) END
		FROM segment_internal.kept_columns($1) AS k
		FULL JOIN (SELECT * FROM pg_attribute WHERE attrelid = %1$L::regclass AND attnum > 0 AND NOT attisdropped) AS a
			ON a.attname = k.name
		WHERE k.name IS NULL OR a.attname IS NULL
		ORDER BY k.ordinal$query$, format('%I.kept_customer', portfolio)) USING portfolio
	LOOP
		EXECUTE format('ALTER TABLE %I.kept_customer %s', portfolio, command);
	END LOOP;
END
$kept_define$;
COMMENT ON FUNCTION segment_internal.kept_define(text) IS
'creates the table kept_customer of a portfolio, with its indexes, or gives it the columns of attributes and schemes as they are now (internal)';

/*
 * An index for each column that the setting indexes names, and for no other.
 * Those that somebody made with a name of their own stay.
 */
CREATE FUNCTION segment_internal.kept_index(portfolio text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $kept_index$
DECLARE
	kept regclass := format('%I.kept_customer', portfolio);
	settings jsonb;
	wanted text[];
	unknown text;
	command text;
BEGIN
	EXECUTE format('SELECT segment_internal.check_settings(p.settings) FROM %I.portfolio AS p', portfolio) INTO settings;
	wanted := ARRAY(SELECT DISTINCT btrim(n.name) FROM unnest(string_to_array(settings ->> 'indexes', ',')) AS n(name)
		WHERE btrim(n.name) NOT IN ('', 'customer_id'));
	SELECT n.name INTO unknown FROM unnest(wanted) AS n(name)
	WHERE NOT EXISTS (SELECT FROM segment_internal.kept_columns(portfolio) AS k WHERE k.name = n.name AND k.is_shown)
	LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_column',
			MESSAGE = format('setting "indexes" names a column "%s", which the view customer does not have', unknown),
			HINT = 'It is a list of columns of the view customer, separated by commas.';
	END IF;
	FOR command IN
		-- by a digest, since a column's name can have as many bytes as an index's
		SELECT CASE WHEN n.name IS NULL THEN format('DROP INDEX %I.%I', portfolio, i.relname)
			ELSE format('CREATE INDEX %I ON %s (%I)', 'kept_customer_' || md5(n.name), kept, n.name) END
		FROM unnest(wanted) AS n(name)
		FULL JOIN (
			SELECT c.relname FROM pg_index AS x JOIN pg_class AS c ON c.oid = x.indexrelid
			WHERE x.indrelid = kept AND c.relname ~ '^kept_customer_[0-9a-f]{32}$'
		) AS i ON i.relname = 'kept_customer_' || md5(n.name)
		WHERE n.name IS NULL OR i.relname IS NULL
	LOOP
		EXECUTE command;
	END LOOP;
END
$kept_index$;
COMMENT ON FUNCTION segment_internal.kept_index(text) IS
'creates and drops indexes of the table kept_customer, so that there is one for each column in the setting indexes; error 42703 for a column that is not there (internal)';

/*
 * Rules, classes and cuts as they are now take effect.  Readers are locked out
 * only if there is something new to add columns for.
 */
CREATE FUNCTION segment_internal.kept_define_rules(portfolio text, security_invoker boolean) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $kept_define_rules$
BEGIN
	PERFORM segment_internal.kept_define(portfolio);
	PERFORM segment_internal.rule_check(portfolio);
	IF EXISTS (
		SELECT FROM segment_internal.scheme_figures(portfolio) AS f
		WHERE NOT EXISTS (SELECT FROM pg_attribute AS a
			WHERE a.attrelid = to_regclass(format('%I.scorecard_figures', portfolio)) AND a.attname = f.name)
	) THEN
		PERFORM segment_internal.customer_define_scorecard(portfolio, security_invoker);
	END IF;
	PERFORM segment_internal.customer_define_row(portfolio);
	PERFORM segment_internal.kept_index(portfolio);
END
$kept_define_rules$;
COMMENT ON FUNCTION segment_internal.kept_define_rules(text, boolean) IS
'brings the table kept_customer and the function customer_row of a portfolio to its schemes as they are now (internal)';

/* ---------- the rows ---------- */

/*
 * As they are to be kept: see customer_items.  Stay rules look in the last snapshot
 * before the scorecard's day, whatever the day that a customer is seen from.
 */
CREATE FUNCTION segment_internal.kept_query(portfolio text, scorecard_id bigint, as_of date, from_figures boolean, today date)
RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN (SELECT format($template$
	SELECT h.customer_id, %3$s
	FROM %1$I.scorecards(ARRAY[%2$s]) AS s%4$s$template$, portfolio, scorecard_id,
	string_agg(format('c.%I', k.name), ', ' ORDER BY k.ordinal) FILTER (WHERE k.name <> 'customer_id'),
	CASE WHEN from_figures THEN format(E'\n\t\tCROSS JOIN %I.refresh_figures AS h', portfolio)
		|| segment_internal.customer_row_items(portfolio, format('%L::date', as_of), segment_internal.figures_value(), true)
	ELSE segment_internal.customer_figures_items(portfolio, format(CASE WHEN today IS NOT NULL
			THEN 'segment_internal.judged_day(h.purchases, %L::date, %L::date)' ELSE '%L::date' END, as_of, today), false)
		|| segment_internal.customer_row_items(portfolio, format('%L::date', as_of), 'f.*', false) END)
	FROM segment_internal.kept_columns(portfolio) AS k);
COMMENT ON FUNCTION segment_internal.kept_query(text, bigint, date, boolean, date) IS
'the query of all rows of the table kept_customer, by a scorecard as of a day, from the histories, where today, if given, is the last day of orders that make it a later one, or from the table refresh_figures (internal)';

/*
 * Do two scorecards judge alike?  All but the number, the time, the counts of
 * customers and reasons decide; of the models the parameters, not how sure they
 * are, since predictions take no more.  Stay rules also ask for the day.
 */
CREATE FUNCTION segment_internal.scorecards_agree(portfolio text, one bigint, other bigint) RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $scorecards_agree$
DECLARE
	agree boolean;
BEGIN
	EXECUTE format($query$
		SELECT count(DISTINCT (to_jsonb(s) - '{scorecard_id,created_at,customers,buyers,purchase_model,spend_model,churn_reason}'::text[],
			segment.kind(s.purchase_model), segment.unit(s.purchase_model), segment.params(s.purchase_model),
			segment.kind(s.spend_model), segment.params(s.spend_model))) = 1 AND count(*) = 2
		FROM %1$I.scorecard AS s
		WHERE s.scorecard_id IN ($1, $2)$query$, portfolio)
	INTO agree USING one, other;
	RETURN agree;
END
$scorecards_agree$;
COMMENT ON FUNCTION segment_internal.scorecards_agree(text, bigint, bigint) IS
'whether two scorecards give every customer the same row (internal)';

/*
 * Runs a command that stores rows of a query, with the keys of table refresh_key
 * as $1 if only theirs are wanted.  A rule that cannot be computed for somebody
 * is an error that names its scheme.
 */
CREATE FUNCTION segment_internal.kept_run(portfolio text, command text, query text, changes_only boolean) RETURNS void
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
	PERFORM segment_internal.refresh_run(portfolio, command, 'pg_catalog, pg_temp', changes_only);
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, state = RETURNED_SQLSTATE;
	IF segment_internal.is_beyond_query(state) THEN
		RAISE;
	END IF;
	EXECUTE format('SELECT array_agg(s.scheme ORDER BY s.ordinal) FROM %I.scheme AS s', portfolio) INTO schemes;
	FOREACH scheme IN ARRAY coalesce(schemes, '{}') LOOP
		BEGIN
			-- not count(), for which the planner computes nothing that cannot be NULL
			EXECUTE format('SELECT max(c.%I) FROM (%s) AS c', scheme, query);
		EXCEPTION WHEN OTHERS THEN
			failure := segment_internal.scheme_rule_failure(scheme, message);
			RAISE EXCEPTION USING ERRCODE = state, MESSAGE = failure.message, HINT = failure.hint;
		END;
	END LOOP;
	RAISE;
END
$kept_run$;
COMMENT ON FUNCTION segment_internal.kept_run(text, text, text, boolean) IS
'runs a command that stores rows which a query computes; an error of a rule names its scheme (internal)';

/* The rows of the customers in table refresh_key, from their histories, by the scorecard in force. */
CREATE FUNCTION segment_internal.kept_fill_changed(portfolio text, as_of date, today date) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $kept_fill_changed$
DECLARE
	columns text := (SELECT string_agg(quote_ident(c.name), ', ' ORDER BY c.ordinal) FROM segment_internal.kept_columns(portfolio) AS c);
	query text := segment_internal.kept_query(portfolio, (segment_internal.scorecard_in_force(portfolio)).scorecard_id, as_of, false, today);
BEGIN
	EXECUTE format('DELETE FROM %1$I.kept_customer AS c USING %1$I.refresh_key AS k WHERE c.customer_id %2$s k.customer_id',
		portfolio, (segment_internal.portfolio_key(portfolio)).equality);
	PERFORM segment_internal.kept_run(portfolio, format('INSERT INTO %1$I.kept_customer (%2$s) SELECT %2$s FROM (%3$s) AS c WHERE %4$s',
		portfolio, columns, query, segment_internal.key_condition(portfolio, 'c.customer_id')), query, true);
END
$kept_fill_changed$;
COMMENT ON FUNCTION segment_internal.kept_fill_changed(text, date, date) IS
'computes the rows of the customers in table refresh_key from their histories, by the scorecard in force, as of a day, or, if today is given, of the newest order up to it where that is later (internal)';

/*
 * All rows, by the scorecard in force, from the table refresh_figures, which is
 * dropped.  In the order of keys if it is not about theirs already, as that of
 * kept rows: the primary key's index likes it.  With statistics of all columns, or
 * of those that have an index, where the others can hardly have changed.
 */
CREATE FUNCTION segment_internal.kept_fill(portfolio text, in_order boolean, all_statistics boolean) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $kept_fill$
DECLARE
	columns text := (SELECT string_agg(quote_ident(c.name), ', ' ORDER BY c.ordinal) FROM segment_internal.kept_columns(portfolio) AS c);
	judge record := segment_internal.scorecard_in_force(portfolio);
	query text := segment_internal.kept_query(portfolio, judge.scorecard_id, judge.as_of, true, NULL);
BEGIN
	EXECUTE format('DELETE FROM %I.kept_customer', portfolio);
	PERFORM segment_internal.kept_run(portfolio, format('INSERT INTO %1$I.kept_customer (%2$s) SELECT %2$s FROM (%3$s) AS c%4$s',
		portfolio, columns, query, CASE WHEN in_order THEN ' ORDER BY c.customer_id' END), query, false);
	EXECUTE format('DROP TABLE %I.refresh_figures', portfolio);
	EXECUTE format('ANALYZE %1$I.kept_customer %2$s; ANALYZE %1$I.scorecard', portfolio, CASE WHEN NOT all_statistics THEN
		(SELECT format('(%s)', string_agg(DISTINCT quote_ident(a.attname), ', '))
		FROM pg_attribute AS a
		JOIN pg_index AS i ON i.indrelid = a.attrelid AND a.attnum = ANY (i.indkey)
		WHERE a.attrelid = format('%I.kept_customer', portfolio)::regclass) END);
END
$kept_fill$;
COMMENT ON FUNCTION segment_internal.kept_fill(text, boolean, boolean) IS
'stores all rows of the table kept_customer by the scorecard in force, of figures in the table refresh_figures, in the order of keys or as they come, with statistics of all columns or of those that have an index (internal)';

/* The settings that kept figures depend on: by others they have to be computed anew. */
CREATE FUNCTION segment_internal.kept_settings(settings jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN (SELECT jsonb_object_agg(k.name, settings -> k.name)
	FROM unnest('{cancel_same_day,period_days,trend_periods,churn_recent_days,churn_past_days,churn_significance,dormancy_asleep,dormancy_prior_gaps}'::text[]) AS k(name));
COMMENT ON FUNCTION segment_internal.kept_settings(jsonb) IS
'those of the settings that figures which are kept depend on (internal)';

/*
 * Moves the kept figures on to the day of a new scorecard: the one given, else
 * the last purchase day.  Besides the customers in table refresh_key only those
 * are computed again whose histories say more since, whose figures change by then
 * without that, and those who were not known before.  NULL, and no row is
 * computed, if that day is before the one that the figures are of, if they were
 * computed by other settings, or if so many change that all are computed faster.
 */
CREATE FUNCTION segment_internal.kept_move(portfolio text, given date, today date) RETURNS date
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $kept_move$
DECLARE
	equality text := (segment_internal.portfolio_key(portfolio)).equality;
	kept record := segment_internal.scorecard_in_force(portfolio);
	others boolean;
	same_rule boolean;
	many boolean;
	later boolean;
	day date;
BEGIN
	EXECUTE format('SELECT segment_internal.kept_settings($1) = segment_internal.kept_settings(segment_internal.check_settings(p.settings))
		FROM %I.portfolio AS p', portfolio)
	INTO same_rule USING kept.settings;
	IF given < kept.as_of OR kept.as_of IS NULL OR NOT same_rule THEN
		RETURN NULL;
	END IF;
	EXECUTE format($query$
		INSERT INTO %1$I.refresh_key (customer_id, everybody, folded)
		SELECT c.customer_id, false, true FROM %1$I.kept_customer AS c WHERE c.next_event <= $1$query$, portfolio) USING today;
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
			INSERT INTO %1$I.refresh_key (customer_id, everybody, folded)
			SELECT h.customer_id, false, true FROM %1$I.customer_history AS h
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
	-- customers with orders since then are seen from a later day
	EXECUTE format('SELECT EXISTS (SELECT FROM %I.kept_customer AS c WHERE c.as_of > $1)', portfolio) INTO later USING day;
	IF day < kept.as_of OR later THEN
		RETURN NULL;
	END IF;
	IF day > kept.as_of THEN
		-- a quarter of the customers is written as fast as all are, who will be
		-- written once more by the new scorecard
		EXECUTE format($query$
			SELECT count(*) FILTER (WHERE c.next_change <= $1) > count(*) / 4 FROM %1$I.kept_customer AS c$query$, portfolio)
		INTO many USING day;
		IF many THEN
			RETURN NULL;
		END IF;
		EXECUTE format($query$
			INSERT INTO %1$I.refresh_key (customer_id, everybody, folded)
			SELECT c.customer_id, false, true FROM %1$I.kept_customer AS c
			WHERE c.next_change <= $1
				AND NOT EXISTS (SELECT FROM %1$I.refresh_key AS k WHERE k.customer_id %2$s c.customer_id)$query$, portfolio, equality) USING day;
		EXECUTE format('ANALYZE %I.refresh_key', portfolio);
	END IF;
	PERFORM segment_internal.kept_fill_changed(portfolio, day, NULL);
	RETURN day;
END
$kept_move$;
COMMENT ON FUNCTION segment_internal.kept_move(text, date, date) IS
'brings the figures of the table kept_customer to the day of a new scorecard, which it returns; NULL if they have to be computed from the histories (internal)';
