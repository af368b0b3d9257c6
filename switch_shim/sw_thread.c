/* sw_thread.c - thread ids and the calls queued to them (APCs).
 * A SAN provider needs neither, since the switch passes no completion routines (contract 7.1); they are here
 * because the upcall table has them and a provider may be tried with them. Every open of a thread id is a
 * handle of its own; all handles of one thread share one queue, which lives until the last is closed. */
#include "sw_alert.h"
#include "sw_internal.h"

#include <stdlib.h>

struct apc {
    struct apc *next;
    LPWSAUSERAPC fn;
    DWORD_PTR context;
};

#define BUCKETS 64u /* so that threads that block do not meet here; our choice */

/* Guards its list and everything inside the members of it. */
struct bucket {
    struct pal_mutex lock;
    struct sw_thread_object *first;
};
static struct bucket buckets[BUCKETS];

struct sw_thread_object {
    struct sw_thread_object *next; /* in its bucket */
    struct bucket *bucket;         /* const */
    uint64_t thread_id;            /* const */
    unsigned refs;
    struct apc *first, *last;
    struct pal_cond queued;
    struct sw_waiter *waiter; /* of this thread's alertable wait for other things too */
    struct sw_alert *alert;   /* of its innermost call that blocks */
};

/* Only a thread itself can open its id: while it has not, no call can be queued to it. */
static PAL_THREAD_LOCAL bool was_opened;

bool sw_thread_init(void)
{
    for (unsigned i = 0; i < BUCKETS; i++)
        if (!pal_mutex_init(&buckets[i].lock))
            return false;
    return true;
}

static struct bucket *own_bucket(void)
{
    return &buckets[pal_thread_id() % BUCKETS];
}

static struct sw_thread_object *find_own_locked(struct bucket *b)
{
    struct sw_thread_object *t = b->first;

    while (t != NULL && t->thread_id != pal_thread_id())
        t = t->next;
    return t;
}

static void release_locked(struct sw_thread_object *thread)
{
    struct sw_thread_object **at = &thread->bucket->first;

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
    struct bucket *b = thread->bucket;

    pal_mutex_lock(&b->lock);
    release_locked(thread);
    pal_mutex_unlock(&b->lock);
}

int sw_thread_open_for(const void *owner, WSATHREADID *out)
{
    struct bucket *b = own_bucket();
    struct sw_thread_object *thread;
    struct sw_slot *slot;
    uintptr_t handle;

    if (out == NULL)
        return WSAEFAULT;
    if (!sw_global_init())
        return WSA_NOT_ENOUGH_MEMORY;
    pal_mutex_lock(&b->lock);
    thread = find_own_locked(b);
    if (thread == NULL) {
        thread = calloc(1, sizeof(*thread));
        if (thread == NULL || !pal_cond_init(&thread->queued)) {
            pal_mutex_unlock(&b->lock);
            free(thread);
            return WSA_NOT_ENOUGH_MEMORY;
        }
        thread->thread_id = pal_thread_id();
        thread->bucket = b;
        thread->next = b->first;
        b->first = thread;
    }
    thread->refs++;
    pal_mutex_unlock(&b->lock);
    was_opened = true;

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
    struct bucket *b;

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
    b = thread->bucket;
    pal_mutex_lock(&b->lock);
    thread->refs++;
    pal_mutex_unlock(&b->lock);
    sw_slot_unlock(slot);

    pal_mutex_lock(&b->lock);
    if (thread->last == NULL)
        thread->first = apc;
    else
        thread->last->next = apc;
    thread->last = apc;
    pal_cond_broadcast(&thread->queued);
    if (thread->waiter != NULL)
        sw_waiter_wake(thread->waiter);
    if (thread->alert != NULL)
        thread->alert->raise(thread->alert);
    release_locked(thread);
    pal_mutex_unlock(&b->lock);
    return 0;
}

/* The lock is held when it returns, but no call runs under it. */
static unsigned run_calls_locked(struct sw_thread_object *thread)
{
    struct sw_waiter *waiter =
        thread->waiter; /* set aside: a queued call may wait by itself, alertably too */
    unsigned ran = 0;

    while (thread->first != NULL) {
        struct apc *apc = thread->first;

        thread->first = apc->next;
        if (thread->first == NULL)
            thread->last = NULL;
        pal_mutex_unlock(&thread->bucket->lock);
        apc->fn(apc->context);
        free(apc);
        ran++;
        pal_mutex_lock(&thread->bucket->lock);
    }
    thread->waiter = waiter;
    return ran;
}

/* This thread's object, referenced, its lock held; NULL: nobody has opened it, and no lock is held. */
static struct sw_thread_object *lock_own(void)
{
    struct bucket *b = own_bucket();
    struct sw_thread_object *thread;

    if (!was_opened)
        return NULL;
    pal_mutex_lock(&b->lock);
    thread = find_own_locked(b);
    if (thread == NULL)
        pal_mutex_unlock(&b->lock);
    else
        thread->refs++;
    return thread;
}

static void unlock_own(struct sw_thread_object *thread)
{
    struct bucket *b = thread->bucket;

    release_locked(thread);
    pal_mutex_unlock(&b->lock);
}

unsigned sw_alertable_wait(uint32_t timeout_ms)
{
    uint64_t deadline = sw_deadline(timeout_ms);
    struct sw_thread_object *thread = lock_own();
    bool in_time = true;
    unsigned ran;

    if (thread == NULL)
        return 0;
    while (thread->first == NULL && in_time) {
        if (deadline == UINT64_MAX)
            pal_cond_wait(&thread->queued, &thread->bucket->lock);
        else
            in_time = pal_cond_timedwait(&thread->queued, &thread->bucket->lock, deadline);
    }
    ran = run_calls_locked(thread);
    unlock_own(thread);
    return ran;
}

unsigned sw_thread_run_calls(void)
{
    struct sw_thread_object *thread = lock_own();
    unsigned ran = 0;

    if (thread != NULL) {
        ran = run_calls_locked(thread);
        unlock_own(thread);
    }
    return ran;
}

void sw_thread_set_waiter(struct sw_waiter *waiter)
{
    struct sw_thread_object *thread = lock_own();

    if (thread != NULL) {
        thread->waiter = waiter;
        unlock_own(thread);
    }
}

/* --- calls that block (sw_alert.h) --- */

void sw_alert_begin(struct sw_alert *a)
{
    struct sw_thread_object *thread = lock_own();

    a->thread = thread;
    if (thread == NULL)
        return;
    a->outer = thread->alert;
    thread->alert = a;
    thread->refs++; /* a's */
    if (thread->first != NULL)
        a->raise(a);
    unlock_own(thread);
}

void sw_alert_end(struct sw_alert *a)
{
    struct sw_thread_object *thread = a->thread;

    if (thread == NULL)
        return;
    pal_mutex_lock(&thread->bucket->lock);
    thread->alert = a->outer;
    unlock_own(thread);
}
