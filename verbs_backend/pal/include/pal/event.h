/* pal/event.h - an event object with the semantics of a Win32 event.
 * Layer:   platform. Used by switch_shim for WSAEVENT handles, by tests and tools to wait for a condition.
 * Rules:   manual reset: set releases every waiter until reset. Auto reset: set releases exactly one waiter,
 *          present or future, and several sets before a wait count once.
 * Source:  Win32 CreateEvent/SetEvent/ResetEvent/WaitForSingleObject pages. */
#ifndef PAL_EVENT_H
#define PAL_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#define PAL_WAIT_FOREVER UINT32_MAX

struct pal_event;

/* NULL when out of memory. */
struct pal_event *pal_event_create(bool manual_reset, bool initially_set);
void pal_event_destroy(struct pal_event *e); /* nobody may be waiting */
void pal_event_set(struct pal_event *e);
void pal_event_reset(struct pal_event *e);
/* true when the event was (or became) set within timeout_ms; 0 polls, PAL_WAIT_FOREVER waits for ever. */
bool pal_event_wait(struct pal_event *e, uint32_t timeout_ms);

#endif
