/* recv.c - the receiving direction: WSPRecv, the private receives of the accept race, refilling.
 * Layer: provider/data.
 *
 * The first K WSPRecv calls of an accepted socket are paired with the K private receives that were posted
 * before the connection was accepted, whether their message has come or not, because the device uses those
 * buffers first (8.5). K = 1: the contract bounds only the first message (256 bytes); a second private
 * buffer would catch the second message, which may be as long as the receives that the switch announced.
 * That is why we do not follow the suggestion of two. */
#include "data/xfer.h"

#include "base/error.h"
#include "data/bounce.h"
#include "data/device.h"
#include "data/gather.h"

#define CHAIN_MAX 32u

vb_status_t wsd_chan_post_private(struct wsd_chan *c, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct wsd_private_buf *b;
        vb_status_t st = wsd_domain_take_private(c->domain, &b);
        if (st != VB_OK)
            return st;
        b->owner = c;
        struct vb_sge sge = {.addr = (uintptr_t)b->bytes, .bytes = WSD_PRIVATE_BYTES, .lkey = b->lkey};
        struct vb_recv_wr wr = {.id = (uintptr_t)b | WSD_ID_PRIVATE, .sge = &sge, .sge_count = 1};
        pal_lock_take(&c->rq.lock);
        st = vb_post_recv(c->qp, &wr, NULL);
        if (st == VB_OK) {
            c->private_posted++;
            c->private_unpaired++;
            wsd_chan_privates_changed(c);
        }
        pal_lock_give(&c->rq.lock);
        if (st != VB_OK) {
            wsd_domain_give_private(c->domain, b);
            return st;
        }
    }
    return VB_OK;
}

static void build(struct wsd_op *op, struct vb_recv_wr *wr)
{
    wr->next = NULL;
    wr->id = (uintptr_t)op;
    wr->sge = op->bounce ? &op->bounce->piece : wsd_op_sge(op);
    wr->sge_count = op->bounce ? 1 : op->sge_count;
}

/* The device also holds private receives; they came first and go first. */
static bool has_room(const struct wsd_chan *c)
{
    return c->rq.used + c->private_posted < c->rq.depth;
}

void wsd_xfer_refill_recv_locked(struct wsd_chan *c)
{
    struct wsd_queue *q = &c->rq;
    struct vb_recv_wr wr[CHAIN_MAX];
    while (!q->stopped && !c->parked && q->waiting.head && has_room(c)) {
        unsigned n = 0;
        while (q->waiting.head && has_room(c) && n < CHAIN_MAX) {
            struct wsd_op *op = wsd_op_list_pop(&q->waiting);
            if (n)
                wr[n - 1].next = &wr[n];
            build(op, &wr[n++]);
            q->used++;
            wsd_op_list_push(&q->posted, op);
        }
        const struct vb_recv_wr *bad = NULL;
        vb_status_t st = vb_post_recv(c->qp, wr, &bad);
        if (st != VB_OK) {
            uint32_t none = 0;
            q->stopped = true;
            q->open_for = INVALID_SOCKET;
            if (pal_cas_acq_rel(&c->cause, &none, (uint32_t)wsd_error_cause(st)))
                c->up->failed(c->owner);
            if (bad)
                wsd_op_unstarted_locked(c, q, (struct wsd_op *)(uintptr_t)bad->id);
            return;
        }
    }
}

/* Meet an arrived first message, or get in line for one. True: paired. */
static bool pair_locked(struct wsd_chan *c, struct wsd_op *op)
{
    if (!c->private_unpaired)
        return false;
    c->private_unpaired--;
    wsd_chan_privates_changed(c);
    struct wsd_private_buf *b = c->arrived;
    if (!b) {
        wsd_op_list_push(&c->private_wait, op);
        /* It may have come all the same: into the queue, while nobody expected anything. Arming tells of what comes later
         * only (ibv_req_notify_cq(3)), so the sleeper has to look; once for each accepted socket. */
        if (op->notify)
            wsd_shard_kick(c->shard);
        return true;
    }
    c->arrived = b->next;
    if (!c->arrived)
        c->arrived_tail = &c->arrived;
    if (wsd_chan_copy_private_locked(c, op, b))
        wsd_shard_kick(c->shard); /* never an upcall from inside the submitting call (Q15) */
    wsd_domain_give_private(c->domain, b);
    return true;
}

static int submit_locked(struct wsd_chan *c, struct wsd_op *op, WSAOVERLAPPED *ov)
{
    struct wsd_queue *q = &c->rq;
    if (wsd_queue_ops(q) >= c->dev->config->queue_cap)
        return WSAENOBUFS;
    wsd_op_begin(q, op, ov);
    if (pair_locked(c, op))
        return 0;
    if (q->waiting.head || c->parked || !has_room(c)) {
        q->count.queued++;
        wsd_op_list_push(&q->waiting, op);
        wsd_xfer_refill_recv_locked(c);
        return 0;
    }
    struct vb_recv_wr wr;
    build(op, &wr);
    vb_status_t st = vb_post_recv(c->qp, &wr, NULL);
    if (st == VB_OK) {
        q->used++;
        wsd_op_list_push(&q->posted, op);
        return 0;
    }
    wsd_op_undo(q, op);
    return wsd_error_post(st);
}

/* A message that came before the connection died is still delivered (section 9), so a dead channel takes a
 * receive that meets one. */
static int dead(struct wsd_chan *c)
{
    int cause = (int)pal_load_acquire(&c->cause);
    if (c->arrived && !c->shut)
        return 0;
    return cause == WSD_CAUSE_MOVED ? WSAEINVAL : cause ? cause : c->rq.stopped ? WSAECONNRESET : 0;
}

static int bounce_unlocked(struct wsd_chan *c, struct wsd_op *op, size_t bytes)
{
    struct wsd_bounce *b;
    if (!wsd_chan_enter(c))
        return WSAENOTCONN;
    pal_lock_give(&c->rq.lock);
    wsd_chan_dispose(c);
    vb_status_t st = wsd_bounce_create(c, bytes, &b);
    pal_lock_take(&c->rq.lock);
    int error = st != VB_OK ? WSAENOBUFS : dead(c);
    if (st == VB_OK && !error)
        op->bounce = b;
    if (st == VB_OK && error) { /* nobody would dispose of it any more */
        pal_lock_give(&c->rq.lock);
        wsd_bounce_destroy(b);
        pal_lock_take(&c->rq.lock);
    }
    wsd_chan_leave(c);
    return error;
}

int wsd_xfer_recv(struct wsd_chan *c, const WSABUF *bufs, uint32_t count, WSAOVERLAPPED *ov)
{
    uint64_t total = wsd_gather_total(bufs, count);
    if (total > 0x7FFFFFFF)
        return WSAEMSGSIZE;
    bool notify = !((uintptr_t)ov->hEvent & 1);
    if (notify)
        wsd_shard_expect(c->shard);
    pal_lock_take(&c->rq.lock);
    struct wsd_op *op = NULL;
    int error = dead(c);
    if (!error && !(op = wsd_op_alloc_locked(c, &c->rq)))
        error = WSAENOBUFS;
    if (!error) {
        op->kind = WSD_OP_RECV;
        op->bytes = (uint32_t)total;
        error = wsd_gather_locked(c, &c->rq, op, bufs, count, MEM_WRITE);
        if (!error && op->sge_count > c->caps.recv_sge)
            error = bounce_unlocked(c, op, (size_t)total);
        if (!error)
            error = submit_locked(c, op, ov);
        if (error) {
            wsd_gather_undo_locked(op);
            if (op->bounce)
                wsd_bounce_retire_locked(c, op->bounce);
            wsd_op_free_locked(&c->rq, op);
        }
    }
    pal_lock_give(&c->rq.lock);
    if (error && notify)
        wsd_shard_expected_one(c->shard);
    return error;
}
