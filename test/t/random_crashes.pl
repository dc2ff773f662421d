# Writers with savepoints, prepared transactions and all isolation levels go on
# while refreshes are cancelled, terminated and killed, backends of writers are
# killed, and the server crashes, at random moments: no change is lost, a
# refresh that did not end leaves the old state, and reading only what changed
# gives the state that reading everything gives.
#
#   SEGMENT_CRASH_ROUNDS  how many times (10)
#   SEGMENT_CRASH_SEED    chooses the moments; the same on every run unless set
# Takes long: so that it begins first where files run side by side
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Portfolios;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use List::Util qw(shuffle);
use Time::HiRes qw(time sleep);
use Test::More;

my $rounds = $ENV{SEGMENT_CRASH_ROUNDS} // 10;
my $seed = $ENV{SEGMENT_CRASH_SEED} // 20240229;
srand($seed);
note("seed $seed");
my $begin = time;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(extra => [ '--locale=C.UTF-8', '--encoding=UTF8' ]);
$node->append_conf('postgresql.conf', "timezone = 'UTC'\nrestart_after_crash = on\nfsync = off\nmax_prepared_transactions = 100\n");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION segment;
	CREATE TABLE orders (order_id bigserial PRIMARY KEY, customer integer, at date, amount numeric);
	CREATE INDEX ON orders (customer);
	INSERT INTO orders (customer, at, amount) SELECT n % 2000, date '2024-01-01' + n % 90, n FROM generate_series(1, 20000) AS n;
	CREATE TABLE complaint (customer integer, at date);
	SELECT segment.create_portfolio('shop', 'SELECT customer, at, amount FROM orders',
		complaints => 'SELECT customer, at FROM complaint',
		settings => '{"purchase_model": "none", "spend_model": "none"}');
	SELECT segment.watch('shop', 'orders', 'customer'), segment.watch('shop', 'complaint', 'customer');
	SELECT segment.refresh('shop');
});

# ---------- the writers ----------

# Scripts of pgbench.  Rows that another transaction holds are passed over,
# since a prepared one may hold them for as long as the round lasts.
sub script
{
	my ($name, $text) = @_;
	my $file = $node->basedir . "/$name.sql";
	append_to_file($file, "\\set customer random(0, 2200)\n\\set other random(0, 2200)\n\\set what random(1, 12)\n" . $text);
	return $file;
}
my $begin_any = q{
\set level random(1, 3)
\if :level = 1
BEGIN;
\elif :level = 2
BEGIN ISOLATION LEVEL REPEATABLE READ;
\else
BEGIN ISOLATION LEVEL SERIALIZABLE;
\endif
};
my $one_order = 'order_id = (SELECT order_id FROM orders WHERE customer = :customer LIMIT 1 FOR UPDATE SKIP LOCKED)';
my $work = qq{
INSERT INTO orders (customer, at, amount) VALUES (:customer, date '2024-01-01' + :other % 100, :other);
UPDATE orders SET customer = :other WHERE $one_order;
};
my $plain = script('plain', qq{
\\if :what <= 5
INSERT INTO orders (customer, at, amount) VALUES (:customer, date '2024-01-01' + :other % 100, :other);
\\elif :what = 6
UPDATE orders SET customer = :other WHERE $one_order;
\\elif :what = 7
DELETE FROM orders WHERE $one_order;
\\elif :what <= 9
$begin_any
INSERT INTO orders (customer, at, amount) VALUES (:customer, '1990-01-01', -:other);
UPDATE orders SET amount = amount + 1 WHERE $one_order;
COMMIT;
\\elif :what = 10
BEGIN;
INSERT INTO complaint VALUES (:customer, '2024-02-02'), (:other, '2024-02-03');
ROLLBACK;
\\else
INSERT INTO complaint VALUES (:customer, '2024-02-02');
\\endif
});
my $savepoints = script('savepoints', qq{
$begin_any
INSERT INTO complaint VALUES (:customer, '2024-02-04');
SAVEPOINT a;
$work
\\if :what <= 4
ROLLBACK TO a;
\\elif :what <= 8
RELEASE a;
\\endif
SAVEPOINT b;
DELETE FROM orders WHERE $one_order;
SAVEPOINT c;
INSERT INTO complaint VALUES (:other, '2024-02-05');
\\if :what % 3 = 0
ROLLBACK TO c;
\\elif :what % 3 = 1
ROLLBACK TO b;
\\endif
INSERT INTO orders (customer, at, amount) VALUES (:other, '2024-03-03', 1);
\\if :what = 12
ROLLBACK;
\\else
COMMIT;
\\endif
});
# one in six is left for whoever comes after the crash
my $two_phase = script('two_phase', qq{
\\set number random(1, 1000000000)
$begin_any
$work
SAVEPOINT a;
INSERT INTO complaint VALUES (:customer, '2024-02-06');
\\if :what % 2 = 0
ROLLBACK TO a;
\\endif
PREPARE TRANSACTION 't:number';
\\if :what <= 7
COMMIT PREPARED 't:number';
\\elif :what <= 10
ROLLBACK PREPARED 't:number';
\\endif
});

my $timer = IPC::Run::timer($PostgreSQL::Test::Utils::timeout_default);

# Slow enough that fewer customers change than a refresh reads one by one.
sub start_writers
{
	my ($round, $out) = @_;
	$timer->start($PostgreSQL::Test::Utils::timeout_default);
	return IPC::Run::start([ 'pgbench', '-n', '-c', 6, '-j', 2, '-R', 120, '-T', 2, "--random-seed=$round$seed",
			'-f', "$plain\@4", '-f', "$savepoints\@2", '-f', "$two_phase\@2",
			'-h', $node->host, '-p', $node->port, 'postgres' ], '>', $out, '2>&1', $timer);
}

# ---------- the rounds ----------

sub log_length { return $node->safe_psql('postgres', 'SELECT count(*) FROM shop.refresh_log') }

# Ends some of the prepared transactions, each in one way or the other.
my $resolved = 0;
sub resolve
{
	my ($share) = @_;
	my @names = split /\n/, $node->safe_psql('postgres', 'SELECT gid FROM pg_prepared_xacts ORDER BY prepared, gid');
	my @chosen = grep { rand() < $share } @names;
	$node->safe_psql('postgres', join '', map { (rand() < 0.7 ? 'COMMIT' : 'ROLLBACK') . " PREPARED '$_';\n" } @chosen) if @chosen;
	$resolved += @chosen;
	return;
}

my @ends = (shuffle(qw(finish crash kill_refresh kill_writer terminate)), shuffle(qw(cancel crash kill_refresh kill_writer crash)));
my %seen;
for my $round (1 .. $rounds)
{
	my $end = $ends[ ($round - 1) % @ends ];
	my ($before, $log_before) = (stored($node, 'postgres', 'shop'), log_length());
	my $writers_out = '';
	my $writers = start_writers($round, \$writers_out);
	sleep(0.3 + rand(0.7));
	my $look = Portfolios::Session->new($node, 'postgres');
	my $refresh = Portfolios::Session->new($node, 'postgres');
	my $refresh_pid = $refresh->run('SELECT pg_backend_pid();')->{out};
	$refresh->send(q{SELECT 'refreshed' FROM segment.refresh('shop');});
	# at any point of the refresh, or soon after it
	sleep(rand(0.4));
	my $running = $look->run("SELECT state = 'active' FROM pg_stat_activity WHERE pid = $refresh_pid;")->{out} eq 't';
	$seen{$end}++ if $running;
	if ($end eq 'crash')
	{
		$node->stop('immediate');
		$node->start;
		# and once more in the middle of it
		if (rand() < 0.3) { $node->stop('immediate'); $node->start }
	}
	elsif ($end eq 'kill_refresh') { kill 'KILL', $refresh_pid }
	elsif ($end eq 'kill_writer')
	{
		my @pids = split /\n/, $look->run("SELECT pid FROM pg_stat_activity
			WHERE backend_type = 'client backend' AND pid NOT IN (pg_backend_pid(), $refresh_pid) ORDER BY pid;")->{out};
		cmp_ok(scalar @pids, '>', 0, "round $round: there are writers");
		kill 'KILL', $pids[ rand @pids ] if @pids;
	}
	elsif ($end ne 'finish') { $look->run("SELECT pg_${end}_backend($refresh_pid);") }
	my $result = $refresh->result;
	$_->quit foreach $look, $refresh;
	$node->poll_query_until('postgres', 'SELECT true');

	# the answer of a refresh that did commit can be lost as well
	my $log = log_length();
	if ($log == $log_before)
	{
		is(stored($node, 'postgres', 'shop'), $before, "round $round, $end: a refresh that did not end leaves the old state");
		isnt($result->{out}, 'refreshed', 'and does not say that it did');
	}
	else
	{
		is($log, $log_before + 1, "round $round, $end: the refresh had ended");
	}
	# one refresh while they still write, if they do
	my $mode = $node->safe_psql('postgres', q{SELECT mode, reason FROM segment.refresh('shop')});
	like($mode, qr/^changes/, 'the first refresh after it reads what changed');
	eval { $writers->finish };
	if ($end =~ /^(?:finish|cancel|terminate)$/)
	{
		like($writers_out, qr/number of transactions actually processed: [1-9]/, 'the writers wrote');
		unlike($writers_out, qr/abort|error:/, 'and none was disturbed');
	}
	resolve(0.5);
	$node->safe_psql('postgres', q{SELECT segment.refresh('shop')});
	resolve(1);

	$mode = $node->safe_psql('postgres', q{SELECT mode, reason FROM segment.refresh('shop')});
	like($mode, qr/^changes/, 'the next refresh reads what changed');
	my $incremental = stored($node, 'postgres', 'shop');
	is($node->safe_psql('postgres', q{SELECT mode, customers_changed FROM segment.refresh('shop', "full" => true)}),
		'full|0', 'nothing was lost');
	is(stored($node, 'postgres', 'shop'), $incremental, 'the state is that of a full refresh');
	is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_class WHERE relname IN ('refresh_read', 'refresh_key')}), '0', 'no table is left');
}
cmp_ok($node->safe_psql('postgres', q{SELECT count(*) FROM shop.refresh_log WHERE mode = 'changes' AND customers_read > 0}), '>=', $rounds,
	'refreshes read changes');
cmp_ok($resolved, '>=', $rounds / 2, 'transactions that were prepared outlived the ends');
note(sprintf 'ends that met a running refresh: %s; %d prepared transactions resolved; %.0f s',
	join(', ', map { "$_ $seen{$_}" } sort keys %seen), $resolved, time - $begin);

$node->stop;
done_testing();
