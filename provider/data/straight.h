/* straight.h - the short ways of WSPSend, WSPRecv and of a completion, for the case that is the rule: polled, one
 * registered piece, and nothing that would have to wait: not in software, not for a lock.
 * Layer:   provider/data, inlined into spi/wsp_data.c and complete.c.
 * Threads: any, without a reference to the socket. The queue's lock is there however late the caller comes (see struct
 *          wsd_chan), and while it is held, `open_for` says that the channel belongs to this descriptor and is up.
 * Cost:    few enough instructions that each is worth a thought; scripts/count_instructions.sh counts them. */
#ifndef WSD_STRAIGHT_H
#define WSD_STRAIGHT_H

#include "base/error.h"
#include "data/chan.h"

/* The next free record, which is as it must be but for what is written here. */
static inline struct wsd_op *wsd_straight_op(struct wsd_queue *q, uint8_t kind, uint32_t bytes,
                                             WSAOVERLAPPED *ov)
{
    struct wsd_op *op = q->free;
    q->free = op->next;
    op->ov = ov;
    op->kind = kind;
    op->bytes = bytes;
    op->region[0] = q->last_hit;
    ov->Offset = 0;
    ov->OffsetHigh = 0;
    pal_word_store_release(&ov->Internal, (ULONG_PTR)WSS_OPERATION_IN_PROGRESS); /* before it can complete */
    return op;
}

/* What wsd_op_begin() and the general ways count, once the request is posted. */
static inline int wsd_straight_posted(struct wsd_queue *q, struct wsd_op *op, unsigned side)
{
    q->last_hit->uses[side]++;
    q->live++;
    q->used++;
    wsd_op_list_push(&q->posted, op);
    return 0;
}

/* True: it is that case; the queue's lock is held, and wsd_straight_send() must follow. False: it is not, or it is not this
 * channel; nothing has happened: take xfer.h. */
static inline bool wsd_straight_may_send(struct wsd_chan *c, SOCKET descriptor, const WSABUF *buf)
{
    struct wsd_queue *q = &c->sq;
    if (!pal_lock_try_free(&q->lock))
        return false;
    /* no bytes: the length wraps, the general way sends it */
    if (q->open_for == descriptor && !pal_load_relaxed(&c->cause) &&
        wsd_queue_hits(q, (uintptr_t)buf->buf, buf->len) && q->free && !q->waiting.head && !q->reads &&
        q->used < q->quick_room && buf->len - 1 < c->max_message)
        return true;
    pal_lock_give(&q->lock);
    return false;
}

/* 0 or a Winsock code. Gives the lock back. */
static inline int wsd_straight_send(struct wsd_chan *c, const WSABUF *buf, WSAOVERLAPPED *ov)
{
    struct wsd_queue *q = &c->sq;
    struct wsd_op *op = wsd_straight_op(q, WSD_OP_SEND, buf->len, ov);
    const struct vb_send_wr *bad;
    c->send_wr.id = (uintptr_t)op;
    c->send_wr.flags = op->bytes <= c->caps.inline_bytes ? VB_WR_SIGNALED | VB_WR_INLINE : VB_WR_SIGNALED;
    c->send_piece.addr = (uintptr_t)buf->buf;
    c->send_piece.bytes = op->bytes; /* its key: set with q->last_hit */
    vb_status_t st = vb_post_send(c->qp, &c->send_wr, &bad);
    int error = st == VB_OK ? wsd_straight_posted(q, op, 0) : wsd_op_refused_locked(q, op, st);
    pal_lock_give(&q->lock);
    return error;
}

static inline bool wsd_straight_may_recv(struct wsd_chan *c, SOCKET descriptor, const WSABUF *buf)
{
    struct wsd_queue *q = &c->rq;
    if (!pal_lock_try_free(&q->lock))
        return false;
    if (q->open_for == descriptor && !pal_load_relaxed(&c->cause) &&
        wsd_queue_hits(q, (uintptr_t)buf->buf, buf->len) && q->free && !q->waiting.head &&
        q->used < q->quick_room && buf->len - 1 < 0x7FFFFFFF)
        return true;
    pal_lock_give(&q->lock);
    return false;
}

static inline int wsd_straight_recv(struct wsd_chan *c, const WSABUF *buf, WSAOVERLAPPED *ov)
{
    struct wsd_queue *q = &c->rq;
    struct wsd_op *op = wsd_straight_op(q, WSD_OP_RECV, buf->len, ov);
    const struct vb_recv_wr *bad;
    op->sge[0].addr = (uintptr_t)buf->buf; /* in the record, because a later queue pair may need it again */
    op->sge[0].lkey = q->last_hit->lkey;
    op->sge[0].bytes = op->bytes;
    c->recv_wr.id = (uintptr_t)op;
    c->recv_wr.sge = op->sge;
    vb_status_t st = vb_post_recv(c->qp, &c->recv_wr, &bad);
    int error = st == VB_OK ? wsd_straight_posted(q, op, 1) : wsd_op_refused_locked(q, op, st);
    pal_lock_give(&q->lock);
    return error;
}

/* What wsd_op_finish_locked() does for an operation that is_plain and has succeeded. The record is as
 * wsd_op_free_locked() would leave it. Queue lock held. */
static inline void wsd_straight_done_locked(struct wsd_queue *q, struct wsd_op *op, uint32_t received)
{
    struct wsd_op *next = op->next; /* a reliable QP completes in order: op is the head */
    WSAOVERLAPPED *ov = op->ov;
    uint32_t bytes = op->side ? received : op->bytes;
    q->posted.head = next; /* NOLINT(clang-analyzer-core.NullDereference): every record has a queue */
    if (!next)
        q->posted.tail = &q->posted.head;
    q->used--;
    q->live--;
    q->count.done++;
    q->count.bytes += bytes;
    op->region[0]->uses[op->side]--; /* memory is free again before anybody hears of it (4.13) */
    op->next = q->free;
    q->free = op;
    wsd_store_result(ov, 0, bytes);
    if (q->closed || (next && next->kind == WSD_OP_NOTHING))
        wsd_straight_rest_locked(op->chan, q);
}

/* The one completion of a harvest. False: not that case, nothing has happened; take wsd_chan_complete(). Under the
 * poll_lock of the shard. */
static inline bool wsd_straight_complete(const struct vb_wc *wc)
{
    struct wsd_op *op = (struct wsd_op *)(uintptr_t)wc->id;
    if ((wc->id & WSD_ID_MASK) != WSD_ID_OP || wc->status != VB_OK || !op->is_plain)
        return false;
    struct wsd_queue *q = op->queue;
    pal_lock_take(&q->lock);
    wsd_straight_done_locked(q, op, wc->bytes);
    wsd_queue_refill_and_give(q);
    return true;
}

#endif
