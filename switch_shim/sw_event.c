/* sw_event.c - WSAEVENT handles: Win32 events, manual or automatic reset.
 * The slot owns one reference, every waiter another, so closing an event that somebody waits for is harmless.
 * An event that resets itself wakes all its waiters; one of them takes the signal, and the others sleep on: a waiter that wants
 * several events at once may have to leave the signal to somebody else. */
#include "sw_internal.h"

#include <stdlib.h>

struct sw_event_object {
    struct pal_mutex lock; /* guards is_set, waiters */
    struct sw_wait_node *waiters;
    bool is_set;
    bool is_manual; /* const */
    pal_atomic_u32 refs;
};

void sw_event_drop(struct sw_event_object *object)
{
    if (pal_sub_acq_rel(&object->refs, 1u) != 1)
        return;
    pal_mutex_fini(&object->lock);
    free(object);
}

struct sw_event_object *sw_event_hold(WSAEVENT e)
{
    struct sw_slot *slot = sw_slot_lock((uintptr_t)e, SW_OBJECT_EVENT, NULL);
    struct sw_event_object *object;

    if (slot == NULL)
        return NULL;
    object = slot->u.event;
    pal_add_relaxed(&object->refs, 1u);
    sw_slot_unlock(slot);
    return object;
}

void sw_event_enlist(struct sw_event_object *object, struct sw_wait_node *node, struct sw_waiter *w)
{
    pal_mutex_lock(&object->lock);
    sw_wait_enlist(&object->waiters, node, w);
    pal_mutex_unlock(&object->lock);
}

void sw_event_delist(struct sw_event_object *object, struct sw_wait_node *node)
{
    pal_mutex_lock(&object->lock);
    sw_wait_delist(&object->waiters, node);
    pal_mutex_unlock(&object->lock);
}

static bool take_locked(struct sw_event_object *object)
{
    bool was_set = object->is_set;

    object->is_set = was_set && object->is_manual;
    return was_set;
}

bool sw_event_take(struct sw_event_object *object)
{
    bool was_set;

    pal_mutex_lock(&object->lock);
    was_set = take_locked(object);
    pal_mutex_unlock(&object->lock);
    return was_set;
}

/* All or none: with all locks held, so that no other thread sees half of it. The order of locks is that of the addresses. */
bool sw_event_take_all(struct sw_event_object *const *objects, unsigned count)
{
    struct sw_event_object *sorted[SW_WAIT_EVENTS_MAX];
    bool are_set = true;

    for (unsigned i = 0; i < count; i++) {
        unsigned at = i;

        for (; at > 0 && (uintptr_t)sorted[at - 1] > (uintptr_t)objects[i]; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = objects[i];
    }
    for (unsigned i = 0; i < count; i++) {
        if (i > 0 && sorted[i] == sorted[i - 1])
            continue;
        pal_mutex_lock(&sorted[i]->lock);
        are_set = are_set && sorted[i]->is_set;
    }
    for (unsigned i = 0; i < count; i++) {
        if (i > 0 && sorted[i] == sorted[i - 1])
            continue;
        if (are_set)
            (void)take_locked(sorted[i]);
        pal_mutex_unlock(&sorted[i]->lock);
    }
    return are_set;
}

static void change(struct sw_event_object *object, bool is_set)
{
    pal_mutex_lock(&object->lock);
    object->is_set = is_set;
    if (is_set)
        sw_wait_wake_all(object->waiters);
    pal_mutex_unlock(&object->lock);
}

WSAEVENT sw_event_create_for(const void *owner, bool manual_reset, bool initially_set)
{
    struct sw_event_object *object;
    struct sw_slot *slot;
    uintptr_t handle;

    if (!sw_global_init())
        return WSA_INVALID_EVENT;
    object = calloc(1, sizeof(*object));
    if (object == NULL)
        return WSA_INVALID_EVENT;
    if (!pal_mutex_init(&object->lock))
        goto err_object;
    object->is_manual = manual_reset;
    object->is_set = initially_set;
    pal_store_relaxed(&object->refs, 1u);
    slot = sw_slot_create(SW_OBJECT_EVENT, owner, &handle);
    if (slot == NULL)
        goto err_lock;
    slot->u.event = object;
    sw_slot_unlock(slot);
    return (WSAEVENT)handle;

err_lock:
    pal_mutex_fini(&object->lock);
err_object:
    free(object);
    return WSA_INVALID_EVENT;
}

bool sw_event_do(WSAEVENT e, enum sw_event_action action, const void *closer, const char **why)
{
    enum sw_lookup lookup;
    struct sw_slot *slot = sw_slot_lock((uintptr_t)e, SW_OBJECT_EVENT, &lookup);
    struct sw_event_object *object;

    if (slot == NULL) {
        *why = lookup == SW_LOOKUP_CLOSED ? "a closed event" : "something that is no event";
        return false;
    }
    object = slot->u.event;
    switch (action) {
    case SW_EVENT_SET:
        /* under the slot's lock: nobody can close the event meanwhile */
        change(object, true);
        break;
    case SW_EVENT_RESET: change(object, false); break;
    case SW_EVENT_CLOSE:
        if (closer != slot->owner) {
            sw_slot_unlock(slot);
            *why = "an event that another party made";
            return false;
        }
        sw_slot_close(slot);
        sw_event_drop(object);
        return true;
    }
    sw_slot_unlock(slot);
    return true;
}

WSAEVENT sw_event_create(bool manual_reset, bool initially_set)
{
    return sw_event_create_for(NULL, manual_reset, initially_set);
}

int sw_event_close(WSAEVENT e)
{
    const char *why;

    return sw_event_do(e, SW_EVENT_CLOSE, NULL, &why) ? 0 : WSA_INVALID_HANDLE;
}

int sw_event_set(WSAEVENT e)
{
    const char *why;

    return sw_event_do(e, SW_EVENT_SET, NULL, &why) ? 0 : WSA_INVALID_HANDLE;
}

int sw_event_reset(WSAEVENT e)
{
    const char *why;

    return sw_event_do(e, SW_EVENT_RESET, NULL, &why) ? 0 : WSA_INVALID_HANDLE;
}

int sw_event_wait(WSAEVENT e, uint32_t timeout_ms)
{
    const struct sw_wait_many m = {&e, 1, false, false, timeout_ms};
    unsigned which;

    return sw_wait_many(&m, &which);
}
