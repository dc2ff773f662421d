/*-------------------------------------------------------------------------
 *
 * aggregate.h
 *		What the functions of all aggregates with an internal state need.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_AGGREGATE_H
#define SEGMENT_AGGREGATE_H

/* The memory that an aggregate's state lives in; an error outside of one. */
static inline MemoryContext
aggregate_context(FunctionCallInfo fcinfo)
{
	MemoryContext context;

	if (!AggCheckCallContext(fcinfo, &context))
		elog(ERROR, "aggregate function called in non-aggregate context");
	return context;
}

#endif							/* SEGMENT_AGGREGATE_H */
