/*-------------------------------------------------------------------------
 *
 * amount_cuts.c
 *		Cut points of amounts of money, exactly: of equal-count groups, from
 *		below and from the top, and of shares of the total.
 *
 * A cut point is one of the amounts, with all its digits, where quantile_cuts
 * would give a floating point number near it.
 *
 * The amounts are kept in 64-bit integers at the largest scale among them; if
 * one does not fit, all of them as numerics.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include "catalog/pg_type.h"
#include "common/int.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/numeric.h"

#include "base/aggregate.h"
#include "base/decimal.h"
#include "base/selection.h"
#include "statistics/cuts.h"

/*
 * Of amounts with many digits there can be fewer groups than elsewhere: as text,
 * which array_out builds as a whole, the cut points have at most so many bytes.
 * Equal ones share their digits here, but not there.
 */
#define MAX_TEXT				(64 * 1024 * 1024)

/* Sums of so many 64-bit integers fit easily; far beyond any memory. */
#define MAX_COUNT				(INT64CONST(1) << 40)

/* Decimals shown that the short form of numeric can have. */
#define MAX_SHOWN				63

/* First allocation; small, as there may be many groups. */
#define MIN_CAPACITY			16

typedef struct AmountState
{
	int32		groups;
	int			scale;			/* of all coefficients */
	int			least_shown;	/* display scales are within */
	int			most_shown;
	int64		count;
	int64		capacity;
	int64	   *coefficients;	/* or NULL, and then ... */
	uint8	   *shown;			/* display scale of each */
	Numeric    *numerics;		/* ... the amounts are here */
} AmountState;

/* ---------- the state ---------- */

static AmountState *
state_create(MemoryContext context, int32 groups, int64 capacity)
{
	AmountState *state = MemoryContextAllocZero(context, sizeof(AmountState));

	state->groups = groups;
	state->capacity = Max(capacity, MIN_CAPACITY);
	state->least_shown = MAX_SHOWN;
	state->coefficients = MemoryContextAllocHuge(context, state->capacity * sizeof(int64));
	state->shown = MemoryContextAllocHuge(context, state->capacity);
	return state;
}

/* Make room for more amounts; the arrays stay in their memory context. */
static void
state_reserve(AmountState *state, int64 more)
{
	int64		needed = state->count + more;

	if (likely(needed <= state->capacity))
		return;
	if (needed > MAX_COUNT)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many amounts: at most %lld are possible", (long long) MAX_COUNT)));
	state->capacity = Max(needed, state->capacity * 2);
	if (state->numerics != NULL)
		state->numerics = repalloc_huge(state->numerics, state->capacity * sizeof(Numeric));
	else
	{
		state->coefficients = repalloc_huge(state->coefficients, state->capacity * sizeof(int64));
		state->shown = repalloc_huge(state->shown, state->capacity);
	}
}

/* An amount of the state as a numeric, in the current memory context */
static Numeric
amount_at(const AmountState *state, int64 i)
{
	return decimal_to_numeric(state->coefficients[i], state->scale, state->shown[i]);
}

/* From integers to numerics. */
static void
state_generalize(AmountState *state)
{
	MemoryContext context = GetMemoryChunkContext(state);
	MemoryContext old;

	if (state->numerics != NULL)
		return;
	state->numerics = MemoryContextAllocHuge(context, state->capacity * sizeof(Numeric));
	old = MemoryContextSwitchTo(context);
	for (int64 i = 0; i < state->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		state->numerics[i] = amount_at(state, i);
	}
	MemoryContextSwitchTo(old);
	pfree(state->coefficients);
	pfree(state->shown);
	state->coefficients = NULL;
	state->shown = NULL;
}

/* Bring the coefficients to a larger scale; numerics where they do not fit. */
static void
state_rescale(AmountState *state, int scale)
{
	int64		factor = decimal_power_of_ten[scale - state->scale];
	int64		limit = PG_INT64_MAX / factor;

	for (int64 i = 0; i < state->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (unlikely(state->coefficients[i] > limit || state->coefficients[i] < -limit))
		{
			state_generalize(state);
			return;
		}
	}
	for (int64 i = 0; i < state->count; i++)
		state->coefficients[i] *= factor;
	state->scale = scale;
}

/* Add an amount in the form of the integers; false if it does not fit. */
static bool
state_add_coefficient(AmountState *state, int128 coefficient, int scale, int shown)
{
	int64		narrow = (int64) coefficient;

	if (unlikely(narrow != coefficient || shown > MAX_SHOWN))
		return false;
	if (unlikely(scale != state->scale))
	{
		if (scale > state->scale)
			state_rescale(state, scale);
		if (state->numerics != NULL ||
			pg_mul_s64_overflow(narrow, decimal_power_of_ten[state->scale - scale], &narrow))
			return false;
	}
	/* its negative must be there, too */
	if (unlikely(narrow == PG_INT64_MIN))
		return false;
	state_reserve(state, 1);
	state->coefficients[state->count] = narrow;
	state->shown[state->count] = shown;
	state->least_shown = Min(state->least_shown, shown);
	state->most_shown = Max(state->most_shown, shown);
	state->count++;
	return true;
}

/* Add an amount as a numeric, copied. */
static void
state_add_numeric(AmountState *state, Numeric amount)
{
	MemoryContext context = GetMemoryChunkContext(state);
	MemoryContext old;

	state_generalize(state);
	state_reserve(state, 1);
	old = MemoryContextSwitchTo(context);
	state->numerics[state->count++] = DatumGetNumericCopy(NumericGetDatum(amount));
	MemoryContextSwitchTo(old);
}

/*
 * amount_cuts_accum(state, amount, n): one more amount
 *
 * A row with a NULL amount or a NULL n is skipped.  Errors: 22023 for NaN and
 * infinities, for n < 1 and for an n that differs from another row's; 54000
 * for n > 1,000,000.
 */
PG_FUNCTION_INFO_V1(segment_amount_cuts_accum);
Datum
segment_amount_cuts_accum(PG_FUNCTION_ARGS)
{
	AmountState *state = (AmountState *) aggregate_state(fcinfo);
	Datum		amount;
	int32		groups;
	int128		coefficient;
	int			scale;
	int			shown;

	if (aggregate_skips_row(fcinfo))
		return aggregate_unchanged(fcinfo);
	groups = PG_GETARG_INT32(2);
	cuts_check_groups(groups, state != NULL ? state->groups : 0);
	if (state == NULL)
		state = state_create(aggregate_context(fcinfo), groups, 0);
	amount = PointerGetDatum(PG_DETOAST_DATUM_PACKED(PG_GETARG_DATUM(1)));
	if (!decimal_try_numeric(amount, &coefficient, &scale, &shown) ||
		state->numerics != NULL ||
		!state_add_coefficient(state, coefficient, scale, shown))
		state_add_numeric(state, DatumGetNumeric(amount));
	PG_RETURN_POINTER(state);
}

/* ---------- between processes ---------- */

static void *
amount_cuts_create_like(MemoryContext context, const void *other)
{
	const AmountState *state = (const AmountState *) other;

	return state_create(context, state->groups, state->count);
}

static void
amount_cuts_merge(void *into, const void *from)
{
	AmountState *state = (AmountState *) into;
	const AmountState *other = (const AmountState *) from;

	cuts_check_groups(other->groups, state->groups);
	if (other->numerics == NULL && state->numerics == NULL && other->scale > state->scale)
		state_rescale(state, other->scale);
	state_reserve(state, other->count);
	for (int64 i = 0; i < other->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (other->numerics != NULL)
			state_add_numeric(state, other->numerics[i]);
		else if (state->numerics != NULL ||
				 !state_add_coefficient(state, other->coefficients[i], other->scale, other->shown[i]))
			state_add_numeric(state, amount_at(other, i));
	}
}

/*
 * Whether they are numerics, groups, count; then the scale, all coefficients
 * and all display scales, or each numeric in its binary form with its length.
 */
static void
amount_cuts_send(StringInfo buf, void *state)
{
	const AmountState *amounts = (const AmountState *) state;

	pq_sendbyte(buf, amounts->numerics != NULL);
	pq_sendint32(buf, amounts->groups);
	pq_sendint64(buf, amounts->count);
	if (amounts->numerics == NULL)
	{
		pq_sendbyte(buf, amounts->scale);
		aggregate_reserve(buf, amounts->count, sizeof(int64) + 1);
		for (int64 i = 0; i < amounts->count; i++)
		{
			CHECK_FOR_INTERRUPTS();
			pq_sendint64(buf, amounts->coefficients[i]);
		}
		pq_sendbytes(buf, (const char *) amounts->shown, amounts->count);
		return;
	}
	for (int64 i = 0; i < amounts->count; i++)
	{
		bytea	   *image = DatumGetByteaP(DirectFunctionCall1(numeric_send,
															   NumericGetDatum(amounts->numerics[i])));

		CHECK_FOR_INTERRUPTS();
		pq_sendint32(buf, VARSIZE(image) - VARHDRSZ);
		pq_sendbytes(buf, VARDATA(image), VARSIZE(image) - VARHDRSZ);
		pfree(image);
	}
}

static Numeric
receive_numeric(StringInfo buf, const AggregateKind *kind)
{
	int			size = pq_getmsgint(buf, 4);
	StringInfoData image;

	if (size < 0 || size > buf->len - buf->cursor)
		aggregate_invalid_state(kind);
	initStringInfo(&image);
	appendBinaryStringInfo(&image, pq_getmsgbytes(buf, size), size);
	return DatumGetNumeric(DirectFunctionCall3(numeric_recv, PointerGetDatum(&image),
											   ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
}

static void
receive_coefficients(StringInfo buf, AmountState *state, int64 count, const AggregateKind *kind)
{
	state->scale = pq_getmsgbyte(buf);
	if (state->scale > DECIMAL_MAX_SCALE || count * 9 != buf->len - buf->cursor)
		aggregate_invalid_state(kind);
	for (int64 i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		state->coefficients[i] = pq_getmsgint64(buf);
	}
	memcpy(state->shown, pq_getmsgbytes(buf, count), count);
	for (int64 i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		state->least_shown = Min(state->least_shown, state->shown[i]);
		state->most_shown = Max(state->most_shown, state->shown[i]);
	}
	if (state->most_shown > MAX_SHOWN)
		aggregate_invalid_state(kind);
}

static void *
amount_cuts_receive(StringInfo buf, const AggregateKind *kind)
{
	bool		numerics = pq_getmsgbyte(buf) != 0;
	int32		groups = pq_getmsgint(buf, 4);
	int64		count = pq_getmsgint64(buf);
	AmountState *state;

	if (groups < 1 || groups > CUTS_MAX_GROUPS || count < 1 || count > buf->len)
		aggregate_invalid_state(kind);
	state = state_create(CurrentMemoryContext, groups, count);
	if (numerics)
	{
		state_generalize(state);
		for (int64 i = 0; i < count; i++)
		{
			CHECK_FOR_INTERRUPTS();
			state->numerics[i] = receive_numeric(buf, kind);
		}
	}
	else
		receive_coefficients(buf, state, count, kind);
	state->count = count;
	return state;
}

static const AggregateKind amount_cuts_kind = {
	.name = "amount_cuts",
	.version = 1,
	.create_like = amount_cuts_create_like,
	.merge = amount_cuts_merge,
	.send = amount_cuts_send,
	.receive = amount_cuts_receive,
};

PG_FUNCTION_INFO_V1(segment_amount_cuts_combine);
Datum
segment_amount_cuts_combine(PG_FUNCTION_ARGS)
{
	return aggregate_combine(fcinfo, &amount_cuts_kind);
}

PG_FUNCTION_INFO_V1(segment_amount_cuts_serialize);
Datum
segment_amount_cuts_serialize(PG_FUNCTION_ARGS)
{
	return aggregate_serialize(fcinfo, &amount_cuts_kind);
}

PG_FUNCTION_INFO_V1(segment_amount_cuts_deserialize);
Datum
segment_amount_cuts_deserialize(PG_FUNCTION_ARGS)
{
	return aggregate_deserialize(fcinfo, &amount_cuts_kind);
}

/* ---------- results from integers ---------- */

static int
compare_int64(const void *a, const void *b)
{
	int64		x = *(const int64 *) a;
	int64		y = *(const int64 *) b;

	return (x > y) - (x < y);
}

/*
 * The most decimals that an amount equal to each of the cut points is shown
 * with.  The cut points are in ascending or in descending order.
 */
static void
find_shown(const AmountState *state, const int64 *cuts, int ncuts, int *shown)
{
	int64	   *distinct = (int64 *) palloc(mul_size(ncuts, sizeof(int64)));
	int		   *most = (int *) palloc0(mul_size(ncuts, sizeof(int)));
	int			n = 0;

	for (int i = 0; i < ncuts; i++)
	{
		shown[i] = state->most_shown;
		if (n == 0 || distinct[n - 1] != cuts[i])
			distinct[n++] = cuts[i];
	}
	if (state->least_shown < state->most_shown)
	{
		qsort(distinct, n, sizeof(int64), compare_int64);
		for (int64 i = 0; i < state->count; i++)
		{
			int64	   *found = bsearch(&state->coefficients[i], distinct, n, sizeof(int64),
										compare_int64);

			CHECK_FOR_INTERRUPTS();
			if (found != NULL)
				most[found - distinct] = Max(most[found - distinct], state->shown[i]);
		}
		for (int i = 0; i < ncuts; i++)
			shown[i] = most[(int64 *) bsearch(&cuts[i], distinct, n, sizeof(int64),
											  compare_int64) - distinct];
	}
	pfree(distinct);
	pfree(most);
}

static Datum
coefficients_result(const AmountState *state, const int64 *cuts)
{
	int			ncuts = state->groups - 1;
	Datum	   *result = (Datum *) palloc(mul_size(ncuts, sizeof(Datum)));
	int		   *shown = (int *) palloc(mul_size(ncuts, sizeof(int)));

	find_shown(state, cuts, ncuts, shown);
	for (int i = 0; i < ncuts; i++)
		result[i] = NumericGetDatum(decimal_to_numeric(cuts[i], state->scale, shown[i]));
	return PointerGetDatum(construct_array(result, ncuts, NUMERICOID, -1, false, TYPALIGN_INT));
}

/* The amounts as keys for selection, all or only the positive ones */
static uint64 *
state_keys(const AmountState *state, bool positive, int64 *count)
{
	uint64	   *keys = (uint64 *) MemoryContextAllocHuge(CurrentMemoryContext,
														 state->count * sizeof(uint64));
	int64		n = 0;

	for (int64 i = 0; i < state->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!positive)
			keys[n++] = (uint64) state->coefficients[i] ^ SELECTION_SIGN;
		else if (state->coefficients[i] > 0)
			keys[n++] = state->coefficients[i];
	}
	*count = n;
	return keys;
}

/* The place, from 0 in ascending order, of cut point number i of a state. */
static int64
cut_rank(const AmountState *state, int i, bool from_top)
{
	int64		rank = selection_rank(i, state->groups, state->count);

	return from_top ? state->count - 1 - rank : rank;
}

static Datum
quantiles_of_coefficients(const AmountState *state, bool from_top)
{
	int			ncuts = state->groups - 1;
	int64	   *ranks = (int64 *) palloc(mul_size(ncuts, sizeof(int64)));
	int64	   *cuts = (int64 *) palloc(mul_size(ncuts, sizeof(int64)));
	int64		count;
	uint64	   *keys = state_keys(state, false, &count);

	/* wanted in ascending order */
	for (int i = 0; i < ncuts; i++)
		ranks[i] = cut_rank(state, from_top ? ncuts - i : i + 1, from_top);
	selection_ranks(keys, count, 0, ranks, ncuts);
	for (int i = 0; i < ncuts; i++)
		cuts[i] = (int64) (keys[ranks[from_top ? ncuts - 1 - i : i]] ^ SELECTION_SIGN);
	pfree(keys);
	return coefficients_result(state, cuts);
}

/* NULL (0) if no amount is positive */
static Datum
shares_of_coefficients(const AmountState *state)
{
	int			ncuts = state->groups - 1;
	int64	   *cuts = (int64 *) palloc(mul_size(ncuts, sizeof(int64)));
	int64		count;
	uint64	   *keys = state_keys(state, true, &count);

	if (count == 0)
		return (Datum) 0;
	selection_shares(keys, count, state->groups, (uint64 *) cuts);
	pfree(keys);
	return coefficients_result(state, cuts);
}

/* ---------- results from numerics ---------- */

static inline int
numeric_scale_of(Numeric amount)
{
	return DatumGetInt32(DirectFunctionCall1(numeric_scale, NumericGetDatum(amount)));
}

/* By value; of equal ones, the one with the most decimals is last. */
static inline int
compare_numerics(const Numeric *a, const Numeric *b)
{
	int			result = DatumGetInt32(DirectFunctionCall2(numeric_cmp, NumericGetDatum(*a),
														   NumericGetDatum(*b)));

	return result != 0 ? result : numeric_scale_of(*a) - numeric_scale_of(*b);
}

#define ST_SORT sort_numerics
#define ST_ELEMENT_TYPE Numeric
#define ST_COMPARE(a, b) compare_numerics(a, b)
#define ST_SCOPE static
#define ST_CHECK_FOR_INTERRUPTS
#define ST_DEFINE
#include "lib/sort_template.h"

static bool
numerics_equal(Numeric a, Numeric b)
{
	return DatumGetBool(DirectFunctionCall2(numeric_eq, NumericGetDatum(a), NumericGetDatum(b)));
}

/* The amounts in order, of equal ones each the one with the most decimals */
static Numeric *
sorted_numerics(const AmountState *state)
{
	Numeric    *sorted = (Numeric *) MemoryContextAllocHuge(CurrentMemoryContext,
															state->count * sizeof(Numeric));

	memcpy(sorted, state->numerics, state->count * sizeof(Numeric));
	sort_numerics(sorted, state->count);
	for (int64 i = state->count - 2; i >= 0; i--)
	{
		if (numerics_equal(sorted[i], sorted[i + 1]))
			sorted[i] = sorted[i + 1];
	}
	return sorted;
}

/* The cut points so far, and the length of their text */
typedef struct NumericCuts
{
	Datum	   *cuts;
	int			count;
	int64		string;
} NumericCuts;

static void
append_cut(NumericCuts *result, Numeric amount)
{
	result->cuts[result->count++] = NumericGetDatum(amount);
	result->string += decimal_text_length(NumericGetDatum(amount)) + 1;
	if (unlikely(result->string > MAX_TEXT))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("cut points are too long"),
				 errdetail("As text, they may have at most %d bytes.", MAX_TEXT),
				 errhint("Ask for fewer groups.")));
}

static Datum
numerics_result(const NumericCuts *result)
{
	return PointerGetDatum(construct_array(result->cuts, result->count, NUMERICOID, -1, false,
										   TYPALIGN_INT));
}

static Datum
quantiles_of_numerics(const AmountState *state, bool from_top)
{
	int			ncuts = state->groups - 1;
	Numeric    *sorted = sorted_numerics(state);
	NumericCuts result = {(Datum *) palloc(mul_size(ncuts, sizeof(Datum)))};

	for (int i = 1; i <= ncuts; i++)
		append_cut(&result, sorted[cut_rank(state, i, from_top)]);
	return numerics_result(&result);
}

/* sum + amount, in place of sum */
static Numeric
add_to_sum(Numeric sum, Numeric amount)
{
	Datum		larger = DirectFunctionCall2(numeric_add, NumericGetDatum(sum),
											 NumericGetDatum(amount));

	pfree(sum);
	return DatumGetNumeric(larger);
}

static Numeric
times(Numeric amount, int factor)
{
	Numeric		other = int64_to_numeric(factor);
	Datum		product = DirectFunctionCall2(numeric_mul, NumericGetDatum(amount),
											  NumericGetDatum(other));

	pfree(other);
	return DatumGetNumeric(product);
}

static Datum
shares_of_numerics(const AmountState *state)
{
	int			ncuts = state->groups - 1;
	Numeric    *sorted = sorted_numerics(state);
	NumericCuts result = {(Datum *) palloc(mul_size(ncuts, sizeof(Datum)))};
	Datum		zero = NumericGetDatum(int64_to_numeric(0));
	Numeric		total = int64_to_numeric(0);
	Numeric		sum = int64_to_numeric(0);
	int64		first;

	for (first = state->count; first > 0; first--)
	{
		if (!DatumGetBool(DirectFunctionCall2(numeric_gt, NumericGetDatum(sorted[first - 1]), zero)))
			break;
		total = add_to_sum(total, sorted[first - 1]);
		CHECK_FOR_INTERRUPTS();
	}
	if (first == state->count)
		return (Datum) 0;

	/*
	 * As in selection_shares: i * total <= sum * groups.  Each of these
	 * numbers may have 100,000 digits, so none is left lying about.
	 */
	for (int64 i = state->count - 1; i >= first && result.count < ncuts; i--)
	{
		Numeric		reached;

		sum = add_to_sum(sum, sorted[i]);
		reached = times(sum, state->groups);
		while (result.count < ncuts)
		{
			Numeric		wanted = times(total, result.count + 1);
			bool		is_reached = DatumGetBool(DirectFunctionCall2(numeric_le,
																	  NumericGetDatum(wanted),
																	  NumericGetDatum(reached)));

			pfree(wanted);
			if (!is_reached)
				break;
			append_cut(&result, sorted[i]);
			CHECK_FOR_INTERRUPTS();
		}
		pfree(reached);
		CHECK_FOR_INTERRUPTS();
	}
	return numerics_result(&result);
}

/* ---------- the aggregates ---------- */

static Datum
quantiles(FunctionCallInfo fcinfo, bool from_top)
{
	const AmountState *state = (const AmountState *) aggregate_state(fcinfo);

	if (state == NULL)
		PG_RETURN_NULL();
	if (state->groups == 1)
		PG_RETURN_ARRAYTYPE_P(construct_empty_array(NUMERICOID));
	return state->numerics != NULL ? quantiles_of_numerics(state, from_top) :
		quantiles_of_coefficients(state, from_top);
}

/* The n - 1 cut points of equal-count groups, ascending; NULL without amounts */
PG_FUNCTION_INFO_V1(segment_amount_cuts_final);
Datum
segment_amount_cuts_final(PG_FUNCTION_ARGS)
{
	return quantiles(fcinfo, false);
}

/* The last of the top i/n of the amounts, descending; NULL without amounts */
PG_FUNCTION_INFO_V1(segment_top_cuts_final);
Datum
segment_top_cuts_final(PG_FUNCTION_ARGS)
{
	return quantiles(fcinfo, true);
}

/*
 * The least of those amounts that bring the first i/n of the total of the
 * positive ones, descending; NULL if none is positive
 */
PG_FUNCTION_INFO_V1(segment_share_cuts_final);
Datum
segment_share_cuts_final(PG_FUNCTION_ARGS)
{
	const AmountState *state = (const AmountState *) aggregate_state(fcinfo);
	Datum		result;

	if (state == NULL)
		PG_RETURN_NULL();
	if (state->groups == 1)
		PG_RETURN_ARRAYTYPE_P(construct_empty_array(NUMERICOID));
	result = state->numerics != NULL ? shares_of_numerics(state) : shares_of_coefficients(state);
	if (result == (Datum) 0)
		PG_RETURN_NULL();
	return result;
}
