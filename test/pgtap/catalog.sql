--
-- The catalog: what every member of the extension must be, whatever concept it
-- belongs to
--
\unset ECHO
\set QUIET 1
\pset format unaligned
\pset tuples_only true
\set ON_ERROR_STOP true
SET client_min_messages = warning;

BEGIN;
CREATE EXTENSION IF NOT EXISTS pgtap;

-- Somebody's functions, operators and tables, which the caller's path prefers,
-- and which fit better than the server's own.
DROP EXTENSION IF EXISTS segment CASCADE;
CREATE SCHEMA trap;
SET search_path = trap, pg_catalog, public;
CREATE FUNCTION trap.format(text, text) RETURNS text LANGUAGE sql RETURN 'trap';
CREATE FUNCTION trap.format(text, name, name) RETURNS text LANGUAGE sql RETURN 'trap';
CREATE FUNCTION trap.quote_ident(name) RETURNS text LANGUAGE sql RETURN 'trap';
CREATE FUNCTION trap.same(oid, oid) RETURNS boolean LANGUAGE sql RETURN false;
CREATE OPERATOR trap.= (LEFTARG = oid, RIGHTARG = oid, FUNCTION = trap.same);
CREATE FUNCTION trap.cat(text, name) RETURNS text LANGUAGE sql RETURN 'trap';
CREATE OPERATOR trap.|| (LEFTARG = text, RIGHTARG = name, FUNCTION = trap.cat);
CREATE TABLE trap.pg_class (oid oid, relname name, relnamespace oid, relkind "char", relowner oid);
CREATE TEMP TABLE pg_namespace (oid oid, nspname name, nspowner oid);
CREATE EXTENSION segment;
DROP TABLE pg_temp.pg_namespace;
RESET search_path;
SELECT plan(30);

CREATE VIEW member AS
SELECT d.classid, d.objid FROM pg_depend d
WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
	AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'segment');
CREATE VIEW member_function AS
SELECT p.* FROM pg_proc p JOIN member ON classid = 'pg_proc'::regclass AND objid = p.oid;
CREATE VIEW member_operator AS
SELECT o.* FROM pg_operator o JOIN member ON classid = 'pg_operator'::regclass AND objid = o.oid;
CREATE VIEW member_aggregate AS
SELECT a.*, t.typtype AS state_kind, p.proparallel FROM pg_aggregate a
JOIN member_function p ON p.oid = a.aggfnoid JOIN pg_type t ON t.oid = a.aggtranstype;
SELECT cmp_ok((SELECT count(*) FROM member_function), '>', 80::bigint, 'the views find functions');
SELECT cmp_ok((SELECT count(*) FROM member_operator), '>', 12::bigint, 'operators');
SELECT cmp_ok((SELECT count(*) FROM member_aggregate), '>', 10::bigint, 'and aggregates');

-- ---------- everything ----------

-- Types of arrays and of rows come with their types; since 17 they are members.
SELECT is_empty($$
	SELECT pg_describe_object(classid, objid, 0) FROM member
	WHERE COALESCE(obj_description(objid, classid::regclass::text::name), '') = ''
		AND NOT (classid = 'pg_type'::regclass AND EXISTS (SELECT FROM pg_type t WHERE t.oid = objid
			AND (t.typcategory = 'A' OR t.typrelid <> 0 AND (SELECT relkind FROM pg_class c WHERE c.oid = t.typrelid) <> 'c')))
		-- what belongs to an operator family is in its description
		AND classid NOT IN ('pg_amop'::regclass, 'pg_amproc'::regclass, 'pg_cast'::regclass) $$,
	'everything has a comment');
SELECT is_empty($$
	SELECT pg_describe_object(classid, objid, 0) FROM member, pg_identify_object(classid, objid, 0) i
	WHERE i.schema IS NOT NULL AND i.schema NOT IN ('segment', 'segment_internal') $$, 'everything is in the schemas segment and segment_internal');
SELECT set_eq($$
	SELECT n.nspname, pg_get_userbyid(n.nspowner) = current_user FROM pg_namespace AS n JOIN member ON classid = 'pg_namespace'::regclass AND objid = n.oid $$,
	$$ VALUES ('segment'::name, true), ('segment_internal', true) $$, 'which it made, and which belong to who installs it with the rights for it');
SELECT is_empty($$
	SELECT oid::regprocedure FROM member_function AS p
	WHERE pronamespace = 'segment'::regnamespace AND (prorettype IN ('internal'::regtype, 'trigger'::regtype)
		OR 'internal'::regtype = ANY (proargtypes::oid[]) OR obj_description(oid, 'pg_proc') ~ '\(internal\)$'
		OR EXISTS (SELECT FROM pg_operator AS o WHERE o.oprcode = p.oid)
		OR EXISTS (SELECT FROM pg_aggregate AS a WHERE p.oid IN (aggtransfn, aggcombinefn, aggfinalfn, aggserialfn, aggdeserialfn))) $$,
	'what is not to be called by name is in segment_internal');

-- Whatever a member refers to is the server's or the extension's own, so that
-- nobody's function, operator or type can have taken a place in it.
SELECT is_empty($$
	WITH RECURSIVE part AS (
		SELECT classid, objid FROM member
		UNION
		SELECT d.classid, d.objid FROM pg_depend AS d JOIN part AS p ON d.refclassid = p.classid AND d.refobjid = p.objid
		WHERE d.deptype IN ('a', 'i')
	)
	SELECT pg_describe_object(d.classid, d.objid, d.objsubid), pg_describe_object(d.refclassid, d.refobjid, d.refobjsubid)
	FROM pg_depend AS d JOIN part USING (classid, objid)
	CROSS JOIN pg_identify_object(d.refclassid, d.refobjid, d.refobjsubid) AS r
	WHERE NOT EXISTS (SELECT FROM part AS p WHERE p.classid = d.refclassid AND p.objid = d.refobjid)
		AND NOT d.refclassid IN ('pg_extension'::regclass, 'pg_language'::regclass)
		AND r.schema IS DISTINCT FROM 'pg_catalog' $$, 'nothing depends on anything but the server and the extension');
SELECT is_empty($$
	SELECT oid::regprocedure FROM member_function WHERE length(proname) > 50
	UNION ALL SELECT oid::regprocedure FROM member_function, unnest(proargnames) a WHERE a = '' AND pronargs > 1 AND proname !~ '_(in|out|recv|send)$'
		AND proargmodes IS NULL $$, 'names are short enough, arguments have names');

-- ---------- functions ----------

SELECT is_empty($$ SELECT oid::regprocedure FROM member_function WHERE proparallel = 'u' AND provolatile <> 'v' $$,
	'every function that changes nothing can run in parallel');
SELECT is_empty($$ SELECT oid::regprocedure FROM member_function WHERE prosecdef AND proconfig IS NULL $$,
	'no function runs with its owner''s rights under a caller''s search_path');
SELECT is_empty($$ SELECT oid::regprocedure FROM member_function WHERE proacl IS NOT NULL $$,
	'nobody''s right to execute was taken away');
SELECT is_empty($$ SELECT oid::regprocedure FROM member_function WHERE proretset AND prorows IN (0, 1000) $$,
	'set-returning functions estimate their rows');
-- Functions of values only: immutable.  Those that read tables are reviewed
-- one by one where they are tested.
SELECT is_empty($$
	SELECT oid::regprocedure FROM member_function p
	WHERE prolang = (SELECT oid FROM pg_language WHERE lanname = 'c') AND provolatile <> 'i'
		AND EXISTS (SELECT FROM unnest(proargtypes::oid[] || prorettype) t WHERE t IN ('segment.rfm'::regtype, 'segment.history'::regtype)) $$,
	'all C functions of rfm and history are immutable');
-- The others, each reviewed: equality_operator, key_conversion, source_columns,
-- source_dependence, source_linear, query_mentions, condition_nulls and takes_notes look at the catalog, watch_names at a table
-- of the caller's, next_transaction at a counter, histories, checked_histories and changed_histories
-- run a query, run_at_once runs commands, portfolio_run works on a portfolio, note_changes is a trigger.
SELECT is(array_agg(concat_ws(' ', proname, provolatile) ORDER BY proname), '{"changed_histories v","checked_histories v","condition_nulls s","drivers v","equality_operator s","histories v","key_conversion s","next_transaction v","note_changes v","portfolio_run v","query_mentions s","run_at_once v","source_columns s","source_dependence s","source_linear s","takes_notes s","watch_names s"}'::text[],
	'no other C function depends on anything but its arguments')
FROM member_function
WHERE provolatile <> 'i' AND prolang = (SELECT oid FROM pg_language WHERE lanname = 'c');
-- An immutable function whose argument or result depends on the session's time
-- zone or date style would be a lie: none converts between timestamptz and
-- date, time or text.
SELECT is_empty($$
	SELECT oid::regprocedure FROM member_function
	WHERE provolatile = 'i' AND 'timestamptz'::regtype = ANY (proargtypes::oid[])
		AND NOT 'text'::regtype = ANY (proargtypes::oid[])
		AND prorettype IN ('date'::regtype, 'text'::regtype, 'timestamp'::regtype, 'time'::regtype) $$,
	'no conversion by the session''s time zone');

-- ---------- aggregates ----------

SELECT is_empty($$
	SELECT aggfnoid FROM member_aggregate WHERE aggcombinefn = 0 AND aggkind = 'n' $$, 'every aggregate combines');
SELECT is_empty($$ SELECT aggfnoid FROM member_aggregate WHERE proparallel <> 's' $$, 'and runs in parallel');
SELECT is_empty($$
	SELECT aggfnoid FROM member_aggregate
	WHERE state_kind = 'p' AND (aggserialfn = 0 OR aggdeserialfn = 0 OR aggtransspace = 0) $$,
	'an internal state can be sent, and says its size');
SELECT is_empty($$ SELECT aggfnoid FROM member_aggregate WHERE state_kind = 'p' AND aggfinalmodify <> 'r' $$,
	'a final function that would change an internal state says so');
-- What engines that distribute queries need: the state of an aggregate that
-- gives a summary is of that type.
SELECT is_empty($$
	SELECT aggfnoid FROM member_aggregate JOIN member_function p ON p.oid = aggfnoid
	WHERE prorettype IN ('segment.rfm'::regtype, 'segment.history'::regtype)
		AND (state_kind = 'p' OR aggtranstype <> prorettype) $$,
	'summaries are their own states');
SELECT is_empty($$
	SELECT t FROM unnest('{segment.rfm,segment.history}'::regtype[]) t
	WHERE NOT EXISTS (SELECT FROM member_function WHERE proname = 'rollup' AND pronargs = 1 AND proargtypes[0] = t AND prorettype = t AND prokind = 'a') $$,
	'and every summary rolls up');
-- names that engines treat by name
SELECT is_empty($$
	SELECT aggfnoid FROM member_aggregate JOIN member_function p ON p.oid = aggfnoid
	WHERE proname IN ('sum', 'avg', 'min', 'max', 'count', 'array_agg', 'bit_and', 'bit_or', 'bool_and', 'bool_or', 'every', 'any_value')
		OR proname ~ '^(json|hll_|topn_)' $$, 'no aggregate has the name of one of the server''s');

-- ---------- operators and their classes ----------

SELECT is_empty($$
	SELECT oid::regoperator FROM member_operator
	WHERE oprresult = 'boolean'::regtype AND (oprrest = 0 OR oprjoin = 0 OR oprcom = 0 OR oprnegate = 0) $$,
	'comparisons have estimators, commutators and negators');
SELECT is_empty($$
	SELECT oid::regoperator FROM member_operator WHERE oprname = '=' AND NOT (oprcanhash AND oprcanmerge) $$,
	'equality can be hashed and merged');
SELECT is_empty($$
	SELECT o.oid::regoperator FROM member_operator o JOIN member_operator c ON c.oid = o.oprcom WHERE c.oprcom <> o.oid
	UNION ALL SELECT o.oid::regoperator FROM member_operator o JOIN member_operator n ON n.oid = o.oprnegate WHERE n.oprnegate <> o.oid $$,
	'commutators and negators agree');
SELECT is_empty($$
	SELECT opcname FROM pg_opclass c JOIN member ON classid = 'pg_opclass'::regclass AND objid = c.oid WHERE NOT amvalidate(c.oid) $$,
	'operator classes are complete');
SELECT is_empty($$
	SELECT t FROM unnest('{segment.rfm,segment.history}'::regtype[]) t, unnest('{btree,hash}'::name[]) am
	WHERE NOT EXISTS (SELECT FROM pg_opclass c JOIN pg_am a ON a.oid = opcmethod WHERE opcintype = t AND amname = am AND opcdefault) $$,
	'rfm and history can be indexed, sorted and hashed');

-- ---------- types ----------

SELECT is_empty($$
	SELECT t.oid::regtype FROM pg_type t JOIN member ON classid = 'pg_type'::regclass AND objid = t.oid
	WHERE typtype = 'b' AND typcategory <> 'A' AND (typsend = 0 OR typreceive = 0 OR typmodin <> 0) $$,
	'types have a binary form, and no modifier');
SELECT is_empty($$
	SELECT oid::regprocedure FROM member_function WHERE oid IN
		(SELECT unnest(ARRAY[typinput, typoutput, typsend, typreceive]::oid[]) FROM pg_type t JOIN member ON classid = 'pg_type'::regclass AND objid = t.oid AND typtype = 'b')
		AND (provolatile <> 'i' OR NOT proisstrict OR proparallel <> 's') $$,
	'their forms depend on nothing');

SELECT * FROM finish();
ROLLBACK;
