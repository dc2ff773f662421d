/*-------------------------------------------------------------------------
 *
 * partition.h
 *		Rows set apart by a hash, in memory up to a limit and then in
 *		temporary files.
 *
 * What a row is, is the caller's business: here it is some bytes, which begin
 * at a multiple of 8.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_PARTITION_H
#define SEGMENT_PARTITION_H

#include "storage/buffile.h"
#include "utils/resowner.h"

typedef struct PartitionBlock
{
	struct PartitionBlock *next;
	char	   *end;			/* of the rows in it */
	Size		room;			/* bytes of data, all told */
	char		data[FLEXIBLE_ARRAY_MEMBER];
} PartitionBlock;

typedef struct Partition
{
	char	   *place;			/* of the next row, in the last block */
	char	   *end;			/* of that block */
	Size		rows;			/* all told */
	PartitionBlock *first;
	PartitionBlock *last;
	BufFile    *file;			/* what did not fit into memory */
	Size		file_bytes;
} Partition;

typedef struct PartitionSet
{
	MemoryContext context;
	ResourceOwner owner;		/* of the temporary files */
	Size		memory;			/* bytes that may be used, about */
	Size		limit;			/* of them, in blocks with rows */
	Size		used;
	bool		spilled;		/* are there files? */
	Size		rows;			/* once there are no more to come */
	Size		block_size;
	PartitionBlock *free_blocks;
	int			count;			/* of partitions, a power of two */
	int			skipped_bits;	/* of the hash: equal in all rows */
	int			shift;
	Partition	partitions[FLEXIBLE_ARRAY_MEMBER];
} PartitionSet;

extern PartitionSet *partition_set_create(Size memory, int skipped_bits);
extern char *partition_next_block(PartitionSet *set, Partition *partition, Size size);
extern void partition_set_finish(PartitionSet *set);
extern void partition_set_free(PartitionSet *set);

extern bool partition_is_too_large(const PartitionSet *set, const Partition *partition);
extern void partition_rewind(Partition *partition);
extern void partition_read(Partition *partition, void *to, Size size);
extern void partition_load(PartitionSet *set, Partition *partition);
extern void partition_clear(PartitionSet *set, Partition *partition);

/* Room for a row of the given size, a multiple of 8, in the partition of a hash. */
static inline char *
partition_append(PartitionSet *set, uint32 hash, Size size)
{
	Partition  *partition = &set->partitions[(hash << set->skipped_bits) >> set->shift];
	char	   *place = partition->place;

	if (unlikely(size > partition->end - place))
		place = partition_next_block(set, partition, size);
	partition->place = place + size;
	partition->rows++;
	/* the partition's next rows come long after this one */
	prefetch_to_write(place + 128);
	return place;
}

#endif							/* SEGMENT_PARTITION_H */
