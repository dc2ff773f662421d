--
-- A portfolio whose scorecard was kept while orders came: some rows are seen from
-- a later day than the scorecard's.  All that changes it works, and afterwards all
-- rows are those of one day.
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

CREATE TABLE sale AS
SELECT i % 40 AS customer, date '2024-01-01' + i * 7 % 300 AS at, (10 + i % 13)::numeric AS amount FROM generate_series(1, 400) AS i;
SELECT segment.create_portfolio('shop', 'SELECT customer, at, amount FROM sale', settings => '{"margin": 0.3}') \g /dev/null
SELECT segment.watch('shop', 'sale', 'customer'), segment.refresh('shop') \g /dev/null
INSERT INTO sale VALUES (1, '2024-11-15', 9), (77, '2024-11-20', 5);
SELECT segment.refresh('shop', scorecard => false) \g /dev/null
SELECT results_eq('SELECT as_of, count(*) FROM shop.customer GROUP BY as_of ORDER BY as_of',
	$$ VALUES (date '2024-10-26', 39::bigint), ('2024-11-15', 1), ('2024-11-20', 1) $$, 'rows of three days');

-- what a change of the portfolio does in that state; it is undone
CREATE FUNCTION change_differs(change text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	days date[];
	differing bigint;
BEGIN
	BEGIN
		EXECUTE change;
		SELECT array_agg(DISTINCT c.as_of) INTO days FROM shop.customer AS c;
		SELECT count(*) INTO differing
		FROM shop.customer AS c FULL JOIN shop.customer_at(days[1]) AS a ON a.customer_id = c.customer_id
		WHERE to_jsonb(c) IS DISTINCT FROM to_jsonb(a);
		RAISE EXCEPTION USING ERRCODE = 'ZZ999';
	EXCEPTION WHEN SQLSTATE 'ZZ999' THEN
		RETURN format('%s, %s differ', array_to_string(days, ' and '), differing);
	END;
END $$;
SELECT is(change_differs(v.change), '2024-11-20, 0 differ', v.change) FROM (VALUES
	($$ SELECT segment.create_scheme('shop', 'big', '[{"class": "big", "rule": "net > usual"}, {"class": "small"}]', '{"usual": "avg(net)"}') $$),
	($$ SELECT segment.alter_scheme('shop', 'dormancy', (SELECT jsonb_agg(jsonb_strip_nulls(jsonb_build_object('class', k.class, 'rule', k.rule)) ORDER BY k.class_rank)
		FROM shop.scheme_class AS k WHERE k.scheme = 'dormancy')) $$),
	($$ SELECT segment.drop_scheme('shop', 'rfm125') $$),
	($$ SELECT segment.create_cluster_scheme('shop', 'cluster', '{net,orders}', 3, 1) $$),
	($$ SELECT segment.define_traits('shop', '[{"trait": "any", "rule": "true"}]') $$),
	($$ SELECT segment.alter_portfolio('shop', unit => 'day') $$),
	($$ SELECT segment.refresh('shop') $$)) AS v(change);
-- a day that somebody gave stays
SELECT segment.refresh('shop', '2024-10-26'), segment.refresh('shop', scorecard => false) \g /dev/null
SELECT results_eq('SELECT DISTINCT as_of FROM shop.customer', $$ VALUES (date '2024-10-26') $$, 'all rows of the day that was given');
SELECT segment.drop_scheme('shop', 'rfm125') \g /dev/null
SELECT results_eq('SELECT DISTINCT as_of FROM shop.customer', $$ VALUES (date '2024-10-26') $$, 'which a change of schemes keeps');

SELECT finish();
ROLLBACK;
