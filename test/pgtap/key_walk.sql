--
-- Keys of every kind, through everything that a portfolio does: the same as
-- with whole numbers, whatever the type's own equality is
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
SELECT no_plan();

-- A year of orders of 45 customers, some of whom stop; keys are made from n,
-- and those that are equal though they look different are spelled by i.
CREATE TABLE event AS
SELECT n, i, date '2024-01-01' + (n * 7 + i * (9 + n % 23)) AS at, (5 + (n * 13 + i * 7) % 40)::numeric AS amount
FROM generate_series(1, 45) AS n, generate_series(0, 24) AS i
WHERE n * 7 + i * (9 + n % 23) <= CASE WHEN n % 4 = 0 THEN 240 ELSE 360 END AND (n % 5 > 0 OR i = 0);

CREATE SCHEMA elsewhere;
CREATE EXTENSION citext SCHEMA elsewhere;
CREATE EXTENSION isn SCHEMA elsewhere;
CREATE COLLATION without_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE DOMAIN folded AS text COLLATE without_case CHECK (VALUE <> '');
CREATE TYPE branch AS (shop integer, code text);
CREATE FUNCTION spelled(n integer, i integer) RETURNS text LANGUAGE sql IMMUTABLE
RETURN CASE i % 3 WHEN 0 THEN 'Customer ' WHEN 1 THEN 'CUSTOMER ' ELSE 'customer ' END || n;

-- A portfolio with keys of a type, taken through everything; what its views
-- and functions show is kept, but for the keys and the times.
CREATE TABLE shown (kind text, object text, rows jsonb);
CREATE FUNCTION show(kind text, object text, query text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('INSERT INTO shown SELECT $1, $2, jsonb_agg(r ORDER BY r::text) FROM (
		SELECT to_jsonb(q) - ''{customer_id,taken_at,created_at,fitted_at,decided_at,settings,who}''::text[] AS r FROM (%s) AS q) AS s', query)
	USING kind, object;
END $$;
CREATE FUNCTION walk(kind text, key text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	v record;
	one text;
BEGIN
	EXECUTE format('CREATE TABLE %1$I AS SELECT %2$s AS k, at, amount, n, i FROM event WHERE at <= ''2024-10-31''', kind || '_sale', key);
	EXECUTE format('CREATE TABLE %1$I AS SELECT %2$s AS k, at, amount / 10 AS amount FROM (SELECT n, i + 1 AS i, at, amount FROM event WHERE i %% 2 = 0) AS event', kind || '_cost', key);
	EXECUTE format('CREATE TABLE %1$I AS SELECT %2$s AS k, ''region '' || n %% 3 AS region FROM generate_series(1, 50) AS n, generate_series(2, 2) AS i', kind || '_list', key);
	EXECUTE format('CREATE TABLE %1$I AS SELECT %2$s AS k, at + 1 AS at FROM event WHERE i %% 5 = 1', kind || '_complaint', key);
	EXECUTE format('CREATE TABLE %1$I AS SELECT %2$s AS k, at, amount, amount * n / 50 AS margin, n + i / 3 AS what FROM (SELECT n, i + 2 AS i, at, amount FROM event WHERE (n + i) %% 3 > 0) AS event', kind || '_event', key);
	PERFORM segment.create_portfolio(kind, format('SELECT k, at, amount FROM %I', kind || '_sale'),
		customers => format('SELECT * FROM %I', kind || '_list'), costs => format('SELECT * FROM %I', kind || '_cost'),
		complaints => format('SELECT * FROM %I', kind || '_complaint'), visits => format('SELECT k, at, what %% 4 FROM %I', kind || '_event'),
		contacts => format('SELECT k, at, what %% 3 FROM %I', kind || '_event'), lines => format('SELECT k, at, amount, margin, what %% 5 FROM %I', kind || '_event'), timezone => 'UTC', settings => '{"purchase_model": "bgnbd", "lost_after_days": 60}');
	EXECUTE format('UPDATE %1$I.scheme_class SET owner = ''Ada'' WHERE scheme = ''next_step'' AND class_rank < 4', kind);
	EXECUTE format('INSERT INTO %1$I.scheme_domain (scheme, class, domain, action, priority)
		SELECT c.scheme, c.class, ''data'', ''Offer more.'', 1 FROM %1$I.scheme_class AS c WHERE c.scheme = ''next_step''', kind);
	PERFORM segment.watch(kind, format('%I', kind || '_sale'), 'k'), segment.watch(kind, format('%I', kind || '_cost'), 'k'),
		segment.watch(kind, format('%I', kind || '_list'), 'k'), segment.watch(kind, format('%I', kind || '_complaint'), 'k'), segment.watch(kind, format('%I', kind || '_event'), 'k');
	PERFORM segment.refresh(kind, '2024-10-31');
	PERFORM segment.take_snapshot(kind, '2024-06-30');
	PERFORM segment.define_traits(kind, '[{"trait": "region", "rule": "region <> ''region 1''"}]');
	PERFORM segment.take_snapshot(kind, '2023-12-31');
	PERFORM segment.create_scheme(kind, 'size', '[{"class": "big", "rule": "net > half", "stay_rule": "net > half / 2"}, {"class": "small"}]', '{"half": "avg(net)"}');
	PERFORM segment.create_cluster_scheme(kind, 'groups', '{net,orders,gap_ratio}', transform => 'log');
	PERFORM segment.take_snapshot(kind, '2024-08-31');

	-- changes, also by another spelling
	EXECUTE format('INSERT INTO %1$I SELECT %2$s, at, amount, n, i FROM (SELECT n, i + 1 AS i, at, amount FROM event WHERE at > ''2024-10-31'' AND n < 20) AS event', kind || '_sale', key);
	EXECUTE format('DELETE FROM %I WHERE n = 7 AND i < 3', kind || '_sale');
	EXECUTE format('DELETE FROM %I WHERE what = 9', kind || '_event');
	PERFORM show(kind, 'refresh', format('SELECT mode, customers, customers_read, customers_changed FROM segment.refresh(%L, ''2024-12-31'')', kind));
	PERFORM show(kind, 'full refresh', format('SELECT customers, customers_changed FROM segment.refresh(%L, ''2024-12-31'', "full" => true)', kind));

	-- key accounts, by a key spelled in another way
	EXECUTE format('SELECT (%s)::text FROM (SELECT 3 AS n, 1 AS i) AS event', key) INTO one;
	EXECUTE format('DELETE FROM %I.key_account_criterion', kind);
	EXECUTE format('INSERT INTO %I.key_account_criterion (valid_from, measure, entry_limit, exit_limit) VALUES (''2024-01-01'', ''net'', 300, 250)', kind);
	PERFORM segment.review_key_accounts(kind);
	PERFORM segment.override_key_account(kind, one, true, 'strategic', '2025-06-30', 'Ada');
	PERFORM segment.assign_key_account(kind, one, 'Eve');
	PERFORM segment.assign_key_account(kind, one, 'Bob');
	PERFORM segment.set_key_account_stage(kind, one, 'early');
	PERFORM segment.review_key_accounts(kind);
	PERFORM show(kind, 'own account', format('SELECT owner, owner_changes, stage, override_reason, net_value, would_demote, criteria_met, criteria_failed FROM %I.key_account WHERE owner IS NOT NULL', kind));
	PERFORM segment.end_key_account_override(kind, one, 'no longer', 'Ada');
	PERFORM segment.review_key_accounts(kind);

	-- a change that no refresh has seen, for customer_now
	EXECUTE format('INSERT INTO %1$I SELECT %2$s, at, 5, n, i FROM (SELECT n, i + 1 AS i, at FROM event WHERE n IN (5, 9) AND i = 1) AS event', kind || '_sale', key);
	FOR v IN SELECT c.relname FROM pg_class AS c WHERE c.relnamespace = quote_ident(kind)::regnamespace AND c.relkind = 'v' ORDER BY 1 LOOP
		PERFORM show(kind, v.relname, format('SELECT * FROM %I.%I', kind, v.relname));
	END LOOP;
	PERFORM show(kind, 'customer_at', format('SELECT * FROM %I.customer_at(''2024-09-30'')', kind));
	PERFORM show(kind, 'migration', format('SELECT * FROM %I.migration(''2024-06-30'', ''2024-11-30'', ''rfm_segment'')', kind));
	PERFORM show(kind, 'migration with stays', format('SELECT * FROM %I.migration(''2024-08-31'', ''2024-12-31'', ''size'')', kind));
	PERFORM show(kind, 'monthly_migration', format('SELECT * FROM %I.monthly_migration(''2024-06-30'', ''2024-12-31'', ''size'')', kind));
	PERFORM show(kind, 'movers', format('SELECT * FROM %I.movers(''2024-06-30'', ''2024-12-31'', ''rfm_segment'')', kind));
	PERFORM show(kind, 'class_retention', format('SELECT * FROM %I.class_retention(''2024-06-30'', ''2024-12-31'', ''rfm_segment'')', kind));
	PERFORM show(kind, 'experiment', format('SELECT measure, treated + held_out AS customers FROM segment.experiment_readout(%L, ''s'', 0.5, ''2024-07-01'')', kind));
	PERFORM show(kind, 'best_list', format('SELECT * FROM %I.best_list(20)', kind));
	PERFORM show(kind, 'explain', format('SELECT * FROM segment.explain(%L, %L)', kind, one));
	PERFORM show(kind, 'scheme_check', format('SELECT * FROM segment.scheme_check(%L, ''size'')', kind));
	PERFORM show(kind, 'drivers', format('SELECT * FROM segment.drivers(%L, ''bought'', ''2024-08-31'', 8)', kind));
	-- but for what the order of keys decides: who of equal customers is in the best tenth
	PERFORM show(kind, 'backtest', format('SELECT * FROM segment.backtest(%L, ''2024-08-31'', 8) WHERE measure <> ''top_decile_lift''', kind));
	PERFORM segment.drop_portfolio(kind);
END $$;

SELECT walk('numbers', 'n');
SELECT is((SELECT rows -> 0 ->> 'mode' FROM shown WHERE object = 'refresh'), 'changes', 'changed customers are read by themselves');
SELECT is((SELECT (rows -> 0 ->> 'customers_changed')::integer FROM shown WHERE object = 'full refresh'), 0, 'and nothing is left to a full reading');
SELECT cmp_ok((SELECT count(*) FROM shown WHERE rows IS NOT NULL), '>', 35::bigint, 'much is shown');
SELECT is_empty($$ SELECT object FROM shown WHERE rows IS NULL AND object NOT IN ('win_back') $$, 'and nothing is empty');

CREATE TABLE kind (name text, key text);
INSERT INTO kind VALUES
	('citext key', 'spelled(n, i)::elsewhere.citext'),
	('folded text', 'spelled(n, i) COLLATE without_case'),
	('folded domain', 'spelled(n, i)::folded'),
	('uuid', 'md5(n::text)::uuid'),
	('branch', 'ROW(n / 5, nullif(n % 5, 0)::text)::branch'),
	('article', $$('200' || lpad(n::text, 9, '0') || '?')::elsewhere.ean13$$);
SELECT lives_ok(format('SELECT walk(%L, %L)', name, key), name || ': all of it works') FROM kind;
SELECT is_empty(format($$
	SELECT o.object, o.rows, p.rows FROM shown AS o JOIN shown AS p ON p.kind = 'numbers' AND p.object = o.object
	WHERE o.kind = %L AND replace(o.rows::text, %L, '') IS DISTINCT FROM replace(p.rows::text, '"numbers"', '') $$, name, format('"%s"', name)),
	name || ': the same as with whole numbers')
FROM kind;
SELECT is((SELECT count(*) FROM shown AS o WHERE kind = name), (SELECT count(*) FROM shown WHERE kind = 'numbers'), name || ': everything was shown')
FROM kind;

SELECT * FROM finish();
ROLLBACK;
