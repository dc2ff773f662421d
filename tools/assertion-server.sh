#!/bin/bash
# Builds a PostgreSQL server with assertions:
#
#   tools/assertion-server.sh DIRECTORY
#
# DIRECTORY gets the server in pg/ and keeps nothing of the build.  Assertions
# check the server's own rules while the extension runs (locks held, memory
# freed, snapshots active), and freed memory is overwritten, so that using it
# does not go unnoticed.  "make check-assertions" builds the server where it is
# missing and runs the tests against it; so does
#
#   PG_CONFIG=DIRECTORY/pg/bin/pg_config make check
#
# The sources are PostgreSQL's own, out of Debian's source package, without
# Debian's changes: those fix the directory of the server's modules to that of
# the system, whatever the prefix, and "make install" would overwrite the
# system's.  For the same reason root's work is done by user postgres here.
#
# The system's lists of packages stay as they are: the source package's are
# read in DIRECTORY.  About ten minutes on two processors, and 1 GB while it
# lasts.
set -euo pipefail
target=$(realpath -m "${1:?the directory is missing}")
# shellcheck source=tools/common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=tools/setup.sh
. "$CHECKOUT/tools/setup.sh"

command -v apt-get >/dev/null ||
	die "this is not a Debian system: configure a PostgreSQL with --enable-cassert --enable-tap-tests yourself, and run the tests by PG_CONFIG=/path/to/pg_config make check"
if [ -e "$target/pg/complete" ]; then
	say "there is one: $target/pg"
	exit
fi

choose_debian_version
install_packages "to build a server with assertions" "postgresql-$SERVER_VERSION-pgtap" \
	gcc libc6-dev make perl bison flex dpkg-dev libicu-dev libssl-dev zlib1g-dev libreadline-dev \
	libipc-run-perl

need_server_user
mkdir -p "$target"
if [ "$(id -u)" -eq 0 ]; then
	chown postgres: "$target"
fi
as_server test -x "$target" ||
	die "user $(server_user) cannot enter $target, but the server and its tests run as that user"

# The system's package sources, for source packages as well.
as_server mkdir -p "$target/build" "$target/apt/parts" "$target/apt/lists/partial" "$target/apt/cache/archives/partial"
for list in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
	[ -e "$list" ] || continue
	sed -n 's/^deb[[:space:]]/deb-src /p' "$list" | as_server tee "$target/apt/parts/$(basename "$list" .list).list" >/dev/null
done
for list in /etc/apt/sources.list.d/*.sources; do
	[ -e "$list" ] || continue
	sed 's/^Types:.*/Types: deb-src/' "$list" | as_server tee "$target/apt/parts/${list##*/}" >/dev/null
done
apt_options=(-q -o "Dir::Etc::sourcelist=/dev/null" -o "Dir::Etc::sourceparts=$target/apt/parts"
	-o "Dir::State::lists=$target/apt/lists" -o "Dir::Cache=$target/apt/cache")

say "PostgreSQL $SERVER_VERSION: the source package"
# One source of several may fail without harm.
as_server apt-get "${apt_options[@]}" update >"$target/apt-get.log" 2>&1 || true
# The newest that can be had: a mirror may have the programs of a security
# update without its sources.
mapfile -t versions < <(apt-cache "${apt_options[@]}" showsrc "postgresql-$SERVER_VERSION" 2>/dev/null |
	sed -n 's/^Version: //p' | sort -Vru)
[ ${#versions[@]} -gt 0 ] || die "the package sources of this system serve no source package postgresql-$SERVER_VERSION"
fetched=
for version in "${versions[@]}"; do
	if (cd "$target/build" && as_server apt-get "${apt_options[@]}" --download-only source "postgresql-$SERVER_VERSION=$version") >>"$target/apt-get.log" 2>&1; then
		fetched=$version
		break
	fi
	say "the sources of $version cannot be had"
done
[ -n "$fetched" ] || {
	tail -n 10 "$target/apt-get.log" >&2
	die "apt-get source failed; its last words are above"
}
say "the sources of $fetched"
# shellcheck disable=SC2016
as_server sh -c 'tar -C "$1" --strip-components=1 -xf "$1"/postgresql-*.orig.tar.*[!c]' sh "$target/build"
source=$target/build

# run LOG COMMAND...
run() {
	local log=$target/$1.log
	shift
	run_quietly "$log" as_server nice -n 10 "$@"
}

say "PostgreSQL $SERVER_VERSION: configuring"
(cd "$source" && run configure ./configure "--prefix=$target/pg" \
	--enable-cassert --enable-debug --enable-tap-tests --with-icu --with-openssl \
	CFLAGS="-O2 -fno-omit-frame-pointer")

say "PostgreSQL $SERVER_VERSION: building"
run build make -C "$source" -j "$(nproc)"
run build-contrib make -C "$source/contrib" -j "$(nproc)"
modules=$("$source/src/bin/pg_config/pg_config" --pkglibdir)
[[ $modules == "$target/"* ]] || die "these sources would install into $modules"
say "PostgreSQL $SERVER_VERSION: installing into $target/pg"
run install make -C "$source" install
run install-contrib make -C "$source/contrib" install
# What runs an extension's tests.
for part in regress isolation perl; do
	run install-tests make -C "$source/src/test/$part" install
done
# pgTAP is SQL alone.
as_server cp "/usr/share/postgresql/$SERVER_VERSION/extension/"pgtap* "$("$target/pg/bin/pg_config" --sharedir)/extension"

as_server touch "$target/pg/complete"
rm -rf "$target/apt" "$target/build"
say "done: PG_CONFIG=$target/pg/bin/pg_config make check"
