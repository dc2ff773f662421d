# Each SQL fragment uses only what stands before it: they are loaded one after
# another, and after each every function so far must be sound.  plpgsql_check
# looks into functions in PL/pgSQL, the server's own validator into those in
# SQL.  What is executed as text neither sees; source_tree.pl looks for it.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $top = $ENV{TESTDIR};

my $node = PostgreSQL::Test::Cluster->new('fragments');
$node->init(extra => [ '--locale=C.UTF-8', '--encoding=UTF8' ]);
$node->append_conf('postgresql.conf', "fsync = off\ncheck_function_bodies = off\nclient_min_messages = warning");
$node->start;
if (!$node->safe_psql('postgres', q{SELECT count(*) FROM pg_available_extensions WHERE name = 'plpgsql_check'}))
{
	$node->stop;
	diag('NOT TESTED: this server has no extension plpgsql_check');
	plan skip_all => 'no extension plpgsql_check';
}
$node->safe_psql('postgres', q{CREATE SCHEMA plpgsql_check; CREATE EXTENSION plpgsql_check SCHEMA plpgsql_check});

my ($listed) = slurp_file("$top/Makefile") =~ /^SQL_FRAGMENTS = \\\n((?:.*\\\n)*.*\n)/m;
my @fragments = $listed =~ /(\S+)(?:\s*\\)?\n/g;
cmp_ok(scalar @fragments, '>', 30, 'the Makefile lists the fragments');

# As CREATE EXTENSION does it.  The schema is the script's own to make unless
# the control file names it.
my ($schema) = slurp_file("$top/segment.control") =~ /^schema = '(.*)'$/m;
$node->safe_psql('postgres', 'CREATE SCHEMA segment') if $schema eq 'segment';

# The errors of all functions that are there, one a line.  Functions of
# triggers need a table to be looked at, and no fragment has one.  That a
# record has no type yet, or a plan no columns, is said of what EXECUTE gives.
my $errors = q{
	SET check_function_bodies = on;
	CREATE OR REPLACE FUNCTION pg_temp.validation(function oid) RETURNS text LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM fmgr_sql_validator(function);
		RETURN NULL;
	EXCEPTION WHEN OTHERS THEN
		RETURN SQLERRM;
	END
	$$;
	WITH function AS (
		SELECT p.oid, l.lanname, p.prorettype FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang
		WHERE p.pronamespace IN (SELECT oid FROM pg_namespace WHERE nspname IN ('segment', 'segment_internal')) AND p.prosqlbody IS NULL)
	SELECT f.oid::regprocedure || ': ' || c.message || coalesce(' in ' || c.query, '')
	FROM function AS f, plpgsql_check.plpgsql_check_function_tb(f.oid, fatal_errors => false) AS c
	WHERE f.lanname = 'plpgsql' AND f.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype) AND c.level = 'error'
		AND c.message !~ '^(record ".*" is not assigned yet|cached plan is not valid plan)$'
	UNION ALL
	SELECT f.oid::regprocedure || ': ' || v FROM function AS f, pg_temp.validation(f.oid) AS v
	WHERE f.lanname = 'sql' AND v IS NOT NULL
	ORDER BY 1};

foreach my $fragment (@fragments)
{
	my $sql = `perl "$top/sql/assemble.pl" "$top/sql/$fragment.sql"`;
	$sql =~ s/^\\echo.*$//m;
	$sql =~ s/\bMODULE_PATHNAME\b/\$libdir\/segment/g;
	$node->safe_psql('postgres', "SET search_path = $schema, pg_temp;\n$sql");
	is($node->safe_psql('postgres', $errors), '', "$fragment and what stands before it are enough");
}
cmp_ok($node->safe_psql('postgres', q{SELECT count(*) FROM pg_proc WHERE pronamespace::regnamespace::text LIKE 'segment%'}),
	'>', 300, 'functions were there to be looked at');
$node->stop;

done_testing();
