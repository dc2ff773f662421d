--
-- backtest: error and miss rate by hand, AUC by pairs, published totals, no
-- look beyond the cutoff, sums of the deciles, verdicts
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
SELECT plan(126);

CREATE SCHEMA evaluation_test;
SET search_path = evaluation_test, public;
-- One figure of a backtest.
CREATE FUNCTION figure(name text, cutoff date, days integer, measure text, side text DEFAULT 'model',
	false_alarm_cost float8 DEFAULT 1, miss_cost float8 DEFAULT 1) RETURNS float8 LANGUAGE sql
RETURN (SELECT CASE side WHEN 'model' THEN b.model ELSE b.baseline END
	FROM segment.backtest(name, cutoff, days, false_alarm_cost, miss_cost) AS b WHERE b.measure = figure.measure);
CREATE FUNCTION verdict(name text, cutoff date, days integer) RETURNS text LANGUAGE sql
RETURN (SELECT b.meaning FROM segment.backtest(name, cutoff, days) AS b WHERE b.measure = 'verdict');

-- ---------- by hand ----------

-- Cutoff 2024-06-30, 30 days: June before it, the first 30 days of July after it.
-- 40 customers bought in June, of whom the first 30 buy again, twice each;
-- 20 bought in March and April, of whom the first 5 buy again, once; two came later.
CREATE TABLE hand (id integer, day date, amount numeric);
INSERT INTO hand SELECT i, date '2024-06-01' + d, 10 FROM generate_series(1, 40) AS i, unnest(ARRAY[i % 10, 15 + i % 10]) AS d
UNION ALL SELECT i, date '2024-07-01' + d, 10 FROM generate_series(1, 30) AS i, unnest(ARRAY[i % 14, 15 + i % 14]) AS d
UNION ALL SELECT i, date '2024-03-01' + d, 10 FROM generate_series(41, 60) AS i, unnest(ARRAY[i % 10, 30]) AS d
UNION ALL SELECT i, date '2024-07-10', 10 FROM generate_series(41, 45) AS i
-- on the last day of the horizon, and on the day after it; a second order on one day; a refund
UNION ALL SELECT 61, date '2024-07-30', 10 UNION ALL SELECT 62, date '2024-07-31', 10
UNION ALL SELECT 60, date '2024-07-31', 10 UNION ALL SELECT 1, date '2024-07-02', 5 UNION ALL SELECT 50, date '2024-07-05', -5;
SELECT is((segment.create_portfolio('hand', 'TABLE hand')).as_of, date '2024-07-31', 'a base made by hand');
SELECT is(figure('hand', '2024-06-30', 30, m), v::float8, m || ' by hand')
FROM (VALUES ('customers', 60), ('born_after_cutoff', 1), ('buyers', 35), ('actual_purchases', 65)) AS t(m, v);
-- the baseline: the 40 of June are expected again, once each, since the first of their two
-- purchase days made them known
SELECT is(round(figure('hand', '2024-06-30', 30, m, 'baseline')::numeric, 12), round(v, 12), 'baseline: ' || m || ' by hand')
FROM (VALUES ('predicted_purchases', 40.0), ('bias', 40 / 65.0 - 1), ('mae', (30 + 10 + 5) / 60.0), ('predicted_buyers', 40),
	('error_rate', 10 / 40.0), ('miss_rate', 5 / 35.0), ('recall', 30 / 35.0),
	-- pairs of a buyer and another: 30 x 10 + 5 x 15 tied, 30 x 15 right, 5 x 10 wrong
	('auc', (0.5 * (30 * 10 + 5 * 15) + 30 * 15) / (35.0 * 25)),
	-- any six of the 40, who bought 60 times
	('top_decile_lift', 60 / 40.0 * 60 / 65.0),
	('cost', 10 + 5),
	-- of July 650: 60 orders of 10, five by others, one of 5 more, a refund of 5; of June 400
	('actual_contribution', 650), ('predicted_contribution', 400), ('contribution_bias', 400 / 650.0 - 1),
	('contribution_mae', (29 * 10 + 15 + 10 * 10 + 5 * 10 + 5) / 60.0),
	('contribution_mae_of_mean', (29 * (20 - 400 / 60.0) + 25 - 400 / 60.0 + 5 * (10 - 400 / 60.0) + 5 + 400 / 60.0 + 24 * 400 / 60.0) / 60.0)) AS t(m, v);
SELECT is(figure('hand', '2024-06-30', 30, m, 'model', 2, 3), v::float8, m || ' by hand')
FROM (VALUES ('cost_of_everybody', 2 * 25), ('cost_of_nobody', 3 * 35), ('churned', 25)) AS t(m, v);

-- The model's side from its own predictions: fitted, then counted by other means.
CREATE TABLE judged AS
SELECT h.customer_id, segment.purchase_probability(f.m, b.x, b.t_x, b.t, 30 / 7.0) AS p, segment.expected_purchases(f.m, b.x, b.t_x, b.t, 30 / 7.0) AS e,
	(SELECT count(DISTINCT o.day) FROM hand AS o WHERE o.id = h.customer_id AND o.amount > 0 AND o.day BETWEEN '2024-07-01' AND '2024-07-30') AS actual
FROM hand.customer_history AS h CROSS JOIN LATERAL segment.cbs(h.purchases, '2024-06-30', 'week') AS b
CROSS JOIN (SELECT segment.mbgnbd_fit(c.x, c.t_x, c.t) AS m FROM hand.customer_history AS i CROSS JOIN LATERAL segment.cbs(i.purchases, '2024-06-30', 'week') AS c WHERE c.t IS NOT NULL) AS f
WHERE b.t IS NOT NULL;
SELECT is((SELECT count(*) FROM judged), 60::bigint, 'sixty judged');
CREATE TABLE expected AS
SELECT 'error_rate' AS m, count(*) FILTER (WHERE p >= 0.45 AND actual = 0)::float8 / count(*) FILTER (WHERE p >= 0.45) AS v FROM judged
UNION ALL SELECT 'miss_rate', count(*) FILTER (WHERE p < 0.45 AND actual > 0)::float8 / count(*) FILTER (WHERE actual > 0) FROM judged
UNION ALL SELECT 'recall', count(*) FILTER (WHERE p >= 0.45 AND actual > 0)::float8 / count(*) FILTER (WHERE actual > 0) FROM judged
UNION ALL SELECT 'predicted_buyers', count(*) FILTER (WHERE p >= 0.45) FROM judged
UNION ALL SELECT 'predicted_purchases', sum(e) FROM judged
UNION ALL SELECT 'bias', sum(e) / sum(actual) - 1 FROM judged
UNION ALL SELECT 'mae', avg(abs(e - actual)) FROM judged
-- every pair of a buyer and one who did not buy
UNION ALL SELECT 'auc', avg(CASE WHEN a.p > b.p THEN 1 WHEN a.p = b.p THEN 0.5 ELSE 0 END) FROM judged AS a, judged AS b WHERE a.actual > 0 AND b.actual = 0
-- with equal predictions, what is to be expected
UNION ALL SELECT 'top_decile_lift', (SELECT avg(mean) FROM (SELECT avg(actual) OVER (PARTITION BY e) AS mean FROM judged ORDER BY e DESC LIMIT 6) AS t) / avg(actual) FROM judged
UNION ALL SELECT 'cost', 9.0 * count(*) FILTER (WHERE p >= 0.45 AND actual = 0) + 11.0 * count(*) FILTER (WHERE p < 0.45 AND actual > 0) FROM judged
UNION ALL SELECT 'predicted_churned', sum(1 - p) FROM judged
UNION ALL SELECT 'churn_auc', avg(CASE WHEN a.p < b.p THEN 1 WHEN a.p = b.p THEN 0.5 ELSE 0 END) FROM judged AS a, judged AS b WHERE a.actual = 0 AND b.actual > 0;
-- costs 9 and 11: predicted to buy from 0.45 on
SELECT is(round(figure('hand', '2024-06-30', 30, m, 'model', 9, 11)::numeric, 9), round(v::numeric, 9), 'model: ' || m || ' counted by other means') FROM expected ORDER BY m;
-- costs 1 and 9: from 0.1 on, that is the 40 of June, of whom 10 do not come, and none of the 20 of spring, of whom 5 do
SELECT is(figure('hand', '2024-06-30', 30, m, 'model', 1, 9), v, 'model: ' || m || ' by hand') FROM (VALUES
	('predicted_buyers', 40::float8), ('error_rate', 0.25), ('miss_rate', 1 - 30 / 35.0::float8), ('recall', 1 - (1 - 30 / 35.0::float8))) AS t(m, v);


-- the deciles add up
SELECT results_eq($$ SELECT count(*), sum(customers), round(sum(actual)::numeric, 9), round(sum(predicted)::numeric, 9), round(sum(buyers)::numeric, 9),
		round(sum(actual_contribution)::numeric, 9), round((sum(predicted_contribution) - figure('hand', '2024-06-30', 30, 'predicted_contribution'))::numeric, 9)
		FROM segment.backtest_deciles('hand', '2024-06-30', 30) $$,
	format('VALUES (10::bigint, 60::numeric, 65.000000000, %s, 35.000000000, 650.000000000, 0.000000000)', (SELECT round(sum(e)::numeric, 9) FROM judged)), 'deciles add up to the totals');
SELECT is((SELECT array_agg(round(actual::numeric, 9) ORDER BY decile) FROM segment.backtest_deciles('hand', '2024-06-30', 30)),
	(SELECT array_agg(round(s, 9) ORDER BY t) FROM (SELECT t, sum(m) AS s FROM (SELECT ntile(10) OVER (ORDER BY e DESC) AS t, avg(actual) OVER (PARTITION BY e) AS m FROM judged) AS q GROUP BY t) AS q),
	'who has the same prediction is not told apart by the key');
SELECT is((SELECT count(*) FROM (SELECT predicted_contribution < lead(predicted_contribution) OVER (ORDER BY decile) AS rises
	FROM segment.backtest_deciles('hand', '2024-06-30', 30, 'contribution')) AS d WHERE rises), 0::bigint, 'tenths by contribution');
SELECT is((SELECT count(*) FROM segment.backtest_deciles('hand', '2024-06-30', 30, 'risk')), 0::bigint, 'too few were known 30 days before for a risk');
SELECT is((SELECT count(*) FROM (SELECT predicted / customers < lead(predicted / customers) OVER (ORDER BY decile) AS rises FROM segment.backtest_deciles('hand', '2024-06-30', 30)) AS d WHERE rises),
	0::bigint, 'the first decile has the highest prediction');

-- the threshold follows from the costs
SELECT is(figure('hand', '2024-06-30', 30, 'threshold', 'model', f, m), t, format('threshold with costs %s and %s', f, m))
FROM (VALUES (1::float8, 1::float8, 0.5::float8), (1, 3, 0.25), (3, 1, 0.75), (0, 1, 0), (2, 0, 1)) AS v(f, m, t);
SELECT is(figure('hand', '2024-06-30', 30, 'miss_rate', 'model', 0, 1), 0::float8, 'where false alarms cost nothing, nobody is missed');
-- no threshold costs less, in hindsight, than the one named best
SELECT is_empty($$
	WITH cost AS (SELECT t, (SELECT 2.0 * count(*) FILTER (WHERE p >= t AND actual = 0) + 3.0 * count(*) FILTER (WHERE p < t AND actual > 0) FROM judged) AS cost
		FROM (SELECT p AS t FROM judged UNION SELECT figure('hand', '2024-06-30', 30, 'best_threshold', 'model', 2, 3)) AS t)
	SELECT * FROM cost WHERE cost < (SELECT min(cost) FROM cost WHERE abs(t - figure('hand', '2024-06-30', 30, 'best_threshold', 'model', 2, 3)) < 1e-12) $$, 'best_threshold is the cheapest');

-- a customer's contribution: margin, else sales times the setting; less cost
CREATE TABLE cost (id integer, day date, amount numeric);
INSERT INTO cost SELECT i, date '2024-05-20' + i, 1 + i % 3 FROM generate_series(1, 60) AS i;
INSERT INTO cost SELECT i, date '2024-07-15', 2 FROM generate_series(1, 60, 7) AS i;
SELECT is((segment.create_portfolio('earned', 'SELECT id, day, amount, amount * (id % 4 - 1) / 4 FROM hand', costs => 'TABLE cost')).customers, 62::bigint, 'margins and costs');
CREATE TABLE earned_by AS
SELECT k.id, coalesce(sum(e.amount) FILTER (WHERE e.day > '2024-06-30'), 0) AS actual,
	coalesce(sum(e.amount) FILTER (WHERE e.day <= '2024-06-30' AND e.day > greatest('2024-05-31', k.first_day)), 0) AS past
FROM (SELECT id, min(day) AS first_day FROM hand GROUP BY id HAVING min(day) <= '2024-06-30') AS k
LEFT JOIN (SELECT id, day, amount * (id % 4 - 1) / 4 AS amount FROM hand UNION ALL SELECT id, day, -amount FROM cost) AS e ON e.id = k.id AND e.day <= '2024-07-30'
GROUP BY k.id;
SELECT is(round(figure('earned', '2024-06-30', 30, m, 'baseline')::numeric, 9), round(v, 9), m || ' with margins and costs') FROM (
	SELECT sum(actual) AS a, sum(past) AS p, avg(abs(past - actual)) AS e FROM earned_by) AS s,
	LATERAL (VALUES ('actual_contribution', a), ('predicted_contribution', p), ('contribution_mae', e)) AS t(m, v);
SELECT ok(p < 0 AND p > -1000, 'who loses money is predicted to go on losing it') FROM (
	SELECT min(predicted_contribution) AS p FROM segment.backtest_deciles('earned', '2024-06-30', 30, 'contribution')) AS d;

-- no leak: later orders change the actual side only
CREATE TABLE before AS SELECT * FROM segment.backtest('hand', '2024-06-30', 30);
INSERT INTO hand SELECT i, date '2024-07-20' + i % 5, 999 FROM generate_series(46, 58) AS i;
INSERT INTO hand SELECT 100 + i, date '2024-07-02', 10 FROM generate_series(1, 7) AS i;
SELECT ok((segment.refresh('hand')).customers = 69, 'more orders after the cutoff');
CREATE TABLE after AS SELECT * FROM segment.backtest('hand', '2024-06-30', 30);
SELECT results_eq(format('SELECT measure, model, baseline FROM %I WHERE measure IN (''customers'', ''predicted_purchases'', ''predicted_buyers'', ''threshold'')', 'after'),
	format('SELECT measure, model, baseline FROM %I WHERE measure IN (''customers'', ''predicted_purchases'', ''predicted_buyers'', ''threshold'')', 'before'), 'leave what was predicted as it was');
SELECT results_eq($$ SELECT measure, a.model - b.model FROM after AS a JOIN before AS b USING (measure) WHERE measure IN ('born_after_cutoff', 'buyers', 'actual_purchases') ORDER BY 1 $$,
	$$ VALUES ('actual_purchases', 13::float8), ('born_after_cutoff', 7), ('buyers', 13) $$, 'and change what happened');
DELETE FROM hand WHERE day > '2024-06-30' AND day < '2024-07-31';
SELECT ok((segment.refresh('hand')).customers = 61, 'and none');
SELECT results_eq($$ SELECT measure, model FROM segment.backtest('hand', '2024-06-30', 30) WHERE measure IN ('predicted_purchases', 'predicted_buyers') $$,
	$$ SELECT measure, model FROM before WHERE measure IN ('predicted_purchases', 'predicted_buyers') $$, 'nor does it matter if nothing happened');
SELECT is(verdict('hand', '2024-06-30', 30), 'not to be judged: nobody bought after the cutoff', 'nothing happened');

-- ---------- CDNOW against published totals ----------

\set orders_csv `cat "${SEGMENT_DATA:-../shared/data}/cdnow_orders.csv" 2>/dev/null`
SELECT length(:'orders_csv') > 0 AS have_data \gset
\if :have_data
CREATE TABLE cdnow AS
SELECT l[1]::integer AS customer, l[2]::date AS day, l[3]::numeric AS amount
FROM (SELECT string_to_array(line, ',') AS l FROM regexp_split_to_table(:'orders_csv', E'\r?\n') WITH ORDINALITY AS r(line, n)
	WHERE n > 1 AND line <> '') AS s;
SELECT is((segment.create_portfolio('cdnow', 'TABLE cdnow', unit => 'week')).customers, 2357::bigint, 'CDNOW');
SELECT is(figure('cdnow', '1997-09-30', 273, m), v::float8, 'CDNOW: ' || m) FROM (VALUES ('customers', 2357), ('born_after_cutoff', 0), ('actual_purchases', 1882)) AS t(m, v);
SELECT is(round(figure('cdnow', '1997-09-30', 273, 'predicted_purchases')), 1577::float8, 'CDNOW: predicted by MBG/NBD');
SELECT is((segment.alter_portfolio('cdnow', settings => '{"purchase_model": "bgnbd"}')).customers, 2357::bigint, 'CDNOW');
SELECT is(round(figure('cdnow', '1997-09-30', 273, 'predicted_purchases')), 1653::float8, 'CDNOW: predicted by BG/NBD');
SELECT is((segment.alter_portfolio('cdnow', settings => '{"purchase_model": "pnbd"}', unit => 'day')).customers, 2357::bigint, 'CDNOW');
SELECT is(round(figure('cdnow', '1997-09-30', 273, 'predicted_purchases')), 1666::float8, 'CDNOW: predicted by Pareto/NBD, in days');
SELECT is(round(figure('cdnow', '1997-09-30', 273, 'bias')::numeric, 3), round(1666 / 1882.0 - 1, 3), 'CDNOW: 11 % too few, a known trait of these data');
SELECT is(verdict('cdnow', '1997-09-30', 273), 'usable: ranks as well as the baseline, with a better total', 'CDNOW: verdict');
SELECT is((segment.alter_portfolio('cdnow', settings => '{"usable_error_rate": 0.1}')).customers, 2357::bigint, 'CDNOW');
SELECT matches(verdict('cdnow', '1997-09-30', 273), '^not usable: the error rate 0\.\d+ is above 0\.1$', 'the limit is a setting');
SELECT is((segment.alter_portfolio('cdnow', settings => '{"usable_error_rate": 1, "usable_miss_rate": 0.1}')).customers, 2357::bigint, 'CDNOW');
SELECT matches(verdict('cdnow', '1997-09-30', 273), '^not usable: the miss rate 0\.\d+ is above 0\.1$', 'and that of the miss rate');
SELECT results_eq($$ SELECT cutoff, count(*) FROM segment.backtest_series('cdnow', 90, ARRAY['1997-12-31', '1997-09-30']::date[]) GROUP BY 1 ORDER BY 1 DESC $$,
	$$ VALUES (date '1997-12-31', 38::bigint), ('1997-09-30', 38) $$, 'backtest_series: each cutoff');
\else
SELECT * FROM skip('no test data: set SEGMENT_DATA to their directory', 16);
\endif

-- ---------- the verdict ----------

-- Who buys after the cutoff has nothing to do with the past; everybody is predicted to.
CREATE TABLE chance AS
SELECT i AS id, date '2024-01-01' + (i * 7 + n * (9 + i % 5)) % 180 AS day, 10 AS amount FROM generate_series(1, 300) AS i, generate_series(1, 18) AS n
UNION ALL SELECT i, date '2024-07-10', 10 FROM generate_series(1, 300) AS i WHERE hashint8extended(i, 1) & 3 > 0
UNION ALL SELECT 1, '2024-08-31', 10;
SELECT is((segment.create_portfolio('chance', 'TABLE chance')).customers, 300::bigint, 'a model without skill');
SELECT is(figure('chance', '2024-06-30', 60, 'predicted_buyers'), 300::float8, 'everybody is predicted');
SELECT ok(figure('chance', '2024-06-30', 60, 'auc_low') <= 0.5 AND figure('chance', '2024-06-30', 60, 'auc_high') > 0.5, 'ranked by chance');
SELECT matches(verdict('chance', '2024-06-30', 60), '^not usable: it does not rank better than chance: the interval of auc, 0\.\d+ to 0\.\d+, is not above 0\.5; '
	'it costs no less than to contact everybody: (\d+) against \1$', 'is not usable, and each reason is named');
SELECT is(figure('chance', '2024-06-30', 60, 'verdict'), 0::float8, 'as a number: 0');
SELECT is(segment_internal.backtest_objections(ROW(100, 40, 0.7, 0.6, 0.8, 0.6, 0.5, 0.7, 0.1, l, h)::segment_internal.ranking, b, 0.2, c, 60, 40, e, m,
	'{"usable_error_rate": 0.5, "usable_miss_rate": 0.7}'), w, w)
FROM (VALUES (0.05, 0.15, 0.5, 30, 0.5, 0.7, ''), (-0.05, 0.15, 0.1, 30, 0.5, 0.7, ''),
	(-0.05, 0.15, -0.2, 30, 0, 0, 'it ranks no better than the baseline, auc 0.700 against 0.600, and its total is no nearer, bias -0.200 against 0.200'),
	(-0.15, -0.05, 0, 39, 0, 0, 'it ranks worse than the baseline: auc 0.700 against 0.600'),
	(0.05, 0.15, 0, 40, 0, 0, 'it costs no less than to contact nobody: 40 against 40'),
	(0.05, 0.15, 0, 60, 0.51, 0.71, 'it costs no less than to contact everybody: 60 against 60; it costs no less than to contact nobody: 60 against 40; '
		'the error rate 0.510 is above 0.5; the miss rate 0.710 is above 0.7')) AS t(l, h, b, c, e, m, w);
SELECT is(segment_internal.backtest_objections(ROW(100, 9, 1, 1, 1, 0.6, 0.5, 0.7, 0.4, 0.3, 0.5)::segment_internal.ranking, 0, 0, 0, 91, 9, 0, 0, '{}'),
	'fewer than 10 who bought, or who did not, are too few to tell skill from chance: 9 of 100 bought', 'a few who were all ranked right prove nothing');

-- ---------- how early the signs are seen ----------

-- Weekly buyers who stop on the last day of a month: three usual gaps later they are overdue.
CREATE TABLE stopped AS
SELECT i AS id, d::date AS day, 10 AS amount
FROM generate_series(1, 60) AS i, LATERAL generate_series(timestamp '2023-01-02', timestamp '2024-06-28' + i % 8 * interval '31 days', interval '7 days') AS d;
SELECT is((segment.create_portfolio('stopped', 'SELECT * FROM stopped UNION ALL SELECT 99, date ''2025-06-30'', 10', settings => '{"lost_after_days": 90}')).customers, 61::bigint, 'customers who stop');
SELECT is(figure('stopped', '2024-09-30', 90, m), v::float8, m || ' by hand') FROM (
	SELECT count(*) AS lost, (SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY 90 - 7 * ceil((3 * 7 + 0.001) / 7)) FROM generate_series(1, 1)) AS lead_days
	FROM (SELECT id, max(day) AS last_day FROM stopped GROUP BY id) AS s
	WHERE last_day <= '2024-09-30' AND last_day + 90 > '2024-09-30' AND last_day + 90 <= '2024-12-29') AS s,
	LATERAL (VALUES ('lost_customers', lost), ('lost_with_sign', 1), ('sign_lead_days', lead_days)) AS t(m, v);

-- ---------- any plan ----------

CREATE TEMP TABLE serial AS SELECT n, b.* FROM unnest('{chance,stopped}'::text[]) AS n, segment.backtest(n, '2024-06-30', 60) AS b;
CREATE TEMP TABLE serial_tenths AS SELECT * FROM segment.backtest_deciles('chance', '2024-06-30', 60, 'contribution');
SET LOCAL min_parallel_table_scan_size = 0;
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
ALTER TABLE chance.customer_history SET (parallel_workers = 2);
ALTER TABLE stopped.customer_history SET (parallel_workers = 2);
CREATE FUNCTION pg_temp.plan_of_judged(portfolio text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	run segment_internal.backtest_run := segment_internal.backtest_prepare(portfolio, '2024-06-30', 60);
BEGIN
	RETURN QUERY EXECUTE format('EXPLAIN (COSTS off) WITH c AS MATERIALIZED (SELECT segment_internal.ranking_agg(j.probability, j.risk, j.actual_days > 0) FROM %s) TABLE c',
		segment_internal.backtest_judged(portfolio, run, 'true')) USING NULL::float8[], segment_internal.backtest_fit(portfolio, run, 'true', true);
END $$;
SELECT ok(string_agg(p, E'\n') ~ 'Partial Aggregate.*Parallel Seq Scan', 'what is predicted and judged is shared among workers') FROM pg_temp.plan_of_judged('chance') AS p;
SELECT is_empty($$ (SELECT n, b.* FROM unnest('{chance,stopped}'::text[]) AS n, segment.backtest(n, '2024-06-30', 60) AS b) EXCEPT TABLE serial $$, 'with workers the same bits');
SELECT is_empty($$ SELECT * FROM segment.backtest_deciles('chance', '2024-06-30', 60, 'contribution') EXCEPT TABLE serial_tenths $$, 'also by tenths');
RESET min_parallel_table_scan_size;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
SELECT is(segment_internal.customer_sample(n, 100), w, n || ' customers, 100 wanted') FROM (VALUES (NULL::bigint, 'true'), (199, 'true'),
	(200, 'pg_catalog.hash_record_extended(ROW(c.customer_id), 0) & 1 = 0'), (399, 'pg_catalog.hash_record_extended(ROW(c.customer_id), 0) & 1 = 0'),
	(25600, 'pg_catalog.hash_record_extended(ROW(c.customer_id), 0) & 255 = 0')) AS t(n, w);

-- ---------- edges and errors ----------

SELECT is((segment.create_portfolio('none', 'SELECT 1, date ''2024-01-01'', 1 WHERE false', customers => 'SELECT generate_series(1, 5)')).customers, 5::bigint, 'prospects only');
SELECT is(figure('none', '2024-01-01', 30, 'customers'), 0::float8, 'nobody to judge');
SELECT is(verdict('none', '2024-01-01', 30), 'not usable: too few repeat buyers before the cutoff to fit a model', 'nobody: verdict');
SELECT is((SELECT count(*) FROM segment.backtest_deciles('none', '2024-01-01', 30)), 0::bigint, 'no deciles');
SELECT is((segment.create_portfolio('tiny', 'SELECT * FROM (VALUES (1, date ''2024-01-01'', 1), (1, ''2024-01-05'', 1), (1, ''2024-03-01'', 1), (2, ''2024-01-02'', 1), (2, ''2024-06-01'', 1)) AS v')).customers, 2::bigint, 'two customers');
SELECT results_eq($$ SELECT measure, model, baseline FROM segment.backtest('tiny', '2024-02-01', 60) LIMIT 5 $$,
	$$ VALUES ('customers', 2::float8, 2::float8), ('born_after_cutoff', 0, 0), ('buyers', 1, 1), ('actual_purchases', 1, 1), ('predicted_purchases', NULL, 1) $$, 'too few to predict, but counted');
SELECT is(verdict('tiny', '2024-02-01', 60), 'not usable: too few repeat buyers before the cutoff to fit a model', 'two customers: verdict');
SELECT throws_ok(s, c, m) FROM (VALUES
	($$ SELECT segment.backtest('tiny', '2024-05-03', 30) $$, '22023', 'the 30 days after 2024-05-03 are not over yet'),
	($$ SELECT segment.backtest('tiny', NULL, 30) $$, '22008', 'argument "cutoff" must be a finite date, not "NULL"'),
	($$ SELECT segment.backtest('tiny', 'infinity', 30) $$, '22008', 'argument "cutoff" must be a finite date, not "infinity"'),
	($$ SELECT segment.backtest('tiny', '2024-02-01', 0) $$, '22023', 'argument "horizon_days" must be from 1 to 36525, not 0'),
	($$ SELECT segment.backtest('tiny', '2024-02-01', NULL) $$, '22023', 'argument "horizon_days" must be from 1 to 36525, not NULL'),
	($$ SELECT segment.backtest('tiny', '2024-02-01', 30, 'NaN') $$, '22023', 'costs must be finite, not negative and not both 0: NaN, 1'),
	($$ SELECT segment.backtest('tiny', '2024-02-01', 30, -1, 2) $$, '22023', 'costs must be finite, not negative and not both 0: -1, 2'),
	($$ SELECT segment.backtest('tiny', '2024-02-01', 30, 0, 0) $$, '22023', 'costs must be finite, not negative and not both 0: 0, 0'),
	($$ SELECT segment.backtest('tiny', '2024-02-01', 30, 1e308, 1e308) $$, '22023', 'costs must be finite, not negative and not both 0: 1e+308, 1e+308'),
	($$ SELECT segment.backtest('tiny', '2024-02-01', 30, NULL, 1) $$, '22023', 'costs must be finite, not negative and not both 0: NULL, 1'),
	($$ SELECT segment.backtest_deciles('tiny', '2024-05-03', 30) $$, '22023', 'the 30 days after 2024-05-03 are not over yet'),
	($$ SELECT segment.backtest_deciles('tiny', '2024-02-01', 30, 'size') $$, '22023', 'argument "by" must be purchases, contribution or risk, not "size"'),
	($$ SELECT segment.backtest('nosuch', '2024-02-01', 30) $$, '42704', 'portfolio "nosuch" does not exist')) AS t(s, c, m);
CREATE ROLE segment_evaluation_reader;
GRANT USAGE ON SCHEMA tiny TO segment_evaluation_reader;
GRANT SELECT ON tiny.customer TO segment_evaluation_reader;
SET ROLE segment_evaluation_reader;
SELECT throws_ok(s, '42501', 'must be owner or reader of portfolio "tiny"') FROM unnest(ARRAY[
	$$ SELECT segment.backtest('tiny', '2024-02-01', 30) $$, $$ SELECT segment.backtest_deciles('tiny', '2024-02-01', 30) $$,
	$$ SELECT segment.explain('tiny', '1') $$]) AS s;
RESET ROLE;

SELECT * FROM finish();
ROLLBACK;
