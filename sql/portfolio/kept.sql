/*
 * kept: the customers' rows, kept as a refresh computed them
 *
 * A customer's row is a pure function of the own histories and a scorecard (see
 * customer.sql), so it changes with a refresh and at no other time: a refresh
 * stores it in the table kept_customer, and whoever reads the view customer, or
 * a view over it, reads a plain table.  A new scorecard rewrites all rows, a
 * refresh that keeps it those of the changed customers.  Rows are deleted and
 * inserted, never the table exchanged: a reader with an older snapshot goes on
 * seeing the old rows, whole.
 */

/* The rows as they are to be kept: what customer.sql defines, by the scorecard in force. */
CREATE FUNCTION segment_internal.kept_query(portfolio text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN (SELECT segment_internal.portfolio_customer_query(portfolio, 's.scorecard_as_of', NULL, c.columns, c.held_classes)
	FROM segment_internal.scheme_columns(portfolio) AS c);
COMMENT ON FUNCTION segment_internal.kept_query(text) IS
'the query of all rows of the table kept_customer, judged by the scorecard in force (internal)';

/* The columns of the view customer: what is known of a customer, then a class for each scheme. */
CREATE FUNCTION segment_internal.kept_columns(portfolio text) RETURNS TABLE (name text, is_scheme boolean, ordinal bigint)
LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 40
SET search_path = pg_catalog, pg_temp
AS $kept_columns$
BEGIN
	RETURN QUERY EXECUTE format($query$
		SELECT c.name, c.is_scheme, row_number() OVER (ORDER BY c.is_scheme, c.place)
		FROM (
			SELECT a.attname::text AS name, false AS is_scheme, a.attnum::integer AS place
			FROM pg_attribute AS a
			WHERE a.attrelid = %2$L::regclass AND a.attnum > 0 AND NOT a.attisdropped
				AND a.attnum <= (SELECT b.attnum FROM pg_attribute AS b
					WHERE b.attrelid = %2$L::regclass AND b.attname = 'churn_risk')
			UNION ALL
			SELECT s.scheme, true, s.ordinal FROM %1$I.scheme AS s
		) AS c$query$, portfolio, format('%I.kept_customer', portfolio));
END
$kept_columns$;
COMMENT ON FUNCTION segment_internal.kept_columns(text) IS
'the columns of a portfolio''s view customer in their order, and which of them are those of schemes (internal)';

/*
 * Makes the table, or brings its columns to the schemes as they are: a column
 * for each, which is NULL until the rows are filled again.
 */
CREATE FUNCTION segment_internal.kept_define(portfolio text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $kept_define$
DECLARE
	kept regclass := to_regclass(format('%I.kept_customer', portfolio));
	command text;
BEGIN
	IF kept IS NULL THEN
		EXECUTE format('CREATE TABLE %I.kept_customer AS %s WITH NO DATA', portfolio, segment_internal.kept_query(portfolio));
		EXECUTE format('ALTER TABLE %1$I.kept_customer ADD PRIMARY KEY (customer_id)', portfolio);
		EXECUTE format('CREATE INDEX ON %1$I.kept_customer (clv)', portfolio);
		RETURN;
	END IF;
	FOR command IN EXECUTE format($query$
		SELECT CASE WHEN s.scheme IS NULL THEN format('DROP COLUMN %%I', a.attname) ELSE format('ADD COLUMN %%I text', s.scheme) END
		FROM (SELECT * FROM pg_attribute WHERE attrelid = $1 AND NOT attisdropped
			AND attnum > (SELECT b.attnum FROM pg_attribute AS b WHERE b.attrelid = $1 AND b.attname = 'churn_risk')) AS a
		FULL JOIN %I.scheme AS s ON s.scheme = a.attname
		WHERE s.scheme IS NULL OR a.attname IS NULL
		ORDER BY s.ordinal$query$, portfolio) USING kept
	LOOP
		EXECUTE format('ALTER TABLE %I.kept_customer %s', portfolio, command);
	END LOOP;
END
$kept_define$;
COMMENT ON FUNCTION segment_internal.kept_define(text) IS
'creates the table kept_customer of a portfolio, with its indexes, or gives it the columns of the schemes as they are now (internal)';

/*
 * Do two scorecards judge alike?  All but the number, the time and the counts of
 * customers decide; stay rules also ask for the day.
 */
CREATE FUNCTION segment_internal.scorecards_agree(portfolio text, one bigint, other bigint) RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $scorecards_agree$
DECLARE
	agree boolean;
BEGIN
	EXECUTE format($query$
		SELECT to_jsonb(a) - c.others = to_jsonb(b) - c.others
		FROM %1$I.scorecard AS a, %1$I.scorecard AS b,
			(SELECT '{scorecard_id,created_at,customers,buyers}'::text[]) AS c(others)
		WHERE a.scorecard_id = $1 AND b.scorecard_id = $2$query$, portfolio)
	INTO agree USING one, other;
	RETURN coalesce(agree, false);
END
$scorecards_agree$;
COMMENT ON FUNCTION segment_internal.scorecards_agree(text, bigint, bigint) IS
'whether two scorecards give every customer the same row (internal)';

/*
 * Computes the rows anew by the scorecard in force: all of them, or those of the
 * customers in table refresh_key.
 */
CREATE FUNCTION segment_internal.kept_fill(portfolio text, changes_only boolean) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $kept_fill$
DECLARE
	key record := segment_internal.portfolio_key(portfolio);
	columns text := (SELECT string_agg(quote_ident(c.name), ', ' ORDER BY c.ordinal) FROM segment_internal.kept_columns(portfolio) AS c);
	query text := segment_internal.kept_query(portfolio);
BEGIN
	IF changes_only THEN
		EXECUTE format('DELETE FROM %1$I.kept_customer AS c USING %1$I.refresh_key AS k WHERE c.customer_id %2$s k.customer_id',
			portfolio, key.equality);
		PERFORM segment_internal.refresh_run(portfolio, format('INSERT INTO %1$I.kept_customer (%2$s) SELECT %2$s FROM (%3$s) AS c WHERE %4$s',
			portfolio, columns, query, segment_internal.key_condition(portfolio, 'c.customer_id')), 'pg_catalog, pg_temp', true);
	ELSE
		-- computed first and then inserted, since an INSERT never uses parallel
		-- workers; in the order of keys, which the primary key's index likes
		EXECUTE format('CREATE UNLOGGED TABLE %I.refresh_row AS %s', portfolio, query);
		EXECUTE format('DELETE FROM %I.kept_customer', portfolio);
		EXECUTE format('INSERT INTO %1$I.kept_customer (%2$s) SELECT %2$s FROM %1$I.refresh_row AS r ORDER BY r.customer_id', portfolio, columns);
		EXECUTE format('DROP TABLE %I.refresh_row', portfolio);
		EXECUTE format('ANALYZE %I.kept_customer', portfolio);
	END IF;
END
$kept_fill$;
COMMENT ON FUNCTION segment_internal.kept_fill(text, boolean) IS
'computes the rows of the table kept_customer by the scorecard in force, all or those of the customers in table refresh_key (internal)';
