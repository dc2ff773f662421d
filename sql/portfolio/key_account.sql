/*
 * key_account: few chosen accounts, by criteria that are written down
 *
 * Criteria are rows with an entry and an exit limit.  A review admits who
 * meets all entry limits and reports who is beyond an exit limit; it never
 * removes anybody: that takes a person, a reason, and a failed review.
 */

CREATE TYPE segment.key_account_report AS (
	portfolio text, as_of date, accounts bigint, entered bigint, stayed bigint,
	would_demote bigint, overridden bigint, kept_out bigint
);
COMMENT ON TYPE segment.key_account_report IS
'what a review of key accounts found: its day, accounts after it, of these new ones, ones that stay by the criteria, ones to be demoted and ones kept by an override; and how many an override keeps out';

/* What criteria can be about: columns of the view customer and two more. */
CREATE FUNCTION segment.key_account_measures() RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN ARRAY['lifetime_profit', 'lifetime_rank', 'net_value', 'clv', 'margin', 'net', 'gross', 'cost',
	'orders', 'purchase_days', 'tenure_days', 'days_since_last', 'average_order', 'p_alive',
	'expected_purchases'];
COMMENT ON FUNCTION segment.key_account_measures() IS
'the measures that criteria of key accounts can name: columns of the view customer; lifetime_profit, which is net_value + clv; and lifetime_rank, the place by it among all customers (1 is highest, equal ones share a place)';

CREATE FUNCTION segment_internal.lifetime_profit(net_value numeric, clv float8) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN round(net_value + coalesce(clv, 0)::numeric, scale(net_value));
COMMENT ON FUNCTION segment_internal.lifetime_profit(numeric, float8) IS
'what a customer has brought and will bring: net_value + clv (0 where it is not known), rounded to the digits that net_value has after the point (internal)';

/* The stages of the relation with a key account.  No rule says which it is: a person does. */
CREATE FUNCTION segment_internal.key_account_stages()
RETURNS TABLE (stage text, ordinal integer, label text, label_zh text, action text, action_zh text)
LANGUAGE sql VOLATILE PARALLEL UNSAFE ROWS 4
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
SELECT v.stage, v.ordinal, v.label, segment_internal.unescape(v.label_zh, v.label), v.action, segment_internal.unescape(v.action_zh, v.action)
FROM (VALUES
	('incubation', 1, 'incubation', '孕育阶段',
	 'Find out who decides and what they need; name one account manager and keep that one.', '了解决策人及其需求；指定一名客户经理并保持稳定。'),
	('early', 2, 'early stage', '初期阶段',
	 'Agree on a first solution, meet regularly; do not change the account manager.', '商定首个解决方案，定期会面；不要频繁更换客户经理。'),
	('middle', 3, 'middle stage', '中期阶段',
	 'Agree on a solution for each year, train their people, invite them to the club.', '制定年度解决方案，为其提供培训，邀请加入俱乐部。'),
	('partner', 4, 'strategic partner', '战略合作伙伴阶段',
	 'Plan together with their executives; VIP conditions, regular meetings of both managements.', '与其高层共同规划；给予VIP待遇，双方管理层定期会面。')
) AS v(stage, ordinal, label, label_zh, action, action_zh);
END;
COMMENT ON FUNCTION segment_internal.key_account_stages() IS
'the stages of the relation with a key account that a new portfolio knows, with what to do (internal)';

CREATE FUNCTION segment_internal.key_account_create_tables(portfolio text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $key_account_create_tables$
BEGIN
	EXECUTE format($template$
		CREATE TABLE %1$I.key_account_criterion (
			valid_from date NOT NULL CHECK (isfinite(valid_from)),
			measure text NOT NULL CHECK (measure = ANY (%2$L::text[])),
			entry_limit numeric NOT NULL CHECK (entry_limit BETWEEN -1e27 AND 1e27),
			exit_limit numeric NOT NULL CHECK (exit_limit BETWEEN -1e27 AND 1e27),
			reason text,
			who text NOT NULL DEFAULT session_user,
			created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
			PRIMARY KEY (valid_from, measure),
			-- which of them is higher tells the direction
			CONSTRAINT limits_differ CHECK (entry_limit <> exit_limit)
		);
		INSERT INTO %1$I.key_account_criterion (valid_from, measure, entry_limit, exit_limit, reason)
		VALUES ('0001-01-01', 'lifetime_rank', 20, 25, 'default'),
			('0001-01-01', 'lifetime_profit', 1, 0, 'default');

		-- the key with its own type, domain and collation
		CREATE TABLE %1$I.key_account_stay AS
			SELECT c.customer_id FROM %1$I.customer_history AS c WITH NO DATA;
		ALTER TABLE %1$I.key_account_stay
			ADD COLUMN since date NOT NULL,
			ADD COLUMN entered_by text NOT NULL,
			ADD COLUMN owner text,
			ADD COLUMN executive text,
			ADD COLUMN until date,
			ADD COLUMN left_reason text,
			ADD COLUMN left_by text,
			ADD PRIMARY KEY (customer_id, since),
			ADD CONSTRAINT left_complete CHECK (num_nonnulls(until, left_reason, left_by) IN (0, 3)),
			ADD CONSTRAINT left_later CHECK (until >= since);
		CREATE UNIQUE INDEX key_account_stay_open ON %1$I.key_account_stay (customer_id) WHERE until IS NULL;

		CREATE TABLE %1$I.key_account_override AS
			SELECT c.customer_id FROM %1$I.customer_history AS c WITH NO DATA;
		ALTER TABLE %1$I.key_account_override
			ADD COLUMN admitted boolean NOT NULL,
			ADD COLUMN reason text NOT NULL CHECK (reason <> ''),
			ADD COLUMN who text NOT NULL CHECK (who <> ''),
			ADD COLUMN valid_from date NOT NULL,
			ADD COLUMN valid_until date NOT NULL,
			ADD COLUMN created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
			ADD COLUMN ended_at timestamptz,
			ADD COLUMN ended_by text,
			ADD COLUMN end_reason text,
			ADD PRIMARY KEY (customer_id, created_at),
			ADD CONSTRAINT expires_later CHECK (valid_until >= valid_from),
			ADD CONSTRAINT end_complete CHECK (num_nonnulls(ended_at, ended_by, end_reason) IN (0, 3));
		CREATE UNIQUE INDEX key_account_override_open
			ON %1$I.key_account_override (customer_id) WHERE ended_at IS NULL;

		CREATE TABLE %1$I.key_account_review AS
			SELECT NULL::date AS as_of, c.customer_id FROM %1$I.customer_history AS c WITH NO DATA;
		ALTER TABLE %1$I.key_account_review
			ADD COLUMN decision text NOT NULL CHECK (decision IN
				('enters', 'stays', 'would_demote', 'overridden', 'kept_out')),
			ADD COLUMN lifetime_profit numeric,
			ADD COLUMN lifetime_rank bigint,
			ADD COLUMN since date,
			ADD COLUMN override_expired boolean NOT NULL,
			ADD PRIMARY KEY (as_of, customer_id);

		CREATE TABLE %1$I.key_account_finding AS
			SELECT NULL::date AS as_of, c.customer_id FROM %1$I.customer_history AS c WITH NO DATA;
		ALTER TABLE %1$I.key_account_finding
			ADD COLUMN measure text NOT NULL,
			ADD COLUMN value numeric,
			ADD COLUMN entry_limit numeric NOT NULL,
			ADD COLUMN exit_limit numeric NOT NULL,
			ADD COLUMN enters boolean NOT NULL,
			ADD COLUMN stays boolean NOT NULL,
			ADD COLUMN failing_since date,
			ADD PRIMARY KEY (as_of, customer_id, measure),
			ADD FOREIGN KEY (as_of, customer_id) REFERENCES %1$I.key_account_review ON DELETE CASCADE;

		CREATE TABLE %1$I.key_account_owner AS
			SELECT c.customer_id FROM %1$I.customer_history AS c WITH NO DATA;
		ALTER TABLE %1$I.key_account_owner
			ADD COLUMN owner text,
			ADD COLUMN executive text,
			ADD COLUMN from_day date NOT NULL,
			ADD COLUMN until_day date,
			ADD COLUMN who text NOT NULL DEFAULT session_user,
			ADD COLUMN created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
			ADD PRIMARY KEY (customer_id, created_at),
			ADD CONSTRAINT ends_later CHECK (until_day >= from_day);
		CREATE UNIQUE INDEX key_account_owner_open ON %1$I.key_account_owner (customer_id) WHERE until_day IS NULL;

		CREATE TABLE %1$I.key_account_stage (
			stage text PRIMARY KEY,
			ordinal integer NOT NULL UNIQUE,
			label text NOT NULL,
			label_zh text,
			action text,
			action_zh text
		);
		INSERT INTO %1$I.key_account_stage (stage, ordinal, label, label_zh, action, action_zh)
			SELECT * FROM segment_internal.key_account_stages();
		CREATE TABLE %1$I.key_account_stage_entry AS
			SELECT c.customer_id FROM %1$I.customer_history AS c WITH NO DATA;
		ALTER TABLE %1$I.key_account_stage_entry
			ADD COLUMN stage text NOT NULL REFERENCES %1$I.key_account_stage ON UPDATE CASCADE,
			ADD COLUMN since date NOT NULL,
			ADD COLUMN who text NOT NULL CHECK (who <> ''),
			ADD COLUMN note text,
			ADD COLUMN created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
			ADD PRIMARY KEY (customer_id, created_at)
		$template$, portfolio, segment.key_account_measures());
END
$key_account_create_tables$;
COMMENT ON FUNCTION segment_internal.key_account_create_tables(text) IS
'creates the tables of the concept key_account, with the default criteria (internal)';

CREATE FUNCTION segment_internal.key_account_create_views(portfolio text, security_invoker boolean) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $key_account_create_views$
DECLARE
	equality text := (segment_internal.portfolio_key(portfolio)).equality;
BEGIN
	-- the last review of each account; the money is today's, found by key
	EXECUTE format($template$
		CREATE OR REPLACE VIEW %1$I.key_account WITH (security_invoker = %2$s) AS
		SELECT a.customer_id, f.met AS criteria_met, f.failed AS criteria_failed,
			segment_internal.lifetime_profit(c.net_value, c.clv) AS value, c.net_value, c.clv,
			a.owner, a.executive, a.since, a.entered_by,
			o.reason AS override_reason, o.who AS override_by, o.valid_until AS override_until,
			o.valid_until < s.as_of AS override_expired,
			coalesce(r.decision = 'would_demote', false) AS would_demote,
			r.as_of AS reviewed_on,
			w.owner_since, w.owner_changes,
			g.stage, g.since AS stage_since, g.who AS stage_by, g.label AS stage_label, g.label_zh AS stage_label_zh,
			g.action AS stage_action, g.action_zh AS stage_action_zh
		FROM %1$I.key_account_stay AS a
		CROSS JOIN (
			SELECT n.as_of FROM %1$I.scorecard_in_force AS n OFFSET 0
		) AS s
		LEFT JOIN %1$I.customer AS c ON c.customer_id %3$s a.customer_id
		LEFT JOIN %1$I.key_account_override AS o ON o.customer_id %3$s a.customer_id
			AND o.ended_at IS NULL AND o.admitted
		LEFT JOIN %1$I.key_account_review AS r ON r.customer_id %3$s a.customer_id
			AND r.as_of = (SELECT max(l.as_of) FROM %1$I.key_account_review AS l)
			AND r.as_of >= a.since
		LEFT JOIN LATERAL (
			SELECT string_agg(t.finding, ', ' ORDER BY t.measure) FILTER (WHERE t.stays) AS met,
				string_agg(t.finding || coalesce(' since ' || t.failing_since, ''), ', ' ORDER BY t.measure)
					FILTER (WHERE NOT t.stays) AS failed
			FROM (
				SELECT g.measure, g.stays, g.failing_since,
					format('%%s %%s (exit limit %%s)', g.measure,
						coalesce(trim_scale(round(g.value, 2))::text, 'unknown'), trim_scale(g.exit_limit)) AS finding
				FROM %1$I.key_account_finding AS g
				WHERE g.customer_id %3$s r.customer_id AND g.as_of = r.as_of
			) AS t
		) AS f ON true
		LEFT JOIN LATERAL (
			-- the executive may have changed alone
			SELECT max(n.from_day) FILTER (WHERE n.is_new) AS owner_since,
				nullif(count(*) FILTER (WHERE n.is_new), 0) - 1 AS owner_changes
			FROM (
				SELECT o.from_day, o.owner IS DISTINCT FROM lag(o.owner) OVER (ORDER BY o.created_at) AS is_new
				FROM %1$I.key_account_owner AS o
				WHERE o.customer_id %3$s a.customer_id AND o.from_day >= a.since
			) AS n
		) AS w ON true
		LEFT JOIN LATERAL (
			SELECT e.stage, e.since, e.who, t.label, t.label_zh, t.action, t.action_zh
			FROM %1$I.key_account_stage_entry AS e
			JOIN %1$I.key_account_stage AS t ON t.stage = e.stage
			WHERE e.customer_id %3$s a.customer_id AND e.since >= a.since
			ORDER BY e.created_at DESC LIMIT 1
		) AS g ON true
		WHERE a.until IS NULL$template$, portfolio, security_invoker, equality);

	EXECUTE format($template$
		CREATE OR REPLACE VIEW %1$I.key_account_requalification WITH (security_invoker = %2$s) AS
		SELECT r.as_of, r.customer_id, r.decision, r.since, f.measure, f.value,
			f.entry_limit, f.exit_limit, f.enters, f.stays, f.failing_since,
			r.lifetime_profit, r.lifetime_rank, r.override_expired
		FROM %1$I.key_account_review AS r
		LEFT JOIN %1$I.key_account_finding AS f
			ON f.as_of = r.as_of AND f.customer_id %3$s r.customer_id$template$,
		portfolio, security_invoker, equality);

	EXECUTE format($template$
		CREATE OR REPLACE VIEW %1$I.key_account_history WITH (security_invoker = %2$s) AS
		SELECT o.customer_id, 'owner' AS kind, o.owner AS value, o.executive, o.from_day, o.until_day, o.who, NULL::text AS note, o.created_at
		FROM %1$I.key_account_owner AS o
		UNION ALL
		SELECT e.customer_id, 'stage', e.stage, NULL, e.since,
			lead(e.since) OVER (PARTITION BY e.customer_id ORDER BY e.created_at), e.who, e.note, e.created_at
		FROM %1$I.key_account_stage_entry AS e$template$, portfolio, security_invoker);
END
$key_account_create_views$;
COMMENT ON FUNCTION segment_internal.key_account_create_views(text, boolean) IS
'creates or replaces the views key_account, key_account_requalification and key_account_history (internal)';

/* ---------- criteria as SQL ---------- */

/*
 * The criteria in force on a day as SQL: the columns of the view customer that
 * they need; whether all entry limits are met; whether no exit limit is passed;
 * and the rows (measure, value, entry_limit, exit_limit, enters, stays).  What
 * is not known does not admit anybody, and is not a reason to demote.
 */
CREATE FUNCTION segment_internal.key_account_conditions(
	portfolio text, day date, OUT version date, OUT columns text, OUT enters text, OUT stays text, OUT findings text
)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $key_account_conditions$
BEGIN
	EXECUTE format($query$
		SELECT max(m.valid_from),
			coalesce(string_agg(format(', k.%%I', m.measure), '') FILTER (WHERE m.measure NOT IN
				('lifetime_profit', 'lifetime_rank', 'net_value', 'clv')), ''),
			string_agg(m.enters, ' AND '), string_agg(m.stays, ' AND '),
			string_agg(format('(%%L, trim_scale(round(c.%%I::numeric, 9)), %%L::numeric, %%L::numeric, %%s, %%s)',
				m.measure, m.measure, m.entry_limit, m.exit_limit, m.enters, m.stays), ', ')
		FROM (
			SELECT k.valid_from, k.measure, k.entry_limit, k.exit_limit,
				format('coalesce(c.%%I::numeric %%s %%L, false)', k.measure,
					CASE WHEN k.entry_limit > k.exit_limit THEN '>=' ELSE '<=' END, k.entry_limit) AS enters,
				format('coalesce(c.known, false) AND coalesce(c.%%I::numeric %%s %%L, true)', k.measure,
					CASE WHEN k.entry_limit > k.exit_limit THEN '>=' ELSE '<=' END, k.exit_limit) AS stays
			FROM %1$I.key_account_criterion AS k
			WHERE k.valid_from = (SELECT max(l.valid_from) FROM %1$I.key_account_criterion AS l
				WHERE l.valid_from <= $1)
			ORDER BY k.measure
		) AS m$query$, portfolio)
	INTO version, columns, enters, stays, findings USING day;
	IF version IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = format('portfolio "%s" has no criteria of key accounts in force on %s', portfolio, day),
			HINT = format('Insert rows into %I.key_account_criterion.', portfolio);
	END IF;
END
$key_account_conditions$;
COMMENT ON FUNCTION segment_internal.key_account_conditions(text, date) IS
'the criteria of key accounts in force on a day, as SQL expressions; error 55000 if there are none (internal)';

/* ---------- the functions ---------- */

/* The customer's key as an SQL literal of its type; refuses unknown customers. */
CREATE FUNCTION segment_internal.key_account_key(portfolio text, customer text) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $key_account_key$
DECLARE
	key record := segment_internal.portfolio_key(portfolio);
	literal text := format('%L::%s', customer, key.key_cast);
	found boolean;
BEGIN
	EXECUTE format('SELECT EXISTS (SELECT FROM %1$I.customer_history AS c WHERE c.customer_id %3$s %2$s)
			OR EXISTS (SELECT FROM %1$I.key_account_stay AS c WHERE c.customer_id %3$s %2$s)', portfolio, literal, key.equality)
	INTO found;
	IF NOT found THEN
		RAISE EXCEPTION USING ERRCODE = 'no_data_found',
			MESSAGE = format('portfolio "%s" has no customer "%s"', portfolio, customer);
	END IF;
	RETURN literal;
END
$key_account_key$;
COMMENT ON FUNCTION segment_internal.key_account_key(text, text) IS
'the SQL literal of a customer''s key; errors: P0002 no such customer, 22P02 not of the key''s type (internal)';

CREATE FUNCTION segment_internal.key_account_require(argument text, value text) RETURNS void
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $key_account_require$
BEGIN
	IF value IS NULL OR btrim(value) = '' THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('argument "%s" must not be empty', argument),
			HINT = 'What is done by hand is reported, with the reason and who did it.';
	END IF;
END
$key_account_require$;
COMMENT ON FUNCTION segment_internal.key_account_require(text, text) IS
'error 22023 if an argument is NULL or blank (internal)';

CREATE FUNCTION segment_internal.key_account_review(portfolio text, as_of date, settings jsonb) RETURNS segment.key_account_report
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $key_account_review$
DECLARE
	conditions record := segment_internal.key_account_conditions(portfolio, as_of);
	last_review date;
	report segment.key_account_report;
BEGIN
	EXECUTE format('SELECT max(r.as_of) FROM %I.key_account_review AS r', portfolio) INTO last_review;
	IF last_review > as_of THEN
		RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = format('portfolio "%s" is seen from %s, before the last review of key accounts', portfolio, as_of),
			DETAIL = format('The last review was on %s.', last_review),
			HINT = 'Refresh the portfolio as of that day or later.';
	END IF;
	-- a second review of the same day takes the place of the first
	EXECUTE format('DELETE FROM %I.key_account_review AS r WHERE r.as_of = $1', portfolio) USING as_of;

	EXECUTE format($template$
		WITH candidate AS (
			SELECT k.customer_id, k.net_value, k.clv%5$s, true AS known,
				segment_internal.lifetime_profit(k.net_value, k.clv) AS lifetime_profit
			FROM %1$I.customer AS k
		), ranked AS (
			SELECT c.*, rank() OVER (ORDER BY c.lifetime_profit DESC) AS lifetime_rank
			FROM candidate AS c
		), concerned AS (
			-- a full join: the sources may no longer name an account
			SELECT coalesce(c.customer_id, a.customer_id) AS key, c.*, a.since,
				o.admitted, o.valid_until < $1 AS expired
			FROM ranked AS c
			FULL JOIN (SELECT e.* FROM %1$I.key_account_stay AS e WHERE e.until IS NULL) AS a
				ON a.customer_id %6$s c.customer_id
			LEFT JOIN %1$I.key_account_override AS o
				ON o.customer_id %6$s coalesce(c.customer_id, a.customer_id) AND o.ended_at IS NULL
			WHERE a.customer_id IS DISTINCT FROM NULL OR o.customer_id IS DISTINCT FROM NULL OR (%2$s)
		), decided AS (
			SELECT c.*, CASE
					WHEN NOT c.admitted AND NOT c.expired THEN 'kept_out'
					WHEN c.admitted AND NOT c.expired THEN 'overridden'
					WHEN c.since IS NULL OR c.since = $1
						THEN CASE WHEN %2$s THEN 'enters' WHEN c.since = $1 THEN 'stays' END
					WHEN (%3$s) OR c.since + $2 > $1 THEN 'stays'
					ELSE 'would_demote' END AS decision
			FROM concerned AS c
		), review AS (
			INSERT INTO %1$I.key_account_review
				(as_of, customer_id, decision, lifetime_profit, lifetime_rank, since, override_expired)
			SELECT $1, c.key, c.decision, c.lifetime_profit, c.lifetime_rank,
				CASE WHEN c.decision <> 'kept_out' THEN coalesce(c.since, $1) END, coalesce(c.expired, false)
			FROM decided AS c
			WHERE c.decision IS NOT NULL
		), finding AS (
			INSERT INTO %1$I.key_account_finding
				(as_of, customer_id, measure, value, entry_limit, exit_limit, enters, stays, failing_since)
			SELECT $1, c.key, v.measure, v.value, v.entry_limit, v.exit_limit, v.enters, v.stays,
				CASE WHEN NOT v.stays THEN coalesce(p.failing_since, $1) END
			FROM decided AS c
			CROSS JOIN LATERAL (VALUES %4$s) AS v(measure, value, entry_limit, exit_limit, enters, stays)
			LEFT JOIN %1$I.key_account_finding AS p ON p.customer_id %6$s c.key
				AND p.measure = v.measure
				AND p.as_of = (SELECT max(l.as_of) FROM %1$I.key_account_review AS l WHERE l.as_of < $1)
			WHERE c.decision IS NOT NULL
		)
		INSERT INTO %1$I.key_account_stay AS a (customer_id, since, entered_by)
		SELECT c.key, $1, CASE c.decision WHEN 'enters' THEN 'criteria' ELSE 'override' END
		FROM decided AS c
		WHERE c.since IS NULL AND c.decision IN ('enters', 'overridden')
		ON CONFLICT (customer_id, since) DO UPDATE
			SET until = NULL, left_reason = NULL, left_by = NULL, entered_by = excluded.entered_by$template$,
		portfolio, conditions.enters, conditions.stays, conditions.findings, conditions.columns,
		(segment_internal.portfolio_key(portfolio)).equality)
	USING as_of, floor((settings ->> 'key_account_stay_days')::numeric)::integer;

	EXECUTE format($template$
		SELECT %2$L, $1, count(*) FILTER (WHERE r.decision <> 'kept_out'),
			count(*) FILTER (WHERE r.decision = 'enters'), count(*) FILTER (WHERE r.decision = 'stays'),
			count(*) FILTER (WHERE r.decision = 'would_demote'),
			count(*) FILTER (WHERE r.decision = 'overridden'),
			count(*) FILTER (WHERE r.decision = 'kept_out')
		FROM %1$I.key_account_review AS r WHERE r.as_of = $1$template$, portfolio, portfolio)
	INTO report USING as_of;
	IF report.accounts NOT BETWEEN (settings ->> 'key_account_least')::numeric
			AND (settings ->> 'key_account_most')::numeric THEN
		RAISE NOTICE USING
			MESSAGE = format('portfolio "%s" has %s key accounts, usual are %s to %s', portfolio, report.accounts,
				settings ->> 'key_account_least', settings ->> 'key_account_most'),
			HINT = format('The rows of %I.key_account_criterion decide; the settings key_account_least and key_account_most say what is usual.', portfolio);
	END IF;
	RETURN report;
END
$key_account_review$;
COMMENT ON FUNCTION segment_internal.key_account_review(text, date, jsonb) IS
'all of review_key_accounts (internal)';

/* An override takes the place of an earlier one, and takes effect at once. */
CREATE FUNCTION segment_internal.key_account_override(portfolio text, as_of date, key text, arguments jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $key_account_override$
DECLARE
	admitted boolean := arguments ->> 'admitted';
	reason text := arguments ->> 'reason';
	who text := arguments ->> 'who';
	valid_until date := arguments ->> 'valid_until';
BEGIN
	IF admitted IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed',
			MESSAGE = 'argument "admitted" must not be null',
			HINT = 'Say true for a key account, false for none.';
	END IF;
	IF valid_until IS NULL OR NOT isfinite(valid_until) OR valid_until < as_of THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('an override must expire on or after %s, not "%s"', as_of,
				coalesce(valid_until::text, 'NULL')),
			DETAIL = 'That is the day from which the portfolio is seen.';
	END IF;
	PERFORM segment_internal.key_account_end_override(portfolio, key, ROW('replaced: ' || reason, who));
	EXECUTE format('INSERT INTO %I.key_account_override
			(customer_id, admitted, reason, who, valid_from, valid_until)
		VALUES (%s, $1, $2, $3, $4, $5)', portfolio, key)
	USING admitted, reason, who, as_of, valid_until;
	IF admitted THEN
		EXECUTE format($template$
			INSERT INTO %1$I.key_account_stay AS a (customer_id, since, entered_by)
			SELECT %2$s, $1, 'override'
			WHERE NOT EXISTS (SELECT FROM %1$I.key_account_stay AS e
				WHERE e.customer_id %3$s %2$s AND e.until IS NULL)
			ON CONFLICT (customer_id, since) DO UPDATE
				SET until = NULL, left_reason = NULL, left_by = NULL, entered_by = excluded.entered_by
			$template$, portfolio, key, (segment_internal.portfolio_key(portfolio)).equality) USING as_of;
	ELSE
		PERFORM segment_internal.key_account_end_stay(portfolio, as_of, key, ROW(reason, who));
	END IF;
END
$key_account_override$;
COMMENT ON FUNCTION segment_internal.key_account_override(text, date, text, jsonb) IS
'all of override_key_account (internal)';

CREATE TYPE segment_internal.key_account_decision AS (reason text, who text);
COMMENT ON TYPE segment_internal.key_account_decision IS
'why something about a key account was decided, and by whom (internal)';

CREATE FUNCTION segment_internal.key_account_end_override(portfolio text, key text, decision segment_internal.key_account_decision) RETURNS bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $key_account_end_override$
DECLARE
	ended bigint;
BEGIN
	EXECUTE format('UPDATE %I.key_account_override AS o
		SET ended_at = clock_timestamp(), ended_by = $1, end_reason = $2
		WHERE o.customer_id %s %s AND o.ended_at IS NULL',
		portfolio, (segment_internal.portfolio_key(portfolio)).equality, key) USING (decision).who, (decision).reason;
	GET DIAGNOSTICS ended = ROW_COUNT;
	RETURN ended;
END
$key_account_end_override$;
COMMENT ON FUNCTION segment_internal.key_account_end_override(text, text, segment_internal.key_account_decision) IS
'ends the open override of a customer, if there is one; returns how many (internal)';

/* Nobody answers for an account any more, or somebody else is to. */
CREATE FUNCTION segment_internal.key_account_end_owner(portfolio text, as_of date, key text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $key_account_end_owner$
BEGIN
	EXECUTE format('UPDATE %I.key_account_owner AS o SET until_day = greatest(o.from_day, $1)
		WHERE o.customer_id %s %s AND o.until_day IS NULL',
		portfolio, (segment_internal.portfolio_key(portfolio)).equality, key) USING as_of;
END
$key_account_end_owner$;
COMMENT ON FUNCTION segment_internal.key_account_end_owner(text, date, text) IS
'ends the time of the account manager of a customer, if one is named (internal)';

CREATE FUNCTION segment_internal.key_account_end_stay(portfolio text, as_of date, key text, decision segment_internal.key_account_decision) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $key_account_end_stay$
BEGIN
	EXECUTE format('UPDATE %I.key_account_stay AS a
		SET until = greatest(a.since, $1), left_reason = $2, left_by = $3
		WHERE a.customer_id %s %s AND a.until IS NULL',
		portfolio, (segment_internal.portfolio_key(portfolio)).equality, key) USING as_of, (decision).reason, (decision).who;
	PERFORM segment_internal.key_account_end_owner(portfolio, as_of, key);
END
$key_account_end_stay$;
COMMENT ON FUNCTION segment_internal.key_account_end_stay(text, date, text, segment_internal.key_account_decision) IS
'ends the stay of a key account, if it is one (internal)';

CREATE FUNCTION segment_internal.key_account_demote(portfolio text, as_of date, key text, arguments jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $key_account_demote$
DECLARE
	failed boolean;
BEGIN
	EXECUTE format('SELECT a.would_demote FROM %I.key_account AS a WHERE a.customer_id %s %s',
		portfolio, (segment_internal.portfolio_key(portfolio)).equality, key)
	INTO failed;
	IF failed IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'no_data_found',
			MESSAGE = format('customer "%s" is not a key account', arguments ->> 'customer');
	ELSIF NOT failed THEN
		RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = format('customer "%s" still qualifies as a key account', arguments ->> 'customer'),
			DETAIL = 'The last review does not say would_demote.',
			HINT = 'segment.override_key_account keeps an account out against the criteria.';
	END IF;
	PERFORM segment_internal.key_account_end_stay(portfolio, as_of, key, ROW(arguments ->> 'reason', arguments ->> 'who'));
	PERFORM segment_internal.key_account_end_override(portfolio, key,
		ROW('demoted: ' || (arguments ->> 'reason'), arguments ->> 'who'));
END
$key_account_demote$;
COMMENT ON FUNCTION segment_internal.key_account_demote(text, date, text, jsonb) IS
'all of demote_key_account (internal)';

/* The old and the new are kept, unless they are the same. */
CREATE FUNCTION segment_internal.key_account_assign(portfolio text, as_of date, key text, arguments jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $key_account_assign$
DECLARE
	equality text := (segment_internal.portfolio_key(portfolio)).equality;
	changes boolean;
BEGIN
	EXECUTE format('SELECT NOT EXISTS (SELECT FROM %1$I.key_account_owner AS o WHERE o.customer_id %2$s %3$s AND o.until_day IS NULL)
				OR a.owner IS DISTINCT FROM $1 OR a.executive IS DISTINCT FROM coalesce($2, a.executive)
			FROM %1$I.key_account_stay AS a WHERE a.customer_id %2$s %3$s AND a.until IS NULL', portfolio, equality, key)
	INTO changes USING arguments ->> 'owner', arguments ->> 'executive';
	IF changes THEN
		PERFORM segment_internal.key_account_end_owner(portfolio, as_of, key);
		EXECUTE format('
			WITH assigned AS (
				UPDATE %1$I.key_account_stay AS a SET owner = $1, executive = coalesce($2, a.executive)
				WHERE a.customer_id %2$s %3$s AND a.until IS NULL
				RETURNING a.customer_id, a.since, a.owner, a.executive
			)
			INSERT INTO %1$I.key_account_owner (customer_id, owner, executive, from_day)
			SELECT a.customer_id, a.owner, a.executive, greatest(a.since, $3) FROM assigned AS a', portfolio, equality, key)
		USING arguments ->> 'owner', arguments ->> 'executive', as_of;
	ELSIF changes IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'no_data_found',
			MESSAGE = format('customer "%s" is not a key account', arguments ->> 'customer');
	END IF;
END
$key_account_assign$;
COMMENT ON FUNCTION segment_internal.key_account_assign(text, date, text, jsonb) IS
'all of assign_key_account (internal)';

/* Entered by people, and every entry is kept. */
CREATE FUNCTION segment_internal.key_account_set_stage(portfolio text, as_of date, key text, arguments jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $key_account_set_stage$
DECLARE
	stages text;
	entered bigint;
BEGIN
	EXECUTE format('SELECT coalesce(string_agg(quote_ident(s.stage), '', '' ORDER BY s.ordinal), ''none'') FROM %I.key_account_stage AS s
		HAVING NOT coalesce(bool_or(s.stage = $1), false)', portfolio)
	INTO stages USING arguments ->> 'stage';
	IF stages IS NOT NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('stage "%s" of a key account is not known', coalesce(arguments ->> 'stage', 'NULL')),
			HINT = format('The table %I.key_account_stage has these: %s.', portfolio, stages);
	END IF;
	EXECUTE format('INSERT INTO %1$I.key_account_stage_entry (customer_id, stage, since, who, note)
		SELECT a.customer_id, $1, greatest(a.since, $2), $3, $4 FROM %1$I.key_account_stay AS a
		WHERE a.customer_id %2$s %3$s AND a.until IS NULL',
		portfolio, (segment_internal.portfolio_key(portfolio)).equality, key)
	USING arguments ->> 'stage', as_of, arguments ->> 'who', arguments ->> 'note';
	GET DIAGNOSTICS entered = ROW_COUNT;
	IF entered = 0 THEN
		RAISE EXCEPTION USING ERRCODE = 'no_data_found',
			MESSAGE = format('customer "%s" is not a key account', arguments ->> 'customer');
	END IF;
END
$key_account_set_stage$;
COMMENT ON FUNCTION segment_internal.key_account_set_stage(text, date, text, jsonb) IS
'all of set_key_account_stage (internal)';

/* One change of the key accounts, as the portfolio's owner (see portfolio_run). */
CREATE FUNCTION segment_internal.key_account_change(name text, arguments jsonb) RETURNS segment.key_account_report
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $key_account_change$
DECLARE
	command text := arguments ->> 'command';
	settings jsonb;
	key text;
	report segment.key_account_report;
BEGIN
	-- one change at a time, and none during a refresh
	EXECUTE format('SELECT FROM %I.portfolio FOR UPDATE', name);
	report.portfolio := name;
	SELECT s.as_of, s.settings INTO report.as_of, settings FROM segment_internal.scorecard_in_force(name) AS s;
	IF command = 'review' THEN
		RETURN segment_internal.key_account_review(name, report.as_of, settings);
	END IF;
	IF command NOT IN ('assign', 'stage') THEN
		PERFORM segment_internal.key_account_require('reason', arguments ->> 'reason');
	END IF;
	IF command <> 'assign' THEN
		PERFORM segment_internal.key_account_require('who', arguments ->> 'who');
	END IF;
	IF arguments ->> 'customer' IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed',
			MESSAGE = 'argument "customer" must not be null';
	END IF;
	key := segment_internal.key_account_key(name, arguments ->> 'customer');
	CASE command
		WHEN 'override' THEN
			PERFORM segment_internal.key_account_override(name, report.as_of, key, arguments);
		WHEN 'end_override' THEN
			IF segment_internal.key_account_end_override(name, key, ROW(arguments ->> 'reason', arguments ->> 'who')) = 0 THEN
				RAISE EXCEPTION USING ERRCODE = 'no_data_found',
					MESSAGE = format('customer "%s" has no override to end', arguments ->> 'customer');
			END IF;
		WHEN 'demote' THEN
			PERFORM segment_internal.key_account_demote(name, report.as_of, key, arguments);
		WHEN 'assign' THEN
			PERFORM segment_internal.key_account_assign(name, report.as_of, key, arguments);
		WHEN 'stage' THEN
			PERFORM segment_internal.key_account_set_stage(name, report.as_of, key, arguments);
	END CASE;
	RETURN report;
END
$key_account_change$;
COMMENT ON FUNCTION segment_internal.key_account_change(text, jsonb) IS
'changes the key accounts of a portfolio, with the current user''s rights (internal)';

/* ---------- for users ---------- */

CREATE FUNCTION segment.review_key_accounts(name text) RETURNS segment.key_account_report
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
RETURN segment_internal.portfolio_run(name, 'key_account', '{"command": "review"}', NULL::segment.key_account_report);
COMMENT ON FUNCTION segment.review_key_accounts(text) IS
'reviews the key accounts of a portfolio as of its newest scorecard, by the criteria in force on that day: admits customers who meet all entry limits, keeps those who pass no exit limit or have not yet stayed for the setting key_account_stay_days, reports the others as would_demote and removes none. Findings are kept per review (view key_account_requalification); a second review of a day takes the place of the first. A NOTICE says when the number of accounts is outside the settings key_account_least and key_account_most. Errors: 42704 no such portfolio, 42501 not the owner, 55000 no criteria in force or a later review exists';

CREATE FUNCTION segment.override_key_account(
	name text, customer text, admitted boolean, reason text, valid_until date, who text DEFAULT session_user
) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
SELECT segment_internal.portfolio_run(name, 'key_account',
	jsonb_build_object('command', 'override', 'customer', customer, 'admitted', admitted, 'reason', reason, 'valid_until', valid_until, 'who', who), NULL::segment.key_account_report);
END;
COMMENT ON FUNCTION segment.override_key_account(text, text, boolean, text, date, text) IS
'makes a customer a key account (admitted = true), or keeps it from being one (false), whatever the criteria say, until a day, which is included; with the reason and who decided. It takes the place of an earlier override of the customer and takes effect at once; after its last day the next review applies the criteria again. All overrides are kept in the table key_account_override. Errors: 22004 no customer or neither true nor false, 22023 no reason, no name or an expiry that is past, P0002 no such customer, 42704 no such portfolio, 42501 not the owner';

CREATE FUNCTION segment.override_key_account(
	name text, customer anynonarray, admitted boolean, reason text, valid_until date, who text DEFAULT session_user
) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$ SELECT segment_internal.portfolio_run(name, 'key_account',
	jsonb_build_object('command', 'override', 'customer', segment_internal.key_text(customer), 'admitted', admitted, 'reason', reason, 'valid_until', valid_until, 'who', who), NULL::segment.key_account_report) $$;
COMMENT ON FUNCTION segment.override_key_account(text, anynonarray, boolean, text, date, text) IS
'the same, for a key of another type than text';

CREATE FUNCTION segment.end_key_account_override(
	name text, customer text, reason text, who text DEFAULT session_user
) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
SELECT segment_internal.portfolio_run(name, 'key_account',
	jsonb_build_object('command', 'end_override', 'customer', customer, 'reason', reason, 'who', who), NULL::segment.key_account_report);
END;
COMMENT ON FUNCTION segment.end_key_account_override(text, text, text, text) IS
'ends the override of a customer, with the reason and who did it; the next review applies the criteria again. Errors: 22023 no reason or no name, P0002 no such customer or no override, 42704 no such portfolio, 42501 not the owner';

CREATE FUNCTION segment.end_key_account_override(
	name text, customer anynonarray, reason text, who text DEFAULT session_user
) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$ SELECT segment_internal.portfolio_run(name, 'key_account',
	jsonb_build_object('command', 'end_override', 'customer', segment_internal.key_text(customer), 'reason', reason, 'who', who), NULL::segment.key_account_report) $$;
COMMENT ON FUNCTION segment.end_key_account_override(text, anynonarray, text, text) IS
'the same, for a key of another type than text';

CREATE FUNCTION segment.demote_key_account(
	name text, customer text, reason text, who text DEFAULT session_user
) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
SELECT segment_internal.portfolio_run(name, 'key_account',
	jsonb_build_object('command', 'demote', 'customer', customer, 'reason', reason, 'who', who), NULL::segment.key_account_report);
END;
COMMENT ON FUNCTION segment.demote_key_account(text, text, text, text) IS
'removes an account that the last review reported as would_demote, with the reason and who did it. Errors: 22023 no reason or no name, P0002 no key account, 55000 it still qualifies, 42704 no such portfolio, 42501 not the owner';

CREATE FUNCTION segment.demote_key_account(
	name text, customer anynonarray, reason text, who text DEFAULT session_user
) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$ SELECT segment_internal.portfolio_run(name, 'key_account',
	jsonb_build_object('command', 'demote', 'customer', segment_internal.key_text(customer), 'reason', reason, 'who', who), NULL::segment.key_account_report) $$;
COMMENT ON FUNCTION segment.demote_key_account(text, anynonarray, text, text) IS
'the same, for a key of another type than text';

CREATE FUNCTION segment.assign_key_account(
	name text, customer text, owner text, executive text DEFAULT NULL
) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
SELECT segment_internal.portfolio_run(name, 'key_account',
	jsonb_build_object('command', 'assign', 'customer', customer, 'owner', owner, 'executive', executive), NULL::segment.key_account_report);
END;
COMMENT ON FUNCTION segment.assign_key_account(text, text, text, text) IS
'names the account manager (owner) of a key account and, if given, the executive above; errors: P0002 no key account, 42704 no such portfolio, 42501 not the owner of the portfolio';

CREATE FUNCTION segment.assign_key_account(
	name text, customer anynonarray, owner text, executive text DEFAULT NULL
) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$ SELECT segment_internal.portfolio_run(name, 'key_account',
	jsonb_build_object('command', 'assign', 'customer', segment_internal.key_text(customer), 'owner', owner, 'executive', executive), NULL::segment.key_account_report) $$;
COMMENT ON FUNCTION segment.assign_key_account(text, anynonarray, text, text) IS
'the same, for a key of another type than text';

CREATE FUNCTION segment.set_key_account_stage(
	name text, customer text, stage text, note text DEFAULT NULL, who text DEFAULT session_user
) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
SELECT segment_internal.portfolio_run(name, 'key_account',
	jsonb_build_object('command', 'stage', 'customer', customer, 'stage', stage, 'note', note, 'who', who), NULL::segment.key_account_report);
END;
COMMENT ON FUNCTION segment.set_key_account_stage(text, text, text, text, text) IS
'enters the stage that the relation with a key account has reached (a row of the table key_account_stage: incubation, early, middle, partner), as of the day of the newest scorecard, with who says so and a note; former entries are kept (view key_account_history). Errors: 22023 no such stage or no name, P0002 no key account, 42704 no such portfolio, 42501 not the owner of the portfolio';

CREATE FUNCTION segment.set_key_account_stage(
	name text, customer anynonarray, stage text, note text DEFAULT NULL, who text DEFAULT session_user
) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$ SELECT segment_internal.portfolio_run(name, 'key_account',
	jsonb_build_object('command', 'stage', 'customer', segment_internal.key_text(customer), 'stage', stage, 'note', note, 'who', who), NULL::segment.key_account_report) $$;
COMMENT ON FUNCTION segment.set_key_account_stage(text, anynonarray, text, text, text) IS
'the same, for a key of another type than text';

CREATE FUNCTION segment_internal.key_account_comments() RETURNS TABLE (relation text, col text, meaning text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 80
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
SELECT v.* FROM (VALUES
	('key_account_criterion', NULL, 'what makes a key account: the rows of the newest day that is not after the review are in force together; rows are added, not changed'),
	('key_account_criterion', 'valid_from', 'day from which this version is in force'),
	('key_account_criterion', 'measure', 'what is measured (segment.key_account_measures())'),
	('key_account_criterion', 'entry_limit', 'an account enters at this value or better, in the unit of the measure'),
	('key_account_criterion', 'exit_limit', 'an account fails when worse than this value; below entry_limit where more is better, above it where less is better'),
	('key_account_criterion', 'reason', 'why this version'),
	('key_account_criterion', 'who', 'who made it'),
	('key_account_criterion', 'created_at', 'when it was written'),
	('key_account_stay', NULL, 'the register: one row per stay of a customer among the key accounts, past ones included'),
	('key_account_stay', 'customer_id', 'key of the customer'),
	('key_account_stay', 'since', 'first day of the stay'),
	('key_account_stay', 'entered_by', 'criteria or override'),
	('key_account_stay', 'owner', 'account manager; NULL: not named'),
	('key_account_stay', 'executive', 'executive above the account manager; NULL: not named'),
	('key_account_stay', 'until', 'last day of the stay; NULL: still a key account'),
	('key_account_stay', 'left_reason', 'why it ended; NULL as until'),
	('key_account_stay', 'left_by', 'who ended it; NULL as until'),
	('key_account_override', NULL, 'decisions against the criteria, past ones included; at most one of a customer is open'),
	('key_account_override', 'customer_id', 'key of the customer'),
	('key_account_override', 'admitted', 'true: is a key account; false: is none'),
	('key_account_override', 'reason', 'why'),
	('key_account_override', 'who', 'who decided'),
	('key_account_override', 'valid_from', 'first day'),
	('key_account_override', 'valid_until', 'last day'),
	('key_account_override', 'created_at', 'when it was written'),
	('key_account_override', 'ended_at', 'when it was ended by hand or replaced; NULL: open, though it may have expired'),
	('key_account_override', 'ended_by', 'who ended it; NULL as ended_at'),
	('key_account_override', 'end_reason', 'why it was ended; NULL as ended_at'),
	('key_account_review', NULL, 'reviews: one row per day and account that was concerned'),
	('key_account_review', 'as_of', 'day of the review'),
	('key_account_review', 'customer_id', 'key of the customer'),
	('key_account_review', 'decision', 'enters, stays, would_demote (fails, a person has to decide), overridden (a key account by override) or kept_out (none by override)'),
	('key_account_review', 'lifetime_profit', 'net_value + clv in units of money; NULL: the sources no longer name the customer'),
	('key_account_review', 'lifetime_rank', 'place by lifetime_profit, 1 is highest; NULL as lifetime_profit'),
	('key_account_review', 'since', 'first day of the stay; NULL: kept out'),
	('key_account_review', 'override_expired', 'whether an override of the customer is open but past its last day'),
	('key_account_finding', NULL, 'reviews: one row per day, account and criterion'),
	('key_account_finding', 'as_of', 'day of the review'),
	('key_account_finding', 'customer_id', 'key of the customer'),
	('key_account_finding', 'measure', 'what was measured'),
	('key_account_finding', 'value', 'its value in the unit of the measure; NULL: not known'),
	('key_account_finding', 'entry_limit', 'entry limit in force'),
	('key_account_finding', 'exit_limit', 'exit limit in force'),
	('key_account_finding', 'enters', 'whether the entry limit is met; false if the value is not known'),
	('key_account_finding', 'stays', 'whether the exit limit is not passed; true if the value is not known, unless the sources no longer name the customer'),
	('key_account_finding', 'failing_since', 'day of the first of the reviews in a row at which the exit limit was passed; NULL: it is not'),
	('key_account', NULL, 'one row per key account: what the last review says, and what the account is worth now'),
	('key_account', 'customer_id', 'key of the customer'),
	('key_account', 'criteria_met', 'criteria whose exit limit is not passed at the last review, with the value then; NULL: none, or not yet reviewed'),
	('key_account', 'criteria_failed', 'criteria whose exit limit is passed, with the value and since when; NULL: none, or not yet reviewed'),
	('key_account', 'value', 'lifetime profit: net_value + clv (0 where it is not known) in units of money; more is better; NULL: the sources no longer name the customer'),
	('key_account', 'net_value', 'margin minus cost so far in units of money; may be negative; more is better'),
	('key_account', 'clv', 'expected discounted contribution in units of money; may be negative; more is better; NULL: no prediction'),
	('key_account', 'owner', 'account manager; NULL: not named'),
	('key_account', 'executive', 'executive above the account manager; NULL: not named'),
	('key_account', 'since', 'first day as a key account'),
	('key_account', 'entered_by', 'criteria or override'),
	('key_account', 'override_reason', 'why the account is one whatever the criteria say; NULL: no override'),
	('key_account', 'override_by', 'who decided so; NULL: no override'),
	('key_account', 'override_until', 'last day of the override; NULL: no override'),
	('key_account', 'override_expired', 'whether that day is past; NULL: no override'),
	('key_account', 'would_demote', 'whether the last review found that the account no longer qualifies and has stayed long enough'),
	('key_account', 'reviewed_on', 'day of that review; NULL: not yet reviewed'),
	('key_account', 'owner_since', 'day since which the account manager is this one; NULL: not named'),
	('key_account', 'owner_changes', 'how many times the account manager has changed in this stay, >= 0; fewer is better; NULL: not named'),
	('key_account', 'stage', 'stage of the relation, as somebody has entered it (set_key_account_stage): incubation, early, middle or partner, unless the table key_account_stage has others; NULL: not entered in this stay'),
	('key_account', 'stage_since', 'day since which it is; NULL as stage'),
	('key_account', 'stage_by', 'who said so; NULL as stage'),
	('key_account', 'stage_label', 'name of the stage in English; NULL as stage'),
	('key_account', 'stage_label_zh', 'name of the stage in Chinese; NULL as stage'),
	('key_account', 'stage_action', 'what to do in this stage, in English; NULL as stage'),
	('key_account', 'stage_action_zh', 'what to do in this stage, in Chinese; NULL as stage'),
	('key_account_owner', NULL, 'account managers of key accounts, past ones included'),
	('key_account_owner', 'customer_id', 'key of the customer'),
	('key_account_owner', 'owner', 'account manager; NULL: none'),
	('key_account_owner', 'executive', 'executive above the account manager; NULL: not named'),
	('key_account_owner', 'from_day', 'first day'),
	('key_account_owner', 'until_day', 'day on which another took over, or the account left; NULL: still'),
	('key_account_owner', 'who', 'user who assigned'),
	('key_account_owner', 'created_at', 'when it was written'),
	('key_account_stage', NULL, 'the stages of the relation with a key account, and what to do in each'),
	('key_account_stage', 'stage', 'code of the stage'),
	('key_account_stage', 'ordinal', 'order of the stages, 1 is the first'),
	('key_account_stage', 'label', 'name in English'),
	('key_account_stage', 'label_zh', 'name in Chinese'),
	('key_account_stage', 'action', 'what to do, in English'),
	('key_account_stage', 'action_zh', 'what to do, in Chinese'),
	('key_account_stage_entry', NULL, 'the stages that people have entered for key accounts, past ones included'),
	('key_account_stage_entry', 'customer_id', 'key of the customer'),
	('key_account_stage_entry', 'stage', 'code of the stage'),
	('key_account_stage_entry', 'since', 'first day'),
	('key_account_stage_entry', 'who', 'who said so'),
	('key_account_stage_entry', 'note', 'why; NULL: no note'),
	('key_account_stage_entry', 'created_at', 'when it was written'),
	('key_account_history', NULL, 'one row per account manager or stage that a key account has had, past ones included'),
	('key_account_history', 'customer_id', 'key of the customer'),
	('key_account_history', 'kind', 'owner or stage'),
	('key_account_history', 'value', 'account manager, or code of the stage'),
	('key_account_history', 'executive', 'executive above the account manager; NULL: not named, or a stage'),
	('key_account_history', 'from_day', 'first day; never NULL'),
	('key_account_history', 'until_day', 'day on which the next one began, or the account left; NULL: still'),
	('key_account_history', 'who', 'who assigned, or said so'),
	('key_account_history', 'note', 'note of a stage; NULL: none'),
	('key_account_history', 'created_at', 'when it was written'),
	('key_account_requalification', NULL, 'the requalification report: one row per review, account and criterion'),
	('key_account_requalification', 'as_of', 'day of the review'),
	('key_account_requalification', 'customer_id', 'key of the customer'),
	('key_account_requalification', 'decision', 'enters, stays, would_demote, overridden or kept_out'),
	('key_account_requalification', 'since', 'first day as a key account; NULL: kept out'),
	('key_account_requalification', 'measure', 'what was measured'),
	('key_account_requalification', 'value', 'its value in the unit of the measure; NULL: not known'),
	('key_account_requalification', 'entry_limit', 'entry limit in force'),
	('key_account_requalification', 'exit_limit', 'exit limit in force'),
	('key_account_requalification', 'enters', 'whether the entry limit is met'),
	('key_account_requalification', 'stays', 'whether the exit limit is not passed'),
	('key_account_requalification', 'failing_since', 'day of the first of the reviews in a row at which the exit limit was passed; NULL: it is not'),
	('key_account_requalification', 'lifetime_profit', 'net_value + clv in units of money; NULL: the sources no longer name the customer'),
	('key_account_requalification', 'lifetime_rank', 'place by lifetime_profit, 1 is highest'),
	('key_account_requalification', 'override_expired', 'whether an override of the customer is open but past its last day')
) AS v(relation, col, meaning);
END;
COMMENT ON FUNCTION segment_internal.key_account_comments() IS
'the comments on the tables and views of the concept key_account and on their columns';
