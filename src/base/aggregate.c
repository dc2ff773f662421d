/*-------------------------------------------------------------------------
 *
 * aggregate.c
 *		The functions that aggregates with an internal state need in parallel
 *		plans.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include "libpq/pqformat.h"
#include "utils/memutils.h"

#include "base/aggregate.h"

/*
 * aggregate_combine: a combine function (state, state)
 *
 * The second state may live shorter than the aggregate, so it is never the
 * result itself.
 */
Datum
aggregate_combine(FunctionCallInfo fcinfo, const AggregateKind *kind)
{
	void	   *state = aggregate_state(fcinfo);
	const void *other;

	if (PG_ARGISNULL(1))
		return aggregate_unchanged(fcinfo);
	other = PG_GETARG_POINTER(1);
	if (state == NULL)
		state = kind->create_like(aggregate_context(fcinfo), other);
	kind->merge(state, other);
	PG_RETURN_POINTER(state);
}

/* aggregate_serialize: a serialization function (state) */
Datum
aggregate_serialize(FunctionCallInfo fcinfo, const AggregateKind *kind)
{
	void	   *state = aggregate_state(fcinfo);
	StringInfoData buf;

	pq_begintypsend(&buf);
	pq_sendbyte(&buf, kind->version);
	kind->send(&buf, state);
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

/* aggregate_deserialize: a deserialization function (bytea, internal) */
Datum
aggregate_deserialize(FunctionCallInfo fcinfo, const AggregateKind *kind)
{
	bytea	   *image = PG_GETARG_BYTEA_PP(0);
	StringInfoData buf;
	void	   *state;

	(void) aggregate_context(fcinfo);
	/* read in place: nothing is ever added to it */
	buf.data = VARDATA_ANY(image);
	buf.len = buf.maxlen = VARSIZE_ANY_EXHDR(image);
	buf.cursor = 0;
	if (pq_getmsgbyte(&buf) != kind->version)
		aggregate_invalid_state(kind);
	state = kind->receive(&buf, kind);
	pq_getmsgend(&buf);
	PG_RETURN_POINTER(state);
}

void
aggregate_invalid_state(const AggregateKind *kind)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
			 errmsg("invalid state of aggregate function %s", kind->name)));
}

/*
 * aggregate_reserve: make room in an image for many values of the same size
 *
 * Error 54000 if the image would become too large.
 */
void
aggregate_reserve(StringInfo buf, int64 count, Size size)
{
	int64		max_count = (MaxAllocSize - buf->len - 1) / size;

	if (count > max_count)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many values to pass between processes: %lld",
						(long long) count),
				 errdetail("One process can pass on at most %lld values of this size.",
						   (long long) max_count),
				 errhint("Set max_parallel_workers_per_gather to 0 for this query.")));
	enlargeStringInfo(buf, count * size);
}
