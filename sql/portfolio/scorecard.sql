CREATE FUNCTION segment_internal.model_figures(model segment.model) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
SELECT string_agg(format('%s %s', p.key, round((p.value #>> '{}')::numeric, 6))
	|| coalesce(format(' (%s)', round(segment.stderr(model, p.key)::numeric, 6)), ''), ', ' ORDER BY p.key)
FROM jsonb_each(segment.params(model)) AS p;
END;
COMMENT ON FUNCTION segment_internal.model_figures(segment.model) IS
'the parameters of a model with their standard errors, as a line to read: "a 0.89 (0.15), ..."';
