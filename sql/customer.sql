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
	r_score integer, f_score integer, m_score integer, gap_ratio float8,
	days_since_last integer, tenure_days integer,
	orders bigint, purchase_days bigint, first_day date, last_day date,
	mean_gap_days float8, gap_cv float8, monetary float8, mean_repeat_spend float8,
	gross numeric, refunded numeric, net numeric
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

/* ---------- many days at once ---------- */

CREATE TYPE segment.judged_day AS (
	day date, scorecard_id bigint, recency_cuts float8[], frequency_cuts float8[], monetary_cuts float8[],
	prior_gaps float8, usual_gap_days float8
);
COMMENT ON TYPE segment.judged_day IS
'a day that customers are seen from, with the scorecard that judges it and what customer_figures wants of it';

CREATE TYPE segment.customer_day AS (
	place integer, places integer,
	r_score integer, f_score integer, m_score integer, gap_ratio float8,
	days_since_last integer, tenure_days integer,
	orders bigint, purchase_days bigint, first_day date, last_day date,
	mean_gap_days float8, gap_cv float8, repeat_spend float8, gross numeric, refunded numeric, net numeric, margin numeric, cost numeric
);
COMMENT ON TYPE segment.customer_day IS
'a customer as of one of several days: figures as in the type customer_figures, repeat_spend (what a repeat purchase day brings: contribution where there are margins, else sales), margin and cost; NULL as long as nothing has happened. place is the place of the day among the days, counted from 1, places the number of days by which the customer was known';

CREATE FUNCTION segment.customer_days(
	purchases segment.history, margins segment.history, costs segment.history,
	complaints segment.history, satisfaction segment.history, listed boolean, days segment.judged_day[]
) RETURNS SETOF segment.customer_day
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 50 ROWS 36
AS 'MODULE_PATHNAME', 'customer_days';
COMMENT ON FUNCTION segment.customer_days(segment.history, segment.history, segment.history, segment.history, segment.history, boolean, segment.judged_day[]) IS
'what the view customer needs of a customer''s histories, for many days in one pass: a row, in order, for each day by which the customer was known (listed, or something had happened). Errors: 22004 a NULL among the days, 22023 days that do not ascend, 22008 an infinite day, those of score';
CREATE FUNCTION segment.one_row() RETURNS SETOF boolean
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1 ROWS 1
AS 'MODULE_PATHNAME', 'one_row';
COMMENT ON FUNCTION segment.one_row() IS
'one row: true. A set, so that the planner computes the columns of the subquery that calls it once, lets conditions through, and lets workers take part (internal)';
