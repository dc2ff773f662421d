/*
 * report: a page about a portfolio, for who looks rather than reads
 *
 * Everything on it is a row of a catalog: the figures of its first page, the
 * charts, the lists.  The page is made of XML elements, so that whatever labels
 * and keys hold stays text.
 */

/* ---------- figures with a sentence ---------- */

/*
 * Each query has one row, of the columns of report_answer, or none where there
 * is nothing to say.  $1 are the options of charts with their texts; the
 * search path is that of charts.
 */
CREATE TYPE segment_internal.report_answer AS (amount text, change text, is_good boolean, sentence text);
COMMENT ON TYPE segment_internal.report_answer IS
'a figure of a report: the number, its change since the year before (NULL: not known), whether that is good (NULL: neither), a sentence (internal)';

CREATE VIEW segment_internal.report_figure AS
SELECT f.place, f.figure, f.query
FROM (VALUES
	(1, 'figure_sales', $query$
	SELECT segment_internal.chart_amount(t.now, $1), CASE WHEN t.before > 0 THEN segment_internal.report_change(t.now / t.before - 1, $1) END, t.now > t.before,
		format($1 -> 'words' ->> CASE WHEN t.before > 0 THEN 'sentence_sales' ELSE 'sentence_sales_first' END,
			segment_internal.chart_amount(t.now, $1), t.days, segment_internal.chart_amount(t.before, $1))
	FROM (
		SELECT sum(c.period_net) AS now, sum(c.previous_net) AS before,
			(SELECT d.settings::jsonb ->> 'period_days' FROM model_card AS d ORDER BY d.scorecard_id DESC LIMIT 1) AS days
		FROM customer AS c
	) AS t
	WHERE t.now IS NOT NULL$query$),
	(2, 'figure_active', $query$
	SELECT segment_internal.chart_amount(t.closing, $1), segment_internal.report_change(t.closing / nullif(t.opening, 0)::numeric - 1, $1), t.closing > t.opening,
		format($1 -> 'words' ->> 'sentence_active', segment_internal.chart_amount(t.closing, $1), t.months,
			segment_internal.chart_amount(t.new, $1), segment_internal.chart_amount(t.won_back, $1), segment_internal.chart_amount(t.lost, $1))
	FROM (
		SELECT count(*) AS months, (array_agg(m.opening ORDER BY m.month))[1] AS opening, (array_agg(m.closing ORDER BY m.month DESC))[1] AS closing,
			sum(m.new) AS new, sum(m.won_back) AS won_back, sum(m.lost) AS lost
		FROM (SELECT * FROM leaky_bucket AS b WHERE b.complete ORDER BY b.month DESC LIMIT 12) AS m
	) AS t
	WHERE t.months > 0$query$),
	(3, 'figure_concentration', $query$
	SELECT segment_internal.chart_percent(t.share, $1),
		format($1 -> 'words' ->> 'points', segment_internal.report_signed(round(100 * (t.share - t.share_before)), $1)), NULL,
		format($1 -> 'words' ->> 'sentence_concentration', segment_internal.chart_percent(s.net_share::numeric, $1), segment_internal.chart_percent(s.share::numeric, $1),
			segment_internal.chart_label(s.class, s.label, s.label_zh, $1 ->> 'language'), t.days, segment_internal.chart_percent(t.share, $1))
	FROM (
		SELECT sum(p.period_net) FILTER (WHERE 5 * p.place <= p.buyers + 4) / nullif(sum(p.period_net) FILTER (WHERE p.period_net > 0), 0) AS share,
			sum(p.previous_net) FILTER (WHERE 5 * p.place_before <= p.buyers_before + 4) / nullif(sum(p.previous_net) FILTER (WHERE p.previous_net > 0), 0) AS share_before,
			(SELECT d.settings::jsonb ->> 'period_days' FROM model_card AS d ORDER BY d.scorecard_id DESC LIMIT 1) AS days
		FROM (
			SELECT c.period_net, c.previous_net, row_number() OVER (ORDER BY c.period_net DESC NULLS LAST) AS place,
				row_number() OVER (ORDER BY c.previous_net DESC NULLS LAST) AS place_before,
				count(*) FILTER (WHERE c.period_net > 0) OVER () AS buyers, count(*) FILTER (WHERE c.previous_net > 0) OVER () AS buyers_before
			FROM customer AS c
		) AS p
	) AS t
	CROSS JOIN (SELECT * FROM segment_summary AS g WHERE g.scheme = 'rfm_segment' AND g.net_share > 0 ORDER BY g.net_share DESC, g.class_rank LIMIT 1) AS s
	WHERE t.share IS NOT NULL$query$),
	(4, 'figure_churn', $query$
	SELECT segment_internal.chart_percent(c.churn_rate::numeric, $1), segment_internal.report_change(c.change::numeric, $1), c.change < 0,
		format($1 -> 'words' ->> CASE WHEN c.change IS NULL THEN 'sentence_churn_first'
			WHEN c.change_low <= 0 AND c.change_high >= 0 THEN 'sentence_churn_chance' ELSE 'sentence_churn_change' END,
			segment_internal.chart_percent(c.churn_rate::numeric, $1), segment_internal.chart_percent(c.base_rate::numeric, $1))
	FROM (SELECT max(r.month) AS month FROM churn_rate AS r WHERE r.complete) AS l
	CROSS JOIN LATERAL churn_change((l.month - interval '23 months')::date, (l.month - interval '12 months')::date,
		(l.month - interval '11 months')::date, l.month) AS c
	WHERE c.churn_rate IS NOT NULL$query$),
	(5, 'figure_slipping', $query$
	SELECT segment_internal.chart_amount(t.now, $1), segment_internal.report_change(t.now / nullif(t.before, 0)::numeric - 1, $1), t.now < t.before,
		concat_ws(CASE $1 ->> 'language' WHEN 'zh' THEN '' ELSE ' ' END,
			format($1 -> 'words' ->> 'sentence_slipping', segment_internal.chart_amount(t.now, $1), segment_internal.chart_percent(t.share, $1)),
			CASE WHEN t.before IS NOT NULL THEN format($1 -> 'words' ->> 'sentence_year_before', segment_internal.chart_amount(t.before, $1)) END)
	FROM (
		SELECT count(*) FILTER (WHERE c.dormancy IN ('drowsy', 'half_asleep')) AS now,
			coalesce(sum(c.net) FILTER (WHERE c.dormancy IN ('drowsy', 'half_asleep')) / nullif(sum(c.net), 0), 0) AS share,
			CASE WHEN min(c.first_day) < d.day THEN (SELECT count(*) FROM customer_at(d.day) AS b WHERE b.dormancy IN ('drowsy', 'half_asleep')) END AS before
		FROM customer AS c
		CROSS JOIN (SELECT m.as_of - 365 AS day FROM model_card AS m ORDER BY m.scorecard_id DESC LIMIT 1) AS d
		GROUP BY d.day
	) AS t
	WHERE t.share BETWEEN 0 AND 1$query$)
) AS f(place, figure, query);
COMMENT ON VIEW segment_internal.report_figure IS
'the figures on the first page of a report: the word of their title and the query of number, change and sentence (internal)';
GRANT SELECT ON segment_internal.report_figure TO PUBLIC;

CREATE FUNCTION segment_internal.report_signed(number numeric, options jsonb) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN CASE WHEN number > 0 THEN '+' ELSE '' END || segment_internal.chart_amount(number, options);
COMMENT ON FUNCTION segment_internal.report_signed(numeric, jsonb) IS
'a change as a text, with its sign (internal)';

CREATE FUNCTION segment_internal.report_change(change numeric, options jsonb) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN CASE WHEN change > 0 THEN '+' ELSE '' END || segment_internal.chart_percent(change, options);
COMMENT ON FUNCTION segment_internal.report_change(numeric, jsonb) IS
'a relative change as a text in percent, with its sign (internal)';

/* ---------- lists ---------- */

/* Each query has rows of one column, the cells as text[]; parameters as of figures. */
CREATE VIEW segment_internal.report_list AS
SELECT l.place, l.section, l.list, l.has_names, l.headers, l.numbers_from, l.query
FROM (VALUES
	(1, 'money', 'list_actions', false, '{label,customers,share_of_sales,action}'::text[], 2, $query$
	SELECT ARRAY[segment_internal.chart_label(s.class, s.label, s.label_zh, $1 ->> 'language'), segment_internal.chart_amount(s.customers, $1),
		segment_internal.chart_percent(s.net_share::numeric, $1), CASE $1 ->> 'language' WHEN 'zh' THEN coalesce(k.action_zh, k.action) ELSE k.action END]
	FROM segment_summary AS s
	JOIN class AS k ON k.scheme = s.scheme AND k.class = s.class
	WHERE s.scheme = (SELECT d.settings::jsonb ->> 'leading_scheme' FROM model_card AS d ORDER BY d.scorecard_id DESC LIMIT 1) AND s.customers > 0
	ORDER BY s.class_rank$query$),
	(2, 'money', 'list_best', true, '{customer,orders,sales,last_day,clv}', 2, $query$
	SELECT ARRAY[c.customer_id::text, segment_internal.chart_amount(c.orders, $1), segment_internal.chart_amount(c.net, $1), c.last_day::text,
		CASE WHEN ($1 ->> 'usable')::boolean THEN segment_internal.chart_amount(c.clv::numeric, $1) END]
	FROM customer AS c
	WHERE c.orders > 0
	ORDER BY CASE WHEN ($1 ->> 'usable')::boolean THEN c.clv END DESC NULLS LAST, c.net DESC, c.customer_id::text COLLATE "C"
	LIMIT 15$query$),
	(3, 'leaving', 'list_at_risk', true, '{customer,signals,days_away,risk_share,clv,at_stake}', 2, $query$
	SELECT ARRAY[c.customer_id::text, c.signals::text, segment_internal.chart_amount(c.days_since_last, $1), segment_internal.chart_percent(c.churn_risk::numeric, $1),
		segment_internal.chart_amount(w.worth::numeric, $1), segment_internal.chart_amount((c.churn_risk * w.worth)::numeric, $1)]
	FROM churn_signal AS c
	CROSS JOIN LATERAL (SELECT coalesce(CASE WHEN ($1 ->> 'usable')::boolean THEN c.clv END, c.past_spend::float8 * 365 / nullif(c.past_days, 0)) AS worth) AS w
	WHERE c.churn_risk * w.worth > 0
	ORDER BY c.churn_risk * w.worth DESC, c.customer_id::text COLLATE "C"
	LIMIT 15$query$),
	(4, 'leaving', 'list_won_back', true, '{customer,left_day,since,orders,sales_since}', 4, $query$
	SELECT ARRAY[w.customer_id::text, w.left_day::text, w.since::text, segment_internal.chart_amount(w.orders, $1), segment_internal.chart_amount(w.value, $1)]
	FROM win_back AS w
	ORDER BY w.since DESC, w.value DESC, w.customer_id::text COLLATE "C"
	LIMIT 15$query$),
	(5, 'trust', 'list_backtest', false, '{measure,model,baseline,meaning}', 2, $query$
	SELECT ARRAY[b.measure, segment_internal.chart_marks(round(b.model::numeric, 3)::text, $1), segment_internal.chart_marks(round(b.baseline::numeric, 3)::text, $1), b.meaning]
	FROM (SELECT 1) AS always
	CROSS JOIN LATERAL segment.backtest($2, ($1 ->> 'cutoff')::date, ($1 ->> 'horizon')::integer) AS b
	WHERE ($1 ->> 'horizon')::integer > 0 AND b.measure <> 'verdict' AND b.model IS NOT NULL$query$),
	(6, 'trust', 'list_quality', false, '{source,check,count,money,meaning}', 3, $query$
	SELECT ARRAY[q.source, q.check_name, segment_internal.chart_amount(q.count, $1), segment_internal.chart_amount(q.money, $1), q.meaning]
	FROM data_quality AS q
	WHERE q.count > 0
	ORDER BY q.source COLLATE "C", q.check_name COLLATE "C"$query$),
	(7, 'trust', 'list_model', false, '{item,content}', 3, $query$
	SELECT ARRAY[i.item, i.content]
	FROM (SELECT * FROM model_card AS d ORDER BY d.scorecard_id DESC LIMIT 1) AS m
	CROSS JOIN LATERAL (VALUES (1, 'as_of', m.as_of::text), (2, 'customers', segment_internal.chart_amount(m.customers, $1)), (3, 'buyers', segment_internal.chart_amount(m.buyers, $1)),
		(4, 'usual_gap_days', round(m.usual_gap_days::numeric, 1)::text), (5, 'margin', m.margin::text), (6, 'purchase_model', concat_ws(': ', m.purchase_model, m.purchase_status)),
		(7, 'purchase_parameters', m.purchase_parameters), (8, 'purchase_warnings', nullif(m.purchase_warnings, '')),
		(9, 'spend_model', concat_ws(': ', m.spend_model, m.spend_status)), (10, 'spend_parameters', m.spend_parameters),
		(11, 'spend_warnings', nullif(m.spend_warnings, '')), (12, 'horizon_weeks', round(m.horizon_weeks::numeric, 1)::text),
		(13, 'annual_rate', m.annual_rate::text), (14, 'churn_basis', concat_ws(': ', m.churn_basis, m.churn_reason))) AS i(place, item, content)
	WHERE i.content <> ''
	ORDER BY i.place$query$)
) AS l(place, section, list, has_names, headers, numbers_from, query);
COMMENT ON VIEW segment_internal.report_list IS
'the lists of a report: section, word of the title, whether customers are named, words of the columns, the first column that is a number, query of the rows (internal)';
GRANT SELECT ON segment_internal.report_list TO PUBLIC;

/* ---------- the page ---------- */

/* JSON that is also right inside of an element script and of XML. */
CREATE FUNCTION segment_internal.report_json(document jsonb) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN replace(replace(replace(document::text, '<', '\u003c'), '>', '\u003e'), '&', '\u0026');
COMMENT ON FUNCTION segment_internal.report_json(jsonb) IS
'a document as text without the characters that end a script or begin an element (internal)';

CREATE FUNCTION segment_internal.report_table(headers text[], numbers_from integer, rows text[], options jsonb) RETURNS xml
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN (
	SELECT CASE WHEN rows = '{}' THEN xmlelement(NAME p, options -> 'words' ->> 'no_rows')
		ELSE xmlelement(NAME div, xmlattributes('scroll' AS class, '0' AS tabindex, 'region' AS role, array_to_string(ARRAY(
				SELECT options -> 'words' ->> h.word FROM unnest(headers) AS h(word)), ', ') AS "aria-label"),
			xmlelement(NAME table,
				xmlelement(NAME thead, xmlelement(NAME tr, (SELECT xmlagg(xmlelement(NAME th, xmlattributes('col' AS scope),
					options -> 'words' ->> h.word) ORDER BY h.ordinal) FROM unnest(headers) WITH ORDINALITY AS h(word, ordinal)))),
				xmlelement(NAME tbody, (SELECT xmlagg(xmlelement(NAME tr, (SELECT xmlagg(xmlelement(NAME td,
						xmlattributes(CASE WHEN h.ordinal >= numbers_from AND h.word NOT IN ('action', 'meaning', 'content') THEN 'number' END AS class),
						coalesce(rows[r.row][h.ordinal], '-')) ORDER BY h.ordinal) FROM unnest(headers) WITH ORDINALITY AS h(word, ordinal))) ORDER BY r.row)
					FROM generate_subscripts(rows, 1) AS r(row))))) END);
COMMENT ON FUNCTION segment_internal.report_table(text[], integer, text[], jsonb) IS
'a table of a report: headers, as words, and rows as an array of two dimensions (internal)';

CREATE FUNCTION segment_internal.report_lists(portfolio text, wanted text, options jsonb) RETURNS xml
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp SET jit = off
AS $report_lists$
DECLARE
	entry segment_internal.report_list;
	rows text[];
	page xml;
BEGIN
	FOR entry IN SELECT * FROM segment_internal.report_list AS l
		WHERE l.section = wanted AND ((options ->> 'names')::boolean OR NOT l.has_names) ORDER BY l.place
	LOOP
		PERFORM set_config('search_path', segment_internal.chart_path(portfolio), true);
		EXECUTE format('SELECT coalesce(array_agg(r.cells ORDER BY r.place), ''{}'') FROM (SELECT q.cells, row_number() OVER () AS place FROM (%s) AS q(cells)) AS r', entry.query)
		INTO rows USING options, portfolio;
		PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
		page := xmlconcat(page, xmlelement(NAME section, xmlattributes('list' AS class, entry.list AS id),
			xmlelement(NAME h3, format(options -> 'words' ->> entry.list, options ->> 'cutoff', options ->> 'horizon')),
			CASE WHEN entry.list = 'list_backtest' THEN xmlelement(NAME p, options ->> 'verdict') END,
			segment_internal.report_table(entry.headers, entry.numbers_from, rows, options)));
	END LOOP;
	RETURN page;
END
$report_lists$;
COMMENT ON FUNCTION segment_internal.report_lists(text, text, jsonb) IS
'the lists of a section of a report (internal)';

CREATE FUNCTION segment_internal.report_charts(portfolio text, wanted text, options jsonb) RETURNS xml
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
AS $report_charts$
DECLARE
	entry segment_internal.chart_catalog;
	spec jsonb;
	page xml;
	not_drawn xml;
BEGIN
	FOR entry IN SELECT * FROM segment_internal.chart_catalog AS c WHERE c.section = wanted ORDER BY c.place LOOP
		spec := segment_internal.chart_make(portfolio, entry, options);
		IF (spec #>> '{usermeta,segment,rows}')::bigint = 0 THEN
			not_drawn := xmlconcat(not_drawn, xmlelement(NAME li, concat_ws(': ', CASE options ->> 'language' WHEN 'zh' THEN entry.title_zh ELSE entry.title END,
				CASE options ->> 'language' WHEN 'zh' THEN entry.nothing_zh ELSE entry.nothing END)));
			CONTINUE;
		END IF;
		page := xmlconcat(page, xmlelement(NAME figure, xmlattributes('chart_' || entry.chart AS id),
			xmlelement(NAME figcaption, xmlelement(NAME h3, CASE options ->> 'language' WHEN 'zh' THEN entry.question_zh ELSE entry.question END),
				xmlelement(NAME p, CASE options ->> 'language' WHEN 'zh' THEN entry.title_zh ELSE entry.title END)),
			xmlelement(NAME div, xmlattributes('picture' AS class, '0' AS tabindex, 'img' AS role, spec ->> 'description' AS "aria-label"), spec ->> 'description'),
			xmlelement(NAME script, xmlattributes('application/json' AS type, 'chart' AS class), segment_internal.report_json(spec)::xml)));
	END LOOP;
	RETURN xmlconcat(page, CASE WHEN not_drawn IS NOT NULL THEN xmlelement(NAME div, xmlattributes('absent' AS class),
		xmlelement(NAME p, options -> 'words' ->> 'not_drawn'), xmlelement(NAME ul, not_drawn)) END);
END
$report_charts$;
COMMENT ON FUNCTION segment_internal.report_charts(text, text, jsonb) IS
'the charts of a section of a report, and which there are not, with the reason (internal)';

CREATE FUNCTION segment_internal.report_figures(portfolio text, options jsonb) RETURNS xml
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp SET jit = off
AS $report_figures$
DECLARE
	entry segment_internal.report_figure;
	answer segment_internal.report_answer;
	page xml;
BEGIN
	FOR entry IN SELECT * FROM segment_internal.report_figure AS f ORDER BY f.place LOOP
		PERFORM set_config('search_path', segment_internal.chart_path(portfolio), true);
		EXECUTE entry.query INTO answer USING options;
		PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
		CONTINUE WHEN answer.sentence IS NULL;
		page := xmlconcat(page, xmlelement(NAME section, xmlattributes('figure' AS class, entry.figure AS id),
			xmlelement(NAME h2, options -> 'words' ->> entry.figure),
			xmlelement(NAME p, xmlattributes('amount' AS class), xmlelement(NAME strong, answer.amount), CASE WHEN answer.change IS NOT NULL
				THEN xmlconcat(' '::xml, xmlelement(NAME span, xmlattributes(CASE WHEN answer.is_good THEN 'good' WHEN NOT answer.is_good THEN 'bad' ELSE 'change' END AS class), answer.change)) END),
			xmlelement(NAME p, answer.sentence)));
	END LOOP;
	RETURN xmlelement(NAME div, xmlattributes('figures' AS class), coalesce(page, ' '::xml));
END
$report_figures$;
COMMENT ON FUNCTION segment_internal.report_figures(text, jsonb) IS
'the figures of the first page of a report (internal)';

/* The options with what a test of the predictions says; see demo and chart calibration for its days. */
CREATE FUNCTION segment_internal.report_verdict(portfolio text, options jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
AS $report_verdict$
DECLARE
	last_day date;
	days integer;
	is_usable boolean;
	reason text;
BEGIN
	EXECUTE format('SELECT d.as_of, least(184, (d.as_of - (SELECT min(c.first_day) FROM %1$I.customer AS c)) / 4)
		FROM %1$I.model_card AS d ORDER BY d.scorecard_id DESC LIMIT 1', portfolio) INTO last_day, days;
	IF days >= 7 THEN
		SELECT b.model IS NOT DISTINCT FROM 1, b.meaning INTO is_usable, reason
		FROM segment.backtest(portfolio, last_day - days, days) AS b WHERE b.measure = 'verdict';
	END IF;
	RETURN options || jsonb_build_object('usable', coalesce(is_usable, false), 'cutoff', last_day - days, 'horizon', CASE WHEN days >= 7 THEN days ELSE 0 END,
		'verdict', concat_ws(' ', options -> 'words' ->> CASE WHEN is_usable THEN 'verdict_usable' WHEN is_usable IS NULL THEN 'verdict_not_tested' ELSE 'verdict_not_usable' END,
			'(' || reason || ')'));
END
$report_verdict$;
COMMENT ON FUNCTION segment_internal.report_verdict(text, jsonb) IS
'the options of charts with the verdict of a backtest over the last quarter of the data, at most half a year: usable, verdict, cutoff and horizon (internal)';

CREATE FUNCTION segment_internal.report_head(title text, scripts text) RETURNS xml
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN xmlelement(NAME head,
	xmlelement(NAME meta, xmlattributes('utf-8' AS charset)),
	xmlelement(NAME meta, xmlattributes('viewport' AS name, 'width=device-width, initial-scale=1' AS content)),
	xmlelement(NAME title, title),
	xmlelement(NAME style, $style$
:root { color-scheme: light dark; --ink: #222; --quiet: #555; --line: #ddd; --page: #fff; --card: #f6f8fa; --good: #00664b; --bad: #a33f00; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e8e8; --quiet: #b5b5b5; --line: #444; --page: #16191d; --card: #20252b; --good: #56d4ae; --bad: #ff9d5c; } }
* { box-sizing: border-box; }
body { margin: 0; color: var(--ink); background: var(--page); font: 15px/1.5 Helvetica, Arial, "Noto Sans", "Noto Sans CJK SC", "Microsoft YaHei", "PingFang SC", sans-serif; }
main { max-width: 900px; margin: 0 auto; padding: 24px; }
h1 { margin: 0; font-size: 26px; } h2 { font-size: 21px; margin: 40px 0 8px; } h3 { font-size: 16px; margin: 0; } p { margin: 4px 0; }
.day, figcaption p { color: var(--quiet); }
.figures { display: grid; grid-template-columns: repeat(6, 1fr); gap: 12px; margin: 20px 0; }
.figure { background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: 14px; grid-column: span 2; } .figure:nth-child(n+4) { grid-column: span 3; }
@media (max-width: 640px) { .figure, .figure:nth-child(n+4) { grid-column: span 6; } }
.figure h2 { font-size: 15px; font-weight: normal; margin: 0; color: var(--quiet); }
.amount strong { font-size: 28px; } .good { color: var(--good); } .bad { color: var(--bad); } .change { color: var(--quiet); }
figure { margin: 20px 0 28px; break-inside: avoid; } .picture { overflow-x: auto; padding: 4px 0; } .picture svg { max-width: 100%; height: auto; display: block; }
.list { margin: 24px 0; } .scroll { overflow-x: auto; } .absent { color: var(--quiet); }
table { border-collapse: collapse; width: 100%; font-size: 14px; } th { text-align: left; color: var(--quiet); font-weight: normal; }
th, td { padding: 4px 10px 4px 0; border-bottom: 1px solid var(--line); vertical-align: top; overflow-wrap: anywhere; } .number { text-align: right; white-space: nowrap; overflow-wrap: normal; }
tr { break-inside: avoid; }
@media print { main { max-width: none; padding: 0; } h2 { break-after: avoid; } main { font-size: 12px; } .part { break-before: page; } .scroll, .picture { overflow: visible; } }
$style$),
	CASE WHEN scripts IS NOT NULL THEN xmlconcat(
		xmlelement(NAME script, xmlattributes(rtrim(scripts, '/') || '/vega.min.js' AS src), ' '),
		xmlelement(NAME script, xmlattributes(rtrim(scripts, '/') || '/vega-lite.min.js' AS src), ' ')) END);
COMMENT ON FUNCTION segment_internal.report_head(text, text) IS
'the head of the page of a report: title, style and scripts (internal)';

CREATE TYPE segment_internal.report_page AS (page text);
COMMENT ON TYPE segment_internal.report_page IS 'a page as HTML (internal)';

/* All of segment.report, as the portfolio's owner: see portfolio_run. */
CREATE FUNCTION segment_internal.report_write(portfolio text, arguments jsonb) RETURNS segment_internal.report_page
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
AS $report_write$
DECLARE
	given jsonb := coalesce(nullif(arguments -> 'options', 'null'), '{}');
	-- on the page's own background, with the title above the picture
	options jsonb := segment_internal.report_verdict(portfolio, segment_internal.chart_texts(segment_internal.chart_options(given)
		|| '{"title": false, "ink": "currentColor", "background": "transparent"}'));
	title text := format(options -> 'words' ->> 'report_of', portfolio);
	day text;
	part text;
	body xml;
BEGIN
	EXECUTE format($query$SELECT format($1 -> 'words' ->> 'report_day', segment_internal.chart_amount(d.customers, $1), d.as_of)
		FROM %I.model_card AS d ORDER BY d.scorecard_id DESC LIMIT 1$query$, portfolio) INTO day USING options;
	body := xmlconcat(xmlelement(NAME h1, title), xmlelement(NAME p, xmlattributes('day' AS class), day), segment_internal.report_figures(portfolio, options));
	FOREACH part IN ARRAY '{money,leaving,growth,trust}'::text[] LOOP
		body := xmlconcat(body, xmlelement(NAME section, xmlattributes('part' AS class, part AS id), xmlelement(NAME h2, options -> 'words' ->> ('section_' || part)),
			segment_internal.report_charts(portfolio, part, options), segment_internal.report_lists(portfolio, part, options)));
	END LOOP;
	RETURN ROW(E'<!DOCTYPE html>\n' || xmlelement(NAME html, xmlattributes(CASE options ->> 'language' WHEN 'zh' THEN 'zh-CN' ELSE 'en' END AS lang),
		segment_internal.report_head(title, arguments ->> 'scripts'),
		xmlelement(NAME body, xmlelement(NAME main, body), CASE WHEN arguments ->> 'scripts' IS NOT NULL THEN xmlelement(NAME script, $script$
document.querySelectorAll('script.chart').forEach(function (script) {
	var spec = JSON.parse(script.textContent), place = script.parentNode.querySelector('.picture');
	place.textContent = '';
	var view = new vega.View(vega.parse(vegaLite.compile(spec).spec), { renderer: 'svg', container: place, hover: true });
	view.locale(vega.locale(spec.config.locale.number, spec.config.locale.time));
	view.runAsync();
});
$script$::xml) END))::text)::segment_internal.report_page;
END
$report_write$;
COMMENT ON FUNCTION segment_internal.report_write(text, jsonb) IS
'writes a report with the current user''s rights; errors as for segment.report (internal)';

CREATE FUNCTION segment.report(name text, scripts text DEFAULT NULL, options jsonb DEFAULT '{}') RETURNS text
LANGUAGE sql STABLE PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
RETURN (SELECT r.page FROM segment_internal.portfolio_run(name, 'report', jsonb_build_object('scripts', scripts, 'options', options),
	NULL::segment_internal.report_page) AS r);
COMMENT ON FUNCTION segment.report(text, text, jsonb) IS
'a report on a portfolio as one page of HTML: figures with their change and a sentence, charts by question, lists, and how far the figures can be trusted. scripts: address of the directory that has vega.min.js and vega-lite.min.js, with which the page draws its charts; NULL: they are in the page as specifications only, as the program segment-report takes them. options as for chart; names false leaves out the lists of customers. Where a backtest does not find the model usable, no value is shown that it predicts. Errors as for chart, 0A000 where the server was built without XML';
