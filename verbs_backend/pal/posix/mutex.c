/* mutex.c - pthread mutexes and condition variables; owns the lock debug counting of PAL_LOCK_DEBUG.
 * Misuse of a lock is a bug of ours and never of the caller's data, so it ends the process at once. */
#include "pal/mutex.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "pal/atomic.h"
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

bool pal_mutex_init(struct pal_mutex *m)
{
#ifdef PAL_LOCK_DEBUG
    m->owner = 0;
#endif
    return pthread_mutex_init(&m->os.m, NULL) == 0;
}

void pal_mutex_fini(struct pal_mutex *m)
{
    note_free(m);
    pthread_mutex_destroy(&m->os.m);
}

PAL_NO_ANALYSIS void pal_mutex_lock(struct pal_mutex *m)
{
    note_locking(m);
    pthread_mutex_lock(&m->os.m);
    note_locked(m);
}

PAL_NO_ANALYSIS bool pal_mutex_trylock(struct pal_mutex *m)
{
    if (pthread_mutex_trylock(&m->os.m) != 0)
        return false;
    note_locked(m);
    return true;
}

PAL_NO_ANALYSIS void pal_mutex_unlock(struct pal_mutex *m)
{
    note_unlocking(m);
    pthread_mutex_unlock(&m->os.m);
}

bool pal_cond_init(struct pal_cond *c)
{
    pthread_condattr_t attr;
    if (pthread_condattr_init(&attr) != 0)
        return false;
    bool is_ok = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0 &&
                 pthread_cond_init(&c->os.c, &attr) == 0;
    pthread_condattr_destroy(&attr);
    return is_ok;
}

void pal_cond_fini(struct pal_cond *c)
{
    pthread_cond_destroy(&c->os.c);
}

void pal_cond_wait(struct pal_cond *c, struct pal_mutex *m)
{
    note_unlocking(m);
    pthread_cond_wait(&c->os.c, &m->os.m);
    note_locked(m);
}

bool pal_cond_timedwait(struct pal_cond *c, struct pal_mutex *m, uint64_t deadline_ns)
{
    struct timespec ts = {.tv_sec = (time_t)(deadline_ns / 1000000000u),
                          .tv_nsec = (long)(deadline_ns % 1000000000u)};

    note_unlocking(m);
    int rc = pthread_cond_timedwait(&c->os.c, &m->os.m, &ts);
    note_locked(m);
    return rc != ETIMEDOUT;
}

void pal_cond_signal(struct pal_cond *c)
{
    pthread_cond_signal(&c->os.c);
}

void pal_cond_broadcast(struct pal_cond *c)
{
    pthread_cond_broadcast(&c->os.c);
}
