/* gather.h - from the switch's buffer lists to scatter/gather lists of registered memory.
 * Layer:   provider/data. The queue lock is held.
 * Result:  0 or a Winsock code. On success every piece counts as a use of its region until
 *          wsd_op_finish_locked(). */
#ifndef WSD_GATHER_H
#define WSD_GATHER_H

#include "data/chan.h"

static inline uint64_t wsd_gather_total(const WSABUF *bufs, uint32_t count)
{
    uint64_t total = 0;
    for (; count; count--, bufs++)
        total += bufs->len;
    return total;
}

/* WSABUFs: each piece is looked up by address and split where registrations meet (Q11). WSAEFAULT:
 *          unregistered memory, or flag MEM_WRITE on a region without that right. op->kind is set. */
int wsd_gather_many_locked(struct wsd_chan *c, struct wsd_queue *q, struct wsd_op *op, const WSABUF *bufs,
                           uint32_t count, uint32_t flag);
/* The same, with a short way for the rule: one piece, in the region that was used last (rq: one that may be written). */
static inline int wsd_gather_locked(struct wsd_chan *c, struct wsd_queue *q, struct wsd_op *op,
                                    const WSABUF *bufs, uint32_t count, uint32_t flag)
{
    uint64_t addr = count == 1 ? (uintptr_t)bufs->buf : 0;
    if (count != 1 || !bufs->len || !wsd_queue_hits(q, addr, bufs->len))
        return wsd_gather_many_locked(c, q, op, bufs, count, flag);
    struct wsd_region *r = q->last_hit;
    op->sge[0] = (struct vb_sge){.addr = addr, .bytes = bufs->len, .lkey = r->lkey};
    op->region[0] = r;
    op->sge_count = 1;
    r->uses[op->side]++;
    return 0;
}
/* WSABUFEXes: each piece names its registration. WSAEINVAL: not a handle of this socket, or the piece is
 *             not inside it; WSAEFAULT: right. */
int wsd_gather_ex_locked(struct wsd_chan *c, struct wsd_op *op, const WSABUFEX *bufs, uint32_t count,
                         uint32_t flag);
void wsd_gather_undo_locked(struct wsd_op *op);
/* Copy the operation's pieces to one place. */
void wsd_gather_copy(uint8_t *to, struct wsd_op *op);

#endif
