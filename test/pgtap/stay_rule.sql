--
-- Stay rules: entry and exit limits of classes, against a simulation that
-- goes from snapshot to snapshot; what asks for no stay rule is left alone
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
SELECT plan(99);

CREATE SCHEMA stay_test;
SET search_path = stay_test, public;

CREATE FUNCTION plan_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	line text;
	result text := '';
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
		result := result || line || E'\n';
	END LOOP;
	RETURN result;
END
$$;
\set failure_form parts
\ir ../helpers.sql
-- The definitions of a portfolio's view customer and function customer_at.
CREATE FUNCTION definitions(portfolio text) RETURNS text LANGUAGE sql AS $$
	SELECT pg_get_viewdef(format('%I.customer', portfolio)::regclass)
		|| pg_get_functiondef(format('%I.customer_at(date)', portfolio)::regprocedure)
$$;

-- ---------- one customer at the border ----------

-- Customer 1: net 900, 1000, 850, 799, 900, 1000, 800 at the ends of January to
-- July. 2 has 850 from March on, 3 always 1200, 4 has 1000 in August only.
CREATE TABLE border (id integer, day date, amount numeric);
INSERT INTO border VALUES (1, '2024-01-10', 900), (1, '2024-02-10', 100), (1, '2024-03-10', -150), (1, '2024-04-10', -51),
	(1, '2024-05-10', 101), (1, '2024-06-10', 100), (1, '2024-07-10', -200),
	(2, '2024-03-20', 850), (3, '2024-01-01', 1200), (4, '2024-08-01', 1000), (4, '2024-08-31', -100), (3, '2024-08-31', 1);
SELECT is((segment.create_portfolio('border', 'TABLE border')).as_of, date '2024-08-31', 'a portfolio');
SELECT ok(definitions('border') !~ 'snapshot|held', 'without stay rules the customers'' queries read no snapshots');
SELECT md5(definitions('border')) AS plain \gset
SELECT is((segment.take_snapshot('border', '2023-12-31')).schemes, 12::bigint, 'a snapshot from before the scheme');
SELECT is((segment.create_scheme('border', 'tier', '[
	{"class": "gold", "rule": "net >= 1000 -- to enter", "stay_rule": "net >= 800 -- to stay", "label": "Gold"},
	{"class": "base"}]')).customers, 4::bigint, 'gold: entry limit 1000, exit limit 800');
SELECT is((SELECT string_agg(concat_ws(': ', class, rule, stay_rule), '; ' ORDER BY class_rank) FROM border.class WHERE scheme = 'tier'),
	'gold: net >= 1000 -- to enter: net >= 800 -- to stay; base', 'the view class shows both');

-- The classes of a day, in order of the key; "." is not known then.
CREATE FUNCTION tiers(day date) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(coalesce(left(c.tier, 1), '.'), '' ORDER BY g) FROM generate_series(1, 4) AS g
	LEFT JOIN border.customer_at(day) AS c ON c.customer_id = g
$$;
CREATE TABLE month AS SELECT (date '2024-01-01' + n * interval '1 month')::date - 1 AS day, n FROM generate_series(1, 8) AS n;
SELECT is(string_agg(tiers(day), ' ' ORDER BY day), 'b.g. g.g. bbg. bbg. bbg. gbg. bbg. bbgb', 'no snapshot with the scheme: the rule alone')
FROM month;
CREATE TABLE taken (day date, said text, report segment.snapshot_report);
DO $$
DECLARE
	d date;
BEGIN
	FOR d IN SELECT day FROM month ORDER BY day LOOP
		INSERT INTO taken VALUES (d, tiers(d));
		UPDATE taken SET report = segment.take_snapshot('border', d) WHERE day = d;
	END LOOP;
END
$$;
SELECT is(string_agg(said, ' ' ORDER BY day), 'b.g. g.g. gbg. bbg. bbg. gbg. gbg. gbgb',
	'in at 1000, stays at 850, out at 799, not back at 900, in again at 1000, stays at exactly 800; 850 does not enter')
FROM taken;
SELECT is(string_agg(tiers(day), ' ' ORDER BY day), (SELECT string_agg(said, ' ' ORDER BY day) FROM taken),
	'a snapshot does not change what its own day says') FROM month;
SELECT is_empty($$ SELECT t.day, c.customer_id FROM taken AS t, border.customer_at(t.day) AS c
	LEFT JOIN border.snapshot_customer AS p ON p.customer_id = c.customer_id
	WHERE p.as_of = t.day AND p.classes ->> 'tier' IS DISTINCT FROM c.tier $$, 'and holds that');
SELECT is(tiers('2024-03-01') || ' ' || tiers('2024-02-29') || ' ' || tiers('2024-04-10') || ' ' || tiers('2024-04-09') || ' ' || tiers('2024-08-30'),
	'g.g. g.g. bbg. gbg. gbgg', 'days between snapshots go by the last one before; who enters after it, by the rule');
SELECT results_eq('SELECT customer_id, tier FROM border.customer ORDER BY 1', $$ VALUES (1, 'gold'), (2, 'base'), (3, 'gold'), (4, 'base') $$,
	'so does the view customer');
SELECT is(string_agg(format('%s %s-%s %s', m.day, from_class, to_class, customers), ', ' ORDER BY m.day, from_class, to_class),
	'2024-02-29 base-gold 1, 2024-04-30 gold-base 1, 2024-06-30 base-gold 1', 'monthly_migration tells of three moves')
FROM border.monthly_migration('2024-01-31', '2024-07-31', 'tier') AS m WHERE from_class <> to_class;
SELECT results_eq($$ SELECT * FROM border.monthly_migration('2024-01-31', '2024-08-31', 'tier') ORDER BY day, from_class, to_class $$,
	$$ SELECT a.day, b.day, m.from_class, m.to_class, m.customers, m.net_from, m.net_to, m.net_change
	FROM month AS a JOIN month AS b ON b.n = a.n + 1 CROSS JOIN LATERAL border.migration(a.day, b.day, 'tier') AS m ORDER BY 2, 3, 4 $$,
	'as migration does from the snapshots');
SELECT results_eq($$ SELECT customer_id, from_class, to_class FROM border.movers('2024-05-31', '2024-08-30', 'tier') ORDER BY 1 $$,
	$$ VALUES (1, 'base', 'gold'), (4, NULL, 'gold') $$, 'movers from a snapshot to a day that is computed');

-- snapshots taken away and replaced
SAVEPOINT away;
DELETE FROM border.snapshot WHERE as_of >= '2024-06-30';
SELECT is(tiers('2024-07-31') || ' ' || tiers('2024-08-30'), 'bbg. bbgg', 'without the snapshots since June customer 1 has held nothing since');
SELECT is((segment.take_snapshot('border', '2024-07-31')).replaced, false, 'a snapshot of July alone');
SELECT is(tiers('2024-08-31'), 'bbgb', 'holds that');
ROLLBACK TO away;
SELECT is((segment.take_snapshot('border', '2024-07-31')).replaced, true, 'the snapshot of July again');
SELECT is(tiers('2024-08-31'), 'gbgb', 'says what it said');
INSERT INTO border VALUES (1, '2024-06-20', -1);
SELECT is((segment.refresh('border')).customers_changed, 1::bigint, 'an order of June that becomes known later');
SELECT is(tiers('2024-06-30'), 'bbg.', 'changes June');
SELECT is(tiers('2024-08-31'), 'bbgb', 'and August, since 799 is below the exit limit');
UPDATE border SET amount = 0 WHERE day = '2024-06-20';
SELECT is((segment.refresh('border')).customers_changed, 1::bigint, 'and is taken back');
SELECT is(tiers('2024-08-31'), 'gbgb', 'gold again: what was held was not forgotten');

-- a later snapshot without the scheme: nothing is known of what was held
SAVEPOINT away;
UPDATE border.snapshot_customer SET classes = classes - 'tier' WHERE as_of = '2024-07-31';
SELECT is(tiers('2024-08-31'), 'bbgb', 'a last snapshot without the scheme: the rule alone');
DELETE FROM border.snapshot_customer WHERE as_of = '2024-07-31' AND customer_id = 1;
SELECT is(tiers('2024-08-31'), 'bbgb', 'or without the customer');
ROLLBACK TO away;

-- ---------- explain and scheme_check ----------

SELECT is((SELECT concat_ws(' | ', class, rule, figures, kept_from, better_class) FROM segment.explain('border', '1') WHERE scheme = 'tier'),
	'gold | net >= 800 -- to stay | net = 800 | 2024-07-31', 'explain: kept by the stay rule, in the class since a snapshot');
SELECT is((SELECT concat_ws(' | ', class, rule, figures, kept_from) FROM segment.explain('border', '3') WHERE scheme = 'tier'),
	'gold | net >= 1000 -- to enter | net = 1201', 'explain: in by the rule, also who was in before');
SELECT is((SELECT concat_ws(' | ', class, rule, figures, kept_from, better_class, change) FROM segment.explain('border', '4') WHERE scheme = 'tier'),
	'base | (no other rule is true) | net = 900 | gold | 1 more order of 1000.00 on 2024-08-31', 'explain: not in');
SELECT is((SELECT count(*) FROM segment.explain('border', '1') WHERE kept_from IS NOT NULL), 1::bigint, 'explain: other schemes keep nobody');
SELECT results_eq($$ SELECT class, customers, kept, cells, hidden, verdict FROM segment.scheme_check('border', 'tier') $$,
	$$ VALUES ('gold', 2::bigint, 1::bigint, NULL::bigint, NULL::bigint, 'ok'), ('base', 2, NULL, NULL, NULL, 'ok') $$, 'scheme_check: one of two is kept');
SELECT is((SELECT count(kept) FROM segment.scheme_check('border', 'abcd')), 0::bigint, 'scheme_check: a scheme without stay rules keeps nobody');

-- limits the wrong way round
SELECT is((segment.alter_scheme('border', 'tier', '[{"class": "gold", "rule": "net >= 800", "stay_rule": "net >= 1000"}, {"class": "base"}]')).customers,
	4::bigint, 'entry limit 800, exit limit 1000');
SELECT is(tiers('2024-08-31'), 'gggg', 'who meets the rule is in');
SELECT results_eq($$ SELECT class, customers, kept, verdict FROM segment.scheme_check('border', 'tier') $$,
	$$ VALUES ('gold', 4::bigint, 0::bigint, '3 of the customers for whom the rule is true do not meet the stay rule'), ('base', 0, NULL, 'no customer is in this class now') $$,
	'scheme_check warns');

-- a class by another name was never held
SELECT is((segment.alter_scheme('border', 'tier', '[{"class": "platinum", "rule": "net >= 1000", "stay_rule": "net >= 800"}, {"class": "base"}]')).customers,
	4::bigint, 'the class is renamed');
SELECT is(tiers('2024-08-31'), 'bbpb', 'and nobody was in it');

-- without stay rules everything is as before
SELECT is((segment.alter_scheme('border', 'tier', '[{"class": "gold", "rule": "net >= 1000"}, {"class": "base"}]')).customers, 4::bigint, 'no stay rule any more');
SELECT is(tiers('2024-08-31'), 'bbgb', 'the rule alone');
SELECT ok(definitions('border') !~ 'snapshot|held', 'and the queries read no snapshots');
SELECT is((segment.create_scheme('border', 'other', '[{"class": "gold", "rule": "net >= 1000", "stay_rule": "true"}, {"class": "base"}]')).customers, 4::bigint, 'a stay rule in another scheme');
SELECT ok(definitions('border') ~ 'snapshot', 'now they do');
SELECT is((SELECT string_agg(left(tier, 1) || left(other, 1), ' ' ORDER BY customer_id) FROM border.customer), 'bb bb gg bb', 'a scheme that is in no snapshot: the rule alone');
SELECT segment.drop_scheme('border', 'other') IS NOT NULL, segment.drop_scheme('border', 'tier') IS NOT NULL \g /dev/null
SELECT is(md5(definitions('border')), :'plain', 'without the schemes the queries are the first ones');

-- rules on scores: the cells are those of the rules to enter
SELECT is((segment.create_scheme('border', 'scores', '[{"class": "a", "rule": "m_score >= 4", "stay_rule": "m_score >= 3 AND net > 5"},
	{"class": "b", "rule": "m_score = 5", "stay_rule": "m_score >= 2"}, {"class": "c", "rule": "m_score = 3"}, {"class": "d"}]')).customers, 4::bigint, 'rules on scores');
SELECT results_eq($$ SELECT class, kept, cells, hidden, verdict FROM segment.scheme_check('border', 'scores') $$,
	$$ VALUES ('a', 0::bigint, 50::bigint, 0::bigint, 'ok'), ('b', 0, 0, 25, 'earlier rules take every score cell of this class'),
		('c', NULL, 25, 0, 'ok'), ('d', NULL, 50, 0, 'default class also takes score cells that no rule covers') $$,
	'a stay rule gives a class no score cells');

-- ---------- what is refused ----------

CREATE FUNCTION refused(stay_rule text) RETURNS text LANGUAGE sql AS $$
	SELECT pg_temp.failure(format('SELECT segment.create_scheme(''border'', ''refused'', %L)',
		jsonb_build_array(jsonb_build_object('class', 'a', 'rule', 'net > 5', 'stay_rule', stay_rule), '{"class": "b"}'::jsonb)))
$$;
SELECT is(refused('nosuch > 5'), '42703 | stay rule of class "a" in scheme "refused": column "nosuch" does not exist | The stay rule is: nosuch > 5 | '
	'A rule is a condition over columns of the view customer, settings (view segment.setting) and cuts of the scheme.', 'an unknown column');
SELECT is(refused('net'), '42804 | stay rule of class "a" in scheme "refused" must be a condition: true or false | The stay rule is: net | '
	'A rule is a condition over columns of the view customer, settings (view segment.setting) and cuts of the scheme.', 'no condition');
SELECT matches(refused('net > '), '^42601 \| stay rule of class "a" in scheme "refused": syntax error', 'syntax');
SELECT matches(refused('true) OR (true'), '^42601 \| stay rule of class "a"', 'parentheses that close ours');
SELECT matches(refused('true; DROP TABLE border'), '^42601 \| stay rule of class "a"', 'two statements');
SELECT matches(refused(''), '^42601 \| stay rule of class "a"', 'nothing');
SELECT matches(refused('net > (SELECT 1)'), '^22023 \| stay rule of class "a" in scheme "refused" must not look beyond the customer', 'a query');
SELECT matches(refused('net > sum(net)'), '^22023 \| stay rule of class "a" in scheme "refused" must not look beyond the customer', 'an aggregate');
SELECT matches(refused('random() < 0.5'), '^22023 \| stay rule of class "a" in scheme "refused" must not call functions that are not immutable', 'chance');
SELECT matches(refused('"held on" IS NULL'), '^42703 \| stay rule of class "a"', 'the snapshot itself');
-- customer 2 has never given anything back
SELECT is(refused('1 / refunded > 0'), '22012 | a rule of scheme "refused" fails for a customer: division by zero | '
	'Customers without orders have the counts and sums 0, and NULL elsewhere. Divide by nullif(orders, 0), for instance.', 'an error for a customer, who is not in the class');
SELECT is(pg_temp.failure($$ SELECT segment.create_scheme('border', 'refused', '[{"class": "a", "rule": "net > 5"}, {"class": "b", "stay_rule": "net > 4"}]') $$),
	'22023 | class "b" in scheme "refused" has a stay rule but no rule | The class without a rule takes everybody who is in no other, so nobody needs to be kept in it.',
	'a stay rule of the default class');
SELECT matches(pg_temp.failure($$ SELECT segment.create_scheme('border', 'refused', '[{"class": "a", "rule": "net > 5", "stay_rule": 5}, {"class": "b"}]') $$),
	'^22023 \| key "stay_rule" of class "a" in scheme "refused" must be a string, not 5', 'a number');
SELECT matches(pg_temp.failure($$ SELECT segment.create_scheme('border', 'refused', '[{"class": "a", "rule": "net > 5", "stayrule": "true"}, {"class": "b"}]') $$),
	'The keys are class, rule, stay_rule, label', 'the hint names the key');
SELECT matches(pg_temp.failure($$ UPDATE border.scheme_class SET stay_rule = 'true' WHERE scheme = 'abcd' $$),
	'^23514 \| .*"default_class_has_no_stay_rule"', 'nor can the table say so');
SELECT is((SELECT count(*) FROM border.scheme_class WHERE scheme = 'refused'), 0::bigint, 'nothing is left behind');

-- ---------- from snapshot to snapshot, against a simulation ----------

SELECT setseed(0.4);
-- refunds only, one order, many; some begin late; keys are text
CREATE TABLE sim AS
SELECT 'c' || i AS id, date '2023-01-01' + begun + (random() * (480 - begun))::integer AS day,
	CASE WHEN random() < 0.2 THEN -round((random() * 90)::numeric, 2) ELSE round((random() * 80)::numeric, 2) END AS amount
FROM (SELECT i, (random() * 400)::integer AS begun, 1 + (random() * random() * 25)::integer AS events FROM generate_series(1, 500) AS i OFFSET 0) AS c
CROSS JOIN LATERAL generate_series(1, events);
SELECT is((segment.create_portfolio('sim', 'TABLE sim', customers => 'SELECT ''c'' || generate_series(480, 520)')).customers, 520::bigint, 'a portfolio by chance');
CREATE TABLE before AS SELECT d.day, c.* FROM (VALUES (date '2023-05-31'), ('2024-04-01')) AS d(day) CROSS JOIN LATERAL sim.customer_at(d.day) AS c;
-- three classes with limits, the best with two measures and a cut, and one without
CREATE TABLE classes AS SELECT $$[
	{"class": "gold", "rule": "net >= 1.5 * usual_net AND days_since_last <= 60", "stay_rule": "net >= usual_net AND days_since_last <= 90"},
	{"class": "silver", "rule": "net >= usual_net AND days_since_last <= 80", "stay_rule": "net >= 0.7 * usual_net AND days_since_last <= 150 OR orders >= 12"},
	{"class": "fresh", "rule": "tenure_days < 30"},
	{"class": "low", "rule": "net < 30", "stay_rule": "net < 60"},
	{"class": "base"}]$$::jsonb AS tier;
SELECT is((segment.create_scheme('sim', 'tier', tier, '{"usual_net": "SELECT round(avg(net), 2) FROM customers WHERE orders > 0"}')).customers, 520::bigint, 'a scheme with limits')
FROM classes;
-- a name of 63 characters
SELECT is((segment.create_scheme('sim', repeat('x', 63), '[{"class": "on", "rule": "days_since_last <= 20", "stay_rule": "days_since_last <= 45"}, {"class": "off"}]')).customers,
	520::bigint, 'another scheme with limits');
SELECT cuts ->> 'usual_net' AS usual_net FROM sim.scorecard ORDER BY scorecard_id DESC LIMIT 1 \gset

-- days that are kept, and days between
CREATE TABLE day AS
SELECT date '2023-01-20' + 23 * n AS day, true AS kept FROM generate_series(0, 18) AS n
UNION ALL SELECT date '2023-01-25' + 61 * n, false FROM generate_series(0, 7) AS n;
CREATE TABLE expected (day date, id text, tier text, pace text, by_stay boolean);
DO $$
DECLARE
	d record;
	p record;
	held_tier text;
	held_pace text;
	last_day date;
	usual_net numeric := (SELECT cuts ->> 'usual_net' FROM sim.scorecard ORDER BY scorecard_id DESC LIMIT 1);
	tier text;
	pace text;
BEGIN
	FOR d IN SELECT * FROM day ORDER BY day LOOP
		SELECT max(k.day) INTO last_day FROM day AS k WHERE k.kept AND k.day < d.day;
		FOR p IN
			SELECT k.id, coalesce(sum(s.amount), 0) AS net, count(*) FILTER (WHERE s.amount >= 0) AS orders,
				d.day - max(s.day) FILTER (WHERE s.amount >= 0) AS ago, d.day - min(s.day) FILTER (WHERE s.amount >= 0) AS tenure
			FROM (SELECT DISTINCT id FROM sim UNION SELECT 'c' || generate_series(480, 520)) AS k
			LEFT JOIN sim AS s ON s.id = k.id AND s.day <= d.day
			GROUP BY k.id HAVING count(s.id) > 0 OR substr(k.id, 2)::integer >= 480
		LOOP
			SELECT e.tier, e.pace INTO held_tier, held_pace FROM expected AS e WHERE e.id = p.id AND e.day = last_day;
			IF p.net >= 1.5 * usual_net AND p.ago <= 60 THEN tier := 'gold';
			ELSIF held_tier = 'gold' AND p.net >= usual_net AND p.ago <= 90 THEN tier := 'gold';
			ELSIF p.net >= usual_net AND p.ago <= 80 THEN tier := 'silver';
			ELSIF held_tier = 'silver' AND (p.net >= 0.7 * usual_net AND p.ago <= 150 OR p.orders >= 12) THEN tier := 'silver';
			ELSIF p.tenure < 30 THEN tier := 'fresh';
			ELSIF p.net < 30 THEN tier := 'low';
			ELSIF held_tier = 'low' AND p.net < 60 THEN tier := 'low';
			ELSE tier := 'base';
			END IF;
			pace := CASE WHEN p.ago <= 20 OR held_pace = 'on' AND p.ago <= 45 THEN 'on' ELSE 'off' END;
			INSERT INTO expected VALUES (d.day, p.id, tier, pace, tier = 'gold' AND NOT (p.net >= 1.5 * usual_net AND p.ago <= 60)
				OR tier = 'silver' AND NOT (p.net >= usual_net AND p.ago <= 80) OR tier = 'low' AND p.net >= 30);
		END LOOP;
	END LOOP;
END
$$;
SELECT ok(count(*) >= 30, tier || ': enough are kept by the stay rule') FROM expected WHERE by_stay GROUP BY tier ORDER BY tier;
SELECT is((SELECT count(DISTINCT tier) FROM expected WHERE by_stay), 3::bigint, 'in three classes');
CREATE TABLE found AS SELECT NULL::date AS day, NULL::boolean AS stored, * FROM sim.customer WHERE false;
DO $$
DECLARE
	d record;
BEGIN
	FOR d IN SELECT * FROM day ORDER BY day LOOP
		INSERT INTO found SELECT d.day, false, c.* FROM sim.customer_at(d.day) AS c;
		IF d.kept THEN
			PERFORM segment.take_snapshot('sim', d.day);
		END IF;
	END LOOP;
END
$$;
SELECT is((SELECT count(*) FROM found), (SELECT count(*) FROM expected), 'as many customers and days as simulated');
SELECT is_empty(format($$ SELECT e.*, f.tier, f.%1$I FROM expected AS e LEFT JOIN found AS f ON f.day = e.day AND f.customer_id = e.id
	WHERE f.tier IS DISTINCT FROM e.tier OR f.%1$I IS DISTINCT FROM e.pace $$, repeat('x', 63)), 'customer_at gives the class of the simulation');
SELECT is_empty(format($$ SELECT e.day, e.id FROM expected AS e JOIN day AS d ON d.day = e.day AND d.kept
	LEFT JOIN sim.snapshot_customer AS p ON p.as_of = e.day AND p.customer_id = e.id
	WHERE p.classes ->> 'tier' IS DISTINCT FROM e.tier OR p.classes ->> %L IS DISTINCT FROM e.pace $$, repeat('x', 63)), 'so do the snapshots');
SELECT is((SELECT count(*) FROM sim.snapshot_customer), (SELECT count(*) FROM expected JOIN day USING (day) WHERE kept), 'of all customers');
SELECT is_empty($$ SELECT f.day FROM found AS f LEFT JOIN sim.class AS k ON k.scheme = 'tier' AND k.class = f.tier
	WHERE f.day IS NULL OR k.class IS NULL UNION ALL SELECT day FROM found GROUP BY day, customer_id HAVING count(*) <> 1 $$, 'each customer is in one class');
SELECT set_eq($$ SELECT d.day, to_jsonb(c) FROM day AS d CROSS JOIN LATERAL sim.customer_at(d.day) AS c $$,
	$$ SELECT f.day, to_jsonb(f) - 'day' - 'stored' FROM found AS f $$, 'all days in one query, later, give the same');
SELECT set_eq($$ SELECT day_before, day, from_class, to_class, customers, net_from, net_to FROM sim.monthly_migration('2023-05-15', '2024-04-10', 'tier') $$,
	$$ WITH e AS (SELECT m.day, lag(m.day) OVER (ORDER BY m.day) AS before
			FROM (SELECT (date '2023-06-01' + n * interval '1 month')::date - 1 FROM generate_series(0, 10) AS n
			UNION VALUES (date '2023-05-15'), ('2024-04-10')) AS m(day))
		SELECT e.before, e.day, f.tier AS from_class, t.tier AS to_class, count(*), coalesce(sum(f.net), 0) AS net_from, sum(t.net) AS net_to
		FROM e CROSS JOIN LATERAL sim.customer_at(e.day) AS t
		LEFT JOIN LATERAL (SELECT * FROM sim.customer_at(e.before)) AS f USING (customer_id)
		WHERE e.before IS NOT NULL GROUP BY 1, 2, 3, 4 $$, 'monthly_migration is customer_at, day by day');

SELECT set_eq($$ SELECT to_jsonb(b) FROM before AS b $$,
	$$ SELECT to_jsonb(d) || to_jsonb(c) - 'tier' - repeat('x', 63)::text FROM (SELECT DISTINCT day FROM before) AS d CROSS JOIN LATERAL sim.customer_at(d.day) AS c $$,
	'columns of other schemes are as before');

-- the view, as of a day with a snapshot of its own and of a day without
SELECT is((segment.refresh('sim', d)).as_of, d, 'seen from ' || d) FROM (SELECT max(day) AS d FROM day WHERE kept) AS d;
-- the scorecard is another one, and so is the cut
SELECT bag_eq('SELECT * FROM sim.customer', $$ SELECT * FROM sim.customer_at((SELECT max(day) FROM stay_test.day WHERE kept)) $$, 'the view is customer_at of its day');
SELECT is((segment.refresh('sim', date '2024-04-20')).as_of, date '2024-04-20', 'seen from a day after it');
SELECT bag_eq('SELECT * FROM sim.customer', $$ SELECT * FROM sim.customer_at('2024-04-20') $$, 'the view is customer_at of its day');
SELECT is((segment.take_snapshot('sim')).as_of, date '2024-04-20', 'and a snapshot');
SELECT is_empty($$ SELECT c.customer_id FROM sim.customer AS c LEFT JOIN sim.snapshot_customer AS p ON p.as_of = c.as_of AND p.customer_id = c.customer_id
	WHERE p.classes ->> 'tier' IS DISTINCT FROM c.tier OR p.classes ->> 'rfm_segment' IS DISTINCT FROM c.rfm_segment $$, 'holds what the view says');
SELECT results_eq($$ SELECT class, customers, kept FROM segment.scheme_check('sim', 'tier') $$,
	$$ SELECT k.class, count(c.customer_id), CASE WHEN k.stay_rule IS NOT NULL THEN count(*) FILTER (WHERE NOT coalesce(CASE k.class
			WHEN 'gold' THEN c.net >= 1.5 * u.usual_net AND c.days_since_last <= 60
			WHEN 'silver' THEN c.net >= u.usual_net AND c.days_since_last <= 80 ELSE c.net < 30 END, false)) END
		FROM sim.class AS k LEFT JOIN sim.customer AS c ON c.tier = k.class
		CROSS JOIN (SELECT (cuts ->> 'usual_net')::numeric AS usual_net FROM sim.scorecard ORDER BY scorecard_id DESC LIMIT 1) AS u
		WHERE k.scheme = 'tier' GROUP BY k.class, k.class_rank, k.stay_rule ORDER BY k.class_rank $$, 'scheme_check counts those kept');

-- cuts are computed without classes
SELECT ok(NOT pg_temp.plan_has(format('SELECT sum(c.net) FROM (%s) AS c', segment_internal.figures_query('sim', s.scorecard_id, s.as_of, false, true, NULL)),
	'snapshot_customer'), 'cuts do not depend on classes held') FROM sim.scorecard AS s ORDER BY s.scorecard_id DESC LIMIT 1;

-- what explain foretells: so it comes if nothing happens and no snapshot is taken
CREATE TABLE foretold AS
SELECT c.customer_id, c.tier, c.as_of, e.* FROM (
	SELECT *, row_number() OVER (PARTITION BY tier ORDER BY customer_id) AS nth FROM sim.customer WHERE tier IN ('gold', 'silver', 'low')) AS c
CROSS JOIN LATERAL segment.explain('sim', c.customer_id) AS e WHERE e.scheme = 'tier' AND c.nth <= 4;
SELECT ok(bool_and(class = tier) AND count(*) FILTER (WHERE worse_class IS NOT NULL) >= 4 AND count(kept_from) >= 2, 'explain: the class of the view; some will fall, some are kept')
FROM foretold;
SELECT is_empty($$ SELECT f.*, a.tier, b.tier FROM foretold AS f, LATERAL (SELECT * FROM sim.customer_at(f.as_of + f.worse_after_days) AS c WHERE c.customer_id = f.customer_id) AS a,
	LATERAL (SELECT * FROM sim.customer_at(f.as_of + f.worse_after_days - 1) AS c WHERE c.customer_id = f.customer_id) AS b
	WHERE a.tier IS DISTINCT FROM f.worse_class OR b.tier = f.worse_class $$, 'explain: falls on that day, not before');

-- ---------- plans ----------

INSERT INTO sim SELECT 'k' || i, date '2023-02-01' + i % 400, 50 FROM generate_series(1, 5000) AS i;
SELECT is((segment.refresh('sim')).customers, 5520::bigint, 'more customers');
SELECT segment.take_snapshot('sim', date '2023-12-31' + n) IS NOT NULL FROM generate_series(0, 60, 20) AS n \g /dev/null
ANALYZE;
SELECT matches(plan_of('SELECT * FROM sim.customer WHERE customer_id = ''k17'''), 'Index Scan using kept_customer_pkey', 'view by key: an index lookup');
SELECT doesnt_match(plan_of('SELECT * FROM sim.customer'), 'snapshot_customer|customer_history', 'which needs no other table');
CREATE TABLE query AS SELECT * FROM (VALUES
	('customer_at', 'SELECT * FROM sim.customer_at(''2024-01-10'') WHERE customer_id = ''k17''')) AS q(what, query);
SELECT matches(plan_of(query), 'Index (Only )?Scan using customer_history_pkey.*Index Scan using snapshot_customer_pkey[^\n]*\n *Index Cond: \(\(as_of = [^\n]*AND \(customer_id = ''k17''',
	what || ' by key: an index lookup on both tables') FROM query;
SELECT doesnt_match(plan_of(query), 'Seq Scan on (customer_history|snapshot_customer)', what || ' by key: no scan') FROM query;
SELECT matches(plan_of('SELECT * FROM sim.customer_at(''2024-01-10'')'), '(Hash|Merge) (Left |Right )?Join', 'all customers of a day: one join');
SELECT doesnt_match(plan_of('SELECT customer_id, net, rfm_segment FROM sim.customer_at(''2024-01-10'')'), 'snapshot_customer', 'who asks for no class with a stay rule reads no snapshot');

-- ---------- rights ----------

CREATE ROLE segment_stay_reader;
GRANT USAGE ON SCHEMA sim, stay_test TO segment_stay_reader;
GRANT SELECT ON sim.customer TO segment_stay_reader;
SET LOCAL ROLE segment_stay_reader;
SELECT is(count(tier), 5520::bigint, 'a reader of the view needs no right on the snapshots') FROM sim.customer;
RESET ROLE;
GRANT SELECT ON sim.customer_history, sim.scorecard, sim.scorecard_figures TO segment_stay_reader;
SET LOCAL ROLE segment_stay_reader;
SELECT matches(pg_temp.failure('SELECT * FROM sim.customer_at(''2024-01-10'')'), '^42501 \| permission denied for table snapshot', 'one of past days does');
RESET ROLE;
GRANT SELECT ON sim.snapshot, sim.snapshot_customer TO segment_stay_reader;
SET LOCAL ROLE segment_stay_reader;
SELECT is(pg_temp.failure('SELECT * FROM sim.customer_at(''2024-01-10'')'), 'no error', 'and can get it');
RESET ROLE;

SELECT is(segment.drop_portfolio('sim')::text, '', 'a portfolio with stay rules is dropped');
SELECT is(segment.drop_portfolio('border')::text, '', 'so is the other');
SELECT * FROM finish();
ROLLBACK;
