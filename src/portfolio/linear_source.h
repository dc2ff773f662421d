/*-------------------------------------------------------------------------
 *
 * linear_source.h
 *		Sources whose rows are rows of watched tables, one for one.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_LINEAR_SOURCE_H
#define SEGMENT_LINEAR_SOURCE_H

#include "nodes/parsenodes.h"

/*
 * A log of changed rows has their sign (1: the row has come, -1: it is gone) as
 * its first column, then columns of the table, by their names.
 */
#define LOG_SIGN	1

/* Tables and their logs. */
typedef struct LoggedTables
{
	Oid		   *tables;
	Oid		   *logs;
	int			count;
} LoggedTables;

extern void linear_source_over_logs(Query *query, const LoggedTables *logged, int sign);

#endif							/* SEGMENT_LINEAR_SOURCE_H */
