--
-- Periods: the figures of the last one and the one before, and the trend, against
-- plain SQL over the orders
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
SELECT no_plan();

CREATE FUNCTION pg_temp.close_to(have float8, want float8, relative float8) RETURNS boolean
LANGUAGE sql RETURN abs(have - want) <= relative * greatest(abs(want), 1e-9) OR have IS NULL AND want IS NULL;
-- the complementary error function: its series, or its continued fraction
CREATE FUNCTION pg_temp.erfc(x float8) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
	term float8 := x;
	total float8 := x;
	fraction float8 := 0;
BEGIN
	IF x < 2 THEN
		FOR n IN 1 .. 80 LOOP
			term := -term * x * x / n;
			total := total + term / (2 * n + 1);
			EXIT WHEN abs(term) < 1e-30;
		END LOOP;
		RETURN 1 - 2 / sqrt(pi()) * total;
	END IF;
	FOR n IN REVERSE 200 .. 1 LOOP
		fraction := n / 2.0 / (x + fraction);
	END LOOP;
	RETURN exp(-x * x) / sqrt(pi()) / (x + fraction);
END $$;

-- ---------- random orders: refunds, ties, gifts, NULLs, one order, none ----------

CREATE TABLE sold (id integer, at date, amount numeric, margin numeric);
CREATE TABLE spent (id integer, at date, amount numeric);
SELECT setseed(0.75) \g /dev/null
INSERT INTO sold
SELECT id, '2020-01-01'::date + floor(random() ^ (1 + id % 3) * 1400)::integer,
	CASE WHEN random() < 0.1 THEN 0 WHEN id % 7 = 0 THEN 25 ELSE round((random() * 100 - 12)::numeric, id % 4) END, round((random() * 30 - 5)::numeric, 2)
FROM generate_series(1, 300) AS id, generate_series(1, id % 40);
INSERT INTO sold VALUES (1001, '2022-01-01', -8, -1), (1002, '2023-10-31', 5, 1), (1003, '2020-02-02', 50, 9), (1003, '2020-02-02', -50, -9),
	(1004, '2023-10-31', NULL, 1), (1004, '2023-10-30', 3, 1), (1005, NULL, 3, 1), (1006, '2024-10-30', 3, 1), (NULL, '2023-01-01', 4, 1),
	(1007, '2023-10-31', 7, 2), (1007, '2023-10-31', 7, 2);
INSERT INTO spent SELECT id, '2020-01-01'::date + floor(random() * 1400)::integer, round((random() * 9)::numeric, 2) FROM generate_series(1, 300, 3) AS id, generate_series(1, 4);
CREATE INDEX ON sold (id, at);
ANALYZE sold;
CREATE FUNCTION make(portfolio text, margin boolean, settings text) RETURNS void LANGUAGE sql AS $$
	SELECT segment.create_portfolio(portfolio, 'SELECT id, at, amount' || CASE WHEN margin THEN ', margin' ELSE '' END || ' FROM sold',
		customers => 'SELECT n FROM generate_series(1, 305) AS n', costs => 'SELECT * FROM spent', timezone => 'UTC', settings => settings::jsonb);
	SELECT segment.refresh(portfolio, '2023-10-31');
$$;
CREATE TABLE shop AS SELECT * FROM (VALUES ('years', false, '{"margin": 0.3}', 365, 4), ('margins', true, '{}', 365, 4), ('months', false, '{"period_days": 30, "trend_periods": 12}', 30, 12),
	('day', true, '{"period_days": 1, "trend_periods": 2}', 1, 2), ('alone', false, '{"period_days": 700, "trend_periods": 1}', 700, 1)) AS v(name, margin, settings, period, periods);
SELECT make(name, margin, settings) FROM shop \g /dev/null

CREATE FUNCTION pg_temp.plain(own_margin boolean, rate numeric, period integer) RETURNS TABLE (id integer, orders bigint, net numeric, margin numeric, cost numeric, previous numeric)
LANGUAGE sql AS $$
	SELECT k.id, count(*) FILTER (WHERE s.amount >= 0 AND s.at > d.day - period),
		coalesce(sum(s.amount) FILTER (WHERE s.at > d.day - period), 0),
		coalesce(sum(CASE WHEN own_margin THEN s.margin ELSE s.amount * rate END) FILTER (WHERE s.at > d.day - period), 0),
		coalesce((SELECT sum(c.amount) FROM spent AS c WHERE c.id = k.id AND c.at > d.day - period AND c.at <= d.day), 0),
		coalesce(sum(s.amount) FILTER (WHERE s.at <= d.day - period AND s.at > d.day - 2 * period), 0)
	FROM (SELECT generate_series(1, 305) UNION SELECT s.id FROM sold AS s WHERE s.at <= '2023-10-31' AND s.amount IS NOT NULL) AS k(id)
	CROSS JOIN (VALUES ('2023-10-31'::date)) AS d(day)
	LEFT JOIN sold AS s ON s.id = k.id AND s.at <= d.day AND s.amount IS NOT NULL
	WHERE k.id IS NOT NULL
	GROUP BY k.id, d.day $$;
CREATE FUNCTION pg_temp.wrong(portfolio text, own_margin boolean, rate numeric, period integer) RETURNS TABLE (plain text, have text) LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format($query$
		SELECT p::text, c::text FROM pg_temp.plain($1, $2, $3) AS p FULL JOIN %I.customer AS c ON c.customer_id = p.id
		WHERE ROW(p.orders, p.net, p.margin, p.cost, p.margin - p.cost, p.previous, p.net - p.previous)
			IS DISTINCT FROM ROW(c.period_orders, c.period_net, c.period_margin, c.period_cost, c.period_net_value, c.previous_net, c.net_change)$query$, portfolio)
	USING own_margin, rate, period;
END $$;
SELECT is_empty(format('SELECT * FROM pg_temp.wrong(%L, %L, %s, %s)', name, margin, CASE name WHEN 'years' THEN 0.3 ELSE 1 END, period),
	name || ': orders, net, margin, cost, net value, net before and change, as in plain SQL') FROM shop;
CREATE FUNCTION pg_temp.change(portfolio text) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
	total numeric;
BEGIN
	EXECUTE format('SELECT sum(net_change) FROM %I.customer', portfolio) INTO total;
	RETURN total;
END $$;
SELECT is(pg_temp.change(name), (SELECT sum(CASE WHEN at > '2023-10-31'::date - period THEN amount ELSE -amount END) FROM sold
	WHERE id IS NOT NULL AND at BETWEEN '2023-11-01'::date - 2 * period AND '2023-10-31'), name || ': the changes add up to the change of sales') FROM shop;
SELECT cmp_ok((SELECT count(*) FROM years.customer WHERE net_change < 0), '>', 30::bigint, 'some have fallen');

-- ---------- the trend ----------

-- the server's own least squares over every single day, and the variance from
-- all the days on which each amount might have come
CREATE FUNCTION pg_temp.trend(period integer, periods integer) RETURNS TABLE (id integer, slope float8, p_value float8) LANGUAGE sql AS $$
	WITH buyer AS (
		SELECT s.id, min(s.at) AS first_day FROM sold AS s WHERE s.amount >= 0 AND s.at <= '2023-10-31' AND s.id IS NOT NULL GROUP BY s.id
	), day AS (
		SELECT b.id, d::date - b.first_day AS day, coalesce((SELECT sum(s.amount) FROM sold AS s WHERE s.id = b.id AND s.at = d::date), 0)::float8 AS net
		FROM buyer AS b, generate_series(greatest(b.first_day + 1, '2023-11-01'::date - period * periods), '2023-10-31', interval '1 day') AS d
		WHERE b.first_day <= '2023-10-31'::date - period
	)
	SELECT d.id, regr_slope(d.net, d.day) * period ^ 2,
		pg_temp.erfc(abs(regr_slope(d.net, d.day) * regr_sxx(d.net, d.day)) / sqrt(2 * sum(d.net ^ 2) * var_pop(d.day)))
	FROM day AS d GROUP BY d.id HAVING count(*) > 1 AND sum(abs(d.net)) > 0 $$;
CREATE FUNCTION pg_temp.wrong_trend(portfolio text, period integer, periods integer) RETURNS TABLE (id integer, want text, have text) LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format($query$
		SELECT c.customer_id, ROW(t.slope, t.p_value)::text, ROW(c.trend, c.trend_p_value)::text
		FROM %I.customer AS c LEFT JOIN pg_temp.trend($1, $2) AS t ON t.id = c.customer_id
		WHERE NOT pg_temp.close_to(c.trend_p_value, t.p_value, 1e-6) OR (c.trend IS NULL) <> (t.slope IS NULL)
			OR abs(c.trend - t.slope) > 1e-9 * (abs(t.slope) + 0.01)$query$, portfolio) USING period, periods;
END $$;
SELECT is_empty(format('SELECT * FROM pg_temp.wrong_trend(%L, %s, %s)', name, period, periods), name || ': slope and chance as in plain SQL')
FROM shop WHERE name IN ('years', 'months', 'alone');
SELECT cmp_ok((SELECT count(trend) FROM years.customer), '>', 200::bigint, 'most have a trend');
SELECT is_empty($$ SELECT c.customer_id FROM years.customer AS c WHERE (c.trend IS NULL) <> (c.trend_p_value IS NULL)
	OR c.trend IS NOT NULL AND c.tenure_days < 365 OR c.trend_p_value NOT BETWEEN 0 AND 1 $$, 'who has been here for less than a period has none');
SELECT results_eq($$ SELECT customer_id, trend FROM years.customer WHERE customer_id IN (1001, 1002, 1003, 1004, 1007) ORDER BY 1 $$,
	$$ VALUES (1001, NULL::float8), (1002, NULL), (1003, NULL), (1004, NULL), (1007, NULL) $$, 'nor who only returned, is new, or bought once');

-- who does not change is called so, with any number of orders and any amounts
CREATE TABLE even AS
SELECT id, '2020-01-01'::date AS at, 10::numeric AS amount FROM generate_series(1, 4000) AS id
UNION ALL
SELECT id, '2020-01-02'::date + floor(random() * 1460)::integer, round(exp(random() * 5)::numeric, 2)
FROM generate_series(1, 4000) AS id, generate_series(1, 1 + id % 12);
SELECT segment.create_portfolio('even', 'SELECT * FROM even', timezone => 'UTC', settings => '{"purchase_model": "none"}') \g /dev/null
SELECT segment.refresh('even', '2023-12-31') \g /dev/null
SELECT cmp_ok(count(*) FILTER (WHERE trend_p_value <= 0.05) / 4000.0, '<=', 0.057, 'steady customers: a false alarm at most as often as the chance says') FROM even.customer;
SELECT cmp_ok(count(*) FILTER (WHERE trend_p_value <= 0.05) / 4000.0, '>', 0.025, 'and not much more seldom') FROM even.customer;
SELECT is_empty('SELECT * FROM even.customer WHERE orders = 2 AND trend_p_value < 0.08', 'one order tells nothing: never below 0.083');
-- six orders a year, then two, then none
CREATE TABLE six AS
SELECT 1 AS id, '2020-01-01'::date + 60 * n AS at, 50 AS amount FROM generate_series(0, 12) AS n
UNION ALL SELECT 1, d, 50 FROM unnest('{2022-05-01,2022-11-01}'::date[]) AS d
UNION ALL SELECT 2, '2020-01-01'::date + 60 * n, 50 FROM generate_series(0, 24) AS n;
SELECT segment.create_portfolio('six', 'SELECT * FROM six', timezone => 'UTC', settings => '{"purchase_model": "none"}') \g /dev/null
SELECT segment.refresh('six', '2023-12-31') \g /dev/null
SELECT ok(trend < -90 AND trend_p_value < 0.03, 'six orders a year that fade away are a trend') FROM six.customer WHERE customer_id = 1;
SELECT ok(abs(trend) < 15 AND trend_p_value > 0.8, 'six a year that go on are none') FROM six.customer WHERE customer_id = 2;

-- ---------- who brings more, who less ----------

SELECT is_empty($$
	SELECT * FROM (
		SELECT e.id AS customer_id, coalesce(sum(e.orders) FILTER (WHERE NOT e.now), 0)::bigint AS orders_before, coalesce(sum(e.orders) FILTER (WHERE e.now), 0)::bigint AS orders,
			coalesce(sum(e.amount) FILTER (WHERE NOT e.now), 0) AS net_before, coalesce(sum(e.amount) FILTER (WHERE e.now), 0) AS net,
			sum(CASE WHEN e.now THEN e.amount ELSE -e.amount END) AS net_change,
			coalesce(sum(e.value) FILTER (WHERE NOT e.now), 0) AS value_before, coalesce(sum(e.value) FILTER (WHERE e.now), 0) AS value,
			sum(CASE WHEN e.now THEN e.value ELSE -e.value END) AS value_change
		FROM (
			SELECT id, (amount >= 0)::integer AS orders, amount, amount * 0.3 AS value, at, at > '2022-03-31' AS now FROM sold WHERE amount IS NOT NULL
			UNION ALL SELECT id, 0, 0, -amount, at, at > '2022-03-31' FROM spent
		) AS e
		WHERE e.id IS NOT NULL AND e.at > '2022-01-01' AND e.at <= '2022-06-28'
		GROUP BY e.id
	) AS plain
	FULL JOIN years.customer_change('2022-03-31', '2022-06-28') AS c USING (customer_id)
	WHERE ROW(plain.orders_before, plain.orders, plain.net_before, plain.net, plain.net_change, plain.value_before, plain.value, plain.value_change)
		IS DISTINCT FROM ROW(c.orders_before, c.orders, c.net_before, c.net, c.net_change, c.net_value_before, c.net_value, c.net_value_change) $$,
	'customer_change: everybody, with what they brought before and now');
SELECT is((SELECT sum(net_change) FROM margins.customer_change('2022-03-31', '2022-06-28')),
	(SELECT sum(CASE WHEN at > '2022-03-31' THEN amount ELSE -amount END) FROM sold WHERE id IS NOT NULL AND at > '2022-01-01' AND at <= '2022-06-28'), 'which adds up to the change of sales');
SELECT is_empty($$ SELECT c.customer_id FROM margins.customer_change('2022-10-31', '2023-10-31') AS c JOIN margins.customer AS k USING (customer_id)
	WHERE (c.net, c.net_before, c.net_change, c.orders, c.net_value) IS DISTINCT FROM (k.period_net, k.previous_net, k.net_change, k.period_orders, k.period_net_value) $$,
	'over the last period as the view customer has it');
SELECT throws_ok($$ SELECT * FROM margins.customer_change('2022-10-31', '2022-10-30') $$, '22023', NULL, 'days in the wrong order');

-- ---------- the pyramid by period and profit ----------

SELECT is_empty($$ SELECT rule FROM years.scheme_class WHERE scheme = 'abcd' AND class = 'a' AND rule <> 'orders > 0 AND net >= abcd_a' $$, 'by sales since the beginning');
CREATE FUNCTION pg_temp.wrong_abcd(measure text, orders text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	wrong bigint;
BEGIN
	PERFORM segment.alter_portfolio('years', settings => jsonb_build_object('abcd_by', measure));
	EXECUTE format($query$
		SELECT count(*) FROM (
			SELECT c.abcd, c.orders, c.refunded, b.best, b.number FROM years.customer AS c
			LEFT JOIN (SELECT customer_id, rank() OVER (ORDER BY %1$I DESC) AS best, count(*) OVER () AS number FROM years.customer WHERE %2$I > 0) AS b USING (customer_id)
		) AS r
		WHERE r.abcd <> CASE WHEN r.best <= ceil(r.number / 100.0) THEN 'a' WHEN r.best <= ceil(r.number / 20.0) THEN 'b' WHEN r.best <= ceil(r.number / 5.0) THEN 'c'
			WHEN r.orders > 0 THEN 'd' WHEN r.refunded > 0 THEN 'returns_only' ELSE 'prospects' END$query$, measure, orders) INTO wrong;
	RETURN wrong;
END $$;
SELECT is(pg_temp.wrong_abcd(measure, orders), 0::bigint, 'abcd by ' || measure || ': the best 1, 5 and 20 %, equal ones together')
FROM (VALUES ('period_net', 'period_orders'), ('net_value', 'orders'), ('period_net_value', 'period_orders'), ('net', 'orders')) AS v(measure, orders);
SELECT segment.alter_scheme('years', 'abcd', '[{"class": "a", "rule": "orders > 0 AND net >= abcd_a"}, {"class": "rest"}]', '{"abcd_a": "max(net)"}') \g /dev/null
SELECT throws_ok($$ SELECT segment.alter_portfolio('years', settings => '{"abcd_by": "period_net"}') $$, '22023',
	'setting "abcd_by" must be net where the scheme "abcd" was changed, not "period_net"', 'what somebody changed is theirs');

-- ---------- in rules and cuts ----------

SELECT segment.create_scheme('years', 'course', '[{"class": "fading", "rule": "trend < 0 AND trend_p_value < 0.1"}, {"class": "big", "rule": "period_net_value > usual_period"}, {"class": "rest"}]',
	'{"usual_period": "avg(period_net_value)"}') \g /dev/null
SELECT is_empty($$ SELECT * FROM years.customer WHERE course <> CASE WHEN trend < 0 AND trend_p_value < 0.1 THEN 'fading'
	WHEN period_net_value > (SELECT avg(period_net_value) FROM years.customer) THEN 'big' ELSE 'rest' END $$, 'rules and cuts may name them');
SELECT throws_ok($$ SELECT segment.alter_portfolio('years', settings => '{"period_days": 0}') $$, '22023', 'setting "period_days" must be from 1 to 36525, not 0', 'a period has a day');
SELECT throws_ok($$ SELECT segment.alter_portfolio('years', settings => '{"trend_periods": 101}') $$, '22023', 'setting "trend_periods" must be from 1 to 100, not 101', 'a hundred periods at most');
SELECT segment.alter_portfolio('years', settings => '{"period_days": 90, "trend_periods": 5}') \g /dev/null
SELECT is_empty($$ SELECT * FROM pg_temp.wrong('years', false, 0.3, 90) $$, 'another period');
SELECT is_empty($$ SELECT * FROM pg_temp.wrong_trend('years', 90, 5) $$, 'and its trend');
-- at the ends of the calendar
SELECT lives_ok($$ SELECT f.* FROM (VALUES ('4714-11-24 BC'::date), ('5874897-12-31')) AS v(d),
	LATERAL segment_internal.customer_figures(('{' || d || ': 5}')::segment.history, NULL, NULL, NULL, NULL, true, d,
	jsonb_populate_record(NULL::segment_internal.scorecard_terms, '{"period_days": 36525, "trend_periods": 100}')) AS f $$, 'the ends of the calendar');

SELECT * FROM finish();
ROLLBACK;
