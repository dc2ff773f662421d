# segment: customer value inside PostgreSQL.
#
#   make, make install, make installcheck     as every PGXS extension
#   make demo                                 a throw-away server with a shop on it
#   make report PORTFOLIO=name [DB=database]  a page with charts
#   make check                                all tests, on a throw-away server
#   make check-assertions                     the same, on one with assertions
#   make bench                                measured against hand-written SQL

EXTENSION = segment
# The one place of the version is the control file.
EXTVERSION := $(shell sed -n "s/^default_version = '\(.*\)'/\1/p" \
	$(dir $(firstword $(MAKEFILE_LIST)))segment.control)
MODULE_big = segment

# One concept per file, in wings: src/base is below src/types, src/statistics
# and src/models, and src/portfolio uses them all.  The SQL fragments have the
# same wings and are concatenated in this order: each uses only what stands
# before it.
SQL_FRAGMENTS = \
	prologue \
	types/rfm \
	types/history \
	statistics/cuts \
	statistics/score \
	statistics/amount_cuts \
	statistics/exact_sum \
	statistics/class_medians \
	statistics/rank_sum \
	statistics/concentration \
	statistics/clusters \
	statistics/interval \
	statistics/experiment \
	statistics/ranking \
	models/model \
	models/fit \
	models/refit \
	models/predict \
	portfolio/setting \
	portfolio/key \
	portfolio/source \
	portfolio/expression \
	portfolio/histories \
	portfolio/data_quality \
	portfolio/definition \
	portfolio/builtin_scheme \
	portfolio/scheme \
	portfolio/risk \
	portfolio/attribute \
	portfolio/scorecard_terms \
	portfolio/event \
	portfolio/customer \
	portfolio/figures \
	portfolio/backtest \
	portfolio/risk_source \
	portfolio/cut \
	portfolio/rule \
	portfolio/scorecard \
	portfolio/kept \
	portfolio/watch \
	portfolio/log \
	portfolio/watch_change \
	portfolio/defect \
	portfolio/refresh_read \
	portfolio/refresh_fold \
	portfolio/refresh_defect \
	portfolio/refresh_log \
	portfolio/refresh_event \
	portfolio/refresh \
	portfolio/customer_now \
	portfolio/migration \
	portfolio/snapshot \
	portfolio/churn \
	portfolio/value \
	portfolio/contact \
	portfolio/scheme_quality \
	portfolio/cohort \
	portfolio/flow \
	portfolio/key_account \
	portfolio/portfolio_view \
	portfolio/reader \
	portfolio/attribute_change \
	portfolio/portfolio \
	portfolio/scheme_change \
	portfolio/trait \
	portfolio/explain \
	portfolio/crosstab \
	portfolio/value_score \
	portfolio/cluster \
	portfolio/experiment \
	portfolio/evaluation \
	portfolio/drivers \
	portfolio/chart \
	portfolio/report \
	portfolio/dashboard

# Reads files of orders into a table; installed beside psql.
SCRIPTS = import/segment-import

SOURCES = $(sort $(wildcard $(srcdir)/src/*.c $(srcdir)/src/*/*.c))
INCLUDES = $(wildcard $(srcdir)/src/*/*.h)
OBJS = $(SOURCES:$(srcdir)/%.c=%.o)
DATA_built = $(EXTENSION)--$(EXTVERSION).sql

PG_CPPFLAGS = -I$(srcdir)/src -DSEGMENT_VERSION='"$(EXTVERSION)"'
# No fused multiply-add: printed values must not depend on the machine.
PG_CFLAGS = -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare \
	-Wno-missing-field-initializers -Wno-cast-function-type \
	-ffp-contract=off
# Only what SQL and other extensions reach is exported, under names that begin
# with segment_ or history_: nobody's function of the same name takes its place.
PG_CFLAGS += -fvisibility=hidden

# The likelihoods are maximized by NLopt.
SHLIB_LINK = -lnlopt

# For other extensions that read the types: installed with their folders, to be
# found by -I$$(pg_config --includedir-server)/extension/segment.
PUBLIC_HEADERS = base/decimal.h types/history.h types/history_totals.h types/rfm.h

REGRESS = $(patsubst $(srcdir)/test/sql/%.sql,%,$(sort $(wildcard $(srcdir)/test/sql/*.sql)))
# Not where the fragments in sql/ are: pg_regress would take a fragment for
# the test of the same name.
REGRESS_OPTS = --inputdir=$(srcdir)/test --outputdir=results --load-extension=segment
ISOLATION = $(patsubst $(srcdir)/test/isolation/specs/%.spec,%,$(sort $(wildcard $(srcdir)/test/isolation/specs/*.spec)))
ISOLATION_OPTS = --inputdir=$(srcdir)/test/isolation --load-extension=segment

# The targets at the end install the server's development files where they
# are missing, so make must get there without them.
SERVER_TARGETS = demo demo-psql demo-stop check check-assertions bench check-versions doc-update report pictures
PG_CONFIG ?= pg_config
ifneq ($(filter $(SERVER_TARGETS),$(MAKECMDGOALS)),)
ifneq ($(filter-out $(SERVER_TARGETS),$(MAKECMDGOALS)),)
$(error "make $(filter $(SERVER_TARGETS),$(MAKECMDGOALS))" does all it needs by itself; run it without other targets)
endif
else
PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)
ifeq ($(wildcard $(PGXS)),)
$(error "$(PG_CONFIG)" does not name a PostgreSQL with its development files (Debian: postgresql-server-dev-15); say where by PG_CONFIG=/path/to/pg_config)
endif
include $(PGXS)
endif

# PGXS would put all headers into one folder.
HEADER_DIRECTORY = $(DESTDIR)$(includedir_server)/extension/$(EXTENSION)
install: install-headers install-report
uninstall: uninstall-headers uninstall-report uninstall-import
.PHONY: install-headers uninstall-headers install-report uninstall-report uninstall-import
install-headers:
	for header in $(PUBLIC_HEADERS); do \
		$(MKDIR_P) "$(HEADER_DIRECTORY)/$$(dirname $$header)" && \
		$(INSTALL_DATA) "$(srcdir)/src/$$header" "$(HEADER_DIRECTORY)/$$header" || exit; \
	done
uninstall-headers:
	rm -f $(PUBLIC_HEADERS:%='$(HEADER_DIRECTORY)/%')
	rmdir '$(HEADER_DIRECTORY)'/base '$(HEADER_DIRECTORY)'/types '$(HEADER_DIRECTORY)' 2>/dev/null || true

# PGXS installs a script without its folder, but would uninstall it with that.
uninstall-import:
	rm -f '$(DESTDIR)$(bindir)/segment-import'

# The program that writes reports, where there is what it runs on.
REPORT_LIBRARY = $(datadir)/segment-report
REPORT_FILES = page.mjs picture.mjs package.json package-lock.json
install-report:
	@if command -v node >/dev/null; then \
		$(MKDIR_P) "$(DESTDIR)$(REPORT_LIBRARY)" "$(DESTDIR)$(bindir)" && \
		$(INSTALL_DATA) $(REPORT_FILES:%='$(srcdir)/tools/report/%') "$(DESTDIR)$(REPORT_LIBRARY)" && \
		sed 's|@LIBRARY@|$(REPORT_LIBRARY)|' "$(srcdir)/tools/report/segment-report" >"$(DESTDIR)$(bindir)/segment-report" && \
		chmod 755 "$(DESTDIR)$(bindir)/segment-report"; \
	else \
		echo "segment-report is not installed, since there is no node here"; \
	fi
uninstall-report:
	rm -f "$(DESTDIR)$(bindir)/segment-report" $(REPORT_FILES:%='$(DESTDIR)$(REPORT_LIBRARY)/%')
	rmdir "$(DESTDIR)$(REPORT_LIBRARY)" 2>/dev/null || true

# The fragments, with the templates that they include.
$(EXTENSION)--$(EXTVERSION).sql: $(SQL_FRAGMENTS:%=$(srcdir)/sql/%.sql) \
		$(wildcard $(srcdir)/sql/*.template) $(srcdir)/sql/assemble.pl
	perl $(srcdir)/sql/assemble.pl $(filter %.sql,$^) > $@ || { rm -f $@; false; }

# Every object depends on every header: PGXS knows no dependencies where the
# server was configured without --enable-depend, as Debian's.
$(OBJS): $(INCLUDES)

# Objects live below src/ also when building outside the source tree (whose
# own src/ make would find, hence the full names).
OBJECT_DIRECTORIES = $(sort $(dir $(OBJS:%=$(CURDIR)/%)))
$(OBJS): | $(OBJECT_DIRECTORIES)
installcheck: | $(CURDIR)/results
$(OBJECT_DIRECTORIES) $(CURDIR)/results:
	mkdir -p $@

ifneq ($(filter $(SERVER_TARGETS),$(MAKECMDGOALS)),)
# Throw-away servers: see tools/, demo/ and bench/.
TOP := $(dir $(abspath $(firstword $(MAKEFILE_LIST))))

.PHONY: $(SERVER_TARGETS)

# make demo [CSV=path]: a portfolio over a simulated shop, or your own file.
demo:
	@$(TOP)demo/demo.sh start

demo-psql:
	@$(TOP)demo/demo.sh psql

demo-stop:
	@$(TOP)demo/demo.sh stop

# make report PORTFOLIO=name [DB=database] [OUTPUT=file] [REPORT_LANG=zh] [NAMES=no] [INTERACTIVE=yes]
report:
	@PORTFOLIO='$(PORTFOLIO)' DB='$(DB)' OUTPUT='$(OUTPUT)'; \
	$(TOP)tools/report/segment-report --portfolio "$${PORTFOLIO:?say which, by PORTFOLIO=name}" $${DB:+--dbname "$$DB"} \
		$${OUTPUT:+--output "$$OUTPUT"} --language $(or $(REPORT_LANG),en) \
		$(if $(filter no,$(NAMES)),--no-names) $(if $(filter yes,$(INTERACTIVE)),--interactive)

# Draws the pictures of README.md from the shop of the demo.
pictures:
	@$(TOP)tools/report/pictures.sh

# make check [ONLY="regress isolation pgtap tap doc browser"] [TEST=part of a path]
check:
	@$(TOP)tools/check.sh

# make check-assertions [ASSERTION_SERVER=directory]: builds the server where
# it is missing.  Root's tests run as user postgres, who must see it.
ASSERTION_SERVER ?= $(if $(filter 0,$(shell id -u)),/var/cache,$(HOME)/.cache)/segment/assertion-server
check-assertions:
	@$(TOP)tools/assertion-server.sh "$(ASSERTION_SERVER)"
	@PG_CONFIG="$(ASSERTION_SERVER)/pg/bin/pg_config" $(TOP)tools/check.sh

# make bench [CUSTOMERS=1000000] [ORDERS=20000000] [ROWS="..."]
bench:
	@$(TOP)bench/bench.sh

# The tests on newer servers, in directories made by debootstrap.
check-versions:
	@$(TOP)tools/check-versions.sh

# Writes the real output into the examples of README.md, README.zh.md and doc/.
doc-update:
	@$(TOP)tools/doc-update.sh
endif
