/*
 * ranking: how well scores rank who will do something
 */

CREATE TYPE segment_internal.ranking AS (
	rows bigint, hits bigint,
	auc float8, auc_low float8, auc_high float8,
	baseline_auc float8, baseline_low float8, baseline_high float8,
	difference float8, difference_low float8, difference_high float8
);
COMMENT ON TYPE segment_internal.ranking IS
'how well two scores rank the same rows: number of rows and of hits; of each score the area under the ROC curve, 0..1 (chance that a hit is ranked above a miss, ties half), and of their difference, -1..1, each with its 95 % interval';

CREATE FUNCTION segment_internal.ranking_accum(internal, float8, float8, boolean) RETURNS internal
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_ranking_accum';
COMMENT ON FUNCTION segment_internal.ranking_accum(internal, float8, float8, boolean) IS
'transition function of ranking_agg';

CREATE FUNCTION segment_internal.ranking_combine(internal, internal) RETURNS internal
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_ranking_combine';
COMMENT ON FUNCTION segment_internal.ranking_combine(internal, internal) IS
'combine function of ranking_agg, tenths_agg and cheapest_threshold_agg';

CREATE FUNCTION segment_internal.ranking_serialize(internal) RETURNS bytea
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_ranking_serialize';
COMMENT ON FUNCTION segment_internal.ranking_serialize(internal) IS
'serialization function of ranking_agg, tenths_agg and cheapest_threshold_agg';

CREATE FUNCTION segment_internal.ranking_deserialize(bytea, internal) RETURNS internal
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_ranking_deserialize';
COMMENT ON FUNCTION segment_internal.ranking_deserialize(bytea, internal) IS
'deserialization function of ranking_agg, tenths_agg and cheapest_threshold_agg';

CREATE FUNCTION segment_internal.ranking_final(internal) RETURNS segment_internal.ranking
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_ranking_final';
COMMENT ON FUNCTION segment_internal.ranking_final(internal) IS 'final function of ranking_agg';

CREATE AGGREGATE segment_internal.ranking_agg(score float8, baseline float8, hit boolean) (
	SFUNC = segment_internal.ranking_accum,
	STYPE = internal,
	SSPACE = 65536,
	COMBINEFUNC = segment_internal.ranking_combine,
	SERIALFUNC = segment_internal.ranking_serialize,
	DESERIALFUNC = segment_internal.ranking_deserialize,
	FINALFUNC = segment_internal.ranking_final,
	FINALFUNC_MODIFY = READ_ONLY,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE segment_internal.ranking_agg(float8, float8, boolean) IS
'how well a score and a baseline rank the hits above the others. Variances and covariance of the areas: DeLong, DeLong and Clarke-Pearson, Biometrics 44, 1988; intervals are cut off at the ends of the range. Areas are NULL without hits or without others, intervals with fewer than two of either; rows with a NULL are skipped, NULL without any. Error 22023 for a score that is not finite (internal)';

CREATE FUNCTION segment_internal.tenths_accum(internal, float8, float8[]) RETURNS internal
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_tenths_accum';
COMMENT ON FUNCTION segment_internal.tenths_accum(internal, float8, float8[]) IS
'transition function of tenths_agg';

CREATE FUNCTION segment_internal.tenths_final(internal) RETURNS float8[]
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_tenths_final';
COMMENT ON FUNCTION segment_internal.tenths_final(internal) IS 'final function of tenths_agg';

CREATE AGGREGATE segment_internal.tenths_agg(score float8, amounts float8[]) (
	SFUNC = segment_internal.tenths_accum,
	STYPE = internal,
	SSPACE = 65536,
	COMBINEFUNC = segment_internal.ranking_combine,
	SERIALFUNC = segment_internal.ranking_serialize,
	DESERIALFUNC = segment_internal.ranking_deserialize,
	FINALFUNC = segment_internal.tenths_final,
	FINALFUNC_MODIFY = READ_ONLY,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE segment_internal.tenths_agg(float8, float8[]) IS
'the rows in tenths by descending score, as ntile(10) divides them: an array with a line per tenth, of the number of rows and the sums of the amounts. Rows with equal scores are not told apart: each tenth gets its share of their sums, what is to be expected in a random order. Rows with a NULL are skipped, NULL without any. Errors: 22023 numbers that are not finite, more than 32 amounts or not as many in all rows, 22004 NULL among the amounts (internal)';

CREATE FUNCTION segment_internal.cheapest_threshold_accum(internal, float8, boolean, float8, float8) RETURNS internal
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_cheapest_threshold_accum';
COMMENT ON FUNCTION segment_internal.cheapest_threshold_accum(internal, float8, boolean, float8, float8) IS
'transition function of cheapest_threshold_agg';

CREATE FUNCTION segment_internal.cheapest_threshold_final(internal) RETURNS float8
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_cheapest_threshold_final';
COMMENT ON FUNCTION segment_internal.cheapest_threshold_final(internal) IS 'final function of cheapest_threshold_agg';

CREATE AGGREGATE segment_internal.cheapest_threshold_agg(score float8, hit boolean, false_alarm_cost float8, miss_cost float8) (
	SFUNC = segment_internal.cheapest_threshold_accum,
	STYPE = internal,
	SSPACE = 65536,
	COMBINEFUNC = segment_internal.ranking_combine,
	SERIALFUNC = segment_internal.ranking_serialize,
	DESERIALFUNC = segment_internal.ranking_deserialize,
	FINALFUNC = segment_internal.cheapest_threshold_final,
	FINALFUNC_MODIFY = READ_ONLY,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE segment_internal.cheapest_threshold_agg(float8, boolean, float8, float8) IS
'the score from which on predicting everybody costs least: false_alarm_cost for each who is predicted and is not a hit, miss_cost for each hit who is not predicted; of several, the highest. Costs are the same in all rows. Rows with a NULL are skipped, NULL without any. Error 22023 for numbers that are not finite or costs that differ (internal)';
