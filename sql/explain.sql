/*
 * explain: why a customer is in a class, and what would change it
 */

/*
 * The classes that a customer would have after n more orders of the usual
 * amount on the day everything is seen from: the view's query over histories
 * to which the orders are added.  Nothing is stored.
 */
CREATE FUNCTION segment.explain_query(portfolio text, schemes text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN format($template$
	WITH supposed_history AS (
		SELECT n.n AS customer_id,
			CASE WHEN n.n = 0 THEN c.purchases ELSE coalesce(c.purchases OPERATOR(segment.+) o.more, c.purchases, o.more) END AS purchases,
			CASE WHEN n.n = 0 OR c.margins IS NULL THEN c.margins ELSE c.margins OPERATOR(segment.+) o.more_margin END AS margins,
			c.costs, c.complaints, c.satisfaction, c.listed, c.attributes
		FROM %1$I.customer AS now
		JOIN %1$I.customer_history AS c ON c.customer_id = now.customer_id
		CROSS JOIN generate_series(0, 12) AS n(n)
		CROSS JOIN LATERAL (SELECT coalesce(round(now.average_order, 2), $2) AS usual) AS u
		CROSS JOIN LATERAL (
			SELECT CASE WHEN n.n > 0 THEN format('{%%s: %%s/%%s}', to_char(now.as_of, 'YYYY-MM-DD'),
					u.usual * n.n, n.n)::segment.history END AS more,
				CASE WHEN n.n > 0 THEN format('{%%s: %%s/%%s}', to_char(now.as_of, 'YYYY-MM-DD'),
					round(greatest(u.usual * coalesce(now.margin / nullif(now.net, 0), 0), 0), 2) * n.n,
					n.n)::segment.history END AS more_margin
		) AS o
		WHERE now.customer_id = $1
	)
	SELECT to_jsonb(k) FROM (%2$s) AS k$template$, portfolio,
	replace(segment.portfolio_customer_query(portfolio, 's.scorecard_as_of',
			format('(SELECT max(x.scorecard_id) FROM %I.scorecard AS x)', portfolio), schemes || ', k.*'),
		format('%I.customer_history', portfolio), 'supposed_history'));
COMMENT ON FUNCTION segment.explain_query(text, text) IS
'the query behind explain (internal)';

CREATE FUNCTION segment.explain(name text, customer text)
RETURNS TABLE (scheme text, class text, label text, rule text, figures text, better_class text, change text)
LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 10
SET search_path = pg_catalog, pg_temp
AS $explain$
DECLARE
	key_type text;
	typical numeric;
	supposed jsonb[];
BEGIN
	PERFORM segment.portfolio_owner(name);
	SELECT format_type(a.atttypid, a.atttypmod) INTO key_type FROM pg_attribute AS a
	WHERE a.attrelid = format('%I.customer_history', name)::regclass AND a.attname = 'customer_id';
	-- what a first order may be like, for those without one
	EXECUTE format('SELECT coalesce(round((n.cuts ->> %L)::numeric / nullif((n.cuts ->> %L)::numeric, 0), 2), 1)
		FROM %I.scorecard AS n ORDER BY n.scorecard_id DESC LIMIT 1', 'rfm8_monetary', 'rfm8_frequency', name) INTO typical;
	EXECUTE format('SELECT array_agg(q.k ORDER BY (q.k ->> %L)::integer) FROM (%s) AS q(k)', 'customer_id',
		replace(segment.explain_query(name, (segment.scheme_columns(name)).columns), '$1', format('%L::%s', customer, key_type)))
	INTO supposed USING NULL::text, coalesce(typical, 1);
	IF supposed IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'no_data_found',
			MESSAGE = format('customer "%s" is not in portfolio "%s"', customer, name);
	END IF;
	RETURN QUERY EXECUTE format($query$
		SELECT s.scheme, c.class, c.label, coalesce(c.rule, '(no other rule is true)'),
			(SELECT string_agg(format('%%s = %%s', f.key, coalesce(CASE WHEN f.value ~ '^-?[0-9]+\.[0-9]{5,}$'
					THEN round(f.value::numeric, 4)::text ELSE f.value END, 'NULL')), ', ' ORDER BY f.key)
				FROM jsonb_each_text($1[1]) AS f
				WHERE coalesce(c.rule, (SELECT string_agg(a.rule, ' ') FROM %1$I.scheme_class AS a WHERE a.scheme = s.scheme))
					~ ('\m' || f.key || '\M')),
			b.class,
			CASE WHEN b.n IS NOT NULL THEN format('%%s more %%s of %%s today', b.n,
				CASE b.n WHEN 1 THEN 'order' ELSE 'orders' END,
				coalesce(round(($1[1] ->> 'average_order')::numeric, 2), $2)) END
		FROM %1$I.scheme AS s
		JOIN %1$I.scheme_class AS c ON c.scheme = s.scheme AND c.class = $1[1] ->> s.scheme
		LEFT JOIN LATERAL (
			SELECT k.class, u.n - 1 AS n
			FROM unnest($1) WITH ORDINALITY AS u(row, n)
			JOIN %1$I.scheme_class AS k ON k.scheme = s.scheme AND k.class = u.row ->> s.scheme
			WHERE k.class_rank < c.class_rank
			ORDER BY u.n LIMIT 1
		) AS b ON true
		ORDER BY s.ordinal$query$, name) USING supposed, coalesce(typical, 1);
END
$explain$;
COMMENT ON FUNCTION segment.explain(text, text) IS
'says for each scheme of a portfolio which class a customer (the key as text) is in, the rule that decided, the figures in it (measures, settings, cut points), and the cheapest change to a better class: the fewest orders of the customer''s usual amount, today, up to 12; NULL where that changes nothing. Better is a class of a lower rank. Errors: P0002 no such customer, 42704, 42501, 22P02 the key does not fit';
