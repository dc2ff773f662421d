/*
 * rule: what the rules of schemes may say, and what they name
 *
 * A rule must be one condition on the customer's own columns that always gives
 * the same for the same customer and scorecard.  That is what PostgreSQL asks
 * of a generated column, so it is asked, in the table rule_check: no queries,
 * aggregates or window functions, and no functions that are not immutable
 * (random, now).  The catalog then tells which columns the rule depends on.
 */

/* The columns that rules may name, in a table without rows. */
CREATE FUNCTION segment_internal.rule_create_table(portfolio text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $rule_create_table$
BEGIN
	EXECUTE format('CREATE TABLE %1$I.rule_check AS SELECT %2$s FROM %1$I.kept_customer AS c WITH NO DATA', portfolio,
		concat_ws(', ',
			(SELECT string_agg(format('c.%I', k.name), ', ' ORDER BY k.ordinal) FROM segment_internal.kept_columns(portfolio) AS k WHERE k.is_shown),
			(SELECT string_agg(format('NULL::%s AS %I', f.type, f.name), ', ' ORDER BY f.name) FROM segment_internal.scheme_figures(portfolio) AS f)));
END
$rule_create_table$;
COMMENT ON FUNCTION segment_internal.rule_create_table(text) IS
'creates the table rule_check of a portfolio, with what rules may name as columns (internal)';

/* A row of scheme_class has rule and stay_rule; here they are one after the other. */
CREATE TYPE segment_internal.class_rule AS (scheme text, class text, what text, rule text);
COMMENT ON TYPE segment_internal.class_rule IS
'a rule or stay rule (what) of a class (internal)';

/* One rule by itself, of which something is known to be wrong: says what. */
CREATE FUNCTION segment_internal.rule_fail(portfolio text, wrong segment_internal.class_rule)
RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $rule_fail$
DECLARE
	message text;
	state text;
BEGIN
	PERFORM segment_internal.source_statement((wrong).what, format(E'SELECT (%s\n)', (wrong).rule));
	EXECUTE format(E'ALTER TABLE %I.rule_check ADD COLUMN "rule 1" boolean GENERATED ALWAYS AS (%s\n) STORED',
		portfolio, (wrong).rule);
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, state = RETURNED_SQLSTATE;
	IF segment_internal.is_beyond_query(state) THEN
		RAISE;
	END IF;
	RAISE EXCEPTION USING
		ERRCODE = CASE WHEN state IN ('0A000', '42803', '42P20', '42P17') THEN '22023' ELSE state END,
		MESSAGE = format('%s of class "%s" in scheme "%s"%s', (wrong).what, (wrong).class, (wrong).scheme, CASE
			WHEN state IN ('0A000', '42803', '42P20') THEN ' must not look beyond the customer'
			WHEN state = '42P17' THEN ' must not call functions that are not immutable'
			WHEN state = '42804' AND message LIKE '%"rule 1"%' THEN ' must be a condition: true or false'
			ELSE ': ' || message END),
		DETAIL = format('The %s is: %s', (wrong).what, (wrong).rule),
		HINT = CASE
			WHEN state IN ('0A000', '42803', '42P20') THEN 'A class depends on the customer alone. Compute figures over all customers as cuts of the scheme.'
			WHEN state = '42P17' THEN 'A class changes only when the customer''s history or the scorecard does: no random(), no now(). Instead of to_char(first_day, ''MM'') write extract(month FROM first_day).'
			ELSE 'A rule is a condition over columns of the view customer, settings (view segment.setting) and cuts of the scheme.' END;
END
$rule_fail$;
COMMENT ON FUNCTION segment_internal.rule_fail(text, segment_internal.class_rule) IS
'raises what is wrong with the rule or stay rule (what) of a class; errors name class and scheme: 22023 it has a query, an aggregate or a function that is not immutable, 42804 it is not a condition, else those of the parser (42703 unknown column, 42601 syntax) (internal)';

/*
 * Rules together, as columns of one table: each table takes locks, and a scheme
 * may have thousands of rules.
 */
CREATE FUNCTION segment_internal.rule_try(portfolio text, rules text[], OUT state text, OUT message text, OUT mentions jsonb)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $rule_try$
BEGIN
	-- that no rule is more or less than an expression, whatever it stands in
	PERFORM segment_internal.source_statement('rule', format(e.template, r.rule))
	FROM unnest(rules) AS r(rule)
	CROSS JOIN (VALUES (E'SELECT (%s\n)'), (E'SELECT %s\n')) AS e(template);
	EXECUTE format('ALTER TABLE %I.rule_check %s', portfolio, (
		SELECT string_agg(format(E'ADD COLUMN "rule %s" boolean GENERATED ALWAYS AS (%s\n) STORED', r.place, r.rule), ', ' ORDER BY r.place)
		FROM unnest(rules) WITH ORDINALITY AS r(rule, place)));
	-- of a generated column, its expression depends on the columns that it names
	SELECT jsonb_object_agg(g.place, g.names) INTO mentions
	FROM (
		SELECT split_part(a.attname, ' ', 2) AS place, jsonb_agg(DISTINCT u.attname) AS names
		FROM pg_attrdef AS d
		JOIN pg_attribute AS a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
		JOIN pg_depend AS p ON p.classid = 'pg_attrdef'::regclass AND p.objid = d.oid
			AND p.refclassid = 'pg_class'::regclass AND p.refobjid = d.adrelid AND p.refobjsubid <> d.adnum
		JOIN pg_attribute AS u ON u.attrelid = p.refobjid AND u.attnum = p.refobjsubid
		WHERE d.adrelid = format('%I.rule_check', portfolio)::regclass
		GROUP BY 1
	) AS g;
	-- nothing is wrong; but the columns must go, as if they had never been: a table
	-- has room for so many, those that were dropped included
	RAISE EXCEPTION USING ERRCODE = 'SG000';
EXCEPTION
	WHEN SQLSTATE 'SG000' THEN
		RETURN;
	WHEN OTHERS THEN
		IF segment_internal.is_beyond_query(SQLSTATE) THEN
			RAISE;
		END IF;
		state := SQLSTATE;
		message := SQLERRM;
END
$rule_try$;
COMMENT ON FUNCTION segment_internal.rule_try(text, text[]) IS
'what is wrong with one of these rules, NULL if nothing is, and then the columns of the table rule_check that they name, as an object with the place of the rule, from 1, as key (internal)';

/* Which of the rules is wrong: between one place after which nothing is, and one by which something is. */
CREATE FUNCTION segment_internal.rule_find_wrong(portfolio text, rules segment_internal.class_rule[]) RETURNS segment_internal.class_rule
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $rule_find_wrong$
DECLARE
	texts text[] := ARRAY(SELECT r.rule FROM unnest(rules) WITH ORDINALITY AS r(scheme, class, what, rule, place) ORDER BY r.place);
	good integer := 0;
	bad integer := cardinality(rules);
	middle integer;
BEGIN
	WHILE bad - good > 1 LOOP
		middle := (good + bad) / 2;
		IF (segment_internal.rule_try(portfolio, texts[good + 1 : middle])).state IS NULL THEN
			good := middle;
		ELSE
			bad := middle;
		END IF;
	END LOOP;
	RETURN rules[bad];
END
$rule_find_wrong$;
COMMENT ON FUNCTION segment_internal.rule_find_wrong(text, segment_internal.class_rule[]) IS
'the first of several rules that is wrong, if one is (internal)';

/*
 * Checks all rules and parents of a portfolio's classes, whoever wrote them, and
 * notes what the rules name.
 * So many at a time as a table has columns for.
 */
CREATE FUNCTION segment_internal.rule_check(portfolio text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $rule_check$
DECLARE
	batch segment_internal.class_rule[];
	found_out record;
	wrong segment_internal.class_rule;
BEGIN
	PERFORM segment_internal.scheme_check_parents(portfolio);
	PERFORM segment_internal.rule_create_table(portfolio);
	EXECUTE format('UPDATE %I.scheme_class AS c SET mentions = NULL WHERE c.rule IS NULL AND c.mentions IS NOT NULL', portfolio);
	FOR batch IN EXECUTE format($query$
		SELECT array_agg(ROW(g.scheme, g.class, g.what, g.rule)::segment_internal.class_rule ORDER BY g.place, g.nth)
		FROM (
			SELECT c.scheme, c.class, r.what, r.rule, r.nth, dense_rank() OVER (ORDER BY s.ordinal, c.class_rank) AS place
			FROM %1$I.scheme AS s
			JOIN %1$I.scheme_class AS c ON c.scheme = s.scheme
			CROSS JOIN LATERAL (VALUES (1, 'rule', c.rule), (2, 'stay rule', c.stay_rule)) AS r(nth, what, rule)
			WHERE r.rule IS NOT NULL
		) AS g
		GROUP BY (g.place - 1) / 250
		ORDER BY min(g.place)$query$, portfolio) LOOP
		found_out := segment_internal.rule_try(portfolio, ARRAY(
			SELECT r.rule FROM unnest(batch) WITH ORDINALITY AS r(scheme, class, what, rule, place) ORDER BY r.place));
		IF found_out.state IS NOT NULL THEN
			wrong := segment_internal.rule_find_wrong(portfolio, batch);
			PERFORM segment_internal.rule_fail(portfolio, wrong);
			-- it passes, but not with the others
			RAISE EXCEPTION USING ERRCODE = found_out.state,
				MESSAGE = format('rules of scheme "%s": %s', wrong.scheme, found_out.message);
		END IF;
		EXECUTE format($template$
			UPDATE %I.scheme_class AS c SET mentions = n.mentions, stay_mentions = n.stay_mentions
			FROM (
				SELECT g.scheme, g.class, coalesce(max(g.names) FILTER (WHERE g.what = 'rule'), '{}') AS mentions,
					max(g.names) FILTER (WHERE g.what = 'stay rule') AS stay_mentions
				FROM (
					SELECT r.scheme, r.class, r.what,
						ARRAY(SELECT e.name FROM jsonb_array_elements_text($2 -> r.place::text) AS e(name) ORDER BY e.name) AS names
					FROM unnest($1) WITH ORDINALITY AS r(scheme, class, what, rule, place)
				) AS g
				GROUP BY g.scheme, g.class
			) AS n
			WHERE n.scheme = c.scheme AND n.class = c.class
				AND (c.mentions, c.stay_mentions) IS DISTINCT FROM (n.mentions, n.stay_mentions)$template$, portfolio)
		USING batch, found_out.mentions;
	END LOOP;
	EXECUTE format('DROP TABLE %I.rule_check', portfolio);
END
$rule_check$;
COMMENT ON FUNCTION segment_internal.rule_check(text) IS
'checks the classes of all schemes and stores what their rules name in the table scheme_class; the error, of the first rule that is wrong, is as of rule_fail, of a parent as of scheme_check_parents (internal)';
