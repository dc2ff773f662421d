/*
 * scheme: classifying customers by rules that are data
 */

/* ---------- the tables ---------- */

CREATE FUNCTION segment_internal.scheme_create_tables(portfolio text) RETURNS void
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
			stay_rule text CONSTRAINT default_class_has_no_stay_rule CHECK (stay_rule IS NULL OR rule IS NOT NULL),
			label text NOT NULL,
			label_zh text,
			priority integer,
			service_level text,
			owner text,
			action text,
			action_zh text,
			parent text,
			mentions text[],
			stay_mentions text[],
			PRIMARY KEY (scheme, class),
			UNIQUE (scheme, class_rank)
		);
		CREATE TABLE %1$I.scheme_domain (
			scheme text NOT NULL,
			class text NOT NULL,
			domain text NOT NULL,
			priority integer,
			action text,
			action_zh text,
			PRIMARY KEY (scheme, class, domain),
			FOREIGN KEY (scheme, class) REFERENCES %1$I.scheme_class ON UPDATE CASCADE ON DELETE CASCADE
		);
		CREATE UNIQUE INDEX scheme_class_default ON %1$I.scheme_class (scheme) WHERE rule IS NULL;
		INSERT INTO %1$I.scheme (scheme, ordinal, label, label_zh, meaning)
			SELECT * FROM segment_internal.builtin_schemes();
		INSERT INTO %1$I.scheme_cut (scheme, cut, query, meaning)
			SELECT * FROM segment_internal.builtin_cuts();
		INSERT INTO %1$I.scheme_class (scheme, class, class_rank, rule, label, label_zh, priority,
				service_level, action, action_zh)
			SELECT * FROM segment_internal.builtin_classes();
		ANALYZE %1$I.scheme;
		ANALYZE %1$I.scheme_class$template$, portfolio);
END
$scheme_create_tables$;
COMMENT ON FUNCTION segment_internal.scheme_create_tables(text) IS
'creates the tables of a portfolio''s schemes, with the built-in ones (internal)';

/*
 * The classes in the middle of value_class, between those who are most valuable
 * or growable and those below zero: as many as the setting value_middle_classes
 * says, by net value, each of the like number of the buyers who are below the
 * top fifth (without clv: the top two fifths) and not below zero.
 * What somebody changed in them stays: the rule of the last, which is that of
 * all of them, and what is to be done.
 */
CREATE FUNCTION segment_internal.scheme_divide_middle(portfolio text, classes integer) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $scheme_divide_middle$
DECLARE
	old_classes integer;
	last_rank integer;
	domains jsonb;
	-- the cuts value_mgc and value_mvc
	top text := (SELECT string_agg(b.query, ', ' ORDER BY b.cut) FROM segment_internal.builtin_cuts() AS b WHERE b.cut IN ('value_mvc', 'value_mgc'));
BEGIN
	EXECUTE format($query$
		SELECT count(*), max(c.class_rank) FROM %I.scheme_class AS c
		WHERE c.scheme = 'value_class' AND c.class ~ '^middle(_[0-9]+)?$'$query$, portfolio) INTO old_classes, last_rank;
	IF old_classes = classes OR old_classes = 0 AND classes = 1 THEN
		RETURN;
	ELSIF old_classes = 0 THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('setting "value_middle_classes" must be 1 without a class "middle" in scheme "value_class", not %s', classes);
	END IF;
	EXECUTE format('SELECT jsonb_agg(to_jsonb(d)) FROM %1$I.scheme_domain AS d JOIN %1$I.scheme_class AS c USING (scheme, class)
		WHERE c.scheme = ''value_class'' AND c.class_rank = $1', portfolio) INTO domains USING last_rank;
	-- in two steps, since no two classes may have the same rank in between
	EXECUTE format($template$
		UPDATE %1$I.scheme_class AS c SET class_rank = -(c.class_rank + $1) WHERE c.scheme = 'value_class' AND c.class_rank > $2;
		$template$, portfolio) USING classes - old_classes, last_rank;
	EXECUTE format($template$
		WITH old AS (
			DELETE FROM %1$I.scheme_class AS c WHERE c.scheme = 'value_class' AND c.class ~ '^middle(_[0-9]+)?$'
			RETURNING c.*
		)
		INSERT INTO %1$I.scheme_class (scheme, class, class_rank, rule, label, label_zh, priority, service_level, owner, action, action_zh, parent)
		SELECT o.scheme, concat('middle', '_' || n.number), o.class_rank - $1 + n.place,
			CASE WHEN n.number < $2 THEN format(E'(%%s\n) AND net_value >= value_middle_%%s', o.rule, n.number) ELSE o.rule END,
			concat(b.label, ' ' || n.number), concat(b.label_zh, n.number), o.priority, o.service_level, o.owner, o.action, o.action_zh, o.parent
		FROM old AS o
		JOIN segment_internal.builtin_classes() AS b ON b.scheme = 'value_class' AND b.class = 'middle'
		CROSS JOIN (SELECT g.place, CASE WHEN $2 > 1 THEN g.place END FROM generate_series(1, $2) AS g(place)) AS n(place, number)
		WHERE o.class_rank = $3$template$, portfolio) USING old_classes, classes, last_rank;
	EXECUTE format($template$
		UPDATE %1$I.scheme_class AS c SET class_rank = -c.class_rank WHERE c.scheme = 'value_class' AND c.class_rank < 0$template$, portfolio);
	EXECUTE format($template$
		INSERT INTO %1$I.scheme_domain (scheme, class, domain, priority, action, action_zh)
		SELECT c.scheme, c.class, d.domain, d.priority, d.action, d.action_zh
		FROM jsonb_populate_recordset(NULL::%1$I.scheme_domain, $1) AS d
		JOIN %1$I.scheme_class AS c ON c.scheme = d.scheme AND c.class ~ '^middle(_[0-9]+)?$'$template$, portfolio) USING domains;
	EXECUTE format($template$
		DELETE FROM %1$I.scheme_cut AS c WHERE c.scheme = 'value_class' AND c.cut ~ '^value_middle_[0-9]+$'$template$, portfolio);
	EXECUTE format($template$
		INSERT INTO %1$I.scheme_cut (scheme, cut, query, meaning)
		SELECT 'value_class', 'value_middle_' || n.number,
			format('SELECT (segment.top_cuts(c.net_value, %%s))[%%s] FROM customers AS c CROSS JOIN (SELECT %%s FROM customers) AS t(mgc, mvc) '
				'WHERE c.orders > 0 AND c.net_value >= 0 AND c.net_value < CASE WHEN c.clv IS NULL THEN t.mgc ELSE t.mvc END', $1, n.number, $2),
			format('net value of the last of the first %%s of %%s like groups of the buyers below the top fifth (two, where there is no clv) who are not below zero', n.number, $1)
		FROM generate_series(1, $1 - 1) AS n(number)$template$, portfolio) USING classes, top;
	EXECUTE format('ANALYZE %I.scheme_class', portfolio);
END
$scheme_divide_middle$;
COMMENT ON FUNCTION segment_internal.scheme_divide_middle(text, integer) IS
'divides the middle of the scheme value_class into so many classes; error 22023 if it has no class that could be divided (internal)';

/*
 * What the pyramid abcd is built by.  Rules and cuts that somebody changed stay as they
 * are, and go with no other measure than the usual one.
 */
CREATE FUNCTION segment_internal.scheme_measure_abcd(portfolio text, measure text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $scheme_measure_abcd$
DECLARE
	as_asked bigint;
BEGIN
	EXECUTE format($query$
		UPDATE %1$I.scheme_class AS c SET rule = n.rule
		FROM segment_internal.abcd_rules() AS o
		JOIN segment_internal.abcd_rules() AS n ON n.class = o.class AND n.measure = $1 AND n.measure <> o.measure
		WHERE c.scheme = 'abcd' AND c.class = o.class AND c.rule = o.rule$query$, portfolio) USING measure;
	EXECUTE format($query$
		UPDATE %1$I.scheme_cut AS c SET query = n.query, meaning = n.meaning
		FROM segment_internal.abcd_rules() AS o
		JOIN segment_internal.abcd_rules() AS n ON n.class = o.class AND n.measure = $1 AND n.measure <> o.measure
		WHERE c.scheme = 'abcd' AND c.cut = o.cut AND c.query = o.query$query$, portfolio) USING measure;
	EXECUTE format($query$
		SELECT count(*)
		FROM segment_internal.abcd_rules() AS n
		JOIN %1$I.scheme_class AS k ON k.scheme = 'abcd' AND k.class = n.class AND k.rule = n.rule
		JOIN %1$I.scheme_cut AS c ON c.scheme = 'abcd' AND c.cut = n.cut AND c.query = n.query
		WHERE n.measure = $1$query$, portfolio) INTO as_asked USING measure;
	IF as_asked < 3 AND measure <> 'net' THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('setting "abcd_by" must be net where the scheme "abcd" was changed, not "%s"', measure),
			HINT = 'The rules and cuts of the scheme say what it is built by.';
	END IF;
END
$scheme_measure_abcd$;
COMMENT ON FUNCTION segment_internal.scheme_measure_abcd(text, text) IS
'builds the scheme abcd by a measure: choices of the setting abcd_by; error 22023 if its rules or cuts were changed and the measure is another than net (internal)';

/* ---------- rules and cuts as SQL ---------- */

/*
 * What a rule may name besides the columns of the view customer: settings and
 * cuts, each taken out of the scorecard once per query.  Three settings have
 * names of columns, which win.
 */
CREATE FUNCTION segment_internal.scheme_figures(portfolio text) RETURNS TABLE (name text, type regtype, expression text)
LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 40
SET search_path = pg_catalog, pg_temp
AS $scheme_figures$
BEGIN
	RETURN QUERY EXECUTE format($query$
		SELECT s.name, v.type, format(CASE v.type WHEN 'float8'::regtype THEN '(n.settings ->> %%L)::float8'
			WHEN 'boolean'::regtype THEN '(n.settings ->> %%L)::boolean'
			ELSE 'n.settings ->> %%L' END, s.name)
		FROM segment.setting AS s
		CROSS JOIN LATERAL (SELECT CASE s.type WHEN 'number' THEN 'float8'::regtype WHEN 'boolean' THEN 'boolean'::regtype ELSE 'text'::regtype END AS type) AS v
		WHERE s.name NOT IN ('margin', 'purchase_model', 'spend_model')
		UNION ALL
		SELECT c.cut, 'numeric'::regtype, format('(n.cuts ->> %%L)::numeric', c.cut)
		FROM %1$I.scheme_cut AS c$query$, portfolio);
END
$scheme_figures$;
COMMENT ON FUNCTION segment_internal.scheme_figures(text) IS
'the settings and cuts of a portfolio, with the expressions that take them out of the scorecard n (internal)';

/* The class above is one of the same scheme, and not, by way of others, the class itself. */
CREATE FUNCTION segment_internal.scheme_check_parents(portfolio text) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $scheme_check_parents$
DECLARE
	wrong record;
BEGIN
	EXECUTE format($query$
		SELECT c.scheme, c.class, c.parent FROM %1$I.scheme_class AS c
		WHERE c.parent IS NOT NULL AND NOT EXISTS (SELECT FROM %1$I.scheme_class AS p WHERE p.scheme = c.scheme AND p.class = c.parent)
		ORDER BY c.scheme, c.class_rank LIMIT 1$query$, portfolio)
	INTO wrong;
	IF wrong.scheme IS NOT NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('parent of class "%s" in scheme "%s" is not a class of the scheme: "%s"', wrong.class, wrong.scheme, wrong.parent);
	END IF;
	EXECUTE format($query$
		WITH RECURSIVE above AS (
			SELECT c.scheme, c.class, c.parent FROM %1$I.scheme_class AS c WHERE c.parent IS NOT NULL
			UNION
			SELECT a.scheme, a.class, p.parent
			FROM above AS a
			JOIN %1$I.scheme_class AS p ON p.scheme = a.scheme AND p.class = a.parent
			WHERE p.parent IS NOT NULL
		)
		SELECT a.scheme, a.class FROM above AS a WHERE a.parent = a.class ORDER BY a.scheme, a.class LIMIT 1$query$, portfolio)
	INTO wrong;
	IF wrong.scheme IS NOT NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_recursion',
			MESSAGE = format('class "%s" in scheme "%s" is above itself', wrong.class, wrong.scheme),
			HINT = 'The parent of a class is the one above it.';
	END IF;
END
$scheme_check_parents$;
COMMENT ON FUNCTION segment_internal.scheme_check_parents(text) IS
'errors: 22023 the parent of a class is not a class of its scheme, 42P19 a class is above itself (internal)';

/*
 * The order in which schemes are computed: 0 where no rule names another scheme,
 * else after all that they name.
 */
CREATE FUNCTION segment_internal.scheme_levels(portfolio text) RETURNS TABLE (scheme text, level integer)
LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 12
SET search_path = pg_catalog, pg_temp
AS $scheme_levels$
DECLARE
	around text;
BEGIN
	EXECUTE format($query$
		WITH RECURSIVE uses AS (
			SELECT c.scheme, s.scheme AS used
			FROM %1$I.scheme_class AS c
			JOIN %1$I.scheme AS s ON s.scheme = ANY (c.mentions || c.stay_mentions)
			UNION
			SELECT u.scheme, s.scheme
			FROM uses AS u
			JOIN %1$I.scheme_class AS c ON c.scheme = u.used
			JOIN %1$I.scheme AS s ON s.scheme = ANY (c.mentions || c.stay_mentions)
		)
		SELECT string_agg(quote_ident(u.scheme), ', ' ORDER BY u.scheme) FROM uses AS u WHERE u.used = u.scheme$query$, portfolio)
	INTO around;
	IF around IS NOT NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_recursion',
			MESSAGE = format('rules of a scheme must not depend on the scheme itself: %s', around),
			HINT = 'A rule may name the class in another scheme, if no rule there, nor of a scheme named there, names this one.';
	END IF;
	RETURN QUERY EXECUTE format($query$
		WITH RECURSIVE placed AS (
			SELECT s.scheme, 0 AS level FROM %1$I.scheme AS s
			UNION
			SELECT c.scheme, p.level + 1
			FROM placed AS p
			JOIN %1$I.scheme_class AS c ON p.scheme = ANY (c.mentions || c.stay_mentions)
		)
		SELECT p.scheme, max(p.level) FROM placed AS p GROUP BY p.scheme$query$, portfolio);
END
$scheme_levels$;
COMMENT ON FUNCTION segment_internal.scheme_levels(text) IS
'the schemes of a portfolio, each with the number of schemes that must be computed one after another before it; error 42P19 if one depends on itself (internal)';

/*
 * A customer is in a class with a stay rule if its rule is true, or if the customer
 * was in it in the last snapshot and its stay rule is true.  held_column, which
 * takes the class out of the snapshot, and keeps are NULL if no class has one;
 * then nothing of this is in any query.  keeps is the day of the snapshot if nothing
 * but the stay rule keeps the customer in the class.  The names of these columns
 * have a space, so that no setting, cut or scheme has them.
 *
 * A rule stands in parentheses and before a line break: it may end in a comment.
 */
CREATE FUNCTION segment_internal.scheme_expressions(portfolio text)
RETURNS TABLE (scheme text, ordinal integer, level integer, class text, held_column text, keeps text)
LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 12
SET search_path = pg_catalog, pg_temp
AS $scheme_expressions$
BEGIN
	RETURN QUERY EXECUTE format($query$
		SELECT s.scheme, s.ordinal, l.level,
			CASE WHEN k.rules IS NULL THEN format('%%L::text', k.otherwise) ELSE format(E'CASE%%s ELSE %%L END', k.rules, k.otherwise) END,
			CASE WHEN k.stays THEN format('$4 ->> %%L AS %%I', s.scheme, k.held) END,
			CASE WHEN k.stays THEN format('CASE%%s END', k.keeps) END
		FROM %1$I.scheme AS s
		JOIN segment_internal.scheme_levels($1) AS l ON l.scheme = s.scheme
		CROSS JOIN LATERAL (
			SELECT string_agg(format(E'\n\t\tWHEN (%%s\n\t\t)%%s THEN %%L', c.rule, r.or_kept, c.class), ''
					ORDER BY c.class_rank) FILTER (WHERE c.rule IS NOT NULL) AS rules,
				min(c.class) FILTER (WHERE c.rule IS NULL) AS otherwise,
				string_agg(format(E'\n\t\tWHEN (%%s\n\t\t) THEN NULL', c.rule)
					|| coalesce(format(E'\n\t\tWHEN false%%s THEN $5', r.or_kept), ''), ''
					ORDER BY c.class_rank) FILTER (WHERE c.rule IS NOT NULL) AS keeps,
				'held ' || s.ordinal AS held,
				count(c.stay_rule) > 0 AS stays
			FROM %1$I.scheme_class AS c
			CROSS JOIN LATERAL (
				SELECT CASE WHEN c.stay_rule IS NOT NULL THEN
					format(E' OR (k.%%I = %%L AND (%%s\n\t\t))', 'held ' || s.ordinal, c.class, c.stay_rule) END AS or_kept
			) AS r
			WHERE c.scheme = s.scheme
		) AS k$query$, portfolio)
	USING portfolio;
END
$scheme_expressions$;
COMMENT ON FUNCTION segment_internal.scheme_expressions(text) IS
'the schemes of a portfolio as expressions: the class, the column of the class in the last snapshot that stay rules ask for, and the day since which nothing else keeps the customer in it, both NULL if there are none (internal)';

/*
 * The last snapshot is the one whose day is the last before the day that
 * customers are seen from.  That day (an expression) should not be taken from a
 * row of the query: then it is looked up once, and the snapshot is read by its
 * key.
 */
CREATE FUNCTION segment_internal.scheme_held_item(portfolio text, as_of text, OUT item text, OUT columns text)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $scheme_held_item$
DECLARE
	has_stay_rules boolean;
BEGIN
	EXECUTE format('SELECT EXISTS (SELECT FROM %I.scheme_class AS c WHERE c.stay_rule IS NOT NULL)', portfolio) INTO has_stay_rules;
	item := '';
	columns := 'NULL, NULL';
	IF has_stay_rules THEN
		item := format($template$
		LEFT JOIN LATERAL (
			SELECT p.classes, p.as_of
			FROM %1$I.snapshot_customer AS p
			WHERE p.as_of = (SELECT max(t.as_of) FROM %1$I.snapshot AS t WHERE t.as_of < %2$s)
				AND p.customer_id %3$s h.customer_id
		) AS held ON true$template$, portfolio, as_of, (segment_internal.portfolio_key(portfolio)).equality);
		columns := 'held.classes, held.as_of';
	END IF;
END
$scheme_held_item$;
COMMENT ON FUNCTION segment_internal.scheme_held_item(text, text) IS
'the FROM item that finds the classes of customers h in the last snapshot before a day (an expression), and its columns; empty, and NULLs, where no stay rule asks for them (internal)';

CREATE FUNCTION segment_internal.scheme_rule_failure(scheme text, reason text, OUT message text, OUT hint text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
SELECT format('a rule of scheme "%s" fails for a customer: %s', scheme, reason),
	'Customers without orders have the counts and sums 0, and NULL elsewhere. Divide by nullif(orders, 0), for instance.';
END;
COMMENT ON FUNCTION segment_internal.scheme_rule_failure(text, text) IS
'what is said where a rule of a scheme cannot be computed for somebody: message and hint (internal)';

/* ---------- the views ---------- */

/* One row, one action per customer, from the scheme that leads. */
CREATE FUNCTION segment_internal.scheme_action_query(portfolio text, customers text) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $scheme_action_query$
DECLARE
	settings jsonb;
	contact text;
	most text;
BEGIN
	EXECUTE format('SELECT segment_internal.check_settings(p.settings) FROM %I.portfolio AS p', portfolio) INTO settings;
	contact := settings ->> 'contact_column';
	most := settings ->> 'contact_limit';
	RETURN format($template$
		SELECT c.customer_id, k.scheme, k.class, k.label, k.label_zh, k.priority,
			k.service_level, k.owner, k.action, k.action_zh, %4$s AS may_contact
		FROM %1$I.%2$I AS c
		JOIN %1$I.scheme_class AS k ON k.scheme = %3$L AND k.class = c.%3$I
		$template$, portfolio, customers, settings ->> 'leading_scheme',
		-- who has not said yes may not
		CASE WHEN contact <> '' THEN format('coalesce(c.%I, false)', contact) ELSE 'true' END
		|| CASE WHEN most IS NOT NULL THEN format(' AND coalesce(c.period_contacts < %L::numeric, true)', most) ELSE '' END);
END
$scheme_action_query$;
COMMENT ON FUNCTION segment_internal.scheme_action_query(text, text) IS
'the query of the actions for the customers of a view, customer or customer_now (internal)';

CREATE FUNCTION segment_internal.scheme_create_views(portfolio text, security_invoker boolean) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $scheme_create_views$
DECLARE
	pairs text;
BEGIN
	EXECUTE format($template$
		CREATE OR REPLACE VIEW %1$I.class WITH (security_invoker = %2$s) AS
		SELECT c.scheme, c.class, c.class_rank, c.label, c.label_zh, c.rule, c.stay_rule,
			c.priority, c.service_level, c.owner, c.action, c.action_zh, c.parent
		FROM %1$I.scheme_class AS c$template$, portfolio, security_invoker);

	EXECUTE format($query$
		SELECT format('%%L::text[], ARRAY[%%s]', array_agg(s.scheme ORDER BY s.ordinal),
			string_agg(format('c.%%I', s.scheme), ', ' ORDER BY s.ordinal))
		FROM %1$I.scheme AS s$query$, portfolio)
	INTO pairs;
	EXECUTE format($template$
		CREATE OR REPLACE VIEW %1$I.customer_class WITH (security_invoker = %2$s) AS
		SELECT c.customer_id, v.scheme, v.class, k.class_rank, k.label, k.label_zh
		FROM %1$I.customer AS c
		CROSS JOIN LATERAL unnest(%3$s) AS v(scheme, class)
		JOIN %1$I.scheme_class AS k ON k.scheme = v.scheme AND k.class = v.class
		$template$, portfolio, security_invoker, pairs);

	EXECUTE format('CREATE OR REPLACE VIEW %I.customer_action WITH (security_invoker = %s) AS %s', portfolio, security_invoker,
		segment_internal.scheme_action_query(portfolio, 'customer'));
	EXECUTE format($template$
		CREATE OR REPLACE VIEW %1$I.customer_domain_action WITH (security_invoker = %2$s) AS
		SELECT a.customer_id, d.domain, a.scheme, a.class, a.label, a.label_zh, d.priority, a.service_level, a.owner,
			d.action, d.action_zh, a.may_contact
		FROM %1$I.customer_action AS a
		JOIN %1$I.scheme_domain AS d ON d.scheme = a.scheme AND d.class = a.class$template$, portfolio, security_invoker);
END
$scheme_create_views$;
COMMENT ON FUNCTION segment_internal.scheme_create_views(text, boolean) IS
'creates or replaces the views of a portfolio''s schemes (internal)';

CREATE FUNCTION segment_internal.scheme_choice(portfolio text) RETURNS text
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
COMMENT ON FUNCTION segment_internal.scheme_choice(text) IS
'the branches of a CASE from the name of a scheme to its column (internal)';

CREATE FUNCTION segment_internal.scheme_check_leading(portfolio text, settings jsonb) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $scheme_check_leading$
DECLARE
	leading_scheme text := segment_internal.check_settings(settings) ->> 'leading_scheme';
	known boolean;
BEGIN
	EXECUTE format('SELECT EXISTS (SELECT FROM %I.scheme AS s WHERE s.scheme = $1)', portfolio)
	INTO known USING leading_scheme;
	IF NOT known THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('setting "leading_scheme" must name a scheme, not "%s"', leading_scheme),
			HINT = format('The table %I.scheme lists the schemes.', portfolio);
	END IF;
END
$scheme_check_leading$;
COMMENT ON FUNCTION segment_internal.scheme_check_leading(text, jsonb) IS
'error 22023 if the setting leading_scheme names no scheme of the portfolio (internal)';

/* What an attribute says of permission must be there, and be yes or no. */
CREATE FUNCTION segment_internal.scheme_check_contact(portfolio text, settings jsonb) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $scheme_check_contact$
DECLARE
	col text := nullif(segment_internal.check_settings(settings) ->> 'contact_column', '');
	found_type regtype := (SELECT a.atttypid FROM pg_attribute AS a
		WHERE a.attrelid = to_regclass(format('%I.customer_attributes', portfolio)) AND a.attname = col);
BEGIN
	IF col IS NOT NULL AND found_type IS DISTINCT FROM 'boolean'::regtype THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('setting "contact_column" must name an attribute of type boolean, not "%s"%s', col, ' of type ' || found_type::text),
			HINT = 'Attributes are the columns of the source customers after the key.';
	END IF;
END
$scheme_check_contact$;
COMMENT ON FUNCTION segment_internal.scheme_check_contact(text, jsonb) IS
'error 22023 if the setting contact_column names no boolean attribute of the portfolio (internal)';

CREATE FUNCTION segment_internal.scheme_comments() RETURNS TABLE (relation text, col text, meaning text)
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
	('scheme_cut', 'query', 'query of one number over the relation customers, or an expression of aggregates over it'),
	('scheme_cut', 'meaning', 'what the figure is'),
	('scheme_class', NULL, 'the classes of each scheme: the first whose rule is true, or that the customer was in and whose stay_rule is true, applies, else the one without a rule'),
	('scheme_class', 'scheme', 'code of the scheme'),
	('scheme_class', 'class', 'code of the class'),
	('scheme_class', 'class_rank', 'order of the classes, in which their rules are tried too; 1 is the best'),
	('scheme_class', 'rule', 'condition over the columns of the view customer, settings and cuts; NULL: the default class'),
	('scheme_class', 'stay_rule', 'condition, over the same, under which who was in the class in the last snapshot stays in it, though rule is not true; NULL: none'),
	('scheme_class', 'label', 'name in English'),
	('scheme_class', 'label_zh', 'name in Chinese'),
	('scheme_class', 'priority', 'priority of the class, 1 is highest'),
	('scheme_class', 'service_level', 'level of service'),
	('scheme_class', 'owner', 'who is responsible for the class'),
	('scheme_class', 'action', 'what to do, in English'),
	('scheme_class', 'action_zh', 'what to do, in Chinese'),
	('scheme_class', 'mentions', 'columns, settings, cuts and schemes that rule names, as the server has found them when the rule came into force'),
	('scheme_class', 'stay_mentions', 'the same of stay_rule'),
	('scheme_class', 'parent', 'the class above in the same scheme, to which the view segment_rollup adds this one; NULL: none'),
	('scheme_domain', NULL, 'what to do for a class in a domain, such as a product or a channel'),
	('scheme_domain', 'scheme', 'code of the scheme'),
	('scheme_domain', 'class', 'code of the class'),
	('scheme_domain', 'domain', 'name of the domain'),
	('scheme_domain', 'priority', 'priority of the class in the domain, 1 is highest'),
	('scheme_domain', 'action', 'what to do, in English'),
	('scheme_domain', 'action_zh', 'what to do, in Chinese'),
	('class', NULL, 'one row per scheme and class'),
	('class', 'parent', 'the class above in the same scheme, to which the view segment_rollup adds this one; NULL: none'),
	('class', 'scheme', 'code of the scheme'),
	('class', 'class', 'code of the class'),
	('class', 'class_rank', 'order of the classes in the scheme, 1 is the best'),
	('class', 'label', 'name in English'),
	('class', 'label_zh', 'name in Chinese'),
	('class', 'rule', 'condition over the columns of the view customer, settings and cuts; NULL: the class of everybody else'),
	('class', 'stay_rule', 'condition, over the same, under which who was in the class in the last snapshot stays in it, though rule is not true; NULL: none'),
	('class', 'priority', 'priority of the class, 1 is highest'),
	('class', 'service_level', 'level of service'),
	('class', 'owner', 'who is responsible for the class; NULL: no owner was given'),
	('class', 'action', 'what to do, in English'),
	('class', 'action_zh', 'what to do, in Chinese'),
	('customer_class', NULL, 'one row per customer and scheme: every customer is in exactly one class of each'),
	('customer_class', 'customer_id', 'key of the customer'),
	('customer_class', 'scheme', 'code of the scheme'),
	('customer_class', 'class', 'code of the class'),
	('customer_class', 'class_rank', 'order of the classes in the scheme, 1 is the best'),
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
	('customer_action', 'owner', 'who is responsible; NULL: no owner was given'),
	('customer_action', 'action', 'what to do, in English'),
	('customer_action', 'action_zh', 'what to do, in Chinese'),
	('customer_action', 'may_contact', 'whether the customer may be contacted: the column that the setting contact_column names, NULL counting as no; true where it names none; and false for who has reached the setting contact_limit'),
	('customer_domain_action', NULL, 'one row per customer and domain for which the class in the scheme that leads (setting leading_scheme) says what to do (table scheme_domain)'),
	('customer_domain_action', 'customer_id', 'key of the customer'),
	('customer_domain_action', 'domain', 'name of the domain'),
	('customer_domain_action', 'scheme', 'the scheme that leads'),
	('customer_domain_action', 'class', 'class of the customer in it, which decides'),
	('customer_domain_action', 'label', 'name of the class in English'),
	('customer_domain_action', 'label_zh', 'name of the class in Chinese'),
	('customer_domain_action', 'priority', 'priority in the domain, 1 is highest'),
	('customer_domain_action', 'service_level', 'level of service of the class'),
	('customer_domain_action', 'owner', 'who is responsible for the class; NULL: no owner was given'),
	('customer_domain_action', 'action', 'what to do in the domain, in English'),
	('customer_domain_action', 'action_zh', 'what to do in the domain, in Chinese'),
	('customer_domain_action', 'may_contact', 'whether the customer may be contacted, as in customer_action')
) AS v(relation, col, meaning);
END;
COMMENT ON FUNCTION segment_internal.scheme_comments() IS
'the comments on the tables and views of a portfolio''s schemes';
