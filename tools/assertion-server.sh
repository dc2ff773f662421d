#!/bin/bash
# Builds a PostgreSQL server with assertions from Debian's source package:
#
#   tools/assertion-server.sh [DIRECTORY]
#
# DIRECTORY (else ~/.cache/segment/assertion-server) gets the server in pg/,
# and keeps nothing of the build.  Assertions check the server's own rules
# while the extension runs (locks held, memory freed, snapshots active), and
# freed memory is overwritten, so that using it does not go unnoticed.  The
# tests run against it by "make check-assertions", which builds it where it is
# missing, or by
#
#   PG_CONFIG=DIRECTORY/pg/bin/pg_config make check
#
# The system's lists of packages stay as they are: the source package's are
# read in DIRECTORY.  About ten minutes on two processors, and 1 GB while it
# lasts.
set -euo pipefail
# Before common.sh, which says "cd": a relative path is the caller's.
target=$(realpath -m "${1:-${HOME:-/var/tmp}/.cache/segment/assertion-server}")
# shellcheck source=tools/common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=tools/setup.sh
. "$CHECKOUT/tools/setup.sh"

command -v apt-get >/dev/null ||
	die "this is not a Debian system: configure a PostgreSQL with --enable-cassert --enable-tap-tests yourself, and run the tests by PG_CONFIG=/path/to/pg_config make check"
if [ -x "$target/pg/bin/pg_config" ]; then
	say "there is one: $target/pg"
	exit
fi

choose_debian_version
install_packages "to build a server with assertions" "postgresql-$SERVER_VERSION-pgtap" \
	gcc libc6-dev make perl bison flex dpkg-dev libicu-dev libssl-dev zlib1g-dev libreadline-dev \
	libipc-run-perl

# The system's package sources, for source packages as well.
mkdir -p "$target/apt/parts" "$target/apt/lists/partial" "$target/apt/cache/archives/partial"
for list in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
	[ -e "$list" ] || continue
	sed -n 's/^deb[[:space:]]/deb-src /p' "$list" >"$target/apt/parts/$(basename "$list" .list).list"
done
for list in /etc/apt/sources.list.d/*.sources; do
	[ -e "$list" ] || continue
	sed 's/^Types:.*/Types: deb-src/' "$list" >"$target/apt/parts/${list##*/}"
done
apt_options=(-q -o "Dir::Etc::sourcelist=/dev/null" -o "Dir::Etc::sourceparts=$target/apt/parts"
	-o "Dir::State::lists=$target/apt/lists" -o "Dir::Cache=$target/apt/cache"
	-o "APT::Sandbox::User=")

say "PostgreSQL $SERVER_VERSION: the source package"
mkdir -p "$target/build"
# One source of several may fail without harm.
apt-get "${apt_options[@]}" update >"$target/apt-get.log" 2>&1 || true
# The newest that can be had: a mirror may have the programs of a security
# update without its sources.
mapfile -t versions < <(apt-cache "${apt_options[@]}" showsrc "postgresql-$SERVER_VERSION" 2>/dev/null |
	sed -n 's/^Version: //p' | sort -Vru)
[ ${#versions[@]} -gt 0 ] || die "the package sources of this system serve no source package postgresql-$SERVER_VERSION"
fetched=
for version in "${versions[@]}"; do
	if (cd "$target/build" && apt-get "${apt_options[@]}" source "postgresql-$SERVER_VERSION=$version") >>"$target/apt-get.log" 2>&1; then
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
source=$(find "$target/build" -mindepth 1 -maxdepth 1 -type d -name "postgresql-$SERVER_VERSION-*")
[ -d "$source" ] || die "apt-get source left no directory of sources in $target/build"

say "PostgreSQL $SERVER_VERSION: configuring"
(cd "$source" && run_quietly "$target/configure.log" ./configure "--prefix=$target/pg" \
	--enable-cassert --enable-debug --enable-tap-tests --with-icu --with-openssl \
	CFLAGS="-O2 -fno-omit-frame-pointer")

say "PostgreSQL $SERVER_VERSION: building"
run_quietly "$target/build.log" nice -n 10 make -C "$source" -j "$(nproc)"
run_quietly "$target/build.log" nice -n 10 make -C "$source/contrib" -j "$(nproc)"
say "PostgreSQL $SERVER_VERSION: installing into $target/pg"
run_quietly "$target/install.log" make -C "$source" install
run_quietly "$target/install.log" make -C "$source/contrib" install
# What runs an extension's tests.
for part in regress isolation perl; do
	run_quietly "$target/install.log" make -C "$source/src/test/$part" install
done
# pgTAP is SQL alone.
cp "/usr/share/postgresql/$SERVER_VERSION/extension/"pgtap* "$("$target/pg/bin/pg_config" --sharedir)/extension"

rm -rf "$target/apt" "$target/build"
say "done: PG_CONFIG=$target/pg/bin/pg_config make check"
