/*
 * rank_sum: are the values of one sample lower than those of another?
 */

CREATE FUNCTION segment_internal.rank_sum_p_value(lower float8[], higher float8[]) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100
AS 'MODULE_PATHNAME', 'segment_rank_sum_p_value';
COMMENT ON FUNCTION segment_internal.rank_sum_p_value(float8[], float8[]) IS
'chance, 0..1, of values so low in the first of two samples, if nothing makes them differ: the test of the sum of ranks (Wilcoxon 1945), one-sided, equal values with the mean of their ranks. Over all choices where one sample has at most 3 values and both at most 1,000, or the product of their sizes is at most 100; else by the normal distribution, corrected for ties and for whole ranks. 1 if one is empty. Errors: 22004 a NULL in an array, 22023 a value that is not finite (internal)';

CREATE FUNCTION segment_internal.rank_sum_least(lower bigint, higher bigint) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_rank_sum_least';
COMMENT ON FUNCTION segment_internal.rank_sum_least(bigint, bigint) IS
'the least result of rank_sum_p_value for samples of such sizes: 1 / number of choices. Error 22023 for a size that is negative or above 1e9 (internal)';
