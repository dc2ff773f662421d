/*
 * refresh: from the sources to histories, a new scorecard and the customers' rows
 *
 * Reads everything, or only the customers whose rows changed where watch tells
 * them (sql/portfolio/watch.sql); writes the histories that differ; looks for
 * doubtful rows of the sources; computes the scorecard over all customers and
 * their rows.
 */

/* ---------- histories ---------- */

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
			OR %3$s *<> %4$s)
		ON CONFLICT (customer_id) DO UPDATE SET
			purchases = excluded.purchases, margins = excluded.margins, costs = excluded.costs,
			complaints = excluded.complaints, satisfaction = excluded.satisfaction,
			listed = excluded.listed, attributes = excluded.attributes$template$, portfolio, key_equality,
		segment_internal.history_row('o'), segment_internal.history_row('r'));
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

/* ---------- the whole ---------- */

/*
 * What to read, and why.  Takes the notes of changed customers, those committed
 * so far, before anything is read: what is committed later is noted again, and
 * read by the next refresh.  The logs of changed rows are left for the reading,
 * with which they must be taken at once (see refresh_fold.sql).
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
	-- which covers the logs
	IF state.fingerprint IS DISTINCT FROM segment_internal.watch_found(stored) THEN
		PERFORM segment_internal.log_define(portfolio, definition);
		state := segment_internal.watch_state(portfolio, definition);
	END IF;
	fingerprint := segment_internal.watch_settle(state.fingerprint, stored, state.tables);
	EXECUTE format('CREATE UNLOGGED TABLE %1$I.refresh_key AS TABLE %1$I.changed_customer WITH NO DATA;
		ALTER TABLE %1$I.refresh_key ADD folded boolean NOT NULL DEFAULT false', portfolio);
	EXECUTE format('
		WITH taken AS (DELETE FROM %1$I.changed_customer RETURNING customer_id, everybody)
		INSERT INTO %1$I.refresh_key (customer_id, everybody)
		SELECT DISTINCT t.customer_id, t.everybody FROM taken AS t', portfolio);
	EXECUTE format('SELECT count(*) FROM (SELECT k.customer_id FROM %I.refresh_key AS k%s) AS c', portfolio,
		' UNION ' || segment_internal.log_keys(portfolio)) INTO changed;
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
		WHEN unnoted > 0 OR segment_internal.log_has_strays(portfolio) THEN 'changes could not be noted'
		WHEN everybody THEN 'a change concerned everybody'
		-- more than a million are read faster from the beginning to the end than by an index
		WHEN changed > least(segment_internal.changed_limit(known), 1000000)
			THEN format('%s of %s customers changed', changed, known) END;
	mode := CASE WHEN reason IS NULL THEN 'changes' ELSE 'full' END;
	reason := coalesce(reason, format('%s of %s customers changed', changed, known));
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
	OUT customers_read bigint, OUT customers_changed bigint, OUT again text
)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $refresh_histories$
DECLARE
	key_equality text := (segment_internal.portfolio_key(portfolio)).equality;
	known bigint;
	events boolean;
	events_changed bigint;
BEGIN
	PERFORM segment_internal.refresh_step(portfolio, CASE WHEN changes_only THEN 'reading changes' ELSE 'reading' END);
	IF changes_only THEN
		again := segment_internal.refresh_take_changes(portfolio, definition);
		EXECUTE format('ANALYZE %I.refresh_key', portfolio);
	ELSE
		PERFORM segment_internal.refresh_take(portfolio, definition, false, false);
	END IF;
	EXECUTE format('SELECT count(*) FROM %1$I.refresh_read AS r WHERE r.customer_id IS DISTINCT FROM NULL
		AND NOT EXISTS (SELECT FROM %1$I.refresh_key AS k WHERE k.folded AND k.customer_id %2$s r.customer_id)', portfolio, key_equality)
	INTO customers_read;
	EXECUTE format('ANALYZE %I.refresh_read', portfolio);

	events := segment_internal.event_read(portfolio, definition, changes_only);

	PERFORM segment_internal.refresh_step(portfolio, 'storing');
	-- before the histories: a customer who has changed in both counts once
	events_changed := CASE WHEN events THEN segment_internal.event_store(portfolio, changes_only) ELSE 0 END;
	customers_changed := events_changed + segment_internal.refresh_store(portfolio, key_equality, changes_only);
	PERFORM segment_internal.refresh_step(portfolio, 'checking');
	PERFORM segment_internal.refresh_defects(portfolio, definition, key_equality, today, changes_only);
	EXECUTE format('DROP TABLE %I.refresh_read', portfolio);
	IF events THEN
		EXECUTE format('DROP TABLE %I.refresh_event', portfolio);
	END IF;
	SELECT greatest(c.reltuples, 0) INTO known
	FROM pg_class AS c WHERE c.oid = format('%I.customer_history', portfolio)::regclass;
	IF customers_changed > known / 10 THEN
		EXECUTE format('ANALYZE %I.customer_history', portfolio);
	END IF;
END
$refresh_histories$;
COMMENT ON FUNCTION segment_internal.refresh_histories(text, jsonb, date, boolean) IS
'reads the sources, or what the logs tell, and brings customer_history and defect up to date, for everybody or for the customers in table refresh_key and in the logs; says how many of the latter were read again, and why (internal)';

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
	SELECT h.customers_read, h.customers_changed, concat_ws(', ', plan.reason, h.again)
	INTO report.customers_read, report.customers_changed, report.reason
	FROM segment_internal.refresh_histories(name, definition, today, plan.mode = 'changes') AS h;
	-- also so that a refresh with an older snapshot cannot go on (40001)
	EXECUTE format('UPDATE %I.portfolio AS p SET read_fingerprint = $1, refreshed_at = clock_timestamp()', name)
	USING plan.fingerprint;

	report.portfolio := name;
	report.mode := plan.mode;
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
		PERFORM segment_internal.kept_fill_changed(name, report.as_of,
			CASE WHEN NOT (segment_internal.scorecard_in_force(name)).as_of_given THEN today END);
	-- where the scorecard gives the rows of the one before, and no rule was changed, the rows are
	-- right if no history changed, and those of changed customers if they were computed
	ELSIF NOT (same_rows AND (from_kept OR report.customers_changed = 0)) OR (arguments ->> 'all_rows')::boolean THEN
		IF NOT (arguments ->> 'scorecard')::boolean THEN
			PERFORM segment_internal.figures_create(name, report.scorecard_id, report.as_of, false,
				CASE WHEN NOT (segment_internal.scorecard_in_force(name)).as_of_given THEN today END);
		END IF;
		PERFORM segment_internal.kept_fill(name, NOT from_kept, NOT from_kept OR coalesce((arguments ->> 'all_rows')::boolean, false));
	ELSIF (arguments ->> 'scorecard')::boolean THEN
		EXECUTE format('DROP TABLE %I.refresh_figures', name);
	END IF;
	EXECUTE format('DROP TABLE %I.refresh_key', name);
	report.seconds := extract(epoch FROM clock_timestamp() - started);
	EXECUTE format('INSERT INTO %I.refresh_log (started_at, as_of, mode, reason, customers, customers_read,
			customers_changed, scorecard_id, purchase_model, spend_model, seconds)
		SELECT $1, $2.as_of, $2.mode, $2.reason, $2.customers, $2.customers_read,
			$2.customers_changed, $2.scorecard_id, $2.purchase_model, $2.spend_model, $2.seconds', name)
	USING started, report;
	PERFORM segment_internal.refresh_retain(name, settings);
	PERFORM segment_internal.log_finish(name, definition);
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
