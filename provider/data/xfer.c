/* xfer.c - the sending direction: WSPSend, RDMA write and read, and the internal requests of the send queue.
 * Layer: provider/data. See xfer.h. */
#include "data/xfer.h"

#include <string.h>

#include "base/error.h"
#include "data/bounce.h"
#include "data/device.h"
#include "data/gather.h"
#include "data/grant.h"
#include "pal/time.h"

#define CHAIN_MAX          32u   /* work requests of one post */
#define OP_WR_MAX          8u    /* work requests of one RDMA transfer; longer lists are bounced */
#define ROOM_WAIT_MS       1000u /* for a slot in a full send queue (binds and invalidates only) */
#define INVALIDATE_WAIT_MS 10000u

static uint32_t user_depth(const struct wsd_queue *q)
{
    return q->depth - WSD_INTERNAL_SLOTS;
}

/* ---- work requests ------------------------------------------------------------------------------------- */

static const uint8_t opcode[] = {
    [WSD_OP_SEND] = VB_WR_SEND, [WSD_OP_WRITE] = VB_WR_WRITE, [WSD_OP_READ] = VB_WR_READ};

/* Pieces that one work request may have. Reads may be more limited than the rest. */
static uint32_t pieces_max(const struct wsd_chan *c, uint8_t kind)
{
    uint32_t reads = c->dev->caps.max_read_sge;
    return kind == WSD_OP_READ && reads && reads < c->caps.send_sge ? reads : c->caps.send_sge;
}

/* Write the requests of one operation to wr[]; returns how many. Later requests are fenced while reads are
 * out (7.5). */
static unsigned build_many_locked(const struct wsd_chan *c, struct wsd_op *op, struct vb_send_wr *wr,
                                  uint32_t reads)
{
    const struct vb_sge *sge = op->bounce ? &op->bounce->piece : wsd_op_sge(op);
    uint32_t left = op->bounce ? (op->bytes ? 1 : 0) : op->sge_count;
    uint64_t remote = op->remote_addr;
    uint32_t most = pieces_max(c, op->kind);
    unsigned n = 0;
    do {
        uint32_t pieces = left < most ? left : most;
        struct vb_send_wr *w = &wr[n++];
        w->next = w + 1;
        w->id = (uintptr_t)op | WSD_ID_MEMBER;
        w->sge = sge;
        w->sge_count = pieces;
        w->op = opcode[op->kind];
        w->flags = reads && op->kind != WSD_OP_READ ? VB_WR_FENCE : 0;
        w->u.rdma.remote_addr = remote;
        w->u.rdma.rkey = op->u.rkey;
        for (uint32_t i = 0; i < pieces; i++)
            remote += sge[i].bytes;
        sge += pieces;
        left -= pieces;
    } while (left);
    struct vb_send_wr *last = &wr[n - 1];
    last->next = NULL;
    last->id = (uintptr_t)op;
    last->flags |= VB_WR_SIGNALED;
    if (n == 1 && op->kind != WSD_OP_READ && op->bytes && op->bytes <= c->caps.inline_bytes)
        last->flags |= VB_WR_INLINE;
    return n;
}

/* The same; a send or write from one piece, which is the rule, without the detours. */
static inline unsigned build_locked(const struct wsd_chan *c, struct wsd_op *op, struct vb_send_wr *wr,
                                    uint32_t reads)
{
    if (op->sge_count != 1 || op->kind == WSD_OP_READ || op->ext || op->bounce)
        return build_many_locked(c, op, wr, reads);
    wr->next = NULL;
    wr->id = (uintptr_t)op;
    wr->sge = op->sge;
    wr->sge_count = 1;
    wr->op = opcode[op->kind];
    wr->flags = (uint8_t)(VB_WR_SIGNALED | (reads ? VB_WR_FENCE : 0) |
                          (op->bytes <= c->caps.inline_bytes ? VB_WR_INLINE : 0));
    wr->u.rdma.remote_addr = op->remote_addr;
    wr->u.rdma.rkey = op->u.rkey;
    return 1;
}

static void posted_locked(struct wsd_chan *c, struct wsd_op *op, unsigned requests)
{
    struct wsd_queue *q = &c->sq;
    q->used += requests;
    op->slots = (uint16_t)requests;
    if (op->kind == WSD_OP_READ) {
        q->reads++;
        q->read_requests += requests;
    }
    wsd_op_list_push(&q->posted, op);
}

/* A post that went wrong half-way leaves requests without their signaled end: only ending the connection
 * clears that up. */
static void post_failed_locked(struct wsd_chan *c, vb_status_t st)
{
    uint32_t none = 0;
    c->sq.stopped = true;
    c->sq.open_for = INVALID_SOCKET;
    if (pal_cas_acq_rel(&c->cause, &none, (uint32_t)wsd_error_cause(st)))
        c->up->failed(c->owner);
}

static bool fits_locked(const struct wsd_chan *c, const struct wsd_op *op)
{
    const struct wsd_queue *q = &c->sq;
    if (op->kind == WSD_OP_NOTHING)
        return true;
    if (c->dev->caps.flags & VB_CAP_FENCE_STALLS) { /* nothing may wait in the device: see vb.h */
        bool waits = op->kind == WSD_OP_READ ? q->read_requests + op->slots > c->read_depth : q->reads != 0;
        if (waits)
            return false;
    }
    return q->used + op->slots <= user_depth(q);
}

static struct wsd_op *op_of(const struct vb_send_wr *w)
{
    return (struct wsd_op *)(uintptr_t)(w->id & ~(uint64_t)WSD_ID_MASK);
}

/* The first operation of a chain none of whose requests was taken; NULL: every one was at least begun. */
static struct wsd_op *first_unstarted(const struct vb_send_wr *first, const struct vb_send_wr *bad)
{
    const struct vb_send_wr *before = NULL;
    /* NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Assign): a chain as build_locked() linked it ends with NULL */
    for (const struct vb_send_wr *w = first; w && w != bad; w = w->next)
        before = w;
    while (bad && before && op_of(bad) == op_of(before))
        bad = bad->next;
    return bad ? op_of(bad) : NULL;
}

void wsd_xfer_refill_send_locked(struct wsd_chan *c)
{
    struct wsd_queue *q = &c->sq;
    struct vb_send_wr wr[CHAIN_MAX];
    while (!q->stopped && !c->parked && c->started && q->waiting.head && fits_locked(c, q->waiting.head)) {
        if (q->waiting.head->kind == WSD_OP_NOTHING) {
            struct wsd_op *op = wsd_op_list_pop(&q->waiting);
            if (q->posted.head)
                wsd_op_list_push(&q->posted, op);
            else if (wsd_op_finish_locked(c, q, op, 0, 0))
                wsd_shard_kick(c->shard);
            continue;
        }
        unsigned n = 0;
        struct wsd_op *op;
        while ((op = q->waiting.head) && op->kind != WSD_OP_NOTHING && fits_locked(c, op) &&
               n + op->slots <= CHAIN_MAX) {
            wsd_op_list_pop(&q->waiting);
            if (n)
                wr[n - 1].next = &wr[n];
            unsigned made = build_locked(c, op, &wr[n], q->reads);
            posted_locked(c, op, made);
            n += made;
        }
        const struct vb_send_wr *bad = NULL;
        vb_status_t st = vb_post_send(c->qp, wr, &bad);
        if (st != VB_OK) {
            post_failed_locked(c, st);
            if (bad) /* an operation that was cut in two ends with its connection */
                wsd_op_unstarted_locked(c, q, first_unstarted(wr, bad));
            return;
        }
    }
}

/* ---- submission ---------------------------------------------------------------------------------------- */

/* Post at once when nothing waits and there is room, else queue in software (Q13). op is on no list. */
static int submit_locked(struct wsd_chan *c, struct wsd_op *op, WSAOVERLAPPED *ov)
{
    struct wsd_queue *q = &c->sq;
    if (wsd_queue_ops(q) >= c->dev->config->queue_cap)
        return WSAENOBUFS;
    wsd_op_begin(q, op, ov);
    if (op->kind == WSD_OP_NOTHING || q->waiting.head || c->parked || !c->started || !fits_locked(c, op)) {
        q->count.queued++;
        wsd_op_list_push(&q->waiting, op);
        wsd_xfer_refill_send_locked(c);
        return 0;
    }
    struct vb_send_wr wr[OP_WR_MAX];
    const struct vb_send_wr *bad = NULL;
    unsigned n = build_locked(c, op, wr, q->reads);
    vb_status_t st = vb_post_send(c->qp, wr, &bad);
    if (st == VB_OK || bad != wr) {
        posted_locked(c, op, n);
        if (st != VB_OK)
            post_failed_locked(c, st);
        return 0;
    }
    wsd_op_undo(q, op);
    return wsd_error_post(st);
}

static int dead(struct wsd_chan *c)
{
    int cause = (int)pal_load_acquire(&c->cause);
    return cause == WSD_CAUSE_MOVED ? WSAEINVAL : cause ? cause : c->sq.stopped ? WSAECONNRESET : 0;
}

/* Lists beyond the device go through a buffer of our own. The lock is dropped for making it; the operation
 * is on no list, so nobody else can see it. */
static int bounce_unlocked(struct wsd_chan *c, struct wsd_op *op, const WSABUF *bufs, uint32_t count)
{
    struct wsd_bounce *b;
    if (!wsd_chan_enter(c))
        return WSAENOTCONN;
    pal_lock_give(&c->sq.lock);
    wsd_chan_dispose(c);
    vb_status_t st = wsd_bounce_create(c, op->bytes, &b);
    if (st == VB_OK && bufs)
        wsd_bounce_gather(b, bufs, count);
    pal_lock_take(&c->sq.lock);
    int error = st != VB_OK ? (wsd_error_register(st) == WSAENETDOWN ? WSAENETDOWN : WSAENOBUFS) : dead(c);
    if (st == VB_OK && !error) {
        op->bounce = b;
        op->slots = 1;
    } else if (st == VB_OK) { /* nobody would dispose of it any more */
        pal_lock_give(&c->sq.lock);
        wsd_bounce_destroy(b);
        pal_lock_take(&c->sq.lock);
    }
    wsd_chan_leave(c);
    return error;
}

static void abandon_locked(struct wsd_chan *c, struct wsd_op *op)
{
    wsd_gather_undo_locked(op);
    if (op->bounce)
        wsd_bounce_retire_locked(c, op->bounce);
    wsd_op_free_locked(&c->sq, op);
}

int wsd_xfer_send(struct wsd_chan *c, const WSABUF *bufs, uint32_t count, WSAOVERLAPPED *ov)
{
    uint64_t total = wsd_gather_total(bufs, count);
    if (total > c->max_message)
        return WSAEMSGSIZE;
    bool notify = !((uintptr_t)ov->hEvent & 1);
    if (notify)
        wsd_shard_expect(c->shard);
    pal_lock_take(&c->sq.lock);
    struct wsd_op *op = NULL;
    int error = dead(c);
    if (!error && !(op = wsd_op_alloc_locked(c, &c->sq)))
        error = WSAENOBUFS;
    if (!error) {
        op->kind = WSD_OP_SEND;
        op->bytes = (uint32_t)total;
        error = wsd_gather_locked(c, &c->sq, op, bufs, count, MEM_READ);
        if (!error && op->sge_count > c->caps.send_sge)
            error = bounce_unlocked(c, op, bufs, count);
        if (!error)
            error = submit_locked(c, op, ov);
        if (error)
            abandon_locked(c, op);
    }
    pal_lock_give(&c->sq.lock);
    if (error && notify)
        wsd_shard_expected_one(c->shard);
    return error;
}

int wsd_xfer_rdma(struct wsd_chan *c, enum wsd_op_kind kind, const WSABUFEX *bufs, uint32_t count,
                  const struct wsd_descriptor *target, uint32_t offset, WSAOVERLAPPED *ov, uint32_t max_bytes)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < count; i++)
        total += bufs[i].len;
    if (total > max_bytes)
        return WSAEMSGSIZE;
    uint32_t right = kind == WSD_OP_READ ? MEM_READ : MEM_WRITE;
    if (target->nonce != c->peer_nonce || !(target->access & right) ||
        (uint64_t)offset + total > target->bytes)
        return WSAEINVAL; /* 6.6; the device of the peer checks again */
    bool notify = !((uintptr_t)ov->hEvent & 1);
    if (notify)
        wsd_shard_expect(c->shard);
    pal_lock_take(&c->sq.lock);
    struct wsd_op *op = NULL;
    int error = dead(c);
    if (!error && !(op = wsd_op_alloc_locked(c, &c->sq)))
        error = WSAENOBUFS;
    if (!error) {
        op->kind = (uint8_t)(total ? kind : WSD_OP_NOTHING);
        op->bytes = (uint32_t)total;
        op->remote_addr = target->addr + offset;
        op->u.rkey = target->rkey;
        error = wsd_gather_ex_locked(c, op, bufs, count, kind == WSD_OP_READ ? MEM_WRITE : MEM_READ);
        if (!error && op->kind != WSD_OP_NOTHING) {
            uint32_t most = pieces_max(c, op->kind);
            uint32_t requests = (op->sge_count + most - 1) / most;
            op->slots = (uint16_t)requests;
            if (requests > OP_WR_MAX || requests > user_depth(&c->sq) ||
                (kind == WSD_OP_READ && requests > c->read_depth)) {
                error = bounce_unlocked(c, op, NULL, 0);
                if (!error && kind == WSD_OP_WRITE)
                    wsd_gather_copy(op->bounce->bytes, op);
            }
        }
        if (!error)
            error = submit_locked(c, op, ov);
        if (error)
            abandon_locked(c, op);
    }
    pal_lock_give(&c->sq.lock);
    if (error && notify)
        wsd_shard_expected_one(c->shard);
    return error;
}

/* ---- binds and invalidates ----------------------------------------------------------------------------- */

/* Wait, sq.lock held on entry and on VB_OK, for a free slot. And for the channel to be opened: the first message of a peer that has moved
 * may be faster than our own thread that took the new connection (on_resume()), and whoever heard it may register at once. */
static vb_status_t room_locked(struct wsd_chan *c)
{
    uint64_t deadline = 0;
    for (;;) {
        if (dead(c))
            return VB_E_RESET;
        if (c->parked)
            return VB_E_STATE;
        if (c->started && c->sq.used < c->sq.depth)
            return VB_OK;
        pal_lock_give(&c->sq.lock);
        deadline = deadline ? deadline : pal_now_ns() + ROOM_WAIT_MS * 1000000ull;
        bool late = pal_now_ns() > deadline;
        if (!wsd_shard_harvest(c->shard, true))
            pal_thread_yield();
        pal_lock_take(&c->sq.lock);
        if (late && !c->started)
            return VB_E_STATE;
        if (late)
            return c->sq.used < c->sq.depth ? VB_OK : VB_E_AGAIN;
    }
}

vb_status_t wsd_xfer_bind(struct wsd_chan *c, struct vb_mw *mw, struct vb_mr *mr, uint64_t addr,
                          uint64_t bytes, uint32_t access, uint32_t *key)
{
    struct wsd_queue *q = &c->sq;
    struct wsd_op *op = NULL;
    pal_lock_take(&q->lock);
    vb_status_t st = room_locked(c);
    if (st == VB_OK && !(op = wsd_op_alloc_locked(c, q)))
        st = VB_E_NOMEM;
    if (st == VB_OK) {
        /* Signaled, although nobody waits for it: its window may be freed only when it is known to be
         * done, and behind the last signaled request of a dying QP nothing tells. */
        op->kind = WSD_OP_BIND;
        struct vb_send_wr wr = {
            .id = (uintptr_t)op,
            .op = VB_WR_BIND,
            .flags = VB_WR_SIGNALED,
            .u.bind = {.mw = mw, .mr = mr, .addr = addr, .bytes = bytes, .access = access}};
        st = vb_post_send(c->qp, &wr, NULL);
        if (st == VB_OK) {
            *key = vb_mw_rkey(mw);
            posted_locked(c, op, 1);
        } else {
            wsd_op_free_locked(q, op);
        }
    }
    pal_lock_give(&q->lock);
    return st == VB_E_STATE ? VB_E_RESET : st;
}

/* Harvest until the request came back. False: it did not in time. */
static bool wait_done(struct wsd_chan *c, struct wsd_op *op)
{
    uint64_t deadline = pal_now_ns() + INVALIDATE_WAIT_MS * 1000000ull;
    for (unsigned idle = 0;;) {
        pal_lock_take(&c->sq.lock);
        bool done = op->internal_done;
        pal_lock_give(&c->sq.lock);
        if (done)
            return true;
        if (wsd_shard_harvest(c->shard, true)) {
            idle = 0;
            continue;
        }
        if (++idle < 256)
            pal_thread_yield();
        else if (pal_now_ns() > deadline)
            return false;
        else
            pal_sleep_ms(1); /* behind a send that the peer does not take: not a fast case any more */
    }
}

vb_status_t wsd_xfer_invalidate(struct wsd_chan *c, struct vb_mw *mw)
{
    struct wsd_queue *q = &c->sq;
    pal_lock_take(&q->lock);
    vb_status_t st = room_locked(c);
    struct wsd_op *op = st == VB_OK ? wsd_op_alloc_locked(c, q) : NULL;
    if (st == VB_OK && !op)
        st = VB_E_NOMEM;
    if (st == VB_OK) {
        op->kind = WSD_OP_INVALIDATE;
        struct vb_send_wr wr = {.id = (uintptr_t)op,
                                .op = VB_WR_INVALIDATE,
                                .flags = VB_WR_SIGNALED | VB_WR_FENCE,
                                .u.invalidate = mw};
        st = vb_post_send(c->qp, &wr, NULL);
        if (st == VB_OK)
            posted_locked(c, op, 1);
        else
            wsd_op_free_locked(q, op);
    }
    pal_lock_give(&q->lock);
    if (st == VB_OK && !wait_done(c, op)) {
        /* The guarantee is absolute: no access after return (6.5). If the queue is stuck, end the
         * connection; that flushes it. */
        pal_lock_take(&q->lock);
        post_failed_locked(c, VB_E_RETRY);
        pal_lock_give(&q->lock); /* the connection thread stops the QP; it may have another one by now */
        while (!wait_done(c, op))
            ;
    } else if (st != VB_OK && st != VB_E_RESET && st != VB_E_STATE) {
        pal_lock_take(&q->lock);
        post_failed_locked(c, st);
        pal_lock_give(&q->lock);
    }
    if (st == VB_OK) {
        pal_lock_take(&q->lock);
        st = (vb_status_t)op->first_error;
        wsd_op_free_locked(q, op);
        pal_lock_give(&q->lock);
    }
    return st == VB_OK ? VB_OK : VB_E_RESET;
}
