/* mutex_debug.h - private to the mutex.c of each platform: who holds a mutex and how many a thread holds, with
 * PAL_LOCK_DEBUG; without it nothing. Misuse of a lock is a bug of ours and never of the caller's data, so it ends the
 * process at once. */
#ifndef PAL_MUTEX_DEBUG_H
#define PAL_MUTEX_DEBUG_H

#include <stdio.h>
#include <stdlib.h>

#include "pal/atomic.h"
#include "pal/mutex.h"
#include "pal/thread.h"

#ifdef PAL_LOCK_DEBUG

static PAL_THREAD_LOCAL unsigned held_count;

static void lock_bug(const char *what)
{
    fprintf(stderr, "pal: mutex %s\n", what);
    abort();
}

/* Relaxed is enough: the answer is only used for "is it me?", and only this thread writes its own id. */
static uint64_t owner_of(const struct pal_mutex *m)
{
    return __atomic_load_n(&m->owner, __ATOMIC_RELAXED);
}

static void note_locked(struct pal_mutex *m)
{
    __atomic_store_n(&m->owner, pal_thread_id(), __ATOMIC_RELAXED);
    held_count++;
}

static void note_unlocking(struct pal_mutex *m)
{
    if (owner_of(m) != pal_thread_id())
        lock_bug("unlocked by a thread that does not hold it");
    __atomic_store_n(&m->owner, 0, __ATOMIC_RELAXED);
    held_count--;
}

static void note_locking(const struct pal_mutex *m)
{
    if (owner_of(m) == pal_thread_id())
        lock_bug("locked twice by one thread");
}

static void note_free(const struct pal_mutex *m)
{
    if (owner_of(m) != 0)
        lock_bug("destroyed while held");
}

unsigned pal_locks_held(void)
{
    return held_count;
}

bool pal_mutex_is_mine(const struct pal_mutex *m)
{
    return owner_of(m) == pal_thread_id();
}

#else

static void note_locked(struct pal_mutex *m)
{
    (void)m;
}

static void note_unlocking(struct pal_mutex *m)
{
    (void)m;
}

static void note_locking(const struct pal_mutex *m)
{
    (void)m;
}

static void note_free(const struct pal_mutex *m)
{
    (void)m;
}

#endif

#endif
