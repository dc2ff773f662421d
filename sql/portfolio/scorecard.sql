/*
 * scorecard: a new one, over all customers
 *
 * Cut points, the population's rhythm, contribution and the models, from the
 * stored histories or from kept figures that hold on its day.
 */

/* The day everything is seen from: the one given, else the last purchase day. */
CREATE FUNCTION segment_internal.refresh_day(portfolio text, given date, today date, look boolean) RETURNS date
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $refresh_day$
DECLARE
	last_purchase date;
BEGIN
	IF given IS NOT NULL THEN
		IF NOT isfinite(given) THEN
			RAISE EXCEPTION USING ERRCODE = 'datetime_field_overflow',
				MESSAGE = format('argument "as_of" must be finite, not "%s"', given);
		ELSIF given > today THEN
			RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
				MESSAGE = format('as_of must not be after the current date: %s', given),
				DETAIL = format('The current date in the portfolio''s time zone is %s.', today);
		END IF;
		RETURN given;
	ELSIF NOT look THEN
		RETURN NULL;
	END IF;
	-- hardly any history goes beyond today: only those are cut off
	EXECUTE format($query$
		SELECT max(CASE WHEN d.last_day <= $1 THEN d.last_day
			ELSE segment.last_day(segment.as_of(d.purchases, $1)) END)
		FROM (
			SELECT c.purchases, segment.last_day(c.purchases) AS last_day, segment_internal.one_row() AS one_row
			FROM %I.customer_history AS c
		) AS d$query$, portfolio) INTO last_purchase USING today;
	RETURN coalesce(last_purchase, today);
END
$refresh_day$;
COMMENT ON FUNCTION segment_internal.refresh_day(text, date, date, boolean) IS
'the as_of day of a refresh: the one given, else the last purchase day that is not after today, else today, or NULL if it is not wanted; errors: 22008 infinite, 22023 after today (internal)';

/*
 * What a scorecard is made of, from one pass over the customers: their rows as
 * far as they do not depend on it, which is there already, but without cut points
 * and models.  $1 and $2 are the models of an earlier scorecard, or NULL, at
 * which the fits begin.
 */
CREATE FUNCTION segment_internal.scorecard_query(figures text, settings jsonb, unit text, cuts text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN format($template$
	SELECT count(*) AS customers, count(*) FILTER (WHERE orders > 0) AS buyers,
		segment.score_cuts(-days_since_last::float8, 5) AS recency_cuts,
		segment.score_cuts(orders::float8, 5) FILTER (WHERE orders > 0) AS frequency_cuts,
		segment.score_cuts(monetary, 5) FILTER (WHERE orders > 0) AS monetary_cuts,
		segment.exact_avg(mean_gap_days) AS usual_gap_days, min(first_day) AS first_day,
		segment_internal.refit_purchases(%2$L, %3$L, $1, as_of, purchase_days - 1, first_day, last_day)
			FILTER (WHERE orders > 0) AS purchase_model,
		segment_internal.refit_spend(%4$L, %3$L, $2, purchase_days - 1, repeat_spend)
			FILTER (WHERE orders > 0) AS spend_model,
		(sum(net_value) FILTER (WHERE orders > 0) / nullif(sum(gross), 0))::float8 AS contribution_rate,
		(sum(margin) FILTER (WHERE orders > 0) / nullif(sum(gross), 0))::float8 AS rate_before_cost,
		segment_internal.contribution_moments(segment_internal.float8(net_value), segment_internal.float8(gross), purchase_days) AS moments,
		%5$s AS cuts
	FROM (%1$s
	) AS customers$template$, figures,
	nullif(settings ->> 'purchase_model', 'none'), unit, nullif(settings ->> 'spend_model', 'none'),
	coalesce(cuts, 'NULL::numeric[]'));
COMMENT ON FUNCTION segment_internal.scorecard_query(text, jsonb, text, text) IS
'the query of what a new scorecard is made of, over the query of the customers'' figures as of its day, with two parameters, earlier models; cuts is an array expression, NULL: none (internal)';

/*
 * Cut points, the population's rhythm and the models, over everybody, as one
 * new row.  A model that has hardly any data is kept, with its status, but not
 * used: predictions are then NULL, and model_card tells why.
 */
CREATE FUNCTION segment_internal.refresh_scorecard(
	portfolio text, settings jsonb, unit text, own_margin boolean, as_of date, as_of_given boolean, from_kept boolean,
	OUT scorecard_id bigint, OUT customers bigint, OUT purchase_status text, OUT spend_status text
)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $refresh_scorecard$
DECLARE
	cuts record := segment_internal.scheme_cuts(portfolio);
	figures text;
	unscored jsonb;
	earlier record;
	f record;
	usual_gap_days float8;
	risk segment_internal.risk_source;
BEGIN
	EXECUTE format($template$
		INSERT INTO %1$I.scorecard AS s (scorecard_id, as_of, as_of_given, customers, buyers, usual_gap_days, margin,
			purchase_model_usable, spend_model_usable, unit_days, horizon, probability_horizon, settings, high_margin_categories)
		SELECT coalesce((SELECT max(n.scorecard_id) FROM %1$I.scorecard AS n), 0) + 1, $1, $5, 0, 0,
			($2 ->> 'dormancy_default_gap_days')::float8, CASE WHEN NOT $3 THEN ($2 ->> 'margin')::numeric END,
			false, false, u.days, ($2 ->> 'horizon_weeks')::float8 * 7 / u.days,
			($2 ->> 'probability_weeks')::float8 * 7 / u.days, $2,
			segment_internal.event_high_margin_categories($6, $1, ($2 ->> 'margin_limit')::numeric)
		FROM (SELECT segment_internal.unit_days($4)) AS u(days)
		RETURNING s.scorecard_id$template$, portfolio)
	INTO scorecard_id USING as_of, settings, own_margin, unit, as_of_given, portfolio;
	-- a full refresh begins anew, and so does not depend on what came before
	EXECUTE format('SELECT s.purchase_model AS purchases, s.spend_model AS spend
		FROM (VALUES ($1)) AS k(from_kept)
		LEFT JOIN (%1$I.portfolio AS p JOIN %1$I.scorecard AS s ON s.scorecard_id = p.scorecard_id) ON k.from_kept', portfolio)
	INTO STRICT earlier USING from_kept;
	figures := segment_internal.figures_query(portfolio, scorecard_id, as_of, from_kept, false, NULL);
	-- computed first and then stored, since an UPDATE never uses parallel workers
	BEGIN
		EXECUTE segment_internal.scorecard_query(figures, settings, unit, format('ARRAY[%s]::numeric[]', (cuts.unscored).elements)) INTO STRICT f USING earlier.purchases, earlier.spend;
		unscored := segment_internal.cuts_object((cuts.unscored).cuts, f.cuts);
	EXCEPTION WHEN OTHERS THEN
		IF segment_internal.is_beyond_query(SQLSTATE) THEN
			RAISE;
		END IF;
		-- if it is a cut, scheme_compute_cuts will tell which
		EXECUTE segment_internal.scorecard_query(figures, settings, unit, NULL) INTO STRICT f
		USING earlier.purchases, earlier.spend;
	END;
	usual_gap_days := coalesce(f.usual_gap_days, (settings ->> 'dormancy_default_gap_days')::float8);
	risk := segment_internal.risk_source(portfolio, as_of, settings, unit, f.customers, f.first_day, usual_gap_days, f.purchase_model);
	EXECUTE format($template$
		UPDATE %1$I.scorecard AS s
		SET (customers, buyers, recency_cuts, frequency_cuts, monetary_cuts, usual_gap_days,
				contribution_rate, rate_before_cost, usual_gross, prior_purchases,
				purchase_model, spend_model, purchase_model_usable, spend_model_usable, cuts,
				churn_basis, churn_days, churn_shares, churn_reason)
			= ROW($2, $3, $4, $5, $6, $7, $12, $13, u.gross,
				coalesce((s.settings ->> 'contribution_prior_purchases')::float8, segment_internal.contribution_prior($14, $12, u.gross)),
				$8, $9,
				coalesce(segment.status($8) <> 'too_few', false), coalesce(segment.status($9) <> 'too_few', false), $10,
				($11).basis, ($11).days, ($11).shares, ($11).reason)
		FROM (SELECT segment_internal.usual_gross($14) AS gross) AS u
		WHERE s.scorecard_id = $1
		RETURNING s.customers, segment.status(s.purchase_model), segment.status(s.spend_model)$template$, portfolio)
	INTO customers, purchase_status, spend_status
	USING scorecard_id, f.customers, f.buyers, f.recency_cuts, f.frequency_cuts, f.monetary_cuts,
		usual_gap_days, f.purchase_model, f.spend_model, nullif(unscored, '{}'), risk,
		f.contribution_rate, f.rate_before_cost, f.moments;
	PERFORM segment_internal.figures_create(portfolio, scorecard_id, as_of, from_kept, NULL);
	EXECUTE format('UPDATE %I.scorecard AS s SET cuts = $1 WHERE s.scorecard_id = $2 AND s.cuts IS DISTINCT FROM $1', portfolio)
	USING segment_internal.scheme_compute_cuts(portfolio, cuts.scored, cuts.queries, unscored), scorecard_id;
	EXECUTE format('UPDATE %I.portfolio AS p SET scorecard_id = $1', portfolio) USING scorecard_id;
END
$refresh_scorecard$;
COMMENT ON FUNCTION segment_internal.refresh_scorecard(text, jsonb, text, boolean, date, boolean, boolean) IS
'computes a new scorecard as of a day, which somebody asked for or not, from the stored histories or from kept figures that hold on that day; leaves the customers'' figures by it in the table refresh_figures (internal)';
