/*
 * cluster: schemes whose classes are clusters of customers who are alike
 *
 * A cluster scheme is a scheme as any other.  Its rules ask which center is the
 * nearest; the centers are part of the rules, and so stay as they are until
 * somebody has the clusters found again.
 */

/* ---------- the tables and views ---------- */

CREATE FUNCTION segment_internal.cluster_create_tables(portfolio text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $cluster_create_tables$
BEGIN
	EXECUTE format($template$
		CREATE TABLE %1$I.cluster_fit (
			scheme text PRIMARY KEY REFERENCES %1$I.scheme ON DELETE CASCADE,
			columns text[] NOT NULL,
			transform text NOT NULL,
			k integer,
			seed bigint NOT NULL,
			as_of date NOT NULL,
			fitted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
			classes text[] NOT NULL,
			clusters segment.clusters NOT NULL
		);
		CREATE TABLE %1$I.cluster_trial (
			scheme text NOT NULL REFERENCES %1$I.cluster_fit ON DELETE CASCADE,
			k integer NOT NULL,
			customers bigint NOT NULL,
			within float8 NOT NULL,
			total float8 NOT NULL,
			silhouette float8,
			PRIMARY KEY (scheme, k)
		)$template$, portfolio);
END
$cluster_create_tables$;
COMMENT ON FUNCTION segment_internal.cluster_create_tables(text) IS
'creates the tables of a portfolio''s clusters (internal)';

CREATE FUNCTION segment_internal.cluster_silhouette(clusters segment.clusters, features float8[]) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
COST 10
AS 'MODULE_PATHNAME', 'segment_cluster_silhouette';
COMMENT ON FUNCTION segment_internal.cluster_silhouette(segment.clusters, float8[]) IS
'how clearly something belongs to its cluster, 0..1: 1 - distance from the nearest center / distance from the next, in standard deviations; NULL where there is one cluster, or a feature is not known (the silhouette of Rousseeuw 1987, simplified by Hruschka, de Castro and Campello 2004) (internal)';

CREATE FUNCTION segment_internal.cluster_create_views(portfolio text, security_invoker boolean) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $cluster_create_views$
BEGIN
	EXECUTE format($template$
		CREATE OR REPLACE VIEW %1$I.cluster_scheme WITH (security_invoker = %2$s) AS
		SELECT f.scheme, array_to_string(f.columns, ', ') AS columns, f.transform, cardinality(f.classes) AS k, f.k IS NULL AS k_chosen, f.seed,
			f.as_of, f.fitted_at, (f.clusters).rows AS customers,
			1 - (f.clusters).within / nullif((f.clusters).total, 0) AS explained
		FROM %1$I.cluster_fit AS f$template$, portfolio, security_invoker);
	EXECUTE format($template$
		CREATE OR REPLACE VIEW %1$I.cluster_choice WITH (security_invoker = %2$s) AS
		SELECT t.scheme, t.k, t.customers, t.within, 1 - t.within / nullif(t.total, 0) AS explained,
			t.silhouette,
			t.k = cardinality(f.classes) AS chosen
		FROM %1$I.cluster_trial AS t
		JOIN %1$I.cluster_fit AS f ON f.scheme = t.scheme$template$, portfolio, security_invoker);
	EXECUTE format($template$
		CREATE OR REPLACE VIEW %1$I.cluster_center WITH (security_invoker = %2$s) AS
		SELECT f.scheme, f.classes[c.cluster] AS class, n.name AS col, c.rows AS customers, c.share,
			c.center[n.ordinal] AS center, (f.clusters).mean[n.ordinal] AS all_mean,
			(c.center[n.ordinal] - (f.clusters).mean[n.ordinal]) / nullif((f.clusters).deviation[n.ordinal], 0) AS deviations
		FROM %1$I.cluster_fit AS f
		CROSS JOIN LATERAL segment.centers(f.clusters) AS c
		CROSS JOIN LATERAL unnest(f.columns) WITH ORDINALITY AS n(name, ordinal)$template$, portfolio, security_invoker);
END
$cluster_create_views$;
COMMENT ON FUNCTION segment_internal.cluster_create_views(text, boolean) IS
'creates or replaces the views of a portfolio''s clusters (internal)';

CREATE FUNCTION segment_internal.cluster_comments() RETURNS TABLE (relation text, col text, meaning text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 45
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
SELECT v.* FROM (VALUES
	('cluster_fit', NULL, 'one row per cluster scheme: how its clusters were found, and what they are'),
	('cluster_fit', 'scheme', 'code of the scheme'),
	('cluster_fit', 'columns', 'columns of the view customer by which customers are compared'),
	('cluster_fit', 'transform', 'how their values are taken: none, log or rank'),
	('cluster_fit', 'k', 'number of clusters that was asked for; NULL: chosen by the silhouette'),
	('cluster_fit', 'seed', 'seed of the numbers by chance that the search begins with'),
	('cluster_fit', 'as_of', 'day from whose end the customers were seen'),
	('cluster_fit', 'fitted_at', 'when the clusters were found'),
	('cluster_fit', 'classes', 'class of the scheme that each cluster is, in the order of the clusters'),
	('cluster_fit', 'clusters', 'the clusters, over the values as they were taken'),
	('cluster_trial', NULL, 'one row per cluster scheme and number of clusters that was tried, where the number was chosen'),
	('cluster_trial', 'scheme', 'code of the scheme'),
	('cluster_trial', 'k', 'number of clusters'),
	('cluster_trial', 'customers', 'customers of whom all columns were known'),
	('cluster_trial', 'within', 'sum of their squared distances from the center of their cluster, in standard deviations'),
	('cluster_trial', 'total', 'sum of their squared distances from the mean of all'),
	('cluster_trial', 'silhouette', 'mean of 1 - distance from the own center / distance from the next'),
	('cluster_scheme', NULL, 'one row per scheme whose classes are clusters (create_cluster_scheme): how they were found'),
	('cluster_scheme', 'scheme', 'code of the scheme'),
	('cluster_scheme', 'columns', 'columns of the view customer by which customers are compared, separated by commas'),
	('cluster_scheme', 'transform', 'how their values are taken: none, as they are; log, the logarithm of 1 + the value (of minus the value below 0); rank, the place among all customers in twentieths'),
	('cluster_scheme', 'k', 'number of clusters, >= 1'),
	('cluster_scheme', 'k_chosen', 'whether it was chosen by the silhouette (view cluster_choice), and not given'),
	('cluster_scheme', 'seed', 'seed of the numbers by chance that the search begins with'),
	('cluster_scheme', 'as_of', 'day from whose end the customers were seen when the clusters were found'),
	('cluster_scheme', 'fitted_at', 'when the clusters were found; they stay until refit_cluster_scheme'),
	('cluster_scheme', 'customers', 'customers of whom all columns were known then, >= 1'),
	('cluster_scheme', 'explained', 'share of the squared differences between these that the clusters explain, 0..1; higher is better, but always grows with k; NULL: no differences'),
	('cluster_choice', NULL, 'one row per cluster scheme and number of clusters that was tried: what decided, where the number was not given'),
	('cluster_choice', 'scheme', 'code of the scheme'),
	('cluster_choice', 'k', 'number of clusters, 2..10'),
	('cluster_choice', 'customers', 'customers of whom all columns were known, >= 1'),
	('cluster_choice', 'within', 'sum of their squared distances from the center of their cluster, in standard deviations, >= 0; lower is better, but always falls with k'),
	('cluster_choice', 'explained', 'share of the squared differences that the clusters explain, 0..1; higher is better, but always grows with k'),
	('cluster_choice', 'silhouette', 'how clearly the customers belong to their clusters, 0..1: mean of 1 - distance from the own center / distance from the next (simplified silhouette; Hruschka, de Castro and Campello 2004); the highest is chosen; NULL: all customers are alike'),
	('cluster_choice', 'chosen', 'whether this number of clusters was chosen'),
	('cluster_center', NULL, 'one row per cluster scheme, class and column: what the cluster was like when it was found'),
	('cluster_center', 'scheme', 'code of the scheme'),
	('cluster_center', 'class', 'code of the class'),
	('cluster_center', 'col', 'column of the view customer'),
	('cluster_center', 'customers', 'customers in the cluster when it was found, >= 1'),
	('cluster_center', 'share', 'their share of all who were compared, 0..1'),
	('cluster_center', 'center', 'mean of the column''s values over them, as the values were taken (view cluster_scheme, transform)'),
	('cluster_center', 'all_mean', 'the same over all who were compared'),
	('cluster_center', 'deviations', 'center minus all_mean in standard deviations: what is far from 0 tells the cluster from others; NULL: the column did not vary')
) AS v(relation, col, meaning);
END;
COMMENT ON FUNCTION segment_internal.cluster_comments() IS
'the comments on the tables and views of a portfolio''s clusters';

/* ---------- how values are taken ---------- */

CREATE FUNCTION segment_internal.cluster_log(value float8) RETURNS float8
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN sign(value) * ln(1 + abs(value));
COMMENT ON FUNCTION segment_internal.cluster_log(float8) IS
'a value as a cluster scheme with transform log takes it: the logarithm of 1 + the value; of a value below 0, minus that of 1 - the value (internal)';

CREATE FUNCTION segment_internal.cluster_rank(value float8, cuts float8[]) RETURNS float8
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE WHEN abs(value) < 'Infinity' THEN segment.score(value, cuts)::float8 END;
COMMENT ON FUNCTION segment_internal.cluster_rank(float8, float8[]) IS
'a value as a cluster scheme with transform rank takes it: its score by cut points that were found over all customers; NULL for NaN and infinity (internal)';

/*
 * The columns as the expressions of an array, which is the same in the query that
 * finds the clusters and in the rules.  Cut points of ranks are found here, and
 * become part of the rules.
 */
CREATE FUNCTION segment_internal.cluster_features(portfolio text, columns text[], transform text) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $cluster_features$
DECLARE
	col text;
	number text;
	cuts float8[];
	features text[] := '{}';
BEGIN
	IF cardinality(columns) IS NULL OR cardinality(columns) NOT BETWEEN 1 AND 100 OR array_ndims(columns) <> 1
		OR (SELECT count(DISTINCT c.name) FROM unnest(columns) AS c(name)) < cardinality(columns) THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('columns must be from 1 to 100 different columns of the view customer, not %s', coalesce(left(columns::text, 200), 'NULL'));
	ELSIF transform IS NULL OR transform NOT IN ('none', 'log', 'rank') THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('argument "transform" must be none, log or rank, not "%s"', coalesce(transform, 'NULL'));
	END IF;
	FOREACH col IN ARRAY columns LOOP
		number := segment_internal.customer_number(portfolio, col, 'compared') || '::pg_catalog.float8';
		IF transform = 'log' THEN
			number := format('segment_internal.cluster_log(%s)', number);
		ELSIF transform = 'rank' THEN
			EXECUTE format('SELECT segment.score_cuts(v.number, 20) FROM (SELECT %2$s AS number FROM %1$I.customer) AS v WHERE abs(v.number) < ''Infinity''',
				portfolio, number) INTO cuts;
			number := format('segment_internal.cluster_rank(%s, %L)', number, coalesce(cuts, '{}'));
		END IF;
		features := features || number;
	END LOOP;
	RETURN format('ARRAY[%s]', array_to_string(features, ', '));
END
$cluster_features$;
COMMENT ON FUNCTION segment_internal.cluster_features(text, text[], text) IS
'columns of the view customer as the array by which customers are compared, an expression; errors: 22023 no columns, or a transformation that is not known, 42703 no such column, 42804 not a number (internal)';

/* ---------- finding clusters ---------- */

CREATE FUNCTION segment_internal.cluster_find(portfolio text, features text, k integer, seed bigint) RETURNS segment.clusters
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $cluster_find$
DECLARE
	found_clusters segment.clusters;
BEGIN
	EXECUTE format('SELECT (segment.kmeans_fit(%2$s, $1, $2)).* FROM %1$I.customer', portfolio, features) INTO found_clusters USING k, seed;
	IF found_clusters.rows IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('portfolio "%s" has no customer of whom all columns to be compared are known', portfolio);
	END IF;
	RETURN found_clusters;
END
$cluster_find$;
COMMENT ON FUNCTION segment_internal.cluster_find(text, text, integer, bigint) IS
'clusters of a portfolio''s customers by an array (an expression); error 22023 without customers of whom it is known (internal)';

CREATE TYPE segment_internal.cluster_trial AS (k integer, clusters segment.clusters, silhouette float8);
COMMENT ON TYPE segment_internal.cluster_trial IS
'clusters as they were found with a number k, and the mean silhouette of the customers (internal)';

/* Each number of clusters from 2 to 10 that there are customers for, or the one that is asked for. */
CREATE FUNCTION segment_internal.cluster_trials(portfolio text, features text, k integer, seed bigint) RETURNS segment_internal.cluster_trial[]
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $cluster_trials$
DECLARE
	trial segment_internal.cluster_trial;
	trials segment_internal.cluster_trial[] := '{}';
BEGIN
	IF k NOT BETWEEN 2 AND 50 THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('number of clusters must be from 2 to 50, not %s', k),
			HINT = 'Without a number, one from 2 to 10 is chosen.';
	ELSIF seed IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'argument "seed" must not be null';
	END IF;
	FOR tried IN coalesce(k, 2) .. coalesce(k, 10) LOOP
		trial.clusters := segment_internal.cluster_find(portfolio, features, tried, seed);
		trial.k := cardinality((trial.clusters).size);
		-- fewer where there are fewer customers who differ
		EXIT WHEN trial.k < tried AND tried > 2 AND k IS NULL;
		EXECUTE format('SELECT segment.exact_avg(segment_internal.cluster_silhouette($1, %2$s)) FROM %1$I.customer', portfolio, features)
		INTO trial.silhouette USING trial.clusters;
		trials := trials || trial;
	END LOOP;
	RETURN trials;
END
$cluster_trials$;
COMMENT ON FUNCTION segment_internal.cluster_trials(text, text, integer, bigint) IS
'clusters for the number k, or, where that is NULL, for each from 2 to 10; errors: 22023 k, or as of cluster_find, 22004 seed (internal)';

/* ---------- clusters as classes ---------- */

/*
 * The clusters in the order of what a customer brings on the average, each with the
 * class that it is: of a scheme that had clusters before, the class whose center
 * is nearest, the nearest pair first.
 */
CREATE FUNCTION segment_internal.cluster_match(clusters segment.clusters, values_per_head float8[], before segment.clusters, codes text[]) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $cluster_match$
DECLARE
	matched text[] := array_fill(NULL::text, ARRAY[cardinality(clusters.size)]);
	pair record;
	free text[];
BEGIN
	FOR pair IN
		SELECT n.cluster, codes[o.cluster] AS code
		FROM segment.centers(clusters) AS n
		CROSS JOIN segment.centers(before) AS o
		CROSS JOIN LATERAL (
			SELECT sum(((n.center[f.nth] - o.center[f.nth]) / f.deviation) ^ 2) AS distance
			FROM unnest(clusters.deviation) WITH ORDINALITY AS f(deviation, nth) WHERE f.deviation > 0
		) AS d
		ORDER BY d.distance, n.cluster, o.cluster
	LOOP
		IF matched[pair.cluster] IS NULL AND pair.code <> ALL (array_remove(matched, NULL)) THEN
			matched[pair.cluster] := pair.code;
		END IF;
	END LOOP;
	free := ARRAY(SELECT c.code FROM (SELECT 'cluster_' || g.number AS code, g.number FROM generate_series(1, 2 * cardinality(matched)) AS g(number)) AS c
		WHERE c.code <> ALL (array_remove(matched, NULL)) ORDER BY c.number);
	FOR pair IN
		SELECT v.cluster, row_number() OVER (ORDER BY v.amount DESC NULLS LAST, v.cluster) AS nth
		FROM unnest(values_per_head) WITH ORDINALITY AS v(amount, cluster) WHERE matched[v.cluster] IS NULL
		ORDER BY 2
	LOOP
		matched[pair.cluster] := free[pair.nth];
	END LOOP;
	RETURN matched;
END
$cluster_match$;
COMMENT ON FUNCTION segment_internal.cluster_match(segment.clusters, float8[], segment.clusters, text[]) IS
'a class for each cluster: that of the nearest of the clusters before (NULL: none), each once, else a new one, cluster_1 for the one with the highest value per head (internal)';

/* The mean net value of the customers in each cluster, and the bands of these: 3 high-end, 2 mid, 1 economy. */
CREATE FUNCTION segment_internal.cluster_values(portfolio text, features text, clusters segment.clusters, OUT amounts float8[], OUT bands integer[])
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $cluster_values$
BEGIN
	EXECUTE format($query$
		WITH cluster AS MATERIALIZED (
			SELECT n.cluster, count(c.net_value) AS customers, avg(c.net_value)::float8 AS amount
			FROM generate_series(1, cardinality(($1).size)) AS n(cluster)
			LEFT JOIN (SELECT segment.cluster($1, %2$s) AS cluster, net_value FROM %1$I.customer) AS c ON c.cluster = n.cluster
			GROUP BY n.cluster
		), band AS (
			SELECT segment.natural_cuts(c.amount, least(3, (SELECT count(DISTINCT d.amount) FROM cluster AS d))::integer) AS cuts
			FROM cluster AS c CROSS JOIN LATERAL generate_series(1, c.customers)
		)
		SELECT array_agg(c.amount ORDER BY c.cluster),
			array_agg(CASE cardinality(b.cuts) WHEN 0 THEN 2 WHEN 1 THEN 2 * segment.score(c.amount, b.cuts) - 1 ELSE segment.score(c.amount, b.cuts) END
				ORDER BY c.cluster)
		FROM cluster AS c CROSS JOIN band AS b$query$, portfolio, features)
	INTO amounts, bands USING clusters;
END
$cluster_values$;
COMMENT ON FUNCTION segment_internal.cluster_values(text, text, segment.clusters) IS
'of each cluster the mean net value of a customer in units of money, and its band: 3 high-end, 2 mid, 1 economy, natural groups of the customers by the mean of their cluster (internal)';

/*
 * The classes of a cluster scheme as scheme_write takes them.  A class that the
 * scheme had before keeps what people have said of it.
 */
CREATE FUNCTION segment_internal.cluster_classes(portfolio text, scheme text, features text, clusters segment.clusters, OUT codes text[], OUT classes jsonb)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $cluster_classes$
DECLARE
	figures record := segment_internal.cluster_values(portfolio, features, clusters);
	-- the rules need no more of the clusters
	centers segment.clusters := ROW(NULL, NULL, clusters.deviation, clusters.center, NULL, NULL, NULL);
	before record;
	kept text[];
	banded text[];
BEGIN
	EXECUTE format('SELECT (f.clusters).*, f.classes FROM %I.cluster_fit AS f WHERE f.scheme = $1', portfolio) INTO before USING scheme;
	codes := segment_internal.cluster_match(clusters, figures.amounts, CASE WHEN before.rows IS NOT NULL THEN
		ROW(before.rows, before.mean, before.deviation, before.center, before.size, before.within, before.total)::segment.clusters END, before.classes);
	EXECUTE format($query$
		SELECT coalesce(array_agg(c.class), '{}'), coalesce(array_agg(c.class) FILTER (WHERE c.service_level IN ('high-end', 'mid', 'economy')), '{}')
		FROM %I.scheme_class AS c WHERE c.scheme = $1$query$, portfolio) INTO kept, banded USING scheme;
	SELECT jsonb_agg(c.class ORDER BY c.amount DESC NULLS LAST, c.cluster) INTO classes
	FROM (
		SELECT v.amount, v.cluster, jsonb_build_object('class', codes[v.cluster],
				'rule', format('segment.cluster(%L::segment.clusters, %s) = %s', centers, features, v.cluster))
			|| CASE WHEN codes[v.cluster] = ANY (kept) THEN '{}' ELSE jsonb_build_object('label', replace(codes[v.cluster], '_', ' '),
				'label_zh', replace(codes[v.cluster], 'cluster_', segment_internal.unescape('客户群', 'cluster '))) END
			|| CASE WHEN codes[v.cluster] = ANY (kept) AND codes[v.cluster] <> ALL (banded) THEN '{}'
				ELSE jsonb_build_object('priority', 4 - v.band, 'service_level', (ARRAY['economy', 'mid', 'high-end'])[v.band]) END AS class
		FROM unnest(figures.amounts, figures.bands) WITH ORDINALITY AS v(amount, band, cluster)
	) AS c;
	classes := classes || jsonb_build_array('{"class": "not_clustered"}'::jsonb
		|| CASE WHEN 'not_clustered' = ANY (kept) THEN '{}' ELSE jsonb_build_object('label', 'not clustered', 'label_zh', segment_internal.unescape('未分群', 'not clustered')) END);
END
$cluster_classes$;
COMMENT ON FUNCTION segment_internal.cluster_classes(text, text, text, segment.clusters) IS
'the classes of a cluster scheme, best first by the mean net value of a customer, and the class of each cluster (internal)';

/* All of create_cluster_scheme and refit_cluster_scheme, as the portfolio's owner: see portfolio_run. */
CREATE FUNCTION segment_internal.cluster_change(name text, arguments jsonb) RETURNS segment.refresh_report
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $cluster_change$
DECLARE
	is_new boolean := arguments ->> 'command' = 'create';
	scheme text := arguments ->> 'scheme';
	columns text[];
	transform text;
	k integer;
	seed bigint;
	features text;
	trials segment_internal.cluster_trial[];
	chosen segment_internal.cluster_trial;
	made record;
	report segment.refresh_report;
BEGIN
	-- not while a refresh is under way
	EXECUTE format('SELECT FROM %I.portfolio AS p FOR UPDATE', name);
	IF is_new THEN
		PERFORM segment_internal.scheme_check_name(name, scheme, 'scheme');
		columns := CASE WHEN jsonb_typeof(arguments -> 'columns') = 'array' THEN ARRAY(SELECT jsonb_array_elements_text(arguments -> 'columns')) END;
		transform := arguments ->> 'transform';
		k := arguments ->> 'k';
		seed := arguments ->> 'seed';
	ELSE
		PERFORM segment_internal.scheme_must_exist(name, scheme);
		EXECUTE format('SELECT f.columns, f.transform, coalesce($2, f.k), coalesce($3, f.seed) FROM %I.cluster_fit AS f WHERE f.scheme = $1', name)
		INTO columns, transform, k, seed USING scheme, (arguments ->> 'k')::integer, (arguments ->> 'seed')::bigint;
		IF columns IS NULL THEN
			RAISE EXCEPTION USING ERRCODE = 'wrong_object_type',
				MESSAGE = format('scheme "%s" of portfolio "%s" has no clusters', scheme, name),
				HINT = 'segment.create_cluster_scheme makes a scheme whose classes are clusters.';
		END IF;
	END IF;
	features := segment_internal.cluster_features(name, columns, transform);
	trials := segment_internal.cluster_trials(name, features, k, seed);
	SELECT t.* INTO chosen FROM unnest(trials) AS t
	ORDER BY t.silhouette DESC NULLS LAST, t.k LIMIT 1;
	made := segment_internal.cluster_classes(name, scheme, features, chosen.clusters);
	report := segment_internal.scheme_change(name, jsonb_build_object('command', arguments ->> 'command', 'scheme', scheme, 'classes', made.classes,
		'cuts', CASE WHEN is_new THEN '{}'::jsonb END, 'meaning', CASE WHEN is_new THEN 'customers who are alike in ' || array_to_string(columns, ', ') END));
	EXECUTE format('DELETE FROM %I.cluster_fit AS f WHERE f.scheme = $1', name) USING scheme;
	EXECUTE format('INSERT INTO %I.cluster_fit (scheme, columns, transform, k, seed, as_of, classes, clusters) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)', name)
	USING scheme, columns, transform, k, seed, report.as_of, made.codes, chosen.clusters;
	EXECUTE format('INSERT INTO %I.cluster_trial (scheme, k, customers, within, total, silhouette)
		SELECT $1, t.k, (t.clusters).rows, (t.clusters).within, (t.clusters).total, t.silhouette FROM unnest($2) AS t WHERE $3', name)
	USING scheme, trials, k IS NULL;
	RETURN report;
END
$cluster_change$;
COMMENT ON FUNCTION segment_internal.cluster_change(text, jsonb) IS
'creates or refits a scheme of clusters, with the current user''s rights; errors as for create_cluster_scheme (internal)';

CREATE FUNCTION segment.create_cluster_scheme(name text, scheme text, columns text[], k integer DEFAULT NULL, seed bigint DEFAULT 1, transform text DEFAULT 'none')
RETURNS segment.refresh_report
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
RETURN segment_internal.portfolio_run(name, 'cluster', jsonb_build_object('command', 'create', 'scheme', scheme, 'columns', columns,
	'k', k, 'seed', seed, 'transform', transform), NULL::segment.refresh_report);
COMMENT ON FUNCTION segment.create_cluster_scheme(text, text, text[], integer, bigint, text) IS
'adds a scheme whose classes are k clusters of customers who are alike in columns of the view customer (numbers or booleans; attributes too), found by kmeans_fit over all customers of whom these are known; the others are in the class not_clustered. Without k, the number from 2 to 10 with the highest mean silhouette is taken, that to whose clusters the customers belong most clearly (view cluster_choice). transform: none; log, the logarithm of 1 + the value, or rank, the place among all in twentieths, so that few large customers do not pull the centers. Classes are ordered by the mean net value of a customer, cluster_1 the best; service_level is the band, high-end, mid or economy, priority 1 to 3. Labels are yours to give (table scheme_class). The centers stay as they are until refit_cluster_scheme. Errors: 22023 columns, k (2 to 50), transform or no customers, 22004 seed, 42703 no such column, 42804 its type, 42710 name taken, 42704 no such portfolio, 42501 not the owner';

CREATE FUNCTION segment.refit_cluster_scheme(name text, scheme text, k integer DEFAULT NULL, seed bigint DEFAULT NULL) RETURNS segment.refresh_report
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
RETURN segment_internal.portfolio_run(name, 'cluster', jsonb_build_object('command', 'alter', 'scheme', scheme, 'k', k, 'seed', seed),
	NULL::segment.refresh_report);
COMMENT ON FUNCTION segment.refit_cluster_scheme(text, text, integer, bigint) IS
'has the clusters of a scheme found again, over the customers as they are now, with the number and the seed that are given, else those of before. A cluster whose center is nearest to that of one before keeps its class, with label, action and owner; the order of the classes, and the band where nobody has set another service_level, are those of the new mean net values. Errors: 42704 no such portfolio or scheme, 42809 its classes are not clusters, 42501 not the owner, and those of create_cluster_scheme';
