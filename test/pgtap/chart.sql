--
-- Charts: specifications whose data are those of the views, for every kind of
-- portfolio, in both languages
--
-- Takes long: it makes the shop of the demo
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
\set failure_form message
\ir ../helpers.sql

\ir ../../demo/shop.sql
SELECT segment.create_portfolio('shop', 'SELECT customer_id, ordered_at, total FROM orders', timezone => 'UTC', settings => '{"margin": 0.3}') \g /dev/null
UPDATE shop.scheme_class SET owner = CASE WHEN class_rank < 4 THEN 'Ada' ELSE 'Ben' END WHERE scheme = 'next_step';
SELECT segment.create_cluster_scheme('shop', 'kinds', '{orders,net,days_since_last}', 4, transform => 'log') \g /dev/null
SELECT segment.take_snapshot('shop', d::date) FROM unnest('{2024-06-30,2024-12-31}'::date[]) AS d \g /dev/null

CREATE TABLE drawn AS
SELECT l.language, c.chart, c.place, c.relation, segment.chart('shop', c.chart, jsonb_build_object('language', l.language)) AS spec
FROM shop.chart AS c, unnest('{en,zh}'::text[]) AS l(language);
CREATE FUNCTION pg_temp.data(wanted text, tongue text DEFAULT 'en') RETURNS SETOF jsonb LANGUAGE sql
AS $$ SELECT jsonb_array_elements(d.spec -> 'data' -> 'values') FROM drawn AS d WHERE d.chart = wanted AND d.language = tongue $$;
-- Two queries have the same rows, in any order; their columns need no names.
CREATE FUNCTION pg_temp.same(have text, want text, description text) RETURNS text LANGUAGE sql
AS $$ SELECT is_empty(format('((%1$s) EXCEPT ALL (%2$s)) UNION ALL ((%2$s) EXCEPT ALL (%1$s))', have, want), description) $$;

CREATE FUNCTION pg_temp.dashboard_rows(tongue text, OUT panel integer, OUT title text, OUT rows bigint) RETURNS SETOF record LANGUAGE plpgsql AS $$
DECLARE
	query text;
BEGIN
	FOR panel, title, query IN SELECT p ->> 'id', p ->> 'title', p #>> '{targets,0,rawSql}'
		FROM jsonb_path_query(segment.dashboard(jsonb_build_object('language', tongue)), '$.panels[*]') AS p LOOP
		EXECUTE format('SELECT count(*) FROM (%s) AS q', replace(query, '${portfolio:sqlstring}', quote_literal('shop'))) INTO rows;
		RETURN NEXT;
	END LOOP;
END $$;

-- ---------- the catalog ----------

SELECT results_eq('SELECT chart FROM shop.chart ORDER BY place',
	$$ SELECT unnest('{segments,pyramid,whale,rfm_grid,clusters,leaky_bucket,churn_rate,at_risk,migration,sales_bridge,cohorts,segment_trend,owners,calibration}'::text[]) $$,
	'the charts');
SELECT is_empty($$ SELECT chart FROM shop.chart WHERE '' IN (question, question_zh, title, title_zh, relation)
	OR num_nonnulls(question, question_zh, title, title_zh, relation, place) < 6 OR question !~ '\?$' OR question_zh !~ '？$' $$,
	'each has a question and a title in both languages');
SELECT is_empty($$ SELECT c.chart, c.relation FROM shop.chart AS c JOIN segment_internal.chart_catalog AS g ON g.chart = c.chart
	WHERE g.query !~ ('\m' || c.relation || '\M') OR to_regclass(format('shop.%I', c.relation)) IS NULL
		AND NOT EXISTS (SELECT FROM pg_proc AS p WHERE p.proname = c.relation AND p.pronamespace IN ('shop'::regnamespace, 'segment'::regnamespace)) $$,
	'and names what its query reads');

-- ---------- specifications ----------

SELECT is_empty($$ SELECT chart FROM drawn WHERE spec ->> '$schema' <> 'https://vega.github.io/schema/vega-lite/v5.json'
	OR length(spec ->> 'description') < 12 OR NOT spec ?& '{title,data,config,background,usermeta}' $$, 'every specification is complete');
SELECT is_empty($$ SELECT chart FROM drawn WHERE jsonb_array_length(spec -> 'data' -> 'values') <> (spec #>> '{usermeta,segment,rows}')::integer
	OR jsonb_array_length(spec -> 'data' -> 'values') = 0 OR (spec #>> '{usermeta,segment,is_cut}')::boolean $$, 'and says how many rows it has');
SELECT is_empty($$ SELECT DISTINCT d.chart, f.field #>> '{}' FROM drawn AS d, jsonb_path_query(d.spec - 'data', '$.**.field') AS f(field)
	WHERE NOT (d.spec -> 'data' -> 'values' -> 0) ? (f.field #>> '{}') $$, 'what is drawn are columns of the data');
SELECT is_empty($$ SELECT chart FROM drawn WHERE (spec - 'data')::text ~ '"word"' OR spec::text ~* '\m(NaN|Infinity)\M' $$, 'no word is left open, nothing is not a number');
SELECT is_empty($$ SELECT d.chart, t.text FROM drawn AS d, jsonb_path_query(d.spec - '{data,config}'::text[], '$.**.title') AS t(text)
	WHERE d.language = 'zh' AND jsonb_typeof(t.text) = 'string' AND t.text #>> '{}' !~ '[\u4e00-\u9fff]' $$, 'in Chinese all titles are Chinese');
-- The marks, in the order of their layers.
SELECT results_eq($$ SELECT d.chart, array_agg(coalesce(m.mark ->> 'type', m.mark #>> '{}') ORDER BY m.ordinal) FROM drawn AS d,
		jsonb_path_query(d.spec - '{data,config}'::text[], 'strict $.**.mark') WITH ORDINALITY AS m(mark, ordinal)
	WHERE d.language = 'en' GROUP BY d.chart, d.place ORDER BY d.place $$,
	$$ VALUES ('segments', '{bar,text}'::text[]), ('pyramid', '{bar,text}'), ('whale', '{area,point,text}'), ('rfm_grid', '{rect,text,text}'), ('clusters', '{rect,text}'), ('leaky_bucket', '{line,bar}'),
		('churn_rate', '{area,line}'), ('at_risk', '{point,text}'), ('migration', '{rect,text}'), ('sales_bridge', '{bar,text}'), ('cohorts', '{rect}'),
		('segment_trend', '{bar}'), ('owners', '{bar}'), ('calibration', '{bar,point}') $$, 'what is drawn');
SELECT is(segment.chart('shop', 'whale', '{"vega_lite": 6}') - 'data', jsonb_set(segment.chart('shop', 'whale') - 'data', '{$schema}', '"https://vega.github.io/schema/vega-lite/v6.json"'),
	'version 6 differs in $schema alone');
SELECT is((SELECT array_agg(d.spec ORDER BY chart) FROM drawn AS d WHERE language = 'en'), (SELECT array_agg(segment.chart('shop', chart) ORDER BY chart) FROM shop.chart), 'the same again');

-- ---------- the data, by other SQL ----------

SELECT pg_temp.same($$ SELECT r ->> 'label', r ->> 'measure', (r ->> 'part')::numeric FROM pg_temp.data('segments') AS r $$,
	$$ SELECT k.label, m.measure, round((m.amount / sum(m.amount) OVER (PARTITION BY m.measure))::numeric, 4)
	FROM (SELECT rfm_segment AS class, count(*)::float8 AS heads, sum(net)::float8 AS net, sum(coalesce(clv, 0)) AS clv FROM shop.customer GROUP BY 1) AS c
	JOIN shop.class AS k ON k.scheme = 'rfm_segment' AND k.class = c.class, LATERAL (VALUES ('customers', heads), ('sales', net), ('expected value', clv)) AS m(measure, amount) $$, 'segments');
SELECT is((SELECT array_agg(r ->> 'label') FROM pg_temp.data('segments') AS r WHERE r ->> 'measure' = 'sales'),
	(SELECT array_agg(label ORDER BY class_rank) FROM shop.class WHERE scheme = 'rfm_segment' AND class IN (SELECT rfm_segment FROM shop.customer)), 'in the order of rank');
SELECT is((SELECT array_agg(r ->> 'label') FROM pg_temp.data('segments', 'zh') AS r WHERE r ->> 'measure' = '销售额'),
	(SELECT array_agg(label_zh ORDER BY class_rank) FROM shop.class WHERE scheme = 'rfm_segment' AND class IN (SELECT rfm_segment FROM shop.customer)), 'with labels in Chinese');
SELECT results_eq($$ SELECT (r ->> 'part')::numeric, round((r ->> 'high')::numeric - (r ->> 'low')::numeric, 3) FROM pg_temp.data('pyramid') AS r WHERE r ->> 'measure' = 'sales' $$,
	$$ SELECT part, round(part, 3) FROM (SELECT round(sum(net) / sum(sum(net)) OVER (), 4) AS part, abcd FROM shop.customer GROUP BY abcd) AS p ORDER BY abcd $$, 'pyramid');
SELECT is((SELECT (r ->> 'cumulative_profit')::numeric FROM pg_temp.data('whale') AS r WHERE (r ->> 'customer_share')::numeric = 0.2),
	(SELECT round(sum(net_value), 2) FROM (SELECT net_value FROM shop.customer ORDER BY net_value DESC LIMIT 1000) AS t), 'whale: the best fifth');
SELECT is((SELECT count(*) FROM pg_temp.data('whale')), 101::bigint, 'and a point for each percent');
SELECT pg_temp.same($$ SELECT (r ->> 'r_score')::integer, (r ->> 'f_score')::integer, (r ->> 'customers')::bigint FROM pg_temp.data('rfm_grid') AS r $$,
	'SELECT r_score, f_score, count(*) FROM shop.customer GROUP BY 1, 2', 'rfm_grid');
SELECT pg_temp.same($$ SELECT r ->> 'label', r ->> 'col', (r ->> 'deviations')::numeric FROM pg_temp.data('clusters') AS r $$,
	$$ SELECT k.label, CASE c.col WHEN 'net' THEN 'sales' WHEN 'days_since_last' THEN 'days away' ELSE c.col END, round(c.deviations::numeric, 3)
	FROM shop.cluster_center AS c JOIN shop.class AS k USING (scheme, class) WHERE scheme = 'kinds' $$, 'clusters');
SELECT is_empty($$ SELECT d.chart FROM drawn AS d WHERE d.spec::text LIKE '%&#x%' $$, 'characters are characters');
SELECT pg_temp.same($$ SELECT (r ->> 'month')::date, r ->> 'kind', coalesce((r ->> 'active')::bigint, (r ->> 'flow_customers')::bigint) FROM pg_temp.data('leaky_bucket') AS r $$,
	$$ SELECT month, f.* FROM shop.leaky_bucket, LATERAL (VALUES ('active', closing), ('new', new), ('won_back', won_back), ('lost', -lost)) AS f WHERE month > '2022-01-01' $$, 'leaky_bucket');
SELECT pg_temp.same($$ SELECT (r ->> 'month')::date, r ->> 'measure', (r ->> 'churn_rate')::numeric FROM pg_temp.data('churn_rate') AS r $$,
	$$ SELECT month, 'lost in the month', round(lost::numeric / opening, 5) FROM shop.churn_rate WHERE month >= '2023-01-01'
	UNION ALL SELECT month, 'mean of the 12 months before', round(base_lost::numeric / base_opening, 5) FROM shop.churn_rate WHERE change IS NOT NULL $$, 'churn_rate');
SELECT results_eq($$ SELECT (r ->> 'risk')::numeric, (r ->> 'worth')::numeric FROM pg_temp.data('at_risk') AS r $$,
	$$ SELECT round(churn_risk::numeric, 4), round(greatest(clv, 0)::numeric, 2) FROM shop.churn_signal ORDER BY value_at_risk DESC, customer_id::text LIMIT 200 $$, 'at_risk, the worst first');
SELECT pg_temp.same($$ SELECT r ->> 'from_label', r ->> 'to_label', (r ->> 'customers')::bigint FROM pg_temp.data('migration') AS r $$,
	$$ SELECT coalesce(f.label, 'not a customer yet'), t.label, count(*) FROM shop.customer AS n
	LEFT JOIN shop.customer_at('2024-01-01') AS b ON b.customer_id = n.customer_id
	LEFT JOIN shop.class AS f ON f.scheme = 'rfm_segment' AND f.class = b.rfm_segment JOIN shop.class AS t ON t.scheme = 'rfm_segment' AND t.class = n.rfm_segment
	GROUP BY 1, 2 $$, 'migration');
SELECT is((SELECT (array_agg((r ->> 'running_sales')::numeric))[array_length(array_agg(r), 1) - 1] FROM pg_temp.data('sales_bridge') AS r),
	(SELECT sum(net) FROM (SELECT sum(total) AS net FROM orders WHERE ordered_at >= '2024-01-02' GROUP BY customer_id) AS t), 'sales_bridge: the last step arrives at the sales of the year');
SELECT is((SELECT max((r ->> 'running_sales')::numeric) FROM pg_temp.data('sales_bridge') AS r WHERE r ->> 'step' = 'end'),
	(SELECT sum(total) FROM orders WHERE ordered_at >= '2024-01-02'), 'which the last bar shows');
SELECT pg_temp.same($$ SELECT r ->> 'cohort', (r ->> 'age')::integer, (r ->> 'retention')::numeric FROM pg_temp.data('cohorts') AS r $$,
	$$ SELECT to_char(f.first, 'YYYY-MM'), a.age, round(count(o.customer_id)::numeric / f.size, 4)
	FROM (SELECT date_trunc('month', first_day)::date AS first, count(*) AS size FROM shop.customer WHERE first_day >= '2022-12-01' GROUP BY 1) AS f
	CROSS JOIN generate_series(1, 24) AS a(age)
	LEFT JOIN (SELECT DISTINCT c.customer_id, date_trunc('month', c.first_day)::date AS first, date_trunc('month', o.ordered_at)::date AS month
		FROM shop.customer AS c JOIN orders AS o USING (customer_id) WHERE o.total >= 0) AS o ON o.first = f.first AND o.month = f.first + a.age * interval '1 month'
	WHERE f.first + a.age * interval '1 month' < '2025-01-01' GROUP BY f.first, f.size, a.age $$, 'cohorts');
SELECT pg_temp.same($$ SELECT r ->> 'day', r ->> 'label', (r ->> 'customers')::bigint FROM pg_temp.data('segment_trend') AS r $$,
	$$ SELECT s.as_of::text, k.label, count(*) FROM shop.snapshot_class AS s JOIN shop.class AS k ON k.scheme = s.scheme AND k.class = s.class
	WHERE s.scheme = 'rfm_segment' GROUP BY 1, 2 $$, 'segment_trend');
SELECT pg_temp.same($$ SELECT r ->> 'owner', round(sum((r ->> 'equity')::numeric), 1) FROM pg_temp.data('owners') AS r GROUP BY 1 $$,
	$$ SELECT owner, round((equity_to - equity_from)::numeric, 1) FROM shop.owner_scoreboard WHERE scheme = 'next_step' AND from_day = '2024-06-30' AND to_day = '2024-12-31' $$, 'owners: what came and went is the change');
SELECT results_eq($$ SELECT (r ->> 'decile')::integer, (r ->> 'actual')::numeric FROM pg_temp.data('calibration') AS r $$,
	$$ SELECT decile, round((actual / customers)::numeric, 4) FROM segment.backtest_deciles('shop', '2024-06-30', 184) $$, 'calibration');

-- ---------- options ----------

SELECT is((SELECT array_agg(DISTINCT r ->> 'label') FROM jsonb_array_elements(segment.chart('shop', 'segments', '{"scheme": "dormancy"}') #> '{data,values}') AS r),
	'{active,asleep,drowsy,"half asleep"}', 'another scheme');
SELECT results_eq($$ SELECT jsonb_array_length(s #> '{data,values}'), s #>> '{usermeta,segment,is_cut}', s #>> '{title,subtitle}' FROM segment.chart('shop', 'cohorts', '{"max_points": 50}') AS s $$,
	$$ VALUES (50, 'true', 'the first 50 only') $$, 'at most max_points rows, and the picture says so');
SELECT is(segment.chart('shop', 'segments', '{"max_points": 30}') #>> '{usermeta,segment,is_cut}', 'false', 'not where they are just as many');
SELECT is((SELECT count(r ->> 'customer') FROM pg_temp.data('at_risk') AS r), 8::bigint, 'the first eight customers have their key');
SELECT is((SELECT max(r ->> 'customer') FROM jsonb_array_elements(segment.chart('shop', 'at_risk', '{"names": false}') #> '{data,values}') AS r), '', 'unless names are not wanted');
SELECT is(segment.chart('shop', 'whale', '{"title": false}') -> 'title', NULL, 'no title');
SELECT is(segment.chart('shop', 'whale', '{"ink": "currentColor", "background": "transparent"}') #>> '{config,axis,labelColor}', 'currentColor', 'colors');
SELECT results_eq($$ SELECT s #>> '{config,locale,number,decimal}', s #>> '{config,locale,time,shortMonths,2}', s #>> '{title,text}' FROM segment.chart('shop', 'whale', '{"locale": "de"}') AS s $$,
	$$ VALUES (',', 'März', 'The whale curve: profit of the best customers') $$, 'locale');
SELECT is(segment.chart('shop', 'whale', NULL), segment.chart('shop', 'whale'), 'no options');
SELECT is(pg_temp.failure(format('SELECT segment.chart(%L, %L, %L)', 'shop', q.chart, q.options)), q.error, 'error: ' || q.error)
FROM (VALUES ('pie', '{}', '22023 chart "pie" is not known'), (NULL, '{}', '22023 chart "NULL" is not known'),
	('whale', '[]', '22023 options must be a JSON object, not []'), ('whale', '{"colour": 1}', '22023 option "colour" of charts is not known'),
	('whale', '{"language": 1}', '22023 option "language" of charts must be a string, not 1'), ('whale', '{"language": "fr"}', '22023 option "language" of charts must be en or zh, not "fr"'),
	('whale', '{"locale": "fr"}', '22023 option "locale" of charts must be en, de or zh, not "fr"'), ('whale', '{"vega_lite": 4}', '22023 option "vega_lite" of charts must be 5 or 6, not 4'),
	('whale', '{"max_points": 0}', '22023 option "max_points" of charts must be a whole number from 1 to 100000, not 0'),
	('whale', '{"max_points": 1.5}', '22023 option "max_points" of charts must be a whole number from 1 to 100000, not 1.5'),
	('segments', '{"scheme": "no"}', '22023 scheme "no" is not known')) AS q(chart, options, error);
SELECT is(pg_temp.failure($$ SELECT segment.chart('no', 'whale') $$), '42704 portfolio "no" does not exist', 'no such portfolio');

-- short numbers
SELECT is(array_agg(segment_internal.chart_amount(a, segment_internal.chart_texts(segment_internal.chart_options('{}'))) ORDER BY n),
	'{0,7,12.50,987,"9,999",12.3k,123k,1.21M,"-12.3M",5bn}', 'short amounts')
FROM unnest('{0,7,12.5,987,9999,12345,123456,1214879,-12345678,5e9}'::numeric[]) WITH ORDINALITY AS v(a, n);
SELECT is(segment_internal.chart_amount(1214879, segment_internal.chart_texts(segment_internal.chart_options('{"language": "zh"}'))), '121万', 'in Chinese');
SELECT is(segment_internal.chart_amount(9999.5, segment_internal.chart_texts(segment_internal.chart_options('{"locale": "de"}'))), '10.000', 'in a German locale');

-- ---------- portfolios of all sizes ----------

-- Labels that break what does not quote: of SQL, JSON and HTML.
\set label '</script><script>alert(1)</script> "''\\&{{{{'
CREATE TABLE sale (portfolio text, customer integer, at date, amount numeric);
INSERT INTO sale VALUES ('one', 1, '2024-01-01', 10), ('three', 1, '2024-01-01', 10), ('three', 2, '2024-03-01', -10), ('three', 3, '2024-05-01', 0);
INSERT INTO sale SELECT 'month', n % 20, date '2024-05-01' + n % 25, 10 + n FROM generate_series(1, 60) AS n;
INSERT INTO sale SELECT 'loss', n % 30, date '2023-01-01' + n * 7 % 600, 10 + n FROM generate_series(1, 300) AS n;
INSERT INTO sale SELECT 'classes', n % 90, date '2023-01-01' + n * 7 % 600, 10 + n FROM generate_series(1, 500) AS n;
CREATE TABLE person AS SELECT n FROM generate_series(1, 40) AS n;
SELECT segment.create_portfolio(p, format('SELECT customer, at, amount FROM sale WHERE portfolio = %L', p), customers => CASE p WHEN 'loss' THEN 'SELECT n FROM person' END,
	settings => CASE p WHEN 'month' THEN '{"purchase_model": "none"}' WHEN 'loss' THEN '{"margin": 0, "cost_per_non_buyer": 3, "lost_after_days": 60}' ELSE '{}' END::jsonb)
FROM unnest('{none,one,three,month,loss,classes}'::text[]) AS p \g /dev/null
SELECT segment.create_scheme('classes', 'forty', (SELECT jsonb_agg(jsonb_build_object('class', 'c' || n, 'label', CASE n WHEN 40 THEN :'label' ELSE 'Class ' || n END,
	'label_zh', '客户群' || n) || CASE WHEN n < 40 THEN jsonb_build_object('rule', 'net > ' || 1640 - 10 * n) ELSE '{}' END ORDER BY n) FROM generate_series(1, 40) AS n)) \g /dev/null
SELECT segment.take_snapshot('classes', '2024-06-30') \g /dev/null

CREATE TABLE small AS
SELECT p.portfolio, p.language, c.chart, segment.chart(p.portfolio, c.chart, jsonb_strip_nulls(jsonb_build_object('language', p.language,
	'scheme', CASE WHEN p.portfolio = 'classes' THEN 'forty' END))) AS spec
FROM (VALUES ('none', 'en'), ('none', 'zh'), ('one', 'en'), ('three', 'zh'), ('month', 'zh'), ('loss', 'en'), ('classes', 'en')) AS p(portfolio, language), shop.chart AS c;
SELECT is_empty($$ SELECT portfolio, chart FROM small WHERE (spec #>> '{usermeta,segment,rows}')::integer <> jsonb_array_length(spec #> '{data,values}')
	AND ((spec #>> '{usermeta,segment,rows}')::integer <> 0 OR spec #>> '{data,values,0,reason}' !~ CASE language WHEN 'zh' THEN '^暂无图表：..' ELSE '^Nothing to draw: ..' END) $$,
	'there is something to draw, or the picture says why not');
SELECT is_empty($$ SELECT portfolio, chart FROM small WHERE spec::text ~* '\m(NaN|Infinity)\M' $$, 'and nothing is not a number');
SELECT is_empty($$ SELECT DISTINCT d.portfolio, d.chart, f.field #>> '{}' FROM small AS d, jsonb_path_query(d.spec - 'data', '$.**.field') AS f(field)
	WHERE NOT (d.spec -> 'data' -> 'values' -> 0) ? (f.field #>> '{}') $$, 'all of it are columns');
SELECT is((SELECT array_agg(chart ORDER BY chart) FROM small WHERE portfolio = 'none' AND language = 'en' AND (spec #>> '{usermeta,segment,rows}')::integer > 0), NULL, 'nobody, nothing');
SELECT is((SELECT array_agg(chart ORDER BY chart) FROM small WHERE portfolio = 'one' AND language = 'en' AND (spec #>> '{usermeta,segment,rows}')::integer > 0),
	'{pyramid,rfm_grid,segments,whale}', 'one customer');
SELECT set_has($$ SELECT chart FROM small WHERE portfolio = 'loss' AND (spec #>> '{usermeta,segment,rows}')::integer > 0 $$,
	$$ SELECT unnest('{segments,pyramid,whale,rfm_grid,leaky_bucket,churn_rate,migration,sales_bridge,cohorts,calibration}'::text[]) $$, 'with prospects, and nothing but losses');
SELECT is((SELECT count(*) FROM small, jsonb_array_elements(spec #> '{data,values}') AS r WHERE portfolio = 'classes' AND chart = 'segments' AND language = 'en' AND r ->> 'measure' = 'sales'),
	(SELECT count(DISTINCT forty) FROM classes.customer), 'forty classes');
SELECT ok(bool_or(spec::text LIKE '%</script>%'), 'a label is data, whatever is in it') FROM small;

-- ---------- a dashboard ----------

-- What Grafana puts in the place of the variable.
SELECT is((SELECT count(*) FROM pg_temp.dashboard_rows('en') AS r WHERE r.rows = 0), 0::bigint, 'every panel has rows: ' || count(*)) FROM pg_temp.dashboard_rows('en');
SELECT is_empty($$ SELECT panel FROM pg_temp.dashboard_rows('zh') WHERE rows = 0 OR title !~ '[\u4e00-\u9fff]' $$, 'in Chinese, too');
SELECT results_eq($$ SELECT chart, rows FROM pg_temp.dashboard_rows('en') AS r JOIN shop.chart AS c ON c.place = r.panel WHERE chart IN ('segments', 'churn_rate', 'cohorts') ORDER BY place $$,
	$$ SELECT chart, (spec #>> '{usermeta,segment,rows}')::bigint FROM drawn WHERE language = 'en' AND chart IN ('segments', 'churn_rate', 'cohorts') ORDER BY place $$, 'those of the chart');
SELECT is_empty($$ SELECT p ->> 'title', t.* FROM jsonb_path_query(segment.dashboard(), '$.panels[*]') AS p, jsonb_path_query(p, '$.transformations[*].options.*') AS t(col)
	WHERE strpos(p #>> '{targets,0,rawSql}', t.col #>> '{}') = 0 $$, 'columns that are turned are columns of the query');

-- ---------- who may ---------

CREATE ROLE segment_test_reading;
CREATE FUNCTION public.as_reading() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	SET LOCAL ROLE segment_test_reading;
	RETURN (SELECT count(segment.chart('month', c.chart)) FROM month.chart AS c);
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
SELECT is(public.as_reading(), '42501 permission denied for schema month', 'who has no right sees nothing');
RESET ROLE;
SELECT segment.grant_read('month', 'segment_test_reading') \g /dev/null
SELECT is(public.as_reading(), '14', 'a reader draws all charts');
RESET ROLE;

SELECT * FROM finish();
ROLLBACK;
