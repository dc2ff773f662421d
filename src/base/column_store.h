/*-------------------------------------------------------------------------
 *
 * column_store.h
 *		Rows of integers that come one after another, read back column by
 *		column; in memory up to a limit and then in a temporary file.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_COLUMN_STORE_H
#define SEGMENT_COLUMN_STORE_H

#include "storage/buffile.h"
#include "utils/resowner.h"

typedef struct ColumnStore
{
	MemoryContext context;
	ResourceOwner owner;		/* of the temporary file */
	int			columns;
	int			part_rows;		/* rows of a full part, a multiple of 64 */
	Size		part_words;		/* words of one column of a part */
	int64		rows;			/* all told */
	uint64	   *part;			/* the part that is filled: column after
								 * column */
	uint64	   *marks;			/* of its rows, a bit each */
	uint64	   *buffer;			/* one column of a part from the file */
	BufFile    *file;			/* full parts, if there are any */
	int64		parts_in_file;
} ColumnStore;

/* One column of some rows. */
typedef struct ColumnPart
{
	int			rows;
	const int64 *values;
	const uint64 *nulls;		/* a bit each */
	const uint64 *marks;		/* a bit each */
} ColumnPart;

extern ColumnStore *column_store_create(int columns, Size memory);
extern void column_store_free(ColumnStore *store);
extern void column_store_spill(ColumnStore *store);
extern void column_store_finish(ColumnStore *store);
extern int64 column_store_parts(const ColumnStore *store);
extern void column_store_read(ColumnStore *store, int64 number, int column, ColumnPart *part);

static inline bool
column_bit(const uint64 *bits, int row)
{
	return (bits[row / 64] >> (row % 64)) & 1;
}

static inline void
column_set_bit(uint64 *bits, int row)
{
	bits[row / 64] |= UINT64CONST(1) << (row % 64);
}

/* A value of the row that is being added. */
static inline void
column_store_put(ColumnStore *store, int column, int64 value, bool isnull)
{
	int			row = store->rows % store->part_rows;
	uint64	   *words = store->part + column * store->part_words;

	words[row] = value;
	if (isnull)
		column_set_bit(words + store->part_rows, row);
}

/* The row is complete.  Its mark is given back with every column. */
static inline void
column_store_end_row(ColumnStore *store, bool mark)
{
	if (mark)
		column_set_bit(store->marks, store->rows % store->part_rows);
	if (++store->rows % store->part_rows == 0)
		column_store_spill(store);
}

#endif							/* SEGMENT_COLUMN_STORE_H */
