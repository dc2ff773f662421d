#!/bin/bash
# make pictures: draws the pictures of README.md from the shop of the demo, on a
# throw-away server.
set -euo pipefail
# shellcheck source=tools/common.sh
. "$(dirname "$0")/../common.sh"
# shellcheck source=tools/setup.sh
. "$CHECKOUT/tools/setup.sh"
# shellcheck source=tools/server.sh
. "$CHECKOUT/tools/server.sh"

setup demo
make_work_directory
clean_up_at_exit
TREE=$WORK/segment
copy_checkout "$TREE"
private_server "$WORK/server"
build_and_install "$TREE"
server_start "work_mem = 64MB"
export PGDATABASE=postgres
as_server psql -X -q -v ON_ERROR_STOP=1 -o /dev/null -f "$TREE/demo/shop.sql" -c 'CREATE EXTENSION segment' -c "
	SELECT segment.create_portfolio('shop', 'SELECT customer_id, ordered_at, total FROM orders', timezone => 'UTC', settings => '{\"margin\": 0.3}')"
(cd "$TREE/tools/report" && run_quietly "$WORK/npm.log" as_server npm ci --ignore-scripts --no-audit --no-fund)
mkdir -p "$CHECKOUT/doc/pictures"
for chart in segments migration sales_bridge; do
	as_server psql -X -A -t -c "SELECT segment.chart('shop', '$chart', '{\"vega_lite\": 6}')" |
		as_server node --input-type=module -e "
			import { text } from 'node:stream/consumers';
			import { draw } from '$TREE/tools/report/picture.mjs';
			process.stdout.write(await draw(JSON.parse(await text(process.stdin))));" >"$CHECKOUT/doc/pictures/$chart.svg"
	say "doc/pictures/$chart.svg"
done
