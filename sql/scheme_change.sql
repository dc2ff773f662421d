/*
 * scheme_change: schemes of one's own, and their proof
 */

/* A rule must be one condition on the customer's own columns. */
CREATE FUNCTION segment.scheme_check_rule(portfolio text, scheme text, class text, rule text) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $scheme_check_rule$
DECLARE
	message text;
	state text;
BEGIN
	IF rule ~* '\m(select|over|table)\M' THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('rule of class "%s" in scheme "%s" must not contain a query: %s', class, scheme, rule),
			HINT = 'A class depends on the customer alone. Compute figures over all customers as cuts of the scheme.';
	END IF;
	PERFORM segment.source_statement('rule', format('SELECT (%s)', rule));
	EXECUTE format('SELECT FROM (%s) AS k WHERE false', segment.portfolio_customer_query(portfolio,
		's.scorecard_as_of', '0', format(E',\n\t(%s\n)::boolean AS rule', rule)));
EXCEPTION
	WHEN invalid_parameter_value THEN
		RAISE;
	WHEN OTHERS THEN
		GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, state = RETURNED_SQLSTATE;
		RAISE EXCEPTION USING ERRCODE = state,
			MESSAGE = format('rule of class "%s" in scheme "%s": %s', class, scheme, message),
			DETAIL = format('The rule is: %s', rule),
			HINT = 'A rule is a condition over columns of the view customer, settings (view segment.setting) and cuts of the scheme.';
END
$scheme_check_rule$;
COMMENT ON FUNCTION segment.scheme_check_rule(text, text, text, text) IS
'checks the rule of a class; errors name class and scheme: 22023 it contains a query, else those of the parser (42703 unknown column, 42601 syntax)';

CREATE FUNCTION segment.scheme_check_name(portfolio text, name text, what text) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $scheme_check_name$
DECLARE
	taken boolean;
BEGIN
	IF name IS NULL OR name !~ '^[a-z_][a-z0-9_]{0,62}$' THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('invalid name of a %s: "%s"', what, coalesce(name, 'NULL')),
			HINT = 'Names begin with a letter or underscore and go on with letters, digits and underscores, all lower case.';
	END IF;
	EXECUTE format($query$
		SELECT $1 IN (SELECT s.name FROM segment.setting AS s)
			OR EXISTS (SELECT FROM %1$I.scheme_cut AS c WHERE c.cut = $1)
			OR EXISTS (SELECT FROM pg_attribute AS a
				WHERE a.attrelid = $2::regclass AND a.attnum > 0 AND a.attname = $1)$query$, portfolio)
	INTO taken USING name, format('%I.customer', portfolio);
	IF taken THEN
		RAISE EXCEPTION USING ERRCODE = 'duplicate_object',
			MESSAGE = format('name of a %s is taken: "%s"', what, name),
			DETAIL = 'It is a column of the view customer, a setting or a cut.';
	END IF;
END
$scheme_check_name$;
COMMENT ON FUNCTION segment.scheme_check_name(text, text, text) IS
'checks the name of a new scheme or cut; errors: 22023 not a plain name, 42710 taken (internal)';

/* Writes cuts and classes of a scheme, checked. */
CREATE FUNCTION segment.scheme_write(portfolio text, scheme text, classes jsonb, cuts jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $scheme_write$
DECLARE
	c record;
	defaults integer;
	message text;
	state text;
BEGIN
	IF jsonb_typeof(classes) IS DISTINCT FROM 'array' OR jsonb_array_length(classes) = 0
		OR EXISTS (SELECT FROM jsonb_array_elements(classes) AS e(class)
			WHERE jsonb_typeof(e.class) <> 'object' OR e.class ->> 'class' IS NULL) THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('classes of scheme "%s" must be a JSON array of objects with a key "class"', scheme),
			HINT = 'For instance [{"class": "big", "rule": "net > 1000", "label": "big", "action": "Call."}, {"class": "other"}].';
	END IF;
	SELECT count(*) FILTER (WHERE e.class ->> 'rule' IS NULL) INTO defaults FROM jsonb_array_elements(classes) AS e(class);
	IF defaults <> 1 THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('scheme "%s" must have exactly one class without a rule, not %s', scheme, defaults),
			HINT = 'The class without a rule is the one of all customers for whom no rule is true.';
	END IF;

	FOR c IN SELECT key AS cut, value #>> '{}' AS query 
		FROM jsonb_each(coalesce(nullif(cuts, 'null'), '{}')) LOOP
		PERFORM segment.scheme_check_name(portfolio, c.cut, 'cut');
		EXECUTE format('INSERT INTO %I.scheme_cut (cut, scheme, query) VALUES ($1, $2, $3)', portfolio)
		USING c.cut, scheme, segment.source_statement(format('cut %s', c.cut), c.query);
		BEGIN
			EXECUTE format('WITH customers AS (SELECT * FROM %I.customer WHERE false) SELECT (%s)::numeric',
				portfolio, segment.source_statement(format('cut %s', c.cut), c.query));
		EXCEPTION WHEN OTHERS THEN
			GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, state = RETURNED_SQLSTATE;
			RAISE EXCEPTION USING ERRCODE = state,
				MESSAGE = format('cut "%s" of scheme "%s": %s', c.cut, scheme, message),
				DETAIL = format('The query is: %s', c.query),
				HINT = 'A cut is a query of one number over the relation customers, which has the columns of the view customer.';
		END;
	END LOOP;
	EXECUTE format($template$
		INSERT INTO %1$I.scheme_class (scheme, class, class_rank, rule, label, label_zh, priority,
			service_level, owner, action, action_zh)
		SELECT $1, e.class ->> 'class', e.ordinal, e.class ->> 'rule',
			coalesce(e.class ->> 'label', e.class ->> 'class'), e.class ->> 'label_zh',
			(e.class ->> 'priority')::integer, e.class ->> 'service_level', e.class ->> 'owner',
			e.class ->> 'action', e.class ->> 'action_zh'
		FROM jsonb_array_elements($2) WITH ORDINALITY AS e(class, ordinal)$template$, portfolio)
	USING scheme, classes;
	FOR c IN SELECT e.class ->> 'class' AS class, e.class ->> 'rule' AS rule
		FROM jsonb_array_elements(classes) AS e(class) WHERE e.class ->> 'rule' IS NOT NULL LOOP
		PERFORM segment.scheme_check_rule(portfolio, scheme, c.class, c.rule);
	END LOOP;
END
$scheme_write$;
COMMENT ON FUNCTION segment.scheme_write(text, text, jsonb, jsonb) IS
'writes the cuts and classes of a scheme after checking them (internal)';

/*
 * One change of the schemes, as the portfolio's owner (see portfolio_run);
 * then new views, and a new scorecard as of the same day.
 */
CREATE FUNCTION segment.scheme_change(name text, arguments jsonb) RETURNS segment.refresh_report
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $scheme_change$
DECLARE
	scheme text := arguments ->> 'scheme';
	started timestamptz := clock_timestamp();
	definition jsonb;
	settings jsonb;
	own_margin boolean;
	report segment.refresh_report;
BEGIN
	EXECUTE format('SELECT to_jsonb(p) FROM %I.portfolio AS p FOR UPDATE', name) INTO STRICT definition;
	settings := segment.check_settings(definition -> 'settings');
	CASE arguments ->> 'command'
		WHEN 'create' THEN
			PERFORM segment.scheme_check_name(name, scheme, 'scheme');
			EXECUTE format($template$
				INSERT INTO %1$I.scheme (scheme, ordinal, label, label_zh, meaning)
				VALUES ($1, (SELECT coalesce(max(s.ordinal), 0) + 1 FROM %1$I.scheme AS s), $2, $3, $4)$template$, name)
			USING scheme, coalesce(arguments ->> 'label', scheme), arguments ->> 'label_zh', arguments ->> 'meaning';
			PERFORM segment.scheme_write(name, scheme, arguments -> 'classes', arguments -> 'cuts');
		WHEN 'alter' THEN
			PERFORM segment.scheme_must_exist(name, scheme);
			IF jsonb_typeof(arguments -> 'cuts') = 'object' THEN
				EXECUTE format('DELETE FROM %I.scheme_cut AS c WHERE c.scheme = $1', name) USING scheme;
			END IF;
			EXECUTE format('DELETE FROM %I.scheme_class AS c WHERE c.scheme = $1', name) USING scheme;
			PERFORM segment.scheme_write(name, scheme, arguments -> 'classes', arguments -> 'cuts');
		WHEN 'drop' THEN
			PERFORM segment.scheme_must_exist(name, scheme);
			IF settings ->> 'leading_scheme' = scheme THEN
				RAISE EXCEPTION USING ERRCODE = 'dependent_objects_still_exist',
					MESSAGE = format('cannot drop scheme "%s" because it is the leading scheme', scheme),
					HINT = 'Let another one lead first: setting leading_scheme of segment.alter_portfolio.';
			END IF;
			-- a view cannot lose a column by CREATE OR REPLACE
			PERFORM segment.portfolio_drop_members(name, ARRAY['FUNCTION', 'VIEW']);
			EXECUTE format('DELETE FROM %I.scheme AS s WHERE s.scheme = $1', name) USING scheme;
	END CASE;

	PERFORM segment.portfolio_create_views(name, (settings ->> 'security_invoker')::boolean);
	EXECUTE format('SELECT s.as_of, s.margin IS NULL FROM %I.scorecard AS s ORDER BY s.scorecard_id DESC LIMIT 1', name)
	INTO report.as_of, own_margin;
	SELECT s.scorecard_id, s.customers, s.purchase_status, s.spend_status
	INTO report.scorecard_id, report.customers, report.purchase_model, report.spend_model
	FROM segment.refresh_scorecard(name, settings, definition ->> 'unit', own_margin, report.as_of) AS s;
	report.portfolio := name;
	report.mode := 'schemes';
	report.seconds := extract(epoch FROM clock_timestamp() - started);
	RETURN report;
END
$scheme_change$;
COMMENT ON FUNCTION segment.scheme_change(text, jsonb) IS
'creates, alters or drops a scheme, with the current user''s rights (internal)';

CREATE FUNCTION segment.create_scheme(
	name text, scheme text, classes jsonb, cuts jsonb DEFAULT '{}',
	label text DEFAULT NULL, label_zh text DEFAULT NULL, meaning text DEFAULT NULL
) RETURNS segment.refresh_report
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
RETURN segment.portfolio_run(name, 'scheme', jsonb_build_object('command', 'create', 'scheme', scheme,
	'classes', classes, 'cuts', cuts, 'label', label, 'label_zh', label_zh, 'meaning', meaning));
COMMENT ON FUNCTION segment.create_scheme(text, text, jsonb, jsonb, text, text, text) IS
'adds a scheme to a portfolio, as a column of the view customer, with a new scorecard. classes: JSON array in the order in which rules are tried, each with class, rule (a condition over columns of the view customer, settings and cuts; left out for exactly one, the default), label, label_zh, priority, service_level, owner, action, action_zh. cuts: JSON object of figures over everybody, name: query of one number over the relation customers. Errors name what is wrong: 22023, 42703 unknown column, 42710 name taken; nothing is left behind';

CREATE FUNCTION segment.alter_scheme(
	name text, scheme text, classes jsonb, cuts jsonb DEFAULT NULL
) RETURNS segment.refresh_report
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
RETURN segment.portfolio_run(name, 'scheme', jsonb_build_object('command', 'alter', 'scheme', scheme,
	'classes', classes, 'cuts', cuts));
COMMENT ON FUNCTION segment.alter_scheme(text, text, jsonb, jsonb) IS
'replaces the classes of a scheme and, if given, its cuts; arguments and errors as for create_scheme, 42704 if there is no such scheme';

CREATE FUNCTION segment.drop_scheme(name text, scheme text) RETURNS segment.refresh_report
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
RETURN segment.portfolio_run(name, 'scheme', jsonb_build_object('command', 'drop', 'scheme', scheme));
COMMENT ON FUNCTION segment.drop_scheme(text, text) IS
'takes a scheme and its column away; errors: 42704 no such scheme, 2BP01 it leads (view customer_action) or others have built on the portfolio''s views';

CREATE FUNCTION segment.scheme_must_exist(portfolio text, scheme text) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $scheme_must_exist$
DECLARE
	known boolean;
BEGIN
	EXECUTE format('SELECT EXISTS (SELECT FROM %I.scheme AS s WHERE s.scheme = $1)', portfolio) INTO known USING scheme;
	IF NOT known THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object',
			MESSAGE = format('scheme "%s" does not exist in portfolio "%s"', scheme, portfolio),
			HINT = format('The table %I.scheme lists the schemes.', portfolio);
	END IF;
END
$scheme_must_exist$;
COMMENT ON FUNCTION segment.scheme_must_exist(text, text) IS
'error 42704 if a portfolio has no such scheme (internal)';

/* ---------- proof ---------- */

CREATE FUNCTION segment.scheme_check(name text, scheme text)
RETURNS TABLE (class text, class_rank integer, customers bigint, cells bigint, hidden bigint, verdict text)
LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 10
SET search_path = pg_catalog, pg_temp
AS $scheme_check$
DECLARE
	rules text;
	on_scores boolean := true;
	population text := $cells$(
		SELECT r_score, f_score, m_score, r_score::text || f_score::text || m_score::text AS rfm_cell
		FROM generate_series(1, 5) AS r_score, generate_series(1, 5) AS f_score, generate_series(1, 5) AS m_score)$cells$;
BEGIN
	PERFORM segment.portfolio_owner(name);
	PERFORM segment.scheme_must_exist(name, scheme);
	EXECUTE format($query$SELECT string_agg(format('(%%s, %%L, coalesce((%%s)::boolean, false))', c.class_rank, c.class,
			coalesce(c.rule, 'true')), ', ' ORDER BY c.rule IS NULL, c.class_rank)
		FROM %I.scheme_class AS c WHERE c.scheme = $1$query$, name) INTO rules USING scheme;
	BEGIN
		EXECUTE format('SELECT FROM %s AS k CROSS JOIN LATERAL (VALUES %s) AS v(class_rank, class, hit) WHERE false',
			population, rules);
	EXCEPTION WHEN undefined_column OR undefined_table THEN
		on_scores := false;
	END;
	-- each cell, or each customer, by every rule: the first that is true decides
	RETURN QUERY EXECUTE format($query$
		WITH judged AS (
			SELECT v.class, v.hit, v.hit AND NOT v.is_default
				AND count(*) FILTER (WHERE v.hit) OVER (PARTITION BY k.unit ORDER BY v.step) > 1 AS hidden,
				v.hit AND count(*) FILTER (WHERE v.hit) OVER (PARTITION BY k.unit ORDER BY v.step) = 1 AS decides
			FROM (SELECT row_number() OVER () AS unit, p.* FROM %3$s AS p) AS k
			CROSS JOIN LATERAL (
				SELECT r.*, row_number() OVER () AS step, r.class = (SELECT c.class FROM %1$I.scheme_class AS c
					WHERE c.scheme = %2$L AND c.rule IS NULL) AS is_default
				FROM (VALUES %4$s) AS r(class_rank, class, hit)) AS v
		), counted AS (
			SELECT j.class, count(*) FILTER (WHERE j.decides) AS units, count(*) FILTER (WHERE j.hidden) AS hidden
			FROM judged AS j GROUP BY j.class
		), members AS (
			SELECT u.%2$I AS class, count(*) AS customers FROM %1$I.customer AS u GROUP BY 1
		)
		SELECT c.class, c.class_rank, coalesce(m.customers, 0), CASE WHEN %5$L THEN coalesce(k.units, 0) END,
			CASE WHEN %5$L THEN coalesce(k.hidden, 0) END,
			CASE WHEN %5$L AND c.rule IS NOT NULL AND coalesce(k.units, 0) = 0 THEN 'no score cell reaches this class'
				WHEN %5$L AND c.rule IS NULL AND k.units > 0 THEN 'default class also takes score cells that no rule covers'
				WHEN NOT %5$L AND coalesce(m.customers, 0) = 0 THEN 'no customer is in this class now'
				ELSE 'ok' END
		FROM %1$I.scheme_class AS c
		LEFT JOIN counted AS k ON k.class = c.class
		LEFT JOIN members AS m ON m.class = c.class
		WHERE c.scheme = %2$L
		ORDER BY c.class_rank$query$, name, scheme,
		CASE WHEN on_scores THEN population ELSE '(SELECT WHERE false)' END,
		CASE WHEN on_scores THEN rules ELSE '(0, '''', false)' END, on_scores);
END
$scheme_check$;
COMMENT ON FUNCTION segment.scheme_check(text, text) IS
'proves a scheme: per class how many customers are in it, and, where the rules use scores only, how many of the 125 score cells it gets and how many its rule would take too but for an earlier one (hidden); the verdict tells of classes that cannot be reached and of cells that no rule covers';
