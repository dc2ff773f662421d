--
-- Operations of all kinds on one portfolio, in any order: changes of the sources, a
-- refresh, another operation.  After each step every row is what is computed for
-- its day from the histories, every view and chart answers, and customer_now is
-- customer where nothing is pending.
--
-- Takes long: so that it begins first where files run side by side
--
\unset ECHO
\set QUIET 1
\pset format unaligned
\pset tuples_only true
\set ON_ERROR_STOP true
SET client_min_messages = error;
\if :{?seed}
\else
	\set seed 0.2
\endif
\if :{?steps}
\else
	\set steps 20
\endif

BEGIN;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS segment;
SELECT plan(2);
SET LOCAL jit = off;

CREATE TABLE sale AS
SELECT i % 60 AS customer, timestamp '2023-01-03' + i * 7 % 500 * interval '1 day' AS at,
	round(i * 31 % 97 / 7.0, 2) AS amount, round(i * 17 % 23 / 9.0, 2) AS margin FROM generate_series(1, 500) AS i;
CREATE TABLE cost (customer integer, at date, amount numeric);
CREATE TABLE visit (customer integer, at date, place text);
CREATE TABLE contact (customer integer, at date, channel text);
CREATE TABLE line (customer integer, at date, amount numeric, margin numeric, category text);
CREATE TABLE person AS
SELECT i AS id, (ARRAY['a', 'b', NULL])[1 + i % 3] AS town, i * 3 AS staff FROM generate_series(0, 80) AS i;
SELECT segment.create_portfolio('shop', 'SELECT customer, at, amount, margin FROM sale',
	customers => 'SELECT id, town, staff FROM person', timezone => 'UTC') \g /dev/null
SELECT segment.watch('shop', 'sale', 'customer'), segment.watch('shop', 'person', 'id'), segment.refresh('shop') \g /dev/null

CREATE TABLE operation (kind text, statement text);
INSERT INTO operation VALUES
	-- changes of the sources
	('change', $$ INSERT INTO sale SELECT floor(random() * 70), max(s.at) + random() * interval '2 days', 10, 3 FROM sale AS s, generate_series(1, 3) AS n GROUP BY n $$),
	('change', $$ INSERT INTO sale SELECT floor(random() * 70), max(s.at) - random() * interval '30 days', 10, 3 FROM sale AS s, generate_series(1, 3) AS n GROUP BY n $$),
	('change', $$ INSERT INTO sale SELECT floor(random() * 70), timestamp '2024-03-20' + random() * 60 * interval '1 day', -5, -2 FROM generate_series(1, 2) $$),
	('change', $$ DELETE FROM sale WHERE customer = floor(random() * 70)::integer AND random() < 0.5 $$),
	('change', $$ UPDATE sale SET customer = floor(random() * 70) WHERE ctid = (SELECT ctid FROM sale ORDER BY random() LIMIT 1) $$),
	('change', $$ INSERT INTO cost SELECT floor(random() * 70), date '2024-01-01' + (random() * 150)::integer, 7 $$),
	('change', $$ INSERT INTO visit SELECT floor(random() * 70), date '2024-01-01' + (random() * 150)::integer, 'p' || floor(random() * 3) FROM generate_series(1, 5) $$),
	('change', $$ INSERT INTO contact SELECT floor(random() * 70), date '2024-01-01' + (random() * 150)::integer, 'mail' FROM generate_series(1, 5) $$),
	('change', $$ INSERT INTO line SELECT floor(random() * 70), date '2024-01-01' + (random() * 150)::integer, 9, 3, 'c' || floor(random() * 3) FROM generate_series(1, 5) $$),
	('change', $$ UPDATE person SET town = 'z' WHERE id = floor(random() * 80)::integer $$),
	-- refreshes, watched or not
	('refresh', $$ SELECT segment.refresh('shop') $$),
	('refresh', $$ SELECT segment.refresh('shop', scorecard => false) $$),
	('refresh', $$ SELECT segment.refresh('shop', "full" => true) $$),
	('refresh', $$ SELECT segment.refresh('shop', as_of => date '2024-04-01' + (random() * 60)::integer) $$),
	('change', $$ SELECT segment.watch('shop', 'sale', 'customer'), segment.watch('shop', 'person', 'id') $$),
	('change', $$ SELECT segment.watch('shop', 'cost', 'customer'), segment.watch('shop', 'visit', 'customer'), segment.watch('shop', 'contact', 'customer'), segment.watch('shop', 'line', 'customer') $$),
	('change', $$ SELECT segment.unwatch('shop') $$),
	-- schemes
	('other', $$ SELECT segment.create_scheme('shop', 's' || floor(random() * 3), '[{"class": "a", "rule": "net > cut", "stay_rule": "net > cut / 2"}, {"class": "b", "rule": "town = ''a'' AND clv > 0"}, {"class": "c"}]', '{"cut": "max(clv) / 3"}') $$),
	('other', $$ SELECT segment.drop_scheme('shop', 's' || floor(random() * 3)) $$),
	('other', $$ SELECT segment.create_cluster_scheme('shop', 'k' || floor(random() * 2), '{net,days_since_last,staff}', NULL, 7) $$),
	('other', $$ SELECT segment.refit_cluster_scheme('shop', 'k' || floor(random() * 2)) $$),
	('other', $$ SELECT segment.drop_scheme('shop', 'k' || floor(random() * 2)) $$),
	('other', $$ SELECT segment.define_traits('shop', '[{"trait": "t", "rule": "staff > 50"}, {"trait": "u", "rule": "town = ''a''"}]') $$),
	-- sources and settings
	('other', $$ SELECT segment.alter_portfolio('shop', visits => 'SELECT customer, at, place FROM visit') $$),
	('other', $$ SELECT segment.alter_portfolio('shop', contacts => 'SELECT customer, at, channel FROM contact', lines => 'SELECT customer, at, amount, margin, category FROM line') $$),
	('other', $$ SELECT segment.alter_portfolio('shop', costs => 'SELECT customer, at, amount FROM cost') $$),
	('other', $$ SELECT segment.alter_portfolio('shop', costs => '', visits => '') $$),
	('other', $$ SELECT segment.alter_portfolio('shop', settings => jsonb_build_object('period_days', 100 + floor(random() * 300))) $$),
	('other', $$ SELECT segment.alter_portfolio('shop', settings => '{"indexes": "net"}') $$),
	-- the rest
	('other', $$ SELECT segment.take_snapshot('shop') $$),
	('other', $$ SELECT segment.take_snapshot('shop', (SELECT max(as_of) - 30 FROM shop.customer)) $$),
	('other', $$ SELECT segment.review_key_accounts('shop') $$),
	('other', $$ SELECT segment.backtest('shop', (SELECT max(as_of) - 120 FROM shop.customer), 90) $$),
	('other', $$ SELECT segment.report('shop', 'x/') $$),
	('other', $$ SELECT segment.explain('shop', '5') $$),
	('other', $$ SELECT segment.scheme_check('shop', s.scheme) FROM shop.scheme AS s $$);

-- new orders, and refreshes that keep the scorecard, come more often
INSERT INTO operation
SELECT o.* FROM operation AS o, generate_series(1, 4) WHERE o.statement ~ 'max\(s.at\) \+|scorecard => false';

-- What is not as it should be; NULL: nothing.
CREATE FUNCTION differences() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	r record;
	found text[] := '{}';
	differing bigint;
	-- whom a stay rule keeps depends on the snapshot before
	staying text[] := ARRAY(SELECT DISTINCT k.scheme FROM shop.scheme_class AS k WHERE k.stay_rule IS NOT NULL);
BEGIN
	FOR r IN SELECT DISTINCT c.as_of FROM shop.customer AS c LOOP
		SELECT count(*) INTO differing
		FROM (SELECT * FROM shop.customer WHERE as_of = r.as_of) AS c
		LEFT JOIN shop.customer_at(r.as_of) AS a ON a.customer_id = c.customer_id
		WHERE to_jsonb(c) - staying IS DISTINCT FROM to_jsonb(a) - staying;
		found := found || CASE WHEN differing > 0 THEN format('%s rows as of %s', differing, r.as_of) END;
	END LOOP;
	IF NOT EXISTS (SELECT FROM shop.pending_customer) THEN
		SELECT count(*) INTO differing
		FROM shop.customer AS c FULL JOIN shop.customer_now AS n ON n.customer_id = c.customer_id
		WHERE to_jsonb(c) IS DISTINCT FROM to_jsonb(n);
		found := found || CASE WHEN differing > 0 THEN format('%s rows of customer_now', differing) END;
	END IF;
	FOR r IN
		SELECT format('SELECT count(v::text) FROM shop.%I AS v', c.relname) AS query FROM pg_class AS c
		WHERE c.relnamespace = 'shop'::regnamespace AND c.relkind = 'v' AND c.relname <> 'chart'
		UNION ALL
		SELECT format('SELECT segment.chart(''shop'', %L)', c.chart) FROM shop.chart AS c
	LOOP
		BEGIN
			EXECUTE r.query;
		EXCEPTION WHEN OTHERS THEN
			found := found || format('%s: %s', r.query, SQLERRM);
		END;
	END LOOP;
	RETURN nullif(array_to_string(found, '; '), '');
END $$;

CREATE TABLE done (step integer GENERATED ALWAYS AS IDENTITY, statement text, error text, differences text);
CREATE PROCEDURE operate() LANGUAGE plpgsql AS $$
DECLARE
	chosen text;
	error text;
BEGIN
	FOR chosen IN
		SELECT (SELECT o.statement FROM operation AS o WHERE o.kind = k.kind ORDER BY random() LIMIT 1)
		FROM unnest('{change,change,refresh,other}'::text[]) WITH ORDINALITY AS k(kind, ordinal) ORDER BY k.ordinal
	LOOP
		error := NULL;
		BEGIN
			EXECUTE chosen;
		EXCEPTION WHEN OTHERS THEN
			error := SQLSTATE || ' ' || SQLERRM;
		END;
		INSERT INTO done (statement, error) VALUES (chosen, error);
	END LOOP;
	UPDATE done AS d SET differences = differences() WHERE d.step = (SELECT max(m.step) FROM done AS m);
END $$;
SELECT setseed(:seed) \g /dev/null
SELECT 'CALL operate()' FROM generate_series(1, :steps) \gexec
-- there is no such scheme, or there is one already, or an earlier day than that of the last review
SELECT is((SELECT string_agg(format('step %s: %s: %s', d.step, d.statement, d.error), E'\n' ORDER BY d.step) FROM done AS d WHERE d.error !~ '^(42704|42710|55000) '),
	NULL, 'no operation fails for another reason than what it says');
SELECT is((SELECT string_agg(format('step %s: %s: %s', d.step, d.statement, d.differences), E'\n' ORDER BY d.step) FROM done AS d WHERE d.differences IS NOT NULL),
	NULL, 'and all that is shown agrees');

SELECT finish();
ROLLBACK;
