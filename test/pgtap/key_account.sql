--
-- Key accounts: entry and exit limits, minimum stay, overrides, and that a
-- review removes nobody
--
\unset ECHO
\set QUIET 1
\pset format unaligned
\pset tuples_only true
\set ON_ERROR_STOP true
SET client_min_messages = warning;

BEGIN;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS segment;
SELECT plan(72);

-- 100 customers; number i has the margin 1000 - i on the first day, with a
-- horizon of 0 weeks, so that the lifetime profit is what is in the books
CREATE TABLE sale AS SELECT 'k' || i AS customer, date '2022-01-01' AS day, 1000.0 - i AS amount FROM generate_series(1, 100) AS i;
CREATE TABLE cost (customer text, day date, amount numeric);
SELECT lives_ok($$ SELECT segment.create_portfolio('shop', 'SELECT * FROM sale', costs => 'SELECT * FROM cost',
	settings => '{"horizon_weeks": 0}') $$, 'a portfolio');
CREATE FUNCTION pg_temp.on_day(day date) RETURNS segment.key_account_report LANGUAGE sql AS $$
	INSERT INTO sale VALUES ('k100', day, 0);
	SELECT segment.refresh('shop', day);
	SELECT segment.review_key_accounts('shop');
$$;

-- ---------- entry ----------

SELECT is_empty('SELECT * FROM shop.key_account', 'no key accounts before the first review');
SELECT results_eq($$ SELECT measure, entry_limit, exit_limit FROM shop.key_account_criterion ORDER BY 1 $$,
	$$ VALUES ('lifetime_profit', 1::numeric, 0::numeric), ('lifetime_rank', 20, 25) $$, 'the default criteria are rows');
SELECT is(segment.review_key_accounts('shop'), ROW('shop', '2022-01-01', 20, 20, 0, 0, 0, 0)::segment.key_account_report,
	'the first twenty enter');
SELECT bag_eq('SELECT customer_id, value, since, entered_by, would_demote FROM shop.key_account',
	$$ SELECT 'k' || i AS c, 1000.0 - i AS v, date '2022-01-01' AS s, 'criteria' AS e, false AS w FROM generate_series(1, 20) AS i $$,
	'by lifetime profit');
SELECT is(segment.review_key_accounts('shop'), ROW('shop', '2022-01-01', 20, 20, 0, 0, 0, 0)::segment.key_account_report,
	'a second review of the day takes the place of the first');
SELECT is(criteria_met, 'lifetime_profit 997 (exit limit 0), lifetime_rank 3 (exit limit 25)', 'criteria met, with their values')
FROM shop.key_account WHERE customer_id = 'k3';

-- ---------- between the limits nothing happens, in either direction ----------

-- k5 falls to rank 23; k21 rises to 20, k22 and k23 to 21 and 22
INSERT INTO cost VALUES ('k5', '2022-06-01', 18.5);
SELECT is(pg_temp.on_day('2022-06-30'), ROW('shop', '2022-06-30', 21, 1, 20, 0, 0, 0)::segment.key_account_report,
	'one enters, and the one that fell below the entry limit stays');
SELECT results_eq($$ SELECT value, enters, stays, failing_since FROM shop.key_account_requalification
		WHERE as_of = '2022-06-30' AND customer_id = 'k5' AND measure = 'lifetime_rank' $$,
	$$ VALUES (23::numeric, false, true, NULL::date) $$, 'rank 23: would not enter, does not fail');
SELECT is_empty($$ SELECT * FROM shop.key_account WHERE customer_id IN ('k22', 'k23') $$, 'between the limits nobody enters');

-- ---------- failing, minimum stay, would_demote ----------

INSERT INTO cost VALUES ('k5', '2022-07-01', 100);
SELECT is(pg_temp.on_day('2022-09-30'), ROW('shop', '2022-09-30', 21, 0, 21, 0, 0, 0)::segment.key_account_report,
	'who fails before the minimum stay is over stays');
SELECT results_eq($$ SELECT criteria_failed, would_demote FROM shop.key_account WHERE customer_id = 'k5' $$,
	$$ VALUES ('lifetime_rank 100 (exit limit 25) since 2022-09-30', false) $$, 'though it is reported');
SELECT is(pg_temp.on_day('2022-12-31'), ROW('shop', '2022-12-31', 21, 0, 21, 0, 0, 0)::segment.key_account_report,
	'364 days are not enough');
SELECT is(pg_temp.on_day('2023-01-01'), ROW('shop', '2023-01-01', 21, 0, 20, 1, 0, 0)::segment.key_account_report,
	'after 365 days it would be demoted');
SELECT results_eq($$ SELECT customer_id, criteria_failed, since FROM shop.key_account WHERE would_demote $$,
	$$ VALUES ('k5', 'lifetime_rank 100 (exit limit 25) since 2022-09-30', date '2022-01-01') $$,
	'with what it fails, and since when');
SELECT is((pg_temp.on_day('2023-03-31')).accounts, 21::bigint, 'a review removes nobody');
SELECT throws_ok($$ SELECT segment.demote_key_account('shop', 'k6', 'no golf') $$, '55000', NULL, 'who qualifies cannot be demoted');
SELECT throws_ok($$ SELECT segment.demote_key_account('shop', 'k50', 'no golf') $$, 'P0002', NULL, 'nor who is none');
SELECT throws_ok($$ SELECT segment.demote_key_account('shop', 'k5', ' ') $$, '22023', NULL, 'nor without a reason');
SELECT lives_ok($$ SELECT segment.demote_key_account('shop', 'k5', 'sales went to a competitor', 'Ann') $$, 'a person decides');
SELECT results_eq($$ SELECT since, until, left_reason, left_by FROM shop.key_account_stay WHERE customer_id = 'k5' $$,
	$$ VALUES (date '2022-01-01', date '2023-03-31', 'sales went to a competitor', 'Ann') $$, 'and the stay is kept, with the reason');
SELECT is_empty($$ SELECT * FROM shop.key_account WHERE customer_id = 'k5' $$, 'it is no key account any more');
DELETE FROM cost WHERE customer = 'k5';
SELECT is((pg_temp.on_day('2023-04-30')).entered, 1::bigint, 'it enters again when it qualifies again');

-- ---------- overrides ----------

SELECT lives_ok($$ SELECT segment.override_key_account('shop', 'k90', true, 'enters our new market', '2023-12-31', 'Bob') $$,
	'an override admits');
SELECT results_eq($$ SELECT entered_by, override_reason, override_by, override_until, override_expired, would_demote
		FROM shop.key_account WHERE customer_id = 'k90' $$,
	$$ VALUES ('override', 'enters our new market', 'Bob', date '2023-12-31', false, false) $$, 'at once, and is shown');
SELECT lives_ok($$ SELECT segment.override_key_account('shop', 'k1', false, 'lawsuit', '2024-06-30', 'Bob') $$, 'an override keeps out');
SELECT is_empty($$ SELECT * FROM shop.key_account WHERE customer_id = 'k1' $$, 'at once');
SELECT results_eq($$ SELECT accounts, would_demote, overridden, kept_out FROM pg_temp.on_day('2023-06-30') $$,
	'VALUES (21::bigint, 0::bigint, 1::bigint, 1::bigint)', 'a review respects both');
SELECT is(array_agg(DISTINCT decision), '{kept_out}', 'and says so') FROM shop.key_account_requalification
WHERE as_of = '2023-06-30' AND customer_id = 'k1';
SELECT results_eq($$ SELECT would_demote, overridden, kept_out FROM pg_temp.on_day('2023-12-31') $$,
	'VALUES (0::bigint, 1::bigint, 1::bigint)', 'its last day is included');
SELECT results_eq($$ SELECT would_demote, overridden, kept_out FROM pg_temp.on_day('2024-01-01') $$,
	'VALUES (0::bigint, 0::bigint, 1::bigint)', 'then the criteria count, after the minimum stay');
SELECT results_eq($$ SELECT override_expired, would_demote FROM shop.key_account WHERE customer_id = 'k90' $$,
	'VALUES (true, false)', 'an expired override is reported');
SELECT is((pg_temp.on_day('2024-06-30')).would_demote, 1::bigint, 'after it the account would be demoted');
SELECT is((pg_temp.on_day('2024-07-01')).entered, 1::bigint, 'and who was kept out enters');
SELECT lives_ok($$ SELECT segment.override_key_account('shop', 'k90', true, 'once more', '2024-12-31', 'Eve') $$, 'a new override');
SELECT results_eq($$ SELECT reason, ended_by, end_reason FROM shop.key_account_override WHERE customer_id = 'k90' ORDER BY created_at $$,
	$$ VALUES ('enters our new market', 'Eve', 'replaced: once more'), ('once more', NULL, NULL) $$,
	'takes the place of the old one, and both are kept');
SELECT lives_ok($$ SELECT segment.end_key_account_override('shop', 'k90', 'did not work') $$, 'an override can be ended');
SELECT is((pg_temp.on_day('2024-07-02')).would_demote, 1::bigint, 'then the criteria count');
SELECT is(ended_by, session_user::text, 'who did it is known') FROM shop.key_account_override
WHERE customer_id = 'k90' AND reason = 'once more';

-- ---------- criteria have versions ----------

INSERT INTO shop.key_account_criterion (valid_from, measure, entry_limit, exit_limit, reason)
VALUES ('2024-08-01', 'lifetime_profit', 995, 990, 'fewer'), ('2024-08-01', 'days_since_last', 900, 1000, 'and not too long ago');
SELECT is((pg_temp.on_day('2024-07-31')).would_demote, 1::bigint, 'a version is not in force before its day');
INSERT INTO sale SELECT 'k' || i, '2024-07-31', 0 FROM generate_series(1, 8) AS i;
SELECT results_eq($$ SELECT accounts, stayed, would_demote FROM pg_temp.on_day('2024-08-01') $$,
	-- k1 to k10 have 990 or more
	'VALUES (22::bigint, 10::bigint, 12::bigint)', 'from its day on it is');
SELECT results_eq($$ SELECT DISTINCT measure FROM shop.key_account_requalification WHERE as_of = '2024-08-01' ORDER BY 1 $$,
	$$ VALUES ('days_since_last'), ('lifetime_profit') $$, 'all of it');
SELECT throws_ok($$ INSERT INTO shop.key_account_criterion VALUES ('2025-01-01', 'orders', 5, 5) $$, '23514', NULL,
	'entry and exit limit must differ');
SELECT throws_ok($$ INSERT INTO shop.key_account_criterion VALUES ('2025-01-01', 'golf', 5, 4) $$, '23514', NULL,
	'a measure must be known');

-- ---------- the rest ----------

SELECT lives_ok($$ SELECT segment.assign_key_account('shop', 'k2', 'Ann', 'the board') $$, 'an account manager, and an executive');
SELECT results_eq($$ SELECT owner, executive FROM shop.key_account WHERE customer_id = 'k2' $$, $$ VALUES ('Ann', 'the board') $$, 'are shown');

-- who has been responsible, and in which stage the relation is
SELECT results_eq($$ SELECT owner_changes, stage FROM shop.key_account WHERE customer_id = 'k2' $$, $$ VALUES (0::bigint, NULL::text) $$, 'named once, no stage yet');
SELECT lives_ok($$ SELECT segment.assign_key_account('shop', 'k2', 'Ann', 'the board') $$, 'the same again');
SELECT lives_ok($$ SELECT segment.assign_key_account('shop', 'k2', 'Ann', 'Dora') $$, 'another executive');
SELECT lives_ok($$ SELECT segment.set_key_account_stage('shop', 'k2', 'incubation', who => 'Ann') $$, 'a stage');
SELECT is((pg_temp.on_day('2024-08-02')).accounts, 22::bigint, 'a day later');
SELECT lives_ok($$ SELECT segment.assign_key_account('shop', 'k2', 'Ben') $$, 'another account manager');
SELECT lives_ok($$ SELECT segment.assign_key_account('shop', 'k2', 'Ann') $$, 'and the first one again');
SELECT lives_ok($$ SELECT segment.set_key_account_stage('shop', 'k2', 'early', 'first order', 'Ann') $$, 'the next stage');
SELECT results_eq($$ SELECT owner, executive, owner_since, owner_changes, stage, stage_since, stage_by, stage_label_zh, stage_action IS NOT NULL AND stage_action_zh IS NOT NULL
	FROM shop.key_account WHERE customer_id = 'k2' $$,
	$$ VALUES ('Ann', 'Dora', date '2024-08-02', 2::bigint, 'early', date '2024-08-02', 'Ann', '初期阶段', true) $$, 'two changes of the manager, the second stage');
SELECT results_eq($$ SELECT kind, value, executive, from_day, until_day, who = session_user AS by_user, note FROM shop.key_account_history
		WHERE customer_id = 'k2' ORDER BY kind, created_at $$,
	$$ VALUES ('owner', 'Ann', 'the board', date '2024-08-01', date '2024-08-01', true, NULL),
		('owner', 'Ann', 'Dora', '2024-08-01', '2024-08-02', true, NULL),
		('owner', 'Ben', 'Dora', '2024-08-02', '2024-08-02', true, NULL),
		('owner', 'Ann', 'Dora', '2024-08-02', NULL, true, NULL),
		('stage', 'incubation', NULL, '2024-08-01', '2024-08-02', false, NULL),
		('stage', 'early', NULL, '2024-08-02', NULL, false, 'first order') $$, 'and all of it is kept');
SELECT throws_ok($$ SELECT segment.set_key_account_stage('shop', 'k2', 'married') $$, '22023', 'stage "married" of a key account is not known');
SELECT throws_ok($$ SELECT segment.set_key_account_stage('shop', 'k2', 'early', who => ' ') $$, '22023', 'argument "who" must not be empty');
SELECT throws_ok($$ SELECT segment.set_key_account_stage('shop', (SELECT customer_id FROM shop.customer AS c
	WHERE NOT EXISTS (SELECT FROM shop.key_account AS a WHERE a.customer_id = c.customer_id) ORDER BY 1 LIMIT 1), 'early') $$, 'P0002', NULL, 'only of a key account');
SELECT results_eq('SELECT stage, label_zh, action <> action_zh FROM shop.key_account_stage ORDER BY ordinal',
	$$ VALUES ('incubation', '孕育阶段', true), ('early', '初期阶段', true), ('middle', '中期阶段', true), ('partner', '战略合作伙伴阶段', true) $$, 'the four stages');
DELETE FROM sale WHERE customer = 'k2';
SELECT is((pg_temp.on_day('2024-08-04')).accounts, 22::bigint, 'an account that the sources no longer name stays');
SELECT results_eq($$ SELECT value, would_demote FROM shop.key_account WHERE customer_id = 'k2' $$, 'VALUES (NULL::numeric, true)',
	'without a value, and would be demoted');
-- who leaves has no manager any more; a new stay begins without one
SELECT lives_ok($$ SELECT segment.override_key_account('shop', 'k2', false, 'gone', '2024-12-31', 'Ann') $$, 'the account leaves');
SELECT is_empty($$ SELECT FROM shop.key_account_owner WHERE customer_id = 'k2' AND until_day IS NULL $$, 'and its manager with it');
SELECT is((pg_temp.on_day('2024-08-05')).accounts, 21::bigint, 'a day later');
SELECT lives_ok($$ SELECT segment.override_key_account('shop', 'k2', true, 'back', '2024-12-31', 'Ann') $$, 'it comes back');
SELECT results_eq($$ SELECT owner, owner_changes, stage FROM shop.key_account WHERE customer_id = 'k2' $$, $$ VALUES (NULL::text, NULL::bigint, NULL::text) $$, 'as a new one');
SELECT segment.refresh('shop', '2024-01-01') IS NOT NULL \g /dev/null
SELECT throws_ok($$ SELECT segment.review_key_accounts('shop') $$, '55000', NULL, 'no review before the last one');

-- keys of other types, with the names of columns; few accounts
SELECT lives_ok($$ SELECT segment.create_portfolio('numbers', 'SELECT i::bigint, date ''2024-01-01'', i FROM generate_series(1, 3) AS i') $$, 'keys are numbers');
SELECT lives_ok($$ SELECT segment.override_key_account('numbers', 2, false, 'no', '2024-01-01'),
	segment.override_key_account('numbers', '3', true, 'yes', '2024-01-01') $$, 'given as number or as text');
SELECT is((segment.review_key_accounts('numbers')).accounts, 2::bigint, 'two accounts');
SELECT lives_ok($$ SELECT segment.drop_portfolio(p) FROM unnest('{shop,numbers}'::text[]) AS p $$, 'portfolios can be dropped');

SELECT * FROM finish();
ROLLBACK;
