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
SELECT plan(81);

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
-- the baseline: the 40 of June are expected again, twice each
SELECT is(round(figure('hand', '2024-06-30', 30, m, 'baseline')::numeric, 12), round(v, 12), 'baseline: ' || m || ' by hand')
FROM (VALUES ('predicted_purchases', 80.0), ('bias', 80 / 65.0 - 1), ('mae', (10 * 2 + 5 * 1) / 60.0), ('predicted_buyers', 40),
	('error_rate', 10 / 40.0), ('miss_rate', 5 / 35.0), ('recall', 30 / 35.0),
	-- pairs of a buyer and another: 30 x 10 + 5 x 15 tied, 30 x 15 right, 5 x 10 wrong
	('auc', (0.5 * (30 * 10 + 5 * 15) + 30 * 15) / (35.0 * 25)),
	-- the six that come first in the order of the key all bought twice
	('top_decile_lift', 2 * 60 / 65.0)) AS t(m, v);

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
UNION ALL SELECT 'top_decile_lift', (SELECT avg(actual) FROM (SELECT actual FROM judged ORDER BY e DESC, p DESC, customer_id LIMIT 6) AS t) / avg(actual) FROM judged;
-- costs 9 and 11: predicted to buy from 0.45 on
SELECT is(round(figure('hand', '2024-06-30', 30, m, 'model', 9, 11)::numeric, 9), round(v::numeric, 9), 'model: ' || m || ' counted by other means') FROM expected ORDER BY m;
-- costs 1 and 9: from 0.1 on, that is the 40 of June, of whom 10 do not come, and none of the 20 of spring, of whom 5 do
SELECT is(figure('hand', '2024-06-30', 30, m, 'model', 1, 9), v, 'model: ' || m || ' by hand') FROM (VALUES
	('predicted_buyers', 40::float8), ('error_rate', 0.25), ('miss_rate', 1 - 30 / 35.0::float8), ('recall', 1 - (1 - 30 / 35.0::float8))) AS t(m, v);


-- the deciles add up
SELECT results_eq($$ SELECT count(*), sum(customers), sum(actual), round(sum(predicted)::numeric, 9), sum(buyers) FROM segment.backtest_deciles('hand', '2024-06-30', 30) $$,
	format('VALUES (10::bigint, 60::numeric, 65::float8, %s, 35::numeric)', (SELECT round(sum(e)::numeric, 9) FROM judged)), 'deciles add up to the totals');
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
SELECT is(verdict('cdnow', '1997-09-30', 273), 'usable: better than the baseline in ranking and in numbers', 'CDNOW: verdict');
SELECT is((segment.alter_portfolio('cdnow', settings => '{"usable_error_rate": 0.1}')).customers, 2357::bigint, 'CDNOW');
SELECT matches(verdict('cdnow', '1997-09-30', 273), '^not usable: the error rate 0\.\d+ is above 0\.1$', 'the limit is a setting');
SELECT is((segment.alter_portfolio('cdnow', settings => '{"usable_error_rate": 1, "usable_miss_rate": 0.1}')).customers, 2357::bigint, 'CDNOW');
SELECT matches(verdict('cdnow', '1997-09-30', 273), '^not usable: the miss rate 0\.\d+ is above 0\.1$', 'and that of the miss rate');
SELECT results_eq($$ SELECT cutoff, count(*) FROM segment.backtest_series('cdnow', 90, ARRAY['1997-12-31', '1997-09-30']::date[]) GROUP BY 1 ORDER BY 1 DESC $$,
	$$ VALUES (date '1997-12-31', 16::bigint), ('1997-09-30', 16) $$, 'backtest_series: each cutoff');
\else
SELECT * FROM skip('no test data: set SEGMENT_DATA to their directory', 16);
\endif

-- ---------- edges and errors ----------

SELECT is((segment.create_portfolio('none', 'SELECT 1, date ''2024-01-01'', 1 WHERE false', customers => 'SELECT generate_series(1, 5)')).customers, 5::bigint, 'prospects only');
SELECT is(figure('none', '2024-01-01', 30, 'customers'), 0::float8, 'nobody to judge');
SELECT is(verdict('none', '2024-01-01', 30), 'not usable: too few repeat buyers before the cutoff to fit a model', 'nobody: verdict');
SELECT is((SELECT count(*) FROM segment.backtest_deciles('none', '2024-01-01', 30)), 0::bigint, 'no deciles');
SELECT is((segment.create_portfolio('tiny', 'SELECT * FROM (VALUES (1, date ''2024-01-01'', 1), (1, ''2024-01-05'', 1), (1, ''2024-03-01'', 1), (2, ''2024-01-02'', 1), (2, ''2024-06-01'', 1)) AS v')).customers, 2::bigint, 'two customers');
SELECT results_eq($$ SELECT measure, model, baseline FROM segment.backtest('tiny', '2024-02-01', 60) LIMIT 5 $$,
	$$ VALUES ('customers', 2::float8, 2::float8), ('born_after_cutoff', 0, 0), ('buyers', 1, 1), ('actual_purchases', 1, 1), ('predicted_purchases', NULL, 3) $$, 'too few to predict, but counted');
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
