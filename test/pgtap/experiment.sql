--
-- Experiments: holdout against digests computed elsewhere, tests against R,
-- thousands of experiments without an effect, and a portfolio against plain SQL
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
SET client_min_messages = error;
SELECT plan(58);

-- ---------- holdout ----------

-- Python: int.from_bytes(hashlib.sha256(salt.encode() + b'\0' + key.encode()).digest()[:8], 'big') >> 11, divided by 2 ** 53
SELECT is_empty($$ SELECT key, salt FROM (VALUES
	('7', 'spring', 0.8777740474250397::float8), ('1', 'a', 0.022121752060704325), ('', 'x', 0.0819114266739801), ('2024-02-29', 'd', 0.9895833129200163),
	('12345', 'spring', 0.02252092587086385), ('00000000-0000-0000-0000-000000000001', 'u', 0.404687854103537)) AS v(key, salt, place)
	WHERE segment.holdout(key, salt, place) OR NOT segment.holdout(key, salt, place + 1e-15) $$, 'the digest is that of Python');
SELECT is(segment.holdout(U&'\5BA2\6237', 's', 0.7331909690847034) OR NOT segment.holdout(U&'\5BA2\6237', 's', 0.7331909690847036), false, 'in UTF-8')
WHERE getdatabaseencoding() = 'UTF8'
UNION ALL SELECT skip(1, 'the encoding is not UTF8') WHERE getdatabaseencoding() <> 'UTF8';
SELECT is_empty($$ SELECT n FROM generate_series(1, 500) AS n, (VALUES (0.3::float8)) AS s(share) WHERE
	num_nulls(nullif(segment.holdout(n, 's', share), segment.holdout(n::text, 's', share)), nullif(segment.holdout(n::bigint, 's', share), segment.holdout(n::text, 's', share)),
		nullif(segment.holdout(n::smallint, 's', share), segment.holdout(n::text, 's', share)), nullif(segment.holdout(n::numeric, 's', share), segment.holdout(n::text, 's', share)),
		nullif(segment.holdout(n::text::varchar, 's', share), segment.holdout(n::text, 's', share))) < 5 $$, 'a number is held out as its text');
CREATE TYPE shop_branch AS (shop integer, opened date);
CREATE FUNCTION pg_temp.places() RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(concat(segment.holdout(date '2024-01-01' + n, 's', 0.5)::integer, segment.holdout(timestamptz '2024-01-01 00:00+00' + n * interval '1 hour', 's', 0.5)::integer,
		segment.holdout(n * interval '25 hours', 's', 0.5)::integer, segment.holdout(n / 7::float8, 's', 0.5)::integer, segment.holdout(n / 7::real, 's', 0.5)::integer,
		segment.holdout(int4send(n), 's', 0.5)::integer, segment.holdout(ROW(n, date '2024-01-01' + n)::shop_branch, 's', 0.5)::integer,
		segment.holdout(ARRAY[n / 7::float8], 's', 0.5)::integer), ' ' ORDER BY n) FROM generate_series(1, 40) AS n $$;
CREATE TEMP TABLE usual AS SELECT pg_temp.places() AS places;
SET LOCAL DateStyle = 'German'; SET LOCAL TimeZone = 'Asia/Shanghai'; SET LOCAL IntervalStyle = 'iso_8601'; SET LOCAL extra_float_digits = -5; SET LOCAL bytea_output = 'escape';
SELECT is(pg_temp.places(), (SELECT places FROM usual), 'settings do not matter');
SELECT is(current_setting('DateStyle') || current_setting('extra_float_digits'), 'German, DMY-5', 'and stay as they were');
RESET DateStyle; RESET TimeZone; RESET IntervalStyle; RESET extra_float_digits; RESET bytea_output;
CREATE TEMP TABLE held AS
SELECT n, salt, segment.holdout(n, salt, 0.1) AS tenth, segment.holdout(n, salt, 0.25) AS quarter FROM generate_series(1, 40000) AS n, unnest('{a,b,c,spring}'::text[]) AS salt;
-- four standard deviations
SELECT is_empty('SELECT salt, count(*) FILTER (WHERE tenth), count(*) FILTER (WHERE quarter) FROM held GROUP BY salt
	HAVING abs(count(*) FILTER (WHERE tenth) - 4000) > 240 OR abs(count(*) FILTER (WHERE quarter) - 10000) > 347', 'the shares are what they should be');
SELECT is_empty('SELECT n FROM held WHERE tenth AND NOT quarter', 'a larger share keeps those of a smaller one');
SELECT ok(abs(count(*) - 2500) < 4 * sqrt(40000 / 16.0 * 15 / 16), 'two salts have nothing to do with each other')
FROM held AS a JOIN held AS b USING (n) WHERE a.salt = 'a' AND b.salt = 'b' AND a.quarter AND b.quarter;
SELECT is(segment.holdout(n, 's', 0) OR NOT segment.holdout(n, 's', 1), false, 'nobody, and all') FROM generate_series(1, 3) AS n;
SELECT is(segment.holdout(NULL::integer, 's', 0.5), NULL, 'NULL');
SELECT throws_ok(format('SELECT segment.holdout(1, ''s'', %L)', s), '22023', NULL, s) FROM unnest('{-0.1,1.1,NaN}'::text[]) AS s;

-- ---------- tests ----------

CREATE TEMP TABLE experiment_reference (treated integer[], outcomes numeric[], befores numeric[], level float8, expected float8[]);
CREATE TEMP TABLE proportion_reference (counts bigint[], level float8, expected float8[]);
\ir ../reference/experiment.sql
CREATE TEMP TABLE tested AS
SELECT e.*, (SELECT segment.experiment_agg(u.g = 1, u.y, u.x, 0.5, e.level ORDER BY random()) FROM unnest(e.treated, e.outcomes, e.befores) AS u(g, y, x)) AS result
FROM experiment_reference AS e;
SELECT is((SELECT count(*) FROM tested), 7::bigint, 'all references are there');
SELECT is_empty($$ SELECT have, want FROM tested, unnest(ARRAY[(result).difference, (result).low, (result).high, (result).p_value,
		(result).adjusted_difference, (result).adjusted_low, (result).adjusted_high, (result).adjusted_p_value, (result).variance_reduction], tested.expected) AS u(have, want)
	WHERE abs(have - want) > 1e-10 * greatest(1, abs(want)) OR num_nulls(have, want) > 0 $$, 'differences, intervals and p-values: those of R''s t.test, also adjusted');
SELECT is_empty($$ SELECT FROM tested WHERE (result).treated <> (SELECT sum(g) FROM unnest(treated) AS g)
	OR (result).treated + (result).held_out <> cardinality(outcomes)
	OR abs((result).treated_mean - (SELECT avg(y) FROM unnest(treated, outcomes) AS u(g, y) WHERE g = 1)) > 1e-12 * (1 + abs((result).treated_mean))
	OR abs((result).held_out_mean - (SELECT avg(y) FROM unnest(treated, outcomes) AS u(g, y) WHERE g = 0)) > 1e-12 * (1 + abs((result).held_out_mean)) $$, 'numbers and means');
SELECT is_empty($$ SELECT counts, t, expected FROM proportion_reference, segment.proportion_test(counts[1], counts[2], counts[3], counts[4], level) AS t,
		unnest(ARRAY[t.difference, t.low, t.high, t.p_value], expected) AS u(have, want) WHERE abs(have - want) > 1e-10 $$, 'shares: those of R''s prop.test');
SELECT is_empty($$ SELECT counts, p FROM proportion_reference, segment.proportion_test(counts[1], counts[2], counts[3], counts[4], level) AS t(d, l, h, p)
	WHERE counts[1] = 9 AND abs(p / expected[4] - 1) > 1e-10 $$, 'small p-values to ten digits of their own');
SELECT results_eq($$ SELECT * FROM segment.proportion_test(5, 5, 7, 7) $$, $$ VALUES (0::float8, 0::float8, 0::float8, NULL::float8) $$, 'all of both: nothing to test');
SELECT results_eq($$ SELECT * FROM segment.proportion_test(0, 0, 7, 7) $$, $$ VALUES (NULL::float8, NULL::float8, NULL::float8, NULL::float8) $$, 'without trials NULL');
SELECT throws_ok(format('SELECT segment.proportion_test(%s)', a), '22023', NULL, a) FROM unnest('{"2, 1, 1, 1","-1, 1, 1, 1","1, 1, 1, 1, 1"}'::text[]) AS a;
-- R: chisq.test(c(400, 600), p = c(.5, .5)), chisq.test(c(905, 95), p = c(.9, .1))
SELECT is(round(((segment.experiment_agg(n <= treated, 1, 1, held, 0.95)).sample_ratio_p_value / p - 1)::numeric, 9), 0::numeric, 'sample ratio: the chi-squared test')
FROM (VALUES (400, 0.5, 2.53962858947086e-10), (905, 0.1, 0.598161452683528), (900, 0.1, 1)) AS v(treated, held, p), generate_series(1, 1000) AS n GROUP BY treated, held, p ORDER BY treated;
SELECT is(regexp_replace((segment.experiment_agg(t, 5, 5, 0.5, 0.95))::text, '[^,]*$', ''), e, w) FROM (VALUES
	(1, true, '(1,0,5,,,,,,,,,,,', 'one customer'), (2, NULL, NULL, 'nobody')) AS v(n, t, e, w) GROUP BY n, e, w ORDER BY n;
SELECT is(segment.experiment_agg(n % 2 = 0, 5, n, 0.5, 0.95)::text, '(2,2,5,5,0,,,,0,,,,,1)', 'nothing varies') FROM generate_series(1, 4) AS n;
SELECT is((segment.experiment_agg(n % 2 = 0, n, 3, 0.5, 0.95)).adjusted_difference, NULL, 'a covariate that does not vary adjusts nothing') FROM generate_series(1, 6) AS n;
SELECT is(segment.experiment_agg(n % 2 = 0, n, nullif(n % 3, 0), 0.5, 0.95), segment.experiment_agg(n % 2 = 0, n, n % 3, 0.5, 0.95), 'what was not seen before counts as 0') FROM generate_series(1, 9) AS n;
SELECT throws_ok(format('SELECT segment.experiment_agg(true, 1, 1, h, l) FROM (VALUES %s) AS v(h, l)', v), '22023', message, message) FROM (VALUES
	('(0::float8, 0.5::float8)', 'argument "held_out" must be above 0 and below 1, not 0'), ('(0.5::float8, 1::float8)', 'argument "level" must be above 0 and below 1, not 1'),
	('(0.5::float8, 0.9::float8), (0.5, 0.8)', 'argument "level" must be the same for all rows')) AS e(v, message);

-- ---------- experiments without an effect ----------

-- what is spent before is a part of what is spent after; both are skewed
CREATE TABLE trial AS
SELECT n / 120 AS trial, segment.holdout(n, 'trial', 0.4) AS is_held_out, round(x::numeric, 6) AS before, round((x + 0.5 * e)::numeric, 6) AS outcome
FROM generate_series(0, 239999) AS n, LATERAL (SELECT -ln(((hashint8extended(n, 5) & 4294967295) + 0.5) / 4294967296) AS x,
	-ln(((hashint8extended(n, 6) & 4294967295) + 0.5) / 4294967296) AS e) AS d;
CREATE TEMP TABLE outcome AS SELECT trial, segment.experiment_agg(NOT is_held_out, outcome, before, 0.4, 0.95) AS r FROM trial GROUP BY trial;
SELECT is(count(*), 2000::bigint, 'two thousand experiments') FROM outcome;
SELECT ok(avg(((r).p_value < 0.05)::integer) BETWEEN 0.035 AND 0.065, 'one in twenty is an alarm at 5 %') FROM outcome;
SELECT ok(avg(((r).adjusted_p_value < 0.05)::integer) BETWEEN 0.035 AND 0.065, 'adjusted ones, too') FROM outcome;
SELECT ok(avg(((r).sample_ratio_p_value < 0.05)::integer) BETWEEN 0.035 AND 0.065, 'and of the numbers of customers') FROM outcome;
SELECT is_empty('SELECT FROM outcome WHERE ((r).p_value < 0.05) <> ((r).low > 0 OR (r).high < 0)', 'an alarm is where 0 is not in the interval');
-- the squared correlation is 1 / (1 + 0.25)
SELECT ok(abs(var_samp((r).adjusted_difference) / var_samp((r).difference) - 0.2) < 0.03, 'adjusted differences vary less, as the theory says') FROM outcome;
SELECT ok(abs(avg((r).variance_reduction) - 0.8) < 0.02, 'and say so') FROM outcome;
SELECT ok(abs(avg((r).adjusted_difference)) < 4 * stddev((r).adjusted_difference) / sqrt(2000.0), 'around 0') FROM outcome;

-- ---------- order and workers ----------

CREATE TEMP TABLE serial AS SELECT segment.experiment_agg(NOT is_held_out, outcome, before, 0.4, 0.95 ORDER BY outcome) AS r FROM trial;
SET LOCAL min_parallel_table_scan_size = 0;
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
ALTER TABLE trial SET (parallel_workers = 2);
SELECT is((SELECT segment.experiment_agg(NOT is_held_out, outcome, before, 0.4, 0.95) FROM trial), (SELECT r FROM serial), 'with workers, in any order: the same bits');

-- ---------- a portfolio ----------

CREATE TABLE sale AS
SELECT n AS id, date '2023-01-02' + (n * 7 % 400 + i * (9 + n % 150)) AS at, (5 + (n * 13 + i * 7) % 40)::numeric AS amount
FROM generate_series(1, 400) AS n, generate_series(0, 60) AS i WHERE n * 7 % 400 + i * (9 + n % 150) < 730;
-- the action: a third more for those who are not held out
UPDATE sale SET amount = round(amount * 1.33, 2) WHERE at >= '2024-07-01' AND NOT segment.holdout(id, 'spring', 0.3);
SELECT segment.create_portfolio('shop', 'SELECT id, at, amount FROM sale', costs => 'SELECT id, at, 1 FROM sale WHERE id % 3 = 0', timezone => 'UTC',
	settings => '{"purchase_model": "none", "spend_model": "none", "margin": 0.5}') IS NOT NULL AS made \gset
CREATE TEMP TABLE seen AS
SELECT c.id, NOT segment.holdout(c.id, 'spring', 0.3) AS treated, s.* FROM (SELECT DISTINCT id FROM sale WHERE at < '2024-07-01') AS c, LATERAL (
	SELECT count(*) FILTER (WHERE at BETWEEN '2024-07-01' AND '2024-09-30') AS orders, count(*) FILTER (WHERE at BETWEEN '2024-04-02' AND '2024-06-30') AS orders_before,
		coalesce(sum(amount) FILTER (WHERE at BETWEEN '2024-07-01' AND '2024-09-30'), 0) AS net, coalesce(sum(amount) FILTER (WHERE at BETWEEN '2024-04-02' AND '2024-06-30'), 0) AS net_before
	FROM sale WHERE sale.id = c.id) AS s;
CREATE TEMP TABLE readout AS SELECT * FROM segment.experiment_readout('shop', 'spring', 0.3, '2024-07-01', '2024-09-30', before_days => 90);
SELECT results_eq('SELECT measure FROM readout', $$ VALUES ('bought'), ('orders'), ('net'), ('net_value') $$, 'a row per measure');
SELECT results_eq($$ SELECT ROW(treated, held_out, treated_mean, held_out_mean, difference, low, high, p_value, adjusted_difference, adjusted_low, adjusted_high, adjusted_p_value,
		variance_reduction, sample_ratio_p_value)::segment.experiment_result FROM readout WHERE measure <> 'bought' $$, $$
	SELECT segment.experiment_agg(treated, y, x, 0.3, 0.95) FROM seen, LATERAL (VALUES (1, orders, orders_before), (2, net, net_before),
		(3, net / 2 - CASE WHEN id % 3 = 0 THEN orders ELSE 0 END, net_before / 2 - CASE WHEN id % 3 = 0 THEN orders_before ELSE 0 END)) AS v(nth, y, x) GROUP BY nth ORDER BY nth $$,
	'of orders, sales and value, as from the orders themselves');
SELECT results_eq($$ SELECT r.difference, r.low, r.high, r.p_value FROM readout AS r WHERE measure = 'bought' $$, $$
	SELECT t.* FROM (SELECT count(*) FILTER (WHERE treated AND orders > 0) AS a, count(*) FILTER (WHERE treated) AS n, count(*) FILTER (WHERE NOT treated AND orders > 0) AS b,
		count(*) FILTER (WHERE NOT treated) AS m FROM seen) AS s, segment.proportion_test(a, n, b, m) AS t $$, 'who bought: the test of shares');
SELECT ok(adjusted_low > 0 AND adjusted_p_value < 1e-5 AND adjusted_p_value < p_value AND variance_reduction > 0.5
	AND treated_mean * 0.33 / 1.33 BETWEEN adjusted_low AND adjusted_high, 'the planted effect is found, surer when adjusted') FROM readout WHERE measure = 'net';
SELECT ok(adjusted_low < 0 AND adjusted_high > 0, 'and none where none was planted') FROM readout WHERE measure = 'orders';
SELECT results_eq($$ SELECT treated + held_out FROM segment.experiment_readout('shop', 'spring', 0.3, '2024-07-01', classes => '{"dormancy": ["active", "drowsy"], "abc": "a"}') LIMIT 1 $$,
	$$ SELECT count(*) FROM shop.customer_at('2024-06-30') WHERE dormancy IN ('active', 'drowsy') AND abc = 'a' $$, 'of those who were in some classes');
SELECT throws_ok(format('SELECT segment.experiment_readout(''shop'', %s)', arguments), state, message, message) FROM (VALUES
	($$ 's', 0.3, '2024-07-01', '2099-01-01' $$, '22023', 'the experiment must end from its start, 2024-07-01, to the day that the portfolio is seen from, 2024-12-31, not on 2099-01-01'),
	($$ 's', 1, '2024-07-01' $$, '22023', 'arguments "share" and "level" must be above 0 and below 1, not 1 and 0.95'),
	($$ NULL, 0.3, '2024-07-01' $$, '22004', 'argument "salt" must not be null'),
	($$ 's', 0.3, 'infinity' $$, '22008', 'arguments "starts" and "ends" must be finite dates, not "infinity" and "2024-12-31"'),
	($$ 's', 0.3, '2024-07-01', before_days => 0 $$, '22023', 'argument "before_days" must be from 1 to 36525, not 0'),
	($$ 's', 0.3, '2024-07-01', classes => '["a"]' $$, '22023', 'classes must be a JSON object of classes by their scheme, not ["a"]'),
	($$ 's', 0.3, '2024-07-01', classes => '{"abc": ["a", "x"]}' $$, '22023', 'portfolio "shop" has no class "x" in scheme "abc"')) AS e(arguments, state, message);

SELECT * FROM finish();
ROLLBACK;
