CREATE FUNCTION segment_internal.exact_avg_accum(internal, float8)
RETURNS internal
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_exact_avg_accum';
COMMENT ON FUNCTION segment_internal.exact_avg_accum(internal, float8) IS
'transition function of exact_avg and exact_sum';

CREATE FUNCTION segment_internal.exact_avg_combine(internal, internal)
RETURNS internal
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_exact_avg_combine';
COMMENT ON FUNCTION segment_internal.exact_avg_combine(internal, internal) IS
'combine function of exact_avg and exact_sum';

CREATE FUNCTION segment_internal.exact_avg_serialize(internal)
RETURNS bytea
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_exact_avg_serialize';
COMMENT ON FUNCTION segment_internal.exact_avg_serialize(internal) IS
'serialization function of exact_avg and exact_sum';

CREATE FUNCTION segment_internal.exact_avg_deserialize(bytea, internal)
RETURNS internal
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_exact_avg_deserialize';
COMMENT ON FUNCTION segment_internal.exact_avg_deserialize(bytea, internal) IS
'deserialization function of exact_avg and exact_sum';

CREATE FUNCTION segment_internal.exact_avg_final(internal)
RETURNS float8
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_exact_avg_final';
COMMENT ON FUNCTION segment_internal.exact_avg_final(internal) IS
'final function of exact_avg';

CREATE AGGREGATE segment.exact_avg(value float8) (
	SFUNC = segment_internal.exact_avg_accum,
	STYPE = internal,
	SSPACE = 64,
	COMBINEFUNC = segment_internal.exact_avg_combine,
	SERIALFUNC = segment_internal.exact_avg_serialize,
	DESERIALFUNC = segment_internal.exact_avg_deserialize,
	FINALFUNC = segment_internal.exact_avg_final,
	FINALFUNC_MODIFY = READ_ONLY,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE segment.exact_avg(float8) IS
'the mean of the values, each taken as the decimal number of 15 digits that it is shown as: the same bits as avg(value::numeric)::float8, for any order of rows and number of workers, several times faster; NULL values are skipped, NULL without any';

CREATE FUNCTION segment_internal.exact_sum_final(internal)
RETURNS numeric
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_exact_sum_final';
COMMENT ON FUNCTION segment_internal.exact_sum_final(internal) IS
'final function of exact_sum';

CREATE AGGREGATE segment_internal.exact_sum(value float8) (
	SFUNC = segment_internal.exact_avg_accum,
	STYPE = internal,
	SSPACE = 64,
	COMBINEFUNC = segment_internal.exact_avg_combine,
	SERIALFUNC = segment_internal.exact_avg_serialize,
	DESERIALFUNC = segment_internal.exact_avg_deserialize,
	FINALFUNC = segment_internal.exact_sum_final,
	FINALFUNC_MODIFY = READ_ONLY,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE segment_internal.exact_sum(float8) IS
'the sum of the values, each taken as the decimal number of 15 digits that it is shown as: sum(value::numeric), several times faster; NULL values are skipped, NULL without any';
