# A portfolio is dumped and restored like any schema, and the extension is
# dropped without harm to the user's tables.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Portfolios;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(extra => [ '--locale=C.UTF-8', '--encoding=UTF8' ]);
$node->append_conf('postgresql.conf', "timezone = 'UTC'\nfsync = off");
$node->start;
my $dir = PostgreSQL::Test::Utils::tempdir;

# A dump as text, without what differs each time.
sub dump_text
{
	my ($database, @options) = @_;
	my ($out, $err) = run_command([ 'pg_dump', '-p', $node->port, '-h', $node->host, @options, $database ]);
	$out =~ s/^\\(un)?restrict .*\n//mg;
	# Rows have no order: one that fits is put into a page that has room left.
	$out =~ s/^(COPY [^\n]* FROM stdin;\n)(.*?)^(\\\.)$/$1 . join('', sort split(m{^}m, $2)) . $3/gmse;
	# The later branches of a UNION in a view: after a restore the server says
	# AS text behind a constant that has no name.
	$out =~ s/^(\s+(?:NULL|'[^']*')::[a-z ]+(?:\[\])?) AS "?\w+"?(,?)$/$1$2/mg;
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

make_portfolios($node, 'shop');
my $before = answers($node, 'shop');
my $dump = dump_text('shop');

# ---------- the whole database, in all forms ----------

sub restored
{
	my ($how, $database) = @_;
	is(differences(answers($node, $database), $before), '', "$how: all tables, views and functions give the same answers");
	is(difference($dump, dump_text($database)), '', "$how: dumped again it is the same");
	my $report = $node->safe_psql($database,
		q{SET ROLE owner; SELECT customers > 0, customers_changed, mode FROM segment.refresh('Shop of O''Hara 客户')});
	is($report, 't|0|full', "$how: refresh works, and finds nothing new");
	# an order of one firm is enough to see whether the triggers came along
	is($node->safe_psql($database, q{SET ROLE owner; SELECT mode, reason FROM segment.refresh('b2b');
		BEGIN; INSERT INTO sales.firm SELECT * FROM sales.firm LIMIT 1; SELECT mode, customers_read, customers_changed FROM segment.refresh('b2b'); ROLLBACK}),
		"full|sources, views in them, watched tables or their triggers were changed\nchanges|1|1",
		"$how: watched tables are watched again after one full read");
	is($node->safe_psql($database, q{SET ROLE reader; SELECT count(*) > 0 FROM "Shop of O'Hara 客户".customer, segment.explain('Shop of O''Hara 客户', 'c7')}),
		't', "$how: rights are kept");
	is($node->safe_psql($database, q{SELECT string_agg(name || ' of ' || owner, ', ' ORDER BY name) FROM segment.portfolio}),
		q{Shop of O'Hara 客户 of owner, b2b of owner}, "$how: the portfolios are listed");
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
is(differences(answers($node, 'part', portfolios => ['b2b']), { map { $_ => $before->{$_} } grep { /^b2b\./ } keys %$before }),
	'', 'the same answers');
is($node->safe_psql('part', q{SET ROLE owner; SELECT customers, customers_changed, reason FROM segment.refresh('b2b')}),
	'1|5|table sales.firm has lost its triggers', 'refresh reads the tables that are here');

# ---------- the extension goes ----------

my ($status, $out, $err) = $node->psql('custom', 'DROP EXTENSION segment');
isnt($status, 0, 'the extension is not dropped while portfolios use it');
like($err, qr/cannot drop extension segment because other objects depend on it/, 'and the error says so');
like($err, qr/column purchases of table b2b\.customer_history depends on type segment\.history/, 'and names what depends');
$node->safe_psql('custom', 'DROP EXTENSION segment CASCADE');
$node->safe_psql('custom', 'INSERT INTO sales.firm SELECT * FROM sales.firm LIMIT 1');
is($node->safe_psql('custom', 'SELECT count(*) FROM sales.orders'), '3003', q{CASCADE leaves the user's tables});
is($node->safe_psql('custom', q{SELECT count(*) FROM pg_namespace WHERE nspname ~ '^segment'}), '0', 'and nothing of its own');
$node->safe_psql('custom', 'CREATE EXTENSION segment');
is($node->safe_psql('custom', 'SELECT count(*) FROM segment.portfolio'), '0', 'it can come back');

$node->stop;
done_testing();
