/*
 * rfm: the small summary of a customer's orders
 */

CREATE TYPE segment.rfm;

CREATE FUNCTION segment_internal.rfm_in(cstring) RETURNS segment.rfm
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'rfm_in';
COMMENT ON FUNCTION segment_internal.rfm_in(cstring) IS 'text input; errors 22P02 and 22023';

CREATE FUNCTION segment_internal.rfm_out(segment.rfm) RETURNS cstring
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'rfm_out';
COMMENT ON FUNCTION segment_internal.rfm_out(segment.rfm) IS 'text output, the same under every setting';

CREATE FUNCTION segment_internal.rfm_recv(internal) RETURNS segment.rfm
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'rfm_recv';
COMMENT ON FUNCTION segment_internal.rfm_recv(internal) IS 'binary input; error 22P03';

CREATE FUNCTION segment_internal.rfm_send(segment.rfm) RETURNS bytea
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'rfm_send';
COMMENT ON FUNCTION segment_internal.rfm_send(segment.rfm) IS 'binary output';

CREATE TYPE segment.rfm (
	INPUT = segment_internal.rfm_in, OUTPUT = segment_internal.rfm_out,
	RECEIVE = segment_internal.rfm_recv, SEND = segment_internal.rfm_send,
	INTERNALLENGTH = 64, ALIGNMENT = double
);
COMMENT ON TYPE segment.rfm IS
'summary of orders: their number and exact amount, refunds, first and last time; 64 bytes';

/* aggregates */

CREATE FUNCTION segment_internal.rfm_accum(state segment.rfm, at timestamptz, amount numeric) RETURNS segment.rfm
LANGUAGE C IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'rfm_accum_timestamptz_numeric';
COMMENT ON FUNCTION segment_internal.rfm_accum(segment.rfm, timestamptz, numeric) IS
'transition function of rfm_agg: one order (amount >= 0) or refund (amount < 0); a NULL skips the row';

CREATE FUNCTION segment_internal.rfm_accum(state segment.rfm, at timestamptz, amount float8) RETURNS segment.rfm
LANGUAGE C IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'rfm_accum_timestamptz_float8';
COMMENT ON FUNCTION segment_internal.rfm_accum(segment.rfm, timestamptz, float8) IS
'transition function of rfm_agg: one order (amount >= 0) or refund (amount < 0); a NULL skips the row';

CREATE FUNCTION segment_internal.rfm_accum(state segment.rfm, at timestamptz, amount bigint) RETURNS segment.rfm
LANGUAGE C IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'rfm_accum_timestamptz_int8';
COMMENT ON FUNCTION segment_internal.rfm_accum(segment.rfm, timestamptz, bigint) IS
'transition function of rfm_agg: one order (amount >= 0) or refund (amount < 0); a NULL skips the row';

CREATE FUNCTION segment_internal.rfm_accum(state segment.rfm, at date, amount numeric) RETURNS segment.rfm
LANGUAGE C IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'rfm_accum_date_numeric';
COMMENT ON FUNCTION segment_internal.rfm_accum(segment.rfm, date, numeric) IS
'transition function of rfm_agg: one order (amount >= 0) or refund (amount < 0); a NULL skips the row';

CREATE FUNCTION segment_internal.rfm_accum(state segment.rfm, at date, amount float8) RETURNS segment.rfm
LANGUAGE C IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'rfm_accum_date_float8';
COMMENT ON FUNCTION segment_internal.rfm_accum(segment.rfm, date, float8) IS
'transition function of rfm_agg: one order (amount >= 0) or refund (amount < 0); a NULL skips the row';

CREATE FUNCTION segment_internal.rfm_accum(state segment.rfm, at date, amount bigint) RETURNS segment.rfm
LANGUAGE C IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'rfm_accum_date_int8';
COMMENT ON FUNCTION segment_internal.rfm_accum(segment.rfm, date, bigint) IS
'transition function of rfm_agg: one order (amount >= 0) or refund (amount < 0); a NULL skips the row';

CREATE FUNCTION segment_internal.rfm_combine(state segment.rfm, other segment.rfm) RETURNS segment.rfm
LANGUAGE C IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'rfm_combine';
COMMENT ON FUNCTION segment_internal.rfm_combine(segment.rfm, segment.rfm) IS
'combine function of rfm_agg and transition function of rollup: adds two summaries; NULL adds nothing';

CREATE AGGREGATE segment.rfm_agg(at timestamptz, amount numeric) (
	SFUNC = segment_internal.rfm_accum, STYPE = segment.rfm,
	COMBINEFUNC = segment_internal.rfm_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE segment.rfm_agg(timestamptz, numeric) IS
'summary of orders (when, amount): an amount >= 0 is an order, < 0 a refund; rows with a NULL are skipped, no rows give NULL; sums are exact; errors: 22003 amount or sum beyond 27 digits or 9 decimals, 22008 infinite time, 22023 NaN or infinite amount';

CREATE AGGREGATE segment.rfm_agg(at timestamptz, amount float8) (
	SFUNC = segment_internal.rfm_accum, STYPE = segment.rfm,
	COMBINEFUNC = segment_internal.rfm_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE segment.rfm_agg(timestamptz, float8) IS
'summary of orders (when, amount): an amount >= 0 is an order, < 0 a refund; an amount counts with 15 significant digits (a whole one from 10^15 on exactly) and 9 decimals; rows with a NULL are skipped, no rows give NULL; sums are exact; errors: 22003 amount or sum beyond 27 digits or 9 decimals, 22008 infinite time, 22023 NaN or infinite amount';

CREATE AGGREGATE segment.rfm_agg(at timestamptz, amount bigint) (
	SFUNC = segment_internal.rfm_accum, STYPE = segment.rfm,
	COMBINEFUNC = segment_internal.rfm_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE segment.rfm_agg(timestamptz, bigint) IS
'summary of orders (when, amount): an amount >= 0 is an order, < 0 a refund; rows with a NULL are skipped, no rows give NULL; sums are exact; errors: 22003 amount or sum beyond 27 digits or 9 decimals, 22008 infinite time, 22023 NaN or infinite amount';

CREATE AGGREGATE segment.rfm_agg(at date, amount numeric) (
	SFUNC = segment_internal.rfm_accum, STYPE = segment.rfm,
	COMBINEFUNC = segment_internal.rfm_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE segment.rfm_agg(date, numeric) IS
'summary of orders (when, amount): an amount >= 0 is an order, < 0 a refund; a date counts as its midnight in UTC, whatever the time zone of the session; rows with a NULL are skipped, no rows give NULL; sums are exact; errors: 22003 amount or sum beyond 27 digits or 9 decimals, 22008 infinite time, 22023 NaN or infinite amount';

CREATE AGGREGATE segment.rfm_agg(at date, amount float8) (
	SFUNC = segment_internal.rfm_accum, STYPE = segment.rfm,
	COMBINEFUNC = segment_internal.rfm_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE segment.rfm_agg(date, float8) IS
'summary of orders (when, amount): an amount >= 0 is an order, < 0 a refund; a date counts as its midnight in UTC, whatever the time zone of the session; an amount counts with 15 significant digits (a whole one from 10^15 on exactly) and 9 decimals; rows with a NULL are skipped, no rows give NULL; sums are exact; errors: 22003 amount or sum beyond 27 digits or 9 decimals, 22008 infinite time, 22023 NaN or infinite amount';

CREATE AGGREGATE segment.rfm_agg(at date, amount bigint) (
	SFUNC = segment_internal.rfm_accum, STYPE = segment.rfm,
	COMBINEFUNC = segment_internal.rfm_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE segment.rfm_agg(date, bigint) IS
'summary of orders (when, amount): an amount >= 0 is an order, < 0 a refund; a date counts as its midnight in UTC, whatever the time zone of the session; rows with a NULL are skipped, no rows give NULL; sums are exact; errors: 22003 amount or sum beyond 27 digits or 9 decimals, 22008 infinite time, 22023 NaN or infinite amount';

CREATE AGGREGATE segment.rollup(summary segment.rfm) (
	SFUNC = segment_internal.rfm_combine, STYPE = segment.rfm,
	COMBINEFUNC = segment_internal.rfm_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE segment.rollup(segment.rfm) IS
'merges summaries; any order and any grouping gives the same bits; NULLs are skipped';

/* accessors */

CREATE FUNCTION segment.orders(summary segment.rfm) RETURNS bigint
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'rfm_orders';
COMMENT ON FUNCTION segment.orders(segment.rfm) IS
'number of orders (amounts >= 0)';

CREATE FUNCTION segment.refunds(summary segment.rfm) RETURNS bigint
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'rfm_refunds';
COMMENT ON FUNCTION segment.refunds(segment.rfm) IS
'number of refunds (amounts < 0)';

CREATE FUNCTION segment.gross(summary segment.rfm) RETURNS numeric
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'rfm_gross_amount';
COMMENT ON FUNCTION segment.gross(segment.rfm) IS
'sum of the orders, >= 0, exact';

CREATE FUNCTION segment.refunded(summary segment.rfm) RETURNS numeric
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'rfm_refunded_amount';
COMMENT ON FUNCTION segment.refunded(segment.rfm) IS
'sum of the refunds as a positive amount, exact';

CREATE FUNCTION segment.net(summary segment.rfm) RETURNS numeric
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'rfm_net_amount';
COMMENT ON FUNCTION segment.net(segment.rfm) IS
'gross minus refunded, exact; equals sum(amount)';

CREATE FUNCTION segment.average_order(summary segment.rfm) RETURNS numeric
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'rfm_average_order';
COMMENT ON FUNCTION segment.average_order(segment.rfm) IS
'gross divided by orders; NULL without orders';

CREATE FUNCTION segment.first_at(summary segment.rfm) RETURNS timestamptz
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'rfm_first_at';
COMMENT ON FUNCTION segment.first_at(segment.rfm) IS
'time of the first order; NULL without orders';

CREATE FUNCTION segment.last_at(summary segment.rfm) RETURNS timestamptz
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'rfm_last_at';
COMMENT ON FUNCTION segment.last_at(segment.rfm) IS
'time of the last order; NULL without orders';

CREATE FUNCTION segment.days_since_last(summary segment.rfm, as_of timestamptz) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'rfm_days_since_last';
COMMENT ON FUNCTION segment.days_since_last(segment.rfm, timestamptz) IS
'recency: days of 24 hours from the last order to as_of, negative if as_of is earlier; NULL without orders; error 22008 if as_of is infinite';

CREATE FUNCTION segment.tenure_days(summary segment.rfm, as_of timestamptz) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'rfm_tenure_days';
COMMENT ON FUNCTION segment.tenure_days(segment.rfm, timestamptz) IS
'tenure: days of 24 hours from the first order to as_of, negative if as_of is earlier; NULL without orders; error 22008 if as_of is infinite';

/* comparison, sorting and hashing */

CREATE FUNCTION segment_internal.rfm_cmp(a segment.rfm, b segment.rfm) RETURNS integer
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'rfm_cmp';
COMMENT ON FUNCTION segment_internal.rfm_cmp(segment.rfm, segment.rfm) IS
'-1, 0 or 1: a total order by last and first time, counts and amounts (for indexes and sorting)';

CREATE FUNCTION segment_internal.rfm_eq(a segment.rfm, b segment.rfm) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'rfm_eq';
COMMENT ON FUNCTION segment_internal.rfm_eq(segment.rfm, segment.rfm) IS 'implementation of an operator: equal';

CREATE FUNCTION segment_internal.rfm_ne(a segment.rfm, b segment.rfm) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'rfm_ne';
COMMENT ON FUNCTION segment_internal.rfm_ne(segment.rfm, segment.rfm) IS 'implementation of an operator: not equal';

CREATE FUNCTION segment_internal.rfm_lt(a segment.rfm, b segment.rfm) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'rfm_lt';
COMMENT ON FUNCTION segment_internal.rfm_lt(segment.rfm, segment.rfm) IS 'implementation of an operator: less than';

CREATE FUNCTION segment_internal.rfm_le(a segment.rfm, b segment.rfm) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'rfm_le';
COMMENT ON FUNCTION segment_internal.rfm_le(segment.rfm, segment.rfm) IS 'implementation of an operator: less than or equal';

CREATE FUNCTION segment_internal.rfm_gt(a segment.rfm, b segment.rfm) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'rfm_gt';
COMMENT ON FUNCTION segment_internal.rfm_gt(segment.rfm, segment.rfm) IS 'implementation of an operator: greater than';

CREATE FUNCTION segment_internal.rfm_ge(a segment.rfm, b segment.rfm) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'rfm_ge';
COMMENT ON FUNCTION segment_internal.rfm_ge(segment.rfm, segment.rfm) IS 'implementation of an operator: greater than or equal';

CREATE FUNCTION segment_internal.rfm_hash(value segment.rfm) RETURNS integer
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'rfm_hash';
COMMENT ON FUNCTION segment_internal.rfm_hash(segment.rfm) IS 'hash; equal values have equal hashes';

CREATE FUNCTION segment_internal.rfm_hash_extended(value segment.rfm, seed bigint) RETURNS bigint
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'rfm_hash_extended';
COMMENT ON FUNCTION segment_internal.rfm_hash_extended(segment.rfm, bigint) IS '64-bit hash with a seed; equal values have equal hashes';

CREATE OPERATOR segment.= (
	LEFTARG = segment.rfm, RIGHTARG = segment.rfm, FUNCTION = segment_internal.rfm_eq,
	COMMUTATOR = OPERATOR(segment.=), NEGATOR = OPERATOR(segment.<>),
	RESTRICT = eqsel, JOIN = eqjoinsel,
	HASHES, MERGES
);
COMMENT ON OPERATOR segment.= (segment.rfm, segment.rfm) IS 'equal';

CREATE OPERATOR segment.<> (
	LEFTARG = segment.rfm, RIGHTARG = segment.rfm, FUNCTION = segment_internal.rfm_ne,
	COMMUTATOR = OPERATOR(segment.<>), NEGATOR = OPERATOR(segment.=),
	RESTRICT = neqsel, JOIN = neqjoinsel
);
COMMENT ON OPERATOR segment.<> (segment.rfm, segment.rfm) IS 'not equal';

CREATE OPERATOR segment.< (
	LEFTARG = segment.rfm, RIGHTARG = segment.rfm, FUNCTION = segment_internal.rfm_lt,
	COMMUTATOR = OPERATOR(segment.>), NEGATOR = OPERATOR(segment.>=),
	RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
COMMENT ON OPERATOR segment.< (segment.rfm, segment.rfm) IS 'less than';

CREATE OPERATOR segment.<= (
	LEFTARG = segment.rfm, RIGHTARG = segment.rfm, FUNCTION = segment_internal.rfm_le,
	COMMUTATOR = OPERATOR(segment.>=), NEGATOR = OPERATOR(segment.>),
	RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
COMMENT ON OPERATOR segment.<= (segment.rfm, segment.rfm) IS 'less than or equal';

CREATE OPERATOR segment.> (
	LEFTARG = segment.rfm, RIGHTARG = segment.rfm, FUNCTION = segment_internal.rfm_gt,
	COMMUTATOR = OPERATOR(segment.<), NEGATOR = OPERATOR(segment.<=),
	RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);
COMMENT ON OPERATOR segment.> (segment.rfm, segment.rfm) IS 'greater than';

CREATE OPERATOR segment.>= (
	LEFTARG = segment.rfm, RIGHTARG = segment.rfm, FUNCTION = segment_internal.rfm_ge,
	COMMUTATOR = OPERATOR(segment.<=), NEGATOR = OPERATOR(segment.<),
	RESTRICT = scalargesel, JOIN = scalargejoinsel
);
COMMENT ON OPERATOR segment.>= (segment.rfm, segment.rfm) IS 'greater than or equal';

CREATE OPERATOR CLASS segment.rfm_ops DEFAULT FOR TYPE segment.rfm USING btree AS
	OPERATOR 1 segment.<, OPERATOR 2 segment.<=, OPERATOR 3 segment.=,
	OPERATOR 4 segment.>=, OPERATOR 5 segment.>,
	FUNCTION 1 segment_internal.rfm_cmp(segment.rfm, segment.rfm);
COMMENT ON OPERATOR CLASS segment.rfm_ops USING btree IS 'total order by last and first time, counts and amounts';
COMMENT ON OPERATOR FAMILY segment.rfm_ops USING btree IS 'total order by last and first time, counts and amounts';

CREATE OPERATOR CLASS segment.rfm_ops DEFAULT FOR TYPE segment.rfm USING hash AS
	OPERATOR 1 segment.=,
	FUNCTION 1 segment_internal.rfm_hash(segment.rfm),
	FUNCTION 2 segment_internal.rfm_hash_extended(segment.rfm, bigint);
COMMENT ON OPERATOR CLASS segment.rfm_ops USING hash IS 'equality of rfm values';
COMMENT ON OPERATOR FAMILY segment.rfm_ops USING hash IS 'equality of rfm values';
