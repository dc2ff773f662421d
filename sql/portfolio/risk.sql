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
