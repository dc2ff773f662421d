/*-------------------------------------------------------------------------
 *
 * partition.c
 *		Rows set apart by a hash, in memory up to a limit and then in
 *		temporary files.
 *
 * Rows are appended to blocks, of which each partition has a list.  When the
 * blocks of all partitions have used up the limit, all of them are written to
 * the partitions' files and used again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"
#include "base/compat.h"

#include "commands/tablespace.h"
#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "utils/memutils.h"

#include "base/partition.h"

/*
 * The more partitions, the sooner one of them fits into the processor's
 * cache; but rows are written to the ends of all of them in turn, and these
 * should be in the cache, too.
 */
#define MAX_PARTITIONS	256
#define MIN_PARTITIONS	4
#define MAX_BLOCK		(32 * 1024)

/* So that a query can be cancelled in between. */
#define READ_AT_ONCE	(1024 * 1024)

/*
 * partition_set_create: no rows yet
 *
 * In a memory context of its own, below the current one.  memory is in bytes;
 * of the hash, the first skipped_bits (less than 32) are not looked at.
 */
PartitionSet *
partition_set_create(Size memory, int skipped_bits)
{
	/*
	 * of small sizes, so that row blocks and files' buffers are not rounded
	 * up
	 */
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "segment partitions",
												  ALLOCSET_SMALL_SIZES);
	int			bits;
	int			count;
	PartitionSet *set;

	/* a file has a buffer of a page: half of the memory for these at most */
	count = Min(MAX_PARTITIONS, Max(MIN_PARTITIONS, memory / 2 / BLCKSZ));
	bits = Min(pg_leftmost_one_pos32(count), 32 - skipped_bits);
	count = 1 << bits;

	set = MemoryContextAllocZero(context, offsetof(PartitionSet, partitions) +
								 count * sizeof(Partition));
	set->context = context;
	set->owner = CurrentResourceOwner;
	set->memory = memory;
	set->limit = memory - Min(count * BLCKSZ, memory / 2);
	set->block_size = Min(MAX_BLOCK, Max(BLCKSZ / 2, set->limit / count / 2));
	set->count = count;
	set->skipped_bits = skipped_bits;
	set->shift = 32 - bits;
	return set;
}

/* Free all memory.  The files of all partitions must have been read. */
void
partition_set_free(PartitionSet *set)
{
	MemoryContextDelete(set->context);
}

static PartitionBlock *
new_block(PartitionSet *set, Size room)
{
	PartitionBlock *block = set->free_blocks;

	if (block != NULL && room == set->block_size)
		set->free_blocks = block->next;
	else
	{
		block = MemoryContextAllocHuge(set->context, offsetof(PartitionBlock, data) + room);
		block->room = room;
	}
	block->next = NULL;
	set->used += room;
	return block;
}

static void
free_block(PartitionSet *set, PartitionBlock *block)
{
	if (block->room == set->block_size)
	{
		block->next = set->free_blocks;
		set->free_blocks = block;
	}
	else
		pfree(block);			/* one large row */
}

/* Take a partition's blocks from it. */
static PartitionBlock *
detach_blocks(Partition *partition)
{
	PartitionBlock *first = partition->first;

	if (partition->last != NULL)
		partition->last->end = partition->place;
	partition->first = partition->last = NULL;
	partition->place = partition->end = NULL;
	return first;
}

/* All rows in memory to temporary files, which the end of the query removes. */
static void
spill(PartitionSet *set)
{
	ResourceOwner caller = CurrentResourceOwner;
	MemoryContext old = MemoryContextSwitchTo(set->context);
	int			i;

	CurrentResourceOwner = set->owner;
	PrepareTempTablespaces();
	for (i = 0; i < set->count; i++)
	{
		Partition  *partition = &set->partitions[i];
		PartitionBlock *block = detach_blocks(partition);

		if (block != NULL && partition->file == NULL)
			partition->file = BufFileCreateTemp(false);
		while (block != NULL)
		{
			PartitionBlock *next = block->next;
			Size		size = block->end - block->data;

			BufFileWrite(partition->file, block->data, size);
			partition->file_bytes += size;
			free_block(set, block);
			block = next;
		}
		CHECK_FOR_INTERRUPTS();
	}
	set->used = 0;
	set->spilled = true;
	CurrentResourceOwner = caller;
	MemoryContextSwitchTo(old);
}

/* A place for a row of the given size, which the last block has no room for. */
char *
partition_next_block(PartitionSet *set, Partition *partition, Size size)
{
	PartitionBlock *block;

	if (set->used >= set->limit)
		spill(set);
	block = new_block(set, Max(size, set->block_size));
	if (partition->last == NULL)
		partition->first = block;
	else
	{
		partition->last->end = partition->place;
		partition->last->next = block;
	}
	partition->last = block;
	partition->end = block->data + block->room;
	return block->data;
}

/*
 * partition_set_finish: no more rows will come
 *
 * If some are in files, then all of them are from now on, so that the memory
 * is free for what is done with them.
 */
void
partition_set_finish(PartitionSet *set)
{
	int			i;

	if (set->spilled)
		spill(set);
	while (set->free_blocks != NULL)
	{
		PartitionBlock *block = set->free_blocks;

		set->free_blocks = block->next;
		pfree(block);
	}
	for (i = 0; i < set->count; i++)
		set->rows += set->partitions[i].rows;
}

/*
 * partition_is_too_large: are there too many rows for the memory?
 *
 * Then further bits of the hash can part them, unless those of the set were
 * not parted either: they are one customer's, and it does not help.
 */
bool
partition_is_too_large(const PartitionSet *set, const Partition *partition)
{
	return partition->file_bytes > set->memory / 2 && set->shift > set->skipped_bits &&
		(set->skipped_bits == 0 || partition->rows < set->rows);
}

/* Read a partition's file from its beginning. */
void
partition_rewind(Partition *partition)
{
	if (BufFileSeek(partition->file, 0, 0, SEEK_SET) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not rewind temporary file of partitioned rows: %m")));
}

void
partition_read(Partition *partition, void *to, Size size)
{
	if (BufFileRead(partition->file, to, size) != size)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not read temporary file of partitioned rows: %m")));
}

/*
 * partition_load: a partition's rows as blocks, beginning with partition->first
 *
 * What is in its file comes into memory as one block.
 */
void
partition_load(PartitionSet *set, Partition *partition)
{
	PartitionBlock *block;
	Size		done = 0;

	if (partition->file == NULL)
	{
		partition->first = detach_blocks(partition);
		return;
	}
	block = MemoryContextAllocHuge(set->context,
								   offsetof(PartitionBlock, data) + partition->file_bytes);
	partition_rewind(partition);
	while (done < partition->file_bytes)
	{
		Size		size = Min(partition->file_bytes - done, READ_AT_ONCE);

		CHECK_FOR_INTERRUPTS();
		partition_read(partition, block->data + done, size);
		done += size;
	}
	block->next = NULL;
	block->end = block->data + partition->file_bytes;
	block->room = partition->file_bytes;
	partition->first = block;
}

/* Rows that were read are not needed any more. */
void
partition_clear(PartitionSet *set, Partition *partition)
{
	while (partition->first != NULL)
	{
		PartitionBlock *block = partition->first;

		partition->first = block->next;
		pfree(block);
	}
	if (partition->file != NULL)
		BufFileClose(partition->file);
	partition->file = NULL;
}
