/*
 * risk: the risk of no order, from what became of customers alike in the past
 */

CREATE TYPE segment_internal.risk AS (known bigint, customers bigint, lost bigint, shares float8[]);
COMMENT ON TYPE segment_internal.risk IS
'what became of customers: those known at the last cutoff; customers at all cutoffs, and those of them who made no order in the days after it; the shares of those who made none, a line for each band of orders (1, 2, up to 4, 8, 16, more), a column for each step of the gap ratio';

CREATE FUNCTION segment_internal.risk_accum(internal, segment.history, date, integer, float8, float8, float8) RETURNS internal
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE COST 20
AS 'MODULE_PATHNAME', 'segment_risk_accum';
COMMENT ON FUNCTION segment_internal.risk_accum(internal, segment.history, date, integer, float8, float8, float8) IS
'transition function of risk_agg';

CREATE FUNCTION segment_internal.risk_combine(internal, internal) RETURNS internal
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_risk_combine';
COMMENT ON FUNCTION segment_internal.risk_combine(internal, internal) IS 'combine function of risk_agg';

CREATE FUNCTION segment_internal.risk_serialize(internal) RETURNS bytea
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_risk_serialize';
COMMENT ON FUNCTION segment_internal.risk_serialize(internal) IS 'serialization function of risk_agg';

CREATE FUNCTION segment_internal.risk_deserialize(bytea, internal) RETURNS internal
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_risk_deserialize';
COMMENT ON FUNCTION segment_internal.risk_deserialize(bytea, internal) IS 'deserialization function of risk_agg';

CREATE FUNCTION segment_internal.risk_final(internal) RETURNS segment_internal.risk
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_risk_final';
COMMENT ON FUNCTION segment_internal.risk_final(internal) IS 'final function of risk_agg';

CREATE AGGREGATE segment_internal.risk_agg(
	purchases segment.history, as_of date, days integer, prior_gaps float8, usual_gap_days float8, prior_customers float8
) (
	SFUNC = segment_internal.risk_accum,
	STYPE = internal,
	SSPACE = 4096,
	COMBINEFUNC = segment_internal.risk_combine,
	SERIALFUNC = segment_internal.risk_serialize,
	DESERIALFUNC = segment_internal.risk_deserialize,
	FINALFUNC = segment_internal.risk_final,
	FINALFUNC_MODIFY = READ_ONLY,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE segment_internal.risk_agg(segment.history, date, integer, float8, float8, float8) IS
'the risk of no order within days, from what became of customers at five cutoffs: the last one days before as_of, each other a quarter of days before the next. A customer with an order up to a cutoff counts there, in the cell of the number of orders and of the gap ratio on that day. share = (lost + prior_customers x share of all with that gap ratio) / (customers + prior_customers), share of all = (lost + 1/2) / (customers + 1), both made to ascend with the gap ratio by pooling neighbors. All arguments but the first are the same for all rows; rows with a NULL are skipped; NULL without rows. Errors: 22008 infinite as_of, 22023 an argument out of range or not the same (internal)';

CREATE FUNCTION segment_internal.risk_share(shares float8[], gap_ratio float8, orders bigint) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_risk_share';
COMMENT ON FUNCTION segment_internal.risk_share(float8[], float8, bigint) IS
'the risk of no order, 0..1, of a customer with a gap ratio and a number of orders, by the shares of risk_agg; never lower with a higher gap ratio; NULL without an order. Error 22023 for an array that is not that of risk_agg (internal)';

CREATE FUNCTION segment_internal.gap_ratio(days integer, span integer, purchase_days bigint, prior_gaps float8, usual_gap_days float8) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_gap_ratio';
COMMENT ON FUNCTION segment_internal.gap_ratio(integer, integer, bigint, float8, float8) IS
'days without a purchase in units of the customer''s usual gap, the gap_ratio of the view customer, from the days since the last purchase day, those from the first to the last and the number of purchase days. Error 22023 for an argument out of range (internal)';

/* ---------- in a portfolio ---------- */

/*
 * A portfolio is looked at through a sample where it has more customers than are
 * needed: a power of two of them is one in the sample, by the hash of the key.
 */
CREATE FUNCTION segment_internal.risk_sample(portfolio text) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $risk_sample$
DECLARE
	customers bigint;
BEGIN
	EXECUTE format('SELECT s.customers FROM %I.scorecard AS s ORDER BY s.scorecard_id DESC LIMIT 1', portfolio) INTO customers;
	RETURN CASE WHEN coalesce(customers, 0) < 200000 THEN 'true'
		ELSE format('pg_catalog.hash_record_extended(ROW(c.customer_id), 0) & %s = 0',
			(2 ^ floor(log(2, customers / 100000.0)))::bigint - 1) END;
END
$risk_sample$;
COMMENT ON FUNCTION segment_internal.risk_sample(text) IS
'the condition on c.customer_id of a sample of 100,000 to 200,000 customers, the same ones as long as their number, that of the newest scorecard, is about the same; true where there are fewer (internal)';

CREATE FUNCTION segment_internal.risk_first_day(portfolio text) RETURNS date
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $risk_first_day$
DECLARE
	first_day date;
BEGIN
	EXECUTE format('SELECT min(segment.first_day(c.purchases)) FROM %I.customer_history AS c WHERE %s', portfolio,
		segment_internal.risk_sample(portfolio))
	INTO first_day;
	RETURN first_day;
END
$risk_first_day$;
COMMENT ON FUNCTION segment_internal.risk_first_day(text) IS
'the first purchase day of a portfolio, or of the sample that it is looked at through (internal)';

/*
 * The risk of no order within days as it can be told from the past of the
 * portfolio: only if it goes back twice as far, or customers would be compared
 * with others who had not yet had the time to become like them.
 */
CREATE FUNCTION segment_internal.risk_of_past(
	portfolio text, as_of date, days integer, settings jsonb, given_gap float8,
	OUT risk segment_internal.risk, OUT usual_gap_days float8
)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $risk_of_past$
DECLARE
	sample text := segment_internal.risk_sample(portfolio);
BEGIN
	usual_gap_days := given_gap;
	IF given_gap IS NULL THEN
		EXECUTE format('SELECT segment.exact_avg((m.m).mean_gap_days)
			FROM (SELECT segment.measures(c.purchases, $1) AS m FROM %I.customer_history AS c WHERE %s OFFSET 0) AS m', portfolio, sample)
		INTO usual_gap_days USING as_of;
	END IF;
	usual_gap_days := coalesce(usual_gap_days, (settings ->> 'dormancy_default_gap_days')::float8);
	IF segment_internal.risk_first_day(portfolio) <= as_of - 2 * days THEN
		EXECUTE format('SELECT (r.r).* FROM (SELECT segment_internal.risk_agg(c.purchases, $1, $2, $3, $4, $5) AS r
			FROM %I.customer_history AS c WHERE %s) AS r', portfolio, sample)
		INTO risk USING as_of, days, (settings ->> 'dormancy_prior_gaps')::float8, usual_gap_days,
			(settings ->> 'churn_prior_customers')::float8;
	END IF;
	IF risk.known < 50 THEN
		risk.shares := NULL;
	END IF;
END
$risk_of_past$;
COMMENT ON FUNCTION segment_internal.risk_of_past(text, date, integer, jsonb, float8) IS
'the risk of no order within days, as of a day, from the portfolio''s own past; shares are NULL where the first order is not twice as many days ago, or fewer than 50 customers were known by the last cutoff. Also the usual gap as of that day, unless it is given (internal)';

/*
 * What churn_risk is taken from: the model, where it has skill and the data show
 * customers leaving; else the portfolio's own past.  The model is tried on the
 * last days that are over, as backtest would.
 */
CREATE TYPE segment_internal.risk_source AS (basis text, days integer, shares float8[], reason text);
COMMENT ON TYPE segment_internal.risk_source IS
'where churn_risk of a scorecard comes from: model, past, past_short or too_short; the days without an order that it is the risk of; the shares of risk_agg; why, in words (internal)';

CREATE FUNCTION segment_internal.risk_source(
	portfolio text, as_of date, settings jsonb, unit text, margin_rate numeric, usual_gap_days float8, purchase_model segment.model
) RETURNS segment_internal.risk_source
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp SET jit = off
AS $risk_source$
DECLARE
	lost_after_days integer := (settings ->> 'lost_after_days')::float8::integer;
	first_day date := segment_internal.risk_first_day(portfolio);
	-- half of what is known of the portfolio, at most
	past_days integer := least(lost_after_days, (as_of - first_day) / 2);
	past segment_internal.risk;
	before segment_internal.risk;
	run segment_internal.backtest_run := ROW(coalesce(segment.kind(purchase_model), 'mbgnbd'), unit, settings, margin_rate, as_of - past_days,
		past_days, usual_gap_days)::segment_internal.backtest_run;
	rank segment_internal.ranking;
	objection text;
	source segment_internal.risk_source;
BEGIN
	IF past_days >= 1 THEN
		past := (segment_internal.risk_of_past(portfolio, as_of, past_days, settings, usual_gap_days)).risk;
	END IF;
	objection := CASE WHEN purchase_model IS NULL OR segment.status(purchase_model) = 'too_few' THEN 'there is no usable model of purchases'
		WHEN segment_internal.without_dropout(purchase_model) THEN 'the data show no customer leaving'
		WHEN past_days < lost_after_days THEN format('the data go back only %s days, less than twice lost_after_days', as_of - first_day) END;
	IF objection IS NULL THEN
		before := (segment_internal.risk_of_past(portfolio, run.cutoff, past_days, settings, usual_gap_days)).risk;
		EXECUTE segment_internal.backtest_query(portfolio, run, segment_internal.risk_sample(portfolio))
			|| 'SELECT (r.r).* FROM (SELECT segment_internal.ranking_agg(1 - j.probability, j.risk, j.actual_days = 0) AS r FROM judged AS j WHERE j.usable) AS r'
		INTO rank USING before.shares;
		objection := CASE WHEN coalesce(least(rank.hits, rank.rows - rank.hits), 0) < 10
				THEN format('it could not be tried: of %s customers %s made no order in the last %s days', coalesce(rank.rows, 0), coalesce(rank.hits, 0), past_days)
			WHEN rank.auc_low <= 0.5 THEN format('it ranked no better than chance in the last %s days: auc %s, interval from %s',
				past_days, round(rank.auc::numeric, 3), round(rank.auc_low::numeric, 3))
			WHEN before.shares IS NOT NULL AND rank.difference_high < 0
				THEN format('it ranked worse than the past of customers alike in the last %s days: auc %s against %s',
				past_days, round(rank.auc::numeric, 3), round(rank.baseline_auc::numeric, 3)) END;
	END IF;
	source.days := CASE WHEN objection IS NULL THEN lost_after_days ELSE past_days END;
	source.basis := CASE WHEN objection IS NULL THEN 'model' WHEN past.shares IS NULL THEN 'too_short'
		WHEN past_days < lost_after_days THEN 'past_short' ELSE 'past' END;
	source.shares := CASE WHEN objection IS NOT NULL THEN past.shares END;
	source.reason := CASE source.basis WHEN 'model' THEN format('the model ranked who made no order in the last %s days: auc %s, interval from %s',
			past_days, round(rank.auc::numeric, 3), round(rank.auc_low::numeric, 3))
		WHEN 'too_short' THEN format('no model, since %s; nor the past: fewer than 50 customers were known %s days ago', objection, coalesce(past_days, 0))
		ELSE format('not the model, since %s; instead what became of %s customers, counted at five days of the past, in the %s days after', objection, past.customers, past_days) END;
	RETURN source;
END
$risk_source$;
COMMENT ON FUNCTION segment_internal.risk_source(text, date, jsonb, text, numeric, float8, segment.model) IS
'where churn_risk is to come from, as of a day: the model if it ranks, in the last lost_after_days, who made no order better than chance and not worse than the portfolio''s own past; else the past, over half of its days where they are less than lost_after_days: then the risk is that of these days, which is higher (internal)';
