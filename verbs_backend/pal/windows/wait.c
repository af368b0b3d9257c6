/* wait.c - waiting on several waitables; wakeups and alarms, which are waitables of one part. */
#include "waitable.h"

#include <stdlib.h>

#include "pal/time.h"

bool pal_waitable_init(struct pal_os_waitable *w, unsigned parts, pal_waitable beside)
{
    InitializeSRWLock(&w->lock);
    w->beside = beside;
    if (parts & PAL_PART_EVENT)
        w->event = CreateEventW(NULL, TRUE, FALSE, NULL);
    if (parts & PAL_PART_CHANGES)
        w->changed = CreateEventW(NULL, TRUE, FALSE, NULL);
    if ((!(parts & PAL_PART_EVENT) || w->event) && (!(parts & PAL_PART_CHANGES) || w->changed))
        return true;
    pal_waitable_fini(w);
    return false;
}

void pal_waitable_fini(struct pal_os_waitable *w)
{
    if (w->event)
        CloseHandle(w->event);
    if (w->changed)
        CloseHandle(w->changed);
}

void pal_waitable_signal(struct pal_os_waitable *w)
{
    /* Exchange also when it is true already: its release half publishes our work to the exchange in clear. */
    if (!pal_swap_acq_rel(&w->is_signalled, true))
        SetEvent(w->event);
}

void pal_waitable_clear(struct pal_os_waitable *w)
{
    if (!pal_load_acquire(&w->is_signalled))
        return;
    ResetEvent(w->event);
    /* Then open the gate. The other way round the reset could swallow the set of a new signal and leave the flag true
     * for ever. A signal that came in between set nothing, but its work is seen by who called us. */
    (void)pal_swap_acq_rel(&w->is_signalled, false);
}

/* One who signals may be held up between flag and event while the signal is taken; his event then is set for nothing, and
 * would be until the next signal: whoever sleeps on it does not sleep. It is reset, unless there is a signal now. */
void pal_waitable_drop_stray(struct pal_os_waitable *w)
{
    if (pal_load_acquire(&w->is_signalled))
        return;
    ResetEvent(w->event);
    if (pal_load_acquire(&w->is_signalled)) /* its set may have come just before the reset */
        SetEvent(w->event);
}

void pal_waitable_changed_locked(struct pal_os_waitable *w)
{
    if (!w->waiters)
        return;
    w->changes++;
    w->unaware = w->waiters;
    SetEvent(w->changed);
}

void pal_waitable_set_deadline(struct pal_os_waitable *w, uint64_t deadline_ns)
{
    AcquireSRWLockExclusive(&w->lock);
    const bool is_earlier = deadline_ns && (!w->deadline_ns || deadline_ns < w->deadline_ns);
    w->deadline_ns = deadline_ns;
    if (is_earlier) /* who sleeps to a later one finds out by himself */
        pal_waitable_changed_locked(w);
    ReleaseSRWLockExclusive(&w->lock);
}

/* ---- waiting ---- */

#define PARTS_MAX 32 /* waitables with all that lie beside them */

struct sleep {
    HANDLE handles[MAXIMUM_WAIT_OBJECTS];
    DWORD handle_count;
    struct {
        pal_waitable w;
        uint32_t bit, changes;
    } parts[PARTS_MAX];
    unsigned part_count;
    uint64_t nearest_ns; /* 0: no deadline */
    uint32_t ready;
};

static void sleep_on(struct sleep *s, HANDLE h)
{
    s->handles[s->handle_count++] = h;
}

static void note_deadline(struct sleep *s, uint64_t deadline_ns)
{
    if (deadline_ns && (!s->nearest_ns || deadline_ns < s->nearest_ns))
        s->nearest_ns = deadline_ns;
}

static void ask(struct sleep *s, pal_waitable w, uint32_t bit)
{
    for (; w != PAL_WAITABLE_NONE; w = w->beside) {
        if (s->part_count == PARTS_MAX || s->handle_count + 3 > MAXIMUM_WAIT_OBJECTS) {
            s->ready |= bit; /* more than one can sleep on: let its owner look */
            return;
        }
        HANDLE wake = NULL;
        AcquireSRWLockExclusive(&w->lock);
        w->waiters++;
        s->parts[s->part_count].w = w;
        s->parts[s->part_count].bit = bit;
        s->parts[s->part_count++].changes = w->changes;
        if (pal_load_acquire(&w->is_signalled) || (w->deadline_ns && pal_now_ns() >= w->deadline_ns) ||
            (w->sockets && w->is_watching && pal_socket_set_ask_locked(w->sockets, &wake)))
            s->ready |= bit;
        note_deadline(s, w->deadline_ns);
        ReleaseSRWLockExclusive(&w->lock);
        if (w->event)
            sleep_on(s, w->event);
        if (w->changed)
            sleep_on(s, w->changed);
        if (wake)
            sleep_on(s, wake);
    }
}

/* Ends the sleep: what of it is ready now? */
static void look(struct sleep *s, bool has_slept)
{
    for (unsigned i = 0; i < s->part_count; i++) {
        pal_waitable w = s->parts[i].w;
        AcquireSRWLockExclusive(&w->lock);
        w->waiters--;
        if (s->parts[i].changes != w->changes && --w->unaware == 0) /* set until all who slept have seen it */
            ResetEvent(w->changed);
        if (has_slept &&
            (pal_load_acquire(&w->is_signalled) || (w->deadline_ns && pal_now_ns() >= w->deadline_ns) ||
             (w->sockets && w->is_watching && pal_socket_set_woke_locked(w->sockets))))
            s->ready |= s->parts[i].bit;
        ReleaseSRWLockExclusive(&w->lock);
    }
}

/* Rounded up, so that nobody wakes up before his time only to sleep again. */
static DWORD ms_until(uint64_t deadline_ns, uint64_t now_ns)
{
    if (deadline_ns <= now_ns)
        return 0;
    const uint64_t ms = (deadline_ns - now_ns + 999999u) / 1000000u;
    return ms >= INFINITE ? INFINITE - 1 : (DWORD)ms;
}

/* True: calls that were queued to the thread have run. */
static bool fall_asleep(const struct sleep *s, BOOL is_alertable)
{
    const DWORD ms = s->nearest_ns ? ms_until(s->nearest_ns, pal_now_ns()) : INFINITE;
    if (s->handle_count == 0)
        return SleepEx(ms, is_alertable) != 0;
    /* look() tells what is ready; this, what woke us */
    const DWORD which = WaitForMultipleObjectsEx(s->handle_count, s->handles, FALSE, ms, is_alertable);
    for (unsigned i = 0; which < s->handle_count && i < s->part_count; i++)
        if (s->parts[i].w->event == s->handles[which])
            pal_waitable_drop_stray(s->parts[i].w);
    return which == WAIT_IO_COMPLETION;
}

static uint32_t wait_for(const pal_waitable *waits, unsigned n, int timeout_ms, BOOL is_alertable)
{
    const uint64_t until_ns = timeout_ms > 0 ? pal_now_ns() + (uint64_t)timeout_ms * 1000000u : 0;
    for (;;) {
        struct sleep s;
        s.handle_count = s.part_count = 0;
        s.nearest_ns = until_ns;
        s.ready = 0;
        for (unsigned i = 0; i < n && i < PAL_WAIT_MAX; i++)
            ask(&s, waits[i], 1u << i);
        const bool sleeps = !s.ready && timeout_ms != 0;
        const bool has_run_calls = sleeps && fall_asleep(&s, is_alertable);
        look(&s, sleeps);
        if (s.ready || has_run_calls || timeout_ms == 0 || (until_ns && pal_now_ns() >= until_ns))
            return s.ready;
    }
}

uint32_t pal_wait(const pal_waitable *waits, unsigned n, int timeout_ms)
{
    return wait_for(waits, n, timeout_ms, FALSE);
}

uint32_t pal_wait_alertably(const pal_waitable *waits, unsigned n, int timeout_ms)
{
    return wait_for(waits, n, timeout_ms, TRUE);
}

/* ---- wakeups and alarms ---- */

struct pal_wakeup {
    struct pal_os_waitable w;
};

struct pal_wakeup *pal_wakeup_create(void)
{
    struct pal_wakeup *w = calloc(1, sizeof *w);
    if (w && !pal_waitable_init(&w->w, PAL_PART_EVENT, PAL_WAITABLE_NONE)) {
        free(w);
        return NULL;
    }
    return w;
}

void pal_wakeup_destroy(struct pal_wakeup *w)
{
    if (!w)
        return;
    pal_waitable_fini(&w->w);
    free(w);
}

void pal_wakeup_signal(struct pal_wakeup *w)
{
    pal_waitable_signal(&w->w);
}

void pal_wakeup_clear(struct pal_wakeup *w)
{
    pal_waitable_clear(&w->w);
}

pal_waitable pal_wakeup_waitable(const struct pal_wakeup *w)
{
    return (pal_waitable)&w->w; /* waiting changes only what its lock guards */
}

struct pal_alarm {
    struct pal_os_waitable w;
};

struct pal_alarm *pal_alarm_create(pal_waitable beside)
{
    struct pal_alarm *a = calloc(1, sizeof *a);
    if (a && !pal_waitable_init(&a->w, PAL_PART_CHANGES, beside)) {
        free(a);
        return NULL;
    }
    return a;
}

void pal_alarm_destroy(struct pal_alarm *a)
{
    if (!a)
        return;
    pal_waitable_fini(&a->w);
    free(a);
}

void pal_alarm_set(struct pal_alarm *a, uint64_t deadline_ns)
{
    pal_waitable_set_deadline(&a->w, deadline_ns);
}

pal_waitable pal_alarm_waitable(const struct pal_alarm *a)
{
    return (pal_waitable)&a->w;
}
