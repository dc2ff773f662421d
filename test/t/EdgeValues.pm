# Values to call functions with, by type: usual ones and those at the edges.
#
# All of them are data, in the tables below.  A value is written as
#   undef    NULL
#   text     a literal of the type, as its input function reads it
#   '=...'   an expression; m.n is 1, 2, ... where rows are at hand, else 1
package EdgeValues;
use strict;
use warnings;

# ---------- the edges of the types ----------

my @integers = (undef, 0, 1, -1, 2, 7, 100);
my @names = (
	# portfolios: one's own, those of others, none
	'mine', 'empty', 'extreme', 'b2b', "Shop of O'Hara 客户", 'nothing', 'pg_catalog', 'segment', 'trade',
	# schemes, classes, columns, sources
	'rfm_segment', 'value_tier', 'dormancy', 'size', 'champions', 'big', 'customer_id', 'net', 'purchases', 'customers', 'costs');
my %edges = (
	boolean => [ undef, 'true', 'false' ],
	smallint => [ @integers, 32767, -32768 ],
	integer => [ @integers, 365, 2147483647, -2147483648 ],
	bigint => [ @integers, 4294967296, '9223372036854775807', '-9223372036854775808' ],
	numeric => [ @integers, qw(NaN Infinity -Infinity 0.00 -0.5 1.10 0.000000001 0.0000000001 1e-1000 1e-16383 1e27 1e28 -1e28
		999999999999999999999999999 -700000000000000000000000000 999999999999999999.999999999
		1329227995784915872903807060280344576 1e1000 9e131071 -9e131071) ],
	'double precision' => [ @integers, qw(NaN Infinity -Infinity -0 0.5 0.05 0.999999999999 1.0000000000000002 1e-10 -1e-10 1e-320 5e-324
		1e10 9007199254740993 1e16 1e100 1.7976931348623157e308 -1.7976931348623157e308) ],
	real => [ @integers, qw(NaN Infinity -Infinity 3.4e38 1e-45) ],
	date => [ undef, 'infinity', '-infinity', '4714-11-24 BC', '5874897-12-31', '0001-01-01', '0001-12-31 BC', '9999-12-31', '294276-12-31',
		'1970-01-01', '2000-02-29', '2023-01-01', '2023-06-30', '2023-07-01', '2023-12-31', '=current_date', '=current_date + 1' ],
	'timestamp without time zone' => [ undef, 'infinity', '-infinity', '4714-11-24 BC', '294276-12-31 23:59:59.999999', '2023-06-30 24:00' ],
	'timestamp with time zone' => [ undef, 'infinity', '-infinity', '4714-11-24 00:00+00 BC', '294276-12-31 23:59:59.999999+00',
		'2023-06-30 23:59:59.999999+00', '0001-01-01 00:00+00', '=now()', '2023-03-26 01:30+00' ],
	interval => [ undef, '0', '-178000000 years', '178000000 years' ],
	uuid => [ undef, '00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff' ],
	tid => [ undef, '(0,0)', '(0,1)', '(4294967295,65535)' ],
	bytea => [ undef, '', '\x00', '\x01', '\xffffffffffffffffffffffffffffffff', q{=convert_to(repeat('x', 100000), 'UTF8')} ],
	text => [ undef, '', ' ', 'a', "'", '"', "it's", '"quoted"', '\\', '%', '%s %I %L %1$s', "\n", "a\nb", '$1', '$$', '--', '/*', ';', '{}', '[]', 'NULL',
		'0', '-1', '1.5', 'NaN', 'true', '2023-06-30', 'infinity', "e\xcc\x81", "\xf4\x8f\xbf\xbf",
		q{=repeat('x', 63)}, q{=repeat('x', 64)}, q{=repeat('客', 21)}, q{=repeat('客', 22)}, q{=repeat('x', 1000000)}, q{=repeat('(', 10000)},
		@names,
		# units, time zones, kinds, measures
		qw(day week month year decade UTC Asia/Shanghai Nowhere/Nothing +15:00 bgnbd mbgnbd pnbd bgbb gammagamma none lower r alpha table view refresh),
		# queries and conditions
		'SELECT 1', 'SELECT customer, at, amount FROM trade.orders', 'SELECT customer, at, amount FROM trade.orders WHERE false',
		'SELECT * FROM sales.firm', 'SELECT * FROM nowhere', 'SELECT NULL, NULL, NULL', "SELECT 1, date 'infinity', 'NaN'::numeric",
		'SELECT customer, at, amount FROM trade.orders; SELECT 1', 'INSERT INTO trade.orders VALUES (1) RETURNING *', 'SELECT avg(net) FROM customers',
		'TABLE trade.orders', 'VALUES (1, 2, 3)', 'SELECT FROM trade.orders', 'WITH w AS (SELECT 1) SELECT * FROM w', 'SELECT 1/0', 'net > 0', 'true', 'net > net /' ],
	jsonb => [ undef, 'null', 'true', '0', '-1', '1e131000', '""', '"mine"', '[]', '[null]', '[[]]', '[{}]', '{}', '{"": null}', '{"name": null}',
		'{"as_of": "infinity"}', '{"as_of": "4714-11-24 BC"}', '{"full": "perhaps"}', '{"margin": 0.5}', '{"margin": -1}', '{"margin": "NaN"}', '{"horizon_weeks": 1e300}',
		'{"purchases": "SELECT 1"}', '{"purchases": 1}', '[{"class": "a"}]', '[{"class": null}]', '[{"class": "a", "rule": "net > "}, {"class": "b"}]',
		'{"r": 1e308, "alpha": 1e-308, "a": 0, "b": -1}', q{=to_jsonb(array_fill(1, ARRAY[10000]))},
		q{=(repeat('[', 1000) || repeat(']', 1000))}, q{=jsonb_build_object(repeat('x', 100000), repeat('y', 100000))} ],
	oid => [ undef, 0, 1, 4294967295, map { "=$_" } q{'integer'::regtype}, q{'"any"'::regtype}, q{'anyarray'::regtype}, q{'segment.history'::regtype}, q{'segment.history[]'::regtype},
		q{'pg_class'::regclass}, q{'trade.orders'::regclass}, q{'trade.person_pkey'::regclass}, q{'trade.number'::regclass}, q{'mine.customer'::regclass}, q{'segment.setting'::regclass},
		q{(SELECT oid FROM pg_class WHERE relname = 'firm')}, q{'pg_toast.pg_toast_1255'::regclass}, q{'segment'::regnamespace}, q{'now'::regproc} ],
	cstring => [ '', ' ', '(', '()', 'NULL', '{}', '[]', 'null', '(orders=0)', '(orders=-1,refunds=99999999999999999999)', '{"kind": "bgnbd"}', '2023-01-01', '\\', "'" ],
);
$edges{regclass} = $edges{oid};
$edges{name} = $edges{text};

# Keys of the jsonb arguments, for edges inside of them.
my @keys = qw(as_of full nowait scorecard command customer reason who valid_until admitted scheme classes cuts relation watch customer_column
	settings changes purchases customers timezone unit search_path margin leading_scheme lost_after_days security_invoker r alpha);

# ---------- the usual ----------

# By "function.argument", by "argument type" or by type, with or without its
# schema.  An argument without a name has its number.  &name( is a call of one of the extension's functions,
# whatever schema it is in.
my $purchases = 'SELECT customer, at, amount, margin FROM trade.orders';
my $definition = q{(SELECT to_jsonb(p) || '{"name": "mine"}' FROM mine.portfolio AS p)};
my $key_account = q{(SELECT min(k.customer_id)::text FROM mine.key_account AS k)};
my $several = q{(VALUES (date '2023-01-05', 10.25), ('2023-03-01', -2), ('2023-03-01', 7), ('2023-06-30', 1e10), ('2024-02-29', 0.000000001)) AS o (day, amount)};
my $override = '{"command": "override", "customer": "1", "admitted": true, "reason": "a", "who": "b", "valid_until": "2030-01-01"}';
my %usual = (
	boolean => 'false', smallint => 1, integer => 5, bigint => '=1 + m.n % 5', numeric => '=m.n * 1.25', 'double precision' => '=0.5 + m.n % 7', real => 1,
	date => q{=date '2023-01-01' + (m.n * 37 % 400)}, 'timestamp without time zone' => '2023-06-30 12:00', 'timestamp with time zone' => '2023-06-30 12:00+00',
	text => 'a', name => 'a', jsonb => '{}', oid => q{='trade.orders'::regclass}, regclass => 'trade.orders', tid => q{=format('(0,%s)', m.n)::tid}, bytea => '',
	uuid => '00000000-0000-0000-0000-000000000001', interval => '1 day', cstring => '',
	'segment.rfm' => "=(SELECT segment.rfm_agg(o.day, o.amount) FROM $several)", 'segment.history' => "=(SELECT segment.history_agg(o.day, o.amount) FROM $several)",
	'segment.model' => q{=segment.model('pnbd', '{"r": 0.5, "alpha": 10, "s": 0.6, "beta": 12}')},
	'rfm_in.1' => "=&rfm_out((SELECT segment.rfm_agg(o.day, o.amount) FROM $several))",
	'history_in.1' => "=&history_out((SELECT segment.history_agg(o.day, o.amount) FROM $several))",
	'model_in.1' => q{=&model_out(segment.model('pnbd', '{"r": 0.5, "alpha": 10, "s": 0.6, "beta": 12}'))},

	# models
	'model.kind' => 'pnbd', 'model.params' => '{"r": 0.5, "alpha": 10, "s": 0.6, "beta": 12}', 'param.name' => 'r', 'stderr.name' => 'r',
	'x double precision' => '=m.n % 4', 't_x double precision' => '=CASE WHEN m.n % 4 = 0 THEN 0 ELSE 1 + m.n % 30 END', 't double precision' => '=32 + m.n % 9',
	'purchase_pmf.n' => 2, 'refit_purchases.kind' => 'pnbd', 'refit_purchases.as_of' => '2024-03-01', 'refit_spend.kind' => 'gammagamma', 'expected_spend.model' => q{=segment.model('gammagamma', '{"p": 6.25, "q": 3.74, "gamma": 15.44}')},

	'bgbb_fit.n' => '=m.n % 9 + 12', 'bgbb_fit.x' => '=m.n % 4', 'bgbb_fit.t_x' => '=CASE WHEN m.n % 4 = 0 THEN 0 ELSE 4 + m.n % 8 END',
	'clv.margin' => 0.5, 'clv.spend_model' => q{=segment.model('gammagamma', '{"p": 6.25, "q": 3.74, "gamma": 15.44}')}, 'retention double precision' => 0.5, 'fraction double precision' => 0.5, 'min_probability double precision' => 0.5,
	'class_medians.class_of' => '{{1,2},{2,1}}', 'class_medians.customer_group' => '=1 + m.n % 2', 'class_medians.group_values' => '=ARRAY[m.n % 7, NULL]::float8[]',
	'migration_agg.customer' => q{=format('(0,%s)', 1 + (m.n - 1) / 5)}, 'migration_agg.day_number' => '=1 + (m.n - 1) % 5', 'migration_agg.days' => 5,
	 'cohort_agg.as_of' => '2024-03-01', 'flow_agg.as_of' => '2024-03-01',

	'segment.clusters' => q{=(SELECT segment.kmeans_fit(ARRAY[v], 2, 1) FROM unnest('{1,2,9}'::float8[]) AS v)}, 'kmeans_fit.seed' => 1,

	'share double precision' => 0.1, 'level double precision' => 0.95, 'held_out double precision' => 0.5,
	'proportion_test.successes' => 3, 'proportion_test.trials' => 10, 'proportion_test.base_successes' => 2, 'proportion_test.base_trials' => 10,

	# portfolios
	'portfolio text' => 'mine', 'name text' => 'mine', 'unit text' => 'day', 'timezone text' => 'UTC', 'query_path text' => 'public',
	'source text' => 'purchases', 'query text' => $purchases, 'purchases text' => $purchases, 'customers text' => 'SELECT * FROM trade.person',
	'costs text' => 'SELECT id, at, amount FROM trade.cost', 'complaints text' => 'SELECT id, at FROM trade.complaint',
	'satisfaction text' => 'SELECT id, at, score FROM trade.answer', 'visits text' => 'SELECT customer, at, customer % 3 FROM trade.orders',
	'contacts text' => 'SELECT id, at FROM trade.complaint', 'lines text' => 'SELECT customer, at, amount, margin, margin FROM trade.orders',
	'event_source_query.source' => 'visits', 'event_source_query.shape' => q{=&check_source('visits', 'SELECT customer, at, customer FROM trade.orders', 'public')}, 'definition jsonb' => "=$definition", 'settings jsonb' => q{=&check_settings('{}')},
	source_shape => qq{=&check_source('purchases', '$purchases', 'public')},
	'key_equality text' => 'OPERATOR(pg_catalog.=)', 'regclass' => 'trade.orders', 'type oid' => q{='integer'::regtype},
	'check_source_column.col' => '{"ordinal": 1, "name": "customer", "type": 23, "base_type": 23}', 'check_source_column.meaning' => 'customer',
	'refresh.scorecard' => 'true', 'scored_days.scorecards' => 'mine.scorecard', 'customer_column text' => 'customer',
	'create_portfolio.name' => 'new', 'portfolio_create.name' => 'new', 'portfolio_create_tables.portfolio' => 'new', 'portfolio_create_schema.name' => 'new',
	'portfolio_create.arguments' => qq{=jsonb_build_object('definition', jsonb_build_object('purchases', '$purchases', 'unit', 'day', 'settings', '{}'::jsonb,
		'search_path', 'public'), 'session', jsonb_build_object('timezone', 'UTC', 'session_settings', &session_settings()))},
	'portfolio_alter.arguments' => '{"changes": {"unit": "day"}, "settings": null, "search_path": "public", "session": {}}',
	'check_attribute_names.columns' => '[{"ordinal": 1, "name": "customer"}, {"ordinal": 2, "name": "city"}]',
	'portfolio_run.task' => 'refresh', 'portfolio_run.arguments' => '{"full": false, "nowait": false, "scorecard": true}',
	'portfolio_refresh.arguments' => '{"full": false, "nowait": false, "scorecard": true}',
	'watch_change.arguments' => q{=jsonb_build_object('watch', true, 'relation', 'trade.orders'::regclass::oid, 'customer_column', 'customer')},
	'portfolio_run.report' => '=NULL::segment.refresh_report', 'snapshot_take.arguments' => '{"as_of": "2023-12-31"}',

	'backtest_measures.arguments' => '{"cutoff": "2023-09-01", "horizon_days": 30, "false_alarm_cost": 1, "miss_cost": 1}',
	'backtest_tenths.arguments' => '{"cutoff": "2023-09-01", "horizon_days": 30, "by": "purchases"}', 'by text' => 'purchases',
	(map { ("$_.run" => q{=&backtest_prepare('mine', '2023-09-01', 30)}, "$_.sample" => 'true') }
			qw(backtest_customers backtest_fit backtest_judged backtest_lead_query)),
	'backtest_lead_query.fit' => q{=&backtest_fit('mine', &backtest_prepare('mine', '2023-09-01', 30), 'true', true)},
	'risk_of_past.sample' => 'true', 'risk_of_past.as_of' => '{2024-03-01}', 'risk_of_past.days' => 30, 'risk_of_past.usual_gap_days' => 30,
	'risk_objection.trial' => '("(100,40,0.7,0.6,0.8,0.6,0.5,0.7,0.1,-0.05,0.15)",0.02,0.03)', 'risk_objection.days' => 30,
	'backtest_objections.settings' => q{=&check_settings('{}')}, 'churn_limits.settings' => q{=&check_settings('{}')},
	'backtest_objections.rank' => '(100,40,0.7,0.6,0.8,0.6,0.5,0.7,0.1,-0.05,0.15)', 'churn_signs.limits' => '(0.05,0.8,3,0.5,0.8)',
	'churn_signs.measures' => '(91,364,2,20,0.01,20,200,0.01,0.2,3,4,1.5,0.7)', 'risk_of_past.settings' => q{=&check_settings('{}')}, 'risk_source.settings' => q{=&check_settings('{}')},
	'risk_share.shares' => '=array_fill(0.5::float8, ARRAY[6, 20])', 'risk_agg.as_of' => '2024-03-01', 'risk_agg.days' => 30, 'risk_agg.prior_gaps' => 2,
	'risk_agg.usual_gap_days' => 30, 'risk_agg.prior_customers' => 20, 'tenths_agg.amounts' => '{1,2}', 'tenths_total.tenths' => '{{1,2},{3,4}}', 'tenths_total.col' => 1,
	'contribution_prior.moments' => '{60,3000,900,280,20,1000,300,95,230}', 'usual_gross.moments' => '{60,3000,900,280,20,1000,300,95,230}',
	'tenths_error.tenths' => '{{1,2,3},{3,4,5}}', 'cheapest_threshold_agg.false_alarm_cost' => 1, 'cheapest_threshold_agg.miss_cost' => 1,
	'scheme_measure_abcd.measure' => 'net', 'kept_query.as_of' => '2024-02-01', 'kept_query.scorecard_id' => 1, (map { ("$_.as_of" => '2024-02-01', "$_.scorecard_id" => 1) } qw(figures_query figures_create)),
	'cut text' => 'avg(net)', 'rule_is_of_unscored.rule_item' => 'mine.kept_customer AS k', 'query_mentions.query' => 'SELECT net FROM mine.customer', 'condition_nulls.query' => 'SELECT net IS NULL FROM mine.customer',
	'scorecard_query.figures' => 'SELECT * FROM mine.kept_customer', 'scorecard_query.cuts' => 'ARRAY[1]', 'customer_row_items.figures' => 'f.*', 'kept_fill_changed.as_of' => '2024-02-01', 'kept_move.given' => '2024-02-01',
	'kept_run.command' => 'CREATE UNLOGGED TABLE mine.refresh_row AS SELECT 1 AS one', 'kept_run.query' => 'SELECT 1 AS one',
	'segment_internal.scorecard_terms' => '=(SELECT s.terms FROM mine.scorecard_figures AS s ORDER BY s.scorecard_id LIMIT 1)',
	'kept_move.today' => '2024-02-01',
	'scheme_action_query.customers' => 'customer', 'customer_now_run.query' => 'SELECT h.* FROM mine.customer_history AS h', 'customer_now_run.keys' => '=ARRAY[1]',
	'customer_now_run.report' => '=NULL::mine.customer_history', 'customer_now_histories.report' => '=NULL::mine.customer_history', 'customer_now_histories.arguments' => '{}',
	'customer_now_columns.item' => 'h', 'fold_query.change' => 'change', 'fold_query.noted' => 'noted', 'customer_figures_items.histories' => 'mine.customer_history',
	'run_at_once.commands' => '{SELECT 1}', 'run_at_once.paths' => '{NULL}', 'log_create.columns' => '{customer,at}', 'root oid' => q{='trade.orders'::regclass},
	'changed_histories.tables' => '{}', 'changed_histories.logs' => '{}', 'changed_histories.sign' => 1, 'changed_histories.query' => 'SELECT customer, at, amount FROM trade.orders',
	'fold_source[]' => q{{"(purchases,\\"SELECT customer, at, amount FROM trade.orders\\",f,{},{})"}}, 'history_change.by_day' => 'true',

	# schemes
	'role text' => 'reader', 'privilege text' => 'SELECT',
	'scheme text' => 'rfm_segment', 'schemes text[]' => '{rfm_segment}', 'classes jsonb' => '[{"class": "a", "rule": "net > 0"}, {"class": "b"}]', 'cuts jsonb' => '{}',
	'create_scheme.scheme' => 'another', 'scheme_write.scheme' => 'another', 'alter_scheme.scheme' => 'size', 'drop_scheme.scheme' => 'size', 'scheme_drop.scheme' => 'size',
	'rule text' => 'net > 0',
	'rule_fail.wrong' => '(rfm_segment,a,rule,"net > 0")', 'segment_internal.cut_list' => '({a},"(avg(net))::text::numeric")', 'scheme_compute_cuts.unscored' => '{}',
	'segment_internal.key_account_decision' => '(a,b)',
	'rule_try.rules' => '{net > 0}', 'rule_find_wrong.rules' => q{{"(rfm_segment,a,rule,\"net > 0\")"}},
	'col text' => 'net', 'crosstab.row_by' => 'rfm_segment', 'crosstab.column_by' => 'dormancy', 'crosstab_cells.arguments' => '{"row_by": "rfm_segment", "column_by": "dormancy"}',
	'dashboard_query.panel' => '["barchart", "label", null, "part"]', 'dashboard_panel.entry' => q{=(SELECT c FROM segment_internal.chart_catalog AS c WHERE c.chart = 'whale')},
	'chart text' => 'segments', 'options jsonb' => '{}', 'chart_draw.arguments' => '{"chart": "segments"}',
	'scripts text' => 'lib', 'report_write.arguments' => '{}', 'report_json.document' => '{"a": "<b>&"}', 'chart_make.entry' => q{=(SELECT c FROM segment_internal.chart_catalog AS c WHERE c.chart = 'whale')},
	'report_table.headers' => '{customer,sales}', 'report_table.numbers_from' => 2, 'report_table.rows' => '{{a,1},{b,2}}', 'wanted text' => 'money', 'report_head.title' => 'a <b>',
	(map { ("$_.options" => q{=&report_verdict('mine', &chart_texts(&chart_options('{}')))}) } qw(report_charts report_lists report_figures report_table report_signed report_change)),
	(map { ("$_.options" => q{=&chart_texts(&chart_options('{}'))}) } qw(dashboard_query dashboard_panel chart_channel chart_localize chart_frame chart_make chart_amount chart_percent chart_marks report_verdict)),
	'chart_texts.options' => q{=&chart_options('{}')}, 'chart_frame.entry' => q{=(SELECT c FROM segment_internal.chart_catalog AS c WHERE c.chart = 'whale')},
	'chart_channel.channel' => 'x', 'chart_channel.field' => 'sales', 'chart_channel.type' => 'quantitative', 'chart_marks.number' => '1,234.5', 'chart_label.language' => 'zh',
	'portfolio_drivers.arguments' => '{"outcome": "bought", "cutoff": "2023-09-01", "horizon_days": 30}', 'outcome text' => 'bought',
	'drivers.query' => 'SELECT customer % 2 = 0, amount, at FROM trade.orders', 'drivers_query.run' => q{=&backtest_prepare('mine', '2023-09-01', 30)},
	'value_score.weights' => '{"net": 1}', 'value_score_weights.weights' => '{"net": 1}', 'value_scores.arguments' => '{"weights": {"net": 1}}',
	'define_traits.traits' => '[{"trait": "a", "rule": "net > 0"}]', 'trait_change.arguments' => '{"traits": [{"trait": "a", "rule": "net > 0"}]}',
	'attribute_check_names.names' => '{city}', 'portfolio_take_views.gone' => '{city}', 'portfolio_put_views.grants' => '{}',
	'scheme_check_domains.domains' => '{"a": {"action": "b"}}',
	'scheme_proof.arguments' => '{"scheme": "rfm_segment"}', 'explain_classes.arguments' => '{"customer": "1"}',
	'columns text[]' => '{net,orders}', 'transform text' => 'none', 'create_cluster_scheme.scheme' => 'another', 'refit_cluster_scheme.scheme' => 'another',
	'features text' => 'ARRAY[net::float8]', 'cluster_match.values_per_head' => '{1,2}', 'cluster_match.codes' => '{a,b}', 'cluster_rank.cuts' => '{1,2}',
	'experiment_readout.starts' => '2023-09-01', 'experiment_readout.ends' => '2023-10-01', 'experiment_readout.classes' => '{"dormancy": "asleep"}', 'experiment_condition.classes' => '{"dormancy": "asleep"}',
	'experiment_readings.arguments' => '{"salt": "s", "share": 0.3, "starts": "2023-09-01", "before_days": 90, "level": 0.9}',
	'cluster_change.arguments' => '{"command": "create", "scheme": "another", "columns": ["net"], "k": 2, "seed": 1, "transform": "none"}',
	'scheme_change.arguments' => '{"command": "create", "scheme": "another", "classes": [{"class": "a", "rule": "net > 0"}, {"class": "b"}], "cuts": {}}',

	# key accounts
	'customer text' => '1', 'key text' => q{'1'}, 'scheme_check_name.name' => 'another', 'demote_key_account.customer' => "=$key_account", 'key_account_demote.key' => "=quote_literal($key_account)",
	'assign_key_account.customer' => "=$key_account", 'set_key_account_stage.customer' => "=$key_account", 'set_key_account_stage.stage' => 'early',
	'key_account_set_stage.key' => "=quote_literal($key_account)", 'key_account_set_stage.arguments' => '{"stage": "early", "who": "b"}', 'key_account_assign.key' => "=quote_literal($key_account)",
	'valid_until date' => '2030-01-01', 'key_account_review.as_of' => '2030-01-01', 'key_account_override.as_of' => '2023-12-31',
	'key_account_change.arguments' => $override,
	'key_account_override.arguments' => $override, 'key_account_demote.arguments' => '{"customer": "1", "reason": "a", "who": "b"}',
);

# What must be done before in the same transaction, so that a function can do
# its work.
my $to_demote = q{UPDATE mine.key_account_review SET decision = 'would_demote'};
my $to_end = q{SELECT segment.override_key_account('mine', 1, true, 'a', '2030-01-01', 'b')};
my $to_store = qq{SELECT &refresh_run('mine', 'CREATE UNLOGGED TABLE mine.refresh_read AS ' || &refresh_read_query('mine', $definition, false), 'public', false), &event_read('mine', $definition, false)};
my $no_keys = q{CREATE UNLOGGED TABLE mine.refresh_key AS SELECT c.*, false AS folded FROM mine.changed_customer AS c};
my $to_find_keys = qq{$no_keys; INSERT INTO mine.refresh_key VALUES (1, false, false), (2, false, true)};
my $to_log = q{SELECT segment.watch('mine', t.name::regclass, t.customer) FROM (VALUES ('trade.orders', 'customer'), ('trade.person', 'id'), ('trade.cost', 'id'),
	('trade.complaint', 'id'), ('trade.answer', 'id')) AS t(name, customer)};
my $to_have_figures = q{SELECT &figures_create('mine', 1, '2024-02-01', false, NULL)};
my $to_check_rules = q{CREATE TABLE mine.rule_check AS TABLE mine.customer WITH NO DATA};
my %before = (
	demote_key_account => $to_demote, key_account_demote => $to_demote, end_key_account_override => $to_end,
	refresh_store => $to_store, refresh_defects => $to_store, refresh_source_defects => $to_store,
	event_store => $to_store, defect_events => $to_store, defect_histories => $to_store, defect_usual_orders => $to_store,
	portfolio_create_tables => 'CREATE SCHEMA new',
	trait_create_tables => 'DROP TABLE mine.target_trait', trait_classes => q{INSERT INTO mine.target_trait VALUES ('a', 1, 'net > 0', 'a', NULL)},
	event_create_tables => 'DROP TABLE mine.event_history CASCADE; DROP TYPE mine.event_key',
	kept_fill => $to_have_figures, scheme_compute_cuts => $to_have_figures, scheme_compute_each_cut => $to_have_figures, scheme_try => $to_have_figures,
	kept_fill_changed => $to_find_keys, kept_move => $to_find_keys,
	attribute_define => q{SELECT &portfolio_take_views('mine', '{}')},
	rule_fail => $to_check_rules, rule_try => $to_check_rules, rule_find_wrong => $to_check_rules,
	refresh_take => $no_keys, refresh_take_changes => $no_keys, refresh_histories => $no_keys,
	(map { $_ => $to_log } qw(log_wanted log_define log_in_use log_keys log_has_strays log_drop_unused fold_sources refresh_commands log_define_pending customer_now_query)),
	unwatch => q{SELECT segment.watch('mine', 'trade.orders', 'customer')},
	scheme_write => q{INSERT INTO mine.scheme (scheme, ordinal, label) VALUES ('another', 1000, 'a')},
	scheme_create_tables => 'DROP TABLE mine.scheme, mine.scheme_class, mine.scheme_cut, mine.scheme_domain CASCADE',
	refit_cluster_scheme => q{SELECT segment.create_cluster_scheme('mine', 'another', '{net}', 2)},
	cluster_create_tables => 'DROP TABLE mine.cluster_fit, mine.cluster_trial CASCADE',
	watch_create_tables => 'DROP TABLE mine.watched_table, mine.changed_customer, mine.unnoted_change CASCADE',
	snapshot_create_tables => 'DROP TABLE mine.snapshot, mine.snapshot_customer CASCADE',
	key_account_create_tables => 'DROP TABLE mine.key_account_criterion, mine.key_account_stay, mine.key_account_review, mine.key_account_finding, mine.key_account_override, mine.key_account_owner,
		mine.key_account_stage, mine.key_account_stage_entry CASCADE',
);

# ---------- values of the extension's own types, made by expressions ----------

# The orders of one customer, or of many, as rows of (day, amount).
my @orders = (
	q{(SELECT date '2023-01-01', 1.0 WHERE false)},
	q{(VALUES (date '2023-03-01', 10.5))},
	q{(VALUES (date '2023-03-01', -10.5))},
	q{(VALUES (date '2023-03-01', 0))},
	q{(VALUES (date '2023-01-05', 999999999999999999999999999), ('2023-01-06', -999999999999999999999999999))},
	q{(SELECT date '1990-01-01' + n, n % 100 - 3.25 FROM generate_series(1, 10000) AS n)});
my $customers = q{(SELECT (n % 5)::float8 AS x, CASE WHEN n % 5 = 0 THEN 0 ELSE 1 + n % 30 END::float8 AS t_x, 32 + n % 9 AS t, 1 + n % 4 AS weight, 5 + n % 50 AS spend
	FROM generate_series(1, 200) AS n) AS c};
my %made = (
	'segment.rfm' => [ map({ "(SELECT segment.rfm_agg(o.day, o.amount) FROM $_ AS o (day, amount))" } @orders),
		q{segment.rfm_agg(timestamptz '294276-12-31 23:59:59.999999+00', 1e26::float8)}, q{segment.rfm_agg(timestamptz '4714-11-24 00:00+00 BC', 9223372036854775807)} ],
	'segment.history' => [ map({ "(SELECT segment.history_agg(o.day, o.amount) FROM $_ AS o (day, amount))" } @orders,
			q{(VALUES (date '4714-11-24 BC', 1), ('5874897-12-31', 2))}),
		q{(SELECT segment.as_of(segment.history_agg(date '2023-01-01', 1), '2022-01-01'))} ],
	'segment.model' => [
		map({ my $kind = $_; map({ "(SELECT segment.${kind}_fit($_) FROM $customers)" } 'x, t_x, t', 'x, t_x, t, weight') } qw(bgnbd mbgnbd pnbd bgbb)),
		"(SELECT segment.bgnbd_fit(x, t_x, t) FROM $customers WHERE false)",
		"(SELECT segment.bgnbd_fit(0, 0, t) FROM $customers)",
		"(SELECT segment.gammagamma_fit(x, spend) FROM $customers)",
		map({ "segment.model($_)" } q{'bgnbd', '{"r": 1e-40, "alpha": 1e40, "a": 1e-40, "b": 1e40}'}, q{'mbgnbd', '{"r": 1e10, "alpha": 1e-10, "a": 1e10, "b": 1e-10}'},
			q{'pnbd', '{"r": 1e5, "alpha": 1e-5, "s": 1e5, "beta": 1e5}'},
			q{'bgbb', '{"alpha": 1e-10, "beta": 1e10, "gamma": 1e10, "delta": 1e-10}'},
			q{'gammagamma', '{"p": 1e10, "q": 1e-10, "gamma": 1e40}'}),
		q{segment.with_unit(segment.model('bgnbd', '{"r": 0.24, "alpha": 4.4, "a": 0.8, "b": 2.4}'), 'week')} ],
);

# ---------- the generator ----------

# What arguments of any type get.
my @concrete = ('integer', 'bigint', 'text', 'numeric', 'date', 'boolean', 'jsonb', 'uuid', 'segment.history');

# EdgeValues->new($query): $query runs a statement and returns its rows, in
# which columns are separated by "|".
sub new
{
	my ($class, $query) = @_;
	my $self = bless { edges => { map { $_ => [ @{ $edges{$_} } ] } keys %edges } }, $class;
	# Literals, so that a statement can be read and is fast; expressions where
	# they would be long.
	foreach my $type (sort keys %made)
	{
		foreach my $expression (@{ $made{$type} })
		{
			my ($null, $long, $literal) = split /\|/, ($query->(
				"SELECT v IS NULL, length(v) > 1000, CASE WHEN length(v) <= 1000 THEN v END FROM (SELECT ($expression)::text AS v) AS t"))[0], 3;
			push @{ $self->{edges}{$type} }, $null eq 't' ? undef : $long eq 't' ? "=$expression" : $literal;
			# What the input functions read, whole and cut off.
			push @{ $self->{edges}{cstring} }, $literal, substr($literal, 0, length($literal) / 2) if $null eq 'f' && $long eq 'f';
		}
		push @{ $self->{edges}{$type} }, undef;
	}
	# The columns of composite types, which may have none.
	foreach my $row ($query->(q{
		SELECT format_type(t.oid, NULL), format_type(a.atttypid, NULL)
		FROM pg_type AS t LEFT JOIN pg_attribute AS a ON a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
		WHERE t.typtype = 'c' AND t.typnamespace <> 'pg_catalog'::regnamespace AND t.typnamespace <> 'information_schema'::regnamespace
		ORDER BY t.oid, a.attnum}))
	{
		my ($type, $column) = split /\|/, $row;
		push @{ $self->{columns}{$type} //= [] }, $column eq '' ? () : $column;
	}
	# The types of domains.
	foreach my $row ($query->(q{
		SELECT format_type(t.oid, NULL), format_type(t.typbasetype, NULL) FROM pg_type AS t
		WHERE t.typtype = 'd' AND t.typnamespace <> 'information_schema'::regnamespace}))
	{
		my ($domain, $type) = split /\|/, $row;
		$self->{base}{$domain} = $type;
	}
	return $self;
}

sub one_of
{
	return $_[ rand @_ ];
}

# A value of the tables as SQL.
sub as_sql
{
	my ($value, $type) = @_;
	return "NULL::$type" unless defined $value;
	return "($1)::$type" if $value =~ /^=(.*)$/s;
	$value =~ s/'/''/g;
	return "'$value'::$type";
}

# A value from the edge of a type, as SQL.
sub edge
{
	my ($self, $type) = @_;
	return as_sql(one_of(@{ $self->{edges}{$type} }), $type) if $self->{edges}{$type};
	return $self->edge_of_array($1) if $type =~ /^(.*)\[\]$/s;
	return $self->edge_of_array(one_of(@concrete)) if $type =~ /^any(compatible)?array$/;
	return $self->edge(one_of(@concrete)) if $type =~ /^any/;
	return sprintf '(%s)::%s', $self->edge($self->{base}{$type}), $type if $self->{base}{$type};
	if (my $columns = $self->{columns}{$type})
	{
		return "NULL::$type" if rand() < 0.2;
		return sprintf 'ROW(%s)::%s', join(', ', map { rand() < 0.2 ? 'NULL' : $self->edge($_) } @$columns), $type;
	}
	die "say in EdgeValues.pm which values of type $type there are\n";
}

sub edge_of_array
{
	my ($self, $type) = @_;
	my $elements = join ', ', map { $self->edge($type) } 1 .. 1 + rand 4;
	return one_of(
		"NULL::$type\[]", "'{}'::$type\[]", "ARRAY[NULL, NULL]::$type\[]", "ARRAY[$elements]", "ARRAY[$elements]", "ARRAY[[$elements], [$elements]]",
		"array_fill(" . $self->edge($type) . ", ARRAY[3], ARRAY[-5])", "array_fill(" . $self->usual('', '', $type) . ", ARRAY[20000])",
		"(SELECT array_agg(v ORDER BY v::text) FROM unnest(ARRAY[$elements]) AS v)");
}

# An edge of an argument: that of its type, or the usual with an edge inside.
sub edge_of_argument
{
	my ($self, $function, $argument, $type) = @_;
	return $self->edge($type) if $type ne 'jsonb' || rand() < 0.5;
	return sprintf "jsonb_set(%s, '{%s}', coalesce(%s, 'null'))", $self->usual($function, $argument, $type), one_of(@keys), $self->edge($type);
}

# The usual value of an argument, as SQL.
sub usual
{
	my ($self, $function, $argument, $type) = @_;
	foreach my $key ("$function.$argument", "$argument $type", $type, $type =~ s/^.*\.//r)
	{
		return as_sql($usual{$key}, $type) if exists $usual{$key};
	}
	return sprintf 'ARRAY[%s]', $self->usual($function, $argument, $1) if $type =~ /^(.*)\[\]$/s;
	return $type =~ /^any(compatible)?array$/ ? 'ARRAY[1, 2]' : '1' if $type =~ /^any/;
	# without a cast, for which the caller would need rights on the domain's schema
	return $self->usual($function, $argument, $self->{base}{$type}) if $self->{base}{$type};
	if (my $columns = $self->{columns}{$type})
	{
		return sprintf 'ROW(%s)::%s', join(', ', map { $self->usual('', '', $_) } @$columns), $type;
	}
	die "say in EdgeValues.pm what value of type $type is usual\n";
}

# What must be done before a function is called, as SQL; undef for most.
sub before
{
	my ($function) = @_;
	return $before{$function};
}

1;
