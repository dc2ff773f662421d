/*
 * experiment: what an action brought, against those who were held out of it
 */

CREATE TYPE segment_internal.experiment_reading AS (
	measure text, treated bigint, held_out bigint, treated_mean float8, held_out_mean float8, difference float8, low float8, high float8, p_value float8,
	adjusted_difference float8, adjusted_low float8, adjusted_high float8, adjusted_p_value float8, variance_reduction float8, sample_ratio_p_value float8
);
COMMENT ON TYPE segment_internal.experiment_reading IS
'a row of experiment_readout (internal)';

/* Who takes part: a condition on the classes of customers c. */
CREATE FUNCTION segment_internal.experiment_condition(portfolio text, classes jsonb) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $experiment_condition$
DECLARE
	wrong text;
BEGIN
	IF classes IS NULL OR classes = 'null' THEN
		RETURN 'true';
	ELSIF jsonb_typeof(classes) <> 'object' OR EXISTS (
		SELECT FROM jsonb_each(CASE jsonb_typeof(classes) WHEN 'object' THEN classes END) AS e
		WHERE jsonb_typeof(e.value) NOT IN ('string', 'array') OR jsonb_path_exists(e.value, '$[*] ? (@.type() != "string")')) THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('classes must be a JSON object of classes by their scheme, not %s', left(classes::text, 200)),
			HINT = 'For instance {"dormancy": ["drowsy", "half_asleep"]}.';
	END IF;
	EXECUTE format($query$
		SELECT min(format('class "%%s" in scheme "%%s"', k.class, e.key))
		FROM jsonb_each($1) AS e
		CROSS JOIN LATERAL jsonb_path_query(e.value, '$[*]') AS v(class)
		CROSS JOIN LATERAL (SELECT v.class #>> '{}' AS class) AS k
		WHERE NOT EXISTS (SELECT FROM %I.scheme_class AS c WHERE c.scheme = e.key AND c.class = k.class)$query$, portfolio)
	INTO wrong USING classes;
	IF wrong IS NOT NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('portfolio "%s" has no %s', portfolio, wrong);
	END IF;
	RETURN (SELECT coalesce(string_agg(format('c.%I = ANY (%L::text[])', e.key,
		ARRAY(SELECT v.class #>> '{}' FROM jsonb_path_query(e.value, '$[*]') AS v(class))), ' AND '), 'true') FROM jsonb_each(classes) AS e);
END
$experiment_condition$;
COMMENT ON FUNCTION segment_internal.experiment_condition(text, jsonb) IS
'the condition on customers c that they are in one of the classes given of each scheme; error 22023 for another form, or a class that is not there (internal)';

/* All of experiment_readout, as the portfolio's owner: see portfolio_run. */
CREATE FUNCTION segment_internal.experiment_readings(name text, arguments jsonb) RETURNS SETOF segment_internal.experiment_reading
LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 4
SET search_path = pg_catalog, pg_temp SET jit = off
AS $experiment_readings$
DECLARE
	salt text := arguments ->> 'salt';
	share float8 := arguments ->> 'share';
	starts date := arguments ->> 'starts';
	ends date;
	before_days integer := arguments ->> 'before_days';
	level float8 := arguments ->> 'level';
	last_day date;
	margin_rate numeric;
BEGIN
	EXECUTE format('SELECT s.as_of, s.margin FROM %1$I.scorecard AS s JOIN %1$I.portfolio AS p ON p.scorecard_id = s.scorecard_id', name)
	INTO last_day, margin_rate;
	ends := coalesce((arguments ->> 'ends')::date, last_day);
	IF salt IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'argument "salt" must not be null';
	ELSIF starts IS NULL OR NOT isfinite(starts) OR NOT isfinite(ends) THEN
		RAISE EXCEPTION USING ERRCODE = 'datetime_field_overflow',
			MESSAGE = format('arguments "starts" and "ends" must be finite dates, not "%s" and "%s"', coalesce(starts::text, 'NULL'), ends);
	ELSIF ends < starts OR ends > last_day THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('the experiment must end from its start, %s, to the day that the portfolio is seen from, %s, not on %s', starts, last_day, ends);
	ELSIF coalesce(before_days NOT BETWEEN 1 AND 36525, true) THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('argument "before_days" must be from 1 to 36525, not %s', coalesce(before_days::text, 'NULL'));
	-- NaN is greater than any number
	ELSIF coalesce(share <= 0 OR share >= 1 OR level <= 0 OR level >= 1, true) THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('arguments "share" and "level" must be above 0 and below 1, not %s and %s', coalesce(share::text, 'NULL'), coalesce(level::text, 'NULL'));
	END IF;
	RETURN QUERY EXECUTE format($query$
		SELECT g.measure, (g.r).treated, (g.r).held_out, (g.r).treated_mean, (g.r).held_out_mean,
			CASE WHEN g.nth = 1 THEN t.difference ELSE (g.r).difference END,
			CASE WHEN g.nth = 1 THEN t.low ELSE (g.r).low END, CASE WHEN g.nth = 1 THEN t.high ELSE (g.r).high END,
			CASE WHEN g.nth = 1 THEN t.p_value ELSE (g.r).p_value END,
			(g.r).adjusted_difference, (g.r).adjusted_low, (g.r).adjusted_high, (g.r).adjusted_p_value, (g.r).variance_reduction, (g.r).sample_ratio_p_value
		FROM (
			SELECT v.nth, v.measure, segment.experiment_agg(NOT u.is_held_out, v.outcome, v.before, $2, $3) AS r,
				coalesce(sum(v.outcome) FILTER (WHERE NOT u.is_held_out), 0) AS treated, coalesce(sum(v.outcome) FILTER (WHERE u.is_held_out), 0) AS held_out
			FROM (
				SELECT segment.holdout(c.customer_id, $1, $2) AS is_held_out,
					coalesce(segment.orders(p.purchases), 0) AS orders, coalesce(segment.orders(p.purchases_before), 0) AS orders_before,
					coalesce(segment.net(p.purchases), 0) AS net, coalesce(segment.net(p.purchases_before), 0) AS net_before,
					coalesce(segment.net(p.margins), 0) AS margin, coalesce(segment.net(p.margins_before), 0) AS margin_before,
					coalesce(segment.net(p.costs), 0) AS cost, coalesce(segment.net(p.costs_before), 0) AS cost_before
				FROM %1$I.customer_at($4 - 1) AS c
				JOIN %1$I.customer_history AS h ON h.customer_id %2$s c.customer_id
				CROSS JOIN LATERAL (
					SELECT segment.during(h.purchases, $4, $5) AS purchases, segment.during(h.purchases, $4 - $6, $4 - 1) AS purchases_before,
						segment.during(h.margins, $4, $5) AS margins, segment.during(h.margins, $4 - $6, $4 - 1) AS margins_before,
						segment.during(h.costs, $4, $5) AS costs, segment.during(h.costs, $4 - $6, $4 - 1) AS costs_before
					OFFSET 0
				) AS p
				WHERE %3$s
			) AS u
			CROSS JOIN LATERAL (VALUES
				(1, 'bought', least(u.orders, 1)::numeric, least(u.orders_before, 1)::numeric),
				(2, 'orders', u.orders::numeric, u.orders_before::numeric),
				(3, 'net', u.net, u.net_before),
				(4, 'net_value', CASE WHEN $7 IS NULL THEN u.margin ELSE segment_internal.margin(u.net, $7) END - u.cost,
					CASE WHEN $7 IS NULL THEN u.margin_before ELSE segment_internal.margin(u.net_before, $7) END - u.cost_before)
			) AS v(nth, measure, outcome, before)
			GROUP BY v.nth, v.measure
		) AS g
		LEFT JOIN LATERAL segment.proportion_test(CASE WHEN g.nth = 1 THEN g.treated::bigint END, (g.r).treated, g.held_out::bigint, (g.r).held_out, $3) AS t ON true
		ORDER BY g.nth$query$, name, (segment_internal.portfolio_key(name)).equality, segment_internal.experiment_condition(name, arguments -> 'classes'))
	USING salt, share, level, starts, ends, before_days, margin_rate;
END
$experiment_readings$;
COMMENT ON FUNCTION segment_internal.experiment_readings(text, jsonb) IS
'reads an experiment with a portfolio''s customers, with the current user''s rights; errors as for experiment_readout (internal)';

CREATE FUNCTION segment.experiment_readout(
	name text, salt text, share float8, starts date, ends date DEFAULT NULL, classes jsonb DEFAULT NULL,
	before_days integer DEFAULT 365, level float8 DEFAULT 0.95
)
RETURNS TABLE (measure text, treated bigint, held_out bigint, treated_mean float8, held_out_mean float8, difference float8, low float8, high float8, p_value float8,
	adjusted_difference float8, adjusted_low float8, adjusted_high float8, adjusted_p_value float8, variance_reduction float8, sample_ratio_p_value float8)
LANGUAGE sql STABLE PARALLEL RESTRICTED ROWS 4
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
SELECT * FROM segment_internal.portfolio_run(name, 'experiment', jsonb_build_object('salt', salt, 'share', share, 'starts', starts, 'ends', ends,
	'classes', classes, 'before_days', before_days, 'level', level), NULL::segment_internal.experiment_reading);
END;
COMMENT ON FUNCTION segment.experiment_readout(text, text, float8, date, date, jsonb, integer, float8) IS
'what an action brought: customers of a portfolio who were known the day before it started, and then in one of the classes given (JSON object, scheme: class or array of classes; NULL: all), those whom holdout(key, salt, share) holds out against all others. A row per measure, per customer from starts to ends (default: the day that the portfolio is seen from): bought (share with an order), orders, net, net_value (margin less costs), the last two in units of money. difference: treated - held out, with its interval of the level, and the two-sided p-value (Welch''s t-test; bought: the chi-squared test). adjusted_: the same, less what the measure in the before_days before the start foretells (CUPED; Deng, Xu, Kohavi and Walker 2013), which reduces the variance by the share variance_reduction, if the two are correlated: decide by this row, as it is surer. sample_ratio_p_value: below 0.001 the numbers of customers do not fit the share, and nothing should be read from them. Errors: 22004 salt, 22008 infinite days, 22023 share, level, before_days, days or classes, 42704 no such portfolio, 42501 neither owner nor reader';
