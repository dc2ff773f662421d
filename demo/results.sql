-- What the demo shows of the portfolio shop.

\pset footer off
\pset null '-'

-- A share of 100 % as a bar of 20 characters.
CREATE FUNCTION pg_temp.bar(part numeric, total numeric) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN repeat(U&'\2588', round(20 * greatest(part, 0) / nullif(total, 0))::integer);

-- The last quarter of the data, at most half a year of it, is what a model
-- fitted on the rest has to predict.
SELECT s.as_of - h.days AS cutoff, h.days AS horizon, h.days >= 7 AS can_be_tested
FROM shop.scorecard_in_force AS f
JOIN shop.scorecard AS s ON s.scorecard_id = f.scorecard_id
CROSS JOIN LATERAL (SELECT least(184, (s.as_of - min(c.first_day)) / 4) AS days FROM shop.customer AS c) AS h \gset
\if :can_be_tested
SELECT b.model IS NOT DISTINCT FROM 1 AS usable, b.meaning AS verdict
FROM segment.backtest('shop', :'cutoff', :horizon) AS b
WHERE b.measure = 'verdict' \gset
\else
\set usable false
\set verdict 'not tested: the data are too short'
\endif

\echo
\echo 'Segments: who they are, and what they bring'
SELECT coalesce(k.label, c.rfm_segment) AS segment,
	count(*) AS customers,
	round(100.0 * count(*) / sum(count(*)) OVER (), 1) AS "% of them",
	pg_temp.bar(count(*), sum(count(*)) OVER ()) AS "of customers",
	round(100.0 * sum(c.net) / nullif(sum(sum(c.net)) OVER (), 0), 1) AS "% of sales",
	pg_temp.bar(sum(c.net), sum(sum(c.net)) OVER ()) AS "of sales"
FROM shop.customer AS c
LEFT JOIN shop.class AS k ON k.scheme = 'rfm_segment' AND k.class = c.rfm_segment
GROUP BY k.class_rank, k.label, c.rfm_segment
ORDER BY k.class_rank;

\echo 'What to do: one word to each customer (view customer_action)'
SELECT a.label AS customers, count(*) AS number,
	round(100.0 * sum(c.net) / nullif(sum(sum(c.net)) OVER (), 0), 1) AS "% of sales", a.action AS "what to do"
FROM shop.customer_action AS a
JOIN shop.customer AS c ON c.customer_id = a.customer_id
JOIN shop.class AS k ON k.scheme = a.scheme AND k.class = a.class
GROUP BY k.class_rank, a.label, a.action
ORDER BY k.class_rank;

\echo 'Can the predictions be trusted? What was known on' :cutoff', against the' :horizon 'days since'
\echo '   ' :verdict
\echo
\if :usable
\echo 'Best customers: the highest value expected over the next year'
SELECT customer_id AS customer, orders, round(net, 2) AS sales,
	last_day AS "last order", rfm_cell AS "RFM", rfm_segment AS segment,
	round(100 * p_alive::numeric, 1) AS "% alive",
	round(expected_purchases::numeric, 1) AS "purchases ahead", round(clv::numeric, 2) AS value
FROM shop.customer
ORDER BY clv DESC NULLS LAST, net DESC, customer_id
LIMIT 10;
\else
\echo 'Best customers: the highest sales (the value predicted is not shown, since it cannot be trusted)'
SELECT customer_id AS customer, orders, round(net, 2) AS sales,
	last_day AS "last order", rfm_cell AS "RFM", rfm_segment AS segment
FROM shop.customer
ORDER BY net DESC, customer_id
LIMIT 10;
\endif

\echo 'Slipping away: five purchase days or more, and overdue against their own rhythm, by sales'
SELECT c.customer_id AS customer, c.orders, round(c.net, 2) AS sales, c.last_day AS "last order",
	c.days_since_last AS "days away", round(c.mean_gap_days::numeric, 1) AS "usual days between",
	k.label AS dormancy
FROM shop.customer AS c
JOIN shop.class AS k ON k.scheme = 'dormancy' AND k.class = c.dormancy
WHERE c.purchase_days >= 5 AND c.dormancy IN ('drowsy', 'half_asleep')
ORDER BY c.net DESC, c.customer_id
LIMIT 10;

\echo 'Awake and asleep: the time since the last order against each customer''s own rhythm'
SELECT coalesce(k.label, c.dormancy) AS dormancy,
	count(*) AS customers, pg_temp.bar(count(*), sum(count(*)) OVER ()) AS "of customers",
	round(100.0 * sum(c.net) / nullif(sum(sum(c.net)) OVER (), 0), 1) AS "% of sales",
	pg_temp.bar(sum(c.net), sum(sum(c.net)) OVER ()) AS "of sales"
FROM shop.customer AS c
LEFT JOIN shop.class AS k ON k.scheme = 'dormancy' AND k.class = c.dormancy
GROUP BY k.class_rank, k.label, c.dormancy
ORDER BY k.class_rank;

\echo 'Data quality: doubtful rows (none are silently lost)'
SELECT source, check_name AS "check", count AS rows, money
FROM shop.data_quality
WHERE count > 0
ORDER BY source, check_name;
