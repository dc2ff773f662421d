/* ---------- scores ---------- */

CREATE FUNCTION segment.score(value float8, cuts float8[])
RETURNS integer
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
COST 1
AS 'MODULE_PATHNAME', 'segment_score';
COMMENT ON FUNCTION segment.score(float8, float8[]) IS
'the group of a value, from 1 (lowest) to one more than the number of cut points (highest): one more than the number of cut points below the value, so that a value equal to a cut point belongs to the lower group; equal values have equal scores; NULL in, NULL out; error 22023 for NaN, infinity and descending cut points, 22004 for a NULL cut point, 2202E for an array of several dimensions';
