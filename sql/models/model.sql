/* segment.model: a customer model as one small value */

CREATE TYPE segment.model;

CREATE FUNCTION segment_internal.model_in(cstring) RETURNS segment.model
	AS 'MODULE_PATHNAME', 'segment_model_in'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION segment_internal.model_in(cstring) IS
'I/O: text form of a model, a JSON object; errors 22P02 for a text of another form, 22023 for values that are not allowed';

CREATE FUNCTION segment_internal.model_out(segment.model) RETURNS cstring
	AS 'MODULE_PATHNAME', 'segment_model_out'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION segment_internal.model_out(segment.model) IS
'I/O: text form of a model, a JSON object; reads back as the same bits, whatever the settings';

CREATE FUNCTION segment_internal.model_recv(internal) RETURNS segment.model
	AS 'MODULE_PATHNAME', 'segment_model_recv'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION segment_internal.model_recv(internal) IS
'I/O: binary form of a model; errors 22P03 for damaged bytes, 0A000 for a newer format version';

CREATE FUNCTION segment_internal.model_send(segment.model) RETURNS bytea
	AS 'MODULE_PATHNAME', 'segment_model_send'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION segment_internal.model_send(segment.model) IS
'I/O: binary form of a model, in network byte order, beginning with a version byte';

CREATE TYPE segment.model (
	INPUT = segment_internal.model_in,
	OUTPUT = segment_internal.model_out,
	RECEIVE = segment_internal.model_recv,
	SEND = segment_internal.model_send,
	INTERNALLENGTH = VARIABLE,
	ALIGNMENT = double,
	STORAGE = main
);
COMMENT ON TYPE segment.model IS
'customer model: kind (bgnbd, mbgnbd, pnbd, bgbb, gammagamma), parameters with covariance, log-likelihood, rows and customers, time unit, status, warnings';

CREATE FUNCTION segment_internal.model_lt(segment.model, segment.model) RETURNS boolean
	AS 'MODULE_PATHNAME', 'segment_model_lt'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION segment_internal.model_lt(segment.model, segment.model) IS
'implementation of <: the left model sorts before the right one; the order has no meaning of its own';

CREATE FUNCTION segment_internal.model_le(segment.model, segment.model) RETURNS boolean
	AS 'MODULE_PATHNAME', 'segment_model_le'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION segment_internal.model_le(segment.model, segment.model) IS
'implementation of <=: the left model sorts before or equals the right one; the order has no meaning of its own';

CREATE FUNCTION segment_internal.model_eq(segment.model, segment.model) RETURNS boolean
	AS 'MODULE_PATHNAME', 'segment_model_eq'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION segment_internal.model_eq(segment.model, segment.model) IS
'implementation of =: the left model equals: the same in every part, to the last bit, the right one; the order has no meaning of its own';

CREATE FUNCTION segment_internal.model_ne(segment.model, segment.model) RETURNS boolean
	AS 'MODULE_PATHNAME', 'segment_model_ne'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION segment_internal.model_ne(segment.model, segment.model) IS
'implementation of <>: the left model differs from the right one; the order has no meaning of its own';

CREATE FUNCTION segment_internal.model_ge(segment.model, segment.model) RETURNS boolean
	AS 'MODULE_PATHNAME', 'segment_model_ge'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION segment_internal.model_ge(segment.model, segment.model) IS
'implementation of >=: the left model sorts after or equals the right one; the order has no meaning of its own';

CREATE FUNCTION segment_internal.model_gt(segment.model, segment.model) RETURNS boolean
	AS 'MODULE_PATHNAME', 'segment_model_gt'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION segment_internal.model_gt(segment.model, segment.model) IS
'implementation of >: the left model sorts after the right one; the order has no meaning of its own';

CREATE FUNCTION segment_internal.model_cmp(segment.model, segment.model) RETURNS integer
	AS 'MODULE_PATHNAME', 'segment_model_cmp'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION segment_internal.model_cmp(segment.model, segment.model) IS
'btree support: -1, 0 or 1; the order has no meaning of its own';

CREATE FUNCTION segment_internal.model_hash(segment.model) RETURNS integer
	AS 'MODULE_PATHNAME', 'segment_model_hash'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION segment_internal.model_hash(segment.model) IS
'hash support';

CREATE FUNCTION segment_internal.model_hash_extended(segment.model, bigint) RETURNS bigint
	AS 'MODULE_PATHNAME', 'segment_model_hash_extended'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION segment_internal.model_hash_extended(segment.model, bigint) IS
'hash support with a seed';

CREATE OPERATOR segment.< (
	LEFTARG = segment.model, RIGHTARG = segment.model,
	FUNCTION = segment_internal.model_lt,
	COMMUTATOR = OPERATOR(segment.>), NEGATOR = OPERATOR(segment.>=),
	RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
COMMENT ON OPERATOR segment.< (segment.model, segment.model) IS
'sorts before';

CREATE OPERATOR segment.<= (
	LEFTARG = segment.model, RIGHTARG = segment.model,
	FUNCTION = segment_internal.model_le,
	COMMUTATOR = OPERATOR(segment.>=), NEGATOR = OPERATOR(segment.>),
	RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
COMMENT ON OPERATOR segment.<= (segment.model, segment.model) IS
'sorts before or equals';

CREATE OPERATOR segment.= (
	LEFTARG = segment.model, RIGHTARG = segment.model,
	FUNCTION = segment_internal.model_eq,
	COMMUTATOR = OPERATOR(segment.=), NEGATOR = OPERATOR(segment.<>),
	RESTRICT = eqsel, JOIN = eqjoinsel,
	HASHES, MERGES
);
COMMENT ON OPERATOR segment.= (segment.model, segment.model) IS
'equal in every part, to the last bit';

CREATE OPERATOR segment.<> (
	LEFTARG = segment.model, RIGHTARG = segment.model,
	FUNCTION = segment_internal.model_ne,
	COMMUTATOR = OPERATOR(segment.<>), NEGATOR = OPERATOR(segment.=),
	RESTRICT = neqsel, JOIN = neqjoinsel
);
COMMENT ON OPERATOR segment.<> (segment.model, segment.model) IS
'different in some part';

CREATE OPERATOR segment.>= (
	LEFTARG = segment.model, RIGHTARG = segment.model,
	FUNCTION = segment_internal.model_ge,
	COMMUTATOR = OPERATOR(segment.<=), NEGATOR = OPERATOR(segment.<),
	RESTRICT = scalargesel, JOIN = scalargejoinsel
);
COMMENT ON OPERATOR segment.>= (segment.model, segment.model) IS
'sorts after or equals';

CREATE OPERATOR segment.> (
	LEFTARG = segment.model, RIGHTARG = segment.model,
	FUNCTION = segment_internal.model_gt,
	COMMUTATOR = OPERATOR(segment.<), NEGATOR = OPERATOR(segment.<=),
	RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);
COMMENT ON OPERATOR segment.> (segment.model, segment.model) IS
'sorts after';

CREATE OPERATOR CLASS segment.model_ops
	DEFAULT FOR TYPE segment.model USING btree AS
		OPERATOR 1 segment.<,
		OPERATOR 2 segment.<=,
		OPERATOR 3 segment.=,
		OPERATOR 4 segment.>=,
		OPERATOR 5 segment.>,
		FUNCTION 1 segment_internal.model_cmp(segment.model, segment.model);
COMMENT ON OPERATOR CLASS segment.model_ops USING btree IS
'models in the order of their bytes, for DISTINCT, merge joins and unique indexes';
COMMENT ON OPERATOR FAMILY segment.model_ops USING btree IS
'models in the order of their bytes, for DISTINCT, merge joins and unique indexes';

CREATE OPERATOR CLASS segment.model_ops
	DEFAULT FOR TYPE segment.model USING hash AS
		OPERATOR 1 segment.=,
		FUNCTION 1 segment_internal.model_hash(segment.model),
		FUNCTION 2 segment_internal.model_hash_extended(segment.model, bigint);
COMMENT ON OPERATOR CLASS segment.model_ops USING hash IS
'models by equality';
COMMENT ON OPERATOR FAMILY segment.model_ops USING hash IS
'models by equality';

CREATE FUNCTION segment.model(kind text, params jsonb) RETURNS segment.model
	AS 'MODULE_PATHNAME', 'segment_model_make'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION segment.model(text, jsonb) IS
'a model from known parameters: bgnbd and mbgnbd have r, alpha, a, b; pnbd has r, alpha, s, beta; bgbb has alpha, beta, gamma, delta; gammagamma has p, q, gamma; each between 1e-40 and 1e+40; status given, time unit week (see with_unit); error 22023 for an unknown kind, a missing or unknown name, or a value out of range';

CREATE FUNCTION segment.with_unit(model segment.model, unit text) RETURNS segment.model
	AS 'MODULE_PATHNAME', 'segment_model_with_unit'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION segment.with_unit(segment.model, text) IS
'the same model, said to be in the time unit day, week, month (30.4375 days) or year (365.25 days): the unit of the x, t_x, t it was fitted on, which discounting needs; the parameters are not converted; error 22023 for another unit';

CREATE FUNCTION segment.kind(model segment.model) RETURNS text
	AS 'MODULE_PATHNAME', 'segment_model_kind'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION segment.kind(segment.model) IS
'kind of the model: bgnbd, mbgnbd, pnbd, bgbb or gammagamma';

CREATE FUNCTION segment.unit(model segment.model) RETURNS text
	AS 'MODULE_PATHNAME', 'segment_model_unit'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION segment.unit(segment.model) IS
'time unit of the model: day, week, month or year; see with_unit';

CREATE FUNCTION segment.status(model segment.model) RETURNS text
	AS 'MODULE_PATHNAME', 'segment_model_status'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION segment.status(segment.model) IS
'how the parameters came about: given (not fitted), converged (a proper maximum of the likelihood), boundary (the likelihood is highest at a limit of the model; some parameters are held there), flat (the data do not determine the parameters), too_few (fewer than 10 customers with a repeat purchase: do not use), not_converged (the best parameters found, not a maximum)';

CREATE FUNCTION segment.params(model segment.model) RETURNS jsonb
	AS 'MODULE_PATHNAME', 'segment_model_params'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION segment.params(segment.model) IS
'the parameters of the model as a JSON object';

CREATE FUNCTION segment.param(model segment.model, name text) RETURNS float8
	AS 'MODULE_PATHNAME', 'segment_model_param'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION segment.param(segment.model, text) IS
'one parameter of the model; times in the unit of the model; error 22023 if the kind has no such parameter';

CREATE FUNCTION segment.stderr(model segment.model, name text) RETURNS float8
	AS 'MODULE_PATHNAME', 'segment_model_stderr'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION segment.stderr(segment.model, text) IS
'standard error of one parameter, from the observed information at the maximum; NULL for a model that was not fitted, a parameter held at a limit, and where the likelihood has no proper maximum; error 22023 if the kind has no such parameter';

CREATE FUNCTION segment.covariance(model segment.model) RETURNS float8[]
	AS 'MODULE_PATHNAME', 'segment_model_covariance'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION segment.covariance(segment.model) IS
'covariance matrix of the parameters in the order of the kind (inverse observed information); NULL for a model that was not fitted, NULL elements for parameters held at a limit';

CREATE FUNCTION segment.loglik(model segment.model) RETURNS float8
	AS 'MODULE_PATHNAME', 'segment_model_loglik'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION segment.loglik(segment.model) IS
'log-likelihood of the data at the parameters, in the time unit of the data, without the combinatorial constant that the papers leave out too; NULL for a model that was not fitted';

CREATE FUNCTION segment.rows(model segment.model) RETURNS bigint
	AS 'MODULE_PATHNAME', 'segment_model_rows'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION segment.rows(segment.model) IS
'rows that the fit used; 0 for a model that was not fitted';

CREATE FUNCTION segment.customers(model segment.model) RETURNS float8
	AS 'MODULE_PATHNAME', 'segment_model_customers'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION segment.customers(segment.model) IS
'customers that the fit used: the sum of the weights; 0 for a model that was not fitted';

CREATE FUNCTION segment.warnings(model segment.model) RETURNS text[]
	AS 'MODULE_PATHNAME', 'segment_model_warnings'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION segment.warnings(segment.model) IS
'what to know before using the model, each as name: explanation; empty if nothing; see doc/models.md for what to do about each';
