/*
 * scorecard_terms: what a customer's row takes from a scorecard
 */

/* The C code of customer_figures has the same list. */
CREATE TYPE segment_internal.scorecard_terms AS (
	recency_cuts float8[], frequency_cuts float8[], monetary_cuts float8[],
	prior_gaps float8, usual_gap_days float8, purchase_model segment.model, spend_model segment.model,
	unit_days float8, horizon float8, probability_horizon float8, annual_rate float8, margin_rate numeric,
	cancel_same_day boolean, churn_basis text, churn_horizon float8, churn_shares float8[],
	period_days integer, trend_periods integer,
	churn_recent_days integer, churn_past_days integer, churn_significance float8, dormancy_asleep float8,
	contribution_rate float8, rate_before_cost float8, usual_gross float8, prior_purchases float8,
	high_margin_categories text[]
);
COMMENT ON TYPE segment_internal.scorecard_terms IS
'what a customer''s figures take from a scorecard: cut points of recency (in minus days since the last purchase), frequency (orders) and monetary value (net); prior and usual gap, see customer_figures; the models, NULL where they are not usable, the days in their time unit, horizons in that unit, and the discount rate; the share of sales that is contribution, NULL where the purchases have margins; whether orders that were refunded on the same day are left out of visits and usage; what churn_risk comes from: the basis, the horizon of the model in its unit, NULL where it is not the model''s, and the shares of customers alike; contribution of the portfolio per unit of gross, with and without cost, a usual purchase, and for how many of them these rates count when a customer''s own are averaged with them; the days of a period, and how many periods a trend looks back over; the windows and the significance of the signs of leaving, and the usual gaps after which a purchase is a return; the categories of high margin (event_high_margin_categories) (internal)';
