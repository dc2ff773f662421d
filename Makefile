# segment: customer value inside PostgreSQL.
#
#   make, make install, make installcheck     as every PGXS extension
#   make demo                                 a throw-away server with a shop on it
#   make check                                all tests, on a throw-away server
#   make bench                                measured against hand-written SQL

EXTENSION = segment
EXTVERSION = 0.1
MODULE_big = segment

# One concept per file, in src/ and in sql/.  The SQL fragments are
# concatenated in this order.
CONCEPTS = \
	decimal \
	time_unit \
	rfm \
	history \
	history_aggregate \
	history_measure \
	score \
	concentration \
	model \
	arguments \
	inputs \
	maximise \
	fit \
	predict \
	gammagamma \
	special \
	quadrature \
	beta_geometric \
	bgnbd \
	mbgnbd \
	arrivals \
	pnbd \
	bgbb

SQL_FRAGMENTS = \
	prologue \
	rfm \
	history \
	score \
	concentration \
	model \
	fit \
	predict

OBJS = src/segment.o $(CONCEPTS:%=src/%.o)
DATA_built = $(EXTENSION)--$(EXTVERSION).sql

# No fused multiply-add: printed values must not depend on the machine.
PG_CPPFLAGS = -I$(srcdir)/src
PG_CFLAGS = -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare \
	-Wno-missing-field-initializers -Wno-cast-function-type \
	-ffp-contract=off
# Before 16 a server's extensions export every symbol: bind ours to ourselves,
# so that no other library's function of the same name takes its place.
SHLIB_LINK = -Wl,-Bsymbolic

# The likelihoods are maximised by NLopt.
SHLIB_LINK += -lnlopt

REGRESS = $(patsubst $(srcdir)/test/sql/%.sql,%,$(sort $(wildcard $(srcdir)/test/sql/*.sql)))
REGRESS_OPTS = --inputdir=$(srcdir)/test --load-extension=segment
ISOLATION = $(patsubst $(srcdir)/test/isolation/specs/%.spec,%,$(sort $(wildcard $(srcdir)/test/isolation/specs/*.spec)))
ISOLATION_OPTS = --inputdir=$(srcdir)/test/isolation --load-extension=segment

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

$(EXTENSION)--$(EXTVERSION).sql: $(SQL_FRAGMENTS:%=$(srcdir)/sql/%.sql)
	cat $^ > $@

# Objects live in src/ also when building outside the source tree.
$(OBJS): | src
src:
	mkdir -p $@
