/*-------------------------------------------------------------------------
 *
 * watched_table.h
 *		The table watched_table of a portfolio, read by triggers.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_WATCHED_TABLE_H
#define SEGMENT_WATCHED_TABLE_H

#include "utils/rel.h"

extern bool watched_table_find(Oid watched_table, Relation relation, char **column, char **log);

#endif							/* SEGMENT_WATCHED_TABLE_H */
