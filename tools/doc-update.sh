#!/bin/bash
# make doc-update: runs the examples of README.md, README.zh.md and doc/*.md on a
# throw-away server and writes the real output into their text blocks.  Read
# what it changed (git diff) before you commit it.
#
#   DOC   the documents to update (all)
set -euo pipefail
# shellcheck source=tools/common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=tools/setup.sh
. "$CHECKOUT/tools/setup.sh"
# shellcheck source=tools/server.sh
. "$CHECKOUT/tools/server.sh"

setup check
make_work_directory
clean_up_at_exit
TREE=$WORK/segment
copy_checkout "$TREE"
copy_test_data
private_server "$WORK/server"
build_and_install "$TREE" || die "the extension could not be built; the compiler's words are above"
server_start "work_mem = 64MB"

failed=
while read -r document; do
	say "$document"
	if (cd "$TREE" && as_server perl test/doc-examples --update "$document"); then
		as_server cat "$TREE/$document" >"$WORK/new"
		cmp -s "$WORK/new" "$CHECKOUT/$document" || cat "$WORK/new" >"$CHECKOUT/$document"
	else
		failed=yes
	fi
done < <(if [ -n "${DOC:-}" ]; then
	tr ' ' '\n' <<<"$DOC"
else
	cd "$CHECKOUT" && { find README.md README.zh.md doc -name '*.md' 2>/dev/null || true; } | sort
fi)
[ -z "$failed" ]
