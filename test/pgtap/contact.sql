--
-- Contacts against orders, composition of sales, and resources beside what they
-- bring: against plain SQL over the same rows
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
SELECT no_plan();

SELECT setseed(0.125) \g /dev/null
CREATE TABLE orders (id integer, at date, amount numeric, margin numeric);
CREATE TABLE costs (id integer, at date, amount numeric);
CREATE TABLE contacts (id integer, at date);
CREATE TABLE lines (id integer, at date, amount numeric, margin numeric, category text);
CREATE TABLE people (id integer, may boolean, hours numeric, stops float8);
INSERT INTO people SELECT n, n % 4 > 0, round((random() * 9)::numeric, 1), floor(random() * 4) FROM generate_series(1, 90) AS n;
INSERT INTO orders SELECT d.id, date '2023-01-01' + floor(random() * 730)::integer, d.amount, round(d.amount * 0.4, 2)
FROM (SELECT 1 + floor(power(random(), 2) * 80)::integer AS id, round((random() * 90 - 6)::numeric, 2) AS amount FROM generate_series(1, 600)) AS d;
INSERT INTO costs SELECT id, at, 2 FROM orders WHERE amount > 60;
INSERT INTO contacts SELECT 1 + floor(power(random(), 3) * 90)::integer, date '2023-06-01' + floor(random() * 579)::integer FROM generate_series(1, 800);
INSERT INTO lines SELECT id, at, amount, round(amount * (0.1 + 0.5 * (id % 3) / 2), 2), nullif((ARRAY['bread', 'cake', 'tea', ''])[1 + (id + at - date '2023-01-01') % 4], '') FROM orders;

SELECT segment.create_portfolio('shop', 'SELECT * FROM orders', customers => 'SELECT * FROM people', costs => 'SELECT * FROM costs', contacts => 'SELECT * FROM contacts',
	lines => 'SELECT * FROM lines', timezone => 'UTC',
	settings => '{"contact_column": "may", "resource_columns": "hours = 80, stops, period_contacts=1.5", "purchase_model": "mbgnbd"}') \g /dev/null
SELECT segment.refresh('shop', '2024-12-31') \g /dev/null

-- ---------- contacts ----------

CREATE TABLE seen AS
SELECT c.customer_id, k.scheme, k.class, (SELECT count(*) FROM contacts AS t WHERE t.id = c.customer_id AND t.at > '2024-01-01') AS contacts,
	(SELECT count(*) FROM orders AS o WHERE o.id = c.customer_id AND o.amount >= 0 AND o.at > '2024-01-01') AS orders
FROM shop.customer AS c JOIN shop.customer_class AS k USING (customer_id);
SELECT set_eq('SELECT customer_id, period_contacts, period_orders FROM shop.customer', 'SELECT DISTINCT customer_id, contacts, orders FROM seen', 'the period is the last year');
-- the customer in the middle, by counting
CREATE TABLE middle AS
SELECT s.scheme, s.class, min(s.contacts) AS median FROM seen AS s
WHERE s.contacts > 0 AND 2 * (SELECT count(*) FROM seen AS o WHERE o.scheme = s.scheme AND o.class = s.class AND o.contacts > 0 AND o.contacts <= s.contacts)
	>= (SELECT count(*) FROM seen AS o WHERE o.scheme = s.scheme AND o.class = s.class AND o.contacts > 0)
GROUP BY 1, 2;
SELECT set_eq('SELECT scheme, class, customers, contacted, contacts, orders, round(contacts_per_order::numeric, 9) AS per_order, median, over_contacted FROM shop.contact_pressure', $$
	SELECT s.scheme, s.class, count(*) AS customers, count(*) FILTER (WHERE s.contacts > 0) AS contacted, sum(s.contacts)::bigint, sum(s.orders)::bigint AS orders,
		round(sum(s.contacts)::numeric / nullif(sum(s.orders), 0), 9) AS per_order, m.median, count(*) FILTER (WHERE s.contacts > 2 * m.median) AS over
	FROM seen AS s LEFT JOIN middle AS m USING (scheme, class) GROUP BY s.scheme, s.class, m.median $$, 'contact_pressure as by hand');
SELECT set_eq('SELECT customer_id, class, period_contacts, class_median, round(pressure::numeric, 9) AS pressure, over_contacted FROM shop.customer_contact', $$
	SELECT s.customer_id, s.class, s.contacts, m.median, round(s.contacts::numeric / m.median, 9) AS pressure, coalesce(s.contacts > 2 * m.median, false)
	FROM seen AS s LEFT JOIN middle AS m USING (scheme, class) WHERE s.scheme = 'next_step' $$, 'customer_contact as by hand');
SELECT ok((SELECT count(*) FILTER (WHERE over_contacted) > 2 AND count(*) FILTER (WHERE contacts_per_order IS NULL) > 5 FROM shop.customer_contact), 'some get too much');

-- ---------- who may be contacted ----------

SELECT set_eq('SELECT customer_id, may_contact FROM shop.customer_action', 'SELECT id, coalesce(may, false) FROM people', 'permission decides');
SELECT segment.alter_portfolio('shop', settings => '{"contact_limit": 8}') \g /dev/null
SELECT set_eq('SELECT customer_id, may_contact FROM shop.customer_action',
	$$ SELECT p.id, p.may AND (SELECT count(*) FROM contacts AS t WHERE t.id = p.id AND t.at > '2024-01-01') < 8 FROM people AS p $$, 'and the limit of contacts');
SELECT is_empty($$ SELECT b.customer_id FROM shop.best_list(NULL) AS b JOIN shop.customer AS c USING (customer_id) WHERE c.period_contacts >= 8 OR NOT c.may $$,
	'the best list keeps to both');
SELECT ok((SELECT count(*) > 10 FROM shop.best_list(NULL)), 'and is not empty');

-- ---------- composition of sales ----------

SELECT set_eq($$ SELECT scheme, class, category, customers, sales, margin, round(share::numeric, 9) AS share, round(all_share::numeric, 9) AS all_share, round(index::numeric, 6) AS index, is_high_margin
	FROM shop.sales_composition $$, $$
	WITH line AS (SELECT s.scheme, s.class, l.* FROM lines AS l JOIN seen AS s ON s.customer_id = l.id),
	cell AS (SELECT scheme, class, category, count(DISTINCT id) FILTER (WHERE amount >= 0) AS customers, sum(amount) AS sales, sum(margin) AS margin FROM line GROUP BY 1, 2, 3)
	SELECT c.scheme, c.class, c.category, c.customers, c.sales, c.margin,
		round(c.sales / t.sales, 9) AS share, round(a.sales / w.sales, 9) AS all_share, round(100 * (c.sales / t.sales) / (a.sales / w.sales), 6) AS index,
		c.category IN (SELECT h.category FROM lines AS h GROUP BY 1 HAVING sum(h.margin) > 0.3 * sum(h.amount))
	FROM cell AS c
	CROSS JOIN LATERAL (SELECT CASE WHEN sum(x.sales) > 0 THEN sum(x.sales) END AS sales FROM cell AS x WHERE x.scheme = c.scheme AND x.class = c.class) AS t
	CROSS JOIN LATERAL (SELECT sum(l.amount) AS sales FROM lines AS l WHERE l.category IS NOT DISTINCT FROM c.category) AS a
	CROSS JOIN (SELECT sum(amount) AS sales FROM lines) AS w $$, 'sales_composition as by hand');

-- ---------- resources ----------

CREATE TABLE taken AS
SELECT s.scheme, s.class, r.resource, r.price, sum(r.amount) AS amount
FROM seen AS s
JOIN people AS p ON p.id = s.customer_id
CROSS JOIN LATERAL (VALUES ('cost', 1::numeric, (SELECT coalesce(sum(c.amount), 0) FROM costs AS c WHERE c.id = s.customer_id)),
	('period_contacts', 1.5, s.contacts), ('hours', 80, p.hours), ('stops', NULL, p.stops::numeric)) AS r(resource, price, amount)
GROUP BY 1, 2, 3, 4;
CREATE TABLE brought AS
SELECT s.scheme, s.class, coalesce(sum(o.amount), 0) AS sales FROM seen AS s LEFT JOIN (SELECT id, sum(amount) AS amount FROM orders GROUP BY 1) AS o ON o.id = s.customer_id GROUP BY 1, 2;
SELECT set_eq($$ SELECT scheme, class, resource, amount, round(resource_share::numeric, 9) AS a, round(sales_share::numeric, 9) AS b, round(ratio::numeric, 6) AS c,
		round(target::numeric, 6) AS d, round(move::numeric, 6) AS e, round(move_money::numeric, 6) AS f FROM shop.resource_share $$, $$
	SELECT t.scheme, t.class, t.resource, t.amount, round(t.amount / w.amount, 9) AS a, round(b.sales / a.net, 9) AS b,
		round((t.amount / w.amount) / nullif(greatest(b.sales, 0) / a.sales, 0), 6) AS c,
		round(w.amount * greatest(b.sales, 0) / a.sales, 6) AS d, round(w.amount * greatest(b.sales, 0) / a.sales - t.amount, 6) AS e,
		round((w.amount * greatest(b.sales, 0) / a.sales - t.amount) * t.price, 6) AS f
	FROM taken AS t JOIN brought AS b USING (scheme, class)
	CROSS JOIN LATERAL (SELECT sum(x.amount) AS amount FROM taken AS x WHERE x.scheme = t.scheme AND x.resource = t.resource) AS w
	CROSS JOIN LATERAL (SELECT sum(greatest(x.sales, 0)) AS sales, sum(x.sales) AS net FROM brought AS x WHERE x.scheme = t.scheme) AS a $$, 'resource_share as by hand');
SELECT is_empty($$ SELECT scheme, resource FROM shop.resource_share GROUP BY 1, 2 HAVING abs(sum(move)) > 1e-6 $$, 'what is moved adds up to nothing');
SELECT is_empty($$ SELECT r.* FROM shop.resource_share AS r JOIN shop.segment_summary AS s USING (scheme, class)
	WHERE (r.profit_share, r.equity_share) IS DISTINCT FROM (s.profit_share, s.clv_share) $$, 'profit and equity are those of segment_summary');
SELECT throws_ok(format($$ SELECT segment.alter_portfolio('shop', settings => '{"resource_columns": "%s"}') $$, wrong), '22023',
	format('setting "resource_columns" must name numeric columns of the view customer, each with the price of a unit or without, not "%s"', wrong), wrong)
FROM unnest('{may,nothing,hours = much,hours = -1}'::text[]) AS wrong;

-- without these sources
SELECT segment.alter_portfolio('shop', contacts => '', lines => '', settings => '{"resource_columns": null}') \g /dev/null
SELECT is((SELECT count(*) FROM shop.customer_contact) + (SELECT count(*) FROM shop.contact_pressure) + (SELECT count(*) FROM shop.sales_composition), 0::bigint, 'nothing to see');
SELECT set_eq('SELECT DISTINCT resource FROM shop.resource_share', $$ VALUES ('cost') $$, 'costs are a resource in any case');
SELECT set_eq('SELECT customer_id, may_contact FROM shop.customer_action', 'SELECT id, coalesce(may, false) FROM people', 'without contacts there is no limit');

SELECT * FROM finish();
ROLLBACK;
