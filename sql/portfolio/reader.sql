/*
 * reader: who may read all of a portfolio
 *
 * A reader is a role that may read every view of a portfolio.  That is what the
 * catalog says and nothing else, so that readers are dumped, restored, renamed
 * and dropped as all rights are.  What a portfolio gets later (a view, a table
 * that a function of its reads from now on) is granted to its readers as it is made.
 */

/*
 * What a reader must be granted.  Views check the rights of the portfolio's
 * owner, unless they are security_invoker; functions those of the caller.
 * What they read is taken from the catalog, which knows it of every view and of
 * every function with a parsed body.
 */
CREATE FUNCTION segment_internal.reader_objects(portfolio text) RETURNS TABLE (privilege text, object text)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 50
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
WITH member AS MATERIALIZED (
	SELECT m.kind, m.relation, format('%I.%I', portfolio, m.relation)::regclass AS oid, NULL::oid AS function
	FROM segment_internal.portfolio_members(portfolio) AS m
	WHERE m.col IS NULL AND m.kind IN ('VIEW', 'TABLE')
	UNION ALL
	SELECT m.kind, m.relation, NULL, f.oid
	FROM segment_internal.portfolio_members(portfolio) AS m
	JOIN pg_proc AS f ON f.oid = to_regprocedure(format('%I.%s', portfolio, m.relation))
	WHERE m.col IS NULL AND m.kind = 'FUNCTION'
), caller_reads AS (
	SELECT d.refobjid
	FROM member AS m
	JOIN pg_depend AS d ON d.classid = 'pg_proc'::regclass AND d.objid = m.function
	WHERE d.refclassid = 'pg_class'::regclass
	UNION
	SELECT d.refobjid
	FROM member AS m
	JOIN pg_class AS c ON c.oid = m.oid AND c.reloptions::text ~ 'security_invoker=(t|true|on|yes|1)\M'
	JOIN pg_rewrite AS r ON r.ev_class = m.oid
	JOIN pg_depend AS d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
	WHERE d.refclassid = 'pg_class'::regclass
)
SELECT 'USAGE', format('SCHEMA %I', portfolio)
UNION ALL
SELECT CASE m.kind WHEN 'FUNCTION' THEN 'EXECUTE' ELSE 'SELECT' END,
	CASE m.kind WHEN 'FUNCTION' THEN format('FUNCTION %I.%s', portfolio, m.relation)
		ELSE format('TABLE %I.%I', portfolio, m.relation) END
FROM member AS m
WHERE m.kind <> 'TABLE' OR m.oid IN (SELECT r.refobjid FROM caller_reads AS r);
END;
COMMENT ON FUNCTION segment_internal.reader_objects(text) IS
'the rights that make a role a reader of a portfolio: its schema, views and functions, and the tables that its functions (and views with security_invoker) read with the rights of the caller (internal)';

/* The roles that have been granted every view, as they are named in SQL. */
CREATE FUNCTION segment_internal.portfolio_readers(portfolio text) RETURNS SETOF text
LANGUAGE sql STABLE PARALLEL SAFE ROWS 5
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
SELECT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END
FROM (
	SELECT c.oid, c.relowner, c.relacl, count(*) OVER () AS views
	FROM segment_internal.portfolio_members(portfolio) AS m
	JOIN pg_class AS c ON c.oid = format('%I.%I', portfolio, m.relation)::regclass
	WHERE m.col IS NULL AND m.kind = 'VIEW'
) AS v
CROSS JOIN LATERAL (SELECT DISTINCT x.grantee FROM aclexplode(v.relacl) AS x WHERE x.privilege_type = 'SELECT') AS a
WHERE a.grantee <> v.relowner
GROUP BY a.grantee, v.views
HAVING count(*) = v.views;
END;
COMMENT ON FUNCTION segment_internal.portfolio_readers(text) IS
'the roles, quoted where SQL needs it, that have been granted all views of a portfolio (internal)';

/*
 * May the current user read everything there is to see, by whatever grants?
 * Where the views check the reader's own rights and row security hides
 * customers, a reader does not see everything.
 */
CREATE FUNCTION segment_internal.is_reader(portfolio text) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN (
	SELECT coalesce(has_schema_privilege(quote_ident(portfolio)::regnamespace, 'USAGE')
		AND bool_and(has_table_privilege(c.oid, 'SELECT')) FILTER (WHERE m.kind = 'VIEW')
		AND NOT (bool_or(c.reloptions::text ~ 'security_invoker=(t|true|on|yes|1)\M') FILTER (WHERE m.kind = 'VIEW')
			AND bool_or(c.relrowsecurity)), false)
	FROM segment_internal.portfolio_members(portfolio) AS m
	-- regclass would need the right to look into the schema
	JOIN pg_class AS c ON c.relnamespace = quote_ident(portfolio)::regnamespace AND c.relname = m.relation
	WHERE m.col IS NULL AND m.kind IN ('VIEW', 'TABLE'));
COMMENT ON FUNCTION segment_internal.is_reader(text) IS
'whether the current user may read all views of a portfolio, with no customer hidden by row security (internal)';

CREATE FUNCTION segment_internal.portfolio_reader(portfolio text) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $portfolio_reader$
DECLARE
	found_owner text := segment_internal.portfolio_existing(portfolio);
BEGIN
	IF NOT pg_has_role(current_user, found_owner::name, 'USAGE') AND NOT segment_internal.is_reader(portfolio) THEN
		RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
			MESSAGE = format('must be owner or reader of portfolio "%s"', portfolio),
			HINT = 'A reader may read all its views: segment.grant_read makes a role one. Where row security hides customers (setting security_invoker), only the owner may ask.';
	END IF;
	RETURN found_owner;
END
$portfolio_reader$;
COMMENT ON FUNCTION segment_internal.portfolio_reader(text) IS
'the owner of a portfolio, for a caller who reads; errors: 42704 no such portfolio, 42501 the caller has neither the owner''s rights nor may read all views (internal)';

/* New views and functions, which the readers of the old ones may read, too. */
CREATE FUNCTION segment_internal.portfolio_renew_views(portfolio text, security_invoker boolean) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $portfolio_renew_views$
DECLARE
	readers text[] := ARRAY(SELECT segment_internal.portfolio_readers(portfolio));
	command text;
BEGIN
	PERFORM segment_internal.portfolio_create_views(portfolio, security_invoker);
	FOR command IN
		SELECT format('GRANT %s ON %s TO %s', o.privilege, o.object, r.role)
		FROM unnest(readers) AS r(role) CROSS JOIN segment_internal.reader_objects(portfolio) AS o
	LOOP
		EXECUTE command;
	END LOOP;
END
$portfolio_renew_views$;
COMMENT ON FUNCTION segment_internal.portfolio_renew_views(text, boolean) IS
'creates or replaces the views of a portfolio, and grants its readers what is new (internal)';

/* Views that functions of the portfolio need, directly or through other views. */
CREATE FUNCTION segment_internal.portfolio_needed_views(portfolio text) RETURNS SETOF oid
LANGUAGE sql STABLE PARALLEL SAFE ROWS 10
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
WITH RECURSIVE needed AS (
	SELECT v.oid
	FROM pg_proc AS p
	JOIN pg_depend AS d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid
	-- the view itself, or the type of its rows
	JOIN pg_class AS v ON v.relkind = 'v' AND (d.refclassid = 'pg_class'::regclass AND d.refobjid = v.oid
		OR d.refclassid = 'pg_type'::regclass AND d.refobjid = v.reltype)
	WHERE p.pronamespace = to_regnamespace(quote_ident(portfolio))
	UNION
	SELECT v.oid
	FROM needed AS n
	JOIN pg_rewrite AS r ON r.ev_class = n.oid
	JOIN pg_depend AS d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass
	JOIN pg_class AS v ON v.oid = d.refobjid AND v.relkind = 'v'
)
SELECT n.oid FROM needed AS n;
END;
COMMENT ON FUNCTION segment_internal.portfolio_needed_views(text) IS
'the views that functions of a portfolio depend on: they can be dropped only after those (internal)';

/*
 * Our own objects, without those that others made: what depends on ours is an
 * error.  They come from the catalog and not from the portfolio's tables: whoever
 * drops a portfolio may have more rights than its owner, who could have put
 * views that call functions in the tables' place.  Functions depend on views, and
 * views on functions: so the views that no function needs go first.
 */
CREATE FUNCTION segment_internal.portfolio_drop_members(portfolio text, kinds text[]) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $portfolio_drop_members$
DECLARE
	drop_command text;
BEGIN
	FOR drop_command IN
		SELECT format('DROP %s IF EXISTS %s', m.kind, string_agg(format(
				CASE m.kind WHEN 'FUNCTION' THEN '%I.%s' ELSE '%I.%I' END, portfolio, m.relation), ', '))
		FROM segment_internal.portfolio_members(portfolio) AS m
		CROSS JOIN LATERAL (
			SELECT m.kind = 'VIEW' AND coalesce(to_regclass(format('%I.%I', portfolio, m.relation)) NOT IN (
				SELECT n.oid FROM segment_internal.portfolio_needed_views(portfolio) AS n(oid)), false) AS is_first
		) AS o
		WHERE m.col IS NULL AND m.kind = ANY (kinds)
		GROUP BY m.kind, o.is_first
		ORDER BY o.is_first DESC, array_position(kinds, m.kind)
	LOOP
		EXECUTE drop_command;
	END LOOP;
END
$portfolio_drop_members$;
COMMENT ON FUNCTION segment_internal.portfolio_drop_members(text, text[]) IS
'drops the functions, views or tables of a portfolio, in the order of the kinds given; error 2BP01 if others depend on them (internal)';

/* ---------- rights that outlive a new view ---------- */

CREATE FUNCTION segment_internal.portfolio_grants(portfolio text)
RETURNS TABLE (relation text, col text, object text, grantee text, command text)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 100
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
WITH member AS (
	SELECT m.kind, m.relation,
		CASE WHEN m.kind = 'VIEW' THEN format('TABLE %I.%I', portfolio, m.relation)
			ELSE format('FUNCTION %I.%s', portfolio, m.relation) END AS object
	FROM segment_internal.portfolio_members(portfolio) AS m
	WHERE m.col IS NULL AND m.kind IN ('VIEW', 'FUNCTION')
), granted AS (
	SELECT m.relation, NULL::text AS col, m.object, a.privilege_type AS privilege, a.grantee, a.is_grantable,
		c.relowner AS owner
	FROM member AS m
	JOIN pg_class AS c ON c.relnamespace = quote_ident(portfolio)::regnamespace AND c.relname = m.relation
	CROSS JOIN LATERAL aclexplode(c.relacl) AS a
	WHERE m.kind = 'VIEW'
	UNION ALL
	SELECT m.relation, t.attname, m.object, format('%s (%I)', a.privilege_type, t.attname), a.grantee, a.is_grantable,
		c.relowner
	FROM member AS m
	JOIN pg_class AS c ON c.relnamespace = quote_ident(portfolio)::regnamespace AND c.relname = m.relation
	JOIN pg_attribute AS t ON t.attrelid = c.oid
	CROSS JOIN LATERAL aclexplode(t.attacl) AS a
	WHERE m.kind = 'VIEW'
	UNION ALL
	SELECT m.relation, NULL, m.object, a.privilege_type, a.grantee, a.is_grantable, f.proowner
	FROM member AS m
	JOIN pg_proc AS f ON m.kind = 'FUNCTION' AND f.pronamespace = quote_ident(portfolio)::regnamespace
		AND f.oid = to_regprocedure(format('%I.%s', portfolio, m.relation))
	CROSS JOIN LATERAL aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) AS a
)
SELECT g.relation, g.col, g.object, r.role, format('GRANT %s ON %s TO %s%s', g.privilege, g.object, r.role,
	CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
FROM granted AS g
CROSS JOIN LATERAL (SELECT CASE WHEN g.grantee = 0 THEN 'PUBLIC'
	ELSE quote_ident(pg_get_userbyid(g.grantee)) END AS role) AS r
WHERE g.grantee <> g.owner;
END;
COMMENT ON FUNCTION segment_internal.portfolio_grants(text) IS
'the rights on a portfolio''s views, their columns and functions, with the commands that give them (internal)';

/*
 * Takes all views and functions away, which cannot lose columns, and gives back
 * the commands that grant the rights on them, but for those on columns of the
 * view customer that go; and makes them anew.
 */
CREATE FUNCTION segment_internal.portfolio_take_views(portfolio text, gone text[]) RETURNS text[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $portfolio_take_views$
DECLARE
	grants text[] := ARRAY(SELECT g.command FROM segment_internal.portfolio_grants(portfolio) AS g
		WHERE NOT coalesce(g.relation = 'customer' AND g.col = ANY (gone), false));
BEGIN
	PERFORM segment_internal.portfolio_drop_members(portfolio, ARRAY['FUNCTION', 'VIEW']);
	RETURN grants;
END
$portfolio_take_views$;
COMMENT ON FUNCTION segment_internal.portfolio_take_views(text, text[]) IS
'drops the views and functions of a portfolio; returns the commands that give their rights again, but for those on columns of the view customer that are to go; error 2BP01 if others depend on the views (internal)';

CREATE FUNCTION segment_internal.portfolio_put_views(portfolio text, security_invoker boolean, grants text[]) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $portfolio_put_views$
DECLARE
	command text;
BEGIN
	PERFORM segment_internal.portfolio_create_views(portfolio, security_invoker);
	-- default privileges may have given some that had been revoked
	FOR command IN SELECT DISTINCT format('REVOKE ALL ON %s FROM %s', g.object, g.grantee)
		FROM segment_internal.portfolio_grants(portfolio) AS g LOOP
		EXECUTE command;
	END LOOP;
	FOREACH command IN ARRAY grants LOOP
		EXECUTE command;
	END LOOP;
END
$portfolio_put_views$;
COMMENT ON FUNCTION segment_internal.portfolio_put_views(text, boolean, text[]) IS
'creates the views and functions of a portfolio, with rights that are given as commands (internal)';

/* ---------- for users ---------- */

/*
 * All that is done is told by the catalog (see portfolio_drop_members), so
 * nothing of the owner's runs.
 */
CREATE FUNCTION segment_internal.reader_role(portfolio text, role text) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $reader_role$
BEGIN
	IF role IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'argument "role" must not be null';
	ELSIF role = 'public' THEN
		RETURN 'PUBLIC';
	END IF;
	PERFORM FROM pg_roles AS r WHERE r.rolname = role;
	IF NOT FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object', MESSAGE = format('role "%s" does not exist', role);
	ELSIF role = segment_internal.portfolio_existing(portfolio) THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('role "%s" is the owner of portfolio "%s"', role, portfolio),
			DETAIL = 'The owner reads it in any case.';
	END IF;
	RETURN quote_ident(role);
END
$reader_role$;
COMMENT ON FUNCTION segment_internal.reader_role(text, text) IS
'a role as it is named in SQL; errors: 22004 NULL, 42704 no such role, 22023 the owner of the portfolio (internal)';

CREATE FUNCTION segment.grant_read(name text, role text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $grant_read$
DECLARE
	grantee text;
	command text;
BEGIN
	PERFORM segment_internal.portfolio_owner(name);
	grantee := segment_internal.reader_role(name, role);
	FOR command IN
		SELECT format('GRANT %s ON %s TO %s', o.privilege, o.object, grantee) FROM segment_internal.reader_objects(name) AS o
	LOOP
		EXECUTE command;
	END LOOP;
END
$grant_read$;
COMMENT ON FUNCTION segment.grant_read(text, text) IS
'makes a role (public: everybody) a reader of a portfolio: it may read all views, call the functions in the portfolio''s schema, and explain, scheme_check, backtest, backtest_deciles, backtest_series, crosstab, value_score, drivers, chart and report, and nothing else; views and schemes that come later are included. Errors: 42704 no such portfolio or role, 42501 not the owner, 22004 no role, 22023 the role is the owner';

CREATE FUNCTION segment.revoke_read(name text, role text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $revoke_read$
DECLARE
	grantee text;
	command text;
BEGIN
	PERFORM segment_internal.portfolio_owner(name);
	grantee := segment_internal.reader_role(name, role);
	FOR command IN
		SELECT format('REVOKE %s ON %s FROM %s', o.privilege, o.object, grantee)
		FROM (
			SELECT r.privilege, r.object FROM segment_internal.reader_objects(name) AS r
			UNION
			-- also tables that functions read in former times
			SELECT 'SELECT', format('TABLE %I.%I', name, m.relation)
			FROM segment_internal.portfolio_members(name) AS m
			WHERE m.col IS NULL AND m.kind = 'TABLE'
		) AS o
	LOOP
		EXECUTE command;
	END LOOP;
END
$revoke_read$;
COMMENT ON FUNCTION segment.revoke_read(text, text) IS
'takes back what grant_read gave a role, and every other right of the role to read the portfolio''s schema, tables and views and to call its functions that was granted to the role itself; errors as for grant_read';
