--
-- What create_portfolio, alter_portfolio and refresh tell though nothing has failed
--
\set SHOW_CONTEXT never
SET timezone = 'UTC';
CREATE SCHEMA notice_test;
SET search_path = notice_test, public;
\pset format unaligned
\pset tuples_only on

-- 60 customers who buy every 20 to 40 days through two years, but half of them leave
CREATE TABLE orders AS
SELECT c AS customer, date '2022-01-01' + (n * (20 + c % 21)) AS day, 10 + (c * 7 + n * 13) % 50 AS amount
FROM generate_series(1, 60) AS c, generate_series(0, 36) AS n
WHERE n * (20 + c % 21) < CASE c % 2 WHEN 0 THEN 730 ELSE 60 + c * 8 END;

-- nothing to tell: the margin is set, the data are long enough
SELECT customers FROM segment.create_portfolio('shop', 'TABLE orders', settings => '{"margin": 0.4, "purchase_model": "none", "spend_model": "none"}');
-- clv is revenue, by the default and by a setting; not where the purchases have margins
SELECT customers FROM segment.alter_portfolio('shop', settings => '{"margin": null}');
SELECT customers FROM segment.refresh('shop');
SELECT customers FROM segment.alter_portfolio('shop', settings => '{"margin": 1}');
SELECT customers FROM segment.alter_portfolio('shop', purchases => 'SELECT customer, day, amount, amount * 0.3 FROM orders');
SELECT customers FROM segment.alter_portfolio('shop', purchases => 'TABLE orders', settings => '{"margin": 0.4}');

-- how long the data are, and half of it
SELECT max(day) - min(day) + 1 AS days, (max(day) - min(day) + 1) / 2 AS half FROM orders;
SELECT customers FROM segment.alter_portfolio('shop', settings => '{"lost_after_days": 364}');
SELECT customers FROM segment.alter_portfolio('shop', settings => '{"lost_after_days": 366}');
SELECT customers FROM segment.refresh('shop', '2022-06-30');
SELECT customers FROM segment.alter_portfolio('shop', settings => '{"lost_after_days": 90}');
-- without a new scorecard there is nothing new to tell
SELECT customers FROM segment.alter_portfolio('shop', settings => '{"lost_after_days": 365, "margin": 1}');
SELECT customers FROM segment.refresh('shop', scorecard => false);
-- and none for a change of a scheme
SELECT customers FROM segment.create_scheme('shop', 'size', '[{"class": "all"}]');

-- what the models warn of, as their own functions do
CREATE TABLE few AS SELECT customer, day, amount FROM orders WHERE customer <= 12;
SELECT customers FROM segment.create_portfolio('few', 'TABLE few', settings => '{"margin": 0.4}');
SELECT unnest(segment.warnings(segment.mbgnbd_fit(x, t_x, t))), 'purchases' FROM (SELECT (segment.cbs(segment.history_agg(day, amount), (SELECT max(day) FROM few))).* FROM few GROUP BY customer) AS c
UNION ALL
SELECT unnest(segment.warnings(segment.gammagamma_fit(x, mean_repeat_spend))), 'amounts' FROM (SELECT (segment.cbs(segment.history_agg(day, amount), (SELECT max(day) FROM few))).* FROM few GROUP BY customer) AS c
ORDER BY 2 DESC, 1;
-- nobody
CREATE TABLE nobody (customer integer, day date, amount numeric);
SELECT customers FROM segment.create_portfolio('nobody', 'TABLE nobody', settings => '{"margin": 0.4}');

SET client_min_messages = warning;
SELECT segment.drop_portfolio(p) FROM unnest('{shop,few,nobody}'::text[]) AS p;
DROP SCHEMA notice_test CASCADE;
