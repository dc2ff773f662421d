/*
 * value_score: one number for several measures of value, weighted by the user
 */

CREATE TYPE segment_internal.scored_customer AS (place bigint, customer_id text, value_score float8);
COMMENT ON TYPE segment_internal.scored_customer IS
'a row of value_score (internal)';

/* The weights that are given, each with the expression of its column of a row c as a number. */
CREATE FUNCTION segment_internal.value_score_weights(portfolio text, weights jsonb)
RETURNS TABLE (ordinal bigint, col text, weight numeric, number text)
LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 3
SET search_path = pg_catalog, pg_temp
AS $value_score_weights$
DECLARE
	w record;
BEGIN
	IF jsonb_typeof(weights) IS DISTINCT FROM 'object' OR NOT EXISTS (SELECT FROM jsonb_each(weights))
		OR EXISTS (SELECT FROM jsonb_each(weights) AS e WHERE jsonb_typeof(e.value) <> 'number' OR e.value::numeric = 0 OR abs(e.value::numeric) > 1e6) THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('weights must be a JSON object of numbers other than 0, to 1000000, not %s', left(coalesce(weights::text, 'NULL'), 100)),
			HINT = 'For instance {"net_value": 2, "clv": 1, "cost": -0.5}: a negative weight where less is better.';
	END IF;
	FOR w IN SELECT e.key, e.value::numeric AS weight, row_number() OVER (ORDER BY e.key) AS nth FROM jsonb_each(weights) AS e LOOP
		RETURN QUERY SELECT w.nth, w.key, w.weight, 'c.' || segment_internal.customer_number(portfolio, w.key, 'weighted');
	END LOOP;
END
$value_score_weights$;
COMMENT ON FUNCTION segment_internal.value_score_weights(text, jsonb) IS
'the weights of columns of the view customer; errors as for value_score (internal)';

/* All of value_score, as the portfolio's owner: see portfolio_run. */
CREATE FUNCTION segment_internal.value_scores(name text, arguments jsonb) RETURNS SETOF segment_internal.scored_customer
LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 10000
SET search_path = pg_catalog, pg_temp
AS $value_scores$
DECLARE
	numbers text;
	ranks text;
	total text;
BEGIN
	-- a rank is the mean of those that equal customers share, over the others who are known
	SELECT string_agg(format('%s AS %I', w.number, 'number ' || w.ordinal), ', ' ORDER BY w.ordinal),
		string_agg(format($rank$CASE WHEN v."number %1$s" IS NOT NULL THEN coalesce((rank() OVER (ORDER BY v."number %1$s" %2$s NULLS LAST) - 1
			+ (count(*) OVER (PARTITION BY v."number %1$s") - 1) / 2.0) / nullif(count(v."number %1$s") OVER () - 1, 0), 0.5) ELSE 1 END$rank$,
			w.ordinal, CASE WHEN w.weight < 0 THEN 'ASC' ELSE 'DESC' END) || format(' AS %I', 'rank ' || w.ordinal), ', ' ORDER BY w.ordinal),
		format('100 * (%s) / %s', string_agg(format('%s * (1 - r.%I)', abs(w.weight), 'rank ' || w.ordinal), ' + ' ORDER BY w.ordinal), sum(abs(w.weight)))
	INTO numbers, ranks, total
	FROM segment_internal.value_score_weights(name, arguments -> 'weights') AS w;
	RETURN QUERY EXECUTE format($query$
		SELECT row_number() OVER (ORDER BY s.value_score DESC, s.customer_id), s.customer_id::text, s.value_score::float8
		FROM (
			SELECT r.customer_id, %4$s AS value_score
			FROM (SELECT v.customer_id, %3$s FROM (SELECT c.customer_id, %2$s FROM %1$I.customer AS c) AS v) AS r
		) AS s
		ORDER BY 1$query$, name, numbers, ranks, total);
END
$value_scores$;
COMMENT ON FUNCTION segment_internal.value_scores(text, jsonb) IS
'scores the customers of a portfolio, with the current user''s rights; errors as for value_score (internal)';

CREATE FUNCTION segment.value_score(name text, weights jsonb)
RETURNS TABLE (place bigint, customer_id text, value_score float8)
LANGUAGE sql STABLE PARALLEL RESTRICTED ROWS 10000
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
SELECT * FROM segment_internal.portfolio_run(name, 'value_score', jsonb_build_object('weights', weights),
	NULL::segment_internal.scored_customer);
END;
COMMENT ON FUNCTION segment.value_score(text, jsonb) IS
'one score for several measures of value: for each customer (the key as text) the weighted mean, 0..100, of the places in columns of the view customer, the best place being 100 and the last 0; best first. weights: JSON object, column: weight, other than 0; a negative one where less is better. The place is that among the customers of whom the column is known, the mean one for equal customers, 50 where there is one alone; who is not known counts 0. So units do not matter, nor how far one is ahead. Columns are numbers or booleans, also attributes, such as strategic importance. Errors: 22023 weights, 42703 no such column, 42804 its type, 42704 no such portfolio, 42501 neither owner nor reader';
