/*
 * history: a dated series of money events
 */

CREATE TYPE segment.history;

CREATE FUNCTION segment_internal.history_in(cstring) RETURNS segment.history
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'segment_history_in';
COMMENT ON FUNCTION segment_internal.history_in(cstring) IS 'text input; errors 22P02, 22003 and 22023';

CREATE FUNCTION segment_internal.history_out(segment.history) RETURNS cstring
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'segment_history_out';
COMMENT ON FUNCTION segment_internal.history_out(segment.history) IS 'text output, the same under every setting';

CREATE FUNCTION segment_internal.history_recv(internal) RETURNS segment.history
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'segment_history_recv';
COMMENT ON FUNCTION segment_internal.history_recv(internal) IS 'binary input; error 22P03';

CREATE FUNCTION segment_internal.history_send(segment.history) RETURNS bytea
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'segment_history_send';
COMMENT ON FUNCTION segment_internal.history_send(segment.history) IS 'binary output';

CREATE TYPE segment.history (
	INPUT = segment_internal.history_in, OUTPUT = segment_internal.history_out,
	RECEIVE = segment_internal.history_recv, SEND = segment_internal.history_send,
	INTERNALLENGTH = VARIABLE, ALIGNMENT = int4, STORAGE = external
);
COMMENT ON TYPE segment.history IS
'dated series of money events at day resolution: per day the number and exact amount of orders (amount >= 0) and of refunds (amount < 0); a few bytes a day';

/* aggregates */

CREATE FUNCTION segment_internal.history_accum(state segment.history, day date, amount numeric) RETURNS segment.history
LANGUAGE C IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_history_accum_date';
COMMENT ON FUNCTION segment_internal.history_accum(segment.history, date, numeric) IS
'transition function of history_agg: one order (amount >= 0) or refund (amount < 0); a NULL skips the row';

CREATE FUNCTION segment_internal.history_accum(state segment.history, at timestamptz, amount numeric, timezone text) RETURNS segment.history
LANGUAGE C IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_history_accum_timestamptz';
COMMENT ON FUNCTION segment_internal.history_accum(segment.history, timestamptz, numeric, text) IS
'transition function of history_agg: one order (amount >= 0) or refund (amount < 0) on its day in a time zone; a NULL skips the row';

CREATE FUNCTION segment_internal.history_combine(state segment.history, other segment.history) RETURNS segment.history
LANGUAGE C IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_history_combine';
COMMENT ON FUNCTION segment_internal.history_combine(segment.history, segment.history) IS
'combine function of history_agg and transition function of rollup: adds two series; NULL adds nothing';

CREATE FUNCTION segment_internal.history_final(state segment.history) RETURNS segment.history
LANGUAGE C IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_history_final';
COMMENT ON FUNCTION segment_internal.history_final(segment.history) IS
'final function of history_agg and rollup: sorts, merges equal days and trims';

CREATE AGGREGATE segment.history_agg(day date, amount numeric) (
	SFUNC = segment_internal.history_accum, STYPE = segment.history, SSPACE = 160,
	FINALFUNC = segment_internal.history_final,
	COMBINEFUNC = segment_internal.history_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE segment.history_agg(date, numeric) IS
'history of events (day, amount): an amount >= 0 is an order, < 0 a refund; rows with a NULL are skipped, no rows give NULL; sums are exact, the order of rows does not matter; errors: 22003 amount or sum beyond 27 digits or 9 decimals, 22008 infinite date, 22023 NaN or infinite amount';

CREATE AGGREGATE segment.history_agg(at timestamptz, amount numeric, timezone text) (
	SFUNC = segment_internal.history_accum, STYPE = segment.history, SSPACE = 160,
	FINALFUNC = segment_internal.history_final,
	COMBINEFUNC = segment_internal.history_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE segment.history_agg(timestamptz, numeric, text) IS
'history of events (when, amount), days as in the given time zone (a name of pg_timezone_names): an amount >= 0 is an order, < 0 a refund; rows with a NULL are skipped, no rows give NULL; sums are exact, the order of rows does not matter; errors: 22003 amount or sum beyond 27 digits or 9 decimals, 22008 infinite date, 22023 NaN or infinite amount or unknown time zone, 22004 NULL time zone';

CREATE AGGREGATE segment.rollup(series segment.history) (
	SFUNC = segment_internal.history_combine, STYPE = segment.history, SSPACE = 160,
	FINALFUNC = segment_internal.history_final,
	COMBINEFUNC = segment_internal.history_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE segment.rollup(segment.history) IS
'merges histories; any order and any grouping gives the same bits; NULLs are skipped';

CREATE FUNCTION segment_internal.history_add(a segment.history, b segment.history) RETURNS segment.history
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5
AS 'MODULE_PATHNAME', 'segment_history_add';
COMMENT ON FUNCTION segment_internal.history_add(segment.history, segment.history) IS
'implementation of the operator +: both series in one';

CREATE OPERATOR segment.+ (
	LEFTARG = segment.history, RIGHTARG = segment.history, FUNCTION = segment_internal.history_add,
	COMMUTATOR = OPERATOR(segment.+)
);
COMMENT ON OPERATOR segment.+ (segment.history, segment.history) IS 'both series in one';

CREATE FUNCTION segment_internal.history_subtract(a segment.history, b segment.history) RETURNS segment.history
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5
AS 'MODULE_PATHNAME', 'segment_history_subtract';
COMMENT ON FUNCTION segment_internal.history_subtract(segment.history, segment.history) IS
'implementation of the operator -: what is left of a series without another; error 22023 if more would be taken away on a day than there is';

CREATE OPERATOR segment.- (
	LEFTARG = segment.history, RIGHTARG = segment.history, FUNCTION = segment_internal.history_subtract
);
COMMENT ON OPERATOR segment.- (segment.history, segment.history) IS
'what is left of a series without the events of another, {} if nothing is: (a + b) - b = a; amounts are shown with as many decimals as in the first. Error 22023 that names the first day on which more would be taken away than there is';

/* accessors */

CREATE FUNCTION segment.orders(series segment.history) RETURNS bigint
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 2
AS 'MODULE_PATHNAME', 'segment_history_orders';
COMMENT ON FUNCTION segment.orders(segment.history) IS
'number of orders (amounts >= 0)';

CREATE FUNCTION segment.refunds(series segment.history) RETURNS bigint
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 2
AS 'MODULE_PATHNAME', 'segment_history_refunds';
COMMENT ON FUNCTION segment.refunds(segment.history) IS
'number of refunds (amounts < 0)';

CREATE FUNCTION segment.purchase_days(series segment.history) RETURNS bigint
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 2
AS 'MODULE_PATHNAME', 'segment_history_purchase_days';
COMMENT ON FUNCTION segment.purchase_days(segment.history) IS
'number of days with at least one order';

CREATE FUNCTION segment.first_day(series segment.history) RETURNS date
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 2
AS 'MODULE_PATHNAME', 'segment_history_first_day';
COMMENT ON FUNCTION segment.first_day(segment.history) IS
'first day with an order; NULL without orders';

CREATE FUNCTION segment.last_day(series segment.history) RETURNS date
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 2
AS 'MODULE_PATHNAME', 'segment_history_last_day';
COMMENT ON FUNCTION segment.last_day(segment.history) IS
'last day with an order; NULL without orders';

CREATE FUNCTION segment.gross(series segment.history) RETURNS numeric
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 2
AS 'MODULE_PATHNAME', 'segment_history_gross';
COMMENT ON FUNCTION segment.gross(segment.history) IS
'sum of the orders, >= 0, exact';

CREATE FUNCTION segment.refunded(series segment.history) RETURNS numeric
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 2
AS 'MODULE_PATHNAME', 'segment_history_refunded';
COMMENT ON FUNCTION segment.refunded(segment.history) IS
'sum of the refunds as a positive amount, exact';

CREATE FUNCTION segment.net(series segment.history) RETURNS numeric
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 2
AS 'MODULE_PATHNAME', 'segment_history_net';
COMMENT ON FUNCTION segment.net(segment.history) IS
'gross minus refunded, exact; equals sum(amount)';

CREATE FUNCTION segment.average_order(series segment.history) RETURNS numeric
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 2
AS 'MODULE_PATHNAME', 'segment_history_average_order';
COMMENT ON FUNCTION segment.average_order(segment.history) IS
'gross divided by orders; NULL without orders';

CREATE FUNCTION segment.mean_gap_days(series segment.history) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 2
AS 'MODULE_PATHNAME', 'segment_history_mean_gap_days';
COMMENT ON FUNCTION segment.mean_gap_days(segment.history) IS
'mean gap between purchase days, in days, >= 1; NULL with fewer than two purchase days';

CREATE FUNCTION segment.gap_cv(series segment.history) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 2
AS 'MODULE_PATHNAME', 'segment_history_gap_cv';
COMMENT ON FUNCTION segment.gap_cv(segment.history) IS
'coefficient of variation of the gaps between purchase days: sample standard deviation divided by mean, 0 is perfectly regular, about 1 is random; NULL with fewer than three purchase days';

CREATE FUNCTION segment.days_since_last(series segment.history, as_of date) RETURNS integer
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 2
AS 'MODULE_PATHNAME', 'segment_history_days_since_last';
COMMENT ON FUNCTION segment.days_since_last(segment.history, date) IS
'recency: days from the last purchase day known at as_of to as_of, >= 0; NULL if there is none; error 22008 if as_of is infinite';

CREATE FUNCTION segment.tenure_days(series segment.history, as_of date) RETURNS integer
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 2
AS 'MODULE_PATHNAME', 'segment_history_tenure_days';
COMMENT ON FUNCTION segment.tenure_days(segment.history, date) IS
'tenure: days from the first purchase day to as_of, >= 0; NULL if there is none at as_of; error 22008 if as_of is infinite';

CREATE FUNCTION segment.as_of(series segment.history, as_of date) RETURNS segment.history
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 4
AS 'MODULE_PATHNAME', 'segment_history_as_of';
COMMENT ON FUNCTION segment.as_of(segment.history, date) IS
'what was known at the end of a day: equals the history built from the rows up to that day; NULL if there are none; error 22008 if as_of is infinite';

CREATE FUNCTION segment.during(series segment.history, from_day date, to_day date) RETURNS segment.history
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 4
AS 'MODULE_PATHNAME', 'segment_history_during';
COMMENT ON FUNCTION segment.during(segment.history, date, date) IS
'the part from from_day to to_day, both included; NULL if nothing happened then; error 22008 if a day is infinite';

CREATE FUNCTION segment.cbs(series segment.history, as_of date, unit text DEFAULT 'week', OUT x float8, OUT t_x float8, OUT t float8, OUT mean_repeat_spend numeric) RETURNS record
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5
AS 'MODULE_PATHNAME', 'segment_history_cbs';
COMMENT ON FUNCTION segment.cbs(segment.history, date, text) IS
'model inputs (customer by sufficient statistic) at as_of: x = repeat purchase days (purchase days after the first), t_x = time from the first to the last purchase day, t = time from the first purchase day to as_of, mean_repeat_spend = mean gross per repeat purchase day (0 if x = 0); times in units of day, week, month (30.4375 days) or year (365.25 days); NULL if there is no purchase up to as_of; errors: 22008 infinite as_of, 22023 unknown unit';

CREATE FUNCTION segment_internal.unit_days(unit text) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_unit_days';

COMMENT ON FUNCTION segment_internal.unit_days(text) IS
'days in a time unit: day 1, week 7, month 30.4375, year 365.25; error 22023 for another unit';

CREATE TYPE segment.measures AS (
	orders bigint, refunds bigint, purchase_days bigint,
	first_day date, last_day date, days_since_last integer, tenure_days integer,
	gross numeric, refunded numeric, net numeric, average_order numeric,
	monetary float8, mean_repeat_spend float8, mean_gap_days float8, gap_cv float8
);
COMMENT ON TYPE segment.measures IS
'what a history says of a customer as of a day: the accessors of the same names in one value; monetary is net and mean_repeat_spend that of cbs, as floating point numbers for scores and models';

CREATE FUNCTION segment.measures(series segment.history, as_of date) RETURNS segment.measures
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10
AS 'MODULE_PATHNAME', 'segment_history_measures';
COMMENT ON FUNCTION segment.measures(segment.history, date) IS
'all accessors of a history as of a day, in one pass; NULL if nothing was known then; error 22008 if as_of is infinite';

CREATE FUNCTION segment.unnest(series segment.history, OUT day date, OUT orders bigint, OUT gross numeric, OUT refunds bigint, OUT refunded numeric) RETURNS SETOF record
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5 ROWS 20
AS 'MODULE_PATHNAME', 'segment_history_unnest';
COMMENT ON FUNCTION segment.unnest(segment.history) IS
'the days of a history in ascending order, with what happened on each';

CREATE FUNCTION segment.rfm(series segment.history) RETURNS segment.rfm
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 2
AS 'MODULE_PATHNAME', 'segment_history_rfm';
COMMENT ON FUNCTION segment.rfm(segment.history) IS
'the small summary of a history; a day counts as its midnight in UTC; error 22008 if a day is beyond the range of timestamptz';

@include operators.template TYPE='history' ORDER='total order by the bytes of the value, without further meaning'
