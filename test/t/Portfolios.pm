# Portfolios to test with, and everything that they answer.
package Portfolios;
use strict;
use warnings;
use Exporter 'import';
our @EXPORT = qw(make_portfolios new_orders answers differences);

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
		SELECT segment.take_snapshot('b2b', '2023-06-30'), segment.take_snapshot('b2b');
		SELECT segment.watch('b2b', 'firm', 'firm');
		SELECT segment.refresh('b2b');
		GRANT USAGE ON SCHEMA "Shop of O'Hara 客户" TO reader;
		GRANT SELECT ON "Shop of O'Hara 客户".customer TO reader;});
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
				WHEN 'integer' THEN '7' WHEN 'double precision' THEN '0.2'
				ELSE 'say in Portfolios.pm how to call this' END, ', ' ORDER BY a.ordinal)
			FROM unnest(p.proargtypes) WITH ORDINALITY AS a(type, ordinal)))
		FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
		WHERE n.nspname = '$literal' AND p.provolatile <> 'v'
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

1;
