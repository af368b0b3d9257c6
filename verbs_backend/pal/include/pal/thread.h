/* pal/thread.h - threads.
 * Layer:   platform. Threads are joined, never detached: cleanup must be able to prove that they ended. */
#ifndef PAL_THREAD_H
#define PAL_THREAD_H

#include <stdbool.h>
#include <stdint.h>

struct pal_thread;

/* Start fn(arg) on a new thread named `name` (at most 15 characters are kept). Signals are blocked in it.
 * NULL when the system refuses. */
struct pal_thread *pal_thread_start(void (*fn)(void *arg), void *arg, const char *name);
/* Wait until it ended and free it. Must not be called by the thread itself. */
void pal_thread_join(struct pal_thread *t);
/* Process-wide unique, never 0, cheap (cached per thread). */
uint64_t pal_thread_id(void);
void pal_thread_yield(void);
/* Processors that this process may use; at least 1. */
unsigned pal_processors(void);

#endif
