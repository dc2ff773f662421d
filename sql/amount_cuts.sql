/* ---------- cut points of amounts ---------- */

CREATE FUNCTION segment.amount_cuts_accum(internal, numeric, integer)
RETURNS internal
AS 'MODULE_PATHNAME', 'amount_cuts_accum'
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE;
COMMENT ON FUNCTION segment.amount_cuts_accum(internal, numeric, integer) IS
'transition function of amount_cuts, top_cuts and share_cuts';

CREATE FUNCTION segment.amount_cuts_combine(internal, internal)
RETURNS internal
AS 'MODULE_PATHNAME', 'amount_cuts_combine'
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE;
COMMENT ON FUNCTION segment.amount_cuts_combine(internal, internal) IS
'combine function of amount_cuts, top_cuts and share_cuts';

CREATE FUNCTION segment.amount_cuts_serialize(internal)
RETURNS bytea
AS 'MODULE_PATHNAME', 'amount_cuts_serialize'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION segment.amount_cuts_serialize(internal) IS
'serialisation function of amount_cuts, top_cuts and share_cuts';

CREATE FUNCTION segment.amount_cuts_deserialize(bytea, internal)
RETURNS internal
AS 'MODULE_PATHNAME', 'amount_cuts_deserialize'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION segment.amount_cuts_deserialize(bytea, internal) IS
'deserialisation function of amount_cuts, top_cuts and share_cuts';

CREATE FUNCTION segment.amount_cuts_final(internal)
RETURNS numeric[]
AS 'MODULE_PATHNAME', 'amount_cuts_final'
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE;
COMMENT ON FUNCTION segment.amount_cuts_final(internal) IS
'final function of amount_cuts';

CREATE FUNCTION segment.top_cuts_final(internal)
RETURNS numeric[]
AS 'MODULE_PATHNAME', 'top_cuts_final'
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE;
COMMENT ON FUNCTION segment.top_cuts_final(internal) IS
'final function of top_cuts';

CREATE FUNCTION segment.share_cuts_final(internal)
RETURNS numeric[]
AS 'MODULE_PATHNAME', 'share_cuts_final'
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE;
COMMENT ON FUNCTION segment.share_cuts_final(internal) IS
'final function of share_cuts';

/* One transition function: with the same amounts and n they share their state. */
CREATE AGGREGATE segment.amount_cuts(amount numeric, n integer) (
	SFUNC = segment.amount_cuts_accum,
	STYPE = internal,
	SSPACE = 1024,
	COMBINEFUNC = segment.amount_cuts_combine,
	SERIALFUNC = segment.amount_cuts_serialize,
	DESERIALFUNC = segment.amount_cuts_deserialize,
	FINALFUNC = segment.amount_cuts_final,
	FINALFUNC_MODIFY = READ_ONLY,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE segment.amount_cuts(numeric, integer) IS
'the n - 1 cut points, ascending, of n equal-count groups of the amounts, each of them one of the amounts, exactly: percentile_disc(i/n) for i = 1..n-1; of equal amounts the one with the most decimals; n from 1 (empty array) to 1000000, the same for all rows; rows with a NULL are skipped; NULL without rows; error 22023 for NaN, infinity and a wrong n, 54000 for too large an n';

CREATE AGGREGATE segment.top_cuts(amount numeric, n integer) (
	SFUNC = segment.amount_cuts_accum,
	STYPE = internal,
	SSPACE = 1024,
	COMBINEFUNC = segment.amount_cuts_combine,
	SERIALFUNC = segment.amount_cuts_serialize,
	DESERIALFUNC = segment.amount_cuts_deserialize,
	FINALFUNC = segment.top_cuts_final,
	FINALFUNC_MODIFY = READ_ONLY,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE segment.top_cuts(numeric, integer) IS
'counted from the top: the last of the largest i/n of the amounts, their number rounded up, for i = 1..n-1 (descending); as amount_cuts otherwise';

CREATE AGGREGATE segment.share_cuts(amount numeric, n integer) (
	SFUNC = segment.amount_cuts_accum,
	STYPE = internal,
	SSPACE = 1024,
	COMBINEFUNC = segment.amount_cuts_combine,
	SERIALFUNC = segment.amount_cuts_serialize,
	DESERIALFUNC = segment.amount_cuts_deserialize,
	FINALFUNC = segment.share_cuts_final,
	FINALFUNC_MODIFY = READ_ONLY,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE segment.share_cuts(numeric, integer) IS
'the least of the largest amounts that together bring the first i/n of the total, for i = 1..n-1 (descending): those before which less than i/n of the total is counted, equal amounts together; only amounts above 0 count, NULL if there is none; as amount_cuts otherwise';

/* ---------- sum and mean ---------- */

CREATE FUNCTION segment.exact_avg_accum(internal, float8)
RETURNS internal
AS 'MODULE_PATHNAME', 'exact_avg_accum'
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE;
COMMENT ON FUNCTION segment.exact_avg_accum(internal, float8) IS
'transition function of exact_avg and exact_sum';

CREATE FUNCTION segment.exact_avg_combine(internal, internal)
RETURNS internal
AS 'MODULE_PATHNAME', 'exact_avg_combine'
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE;
COMMENT ON FUNCTION segment.exact_avg_combine(internal, internal) IS
'combine function of exact_avg and exact_sum';

CREATE FUNCTION segment.exact_avg_serialize(internal)
RETURNS bytea
AS 'MODULE_PATHNAME', 'exact_avg_serialize'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION segment.exact_avg_serialize(internal) IS
'serialisation function of exact_avg and exact_sum';

CREATE FUNCTION segment.exact_avg_deserialize(bytea, internal)
RETURNS internal
AS 'MODULE_PATHNAME', 'exact_avg_deserialize'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION segment.exact_avg_deserialize(bytea, internal) IS
'deserialisation function of exact_avg and exact_sum';

CREATE FUNCTION segment.exact_avg_final(internal)
RETURNS float8
AS 'MODULE_PATHNAME', 'exact_avg_final'
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE;
COMMENT ON FUNCTION segment.exact_avg_final(internal) IS
'final function of exact_avg';

CREATE AGGREGATE segment.exact_avg(value float8) (
	SFUNC = segment.exact_avg_accum,
	STYPE = internal,
	SSPACE = 64,
	COMBINEFUNC = segment.exact_avg_combine,
	SERIALFUNC = segment.exact_avg_serialize,
	DESERIALFUNC = segment.exact_avg_deserialize,
	FINALFUNC = segment.exact_avg_final,
	FINALFUNC_MODIFY = READ_ONLY,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE segment.exact_avg(float8) IS
'the mean of the values, each taken as the decimal number of 15 digits that it is shown as: the same bits as avg(value::numeric)::float8, for any order of rows and number of workers, several times faster; NULL values are skipped, NULL without any';

CREATE FUNCTION segment.exact_sum_final(internal)
RETURNS numeric
AS 'MODULE_PATHNAME', 'exact_sum_final'
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE;
COMMENT ON FUNCTION segment.exact_sum_final(internal) IS
'final function of exact_sum';

CREATE AGGREGATE segment.exact_sum(value float8) (
	SFUNC = segment.exact_avg_accum,
	STYPE = internal,
	SSPACE = 64,
	COMBINEFUNC = segment.exact_avg_combine,
	SERIALFUNC = segment.exact_avg_serialize,
	DESERIALFUNC = segment.exact_avg_deserialize,
	FINALFUNC = segment.exact_sum_final,
	FINALFUNC_MODIFY = READ_ONLY,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE segment.exact_sum(float8) IS
'the sum of the values, each taken as the decimal number of 15 digits that it is shown as: sum(value::numeric), several times faster; NULL values are skipped, NULL without any';

/* ---------- medians of classes ---------- */

CREATE FUNCTION segment.class_medians_accum(internal, integer, float8, integer[])
RETURNS internal
AS 'MODULE_PATHNAME', 'class_medians_accum'
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE;
COMMENT ON FUNCTION segment.class_medians_accum(internal, integer, float8, integer[]) IS
'transition function of class_medians';

CREATE FUNCTION segment.class_medians_combine(internal, internal)
RETURNS internal
AS 'MODULE_PATHNAME', 'class_medians_combine'
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE;
COMMENT ON FUNCTION segment.class_medians_combine(internal, internal) IS
'combine function of class_medians';

CREATE FUNCTION segment.class_medians_serialize(internal)
RETURNS bytea
AS 'MODULE_PATHNAME', 'class_medians_serialize'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION segment.class_medians_serialize(internal) IS
'serialisation function of class_medians';

CREATE FUNCTION segment.class_medians_deserialize(bytea, internal)
RETURNS internal
AS 'MODULE_PATHNAME', 'class_medians_deserialize'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION segment.class_medians_deserialize(bytea, internal) IS
'deserialisation function of class_medians';

CREATE FUNCTION segment.class_medians_final(internal)
RETURNS float8[]
AS 'MODULE_PATHNAME', 'class_medians_final'
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE;
COMMENT ON FUNCTION segment.class_medians_final(internal) IS
'final function of class_medians';

CREATE AGGREGATE segment.class_medians(customer_group integer, value float8, class_of integer[]) (
	SFUNC = segment.class_medians_accum,
	STYPE = internal,
	SSPACE = 16384,
	COMBINEFUNC = segment.class_medians_combine,
	SERIALFUNC = segment.class_medians_serialize,
	DESERIALFUNC = segment.class_medians_deserialize,
	FINALFUNC = segment.class_medians_final,
	FINALFUNC_MODIFY = READ_ONLY,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE segment.class_medians(integer, float8, integer[]) IS
'the median of each class of several schemes at once, by the number of the class: the smallest value that at least half do not exceed, NULL without a value. Customers in the same class of every scheme are a group; class_of[scheme][group] is the number of its class, from 1, the same for all rows; rows with a NULL are skipped; errors: 22023 NaN, infinity, a group or class out of range (internal, for segment_profile)';

CREATE FUNCTION segment.class_medians_accum(internal, integer, numeric, integer[])
RETURNS internal
AS 'MODULE_PATHNAME', 'class_medians_accum_numeric'
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE;
COMMENT ON FUNCTION segment.class_medians_accum(internal, integer, numeric, integer[]) IS
'transition function of class_medians';

CREATE FUNCTION segment.class_medians_final_numeric(internal)
RETURNS numeric[]
AS 'MODULE_PATHNAME', 'class_medians_final_numeric'
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE;
COMMENT ON FUNCTION segment.class_medians_final_numeric(internal) IS
'final function of class_medians';

CREATE AGGREGATE segment.class_medians(customer_group integer, value numeric, class_of integer[]) (
	SFUNC = segment.class_medians_accum,
	STYPE = internal,
	SSPACE = 32768,
	COMBINEFUNC = segment.class_medians_combine,
	SERIALFUNC = segment.class_medians_serialize,
	DESERIALFUNC = segment.class_medians_deserialize,
	FINALFUNC = segment.class_medians_final_numeric,
	FINALFUNC_MODIFY = READ_ONLY,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE segment.class_medians(integer, numeric, integer[]) IS
'the median of each class of several schemes at once, by the number of the class: the smallest value that at least half do not exceed, NULL without a value. Customers in the same class of every scheme are a group; class_of[scheme][group] is the number of its class, from 1, the same for all rows; rows with a NULL are skipped; errors: 22023 NaN, infinity, a group or class out of range (internal, for segment_profile)';
