# Portfolios to test with, everything that they answer, and sessions that
# stay open.
package Portfolios;
use strict;
use warnings;
use Exporter 'import';
our @EXPORT = qw(make_portfolios new_orders answers differences stored);

# The portfolios that make_portfolios makes.
our @names = ("Shop of O'Hara 客户", 'b2b');

# Two portfolios of role "owner" in a new database, with all sources, a key
# that is a domain, schemes of their own, snapshots and key accounts.
sub make_portfolios
{
	my ($node, $database) = @_;
	$node->safe_psql('postgres', 'CREATE ROLE owner; CREATE ROLE reader;');
	$node->safe_psql('postgres', "CREATE DATABASE $database");
	$node->safe_psql($database, q{
		CREATE EXTENSION segment;
		DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO owner', current_database()); END $$;
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
		CREATE TABLE cost AS SELECT 'c' || n % 320 AS id, date '2023-02-01' + n % 300 AS at, n % 10 AS amount FROM generate_series(1, 400) AS n;
		CREATE TABLE complaint AS SELECT 'c' || n % 40 AS id, date '2023-02-01' + n AS at FROM generate_series(1, 300) AS n;
		CREATE TABLE answer AS SELECT 'c' || n % 60 AS id, date '2023-02-01' + n AS at, n % 11 AS score FROM generate_series(1, 300) AS n;
		SELECT segment.create_portfolio('Shop of O''Hara 客户', 'SELECT customer, at, total, margin FROM orders -- all',
			customers => 'SELECT * FROM person', costs => 'SELECT id, at, amount FROM cost',
			complaints => 'SELECT id, at FROM complaint', satisfaction => 'SELECT id, at, score FROM answer',
			visits => 'SELECT customer, at, margin FROM orders', contacts => 'SELECT id, at FROM complaint',
			lines => 'SELECT customer, at, total, margin, margin FROM orders',
			timezone => 'Asia/Shanghai', settings => '{"dormancy_drowsy": 1}');
		SELECT segment.refresh('Shop of O''Hara 客户', '2023-06-30');
		SELECT segment.take_snapshot('Shop of O''Hara 客户', '2023-06-30');
		SELECT segment.refresh('Shop of O''Hara 客户');
		SELECT segment.take_snapshot('Shop of O''Hara 客户');
		SELECT segment.create_scheme('Shop of O''Hara 客户', 'size', '[
			{"class": "big", "rule": "net > size_cut", "stay_rule": "net > size_cut / 2"}, {"class": "small"}]',
			cuts => '{"size_cut": "SELECT avg(net) FROM customers"}');
		SELECT segment.review_key_accounts('Shop of O''Hara 客户');
		UPDATE "Shop of O'Hara 客户".scheme_class SET owner = 'Ada', action = 'Call.' WHERE class = 'champions';
		CREATE TABLE firm (firm bigint, at date, amount integer);
		INSERT INTO firm SELECT 1 + n % 5, date '2023-01-01' + 11 * n, 50 + n FROM generate_series(1, 30) AS n;
		SELECT segment.create_portfolio('b2b', 'SELECT firm, at, amount FROM firm', settings => '{"security_invoker": true}');
		SELECT segment.refresh('b2b', '2023-06-30'), segment.refresh('b2b');
		SELECT segment.create_cluster_scheme('b2b', 'groups', '{net,orders}', transform => 'rank');
		SELECT segment.take_snapshot('b2b', '2023-06-30'), segment.take_snapshot('b2b');
		SELECT segment.watch('b2b', 'firm', 'firm');
		SELECT segment.refresh('b2b');
		SELECT segment.grant_read('Shop of O''Hara 客户', 'reader');});
	return;
}

# More trade, so that every view changes.
sub new_orders
{
	my ($node, $database, $round) = @_;
	$node->safe_psql($database, qq{
		INSERT INTO sales.orders SELECT 'c' || n * 13 % 310, timestamptz '2024-01-01 12:00+00' + ($round * 17 + n % 10) * interval '1 day',
			n % 90 + $round, 1 FROM generate_series(1, 100) AS n;
		DELETE FROM sales.orders WHERE customer = 'c' || $round;
		INSERT INTO sales.complaint SELECT 'c' || n, date '2024-01-01' + $round * 17 FROM generate_series(50, 60) AS n;
		INSERT INTO sales.firm SELECT 1 + n % 6, date '2024-01-01' + $round * 17 + n, 100 FROM generate_series(1, 10) AS n;});
	return;
}

# Calls of every view, table and function of a portfolio's schema.
sub objects
{
	my ($node, $database, $portfolio) = @_;
	(my $literal = $portfolio) =~ s/'/''/g;
	# One value for each type of argument; dates ascend, as most functions ask.
	return split /\n/, $node->safe_psql($database, qq{
		SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
		WHERE n.nspname = '$literal' AND c.relkind IN ('r', 'v')
		UNION ALL
		SELECT format('%I.%I(%s)', n.nspname, p.proname, (
			SELECT string_agg(CASE format_type(a.type, NULL)
				WHEN 'date' THEN format('''%s''', date '2023-03-31' + 90 * a.ordinal::integer)
				WHEN 'text' THEN '''rfm_segment'''
				WHEN 'integer' THEN '7' WHEN 'bigint[]' THEN '''{1}''' WHEN 'double precision' THEN '0.2'
				ELSE 'say in Portfolios.pm how to call this' END, ', ' ORDER BY a.ordinal)
			FROM unnest(p.proargtypes) WITH ORDINALITY AS a(type, ordinal)))
		FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
		-- these stand in the FROM clauses of others
		WHERE n.nspname = '$literal' AND p.provolatile <> 'v' AND p.proname NOT IN ('customer_row', 'customer_events')
		ORDER BY 1});
}

# What a database answers: a reference to a hash of object -> "rows digest".
# Options: portfolios => a list, settings => SQL run before, without => a
# pattern of objects to leave out.
sub answers
{
	my ($node, $database, %option) = @_;
	my %found;
	foreach my $portfolio (@{ $option{portfolios} // \@names })
	{
		my @objects = grep { !defined $option{without} || !/$option{without}/ } objects($node, $database, $portfolio);
		my @rows = split /\n/, $node->safe_psql($database, join "\n", $option{settings} // '', map {
			qq{SELECT count(*), md5(string_agg(t.row, E'\\n' ORDER BY t.row COLLATE "C")) FROM (SELECT v::text AS row FROM $_ AS v) AS t;}
		} @objects);
		die sprintf("%d answers for %d objects\n", scalar @rows, scalar @objects) if @rows != @objects;
		@found{@objects} = @rows;
	}
	return \%found;
}

# The objects whose answers differ, or are missing, as text; empty if none.
sub differences
{
	my ($is, $expected) = @_;
	my %all = (%$is, %$expected);
	return join "\n", map { "$_: " . ($is->{$_} // 'missing') . ', not ' . ($expected->{$_} // 'missing') }
		grep { ($is->{$_} // '') ne ($expected->{$_} // '') } sort keys %all;
}

# What refreshes have stored of the sources, the newest scorecard included,
# as three digests.
sub stored
{
	my ($node, $database, $portfolio) = @_;
	return $node->safe_psql($database, qq{
		SELECT 'history', md5(string_agg(h::text, ' ' ORDER BY customer_id)) FROM $portfolio.customer_history AS h
		UNION ALL SELECT 'defect', md5(string_agg(d::text, ' ' ORDER BY d::text)) FROM $portfolio.defect AS d
			-- what amounts are usual, a full refresh says
			WHERE d.check_name <> 'unusual_amount'
		UNION ALL SELECT 'scorecard', md5((to_jsonb(s) - '{scorecard_id,created_at}'::text[])::text)
			FROM $portfolio.scorecard AS s WHERE scorecard_id = (SELECT max(scorecard_id) FROM $portfolio.scorecard)});
}

# ---------- sessions ----------

# A psql that stays connected.  Unlike the server's BackgroundPsql, which
# differs between versions, it can be sent a statement that waits, tells the
# SQLSTATE of errors, and may lose its server.
package Portfolios::Session;
use IPC::Run;
use PostgreSQL::Test::Utils;

sub new
{
	my ($class, $node, $database) = @_;
	my $self = bless { in => '', out => '', err => '', sent => 0 }, $class;
	$self->{timer} = IPC::Run::timer($PostgreSQL::Test::Utils::timeout_default);
	$self->{psql} = IPC::Run::start([ 'psql', '-XAtq', '-v', 'VERBOSITY=verbose', '-d', $node->connstr($database) ],
		'<', \$self->{in}, '>', \$self->{out}, '2>', \$self->{err}, $self->{timer});
	return $self;
}

# Sends SQL without waiting for its end.
sub send
{
	my ($self, $sql) = @_;
	$self->{mark} = 'end of ' . ++$self->{sent};
	# on both, since what comes by one pipe may overtake the other
	$self->{in} .= "$sql\n\\echo $self->{mark}\n\\warn $self->{mark}\n";
	$self->{timer}->start($PostgreSQL::Test::Utils::timeout_default);
	eval { $self->{psql}->pump_nb };
	return $self;
}

# Waits for what was sent: a reference to a hash of its output, its messages,
# and a list of the SQLSTATEs of errors; 08006 if the connection was lost.
sub result
{
	my ($self) = @_;
	my $mark = quotemeta $self->{mark};
	my $lost = 0;
	until ($lost || $self->{out} =~ /^$mark$/m && $self->{err} =~ /^$mark$/m)
	{
		die "session waits for ever\n" if $self->{timer}->is_expired;
		# psql ends when its server does
		$lost = 1 unless eval { $self->{psql}->pumpable && $self->{psql}->pump };
	}
	my ($out, $err) = ($self->{out}, $self->{err});
	($self->{out}, $self->{err}) = ('', '');
	s/^$mark\n//m for $out, $err;
	chomp $out;
	my @states = $err =~ /(?:ERROR|FATAL|PANIC):  (\w{5}):/g;
	push @states, '08006' if $lost || $err =~ /connection to server was lost|server closed the connection/;
	return { out => $out, err => $err, states => \@states };
}

sub run
{
	my ($self, $sql) = @_;
	return $self->send($sql)->result;
}

sub quit
{
	my ($self) = @_;
	$self->{in} .= "\\q\n";
	eval { $self->{psql}->finish };
	return;
}

1;
