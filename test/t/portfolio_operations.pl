# What an administrator does to a database: portfolios go on, or refuse with a
# clear error and keep their state.
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
$node->append_conf('postgresql.conf', "timezone = 'UTC'\nfsync = off\njit = off");
$node->start;
make_portfolios($node, 'shop');

# The answers of one portfolio, whatever its name; without a pattern of objects.
sub answers_of
{
	my ($portfolio, $without) = @_;
	my $found = answers($node, 'shop', portfolios => [$portfolio], without => $without);
	return { map { s/^(?:"[^"]*"|\w+)\.//r => $found->{$_} } keys %$found };
}

sub value
{
	return $node->safe_psql('shop', $_[0]);
}

# The error of a statement, with its SQLSTATE and hint.
sub refusal
{
	my ($sql) = @_;
	my (undef, undef, $err) = $node->psql('shop', "\\set VERBOSITY verbose\n$sql");
	return $err;
}

# A refresh that finds nothing new.
sub idle_refresh
{
	my ($portfolio) = @_;
	return value(qq{SELECT customers > 0 AND customers_changed = 0 FROM segment.refresh('$portfolio')});
}

my $before = answers_of('b2b');

# ---------- renamed ----------

value('ALTER SCHEMA b2b RENAME TO "Firms & co"');
is(differences(answers_of('Firms & co'), $before), '', 'a renamed portfolio gives the same answers');
is(idle_refresh('Firms & co'), 't', 'and refresh knows it by the new name');
like(refusal(q{SELECT segment.refresh('b2b')}), qr/ERROR:  42704: portfolio "b2b" does not exist/, 'not by the old one');
is(value(q{SELECT (segment.alter_portfolio('Firms & co', settings => '{"margin": 0.9}')).customers > 0}), 't', 'it can be changed');
is(value(q{SELECT (segment.alter_portfolio('Firms & co', settings => '{"margin": null}')).customers > 0}), 't', 'and changed back');
value('ALTER SCHEMA "Firms & co" RENAME TO b2b');
# New scorecards were made; the customers are as they were.
my @customers = qw(customer customer_class customer_at('2023-06-29') segment_summary churn_signal);
sub differ_in_customers
{
	my ($is, $expected) = @_;
	return join ' ', grep { ($is->{$_} // 'missing') ne ($expected->{$_} // 'none') } @customers;
}
is(differ_in_customers(answers_of('b2b'), $before), '', 'its customers are as before');

# ---------- maintenance of its tables ----------

value('VACUUM (FULL, ANALYZE) b2b.customer_history, b2b.scorecard, b2b.scheme_class, b2b.portfolio');
value('CLUSTER b2b.customer_history USING customer_history_pkey');
value('REINDEX SCHEMA b2b');
value('CREATE INDEX ON b2b.customer_history ((attributes ->> \'name\')); ALTER TABLE b2b.customer_history SET (fillfactor = 70)');
is(differ_in_customers(answers_of('b2b'), $before), '', 'VACUUM FULL, CLUSTER, REINDEX change nothing');
is(idle_refresh('b2b'), 't', 'and refresh works');

# ---------- its sources change ----------

my %broken = (
	'ALTER TABLE sales.firm RENAME TO company' => [ 'ALTER TABLE sales.company RENAME TO firm',
		qr/42P01: relation "firm" does not exist.*query of source "purchases"/s ],
	'ALTER TABLE sales.firm RENAME at TO day' => [ 'ALTER TABLE sales.firm RENAME day TO at',
		qr/42703: column "at" does not exist.*query of source "purchases"/s ],
	# the name now means the whole row
	'ALTER TABLE sales.firm RENAME firm TO id' => [ 'ALTER TABLE sales.firm RENAME id TO firm', qr/42846: cannot cast type firm to bigint/ ],
	'ALTER TABLE sales.firm ALTER at TYPE text' => [ 'ALTER TABLE sales.firm ALTER at TYPE date USING at::date',
		qr/42804: column 2 \(at\) of source "purchases" must be a date or timestamp, not text/ ],
	'ALTER TABLE sales.firm ALTER amount TYPE text' => [ 'ALTER TABLE sales.firm ALTER amount TYPE integer USING amount::integer',
		qr/42804: column 3 \(amount\) of source "purchases" must be a number, not text/ ],
	q{INSERT INTO sales.firm VALUES (1, '2023-05-05', 5); ALTER TABLE sales.firm ALTER amount TYPE float8; UPDATE sales.firm SET amount = 'NaN' WHERE amount = 5} =>
		[ 'DELETE FROM sales.firm WHERE amount = \'NaN\'; ALTER TABLE sales.firm ALTER amount TYPE integer', qr/22023: .*NaN/ ],
	'REVOKE SELECT ON sales.firm FROM owner' => [ 'GRANT SELECT ON sales.firm TO owner', qr/42501: permission denied for table firm/ ],
	'ALTER SCHEMA sales RENAME TO old_sales' => [ 'ALTER SCHEMA old_sales RENAME TO sales', qr/42P01: relation "firm" does not exist/ ],
);
foreach my $change (sort keys %broken)
{
	my ($repair, $expected) = @{ $broken{$change} };
	value($change);
	# customer_now looks at the sources, and fails as the refresh does
	my $state = answers_of('b2b', '_now$');
	like(refusal(q{SELECT segment.refresh('b2b')}), $expected, "refresh after $change");
	is(differences(answers_of('b2b', '_now$'), $state), '', 'leaves the old state');
	value($repair);
	is(idle_refresh('b2b'), 't', 'and works again when the source is back');
}
value('ALTER TABLE sales.firm ALTER firm TYPE integer, ALTER amount TYPE numeric(12, 2)');
is(value(q{SELECT customers > 0 FROM segment.refresh('b2b')}), 't', 'other types that can be cast are read');
is(differ_in_customers({ %{ answers_of('b2b') }, map { $_ => $before->{$_} } grep { !/^customer_class/ } @customers }, $before), '', 'into the same classes');
value('ALTER TABLE sales.firm ALTER firm TYPE bigint, ALTER amount TYPE integer');
value(q{SELECT segment.refresh('b2b')});

# ---------- owners ----------

value('CREATE ROLE heir');
value('ALTER SCHEMA b2b OWNER TO heir');
is(value(q{SELECT count(*) FROM segment.portfolio WHERE name = 'b2b'}), '0', 'half of a portfolio is none');
like(refusal(q{SELECT segment.refresh('b2b')}),
	qr/42704: portfolio "b2b" does not exist\n.*they and their schema belong to different roles/, 'and the error says why');
# but for those that look for changes, which asks for its definition
is(differ_in_customers(answers_of('b2b', '_now$'), $before), '', 'its views answer all the same');
value('ALTER SCHEMA b2b OWNER TO owner');
is(idle_refresh('b2b'), 't', 'until it is given back');

value('REASSIGN OWNED BY owner TO heir');
is(value('SELECT string_agg(DISTINCT owner, $$,$$) || count(*) FROM segment.portfolio'), 'heir2', 'REASSIGN OWNED passes portfolios on');
is(value(q{SET ROLE heir; SELECT customers_changed FROM segment.refresh('b2b')}), '0', 'the new owner refreshes');
is(value(q{SET ROLE heir; SELECT (segment.alter_portfolio('b2b', unit => 'day')).customers > 0}), 't', 'and changes it');
like(refusal(q{SET ROLE owner; SELECT segment.refresh('b2b')}), qr/42501: must be owner of portfolio "b2b"/, 'the old one does not');
is(differ_in_customers({ %{ answers_of('b2b') }, map { $_ => $before->{$_} } grep { !/^customer_class/ } @customers }, $before), '', 'the classes stay');
like(refusal('DROP ROLE heir'), qr/2BP01: role "heir" cannot be dropped because some objects depend on it/, 'an owner cannot be dropped');

# ---------- the extension's own schema ----------

like(refusal('ALTER EXTENSION segment SET SCHEMA public'), qr/0A000: extension "segment" does not support SET SCHEMA/, 'the extension stays in its schema');
like(refusal('DROP SCHEMA segment'), qr/2BP01: cannot drop schema segment because extension segment requires it/, 'which stays');
like(refusal('ALTER EXTENSION segment UPDATE'), qr/already installed/, 'an update to the same version does nothing');

# ---------- the end of an owner, and of the extension ----------

value(q{CREATE TABLE public.mine (n integer, kept segment.history);
	INSERT INTO public.mine SELECT 1, segment.history_agg(date '2024-01-01', 5::numeric);
	CREATE VIEW public.report AS SELECT customer_id, net FROM b2b.customer;
	CREATE TABLE public.theirs AS SELECT * FROM sales.orders;});
like(refusal('DROP OWNED BY heir'), qr/2BP01: cannot drop desired object.*view (public\.)?report depends on view b2b\.customer/s, 'DROP OWNED names what depends');
my $refused = refusal('DROP EXTENSION segment');
like($refused, qr/2BP01: cannot drop extension segment because other objects depend on it/, 'DROP EXTENSION is refused');
# of many objects the server names the first hundred
like($refused, qr/column $_ depends on type segment\.|view $_ depends on (?:function|view) segment_internal\.|function $_ depends on function segment_internal\./, "$_ is named")
	foreach ('purchases of table b2b\.customer_history', 'kept of table (?:public\.)?mine', 'b2b\.data_quality');
value('DROP OWNED BY heir CASCADE; DROP ROLE heir');
is(value('SELECT count(*) FROM segment.portfolio'), '0', 'DROP OWNED CASCADE takes the portfolios');
is(value(q{SELECT count(*) FROM pg_class WHERE relname = 'report'}), '0', 'and what depends on them');
is(value('SELECT count(*) FROM public.theirs'), '3003', q{not the tables of others});
value('DROP EXTENSION segment CASCADE');
is(value('SELECT n FROM public.mine'), '1', 'DROP EXTENSION CASCADE leaves the table with a column of ours');
is(value(q{SELECT count(*) FROM pg_attribute WHERE attrelid = 'public.mine'::regclass AND attname = 'kept'}), '0', 'without the column');

# ---------- databases of other encodings ----------

# The Chinese labels where there are such characters, else the English ones.
my %label = (
	UTF8 => '\xe586a0e5869be5aea2e688b7', EUC_CN => '\xb9dabefcbfcdbba7',
	LATIN1 => '\x6368616d70696f6e73', WIN1252 => '\x6368616d70696f6e73', EUC_JP => '\x6368616d70696f6e73',
	SQL_ASCII => '\x6368616d70696f6e73');
foreach my $encoding (sort keys %label)
{
	$node->safe_psql('postgres', "CREATE DATABASE other TEMPLATE template0 ENCODING '$encoding' LOCALE 'C'");
	$node->safe_psql('other', q{CREATE EXTENSION segment;
		CREATE TABLE orders AS SELECT 'k' || chr(65 + n % 20) AS customer, date '2024-01-01' + n AS at, n AS amount FROM generate_series(1, 100) AS n;
		SELECT segment.create_portfolio('shop', 'SELECT customer, at, amount FROM orders')});
	is($node->safe_psql('other', q{SELECT convert_to(label_zh, getdatabaseencoding()) FROM shop.class WHERE class = 'champions' AND scheme = 'rfm_segment'}),
		$label{$encoding}, "$encoding: labels");
	is($node->safe_psql('other', q{SELECT bool_and(octet_length(label_zh) > 0 AND octet_length(action_zh) > 0) FROM shop.scheme_class}), 't', "$encoding: no label is missing");
	is($node->safe_psql('other', q{SELECT customers || ' ' || customers_changed FROM segment.refresh('shop')}), '20 0', "$encoding: refresh");
	$node->safe_psql('postgres', 'DROP DATABASE other');
}
# Keys and names beyond ASCII, in an encoding of one byte.
$node->safe_psql('postgres', q{CREATE DATABASE other TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'});
is($node->safe_psql('other', q{SET client_encoding = 'UTF8'; CREATE EXTENSION segment;
	CREATE TABLE "Verkäufe" AS SELECT 'Müller' || n % 5 AS kunde, date '2024-01-01' + n AS am, n AS betrag FROM generate_series(1, 20) AS n;
	SELECT count(*) FROM segment.create_portfolio('Geschäft', 'SELECT kunde, am, betrag FROM "Verkäufe"');
	SELECT min(customer_id) || ' ' || count(*) FROM "Geschäft".customer;}), "1\nMüller0 5", 'LATIN1: umlauts');

$node->stop;
done_testing();
