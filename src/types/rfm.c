/*-------------------------------------------------------------------------
 *
 * rfm.c
 *		The small summary of a customer's orders: how many, how much, first
 *		and last.
 *
 * An amount >= 0 is an order, an amount < 0 a refund.  A refund lowers the
 * net amount, is not an order, and moves neither the first nor the last time.
 *
 * Counts, exact sums, minimum and maximum are commutative and associative:
 * any order and any grouping of the same rows gives the same 64 bytes.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include "common/hashfn.h"
#include "common/int.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "parser/scansup.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#include "base/decimal.h"
#include "types/rfm.h"

StaticAssertDecl(sizeof(Rfm) == 64, "the SQL type says INTERNALLENGTH = 64");

#define TOP_BYTE_SHIFT	120
#define AMOUNT_MASK		((((uint128) 1) << TOP_BYTE_SHIFT) - 1)

#define PG_GETARG_RFM(n)	((Rfm *) PG_GETARG_POINTER(n))
#define PG_RETURN_RFM(x)	PG_RETURN_POINTER(x)

/* ---------- the two amounts and what shares their words ---------- */

static inline int128
rfm_gross(const Rfm *rfm)
{
	return (int128) (rfm->gross & AMOUNT_MASK);
}

static inline int128
rfm_refunded(const Rfm *rfm)
{
	return (int128) (rfm->refunded & AMOUNT_MASK);
}

static inline int
rfm_version(const Rfm *rfm)
{
	return (int) (rfm->gross >> TOP_BYTE_SHIFT);
}

static inline int
rfm_display_scale(const Rfm *rfm)
{
	return (int) (rfm->refunded >> TOP_BYTE_SHIFT);
}

/* Show at least so many decimals. */
static inline void
show_decimals(Rfm *rfm, int scale)
{
	if (unlikely(scale > rfm_display_scale(rfm)))
		rfm->refunded = (uint128) scale << TOP_BYTE_SHIFT | (uint128) rfm_refunded(rfm);
}

/*
 * Add to an amount, the lower 120 bits of a word.  Two amounts below the limit
 * can together need 121 bits, so the limit is looked at before the word is
 * changed; a sum within it leaves the byte above alone.
 */
static inline void
add_amount(uint128 *word, int128 addend)
{
	int128		sum = (int128) (*word & AMOUNT_MASK) + addend;

	if (unlikely(sum > decimal_limit(DECIMAL_MAX_SCALE)))
		decimal_sum_overflow();
	*word += (uint128) addend;
}

/* Counts are far from 2^63 unless somebody typed them in. */
static inline void
add_count(int64 *count, int64 addend)
{
	if (unlikely(pg_add_s64_overflow(*count, addend, count)))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("number of orders or refunds is out of range")));
}

static void
rfm_init(Rfm *rfm)
{
	rfm->first_at = DT_NOEND;
	rfm->last_at = DT_NOBEGIN;
	rfm->orders = 0;
	rfm->refunds = 0;
	rfm->gross = (uint128) RFM_VERSION << TOP_BYTE_SHIFT;
	rfm->refunded = 0;
}

Rfm *
rfm_create(void)
{
	Rfm		   *rfm = palloc(sizeof(Rfm));

	rfm_init(rfm);
	return rfm;
}

/*
 * The rules every value obeys, wherever it came from: text, the wire, disk.
 * NULL if they hold, else what is wrong.  These are the ones that cost next to
 * nothing, so that every read of a stored value can afford them.
 */
static inline const char *
rfm_cheap_violation(const Rfm *rfm)
{
	if (rfm_display_scale(rfm) > DECIMAL_MAX_SCALE)
		return "The number of decimals is out of range.";
	if (rfm_gross(rfm) > decimal_limit(DECIMAL_MAX_SCALE) ||
		rfm_refunded(rfm) > decimal_limit(DECIMAL_MAX_SCALE))
		return "An amount is out of range.";
	if (rfm->orders < 0 || rfm->refunds < 0)
		return "A count is negative.";
	if (rfm->orders == 0)
	{
		if (rfm_gross(rfm) != 0)
			return "There is an amount of orders without orders.";
		if (rfm->first_at != DT_NOEND || rfm->last_at != DT_NOBEGIN)
			return "There is a time of orders without orders.";
	}
	else
	{
		if (!IS_VALID_TIMESTAMP(rfm->first_at) || !IS_VALID_TIMESTAMP(rfm->last_at))
			return "A time of orders is missing or out of range.";
		if (rfm->first_at > rfm->last_at)
			return "The first order is later than the last.";
		if (rfm->orders == 1 && rfm->first_at != rfm->last_at)
			return "The first and the last of one order differ.";
	}
	if ((rfm->refunds == 0) != (rfm_refunded(rfm) == 0))
		return "The refunds and their amount do not agree.";
	return NULL;
}

/* All of the rules. */
static const char *
rfm_violation(const Rfm *rfm)
{
	const char *violation = rfm_cheap_violation(rfm);
	int64		unit;

	if (violation != NULL)
		return violation;
	unit = decimal_power_of_ten[DECIMAL_MAX_SCALE - rfm_display_scale(rfm)];
	if (rfm_gross(rfm) % unit != 0 || rfm_refunded(rfm) % unit != 0)
		return "An amount has more decimals than are shown.";
	return NULL;
}

static void
newer_version(const Rfm *rfm)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("format version %d of type %s is not supported",
					rfm_version(rfm), "rfm"),
			 errdetail("This library reads version %d.", RFM_VERSION)));
}

/*
 * Every read of a stored value begins here: XX001 if it is damaged, 0A000 if
 * a newer version of the extension wrote it.
 */
static inline const Rfm *
rfm_check(const Rfm *rfm)
{
	const char *violation;

	if (unlikely(rfm_version(rfm) > RFM_VERSION))
		newer_version(rfm);
	violation = rfm_version(rfm) != RFM_VERSION ? "Its format version is invalid." :
		rfm_cheap_violation(rfm);
	if (unlikely(violation != NULL))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("stored value of type %s is damaged", "rfm"),
				 errdetail("%s", violation)));
	return rfm;
}

/* ---------- text and binary form ---------- */

static void
append_time(StringInfo buf, TimestampTz at)
{
	struct pg_tm tm;
	fsec_t		fsec;
	char		string[MAXDATELEN + 1];

	if (timestamp2tm(at, NULL, &tm, &fsec, NULL, NULL) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("stored value of type %s is damaged", "rfm"),
				 errdetail("A time of orders is out of range.")));
	/* always ISO and UTC, whatever DateStyle and TimeZone say */
	tm.tm_isdst = 0;
	EncodeDateTime(&tm, fsec, true, 0, NULL, USE_ISO_DATES, string);
	appendStringInfoString(buf, string);
}

PG_FUNCTION_INFO_V1(segment_rfm_out);
Datum
segment_rfm_out(PG_FUNCTION_ARGS)
{
	const Rfm  *rfm = rfm_check(PG_GETARG_RFM(0));
	int			scale = rfm_display_scale(rfm);
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfo(&buf, "(orders=" INT64_FORMAT ",refunds=" INT64_FORMAT ",gross=",
					 rfm->orders, rfm->refunds);
	decimal_append(&buf, rfm_gross(rfm) / decimal_power_of_ten[DECIMAL_MAX_SCALE - scale],
				   scale, scale);
	appendStringInfoString(&buf, ",refunded=");
	decimal_append(&buf, rfm_refunded(rfm) / decimal_power_of_ten[DECIMAL_MAX_SCALE - scale],
				   scale, scale);
	if (rfm->orders > 0)
	{
		appendStringInfoString(&buf, ",first=");
		append_time(&buf, rfm->first_at);
		appendStringInfoString(&buf, ",last=");
		append_time(&buf, rfm->last_at);
	}
	appendStringInfoChar(&buf, ')');
	PG_RETURN_CSTRING(buf.data);
}

/* Skip white space, then the given text; false if it is not there. */
static bool
skip_text(const char **p, const char *expected)
{
	const char *q = *p;

	while (scanner_isspace(*q))
		q++;
	if (strncmp(q, expected, strlen(expected)) != 0)
		return false;
	*p = q + strlen(expected);
	return true;
}

/* Skip a shape, in which d stands for any digit; false if it is not there. */
static bool
skip_shape(const char **p, const char *shape)
{
	const char *q = *p;

	for (; *shape != '\0'; shape++, q++)
		if (*shape == 'd' ? *q < '0' || *q > '9' : *q != *shape)
			return false;
	*p = q;
	return true;
}

/*
 * The length of what looks like a time of rfm_out, 0 if nothing does:
 * 1997-01-18 20:15:00.123456+00, of which the fraction can be missing, the
 * offset have minutes and seconds, and BC follow.
 */
static size_t
time_length(const char *start)
{
	const char *p = start;
	size_t		year_digits = strspn(p, "0123456789");

	if (year_digits < 4 || year_digits > 6)
		return 0;
	p += year_digits;
	if (!skip_shape(&p, "-dd-dd dd:dd:dd"))
		return 0;
	if (*p == '.')
	{
		size_t		decimals = strspn(p + 1, "0123456789");

		if (decimals < 1 || decimals > 6)
			return 0;
		p += 1 + decimals;
	}
	if (!skip_shape(&p, "+dd") && !skip_shape(&p, "-dd"))
		return 0;
	if (skip_shape(&p, ":dd"))
		(void) skip_shape(&p, ":dd");
	(void) skip_shape(&p, " BC");
	return p - start;
}

/*
 * A time as written by rfm_out: ISO with a numeric zone offset.  The server's
 * parser reads it, but only after its shape shows that no setting can change
 * its meaning, as DateStyle, TimeZone and the zone abbreviations could.
 */
static bool
parse_time(const char **p, TimestampTz *at)
{
	char		string[MAXDATELEN + 1];
	char		workbuf[MAXDATELEN + MAXDATEFIELDS];
	char	   *field[MAXDATEFIELDS];
	int			ftype[MAXDATEFIELDS];
	int			nf;
	int			dtype;
	int			tz;
	int			error;
	struct pg_tm tm;
	fsec_t		fsec;
	size_t		length = time_length(*p);
#if PG_VERSION_NUM >= 160000
	DateTimeErrorExtra extra;
#endif

	if (length == 0 || length > MAXDATELEN)
		return false;
	memcpy(string, *p, length);
	string[length] = '\0';
	error = ParseDateTime(string, workbuf, sizeof(workbuf), field, ftype,
						  MAXDATEFIELDS, &nf);
	if (error == 0)
#if PG_VERSION_NUM >= 160000
		error = DecodeDateTime(field, ftype, nf, &dtype, &tm, &fsec, &tz, &extra);
#else
		error = DecodeDateTime(field, ftype, nf, &dtype, &tm, &fsec, &tz);
#endif
	if (error != 0 || dtype != DTK_DATE ||
		tm2timestamp(&tm, fsec, &tz, at) != 0)
		return false;
	*p += length;
	return true;
}

static bool
parse_rfm(const char *p, Rfm *rfm)
{
	int128		gross;
	int128		refunded;
	int			gross_scale;
	int			refunded_scale;

	if (!skip_text(&p, "(orders=") || !decimal_parse_count(&p, &rfm->orders) ||
		!skip_text(&p, ",refunds=") || !decimal_parse_count(&p, &rfm->refunds) ||
		!skip_text(&p, ",gross=") || !decimal_parse(&p, &gross, &gross_scale) ||
		!skip_text(&p, ",refunded=") || !decimal_parse(&p, &refunded, &refunded_scale))
		return false;
	if (skip_text(&p, ",first=") &&
		(!parse_time(&p, &rfm->first_at) ||
		 !skip_text(&p, ",last=") || !parse_time(&p, &rfm->last_at)))
		return false;
	if (!skip_text(&p, ")"))
		return false;
	while (scanner_isspace(*p))
		p++;
	if (*p != '\0')
		return false;

	gross = decimal_rescale(gross, gross_scale, DECIMAL_MAX_SCALE);
	refunded = decimal_rescale(refunded, refunded_scale, DECIMAL_MAX_SCALE);
	rfm->gross = (uint128) RFM_VERSION << TOP_BYTE_SHIFT | (uint128) gross;
	rfm->refunded = (uint128) Max(gross_scale, refunded_scale) << TOP_BYTE_SHIFT |
		(uint128) refunded;
	return true;
}

PG_FUNCTION_INFO_V1(segment_rfm_in);
Datum
segment_rfm_in(PG_FUNCTION_ARGS)
{
	const char *string = PG_GETARG_CSTRING(0);
	struct Node *escontext = SOFT_ERROR_CONTEXT(fcinfo);
	Rfm		   *rfm = rfm_create();
	const char *violation;

	if (!parse_rfm(string, rfm))
		ereturn(escontext, (Datum) 0,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid input syntax for type %s: \"%s\"", "rfm", string)));
	violation = rfm_violation(rfm);
	if (violation != NULL)
		ereturn(escontext, (Datum) 0,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for type %s: \"%s\"", "rfm", string),
				 errdetail("%s", violation)));
	PG_RETURN_RFM(rfm);
}

PG_FUNCTION_INFO_V1(segment_rfm_send);
Datum
segment_rfm_send(PG_FUNCTION_ARGS)
{
	const Rfm  *rfm = rfm_check(PG_GETARG_RFM(0));
	StringInfoData buf;

	pq_begintypsend(&buf);
	decimal_send(&buf, (int128) rfm->gross);
	decimal_send(&buf, (int128) rfm->refunded);
	pq_sendint64(&buf, rfm->orders);
	pq_sendint64(&buf, rfm->refunds);
	pq_sendint64(&buf, rfm->first_at);
	pq_sendint64(&buf, rfm->last_at);
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

PG_FUNCTION_INFO_V1(segment_rfm_recv);
Datum
segment_rfm_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buf = (StringInfo) PG_GETARG_POINTER(0);
	Rfm		   *rfm = rfm_create();
	const char *violation;

	if (buf->len - buf->cursor != sizeof(Rfm))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid binary input for type %s", "rfm"),
				 errdetail("There are %d bytes instead of %d.",
						   buf->len - buf->cursor, (int) sizeof(Rfm))));
	rfm->gross = (uint128) decimal_receive(buf);
	rfm->refunded = (uint128) decimal_receive(buf);
	rfm->orders = pq_getmsgint64(buf);
	rfm->refunds = pq_getmsgint64(buf);
	rfm->first_at = pq_getmsgint64(buf);
	rfm->last_at = pq_getmsgint64(buf);

	if (rfm_version(rfm) > RFM_VERSION)
		newer_version(rfm);
	violation = rfm_version(rfm) == RFM_VERSION ? rfm_violation(rfm) :
		"The format version is invalid.";
	if (violation != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid binary input for type %s", "rfm"),
				 errdetail("%s", violation)));
	PG_RETURN_RFM(rfm);
}

/* ---------- aggregates ---------- */

/*
 * The state to work on: the running one inside an aggregate, where it may be
 * changed in place; a copy when somebody calls the function by hand.
 */
static Rfm *
rfm_state(FunctionCallInfo fcinfo)
{
	Rfm		   *copy;

	if (PG_ARGISNULL(0))
		return rfm_create();
	if (AggCheckCallContext(fcinfo, NULL))
		return PG_GETARG_RFM(0);
	copy = palloc(sizeof(Rfm));
	*copy = *rfm_check(PG_GETARG_RFM(0));
	return copy;
}

/* One order or refund. */
static inline Datum
rfm_count(Rfm *rfm, TimestampTz at, int128 coefficient, int scale)
{
	int64		unit = decimal_power_of_ten[DECIMAL_MAX_SCALE - scale];

	if (unlikely(TIMESTAMP_NOT_FINITE(at)))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("time of an order must be finite, not \"%s\"",
						TIMESTAMP_IS_NOBEGIN(at) ? "-infinity" : "infinity")));
	if (coefficient < 0)
	{
		add_count(&rfm->refunds, 1);
		add_amount(&rfm->refunded, -coefficient * unit);
	}
	else
	{
		add_count(&rfm->orders, 1);
		add_amount(&rfm->gross, coefficient * unit);
		if (at < rfm->first_at)
			rfm->first_at = at;
		if (at > rfm->last_at)
			rfm->last_at = at;
	}
	show_decimals(rfm, scale);
	return PointerGetDatum(rfm);
}

/* A date counts as its midnight in UTC; 22008 if that is not a timestamp. */
TimestampTz
rfm_midnight_utc(DateADT day)
{
	int			overflow = 0;
	TimestampTz at;

	if (DATE_NOT_FINITE(day))
		return DATE_IS_NOBEGIN(day) ? DT_NOBEGIN : DT_NOEND;
	at = date2timestamp_opt_overflow(day, &overflow);
	if (overflow != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("date out of range for timestamp: \"%s\"",
						DatumGetCString(DirectFunctionCall1(date_out, DateADTGetDatum(day))))));
	return at;
}

static inline int
numeric_argument(FunctionCallInfo fcinfo, int n, int128 *coefficient)
{
	return decimal_from_numeric(PointerGetDatum(PG_DETOAST_DATUM_PACKED(PG_GETARG_DATUM(n))),
								coefficient);
}

/*
 * The transition functions: (rfm, when, amount), where a NULL in either skips
 * the row.
 */
#define RFM_TRANSITION(name, get_time, get_amount) \
PG_FUNCTION_INFO_V1(name); \
Datum \
name(PG_FUNCTION_ARGS) \
{ \
	int128		coefficient; \
	int			scale; \
\
	if (PG_ARGISNULL(1) || PG_ARGISNULL(2)) \
	{ \
		if (PG_ARGISNULL(0)) \
			PG_RETURN_NULL(); \
		return PG_GETARG_DATUM(0); \
	} \
	scale = get_amount; \
	return rfm_count(rfm_state(fcinfo), get_time, coefficient, scale); \
}

#define AMOUNT_NUMERIC	numeric_argument(fcinfo, 2, &coefficient)
#define AMOUNT_FLOAT8	decimal_from_float8(PG_GETARG_FLOAT8(2), &coefficient)
#define AMOUNT_INT64	decimal_from_int64(PG_GETARG_INT64(2), &coefficient)
#define TIME_TIMESTAMPTZ	PG_GETARG_TIMESTAMPTZ(1)
#define TIME_DATE			rfm_midnight_utc(PG_GETARG_DATEADT(1))

RFM_TRANSITION(segment_rfm_accum_timestamptz_numeric, TIME_TIMESTAMPTZ, AMOUNT_NUMERIC)
RFM_TRANSITION(segment_rfm_accum_timestamptz_float8, TIME_TIMESTAMPTZ, AMOUNT_FLOAT8)
RFM_TRANSITION(segment_rfm_accum_timestamptz_int8, TIME_TIMESTAMPTZ, AMOUNT_INT64)
RFM_TRANSITION(segment_rfm_accum_date_numeric, TIME_DATE, AMOUNT_NUMERIC)
RFM_TRANSITION(segment_rfm_accum_date_float8, TIME_DATE, AMOUNT_FLOAT8)
RFM_TRANSITION(segment_rfm_accum_date_int8, TIME_DATE, AMOUNT_INT64)

/* Add a part: the state of another worker, the summary of a day. */
void
rfm_add(Rfm *rfm, const RfmPart *part)
{
	add_count(&rfm->orders, part->orders);
	add_count(&rfm->refunds, part->refunds);
	add_amount(&rfm->gross, part->gross);
	add_amount(&rfm->refunded, part->refunded);
	if (part->first_at < rfm->first_at)
		rfm->first_at = part->first_at;
	if (part->last_at > rfm->last_at)
		rfm->last_at = part->last_at;
	show_decimals(rfm, part->display_scale);
}

/* combine function, and the transition function of rollup(rfm) */
PG_FUNCTION_INFO_V1(segment_rfm_combine);
Datum
segment_rfm_combine(PG_FUNCTION_ARGS)
{
	const Rfm  *other;
	Rfm		   *rfm;
	RfmPart		part;

	if (PG_ARGISNULL(1))
	{
		if (PG_ARGISNULL(0))
			PG_RETURN_NULL();
		return PG_GETARG_DATUM(0);
	}
	rfm = rfm_state(fcinfo);
	other = rfm_check(PG_GETARG_RFM(1));
	part.first_at = other->first_at;
	part.last_at = other->last_at;
	part.orders = other->orders;
	part.refunds = other->refunds;
	part.gross = rfm_gross(other);
	part.refunded = rfm_refunded(other);
	part.display_scale = rfm_display_scale(other);
	rfm_add(rfm, &part);
	PG_RETURN_RFM(rfm);
}

/* ---------- accessors ---------- */

PG_FUNCTION_INFO_V1(segment_rfm_orders);
Datum
segment_rfm_orders(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(rfm_check(PG_GETARG_RFM(0))->orders);
}

PG_FUNCTION_INFO_V1(segment_rfm_refunds);
Datum
segment_rfm_refunds(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(rfm_check(PG_GETARG_RFM(0))->refunds);
}

static Numeric
amount_of(const Rfm *rfm, int128 amount)
{
	return decimal_to_numeric(amount, DECIMAL_MAX_SCALE, rfm_display_scale(rfm));
}

PG_FUNCTION_INFO_V1(segment_rfm_gross_amount);
Datum
segment_rfm_gross_amount(PG_FUNCTION_ARGS)
{
	const Rfm  *rfm = rfm_check(PG_GETARG_RFM(0));

	PG_RETURN_NUMERIC(amount_of(rfm, rfm_gross(rfm)));
}

PG_FUNCTION_INFO_V1(segment_rfm_refunded_amount);
Datum
segment_rfm_refunded_amount(PG_FUNCTION_ARGS)
{
	const Rfm  *rfm = rfm_check(PG_GETARG_RFM(0));

	PG_RETURN_NUMERIC(amount_of(rfm, rfm_refunded(rfm)));
}

PG_FUNCTION_INFO_V1(segment_rfm_net_amount);
Datum
segment_rfm_net_amount(PG_FUNCTION_ARGS)
{
	const Rfm  *rfm = rfm_check(PG_GETARG_RFM(0));

	PG_RETURN_NUMERIC(amount_of(rfm, rfm_gross(rfm) - rfm_refunded(rfm)));
}

/* gross / orders, with the decimals that numeric's division gives */
PG_FUNCTION_INFO_V1(segment_rfm_average_order);
Datum
segment_rfm_average_order(PG_FUNCTION_ARGS)
{
	const Rfm  *rfm = rfm_check(PG_GETARG_RFM(0));

	if (rfm->orders == 0)
		PG_RETURN_NULL();
	return DirectFunctionCall2(numeric_div,
							   NumericGetDatum(amount_of(rfm, rfm_gross(rfm))),
							   NumericGetDatum(int64_to_numeric(rfm->orders)));
}

PG_FUNCTION_INFO_V1(segment_rfm_first_at);
Datum
segment_rfm_first_at(PG_FUNCTION_ARGS)
{
	const Rfm  *rfm = rfm_check(PG_GETARG_RFM(0));

	if (rfm->orders == 0)
		PG_RETURN_NULL();
	PG_RETURN_TIMESTAMPTZ(rfm->first_at);
}

PG_FUNCTION_INFO_V1(segment_rfm_last_at);
Datum
segment_rfm_last_at(PG_FUNCTION_ARGS)
{
	const Rfm  *rfm = rfm_check(PG_GETARG_RFM(0));

	if (rfm->orders == 0)
		PG_RETURN_NULL();
	PG_RETURN_TIMESTAMPTZ(rfm->last_at);
}

/* Days of 24 hours from an order to as_of; negative if as_of is earlier. */
static Datum
days_between(TimestampTz from, TimestampTz as_of)
{
	if (TIMESTAMP_NOT_FINITE(as_of))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("argument \"%s\" must be finite, not \"%s\"", "as_of",
						TIMESTAMP_IS_NOBEGIN(as_of) ? "-infinity" : "infinity")));
	/* the difference may exceed 64 bits */
	return Float8GetDatum((double) ((int128) as_of - from) / USECS_PER_DAY);
}

PG_FUNCTION_INFO_V1(segment_rfm_days_since_last);
Datum
segment_rfm_days_since_last(PG_FUNCTION_ARGS)
{
	const Rfm  *rfm = rfm_check(PG_GETARG_RFM(0));

	if (rfm->orders == 0)
		PG_RETURN_NULL();
	return days_between(rfm->last_at, PG_GETARG_TIMESTAMPTZ(1));
}

PG_FUNCTION_INFO_V1(segment_rfm_tenure_days);
Datum
segment_rfm_tenure_days(PG_FUNCTION_ARGS)
{
	const Rfm  *rfm = rfm_check(PG_GETARG_RFM(0));

	if (rfm->orders == 0)
		PG_RETURN_NULL();
	return days_between(rfm->first_at, PG_GETARG_TIMESTAMPTZ(1));
}

/* ---------- comparison ---------- */

#define COMPARE(a, b)	((a) < (b) ? -1 : (a) > (b) ? 1 : 0)

/*
 * A total order over the values, by last and first time, counts and amounts.
 * The display scale is not part of the value, as for numeric.
 */
static int
compare_rfm(const Rfm *a, const Rfm *b)
{
	int			result = COMPARE(a->last_at, b->last_at);

	if (result == 0)
		result = COMPARE(a->first_at, b->first_at);
	if (result == 0)
		result = COMPARE(a->orders, b->orders);
	if (result == 0)
		result = COMPARE(a->refunds, b->refunds);
	if (result == 0)
		result = COMPARE(rfm_gross(a), rfm_gross(b));
	if (result == 0)
		result = COMPARE(rfm_refunded(a), rfm_refunded(b));
	return result;
}

#define RFM_COMPARISON(name, result) \
PG_FUNCTION_INFO_V1(name); \
Datum \
name(PG_FUNCTION_ARGS) \
{ \
	int			c = compare_rfm(rfm_check(PG_GETARG_RFM(0)), rfm_check(PG_GETARG_RFM(1))); \
\
	result; \
}

RFM_COMPARISON(segment_rfm_cmp, PG_RETURN_INT32(c))
RFM_COMPARISON(segment_rfm_eq, PG_RETURN_BOOL(c == 0))
RFM_COMPARISON(segment_rfm_ne, PG_RETURN_BOOL(c != 0))
RFM_COMPARISON(segment_rfm_lt, PG_RETURN_BOOL(c < 0))
RFM_COMPARISON(segment_rfm_le, PG_RETURN_BOOL(c <= 0))
RFM_COMPARISON(segment_rfm_gt, PG_RETURN_BOOL(c > 0))
RFM_COMPARISON(segment_rfm_ge, PG_RETURN_BOOL(c >= 0))

/* The bytes that compare_rfm looks at: all but the display scale. */
static Rfm
rfm_without_display_scale(const Rfm *rfm)
{
	Rfm			copy = *rfm_check(rfm);

	copy.refunded = (uint128) rfm_refunded(rfm);
	return copy;
}

PG_FUNCTION_INFO_V1(segment_rfm_hash);
Datum
segment_rfm_hash(PG_FUNCTION_ARGS)
{
	Rfm			rfm = rfm_without_display_scale(PG_GETARG_RFM(0));

	return hash_any((unsigned char *) &rfm, sizeof(rfm));
}

PG_FUNCTION_INFO_V1(segment_rfm_hash_extended);
Datum
segment_rfm_hash_extended(PG_FUNCTION_ARGS)
{
	Rfm			rfm = rfm_without_display_scale(PG_GETARG_RFM(0));

	return hash_any_extended((unsigned char *) &rfm, sizeof(rfm), PG_GETARG_INT64(1));
}
