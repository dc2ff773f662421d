/*-------------------------------------------------------------------------
 *
 * segment.c
 *		The module: nothing but the magic block.  Every concept lives in a
 *		file of its own.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#if PG_VERSION_NUM >= 180000
PG_MODULE_MAGIC_EXT(
					.name = "segment",
					.version = SEGMENT_VERSION
);
#else
PG_MODULE_MAGIC;
#endif
