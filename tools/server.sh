# shellcheck shell=bash
# A throw-away server.  Sourced after common.sh and setup.sh.
#
# The server's programs are put into a private tree in the temporary
# directory, and the extension is installed only there: nothing of the
# system's PostgreSQL is changed, root is not needed, and any number of runs
# can go on at once.  PostgreSQL finds its files relative to its programs.

# Puts the private tree of the server of PG_CONFIG under DIRECTORY and sets
# PG_CONFIG and BINDIR to it.  Programs are copied (their own place is what
# counts), everything else is linked.
private_server() {
	local directory=$1 bindir part source
	bindir=$("$PG_CONFIG" --bindir)
	for part in pkglibdir sharedir includedir-server; do
		source=$("$PG_CONFIG" "--$part")
		[ -d "$source" ] || continue
		as_server mkdir -p "$directory$source"
		as_server cp -rs "$source/." "$directory$source"
	done
	as_server mkdir -p "$directory$bindir"
	as_server cp -rL "$bindir/." "$directory$bindir"
	# No trace of a segment that is installed in the system.
	as_server find "$directory" -path '*/extension/segment*' -delete
	as_server find "$directory" -name 'segment.so' -delete
	as_server find "$directory" -path '*/bitcode/segment*' -delete

	BINDIR=$directory$bindir
	PG_CONFIG=$BINDIR/pg_config
	export PATH=$BINDIR:$PATH
}

# Puts pgTAP into the private tree where the server has none: it is SQL alone,
# so the package for another server does (none is made for a server that is not
# released yet).
provide_pgtap() {
	local target version package place
	target=$("$PG_CONFIG" --sharedir)/extension
	if [ -e "$target/pgtap.control" ] || ! command -v apt-get >/dev/null; then
		return 0
	fi
	for version in "${SUPPORTED_VERSIONS[@]}"; do
		package=postgresql-$version-pgtap
		place=/usr/share/postgresql/$version/extension
		if ! [ -e "$place/pgtap.control" ]; then
			package_available "$package" || continue
			as_server mkdir -p "$WORK/pgtap"
			(cd "$WORK/pgtap" && as_server apt-get -q download "$package" >download.log 2>&1 &&
				as_server dpkg-deb -x "$package"_*.deb .) || continue
			place=$WORK/pgtap$place
		fi
		say "pgTAP of $package, since there is none for this server"
		as_server cp "$place"/pgtap* "$target"
		return
	done
}

# Builds in DIRECTORY, a copy of the checkout, and installs into the private
# tree.  The output goes to the file DIRECTORY/build.log.
build_and_install() {
	local directory=$1
	local options=(-C "$directory" "PG_CONFIG=$PG_CONFIG")
	# The bitcode for the server's own compiler is of no use here.
	options+=(with_llvm=no)
	run_quietly "$WORK/build.log" as_server make -j "$(nproc)" "${options[@]}" all &&
		run_quietly "$WORK/install.log" as_server make "${options[@]}" install
}

# server_start [SETTING...]: makes a cluster in WORK and starts it, reachable
# by a socket in WORK and by nobody but the server's user.
server_start() {
	local setting
	as_server mkdir -p "$WORK/socket"
	run_quietly "$WORK/initdb.log" as_server "$BINDIR/initdb" \
		-D "$WORK/data.pg" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync ||
		die "initdb failed; its output is above"
	for setting in "listen_addresses = ''" \
		"unix_socket_directories = '$WORK/socket'" \
		"unix_socket_permissions = 0700" \
		"port = 5432" \
		"timezone = 'UTC'" \
		"log_timezone = 'UTC'" \
		"datestyle = 'iso, ymd'" \
		"lc_messages = 'C'" \
		"fsync = off" \
		"max_prepared_transactions = 10" \
		"$@"; do
		printf '%s\n' "$setting"
	done | as_server tee -a "$WORK/data.pg/postgresql.conf" >/dev/null
	if ! run_quietly "$WORK/start.log" as_server "$BINDIR/pg_ctl" -D "$WORK/data.pg" \
		-l "$WORK/server.log" -w -t 120 start; then
		as_server tail -n 20 "$WORK/server.log" >&2 || true
		die "the throw-away server did not start; its log is above"
	fi
	export PGHOST=$WORK/socket PGPORT=5432 PGUSER=postgres
}

server_stop() {
	if [ -n "${WORK:-}" ] && [ -n "${BINDIR:-}" ] &&
		as_server test -e "$WORK/data.pg/postmaster.pid"; then
		as_server "$BINDIR/pg_ctl" -D "$WORK/data.pg" -m immediate -w stop >/dev/null 2>&1 || true
	fi
}

# For "trap ... EXIT": stops the server and removes everything.
clean_up() {
	local status=$?
	trap - EXIT INT TERM HUP
	server_stop
	cd /
	if [ -n "${KEEP:-}" ]; then
		say "kept, as KEEP asks: $WORK"
	elif [ -n "${WORK:-}" ]; then
		rm -rf "$WORK" || true
	fi
	exit "$status"
}

clean_up_at_exit() {
	trap clean_up EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	trap 'exit 129' HUP
}
