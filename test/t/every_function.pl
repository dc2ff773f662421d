# Every function of the extension and every function and view of a portfolio,
# called with values from the edges of their arguments' types by roles without
# privileges: errors are expected, crashes, internal errors, leaks and calls
# that cannot be cancelled are not.
#
#   SEGMENT_GENERATOR_SECONDS  how long, if not 60; every function is called
#                              SEGMENT_GENERATOR_CALLS (4) times in any case
#   SEGMENT_GENERATOR_SEED     another seed, for other values
#   TEMP_CONFIG                a file with further settings of the server
#
# The statements depend on the seed alone, the time says how many there are.
# A statement that fails is printed whole; it can be pasted into a session
# with the objects that the first part of this file makes.
# Takes long: so that it begins first where files run side by side
use strict;
use warnings;
use Digest::MD5 'md5';
use FindBin;
use lib $FindBin::RealBin;
use List::Util qw(first max min sum0);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes 'time';
use EdgeValues;
use Portfolios;

my $seconds = $ENV{SEGMENT_GENERATOR_SECONDS} // 60;
my $seed = $ENV{SEGMENT_GENERATOR_SEED} // 1;
my $least_calls = $ENV{SEGMENT_GENERATOR_CALLS} // 4;
# The first of them has usual arguments and time to succeed.
my $usual_calls = 1;
my ($usual_timeout, $edge_timeout, $cancel_seconds) = (60, 1, 20);

# ---------- what cannot be held against a function ----------

# Functions that cannot succeed when called by hand, and why.
my %cannot_succeed = (
	note_changes => 'a trigger function',
	snapshot_forget => 'a trigger function',
);

# ---------- a server, portfolios and roles ----------

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(extra => [ '--locale=C.UTF-8', '--encoding=UTF8' ]);
# log_statement is for other tests; here it would be all that is in the log.
$node->append_conf('postgresql.conf', "timezone = 'UTC'\nfsync = off\njit = off\nrestart_after_crash = on\n"
	. "log_statement = none\nlog_min_error_statement = panic\nmax_parallel_workers = 8\nlc_messages = 'C'");
$node->start;

# Portfolios of somebody else.
make_portfolios($node, 'edge');
# The role that calls, with what PUBLIC has, the rights to read one of them,
# and portfolios of its own.
$node->safe_psql('edge', q{
	CREATE ROLE caller LOGIN;
	GRANT reader TO caller;
	GRANT CREATE ON DATABASE edge TO caller;
	GRANT SELECT ON ALL TABLES IN SCHEMA "Shop of O'Hara 客户" TO caller;
	CREATE SCHEMA trade AUTHORIZATION caller;
	SET ROLE caller;
	CREATE SEQUENCE trade.number;
	-- on several pages, so that parallel workers share them
	CREATE TABLE trade.many WITH (fillfactor = 10) AS SELECT n::integer FROM generate_series(1, 200) AS n;
	CREATE TABLE trade.orders AS SELECT n % 60 AS customer, date '2023-01-01' + n * 7919 % 365 AS at, (n * 31 % 997 - 40)::numeric / 100 AS amount, (n % 7)::numeric AS margin
		FROM generate_series(1, 400) AS n;
	CREATE TABLE trade.person AS SELECT n AS id, 'name ' || n AS name FROM generate_series(1, 70) AS n;
	ALTER TABLE trade.person ADD CONSTRAINT person_pkey PRIMARY KEY (id);
	CREATE TABLE trade.cost AS SELECT n % 70 AS id, date '2023-02-01' + n % 300 AS at, n % 10 AS amount FROM generate_series(1, 100) AS n;
	CREATE TABLE trade.complaint AS SELECT n % 40 AS id, date '2023-02-01' + n AS at FROM generate_series(1, 100) AS n;
	CREATE TABLE trade.answer AS SELECT n % 60 AS id, date '2023-02-01' + n AS at, n % 11 AS score FROM generate_series(1, 100) AS n;
	SELECT segment.create_portfolio('mine', 'SELECT customer, at, amount, margin FROM trade.orders', customers => 'SELECT * FROM trade.person',
		costs => 'SELECT id, at, amount FROM trade.cost', complaints => 'SELECT id, at FROM trade.complaint',
		satisfaction => 'SELECT id, at, score FROM trade.answer', visits => 'SELECT customer, at, customer % 3 FROM trade.orders',
		contacts => 'SELECT id, at FROM trade.complaint', lines => 'SELECT customer, at, amount, margin, margin FROM trade.orders');
	SELECT segment.refresh('mine', '2023-06-30'), segment.take_snapshot('mine', '2023-06-30'), segment.refresh('mine'), segment.take_snapshot('mine');
	SELECT segment.create_scheme('mine', 'size', '[{"class": "big", "rule": "net > size_cut"}, {"class": "small"}]', cuts => '{"size_cut": "SELECT avg(net) FROM customers"}');
	SELECT segment.review_key_accounts('mine');
	SELECT segment.create_portfolio('empty', 'SELECT customer, at, amount FROM trade.orders WHERE false');
	CREATE TABLE trade.extreme (customer text, at timestamptz, amount numeric);
	INSERT INTO trade.extreme VALUES ('', '1970-01-01', 1), ('a', '2023-01-01', 1e26), ('b', '2023-01-02', -1e26), ('c', '1899-12-31', 0),
		('d', '2023-01-01', 1e-9), ('d', '2023-01-02', -1e-9), ('''"\\%', '1970-01-01', 5), ('e', '9999-12-31', 5);
	SELECT segment.create_portfolio('extreme', 'SELECT customer, at, amount FROM trade.extreme');
});

# Statements of the test itself, as superuser; rows as psql writes them.
sub rows
{
	my ($sql) = @_;
	return split /\n/, $node->safe_psql('edge', $sql);
}

# ---------- what there is to call: from the catalog ----------

my $own = q{'mine', 'empty', 'extreme'};
my $others = q{'b2b', 'Shop of O''Hara 客户'};
my @items;
my %not_callable;

# One item for each function of the extension and of a portfolio.
sub find_functions
{
	foreach my $row (rows(qq{
		SELECT p.oid::regprocedure, format('%I.%I', n.nspname, p.proname), p.proname, p.prokind, p.provariadic <> 0, p.prorettype = 'trigger'::regtype,
			p.prorettype = 'record'::regtype AND p.proallargtypes IS NULL, 'internal'::regtype = ANY (p.proargtypes::oid[]),
			CASE WHEN d.objid IS NULL THEN n.nspname END,
			has_schema_privilege('caller', n.oid, 'USAGE') AND has_function_privilege('caller', p.oid, 'EXECUTE'),
			(SELECT json_agg(format_type(t, NULL) ORDER BY i) FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY AS u(t, i)),
			to_json(p.proargnames[1:p.pronargs])
		FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
		LEFT JOIN pg_depend AS d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
			AND d.refclassid = 'pg_extension'::regclass AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'segment')
		WHERE d.objid IS NOT NULL OR n.nspname IN ($own, $others)
		ORDER BY n.nspname, p.proname, p.oid::regprocedure::text}))
	{
		my ($signature, $call, $name, $kind, $variadic, $trigger, $bare_record, $internal, $portfolio, $allowed, $types, $names) = split /\|/, $row, -1;
		my @types = $types =~ /"((?:[^"\\]|\\.)*)"/g;
		s/\\(.)/$1/g foreach @types;
		my @names = $names =~ /"([^"]*)"|null/g;
		if ($internal eq 't')
		{
			$not_callable{$signature} = { call => $call, types => \@types };
			next;
		}
		push @items, { signature => $signature, call => $call, name => $name, kind => $kind, variadic => $variadic eq 't', trigger => $trigger eq 't',
			bare_record => $bare_record eq 't', portfolio => $portfolio, allowed => $allowed eq 't', types => \@types,
			arguments => [ map { defined $names[$_] && $names[$_] ne '' ? $names[$_] : $_ + 1 } 0 .. $#types ] };
	}
	return;
}

# One item for each view of the extension and each view and table of a portfolio.
sub find_views
{
	foreach my $row (rows(qq{
		SELECT format('%I.%I', n.nspname, c.relname), c.relname, CASE WHEN d.objid IS NULL THEN n.nspname END,
			(SELECT string_agg(quote_ident(attname), '|' ORDER BY attnum) FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped),
			'types',
			(SELECT string_agg(format_type(atttypid, NULL), '|' ORDER BY attnum) FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped)
		FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
		LEFT JOIN pg_depend AS d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
			AND d.refclassid = 'pg_extension'::regclass AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'segment')
		WHERE c.relkind IN ('v', 'r', 'm', 'p') AND (d.objid IS NOT NULL OR n.nspname IN ($own, $others))
		ORDER BY 1}))
	{
		my ($columns, $types) = $row =~ /^(.*)\|types\|(.*)$/;
		my ($call, $name, $portfolio, @columns) = split /\|/, $columns, -1;
		push @items, { signature => $call, call => $call, name => $name, kind => 'view', portfolio => $portfolio, allowed => 1,
			columns => \@columns, types => [ split /\|/, $types ] };
	}
	return;
}

find_functions();
find_views();
foreach my $item (@items)
{
	$item->{forbidden} = 1 if $item->{portfolio} && $item->{portfolio} eq 'b2b';
	$item->{$_} = 0 foreach qw(calls successes timeouts spent);
}
# For the calls in EdgeValues.
my %qualified = map { $_->{name} => $_->{call} } grep { !$_->{portfolio} && $_->{kind} ne 'view' } @items;
# Insider may also execute what PUBLIC may not.
$node->safe_psql('edge', join "\n", q{CREATE ROLE insider; GRANT caller TO insider; GRANT reader TO insider;},
	map { qq{GRANT USAGE ON SCHEMA $_ TO insider; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA $_ TO insider;} }
	rows(q{SELECT DISTINCT n.nspname FROM pg_namespace AS n JOIN pg_depend AS d ON d.classid = 'pg_namespace'::regclass AND d.objid = n.oid AND d.deptype = 'e'
		UNION SELECT 'segment'}));

# ---------- statements ----------

my $values = EdgeValues->new(\&rows);

# A list of arguments: all usual, or some of them from the edges; with the name
# of somebody else's portfolio for the portfolio, if one is given.
sub arguments
{
	my ($item, $usual, $other) = @_;
	my $share = $usual ? 0 : EdgeValues::one_of(0.25, 0.5, 1);
	my @types = @{ $item->{types} };
	my $certain = $usual ? -1 : int rand @types;
	my @arguments = map {
		defined $other && is_portfolio($item, $_) ? $other
			: $_ == $certain || rand() < $share ? $values->edge_of_argument($item->{name}, $item->{arguments}[$_], $types[$_])
			: $values->usual($item->{name}, $item->{arguments}[$_], $types[$_])
	} 0 .. $#types;
	$arguments[-1] = "VARIADIC $arguments[-1]" if $item->{variadic};
	return @arguments;
}

# Whether an argument names a portfolio.
sub is_portfolio
{
	my ($item, $n) = @_;
	return !$item->{portfolio} && $item->{arguments}[$n] =~ /^(portfolio|name)$/ && $values->usual($item->{name}, $item->{arguments}[$n], $item->{types}[$n]) eq q{'mine'::text};
}

# Arguments that differ from row to row of m, where they are not usual ones
# that do so by themselves.
sub arguments_by_row
{
	my ($item, $usual) = @_;
	my @lists = map { [ arguments($item, $usual) ] } 1 .. 3;
	my @arguments;
	foreach my $n (0 .. $#{ $lists[0] })
	{
		my ($first, @further) = map { $_->[$n] } @lists;
		push @arguments, $usual || rand() < 0.4 ? $first
			: sprintf 'CASE m.n %% %d WHEN 0 THEN %s WHEN 1 THEN %s ELSE %s END', EdgeValues::one_of(3, 5, 50), @further, $first;
	}
	return join ', ', @arguments;
}

sub aggregate_statement
{
	my ($item, $usual) = @_;
	my $arguments = arguments_by_row($item, $usual);
	my $rows = 'trade.many AS m' . ($usual ? '' : EdgeValues::one_of('', '', ' WHERE m.n <= 3', ' WHERE m.n = 1', ' WHERE false'));
	my $plain = "$item->{call}($arguments)";
	return "SELECT $plain FROM $rows" if $usual;
	return EdgeValues::one_of(
		"SELECT $plain FROM $rows",
		"SELECT $plain FROM $rows",
		"SELECT m.n % 4, $plain FROM $rows GROUP BY 1",
		"SELECT m.n % 4, $plain FROM $rows GROUP BY ROLLUP (1)",
		"SELECT $plain FILTER (WHERE m.n % 2 = 1), $plain FILTER (WHERE false) FROM $rows",
		"SELECT $item->{call}(DISTINCT $arguments) FROM $rows",
		"SELECT $item->{call}($arguments ORDER BY m.n DESC) FROM $rows",
		"SELECT $plain OVER (ORDER BY m.n) FROM $rows",
		"SELECT $plain OVER (ORDER BY m.n ROWS BETWEEN 2 PRECEDING AND 1 FOLLOWING EXCLUDE CURRENT ROW) FROM $rows",
		"SELECT $plain OVER (PARTITION BY m.n % 3), $plain OVER () FROM $rows");
}

# What comes after the call of a function whose columns the caller names.
my %row_types = (
	histories => 'customer integer, history segment.history, margins segment.history',
	checked_histories => 'customer integer, history segment.history, margins segment.history, counts bigint[], money numeric[]',
	changed_histories => 'customer integer, history segment.history, counts bigint[], money numeric[]');

sub function_statement
{
	my ($item, $usual, $other) = @_;
	my $rows = !$usual && @{ $item->{types} } && rand() < 0.25;
	my $arguments = $rows ? arguments_by_row($item, $usual) : join(', ', arguments($item, $usual, $other));
	my $call = "$item->{call}($arguments)";
	if ($item->{bare_record})
	{
		my $as = $row_types{ $item->{name} } or die "say in every_function.pl what rows $item->{signature} returns\n";
		$as = EdgeValues::one_of($as, $as, $as, @row_types{ sort keys %row_types }, 'a text', 'a integer, b segment.history') unless $usual;
		return "SELECT t::text FROM $call AS t($as)" unless $rows;
		return "SELECT t::text FROM trade.many AS m, LATERAL $call AS t($as) WHERE m.n <= 5";
	}
	if ($rows)
	{
		return EdgeValues::one_of("SELECT $call FROM trade.many AS m WHERE m.n <= 5", "SELECT t::text FROM trade.many AS m, LATERAL $call AS t WHERE m.n <= 5");
	}
	$call =~ s/\bm\.n\b/1/g;
	return "SELECT $call" if $item->{trigger};
	return "SELECT t::text FROM $call AS t" if $usual;
	return EdgeValues::one_of("SELECT t::text FROM $call AS t", "SELECT t::text FROM $call AS t", "SELECT $call", "SELECT * FROM $call LIMIT 1", "SELECT count(*) FROM $call");
}

sub view_statement
{
	my ($item, $usual) = @_;
	# there are tables without columns
	return "SELECT t::text FROM $item->{call} AS t" if $usual || !@{ $item->{types} };
	my $n = int rand @{ $item->{columns} };
	my ($column, $type) = ($item->{columns}[$n], $item->{types}[$n]);
	my $edge = $values->edge($type);
	$edge =~ s/\bm\.n\b/1/g;
	return EdgeValues::one_of(
		"SELECT * FROM $item->{call} AS t WHERE t.$column IS NOT DISTINCT FROM $edge",
		"SELECT * FROM $item->{call} AS t WHERE t.$column = ANY (ARRAY[$edge, NULL])",
		"SELECT t.$column FROM $item->{call} AS t ORDER BY t.$column DESC LIMIT 2",
		"SELECT t.$column, count(*) FROM $item->{call} AS t GROUP BY 1",
		"SELECT count(*) FROM $item->{call} AS t JOIN $item->{call} AS u ON t.$column = u.$column",
		"SELECT count(DISTINCT t) FROM $item->{call} AS t");
}

# Settings under which a statement may run.
my $parallel_mode = $node->pg_version >= 16 ? 'debug_parallel_query' : 'force_parallel_mode';
my $parallel = 'SET LOCAL parallel_setup_cost = 0; SET LOCAL parallel_tuple_cost = 0; SET LOCAL min_parallel_table_scan_size = 0; ';
my @settings = ('', '', '', "SET LOCAL $parallel_mode = on; ", $parallel, $parallel . 'SET LOCAL parallel_leader_participation = off; ',
	'SET LOCAL work_mem = \'64kB\'; ', 'SET LOCAL extra_float_digits = -15; SET LOCAL DateStyle = \'German\'; SET LOCAL IntervalStyle = \'iso_8601\'; ',
	'SET LOCAL plan_cache_mode = force_generic_plan; SET LOCAL enable_hashagg = off; ', 'SET LOCAL transaction_read_only = on; ');

# The nth statement for an item, with the settings before it.
sub statement
{
	my ($item, $number) = @_;
	srand unpack 'N', md5("$seed $item->{signature} $number");
	# The second call is for somebody else's portfolio.
	my $other = $number == $usual_calls && $item->{kind} eq 'f' && first { is_portfolio($item, $_) } 0 .. $#{ $item->{types} };
	$other = defined $other && $other ne '' ? EdgeValues::as_sql(EdgeValues::one_of('b2b', "Shop of O'Hara 客户"), 'text') : undef;
	my $usual = defined $other || $number < $usual_calls || $item->{kind} ne 'view' && !@{ $item->{types} };
	my $plain = $number < $usual_calls || defined $other;
	my $settings = sprintf 'SET LOCAL statement_timeout = \'%ds\'; %s', $plain ? $usual_timeout : $edge_timeout,
		$plain ? '' : EdgeValues::one_of(@settings);
	my $before = EdgeValues::before($item->{name});
	$settings .= "$before; " if defined $before && !defined $other && $usual + rand() > 0.3;
	my $statement = $item->{kind} eq 'view' ? view_statement($item, $usual)
		: $item->{kind} eq 'a' ? aggregate_statement($item, $usual)
		: $item->{kind} eq 'f' ? function_statement($item, $usual, $other)
		: die "say in every_function.pl how $item->{signature} is called\n";
	s/&(\w+)\(/$qualified{$1}(/g foreach $settings, $statement;
	return { item => $item, settings => $settings, sql => $statement, usual => $number < $usual_calls, other => $other };
}

# ---------- running them ----------

my (@failures, %failures, %states, @others);

# A failure is shown once for each item and message, but for numbers in it.
sub failure
{
	my ($statement, $what) = @_;
	my $item = $statement->{item};
	my ($kind) = $what =~ /^(.*)/;
	return if $failures{"$item->{signature} " . $kind =~ s/\d+//gr}++;
	push @failures, "$item->{signature}: $what\nSET ROLE " . role($item) . ";\nBEGIN; $statement->{settings}\n$statement->{sql};\nROLLBACK;\n";
	return;
}

# Insider only where PUBLIC may not execute.
sub role
{
	return $_[0]{allowed} || $_[0]{forbidden} ? 'caller' : 'insider';
}

# Runs statements in one session, each in a transaction of its own that is
# rolled back.  psql says after each its SQLSTATE and time on stdout, and on
# stderr what it printed there.
sub run
{
	my (@statements) = @_;
	my $file = PostgreSQL::Test::Utils::tempdir_short() . '/statements.sql';
	while (@statements)
	{
		open my $out, '>', $file or die "$file: $!\n";
		print $out "\\set VERBOSITY verbose\n\\set SHOW_CONTEXT never\n\\o /dev/null\n";
		foreach my $n (0 .. $#statements)
		{
			my $statement = $statements[$n];
			# What is before and after goes to the server in one message each.
			my $before = "BEGIN; SET LOCAL ROLE " . role($statement->{item}) . "; $statement->{settings}";
			$before =~ s/; (?=[A-Z])/\\; /g;
			print $out "$before\n\\timing on\n$statement->{sql};\n\\timing off\n", "\\echo \@\@ :SQLSTATE\n\\warn \@\@\nROLLBACK;\n";
		}
		close $out;
		my ($stdout, $stderr) = ('', '');
		my $timer = IPC::Run::timeout(300 + 2 * sum0(map { $_->{usual} || defined $_->{other} ? 5 : $edge_timeout } @statements));
		my $late = !eval {
			IPC::Run::run([ 'psql', '-XAtq', '-d', $node->connstr('edge') . ' user=caller', '-f', $file ], '>', \$stdout, '2>', \$stderr, $timer);
			1;
		};
		my @states = $stdout =~ /^Time: ([\d.]+) ms.*\n\@\@ (\w+)$/mg;
		my @messages = split /^\@\@\n/m, $stderr, -1;
		while (my ($milliseconds, $state) = splice @states, 0, 2)
		{
			note_result(shift @statements, $state, $milliseconds / 1000, shift @messages);
		}
		last unless @statements;
		if ($late)
		{
			failure($statements[0], 'does not end by itself nor by statement_timeout');
			$node->stop('immediate');
			$node->start;
		}
		else
		{
			failure($statements[0], "connection lost: " . substr($messages[0] // '', 0, 2000));
			$node->poll_query_until('edge', 'SELECT true') or die "the server does not come back\n";
		}
		$statements[0]{item}{calls}++;
		shift @statements;
	}
	return;
}

sub note_result
{
	my ($statement, $state, $time, $message) = @_;
	my $item = $statement->{item};
	$message = substr +($message // '') =~ s/^psql:\S+ //gmr, 0, 1000;
	$item->{calls}++;
	$item->{spent} += $time;
	$item->{successes}++ if $state eq '00000';
	$item->{works} = $state eq '00000' if $statement->{usual};
	$item->{timeouts}++ if $state eq '57014';
	$item->{states}{$state}++;
	push @others, "$item->{signature}: $message" if defined $statement->{other} && $state !~ /^(00000|42501|42804|P0002)$/ && $message !~ /42P01.*\.(refresh_read|refresh_key|refresh_figures|rule_check)" does not exist/;
	$item->{message} = $message if $statement->{usual} && $state ne '00000';
	$states{$state}++;
	failure($statement, $message) if $state =~ /^XX|^53200/ || $message =~ /invalid memory alloc request size/;
	failure($statement, "WARNING $message") if $message =~ /\bleak(ed)?\b|problem in alloc/;
	failure($statement, sprintf 'cancelled after %.1f s only', $time) if !$statement->{usual} && !defined $statement->{other} && $time > $edge_timeout + $cancel_seconds;
	return;
}

note "seed $seed, $seconds s";
my $start = time;
run(map { my $item = $_; map { statement($item, $_) } 0 .. $least_calls - 1 } @items);
note sprintf '%d calls after %d s: every item %d times', sum0(values %states), time - $start, $least_calls;
# Then each gets the same time: what is quick is called often.
my $share = 0;
while (time - $start < $seconds)
{
	$share += 0.005;
	my @batch;
	foreach my $item (grep { $_->{spent} < $share && @{ $_->{types} } && !$_->{forbidden} } @items)
	{
		my $number = min(20, 1 + int(($share - $item->{spent}) / max(0.0001, $item->{spent} / $item->{calls})));
		push @batch, map { statement($item, $item->{calls} + $_) } 0 .. $number - 1;
	}
	while (my @part = splice @batch, 0, 300)
	{
		run(@part);
		last if time - $start > $seconds;
	}
}
note sprintf 'in the server %d s', sum0(map { $_->{spent} } @items);
note sprintf 'longest: %s', join ', ', map { sprintf '%s %d ms', $_->{signature}, 1000 * $_->{spent} / $_->{calls} }
	(sort { $b->{spent} / $b->{calls} <=> $a->{spent} / $a->{calls} } @items)[0 .. 9];
note sprintf '%d calls of %d functions and views in %d s: %s', sum0(values %states), scalar @items, time - $start,
	join ', ', map { "$_ $states{$_}" } sort { $states{$b} <=> $states{$a} } keys %states;

# ---------- the verdict ----------

sub list_is_empty
{
	my ($name, @list) = @_;
	is(join("\n", @list), '', $name);
	return;
}

list_is_empty('no internal error, no crash, no leak', @failures);
my $log = slurp_file($node->logfile);
list_is_empty('the server says nothing of a crash or a leak', grep { /PANIC|TRAP:|terminated by signal|\bleak(ed)?\b|problem in alloc/ } split /\n/, $log);
list_is_empty("everything was called $least_calls times", map { $_->{signature} } grep { $_->{calls} < $least_calls } @items);

my @possible = grep { !$_->{forbidden} } @items;
list_is_empty('the usual call of everything succeeds',
	map { "$_->{signature}: $_->{message}" } grep { !$_->{works} && !$cannot_succeed{ $_->{name} } } @possible);
list_is_empty('but for what is listed with a reason', grep { my $name = $_; !grep { $_->{name} eq $name && !$_->{successes} } @possible } sort keys %cannot_succeed);
list_is_empty('nothing only runs into timeouts', map { $_->{signature} } grep { $_->{timeouts} && $_->{timeouts} == $_->{calls} } @items);
note sprintf 'timeouts: %s', join ', ', map { "$_->{signature} $_->{timeouts} of $_->{calls}" } grep { $_->{timeouts} } @items;

# Somebody else's portfolio: what is not granted is refused.
list_is_empty('a schema without USAGE is closed', map { "$_->{signature}: " . join ' ', %{ $_->{states} } } grep { $_->{forbidden} && $_->{successes} } @items);

# 42804, P0002: its key is of another type, it has no such customer;
# 42P01: it is not in the middle of a refresh or of a change of its schemes
list_is_empty('functions refuse it or give what may be read', @others);

# What takes an internal argument cannot be called.
cmp_ok(scalar keys %not_callable, '>', 0, 'there are functions with arguments of type internal');
my @called;
foreach my $signature (sort keys %not_callable)
{
	my ($call, @types) = ($not_callable{$signature}{call}, @{ $not_callable{$signature}{types} });
	# Some minor versions look for no such function, others leave it to the
	# input function of internal to refuse the literal.
	foreach my $internal ('NULL', q{''}, 'NULL::internal', '0')
	{
		my $arguments = join ', ', map { $_ eq 'internal' ? $internal : "NULL::$_" } @types;
		my (undef, $out, $err) = $node->psql('edge', "\\set VERBOSITY verbose\nSELECT $call($arguments)");
		push @called, "$call($arguments): $err" unless $err =~ /ERROR:  (42883|42846|0A000: cannot accept a value of type internal)/;
	}
}
list_is_empty('which cannot be called from SQL', @called);

$node->stop;
done_testing();
