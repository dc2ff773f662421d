/*
 * A cut is a query of one number over the relation customers, or an expression
 * of aggregates over it, such as avg(net) FILTER (WHERE orders > 0).  All
 * expressions are computed in one pass, a query by itself.
 */
CREATE FUNCTION segment_internal.cut_is_query(cut text) RETURNS boolean
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $cut_is_query$
BEGIN
	PERFORM segment_internal.source_statement('cut', cut);
	RETURN true;
EXCEPTION WHEN syntax_error OR invalid_parameter_value THEN
	RETURN false;
END
$cut_is_query$;
COMMENT ON FUNCTION segment_internal.cut_is_query(text) IS
'whether a cut is a query, and not an expression of aggregates (internal)';

CREATE FUNCTION segment_internal.cut_query(cut text) RETURNS text
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
-- HAVING: one row, also of an expression without an aggregate
RETURN CASE WHEN segment_internal.cut_is_query(cut) THEN cut
	ELSE format(E'SELECT (%s\n) FROM customers HAVING true', cut) END;
COMMENT ON FUNCTION segment_internal.cut_query(text) IS
'a cut as a query over the relation customers (internal)';

/*
 * Must a cut wait for the scorecard?  Not if it is an expression that names none
 * of the columns which the scorecard decides, nor whole rows.  What cannot be
 * told, since something is wrong with it or it has a query inside, waits.
 */
CREATE FUNCTION segment_internal.cut_is_scored(portfolio text, cut text) RETURNS boolean
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $cut_is_scored$
DECLARE
	mentions text[];
BEGIN
	IF segment_internal.cut_is_query(cut) THEN
		RETURN true;
	END IF;
	mentions := segment_internal.query_mentions(format(E'SELECT (%s\n) FROM %I.kept_customer AS customers HAVING true', cut, portfolio));
	RETURN mentions IS NULL
		OR EXISTS (SELECT FROM segment_internal.customer_columns() AS c WHERE c.is_scored AND c.name = ANY (mentions));
EXCEPTION WHEN OTHERS THEN
	IF segment_internal.is_beyond_query(SQLSTATE) THEN
		RAISE;
	END IF;
	RETURN true;
END
$cut_is_scored$;
COMMENT ON FUNCTION segment_internal.cut_is_scored(text, text) IS
'whether a cut may depend on cut points and models of the scorecard (internal)';

CREATE TYPE segment_internal.cut_list AS (cuts text[], elements text);
COMMENT ON TYPE segment_internal.cut_list IS
'cuts that are computed together: their names, and their values as the elements of an array, NULL if there are none (internal)';

/*
 * The cuts of a portfolio: expressions that do not depend on the scorecard, those
 * that do, and queries.  A float becomes numeric by way of text, which keeps all
 * its digits (a cast keeps 15): portfolio_run fixes extra_float_digits.
 */
CREATE FUNCTION segment_internal.scheme_cuts(
	portfolio text, OUT unscored segment_internal.cut_list, OUT scored segment_internal.cut_list, OUT queries segment_internal.cut_list
)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $scheme_cuts$
DECLARE
	lists segment_internal.cut_list[];
BEGIN
	EXECUTE format($query$
		SELECT array_agg(ROW(l.cuts, l.elements)::segment_internal.cut_list ORDER BY l.kind)
		FROM (
			SELECT k.kind, coalesce(array_agg(c.cut ORDER BY c.cut) FILTER (WHERE c.cut IS NOT NULL), '{}') AS cuts,
				string_agg(format(E'(%%s
	)::text::numeric', c.query), E',
	' ORDER BY c.cut) FILTER (WHERE c.cut IS NOT NULL) AS elements
			FROM generate_series(1, 3) AS k(kind)
			LEFT JOIN (
				SELECT t.cut, t.query, CASE WHEN segment_internal.cut_is_query(t.query) THEN 3
					WHEN segment_internal.cut_is_scored($1, t.query) THEN 2 ELSE 1 END AS kind
				FROM %1$I.scheme_cut AS t
			) AS c ON c.kind = k.kind
			GROUP BY k.kind
		) AS l$query$, portfolio)
	INTO lists USING portfolio;
	unscored := lists[1];
	scored := lists[2];
	queries := lists[3];
END
$scheme_cuts$;
COMMENT ON FUNCTION segment_internal.scheme_cuts(text) IS
'the cuts of a portfolio: expressions that do not depend on the scorecard, those that do, and queries (internal)';

CREATE FUNCTION segment_internal.cuts_object(cuts text[], amounts numeric[]) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $cuts_object$
BEGIN
	IF cardinality(cuts) <> cardinality(amounts) THEN
		RAISE EXCEPTION USING ERRCODE = 'syntax_error',
			MESSAGE = format('%s cuts are %s values', cardinality(cuts), cardinality(amounts));
	END IF;
	RETURN (SELECT coalesce(jsonb_object_agg(v.cut, v.amount), '{}') FROM unnest(cuts, amounts) AS v(cut, amount));
END
$cuts_object$;
COMMENT ON FUNCTION segment_internal.cuts_object(text[], numeric[]) IS
'names and values of cuts as one JSON object; error 42601 if there are not as many of each (internal)';

/* The relation customers for the cuts of a scorecard: all columns but the schemes', which may depend on them. */
CREATE FUNCTION segment_internal.cut_customers(portfolio text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN (SELECT format('(SELECT %s FROM %I.refresh_figures AS h)', string_agg(format('h.%I', k.name), ', ' ORDER BY k.ordinal), portfolio)
	FROM segment_internal.kept_columns(portfolio) AS k
	WHERE k.is_shown AND NOT k.is_class);
COMMENT ON FUNCTION segment_internal.cut_customers(text) IS
'the FROM item behind the relation customers, over which the cuts of a scorecard are computed, from the table refresh_figures (internal)';

/* Each cut by itself; an error names the cut. */
CREATE FUNCTION segment_internal.scheme_compute_each_cut(portfolio text) RETURNS jsonb
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $scheme_compute_each_cut$
DECLARE
	customers text := segment_internal.cut_customers(portfolio);
	c record;
	amount numeric;
	amounts jsonb := '{}';
	message text;
	state text;
BEGIN
	FOR c IN EXECUTE format('SELECT * FROM %I.scheme_cut AS c ORDER BY c.cut', portfolio) LOOP
		BEGIN
			EXECUTE format(E'WITH customers AS MATERIALIZED (SELECT * FROM %s AS k)\nSELECT (%s\n)::text::numeric',
				customers, segment_internal.cut_query(c.query)) INTO amount;
		EXCEPTION WHEN OTHERS THEN
			GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, state = RETURNED_SQLSTATE;
			IF segment_internal.is_beyond_query(state) THEN
				RAISE;
			END IF;
			RAISE EXCEPTION USING ERRCODE = state,
				MESSAGE = format('cut "%s" of scheme "%s": %s', c.cut, c.scheme, message),
				DETAIL = format('The query is: %s', c.query),
				HINT = 'A cut is a query of one number over the relation customers, which has the columns of the view customer, except those of schemes.';
		END;
		amounts := amounts || jsonb_build_object(c.cut, amount);
	END LOOP;
	RETURN amounts;
END
$scheme_compute_each_cut$;
COMMENT ON FUNCTION segment_internal.scheme_compute_each_cut(text) IS
'the cuts of a scorecard as one JSON object, each computed by itself; an error names the cut (internal)';

/*
 * The cuts of a new scorecard that have to wait for it; or, if something was wrong
 * with one of the others, all.
 */
CREATE FUNCTION segment_internal.scheme_compute_cuts(
	portfolio text, scored segment_internal.cut_list, queries segment_internal.cut_list, unscored jsonb
) RETURNS jsonb
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $scheme_compute_cuts$
DECLARE
	customers text := segment_internal.cut_customers(portfolio);
	amounts numeric[];
	cuts jsonb := unscored;
BEGIN
	BEGIN
		IF cuts IS NOT NULL AND (scored).elements IS NOT NULL THEN
			EXECUTE format(E'SELECT ARRAY[%s]\nFROM %s AS customers', (scored).elements, customers) INTO amounts;
			cuts := cuts || segment_internal.cuts_object((scored).cuts, amounts);
		END IF;
		IF cuts IS NOT NULL AND (queries).elements IS NOT NULL THEN
			EXECUTE format(E'WITH customers AS MATERIALIZED (SELECT * FROM %s AS k)\nSELECT ARRAY[%s]',
				customers, (queries).elements) INTO amounts;
			cuts := cuts || segment_internal.cuts_object((queries).cuts, amounts);
		END IF;
	EXCEPTION WHEN OTHERS THEN
		IF segment_internal.is_beyond_query(SQLSTATE) THEN
			RAISE;
		END IF;
		cuts := NULL;
	END;
	RETURN nullif(coalesce(cuts, segment_internal.scheme_compute_each_cut(portfolio)), '{}');
END
$scheme_compute_cuts$;
COMMENT ON FUNCTION segment_internal.scheme_compute_cuts(text, segment_internal.cut_list, segment_internal.cut_list, jsonb) IS
'the cuts of a new scorecard, those given included (NULL: one of them failed), as a JSON object; NULL if there are none; an error names the cut (internal)';
