# segment-import: what it takes for the customer, the date and the amount, in all
# encodings and forms; what it asks; and what is then in the table.
use strict;
use warnings;
use utf8;
use Encode qw(decode encode);
use FindBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $import = "$FindBin::RealBin/../../import/segment-import";
my $dir = PostgreSQL::Test::Utils::tempdir();
my $file = "$dir/orders.csv";

sub write_file
{
	my ($bytes) = @_;
	open my $out, '>:raw', $file or die "$file: $!";
	print $out $bytes;
	close $out;
}

# What it says of a file, given as text, with the errors behind it.
sub plan_of
{
	my ($text, $encoding, @options) = @_;
	write_file(encode($encoding // 'UTF-8', $text));
	my ($out, $err) = run_command([ $import, '--plan', @options, $file ]);
	return decode('UTF-8', $out . $err) =~ s/\Q$dir\E\///gr;
}

# The rows for COPY: order, customer, date, amount, factor.
sub rows_of
{
	my ($text, @options) = @_;
	write_file(encode('UTF-8', $text));
	my ($out) = run_command([ $import, '--sql', @options, $file ]);
	my ($rows) = decode('UTF-8', $out) =~ /FROM STDIN;\n(.*?)^\\\.$/ms;
	return [ map { s/^\d+\t//r } split /\n/, $rows // '(none)' ];
}

# ---------- names of columns ----------

foreach (
	[ 'customer_id,ordered_at,total', 1, 2, 3 ], [ 'Order Date,Amount,Customer ID', 3, 1, 2 ], [ 'OrderTotal,invoiced_at,crm_customer_no', 3, 2, 1 ],
	[ 'status,Customer,ship_date,order_date,tax_amount,amount', 2, 4, 6 ], [ 'Customer Name,Customer ID,date,total', 2, 3, 4 ],
	[ 'email,created_at,updated_at,shipping_total,grand_total', 1, 2, 5 ], [ 'buyer,paid_on,price', 1, 2, 3 ],
	[ '订单编号,会员号,下单时间,发货时间,运费金额,实付金额', 2, 3, 6 ], [ '客户,日期,金额（元）', 1, 2, 3 ], [ '商品,所属客户编号,门店销售日期,本单销售金额', 2, 3, 4 ],
	[ 'Kundennummer,Bestelldatum,Gesamtbetrag', 1, 2, 3 ], [ 'Lieferdatum,Rechnungsdatum,MwSt-Betrag,Betrag (EUR),Kd-Nr', 5, 2, 4 ])
{
	my ($header, @columns) = @$_;
	my @fields = map { /date|at$|_on|datum|日期|时间/i ? '2024-01-31' : 7 } split /,/, $header;
	my $plan = plan_of("$header\n" . join(',', @fields) . "\n");
	is_deeply([ map { $plan =~ /^    $_ .*\(column (\d+)\)/m ? $1 : undef } qw(customer date amount) ], \@columns, encode('UTF-8', "names: $header")) or diag encode('UTF-8', $plan);
}
like(plan_of("7,2024-01-31,5\n8,2024-02-01,6\n"), qr/2 rows, commas, UTF-8, no header\n.*2 orders of 2 customers, 2024-01-31 to 2024-02-01, sum 11.00\n/s, 'no header');
like(plan_of("id,when,how\n1,2024-01-31,3\n"), qr/line 1: the header names no column for the customer and the date; it has: id, when, how; say which by --columns/, 'no known name');
like(plan_of("id,when,how\n1,2024-01-31,3\n", undef, '--columns', 'customer=id,date=WHEN,amount=3'), qr/customer  id \(column 1\)\n.*date .*when.*amount .*how.*sum 3.00/s, 'said by name and number');
like(plan_of("customer,date,amount\n1,2024-01-31,3\n", undef, '--columns', 'customer=who'), qr/^error: --columns: there is no column "who"; there are: customer, date, amount; nothing was loaded$/m, 'a column that is not there');

# ---------- encodings ----------

my $chinese = "客户编号,下单日期,金额,备注\n张三,2024-01-05,10,第一单\n李四,2024-01-06,5.5,\n";
my $german = "Kunde;Datum;Betrag\nMüller;05.01.2024;1.234,50\nGröße;6.1.2024;7,25\n";
like(plan_of($chinese, $_->[0]), qr/2 rows, commas, $_->[1]\n.*sum 15.50\n.*张三 \| 2024-01-05/s, "Chinese in $_->[0]")
	foreach [ 'UTF-8', 'UTF-8' ], [ 'cp936', 'GB18030' ], [ 'UTF-16', 'UTF-16' ];
like(plan_of("\x{feff}$chinese"), qr/客户编号 \(column 1\).*2 orders/s, 'a byte order mark');
like(plan_of("\x{feff}" . $chinese =~ s/,/\t/gr, 'UTF-16LE'), qr/2 rows, tabs, UTF-16\n.*2 orders/s, 'text in Unicode, as Excel saves it');
like(plan_of($german, 'cp1252'), qr/2 rows, semicolons, WINDOWS-1252\n.*decimal comma.*sum 1,241.75\n.*Müller \| 2024-01-05 \| 1234.50/s, 'as a German Excel saves CSV');
like(plan_of($chinese, 'UTF-8', '--encoding', 'ASCII'), qr/this is not text in ASCII; convert it: iconv -f ENCODING -t UTF-8/, 'not that encoding');
write_file("PK\x03\x04\x14\0");
like((run_command([ $import, '--plan', $file ]))[1], qr/this is an Excel workbook, not text: save it as CSV UTF-8/, 'a workbook');
like(plan_of("sep=;\r\nKunde;Datum\r\n7;01.02.2024\r\n"), qr/1 row, semicolons.*none: each order counts 1, so that sales are numbers of orders/s, 'Excel names the separator; without amounts');

# ---------- amounts ----------

my $rows = sub { return [ map { (split /\t/)[3] } @{ rows_of(@_) } ] };
is_deeply($rows->("customer\tdate\tamount\n" . join('', map { "7\t2024-01-31\t$_\n" } '1,234.50', '$5', '-3.1', '(2.50)', '4.5-', 'USD 12', '￥８.０', "1'000", '.5', '1,234,567')),
	[ qw(1234.50 5 -3.1 -2.50 -4.5 12 8.0 1000 .5 1234567) ], 'a decimal point, marks of thousands, currencies, negative numbers');
is_deeply($rows->("customer;date;amount\n" . join('', map { "7;2024-01-31;$_\n" } '1.234,50', '5 €', '-3,1', '1.570', '12 EUR', '1 234,5', '7')),
	[ qw(1234.50 5 -3.1 1570 12 1234.5 7) ], 'a decimal comma');
is_deeply($rows->("customer;date;amount\n7;2024-01-31;1.570\n7;2024-01-31;12.5\n"), [ qw(1.570 12.5) ], 'three decimals, as other amounts tell');
like(plan_of("customer;date;amount\n7;2024-01-31;1.570\n7;2024-01-31;3\n"), qr/the amount 1.570 in line 2 may be a thousand and more or a number with three decimals: say --decimal comma or --decimal point/, 'nothing tells');
is_deeply($rows->("customer;date;amount\n7;2024-01-31;1.570\n", '--decimal', $_->[0]), [ $_->[1] ], "said: $_->[0]") foreach [ 'comma', '1570' ], [ 'point', '1.570' ];
like(plan_of("customer;date;amount\n7;2024-01-31;1,5\n7;2024-01-31;2.5\n"), qr/amounts have decimal commas \(1,5 in line 2\) and decimal points \(2.5 in line 3\)/, 'both');
like(plan_of("customer,date,amount\n7,2024-01-31,$_->[0]\n"), qr/line 2: the amount $_->[1].*; nothing was loaded/, "no amount: $_->[0]")
	foreach [ '', 'is missing' ], [ 'NULL', 'is missing' ], [ 'free', '"free" is not a number such as 1,234.50' ], [ '1e5', '"1e5" is not' ], [ '12345678901234567', '"12345678901234567" is not' ];

# ---------- dates ----------

my $dates = sub { return [ map { (split /\t/)[2] } @{ rows_of(@_) } ] };
is_deeply($dates->("customer;date\n" . join('', map { "7;$_\n" } '2024-01-05', '2024/1/5', '20240105', '5.1.2024', '05.01.24', '2024年1月5日', '2024-01-05T10:11:12Z', '2024-01-05 10:11+08', '2024/01/05 3:04 PM', '2024.01.05 00:00:59.5')),
	[ ('2024-01-05') x 6, '2024-01-05 10:11:12+00', '2024-01-05 10:11:00+08', '2024-01-05 15:04:00', '2024-01-05 00:00:59' ], 'dates that can be read in one way');
is_deeply($dates->("customer;date\n7;03/04/2024\n7;25/04/2024\n"), [ '2024-04-03', '2024-04-25' ], 'day first, as another date tells');
is_deeply($dates->("customer;date\n7;03/04/2024\n7;04/25/2024 1:00\n"), [ '2024-03-04', '2024-04-25 01:00:00' ], 'month first');
like(plan_of("customer;date\n7;03/04/2024\n"), qr/the date 03\/04\/2024 in line 2 may have the day or the month first, and no other date tells: say --dates dmy or --dates mdy/, 'nothing tells');
is_deeply($dates->("customer;date\n7;03/04/2024\n", '--dates', $_->[0]), [ $_->[1] ], "said: $_->[0]") foreach [ 'dmy', '2024-04-03' ], [ 'mdy', '2024-03-04' ];
like(plan_of("customer;date\n7;25/04/2024\n7;04/25/2024\n"), qr/dates have the day first \(25\/04\/2024 in line 2\) and the month first \(04\/25\/2024 in line 3\)/, 'both');
like(plan_of("customer,date\n7,2024-01-31\n7,$_\n"), qr/line 3: (there is no such date as|the date is missing)/, "no date: $_") foreach '2024-02-30', '31.04.2024', '45292', 'NULL', '', '2024-01-31 25:00', 'yesterday';

# ---------- customers, lines ----------

is_deeply([ map { (split /\t/)[1] } @{ rows_of("customer,date\n" . join('', map { "$_,2024-01-31\n" } '7', 'NULL', '', '\N', 'n/a', ' 8 ', '"A ""B"", C"', '"x' . "\n" . 'y"', 'a\\b')) } ],
	[ '7', ('\N') x 4, '8', 'A "B", C', 'x\ny', 'a\\\\b' ], 'NULL is no customer; quotes, line breaks and backslashes');
like(plan_of("customer,date\n7,2024-01-31\nNULL,2024-01-31\n"), qr/customer  customer \(column 1\), 1 row without one, loaded as guests\n.*2 orders of 1 customer,/s, 'which is said');
like(plan_of("customer,date\n7,2024-01-31\n\"8\n,2024-01-31\n"), qr/line 3: a quoted field has no closing quote/, 'a quote that is not closed');
like(plan_of("customer,date\n7,2024-01-31\n\n\n8,2024-01-31,5\n"), qr/line 5: more columns than the 2 of the first line/, 'more columns');
like(plan_of("customer,date\n"), qr/there are no orders in it/, 'a header alone');
like(plan_of("customer\n7\n"), qr/there must be at least two columns/, 'one column');

my $lines = "InvoiceNo,Quantity,InvoiceDate,UnitPrice,CustomerID\n1,2,12/31/2010 8:26,2.55,17850\n1,6,12/31/2010 8:26,3.39,17850\n2,-1,1/5/2011 9:00,1,\n,3,1/6/2011 9:00,1.5,8\n,1,1/6/2011 9:00,1.5,8\n";
my $plan = plan_of($lines);
like($plan, qr/quantity  Quantity.*price     UnitPrice \(column 4\), multiplied by the quantity\n    order     InvoiceNo \(column 1\), lines with one number are one order\n    4 orders of 2 customers, 2010-12-31 to 2011-01-06, sum 30.44\n/s,
	'lines of orders, quantity and price');
like($plan, qr/row 1    17850 \| 2010-12-31 08:26:00 \| 2 x 2.55\n.*row 3/s, 'three rows are shown');
like(plan_of("order_id,customer,date,amount\n1,7,2024-01-31,5\n1,8,2024-01-31,5\n"),
	qr/line 3: order 1 of customer 8 is also one of customer 7: so column order_id does not number the orders; say --columns order=none/, 'one number, two customers');
like(plan_of("order_id,customer,date,amount\n1,7,2024-01-31,5\n1,8,2024-01-31,5\n", undef, '--columns', 'order=none'), qr/2 orders of 2 customers/, 'said: it does not');
like(plan_of("customer,date,quantity,amount,unit_price\n1,2024-01-31,2,10,5\n"), qr/amount    amount \(column 4\)\n.*sum 10.00/s, 'an amount is the amount, whatever quantity and price are');
unlike(plan_of("customer,date,quantity\n1,2024-01-31,2\n"), qr/quantity \(column/, 'a quantity is not an amount');

# ---------- a server ----------

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(extra => [ '--locale=C.UTF-8', '--encoding=UTF8' ]);
$node->start;
local $ENV{PGHOST} = $node->host;
local $ENV{PGPORT} = $node->port;
write_file($lines);
command_like([ $import, $file, '-d', 'postgres' ], qr/Loaded into table orders.*segment.create_portfolio/s, 'into a new table');
is($node->safe_psql('postgres', q{SELECT order_id, customer_id, ordered_at AT TIME ZONE 'UTC', total FROM orders ORDER BY 1}),
	"1|17850|2010-12-31 08:26:00|25.44\n2||2011-01-05 09:00:00|-1\n3|8|2011-01-06 09:00:00|4.5\n4|8|2011-01-06 09:00:00|1.5", 'one row for each order, sums exact');
command_fails_like([ $import, $file, '-d', 'postgres' ], qr/relation "orders" already exists/, 'a table that is there is not touched');
write_file(encode('cp936', $chinese));
command_ok([ $import, '--replace', $file, '-d', 'postgres' ], 'unless it is said');
is(decode('UTF-8', $node->safe_psql('postgres', 'SELECT customer_id, total FROM orders ORDER BY 2')), "李四|5.5\n张三|10", 'Chinese arrives');
is($node->safe_psql('postgres', q{CREATE EXTENSION segment; SELECT customers FROM segment.create_portfolio('shop', 'SELECT customer_id, ordered_at, total FROM orders', timezone => 'UTC')}), '2',
	'and a portfolio is made of it');
$node->stop;

done_testing();
