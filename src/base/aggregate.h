/*-------------------------------------------------------------------------
 *
 * aggregate.h
 *		What the functions of all aggregates with an internal state have in
 *		common: arguments, results, and the state's image between processes.
 *
 * A transition function finds its state by aggregate_state and leaves it as it
 * is, by aggregate_unchanged, if aggregate_skips_row.  The functions that a
 * parallel plan needs differ only in what is described as an AggregateKind:
 * one line each.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_AGGREGATE_H
#define SEGMENT_AGGREGATE_H

#include "fmgr.h"
#include "lib/stringinfo.h"

/*
 * The state of an aggregate, or of several that share it.
 *
 * A state is in one memory context, that of GetMemoryChunkContext(state), and
 * the functions keep it so.  An image is the version and what "send" writes.
 */
typedef struct AggregateKind
{
	const char *name;			/* of the aggregate, for messages */
	uint8		version;		/* of the image */

	/* an empty state with the parameters of another */
	void	   *(*create_like) (MemoryContext context, const void *other);
	/* add everything that is in another state, which stays as it is */
	void		(*merge) (void *state, const void *other);
	/* write what makes up the state, which may be put in order first */
	void		(*send) (StringInfo buf, void *state);
	/* what "send" wrote, in the current memory context */
	void	   *(*receive) (StringInfo buf, const struct AggregateKind *kind);
} AggregateKind;

extern Datum aggregate_combine(FunctionCallInfo fcinfo, const AggregateKind *kind);
extern Datum aggregate_serialize(FunctionCallInfo fcinfo, const AggregateKind *kind);
extern Datum aggregate_deserialize(FunctionCallInfo fcinfo, const AggregateKind *kind);
pg_noreturn extern void aggregate_invalid_state(const AggregateKind *kind);
extern void aggregate_reserve(StringInfo buf, int64 count, Size size);

/* The memory that an aggregate's state lives in; an error outside of one. */
static inline MemoryContext
aggregate_context(FunctionCallInfo fcinfo)
{
	MemoryContext context;

	if (!AggCheckCallContext(fcinfo, &context))
		elog(ERROR, "aggregate function called in non-aggregate context");
	return context;
}

/* The state in argument 0, or NULL; an error outside of an aggregate. */
static inline void *
aggregate_state(FunctionCallInfo fcinfo)
{
	(void) aggregate_context(fcinfo);
	return PG_ARGISNULL(0) ? NULL : PG_GETARG_POINTER(0);
}

/* Is any argument but the state NULL?  The row does not count then. */
static inline bool
aggregate_skips_row(FunctionCallInfo fcinfo)
{
	for (int i = 1; i < PG_NARGS(); i++)
		if (PG_ARGISNULL(i))
			return true;
	return false;
}

/* The result of a transition function that leaves its state as it is. */
static inline Datum
aggregate_unchanged(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	return PG_GETARG_DATUM(0);
}

#endif							/* SEGMENT_AGGREGATE_H */
