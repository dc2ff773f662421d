/*
 * trait: people who are not customers yet, by the traits that customers should have
 */

CREATE FUNCTION segment_internal.trait_create_tables(portfolio text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $trait_create_tables$
BEGIN
	EXECUTE format($template$
		CREATE TABLE %1$I.target_trait (
			trait text PRIMARY KEY,
			ordinal integer NOT NULL UNIQUE,
			rule text NOT NULL,
			label text NOT NULL,
			label_zh text
		)$template$, portfolio);
END
$trait_create_tables$;
COMMENT ON FUNCTION segment_internal.trait_create_tables(text) IS
'creates the table of the concept trait (internal)';

/*
 * By the class that people were in when a snapshot was taken, since nobody is in
 * one of these classes any more who has become a customer.
 */
CREATE FUNCTION segment_internal.trait_create_views(portfolio text, security_invoker boolean) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $trait_create_views$
BEGIN
	EXECUTE format($template$
		CREATE OR REPLACE VIEW %1$I.conversion WITH (security_invoker = %2$s) AS
		SELECT t.as_of, t.class, t.month, t.prospects, t.converted, sum(t.converted) OVER w::bigint AS converted_so_far,
			(sum(t.converted) OVER w / t.prospects)::float8 AS conversion_rate, t.mean_days
		FROM (
			SELECT p.as_of, p.class, date_trunc('month', p.first_day::timestamp)::date AS month, p.prospects, count(*) AS converted,
				avg(p.first_day - p.as_of)::float8 AS mean_days
			FROM (
				SELECT s.as_of, s.classes ->> 'non_customer' AS class, c.first_day,
					count(*) OVER (PARTITION BY s.as_of, s.classes ->> 'non_customer') AS prospects
				FROM %1$I.snapshot_customer AS s
				LEFT JOIN %1$I.customer AS c ON c.customer_id %3$s s.customer_id AND c.first_day > s.as_of
				WHERE s.classes ->> 'non_customer' <> 'customer'
			) AS p
			WHERE p.first_day IS NOT NULL
			GROUP BY p.as_of, p.class, date_trunc('month', p.first_day::timestamp), p.prospects
		) AS t
		WINDOW w AS (PARTITION BY t.as_of, t.class ORDER BY t.month)$template$, portfolio, security_invoker,
		(segment_internal.portfolio_key(portfolio)).equality);
END
$trait_create_views$;
COMMENT ON FUNCTION segment_internal.trait_create_views(text, boolean) IS
'creates or replaces the view of the concept trait (internal)';

CREATE FUNCTION segment_internal.trait_comments() RETURNS TABLE (relation text, col text, meaning text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 15
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
SELECT v.* FROM (VALUES
	('target_trait', NULL, 'the traits of those whom one wants as customers, from which the rules of the scheme non_customer are made (segment.define_traits)'),
	('target_trait', 'trait', 'code of the trait'),
	('target_trait', 'ordinal', 'order in which they were given'),
	('target_trait', 'rule', 'condition over attributes; NULL: not known of somebody'),
	('target_trait', 'label', 'name in English'),
	('target_trait', 'label_zh', 'name in Chinese'),
	('conversion', NULL, 'one row per snapshot, class of the scheme non_customer in it, and month in which some of the class bought for the first time since; none without that scheme in a snapshot'),
	('conversion', 'as_of', 'day of the snapshot'),
	('conversion', 'class', 'near, refusing or unexplored on that day'),
	('conversion', 'month', 'first day of the month of the first order; never NULL'),
	('conversion', 'prospects', 'number of people in the class on that day, >= 1'),
	('conversion', 'converted', 'number of them whose first order was in the month, >= 1; more is better'),
	('conversion', 'converted_so_far', 'number of them whose first order was in this or an earlier month, >= 1; more is better'),
	('conversion', 'conversion_rate', 'converted_so_far divided by prospects, 0..1; higher is better'),
	('conversion', 'mean_days', 'mean of the days from the snapshot to the first order of those of the month, >= 1; fewer is better')
) AS v(relation, col, meaning);
END;
COMMENT ON FUNCTION segment_internal.trait_comments() IS
'the comments on the table and the view of the concept trait (internal)';

/*
 * The classes of the scheme non_customer.  A rule is true, false or unknown, and so
 * is that of all traits together: false as soon as one is missed, whatever the
 * others are, unknown where none is missed and one is not known.
 */
CREATE FUNCTION segment_internal.trait_classes(portfolio text) RETURNS jsonb
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $trait_classes$
DECLARE
	all_traits text;
	is_prospect text := 'orders = 0 AND refunded = 0';
BEGIN
	EXECUTE format($query$SELECT string_agg(format(E'(%%s\n)', t.rule), ' AND ' ORDER BY t.ordinal) FROM %I.target_trait AS t$query$, portfolio) INTO all_traits;
	RETURN (SELECT jsonb_agg(jsonb_strip_nulls(jsonb_build_object('class', c.class, 'rule', c.rule, 'label', c.label,
			'label_zh', segment_internal.unescape(c.label_zh, c.label), 'priority', c.priority, 'service_level', 'basic',
			'action', c.action, 'action_zh', segment_internal.unescape(c.action_zh, c.action))) ORDER BY c.nth)
		FROM (VALUES
			(1, 'near', is_prospect || ' AND ' || all_traits, 'near', '准非客户', 1, 'Make an offer for the first order.', '提供首次购买优惠。'),
			(2, 'refusing', format('%s AND NOT (%s)', is_prospect, all_traits), 'refusing', '拒绝型非客户', 4, 'Do not court them; look again when a trait changes.', '暂不争取，特征变化后再评估。'),
			(3, 'unexplored', is_prospect, 'unexplored', '从未探知的客户', 3, 'Find out what is not known of them.', '了解其未知特征。'),
			(4, 'customer', NULL, 'customers', '客户', 3, 'See the other schemes.', '参见其他分类。')
		) AS c(nth, class, rule, label, label_zh, priority, action, action_zh));
END
$trait_classes$;
COMMENT ON FUNCTION segment_internal.trait_classes(text) IS
'the classes of the scheme non_customer, as create_scheme takes them, from the rows of table target_trait, of which there must be one (internal)';

/* All of define_traits, as the portfolio's owner: see portfolio_run. */
CREATE FUNCTION segment_internal.trait_change(name text, arguments jsonb) RETURNS segment.refresh_report
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $trait_change$
DECLARE
	traits jsonb := arguments -> 'traits';
	known boolean;
BEGIN
	IF jsonb_typeof(traits) IS DISTINCT FROM 'array' OR jsonb_array_length(traits) = 0
		OR EXISTS (SELECT FROM jsonb_array_elements(traits) AS t
			WHERE jsonb_typeof(t.value) <> 'object' OR coalesce(t.value ->> 'trait', '') = '' OR coalesce(t.value ->> 'rule', '') = '') THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('traits must be a JSON array of objects, each with trait and rule, not %s', left(coalesce(traits::text, 'NULL'), 100)),
			HINT = 'For instance [{"trait": "size", "rule": "staff > 50", "label": "more than 50 people"}].';
	END IF;
	EXECUTE format('SELECT FROM %I.portfolio AS p FOR UPDATE', name);
	EXECUTE format('DELETE FROM %I.target_trait', name);
	EXECUTE format('INSERT INTO %I.target_trait (trait, ordinal, rule, label, label_zh)
		SELECT t.value ->> ''trait'', t.nth, t.value ->> ''rule'', coalesce(t.value ->> ''label'', t.value ->> ''trait''), t.value ->> ''label_zh''
		FROM jsonb_array_elements($1) WITH ORDINALITY AS t(value, nth)', name) USING traits;
	EXECUTE format('SELECT EXISTS (SELECT FROM %I.scheme AS s WHERE s.scheme = ''non_customer'')', name) INTO known;
	RETURN segment_internal.scheme_change(name, jsonb_build_object('command', CASE WHEN known THEN 'alter' ELSE 'create' END,
		'scheme', 'non_customer', 'classes', segment_internal.trait_classes(name), 'cuts', '{}'::jsonb, 'label', 'not customers yet',
		'label_zh', segment_internal.unescape('非客户', 'not customers yet'), 'meaning', 'near (all target traits), refusing (one is missed), unexplored (one is not known)'));
END
$trait_change$;
COMMENT ON FUNCTION segment_internal.trait_change(text, jsonb) IS
'defines target traits and the scheme non_customer, with the current user''s rights (internal)';

CREATE FUNCTION segment.define_traits(name text, traits jsonb) RETURNS segment.refresh_report
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
RETURN segment_internal.portfolio_run(name, 'trait', jsonb_build_object('traits', traits), NULL::segment.refresh_report);
COMMENT ON FUNCTION segment.define_traits(text, jsonb) IS
'says which traits those have whom one wants as customers, and makes the scheme non_customer of it, or brings it to them: people without an order are near (all traits are true), refusing (one is false) or unexplored (one is not known, none is false); customers are customer. traits: JSON array of objects with trait (a code), rule (a condition over attributes and other columns of the view customer), label and label_zh; they take the place of earlier ones, in the table target_trait. Errors: 22023 malformed, 23505 a trait named twice, those of rules as for create_scheme, 42704 no such portfolio, 42501 not the owner; an error leaves everything as it was';
