--
-- Numbers that clients can read: no numeric of a view needs more than 28 digits,
-- and money has at most one digit after the point more than the source
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

-- The numeric columns of the views and tables of a portfolio, and of what its functions
-- return, with the most digits and the most of them after the point.
CREATE FUNCTION digits(portfolio text, OUT relation text, OUT col text, OUT digits integer, OUT decimals integer, OUT example text)
RETURNS SETOF record LANGUAGE plpgsql AS $$
DECLARE
	r record;
BEGIN
	FOR r IN
		SELECT f.source, f.name, string_agg(format('(%L, t.%I)', a.attname, a.attname), ', ') AS columns
		FROM (
			SELECT c.oid AS type_of, format('%I.%I', portfolio, c.relname) AS source, c.relname::text AS name
			FROM pg_class AS c WHERE c.relnamespace = quote_ident(portfolio)::regnamespace AND c.relkind IN ('v', 'r')
			UNION ALL
			SELECT format('%I.customer', portfolio)::regclass, format('%I.customer_at(date ''2024-06-30'')', portfolio), 'customer_at'
		) AS f
		JOIN pg_attribute AS a ON a.attrelid = f.type_of AND a.attnum > 0 AND NOT a.attisdropped AND a.atttypid = 'numeric'::regtype
		-- what a user writes or sets has the digits that were written
		WHERE (f.name, a.attname) NOT IN (('scorecard', 'margin'), ('model_card', 'margin'))
			AND f.name NOT IN ('scorecard_figures', 'scorecard_in_force', 'key_account_criterion')
			-- and an attribute those of its source
			AND a.attname NOT IN ('entry_limit', 'exit_limit', 'size')
		GROUP BY f.source, f.name
	LOOP
		RETURN QUERY EXECUTE format($query$
			SELECT DISTINCT ON (v.col) %L, v.col, length(regexp_replace(v.amount::text, '[^0-9]', '', 'g')), max(scale(v.amount)) OVER (PARTITION BY v.col), v.amount::text
			FROM %s AS t CROSS JOIN LATERAL (VALUES %s) AS v(col, amount) WHERE v.amount IS NOT NULL
			ORDER BY v.col, 3 DESC$query$, r.name, r.source, r.columns);
	END LOOP;
END $$;
-- Everything that fills a table of its own.
CREATE FUNCTION fill(portfolio text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM segment.take_snapshot(portfolio, '2024-03-31');
	PERFORM segment.take_snapshot(portfolio);
	PERFORM segment.review_key_accounts(portfolio);
END $$;

-- ---------- the demonstration shop ----------

\ir ../../demo/shop.sql
CREATE TABLE demo_cost AS SELECT customer_id, ordered_at::date AS at, 2 AS amount FROM orders WHERE total >= 0;
SELECT segment.create_portfolio('demo', 'SELECT customer_id, ordered_at, total FROM orders', customers => 'SELECT generate_series(1, 6000)::bigint',
	costs => 'SELECT customer_id, at, amount FROM demo_cost', settings => '{"margin": 0.3, "cost_per_non_buyer": 0.5}') \g /dev/null
SELECT fill('demo') \g /dev/null
CREATE TABLE demo_digits AS SELECT * FROM digits('demo');
-- value of a finding: what a criterion measures, be it money or a probability
SELECT is_empty('SELECT * FROM demo_digits WHERE digits > 28', 'demonstration: nothing needs more than 28 digits');
SELECT is_empty($$ SELECT * FROM demo_digits WHERE decimals > 3 AND (relation, col) NOT IN (('key_account_finding', 'value'), ('key_account_requalification', 'value')) $$, 'nor more than one digit after cents');
SELECT cmp_ok((SELECT count(*) FROM demo_digits), '>', 60::bigint, 'many columns were read');
SELECT set_has('SELECT relation FROM demo_digits', $$ SELECT unnest('{customer,customer_at,segment_summary,pyramid,segment_pnl,profit,usage_share,break_even,
	concentration,exposure,key_account,key_account_review,key_account_finding,sales_bridge,snapshot_customer,segment_trend,win_back}'::text[]) $$, 'of all kinds of views');

-- ---------- portfolios drawn at random, with odd rates ----------

SELECT setseed(0.4) \g /dev/null
CREATE TABLE odd (shop integer, id integer, at date, amount numeric, margin numeric);
CREATE TABLE odd_cost (shop integer, id integer, at date, amount numeric);
CREATE TABLE shop AS
SELECT n AS shop, 'odd ' || n AS name, (ARRAY['0.337', '0.3333333333333333', '0.123456789012345678', '1', '0', '0.5'])[n] AS margin, (ARRAY[2, 2, 9, 0, 2, 3])[n] AS scale
FROM generate_series(1, 6) AS n;
INSERT INTO odd
SELECT s.shop, floor(random() * 60), date '2022-01-01' + floor(random() * 1090)::integer,
	round((exp(3 + 2 * random()) * (CASE WHEN random() < 0.1 THEN -0.7 ELSE 1 END))::numeric, s.scale), round((random() * 9 - 3)::numeric, s.scale)
FROM shop AS s, generate_series(1, 400);
INSERT INTO odd_cost SELECT s.shop, floor(random() * 80), date '2022-01-01' + floor(random() * 1090)::integer, round((random() * 20)::numeric, s.scale)
FROM shop AS s, generate_series(1, 100);
SELECT segment.create_portfolio(name, format('SELECT id, at, amount%s FROM odd WHERE shop = %s', CASE shop WHEN 6 THEN ', margin' END, shop),
	customers => 'SELECT i, i * 1.23456789012345678901234567890123456789 AS size FROM generate_series(1, 90) AS i',
	costs => format('SELECT id, at, amount FROM odd_cost WHERE shop = %s', shop), settings => format('{"margin": %s}', margin)::jsonb) FROM shop \g /dev/null
INSERT INTO "odd 1".key_account_criterion VALUES ('2020-01-01', 'clv', 0.001, 0), ('2020-01-01', 'p_alive', 1e-9, 0);
SELECT fill(name) FROM shop \g /dev/null
CREATE TABLE odd_digits AS SELECT s.name, s.scale, d.* FROM shop AS s CROSS JOIN LATERAL digits(s.name) AS d;
SELECT is_empty('SELECT * FROM odd_digits WHERE digits > 28', 'odd rates: nothing needs more than 28 digits');
SELECT is_empty($$ SELECT * FROM odd_digits WHERE decimals > least(scale + 1, 9) AND (relation, col) NOT IN (('key_account_finding', 'value'), ('key_account_requalification', 'value')) $$, 'nor more than one digit after those of the source');

-- the margin is rounded once, at the customer, in the same way everywhere
SELECT is_empty(format('SELECT customer_id, net, margin FROM %I.customer WHERE margin <> round(net * %s, least(scale(net) + 1, 9))', name, margin),
	name || ': margin by hand') FROM shop WHERE shop <> 6;
SELECT is_empty(format('SELECT customer_id, average_order FROM %I.customer WHERE average_order IS DISTINCT FROM round(gross / nullif(orders, 0), least(scale(gross) + 1, 9))', name),
	name || ': average order by hand') FROM shop;
SELECT is_empty(format('SELECT * FROM %I.segment_pnl WHERE margin <> round(revenue * %s, least(scale(revenue) + 1, 9)) OR net <> margin - cost', name, margin),
	name || ': profit and loss by hand') FROM shop WHERE shop <> 6;
SELECT results_eq(format($$ SELECT (SELECT sum(margin) FROM %1$I.customer), (SELECT sum(net_value) FROM %1$I.customer) $$, name),
	format($$ SELECT (SELECT margin FROM %1$I.profit WHERE part = 'all'), (SELECT sum(net_value) FROM %1$I.segment_summary WHERE scheme = 'abc') $$, name),
	name || ': sums over classes are those over customers') FROM shop;
SELECT results_eq(format($$ SELECT total FROM %I.exposure WHERE population = 'customers' ORDER BY measure $$, name),
	format($$ SELECT unnest(ARRAY[(SELECT sum(margin) FROM %1$I.customer), (SELECT profit FROM %1$I.profit WHERE part = 'all'), (SELECT sum(net) FROM %1$I.customer)]) $$, name),
	name || ': also in exposure') FROM shop;

SELECT * FROM finish();
ROLLBACK;
