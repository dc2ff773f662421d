/*
 * scheme: classifying customers by rules that are data
 */

/* ---------- the tables ---------- */

CREATE FUNCTION segment.scheme_create_tables(portfolio text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $scheme_create_tables$
BEGIN
	EXECUTE format($template$
		CREATE TABLE %1$I.scheme (
			scheme text PRIMARY KEY,
			ordinal integer NOT NULL UNIQUE,
			label text NOT NULL,
			label_zh text,
			meaning text
		);
		CREATE TABLE %1$I.scheme_cut (
			cut text PRIMARY KEY,
			scheme text NOT NULL REFERENCES %1$I.scheme ON DELETE CASCADE,
			query text NOT NULL,
			meaning text
		);
		CREATE TABLE %1$I.scheme_class (
			scheme text NOT NULL REFERENCES %1$I.scheme ON DELETE CASCADE,
			class text NOT NULL,
			class_rank integer NOT NULL,
			rule text,
			label text NOT NULL,
			label_zh text,
			priority integer,
			service_level text,
			owner text,
			action text,
			action_zh text,
			PRIMARY KEY (scheme, class),
			UNIQUE (scheme, class_rank)
		);
		CREATE UNIQUE INDEX scheme_class_default ON %1$I.scheme_class (scheme) WHERE rule IS NULL;
		INSERT INTO %1$I.scheme (scheme, ordinal, label, label_zh, meaning)
			SELECT * FROM segment.builtin_schemes();
		INSERT INTO %1$I.scheme_cut (scheme, cut, query, meaning)
			SELECT * FROM segment.builtin_cuts();
		INSERT INTO %1$I.scheme_class (scheme, class, class_rank, rule, label, label_zh, priority,
				service_level, action, action_zh)
			SELECT * FROM segment.builtin_classes()$template$, portfolio);
END
$scheme_create_tables$;
COMMENT ON FUNCTION segment.scheme_create_tables(text) IS
'creates the tables of a portfolio''s schemes, with the built-in ones (internal)';

/* ---------- rules and cuts as SQL ---------- */

/*
 * What a rule may name besides the columns of the view customer: settings and
 * cuts, each taken out of the scorecard once per query.  Three settings have
 * names of columns, which win.
 */
CREATE FUNCTION segment.scheme_figure_columns(portfolio text) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $scheme_figure_columns$
DECLARE
	columns text;
BEGIN
	EXECUTE format($query$
		SELECT string_agg(f.expression, '' ORDER BY f.name) FROM (
			SELECT s.name, format(CASE s.type WHEN 'number' THEN E',\n\t\t\t(n.settings ->> %%L)::float8 AS %%I'
				ELSE E',\n\t\t\tn.settings ->> %%L AS %%I' END, s.name, s.name)
			FROM segment.setting AS s
			WHERE s.name NOT IN ('margin', 'purchase_model', 'spend_model')
			UNION ALL
			SELECT c.cut, format(E',\n\t\t\t(n.cuts ->> %%L)::numeric AS %%I', c.cut, c.cut)
			FROM %1$I.scheme_cut AS c
		) AS f(name, expression)$query$, portfolio) INTO columns;
	RETURN columns;
END
$scheme_figure_columns$;
COMMENT ON FUNCTION segment.scheme_figure_columns(text) IS
'the settings and cuts of a portfolio as columns of its scorecard (internal)';

CREATE FUNCTION segment.scheme_columns(portfolio text, OUT columns text, OUT pairs text)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $scheme_columns$
BEGIN
	EXECUTE format($query$
		SELECT string_agg(format(E',\n\tCASE%%s ELSE %%L END AS %%I', k.rules, k.otherwise, s.scheme),
				'' ORDER BY s.ordinal),
			string_agg(format('(%%L, c.%%I)', s.scheme, s.scheme), ', ' ORDER BY s.ordinal)
		FROM %1$I.scheme AS s
		CROSS JOIN LATERAL (
			SELECT string_agg(format(E'\n\t\tWHEN %%s THEN %%L', c.rule, c.class), '' ORDER BY c.class_rank)
					FILTER (WHERE c.rule IS NOT NULL) AS rules,
				min(c.class) FILTER (WHERE c.rule IS NULL) AS otherwise
			FROM %1$I.scheme_class AS c WHERE c.scheme = s.scheme
		) AS k$query$, portfolio)
	INTO columns, pairs;
END
$scheme_columns$;
COMMENT ON FUNCTION segment.scheme_columns(text) IS
'the schemes of a portfolio as columns of the view customer, and as (scheme, class) pairs (internal)';

/*
 * The cuts of a scorecard.  The relation customers is computed once, with only
 * the columns that some query mentions.
 */
CREATE FUNCTION segment.scheme_compute_cuts(portfolio text, scorecard_id bigint) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $scheme_compute_cuts$
DECLARE
	columns text;
	cut_values text;
	cuts jsonb;
BEGIN
	EXECUTE format($query$
		SELECT string_agg(format('(%%L, (%%s)::numeric)', c.cut, c.query), E',\n\t' ORDER BY c.cut),
			(SELECT string_agg(format('k.%%I', a.attname), ', ' ORDER BY a.attnum)
			FROM pg_attribute AS a
			WHERE a.attrelid = '%1$I.customer'::regclass AND a.attnum > 0
				AND NOT EXISTS (SELECT FROM %1$I.scheme AS s WHERE s.scheme = a.attname)
				AND (a.attname = 'customer_id' OR EXISTS (SELECT FROM %1$I.scheme_cut AS m
					WHERE m.query ~ ('\m' || a.attname || '\M'))))
		FROM %1$I.scheme_cut AS c$query$, portfolio) INTO cut_values, columns;
	IF cut_values IS NOT NULL THEN
		EXECUTE format($template$
			WITH customers AS MATERIALIZED (SELECT %1$s FROM (%2$s) AS k)
			SELECT jsonb_object_agg(v.cut, v.value) FROM (VALUES %3$s) AS v(cut, value)$template$,
			columns, segment.portfolio_customer_query(portfolio, 's.scorecard_as_of', scorecard_id::text, ''),
			cut_values) INTO cuts;
		EXECUTE format('UPDATE %I.scorecard AS s SET cuts = $1 WHERE s.scorecard_id = $2', portfolio)
		USING cuts, scorecard_id;
	END IF;
END
$scheme_compute_cuts$;
COMMENT ON FUNCTION segment.scheme_compute_cuts(text, bigint) IS
'computes the cuts of a new scorecard (internal)';

/* ---------- the views ---------- */

CREATE FUNCTION segment.scheme_create_views(portfolio text, security_invoker boolean) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $scheme_create_views$
BEGIN
	EXECUTE format($template$
		CREATE OR REPLACE VIEW %1$I.class WITH (security_invoker = %2$s) AS
		SELECT c.scheme, c.class, c.class_rank, c.label, c.label_zh, c.rule,
			c.priority, c.service_level, c.owner, c.action, c.action_zh
		FROM %1$I.scheme_class AS c$template$, portfolio, security_invoker);

	EXECUTE format($template$
		CREATE OR REPLACE VIEW %1$I.customer_class WITH (security_invoker = %2$s) AS
		SELECT c.customer_id, v.scheme, v.class, k.class_rank, k.label, k.label_zh
		FROM %1$I.customer AS c
		CROSS JOIN LATERAL (VALUES %3$s) AS v(scheme, class)
		JOIN %1$I.scheme_class AS k ON k.scheme = v.scheme AND k.class = v.class
		$template$, portfolio, security_invoker, (segment.scheme_columns(portfolio)).pairs);

	-- one row, one action per customer, from the scheme that leads
	EXECUTE format($template$
		CREATE OR REPLACE VIEW %1$I.customer_action WITH (security_invoker = %2$s) AS
		SELECT v.customer_id, v.scheme, v.class, k.label, k.label_zh, k.priority,
			k.service_level, k.owner, k.action, k.action_zh
		FROM (
			SELECT c.customer_id, l.scheme, CASE l.scheme %3$s END AS class
			FROM %1$I.customer AS c
			CROSS JOIN (SELECT s.settings ->> 'leading_scheme' AS scheme FROM %1$I.scorecard AS s
				WHERE s.scorecard_id = (SELECT max(n.scorecard_id) FROM %1$I.scorecard AS n) OFFSET 0) AS l
		) AS v
		JOIN %1$I.scheme_class AS k ON k.scheme = v.scheme AND k.class = v.class
		$template$, portfolio, security_invoker, segment.scheme_choice(portfolio));
END
$scheme_create_views$;
COMMENT ON FUNCTION segment.scheme_create_views(text, boolean) IS
'creates or replaces the views of a portfolio''s schemes (internal)';

CREATE FUNCTION segment.scheme_choice(portfolio text) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $scheme_choice$
DECLARE
	branches text;
BEGIN
	EXECUTE format($query$
		SELECT string_agg(format('WHEN %%L THEN c.%%I', s.scheme, s.scheme), ' ' ORDER BY s.ordinal)
		FROM %1$I.scheme AS s$query$, portfolio) INTO branches;
	RETURN branches;
END
$scheme_choice$;
COMMENT ON FUNCTION segment.scheme_choice(text) IS
'the branches of a CASE from the name of a scheme to its column (internal)';

CREATE FUNCTION segment.scheme_comments() RETURNS TABLE (relation text, col text, meaning text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 50
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
SELECT v.* FROM (VALUES
	('scheme', NULL, 'ways to classify customers'),
	('scheme', 'scheme', 'code of the scheme, and name of its column in the view customer'),
	('scheme', 'ordinal', 'order of the columns'),
	('scheme', 'label', 'name in English'),
	('scheme', 'label_zh', 'name in Chinese'),
	('scheme', 'meaning', 'what the scheme tells'),
	('scheme_cut', NULL, 'figures over all customers that rules refer to; computed at every refresh, kept in the scorecard'),
	('scheme_cut', 'cut', 'name of the figure in the rules'),
	('scheme_cut', 'scheme', 'scheme it belongs to'),
	('scheme_cut', 'query', 'query of one number over the relation customers'),
	('scheme_cut', 'meaning', 'what the figure is'),
	('scheme_class', NULL, 'the classes of each scheme: the first whose rule is true applies, else the one without a rule'),
	('scheme_class', 'scheme', 'code of the scheme'),
	('scheme_class', 'class', 'code of the class'),
	('scheme_class', 'class_rank', 'order in which rules are tried, and in which classes are listed; 1 is first'),
	('scheme_class', 'rule', 'condition over the columns of the view customer, settings and cuts; NULL: the default class'),
	('scheme_class', 'label', 'name in English'),
	('scheme_class', 'label_zh', 'name in Chinese'),
	('scheme_class', 'priority', 'priority of the class, 1 is highest'),
	('scheme_class', 'service_level', 'level of service'),
	('scheme_class', 'owner', 'who is responsible for the class'),
	('scheme_class', 'action', 'what to do, in English'),
	('scheme_class', 'action_zh', 'what to do, in Chinese'),
	('class', NULL, 'one row per scheme and class'),
	('class', 'scheme', 'code of the scheme'),
	('class', 'class', 'code of the class'),
	('class', 'class_rank', 'order of the classes in the scheme, 1 is first'),
	('class', 'label', 'name in English'),
	('class', 'label_zh', 'name in Chinese'),
	('class', 'rule', 'condition over the columns of the view customer, settings and cuts; NULL: the class of everybody else'),
	('class', 'priority', 'priority of the class, 1 is highest'),
	('class', 'service_level', 'level of service'),
	('class', 'owner', 'who is responsible for the class; NULL: nobody named'),
	('class', 'action', 'what to do, in English'),
	('class', 'action_zh', 'what to do, in Chinese'),
	('customer_class', NULL, 'one row per customer and scheme: every customer is in exactly one class of each'),
	('customer_class', 'customer_id', 'key of the customer'),
	('customer_class', 'scheme', 'code of the scheme'),
	('customer_class', 'class', 'code of the class'),
	('customer_class', 'class_rank', 'order of the classes in the scheme, 1 is first'),
	('customer_class', 'label', 'name of the class in English'),
	('customer_class', 'label_zh', 'name of the class in Chinese'),
	('customer_action', NULL, 'one row per customer: what to do, the same for every channel, from the scheme that leads (setting leading_scheme)'),
	('customer_action', 'customer_id', 'key of the customer'),
	('customer_action', 'scheme', 'the scheme that leads'),
	('customer_action', 'class', 'class of the customer in it, which decides'),
	('customer_action', 'label', 'name of the class in English'),
	('customer_action', 'label_zh', 'name of the class in Chinese'),
	('customer_action', 'priority', 'priority, 1 is highest'),
	('customer_action', 'service_level', 'level of service'),
	('customer_action', 'owner', 'who is responsible; NULL: nobody named'),
	('customer_action', 'action', 'what to do, in English'),
	('customer_action', 'action_zh', 'what to do, in Chinese')
) AS v(relation, col, meaning);
END;
COMMENT ON FUNCTION segment.scheme_comments() IS
'the comments on the tables and views of a portfolio''s schemes';

/* ---------- schemes of one's own ---------- */

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

	FOR c IN SELECT key AS cut, value #>> '{}' AS query FROM jsonb_each(coalesce(cuts, '{}')) LOOP
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

/* New views and a new scorecard after a change of the schemes. */
CREATE FUNCTION segment.scheme_apply(portfolio text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $scheme_apply$
DECLARE
	definition jsonb;
	settings jsonb;
	last_as_of date;
	own_margin boolean;
BEGIN
	EXECUTE format('SELECT to_jsonb(p) FROM %I.portfolio AS p FOR UPDATE', portfolio) INTO STRICT definition;
	settings := segment.check_settings(definition -> 'settings');
	PERFORM segment.portfolio_create_views(portfolio, (settings ->> 'security_invoker')::boolean);
	EXECUTE format('SELECT s.as_of, s.margin IS NULL FROM %I.scorecard AS s ORDER BY s.scorecard_id DESC LIMIT 1', portfolio)
	INTO last_as_of, own_margin;
	PERFORM segment.refresh_scorecard(portfolio, settings, definition ->> 'unit', own_margin, last_as_of);
END
$scheme_apply$;
COMMENT ON FUNCTION segment.scheme_apply(text) IS
'brings views and scorecard to the schemes of a portfolio (internal)';

CREATE FUNCTION segment.create_scheme(
	name text, scheme text, classes jsonb, cuts jsonb DEFAULT '{}',
	label text DEFAULT NULL, label_zh text DEFAULT NULL, meaning text DEFAULT NULL
) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $create_scheme$
DECLARE
	caller_role text := segment.portfolio_become_owner(name);
BEGIN
	PERFORM segment.scheme_check_name(name, scheme, 'scheme');
	EXECUTE format($template$
		INSERT INTO %1$I.scheme (scheme, ordinal, label, label_zh, meaning)
		VALUES ($1, (SELECT coalesce(max(s.ordinal), 0) + 1 FROM %1$I.scheme AS s), $2, $3, $4)$template$, name)
	USING scheme, coalesce(label, scheme), label_zh, meaning;
	PERFORM segment.scheme_write(name, scheme, classes, cuts);
	PERFORM segment.scheme_apply(name);
	PERFORM set_config('role', caller_role, true);
END
$create_scheme$;
COMMENT ON FUNCTION segment.create_scheme(text, text, jsonb, jsonb, text, text, text) IS
'adds a scheme to a portfolio, as a column of the view customer. classes: JSON array in the order in which rules are tried, each with class, rule (a condition over columns of the view customer, settings and cuts; left out for exactly one, the default), label, label_zh, priority, service_level, owner, action, action_zh. cuts: JSON object of figures over everybody, name: query of one number over the relation customers. Errors name what is wrong: 22023, 42703 unknown column, 42710 name taken; nothing is left behind';

CREATE FUNCTION segment.alter_scheme(
	name text, scheme text, classes jsonb, cuts jsonb DEFAULT NULL
) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $alter_scheme$
DECLARE
	caller_role text := segment.portfolio_become_owner(name);
BEGIN
	PERFORM segment.scheme_must_exist(name, scheme);
	IF cuts IS NOT NULL THEN
		EXECUTE format('DELETE FROM %I.scheme_cut AS c WHERE c.scheme = $1', name) USING scheme;
	END IF;
	EXECUTE format('DELETE FROM %I.scheme_class AS c WHERE c.scheme = $1', name) USING scheme;
	PERFORM segment.scheme_write(name, scheme, classes, cuts);
	PERFORM segment.scheme_apply(name);
	PERFORM set_config('role', caller_role, true);
END
$alter_scheme$;
COMMENT ON FUNCTION segment.alter_scheme(text, text, jsonb, jsonb) IS
'replaces the classes of a scheme and, if given, its cuts; arguments and errors as for create_scheme, 42704 if there is no such scheme';

CREATE FUNCTION segment.drop_scheme(name text, scheme text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $drop_scheme$
DECLARE
	caller_role text := segment.portfolio_become_owner(name);
	leading_scheme text;
BEGIN
	PERFORM segment.scheme_must_exist(name, scheme);
	EXECUTE format($query$SELECT segment.check_settings(p.settings) ->> 'leading_scheme'
		FROM %I.portfolio AS p$query$, name) INTO leading_scheme;
	IF leading_scheme = scheme THEN
		RAISE EXCEPTION USING ERRCODE = 'dependent_objects_still_exist',
			MESSAGE = format('cannot drop scheme "%s" because it is the leading scheme', scheme),
			HINT = 'Let another one lead first: setting leading_scheme of segment.alter_portfolio.';
	END IF;
	-- a view cannot lose a column by CREATE OR REPLACE
	PERFORM segment.portfolio_drop_members(name, ARRAY['FUNCTION', 'VIEW']);
	EXECUTE format('DELETE FROM %I.scheme AS s WHERE s.scheme = $1', name) USING scheme;
	PERFORM segment.scheme_apply(name);
	PERFORM set_config('role', caller_role, true);
END
$drop_scheme$;
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
LANGUAGE plpgsql STABLE PARALLEL SAFE
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
