/*
 * rfm: the small summary of a customer's orders
 */

CREATE TYPE segment.rfm;

CREATE FUNCTION segment_internal.rfm_in(cstring) RETURNS segment.rfm
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'segment_rfm_in';
COMMENT ON FUNCTION segment_internal.rfm_in(cstring) IS 'text input; errors 22P02 and 22023';

CREATE FUNCTION segment_internal.rfm_out(segment.rfm) RETURNS cstring
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'segment_rfm_out';
COMMENT ON FUNCTION segment_internal.rfm_out(segment.rfm) IS 'text output, the same under every setting';

CREATE FUNCTION segment_internal.rfm_recv(internal) RETURNS segment.rfm
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'segment_rfm_recv';
COMMENT ON FUNCTION segment_internal.rfm_recv(internal) IS 'binary input; error 22P03';

CREATE FUNCTION segment_internal.rfm_send(segment.rfm) RETURNS bytea
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'segment_rfm_send';
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
AS 'MODULE_PATHNAME', 'segment_rfm_accum_timestamptz_numeric';
COMMENT ON FUNCTION segment_internal.rfm_accum(segment.rfm, timestamptz, numeric) IS
'transition function of rfm_agg: one order (amount >= 0) or refund (amount < 0); a NULL skips the row';

CREATE FUNCTION segment_internal.rfm_accum(state segment.rfm, at timestamptz, amount float8) RETURNS segment.rfm
LANGUAGE C IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_rfm_accum_timestamptz_float8';
COMMENT ON FUNCTION segment_internal.rfm_accum(segment.rfm, timestamptz, float8) IS
'transition function of rfm_agg: one order (amount >= 0) or refund (amount < 0); a NULL skips the row';

CREATE FUNCTION segment_internal.rfm_accum(state segment.rfm, at timestamptz, amount bigint) RETURNS segment.rfm
LANGUAGE C IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_rfm_accum_timestamptz_int8';
COMMENT ON FUNCTION segment_internal.rfm_accum(segment.rfm, timestamptz, bigint) IS
'transition function of rfm_agg: one order (amount >= 0) or refund (amount < 0); a NULL skips the row';

CREATE FUNCTION segment_internal.rfm_accum(state segment.rfm, at date, amount numeric) RETURNS segment.rfm
LANGUAGE C IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_rfm_accum_date_numeric';
COMMENT ON FUNCTION segment_internal.rfm_accum(segment.rfm, date, numeric) IS
'transition function of rfm_agg: one order (amount >= 0) or refund (amount < 0); a NULL skips the row';

CREATE FUNCTION segment_internal.rfm_accum(state segment.rfm, at date, amount float8) RETURNS segment.rfm
LANGUAGE C IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_rfm_accum_date_float8';
COMMENT ON FUNCTION segment_internal.rfm_accum(segment.rfm, date, float8) IS
'transition function of rfm_agg: one order (amount >= 0) or refund (amount < 0); a NULL skips the row';

CREATE FUNCTION segment_internal.rfm_accum(state segment.rfm, at date, amount bigint) RETURNS segment.rfm
LANGUAGE C IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_rfm_accum_date_int8';
COMMENT ON FUNCTION segment_internal.rfm_accum(segment.rfm, date, bigint) IS
'transition function of rfm_agg: one order (amount >= 0) or refund (amount < 0); a NULL skips the row';

CREATE FUNCTION segment_internal.rfm_combine(state segment.rfm, other segment.rfm) RETURNS segment.rfm
LANGUAGE C IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_rfm_combine';
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
AS 'MODULE_PATHNAME', 'segment_rfm_orders';
COMMENT ON FUNCTION segment.orders(segment.rfm) IS
'number of orders (amounts >= 0)';

CREATE FUNCTION segment.refunds(summary segment.rfm) RETURNS bigint
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_rfm_refunds';
COMMENT ON FUNCTION segment.refunds(segment.rfm) IS
'number of refunds (amounts < 0)';

CREATE FUNCTION segment.gross(summary segment.rfm) RETURNS numeric
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_rfm_gross_amount';
COMMENT ON FUNCTION segment.gross(segment.rfm) IS
'sum of the orders, >= 0, exact';

CREATE FUNCTION segment.refunded(summary segment.rfm) RETURNS numeric
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_rfm_refunded_amount';
COMMENT ON FUNCTION segment.refunded(segment.rfm) IS
'sum of the refunds as a positive amount, exact';

CREATE FUNCTION segment.net(summary segment.rfm) RETURNS numeric
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_rfm_net_amount';
COMMENT ON FUNCTION segment.net(segment.rfm) IS
'gross minus refunded, exact; equals sum(amount)';

CREATE FUNCTION segment.average_order(summary segment.rfm) RETURNS numeric
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_rfm_average_order';
COMMENT ON FUNCTION segment.average_order(segment.rfm) IS
'gross divided by orders; NULL without orders';

CREATE FUNCTION segment.first_at(summary segment.rfm) RETURNS timestamptz
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_rfm_first_at';
COMMENT ON FUNCTION segment.first_at(segment.rfm) IS
'time of the first order; NULL without orders';

CREATE FUNCTION segment.last_at(summary segment.rfm) RETURNS timestamptz
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_rfm_last_at';
COMMENT ON FUNCTION segment.last_at(segment.rfm) IS
'time of the last order; NULL without orders';

CREATE FUNCTION segment.days_since_last(summary segment.rfm, as_of timestamptz) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_rfm_days_since_last';
COMMENT ON FUNCTION segment.days_since_last(segment.rfm, timestamptz) IS
'recency: days of 24 hours from the last order to as_of, negative if as_of is earlier; NULL without orders; error 22008 if as_of is infinite';

CREATE FUNCTION segment.tenure_days(summary segment.rfm, as_of timestamptz) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_rfm_tenure_days';
COMMENT ON FUNCTION segment.tenure_days(segment.rfm, timestamptz) IS
'tenure: days of 24 hours from the first order to as_of, negative if as_of is earlier; NULL without orders; error 22008 if as_of is infinite';

@include operators.template TYPE='rfm' ORDER='total order by last and first time, counts and amounts'
