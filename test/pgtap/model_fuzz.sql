--
-- Hostile bytes: mutations of the text form, of the binary form and of stored
-- values of type model give an error of the right sort or a valid value
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
SELECT plan(14);
SELECT setseed(0.271828);

CREATE TEMP TABLE original (m segment.model);
INSERT INTO original VALUES
	('{"kind": "bgnbd", "params": {"r": 0.25, "alpha": 4.5, "a": 0.75, "b": 2.5}}'),
	('{"kind": "gammagamma", "params": {"p": 6.25, "q": 3.74, "gamma": 15.44}, "unit": "month", "status": "converged", "loglik": -4055.9232435028644, "rows": 946, "customers": 946.5, "covariance": [[1.4], [-0.23, 0.084], [-4.8, 0.99, 17.3]]}'),
	('{"kind": "pnbd", "params": {"r": 3, "alpha": 9.5, "s": 1e-06, "beta": 38000000}, "unit": "day", "status": "boundary", "loglik": -3.25e4, "rows": 1000, "customers": 1000, "held": ["s", "beta"], "covariance": [[0.026], [0.084, 0.3], [0, 0, 0], [0, 0, 0, 0]], "warnings": ["no_dropout", "held_parameter"]}');

-- How a mutation ends: "valid", if it gives a model that survives its text
-- form, else the SQLSTATE; and whether the message is as it should be.
CREATE TEMP TABLE outcome (form text, ended text);
CREATE FUNCTION pg_temp.survives(m segment.model) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	IF m::text::segment.model::text <> m::text OR segment.params(m) IS NULL OR segment.warnings(m) IS NULL
		OR segment.status(m) IS NULL OR segment.customers(m) NOT BETWEEN 0 AND 1.7e308 THEN
		RETURN 'damaged';
	END IF;
	RETURN 'valid';
END $$;

-- ---------- text ----------

CREATE FUNCTION pg_temp.mutate(t text) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	at integer;
	junk text := '{}[]",:0123456789.eE+-nulNaIf \abr';
BEGIN
	FOR i IN 1..1 + floor(random() * 3)::int LOOP
		at := 1 + floor(random() * length(t));
		t := CASE floor(random() * 5)::int
			WHEN 0 THEN overlay(t PLACING '' FROM at FOR 1 + floor(random() * 4)::int)
			WHEN 1 THEN overlay(t PLACING substr(junk, 1 + floor(random() * length(junk))::int, 1) FROM at FOR 1)
			WHEN 2 THEN overlay(t PLACING substr(junk, 1 + floor(random() * length(junk))::int, 1) FROM at FOR 0)
			WHEN 3 THEN left(t, at)
			ELSE overlay(t PLACING substr(t, 1 + floor(random() * length(t))::int, floor(random() * 20)::int) FROM at FOR 0)
		END;
	END LOOP;
	RETURN t;
END $$;
DO $$
DECLARE
	literal text;
	ended text;
BEGIN
	FOR literal IN SELECT pg_temp.mutate(m::text) FROM original, generate_series(1, 5000) LOOP
		BEGIN
			ended := pg_temp.survives(literal::segment.model);
		EXCEPTION
			WHEN invalid_text_representation THEN
				ended := CASE WHEN SQLERRM = 'invalid input syntax for type json'
					OR SQLERRM LIKE 'invalid input syntax for type segment.model: "%' THEN '22P02' ELSE SQLERRM END;
			WHEN numeric_value_out_of_range THEN
				ended := CASE WHEN SQLERRM = 'value overflows numeric format' THEN '22003' ELSE SQLERRM END;
			WHEN invalid_parameter_value THEN
				ended := CASE WHEN SQLERRM LIKE 'invalid model: %' THEN '22023' ELSE SQLERRM END;
		END;
		INSERT INTO outcome VALUES ('text', ended);
	END LOOP;
END $$;
SELECT set_eq('SELECT DISTINCT ended FROM outcome WHERE form = ''text''', ARRAY['22P02', '22003', '22023', 'valid'],
	'mutated text is refused with 22P02, 22003 or 22023, or valid');
SELECT is(count(*)::int, 15000, '15000 texts were tried') FROM outcome WHERE form = 'text';

-- ---------- stored bytes ----------

-- for this test only: any bytes as a stored model, through a type with the
-- text form of bytea and the storage of a model
CREATE TYPE image;
CREATE FUNCTION image_in(cstring) RETURNS image LANGUAGE internal IMMUTABLE STRICT AS 'byteain';
CREATE FUNCTION image_out(image) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'byteaout';
CREATE TYPE image (INPUT = image_in, OUTPUT = image_out, ALIGNMENT = double);
CREATE CAST (image AS segment.model) WITHOUT FUNCTION;
CREATE CAST (segment.model AS image) WITHOUT FUNCTION;
CREATE FUNCTION pg_temp.bytes(m segment.model) RETURNS bytea LANGUAGE sql AS $$ SELECT m::image::text::bytea $$;
CREATE FUNCTION pg_temp.read_stored(bytes bytea) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	RETURN pg_temp.survives(bytes::text::image::segment.model);
EXCEPTION
	WHEN data_corrupted THEN
		RETURN CASE WHEN SQLERRM LIKE 'stored model is damaged: %' THEN 'XX001' ELSE SQLERRM END;
	WHEN feature_not_supported THEN
		RETURN CASE WHEN SQLERRM LIKE 'model is stored in format version "%' THEN '0A000' ELSE SQLERRM END;
END $$;
INSERT INTO outcome SELECT 'stored', pg_temp.read_stored(set_byte(pg_temp.bytes(m), at, (get_byte(pg_temp.bytes(m), at) + d) % 256))
FROM original, LATERAL generate_series(0, length(pg_temp.bytes(m)) - 1) at, unnest(ARRAY[1, 7, 128, 255]) d;
INSERT INTO outcome SELECT 'stored', pg_temp.read_stored(substr(pg_temp.bytes(m), 1, len))
FROM original, LATERAL generate_series(0, length(pg_temp.bytes(m)) - 1) len;
INSERT INTO outcome SELECT 'stored', pg_temp.read_stored(pg_temp.bytes(m) || decode(repeat('00', n), 'hex'))
FROM original, generate_series(1, 40) n;
SELECT set_eq('SELECT DISTINCT ended FROM outcome WHERE form = ''stored''', ARRAY['XX001', '0A000', 'valid'],
	'damaged stored bytes are refused with XX001 or 0A000, or valid');
SELECT cmp_ok(count(*)::int, '>', 1500, 'every byte was changed, every length tried') FROM outcome WHERE form = 'stored';
SELECT is(pg_temp.read_stored(set_byte(pg_temp.bytes(m), 0, 2)), '0A000', 'a later format version is 0A000') FROM original LIMIT 1;
SELECT is(pg_temp.read_stored(set_byte(pg_temp.bytes(m), 0, 0)), 'XX001', 'no format version is XX001') FROM original LIMIT 1;
SELECT is(pg_temp.read_stored(pg_temp.bytes(m)), 'valid', 'the bytes as they are are valid') FROM original;

-- ---------- binary form ----------

-- COPY BINARY of a bytea column writes what COPY BINARY of a model reads.
SELECT current_setting('data_directory') || '/segment_model_fuzz.bin' AS file \gset
SELECT set_config('test.file', :'file', true) IS NULL \g /dev/null
CREATE TEMP TABLE received (m segment.model);
CREATE FUNCTION pg_temp.receive(image bytea) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	EXECUTE format('COPY (SELECT %L::bytea) TO %L (FORMAT binary)', image, current_setting('test.file'));
	EXECUTE format('COPY received FROM %L (FORMAT binary)', current_setting('test.file'));
	SELECT pg_temp.survives(m) INTO result FROM received;
	TRUNCATE received;
	RETURN result;
EXCEPTION
	WHEN invalid_binary_representation THEN
		RETURN '22P03';
	WHEN protocol_violation THEN
		RETURN '08P01';		-- the message ends too early
	WHEN feature_not_supported THEN
		RETURN CASE WHEN SQLERRM LIKE 'model is sent in format version "%' THEN '0A000' ELSE SQLERRM END;
END $$;
INSERT INTO outcome SELECT 'binary', pg_temp.receive(set_byte(b, at, (get_byte(b, at) + d) % 256))
FROM (SELECT segment_internal.model_send(m) AS b FROM original) s, LATERAL generate_series(0, length(b) - 1) at, unnest(ARRAY[1, 128]) d;
INSERT INTO outcome SELECT 'binary', pg_temp.receive(substr(b, 1, len))
FROM (SELECT segment_internal.model_send(m) AS b FROM original) s, LATERAL generate_series(0, length(b) - 1) len;
INSERT INTO outcome SELECT 'binary', pg_temp.receive(b || '\x00')
FROM (SELECT segment_internal.model_send(m) AS b FROM original) s;
SELECT set_eq('SELECT DISTINCT ended FROM outcome WHERE form = ''binary''', ARRAY['22P03', '08P01', '0A000', 'valid'],
	'damaged binary forms are refused, or valid');
SELECT is(pg_temp.receive(segment_internal.model_send(m)), 'valid', 'the binary form as it is is valid') FROM original LIMIT 1;
COPY (SELECT m FROM original) TO :'file' (FORMAT binary);
COPY received FROM :'file' (FORMAT binary);
SELECT is(string_agg(m::text, ' ' ORDER BY m::text), (SELECT string_agg(m::text, ' ' ORDER BY m::text) FROM original),
	'COPY BINARY gives back the same models') FROM received;
\set command 'rm -f \'' :file '\''
COPY (SELECT 1) TO PROGRAM :'command';
SELECT is((SELECT count(*) FROM outcome WHERE ended = 'damaged')::int, 0, 'nothing that was read is damaged');

-- soft errors, where the server has them
SELECT current_setting('server_version_num')::int >= 160000 AS soft \gset
\if :soft
SELECT is(bool_or(pg_input_is_valid(t, 'segment.model')), false, 'pg_input_is_valid is false for what is no model')
FROM unnest(ARRAY['', '{}', '{"kind": "bgnbd", "params": {}}']) t;
\else
SELECT skip('this server has no soft errors', 1);
\endif

SELECT * FROM finish();
ROLLBACK;
