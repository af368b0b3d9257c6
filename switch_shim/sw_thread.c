/* sw_thread.c - thread ids and the calls queued to them (APCs).
 * A SAN provider needs neither, since the switch passes no completion routines (contract 7.1); they are here
 * because the upcall table has them and a provider may be tried with them. Every open of a thread id is a
 * handle of its own; all handles of one thread share one queue, which lives until the last is closed. */
#include "sw_internal.h"

#include <stdlib.h>

struct apc {
    struct apc *next;
    LPWSAUSERAPC fn;
    DWORD_PTR context;
};

struct sw_thread_object {
    struct sw_thread_object *next; /* in `threads` */
    uint64_t thread_id;
    unsigned refs;
    struct apc *first, *last;
    struct pal_cond queued;
    struct sw_waiter *waiter; /* of this thread's alertable wait for other things too */
};

static struct pal_mutex list_lock; /* guards the list and everything inside its members */
static struct sw_thread_object *threads;

bool sw_thread_init(void)
{
    return pal_mutex_init(&list_lock);
}

static struct sw_thread_object *find_locked(uint64_t thread_id)
{
    struct sw_thread_object *t = threads;

    while (t != NULL && t->thread_id != thread_id)
        t = t->next;
    return t;
}

static void release_locked(struct sw_thread_object *thread)
{
    struct sw_thread_object **at = &threads;

    if (--thread->refs > 0)
        return;
    while (*at != thread)
        at = &(*at)->next;
    *at = thread->next;
    while (thread->first != NULL) {
        struct apc *dropped = thread->first;

        thread->first = dropped->next;
        free(dropped);
    }
    pal_cond_fini(&thread->queued);
    free(thread);
}

void sw_thread_drop(struct sw_thread_object *thread)
{
    pal_mutex_lock(&list_lock);
    release_locked(thread);
    pal_mutex_unlock(&list_lock);
}

int sw_thread_open_for(const void *owner, WSATHREADID *out)
{
    struct sw_thread_object *thread;
    struct sw_slot *slot;
    uintptr_t handle;

    if (out == NULL)
        return WSAEFAULT;
    if (!sw_global_init())
        return WSA_NOT_ENOUGH_MEMORY;
    pal_mutex_lock(&list_lock);
    thread = find_locked(pal_thread_id());
    if (thread == NULL) {
        thread = calloc(1, sizeof(*thread));
        if (thread == NULL || !pal_cond_init(&thread->queued)) {
            pal_mutex_unlock(&list_lock);
            free(thread);
            return WSA_NOT_ENOUGH_MEMORY;
        }
        thread->thread_id = pal_thread_id();
        thread->next = threads;
        threads = thread;
    }
    thread->refs++;
    pal_mutex_unlock(&list_lock);

    slot = sw_slot_create(SW_OBJECT_THREAD, owner, &handle);
    if (slot == NULL) {
        sw_thread_drop(thread);
        return WSA_NOT_ENOUGH_MEMORY;
    }
    slot->u.thread = thread;
    sw_slot_unlock(slot);
    out->ThreadHandle = (HANDLE)handle;
    out->Reserved = 0;
    return 0;
}

int sw_thread_open(WSATHREADID *out)
{
    return sw_thread_open_for(NULL, out);
}

int sw_thread_close(const WSATHREADID *id)
{
    struct sw_slot *slot = NULL;
    struct sw_thread_object *thread;

    if (id != NULL)
        slot = sw_slot_lock((uintptr_t)id->ThreadHandle, SW_OBJECT_THREAD, NULL);
    if (slot == NULL)
        return WSA_INVALID_HANDLE;
    thread = slot->u.thread;
    sw_slot_close(slot);
    sw_thread_drop(thread);
    return 0;
}

int sw_thread_queue(const WSATHREADID *id, LPWSAUSERAPC fn, DWORD_PTR context)
{
    struct apc *apc = calloc(1, sizeof(*apc));
    struct sw_slot *slot;
    struct sw_thread_object *thread;

    if (apc == NULL)
        return WSA_NOT_ENOUGH_MEMORY;
    apc->fn = fn;
    apc->context = context;
    slot = sw_slot_lock((uintptr_t)id->ThreadHandle, SW_OBJECT_THREAD, NULL);
    if (slot == NULL) {
        free(apc);
        return WSAEFAULT;
    }
    thread = slot->u.thread;
    pal_mutex_lock(&list_lock);
    thread->refs++;
    pal_mutex_unlock(&list_lock);
    sw_slot_unlock(slot);

    pal_mutex_lock(&list_lock);
    if (thread->last == NULL)
        thread->first = apc;
    else
        thread->last->next = apc;
    thread->last = apc;
    pal_cond_broadcast(&thread->queued);
    if (thread->waiter != NULL)
        sw_waiter_wake(thread->waiter);
    release_locked(thread);
    pal_mutex_unlock(&list_lock);
    return 0;
}

/* The list's lock is held when it returns, but no call runs under it. */
static unsigned run_calls_locked(struct sw_thread_object *thread)
{
    unsigned ran = 0;

    while (thread->first != NULL) {
        struct apc *apc = thread->first;

        thread->first = apc->next;
        if (thread->first == NULL)
            thread->last = NULL;
        pal_mutex_unlock(&list_lock);
        apc->fn(apc->context);
        free(apc);
        ran++;
        pal_mutex_lock(&list_lock);
    }
    return ran;
}

unsigned sw_alertable_wait(uint32_t timeout_ms)
{
    uint64_t deadline = sw_deadline(timeout_ms);
    unsigned ran;
    bool in_time = true;
    struct sw_thread_object *thread;

    if (!sw_global_init())
        return 0;
    pal_mutex_lock(&list_lock);
    thread = find_locked(pal_thread_id());
    if (thread == NULL) {
        pal_mutex_unlock(&list_lock);
        return 0;
    }
    thread->refs++;
    while (thread->first == NULL && in_time) {
        if (deadline == UINT64_MAX)
            pal_cond_wait(&thread->queued, &list_lock);
        else
            in_time = pal_cond_timedwait(&thread->queued, &list_lock, deadline);
    }
    ran = run_calls_locked(thread);
    release_locked(thread);
    pal_mutex_unlock(&list_lock);
    return ran;
}

/* The waiter is set aside meanwhile: a queued call may wait by itself, alertably too. */
unsigned sw_thread_run_calls(void)
{
    unsigned ran = 0;
    struct sw_thread_object *thread;

    pal_mutex_lock(&list_lock);
    thread = find_locked(pal_thread_id());
    if (thread != NULL) {
        struct sw_waiter *waiter = thread->waiter;

        thread->refs++;
        ran = run_calls_locked(thread);
        thread->waiter = waiter;
        release_locked(thread);
    }
    pal_mutex_unlock(&list_lock);
    return ran;
}

/* Nobody has opened this thread's id: then no call can be queued to it during the wait either, because only it can open it. */
void sw_thread_set_waiter(struct sw_waiter *waiter)
{
    struct sw_thread_object *thread;

    pal_mutex_lock(&list_lock);
    thread = find_locked(pal_thread_id());
    if (thread != NULL)
        thread->waiter = waiter;
    pal_mutex_unlock(&list_lock);
}
