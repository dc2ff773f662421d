/*
 * flow: the books of a portfolio, month by month: who came, left and came back
 */

/* ---------- months of many histories ---------- */

CREATE TYPE segment.flow_month AS (
	month date, month_end date, complete boolean,
	opening bigint, new bigint, won_back bigint, lost bigint, lost_opening bigint, closing bigint,
	sales numeric, sales_opening numeric, sales_new numeric, sales_won_back numeric, sales_other numeric,
	running_opening numeric, running_new numeric, running_won_back numeric, running_grown numeric,
	running_shrunk numeric, running_lost numeric, running_shrunk_before numeric, running_other numeric, running_closing numeric
);
COMMENT ON TYPE segment.flow_month IS
'a month of the leaky bucket: heads, sales of the month and running sales; the views leaky_bucket and sales_bridge of a portfolio tell what each is';

CREATE FUNCTION segment_internal.flow_accum(internal, segment.history, date, integer) RETURNS internal
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_flow_accum';
COMMENT ON FUNCTION segment_internal.flow_accum(internal, segment.history, date, integer) IS
'transition function of flow_agg';

CREATE FUNCTION segment_internal.flow_combine(internal, internal) RETURNS internal
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_flow_combine';
COMMENT ON FUNCTION segment_internal.flow_combine(internal, internal) IS 'combine function of flow_agg';

CREATE FUNCTION segment_internal.flow_serialize(internal) RETURNS bytea
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_flow_serialize';
COMMENT ON FUNCTION segment_internal.flow_serialize(internal) IS 'serialization function of flow_agg';

CREATE FUNCTION segment_internal.flow_deserialize(bytea, internal) RETURNS internal
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_flow_deserialize';
COMMENT ON FUNCTION segment_internal.flow_deserialize(bytea, internal) IS 'deserialization function of flow_agg';

CREATE FUNCTION segment_internal.flow_final(internal) RETURNS segment.flow_month[]
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_flow_final';
COMMENT ON FUNCTION segment_internal.flow_final(internal) IS 'final function of flow_agg';

CREATE AGGREGATE segment.flow_agg(series segment.history, as_of date, lost_after_days integer) (
	SFUNC = segment_internal.flow_accum,
	STYPE = internal,
	SSPACE = 16384,
	COMBINEFUNC = segment_internal.flow_combine,
	SERIALFUNC = segment_internal.flow_serialize,
	DESERIALFUNC = segment_internal.flow_deserialize,
	FINALFUNC = segment_internal.flow_final,
	FINALFUNC_MODIFY = READ_ONLY,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE segment.flow_agg(segment.history, date, integer) IS
'the leaky bucket of all histories: one row per month, ascending and without gaps, from the month of the first event to that of as_of; events after as_of do not count; a customer is active at the end of a day if the last order is less than lost_after_days old. Both arguments are the same for all rows; rows with a NULL are skipped; NULL without rows. Errors: 22008 infinite as_of, 22023 lost_after_days below 1 or arguments that differ, 22003 a sum beyond 27 digits, 54000 more than 120000 months';

/* ---------- tables and views ---------- */

CREATE FUNCTION segment_internal.flow_create_tables(portfolio text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $flow_create_tables$
BEGIN
	-- everything comes from the histories
END
$flow_create_tables$;
COMMENT ON FUNCTION segment_internal.flow_create_tables(text) IS 'no tables: everything comes from the histories (internal)';

/* All months, for an as_of day and a setting that come from the scorecard in force. */
CREATE FUNCTION segment_internal.flow_months(portfolio text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN format($template$(
		SELECT segment.flow_agg(c.purchases,
			(SELECT s.as_of FROM %1$I.scorecard_in_force AS s),
			(SELECT (s.settings ->> 'lost_after_days')::numeric::integer FROM %1$I.scorecard_in_force AS s)) AS months,
			(SELECT (s.settings ->> 'lost_after_days')::numeric::integer FROM %1$I.scorecard_in_force AS s) AS lost_after_days
		FROM %1$I.customer_history AS c
	) AS a
	CROSS JOIN LATERAL (SELECT f.*, a.lost_after_days FROM unnest(a.months) AS f) AS f$template$, portfolio);
COMMENT ON FUNCTION segment_internal.flow_months(text) IS
'the FROM item f of the months of a portfolio, of the type segment.flow_month, with lost_after_days beside it (internal)';

CREATE FUNCTION segment_internal.flow_create_views(portfolio text, security_invoker boolean) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $flow_create_views$
BEGIN
	EXECUTE format($template$
		CREATE OR REPLACE VIEW %1$I.leaky_bucket WITH (security_invoker = %2$s) AS
		SELECT f.month, f.month_end, f.complete,
			f.opening, f.new, f.won_back, f.lost, f.closing,
			f.sales, f.sales_opening, f.sales_new, f.sales_won_back, f.sales_other
		FROM %3$s$template$, portfolio, security_invoker, segment_internal.flow_months(portfolio));

	EXECUTE format($template$
		CREATE OR REPLACE VIEW %1$I.sales_bridge WITH (security_invoker = %2$s) AS
		SELECT f.month, f.month_end, f.complete, f.running_opening AS opening,
			f.running_new AS new, f.running_won_back AS won_back, f.running_grown AS grown,
			f.running_shrunk AS shrunk, f.running_lost AS lost, f.running_shrunk_before AS shrunk_before,
			f.running_other AS other, f.running_closing AS closing
		FROM %3$s$template$, portfolio, security_invoker, segment_internal.flow_months(portfolio));

	-- who is lost has not ordered for lost_after_days; the first day there is
	-- stands for those before it
	EXECUTE format($template$
		CREATE OR REPLACE VIEW %1$I.lost_customer WITH (security_invoker = %2$s) AS
		SELECT l.customer_id, l.last_day, l.lost_on, l.orders, l.sales,
			CASE WHEN l.margin_rate IS NULL THEN coalesce(segment.net(segment.during(l.margins, l.from_day, l.as_of)), 0)
				ELSE segment_internal.margin(l.sales, l.margin_rate) END AS worth,
			l.scheme, p.classes ->> l.scheme AS class_before, p.as_of AS class_day
		FROM (
			SELECT c.customer_id, c.as_of, c.last_day, c.last_day + s.days AS lost_on, s.margin_rate, s.scheme,
				h.margins, w.from_day, segment.orders(m.period) AS orders, segment.net(m.period) AS sales
			FROM %1$I.customer AS c
			JOIN %1$I.customer_history AS h ON h.customer_id %3$s c.customer_id
			CROSS JOIN (
				SELECT (n.settings ->> 'lost_after_days')::numeric::integer AS days, n.margin AS margin_rate,
					n.settings ->> 'leading_scheme' AS scheme
				FROM %1$I.scorecard_in_force AS n
				OFFSET 0
			) AS s
			CROSS JOIN LATERAL (
				SELECT c.last_day - least(s.days - 1, c.last_day - '4714-11-24 BC'::date) AS from_day
			) AS w
			CROSS JOIN LATERAL (
				SELECT segment.during(h.purchases, w.from_day, c.as_of) AS period OFFSET 0
			) AS m
			WHERE c.days_since_last >= s.days
		) AS l
		LEFT JOIN %1$I.snapshot_customer AS p ON p.customer_id %3$s l.customer_id
			AND p.as_of = (SELECT max(t.as_of) FROM %1$I.snapshot AS t WHERE t.as_of < l.lost_on)$template$,
		portfolio, security_invoker, (segment_internal.portfolio_key(portfolio)).equality);

	EXECUTE format($template$
		CREATE OR REPLACE VIEW %1$I.churn_rate WITH (security_invoker = %2$s) AS
		SELECT m.month, m.month_end, m.complete, m.opening, m.lost,
			m.lost::float8 / nullif(m.opening, 0) AS churn_rate,
			w.low AS churn_low, w.high AS churn_high,
			m.base_opening, m.base_lost,
			m.base_lost::float8 / nullif(m.base_opening, 0) AS base_rate,
			CASE WHEN m.base_is_whole THEN r.ratio - 1 END AS change,
			CASE WHEN m.base_is_whole THEN r.low - 1 END AS change_low,
			CASE WHEN m.base_is_whole THEN r.high - 1 END AS change_high
		FROM (
			SELECT f.month, f.month_end, f.complete, f.opening, f.lost_opening AS lost,
				-- who bought in the first month could be lost in all months of the base
				count(*) OVER year_before = 12 AND first_value(f.month) OVER year_before - f.lost_after_days
					>= first_value(f.month_end) OVER (ORDER BY f.month) AS base_is_whole,
				coalesce(sum(f.opening) OVER year_before, 0)::bigint AS base_opening,
				coalesce(sum(f.lost_opening) OVER year_before, 0)::bigint AS base_lost
			FROM %3$s
			WINDOW year_before AS (ORDER BY f.month ROWS BETWEEN 12 PRECEDING AND 1 PRECEDING)
		) AS m
		CROSS JOIN LATERAL segment.wilson_interval(m.lost, m.opening) AS w
		CROSS JOIN LATERAL segment.ratio_interval(m.lost, m.opening, m.base_lost, m.base_opening) AS r
		$template$, portfolio, security_invoker, segment_internal.flow_months(portfolio));

	EXECUTE format($template$
		CREATE OR REPLACE VIEW %1$I.cohort_retention WITH (security_invoker = %2$s) AS
		SELECT k.cohort, k.age, k.month, k.complete, k.customers, k.active,
			k.active::float8 / k.customers AS retention, w.low AS retention_low, w.high AS retention_high,
			k.sales
		FROM (
			SELECT segment.cohort_agg(c.purchases,
				(SELECT s.as_of FROM %1$I.scorecard_in_force AS s)) AS months
			FROM %1$I.customer_history AS c
		) AS a
		CROSS JOIN LATERAL unnest(a.months) AS k
		CROSS JOIN LATERAL segment.wilson_interval(k.active, k.customers) AS w
		$template$, portfolio, security_invoker);

	EXECUTE format($template$
		CREATE OR REPLACE FUNCTION %1$I.churn_change(
			base_from date, base_to date, from_day date, to_day date,
			OUT base_months bigint, OUT base_opening bigint, OUT base_lost bigint, OUT base_rate float8,
			OUT months bigint, OUT opening bigint, OUT lost bigint, OUT churn_rate float8,
			OUT change float8, OUT change_low float8, OUT change_high float8)
		RETURNS SETOF record
		LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
		BEGIN ATOMIC
		SELECT p.base_months, p.base_opening, p.base_lost,
			p.base_lost::float8 / nullif(p.base_opening, 0),
			p.months, p.opening, p.lost, p.lost::float8 / nullif(p.opening, 0),
			r.ratio - 1, r.low - 1, r.high - 1
		FROM (
			SELECT count(*) FILTER (WHERE m.month BETWEEN $1 AND $2) AS base_months,
				coalesce(sum(m.opening) FILTER (WHERE m.month BETWEEN $1 AND $2), 0)::bigint AS base_opening,
				coalesce(sum(m.lost) FILTER (WHERE m.month BETWEEN $1 AND $2), 0)::bigint AS base_lost,
				count(*) FILTER (WHERE m.month BETWEEN $3 AND $4) AS months,
				coalesce(sum(m.opening) FILTER (WHERE m.month BETWEEN $3 AND $4), 0)::bigint AS opening,
				coalesce(sum(m.lost) FILTER (WHERE m.month BETWEEN $3 AND $4), 0)::bigint AS lost
			FROM %1$I.churn_rate AS m
			WHERE m.complete
		) AS p
		CROSS JOIN LATERAL segment.ratio_interval(p.lost, p.opening, p.base_lost, p.base_opening) AS r;
		END$template$, portfolio);
END
$flow_create_views$;
COMMENT ON FUNCTION segment_internal.flow_create_views(text, boolean) IS
'creates or replaces the views and functions of a portfolio''s books (internal)';

CREATE FUNCTION segment_internal.flow_comments() RETURNS TABLE (relation text, col text, meaning text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 60
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
SELECT v.* FROM (VALUES
	('leaky_bucket', NULL, 'one row per month from the first event to as_of, months without events included: opening + new + won_back - lost = closing, and closing is the next month''s opening. A customer is active at the end of a day if the last order is less than lost_after_days old (setting, 365 days unless set)'),
	('leaky_bucket', 'month', 'first day of the month'),
	('leaky_bucket', 'month_end', 'last day of the month, or as_of if that is earlier'),
	('leaky_bucket', 'complete', 'whether the month had ended at as_of; only the last month can be incomplete'),
	('leaky_bucket', 'opening', 'customers active at the end of the month before, >= 0; more is better'),
	('leaky_bucket', 'new', 'customers whose first order is in the month, >= 0; more is better'),
	('leaky_bucket', 'won_back', 'customers who had bought before, were not active at the end of the month before, and ordered in the month, >= 0; more is better'),
	('leaky_bucket', 'lost', 'customers of opening, new and won_back who are not active at month_end, >= 0; fewer is better'),
	('leaky_bucket', 'closing', 'customers active at month_end, >= 0; more is better'),
	('leaky_bucket', 'sales', 'net sales of the month in units of money: orders minus refunds, the sum of the four groups; may be negative; more is better'),
	('leaky_bucket', 'sales_opening', 'net sales of the month to customers of opening, in units of money; may be negative; more is better'),
	('leaky_bucket', 'sales_new', 'net sales of the month to new customers, in units of money; may be negative; more is better'),
	('leaky_bucket', 'sales_won_back', 'net sales of the month to customers won back, in units of money; may be negative; more is better'),
	('leaky_bucket', 'sales_other', 'refunds of the month to all others, as a negative amount in units of money, <= 0; nearer to 0 is better'),
	('sales_bridge', NULL, 'one row per month: opening + new + won_back + grown - shrunk - lost + shrunk_before + other = closing, in running sales: net sales of the lost_after_days (setting, 365 days unless set) up to a day. Each customer is in one place; closing is the next month''s opening'),
	('sales_bridge', 'month', 'first day of the month'),
	('sales_bridge', 'month_end', 'last day of the month, or as_of if that is earlier'),
	('sales_bridge', 'complete', 'whether the month had ended at as_of; only the last month can be incomplete'),
	('sales_bridge', 'opening', 'running sales at the end of the month before, in units of money; more is better'),
	('sales_bridge', 'new', 'change by customers whose first order is in the month, in units of money; more is better'),
	('sales_bridge', 'won_back', 'change by customers won back in the month, in units of money; more is better'),
	('sales_bridge', 'grown', 'increase by customers active before and after the month, in units of money, >= 0; more is better'),
	('sales_bridge', 'shrunk', 'decrease by customers active before and after the month, in units of money, >= 0; less is better'),
	('sales_bridge', 'lost', 'what customers active before the month and not after it brought in their last active period: net sales of the lost_after_days up to the last order, less refunds since, in units of money; negative only if refunds outweighed their orders; less is better'),
	('sales_bridge', 'shrunk_before', 'what of lost had left the running sales before the month, while they stayed away, and was counted as shrunk then, in units of money'),
	('sales_bridge', 'other', 'change by all others, whose running sales are refunds only, in units of money'),
	('sales_bridge', 'closing', 'running sales at month_end, in units of money; more is better'),
	('lost_customer', NULL, 'one row per customer who is lost at as_of: when, what was lost, and the class before. Who came back is not lost any longer, and has no row'),
	('lost_customer', 'customer_id', 'key of the customer'),
	('lost_customer', 'last_day', 'day of the last order'),
	('lost_customer', 'lost_on', 'day at whose end the customer was lost: lost_after_days (setting, 365 days unless set) after last_day'),
	('lost_customer', 'orders', 'orders in the last active period, which is the lost_after_days up to last_day, >= 1; more is better'),
	('lost_customer', 'sales', 'net sales of that period, less refunds since, in units of money; may be negative'),
	('lost_customer', 'worth', 'contribution of that period, less that of refunds since, in units of money: what the customer would have gone on to bring; from the purchases where they have margins, else sales times the setting margin; may be negative'),
	('lost_customer', 'scheme', 'the scheme that leads (setting leading_scheme)'),
	('lost_customer', 'class_before', 'class in it in the last snapshot before lost_on; NULL: none, or the customer is not in it'),
	('lost_customer', 'class_day', 'day of that snapshot'),
	('churn_rate', NULL, 'one row per month: the share of the customers active at its beginning who are lost at its end, beside that of the 12 months before. Who is lost bought for the last time lost_after_days earlier'),
	('churn_rate', 'month', 'first day of the month'),
	('churn_rate', 'month_end', 'last day of the month, or as_of if that is earlier'),
	('churn_rate', 'complete', 'whether the month had ended at as_of; only the last month can be incomplete'),
	('churn_rate', 'opening', 'customers active at the end of the month before, >= 0'),
	('churn_rate', 'lost', 'those of them who are not active at month_end, >= 0; fewer is better'),
	('churn_rate', 'churn_rate', 'lost as a share of opening, 0..1; lower is better; NULL without opening'),
	('churn_rate', 'churn_low', 'lower end of its 95 % interval (Wilson), 0..1; NULL without opening'),
	('churn_rate', 'churn_high', 'upper end of its 95 % interval (Wilson), 0..1; NULL without opening'),
	('churn_rate', 'base_opening', 'sum of opening over the up to 12 months before, >= 0'),
	('churn_rate', 'base_lost', 'sum of lost over the up to 12 months before, >= 0'),
	('churn_rate', 'base_rate', 'base_lost as a share of base_opening, 0..1: the monthly churn rate of the year before; lower is better; NULL without base_opening'),
	('churn_rate', 'change', 'churn_rate relative to base_rate, >= -1: -0.3 is cut by 30 %; lower is better; NULL if nobody was lost in the year before, and until lost_after_days and a whole base year are over after the first month: before, hardly anybody could be lost'),
	('churn_rate', 'change_low', 'lower end of its 95 % interval (MOVER-R), >= -1; NULL as change'),
	('churn_rate', 'change_high', 'upper end of its 95 % interval (MOVER-R); below 0: churn has really fallen; NULL as change'),
	('cohort_retention', NULL, 'one row per cohort and month: of the customers whose first order fell in the month cohort, how many ordered in a later month, and for how much'),
	('cohort_retention', 'cohort', 'first day of the month of the first order'),
	('cohort_retention', 'age', 'months since then, >= 0; 0 is the month of the first order'),
	('cohort_retention', 'month', 'first day of the month that the row is about'),
	('cohort_retention', 'complete', 'whether that month had ended at as_of'),
	('cohort_retention', 'customers', 'customers in the cohort, >= 1'),
	('cohort_retention', 'active', 'those of them who ordered in the month, >= 0; more is better'),
	('cohort_retention', 'retention', 'active as a share of customers, 0..1; 1 at age 0; higher is better'),
	('cohort_retention', 'retention_low', 'lower end of its 95 % interval (Wilson), 0..1'),
	('cohort_retention', 'retention_high', 'upper end of its 95 % interval (Wilson), 0..1'),
	('cohort_retention', 'sales', 'net sales to the cohort in the month, in units of money; refunds before the first order count at age 0; may be negative; more is better'),
	('churn_change(date, date, date, date)', NULL, 'monthly churn rate in the complete months that begin from from_day to to_day, relative to those from base_from to base_to: change is -0.3 if churn was cut by 30 %, with its 95 % interval (MOVER-R on Wilson intervals); base_opening and opening are sums over the months; NULL where there is nothing to divide by. The two periods should not overlap')
) AS v(relation, col, meaning);
END;
COMMENT ON FUNCTION segment_internal.flow_comments() IS
'the comments on the views and functions of a portfolio''s books';
