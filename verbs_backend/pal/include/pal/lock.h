/* pal/lock.h - a lock for the data path: sections of some hundred instructions that never sleep.
 * Layer:   platform.
 * Threads: any. Not recursive; given back by the thread that took it.
 * Why not a pal_mutex: taking and giving one costs two calls and two locked instructions; this is one of each, inline,
 *          when nobody is in the way. Who must wait spins a little, then lets others run; there is no queue, so use a
 *          pal_mutex where waiting is the rule or may be long.
 * Debug:   with PAL_LOCK_DEBUG it is a pal_mutex, so that held locks are counted and thread sanitizers see the order. */
#ifndef PAL_LOCK_H
#define PAL_LOCK_H

#include "pal/atomic.h"
#include "pal/mutex.h"

struct PAL_CAPABILITY pal_lock {
#ifdef PAL_LOCK_DEBUG
    struct pal_mutex mutex;
#else
    pal_atomic_u32 taken;
#endif
};

bool pal_lock_init(struct pal_lock *l); /* false only when the system is out of resources */
void pal_lock_fini(struct pal_lock *l); /* nobody holds it */
void pal_lock_wait(struct pal_lock *l); /* the slow half of pal_lock_take() */

#ifdef PAL_LOCK_DEBUG
PAL_NO_ANALYSIS static inline bool pal_lock_try(struct pal_lock *l) PAL_TRY_ACQUIRE(true, *l)
{
    return pal_mutex_trylock(&l->mutex);
}

PAL_NO_ANALYSIS static inline bool pal_lock_try_free(struct pal_lock *l) PAL_TRY_ACQUIRE(true, *l)
{
    return pal_mutex_trylock(&l->mutex);
}

PAL_NO_ANALYSIS static inline void pal_lock_take(struct pal_lock *l) PAL_ACQUIRE(*l)
{
    pal_mutex_lock(&l->mutex);
}

PAL_NO_ANALYSIS static inline void pal_lock_give(struct pal_lock *l) PAL_RELEASE(*l)
{
    pal_mutex_unlock(&l->mutex);
}
#else
PAL_NO_ANALYSIS static inline bool pal_lock_try(struct pal_lock *l) PAL_TRY_ACQUIRE(true, *l)
{
    /* the load first: a failing exchange would take the cache line from the holder */
    return pal_load_relaxed(&l->taken) == 0 && pal_swap_acq_rel(&l->taken, 1) == 0;
}

/* The same, for who expects it to be free. */
PAL_NO_ANALYSIS static inline bool pal_lock_try_free(struct pal_lock *l) PAL_TRY_ACQUIRE(true, *l)
{
    return pal_swap_acq_rel(&l->taken, 1) == 0;
}

PAL_NO_ANALYSIS static inline void pal_lock_take(struct pal_lock *l) PAL_ACQUIRE(*l)
{
    if (pal_swap_acq_rel(&l->taken, 1) != 0)
        pal_lock_wait(l);
}

PAL_NO_ANALYSIS static inline void pal_lock_give(struct pal_lock *l) PAL_RELEASE(*l)
{
    pal_store_release(&l->taken, 0); /* publishes what was done under it */
}
#endif

#endif
