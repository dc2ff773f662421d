/* segment.model: a customer model as one small value */

CREATE TYPE segment.model;

CREATE FUNCTION segment_internal.model_in(cstring) RETURNS segment.model
	AS 'MODULE_PATHNAME', 'segment_model_in'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION segment_internal.model_in(cstring) IS
'I/O: text form of a model, a JSON object; errors 22P02 for a text of another form, 22003 for a number beyond those of numeric, 22023 for values that are not allowed';

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

@include operators.template TYPE='model' ORDER='total order by the bytes of the value, without further meaning'

/* constructors and accessors */

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

/* Does the model say that no customer leaves, so that p_alive tells nothing? */
CREATE FUNCTION segment_internal.without_dropout(model segment.model) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
SELECT EXISTS (SELECT FROM unnest(segment.warnings(model)) AS w(warning) WHERE w.warning LIKE 'no_dropout:%');
END;
COMMENT ON FUNCTION segment_internal.without_dropout(segment.model) IS
'whether the data of a model of purchases show no sign of customers leaving, so that p_alive is unknown and not 1 (internal)';
