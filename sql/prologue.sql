/* segment: customer value inside PostgreSQL */

-- complain if the script is sourced in psql rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION segment" to load this file. \quit

COMMENT ON SCHEMA segment IS
'customer value: RFM, histories, scores, models and portfolios (extension segment)';

-- whoever installs it shares it: all here checks the caller's own rights
GRANT USAGE ON SCHEMA segment TO PUBLIC;
