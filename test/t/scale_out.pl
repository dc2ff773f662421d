# Orders on several servers: postgres_fdw runs the aggregates where the rows
# are, and a portfolio over three servers is the one over a single table.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my @locale = (extra => [ '--locale=C.UTF-8', '--encoding=UTF8' ]);
my $main = PostgreSQL::Test::Cluster->new('main');
$main->init(@locale);
$main->append_conf('postgresql.conf', "timezone = 'UTC'\nfsync = off\nenable_partitionwise_aggregate = on");
$main->start;
my @data;
foreach my $number (1, 2)
{
	my $node = PostgreSQL::Test::Cluster->new("data_$number");
	$node->init(@locale);
	# other settings than those of the first, which must not matter
	$node->append_conf('postgresql.conf',
		"timezone = 'Pacific/Apia'\ndatestyle = 'German'\nextra_float_digits = -5\nfsync = off\nlog_statement = 'all'");
	$node->start;
	$node->safe_psql('postgres', q{
		CREATE EXTENSION segment;
		CREATE ROLE shop LOGIN;
		CREATE TABLE orders (customer_id bigint, ordered_at timestamptz, total numeric, margin numeric, region text,
			ordered_on date GENERATED ALWAYS AS ((ordered_at AT TIME ZONE 'Europe/London')::date) STORED);
		GRANT SELECT, INSERT ON orders TO shop;
	});
	push @data, $node;
}

sub sql
{
	my ($statement) = @_;
	return $main->safe_psql('postgres', $statement);
}

# ---------- orders in three places, and the same ones in one ----------

sql(q{
	CREATE EXTENSION segment;
	CREATE EXTENSION postgres_fdw;
	CREATE ROLE shop LOGIN;
	GRANT CREATE ON DATABASE postgres TO shop;
	GRANT CREATE ON SCHEMA public TO shop;
	GRANT USAGE ON FOREIGN DATA WRAPPER postgres_fdw TO shop;
	CREATE TABLE orders (customer_id bigint, ordered_at timestamptz, total numeric, margin numeric, region text,
		ordered_on date GENERATED ALWAYS AS ((ordered_at AT TIME ZONE 'Europe/London')::date) STORED
	) PARTITION BY HASH (customer_id);
	ALTER TABLE orders OWNER TO shop;
});
foreach my $number (1, 2)
{
	my ($host, $port) = ($data[ $number - 1 ]->host, $data[ $number - 1 ]->port);
	my $remainder = $number - 1;
	sql(qq{
		CREATE SERVER data_$number FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$host', port '$port', dbname 'postgres',
			extensions 'segment', async_capable 'true', fetch_size '10000', batch_size '1000');
		CREATE USER MAPPING FOR CURRENT_USER SERVER data_$number OPTIONS (user 'shop');
		CREATE USER MAPPING FOR shop SERVER data_$number OPTIONS (user 'shop', password_required 'false');
		CREATE FOREIGN TABLE orders_$number PARTITION OF orders FOR VALUES WITH (MODULUS 2, REMAINDER $remainder)
			SERVER data_$number OPTIONS (table_name 'orders');
		ALTER FOREIGN TABLE orders_$number OWNER TO shop;
	});
}

sub add_orders
{
	my ($count, $seed) = @_;
	sql(qq{
		SET SESSION AUTHORIZATION shop;
		SELECT setseed($seed) \\g /dev/null
		CREATE TEMP TABLE new_order (customer_id, ordered_at, total, margin, region) AS
		SELECT CASE WHEN random() < 0.002 THEN NULL ELSE floor(1200 * random() ^ 3) END::bigint,
			-- to the hour, so that some fall on midnight and on the change of the clock
			timestamptz '2022-01-01 00:00+00' + floor(24 * 900 * random()) * interval '1 hour',
			CASE WHEN random() < 0.005 THEN NULL WHEN random() < 0.05 THEN -1 ELSE 1 END
				* round((5 + 300 * random() ^ 4)::numeric, (4 * random())::integer),
			CASE WHEN random() < 0.01 THEN NULL ELSE round((90 * random())::numeric - 10, 3) END,
			(ARRAY['north', 'south', 'west'])[1 + floor(3 * random())]
		FROM generate_series(1, $count) AS n;
		INSERT INTO orders SELECT * FROM new_order;
		CREATE TABLE IF NOT EXISTS orders_here (LIKE orders INCLUDING GENERATED);
		INSERT INTO orders_here SELECT * FROM new_order;
		ANALYZE orders_here;
	});
	return;
}
add_orders(12000, 0.1);
sql(q{
	-- what hardly fits
	INSERT INTO orders VALUES (7, '2023-05-01', 123456789012345678901234567.123456789, 0, 'moon'),
		(7, '2023-05-01', -0.000000001, 0, 'moon'), (3, '0044-03-15 BC', 1, 1, 'rome'), (4, '11000-01-01', 1, 1, 'mars');
	INSERT INTO orders_here VALUES (7, '2023-05-01', 123456789012345678901234567.123456789, 0, 'moon'),
		(7, '2023-05-01', -0.000000001, 0, 'moon'), (3, '0044-03-15 BC', 1, 1, 'rome'), (4, '11000-01-01', 1, 1, 'mars');
	ANALYZE orders;
});
my @rows = map { $_->safe_psql('postgres', 'SELECT count(*) FROM orders') } @data;
is($rows[0] + $rows[1], 12004, 'the orders are on the other servers');
cmp_ok($rows[$_], '>', 4000, "many on server $_") foreach (0, 1);

# ---------- where the aggregates run ----------

sub plan_of
{
	my ($query) = @_;
	return sql("EXPLAIN (VERBOSE, COSTS OFF) $query");
}

# The result of a query as bits, over the servers and over one table.
sub same_bits
{
	my ($query, $name) = @_;
	my $here = $query =~ s/FROM orders\b/FROM orders_here/gr;
	my ($there, $expected) = map {
		sql(qq{SELECT count(*), md5(string_agg(q::text, E'\n' ORDER BY q::text)) FROM ($_) AS q})
	} ($query, $here);
	isnt($expected, '0|', "$name: there are results");
	return is($there, $expected, "$name: the same bits as from one table");
}

# All of a query's aggregation on the data servers, side by side.
sub runs_there
{
	my ($query, $remote, $name) = @_;
	my $plan = plan_of($query);
	# casts have more or fewer parentheses in other versions
	my ($bare, $sought) = map { s/[()]//gr } ($plan, $remote);
	my $found = () = $bare =~ /Async Foreign Scan\n.*\n.*Relations: Aggregate on public\.orders_[12] .*\n +Remote SQL: \Q$sought\E(?=\n|$)/g;
	is($found, 2, "$name: aggregated on both servers at once") or diag($plan);
	unlike($plan, qr/Aggregate$|Aggregate\n|-> +Foreign Scan/, "$name: and not here");
	return same_bits($query, $name);
}

runs_there('SELECT customer_id, segment.history_agg(ordered_on, total) FROM orders GROUP BY customer_id',
	'SELECT customer_id, segment.history_agg(ordered_on, total) FROM public.orders GROUP BY 1', 'history_agg of a date');
runs_there('SELECT customer_id, segment.rfm_agg(ordered_at, total) FROM orders GROUP BY customer_id',
	'SELECT customer_id, segment.rfm_agg(ordered_at, total) FROM public.orders GROUP BY 1', 'rfm_agg');
runs_there('SELECT customer_id, segment.rfm_agg(ordered_at, total::float8) FROM orders WHERE region = \'north\' GROUP BY customer_id',
	q{SELECT customer_id, segment.rfm_agg(ordered_at, (total)::double precision) FROM public.orders WHERE ((region = 'north')) GROUP BY 1},
	'rfm_agg of some orders');
runs_there('SELECT customer_id, segment.history_agg(ordered_on, total), segment.history_agg(ordered_on, margin) FILTER (WHERE total IS NOT NULL) FROM orders GROUP BY customer_id',
	'SELECT customer_id, segment.history_agg(ordered_on, total), segment.history_agg(ordered_on, margin) FILTER (WHERE (total IS NOT NULL)) FROM public.orders GROUP BY 1',
	'two histories');
runs_there(q{SELECT customer_id, segment.history_agg((ordered_at AT TIME ZONE INTERVAL '8 hours')::date, total) FROM orders GROUP BY customer_id},
	q{SELECT customer_id, segment.history_agg((timezone('08:00:00'::interval, ordered_at))::date, total) FROM public.orders GROUP BY 1},
	'a zone without summer time');
runs_there('SELECT customer_id, segment.orders(segment.history_agg(ordered_on, total)) AS orders_made, segment.gross(segment.rfm_agg(ordered_at, total)) FROM orders GROUP BY customer_id',
	'SELECT customer_id, segment.orders(segment.history_agg(ordered_on, total)), segment.gross(segment.rfm_agg(ordered_at, total)) FROM public.orders GROUP BY 1',
	'what a summary says');
runs_there('SELECT customer_id, region, segment.history_agg(ordered_on, total) FROM orders GROUP BY customer_id, region',
	'SELECT customer_id, region, segment.history_agg(ordered_on, total) FROM public.orders GROUP BY 1, 2', 'a finer grouping');

# Groups that have rows on several servers: in two steps.
my $two_steps = q{SELECT region, segment.rollup(h), segment.rollup(r)
	FROM (SELECT customer_id, region, segment.history_agg(ordered_on, total) AS h, segment.rfm_agg(ordered_at, total) AS r
		FROM orders GROUP BY customer_id, region) AS s GROUP BY region};
my $plan = plan_of($two_steps);
my $found = () = $plan =~ /Async Foreign Scan\n.*\n.*Relations: Aggregate on .*\n +Remote SQL: SELECT customer_id, region, segment\.history_agg\(ordered_on, total\), segment\.rfm_agg\(ordered_at, total\) FROM public\.orders GROUP BY 1, 2(?=\n|$)/g;
is($found, 2, 'two steps: the first one on both servers at once') or diag($plan);
like($plan, qr/^(Hash|Group)?Aggregate\n/, 'two steps: the second one here');
same_bits($two_steps, 'two steps');

# In one step the rows are fetched: slower, and as right.
$plan = plan_of('SELECT region, segment.history_agg(ordered_on, total) FROM orders GROUP BY region');
unlike($plan, qr/Remote SQL: .*history_agg/, 'other groups in one step: not sent there');
same_bits('SELECT region, segment.history_agg(ordered_on, total), segment.rfm_agg(ordered_at, total) FROM orders GROUP BY region', 'other groups in one step');
same_bits('SELECT segment.history_agg(ordered_on, total), segment.rfm_agg(ordered_at, total) FROM orders', 'one group');
same_bits(q{SELECT customer_id, segment.history_agg(ordered_at, total, 'Europe/London') FROM orders GROUP BY customer_id}, 'days in a named zone');
is(sql(q{SELECT count(*) FROM (SELECT customer_id, segment.history_agg(ordered_at, total, 'Europe/London') AS h FROM orders GROUP BY 1) AS a
		JOIN (SELECT customer_id, segment.history_agg(ordered_on, total) AS h FROM orders GROUP BY 1) AS b USING (customer_id)
		WHERE a.h OPERATOR(segment.=) b.h OR a.h IS NULL AND b.h IS NULL}),
	sql('SELECT count(DISTINCT customer_id) FROM orders_here'), 'are the days of the generated column');
same_bits(q{SELECT h.* FROM segment.histories('SELECT customer_id, ordered_at, total FROM orders', 'Europe/London') AS h(customer_id bigint, h segment.history)},
	'histories(query)');

# Without the word that the extension is there, nothing of it is sent.
sql(q{ALTER SERVER data_1 OPTIONS (DROP extensions); ALTER SERVER data_2 OPTIONS (DROP extensions)});
unlike(plan_of('SELECT customer_id, segment.history_agg(ordered_on, total) FROM orders GROUP BY customer_id'), qr/Remote SQL: .*segment/,
	'a server that is not said to have the extension');
same_bits('SELECT customer_id, segment.history_agg(ordered_on, total) FROM orders GROUP BY customer_id', 'a server not said to have the extension');
sql(q{ALTER SERVER data_1 OPTIONS (ADD extensions 'segment'); ALTER SERVER data_2 OPTIONS (ADD extensions 'segment')});

# ---------- a portfolio over three servers ----------

# The tables and views of two portfolios, row by row: what differs.
sql(q{
	CREATE FUNCTION differences(a text, b text) RETURNS SETOF text LANGUAGE plpgsql AS $$
	DECLARE
		relation text;
		compared integer := 0;
		different bigint;
		examples text;
	BEGIN
		FOR relation IN
			SELECT quote_ident(c.relname) FROM pg_class AS c
			WHERE c.relnamespace = a::regnamespace AND c.relkind IN ('r', 'v')
				-- when, from what, and what only the orders can tell
				AND c.relname NOT IN ('portfolio', 'scorecard', 'scorecard_figures', 'scorecard_in_force', 'model_card', 'defect', 'data_quality', 'key_account_criterion', 'refresh_log')
			UNION ALL SELECT 'customer_at(''2023-03-31'')'
			UNION ALL SELECT 'migration(''2022-12-31'', ''2023-12-31'', ''rfm_segment'')'
		LOOP
			-- Of segment_profile, which of several equal medians comes out (0.0 or 0.00), and the last
			-- digits of floating point means, depend on the order of rows.
			PERFORM set_config('extra_float_digits', CASE relation WHEN 'segment_profile' THEN '-5' ELSE '1' END, true);
			EXECUTE format('WITH a AS MATERIALIZED (SELECT %4$s AS r FROM %1$I.%2$s AS r), b AS MATERIALIZED (SELECT %4$s AS r FROM %3$I.%2$s AS r)
				SELECT count(*), left(string_agg(d.r, E''\n'' ORDER BY d.r), 1000)
				FROM ((TABLE a EXCEPT ALL TABLE b) UNION ALL (TABLE b EXCEPT ALL TABLE a)) AS d', a, relation, b,
				CASE relation WHEN 'segment_profile' THEN $x$regexp_replace(regexp_replace(r::text, '(\.\d*?)0+(?=[,)])', '\1', 'g'), '\.(?=[,)])', '', 'g')$x$ ELSE 'r::text' END)
			INTO different, examples;
			compared := compared + 1;
			IF different > 0 THEN
				RETURN NEXT format(E'%s: %s rows\n%s', relation, different, examples);
			END IF;
		END LOOP;
		IF compared < 20 THEN
			RETURN NEXT 'too little was compared';
		END IF;
	END
	$$;
	DELETE FROM orders_here WHERE region IN ('moon', 'rome', 'mars');
});
$_->safe_psql('postgres', q{DELETE FROM orders WHERE region IN ('moon', 'rome', 'mars')}) foreach @data;

# What the data servers were asked since a place in their logs.
sub places { return [ map { -s $_->logfile } @data ]; }
sub asked
{
	my ($places) = @_;
	return join '', map { slurp_file($data[$_]->logfile, $places->[$_]) } (0 .. $#data);
}

my $places = places();
my %report;
$report{here} = sql(q{SET ROLE shop; SELECT customers, as_of, purchase_model, spend_model FROM segment.create_portfolio('here',
	'SELECT customer_id, ordered_at, total, margin FROM orders_here', timezone => 'Europe/London')});
unlike(asked($places), qr/SELECT/, 'a portfolio over one table asks nobody');
like($report{here}, qr/^1[012]\d\d\|2024-06-/, 'it has all customers');
$places = places();
$report{there} = sql(q{SET ROLE shop; SELECT customers, as_of, purchase_model, spend_model FROM segment.create_portfolio('there', '
	SELECT customer_id, segment.history_agg(ordered_on, total),
		segment.history_agg(ordered_on, margin) FILTER (WHERE total IS NOT NULL)
	FROM orders GROUP BY customer_id', timezone => 'Europe/London')});
my $asked = asked($places);
is($report{there}, $report{here}, 'a portfolio over three servers sees the same');
my $pushed = () = $asked =~ /CURSOR FOR\s+SELECT customer_id, segment\.history_agg\(ordered_on, total\), segment\.history_agg\(ordered_on, margin\) FILTER \(WHERE \(total IS NOT NULL\)\) FROM public\.orders WHERE \(\(customer_id IS NOT NULL\)\) GROUP BY 1\n/g;
is($pushed, 2, 'both data servers were asked for histories');
unlike($asked, qr/CURSOR FOR\s+SELECT (?!customer_id, segment\.history_agg|segment\.|NULL)/, 'and none for orders');
is(sql(q{SELECT differences('here', 'there')}), '', 'every table, view and past day is the same, row by row');
is(sql(q{SELECT check_name, count FROM there.data_quality WHERE count IS NOT NULL ORDER BY 1}),
	sql(q{SELECT check_name, count - CASE check_name WHEN 'null_customer'
			THEN (SELECT count(*) FROM orders_here WHERE customer_id IS NULL AND total IS NULL) ELSE 0 END
		FROM here.data_quality WHERE check_name IN ('null_customer', 'anonymous_customer', 'similar_customer', 'future_date', 'old_date',
			'refund_without_purchase', 'cancelled_same_day', 'unusual_amount') ORDER BY 1}),
	'data_quality says what histories tell');

# The plain way: the orders come here.
$places = places();
is(sql(q{SET ROLE shop; SELECT customers, as_of, purchase_model, spend_model FROM segment.create_portfolio('fetched',
	'SELECT customer_id, ordered_at, total, margin FROM orders', timezone => 'Europe/London')}), $report{here}, 'a portfolio that fetches the orders');
like(asked($places), qr/CURSOR FOR\s+SELECT customer_id, ordered_at, total, margin FROM public\.orders\n/, 'does so');
is(sql(q{SELECT differences('here', 'fetched')}), '', 'and is the same');

# ---------- new orders, and a server that is away ----------

is(sql(q{SET ROLE shop; SELECT customers_changed FROM segment.refresh('there')}), '0', 'nothing new');
add_orders(300, 0.2);
my $changed = sql(q{SET ROLE shop; SELECT customers_changed, customers, as_of FROM segment.refresh('here')});
like($changed, qr/^(1[0-9]{2}|2[0-9]{2})\|/, 'new orders');
is(sql(q{SET ROLE shop; SELECT customers_changed, customers, as_of FROM segment.refresh('there')}), $changed, 'change the same customers');
is(sql(q{SELECT differences('here', 'there')}), '', 'and the views');

$data[1]->stop;
my $before = sql('SELECT md5(string_agg(c::text, NULL ORDER BY customer_id)) FROM there.customer AS c');
my ($status, $out, $err) = $main->psql('postgres', q{SET ROLE shop; SELECT segment.refresh('there')});
isnt($status, 0, 'a refresh while a data server is away fails');
like($err, qr/could not connect to server "data_2"/, 'and says which');
is(sql('SELECT md5(string_agg(c::text, NULL ORDER BY customer_id)) FROM there.customer AS c'), $before, 'the views answer all the same');
$data[1]->start;
is(sql(q{SET ROLE shop; SELECT customers_changed FROM segment.refresh('there')}), '0', 'when it is back the refresh works');

$_->stop foreach (@data, $main);
done_testing();
