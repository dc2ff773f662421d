/*
 * migration: who moves from class to class between consecutive days
 */

CREATE TYPE segment.class_migration AS (
	day_number integer, from_class text, to_class text, customers bigint, net_from numeric, net_to numeric
);
COMMENT ON TYPE segment.class_migration IS
'customers who were in a class on the day before and in one on a day: number of the day, counted from 1, classes, heads, net sales on both days; from_class is NULL for those who were not known on the day before';

CREATE FUNCTION segment_internal.migration_accum(internal, tid, integer, integer, text, numeric) RETURNS internal
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_migration_accum';
COMMENT ON FUNCTION segment_internal.migration_accum(internal, tid, integer, integer, text, numeric) IS
'transition function of migration_agg';

CREATE FUNCTION segment_internal.migration_combine(internal, internal) RETURNS internal
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_migration_combine';
COMMENT ON FUNCTION segment_internal.migration_combine(internal, internal) IS 'combine function of migration_agg';

CREATE FUNCTION segment_internal.migration_serialize(internal) RETURNS bytea
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_migration_serialize';
COMMENT ON FUNCTION segment_internal.migration_serialize(internal) IS 'serialization function of migration_agg';

CREATE FUNCTION segment_internal.migration_deserialize(bytea, internal) RETURNS internal
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_migration_deserialize';
COMMENT ON FUNCTION segment_internal.migration_deserialize(bytea, internal) IS 'deserialization function of migration_agg';

CREATE FUNCTION segment_internal.migration_final(internal) RETURNS segment.class_migration[]
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'segment_migration_final';
COMMENT ON FUNCTION segment_internal.migration_final(internal) IS 'final function of migration_agg';

CREATE AGGREGATE segment.migration_agg(customer tid, day_number integer, days integer, class text, net numeric) (
	SFUNC = segment_internal.migration_accum,
	STYPE = internal,
	SSPACE = 262144,
	COMBINEFUNC = segment_internal.migration_combine,
	SERIALFUNC = segment_internal.migration_serialize,
	DESERIALFUNC = segment_internal.migration_deserialize,
	FINALFUNC = segment_internal.migration_final,
	FINALFUNC_MODIFY = READ_ONLY,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE segment.migration_agg(tid, integer, integer, text, numeric) IS
'how many customers moved between which classes from day to day. A row is a customer on a day: the customer, identified by a row in a table; number of the day, counted from 1; number of rows of the customer, which are for consecutive days; class; net sales (NULL counts as 0). Rows may come in any order; memory for one customer is needed where those of a customer come together. What there is on the first day alone is not counted. NULL without rows. Errors: 22023 rows of a customer are missing, too many, or not for consecutive days, 22004 customer or number of the day NULL, 22003 a sum beyond 27 digits, 54000 more than 65535 classes';

CREATE FUNCTION segment_internal.check_period(from_day date, to_day date) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $check_period$
BEGIN
	IF from_day IS NULL OR to_day IS NULL OR NOT isfinite(from_day) OR NOT isfinite(to_day) THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('both days must be finite: from %s to %s',
				coalesce(from_day::text, 'null'), coalesce(to_day::text, 'null'));
	ELSIF from_day > to_day THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('from_day must not be after to_day: from %s to %s', from_day, to_day);
	END IF;
	RETURN true;
END
$check_period$;
COMMENT ON FUNCTION segment_internal.check_period(date, date) IS
'true; error 22023 if a day is NULL or infinite, or the first is after the second (internal)';

/*
 * The ends of the months of a period, with its first and last day, each with
 * the scorecard that judges it: the same as in customer_at.  Every customer is
 * judged on each of these days, so there is a limit: a hundred years.
 */
CREATE FUNCTION segment_internal.scored_days(scorecards regclass, from_day date, to_day date) RETURNS segment_internal.scored_day[]
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $scored_days$
DECLARE
	days segment_internal.scored_day[];
BEGIN
	PERFORM segment_internal.check_period(from_day, to_day);
	IF to_day >= from_day + interval '1200 months' THEN
		RAISE EXCEPTION USING ERRCODE = 'program_limit_exceeded',
			MESSAGE = format('period is too long: from %s to %s', from_day, to_day),
			DETAIL = 'At most 1200 months are possible.';
	END IF;
	EXECUTE format($query$
		SELECT array_agg(ROW(e.day, n.scorecard_id, n.terms)::segment_internal.scored_day ORDER BY e.day)
		FROM (
			SELECT $1 AS day
			UNION
			SELECT (g.month + interval '1 month')::date - 1
			FROM generate_series(date_trunc('month', $1::timestamp), $2::timestamp - interval '1 month',
				interval '1 month') AS g(month)
			UNION
			SELECT $2
		) AS e
		JOIN %1$s.scorecard_figures AS n ON n.scorecard_id = %1$s.scorecard_on(e.day)
		WHERE e.day BETWEEN $1 AND $2$query$,
		(SELECT c.relnamespace::regnamespace FROM pg_class AS c WHERE c.oid = scorecards))
	INTO days USING from_day, to_day;
	RETURN days;
END
$scored_days$;
COMMENT ON FUNCTION segment_internal.scored_days(regclass, date, date) IS
'the first day, each end of a month up to the last day, and that, ascending, each with its scorecard of a table: the newest that is not later, or the oldest; errors: 22023 as check_period, 54000 for more than 1200 months (internal)';
