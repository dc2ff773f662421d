#!/bin/bash
# make check-versions: runs make check on other servers than this system's,
# each inside a small Debian that debootstrap makes in a temporary directory
# and that is removed afterwards.  Needs root or sudo, the network, and about
# 2 GB in the temporary directory for each version; some minutes each.
#
#   VERSIONS  the servers (17 from Debian trixie, 18 from sid and 19 from
#             experimental: "17 18 19")
#   ONLY      the suites, as for make check (all but browser, which no server changes)
#   KEEP      if set, the directories are kept
set -euo pipefail
# shellcheck source=tools/common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=tools/setup.sh
. "$CHECKOUT/tools/setup.sh"

MIRROR=${MIRROR:-http://deb.debian.org/debian}
SECURITY_MIRROR=${SECURITY_MIRROR:-http://deb.debian.org/debian-security}
VERSIONS=${VERSIONS:-17 18 19}

suite_of() {
	case $1 in
		15) echo bookworm ;;
		17) echo trixie ;;
		18 | 19) echo sid ;;
		*) die "no Debian suite is known here that serves PostgreSQL $1; there are 15, 17, 18 and 19" ;;
	esac
}

ROOT=
# What still runs inside (a server, when make check was interrupted).
stop_inside() {
	local process found=
	for process in /proc/[0-9]*; do
		if [ "$(as_root readlink "$process/root" 2>/dev/null)" = "$ROOT" ]; then
			as_root kill -TERM "${process#/proc/}" 2>/dev/null || true
			found=yes
		fi
	done
	[ -z "$found" ] || sleep 2
}

unmount() {
	local place
	[ -n "$ROOT" ] || return 0
	stop_inside
	for place in dev/shm dev/pts dev sys proc; do
		if mountpoint -q "$ROOT/$place"; then
			as_root umount -l "$ROOT/$place"
		fi
	done
}

remove_root() {
	unmount
	# Never into something that is still mounted.
	if [ -n "$ROOT" ] && ! grep -q " $ROOT/" /proc/mounts; then
		as_root rm -rf --one-file-system "$ROOT"
	fi
	ROOT=
}

leave() {
	local status=$?
	trap - EXIT
	if [ -n "${KEEP:-}" ] && [ -n "$ROOT" ]; then
		unmount
		say "kept, as KEEP asks: $ROOT"
	else
		remove_root
	fi
	exit "$status"
}
trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# Runs a command inside, with nothing of this system's settings.
inside() {
	as_root chroot "$ROOT" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin \
		HOME=/root LC_ALL=C.UTF-8 "$@"
}

# Puts this system's older servers into the directory, so that pg_upgrade can
# be tested from them: Debian serves only one version in each suite.  The
# programs run with the newer C library; other libraries that the newer suite
# has no more are copied, too.  Where that does not work, make check inside
# says that pg_upgrade was not tested.
add_older_servers() {
	local version=$1 older library path
	for older in "${SUPPORTED_VERSIONS[@]}"; do
		if [ "$older" -ge "$version" ] || ! server_complete "$older"; then
			continue
		fi
		say "PostgreSQL $version: with PostgreSQL $older of this system, to test pg_upgrade"
		# Without the compiler of queries, whose libraries are large.
		tar -C / --exclude='llvmjit*' --exclude=bitcode -cf - "usr/lib/postgresql/$older" "usr/share/postgresql/$older" \
			"usr/include/postgresql/$older" | as_root tar -C "$ROOT" -xf -
		# A library may need another one.
		for _ in 1 2 3; do
			# shellcheck disable=SC2016
			inside sh -c 'ldd "$1"/bin/* "$1"/lib/plpgsql.so 2>/dev/null' sh "/usr/lib/postgresql/$older" |
				# libpq comes with the newer server, whose programs need the newer one
				sed -n 's/^[[:space:]]*\([^ ]*\) => not found.*/\1/p' | grep -v '^libpq\.' | sort -u |
				while read -r library; do
					path=$(ldconfig -p | sed -n "s|^[[:space:]]*$library .*=> ||p" | head -n 1)
					[ -z "$path" ] || as_root cp -L "$path" "$ROOT/usr/local/lib/$library"
				done
			inside ldconfig
		done
	done
}

# check_version VERSION: prints the last line of make check.
check_version() {
	local version=$1 suite log=$2
	suite=$(suite_of "$version")
	ROOT=$(as_root mktemp -d "${TMPDIR:-/var/tmp}/segment-$suite.XXXXXX")
	as_root chmod 755 "$ROOT"

	say "PostgreSQL $version: making a Debian $suite"
	# A script for a suite that this debootstrap is too old to know of exists
	# under sid's name: all newer suites are made alike.
	if ! as_root debootstrap --variant=minbase --include=ca-certificates,make,git "$suite" "$ROOT" "$MIRROR" \
		"$([ -e "/usr/share/debootstrap/scripts/$suite" ] || echo /usr/share/debootstrap/scripts/sid)" >>"$log" 2>&1; then
		tail -n 10 "$log" >&2
		echo "debootstrap could not make a Debian $suite from $MIRROR" >>"$log"
		return 1
	fi
	# With the server's newest minor version: pg_upgrade wants one that is not
	# older than the old server's.
	if [ "$suite" != sid ]; then
		echo "deb $SECURITY_MIRROR $suite-security main" |
			as_root tee "$ROOT/etc/apt/sources.list.d/security.list" >/dev/null
	fi
	# What is not released yet is in experimental, from where nothing else is
	# taken.
	if [ "$version" -eq 19 ]; then
		echo "deb $MIRROR experimental main" |
			as_root tee "$ROOT/etc/apt/sources.list.d/experimental.list" >/dev/null
		printf '%s\n' "Package: postgresql-$version postgresql-*-$version libpq5 libpq-dev" \
			'Pin: release a=experimental' 'Pin-Priority: 990' |
			as_root tee "$ROOT/etc/apt/preferences.d/segment" >/dev/null
	fi
	# A snapshot of sid counts as expired after a week.
	echo 'Acquire::Check-Valid-Until "false";' | as_root tee "$ROOT/etc/apt/apt.conf.d/90segment" >/dev/null
	# No service is started inside.
	printf '#!/bin/sh\nexit 101\n' | as_root tee "$ROOT/usr/sbin/policy-rc.d" >/dev/null
	as_root chmod 755 "$ROOT/usr/sbin/policy-rc.d"
	as_root mkdir -p "$ROOT/dev/shm"
	# Not allowed in every container.
	if ! as_root mount -t proc proc "$ROOT/proc" 2>>"$log" ||
		! as_root mount -t tmpfs tmpfs "$ROOT/dev/shm" 2>>"$log"; then
		return 1
	fi

	add_older_servers "$version" || true

	as_root mkdir -p "$ROOT/build/checkout" "$ROOT/build/data"
	tar -C "$CHECKOUT" -cf - --exclude=./.git . | as_root tar -C "$ROOT/build/checkout" -xf -
	if [ -d "${SEGMENT_DATA:-$CHECKOUT/../shared/data}" ]; then
		tar -C "${SEGMENT_DATA:-$CHECKOUT/../shared/data}" -cf - . | as_root tar -C "$ROOT/build/data" -xf -
	fi

	say "PostgreSQL $version: make check inside"
	inside "ONLY=${ONLY:-regress isolation pgtap tap doc}" "SERVER_VERSION=$version" SEGMENT_DATA=/build/data make -C /build/checkout check 2>&1 | as_root tee -a "$log"
}

command -v apt-get >/dev/null || die "this is not a Debian system, so debootstrap cannot be installed"
for version in $VERSIONS; do
	suite_of "$version" >/dev/null
done
install_packages "to make small Debian systems" debootstrap
need_root "for chroot"

# A version whose tests could not begin (no network, say) counts as skipped,
# one whose tests did not come to their end as failed.
passed=0 failed=0 skipped=0 results=()
for version in $VERSIONS; do
	log=$(mktemp)
	check_version "$version" "$log" || true
	if totals=$(grep -E '^[0-9]+ passed, [0-9]+ failed' "$log" | tail -n 1) && [ -n "$totals" ]; then
		passed=$((passed + $(sed -E 's/^([0-9]+) passed.*/\1/' <<<"$totals")))
		failed=$((failed + $(sed -E 's/.* ([0-9]+) failed.*/\1/' <<<"$totals")))
		if [[ $totals == *skipped ]]; then
			skipped=$((skipped + $(sed -E 's/.* ([0-9]+) skipped/\1/' <<<"$totals")))
		fi
	elif grep -q '^==> copying the sources' "$log"; then
		failed=$((failed + 1))
		totals="the tests did not come to their end: $(tail -n 1 "$log")"
	else
		skipped=$((skipped + 1))
		totals="NOT TESTED: $(tail -n 1 "$log")"
	fi
	results+=("PostgreSQL $version: $totals")
	say "PostgreSQL $version: $totals"
	if [ -z "${KEEP:-}" ]; then
		remove_root
	fi
	rm -f "$log"
done

say "the versions"
printf '%s\n' "${results[@]}"
printf '%d passed, %d failed' "$passed" "$failed"
[ "$skipped" -eq 0 ] || printf ', %d skipped' "$skipped"
printf '\n'
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
