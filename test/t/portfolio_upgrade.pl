# pg_upgrade takes portfolios to a newer server: they give the same answers
# there, and refresh goes on.  SEGMENT_SERVERS names the pg_config of further
# servers that have segment, separated by spaces; make check sets it where such
# servers are installed.
# Takes long: so that it begins first where files run side by side
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use File::Basename;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Portfolios;

# The minor releases of all major versions come on the same days: 15.14, 16.10,
# 17.6 and 18.0 were one.  Since then 18 has had a release of its own (18.6), so
# that 18.7 came with 15.20.
my %first = (15 => 0, 16 => 4, 17 => 8, 18 => 13);

# The directories of the servers' programs, and their releases, by major version.
my (%server, %release);
foreach my $pg_config ('pg_config', split ' ', $ENV{SEGMENT_SERVERS} // '')
{
	my ($version, $minor) = `$pg_config --version` =~ /^PostgreSQL (\d+)\.(\d+)/ or next;
	chomp($server{$version} = `$pg_config --bindir`);
	$release{$version} = $first{$version} + $minor;
}
my @versions = sort { $a <=> $b } keys %server;
plan skip_all => "pg_upgrade is not tested: only PostgreSQL @versions is here, and a newer one is needed"
	if @versions < 2;

my @refresh = map { (my $literal = $_) =~ s/'/''/g; "segment.refresh('$literal')" } @Portfolios::names;

sub cluster
{
	my ($name, $version) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name, install_path => dirname($server{$version}));
	# Checksums must be as in the old cluster, and are the default from 18 on.
	$node->init(extra => [ '--locale=C.UTF-8', '--encoding=UTF8', $version >= 18 ? '--no-data-checksums' : () ]);
	$node->append_conf('postgresql.conf', "timezone = 'UTC'\nfsync = off");
	return $node;
}

sub upgraded
{
	my ($from, $to) = @_;
	my $how = "from $from to $to";
	my $old = cluster("old_${from}_$to", $from);
	$old->start;
	make_portfolios($old, 'shop');
	my $before = answers($old, 'shop');
	$old->stop;

	my $new = cluster("new_${from}_$to", $to);
	my $dir = PostgreSQL::Test::Utils::tempdir;
	chdir $dir or die "cannot change to $dir: $!\n";
	my @command = ("$server{$to}/pg_upgrade", '-b', $server{$from}, '-B', $server{$to},
		'-d', $old->data_dir, '-D', $new->data_dir, '-s', $new->host, '-p', $old->port, '-P', $new->port);
	# Both servers choose their libraries by themselves.
	local $ENV{LD_LIBRARY_PATH};
	delete $ENV{LD_LIBRARY_PATH};
	$new->command_ok([ @command, '--check' ], "pg_upgrade --check $how");
	$new->command_ok(\@command, "pg_upgrade $how");
	$new->start;

	is(differences(answers($new, 'shop'), $before), '', "$how: the same answers");
	is($new->safe_psql('shop', "SELECT bool_and((r).customers_changed = 0) FROM (VALUES ($refresh[0]), ($refresh[1])) AS t(r)"),
		't', "$how: refresh works, and finds nothing new");
	is($new->safe_psql('shop', q{SET ROLE reader; SELECT count(*) > 0 FROM "Shop of O'Hara 客户".customer, segment.explain('Shop of O''Hara 客户', 'c7')}), 't', "$how: rights are kept");
	is($new->safe_psql('shop', q{ALTER EXTENSION segment UPDATE; SELECT extversion FROM pg_extension WHERE extname = 'segment'}),
		$new->safe_psql('shop', q{SELECT default_version FROM pg_available_extensions WHERE name = 'segment'}), "$how: the extension is at its version");
	new_orders($new, 'shop', 1);
	is($new->safe_psql('shop', "SELECT bool_and((r).customers_changed > 0) FROM (VALUES ($refresh[0]), ($refresh[1])) AS t(r)"),
		't', "$how: refresh reads new orders");
	is($new->safe_psql('shop', q{SELECT (segment.alter_portfolio('b2b', settings => '{"margin": 0.4}')).customers = (SELECT count(*) FROM b2b.customer)}),
		't', "$how: the views can be made anew");
	$new->stop;
	$old->clean_node;
	$new->clean_node;
	return;
}

foreach my $from (@versions)
{
	foreach my $to (grep { $_ > $from } @versions)
	{
	SKIP:
		{
			# What it dumps the new one may not know.
			skip "pg_upgrade from $from to $to is not tested: that PostgreSQL $from was released later than this PostgreSQL $to", 1
				if $release{$from} > $release{$to};
			upgraded($from, $to);
		}
	}
}
done_testing();
