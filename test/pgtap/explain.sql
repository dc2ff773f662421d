--
-- explain: says what the views say; its change is true and the least
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
SELECT plan(35);

CREATE SCHEMA explain_test;
SET search_path = explain_test, public;

-- Customers of many kinds, the same at every run: customer i has 1 + i % 9
-- orders, i % 13 days apart, the last one i * 7 % 200 days before the end;
-- every seventh has a refund, every fifth has margins below cost.
CREATE TABLE orders AS
SELECT i AS id, date '2024-06-30' - (i * 7 % 200) - (i % 13) * n AS day,
	round((5 + i * 37 % 90 + (n * 11 + i) % 17)::numeric * 1.01, 2) AS amount
FROM generate_series(1, 400) AS i CROSS JOIN LATERAL generate_series(0, i % 9) AS n
UNION ALL
SELECT i, date '2024-06-30' - (i * 7 % 200), -3.5 FROM generate_series(7, 400, 7) AS i;
CREATE TABLE cost AS SELECT i AS id, date '2024-01-01' AS day, 90.25 AS amount FROM generate_series(5, 420, 5) AS i;
CREATE VIEW with_margin AS SELECT id, day, amount, round(amount * (id % 5 + 1) / 10, 2) AS margin FROM orders;
SELECT is((segment.create_portfolio('shop', 'SELECT * FROM orders', customers => 'SELECT generate_series(1, 430)', costs => 'TABLE cost')).as_of,
	date '2024-06-30', 'a portfolio with a share as margin');
SELECT is((segment.create_portfolio('own', 'SELECT * FROM with_margin', customers => 'SELECT generate_series(1, 430)', costs => 'TABLE cost')).as_of,
	date '2024-06-30', 'a portfolio with margins of its own');
SELECT is((segment.create_scheme('shop', 'listed', '[{"class": "vip", "rule": "customer_id IN (17, 430)"}, {"class": "other", "rule": "customer_id <> 17 AND orders > 2"}, {"class": "rest"}]')).customers,
	430::bigint, 'a scheme with rules on the key');

-- ---------- class, rule and figures are those of the views ----------

CREATE TABLE explained AS
SELECT p.name, i AS id, e.* FROM unnest(ARRAY['shop', 'own']) AS p(name)
CROSS JOIN unnest(ARRAY[1, 7, 8, 17, 35, 200, 315, 399, 415, 430]) AS i
CROSS JOIN LATERAL segment.explain(p.name, i::text) AS e;
SELECT is((SELECT count(*) FROM explained), (10 * (13 + 12))::bigint, 'one row per scheme');
SELECT is_empty(format($$ SELECT e.id, e.scheme, e.class, k.class FROM explained AS e
	LEFT JOIN %1$I.customer_class AS k ON k.customer_id = e.id AND k.scheme = e.scheme
	WHERE e.name = %1$L AND (e.class, e.label) IS DISTINCT FROM (k.class, k.label) $$, p), p || ': class and label are those of customer_class')
FROM unnest(ARRAY['shop', 'own']) AS p;
SELECT is_empty(format($$ SELECT e.id, e.scheme, e.rule, k.rule FROM explained AS e
	LEFT JOIN %1$I.class AS k USING (scheme, class)
	WHERE e.name = %1$L AND e.rule IS DISTINCT FROM coalesce(k.rule, '(no other rule is true)') $$, p), p || ': rule is that of the class')
FROM unnest(ARRAY['shop', 'own']) AS p;
-- every figure is a column of the view, or in the newest scorecard, up to the digits shown
CREATE FUNCTION wrong_figures(portfolio text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format($query$
		SELECT concat_ws(' ', e.id, e.scheme, f.figure, v.row ->> f.name, v.row ->> 'as_of')
		FROM explained AS e
		CROSS JOIN LATERAL string_to_table(e.figures, ', ') AS s(figure)
		CROSS JOIN LATERAL (SELECT s.figure, split_part(s.figure, ' = ', 1) AS name, split_part(s.figure, ' = ', 2) AS shown) AS f
		CROSS JOIN LATERAL (SELECT to_jsonb(c) || (SELECT n.settings - 'margin' || n.cuts FROM %1$I.scorecard AS n ORDER BY scorecard_id DESC LIMIT 1) AS row
			FROM %1$I.customer AS c WHERE c.customer_id = e.id) AS v
		WHERE e.name = %1$L AND CASE WHEN f.shown ~ '^-?[0-9.]+$' THEN abs(f.shown::numeric - (v.row ->> f.name)::numeric) > 0.00005 OR v.row ->> f.name IS NULL
			ELSE f.shown IS DISTINCT FROM coalesce(v.row ->> f.name, 'NULL') END$query$, portfolio);
END
$$;
SELECT is_empty(format('SELECT wrong_figures(%L)', p), p || ': figures are those of the view and the scorecard') FROM unnest(ARRAY['shop', 'own']) AS p;
SELECT is_empty($$ SELECT e.* FROM explained AS e WHERE figures IS NULL AND rule ~ '[a-z]' $$, 'every rule has figures');
SELECT is((SELECT figures FROM explained WHERE name = 'shop' AND id = 17 AND scheme = 'rfm_segment'),
	(SELECT format('f_score = %s, r_score = %s', f_score, r_score) FROM shop.customer WHERE customer_id = 17), 'figures, spelled out');

-- ---------- the change is true, and the least ----------

-- The class of a customer after n more orders of an amount, really read from
-- the source: a portfolio over the orders with these added, judged by the
-- scorecard that explain used.
CREATE TABLE more (id integer, day date, amount numeric, margin numeric);
CREATE FUNCTION class_after(portfolio text, customer integer, scheme text, n integer, amount numeric, margin numeric) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
	history segment.history;
	margins segment.history;
BEGIN
	SELECT segment.history_agg(o.day, o.amount), segment.history_agg(o.day, o.margin) INTO history, margins
	FROM (SELECT day, w.amount, w.margin FROM with_margin AS w WHERE id = customer
		UNION ALL SELECT date '2024-06-30', class_after.amount, class_after.margin FROM generate_series(1, n)) AS o(day, amount, margin);
	EXECUTE format('UPDATE %I.customer_history SET purchases = $1, margins = CASE WHEN $4 = ''own'' THEN $2 END WHERE customer_id = $3', portfolio)
	USING history, margins, customer, portfolio;
	-- the view shows what the last refresh kept
	EXECUTE format('SELECT %I FROM %I.customer_at(''2024-06-30'') WHERE customer_id = $1', scheme, portfolio) INTO result USING customer;
	RETURN result;
END
$$;
CREATE TABLE promised AS
SELECT e.*, split_part(change, ' ', 1)::integer AS n, split_part(change, ' ', 5)::numeric AS amount,
	(SELECT CASE WHEN count(*) > 0 THEN round(sum(w.margin) / nullif(sum(w.amount) FILTER (WHERE w.amount > 0), 0) * sum(w.amount) FILTER (WHERE w.amount > 0) / count(*) FILTER (WHERE w.amount > 0), 2)
		END FROM with_margin AS w WHERE w.id = e.id) AS margin
FROM explained AS e WHERE change IS NOT NULL;
UPDATE promised AS p SET margin = (SELECT round(sum(w.margin) / count(*) FILTER (WHERE w.amount > 0), 2) FROM with_margin AS w) WHERE margin IS NULL;
SELECT cmp_ok((SELECT count(*) FROM promised WHERE n > 1), '>=', 10::bigint, 'there are promises of several orders');
SELECT cmp_ok((SELECT count(*) FROM promised WHERE id > 400), '>=', 10::bigint, 'and to prospects');
SELECT is_empty($$ SELECT id, scheme, amount FROM promised AS p WHERE id <= 400
	AND amount <> (SELECT round(avg(o.amount), 2) FROM orders AS o WHERE o.id = p.id AND o.amount > 0) $$, 'the amount is the customer''s mean order');
SELECT is_empty($$ SELECT id, scheme, amount FROM promised AS p WHERE id > 400
	AND amount <> (SELECT round(avg(o.amount), 2) FROM orders AS o WHERE o.amount > 0) $$, 'for prospects everybody''s');
SELECT is_empty(format($$ SELECT id, scheme, class, better_class, n, class_after(name, id, scheme, n, amount, margin) FROM promised
	WHERE name = %1$L AND class_after(name, id, scheme, n, amount, margin) IS DISTINCT FROM better_class $$, p), p || ': after these orders the class is the better one')
FROM unnest(ARRAY['shop', 'own']) AS p;
SELECT is_empty(format($$ SELECT p.id, p.scheme, p.class, p.better_class, p.n, i FROM promised AS p CROSS JOIN LATERAL generate_series(0, p.n - 1) AS i
	JOIN %1$I.class AS k ON k.scheme = p.scheme AND k.class = class_after(p.name, p.id, p.scheme, i, p.amount, p.margin)
	JOIN %1$I.class AS c ON c.scheme = p.scheme AND c.class = p.class
	WHERE p.name = %1$L AND k.class_rank < c.class_rank AND (p.id <= 400 OR i > 0) $$, p), p || ': after fewer it is none better')
FROM unnest(ARRAY['shop', 'own']) AS p;
SELECT is_empty($$ SELECT e.id, e.scheme, e.class, n FROM explained AS e CROSS JOIN generate_series(1, 12) AS n
	JOIN shop.class AS k ON k.scheme = e.scheme AND k.class = class_after(e.name, e.id, e.scheme, n, (SELECT round(avg(o.amount), 2) FROM orders AS o WHERE o.id = e.id AND o.amount > 0), 0)
	JOIN shop.class AS c ON c.scheme = e.scheme AND c.class = e.class
	WHERE e.name = 'shop' AND e.change IS NULL AND e.id <= 200 AND k.class_rank < c.class_rank $$, 'where no change is named, 12 orders change nothing for the better');
-- back to what was read
SELECT is((segment.refresh('shop', full => true)).customers, 430::bigint, 'refreshed');
SELECT ok((segment.refresh('own', full => true)).customers = 430, 'refreshed');

-- ---------- what makes it worse ----------

-- The same customers, seen later by the scorecard of 2024-06-30: customer_at
-- takes the newest scorecard that is not later.
SELECT cmp_ok((SELECT count(*) FROM explained WHERE worse_class IS NOT NULL), '>=', 40::bigint, 'there are falls');
CREATE FUNCTION class_on(portfolio text, customer integer, scheme text, day date) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	EXECUTE format('SELECT %I FROM %I.customer_at($2) WHERE customer_id = $1', scheme, portfolio) INTO result USING customer, day;
	RETURN result;
END
$$;
SELECT is_empty($$ SELECT id, scheme, class, worse_class, worse_after_days FROM explained
	WHERE worse_class IS NOT NULL AND class_on(name, id, scheme, date '2024-06-30' + worse_after_days) IS DISTINCT FROM worse_class $$, 'on that day the class is the worse one');
SELECT is_empty($$ SELECT e.id, e.scheme, e.class, e.worse_class, worse_after_days FROM explained AS e
	JOIN LATERAL (SELECT class_on(e.name, e.id, e.scheme, date '2024-06-30' + e.worse_after_days - 1) AS class) AS d ON true
	JOIN shop.class AS k ON k.scheme = e.scheme AND k.class = d.class JOIN shop.class AS c ON c.scheme = e.scheme AND c.class = e.class
	WHERE e.worse_class IS NOT NULL AND k.class_rank > c.class_rank $$, 'on the day before it is none worse');
SELECT is_empty($$ SELECT e.id, e.scheme, e.class FROM explained AS e
	JOIN LATERAL (SELECT class_on(e.name, e.id, e.scheme, date '2024-06-30' + 366) AS class) AS d ON true
	JOIN shop.class AS k ON k.scheme = e.scheme AND k.class = d.class JOIN shop.class AS c ON c.scheme = e.scheme AND c.class = e.class
	WHERE e.worse_class IS NULL AND k.class_rank > c.class_rank $$, 'where none is named, a year changes nothing for the worse');

-- ---------- keys ----------

SELECT is((segment.create_portfolio('by_text', $$ SELECT format('o''%s $2', id), day, amount FROM orders $$)).customers, 400::bigint, 'keys with quotes and dollars');
SELECT is((SELECT class FROM segment.explain('by_text', 'o''17 $2') WHERE scheme = 'abcd'),
	(SELECT abcd FROM by_text.customer WHERE customer_id = 'o''17 $2'), 'text key');
SELECT is((segment.create_portfolio('by uuid', $$ SELECT md5(id::text)::uuid, day, amount FROM orders $$)).customers, 400::bigint, 'uuid keys, in a schema whose name needs quotes');
SELECT is((SELECT class FROM segment.explain('by uuid', md5('17')) WHERE scheme = 'abcd'),
	(SELECT abcd FROM "by uuid".customer WHERE customer_id = md5('17')::uuid), 'uuid key');
SELECT throws_ok($$ SELECT segment.explain('by_text', 'o''17') $$, 'P0002', 'customer "o''17" is not in portfolio "by_text"', 'unknown customer');
SELECT throws_ok($$ SELECT segment.explain('by uuid', 'x') $$, '22P02', NULL, 'no uuid');
SELECT throws_ok($$ SELECT segment.explain('nosuch', 'x') $$, '42704', NULL, 'unknown portfolio');
SELECT throws_ok($$ SELECT segment.explain('by_text', NULL) $$, 'P0002', 'customer "NULL" is not in portfolio "by_text"', 'NULL');

SELECT * FROM finish();
ROLLBACK;
