/*
 * scheme_quality: how well the classes of a scheme tell customers of different value
 * apart, and whether customers stay in them
 */

CREATE FUNCTION segment_internal.scheme_quality_create_tables(portfolio text) RETURNS void
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
END;
COMMENT ON FUNCTION segment_internal.scheme_quality_create_tables(text) IS
'the concept scheme_quality has no tables of its own (internal)';

/*
 * Sums of squares are taken as n times a sum of squares minus the square of a
 * sum, which is exact, and divided afterwards.  The index is twice the difference
 * of the pairs that are together in both from those that would be by chance, over
 * the most that this can be, all multiplied by the number of pairs, so that there
 * is one division.
 */
CREATE FUNCTION segment_internal.scheme_quality_create_views(portfolio text, security_invoker boolean) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $scheme_quality_create_views$
DECLARE
	schemes record := segment_internal.value_schemes(portfolio);
BEGIN
	EXECUTE format($template$
		CREATE OR REPLACE VIEW %1$I.scheme_quality WITH (security_invoker = %2$s) AS
		WITH class AS (
			SELECT m.scheme, m.class, sum(g.customers) AS n, sum(g.net_value) AS s, sum(g.squares) AS q
			FROM (
				SELECT %4$s AS classes, count(*) AS customers, sum(c.net_value) AS net_value, sum(c.net_value * c.net_value) AS squares
				FROM %1$I.customer AS c
				GROUP BY %5$s
			) AS g
			CROSS JOIN LATERAL unnest(%3$s, g.classes) AS m(scheme, class)
			GROUP BY m.scheme, m.class
		), variance AS (
			SELECT c.scheme, count(*) AS classes, sum(c.n)::bigint AS customers, max(c.n) / sum(c.n) AS largest,
				(sum(c.n) * sum(c.q) - sum(c.s) * sum(c.s)) / sum(c.n) / sum(c.n) AS total,
				sum((c.n * c.q - c.s * c.s) / c.n) / sum(c.n) AS within
			FROM class AS c
			GROUP BY c.scheme
		), moved AS (
			-- the last two snapshots that have the scheme
			SELECT k.scheme, g.from_day, g.to_day, g.classes_from ->> k.scheme AS from_class, g.classes_to ->> k.scheme AS to_class, sum(g.customers) AS n
			FROM (
				SELECT p.from_day, p.to_day, p.schemes, f.classes AS classes_from, t.classes AS classes_to, count(*) AS customers
				FROM (
					SELECT d.days[2] AS from_day, d.days[1] AS to_day, array_agg(d.scheme) AS schemes
					FROM (
						SELECT s.scheme, array_agg(t.as_of ORDER BY t.as_of DESC) AS days
						FROM %1$I.scheme AS s
						JOIN %1$I.snapshot AS t ON s.scheme = ANY (t.schemes)
						GROUP BY s.scheme
					) AS d
					WHERE cardinality(d.days) > 1
					GROUP BY d.days[2], d.days[1]
				) AS p
				JOIN %1$I.snapshot_customer AS f ON f.as_of = p.from_day
				JOIN %1$I.snapshot_customer AS t ON t.as_of = p.to_day AND t.customer_id %6$s f.customer_id
				GROUP BY p.from_day, p.to_day, p.schemes, f.classes, t.classes
			) AS g
			CROSS JOIN LATERAL unnest(g.schemes) AS k(scheme)
			GROUP BY k.scheme, g.from_day, g.to_day, g.classes_from ->> k.scheme, g.classes_to ->> k.scheme
		), pairs AS (
			SELECT m.scheme, m.from_day, m.to_day, sum(m.n) AS n, sum(m.n) FILTER (WHERE m.from_class = m.to_class) AS stayed,
				sum(m.n * (m.n - 1) / 2) AS both,
				(SELECT sum(a.n * (a.n - 1) / 2) FROM (SELECT sum(c.n) AS n FROM moved AS c WHERE c.scheme = m.scheme GROUP BY c.from_class) AS a) AS before,
				(SELECT sum(a.n * (a.n - 1) / 2) FROM (SELECT sum(c.n) AS n FROM moved AS c WHERE c.scheme = m.scheme GROUP BY c.to_class) AS a) AS after,
				sum(m.n) * (sum(m.n) - 1) / 2 AS possible
			FROM moved AS m
			GROUP BY m.scheme, m.from_day, m.to_day
		)
		SELECT k.scheme, coalesce(v.classes, 0) AS classes, coalesce(v.customers, 0) AS customers, v.largest::float8 AS largest_share,
			v.total::float8 AS variance, v.within::float8 AS within, (v.total - v.within)::float8 AS between,
			((v.total - v.within) / nullif(v.total, 0))::float8 AS explained,
			p.from_day, p.to_day, p.n::bigint AS compared, (coalesce(p.stayed, 0) / p.n)::float8 AS stayed_share,
			CASE WHEN p.possible > 0 THEN coalesce((2 * (p.both * p.possible - p.before * p.after)
				/ nullif((p.before + p.after) * p.possible - 2 * p.before * p.after, 0))::float8, 1) END AS adjusted_rand
		FROM %1$I.scheme AS k
		LEFT JOIN variance AS v ON v.scheme = k.scheme
		LEFT JOIN pairs AS p ON p.scheme = k.scheme$template$, portfolio, security_invoker,
		schemes.names, schemes.classes, schemes.columns, (segment_internal.portfolio_key(portfolio)).equality);
END
$scheme_quality_create_views$;
COMMENT ON FUNCTION segment_internal.scheme_quality_create_views(text, boolean) IS
'creates or replaces the view scheme_quality of a portfolio (internal)';

CREATE FUNCTION segment_internal.scheme_quality_comments() RETURNS TABLE (relation text, col text, meaning text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 14
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
SELECT v.* FROM (VALUES
	('scheme_quality', NULL, 'one row per scheme: how well its classes tell customers of different value apart, and whether customers stayed in them between the last two snapshots that have the scheme'),
	('scheme_quality', 'scheme', 'code of the scheme'),
	('scheme_quality', 'classes', 'number of classes with a customer, >= 0'),
	('scheme_quality', 'customers', 'number of customers, >= 0'),
	('scheme_quality', 'largest_share', 'share of the customers who are in the largest class, 0..1; NULL without customers'),
	('scheme_quality', 'variance', 'variance of the customers'' net value, in units of money squared, >= 0; NULL without customers'),
	('scheme_quality', 'within', 'the part of it that is inside of classes: mean squared distance of a customer from the mean of the class; lower is better'),
	('scheme_quality', 'between', 'the part of it that is between classes: mean squared distance of that mean from the mean of all; higher is better. The two add up to variance'),
	('scheme_quality', 'explained', 'between / variance: share of the differences in net value that the class tells, 0..1; higher is better, but grows with the number of classes; NULL: no differences (eta squared; R. A. Fisher 1925)'),
	('scheme_quality', 'from_day', 'day of the last snapshot but one that has the scheme; NULL: there are not two'),
	('scheme_quality', 'to_day', 'day of the last; NULL as from_day'),
	('scheme_quality', 'compared', 'customers who are in both, >= 1; NULL: there are none'),
	('scheme_quality', 'stayed_share', 'share of these who are in the same class in both, 0..1; NULL as compared'),
	('scheme_quality', 'adjusted_rand', 'how far the two snapshots group the same customers together: 1 exactly, 0 no more than by chance, below 0 less; what the classes are called does not matter; NULL with fewer than two customers (adjusted Rand index; Hubert and Arabie 1985)')
) AS v(relation, col, meaning);
END;
COMMENT ON FUNCTION segment_internal.scheme_quality_comments() IS
'the comments on the view scheme_quality and its columns';
