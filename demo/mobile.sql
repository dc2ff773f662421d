-- A mobile operator with 1,000 subscribers of six kinds, with the shares and the monthly
-- revenue per head of the published example; usage lies around the means of the kind.
-- The same for everybody who runs this.
CREATE TABLE kind (kind text, heads integer, before integer, arpu integer, minutes integer, off_peak numeric, sms integer, abroad integer, handsets numeric);
INSERT INTO kind VALUES
	('keep-in-touch', 333, 0, 38, 60, 0.3, 110, 2, 0.2), ('won''t-lose-out', 233, 333, 39, 150, 0.9, 90, 3, 0.3),
	('handset lovers', 188, 566, 56, 140, 0.3, 200, 10, 2.5), ('SMS-crazy', 102, 754, 78, 130, 0.4, 845, 5, 0.8),
	('high-end talkers', 111, 856, 111, 700, 0.2, 190, 15, 0.9), ('global talkers', 33, 967, 188, 450, 0.3, 120, 260, 1);
CREATE TABLE subscriber AS
SELECT k.before + g.n AS id, k.kind, round(k.minutes * (0.8 + 0.4 * d.u[1])) AS minutes, round(k.off_peak * (0.9 + 0.2 * d.u[2]), 2) AS off_peak,
	round(k.sms * (0.8 + 0.4 * d.u[3])) AS sms, round(k.abroad * (0.8 + 0.4 * d.u[4])) AS abroad, round(k.handsets * (0.8 + 0.4 * d.u[5]), 2) AS handsets,
	CASE WHEN d.u[6] < CASE k.kind WHEN 'SMS-crazy' THEN 0.65 WHEN 'global talkers' THEN 0.8 ELSE 0.45 END THEN 'male' ELSE 'female' END AS sex
FROM kind AS k
CROSS JOIN LATERAL generate_series(1, k.heads) AS g(n)
CROSS JOIN LATERAL (SELECT ARRAY[mod(g.n * 7919, 101) / 100.0, mod(g.n * 6101, 103) / 102.0, mod(g.n * 5003, 107) / 106.0, mod(g.n * 3001, 109) / 108.0,
	mod(g.n * 4001, 113) / 112.0, mod(g.n * 37, 100) / 100.0] AS u) AS d;
CREATE TABLE bill AS
SELECT s.id, (date '2023-01-31' + m.n * interval '1 month')::date AS at, k.arpu + CASE WHEN (s.id + m.n) % 2 = 0 THEN 2 ELSE -2 END AS amount
FROM subscriber AS s JOIN kind AS k USING (kind) CROSS JOIN generate_series(0, 11) AS m(n);
