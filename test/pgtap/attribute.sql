--
-- Attributes: the columns of the source customers are columns of the view
-- customer, for rules, cuts, lists and crosstabs
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

SELECT setseed(0.3) \g /dev/null
CREATE SCHEMA other;
CREATE TYPE other.mood AS ENUM ('sad', 'ok', 'happy');
CREATE TYPE other.place AS (city text, "post code" integer);
CREATE DOMAIN other.short AS varchar(8) NOT NULL CHECK (length(value) < 8);
CREATE COLLATION other.odd (provider = icu, locale = 'und', deterministic = false);
CREATE TABLE orders AS
SELECT 1 + floor(random() * 200)::integer AS id, date '2024-06-01' - floor(random() ^ 2 * 700)::integer AS at, round((random() * 100 - 5)::numeric, 2) AS amount
FROM generate_series(1, 1500);
-- half of whom have bought; 201 to 230 never have, and customers 1 to 10 are not listed
CREATE TABLE people AS
SELECT n AS id, CASE WHEN n % 10 > 0 THEN 'town ' || n % 3 END AS town, (n % 7)::numeric(10,2) AS weight, nullif(n % 3, 2) = 0 AS may_mail,
	date '2000-01-01' + n AS born, timestamptz '2020-01-01 00:00Z' + n * interval '1 hour' AS joined, timestamp '2020-01-01' + n * interval '1 hour' AS wall,
	ARRAY[n, NULL, n + 1] AS numbers, ('{sad,ok,happy}'::other.mood[])[1 + n % 3] AS mood, ARRAY['sad', 'ok']::other.mood[] AS moods, ('s' || n)::other.short AS code,
	jsonb_build_object('a', n, 'b', NULL) AS document, n::float8 / 3 AS third, n::real / 3 AS real_third, n::bigint * 10000000000 AS large,
	'城' || n % 2 AS "城 市", n AS "it's ""q"" (%1$s \", int4range(n, n + 5) AS range, n * interval '1 day 01:00' AS gap, decode('00ff', 'hex') || decode(to_hex(16 + n % 99), 'hex') AS bytes,
	ROW('c' || n, n)::other.place AS place, n::char(5) AS padded, ('ab' || n)::text COLLATE other.odd AS odd, n AS a, n + 1 AS f, n + 2 AS s, n + 3 AS h, n + 4 AS c, n + 5 AS k, n + 6 AS customers
FROM generate_series(11, 230) AS n;
SELECT segment.create_portfolio('shop', 'SELECT id, at, amount FROM orders', customers => 'SELECT * FROM people', timezone => 'UTC') \g /dev/null

-- ---------- types and values ----------

SELECT results_eq($$ SELECT attname::text, format_type(atttypid, atttypmod), attcollation FROM pg_attribute WHERE attrelid = 'shop.customer'::regclass
		AND attname IN (SELECT attname FROM pg_attribute WHERE attrelid = 'people'::regclass AND attnum > 1) ORDER BY attnum $$,
	$$ SELECT attname::text, CASE attname WHEN 'code' THEN 'character varying(8)' ELSE format_type(atttypid, atttypmod) END, attcollation
		FROM pg_attribute WHERE attrelid = 'people'::regclass AND attnum > 1 ORDER BY attnum $$, 'the attributes have their types, a domain that over which it is one');
SELECT is(NULL, (SELECT string_agg(DISTINCT col, ', ') FROM people AS p JOIN shop.customer AS c ON c.customer_id = p.id
	CROSS JOIN LATERAL jsonb_each(to_jsonb(p.*) - 'id') AS e(col, value) WHERE to_jsonb(c.*) -> col IS DISTINCT FROM e.value), 'and their values');
SELECT is_empty($$ SELECT p.id FROM people AS p JOIN shop.customer AS c ON c.customer_id = p.id
	WHERE (p.third, p.real_third, p.wall, p.joined, p.gap, p.place::text, p.weight::text, p.range, p.bytes, p.padded, p.mood, p.numbers)
		IS DISTINCT FROM (c.third, c.real_third, c.wall, c.joined, c.gap, c.place::text, c.weight::text, c.range, c.bytes, c.padded, c.mood, c.numbers) $$, 'to the last bit');
SELECT is((SELECT count(*) FROM shop.customer WHERE customer_id <= 10 AND town IS NULL AND code IS NULL AND a IS NULL), (SELECT count(DISTINCT id) FROM orders WHERE id <= 10), 'who is not listed has none');
SELECT is_empty('TABLE shop.customer EXCEPT SELECT * FROM shop.customer_at(''2024-06-01'')', 'customer_at has today''s attributes');
SELECT is((SELECT count(*) FROM shop.customer_at('2024-01-01') AS c JOIN people AS p ON p.id = c.customer_id AND p.mood = c.mood), (SELECT count(*) FROM people), 'also of a day in the past');
SELECT is((SELECT count(*) FROM pg_attribute WHERE attrelid IN ('shop.customer'::regclass, 'shop.kept_customer'::regclass) AND attnum > 0 AND NOT attisdropped AND col_description(attrelid, attnum) IS NULL), 0::bigint, 'every column has a comment');

-- ---------- rules, stay rules, cuts ----------

SELECT segment.create_scheme('shop', 'fit', $$[
	{"class": "x", "rule": "mood = 'happy' AND \"it's \"\"q\"\" (%1$s \\\" > heft", "stay_rule": "\"城 市\" = '城1'"},
	{"class": "y", "rule": "town = 'town 1' AND f > s - 2 AND (place).city > 'c2' AND document ->> 'a' > '3'"},
	{"class": "z"}]$$, '{"heft": "avg(\"it''s \"\"q\"\" (%1$s \\\")"}') \g /dev/null
SELECT results_eq('SELECT customer_id, fit FROM shop.customer ORDER BY 1', $$
	SELECT c.customer_id, CASE WHEN p.mood = 'happy' AND p.a > (SELECT avg(a) FROM people) THEN 'x'
		WHEN p.town = 'town 1' AND (p.place).city > 'c2' AND p.document ->> 'a' > '3' THEN 'y' ELSE 'z' END
	FROM shop.customer AS c LEFT JOIN people AS p ON p.id = c.customer_id ORDER BY 1 $$, 'rules and cuts see attributes, whatever they are called');
SELECT results_eq($$ SELECT class, mentions, stay_mentions FROM shop.scheme_class WHERE scheme = 'fit' ORDER BY class_rank $$,
	$$ VALUES ('x', ARRAY['heft', 'it''s "q" (%1$s \', 'mood'], ARRAY['城 市']), ('y', '{document,f,place,s,town}', NULL), ('z', NULL, NULL) $$, 'what the rules name is known from the server');
SELECT is((SELECT figures FROM segment.explain('shop', 20) WHERE scheme = 'fit'), (SELECT string_agg(name || ' = ' || value, ', ' ORDER BY name) FROM (VALUES ('f', '21'), ('s', '22'), ('town', 'NULL'),
	('mood', 'happy'), ('heft', '120.5000'), ('it''s "q" (%1$s \', '20'), ('document', '{"a": 20, "b": null}'), ('place', '{"city": "c20", "post code": 20}')) AS v(name, value)), 'explain shows them');
SELECT is((SELECT sum(customers)::bigint FROM segment.scheme_check('shop', 'fit')), (SELECT count(*) FROM shop.customer), 'scheme_check proves it');
SELECT is((SELECT sum(cells)::bigint FROM segment.scheme_check('shop', 'rfm_segment')), 125::bigint, 'and schemes over scores beside them');
SELECT segment.take_snapshot('shop', '2024-05-01') \g /dev/null
SELECT is_empty('TABLE shop.customer EXCEPT SELECT * FROM shop.customer_at(''2024-06-01'')', 'with stay rules, too');
SELECT is((SELECT sum(customers)::bigint FROM shop.monthly_migration('2024-04-01', '2024-04-30', 'fit')), (SELECT count(*) FROM shop.customer_at('2024-04-01')), 'and for many days');

-- what built-in rules name, by the text
SELECT is_empty($$ SELECT c.scheme, c.class, n.name FROM shop.scheme_class AS c
	JOIN (SELECT attname::text AS name FROM pg_attribute WHERE attrelid = 'shop.customer'::regclass AND attnum > 0 AND attname ~ '^[a-z0-9_]{2,}$'
		UNION SELECT cut FROM shop.scheme_cut UNION SELECT name FROM segment.setting) AS n
		ON (c.rule ~ ('\m' || n.name || '\M') AND NOT c.rule ~ ('''' || n.name || '''')) <> coalesce(n.name = ANY (c.mentions), false)
	WHERE c.scheme <> 'fit' AND n.name NOT IN ('a', 'c') $$, 'nothing is missing, or too much');

-- ---------- a name for one thing ----------

CREATE FUNCTION named(name text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM segment.alter_portfolio('shop', customers => format('SELECT p.*, 1 AS %I FROM people AS p', name));
	RETURN 'taken';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
SELECT is(named(v.name), v.expected, 'an attribute ' || v.name)
FROM (VALUES
	('net', '42701 attribute "net" of source "customers" has the name of a column of the view customer'),
	('customer_id', '42701 attribute "customer_id" of source "customers" has the name of the key in the view customer'),
	('next_event', '42701 attribute "next_event" of source "customers" has the name of a column of the table kept_customer'),
	('horizon_weeks', '42701 attribute "horizon_weeks" of source "customers" has the name of a setting'),
	('dormancy', '42701 attribute "dormancy" of source "customers" has the name of a scheme'),
	('heft', '42701 attribute "heft" of source "customers" has the name of a cut of scheme "fit"'),
	('held 1', '42939 attribute "held 1" of source "customers" has a name that is used internally')) AS v(name, expected);
SELECT throws_ok($$ SELECT segment.create_scheme('shop', 'mood', '[{"class": "a"}]') $$, '42710', 'name of a scheme is taken: "mood"', 'nor can a scheme have the name of an attribute');
SELECT throws_ok($$ SELECT segment.alter_portfolio('shop', customers => 'SELECT id, ROW(1, 2) AS pair FROM people') $$, '42804',
	'column 2 (pair) of source "customers" cannot be an attribute: record cannot be the type of a column', 'an attribute needs a type');

-- ---------- other columns ----------

CREATE FUNCTION columns() RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum) FROM pg_attribute
	WHERE attrelid = 'shop.customer'::regclass AND attnum > (SELECT attnum FROM pg_attribute WHERE attrelid = 'shop.customer'::regclass AND attname = 'margin_share') AND attname NOT IN (SELECT scheme FROM shop.scheme)
		AND attname NOT LIKE 'churn%' $$;
SELECT throws_ok($$ SELECT segment.alter_portfolio('shop', customers => 'SELECT id, town FROM people') $$, '42703', 'rule of class "x" in scheme "fit": column "mood" does not exist', 'a column that a rule names stays');
SELECT segment.drop_scheme('shop', 'fit') \g /dev/null
SELECT segment.alter_portfolio('shop', customers => 'SELECT id, town, weight::text AS weight, mood FROM people') \g /dev/null
SELECT is(columns(), 'town text, mood other.mood, weight text', 'columns go, and get other types');
SELECT is((SELECT string_agg(weight, ',' ORDER BY customer_id) FROM shop.customer), (SELECT string_agg(weight::text, ',' ORDER BY id) FROM people), 'with their values');
CREATE ROLE segment_test_attribute;
SELECT segment.grant_read('shop', 'segment_test_attribute');
CREATE VIEW mine AS SELECT customer_id, mood, dormancy FROM shop.customer;
SELECT segment.alter_portfolio('shop', customers => 'SELECT id, town, weight::text AS weight, mood, born FROM people') \g /dev/null
SELECT is(columns(), 'town text, mood other.mood, weight text, born date', 'a new one is behind the others, so that views over customer stay');
SELECT segment.create_scheme('shop', 'later', '[{"class": "a", "rule": "born > ''2000-03-01''"}, {"class": "b"}]') \g /dev/null
SELECT is((SELECT array_agg(attname ORDER BY attnum) FROM (SELECT attname::text, attnum FROM pg_attribute WHERE attrelid = 'shop.customer'::regclass ORDER BY attnum DESC LIMIT 2) AS a), '{born,later}', 'and so is a new scheme');
SELECT is((SELECT count(*) FROM shop.customer WHERE later = 'a'), (SELECT count(*) FROM people WHERE born > '2000-03-01'), 'of which nobody is in a wrong class');
SELECT throws_ok($$ SELECT segment.alter_portfolio('shop', customers => 'SELECT id, weight::text AS weight, mood, born FROM people') $$, '2BP01', NULL, 'what others have built on stays');
DROP VIEW mine;
SELECT segment.alter_portfolio('shop', customers => 'SELECT id, weight::text AS weight, mood, born FROM people') \g /dev/null
SELECT ok(bool_and(has_table_privilege('segment_test_attribute', c.oid, 'SELECT')), 'views that are made anew keep their rights') FROM pg_class AS c WHERE c.relnamespace = 'shop'::regnamespace AND c.relkind = 'v';
SELECT is_empty('TABLE shop.customer EXCEPT SELECT * FROM shop.customer_at(''2024-06-01'')', 'kept as computed');

-- the tables change
ALTER TABLE people ADD COLUMN later_on integer DEFAULT 7;
SELECT segment.drop_scheme('shop', 'later') \g /dev/null
SELECT segment.alter_portfolio('shop', customers => 'SELECT * FROM people') \g /dev/null
ALTER TABLE people DROP COLUMN gap, ADD COLUMN new integer DEFAULT 7;
UPDATE people SET mood = 'sad' WHERE id = 20;
SELECT segment.refresh('shop') \g /dev/null
SELECT is((SELECT mood::text || coalesce(gap::text, ' and NULL') FROM shop.customer WHERE customer_id = 20), 'sad and NULL', 'a refresh goes on with the columns that there are');
SELECT segment.alter_portfolio('shop') \g /dev/null
SELECT is((SELECT new FROM shop.customer WHERE customer_id = 20), 7, 'and alter_portfolio brings them to those of the source');
ALTER TABLE people ALTER COLUMN new TYPE text;
SELECT throws_ok($$ SELECT segment.refresh('shop') $$, '42804', 'attribute "new" of source "customers" is of type text, in portfolio "shop" of type integer', 'but not with another type');
SELECT segment.alter_portfolio('shop') \g /dev/null
SELECT segment.alter_portfolio('shop', customers => '') \g /dev/null
SELECT is(columns(), NULL, 'without the source there are none');
SELECT lives_ok($$ SELECT segment.drop_portfolio('shop') $$, 'and the portfolio can be dropped');

-- ---------- crosstab ----------

SELECT segment.create_portfolio('shop', 'SELECT id, at, amount FROM orders', customers => 'SELECT id, town, weight, may_mail, mood FROM people', timezone => 'UTC', settings => '{"contact_column": "may_mail"}') \g /dev/null
CREATE FUNCTION crossed(r text, c text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	RETURN format($query$
		SELECT g.r, g.c, g.n, round((g.n::numeric / (SELECT count(*) FROM shop.customer AS t WHERE t.%1$I::text IS NOT DISTINCT FROM g.r)), 10) AS share,
			round(100 * (g.n::numeric / (SELECT count(*) FROM shop.customer AS t WHERE t.%1$I::text IS NOT DISTINCT FROM g.r))
				/ ((SELECT count(*) FROM shop.customer AS t WHERE t.%2$I::text IS NOT DISTINCT FROM g.c)::numeric / (SELECT count(*) FROM shop.customer)), 8) AS index,
			g.net, g.net_value, round(g.clv::numeric, 6) AS clv, g.v[ceil(g.n * 0.25)::integer] AS q1, g.v[ceil(g.n * 0.5)::integer] AS q2, g.v[ceil(g.n * 0.75)::integer] AS q3
		FROM (SELECT k.%1$I::text AS r, k.%2$I::text AS c, count(*) AS n, sum(net) AS net, sum(net_value) AS net_value, sum(clv) AS clv, array_agg(net_value ORDER BY net_value) AS v
			FROM shop.customer AS k GROUP BY 1, 2) AS g$query$, r, c);
END $$;
SELECT bag_eq(format('SELECT row_value, column_value, customers, round(share::numeric, 10) AS share, round(index::numeric, 8) AS index, net, net_value, round(clv::numeric, 6) AS clv, net_value_lower, net_value_median, net_value_upper FROM segment.crosstab(''shop'', %L, %L)', r, c),
	crossed(r, c), format('%s by %s', r, c))
FROM (VALUES ('rfm_segment', 'town'), ('mood', 'next_step'), ('may_mail', 'weight'), ('dormancy', 'abcd'), ('orders', 'r_score'), ('town', 'town')) AS v(r, c);
SELECT is((SELECT array_agg(row_value ORDER BY n) FROM (SELECT row_value, min(n) AS n FROM segment.crosstab('shop', 'rfm_segment', 'town') WITH ORDINALITY AS t(row_value, column_value, a, b, c, d, e, f, g, h, i, n) GROUP BY 1) AS t),
	(SELECT array_agg(class ORDER BY class_rank) FROM shop.class WHERE scheme = 'rfm_segment' AND class IN (SELECT rfm_segment FROM shop.customer)), 'classes are in the order of their ranks');
SELECT throws_ok($$ SELECT * FROM segment.crosstab('shop', 'land', 'town') $$, '42703', 'view customer of portfolio "shop" has no column "land"', 'no such column');
SELECT throws_ok($$ SELECT * FROM segment.crosstab('shop', 'kept_from', 'town') $$, '42703', 'view customer of portfolio "shop" has no column "kept_from"', 'nor one that the view does not show');
SELECT throws_ok($$ SELECT * FROM segment.crosstab('shop', 'town', NULL) $$, '42703', 'view customer of portfolio "shop" has no column "NULL"', 'nor none');

-- ---------- value_score ----------

SELECT bag_eq($$ SELECT customer_id, round(value_score::numeric, 9) FROM segment.value_score('shop', '{"net": 2, "may_mail": 1, "days_since_last": -0.5}') $$, $$
	WITH c AS (SELECT customer_id, net::float8 AS net, may_mail::integer AS may_mail, -days_since_last AS days FROM shop.customer),
	p AS (
		SELECT c.customer_id,
			(SELECT (count(*) FILTER (WHERE o.net < c.net) + 0.5 * (count(*) FILTER (WHERE o.net = c.net) - 1)) / (count(*) - 1) FROM c AS o WHERE o.net IS NOT NULL) AS net,
			CASE WHEN c.may_mail IS NULL THEN 0 ELSE (SELECT (count(*) FILTER (WHERE o.may_mail < c.may_mail) + 0.5 * (count(*) FILTER (WHERE o.may_mail = c.may_mail) - 1)) / (count(*) - 1) FROM c AS o WHERE o.may_mail IS NOT NULL) END AS mail,
			CASE WHEN c.days IS NULL THEN 0 ELSE (SELECT (count(*) FILTER (WHERE o.days < c.days) + 0.5 * (count(*) FILTER (WHERE o.days = c.days) - 1)) / (count(*) - 1) FROM c AS o WHERE o.days IS NOT NULL) END AS days
		FROM c)
	SELECT customer_id::text, round((100 * (2 * net + mail + 0.5 * days) / 3.5)::numeric, 9) FROM p $$, 'the weighted mean of the places');
SELECT is((SELECT array_agg(place ORDER BY value_score DESC, customer_id::integer) FROM segment.value_score('shop', '{"clv": 1}')), (SELECT array_agg(n) FROM generate_series(1::bigint, (SELECT count(*) FROM shop.customer)) AS n), 'best first');
SELECT throws_ok($$ SELECT * FROM segment.value_score('shop', '{"town": 1}') $$, '42804', 'column "town" of the view customer must be a number or a boolean to be weighted, not text', 'a text has no weight');
SELECT throws_ok(format($$ SELECT * FROM segment.value_score('shop', %L) $$, weights), '22023', NULL, 'weights ' || weights) FROM unnest('{"[]","{}","{\"net\": 0}","{\"net\": \"1\"}","{\"net\": 1e7}",1}'::text[]) AS weights;

-- ---------- permission ----------

SELECT results_eq('SELECT a.customer_id, a.may_contact FROM shop.customer_action AS a ORDER BY 1',
	'SELECT c.customer_id, coalesce(p.may_mail, false) FROM shop.customer AS c LEFT JOIN people AS p ON p.id = c.customer_id ORDER BY 1', 'customer_action tells who may be contacted, of everybody');
SELECT results_eq('SELECT customer_id FROM shop.best_list(10)', $$ SELECT c.customer_id FROM shop.customer AS c JOIN people AS p ON p.id = c.customer_id AND p.may_mail
	WHERE purchase_probability * expected_spend * contribution_rate IS NOT NULL ORDER BY purchase_probability * expected_spend * contribution_rate DESC, 1 LIMIT 10 $$, 'best_list lists nobody else');
SELECT throws_ok($$ SELECT segment.alter_portfolio('shop', settings => '{"contact_column": "town"}') $$, '22023', 'setting "contact_column" must name an attribute of type boolean, not "town" of type text', 'not any attribute');
SELECT throws_ok($$ SELECT segment.alter_portfolio('shop', customers => 'SELECT id, town FROM people') $$, '22023', 'setting "contact_column" must name an attribute of type boolean, not "may_mail"', 'which must be there');
SELECT segment.alter_portfolio('shop', customers => 'SELECT id, town FROM people', settings => '{"contact_column": null}') \g /dev/null
SELECT ok(bool_and(may_contact), 'without the setting everybody may') FROM shop.customer_action;

SELECT * FROM finish();
ROLLBACK;
