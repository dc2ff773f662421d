# shellcheck shell=bash
# What the scripts have in common: messages, users, the temporary directory.
# Sourced, after "set -euo pipefail".

# The checkout that the scripts belong to.
CHECKOUT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Settings of the caller's session must not reach the throw-away server's
# clients (PGHOST, PGOPTIONS, ...), nor make's flags the inner make.
for variable in ${!PG*}; do
	[ "$variable" = PG_CONFIG ] || unset "$variable"
done
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES GNUMAKEFLAGS PSQLRC variable
export LC_ALL=C.UTF-8
umask 022

# One step of the work, for the person who waits.
say() {
	printf '==> %s\n' "$*"
}

# One sentence on what went wrong, and out.
die() {
	printf 'error: %s\n' "$*" >&2
	exit 2
}

# Runs a command with its output put aside; shows the output's end when the
# command fails.  run_quietly LOG COMMAND...
run_quietly() {
	local log=$1
	shift
	if ! "$@" >"$log" 2>&1; then
		printf '%s\n' "--- the end of the output of: $*" >&2
		tail -n 40 "$log" >&2
		return 1
	fi
}

# Runs a command as root, by sudo where that is needed.
as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	else
		sudo -- "$@"
	fi
}

# PostgreSQL refuses to run as root.  The server, and all that works on it,
# run as the current user, or as the user postgres when that is root.
server_user() {
	if [ "$(id -u)" -eq 0 ]; then
		echo postgres
	else
		id -un
	fi
}

as_server() {
	if [ "$(id -u)" -eq 0 ]; then
		HOME=${WORK:-/} runuser -u postgres -- "$@"
	else
		"$@"
	fi
}

need_server_user() {
	if [ "$(id -u)" -eq 0 ] && ! id postgres >/dev/null 2>&1; then
		die "a server cannot run as root and there is no user postgres here; run this as an ordinary user"
	fi
}

# Chooses a directory for temporary files in which the server's user can
# write and run programs, and prints it.  The path must be short, since
# sockets are put there (their limit is 107 bytes).
temporary_place() {
	local place probe
	for place in "${TMPDIR:-/tmp}" /tmp /var/tmp; do
		[ "${#place}" -le 40 ] || continue
		probe=$(as_server mktemp -d "$place/segment.XXXXXX" 2>/dev/null) || continue
		if as_server sh -c "printf '#!/bin/sh\n' >'$probe/run' && chmod 700 '$probe/run' && '$probe/run'" 2>/dev/null; then
			as_server rm -rf "$probe"
			printf '%s\n' "$place"
			return
		fi
		as_server rm -rf "$probe"
	done
	die "found no temporary directory in which user $(server_user) can write and run programs (tried TMPDIR, /tmp, /var/tmp)"
}

# Makes WORK, the temporary directory of this run, which belongs to the
# server's user alone.
make_work_directory() {
	local place
	need_server_user
	place=$(temporary_place)
	WORK=$(as_server mktemp -d "$place/segment.XXXXXX")
	export WORK
	export TMPDIR=$place
	cd "$WORK" 2>/dev/null || cd /
}

# Copies the checkout's files into a directory of the server's user, so that
# it does not matter who can read or write the checkout.  Build results,
# packages of npm and the history stay behind.
copy_checkout() {
	local target=$1
	as_server mkdir -p "$target"
	tar -C "$CHECKOUT" --mode=u+w -cf - \
		--exclude=./.git --exclude='*.o' --exclude='*.bc' --exclude='*.so' \
		--exclude='./segment--[0-9]*.sql' --exclude=./results \
		--exclude=./output_iso --exclude=./tmp_check --exclude=./log \
		--exclude='./regression.*' --exclude=node_modules --exclude=./artifacts . |
		as_server tar -C "$target" -xf -
	# Upgrade scripts are sources, unlike the install script.
	(cd "$CHECKOUT" && find . -maxdepth 1 -name 'segment--*--*.sql' -print0 |
		tar -cf - --null -T -) | as_server tar -C "$target" -xf -
}

# The data of the tests lie beside the checkout unless SEGMENT_DATA says
# otherwise.  They are copied, since the server's user may not see them.
copy_test_data() {
	local source=${SEGMENT_DATA:-$CHECKOUT/../shared/data}
	unset SEGMENT_DATA
	if [ -d "$source" ]; then
		as_server mkdir -p "$WORK/data"
		tar -C "$source" --mode=u+w -cf - . | as_server tar -C "$WORK/data" -xf -
		export SEGMENT_DATA=$WORK/data
	else
		say "no test data in $source (set SEGMENT_DATA): the tests that need them are skipped"
	fi
}
