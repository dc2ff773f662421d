-- What the demo shows of the portfolio shop.

\pset footer off
\pset null '-'

\echo
\echo 'Segments: who they are, what they bring, what to do'
SELECT coalesce(k.label, c.rfm_segment) AS segment,
	count(*) AS customers,
	round(100.0 * count(*) / sum(count(*)) OVER (), 1) AS "% of customers",
	round(100.0 * sum(c.net) / nullif(sum(sum(c.net)) OVER (), 0), 1) AS "% of sales",
	k.action AS "what to do"
FROM shop.customer AS c
LEFT JOIN shop.class AS k ON k.scheme = 'rfm_segment' AND k.class = c.rfm_segment
GROUP BY k.class_rank, k.label, c.rfm_segment, k.action
ORDER BY k.class_rank;

\echo 'Best customers: the highest value expected over the next year'
SELECT customer_id AS customer, orders, round(net, 2) AS sales,
	last_day AS "last order", rfm_cell AS "RFM", rfm_segment AS segment,
	round(100 * p_alive::numeric, 1) AS "% alive",
	round(expected_purchases::numeric, 1) AS "purchases ahead", round(clv::numeric, 2) AS value
FROM shop.customer
ORDER BY clv DESC NULLS LAST, net DESC, customer_id
LIMIT 10;

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
	count(*) AS customers,
	round(100.0 * sum(c.net) / nullif(sum(sum(c.net)) OVER (), 0), 1) AS "% of sales",
	k.action AS "what to do"
FROM shop.customer AS c
LEFT JOIN shop.class AS k ON k.scheme = 'dormancy' AND k.class = c.dormancy
GROUP BY k.class_rank, k.label, c.dormancy, k.action
ORDER BY k.class_rank;

\echo 'Data quality: doubtful rows (none are silently lost)'
SELECT source, check_name AS "check", count AS rows, money
FROM shop.data_quality
WHERE count > 0
ORDER BY source, check_name;
