--
-- Value net of refunds and costs: the rule against SQL by hand, its limits, what
-- it must not say of who returned everything or costs more than he brings, and
-- amounts at the edges
--
\unset ECHO
\set QUIET 1
\pset format unaligned
\pset tuples_only true
\set ON_ERROR_STOP true
SET client_min_messages = warning;
SET timezone = 'UTC';
SET extra_float_digits = 1;

BEGIN;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS segment;
SELECT no_plan();
SELECT setseed(0.3) \g /dev/null

-- ---------- who returned everything ----------

-- 300 customers of a wholesaler, who buy for 10 to 2,000; and one who bought for
-- 168,469.60 three times, and each time had it all back on the same day
CREATE TABLE wholesale (id integer, at timestamptz, amount numeric(12, 2));
INSERT INTO wholesale
SELECT p.id, timestamptz '2023-01-05' + p.start + random() * (700 - p.start_days) * interval '1 day', round((p.usual * exp(random() - 0.5))::numeric, 2)
FROM (SELECT i AS id, floor(random() * 300) AS start_days, exp(3 + 4 * random()) AS usual, 2 + floor(random() ^ 2 * 20)::integer AS n FROM generate_series(1, 300) AS i) AS r
CROSS JOIN LATERAL (SELECT r.*, r.start_days * interval '1 day' AS start) AS p
CROSS JOIN LATERAL generate_series(1, p.n) AS k;
INSERT INTO wholesale
SELECT 999, at, s * 168469.60 FROM unnest('{2024-03-01 10:00+00,2024-06-01 10:00+00,2024-09-10 10:00+00,2024-11-20 10:00+00}'::timestamptz[]) AS at, unnest('{1,-1}'::integer[]) AS s;
INSERT INTO wholesale VALUES (999, '2023-10-01 10:00+00', 2.90);
SELECT segment.create_portfolio('wholesale', 'SELECT * FROM wholesale', settings => '{"margin": 0.4}') \g /dev/null
SELECT ok(count(*) FILTER (WHERE customer_id = 999) = 1 AND max(expected_spend) = max(expected_spend) FILTER (WHERE customer_id = 999),
	'the largest orders of all are expected of who returned them') FROM wholesale.customer;
SELECT cmp_ok(rank, '>', 60::bigint, 'but not the highest value') FROM (SELECT customer_id, rank() OVER (ORDER BY clv DESC) FROM wholesale.customer) AS r WHERE customer_id = 999;
SELECT is_empty('SELECT place FROM wholesale.best_list(60) WHERE customer_id = 999', 'nor a place on the best list');
SELECT is_empty($$ SELECT class FROM wholesale.customer_class WHERE customer_id = 999 AND scheme IN ('value_class', 'next_step') AND class IN ('mvc', 'mgc', 'best') $$, 'nor in a class of the best');
SELECT cmp_ok(contribution_rate, '<', 0.004::float8, 'since hardly anything is left of what he pays') FROM wholesale.customer WHERE customer_id = 999;

-- ---------- the rule, by hand ----------

-- with own margins, refunds, costs, some of nothing and some of customers who never bought
CREATE TABLE orders (shop integer, id integer, at date, amount numeric, margin numeric);
CREATE TABLE costs (shop integer, id integer, at date, amount numeric);
INSERT INTO orders
SELECT shop, p.id, p.start + floor(random() * (date '2024-12-31' - p.start))::integer,
	round(((CASE WHEN random() < 0.1 THEN -0.8 WHEN random() < 0.05 THEN 0 ELSE 1 END) * p.usual * exp(random() - 0.5))::numeric, 2), round((p.usual * (p.rate + 0.3 * (random() - 0.5)))::numeric, 2)
FROM generate_series(1, 3) AS shop, LATERAL (
	SELECT shop * 0 + i AS id, date '2023-01-01' + floor(random() * 400)::integer AS start, exp(2 + 2 * random()) AS usual, 0.7 * random() - 0.1 AS rate, 1 + floor(random() ^ 2 * 12)::integer AS n
	FROM generate_series(1, 200) AS i) AS p, LATERAL generate_series(1, p.n);
INSERT INTO costs SELECT shop, floor(random() * 230), date '2023-06-01' + floor(random() * 500)::integer, round((random() ^ 3 * 90)::numeric, 2) FROM generate_series(1, 3) AS shop, generate_series(1, 200);
CREATE TABLE shop (shop integer, name text, margin float8, prior float8);
INSERT INTO shop VALUES (1, 'own margins', NULL, NULL), (2, 'a rate', 0.25, NULL), (3, 'a prior', 0.25, 0.75);
SELECT segment.create_portfolio(name, format('SELECT id, at, amount%s FROM orders WHERE shop = %s', CASE WHEN margin IS NULL THEN ', margin' END, shop),
	costs => format('SELECT id, at, amount FROM costs WHERE shop = %s', shop),
	settings => jsonb_strip_nulls(jsonb_build_object('margin', margin, 'contribution_prior_purchases', prior))) FROM shop \g /dev/null
CREATE FUNCTION same(one float8, other float8, tolerance float8) RETURNS boolean LANGUAGE sql
RETURN coalesce(abs(one - other) <= tolerance * greatest(abs(one), abs(other)), one IS NULL AND other IS NULL);

-- from the orders themselves, with the scorecard's models and prior only
CREATE FUNCTION by_hand(which shop) RETURNS TABLE (id integer, expected_spend float8, contribution_rate float8, clv float8, clv_before_cost float8)
LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format($query$
		WITH bought AS (
			SELECT o.id, o.at, sum(o.amount) FILTER (WHERE o.amount >= 0) AS gross, count(*) FILTER (WHERE o.amount >= 0) AS orders,
				sum(o.amount) AS net, sum(o.margin) AS margin
			FROM orders AS o WHERE o.shop = $1 AND o.at <= (SELECT n.as_of FROM %1$I.scorecard AS n) GROUP BY o.id, o.at
		), person AS (
			SELECT b.id, min(b.at) FILTER (WHERE b.orders > 0) AS first_day, max(b.at) FILTER (WHERE b.orders > 0) AS last_day,
				count(*) FILTER (WHERE b.orders > 0) AS days, coalesce(sum(b.gross), 0)::float8 AS gross,
				CASE WHEN $2 IS NULL THEN sum(b.margin) ELSE round(sum(b.net) * $2::numeric, 3) END::float8 AS margin,
				coalesce((SELECT sum(c.amount) FROM costs AS c WHERE c.shop = $1 AND c.id = b.id), 0)::float8 AS cost,
				(array_agg(b.gross ORDER BY b.at) FILTER (WHERE b.orders > 0))[1]::float8 AS first_gross
			FROM bought AS b GROUP BY b.id HAVING sum(b.orders) > 0
		), everybody AS (
			SELECT sum(p.margin - p.cost) / sum(p.gross) AS rate, sum(p.margin) / sum(p.gross) AS rate_before_cost,
				exp(avg(ln(p.gross / p.days)) FILTER (WHERE p.gross > 0)) AS usual
			FROM person AS p
		), judged AS (
			SELECT p.*, e.*, s.purchase_model, s.spend_model, s.prior_purchases, s.horizon, (p.days - 1)::float8 AS x, (p.last_day - p.first_day) / s.unit_days AS t_x, (s.as_of - p.first_day) / s.unit_days AS t,
				coalesce((p.gross - p.first_gross) / nullif(p.days - 1, 0), 0) AS repeat
			FROM person AS p, everybody AS e, %1$I.scorecard AS s
		), valued AS (
			SELECT j.*, segment.expected_spend(j.spend_model, j.x, j.repeat) AS spend,
				(j.margin - j.cost + j.prior_purchases * z.size * j.rate) / (j.gross + j.prior_purchases * z.size) AS own,
				(j.margin + j.prior_purchases * z.size * j.rate_before_cost) / (j.gross + j.prior_purchases * z.size) AS own_before_cost
			FROM judged AS j
			-- an own purchase, averaged with a usual one, if it is smaller
			CROSS JOIN LATERAL (SELECT CASE WHEN j.gross > j.days * j.usual THEN j.usual ELSE (j.gross + j.usual) / (j.days + 1) END AS size) AS z
		)
		SELECT v.id, v.spend, v.own, v.spend * v.own * d.purchases, v.spend * v.own_before_cost * d.purchases
		FROM valued AS v
		CROSS JOIN LATERAL (SELECT segment.discounted_purchases(v.purchase_model, v.x, v.t_x, v.t, v.horizon, 0.1) AS purchases) AS d$query$, which.name)
	USING which.shop, which.margin;
END $$;
SELECT is_empty(format($$ SELECT h.*, c.expected_spend, c.contribution_rate, c.clv, c.clv_before_cost
	FROM shop AS s CROSS JOIN LATERAL by_hand(s) AS h FULL JOIN (SELECT * FROM %1$I.customer WHERE orders > 0) AS c ON c.customer_id = h.id
	WHERE s.name = %1$L AND NOT (same(h.expected_spend, c.expected_spend, 1e-9) AND same(h.contribution_rate, c.contribution_rate, 1e-9)
		AND same(h.clv, c.clv, 1e-9) AND same(h.clv_before_cost, c.clv_before_cost, 1e-9)) $$, name), name || ': as by hand from the orders') FROM shop;
SELECT cmp_ok((SELECT count(*) FROM shop AS s, by_hand(s) AS h WHERE h.clv IS NOT NULL), '>', 500::bigint, 'for many customers');
-- the same from kept columns, to the last bits
SELECT is_empty(format($$ SELECT c.customer_id FROM %I.customer AS c CROSS JOIN %1$I.model_card AS m
	CROSS JOIN LATERAL (SELECT m.prior_purchases * least(m.usual_gross, (c.gross::float8 + m.usual_gross) / (c.purchase_days + 1)) AS gross) AS p
	WHERE orders > 0 AND NOT (same(c.contribution_rate, (c.net_value::float8 + p.gross * m.contribution_rate) / (c.gross::float8 + p.gross), 1e-12)
		AND (c.clv = 0 OR same(c.clv / c.contribution_rate, c.clv_before_cost * (c.gross::float8 + p.gross) / (c.margin::float8 + p.gross * m.rate_before_cost), 1e-9))) $$, name),
	name || ': as by hand from what is kept') FROM shop;
SELECT is((SELECT array_agg(prior_purchases) FROM (SELECT prior_purchases FROM "a prior".scorecard) AS p), '{0.75}'::float8[], 'a prior that is set is the prior');

-- the prior by hand: two moments, in decimal arithmetic
CREATE FUNCTION prior_by_hand(portfolio text) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
	result numeric;
BEGIN
	EXECUTE format($query$
		WITH d AS (
			SELECT c.gross, c.purchase_days::numeric AS n,
				(c.net_value - c.gross * (SELECT sum(net_value) / sum(gross) FROM %1$I.customer WHERE orders > 0)) ^ 2 / c.gross AS y
			FROM %1$I.customer AS c WHERE c.gross > 0
		), s AS (
			SELECT count(*)::numeric AS a, sum(gross) AS b, sum(y) AS y, sum(1 / n) AS c, sum(gross / n) AS d, sum(y / n) AS z, exp(avg(ln(gross / n))) AS usual FROM d
		)
		-- a x within + b x between = y, c x within + d x between = z
		SELECT (y * d - z * b) / (a * z - c * y) / usual FROM s$query$, portfolio) INTO result;
	RETURN result;
END $$;

-- 2,000 customers whose own rates differ by 0.1, and those of their purchases of 50 by
-- 0.15 around them: the own variance is 0.01, the other 0.0225 x 50 per unit of
-- money, so that 2.25 purchases are the best prior
CREATE TABLE known_variance AS
SELECT i AS id, date '2023-01-01' + (k * 37 + i) % 700 AS at, 50 AS amount, round((50 * (r.own + 0.15 * sqrt(12) * (random() - 0.5)))::numeric, 4) AS margin
FROM generate_series(1, 2000) AS i CROSS JOIN LATERAL (SELECT 0 * i + 0.3 + 0.1 * sqrt(12) * (random() - 0.5) AS own, 1 + i % 15 AS n) AS r CROSS JOIN LATERAL generate_series(1, r.n) AS k;
SELECT segment.create_portfolio('known', 'SELECT * FROM known_variance') \g /dev/null
SELECT ok(same(prior_purchases, prior_by_hand('known')::float8, 1e-9), 'the prior by hand') FROM known.scorecard;
SELECT ok(prior_purchases = 5 AND prior_by_hand('own margins') < 0, 'where rates differ no more than by chance, the largest') FROM "own margins".scorecard;
SELECT ok(prior_purchases BETWEEN 1.9 AND 2.7, 'the prior is found in the data: ' || prior_purchases) FROM known.scorecard;
SELECT is((SELECT round(usual_gross::numeric, 9) FROM known.scorecard), 50::numeric, 'a usual purchase, where all are the same');
SELECT is(segment_internal.contribution_prior(ARRAY[40, 1, 1, 1, 1, 1, 1, 1, 1], 0.3, 50), 2::float8, 'too few customers to estimate from');
SELECT is(segment_internal.contribution_prior(NULL, NULL, NULL), 2::float8, 'nobody at all');

-- ---------- identities ----------

-- nothing comes back, nothing costs: the lifetime value is that of the models
CREATE TABLE plain AS SELECT id, at, abs(amount) AS amount FROM orders WHERE shop = 1 AND amount <> 0;
SELECT segment.create_portfolio('whole', 'SELECT * FROM plain') \g /dev/null
SELECT segment.create_portfolio('third', 'SELECT * FROM plain', settings => '{"margin": 0.3}') \g /dev/null
SELECT is_empty($$ SELECT c.customer_id, c.contribution_rate, c.clv FROM whole.customer AS c JOIN whole.customer_history AS h USING (customer_id) CROSS JOIN whole.scorecard AS s
	WHERE c.contribution_rate <> 1 OR c.clv_before_cost <> c.clv OR c.clv IS DISTINCT FROM segment.clv(s.purchase_model, s.spend_model, c.purchase_days - 1,
		(c.last_day - c.first_day) / s.unit_days, c.tenure_days / s.unit_days, (segment.measures(h.purchases, c.as_of)).mean_repeat_spend, s.horizon, 0.1, 1) $$,
	'all of it contribution: the value of the models, bit for bit');
SELECT is_empty($$ SELECT c.customer_id, c.contribution_rate FROM third.customer AS c JOIN third.customer_history AS h USING (customer_id) CROSS JOIN third.scorecard AS s
	WHERE NOT same(c.contribution_rate, 0.3, 1e-14) OR NOT same(c.clv, segment.clv(s.purchase_model, s.spend_model, c.purchase_days - 1,
		(c.last_day - c.first_day) / s.unit_days, c.tenure_days / s.unit_days, (segment.measures(h.purchases, c.as_of)).mean_repeat_spend, s.horizon, 0.1, 0.3), 1e-14) $$,
	'the same share of all: the value of the models times the share');

-- between the portfolio's rate, without purchases, and the own one, with many; of small and large purchases
SELECT is_empty($$ SELECT size, n, rate, before FROM (
		SELECT size, n, r.rate, lag(r.rate) OVER (PARTITION BY size ORDER BY n) AS before
		FROM generate_series(0, 1000) AS n, unnest('{0.5,30,4000}'::float8[]) AS size
		CROSS JOIN LATERAL (SELECT segment_internal.contribution_rate(-0.2 * size * n, size * n, n, 0.4, 30, 2) AS rate) AS r) AS s
	WHERE rate >= before OR rate NOT BETWEEN -0.2 AND 0.4 OR n = 0 AND rate <> 0.4 OR n = 1000 AND rate > -0.19 $$, 'ever nearer to the own rate');
SELECT is(segment_internal.contribution_rate(0, 0, 0, 0.4, 30, 0), 0.4::float8, 'without purchases the portfolio''s, also without a prior');
SELECT is(segment_internal.contribution_rate(-6, 30, 1, 0.4, 30, 0), -0.2::float8, 'without a prior the own');
SELECT is(segment_internal.contribution_rate(0, 100000, 1, 0.4, 30, 2), 24 / 100060::float8, 'an order of unusual size that came back counts as what it is');

SELECT is_empty(format($$ SELECT s.scheme, s.clv, c.clv FROM (SELECT scheme, sum(clv) AS clv FROM %1$I.segment_summary GROUP BY scheme) AS s, (SELECT sum(clv) AS clv FROM %1$I.customer) AS c
	WHERE NOT same(s.clv, c.clv, 1e-10) $$, name), name || ': the value of the classes is that of the customers') FROM shop;

-- ---------- who costs more than he brings ----------

SELECT ok(count(*) FILTER (WHERE clv < 0) > 10 AND count(*) FILTER (WHERE clv > 0) > 10, 'some have a negative value, and some do not') FROM "own margins".customer;
SELECT is_empty(format($$ SELECT c.customer_id, c.net_value, c.clv FROM %I.customer AS c, %1$I.model_card AS m
	WHERE c.clv <> 0 AND sign(c.clv) <> sign(c.net_value::float8
		+ m.prior_purchases * least(m.usual_gross, (c.gross::float8 + m.usual_gross) / (c.purchase_days + 1)) * m.contribution_rate) $$, name),
	name || ': negative for whom losses exceed what the prior purchases would bring') FROM shop;
SELECT is_empty(format($$ SELECT customer_id FROM %I.customer WHERE clv < 0 AND value_class IN ('mvc', 'mgc') AND net_value < 0 OR value_class = 'mgc' AND clv <= 0 $$, name),
	name || ': nobody of negative value is growable') FROM shop;
SELECT is_empty($$ SELECT customer_id FROM "own margins".customer WHERE cost > 0 AND clv >= clv_before_cost AND clv <> 0 AND cost > margin $$, 'a cost takes from the value');
SELECT isnt_empty($$ SELECT place FROM "own margins".best_list(NULL) WHERE expected_value < 0 $$, 'they are at the end of the best list');
SELECT is_empty($$ SELECT b.place FROM "own margins".best_list(NULL) AS b JOIN "own margins".customer AS c USING (customer_id)
	WHERE NOT same(b.expected_value, c.purchase_probability * c.expected_spend * c.contribution_rate, 1e-14) $$, 'which is by contribution');
SELECT is_empty($$ SELECT customer_id FROM "own margins".churn_signal AS s JOIN "own margins".customer AS c USING (customer_id)
	WHERE NOT same(s.value_at_risk, c.clv * c.churn_risk, 1e-14) OR NOT same(s.wake_priority, c.purchase_probability * c.expected_spend * c.contribution_rate, 1e-14) $$, 'and so are the signals');
-- a repeat purchase is worth what was paid for it, also where there are margins
SELECT is_empty($$ SELECT k.customer_id FROM "own margins".kept_customer AS k JOIN "own margins".customer_history AS h USING (customer_id)
	WHERE k.repeat_spend IS DISTINCT FROM (segment.measures(h.purchases, k.as_of)).mean_repeat_spend AND k.orders > 0 $$, 'spend is gross');

-- ---------- edges ----------

CREATE TABLE edge (id integer, at date, amount numeric);
CREATE TABLE edge_cost (id integer, at date, amount numeric);
INSERT INTO edge SELECT i, date '2024-01-01' + (i * 7 + k * 31) % 300, 20 + i % 9 FROM generate_series(1, 100) AS i, generate_series(1, 1 + i % 5) AS k;
INSERT INTO edge SELECT id, date '2024-01-01' + d, amount
FROM (VALUES (201, 0, 0), (201, 40, 0), (202, 0, 0), (203, 0, -50), (204, 0, 99999999999999999999999999.99), (204, 90, 99999999999999999999999999.99),
	(205, 0, 0.000000001), (206, 10, 30), (206, 20, -30), (207, 0, 0.000000001), (207, 50, 0)) AS v(id, d, amount);
INSERT INTO edge_cost VALUES (202, '2024-02-01', 100), (203, '2024-02-01', 10), (205, '2024-02-01', 1e20), (208, '2024-02-01', 30), (7, '2024-02-01', -40), (9, '2024-02-01', 1e26);
SELECT segment.create_portfolio('edge', 'SELECT * FROM edge', costs => 'SELECT * FROM edge_cost') \g /dev/null
CREATE FUNCTION not_finite(portfolio text) RETURNS SETOF jsonb LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format($query$ SELECT to_jsonb(c) FROM %1$I.customer AS c
		WHERE 'NaN' IN (expected_spend, contribution_rate, clv, clv_before_cost) OR 'Infinity' IN (abs(expected_spend), abs(contribution_rate), abs(clv), abs(clv_before_cost))
			OR orders > 0 AND (SELECT s.contribution_rate IS NOT NULL FROM %1$I.scorecard AS s ORDER BY scorecard_id DESC LIMIT 1) AND contribution_rate IS NULL
			OR orders = 0 AND num_nonnulls(contribution_rate, clv, clv_before_cost) > 0$query$, portfolio);
END $$;
SELECT is_empty($$ SELECT not_finite('edge') $$, 'free orders, only refunds, costs without purchases, huge and tiny amounts');
SELECT lives_ok($$ SELECT segment.alter_portfolio('edge', settings => '{"contribution_prior_purchases": 0}') $$, 'without a prior');
SELECT is_empty($$ SELECT not_finite('edge') $$, 'the same');
SELECT lives_ok($$ SELECT * FROM edge.segment_summary $$, 'the classes');
SELECT lives_ok($$ SELECT * FROM edge.segment_profile $$, 'and their profile');
SELECT lives_ok($$ SELECT * FROM edge.exposure $$, 'and the exposure');
SELECT throws_ok($$ SELECT segment.alter_portfolio('edge', settings => '{"contribution_prior_purchases": -1}') $$, '22023', 'setting "contribution_prior_purchases" must be from 0 to 1000000, not -1', 'a negative prior');
SELECT segment.create_portfolio('free', 'SELECT id, at, 0 FROM edge WHERE amount >= 0', costs => 'SELECT * FROM edge_cost') \g /dev/null
SELECT is_empty($$ SELECT * FROM free.customer WHERE num_nonnulls(contribution_rate, clv, clv_before_cost) > 0 $$, 'where nobody paid there is no rate');
SELECT segment.create_portfolio('nobody', 'SELECT id, at, amount FROM edge WHERE false') \g /dev/null
SELECT is((SELECT count(*) FROM nobody.customer), 0::bigint, 'nor without anybody');

SELECT * FROM finish();
ROLLBACK;
