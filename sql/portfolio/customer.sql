/*
 * customer: what the view customer needs of a history and a scorecard
 */

CREATE FUNCTION segment_internal.float8(amount numeric) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_numeric_to_float8';
COMMENT ON FUNCTION segment_internal.float8(numeric) IS
'the amount as a floating point number: the same as the cast of the server, several times faster for usual amounts; errors as for the cast';

/* The C code of customer_figures has the same list, and that of the next types. */
CREATE TYPE segment_internal.customer_figures AS (
	as_of date, orders bigint, purchase_days bigint, visits bigint, first_day date, last_day date,
	days_since_last integer, tenure_days integer,
	gross numeric, refunded numeric, net numeric, usage numeric, margin numeric, cost numeric, net_value numeric,
	average_order numeric,
	period_orders bigint, period_net numeric, period_margin numeric, period_cost numeric, period_net_value numeric,
	previous_net numeric, net_change numeric, trend float8, trend_p_value float8,
	mean_gap_days float8, gap_cv float8, gap_ratio float8,
	r_score integer, f_score integer, m_score integer, rfm_cell text,
	p_alive float8, expected_purchases float8, purchase_probability float8, expected_spend float8,
	contribution_rate float8, clv float8, clv_before_cost float8, churn_risk float8, churn_risk_basis text,
	monetary float8, repeat_spend float8, trend_net float8, trend_moment float8, trend_square float8,
	recent_window integer, recent_days integer, past_days integer, recent_purchase_days integer, past_purchase_days integer,
	frequency_p_value float8, recent_spend numeric, past_spend numeric, spend_p_value float8,
	recent_complaints bigint, past_complaints bigint, complaints_p_value float8,
	recent_satisfaction float8, past_satisfaction float8, return_below float8,
	next_event date, next_change date,
	day_number integer, days_known integer, scorecard_id bigint
);
COMMENT ON TYPE segment_internal.customer_figures IS
'the columns of a customer''s row (customer_columns) but for classes. Where many days are asked for, day_number is that of the day among them, counted from 1, days_known the number of days by which the customer was known, scorecard_id the scorecard that scores the day (internal)';

CREATE TYPE segment_internal.scored_day AS (day date, scorecard_id bigint, terms segment_internal.scorecard_terms);
COMMENT ON TYPE segment_internal.scored_day IS
'a day that customers are seen from, with the scorecard that scores it (internal)';

CREATE FUNCTION segment_internal.customer_figures(
	purchases segment.history, margins segment.history, costs segment.history,
	complaints segment.history, satisfaction segment.history, listed boolean,
	as_of date, terms segment_internal.scorecard_terms
) RETURNS SETOF segment_internal.customer_figures
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 40 ROWS 1
AS 'MODULE_PATHNAME', 'segment_customer_figures';
COMMENT ON FUNCTION segment_internal.customer_figures(segment.history, segment.history, segment.history, segment.history, segment.history, boolean, date, segment_internal.scorecard_terms) IS
'the row of a customer as of a day, but for classes, by a scorecard. The gap ratio is days since the last purchase / usual gap, where usual gap = (prior_gaps x usual_gap_days + days from first to last purchase day) / (prior_gaps + own gaps). The lifetime value is discounted purchases x expected spend x contribution_rate (see there). One row, or none if the customer was not known by then (listed, or something had happened). Without terms there are no scores and no predictions. Errors: 22008 infinite as_of, those of score and of the predictions (internal)';

CREATE FUNCTION segment_internal.customer_figures(
	orders bigint, purchase_days bigint, visits bigint, first_day date, last_day date,
	gross numeric, refunded numeric, net numeric, usage numeric, margin numeric, cost numeric,
	mean_gap_days float8, gap_cv float8, monetary float8, repeat_spend float8,
	period_orders bigint, period_net numeric, period_margin numeric, period_cost numeric, previous_net numeric,
	trend_net float8, trend_moment float8, trend_square float8,
	recent_window integer, recent_purchase_days integer, past_purchase_days integer,
	recent_spend numeric, past_spend numeric, spend_p_value float8,
	recent_complaints bigint, past_complaints bigint, recent_satisfaction float8, past_satisfaction float8,
	return_below float8, next_event date, next_change date,
	as_of date, terms segment_internal.scorecard_terms
) RETURNS SETOF segment_internal.customer_figures
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 30 ROWS 1
AS 'MODULE_PATHNAME', 'segment_customer_figures_kept';
COMMENT ON FUNCTION segment_internal.customer_figures(bigint, bigint, bigint, date, date, numeric, numeric, numeric, numeric, numeric, numeric, float8, float8, float8, float8, bigint, numeric, numeric, numeric, numeric, float8, float8, float8, integer, integer, integer, numeric, numeric, float8, bigint, bigint, float8, float8, float8, date, date, date, segment_internal.scorecard_terms) IS
'the same from the row of an earlier day whose figures still hold, without the histories (internal)';

CREATE FUNCTION segment_internal.customer_days(
	purchases segment.history, margins segment.history, costs segment.history,
	complaints segment.history, satisfaction segment.history, listed boolean, days segment_internal.scored_day[]
) RETURNS SETOF segment_internal.customer_figures
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000 ROWS 36
AS 'MODULE_PATHNAME', 'segment_customer_days';
COMMENT ON FUNCTION segment_internal.customer_days(segment.history, segment.history, segment.history, segment.history, segment.history, boolean, segment_internal.scored_day[]) IS
'the rows of a customer for many days, as customer_figures has them for one: a row, in order, for each day by which the customer was known; each history is read once. Errors: 22004 a NULL among the days, 22023 days that are not in ascending order, 22008 an infinite day, those of customer_figures (internal)';

CREATE FUNCTION segment_internal.margin(net numeric, margin_rate numeric) RETURNS numeric
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_margin';
COMMENT ON FUNCTION segment_internal.margin(numeric, numeric) IS
'net x margin_rate, rounded to one digit after the point more than net has, and to at most 9: what customer_figures calls margin where the purchases have none (internal)';

CREATE FUNCTION segment_internal.contribution_rate(
	contribution float8, gross float8, purchase_days float8, rate float8, usual_gross float8, prior_purchases float8
) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_contribution_rate';
COMMENT ON FUNCTION segment_internal.contribution_rate(float8, float8, float8, float8, float8, float8) IS
'contribution of a customer per unit of gross, averaged with the portfolio''s rate, as if the customer had made prior_purchases more at that: (contribution + prior x rate) / (gross + prior), and rate where that is 0 / 0; prior = prior_purchases x least(usual_gross, (gross + usual_gross) / (purchase_days + 1)). May be negative, and above 1. The credibility estimate of Buehlmann and Straub 1970. What customer_figures has as contribution_rate (internal)';

/* ---------- what all customers tell about contribution ---------- */

CREATE FUNCTION segment_internal.contribution_moments_accum(internal, float8, float8, float8) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_contribution_moments_accum';
COMMENT ON FUNCTION segment_internal.contribution_moments_accum(internal, float8, float8, float8) IS
'aggregate support: adds a customer to the sums of contribution_moments (internal)';

CREATE FUNCTION segment_internal.contribution_moments_combine(internal, internal) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_contribution_moments_combine';
COMMENT ON FUNCTION segment_internal.contribution_moments_combine(internal, internal) IS
'aggregate support: merges two states of contribution_moments (internal)';

CREATE FUNCTION segment_internal.contribution_moments_serialize(internal) RETURNS bytea
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_contribution_moments_serialize';
COMMENT ON FUNCTION segment_internal.contribution_moments_serialize(internal) IS
'aggregate support: state of contribution_moments as bytes, for another process (internal)';

CREATE FUNCTION segment_internal.contribution_moments_deserialize(bytea, internal) RETURNS internal
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_contribution_moments_deserialize';
COMMENT ON FUNCTION segment_internal.contribution_moments_deserialize(bytea, internal) IS
'aggregate support: state of contribution_moments from the bytes of another process (internal)';

CREATE FUNCTION segment_internal.contribution_moments_final(internal) RETURNS float8[]
LANGUAGE C IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_contribution_moments_final';
COMMENT ON FUNCTION segment_internal.contribution_moments_final(internal) IS
'aggregate support: the sums of contribution_moments (internal)';

CREATE AGGREGATE segment_internal.contribution_moments(contribution float8, gross float8, purchase_days float8) (
	SFUNC = segment_internal.contribution_moments_accum,
	STYPE = internal,
	SSPACE = 1024,
	FINALFUNC = segment_internal.contribution_moments_final,
	COMBINEFUNC = segment_internal.contribution_moments_combine,
	SERIALFUNC = segment_internal.contribution_moments_serialize,
	DESERIALFUNC = segment_internal.contribution_moments_deserialize,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE segment_internal.contribution_moments(float8, float8, float8) IS
'what contribution_prior needs: the sums over customers, exact, of 1, gross, contribution, contribution squared / gross, and the same four divided by the purchase days; and of the logarithm of gross per purchase day. Rows with a NULL or without gross are skipped; NULL without others (internal)';

CREATE FUNCTION segment_internal.usual_gross(moments float8[]) RETURNS float8
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN exp(moments[9] / nullif(moments[1], 0));
COMMENT ON FUNCTION segment_internal.usual_gross(float8[]) IS
'a usual purchase, from contribution_moments: the geometric mean of the customers'' gross per purchase day, which an order of unusual size hardly changes (internal)';

/*
 * How many usual purchases the portfolio's rate counts for, by the method of
 * moments.  With D = contribution - rate x gross of a customer, the expectation of
 * D x D / gross is within + between x gross: between is the variance of the
 * customers' own rates, within / gross that of the observed rate around the own
 * one.  Sums over the customers, plain and weighted by 1 / purchase days, give two
 * equations for the two.  The result is at most 5, so that an order of unusual size
 * that came back is not worth more than 5 usual ones, and at least 1.  2 where
 * there are too few customers, or the equations are the same.
 */
CREATE FUNCTION segment_internal.contribution_prior(moments float8[], rate float8, usual_gross float8) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN (
	SELECT CASE WHEN moments[1] >= 50 AND abs(e.determinant) > 1e-6 * moments[1] * moments[6] AND d.plain > 1e-12 * moments[4]
		THEN CASE WHEN e.between / e.determinant > 0
			THEN greatest(1, least(5, e.within / e.between / usual_gross)) ELSE 5 END
		ELSE 2 END
	FROM (
		SELECT moments[4] - 2 * rate * moments[3] + rate * rate * moments[2] AS plain,
			moments[8] - 2 * rate * moments[7] + rate * rate * moments[6] AS weighted
	) AS d
	CROSS JOIN LATERAL (
		SELECT moments[1] * moments[6] - moments[5] * moments[2] AS determinant,
			d.plain * moments[6] - d.weighted * moments[2] AS within,
			moments[1] * d.weighted - moments[5] * d.plain AS between
	) AS e
);
COMMENT ON FUNCTION segment_internal.contribution_prior(float8[], float8, float8) IS
'for how many purchases of usual_gross a portfolio''s contribution rate counts when a customer''s own is averaged with it: variance of a rate around the customer''s own, for one such purchase, / variance of the customers'' own rates, estimated from contribution_moments, between 1 and 5; 5 where own rates do not differ more than chance would make them; 2 with fewer than 50 customers, or where the sums tell nothing (internal)';

CREATE FUNCTION segment_internal.one_row() RETURNS SETOF boolean
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1 ROWS 1
AS 'MODULE_PATHNAME', 'segment_one_row';
COMMENT ON FUNCTION segment_internal.one_row() IS
'one row: true. A set, so that the planner computes the columns of the subquery that calls it once, lets conditions through, and lets workers take part (internal)';

/*
 * The columns of a customer's row, but for the key before them and the classes
 * of the schemes behind them.  Those that the view customer does not show are
 * kept so that the row can be computed again without the histories.
 */
CREATE FUNCTION segment_internal.customer_columns()
RETURNS TABLE (ordinal integer, name text, type regtype, is_shown boolean, is_scored boolean, meaning text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 72
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
SELECT row_number() OVER ()::integer, v.name, v.type, v.is_shown, v.is_scored, v.meaning
FROM (VALUES
	('as_of', 'date'::regtype, true, false, 'day from whose end everything is seen'),
	('orders', 'bigint'::regtype, true, false, 'number of orders, >= 0; more is better'),
	('purchase_days', 'bigint'::regtype, true, false, 'number of days with an order, >= 0; more is better'),
	('visits', 'bigint'::regtype, true, false, 'number of purchase days whose orders were not all refunded on the same day, >= 0; more is better; all purchase days where the setting cancel_same_day is off'),
	('first_day', 'date'::regtype, true, false, 'day of the first order; NULL: never bought'),
	('last_day', 'date'::regtype, true, false, 'day of the last order; NULL: never bought'),
	('days_since_last', 'integer'::regtype, true, false, 'days since the last order, >= 0; fewer is better; NULL: never bought'),
	('tenure_days', 'integer'::regtype, true, false, 'days since the first order, >= 0; NULL: never bought'),
	('gross', 'numeric'::regtype, true, false, 'sum of the orders in units of money, >= 0; more is better'),
	('refunded', 'numeric'::regtype, true, false, 'sum of the refunds in units of money, >= 0; less is better'),
	('net', 'numeric'::regtype, true, false, 'gross minus refunded in units of money; may be negative; more is better'),
	('usage', 'numeric'::regtype, true, false, 'gross less what was refunded on the day of the order, in units of money, >= 0; more is better; gross where the setting cancel_same_day is off'),
	('margin', 'numeric'::regtype, true, false, 'contribution in units of money: from the purchases where they have margins, else net times the setting margin, rounded to one digit more than net has; may be negative; more is better'),
	('cost', 'numeric'::regtype, true, false, 'costs of acquiring and serving in units of money; less is better'),
	('net_value', 'numeric'::regtype, true, false, 'margin minus cost in units of money; may be negative; more is better'),
	('average_order', 'numeric'::regtype, true, false, 'gross per order in units of money, rounded to one digit more than gross has, >= 0; NULL: never bought'),
	('period_orders', 'bigint'::regtype, true, false, 'number of orders in the last period: the days of the setting period_days (365 unless set) up to as_of; >= 0; more is better'),
	('period_net', 'numeric'::regtype, true, false, 'orders minus refunds of the last period in units of money; may be negative; more is better'),
	('period_margin', 'numeric'::regtype, true, false, 'contribution of the last period in units of money, as margin; may be negative; more is better'),
	('period_cost', 'numeric'::regtype, true, false, 'costs of acquiring and serving in the last period in units of money; less is better'),
	('period_net_value', 'numeric'::regtype, true, false, 'period_margin minus period_cost in units of money; may be negative; more is better'),
	('previous_net', 'numeric'::regtype, true, false, 'orders minus refunds of the period before the last in units of money; may be negative'),
	('net_change', 'numeric'::regtype, true, false, 'period_net minus previous_net in units of money; negative: sales have fallen; more is better'),
	('trend', 'float8'::regtype, true, false, 'by how much the net amount of a period changes from one to the next, in units of money, over the last periods of the setting trend_periods (4 unless set), the first order left aside; negative: sales fall; more is better; NULL: first bought less than a period ago, or nothing after that'),
	('trend_p_value', 'float8'::regtype, true, false, 'chance of a trend so strong, up or down, if nothing had changed, 0..1; lower is clearer; NULL as trend'),
	('mean_gap_days', 'float8'::regtype, true, false, 'mean gap between purchase days in days, >= 1; NULL with fewer than two'),
	('gap_cv', 'float8'::regtype, true, false, 'coefficient of variation of the gaps between purchase days, >= 0; 0 is perfectly regular, about 1 is random; NULL with fewer than three purchase days'),
	('gap_ratio', 'float8'::regtype, true, true, 'days since the last order divided by the customer''s usual gap, >= 0; fewer is better. Usual gap = (prior x population''s usual gap + days from first to last purchase day) / (prior + gaps of the customer), prior being the setting dormancy_prior_gaps; NULL: never bought'),
	('r_score', 'integer'::regtype, true, true, 'recency score 1..5, 5 = most recent fifth of the buyers; equal days have equal scores, the middle of those that they span (score_cuts); NULL: never bought'),
	('f_score', 'integer'::regtype, true, true, 'frequency score 1..5 by orders, 5 = most frequent; ties as for r_score; NULL: never bought'),
	('m_score', 'integer'::regtype, true, true, 'monetary score 1..5 by net amount, 5 = highest; ties as for r_score; NULL: never bought'),
	('rfm_cell', 'text'::regtype, true, true, 'the three scores as one text, 111 to 555; NULL: never bought'),
	('p_alive', 'float8'::regtype, true, true, 'probability that the customer is still active, 0..1; higher is better; NULL: never bought, or too little data (model_card)'),
	('expected_purchases', 'float8'::regtype, true, true, 'expected number of purchase days in the horizon of the scorecard (52 weeks unless set), >= 0; more is better; NULL as p_alive'),
	('purchase_probability', 'float8'::regtype, true, true, 'probability of at least one purchase in the weeks of the setting probability_weeks (13 unless set), 0..1; higher is better; NULL as p_alive'),
	('expected_spend', 'float8'::regtype, true, true, 'expected gross sales of one future purchase day in units of money, >= 0; more is better; NULL: never bought, or too little data'),
	('contribution_rate', 'float8'::regtype, true, true, 'what of one unit of gross sales is left after refunds, the cost of the goods and the source costs: net_value / gross, averaged with the portfolio''s (model_card), which counts for as many purchases as the setting contribution_prior_purchases; may be negative; more is better; NULL: never bought, or nobody has paid anything'),
	('clv', 'float8'::regtype, true, true, 'customer lifetime value: expected discounted contribution within the horizon in units of money, that is expected discounted purchases x expected_spend x contribution_rate; may be negative; more is better; NULL: never bought, or too little data'),
	('clv_before_cost', 'float8'::regtype, true, true, 'the same without the source costs, from margin / gross; may be negative; more is better; NULL as clv'),
	('churn_risk', 'float8'::regtype, true, true, 'probability of no order within the days of the setting lost_after_days, 0..1; lower is better; NULL: never bought, or too little data (churn_risk_basis)'),
	('churn_risk_basis', 'text'::regtype, true, true, 'what churn_risk comes from: model; past: what became of customers alike, by gap ratio and orders; past_short: the same within half of the days that the data go back, which are fewer than lost_after_days; too_short: nothing, so it is NULL (model_card tells why); NULL: never bought'),
	('place_visits', 'bigint'::regtype, true, true, 'number of visits in the last period (source visits, setting period_days), >= 0; more is better; NULL: no such source'),
	('places', 'bigint'::regtype, true, true, 'number of different places of these visits, >= 0; NULL as place_visits'),
	('main_place', 'text'::regtype, true, true, 'place of most of these visits; of equal ones that of the latest visit; NULL: none, or no place known'),
	('main_place_share', 'float8'::regtype, true, true, 'share of these visits, as far as their place is known, that are to the main place, 0..1; higher is more faithful; NULL as main_place'),
	('visit_gap_ratio', 'float8'::regtype, true, true, 'days since the last visit divided by the customer''s usual gap between visits, >= 0; fewer is better; own gaps are averaged with the population''s gap between orders, as for gap_ratio; NULL: no visit, or no such source'),
	('period_contacts', 'bigint'::regtype, true, true, 'number of contacts in the last period (source contacts, setting period_days), >= 0; NULL: no such source'),
	('categories', 'bigint'::regtype, true, true, 'number of categories bought (source lines), >= 0; more is better; NULL: no such source'),
	('margin_share', 'float8'::regtype, true, true, 'share of the sales in categories of high margin, those that leave more than the setting margin_limit over all customers (source lines), 0..1 unless some are negative; higher is better; NULL: no sales, or no such source'),
	('monetary', 'float8'::regtype, false, false, 'net as a floating point number, for scores; NULL without orders and refunds'),
	('repeat_spend', 'float8'::regtype, false, false, 'mean gross of a repeat purchase day in units of money, >= 0; 0 without one; NULL: never bought'),
	('trend_net', 'float8'::regtype, false, false, 'sum of the net amounts of the days that trend looks at, in units of money; NULL: never bought'),
	('trend_moment', 'float8'::regtype, false, false, 'sum of these amounts, each times the days since the first order; NULL: never bought'),
	('trend_square', 'float8'::regtype, false, false, 'sum of the squares of these amounts; NULL: never bought'),
	('recent_window', 'integer'::regtype, false, false, 'days of the recent window of the signs of leaving: the setting churn_recent_days, twice or four times as many where so few purchases tell nothing'),
	('recent_days', 'integer'::regtype, false, false, 'of them, days after the first order, >= 0; NULL: never bought'),
	('past_days', 'integer'::regtype, false, false, 'days of the past window after the first order, >= 0; NULL: never bought'),
	('recent_purchase_days', 'integer'::regtype, false, false, 'purchase days in the recent window, without the first of all, >= 0; NULL: never bought'),
	('past_purchase_days', 'integer'::regtype, false, false, 'purchase days in the past window, without the first of all, >= 0; NULL: never bought'),
	('frequency_p_value', 'float8'::regtype, false, true, 'chance of so few recent purchase days if the rate had not changed, 0..1 (fall_p_value, with purchases at the population''s usual gap added to the past: dormancy_prior_gaps times the share of the past window that is before the first order); NULL: never bought, or first bought too late to have a past window'),
	('recent_spend', 'numeric'::regtype, false, false, 'gross of the recent purchase days in units of money, >= 0; NULL: never bought'),
	('past_spend', 'numeric'::regtype, false, false, 'gross of the past purchase days in units of money, >= 0; NULL: never bought'),
	('spend_p_value', 'float8'::regtype, false, false, 'chance that recent purchase days brought so little, each, if nothing had changed, 0..1 (rank_sum_p_value); NULL: no purchase day in one of the windows'),
	('recent_complaints', 'bigint'::regtype, false, false, 'complaints in the recent window, >= 0; NULL: never complained'),
	('past_complaints', 'bigint'::regtype, false, false, 'complaints in the past window, >= 0; NULL: never complained'),
	('complaints_p_value', 'float8'::regtype, false, false, 'chance of so many recent complaints if the rate had not changed, 0..1 (rise_p_value); NULL: none, or as frequency_p_value'),
	('recent_satisfaction', 'float8'::regtype, false, false, 'mean satisfaction score in the recent window; NULL: no score'),
	('past_satisfaction', 'float8'::regtype, false, false, 'mean satisfaction score in the past window; NULL: no score'),
	('return_below', 'float8'::regtype, false, false, 'usual gap of the population in days, below which the customer came back after having been asleep (win_back); NULL: has not'),
	('next_event', 'date'::regtype, false, false, 'first day after as_of on which the histories say more; NULL: none'),
	('next_change', 'date'::regtype, false, false, 'first day after as_of on which figures of periods change without that; NULL: none'),
	('kept_from', 'jsonb'::regtype, false, true, 'per scheme in whose class nothing but the stay rule keeps the customer, the day of the snapshot that says so, as a JSON object; NULL: none')
) AS v(name, type, is_shown, is_scored, meaning);
END;
COMMENT ON FUNCTION segment_internal.customer_columns() IS
'the columns of a customer''s row between the key and the classes, with type and comment, whether the view customer shows them, and whether they are there only once the scorecard is: they take more from it than its day and settings, or come from table event_history (internal)';

/*
 * The columns of the table kept_customer, in their order: the key, the figures,
 * the attributes, then a class for each scheme; what came later is behind them,
 * since a view can be given columns there.
 */
CREATE FUNCTION segment_internal.kept_columns(portfolio text)
RETURNS TABLE (name text, type text, is_shown boolean, is_class boolean, ordinal bigint)
LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 50
SET search_path = pg_catalog, pg_temp
AS $kept_columns$
BEGIN
	RETURN QUERY EXECUTE format($query$
		SELECT c.name, c.type, c.is_shown, c.part = 4, row_number() OVER (ORDER BY a.attnum, c.part, c.ordinal)
		FROM (
			SELECT 'customer_id' AS name, NULL AS type, true AS is_shown, 1 AS part, 1 AS ordinal
			UNION ALL
			SELECT k.name, k.type::text, k.is_shown, 2, k.ordinal FROM segment_internal.customer_columns() AS k
			UNION ALL
			SELECT b.name, b.type, true, 3, b.ordinal FROM segment_internal.attribute_columns($1) AS b
			UNION ALL
			SELECT s.scheme, 'text', true, 4, s.ordinal FROM %1$I.scheme AS s
		) AS c
		LEFT JOIN pg_attribute AS a ON a.attrelid = to_regclass($2) AND a.attname = c.name AND NOT a.attisdropped$query$, portfolio)
	USING portfolio, format('%I.kept_customer', portfolio);
END
$kept_columns$;
COMMENT ON FUNCTION segment_internal.kept_columns(text) IS
'the columns of a portfolio''s table kept_customer in their order, which is that of the view customer, with types, whether the view shows them, and whether they are the class in a scheme (internal)';

/*
 * The scorecards of a portfolio as customers are judged by them: with settings
 * and cuts as columns.  A view cannot lose columns by CREATE OR REPLACE, so a
 * cut that is no more leaves a column of NULLs until all views are made anew.
 */
CREATE FUNCTION segment_internal.customer_define_scorecard(portfolio text, security_invoker boolean) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $customer_define_scorecard$
DECLARE
	columns text;
BEGIN
	SELECT string_agg(format(E',\n\t\t\t%s AS %I', coalesce(f.expression, format('NULL::%s', format_type(a.atttypid, a.atttypmod))),
		coalesce(f.name, a.attname)), '' ORDER BY a.attnum, f.name)
	INTO columns
	FROM segment_internal.scheme_figures(portfolio) AS f
	FULL JOIN (
		SELECT * FROM pg_attribute
		WHERE attrelid = to_regclass(format('%I.scorecard_figures', portfolio)) AND attnum > 4
	) AS a ON a.attname = f.name;
	EXECUTE format($template$
		CREATE OR REPLACE VIEW %1$I.scorecard_figures WITH (security_invoker = %2$s) AS
		SELECT n.scorecard_id, n.as_of AS scorecard_as_of, true AS is_there,
			ROW(n.recency_cuts, n.frequency_cuts, n.monetary_cuts,
				(n.settings ->> 'dormancy_prior_gaps')::float8, n.usual_gap_days,
				CASE WHEN n.purchase_model_usable THEN n.purchase_model END,
				CASE WHEN n.spend_model_usable THEN n.spend_model END,
				n.unit_days, n.horizon, n.probability_horizon, (n.settings ->> 'annual_rate')::float8,
				n.margin, (n.settings ->> 'cancel_same_day')::boolean, n.churn_basis,
				CASE WHEN n.churn_basis = 'model' THEN n.churn_days / n.unit_days END, n.churn_shares,
				(n.settings ->> 'period_days')::float8::integer, (n.settings ->> 'trend_periods')::float8::integer,
				(n.settings ->> 'churn_recent_days')::float8::integer, (n.settings ->> 'churn_past_days')::float8::integer,
				(n.settings ->> 'churn_significance')::float8, (n.settings ->> 'dormancy_asleep')::float8,
				n.contribution_rate, n.rate_before_cost, n.usual_gross, n.prior_purchases, n.high_margin_categories)::segment_internal.scorecard_terms AS terms%3$s
		FROM %1$I.scorecard AS n$template$, portfolio, security_invoker, columns);
	EXECUTE format($template$
		CREATE OR REPLACE VIEW %1$I.scorecard_in_force WITH (security_invoker = %2$s) AS
		SELECT %3$s
		FROM %1$I.scorecard AS n
		WHERE n.scorecard_id = (SELECT max(l.scorecard_id) FROM %1$I.scorecard AS l)$template$, portfolio, security_invoker,
		(SELECT string_agg(format('n.%I', a.attname), ', ' ORDER BY a.attnum) FROM pg_attribute AS a
		WHERE a.attrelid = format('%I.scorecard', portfolio)::regclass AND a.attnum > 0 AND NOT a.attisdropped));
	-- OFFSET keeps each in one piece, so that settings and cuts are taken out of
	-- the scorecard once; NULL and not 0, which the planner takes for a limit
	-- when it asks whether the query can go parallel
	EXECUTE format($template$
		CREATE OR REPLACE FUNCTION %1$I.scorecards(scorecard_ids bigint[]) RETURNS SETOF %1$I.scorecard_figures
		LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
		BEGIN ATOMIC
		SELECT f.* FROM %1$I.scorecard_figures AS f WHERE f.scorecard_id = ANY ($1) OFFSET NULL;
		END;
		CREATE OR REPLACE FUNCTION %1$I.scorecards() RETURNS SETOF %1$I.scorecard_figures
		LANGUAGE sql STABLE PARALLEL SAFE ROWS 100
		BEGIN ATOMIC
		SELECT f.* FROM %1$I.scorecard_figures AS f OFFSET NULL;
		END;
		CREATE OR REPLACE FUNCTION %1$I.scorecard_on(day date) RETURNS bigint
		LANGUAGE sql STABLE PARALLEL SAFE
		RETURN coalesce(
			(SELECT n.scorecard_id FROM %1$I.scorecard AS n WHERE n.as_of <= $1
				ORDER BY n.as_of DESC, n.scorecard_id DESC LIMIT 1),
			(SELECT n.scorecard_id FROM %1$I.scorecard AS n
				ORDER BY n.as_of, n.scorecard_id DESC LIMIT 1))$template$, portfolio);
END
$customer_define_scorecard$;
COMMENT ON FUNCTION segment_internal.customer_define_scorecard(text, boolean) IS
'creates or replaces the views scorecard_figures and scorecard_in_force of a portfolio and the functions that find scorecards (internal)';

/*
 * The same scorecard as the view scorecard_in_force has, which is the newest; but
 * while a refresh is under way, still the one before.
 */
CREATE FUNCTION segment_internal.scorecard_in_force(
	portfolio text, OUT scorecard_id bigint, OUT as_of date, OUT as_of_given boolean, OUT settings jsonb, OUT own_margin boolean
)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $scorecard_in_force$
BEGIN
	EXECUTE format($query$
		SELECT n.scorecard_id, n.as_of, n.as_of_given, n.settings, n.margin IS NULL
		FROM %1$I.scorecard AS n
		JOIN %1$I.portfolio AS p ON p.scorecard_id = n.scorecard_id$query$, portfolio)
	INTO scorecard_id, as_of, as_of_given, settings, own_margin;
END
$scorecard_in_force$;
COMMENT ON FUNCTION segment_internal.scorecard_in_force(text) IS
'number, day, whether it was given, and settings of the scorecard by which a portfolio''s customers are judged, and whether the purchases bring their margin; NULLs before the first refresh (internal)';

/*
 * A customer's row: the figures, the attributes, and the classes by the rules of
 * the schemes.  This is the only place where rules become SQL.  The planner puts
 * the function into the query in whose FROM clause it stands, so that only the
 * columns that are read are computed, and several processes can take part.
 *
 * Rules see the columns of k and s, by their names: what is known of the
 * customer, settings and cuts.  Where rules name other schemes, these are
 * columns of k, too: k is then a query of its own, level by level (see
 * scheme_levels), each computed once.  Names of parameters, and those of columns
 * that no rule means, have a space.
 */
CREATE FUNCTION segment_internal.customer_define_row(portfolio text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $customer_define_row$
DECLARE
	known text := (SELECT string_agg(format(CASE WHEN e.attname IS NULL THEN '($2).%1$I AS %1$I' ELSE '($7).%1$I AS %1$I' END, c.name), ', ' ORDER BY c.ordinal)
		FROM segment_internal.customer_columns() AS c
		LEFT JOIN pg_attribute AS e ON e.attrelid = 'segment_internal.event_figures'::regclass AND e.attname = c.name
		WHERE c.name <> 'kept_from')
		|| coalesce((SELECT string_agg(format(', ($6).%1$I AS %1$I', a.name), '' ORDER BY a.ordinal)
			FROM segment_internal.attribute_columns(portfolio) AS a), '');
	item text := format('(SELECT $1%s AS customer_id, %s%s) AS k',
		(segment_internal.portfolio_key(portfolio)).key_collation, known,
		(SELECT string_agg(', ' || e.held_column, '' ORDER BY e.ordinal) FROM segment_internal.scheme_expressions(portfolio) AS e));
	figures text := (SELECT format('(SELECT %s) AS s', string_agg(format('($3).%1$I AS %1$I', f.name), ', ' ORDER BY f.name))
		FROM segment_internal.scheme_figures(portfolio) AS f);
	level record;
BEGIN
	PERFORM segment_internal.event_define(portfolio);
	-- one_row(): so that a class is computed once, however often rules name it
	FOR level IN
		SELECT e.level, string_agg(format(', %s AS %I', e.class, e.scheme), '' ORDER BY e.ordinal) AS classes
		FROM segment_internal.scheme_expressions(portfolio) AS e
		WHERE e.level < (SELECT max(t.level) FROM segment_internal.scheme_expressions(portfolio) AS t)
		GROUP BY e.level
		ORDER BY e.level
	LOOP
		item := format('(SELECT k.*, segment_internal.one_row() AS %I%s FROM %s CROSS JOIN %s) AS k',
			'level ' || level.level, level.classes, item, figures);
	END LOOP;
	EXECUTE format($template$
		CREATE OR REPLACE FUNCTION %1$I.customer_row("the customer" %2$s, "the figures" segment_internal.customer_figures,
			"the scorecard" %1$I.scorecard_figures, "the classes held" jsonb, "held on" date,
			"the attributes" %1$I.customer_attributes, "the events" segment_internal.event_figures)
		RETURNS SETOF %1$I.kept_customer
		LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
		BEGIN ATOMIC
		SELECT %3$s
		FROM %4$s
		CROSS JOIN %5$s;
		END$template$, portfolio,
		(SELECT format_type(a.atttypid, a.atttypmod) FROM pg_attribute AS a
		WHERE a.attrelid = format('%I.customer_history', portfolio)::regclass AND a.attname = 'customer_id'),
		(SELECT string_agg(format('%s AS %I', coalesce(CASE WHEN c.name = 'kept_from' THEN coalesce(kept_from.expression, 'NULL::jsonb') END,
				CASE WHEN e.level = kept_from.level THEN e.class END, format('k.%I', c.name)), c.name), E',\n\t' ORDER BY c.ordinal)
			FROM segment_internal.kept_columns(portfolio) AS c
			LEFT JOIN segment_internal.scheme_expressions(portfolio) AS e ON e.scheme = c.name
			CROSS JOIN (
				SELECT max(t.level) AS level, 'nullif(jsonb_strip_nulls(jsonb_build_object(' || string_agg(
					format('%L, %s', t.scheme, t.keeps), E',\n\t' ORDER BY t.ordinal) FILTER (WHERE t.keeps IS NOT NULL) || ')), ''{}'')' AS expression
				FROM segment_internal.scheme_expressions(portfolio) AS t
			) AS kept_from),
		item, figures);
END
$customer_define_row$;
COMMENT ON FUNCTION segment_internal.customer_define_row(text) IS
'creates or replaces the functions customer_row and customer_events of a portfolio (internal)';

/*
 * The day that a customer is seen from, with a scorecard that is kept while orders
 * come: the scorecard's, or that of the newest order.  Inlined.
 */
CREATE FUNCTION segment_internal.judged_day(purchases segment.history, scorecard_day date, today date) RETURNS date
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN greatest(scorecard_day, CASE WHEN segment.last_day(purchases) <= today THEN segment.last_day(purchases)
	ELSE segment.last_day(segment.as_of(purchases, today)) END);
COMMENT ON FUNCTION segment_internal.judged_day(segment.history, date, date) IS
'the day of a customer''s newest order that is not after today, if it is later than the scorecard''s day, else that (internal)';

/*
 * Customers behind a FROM item s that is a row of scorecard_figures: the FROM
 * items h, whose customer_id is the key (a condition on it reaches an index),
 * and f, the figures as of a day (an expression).  Only who was known on that
 * day has some.  s is joined by a condition, though it is always true: a hash
 * table, of one row, is what the server lets several processes join with.
 */
CREATE FUNCTION segment_internal.customer_figures_items(portfolio text, as_of text, from_kept boolean, histories text DEFAULT NULL) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN format(CASE WHEN from_kept THEN $template$
		JOIN %1$I.kept_customer AS h ON (h.orders IS NOT NULL) = s.is_there
		CROSS JOIN LATERAL segment_internal.customer_figures(h.orders, h.purchase_days, h.visits, h.first_day, h.last_day,
			h.gross, h.refunded, h.net, h.usage, h.margin, h.cost, h.mean_gap_days, h.gap_cv, h.monetary, h.repeat_spend,
			h.period_orders, h.period_net, h.period_margin, h.period_cost, h.previous_net, h.trend_net, h.trend_moment, h.trend_square,
			h.recent_window, h.recent_purchase_days, h.past_purchase_days, h.recent_spend, h.past_spend, h.spend_p_value,
			h.recent_complaints, h.past_complaints, h.recent_satisfaction, h.past_satisfaction, h.return_below,
			h.next_event, h.next_change, %2$s, s.terms) AS f$template$
	ELSE $template$
		JOIN %3$s AS h ON (h.listed IS NOT NULL) = s.is_there
		CROSS JOIN LATERAL segment_internal.customer_figures(h.purchases, h.margins, h.costs, h.complaints,
			h.satisfaction, h.listed, %2$s, s.terms) AS f$template$ END, portfolio, as_of,
	coalesce(histories, format('%I.customer_history', portfolio)));
COMMENT ON FUNCTION segment_internal.customer_figures_items(text, text, boolean, text) IS
'the FROM items h and f, behind a scorecard s: the customers known on a day and their figures, from the histories (a FROM item, NULL: those that are stored), or from figures that are kept and still hold (internal)';

/*
 * Behind s and h, whose figures are an expression: the FROM item c, the row.  h
 * has attributes and figures of events as columns, as refresh_figures, or it is
 * customer_history, with the figures f behind it.  The day is that of stay rules.
 */
CREATE FUNCTION segment_internal.customer_row_items(portfolio text, as_of text, figures text, are_columns boolean) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN (SELECT format($template$%3$s%5$s%7$s
		CROSS JOIN LATERAL %1$I.customer_row(h.customer_id, %2$s, s.*, %4$s, %6$s, %8$s) AS c$template$,
	portfolio, figures, held.item, held.columns, attributes.item, attributes.value, events.item, events.value)
FROM segment_internal.scheme_held_item(portfolio, as_of) AS held
CROSS JOIN segment_internal.attribute_item(portfolio, are_columns) AS attributes
CROSS JOIN segment_internal.event_item(portfolio, 'f.as_of', are_columns) AS events);
COMMENT ON FUNCTION segment_internal.customer_row_items(text, text, text, boolean) IS
'the FROM items behind a scorecard s and customers h, whose figures are an expression: the last one, c, is the row as of a day (an expression) (internal)';

CREATE FUNCTION segment_internal.customer_items(portfolio text, as_of text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN segment_internal.customer_figures_items(portfolio, as_of, false)
	|| segment_internal.customer_row_items(portfolio, as_of, 'f.*', false);
COMMENT ON FUNCTION segment_internal.customer_items(text, text) IS
'the FROM items h and c, behind a scorecard s: the customers known on a day (an expression) and their rows, from the histories (internal)';

/* What rules see, of every customer, as it is kept: the FROM item k. */
CREATE FUNCTION segment_internal.customer_rule_item(portfolio text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN format($template$(
		SELECT c.*, %2$s
		FROM %1$I.kept_customer AS c
		CROSS JOIN %1$I.scorecards(ARRAY[%3$s]) AS s
	) AS k$template$, portfolio,
	(SELECT string_agg(format('s.%I', f.name), ', ' ORDER BY f.name) FROM segment_internal.scheme_figures(portfolio) AS f),
	(segment_internal.scorecard_in_force(portfolio)).scorecard_id);
COMMENT ON FUNCTION segment_internal.customer_rule_item(text) IS
'the FROM item k: kept rows of all customers with the settings and cuts of the scorecard in force (internal)';
