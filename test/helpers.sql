-- What tests have in common.  Included with the variable failure_form, which says
-- how failure shows an error: 'message', 'detail', 'lines' or 'parts'.

-- The error of a statement: SQLSTATE and message, and where it is asked for also
-- detail and hint.
CREATE FUNCTION pg_temp.failure(statement text, form text DEFAULT :'failure_form') RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	message text;
	detail text;
	hint text;
BEGIN
	EXECUTE statement;
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN CASE form
		WHEN 'message' THEN concat_ws(' ', SQLSTATE, message)
		WHEN 'detail' THEN concat(SQLSTATE, ': ', message, ' (' || nullif(detail, '') || ')')
		WHEN 'lines' THEN concat_ws(E'\n', SQLSTATE || ' ' || message, 'DETAIL: ' || nullif(detail, ''), 'HINT: ' || nullif(hint, ''))
		WHEN 'parts' THEN concat_ws(' | ', SQLSTATE, message, nullif(detail, ''), nullif(hint, '')) END;
END
$$;

-- Whether the plan of a query has a node of this name.
CREATE FUNCTION pg_temp.plan_has(query text, node text) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
		IF strpos(line, node) > 0 THEN
			RETURN true;
		END IF;
	END LOOP;
	RETURN false;
END
$$;
