/* watchdog.h - ends a test program that hangs, with as much evidence as can be had.
 * Layer:   tests; shared by stress/ and fault/.
 * Threads: one of its own looks every 100 ms whether somebody patted; any thread pats. */
#ifndef STRESS_WATCHDOG_H
#define STRESS_WATCHDOG_H

#include <stdint.h>

/* For functions that look at what other threads are changing, because the process is about to end anyway. */
#define WATCHDOG_LOOKS __attribute__((no_sanitize("thread")))

/* After stall_ms without a pat: print, call describe (it must take no lock that could be the one that hangs),
 * show the stacks of all threads when a debugger is installed, abort(). Once per process. */
void watchdog_start(uint32_t stall_ms, void (*describe)(void));
void watchdog_pat(void);
void watchdog_stop(void);
/* The same end at once, for a condition that a test waited for in vain. */
void watchdog_bite(const char *why);

#endif
