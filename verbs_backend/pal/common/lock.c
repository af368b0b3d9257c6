/* lock.c - the slow half of pal/lock.h; the same on all systems. */
#include "pal/lock.h"

#ifdef PAL_LOCK_DEBUG

bool pal_lock_init(struct pal_lock *l)
{
    return pal_mutex_init(&l->mutex);
}

void pal_lock_fini(struct pal_lock *l)
{
    pal_mutex_fini(&l->mutex);
}

#else

#include "pal/thread.h"
#include "pal/time.h"

#define SPINS  64u   /* the holder is at work on another processor: some hundred instructions */
#define YIELDS 1000u /* it lost its processor: let it run; beyond that it must be getting none (priorities) */

bool pal_lock_init(struct pal_lock *l)
{
    atomic_init(&l->taken, 0);
    return true;
}

void pal_lock_fini(struct pal_lock *l)
{
    (void)l;
}

PAL_NO_ANALYSIS void pal_lock_wait(struct pal_lock *l)
{
    for (unsigned round = 0;; round++) {
        for (unsigned i = 0; i < SPINS; i++) {
            if (pal_lock_try(l))
                return;
            pal_cpu_relax();
        }
        if (round < YIELDS)
            pal_thread_yield();
        else
            pal_sleep_ms(1);
    }
}

#endif
