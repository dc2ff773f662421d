--
-- Schemes of one's own: every refusal, and what stays when one is refused
--
-- where in our code an error is raised is no concern of users
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET client_min_messages = warning;
CREATE SCHEMA scheme_test;
SET search_path = scheme_test, public;

\getenv test_directory PG_ABS_SRCDIR
\set helpers :test_directory '/helpers.sql'
\set failure_form lines
\set ECHO none
\i :helpers
\set ECHO all
CREATE FUNCTION create_failure(classes text, cuts text DEFAULT '{}', scheme text DEFAULT 'bad') RETURNS text
LANGUAGE sql RETURN pg_temp.failure(format('SELECT segment.create_scheme(''shop'', %L, %L, %L)', scheme, classes, cuts));
CREATE FUNCTION rule_failure(rule text) RETURNS text
LANGUAGE sql RETURN create_failure(jsonb_build_array(jsonb_build_object('class', 'a', 'rule', rule), '{"class": "b"}'::jsonb)::text);
CREATE FUNCTION cut_failure(query text) RETURNS text
LANGUAGE sql RETURN create_failure('[{"class": "a", "rule": "net > my_cut"}, {"class": "b"}]', jsonb_build_object('my_cut', query)::text);
\pset format unaligned
\pset tuples_only on

CREATE TABLE orders (customer_id bigint, ordered_at date, total numeric);
INSERT INTO orders VALUES (1, '2024-01-05', 20), (1, '2024-02-04', 35.5), (2, '2024-01-20', 80), (3, '2024-03-01', 15);
SELECT customers FROM segment.create_portfolio('shop', 'TABLE orders', customers => 'SELECT generate_series(1, 4)');
SELECT set_config('scheme_test.before', (SELECT md5(string_agg(t::text, '' ORDER BY t::text)) FROM (
	SELECT to_jsonb(c) FROM shop.class AS c UNION ALL SELECT to_jsonb(c) FROM shop.scheme_cut AS c
	UNION ALL SELECT to_jsonb(c) FROM shop.scorecard AS c UNION ALL SELECT to_jsonb(c) FROM shop.customer AS c) AS t), false) IS NOT NULL;

-- ---------- names ----------

SELECT create_failure('[{"class": "a"}]', scheme => 'Big.one');
SELECT create_failure('[{"class": "a"}]', scheme => '1st');
SELECT create_failure('[{"class": "a"}]', scheme => 'a b');
SELECT create_failure('[{"class": "a"}]', scheme => '');
SELECT create_failure('[{"class": "a"}]', scheme => NULL);
SELECT create_failure('[{"class": "a"}]', scheme => repeat('x', 64));
-- taken: a column, a scheme, a setting, a cut, a column of the scorecard, a name inside the view
SELECT scheme, create_failure('[{"class": "a"}]', scheme => scheme)
FROM unnest(ARRAY['net', 'customer_id', 'abcd', 'dormancy_asleep', 'abcd_a', 'horizon', 'margin_rate']) AS scheme;
SELECT cut, create_failure('[{"class": "a"}]', format('{"%s": "SELECT 1"}', cut))
FROM unnest(ARRAY['net', 'abcd', 'bad', 'visit_abc_rule', 'abcd_a', 'horizon', 'My cut', '']) AS cut;

-- ---------- classes ----------

SELECT create_failure(NULL);
SELECT create_failure('null');
SELECT create_failure('{}');
SELECT create_failure('[]');
SELECT create_failure('["a"]');
SELECT create_failure('[{"rule": "net > 1"}]');
SELECT create_failure('[{"class": ""}]');
SELECT create_failure('[{"class": "a", "rule": "net > 1"}]');
SELECT create_failure('[{"class": "a"}, {"class": "b"}]');
SELECT create_failure('[{"class": "a", "rule": "net > 1"}, {"class": "a"}]');
SELECT create_failure('[{"class": "a", "lable": "A"}]');
SELECT create_failure('[{"class": "a", "priority": "high"}]');
SELECT create_failure('[{"class": "a", "priority": 1.5}]');
SELECT create_failure('[{"class": "a", "priority": 99999999999}]');
SELECT create_failure('[{"class": "a", "label": 1}]');
SELECT create_failure('[{"class": 7}]');
SELECT create_failure('[{"class": "a", "rule": true}, {"class": "b"}]');
SELECT create_failure('[{"class": "a"}]', '[]');
SELECT create_failure('[{"class": "a"}]', '{"my_cut": 1}');
SELECT create_failure('[{"class": "a"}]', '{"my_cut": null}');

-- ---------- rules ----------

SELECT rule_failure('');
SELECT rule_failure('nett > 5');
SELECT rule_failure('net >');
SELECT rule_failure('net > ''five''');
SELECT rule_failure('net');
SELECT rule_failure('1');
SELECT rule_failure('net > 5 THEN ''a'' WHEN true');
SELECT rule_failure('net > 5) OR (true');
SELECT split_part(rule_failure('true), (true'), ' at or near', 1);
SELECT rule_failure('net > 5; DROP TABLE orders');
SELECT rule_failure('net > (SELECT avg(net) FROM shop.customer)');
SELECT rule_failure('EXISTS (TABLE scheme_test.orders)');
SELECT rule_failure('net > avg(net)');
SELECT rule_failure('rank() OVER (ORDER BY net) < 5');
SELECT rule_failure('generate_series(1, 2) = 1');
SELECT rule_failure('random() < 0.5');
SELECT rule_failure('last_day > now() - interval ''1 month''');
SELECT rule_failure('last_day > current_date');
SELECT rule_failure('current_user = ''ada''');
SELECT rule_failure('to_char(first_day, ''MM'') = ''12''');
SELECT rule_failure('bad = ''a''');
SELECT rule_failure('recency_cuts IS NULL');
SELECT rule_failure('unknown_function(net)');
SELECT rule_failure('$1');
-- it fails for a customer
SELECT rule_failure('net / orders > 5');

-- ---------- cuts ----------

SELECT cut_failure('SELECT avg(nett) FROM customers');
SELECT cut_failure('SELECT avg(net)');
SELECT cut_failure('SELECT net FROM customers');
SELECT cut_failure('SELECT 1, 2');
SELECT cut_failure('SELECT 1; SELECT 2');
SELECT cut_failure('DELETE FROM customers');
SELECT cut_failure('SELECT max(last_day) FROM customers');
SELECT cut_failure('SELECT 1 / 0');
SELECT cut_failure('SELECT count(*) FROM customers WHERE rfm_segment = ''champions''');
SELECT cut_failure('');

-- ---------- other refusals ----------

SELECT pg_temp.failure($$ SELECT segment.create_scheme('nosuch', 'bad', '[{"class": "a"}]') $$);
SELECT pg_temp.failure($$ SELECT segment.create_scheme(NULL, 'bad', '[{"class": "a"}]') $$);
SELECT pg_temp.failure($$ SELECT segment.alter_scheme('shop', 'nosuch', '[{"class": "a"}]') $$);
SELECT pg_temp.failure($$ SELECT segment.alter_scheme('shop', NULL, '[{"class": "a"}]') $$);
SELECT pg_temp.failure($$ SELECT segment.alter_scheme('shop', 'abcd', '[{"class": "a", "rule": "net > nosuch"}, {"class": "b"}]') $$);
-- the rules need the cuts that are taken away
SELECT pg_temp.failure($$ SELECT segment.alter_scheme('shop', 'abcd', '[{"class": "a", "rule": "net > abcd_a"}, {"class": "b"}]', '{}') $$);
SELECT pg_temp.failure($$ SELECT segment.drop_scheme('shop', 'nosuch') $$);
SELECT pg_temp.failure($$ SELECT segment.drop_scheme('shop', 'next_step') $$);
SELECT pg_temp.failure($$ SELECT * FROM segment.scheme_check('shop', 'nosuch') $$);
SELECT pg_temp.failure($$ SELECT * FROM segment.scheme_check('nosuch', 'abcd') $$);
SELECT pg_temp.failure($$ SELECT segment.alter_portfolio('shop', settings => '{"leading_scheme": "nosuch"}') $$);
SELECT pg_temp.failure($$ SELECT segment.alter_portfolio('shop', settings => '{"leading_scheme": 1}') $$);
SELECT pg_temp.failure($$ SELECT segment.create_portfolio('bad', 'TABLE orders', settings => '{"leading_scheme": "nosuch"}') $$);
SELECT count(*) FROM segment.portfolio WHERE name = 'bad';

-- ---------- others have built on the views ----------

CREATE VIEW champion AS SELECT customer_id FROM shop.customer WHERE rfm_segment = 'champions';
SELECT pg_temp.failure($$ SELECT segment.drop_scheme('shop', 'rfm8') $$);
DROP VIEW champion;

-- everything is as it was
SELECT current_setting('scheme_test.before') = (SELECT md5(string_agg(t::text, '' ORDER BY t::text)) FROM (
	SELECT to_jsonb(c) FROM shop.class AS c UNION ALL SELECT to_jsonb(c) FROM shop.scheme_cut AS c
	UNION ALL SELECT to_jsonb(c) FROM shop.scorecard AS c UNION ALL SELECT to_jsonb(c) FROM shop.customer AS c) AS t);

-- ---------- what works ----------

SELECT mode, customers, scorecard_id FROM segment.create_scheme('shop', 'size',
	'[{"class": "big", "rule": "net >= big_net;", "label": "big"}, {"class": "rest"}]', '{"big_net": "SELECT 50"}');
SELECT mode, customers, scorecard_id FROM segment.create_scheme('shop', 'size',
	'[{"class": "it''s \\ big", "rule": "net >= big_net", "label": "big", "label_zh": "大", "priority": 1, "service_level": "premium", "owner": "Ada", "action": "Call.", "action_zh": "致电"}, {"class": "rest"}]',
	'{"big_net": "SELECT 50;"}', label => 'size', label_zh => '大小', meaning => 'by net amount');
SELECT customer_id, net, size FROM shop.customer ORDER BY customer_id;
SELECT * FROM shop.class WHERE scheme = 'size' ORDER BY class_rank;
SELECT col_description('shop.customer'::regclass, attnum) FROM pg_attribute WHERE attrelid = 'shop.customer'::regclass AND attname = 'size';
-- without cuts the old ones stay; with cuts they are replaced, in older scorecards too
SELECT mode, customers, scorecard_id FROM segment.alter_scheme('shop', 'size', '[{"class": "small", "rule": "net < big_net"}, {"class": "rest"}]');
SELECT customer_id, size FROM shop.customer ORDER BY customer_id;
SELECT mode, customers, scorecard_id FROM segment.alter_scheme('shop', 'size', '[{"class": "small", "rule": "net < big_net"}, {"class": "rest"}]', '{"big_net": "SELECT 70"}');
SELECT customer_id, size FROM shop.customer ORDER BY customer_id;
SELECT scorecard_id, cuts ->> 'big_net' FROM shop.scorecard ORDER BY scorecard_id;
-- it can lead, and then not be dropped
SELECT customers FROM segment.alter_portfolio('shop', settings => '{"leading_scheme": "size"}');
SELECT customer_id, scheme, class FROM shop.customer_action ORDER BY customer_id;
SELECT pg_temp.failure($$ SELECT segment.drop_scheme('shop', 'size') $$);
SELECT customers FROM segment.alter_portfolio('shop', settings => '{"leading_scheme": null}');
SELECT mode, customers FROM segment.drop_scheme('shop', 'size');
SELECT count(*) FROM shop.customer_class WHERE scheme = 'size';
SELECT count(*) FROM pg_attribute WHERE attrelid = 'shop.customer'::regclass AND attname = 'size';
-- built-in schemes can be changed and dropped, too
SELECT mode, customers FROM segment.drop_scheme('shop', 'rfm8');
SELECT mode, customers FROM segment.drop_scheme('shop', 'hsbc');
SELECT scheme, class FROM segment.explain('shop', '4');
SELECT customers FROM segment.refresh('shop');

SELECT segment.drop_portfolio('shop');
DROP SCHEMA scheme_test CASCADE;
