--
-- Predictions: published totals, and what must hold between them
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
SET LOCAL search_path = public, segment;

CREATE TEMP TABLE models (kind text, m segment.model);
INSERT INTO models SELECT segment.kind(m), m FROM (VALUES
	(segment.model('bgnbd', '{"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}')),
	(segment.model('mbgnbd', '{"r": 0.525, "alpha": 6.183, "a": 0.891, "b": 1.614}')),
	(segment.model('pnbd', '{"r": 0.553, "alpha": 10.578, "s": 0.606, "beta": 11.669}')),
	(segment.model('bgbb', '{"alpha": 1.204, "beta": 0.750, "gamma": 0.657, "delta": 2.783}'))) v(m);
SELECT segment.model('gammagamma', '{"p": 6.25, "q": 3.74, "gamma": 15.44}') AS spend \gset

-- customers of all sorts; for bgbb t_x and t are whole
CREATE TEMP TABLE customers (x float8, t_x float8, t float8);
INSERT INTO customers VALUES (0, 0, 0), (0, 0, 1), (0, 0, 39), (0, 0, 500), (1, 1, 1), (1, 1, 39), (1, 20, 39), (1, 39, 39),
	(2, 30, 39), (7, 30, 38), (7, 38, 38), (26, 31, 36), (29, 36, 36), (40, 52, 300), (40, 299, 300), (150, 200, 260), (300, 1000, 1040);
CREATE TEMP TABLE cases AS SELECT kind, m, x, t_x, t FROM models, customers;
DELETE FROM cases WHERE kind = 'bgbb' AND x > t_x;
CREATE TEMP TABLE horizons AS SELECT unnest(ARRAY[0, 1, 2, 13, 52, 520]::float8[]) AS h;

-- ---------- published ----------

\set cdnow_csv `cat "${SEGMENT_DATA:-../shared/data}/cdnow_summary.csv" 2>/dev/null`
SELECT length(:'cdnow_csv') > 0 AS have_data \gset
\if :have_data
CREATE TEMP TABLE cdnow AS
SELECT l[2]::float8 AS x, l[3]::float8 AS t_x, l[4]::float8 AS t, l[5]::float8 AS spend
FROM (SELECT string_to_array(line, ',') AS l FROM regexp_split_to_table(:'cdnow_csv', E'\r?\n') WITH ORDINALITY l(line, n)
	WHERE n > 1 AND line <> '') s;
SELECT is(round(total)::int, CASE kind WHEN 'bgnbd' THEN 1653 WHEN 'mbgnbd' THEN 1577 ELSE 1666 END,
	kind || ': purchases of all CDNOW customers in the next 39 weeks as published')
FROM (SELECT 'bgnbd' AS kind, sum(segment.expected_purchases(m, x, t_x, t, 39)) AS total FROM cdnow, (SELECT segment.bgnbd_fit(x, t_x, t) AS m FROM cdnow) f
	UNION ALL SELECT 'mbgnbd', sum(segment.expected_purchases(m, x, t_x, t, 39)) FROM cdnow, (SELECT segment.mbgnbd_fit(x, t_x, t) AS m FROM cdnow) f
	UNION ALL SELECT 'pnbd', sum(segment.expected_purchases(m, x, t_x, t, 39)) FROM cdnow, (SELECT segment.pnbd_fit(x, t_x, t) AS m FROM cdnow) f) s;
\else
SELECT * FROM skip('no test data: set SEGMENT_DATA to their directory', 3);
\endif
-- Fader, Hardie, Lee 2005: the customer with x = 2, t_x = 30.43, T = 38.86
SELECT is(round(segment.expected_purchases(m, 2, 30.43, 38.86, 39)::numeric, 3), 1.226, 'bgnbd: the example of the paper''s spreadsheet')
FROM models WHERE kind = 'bgnbd';

-- ---------- ranges ----------

CREATE TEMP TABLE predicted AS
SELECT c.*, h, segment.p_alive(m, x, t_x, t) AS alive, segment.expected_purchases(m, x, t_x, t, h) AS expected,
	segment.purchase_probability(m, x, t_x, t, h) AS probability, segment.purchase_pmf(m, x, t_x, t, h, 0) AS none,
	segment.discounted_purchases(m, x, t_x, t, h, 0) AS undiscounted, segment.discounted_purchases(m, x, t_x, t, h, 0.1) AS at_10,
	segment.discounted_purchases(m, x, t_x, t, h, 0.2) AS at_20
FROM cases c, horizons;
SELECT cmp_ok(count(*)::int, '>', 300, 'there are cases') FROM predicted;
SELECT is_empty('SELECT kind, x, t_x, t, h FROM predicted WHERE NOT (alive BETWEEN 0 AND 1 AND probability BETWEEN 0 AND 1 AND none BETWEEN 0 AND 1)',
	'probabilities are within 0 and 1');
SELECT is_empty('SELECT kind, x, t_x, t, h FROM predicted WHERE NOT (expected >= 0 AND at_10 >= 0)', 'expectations are at least 0');
SELECT is_empty('SELECT kind, x, t_x, t, h, probability, alive FROM predicted WHERE probability > alive * (1 + 1e-12)',
	'only who is alive can buy');
SELECT is_empty('SELECT kind, x, t_x, t, h, probability, none FROM predicted WHERE NOT abs(probability + none - 1) < 1e-12',
	'at least one purchase or none');
SELECT is_empty('SELECT kind, x, t_x, t, h, probability, expected FROM predicted WHERE probability > expected * (1 + 1e-12)',
	'at least as many purchases are expected as the probability of one');
SELECT is_empty('SELECT kind, x, t_x, t FROM predicted WHERE h = 0 AND (expected <> 0 OR probability <> 0 OR none <> 1 OR at_10 <> 0)',
	'nothing happens in no time');
SELECT is_empty($$ SELECT * FROM (SELECT kind, x, t_x, t, h, expected, lag(expected) OVER w AS e, probability, lag(probability) OVER w AS p,
	at_10, lag(at_10) OVER w AS d FROM predicted WINDOW w AS (PARTITION BY kind, x, t_x, t ORDER BY h)) s
	WHERE expected < e OR probability < p OR at_10 < d $$, 'a longer horizon never brings less');
SELECT is_empty('SELECT kind, x, t_x, t, h, undiscounted, expected FROM predicted WHERE NOT abs(undiscounted - expected) <= 1e-9 * expected',
	'at a rate of 0 discounted purchases are expected purchases');
SELECT is_empty('SELECT kind, x, t_x, t, h, undiscounted, at_10, at_20 FROM predicted WHERE h > 0 AND NOT (at_20 < at_10 AND at_10 < undiscounted)',
	'a higher rate discounts more');
SELECT is_empty($$ SELECT kind, x, t_x, t, h FROM predicted WHERE kind <> 'bgbb' AND h > 0 AND (
	at_10 < expected * 1.1 ^ (-h / (365.25 / 7)) * (1 - 1e-9)) $$, 'no purchase is discounted for longer than the horizon');

-- the number of purchases has a distribution
CREATE TEMP TABLE distribution AS
SELECT c.kind, x, t_x, t, h, (SELECT sum(p) FROM unnest(ps) p) AS total, (SELECT sum(p * n) FROM unnest(ps) WITH ORDINALITY u(p, i), LATERAL (SELECT i - 1 AS n) o) AS mean,
	segment.expected_purchases(m, x, t_x, t, h) AS expected
FROM cases c, (VALUES (1), (13), (52)) v(h), LATERAL (
	SELECT array_agg(segment.purchase_pmf(m, x, t_x, t, h, n) ORDER BY n) AS ps FROM generate_series(0, 400) n) d
WHERE x <= 40;
SELECT is_empty('SELECT * FROM distribution WHERE NOT abs(total - 1) < 1e-9', 'purchase_pmf sums to 1');
SELECT is_empty('SELECT * FROM distribution WHERE NOT abs(mean / expected - 1) < 1e-7', 'and its mean is expected_purchases');

-- new customers
SELECT is_empty($$ SELECT kind, h, segment.expected_purchases(m, h), segment.expected_purchases(m, 0, 0, 0, h) FROM models, horizons
	WHERE NOT abs(segment.expected_purchases(m, h) - segment.expected_purchases(m, 0, 0, 0, h)) <= 1e-9 * segment.expected_purchases(m, h) $$,
	'a new customer is one seen for no time');
SELECT is_empty($$ SELECT kind, segment.p_alive(m, 0, 0, 0) FROM models WHERE NOT abs(segment.p_alive(m, 0, 0, 0)
		- CASE kind WHEN 'mbgnbd' THEN 1.614 / (0.891 + 1.614) WHEN 'bgbb' THEN 2.783 / (0.657 + 2.783) ELSE 1 END) < 1e-12 $$,
	'and is alive, except that in mbgnbd the first purchase may have been the last, and in bgbb a chance to leave comes before the next opportunity');
SELECT is_empty($$ SELECT x, t FROM cases WHERE kind = 'bgnbd' AND x = 0 AND segment.p_alive(m, x, t_x, t) <> 1 $$,
	'bgnbd: one-time buyers always count as alive');
SELECT is_empty($$ SELECT x, t FROM cases WHERE kind IN ('mbgnbd', 'pnbd', 'bgbb') AND x = 0 AND t > 0 AND segment.p_alive(m, x, t_x, t) >= 1 $$,
	'the others doubt it');

-- ---------- dert ----------

SELECT is_empty($$ SELECT kind, x, t_x, t, segment.dert(m, x, t_x, t, 0.1), segment.discounted_purchases(m, x, t_x, t, h, 0.1)
	FROM cases, LATERAL (SELECT CASE kind WHEN 'bgbb' THEN 20000 ELSE 20000 END AS h) l
	WHERE NOT abs(segment.discounted_purchases(m, x, t_x, t, h, 0.1) / segment.dert(m, x, t_x, t, 0.1) - 1) < 1e-8 $$,
	'dert is discounted_purchases over a horizon without end');
SELECT is_empty($$ SELECT kind, x, t_x, t FROM cases WHERE NOT segment.dert(m, x, t_x, t, 0.2) < segment.dert(m, x, t_x, t, 0.1) $$,
	'a higher rate makes it smaller');

-- ---------- units ----------

-- the same customer and model in days
SELECT segment.with_unit(segment.model('pnbd', '{"r": 0.553, "alpha": 74.046, "s": 0.606, "beta": 81.683}'), 'day') AS days \gset
SELECT is_empty(format($$ SELECT x, t_x, t, segment.discounted_purchases(m, x, t_x, t, 52, 0.15), segment.discounted_purchases(%1$L, x, t_x * 7, t * 7, 364, 0.15)
	FROM cases WHERE kind = 'pnbd' AND NOT (
		abs(segment.discounted_purchases(%1$L, x, t_x * 7, t * 7, 364, 0.15) / segment.discounted_purchases(m, x, t_x, t, 52, 0.15) - 1) < 1e-9
		AND abs(segment.dert(%1$L, x, t_x * 7, t * 7, 0.15) / segment.dert(m, x, t_x, t, 0.15) - 1) < 1e-9
		AND abs(segment.p_alive(%1$L, x, t_x * 7, t * 7) / segment.p_alive(m, x, t_x, t) - 1) < 1e-9) $$, :'days'),
	'a model in days says the same as one in weeks: the rate is annual in both');
SELECT cmp_ok(abs(segment.discounted_purchases(segment.with_unit(m, u), 7, 30, 38, 12, 0.01)
	/ segment.discounted_purchases(m, 7, 30, 38, 12, 1.01 ^ (days / 7) - 1) - 1)::numeric, '<', 1e-9,
	u || ' as time unit discounts over its ' || days || ' days')
FROM models, (VALUES ('day', 1), ('week', 7), ('month', 30.4375), ('year', 365.25)) v(u, days) WHERE kind = 'mbgnbd' ORDER BY days;

-- ---------- money ----------

SELECT is(round(segment.expected_spend(:'spend', 0, NULL)::numeric, 10), round(6.25 * 15.44 / 2.74, 10), 'spend of a customer of whom nothing is known');
SELECT is(segment.expected_spend(:'spend', 0, 99), segment.expected_spend(:'spend', 0, NULL), 'mean_spend means nothing if x is 0');
SELECT is(segment.expected_spend(:'spend', 2, NULL), NULL, 'an unknown mean of two purchases: NULL');
SELECT is(segment.expected_spend(:'spend', NULL, 10), NULL, 'unknown x: NULL');
SELECT is(segment.expected_spend(NULL, 1, 10), NULL, 'no model: NULL');
SELECT is_empty(format($$ SELECT x, z FROM generate_series(1, 50) x, unnest(ARRAY[0.01, 1, 30, 36, 500, 1e6]) z, LATERAL (SELECT segment.expected_spend(%1$L, x, z) AS e, 6.25 * 15.44 / 2.74 AS mean) l
	WHERE NOT (e BETWEEN least(z, mean) AND greatest(z, mean) AND abs(e - (2.74 * mean + 6.25 * x * z) / (2.74 + 6.25 * x)) < 1e-9 * e) $$, :'spend'),
	'expected_spend lies between the customer''s mean and that of all, weighted with p x and q - 1');
-- q <= 1: no mean over all customers
SELECT is_empty($$ SELECT q, x, z, e FROM unnest(ARRAY[1e-6, 0.1, 0.9, 1]) q, unnest(ARRAY[0, 1, 2, 1000]) x, unnest(ARRAY[0, 0.01, 20, 1e9]) z,
	LATERAL (SELECT segment.expected_spend(segment.model('gammagamma', jsonb_build_object('p', 0.05, 'q', q, 'gamma', 15)), x, z) AS e) l
	WHERE NOT (e > 0 AND e <= greatest(z, 0.05 * 15 / q) * (1 + 1e-12)) $$,
	'with q <= 1 expected_spend is the shrunk mean, positive and finite');
SELECT is(round(segment.clv(m, :'spend', 2, 30.43, 38.86, 22.35, 52, 0.1, 0.3)::numeric, 9),
	round((0.3 * segment.expected_spend(:'spend', 2, 22.35) * segment.discounted_purchases(m, 2, 30.43, 38.86, 52, 0.1))::numeric, 9),
	kind || ': clv is margin * expected spend * discounted purchases') FROM models WHERE kind <> 'bgbb' ORDER BY kind;
SELECT is(segment.clv(m, :'spend', 0, 0, 39, NULL, 52, 0.1, 0.3) > 0, true, 'one-time buyers have a value without a mean of repeat purchases')
FROM models WHERE kind = 'mbgnbd';
SELECT is(segment.clv(m, :'spend', 1, 1, 39, NULL, 52, 0.1, 0.3), NULL, 'others do not') FROM models WHERE kind = 'mbgnbd';
SELECT is(segment.clv(m, :'spend', 2, 30, 39, 20, 52, 0.1, -0.2) < 0, true, 'selling at a loss gives a negative value') FROM models WHERE kind = 'mbgnbd';

-- the textbook formula
SELECT is(round(segment.clv_formula(10, 4, 0.8, 3, 0, 0, 0)::numeric, 12), round(40 * (1 + 0.8 + 0.64), 12), 'contributions of three years, not discounted');
SELECT is(round(segment.clv_formula(10, 4, 0.8, 3, 0.1, 0, 0)::numeric, 12), round(40 * (1 + 0.8 / 1.1 + 0.64 / 1.21), 12),
	'the discounted sum of profit contributions');
SELECT is(segment.clv_formula(10, 4, 1, 3, 0, 25, 6), 120 - 25 - 18::float8, 'income less the cost of acquiring and keeping: rate 0, retention 1');
SELECT is(segment.clv_formula(10, 4, 0, 3, 0.1, 25, 6), 34 - 25::float8, 'retention 0: the first year only');
SELECT is(segment.clv_formula(10, 4, 1, 2.5, 0, 0, 0), 100::float8, 'half a year counts one half');
SELECT is(segment.clv_formula(10, 4, 0.8, 0, 0.1, 25, 6), -25::float8, 'no years: the cost of acquiring');
SELECT is_empty($$ WITH f AS (
		SELECT r, y, d, segment.clv_formula(10, 4, r, y, d, 25, 6) AS v
		FROM unnest(ARRAY[0, 0.5, 0.999999, 1]) r, unnest(ARRAY[0, 0.5, 1, 1.5, 2, 10, 1000, 1e6]) y, unnest(ARRAY[0, 1e-9, 0.05, 0.1, 1]) d)
	SELECT * FROM (SELECT r, y, d, v, lag(v) OVER (PARTITION BY r, d ORDER BY y) AS shorter, lag(v) OVER (PARTITION BY r, y ORDER BY d) AS cheaper,
		lag(v) OVER (PARTITION BY y, d ORDER BY r) AS less_loyal FROM f) s
	WHERE v < shorter OR v > cheaper OR v < less_loyal $$,
	'rises with years and retention, falls with the rate');

SELECT * FROM finish();
ROLLBACK;
