--
-- customer_now: at any moment the rows that a full recomputation from the sources
-- gives in the reader's snapshot, bit for bit
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

-- five sources: a filter whose truth changes, a joined table, partitions, a view, a grouped one
CREATE TABLE orders (order_id serial PRIMARY KEY, customer integer, at timestamptz, amount numeric, margin numeric, state text, currency text, remark text);
CREATE INDEX ON orders (customer);
CREATE TABLE currency (code text PRIMARY KEY, rate numeric);
INSERT INTO currency VALUES ('CNY', 1), ('EUR', 7.8);
CREATE TABLE cost (customer integer, at date, amount numeric(12,2)) PARTITION BY RANGE (at);
CREATE TABLE cost_old PARTITION OF cost FOR VALUES FROM (MINVALUE) TO ('2024-01-01');
CREATE TABLE cost_new PARTITION OF cost FOR VALUES FROM ('2024-01-01') TO (MAXVALUE);
CREATE TABLE complaint (customer integer, at date, topic text);
CREATE VIEW real_complaint AS SELECT customer, at FROM complaint WHERE topic <> 'none';
CREATE TABLE answer (customer integer, at date, score integer);
CREATE TABLE person (id integer, town text);

SELECT setseed(0.4);
INSERT INTO orders (customer, at, amount, margin, state, currency)
SELECT 1 + floor(80 * random() ^ 2), timestamptz '2023-01-01 00:00+00' + random() * interval '500 days', round((random() * 90 - 5)::numeric, (random() * 3)::integer),
	round((random() * 30)::numeric, 2), (ARRAY['paid', 'paid', 'open'])[1 + floor(random() * 3)::integer], (ARRAY['CNY', 'EUR'])[1 + floor(random() * 2)::integer]
FROM generate_series(1, 900);
INSERT INTO cost SELECT 1 + floor(90 * random()), date '2023-01-01' + (random() * 480)::integer, round((random() * 9)::numeric, 2) FROM generate_series(1, 150);
INSERT INTO complaint SELECT 1 + floor(90 * random()), date '2023-01-01' + (random() * 480)::integer, (ARRAY['late', 'none'])[1 + floor(random() * 2)::integer] FROM generate_series(1, 80);
INSERT INTO answer SELECT 1 + floor(90 * random()), date '2023-01-01' + (random() * 480)::integer, (random() * 10)::integer FROM generate_series(1, 80);
INSERT INTO person SELECT n, 'town ' || n % 5 FROM generate_series(60, 110) AS n;

SELECT segment.create_portfolio('shop',
	purchases => 'SELECT o.customer, o.at, o.amount * c.rate, o.margin FROM orders o JOIN currency c ON c.code = o.currency WHERE o.state <> ''open''',
	customers => 'SELECT id, town FROM person', costs => 'SELECT customer, at, amount FROM cost',
	complaints => 'SELECT customer, at FROM real_complaint',
	-- grouped, so that keys are noted
	satisfaction => 'SELECT customer, at, avg(score) FROM answer GROUP BY customer, at',
	timezone => 'Asia/Shanghai');
SELECT segment.watch('shop', v.t, v.c) FROM (VALUES ('orders'::regclass, 'customer'), ('currency', NULL), ('cost', 'customer'), ('complaint', 'customer'),
	('answer', 'customer'), ('person', 'id')) AS v(t, c);
SELECT mode FROM segment.refresh('shop');
SELECT set_eq('SELECT relation, log IS NOT NULL FROM shop.watched_table', $$ VALUES ('t.orders', true), ('t.currency', false), ('t.cost', true), ('t.cost_old', true),
	('t.cost_new', true), ('t.complaint', true), ('t.answer', false), ('t.person', false) $$, 'rows of four tables are logged, of the others keys are noted');

-- What customer_now has, against what there is after a refresh of a kind, which is
-- rolled back; and what customer_action_now has.
CREATE FUNCTION wrong(portfolio text, refresh text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	found text[];
BEGIN
	EXECUTE format('CREATE TEMPORARY TABLE seen ON COMMIT DROP AS SELECT * FROM %I.customer_now', portfolio);
	EXECUTE format('CREATE TEMPORARY TABLE seen_action ON COMMIT DROP AS SELECT * FROM %I.customer_action_now', portfolio);
	EXECUTE format('SELECT segment.refresh(%L, %s)', portfolio, refresh);
	EXECUTE format($query$
		SELECT array_agg(format(E'%%s\n  %%s\n  %%s', coalesce(c.customer_id, n.customer_id), n, c))
		FROM seen AS n FULL JOIN %1$I.customer AS c ON c.customer_id = n.customer_id
		WHERE n IS NULL OR c IS NULL OR n::record *<> c::record$query$, portfolio) INTO found;
	EXECUTE format($query$
		SELECT $1 || (SELECT array_agg(a::text) FROM (TABLE seen_action EXCEPT ALL TABLE %1$I.customer_action) AS a)$query$, portfolio) INTO found USING found;
	RAISE EXCEPTION USING ERRCODE = 'ZZ001', MESSAGE = coalesce(array_to_string(found[1:3], E'\n'), '');
EXCEPTION WHEN SQLSTATE 'ZZ001' THEN
	RETURN QUERY SELECT SQLERRM WHERE SQLERRM <> '';
END
$$;

SELECT is_empty($$ SELECT wrong('shop', '"full" => true, scorecard => false') $$, 'nothing has changed');
SELECT is((SELECT count(*) FROM shop.pending_customer), 0::bigint, 'nothing is pending');

CREATE TABLE step (nth integer, what text, command text);
INSERT INTO step VALUES
	(1, 'new orders, of a new customer too, and after the scorecard''s day', $$ INSERT INTO orders (customer, at, amount, state, currency)
		VALUES (3, '2024-02-02 12:00+00', 10, 'paid', 'EUR'), (500, '2024-07-07 12:00+00', 20.125, 'paid', 'CNY'), (501, '2024-07-07', 1, 'open', 'CNY') $$),
	(2, 'orders of the future', $$ INSERT INTO orders (customer, at, amount, state, currency) SELECT 4, now() + interval '50 days', 10, 'paid', 'EUR' $$),
	(3, 'a filter whose truth changes', $$ UPDATE orders SET state = CASE state WHEN 'open' THEN 'paid' ELSE 'open' END WHERE customer IN (5, 6, 20) $$),
	(4, 'other amounts, days and customers', $$ UPDATE orders SET amount = amount + 1 WHERE customer = 7; UPDATE orders SET at = at - interval '20 days' WHERE customer = 8;
		UPDATE orders SET customer = 600 WHERE customer = 9 $$),
	(5, 'what no source reads', $$ UPDATE orders SET remark = 'x' $$),
	(6, 'customers whose last order is gone', $$ DELETE FROM orders WHERE customer IN (10, 600); DELETE FROM cost WHERE customer IN (10, 600); DELETE FROM complaint WHERE customer IN (10, 600);
		DELETE FROM answer WHERE customer IN (10, 600) $$),
	(7, 'partitions', $$ INSERT INTO cost VALUES (11, '2023-05-05', 5), (12, '2024-05-05', 6); UPDATE cost SET at = at + 300 WHERE customer = 13; INSERT INTO cost_new VALUES (14, '2024-06-06', 7) $$),
	(8, 'a view', $$ UPDATE complaint SET topic = 'none' WHERE customer < 20; INSERT INTO complaint VALUES (700, '2024-02-02', 'late') $$),
	(9, 'a source that is grouped', $$ INSERT INTO answer VALUES (15, '2024-02-02', 3), (800, '2024-02-02', 4); DELETE FROM answer WHERE customer BETWEEN 20 AND 30 $$),
	(10, 'prospects', $$ DELETE FROM person WHERE id = 100; INSERT INTO person VALUES (900, 'town 1'); UPDATE person SET town = 'elsewhere' WHERE id = 65 $$),
	(11, 'doubtful rows, and rows without a customer', $$ INSERT INTO orders (customer, at, amount, state, currency) VALUES (16, '2024-02-02', NULL, 'paid', 'EUR'), (17, NULL, 5, 'paid', 'EUR'),
		(NULL, '2024-02-02', 5, 'paid', 'EUR'), (18, '2024-02-02', 0, 'paid', 'EUR'), (19, '2024-02-03', 7, 'paid', 'EUR'), (19, '2024-02-03', 7, 'paid', 'EUR') $$),
	(12, 'once more the same customers', $$ UPDATE orders SET amount = 8 WHERE customer IN (3, 7, 19); DELETE FROM orders WHERE customer = 500 $$),
	(13, 'a table that is joined', $$ UPDATE currency SET rate = 7.9 WHERE code = 'EUR' $$),
	(14, 'everything', $$ TRUNCATE cost $$);
CREATE FUNCTION take(nth integer) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE (SELECT s.command FROM step AS s WHERE s.nth = take.nth);
	RETURN is_empty('SELECT wrong(''shop'', ''"full" => true, scorecard => false'')', (SELECT s.what FROM step AS s WHERE s.nth = take.nth));
END
$$;

-- each alone, and then all, one after the other; now and then a refresh of changes in between
SELECT take(nth) FROM step WHERE nth BETWEEN 1 AND 4 ORDER BY nth;
SELECT is_empty($$ SELECT wrong('shop', 'scorecard => false') $$, 'a refresh of changes gives the same');
SELECT mode FROM segment.refresh('shop', scorecard => false);
SELECT take(nth) FROM step WHERE nth BETWEEN 5 AND 9 ORDER BY nth;
SELECT is_empty($$ SELECT wrong('shop', 'scorecard => false') $$, 'a refresh of changes gives the same');
SELECT take(nth) FROM step WHERE nth BETWEEN 10 AND 12 ORDER BY nth;
SELECT is_empty($$ SELECT wrong('shop', 'scorecard => false') $$, 'a refresh of changes gives the same');
SELECT take(nth) FROM step WHERE nth = 13 ORDER BY nth;
SELECT mode FROM segment.refresh('shop');
SELECT is((SELECT mode FROM segment.refresh('shop')), 'changes', 'all is settled again');
SELECT take(1);
SELECT is((SELECT mode FROM segment.refresh('shop', '2024-01-31')), 'changes', 'a day that was asked for');
SELECT take(4);
SELECT is((SELECT count(DISTINCT as_of) FROM shop.customer_now), 1::bigint, 'is the day of all, also of those with later orders');
SELECT mode FROM segment.refresh('shop');

-- a row that the query fails for, changed again before anybody looks
DELETE FROM cost WHERE amount = 0;
SELECT segment.alter_portfolio('shop', costs => 'SELECT customer, at, round(10 / amount, 2) FROM cost');
SELECT mode FROM segment.refresh('shop');
INSERT INTO cost VALUES (30, '2024-03-03', 0);
UPDATE cost SET amount = 4 WHERE amount = 0;
SELECT is_empty($$ SELECT wrong('shop', '"full" => true, scorecard => false') $$, 'changes that cannot be added');

-- the day of a row
SELECT segment.refresh('shop');
INSERT INTO orders (customer, at, amount, state, currency) VALUES (3, '2024-09-09 12:00+00', 10, 'paid', 'CNY');
SELECT results_eq('SELECT customer_id, as_of, days_since_last FROM shop.customer_now WHERE customer_id IN (3, 4) ORDER BY customer_id',
	$$ SELECT 3, date '2024-09-09', 0 UNION ALL SELECT 4, c.as_of, c.days_since_last FROM shop.customer AS c WHERE customer_id = 4 $$, 'a later order is seen from its day');
SELECT segment.refresh('shop', scorecard => false);
SELECT results_eq('SELECT customer_id, as_of, days_since_last FROM shop.customer WHERE customer_id = 3', $$ VALUES (3, date '2024-09-09', 0) $$, 'after a refresh that keeps the scorecard, too');
SELECT results_eq('SELECT customers, as_of FROM segment.take_snapshot(''shop'')',
	'SELECT count(*), (SELECT max(s.as_of) FROM shop.scorecard AS s WHERE s.scorecard_id = (SELECT max(m.scorecard_id) FROM shop.scorecard AS m))
	FROM shop.customer_at((SELECT s.as_of FROM shop.scorecard AS s ORDER BY s.scorecard_id DESC LIMIT 1))', 'a snapshot is as of the scorecard''s day');
SELECT is_empty($$ SELECT s.customer_id, s.orders FROM shop.snapshot_customer AS s
	JOIN shop.customer_at((SELECT s.as_of FROM shop.scorecard AS s ORDER BY s.scorecard_id DESC LIMIT 1)) AS c USING (customer_id) WHERE s.orders <> c.orders $$, 'for everybody');
SELECT is((SELECT mode FROM segment.refresh('shop')), 'changes', 'a new scorecard');
SELECT is_empty($$ SELECT c.customer_id FROM shop.customer AS c FULL JOIN shop.customer_at((SELECT max(as_of) FROM shop.customer)) AS a USING (customer_id)
	WHERE c IS NULL OR a IS NULL OR c::record *<> a::record $$, 'brings all to one day');

-- the condition on a key reaches an index; nothing is called where nothing is pending
CREATE FUNCTION plan_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	line text;
	plan text := '';
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS off, TIMING off, SUMMARY off) ' || query LOOP plan := concat_ws(E'\n', plan, line); END LOOP;
	RETURN plan;
END
$$;
SET LOCAL enable_seqscan = off;
SELECT matches(plan_of('SELECT * FROM shop.customer_now WHERE customer_id = 17'), 'kept_customer_pkey', 'a filter on the key reaches the index');
SELECT matches(plan_of('SELECT * FROM shop.customer_now WHERE customer_id = 17'), 'Function Scan on portfolio_run h \(never executed\)', 'nothing is looked for where nothing is pending');
RESET enable_seqscan;

-- ---------- keys of all kinds ----------

CREATE DOMAIN code AS text CHECK (VALUE <> '');
CREATE FUNCTION key_follows(key_type text, key_values text[]) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('CREATE TABLE keyed (k %s, at date, amount numeric)', key_type);
	EXECUTE 'INSERT INTO keyed SELECT v::' || key_type || ', date ''2024-01-01'', 1 FROM unnest($1) AS v' USING key_values;
	PERFORM segment.create_portfolio('keys', 'SELECT k, at, amount FROM keyed');
	PERFORM segment.watch('keys', 'keyed', 'k');
	PERFORM segment.refresh('keys');
	EXECUTE 'INSERT INTO keyed SELECT v::' || key_type || ', date ''2024-01-02'', 1 FROM unnest($1) AS v' USING key_values[2:3];
	RETURN QUERY SELECT wrong('keys', '"full" => true, scorecard => false');
	RETURN QUERY SELECT 'nobody has two orders' WHERE NOT EXISTS (SELECT FROM keys.customer_now WHERE orders = 2);
	PERFORM segment.drop_portfolio('keys');
	DROP TABLE keyed;
END
$$;
SELECT is_empty(format('SELECT * FROM key_follows(%L, %L)', v.t, v.k), 'key of type ' || v.t) FROM (VALUES
	('bigint', '{1,-9223372036854775808,9223372036854775807}'::text[]), ('uuid', '{00000000-0000-0000-0000-000000000001,ffffffff-ffff-ffff-ffff-ffffffffffff}'),
	('text COLLATE "C"', '{a,b,ü}'), ('code', '{a,b,c}'), ('integer[]', ARRAY['{1,2}', '{}', '{NULL,3}']), ('numeric', '{1.5,2.50}')) AS v(t, k);

-- ---------- readers ----------

CREATE ROLE segment_now_reader;
GRANT USAGE ON SCHEMA t TO segment_now_reader;
SELECT segment.grant_read('shop', 'segment_now_reader');
INSERT INTO orders (customer, at, amount, state, currency) VALUES (3, '2024-09-19 12:00+00', 10, 'paid', 'CNY');
SET LOCAL ROLE segment_now_reader;
SELECT is((SELECT as_of FROM shop.customer_now WHERE customer_id = 3), '2024-09-19', 'a reader sees it as well');
RESET ROLE;

SELECT * FROM finish();
ROLLBACK;
