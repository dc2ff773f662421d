--
-- Portfolios: the user's path, every kind of key and source, and every refusal
--
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SET client_min_messages = warning;
CREATE SCHEMA portfolio_test;
SET search_path = portfolio_test, public;

\getenv test_directory PG_ABS_SRCDIR
\set helpers :test_directory '/helpers.sql'
\set failure_form lines
\set ECHO none
\i :helpers
\set ECHO all
\pset format unaligned
\pset tuples_only on

-- ---------- the user's path ----------

CREATE TABLE orders (customer_id bigint, ordered_at date, total numeric, status text);
INSERT INTO orders VALUES
	(1, '2024-01-05', 20.00, 'paid'), (1, '2024-02-04', 35.50, 'paid'), (1, '2024-03-05', 12.00, 'paid'),
	(1, '2024-03-05', -2.50, 'paid'), (2, '2024-01-20', 80, 'paid'), (2, '2024-01-20', 20, 'paid'),
	(3, '2024-03-01', 15, 'paid'), (3, '2024-03-02', 1000, 'void'), (4, '2023-02-01', 5, 'paid');

SELECT portfolio, as_of, mode, customers, customers_read, customers_changed, scorecard_id,
	purchase_model, spend_model, seconds >= 0
FROM segment.create_portfolio('shop',
	purchases => $$ SELECT customer_id, ordered_at, total FROM orders WHERE status <> 'void' $$);
SELECT customer_id, as_of, orders, purchase_days, first_day, last_day, days_since_last, tenure_days,
	gross, refunded, net, margin, cost, net_value, average_order, mean_gap_days, round(gap_ratio::numeric, 4)
FROM shop.customer ORDER BY customer_id;
SELECT customer_id, r_score, f_score, m_score, rfm_cell, rfm_segment, dormancy
FROM shop.customer ORDER BY customer_id;
SELECT customer_id, scheme, class, class_rank, label, label_zh
FROM shop.customer_class WHERE scheme IN ('rfm_segment', 'dormancy') ORDER BY customer_id, scheme;
SELECT scheme, class, class_rank, label, label_zh, rule, priority, service_level, owner, action, action_zh
FROM shop.class WHERE scheme IN ('rfm_segment', 'dormancy') ORDER BY scheme DESC, class_rank;
SELECT source, check_name, count, money, meaning FROM shop.data_quality ORDER BY source, check_name;
SELECT scorecard_id, as_of, customers, buyers, recency_cuts, frequency_cuts, monetary_cuts, usual_gap_days, margin
FROM shop.model_card;
SELECT customer_id, as_of, orders, net, days_since_last FROM shop.customer_at('2024-02-01') ORDER BY customer_id;
SELECT name, owner = current_user AS mine FROM segment.portfolio;

-- new orders count after a refresh; a refresh without news changes nobody
INSERT INTO orders VALUES (5, '2024-03-10', 7.25, 'paid');
SELECT count(*) FROM shop.customer;
SELECT as_of, customers, customers_read, customers_changed, scorecard_id FROM segment.refresh('shop');
SELECT as_of, customers, customers_read, customers_changed, scorecard_id FROM segment.refresh('shop', full => true);
SELECT as_of, customers, customers_changed, scorecard_id FROM segment.refresh('shop', '2024-02-10');
DELETE FROM orders WHERE customer_id = 4;
SELECT as_of, customers, customers_read, customers_changed, scorecard_id FROM segment.refresh('shop');

-- change, what is not given stays; an empty query takes a source away, a null setting is the default
CREATE TABLE person (id bigint, name text);
INSERT INTO person VALUES (1, 'Ada'), (6, 'Ben'), (NULL, 'nobody');
SELECT customers, scorecard_id FROM segment.alter_portfolio('shop',
	customers => 'SELECT id, name FROM person', settings => '{"margin": 0.25, "dormancy_prior_gaps": 1}');
SELECT customer_id, orders, margin, rfm_segment, dormancy FROM shop.customer WHERE customer_id IN (1, 6) ORDER BY 1;
SELECT customer_id, listed, attributes FROM shop.customer_history ORDER BY customer_id;
SELECT customers FROM segment.alter_portfolio('shop', settings => '{"margin": null}', unit => 'day');
SELECT settings, unit, timezone, search_path FROM shop.portfolio;
SELECT customers FROM segment.alter_portfolio('shop', customers => '');
SELECT customers IS NULL FROM shop.portfolio;

-- ---------- refusals of alter_portfolio leave everything as it was ----------

SELECT pg_temp.failure($$ SELECT segment.alter_portfolio('shop', purchases => 'SELECT customer_id::text, ordered_at, total FROM orders') $$);
SELECT pg_temp.failure($$ SELECT segment.alter_portfolio('shop', purchases => '') $$);
SELECT pg_temp.failure($$ SELECT segment.alter_portfolio('shop', timezone => '') $$);
SELECT pg_temp.failure($$ SELECT segment.alter_portfolio('shop', timezone => 'Mars/Olympus') $$);
SELECT pg_temp.failure($$ SELECT segment.alter_portfolio('shop', unit => '') $$);
SELECT pg_temp.failure($$ SELECT segment.alter_portfolio('shop', settings => '[]') $$);
SELECT pg_temp.failure($$ SELECT segment.alter_portfolio('nosuch') $$);
SELECT pg_temp.failure($$ SELECT segment.alter_portfolio(NULL) $$);
SELECT settings, unit, timezone, purchases FROM shop.portfolio;

-- ---------- refusals of create_portfolio ----------

CREATE FUNCTION create_failure(purchases text) RETURNS text
LANGUAGE sql RETURN pg_temp.failure(format('SELECT segment.create_portfolio(''bad'', %L)', purchases));

SELECT create_failure('SELECT customer, ordered_at, total FROM orders');
SELECT create_failure('SELECT customer_id, ordered_at, total FROM no_such_table');
SELECT create_failure('SELECT customer_id, status, total FROM orders');
SELECT create_failure('SELECT customer_id, ordered_at, status FROM orders');
SELECT create_failure('SELECT customer_id, ordered_at::time, total FROM orders');
SELECT create_failure('SELECT customer_id, ordered_at, total, status FROM orders');
SELECT create_failure('SELECT customer_id, ordered_at, 1::oid FROM orders');
SELECT create_failure('SELECT customer_id, ordered_at, true FROM orders');
SELECT create_failure('SELECT ''{}''::json AS key, ordered_at, total FROM orders');
SELECT create_failure('SELECT point(1, 2) AS "The Key", ordered_at, total FROM orders');
SELECT create_failure('SELECT xid ''1'', ordered_at, total FROM orders');
SELECT create_failure('SELECT row(1, 2), ordered_at, total FROM orders');
SELECT create_failure('SELECT customer_id, ordered_at FROM orders');
SELECT create_failure('SELECT FROM orders');
SELECT create_failure('SELECT customer_id, ordered_at, total, total, total FROM orders');
SELECT create_failure('SELECT 1, date ''2024-01-01'', 1; SELECT 2, date ''2024-01-01'', 2');
SELECT create_failure('SELECT 1, date ''2024-01-01'', 1; DROP TABLE orders');
SELECT create_failure('DELETE FROM orders RETURNING customer_id, ordered_at, total');
SELECT create_failure('SELECT customer_id, ordered_at, total INTO copied FROM orders');
SELECT create_failure('WITH gone AS (DELETE FROM orders RETURNING *) SELECT customer_id, ordered_at, total FROM gone');
SELECT create_failure('SELECT customer_id, ordered_at, total FROM orders FOR UPDATE');
SELECT create_failure('SELECT * FROM (SELECT customer_id, ordered_at, total FROM orders FOR SHARE) AS o');
SELECT create_failure('SELECT customer_id, ordered_at, total FROM orders WHERE customer_id IN (SELECT customer_id FROM orders FOR KEY SHARE)');
SELECT create_failure('SELECT customer_id ordered_at total FROM WHERE');
SELECT create_failure('SELECT customer_id, ordered_at, total FROM orders) AS x; --');
SELECT create_failure('SELECT customer_id, ordered_at, total FROM orders /*');
SELECT create_failure('SELECT customer_id, ordered_at, total FROM orders WHERE customer_id = $1');
SELECT create_failure('CREATE TABLE t ()');
SELECT create_failure('EXPLAIN SELECT 1');
SELECT create_failure('');
SELECT create_failure(' ; ');
SELECT create_failure('-- nothing');
SELECT create_failure(NULL);
-- while it is read
SELECT create_failure('SELECT customer_id, ordered_at, numeric ''NaN'' FROM orders');
SELECT create_failure('SELECT customer_id, ordered_at, ''NaN''::real FROM orders');
SELECT create_failure('SELECT customer_id, ordered_at, ''Infinity''::float8 FROM orders');
SELECT create_failure('SELECT customer_id, ordered_at, ''-Infinity''::numeric FROM orders');
SELECT create_failure('SELECT customer_id, date ''infinity'', total FROM orders');
SELECT create_failure('SELECT customer_id, timestamptz ''-infinity'', total FROM orders');
SELECT create_failure('SELECT customer_id, ordered_at, 1e30 FROM orders');
SELECT create_failure('SELECT customer_id, ordered_at, total / 3.0 FROM orders');
SELECT create_failure('SELECT customer_id, ordered_at, total / 0 FROM orders');
-- the other sources
CREATE FUNCTION source_failure(source text, query text) RETURNS text
LANGUAGE sql RETURN pg_temp.failure(format(
	'SELECT segment.create_portfolio(''bad'', ''SELECT customer_id, ordered_at, total FROM orders'', %I => %L)', source, query));
SELECT source_failure('customers', 'SELECT FROM person');
SELECT source_failure('customers', 'SELECT date ''2024-01-01'' FROM person');
SELECT source_failure('customers', 'TABLE person; TABLE orders');
SELECT source_failure('costs', 'SELECT customer_id, ordered_at FROM orders');
SELECT source_failure('costs', 'SELECT customer_id, ordered_at, total, total FROM orders');
SELECT source_failure('complaints', 'SELECT customer_id, ordered_at, total FROM orders');
SELECT source_failure('complaints', 'SELECT customer_id FROM orders');
SELECT source_failure('satisfaction', 'SELECT customer_id, ordered_at, status FROM orders');
SELECT source_failure('satisfaction', 'SELECT customer_id, total, total FROM orders');
-- settings, time zone, unit
CREATE FUNCTION argument_failure(argument text, value text) RETURNS text
LANGUAGE sql RETURN pg_temp.failure(format(
	'SELECT segment.create_portfolio(''bad'', ''SELECT customer_id, ordered_at, total FROM orders'', %I => %s)', argument, value));
SELECT argument_failure('settings', $$ '{"colour": 1}' $$);
SELECT argument_failure('settings', $$ '{"margin": 1.01}' $$);
SELECT argument_failure('settings', $$ '{"margin": -0.01}' $$);
SELECT argument_failure('settings', $$ '{"margin": 1e500}' $$);
SELECT argument_failure('settings', $$ '{"margin": "a lot"}' $$);
SELECT argument_failure('settings', $$ '{"margin": null}' $$);
SELECT argument_failure('settings', $$ '{"security_invoker": 1}' $$);
SELECT argument_failure('settings', $$ '{"purchase_model": "guess"}' $$);
SELECT argument_failure('settings', $$ '{"purchase_model": 1}' $$);
SELECT argument_failure('settings', $$ '{"dormancy_drowsy": 4}' $$);
SELECT argument_failure('settings', $$ '{"dormancy_half_asleep": 5.5}' $$);
SELECT argument_failure('settings', $$ '{"dormancy_half_asleep": 1}' $$);
SELECT argument_failure('settings', $$ '{"dormancy_asleep": 2.999}' $$);
SELECT argument_failure('settings', $$ '{"dormancy_drowsy": 6, "dormancy_half_asleep": 6}' $$);
SELECT segment_internal.check_settings('{"dormancy_drowsy": 3, "dormancy_asleep": 3}') ->> 'dormancy_half_asleep' AS equal_ones_ascend;
SELECT argument_failure('settings', $$ '[1]' $$);
SELECT argument_failure('settings', $$ 'null' $$);
SELECT argument_failure('timezone', $$ 'Mars/Olympus' $$);
SELECT argument_failure('timezone', $$ '' $$);
SELECT argument_failure('unit', $$ 'fortnight' $$);
SELECT argument_failure('unit', $$ NULL $$);
-- names
SELECT pg_temp.failure(format('SELECT segment.create_portfolio(%L, ''SELECT 1, date ''''2024-01-01'''', 1'')', name))
FROM (VALUES ('shop'), ('public'), ('segment'), (''), (NULL), (repeat('x', 64)), (repeat('é', 32)), ('pg_shop')) AS v(name);
-- nothing is left behind
SELECT count(*) FROM pg_namespace WHERE nspname IN ('bad', 'pg_shop');
-- refresh and drop
SELECT pg_temp.failure($$ SELECT segment.refresh('nosuch') $$);
SELECT pg_temp.failure($$ SELECT segment.refresh('public') $$);
SELECT pg_temp.failure($$ SELECT segment.refresh(NULL) $$);
SELECT pg_temp.failure($$ SELECT segment.refresh('shop', 'infinity') $$);
SELECT pg_temp.failure($$ SELECT segment.refresh('shop', '-infinity') $$);
SELECT regexp_replace(pg_temp.failure(format('SELECT segment.refresh(''shop'', %L)', current_date + 2)), '\d{4}-\d\d-\d\d', '(day)', 'g');
SELECT pg_temp.failure($$ SELECT segment.drop_portfolio('nosuch') $$);
SELECT pg_temp.failure($$ SELECT segment.drop_portfolio('public', cascade => true) $$);
SELECT pg_temp.failure($$ SELECT segment.drop_portfolio(NULL) $$);
SELECT pg_temp.failure($$ SELECT * FROM shop.customer_at('infinity') $$);
SELECT count(*) FROM shop.customer_at(NULL);
SELECT pg_temp.failure($$ SELECT segment_internal.portfolio_run('shop', 'destroy', '{}', NULL::segment.refresh_report) $$);
SELECT pg_temp.failure($$ SELECT segment_internal.portfolio_run('shop', NULL, '{}', NULL::segment.refresh_report) $$);
SELECT pg_temp.failure($$ SELECT segment_internal.portfolio_run('shop', 'refresh', '{}', 1) $$);
SELECT pg_temp.failure($$ SELECT segment_internal.portfolio_run('shop', 'refresh', '{}', ROW(1, 2)) $$);
-- a source that becomes wrong later: the old state stays
ALTER TABLE orders RENAME COLUMN total TO amount;
SELECT pg_temp.failure($$ SELECT segment.refresh('shop') $$);
ALTER TABLE orders RENAME COLUMN amount TO total;
SELECT count(*) AS customers, max(as_of) AS as_of FROM shop.customer;

-- ---------- odd names ----------

CREATE FUNCTION odd_name(name text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	PERFORM segment.create_portfolio(name, 'SELECT customer_id, ordered_at, total FROM orders');
	PERFORM segment.alter_portfolio(name, customers => 'SELECT id FROM person');
	PERFORM segment.refresh(name);
	EXECUTE format('SELECT count(*) || '' '' || sum(net) FROM %I.customer', name) INTO result;
	PERFORM segment.drop_portfolio(name);
	RETURN result || (SELECT ' left: ' || count(*) FROM pg_namespace WHERE nspname = odd_name.name);
END
$$;
SELECT name, odd_name(name) FROM (VALUES
	('Shop'), ('my shop'), ('100% shop'), ('%I.%s%%'), ('o''shop'), ('"quoted"'), ('a"b'), ('客户'), ('select'), ('-- x'),
	('a.b'), ('\'), ('$template$'), (repeat('x', 63)), (repeat('é', 31))) AS v(name);

-- ---------- keys ----------

CREATE DOMAIN customer_number AS integer CHECK (VALUE > 0);
CREATE DOMAIN customer_code AS text NOT NULL;
CREATE TYPE region AS ENUM ('north', 'south');
CREATE COLLATION case_insensitive (provider = icu, locale = 'und-u-ks-level2', deterministic = false);

-- Type and collation of the key, customers, and how a second refresh and other sources meet the same key.
CREATE FUNCTION key_test(expression text, other_expression text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	other text := coalesce(other_expression, expression);
	changed bigint;
	result text;
BEGIN
	PERFORM segment.create_portfolio('key_test',
		format('SELECT %s, ordered_at, total FROM orders', expression),
		customers => format('SELECT %s, ''x'' AS attribute FROM orders', other),
		costs => format('SELECT %s, ordered_at, 1 FROM orders UNION ALL SELECT NULL, NULL, NULL', other),
		complaints => format('SELECT %s, ordered_at FROM orders', other),
		satisfaction => format('SELECT %s, ordered_at, 5 FROM orders', other));
	SELECT r.customers_changed INTO changed FROM segment.refresh('key_test') AS r;
	SELECT concat_ws(' ', format_type(a.atttypid, a.atttypmod), 'collation ' || nullif(l.collname, 'default'),
		(SELECT string_agg(customer_id::text || ':' || orders || '/' || cost, ', ' ORDER BY customer_id::text COLLATE "C")
			FROM key_test.customer),
		'changed again: ' || changed)
	INTO result
	FROM pg_attribute AS a LEFT JOIN pg_collation AS l ON l.oid = a.attcollation
	WHERE a.attrelid = 'key_test.customer'::regclass AND a.attname = 'customer_id';
	PERFORM segment.drop_portfolio('key_test');
	RETURN result;
END
$$;
SELECT key_test('customer_id');
SELECT key_test('customer_id::integer');
SELECT key_test('customer_id::smallint');
SELECT key_test('customer_id::numeric');
SELECT key_test('customer_id::text');
SELECT key_test('customer_id::varchar(1)', '''c'' || customer_id');
SELECT key_test('(''k'' || customer_id)::char(4)');
SELECT key_test('customer_id::text::bpchar');
SELECT key_test('(''00000000-0000-0000-0000-00000000000'' || customer_id)::uuid');
SELECT key_test('customer_id::customer_number');
SELECT key_test('customer_id::customer_number', 'customer_id');
SELECT key_test('customer_id::text::customer_code');
SELECT key_test('customer_id::text::customer_code', 'customer_id::varchar');
SELECT key_test('CASE WHEN customer_id < 3 THEN ''north'' ELSE ''south'' END::region');
SELECT key_test('(CASE customer_id % 3 WHEN 0 THEN ''bob'' WHEN 1 THEN ''BOB'' ELSE ''ann'' END) COLLATE case_insensitive',
	'(CASE customer_id % 3 WHEN 0 THEN ''Bob'' WHEN 1 THEN ''boB'' ELSE ''ANN'' END) COLLATE case_insensitive');
SELECT key_test('ARRAY[customer_id, 1]');
SELECT key_test('ordered_at');
SELECT key_test('''everybody''');
-- that do not meet
SELECT pg_temp.failure($$ SELECT key_test('customer_id', '''x''::uuid') $$);
SELECT pg_temp.failure($$ SELECT key_test('customer_id', 'ordered_at') $$);
SELECT pg_temp.failure($$ SELECT key_test('customer_id', '''x''') $$);
-- a key that becomes longer is not cut off
CREATE TABLE coded (code varchar(3), at date, amount integer);
INSERT INTO coded VALUES ('abc', '2024-01-01', 1);
SELECT customers FROM segment.create_portfolio('coded', 'SELECT code, at, amount FROM coded');
ALTER TABLE coded ALTER COLUMN code TYPE varchar(5);
INSERT INTO coded VALUES ('abcde', '2024-01-01', 1), ('abcdf', '2024-01-01', 1);
SELECT customers FROM segment.refresh('coded');
SELECT segment.drop_portfolio('coded');

-- ---------- times and amounts of all types ----------

CREATE DOMAIN price AS numeric(10, 2);
CREATE DOMAIN moment AS timestamptz;
SET lc_monetary = 'C';
CREATE FUNCTION column_test(at text, amount text, timezone text DEFAULT 'Asia/Shanghai') RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	PERFORM segment.create_portfolio('column_test',
		format('SELECT 1, %s, %s FROM (VALUES (''2024-01-01 15:59+00'', 1.25), (''2024-01-01 16:00+00'', 2.5)) AS v(at, amount)', at, amount),
		timezone => timezone);
	SELECT concat_ws(' ', CASE WHEN orders > 0 THEN as_of END, purchase_days, first_day, last_day, net) INTO result FROM column_test.customer;
	PERFORM segment.drop_portfolio('column_test');
	RETURN result;
END
$$;
SELECT at, column_test(at, 'amount') FROM (VALUES ('at::date'), ('at::timestamp'), ('at::timestamptz'), ('at::moment'), ('at::timestamptz(0)')) AS v(at);
SELECT at, column_test(at, 'amount', 'America/New_York') FROM (VALUES ('at::date'), ('at::timestamp'), ('at::timestamptz'), ('at::moment')) AS v(at);
SELECT amount, column_test('at::date', amount) FROM (VALUES ('amount::smallint'), ('amount::integer'), ('amount::bigint'),
	('amount'), ('amount::numeric(10,1)'), ('amount::real'), ('amount::float8'), ('amount::float8 / 3'), ('amount::numeric::money'),
	('amount::price'), ('0.1::float8 + 0.2::float8'), ('-amount'), ('0')) AS v(amount);

-- ---------- drop ----------

CREATE VIEW shop_report AS SELECT customer_id, net FROM shop.customer;
SELECT pg_temp.failure($$ SELECT segment.drop_portfolio('shop') $$);
DROP VIEW shop_report;
CREATE TABLE shop.note (customer_id bigint);
SELECT pg_temp.failure($$ SELECT segment.drop_portfolio('shop') $$);
SELECT count(*) FROM shop.customer;
SELECT segment.drop_portfolio('shop', cascade => true);
SELECT count(*) FROM segment.portfolio;
SELECT count(*) FROM orders;
-- also when some of it is gone already
SELECT customers FROM segment.create_portfolio('shop', 'SELECT customer_id, ordered_at, total FROM orders');
DROP FUNCTION shop.customer_at(date) CASCADE;
DROP VIEW shop.model_card, shop.data_quality CASCADE;
SELECT segment.drop_portfolio('shop');
SELECT count(*) FROM pg_namespace WHERE nspname = 'shop';

-- ---------- rights ----------

CREATE ROLE regress_segment_owner;
CREATE ROLE regress_segment_reader;
CREATE ROLE regress_segment_member;
CREATE ROLE regress_segment_stranger NOINHERIT;
GRANT regress_segment_owner TO regress_segment_member, regress_segment_stranger;
GRANT USAGE ON SCHEMA portfolio_test TO PUBLIC;
GRANT SELECT ON orders TO regress_segment_owner;

SET ROLE regress_segment_owner;
-- no right to create schemas
SELECT pg_temp.failure($$ SELECT segment.create_portfolio('owned', 'SELECT customer_id, ordered_at, total FROM portfolio_test.orders') $$)
	LIKE '42501 permission denied for database %' AS refused;
RESET ROLE;
DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO regress_segment_owner', current_database()); END $$;
SET ROLE regress_segment_owner;
-- no right to read the source
SELECT pg_temp.failure($$ SELECT segment.create_portfolio('owned', 'SELECT id, current_date, 1 FROM portfolio_test.person') $$);
SELECT customers FROM segment.create_portfolio('owned', 'SELECT customer_id, ordered_at, total FROM portfolio_test.orders');
GRANT USAGE ON SCHEMA owned TO regress_segment_reader;
GRANT SELECT ON owned.customer, owned.customer_class TO regress_segment_reader;
-- the reader sees the views granted and nothing else
SET ROLE regress_segment_reader;
SELECT count(*) FROM owned.customer;
SELECT count(DISTINCT customer_id) FROM owned.customer_class;
SELECT pg_temp.failure('SELECT * FROM owned.data_quality');
SELECT pg_temp.failure('SELECT * FROM owned.customer_history');
SELECT pg_temp.failure($$ SELECT * FROM owned.customer_at('2024-01-01') $$);
SELECT pg_temp.failure($$ SELECT segment.refresh('owned') $$);
SELECT pg_temp.failure($$ SELECT segment.alter_portfolio('owned') $$);
SELECT pg_temp.failure($$ SELECT segment.drop_portfolio('owned') $$);
SELECT pg_temp.failure($$ SELECT segment_internal.portfolio_refresh('owned', '{}') $$);
-- membership counts where the owner's rights are inherited
SET ROLE regress_segment_stranger;
SELECT pg_temp.failure($$ SELECT segment.refresh('owned') $$);
SET ROLE regress_segment_member;
SELECT customers FROM segment.refresh('owned');
-- all stays the owner's, whoever calls
RESET ROLE;
SELECT customers FROM segment.refresh('owned');
SELECT customers FROM segment.alter_portfolio('owned', settings => '{"security_invoker": true}');
SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class WHERE relnamespace = 'owned'::regnamespace;
-- with security_invoker the reader's own rights count
SET ROLE regress_segment_reader;
SELECT pg_temp.failure('SELECT * FROM owned.customer');
RESET ROLE;
SELECT segment.drop_portfolio('owned');

DO $$ BEGIN EXECUTE format('REVOKE CREATE ON DATABASE %I FROM regress_segment_owner', current_database()); END $$;
DROP OWNED BY regress_segment_owner, regress_segment_reader, regress_segment_member, regress_segment_stranger;
DROP ROLE regress_segment_owner, regress_segment_reader, regress_segment_member, regress_segment_stranger;
DROP SCHEMA portfolio_test CASCADE;
