--
-- What engines that spread a query over servers rely on: the state of every
-- aggregate that gives a summary is the summary itself, travels as text or in
-- binary form, and combines to the same bits
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

-- ---------- the catalog ----------

CREATE TEMP VIEW summary_aggregate AS
SELECT p.oid::regprocedure AS aggregate, p.proname, p.prorettype::regtype AS summary, a.*, p.pronargs, p.proargtypes::oid[] AS arguments
FROM pg_aggregate AS a
JOIN pg_proc AS p ON p.oid = a.aggfnoid
JOIN pg_depend AS d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
	AND d.refclassid = 'pg_extension'::regclass
	AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'segment')
WHERE p.prorettype IN ('segment.rfm'::regtype, 'segment.history'::regtype);

SELECT cmp_ok(count(*), '>=', 10::bigint, 'aggregates that give a summary') FROM summary_aggregate;
SELECT bag_eq('SELECT DISTINCT proname::text, summary::text FROM summary_aggregate', $$ VALUES
	('rfm_agg', 'segment.rfm'), ('rollup', 'segment.rfm'), ('history_agg', 'segment.history'), ('rollup', 'segment.history') $$,
	'of these kinds');
SELECT is_empty('SELECT aggregate, aggtranstype::regtype FROM summary_aggregate WHERE aggtranstype <> summary', 'none has another state than the summary');
SELECT is_empty($$ SELECT aggregate FROM summary_aggregate JOIN pg_type AS t ON t.oid = aggtranstype
	WHERE t.typtype = 'p' OR t.typsend = 0 OR t.typreceive = 0 OR aggserialfn <> 0 OR aggdeserialfn <> 0 $$,
	'none has an internal state, and all states have a text and a binary form');
SELECT is_empty('SELECT aggregate FROM summary_aggregate WHERE aggcombinefn = 0', 'all combine');
SELECT is_empty($$ SELECT aggregate FROM summary_aggregate
	WHERE agginitval IS NOT NULL OR aggfinalextra OR aggkind <> 'n' OR pronargs = 0 $$,
	'none needs more than its state: no initial value, no argument of the final function');
SELECT is_empty($$ SELECT aggregate, f.oid::regprocedure FROM summary_aggregate
	JOIN pg_type AS t ON t.oid = aggtranstype
	CROSS JOIN LATERAL unnest(ARRAY[aggtransfn, aggcombinefn, aggfinalfn, t.typinput, t.typoutput, t.typsend, t.typreceive]::oid[]) AS u(oid)
	JOIN pg_proc AS f ON f.oid = u.oid
	-- Citus checks the caller's right to run them
	WHERE f.provolatile <> 'i' OR f.proparallel <> 's' OR f.proacl IS NOT NULL $$,
	'their functions are immutable, and anybody may run them');
SELECT is_empty($$ SELECT aggregate FROM summary_aggregate JOIN pg_proc AS f ON f.oid = aggcombinefn WHERE f.proisstrict $$,
	'combine functions see the NULL of a part without rows');
SELECT is_empty($$ SELECT aggregate FROM summary_aggregate JOIN pg_proc AS f ON f.oid = aggtransfn
	WHERE EXISTS (SELECT FROM unnest(f.proargtypes::oid[]) AS t WHERE t IN ('anyelement'::regtype, '"any"'::regtype, 'internal'::regtype)) $$,
	'transition functions need not ask what their arguments are');

-- ---------- partial results on their way ----------

SELECT setseed(0.61);
SET LOCAL timezone = 'UTC';
-- Events of 40 groups with values for every type of argument; of group 0 no
-- row counts, group 1 has but one.
CREATE TABLE event AS
SELECT n, customer, moment AS at, moment::date AS day, amount,
	CASE WHEN abs(amount) < 1e15 THEN amount * 100 END::bigint AS whole, amount::float8 AS rough,
	CASE WHEN amount IS NOT NULL THEN segment_internal.rfm_accum(NULL, moment, amount) END AS rfm,
	CASE WHEN amount IS NOT NULL THEN segment.history_agg(moment::date, amount) END AS history
FROM (
	SELECT n, customer,
		CASE WHEN random() < 0.05 THEN NULL
			ELSE timestamp '2020-01-01' + floor(random() * 24 * 400) * interval '1 hour' END AT TIME ZONE 'UTC' AS moment,
		CASE WHEN customer = 0 OR random() < 0.05 THEN NULL WHEN random() < 0.01 THEN 1e20 * round(random()::numeric, 3)
			ELSE round((1000 * random() - 200)::numeric, (6 * random())::integer) END AS amount
	FROM (SELECT n, CASE WHEN n = 1 THEN 1 WHEN n % 41 = 0 THEN 0 ELSE 2 + floor(random() ^ 2 * 38) END::integer AS customer
		FROM generate_series(1, 4000) AS n) AS g) AS e
GROUP BY n, customer, moment, amount;
-- also times at which the day depends on the zone
SELECT cmp_ok((SELECT count(*) FROM event WHERE (at AT TIME ZONE 'Asia/Kathmandu')::date <> day), '>', 100::bigint, 'days that depend on the zone');
SELECT cmp_ok((SELECT count(*) FROM event WHERE history IS NULL AND customer > 0), '>', 100::bigint, 'rows that do not count');

-- The arguments of an aggregate, as columns of the events.
CREATE FUNCTION pg_temp.arguments(types oid[]) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(CASE format_type(t, NULL)
		WHEN 'timestamp with time zone' THEN 'at' WHEN 'date' THEN 'day'
		WHEN 'numeric' THEN 'amount' WHEN 'double precision' THEN 'rough' WHEN 'bigint' THEN 'whole'
		WHEN 'text' THEN '''Asia/Kathmandu''' WHEN 'segment.rfm' THEN 'rfm' WHEN 'segment.history' THEN 'history' END, ', ' ORDER BY n)
	FROM unnest(types) WITH ORDINALITY AS u(t, n)
$$;

-- What moves one aggregate's parts: state only; combine without final.
CREATE FUNCTION pg_temp.make_parts(number bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	s record;
	types text;
BEGIN
	SELECT * INTO STRICT s FROM (SELECT v.*, row_number() OVER (ORDER BY aggregate::text) AS nth FROM summary_aggregate AS v) AS v WHERE v.nth = number;
	SELECT string_agg(format_type(t, NULL), ', ' ORDER BY n) INTO types FROM unnest(s.arguments) WITH ORDINALITY AS u(t, n);
	EXECUTE format('CREATE AGGREGATE pg_temp.state_%s(%s) (SFUNC = %s, STYPE = %s)', number, types, s.aggtransfn, s.summary);
	EXECUTE format('CREATE AGGREGATE pg_temp.combine_%1$s(%2$s) (SFUNC = %3$s, STYPE = %2$s%4$s)', number, s.summary, s.aggcombinefn,
		CASE WHEN s.aggfinalfn <> 0 THEN ', FINALFUNC = ' || s.aggfinalfn END);
END
$$;

-- The names of ways whose result is not the direct one, bit for bit.
CREATE FUNCTION pg_temp.wrong(number bigint, trial integer) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	s record;
	file text := format('%s/segment_scale_out_%s', current_setting('data_directory'), pg_backend_pid());
	parts integer := 1 + trial * trial;
	wrong text := '';
	way text;
	different bigint;
BEGIN
	PERFORM setseed(trial / 50.0);
	SELECT v.*, pg_temp.arguments(v.arguments) AS columns INTO STRICT s
	FROM (SELECT v.*, row_number() OVER (ORDER BY aggregate::text) AS nth FROM summary_aggregate AS v) AS v WHERE v.nth = number;
	EXECUTE format('CREATE TEMP TABLE direct AS SELECT customer, segment.%I(%s ORDER BY n) AS result FROM event GROUP BY customer',
		s.proname, s.columns);
	-- every group has parts without any row, whose state is NULL
	EXECUTE format('CREATE TEMP TABLE part AS
		SELECT customer, part, pg_temp.state_%s(%s ORDER BY random()) FILTER (WHERE n IS NOT NULL) AS state
		FROM (SELECT e.*, floor(random() * %s)::integer AS part FROM event AS e) AS e
			FULL JOIN (SELECT customer, part FROM generate_series(0, 39) AS customer, generate_series(-2, -1 + %3$s) AS part) AS p
			USING (customer, part)
		GROUP BY customer, part', number, s.columns, parts);
	EXECUTE format('COPY part TO %L (FORMAT binary)', file);
	CREATE TEMP TABLE part_again (LIKE part);
	EXECUTE format('COPY part_again FROM %L (FORMAT binary)', file);
	EXECUTE format('COPY (SELECT 1 WHERE false) TO %L', file);
	IF (SELECT count(*) FILTER (WHERE state IS NULL) < 80 FROM part) THEN
		wrong := 'no NULL parts ';
	END IF;
	FOREACH way IN ARRAY ARRAY['text', 'binary'] LOOP
		EXECUTE format('SELECT count(*) FROM direct AS d
			FULL JOIN (SELECT customer, pg_temp.combine_%s(%s ORDER BY random()) AS result FROM %s GROUP BY customer) AS c USING (customer)
			WHERE NOT ROW(d.result)::record *= ROW(c.result)::record',
			number, CASE way WHEN 'text' THEN format('state::text::%s', s.summary) ELSE 'state' END,
			CASE way WHEN 'text' THEN 'part' ELSE 'part_again' END)
		INTO different;
		IF different > 0 THEN
			wrong := wrong || format('%s: %s groups ', way, different);
		END IF;
	END LOOP;
	DROP TABLE direct, part, part_again;
	RETURN wrong;
END
$$;

SELECT count(*) AS aggregates FROM summary_aggregate \gset
SELECT pg_temp.make_parts(n) FROM generate_series(1, :aggregates) AS n \g /dev/null
SELECT is(pg_temp.wrong(v.nth, trial), '', format('%s: parts, as text and binary, combine to the direct result, trial %s', v.aggregate, trial))
FROM (SELECT aggregate, row_number() OVER (ORDER BY aggregate::text) AS nth FROM summary_aggregate) AS v, generate_series(0, 5) AS trial;

SELECT * FROM finish();
ROLLBACK;
