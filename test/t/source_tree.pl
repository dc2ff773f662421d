# What the source tree promises: one version everywhere, and wings whose
# arrows go one way.
use strict;
use warnings;
use File::Find;
use JSON::PP;
use Test::More;

my $top = $ENV{TESTDIR};

sub slurp
{
	my ($file) = @_;
	open my $in, '<:encoding(UTF-8)', "$top/$file" or die "cannot read $file: $!\n";
	local $/;
	return scalar <$in>;
}

# ---------- one version ----------

my ($version) = slurp('segment.control') =~ /^default_version = '(.*)'$/m;
like($version, qr/^\d+\.\d+\.\d+$/, 'the control file has a version of three parts');
my $meta = decode_json(slurp('META.json'));
is($meta->{version}, $version, 'META.json has it for the distribution');
is($meta->{provides}{segment}{version}, $version, 'and for the extension');
my ($newest) = slurp('CHANGELOG.md') =~ /^## \[(.*)$/m;
like($newest, qr/\b\Q$version\E\b/, 'the newest entry of the changelog is about it');
ok(-e "$top/segment--$version.sql", 'the install script has its name');
unlike(slurp('Makefile') . slurp('src/segment.c'), qr/\b\d+\.\d+\.\d+\b/, 'it is not written a second time in the Makefile or the module');

# ---------- includes in C ----------

# Which wings a wing may use, besides its own.
my %below = (
	'' => ['base'],
	base => [],
	types => ['base'],
	statistics => [ 'base', 'types' ],
	models => ['base'],
	portfolio => [ 'base', 'types', 'statistics', 'models' ]);
my %includes;
my @against;
find(
	{   no_chdir => 1,
		wanted => sub {
			return unless /\.[ch]$/;
			my ($file) = m{^\Q$top\E/src/(.*)};
			my $wing = $file =~ m{^(.*)/} ? $1 : '';
			my %allowed = map { $_ => 1 } $wing, @{ $below{$wing} // [] };
			push @against, "$file is in no wing" unless $below{$wing};
			my $source = slurp("src/$file");
			while ($source =~ m{^\s*#\s*include\s+"([^"]+)"}mg)
			{
				my $included = $1;
				next unless -e "$top/src/$included";
				push @{ $includes{$file} }, $included;
				my $from = $included =~ m{^(.*)/} ? $1 : '';
				push @against, "$file includes $included" unless $allowed{$from};
			}
		} },
	"$top/src");
cmp_ok(scalar(map { @$_ } values %includes), '>', 100, 'includes are found');
is_deeply(\@against, [], 'no file includes one of a wing above its own');

# A header is complete once what it includes has been: no circles.
my (%done, @circles);

sub visit
{
	my ($file, @way) = @_;
	if (grep { $_ eq $file } @way)
	{
		push @circles, join(' includes ', @way, $file);
		return;
	}
	return if $done{$file};
	visit($_, @way, $file) foreach @{ $includes{$file} // [] };
	$done{$file} = 1;
	return;
}
visit($_) foreach sort keys %includes;
is_deeply(\@circles, [], 'no headers include each other');

# ---------- the order of the SQL fragments ----------

my ($listed) = slurp('Makefile') =~ /^SQL_FRAGMENTS = \\\n((?:.*\\\n)*.*\n)/m;
my @fragments = $listed =~ /(\S+)(?:\s*\\)?\n/g;
my @files;
find({ no_chdir => 1, wanted => sub { push @files, $1 if m{^\Q$top\E/sql/(.*)\.sql$} } }, "$top/sql");
is_deeply([ sort @fragments ], [ sort @files ], 'the Makefile lists every SQL fragment once');

# The code alone: without comments, comments on objects and what messages say.
# What is within dollar quotes is code.
sub code
{
	my ($sql) = @_;
	my $string = qr/E?'(?:[^']|'')*'/;
	$sql =~ s{/\*.*?\*/}{ }gs;
	$sql =~ s{^\s*--.*$}{}gm;
	$sql =~ s{\bCOMMENT ON\b.*?\bIS\s*$string\s*;}{}gs;
	$sql =~ s{\b(?:MESSAGE|DETAIL|HINT)\s*=\s*(?:format\()?\s*$string}{}g;
	$sql =~ s{\bRAISE\s+(?:EXCEPTION|WARNING|NOTICE|INFO)\s+$string}{}g;
	return $sql;
}

my (%code, %first);
foreach my $i (0 .. $#fragments)
{
	my $code = $code{ $fragments[$i] } = code(scalar `perl "$top/sql/assemble.pl" "$top/sql/$fragments[$i].sql"`);
	# functions are told from what messages say of them by their parenthesis
	while ($code =~ /^CREATE (?:OR REPLACE )?(?:(FUNCTION|PROCEDURE|AGGREGATE)|TYPE|VIEW|TABLE|DOMAIN)\s+(segment(?:_internal)?\.\w+)/mg)
	{
		$first{ $2 . ($1 ? '(' : '') } //= $i;
	}
}
cmp_ok(scalar(keys %first), '>', 200, 'objects of the fragments are found');
my @later;
foreach my $i (0 .. $#fragments)
{
	my %said;
	while ($code{ $fragments[$i] } =~ /\b(segment(?:_internal)?\.\w+)(?:\s*(\())?/g)
	{
		my $name = $1;
		# also a function: what is meant stands before
		next if defined $first{$name} && $first{$name} <= $i;
		foreach my $object ($name, $2 ? "$name(" : ())
		{
			next if !defined $first{$object} || $first{$object} <= $i || $said{$object}++;
			push @later, "$fragments[$i] uses $name of $fragments[ $first{$object} ]";
		}
	}
}
is_deeply(\@later, [], 'no SQL fragment names an object of a later one')
	or diag(join("\n", @later));

done_testing();
