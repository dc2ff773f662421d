/*-------------------------------------------------------------------------
 *
 * source.h
 *		Queries given as text.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_SOURCE_H
#define SEGMENT_SOURCE_H

#include "nodes/parsenodes.h"

extern Query *source_rewritten(const char *name, const char *query, RawStmt **statement);
extern void source_check_one_select(const char *name, const char *query);

#endif							/* SEGMENT_SOURCE_H */
