/*-------------------------------------------------------------------------
 *
 * changed_customer.h
 *		Notes of the customers whose rows a statement changed.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_CHANGED_CUSTOMER_H
#define SEGMENT_CHANGED_CUSTOMER_H

#include "commands/trigger.h"

/* Up to so many changes are noted, or logged, one by one, however few customers or rows there are. */
#define CHANGED_LEAST	1000

extern void changed_customer_note(TriggerData *trigger, Oid namespace, const char *column);

#endif							/* SEGMENT_CHANGED_CUSTOMER_H */
