/*
 * clusters: rows that are alike in several features
 */

CREATE TYPE segment.clusters AS (
	rows bigint, mean float8[], deviation float8[], center float8[], size bigint[], within float8, total float8
);
COMMENT ON TYPE segment.clusters IS
'clusters as kmeans_fit found them: how many rows there were; of each feature the mean and the standard deviation over all rows (0: did not vary, and is left out); of each cluster the center, a line of the array, in the units of the features, and its number of rows, those whom cluster() puts into it; the sum of squared distances from the centers, and from the mean of all, in standard deviations: 1 - within / total is the share that the clusters explain';

CREATE FUNCTION segment_internal.kmeans_fit_accum(internal, float8[], integer, bigint) RETURNS internal
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_kmeans_fit_accum';
COMMENT ON FUNCTION segment_internal.kmeans_fit_accum(internal, float8[], integer, bigint) IS
'transition function of kmeans_fit';

CREATE FUNCTION segment_internal.kmeans_fit_combine(internal, internal) RETURNS internal
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_kmeans_fit_combine';
COMMENT ON FUNCTION segment_internal.kmeans_fit_combine(internal, internal) IS
'combine function of kmeans_fit';

CREATE FUNCTION segment_internal.kmeans_fit_serialize(internal) RETURNS bytea
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_kmeans_fit_serialize';
COMMENT ON FUNCTION segment_internal.kmeans_fit_serialize(internal) IS
'serialization function of kmeans_fit';

CREATE FUNCTION segment_internal.kmeans_fit_deserialize(bytea, internal) RETURNS internal
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_kmeans_fit_deserialize';
COMMENT ON FUNCTION segment_internal.kmeans_fit_deserialize(bytea, internal) IS
'deserialization function of kmeans_fit';

CREATE FUNCTION segment_internal.kmeans_fit_final(internal) RETURNS segment.clusters
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_kmeans_fit_final';
COMMENT ON FUNCTION segment_internal.kmeans_fit_final(internal) IS
'final function of kmeans_fit';

CREATE AGGREGATE segment.kmeans_fit(features float8[], k integer, seed bigint) (
	SFUNC = segment_internal.kmeans_fit_accum,
	STYPE = internal,
	SSPACE = 65536,
	COMBINEFUNC = segment_internal.kmeans_fit_combine,
	SERIALFUNC = segment_internal.kmeans_fit_serialize,
	DESERIALFUNC = segment_internal.kmeans_fit_deserialize,
	FINALFUNC = segment_internal.kmeans_fit_final,
	FINALFUNC_MODIFY = READ_ONLY,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE segment.kmeans_fit(float8[], integer, bigint) IS
'k clusters of rows that are alike in their features, by k-means in units of the standard deviation of each: 50 starts by k-means++ (20 of more than 1000 different rows), with Lloyd''s method and then moves of single rows, of which the best is taken; of more than 5000 different rows the starts are made on a sample, in which small groups far from others are not missed, and Lloyd''s method goes on over all rows until a round gains less than a millionth. Clusters are numbered by the mean of the first feature; there are fewer than k where there are fewer different rows. The same bits for the same rows, k and seed, whatever the order of rows, the plan and the server. Rows with a NULL, also among the features, or with NaN or an infinite feature are skipped; NULL without rows. k from 1 to 1000, 1 to 1600 features; k, seed and the number of features are the same in all rows, else error 22023; 2202E for an array of several dimensions (Lloyd 1982; Arthur and Vassilvitskii 2007; Hartigan 1975; Bachem, Lucic and Krause 2017)';

CREATE FUNCTION segment.cluster(clusters segment.clusters, features float8[]) RETURNS integer
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
COST 10
AS 'MODULE_PATHNAME', 'segment_cluster';
COMMENT ON FUNCTION segment.cluster(segment.clusters, float8[]) IS
'number of the cluster, from 1, whose center is nearest to the features, in units of the standard deviations that the clusters were found with; of several, the first. NULL where a feature is NULL, NaN or infinite. Error 22023 for another number of features than the clusters have';

CREATE FUNCTION segment.centers(clusters segment.clusters)
RETURNS TABLE (cluster integer, rows bigint, share float8, center float8[])
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE ROWS 10
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
SELECT c.number, ($1).size[c.number], ($1).size[c.number]::float8 / nullif(($1).rows, 0),
	ARRAY(SELECT ($1).center[c.number][f.number] FROM generate_subscripts(($1).center, 2) AS f(number) ORDER BY f.number)
FROM generate_subscripts(($1).center, 1) AS c(number)
ORDER BY c.number;
END;
COMMENT ON FUNCTION segment.centers(segment.clusters) IS
'the clusters one by one: number, rows that were in it when it was found, their share of all, 0..1, and the mean of each feature over them, in its unit (of more than 5000 different rows nearly so: the search ends before it comes to rest)';
