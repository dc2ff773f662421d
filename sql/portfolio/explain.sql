/*
 * explain: why a customer is in a class, and what would change it
 */

/*
 * The customer's row, with what rules see besides, if there were n more orders
 * of the usual amount on the day everything is seen from, and if d days went by
 * without any: the one definition, over the history to which the orders are
 * added, by the scorecard in force.  Nothing is stored.
 *
 * Parameters: $1 key as text, $2 amount and $3 contribution of an order, $4
 * number of the scorecard.
 */
CREATE FUNCTION segment_internal.explain_query(portfolio text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN (SELECT format($template$
		SELECT h.orders, h.days, to_jsonb(s.*) || to_jsonb(c.*)
		FROM %1$I.scorecards(ARRAY[$4]) AS s
		CROSS JOIN (
			SELECT g.orders, 0 AS days FROM generate_series(0, 12) AS g(orders)
			UNION ALL
			SELECT 0, g.days FROM generate_series(1, 366) AS g(days)
		) AS w
		CROSS JOIN LATERAL (
			SELECT o.customer_id, o.costs, o.complaints, o.satisfaction, o.listed, o.attributes, w.orders, w.days,
				-- not what is dated later: of that, nobody knows anything yet
				coalesce(segment.as_of(o.purchases, s.scorecard_as_of) OPERATOR(segment.+) more.purchases,
					more.purchases, segment.as_of(o.purchases, s.scorecard_as_of)) AS purchases,
				-- no margins: they are a share of the net amount
				CASE WHEN (s.terms).margin_rate IS NULL
					THEN coalesce(segment.as_of(o.margins, s.scorecard_as_of) OPERATOR(segment.+) more.margins,
						more.margins, segment.as_of(o.margins, s.scorecard_as_of))
					ELSE segment.as_of(o.margins, s.scorecard_as_of) END AS margins
			FROM %1$I.customer_history AS o
			CROSS JOIN LATERAL (
				SELECT segment.history_agg(a.day, $2) AS purchases, segment.history_agg(a.day, $3) AS margins
				FROM (SELECT s.scorecard_as_of AS day FROM generate_series(1, w.orders)) AS a
			) AS more
			WHERE o.customer_id %2$s $1::%3$s
			OFFSET 0
		) AS h
		CROSS JOIN LATERAL segment_internal.customer_figures(h.purchases, h.margins, h.costs, h.complaints,
			h.satisfaction, h.listed, s.scorecard_as_of + h.days, s.terms) AS f%4$s%6$s%8$s
		CROSS JOIN LATERAL %1$I.customer_row(h.customer_id, f.*, s.*, %5$s, %7$s, %9$s) AS c$template$,
		portfolio, key.equality, key.key_cast, held.item, held.columns, attributes.item, attributes.value,
		events.item, events.value)
	FROM segment_internal.portfolio_key(portfolio) AS key
	CROSS JOIN segment_internal.attribute_item(portfolio, false) AS attributes
	CROSS JOIN segment_internal.event_item(portfolio, 's.scorecard_as_of + h.days', false) AS events
	CROSS JOIN segment_internal.scheme_held_item(portfolio, 's.scorecard_as_of + h.days') AS held);
COMMENT ON FUNCTION segment_internal.explain_query(text) IS
'the query behind explain (internal)';

/*
 * An order as the customer usually makes it; for those without any, as all
 * customers make it on average.
 */
CREATE FUNCTION segment_internal.explain_usual_order(
	portfolio text, customer text, OUT amount numeric, OUT contribution numeric
)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $explain_usual_order$
DECLARE
	own_figures text := $figures$
		SELECT round(sum(f.gross) / nullif(sum(f.orders), 0), 2),
			round(coalesce(sum(f.margin) / nullif(sum(f.gross), 0), 0) * sum(f.gross) / nullif(sum(f.orders), 0), 2)
		FROM (
			SELECT segment.gross(segment.as_of(h.purchases, n.as_of)) AS gross,
				segment.orders(segment.as_of(h.purchases, n.as_of)) AS orders,
				coalesce(segment.net(segment.as_of(h.margins, n.as_of)), 0) AS margin
			FROM %1$I.customer_history AS h
			CROSS JOIN %1$I.scorecard AS n
			JOIN %1$I.portfolio AS p ON p.scorecard_id = n.scorecard_id
			WHERE %2$s
		) AS f$figures$;
	key record := segment_internal.portfolio_key(portfolio);
BEGIN
	EXECUTE format(own_figures, portfolio, format('h.customer_id %s $1::%s', key.equality, key.key_cast))
	INTO amount, contribution USING customer;
	IF amount IS NULL THEN
		EXECUTE format(own_figures, portfolio, 'true') INTO amount, contribution;
	END IF;
	-- nobody has bought anything
	amount := coalesce(amount, 1);
	contribution := coalesce(contribution, 0);
END
$explain_usual_order$;
COMMENT ON FUNCTION segment_internal.explain_usual_order(text, text) IS
'mean amount and contribution of a customer''s orders in units of money; those of all customers for one without orders (internal)';

CREATE TYPE segment_internal.class_explanation AS (
	scheme text, class text, label text, rule text, figures text, better_class text, change text,
	worse_class text, worse_after_days integer, kept_from date
);
COMMENT ON TYPE segment_internal.class_explanation IS
'a row of explain (internal)';

/* All of explain, as the portfolio's owner: see portfolio_run. */
CREATE FUNCTION segment_internal.explain_classes(name text, arguments jsonb)
RETURNS SETOF segment_internal.class_explanation
LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 12
SET search_path = pg_catalog, pg_temp
AS $explain_classes$
DECLARE
	customer text := arguments ->> 'customer';
	usual_order record;
	supposed jsonb;
BEGIN
	usual_order := segment_internal.explain_usual_order(name, customer);
	EXECUTE format('SELECT jsonb_agg(jsonb_build_object(''orders'', q.orders, ''days'', q.days, ''row'', q.row)
		ORDER BY q.orders, q.days) FROM (%s) AS q(orders, days, row)', segment_internal.explain_query(name))
	INTO supposed USING customer, usual_order.amount, usual_order.contribution,
		(segment_internal.scorecard_in_force(name)).scorecard_id;
	IF supposed IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'no_data_found',
			MESSAGE = format('customer "%s" is not in portfolio "%s"', coalesce(customer, 'NULL'), name);
	END IF;
	RETURN QUERY EXECUTE format($query$
		WITH supposed AS MATERIALIZED (
			SELECT (e.value ->> 'orders')::integer AS orders, (e.value ->> 'days')::integer AS days, e.value -> 'row' AS row
			FROM jsonb_array_elements($1) AS e(value)
		), now AS MATERIALIZED (
			SELECT s.row FROM supposed AS s WHERE s.orders = 0 AND s.days = 0
		)
		SELECT s.scheme, c.class, c.label,
			CASE WHEN h.kept_from IS NOT NULL THEN c.stay_rule ELSE coalesce(c.rule, '(no other rule is true)') END,
			(SELECT string_agg(format('%%s = %%s', f.key, coalesce(CASE WHEN f.value ~ '^-?[0-9]+\.[0-9]{5,}$'
					THEN round(f.value::numeric, 4)::text ELSE f.value END, 'NULL')), ', ' ORDER BY f.key)
				FROM jsonb_each_text(now.row) AS f
				-- of who is in the default class, all that the other rules name
				WHERE CASE WHEN h.kept_from IS NOT NULL THEN f.key = ANY (c.stay_mentions)
					WHEN c.rule IS NOT NULL THEN f.key = ANY (c.mentions)
					ELSE EXISTS (SELECT FROM %1$I.scheme_class AS a WHERE a.scheme = s.scheme AND f.key = ANY (a.mentions)) END),
			b.class,
			CASE WHEN b.orders IS NOT NULL THEN format('%%s more %%s of %%s on %%s', b.orders,
				CASE b.orders WHEN 1 THEN 'order' ELSE 'orders' END, $2, now.row ->> 'as_of') END,
			w.class, w.days, h.kept_from
		FROM %1$I.scheme AS s
		CROSS JOIN now
		JOIN %1$I.scheme_class AS c ON c.scheme = s.scheme AND c.class = now.row ->> s.scheme
		CROSS JOIN LATERAL (SELECT (now.row -> 'kept_from' ->> s.scheme)::date AS kept_from) AS h
		LEFT JOIN LATERAL (
			SELECT k.class, u.orders
			FROM supposed AS u
			JOIN %1$I.scheme_class AS k ON k.scheme = s.scheme AND k.class = u.row ->> s.scheme
			WHERE u.days = 0 AND k.class_rank < c.class_rank
			ORDER BY u.orders LIMIT 1
		) AS b ON true
		LEFT JOIN LATERAL (
			SELECT k.class, u.days
			FROM supposed AS u
			JOIN %1$I.scheme_class AS k ON k.scheme = s.scheme AND k.class = u.row ->> s.scheme
			WHERE u.orders = 0 AND k.class_rank > c.class_rank
			ORDER BY u.days LIMIT 1
		) AS w ON true
		ORDER BY s.ordinal$query$, name) USING supposed, usual_order.amount;
END
$explain_classes$;
COMMENT ON FUNCTION segment_internal.explain_classes(text, jsonb) IS
'explains the classes of a customer, with the current user''s rights; errors as for explain (internal)';

CREATE FUNCTION segment.explain(name text, customer text)
RETURNS TABLE (scheme text, class text, label text, rule text, figures text, better_class text, change text,
	worse_class text, worse_after_days integer, kept_from date)
LANGUAGE sql STABLE PARALLEL RESTRICTED ROWS 11
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
SELECT * FROM segment_internal.portfolio_run(name, 'explain', jsonb_build_object('customer', customer),
	NULL::segment_internal.class_explanation);
END;
COMMENT ON FUNCTION segment.explain(text, text) IS
'says for each scheme of a portfolio which class a customer (the key as text) is in, the rule that decided, and the figures in it (measures, settings, cut points). better_class and change: the cheapest change to a better class, that is the fewest orders of the customer''s usual amount (for one who never bought, of everybody''s) on the day everything is seen from, up to 12; NULL where that changes nothing. worse_class and worse_after_days: the class that the customer falls to without another order, and after how many days, up to 366; NULL if it lasts longer. kept_from: the day of the last snapshot, in which the customer was in the class, where nothing but the stay rule of the class keeps the customer in it, which is then the rule shown; else NULL. Better is a class of a lower rank. Judged by the newest scorecard. Errors: P0002 no such customer, 42704, 42501, 22P02 the key does not fit';

CREATE FUNCTION segment.explain(name text, customer anynonarray)
RETURNS TABLE (scheme text, class text, label text, rule text, figures text, better_class text, change text,
	worse_class text, worse_after_days integer, kept_from date)
LANGUAGE sql STABLE PARALLEL RESTRICTED ROWS 11
SET search_path = pg_catalog, pg_temp
AS $$ SELECT * FROM segment.explain(name, segment_internal.key_text(customer)) $$;
COMMENT ON FUNCTION segment.explain(text, anynonarray) IS
'the same, for a key of another type than text';
