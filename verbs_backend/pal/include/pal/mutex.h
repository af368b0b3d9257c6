/* pal/mutex.h - mutual exclusion and condition variables.
 * Layer:   platform.
 * Threads: any. Not recursive; unlock by the thread that locked.
 * Debug:   with PAL_LOCK_DEBUG every thread counts the locks it holds and every mutex knows its owner, so
 *          that "no lock is held here" and "this lock is held" can be asserted. Without it both answers cost
 *          nothing. */
#ifndef PAL_MUTEX_H
#define PAL_MUTEX_H

#include <stdbool.h>
#include <stdint.h>

#include "pal/annotate.h"
#include "pal_os/mutex_os.h" /* struct pal_os_mutex, struct pal_os_cond: chosen by include path */

struct PAL_CAPABILITY pal_mutex {
    struct pal_os_mutex os;
#ifdef PAL_LOCK_DEBUG
    uint64_t owner; /* pal_thread_id() of the holder, 0 when free; accessed as a relaxed atomic */
#endif
};

/* Static initialiser, for the few process-wide locks that exist before anybody could init them; no fini
 * needed. */
#ifdef PAL_LOCK_DEBUG
#define PAL_MUTEX_INIT                                                                                       \
    {                                                                                                        \
        PAL_OS_MUTEX_INIT, 0                                                                                 \
    }
#else
#define PAL_MUTEX_INIT                                                                                       \
    {                                                                                                        \
        PAL_OS_MUTEX_INIT                                                                                    \
    }
#endif

struct pal_cond {
    struct pal_os_cond os;
};

/* init: returns false only when the system is out of resources. fini: the mutex must be free. */
bool pal_mutex_init(struct pal_mutex *m);
void pal_mutex_fini(struct pal_mutex *m);
void pal_mutex_lock(struct pal_mutex *m) PAL_ACQUIRE(*m);
bool pal_mutex_trylock(struct pal_mutex *m) PAL_TRY_ACQUIRE(true, *m);
void pal_mutex_unlock(struct pal_mutex *m) PAL_RELEASE(*m);

/* Conditions use the monotonic clock. wait: may wake without a signal, so loop. timedwait: false when the
 * absolute deadline (pal_now_ns() scale) passed. The mutex is held again on return in every case. */
bool pal_cond_init(struct pal_cond *c);
void pal_cond_fini(struct pal_cond *c);
void pal_cond_wait(struct pal_cond *c, struct pal_mutex *m);
bool pal_cond_timedwait(struct pal_cond *c, struct pal_mutex *m, uint64_t deadline_ns);
/* For calls of a program that block: the same with a deadline, UINT64_MAX: none; but on Windows the wait is alertable. Calls queued to the
 * thread (APCs) run in it, without the mutex, and then it wakes without a signal. Elsewhere a system queues none. */
bool pal_cond_wait_alertably(struct pal_cond *c, struct pal_mutex *m, uint64_t deadline_ns);
void pal_cond_signal(struct pal_cond *c);
void pal_cond_broadcast(struct pal_cond *c);

#ifdef PAL_LOCK_DEBUG
unsigned pal_locks_held(void); /* by the calling thread */
bool pal_mutex_is_mine(const struct pal_mutex *m);
#include <assert.h>
#define PAL_ASSERT_HELD(m)    assert(pal_mutex_is_mine(m))
#define PAL_ASSERT_NO_LOCKS() assert(pal_locks_held() == 0)
#else
#define PAL_ASSERT_HELD(m)    ((void)(m))
#define PAL_ASSERT_NO_LOCKS() ((void)0)
#endif

#endif
