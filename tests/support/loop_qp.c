/* loop_qp.c - owns the loop backend's queue pairs: posting, the engine that carries requests out in order,
 * errors and flushing. */
#include <stdlib.h>
#include <string.h>

#include "loop.h"

static struct loop_slot *slot_at(struct loop_queue *q, uint64_t seq)
{
    return &q->slots[seq % q->depth];
}

/* ---- create and destroy ---- */

static bool queue_init(struct loop_queue *q, uint32_t depth, uint32_t sge, uint32_t inline_bytes)
{
    /* One spare piece and byte: calloc of nothing may be NULL. */
    q->depth = depth;
    q->slots = calloc(depth + 1u, sizeof *q->slots);
    q->sges = calloc((size_t)depth * sge + 1, sizeof *q->sges);
    q->inl = calloc((size_t)depth * inline_bytes + 1, 1);
    if (!q->slots || !q->sges || !q->inl)
        return false;
    for (uint32_t i = 0; i < depth; i++) {
        q->slots[i].sge = q->sges + (size_t)i * sge;
        q->slots[i].inl = q->inl + (size_t)i * inline_bytes;
    }
    return true;
}

static void queue_fini(struct loop_queue *q)
{
    free(q->slots);
    free(q->sges);
    free(q->inl);
}

void loop_queue_retire(struct loop_queue *q, uint64_t seq)
{
    for (; q->free <= seq; q->free++) {
        struct loop_slot *s = slot_at(q, q->free);
        for (uint32_t i = 0; i < s->sge_count; i++)
            if (s->sge[i].mr)
                s->sge[i].mr->in_use--;
        if (s->mr)
            s->mr->in_use--;
        if (s->mw)
            s->mw->in_use--;
        s->mr = NULL;
        s->mw = NULL;
        s->sge_count = 0;
    }
}

static void qp_timer(void *arg)
{
    loop_qp_run(arg);
}

vb_status_t loop_qp_create(struct vb_pd *pd, struct vb_cq *send_cq, struct vb_cq *recv_cq,
                           struct vb_qp_caps *caps, void *context, struct vb_qp **out)
{
    struct loop_config c;
    loop_get_config(&c);
    if (caps->send_wr > c.max_qp_wr || caps->recv_wr > c.max_qp_wr || caps->send_sge > c.max_sge ||
        caps->recv_sge > c.max_sge || send_cq->dev != pd->dev || recv_cq->dev != pd->dev)
        return VB_E_INVAL;
    struct vb_qp *qp = calloc(1, sizeof *qp);
    if (!qp)
        return VB_E_NOMEM;
    qp->caps = *caps;
    if (qp->caps.inline_bytes > c.max_inline_bytes)
        qp->caps.inline_bytes = c.max_inline_bytes;
    qp->pd = pd;
    qp->send_cq = send_cq;
    qp->recv_cq = recv_cq;
    qp->context = context;
    qp->timer.fn = qp_timer;
    qp->timer.arg = qp;
    vb_status_t st = VB_E_NOMEM;
    bool has_room = queue_init(&qp->sq, qp->caps.send_wr, qp->caps.send_sge, qp->caps.inline_bytes);
    if (queue_init(&qp->rq, qp->caps.recv_wr, qp->caps.recv_sge, 0) && has_room) {
        loop_lock();
        st = loop.has_device ? VB_OK : VB_E_NODEV;
        if (st == VB_OK) {
            qp->number = loop.next_qp_number++;
            qp->next = loop.qps;
            loop.qps = qp;
            pd->qps++;
            send_cq->qps++;
            recv_cq->qps++;
            loop.counts.qps++;
        }
        loop_unlock();
    }
    if (st != VB_OK) {
        queue_fini(&qp->sq);
        queue_fini(&qp->rq);
        free(qp);
        return st;
    }
    *caps = qp->caps;
    *out = qp;
    return VB_OK;
}

void loop_qp_destroy(struct vb_qp *qp)
{
    loop_lock();
    if (loop.config.qp_error_ends_conn && qp->conn)
        loop_conn_link_down(qp->conn);
    struct vb_qp *peer = loop_qp_peer(qp), **at = &loop.qps;
    loop_timer_set(&qp->timer, 0);
    if (qp->conn)
        qp->conn->qp = NULL;
    if (peer)
        loop_qp_run(peer);
    /* What was not polled loses its hold on memory; completions stay where they are. */
    if (qp->sq.posted)
        loop_queue_retire(&qp->sq, qp->sq.posted - 1);
    if (qp->rq.posted)
        loop_queue_retire(&qp->rq, qp->rq.posted - 1);
    loop_cq_forget_qp(qp->send_cq, qp);
    loop_cq_forget_qp(qp->recv_cq, qp);
    loop_async_drop(qp->pd->dev->be, NULL, NULL, qp);
    while (*at != qp)
        at = &(*at)->next;
    *at = qp->next;
    qp->pd->qps--;
    qp->send_cq->qps--;
    qp->recv_cq->qps--;
    loop.counts.qps--;
    loop_unlock();
    queue_fini(&qp->sq);
    queue_fini(&qp->rq);
    free(qp);
}

uint32_t loop_qp_number(const struct vb_qp *qp)
{
    return qp->number;
}

/* ---- completions and errors ---- */

static void complete(struct vb_qp *qp, bool is_recv, uint64_t seq, vb_status_t status, uint64_t bytes)
{
    static const uint8_t ops[] = {[VB_WR_SEND] = VB_WC_SEND,
                                  [VB_WR_WRITE] = VB_WC_WRITE,
                                  [VB_WR_READ] = VB_WC_READ,
                                  [VB_WR_BIND] = VB_WC_BIND,
                                  [VB_WR_INVALIDATE] = VB_WC_INVALIDATE};
    struct loop_slot *s = slot_at(is_recv ? &qp->rq : &qp->sq, seq);
    /* Fields that the contract leaves undefined are made useless. */
    struct vb_wc wc = {.id = s->id, .status = status, .bytes = 0xdeadbeef, .op = 0xee};
    if (status == VB_OK)
        wc.op = is_recv ? VB_WC_RECV : ops[s->op];
    if (status == VB_OK && is_recv)
        wc.bytes = (uint32_t)bytes;
    loop_cq_push(is_recv ? qp->recv_cq : qp->send_cq, qp, is_recv, seq, &wc);
}

/* done moves before each push: a push may find the CQ full, which ends in here again. */
static void flush_sends(struct vb_qp *qp)
{
    qp->sq.exec = qp->sq.posted;
    qp->reads_out = 0;
    while (qp->sq.done < qp->sq.posted)
        complete(qp, false, qp->sq.done++, VB_E_FLUSHED, 0);
}

static void flush_recvs(struct vb_qp *qp)
{
    while (qp->rq.done < qp->rq.posted)
        complete(qp, true, qp->rq.done++, VB_E_FLUSHED, 0);
}

struct vb_qp *loop_qp_peer(struct vb_qp *qp)
{
    struct vb_conn *c = qp->conn;
    return c && !c->is_cut && c->peer ? c->peer->qp : NULL;
}

void loop_qp_error(struct vb_qp *qp)
{
    if (qp->state == LOOP_QP_ERROR)
        return;
    qp->state = LOOP_QP_ERROR;
    loop_timer_set(&qp->timer, 0);
    flush_sends(qp);
    flush_recvs(qp);
    if (loop.config.qp_error_ends_conn && qp->conn)
        loop_conn_link_down(qp->conn);
    struct vb_qp *peer = loop_qp_peer(qp);
    if (peer)
        loop_qp_run(peer);
}

void loop_qp_stop(struct vb_qp *qp)
{
    loop_lock();
    loop_qp_error(qp);
    flush_recvs(qp);
    loop_unlock();
}

static void complete_in_order(struct vb_qp *qp)
{
    struct loop_queue *q = &qp->sq;
    while (qp->state == LOOP_QP_RTS && q->done < q->exec && slot_at(q, q->done)->state == LOOP_SLOT_DONE) {
        uint64_t seq = q->done++;
        if (slot_at(q, seq)->flags & VB_WR_SIGNALED)
            complete(qp, false, seq, VB_OK, 0);
    }
}

/* ---- the engine ----
 * Every step either changed something (true) or has to wait (false). A step that fails a request waits for
 * earlier reads first, before it touches anything, so that completions keep their order and status. */

static bool succeed(struct vb_qp *qp, uint64_t seq)
{
    if (qp->state == LOOP_QP_RTS) { /* else a full CQ of the peer's killed us meanwhile: flushed already */
        slot_at(&qp->sq, seq)->state = LOOP_SLOT_DONE;
        if (qp->sq.exec == seq)
            qp->sq.exec++;
        complete_in_order(qp);
    }
    return true;
}

static bool must_wait_to_fail(const struct vb_qp *qp, uint64_t seq)
{
    return qp->sq.done != seq;
}

static bool fail(struct vb_qp *qp, uint64_t seq, vb_status_t status)
{
    if (must_wait_to_fail(qp, seq))
        return false;
    if (qp->state == LOOP_QP_RTS) {
        qp->sq.done = seq + 1;
        complete(qp, false, seq, status, 0);
        loop_qp_error(qp);
    }
    return true;
}

/* The peer refused: it dies too, and learns of it by an asynchronous event if no completion of its own can
 * say so. */
static bool fail_both(struct vb_qp *qp, uint64_t seq, vb_status_t status, struct vb_qp *peer, bool is_silent)
{
    if (must_wait_to_fail(qp, seq))
        return false;
    if (is_silent)
        loop_async_push(peer->pd->dev->be,
                        &(struct vb_async_event){.kind = VB_ASYNC_QP_FATAL, .qp_context = peer->context},
                        peer);
    (void)fail(qp, seq, status);
    loop_qp_error(peer);
    return true;
}

static bool is_covered(const struct loop_slot *s, uint32_t access)
{
    if (s->flags & VB_WR_INLINE)
        return true;
    for (uint32_t i = 0; i < s->sge_count; i++) {
        const struct loop_sge *e = &s->sge[i];
        if (!e->bytes)
            continue;
        if (!e->mr || (e->mr->access & access) != access || e->addr < e->mr->addr ||
            e->addr - e->mr->addr > e->mr->bytes || e->bytes > e->mr->bytes - (e->addr - e->mr->addr))
            return false;
    }
    return true;
}

static void *remote_memory(const struct vb_qp *peer, uint32_t rkey, uint64_t addr, uint64_t bytes,
                           uint32_t access)
{
    const struct loop_key *k = loop_key_find(loop.rkeys, rkey);
    uint64_t start, size;
    if (!k)
        return NULL;
    if (k->mr) {
        if (k->mr->pd != peer->pd || (k->mr->access & access) != access)
            return NULL;
        start = k->mr->addr;
        size = k->mr->bytes;
    } else {
        if (k->mw->qp_number != peer->number || (k->mw->access & access) != access)
            return NULL;
        start = k->mw->addr;
        size = k->mw->bytes;
    }
    if (addr < start || addr - start > size || bytes > size - (addr - start))
        return NULL;
    return (void *)(uintptr_t)addr;
}

/* Copy n bytes between the pieces of a request, from its byte `at` on, and contiguous memory. */
static void copy_pieces(const struct loop_slot *s, uint64_t at, uint8_t *mem, uint64_t n, bool to_pieces)
{
    if (s->flags & VB_WR_INLINE) {
        memcpy(mem, s->inl + at, n);
        return;
    }
    for (uint32_t i = 0; i < s->sge_count && n; i++) {
        uint64_t have = s->sge[i].bytes;
        if (at >= have) {
            at -= have;
            continue;
        }
        uint8_t *piece = (uint8_t *)(uintptr_t)(s->sge[i].addr + at);
        uint64_t part = have - at < n ? have - at : n;
        if (to_pieces)
            memmove(piece, mem, part);
        else
            memmove(mem, piece, part);
        mem += part;
        n -= part;
        at = 0;
    }
}

static void copy_message(const struct loop_slot *from, const struct loop_slot *to)
{
    uint64_t at = 0;
    for (uint32_t i = 0; at < from->bytes; i++) {
        uint64_t part = to->sge[i].bytes < from->bytes - at ? to->sge[i].bytes : from->bytes - at;
        copy_pieces(from, at, (uint8_t *)(uintptr_t)to->sge[i].addr, part, false);
        at += part;
    }
}

/* The peer's QP if it answers. Otherwise NULL, with *moved: this request has been failed. */
static struct vb_qp *reach(struct vb_qp *qp, uint64_t seq, uint64_t now, bool *moved)
{
    struct vb_qp *peer = loop_qp_peer(qp);
    *moved = false;
    if (peer && peer->state == LOOP_QP_RTS) {
        qp->silent_until_ns = 0;
        return peer;
    }
    if (peer && peer->state == LOOP_QP_INIT) /* active side has not polled our reply yet */
        return NULL;
    if (!qp->silent_until_ns)
        qp->silent_until_ns = now + loop.config.retry_ms * 1000000ull;
    if (now >= qp->silent_until_ns)
        *moved = fail(qp, seq, VB_E_RETRY);
    return NULL;
}

static bool step_send(struct vb_qp *qp, uint64_t seq, struct loop_slot *s, uint64_t now)
{
    bool moved;
    if (!is_covered(s, 0))
        return fail(qp, seq, VB_E_PROTECTION);
    struct vb_qp *peer = reach(qp, seq, now, &moved);
    if (!peer)
        return moved;
    if (peer->rq.done == peer->rq.posted) {
        if (!(loop.config.cap_flags & VB_CAP_RECV_FLOW_CONTROL))
            return fail_both(qp, seq, VB_E_REMOTE_OP, peer, true);
        loop.counts.recv_waits += !qp->is_waiting;
        qp->is_waiting = true;
        return false;
    }
    struct loop_slot *r = slot_at(&peer->rq, peer->rq.done);
    vb_status_t st = VB_OK;
    if (s->bytes > r->bytes)
        st = VB_E_LENGTH;
    else if (!is_covered(r, VB_ACCESS_LOCAL_WRITE))
        st = VB_E_PROTECTION;
    if (st != VB_OK && must_wait_to_fail(qp, seq))
        return false;
    qp->is_waiting = false;
    if (st == VB_OK)
        copy_message(s, r);
    complete(peer, true, peer->rq.done++, st, s->bytes);
    if (st != VB_OK)
        return fail_both(qp, seq, VB_E_REMOTE_OP, peer, false);
    loop.counts.sends++;
    return succeed(qp, seq);
}

static bool step_write(struct vb_qp *qp, uint64_t seq, struct loop_slot *s, uint64_t now)
{
    bool moved;
    if (!is_covered(s, 0))
        return fail(qp, seq, VB_E_PROTECTION);
    struct vb_qp *peer = reach(qp, seq, now, &moved);
    if (!peer)
        return moved;
    if (s->bytes) { /* the key of a transfer of nothing is not looked at */
        void *mem = remote_memory(peer, s->rkey, s->remote_addr, s->bytes, VB_ACCESS_REMOTE_WRITE);
        if (!mem)
            return fail_both(qp, seq, VB_E_REMOTE_ACCESS, peer, true);
        copy_pieces(s, 0, mem, s->bytes, false);
    }
    loop.counts.writes++;
    return succeed(qp, seq);
}

static bool step_read(struct vb_qp *qp, uint64_t seq, struct loop_slot *s, uint64_t now)
{
    bool moved;
    struct vb_qp *peer = reach(qp, seq, now, &moved);
    if (!peer)
        return moved;
    if (!qp->max_reads) /* negotiated none: the peer has no room to remember the request */
        return fail_both(qp, seq, VB_E_REMOTE_OP, peer, true);
    s->state = LOOP_SLOT_ISSUED;
    s->ready_ns = now + loop.config.read_us * 1000ull;
    qp->sq.exec++;
    qp->reads_out++;
    return true;
}

/* The oldest read, always at `done`: its answer arrives. */
static bool step_read_answer(struct vb_qp *qp, uint64_t seq, struct loop_slot *s, uint64_t now)
{
    bool moved;
    uint32_t need = VB_ACCESS_LOCAL_WRITE;
    if (loop.config.cap_flags & VB_CAP_READ_SINK_REMOTE)
        need |= VB_ACCESS_REMOTE_WRITE;
    if (!is_covered(s, need))
        return fail(qp, seq, VB_E_PROTECTION);
    struct vb_qp *peer = reach(qp, seq, now, &moved);
    if (!peer)
        return moved;
    if (s->bytes) {
        void *mem = remote_memory(peer, s->rkey, s->remote_addr, s->bytes, VB_ACCESS_REMOTE_READ);
        if (!mem)
            return fail_both(qp, seq, VB_E_REMOTE_ACCESS, peer, true);
        copy_pieces(s, 0, mem, s->bytes, true);
    }
    qp->reads_out--;
    loop.counts.reads++;
    return succeed(qp, seq);
}

static bool step_bind(struct vb_qp *qp, uint64_t seq, struct loop_slot *s)
{
    struct vb_mw *mw = s->mw;
    struct vb_mr *mr = s->mr;
    if (mw->is_bound || mw->pd != qp->pd || mr->pd != qp->pd || !(mr->access & VB_ACCESS_WINDOW) ||
        ((s->bind_access & VB_ACCESS_REMOTE_WRITE) && !(mr->access & VB_ACCESS_LOCAL_WRITE)) ||
        s->bind_addr < mr->addr || s->bind_addr - mr->addr > mr->bytes ||
        s->bind_bytes > mr->bytes - (s->bind_addr - mr->addr))
        return fail(qp, seq, VB_E_PROTECTION);
    mw->is_bound = true;
    mw->mr = mr;
    mr->windows++;
    mw->qp_number = qp->number;
    mw->addr = s->bind_addr;
    mw->bytes = s->bind_bytes;
    mw->access = s->bind_access;
    mw->rkey.key = s->rkey;
    loop_key_add(loop.rkeys, &mw->rkey);
    loop.counts.binds++;
    return succeed(qp, seq);
}

static bool step_invalidate(struct vb_qp *qp, uint64_t seq, struct loop_slot *s)
{
    struct vb_mw *mw = s->mw;
    if (!mw->is_bound || mw->qp_number != qp->number || mw->rkey.key != s->rkey)
        return fail(qp, seq, VB_E_PROTECTION);
    loop_window_unbind(mw);
    loop.counts.invalidates++;
    return succeed(qp, seq);
}

static bool step(struct vb_qp *qp, uint64_t seq, struct loop_slot *s, uint64_t now)
{
    switch ((enum vb_wr_op)s->op) {
    case VB_WR_SEND: return step_send(qp, seq, s, now);
    case VB_WR_WRITE: return step_write(qp, seq, s, now);
    case VB_WR_READ: return step_read(qp, seq, s, now);
    case VB_WR_BIND: return step_bind(qp, seq, s);
    case VB_WR_INVALIDATE: return step_invalidate(qp, seq, s);
    }
    abort(); /* post_send lets nothing else in */
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return !a || (b && b < a) ? b : a;
}

void loop_qp_run(struct vb_qp *qp)
{
    struct loop_queue *q = &qp->sq;
    if (qp->is_running) /* a step touched the peer, which called back here: the loop looks again anyway */
        return;
    qp->is_running = true;
    uint64_t now = pal_now_ns(), wake = 0;
    while (qp->state == LOOP_QP_RTS) {
        wake = 0;
        if (q->done < q->exec) {
            struct loop_slot *s = slot_at(q, q->done);
            if (s->ready_ns > now)
                wake = s->ready_ns;
            else if (step_read_answer(qp, q->done, s, now))
                continue;
        }
        if (q->exec < q->posted) {
            struct loop_slot *s = slot_at(q, q->exec);
            bool is_held = qp->reads_out && ((s->flags & VB_WR_FENCE) ||
                                             (s->op == VB_WR_READ && qp->reads_out >= qp->max_reads));
            if (s->ready_ns > now)
                wake = earlier(wake, s->ready_ns);
            else if (!is_held && step(qp, q->exec, s, now))
                continue;
        }
        if (q->done < q->posted && qp->silent_until_ns > now)
            wake = earlier(wake, qp->silent_until_ns);
        break;
    }
    if (qp->state == LOOP_QP_RTS)
        loop_timer_set(&qp->timer, wake);
    qp->is_running = false;
}

/* ---- posting ---- */

/* Take a copy of the pieces. The key is looked up now, since the MR may not go away while posted; rights and
 * bounds are checked when the request is carried out, as hardware does. */
static void slot_fill(struct vb_qp *qp, struct loop_slot *s, uint64_t id, const struct vb_sge *sge,
                      uint32_t count, bool is_inline)
{
    s->id = id;
    s->sge_count = is_inline ? 0 : count;
    s->bytes = 0;
    s->flags = 0;
    s->state = LOOP_SLOT_POSTED;
    for (uint32_t i = 0; i < count; i++) {
        if (is_inline) {
            if (sge[i].bytes)
                memcpy(s->inl + s->bytes, (const void *)(uintptr_t)sge[i].addr, sge[i].bytes);
        } else {
            struct loop_key *k = sge[i].bytes ? loop_key_find(loop.lkeys, sge[i].lkey) : NULL;
            s->sge[i] = (struct loop_sge){.addr = sge[i].addr, .bytes = sge[i].bytes};
            if (k && k->mr->pd == qp->pd) {
                s->sge[i].mr = k->mr;
                k->mr->in_use++;
            }
        }
        s->bytes += sge[i].bytes;
    }
}

static vb_status_t check_send(const struct vb_qp *qp, const struct vb_send_wr *wr)
{
    const uint8_t known = VB_WR_SIGNALED | VB_WR_FENCE | VB_WR_INLINE | VB_WR_SOLICITED;
    bool has_data = wr->op == VB_WR_SEND || wr->op == VB_WR_WRITE || wr->op == VB_WR_READ;
    uint64_t bytes = 0;
    if (wr->op > VB_WR_INVALIDATE || (wr->flags & ~known) ||
        (has_data && wr->sge_count > qp->caps.send_sge) ||
        ((wr->flags & VB_WR_INLINE) && wr->op != VB_WR_SEND && wr->op != VB_WR_WRITE))
        return VB_E_INVAL;
    for (uint32_t i = 0; has_data && i < wr->sge_count; i++)
        bytes += wr->sge[i].bytes;
    if (bytes > loop.config.max_msg_bytes || ((wr->flags & VB_WR_INLINE) && bytes > qp->caps.inline_bytes))
        return VB_E_INVAL;
    if (wr->op == VB_WR_BIND &&
        (!wr->u.bind.mw || !wr->u.bind.mr || !wr->u.bind.bytes ||
         (wr->u.bind.access & ~(uint32_t)(VB_ACCESS_REMOTE_READ | VB_ACCESS_REMOTE_WRITE))))
        return VB_E_INVAL;
    if (wr->op == VB_WR_INVALIDATE && !wr->u.invalidate)
        return VB_E_INVAL;
    if (wr->op == VB_WR_READ && !(loop.config.cap_flags & VB_CAP_RDMA_READ))
        return VB_E_NOTSUP;
    return VB_OK;
}

static void take_send(struct vb_qp *qp, const struct vb_send_wr *wr)
{
    struct loop_slot *s = slot_at(&qp->sq, qp->sq.posted++);
    bool has_data = wr->op == VB_WR_SEND || wr->op == VB_WR_WRITE || wr->op == VB_WR_READ;
    slot_fill(qp, s, wr->id, wr->sge, has_data ? wr->sge_count : 0, (wr->flags & VB_WR_INLINE) != 0);
    s->op = wr->op;
    s->flags = wr->flags;
    s->ready_ns = loop.config.delivery_us ? pal_now_ns() + loop.config.delivery_us * 1000ull : 0;
    if (wr->op == VB_WR_BIND) {
        s->mw = wr->u.bind.mw;
        s->mr = wr->u.bind.mr;
        s->mw->in_use++;
        s->mr->in_use++;
        s->bind_addr = wr->u.bind.addr;
        s->bind_bytes = wr->u.bind.bytes;
        s->bind_access = wr->u.bind.access;
        s->rkey = s->mw->posted_key = loop_new_key();
    } else if (wr->op == VB_WR_INVALIDATE) {
        s->mw = wr->u.invalidate;
        s->mw->in_use++;
        s->rkey = s->mw->posted_key;
    } else {
        s->remote_addr = wr->u.rdma.remote_addr;
        s->rkey = wr->u.rdma.rkey;
    }
}

vb_status_t loop_post_send(struct vb_qp *qp, const struct vb_send_wr *wr, const struct vb_send_wr **bad)
{
    vb_status_t st = VB_OK;
    loop_guard_enter(&qp->sq.posting, "two threads post to one send queue at the same time");
    loop_lock();
    for (; wr && st == VB_OK; wr = st == VB_OK ? wr->next : wr) {
        if (qp->state == LOOP_QP_RESET || qp->state == LOOP_QP_INIT)
            st = VB_E_STATE;
        else if (qp->sq.posted - qp->sq.free >= qp->sq.depth)
            st = VB_E_AGAIN;
        else
            st = check_send(qp, wr);
        if (st == VB_OK)
            take_send(qp, wr);
    }
    if (bad)
        *bad = wr; /* NULL: all posted */
    if (qp->state == LOOP_QP_ERROR)
        flush_sends(qp);
    else
        loop_qp_run(qp);
    loop_unlock();
    loop_guard_leave(&qp->sq.posting);
    return st;
}

vb_status_t loop_post_recv(struct vb_qp *qp, const struct vb_recv_wr *wr, const struct vb_recv_wr **bad)
{
    vb_status_t st = VB_OK;
    loop_guard_enter(&qp->rq.posting, "two threads post to one receive queue at the same time");
    loop_lock();
    for (; wr && st == VB_OK; wr = st == VB_OK ? wr->next : wr) {
        if (qp->state == LOOP_QP_RESET || wr->sge_count > qp->caps.recv_sge)
            st = qp->state == LOOP_QP_RESET ? VB_E_STATE : VB_E_INVAL;
        else if (qp->rq.posted - qp->rq.free >= qp->rq.depth)
            st = VB_E_AGAIN;
        if (st == VB_OK)
            slot_fill(qp, slot_at(&qp->rq, qp->rq.posted++), wr->id, wr->sge, wr->sge_count, false);
    }
    if (bad)
        *bad = wr; /* NULL: all posted */
    struct vb_qp *peer = loop_qp_peer(qp);
    if (peer)
        loop_qp_run(peer);
    loop_unlock();
    loop_guard_leave(&qp->rq.posting);
    return st;
}
