/*-------------------------------------------------------------------------
 *
 * event_group.h
 *		The rows of a partition by customer and day.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_EVENT_GROUP_H
#define SEGMENT_EVENT_GROUP_H

#include "base/partition.h"
#include "portfolio/data_quality.h"
#include "portfolio/event_row.h"
#include "types/history.h"

/* The rows of one customer. */
typedef struct EventGroup
{
	Datum		key;
	uint32		hash;
	bool		null_key;
	uint8		scale[EVENT_MAX_AMOUNTS];	/* largest of the amounts */
	uint32		quality;		/* of its rows; see data_quality.h */
	Size		begin;			/* of its rows in the sorted list */
	Size		end;
} EventGroup;

typedef struct EventGroups
{
	EventFormat *format;
	EventRow  **rows;			/* those with amounts; in the end by group and
								 * day */
	EventRow  **spare;			/* as many places */
	Size		nrows;
	DateADT		first_day;
	DateADT		last_day;
	EventGroup *groups;
	uint32		ngroups;
	uint32		capacity;
	uint32	   *table;			/* numbers of groups + 1, by hash; at most
								 * half full */
	uint32		mask;
	QualityList quality;
} EventGroups;

extern void event_groups_read(EventGroups *groups, EventFormat *format, const Partition *partition);
extern struct varlena *event_group_history(const EventGroups *groups, const EventGroup *group, int i,
										   HistoryDays *list);

#endif							/* SEGMENT_EVENT_GROUP_H */
