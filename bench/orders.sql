-- The orders of the benchmarks: about :orders orders of :customers customers
-- over the three years 2022 to 2024, in random physical order.  Variable
-- seed: the same seed gives the same rows on one version of PostgreSQL.
--
--   orders    of a customer: 1 + Poisson-like around a Gamma(shape 1/2) mean,
--             so that most buy a little and few buy very much
--   dates     uniform between a customer's arrival and departure, both
--             uniform over the three years
--   amounts   numeric(10,2), log-normal around a log-normal usual amount

\set ON_ERROR_STOP on
SET max_parallel_workers_per_gather = 0;
SET synchronous_commit = off;
SELECT setseed(:seed);

CREATE UNLOGGED TABLE orders (
	customer_id bigint NOT NULL,
	ordered_at timestamptz NOT NULL,
	total numeric(10,2) NOT NULL
);

INSERT INTO orders
WITH person AS MATERIALIZED (
	SELECT customer_id,
		-- a squared normal has mean 1: a Gamma of shape 1/2
		1 + round((:orders::float8 / :customers - 1)
			* power(sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random()), 2))::integer AS orders,
		random() AS one_end, random() AS other_end,
		ln(38) + 0.7 * sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random()) AS log_spend
	FROM generate_series(1, :customers) AS customer_id
)
SELECT customer_id, ordered_at, total
FROM (
	SELECT customer_id,
		'2022-01-01 00:00+00'::timestamptz
			+ floor(1096 * 86400 * (one_end + (other_end - one_end) * random())) * interval '1 second' AS ordered_at,
		greatest(0.01, round(exp(log_spend + 0.45 * sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random()))::numeric, 2)) AS total,
		random() AS place
	FROM person, generate_series(1, orders)
	OFFSET 0
) AS one
ORDER BY place;

-- What ANALYZE estimates from a sample, told exactly.
ALTER TABLE orders ALTER customer_id SET (n_distinct = :customers);
VACUUM (ANALYZE) orders;
