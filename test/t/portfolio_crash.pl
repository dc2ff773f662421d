# A refresh that is killed leaves the old state and no rubbish; a standby
# reads the views; after a crash the next refresh reads what changed.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(allows_streaming => 1, extra => [ '--locale=C.UTF-8', '--encoding=UTF8' ]);
$node->append_conf('postgresql.conf', "timezone = 'UTC'\nrestart_after_crash = on");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION segment;
	CREATE TABLE pause (seconds float8);
	INSERT INTO pause VALUES (0);
	CREATE TABLE orders (customer integer, at date, amount numeric);
	INSERT INTO orders SELECT n % 100, date '2024-01-01' + n % 90, n FROM generate_series(1, 500) AS n;
	SELECT segment.create_portfolio('shop',
		'SELECT customer, at, amount FROM orders UNION ALL SELECT NULL, NULL, NULL FROM pause WHERE pg_sleep(seconds) IS NULL');
});

sub state_of
{
	my ($server) = @_;
	return join "\n", map { $server->safe_psql('postgres', "SELECT v::text FROM shop.$_ AS v ORDER BY 1") }
		qw(customer customer_class data_quality model_card);
}
my $before = state_of($node);

# ---------- killed in the middle of writing ----------

# A lock on the scorecard stops the refresh after it has written the histories.
$node->safe_psql('postgres', q{INSERT INTO orders SELECT n, '2024-05-01', 1 FROM generate_series(1, 200) AS n});
my ($in, $out, $timer) = ('', '', IPC::Run::timer($PostgreSQL::Test::Utils::timeout_default));
my $lock = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres') ], '<', \$in, '>', \$out, $timer);
$in .= "BEGIN; LOCK TABLE shop.scorecard IN SHARE MODE; SELECT 'locked';\n";
$lock->pump until $out =~ /locked/;
my $refresh = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', q{SELECT segment.refresh('shop')} ],
	'>', \my $refresh_out, '2>', \my $refresh_err, $timer);
$node->poll_query_until('postgres',
	q{SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%segment.refresh(%'})
	or die "the refresh does not wait\n";
is(state_of($node), $before, 'what has been written is not seen yet');
my $pid = $node->safe_psql('postgres', q{SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%segment.refresh(%'});
kill 'KILL', $pid;
$refresh->finish;
isnt($refresh_err, '', 'the refresh ends with an error');
eval { $lock->kill_kill };

# The server restarts all its processes.
$node->poll_query_until('postgres', 'SELECT true');
is(state_of($node), $before, 'a refresh that is killed leaves the old state');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_class WHERE relname = 'refresh_read'}), '0', 'and no table');
is($node->safe_psql('postgres', q{SELECT customers, customers_changed, scorecard_id FROM segment.refresh('shop')}),
	'201|200|2', 'the next one does all the work');

# ---------- cancelled, terminated, timed out while reading ----------

$before = state_of($node);
$node->safe_psql('postgres', q{UPDATE pause SET seconds = 600; UPDATE orders SET amount = amount + 1});
my ($status, undef, $err) = $node->psql('postgres', q{SET statement_timeout = '300ms'; SELECT segment.refresh('shop')});
like($err, qr/canceling statement due to statement timeout/, 'a refresh can be cancelled');
is(state_of($node), $before, 'and leaves the old state');
$refresh_err = '';
$refresh = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', q{SELECT segment.refresh('shop')} ],
	'>', \$refresh_out, '2>', \$refresh_err, $timer);
$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'});
$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'});
$refresh->finish;
like($refresh_err, qr/terminating connection due to administrator command/, 'or terminated');
is(state_of($node), $before, 'and leaves the old state');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock'}), '0', 'and no lock');
$node->safe_psql('postgres', 'UPDATE pause SET seconds = 0');

# ---------- a standby ----------

$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
$node->safe_psql('postgres', q{SELECT segment.refresh('shop')});
$node->wait_for_catchup($standby);
is(state_of($standby), state_of($node), 'a standby reads the views');
is($standby->safe_psql('postgres', q{SELECT count(*) FROM shop.customer_at('2024-03-01')}),
	$node->safe_psql('postgres', q{SELECT count(*) FROM shop.customer_at('2024-03-01')}), 'and past days');
(undef, undef, $err) = $standby->psql('postgres', q{SELECT segment.refresh('shop')});
like($err, qr/cannot execute .* (in a read-only transaction|during recovery)/, 'but refreshes nothing');

# ---------- immediate stop, crash recovery ----------

$before = state_of($node);
$node->stop('immediate');
$node->start;
is(state_of($node), $before, 'a crash of the server loses no refresh');

# ---------- a crash, and what is watched ----------

# What tells the triggers apart must have come through the log: there was no
# checkpoint since they were changed.
$node->safe_psql('postgres', q{
	CREATE TABLE sale (customer integer, at date, amount numeric);
	INSERT INTO sale SELECT n % 100, date '2024-01-01' + n % 90, n FROM generate_series(1, 500) AS n;
	SELECT segment.create_portfolio('watched', 'SELECT customer, at, amount FROM sale');
});
$node->safe_psql('postgres', 'CHECKPOINT');
$node->safe_psql('postgres', q{
	BEGIN;
	SELECT segment.watch('watched', 'sale', 'customer');
	ALTER TABLE sale DISABLE TRIGGER USER;
	ALTER TABLE sale ENABLE TRIGGER USER;
	SELECT segment.watch('watched', 'sale', 'customer');
	COMMIT;
});
$node->safe_psql('postgres', q{SELECT segment.refresh('watched')});
$node->safe_psql('postgres', q{INSERT INTO sale VALUES (7, '2024-05-05', 1), (8, '2024-05-05', 1)});
$node->stop('immediate');
$node->start;
is($node->safe_psql('postgres', q{SELECT mode, customers_read, customers_changed FROM segment.refresh('watched')}), 'changes|0|2',
	'the first refresh after a crash adds what changed');
is($node->safe_psql('postgres', q{SELECT customers_changed FROM segment.refresh('watched', "full" => true)}), '0', 'and misses nothing');
# both states of a trigger in one transaction
$node->safe_psql('postgres', q{
	BEGIN;
	ALTER TABLE sale DISABLE TRIGGER USER;
	INSERT INTO sale VALUES (9, '2024-05-05', 1);
	ALTER TABLE sale ENABLE TRIGGER USER;
	COMMIT;
});
$node->stop('immediate');
$node->start;
is($node->safe_psql('postgres', q{SELECT mode, customers_changed FROM segment.refresh('watched')}), 'full|1',
	'triggers that were off in one transaction are noticed, after a crash as well');
# what rewrites the catalog only
$node->safe_psql('postgres', q{SELECT segment.refresh('watched')});
$node->safe_psql('postgres', 'VACUUM FREEZE');
is($node->safe_psql('postgres', q{SELECT mode FROM segment.refresh('watched')}), 'changes', 'VACUUM FREEZE of everything costs no full reading');
$node->safe_psql('postgres', "VACUUM FULL $_") for qw(pg_class pg_trigger pg_namespace pg_attribute);
$node->safe_psql('postgres', q{INSERT INTO sale VALUES (10, '2024-05-05', 1)});
like($node->safe_psql('postgres', q{SELECT mode, customers_changed FROM segment.refresh('watched')}), qr/\|1$/,
	'nor does VACUUM FULL of the catalog lose anything');

$standby->stop;
$node->stop;
done_testing();
