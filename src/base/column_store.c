/*-------------------------------------------------------------------------
 *
 * column_store.c
 *		Rows of integers that come one after another, read back column by
 *		column; in memory up to a limit and then in a temporary file.
 *
 * Some hundred rows make a part, in which each column's values are together:
 * first the values, then a bit for each that is null.  Full parts are written
 * to the file, where the place of each column is known, so that a column is
 * read by one jump for each part.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include "commands/tablespace.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "base/column_store.h"

/* A jump should be worth it: a column of a part is a page of the file at least. */
#define MIN_PART_ROWS	(BLCKSZ / (int) sizeof(uint64))
#define MAX_PART_ROWS	(64 * MIN_PART_ROWS)

/* So that a query can be canceled in between. */
#define WRITE_AT_ONCE	(1024 * 1024)

/*
 * column_store_create: no rows yet
 *
 * In a memory context of its own, below the current one.  memory is in bytes;
 * it takes a page for each column if that is more.
 */
ColumnStore *
column_store_create(int columns, Size memory)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "segment column store",
												  ALLOCSET_SMALL_SIZES);
	ColumnStore *store = MemoryContextAllocZero(context, sizeof(ColumnStore));
	Size		rows = memory / Max(columns, 1) / sizeof(uint64) / 64 * 64;

	store->context = context;
	store->owner = CurrentResourceOwner;
	store->columns = columns;
	store->part_rows = Min(Max(rows, MIN_PART_ROWS), MAX_PART_ROWS);
	store->part_words = store->part_rows + store->part_rows / 64;
	store->part = MemoryContextAllocExtended(context, (columns * store->part_words + store->part_rows / 64) * sizeof(uint64),
											 MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	store->marks = store->part + columns * store->part_words;
	return store;
}

/* Free the memory and the file. */
void
column_store_free(ColumnStore *store)
{
	if (store->file != NULL)
		BufFileClose(store->file);
	MemoryContextDelete(store->context);
}

/* The size of a part in the file. */
static Size
part_bytes(const ColumnStore *store)
{
	return store->columns * store->part_words * sizeof(uint64) + store->part_rows / 8;
}

/* The part in memory, to the end of the file. */
void
column_store_spill(ColumnStore *store)
{
	ResourceOwner caller = CurrentResourceOwner;
	MemoryContext old = MemoryContextSwitchTo(store->context);
	Size		size = part_bytes(store);

	if (store->file == NULL)
	{
		CurrentResourceOwner = store->owner;
		PrepareTempTablespaces();
		store->file = BufFileCreateTemp(false);
		CurrentResourceOwner = caller;
	}
	for (Size done = 0; done < size; done += WRITE_AT_ONCE)
	{
		CHECK_FOR_INTERRUPTS();
		BufFileWrite(store->file, (char *) store->part + done, Min(size - done, WRITE_AT_ONCE));
	}
	store->parts_in_file++;
	memset(store->part, 0, size);
	MemoryContextSwitchTo(old);
}

/*
 * column_store_finish: no more rows will come
 *
 * If there is a file, the last part goes there too, and the memory is free.
 */
void
column_store_finish(ColumnStore *store)
{
	if (store->file == NULL)
		return;
	if (store->rows % store->part_rows != 0)
		column_store_spill(store);
	pfree(store->part);
	store->part = NULL;
	store->buffer = MemoryContextAlloc(store->context,
									   store->part_words * sizeof(uint64) + store->part_rows / 8);
}

/* How many parts there are to be read. */
int64
column_store_parts(const ColumnStore *store)
{
	return store->file != NULL ? store->parts_in_file : store->rows > 0 ? 1 : 0;
}

static void
read_words(ColumnStore *store, int64 position, uint64 *to, Size words)
{
	Size		size = words * sizeof(uint64);

	if (BufFileSeek(store->file, 0, position, SEEK_SET) != 0 || BufFileRead(store->file, to, size) != size)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not read temporary file of columns: %m")));
}

/*
 * column_store_read: a column of a part, parts and columns counted from 0
 *
 * Valid until the next one is read.
 */
void
column_store_read(ColumnStore *store, int64 number, int column, ColumnPart *part)
{
	const uint64 *words;

	part->rows = Min(store->rows - number * store->part_rows, store->part_rows);
	if (store->file == NULL)
	{
		words = store->part + column * store->part_words;
		part->marks = store->marks;
	}
	else
	{
		int64		begin = number * part_bytes(store);

		read_words(store, begin + column * store->part_words * sizeof(uint64), store->buffer, store->part_words);
		read_words(store, begin + store->columns * store->part_words * sizeof(uint64),
				   store->buffer + store->part_words, store->part_rows / 64);
		words = store->buffer;
		part->marks = store->buffer + store->part_words;
	}
	part->values = (const int64 *) words;
	part->nulls = words + store->part_rows;
}
