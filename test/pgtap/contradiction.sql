--
-- One word to a customer: over random portfolios of many kinds, no class says
-- what the orders themselves contradict, and no action what dormancy does
--
-- Takes long: so that it begins first where files run side by side
--
\unset ECHO
\set QUIET 1
\pset format unaligned
\pset tuples_only true
\set ON_ERROR_STOP true
SET client_min_messages = warning;
SET timezone = 'UTC';

BEGIN;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS segment;
SELECT plan(11);

CREATE SCHEMA word_test;
SET search_path = word_test, public;
CREATE TABLE orders (customer integer, day date, amount numeric, margin numeric);
CREATE TABLE costs (customer integer, day date, amount numeric);
CREATE TABLE listed (customer integer);

-- ---------- random shops ----------

-- n customers with what is typical of a kind of shop.
CREATE FUNCTION fill(kind text, n integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	TRUNCATE orders, costs, listed;
	INSERT INTO listed SELECT generate_series(1, n + 3);
	INSERT INTO orders
	SELECT i, date '2024-12-31' - CASE kind
			WHEN 'all equal' THEN 10
			WHEN 'subscription' THEN 30 * (k + CASE WHEN i % 10 = 0 THEN 5 ELSE 0 END)
			WHEN 'ties' THEN 50 * (floor(random() * 3)::integer + (i % 4))
			ELSE floor(random() ^ 2 * 900 + (i % 7) * 20)::integer END,
		a.amount, a.amount * CASE kind WHEN 'losses' THEN (random() - 0.4)::numeric(5, 2) WHEN 'no margin' THEN 0 ELSE 0.30 END
	FROM generate_series(1, n) AS i
	CROSS JOIN LATERAL generate_series(0, CASE kind WHEN 'all equal' THEN 2 WHEN 'subscription' THEN 11
		WHEN 'ties' THEN (ARRAY[1, 4, 4, 4, 5])[1 + i % 5] ELSE floor(random() ^ 3 * 12)::integer + 0 * i END) AS k
	-- 0 * k, so that each order has a chance of its own
	CROSS JOIN LATERAL (SELECT 0 * k + CASE kind WHEN 'all equal' THEN 20 WHEN 'subscription' THEN 30 WHEN 'ties' THEN 10
		WHEN 'wholesale' THEN round((exp(3 + 2 * random()) * CASE WHEN random() < 0.1 THEN 200 ELSE 1 END)::numeric, 2)
		ELSE round((5 + 100 * random() ^ 2)::numeric, 2) END) AS a(amount)
	WHERE kind <> 'refunds only';
	-- refunds: of whole orders on the day, or later; some without any order
	INSERT INTO orders
	SELECT customer, CASE WHEN random() < 0.5 THEN day ELSE least(day + floor(random() * 40)::integer, '2024-12-31') END, -amount, -margin
	FROM orders WHERE kind IN ('returns', 'wholesale') AND random() < 0.3;
	INSERT INTO orders SELECT n + 1 + i % 2, '2024-11-01', -5, -1 FROM generate_series(1, 3) AS i WHERE kind IN ('refunds only', 'returns', 'losses');
	INSERT INTO costs SELECT i, '2024-10-01', round((40 * random() ^ 4)::numeric, 2) FROM generate_series(1, n + 3) AS i WHERE kind IN ('losses', 'returns') AND random() < 0.5;
END
$$;

SELECT setseed(0.13);
SELECT fill('web', 20);
SELECT is((segment.create_portfolio('word', 'SELECT * FROM orders', customers => 'SELECT * FROM listed', costs => 'SELECT * FROM costs')).customers, 23::bigint, 'a portfolio');

-- What the orders themselves say of the customers, up to the day that they are seen from.
CREATE VIEW plain AS
SELECT p.*, coalesce(p.margin, 0) - coalesce(c.cost, 0) AS value,
	-- those with at least as much, in so many buyers; only where sales differ
	count(*) FILTER (WHERE p.ordered) OVER (ORDER BY p.net DESC NULLS LAST) <= ceil(count(*) FILTER (WHERE p.ordered) OVER () / 10.0)
		AND p.ordered AND p.net > 0 AND min(p.net) FILTER (WHERE p.ordered) OVER () < max(p.net) FILTER (WHERE p.ordered) OVER () AS best_tenth
FROM (
	SELECT l.customer, bool_or(o.amount >= 0) IS TRUE AS ordered, bool_or(o.amount < 0) IS TRUE AS returned, sum(o.amount) AS net, sum(o.margin) AS margin
	FROM listed AS l LEFT JOIN orders AS o ON o.customer = l.customer AND o.day <= (SELECT max(as_of) FROM word.customer)
	GROUP BY l.customer) AS p
LEFT JOIN (SELECT customer, sum(amount) AS cost FROM costs WHERE day <= (SELECT max(as_of) FROM word.customer) GROUP BY customer) AS c ON c.customer = p.customer;

-- Contradictions, one row each.
CREATE VIEW contradiction AS
SELECT 'the first order is asked of a customer' AS what, p.customer, k.scheme, k.class
FROM plain AS p JOIN word.customer_class AS k ON k.customer_id = p.customer JOIN word.class AS c USING (scheme, class)
WHERE (p.ordered OR p.returned) AND c.action LIKE 'Win the first order%'
UNION ALL
SELECT 'the best tenth by sales is kept cheap', p.customer, a.scheme, a.class
FROM plain AS p JOIN word.customer_action AS a ON a.customer_id = p.customer
WHERE p.best_tenth AND a.action ~* 'keep contact cheap|standard mailing|leave them alone'
UNION ALL
SELECT 'who is asleep is to buy more', p.customer, a.scheme, a.class
FROM plain AS p JOIN word.customer AS c ON c.customer_id = p.customer JOIN word.customer_action AS a ON a.customer_id = p.customer
WHERE c.dormancy = 'asleep' AND a.action ~ '^(Reward|Offer a loyalty|Suggest|Thank|Welcome|Invite|Stay in touch|Make a limited|Remind)'
UNION ALL
SELECT 'negative value in a top class', p.customer, k.scheme, k.class
FROM plain AS p JOIN word.customer_class AS k ON k.customer_id = p.customer
WHERE p.value < 0 AND (k.scheme, k.class) IN (('value_class', 'mvc'), ('value_class', 'mgc'), ('value_class', 'second'), ('next_step', 'best'), ('next_step', 'keep_best'),
	('next_step', 'win_back'), ('next_step', 'regular'), ('next_step', 'developing'), ('next_step', 'new'))
UNION ALL
SELECT 'who returned everything is lured', p.customer, a.scheme, a.class
FROM plain AS p JOIN word.customer_action AS a ON a.customer_id = p.customer
WHERE p.returned AND p.net <= 0 AND a.class <> 'returns_only'
UNION ALL
SELECT 'one row and one action per customer', l.customer, min(a.scheme), min(a.class)
FROM listed AS l LEFT JOIN word.customer_action AS a ON a.customer_id = l.customer GROUP BY l.customer HAVING count(a.action) <> 1
UNION ALL
-- what the leading class may say beside what dormancy says
SELECT 'dormancy says something else', c.customer_id, a.scheme, a.class || ' ' || c.dormancy
FROM word.customer AS c JOIN word.customer_action AS a USING (customer_id)
WHERE a.class NOT IN ('below_zero', 'returns_only') AND (a.class, c.dormancy) NOT IN (('best', 'active'), ('regular', 'active'), ('developing', 'active'), ('new', 'active'),
	('keep_best', 'drowsy'), ('keep_best', 'half_asleep'), ('drowsy', 'drowsy'), ('half_asleep', 'half_asleep'),
	('win_back', 'asleep'), ('asleep', 'asleep'), ('prospects', 'prospects'))
UNION ALL
-- equal customers have equal words: all that the rules look at is the same
SELECT 'equal scores for equal values', c.customer_id, 'scores', NULL
FROM word.customer AS c JOIN word.customer AS d ON d.orders = c.orders AND d.f_score <> c.f_score OR d.days_since_last = c.days_since_last AND d.r_score <> c.r_score
	OR d.net = c.net AND d.m_score <> c.m_score
UNION ALL
SELECT 'the best has the best score, the worst the worst', c.customer_id, 'scores', NULL
FROM (SELECT *, min(net) OVER () AS least, max(net) OVER () AS most FROM word.customer WHERE orders > 0) AS c
WHERE least < most AND (net = most AND m_score <> 5 OR net = least AND m_score <> 1) OR least = most AND m_score <> 3;

CREATE TABLE found (kind text, portfolio integer, what text, customer integer, scheme text, class text);
CREATE TABLE seen (kind text, class text, customers bigint);
CREATE FUNCTION look(portfolios integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	kinds text[] := '{web,ties,all equal,one customer,refunds only,subscription,wholesale,returns,losses,no margin}';
	kind text;
BEGIN
	FOR i IN 1 .. portfolios LOOP
		kind := kinds[1 + i % cardinality(kinds)];
		PERFORM fill(kind, CASE kind WHEN 'one customer' THEN 1 ELSE 3 + floor(random() ^ 2 * 60)::integer END);
		-- seen from the last order, or later
		PERFORM segment.refresh('word', CASE WHEN i % 3 = 0 THEN date '2024-12-31' + i END);
		INSERT INTO found SELECT kind, i, c.* FROM contradiction AS c;
		INSERT INTO seen SELECT kind, a.class, count(*) FROM word.customer_action AS a GROUP BY a.class;
	END LOOP;
END
$$;
SELECT lives_ok('SELECT look(300)', '300 random portfolios of ten kinds');
SELECT is_empty(format('SELECT kind, portfolio, customer, scheme, class FROM found WHERE what = %L LIMIT 10', what), 'not found: ' || what)
FROM unnest('{the first order is asked of a customer,the best tenth by sales is kept cheap,who is asleep is to buy more,negative value in a top class,who returned everything is lured,one row and one action per customer,dormancy says something else}'::text[]) AS what;
SELECT is_empty($$ SELECT what, kind, portfolio FROM found WHERE what LIKE '%score%' LIMIT 10 $$, 'equal values have equal scores, the best the best and the worst the worst');
SELECT is((SELECT count(DISTINCT class) FROM seen), 12::bigint, 'every class has been seen');

SELECT * FROM finish();
ROLLBACK;
