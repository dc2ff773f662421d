/*
 * customer: what the view customer needs of a history and a scorecard
 */

CREATE FUNCTION segment.float8(amount numeric) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'numeric_to_float8';
COMMENT ON FUNCTION segment.float8(numeric) IS
'the amount as a floating point number: the same as the cast of the server, several times faster for usual amounts; errors as for the cast';

/*
 * In this order, since a column is found fast when all before it have a fixed
 * length and are not NULL.
 */
CREATE TYPE segment.customer_figures AS (
	orders bigint, purchase_days bigint, monetary float8,
	days_since_last integer, tenure_days integer, first_day date, last_day date,
	mean_repeat_spend float8, mean_gap_days float8, gap_cv float8, gap_ratio float8,
	r_score integer, f_score integer, m_score integer,
	net numeric, gross numeric, refunded numeric
);
COMMENT ON TYPE segment.customer_figures IS
'scores and measures of a customer as of a day; monetary is net and mean_repeat_spend that of cbs, as floating point numbers for scores and models';

CREATE FUNCTION segment.customer_figures(
	series segment.history, as_of date, recency_cuts float8[], frequency_cuts float8[],
	monetary_cuts float8[], prior_gaps float8, usual_gap_days float8
) RETURNS SETOF segment.customer_figures
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 12 ROWS 1
AS 'MODULE_PATHNAME', 'customer_figures';
COMMENT ON FUNCTION segment.customer_figures(segment.history, date, float8[], float8[], float8[], float8, float8) IS
'the measures of a history as of a day, with scores by the cut points of recency (in minus days since the last purchase), frequency (orders) and monetary value (net), and the gap ratio: days since the last purchase / usual gap, where usual gap = (prior_gaps x usual_gap_days + days from first to last purchase day) / (prior_gaps + own gaps). One row, NULL if nothing was known then: a set, so that the planner evaluates it once. Errors: 22008 infinite as_of, those of score';

CREATE FUNCTION segment.one_row() RETURNS SETOF boolean
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1 ROWS 1
AS 'MODULE_PATHNAME', 'one_row';
COMMENT ON FUNCTION segment.one_row() IS
'one row: true. A set, so that the planner computes the columns of the subquery that calls it once, lets conditions through, and lets workers take part (internal)';
