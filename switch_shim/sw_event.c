/* sw_event.c - WSAEVENT handles: Win32 events, manual or automatic reset, over pal_event.
 * The slot owns one reference, every waiter another, so closing an event that somebody waits for is harmless.
 * */
#include "sw_internal.h"

#include <stdlib.h>

struct sw_event_object {
    struct pal_event *event;
    pal_atomic_u32 refs;
};

void sw_event_drop(struct sw_event_object *object)
{
    if (pal_sub_acq_rel(&object->refs, 1u) != 1)
        return;
    pal_event_destroy(object->event);
    free(object);
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
    object->event = pal_event_create(manual_reset, initially_set);
    if (object->event == NULL)
        goto err_object;
    pal_store_relaxed(&object->refs, 1u);
    slot = sw_slot_create(SW_OBJECT_EVENT, owner, &handle);
    if (slot == NULL)
        goto err_event;
    slot->u.event = object;
    sw_slot_unlock(slot);
    return (WSAEVENT)handle;

err_event:
    pal_event_destroy(object->event);
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
        pal_event_set(object->event);
        break;
    case SW_EVENT_RESET: pal_event_reset(object->event); break;
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
    struct sw_slot *slot = sw_slot_lock((uintptr_t)e, SW_OBJECT_EVENT, NULL);
    struct sw_event_object *object;
    bool was_set;

    if (slot == NULL)
        return WSA_INVALID_HANDLE;
    object = slot->u.event;
    pal_add_relaxed(&object->refs, 1u);
    sw_slot_unlock(slot);
    was_set = pal_event_wait(object->event, timeout_ms == SW_FOREVER ? PAL_WAIT_FOREVER : timeout_ms);
    sw_event_drop(object);
    return was_set ? 0 : WSAETIMEDOUT;
}
