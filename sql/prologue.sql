/* segment: customer value inside PostgreSQL */

-- complain if the script is sourced in psql rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION segment" to load this file. \quit

/*
 * The script makes its schemas itself: one that exists already would belong to
 * somebody who could put functions into it that come before ours, so that is an
 * error.  The control file says schema = 'pg_catalog', so that nothing but
 * pg_catalog is in the search path while the script runs, and names in the
 * bodies of functions mean what they say there, whatever the caller's path is.
 */
CREATE SCHEMA segment;
COMMENT ON SCHEMA segment IS
'customer value: RFM, histories, scores, models and portfolios (extension segment)';

CREATE SCHEMA segment_internal;
COMMENT ON SCHEMA segment_internal IS
'what schema segment and the views of portfolios are made of (extension segment); nothing here is to be called by name, and all may change';

-- whoever installs it shares it: all here checks the caller's own rights
GRANT USAGE ON SCHEMA segment, segment_internal TO PUBLIC;
