/* pal/wait.h - waiting on what the system can wait on.
 * Layer:   platform. A pal_waitable is a file descriptor on POSIX and a HANDLE on Windows. Backends hand out
 *          waitables (one per CQ, one per connection manager); threads of the provider sleep on a few of them
 *          at once. */
#ifndef PAL_WAIT_H
#define PAL_WAIT_H

#include <stdbool.h>
#include <stdint.h>

#include "pal_os/waitable_os.h" /* typedef pal_waitable; PAL_WAITABLE_NONE */

#define PAL_WAIT_MAX 8

/* A waitable that software signals. signal: any thread, cheap when already signalled (one atomic); clear: by
 * the waiter, before it looks at the work that the signal announced. */
struct pal_wakeup;
struct pal_wakeup *pal_wakeup_create(void); /* NULL when out of resources */
void pal_wakeup_destroy(struct pal_wakeup *w);
void pal_wakeup_signal(struct pal_wakeup *w);
void pal_wakeup_clear(struct pal_wakeup *w);
pal_waitable pal_wakeup_waitable(const struct pal_wakeup *w);

/* A waitable that is ready while `beside` is ready, and also once a deadline passed: for whoever must make
 * something visible later on a waitable that was handed out before (hook_fault's late completions). set: any
 * thread; deadline_ns on the pal_now_ns() scale; it replaces the deadline before, passed or not; 0 = none.
 * `beside` is borrowed, may be PAL_WAITABLE_NONE and must outlive the alarm. */
struct pal_alarm;
struct pal_alarm *pal_alarm_create(pal_waitable beside); /* NULL when out of resources */
void pal_alarm_destroy(struct pal_alarm *a);
void pal_alarm_set(struct pal_alarm *a, uint64_t deadline_ns);
pal_waitable pal_alarm_waitable(const struct pal_alarm *a);

/* Wait until at least one of n (1..PAL_WAIT_MAX) waitables is ready or timeout_ms (-1: for ever) passed. Bit
 * i of the result says that waits[i] is ready (readable, or in an error state that the owner must look at); 0
 * means time-out or a spurious return. Entries equal to PAL_WAITABLE_NONE are ignored. */
uint32_t pal_wait(const pal_waitable *waits, unsigned n, int timeout_ms);
/* For calls of a program that block (pal_cond_wait_alertably() says more): on Windows calls queued to the thread run meanwhile, and end it. */
uint32_t pal_wait_alertably(const pal_waitable *waits, unsigned n, int timeout_ms);

#endif
