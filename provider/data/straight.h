/* straight.h - the short ways of WSPSend and WSPRecv, for the call that is the rule: polled, one registered piece, and
 * nothing that would have to wait in software.
 * Layer:   provider/data, inlined into spi/wsp_data.c.
 * Threads: any, without a reference to the socket. The queue's lock is there however late the caller comes (see struct
 *          wsd_chan), and while it is held, `open_for` says that the channel belongs to this descriptor and is up.
 * Result:  false: not that case, or not this channel; nothing has happened, take xfer.h. true: *error as there. */
#ifndef WSD_STRAIGHT_H
#define WSD_STRAIGHT_H

#include "base/error.h"
#include "data/chan.h"

/* The region of a piece if it is the one that was used last, else NULL. */
static inline struct wsd_region *wsd_straight_region(const struct wsd_queue *q, const WSABUF *buf)
{
    struct wsd_region *r = q->last_hit;
    uint64_t addr = (uintptr_t)buf->buf;
    return r && buf->len && addr >= r->start && addr < r->end && r->end - addr >= buf->len ? r : NULL;
}

static inline struct wsd_op *wsd_straight_op(struct wsd_queue *q, const WSABUF *buf, struct wsd_region *r,
                                             uint8_t kind, WSAOVERLAPPED *ov)
{
    struct wsd_op *op = q->free;
    q->free = op->next;
    op->ov = ov;
    op->kind = kind;
    op->bytes = buf->len;
    op->is_plain = true; /* not notified: the caller has looked */
    op->sge[0] = (struct vb_sge){.addr = (uintptr_t)buf->buf, .bytes = buf->len, .lkey = r->lkey};
    op->region[0] = r;
    op->sge_count = 1;
    ov->Offset = 0;
    ov->OffsetHigh = 0;
    __atomic_store_n(&ov->Internal, (ULONG_PTR)WSS_OPERATION_IN_PROGRESS,
                     __ATOMIC_RELEASE); /* before it can complete */
    return op;
}

/* What wsd_op_begin() and the general ways count, once the request is posted. */
static inline void wsd_straight_posted(struct wsd_queue *q, struct wsd_op *op)
{
    q->live++;
    q->ops++;
    q->used++;
    wsd_op_list_push(&q->posted, op);
}

static inline int wsd_straight_failed(struct wsd_queue *q, struct wsd_op *op, vb_status_t st)
{
    __atomic_store_n(&op->ov->Internal, (ULONG_PTR)0, __ATOMIC_RELEASE);
    op->region[0] = NULL;
    wsd_op_free_locked(q, op);
    return wsd_error_post(st);
}

static inline bool wsd_straight_send(struct wsd_chan *c, SOCKET descriptor, const WSABUF *buf,
                                     WSAOVERLAPPED *ov, int *error)
{
    struct wsd_queue *q = &c->sq;
    struct wsd_region *r;
    pal_lock_take(&q->lock);
    if (q->open_for != descriptor || pal_load_relaxed(&c->cause) || !(r = wsd_straight_region(q, buf)) ||
        !q->free || q->waiting.head || q->reads || q->used >= q->quick_room || buf->len > c->max_message) {
        pal_lock_give(&q->lock);
        return false;
    }
    struct wsd_op *op = wsd_straight_op(q, buf, r, WSD_OP_SEND, ov);
    const struct vb_send_wr *bad;
    struct vb_send_wr wr;
    wr.next = NULL;
    wr.id = (uintptr_t)op;
    wr.sge = op->sge;
    wr.sge_count = 1;
    wr.op = VB_WR_SEND;
    wr.flags = buf->len <= c->caps.inline_bytes ? VB_WR_SIGNALED | VB_WR_INLINE : VB_WR_SIGNALED;
    vb_status_t st = vb_post_send(c->qp, &wr, &bad);
    if (st == VB_OK) {
        r->send_uses++;
        wsd_straight_posted(q, op);
        *error = 0;
    } else {
        *error = wsd_straight_failed(q, op, st);
    }
    pal_lock_give(&q->lock);
    return true;
}

static inline bool wsd_straight_recv(struct wsd_chan *c, SOCKET descriptor, const WSABUF *buf,
                                     WSAOVERLAPPED *ov, int *error)
{
    struct wsd_queue *q = &c->rq;
    struct wsd_region *r;
    pal_lock_take(&q->lock);
    if (q->open_for != descriptor || pal_load_relaxed(&c->cause) || !(r = wsd_straight_region(q, buf)) ||
        !(r->access & MEM_WRITE) || !q->free || q->waiting.head || c->private_unpaired ||
        q->used + c->private_posted >= q->quick_room || buf->len > 0x7FFFFFFF) {
        pal_lock_give(&q->lock);
        return false;
    }
    struct wsd_op *op = wsd_straight_op(q, buf, r, WSD_OP_RECV, ov);
    struct vb_recv_wr wr = {.next = NULL, .id = (uintptr_t)op, .sge = op->sge, .sge_count = 1};
    const struct vb_recv_wr *bad;
    vb_status_t st = vb_post_recv(c->qp, &wr, &bad);
    if (st == VB_OK) {
        r->recv_uses++;
        wsd_straight_posted(q, op);
        *error = 0;
    } else {
        *error = wsd_straight_failed(q, op, st);
    }
    pal_lock_give(&q->lock);
    return true;
}

#endif
