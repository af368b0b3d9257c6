/* mutex.c - slim reader/writer locks, taken exclusively, and condition variables. */
#include "pal/mutex.h"

#include <windows.h>

#include "mutex_debug.h"
#include "pal/atomic.h"
#include "pal/time.h"

_Static_assert(sizeof(struct pal_os_mutex) == sizeof(SRWLOCK) &&
                   sizeof(((struct pal_os_cond *)NULL)->cv) == sizeof(CONDITION_VARIABLE),
               "the layouts of pal_os/mutex_os.h are the system's");

static SRWLOCK *srw(struct pal_mutex *m)
{
    return (SRWLOCK *)(void *)&m->os;
}

static CONDITION_VARIABLE *cv(struct pal_cond *c)
{
    return (CONDITION_VARIABLE *)(void *)&c->os.cv;
}

/* One thread that waits alertably, on its stack. */
struct sleeper {
    struct sleeper *next;
    HANDLE event;
};

static SRWLOCK *sleepers_lock(struct pal_cond *c)
{
    return (SRWLOCK *)(void *)&c->os.sleepers_lock;
}

static struct sleeper *first(struct pal_cond *c)
{
    return (struct sleeper *)pal_load_acquire(&c->os.sleepers);
}

static void set_first(struct pal_cond *c, struct sleeper *s)
{
    pal_store_release(&c->os.sleepers, (uintptr_t)s); /* publishes next */
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
    InitializeSRWLock(sleepers_lock(c));
    set_first(c, NULL);
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

/* The system takes a span: it is what is left, rounded up, and a wake-up before the end is one without a signal. */
static DWORD ms_until(uint64_t deadline_ns)
{
    const uint64_t now_ns = pal_now_ns();
    const uint64_t ms = deadline_ns > now_ns ? (deadline_ns - now_ns + 999999u) / 1000000u : 0;
    return ms >= INFINITE ? INFINITE - 1 : (DWORD)ms;
}

bool pal_cond_timedwait(struct pal_cond *c, struct pal_mutex *m, uint64_t deadline_ns)
{
    const DWORD ms = ms_until(deadline_ns);
    note_unlocking(m);
    const bool is_woken = SleepConditionVariableSRW(cv(c), srw(m), ms, 0) != 0;
    note_locked(m);
    return is_woken || pal_now_ns() < deadline_ns;
}

/* In the list before the mutex is free: who signals what it guards finds the sleeper there. */
static void enlist(struct pal_cond *c, struct sleeper *s)
{
    AcquireSRWLockExclusive(sleepers_lock(c));
    s->next = first(c);
    set_first(c, s);
    ReleaseSRWLockExclusive(sleepers_lock(c));
}

static void delist(struct pal_cond *c, struct sleeper *s)
{
    struct sleeper *before;

    AcquireSRWLockExclusive(sleepers_lock(c));
    before = first(c);
    if (before == s) {
        set_first(c, s->next);
    } else {
        while (before->next != s)
            before = before->next;
        before->next = s->next;
    }
    ReleaseSRWLockExclusive(sleepers_lock(c));
}

PAL_NO_ANALYSIS bool pal_cond_wait_alertably(struct pal_cond *c, struct pal_mutex *m, uint64_t deadline_ns)
{
    struct sleeper s = {NULL, CreateEventW(NULL, FALSE, FALSE, NULL)};
    const DWORD ms = deadline_ns == UINT64_MAX ? INFINITE : ms_until(deadline_ns);
    DWORD result;

    if (!s.event) { /* out of handles: wait all the same, but deaf, and not for long */
        const uint64_t soon_ns = pal_now_ns() + 10000000u;
        return pal_cond_timedwait(c, m, soon_ns < deadline_ns ? soon_ns : deadline_ns) ||
               pal_now_ns() < deadline_ns;
    }
    enlist(c, &s);
    pal_mutex_unlock(m);
    result = WaitForSingleObjectEx(s.event, ms, TRUE);
    delist(c, &s);
    pal_mutex_lock(m);
    CloseHandle(s.event);
    return result != WAIT_TIMEOUT || pal_now_ns() < deadline_ns;
}

/* All of them, also for one signal: who is woken for nothing sleeps again. */
static void wake_sleepers(struct pal_cond *c)
{
    if (!first(c))
        return;
    AcquireSRWLockExclusive(sleepers_lock(c));
    for (struct sleeper *s = first(c); s; s = s->next)
        SetEvent(s->event);
    ReleaseSRWLockExclusive(sleepers_lock(c));
}

void pal_cond_signal(struct pal_cond *c)
{
    WakeConditionVariable(cv(c));
    wake_sleepers(c);
}

void pal_cond_broadcast(struct pal_cond *c)
{
    WakeAllConditionVariable(cv(c));
    wake_sleepers(c);
}
