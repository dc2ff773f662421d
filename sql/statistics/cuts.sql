/* ---------- cut points ---------- */

CREATE FUNCTION segment_internal.quantile_cuts_accum(internal, float8, integer)
RETURNS internal
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_quantile_cuts_accum';
COMMENT ON FUNCTION segment_internal.quantile_cuts_accum(internal, float8, integer) IS
'transition function of quantile_cuts';

CREATE FUNCTION segment_internal.quantile_cuts_combine(internal, internal)
RETURNS internal
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_quantile_cuts_combine';
COMMENT ON FUNCTION segment_internal.quantile_cuts_combine(internal, internal) IS
'combine function of quantile_cuts';

CREATE FUNCTION segment_internal.quantile_cuts_serialize(internal)
RETURNS bytea
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_quantile_cuts_serialize';
COMMENT ON FUNCTION segment_internal.quantile_cuts_serialize(internal) IS
'serialization function of quantile_cuts';

CREATE FUNCTION segment_internal.quantile_cuts_deserialize(bytea, internal)
RETURNS internal
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_quantile_cuts_deserialize';
COMMENT ON FUNCTION segment_internal.quantile_cuts_deserialize(bytea, internal) IS
'deserialization function of quantile_cuts';

CREATE FUNCTION segment_internal.quantile_cuts_final(internal)
RETURNS float8[]
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_quantile_cuts_final';
COMMENT ON FUNCTION segment_internal.quantile_cuts_final(internal) IS
'final function of quantile_cuts';

CREATE AGGREGATE segment.quantile_cuts(value float8, n integer) (
	SFUNC = segment_internal.quantile_cuts_accum,
	STYPE = internal,
	SSPACE = 1024,
	COMBINEFUNC = segment_internal.quantile_cuts_combine,
	SERIALFUNC = segment_internal.quantile_cuts_serialize,
	DESERIALFUNC = segment_internal.quantile_cuts_deserialize,
	FINALFUNC = segment_internal.quantile_cuts_final,
	FINALFUNC_MODIFY = READ_ONLY,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE segment.quantile_cuts(float8, integer) IS
'the n - 1 cut points, ascending, of n equal-count groups of the values: exactly percentile_disc(i/n) for i = 1..n-1, in the unit of the values; n from 1 (empty array) to 1000000, the same for all rows; rows with a NULL are skipped; NULL without rows; -0 counts as 0; error 22023 for NaN, infinity and a wrong n, 54000 for too large an n (Hyndman and Fan 1996, definition 1)';

CREATE FUNCTION segment_internal.score_cuts_final(internal)
RETURNS float8[]
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_score_cuts_final';
COMMENT ON FUNCTION segment_internal.score_cuts_final(internal) IS
'final function of score_cuts';

CREATE AGGREGATE segment.score_cuts(value float8, n integer) (
	SFUNC = segment_internal.quantile_cuts_accum,
	STYPE = internal,
	SSPACE = 1024,
	COMBINEFUNC = segment_internal.quantile_cuts_combine,
	SERIALFUNC = segment_internal.quantile_cuts_serialize,
	DESERIALFUNC = segment_internal.quantile_cuts_deserialize,
	FINALFUNC = segment_internal.score_cuts_final,
	FINALFUNC_MODIFY = READ_ONLY,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE segment.score_cuts(float8, integer) IS
'the n - 1 cut points, ascending, with which score gives the values scores that are fair to ties, 1 (lowest) to n: equal values that span the groups a to b of n equal-count groups get the middle of a and b, rounded down; but the best value gets n and the worst 1, and where all are equal they get the middle of 1 and n. In the unit of the values; of n or more values that all differ, the cut points of quantile_cuts; n, NULL, -0 and errors as there';

CREATE FUNCTION segment_internal.natural_cuts_final(internal)
RETURNS float8[]
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_natural_cuts_final';
COMMENT ON FUNCTION segment_internal.natural_cuts_final(internal) IS
'final function of natural_cuts';

CREATE AGGREGATE segment.natural_cuts(value float8, n integer) (
	SFUNC = segment_internal.quantile_cuts_accum,
	STYPE = internal,
	SSPACE = 1024,
	COMBINEFUNC = segment_internal.quantile_cuts_combine,
	SERIALFUNC = segment_internal.quantile_cuts_serialize,
	DESERIALFUNC = segment_internal.quantile_cuts_deserialize,
	FINALFUNC = segment_internal.natural_cuts_final,
	FINALFUNC_MODIFY = READ_ONLY,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE segment.natural_cuts(float8, integer) IS
'the n - 1 cut points, ascending, of the n groups in which the sum of the squared distances of the values from the mean of their group is least, exactly: each the largest value of its group, in the unit of the values. With fewer different values than n, each has a group of its own and the last cut points are the largest value. Takes time in proportion to n and the number of different values; n, NULL, -0 and errors as for quantile_cuts (Fisher 1958, Jenks 1967)';
