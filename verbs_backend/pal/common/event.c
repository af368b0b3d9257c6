/* event.c - Win32-like events; owns the list of threads that wait on one.
 * A set hands itself to waiters that are there (they are marked and unlinked under the lock) before it
 * becomes state. So two sets of an auto-reset event release two present waiters, a later poll cannot steal a
 * release, and a reset right after the set of a manual-reset event does not hold back those who were waiting.
 */
#include "pal/event.h"

#include <stdlib.h>

#include "pal/mutex.h"
#include "pal/time.h"

struct waiter {
    struct waiter *next;
    bool is_released;
};

struct pal_event {
    struct pal_mutex lock; /* guards everything below */
    struct pal_cond changed;
    bool is_manual; /* const after create */
    bool is_set;
    struct waiter *first; /* in order of arrival */
};

struct pal_event *pal_event_create(bool manual_reset, bool initially_set)
{
    struct pal_event *e = calloc(1, sizeof *e);
    if (!e)
        return NULL;
    e->is_manual = manual_reset;
    e->is_set = initially_set;
    if (!pal_mutex_init(&e->lock))
        goto err_free;
    if (!pal_cond_init(&e->changed))
        goto err_lock;
    return e;
err_lock:
    pal_mutex_fini(&e->lock);
err_free:
    free(e);
    return NULL;
}

void pal_event_destroy(struct pal_event *e)
{
    if (!e)
        return;
    pal_cond_fini(&e->changed);
    pal_mutex_fini(&e->lock);
    free(e);
}

void pal_event_set(struct pal_event *e)
{
    pal_mutex_lock(&e->lock);
    bool has_waiter = e->first != NULL;
    while (e->first) {
        e->first->is_released = true;
        e->first = e->first->next;
        if (!e->is_manual)
            break;
    }
    if (e->is_manual || !has_waiter)
        e->is_set = true;
    /* Inside the lock: a released waiter may destroy the event as soon as it has the lock. */
    pal_cond_broadcast(&e->changed);
    pal_mutex_unlock(&e->lock);
}

void pal_event_reset(struct pal_event *e)
{
    pal_mutex_lock(&e->lock);
    e->is_set = false;
    pal_mutex_unlock(&e->lock);
}

static void unlink_locked(struct pal_event *e, struct waiter *w)
{
    struct waiter **at = &e->first;
    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
}

bool pal_event_wait(struct pal_event *e, uint32_t timeout_ms)
{
    struct waiter me = {NULL, false};
    uint64_t deadline_ns = 0;

    if (timeout_ms != 0 && timeout_ms != PAL_WAIT_FOREVER)
        deadline_ns = pal_now_ns() + (uint64_t)timeout_ms * 1000000u;
    pal_mutex_lock(&e->lock);
    if (e->is_set) {
        e->is_set = e->is_manual;
        pal_mutex_unlock(&e->lock);
        return true;
    }
    if (timeout_ms == 0) {
        pal_mutex_unlock(&e->lock);
        return false;
    }
    struct waiter **last = &e->first;
    while (*last)
        last = &(*last)->next;
    *last = &me;
    while (!me.is_released) {
        if (timeout_ms == PAL_WAIT_FOREVER)
            pal_cond_wait(&e->changed, &e->lock);
        else if (!pal_cond_timedwait(&e->changed, &e->lock, deadline_ns))
            break;
    }
    if (!me.is_released)
        unlink_locked(e, &me);
    pal_mutex_unlock(&e->lock);
    return me.is_released;
}
