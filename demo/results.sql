-- What the demo shows of the portfolio shop.

\pset footer off
\pset null '-'

\echo
\echo Segments: who they are, what they bring, what to do
SELECT coalesce(k.label, c.rfm_segment) AS segment,
	count(*) AS customers,
	round(100.0 * count(*) / sum(count(*)) OVER (), 1) AS "% of customers",
	round(100.0 * sum(c.net) / nullif(sum(sum(c.net)) OVER (), 0), 1) AS "% of sales",
	k.action AS "what to do"
FROM shop.customer AS c
LEFT JOIN shop.class AS k ON k.scheme = 'rfm_segment' AND k.class = c.rfm_segment
GROUP BY k.class_rank, k.label, c.rfm_segment, k.action
ORDER BY k.class_rank;

\echo Best customers: the highest sales
SELECT customer_id AS customer, orders, round(net, 2) AS sales, round(average_order, 2) AS "average order",
	last_day AS "last order", rfm_cell AS "RFM", rfm_segment AS segment
FROM shop.customer
ORDER BY net DESC NULLS LAST, customer_id
LIMIT 10;

\echo Slipping away: much bought, and now away for far longer than their own rhythm
SELECT customer_id AS customer, orders, round(net, 2) AS sales, last_day AS "last order",
	days_since_last AS "days away", round(mean_gap_days::numeric, 1) AS "usual days between",
	dormancy
FROM shop.customer
WHERE purchase_days >= 5 AND days_since_last > 3 * mean_gap_days
	AND dormancy IN ('drowsy', 'half_asleep')
ORDER BY net DESC, customer_id
LIMIT 10;

\echo Awake and asleep: time since the last order against each customer''s own rhythm
SELECT coalesce(k.label, c.dormancy) AS dormancy,
	count(*) AS customers,
	round(100.0 * sum(c.net) / nullif(sum(sum(c.net)) OVER (), 0), 1) AS "% of sales",
	k.action AS "what to do"
FROM shop.customer AS c
LEFT JOIN shop.class AS k ON k.scheme = 'dormancy' AND k.class = c.dormancy
GROUP BY k.class_rank, k.label, c.dormancy, k.action
ORDER BY k.class_rank;
