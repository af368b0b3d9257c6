/* complete.c - what happens when a work request comes back, and how an operation ends. Layer:
 * provider/data. Runs under the shard's poll_lock, mostly under one queue lock: no allocation, no log, no
 * backend call but the
 *        chained post that refills a queue. */
#include "base/error.h"
#include "base/upcall.h"
#include "data/bounce.h"
#include "data/straight.h"

#include <string.h>

int wsd_chan_error(struct wsd_chan *c, vb_status_t st)
{
    int cause = (int)pal_load_acquire(&c->cause);
    if (cause == WSD_CAUSE_MOVED)
        return st == VB_OK || st == VB_E_FLUSHED ? 0 : WSAECONNABORTED;
    return wsd_error_completion(st, cause);
}

/* ---- begin and end of an operation --------------------------------------------------------------------- */

void wsd_op_undo(struct wsd_queue *q, struct wsd_op *op)
{
    pal_word_store_release(&op->ov->Internal, (ULONG_PTR)0);
    q->live--; /* never the last: the channel is open */
}

static inline void release_regions_locked(struct wsd_op *op)
{
    struct wsd_region **regions = wsd_op_regions(op);
    for (uint32_t i = 0; i < op->sge_count; i++)
        if (regions[i]) {
            regions[i]->uses[op->side]--;
            regions[i] = NULL;
        }
}

/* The switch has been told. True for the last operation of a closed channel: then the caller sees to it that idle() is
 * called. Queue lock held. */
static inline bool told_locked(struct wsd_chan *c, struct wsd_queue *q)
{
    q->live--;
    return q->closed && pal_sub_acq_rel(&c->left, 1) == 1;
}

bool wsd_op_finish_locked(struct wsd_chan *c, struct wsd_queue *q, struct wsd_op *op, uint32_t error,
                          uint32_t bytes)
{
    release_regions_locked(op); /* memory is free again before anybody hears of it (4.13) */
    if (op->bounce) {
        wsd_bounce_retire_locked(c, op->bounce);
        op->bounce = NULL;
    }
    if (op->kind == WSD_OP_BIND || op->kind == WSD_OP_INVALIDATE) {
        if (op->kind == WSD_OP_BIND)
            wsd_op_free_locked(q, op);
        else
            op->internal_done = true; /* its waiter frees it */
        return false;
    }
    op->error = error;
    op->bytes = bytes;
    q->count.failed += error != 0;
    if (op->notify && !c->silent) {
        q->untold++;
        wsd_shard_push_ready(c->shard, op);
        return true;
    }
    if (op->notify)
        wsd_shard_expected_one(c->shard);
    wsd_store_result(op->ov, error, bytes);
    wsd_op_free_locked(q, op);
    if (!told_locked(c, q))
        return false;
    wsd_shard_push_ready(c->shard, &c->idle_op);
    return true;
}

void wsd_chan_deliver(struct wsd_op *op)
{
    struct wsd_chan *c = op->chan;
    if (op->kind == WSD_OP_IDLE) {
        c->up->idle(c->owner);
        return;
    }
    struct wsd_shard *shard = c->shard;
    struct wsd_queue *q = wsd_op_is_recv(op) ? &c->rq : &c->sq;
    WSAOVERLAPPED *ov = op->ov;
    if (c->silent) {
        wsd_store_result(ov, op->error, op->bytes);
    } else {
        ov->OffsetHigh = op->error;
        ov->Offset = 0;
        wsd_upcall_complete(c->handle, ov, op->error, op->bytes); /* ov is not ours from here on */
    }
    pal_lock_take(&q->lock);
    q->untold--;
    wsd_op_free_locked(q, op);
    bool last = told_locked(c, q);
    pal_lock_give(&q->lock); /* the channel may go now, unless this was the last one */
    wsd_shard_expected_one(shard);
    if (last)
        wsd_shard_push_ready(shard, &c->idle_op);
}

/* ---- completions --------------------------------------------------------------------------------------- */

/* A request failed that nobody had stopped: the connection is dead. The connection thread does the rest. */
static void note_failure(struct wsd_chan *c, vb_status_t st)
{
    uint32_t none = 0;
    if (pal_cas_acq_rel(&c->cause, &none, (uint32_t)wsd_error_cause(st)))
        c->up->failed(c->owner);
}

/* RDMA calls for 0 bytes take their turn in the posted list and end when they reach its head. */
static bool finish_nothings_locked(struct wsd_chan *c, struct wsd_queue *q)
{
    bool ready = false;
    while (q->posted.head && q->posted.head->kind == WSD_OP_NOTHING) {
        struct wsd_op *op = wsd_op_list_pop(&q->posted);
        ready |= wsd_op_finish_locked(c, q, op, (uint32_t)(q->stopped ? wsd_chan_error(c, VB_E_FLUSHED) : 0),
                                      0);
    }
    return ready;
}

static inline void count(struct wsd_queue *q, uint32_t bytes)
{
    q->count.done++;
    q->count.bytes += bytes;
}

static bool send_done_locked(struct wsd_chan *c, struct wsd_op *op, const struct vb_wc *wc)
{
    struct wsd_queue *q = &c->sq;
    struct wsd_op *head = wsd_op_list_pop(&q->posted); /* a reliable QP completes in order */
    vb_status_t st = op->first_error != VB_OK ? (vb_status_t)op->first_error : wc->status;
    (void)head;
    q->used -= op->slots;
    if (op->kind == WSD_OP_READ)
        wsd_queue_read_over(q, op);
    op->first_error = (uint8_t)st;
    if (st != VB_OK)
        note_failure(c, st);
    else if (op->kind == WSD_OP_READ && op->bounce)
        wsd_bounce_scatter(op->bounce, wsd_op_sge(op), op->sge_count, op->bytes);
    if (st == VB_OK)
        count(q, op->bytes);
    bool ready = wsd_op_finish_locked(c, q, op, st == VB_OK ? 0 : (uint32_t)wsd_chan_error(c, st),
                                      st == VB_OK ? op->bytes : 0);
    if (q->posted.head && q->posted.head->kind == WSD_OP_NOTHING)
        ready |= finish_nothings_locked(c, q);
    return ready;
}

/* A local protection or length error of a receive is a message that did not fit: WSAEMSGSIZE (7.6).
 * Buffers and keys were checked when the receive was submitted. Devices differ in the status they give:
 * rxe calls it a QP operation error or an invalid request. */
static vb_status_t recv_status(const struct vb_wc *wc)
{
    return wc->status == VB_E_REMOTE_OP || wc->status == VB_E_PROTECTION ? VB_E_LENGTH : wc->status;
}

static bool recv_done_locked(struct wsd_chan *c, struct wsd_op *op, const struct vb_wc *wc)
{
    struct wsd_queue *q = &c->rq;
    wsd_op_list_pop(&q->posted);
    q->used--;
    if (c->parked && wc->status == VB_E_FLUSHED) {
        wsd_op_list_push(&q->kept, op); /* in posting order, for the next QP (Q27) */
        return false;
    }
    if (wc->status != VB_OK)
        note_failure(c, wc->status);
    else if (op->bounce)
        wsd_bounce_scatter(op->bounce, wsd_op_sge(op), op->sge_count, wc->bytes);
    if (wc->status == VB_OK)
        count(q, wc->bytes);
    if (wc->status == VB_OK)
        return wsd_op_finish_locked(c, q, op, 0, wc->bytes);
    return wsd_op_finish_locked(c, q, op, (uint32_t)wsd_chan_error(c, recv_status(wc)), 0);
}

/* A message in a private buffer meets the receive it is paired with. */
bool wsd_chan_copy_private_locked(struct wsd_chan *c, struct wsd_op *op, const struct wsd_private_buf *b)
{
    uint32_t room = 0;
    for (uint32_t i = 0; i < op->sge_count; i++)
        room += wsd_op_sge(op)[i].bytes;
    if (b->arrived_bytes > room) { /* cannot happen with the switch (Q37): same end as on the device */
        note_failure(c, VB_E_LENGTH);
        return wsd_op_finish_locked(c, &c->rq, op, WSAEMSGSIZE, 0);
    }
    uint32_t at = 0;
    for (uint32_t i = 0; i < op->sge_count && at < b->arrived_bytes; i++) {
        const struct vb_sge *sge = &wsd_op_sge(op)[i];
        uint32_t n = sge->bytes < b->arrived_bytes - at ? sge->bytes : b->arrived_bytes - at;
        memcpy((void *)(uintptr_t)sge->addr, b->bytes + at, n);
        at += n;
    }
    count(&c->rq, b->arrived_bytes);
    return wsd_op_finish_locked(c, &c->rq, op, 0, b->arrived_bytes);
}

static bool private_done_locked(struct wsd_chan *c, struct wsd_private_buf *b, const struct vb_wc *wc)
{
    c->private_posted--; /* NOLINT(clang-analyzer-core.NullDereference): a posted buffer has an owner */
    if (wc->status == VB_OK) {
        b->arrived_bytes = wc->bytes;
        struct wsd_op *op = wsd_op_list_pop(&c->private_wait);
        if (!op) { /* the switch is late: keep it (8.5) */
            b->next = NULL;
            *c->arrived_tail = b;
            c->arrived_tail = &b->next;
            return false;
        }
        bool ready = wsd_chan_copy_private_locked(c, op, b);
        wsd_domain_give_private(c->domain, b);
        return ready;
    }
    wsd_domain_give_private(c->domain, b);
    struct wsd_op *op = wsd_op_list_pop(&c->private_wait);
    if (!op)
        c->private_unpaired--;
    if (c->parked && wc->status == VB_E_FLUSHED) {
        if (op)
            wsd_op_list_push(&c->rq.kept, op);
        return false;
    }
    note_failure(c, wc->status);
    /* A message longer than the private buffer is the peer's fault, not this receive's. */
    vb_status_t st = recv_status(wc) == VB_E_LENGTH ? VB_E_REMOTE_OP : wc->status;
    return op ? wsd_op_finish_locked(c, &c->rq, op, (uint32_t)wsd_chan_error(c, st), 0) : false;
}

int wsd_op_refused_locked(struct wsd_queue *q, struct wsd_op *op, vb_status_t st)
{
    pal_word_store_release(&op->ov->Internal, (ULONG_PTR)0);
    op->region[0] = NULL;
    wsd_op_free_locked(q, op);
    return wsd_error_post(st);
}

void wsd_straight_rest_locked(struct wsd_chan *c, struct wsd_queue *q)
{
    if (q->closed && pal_sub_acq_rel(&c->left, 1) == 1)
        wsd_shard_push_ready(c->shard, &c->idle_op);
    finish_nothings_locked(c, q);
}

void wsd_queue_refill_locked(struct wsd_queue *q)
{
    struct wsd_chan *c = q->waiting.head->chan;
    if (q == &c->sq)
        wsd_xfer_refill_send_locked(c);
    else
        wsd_xfer_refill_recv_locked(c);
}

static void other_done_locked(struct wsd_queue *q, const struct vb_wc *wc)
{
    void *object = (void *)(uintptr_t)(wc->id & ~(uint64_t)WSD_ID_MASK);
    struct wsd_private_buf *b = object;
    struct wsd_op *op = object;
    switch ((enum wsd_id_tag)(wc->id & WSD_ID_MASK)) {
    case WSD_ID_PRIVATE: {
        struct wsd_chan *c = b->owner;
        private_done_locked(c, b, wc);
        wsd_chan_privates_changed(c);
        break;
    }
    case WSD_ID_MEMBER:
        if (op->first_error == VB_OK)
            op->first_error = (uint8_t)wc->status; /* the final request of the operation follows, flushed */
        break;
    default:
        if (q == &op->chan->rq)
            recv_done_locked(op->chan, op, wc);
        else
            send_done_locked(op->chan, op, wc);
    }
}

static inline struct wsd_queue *queue_of(uint64_t id)
{
    void *object = (void *)(uintptr_t)(id & ~(uint64_t)WSD_ID_MASK);
    if ((id & WSD_ID_MASK) != WSD_ID_PRIVATE)
        return ((struct wsd_op *)object)->queue;
    struct wsd_chan *c = ((struct wsd_private_buf *)object)->owner;
    return &c->rq;
}

/* Of many connections the next completion's records are in no near cache; asked for ahead, the misses overlap (softiwarp does the
 * same with its QPs). `wc` has a successor, whose record was asked for before. */
static void fetch_ahead(const struct vb_wc *wc)
{
    const struct wsd_op *next = (const struct wsd_op *)(uintptr_t)wc[1].id;
    if ((wc[1].id & WSD_ID_MASK) != WSD_ID_OP)
        return;
    pal_prefetch(next->chan, sizeof *next->chan);
    PAL_PREFETCH(next->ov);
}

void wsd_chan_complete(const struct vb_wc *wc, unsigned n)
{
    struct wsd_queue *locked = NULL; /* kept over neighbours of one queue, which are the rule */
    for (unsigned i = 1; i < n; i++)
        PAL_PREFETCH((const void *)(uintptr_t)(wc[i].id & ~(uint64_t)WSD_ID_MASK));
    for (const struct vb_wc *end = wc + n; wc != end; wc++) {
        if (end - wc > 1)
            fetch_ahead(wc);
        struct wsd_op *op = (struct wsd_op *)(uintptr_t)wc->id;
        struct wsd_queue *q = queue_of(wc->id);
        if (q != locked) {
            if (locked)
                wsd_queue_refill_and_give(locked);
            pal_lock_take(&q->lock);
            locked = q;
        }
        if ((wc->id & WSD_ID_MASK) == WSD_ID_OP && op->is_plain && wc->status == VB_OK)
            wsd_straight_done_locked(q, op, wc->bytes);
        else
            other_done_locked(q, wc);
    }
    if (locked)
        wsd_queue_refill_and_give(locked);
}
