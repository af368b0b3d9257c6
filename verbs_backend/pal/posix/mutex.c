/* mutex.c - pthread mutexes and condition variables. */
#include "pal/mutex.h"

#include <errno.h>
#include <time.h>

#include "mutex_debug.h"

bool pal_mutex_init(struct pal_mutex *m)
{
    pthread_mutexattr_t attr;
#ifdef PAL_LOCK_DEBUG
    m->owner = 0;
#endif
    if (pthread_mutexattr_init(&attr) != 0)
        return false;
    const bool is_ok = pthread_mutexattr_settype(&attr, PAL_PTHREAD_MUTEX_TYPE) == 0 &&
                       pthread_mutex_init(&m->os.m, &attr) == 0;
    pthread_mutexattr_destroy(&attr);
    return is_ok;
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

bool pal_cond_wait_alertably(struct pal_cond *c, struct pal_mutex *m, uint64_t deadline_ns)
{
    if (deadline_ns != UINT64_MAX)
        return pal_cond_timedwait(c, m, deadline_ns);
    pal_cond_wait(c, m);
    return true;
}

void pal_cond_signal(struct pal_cond *c)
{
    pthread_cond_signal(&c->os.c);
}

void pal_cond_broadcast(struct pal_cond *c)
{
    pthread_cond_broadcast(&c->os.c);
}
