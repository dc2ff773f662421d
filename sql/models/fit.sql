/* aggregates that fit a model by maximum likelihood */

CREATE FUNCTION segment_internal.fit_customer(internal, float8, float8, float8) RETURNS internal
	AS 'MODULE_PATHNAME', 'segment_fit_customer'
	LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE;
COMMENT ON FUNCTION segment_internal.fit_customer(internal, float8, float8, float8) IS
'aggregate support: adds a customer (x, t_x, t) to a fit';

CREATE FUNCTION segment_internal.fit_customer(internal, float8, float8, float8, float8) RETURNS internal
	AS 'MODULE_PATHNAME', 'segment_fit_customer'
	LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE;
COMMENT ON FUNCTION segment_internal.fit_customer(internal, float8, float8, float8, float8) IS
'aggregate support: adds a customer (x, t_x, t) with a weight to a fit';

CREATE FUNCTION segment_internal.fit_chances(internal, float8, float8, float8) RETURNS internal
	AS 'MODULE_PATHNAME', 'segment_fit_chances'
	LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE;
COMMENT ON FUNCTION segment_internal.fit_chances(internal, float8, float8, float8) IS
'aggregate support: adds a customer (x, t_x, n) to a fit';

CREATE FUNCTION segment_internal.fit_chances(internal, float8, float8, float8, float8) RETURNS internal
	AS 'MODULE_PATHNAME', 'segment_fit_chances'
	LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE;
COMMENT ON FUNCTION segment_internal.fit_chances(internal, float8, float8, float8, float8) IS
'aggregate support: adds a customer (x, t_x, n) with a weight to a fit';

CREATE FUNCTION segment_internal.fit_spend(internal, float8, float8) RETURNS internal
	AS 'MODULE_PATHNAME', 'segment_fit_spend'
	LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE;
COMMENT ON FUNCTION segment_internal.fit_spend(internal, float8, float8) IS
'aggregate support: adds a customer (x, mean_spend) to a fit';

CREATE FUNCTION segment_internal.fit_spend(internal, float8, float8, float8) RETURNS internal
	AS 'MODULE_PATHNAME', 'segment_fit_spend'
	LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE;
COMMENT ON FUNCTION segment_internal.fit_spend(internal, float8, float8, float8) IS
'aggregate support: adds a customer (x, mean_spend) with a weight to a fit';

CREATE FUNCTION segment_internal.fit_combine(internal, internal) RETURNS internal
	AS 'MODULE_PATHNAME', 'segment_fit_combine'
	LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE;
COMMENT ON FUNCTION segment_internal.fit_combine(internal, internal) IS
'aggregate support: merges two states of a fit';

CREATE FUNCTION segment_internal.fit_serialize(internal) RETURNS bytea
	AS 'MODULE_PATHNAME', 'segment_fit_serialize'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION segment_internal.fit_serialize(internal) IS
'aggregate support: state of a fit as bytes, for another process';

CREATE FUNCTION segment_internal.fit_deserialize(bytea, internal) RETURNS internal
	AS 'MODULE_PATHNAME', 'segment_fit_deserialize'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION segment_internal.fit_deserialize(bytea, internal) IS
'aggregate support: state of a fit from the bytes of another process';

CREATE FUNCTION segment_internal.bgnbd_fit_final(internal) RETURNS segment.model
	AS 'MODULE_PATHNAME', 'segment_bgnbd_fit'
	LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE COST 1000000;
COMMENT ON FUNCTION segment_internal.bgnbd_fit_final(internal) IS
'aggregate support: fits the bgnbd model to the collected state';

CREATE FUNCTION segment_internal.mbgnbd_fit_final(internal) RETURNS segment.model
	AS 'MODULE_PATHNAME', 'segment_mbgnbd_fit'
	LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE COST 1000000;
COMMENT ON FUNCTION segment_internal.mbgnbd_fit_final(internal) IS
'aggregate support: fits the mbgnbd model to the collected state';

CREATE FUNCTION segment_internal.pnbd_fit_final(internal) RETURNS segment.model
	AS 'MODULE_PATHNAME', 'segment_pnbd_fit'
	LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE COST 1000000;
COMMENT ON FUNCTION segment_internal.pnbd_fit_final(internal) IS
'aggregate support: fits the pnbd model to the collected state';

CREATE FUNCTION segment_internal.bgbb_fit_final(internal) RETURNS segment.model
	AS 'MODULE_PATHNAME', 'segment_bgbb_fit'
	LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE COST 1000000;
COMMENT ON FUNCTION segment_internal.bgbb_fit_final(internal) IS
'aggregate support: fits the bgbb model to the collected state';

CREATE FUNCTION segment_internal.gammagamma_fit_final(internal) RETURNS segment.model
	AS 'MODULE_PATHNAME', 'segment_gammagamma_fit'
	LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE COST 1000000;
COMMENT ON FUNCTION segment_internal.gammagamma_fit_final(internal) IS
'aggregate support: fits the gammagamma model to the collected state';

CREATE AGGREGATE segment.bgnbd_fit(x float8, t_x float8, t float8) (
	SFUNC = segment_internal.fit_customer,
	STYPE = internal,
	SSPACE = 65536,
	FINALFUNC = segment_internal.bgnbd_fit_final,
	COMBINEFUNC = segment_internal.fit_combine,
	SERIALFUNC = segment_internal.fit_serialize,
	DESERIALFUNC = segment_internal.fit_deserialize,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE segment.bgnbd_fit(float8, float8, float8) IS
'maximum likelihood fit of the BG/NBD model of repeat purchases (Fader, Hardie, Lee 2005): rates gamma(r, alpha), after each repeat purchase the customer leaves with a chance that is beta(a, b); x: repeat purchases (a whole number, at most 1e9), t_x: time of the last one, t: end of observation, both since the first purchase, 0 <= t_x <= t <= 1e12, t_x = 0 if x = 0, in any one time unit (say which with with_unit); rows with a NULL are skipped; NULL without rows; same bits for every plan and order of rows; too little or degenerate data give a status and warnings, not an error; errors 22023 naming the argument';

CREATE AGGREGATE segment.bgnbd_fit(x float8, t_x float8, t float8, weight float8) (
	SFUNC = segment_internal.fit_customer,
	STYPE = internal,
	SSPACE = 65536,
	FINALFUNC = segment_internal.bgnbd_fit_final,
	COMBINEFUNC = segment_internal.fit_combine,
	SERIALFUNC = segment_internal.fit_serialize,
	DESERIALFUNC = segment_internal.fit_deserialize,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE segment.bgnbd_fit(float8, float8, float8, float8) IS
'maximum likelihood fit of the BG/NBD model of repeat purchases (Fader, Hardie, Lee 2005): rates gamma(r, alpha), after each repeat purchase the customer leaves with a chance that is beta(a, b); x: repeat purchases (a whole number, at most 1e9), t_x: time of the last one, t: end of observation, both since the first purchase, 0 <= t_x <= t <= 1e12, t_x = 0 if x = 0, in any one time unit (say which with with_unit); weight: how many customers the row stands for, > 0 and at most 1e12; rows with a NULL are skipped; NULL without rows; same bits for every plan and order of rows; too little or degenerate data give a status and warnings, not an error; errors 22023 naming the argument';

CREATE AGGREGATE segment.mbgnbd_fit(x float8, t_x float8, t float8) (
	SFUNC = segment_internal.fit_customer,
	STYPE = internal,
	SSPACE = 65536,
	FINALFUNC = segment_internal.mbgnbd_fit_final,
	COMBINEFUNC = segment_internal.fit_combine,
	SERIALFUNC = segment_internal.fit_serialize,
	DESERIALFUNC = segment_internal.fit_deserialize,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE segment.mbgnbd_fit(float8, float8, float8) IS
'maximum likelihood fit of the MBG/NBD model of repeat purchases (Batislam, Denizel, Filiztekin 2007; Hoppe, Wagner 2007): as BG/NBD, but the customer can leave after the first purchase too; x: repeat purchases (a whole number, at most 1e9), t_x: time of the last one, t: end of observation, both since the first purchase, 0 <= t_x <= t <= 1e12, t_x = 0 if x = 0, in any one time unit (say which with with_unit); rows with a NULL are skipped; NULL without rows; same bits for every plan and order of rows; too little or degenerate data give a status and warnings, not an error; errors 22023 naming the argument';

CREATE AGGREGATE segment.mbgnbd_fit(x float8, t_x float8, t float8, weight float8) (
	SFUNC = segment_internal.fit_customer,
	STYPE = internal,
	SSPACE = 65536,
	FINALFUNC = segment_internal.mbgnbd_fit_final,
	COMBINEFUNC = segment_internal.fit_combine,
	SERIALFUNC = segment_internal.fit_serialize,
	DESERIALFUNC = segment_internal.fit_deserialize,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE segment.mbgnbd_fit(float8, float8, float8, float8) IS
'maximum likelihood fit of the MBG/NBD model of repeat purchases (Batislam, Denizel, Filiztekin 2007; Hoppe, Wagner 2007): as BG/NBD, but the customer can leave after the first purchase too; x: repeat purchases (a whole number, at most 1e9), t_x: time of the last one, t: end of observation, both since the first purchase, 0 <= t_x <= t <= 1e12, t_x = 0 if x = 0, in any one time unit (say which with with_unit); weight: how many customers the row stands for, > 0 and at most 1e12; rows with a NULL are skipped; NULL without rows; same bits for every plan and order of rows; too little or degenerate data give a status and warnings, not an error; errors 22023 naming the argument';

CREATE AGGREGATE segment.pnbd_fit(x float8, t_x float8, t float8) (
	SFUNC = segment_internal.fit_customer,
	STYPE = internal,
	SSPACE = 65536,
	FINALFUNC = segment_internal.pnbd_fit_final,
	COMBINEFUNC = segment_internal.fit_combine,
	SERIALFUNC = segment_internal.fit_serialize,
	DESERIALFUNC = segment_internal.fit_deserialize,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE segment.pnbd_fit(float8, float8, float8) IS
'maximum likelihood fit of the Pareto/NBD model of repeat purchases (Schmittlein, Morrison, Colombo 1987): rates gamma(r, alpha), the customer leaves at a rate that is gamma(s, beta); x: repeat purchases (a whole number, at most 1e9), t_x: time of the last one, t: end of observation, both since the first purchase, 0 <= t_x <= t <= 1e12, t_x = 0 if x = 0, in any one time unit (say which with with_unit); rows with a NULL are skipped; NULL without rows; same bits for every plan and order of rows; too little or degenerate data give a status and warnings, not an error; errors 22023 naming the argument';

CREATE AGGREGATE segment.pnbd_fit(x float8, t_x float8, t float8, weight float8) (
	SFUNC = segment_internal.fit_customer,
	STYPE = internal,
	SSPACE = 65536,
	FINALFUNC = segment_internal.pnbd_fit_final,
	COMBINEFUNC = segment_internal.fit_combine,
	SERIALFUNC = segment_internal.fit_serialize,
	DESERIALFUNC = segment_internal.fit_deserialize,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE segment.pnbd_fit(float8, float8, float8, float8) IS
'maximum likelihood fit of the Pareto/NBD model of repeat purchases (Schmittlein, Morrison, Colombo 1987): rates gamma(r, alpha), the customer leaves at a rate that is gamma(s, beta); x: repeat purchases (a whole number, at most 1e9), t_x: time of the last one, t: end of observation, both since the first purchase, 0 <= t_x <= t <= 1e12, t_x = 0 if x = 0, in any one time unit (say which with with_unit); weight: how many customers the row stands for, > 0 and at most 1e12; rows with a NULL are skipped; NULL without rows; same bits for every plan and order of rows; too little or degenerate data give a status and warnings, not an error; errors 22023 naming the argument';

CREATE AGGREGATE segment.bgbb_fit(x float8, t_x float8, n float8) (
	SFUNC = segment_internal.fit_chances,
	STYPE = internal,
	SSPACE = 65536,
	FINALFUNC = segment_internal.bgbb_fit_final,
	COMBINEFUNC = segment_internal.fit_combine,
	SERIALFUNC = segment_internal.fit_serialize,
	DESERIALFUNC = segment_internal.fit_deserialize,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE segment.bgbb_fit(float8, float8, float8) IS
'maximum likelihood fit of the BG/BB model of purchases at regular opportunities (Fader, Hardie, Shang 2010): chance to buy beta(alpha, beta), chance to leave before each opportunity beta(gamma, delta); x: purchases at opportunities after the first purchase, t_x: number of the opportunity of the last one, n: number of opportunities (at most 1e5), all whole numbers, x <= t_x <= n, t_x = 0 if x = 0; rows with a NULL are skipped; NULL without rows; same bits for every plan and order of rows; too little or degenerate data give a status and warnings, not an error; errors 22023 naming the argument';

CREATE AGGREGATE segment.bgbb_fit(x float8, t_x float8, n float8, weight float8) (
	SFUNC = segment_internal.fit_chances,
	STYPE = internal,
	SSPACE = 65536,
	FINALFUNC = segment_internal.bgbb_fit_final,
	COMBINEFUNC = segment_internal.fit_combine,
	SERIALFUNC = segment_internal.fit_serialize,
	DESERIALFUNC = segment_internal.fit_deserialize,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE segment.bgbb_fit(float8, float8, float8, float8) IS
'maximum likelihood fit of the BG/BB model of purchases at regular opportunities (Fader, Hardie, Shang 2010): chance to buy beta(alpha, beta), chance to leave before each opportunity beta(gamma, delta); x: purchases at opportunities after the first purchase, t_x: number of the opportunity of the last one, n: number of opportunities (at most 1e5), all whole numbers, x <= t_x <= n, t_x = 0 if x = 0; weight: how many customers the row stands for, > 0 and at most 1e12; rows with a NULL are skipped; NULL without rows; same bits for every plan and order of rows; too little or degenerate data give a status and warnings, not an error; errors 22023 naming the argument';

CREATE AGGREGATE segment.gammagamma_fit(x float8, mean_spend float8) (
	SFUNC = segment_internal.fit_spend,
	STYPE = internal,
	SSPACE = 65536,
	FINALFUNC = segment_internal.gammagamma_fit_final,
	COMBINEFUNC = segment_internal.fit_combine,
	SERIALFUNC = segment_internal.fit_serialize,
	DESERIALFUNC = segment_internal.fit_deserialize,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE segment.gammagamma_fit(float8, float8) IS
'maximum likelihood fit of the gamma-gamma model of spend per purchase (Colombo, Jiang 1999; Fader, Hardie 2013): amounts gamma(p, nu), nu gamma(q, gamma); x: repeat purchases, mean_spend: mean amount of one of them; rows with x = 0 tell nothing and are skipped; rows with x > 0 and a mean_spend of zero or less are skipped with a warning; rows with a NULL are skipped; NULL without rows; same bits for every plan and order of rows; too little or degenerate data give a status and warnings, not an error; errors 22023 naming the argument';

CREATE AGGREGATE segment.gammagamma_fit(x float8, mean_spend float8, weight float8) (
	SFUNC = segment_internal.fit_spend,
	STYPE = internal,
	SSPACE = 65536,
	FINALFUNC = segment_internal.gammagamma_fit_final,
	COMBINEFUNC = segment_internal.fit_combine,
	SERIALFUNC = segment_internal.fit_serialize,
	DESERIALFUNC = segment_internal.fit_deserialize,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE segment.gammagamma_fit(float8, float8, float8) IS
'maximum likelihood fit of the gamma-gamma model of spend per purchase (Colombo, Jiang 1999; Fader, Hardie 2013): amounts gamma(p, nu), nu gamma(q, gamma); x: repeat purchases, mean_spend: mean amount of one of them; rows with x = 0 tell nothing and are skipped; rows with x > 0 and a mean_spend of zero or less are skipped with a warning; weight: how many customers the row stands for, > 0 and at most 1e12; rows with a NULL are skipped; NULL without rows; same bits for every plan and order of rows; too little or degenerate data give a status and warnings, not an error; errors 22023 naming the argument';
