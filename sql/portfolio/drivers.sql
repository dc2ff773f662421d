/*
 * drivers: which columns tell most about an outcome
 */

CREATE FUNCTION segment.drivers(query text)
RETURNS TABLE ("position" integer, column_name text, kind text, n bigint, missing bigint, auc float8, information_value float8,
	contribution float8, direction text, leakage boolean, note text)
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 100
AS 'MODULE_PATHNAME', 'segment_drivers';
COMMENT ON FUNCTION segment.drivers(text) IS
'how much each column of a query tells about an outcome: SELECT outcome boolean, then any columns. One row per column after the first; rows without an outcome are skipped. kind: number, boolean, date, text (enums too) or unsupported; n, missing: rows with and without a value (NULL, NaN). auc: the chance, 0..1, that a row with the outcome has a higher value than one without, ties half; of text, with the values in the order of their shares of the outcome, so never below 0.5; NULL where only one outcome has values. information_value, 0 or more: the sum over bins of (p - q) ln(p / q), p and q the bin''s shares of the rows with and without the outcome, each bin with half a row of both more than was seen (Jeffreys 1946; Siddiqi 2006); bins are tenths of the rows of numbers and dates, values of text (fewer than 10 rows or 1 % of them: one bin), and one for NULL. contribution: the column''s share, 0..1, of the information of all columns, each above what chance gives; 0 where it is no more than chance (chi-squared, 5 % divided by the number of columns); they add up to 1 unless all are 0. direction: higher, lower or mixed values go with the outcome; NULL for text and where that is chance. leakage: the column tells the outcome almost perfectly (auc 0.99), or is known for one outcome only: look whether it was known beforehand. Reads the query once, in memory up to work_mem or 8 kB per column, then in temporary files. Errors: 22004 no query, 22023 not one SELECT, no further column, or the same outcome in all rows, 42804 outcome not boolean, and those of the query';

CREATE TYPE segment_internal.driver AS (
	"position" integer, column_name text, kind text, n bigint, missing bigint, auc float8, information_value float8,
	contribution float8, direction text, leakage boolean, note text
);
COMMENT ON TYPE segment_internal.driver IS
'a row of drivers (internal)';

/*
 * What was known of each customer at the end of the cutoff, behind what they did
 * in the days after it.  Who was lost by then cannot be lost again.
 */
CREATE FUNCTION segment_internal.drivers_query(portfolio text, run segment_internal.backtest_run, outcome text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN (
	SELECT format($template$
		SELECT %1$s (coalesce(segment.purchase_days(segment.during(h.purchases, %2$L::date + 1, %2$L::date + %3$s)), 0) > 0), %4$s
		FROM %5$I.customer_at(%2$L::date) AS c
		JOIN %5$I.customer_history AS h ON h.customer_id %6$s c.customer_id
		WHERE c.orders > 0 AND %7$s$template$,
		CASE outcome WHEN 'churned' THEN 'NOT' ELSE '' END, (run).cutoff, (run).horizon_days,
		string_agg(format('c.%I', a.attname), ', ' ORDER BY a.attnum), portfolio, (segment_internal.portfolio_key(portfolio)).equality,
		CASE outcome WHEN 'churned' THEN format('c.last_day > %L::date - %s', (run).cutoff, ((run).settings ->> 'lost_after_days')::float8::integer)
			ELSE 'true' END)
	FROM pg_attribute AS a
	WHERE a.attrelid = format('%I.customer', portfolio)::regclass AND a.attnum > 0 AND NOT a.attisdropped
		AND a.attname NOT IN ('customer_id', 'as_of'));
COMMENT ON FUNCTION segment_internal.drivers_query(text, segment_internal.backtest_run, text) IS
'the query for drivers: whether each customer known at the cutoff bought in the days after it, or churned, and all columns of the view customer as of the cutoff (internal)';

/* All of drivers of a portfolio, as its owner: see portfolio_run. */
CREATE FUNCTION segment_internal.portfolio_drivers(name text, arguments jsonb) RETURNS SETOF segment_internal.driver
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED ROWS 100
SET search_path = pg_catalog, pg_temp SET jit = off
AS $portfolio_drivers$
DECLARE
	outcome text := arguments ->> 'outcome';
	last_day date;
	days integer;
	run segment_internal.backtest_run;
BEGIN
	IF outcome IS NULL OR outcome NOT IN ('bought', 'churned') THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('argument "outcome" must be bought or churned, not "%s"', coalesce(outcome, 'NULL')),
			HINT = 'For another outcome, call segment.drivers(query) with a query of your own.';
	END IF;
	SELECT s.as_of, coalesce((arguments ->> 'horizon_days')::integer, (s.settings ->> 'lost_after_days')::float8::integer)
	INTO last_day, days
	FROM segment_internal.scorecard_in_force(name) AS s;
	run := segment_internal.backtest_prepare(name, coalesce((arguments ->> 'cutoff')::date, last_day - days), days);
	RETURN QUERY
	SELECT d."position", d.column_name, d.kind, d.n, d.missing, d.auc, d.information_value, d.contribution, d.direction, d.leakage,
		nullif(concat_ws('; ', d.note, CASE WHEN a.name IS NOT NULL THEN 'as of the last refresh: what it was at the cutoff is not known' END), '')
	FROM segment.drivers(segment_internal.drivers_query(name, run, outcome)) AS d
	LEFT JOIN segment_internal.attribute_columns(name) AS a ON a.name = d.column_name
	ORDER BY d.contribution DESC NULLS LAST, d."position";
END
$portfolio_drivers$;
COMMENT ON FUNCTION segment_internal.portfolio_drivers(text, jsonb) IS
'the drivers of what a portfolio''s customers did after a cutoff, with the current user''s rights; errors as for drivers (internal)';

CREATE FUNCTION segment.drivers(name text, outcome text, cutoff date DEFAULT NULL, horizon_days integer DEFAULT NULL)
RETURNS TABLE ("position" integer, column_name text, kind text, n bigint, missing bigint, auc float8, information_value float8,
	contribution float8, direction text, leakage boolean, note text)
LANGUAGE sql VOLATILE PARALLEL UNSAFE ROWS 100
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
SELECT * FROM segment_internal.portfolio_run(name, 'drivers', jsonb_build_object(
	'outcome', outcome, 'cutoff', cutoff, 'horizon_days', horizon_days), NULL::segment_internal.driver);
END;
COMMENT ON FUNCTION segment.drivers(text, text, date, integer) IS
'how much each column of the view customer, as it was at the end of cutoff (customer_at), tells about what customers did in the horizon_days after it: the rows of drivers(query), the column that tells most first. outcome: bought, whether somebody who had bought before bought again; or churned, whether somebody who was not lost yet (setting lost_after_days) did not. horizon_days: default lost_after_days; cutoff: default as many days before that of the last refresh. Attributes are those of the last refresh, as their note says. Errors: 22023 another outcome, horizon, days that are not over, or all did the same, 22008 cutoff, 42704 no such portfolio, 42501 neither owner nor reader';
