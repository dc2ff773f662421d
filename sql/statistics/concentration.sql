/* ---------- concentration ---------- */

CREATE FUNCTION segment_internal.gini_accum(internal, numeric)
RETURNS internal
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_gini_accum';
COMMENT ON FUNCTION segment_internal.gini_accum(internal, numeric) IS
'transition function of gini';

CREATE FUNCTION segment_internal.top_share_accum(internal, numeric, float8)
RETURNS internal
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_top_share_accum';
COMMENT ON FUNCTION segment_internal.top_share_accum(internal, numeric, float8) IS
'transition function of top_share';

CREATE FUNCTION segment_internal.lorenz_accum(internal, numeric, integer)
RETURNS internal
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_lorenz_accum';
COMMENT ON FUNCTION segment_internal.lorenz_accum(internal, numeric, integer) IS
'transition function of lorenz and top_sums';

CREATE FUNCTION segment_internal.concentration_combine(internal, internal)
RETURNS internal
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_concentration_combine';
COMMENT ON FUNCTION segment_internal.concentration_combine(internal, internal) IS
'combine function of gini, top_share, top_sums and lorenz';

CREATE FUNCTION segment_internal.concentration_serialize(internal)
RETURNS bytea
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_concentration_serialize';
COMMENT ON FUNCTION segment_internal.concentration_serialize(internal) IS
'serialization function of gini, top_share, top_sums and lorenz';

CREATE FUNCTION segment_internal.concentration_deserialize(bytea, internal)
RETURNS internal
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_concentration_deserialize';
COMMENT ON FUNCTION segment_internal.concentration_deserialize(bytea, internal) IS
'deserialization function of gini, top_share, top_sums and lorenz';

CREATE FUNCTION segment_internal.gini_final(internal)
RETURNS float8
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_gini_final';
COMMENT ON FUNCTION segment_internal.gini_final(internal) IS
'final function of gini';

CREATE FUNCTION segment_internal.top_share_final(internal)
RETURNS float8
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_top_share_final';
COMMENT ON FUNCTION segment_internal.top_share_final(internal) IS
'final function of top_share';

CREATE FUNCTION segment_internal.lorenz_final(internal)
RETURNS float8[]
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_lorenz_final';
COMMENT ON FUNCTION segment_internal.lorenz_final(internal) IS
'final function of lorenz';

CREATE FUNCTION segment_internal.top_sums_final(internal)
RETURNS numeric[]
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_top_sums_final';
COMMENT ON FUNCTION segment_internal.top_sums_final(internal) IS
'final function of top_sums';

CREATE FUNCTION segment_internal.hhi_accum(internal, numeric)
RETURNS internal
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_hhi_accum';
COMMENT ON FUNCTION segment_internal.hhi_accum(internal, numeric) IS
'transition function of hhi';

CREATE FUNCTION segment_internal.hhi_combine(internal, internal)
RETURNS internal
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_hhi_combine';
COMMENT ON FUNCTION segment_internal.hhi_combine(internal, internal) IS
'combine function of hhi';

CREATE FUNCTION segment_internal.hhi_serialize(internal)
RETURNS bytea
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_hhi_serialize';
COMMENT ON FUNCTION segment_internal.hhi_serialize(internal) IS
'serialization function of hhi';

CREATE FUNCTION segment_internal.hhi_deserialize(bytea, internal)
RETURNS internal
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_hhi_deserialize';
COMMENT ON FUNCTION segment_internal.hhi_deserialize(bytea, internal) IS
'deserialization function of hhi';

CREATE FUNCTION segment_internal.hhi_final(internal)
RETURNS float8
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_hhi_final';
COMMENT ON FUNCTION segment_internal.hhi_final(internal) IS
'final function of hhi';

CREATE AGGREGATE segment.gini(value numeric) (
	SFUNC = segment_internal.gini_accum,
	STYPE = internal,
	SSPACE = 1024,
	COMBINEFUNC = segment_internal.concentration_combine,
	SERIALFUNC = segment_internal.concentration_serialize,
	DESERIALFUNC = segment_internal.concentration_deserialize,
	FINALFUNC = segment_internal.gini_final,
	FINALFUNC_MODIFY = READ_ONLY,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE segment.gini(numeric) IS
'Gini coefficient, half the relative mean absolute difference: 0 when all values are equal, (N - 1)/N when one of N has all; negative values count as they are, and the result can then exceed 1; rows with a NULL are skipped; NULL without rows and when the total is not positive; the same bits whatever the order of rows; error 22023 for NaN and infinity, 22003 for values beyond 27 digits before or 9 after the decimal point (Gini 1912)';

CREATE AGGREGATE segment.top_share(value numeric, fraction float8) (
	SFUNC = segment_internal.top_share_accum,
	STYPE = internal,
	SSPACE = 1024,
	COMBINEFUNC = segment_internal.concentration_combine,
	SERIALFUNC = segment_internal.concentration_serialize,
	DESERIALFUNC = segment_internal.concentration_deserialize,
	FINALFUNC = segment_internal.top_share_final,
	FINALFUNC_MODIFY = READ_ONLY,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE segment.top_share(numeric, float8) IS
'what the largest values, that fraction (0..1, the same for all rows) of their number, have of the total: 0..1; part of a value counts where fraction times number is not whole, as on the Lorenz curve; negative values count as they are, and the result can then exceed 1; rows with a NULL are skipped; NULL without rows and when the total is not positive; the same bits whatever the order of rows; error 22023 for NaN and infinity, 22003 for values beyond 27 digits before or 9 after the decimal point';

CREATE AGGREGATE segment.lorenz(value numeric, n integer) (
	SFUNC = segment_internal.lorenz_accum,
	STYPE = internal,
	SSPACE = 1024,
	COMBINEFUNC = segment_internal.concentration_combine,
	SERIALFUNC = segment_internal.concentration_serialize,
	DESERIALFUNC = segment_internal.concentration_deserialize,
	FINALFUNC = segment_internal.lorenz_final,
	FINALFUNC_MODIFY = READ_ONLY,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE segment.lorenz(numeric, integer) IS
'Lorenz curve: n shares of the total (n from 1 to 1000000, the same for all rows), the i-th what the smallest i/n of the values have, the last 1; part of a value counts where i/n times their number is not whole; negative values count as they are, and the curve is then below 0 at first; rows with a NULL are skipped; NULL without rows and when the total is not positive; the same bits whatever the order of rows; error 22023 for NaN and infinity, 22003 for values beyond 27 digits before or 9 after the decimal point, 54000 for too large an n (Lorenz 1905)';

CREATE AGGREGATE segment_internal.top_sums(value numeric, n integer) (
	SFUNC = segment_internal.lorenz_accum,
	STYPE = internal,
	SSPACE = 1024,
	COMBINEFUNC = segment_internal.concentration_combine,
	SERIALFUNC = segment_internal.concentration_serialize,
	DESERIALFUNC = segment_internal.concentration_deserialize,
	FINALFUNC = segment_internal.top_sums_final,
	FINALFUNC_MODIFY = READ_ONLY,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE segment_internal.top_sums(numeric, integer) IS
'n sums (n from 1 to 1000000, the same for all rows), the i-th that of the largest i/n of the values, their number rounded up, so that the last is the total; rows with a NULL are skipped; NULL without rows; the same bits whatever the order of rows; error 22023 for NaN and infinity, 22003 for values or sums beyond 27 digits before or values beyond 9 after the decimal point, 54000 for too large an n (internal, for concentration)';

CREATE AGGREGATE segment.hhi(value numeric) (
	SFUNC = segment_internal.hhi_accum,
	STYPE = internal,
	SSPACE = 128,
	COMBINEFUNC = segment_internal.hhi_combine,
	SERIALFUNC = segment_internal.hhi_serialize,
	DESERIALFUNC = segment_internal.hhi_deserialize,
	FINALFUNC = segment_internal.hhi_final,
	FINALFUNC_MODIFY = READ_ONLY,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE segment.hhi(numeric) IS
'Herfindahl-Hirschman index, the sum of the squared shares of the total: 1/N when all N values are equal, 1 when one has all; negative values count as they are, and the result can then exceed 1; rows with a NULL are skipped; NULL without rows and when the total is not positive; the same bits whatever the order of rows; error 22023 for NaN and infinity, 22003 for values beyond 27 digits before or 9 after the decimal point';
