/*-------------------------------------------------------------------------
 *
 * change_log.h
 *		Logs of changed rows.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_CHANGE_LOG_H
#define SEGMENT_CHANGE_LOG_H

#include "commands/trigger.h"

extern bool change_log_append(TriggerData *trigger, Oid namespace, const char *log_name);

#endif							/* SEGMENT_CHANGE_LOG_H */
