--
-- Classes that depend on one another: rules over other schemes, classes below
-- classes, and what to do by domain
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

SELECT setseed(0.4) \g /dev/null
CREATE TABLE orders AS
SELECT 1 + floor(random() ^ 2 * 300)::integer AS id, date '2024-06-01' - floor(random() ^ 2 * 700)::integer AS at, round((random() * 100 - 5)::numeric, 2) AS amount
FROM generate_series(1, 2500);
CREATE TABLE people AS SELECT n AS id, ('{price,service,trend}'::text[])[1 + n % 3] AS need FROM generate_series(1, 320) AS n;
SELECT segment.create_portfolio('shop', 'SELECT id, at, amount FROM orders', customers => 'SELECT id, need FROM people', timezone => 'UTC') \g /dev/null
CREATE FUNCTION failure(command text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE command;
	RETURN 'none';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END $$;

-- ---------- rules over other schemes ----------

-- three deep, with stay rules; the one in the middle has a higher ordinal than the one that needs it
SELECT segment.create_scheme('shop', 'top', '[{"class": "x", "rule": "net > 0"}, {"class": "y"}]') \g /dev/null
SELECT segment.create_scheme('shop', 'middle', '[{"class": "a", "rule": "next_step = ''best'' AND need <> ''trend''", "stay_rule": "dormancy = ''active''"}, {"class": "b", "rule": "value_class = ''bz'' OR dormancy = ''asleep''"}, {"class": "c"}]') \g /dev/null
SELECT segment.alter_scheme('shop', 'top', '[{"class": "x", "rule": "middle = ''a'' AND abcd < ''d''", "stay_rule": "middle <> ''b''"}, {"class": "y", "rule": "middle = ''b'' OR rfm_segment = ''champions''"}, {"class": "z"}]') \g /dev/null
SELECT segment.take_snapshot('shop', '2024-05-01') \g /dev/null
SELECT is_empty('TABLE shop.customer EXCEPT SELECT * FROM shop.customer_at(''2024-06-01'')', 'kept as computed');
CREATE FUNCTION expected() RETURNS TABLE (customer_id integer, middle text, top text) LANGUAGE sql AS $$
	SELECT c.customer_id, m.middle, CASE WHEN m.middle = 'a' AND c.abcd < 'd' OR s.classes ->> 'top' = 'x' AND m.middle <> 'b' THEN 'x'
		WHEN m.middle = 'b' OR c.rfm_segment = 'champions' THEN 'y' ELSE 'z' END
	FROM shop.customer AS c
	LEFT JOIN shop.snapshot_customer AS s USING (customer_id)
	CROSS JOIN LATERAL (SELECT CASE WHEN c.next_step = 'best' AND c.need <> 'trend' OR s.classes ->> 'middle' = 'a' AND c.dormancy = 'active' THEN 'a'
		WHEN c.value_class = 'bz' OR c.dormancy = 'asleep' THEN 'b' ELSE 'c' END AS middle) AS m $$;
SELECT bag_eq('SELECT customer_id, middle, top FROM shop.customer', 'SELECT * FROM expected()', 'the classes are those of the rules, with those of other schemes and of the snapshot');
SELECT isnt((SELECT count(DISTINCT (middle, top)) FROM shop.customer), 1::bigint, 'which are several');
SELECT cmp_ok((SELECT count(*) FROM shop.kept_customer WHERE kept_from ? 'top'), '=', (SELECT count(*) FROM shop.customer AS c JOIN shop.snapshot_customer AS s USING (customer_id)
	WHERE c.top = 'x' AND NOT (c.middle = 'a' AND c.abcd < 'd')), 'and who is kept is known');
SELECT is((SELECT count(*) FROM segment.explain('shop', 3) WHERE scheme = 'top' AND figures ~ 'middle = [abc]'), 1::bigint, 'explain shows the class in the other scheme');
SELECT is((SELECT string_agg(class || customers, ' ' ORDER BY class) FROM segment.scheme_check('shop', 'top')), (SELECT string_agg(top || n, ' ' ORDER BY top) FROM (SELECT top, count(*) AS n FROM shop.customer GROUP BY top) AS c), 'and scheme_check counts');
SELECT is((SELECT sum(customers)::bigint FROM shop.monthly_migration('2024-03-01', '2024-05-31', 'top') WHERE day = '2024-05-31'), (SELECT count(*) FROM shop.customer_at('2024-05-31')), 'in many days');

SELECT is(failure(command), expected, command) FROM (VALUES
	($$ SELECT segment.alter_scheme('shop', 'middle', '[{"class": "a", "rule": "top = ''x''"}, {"class": "b"}]') $$, '42P19 rules of a scheme must not depend on the scheme itself: middle, top'),
	($$ SELECT segment.alter_scheme('shop', 'middle', '[{"class": "a", "rule": "net > 0", "stay_rule": "top = ''x''"}, {"class": "b"}]') $$, '42P19 rules of a scheme must not depend on the scheme itself: middle, top'),
	($$ SELECT segment.alter_scheme('shop', 'top', '[{"class": "a", "rule": "top = ''x''"}, {"class": "b"}]') $$, '42P19 rules of a scheme must not depend on the scheme itself: top'),
	($$ SELECT segment.drop_scheme('shop', 'middle') $$, '2BP01 cannot drop scheme "middle" because scheme "top" depends on it'),
	($$ SELECT segment.drop_scheme('shop', 'rfm_segment') $$, '2BP01 cannot drop scheme "rfm_segment" because scheme "top" depends on it')) AS v(command, expected);
SELECT bag_eq('SELECT customer_id, middle, top FROM shop.customer', 'SELECT * FROM expected()', 'nothing has changed');
-- by hand
UPDATE shop.scheme_class SET rule = 'middle = ''a''', stay_rule = NULL WHERE scheme = 'top' AND class = 'x';
SELECT segment.alter_portfolio('shop') \g /dev/null
SELECT is((SELECT mentions FROM shop.scheme_class WHERE scheme = 'top' AND class = 'x'), '{middle}', 'what a rule that was changed by hand names is known, too');
SELECT is((SELECT count(*) FROM shop.customer WHERE (top = 'x') <> (middle = 'a')), 0::bigint, 'and it has its effect');
SELECT segment.drop_scheme('shop', 'top') \g /dev/null
SELECT segment.drop_scheme('shop', 'middle') \g /dev/null

-- ---------- classes below classes ----------

SELECT segment.create_scheme('shop', 'needs', '[
	{"class": "mvc_price", "rule": "value_class = ''mvc'' AND need = ''price''", "parent": "mvc"},
	{"class": "mvc_service_new", "rule": "value_class = ''mvc'' AND need = ''service'' AND tenure_days < 400", "parent": "mvc_service"},
	{"class": "mvc_service", "rule": "value_class = ''mvc'' AND need = ''service''", "parent": "mvc"},
	{"class": "mvc", "rule": "value_class = ''mvc''"},
	{"class": "rest"}]') \g /dev/null
CREATE FUNCTION rolled() RETURNS TABLE (class text, level integer, classes bigint, customers bigint, buyers bigint, net numeric, net_value numeric, clv numeric, share numeric, net_share numeric, clv_share numeric) LANGUAGE sql AS $$
	SELECT v.class, v.level, cardinality(v.members)::bigint, count(c.customer_id), count(*) FILTER (WHERE c.orders > 0), sum(c.net), sum(c.net_value), round(sum(c.clv)::numeric, 6),
		round(count(*)::numeric / (SELECT count(*) FROM shop.customer), 12), round(sum(c.net) / (SELECT sum(net) FROM shop.customer), 12), round((sum(c.clv) / (SELECT sum(clv) FROM shop.customer))::numeric, 12)
	FROM (VALUES ('mvc_price', 1, '{mvc_price}'::text[]), ('mvc_service_new', 2, '{mvc_service_new}'), ('mvc_service', 1, '{mvc_service,mvc_service_new}'),
		('mvc', 0, '{mvc,mvc_price,mvc_service,mvc_service_new}'), ('rest', 0, '{rest}')) AS v(class, level, members)
	JOIN shop.customer AS c ON c.needs = ANY (v.members)
	GROUP BY v.class, v.level, v.members $$;
SELECT bag_eq($$ SELECT class, level, classes, customers, buyers, net, net_value, round(clv::numeric, 6) AS clv, round(share::numeric, 12) AS share, round(net_share::numeric, 12) AS net_share, round(clv_share::numeric, 12) AS clv_share
	FROM shop.segment_rollup WHERE scheme = 'needs' $$, 'SELECT * FROM rolled()', 'segment_rollup adds up');
SELECT is_empty($$ SELECT s.scheme, s.class FROM shop.segment_summary AS s JOIN shop.segment_rollup AS r USING (scheme, class)
	WHERE s.scheme <> 'needs' AND (s.customers, s.gross, s.refunded, s.net, s.margin, s.cost, s.net_value, s.profit, round(s.clv::numeric, 6), s.share, s.net_share, s.profit_share, round(s.clv_share::numeric, 12))
		IS DISTINCT FROM (r.customers, r.gross, r.refunded, r.net, r.margin, r.cost, r.net_value, r.profit, round(r.clv::numeric, 6), r.share, r.net_share, r.profit_share, round(r.clv_share::numeric, 12)) $$, 'where nothing is below, it is segment_summary');
SELECT is((SELECT sum(customers)::bigint FROM shop.segment_rollup WHERE scheme = 'needs' AND level = 0), (SELECT count(*) FROM shop.customer), 'those of level 0 are everybody');
SELECT results_eq($$ SELECT class, parent FROM shop.class WHERE scheme = 'needs' ORDER BY class_rank $$, $$ VALUES ('mvc_price', 'mvc'), ('mvc_service_new', 'mvc_service'), ('mvc_service', 'mvc'), ('mvc', NULL), ('rest', NULL) $$, 'class tells the one above');
SELECT is(failure(format($$ SELECT segment.alter_scheme('shop', 'needs', %L) $$, classes)), expected, classes) FROM (VALUES
	('[{"class": "a", "rule": "net > 0", "parent": "c"}, {"class": "b"}]', '22023 parent of class "a" in scheme "needs" is not a class of the scheme: "c"'),
	('[{"class": "a", "rule": "net > 0", "parent": "a"}, {"class": "b"}]', '42P19 class "a" in scheme "needs" is above itself'),
	('[{"class": "a", "rule": "net > 0", "parent": "b"}, {"class": "b", "parent": "a"}]', '42P19 class "a" in scheme "needs" is above itself'),
	('[{"class": "a", "rule": "net > 0", "parent": 5}, {"class": "b"}]', '22023 key "parent" of class "a" in scheme "needs" must be a string, not 5')) AS v(classes, expected);
SELECT segment.alter_scheme('shop', 'needs', '[{"class": "mvc_price", "rule": "need = ''price''"}, {"class": "mvc_service", "rule": "need = ''service''", "parent": null}, {"class": "mvc_service_new", "rule": "false"}, {"class": "mvc"}]') \g /dev/null
SELECT results_eq($$ SELECT class, parent FROM shop.class WHERE scheme = 'needs' ORDER BY class_rank $$, $$ VALUES ('mvc_price', 'mvc'), ('mvc_service', NULL), ('mvc_service_new', 'mvc_service'), ('mvc', NULL) $$, 'alter_scheme leaves what is not given');
SELECT segment.alter_scheme('shop', 'needs', '[{"class": "mvc_price", "rule": "need = ''price''"}, {"class": "rest"}]') \g /dev/null
SELECT is((SELECT parent FROM shop.class WHERE scheme = 'needs' AND class = 'mvc_price'), NULL, 'but for a class above that is no more');
UPDATE shop.scheme_class SET parent = 'nobody' WHERE scheme = 'needs' AND class = 'mvc_price';
SELECT throws_ok($$ SELECT segment.alter_portfolio('shop') $$, '22023', 'parent of class "mvc_price" in scheme "needs" is not a class of the scheme: "nobody"', 'also by hand');
UPDATE shop.scheme_class SET parent = NULL WHERE scheme = 'needs';

-- ---------- actions by domain ----------

SELECT segment.create_scheme('shop', 'lead', '[
	{"class": "good", "rule": "net > 200", "action": "Call.", "owner": "Ada", "domains": {"handset": {"action": "Offer the new model.", "action_zh": "推荐新机", "priority": 1}, "roaming": {"action": "Offer a day pass.", "priority": 3}}},
	{"class": "other", "rule": "net > 50", "domains": {"data": {"action": "Offer more data.", "priority": 2}}},
	{"class": "rest"}]') \g /dev/null
SELECT is_empty('TABLE shop.customer_domain_action', 'another scheme leads');
SELECT segment.alter_portfolio('shop', settings => '{"leading_scheme": "lead"}') \g /dev/null
SELECT bag_eq('SELECT customer_id, domain, class, owner, priority, action, action_zh, may_contact FROM shop.customer_domain_action', $$
	SELECT c.customer_id, v.domain, v.class, v.owner, v.priority, v.action, v.action_zh, true AS may_contact
	FROM shop.customer AS c
	JOIN (VALUES ('handset', 'good', 'Ada', 1, 'Offer the new model.', '推荐新机'), ('roaming', 'good', 'Ada', 3, 'Offer a day pass.', NULL), ('data', 'other', NULL, 2, 'Offer more data.', NULL))
		AS v(domain, class, owner, priority, action, action_zh) ON v.class = CASE WHEN c.net > 200 THEN 'good' WHEN c.net > 50 THEN 'other' END $$, 'a row for each customer and domain');
SELECT is((SELECT count(*) FROM shop.customer_action), (SELECT count(*) FROM shop.customer), 'and still one action for each customer');
SELECT segment.alter_scheme('shop', 'lead', '[
	{"class": "good", "rule": "net > 300", "domains": {"roaming": {"action_zh": "日包"}, "data": {"action": "Offer all.", "priority": 4}}},
	{"class": "other", "rule": "net > 50", "domains": {"data": null}},
	{"class": "rest"}]') \g /dev/null
SELECT results_eq('SELECT class, domain, priority, action, action_zh FROM shop.scheme_domain ORDER BY class, domain', $$ VALUES
	('good', 'data', 4, 'Offer all.', NULL), ('good', 'handset', 1, 'Offer the new model.', '推荐新机'), ('good', 'roaming', 3, 'Offer a day pass.', '日包') $$, 'alter_scheme leaves what is not given');
SELECT segment.alter_scheme('shop', 'lead', '[{"class": "good", "rule": "net > 300", "domains": null}, {"class": "rest"}]') \g /dev/null
SELECT is_empty('TABLE shop.scheme_domain', 'null takes them away');
SELECT is(failure(format($$ SELECT segment.alter_scheme('shop', 'lead', '[{"class": "good", "domains": %s}]') $$, domains)),
	format('22023 domains of class "good" in scheme "lead" must be a JSON object of objects with the keys action, action_zh and priority, not %s', domains), domains)
FROM unnest('{"[]","5","{\"a\": 5}","{\"a\": {\"word\": \"x\"}}","{\"a\": {\"priority\": \"x\"}}","{\"a\": {\"action\": 5}}","{\"\": {}}"}'::text[]) AS domains;
-- the middle of value_class, when it is divided
INSERT INTO shop.scheme_domain VALUES ('value_class', 'middle', 'data', 2, 'Offer data.');
SELECT segment.alter_portfolio('shop', settings => '{"value_middle_classes": 3}') \g /dev/null
SELECT results_eq('SELECT class, action FROM shop.scheme_domain ORDER BY class', $$ VALUES ('middle_1', 'Offer data.'), ('middle_2', 'Offer data.'), ('middle_3', 'Offer data.') $$, 'domains of a class that is divided are those of its parts');
SELECT segment.alter_portfolio('shop', settings => '{"value_middle_classes": null}') \g /dev/null
SELECT results_eq('SELECT class, action FROM shop.scheme_domain ORDER BY class', $$ VALUES ('middle', 'Offer data.') $$, 'and back');

SELECT * FROM finish();
ROLLBACK;
