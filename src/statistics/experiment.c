/*-------------------------------------------------------------------------
 *
 * experiment.c
 *		Whether an action worked: who was treated against who was held out.
 *
 * Who is held out is decided by a digest of the key, so that the answer is the
 * same on every server, needs no table, and has nothing to do with the
 * customer.
 *
 * Means are compared by the test of B. L. Welch, "The generalization of 'Student's'
 * problem when several different population variances are involved", Biometrika
 * 34, 1947.  What was seen of the same customers before the start takes out of the
 * outcome what has nothing to do with the action (CUPED: A. Deng, Y. Xu, R. Kohavi
 * and T. Walker, "Improving the sensitivity of online controlled experiments by
 * utilizing pre-experiment data", WSDM 2013): the outcome less theta times the
 * difference of the covariate from its mean, theta = covariance / variance of the
 * covariate over all, has the same expectation and less variance.
 *
 * All sums are exact, so that the result has the same bits whatever the order of
 * rows and the number of workers.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

#include "base/aggregate.h"
#include "base/arguments.h"
#include "base/decimal.h"
#include "base/distribution.h"
#include "base/result_row.h"
#include "base/wide_int.h"

/* Amounts are summed in this unit, their products in its square. */
#define UNIT			1e-9

/* ---------- who is held out ---------- */

/* Is the text of a value of this type the same whatever the settings are? */
static bool
text_is_stable(Oid type)
{
	switch (type)
	{
		case BOOLOID:
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case OIDOID:
		case NUMERICOID:
		case NAMEOID:
		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
		case UUIDOID:
			return true;
		default:
			return false;
	}
}

/* The text of a key, for most types as they have it, else under fixed settings. */
static char *
key_text(Oid type, Datum key)
{
	static const char *const fixed[][2] = {
		{"bytea_output", "hex"}, {"DateStyle", "ISO, YMD"}, {"extra_float_digits", "1"}, {"IntervalStyle", "postgres"},
		{"lc_monetary", "C"}, {"TimeZone", "UTC"},
	};
	Oid			output;
	bool		is_varlena;
	int			settings;
	char	   *key_as_text;

	getTypeOutputInfo(type, &output, &is_varlena);
	if (text_is_stable(getBaseType(type)))
		return OidOutputFunctionCall(output, key);
	settings = NewGUCNestLevel();
	for (int i = 0; i < lengthof(fixed); i++)
		(void) set_config_option(fixed[i][0], fixed[i][1], PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	key_as_text = OidOutputFunctionCall(output, key);
	AtEOXact_GUC(true, settings);
	return key_as_text;
}

/*
 * holdout(key, salt, share): whether somebody is held out
 *
 * The first 53 bits of the SHA-256 digest of salt, a zero byte and the key's
 * text, both in UTF-8, as a number from 0 to below 1, are below the share.
 * Errors: 22023 for a share beyond 0 and 1.
 */
PG_FUNCTION_INFO_V1(segment_holdout);
Datum
segment_holdout(PG_FUNCTION_ARGS)
{
	Oid			type = get_fn_expr_argtype(fcinfo->flinfo, 0);
	double		share = PG_GETARG_FLOAT8(2);
	char	   *salt = text_to_cstring(PG_GETARG_TEXT_PP(1));
	char	   *key;
	StringInfoData bytes;
	bytea	   *digest;
	const uint8 *first;
	uint64		number = 0;

	if (!OidIsValid(type))
		elog(ERROR, "could not determine the type of the key");
	arguments_check_range("share", share, 0, 1);
	key = key_text(type, PG_GETARG_DATUM(0));
	salt = pg_server_to_any(salt, strlen(salt), PG_UTF8);
	key = pg_server_to_any(key, strlen(key), PG_UTF8);

	pq_begintypsend(&bytes);
	pq_sendbytes(&bytes, salt, strlen(salt));
	pq_sendbyte(&bytes, 0);
	pq_sendbytes(&bytes, key, strlen(key));
	digest = DatumGetByteaPP(DirectFunctionCall1(sha256_bytea, PointerGetDatum(pq_endtypsend(&bytes))));
	first = (const uint8 *) VARDATA_ANY(digest);
	for (int i = 0; i < 8; i++)
		number = number << 8 | first[i];
	PG_RETURN_BOOL(ldexp((double) (number >> 11), -53) < share);
}

/* ---------- what came of it ---------- */

/* Sums over customers of outcome y and covariate x */
typedef struct Moments
{
	int64		count;
	WideInt		y;
	WideInt		x;
	WideInt		yy;
	WideInt		xy;
	WideInt		xx;
} Moments;

typedef struct ExperimentState
{
	double		held_out;		/* the share that should be */
	double		level;			/* of the intervals */
	Moments		groups[2];		/* treated, held out */
} ExperimentState;

static ExperimentState *
state_create(MemoryContext context, double held_out, double level)
{
	ExperimentState *state = MemoryContextAllocZero(context, sizeof(ExperimentState));

	state->held_out = held_out;
	state->level = level;
	return state;
}

static void
check_same_parameters(const ExperimentState *state, double held_out, double level)
{
	arguments_check_same(state->held_out == held_out, "held_out");
	arguments_check_same(state->level == level, "level");
}

/* A share between 0 and 1 */
static void
check_share(const char *name, double value)
{
	if (!(value > 0 && value < 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must be above 0 and below 1, not %g", name, value)));
}

static int128
amount_of(Datum num)
{
	int128		coefficient;
	int			scale = decimal_from_numeric(PointerGetDatum(PG_DETOAST_DATUM_PACKED(num)), &coefficient);

	return coefficient * decimal_power_of_ten[DECIMAL_MAX_SCALE - scale];
}

/*
 * experiment_accum(state, treated, outcome, before, held_out, level): one more customer
 *
 * A row with a NULL is skipped, but for a NULL before, which counts as 0.
 */
PG_FUNCTION_INFO_V1(segment_experiment_accum);
Datum
segment_experiment_accum(PG_FUNCTION_ARGS)
{
	ExperimentState *state = (ExperimentState *) aggregate_state(fcinfo);
	double		held_out;
	double		level;
	int128		y;
	int128		x;
	Moments    *moments;

	if (PG_ARGISNULL(1) || PG_ARGISNULL(2) || PG_ARGISNULL(4) || PG_ARGISNULL(5))
		return aggregate_unchanged(fcinfo);
	held_out = PG_GETARG_FLOAT8(4);
	level = PG_GETARG_FLOAT8(5);
	check_share("held_out", held_out);
	check_share("level", level);
	y = amount_of(PG_GETARG_DATUM(2));
	x = PG_ARGISNULL(3) ? 0 : amount_of(PG_GETARG_DATUM(3));
	if (state == NULL)
		state = state_create(aggregate_context(fcinfo), held_out, level);
	check_same_parameters(state, held_out, level);
	moments = &state->groups[PG_GETARG_BOOL(1) ? 0 : 1];
	moments->count++;
	wide_add_int128(&moments->y, y);
	wide_add_int128(&moments->x, x);
	wide_add_product(&moments->yy, y, y);
	wide_add_product(&moments->xy, x, y);
	wide_add_product(&moments->xx, x, x);
	PG_RETURN_POINTER(state);
}

static void *
experiment_create_like(MemoryContext context, const void *other)
{
	const ExperimentState *state = (const ExperimentState *) other;

	return state_create(context, state->held_out, state->level);
}

static void
moments_add(Moments *sum, const Moments *moments)
{
	sum->count += moments->count;
	wide_add(&sum->y, &moments->y);
	wide_add(&sum->x, &moments->x);
	wide_add(&sum->yy, &moments->yy);
	wide_add(&sum->xy, &moments->xy);
	wide_add(&sum->xx, &moments->xx);
}

static void
experiment_merge(void *into, const void *from)
{
	ExperimentState *state = (ExperimentState *) into;
	const ExperimentState *other = (const ExperimentState *) from;

	check_same_parameters(state, other->held_out, other->level);
	for (int g = 0; g < 2; g++)
		moments_add(&state->groups[g], &other->groups[g]);
}

/* The two parameters; count and sums of each group. */
static void
experiment_send(StringInfo buf, void *state)
{
	const ExperimentState *experiment = (const ExperimentState *) state;

	pq_sendfloat8(buf, experiment->held_out);
	pq_sendfloat8(buf, experiment->level);
	for (int g = 0; g < 2; g++)
	{
		const Moments *moments = &experiment->groups[g];

		pq_sendint64(buf, moments->count);
		wide_send(buf, &moments->y);
		wide_send(buf, &moments->x);
		wide_send(buf, &moments->yy);
		wide_send(buf, &moments->xy);
		wide_send(buf, &moments->xx);
	}
}

static void *
experiment_receive(StringInfo buf, const AggregateKind *kind)
{
	double		held_out = pq_getmsgfloat8(buf);
	double		level = pq_getmsgfloat8(buf);
	ExperimentState *state = state_create(CurrentMemoryContext, held_out, level);

	if (!(held_out > 0 && held_out < 1 && level > 0 && level < 1))
		aggregate_invalid_state(kind);
	for (int g = 0; g < 2; g++)
	{
		Moments    *moments = &state->groups[g];

		moments->count = pq_getmsgint64(buf);
		if (moments->count < 0)
			aggregate_invalid_state(kind);
		moments->y = wide_receive(buf);
		moments->x = wide_receive(buf);
		moments->yy = wide_receive(buf);
		moments->xy = wide_receive(buf);
		moments->xx = wide_receive(buf);
	}
	return state;
}

static const AggregateKind experiment_kind = {
	.name = "experiment_agg",
	.version = 1,
	.create_like = experiment_create_like,
	.merge = experiment_merge,
	.send = experiment_send,
	.receive = experiment_receive,
};

PG_FUNCTION_INFO_V1(segment_experiment_combine);
Datum
segment_experiment_combine(PG_FUNCTION_ARGS)
{
	return aggregate_combine(fcinfo, &experiment_kind);
}

PG_FUNCTION_INFO_V1(segment_experiment_serialize);
Datum
segment_experiment_serialize(PG_FUNCTION_ARGS)
{
	return aggregate_serialize(fcinfo, &experiment_kind);
}

PG_FUNCTION_INFO_V1(segment_experiment_deserialize);
Datum
segment_experiment_deserialize(PG_FUNCTION_ARGS)
{
	return aggregate_deserialize(fcinfo, &experiment_kind);
}

/* ---------- figures ---------- */

static WideInt
wide_difference(const WideInt *a, const WideInt *b)
{
	WideInt		negative = *b;

	wide_negate(&negative);
	wide_add(&negative, a);
	return negative;
}

/* The estimate of a variance, from the sum of squares and the sum; two rows at least. */
static double
variance_of(int64 count, const WideInt *squares, const WideInt *sum)
{
	WideInt		scaled = wide_scaled(squares, count);
	WideInt		square = wide_square(sum);
	WideInt		numerator = wide_difference(&scaled, &square);

	return wide_to_float8(&numerator) / count / (count - 1) * UNIT * UNIT;
}

/* The same of a covariance: 2 x y is the square of the sum less both squares. */
static double
covariance_of(const Moments *moments)
{
	WideInt		both = moments->x;
	WideInt		twice = wide_scaled(&moments->xy, 2 * (uint64) moments->count);
	WideInt		square;
	WideInt		of_x = wide_square(&moments->x);
	WideInt		of_y = wide_square(&moments->y);

	wide_add(&both, &moments->y);
	square = wide_square(&both);
	square = wide_difference(&square, &of_x);
	square = wide_difference(&square, &of_y);
	twice = wide_difference(&twice, &square);
	return wide_to_float8(&twice) / 2 / moments->count / (moments->count - 1) * UNIT * UNIT;
}

/* How much the mean of one group is above that of another, exactly up to the division */
static double
mean_difference(const WideInt *a, int64 count_a, const WideInt *b, int64 count_b)
{
	WideInt		scaled_a = wide_scaled(a, count_b);
	WideInt		scaled_b = wide_scaled(b, count_a);
	WideInt		numerator = wide_difference(&scaled_a, &scaled_b);

	return wide_to_float8(&numerator) / count_a / count_b * UNIT;
}

/* The columns of segment.experiment_result, in their order */
typedef enum ResultColumn
{
	RESULT_TREATED,
	RESULT_HELD_OUT,
	RESULT_TREATED_MEAN,
	RESULT_HELD_OUT_MEAN,
	RESULT_DIFFERENCE,
	RESULT_LOW,
	RESULT_HIGH,
	RESULT_P_VALUE,
	RESULT_ADJUSTED_DIFFERENCE,
	RESULT_ADJUSTED_LOW,
	RESULT_ADJUSTED_HIGH,
	RESULT_ADJUSTED_P_VALUE,
	RESULT_VARIANCE_REDUCTION,
	RESULT_SAMPLE_RATIO_P_VALUE,
	RESULT_COLUMNS
} ResultColumn;

typedef struct ExperimentResult
{
	Datum		values[RESULT_COLUMNS];
	bool		nulls[RESULT_COLUMNS];
} ExperimentResult;

static void
set_result(ExperimentResult *result, ResultColumn column, double value)
{
	result->values[column] = Float8GetDatum(value);
	result->nulls[column] = false;
}

/*
 * Welch's test: interval and p-value of a difference of means, in three columns
 * from "low" on; NULL where nothing varies.
 */
static void
set_welch(ExperimentResult *result, ResultColumn low, double difference, const double *variances, const Moments *groups, double level)
{
	double		parts[2] = {variances[0] / groups[0].count, variances[1] / groups[1].count};
	double		squared_error = parts[0] + parts[1];
	double		error = sqrt(squared_error);
	double		df;
	double		half;

	if (!(squared_error > 0))
		return;
	/* in parts of their sum, whose squares are in range */
	df = 1 / ((parts[0] / squared_error) * (parts[0] / squared_error) / (groups[0].count - 1) +
			  (parts[1] / squared_error) * (parts[1] / squared_error) / (groups[1].count - 1));
	half = distribution_student_limit(level, df) * error;
	set_result(result, low, difference - half);
	set_result(result, low + 1, difference + half);
	set_result(result, low + 2, distribution_student_beyond(difference / error, df));
}

/* Differences and tests, as they are and adjusted by the covariate. */
static void
set_tests(ExperimentResult *result, const ExperimentState *state)
{
	const Moments *groups = state->groups;
	Moments		all = groups[0];
	double		difference = mean_difference(&groups[0].y, groups[0].count, &groups[1].y, groups[1].count);
	double		variances[2];
	double		adjusted[2];
	double		covariate;
	double		theta;

	set_result(result, RESULT_DIFFERENCE, difference);
	if (groups[0].count < 2 || groups[1].count < 2)
		return;
	for (int g = 0; g < 2; g++)
		variances[g] = variance_of(groups[g].count, &groups[g].yy, &groups[g].y);
	set_welch(result, RESULT_LOW, difference, variances, groups, state->level);

	moments_add(&all, &groups[1]);
	covariate = variance_of(all.count, &all.xx, &all.x);
	if (!(covariate > 0))
		return;
	theta = covariance_of(&all) / covariate;
	for (int g = 0; g < 2; g++)
		adjusted[g] = Max(0, variances[g] - 2 * theta * covariance_of(&groups[g]) +
						  theta * theta * variance_of(groups[g].count, &groups[g].xx, &groups[g].x));
	difference -= theta * mean_difference(&groups[0].x, groups[0].count, &groups[1].x, groups[1].count);
	set_result(result, RESULT_ADJUSTED_DIFFERENCE, difference);
	set_welch(result, RESULT_ADJUSTED_LOW, difference, adjusted, groups, state->level);
	if (variances[0] + variances[1] > 0)
		set_result(result, RESULT_VARIANCE_REDUCTION,
				   1 - (adjusted[0] / groups[0].count + adjusted[1] / groups[1].count) /
				   (variances[0] / groups[0].count + variances[1] / groups[1].count));
}

/* experiment_final: a row of segment.experiment_result; NULL without rows */
PG_FUNCTION_INFO_V1(segment_experiment_final);
Datum
segment_experiment_final(PG_FUNCTION_ARGS)
{
	const ExperimentState *state = (const ExperimentState *) aggregate_state(fcinfo);
	ExperimentResult result;
	double		all;

	if (state == NULL)
		PG_RETURN_NULL();
	memset(result.nulls, true, sizeof(result.nulls));
	memset(result.values, 0, sizeof(result.values));
	all = (double) state->groups[0].count + state->groups[1].count;
	for (int g = 0; g < 2; g++)
	{
		result.values[RESULT_TREATED + g] = Int64GetDatum(state->groups[g].count);
		result.nulls[RESULT_TREATED + g] = false;
		if (state->groups[g].count > 0)
			set_result(&result, RESULT_TREATED_MEAN + g, wide_to_float8(&state->groups[g].y) / state->groups[g].count * UNIT);
	}
	if (state->groups[0].count > 0 && state->groups[1].count > 0)
		set_tests(&result, state);
	set_result(&result, RESULT_SAMPLE_RATIO_P_VALUE,
			   distribution_normal_beyond((state->groups[1].count - all * state->held_out) /
										  sqrt(all * state->held_out * (1 - state->held_out))));
	return row_form(result_row(fcinfo, RESULT_COLUMNS), result.values, result.nulls);
}

/*
 * proportion_test(successes, trials, base_successes, base_trials, level): two shares
 *
 * The chi-squared test without correction, whose variance is that of the pooled
 * share, and the interval with the variances of both.
 */
PG_FUNCTION_INFO_V1(segment_proportion_test);
Datum
segment_proportion_test(PG_FUNCTION_ARGS)
{
	int64		counts[4];
	double		level = PG_GETARG_FLOAT8(4);
	double		p;
	double		q;
	double		pooled;
	double		half;
	double		error;
	Datum		values[4];
	bool		nulls[4] = {false};

	for (int i = 0; i < 4; i++)
		counts[i] = PG_GETARG_INT64(i);
	check_share("level", level);
	if (counts[0] < 0 || counts[2] < 0 || counts[0] > counts[1] || counts[2] > counts[3])
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("successes must be from 0 to the number of trials")));
	if (counts[1] == 0 || counts[3] == 0)
		PG_RETURN_NULL();
	p = (double) counts[0] / counts[1];
	q = (double) counts[2] / counts[3];
	pooled = ((double) counts[0] + counts[2]) / ((double) counts[1] + counts[3]);
	half = distribution_normal_limit(level) * sqrt(p * (1 - p) / counts[1] + q * (1 - q) / counts[3]);
	error = sqrt(pooled * (1 - pooled) * (1.0 / counts[1] + 1.0 / counts[3]));
	values[0] = Float8GetDatum(p - q);
	values[1] = Float8GetDatum(Max(-1, p - q - half));
	values[2] = Float8GetDatum(Min(1, p - q + half));
	values[3] = Float8GetDatum(error > 0 ? distribution_normal_beyond((p - q) / error) : 1);
	/* all or nobody: nothing speaks for a difference */
	nulls[3] = !(error > 0);
	return row_form(result_row(fcinfo, 4), values, nulls);
}
