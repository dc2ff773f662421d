/*
 * dashboard: the charts of the catalog as a dashboard of Grafana
 *
 * Each panel asks segment.chart for the data of its chart, so that a dashboard
 * needs no right but those of a reader, and stays as it is when a query changes.
 */

/* The data of a chart as rows: category or time, series, values, in the words of the chart. */
CREATE FUNCTION segment_internal.dashboard_query(chart text, panel jsonb, options jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN (
	SELECT format(E'SELECT %s\nFROM jsonb_array_elements(segment.chart(${portfolio:sqlstring}, %L, %L) #> ''{data,values}'') AS v\nWHERE %s IS NOT NULL%s',
		string_agg(format(CASE WHEN p.ordinal > 3 OR panel ->> 0 = 'xychart' THEN '(v ->> %L)::float8 AS %I' WHEN p.ordinal = 2 AND panel ->> 0 = 'timeseries'
			THEN '(v ->> %L)::timestamptz AS %I' ELSE 'v ->> %L AS %I' END, p.col,
			CASE WHEN p.ordinal = 2 AND panel ->> 0 = 'timeseries' THEN 'time' ELSE coalesce(nullif(options -> 'words' ->> p.col, ''), p.col) END), ', ' ORDER BY p.ordinal),
		chart, jsonb_build_object('language', options -> 'language'), format('v ->> %L', panel ->> 3),
		CASE panel ->> 0 WHEN 'timeseries' THEN E'\nORDER BY 1' ELSE '' END)
	FROM jsonb_array_elements_text(panel) WITH ORDINALITY AS p(col, ordinal)
	WHERE p.ordinal > 1 AND p.col IS NOT NULL);
COMMENT ON FUNCTION segment_internal.dashboard_query(text, jsonb, jsonb) IS
'the query of a panel: the data of a chart as rows, of the portfolio that the variable names (internal)';

CREATE FUNCTION segment_internal.dashboard_panel(entry segment_internal.chart_catalog, options jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN (
	SELECT jsonb_build_object(
		'id', entry.place,
		'type', entry.panel -> 0,
		'title', CASE options ->> 'language' WHEN 'zh' THEN entry.question_zh ELSE entry.question END,
		'description', CASE options ->> 'language' WHEN 'zh' THEN entry.title_zh ELSE entry.title END,
		'gridPos', jsonb_build_object('x', 12 * ((entry.place - 1) % 2), 'y', 9 * ((entry.place - 1) / 2), 'w', 12, 'h', 9),
		'datasource', source.reference,
		'targets', jsonb_build_array(jsonb_build_object('refId', 'A', 'datasource', source.reference, 'rawQuery', true, 'editorMode', 'code',
			'format', CASE entry.panel ->> 0 WHEN 'timeseries' THEN 'time_series' ELSE 'table' END,
			'rawSql', segment_internal.dashboard_query(entry.chart, entry.panel, options))),
		'fieldConfig', jsonb_build_object('overrides', '[]'::jsonb, 'defaults', CASE options -> 'units' ->> (entry.panel ->> 3)
				WHEN 'share' THEN '{"unit": "percentunit"}' WHEN 'rate' THEN '{"unit": "percentunit"}' WHEN 'amount' THEN '{"unit": "short"}' ELSE '{}' END::jsonb
			|| CASE entry.panel ->> 0 WHEN 'table' THEN '{"color": {"mode": "continuous-BlPu"}, "custom": {"cellOptions": {"type": "color-background"}}}' ELSE '{}' END::jsonb),
		-- a row for each category, a column for each series
		'transformations', CASE WHEN entry.panel ->> 0 <> 'timeseries' AND entry.panel ->> 2 IS NOT NULL THEN jsonb_build_array(jsonb_build_object(
			'id', 'groupingToMatrix', 'options', jsonb_build_object('rowField', coalesce(options -> 'words' ->> (entry.panel ->> 1), entry.panel ->> 1),
				'columnField', coalesce(options -> 'words' ->> (entry.panel ->> 2), entry.panel ->> 2),
				'valueField', coalesce(options -> 'words' ->> (entry.panel ->> 3), entry.panel ->> 3)))) ELSE '[]' END,
		'options', CASE entry.panel ->> 0 WHEN 'barchart' THEN '{"orientation": "auto", "legend": {"displayMode": "list", "placement": "bottom"}}' ELSE '{}' END::jsonb)
	FROM (SELECT '{"type": "grafana-postgresql-datasource", "uid": "${datasource}"}'::jsonb AS reference) AS source);
COMMENT ON FUNCTION segment_internal.dashboard_panel(segment_internal.chart_catalog, jsonb) IS
'a chart of the catalog as a panel of a dashboard (internal)';

CREATE FUNCTION segment.dashboard(options jsonb DEFAULT '{}') RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN (
	SELECT jsonb_build_object('title', 'segment', 'uid', 'segment-' || (o.options ->> 'language'), 'schemaVersion', 39, 'editable', true, 'tags', '["segment"]'::jsonb,
		'templating', jsonb_build_object('list', jsonb_build_array(
			'{"name": "datasource", "label": "Database", "type": "datasource", "query": "grafana-postgresql-datasource"}'::jsonb,
			'{"name": "portfolio", "label": "Portfolio", "type": "query", "refresh": 1, "query": "SELECT name FROM segment.portfolio ORDER BY name",
			  "datasource": {"type": "grafana-postgresql-datasource", "uid": "${datasource}"}}'::jsonb)),
		'time', '{"from": "now-5y", "to": "now"}'::jsonb,
		'panels', (SELECT jsonb_agg(segment_internal.dashboard_panel(c, o.options) ORDER BY c.place) FROM segment_internal.chart_catalog AS c))
	FROM (SELECT segment_internal.chart_texts(segment_internal.chart_options(options)) AS options OFFSET 0) AS o);
COMMENT ON FUNCTION segment.dashboard(jsonb) IS
'a dashboard of Grafana as JSON, to be imported there: a panel for each chart, with a variable for the data source (PostgreSQL) and one for the portfolio. Option language: en or zh. Error 22023 for options that are not those of chart';
