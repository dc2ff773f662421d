/*
 * scheme_change: schemes of one's own, and their proof
 */

CREATE FUNCTION segment_internal.scheme_check_name(portfolio text, name text, what text) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $scheme_check_name$
DECLARE
	taken boolean;
BEGIN
	-- of the characters of ASCII none that an identifier could not have without quotes
	IF name IS NULL OR name = '' OR name ~ '^[0-9]' OR name ~ '[\x01-\x2F\x3A-\x40\x5B-\x5E\x60\x7B-\x7F]' THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('invalid name of a %s: "%s"', what, coalesce(name, 'NULL')),
			HINT = 'Names begin with a letter of any language or an underscore and go on with letters, digits and underscores.';
	ELSIF octet_length(name) > 63 THEN
		RAISE EXCEPTION USING ERRCODE = 'name_too_long',
			MESSAGE = format('name of a %s is too long: "%s"', what, name),
			DETAIL = 'It becomes the name of a column, of at most 63 bytes.';
	END IF;
	EXECUTE format($query$
		SELECT $1 IN (SELECT s.name FROM segment.setting AS s)
			OR EXISTS (SELECT FROM %1$I.scheme_cut AS c WHERE c.cut = $1)
			OR EXISTS (SELECT FROM %1$I.scheme AS s WHERE s.scheme = $1)
			-- names within the query of the view customer, too
			OR $1 IN ('scorecard_as_of', 'margin_rate')
			OR EXISTS (SELECT FROM pg_attribute AS a
				WHERE a.attrelid IN ($2::regclass, $3::regclass) AND a.attnum > 0 AND a.attname = $1)$query$, portfolio)
	INTO taken USING name, format('%I.kept_customer', portfolio), format('%I.scorecard', portfolio);
	IF taken THEN
		RAISE EXCEPTION USING ERRCODE = 'duplicate_object',
			MESSAGE = format('name of a %s is taken: "%s"', what, name),
			DETAIL = 'It is a column of the view customer or of the table scorecard, a scheme, a setting or a cut.';
	END IF;
END
$scheme_check_name$;
COMMENT ON FUNCTION segment_internal.scheme_check_name(text, text, text) IS
'checks the name of a new scheme or cut; errors: 22023 other characters than letters, digits and underscores, 42622 too long, 42710 taken (internal)';

/* What is to be done for a class, by domain. */
CREATE FUNCTION segment_internal.scheme_check_domains(scheme text, class text, domains jsonb) RETURNS void
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $scheme_check_domains$
BEGIN
	IF jsonb_typeof(domains) IS DISTINCT FROM 'object' OR EXISTS (
		SELECT FROM jsonb_each(CASE jsonb_typeof(domains) WHEN 'object' THEN domains END) AS d
		WHERE d.key = '' OR jsonb_typeof(d.value) NOT IN ('object', 'null') OR EXISTS (
			SELECT FROM jsonb_each(CASE jsonb_typeof(d.value) WHEN 'object' THEN d.value END) AS v
			WHERE v.value <> 'null' AND NOT CASE v.key
				WHEN 'priority' THEN jsonb_typeof(v.value) = 'number' AND v.value::text ~ '^-?[0-9]{1,9}$'
				ELSE v.key IN ('action', 'action_zh') AND jsonb_typeof(v.value) = 'string' END)) THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('domains of class "%s" in scheme "%s" must be a JSON object of objects with the keys action, action_zh and priority, not %s',
				class, scheme, left(domains::text, 200)),
			HINT = 'For instance {"roaming": {"action": "Offer a day pass.", "priority": 1}}.';
	END IF;
END
$scheme_check_domains$;
COMMENT ON FUNCTION segment_internal.scheme_check_domains(text, text, jsonb) IS
'checks the domains given for a class; error 22023 (internal)';

/*
 * Writes the domains of classes that are given.  Of a domain that a class had
 * before, what is not given stays; null takes one away.
 */
CREATE FUNCTION segment_internal.scheme_write_domains(portfolio text, scheme text, classes jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $scheme_write_domains$
BEGIN
	EXECUTE format($template$
		DELETE FROM %I.scheme_domain AS o
		USING jsonb_array_elements($2) AS e(class)
		WHERE o.scheme = $1 AND o.class = e.class ->> 'class'
			AND (e.class -> 'domains' = 'null' OR e.class -> 'domains' -> o.domain = 'null')$template$, portfolio)
	USING scheme, classes;
	EXECUTE format($template$
		INSERT INTO %1$I.scheme_domain (scheme, class, domain, priority, action, action_zh)
		SELECT $1, e.class ->> 'class', d.key, (m.domain ->> 'priority')::integer, m.domain ->> 'action', m.domain ->> 'action_zh'
		FROM jsonb_array_elements($2) AS e(class)
		CROSS JOIN LATERAL jsonb_each(nullif(e.class -> 'domains', 'null')) AS d
		LEFT JOIN %1$I.scheme_domain AS o ON o.scheme = $1 AND o.class = e.class ->> 'class' AND o.domain = d.key
		CROSS JOIN LATERAL (SELECT coalesce(to_jsonb(o), '{}') || d.value) AS m(domain)
		WHERE d.value <> 'null'
		ON CONFLICT (scheme, class, domain) DO UPDATE SET
			priority = excluded.priority, action = excluded.action, action_zh = excluded.action_zh$template$, portfolio)
	USING scheme, classes;
	EXECUTE format('ANALYZE %I.scheme_domain', portfolio);
END
$scheme_write_domains$;
COMMENT ON FUNCTION segment_internal.scheme_write_domains(text, text, jsonb) IS
'writes what is given of the domains of a scheme''s classes (internal)';

/* The classes of a scheme as given: everything but the rules' content. */
CREATE FUNCTION segment_internal.scheme_check_classes(scheme text, classes jsonb) RETURNS void
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $scheme_check_classes$
DECLARE
	example text := 'For instance [{"class": "big", "rule": "net > 1000", "label": "big", "action": "Call."}, {"class": "other"}].';
	wrong text;
	defaults integer;
BEGIN
	IF jsonb_typeof(classes) IS DISTINCT FROM 'array' OR jsonb_array_length(classes) = 0
		OR EXISTS (SELECT FROM jsonb_array_elements(classes) AS e(class)
			WHERE jsonb_typeof(e.class) <> 'object' OR coalesce(e.class ->> 'class', '') = '') THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('classes of scheme "%s" must be a JSON array of objects with a key "class"', scheme),
			HINT = example;
	END IF;
	SELECT min(k.key) INTO wrong
	FROM jsonb_array_elements(classes) AS e(class) CROSS JOIN LATERAL jsonb_object_keys(e.class) AS k(key)
	WHERE k.key NOT IN ('class', 'rule', 'stay_rule', 'label', 'label_zh', 'priority', 'service_level', 'owner', 'action', 'action_zh', 'parent', 'domains');
	IF wrong IS NOT NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('key "%s" of a class in scheme "%s" is not known', wrong, scheme),
			HINT = 'The keys are class, rule, stay_rule, label, label_zh, priority, service_level, owner, action, action_zh, parent and domains.';
	END IF;
	SELECT min(format('key "%s" of class "%s" in scheme "%s" must be %s, not %s', v.key, e.class ->> 'class', scheme,
			CASE v.key WHEN 'priority' THEN 'a whole number' ELSE 'a string' END, v.value)) INTO wrong
	FROM jsonb_array_elements(classes) AS e(class) CROSS JOIN LATERAL jsonb_each(e.class) AS v(key, value)
	WHERE v.value <> 'null' AND v.key <> 'domains' AND CASE v.key
		WHEN 'priority' THEN NOT (jsonb_typeof(v.value) = 'number' AND v.value::text ~ '^-?[0-9]{1,9}$')
		ELSE jsonb_typeof(v.value) <> 'string' END;
	IF wrong IS NOT NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = wrong, HINT = example;
	END IF;
	PERFORM segment_internal.scheme_check_domains(scheme, e.class ->> 'class', e.class -> 'domains')
	FROM jsonb_array_elements(classes) AS e(class) WHERE e.class -> 'domains' <> 'null';
	SELECT e.class ->> 'class' INTO wrong
	FROM jsonb_array_elements(classes) AS e(class) GROUP BY 1 HAVING count(*) > 1 ORDER BY 1 LIMIT 1;
	IF wrong IS NOT NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'duplicate_object',
			MESSAGE = format('class "%s" is in scheme "%s" more than once', wrong, scheme),
			HINT = 'A class has one rule. Join two conditions by OR.';
	END IF;
	SELECT count(*) FILTER (WHERE e.class ->> 'rule' IS NULL) INTO defaults FROM jsonb_array_elements(classes) AS e(class);
	IF defaults <> 1 THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('scheme "%s" must have exactly one class without a rule, not %s', scheme, defaults),
			HINT = 'The class without a rule is the one of all customers for whom no rule is true.';
	END IF;
	SELECT e.class ->> 'class' INTO wrong
	FROM jsonb_array_elements(classes) AS e(class)
	WHERE e.class ->> 'rule' IS NULL AND e.class ->> 'stay_rule' IS NOT NULL;
	IF wrong IS NOT NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('class "%s" in scheme "%s" has a stay rule but no rule', wrong, scheme),
			HINT = 'The class without a rule takes everybody who is in no other, so nobody needs to be kept in it.';
	END IF;
END
$scheme_check_classes$;
COMMENT ON FUNCTION segment_internal.scheme_check_classes(text, jsonb) IS
'checks the classes given for a scheme; errors: 22023 no array of objects, an unknown key, a wrong type, none or several classes without a rule, a stay rule in the one without, 42710 a class named twice (internal)';

/*
 * Writes cuts and classes of a scheme, checked.  Of a class that the scheme had
 * before, what is not given stays, and so do columns that somebody has added to
 * the table; only its rules are always those given.
 */
CREATE FUNCTION segment_internal.scheme_write(portfolio text, scheme text, classes jsonb, cuts jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $scheme_write$
DECLARE
	c record;
	query text;
BEGIN
	PERFORM segment_internal.scheme_check_classes(scheme, classes);
	IF jsonb_typeof(cuts) NOT IN ('object', 'null') OR EXISTS (
		SELECT FROM jsonb_each(CASE jsonb_typeof(cuts) WHEN 'object' THEN cuts END) AS v(key, value)
		WHERE jsonb_typeof(v.value) <> 'string') THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('cuts of scheme "%s" must be a JSON object of queries, not %s', scheme, cuts),
			HINT = 'For instance {"usual_net": "SELECT avg(net) FROM customers WHERE orders > 0"}.';
	END IF;
	FOR c IN SELECT key AS cut, value #>> '{}' AS query
		FROM jsonb_each(CASE jsonb_typeof(cuts) WHEN 'object' THEN cuts END) ORDER BY key LOOP
		PERFORM segment_internal.scheme_check_name(portfolio, c.cut, 'cut');
		BEGIN
			query := segment_internal.source_statement(format('cut %s', c.cut), segment_internal.cut_query(c.query));
		EXCEPTION WHEN syntax_error THEN
			-- no expression either: say what is wrong with the text as it was given
			query := segment_internal.source_statement(format('cut %s', c.cut), c.query);
			RAISE;
		END;
		EXECUTE format('INSERT INTO %I.scheme_cut (cut, scheme, query) VALUES ($1, $2, $3)', portfolio)
		USING c.cut, scheme, btrim(CASE WHEN segment_internal.cut_is_query(c.query) THEN query ELSE c.query END, E' \t\r\n');
	END LOOP;
	EXECUTE format('DELETE FROM %I.scheme_class AS k
		WHERE k.scheme = $1 AND k.class NOT IN (SELECT e.class ->> ''class'' FROM jsonb_array_elements($2) AS e(class))',
		portfolio) USING scheme, classes;
	-- out of the way of the new ranks and of a new class without a rule
	EXECUTE format('UPDATE %I.scheme_class AS k SET class_rank = -k.class_rank, rule = '''', stay_rule = NULL WHERE k.scheme = $1',
		portfolio) USING scheme;
	EXECUTE format($template$
		INSERT INTO %1$I.scheme_class (scheme, class, class_rank, rule, stay_rule, label, label_zh, priority,
			service_level, owner, action, action_zh, parent)
		SELECT $1, e.class ->> 'class', e.ordinal, e.class ->> 'rule', e.class ->> 'stay_rule',
			coalesce(m.class ->> 'label', m.class ->> 'class'), m.class ->> 'label_zh',
			(m.class ->> 'priority')::integer, m.class ->> 'service_level', m.class ->> 'owner',
			m.class ->> 'action', m.class ->> 'action_zh',
			-- of a class above that is no more, nobody need speak
			CASE WHEN e.class ? 'parent' OR EXISTS (SELECT FROM jsonb_array_elements($2) AS p(class) WHERE p.class -> 'class' = m.class -> 'parent')
				THEN m.class ->> 'parent' END
		FROM jsonb_array_elements($2) WITH ORDINALITY AS e(class, ordinal)
		LEFT JOIN %1$I.scheme_class AS k ON k.scheme = $1 AND k.class = e.class ->> 'class'
		CROSS JOIN LATERAL (SELECT coalesce(to_jsonb(k), '{}') || e.class) AS m(class)
		ON CONFLICT (scheme, class) DO UPDATE SET
			class_rank = excluded.class_rank, rule = excluded.rule, stay_rule = excluded.stay_rule,
			label = excluded.label, label_zh = excluded.label_zh, priority = excluded.priority,
			service_level = excluded.service_level, owner = excluded.owner,
			action = excluded.action, action_zh = excluded.action_zh, parent = excluded.parent$template$, portfolio)
	USING scheme, classes;
	PERFORM segment_internal.scheme_write_domains(portfolio, scheme, classes);
	EXECUTE format('ANALYZE %I.scheme_class', portfolio);
END
$scheme_write$;
COMMENT ON FUNCTION segment_internal.scheme_write(text, text, jsonb, jsonb) IS
'writes the cuts and classes of a scheme after checking them; errors as for create_scheme (internal)';

/* Takes a scheme, and its column, away; the rights on views stay. */
CREATE FUNCTION segment_internal.scheme_drop(portfolio text, scheme text, security_invoker boolean) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $scheme_drop$
DECLARE
	used record;
	grants text[];
BEGIN
	EXECUTE format($query$
		SELECT c.scheme, c.class FROM %I.scheme_class AS c
		WHERE $1 = ANY (c.mentions || c.stay_mentions) AND c.scheme <> $1
		ORDER BY c.scheme, c.class_rank LIMIT 1$query$, portfolio)
	INTO used USING scheme;
	IF used.scheme IS NOT NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'dependent_objects_still_exist',
			MESSAGE = format('cannot drop scheme "%s" because scheme "%s" depends on it', scheme, used.scheme),
			DETAIL = format('The rule of class "%s" names it.', used.class),
			HINT = 'Give that scheme other rules, or drop it first.';
	END IF;
	grants := segment_internal.portfolio_take_views(portfolio, ARRAY[scheme]);
	EXECUTE format('DELETE FROM %I.scheme AS s WHERE s.scheme = $1', portfolio) USING scheme;
	PERFORM segment_internal.portfolio_put_views(portfolio, security_invoker, grants);
END
$scheme_drop$;
COMMENT ON FUNCTION segment_internal.scheme_drop(text, text, boolean) IS
'takes a scheme and its column out of a portfolio''s views, whose rights stay; error 2BP01 if others depend on the views, or another scheme on this one (internal)';

/* A rule that fails for somebody, for instance by a division by zero, would break the view. */
CREATE FUNCTION segment_internal.scheme_try(portfolio text, scheme text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $scheme_try$
DECLARE
	judge record := segment_internal.scorecard_in_force(portfolio);
	stay_rules text;
	message text;
	state text;
	failure record;
BEGIN
	-- not count(), for which the planner computes nothing that cannot be NULL
	EXECUTE format('SELECT max(c.%I) FROM (%s) AS c', scheme,
		segment_internal.kept_query(portfolio, judge.scorecard_id, judge.as_of, true, NULL));
	-- these for everybody, not only for those who are in the class now
	EXECUTE format($query$
		SELECT string_agg(format(E'bool_or((%%s\n))', c.stay_rule), ', ')
		FROM %I.scheme_class AS c WHERE c.scheme = $1 AND c.stay_rule IS NOT NULL$query$, portfolio)
	INTO stay_rules USING scheme;
	IF stay_rules IS NOT NULL THEN
		EXECUTE format('SELECT %s FROM %s', stay_rules, segment_internal.customer_rule_item(portfolio));
	END IF;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, state = RETURNED_SQLSTATE;
	IF segment_internal.is_beyond_query(state) THEN
		RAISE;
	END IF;
	failure := segment_internal.scheme_rule_failure(scheme, message);
	RAISE EXCEPTION USING ERRCODE = state, MESSAGE = failure.message, HINT = failure.hint;
END
$scheme_try$;
COMMENT ON FUNCTION segment_internal.scheme_try(text, text) IS
'classifies every customer once; error if a rule or stay rule fails (internal)';

/*
 * One change of the schemes, as the portfolio's owner (see portfolio_run);
 * then new views, and a new scorecard as of the same day.
 */
CREATE FUNCTION segment_internal.scheme_change(name text, arguments jsonb) RETURNS segment.refresh_report
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $scheme_change$
DECLARE
	scheme text := arguments ->> 'scheme';
	started timestamptz := clock_timestamp();
	definition jsonb;
	settings jsonb;
	own_margin boolean;
	as_of_given boolean;
	day date;
	report segment.refresh_report;
BEGIN
	EXECUTE format('SELECT to_jsonb(p) FROM %I.portfolio AS p FOR UPDATE', name) INTO STRICT definition;
	settings := segment_internal.check_settings(definition -> 'settings');
	CASE arguments ->> 'command'
		WHEN 'create' THEN
			PERFORM segment_internal.scheme_check_name(name, scheme, 'scheme');
			EXECUTE format($template$
				INSERT INTO %1$I.scheme (scheme, ordinal, label, label_zh, meaning)
				VALUES ($1, (SELECT coalesce(max(s.ordinal), 0) + 1 FROM %1$I.scheme AS s), $2, $3, $4)$template$, name)
			USING scheme, coalesce(arguments ->> 'label', scheme), arguments ->> 'label_zh', arguments ->> 'meaning';
			PERFORM segment_internal.scheme_write(name, scheme, arguments -> 'classes', arguments -> 'cuts');
		WHEN 'alter' THEN
			PERFORM segment_internal.scheme_must_exist(name, scheme);
			IF jsonb_typeof(arguments -> 'cuts') = 'object' THEN
				EXECUTE format('DELETE FROM %I.scheme_cut AS c WHERE c.scheme = $1', name) USING scheme;
			END IF;
			PERFORM segment_internal.scheme_write(name, scheme, arguments -> 'classes', arguments -> 'cuts');
		WHEN 'drop' THEN
			PERFORM segment_internal.scheme_must_exist(name, scheme);
			IF settings ->> 'leading_scheme' = scheme THEN
				RAISE EXCEPTION USING ERRCODE = 'dependent_objects_still_exist',
					MESSAGE = format('cannot drop scheme "%s" because it is the leading scheme', scheme),
					HINT = 'Let another one lead first: setting leading_scheme of segment.alter_portfolio.';
			END IF;
			PERFORM segment_internal.scheme_drop(name, scheme, (settings ->> 'security_invoker')::boolean);
	END CASE;
	IF arguments ->> 'command' <> 'drop' THEN
		PERFORM segment_internal.portfolio_renew_views(name, (settings ->> 'security_invoker')::boolean);
	END IF;
	SELECT s.as_of, s.as_of_given, s.own_margin INTO report.as_of, as_of_given, own_margin
	FROM segment_internal.scorecard_in_force(name) AS s;
	-- as of the newest order known, which a refresh that kept the scorecard may have
	-- brought; then the figures of the others do not hold, and the histories are read
	EXECUTE format('SELECT greatest(max(c.as_of), $1) FROM %I.kept_customer AS c', name) INTO day USING report.as_of;
	SELECT s.scorecard_id, s.customers, s.purchase_status, s.spend_status
	INTO report.scorecard_id, report.customers, report.purchase_model, report.spend_model
	FROM segment_internal.refresh_scorecard(name, settings, definition ->> 'unit', own_margin, day, as_of_given, day = report.as_of) AS s;
	report.as_of := day;
	-- days before the scheme are judged by its first cuts, as by the first scorecard
	EXECUTE format($template$
		UPDATE %1$I.scorecard AS o SET cuts = coalesce(o.cuts, '{}') || k.cuts
		FROM (SELECT jsonb_object_agg(c.cut, n.cuts -> c.cut) AS cuts
			FROM %1$I.scheme_cut AS c
			JOIN %1$I.scorecard AS n ON n.scorecard_id = $2
			WHERE c.scheme = $1) AS k
		WHERE o.scorecard_id < $2 AND k.cuts IS NOT NULL$template$, name)
	USING CASE WHEN jsonb_typeof(arguments -> 'cuts') = 'object' THEN scheme END, report.scorecard_id;
	IF arguments ->> 'command' <> 'drop' THEN
		PERFORM segment_internal.scheme_try(name, scheme);
	END IF;
	PERFORM segment_internal.kept_fill(name, false, true);
	report.portfolio := name;
	report.mode := 'schemes';
	report.seconds := extract(epoch FROM clock_timestamp() - started);
	RETURN report;
END
$scheme_change$;
COMMENT ON FUNCTION segment_internal.scheme_change(text, jsonb) IS
'creates, alters or drops a scheme, with the current user''s rights (internal)';

CREATE FUNCTION segment.create_scheme(
	name text, scheme text, classes jsonb, cuts jsonb DEFAULT '{}',
	label text DEFAULT NULL, label_zh text DEFAULT NULL, meaning text DEFAULT NULL
) RETURNS segment.refresh_report
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
RETURN segment_internal.portfolio_run(name, 'scheme', jsonb_build_object('command', 'create', 'scheme', scheme,
	'classes', classes, 'cuts', cuts, 'label', label, 'label_zh', label_zh, 'meaning', meaning),
	NULL::segment.refresh_report);
COMMENT ON FUNCTION segment.create_scheme(text, text, jsonb, jsonb, text, text, text) IS
'adds a scheme to a portfolio, as a column of the view customer, with a new scorecard. classes: JSON array in the order in which rules are tried, each with class, rule (a condition over columns of the view customer, among them the classes in other schemes, settings and cuts; left out for exactly one, the default), stay_rule (a condition over the same, under which who was in the class in the last snapshot stays in it, though rule is not true; if left out, rule alone decides), label, label_zh, priority, service_level, owner, action, action_zh, parent (the class above, of the same scheme, to which the view segment_rollup adds it), domains (JSON object, domain: action, action_zh and priority in it, view customer_domain_action). cuts: JSON object of figures over everybody, name: query of one number over the relation customers. Errors name what is wrong: 22023 malformed, a rule or stay rule that looks beyond the customer or calls functions that are not immutable; 42P19 one that depends on its own scheme, or a class above itself; 42804 one that is no condition; 42703 unknown column, 42601 syntax, 42710 name taken, class named twice, 42622 name longer than 63 bytes; nothing is left behind. Names of schemes and cuts have letters of any language, digits and underscores; where they have upper-case letters, SQL needs them in double quotes';

CREATE FUNCTION segment.alter_scheme(
	name text, scheme text, classes jsonb, cuts jsonb DEFAULT NULL
) RETURNS segment.refresh_report
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
RETURN segment_internal.portfolio_run(name, 'scheme', jsonb_build_object('command', 'alter', 'scheme', scheme,
	'classes', classes, 'cuts', cuts), NULL::segment.refresh_report);
COMMENT ON FUNCTION segment.alter_scheme(text, text, jsonb, jsonb) IS
'gives a scheme other classes and, if given, other cuts. A class that the scheme had before keeps its labels, priority, service level, owner, actions, parent and domains, and what columns added to the table scheme_class hold, unless they are given (null takes one away); its rule and stay_rule are those given. Arguments and errors as for create_scheme, 42704 if there is no such scheme';

CREATE FUNCTION segment.drop_scheme(name text, scheme text) RETURNS segment.refresh_report
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
RETURN segment_internal.portfolio_run(name, 'scheme', jsonb_build_object('command', 'drop', 'scheme', scheme),
	NULL::segment.refresh_report);
COMMENT ON FUNCTION segment.drop_scheme(text, text) IS
'takes a scheme and its column away; errors: 42704 no such scheme, 2BP01 it leads (view customer_action) or others have built on the portfolio''s views';

CREATE FUNCTION segment_internal.scheme_must_exist(portfolio text, scheme text) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $scheme_must_exist$
DECLARE
	known boolean;
BEGIN
	EXECUTE format('SELECT EXISTS (SELECT FROM %I.scheme AS s WHERE s.scheme = $1)', portfolio) INTO known USING scheme;
	IF NOT known THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object',
			MESSAGE = format('scheme "%s" does not exist in portfolio "%s"', coalesce(scheme, 'NULL'), portfolio),
			HINT = format('The table %I.scheme lists the schemes.', portfolio);
	END IF;
END
$scheme_must_exist$;
COMMENT ON FUNCTION segment_internal.scheme_must_exist(text, text) IS
'error 42704 if a portfolio has no such scheme (internal)';

/* ---------- proof ---------- */

/*
 * All customers with their class, whether only its stay rule keeps them in it,
 * and whether they are in it although its stay rule is false.  Whom no stay
 * rule keeps is in the first class whose rule is true.
 */
CREATE FUNCTION segment_internal.scheme_members(portfolio text, scheme text) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $scheme_members$
DECLARE
	enters_only text;
BEGIN
	EXECUTE format($query$
		SELECT string_agg(format(E'\n\t\tWHEN (%%s\n\t\t) THEN (%%s\n\t\t) IS NOT TRUE', c.rule,
			coalesce(c.stay_rule, 'true')), '' ORDER BY c.class_rank)
		FROM %1$I.scheme_class AS c
		WHERE c.scheme = $1 AND c.rule IS NOT NULL
		HAVING count(c.stay_rule) > 0$query$, portfolio)
	INTO enters_only USING scheme;
	RETURN CASE WHEN enters_only IS NULL THEN format('SELECT c.%I, false, false FROM %I.customer AS c', scheme, portfolio)
		ELSE format('SELECT k.%1$I, k.kept_from ? %1$L IS TRUE, k.kept_from ? %1$L IS NOT TRUE AND CASE%2$s END FROM %3$s',
			scheme, enters_only, segment_internal.customer_rule_item(portfolio)) END;
END
$scheme_members$;
COMMENT ON FUNCTION segment_internal.scheme_members(text, text) IS
'the query of all customers with their class in a scheme, and what its stay rules have to do with it (internal)';

CREATE TYPE segment_internal.class_proof AS (
	class text, class_rank integer, customers bigint, kept bigint, cells bigint, hidden bigint, verdict text
);
COMMENT ON TYPE segment_internal.class_proof IS
'a row of scheme_check (internal)';

/*
 * A rule for customers without scores, such as r_score IS NULL AND refunded > 0.
 * It takes no score cell, whatever else it asks.
 */
CREATE FUNCTION segment_internal.rule_is_of_unscored(rule text, rule_item text) RETURNS boolean
LANGUAGE sql STABLE STRICT PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
RETURN segment_internal.condition_nulls(format(E'SELECT (%s\n) FROM %s', rule, rule_item)) && '{r_score,f_score,m_score,rfm_cell}'::text[];
COMMENT ON FUNCTION segment_internal.rule_is_of_unscored(text, text) IS
'whether a rule, over customer_rule_item, is for customers without scores only; NULL without a rule (internal)';

/* All of scheme_check, as the portfolio's owner: see portfolio_run. */
CREATE FUNCTION segment_internal.scheme_proof(name text, arguments jsonb)
RETURNS SETOF segment_internal.class_proof
LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 10
SET search_path = pg_catalog, pg_temp
AS $scheme_proof$
DECLARE
	scheme text := arguments ->> 'scheme';
	rule_item text := segment_internal.customer_rule_item(name);
	rules text;
	on_scores boolean;
	members text;
BEGIN
	PERFORM segment_internal.scheme_must_exist(name, scheme);
	-- do the rules name nothing but scores, but for those who have none?
	EXECUTE format($query$
		SELECT NOT EXISTS (
			SELECT FROM %1$I.scheme_class AS c
			CROSS JOIN LATERAL unnest(c.mentions) AS n(name)
			WHERE c.scheme = $1 AND NOT segment_internal.rule_is_of_unscored(c.rule, $2)
				AND n.name NOT IN ('r_score', 'f_score', 'm_score', 'rfm_cell'))$query$, name)
	INTO on_scores USING scheme, rule_item;
	-- each cell by every rule: the first that is true decides
	EXECUTE format($query$SELECT string_agg(format(E'(%%L, %%s, coalesce((%%s\n), false))', c.class, c.class_rank,
			CASE WHEN segment_internal.rule_is_of_unscored(c.rule, $2) THEN 'false' ELSE c.rule END), ', ')
		FROM %I.scheme_class AS c WHERE c.scheme = $1 AND c.rule IS NOT NULL$query$, name)
	INTO rules USING scheme, rule_item;
	members := segment_internal.scheme_members(name, scheme);
	RETURN QUERY EXECUTE format($query$
		WITH cell AS (
			SELECT r_score, f_score, m_score, r_score::text || f_score::text || m_score::text AS rfm_cell
			FROM generate_series(1, 5) AS r_score, generate_series(1, 5) AS f_score, generate_series(1, 5) AS m_score
			WHERE $2
		), hit AS (
			SELECT k.rfm_cell, v.class, row_number() OVER (PARTITION BY k.rfm_cell ORDER BY v.class_rank) AS nth
			FROM cell AS k CROSS JOIN LATERAL (VALUES %3$s) AS v(class, class_rank, hit)
			WHERE v.hit
		), counted AS (
			SELECT c.class, CASE WHEN $2 THEN CASE WHEN c.rule IS NULL
					THEN (SELECT count(*) FROM cell AS k WHERE NOT EXISTS (SELECT FROM hit AS h WHERE h.rfm_cell = k.rfm_cell))
					ELSE count(h.nth) FILTER (WHERE h.nth = 1) END END AS cells,
				CASE WHEN $2 THEN count(h.nth) FILTER (WHERE h.nth > 1) END AS hidden
			FROM %1$I.scheme_class AS c LEFT JOIN hit AS h ON h.class = c.class
			WHERE c.scheme = $1
			GROUP BY c.class, c.rule
		), members AS (
			SELECT u.class, count(*) AS customers, count(*) FILTER (WHERE u.kept) AS kept,
				count(*) FILTER (WHERE u.enters_only) AS enters_only
			FROM (%2$s) AS u(class, kept, enters_only) GROUP BY u.class
		)
		SELECT c.class, c.class_rank, coalesce(m.customers, 0),
			CASE WHEN c.stay_rule IS NOT NULL THEN coalesce(m.kept, 0) END, k.cells, k.hidden,
			coalesce(nullif(concat_ws('; ', CASE WHEN segment_internal.rule_is_of_unscored(c.rule, $3) THEN NULL WHEN c.rule IS NULL AND k.cells > 0 THEN 'default class also takes score cells that no rule covers'
				WHEN c.rule IS NOT NULL AND k.cells = 0 AND k.hidden > 0 THEN 'earlier rules take every score cell of this class'
				WHEN c.rule IS NOT NULL AND k.cells = 0 THEN 'no score cell reaches this class'
				WHEN k.hidden > 0 THEN 'earlier rules take some score cells of this class'
				WHEN k.cells IS NULL AND coalesce(m.customers, 0) = 0 THEN 'no customer is in this class now' END,
				CASE WHEN m.enters_only > 0
					THEN format('%%s of the customers for whom the rule is true do not meet the stay rule', m.enters_only) END),
				''), 'ok')
		FROM %1$I.scheme_class AS c
		JOIN counted AS k ON k.class = c.class
		LEFT JOIN members AS m ON m.class = c.class
		WHERE c.scheme = $1
		ORDER BY c.class_rank$query$, name, members,
		CASE WHEN on_scores AND rules IS NOT NULL THEN rules ELSE '('''', 0, false)' END)
	USING scheme, on_scores, rule_item;
END
$scheme_proof$;
COMMENT ON FUNCTION segment_internal.scheme_proof(text, jsonb) IS
'proves a scheme, with the current user''s rights; errors as for scheme_check (internal)';

CREATE FUNCTION segment.scheme_check(name text, scheme text)
RETURNS TABLE (class text, class_rank integer, customers bigint, kept bigint, cells bigint, hidden bigint, verdict text)
LANGUAGE sql STABLE PARALLEL RESTRICTED ROWS 10
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
SELECT * FROM segment_internal.portfolio_run(name, 'scheme_check', jsonb_build_object('scheme', scheme),
	NULL::segment_internal.class_proof);
END;
COMMENT ON FUNCTION segment.scheme_check(text, text) IS
'proves a scheme: per class how many customers are in it, how many of these only its stay rule keeps there (kept; NULL without one), and, where the rules name scores only, how many of the 125 score cells it gets (cells) and how many its rule would take too but for an earlier one (hidden), both else NULL; the verdict tells of classes that cannot be reached, of cells that no rule covers, of rules that overlap, and of stay rules that are false for customers who enter, whom they should be easier on; errors: 42704, 42501';
