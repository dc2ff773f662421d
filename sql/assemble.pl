# Prints the install script: the fragments that are its arguments, one after
# another.  A line of a fragment like
#
#	@include operators.template TYPE='rfm' ORDER='total order by its bytes'
#
# stands for that file beside this one, in which @TYPE@ and @ORDER@ are
# replaced by their values.
#
# The output is ASCII, for databases of any encoding: other characters become
# &#xXXXXXX;, which segment_internal.unescape reads.
use strict;
use warnings;
use File::Basename qw(dirname);
use open qw(:std :encoding(UTF-8));

sub include
{
	my ($name, %values) = @_;

	open(my $file, '<', dirname($0) . "/$name") or die "cannot open $name: $!\n";
	local $/;
	my $text = <$file>;
	$text =~ s{\@(\w+)\@}{$values{$1} // die "$name needs a value of $1\n"}ge;
	return $text;
}

while (<>)
{
	if (my ($name, $values) = /^\@include (\S+) (.*)$/)
	{
		$_ = include($name, $values =~ /(\w+)='([^']*)'/g);
	}
	s/([^\x00-\x7F])/sprintf('&#x%06X;', ord($1))/ge;
	print;
}
