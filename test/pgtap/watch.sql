--
-- Watched tables: a refresh that reads changed customers only gives the state
-- that a full refresh gives, whatever happened to the tables; and it never
-- stands in the way of those who write
--
-- Takes long: so that it begins first where files run side by side
--
\unset ECHO
\set QUIET 1
\pset format unaligned
\pset tuples_only true
\set ON_ERROR_STOP true
SET client_min_messages = warning;

BEGIN;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS segment;
SELECT no_plan();
CREATE SCHEMA t;
SET LOCAL search_path = t, public;

-- ---------- a shop with all five sources ----------

CREATE TABLE customer (id bigint, country text);
CREATE TABLE orders (order_id serial PRIMARY KEY, customer integer, at timestamptz, amount numeric, margin numeric);
CREATE INDEX ON orders (customer);
CREATE TABLE cost (at date, amount numeric, customer integer) PARTITION BY RANGE (at);
CREATE TABLE cost_old PARTITION OF cost FOR VALUES FROM (MINVALUE) TO ('2023-01-01');
-- a partition with its columns in another order
CREATE TABLE cost_new (customer integer, at date, amount numeric);
ALTER TABLE cost ATTACH PARTITION cost_new FOR VALUES FROM ('2023-01-01') TO (MAXVALUE);
CREATE TABLE complaint (customer bigint, at date);
CREATE TABLE survey (customer integer, at date, score integer, language text);
CREATE TABLE language (language text PRIMARY KEY, counts boolean);
INSERT INTO language VALUES ('en', true), ('zh', true), ('xx', false);

SELECT setseed(0.7);
CREATE FUNCTION any_customer() RETURNS integer LANGUAGE sql VOLATILE RETURN CASE WHEN random() < 0.98 THEN (300 * random() ^ 2)::integer END;
CREATE FUNCTION any_day() RETURNS date LANGUAGE sql VOLATILE
RETURN CASE WHEN random() < 0.01 THEN NULL WHEN random() < 0.02 THEN date '2990-01-01' ELSE date '2022-01-01' + (700 * random())::integer END;
CREATE FUNCTION any_amount() RETURNS numeric LANGUAGE sql VOLATILE
RETURN CASE WHEN random() < 0.02 THEN NULL WHEN random() < 0.03 THEN 0 ELSE floor(20000 * random() - 1500) / 100 END;
INSERT INTO customer SELECT n, CASE n % 3 WHEN 0 THEN 'CN' ELSE 'DE' END FROM generate_series(250, 350) AS n;
INSERT INTO orders (customer, at, amount, margin)
SELECT any_customer(), any_day() + interval '12 hours', any_amount(), any_amount() FROM generate_series(1, 1500);
INSERT INTO cost SELECT coalesce(any_day(), '2022-01-01'), any_amount(), any_customer() FROM generate_series(1, 200);
INSERT INTO complaint SELECT any_customer(), any_day() FROM generate_series(1, 100);
INSERT INTO survey SELECT any_customer(), any_day(), (5 * random())::integer, (ARRAY['en', 'zh', 'xx'])[1 + floor(3 * random())::integer]
FROM generate_series(1, 100);

SELECT is(mode || ': ' || reason, 'full: no table is watched', 'without watch everything is read')
FROM segment.create_portfolio('shop',
	purchases => 'SELECT customer, at, amount, margin FROM orders WHERE amount IS DISTINCT FROM 13',
	customers => 'SELECT id, country FROM customer',
	costs => 'SELECT customer, at, amount FROM cost',
	complaints => 'SELECT customer, at FROM complaint',
	satisfaction => 'SELECT customer, at, score FROM survey JOIN language USING (language) WHERE counts',
	timezone => 'America/New_York', settings => '{"purchase_model": "none", "spend_model": "none"}');

-- ---------- watch ----------

SELECT is((segment.watch('shop', 'orders', 'customer')).obstacle, 'source "customers": table t.customer is not watched',
	'watch says what is missing');
SELECT segment.watch('shop', 'customer', 'id');
SELECT is((segment.watch('shop', 'cost', 'customer')).tables, 3::bigint, 'partitions are watched, too');
SELECT segment.watch('shop', 'complaint', 'customer');
SELECT is((segment.watch('shop', 'survey', 'customer')).obstacle, 'source "satisfaction": table t.language is not watched', 'until all are');
SELECT is((segment.watch('shop', 'language', NULL)).obstacle, NULL, 'nothing is missing');
SELECT is((segment.watch('shop', 'survey', 'customer')).linear, true, 'rows of a table that linear sources read are logged');
SELECT is((segment.watch('shop', 'customer', 'id')).not_linear, 'source "customers": attributes are read, not added', 'attributes are not');
SELECT is((segment.watch('shop', 'complaint', 'customer')).not_linear, 'the customer''s column has numbers that are no keys', 'nor rows of anybody');
SELECT set_eq('SELECT relation, log IS NOT NULL FROM shop.watched_table', $$ VALUES ('t.orders', true), ('t.customer', false), ('t.cost', true), ('t.cost_old', true),
	('t.cost_new', true), ('t.complaint', false), ('t.survey', true), ('t.language', false) $$, 'as can be seen');
SELECT is((SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_attribute AS a WHERE a.attnum > 0
	AND a.attrelid = (SELECT format('shop.%I', log)::regclass FROM shop.watched_table WHERE relation = 't.survey')),
	'{sign,at,customer,language,score}'::text[], 'a log has the columns that the sources read');
SELECT set_eq('SELECT relation, customer_column FROM shop.watched_table',
	$$ VALUES ('t.orders', 'customer'), ('t.customer', 'id'), ('t.cost', 'customer'), ('t.cost_old', 'customer'),
		('t.cost_new', 'customer'), ('t.complaint', 'customer'), ('t.survey', 'customer'), ('t.language', NULL) $$,
	'what is watched can be seen');

PREPARE refresh AS SELECT mode || ': ' || reason FROM segment.refresh('shop');
SELECT results_eq('refresh', ARRAY['full: the tables were not all watched at the last refresh'], 'one more full read');
SELECT results_eq('refresh', $$ SELECT format('changes: 0 of %s customers changed', count(*)) FROM shop.customer $$, 'then nothing');
SELECT is((segment.alter_portfolio('shop', settings => '{"purchase_model": null}')).mode, 'changes', 'other settings need no full read');

-- ---------- the same state as a full refresh ----------

CREATE FUNCTION state() RETURNS TABLE (part text, content text) LANGUAGE sql AS $$
	SELECT 'history', h::text FROM shop.customer_history AS h
	-- what amounts are usual, a full refresh says
	UNION ALL SELECT 'defect', d::text FROM shop.defect AS d WHERE d.check_name <> 'unusual_amount'
	UNION ALL SELECT 'scorecard', (to_jsonb(s) - '{scorecard_id,created_at}'::text[])::text
		FROM shop.scorecard AS s WHERE scorecard_id = (SELECT max(scorecard_id) FROM shop.scorecard)
$$;
-- What differs after a refresh from the state that a full one gives.
CREATE FUNCTION differs(expected_mode text) RETURNS TABLE (part text, content text) LANGUAGE plpgsql AS $$
DECLARE
	report segment.refresh_report;
BEGIN
	report := segment.refresh('shop');
	IF report.mode <> expected_mode THEN
		RETURN QUERY SELECT 'mode', report.mode || ': ' || report.reason;
	END IF;
	CREATE TEMPORARY TABLE incremental AS SELECT * FROM state();
	PERFORM segment.refresh('shop', "full" => true);
	RETURN QUERY (TABLE incremental EXCEPT ALL SELECT * FROM state());
	RETURN QUERY (SELECT * FROM state() EXCEPT ALL TABLE incremental);
	DROP TABLE incremental;
END
$$;

-- Customers of whom there is a note, or a row in a log.
CREATE FUNCTION noted(portfolio text) RETURNS SETOF integer LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format('SELECT customer_id::integer FROM %I.changed_customer%s', portfolio, ' UNION ' || segment_internal.log_keys(portfolio));
END
$$;
INSERT INTO orders (customer, at, amount) VALUES (3, '2023-05-05 12:00', 10), (900, '2021-01-01 12:00', 20);
SELECT set_eq($$ SELECT * FROM noted('shop') $$, ARRAY[3, 900], 'what a statement changes can be seen');
SELECT is_empty($$ SELECT * FROM differs('changes') $$, 'new orders, one of them backdated, of an old and of a new customer');
SELECT is_empty($$ SELECT * FROM noted('shop') $$, 'the notes are gone');
UPDATE orders SET customer = 901 WHERE customer = 900;
SELECT is_empty($$ SELECT * FROM differs('changes') $$, 'orders given to somebody else: the old customer is gone');
SELECT is_empty('SELECT FROM shop.customer WHERE customer_id = 900', 'really');
DELETE FROM orders WHERE customer IN (901, 4);
SELECT is_empty($$ SELECT * FROM differs('changes') $$, 'deleted orders');
UPDATE orders SET customer = NULL WHERE customer = 5;
SELECT is_empty($$ SELECT * FROM differs('changes') $$, 'orders without a customer, counted by data_quality');
INSERT INTO cost_new VALUES (7, '2024-01-01', 5);
UPDATE cost SET at = at - 1000 WHERE customer = 9;
SELECT is_empty($$ SELECT * FROM differs('changes') $$, 'a row put into a partition, and rows moved between partitions');
DELETE FROM customer WHERE id = 333;
UPDATE customer SET country = 'FR' WHERE id = 334;
INSERT INTO customer VALUES (335, 'IT'), (1000, 'IT');
SELECT is_empty($$ SELECT * FROM differs('changes') $$, 'customers come, go, change and double');
UPDATE orders SET amount = 13 WHERE customer = 6;
SELECT is_empty($$ SELECT * FROM differs('changes') $$, 'rows leave the result of the query');
UPDATE orders SET at = at + interval '1000 years' WHERE customer = 8;
SELECT is_empty($$ SELECT * FROM differs('changes') $$, 'orders in the future');
UPDATE orders SET at = at - interval '1000 years' WHERE customer = 8;
SELECT is_empty($$ SELECT * FROM differs('changes') $$, 'and back');
MERGE INTO orders o USING (VALUES (10, 99.9), (1001, 1)) v(customer, amount) ON o.customer = v.customer
WHEN MATCHED THEN UPDATE SET amount = v.amount WHEN NOT MATCHED THEN INSERT (customer, at, amount) VALUES (v.customer, '2023-01-01', v.amount);
INSERT INTO orders SELECT * FROM orders WHERE customer = 12 ON CONFLICT (order_id) DO UPDATE SET amount = 77;
WITH moved AS (DELETE FROM orders WHERE customer = 14 RETURNING *) INSERT INTO orders SELECT order_id + 100000, 15, at, amount FROM moved;
SELECT is_empty($$ SELECT * FROM differs('changes') $$, 'MERGE, ON CONFLICT and WITH');
UPDATE language SET counts = true WHERE language = 'xx';
SELECT is_empty($$ SELECT * FROM differs('full') $$, 'a table that concerns everybody');
TRUNCATE complaint;
SELECT is_empty($$ SELECT * FROM differs('full') $$, 'TRUNCATE');
UPDATE orders SET amount = amount WHERE false;
SELECT is_empty($$ SELECT * FROM noted('shop') $$, 'a statement that changes no row notes nothing');

-- any stream of changes
CREATE FUNCTION change() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	c integer := any_customer();
BEGIN
	CASE floor(10 * random())::integer
		WHEN 0, 1, 2 THEN INSERT INTO orders (customer, at, amount, margin)
			SELECT any_customer(), any_day() + interval '1 hour', any_amount(), any_amount() FROM generate_series(1, (6 * random())::integer);
		WHEN 3 THEN UPDATE orders SET amount = any_amount(), at = any_day() WHERE customer = c AND random() < 0.5;
		WHEN 4 THEN UPDATE orders SET customer = any_customer() WHERE order_id % 500 = c;
		WHEN 5 THEN DELETE FROM orders WHERE customer = c AND random() < 0.5;
		WHEN 6 THEN INSERT INTO cost SELECT coalesce(any_day(), '2022-01-01'), any_amount(), any_customer() FROM generate_series(1, 3);
		WHEN 7 THEN DELETE FROM cost_old WHERE customer = c;
		WHEN 8 THEN INSERT INTO survey VALUES (c, any_day(), 3, 'en'); DELETE FROM complaint WHERE customer = c;
		ELSE INSERT INTO complaint VALUES (c, any_day()); UPDATE customer SET id = id + 1 WHERE id = c;
	END CASE;
END
$$;
CREATE FUNCTION stream(steps integer) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. steps LOOP
		FOR j IN 1 .. 12 * random() LOOP PERFORM change(); END LOOP;
		RETURN QUERY SELECT i || ' ' || d::text FROM differs('changes') AS d;
	END LOOP;
END
$$;
SELECT is_empty('SELECT stream(12)', 'random streams of changes');

-- ---------- when everything is read ----------

INSERT INTO orders (customer, at, amount) SELECT n, '2023-03-03', 1 FROM generate_series(2001, 4000) AS n;
SELECT results_eq('refresh', $$ SELECT 'full: a change concerned everybody' $$, 'a statement that concerns more than it is worth to note');
SELECT results_eq('refresh', $$ SELECT format('changes: 0 of %s customers changed', count(*)) FROM shop.customer $$, 'once');
CREATE OR REPLACE VIEW seen AS SELECT customer, at, amount, margin FROM orders WHERE amount > 0;
SELECT is((segment.alter_portfolio('shop', purchases => 'SELECT * FROM seen')).mode, 'full', 'a new source');
SELECT results_eq('refresh', $$ SELECT format('changes: 0 of %s customers changed', count(*)) FROM shop.customer $$, 'a view is looked through');
INSERT INTO orders (customer, at, amount) VALUES (3, '2023-05-05 12:00', 11);
SELECT is_empty($$ SELECT * FROM differs('changes') $$, 'and changes below it are seen');
CREATE OR REPLACE VIEW seen AS SELECT customer, at, amount, margin FROM orders WHERE amount > 1;
SELECT is_empty($$ SELECT * FROM differs('full') $$, 'a view that was replaced');
ALTER TABLE orders DISABLE TRIGGER USER;
SELECT results_eq('refresh', $$ SELECT 'full: table t.orders has lost its triggers' $$, 'triggers that are off');
DELETE FROM orders WHERE customer = 20;
ALTER TABLE orders ENABLE TRIGGER USER;
SELECT results_eq('refresh', $$ SELECT 'full: the tables were not all watched at the last refresh' $$, 'or were');
ALTER TABLE orders DISABLE TRIGGER USER;
DELETE FROM orders WHERE customer = 21;
ALTER TABLE orders ENABLE TRIGGER USER;
SELECT results_eq('refresh', $$ SELECT 'full: sources, views in them, watched tables or their triggers were changed' $$, 'or were in between');
INSERT INTO complaint SELECT 30, '2023-07-07';
SELECT results_eq('refresh', $$ SELECT format('changes: 1 of %s customers changed', count(*)) FROM shop.customer $$, 'then changes again');
ALTER TABLE complaint ALTER at TYPE date USING at + 1;
SELECT is_empty($$ SELECT * FROM differs('full') $$, 'a table that was written anew');
CREATE TABLE cost_0 (at date NOT NULL, amount numeric, customer integer);
INSERT INTO cost_0 VALUES ('1990-01-01', 3, 31);
ALTER TABLE cost DETACH PARTITION cost_old;
ALTER TABLE cost ATTACH PARTITION cost_0 FOR VALUES FROM (MINVALUE) TO ('2000-01-01');
SELECT results_eq('refresh', $$ SELECT 'full: table t.cost_0 is not watched, as t.cost is: call segment.watch again' $$, 'new partitions');
SELECT is((segment.watch('shop', 'cost', 'customer')).obstacle, NULL, 'can be watched');
EXECUTE refresh;
INSERT INTO cost_0 VALUES ('1990-01-01', 3, 32);
SELECT is_empty($$ SELECT * FROM differs('changes') $$, 'and are');
ALTER TABLE orders RENAME customer TO client;
INSERT INTO orders (client, at, amount) VALUES (40, '2023-05-05', 11);
SELECT results_eq('refresh', $$ SELECT 'full: column customer of table t.orders is gone' $$, 'a column with a new name');
SELECT segment.watch('shop', 'orders', 'client');
EXECUTE refresh;
INSERT INTO orders (client, at, amount) VALUES (40, '2023-05-06', 11);
SELECT is_empty($$ SELECT * FROM differs('changes') $$, 'that watch was told');
ALTER TABLE orders RENAME TO sale;
INSERT INTO sale (client, at, amount) VALUES (40, '2023-05-07', 11);
SELECT is_empty($$ SELECT * FROM differs('full') $$, 'a table with a new name');
ALTER TABLE sale RENAME TO orders;
SELECT segment.unwatch('shop', 'complaint');
SELECT results_eq('refresh', $$ SELECT 'full: source "complaints": table t.complaint is not watched' $$, 'unwatch');
SELECT is((SELECT count(*) FROM pg_trigger WHERE tgrelid = 'complaint'::regclass), 0::bigint, 'takes the triggers away');
SELECT segment.watch('shop', 'complaint', 'customer');

-- ---------- the condition reaches an index ----------

CREATE FUNCTION plan_of(query text, keys anyarray) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	line text;
	plan text := '';
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS off) ' || query USING keys LOOP plan := concat_ws(E'\n', plan, line); END LOOP;
	RETURN plan;
END
$$;
ANALYZE orders;
CREATE FUNCTION key_plan(query text) RETURNS text LANGUAGE sql AS $$
	SELECT plan_of(format('SELECT e.customer_id, e.at FROM %s WHERE %s OR e.customer_id IS NULL',
		segment_internal.source_events(s), segment_internal.refresh_key_condition('shop', s, 'e.customer_id')), ARRAY[3::bigint])
	FROM segment_internal.check_source('purchases', query, 't, public') AS s
$$;
SELECT matches(key_plan(v.query), 'Index Cond: .*client = ANY', 'an index is used: ' || v.query) FROM (VALUES
	('SELECT client, at, amount FROM orders'),
	('SELECT * FROM seen'),
	('SELECT client, max(at), sum(amount) FROM orders GROUP BY client'),
	('SELECT client, at, amount FROM orders WHERE amount > 0 UNION ALL SELECT client, at, -amount FROM orders'),
	('SELECT client, at, amount FROM (SELECT *, row_number() OVER (PARTITION BY client ORDER BY at) AS n FROM orders) o WHERE n = 1'),
	('SELECT o.client, o.at, o.amount FROM orders o LEFT JOIN complaint c ON c.customer = o.client'),
	('WITH o AS (SELECT * FROM orders) SELECT client, at, amount FROM o')
) AS v(query);

-- ---------- writers ----------

CREATE ROLE segment_owner;
CREATE ROLE segment_writer;
GRANT USAGE ON SCHEMA t TO segment_owner, segment_writer;
GRANT SELECT, INSERT, UPDATE, DELETE ON orders TO segment_writer;
GRANT USAGE ON SEQUENCE orders_order_id_seq TO segment_writer;
EXECUTE refresh;
SET LOCAL ROLE segment_writer;
SELECT lives_ok($$ INSERT INTO orders (client, at, amount) VALUES (50, '2023-05-05', 11) $$, 'who has no rights on the portfolio can write');
SELECT throws_ok('SELECT * FROM shop.changed_customer', '42501', NULL, 'and not read the notes');
RESET ROLE;
SELECT set_eq($$ SELECT * FROM noted('shop') $$, ARRAY[50], 'what he wrote is noted');
-- an own table with our trigger does not write into somebody's portfolio
CREATE TABLE own (client integer);
ALTER TABLE own OWNER TO segment_writer;
GRANT ALL ON SCHEMA t TO segment_writer;
SET LOCAL ROLE segment_writer;
CREATE TRIGGER note AFTER INSERT ON own REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION segment_internal.note_changes('shop');
INSERT INTO own VALUES (66);
RESET ROLE;
SELECT set_eq($$ SELECT * FROM noted('shop') $$, ARRAY[50], 'nobody else''s table notes anything');
-- a portfolio of another owner, over a table of another
GRANT CREATE ON DATABASE :DBNAME TO segment_owner;
GRANT SELECT ON orders TO segment_owner;
SET LOCAL ROLE segment_owner;
SELECT segment.create_portfolio('other', 'SELECT client, at, amount FROM t.orders');
SELECT throws_ok($$ SELECT segment.watch('other', 't.orders', 'client') $$, '42501',
	'role "segment_owner", the owner of portfolio "other", has no privilege TRIGGER on table t.orders', 'watch needs the privilege TRIGGER');
SELECT throws_ok($$ SELECT segment.watch('shop', 't.orders', 'client') $$, '42501', 'must be owner of portfolio "shop"', 'and the portfolio');
RESET ROLE;
GRANT TRIGGER ON orders TO segment_owner;
SET LOCAL ROLE segment_owner;
SELECT is((segment.watch('other', 't.orders', 'client')).obstacle, NULL, 'which is enough');
SELECT segment.refresh('other');
RESET ROLE;
INSERT INTO orders (client, at, amount) VALUES (51, '2023-05-05', 11);
SELECT set_eq($$ SELECT * FROM noted('other') $$, ARRAY[51], 'two portfolios watch one table');
SELECT set_eq($$ SELECT * FROM noted('shop') $$, ARRAY[50, 51], 'each has its notes');
SET LOCAL ROLE segment_owner;
SELECT is((SELECT mode FROM segment.refresh('other')), 'changes', 'its owner refreshes');
SELECT segment.drop_portfolio('other');
RESET ROLE;
SELECT lives_ok($$ INSERT INTO orders (client, at, amount) VALUES (52, '2023-05-05', 11) $$, 'a trigger that the owner could not drop does nothing');
SELECT is((segment.unwatch('shop')).tables, 9::bigint, 'unwatch all, the partition that was detached as well');
SELECT is((SELECT count(*) FROM pg_trigger WHERE tgfoid = 'segment_internal.note_changes'::regproc AND tgargs = 'shop\000'), 0::bigint, 'no trigger is left');
SELECT segment.watch('shop', 'orders', 'client');
SELECT segment.drop_portfolio('shop');
SELECT is((SELECT count(*) FROM pg_trigger WHERE tgfoid = 'segment_internal.note_changes'::regproc AND tgargs = 'shop\000'), 0::bigint, 'nor after drop_portfolio');

-- ---------- keys of all kinds ----------

CREATE DOMAIN code AS text CHECK (VALUE <> '');
CREATE TYPE pair AS (a integer, b text);
-- Rolled back each time, which also gives back the locks of a whole portfolio.
CREATE FUNCTION key_follows(key_type text, in_table text, key_values text[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	report segment.refresh_report;
BEGIN
	EXECUTE format('CREATE TABLE keyed (k %s, at date, amount numeric)', in_table);
	EXECUTE 'INSERT INTO keyed SELECT v::' || in_table || ', date ''2024-01-01'', 1 FROM unnest($1) AS v' USING key_values;
	PERFORM segment.create_portfolio('keys', format('SELECT k::%s, at, amount FROM keyed', key_type));
	PERFORM segment.watch('keys', 'keyed', 'k');
	PERFORM segment.refresh('keys');
	EXECUTE 'INSERT INTO keyed SELECT v::' || in_table || ', date ''2024-01-02'', 1 FROM unnest($1) AS v' USING key_values[1:2];
	report := segment.refresh('keys');
	RAISE EXCEPTION USING ERRCODE = 'ZZ001', MESSAGE = format('%s %s %s %s', report.mode, report.customers_changed,
		(SELECT sum(orders) FROM keys.customer), (segment.refresh('keys', "full" => true)).customers_changed);
EXCEPTION WHEN SQLSTATE 'ZZ001' THEN
	RETURN SQLERRM;
END
$$;
SELECT is(key_follows(v.t, v.t, v.k), 'changes 2 5 0', 'key of type ' || v.t) FROM (VALUES
	('bigint', '{1,-9223372036854775808,9223372036854775807}'::text[]),
	('smallint', '{1,-32768,32767}'),
	('uuid', '{00000000-0000-0000-0000-000000000001,ffffffff-ffff-ffff-ffff-ffffffffffff,12345678-0000-0000-0000-000000000001}'),
	('text', ARRAY['a', '', 'ü' || repeat('long ', 3000)]),
	('integer[]', ARRAY['{1,2}', '{}', '{NULL,3}']), ('pair', '{"(1,a)","(2,b)","(3,c)"}'), ('int4range', '{"[1,2)","[2,9)",empty}'),
	('varchar(5)', '{a,b,abcde}'), ('bpchar', '{a,b,c}'), ('code', '{a,b,c}'),
	('numeric', '{1.5,2.50,1e20}'), ('date', '{2020-01-01,-infinity,infinity}'), ('timestamptz', '{2020-01-01,2020-01-02,infinity}'),
	('bytea', '{a,b,c}'), ('float8', '{1,NaN,-Infinity}'), ('inet', '{1.2.3.4,::1,10.0.0.0/8}'), ('boolean', '{t,f}')
) AS v(t, k) WHERE v.t <> 'boolean';
SELECT is(key_follows('text', 'varchar', '{a,b,c}'), 'changes 2 5 0', 'varchar in the table, text in the query');
SELECT throws_ok($$ SELECT key_follows('text', 'integer', '{1,2,3}') $$, '42804', NULL, 'a key that is converted cannot be followed');
SELECT throws_ok($$ SELECT key_follows('bigint', 'numeric', '{1,2,3}') $$, '42804', NULL, 'nor this');

-- ---------- a source that brings histories ----------

CREATE TABLE sum_orders AS SELECT n % 50 AS k, date '2024-01-01' + n AS at, n::numeric AS amount FROM generate_series(1, 200) AS n;
SELECT segment.create_portfolio('sums', 'SELECT k, segment.history_agg(at, amount) FROM sum_orders GROUP BY k');
SELECT is((segment.watch('sums', 'sum_orders', 'k')).obstacle, NULL, 'orders that are grouped by the customer can be watched');
SELECT segment.refresh('sums');
INSERT INTO sum_orders VALUES (1, '2024-03-01', 5), (99, '2990-01-01', 6), (NULL, '2024-03-01', 7);
DELETE FROM sum_orders WHERE k = 2;
SELECT results_eq($$ SELECT mode, customers_read, customers_changed FROM segment.refresh('sums') $$,
	$$ VALUES ('changes', 2::bigint, 3::bigint) $$, 'changes are read');
CREATE TABLE sums_before AS SELECT * FROM sums.data_quality;
SELECT is((SELECT count FROM sums_before WHERE check_name = 'null_customer'), 1::bigint, 'those without a customer, too');
SELECT is((segment.refresh('sums', "full" => true)).customers_changed, 0::bigint, 'as if all had been read');
SELECT set_eq('TABLE sums.data_quality', 'TABLE sums_before', 'with the same doubtful rows');

-- ---------- errors ----------

CREATE TABLE plain (k integer, at date, amount numeric);
CREATE UNLOGGED TABLE unlogged (k integer);
CREATE TEMPORARY TABLE passing (k integer);
CREATE VIEW looked AS SELECT * FROM plain;
-- grouped, so that keys are noted, and not rows logged
SELECT segment.create_portfolio('small', 'SELECT k, at, sum(amount) FROM plain GROUP BY k, at');
SELECT throws_ok($$ SELECT segment.watch('nowhere', 'plain', 'k') $$, '42704', 'portfolio "nowhere" does not exist', 'no such portfolio');
SELECT throws_ok($$ SELECT segment.watch('small', NULL, 'k') $$, '22004', 'table to watch must not be null', 'no table');
SELECT throws_ok($$ SELECT segment.watch('small', 'looked', 'k') $$, '42809', 't.looked is not a table', 'a view');
SELECT throws_ok($$ SELECT segment.watch('small', 'unlogged', 'k') $$, '55000', 'table t.unlogged cannot be watched: it is unlogged', 'an unlogged table');
SELECT throws_ok($$ SELECT segment.watch('small', 'passing', 'k') $$, '55000', NULL, 'a temporary table');
SELECT throws_ok($$ SELECT segment.watch('small', 'plain', 'nothing') $$, '42703', 'column "nothing" of table t.plain does not exist', 'no such column');
SELECT throws_ok($$ SELECT segment.watch('small', 'plain', 'ctid') $$, '42703', NULL, 'a system column');
SELECT throws_ok($$ SELECT segment.watch('small', 'plain', 'at') $$, '42804',
	'column "at" of table t.plain is of type date, but the customer''s key of portfolio "small" of type integer', 'another type');
SELECT throws_ok($$ SELECT segment.unwatch('small', 'plain') $$, '42704', 'table t.plain is not watched by portfolio "small"', 'unwatch of what is not watched');
SELECT is((SELECT count(*) FROM small.watched_table), 0::bigint, 'nothing half done');
-- a row beyond the key's type concerns nobody that could be in the portfolio; but who knows
CREATE TABLE big (k bigint, at date, amount numeric);
SELECT segment.watch('small', 'plain', 'k');
SELECT segment.watch('small', 'big', 'k');
INSERT INTO big VALUES (5000000000);
SELECT results_eq('SELECT customer_id, everybody FROM small.changed_customer', 'SELECT NULL::integer, true', 'a number too large for the key');

-- many rows of a log
CREATE FUNCTION logged_rows() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	n bigint;
BEGIN
	EXECUTE format('SELECT count(*) FROM large.%I', (SELECT log FROM large.watched_table)) INTO n;
	RETURN n;
END
$$;
CREATE TABLE wide (k integer, at date, amount numeric, remark text);
INSERT INTO wide SELECT n, date '2023-01-01', n FROM generate_series(1, 20000) AS n;
ANALYZE wide;
SELECT segment.create_portfolio('large', 'SELECT k, at, amount FROM wide', settings => '{"purchase_model": "none", "spend_model": "none"}');
SELECT segment.watch('large', 'wide', 'k'), segment.refresh('large');
UPDATE wide SET remark = 'x';
SELECT is(logged_rows(), 0::bigint, 'an UPDATE of what no source reads is not logged');
SELECT is_empty('SELECT FROM large.changed_customer', 'nor noted');
INSERT INTO wide SELECT n, date '2023-02-01', n FROM generate_series(1, 2000) AS n;
SELECT is(logged_rows(), 2000::bigint, 'a tenth of a table is logged');
SELECT is_empty('SELECT FROM large.changed_customer', 'and not noted');
UPDATE wide SET amount = amount + 1 WHERE k <= 1500;
SELECT results_eq('SELECT count(*), bool_or(everybody) FROM large.changed_customer', 'SELECT 1500::bigint, false', 'more is noted by customer');
SELECT results_eq($$ SELECT mode, customers_read, customers_changed FROM segment.refresh('large') $$,
	$$ VALUES ('changes', 1500::bigint, 2000::bigint) $$, 'who has a note is read, whatever the log says');
SELECT is((segment.refresh('large', "full" => true)).customers_changed, 0::bigint, 'as if all had been read');
-- what hangs on a log never runs, and rows of another type are not logged: keys are noted instead
CREATE INDEX hung ON large.change_1 (k);
INSERT INTO wide VALUES (1, '2023-03-01', 1);
SELECT results_eq('SELECT customer_id FROM large.changed_customer', 'SELECT 1', 'a log with an index takes nothing');
DROP INDEX large.hung;
ALTER TABLE wide ALTER amount TYPE integer;
INSERT INTO wide VALUES (2, '2023-03-01', 1);
SELECT set_eq('SELECT customer_id FROM large.changed_customer', 'VALUES (1), (2)', 'nor does one for a column of another type');
SELECT is((SELECT mode FROM segment.refresh('large')), 'full', 'a column of another type: all is read');
SELECT results_eq('SELECT DISTINCT log FROM large.watched_table', ARRAY['change_2'], 'and there is another log');
SELECT is(to_regclass('large.change_1'), NULL, 'the old one is gone');
SELECT segment.refresh('large');
-- a row that the query fails for, changed again before anybody looks
SELECT segment.alter_portfolio('large', purchases => 'SELECT k, at, 100 / amount FROM wide WHERE amount < 1000');
SELECT is((SELECT mode FROM segment.refresh('large')), 'changes', 'another query');
INSERT INTO wide VALUES (3, '2023-04-01', 0);
UPDATE wide SET amount = 4 WHERE amount = 0;
SELECT results_eq($$ SELECT mode, reason, customers_read FROM segment.refresh('large') $$,
	$$ VALUES ('changes', '1 of 998 customers changed, all of them read again, since changes could not be added: division by zero', 1::bigint) $$,
	'changes that cannot be added');
SELECT is((segment.refresh('large', "full" => true)).customers_changed, 0::bigint, 'nothing is lost');
-- a log in use that others have written to since another one is
INSERT INTO wide VALUES (4, '2023-05-01', 3);
UPDATE large.watched_table SET log = NULL;
SELECT results_eq($$ SELECT mode, customers_changed FROM segment.refresh('large') $$, $$ VALUES ('full', 1::bigint) $$, 'rows in a log that is not in use');
SELECT segment.drop_portfolio('large');

-- many notes
DELETE FROM small.changed_customer;
INSERT INTO plain SELECT n, '2023-01-01', 1 FROM generate_series(1, 900) AS n, generate_series(1, 2);
SELECT results_eq('SELECT count(*), count(DISTINCT customer_id), min(customer_id), max(customer_id), bool_or(everybody) FROM small.changed_customer',
	'SELECT 900::bigint, 900::bigint, 1, 900, false', 'many customers, each once');
DELETE FROM plain WHERE k <= 900;
SELECT segment.refresh('small');
SELECT is((SELECT mode FROM segment.refresh('small')), 'changes', 'ready');

-- What hangs on the table of notes never runs, neither as the writer nor as
-- anybody else, and breaks no statement; what could not be noted is read,
-- also where nothing hangs there any more when the refresh comes.
CREATE TABLE ran (who text);
CREATE FUNCTION run() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO t.ran VALUES (current_user); RETURN NEW; END';
CREATE FUNCTION run_integer(integer) RETURNS integer IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN PERFORM set_config('t.ran', current_user, true); RETURN $1; END $$;
CREATE TABLE target (k integer PRIMARY KEY);
-- Rolled back each time.
CREATE FUNCTION after_hanging(hanging text, taken_away text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	report segment.refresh_report;
	n bigint;
BEGIN
	EXECUTE hanging;
	PERFORM set_config('t.ran', '', true);
	-- once more, since a duplicate would break a unique index
	INSERT INTO plain VALUES (7, '2023-01-01', 1);
	INSERT INTO plain VALUES (7, '2023-01-01', 1);
	SET CONSTRAINTS ALL IMMEDIATE;
	n := (SELECT count(*) FROM ran) + length(current_setting('t.ran'));
	EXECUTE taken_away;
	report := segment.refresh('small');
	RAISE EXCEPTION USING ERRCODE = 'ZZ001', MESSAGE = format('%s %s %s, %s ran', report.mode, report.customers_changed,
		(segment.refresh('small', "full" => true)).customers_changed, n);
EXCEPTION WHEN SQLSTATE 'ZZ001' THEN
	RETURN SQLERRM;
END
$$;
SET LOCAL client_min_messages = error;
SELECT is(after_hanging(format(v.hanging, 'small.changed_customer'), format(v.taken_away, 'small.changed_customer')), 'full 1 0, 0 ran', v.hanging) FROM (VALUES
	('CREATE TRIGGER a BEFORE INSERT ON %1$s FOR EACH ROW EXECUTE FUNCTION run()', 'DROP TRIGGER a ON %1$s'),
	('CREATE TRIGGER a AFTER INSERT ON %1$s FOR EACH ROW EXECUTE FUNCTION run()', 'DROP TRIGGER a ON %1$s'),
	('CREATE TRIGGER a AFTER INSERT ON %1$s FOR EACH STATEMENT EXECUTE FUNCTION run()', 'DROP TRIGGER a ON %1$s'),
	('CREATE CONSTRAINT TRIGGER a AFTER INSERT ON %1$s DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION run()', 'DROP TRIGGER a ON %1$s'),
	('ALTER TABLE %1$s ADD CONSTRAINT a FOREIGN KEY (customer_id) REFERENCES target', 'ALTER TABLE %1$s DROP CONSTRAINT a'),
	('ALTER TABLE %1$s ADD CONSTRAINT a UNIQUE (customer_id) DEFERRABLE INITIALLY DEFERRED', 'ALTER TABLE %1$s DROP CONSTRAINT a'),
	('ALTER TABLE %1$s ADD CONSTRAINT a CHECK (run_integer(customer_id) < 0)', 'ALTER TABLE %1$s DROP CONSTRAINT a'),
	('ALTER TABLE %1$s ALTER customer_id SET NOT NULL', 'ALTER TABLE %1$s ALTER customer_id DROP NOT NULL'),
	('ALTER TABLE %1$s ADD g integer GENERATED ALWAYS AS (run_integer(customer_id)) STORED', 'ALTER TABLE %1$s DROP g; ALTER TABLE %1$s ADD g integer'),
	('CREATE UNIQUE INDEX a ON %1$s (customer_id)', 'DROP INDEX small.a'),
	('CREATE INDEX a ON %1$s (run_integer(customer_id))', 'DROP INDEX small.a'),
	('CREATE RULE a AS ON DELETE TO %1$s DO INSTEAD NOTHING', 'DROP RULE a ON %1$s'),
	('ALTER TABLE %1$s ENABLE ROW LEVEL SECURITY', 'ALTER TABLE %1$s DISABLE ROW LEVEL SECURITY'),
	('ALTER TABLE %1$s SET UNLOGGED', 'ALTER TABLE %1$s SET LOGGED')
) AS v(hanging, taken_away);
-- and while it still hangs there
SELECT is(after_hanging(v.hanging, 'SELECT'), 'full 1 0, 0 ran', v.hanging || ', left there') FROM (VALUES
	('CREATE TRIGGER a AFTER INSERT ON small.changed_customer FOR EACH ROW EXECUTE FUNCTION run()'),
	('CREATE UNIQUE INDEX a ON small.changed_customer (customer_id)')
) AS v(hanging);
-- nothing in the catalog tells of an index that is gone, and the notes may be gone, too
SELECT is(after_hanging('CREATE INDEX a ON small.changed_customer (customer_id)',
	'DROP INDEX small.a; UPDATE pg_class SET relhasindex = false WHERE oid = ''small.changed_customer''::regclass;
	UPDATE small.portfolio SET read_fingerprint = (segment_internal.watch_state(''small'', to_jsonb(p))).fingerprint FROM small.portfolio AS p'),
	'full 1 0, 0 ran', 'word is left where a note could not be');
SELECT is(after_hanging('DROP TABLE small.unnoted_change CASCADE', 'CREATE TABLE small.unnoted_change ()'), 'full 1 0, 0 ran', 'the place for it is another one');
SET LOCAL client_min_messages = warning;
SELECT throws_ok('INSERT INTO small.unnoted_change VALUES (1)', '42601', NULL, 'that place has no columns');
SELECT is((SELECT mode FROM segment.refresh('small')), 'changes', 'nothing of all this is left');

-- how names are quoted in the writer's session plays no part
SET LOCAL quote_all_identifiers = on;
INSERT INTO plain VALUES (8, '2023-01-01', 1);
RESET quote_all_identifiers;
SELECT results_eq('SELECT customer_id FROM small.changed_customer', 'SELECT 8', 'noted in a session with quote_all_identifiers');
DELETE FROM plain;

-- what somebody puts in the place of our tables breaks nobody's statement, and
-- is no reason to believe in notes
DELETE FROM small.changed_customer;
SELECT segment.refresh('small');
CREATE FUNCTION after_tampering(tampering text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	report segment.refresh_report;
BEGIN
	EXECUTE tampering;
	INSERT INTO plain VALUES (7, '2023-01-01', 1);
	BEGIN
		report := segment.refresh('small');
		RETURN report.mode || ': ' || report.reason;
	EXCEPTION WHEN OTHERS THEN
		RETURN SQLSTATE;
	END;
END
$$;
SAVEPOINT tampering;
SELECT is(after_tampering('ALTER TABLE small.changed_customer ADD COLUMN more integer'),
	'full: table small.changed_customer is not as segment.create_portfolio made it', 'a further column');
ROLLBACK TO tampering;
SELECT is(after_tampering('ALTER TABLE small.changed_customer DROP COLUMN everybody CASCADE'), '42703', 'a column less');
ROLLBACK TO tampering;
SELECT is(after_tampering('DROP TABLE small.changed_customer CASCADE; CREATE VIEW small.changed_customer AS SELECT 1 AS customer_id, false AS everybody'),
	'55000', 'a view of that name');
ROLLBACK TO tampering;
SELECT is(after_tampering('CREATE TABLE again (LIKE small.changed_customer INCLUDING ALL); DROP TABLE small.changed_customer CASCADE;
	ALTER TABLE again RENAME TO changed_customer; ALTER TABLE changed_customer SET SCHEMA small'),
	'full: sources, views in them, watched tables or their triggers were changed', 'a table made anew');
ROLLBACK TO tampering;
SELECT is(after_tampering($$ DROP TABLE small.watched_table CASCADE; CREATE VIEW small.watched_table AS SELECT 't.plain'::text AS relation, NULL::text AS customer_column, now() AS watched_at $$),
	'42703', 'a view instead of the list');
ROLLBACK TO tampering;

-- ---------- what is kept ----------

INSERT INTO plain VALUES (1, '2024-01-01', 1), (2, '2024-02-02', 2);
SELECT segment.alter_portfolio('small', settings => '{"scorecards_per_day": 2, "scorecard_days": 40}');
SELECT segment.refresh('small', as_of => d::date) FROM generate_series(timestamp '2024-02-02', '2024-02-06', '1 day') AS d;
SELECT segment.take_snapshot('small', '2024-02-03');
SELECT segment.refresh('small', as_of => '2024-02-06') FROM generate_series(1, 4);
SELECT results_eq('SELECT as_of, count(*) FROM small.scorecard WHERE as_of < ''2025-01-01'' GROUP BY 1 ORDER BY 1',
	$$ VALUES (date '2024-02-02', 2::bigint), ('2024-02-03', 1), ('2024-02-04', 1), ('2024-02-05', 1), ('2024-02-06', 2) $$,
	'scorecards of the same day: the newest');
INSERT INTO plain VALUES (1, '2024-02-05', 10);
SELECT results_eq($$ SELECT as_of, mode, customers_changed, scorecard_id FROM segment.refresh('small', scorecard => false) $$,
	'SELECT as_of, ''changes'', 1::bigint, scorecard_id FROM small.scorecard ORDER BY scorecard_id DESC LIMIT 1', 'only the histories');
SELECT is((SELECT net FROM small.customer WHERE customer_id = 1), 11::numeric, 'which the views show');
SELECT throws_ok($$ SELECT segment.refresh('small', '2024-02-06', scorecard => false) $$, '22023',
	'as_of must be null without a new scorecard, not 2024-02-06', 'another day needs a scorecard');
DELETE FROM plain WHERE at = '2024-02-05';
SELECT segment.refresh('small', as_of => '2024-03-15');
SELECT results_eq('SELECT as_of, count(*) FROM small.scorecard WHERE as_of < ''2025-01-01'' GROUP BY 1 ORDER BY 1',
	$$ VALUES (date '2024-02-03', 1::bigint), ('2024-02-04', 1), ('2024-02-05', 1), ('2024-02-06', 2), ('2024-03-15', 1) $$,
	'older ones go, except the one that a snapshot names');
SELECT is((SELECT count(*) FROM small.refresh_log), 17::bigint, 'each refresh has a row in the log');
SELECT is_empty($$ SELECT * FROM small.refresh_log WHERE mode = 'full' AND started_at > (SELECT min(started_at) FROM small.refresh_log WHERE mode = 'changes') $$,
	'with its mode');
UPDATE small.refresh_log SET started_at = started_at - interval '500 days' WHERE as_of <> '2024-03-15';
SELECT segment.refresh('small');
SELECT is((SELECT count(*) FROM small.refresh_log), 2::bigint, 'old rows of the log go');

-- ---------- names ----------

-- away and back, all in the transaction of the refreshes
SELECT segment.refresh('small');
CREATE FUNCTION after_renames(away text, back text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	report segment.refresh_report;
BEGIN
	EXECUTE away;
	EXECUTE back;
	report := segment.refresh('small');
	DELETE FROM plain WHERE k = 9;
	RETURN format('%s %s, then %s', report.mode, report.customers_changed, (segment.refresh('small')).mode);
END
$$;
SELECT is(after_renames(v.away, v.back), 'full 1, then changes', v.away) FROM (VALUES
	('ALTER TABLE plain RENAME TO p2; INSERT INTO p2 VALUES (9, ''2023-01-01'', 1)', 'ALTER TABLE p2 RENAME TO plain'),
	('ALTER TABLE plain SET SCHEMA public; INSERT INTO public.plain VALUES (9, ''2023-01-01'', 1)', 'ALTER TABLE public.plain SET SCHEMA t'),
	('ALTER SCHEMA t RENAME TO t2; INSERT INTO t2.plain VALUES (9, ''2023-01-01'', 1)', 'ALTER SCHEMA t2 RENAME TO t'),
	('ALTER SCHEMA small RENAME TO s2; INSERT INTO plain VALUES (9, ''2023-01-01'', 1)', 'ALTER SCHEMA s2 RENAME TO small'),
	('ALTER TABLE small.changed_customer RENAME TO cc; SET client_min_messages = error; INSERT INTO plain VALUES (9, ''2023-01-01'', 1)',
		'ALTER TABLE small.cc RENAME TO changed_customer; SET client_min_messages = warning'),
	('ALTER TABLE small.watched_table RENAME TO wt; INSERT INTO plain VALUES (9, ''2023-01-01'', 1)', 'ALTER TABLE small.wt RENAME TO watched_table'),
	('ALTER TABLE plain RENAME k TO kk; INSERT INTO plain VALUES (9, ''2023-01-01'', 1)', 'ALTER TABLE plain RENAME kk TO k')
) AS v(away, back);

-- a portfolio that gets a new name for good
CREATE FUNCTION triggers_of(name text) RETURNS bigint LANGUAGE sql
RETURN (SELECT count(*) FROM pg_trigger WHERE tgfoid = 'segment_internal.note_changes'::regproc
	AND tgargs = convert_to(name, getdatabaseencoding()) || '\x00'::bytea);
SELECT is(triggers_of('small'), 10::bigint, 'a table has five triggers');
ALTER SCHEMA small RENAME TO little;
SELECT is((SELECT mode || ': ' || reason FROM segment.refresh('little')),
	'full: table t.big was watched when the portfolio was named "small": call segment.watch again', 'a new name');
SELECT is((segment.watch('little', 'plain', 'k')).obstacle, NULL, 'watch gives the triggers the new name');
SELECT is(ARRAY[triggers_of('small'), triggers_of('little')], ARRAY[5, 5::bigint], 'and takes the old ones away');
SAVEPOINT renamed;
-- pgTAP's functions keep a statement from being parallel: put the list down first
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 1;
SET LOCAL min_parallel_table_scan_size = 0;
CREATE TEMP TABLE listed AS SELECT max(segment_internal.watch_names('little')) AS names, max(b.k) FROM big AS b;
SELECT is(names, '{small,little}', 'the list can be read in a parallel plan') FROM listed;
ROLLBACK TO renamed;
SELECT is((segment.unwatch('little', 'big')).tables, 1::bigint, 'unwatch of a table');
SELECT is(ARRAY[triggers_of('small'), triggers_of('little')], ARRAY[0, 5::bigint], 'takes those away, too');
ROLLBACK TO renamed;
SELECT is((segment.unwatch('little')).tables, 2::bigint, 'unwatch of all tables');
SELECT is(triggers_of('small') + triggers_of('little'), 0::bigint, 'takes all away');
ROLLBACK TO renamed;
-- another portfolio that has the name now keeps its own
SELECT segment.create_portfolio('small', 'SELECT k, at, amount FROM big');
SELECT segment.watch('small', 'big', 'k');
SELECT segment.drop_portfolio('little');
SELECT is(ARRAY[triggers_of('small'), triggers_of('little')], ARRAY[5, 0::bigint], 'not those of another portfolio that has the name now');
SELECT is((SELECT mode FROM segment.refresh('small')), 'full', 'which reads everything');
INSERT INTO big VALUES (3, '2023-01-01', 1);
SELECT results_eq($$ SELECT mode, customers_changed FROM segment.refresh('small') $$, $$ VALUES ('changes', 1::bigint) $$, 'and then changes');
ROLLBACK TO renamed;
ALTER SCHEMA little RENAME TO tiny;
SELECT segment.drop_portfolio('tiny');
SELECT is(triggers_of('small') + triggers_of('little'), 0::bigint, 'drop_portfolio takes away those of two former names');
ROLLBACK TO renamed;
-- what the owner puts in the place of the list is not run by who drops the portfolio
ALTER TABLE little.watched_table RENAME TO wt;
CREATE VIEW little.watched_table AS SELECT *, run_integer(1) AS r FROM little.wt;
SELECT segment.drop_portfolio('little', true);
SELECT is(current_setting('t.ran'), '', 'the list is not read through a view');
ROLLBACK TO renamed;
CREATE ROLE segment_stranger;
SET LOCAL ROLE segment_stranger;
SELECT is(segment_internal.watch_names('little'), '{}', 'the list is not told to strangers');
RESET ROLE;
ALTER SCHEMA little RENAME TO small;
SELECT is((segment.watch('small', 'big', 'k')).obstacle, 'table t.plain was watched when the portfolio was named "little": call segment.watch again', 'back');
SELECT is((segment.watch('small', 'plain', 'k')).obstacle, NULL, 'all is well');
SELECT is(ARRAY[triggers_of('small'), triggers_of('little')], ARRAY[10, 0::bigint], 'and nothing is left');

-- names of all kinds, of portfolios, schemas, tables and columns
CREATE FUNCTION name_serves(name text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	report segment.refresh_report;
	place text := left(name, 14) || '.';
	said text;
BEGIN
	EXECUTE format('CREATE SCHEMA %I', place);
	EXECUTE format('CREATE TABLE %I.%I (%2$I integer, at date, amount numeric)', place, name);
	EXECUTE format('INSERT INTO %I.%I VALUES (1, ''2024-01-01'', 1)', place, name);
	PERFORM segment.create_portfolio(name, format('SELECT %2$I, at, amount FROM %1$I.%2$I', place, name));
	said := (segment.watch(name, format('%I.%I', place, name)::regclass, name)).obstacle;
	PERFORM segment.refresh(name);
	PERFORM segment.create_scheme(name, 'first', '[{"class":"a"}]');
	EXECUTE format('GRANT SELECT (first) ON %I.customer TO PUBLIC', name);
	PERFORM segment.create_scheme(name, 'second', '[{"class":"b"}]');
	said := concat_ws(' ', said, has_column_privilege('segment_stranger', format('%I.customer', name), 'first', 'SELECT'),
		triggers_of(name));
	EXECUTE format('INSERT INTO %I.%I VALUES (2, ''2024-01-01'', 1)', place, name);
	report := segment.refresh(name);
	said := concat_ws(' ', said, report.mode, report.customers_changed);
	PERFORM segment_internal.refresh_step(name, 'reading changes');
	said := said || CASE WHEN current_setting('application_name') ~ '^segment .+: reading changes$' THEN ', step' END;
	PERFORM segment.drop_portfolio(name);
	said := concat_ws(', ', said, triggers_of(name) || ' left');
	RAISE EXCEPTION USING ERRCODE = 'ZZ001', MESSAGE = said;
EXCEPTION WHEN SQLSTATE 'ZZ001' THEN
	RETURN SQLERRM;
END
$$;
SELECT is(name_serves(v.name), 't 5 changes 1, step, 0 left', 'name ' || v.name) FROM (VALUES
	('我们的客户组合二零二四年全部门店'), (repeat('户', 21)), (repeat('𝄞', 15) || 'abc'), ('Upper.select'),
	(E'back\\slash "quoted" ''name'' 100 %s %1$I\n$1 $$')
) AS v(name);
-- two that begin alike, over one table
SELECT segment.create_portfolio(v.name, 'SELECT k, at, amount FROM plain') FROM (VALUES
	('我们的客户组合二零二四年全部门店甲'), ('我们的客户组合二零二四年全部门店乙')) AS v(name);
SELECT segment.watch(v.name, 'plain', 'k') FROM (VALUES
	('我们的客户组合二零二四年全部门店甲'), ('我们的客户组合二零二四年全部门店乙')) AS v(name);
SELECT is((segment.refresh(v.name)).mode || ': ' || triggers_of(v.name), 'full: 5', v.name) FROM (VALUES
	('我们的客户组合二零二四年全部门店甲'), ('我们的客户组合二零二四年全部门店乙')) AS v(name);
INSERT INTO plain VALUES (9, '2023-01-01', 1);
SELECT is((r.r).mode || ' ' || (r.r).customers_changed, 'changes 1', v.name) FROM (VALUES
	('我们的客户组合二零二四年全部门店甲'), ('我们的客户组合二零二四年全部门店乙')) AS v(name), LATERAL (SELECT segment.refresh(v.name) OFFSET 0) AS r(r);
DELETE FROM plain WHERE k = 9;
SELECT is(octet_length(segment_internal.cut_name(v.name, v.bytes)) || ' ' || v.bytes, v.expected || ' ' || v.bytes, 'cut after whole characters') FROM (VALUES
	('户户户', 8, 6), ('户户户', 9, 9), ('户户户', 2, 0), ('abc', 2, 2), ('abc', 20, 3), ('', 20, 0), ('aé', 2, 1), ('aé', 3, 3), ('abc', 0, 0), ('abc', -2147483648, 0), ('abc', 2147483647, 3)) AS v(name, bytes, expected);

-- which types can be followed is said in one place
SELECT is(segment_internal.key_conversion(v.a::regtype, v.b::regtype), v.conversion, format('%s as %s', v.a, v.b)) FROM (VALUES
	('integer', 'integer', 'none'), ('smallint', 'bigint', 'integer'), ('bigint', 'smallint', 'integer'), ('varchar', 'text', 'binary'),
	('code', 'text', 'none'), ('text', 'varchar', 'binary'), ('integer', 'text', NULL), ('numeric', 'bigint', NULL), ('date', 'timestamp', NULL)
) AS v(a, b, conversion);
SELECT is(segment_internal.key_conversion(v.a, v.b), NULL, 'no type') FROM (VALUES (0, 23), (23, 0), (1259, 23), (NULL, 23)) AS v(a, b);
SELECT is(segment_internal.takes_notes(v.o), false, 'no table') FROM (VALUES (0), (23), (1259), (2662)) AS v(o);
SELECT is(ARRAY(SELECT segment_internal.changed_limit(n) FROM unnest('{0,5000,5005}'::bigint[]) AS n), '{1000,1000,1001}', 'a fifth, or a thousand');

SELECT * FROM finish();
ROLLBACK;
