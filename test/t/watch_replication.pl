# Rows that logical replication brings fire no triggers of statements: a
# subscription that comes and goes between two refreshes is noticed all the same,
# and so is whatever a replicating session does.  And a publication of all tables
# does not stand in the way of a portfolio.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my @options = (extra => [ '--locale=C.UTF-8', '--encoding=UTF8' ]);
my $publisher = PostgreSQL::Test::Cluster->new('publisher');
$publisher->init(allows_streaming => 'logical', @options);
$publisher->start;
my $node = PostgreSQL::Test::Cluster->new('subscriber');
$node->init(allows_streaming => 'logical', @options);
$node->append_conf('postgresql.conf', "timezone = 'UTC'");
$node->start;

my $tables = q{
	CREATE TABLE orders (order_id integer PRIMARY KEY, customer integer, at date, amount numeric);
	CREATE TABLE part (order_id integer PRIMARY KEY, customer integer, at date, amount numeric) PARTITION BY RANGE (order_id);
	CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (1000);
};
$publisher->safe_psql('postgres', $tables . 'CREATE PUBLICATION pub FOR TABLE orders, part WITH (publish_via_partition_root = true)');
$node->safe_psql('postgres', q{SELECT pg_create_logical_replication_slot('all_tables', 'pgoutput')});
$node->safe_psql('postgres', $tables . q{
	CREATE EXTENSION segment;
	CREATE PUBLICATION all_tables FOR ALL TABLES;
	INSERT INTO orders SELECT n, n, '2024-01-01', n FROM generate_series(1, 50) AS n;
	INSERT INTO part SELECT n, n, '2024-01-01', n FROM generate_series(1, 50) AS n;
	SELECT segment.create_portfolio('shop', 'SELECT customer, at, amount FROM orders UNION ALL SELECT customer, at, amount FROM part',
		settings => '{"purchase_model": "none", "spend_model": "none"}');
	SELECT segment.watch('shop', 'orders', 'customer'), segment.watch('shop', 'part', 'customer');
	SELECT segment.refresh('shop');
});
is($node->safe_psql('postgres', q{SELECT string_agg(DISTINCT format('%s %s', tgenabled, tgtype), ', ') FROM pg_trigger WHERE tgrelid = 'part_1'::regclass}),
	'A 16, A 32, A 4, A 8, R 29', 'a trigger of rows is there for replication only');
is($node->safe_psql('postgres', q{SELECT string_agg(DISTINCT format('%s %s', tgenabled, tgtype), ', ') FROM pg_trigger WHERE tgrelid = 'part'::regclass}),
	'A 16, A 32, A 4, A 8', 'and not on a partitioned table');

my $n = 100;
sub replicate
{
	my ($name, $sql, $expected, $reason) = @_;
	$reason //= 'a change concerned everybody';
	my $connection = $publisher->connstr . ' dbname=postgres';
	is($node->safe_psql('postgres', q{SELECT mode FROM segment.refresh('shop')}), 'changes', "$name: ready");
	$node->safe_psql('postgres', "CREATE SUBSCRIPTION sub CONNECTION '$connection' PUBLICATION pub WITH (copy_data = false)");
	$publisher->safe_psql('postgres', $sql);
	$publisher->wait_for_catchup('sub');
	$node->safe_psql('postgres', 'DROP SUBSCRIPTION sub');
	is($node->safe_psql('postgres', q{SELECT mode, reason, customers_changed FROM segment.refresh('shop')}),
		"full|$reason|$expected", $name);
	is($node->safe_psql('postgres', q{SELECT customers_changed FROM segment.refresh('shop', "full" => true)}), '0', 'nothing was missed');
	return;
}
replicate('INSERT', q{INSERT INTO orders VALUES (101, 1, '2024-02-02', 5)}, 1);
replicate('UPDATE', q{UPDATE orders SET customer = 2 WHERE order_id = 101}, 2);
replicate('DELETE', q{DELETE FROM orders WHERE order_id = 101}, 1);
replicate('many rows', q{INSERT INTO orders SELECT n, n % 50 + 1, '2024-02-02', 5 FROM generate_series(1001, 3000) AS n}, 50);
replicate('a partition', q{INSERT INTO part VALUES (101, 1, '2024-02-02', 5)}, 1);
replicate('a part that is rolled back', q{BEGIN; SAVEPOINT a; INSERT INTO orders VALUES (201, 3, '2024-02-02', 5); ROLLBACK TO a;
	INSERT INTO orders VALUES (202, 4, '2024-02-02', 5); COMMIT}, 1);
# which writes the table anew
replicate('TRUNCATE', 'TRUNCATE part', 50, 'sources, views in them, watched tables or their triggers were changed');

# the notes are one row for a transaction, not one for each row
my $connection = $publisher->connstr . ' dbname=postgres';
$node->safe_psql('postgres', "CREATE SUBSCRIPTION sub CONNECTION '$connection' PUBLICATION pub WITH (copy_data = false)");
$publisher->safe_psql('postgres', q{INSERT INTO orders SELECT n, n % 50 + 1, '2024-02-02', 5 FROM generate_series(4001, 6000) AS n});
$publisher->wait_for_catchup('sub');
$node->safe_psql('postgres', 'DROP SUBSCRIPTION sub');
is($node->safe_psql('postgres', 'SELECT count(*), bool_and(everybody) FROM shop.changed_customer'), '1|t', 'one note for many rows');
$node->safe_psql('postgres', q{SELECT segment.refresh('shop')});

# the first copy of the rows
$publisher->safe_psql('postgres', q{DELETE FROM orders; DELETE FROM part; INSERT INTO orders VALUES (9001, 7, '2024-02-02', 5)});
$node->safe_psql('postgres', "CREATE SUBSCRIPTION sub CONNECTION '$connection' PUBLICATION pub");
$node->wait_for_subscription_sync($publisher, 'sub');
is($node->safe_psql('postgres', q{SELECT reason FROM segment.refresh('shop')}),
	'table public.orders is filled by a subscription, which fires no triggers', 'while there is a subscription everything is read');
$node->safe_psql('postgres', 'DROP SUBSCRIPTION sub');
is($node->safe_psql('postgres', q{SELECT mode FROM segment.refresh('shop')}), 'full', 'and once more');

# sessions that replicate by SQL
is($node->safe_psql('postgres', q{SELECT mode FROM segment.refresh('shop')}), 'changes', 'ready');
$node->safe_psql('postgres', q{SET session_replication_role = replica; INSERT INTO orders VALUES (9002, 8, '2024-02-02', 5)});
is($node->safe_psql('postgres', q{SELECT mode, customers_changed FROM segment.refresh('shop')}), 'changes|1', 'statements of a replicating session are noted by customer');

# what a refresh deletes is published as well
$node->safe_psql('postgres', q{INSERT INTO orders VALUES (9003, 9, '2024-02-02', 5), (9004, 9, NULL, 5); DELETE FROM orders WHERE order_id = 9002});
is($node->safe_psql('postgres', q{SELECT mode, customers_changed FROM segment.refresh('shop')}), 'changes|2', 'a refresh while all tables are published');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_publication_tables AS p JOIN pg_class AS c ON c.relnamespace = 'shop'::regnamespace AND c.relname = p.tablename
	WHERE p.schemaname = 'shop' AND p.tablename ~ '^(changed_customer|unnoted_change|change_[0-9]+|defect|event_history)$' AND c.relreplident = 'f'}), '6', 'tables without a key');
cmp_ok($node->safe_psql('postgres', q{SELECT count(*) FROM pg_logical_slot_get_binary_changes('all_tables', NULL, NULL, 'proto_version', '1', 'publication_names', 'all_tables')}),
	'>', 100, 'changes are decoded');

$node->stop;
$publisher->stop;
done_testing();
