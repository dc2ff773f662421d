/*
 * refresh_log: what is left of refreshes, and what they tell their caller
 */

/*
 * Scorecards and rows of the log that are not needed any more.  Of the scorecards
 * of one day only the newest is used.
 */
CREATE FUNCTION segment_internal.refresh_retain(portfolio text, settings jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $refresh_retain$
BEGIN
	EXECUTE format($template$
		DELETE FROM %1$I.scorecard AS s
		USING (
			SELECT n.scorecard_id, row_number() OVER (PARTITION BY n.as_of ORDER BY n.scorecard_id DESC) AS age,
				first_value(n.as_of) OVER (ORDER BY n.scorecard_id DESC) - n.as_of AS days
			FROM %1$I.scorecard AS n
		) AS k
		WHERE k.scorecard_id = s.scorecard_id
			AND (k.age > ($1 ->> 'scorecards_per_day')::numeric OR k.days > ($1 ->> 'scorecard_days')::numeric)
			AND NOT EXISTS (SELECT FROM %1$I.snapshot AS t WHERE t.scorecard_id = s.scorecard_id)
		$template$, portfolio) USING settings;
	EXECUTE format($template$
		DELETE FROM %I.refresh_log AS l
		WHERE l.started_at < clock_timestamp() - ($1 ->> 'refresh_log_days')::float8 * interval '1 day'
		$template$, portfolio) USING settings;
END
$refresh_retain$;
COMMENT ON FUNCTION segment_internal.refresh_retain(text, jsonb) IS
'deletes scorecards beyond the settings scorecards_per_day and scorecard_days, unless a snapshot names them, and old rows of refresh_log (internal)';

/*
 * What the caller of a refresh should know, though nothing has failed: warnings of the
 * models, and settings with which figures say less than they seem to.
 */
CREATE FUNCTION segment_internal.refresh_notice(portfolio text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $refresh_notice$
DECLARE
	card record;
	warning record;
	is_long boolean;
	first_day date;
BEGIN
	EXECUTE format('SELECT s.as_of, s.margin, s.purchase_model, s.spend_model, (s.settings ->> ''lost_after_days'')::integer AS lost_after
		FROM %1$I.scorecard AS s JOIN %1$I.portfolio AS p ON p.scorecard_id = s.scorecard_id', portfolio)
	INTO STRICT card;
	FOR warning IN
		SELECT m.name, w.text
		FROM (VALUES (1, 'purchases', card.purchase_model), (2, 'amounts', card.spend_model)) AS m(nth, name, model)
		CROSS JOIN LATERAL unnest(segment.warnings(m.model)) WITH ORDINALITY AS w(text, nth)
		ORDER BY m.nth, w.nth
	LOOP
		RAISE NOTICE USING MESSAGE = format('model of %s of portfolio "%s": %s', warning.name, portfolio, warning.text);
	END LOOP;
	IF card.margin = 1 THEN
		RAISE NOTICE USING MESSAGE = format('setting "margin" of portfolio "%s" is 1, so margin and clv are revenue', portfolio),
			HINT = 'Set it to the share of sales that is contribution, or give each purchase its margin as a fourth column.';
	END IF;
	-- found at once where the data are long
	EXECUTE format('SELECT EXISTS (SELECT FROM %I.kept_customer AS k WHERE k.first_day <= $1)', portfolio)
	INTO is_long USING card.as_of + 1 - 2 * card.lost_after;
	IF NOT is_long THEN
		EXECUTE format('SELECT min(k.first_day) FROM %I.kept_customer AS k', portfolio) INTO first_day;
		IF first_day IS NOT NULL THEN
			RAISE NOTICE USING MESSAGE = format('setting "lost_after_days" of portfolio "%s" (%s) is longer than half of the data (%s days)',
					portfolio, card.lost_after, card.as_of - first_day + 1),
				HINT = 'Hardly anybody can be lost yet in leaky_bucket, sales_bridge and churn_rate. Set it shorter, or read older purchases.';
		END IF;
	END IF;
END
$refresh_notice$;
COMMENT ON FUNCTION segment_internal.refresh_notice(text) IS
'raises a NOTICE for each warning of the newest models, where the setting margin makes clv revenue, and where lost_after_days is longer than half of the data (internal)';
