/*-------------------------------------------------------------------------
 *
 * customer_dependence.h
 *		What is told of the queries of sources and the tables that they read.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_CUSTOMER_DEPENDENCE_H
#define SEGMENT_CUSTOMER_DEPENDENCE_H

#include "access/attnum.h"
#include "nodes/bitmapset.h"
#include "nodes/parsenodes.h"
#include "utils/array.h"

/* Tables that are watched, each with the number of its customer column. */
typedef struct WatchedTables
{
	Oid		   *tables;
	int16	   *customer_columns;	/* 0: a change concerns everybody */
	int			count;
} WatchedTables;

extern void watched_tables_argument(WatchedTables *watched, ArrayType *tables, ArrayType *columns);
extern bool table_is_watched(const WatchedTables *watched, Oid relation, AttrNumber *customer_column);

extern bool query_reads_customers(Node *node, void *context);
extern Query *query_without_aliases(Query *original);
extern Bitmapset *query_from_entries(Node *node);
extern Bitmapset *query_nullable_entries(const JoinExpr *join);

#endif							/* SEGMENT_CUSTOMER_DEPENDENCE_H */
