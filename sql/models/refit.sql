/* aggregates that fit the models of a portfolio, from days and from an earlier model */

CREATE FUNCTION segment_internal.refit_purchases(internal, text, text, segment.model, date, bigint, date, date) RETURNS internal
	AS 'MODULE_PATHNAME', 'segment_refit_purchases'
	LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE;
COMMENT ON FUNCTION segment_internal.refit_purchases(internal, text, text, segment.model, date, bigint, date, date) IS
'aggregate support: adds a customer (x, first day, last day) to a fit (internal)';

CREATE FUNCTION segment_internal.refit_spend(internal, text, text, segment.model, bigint, float8) RETURNS internal
	AS 'MODULE_PATHNAME', 'segment_refit_spend'
	LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE;
COMMENT ON FUNCTION segment_internal.refit_spend(internal, text, text, segment.model, bigint, float8) IS
'aggregate support: adds a customer (x, mean_spend) to a fit (internal)';

CREATE FUNCTION segment_internal.refit_combine(internal, internal) RETURNS internal
	AS 'MODULE_PATHNAME', 'segment_refit_combine'
	LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE;
COMMENT ON FUNCTION segment_internal.refit_combine(internal, internal) IS
'aggregate support: merges two states of a fit (internal)';

CREATE FUNCTION segment_internal.refit_serialize(internal) RETURNS bytea
	AS 'MODULE_PATHNAME', 'segment_refit_serialize'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION segment_internal.refit_serialize(internal) IS
'aggregate support: state of a fit as bytes, for another process (internal)';

CREATE FUNCTION segment_internal.refit_deserialize(bytea, internal) RETURNS internal
	AS 'MODULE_PATHNAME', 'segment_refit_deserialize'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION segment_internal.refit_deserialize(bytea, internal) IS
'aggregate support: state of a fit from the bytes of another process (internal)';

CREATE FUNCTION segment_internal.refit_final(internal) RETURNS segment.model
	AS 'MODULE_PATHNAME', 'segment_refit_final'
	LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE COST 1000000;
COMMENT ON FUNCTION segment_internal.refit_final(internal) IS
'aggregate support: fits a model to the collected state (internal)';

CREATE AGGREGATE segment_internal.refit_purchases(
	kind text, unit text, earlier segment.model, as_of date, x bigint, first_day date, last_day date
) (
	SFUNC = segment_internal.refit_purchases,
	STYPE = internal,
	SSPACE = 65536,
	FINALFUNC = segment_internal.refit_final,
	COMBINEFUNC = segment_internal.refit_combine,
	SERIALFUNC = segment_internal.refit_serialize,
	DESERIALFUNC = segment_internal.refit_deserialize,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE segment_internal.refit_purchases(text, text, segment.model, date, bigint, date, date) IS
'fit of a model of purchases to customers with x repeat purchases, known by the days of the first and the last purchase, as of a day; kind: bgnbd, mbgnbd or pnbd; unit: the time unit of the model; earlier: a model of similar customers, where the fit begins if it is of the same kind and unit and converged, or NULL: the result is the same up to rounding errors (1e-10). kind, unit, earlier and as_of are the same for all rows. Rows with a NULL elsewhere are skipped; NULL without rows; errors as for bgnbd_fit (internal)';

CREATE AGGREGATE segment_internal.refit_spend(
	kind text, unit text, earlier segment.model, x bigint, mean_spend float8
) (
	SFUNC = segment_internal.refit_spend,
	STYPE = internal,
	SSPACE = 65536,
	FINALFUNC = segment_internal.refit_final,
	COMBINEFUNC = segment_internal.refit_combine,
	SERIALFUNC = segment_internal.refit_serialize,
	DESERIALFUNC = segment_internal.refit_deserialize,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE segment_internal.refit_spend(text, text, segment.model, bigint, float8) IS
'fit of a model of spend to customers with x repeat purchases of a mean amount; kind: gammagamma; unit and earlier as for refit_purchases. Rows with a NULL elsewhere are skipped; NULL without rows; errors as for gammagamma_fit (internal)';
