-- A simulated shop: about 5,000 customers and 60,000 orders in the three
-- years 2022 to 2024, the same on every machine and at every time.
--
-- The process, customer by customer and independent of each other:
--
--   arrival   the first order falls on a day that is uniform over the three
--             years, except that one customer in six was there at the start
--   rate      orders a day follow a Poisson process; its rate differs between
--             customers as Gamma(shape 1.5, mean one order in 24 days)
--   dropout   after a lifetime that is exponential with a rate that differs
--             between customers as Gamma(shape 1.5, mean 1/200 a day), the
--             customer never comes again
--   hours     the shop is open from 8 to 22 o'clock (UTC)
--   season    the rate is multiplied by 1.5 from mid-November to Christmas,
--             by 0.8 in July and August (orders of a process with the
--             highest rate are kept with the fitting probability)
--   repeat    with probability 0.04 a second order follows within the hour
--   spend     a customer's usual amount is log-normal (median 38, sigma 0.7),
--             an order is log-normal around it (sigma 0.45), in whole cents
--   refund    with probability 0.03 an order is refunded 1 to 20 days later,
--             two thirds of these in full, the others by half; a refund is a
--             row of its own with a negative total
--
-- Random numbers are hashes of (customer, order, purpose): they do not depend
-- on the plan, and one customer's orders do not depend on the others.

\set ON_ERROR_STOP on

CREATE FUNCTION pg_temp.uniform(customer bigint, nth bigint, purpose integer)
RETURNS float8 LANGUAGE sql IMMUTABLE
RETURN ((hashint8extended(customer * 1000003 + nth, purpose) & 4503599627370495)::float8 + 0.5)
	/ 4503599627370496;

-- Standard normal, by Box and Muller.
CREATE FUNCTION pg_temp.normal(customer bigint, nth bigint, purpose integer)
RETURNS float8 LANGUAGE sql IMMUTABLE
RETURN sqrt(-2 * ln(pg_temp.uniform(customer, nth, purpose)))
	* cos(2 * pi() * pg_temp.uniform(customer, nth, purpose + 1));

-- Gamma with shape 1.5 and mean 1: an exponential (shape 1) and half the
-- square of a normal (shape 0.5), divided by the shape.
CREATE FUNCTION pg_temp.gamma_3_2(customer bigint, purpose integer)
RETURNS float8 LANGUAGE sql IMMUTABLE
RETURN (-ln(pg_temp.uniform(customer, 0, purpose))
	+ pg_temp.normal(customer, 0, purpose + 1) ^ 2 / 2) / 1.5;

-- Season: the rate's factor on a day.
CREATE FUNCTION pg_temp.season(day date)
RETURNS float8 LANGUAGE sql IMMUTABLE
RETURN CASE
	WHEN to_char(day, 'MMDD') BETWEEN '1115' AND '1224' THEN 1.5
	WHEN to_char(day, 'MM') IN ('07', '08') THEN 0.8
	ELSE 1.0 END;

CREATE TABLE orders (
	order_id bigint PRIMARY KEY,
	customer_id bigint NOT NULL,
	ordered_at timestamptz NOT NULL,
	total numeric(10,2) NOT NULL
);

INSERT INTO orders (order_id, customer_id, ordered_at, total)
WITH person AS (
	SELECT customer_id,
		CASE WHEN pg_temp.uniform(customer_id, 0, 1) < 1 / 6.0 THEN pg_temp.uniform(customer_id, 0, 2) * 30
			ELSE pg_temp.uniform(customer_id, 0, 2) * 1096 END AS arrival,
		pg_temp.gamma_3_2(customer_id, 10) / 24 AS rate,
		-ln(pg_temp.uniform(customer_id, 0, 20)) * 200
			/ pg_temp.gamma_3_2(customer_id, 21) AS lifetime,
		ln(38) + 0.7 * pg_temp.normal(customer_id, 0, 30) AS log_spend
	FROM generate_series(1, 5000) AS customer_id
), span AS (
	SELECT *, least(lifetime, 1096 - arrival) AS active FROM person
), candidate AS (
	-- Waiting times of the process with 1.5 times the rate, added up.
	SELECT s.*, nth,
		s.arrival + coalesce(sum(-ln(pg_temp.uniform(customer_id, nth, 40)) / (1.5 * rate))
			FILTER (WHERE nth > 0) OVER (PARTITION BY customer_id ORDER BY nth), 0) AS at_day
	FROM span AS s,
		generate_series(0, ceil(1.5 * rate * active + 8 * sqrt(1.5 * rate * active) + 8)::integer) AS nth
), kept AS (
	SELECT customer_id, nth, log_spend, at_day
	FROM candidate
	WHERE at_day <= arrival + active AND at_day < 1096
		AND (nth = 0 OR pg_temp.uniform(customer_id, nth, 41)
			< pg_temp.season('2022-01-01'::date + floor(at_day)::integer) / 1.5)
), purchase AS (
	SELECT customer_id, nth * 2 AS nth, log_spend, at_day FROM kept
	UNION ALL
	SELECT customer_id, nth * 2 + 1, log_spend,
		least(at_day + pg_temp.uniform(customer_id, nth, 51) / 14, floor(at_day) + 0.9999)
	FROM kept WHERE pg_temp.uniform(customer_id, nth, 50) < 0.04
), priced AS (
	SELECT customer_id, nth, at_day,
		greatest(round(exp(log_spend + 0.45 * pg_temp.normal(customer_id, nth, 60))::numeric, 2), 0.01) AS total
	FROM purchase
), refund AS (
	SELECT customer_id, nth,
		at_day + 1 + 19 * pg_temp.uniform(customer_id, nth, 71) AS at_day,
		-CASE WHEN pg_temp.uniform(customer_id, nth, 72) < 2 / 3.0 THEN total
			ELSE round(total / 2, 2) END AS total
	FROM priced WHERE pg_temp.uniform(customer_id, nth, 70) < 0.03
), event AS (
	SELECT customer_id, nth, at_day, total FROM priced
	UNION ALL
	SELECT customer_id, nth, at_day, total FROM refund WHERE at_day < 1096 AND total < 0
), timed AS (
	SELECT customer_id, nth, total,
		'2022-01-01 08:00+00'::timestamptz + floor(at_day)::integer * interval '1 day'
			+ floor((at_day - floor(at_day)) * 14 * 3600)::integer * interval '1 second' AS ordered_at
	FROM event
)
SELECT row_number() OVER (ORDER BY ordered_at, customer_id, nth, total DESC),
	customer_id, ordered_at, total
FROM timed
ORDER BY 1;

ANALYZE orders;
