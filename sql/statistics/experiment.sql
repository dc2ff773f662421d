/*
 * experiment: who is held out, and what an action brought
 */

CREATE FUNCTION segment.holdout(key text, salt text, share float8) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
COST 20
AS 'MODULE_PATHNAME', 'segment_holdout';
COMMENT ON FUNCTION segment.holdout(text, text, float8) IS
'whether somebody is held out of an action, and so shows what would have happened without it: the share, 0..1, of all keys, the same for a key and a salt on every server and at any time. Another salt (the name of the experiment) draws anew; a larger share keeps those of a smaller one. The first 53 bits of the SHA-256 digest of salt, a zero byte and the key, in UTF-8, as a fraction, are below the share. Error 22023 for a share below 0 or above 1';

CREATE FUNCTION segment.holdout(key anyelement, salt text, share float8) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
COST 20
AS 'MODULE_PATHNAME', 'segment_holdout';
COMMENT ON FUNCTION segment.holdout(anyelement, text, float8) IS
'the same for a key of any type, by its text: dates in ISO form, times in UTC, whatever the settings are; the number 7 is held out with the text 7, but 1.0 is another key than 1';

CREATE TYPE segment.experiment_result AS (
	treated bigint, held_out bigint, treated_mean float8, held_out_mean float8, difference float8, low float8, high float8, p_value float8,
	adjusted_difference float8, adjusted_low float8, adjusted_high float8, adjusted_p_value float8, variance_reduction float8, sample_ratio_p_value float8
);
COMMENT ON TYPE segment.experiment_result IS
'what experiment_agg says: customers treated and held out, their means, the difference (treated - held out) with its interval and two-sided p-value; the same adjusted by what was seen before, and by what share that reduces the variance; and the p-value of the numbers of customers, below 0.001 where they cannot have come of the assignment that was meant';

CREATE FUNCTION segment_internal.experiment_accum(internal, boolean, numeric, numeric, float8, float8) RETURNS internal
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_experiment_accum';
COMMENT ON FUNCTION segment_internal.experiment_accum(internal, boolean, numeric, numeric, float8, float8) IS
'transition function of experiment_agg';

CREATE FUNCTION segment_internal.experiment_combine(internal, internal) RETURNS internal
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_experiment_combine';
COMMENT ON FUNCTION segment_internal.experiment_combine(internal, internal) IS
'combine function of experiment_agg';

CREATE FUNCTION segment_internal.experiment_serialize(internal) RETURNS bytea
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_experiment_serialize';
COMMENT ON FUNCTION segment_internal.experiment_serialize(internal) IS
'serialization function of experiment_agg';

CREATE FUNCTION segment_internal.experiment_deserialize(bytea, internal) RETURNS internal
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_experiment_deserialize';
COMMENT ON FUNCTION segment_internal.experiment_deserialize(bytea, internal) IS
'deserialization function of experiment_agg';

CREATE FUNCTION segment_internal.experiment_final(internal) RETURNS segment.experiment_result
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_experiment_final';
COMMENT ON FUNCTION segment_internal.experiment_final(internal) IS
'final function of experiment_agg';

CREATE AGGREGATE segment.experiment_agg(treated boolean, outcome numeric, before numeric, held_out float8, level float8) (
	SFUNC = segment_internal.experiment_accum,
	STYPE = internal,
	SSPACE = 1024,
	COMBINEFUNC = segment_internal.experiment_combine,
	SERIALFUNC = segment_internal.experiment_serialize,
	DESERIALFUNC = segment_internal.experiment_deserialize,
	FINALFUNC = segment_internal.experiment_final,
	FINALFUNC_MODIFY = READ_ONLY,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE segment.experiment_agg(boolean, numeric, numeric, float8, float8) IS
'an experiment, a row per customer: whether treated (else held out), the outcome, what the same was before the start (NULL: 0), the share that was to be held out and the level of the intervals, both above 0 and below 1 and the same in all rows. Means by Welch''s t-test (1947); adjusted ones by CUPED (Deng, Xu, Kohavi and Walker 2013): the outcome less theta x (before - its mean), theta = covariance / variance of before over all. Intervals and p-values are NULL with fewer than two customers in a group, or where nothing varies, adjusted figures where before does not. Rows with another NULL are skipped, NULL without rows; the same bits whatever the order of rows. Errors: 22023 held_out and level, NaN and infinity, 22003 amounts beyond 27 digits before or 9 after the point';

CREATE FUNCTION segment.proportion_test(
	successes bigint, trials bigint, base_successes bigint, base_trials bigint, level float8 DEFAULT 0.95,
	OUT difference float8, OUT low float8, OUT high float8, OUT p_value float8
)
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_proportion_test';
COMMENT ON FUNCTION segment.proportion_test(bigint, bigint, bigint, bigint, float8) IS
'a share less the share of an independent base, -1..1, with its interval (by the variances of both) and the two-sided p-value of the chi-squared test without continuity correction (NULL if all or none are successes): what R''s prop.test gives with correct = FALSE; NULL without trials. Errors 22023: more successes than trials, level not above 0 and below 1';
