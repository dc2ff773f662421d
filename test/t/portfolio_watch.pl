# Writers go on while refreshes are cancelled, terminated and killed and the
# server crashes: no change is lost, and reading only what changed gives the
# state that reading everything gives.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# the same on every run; another one to look for trouble
my $seed = $ENV{SEGMENT_SEED} // 20240229;
srand($seed);
note("seed $seed");

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(extra => [ '--locale=C.UTF-8', '--encoding=UTF8' ]);
$node->append_conf('postgresql.conf', "timezone = 'UTC'\nrestart_after_crash = on\nfsync = off");
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
	CREATE FUNCTION any_customer() RETURNS integer LANGUAGE sql RETURN (2100 * random() ^ 2)::integer;
});

# What the writers do, several at a time, in transactions of one or more statements.
my $script = $node->basedir . '/writer.sql';
append_to_file($script, q{
\set what random(1, 8)
\set customer random(0, 2200)
\set other random(0, 2200)
\if :what <= 3
INSERT INTO orders (customer, at, amount) VALUES (:customer, date '2024-01-01' + :other % 100, :other);
\elif :what = 4
UPDATE orders SET customer = :other WHERE order_id = (SELECT min(order_id) FROM orders WHERE customer = :customer);
\elif :what = 5
DELETE FROM orders WHERE order_id = (SELECT min(order_id) FROM orders WHERE customer = :customer);
\elif :what = 6
BEGIN;
INSERT INTO orders (customer, at, amount) VALUES (:customer, '1990-01-01', -:other);
UPDATE orders SET amount = amount + 1 WHERE customer = :other;
COMMIT;
\elif :what = 7
BEGIN;
INSERT INTO complaint VALUES (:customer, '2024-02-02'), (:other, '2024-02-03');
ROLLBACK;
\else
INSERT INTO complaint VALUES (:customer, '2024-02-02');
\endif
});

my $timer = IPC::Run::timer($PostgreSQL::Test::Utils::timeout_default);

# Slow enough that fewer customers change than a refresh reads one by one.
sub start_writers
{
	my ($round) = @_;
	my $out = '';
	return IPC::Run::start([ 'pgbench', '-n', '-c', 3, '-R', 200, '-T', 3, "--random-seed=$round$seed", '-f', $script,
			'-h', $node->host, '-p', $node->port, 'postgres' ], '>', \$out, '2>', \$out, $timer);
}

sub start_refresh
{
	my ($err) = @_;
	return IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', q{SET application_name = 'refresh'; SELECT segment.refresh('shop')} ],
		'>', \my $out, '2>', $err, $timer);
}

sub state_of
{
	return $node->safe_psql('postgres', q{
		SELECT 'history', md5(string_agg(h::text, ' ' ORDER BY customer_id)) FROM shop.customer_history AS h
		UNION ALL SELECT 'defect', md5(string_agg(d::text, ' ' ORDER BY d::text)) FROM shop.defect AS d
		UNION ALL SELECT 'scorecard', md5((to_jsonb(s) - '{scorecard_id,created_at}'::text[])::text)
			FROM shop.scorecard AS s WHERE scorecard_id = (SELECT max(scorecard_id) FROM shop.scorecard)});
}

# pg_stat_activity shows a refresh by the step it is at.
my $backend = q{SELECT pid FROM pg_stat_activity WHERE query LIKE '%segment.refresh(%' AND pid <> pg_backend_pid() AND state = 'active'};

my @ends = qw(finish cancel terminate kill crash kill finish crash);
for my $round (0 .. $#ends)
{
	my $end = $ends[$round];
	my $writers = start_writers($round + 1);
	my $err = '';
	select(undef, undef, undef, 0.3 + rand(0.7));
	my $refresh = start_refresh(\$err);
	# at any point of the refresh
	select(undef, undef, undef, 0.02 + rand(0.5));
	if ($end eq 'crash')
	{
		$node->stop('immediate');
		$node->start;
	}
	elsif ($end ne 'finish')
	{
		my $pid = $node->safe_psql('postgres', $backend);
		if ($pid eq '') { note("round $round: the refresh was already done") }
		elsif ($end eq 'kill') { kill 'KILL', $pid }
		else { $node->safe_psql('postgres', "SELECT pg_${end}_backend($pid)") }
	}
	eval { $refresh->finish };
	$node->poll_query_until('postgres', 'SELECT true');
	# one refresh while they still write, if they do
	$node->psql('postgres', q{SELECT segment.refresh('shop')});
	eval { $writers->finish };
	$node->poll_query_until('postgres', 'SELECT true');

	my $mode = $node->safe_psql('postgres', q{SELECT mode FROM segment.refresh('shop')});
	is($mode, 'changes', "round $round, $end: the next refresh reads what changed");
	my $incremental = state_of();
	is($node->safe_psql('postgres', q{SELECT mode, customers_changed FROM segment.refresh('shop', "full" => true)}),
		'full|0', 'nothing was lost');
	is(state_of(), $incremental, 'the state is that of a full refresh');
	is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_class WHERE relname IN ('refresh_read', 'refresh_key')}), '0', 'no table is left');
}
cmp_ok($node->safe_psql('postgres', q{SELECT count(*) FROM shop.refresh_log WHERE mode = 'changes' AND customers_read > 0}), '>=', 8,
	'refreshes read changes');

# ---------- 1,000 refreshes ----------

# Nothing grows for ever, neither the portfolio nor the catalog.
$node->append_conf('postgresql.conf', "autovacuum_naptime = '1s'\nautovacuum_vacuum_cost_delay = 0");
$node->reload;
my $size = q{SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class AS c
	WHERE c.relnamespace = 'shop'::regnamespace AND c.relkind = 'r'};
my $catalog = q{SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class AS c
	WHERE c.relnamespace = 'pg_catalog'::regnamespace AND c.relkind = 'r' AND NOT c.relisshared};
# small, so that a thousand take a minute
$node->safe_psql('postgres', q{DELETE FROM orders WHERE customer > 50; DELETE FROM complaint; SELECT segment.refresh('shop'); VACUUM FULL shop.customer_history});
my $many = $node->basedir . '/many.sql';
append_to_file($many, q{
UPDATE orders SET amount = amount + 1 WHERE customer = :client_id * 10;
SELECT segment.refresh('shop');
});
sub refreshes
{
	my ($n) = @_;
	$node->command_ok([ 'pgbench', '-n', '-c', 1, '-t', $n, '-f', $many, '-h', $node->host, '-p', $node->port, 'postgres' ], "$n refreshes");
}
refreshes(400);
my ($size_before, $catalog_before) = ($node->safe_psql('postgres', $size), $node->safe_psql('postgres', $catalog));
refreshes(600);
my ($size_after, $catalog_after) = ($node->safe_psql('postgres', $size), $node->safe_psql('postgres', $catalog));
note("portfolio: $size_before bytes after 400 refreshes, $size_after after 1000; catalog: $catalog_before, $catalog_after");
# the log grows by a row each, and is kept for as long as the setting says
my $log = $node->safe_psql('postgres', q{SELECT pg_total_relation_size('shop.refresh_log')});
cmp_ok($size_after - $log, '<', 1.5 * $size_before, 'the portfolio does not grow with the refreshes');
cmp_ok($catalog_after, '<', 1.5 * $catalog_before, 'nor does the catalog');
is($node->safe_psql('postgres', q{SELECT max(n) FROM (SELECT count(*) AS n FROM shop.scorecard GROUP BY as_of) AS s}), '24',
	'scorecards of one day do not pile up');

$node->stop;
done_testing();
