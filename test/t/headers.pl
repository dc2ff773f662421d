# Another extension reads histories and summaries with the installed headers.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $place = PostgreSQL::Test::Utils::tempdir();
append_to_file("$place/reader.c", <<'SOURCE');
#include "postgres.h"
#include "fmgr.h"
#include "types/history_totals.h"
#include "types/rfm.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(reader_orders);
Datum
reader_orders(PG_FUNCTION_ARGS)
{
	Rfm		   *rfm = (Rfm *) PG_GETARG_POINTER(0);

	PG_RETURN_INT64(rfm->orders);
}

PG_FUNCTION_INFO_V1(reader_largest_day);
Datum
reader_largest_day(PG_FUNCTION_ARGS)
{
	struct varlena *(*argument) (Datum value);
	void		(*open_history) (HistoryReader *reader, const struct varlena *history);
	bool		(*next) (HistoryReader *reader, HistoryDay *day);
	HistoryReader reader;
	HistoryDay	day;
	HistoryDay	largest = {0};

	argument = load_external_function("$libdir/segment", "history_argument", true, NULL);
	open_history = load_external_function("$libdir/segment", "history_open", true, NULL);
	next = load_external_function("$libdir/segment", "history_next", true, NULL);
	open_history(&reader, argument(PG_GETARG_DATUM(0)));
	while (next(&reader, &day))
		if (day.gross > largest.gross)
			largest = day;
	PG_RETURN_DATEADT(largest.day);
}
SOURCE
append_to_file("$place/Makefile", <<'MAKEFILE');
MODULES = reader
PG_CPPFLAGS = -I$(shell $(PG_CONFIG) --includedir-server)/extension/segment
PG_CFLAGS = -Werror
PG_CONFIG = pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)
MAKEFILE

my ($said, $errors);
ok(run_log([ 'make', '-C', $place, 'with_llvm=no', 'reader.so' ], '>', \$said, '2>', \$errors),
	'an extension that includes the installed headers is compiled')
	or diag($errors);

my $node = PostgreSQL::Test::Cluster->new('headers');
$node->init;
$node->append_conf('postgresql.conf', "timezone = 'UTC'\nfsync = off");
$node->start;
$node->safe_psql('postgres', qq{
	CREATE EXTENSION segment;
	CREATE FUNCTION reader_orders(segment.rfm) RETURNS bigint LANGUAGE C STRICT AS '$place/reader', 'reader_orders';
	CREATE FUNCTION reader_largest_day(segment.history) RETURNS date LANGUAGE C STRICT AS '$place/reader', 'reader_largest_day';
});
is($node->safe_psql('postgres', q{
		SELECT reader_orders(segment.rfm_agg(day::timestamptz, amount)), reader_largest_day(segment.history_agg(day, amount))
		FROM (VALUES (date '2024-01-01', 10.5), ('2024-02-29', 12), ('2024-03-01', 11.75), ('2024-03-02', -1)) AS v(day, amount)}),
	'3|2024-02-29', 'and reads what segment stored');
$node->stop;

done_testing();
