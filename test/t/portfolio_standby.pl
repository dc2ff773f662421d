# A streaming standby answers all views and functions of a portfolio as the
# primary does, under every plan and while refreshes run there; it refuses what
# writes; and once promoted it goes on by itself.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Portfolios;

my $primary = PostgreSQL::Test::Cluster->new('primary');
$primary->init(allows_streaming => 1, extra => [ '--locale=C.UTF-8', '--encoding=UTF8' ]);
$primary->append_conf('postgresql.conf', "timezone = 'UTC'\nfsync = off");
$primary->start;
make_portfolios($primary, 'shop');
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
# A query is not cancelled for the rows it reads being vacuumed away.
$standby->append_conf('postgresql.conf', 'hot_standby_feedback = on');
$standby->start;

my @refresh = map { (my $literal = $_) =~ s/'/''/g; "segment.refresh('$literal')" } @Portfolios::names;

# ---------- the same answers ----------

$primary->wait_for_catchup($standby);
my $start = answers($primary, 'shop');
cmp_ok(scalar(keys %$start), '>', 80, 'views, tables and functions of two portfolios are asked');
is(differences(answers($standby, 'shop'), $start), '', 'the standby gives the same answers');

new_orders($primary, 'shop', 1);
$primary->safe_psql('shop', 'SELECT ' . join(', ', @refresh));
$primary->safe_psql('shop', q{SELECT segment.take_snapshot('b2b'), segment.alter_portfolio('b2b', settings => '{"margin": 0.4}')});
$primary->wait_for_catchup($standby);
my $later = answers($primary, 'shop');
isnt(differences($later, $start), '', 'a refresh changes the answers');
is(differences(answers($standby, 'shop'), $later), '', 'and the standby has them');

# Parallel workers read a portfolio's tables, which are small, only when forced.
my $force = $primary->pg_version >= 16 ? 'debug_parallel_query' : 'force_parallel_mode';
my %plan = (
	'parallel workers' => "SET $force = on; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0;
		SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 2;",
	'no hashing' => 'SET enable_hashjoin = off; SET enable_hashagg = off; SET enable_memoize = off;',
	'little memory' => "SET work_mem = '64kB'; SET hash_mem_multiplier = 1;",
	'generic plans' => 'SET plan_cache_mode = force_generic_plan;',
);
# Plans that nobody would choose take long: on the small portfolio only, and
# not compiled, as the costs of what is switched off would ask for.
my %odd_plan = (
	'no merging, no sorting' => 'SET enable_mergejoin = off; SET enable_sort = off; SET enable_incremental_sort = off;',
	'nested loops' => 'SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_material = off;',
	'only indexes' => 'SET enable_seqscan = off; SET enable_bitmapscan = off;',
	'no indexes' => 'SET enable_indexscan = off; SET enable_indexonlyscan = off; SET enable_bitmapscan = off;',
);
foreach my $plan (sort keys %plan)
{
	is(differences(answers($standby, 'shop', settings => $plan{$plan}), $later), '', "the standby gives the same answers: $plan");
}
my $later_b2b = answers($primary, 'shop', portfolios => ['b2b']);
foreach my $plan (sort keys %odd_plan)
{
	is(differences(answers($standby, 'shop', portfolios => ['b2b'], settings => "SET jit = off; $odd_plan{$plan}"), $later_b2b),
		'', "the standby gives the same answers: $plan");
}

# ---------- while refreshes run on the primary ----------

# One transaction sees one state: a portfolio's scorecard, histories and views
# belong together, however often the primary refreshes.
my $rounds = 12;
my $script = PostgreSQL::Test::Utils::tempdir . '/refreshes.sql';
append_to_file($script, join '', "SET client_min_messages = warning;\n", map { qq{
	INSERT INTO sales.firm SELECT n, date '2024-06-01' + $_, 10 * $_ FROM generate_series(1, 200) AS n;
	DELETE FROM sales.firm WHERE firm > 150 + $_;
	SELECT segment.refresh('b2b') IS NOT NULL;
	VACUUM b2b.customer_history, b2b.scorecard;
} } 1 .. $rounds);
my ($writer_out, $writer_err) = ('', '');
my $timer = IPC::Run::timer($PostgreSQL::Test::Utils::timeout_default);
my $writer = IPC::Run::start([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $primary->connstr('shop'), '-f', $script ],
	'>', \$writer_out, '2>', \$writer_err, $timer);
my ($reads, $torn, %seen) = (0, 0);
while ($writer->pumpable)
{
	my $row = $standby->safe_psql('shop', q{BEGIN ISOLATION LEVEL REPEATABLE READ;
		SELECT s.scorecard_id, s.customers = (SELECT count(*) FROM b2b.customer) AND s.as_of = (SELECT max(as_of) FROM b2b.customer)
			AND s.customers = (SELECT count(*) FROM b2b.customer_class WHERE scheme = 'dormancy')
		FROM b2b.scorecard AS s ORDER BY 1 DESC LIMIT 1; COMMIT;});
	my ($scorecard, $whole) = split /\|/, $row;
	$reads++;
	$torn++ if $whole ne 't';
	$seen{$scorecard} = 1;
	$writer->pump_nb;
	select undef, undef, undef, 0.02;
}
$writer->finish;
is($writer_err, '', 'refreshes run on the primary');
cmp_ok($reads, '>', 0, 'while the standby is read');
is($torn, 0, 'and never shows half of one');
$primary->wait_for_catchup($standby);
my $end = answers($primary, 'shop');
is(differences(answers($standby, 'shop'), $end), '', 'afterwards it gives the same answers');

# ---------- what writes is refused ----------

my %refused = (
	$refresh[0] => 'cannot execute the refresh of a portfolio during recovery',
	q{segment.alter_portfolio('b2b', settings => '{"margin": 0.5}')} => 'cannot execute a change of a portfolio during recovery',
	q{segment.take_snapshot('b2b')} => 'cannot execute a snapshot of a portfolio during recovery',
	q{segment.drop_scheme('b2b', 'abc')} => q{cannot execute a change of a portfolio's schemes during recovery},
	q{segment.review_key_accounts('b2b')} => q{cannot execute a change of a portfolio's key accounts during recovery},
	q{segment.create_portfolio('other', 'SELECT firm, at, amount FROM sales.firm')} => 'cannot execute the creation of a portfolio during recovery',
	q{segment.drop_portfolio('b2b')} => 'cannot execute DROP TRIGGER in a read-only transaction',
	q{segment.drop_portfolio('b2b', true)} => 'cannot execute DROP TRIGGER in a read-only transaction',
);
foreach my $call (sort keys %refused)
{
	my (undef, undef, $err) = $standby->psql('shop', "\\set VERBOSITY verbose\nSELECT $call");
	like($err, qr/ERROR:  25006: \Q$refused{$call}\E/, "the standby refuses $call");
}
is($standby->safe_psql('shop', q{SELECT count(*) > 5 FROM segment.explain('Shop of O''Hara 客户', 'c7')}), 't', 'explain answers');
is($standby->safe_psql('shop', q{SELECT count(*) > 5 FROM segment.backtest('Shop of O''Hara 客户', '2023-10-01', 60)}), 't', 'and backtest');
is($standby->safe_psql('shop', q{SELECT string_agg(name, ', ' ORDER BY name COLLATE "C") FROM segment.portfolio}), join(', ', @Portfolios::names), 'and the list of portfolios');

# ---------- promotion ----------

$primary->stop('immediate');
$standby->promote;
is(differences(answers($standby, 'shop'), $end), '', 'promoted, it gives the same answers');
new_orders($standby, 'shop', 2);
is($standby->safe_psql('shop', "SELECT bool_and((r).customers_changed > 0) FROM (VALUES ($refresh[0]), ($refresh[1])) AS t(r)"), 't', 'and refresh works');
isnt(differences(answers($standby, 'shop'), $end), '', 'and is seen');

$standby->stop;
done_testing();
