--
-- The report: a page whose sentences are computed, and which no label breaks
--
\unset ECHO
\set QUIET 1
\pset format unaligned
\pset tuples_only true
\set ON_ERROR_STOP true
SET client_min_messages = warning;
SET timezone = 'UTC';
SET jit = off;

BEGIN;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS segment;
SELECT no_plan();

-- 120 customers over two years, half of whom leave; their keys are text that
-- breaks a page where it is not text.
CREATE TABLE sale AS
SELECT format('<b>"%s"&amp;''</b>', n) AS customer, date '2023-01-01' + (n * 3 + i * (20 + n % 30)) AS at, (5 + (n * 13 + i * 7) % 40)::numeric AS amount
FROM generate_series(1, 120) AS n, generate_series(0, 30) AS i
WHERE n * 3 + i * (20 + n % 30) <= CASE WHEN n % 2 = 0 THEN 350 ELSE 730 END;
INSERT INTO sale VALUES (NULL, '2024-01-01', 5);
SELECT segment.create_portfolio('<i>shop', 'SELECT * FROM sale') \g /dev/null
UPDATE "<i>shop".scheme_class SET label = '</script><script>alert(1)</script>&"''', label_zh = '</style><img src=x>', owner = '<u>Ada', action = '<a href="x">Call</a>';
SELECT segment.take_snapshot('<i>shop', d::date) FROM unnest('{2024-06-30,2024-12-31}'::date[]) AS d \g /dev/null

CREATE TABLE page AS
SELECT language, segment.report('<i>shop', 'https://example.com/lib/', jsonb_build_object('language', language)) AS page FROM unnest('{en,zh}'::text[]) AS language;
CREATE FUNCTION pg_temp.elements(path text, tongue text DEFAULT 'en') RETURNS SETOF text LANGUAGE sql
AS $$ SELECT unnest(xpath(path, substr(p.page, 17)::xml))::text FROM page AS p WHERE p.language = tongue $$;

-- ---------- what is in data stays text ----------

SELECT ok(page LIKE E'<!DOCTYPE html>\n<html lang=%', 'a page: ' || language) FROM page ORDER BY language;
SELECT ok(xml_is_well_formed_document(substr(page, 17)), 'well formed: ' || language) FROM page ORDER BY language;
SELECT is_empty($$ SELECT name FROM page, unnest(xpath('//*[local-name() = "b" or local-name() = "i" or local-name() = "u" or local-name() = "a" or local-name() = "img"]', substr(page, 17)::xml)) AS name $$,
	'no element comes from data');
SELECT is((SELECT count(*) FROM pg_temp.elements('//script')), (SELECT 3 + count(*) FROM pg_temp.elements('//script[@class="chart"]')), 'nor a script');
SELECT is((SELECT regexp_count FROM (SELECT count(*) AS regexp_count FROM page, regexp_matches(page, '</script', 'g')) AS c), (SELECT 2 * count(*) FROM pg_temp.elements('//script')),
	'each script ends where it ends');
SELECT is_empty($$ SELECT 1 FROM page, regexp_matches(page, '<script type="application/json" class="chart">([^<]*)</script>', 'g') AS m
	WHERE m[1]::jsonb ->> '$schema' IS NULL $$, 'specifications are JSON');
SELECT ok(bool_or(m[1]::jsonb #>> '{data,values}' LIKE '%</script><script>alert(1)</script>%'), 'with the labels as they are')
FROM page, regexp_matches(page, '<script type="application/json" class="chart">([^<]*)</script>', 'g') AS m;
SELECT is((SELECT array_agg(e) FROM pg_temp.elements('//script/@src') AS e), '{https://example.com/lib/vega.min.js,https://example.com/lib/vega-lite.min.js}', 'the scripts');
SELECT is_empty($$ SELECT e FROM pg_temp.elements('//div | //p | //h1 | //h2 | //h3 | //script | //td | //span | //strong') AS e WHERE e ~ '^<[^>]*/>$' $$, 'nothing is closed as it opens, which HTML does not know');

-- ---------- what it says ----------

SELECT is((SELECT array_agg(e) FROM pg_temp.elements('//main/section/h2/text()') AS e),
	'{Who brings the money?,"Who leaves, and whom can we keep?",Are we growing?,How far can the figures be trusted?}', 'parts by question');
SELECT is((SELECT count(*) FROM pg_temp.elements('//figure')) + (SELECT count(*) FROM pg_temp.elements('//div[@class="absent"]/ul/li')), (SELECT count(*) FROM "<i>shop".chart), 'every chart is drawn, or it is said why not');
SELECT is_empty($$ SELECT e FROM pg_temp.elements('//h2 | //h3 | //th | //section[@class="figure"]/p', 'zh') AS e WHERE e !~ '[\u4e00-\u9fff]' AND e !~ 'class="amount"' $$, 'in Chinese');
SELECT is((SELECT e FROM pg_temp.elements('//section[@id="figure_sales"]/p[2]/text()') AS e),
	(SELECT format('Customers bought for %s in the last 365 days, against %s in as many days before.',
		to_char(sum(amount) FILTER (WHERE at > d.day - 365), 'FM99.0') || 'k', to_char(sum(amount) FILTER (WHERE at <= d.day - 365 AND at > d.day - 730), 'FM99.0') || 'k')
	FROM (SELECT at, amount / 1000 AS amount FROM sale WHERE customer IS NOT NULL) AS s, (SELECT max(at) AS day FROM sale) AS d), 'the sentence on sales');
SELECT is((SELECT e FROM pg_temp.elements('//section[@id="figure_active"]/p[1]/strong/text()') AS e),
	(SELECT count(DISTINCT customer)::text FROM sale WHERE at > (SELECT month_end - 365 FROM "<i>shop".leaky_bucket WHERE complete ORDER BY month DESC LIMIT 1)
		AND at <= (SELECT month_end FROM "<i>shop".leaky_bucket WHERE complete ORDER BY month DESC LIMIT 1)), 'active customers');
SELECT is((SELECT e FROM pg_temp.elements('//section[@id="figure_slipping"]/p[1]/strong/text()') AS e),
	(SELECT count(*)::text FROM "<i>shop".customer WHERE dormancy IN ('drowsy', 'half_asleep')), 'who is slipping away');
SELECT is((SELECT array_agg(e ORDER BY e COLLATE "C") FROM pg_temp.elements('//section[@id="list_won_back"]//tbody/tr/td[1]/text()') AS e),
	(SELECT array_agg(c ORDER BY c COLLATE "C") FROM (SELECT replace(replace(replace(customer_id, '&', '&amp;'), '<', '&lt;'), '>', '&gt;') AS c FROM "<i>shop".win_back ORDER BY since DESC, value DESC, customer_id COLLATE "C" LIMIT 15) AS w),
	'who came back');
SELECT is((SELECT e FROM pg_temp.elements('//section[@id="list_backtest"]/p/text()') AS e),
	(SELECT CASE model WHEN 1 THEN 'The predictions passed the test.' ELSE 'The predictions did not pass the test, so values that a model predicts are not shown.' END
		|| ' (' || replace(replace(meaning, '&', '&amp;'), '<', '&lt;') || ')' FROM segment.backtest('<i>shop', (SELECT as_of - (as_of - '2023-01-04') / 4 FROM "<i>shop".model_card), (SELECT (as_of - '2023-01-04') / 4 FROM "<i>shop".model_card)) WHERE measure = 'verdict'),
	'the verdict');
SELECT is((SELECT array_agg(e) FROM pg_temp.elements('//section[@id="list_quality"]//tbody/tr/td[2]/text()') AS e),
	(SELECT array_agg(check_name ORDER BY source, check_name) FROM "<i>shop".data_quality WHERE count > 0), 'doubtful rows');

-- ---------- privacy ----------

INSERT INTO page SELECT 'private', segment.report('<i>shop', NULL, '{"names": false}');
SELECT is_empty($$ SELECT n.key FROM page AS p, "<i>shop".customer AS c,
		LATERAL (VALUES (c.customer_id), (replace(replace(replace(c.customer_id, '&', '&amp;'), '<', '&lt;'), '>', '&gt;')), (to_json(c.customer_id)::text)) AS n(key)
	WHERE p.language = 'private' AND strpos(p.page, n.key) > 0 $$, 'without names no key is on the page');
SELECT ok(page LIKE '%&lt;b&gt;"%' AND page LIKE '%list\_best%', 'with names there are') FROM page WHERE language = 'en';

-- ---------- portfolios with next to nothing ----------

SELECT segment.create_portfolio('none', 'SELECT * FROM sale WHERE false') \g /dev/null
SELECT segment.create_portfolio('one', 'SELECT * FROM sale ORDER BY at LIMIT 1') \g /dev/null
SELECT ok(xml_is_well_formed_document(substr(segment.report(p, NULL, jsonb_build_object('language', l)), 17)), format('a report on %s, %s', p, l))
FROM unnest('{none,one}'::text[]) AS p, unnest('{en,zh}'::text[]) AS l;
SELECT is(segment.report('one'), segment.report('one'), 'the same again');
SELECT throws_ok($$ SELECT segment.report('one', NULL, '{"language": "fr"}') $$, '22023', NULL, 'options are those of charts');

SELECT * FROM finish();
ROLLBACK;
