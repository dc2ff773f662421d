#!/bin/bash
# The layout of the C sources, as PostgreSQL's own pgindent makes it:
#
#   tools/indent.sh              lays the sources out
#   tools/indent.sh --check      prints what that would change; fails if anything
#   tools/indent.sh --typedefs   writes tools/typedefs.list anew, from the
#                                sources and the headers of the server
#
# pg_bsd_indent is a Debian package; the script around it, pgindent, is only in
# PostgreSQL's sources, so what it does beside calling pg_bsd_indent is done
# here.  Names of types must be known to tell a declaration from a product:
# they are in tools/typedefs.list, and --check fails when one is missing there.
set -euo pipefail
# shellcheck source=tools/common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=tools/setup.sh
. "$CHECKOUT/tools/setup.sh"

INDENT=${INDENT:-pg_bsd_indent}
# PostgreSQL's, from src/tools/pgindent/pgindent.
OPTIONS=(-bad -bap -bbb -bc -bl -cli1 -cp33 -cdb -nce -d0 -di12 -nfc1 -i4
	-l79 -lp -lpl -nip -npro -sac -tpg -ts4)
TYPEDEFS=$CHECKOUT/tools/typedefs.list

mapfile -t sources < <(cd "$CHECKOUT" && find src -name '*.[ch]' | sort)

# The code alone, without comments and strings.
code_of() {
	perl -0777 -pe 's{/\*.*?\*/|"(?:\\.|[^"\\\n])*"}{ }gs' -- "$@"
}

# The names that typedefs of the code on standard input define.
typedef_names() {
	perl -0777 -ne '
		while (/\btypedef\b((?:[^;{}]|(\{(?:[^{}]++|(?2))*+\}))*+);/g)
		{
			my $what = $1;
			$what =~ s/(\{(?:[^{}]++|(?1))*+\})//g;
			$what =~ s/\bpg_attribute_\w+\(.*?\)//g;
			if ($what =~ /\(\s*\*\s*(\w+)\s*\)/) { print "$1\n" }
			elsif ($what =~ /(\w+)\s*\(/) { print "$1\n" }
			elsif ($what =~ /(\w+)\s*(?:\[[^\]]*\]\s*)*$/) { print "$1\n" }
		}' | sort -u
}

own_typedefs() {
	(
		cd "$CHECKOUT"
		{
			code_of "${sources[@]}" | typedef_names
			# simplehash makes the names of its types
			sed -nE 's/^#define SH_PREFIX[[:space:]]+(\w+).*/\1_hash\n\1_iterator/p' "${sources[@]}"
		} | sort -u
	)
}

list_typedefs() {
	local headers
	setup check
	headers=$("$PG_CONFIG" --includedir-server)
	{
		own_typedefs
		# The server's that occur, and the system's; without the words that
		# pgindent leaves out, as they are names of other things as well.
		comm -12 \
			<(cd "$CHECKOUT" && code_of "${sources[@]}" | grep -oE '[A-Za-z_][A-Za-z0-9_]*' | sort -u) \
			<({
				find "$headers" -name '*.h' -print0 | xargs -0 cat | code_of | typedef_names
				printf '%s\n' bool int128 uint128 ptrdiff_t size_t va_list time_t uint64_t int64_t nlopt_opt nlopt_result
			} | sort -u) |
			grep -vxE 'ANY|CppConcat|FD_SET|U|abs|allocfunc|boolean|date|digit|ilist|interval|iterator|other|pointer|printfunc|reference|string|timestamp|type|wrap'
	} | sort -u
}

# indent_file FILE: the laid-out text on standard output.
indent_file() {
	local copy=$scratch/indent.c
	perl -0777 -pe '
		s!^([ \t]*)//(.*)$!$1/* $2 */!gm;
		# comments that begin with dashes stay as they are
		s!/\* +---!/*---X_X!g;' -- "$1" >"$copy"
	if ! (cd "$scratch" && "$INDENT" "${OPTIONS[@]}" -U"$TYPEDEFS" indent.c) >"$scratch/said" 2>&1 ||
		[ -s "$scratch/said" ]; then
		sed "s|^|${1#"$CHECKOUT"/}: |" "$scratch/said" >&2
		return 1
	fi
	perl -0777 -pe '
		s!/\*---X_X!/* ---!g;
		# run-together comments get a tab between them
		s!\*/(/\*.*\*/)$!*/\t$1!gm;
		# a single space before the star of a return type
		s!^([A-Za-z_]\S*)[ \t]+\*$!$1 *!gm;' -- "$copy"
}

case ${1:-} in
	--typedefs)
		list=$(list_typedefs)
		printf '%s\n' "$list" | grep -v '^==>' >"$TYPEDEFS"
		say "$(wc -l <"$TYPEDEFS") names in tools/typedefs.list"
		exit
		;;
	'' | --check) ;;
	*) die "usage: tools/indent.sh [--check | --typedefs]" ;;
esac

if ! command -v "$INDENT" >/dev/null; then
	command -v apt-get >/dev/null || die "there is no $INDENT here: it is in PostgreSQL's sources, src/tools/pg_bsd_indent"
	install_packages "to lay out the sources" pg-bsd-indent
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

unlisted=$(comm -23 <(own_typedefs) <(sort -u "$TYPEDEFS"))
if [ -n "$unlisted" ]; then
	printf 'types that are not in tools/typedefs.list (tools/indent.sh --typedefs writes it anew):\n%s\n' "$unlisted" >&2
	exit 1
fi

# A variable or member with the name of a type is laid out as if it were one.
namesakes=$(cd "$CHECKOUT" && perl -0777 -e '
	my ($list, @files) = @ARGV;
	local @ARGV = ($list);
	my $types = join "|", grep { /\w/ } split /\s+/, <>;
	foreach my $file (@files)
	{
		@ARGV = ($file);
		my $code = <>;
		# without comments and strings, with their line breaks
		$code =~ s{(/\*.*?\*/|"(?:\\.|[^"\\\n])*")}{ $1 =~ s/[^\n]//gr }egs;
		while ($code =~ /(?:(?:->|\.)\s*|(?<!typedef )\b(?:char|u?int(?:8|16|32|64|128)?|float8|double|bool|size_t|Size|(?<!struct )(?<!enum )(?:$types))(?:\s+|\s*\*+\s*))($types)\b(?!\s*\*)/g)
		{
			my $line = 1 + (substr($code, 0, $-[1]) =~ tr/\n//);
			print "$file:$line: $1\n";
		}
	}' "$TYPEDEFS" "${sources[@]}")
if [ -n "$namesakes" ]; then
	printf 'variables with the name of a type, which %s takes them for:\n%s\n' "$INDENT" "$namesakes" >&2
	exit 1
fi

changed=0 failed=0
for file in "${sources[@]}"; do
	indent_file "$CHECKOUT/$file" >"$scratch/after" || {
		failed=$((failed + 1))
		continue
	}
	if cmp -s "$CHECKOUT/$file" "$scratch/after"; then
		continue
	fi
	changed=$((changed + 1))
	if [ "${1:-}" = --check ]; then
		diff -u --label "a/$file" --label "b/$file" "$CHECKOUT/$file" "$scratch/after" || true
	else
		cp "$scratch/after" "$CHECKOUT/$file"
	fi
done
[ "$failed" -eq 0 ] || say "$INDENT cannot read $failed of ${#sources[@]} files; its words are above"
if [ "${1:-}" = --check ]; then
	say "$changed of ${#sources[@]} files are not as tools/indent.sh lays them out"
	[ $((changed + failed)) -eq 0 ]
else
	say "$changed of ${#sources[@]} files changed"
	[ "$failed" -eq 0 ]
fi
