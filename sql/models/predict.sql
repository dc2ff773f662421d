/* predictions: what a model says about a customer */

CREATE FUNCTION segment.p_alive(model segment.model, x float8, t_x float8, t float8) RETURNS float8
	AS 'MODULE_PATHNAME', 'segment_p_alive'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 15;
COMMENT ON FUNCTION segment.p_alive(segment.model, float8, float8, float8) IS
'probability, 0..1, that the customer is still active at t; x, t_x, t as in the fits (bgbb: t is the number of opportunities n), in the time unit of the model; for bgnbd 1 for a customer without repeat purchase, for bgbb at opportunity n + 1, so below 1 even for a customer who bought at n; error 22023 naming the argument, 0A000 for a spend model; sources: Fader, Hardie, Lee 2005 (bgnbd), Batislam et al. 2007 (mbgnbd), Schmittlein et al. 1987 (pnbd), Fader, Hardie, Shang 2010 (bgbb)';

CREATE FUNCTION segment.expected_purchases(model segment.model, x float8, t_x float8, t float8, horizon float8) RETURNS float8
	AS 'MODULE_PATHNAME', 'segment_expected_purchases'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50;
COMMENT ON FUNCTION segment.expected_purchases(segment.model, float8, float8, float8, float8) IS
'expected number of purchases in (t, t + horizon], at least 0, given the past of the customer; x, t_x, t as in the fits (bgbb: t is the number of opportunities n), in the time unit of the model; horizon: time units of the model, 0 to 1e12 (bgbb: opportunities, a whole number up to 1e5); error 22023 naming the argument, 0A000 for a spend model; sources as for p_alive';

CREATE FUNCTION segment.expected_purchases(model segment.model, horizon float8) RETURNS float8
	AS 'MODULE_PATHNAME', 'segment_expected_purchases_new'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50;
COMMENT ON FUNCTION segment.expected_purchases(segment.model, float8) IS
'expected number of repeat purchases of a new customer in the time horizon after the first purchase, at least 0; horizon: time units of the model, 0 to 1e12 (bgbb: opportunities, a whole number up to 1e5); error 22023 naming the argument, 0A000 for a spend model; sources as for p_alive';

CREATE FUNCTION segment.purchase_probability(model segment.model, x float8, t_x float8, t float8, horizon float8) RETURNS float8
	AS 'MODULE_PATHNAME', 'segment_purchase_probability'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 40;
COMMENT ON FUNCTION segment.purchase_probability(segment.model, float8, float8, float8, float8) IS
'probability, 0..1, of at least one purchase in (t, t + horizon], given the past of the customer; x, t_x, t as in the fits (bgbb: t is the number of opportunities n), in the time unit of the model; horizon: time units of the model, 0 to 1e12 (bgbb: opportunities, a whole number up to 1e5); error 22023 naming the argument, 0A000 for a spend model';

CREATE FUNCTION segment.purchase_pmf(model segment.model, x float8, t_x float8, t float8, horizon float8, n float8) RETURNS float8
	AS 'MODULE_PATHNAME', 'segment_purchase_pmf'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 60;
COMMENT ON FUNCTION segment.purchase_pmf(segment.model, float8, float8, float8, float8, float8) IS
'probability, 0..1, of exactly n purchases in (t, t + horizon], given the past of the customer; x, t_x, t as in the fits (bgbb: t is the number of opportunities n), in the time unit of the model; horizon: time units of the model, 0 to 1e12 (bgbb: opportunities, a whole number up to 1e5); n: a whole number up to 1e9; error 22023 naming the argument, 0A000 for a spend model';

CREATE FUNCTION segment.discounted_purchases(model segment.model, x float8, t_x float8, t float8, horizon float8, annual_rate float8) RETURNS float8
	AS 'MODULE_PATHNAME', 'segment_discounted_purchases'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION segment.discounted_purchases(segment.model, float8, float8, float8, float8, float8) IS
'expected number of purchases in (t, t + horizon], each discounted to t, at least 0; x, t_x, t as in the fits (bgbb: t is the number of opportunities n), in the time unit of the model; horizon: time units of the model, 0 to 1e12 (bgbb: opportunities, a whole number up to 1e5); annual_rate: effective annual discount rate, 0.1 is 10 %, at most 100; a purchase after s years counts (1 + annual_rate)^-s, continuously; the model knows its time unit (with_unit); error 22023 naming the argument, 0A000 for a spend model';

CREATE FUNCTION segment.dert(model segment.model, x float8, t_x float8, t float8, annual_rate float8) RETURNS float8
	AS 'MODULE_PATHNAME', 'segment_dert'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 120;
COMMENT ON FUNCTION segment.dert(segment.model, float8, float8, float8, float8) IS
'discounted expected residual transactions: expected purchases after t without end, each discounted to t, at least 0; x, t_x, t as in the fits (bgbb: t is the number of opportunities n), in the time unit of the model; annual_rate: effective annual discount rate, 0.1 is 10 %, at most 100; a purchase after s years counts (1 + annual_rate)^-s, continuously, at least 1e-6; error 22023 naming the argument, 0A000 for a spend model; source: Fader, Hardie, Lee 2005, RFM and CLV (pnbd), Fader, Hardie, Shang 2010 (bgbb), the same integral for the other kinds';

CREATE FUNCTION segment.expected_spend(model segment.model, x float8, mean_spend float8) RETURNS float8
	AS 'MODULE_PATHNAME', 'segment_expected_spend'
	LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE COST 3;
COMMENT ON FUNCTION segment.expected_spend(segment.model, float8, float8) IS
'expected amount of one future purchase of a customer with x repeat purchases of the given mean, greater than 0, in the currency of the fit: the mean over all customers if x = 0 (mean_spend is not looked at and may be NULL), shrunk towards it otherwise; for q <= 1, where that mean does not exist, p (gamma + x mean_spend) / (p x + q); error 22023 naming the argument, 0A000 for a purchase model; source: Fader, Hardie 2013, equation (5)';

CREATE FUNCTION segment.clv(purchase_model segment.model, spend_model segment.model, x float8, t_x float8, t float8, mean_repeat_spend float8, horizon float8, annual_rate float8, margin float8) RETURNS float8
	AS 'MODULE_PATHNAME', 'segment_clv'
	LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION segment.clv(segment.model, segment.model, float8, float8, float8, float8, float8, float8, float8) IS
'customer lifetime value: expected contribution of the purchases in (t, t + horizon], discounted to t, in the currency of the spend model: margin * expected_spend * discounted_purchases; x, t_x, t as in the fits (bgbb: t is the number of opportunities n), in the time unit of the model; mean_repeat_spend: mean amount of a repeat purchase, may be NULL if x = 0; horizon: time units of the model, 0 to 1e12 (bgbb: opportunities, a whole number up to 1e5); annual_rate: effective annual discount rate, 0.1 is 10 %, at most 100; a purchase after s years counts (1 + annual_rate)^-s, continuously; margin: contribution as a share of the amount, at most 1, below 0 for a loss, 1 if the amounts are contributions; errors 22023 naming the argument, 0A000 if one of the models is of the wrong sort; source: Fader, Hardie, Lee 2005, RFM and CLV';

CREATE FUNCTION segment.clv_formula(contribution float8, purchases_per_year float8, retention float8, years float8, annual_rate float8, acquisition_cost float8, yearly_cost float8) RETURNS float8
	AS 'MODULE_PATHNAME', 'segment_clv_formula'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5;
COMMENT ON FUNCTION segment.clv_formula(float8, float8, float8, float8, float8, float8, float8) IS
'customer lifetime value by the textbook formula, for those without a model: the sum over the years k = 0, 1, ... of (contribution * purchases_per_year - yearly_cost) * retention^k / (1 + annual_rate)^k, less acquisition_cost; the money of a year counts at its beginning, the first year is certain and not discounted, a fraction of a year at the end counts as that fraction; contribution: money per purchase; retention: chance to stay from one year to the next, 0..1; years: 0 to 1e9; annual_rate: effective, 0..100; costs: at least 0; with annual_rate 0 and retention 1 it is income minus costs; error 22023 naming the argument; source: Gupta et al. 2006, equation (1)';
