/* pal/memwatch.h - to learn of memory of this process that is unmapped, replaced, moved or discarded, before whoever does it goes on.
 * Layer:   platform. Linux: userfaultfd. Elsewhere there is none, and pal_memwatch_create() says so.
 * Threads: one thread reads; everything else any thread.
 * Source:  userfaultfd(2) and Documentation/admin-guide/mm/userfaultfd.rst, "Non-cooperative userfaultfd": the thread that unmaps sleeps until
 *          its event has been read. That UFFDIO_WRITEPROTECT answers EAGAIN from the change of the mapping until that thread runs
 *          again is from the kernel's source (mmap_changing in fs/userfaultfd.c, the same from 5.7 to 6.18), so each watch that
 *          is made tries it first.
 * Rule:    the thread that reads must not allocate, free or unmap, nor may anybody who holds a lock that it takes: free() may give watched
 *          memory back to the system and then waits for who reads.
 * Watched memory behaves as before, but: unmapping it takes until the event was read; mremap(2) across the edge of a watched range
 *          fails as it does across any two mappings; another userfaultfd cannot have it. A forked child's copy is not watched. */
#ifndef PAL_MEMWATCH_H
#define PAL_MEMWATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pal/wait.h"

struct pal_memwatch;

struct pal_memwatch_range {
    uint64_t start, end; /* [start, end) */
};

/* One for each copy of this library in a process. NULL: this system has none, or the process may not; *why then says it (static text).
 * Takes a short-lived thread and some system calls. */
struct pal_memwatch *pal_memwatch_create(const char **why);
/* Nothing is watched any more, and whoever waits in the kernel goes on. Once; afterwards only pal_memwatch_destroy() may be called. The
 * thread that reads calls it before it ends, because the end of a thread may free memory. */
void pal_memwatch_stop(struct pal_memwatch *w);
void pal_memwatch_destroy(struct pal_memwatch *w); /* stopped or not; NULL is nothing */

/* Watch [start, end), whole pages, until they are unmapped. False: it cannot be told what becomes of them. So it is for all but private
 * anonymous memory in pages of the usual size: a file may be cut off by others without an event. Also false when the process has so many
 * mappings that more might stand in its way, and for what another userfaultfd has. What is watched already stays so. */
bool pal_memwatch_add(struct pal_memwatch *w, uint64_t start, uint64_t end);

/* Is nothing changing? False from the moment that watched memory is no longer what it was (for discarding: before) until the event has been
 * read. So who finds it true after he saw a range unchanged by all events read so far knows that it is unchanged. Does not sleep. */
bool pal_memwatch_is_quiet(struct pal_memwatch *w);

/* Ready while there are events. */
pal_waitable pal_memwatch_waitable(const struct pal_memwatch *w);
/* What has changed: at most n (at least 2) ranges, and the threads that wait for these events go on. 0: nothing. Does not sleep. */
unsigned pal_memwatch_read(struct pal_memwatch *w, struct pal_memwatch_range *out, unsigned n);

#endif
