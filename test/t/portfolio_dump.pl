# A portfolio is dumped and restored like any schema, and the extension is
# dropped without harm to the user's tables.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(extra => [ '--locale=C.UTF-8', '--encoding=UTF8' ]);
$node->append_conf('postgresql.conf', "timezone = 'UTC'\nfsync = off");
$node->start;
my $dir = PostgreSQL::Test::Utils::tempdir;

# What the views of a portfolio say, as text that can be compared.
my @views = qw(customer customer_class customer_action class data_quality model_card);
sub answers
{
	my ($database) = @_;
	my $text = '';
	foreach my $view (map({ qq("Shop of O'Hara".$_) } @views),
		map({ "b2b.$_" } @views), q{"Shop of O'Hara".customer_at('2023-06-30')})
	{
		my $rows = $node->safe_psql($database, "SELECT v::text FROM $view AS v ORDER BY 1");
		die "$view is empty\n" if $rows eq '';
		$text .= "$view\n$rows\n";
	}
	return $text;
}

# A dump as text, without what differs each time.
sub dump_text
{
	my ($database, @options) = @_;
	my ($out, $err) = run_command([ 'pg_dump', '-p', $node->port, '-h', $node->host, @options, $database ]);
	$out =~ s/^\\(un)?restrict .*\n//mg;
	# The later branches of a UNION in a view: after a restore the server says
	# AS text behind a constant that has no name.
	$out =~ s/^(\s+(?:NULL|'[^']*')::[a-z ]+) AS "?\w+"?(,?)$/$1$2/mg;
	return $out;
}

# The lines in which two texts differ, a few of them.
sub difference
{
	my @texts = map { [ split /\n/ ] } @_;
	my @found;
	my $lines = @{ $texts[0] } > @{ $texts[1] } ? @{ $texts[0] } : @{ $texts[1] };
	foreach my $i (0 .. $lines - 1)
	{
		my ($a, $b) = map { $_->[$i] // '(end)' } @texts;
		push @found, "line $i\n- $a\n+ $b\n" if $a ne $b && @found < 5;
	}
	return join '', @found;
}

$node->safe_psql('postgres', 'CREATE ROLE owner; CREATE ROLE reader;');
$node->safe_psql('postgres', 'CREATE DATABASE shop');
$node->safe_psql('shop', q{
	CREATE EXTENSION segment;
	GRANT CREATE ON DATABASE shop TO owner;
	CREATE SCHEMA sales AUTHORIZATION owner;
	SET ROLE owner;
	SET search_path = sales;
	CREATE DOMAIN code AS text CHECK (VALUE <> '');
	CREATE TABLE orders AS
		SELECT ('c' || n % 300)::code AS customer, timestamptz '2023-01-01 00:00+00' + (n * 7919 % 8760) * interval '1 hour' AS at,
			(n * 31 % 997 - 40)::numeric / 100 AS total, CASE WHEN n % 50 = 0 THEN NULL ELSE n % 7 END AS margin
		FROM generate_series(1, 3000) AS n;
	INSERT INTO orders VALUES (NULL, now(), 1, 1), ('c1', NULL, 1, 1), ('future', '2999-01-01', 1, 1);
	CREATE TABLE person AS SELECT 'c' || n AS id, 'name ' || n AS name FROM generate_series(250, 350) AS n;
	SELECT segment.create_portfolio('Shop of O''Hara', 'SELECT customer, at, total, margin FROM orders -- all',
		customers => 'SELECT * FROM person', timezone => 'Asia/Shanghai', settings => '{"dormancy_drowsy": 1}');
	SELECT segment.refresh('Shop of O''Hara', '2023-06-30');
	SELECT segment.refresh('Shop of O''Hara');
	SELECT segment.create_scheme('Shop of O''Hara', 'tier', '[{"class": "gold", "rule": "net > 60", "stay_rule": "net > 20"}, {"class": "base"}]');
	SELECT segment.take_snapshot('Shop of O''Hara', '2023-08-31');
	UPDATE "Shop of O'Hara".scheme_class SET owner = 'Ada', action = 'Call.' WHERE class = 'champions';
	CREATE TABLE firm (firm bigint, at date, amount integer);
	INSERT INTO firm VALUES (1, '2024-01-01', 100), (2, '2024-02-01', 50), (1, '2024-02-01', 20);
	SELECT segment.create_portfolio('b2b', 'SELECT firm, at, amount FROM firm', settings => '{"security_invoker": true}');
	GRANT USAGE ON SCHEMA "Shop of O'Hara" TO reader;
	GRANT SELECT ON "Shop of O'Hara".customer TO reader;
});
my $before = answers('shop');
my $dump = dump_text('shop');

# ---------- the whole database, in all forms ----------

sub restored
{
	my ($how, $database) = @_;
	is(answers($database), $before, "$how: the views give the same answers");
	is(difference($dump, dump_text($database)), '', "$how: dumped again it is the same");
	my $report = $node->safe_psql($database,
		q{SET ROLE owner; SELECT customers > 0, customers_changed, mode FROM segment.refresh('Shop of O''Hara')});
	is($report, 't|0|full', "$how: refresh works, and finds nothing new");
	is($node->safe_psql($database, q{SET ROLE reader; SELECT count(*) > 0 FROM "Shop of O'Hara".customer}),
		't', "$how: rights are kept");
	is($node->safe_psql($database, q{SELECT string_agg(name || ' of ' || owner, ', ' ORDER BY name) FROM segment.portfolio}),
		q{Shop of O'Hara of owner, b2b of owner}, "$how: the portfolios are listed");
	return;
}

my @connection = ('-p', $node->port, '-h', $node->host);
$node->command_ok([ 'pg_dump', @connection, '-f', "$dir/plain.sql", 'shop' ], 'pg_dump');
$node->safe_psql('postgres', 'CREATE DATABASE plain');
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', @connection, '-f', "$dir/plain.sql", 'plain' ], 'restored by psql');
restored('plain', 'plain');

$node->command_ok([ 'pg_dump', @connection, '-Fc', '-f', "$dir/custom", 'shop' ], 'pg_dump -Fc');
$node->safe_psql('postgres', 'CREATE DATABASE custom');
$node->command_ok([ 'pg_restore', @connection, '-j2', '--exit-on-error', '-d', 'custom', "$dir/custom" ], 'pg_restore -j2');
restored('custom', 'custom');
$node->command_ok([ 'pg_restore', @connection, '--clean', '--if-exists', '--exit-on-error', '-d', 'custom', "$dir/custom" ],
	'pg_restore --clean over it');
restored('clean', 'custom');

$node->safe_psql('postgres', 'CREATE DATABASE bare');
$node->command_ok([ 'pg_restore', @connection, '--schema-only', '--exit-on-error', '-d', 'bare', "$dir/custom" ], 'only definitions');
is($node->safe_psql('bare', 'SELECT count(*) FROM b2b.customer'), '0', 'no definition, no customers');

# ---------- only the portfolio's schema, where the extension and the tables are ----------

$node->command_ok([ 'pg_dump', @connection, '-n', 'b2b', '-f', "$dir/schema.sql", 'shop' ], 'pg_dump -n');
$node->safe_psql('postgres', 'CREATE DATABASE part');
$node->safe_psql('part', q{CREATE EXTENSION segment; CREATE SCHEMA sales;
	CREATE TABLE sales.firm (firm bigint, at date, amount integer); INSERT INTO sales.firm VALUES (3, '2024-03-01', 7);
	GRANT USAGE ON SCHEMA sales TO owner; GRANT SELECT ON sales.firm TO owner;});
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', @connection, '-f', "$dir/schema.sql", 'part' ], 'restored by psql');
is($node->safe_psql('part', 'SELECT customer_id, net FROM b2b.customer ORDER BY 1'), "1|120\n2|50", 'the views answer');
is($node->safe_psql('part', q{SET ROLE owner; SELECT customers, customers_changed FROM segment.refresh('b2b')}),
	'1|3', 'refresh reads the tables that are here');

# ---------- the extension goes ----------

my ($status, $out, $err) = $node->psql('custom', 'DROP EXTENSION segment');
isnt($status, 0, 'the extension is not dropped while portfolios use it');
like($err, qr/cannot drop extension segment because other objects depend on it/, 'and the error says so');
like($err, qr/column purchases of table b2b\.customer_history depends on type segment\.history/, 'and names what depends');
$node->safe_psql('custom', 'DROP EXTENSION segment CASCADE');
is($node->safe_psql('custom', 'SELECT count(*) FROM sales.orders'), '3003', q{CASCADE leaves the user's tables});
is($node->safe_psql('custom', q{SELECT count(*) FROM pg_proc WHERE pronamespace = 'segment'::regnamespace}), '0', 'and nothing of its own');
$node->safe_psql('custom', 'CREATE EXTENSION segment');
is($node->safe_psql('custom', 'SELECT count(*) FROM segment.portfolio'), '0', 'it can come back');

$node->stop;
done_testing();
