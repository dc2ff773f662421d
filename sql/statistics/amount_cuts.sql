/* ---------- cut points of amounts ---------- */

CREATE FUNCTION segment_internal.amount_cuts_accum(internal, numeric, integer)
RETURNS internal
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_amount_cuts_accum';
COMMENT ON FUNCTION segment_internal.amount_cuts_accum(internal, numeric, integer) IS
'transition function of amount_cuts, top_cuts and share_cuts';

CREATE FUNCTION segment_internal.amount_cuts_combine(internal, internal)
RETURNS internal
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_amount_cuts_combine';
COMMENT ON FUNCTION segment_internal.amount_cuts_combine(internal, internal) IS
'combine function of amount_cuts, top_cuts and share_cuts';

CREATE FUNCTION segment_internal.amount_cuts_serialize(internal)
RETURNS bytea
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_amount_cuts_serialize';
COMMENT ON FUNCTION segment_internal.amount_cuts_serialize(internal) IS
'serialization function of amount_cuts, top_cuts and share_cuts';

CREATE FUNCTION segment_internal.amount_cuts_deserialize(bytea, internal)
RETURNS internal
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_amount_cuts_deserialize';
COMMENT ON FUNCTION segment_internal.amount_cuts_deserialize(bytea, internal) IS
'deserialization function of amount_cuts, top_cuts and share_cuts';

CREATE FUNCTION segment_internal.amount_cuts_final(internal)
RETURNS numeric[]
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_amount_cuts_final';
COMMENT ON FUNCTION segment_internal.amount_cuts_final(internal) IS
'final function of amount_cuts';

CREATE FUNCTION segment_internal.top_cuts_final(internal)
RETURNS numeric[]
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_top_cuts_final';
COMMENT ON FUNCTION segment_internal.top_cuts_final(internal) IS
'final function of top_cuts';

CREATE FUNCTION segment_internal.share_cuts_final(internal)
RETURNS numeric[]
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_share_cuts_final';
COMMENT ON FUNCTION segment_internal.share_cuts_final(internal) IS
'final function of share_cuts';

/* One transition function: with the same amounts and n they share their state. */
CREATE AGGREGATE segment.amount_cuts(amount numeric, n integer) (
	SFUNC = segment_internal.amount_cuts_accum,
	STYPE = internal,
	SSPACE = 1024,
	COMBINEFUNC = segment_internal.amount_cuts_combine,
	SERIALFUNC = segment_internal.amount_cuts_serialize,
	DESERIALFUNC = segment_internal.amount_cuts_deserialize,
	FINALFUNC = segment_internal.amount_cuts_final,
	FINALFUNC_MODIFY = READ_ONLY,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE segment.amount_cuts(numeric, integer) IS
'the n - 1 cut points, ascending, of n equal-count groups of the amounts, each of them one of the amounts, exactly: percentile_disc(i/n) for i = 1..n-1; of equal amounts the one with the most decimals; n from 1 (empty array) to 1000000, the same for all rows; rows with a NULL are skipped; NULL without rows; error 22023 for NaN, infinity and a wrong n, 54000 for too large an n and for cut points of more than 64 MB of text';

CREATE AGGREGATE segment.top_cuts(amount numeric, n integer) (
	SFUNC = segment_internal.amount_cuts_accum,
	STYPE = internal,
	SSPACE = 1024,
	COMBINEFUNC = segment_internal.amount_cuts_combine,
	SERIALFUNC = segment_internal.amount_cuts_serialize,
	DESERIALFUNC = segment_internal.amount_cuts_deserialize,
	FINALFUNC = segment_internal.top_cuts_final,
	FINALFUNC_MODIFY = READ_ONLY,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE segment.top_cuts(numeric, integer) IS
'counted from the top: the last of the largest i/n of the amounts, their number rounded up, for i = 1..n-1 (descending); as amount_cuts otherwise';

CREATE AGGREGATE segment.share_cuts(amount numeric, n integer) (
	SFUNC = segment_internal.amount_cuts_accum,
	STYPE = internal,
	SSPACE = 1024,
	COMBINEFUNC = segment_internal.amount_cuts_combine,
	SERIALFUNC = segment_internal.amount_cuts_serialize,
	DESERIALFUNC = segment_internal.amount_cuts_deserialize,
	FINALFUNC = segment_internal.share_cuts_final,
	FINALFUNC_MODIFY = READ_ONLY,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE segment.share_cuts(numeric, integer) IS
'the least of the largest amounts that together bring the first i/n of the total, for i = 1..n-1 (descending): those before which less than i/n of the total is counted, equal amounts together; only amounts above 0 count, NULL if there is none; as amount_cuts otherwise';
