/* sw_iocp.c - a completion queue: packets in, packets out in the same order, with a blocking get.
 * It stands for the completion port that a Windows application may have associated with its socket; where the system has ports of its own,
 * such a queue holds nothing and passes its packets on. */
#include "sw_alert.h"
#include "sw_internal.h"

#include <stdlib.h>

struct sw_iocp {
    pal_atomic_u32
        refs; /* the creator's, one for each handle bound to it, one for each thread inside (winsock/) */
    struct pal_mutex lock; /* guards the rest */
    bool is_abandoned;
    struct pal_cond filled;
    struct sw_packet *ring;
    size_t capacity, first, count;
    struct sw_iocp_target target; /* const; put is NULL: a queue that keeps its packets */
};

struct sw_iocp *sw_iocp_create(void)
{
    struct sw_iocp *q = calloc(1, sizeof(*q));

    if (q == NULL)
        return NULL;
    q->capacity = 256;
    q->ring = calloc(q->capacity, sizeof(*q->ring));
    if (q->ring == NULL || !pal_mutex_init(&q->lock))
        goto err_ring;
    if (!pal_cond_init(&q->filled))
        goto err_lock;
    pal_store_relaxed(&q->refs, 1u);
    return q;

err_lock:
    pal_mutex_fini(&q->lock);
err_ring:
    free(q->ring);
    free(q);
    return NULL;
}

struct sw_iocp *sw_iocp_create_for(const struct sw_iocp_target *target)
{
    struct sw_iocp *q = calloc(1, sizeof(*q));

    if (q == NULL)
        return NULL;
    q->target = *target;
    pal_store_relaxed(&q->refs, 1u);
    return q;
}

void sw_iocp_destroy(struct sw_iocp *q)
{
    if (q == NULL || pal_sub_acq_rel(&q->refs, 1u) != 1)
        return;
    if (q->target.put != NULL) {
        q->target.let(q->target.context);
        free(q);
        return;
    }
    pal_cond_fini(&q->filled);
    pal_mutex_fini(&q->lock);
    free(q->ring);
    free(q);
}

void sw_iocp_hold(struct sw_iocp *q)
{
    pal_add_relaxed(&q->refs, 1u);
}

void sw_iocp_abandon(struct sw_iocp *q)
{
    pal_mutex_lock(&q->lock);
    q->is_abandoned = true;
    pal_cond_broadcast(&q->filled);
    pal_mutex_unlock(&q->lock);
}

static bool grow_locked(struct sw_iocp *q)
{
    struct sw_packet *bigger = calloc(2 * q->capacity, sizeof(*bigger));

    if (bigger == NULL)
        return false;
    for (size_t i = 0; i < q->count; i++)
        bigger[i] = q->ring[(q->first + i) % q->capacity];
    free(q->ring);
    q->ring = bigger;
    q->capacity *= 2;
    q->first = 0;
    return true;
}

int sw_iocp_post(struct sw_iocp *q, const struct sw_packet *packet)
{
    int result = 0;

    if (q->target.put != NULL)
        return q->target.put(q->target.context, packet);
    pal_mutex_lock(&q->lock);
    if (q->count == q->capacity && !grow_locked(q)) {
        result = WSA_NOT_ENOUGH_MEMORY;
    } else {
        q->ring[(q->first + q->count) % q->capacity] = *packet;
        q->count++;
        pal_cond_signal(&q->filled);
    }
    pal_mutex_unlock(&q->lock);
    return result;
}

/* One thread's alertable wait. */
struct alertable {
    struct sw_alert alert; /* first */
    struct sw_iocp *q;
    bool is_raised; /* q->lock */
};

static void raise_alert(struct sw_alert *alert)
{
    struct alertable *a = (struct alertable *)(void *)alert;

    pal_mutex_lock(&a->q->lock);
    a->is_raised = true;
    pal_cond_broadcast(&a->q->filled); /* one of several sleepers, and only this one knows */
    pal_mutex_unlock(&a->q->lock);
}

/* Packets go before queued calls, as in NT's waits. */
static int take(struct sw_iocp *q, struct sw_packet *out, unsigned max, unsigned *got, uint64_t deadline,
                const bool *is_raised)
{
    bool in_time = true;
    int result = WSAETIMEDOUT;

    pal_mutex_lock(&q->lock);
    while (q->count == 0 && in_time && !q->is_abandoned && !*is_raised) {
        if (deadline == UINT64_MAX)
            pal_cond_wait(&q->filled, &q->lock);
        else
            in_time = pal_cond_timedwait(&q->filled, &q->lock, deadline);
    }
    for (*got = 0; q->count > 0 && *got < max; (*got)++) {
        out[*got] = q->ring[q->first];
        q->first = (q->first + 1) % q->capacity;
        q->count--;
    }
    if (*got > 0)
        result = 0;
    else if (q->is_abandoned)
        result = WSA_OPERATION_ABORTED;
    else if (*is_raised)
        result = SW_WAIT_RAN_CALLS;
    pal_mutex_unlock(&q->lock);
    return result;
}

int sw_iocp_get_many(struct sw_iocp *q, struct sw_packet *out, unsigned max, unsigned *got,
                     uint32_t timeout_ms, bool is_alertable)
{
    uint64_t deadline = sw_deadline(timeout_ms);
    struct alertable a = {{raise_alert, NULL, NULL}, q, false};
    int result;

    if (!is_alertable)
        return take(q, out, max, got, deadline, &a.is_raised);
    do {
        a.is_raised = false;
        sw_alert_begin(&a.alert);
        result = take(q, out, max, got, deadline, &a.is_raised);
        sw_alert_end(&a.alert);
    } while (result == SW_WAIT_RAN_CALLS && sw_thread_run_calls() == 0);
    return result;
}

int sw_iocp_get(struct sw_iocp *q, struct sw_packet *out, uint32_t timeout_ms)
{
    unsigned got;

    return sw_iocp_get_many(q, out, 1, &got, timeout_ms, false);
}
