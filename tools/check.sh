#!/bin/bash
# make check: builds the extension and runs all its tests against a
# throw-away server.  Ends with one line "N passed, N failed[, N skipped]".
#
#   ONLY      the suites to run: regress isolation pgtap tap doc browser (all)
#   TEST      only the files whose path holds this
#   JOBS      how many pgTAP and Perl files run side by side (as many as processors)
#   KEEP      if set, the temporary directory is kept
#   SERVER_VERSION  Debian's server to use, 15 to 19, if not the preferred one
#   PG_CONFIG the server to use, if not Debian's newest supported one here
#   SEGMENT_DATA  where the test data lie (../shared/data beside the checkout)
set -euo pipefail
# shellcheck source=tools/common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=tools/setup.sh
. "$CHECKOUT/tools/setup.sh"
# shellcheck source=tools/server.sh
. "$CHECKOUT/tools/server.sh"

SUITES=${ONLY:-regress isolation pgtap tap doc browser}
for suite in $SUITES; do
	case $suite in
		regress | isolation | pgtap | tap | doc | browser) ;;
		*) die "ONLY names no suite \"$suite\"; there are regress, isolation, pgtap, tap, doc and browser" ;;
	esac
done
JOBS=${JOBS:-$(nproc)}
[[ $JOBS =~ ^[1-9][0-9]?$ ]] || die "JOBS is a number from 1 to 99, not \"$JOBS\""
wanted() {
	[[ " $SUITES " == *" $1 "* ]]
}

passed=0 failed=0 skipped=0
# count SUITE PASSED FAILED SKIPPED
count() {
	passed=$((passed + $2)) failed=$((failed + $3)) skipped=$((skipped + $4))
	printf '    %s: %d passed, %d failed%s\n' "$1" "$2" "$3" \
		"$([ "$4" -eq 0 ] || printf ', %d skipped' "$4")"
}

finish() {
	printf '%d passed, %d failed' "$passed" "$failed"
	[ "$skipped" -eq 0 ] || printf ', %d skipped' "$skipped"
	printf '\n'
	[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
	exit
}

# run_regress SUITE VARIABLE OTHER SOURCES EXPECTED RESULTS: runs the tests of
# pg_regress or pg_isolation_regress, which the Makefile names in VARIABLE, and
# not those in OTHER, and counts one for each test file.  A test that the runner says nothing of has failed.
run_regress() {
	local suite=$1 variable=$2 other=$3 sources=$4 answers=$5 results=$6 expected ok list names
	mapfile -t list < <(files "${sources%/*}" -maxdepth 1 -name "${sources##*/}")
	expected=${#list[@]}
	if [ "$expected" -eq 0 ]; then
		say "$suite: no file whose path holds \"${TEST:-}\""
		return 0
	fi
	names=$(printf '%s\n' "${list[@]##*/}" | sed 's/\.[a-z]*$//' | paste -sd ' ')
	say "$suite: $expected tests"
	# One part of PGXS's installcheck at a time, so that each is counted.
	as_server make -C "$TREE" "PG_CONFIG=$PG_CONFIG" with_llvm=no installcheck "$variable=$names" \
		"$other=" TAP_TESTS= >"$WORK/$suite.out" 2>&1 || true
	# "test x ... ok" until PostgreSQL 15, "ok 1 - x" from 16 on.
	ok=$(grep -cE '^(test +[^ ]+ +\.\.\. ok|ok [0-9]+ )' "$WORK/$suite.out" || true)
	if [ "$ok" -ne "$expected" ]; then
		cat "$WORK/$suite.out"
		# With the names of the expected files in the checkout, so that patch -p0
		# can take what is right.
		as_server cat "$TREE/${results%/results}/regression.diffs" 2>/dev/null |
			sed -E "s#^(---|[+]{3}) $TREE/($results|(test/)?$answers)/#\\1 $answers/#" || true
	fi
	count "$suite" "$ok" $((expected - ok)) 0
}

# run_tap SUITE JOBS FILE...: runs files that speak TAP, JOBS of them side by
# side, and counts their assertions.
run_tap() {
	local suite=$1 jobs=$2 counts result=0 p f s
	shift 2
	[ $# -gt 0 ] || return 0
	say "$suite: $# files"
	counts=$WORK/$suite.counts
	(cd "$TREE" && as_server perl tools/run-tap --counts "$counts" --jobs "$jobs" "$@") || result=$?
	if [ -e "$counts" ]; then
		read -r p f s <"$counts"
		[ "$result" -eq 0 ] || [ "$f" -gt 0 ] || f=1
	else
		p=0 f=1 s=0
	fi
	count "$suite" "$p" "$f" "$s"
}

# The files of a suite, relative to the tree.
files() {
	(cd "$CHECKOUT" && { find "$@" -type f 2>/dev/null || true; } | { grep -F -- "${TEST:-}" || true; } | sort)
}

# Servers of other versions, for pg_upgrade: each with segment in a private tree.
# Prints the pg_config of each.
build_other_servers() {
	local version pg_config
	for version in "${SUPPORTED_VERSIONS[@]}"; do
		pg_config=/usr/lib/postgresql/$version/bin/pg_config
		if [ "$version" = "$SERVER_VERSION" ] || ! [ -x "${pg_config%/*}/initdb" ] ||
			! [ -x "$pg_config" ] || ! [ -e "$("$pg_config" --pgxs)" ]; then
			continue
		fi
		# shellcheck disable=SC2030,SC2031
		(
			PG_CONFIG=$pg_config
			# Headers of old servers are not C23, the default of new compilers.
			export COPT=-std=gnu17
			copy_checkout "$WORK/segment-$version"
			private_server "$WORK/server-$version"
			build_and_install "$WORK/segment-$version" && echo "$PG_CONFIG"
		)
	done
}

# The packages of the program that draws charts and of its test.
provide_browser() {
	local directory
	CHROMIUM=$(command -v chromium) && command -v node npm >/dev/null || return 1
	export CHROMIUM
	for directory in tools/report test/browser; do
		(cd "$TREE/$directory" && run_quietly "$WORK/npm.log" as_server npm ci --ignore-scripts --no-audit --no-fund) || return 1
	done
}

setup check
make_work_directory
clean_up_at_exit
TREE=$WORK/segment

say "copying the sources to $WORK"
copy_checkout "$TREE"
copy_test_data

say "building and installing for PostgreSQL $SERVER_VERSION, in a private copy of the server's files"
private_server "$WORK/server"
if ! build_and_install "$TREE"; then
	count build 0 1 0
	finish
fi

# Parallel workers enough for each file, or what is tested in parallel would
# be tested without.
say "starting a throw-away server"
server_start \
	"max_connections = $((40 + 20 * JOBS))" \
	"max_locks_per_transaction = 512" \
	"max_worker_processes = $((8 + 8 * JOBS))" \
	"max_parallel_workers = $((8 + 8 * JOBS))"

if wanted regress; then
	run_regress regress REGRESS ISOLATION 'test/sql/*.sql' expected results/results
fi
if wanted isolation; then
	run_regress isolation ISOLATION REGRESS 'test/isolation/specs/*.spec' test/isolation/expected output_iso/results
fi
if wanted pgtap; then
	provide_pgtap
	# shellcheck disable=SC2031
	if [ -e "$("$PG_CONFIG" --sharedir)/extension/pgtap.control" ]; then
		mapfile -t list < <(files test/pgtap -name '*.sql')
		run_tap pgtap "$JOBS" "${list[@]}"
	else
		say "pgtap: NOT TESTED, since this server has no extension pgtap"
		count pgtap 0 0 "$(files test/pgtap -name '*.sql' | wc -l)"
	fi
fi
if wanted tap; then
	# shellcheck disable=SC2031
	regress_directory=$(dirname "$("$PG_CONFIG" --pgxs)")/../test
	export PG_REGRESS=$regress_directory/regress/pg_regress
	export PERL5LIB=$regress_directory/perl${PERL5LIB:+:$PERL5LIB}
	export TESTDIR=$TREE TESTDATADIR=$TREE/tmp_check TESTLOGDIR=$TREE/tmp_check/log
	as_server mkdir -p "$TESTLOGDIR"
	mapfile -t list < <(files test/t -name '*.pl')
	if [[ " ${list[*]} " == *portfolio_upgrade.pl* ]]; then
		SEGMENT_SERVERS=$(build_other_servers | paste -sd ' ')
		export SEGMENT_SERVERS
		if [ -n "$SEGMENT_SERVERS" ]; then
			say "pg_upgrade: tested with these servers as well: $SEGMENT_SERVERS"
		else
			say "pg_upgrade: NOT TESTED, since no other supported server than PostgreSQL $SERVER_VERSION is installed here"
		fi
	fi
	# shellcheck disable=SC2031
	if [[ " ${list[*]} " == *sql_fragments.pl* ]] && ! [ -e "$("$PG_CONFIG" --sharedir)/extension/plpgsql_check.control" ]; then
		say "the order of the SQL fragments: NOT TESTED, since this server has no extension plpgsql_check"
	fi
	# These start servers of their own.
	(
		unset PGHOST PGPORT PGUSER
		run_tap tap "$JOBS" "${list[@]}"
		echo "$passed $failed $skipped" >"$WORK/totals"
	)
	read -r passed failed skipped <"$WORK/totals"
fi
if wanted doc; then
	mapfile -t list < <(files README.md README.zh.md doc -name '*.md')
	run_tap doc 1 "${list[@]}"
fi

if wanted browser; then
	mapfile -t list < <(files test/browser -maxdepth 1 -name '*.mjs')
	if [ ${#list[@]} -gt 0 ] && provide_browser; then
		run_tap browser 1 "${list[@]}"
		# what it saw is worth a look
		rm -rf "$CHECKOUT/artifacts"
		cp -r "$TREE/artifacts" "$CHECKOUT/artifacts" 2>/dev/null || true
	elif [ ${#list[@]} -gt 0 ]; then
		say "browser: NOT TESTED, since there is no chromium, node 18 or newer and npm here, or npm could not fetch packages"
		count browser 0 0 "${#list[@]}"
	fi
fi

finish
