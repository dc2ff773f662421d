/*-------------------------------------------------------------------------
 *
 * compat.h
 *		The differences between the supported servers (PostgreSQL 15 to 19),
 *		in one place.  Include it directly after postgres.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_COMPAT_H
#define SEGMENT_COMPAT_H

#if PG_VERSION_NUM < 150000
#error "segment needs PostgreSQL 15 or later"
#endif

#include "common/hashfn.h"
#include "fmgr.h"

/*
 * Before 16 the server's macros do not ask for symbols to be exported, which the
 * compiler's options say that none is.
 */
#if PG_VERSION_NUM < 160000 && defined(__GNUC__)
#undef PGDLLEXPORT
#define PGDLLEXPORT __attribute__((visibility("default")))
#undef PG_FUNCTION_INFO_V1
#define PG_FUNCTION_INFO_V1(name) \
	extern PGDLLEXPORT Datum name(PG_FUNCTION_ARGS); \
	extern PGDLLEXPORT const Pg_finfo_record *CppConcat(pg_finfo_, name) (void); \
	const Pg_finfo_record * \
	CppConcat(pg_finfo_, name) (void) \
	{ \
		static const Pg_finfo_record info = {1}; \
		return &info; \
	} \
	extern int no_such_variable
#endif

/* Before 18 the attribute stood behind the declaration. */
#if PG_VERSION_NUM < 180000
#ifdef __GNUC__
#define pg_noreturn __attribute__((noreturn))
#else
#define pg_noreturn
#endif
#endif

/* The varlena macros moved in 16. */
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

/*
 * Soft errors of input functions came with 16: escontext is NULL before, and
 * all errors are plain ones.
 */
#if PG_VERSION_NUM >= 160000
#include "nodes/miscnodes.h"
#define SOFT_ERROR_CONTEXT(fcinfo)	((fcinfo)->context)
#else
#define SOFT_ERROR_CONTEXT(fcinfo)	((struct Node *) NULL)
#define ereturn(escontext, dummy_value, ...) \
	do { \
		(void) (escontext); \
		ereport(ERROR, __VA_ARGS__); \
		return dummy_value; \
	} while (0)
#define DirectInputFunctionCallSafe(func, str, typioparam, typmod, escontext, result) \
	((void) (escontext), \
	 *(result) = DirectFunctionCall3(func, CStringGetDatum(str), \
									 ObjectIdGetDatum(typioparam), Int32GetDatum(typmod)), \
	 true)
#endif

/* The 64-bit finalizer of MurmurHash3 is in the server from 17 on. */
#if PG_VERSION_NUM < 170000
static inline uint64
murmurhash64(uint64 data)
{
	uint64		h = data;

	h ^= h >> 33;
	h *= UINT64CONST(0xff51afd7ed558ccd);
	h ^= h >> 33;
	h *= UINT64CONST(0xc4ceb9fe1a85ec53);
	h ^= h >> 33;

	return h;
}
#endif

/* A scan of a whole table takes flags from 19 on. */
#if PG_VERSION_NUM >= 190000
#define table_scan_start(relation, snapshot) \
	table_beginscan(relation, snapshot, 0, NULL, SO_NONE)
#else
#define table_scan_start(relation, snapshot) \
	table_beginscan(relation, snapshot, 0, NULL)
#endif

/* The planner can be told of EXPLAIN from 19 on. */
#if PG_VERSION_NUM >= 190000
#define plan_query(query, text, options, params) \
	pg_plan_query(query, text, options, params, NULL)
#else
#define plan_query(query, text, options, params) \
	pg_plan_query(query, text, options, params)
#endif

/* A query is run once only from 18 on. */
#if PG_VERSION_NUM >= 180000
#define executor_run(query)	ExecutorRun(query, ForwardScanDirection, 0)
#else
#define executor_run(query)	ExecutorRun(query, ForwardScanDirection, 0, true)
#endif

/* Date to timestamp: from 19 on a soft error says that there is none. */
#if PG_VERSION_NUM >= 190000
#include "utils/date.h"

static inline Timestamp
date2timestamp_opt_overflow(DateADT date, int *overflow)
{
	ErrorSaveContext context = {.type = T_ErrorSaveContext};
	Timestamp	result = date2timestamp_safe(date, (Node *) &context);

	*overflow = context.error_occurred ? 1 : 0;
	return result;
}
#endif

/* The next value of a sort, whose function says from 16 on whether it is copied. */
#if PG_VERSION_NUM >= 160000
#define tuplesort_next_datum(sort, value, isnull) \
	tuplesort_getdatum(sort, true, false, value, isnull, NULL)
#else
#define tuplesort_next_datum(sort, value, isnull) \
	tuplesort_getdatum(sort, true, value, isnull, NULL)
#endif

/* Ask for memory that will soon be read or written. */
#ifdef __GNUC__
#define prefetch(address)			__builtin_prefetch(address)
#define prefetch_to_write(address)	__builtin_prefetch(address, 1)
#else
#define prefetch(address)			((void) 0)
#define prefetch_to_write(address)	((void) 0)
#endif

#endif							/* SEGMENT_COMPAT_H */
