/*
 * customer: what the view customer needs of a history and a scorecard
 */

CREATE FUNCTION segment_internal.float8(amount numeric) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_numeric_to_float8';
COMMENT ON FUNCTION segment_internal.float8(numeric) IS
'the amount as a floating point number: the same as the cast of the server, several times faster for usual amounts; errors as for the cast';

/*
 * In this order, since a column is found fast when all before it have a fixed
 * length and are not NULL.  The C code of customer_figures has the same list.
 */
CREATE TYPE segment_internal.customer_figures AS (
	place integer, places integer,
	r_score integer, f_score integer, m_score integer, gap_ratio float8,
	days_since_last integer, tenure_days integer,
	orders bigint, purchase_days bigint, visits bigint, first_day date, last_day date,
	mean_gap_days float8, gap_cv float8, monetary float8, repeat_spend float8, next_event date,
	gross numeric, refunded numeric, net numeric, usage numeric, margin numeric, cost numeric
);
COMMENT ON TYPE segment_internal.customer_figures IS
'scores and measures of a customer as of a day: visits are purchase days whose orders were not all refunded on the same day, usage is gross less what was; monetary is net as a floating point number, repeat_spend what a repeat purchase day brings (contribution where the purchases have margins, else sales), margin and cost what is known of them; NULL as long as nothing has happened. next_event is the first day after it on which the histories say more, NULL: none, so that until then the figures hold. place is the number of the day among the days asked for, counted from 1, places the number of days by which the customer was known';

CREATE FUNCTION segment_internal.customer_figures(
	purchases segment.history, margins segment.history, costs segment.history,
	complaints segment.history, satisfaction segment.history, listed boolean,
	as_of date, recency_cuts float8[], frequency_cuts float8[],
	monetary_cuts float8[], prior_gaps float8, usual_gap_days float8
) RETURNS SETOF segment_internal.customer_figures
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 12 ROWS 1
AS 'MODULE_PATHNAME', 'segment_customer_figures';
COMMENT ON FUNCTION segment_internal.customer_figures(segment.history, segment.history, segment.history, segment.history, segment.history, boolean, date, float8[], float8[], float8[], float8, float8) IS
'the figures of a customer as of a day, with scores by the cut points of recency (in minus days since the last purchase), frequency (orders) and monetary value (net), and the gap ratio: days since the last purchase / usual gap, where usual gap = (prior_gaps x usual_gap_days + days from first to last purchase day) / (prior_gaps + own gaps). One row, or none if the customer was not known by then (listed, or something had happened): a set, so that the planner evaluates it once. Errors: 22008 infinite as_of, those of score';

CREATE FUNCTION segment_internal.customer_figures(
	orders bigint, purchase_days bigint, visits bigint, first_day date, last_day date,
	mean_gap_days float8, gap_cv float8, monetary float8, repeat_spend float8, next_event date,
	gross numeric, refunded numeric, net numeric, usage numeric, margin numeric, cost numeric,
	as_of date, recency_cuts float8[], frequency_cuts float8[],
	monetary_cuts float8[], prior_gaps float8, usual_gap_days float8
) RETURNS SETOF segment_internal.customer_figures
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 4 ROWS 1
AS 'MODULE_PATHNAME', 'segment_customer_figures_kept';
COMMENT ON FUNCTION segment_internal.customer_figures(bigint, bigint, bigint, date, date, float8, float8, float8, float8, date, numeric, numeric, numeric, numeric, numeric, numeric, date, float8[], float8[], float8[], float8, float8) IS
'the same from figures of an earlier day that still hold, without the histories: what changes from day to day and with the scorecard is computed, the rest passed on (internal)';

CREATE TYPE segment_internal.judged_day AS (
	day date, scorecard_id bigint, recency_cuts float8[], frequency_cuts float8[], monetary_cuts float8[],
	prior_gaps float8, usual_gap_days float8
);
COMMENT ON TYPE segment_internal.judged_day IS
'a day that customers are seen from, with the scorecard that judges it and what customer_figures wants of it';

CREATE FUNCTION segment_internal.customer_days(
	purchases segment.history, margins segment.history, costs segment.history,
	complaints segment.history, satisfaction segment.history, listed boolean, days segment_internal.judged_day[]
) RETURNS SETOF segment_internal.customer_figures
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 50 ROWS 36
AS 'MODULE_PATHNAME', 'segment_customer_days';
COMMENT ON FUNCTION segment_internal.customer_days(segment.history, segment.history, segment.history, segment.history, segment.history, boolean, segment_internal.judged_day[]) IS
'the figures of a customer for many days, as customer_figures has them for one: a row, in order, for each day by which the customer was known; each history is read once. Errors: 22004 a NULL among the days, 22023 days that are not in ascending order, 22008 an infinite day, those of score';

CREATE FUNCTION segment_internal.one_row() RETURNS SETOF boolean
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1 ROWS 1
AS 'MODULE_PATHNAME', 'segment_one_row';
COMMENT ON FUNCTION segment_internal.one_row() IS
'one row: true. A set, so that the planner computes the columns of the subquery that calls it once, lets conditions through, and lets workers take part (internal)';

/*
 * Everybody who was known on a day, with what the histories say.  The subquery
 * calls a set-returning function, which has no row for others: so the planner
 * keeps it in one piece, and yet pushes conditions on the key into it, and each
 * history is read once, and only where it is wanted.
 *
 * The names with a space are those of no setting and no cut, which stand beside
 * them where there is a scorecard.
 */
CREATE FUNCTION segment_internal.portfolio_known_customers(
	portfolio text, as_of text, judged_by text, further_columns text DEFAULT '', further_items text DEFAULT '',
	from_kept boolean DEFAULT false
) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN format($template$(
			SELECT c.customer_id AS "customer id",
				segment_internal.customer_figures(%6$s,
					%2$s, %3$s) AS "the figures"%4$s
			FROM %1$I.%7$I AS c%5$s
		) AS r
		CROSS JOIN LATERAL (
			SELECT r."customer id" AS customer_id, r."the figures" AS m
		) AS h$template$, portfolio, as_of, judged_by, further_columns, further_items,
	CASE WHEN from_kept THEN $figures$
					CASE WHEN c.monetary IS NOT NULL THEN c.orders END, CASE WHEN c.monetary IS NOT NULL THEN c.purchase_days END,
					CASE WHEN c.monetary IS NOT NULL THEN c.visits END,
					c.first_day, c.last_day, c.mean_gap_days, c.gap_cv, c.monetary, c.repeat_spend, c.next_event,
					CASE WHEN c.monetary IS NOT NULL THEN c.gross END, CASE WHEN c.monetary IS NOT NULL THEN c.refunded END,
					CASE WHEN c.monetary IS NOT NULL THEN c.net END, CASE WHEN c.monetary IS NOT NULL THEN c.usage END,
					CASE WHEN s.margin_rate IS NULL THEN c.margin END, c.cost$figures$
		ELSE 'c.purchases, c.margins, c.costs, c.complaints, c.satisfaction, c.listed' END,
	CASE WHEN from_kept THEN 'kept_customer' ELSE 'customer_history' END);
COMMENT ON FUNCTION segment_internal.portfolio_known_customers(text, text, text, text, text, boolean) IS
'the FROM items r and h (customer_id, m): the customers known on a day, for an as_of expression and the further arguments of customer_figures; with further columns of r and FROM items that these come from; from the histories, or from figures that were kept and still hold (internal)';

/*
 * The same, judged by a scorecard s, whose columns have the given names.  It is
 * not joined laterally, so that several processes can each take a part of the
 * customers; and by a condition, though it is always true: a hash table, of one
 * row, is what the server lets them join with.
 */
CREATE FUNCTION segment_internal.portfolio_judged_customers(
	portfolio text, as_of text, scorecard text, names text[], from_kept boolean
) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN (SELECT format($template$%1$s
		CROSS JOIN LATERAL (
			SELECT %2$s
		) AS s$template$,
	segment_internal.portfolio_known_customers(portfolio, as_of,
		's.recency_cuts, s.frequency_cuts, s.monetary_cuts, s.dormancy_prior_gaps, s.usual_gap_days', ', s.*',
		format($template$
				JOIN (%s
				) AS s ON s."is there" = (c.%I IS NOT NULL)$template$, scorecard,
			CASE WHEN from_kept THEN 'orders' ELSE 'listed' END), from_kept),
	string_agg(format('r.%I', n.name), ', ' ORDER BY n.place))
	FROM unnest(names) WITH ORDINALITY AS n(name, place));
COMMENT ON FUNCTION segment_internal.portfolio_judged_customers(text, text, text, text[], boolean) IS
'the FROM items h and s: the customers known on a day and the scorecard that judges them, for an as_of expression, the query of the scorecard and its columns (internal)';

/*
 * The same for many days at once, for one customer: one of customer_history and
 * d with the array of days stand outside.  s has a row for each day.
 */
CREATE FUNCTION segment_internal.portfolio_known_on_days() RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN $template$(
		SELECT one.customer_id, m
		FROM segment_internal.customer_days(one.purchases, one.margins, one.costs, one.complaints,
			one.satisfaction, one.listed, d.days) AS m
		WHERE m.place = s."day place"
	) AS h$template$;
COMMENT ON FUNCTION segment_internal.portfolio_known_on_days() IS
'the FROM item h of portfolio_known_customers for a customer one of customer_history and an array of judged days d.days (internal)';

/*
 * What the view customer shows of the histories of h, given the share of sales
 * that is contribution as s.margin_rate, and whether orders that were cancelled
 * at once count as used, as s.cancel_same_day.  It depends on no other customer.
 */
CREATE FUNCTION segment_internal.portfolio_history_columns() RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN $columns$
			coalesce((h.m).orders, 0) AS orders, coalesce((h.m).purchase_days, 0) AS purchase_days,
			coalesce(CASE WHEN s.cancel_same_day THEN (h.m).visits ELSE (h.m).purchase_days END, 0) AS visits,
			(h.m).first_day, (h.m).last_day, (h.m).days_since_last, (h.m).tenure_days,
			coalesce((h.m).gross, 0) AS gross, coalesce((h.m).refunded, 0) AS refunded,
			coalesce((h.m).net, 0) AS net,
			coalesce(CASE WHEN s.cancel_same_day THEN (h.m).usage ELSE (h.m).gross END, 0) AS usage,
			coalesce((h.m).margin, (h.m).net * s.margin_rate, 0) AS margin,
			coalesce((h.m).cost, 0) AS cost,
			(h.m).gross / nullif((h.m).orders, 0) AS average_order,
			(h.m).mean_gap_days, (h.m).gap_cv$columns$;
COMMENT ON FUNCTION segment_internal.portfolio_history_columns() IS
'the columns of the view customer that come from the histories of a FROM item h (portfolio_known_customers), from s.margin_rate and s.cancel_same_day (internal)';

/*
 * The customers as far as they can be known before there is a scorecard: the
 * columns of the view customer that do not depend on it, and what cut points
 * and models are made of.  Kept in one piece, so that many aggregates find the
 * columns computed.
 */
CREATE FUNCTION segment_internal.portfolio_unscored_query(portfolio text, as_of date, margin_rate numeric, cancel_same_day boolean) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN format($template$
SELECT k.*, k.margin - k.cost AS net_value
FROM (
	SELECT h.customer_id, %2$L::date AS as_of,%3$s,
		(h.m).monetary, (h.m).repeat_spend, segment_internal.one_row() AS one_row
	FROM %1$s
		CROSS JOIN (SELECT %4$s::numeric AS margin_rate, %5$L::boolean AS cancel_same_day) AS s
) AS k$template$,
	segment_internal.portfolio_known_customers(portfolio, format('%L::date', as_of), 'NULL, NULL, NULL, NULL, NULL'),
	as_of, segment_internal.portfolio_history_columns(), quote_nullable(margin_rate), cancel_same_day);
COMMENT ON FUNCTION segment_internal.portfolio_unscored_query(text, date, numeric, boolean) IS
'the query of the customers of a portfolio as of a day, with what does not depend on a scorecard, and with monetary and repeat_spend; the margin rate is NULL where the purchases have margins (internal)';

/* Settings and cuts, taken out of the scorecard n once. */
CREATE FUNCTION segment_internal.portfolio_scorecard_query(portfolio text, scorecard_source text, further_columns text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN format($template$
			SELECT n.as_of AS scorecard_as_of, n.recency_cuts, n.frequency_cuts, n.monetary_cuts,
				n.usual_gap_days, n.margin AS margin_rate, n.purchase_model, n.spend_model,
				n.purchase_model_usable, n.spend_model_usable,
				n.unit_days, n.horizon, n.probability_horizon%1$s%2$s
			FROM %3$s$template$,
	segment_internal.scheme_figure_columns(portfolio), further_columns, scorecard_source);
COMMENT ON FUNCTION segment_internal.portfolio_scorecard_query(text, text, text) IS
'the query of a scorecard as customers are judged by it, from a FROM clause of its row n (internal)';

CREATE FUNCTION segment_internal.portfolio_scorecard_names(portfolio text) RETURNS text[]
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN '{scorecard_as_of,recency_cuts,frequency_cuts,monetary_cuts,usual_gap_days,margin_rate,purchase_model,spend_model,purchase_model_usable,spend_model_usable,unit_days,horizon,probability_horizon}'::text[]
	|| (SELECT array_agg(f.name ORDER BY f.name) FROM segment_internal.scheme_figures(portfolio) AS f);
COMMENT ON FUNCTION segment_internal.portfolio_scorecard_names(text) IS
'the names of the columns of portfolio_scorecard_query (internal)';

/*
 * The customers as a scorecard sees them.  The scorecard n is what stands
 * behind FROM: a row of the table, or a constant.  known is another FROM item h
 * of the customers, which may depend on s; figures and columns are further
 * columns of s and v, items further FROM items.
 */
CREATE FUNCTION segment_internal.portfolio_scored_query(
	portfolio text, as_of text, scorecard_source text, schemes text,
	known text DEFAULT NULL, figures text DEFAULT '', columns text DEFAULT '', items text DEFAULT '',
	in_one_piece text DEFAULT ', segment_internal.one_row() AS one_row', from_kept boolean DEFAULT false
) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN format($template$
SELECT k.customer_id, k.as_of,
	k.orders, k.purchase_days, k.visits, k.first_day, k.last_day, k.days_since_last, k.tenure_days,
	k.gross, k.refunded, k.net, k.usage, k.margin, k.cost, k.net_value,
	k.average_order, k.mean_gap_days, k.gap_cv, k.gap_ratio,
	k.r_score, k.f_score, k.m_score, k.rfm_cell,
	k.p_alive, k.expected_purchases, k.purchase_probability, k.expected_spend, k.clv,
	k.churn_risk%4$s
FROM (
	-- again a set-returning function, so that rules which mention a column often
	-- find it computed
	SELECT v.*, v.margin - v.cost AS net_value,
		v.r_score::text || v.f_score::text || v.m_score::text AS rfm_cell,
		1 - v.p_alive AS churn_risk%7$s
	FROM (
		SELECT h.customer_id, %1$s AS as_of,%3$s,
			(h.m).gap_ratio, (h.m).r_score, (h.m).f_score, (h.m).m_score,
			-- what is kept besides, to compute the row again without the histories
			(h.m).monetary AS "the monetary", (h.m).repeat_spend AS "the repeat spend", (h.m).next_event AS "the next event",
			CASE WHEN s.purchase_model_usable
				THEN segment.p_alive(s.purchase_model, x.x, x.t_x, x.t) END AS p_alive,
			CASE WHEN s.purchase_model_usable
				THEN segment.expected_purchases(s.purchase_model, x.x, x.t_x, x.t, s.horizon)
				END AS expected_purchases,
			CASE WHEN s.purchase_model_usable
				THEN segment.purchase_probability(s.purchase_model, x.x, x.t_x, x.t,
					s.probability_horizon) END AS purchase_probability,
			CASE WHEN s.spend_model_usable
				THEN segment.expected_spend(s.spend_model, x.x, (h.m).repeat_spend) END AS expected_spend,
			CASE WHEN s.purchase_model_usable AND s.spend_model_usable
				THEN segment.clv(s.purchase_model, s.spend_model, x.x, x.t_x, x.t, (h.m).repeat_spend,
					s.horizon, s.annual_rate, coalesce(s.margin_rate, 1)::float8) END AS clv,
			s.*%5$s
		FROM %2$s%6$s
		-- the models' inputs; NULL for those who never bought
		CROSS JOIN LATERAL (
			SELECT ((h.m).purchase_days - CASE WHEN (h.m).orders > 0 THEN 1 END)::float8 AS x,
				((h.m).last_day - (h.m).first_day) / s.unit_days AS t_x,
				(h.m).tenure_days / s.unit_days AS t
		) AS x
	) AS v
) AS k$template$, as_of,
	CASE WHEN known IS NULL THEN segment_internal.portfolio_judged_customers(portfolio, as_of,
			segment_internal.portfolio_scorecard_query(portfolio, scorecard_source, concat(figures, ', true AS "is there"')),
			segment_internal.portfolio_scorecard_names(portfolio), from_kept)
		ELSE format($template$(%s
		) AS s
		CROSS JOIN LATERAL %s$template$,
			segment_internal.portfolio_scorecard_query(portfolio, scorecard_source, figures), known) END,
	segment_internal.portfolio_history_columns(), schemes, columns, items, in_one_piece);
COMMENT ON FUNCTION segment_internal.portfolio_scored_query(text, text, text, text, text, text, text, text, text, boolean) IS
'the customers of a portfolio for an as_of expression, a FROM clause of the scorecard n and the columns of the schemes; with another FROM item h of the customers, further columns and FROM items (internal)';

/*
 * What the views show.  With stay rules, the classes of the last snapshot are
 * joined; on many judged days, for one customer, s has a row for each day.
 */
CREATE FUNCTION segment_internal.portfolio_customer_query(
	portfolio text, as_of text, scorecard text, schemes text, held_classes text DEFAULT NULL,
	judged_days text DEFAULT NULL, from_kept boolean DEFAULT false
) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN segment_internal.portfolio_scored_query(portfolio, as_of,
	-- OFFSET keeps this in one piece; NULL and not 0, which the planner takes
	-- for a limit when it asks whether the query can go parallel.  Nor can it if
	-- the newest scorecard is looked up by a subquery
	CASE WHEN judged_days IS NULL AND scorecard IS NULL THEN format($template$%1$I.portfolio AS p
			JOIN %1$I.scorecard AS n ON n.scorecard_id = p.scorecard_id
			OFFSET NULL$template$, portfolio)
		WHEN judged_days IS NULL THEN format($template$%1$I.scorecard AS n
			WHERE n.scorecard_id = %2$s
			OFFSET NULL$template$, portfolio, scorecard)
		-- all days have a scorecard; LEFT, so that the planner knows it
		ELSE format($template$unnest(%2$s) WITH ORDINALITY AS j(day, scorecard_id, recency_cuts, frequency_cuts,
				monetary_cuts, prior_gaps, usual_gap_days, place)
			LEFT JOIN %1$I.scorecard AS n ON n.scorecard_id = j.scorecard_id
			OFFSET NULL$template$, portfolio, judged_days) END,
	schemes,
	CASE WHEN judged_days IS NOT NULL THEN segment_internal.portfolio_known_on_days() END,
	CASE WHEN judged_days IS NOT NULL THEN concat(E',\n\t\t\t\tj.day AS "judged day", j.place::integer AS "day place"',
		CASE WHEN held_classes IS NOT NULL THEN format(
			', (SELECT max(t.as_of) FROM %I.snapshot AS t WHERE t.as_of < j.day) AS "held day"', portfolio) END) END,
	concat(CASE WHEN judged_days IS NOT NULL THEN ', (h.m).places AS "day places"' END,
		CASE WHEN held_classes IS NOT NULL THEN ', held.*' END),
	CASE WHEN judged_days IS NULL THEN segment_internal.scheme_held_item(portfolio, held_classes, as_of,
			coalesce(scorecard, format('(SELECT p.scorecard_id FROM %I.portfolio AS p)', portfolio)))
		ELSE segment_internal.scheme_held_on_days(portfolio, held_classes) END,
	CASE WHEN judged_days IS NULL THEN ', segment_internal.one_row() AS one_row' END, from_kept);
COMMENT ON FUNCTION segment_internal.portfolio_customer_query(text, text, text, text, text, text, boolean) IS
'the query behind the view customer and the function customer_at of a portfolio, for an as_of expression, a scorecard (NULL: the newest), the columns of the schemes and the classes that they want from the last snapshot; or for one customer on many judged days, see portfolio_known_on_days (internal)';
