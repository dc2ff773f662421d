# A thousand refreshes that read what changed, beside a reader who now and then
# holds a snapshot over some of them: the reader sees one state, and nothing grows
# for ever, neither the portfolio nor the catalog.
# Takes long: so that it begins first where files run side by side
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(extra => [ '--locale=C.UTF-8', '--encoding=UTF8' ]);
$node->append_conf('postgresql.conf', "timezone = 'UTC'\nfsync = off\nautovacuum_naptime = '1s'\nautovacuum_vacuum_cost_delay = 0");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION segment;
	CREATE TABLE orders (order_id bigserial PRIMARY KEY, customer integer, at date, amount numeric);
	CREATE INDEX ON orders (customer);
	-- small, so that a thousand refreshes take a minute
	INSERT INTO orders (customer, at, amount) SELECT n % 51, date '2024-01-01' + n % 90, n FROM generate_series(1, 510) AS n;
	CREATE TABLE complaint (customer integer, at date);
	SELECT segment.create_portfolio('shop', 'SELECT customer, at, amount FROM orders',
		complaints => 'SELECT customer, at FROM complaint',
		settings => '{"purchase_model": "none", "spend_model": "none"}');
	SELECT segment.watch('shop', 'orders', 'customer'), segment.watch('shop', 'complaint', 'customer');
	SELECT segment.refresh('shop');
});

my $size = q{SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class AS c
	WHERE c.relnamespace = 'shop'::regnamespace AND c.relkind = 'r'};
my $catalog = q{SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class AS c
	WHERE c.relnamespace = 'pg_catalog'::regnamespace AND c.relkind = 'r' AND NOT c.relisshared};
my $many = $node->basedir . '/many.sql';
append_to_file($many, q{
\if :client_id = 0
UPDATE orders SET amount = amount + 1 WHERE customer = 10;
SELECT segment.refresh('shop');
\else
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT sum(net) AS net, min(scorecard_id) AS card FROM shop.customer, shop.scorecard_in_force \gset
\sleep 30 ms
-- a division by zero if anything has changed
SELECT 1 / (sum(net) = :net AND min(scorecard_id) = :card)::integer FROM shop.customer, shop.scorecard_in_force;
COMMIT;
\sleep 10 ms
\endif
});
sub refreshes
{
	my ($n) = @_;
	$node->command_ok([ 'pgbench', '-n', '-c', 2, '-j', 2, '-t', $n, '-f', $many, '-h', $node->host, '-p', $node->port, 'postgres' ], "$n refreshes");
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
