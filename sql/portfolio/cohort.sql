/*
 * cohort: what became of the customers who came in the same month
 */

CREATE TYPE segment.cohort_month AS (
	cohort date, age integer, month date, complete boolean,
	customers bigint, active bigint, sales numeric
);
COMMENT ON TYPE segment.cohort_month IS
'what a cohort, the customers whose first order fell in the same month, did in one month; the view cohort_retention of a portfolio tells what each is';

CREATE FUNCTION segment_internal.cohort_accum(internal, segment.history, date) RETURNS internal
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_cohort_accum';
COMMENT ON FUNCTION segment_internal.cohort_accum(internal, segment.history, date) IS
'transition function of cohort_agg';

CREATE FUNCTION segment_internal.cohort_combine(internal, internal) RETURNS internal
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_cohort_combine';
COMMENT ON FUNCTION segment_internal.cohort_combine(internal, internal) IS 'combine function of cohort_agg';

CREATE FUNCTION segment_internal.cohort_serialize(internal) RETURNS bytea
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_cohort_serialize';
COMMENT ON FUNCTION segment_internal.cohort_serialize(internal) IS 'serialization function of cohort_agg';

CREATE FUNCTION segment_internal.cohort_deserialize(bytea, internal) RETURNS internal
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_cohort_deserialize';
COMMENT ON FUNCTION segment_internal.cohort_deserialize(bytea, internal) IS 'deserialization function of cohort_agg';

CREATE FUNCTION segment_internal.cohort_final(internal) RETURNS segment.cohort_month[]
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_cohort_final';
COMMENT ON FUNCTION segment_internal.cohort_final(internal) IS 'final function of cohort_agg';

CREATE AGGREGATE segment.cohort_agg(series segment.history, as_of date) (
	SFUNC = segment_internal.cohort_accum,
	STYPE = internal,
	SSPACE = 32768,
	COMBINEFUNC = segment_internal.cohort_combine,
	SERIALFUNC = segment_internal.cohort_serialize,
	DESERIALFUNC = segment_internal.cohort_deserialize,
	FINALFUNC = segment_internal.cohort_final,
	FINALFUNC_MODIFY = READ_ONLY,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE segment.cohort_agg(segment.history, date) IS
'the cohorts of all histories: one row per month of first orders and month since, ascending, up to the month of as_of; events after as_of do not count, nor do histories without an order; refunds before the first order count with its month. as_of is the same for all rows; rows with a NULL are skipped; NULL without rows. Errors: 22008 infinite as_of, 22023 as_of that differs, 22003 a sum beyond 27 digits, 54000 more than 5000000 rows';
