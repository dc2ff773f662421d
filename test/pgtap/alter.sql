--
-- alter: what is not given stays as it was; names and labels of schemes
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

CREATE TABLE orders (customer integer, day date, amount numeric);
INSERT INTO orders SELECT n % 40, date '2024-01-01' + n * 7 % 360, 10 + n % 90 FROM generate_series(1, 400) AS n;
SELECT segment.create_portfolio('shop', 'SELECT customer, day, amount FROM orders') IS NOT NULL AS made \gset

-- ---------- alter_scheme ----------

SELECT segment.create_scheme('shop', 'size', '[
	{"class": "big", "rule": "net > 1000", "label": "Big", "label_zh": "B-zh", "priority": 1, "service_level": "premium", "owner": "Ada", "action": "Call.", "action_zh": "C-zh"},
	{"class": "middle", "rule": "net > 400", "stay_rule": "net > 300", "label": "Middle", "priority": 2, "owner": "Bea", "action": "Write."},
	{"class": "small", "label": "Small", "priority": 3, "owner": "Cal"}]') IS NOT NULL AS made \gset
ALTER TABLE shop.scheme_class ADD COLUMN budget numeric, ADD COLUMN campaign text DEFAULT 'none';
UPDATE shop.scheme_class SET budget = class_rank * 100, campaign = 'spring ' || class WHERE scheme = 'size';
UPDATE shop.scheme_class SET service_level = 'good', action = 'Be kind.' WHERE scheme = 'size' AND class = 'small';

-- other rules, another order, another default; one class goes, one comes; some things are given
SELECT is((segment.alter_scheme('shop', 'size', '[
	{"class": "small", "rule": "net < 300", "owner": null, "priority": 9},
	{"class": "tiny", "rule": "net < 100", "label": "Tiny"},
	{"class": "big", "label": "Large"}]')).mode, 'schemes', 'a scheme gets other classes');
SELECT results_eq($$ SELECT c.class, c.class_rank, c.rule, c.stay_rule, c.label, c.label_zh, c.priority, c.service_level, c.owner, c.action, c.action_zh, c.budget, c.campaign
		FROM shop.scheme_class AS c WHERE c.scheme = 'size' ORDER BY c.class_rank $$,
	$$ VALUES ('small', 1, 'net < 300', NULL, 'Small', NULL, 9, 'good', NULL, 'Be kind.', NULL, 300::numeric, 'spring small'),
		('tiny', 2, 'net < 100', NULL, 'Tiny', NULL, NULL::integer, NULL, NULL::text, NULL, NULL, NULL, 'none'),
		('big', 3, NULL, NULL, 'Large', 'B-zh', 1, 'premium', 'Ada', 'Call.', 'C-zh', 100, 'spring big') $$,
	'classes that remain keep what is not given, also in columns of one''s own');
SELECT results_eq($$ SELECT customer_id, size FROM shop.customer ORDER BY 1 $$,
	$$ SELECT customer, CASE WHEN sum(amount) < 300 THEN 'small' WHEN sum(amount) < 100 THEN 'tiny' ELSE 'big' END FROM orders GROUP BY customer ORDER BY 1 $$,
	'and the new rules judge');
SELECT is((segment.alter_scheme('shop', 'size', '[{"class": "middle", "rule": "net > 400"}, {"class": "small"}]')).mode, 'schemes', 'the class that went comes back');
SELECT results_eq($$ SELECT c.class, c.stay_rule, c.label, c.owner, c.priority, c.campaign FROM shop.scheme_class AS c WHERE c.scheme = 'size' ORDER BY c.class_rank $$,
	$$ VALUES ('middle', NULL::text, 'middle', NULL::text, NULL::integer, 'none'), ('small', NULL, 'Small', NULL, 9, 'spring small') $$, 'as a new one');
SELECT throws_ok($$ SELECT segment.alter_scheme('shop', 'size', '[{"class": "middle", "rule": "nosuch > 400", "owner": "Eve"}, {"class": "small"}]') $$, '42703', NULL, 'what is refused');
SELECT is((SELECT owner FROM shop.class WHERE scheme = 'size' AND class = 'middle'), NULL, 'changes nothing');

-- ---------- alter_portfolio ----------

SELECT is((segment.refresh('shop', '2024-06-30')).as_of, '2024-06-30'::date, 'a day that is given');
SELECT is((segment.alter_portfolio('shop', settings => '{"margin": 0.4}')).as_of, '2024-06-30'::date, 'stays when a setting changes');
SELECT is((segment.alter_portfolio('shop', purchases => 'SELECT customer, day, amount FROM orders WHERE amount > 0')).as_of, '2024-06-30'::date, 'or a source');
SELECT is((segment.create_scheme('shop', 'other', '[{"class": "all"}]')).as_of, '2024-06-30'::date, 'or a scheme');
SELECT is((segment.alter_portfolio('shop', settings => '{"margin": 0.5}')).as_of, '2024-06-30'::date, 'and also after that');
SELECT is((SELECT max(last_day) FROM shop.customer) <= '2024-06-30', true, 'for the rows');
SELECT is((segment.refresh('shop')).as_of, (SELECT max(day) FROM orders), 'until a refresh is given none');
SELECT is((segment.alter_portfolio('shop', settings => '{"margin": 0.6}')).as_of, (SELECT max(day) FROM orders), 'then it is the last purchase day again');
INSERT INTO orders VALUES (1, '2024-12-30', 5);
SELECT is((segment.alter_portfolio('shop', settings => '{"margin": 0.7}')).as_of, '2024-12-30'::date, 'that moves on');

-- ---------- names of schemes and cuts ----------

CREATE FUNCTION public.scheme_name_failure(name text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	wrong bigint;
BEGIN
	PERFORM segment.create_scheme('shop', name, jsonb_build_array(
			jsonb_build_object('class', 'high', 'rule', format('net > %I', 'cut_' || left(name, 10))), jsonb_build_object('class', 'low')),
		jsonb_build_object('cut_' || left(name, 10), 'SELECT avg(net) FROM customers'));
	EXECUTE format('SELECT count(*) FROM shop.customer AS c
		WHERE (c.net > (SELECT avg(net) FROM shop.customer)) <> (c.%I = ''high'')', name) INTO wrong;
	IF wrong > 0 OR (SELECT count(*) FROM segment.explain('shop', 1) AS e WHERE e.scheme = name AND e.class IS NOT NULL) <> 1
		OR (SELECT sum(s.customers) FROM segment.scheme_check('shop', name) AS s) <> 40 THEN
		RETURN 'wrong classes';
	END IF;
	PERFORM segment.take_snapshot('shop');
	PERFORM segment.alter_scheme('shop', name, '[{"class": "all"}]');
	PERFORM segment.drop_scheme('shop', name);
	RETURN NULL;
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END
$$;
SELECT is(public.scheme_name_failure(name), NULL, format('a scheme "%s"', name))
FROM (VALUES ('客户价值'), ('客户_2024'), ('Size'), ('SIZE'), ('größe'), ('_x1'), ('order'), (repeat('客', 21)), (repeat('x', 63))) AS v(name);
SELECT is(public.scheme_name_failure(name), format('22023 invalid name of a scheme: "%s"', name), format('not %s', to_json(name)))
FROM (VALUES (''), ('1st'), ('a b'), ('a-b'), ('a.b'), ('a"b'), ('$1'), ('a' || chr(10)), ('客户 价值')) AS v(name);
SELECT is(public.scheme_name_failure(repeat('客', 22)), format('42622 name of a scheme is too long: "%s"', repeat('客', 22)), 'not cut off');
SELECT throws_ok($$ SELECT segment.create_scheme('shop', 'ok', '[{"class": "a"}]', '{"不 行": "avg(net)"}') $$, '22023', 'invalid name of a cut: "不 行"', 'the same for cuts');

-- ---------- labels in Chinese ----------

-- the words of the users' articles
SELECT set_eq($$ SELECT c.scheme, c.class, c.label_zh FROM shop.class AS c
		WHERE c.scheme IN ('dormancy', 'visit_type', 'usage_class') AND c.class NOT IN ('prospects', 'active', 'returns_only') OR c.scheme = 'hsbc' AND c.class <> 'returns_only' OR c.class IN ('mvc', 'mgc', 'bz') $$,
	$$ VALUES ('dormancy', 'drowsy', '瞌睡客户'), ('dormancy', 'half_asleep', '半睡客户'), ('dormancy', 'asleep', '沉睡客户'),
		('visit_type', 'loyal', '忠诚客户'), ('visit_type', 'flexible', '弹性客户'), ('visit_type', 'lost', '流失客户'),
		('usage_class', 'heavy', '高获利客户'), ('usage_class', 'medium', '中获利客户'), ('usage_class', 'light', '低获利客户'), ('usage_class', 'none', '无获利客户'),
		('hsbc', 'a', 'A类：顶级（高忠诚度，高价值）'), ('hsbc', 'b', 'B类：大中型（低忠诚度，高价值）'), ('hsbc', 'c', 'C类：大中型（高忠诚度，低价值）'),
		('hsbc', 'd', 'D类：小型（低忠诚度，低价值）'), ('hsbc', 'e', 'E类：非活跃客户'), ('hsbc', 'f', 'F类：可能客户'),
		('value_class', 'mvc', 'MVC：最具价值客户'), ('value_class', 'mgc', 'MGC：最具成长性客户'), ('value_class', 'bz', 'BZ：低于零点客户') $$,
	'are those of the glossary');

-- ---------- how customers are named in arguments ----------

-- as text, or as a value of the key's own type
SELECT is((SELECT array_agg(e::text) FROM segment.explain('shop', 7) AS e), (SELECT array_agg(e::text) FROM segment.explain('shop', '7') AS e), 'explain takes a key of any type');
SELECT is_empty($$ SELECT p.proname, p.pronargs FROM pg_proc AS p
	WHERE p.pronamespace = 'segment'::regnamespace AND 'customer' = ANY (p.proargnames[1:p.pronargs]) AND p.proargnames[1] = 'name'
	GROUP BY p.proname, p.pronargs
	HAVING NOT array_agg(p.proargtypes[array_position(p.proargnames, 'customer') - 1]::regtype ORDER BY 1) @> '{text,anynonarray}'::regtype[] $$,
	'and so does every function of a portfolio that takes a customer');
SELECT isnt_empty($$ SELECT FROM pg_proc AS p WHERE p.pronamespace = 'segment'::regnamespace AND p.proargnames[1:2] = '{name,customer}' AND p.proname <> 'explain' $$, 'of which there are others');
CREATE TABLE stays AS SELECT timestamptz '2024-03-01 10:00+02' + n % 5 * interval '1 day' AS guest, date '2024-01-01' + n * 3 AS day, 5 AS amount FROM generate_series(1, 60) AS n;
SELECT segment.create_portfolio('moments', 'SELECT guest, day, amount FROM stays', timezone => 'Asia/Tokyo') IS NOT NULL AS made \gset
SET LOCAL datestyle = 'German';
SELECT is((SELECT count(*) FROM segment.explain('moments', timestamptz '2024-03-02 08:00+00') AS e WHERE e.class IS NOT NULL), (SELECT count(*) FROM moments.scheme), 'whatever the session''s date style is');

SELECT * FROM finish();
ROLLBACK;
