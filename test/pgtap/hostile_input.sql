--
-- Hostile input of rfm and history: text, binary and stored bytes that are
-- mutated, truncated and random.  Everything is either refused with a fitting
-- SQLSTATE or is a value that comes back unchanged.
--
-- Takes long: so that it begins first where files run side by side
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
SELECT plan(35);

SELECT pg_backend_pid() AS backend, pg_postmaster_start_time() AS started \gset
SELECT setseed(0.4711);

-- What happened to the cases of each kind: a SQLSTATE, 'same' if the value
-- came back unchanged, 'changed' if not.
CREATE TABLE outcome (kind text, state text, message text, input text);
CREATE FUNCTION pg_temp.outcomes(which text) RETURNS text
LANGUAGE sql AS $$
	SELECT string_agg(state, ' ' ORDER BY state) FROM (SELECT DISTINCT state FROM outcome WHERE kind = which) AS s
$$;
-- Cases that went wrong: anything but what is allowed.
CREATE FUNCTION pg_temp.wrong(which text, allowed text[]) RETURNS SETOF text
LANGUAGE sql AS $$
	SELECT concat_ws(' ', state, message, left(input, 200)) FROM outcome
	WHERE kind = which AND (state <> ALL (allowed) OR message LIKE '%invalid memory alloc%') LIMIT 20
$$;

-- ---------- text ----------

CREATE TABLE literal (kind text, v text);
INSERT INTO literal VALUES
	('history', '{}'),
	('history', '{2020-01-01: 0}'),
	('history', '{1997-01-01: 29.33, 1997-01-18: 59.46/2, 1997-02-01: 12.00 -5.00/3}'),
	('history', '{4714-11-24 BC: 999999999999999999999999999.999999999/9223372036854775806, 5874897-12-31: 0.000000000 -0.000000001}'),
	('history', '{2020-02-29: -17/12, 2021-02-28: 5/99 -4}'),
	('rfm', '(orders=0,refunds=0,gross=0,refunded=0)'),
	('rfm', '(orders=2,refunds=1,gross=30.50,refunded=5.25,first=2020-01-15 09:30:00+00,last=2020-03-01 10:00:00.5+00)'),
	('rfm', '(orders=9223372036854775807,refunds=9223372036854775807,gross=999999999999999999999999999.999999999,refunded=999999999999999999999999999.999999999,first=4714-11-24 00:00:00+00 BC,last=294276-12-31 23:59:59.999999+00)');

CREATE FUNCTION pg_temp.mutate(v text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	alphabet constant text := '{}(),:/-+. 0123456789BCEeNaninfityorders=grossefunded' || E'\t\n\\"''ß€';
	place integer;
	len integer;
BEGIN
	FOR i IN 1 .. 1 + floor(3 * random() ^ 2)::integer LOOP
		place := 1 + floor((length(v) + 1) * random())::integer;
		len := floor(6 * random() ^ 2)::integer;
		v := CASE floor(7 * random())::integer
			-- another character, one more, fewer, the end cut off
			WHEN 0 THEN left(v, place - 1) || substr(alphabet, 1 + floor(length(alphabet) * random())::integer, 1) || substr(v, place + 1)
			WHEN 1 THEN left(v, place - 1) || substr(alphabet, 1 + floor(length(alphabet) * random())::integer, 1) || substr(v, place)
			WHEN 2 THEN left(v, place - 1) || substr(v, place + len)
			WHEN 3 THEN left(v, place)
			-- a part twice, a digit changed, two neighbours swapped
			WHEN 4 THEN left(v, place - 1) || substr(v, place, len * 3) || substr(v, place)
			WHEN 5 THEN regexp_replace(left(v, place - 1), '\d(\D*)$', floor(10 * random())::text || '\1') || substr(v, place)
			ELSE left(v, place - 1) || reverse(substr(v, place, 2)) || substr(v, place + 2)
		END;
	END LOOP;
	RETURN v;
END
$$;
CREATE FUNCTION pg_temp.read(kind text, v text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	h segment.history;
	r segment.rfm;
	state text;
	message text;
BEGIN
	BEGIN
		IF kind = 'history' THEN
			h := v::segment.history;
			state := CASE WHEN segment_internal.history_send(h::text::segment.history) = segment_internal.history_send(h)
				AND h::text::segment.history::text = h::text THEN 'same' ELSE 'changed' END;
			-- what was read can be used
			PERFORM segment.measures(h, '2020-06-01'), segment.during(h, '2000-01-01', '2020-06-01'),
				segment_internal.history_hash(h), segment.net(h), segment.gap_cv(h), (SELECT count(*) FROM segment.unnest(h));
		ELSE
			r := v::segment.rfm;
			state := CASE WHEN segment_internal.rfm_send(r::text::segment.rfm) = segment_internal.rfm_send(r)
				AND r::text::segment.rfm::text = r::text THEN 'same' ELSE 'changed' END;
			PERFORM segment.net(r), segment.average_order(r), segment_internal.rfm_hash(r), segment.tenure_days(r, '2020-06-01+00');
		END IF;
	EXCEPTION WHEN OTHERS THEN
		state := SQLSTATE;
		message := SQLERRM;
	END;
	INSERT INTO outcome VALUES (kind || ' text', state, message, v);
END
$$;
SELECT count(pg_temp.read(kind, left(v, n))) FROM literal, generate_series(0, length(v)) n \g /dev/null
SELECT count(pg_temp.read(kind, pg_temp.mutate(v))) FROM literal, generate_series(1, 1000) \g /dev/null
-- random characters, and very long ones
SELECT count(pg_temp.read(kind, left(v, 1) || (SELECT string_agg(chr(33 + floor(94 * random())::integer), '') FROM generate_series(0, n % 60 + length(v) * 0))))
FROM literal, generate_series(1, 100) n \g /dev/null
SELECT count(pg_temp.read(kind, v)) FROM (VALUES
	('history', repeat('{', 100000)), ('history', '{' || repeat('2020-01-01: 1, ', 100000)),
	('history', '{2020-01-01: ' || repeat('9', 100000) || '}'), ('history', '{2020-01-01: ' || repeat('0', 100000) || '1}'),
	('history', '{2020-01-01: 1/' || repeat('9', 100000) || '}'), ('history', '{' || repeat('9', 100000) || '-01-01: 1}'),
	('history', '{' || repeat(' ', 100000) || '}'),
	('rfm', repeat('(', 100000)), ('rfm', '(orders=' || repeat('9', 100000) || ',refunds=0,gross=0,refunded=0)'),
	('rfm', '(orders=0,refunds=1,gross=0,refunded=' || repeat('9', 100000) || ')'),
	('rfm', '(orders=1,refunds=0,gross=0,refunded=0,first=' || repeat('1', 100000) || '-01-01 00:00:00+00,last=2020-01-01 00:00:00+00)'),
	('rfm', '(orders=1,refunds=0,gross=0,refunded=0,first=2020-01-01 00:00:00.' || repeat('1', 100000) || '+00,last=2020-01-01 00:00:00+00)')) AS t(kind, v) \g /dev/null
SELECT is_empty($$ SELECT pg_temp.wrong('history text', '{same,22P02,22003}') $$, 'history: mutated text is refused or comes back unchanged');
SELECT is_empty($$ SELECT pg_temp.wrong('rfm text', '{same,22P02,22023}') $$, 'rfm: mutated text is refused or comes back unchanged');
SELECT is(pg_temp.outcomes('history text'), '22003 22P02 same', 'history: all of these happen');
SELECT is(pg_temp.outcomes('rfm text'), '22023 22P02 same', 'rfm: all of these happen');
SELECT cmp_ok((SELECT count(*) FROM outcome), '>', 9000::bigint, 'thousands of texts');
SELECT cmp_ok((SELECT count(*) FROM outcome WHERE state = 'same'), '>', 500::bigint, 'hundreds of them values');
SELECT is_empty($$
	SELECT message FROM outcome WHERE message IS NOT NULL AND message !~ ('type ' || split_part(kind, ' ', 1) || ': "') LIMIT 5 $$,
	'every refusal names the type');

-- ---------- binary form ----------

-- COPY sends the bytes of a bytea as they are, so that a file of them is a
-- file of any other type.
SELECT current_setting('data_directory') || '/segment_hostile_' || pg_backend_pid() AS file \gset
CREATE TABLE received_history (v segment.history);
CREATE TABLE received_rfm (v segment.rfm);
CREATE FUNCTION pg_temp.receive(kind text, image bytea, file text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	state text;
	message text;
BEGIN
	BEGIN
		EXECUTE format('COPY (SELECT %L::bytea) TO %L (FORMAT binary)', image, file);
		EXECUTE format('COPY received_%s FROM %L (FORMAT binary)', kind, file);
		EXECUTE format('SELECT segment_internal.%s_send(v) FROM received_%1$s', kind) INTO state;
		state := CASE WHEN state::bytea = image THEN 'same' ELSE 'changed' END;
	EXCEPTION WHEN OTHERS THEN
		state := SQLSTATE;
		message := SQLERRM;
	END;
	IF state IN ('same', 'changed') THEN
		EXECUTE format('DELETE FROM received_%s', kind);
	END IF;
	-- dead rows make the next reading slow
	IF random() < 0.01 THEN
		EXECUTE format('TRUNCATE received_%s', kind);
	END IF;
	INSERT INTO outcome VALUES (kind || ' binary', state, message, image::text);
END
$$;
CREATE TABLE image AS
SELECT kind, v, CASE kind WHEN 'history' THEN segment_internal.history_send(v::segment.history) END AS bytes FROM literal WHERE kind = 'history';
INSERT INTO image SELECT kind, v, segment_internal.rfm_send(v::segment.rfm) FROM literal WHERE kind = 'rfm';
INSERT INTO image SELECT 'history', h::text, segment_internal.history_send(h) FROM (
	SELECT segment.history_agg(date '2020-01-01' + i * i, 3.0 ^ i * CASE WHEN i % 5 = 0 THEN -1 ELSE 1 END) AS h FROM generate_series(0, 30) i) AS s;
SELECT count(pg_temp.receive(kind, bytes, :'file')) FROM image \g /dev/null
SELECT is(pg_temp.outcomes('history binary'), 'same', 'history: valid images come back');
SELECT is(pg_temp.outcomes('rfm binary'), 'same', 'rfm: valid images come back');
-- every truncation, every byte changed, and something behind the end
SELECT count(pg_temp.receive(kind, substr(bytes, 1, n), :'file')) FROM image, generate_series(0, length(bytes) - 1) n \g /dev/null
SELECT count(pg_temp.receive(kind, set_byte(bytes, place, value), :'file'))
FROM image, generate_series(0, length(bytes) - 1) place,
	generate_series(0, 255) value
WHERE value <> get_byte(bytes, place) AND
	(kind = 'history' AND length(bytes) < 30
		OR (value * 7 + place) % 32 = 0 OR value IN (0, 1, 127, 128, 247, 248, 254, 255)
		OR value = get_byte(bytes, place) - 1 OR value = get_byte(bytes, place) + 1) \g /dev/null
SELECT count(pg_temp.receive(kind, bytes || tail, :'file')) FROM image, unnest('{"\\x00","\\x01","\\x0101","\\xff","\\x00000000"}'::bytea[]) tail \g /dev/null
-- random bytes behind a valid header
SELECT count(pg_temp.receive(kind, substr(bytes, 1, 1) || (SELECT string_agg(set_byte('\x00', 0, floor(256 * random())::integer), '') FROM generate_series(0, n % 40 + length(bytes) * 0)), :'file'))
FROM image, generate_series(1, 100) n \g /dev/null
COPY (SELECT 1 WHERE false) TO :'file';
SELECT is_empty($$ SELECT pg_temp.wrong('history binary', '{same,22P03,22003,0A000}') $$, 'history: changed bytes are refused or come back unchanged');
SELECT is_empty($$ SELECT pg_temp.wrong('rfm binary', '{same,22P03,0A000}') $$, 'rfm: changed bytes are refused or come back unchanged');
SELECT is(pg_temp.outcomes('history binary'), '0A000 22003 22P03 same', 'history: all of these happen');
SELECT is(pg_temp.outcomes('rfm binary'), '0A000 22P03 same', 'rfm: all of these happen');
SELECT cmp_ok((SELECT count(*) FROM outcome WHERE kind LIKE '% binary'), '>', 10000::bigint, 'thousands of images');
SELECT is((SELECT count(*) FROM outcome o WHERE kind = 'history binary' AND state = '22003' AND message !~ 'out of range'), 0::bigint,
	'sums out of range say so');
SELECT is_empty($$ SELECT input FROM outcome WHERE kind LIKE '% binary' AND state = '0A000' AND message !~ '^format version \d+ of type (rfm|history) is not supported$' $$,
	'a newer version is called that');

-- ---------- stored bytes ----------

CREATE CAST (bytea AS segment.history) WITHOUT FUNCTION;
CREATE CAST (segment.history AS bytea) WITHOUT FUNCTION;
CREATE FUNCTION pg_temp.use_history(bytes bytea) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	h segment.history := bytes::segment.history;
	calls constant text[] := ARRAY[
		'$1::text', 'segment_internal.history_send($1)', 'segment.orders($1)', 'segment.refunds($1)', 'segment.purchase_days($1)',
		'segment.first_day($1)', 'segment.last_day($1)', 'segment.gross($1)', 'segment.refunded($1)', 'segment.net($1)',
		'segment.average_order($1)', 'segment.mean_gap_days($1)', 'segment.gap_cv($1)',
		'segment.days_since_last($1, ''2020-06-01'')', 'segment.tenure_days($1, ''2020-06-01'')',
		'segment.as_of($1, ''2020-06-01'')::text', 'segment.during($1, ''2000-01-01'', ''2020-06-01'')::text',
		'segment.cbs($1, ''2020-06-01'')', 'segment.measures($1, ''2020-06-01'')', 'segment.rfm($1)::text',
		'(SELECT count(gross) FROM segment.unnest($1))', '($1 OPERATOR(segment.+) $1)::text',
		'$1 OPERATOR(segment.=) $1', 'segment_internal.history_cmp($1, ''{2020-01-01: 1}'')', 'segment_internal.history_cmp(''{2020-01-01: 1}'', $1)',
		'segment_internal.history_hash($1)', 'segment_internal.history_hash_extended($1, 1)',
		'segment_internal.history_accum($1, ''2020-01-01'', 1)::text', 'segment_internal.history_combine($1, ''{2020-01-01: 1}'')::text',
		'segment_internal.history_combine(''{2020-01-01: 1}'', $1)::text', 'segment_internal.history_final($1)::text',
		'(SELECT segment.rollup(x)::text FROM (VALUES ($1), (''{2020-01-01: 1}''), ($1)) AS t(x))'];
	call text;
	state text;
	message text;
BEGIN
	FOREACH call IN ARRAY calls LOOP
		BEGIN
			EXECUTE 'SELECT ' || call USING h;
			state := 'used';
			message := NULL;
		EXCEPTION WHEN OTHERS THEN
			state := SQLSTATE;
			message := SQLERRM;
		END;
		INSERT INTO outcome VALUES ('history stored', state, message, call || ' of ' || bytes::text);
	END LOOP;
END
$$;
CREATE AGGREGATE pg_temp.state(date, numeric) (SFUNC = segment_internal.history_accum, STYPE = segment.history);
CREATE TABLE stored AS
SELECT v::segment.history::bytea AS bytes FROM literal WHERE kind = 'history'
UNION ALL -- a running state
SELECT pg_temp.state(date '2020-01-01' + i * i, (i - 3) * 1.5)::bytea FROM generate_series(1, 8) i;
SELECT is((SELECT count(*) FROM stored WHERE get_byte(bytes, 0) >= 128), 1::bigint, 'a running state is among the stored bytes');
SELECT count(pg_temp.use_history(bytes)) FROM stored \g /dev/null
-- but sums can become too large, and a day beyond timestamptz has no rfm
SELECT is_empty($$
	SELECT state, input FROM outcome WHERE kind = 'history stored' AND state <> 'used'
		AND (state <> '22003' OR input !~ '\(\$1 OPERATOR\(segment.\+\) \$1\)|_accum|_combine|rollup')
		AND (state <> '22008' OR input NOT LIKE 'segment.rfm(%') $$,
	'history: valid stored bytes are used');
SELECT count(pg_temp.use_history(substr(bytes, 1, n))) FROM stored, generate_series(0, length(bytes) - 1) n \g /dev/null
SELECT count(pg_temp.use_history(set_byte(bytes, place, value)))
FROM stored, generate_series(0, length(bytes) - 1) place, generate_series(0, 255) value
WHERE (place < 14 AND (value * 7 + place) % 16 = 0 OR value IN (0, 1, 127, 128, 200, 248, 254, 255)) AND value <> get_byte(bytes, place) \g /dev/null
SELECT count(pg_temp.use_history(head || (SELECT string_agg(set_byte('\x00', 0, floor(256 * random())::integer), '') FROM generate_series(0, n % 40 + length(head) * 0))))
FROM unnest('{"","\\x01","\\x4122","\\x4190","\\xc12200000a00000000000000","\\xc1220000ffffff7f00000000","\\xc1220000ffffffff00000000"}'::bytea[]) head, generate_series(1, 20) n \g /dev/null
-- 22003: sums that the damage took out of range; 22008: days beyond timestamptz
SELECT is_empty($$ SELECT pg_temp.wrong('history stored', '{used,XX001,0A000,22003,22008}') $$, 'history: damaged stored bytes are reported');
SELECT is(pg_temp.outcomes('history stored'), '0A000 22003 22008 XX001 used', 'history: all of these happen');
SELECT is_empty($$
	SELECT state, input FROM outcome WHERE kind = 'history stored' AND (state = '22008' AND input NOT LIKE 'segment.rfm(%'
		OR state = '22003' AND message !~ '^(sum of amounts|number of orders or refunds) is out of range$'
		OR state = 'XX001' AND message <> 'stored value of type history is damaged') LIMIT 5 $$,
	'the messages fit');
SELECT is_empty($$
	SELECT input FROM outcome WHERE kind = 'history stored' AND state = '22003'
		AND input ~ '^segment\.(orders|refunds|purchase_days|gross|refunded|net|average_order|mean_gap_days|gap_cv|days_since_last|tenure_days|cbs|measures)\(' LIMIT 5 $$,
	'accessors call sums out of range damage');
SELECT cmp_ok((SELECT count(*) FROM outcome WHERE kind = 'history stored'), '>', 50000::bigint, 'tens of thousands of uses');
-- a newer version, and none
SELECT throws_ok('SELECT segment.orders(''\x02'''||'::bytea::segment.history)', '0A000', 'format version 2 of type history is not supported', 'version 2');
SELECT throws_ok('SELECT segment.orders(''\x00'''||'::bytea::segment.history)', 'XX001', 'stored value of type history is damaged', 'version 0');
SELECT throws_ok('SELECT segment.orders(''\x11'''||'::bytea::segment.history)', 'XX001', 'stored value of type history is damaged', 'an unknown flag');
SELECT throws_ok('SELECT segment.orders('''''||'::bytea::segment.history)', 'XX001', 'stored value of type history is damaged', 'no byte');
SELECT throws_ok('SELECT ''\x0f''::bytea::segment.history::text', '0A000', 'format version 15 of type history is not supported', 'version 15');

-- rfm is passed by reference, 64 bytes long: pointer arithmetic by functions of
-- bigint turns the ninth byte of a datum into one.
CREATE FUNCTION pg_temp.at_address(bytea, bigint) RETURNS segment.rfm LANGUAGE internal IMMUTABLE STRICT AS 'int8pl';
-- The stored words, least significant byte first (the test is for machines of
-- that kind), from the binary form.
CREATE FUNCTION pg_temp.stored_rfm(image bytea) RETURNS bytea
LANGUAGE sql AS $$
	SELECT string_agg((SELECT string_agg(substr(image, word * 8 + 9 - byte, 1), '' ORDER BY byte) FROM generate_series(1, 8) byte), '' ORDER BY place)
	FROM unnest('{6,7,4,5,1,0,3,2}'::integer[]) WITH ORDINALITY AS w(word, place)
$$;
CREATE FUNCTION pg_temp.use_rfm(bytes bytea) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	r segment.rfm := pg_temp.at_address('\x00000000' || bytes, 8);
	calls constant text[] := ARRAY[
		'$1::text', 'segment_internal.rfm_send($1)', 'segment.orders($1)', 'segment.refunds($1)', 'segment.gross($1)', 'segment.refunded($1)',
		'segment.net($1)', 'segment.average_order($1)', 'segment.first_at($1)', 'segment.last_at($1)',
		'segment.days_since_last($1, ''2020-06-01+00'')', 'segment.tenure_days($1, ''2020-06-01+00'')',
		'segment_internal.rfm_cmp($1, $1)', '$1 OPERATOR(segment.=) $1', 'segment_internal.rfm_hash($1)', 'segment_internal.rfm_hash_extended($1, 1)',
		'segment_internal.rfm_accum($1, now(), 1.0)::text', 'segment_internal.rfm_combine($1, $1)::text', 'segment_internal.rfm_combine(NULL, $1)::text',
		'(SELECT segment.rollup(x)::text FROM (VALUES ($1), ($1)) AS t(x))'];
	call text;
	state text;
	message text;
BEGIN
	FOREACH call IN ARRAY calls LOOP
		BEGIN
			EXECUTE 'SELECT ' || call USING r;
			state := 'used';
			message := NULL;
		EXCEPTION WHEN OTHERS THEN
			state := SQLSTATE;
			message := SQLERRM;
		END;
		INSERT INTO outcome VALUES ('rfm stored', state, message, call || ' of ' || bytes::text);
	END LOOP;
END
$$;
SELECT is_empty($$
	SELECT v FROM image WHERE kind = 'rfm'
		AND segment_internal.rfm_send(pg_temp.at_address('\x00000000' || pg_temp.stored_rfm(bytes), 8)) <> bytes $$, 'rfm: stored bytes of the test''s making are right');
SELECT count(pg_temp.use_rfm(set_byte(bytes, place, value)))
FROM (SELECT pg_temp.stored_rfm(bytes) AS bytes FROM image WHERE kind = 'rfm') AS s, generate_series(0, 63) place,
	unnest('{0,1,9,10,127,128,255}'::integer[]) value \g /dev/null
SELECT count(pg_temp.use_rfm((SELECT string_agg(set_byte('\x00', 0, floor(256 * random())::integer), '') FROM generate_series(1, 47 + n * 0)) || '\x01'
	|| (SELECT string_agg(set_byte('\x00', 0, floor(256 * random())::integer), '') FROM generate_series(1, 16 + n * 0))))
FROM generate_series(1, 100) n \g /dev/null
SELECT is_empty($$ SELECT pg_temp.wrong('rfm stored', '{used,XX001,0A000,22003}') $$, 'rfm: damaged stored bytes are reported');
SELECT is(pg_temp.outcomes('rfm stored'), '0A000 22003 XX001 used', 'rfm: all of these happen');
SELECT is_empty($$
	SELECT state, input FROM outcome WHERE kind = 'rfm stored' AND (state = '22003' AND input !~ '(accum|combine|rollup)'
		OR state = 'XX001' AND message <> 'stored value of type rfm is damaged') LIMIT 5 $$, 'the messages fit');
SELECT cmp_ok((SELECT count(*) FROM outcome WHERE kind = 'rfm stored'), '>', 20000::bigint, 'tens of thousands of uses');

-- ---------- and the server is still up ----------

SELECT is(pg_backend_pid(), :backend, 'the same session');
SELECT is(pg_postmaster_start_time(), :'started'::timestamptz, 'the same server');

SELECT * FROM finish();
ROLLBACK;
