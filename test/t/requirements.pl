# The table of doc/requirements.md: each object that it names is there, in the
# extension or in a new portfolio, and each test is a file.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $top = $ENV{TESTDIR};
open my $in, '<:encoding(UTF-8)', "$top/doc/requirements.md" or die "cannot read doc/requirements.md: $!\n";
my @rows = map { [ map { s/^\s+|\s+$//gr } split /\|/, s/^\||\|$//gr ] } grep { /^\|\s*\d+\s*\|/ } map { chomp; $_ } <$in>;
close $in;
cmp_ok(scalar(@rows), '>', 100, 'the table has rows');
my %times;
$times{ $_->[0] }++ foreach @rows;
is(join(', ', grep { $times{$_} > 1 } sort keys %times), '', 'each requirement has one');
is(join(', ', map { $_->[0] } grep { @$_ != 4 || grep { $_ eq '' } @$_ } @rows), '', 'of four columns');
is(join(', ', map { $rows[$_]->[0] } grep { $rows[$_]->[0] < $rows[ $_ - 1 ]->[0] } 1 .. $#rows), '', 'in their order');

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(extra => [ '--locale=C.UTF-8', '--encoding=UTF8' ]);
$node->append_conf('postgresql.conf', 'fsync = off');
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION segment;
	SET client_min_messages = warning;
	SELECT segment.create_portfolio('shop', 'SELECT 1 AS customer, date ''2024-01-01'' AS at, 1 AS amount');});
my %known = map { $_ => 1 } split /\n/, $node->safe_psql('postgres', q{
	SELECT p.proname FROM pg_proc AS p WHERE p.pronamespace IN ('segment'::regnamespace, 'shop'::regnamespace)
	UNION SELECT t.typname FROM pg_type AS t WHERE t.typnamespace = 'segment'::regnamespace
	UNION SELECT c.relname FROM pg_class AS c WHERE c.relnamespace = 'shop'::regnamespace AND c.relkind = 'v'
	UNION SELECT c.relname || '.' || a.attname FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
		WHERE c.relnamespace = 'shop'::regnamespace AND c.relkind = 'v' AND a.attnum > 0
	UNION SELECT s.scheme FROM shop.scheme AS s
	UNION SELECT s.name FROM segment.setting AS s});
$node->stop;

my (@objects, @tests, @unnamed);
foreach my $row (@rows)
{
	push @objects, map { "$row->[0]: $_" } grep { !$known{$_} } $row->[2] =~ /`([^`]+)`/g;
	my @files = $row->[3] =~ /`([^`]+)`/g;
	push @tests, map { "$row->[0]: $_" } grep { !-e "$top/test/$_" } @files;
	my $text = join "\n", map { slurp_file("$top/test/$_") } grep { -e "$top/test/$_" } @files;
	push @unnamed, map { "$row->[0]: $_" } grep { my $name = s/^.*\.//r; $text !~ /\b\Q$name\E\b/ } $row->[2] =~ /`([^`]+)`/g;
}
is(join("\n", @objects), '', 'every object that is named is there');
is(join("\n", @tests), '', 'and every test');
is(join("\n", @unnamed), '', 'which has to do with each of them');
is(join(', ', map { $_->[0] } grep { $_->[3] !~ /`/ } @rows), '', 'each names a test');
done_testing();
