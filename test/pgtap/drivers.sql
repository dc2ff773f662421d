--
-- What columns tell about an outcome: against R and plain SQL, all types, leaks,
-- noise, rows in any order, on disk, errors
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
SELECT plan(46);

-- ---------- areas and information values ----------

CREATE TEMP TABLE drivers_reference (number integer GENERATED ALWAYS AS IDENTITY, "values" float8[], hits integer[], expected float8[]);
\ir ../reference/drivers.sql
CREATE TEMP TABLE judged AS
SELECT r.number, r.expected, d.*
FROM drivers_reference AS r, segment.drivers(format('SELECT u.hit = 1, u.value FROM drivers_reference AS r, unnest(r."values", r.hits) AS u(value, hit) WHERE r.number = %s',
	r.number)) AS d;
SELECT is((SELECT count(*) FROM judged), 6::bigint, 'all references are there');
SELECT is_empty('SELECT number, auc, information_value, expected FROM judged WHERE abs(auc - expected[1]) > 1e-13 OR abs(information_value - expected[2]) > 1e-12
	OR num_nulls(auc, information_value) > 0', 'areas of pROC and information values of R');

-- Ties, NULLs, few and many values; both kinds of columns.
CREATE TABLE driver_rows AS
SELECT n, hashint8extended(n, 1) & 3 = 0 AS hit, CASE WHEN hashint8extended(n, 2) & 7 > 0 THEN (hashint8extended(n, 3) & 1023) / 8.0::float8 END AS many,
	(hashint8extended(n, 4) & 7)::integer + CASE WHEN hashint8extended(n, 1) & 3 = 0 THEN 2 ELSE 0 END AS few,
	chr(97 + (hashint8extended(n, 5) & 15)::integer - CASE WHEN hashint8extended(n, 1) & 3 = 0 THEN (hashint8extended(n, 6) & 7)::integer ELSE 0 END) AS letter,
	CASE WHEN n % 20 < 3 THEN 'common ' || n % 20 WHEN n % 2 = 0 THEN 'rare ' || n END AS name,
	hashint8extended(n, 8) AS noise
FROM generate_series(1, 3001) AS n;
CREATE TEMP TABLE drivers AS
SELECT * FROM segment.drivers('SELECT hit, many, few, letter, name, noise FROM driver_rows');

-- The bins from plain SQL: tenths by the middle of equal values, names with rare ones together.
CREATE FUNCTION pg_temp.bins(kind text, col text, OUT bins bigint, OUT information float8) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('SELECT count(*), sum((p - q) * ln(p / q)) FROM (
		SELECT (count(*) FILTER (WHERE hit) + 0.5) / sum(count(*) FILTER (WHERE hit) + 0.5) OVER () AS p,
			(count(*) FILTER (WHERE NOT hit) + 0.5) / sum(count(*) FILTER (WHERE NOT hit) + 0.5) OVER () AS q
		FROM (SELECT hit, CASE WHEN v IS NOT NULL THEN %s END AS bin FROM (SELECT hit, %I AS v FROM driver_rows) AS r) AS b GROUP BY bin) AS s',
		CASE kind WHEN 'number' THEN 'floor(10 * (rank() OVER (PARTITION BY v IS NULL ORDER BY v) - 1 + count(*) OVER (PARTITION BY v) / 2.0) / count(v) OVER ())'
		ELSE 'CASE WHEN count(*) OVER (PARTITION BY v) < greatest(10, count(v) OVER () / 100.0) THEN ''rare'' ELSE ''='' || v END' END, col) INTO bins, information;
END $$;
CREATE TEMP TABLE plain AS
SELECT d.column_name, b.*, CASE WHEN d.note LIKE '%chance%' THEN 0 ELSE b.information - (b.bins - 1) * (1.0 / r.hits + 1.0 / r.misses) END AS gain
FROM drivers AS d, pg_temp.bins(d.kind, d.column_name) AS b,
	(SELECT count(*) FILTER (WHERE hit) AS hits, count(*) FILTER (WHERE NOT hit) AS misses FROM driver_rows) AS r;
SELECT results_eq('SELECT column_name, bins FROM plain WHERE column_name IN (''many'', ''name'') ORDER BY column_name', $$ VALUES ('many', 11::bigint), ('name', 5) $$,
	'bins: tenths and NULL, three common names, rare ones and NULL');
SELECT is_empty('SELECT column_name, d.information_value, p.information FROM drivers AS d JOIN plain AS p USING (column_name) WHERE abs(d.information_value - p.information) > 1e-12',
	'information values: those of plain SQL');
SELECT is_empty($$
	SELECT d.column_name, d.auc, p.auc FROM drivers AS d, LATERAL (
		SELECT avg(CASE WHEN a.v > b.v THEN 1 WHEN a.v = b.v THEN 0.5 ELSE 0 END) AS auc
		FROM (SELECT hit, CASE d.column_name WHEN 'many' THEN many WHEN 'few' THEN few ELSE noise END AS v FROM driver_rows) AS a
		JOIN (SELECT hit, CASE d.column_name WHEN 'many' THEN many WHEN 'few' THEN few ELSE noise END AS v FROM driver_rows) AS b ON a.hit AND NOT b.hit
		WHERE a.v IS NOT NULL AND b.v IS NOT NULL) AS p
	WHERE d.kind = 'number' AND abs(d.auc - p.auc) > 1e-13 $$, 'the area is the share of pairs in order, ties half, without NULLs');
SELECT is(round(d.auc::numeric, 13), round(p.auc, 13), 'the area of names: in the order of their shares of hits') FROM drivers AS d, (
	WITH named AS (SELECT hit, avg(hit::integer) OVER (PARTITION BY letter) AS share FROM driver_rows)
	SELECT avg(CASE WHEN a.share > b.share THEN 1 WHEN a.share = b.share THEN 0.5 ELSE 0 END) AS auc FROM named AS a JOIN named AS b ON a.hit AND NOT b.hit) AS p
WHERE d.column_name = 'letter';
SELECT results_eq('SELECT column_name, n, missing FROM drivers ORDER BY "position"',
	'SELECT c, n, 3001 - n FROM (SELECT count(many) AS m, count(few) AS f, count(letter) AS l, count(name) AS a, count(noise) AS o FROM driver_rows) AS r,
		unnest(ARRAY[''many'', ''few'', ''letter'', ''name'', ''noise''], ARRAY[m, f, l, a, o]) WITH ORDINALITY AS u(c, n, number) ORDER BY number', 'rows with and without a value');

-- ---------- what it says of them ----------

SELECT is((SELECT sum(contribution) FROM drivers)::numeric(20,12), 1::numeric, 'contributions add up to 1');
SELECT is_empty('SELECT column_name, d.contribution, p.gain FROM drivers AS d JOIN plain AS p USING (column_name)
	WHERE abs(d.contribution - p.gain / (SELECT sum(gain) FROM plain)) > 1e-12', 'each the information above what chance gives');
SELECT results_eq('SELECT column_name, direction, leakage, contribution > 0 FROM drivers ORDER BY "position"',
	$$ VALUES ('many', NULL, false, false), ('few', 'higher', false, true), ('letter', NULL, false, true), ('name', NULL, false, false), ('noise', NULL, false, false) $$,
	'noise contributes nothing, what was planted is found');

CREATE TEMP TABLE leaks AS SELECT * FROM segment.drivers($$
	SELECT hit, few, CASE WHEN hit THEN 1 ELSE 2 END + noise / 2e19 AS separates, CASE WHEN hit THEN 'left' ELSE 'stayed' END AS status,
		CASE WHEN hit AND n % 3 = 0 THEN letter END AS reason, CASE WHEN NOT hit AND n % 3 = 0 THEN n END AS score, CASE WHEN hit THEN 5 WHEN n % 2 = 0 THEN 1 ELSE 9 END AS middle,
		abs(noise / 1e17 - CASE WHEN hit THEN 40 ELSE 0 END) * (CASE WHEN hit THEN 0.5 ELSE 1 END) AS inner_values, -few AS backwards, 7 AS constant, NULL::integer AS nothing,
		n::text AS id, hit::text::jsonb AS unknown, CASE WHEN hit = (noise > 0) OR n % 3 = 0 THEN noise END AS whether
	FROM driver_rows $$);
SELECT results_eq('SELECT column_name, leakage, note FROM leaks ORDER BY "position"', $$ VALUES
	('few', false, NULL), ('separates', true, 'tells the outcome almost perfectly'), ('status', true, 'tells the outcome almost perfectly'),
	('reason', true, 'known only where the outcome is true; what tells is whether a value is known, not which'),
	('score', true, 'known only where the outcome is false; what tells is whether a value is known, not which'),
	('middle', true, 'tells the outcome almost perfectly'), ('inner_values', false, NULL), ('backwards', false, NULL),
	('constant', false, 'all values are the same; no more than chance would give'), ('nothing', false, 'no value is known'),
	('id', false, 'no more than chance would give; nearly every row has a value of its own'),
	('unknown', NULL, 'values of type jsonb cannot be judged: cast them to a number, date or text'),
	('whether', false, NULL) $$, 'leaks, constants, nothing, names of rows, types that cannot be judged');
SELECT results_eq($$ SELECT column_name, direction FROM leaks WHERE column_name IN ('separates', 'middle', 'backwards', 'few') ORDER BY "position" $$,
	$$ VALUES ('few', 'higher'), ('separates', 'lower'), ('middle', 'mixed'), ('backwards', 'lower') $$, 'directions');
SELECT results_eq($$ SELECT kind, n, missing, num_nulls(auc, information_value, contribution, direction) FROM leaks WHERE column_name = 'unknown' $$,
	$$ VALUES ('unsupported', 3001::bigint, 0::bigint, 4) $$, 'what cannot be judged is counted');
SELECT is((SELECT sum(contribution) FROM leaks)::numeric(20,12), 1::numeric, 'leaks are not dropped');
SELECT is((SELECT auc FROM leaks WHERE column_name = 'reason'), NULL, 'no area where only one outcome has values');

-- One call in twenty may take noise for something.
SELECT cmp_ok((SELECT count(*) FROM generate_series(1, 200) AS run WHERE (
	SELECT bool_or(contribution > 0) FROM segment.drivers(format($$
		SELECT hashint8extended(n, %1$s) & 7 = 0, hashint8extended(n, %1$s + 1), hashint8extended(n, %1$s + 2) & 3, hashint8extended(n, %1$s + 3) & 15,
			(hashint8extended(n, %1$s + 4) & 7)::text, CASE WHEN hashint8extended(n, %1$s + 5) > 0 THEN hashint8extended(n, %1$s + 6) END
		FROM generate_series(1, 400) AS n $$, run * 100)))), '<=', 20::bigint, 'noise is seldom taken for more');

-- ---------- types ----------

CREATE DOMAIN driver_number AS numeric(8,2);
CREATE TYPE driver_mood AS ENUM ('good', 'bad', 'none');
SELECT results_eq($$ SELECT DISTINCT auc, information_value FROM segment.drivers('
		SELECT hit, v::smallint, v::integer, v::bigint, v::real, v::float8, v::numeric, v::numeric::money, date ''2000-01-01'' + v, timestamp ''2000-01-01'' + v * interval ''1 h'',
			timestamptz ''2000-01-01 00:00+00'' + v * interval ''1 h'', v::numeric::driver_number, v * 1000000000000, -1e300 + v * 1e290
		FROM (SELECT hit, few - 4 AS v FROM driver_rows) AS r') $$,
	$$ SELECT auc, information_value FROM drivers WHERE column_name = 'few' $$, 'numbers and dates of all types: the same');
SELECT results_eq($$ SELECT DISTINCT kind, auc, information_value FROM segment.drivers('
		SELECT hit, letter, letter::varchar, letter::char(10), letter::name::text || repeat(''x'', 3000), upper(letter) FROM driver_rows') $$,
	$$ SELECT kind, auc, information_value FROM drivers WHERE column_name = 'letter' $$, 'text of all types: the same');
SELECT results_eq($$ SELECT DISTINCT kind, auc, information_value FROM segment.drivers('
		SELECT hit, m, m::driver_mood FROM (SELECT hit, CASE WHEN few < 3 THEN ''good'' WHEN few < 7 THEN ''bad'' ELSE ''none'' END AS m FROM driver_rows) AS r') $$,
	$$ SELECT kind, auc, information_value FROM segment.drivers('SELECT hit, CASE WHEN few < 3 THEN ''good'' WHEN few < 7 THEN ''bad'' ELSE ''none'' END FROM driver_rows') $$, 'enums are text');
SELECT results_eq($$ SELECT kind, auc, n, missing FROM segment.drivers('SELECT h, v FROM (VALUES (true, 9223372036854775807), (false, 9223372036854775806), (true, -9223372036854775807), (false, -9223372036854775808)) AS r(h, v)') $$,
	$$ VALUES ('number', 0.75::float8, 4::bigint, 0::bigint) $$, 'bigint to its ends, one apart');
SELECT results_eq($$ SELECT auc, n, missing FROM segment.drivers('SELECT h, v, v::numeric, v::real FROM (VALUES (true, ''infinity''::float8), (false, 1e30), (false, ''-infinity''), (true, ''nan''), (true, NULL)) AS r(h, v)') $$,
	$$ SELECT 1::float8, 3::bigint, 2::bigint FROM generate_series(1, 3) $$, 'infinity is a value, NaN is none');
SELECT results_eq($$ SELECT auc, d.n FROM segment.drivers('SELECT h, v FROM (VALUES (true, 0::float8), (false, ''-0''), (true, ''-1''), (false, ''-2'')) AS r(h, v)') AS d $$,
	$$ VALUES (0.625::float8, 4::bigint) $$, 'both zeros are one');
SELECT results_eq($$ SELECT auc FROM segment.drivers('SELECT h, v, t FROM (VALUES (true, ''infinity''::date, ''-infinity''::timestamptz), (false, ''2020-01-01'', ''2020-01-01'')) AS r(h, v, t)') ORDER BY "position" $$,
	$$ VALUES (1::float8), (0) $$, 'infinite dates are first and last');
SELECT results_eq($$ SELECT kind, auc, direction FROM segment.drivers('SELECT n % 2 = 0, n % 4 = 0 FROM generate_series(1, 100) AS n') $$, $$ VALUES ('boolean', 0.75::float8, 'higher') $$, 'booleans');

-- ---------- rows ----------

SELECT is((SELECT md5(string_agg(d::text, '' ORDER BY "position")) FROM segment.drivers('SELECT hit, many, few, letter, name, noise FROM driver_rows ORDER BY ' || o) AS d),
	(SELECT md5(string_agg(d::text, '' ORDER BY "position")) FROM drivers AS d), 'the same bits for rows ordered by ' || o)
FROM unnest('{n DESC,noise,name}'::text[]) AS o;
SELECT is((SELECT md5(string_agg(d::text, '' ORDER BY "position")) FROM segment.drivers('SELECT hit, many, few, letter, name, noise FROM driver_rows
		UNION ALL SELECT NULL, 1, 2, ''x'', ''y'', 3 FROM generate_series(1, 100)') AS d),
	(SELECT md5(string_agg(d::text, '' ORDER BY "position")) FROM drivers AS d), 'rows without an outcome do not count');
-- 3,001 rows are more than a page for each column, and more than this for sorting.
SET LOCAL work_mem = '64kB';
SELECT is((SELECT md5(string_agg(d::text, '' ORDER BY "position")) FROM segment.drivers('SELECT hit, many, few, letter, name, noise FROM driver_rows') AS d),
	(SELECT md5(string_agg(d::text, '' ORDER BY "position")) FROM drivers AS d), 'by way of temporary files: the same bits');
SELECT is((SELECT count(*) FROM pg_ls_tmpdir() AS f WHERE f.name LIKE 'pgsql\_tmp' || pg_backend_pid() || '.%'), 0::bigint, 'which are gone');
RESET work_mem;
SELECT results_eq($$ SELECT count(*), count(DISTINCT column_name), sum(contribution)::numeric(20,10), max(contribution) FILTER (WHERE column_name = 'c800') > 0.9
	FROM segment.drivers((SELECT 'SELECT n % 4 = 0, ' || string_agg(CASE i WHEN 800 THEN '(hashint4(n) & 7) + CASE n % 4 WHEN 0 THEN 3 ELSE 0 END' ELSE format('hashint4(n + %s)', i) END || ' AS c' || i, ', ')
		|| ' FROM generate_series(1, 1100) AS n' FROM generate_series(1, 1599) AS i)) $$,
	$$ VALUES (1599::bigint, 1599::bigint, 1::numeric(20,10), true) $$, '1,599 columns, one of which tells');

-- ---------- errors ----------

SELECT throws_ok(format('SELECT * FROM segment.drivers(%L)', q), s, m, w) FROM (VALUES
	(NULL, '22004', 'query must not be null', 'no query'),
	('SELECT few FROM driver_rows', '42804', 'the first column of the query must be the outcome, a boolean, not integer', 'no outcome'),
	('SELECT hit FROM driver_rows', '22023', 'the query has no column beside the outcome', 'nothing beside it'),
	('SELECT n > 0, n FROM driver_rows', '22023', 'the outcome must be true in some rows of the query and false in others', 'one outcome'),
	('SELECT 1; SELECT 2', '22023', NULL, 'two statements')) AS t(q, s, m, w);

-- ---------- of a portfolio ----------

CREATE TABLE driver_orders AS
SELECT customer_id, date '2023-01-01' + (hashint4(customer_id * 100 + i) & 255) * (CASE WHEN customer_id % 4 = 0 THEN 2 ELSE 1 END) + i AS at, 10 + i % 7 AS amount
FROM generate_series(1, 400) AS customer_id, generate_series(1, 6) AS i;
SELECT FROM segment.create_portfolio('driver_shop', 'SELECT customer_id, at, amount FROM driver_orders',
	customers => 'SELECT i AS id, i % 4 = 0 AS slow, (hashint4(i) & 7)::text AS house FROM generate_series(1, 450) AS i') \g /dev/null
SELECT segment.refresh('driver_shop', '2024-06-30') \g /dev/null
SELECT results_eq($$ SELECT d::text FROM segment.drivers('driver_shop', 'bought', '2023-09-30', 90) AS d ORDER BY d."position" $$,
	$$ SELECT (d."position", d.column_name, d.kind, d.n, d.missing, d.auc, d.information_value, d.contribution, d.direction, d.leakage,
			CASE WHEN column_name IN ('slow', 'house') THEN concat_ws('; ', d.note, 'as of the last refresh: what it was at the cutoff is not known') ELSE d.note END)::text
		FROM segment.drivers((SELECT format('SELECT EXISTS (SELECT FROM driver_orders AS o WHERE o.customer_id = c.customer_id AND o.at > ''2023-09-30'' AND o.at <= ''2023-12-29''), %s
				FROM driver_shop.customer_at(''2023-09-30'') AS c WHERE c.first_day <= ''2023-09-30''', string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum))
			FROM pg_attribute AS a WHERE a.attrelid = 'driver_shop.customer'::regclass AND a.attnum > 0 AND a.attname NOT IN ('customer_id', 'as_of'))) AS d ORDER BY d."position" $$,
	'bought: the orders after the cutoff, the columns as of it');
SELECT results_eq($$ SELECT DISTINCT d.n + d.missing FROM segment.drivers('driver_shop', 'churned', '2023-09-30', 90) AS d $$,
	$$ SELECT count(*) FROM (SELECT customer_id FROM driver_orders WHERE at <= '2023-09-30' GROUP BY customer_id
		HAVING max(at) > date '2023-09-30' - (SELECT max((settings ->> 'lost_after_days')::integer) FROM driver_shop.scorecard)) AS c $$, 'churned: of those who were not lost');
SELECT results_eq($$ SELECT direction FROM segment.drivers('driver_shop', 'bought', '2023-09-30', 90) WHERE column_name = 'slow' $$, $$ VALUES ('higher') $$, 'an attribute that tells');
SELECT results_eq($$ SELECT column_name FROM segment.drivers('driver_shop', 'bought', '2023-09-30', 90) WITH ORDINALITY AS d
		WHERE d.contribution > (SELECT contribution FROM segment.drivers('driver_shop', 'bought', '2023-09-30', 90) LIMIT 1) $$,
	$$ SELECT NULL::text WHERE false $$, 'what tells most comes first');
SELECT results_eq($$ SELECT d::text FROM segment.drivers('driver_shop', 'churned') AS d $$,
	$$ SELECT d::text FROM segment.drivers('driver_shop', 'churned', date '2024-06-30' - (SELECT max((settings ->> 'lost_after_days')::integer) FROM driver_shop.scorecard),
		(SELECT max((settings ->> 'lost_after_days')::integer) FROM driver_shop.scorecard)) AS d $$, 'the newest days, unless it is said which');
SELECT throws_ok(format('SELECT * FROM segment.drivers(%s)', a), s, m, w) FROM (VALUES
	($$ 'driver_shop', 'left' $$, '22023', 'argument "outcome" must be bought or churned, not "left"', 'another outcome'),
	($$ 'driver_shop', NULL $$, '22023', 'argument "outcome" must be bought or churned, not "NULL"', 'none'),
	($$ 'driver_shop', 'bought', '2024-06-01', 90 $$, '22023', 'the 90 days after 2024-06-01 are not over yet', 'days to come'),
	($$ 'driver_shop', 'bought', '2022-01-01', 90 $$, '22023', 'the outcome must be true in some rows of the query and false in others', 'nobody there yet'),
	($$ 'nowhere', 'bought' $$, '42704', NULL, 'no such portfolio')) AS t(a, s, m, w);

SELECT * FROM finish();
ROLLBACK;
