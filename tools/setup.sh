# shellcheck shell=bash
# Makes sure that the programs are there, and installs Debian packages where
# they are not.  Sourced after common.sh.

# The supported servers, the preferred first; 19 is not released yet.
SUPPORTED_VERSIONS=(18 17 16 15 19)

package_installed() {
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

package_available() {
	[ -n "$(apt-cache madison "$1" 2>/dev/null)" ]
}

# Whether Debian's PostgreSQL of that version is here with all that building
# an extension needs.
server_complete() {
	package_installed "postgresql-$1" && package_installed "postgresql-server-dev-$1"
}

# Sets SERVER_VERSION, the Debian version to use, unless the caller has set it:
# what is installed, else what the system's package sources serve.
choose_debian_version() {
	local version
	local wanted=("${SUPPORTED_VERSIONS[@]}")
	[ -z "${SERVER_VERSION:-}" ] || wanted=("$SERVER_VERSION")
	for version in "${wanted[@]}"; do
		if server_complete "$version"; then
			SERVER_VERSION=$version
			return
		fi
	done
	update_package_lists
	for version in "${wanted[@]}"; do
		if package_available "postgresql-server-dev-$version"; then
			SERVER_VERSION=$version
			return
		fi
	done
	die "the package sources of this system do not serve PostgreSQL ${SERVER_VERSION:-15 to 19}; check /etc/apt/sources.list and the network"
}

LISTS_UPDATED=
update_package_lists() {
	local log
	[ -z "$LISTS_UPDATED" ] || return 0
	LISTS_UPDATED=yes
	need_root "to read the lists of Debian's packages"
	say "reading the lists of Debian's packages (apt-get update)"
	log=$(mktemp)
	# One source of several may fail without harm: what counts is whether the
	# packages are found afterwards.
	if ! as_root apt-get -q update >"$log" 2>&1; then
		printf 'apt-get update had errors; going on with the lists that are here:\n' >&2
		grep -E '^(E|Err)' "$log" | head -5 >&2 || true
	fi
	rm -f "$log"
}

need_root() {
	[ "$(id -u)" -eq 0 ] && return
	command -v sudo >/dev/null ||
		die "needs root or sudo $1, and there is neither"
	sudo -v || die "needs root or sudo $1, and sudo refused"
}

# install_packages REASON PACKAGE...: those of the packages that are missing.
install_packages() {
	local reason=$1 package log drop_in result=0
	local missing=()
	shift
	for package in "$@"; do
		package_installed "$package" || missing+=("$package")
	done
	[ ${#missing[@]} -gt 0 ] || return 0

	say "installing Debian packages ($reason): ${missing[*]}"
	need_root "to install Debian packages"
	update_package_lists
	for package in "${missing[@]}"; do
		package_available "$package" ||
			die "the package $package is not served by this system's package sources; check /etc/apt/sources.list and the network"
	done

	# A server package that comes new would otherwise start a database
	# cluster on the usual port: nobody asked for one.
	drop_in=/etc/postgresql-common/createcluster.d/segment-no-cluster.conf
	as_root mkdir -p "${drop_in%/*}"
	echo 'create_main_cluster = false' | as_root tee "$drop_in" >/dev/null

	log=$(mktemp)
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
		--no-install-recommends -o DPkg::Lock::Timeout=600 \
		install "${missing[@]}" >"$log" 2>&1 || result=$?

	as_root rm -f "$drop_in"
	as_root rmdir --ignore-fail-on-non-empty "${drop_in%/*}"
	if [ "$result" -ne 0 ]; then
		tail -n 20 "$log" >&2
		rm -f "$log"
		die "apt-get could not install ${missing[*]}; its last words are above"
	fi
	rm -f "$log"
}

# Whether a package is here or can be had; for what is left out where it is not.
package_obtainable() {
	package_installed "$1" && return
	update_package_lists
	package_available "$1"
}

# Adds node and npm, what draws the charts, to packages, unless they are here or
# cannot be had.
add_node() {
	if ! command -v npm >/dev/null && package_obtainable npm; then
		packages+=(nodejs npm)
	fi
}

# setup PURPOSE: everything that PURPOSE (demo, check, bench, ci) needs.
# Sets PG_CONFIG and SERVER_VERSION.
setup() {
	local purpose=$1 optional
	local packages=()

	if command -v apt-get >/dev/null && command -v dpkg-query >/dev/null; then
		if [ -z "${PG_CONFIG:-}" ]; then
			choose_debian_version
			packages+=("postgresql-$SERVER_VERSION" "postgresql-server-dev-$SERVER_VERSION")
		fi
		packages+=(gcc libc6-dev make perl libnlopt-dev)
		case $purpose in
			check | ci)
				packages+=(libipc-run-perl libtap-parser-sourcehandler-pgtap-perl)
				# check.sh says what is skipped without them
				if [[ " ${SUITES:-browser} " == *" browser "* ]]; then
					for optional in chromium fonts-wqy-microhei; do
						! package_obtainable "$optional" || packages+=("$optional")
					done
					add_node
				fi
				if [ -z "${PG_CONFIG:-}" ]; then
					for optional in "postgresql-$SERVER_VERSION-pgtap" "postgresql-$SERVER_VERSION-plpgsql-check"; do
						! package_obtainable "$optional" || packages+=("$optional")
					done
				fi
				;;
			demo)
				# for the page with charts; demo.sh says what is left out without it
				[ "${REPORT:-yes}" = no ] || add_node
				;;
		esac
		if [ "$purpose" = ci ]; then
			packages+=(clang git shellcheck)
			# not in every Debian; .ci/run says what is skipped without it
			! package_obtainable pg-bsd-indent || packages+=(pg-bsd-indent)
		fi
		install_packages "to build, run and test in a throw-away server" "${packages[@]}"
		PG_CONFIG=${PG_CONFIG:-/usr/lib/postgresql/$SERVER_VERSION/bin/pg_config}
	else
		PG_CONFIG=${PG_CONFIG:-$(command -v pg_config || true)}
		[ -n "$PG_CONFIG" ] ||
			die "this is not a Debian system, so nothing can be installed: install PostgreSQL 15 to 19 with its development files, a C compiler, perl and NLopt, then say where by PG_CONFIG=/path/to/pg_config"
	fi
	check_pg_config
}

# PG_CONFIG must name a complete server of a supported version.
check_pg_config() {
	local version
	version=$("$PG_CONFIG" --version 2>/dev/null) ||
		die "cannot run PG_CONFIG ($PG_CONFIG)"
	[[ $version =~ ^PostgreSQL\ ([0-9]+) ]] ||
		die "PG_CONFIG ($PG_CONFIG) is not PostgreSQL's pg_config"
	SERVER_VERSION=${BASH_REMATCH[1]}
	case " ${SUPPORTED_VERSIONS[*]} " in
		*" $SERVER_VERSION "*) ;;
		*) die "$version is not supported: segment needs PostgreSQL 15 to 19" ;;
	esac
	[ -x "$("$PG_CONFIG" --bindir)/initdb" ] ||
		die "PG_CONFIG ($PG_CONFIG) names a PostgreSQL without its server programs"
	[ -e "$("$PG_CONFIG" --pgxs)" ] ||
		die "PG_CONFIG ($PG_CONFIG) names a PostgreSQL without its development files"
}
