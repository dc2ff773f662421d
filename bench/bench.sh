#!/bin/bash
# make bench: how long segment takes, as ratios to the hand-written SQL (and
# to DuckDB, where npm can install it) inside one run on the same rows.
#
#   CUSTOMERS, ORDERS  the size (1000000 and 20000000)
#   ROWS               the rows to measure (all): aggregates read memory size
#                      scores cuts portfolio views migration models lookup
#                      growth refresh notes
#   RUNS               runs of each query, interleaved; the median counts (3)
#   OUT                the file for the table; bench/RESULTS.md when all rows
#                      are measured at full size, else nothing but the screen
#   DUCKDB             "no": without DuckDB
set -euo pipefail
# shellcheck source=tools/common.sh
. "$(dirname "$0")/../tools/common.sh"
# shellcheck source=tools/setup.sh
. "$CHECKOUT/tools/setup.sh"
# shellcheck source=tools/server.sh
. "$CHECKOUT/tools/server.sh"

CUSTOMERS=${CUSTOMERS:-1000000}
ORDERS=${ORDERS:-20000000}
RUNS=${RUNS:-3}
SEED=0.20240229
ALL_ROWS="aggregates read memory size scores cuts portfolio views migration models lookup growth refresh notes"
ROWS=${ROWS:-$ALL_ROWS}
FULL=
[ "$CUSTOMERS/$ORDERS/$ROWS" != "1000000/20000000/$ALL_ROWS" ] || FULL=yes
OUT=${OUT:-${FULL:+$CHECKOUT/bench/RESULTS.md}}
[[ -z $OUT || $OUT == /* ]] || OUT=$PWD/$OUT

for number in "$CUSTOMERS" "$ORDERS" "$RUNS"; do
	[[ $number =~ ^[1-9][0-9]{0,9}$ ]] || die "CUSTOMERS, ORDERS and RUNS must be positive numbers, not \"$number\""
done
[ "$ORDERS" -gt "$CUSTOMERS" ] || die "ORDERS must be more than CUSTOMERS"
for row in $ROWS; do
	[[ " $ALL_ROWS " == *" $row "* ]] || die "ROWS names no row \"$row\"; there are $ALL_ROWS"
done

# ---------------------------------------------------------------------------
# The queries.  Every aggregate's result is used, or the planner would drop it.

AS_OF="2024-12-31"
GRID="CASE
	WHEN r = 5 AND f >= 4 THEN 'champions'
	WHEN r >= 3 AND f >= 4 THEN 'loyal'
	WHEN r >= 4 AND f >= 2 THEN 'potential_loyalist'
	WHEN r = 5 THEN 'new'
	WHEN r = 4 THEN 'promising'
	WHEN r = 3 AND f = 3 THEN 'need_attention'
	WHEN r = 3 THEN 'about_to_sleep'
	WHEN f = 5 THEN 'cannot_lose'
	WHEN f >= 3 THEN 'at_risk'
	ELSE 'hibernating' END"

HAND="SELECT customer_id, count(*) AS n, min(ordered_at) AS first_at, max(ordered_at) AS last_at, sum(total) AS net
	FROM orders GROUP BY customer_id"
HAND_USED="SELECT count(n), count(first_at), count(last_at), count(net) FROM ($HAND) AS g"
RFM="SELECT customer_id, segment.rfm_agg(ordered_at, total) AS a FROM orders GROUP BY customer_id"
HISTORY="SELECT customer_id, segment.history_agg(ordered_at, total, 'UTC') AS a FROM orders GROUP BY customer_id"

NTILE="WITH measure AS (
		SELECT customer_id, max(ordered_at) AS last_at, count(*) AS n, sum(total) AS net
		FROM orders GROUP BY customer_id
	), score AS (
		SELECT net, ntile(5) OVER (ORDER BY last_at) AS r, ntile(5) OVER (ORDER BY n) AS f,
			ntile(5) OVER (ORDER BY net) AS m
		FROM measure
	)
	SELECT $GRID AS segment, count(*), sum(net), avg(m) FROM score GROUP BY 1"

# The same from the stored histories: cut points, scores, segments.
SCORES="WITH measure AS MATERIALIZED (
		SELECT (-(k.m).days_since_last)::float8 AS recency, (k.m).orders::float8 AS n,
			(k.m).monetary AS spend, (k.m).net
		FROM (SELECT segment.measures(h, '$AS_OF') AS m FROM histories OFFSET 0) AS k
	), cut AS (
		SELECT segment.quantile_cuts(recency, 5) AS r, segment.quantile_cuts(n, 5) AS f,
			segment.quantile_cuts(spend, 5) AS m
		FROM measure
	), score AS (
		SELECT net, segment.score(recency, cut.r) AS r, segment.score(n, cut.f) AS f,
			segment.score(spend, cut.m) AS m
		FROM measure, cut
	)
	SELECT $GRID AS segment, count(*), sum(net), avg(m) FROM score GROUP BY 1"

READ="SELECT count(history) FROM segment.histories('SELECT customer_id, ordered_at, total FROM orders', 'UTC')
	AS h(customer_id bigint, history segment.history)"

# ---------------------------------------------------------------------------
# Measuring.

sql() {
	as_server psql -X -q -At -v ON_ERROR_STOP=1 -d bench "$@"
}

have_function() {
	[ -n "$(sql -c "SELECT 1 FROM pg_proc WHERE pronamespace = 'segment'::regnamespace AND proname = '$1' LIMIT 1")" ]
}

# Prints the milliseconds that a statement takes.  milliseconds WORKERS SQL
milliseconds() {
	as_server psql -X -q -At -v ON_ERROR_STOP=1 -d bench <<-SQL | sed -nE 's/^Time: ([0-9.]+) ms.*/\1/p' | tail -n 1
		SET max_parallel_workers_per_gather = $1;
		\timing on
		$2;
	SQL
}

median() {
	sort -g | awk '{ v[NR] = $1 } END { print (NR % 2) ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

# compare WORKERS OURS OTHER: sets OURS_MS and OTHER_MS, medians of RUNS
# runs in turn.
compare() {
	local run
	: >"$WORK/ours" && : >"$WORK/other"
	for ((run = 0; run < RUNS; run++)); do
		milliseconds "$1" "$2" >>"$WORK/ours"
		milliseconds "$1" "$3" >>"$WORK/other"
	done
	OURS_MS=$(median <"$WORK/ours")
	OTHER_MS=$(median <"$WORK/other")
}

# duckdb THREADS SQL: milliseconds, or nothing where there is no DuckDB.
duckdb() {
	[ -n "$DUCKDB_VERSION" ] || return 0
	(cd "$WORK/duckdb" && as_server node "$TREE/bench/duckdb.mjs" bench.duckdb "$1" "$RUNS" "$2") | median
}

seconds() {
	if [ -n "$1" ]; then awk -v ms="$1" 'BEGIN { printf (ms < 1000 ? "%.1f ms" : "%.2f s"), (ms < 1000 ? ms : ms / 1000) }'; else printf -- '-'; fi
}

ratio() {
	awk -v a="$1" -v b="$2" 'BEGIN { printf "%.3f", a / b }'
}

# A line of the table, shown at once and kept for the report.
line() {
	printf '%s\n' "$1" | tee -a "$WORK/table"
}

heading() {
	line ""
	line "### $1"
	line ""
	[ $# -eq 1 ] || line "$2"
}

missing() {
	line ""
	line "$1: not measured, since this version has no function segment.$2"
}

timing_heading() {
	heading "$1" "| what | workers | segment | $2 | ratio | target | DuckDB, 1 thread | 2 threads |"
	line "|---|---|---|---|---|---|---|---|"
}

# timing NAME OURS OTHER TARGET DUCKDB_SQL: a line for serial and one for
# parallel execution.
timing() {
	local workers one='' two=''
	if [ -n "$5" ]; then
		one=$(duckdb 1 "$5")
		two=$(duckdb 2 "$5")
	fi
	for workers in 0 2; do
		compare "$workers" "$2" "$3"
		line "| $1 | $workers | $(seconds "$OURS_MS") | $(seconds "$OTHER_MS") | $(ratio "$OURS_MS" "$OTHER_MS") | $4 | $(seconds "$one") | $(seconds "$two") |"
	done
}

# ---------------------------------------------------------------------------
# The rows.

row_aggregates() {
	timing_heading "Aggregates over orders, one value for each customer" "count, min, max, sum(numeric)"
	if have_function rfm_agg; then
		timing "rfm_agg" "SELECT count(a) FROM ($RFM) AS g" "$HAND_USED" "0.8" "$HAND_USED"
	else
		missing rfm_agg rfm_agg
	fi
	if have_function history_agg; then
		timing "history_agg" "SELECT count(a) FROM ($HISTORY) AS g" "$HAND_USED" "1.0" "$HAND_USED"
	else
		missing history_agg history_agg
	fi
}

row_read() {
	local work_mem
	timing_heading "All histories from a query: the read of a full refresh" "count, min, max, sum(numeric)"
	for work_mem in 1GB 64MB 4MB; do
		timing "histories(), work_mem $work_mem" "SET work_mem = '$work_mem'; $READ" \
			"SET work_mem = '$work_mem'; $HAND_USED" "0.25 at 1GB" "$([ "$work_mem" != 1GB ] || printf '%s' "$HAND_USED")"
	done
}

# Memory, batches and disk of the hash aggregate: memory WORK_MEM QUERY
memory() {
	sql -c "SET work_mem = '$1'" -c 'SET max_parallel_workers_per_gather = 0' \
		-c 'SET enable_sort = off' -c "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) $2" |
		awk '
			/Memory Usage:/ && !found {
				found = 1
				for (i = 1; i <= NF; i++) {
					if ($i == "Batches:") batches = $(i + 1)
					if ($i == "Memory") memory = $(i + 2)
					if ($i == "Disk") disk = $(i + 2)
				}
			}
			/Execution Time:/ { time = $3 }
			END {
				printf "%.0f MB, %d %s%s, %.2f s", memory / 1024, batches, (batches == 1 ? "batch" : "batches"),
					(disk + 0 > 0 ? sprintf(", %.0f MB on disk", disk / 1024) : ""), time / 1000
			}'
}

row_memory() {
	local work_mem
	heading "Memory of the hash aggregate, serial" "| work_mem | count, min, max, sum(numeric) | rfm_agg | history_agg |"
	line "|---|---|---|---|"
	for work_mem in 1GB 64MB 4MB; do
		line "| $work_mem | $(memory "$work_mem" "$HAND") | $(memory "$work_mem" "$RFM") | $(memory "$work_mem" "$HISTORY") |"
	done
}

make_histories() {
	[ -z "$(sql -c "SELECT to_regclass('histories')")" ] || return 0
	sql -c "CREATE UNLOGGED TABLE histories AS SELECT customer_id, a AS h FROM ($HISTORY) AS g" \
		-c 'VACUUM (ANALYZE) histories' >/dev/null
}

row_size() {
	local heap table values rows
	if ! have_function history_agg; then
		missing size history_agg
		return 0
	fi
	make_histories
	heap=$(sql -c "SELECT pg_table_size('orders')")
	table=$(sql -c "SELECT pg_table_size('histories')")
	values=$(sql -c 'SELECT sum(pg_column_size(h)) FROM histories')
	rows=$(sql -c 'SELECT count(*) FROM orders')
	heading "Size" "| what | bytes | share of the table orders | target |"
	line "|---|---|---|---|"
	line "| table orders | $heap | 1 | |"
	line "| table of histories, with its TOAST table | $table | $(ratio "$table" "$heap") | 0.1 |"
	line "| the histories alone | $values ($(awk -v a="$values" -v b="$rows" 'BEGIN { printf "%.2f", a / b }') an order) | $(ratio "$values" "$heap") | |"
	if [ "$(sql -c 'SELECT sum(segment.orders(h)), sum(segment.net(h)) FROM histories')" != "$(sql -c 'SELECT count(*), sum(total) FROM orders')" ]; then
		die "the histories do not add up to the orders"
	fi
}

row_scores() {
	if ! have_function quantile_cuts || ! have_function history_agg; then
		missing scores quantile_cuts
		return 0
	fi
	make_histories
	timing_heading "RFM, scores and segments of all customers" "ntile SQL over orders"
	timing "cut points, scores and segments from histories" "$SCORES" "$NTILE" "0.15, faster than DuckDB" "$NTILE"
}

row_cuts() {
	local values="SELECT total::float8 AS v FROM orders LIMIT $CUSTOMERS"
	if ! have_function quantile_cuts; then
		missing cuts quantile_cuts
		return 0
	fi
	sql -c "CREATE UNLOGGED TABLE IF NOT EXISTS amounts AS $values" -c 'VACUUM (ANALYZE) amounts'
	timing_heading "Scores of $CUSTOMERS values" "the server's own"
	timing "quantile_cuts(v, 5) beside percentile_disc" 'SELECT segment.quantile_cuts(v, 5) FROM amounts' \
		'SELECT percentile_disc(ARRAY[0.2, 0.4, 0.6, 0.8]) WITHIN GROUP (ORDER BY v) FROM amounts' '' \
		''
	timing "score(v, cuts) beside width_bucket" \
		"SELECT sum(segment.score(v, ARRAY[20, 30, 45, 70]::float8[])) FROM amounts" \
		"SELECT sum(width_bucket(v, ARRAY[20, 30, 45, 70]::float8[])) FROM amounts" '' ''
}

make_portfolio() {
	[ -z "$(sql -c "SELECT to_regnamespace('shop')")" ] || return 0
	PORTFOLIO_MS=$(milliseconds 2 "SELECT segment.create_portfolio('shop',
		purchases => \$\$ SELECT customer_id, ordered_at, total FROM orders \$\$, timezone => 'UTC')")
	sql -c 'ANALYZE' >/dev/null
}

row_portfolio() {
	if ! have_function create_portfolio; then
		missing portfolio create_portfolio
		return 0
	fi
	PORTFOLIO_MS=
	make_portfolio
	timing_heading "The portfolio" "hand-written SQL"
	[ -z "$PORTFOLIO_MS" ] ||
		line "| create_portfolio, with the first refresh (once) | 2 | $(seconds "$PORTFOLIO_MS") | | | | | |"
	timing "full refresh beside count, min, max, sum(numeric)" \
		"SELECT count(*) FROM segment.refresh('shop', \"full\" => true)" "$HAND_USED" "" ""
	timing "segments of the view customer beside ntile" \
		'SELECT rfm_segment, count(*), sum(net), avg(m_score) FROM shop.customer GROUP BY 1' "$NTILE" "" "$NTILE"
}

# views_line NAME OURS OTHER TARGET: a line for what is read from kept rows,
# beside the same on a plain table, serial.
views_line() {
	compare 0 "$2" "$3"
	line "| $1 | $(seconds "$OURS_MS") | $(seconds "$OTHER_MS") | $(ratio "$OURS_MS" "$OTHER_MS") | $4 |"
}

# The views over kept rows beside one scan with GROUP BY of a plain table, which
# has the columns of the view customer.  count(v) wants all columns of a view.
row_views() {
	local view scan
	scan="SELECT count(g) FROM (SELECT rfm_segment, count(*), sum(gross), sum(refunded), sum(net), sum(margin),
		sum(cost), sum(net_value), sum(clv) FROM plain_customer GROUP BY rfm_segment) AS g"
	make_portfolio
	sql -c 'SET client_min_messages = warning; DROP TABLE IF EXISTS plain_customer, plain_snapshot' \
		-c 'CREATE TABLE plain_customer AS SELECT * FROM shop.customer' \
		-c 'CREATE TABLE plain_snapshot AS SELECT * FROM plain_customer WITH NO DATA' \
		-c 'VACUUM (ANALYZE) plain_customer' -c 'VACUUM (ANALYZE) shop.kept_customer'
	heading "Views over kept rows, serial, beside one scan with GROUP BY of a plain table" \
		"| what | segment | plain table | ratio | target |"
	line "|---|---|---|---|---|"
	views_line "customers by segment" "${scan//plain_customer/shop.customer}" "$scan" 1.1
	views_line "customers above a value" 'SELECT count(*), sum(net) FROM shop.customer WHERE net > 1000' \
		'SELECT count(*), sum(net) FROM plain_customer WHERE net > 1000' 1.1
	for view in segment_summary pyramid usage_share churn_signal customer_action; do
		views_line "$view" "SELECT count(v) FROM shop.$view AS v" "$scan" 3
	done
	for view in segment_profile concentration segment_pnl; do
		views_line "$view" "SELECT count(v) FROM shop.$view AS v" "$scan" 8
	done
	# the last statement is the one that counts
	views_line "take_snapshot, beside INSERT ... SELECT" \
		"TRUNCATE shop.snapshot, shop.snapshot_customer; SELECT segment.take_snapshot('shop')" \
		'TRUNCATE plain_snapshot; INSERT INTO plain_snapshot SELECT * FROM plain_customer' 3
}

# Classes at 36 month ends and who moved between them, by hand: as of each day
# the last order, orders and net of each customer, scores by the cut points of
# the scorecard, the class, the class before, and counts.  The argument makes a
# moment of a timestamp in UTC, and back: migration_by_hand AT_TIME_ZONE
migration_by_hand() {
	local cuts
	cuts=$(sql -F ' ' -c "SELECT array_to_string(recency_cuts, ' '), array_to_string(frequency_cuts, ' ') FROM shop.scorecard")
	# shellcheck disable=SC2086
	set -- "$1" $cuts
	[ $# -eq 9 ] || die "the scorecard has other cut points than expected: $cuts"
	cat <<-SQL
		WITH month AS (
			SELECT (g.month + INTERVAL '1 month')::date - 1 AS day
			FROM generate_series(TIMESTAMP '2022-01-01', TIMESTAMP '2024-12-01', INTERVAL '1 month') AS g(month)
		), measure AS (
			SELECT d.day, o.customer_id, max(o.ordered_at) AS last_at, count(*) AS n, sum(o.total) AS net
			FROM month AS d JOIN orders AS o ON o.ordered_at < CAST(d.day + 1 AS timestamp)$1
			GROUP BY d.day, o.customer_id
		), recent AS (
			SELECT day, customer_id, n, net, CAST(last_at$1 AS date) - day AS recency FROM measure
		), score AS (
			SELECT day, customer_id, net,
				CASE WHEN recency <= $2 THEN 1 WHEN recency <= $3 THEN 2 WHEN recency <= $4 THEN 3
					WHEN recency <= $5 THEN 4 ELSE 5 END AS r,
				CASE WHEN n <= $6 THEN 1 WHEN n <= $7 THEN 2 WHEN n <= $8 THEN 3 WHEN n <= $9 THEN 4 ELSE 5 END AS f
			FROM recent
		), class AS (
			SELECT day, customer_id, net, $GRID AS class FROM score
		), moved AS (
			SELECT day, class, net, lag(class) OVER before AS from_class, lag(net) OVER before AS net_from
			FROM class WINDOW before AS (PARTITION BY customer_id ORDER BY day)
		)
		SELECT day, from_class, class AS to_class, count(*) AS customers, coalesce(sum(net_from), 0) AS net_from,
			sum(net) AS net_to
		FROM moved WHERE day > DATE '2022-01-31' GROUP BY day, from_class, class
	SQL
}

# The statement by hand takes long, so it runs once for each number of workers,
# and what it finds must be what monthly_migration finds.
row_migration() {
	local ours="SELECT day, from_class, to_class, customers, net_from, net_to
		FROM shop.monthly_migration('2022-01-31', '2024-12-31', 'rfm_segment')"
	local workers run other different one two
	if ! have_function migration_agg; then
		missing migration migration_agg
		return 0
	fi
	make_portfolio
	timing_heading "Class of everybody at 36 month ends, and who moved" "the same in SQL over orders, once"
	other=$(migration_by_hand '')
	one=$(duckdb 1 "$other")
	two=$(duckdb 2 "$other")
	other=$(migration_by_hand " AT TIME ZONE 'UTC'")
	for workers in 0 2; do
		sql -c 'SET client_min_messages = warning; DROP TABLE IF EXISTS migration_by_hand'
		OTHER_MS=$(milliseconds "$workers" "CREATE UNLOGGED TABLE migration_by_hand AS $other")
		: >"$WORK/ours"
		for ((run = 0; run < RUNS; run++)); do
			# where a parallel scan of a table of one page costs nothing, a lookup in
			# the scorecard is planned as a parallel query of its own, and the rest is not
			milliseconds "$workers" "SET min_parallel_table_scan_size = '64kB'; $ours" >>"$WORK/ours"
		done
		OURS_MS=$(median <"$WORK/ours")
		line "| monthly_migration | $workers | $(seconds "$OURS_MS") | $(seconds "$OTHER_MS") | $(ratio "$OURS_MS" "$OTHER_MS") | 0.05; 0.5 of DuckDB | $(seconds "$one") | $(seconds "$two") |"
		different=$(sql -c "WITH ours AS MATERIALIZED ($ours)
			SELECT (SELECT count(*) FROM ours),
				(SELECT count(*) FROM (TABLE ours EXCEPT ALL TABLE migration_by_hand) AS e),
				(SELECT count(*) FROM (TABLE migration_by_hand EXCEPT ALL TABLE ours) AS e)")
		[[ $different == [1-9]*"|0|0" ]] ||
			die "monthly_migration and the statement by hand differ: rows, only in the one, only in the other: $different"
	done
}

# alone NAME SQL: a line for a statement that has nothing to compare with.
alone() {
	local run
	: >"$WORK/ours"
	for ((run = 0; run < RUNS; run++)); do
		milliseconds 0 "$2" >>"$WORK/ours"
	done
	line "| $1 | $(seconds "$(median <"$WORK/ours")") |"
}

row_models() {
	local inputs="SELECT c.x, c.t_x, c.t, c.mean_repeat_spend::float8 AS spend
		FROM shop.customer_history AS h CROSS JOIN LATERAL segment.cbs(h.purchases, '$AS_OF') AS c"
	make_portfolio
	sql -c "CREATE UNLOGGED TABLE IF NOT EXISTS inputs AS $inputs" -c 'VACUUM (ANALYZE) inputs'
	heading "Models of all customers, serial" "| what | time |"
	line "|---|---|"
	alone "mbgnbd_fit" 'SELECT segment.mbgnbd_fit(x, t_x, t) FROM inputs'
	alone "bgnbd_fit" 'SELECT segment.bgnbd_fit(x, t_x, t) FROM inputs'
	alone "pnbd_fit" 'SELECT segment.pnbd_fit(x, t_x, t) FROM inputs'
	alone "gammagamma_fit" 'SELECT segment.gammagamma_fit(x, spend) FROM inputs'
	alone "p_alive, expected_purchases and clv, from the inputs" \
		'SELECT sum(segment.p_alive(s.purchase_model, x, t_x, t)), sum(segment.expected_purchases(s.purchase_model, x, t_x, t, 52)),
			sum(segment.clv(s.purchase_model, s.spend_model, x, t_x, t, spend, 52, 0.1, 1))
		FROM inputs, (SELECT * FROM shop.scorecard ORDER BY scorecard_id DESC LIMIT 1) AS s'
	alone "the same columns of the view customer" \
		'SELECT sum(p_alive), sum(expected_purchases), sum(clv) FROM shop.customer'
}

# Mean latency of a script with random customers: latency SQL
latency() {
	printf '\\set customer random(1, %s)\n%s\n' "$CUSTOMERS" "$1" | as_server tee "$WORK/lookup.sql" >/dev/null
	as_server pgbench -n -t 2000 -M prepared -f "$WORK/lookup.sql" bench 2>&1 |
		sed -nE 's/^latency average = ([0-9.]+) ms.*/\1/p'
}

row_lookup() {
	if ! have_function create_portfolio; then
		missing lookup create_portfolio
		return 0
	fi
	make_portfolio
	heading "One customer by key, mean of 2,000 prepared statements" "| what | time | target |"
	line "|---|---|---|"
	line "| a row of the view customer | $(latency 'SELECT * FROM shop.customer WHERE customer_id = :customer;') ms | 1 ms |"
}

# Everything over all orders, and over those of every tenth customer: what
# grows faster than the data shows here.  growth NAME SQL, in which :orders is
# the table and :portfolio the portfolio.
growth() {
	local all=${2//:orders/orders} tenth=${2//:orders/tenth}
	compare 2 "${all//:portfolio/shop}" "${tenth//:portfolio/tenth_shop}"
	line "| $1 | $(seconds "$OTHER_MS") | $(seconds "$OURS_MS") | $(awk -v a="$OURS_MS" -v b="$OTHER_MS" 'BEGIN { printf "%.1f", a / b }') | 11 |"
}

row_growth() {
	local view
	make_portfolio
	sql -c 'CREATE UNLOGGED TABLE tenth AS SELECT * FROM orders WHERE customer_id % 10 = 0' \
		-c "ALTER TABLE tenth ALTER customer_id SET (n_distinct = $((CUSTOMERS / 10)))" -c 'VACUUM (ANALYZE) tenth' \
		-c "SELECT segment.create_portfolio('tenth_shop', 'SELECT customer_id, ordered_at, total FROM tenth', timezone => 'UTC')" \
		-c 'ANALYZE' >/dev/null
	heading "Ten times the orders, two workers where they can be used" "| what | a tenth | all | times | target |"
	line "|---|---|---|---|---|"
	growth "rfm_agg" "SELECT count(a) FROM (${RFM//FROM orders/FROM :orders}) AS g"
	growth "history_agg" "SELECT count(a) FROM (${HISTORY//FROM orders/FROM :orders}) AS g"
	growth "histories()" "${READ//FROM orders/FROM :orders}"
	growth "full refresh" "SELECT count(*) FROM segment.refresh(':portfolio', \"full\" => true)"
	growth "take_snapshot" "SELECT segment.take_snapshot(':portfolio')"
	growth "all columns of the view customer" "SELECT max(c::text) FROM :portfolio.customer AS c"
	for view in churn_signal segment_summary segment_pnl segment_profile pyramid concentration usage_share leaky_bucket cohort_retention; do
		growth "$view" "SELECT max(v::text) FROM :portfolio.$view AS v"
	done
}

# The milliseconds of a refresh, which must be of the mode given and change
# customers or not: refresh_ms MODE FULL SCORECARD CHANGES
refresh_ms() {
	sql -c "SELECT mode, 1000 * seconds, reason, customers_changed FROM segment.refresh('shop', \"full\" => $2, scorecard => $3)" |
		awk -F'|' -v mode="$1" -v changes="$4" '
			$1 != mode { print "the refresh read", $1, "and not", mode ":", $3 > "/dev/stderr"; exit 1 }
			($4 != 0) != (changes == "yes") { print "a refresh changed", $4, "customers" > "/dev/stderr"; exit 1 }
			{ print $2 }'
}

new_orders() {
	sql -c "INSERT INTO orders (customer_id, ordered_at, total)
		SELECT 1 + floor($CUSTOMERS * random())::bigint, timestamptz '2024-12-30 12:00+00', 25 FROM generate_series(1, $1)" \
		-c 'VACUUM shop.kept_customer, shop.customer_history'
}

# After 0.1 % new orders of random customers, beside reading everything after as
# many, both of which write all rows.  A refresh of everything must find all
# customers as the refreshes of changes left them.  Last of the rows of the
# portfolio, since it changes the orders.
row_refresh() {
	local run name new=$((ORDERS / 1000 > 0 ? ORDERS / 1000 : 1))
	make_portfolio
	sql -c 'ALTER TABLE orders SET LOGGED' -c 'CREATE INDEX IF NOT EXISTS orders_customer ON orders (customer_id)' \
		-c 'VACUUM (ANALYZE) orders' -c "SELECT segment.watch('shop', 'orders', 'customer_id')" >/dev/null
	refresh_ms full true true no >/dev/null
	for name in full changes histories nothing again; do
		: >"$WORK/$name"
	done
	for ((run = 0; run < RUNS; run++)); do
		new_orders "$new"
		refresh_ms full true true yes >>"$WORK/full"
		new_orders "$new"
		refresh_ms changes false true yes >>"$WORK/changes"
		refresh_ms changes false true no >>"$WORK/nothing"
		new_orders "$new"
		refresh_ms changes false false yes >>"$WORK/histories"
		refresh_ms full true true no >>"$WORK/again"
	done
	heading "Refresh with watched tables" "| what | time | ratio | target |"
	line "|---|---|---|---|"
	refresh_line "everything is read, all rows are written" full ""
	refresh_line "after $new new orders of random customers, a new scorecard and all rows" changes 0.35
	refresh_line "the same, the scorecard kept" histories 0.02
	refresh_line "nothing changed: cut points and models alone" nothing 0.06
	refresh_line "everything is read, and found as it was but for the scorecard" again ""
}

# refresh_line NAME FILE TARGET
refresh_line() {
	line "| $1 | $(seconds "$(median <"$WORK/$2")") | $(ratio "$(median <"$WORK/$2")" "$(median <"$WORK/full")") | $3 |"
}

# What watching costs those who write: notes_line NAME SCRIPT TRANSACTIONS PROTOCOL
notes_line() {
	local table run
	for table in plain watched; do
		printf '%s\n' "${2//:table/$table}" | as_server tee "$WORK/notes-$table.sql" >/dev/null
		: >"$WORK/$table"
	done
	for ((run = 0; run < 2 * RUNS; run++)); do
		for table in plain watched; do
			sql -c 'TRUNCATE plain, watched' -c 'DELETE FROM noted.changed_customer' -c 'VACUUM plain, watched, noted.changed_customer' -c CHECKPOINT
			as_server pgbench -n -t "$3" -M "$4" -f "$WORK/notes-$table.sql" bench 2>&1 |
				sed -nE 's/^latency average = ([0-9.]+) ms.*/\1/p' >>"$WORK/$table"
		done
	done
	line "| $1 | $(median <"$WORK/plain") ms | $(median <"$WORK/watched") ms | $(ratio "$(median <"$WORK/watched")" "$(median <"$WORK/plain")") | 1.15 |"
}

row_notes() {
	NOTED_ROWS=$((ORDERS / 20 > 0 ? ORDERS / 20 : 1))
	sql -c 'CREATE TABLE plain (customer_id bigint, ordered_at timestamptz, total numeric(10,2))' \
		-c 'CREATE INDEX ON plain (customer_id)' -c 'CREATE TABLE watched (LIKE plain INCLUDING ALL)' \
		-c "INSERT INTO watched SELECT customer_id, ordered_at, total FROM orders LIMIT $NOTED_ROWS" \
		-c "SELECT segment.create_portfolio('noted', 'SELECT customer_id, ordered_at, total FROM watched')" \
		-c "SELECT segment.watch('noted', 'watched', 'customer_id')" >/dev/null
	as_server psql -X -q -d bench -c "\\copy (SELECT customer_id, ordered_at, total FROM orders LIMIT $NOTED_ROWS) TO '$WORK/notes.copy'"
	heading "Writing to a watched table with one index" "| what | not watched | watched | ratio | target |"
	line "|---|---|---|---|---|"
	notes_line "INSERT of one row, prepared" \
		"INSERT INTO :table VALUES (1 + floor($CUSTOMERS * random())::bigint, now(), 25);" 5000 prepared
	notes_line "INSERT of 1,000 rows" \
		"INSERT INTO :table SELECT 1 + floor($CUSTOMERS * random())::bigint, now(), 25 FROM generate_series(1, 1000);" 50 prepared
	notes_line "COPY of $NOTED_ROWS rows" "COPY :table FROM '$WORK/notes.copy';" 1 simple
}

# ---------------------------------------------------------------------------

install_duckdb() {
	DUCKDB_VERSION=
	if [ "${DUCKDB:-}" = no ]; then
		say "without DuckDB, as DUCKDB=no asks"
		return 0
	fi
	if ! command -v npm >/dev/null || ! command -v node >/dev/null; then
		say "SKIPPED: DuckDB, since there is no npm (install nodejs and npm to compare with it)"
		return 0
	fi
	say "installing DuckDB from npm into the temporary directory"
	as_server mkdir "$WORK/duckdb"
	if ! (umask 022 && cd "$WORK/duckdb" && npm install --no-audit --no-fund --silent @duckdb/node-api) >"$WORK/npm.log" 2>&1; then
		say "SKIPPED: DuckDB, since npm could not install @duckdb/node-api"
		return 0
	fi
	sql -c "COPY (SELECT customer_id, to_char(ordered_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'), total FROM orders) TO STDOUT (FORMAT csv)" |
		as_server tee "$WORK/duckdb/orders.csv" >/dev/null
	if ! (cd "$WORK/duckdb" && as_server node "$TREE/bench/duckdb.mjs" bench.duckdb load orders.csv &&
		as_server node "$TREE/bench/duckdb.mjs" bench.duckdb version) >"$WORK/duckdb.log" 2>&1; then
		tail -n 5 "$WORK/duckdb.log"
		say "SKIPPED: DuckDB, since it did not load the orders"
		return 0
	fi
	DUCKDB_VERSION=$(tail -n 1 "$WORK/duckdb.log")
	as_server rm "$WORK/duckdb/orders.csv"
}

report() {
	local size=''
	[ -n "$FULL" ] || size=" CUSTOMERS=$CUSTOMERS ORDERS=$ORDERS"
	[ "$ROWS" = "$ALL_ROWS" ] || size+=" ROWS=\"$ROWS\""
	cat <<-MARKDOWN
		# Results of make bench

		Made by \`make bench$size\` on $(date -u +%Y-%m-%d).

		- Rows: $(sql -c "SELECT to_char(count(*), 'FM999G999G999') || ' orders of ' || to_char(count(DISTINCT customer_id), 'FM999G999G999') || ' customers' FROM orders"), in random physical order, made by bench/orders.sql with seed $SEED.
		- Machine: $(nproc) cores ($(sed -nE 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)), $(awk '/^MemTotal/ { printf "%.0f", $2 / 1048576 }' /proc/meminfo) GB of memory.
		- Versions: $(sql -c "SHOW server_version" | sed 's/^/PostgreSQL /'), segment $(sql -c "SELECT extversion FROM pg_extension WHERE extname = 'segment'"), $([ -n "$DUCKDB_VERSION" ] && echo "DuckDB $DUCKDB_VERSION" || echo "no DuckDB").
		- Settings: shared_buffers $(sql -c 'SHOW shared_buffers'), work_mem $(sql -c 'SHOW work_mem'), hash_mem_multiplier $(sql -c 'SHOW hash_mem_multiplier'), jit $(sql -c 'SHOW jit'), parallel costs 0 so that two workers are used where they can be; tables without WAL (UNLOGGED).
		- Each time is the median of $RUNS runs, ours and the other in turn, of the whole statement as psql sees it. A ratio below 1 means that segment is faster. DuckDB holds the same rows in a table of its own; its time is the median of $RUNS runs after one that warms up.
	MARKDOWN
	cat "$WORK/table"
}

setup bench
make_work_directory
clean_up_at_exit
TREE=$WORK/segment
# About 400 bytes for each order: the table, its sort, DuckDB's copy.
free=$(df -Pk "$WORK" | awk 'NR == 2 { print $4 }')
need=$((ORDERS * 400 / 1024))
[ "$free" -gt "$need" ] ||
	die "the benchmark needs about $((need / 1048576 + 1)) GB in $TMPDIR, and there are $((free / 1048576)) GB"

say "building for PostgreSQL $SERVER_VERSION"
copy_checkout "$TREE"
private_server "$WORK/server"
build_and_install "$TREE" || die "the extension could not be built; the compiler's words are above"
memory_mb=$(awk '/^MemTotal/ { printf "%d", $2 / 1024 }' /proc/meminfo)
server_start \
	"shared_buffers = $((memory_mb / 8 < 2048 ? memory_mb / 8 : 2048))MB" \
	"work_mem = 1GB" "maintenance_work_mem = 1GB" "max_wal_size = 16GB" \
	"effective_cache_size = $((memory_mb / 2))MB" "jit = off" "autovacuum = off" \
	"max_parallel_workers = 2" "max_parallel_workers_per_gather = 2" \
	"parallel_setup_cost = 0" "parallel_tuple_cost = 0" "min_parallel_table_scan_size = 0"
as_server createdb bench
say "making about $ORDERS orders of $CUSTOMERS customers"
sql -v "customers=$CUSTOMERS" -v "orders=$ORDERS" -v "seed=$SEED" -f "$TREE/bench/orders.sql" >/dev/null
sql -c 'CREATE EXTENSION segment'
: >"$WORK/table"
install_duckdb
sql -c 'SELECT count(*) FROM orders' >/dev/null

say "measuring: $ROWS"
for row in $ROWS; do
	"row_$row"
done

report >"$WORK/report"
if [ -n "$OUT" ]; then
	cat "$WORK/report" >"$OUT"
	say "written: $OUT"
else
	say "the report"
	cat "$WORK/report"
fi
