/* mutex.c - slim reader/writer locks, taken exclusively, and condition variables. */
#include "pal/mutex.h"

#include <windows.h>

#include "mutex_debug.h"
#include "pal/time.h"

_Static_assert(sizeof(struct pal_os_mutex) == sizeof(SRWLOCK) &&
                   sizeof(struct pal_os_cond) == sizeof(CONDITION_VARIABLE),
               "the layouts of pal_os/mutex_os.h are the system's");

static SRWLOCK *srw(struct pal_mutex *m)
{
    return (SRWLOCK *)(void *)&m->os;
}

static CONDITION_VARIABLE *cv(struct pal_cond *c)
{
    return (CONDITION_VARIABLE *)(void *)&c->os;
}

bool pal_mutex_init(struct pal_mutex *m)
{
#ifdef PAL_LOCK_DEBUG
    m->owner = 0;
#endif
    InitializeSRWLock(srw(m));
    return true;
}

void pal_mutex_fini(struct pal_mutex *m)
{
    note_free(m);
}

PAL_NO_ANALYSIS void pal_mutex_lock(struct pal_mutex *m)
{
    note_locking(m);
    AcquireSRWLockExclusive(srw(m));
    note_locked(m);
}

PAL_NO_ANALYSIS bool pal_mutex_trylock(struct pal_mutex *m)
{
    if (!TryAcquireSRWLockExclusive(srw(m)))
        return false;
    note_locked(m);
    return true;
}

PAL_NO_ANALYSIS void pal_mutex_unlock(struct pal_mutex *m)
{
    note_unlocking(m);
    ReleaseSRWLockExclusive(srw(m));
}

bool pal_cond_init(struct pal_cond *c)
{
    InitializeConditionVariable(cv(c));
    return true;
}

void pal_cond_fini(struct pal_cond *c)
{
    (void)c; /* there is nothing to give back */
}

void pal_cond_wait(struct pal_cond *c, struct pal_mutex *m)
{
    note_unlocking(m);
    (void)SleepConditionVariableSRW(cv(c), srw(m), INFINITE, 0);
    note_locked(m);
}

bool pal_cond_timedwait(struct pal_cond *c, struct pal_mutex *m, uint64_t deadline_ns)
{
    /* The system takes a span: it is what is left, rounded up, and a wake-up before the end is one without a signal. */
    const uint64_t now_ns = pal_now_ns();
    uint64_t ms = deadline_ns > now_ns ? (deadline_ns - now_ns + 999999u) / 1000000u : 0;
    if (ms >= INFINITE)
        ms = INFINITE - 1;
    note_unlocking(m);
    const bool is_woken = SleepConditionVariableSRW(cv(c), srw(m), (DWORD)ms, 0) != 0;
    note_locked(m);
    return is_woken || pal_now_ns() < deadline_ns;
}

void pal_cond_signal(struct pal_cond *c)
{
    WakeConditionVariable(cv(c));
}

void pal_cond_broadcast(struct pal_cond *c)
{
    WakeAllConditionVariable(cv(c));
}
