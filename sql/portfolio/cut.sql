/*
 * A cut is a query of one number over the relation customers, or an expression
 * of aggregates over it, such as avg(net) FILTER (WHERE orders > 0).  All
 * expressions are computed in one pass, a query by itself.
 */
CREATE FUNCTION segment_internal.cut_is_query(cut text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN cut ~* '^[\s(]*(select|with|values|table)\M';
COMMENT ON FUNCTION segment_internal.cut_is_query(text) IS
'whether a cut is a query, and not an expression of aggregates (internal)';

CREATE FUNCTION segment_internal.cut_query(cut text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
-- HAVING: one row, also of an expression without an aggregate
RETURN CASE WHEN segment_internal.cut_is_query(cut) THEN cut
	ELSE format(E'SELECT (%s\n) FROM customers HAVING true', cut) END;
COMMENT ON FUNCTION segment_internal.cut_query(text) IS
'a cut as a query over the relation customers (internal)';

/*
 * Must a cut wait for the scorecard?  Not if it is an expression that mentions
 * none of the columns which the scorecard decides, nor whole rows.
 */
CREATE FUNCTION segment_internal.cut_is_scored(cut text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN segment_internal.cut_is_query(cut) OR cut ~* ('\m(customers|u&|gap_ratio|r_score|f_score|m_score|rfm_cell|p_alive'
	|| '|expected_purchases|purchase_probability|expected_spend|contribution_rate|clv|clv_before_cost|churn_risk|churn_risk_basis|visit_gap_ratio)\M|"');
COMMENT ON FUNCTION segment_internal.cut_is_scored(text) IS
'whether a cut may depend on cut points and models of the scorecard (internal)';

/*
 * Cuts of a portfolio as an array of their names and as the elements of an
 * array of numbers.  A float becomes numeric by way of text, which keeps all
 * its digits (a cast keeps 15): portfolio_run fixes extra_float_digits.
 */
CREATE FUNCTION segment_internal.scheme_cuts(portfolio text, are_queries boolean, are_scored boolean, OUT cuts text[], OUT elements text)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $scheme_cuts$
BEGIN
	EXECUTE format($query$
		SELECT coalesce(array_agg(c.cut ORDER BY c.cut), '{}'),
			string_agg(format(E'(%%s\n\t)::text::numeric', c.query), E',\n\t' ORDER BY c.cut)
		FROM %1$I.scheme_cut AS c
		WHERE segment_internal.cut_is_query(c.query) = $1 AND segment_internal.cut_is_scored(c.query) = $2$query$, portfolio)
	INTO cuts, elements USING are_queries, are_scored;
END
$scheme_cuts$;
COMMENT ON FUNCTION segment_internal.scheme_cuts(text, boolean, boolean) IS
'the cuts that are queries or expressions, that depend on the scorecard or do not: names, and the list of their values (NULL: none) (internal)';

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
CREATE FUNCTION segment_internal.scheme_cut_customers(portfolio text, scorecard_id bigint, as_of date, from_kept boolean) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN (SELECT format('(SELECT c.customer_id, %3$s FROM %1$I.scorecards(ARRAY[%2$s]) AS s%4$s)', portfolio, scorecard_id,
		string_agg(format('c.%I', k.name), ', ' ORDER BY k.ordinal),
		segment_internal.customer_items(portfolio, format('%L::date', as_of), from_kept))
	FROM segment_internal.kept_columns(portfolio) AS k
	WHERE k.is_shown AND NOT k.is_class AND k.name <> 'customer_id');
COMMENT ON FUNCTION segment_internal.scheme_cut_customers(text, bigint, date, boolean) IS
'the FROM item behind the relation customers, over which the cuts of a scorecard are computed as of its day (internal)';

/* Each cut by itself; an error names the cut. */
CREATE FUNCTION segment_internal.scheme_compute_each_cut(portfolio text, scorecard_id bigint, as_of date, from_kept boolean) RETURNS jsonb
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $scheme_compute_each_cut$
DECLARE
	customers text := segment_internal.scheme_cut_customers(portfolio, scorecard_id, as_of, from_kept);
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
COMMENT ON FUNCTION segment_internal.scheme_compute_each_cut(text, bigint, date, boolean) IS
'the cuts of a scorecard as one JSON object, each computed by itself; an error names the cut (internal)';

/*
 * The cuts of a new scorecard.  Those that do not depend on it have come with
 * its other figures; they are NULL if something was wrong with one of them.
 */
CREATE FUNCTION segment_internal.scheme_compute_cuts(
	portfolio text, scorecard_id bigint, as_of date, unscored jsonb, from_kept boolean
) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $scheme_compute_cuts$
DECLARE
	expressions record := segment_internal.scheme_cuts(portfolio, false, true);
	queries record := segment_internal.scheme_cuts(portfolio, true, true);
	customers text;
	amounts numeric[];
	cuts jsonb := unscored;
BEGIN
	BEGIN
		IF cuts IS NOT NULL AND (expressions.elements IS NOT NULL OR queries.elements IS NOT NULL) THEN
			customers := segment_internal.scheme_cut_customers(portfolio, scorecard_id, as_of, from_kept);
		END IF;
		IF cuts IS NOT NULL AND expressions.elements IS NOT NULL THEN
			EXECUTE format(E'SELECT ARRAY[%s]\nFROM %s AS customers', expressions.elements, customers) INTO amounts;
			cuts := cuts || segment_internal.cuts_object(expressions.cuts, amounts);
		END IF;
		IF cuts IS NOT NULL AND queries.elements IS NOT NULL THEN
			EXECUTE format(E'WITH customers AS MATERIALIZED (SELECT * FROM %s AS k)\nSELECT ARRAY[%s]',
				customers, queries.elements) INTO amounts;
			cuts := cuts || segment_internal.cuts_object(queries.cuts, amounts);
		END IF;
	EXCEPTION WHEN OTHERS THEN
		IF segment_internal.is_beyond_query(SQLSTATE) THEN
			RAISE;
		END IF;
		cuts := NULL;
	END;
	cuts := coalesce(cuts, segment_internal.scheme_compute_each_cut(portfolio, scorecard_id, as_of, from_kept));
	EXECUTE format('UPDATE %I.scorecard AS s SET cuts = $1 WHERE s.scorecard_id = $2 AND s.cuts IS DISTINCT FROM $1', portfolio)
	USING nullif(cuts, '{}'), scorecard_id;
END
$scheme_compute_cuts$;
COMMENT ON FUNCTION segment_internal.scheme_compute_cuts(text, bigint, date, jsonb, boolean) IS
'computes the cuts of a new scorecard, beyond those given; an error names the cut (internal)';
