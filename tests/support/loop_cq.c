/* loop_cq.c - owns the loop backend's completion queues and what they give back to the queues of QPs when
 * polled. */
#include <stdlib.h>
#include <string.h>

#include "loop.h"

vb_status_t loop_cq_create(struct vb_dev *dev, uint32_t depth, struct vb_cq **out)
{
    struct loop_config c;
    loop_get_config(&c);
    if (!depth || depth > c.max_cqe)
        return VB_E_INVAL;
    struct vb_cq *cq = calloc(1, sizeof *cq);
    if (!cq)
        return VB_E_NOMEM;
    cq->dev = dev;
    cq->depth = depth;
    cq->ring = calloc(depth, sizeof *cq->ring);
    cq->wakeup = pal_wakeup_create();
    vb_status_t st = cq->ring && cq->wakeup ? VB_OK : VB_E_NOMEM;
    if (st == VB_OK) {
        loop_lock();
        if (loop.has_device) {
            dev->cqs++;
            loop.counts.cqs++;
        } else {
            st = VB_E_NODEV;
        }
        loop_unlock();
    }
    if (st != VB_OK) {
        if (cq->wakeup)
            pal_wakeup_destroy(cq->wakeup);
        free(cq->ring);
        free(cq);
        return st;
    }
    *out = cq;
    return VB_OK;
}

void loop_cq_destroy(struct vb_cq *cq)
{
    loop_lock();
    bool is_used = cq->qps;
    if (is_used) {
        loop_violation("vb_cq_destroy while queue pairs use the completion queue");
    } else {
        cq->dev->cqs--;
        loop.counts.cqs--;
        loop_async_drop(cq->dev->be, NULL, cq, NULL);
    }
    loop_unlock();
    if (is_used)
        return;
    pal_wakeup_destroy(cq->wakeup);
    free(cq->ring);
    free(cq);
}

static void notify(struct vb_cq *cq)
{
    if (!cq->is_armed)
        return;
    cq->is_armed = false;
    cq->notes++;
    loop.counts.notifications++;
    pal_wakeup_signal(cq->wakeup);
}

void loop_cq_push(struct vb_cq *cq, struct vb_qp *qp, bool is_recv, uint64_t seq, const struct vb_wc *wc)
{
    if (cq->is_dead)
        return;
    if (cq->count == cq->depth) {
        cq->is_dead = true;
        loop.counts.cq_overflows++;
        loop_async_push(cq->dev->be, &(struct vb_async_event){.kind = VB_ASYNC_CQ_ERROR, .cq = cq}, NULL);
        for (struct vb_qp *q = loop.qps; q; q = q->next)
            if (q->send_cq == cq || q->recv_cq == cq)
                loop_qp_error(q);
        return;
    }
    struct loop_cqe *e = &cq->ring[(cq->first + cq->count++) % cq->depth];
    *e = (struct loop_cqe){.wc = *wc, .qp = qp, .seq = seq, .is_recv = is_recv};
    loop.counts.completions++;
    notify(cq);
}

void loop_cq_forget_qp(struct vb_cq *cq, const struct vb_qp *qp)
{
    for (uint32_t i = 0; i < cq->count; i++) {
        struct loop_cqe *e = &cq->ring[(cq->first + i) % cq->depth];
        if (e->qp == qp)
            e->qp = NULL;
    }
}

unsigned loop_cq_poll(struct vb_cq *cq, struct vb_wc *wc, unsigned max)
{
    unsigned n = 0;
    loop_guard_enter(&cq->polling, "two threads poll one completion queue at the same time");
    loop_lock();
    while (n < max && cq->count) {
        struct loop_cqe *e = &cq->ring[cq->first];
        cq->first = (cq->first + 1) % cq->depth;
        cq->count--;
        if (e->qp)
            loop_queue_retire(e->is_recv ? &e->qp->rq : &e->qp->sq, e->seq);
        wc[n++] = e->wc;
    }
    loop_unlock();
    loop_guard_leave(&cq->polling);
    return n;
}

vb_status_t loop_cq_arm(struct vb_cq *cq)
{
    loop_lock();
    bool is_dead = cq->is_dead;
    cq->is_armed = !is_dead;
    loop_unlock();
    return is_dead ? VB_E_FATAL : VB_OK;
}

pal_waitable loop_cq_waitable(struct vb_cq *cq)
{
    return pal_wakeup_waitable(cq->wakeup);
}

unsigned loop_cq_ack(struct vb_cq *cq)
{
    loop_lock();
    unsigned n = cq->notes;
    cq->notes = 0;
    pal_wakeup_clear(cq->wakeup);
    loop_unlock();
    return n;
}
