--
-- A fit that begins at an earlier model gives the same model as one that begins
-- anew: on random customers, and in the refreshes of random portfolios
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
SELECT plan(30);
\set failure_form message
\o /dev/null
\ir ../helpers.sql
SELECT setseed(0.5);

CREATE FUNCTION pg_temp.normal() RETURNS float8 LANGUAGE sql VOLATILE AS
$$ SELECT sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random()) $$;
-- Marsaglia, Tsang 2000
CREATE FUNCTION pg_temp.gamma(shape float8) RETURNS float8 LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	d float8 := greatest(shape, shape + (shape < 1)::integer) - 1.0 / 3;
	x float8;
	v float8;
BEGIN
	LOOP
		x := pg_temp.normal();
		v := (1 + x / sqrt(9 * d)) ^ 3;
		EXIT WHEN v > 0 AND ln(1 - random()) < x * x / 2 + d - d * v + d * ln(v);
	END LOOP;
	RETURN d * v * CASE WHEN shape < 1 THEN (1 - random()) ^ (1 / shape) ELSE 1 END;
END $$;

-- A customer of a shop that is as mbgnbd says: purchases at random until leaving.
CREATE FUNCTION pg_temp.buy(first_day date, until_day date, rate float8, leave float8) RETURNS SETOF date LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	at float8 := 0;
BEGIN
	RETURN NEXT first_day;
	WHILE random() > leave LOOP
		at := at - ln(1 - random()) / greatest(rate, 1e-6);
		EXIT WHEN at > until_day - first_day;
		RETURN NEXT first_day + floor(at)::integer;
	END LOOP;
END $$;

-- 200 shops, from 30 to 800 customers, whose ways to buy and to leave vary widely
CREATE TABLE shop AS
SELECT shop, (30 * (800 / 30.0) ^ random())::integer AS customers,
	0.3 * 10 ^ random() AS r, 3 * 30 ^ random() AS alpha, 0.3 * 10 ^ random() AS a, 1 * 10 ^ random() AS b,
	300 + 900 * random() AS days, 1 + 8 * random() AS p, 1.5 + 3 * random() AS q, 10 * 10 ^ random() AS gamma
FROM generate_series(1, 200) AS shop;
CREATE TABLE purchase AS
SELECT c.shop, c.customer, d.day
FROM (
	SELECT s.shop, customer, s.days, date '2023-12-31' - (s.days * random())::integer AS first_day,
		pg_temp.gamma(s.r) / s.alpha AS rate, g.ga / (g.ga + g.gb) AS leave
	FROM shop AS s, generate_series(1, s.customers) AS customer,
		LATERAL (SELECT pg_temp.gamma(s.a + 0 * customer) AS ga, pg_temp.gamma(s.b) AS gb) AS g
) AS c, LATERAL pg_temp.buy(c.first_day, date '2024-03-31', c.rate, c.leave) AS d(day);
-- as of two days, three months apart
CREATE TABLE customer AS
SELECT p.shop, o.as_of, p.customer, count(DISTINCT p.day) - 1 AS x, min(p.day) AS first_day, max(p.day) AS last_day,
	-- the gamma-gamma model, in cents
	round((s.gamma * exp(0.4 * pg_temp.normal() / sqrt(count(*))) / greatest(0.05, pg_temp.gamma(s.q)) * s.p)::numeric, 2)::float8 AS spend
FROM purchase AS p
JOIN shop AS s USING (shop)
JOIN (VALUES (date '2023-12-31'), ('2024-03-31')) AS o(as_of) ON p.day <= o.as_of
GROUP BY p.shop, o.as_of, p.customer, s.gamma, s.p, s.q;

CREATE TABLE kind (kind text, of_spend boolean);
INSERT INTO kind VALUES ('bgnbd', false), ('mbgnbd', false), ('pnbd', false), ('gammagamma', true);
-- All four kinds by one name.
CREATE FUNCTION pg_temp.refit(which text, shop integer, as_of date, earlier segment.model) RETURNS segment.model LANGUAGE plpgsql STABLE AS $$
DECLARE
	m segment.model;
BEGIN
	IF which = 'gammagamma' THEN
		SELECT segment_internal.refit_spend('gammagamma', 'week', $4, c.x, c.spend) INTO m FROM customer AS c WHERE c.shop = $2 AND c.as_of = $3;
	ELSE
		SELECT segment_internal.refit_purchases(which, 'week', $4, c.as_of, c.x, c.first_day, c.last_day) INTO m FROM customer AS c WHERE c.shop = $2 AND c.as_of = $3;
	END IF;
	RETURN m;
END $$;
CREATE INDEX ON customer (shop, as_of);
ANALYZE customer;

-- Begun anew, begun at the model of three months before, and at one of another shop.
CREATE TABLE fit AS
SELECT k.kind, f.shop, e.m AS earlier, anew.m AS anew, again.m AS again, stranger.m AS stranger
FROM kind AS k CROSS JOIN shop AS f
CROSS JOIN LATERAL (SELECT pg_temp.refit(k.kind, f.shop, '2023-12-31', NULL) AS m OFFSET 0) AS e
CROSS JOIN LATERAL (SELECT pg_temp.refit(k.kind, f.shop, '2024-03-31', NULL) AS m OFFSET 0) AS anew
CROSS JOIN LATERAL (SELECT pg_temp.refit(k.kind, f.shop, '2024-03-31', e.m) AS m OFFSET 0) AS again
CROSS JOIN LATERAL (SELECT pg_temp.refit(k.kind, f.shop, '2024-03-31', pg_temp.refit(k.kind, 1 + f.shop % 200, '2023-12-31', NULL)) AS m OFFSET 0) AS stranger
WHERE k.kind <> 'pnbd' OR f.shop <= 25;
-- The largest relative difference in parameters, log-likelihood and standard errors.
CREATE FUNCTION pg_temp.relative(one float8, other float8) RETURNS float8 LANGUAGE sql IMMUTABLE AS
$$ SELECT CASE WHEN one IS NOT DISTINCT FROM other THEN 0 ELSE coalesce(abs(one - other) / greatest(abs(one), abs(other)), 'Infinity') END $$;
CREATE FUNCTION pg_temp.difference(one segment.model, other segment.model, what text) RETURNS float8 LANGUAGE sql STABLE AS $$
	SELECT CASE what
		WHEN 'params' THEN (SELECT max(pg_temp.relative(p.value::float8, q.value::float8))
			FROM jsonb_each_text(segment.params(one)) AS p JOIN jsonb_each_text(segment.params(other)) AS q USING (key))
		WHEN 'loglik' THEN pg_temp.relative(segment.loglik(one), segment.loglik(other))
		ELSE (SELECT max(pg_temp.relative(segment.stderr(one, p.key), segment.stderr(other, p.key)))
			FROM jsonb_object_keys(segment.params(one)) AS p(key)) END $$;
-- Where the data do not determine the parameters, they may differ.
CREATE TABLE comparison AS
SELECT f.kind, f.shop, o.way, segment.status(f.anew) AS status, segment.status(o.m) AS other_status,
	segment.warnings(f.anew) = segment.warnings(o.m) AS same_warnings,
	pg_temp.difference(f.anew, o.m, 'params') AS params, pg_temp.difference(f.anew, o.m, 'loglik') AS loglik,
	pg_temp.difference(f.anew, o.m, 'stderr') AS stderr
FROM fit AS f, LATERAL (VALUES ('again', f.again), ('stranger', f.stranger)) AS o(way, m);
\o

SELECT ok(count(*) FILTER (WHERE status = 'converged') >= 0.5 * count(*),
	format('%s: most shops have an inner maximum (%s of %s)', kind, count(*) FILTER (WHERE status = 'converged'), count(*)))
FROM comparison WHERE way = 'again' GROUP BY kind ORDER BY kind;
SELECT ok(count(*) FILTER (WHERE f.again::text <> f.anew::text) >= 0.1 * count(*),
	format('%s: many fits begin at the earlier model, which the last bits tell (%s of %s)', kind, count(*) FILTER (WHERE f.again::text <> f.anew::text), count(*)))
FROM fit AS f GROUP BY kind ORDER BY kind;
SELECT is_empty($$ SELECT * FROM comparison WHERE status <> other_status OR NOT same_warnings $$,
	'the same status and warnings');
SELECT is_empty(format($$ SELECT * FROM comparison WHERE kind = %L AND status IN ('converged', 'boundary') AND NOT (params < 1e-10 AND loglik < 1e-12) $$, kind),
	kind || ': the same parameters to 1e-10') FROM kind ORDER BY kind;
SELECT is_empty(format($$ SELECT * FROM comparison WHERE kind = %L AND status = 'converged' AND NOT (stderr < 1e-7) $$, kind),
	kind || ': the same standard errors to 1e-7') FROM kind ORDER BY kind;
SELECT is_empty($$ SELECT * FROM comparison WHERE status NOT IN ('converged', 'boundary') AND NOT (loglik < 1e-9) $$,
	'elsewhere the same likelihood to 1e-9');

-- Where nothing has changed, the model stays, bit by bit.
SELECT is_empty($$ SELECT f.kind, f.shop, f.anew, s.m FROM fit AS f, LATERAL (SELECT pg_temp.refit(f.kind, f.shop, '2024-03-31', f.anew) AS m OFFSET 0) AS s
	WHERE f.shop <= 60 AND segment.status(f.anew) = 'converged' AND segment.params(s.m) <> segment.params(f.anew) $$,
	'begun at the model of the same customers, a fit has its parameters');

-- By days, begun anew, a fit has the bits of the aggregates over x, t_x and t.
SELECT is_empty(format($$
	SELECT f.shop FROM fit AS f JOIN LATERAL (
		SELECT segment.with_unit(segment.%1$s_fit(c.x, (c.last_day - c.first_day) / 7.0::float8, (c.as_of - c.first_day) / 7.0::float8), 'week') AS m
		FROM customer AS c WHERE c.shop = f.shop AND c.as_of = '2024-03-31') AS t ON true
	WHERE f.kind = %1$L AND f.anew::text <> t.m::text $$, kind), kind || ': the bits of the aggregate over x, t_x and t')
FROM kind WHERE NOT of_spend ORDER BY kind;
SELECT is_empty($$
	SELECT f.shop FROM fit AS f JOIN LATERAL (
		SELECT segment.gammagamma_fit(c.x, c.spend) AS m FROM customer AS c WHERE c.shop = f.shop AND c.as_of = '2024-03-31') AS t ON true
	WHERE f.kind = 'gammagamma' AND f.anew::text <> t.m::text $$, 'gammagamma: the bits of the aggregate over x and spend');

-- The same bits in parallel plans, with an earlier model in the state.
CREATE FUNCTION pg_temp.in_parallel(earlier segment.model) RETURNS segment.model LANGUAGE plpgsql AS $$
DECLARE
	m segment.model;
BEGIN
	SET LOCAL max_parallel_workers_per_gather = 3;
	SET LOCAL parallel_setup_cost = 0;
	SET LOCAL parallel_tuple_cost = 0;
	SET LOCAL min_parallel_table_scan_size = 0;
	SELECT segment_internal.refit_purchases('mbgnbd', 'month', earlier, c.as_of, c.x, c.first_day, c.last_day) INTO m FROM customer AS c WHERE c.as_of = '2024-03-31';
	RETURN m;
END $$;
\o /dev/null
CREATE TABLE everybody AS
SELECT segment_internal.refit_purchases('mbgnbd', 'month', NULL, c.as_of, c.x, c.first_day, c.last_day) AS earlier
FROM customer AS c WHERE c.as_of = '2023-12-31' GROUP BY c.as_of;
\o
SELECT is(pg_temp.in_parallel(e.earlier)::text,
	(SELECT segment_internal.refit_purchases('mbgnbd', 'month', e.earlier, c.as_of, c.x, c.first_day, c.last_day)::text
	FROM customer AS c WHERE c.as_of = '2024-03-31'), 'the same bits in a parallel plan')
FROM everybody AS e;
SELECT is(pg_temp.failure($$ SELECT segment_internal.refit_purchases('gammagamma', 'week', NULL, '2024-01-01', 1, '2023-01-01', '2023-02-01') $$),
	'22023 model kind must be one of purchases in time, not "gammagamma"', 'a model of spend is not one of purchases');
SELECT is(pg_temp.failure($$ SELECT segment_internal.refit_purchases('bgnbd', 'week', NULL, '2023-01-15', 1, '2023-01-01', '2023-02-01') $$),
	pg_temp.failure($$ SELECT segment.bgnbd_fit(1, 31, 14) $$), 'a last day after as_of is refused as t_x > t');

-- ---------- portfolios ----------

-- Shops with eight orders more, refreshed from kept figures, and then anew.
CREATE FUNCTION pg_temp.refreshed(which integer, OUT mode text, OUT models float8, OUT classes bigint, OUT customers bigint) LANGUAGE plpgsql AS $$
DECLARE
	name text := 'shop_' || which;
	warm record;
	cold record;
BEGIN
	EXECUTE format('CREATE TABLE %1$I AS SELECT customer, day, 10 + (hashint4(customer) %% 1000) / 100.0 + extract(day FROM day) AS amount
		FROM purchase WHERE shop = %2$s AND day <= %3$L', name || '_orders', which, '2023-12-31');
	PERFORM segment.create_portfolio(name, format('SELECT customer, day, amount FROM public.%I', name || '_orders'), timezone => 'UTC');
	PERFORM segment.watch(name, format('public.%I', name || '_orders')::regclass, 'customer');
	PERFORM segment.refresh(name);
	EXECUTE format('INSERT INTO %1$I SELECT customer, day, 10 + extract(day FROM day)
		FROM purchase WHERE shop = %2$s AND day > %3$L ORDER BY day, customer LIMIT 8', name || '_orders', which, '2023-12-31');
	mode := (segment.refresh(name)).mode;
	EXECUTE format('SELECT s.purchase_model, s.spend_model FROM %1$I.scorecard AS s JOIN %1$I.portfolio USING (scorecard_id)', name) INTO warm;
	EXECUTE format('CREATE TABLE %I AS SELECT customer_id, scheme, class FROM %I.customer_class', name || '_classes', name);
	PERFORM segment.refresh(name, "full" => true);
	EXECUTE format('SELECT s.purchase_model, s.spend_model FROM %1$I.scorecard AS s JOIN %1$I.portfolio USING (scorecard_id)', name) INTO cold;
	EXECUTE format('SELECT count(*) FILTER (WHERE a.class IS DISTINCT FROM b.class), count(DISTINCT customer_id)
		FROM %I AS a FULL JOIN %I.customer_class AS b USING (customer_id, scheme)', name || '_classes', name) INTO classes, customers;
	models := greatest(pg_temp.difference(warm.purchase_model, cold.purchase_model, 'params'),
		pg_temp.difference(warm.spend_model, cold.spend_model, 'params'));
END $$;
\o /dev/null
CREATE TABLE refreshed AS
SELECT p.shop, r.* FROM (SELECT shop FROM shop WHERE customers > 400 ORDER BY shop LIMIT 4) AS p,
	LATERAL pg_temp.refreshed(p.shop) AS r;
\o
SELECT ok(mode = 'changes' AND models < 1e-10 AND classes = 0 AND customers > 200,
	format('a new scorecard from kept figures classifies as one made anew (mode %s, models differ by %s, %s classes of %s customers)', mode, models, classes, customers))
FROM refreshed ORDER BY shop;

SELECT * FROM finish();
ROLLBACK;
