/*
 * chart: pictures of a portfolio, as Vega-Lite specifications with their data
 *
 * A chart is one row of the catalog: a query over the views of a portfolio, and
 * a template, which says what of the query's columns is drawn where.  Names of
 * columns are words of a vocabulary, which gives titles and formats in each
 * language.  So a template has no text, and a query no looks.
 */

/* ---------- languages ---------- */

/*
 * As unescape, but without a subtransaction, so that it can run in parallel:
 * other encodings than UTF8 are not asked whether they have the characters.
 */
CREATE FUNCTION segment_internal.chart_unescape(escaped text, otherwise text) RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN CASE WHEN getdatabaseencoding() = 'UTF8' THEN unistr(regexp_replace(escaped, '&#x([0-9A-F]{6});', '\\+\1', 'g')) ELSE otherwise END;
COMMENT ON FUNCTION segment_internal.chart_unescape(text, text) IS
'a text in which characters are written as &#xXXXXXX;, with their code in Unicode; or the other one, where the encoding of the database is not UTF8 (internal)';

CREATE VIEW segment_internal.chart_locale AS
SELECT l.locale, l.numbers, segment_internal.chart_unescape(l.times, l.times)::jsonb AS times
FROM (VALUES
	('en', '{"decimal": ".", "thousands": ",", "grouping": [3], "currency": ["", ""]}'::jsonb,
	 '{"dateTime": "%x, %X", "date": "%Y-%m-%d", "time": "%H:%M:%S", "periods": ["AM", "PM"],
	   "days": ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"],
	   "shortDays": ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"],
	   "months": ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"],
	   "shortMonths": ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]}'),
	('de', '{"decimal": ",", "thousands": ".", "grouping": [3], "currency": ["", ""]}',
	 '{"dateTime": "%x, %X", "date": "%d.%m.%Y", "time": "%H:%M:%S", "periods": ["AM", "PM"],
	   "days": ["Sonntag", "Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag"],
	   "shortDays": ["So", "Mo", "Di", "Mi", "Do", "Fr", "Sa"],
	   "months": ["Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober", "November", "Dezember"],
	   "shortMonths": ["Jan.", "Feb.", "März", "Apr.", "Mai", "Juni", "Juli", "Aug.", "Sep.", "Okt.", "Nov.", "Dez."]}'),
	('zh', '{"decimal": ".", "thousands": ",", "grouping": [3], "currency": ["", ""]}',
	 '{"dateTime": "%x %X", "date": "%Y-%m-%d", "time": "%H:%M:%S", "periods": ["上午", "下午"],
	   "days": ["星期日", "星期一", "星期二", "星期三", "星期四", "星期五", "星期六"],
	   "shortDays": ["周日", "周一", "周二", "周三", "周四", "周五", "周六"],
	   "months": ["一月", "二月", "三月", "四月", "五月", "六月", "七月", "八月", "九月", "十月", "十一月", "十二月"],
	   "shortMonths": ["1月", "2月", "3月", "4月", "5月", "6月", "7月", "8月", "9月", "10月", "11月", "12月"]}')
) AS l(locale, numbers, times);
COMMENT ON VIEW segment_internal.chart_locale IS
'how numbers and times are written, as D3 takes it (internal)';
GRANT SELECT ON segment_internal.chart_locale TO PUBLIC;

/* From which amount on a letter stands for zeros, and how many it stands for. */
CREATE VIEW segment_internal.chart_scale AS
SELECT s.language, s.least, s.divisor, segment_internal.chart_unescape(s.letter, s.fallback) AS letter
FROM (VALUES ('en', 1e9, 1e9, 'bn', 'bn'), ('en', 1e6, 1e6, 'M', 'M'), ('en', 1e4, 1e3, 'k', 'k'),
	('zh', 1e8, 1e8, '亿', 'e8'), ('zh', 1e4, 1e4, '万', 'e4')) AS s(language, least, divisor, letter, fallback);
COMMENT ON VIEW segment_internal.chart_scale IS
'how large amounts are shortened in each language: from which amount on, by what they are divided, and the letter for it (internal)';
GRANT SELECT ON segment_internal.chart_scale TO PUBLIC;

CREATE VIEW segment_internal.chart_vocabulary AS
SELECT v.word, v.unit, v.en, segment_internal.chart_unescape(v.zh, v.en) AS zh
FROM (VALUES
	('label', 'text', 'class', '级别'),
	('measure', 'text', 'measure', '指标'),
	('part', 'share', 'share', '占比'),
	('customers', 'amount', 'customers', '客户数'),
	('sales', 'amount', 'sales', '销售额'),
	('profit', 'amount', 'profit', '利润'),
	('value', 'amount', 'expected value', '客户生命周期价值'),
	('r_score', 'text', 'recency: 1 long ago, highest recent', '最近消费：1为久未消费，最高分为最近'),
	('f_score', 'text', 'frequency: highest most often', '消费频率：最高分为最频繁'),
	('customer_share', 'share', 'share of customers, the best first', '客户占比（从最好的客户起）'),
	('cumulative_profit', 'amount', 'profit of these customers', '这些客户的利润'),
	('deviations', 'number', 'above the mean', '高于平均'),
	('net', 'text', 'sales', '销售额'),
	('purchase_days', 'text', 'purchase days', '购买天数'),
	('days_since_last', 'text', 'days away', '未购买天数'),
	('average_order', 'text', 'average order', '平均订单额'),
	('month', 'month', 'month', '月份'),
	('active', 'amount', 'active customers', '活跃客户数'),
	('flow', 'text', 'customers', '客户'),
	('flow_customers', 'amount', 'customers a month', '每月客户数'),
	('new', 'text', 'new', '新的购买者'),
	('won_back', 'text', 'won back', '挽回的客户'),
	('lost', 'text', 'lost', '流失的购买者'),
	('opening', 'text', 'start', '期初'),
	('grown', 'text', 'bought more', '增购'),
	('shrunk', 'text', 'bought less', '减购'),
	('other', 'text', 'other refunds', '其他退款'),
	('closing', 'text', 'end', '期末'),
	('step', 'text', 'change', '变动'),
	('start', 'amount', 'sales of a year', '年销售额'),
	('cohort', 'text', 'month of the first order', '首次购买月份'),
	('age', 'count', 'months since the first order', '首次购买后的月数'),
	('retention', 'share', 'share that ordered', '当月购买占比'),
	('from_label', 'text', 'a year ago', '一年前'),
	('to_label', 'text', 'now', '现在'),
	('not_yet', 'text', 'not a customer yet', '尚未成为客户'),
	('gone', 'text', 'no longer there', '已不存在'),
	('row_share', 'share', 'share of the row', '占该行比例'),
	('churn_rate', 'rate', 'lost in the month', '当月流失率'),
	('base_rate', 'rate', 'mean of the 12 months before', '前12个月平均'),
	('decile', 'text', 'tenth of the customers, by what was predicted', '按预测排序的十分位'),
	('purchases', 'number', 'purchase days per customer', '每位客户的购买天数'),
	('predicted', 'text', 'predicted', '预测'),
	('actual', 'text', 'actual', '实际'),
	('risk', 'share', 'probability of being lost', '流失概率'),
	('worth', 'amount', 'value that could be lost', '可能流失的价值'),
	('signals', 'count', 'signs', '预警信号数'),
	('day', 'text', 'snapshot', '快照'),
	('owner', 'text', 'owner', '负责人'),
	('equity', 'amount', 'change of customer equity', '客户资产变动'),
	('came', 'text', 'customers who came', '新增客户'),
	('went', 'text', 'customers who left', '离开的客户'),
	('rose', 'text', 'customers who grew', '增长的客户'),
	('fell', 'text', 'customers who shrank', '萎缩的客户'),
	('month_format', 'text', '%b %Y', '%Y年%-m月'),
	('first_rows', 'text', 'the first %s only', '仅显示前%s项'),
	('top_customers', 'text', '%s of the customers bring %s of the profit', '%s的客户带来%s的利润'),
	('nothing', 'text', 'Nothing to draw: %s', '暂无图表：%s'),
	('report_of', 'text', 'Customers: %s', '客户报告：%s'),
	('report_day', 'text', '%s customers, as of %s', '%s位客户，截至%s'),
	('not_drawn', 'text', 'Not drawn', '未绘制的图表'),
	('section_money', 'text', 'Who brings the money?', '谁带来收入？'),
	('section_leaving', 'text', 'Who leaves, and whom can we keep?', '谁在流失，谁可以留住？'),
	('section_growth', 'text', 'Are we growing?', '我们在成长吗？'),
	('section_trust', 'text', 'How far can the figures be trusted?', '这些数字可信吗？'),
	('figure_sales', 'text', 'Sales', '销售额'),
	('sentence_sales', 'text', 'Customers bought for %1$s in the last %2$s days, against %3$s in as many days before.', '最近%2$s天客户购买额为%1$s，此前同样天数为%3$s。'),
	('sentence_sales_first', 'text', 'Customers bought for %1$s in the last %2$s days; there is nothing before to compare with.', '最近%2$s天客户购买额为%1$s，此前没有可比时期。'),
	('figure_active', 'text', 'Active customers', '活跃客户'),
	('sentence_active', 'text', '%1$s customers are active. In the last %2$s months %3$s were new, %4$s came back and %5$s were lost.', '现有%1$s位活跃客户。最近%2$s个月新增%3$s位，挽回%4$s位，流失%5$s位。'),
	('figure_concentration', 'text', 'Sales to the best fifth of the buyers', '最好五分之一购买者的销售额占比'),
	('sentence_concentration', 'text', '%1$s of all sales come from %2$s of the customers (%3$s). The best fifth of the buyers of the last %4$s days brought %5$s.', '%2$s的客户（%3$s）带来全部销售额的%1$s。最近%4$s天的购买者中，最好的五分之一带来%5$s。'),
	('figure_churn', 'text', 'Lost in a month', '月流失率'),
	('sentence_churn_first', 'text', 'In a month %1$s of the active customers are lost.', '每月流失%1$s的活跃客户。'),
	('sentence_churn_chance', 'text', 'In a month %1$s of the active customers are lost, against %2$s in the 12 months before. The difference may be chance.', '每月流失%1$s的活跃客户，此前12个月为%2$s。差异可能出于偶然。'),
	('sentence_churn_change', 'text', 'In a month %1$s of the active customers are lost, against %2$s in the 12 months before. That is more than chance.', '每月流失%1$s的活跃客户，此前12个月为%2$s。差异并非偶然。'),
	('figure_slipping', 'text', 'Slipping away', '正在流失'),
	('sentence_slipping', 'text', '%1$s customers who brought %2$s of all sales are overdue against their own rhythm, but not asleep yet.', '%1$s位客户已超过自己的购买节奏，但尚未沉睡；他们带来全部销售额的%2$s。'),
	('sentence_year_before', 'text', 'A year before there were %1$s.', '一年前为%1$s位。'),
	('points', 'text', '%s points', '%s个百分点'),
	('list_actions', 'text', 'What to do', '对策'),
	('list_at_risk', 'text', 'At risk: whom to call first', '流失风险：应先联系的客户'),
	('list_best', 'text', 'Best customers', '最佳名单'),
	('list_won_back', 'text', 'Came back last', '最近挽回的客户'),
	('list_backtest', 'text', 'Predictions tested: what was known on %s, against the %s days after', '预测检验：以%s已知的数据预测其后%s天'),
	('list_quality', 'text', 'Doubtful rows of the data', '可疑的数据行'),
	('list_model', 'text', 'Model card', '模型卡'),
	('verdict_usable', 'text', 'The predictions passed the test.', '预测通过了检验。'),
	('verdict_not_usable', 'text', 'The predictions did not pass the test, so values that a model predicts are not shown.', '预测未通过检验，因此不显示模型预测的价值。'),
	('verdict_not_tested', 'text', 'The data are too short to test predictions, so values that a model predicts are not shown.', '数据太短，无法检验预测，因此不显示模型预测的价值。'),
	('no_rows', 'text', 'None.', '无。'),
	('customer', 'text', 'customer', '客户'),
	('share_of_sales', 'text', '% of sales', '销售额占比'),
	('action', 'text', 'what to do', '对策'),
	('orders', 'text', 'orders', '订单数'),
	('last_day', 'text', 'last order', '最近购买'),
	('days_away', 'text', 'days away', '未购买天数'),
	('clv', 'text', 'value', '价值'),
	('risk_share', 'text', 'risk', '流失概率'),
	('at_stake', 'text', 'value at risk', '可能流失的价值'),
	('left_day', 'text', 'left on', '离开日期'),
	('since', 'text', 'came back on', '回归日期'),
	('sales_since', 'text', 'sales since', '回归后销售额'),
	('source', 'text', 'source', '来源'),
	('check', 'text', 'check', '检查项'),
	('count', 'text', 'rows', '行数'),
	('money', 'text', 'money', '金额'),
	('meaning', 'text', 'meaning', '含义'),
	('model', 'text', 'model', '模型'),
	('baseline', 'text', 'baseline', '基准'),
	('item', 'text', 'item', '项目'),
	('content', 'text', 'value', '内容'),
	('chart_of', 'text', '%s. %s Bars or points: %s.', '%s。%s共%s项数据。')
) AS v(word, unit, en, zh);
COMMENT ON VIEW segment_internal.chart_vocabulary IS
'the words of charts and of the report: names of the columns of their queries and of what is compared, sentences, with the unit of their values (amount, count, number, share, rate, month, text), in English and Chinese (internal)';
GRANT SELECT ON segment_internal.chart_vocabulary TO PUBLIC;

CREATE FUNCTION segment_internal.chart_label(class text, label text, label_zh text, language text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN CASE WHEN language = 'zh' THEN coalesce(nullif(label_zh, ''), nullif(label, ''), class)
	ELSE coalesce(nullif(label, ''), class) END;
COMMENT ON FUNCTION segment_internal.chart_label(text, text, text, text) IS
'how a class is called in a language: its label, else its name (internal)';

/* ---------- options ---------- */

CREATE VIEW segment_internal.chart_option AS
SELECT o.option, o.type, o.default_value, o.meaning
FROM (VALUES
	('language', 'string', '"en"'::jsonb, 'en or zh: titles, labels of classes, months'),
	('locale', 'string', NULL, 'how numbers and names of months are written: en, de or zh; by default that of the language'),
	('vega_lite', 'number', '5', '5 or 6: the version that $schema names'),
	('max_points', 'number', '2000', 'how many rows of data at most, from 1 to 100000'),
	('scheme', 'string', NULL, 'scheme of classes, for charts of classes; by default that of the chart'),
	('names', 'boolean', 'true', 'whether keys of customers are shown'),
	('usable', 'boolean', 'true', 'whether values that a model predicts are shown; false: profit and spend in their place'),
	('title', 'boolean', 'true', 'whether the title is in the picture'),
	('ink', 'string', '"#333333"', 'color of texts and axes'),
	('background', 'string', '"white"', 'color behind the picture; transparent: none')
) AS o(option, type, default_value, meaning);
COMMENT ON VIEW segment_internal.chart_option IS
'the options of segment.chart (internal)';
GRANT SELECT ON segment_internal.chart_option TO PUBLIC;

CREATE FUNCTION segment_internal.chart_options(options jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $chart_options$
DECLARE
	given record;
	known_type text;
	complete jsonb;
BEGIN
	options := coalesce(nullif(options, 'null'), '{}');
	IF jsonb_typeof(options) <> 'object' THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('options must be a JSON object, not %s', options);
	END IF;
	FOR given IN SELECT g.key, g.value FROM jsonb_each(options) AS g LOOP
		SELECT o.type INTO known_type FROM segment_internal.chart_option AS o WHERE o.option = given.key;
		IF NOT FOUND THEN
			RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
				MESSAGE = format('option "%s" of charts is not known', given.key),
				HINT = (SELECT format('Options are %s.', string_agg(o.option, ', ' ORDER BY o.option)) FROM segment_internal.chart_option AS o);
		ELSIF jsonb_typeof(given.value) NOT IN (known_type, 'null') THEN
			RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
				MESSAGE = format('option "%s" of charts must be a %s, not %s', given.key, known_type, given.value);
		END IF;
	END LOOP;
	SELECT jsonb_object_agg(o.option, coalesce(nullif(options -> o.option, 'null'), o.default_value, 'null'))
	INTO complete FROM segment_internal.chart_option AS o;
	complete := complete || jsonb_build_object('locale', coalesce(complete ->> 'locale', complete ->> 'language'));
	FOR given IN SELECT * FROM (VALUES
		('language', (complete ->> 'language') IN ('en', 'zh'), 'en or zh'),
		('locale', EXISTS (SELECT FROM segment_internal.chart_locale AS l WHERE l.locale = complete ->> 'locale'), 'en, de or zh'),
		('vega_lite', complete -> 'vega_lite' IN ('5', '6'), '5 or 6'),
		('max_points', (complete ->> 'max_points')::numeric BETWEEN 1 AND 100000
			AND (complete ->> 'max_points')::numeric % 1 = 0, 'a whole number from 1 to 100000')) AS c(key, is_right, value)
	LOOP
		IF NOT given.is_right THEN
			RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
				MESSAGE = format('option "%s" of charts must be %s, not %s', given.key, given.value, complete -> given.key);
		END IF;
	END LOOP;
	RETURN complete;
END
$chart_options$;
COMMENT ON FUNCTION segment_internal.chart_options(jsonb) IS
'all options of charts: those given, and the defaults of the others; error 22023 for an unknown option, a wrong type or value (internal)';

/*
 * The options with all that depends on them alone, so that nothing needs to be
 * looked up for each row: words, the locale, the letters of large amounts.
 */
CREATE FUNCTION segment_internal.chart_texts(options jsonb) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN options || jsonb_build_object(
	'words', (SELECT jsonb_object_agg(v.word, CASE options ->> 'language' WHEN 'zh' THEN v.zh ELSE v.en END) FROM segment_internal.chart_vocabulary AS v),
	'units', (SELECT jsonb_object_agg(v.word, v.unit) FROM segment_internal.chart_vocabulary AS v),
	'scales', (SELECT jsonb_agg(jsonb_build_array(s.least, s.divisor, s.letter) ORDER BY s.least DESC)
		FROM segment_internal.chart_scale AS s WHERE s.language = options ->> 'language'),
	'numbers', (SELECT l.numbers FROM segment_internal.chart_locale AS l WHERE l.locale = options ->> 'locale'),
	'times', (SELECT l.times FROM segment_internal.chart_locale AS l WHERE l.locale = options ->> 'locale'));
COMMENT ON FUNCTION segment_internal.chart_texts(jsonb) IS
'the complete options of charts with words, their units, locale and letters of large amounts (internal)';

CREATE FUNCTION segment_internal.chart_marks(number text, options jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN translate(number, ',.', concat(options -> 'numbers' ->> 'thousands', options -> 'numbers' ->> 'decimal'));
COMMENT ON FUNCTION segment_internal.chart_marks(text, jsonb) IS
'a number that is written with comma and point, with the marks of the locale in the options of charts (internal)';

/* Three digits and a letter where that is enough: 1.21M, 12.3k, 987. */
CREATE FUNCTION segment_internal.chart_amount(amount numeric, options jsonb) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN (
	SELECT concat(CASE WHEN amount < 0 THEN '-' END,
		segment_internal.chart_marks(to_char(n.shown, CASE WHEN n.shown >= 100 OR n.shown % 1 = 0 THEN 'FM999,999,999,999,999,999,999,999,999,990'
			WHEN n.shown >= 10 AND n.letter IS NOT NULL THEN 'FM990.0' ELSE 'FM990.00' END), options), n.letter)
	FROM (
		SELECT abs(amount) / coalesce((s.scale ->> 1)::numeric, 1) AS shown, s.scale ->> 2 AS letter
		FROM (VALUES (0)) AS always
		LEFT JOIN jsonb_array_elements(options -> 'scales') AS s(scale) ON abs(amount) >= (s.scale ->> 0)::numeric
		ORDER BY (s.scale ->> 0)::numeric DESC NULLS LAST
		LIMIT 1
	) AS n);
COMMENT ON FUNCTION segment_internal.chart_amount(numeric, jsonb) IS
'an amount as a short text, by the options of charts (internal)';

CREATE FUNCTION segment_internal.chart_percent(share numeric, options jsonb) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN segment_internal.chart_marks(to_char(100 * share, CASE WHEN abs(share) >= 0.0995 OR share = 0 THEN 'FM999,999,999,990' ELSE 'FM990.0' END), options)
	|| CASE options ->> 'language' WHEN 'zh' THEN '%' ELSE ' %' END;
COMMENT ON FUNCTION segment_internal.chart_percent(numeric, jsonb) IS
'a share as a text in percent, by the options of charts (internal)';

/* ---------- templates ---------- */

/*
 * What a channel that shows a column of the query gets where the template does
 * not say otherwise: the title, and how values are written.
 */
CREATE FUNCTION segment_internal.chart_channel(channel text, field text, type text, options jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN (
	SELECT jsonb_build_object('title', options -> 'words' ->> field)
		|| CASE WHEN channel IN ('x', 'y') AND v.format IS NOT NULL THEN jsonb_build_object('axis', jsonb_build_object('format', v.format))
			WHEN channel IN ('x', 'y') AND v.unit IN ('amount', 'count') AND type = 'quantitative' THEN jsonb_build_object('axis', jsonb_build_object('labelExpr', (
				SELECT string_agg(format('abs(datum.value) >= %s ? format(datum.value / %s, '',.6~r'') + ''%s'' : ', s.scale ->> 0, s.scale ->> 1, s.scale ->> 2), '' ORDER BY s.ordinal)
					|| 'format(datum.value, '',.6~r'')'
				FROM jsonb_array_elements(options -> 'scales') WITH ORDINALITY AS s(scale, ordinal))))
			WHEN channel IN ('color', 'size') AND type = 'quantitative' THEN jsonb_build_object('legend', jsonb_build_object('format', coalesce(v.format, CASE v.unit WHEN 'number' THEN ',.2~r' ELSE ',.6~r' END)))
			WHEN channel IN ('text', 'tooltip') AND type <> 'nominal' THEN jsonb_build_object('format', coalesce(v.format, ',.3~r'))
			ELSE '{}' END
	FROM (
		SELECT u.unit, CASE u.unit WHEN 'share' THEN '.0%' WHEN 'rate' THEN '.1%' WHEN 'month' THEN options -> 'words' ->> 'month_format' END AS format
		FROM (SELECT options -> 'units' ->> field AS unit) AS u
		WHERE u.unit IS NOT NULL
	) AS v);
COMMENT ON FUNCTION segment_internal.chart_channel(text, text, text, jsonb) IS
'title and format of a channel of a Vega-Lite specification that shows a word of the vocabulary; NULL if it is not a word (internal)';

/* A template with its texts: an object {"word": "..."} stands for a word. */
CREATE FUNCTION segment_internal.chart_localize(node jsonb, channel text, options jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $chart_localize$
DECLARE
	usual jsonb;
	own jsonb;
BEGIN
	IF jsonb_typeof(node) = 'array' THEN
		RETURN (SELECT coalesce(jsonb_agg(segment_internal.chart_localize(e.value, channel, options) ORDER BY e.ordinal), '[]')
			FROM jsonb_array_elements(node) WITH ORDINALITY AS e(value, ordinal));
	ELSIF jsonb_typeof(node) <> 'object' THEN
		RETURN node;
	ELSIF node ? 'word' THEN
		RETURN to_jsonb(options -> 'words' ->> (node ->> 'word'));
	END IF;
	usual := coalesce(segment_internal.chart_channel(channel, node ->> 'field', node ->> 'type', options), '{}');
	SELECT coalesce(jsonb_object_agg(e.key,
		CASE WHEN jsonb_typeof(l.value) = 'object' AND usual ? e.key THEN (usual -> e.key) || l.value ELSE l.value END), '{}')
	INTO own
	FROM jsonb_each(node) AS e
	CROSS JOIN LATERAL segment_internal.chart_localize(e.value, e.key, options) AS l(value);
	RETURN usual || own;
END
$chart_localize$;
COMMENT ON FUNCTION segment_internal.chart_localize(jsonb, text, jsonb) IS
'the template of a chart with its texts in a language, titles and formats of columns included (internal)';

/* ---------- the catalog ---------- */

/*
 * The query is run as the portfolio's owner, with the portfolio's schema before
 * pg_temp in the search path; $1 are the options, $2 is the portfolio.  Its
 * order is that of the rows and of the classes in the picture; what comes after
 * max_points rows is left out.
 */
CREATE VIEW segment_internal.chart_catalog AS
SELECT c.place, c.chart, c.section, c.relation, c.title, segment_internal.chart_unescape(c.title_zh, c.title) AS title_zh,
	c.question, segment_internal.chart_unescape(c.question_zh, c.question) AS question_zh,
	c.nothing, segment_internal.chart_unescape(c.nothing_zh, c.nothing) AS nothing_zh, c.query, c.template, c.panel
FROM (VALUES
	(1, 'segments', 'money', 'segment_summary',
	 'Customers, sales and value by segment', '各细分群的客户、销售额与价值',
	 'Which segments bring the money?', '哪些细分群带来收入？',
	 'no customers yet', '尚无客户',
	 $query$
	SELECT segment_internal.chart_label(s.class, s.label, s.label_zh, $1 ->> 'language') AS label,
		$1 -> 'words' ->> m.measure AS measure, round(m.part::numeric, 4) AS part, m.place
	FROM (SELECT t.*, bool_or(t.clv_share IS NOT NULL) OVER () AND ($1 ->> 'usable')::boolean AS has_value FROM segment_summary AS t
		WHERE t.scheme = coalesce($1 ->> 'scheme', 'rfm_segment')) AS s
	CROSS JOIN LATERAL (VALUES (1, 'customers', s.share), (2, 'sales', s.net_share),
		(3, CASE WHEN s.has_value THEN 'value' ELSE 'profit' END,
			CASE WHEN s.has_value THEN coalesce(s.clv_share, 0) ELSE s.profit_share END)) AS m(place, measure, part)
	WHERE s.customers > 0 AND m.part IS NOT NULL
	ORDER BY m.place, s.class_rank$query$,
	 '{"facet": {"column": {"field": "measure", "type": "nominal", "sort": {"field": "place", "op": "min"}, "title": null,
		"header": {"labelFontSize": 13, "labelFontWeight": "bold", "labelAnchor": "start"}}},
	   "spacing": 12,
	   "spec": {"width": 200, "height": {"step": 24},
		"encoding": {"y": {"field": "label", "type": "nominal", "sort": null, "title": null},
			"x": {"field": "part", "type": "quantitative", "axis": null, "scale": {"range": [0, 160]}}},
		"layer": [{"mark": {"type": "bar", "height": {"band": 0.72}}},
			{"mark": {"type": "text", "align": "left", "dx": 4}, "encoding": {"text": {"field": "part", "type": "quantitative"}}}]}}'::jsonb,
	 '["barchart", "label", "measure", "part"]'::jsonb),

	(2, 'pyramid', 'money', 'pyramid',
	 'The customer pyramid', '客户金字塔',
	 'How much rests on a few customers?', '有多少业绩依赖少数客户？',
	 'no customers yet', '尚无客户',
	 $query$
	SELECT segment_internal.chart_label(p.class, p.label, p.label_zh, $1 ->> 'language') AS label,
		$1 -> 'words' ->> m.measure AS measure, round(m.part::numeric, 4) AS part,
		round(-abs(m.part::numeric) / 2, 5) AS low, round(abs(m.part::numeric) / 2, 5) AS high, m.part < 0 AS is_loss, m.place
	FROM pyramid AS p
	CROSS JOIN LATERAL (VALUES (1, 'customers', p.customer_share), (2, 'sales', p.sales_share), (3, 'profit', p.profit_share))
		AS m(place, measure, part)
	WHERE p.scheme = coalesce($1 ->> 'scheme', 'abcd') AND p.customers > 0 AND m.part IS NOT NULL
	ORDER BY m.place, p.class_rank$query$,
	 '{"facet": {"column": {"field": "measure", "type": "nominal", "sort": {"field": "place", "op": "min"}, "title": null,
		"header": {"labelFontSize": 13, "labelFontWeight": "bold"}}},
	   "spacing": 12,
	   "spec": {"width": 200, "height": {"step": 34},
		"encoding": {"y": {"field": "label", "type": "nominal", "sort": null, "title": null}},
		"layer": [{"mark": {"type": "bar", "height": {"band": 0.86}},
			"encoding": {"x": {"field": "low", "type": "quantitative", "axis": null, "scale": {"range": [0, 165]}}, "x2": {"field": "high"},
				"color": {"condition": {"test": "datum.is_loss", "value": "#e69f00"}, "value": "#0072b2"}}},
			{"mark": {"type": "text", "align": "left", "dx": 4},
			"encoding": {"x": {"field": "high", "type": "quantitative"}, "text": {"field": "part", "type": "quantitative"}}}]}}',
	 '["barchart", "label", "measure", "part"]'),

	(3, 'whale', 'money', 'concentration',
	 'The whale curve: profit of the best customers', '鲸鱼曲线：最好客户的利润',
	 'How few customers bring most of the profit, and who costs some of it?', '多少客户带来大部分利润，又有谁在消耗利润？',
	 'no customers with orders yet', '尚无下单客户',
	 $query$
	SELECT c.top_share AS customer_share, round(c.profit, 2) AS cumulative_profit,
		CASE WHEN c.top_share = 0.2 AND c.profit_share > 0 THEN format($1 -> 'words' ->> 'top_customers',
			segment_internal.chart_percent(0.2, $1), segment_internal.chart_percent(c.profit_share::numeric, $1)) END AS note
	FROM concentration AS c
	WHERE c.population = 'customers' AND c.profit IS NOT NULL
	UNION ALL
	-- a layer without a row has no extent
	SELECT 0, 0, '' WHERE EXISTS (SELECT FROM concentration AS c WHERE c.population = 'customers' AND c.profit IS NOT NULL)
	ORDER BY 1$query$,
	 '{"width": 560, "height": 260,
	   "encoding": {"x": {"field": "customer_share", "type": "quantitative"}, "y": {"field": "cumulative_profit", "type": "quantitative"}},
	   "layer": [{"mark": {"type": "area", "line": {"strokeWidth": 2}, "opacity": 0.25}},
		{"transform": [{"filter": "datum.note !== null"}], "mark": {"type": "point", "filled": true}, "encoding": {"size": {"condition": {"test": "datum.note", "value": 70}, "value": 0}}},
		{"transform": [{"filter": "datum.note !== null"}], "mark": {"type": "text", "align": "left", "baseline": "top", "dx": 8, "dy": 6, "fontSize": 13},
			"encoding": {"text": {"field": "note", "type": "nominal"}}}]}',
	 '["xychart", "customer_share", null, "cumulative_profit"]'),

	(4, 'rfm_grid', 'money', 'customer',
	 'Recency by frequency', '最近消费与消费频率',
	 'How recently and how often do customers buy?', '客户最近何时购买、购买多频繁？',
	 'nobody has ordered yet', '尚无人下单',
	 $query$
	SELECT g.r_score, g.f_score, g.customers, coalesce(round((g.net / nullif(sum(g.net) OVER (), 0))::numeric, 4), 0) AS part,
		2 * g.customers > max(g.customers) OVER () AS is_dark
	FROM (
		SELECT c.r_score, c.f_score, count(*) AS customers, sum(c.net) AS net
		FROM customer AS c WHERE c.r_score IS NOT NULL AND c.f_score IS NOT NULL
		GROUP BY c.r_score, c.f_score
	) AS g
	ORDER BY g.f_score DESC, g.r_score$query$,
	 '{"width": {"step": 84}, "height": {"step": 48},
	   "encoding": {"x": {"field": "r_score", "type": "ordinal", "axis": {"labelAngle": 0}}, "y": {"field": "f_score", "type": "ordinal", "sort": "descending"}},
	   "layer": [{"mark": {"type": "rect", "stroke": "white"}, "encoding": {"color": {"field": "customers", "type": "quantitative", "scale": {"scheme": "blues", "zero": true}}}},
		{"mark": {"type": "text", "fontSize": 13, "dy": -7}, "encoding": {"text": {"field": "customers", "type": "quantitative"},
			"color": {"condition": {"test": "datum.is_dark", "value": "white"}, "value": "#222222"}}},
		{"mark": {"type": "text", "fontSize": 11, "dy": 9},
			"encoding": {"text": {"field": "part", "type": "quantitative"},
			"color": {"condition": {"test": "datum.is_dark", "value": "white"}, "value": "#222222"}}}]}',
	 '["table", "f_score", "r_score", "customers"]'),

	(5, 'clusters', 'money', 'cluster_center',
	 'What the clusters are like', '各聚类的特征',
	 'What kinds of customers are there?', '有哪些类型的客户？',
	 'there is no scheme of clusters (segment.create_cluster_scheme)', '尚无聚类方案（segment.create_cluster_scheme）',
	 $query$
	SELECT segment_internal.chart_label(c.class, k.label, k.label_zh, $1 ->> 'language') AS label, coalesce($1 -> 'words' ->> c.col, c.col) AS col,
		segment_internal.chart_amount(CASE WHEN abs(p.mean) < 100 THEN round(p.mean::numeric, 1) ELSE round(p.mean::numeric) END, $1) AS mean, round(coalesce(c.deviations, 0)::numeric, 3) AS deviations,
		coalesce(k.class_rank, 100000) AS class_rank, abs(coalesce(c.deviations, 0)) > 0.6 * max(abs(coalesce(c.deviations, 0))) OVER () AS is_dark
	FROM cluster_center AS c
	LEFT JOIN class AS k ON k.scheme = c.scheme AND k.class = c.class
	-- centers are of values as they were taken, their logarithm maybe
	LEFT JOIN segment_profile AS p ON p.scheme = c.scheme AND p.class = c.class AND p.measure = c.col AND p.value IS NULL
	WHERE c.scheme = (SELECT min(s.scheme) FROM cluster_scheme AS s WHERE s.scheme = $1 ->> 'scheme' OR $1 ->> 'scheme' IS NULL)
	ORDER BY k.class_rank, c.class, c.col COLLATE "C"$query$,
	 '{"width": {"step": 120}, "height": {"step": 34},
	   "encoding": {"x": {"field": "col", "type": "nominal", "sort": null, "title": null, "axis": {"orient": "top", "labelAngle": 0}},
		"y": {"field": "label", "type": "nominal", "sort": {"field": "class_rank", "op": "min"}, "title": null}},
	   "layer": [{"mark": {"type": "rect", "stroke": "white"}, "encoding": {"color": {"field": "deviations", "type": "quantitative", "scale": {"scheme": "blueorange", "domainMid": 0, "reverse": true}}}},
		{"mark": {"type": "text"}, "encoding": {"text": {"field": "mean", "type": "nominal"},
			"color": {"condition": {"test": "datum.is_dark", "value": "white"}, "value": "#222222"}}}]}',
	 '["table", "label", "col", "deviations"]'),

	(6, 'leaky_bucket', 'leaving', 'leaky_bucket',
	 'The leaky bucket: customers who come and go', '漏水桶：新增与流失的客户',
	 'Do more customers come than leave?', '新增客户多于流失客户吗？',
	 'no complete month began with active customers yet', '尚无期初有活跃客户的完整月份',
	 $query$
	SELECT b.month, f.kind, $1 -> 'words' ->> f.kind AS flow,
		CASE f.kind WHEN 'active' THEN f.heads END AS active, CASE WHEN f.kind <> 'active' THEN f.heads END AS flow_customers
	FROM (SELECT * FROM leaky_bucket AS l WHERE l.complete AND l.opening > 0 ORDER BY l.month DESC LIMIT 36) AS b
	CROSS JOIN LATERAL (VALUES (1, 'active', b.closing), (2, 'new', b.new), (3, 'won_back', b.won_back), (4, 'lost', -b.lost)) AS f(place, kind, heads)
	ORDER BY b.month DESC, f.place$query$,
	 '{"vconcat": [
		{"width": 560, "height": 110, "transform": [{"filter": "datum.kind === ''active''"}],
		 "mark": {"type": "line", "point": {"size": 20}},
		 "encoding": {"x": {"field": "month", "type": "temporal", "timeUnit": "utcyearmonth", "bandPosition": 0.5, "title": null},
			"y": {"field": "active", "type": "quantitative", "axis": {"tickMinStep": 1, "tickCount": 4}}}},
		{"width": 560, "height": 150, "transform": [{"filter": "datum.kind !== ''active''"}],
		 "mark": {"type": "bar"},
		 "encoding": {"x": {"field": "month", "type": "temporal", "timeUnit": "utcyearmonth", "title": null},
			"y": {"field": "flow_customers", "type": "quantitative", "axis": {"tickMinStep": 1}},
			"color": {"field": "flow", "type": "nominal", "sort": null, "title": null, "scale": {"range": ["#0072b2", "#7fc4ea", "#d55e00"]}, "legend": {"orient": "bottom"}}}}]}',
	 '["timeseries", "month", "flow", "flow_customers"]'),

	(7, 'churn_rate', 'leaving', 'churn_rate',
	 'Share of active customers lost in each month', '每月流失的活跃客户占比',
	 'Are we losing more customers than before, or is it chance?', '流失是否加剧，还是偶然波动？',
	 'nobody was lost in a complete month yet', '尚无完整月份有客户流失',
	 $query$
	SELECT c.month, $1 -> 'words' ->> m.measure AS measure, round(m.rate::numeric, 5) AS churn_rate, round(m.low::numeric, 5) AS low, round(m.high::numeric, 5) AS high
	FROM (
		SELECT * FROM churn_rate AS r
		-- before the first loss nobody could be lost
		WHERE r.complete AND r.opening > 0 AND r.month >= (SELECT min(f.month) FROM churn_rate AS f WHERE f.complete AND f.lost > 0)
		ORDER BY r.month DESC LIMIT 36
	) AS c
	CROSS JOIN LATERAL (VALUES (1, 'churn_rate', c.churn_rate, c.churn_low, c.churn_high),
		(2, 'base_rate', CASE WHEN c.change IS NOT NULL THEN c.base_rate END, NULL, NULL)) AS m(place, measure, rate, low, high)
	WHERE m.rate IS NOT NULL
	ORDER BY m.place, c.month DESC$query$,
	 '{"width": 560, "height": 220,
	   "encoding": {"x": {"field": "month", "type": "temporal", "scale": {"type": "utc"}, "title": null}},
	   "layer": [{"transform": [{"filter": "datum.low !== null"}], "mark": {"type": "area", "opacity": 0.2},
		"encoding": {"y": {"field": "low", "type": "quantitative", "axis": {"format": ".1%"}, "title": {"word": "churn_rate"}}, "y2": {"field": "high"}}},
		{"mark": {"type": "line", "point": {"size": 25}}, "encoding": {"y": {"field": "churn_rate", "type": "quantitative"},
			"color": {"field": "measure", "type": "nominal", "sort": null, "title": null, "legend": {"orient": "bottom"}},
			"strokeDash": {"field": "measure", "type": "nominal", "sort": null, "title": null}}}]}',
	 '["timeseries", "month", "measure", "churn_rate"]'),

	(8, 'at_risk', 'leaving', 'churn_signal',
	 'Customers at risk', '流失风险客户',
	 'Whom should we call first?', '应先联系谁？',
	 'nobody shows signs of leaving, or there is too little data to judge', '无人出现流失预警信号，或数据不足以判断',
	 $query$
	SELECT round(c.churn_risk::numeric, 4) AS risk, round(greatest(w.worth, 0)::numeric, 2) AS worth, c.signals,
		CASE WHEN row_number() OVER risky <= 8 THEN CASE WHEN ($1 ->> 'names')::boolean THEN c.customer_id::text ELSE '' END END AS customer
	FROM churn_signal AS c
	CROSS JOIN LATERAL (SELECT coalesce(CASE WHEN ($1 ->> 'usable')::boolean THEN c.clv END, c.past_spend::float8 * 365 / nullif(c.past_days, 0)) AS worth) AS w
	WHERE c.churn_risk IS NOT NULL AND w.worth IS NOT NULL
	WINDOW risky AS (ORDER BY c.churn_risk * w.worth DESC, c.customer_id::text)
	ORDER BY c.churn_risk * w.worth DESC, c.customer_id::text
	LIMIT 200$query$,
	 '{"width": 560, "height": 300,
	   "encoding": {"x": {"field": "risk", "type": "quantitative"}, "y": {"field": "worth", "type": "quantitative", "scale": {"type": "sqrt"}}},
	   "layer": [{"mark": {"type": "point", "filled": true, "opacity": 0.75, "size": 50},
		"encoding": {"color": {"field": "signals", "type": "ordinal", "scale": {"domain": [1, 2, 3, 4, 5, 6], "range": ["#89bedc", "#5ba3cf", "#3787c0", "#1c6aaf", "#0b4d94", "#08306b"]}, "legend": {"orient": "right"}}}},
		{"transform": [{"filter": "datum.customer !== null"}], "mark": {"type": "text", "align": "left", "dx": 7}, "encoding": {"text": {"field": "customer", "type": "nominal"}}}]}',
	 '["xychart", "risk", null, "worth"]'),

	(9, 'migration', 'leaving', 'migration',
	 'From segment to segment in a year', '一年间的细分群迁移',
	 'Where did the customers of each segment go?', '各细分群的客户去了哪里？',
	 'the data are of one day only', '数据只有一天',
	 $query$
	SELECT coalesce(segment_internal.chart_label(m.from_class, f.label, f.label_zh, $1 ->> 'language'), $1 -> 'words' ->> 'not_yet') AS from_label,
		coalesce(segment_internal.chart_label(m.to_class, t.label, t.label_zh, $1 ->> 'language'), $1 -> 'words' ->> 'gone') AS to_label,
		m.customers, round(m.customers / sum(m.customers) OVER (PARTITION BY m.from_class), 4) AS row_share,
		2 * m.customers > sum(m.customers) OVER (PARTITION BY m.from_class) AS is_dark,
		100 * m.customers >= sum(m.customers) OVER (PARTITION BY m.from_class) OR m.customers = max(m.customers) OVER () AS is_written,
		coalesce(f.class_rank, 100000) AS from_rank, coalesce(t.class_rank, 100000) AS to_rank
	FROM (
		SELECT d.as_of, greatest(d.as_of - 365, (SELECT min(c.first_day) FROM customer AS c)) AS from_day, coalesce($1 ->> 'scheme', 'rfm_segment') AS scheme
		FROM model_card AS d ORDER BY d.scorecard_id DESC LIMIT 1
	) AS d
	CROSS JOIN LATERAL migration(d.from_day, d.as_of, d.scheme) AS m
	LEFT JOIN class AS f ON f.scheme = d.scheme AND f.class = m.from_class
	LEFT JOIN class AS t ON t.scheme = d.scheme AND t.class = m.to_class
	WHERE d.from_day < d.as_of
	ORDER BY f.class_rank, t.class_rank$query$,
	 '{"width": {"step": 44}, "height": {"step": 26},
	   "encoding": {"x": {"field": "to_label", "type": "nominal", "sort": {"field": "to_rank", "op": "min"}, "axis": {"orient": "top", "labelAngle": -40}},
		"y": {"field": "from_label", "type": "nominal", "sort": {"field": "from_rank", "op": "min"}}},
	   "layer": [{"mark": {"type": "rect"}, "encoding": {"color": {"field": "row_share", "type": "quantitative", "scale": {"scheme": "blues", "domain": [0, 1]}}}},
		{"transform": [{"filter": "datum.is_written"}], "mark": {"type": "text", "fontSize": 11},
			"encoding": {"text": {"field": "row_share", "type": "quantitative"}, "color": {"condition": {"test": "datum.is_dark", "value": "white"}, "value": "#222222"}}}]}',
	 '["table", "from_label", "to_label", "row_share"]'),

	(10, 'sales_bridge', 'growth', 'sales_bridge',
	 'From the sales of a year to those of the next', '从上一年到本年的销售额',
	 'Where did the change of sales come from?', '销售额的变动来自哪里？',
	 'no month is complete yet', '尚无完整月份',
	 $query$
	SELECT $1 -> 'words' ->> s.step AS step, s.kind,
		CASE WHEN s.kind = 'total' THEN 0 ELSE s.level - s.amount END AS start, s.level AS running_sales, greatest(s.level, s.level - s.amount) AS top,
		CASE WHEN s.kind <> 'total' AND s.amount > 0 THEN '+' ELSE '' END || segment_internal.chart_amount(s.amount, $1) AS note
	FROM (
		SELECT p.place, p.step, p.kind, p.amount, CASE p.kind WHEN 'total' THEN p.amount
			ELSE sum(p.amount) FILTER (WHERE p.step <> 'closing') OVER (ORDER BY p.place) END AS level
		FROM (
			SELECT (array_agg(m.opening ORDER BY m.month))[1] AS opening, sum(m.new) AS new, sum(m.won_back) AS won_back, sum(m.grown) AS grown,
				sum(m.shrunk_before - m.shrunk) AS shrunk, -sum(m.lost) AS lost, sum(m.other) AS other,
				(array_agg(m.closing ORDER BY m.month DESC))[1] AS closing
			FROM (SELECT * FROM sales_bridge AS b WHERE b.complete ORDER BY b.month DESC LIMIT 12) AS m
		) AS y
		CROSS JOIN LATERAL (VALUES (1, 'opening', 'total', y.opening), (2, 'new', 'change', y.new), (3, 'won_back', 'change', y.won_back),
			(4, 'grown', 'change', y.grown), (5, 'shrunk', 'change', y.shrunk), (6, 'lost', 'change', y.lost), (7, 'other', 'change', y.other),
			(8, 'closing', 'total', y.closing)) AS p(place, step, kind, amount)
		WHERE p.amount IS NOT NULL AND (p.step <> 'other' OR p.amount <> 0)
	) AS s
	ORDER BY s.place$query$,
	 '{"width": {"step": 78}, "height": 260,
	   "encoding": {"x": {"field": "step", "type": "nominal", "sort": null, "title": null, "axis": {"labelAngle": 0}}},
	   "layer": [{"mark": {"type": "bar", "width": {"band": 0.72}}, "encoding": {"y": {"field": "start", "type": "quantitative"}, "y2": {"field": "running_sales"},
		"color": {"condition": [{"test": "datum.kind === ''total''", "value": "#7f7f7f"}, {"test": "datum.running_sales < datum.start", "value": "#d55e00"}], "value": "#0072b2"}}},
		{"mark": {"type": "text", "baseline": "bottom", "dy": -3}, "encoding": {"y": {"field": "top", "type": "quantitative", "title": {"word": "start"}}, "text": {"field": "note", "type": "nominal"}}}]}',
	 '["barchart", "step", null, "running_sales"]'),

	(11, 'cohorts', 'growth', 'cohort_retention',
	 'Customers by month of the first order: who still orders', '按首次购买月份：仍在购买的客户',
	 'Do new customers stay?', '新客户留下来了吗？',
	 'no customer is older than a month yet', '尚无客户满一个月',
	 $query$
	SELECT to_char(c.cohort, 'YYYY-MM') AS cohort, c.age, round(c.retention::numeric, 4) AS retention, c.customers
	FROM cohort_retention AS c
	WHERE c.complete AND c.age BETWEEN 1 AND 24 AND c.cohort > (SELECT max(k.cohort) - interval '25 months' FROM cohort_retention AS k)
	ORDER BY c.cohort DESC, c.age$query$,
	 '{"width": {"step": 22}, "height": {"step": 15},
	   "mark": {"type": "rect"},
	   "encoding": {"x": {"field": "age", "type": "ordinal", "axis": {"labelAngle": 0}}, "y": {"field": "cohort", "type": "ordinal"},
		"color": {"field": "retention", "type": "quantitative", "scale": {"scheme": "blues", "zero": true}}}}',
	 '["table", "cohort", "age", "retention"]'),

	(12, 'segment_trend', 'growth', 'segment_trend',
	 'Segments from snapshot to snapshot', '各次快照的细分群',
	 'Are the good segments growing?', '优质细分群在增长吗？',
	 'no snapshot was taken yet (segment.take_snapshot)', '尚未建立快照（segment.take_snapshot）',
	 $query$
	SELECT t.as_of::text AS day, segment_internal.chart_label(t.class, k.label, k.label_zh, $1 ->> 'language') AS label,
		coalesce(k.class_rank, 100000) AS class_rank, t.customers
	FROM segment_trend AS t
	LEFT JOIN class AS k ON k.scheme = t.scheme AND k.class = t.class
	WHERE t.scheme = coalesce($1 ->> 'scheme', 'rfm_segment') AND t.customers > 0
	ORDER BY t.as_of DESC, k.class_rank$query$,
	 '{"width": {"step": 44}, "height": 300,
	   "mark": {"type": "bar", "stroke": "white", "strokeWidth": 0.5},
	   "encoding": {"x": {"field": "day", "type": "ordinal", "axis": {"labelAngle": -40}},
		"y": {"field": "customers", "type": "quantitative", "axis": {"tickMinStep": 1}},
		"color": {"field": "label", "type": "ordinal", "sort": {"field": "class_rank", "op": "min"}, "title": null, "scale": {"scheme": "viridis"}, "legend": {"symbolLimit": 0}},
		"order": {"field": "class_rank", "type": "quantitative", "sort": "descending"}}}',
	 '["barchart", "day", "label", "customers"]'),

	(13, 'owners', 'growth', 'owner_scoreboard',
	 'What the customers of each owner became worth', '各负责人客户的价值变动',
	 'Who makes customers more valuable?', '谁让客户更有价值？',
	 'it needs owners of classes (column owner of scheme_class) and two snapshots', '需要级别负责人（scheme_class的owner列）和两次快照',
	 $query$
	SELECT b.owner, $1 -> 'words' ->> m.measure AS measure, round(m.equity::numeric, 2) AS equity, m.place
	FROM (
		SELECT o.*, max(o.to_day) OVER () AS newest FROM owner_scoreboard AS o
		WHERE o.from_day IS NOT NULL
			AND o.scheme = coalesce($1 ->> 'scheme', (SELECT d.settings::jsonb ->> 'leading_scheme' FROM model_card AS d ORDER BY d.scorecard_id DESC LIMIT 1))
	) AS b
	CROSS JOIN LATERAL (VALUES (1, 'came', b.equity_came), (2, 'rose', b.equity_grown), (3, 'fell', -b.equity_shrunk), (4, 'went', -b.equity_left)) AS m(place, measure, equity)
	WHERE b.to_day = b.newest AND m.equity IS NOT NULL
	ORDER BY b.owner COLLATE "C", m.place$query$,
	 '{"width": 420, "height": {"step": 34},
	   "mark": {"type": "bar"},
	   "encoding": {"y": {"field": "owner", "type": "nominal", "title": null},
		"x": {"field": "equity", "type": "quantitative"},
		"color": {"field": "measure", "type": "nominal", "sort": {"field": "place", "op": "min"}, "title": null, "scale": {"range": ["#7fc4ea", "#0072b2", "#d55e00", "#f0b27a"]}},
		"order": {"field": "place", "type": "quantitative"}}}',
	 '["barchart", "owner", "measure", "equity"]'),

	(14, 'calibration', 'trust', 'backtest_deciles',
	 'What was predicted, and what happened', '预测与实际',
	 'Can the predictions be trusted?', '预测可信吗？',
	 'less than a month of data, or too few customers, to test predictions on', '数据不足一个月或客户太少，无法检验预测',
	 $query$
	SELECT b.decile, round((b.predicted / b.customers)::numeric, 4) AS predicted, round((b.actual / b.customers)::numeric, 4) AS actual
	FROM (
		SELECT d.as_of, least(184, (d.as_of - (SELECT min(c.first_day) FROM customer AS c)) / 4) AS days
		FROM model_card AS d ORDER BY d.scorecard_id DESC LIMIT 1
	) AS t
	CROSS JOIN LATERAL segment.backtest_deciles($2, t.as_of - t.days, t.days) AS b
	WHERE t.days >= 7 AND b.customers > 0
	ORDER BY b.decile$query$,
	 '{"width": 560, "height": 240,
	   "encoding": {"x": {"field": "decile", "type": "ordinal", "axis": {"labelAngle": 0}}},
	   "layer": [{"mark": {"type": "bar"}, "encoding": {"y": {"field": "predicted", "type": "quantitative", "title": {"word": "purchases"}}, "color": {"datum": {"word": "predicted"}}}},
		{"mark": {"type": "point", "filled": true, "size": 90, "opacity": 1}, "encoding": {"y": {"field": "actual", "type": "quantitative", "title": {"word": "purchases"}},
			"color": {"datum": {"word": "actual"}, "legend": {"orient": "bottom"}, "scale": {"range": ["#7fc4ea", "#d55e00"]}}}}]}',
	 '["barchart", "decile", null, "predicted", "actual"]')
) AS c(place, chart, section, relation, title, title_zh, question, question_zh, nothing, nothing_zh, query, template, panel);
COMMENT ON VIEW segment_internal.chart_catalog IS
'the charts: where they stand, the view or function of the portfolio that they read, title and question in English and Chinese, why there may be nothing to draw, the query of the data, the template of the Vega-Lite specification, and what it is in a dashboard: kind of panel, column of the categories or times, of the series (null: none), of the values (internal)';
GRANT SELECT ON segment_internal.chart_catalog TO PUBLIC;

/* ---------- a chart ---------- */

CREATE TYPE segment_internal.chart_drawing AS (spec jsonb);
COMMENT ON TYPE segment_internal.chart_drawing IS 'a Vega-Lite specification (internal)';

/* What all charts have: version, title, description, locale, colors. */
CREATE FUNCTION segment_internal.chart_frame(entry segment_internal.chart_catalog, rows bigint, is_cut boolean, options jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN (
	SELECT jsonb_build_object(
		'$schema', format('https://vega.github.io/schema/vega-lite/v%s.json', options ->> 'vega_lite'),
		'description', format(options -> 'words' ->> 'chart_of', t.title, t.question, rows),
		'background', options -> 'background',
		'padding', 5,
		'config', jsonb_build_object(
			'locale', jsonb_build_object('number', options -> 'numbers', 'time', options -> 'times'),
			'font', 'Helvetica, Arial, "Noto Sans", "Noto Sans CJK SC", "Microsoft YaHei", "PingFang SC", sans-serif',
			'view', '{"stroke": null}'::jsonb,
			'mark', '{"color": "#0072b2", "tooltip": true}'::jsonb,
			'text', jsonb_build_object('color', options -> 'ink', 'fontSize', 12),
			'title', jsonb_build_object('color', options -> 'ink', 'subtitleColor', options -> 'ink', 'anchor', 'start', 'fontSize', 15, 'subtitleFontSize', 12),
			'header', jsonb_build_object('labelColor', options -> 'ink', 'titleColor', options -> 'ink'),
			'axis', jsonb_build_object('labelColor', options -> 'ink', 'titleColor', options -> 'ink', 'domainColor', '#999999', 'tickColor', '#999999',
				'gridColor', '#999999', 'gridOpacity', 0.25, 'labelFontSize', 12, 'titleFontSize', 12, 'titleFontWeight', 'normal', 'labelLimit', 320),
			'legend', jsonb_build_object('labelColor', options -> 'ink', 'titleColor', options -> 'ink', 'labelFontSize', 12, 'titleFontSize', 12,
				'titleFontWeight', 'normal', 'titleLimit', 320, 'labelLimit', 320),
			-- Okabe and Ito (2008): told apart by who is color-blind
			'range', '{"category": ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00"]}'::jsonb),
		'usermeta', jsonb_build_object('segment', jsonb_build_object('chart', entry.chart, 'relation', entry.relation, 'rows', rows, 'is_cut', is_cut)))
		|| CASE WHEN (options ->> 'title')::boolean THEN jsonb_build_object('title', jsonb_build_object('text', t.title)
				|| CASE WHEN is_cut THEN jsonb_build_object('subtitle', format(options -> 'words' ->> 'first_rows', rows)) ELSE '{}' END)
			ELSE '{}' END
	FROM (
		SELECT CASE options ->> 'language' WHEN 'zh' THEN entry.title_zh ELSE entry.title END AS title,
			CASE options ->> 'language' WHEN 'zh' THEN entry.question_zh ELSE entry.question END AS question
	) AS t);
COMMENT ON FUNCTION segment_internal.chart_frame(segment_internal.chart_catalog, bigint, boolean, jsonb) IS
'what the specifications of all charts have, without data and marks (internal)';

/* Without the right to look into the schema it would silently not be in the path. */
CREATE FUNCTION segment_internal.chart_path(portfolio text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN CASE WHEN format('%I.customer', portfolio)::regclass IS NOT NULL THEN format('pg_catalog, %I, pg_temp', portfolio) END;
COMMENT ON FUNCTION segment_internal.chart_path(text) IS
'the search path for the queries of charts and reports of a portfolio; errors: 42501 no right to use its schema, 3F000 or 42P01 no such portfolio (internal)';

/* A chart, or the picture that says why there is none; options as chart_texts gives them. */
CREATE FUNCTION segment_internal.chart_make(portfolio text, entry segment_internal.chart_catalog, options jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp SET jit = off
AS $chart_make$
DECLARE
	most bigint := (options ->> 'max_points')::bigint;
	rows bigint;
	data jsonb;
	reason text;
BEGIN
	PERFORM set_config('search_path', segment_internal.chart_path(portfolio), true);
	EXECUTE format('SELECT count(*), coalesce(jsonb_agg(to_jsonb(r) - ''row_place'' ORDER BY r.row_place) FILTER (WHERE r.row_place <= $3), ''[]'')
		FROM (SELECT q.*, row_number() OVER () AS row_place FROM (%s) AS q LIMIT $3 + 1) AS r', entry.query)
	INTO rows, data USING options, portfolio, most;
	PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
	IF rows > 0 THEN
		RETURN segment_internal.chart_frame(entry, least(rows, most), rows > most, options)
			|| jsonb_build_object('data', jsonb_build_object('values', data))
			|| segment_internal.chart_localize(entry.template, NULL, options);
	END IF;
	reason := format(options -> 'words' ->> 'nothing', CASE options ->> 'language' WHEN 'zh' THEN entry.nothing_zh ELSE entry.nothing END);
	RETURN segment_internal.chart_frame(entry, 0, false, options) || jsonb_build_object('width', 480, 'height', 40,
		'data', jsonb_build_object('values', jsonb_build_array(jsonb_build_object('reason', reason))),
		'mark', '{"type": "text", "fontSize": 13}'::jsonb,
		'encoding', '{"text": {"field": "reason", "type": "nominal"}}'::jsonb);
END
$chart_make$;
COMMENT ON FUNCTION segment_internal.chart_make(text, segment_internal.chart_catalog, jsonb) IS
'a chart of the catalog with the data of a portfolio, with the current user''s rights (internal)';

/* All of segment.chart, as the portfolio's owner: see portfolio_run. */
CREATE FUNCTION segment_internal.chart_draw(portfolio text, arguments jsonb) RETURNS segment_internal.chart_drawing
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
AS $chart_draw$
DECLARE
	options jsonb := segment_internal.chart_texts(segment_internal.chart_options(arguments -> 'options'));
	entry segment_internal.chart_catalog;
BEGIN
	SELECT * INTO entry FROM segment_internal.chart_catalog AS c WHERE c.chart = arguments ->> 'chart';
	IF NOT FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('chart "%s" is not known', coalesce(arguments ->> 'chart', 'NULL')),
			HINT = 'The view chart of the portfolio lists the charts.';
	END IF;
	IF options ->> 'scheme' IS NOT NULL THEN
		EXECUTE format('SELECT segment_internal.check_scheme($1, array_agg(s.scheme ORDER BY s.ordinal)) FROM %I.scheme AS s', portfolio)
		USING options ->> 'scheme';
	END IF;
	RETURN ROW(segment_internal.chart_make(portfolio, entry, options))::segment_internal.chart_drawing;
END
$chart_draw$;
COMMENT ON FUNCTION segment_internal.chart_draw(text, jsonb) IS
'draws a chart with the current user''s rights; errors as for segment.chart (internal)';

CREATE FUNCTION segment.chart(name text, chart text, options jsonb DEFAULT '{}') RETURNS jsonb
LANGUAGE sql STABLE PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
RETURN (SELECT r.spec FROM segment_internal.portfolio_run(name, 'chart', jsonb_build_object('chart', chart, 'options', options),
	NULL::segment_internal.chart_drawing) AS r);
COMMENT ON FUNCTION segment.chart(text, text, jsonb) IS
'a chart of a portfolio (view chart lists them) as a Vega-Lite specification, in the subset that versions 5 and 6 share, with its data from the portfolio''s views. options, a JSON object: language (en, zh), locale (en, de, zh: how numbers are written), vega_lite (5 or 6: $schema), max_points (rows at most, 2000), scheme (of classes), names (false: no keys of customers), usable (false: no values that a model predicts), title (false: none), ink and background (colors). Where there is nothing to draw, the picture says why, and usermeta.segment.rows is 0. Errors: 22023 no such chart, scheme or option, 42704 no such portfolio, 42501 neither owner nor reader';

/* ---------- the view of a portfolio ---------- */

CREATE FUNCTION segment_internal.chart_create_tables(portfolio text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $chart_create_tables$
BEGIN
	-- the catalog is the extension's
END
$chart_create_tables$;
COMMENT ON FUNCTION segment_internal.chart_create_tables(text) IS 'no tables: the catalog is the extension''s (internal)';

CREATE FUNCTION segment_internal.chart_create_views(portfolio text, security_invoker boolean) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $chart_create_views$
BEGIN
	EXECUTE format($template$
		CREATE OR REPLACE VIEW %1$I.chart WITH (security_invoker = %2$s) AS
		SELECT c.chart, c.question, c.question_zh, c.title, c.title_zh, c.relation, c.place
		FROM segment_internal.chart_catalog AS c$template$, portfolio, security_invoker);
END
$chart_create_views$;
COMMENT ON FUNCTION segment_internal.chart_create_views(text, boolean) IS
'creates or replaces the view of a portfolio''s charts (internal)';

CREATE FUNCTION segment_internal.chart_comments() RETURNS TABLE (relation text, col text, meaning text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 10
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
SELECT v.* FROM (VALUES
	('chart', NULL, 'one row per chart that segment.chart draws of the portfolio'),
	('chart', 'chart', 'name of the chart: second argument of segment.chart'),
	('chart', 'question', 'the question that it answers'),
	('chart', 'question_zh', 'the question in Chinese'),
	('chart', 'title', 'title'),
	('chart', 'title_zh', 'title in Chinese'),
	('chart', 'relation', 'the view or function that it reads'),
	('chart', 'place', 'order in which the report shows them, ascending')
) AS v(relation, col, meaning);
END;
COMMENT ON FUNCTION segment_internal.chart_comments() IS
'the comments on the view of a portfolio''s charts and on its columns (internal)';
