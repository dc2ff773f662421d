--
-- What is kept: the rows of the view customer are what customer_at computes from
-- the histories, bit for bit, after everything that changes them
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

-- Customers whose kept row is not the computed one, or who are in one only.
CREATE FUNCTION wrong(portfolio text) RETURNS TABLE (kept text, computed text) LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format($query$
		SELECT c::text, a::text
		FROM %1$I.customer AS c
		FULL JOIN %1$I.customer_at((SELECT s.as_of FROM %1$I.scorecard AS s ORDER BY s.scorecard_id DESC LIMIT 1)) AS a
			ON a.customer_id = c.customer_id
		WHERE c IS NULL OR a IS NULL OR c::record *<> a::record LIMIT 5$query$, portfolio);
END $$;
-- Figures that are kept for the next scorecard, against the histories.
CREATE FUNCTION wrong_figures(portfolio text) RETURNS TABLE (customer integer, monetary float8, next_event date) LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format($query$
		SELECT k.customer_id, k.monetary, k.next_event
		FROM %1$I.kept_customer AS k JOIN %1$I.customer_history AS h USING (customer_id)
		WHERE k.monetary IS DISTINCT FROM segment.net(segment.as_of(h.purchases, k.as_of))::float8
			OR k.repeat_spend IS DISTINCT FROM CASE WHEN k.orders > 0 THEN (segment.measures(h.purchases, k.as_of)).mean_repeat_spend END
			OR k.next_event IS DISTINCT FROM (SELECT min(u.day) FROM (SELECT * FROM segment.unnest(h.purchases) UNION ALL
				SELECT * FROM segment.unnest(h.margins) UNION ALL SELECT * FROM segment.unnest(h.costs) UNION ALL
				SELECT * FROM segment.unnest(h.complaints) UNION ALL SELECT * FROM segment.unnest(h.satisfaction)) AS u WHERE u.day > k.as_of)$query$, portfolio);
	-- and all that the view does not show, computed anew
	RETURN QUERY EXECUTE format('SELECT k.customer_id, k.monetary, k.next_event FROM %1$I.kept_customer AS k JOIN (%2$s) AS f ON f.customer_id = k.customer_id
		WHERE to_jsonb(k) <> to_jsonb(f)', portfolio,
		(SELECT segment_internal.kept_query(portfolio, s.scorecard_id, s.as_of, false, CASE WHEN NOT s.as_of_given THEN current_date END) FROM segment_internal.scorecard_in_force(portfolio) AS s));
END $$;

-- ---------- random portfolios, changed at random ----------

CREATE TABLE orders (shop integer, id integer, at date, amount numeric, margin numeric);
CREATE TABLE costs (shop integer, id integer, at date, amount numeric);
CREATE TABLE complaints (shop integer, id integer, at date);
CREATE TABLE answers (shop integer, id integer, at date, score integer);
CREATE TABLE people (shop integer, id integer, town text);
CREATE TABLE events (shop integer, id integer, at date, amount numeric, margin numeric, what text);
CREATE INDEX ON orders (id); CREATE INDEX ON costs (id); CREATE INDEX ON complaints (id); CREATE INDEX ON answers (id); CREATE INDEX ON people (id); CREATE INDEX ON events (id);
SELECT setseed(0.25) \g /dev/null
-- rows of some customers, up to a day; amounts with few and many decimals, refunds, zero
CREATE FUNCTION happen(which integer, customers integer, up_to date) RETURNS void LANGUAGE sql AS $$
	INSERT INTO orders
	SELECT which, 1 + floor(random() * customers)::integer, up_to - floor(random() ^ 2 * 500)::integer,
		CASE WHEN random() < 0.1 THEN 0 ELSE round((random() * 100 - 8)::numeric, CASE WHEN which % 2 = 0 THEN 2 ELSE (random() * 6)::integer END) END,
		round((random() * 40 - 5)::numeric, 3)
	FROM generate_series(1, customers * 3);
	INSERT INTO costs SELECT which, 1 + floor(random() * customers)::integer, up_to + 20 - floor(random() * 300)::integer, round((random() * 9)::numeric, 2) FROM generate_series(1, customers / 2);
	INSERT INTO complaints SELECT which, 1 + floor(random() * customers)::integer, up_to - floor(random() * 200)::integer FROM generate_series(1, customers / 4);
	INSERT INTO answers SELECT which, 1 + floor(random() * customers)::integer, up_to - floor(random() * 200)::integer, 1 + floor(random() * 5)::integer FROM generate_series(1, customers / 4);
	INSERT INTO events SELECT which, 1 + floor(random() * customers)::integer, up_to + 20 - floor(random() * 500)::integer, round((random() * 50 - 3)::numeric, 2),
		round((random() * 20)::numeric, 2), nullif('what ' || floor(random() * 5)::integer, 'what 0') FROM generate_series(1, customers * 4);
$$;
CREATE FUNCTION make(which integer) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	name text := 'shop ' || which;
BEGIN
	PERFORM happen(which, 80, '2024-03-01');
	INSERT INTO people SELECT which, n, 'town ' || n % 3 FROM generate_series(60, 95) AS n;
	-- rows that are known, and count, only later
	INSERT INTO orders VALUES (which, 5, current_date + 100, 7, 2), (which, 200, current_date + 50, 7, 2), (which, 6, '2024-03-20', -4, -1);
	PERFORM segment.create_portfolio(name, format('SELECT id, at, amount%s FROM orders WHERE shop = %s', CASE WHEN which % 3 = 0 THEN ', margin' END, which),
		customers => CASE WHEN which % 2 = 0 THEN format('SELECT id, town FROM people WHERE shop = %s', which) END,
		costs => format('SELECT id, at, amount FROM costs WHERE shop = %s', which),
		complaints => format('SELECT id, at FROM complaints WHERE shop = %s', which),
		satisfaction => format('SELECT id, at, score FROM answers WHERE shop = %s', which),
		visits => CASE WHEN which IN (0, 3) THEN format('SELECT id, at, what FROM events WHERE shop = %s AND amount > 10', which) END,
		contacts => CASE WHEN which IN (0, 4) THEN format('SELECT id, at FROM events WHERE shop = %s', which) END,
		lines => CASE WHEN which IN (0, 5) THEN format('SELECT id, at, amount, margin, what FROM events WHERE shop = %s', which) END,
		timezone => 'UTC', settings => '{"margin": 0.3, "purchase_model": "bgnbd"}');
	PERFORM segment.watch(name, t, 'id') FROM unnest('{orders,costs,complaints,answers,people,events}'::regclass[]) AS t;
	RETURN name;
END $$;
CREATE TABLE made AS SELECT which, make(which) AS name FROM generate_series(0, 5) AS which;

CREATE TABLE step (nth integer, what text, command text);
INSERT INTO step VALUES
	(1, 'a full refresh', $$ SELECT mode FROM segment.refresh(%2$L) $$),
	(2, 'nothing changed', $$ SELECT mode FROM segment.refresh(%2$L) $$),
	(3, 'some customers changed', $$ INSERT INTO orders VALUES (%1$s, 3, '2024-03-05', 12.5, 4), (%1$s, 111, '2024-03-06', 3.25, 1); SELECT mode FROM segment.refresh(%2$L) $$),
	(4, 'changed, the scorecard kept', $$ INSERT INTO orders VALUES (%1$s, 4, '2024-03-04', 1.125, 1), (%1$s, 112, '2024-03-03', 9, 1); INSERT INTO costs VALUES (%1$s, 9, '2024-03-02', 3); INSERT INTO events VALUES (%1$s, 13, '2024-03-02', 20, 3, 'what 7'); SELECT mode FROM segment.refresh(%2$L, scorecard => false) $$),
	(5, 'customers who went', $$ DELETE FROM orders WHERE shop = %1$s AND id IN (8, 111); DELETE FROM costs WHERE shop = %1$s AND id IN (8, 111); SELECT mode FROM segment.refresh(%2$L) $$),
	(6, 'a later day', $$ SELECT mode FROM segment.refresh(%2$L, '2024-04-10') $$),
	(7, 'an earlier day', $$ SELECT mode FROM segment.refresh(%2$L, '2023-12-31') $$),
	(8, 'changed, seen from the earlier day', $$ UPDATE orders SET amount = amount + 1 WHERE shop = %1$s AND id = 12; SELECT mode FROM segment.refresh(%2$L, scorecard => false) $$),
	(9, 'and back', $$ SELECT mode FROM segment.refresh(%2$L) $$),
	(10, 'a day on which refunds and costs come', $$ SELECT mode FROM segment.refresh(%2$L, '2024-03-21') $$),
	(11, 'a new scheme', $$ SELECT mode FROM segment.create_scheme(%2$L, 'size', '[{"class": "big", "rule": "net > middle", "stay_rule": "net > middle / 3"}, {"class": "small"}]', '{"middle": "avg(net)"}') $$),
	(12, 'a snapshot that stay rules look at', $$ SELECT segment.take_snapshot(%2$L, '2024-02-01')::text $$),
	(13, 'another rule', $$ SELECT mode FROM segment.alter_scheme(%2$L, 'size', '[{"class": "big", "rule": "net > middle OR clv > 10", "stay_rule": "net > 0"}, {"class": "small"}]') $$),
	(14, 'changes, with stay rules', $$ UPDATE orders SET amount = amount / 4 WHERE shop = %1$s AND id BETWEEN 20 AND 24; SELECT mode FROM segment.refresh(%2$L) $$),
	(15, 'another margin', $$ SELECT mode FROM segment.alter_portfolio(%2$L, settings => '{"margin": 0.25, "probability_weeks": 26, "contribution_prior_purchases": 3.5}') $$),
	(16, 'another model', $$ SELECT mode FROM segment.alter_portfolio(%2$L, settings => '{"purchase_model": "pnbd", "spend_model": "none"}') $$),
	(17, 'no model', $$ SELECT mode FROM segment.alter_portfolio(%2$L, settings => '{"purchase_model": "none"}') $$),
	(18, 'without costs', $$ SELECT mode FROM segment.alter_portfolio(%2$L, costs => '', settings => '{"purchase_model": null, "spend_model": null}') $$),
	(19, 'without the scheme', $$ SELECT mode FROM segment.drop_scheme(%2$L, 'size') $$),
	(20, 'another period, which kept figures do not know', $$ SELECT mode FROM segment.alter_portfolio(%2$L, settings => '{"period_days": 50, "trend_periods": 2}') $$),
	(21, 'a later day, by that period', $$ SELECT mode FROM segment.refresh(%2$L, '2024-04-15') $$),
	(22, 'many changed', $$ SELECT happen(%1$s, 40, '2024-05-01'); SELECT mode FROM segment.refresh(%2$L) $$),
	(23, 'nobody left', $$ DELETE FROM orders WHERE shop = %1$s; SELECT mode FROM segment.refresh(%2$L) $$);
CREATE FUNCTION take(nth integer, which integer, name text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	statement text;
	result text;
BEGIN
	FOR statement IN SELECT regexp_split_to_table(format(s.command, which, name), '; ') FROM step AS s WHERE s.nth = take.nth LOOP
		IF statement ~ '^ *SELECT' AND statement !~ 'happen' THEN
			EXECUTE statement INTO result;
		ELSE
			EXECUTE statement;
		END IF;
	END LOOP;
	RETURN result;
END $$;
SELECT is_empty(format('SELECT * FROM wrong(%L)', name), name || ': kept when it is created') FROM made;
CREATE TABLE taken AS SELECT 0 AS nth, 0 AS which, ''::text AS mode WITH NO DATA;
DO $$
DECLARE
	s step;
BEGIN
	CREATE TABLE difference (nth integer, which integer, kept text, computed text);
	FOR s IN SELECT * FROM step ORDER BY nth LOOP
		INSERT INTO taken SELECT s.nth, m.which, take(s.nth, m.which, m.name) FROM made AS m;
		INSERT INTO difference SELECT s.nth, m.which, w.* FROM made AS m, wrong(m.name) AS w;
		INSERT INTO difference SELECT s.nth, m.which, 'figures', w::text FROM made AS m, wrong_figures(m.name) AS w;
	END LOOP;
END $$;
SELECT is_empty(format('SELECT which, kept, computed FROM difference WHERE nth = %s', nth), 'kept is computed: ' || what) FROM step ORDER BY nth;
SELECT is((SELECT count(*) FROM taken WHERE nth IN (2, 3, 4, 5, 6, 7, 8, 9, 10, 14) AND mode IS DISTINCT FROM 'changes'), 0::bigint, 'refreshes of changes are');

-- ---------- from day to day ----------

-- orders leave the windows as the days go on, also of customers without new ones
CREATE TABLE daily (nth integer, which integer, mode text, kept text, computed text);
CREATE TABLE slow AS SELECT which, 'slow ' || which AS name FROM generate_series(20, 22) AS which;
DO $$
DECLARE
	s slow;
	day date;
	mode text;
BEGIN
	FOR s IN TABLE slow LOOP
		PERFORM happen(s.which, 200, '2024-03-01');
		PERFORM segment.create_portfolio(s.name, format('SELECT id, at, amount%s FROM orders WHERE shop = %s', CASE WHEN s.which = 21 THEN ', margin' END, s.which),
			costs => format('SELECT id, at, amount FROM costs WHERE shop = %s', s.which), complaints => format('SELECT id, at FROM complaints WHERE shop = %s', s.which),
			satisfaction => format('SELECT id, at, score FROM answers WHERE shop = %s', s.which), timezone => 'UTC',
			settings => jsonb_build_object('period_days', (ARRAY[365, 40, 7])[s.which - 19], 'trend_periods', (ARRAY[4, 3, 1])[s.which - 19], 'purchase_model', 'none',
				'churn_recent_days', (ARRAY[91, 10, 7])[s.which - 19], 'churn_past_days', (ARRAY[364, 25, 9])[s.which - 19], 'churn_significance', 0.3));
		PERFORM segment.watch(s.name, t, 'id') FROM unnest('{orders,costs,complaints,answers}'::regclass[]) AS t;
		FOR nth IN 1 .. 15 LOOP
			day := '2024-03-01'::date + nth * (nth + 1) / 2;
			IF nth % 5 = 0 THEN
				INSERT INTO orders VALUES (s.which, nth, day, 5.5, 1);
			END IF;
			SELECT r.mode INTO mode FROM segment.refresh(s.name, day) AS r;
			INSERT INTO daily SELECT nth, s.which, mode, w.* FROM (VALUES (1)) AS v(one) LEFT JOIN wrong(s.name) AS w ON true;
			INSERT INTO daily SELECT nth, s.which, mode, 'figures', w::text FROM wrong_figures(s.name) AS w;
		END LOOP;
	END LOOP;
END $$;
SELECT is_empty($$ SELECT * FROM daily WHERE nth > 1 AND mode <> 'changes' $$, 'changes are read');
SELECT is_empty('SELECT * FROM daily WHERE kept IS NOT NULL OR computed IS NOT NULL', 'kept is computed on every day');
-- the day from which on the figures do not hold is the first one: on the day before
-- they are the same, and on it they are not
CREATE FUNCTION held(portfolio text, day date) RETURNS TABLE (id integer, figures text, next_change date) LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format($query$
		SELECT h.customer_id, (to_jsonb(f) - '{as_of,days_since_last,tenure_days,trend,trend_p_value,next_change,next_event,gap_ratio,recent_days,past_days,frequency_p_value,complaints_p_value}'::text[])::text, f.next_change
		FROM %1$I.customer_history AS h
		CROSS JOIN LATERAL segment_internal.customer_figures(h.purchases, h.margins, h.costs, h.complaints, h.satisfaction, h.listed, $1,
			jsonb_populate_record(NULL::segment_internal.scorecard_terms, '{"period_days": 40, "trend_periods": 3, "prior_gaps": 2, "usual_gap_days": 30,
				"dormancy_asleep": 5, "churn_recent_days": 20, "churn_past_days": 30, "churn_significance": 0.3}')) AS f$query$, portfolio) USING day;
END $$;
CREATE TABLE first AS SELECT * FROM held('slow 21', '2024-12-01');
SELECT is_empty($$ SELECT a.id, a.next_change FROM generate_series(1, 130) AS n CROSS JOIN LATERAL held('slow 21', '2024-12-01'::date + n) AS b
	JOIN first AS a ON a.id = b.id WHERE a.next_change > '2024-12-01'::date + n AND a.figures <> b.figures $$, 'figures hold until next_change');
SELECT is_empty($$ SELECT a.id, a.next_change FROM first AS a WHERE a.next_change <= '2024-12-01' $$, 'which is later');
SELECT cmp_ok((SELECT count(*) FROM held('slow 21', '2024-03-20') AS a WHERE a.next_change > '2024-03-22'), '>', 60::bigint, 'and not always the next day');
SELECT is((SELECT count(*) FROM held('slow 21', '2026-03-20') AS a WHERE a.next_change IS NOT NULL), 0::bigint, 'and some day nothing changes any more');

-- ---------- one goes while another becomes known ----------

CREATE TABLE pair (id integer, at date, amount numeric);
CREATE TABLE pair_cost (id integer, at date, amount numeric);
INSERT INTO pair VALUES (1, '2024-02-01', 5), (2, '2024-03-01', 7);
INSERT INTO pair_cost VALUES (3, '2024-04-05', 2);
SELECT segment.create_portfolio('pair', 'SELECT * FROM pair', costs => 'SELECT * FROM pair_cost') \g /dev/null
SELECT segment.watch('pair', t, 'id') FROM unnest('{pair,pair_cost}'::regclass[]) AS t \g /dev/null
SELECT segment.refresh('pair', '2024-03-01') \g /dev/null
SELECT set_eq('SELECT customer_id FROM pair.customer', '{1,2}'::integer[], 'who is known later is not kept yet');
DELETE FROM pair WHERE id = 1;
SELECT is((SELECT mode FROM segment.refresh('pair', '2024-04-10')), 'changes', 'changes are read');
SELECT set_eq('SELECT customer_id FROM pair.customer', '{2,3}'::integer[], 'and then is, also where another goes at the same time');
SELECT is_empty($$ SELECT * FROM wrong('pair') $$, 'as customer_at says');

-- ---------- a refresh without a change writes no row ----------

SELECT happen(9, 60, '2024-03-01') \g /dev/null
SELECT segment.create_portfolio('steady', 'SELECT id, at, amount FROM orders WHERE shop = 9') \g /dev/null
CREATE TABLE versions AS SELECT k.ctid AS version, k.customer_id FROM steady.kept_customer AS k;
SELECT is((SELECT concat_ws(' ', mode, customers_changed, scorecard_id) FROM segment.refresh('steady')), 'full 0 2', 'all is read, with a new scorecard');
SELECT is_empty($$ SELECT ctid, customer_id FROM steady.kept_customer EXCEPT TABLE versions $$, 'rows that stay the same are not written');
SELECT segment.watch('steady', 'orders', 'id') \g /dev/null
SELECT segment.refresh('steady') \g /dev/null
SELECT is((SELECT concat_ws(' ', mode, customers_changed, scorecard_id) FROM segment.refresh('steady')), 'changes 0 4', 'nothing is read, and the models begin at those before');
SELECT is_empty($$ SELECT ctid, customer_id FROM steady.kept_customer EXCEPT TABLE versions $$, 'rows that stay the same are not written');
SELECT hasnt_table('steady', 'refresh_figures', 'nor is anything left of it');
SELECT segment.alter_portfolio('steady', settings => '{"horizon_weeks": 26}') \g /dev/null
SELECT isnt_empty($$ SELECT ctid, customer_id FROM steady.kept_customer EXCEPT TABLE versions $$, 'rows that are judged in another way are');

-- ---------- indexes ----------

\set failure_form message
\ir ../helpers.sql
SET LOCAL enable_seqscan = off;
CREATE FUNCTION pg_temp.indexed(portfolio text) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(a.attname, ' ' ORDER BY a.attname) FROM pg_index AS x
	JOIN pg_attribute AS a ON a.attrelid = x.indrelid AND a.attnum = x.indkey[0]
	WHERE x.indrelid = (portfolio || '.kept_customer')::regclass AND NOT x.indisprimary AND x.indpred IS NULL AND x.indnatts = 1
$$;
SELECT is(pg_temp.indexed('steady'), 'clv', 'clv has an index');
SELECT segment.alter_portfolio('steady', settings => '{"indexes": "net, rfm_segment,net,customer_id"}') \g /dev/null
SELECT is(pg_temp.indexed('steady'), 'net rfm_segment', 'the setting says which columns have one');
SELECT ok(pg_temp.plan_has($$ SELECT * FROM steady.customer ORDER BY net DESC LIMIT 3 $$, 'Index Scan'), 'which the view uses');
RESET enable_seqscan;
CREATE INDEX ON steady.kept_customer (orders);
SELECT throws_ok($$ SELECT segment.alter_portfolio('steady', settings => '{"indexes": "net, nett"}') $$, '42703',
	'setting "indexes" names a column "nett", which the view customer does not have', 'columns that are not there are an error');
SELECT segment.alter_portfolio('steady', settings => '{"indexes": ""}') \g /dev/null
SELECT is(pg_temp.indexed('steady'), 'orders', 'none, but for those that somebody made');

-- ---------- a rule that fails ----------

CREATE TABLE few (id integer, at date, amount numeric);
INSERT INTO few VALUES (1, '2024-01-01', 5), (2, '2024-01-05', 7);
SELECT segment.create_portfolio('few', 'SELECT * FROM few') \g /dev/null
SELECT segment.create_scheme('few', 'odd', '[{"class": "a", "rule": "10 / (net - 100) > 0"}, {"class": "b"}]') \g /dev/null
INSERT INTO few VALUES (3, '2024-01-06', 100);
SELECT throws_like($$ SELECT segment.refresh('few') $$, 'a rule of scheme "odd" fails for a customer: division by zero', 'a rule that fails for a customer fails the refresh');
SELECT is((SELECT count(*) FROM few.customer), 2::bigint, 'which leaves what was kept');
SELECT segment.drop_scheme('few', 'odd') \g /dev/null
SELECT is((SELECT count(*) FROM few.customer), 2::bigint, 'the scheme can be dropped');
SELECT is((SELECT customers FROM segment.refresh('few')), 3::bigint, 'and the refresh works again');

SELECT * FROM finish();
ROLLBACK;
