--
-- Schemes whose classes are clusters: a mobile operator's six kinds of customers are
-- found again, judged by plain SQL; the centers stay until they are found anew, and
-- the classes go where all classes go
--
\unset ECHO
\set QUIET 1
\pset format unaligned
\pset tuples_only true
\set ON_ERROR_STOP true
SET client_min_messages = warning;

BEGIN;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS segment;
SET client_min_messages = error;
SELECT plan(45);
\ir ../../demo/mobile.sql
SELECT segment.create_portfolio('mobile', 'SELECT id, at, amount FROM bill', customers => 'SELECT id, minutes, off_peak, sms, abroad, handsets, sex, id % 2 = 0 AS even FROM subscriber',
	timezone => 'UTC', unit => 'month', settings => '{"purchase_model": "none", "spend_model": "none"}') IS NOT NULL AS made \gset

-- ---------- the six kinds, and how many there are ----------

SELECT segment.create_cluster_scheme('mobile', 'behavior', '{minutes,off_peak,sms,abroad,handsets}') IS NOT NULL AS made \gset
SELECT results_eq('SELECT behavior, kind, count(*), round(avg(net) / 12, 2) FROM mobile.customer JOIN subscriber ON id = customer_id GROUP BY 1, 2 ORDER BY 1', $$ VALUES
	('cluster_1', 'global talkers', 33::bigint, 188.00), ('cluster_2', 'high-end talkers', 111, 111.00), ('cluster_3', 'SMS-crazy', 102, 78.00),
	('cluster_4', 'handset lovers', 188, 56.00), ('cluster_5', 'won''t-lose-out', 233, 39.00), ('cluster_6', 'keep-in-touch', 333, 38.00) $$,
	'the six kinds are found, with their shares and revenue, the most valuable first');
SELECT is((SELECT sum(share * net / customers / 12) FROM mobile.segment_summary WHERE scheme = 'behavior' AND customers > 0)::numeric(10, 2), 58.75, 'which makes the revenue of all');
SELECT results_eq($$ SELECT class, class_rank, priority, service_level, label FROM mobile.class WHERE scheme = 'behavior' ORDER BY class_rank $$, $$ VALUES
	('cluster_1', 1, 1, 'high-end', 'cluster 1'), ('cluster_2', 2, 2, 'mid', 'cluster 2'), ('cluster_3', 3, 2, 'mid', 'cluster 3'), ('cluster_4', 4, 3, 'economy', 'cluster 4'),
	('cluster_5', 5, 3, 'economy', 'cluster 5'), ('cluster_6', 6, 3, 'economy', 'cluster 6'), ('not_clustered', 7, NULL, NULL, 'not clustered') $$,
	'in bands by the mean value: of all divisions of the six into three, weighted, the one with the least squares');
SELECT results_eq('SELECT k, k_chosen, customers, columns, transform FROM mobile.cluster_scheme', $$ VALUES (6, true, 1000::bigint, 'minutes, off_peak, sms, abroad, handsets', 'none') $$, 'six was chosen');
SELECT results_eq('SELECT k, chosen FROM mobile.cluster_choice ORDER BY k', 'SELECT k, k = 6 FROM generate_series(2, 10) AS k', 'from 2 to 10');
-- by the silhouettes, from their definition
CREATE TEMP TABLE standard AS
SELECT id, nth, (x - avg(x) OVER w) / stddev_pop(x) OVER w AS z FROM subscriber, unnest(ARRAY[minutes, off_peak, sms, abroad, handsets]) WITH ORDINALITY AS u(x, nth) WINDOW w AS (PARTITION BY nth);
CREATE TEMP TABLE silhouette AS
SELECT k, avg(1 - d[1] / d[2]) AS silhouette FROM (
	SELECT k, id, array_agg(d ORDER BY d) AS d FROM (
		SELECT k, id, c.cluster, sqrt(sum((s.z::float8 - (c.center[nth] - (m.clusters).mean[nth]) / (m.clusters).deviation[nth]) ^ 2)) AS d
		FROM (SELECT k, segment.kmeans_fit(ARRAY[minutes, off_peak, sms, abroad, handsets], k, 1) AS clusters FROM subscriber, generate_series(2, 10) AS k GROUP BY k) AS m,
			segment.centers(m.clusters) AS c, standard AS s GROUP BY k, id, c.cluster) AS d GROUP BY k, id) AS p GROUP BY k;
SELECT is_empty('SELECT k, c.silhouette, s.silhouette FROM mobile.cluster_choice AS c FULL JOIN silhouette AS s USING (k) WHERE NOT abs(c.silhouette - s.silhouette) < 1e-9', 'by the silhouettes of the customers');
SELECT is((SELECT k FROM silhouette ORDER BY silhouette DESC LIMIT 1), 6, 'whose mean is highest there');
SELECT results_eq($$ SELECT class, customers, share, round(center::numeric, 9), round(all_mean::numeric, 9) FROM mobile.cluster_center WHERE col = 'sms' ORDER BY class $$,
	$$ SELECT behavior, count(*), count(*) / 1000.0::float8, round(avg(sms), 9), (SELECT round(avg(sms), 9) FROM subscriber) FROM mobile.customer GROUP BY 1 ORDER BY 1 $$, 'centers are the means of the members');
SELECT results_eq($$ SELECT mean, median, all_mean, round(index::numeric, 6) FROM mobile.segment_profile WHERE scheme = 'behavior' AND class = 'cluster_3' AND measure = 'sms' $$,
	$$ SELECT m::float8, h::float8, a::float8, round(100 * m / a, 6) FROM (SELECT avg(sms) FILTER (WHERE kind = 'SMS-crazy') AS m, avg(sms) AS a,
		percentile_disc(0.5) WITHIN GROUP (ORDER BY sms) FILTER (WHERE kind = 'SMS-crazy') AS h FROM subscriber) AS s $$, 'segment_profile: mean, median and index of the SMS-crazy');
SELECT ok(index BETWEEN 400 AND 420, 'four times as many as in general') FROM mobile.segment_profile WHERE scheme = 'behavior' AND class = 'cluster_3' AND measure = 'sms';
SELECT results_eq($$ SELECT round(share::numeric, 9) FROM mobile.segment_profile WHERE scheme = 'behavior' AND class = 'cluster_3' AND measure = 'sex' AND value = 'male' $$,
	$$ SELECT round(avg((sex = 'male')::integer), 9) FROM subscriber WHERE kind = 'SMS-crazy' $$, 'and the share of men');

-- ---------- classes as all are ----------

SELECT is_empty($$ SELECT class, verdict FROM segment.scheme_check('mobile', 'behavior') WHERE verdict <> CASE class WHEN 'not_clustered' THEN 'no customer is in this class now' ELSE 'ok' END $$, 'scheme_check');
SELECT is_empty('SELECT FROM mobile.customer AS a JOIN mobile.customer_at(''2023-12-31'') AS b USING (customer_id) WHERE a.behavior <> b.behavior', 'customer_at');
SELECT is((SELECT count(*) FROM mobile.customer_at('2023-12-31')), 1000::bigint, 'of all');
SELECT results_eq($$ SELECT class, figures FROM segment.explain('mobile', '5') WHERE scheme = 'behavior' $$,
	$$ SELECT 'cluster_6', format('abroad = %s, handsets = %s, minutes = %s, off_peak = %s, sms = %s', abroad, handsets, minutes, off_peak, sms) FROM subscriber WHERE id = 5 $$, 'explain names the figures');
SELECT segment.take_snapshot('mobile', '2023-06-30') IS NOT NULL AND segment.take_snapshot('mobile') IS NOT NULL AS made \gset
SELECT results_eq($$ SELECT class, customers FROM mobile.segment_trend WHERE scheme = 'behavior' AND as_of = '2023-12-31' AND customers > 0 ORDER BY class $$,
	'SELECT behavior, count(*) FROM mobile.customer GROUP BY 1 ORDER BY 1', 'snapshots');
SELECT results_eq($$ SELECT from_class, to_class, customers FROM mobile.migration('2023-06-30', '2023-12-31', 'behavior') ORDER BY 1 $$,
	'SELECT behavior, behavior, count(*) FROM mobile.customer GROUP BY 1 ORDER BY 1', 'migrations');

-- ---------- frozen until they are found again ----------

CREATE TEMP TABLE old AS SELECT clusters, classes FROM mobile.cluster_fit;
-- also another order of the first column, so that clusters have other numbers
UPDATE subscriber SET sms = sms * 3, minutes = minutes + CASE kind WHEN 'SMS-crazy' THEN 60 ELSE 0 END;
UPDATE bill SET amount = 500 FROM subscriber AS s WHERE s.id = bill.id AND s.kind = 'keep-in-touch';
UPDATE subscriber SET abroad = NULL WHERE id <= 3;
SELECT segment.refresh('mobile') IS NOT NULL AS made \gset
SELECT is_empty($$ SELECT customer_id, behavior FROM mobile.customer, old
	WHERE behavior <> coalesce(classes[segment.cluster(clusters, ARRAY[minutes, off_peak, sms, abroad, handsets])], 'not_clustered') $$, 'after a refresh the centers are the old ones');
SELECT results_eq($$ SELECT customer_id FROM mobile.customer WHERE behavior = 'not_clustered' ORDER BY 1 $$, 'VALUES (1), (2), (3)', 'who is not known is not clustered');
SELECT cmp_ok((SELECT count(*) FROM mobile.customer WHERE behavior = 'cluster_3'), '>', 102::bigint, 'so that others come to be SMS-crazy');
UPDATE mobile.scheme_class SET label = 'SMS-crazy', owner = 'Ann', action = 'Offer a bundle.', service_level = 'own' WHERE scheme = 'behavior' AND class = 'cluster_3';
SELECT segment.refit_cluster_scheme('mobile', 'behavior', k => 6) IS NOT NULL AS made \gset
SELECT results_eq('SELECT kind, count(*) FROM mobile.customer JOIN subscriber ON id = customer_id WHERE behavior = ''cluster_3'' GROUP BY 1', $$ VALUES ('SMS-crazy', 102::bigint) $$, 'found again, the cluster is the same');
SELECT results_eq($$ SELECT class_rank, label, owner, action, service_level, priority FROM mobile.class WHERE scheme = 'behavior' AND class = 'cluster_3' $$,
	$$ VALUES (4, 'SMS-crazy', 'Ann', 'Offer a bundle.', 'own', 2) $$, 'and keeps what people have said of it');
SELECT is_empty($$ SELECT FROM mobile.customer_at('2023-12-31') AS a JOIN mobile.customer AS b USING (customer_id) WHERE a.behavior <> b.behavior $$, 'past days are seen by the new centers');
-- who is most valuable is the first, whatever the class was called
SELECT results_eq($$ SELECT class, class_rank, service_level FROM mobile.class WHERE scheme = 'behavior' AND class_rank < 3 ORDER BY 2 $$,
	$$ VALUES ('cluster_6', 1, 'high-end'), ('cluster_1', 2, 'mid') $$, 'order and bands are those of the new values');
SELECT is_empty('SELECT FROM mobile.cluster_choice', 'with a number that was given there is nothing to choose');
SELECT segment.refit_cluster_scheme('mobile', 'behavior', 3, 7) IS NOT NULL AS made \gset
SELECT results_eq('SELECT k, k_chosen, seed FROM mobile.cluster_scheme', 'VALUES (3, false, 7::bigint)', 'another number, another seed');
SELECT is((SELECT count(*) FROM mobile.class WHERE scheme = 'behavior'), 4::bigint, 'as many classes, and one for the others');

-- ---------- transformations, figures and booleans ----------

SELECT is(segment_internal.cluster_find('mobile', segment_internal.cluster_features('mobile', '{net,orders,even}', 'log'), 4, 5), (SELECT segment.kmeans_fit(ARRAY[ln(1 + net::float8), ln(1 + orders::float8), even::integer * ln(2::float8)], 4, 5) FROM mobile.customer), 'logarithms, of figures and booleans');
SELECT segment.create_cluster_scheme('mobile', 'by_rank', '{sms,minutes}', 4, 5, 'rank') IS NOT NULL AS made \gset
SELECT is(f.clusters, (SELECT segment.kmeans_fit(ARRAY[segment.score(sms::float8, s), segment.score(minutes::float8, m)], 4, 5)
	FROM mobile.customer, (SELECT segment.score_cuts(sms::float8, 20) AS s, segment.score_cuts(minutes::float8, 20) AS m FROM mobile.customer) AS c), 'ranks')
FROM mobile.cluster_fit AS f WHERE scheme = 'by_rank';
SELECT is_empty($$ SELECT scheme, c.class, s.customers FROM mobile.cluster_center AS c JOIN mobile.segment_summary AS s USING (scheme, class)
	WHERE scheme = 'by_rank' AND c.customers <> s.customers $$, 'the classes are the clusters');
SELECT is(segment_internal.cluster_log(x), e, 'logarithm of ' || x) FROM (VALUES (0::float8, 0::float8), (-3, -ln(4::float8)), (3, ln(4::float8))) AS v(x, e);
SELECT is(segment_internal.cluster_rank('NaN', '{1,2}'), NULL, 'a rank of NaN is not known');
SELECT segment.create_cluster_scheme('mobile', 'same', '{orders}') IS NOT NULL AS made \gset
SELECT results_eq('SELECT same, count(*) FROM mobile.customer GROUP BY 1', $$ VALUES ('cluster_1', 1000::bigint) $$, 'of customers who are all alike there is one cluster');

-- ---------- errors, and going away ----------

SELECT throws_ok(format('SELECT segment.create_cluster_scheme(''mobile'', %s)', arguments), state, message, message) FROM (VALUES
	($$ 'x', '{sms,sms}' $$, '22023', 'columns must be from 1 to 100 different columns of the view customer, not {sms,sms}'),
	($$ 'x', NULL $$, '22023', 'columns must be from 1 to 100 different columns of the view customer, not NULL'),
	($$ 'x', '{sex}' $$, '42804', 'column "sex" of the view customer must be a number or a boolean to be compared, not text'),
	($$ 'x', '{nothing}' $$, '42703', 'view customer of portfolio "mobile" has no column "nothing"'),
	($$ 'x', '{sms}', 1 $$, '22023', 'number of clusters must be from 2 to 50, not 1'),
	($$ 'x', '{sms}', 3, NULL $$, '22004', 'argument "seed" must not be null'),
	($$ 'x', '{sms}', 3, 1, 'root' $$, '22023', 'argument "transform" must be none, log or rank, not "root"'),
	($$ 'x', '{p_alive}' $$, '22023', 'portfolio "mobile" has no customer of whom all columns to be compared are known')) AS e(arguments, state, message);
SELECT throws_ok($$ SELECT segment.refit_cluster_scheme('mobile', 'abc') $$, '42809', 'scheme "abc" of portfolio "mobile" has no clusters', 'a scheme without clusters');
SELECT segment.drop_scheme('mobile', 'behavior') IS NOT NULL AS made \gset
SELECT results_eq('SELECT scheme FROM mobile.cluster_scheme ORDER BY 1', $$ VALUES ('by_rank'), ('same') $$, 'with the scheme goes what is known of its clusters');

SELECT * FROM finish();
ROLLBACK;
