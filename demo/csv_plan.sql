-- How a file of orders is laid out, judged by its first line (variable
-- first, without line end).  Prints one line for the caller's shell:
--
--   ok|SEPARATOR|HEADER|COLUMNS|CUSTOMER|DATE|AMOUNT    numbers from 1
--   error|MESSAGE
--
-- SEPARATOR is comma, semicolon or tab: the one that the first line has most
-- of.  There is a header if a field of the first line is one of the names
-- below; without one the first three columns are customer, date and amount.

\set ON_ERROR_STOP on
\pset format unaligned
\pset tuples_only on

WITH separator AS (
	-- Separators within quotes do not count.
	SELECT s.name, s.sign
	FROM (VALUES ('comma', ',', 1), ('semicolon', ';', 2), ('tab', E'\t', 3)) AS s (name, sign, place)
	ORDER BY length(regexp_replace(regexp_replace(:'first', '"([^"]|"")*"', '', 'g'), '[^' || s.sign || ']', '', 'g')) DESC,
		s.place
	LIMIT 1
), field AS (
	SELECT number,
		coalesce(replace(part[1], '""', '"'), part[2]) AS text
	FROM separator,
		regexp_matches(sign || :'first', sign || '(?:[ ]*"((?:[^"]|"")*)"[ ]*|([^' || sign || ']*))', 'g')
			WITH ORDINALITY AS found (part, number)
), name AS (
	-- "Order Date", "order_date" and "OrderDate" are one name.
	SELECT number, regexp_replace(lower(text), '[^[:alnum:]]', '', 'g') AS name FROM field
), known (role, name, rank) AS (
	SELECT role, name, rank FROM (VALUES
		('customer', ARRAY['customer', 'customerid', 'customernumber', 'customerno', 'custid', 'cust', 'client', 'clientid',
			'buyer', 'buyerid', 'user', 'userid', 'member', 'memberid', 'account', 'accountid', 'email', 'customeremail', 'customername']),
		('date', ARRAY['date', 'orderedat', 'orderdate', 'purchasedate', 'purchasedat', 'invoicedate', 'transactiondate',
			'createdat', 'datetime', 'timestamp', 'orderedon', 'orderedtime', 'ordertime', 'day', 'time', 'at']),
		('amount', ARRAY['amount', 'total', 'ordertotal', 'totalamount', 'orderamount', 'ordervalue', 'revenue', 'sales',
			'totalprice', 'spend', 'value', 'price', 'sum', 'net', 'gross', 'payment'])
	) AS list (role, names), unnest(names) WITH ORDINALITY AS n (name, rank)
), chosen AS (
	SELECT DISTINCT ON (role) role, number
	FROM known JOIN name USING (name)
	ORDER BY role, rank, number
), layout AS (
	SELECT (SELECT name FROM separator) AS separator,
		(SELECT count(*) FROM chosen) > 0 AS header,
		(SELECT count(*) FROM field) AS columns,
		(SELECT number FROM chosen WHERE role = 'customer') AS customer,
		(SELECT number FROM chosen WHERE role = 'date') AS date,
		(SELECT number FROM chosen WHERE role = 'amount') AS amount
)
SELECT CASE
	WHEN columns < 3 THEN
		format('error|line 1: there must be at least three columns (customer, date, amount) separated by comma, semicolon or tab, but this line has %s: %s',
			columns, left(:'first', 60))
	WHEN NOT header THEN format('ok|%s|0|%s|1|2|3', separator, columns)
	WHEN customer IS NULL OR date IS NULL OR amount IS NULL THEN
		format('error|line 1: the header names no column for %s; it has: %s',
			concat_ws(' and ',
				CASE WHEN customer IS NULL THEN 'the customer (call it customer)' END,
				CASE WHEN date IS NULL THEN 'the date (call it date)' END,
				CASE WHEN amount IS NULL THEN 'the amount (call it amount)' END),
			(SELECT string_agg(text, ', ' ORDER BY number) FROM field))
	ELSE format('ok|%s|1|%s|%s|%s|%s', separator, columns, customer, date, amount)
END
FROM layout;
