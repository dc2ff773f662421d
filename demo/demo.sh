#!/bin/bash
# make demo, make demo-psql, make demo-stop: a portfolio on a throw-away
# server that stays up until it is stopped.
#
#   demo.sh start   CSV=path loads your own orders instead of the simulated shop;
#                   CSV_COLUMNS, CSV_DATES, CSV_DECIMAL, CSV_ENCODING say what
#                   segment-import is to take for what; REPORT=no
#                   leaves out the page with charts, and what draws it
#   demo.sh psql    opens psql on it; SQL='SELECT ...' only runs that
#   demo.sh stop    stops the server and removes all its files
set -euo pipefail
# shellcheck source=tools/common.sh
. "$(dirname "$0")/../tools/common.sh"
# shellcheck source=tools/setup.sh
. "$CHECKOUT/tools/setup.sh"
# shellcheck source=tools/server.sh
. "$CHECKOUT/tools/server.sh"

# The demo's directory: one for each user and checkout.  Sets WORK.
find_demo() {
	need_server_user
	TMPDIR=$(temporary_place)
	WORK=$TMPDIR/segment-demo-$(id -u)-$(cksum <<<"$CHECKOUT" | cut -d ' ' -f 1)
	export TMPDIR WORK
	cd /
}

# A directory of that name that somebody else made is not ours to use.
demo_exists() {
	[ -e "$WORK" ] || [ -L "$WORK" ] || return 1
	if [ -L "$WORK" ] || [ "$(stat -c '%U %F' "$WORK")" != "$(server_user) directory" ]; then
		die "$WORK exists and does not belong to user $(server_user); remove it first"
	fi
}

# Whether the server of the demo answers.  Sets BINDIR and the variables that
# psql needs.
demo_runs() {
	demo_exists && as_server test -e "$WORK/bindir" || return 1
	BINDIR=$(as_server cat "$WORK/bindir")
	export PATH=$BINDIR:$PATH PGHOST=$WORK/socket PGPORT=5432 PGUSER=postgres PGDATABASE=shop
	as_server "$BINDIR/pg_isready" -q -d postgres
}

remove_demo() {
	if as_server test -e "$WORK/bindir"; then
		BINDIR=$(as_server cat "$WORK/bindir")
		server_stop
	fi
	rm -rf "$WORK"
}

# The same as a page with charts, where there is what draws them.
write_report() {
	local language
	[ "${REPORT:-yes}" != no ] || return 0
	if ! command -v node npm >/dev/null; then
		echo "For a page with charts install node and npm (Debian: apt-get install nodejs npm), then make demo again."
		return
	fi
	for language in en zh; do
		if ! as_server "$TREE/tools/report/segment-report" --portfolio shop --language "$language" \
			--output "$WORK/report.$language.html" >/dev/null 2>"$WORK/report.log"; then
			echo "The page with charts could not be written: $(as_server tail -n 1 "$WORK/report.log")"
			return
		fi
	done
	echo "The results with charts, for a browser: $WORK/report.en.html, in Chinese report.zh.html beside it"
	echo
}

run_sql() {
	as_server psql -X -q -v ON_ERROR_STOP=1 "$@"
}

# import_csv FILE OPTION...: judges or loads the file of orders.
import_csv() {
	local file=$1 name
	local options=()
	shift
	for name in COLUMNS DATES DECIMAL ENCODING; do
		name=CSV_$name
		[ -z "${!name:-}" ] || options+=("--$(tr '[:upper:]' '[:lower:]' <<<"${name#CSV_}")" "${!name}")
	done
	"$CHECKOUT/import/segment-import" "$@" "${options[@]}" "$file"
}

start() {
	local csv=${CSV:-} orders
	if [ -n "$csv" ]; then
		csv=${csv/#\~\//$HOME/}
		[[ $csv == /* ]] || csv=$CALLED_FROM/$csv
		[ -f "$csv" ] || die "there is no file $csv"
		[ -r "$csv" ] || die "the file $csv cannot be read by user $(id -un)"
		[ -s "$csv" ] || die "the file $csv is empty"
	fi

	say "1 of 6: what is needed from Debian"
	setup demo
	if [ -n "$csv" ]; then
		say "what is in $csv"
		# before a demo that is up is touched
		import_csv "$csv" --plan || exit 2
	fi
	find_demo
	if demo_exists; then
		if as_server test -e "$WORK/starting" && kill -0 "$(as_server cat "$WORK/starting")" 2>/dev/null; then
			die "another make demo is at work; wait for it to end"
		fi
		say "removing the demo that was here before"
		remove_demo
	fi
	as_server mkdir -m 700 "$WORK" || die "cannot make the directory $WORK"
	clean_up_at_exit
	echo $$ | as_server tee "$WORK/starting" >/dev/null
	cd "$WORK" 2>/dev/null || cd /

	say "2 of 6: building for PostgreSQL $SERVER_VERSION and installing, in a private copy of the server's files"
	TREE=$WORK/segment
	copy_checkout "$TREE"
	private_server "$WORK/server"
	build_and_install "$TREE" || die "the extension could not be built; the compiler's words are above"
	echo "$BINDIR" | as_server tee "$WORK/bindir" >/dev/null

	say "3 of 6: starting a throw-away server as user $(server_user) (a socket in $WORK, no network port)"
	server_start "work_mem = 64MB"
	export PGDATABASE=postgres
	run_sql -c 'CREATE DATABASE shop'
	export PGDATABASE=shop

	if [ -n "$csv" ]; then
		say "4 of 6: loading $csv"
		import_csv "$csv" --sql --quiet | run_sql || exit 2
	else
		say "4 of 6: simulating a shop (the process is described in demo/shop.sql)"
		run_sql -f "$TREE/demo/shop.sql"
	fi
	orders=$(run_sql -At -F ' ' -c "
		SELECT format('%s rows of %s customers, %s to %s',
			to_char(count(*), 'FM999G999G999G999'), to_char(count(DISTINCT customer_id), 'FM999G999G999G999'),
			min(ordered_at)::date, max(ordered_at)::date)
		FROM orders")
	echo "    table orders: $orders"

	say "5 of 6: creating the portfolio"
	# of the file, nobody has said what share of sales is contribution
	local settings=", settings => '{\"margin\": 0.3}'"
	[ -z "$csv" ] || settings=
	cat <<-SQL
		    CREATE EXTENSION segment;
		    SELECT segment.create_portfolio('shop',
		      purchases => \$\$ SELECT customer_id, ordered_at, total FROM orders \$\$,
		      timezone => 'UTC'$settings);
	SQL
	run_sql -c 'CREATE EXTENSION segment' -o /dev/null -c "
		SELECT segment.create_portfolio('shop',
			purchases => \$\$ SELECT customer_id, ordered_at, total FROM orders \$\$,
			timezone => 'UTC'$settings)"

	# quarters of the past, so that there is a trend
	run_sql -o /dev/null -c "
		SELECT segment.take_snapshot('shop', d.day)
		FROM (SELECT max(as_of) AS last, min(first_day) AS first FROM shop.customer) AS c,
			generate_series(0, 7) AS n, LATERAL (SELECT (c.last - n * interval '3 months')::date AS day) AS d
		WHERE d.day > c.first
		ORDER BY d.day"

	say "6 of 6: the results"
	run_sql -P pager=off -f "$TREE/demo/results.sql"

	write_report
	as_server rm -f "$WORK/starting"
	trap - EXIT INT TERM HUP
	cat <<-EOT
		The server stays up, with the database shop, until you stop it:
		    make demo-psql    opens psql on it; try:  SELECT * FROM shop.customer LIMIT 5;
		    make demo-stop    stops it and removes everything
	EOT
}

open_psql() {
	find_demo
	demo_runs || die "no demo server is up; start one by: make demo"
	cd "$WORK" 2>/dev/null || cd /
	if [ -n "${SQL:-}" ]; then
		as_server psql -X -P pager=off -c "$SQL"
	else
		as_server psql
	fi
}

stop() {
	find_demo
	if demo_exists; then
		remove_demo
		say "the demo server is stopped and its files are removed"
	else
		say "no demo server is up"
	fi
}

CALLED_FROM=$PWD
case ${1:-} in
	start) start ;;
	psql) open_psql ;;
	stop) stop ;;
	*) die "usage: demo.sh start|psql|stop" ;;
esac
