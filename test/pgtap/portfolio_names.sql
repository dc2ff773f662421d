--
-- Portfolios of any name: 63 bytes of characters of several bytes, quotes,
-- backslashes, percent signs, line breaks; and the names of attributes
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
SET LOCAL timezone = 'UTC';
SET LOCAL jit = off;

CREATE ROLE segment_test_reader;
CREATE TABLE public.names_orders AS
SELECT n % 9 AS customer, date '2023-01-03' + n * 7 % 330 AS day, (n * 31 % 97)::numeric AS amount FROM generate_series(1, 80) AS n;

-- All that can be done with a portfolio of a name, and what of it goes wrong; it is undone.
CREATE FUNCTION public.names_failure(name text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	said text[];
	rows bigint;
BEGIN
	PERFORM segment.create_portfolio(name, 'SELECT customer, day, amount FROM public.names_orders');
	PERFORM FROM segment.portfolio AS p WHERE p.name = names_failure.name;
	IF NOT FOUND THEN
		said := said || 'not listed'::text;
	END IF;
	IF (segment.refresh(name)).customers_changed <> 0 THEN
		said := said || 'changed by a refresh'::text;
	END IF;
	PERFORM segment.alter_portfolio(name, unit => 'day');
	PERFORM segment.create_scheme(name, 'mine', '[{"class": "100% a''\"\\", "rule": "net > mine_cut AND coalesce(rfm_cell, '''') <> ''%s\\''", "stay_rule": "net > 0"}, {"class": "b"}]',
		cuts => '{"mine_cut": "SELECT avg(net) FROM customers"}', label => '50 % \ ''');
	EXECUTE format('GRANT USAGE ON SCHEMA %1$I TO segment_test_reader; GRANT SELECT (customer_id, mine) ON %1$I.customer TO segment_test_reader;
		GRANT SELECT (class) ON %1$I.customer_class TO segment_test_reader WITH GRANT OPTION; GRANT SELECT (mine) ON %1$I.customer TO PUBLIC', name);
	PERFORM segment.take_snapshot(name, '2023-06-30');
	PERFORM segment.alter_scheme(name, 'mine', '[{"class": "a", "rule": "net > mine_cut"}, {"class": "b"}]');
	PERFORM segment.take_snapshot(name);
	PERFORM segment.review_key_accounts(name);
	PERFORM segment.override_key_account(name, 3, true, 'why', '2099-01-01');
	PERFORM segment.assign_key_account(name, 3, 'Ann');
	PERFORM segment.end_key_account_override(name, 3, 'why');
	IF (SELECT count(*) FROM segment.scheme_check(name, 'mine')) <> 2 OR (SELECT count(*) FROM segment.explain(name, '3')) <> 13
		OR NOT EXISTS (SELECT FROM segment.backtest(name, '2023-06-30', 60))
		OR (SELECT count(*) FROM segment.backtest_deciles(name, '2023-06-30', 60)) > 10 THEN
		said := said || 'another explanation'::text;
	END IF;
	EXECUTE format('SELECT count(*) FROM %I.migration(''2023-06-30'', ''2023-11-01'', ''rfm_segment'')', name) INTO rows;
	IF rows = 0 THEN
		said := said || 'no migration'::text;
	END IF;
	PERFORM segment.drop_scheme(name, 'mine');
	EXECUTE format('SELECT count(*) FROM %I.customer WHERE customer_id > 0', name) INTO STRICT rows;
	IF NOT has_column_privilege('segment_test_reader', format('%I.customer', name), 'customer_id', 'SELECT')
		OR NOT has_column_privilege('segment_test_reader', format('%I.customer_class', name), 'class', 'SELECT WITH GRANT OPTION') THEN
		said := said || 'rights lost'::text;
	END IF;
	PERFORM segment.drop_portfolio(name);
	PERFORM FROM pg_namespace AS n WHERE n.nspname = name;
	IF FOUND THEN
		said := said || 'not dropped'::text;
	END IF;
	RAISE EXCEPTION USING ERRCODE = 'ZZ999';
EXCEPTION WHEN SQLSTATE 'ZZ999' THEN
	RETURN array_to_string(said, ', ');
WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END
$$;

SELECT is(public.names_failure(name), NULL, format('a portfolio "%s"', replace(name, E'\n', '\n')))
FROM (VALUES
	('a\'), (E'new\nline'), ('100% %s %1$I %'), ('it''s "quoted" ''''""'), ('$1 $$ $template$'), ('CUSTOMER'), ('order by'), ('.'), (' '), ('_%'),
	(repeat('客', 21)), ('ключевые клиенты магазина на ули'), (repeat(E'\\', 31) || '"' || repeat('''', 31)), (repeat('é', 31) || '\')) AS v(name);
SELECT is(public.names_failure(repeat('客', 21) || 'x'), format('42622 name of the portfolio is too long: "%s"', repeat('客', 21) || 'x'), 'one byte more is refused, not cut off');

-- ---------- attributes ----------

-- The attributes of a customer with a source of customers, or its error.
CREATE FUNCTION public.attributes(customers text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	PERFORM segment.create_portfolio('attributes', 'SELECT customer, day, amount FROM public.names_orders', customers => customers);
	SELECT h.attributes INTO result FROM attributes.customer_history AS h WHERE customer_id = 3;
	PERFORM segment.drop_portfolio('attributes');
	RETURN result;
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END
$$;
SELECT is(public.attributes('SELECT DISTINCT customer, 1 AS town, 2 AS land, 3 AS town FROM public.names_orders'),
	'42701 source "customers" has more than one attribute "town"', 'two attributes of one name are an error, not the last of them');
SELECT is(public.attributes('SELECT DISTINCT customer, 1, 2 FROM public.names_orders'),
	'42701 source "customers" has more than one attribute "?column?"', 'nor those without a name');
SELECT is(public.attributes('SELECT DISTINCT customer, 1 AS segment_customer FROM public.names_orders'),
	'42701 source "customers" has an attribute "segment_customer", which is what the customer''s key is called while it is read', 'nor one named as the key is internally');
SELECT is(public.attributes('SELECT DISTINCT customer AS segment_customer, 1 AS town FROM public.names_orders'), '{"town": 1}', 'as the key itself may be');
SELECT is(public.attributes('SELECT DISTINCT customer, 2 AS customer FROM public.names_orders'), '{"customer": 2}', 'an attribute may have the name of the key''s column');
SELECT is(public.attributes('SELECT DISTINCT customer, 1 AS ' || quote_ident(name) || ' FROM public.names_orders'), jsonb_build_object(name, 1)::text, 'an attribute ' || name)
FROM unnest('{a,e,k,c,h,s,customers,purchases,listed,attributes,at,amount}'::text[] || '100% "it''s" \'::text) AS name;

SELECT * FROM finish();
ROLLBACK;
