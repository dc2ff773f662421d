CREATE FUNCTION segment.wilson_interval(successes bigint, trials bigint, OUT low float8, OUT high float8)
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
SELECT CASE WHEN w.n > 0 THEN CASE WHEN w.x <= 0 THEN 0 ELSE greatest(0, w.middle - w.half) END END,
	CASE WHEN w.n > 0 THEN CASE WHEN w.x >= w.n THEN 1 ELSE least(1, w.middle + w.half) END END
FROM (
	SELECT v.x, v.n, (v.x + v.z * v.z / 2) / (v.n + v.z * v.z) AS middle,
		v.z * sqrt(greatest(0, v.x * (1 - v.x / nullif(v.n, 0))) + v.z * v.z / 4) / (v.n + v.z * v.z) AS half
	-- z is the 97.5 % quantile of the normal distribution
	FROM (SELECT successes::float8 AS x, trials::float8 AS n, 1.959963984540054::float8 AS z) AS v
) AS w;
END;
COMMENT ON FUNCTION segment.wilson_interval(bigint, bigint) IS
'95 % confidence interval of a share, 0..1: successes of trials, 0 <= successes <= trials; NULL without trials (E. B. Wilson, JASA 22, 1927; without continuity correction)';

CREATE FUNCTION segment.ratio_interval(
	successes bigint, trials bigint, base_successes bigint, base_trials bigint,
	OUT ratio float8, OUT low float8, OUT high float8
)
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
SELECT s.p / s.q,
	CASE WHEN s.p = 0 THEN 0 ELSE s.l * (2 * s.p - s.l)
		/ (s.p * s.q + sqrt(greatest(0, (s.p * s.q) ^ 2
			- s.l * (2 * s.p - s.l) * s.base_u * (2 * s.q - s.base_u)))) END,
	(s.p * s.q + sqrt(greatest(0, (s.p * s.q) ^ 2
			- s.u * (2 * s.p - s.u) * s.base_l * (2 * s.q - s.base_l))))
		/ (s.base_l * (2 * s.q - s.base_l))
FROM (
	-- nullif: constants may be folded before WHERE has its say
	SELECT successes::float8 / nullif(trials, 0) AS p,
		nullif(base_successes, 0)::float8 / nullif(base_trials, 0) AS q,
		w.low AS l, w.high AS u, b.low AS base_l, b.high AS base_u
	FROM segment.wilson_interval(successes, trials) AS w,
		segment.wilson_interval(base_successes, base_trials) AS b
	WHERE trials > 0 AND base_trials > 0 AND base_successes > 0
) AS s;
END;
COMMENT ON FUNCTION segment.ratio_interval(bigint, bigint, bigint, bigint) IS
'a share divided by the share of an independent base, >= 0, with its 95 % confidence interval; NULL where there are no trials or no successes in the base (method MOVER-R on Wilson intervals: Donner and Zou, Statistical Methods in Medical Research 21, 2012; Newcombe, the same 25, 2016)';
