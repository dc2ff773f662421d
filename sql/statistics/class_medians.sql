CREATE FUNCTION segment_internal.class_medians_accum(internal, integer, float8[], integer[])
RETURNS internal
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_class_medians_accum';
COMMENT ON FUNCTION segment_internal.class_medians_accum(internal, integer, float8[], integer[]) IS
'transition function of class_medians';

CREATE FUNCTION segment_internal.class_medians_combine(internal, internal)
RETURNS internal
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_class_medians_combine';
COMMENT ON FUNCTION segment_internal.class_medians_combine(internal, internal) IS
'combine function of class_medians';

CREATE FUNCTION segment_internal.class_medians_serialize(internal)
RETURNS bytea
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_class_medians_serialize';
COMMENT ON FUNCTION segment_internal.class_medians_serialize(internal) IS
'serialization function of class_medians';

CREATE FUNCTION segment_internal.class_medians_deserialize(bytea, internal)
RETURNS internal
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_class_medians_deserialize';
COMMENT ON FUNCTION segment_internal.class_medians_deserialize(bytea, internal) IS
'deserialization function of class_medians';

CREATE FUNCTION segment_internal.class_medians_final(internal)
RETURNS float8[]
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_class_medians_final';
COMMENT ON FUNCTION segment_internal.class_medians_final(internal) IS
'final function of class_medians';

CREATE AGGREGATE segment_internal.class_medians(customer_group integer, group_values float8[], class_of integer[]) (
	SFUNC = segment_internal.class_medians_accum,
	STYPE = internal,
	SSPACE = 16384,
	COMBINEFUNC = segment_internal.class_medians_combine,
	SERIALFUNC = segment_internal.class_medians_serialize,
	DESERIALFUNC = segment_internal.class_medians_deserialize,
	FINALFUNC = segment_internal.class_medians_final,
	FINALFUNC_MODIFY = READ_ONLY,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE segment_internal.class_medians(integer, float8[], integer[]) IS
'the median of each class of several schemes at once, by the number of the class: the smallest value that at least half do not exceed, NULL without a value. Customers in the same class of every scheme are a group, whose values come in one or more rows; class_of[scheme][group] is the number of its class, from 1, the same for all rows; rows with a NULL are skipped, and values that are NULL; errors: 22023 NaN, infinity, a group or class out of range (internal, for segment_profile)';
