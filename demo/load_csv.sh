# shellcheck shell=bash
# Loads a user's own file of orders into the table orders.  Sourced by
# demo.sh; needs a running server and the database in PGDATABASE.

# load_csv FILE: prints a sentence and returns 1 if the file is not right;
# then nothing is loaded.
load_csv() {
	local file=$1 first plan status message separator header columns customer date amount
	local names expressions number sign

	# The first line, without byte order mark and line end.
	first=$(LC_ALL=C sed -n -e '1s/^\xEF\xBB\xBF//' -e '1s/\r$//' -e '1p;1q' "$file" | tr -d '\000')
	if ! iconv -f UTF-8 -t UTF-8 <<<"$first" >/dev/null 2>&1; then
		csv_error "$file" "line 1: this is not UTF-8 text"
		return 1
	fi
	if [[ $first == *$'\r'* ]]; then
		csv_error "$file" "line 1: the lines end by carriage returns alone; convert them to line feeds"
		return 1
	fi
	# COPY would take this for the end of the file before PostgreSQL 18.
	number=$(LC_ALL=C grep -n -m 1 -E $'^\\\\\\.\r?$' "$file" | cut -d : -f 1 || true)
	if [ -n "$number" ]; then
		csv_error "$file" "line $number: there is nothing but \\. on it"
		return 1
	fi
	plan=$(as_server psql -X -q -v "first=$first" -f "$TREE/demo/csv_plan.sql")
	IFS='|' read -r status message <<<"$plan"
	if [ "$status" != ok ]; then
		csv_error "$file" "$message"
		return 1
	fi
	IFS='|' read -r separator header columns customer date amount <<<"$message"
	case $separator in
		comma) sign=, ;;
		semicolon) sign=';' ;;
		*) sign=$'\t' ;;
	esac

	# All columns are read as text; the three that count are then named.
	names=
	for ((number = 1; number <= columns; number++)); do
		names+="${names:+, }c$number"
	done
	expressions="nullif(btrim(c$customer), '') AS customer, nullif(btrim(c$date), '') AS ordered_at, nullif(btrim(c$amount), '') AS total"

	as_server psql -X -q -v ON_ERROR_STOP=1 -c "
		DROP TABLE IF EXISTS csv_raw, csv_staging, orders;
		CREATE UNLOGGED TABLE csv_raw (line_number bigint GENERATED ALWAYS AS IDENTITY, ${names//,/ text,} text)" 2>/dev/null

	# Windows' line ends and empty lines at the end are not part of the data.
	if ! LC_ALL=C sed -e '1s/^\xEF\xBB\xBF//' -e 's/\r$//' "$file" |
		LC_ALL=C sed -e :a -e '/^[[:space:]]*$/{$d;N;ba' -e '}' |
		as_server psql -X -q -v ON_ERROR_STOP=1 -v VERBOSITY=default -c "
			COPY csv_raw ($names) FROM STDIN
			(FORMAT csv, HEADER $([ "$header" = 1 ] && echo true || echo false), DELIMITER '$sign')" 2>"$WORK/copy.err"; then
		csv_error "$file" "$(copy_complaint "$file" "$columns" <"$WORK/copy.err")"
		return 1
	fi

	as_server psql -X -q -v ON_ERROR_STOP=1 -c "
		CREATE UNLOGGED TABLE csv_staging AS
		SELECT line_number, $expressions,
			length(concat($names)) - length(replace(concat($names), E'\n', '')) AS line_breaks
		FROM csv_raw;
		DROP TABLE csv_raw;
		ANALYZE csv_staging"
	if ! as_server psql -X -q -v "header=$header" -f "$TREE/demo/csv_load.sql" 2>"$WORK/load.err"; then
		csv_error "$file" "$(head -n 1 "$WORK/load.err")"
		return 1
	fi
}

csv_error() {
	printf 'error: %s: %s; nothing was loaded\n' "$1" "$2" >&2
}

# COPY's error, read from its standard error, in one plain sentence.
copy_complaint() {
	local file=$1 columns=$2 complaint line what
	complaint=$(cat)
	line=$(sed -nE 's/^CONTEXT: .*, line ([0-9]+).*/\1/p' <<<"$complaint" | head -n 1)
	what=$(sed -nE 's/^.*ERROR:  //p' <<<"$complaint" | head -n 1)
	if [ -n "$line" ] && ! sed -n "${line}p;${line}q" "$file" | LC_ALL=C grep -q '[^[:space:]]'; then
		what="the line is empty"
	fi
	case $what in
		'missing data for column'*) what="fewer columns than the $columns of the first line" ;;
		'extra data after last expected column'*) what="more columns than the $columns of the first line" ;;
		'unterminated CSV quoted field'*) what="a quoted field has no closing quote" ;;
		'invalid byte sequence for encoding'*) what="this is not UTF-8 text" ;;
		'unquoted carriage return'* | 'unquoted newline'*) what="a line ends by a carriage return alone" ;;
	esac
	printf '%s%s\n' "${line:+line $line: }" "${what:-the file could not be read}"
}
