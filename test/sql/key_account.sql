--
-- Key accounts: every refusal, the notice, and whose rights are used
--
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SET client_min_messages = warning;
CREATE SCHEMA key_account_test;
SET search_path = key_account_test, public;

\getenv test_directory PG_ABS_SRCDIR
\set helpers :test_directory '/helpers.sql'
\set failure_form lines
\set ECHO none
\i :helpers
\set ECHO all
\pset format unaligned
\pset tuples_only on

CREATE TABLE orders (customer_id bigint, ordered_at date, total numeric);
INSERT INTO orders VALUES (1, '2024-01-05', 900), (2, '2024-02-04', 50), (3, '2024-03-05', 12);
SELECT customers FROM segment.create_portfolio('key_shop', 'SELECT * FROM orders');

-- a notice where the number is not usual
SET client_min_messages = notice;
SELECT * FROM segment.review_key_accounts('key_shop');
SET client_min_messages = warning;

-- ---------- refusals ----------

SELECT pg_temp.failure($$ SELECT segment.review_key_accounts('nowhere') $$);
SELECT pg_temp.failure($$ SELECT segment.review_key_accounts(NULL) $$);
SELECT pg_temp.failure($$ SELECT segment.override_key_account('key_shop', 4, true, 'new market', '2025-01-01') $$);
SELECT pg_temp.failure($$ SELECT segment.override_key_account('key_shop', 'x', true, 'new market', '2025-01-01') $$);
SELECT pg_temp.failure($$ SELECT segment.override_key_account('key_shop', NULL, true, 'new market', '2025-01-01') $$);
SELECT pg_temp.failure($$ SELECT segment.override_key_account('key_shop', 1, NULL, 'new market', '2025-01-01') $$);
SELECT pg_temp.failure($$ SELECT segment.override_key_account('key_shop', 1, true, '', '2025-01-01') $$);
SELECT pg_temp.failure($$ SELECT segment.override_key_account('key_shop', 1, true, 'new market', '2025-01-01', '') $$);
SELECT pg_temp.failure($$ SELECT segment.override_key_account('key_shop', 1, true, 'new market', '2024-03-04') $$);
SELECT pg_temp.failure($$ SELECT segment.override_key_account('key_shop', 1, true, 'new market', 'infinity') $$);
SELECT pg_temp.failure($$ SELECT segment.override_key_account('key_shop', 1, true, 'new market', NULL) $$);
SELECT pg_temp.failure($$ SELECT segment.end_key_account_override('key_shop', 1, 'over') $$);
SELECT pg_temp.failure($$ SELECT segment.demote_key_account('key_shop', 1, NULL) $$);
SELECT pg_temp.failure($$ SELECT segment.demote_key_account('key_shop', 1, 'too small') $$);
SELECT pg_temp.failure($$ SELECT segment.assign_key_account('key_shop', 9, 'Ann') $$);
UPDATE key_shop.key_account_criterion SET valid_from = '2024-04-01';
SELECT pg_temp.failure($$ SELECT segment.review_key_accounts('key_shop') $$);
SELECT pg_temp.failure($$ SELECT segment_internal.portfolio_run('key_shop', 'refresh', '{}', NULL::segment.key_account_report) $$);
SELECT pg_temp.failure($$ SELECT segment_internal.portfolio_run('key_shop', 'key_account', '{"command": "assign", "customer": "1", "owner": "Ann"}', NULL::segment.refresh_report) $$);
-- nothing of this left a trace
SELECT count(*) FROM key_shop.key_account_override;
SELECT customer_id, owner, would_demote FROM key_shop.key_account ORDER BY 1;

-- ---------- rights ----------

CREATE ROLE key_account_owner;
CREATE ROLE key_account_clerk;
GRANT USAGE ON SCHEMA key_account_test TO key_account_owner, key_account_clerk;
GRANT SELECT ON orders TO key_account_owner;
DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO key_account_owner', current_database()); END $$;
SET ROLE key_account_owner;
SELECT customers FROM segment.create_portfolio('their_shop', 'SELECT * FROM orders');
SET ROLE key_account_clerk;
SELECT pg_temp.failure($$ SELECT segment.review_key_accounts('their_shop') $$);
SELECT pg_temp.failure($$ SELECT segment.override_key_account('their_shop', 1, true, 'a friend', '2030-01-01') $$);
RESET ROLE;
-- a superuser's review runs the owner's rules as the owner
SELECT accounts FROM segment.review_key_accounts('their_shop');
SELECT segment.override_key_account('their_shop', 3, false, 'does not pay', '2024-12-31', 'Ann');
SELECT current_user = session_user AS still_myself;
SET ROLE key_account_owner;
SELECT customer_id, reason, who FROM their_shop.key_account_override;
SELECT segment.drop_portfolio('their_shop');
RESET ROLE;

SELECT segment.drop_portfolio('key_shop');
DO $$ BEGIN EXECUTE format('REVOKE CREATE ON DATABASE %I FROM key_account_owner', current_database()); END $$;
DROP SCHEMA key_account_test CASCADE;
DROP ROLE key_account_owner, key_account_clerk;
