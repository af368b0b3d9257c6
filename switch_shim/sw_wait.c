/* sw_wait.c - sleeping until one of several lists wakes the thread; and the wait of Win32 for several events. */
#include "sw_wait.h"

#include "sw_alert.h"
#include "sw_internal.h"

bool sw_waiter_init(struct sw_waiter *w)
{
    w->is_awake = false;
    if (!pal_mutex_init(&w->lock))
        return false;
    if (pal_cond_init(&w->woken))
        return true;
    pal_mutex_fini(&w->lock);
    return false;
}

void sw_waiter_fini(struct sw_waiter *w)
{
    pal_cond_fini(&w->woken);
    pal_mutex_fini(&w->lock);
}

void sw_waiter_wake(struct sw_waiter *w)
{
    pal_mutex_lock(&w->lock);
    w->is_awake = true;
    pal_cond_signal(&w->woken);
    pal_mutex_unlock(&w->lock);
}

bool sw_waiter_sleep(struct sw_waiter *w, uint64_t deadline_ns)
{
    bool was_woken;

    pal_mutex_lock(&w->lock);
    while (!w->is_awake) {
        if (deadline_ns == UINT64_MAX)
            pal_cond_wait(&w->woken, &w->lock);
        else if (!pal_cond_timedwait(&w->woken, &w->lock, deadline_ns))
            break;
    }
    was_woken = w->is_awake;
    w->is_awake = false;
    pal_mutex_unlock(&w->lock);
    return was_woken;
}

void sw_wait_enlist(struct sw_wait_node **list, struct sw_wait_node *node, struct sw_waiter *w)
{
    node->waiter = w;
    node->next = *list;
    *list = node;
}

void sw_wait_delist(struct sw_wait_node **list, struct sw_wait_node *node)
{
    while (*list != node)
        list = &(*list)->next;
    *list = node->next;
}

void sw_wait_wake_all(struct sw_wait_node *list)
{
    for (; list != NULL; list = list->next)
        sw_waiter_wake(list->waiter);
}

/* --- several events --- */

/* Those that are open, with a reference each. 0, or the code with none left referenced. */
static int take_all(const WSAEVENT *events, unsigned count, struct sw_event_object **out)
{
    for (unsigned i = 0; i < count; i++) {
        out[i] = sw_event_hold(events[i]);
        if (out[i] != NULL)
            continue;
        while (i > 0)
            sw_event_drop(out[--i]);
        return WSA_INVALID_HANDLE;
    }
    return 0;
}

static bool look(struct sw_event_object *const *objects, unsigned count, bool wants_all, unsigned *which)
{
    if (wants_all) {
        *which = 0;
        return sw_event_take_all(objects, count);
    }
    for (*which = 0; *which < count; (*which)++)
        if (sw_event_take(objects[*which]))
            return true;
    return false;
}

/* 0: *which is set, and what resets itself has been reset. A signalled object goes before queued calls, as in NT's waits. */
static int wait_for(struct sw_event_object *const *objects, const struct sw_wait_many *m, struct sw_waiter *w,
                    unsigned *which)
{
    uint64_t deadline = sw_deadline(m->timeout_ms);

    for (;;) {
        if (m->count > 0 && look(objects, m->count, m->wants_all, which))
            return 0;
        if (m->is_alertable && sw_thread_run_calls() > 0)
            return SW_WAIT_RAN_CALLS;
        if (!sw_waiter_sleep(w, deadline))
            return WSAETIMEDOUT;
    }
}

int sw_wait_many(const struct sw_wait_many *m, unsigned *which)
{
    struct sw_event_object *objects[SW_WAIT_EVENTS_MAX];
    struct sw_wait_node nodes[SW_WAIT_EVENTS_MAX];
    struct sw_waiter waiter;
    int result;

    if (m->count > SW_WAIT_EVENTS_MAX || !sw_global_init())
        return WSAEINVAL;
    result = take_all(m->events, m->count, objects);
    if (result != 0)
        return result;
    if (!sw_waiter_init(&waiter)) {
        result = WSA_NOT_ENOUGH_MEMORY;
    } else {
        for (unsigned i = 0; i < m->count; i++)
            sw_event_enlist(objects[i], &nodes[i], &waiter);
        if (m->is_alertable)
            sw_thread_set_waiter(&waiter);
        result = wait_for(objects, m, &waiter, which);
        if (m->is_alertable)
            sw_thread_set_waiter(NULL);
        for (unsigned i = 0; i < m->count; i++)
            sw_event_delist(objects[i], &nodes[i]);
        sw_waiter_fini(&waiter);
    }
    for (unsigned i = 0; i < m->count; i++)
        sw_event_drop(objects[i]);
    return result;
}
