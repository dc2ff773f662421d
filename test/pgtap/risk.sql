--
-- The risk of no order from the portfolio's own past: counts and shares against
-- plain SQL, monotone, cases nobody has seen yet, any plan
--
\unset ECHO
\set QUIET 1
\pset format unaligned
\pset tuples_only true
\set ON_ERROR_STOP true
SET client_min_messages = warning;

BEGIN;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS segment;
SELECT plan(48);

-- ---------- counted by other means ----------

CREATE TEMP TABLE bought AS
SELECT i AS id, day, n FROM generate_series(1, 400) AS i, LATERAL (
	SELECT date '2022-01-01' + (hashint8extended(i, 0) & 511)::integer + (hashint8extended(i * 100 + k, 1) & (CASE WHEN i % 3 = 0 THEN 127 ELSE 511 END))::integer AS day,
		count(*) AS n
	FROM generate_series(1, (ARRAY[1, 1, 2, 3, 6, 12, 30])[1 + i % 7]) AS k GROUP BY 1) AS d;
CREATE TABLE risk_history AS
SELECT id, segment.history_agg(day, 10) AS purchases FROM (SELECT id, day FROM bought, generate_series(1, n)) AS o GROUP BY id;
-- a refund alone is no order
INSERT INTO risk_history SELECT 1000, segment.history_agg('2022-06-01'::date, -5);

-- As of 2023-10-31, 100 days: the last cutoff is 2023-07-23, the others 25 days earlier each.
CREATE TEMP TABLE seen AS
SELECT s.*, (cutoff - last_day) / ((2 * 30 + (last_day - first_day)) / (2 + days - 1.0)::float8) AS gap_ratio,
	NOT EXISTS (SELECT FROM bought AS b WHERE b.id = s.id AND b.day > cutoff AND b.day <= cutoff + 100) AS lost
FROM (SELECT b.id, c.cutoff, min(day) AS first_day, max(day) AS last_day, count(*) AS days, sum(n) AS orders
	FROM bought AS b JOIN (SELECT date '2023-07-23' - 25 * k AS cutoff FROM generate_series(0, 4) AS k) AS c ON b.day <= c.cutoff GROUP BY b.id, c.cutoff) AS s;
CREATE TEMP TABLE cell AS
SELECT band, step, count(s.id) AS customers, count(*) FILTER (WHERE s.lost) AS lost
FROM generate_series(1, 6) AS band CROSS JOIN generate_series(0, 19) AS step
LEFT JOIN seen AS s ON band = CASE WHEN orders = 1 THEN 1 WHEN orders = 2 THEN 2 WHEN orders <= 4 THEN 3 WHEN orders <= 8 THEN 4 WHEN orders <= 16 THEN 5 ELSE 6 END
	AND step = width_bucket(gap_ratio, '{0.25,0.35,0.5,0.7,1,1.4,2,2.8,4,5.6,8,11,16,22,32,45,64,90,128}'::float8[])
GROUP BY band, step;
-- The nearest ascending shares, by the rule of the largest least mean: another way than pooling.
CREATE FUNCTION pg_temp.ascending(shares float8[], weights float8[]) RETURNS float8[] LANGUAGE sql RETURN (
	SELECT array_agg(v ORDER BY i) FROM generate_subscripts(shares, 1) AS i, LATERAL (
		SELECT max(m) AS v FROM generate_series(1, i) AS a, LATERAL (
			SELECT min(m) AS m FROM generate_series(i, array_length(shares, 1)) AS b, LATERAL (
				SELECT sum(s * w) / sum(w) AS m FROM unnest(shares[a:b], weights[a:b]) AS u(s, w)) AS x) AS y) AS z);
CREATE TEMP TABLE expected AS
WITH everybody AS (
	SELECT pg_temp.ascending(array_agg((lost + 0.5) / (customers + 1.0) ORDER BY step)::float8[], array_agg(customers + 1.0 ORDER BY step)::float8[]) AS shares
	FROM (SELECT step, sum(customers) AS customers, sum(lost) AS lost FROM cell GROUP BY step) AS s)
SELECT c.band, pg_temp.ascending(array_agg((c.lost + 20 * e.shares[step + 1]) / (c.customers + 20) ORDER BY step),
	array_agg(c.customers + 20 ORDER BY step)::float8[]) AS shares
FROM cell AS c, everybody AS e GROUP BY c.band;
CREATE FUNCTION pg_temp.risk() RETURNS segment_internal.risk LANGUAGE sql RETURN (
	SELECT segment_internal.risk_agg(purchases, '2023-10-31', 100, 2, 30, 20) FROM risk_history);
CREATE TEMP TABLE have AS SELECT (pg_temp.risk()).*;

SELECT is((SELECT known FROM have), (SELECT count(*) FROM seen WHERE cutoff = '2023-07-23'), 'customers known at the last cutoff');
SELECT results_eq('SELECT customers, lost FROM have', 'SELECT count(*), count(*) FILTER (WHERE lost) FROM seen', 'customers at all cutoffs, and the lost');
SELECT cmp_ok((SELECT count(*) FROM cell WHERE customers > 0), '>', 40::bigint, 'many cells have customers');
SELECT is_empty($$ SELECT band, step, h.shares[band][step], e.shares[step] FROM have AS h, expected AS e, generate_series(1, 20) AS step
	WHERE abs(h.shares[band][step] - e.shares[step]) > 1e-12 $$, 'shares: shrunk, and as near as ascending ones can be');
SELECT is_empty($$ SELECT FROM have, generate_series(1, 6) AS b, generate_series(2, 20) AS s WHERE shares[b][s] < shares[b][s - 1] $$, 'never lower with a higher gap ratio');
SELECT is_empty($$ SELECT FROM have, unnest(shares) AS s WHERE NOT (s > 0 AND s < 1) $$, 'never certain');

-- ---------- a customer ----------

SELECT is_empty($$ SELECT s.* FROM seen AS s, have AS h WHERE segment_internal.risk_share(h.shares, s.gap_ratio, s.orders::bigint)
	IS DISTINCT FROM h.shares[CASE WHEN orders = 1 THEN 1 WHEN orders = 2 THEN 2 WHEN orders <= 4 THEN 3 WHEN orders <= 8 THEN 4 WHEN orders <= 16 THEN 5 ELSE 6 END]
		[1 + width_bucket(gap_ratio, '{0.25,0.35,0.5,0.7,1,1.4,2,2.8,4,5.6,8,11,16,22,32,45,64,90,128}'::float8[])] $$, 'a customer''s share is that of the own cell');
SELECT is(segment_internal.risk_share(shares, g, n), e, w) FROM have, LATERAL (VALUES
	(0::float8, 0::bigint, NULL::float8, 'without an order: NULL'), (NULL, 3, NULL, 'without a gap ratio'),
	('Infinity', 1000000, shares[6][20], 'beyond all steps'), (0, 1, shares[1][1], 'just bought')) AS t(g, n, e, w);
SELECT throws_ok($$ SELECT segment_internal.risk_share('{0.1,0.2}', 1, 1) $$, '22023', 'argument "shares" must be an array of 6 times 20 numbers', 'another array');
SELECT is(segment_internal.gap_ratio(10, 60, 4::bigint, 2, 20), 10 / ((40 + 60) / 5.0::float8), 'a gap ratio by hand');

-- ---------- what nobody has seen ----------

-- A hundred customers who pay every month, without one exception in two years.
CREATE TEMP TABLE monthly AS
SELECT i, segment.history_agg(d::date, 30) AS purchases FROM generate_series(1, 100) AS i,
	generate_series(timestamp '2022-01-05', timestamp '2023-12-05', interval '1 month') AS d GROUP BY i;
CREATE TEMP TABLE loyal AS SELECT (segment_internal.risk_agg(purchases, '2023-12-31', 365, 2, 30.4, 20)).* FROM monthly;
SELECT is(lost, 0::bigint, 'nobody was ever lost') FROM loyal;
SELECT cmp_ok(segment_internal.risk_share(shares, 0.9, 24), '<', 0.01::float8, 'who pays is not at risk') FROM loyal;
SELECT cmp_ok(segment_internal.risk_share(shares, 4, 20), '>', 0.4::float8, 'silent for four months: nobody knows, which is not 0') FROM loyal;
SELECT ok((SELECT array_agg(s ORDER BY s) FROM unnest(shares) AS s)::text !~ 'NaN', 'no customer at all in most cells') FROM loyal;

-- ---------- any plan ----------

SELECT is((SELECT segment_internal.risk_agg(purchases, '2023-10-31', 100, 2, 30, 20 ORDER BY id DESC) FROM risk_history), pg_temp.risk(), 'any order of rows');
SET LOCAL min_parallel_table_scan_size = 0;
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
ALTER TABLE risk_history SET (parallel_workers = 2);
SELECT is((SELECT segment_internal.risk_agg(purchases, '2023-10-31', 100, 2, 30, 20) FROM risk_history), (SELECT h::text::segment_internal.risk FROM have AS h), 'with workers');
SELECT is((SELECT segment_internal.risk_agg(NULL, '2023-10-31', 100, 2, 30, 20)), NULL, 'nobody');
SELECT throws_ok(format('SELECT segment_internal.risk_agg(purchases, %s) FROM risk_history', a), s, m) FROM (VALUES
	($$ 'infinity', 1, 1, 1, 1 $$, '22008', 'argument "as_of" must be finite, not "infinity"'),
	($$ '2023-01-01', 0, 1, 1, 1 $$, '22023', 'days must be between 1 and 36525, not "0"'),
	($$ '2023-01-01', 1, 1, id, 1 $$, '22023', 'argument "usual_gap_days" must be the same for all rows')) AS t(a, s, m);

-- ---------- in a portfolio ----------

-- Everybody pays every month; the first has been silent for four.
CREATE TABLE pay AS SELECT i AS id, d::date AS day, 30 AS amount FROM generate_series(1, 200) AS i,
	generate_series(timestamp '2022-01-05', timestamp '2024-12-05', interval '1 month') AS d WHERE i > 1 OR d < '2024-08-20';
-- Random buyers at rates of their own, who leave at random.
CREATE TABLE leave AS SELECT i AS id, a + d AS day, 10 AS amount
FROM (SELECT i, date '2022-01-01' + (hashint8extended(i, 7) & 1023)::integer % 900 AS a, -400 * ln(1 - (hashint8extended(i, 8) & 1023) / 1024.0) AS life,
	0.001 - 0.01 * ln(1 - (hashint8extended(i, 9) & 1023) / 1024.0) AS rate FROM generate_series(1, 500) AS i) AS p,
	generate_series(0, 1095) AS d
WHERE a + d <= '2024-12-31' AND (d = 0 OR d < life AND (hashint8extended(i * 5000 + d, 6) & 1048575) < 1048576 * rate);
CREATE FUNCTION pg_temp.scorecard(portfolio text) RETURNS TABLE (churn_basis text, churn_days integer, churn_shares float8[], as_of date, settings jsonb, usual_gap_days float8)
LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY EXECUTE format('SELECT s.churn_basis, s.churn_days, s.churn_shares, s.as_of, s.settings, s.usual_gap_days FROM %I.scorecard AS s ORDER BY s.scorecard_id DESC LIMIT 1', portfolio); END $$;
SELECT segment.create_portfolio('pay', 'TABLE pay', timezone => 'UTC') \g /dev/null
SELECT segment.create_portfolio('short', $$ SELECT * FROM pay WHERE day >= '2024-01-01' $$, timezone => 'UTC') \g /dev/null
SELECT segment.create_portfolio('leave', 'TABLE leave', customers => 'SELECT generate_series(1, 510)', timezone => 'UTC') \g /dev/null
SELECT segment.create_portfolio('few', 'SELECT * FROM pay WHERE id < 40', timezone => 'UTC') \g /dev/null
SELECT results_eq($$ SELECT p, churn_basis, churn_days FROM unnest('{pay,short,leave,few}'::text[]) AS p, pg_temp.scorecard(p) $$,
	$$ VALUES ('pay', 'past', 365), ('short', 'past_short', 167), ('leave', 'model', 365), ('few', 'too_short', 365) $$, 'what the risk is taken from');
SELECT ok(min(p_alive) > 0.9999, 'the model finds nobody who left') FROM pay.customer;
SELECT ok(c.churn_risk > 0.4, 'whoever has been silent for four months is at risk all the same') FROM pay.customer AS c WHERE c.customer_id = 1;
SELECT ok(max(c.churn_risk) < 0.05, 'and who pays is not') FROM pay.customer AS c WHERE c.customer_id > 1;
SELECT ok(c.churn_risk > 0.4, 'also with a year of data') FROM short.customer AS c WHERE c.customer_id = 1;
SELECT is_empty($$ SELECT c.* FROM pay.customer AS c, pg_temp.scorecard('pay') AS s
	WHERE c.churn_risk IS DISTINCT FROM segment_internal.risk_share(s.churn_shares, c.gap_ratio, c.orders) OR c.churn_risk_basis <> 'past' $$, 'past: the share of customers alike');
SELECT is_empty($$ SELECT c.customer_id, c.churn_risk FROM leave.customer AS c, leave.scorecard AS s
	WHERE orders > 0 AND (abs(c.churn_risk - (1 - segment.purchase_probability(s.purchase_model, c.purchase_days - 1, (c.tenure_days - c.days_since_last) / s.unit_days, c.tenure_days / s.unit_days, 365 / s.unit_days))) > 1e-12
		OR c.churn_risk_basis <> 'model') $$, 'model: no purchase within lost_after_days');
SELECT results_eq($$ SELECT churn_risk, churn_risk_basis, count(*) FROM leave.customer WHERE orders = 0 GROUP BY 1, 2 $$, $$ VALUES (NULL::float8, NULL::text, 10::bigint) $$, 'who never bought has no risk');
SELECT results_eq($$ SELECT DISTINCT churn_risk, churn_risk_basis FROM few.customer $$, $$ VALUES (NULL::float8, 'too_short') $$, 'too few: NULL, with the reason');
SELECT matches(churn_reason, w, w) FROM (SELECT 'pay' AS p, churn_reason FROM pay.model_card UNION ALL SELECT 'short', churn_reason FROM short.model_card
	UNION ALL SELECT 'leave', churn_reason FROM leave.model_card UNION ALL SELECT 'few', churn_reason FROM few.model_card) AS r
JOIN (VALUES ('pay', '^not the model, since the data show no customer leaving; instead what became of'), ('short', 'in the 167 days after$'),
	('leave', '^the model ranked who made no order in the last 365 days: auc 0\.\d+'), ('few', 'fewer than 50 customers were known 365 days ago$')) AS t(p, w) USING (p);
-- Most buy before Christmas: the model knows of no season, and ranks, but its risks are too low.
CREATE TABLE gift AS SELECT i AS id, a + d AS day, 10 AS amount
FROM (SELECT i, date '2022-01-01' + (hashint8extended(i, 4) & 1023)::integer % 900 AS a, (hashint8extended(i, 5) & 1023) AS life FROM generate_series(1, 800) AS i) AS p,
	generate_series(0, 1000) AS d
WHERE d = 0 OR d < life AND a + d <= '2024-12-30' AND (hashint8extended(i * 5000 + d, 6) & 1048575) < 1048576 * 0.009 * CASE WHEN extract(month FROM a + d) >= 11 THEN 0.9 ELSE 0.06 END;
SELECT segment.create_portfolio('gift', 'TABLE gift', timezone => 'UTC') \g /dev/null
SELECT matches(churn_reason, '^not the model, since its risks were wrong by 0\.\d+ on average in the last 365 days, which is more than 0\.1; instead') FROM gift.model_card;
SELECT is(segment_internal.risk_objection(ROW(ROW(n, h, 0.7, l, 0.8, 0.72, 0.5, 0.8, -0.02, -0.04, dh)::segment_internal.ranking, e, pe), 99, p), w, coalesce(w, 'nothing')) FROM (VALUES
	(100, 40, 0.6, 0.01, 0.1, 0.02, true, NULL), (100, 40, 0.6, -0.01, 0.1, 0.02, false, NULL), (100, 40, 0.6, 0.01, 0.11, 0.11, true, NULL),
	(100, 91, 0.6, 0.01, 0, 0, true, 'it could not be tried: of 100 customers 91 made no order in the last 99 days'),
	(100, 40, 0.5, 0.01, 0, 0, true, 'it ranked no better than chance in the last 99 days: auc 0.700, interval from 0.500'),
	(100, 40, 0.6, -0.01, 0, 0, true, 'it ranked worse than the past of customers alike in the last 99 days: auc 0.700 against 0.720'),
	(100, 40, 0.6, 0.01, 0.11, 0.1, true, 'its risks were wrong by 0.110 on average in the last 99 days, which is more than 0.1'),
	(100, 40, 0.6, 0.01, 0.11, 0.2, false, 'its risks were wrong by 0.110 on average in the last 99 days, which is more than 0.1')) AS t(n, h, l, dh, e, pe, p, w);
SELECT is_empty($$ SELECT customer_id FROM pay.churn_signal WHERE p_alive_low IS NOT NULL $$, 'p_alive_low is unknown where nobody leaves');
SELECT results_eq('SELECT customer_id FROM pay.churn_signal WHERE overdue', 'VALUES (1)', 'who is silent is overdue');
SELECT is_empty($$ SELECT * FROM leave.customer EXCEPT SELECT * FROM leave.customer_at((SELECT max(as_of) FROM leave.scorecard)) $$, 'the kept risk is that of the definition');

SELECT * FROM finish();
ROLLBACK;
