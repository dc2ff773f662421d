-- Checks the rows of csv_staging (line_number, customer, ordered_at, total,
-- line_breaks; all text but the first and last) and makes the table orders of
-- them.  Stops at the first bad line, with its number, and loads nothing.
--
-- Dates are ISO 8601 (2024-12-31, also 20241231), with or without a time and
-- a time zone (UTC if there is none).  Amounts are decimal numbers with a
-- point; a negative one is a refund.  An empty customer is a guest: the row is
-- loaded and counted by the portfolio's data_quality.

\set ON_ERROR_STOP on
\set VERBOSITY terse
BEGIN;

CREATE TABLE orders (
	order_id bigint PRIMARY KEY,
	customer_id text,
	ordered_at timestamptz NOT NULL,
	total numeric NOT NULL
);

-- A date that has the right form may still not exist (2024-02-30).
CREATE FUNCTION pg_temp.is_timestamp(value text) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
BEGIN
	PERFORM value::timestamptz;
	RETURN isfinite(value::timestamptz);
EXCEPTION WHEN data_exception THEN
	RETURN false;
END
$$;

CREATE TEMP TABLE problem AS
WITH judged AS (
	SELECT line_number, line_breaks, customer, ordered_at, total,
		CASE
			WHEN ordered_at IS NULL THEN 'the date is missing'
			WHEN ordered_at !~ '^([0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{8})([ T][0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]+)?)?)?( ?(Z|UTC|[+-][0-9]{2}(:?[0-9]{2})?))?$' THEN
				format('the date "%s" is not in the form 2024-12-31 or 2024-12-31 23:59:59', left(ordered_at, 40))
			WHEN total IS NULL THEN 'the amount is missing'
			WHEN total !~ '^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)$' THEN
				format('the amount "%s" is not a number such as 1234.50', left(total, 40))
			WHEN length(total) > 30 THEN format('the amount "%s" has too many digits', left(total, 40))
			WHEN NOT pg_temp.is_timestamp(ordered_at) THEN
				format('there is no such date or time as "%s"', left(ordered_at, 40))
		END AS what
	FROM csv_staging
)
SELECT line_number, what FROM judged WHERE what IS NOT NULL;

-- Rows are numbered in the file's order.  A quoted field may hold line
-- breaks, so a row's line is found by counting those of the rows before it.
SELECT count(*) AS problems,
	(SELECT format('line %s: %s%s',
			:header + line_number + (SELECT coalesce(sum(line_breaks), 0) FROM csv_staging AS before WHERE before.line_number < p.line_number),
			what,
			CASE (SELECT count(*) FROM problem) WHEN 1 THEN '' WHEN 2 THEN ' (and one more bad line)'
				ELSE format(' (and %s more bad lines)', (SELECT count(*) - 1 FROM problem)) END)
		FROM problem AS p ORDER BY line_number LIMIT 1) AS first_problem
FROM problem \gset

SELECT :problems > 0 AS bad, (SELECT count(*) = 0 FROM csv_staging) AS empty \gset
\if :bad
	\warn :first_problem
	ROLLBACK;
	DO $$ BEGIN RAISE EXCEPTION 'bad file'; END $$;
\elif :empty
	\warn 'there are no orders in it'
	ROLLBACK;
	DO $$ BEGIN RAISE EXCEPTION 'empty file'; END $$;
\endif

INSERT INTO orders
SELECT line_number, customer, ordered_at::timestamptz, total::numeric
FROM csv_staging
ORDER BY line_number;

SELECT count(*) AS guests FROM orders WHERE customer_id IS NULL \gset
SELECT :guests > 0 AS has_guests \gset
\if :has_guests
	\echo '    orders without a customer:' :guests '(they are loaded, and counted by shop.data_quality)'
\endif

DROP TABLE csv_staging;
COMMIT;
ANALYZE orders;
