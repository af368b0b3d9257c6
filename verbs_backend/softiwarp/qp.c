/* qp.c - queue pairs: life, posting, completing in order, ending. What goes over the wire is in tx.c and rx.c. */
#include <stdlib.h>
#include <string.h>

#include "si.h"

/* ---- create and destroy ---- */

static bool queue_init(struct si_queue *q, uint32_t depth, uint32_t sge)
{
    q->depth = depth;
    q->size = depth > 0 ? depth : 1;
    q->sge = sge;
    q->slots = calloc(depth + 1u, sizeof *q->slots); /* calloc of nothing may be NULL */
    if (sge > 1)
        q->pieces = malloc(((size_t)depth * sge + 1) * sizeof *q->pieces); /* not calloc: not touched */
    q->at = calloc(q->size, sizeof *q->at);
    q->spare = malloc(q->size * sizeof *q->spare);
    if (!q->slots || !q->at || !q->spare || (!q->pieces && sge > 1))
        return false;
    for (uint32_t i = 0; i < depth; i++)
        q->spare[i] = (uint16_t)(depth - 1 - i); /* the first slot is on top */
    q->spare_count = depth;
    return true;
}

static bool send_queue_init(struct si_queue *q, const struct vb_qp_caps *caps)
{
    if (!queue_init(q, caps->send_wr, caps->send_sge))
        return false;
    q->sends = calloc(q->depth + 1u, sizeof *q->sends);
    q->inl = malloc((size_t)q->depth * caps->inline_bytes + 1);
    if (!q->sends || !q->inl)
        return false;
    for (uint32_t i = 0; i < q->depth; i++) {
        q->slots[i].send = &q->sends[i];
        q->sends[i].inl = q->inl + (size_t)i * caps->inline_bytes;
    }
    return true;
}

static void queue_fini(struct si_queue *q)
{
    free(q->slots);
    free(q->pieces);
    free(q->sends);
    free(q->inl);
    free(q->at);
    free(q->spare);
}

static void free_qp(struct vb_qp *qp)
{
    queue_fini(&qp->sq);
    queue_fini(&qp->rq);
    free(qp->rx.buf);
    free(qp);
}

vb_status_t si_qp_create(struct vb_pd *pd, struct vb_cq *send_cq, struct vb_cq *recv_cq,
                         struct vb_qp_caps *caps, void *context, struct vb_qp **out)
{
    if (caps->send_wr > SI_MAX_WR || caps->recv_wr > SI_MAX_WR || caps->send_sge > SI_MAX_SGE ||
        caps->recv_sge > SI_MAX_SGE || send_cq->be != pd->dev->be || recv_cq->be != pd->dev->be)
        return VB_E_INVAL;
    struct vb_qp *qp = calloc(1, sizeof *qp);
    if (!qp)
        return VB_E_NOMEM;
    qp->be = pd->dev->be;
    qp->pd = pd;
    qp->send_cq = send_cq;
    qp->recv_cq = recv_cq;
    qp->context = context;
    qp->caps = *caps;
    if (qp->caps.inline_bytes > SI_MAX_INLINE)
        qp->caps.inline_bytes = SI_MAX_INLINE;
    qp->sock = PAL_SOCKET_NONE;
    qp->rx.along = qp->be->set.read_along;
    qp->rx.buf_bytes = qp->rx.along > SI_RX_BYTES ? qp->rx.along : SI_RX_BYTES;
    qp->rx.buf = malloc(qp->rx.buf_bytes);
    const bool has_queues = send_queue_init(&qp->sq, &qp->caps) &
                            queue_init(&qp->rq, qp->caps.recv_wr, qp->caps.recv_sge);
    if (!qp->rx.buf || !has_queues || !pal_mutex_init(&qp->lock)) {
        free_qp(qp);
        return VB_E_NOMEM;
    }
    do
        qp->number = pal_add_relaxed(&qp->be->next_qp_number, 1);
    while (!qp->number); /* 0 in a key means "any QP" */
    *caps = qp->caps;
    *out = qp;
    return VB_OK;
}

void si_qp_destroy(struct vb_qp *qp)
{
    struct vb_backend *be = qp->be;
    pal_mutex_lock(&be->link_lock); /* the connection cannot go away meanwhile */
    struct vb_conn *conn = qp->conn;
    struct vb_cm *cm = conn ? conn->cm : NULL;
    if (cm)
        pal_mutex_lock(&cm->lock);
    si_qp_lock(qp);
    si_qp_stop_locked(qp);
    if (conn)
        conn->qp = NULL;
    qp->conn = NULL;
    pal_mutex_unlock(&qp->lock);
    if (cm) {
        pal_mutex_unlock(&cm->lock);
        pal_mutex_lock(&cm->backstop.lock); /* whoever found it in there is done with it */
        pal_mutex_unlock(&cm->backstop.lock);
    }
    pal_mutex_unlock(&be->link_lock);
    si_cq_forget(qp);
    si_async_drop_qp(be, qp);
    pal_mutex_fini(&qp->lock);
    free_qp(qp);
}

uint32_t si_qp_number(const struct vb_qp *qp)
{
    return qp->number;
}

/* ---- completing ---- */

static uint8_t wc_op(uint8_t op)
{
    switch ((enum vb_wr_op)op) {
    case VB_WR_SEND: return VB_WC_SEND;
    case VB_WR_WRITE: return VB_WC_WRITE;
    case VB_WR_READ: return VB_WC_READ;
    case VB_WR_BIND: return VB_WC_BIND;
    case VB_WR_INVALIDATE: return VB_WC_INVALIDATE;
    }
    return VB_WC_SEND;
}

void si_qp_complete(struct vb_qp *qp)
{
    struct si_queue *q = &qp->sq;
    for (; q->done < q->exec; q->done++) {
        const struct si_slot *s = si_slot(q, q->done);
        if (s->state != SI_SLOT_DONE)
            return;
        if (s->status != VB_OK || (s->flags & VB_WR_SIGNALED)) {
            const struct vb_wc wc = {
                .id = s->id, .status = (vb_status_t)s->status, .bytes = s->bytes, .op = wc_op(s->op)};
            si_cq_push(qp->send_cq, qp, false, q->done, &wc);
        }
    }
}

void si_recv_done(struct vb_qp *qp, vb_status_t st, uint32_t bytes)
{
    struct si_queue *q = &qp->rq;
    const struct vb_wc wc = {.id = si_slot(q, q->done)->id, .status = st, .bytes = bytes, .op = VB_WC_RECV};
    si_cq_push(qp->recv_cq, qp, true, q->done, &wc);
    q->done++;
    q->exec = q->done;
}

/* A bind or invalidate that never has its turn. */
static void leave_window(struct vb_qp *qp, const struct si_slot *s)
{
    if (s->op == VB_WR_BIND && s->is_bound_early)
        (void)si_window_invalidate(qp, s->send->mw, s->send->rkey);
    else
        pal_sub_acq_rel(&s->send->mw->queued, 1);
}

/* Everything that is not done comes back, in order; the request `seq` with its cause. */
static void flush(struct vb_qp *qp, vb_status_t cause, uint64_t seq)
{
    struct si_queue *q = &qp->sq;
    for (uint64_t n = q->done; n < q->posted; n++) {
        struct si_slot *s = si_slot(q, n);
        if (s->state == SI_SLOT_DONE)
            continue;
        if (s->state == SI_SLOT_POSTED && (s->op == VB_WR_BIND || s->op == VB_WR_INVALIDATE))
            leave_window(qp, s);
        s->state = SI_SLOT_DONE;
        s->status = VB_E_FLUSHED;
        if (cause != VB_OK && (seq == SI_FIRST || seq == n)) {
            s->status = (uint8_t)cause;
            cause = VB_OK;
        }
    }
    q->exec = q->posted;
    si_qp_complete(qp);
    while (!qp->holds_receives && qp->rq.done < qp->rq.posted)
        si_recv_done(qp, VB_E_FLUSHED, 0);
}

/* ---- pollers: in and out ---- */

static struct pal_poller *poller_at(const struct vb_qp *qp, enum si_where at)
{
    switch (at) {
    case SI_AT_SEND_CQ: return qp->send_cq->poller;
    case SI_AT_RECV_CQ: return qp->recv_cq->poller;
    case SI_AT_BACKSTOP:
    case SI_WHERE_COUNT: break;
    }
    return qp->cm->backstop.poller;
}

static bool enter_poller(struct vb_qp *qp, enum si_where at, unsigned wanted)
{
    if (!pal_poller_add(poller_at(qp, at), qp->sock, wanted, qp))
        return false;
    qp->interest[at] = wanted;
    if (at != SI_AT_BACKSTOP)
        pal_add_relaxed(at == SI_AT_SEND_CQ ? &qp->send_cq->in_poller : &qp->recv_cq->in_poller, 1);
    return true;
}

static void leave_poller(struct vb_qp *qp, enum si_where at)
{
    pal_poller_remove(poller_at(qp, at), qp->sock);
    qp->interest[at] = 0;
    if (at != SI_AT_BACKSTOP)
        pal_sub_acq_rel(at == SI_AT_SEND_CQ ? &qp->send_cq->in_poller : &qp->recv_cq->in_poller, 1);
}

/* ---- ending ---- */

static void leave_pollers(struct vb_qp *qp)
{
    for (unsigned at = 0; at < SI_WHERE_COUNT; at++)
        if (qp->interest[at])
            leave_poller(qp, (enum si_where)at);
}

void si_qp_end(struct vb_qp *qp, const struct si_end *e)
{
    if (qp->state != SI_QP_INIT && qp->state != SI_QP_RTS)
        return;
    qp->state = SI_QP_ERROR;
    qp->holds_receives = e->is_orderly;
    if (qp->sock != PAL_SOCKET_NONE) {
        size_t tail_bytes = 0;
        uint8_t *tail = e->saw_eof || e->drops_stream ? NULL : si_tx_tail(qp, e, &tail_bytes);
        leave_pollers(qp);
        si_conn_detached(qp->conn, tail, tail_bytes, e);
        qp->sock = PAL_SOCKET_NONE;
    }
    flush(qp, e->cause, e->seq);
    if (e->is_event)
        si_async_push(qp->be, &(struct vb_async_event){.kind = VB_ASYNC_QP_FATAL, .qp_context = qp->context},
                      qp);
}

void si_qp_stop_locked(struct vb_qp *qp)
{
    if (qp->holds_receives) {
        qp->holds_receives = false;
        flush(qp, VB_OK, SI_NONE);
    }
    si_qp_end(qp, &(struct si_end){.cause = VB_OK, .seq = SI_NONE});
}

void si_qp_stop(struct vb_qp *qp)
{
    si_qp_lock(qp);
    si_qp_stop_locked(
        qp); /* a stopped QP flushes what is posted at once, so there is nothing more to do then */
    pal_mutex_unlock(&qp->lock);
}

void si_qp_left(struct vb_qp *qp, enum pal_net how)
{
    struct si_end e = {.cause = VB_OK, .seq = SI_FIRST, .saw_eof = true, .is_orderly = how == PAL_NET_EOF};
    if (how == PAL_NET_TIMEOUT || how == PAL_NET_UNREACH)
        e.cause = VB_E_RETRY;
    else if (how != PAL_NET_EOF && how != PAL_NET_RESET)
        e.cause = VB_E_FATAL;
    si_qp_end(qp, &e);
}

/* TCP of the peer acknowledges a read request also when its process does not run, so TCP does not find out; adapters
 * answer reads without the process, and give up a peer that does not (ibv_modify_qp(3), timeout). */
static bool is_unanswered(const struct vb_qp *qp)
{
    return qp->read_count && !qp->tx.bytes && qp->looked_received == qp->rx.received;
}

/* While bytes of ours wait for TCP, its own time runs where it has one. */
static bool is_stuck(const struct vb_qp *qp)
{
    return qp->tx.bytes && qp->looked_sent == qp->tx.stream + (uint32_t)qp->tx.sent &&
           !pal_socket_gives_up_full_peers();
}

void si_qp_look(struct vb_qp *qp)
{
    const bool is_quiet = qp->state == SI_QP_RTS && (is_unanswered(qp) || is_stuck(qp));
    qp->quiet_looks = is_quiet ? qp->quiet_looks + 1 : 0;
    qp->looked_received = qp->rx.received;
    qp->looked_sent = qp->tx.stream + (uint32_t)qp->tx.sent;
    if (qp->quiet_looks > SI_LOOKS)
        si_qp_left(qp, PAL_NET_TIMEOUT);
}

/* ---- pollers ---- */

bool si_qp_sync(struct vb_qp *qp, enum si_where at)
{
    const unsigned wanted = (qp->rx.is_stalled ? PAL_HANGUP : PAL_READABLE) |
                            (qp->tx.is_blocked ? PAL_WRITABLE : 0u);
    if (qp->sock == PAL_SOCKET_NONE || qp->interest[at] == wanted || qp->is_settled[at])
        return true;
    if (!qp->interest[at])
        return enter_poller(qp, at, wanted);
    pal_poller_change(poller_at(qp, at), qp->sock, wanted, qp);
    qp->interest[at] = wanted;
    return true;
}

void si_qp_settle(struct vb_qp *qp, enum si_where at, unsigned ready)
{
    (void)si_qp_sync(qp, at); /* it is in there: nothing can fail */
    if (!qp->interest[at] || !(ready & PAL_HANGUP) || !qp->rx.is_stalled)
        return;
    /* The peer has gone and its last messages wait for receives: nothing more will ever come, and whoever posts a
     * receive takes them. */
    leave_poller(qp, at);
    qp->is_settled[at] = true;
    si_conn_signal(qp->conn, SI_SIG_PEER_LEFT);
}

#define REST_FACTOR  4u
#define REST_MOST_NS 200000u

bool si_qp_progress(struct vb_qp *qp)
{
    if (qp->state != SI_QP_RTS)
        return false;
    const uint64_t began_ns = qp->tx.is_blocked ? pal_now_ns() : 0;
    const bool came = si_rx_run(qp);
    const bool went = qp->state == SI_QP_RTS && si_tx_run(qp);
    qp->rests_until_ns = 0;
    if (began_ns && !came && !went) {
        const uint64_t now_ns = pal_now_ns(), rest_ns = REST_FACTOR * (now_ns - began_ns);
        qp->rests_until_ns = now_ns + (rest_ns < REST_MOST_NS ? rest_ns : REST_MOST_NS);
    }
    return came || went;
}

/* TCP is full and nothing comes: who polls need not ask each time. The peer has much to read before there is room, and where
 * a call to TCP is dear the questions are in its way: under Wine each is two messages to the one server of all programs, and the
 * peer's reads are others. So a fifth of the time goes into asking, whatever a call costs; the rest is short beside the time that
 * a full buffer lasts. A poller that says "ready" and the backstop do not care: they ask. Our choice. */
bool si_qp_rests(const struct vb_qp *qp)
{
    return qp->tx.is_blocked && qp->rests_until_ns && pal_now_ns() < qp->rests_until_ns;
}

/* One FPDU per TCP segment (RFC 5044 5.1): for adapters that look for frames at the start of segments. */
static uint32_t payload_of_segment(const struct vb_qp *qp)
{
    const uint32_t segment = pal_socket_segment_bytes(qp->sock);
    const uint32_t markers = qp->tx.is_marked ? (segment + MPA_MARKER_INTERVAL - 1) / MPA_MARKER_INTERVAL : 0;
    const uint32_t around = MPA_LENGTH_BYTES + DDP_HEADER_MAX + MPA_CRC_BYTES + markers * MPA_MARKER_BYTES;
    const uint32_t payload = segment > around + 64 ? (segment - around) & ~3u : 512;
    return payload < 65472 ? payload : 65472;
}

static uint32_t payload_for(const struct vb_qp *qp)
{
    const uint32_t payload = qp->be->set.payload_max ? qp->be->set.payload_max : payload_of_segment(qp);
    return qp->tx.is_marked && payload > SI_PAYLOAD_MARKED ? SI_PAYLOAD_MARKED : payload;
}

static void attach_markers(struct vb_qp *qp, const struct vb_conn *conn)
{
    qp->tx.is_marked = conn->sends_markers;
    qp->tx.frame_pieces = qp->tx.is_marked ? SI_PIECES_MARKED : SI_PIECES_PLAIN;
    qp->rx.is_marked = qp->be->set.wants_markers;
    qp->rx.with_crc = conn->with_crc && !qp->rx.is_marked;
    mpa_unmark_start(&qp->rx.marks, conn->with_crc);
}

vb_status_t si_qp_attach(struct vb_qp *qp, struct vb_conn *conn)
{
    if (qp->state != SI_QP_INIT)
        return VB_E_STATE;
    qp->sock = conn->sock;
    qp->cm = conn->cm;
    qp->with_crc = conn->with_crc;
    qp->max_reads_out = conn->read_out;
    qp->max_reads_in = conn->read_in;
    attach_markers(qp, conn);
    qp->payload_max = payload_for(qp);
    qp->may_send =
        conn->is_active; /* the accepting side waits for the first FPDU (RFC 5044 7.1.3, RFC 6581 5) */
    qp->skips_send = !conn->is_active && conn->is_p2p && conn->rtr == RDMAP_SEND + 1;
    qp->tx.rtr = conn->is_active ? conn->rtr : 0;
    qp->tx.send_msn = qp->tx.read_msn = qp->rx.send_msn = qp->rx.read_msn = 1; /* RFC 5041 5.1 */
    if (!qp->max_reads_out && qp->tx.rtr == RDMAP_READ_REQUEST + 1)
        return VB_E_STATE; /* the peer chose a read but allows none; checked when the reply came */
    if (!si_qp_sync(qp, SI_AT_BACKSTOP)) {
        qp->sock = PAL_SOCKET_NONE;
        return VB_E_NOMEM;
    }
    qp->state = SI_QP_RTS;
    si_cq_activate(qp);
    (void)si_qp_progress(qp);
    return VB_OK;
}

/* ---- posting ---- */

/* Copies the pieces; a bad key is remembered and reported when the request's turn comes, as hardware does. */
static void fill_pieces(struct vb_qp *qp, struct si_queue *q, struct si_slot *s, const struct vb_sge *sge,
                        uint32_t count, bool for_write)
{
    s->piece = count <= 1 ? &s->one : q->pieces + (size_t)(s - q->slots) * q->sge;
    s->piece_count = 0;
    s->bytes = 0;
    s->status = VB_OK;
    for (uint32_t i = 0; i < count; i++) {
        if (!sge[i].bytes)
            continue;
        if (!si_local_ok(qp, sge[i].lkey, sge[i].addr, sge[i].bytes, for_write))
            s->status = VB_E_PROTECTION;
        s->piece[s->piece_count++] = (struct si_piece){.base = (uint8_t *)(uintptr_t)sge[i].addr,
                                                       .bytes = sge[i].bytes};
        s->bytes += sge[i].bytes;
    }
}

static void fill_inline(struct si_slot *s, const struct vb_sge *sge, uint32_t count)
{
    s->bytes = 0;
    s->status = VB_OK;
    for (uint32_t i = 0; i < count; i++) {
        if (sge[i].bytes)
            memcpy(s->send->inl + s->bytes, (const void *)(uintptr_t)sge[i].addr, sge[i].bytes);
        s->bytes += sge[i].bytes;
    }
    s->piece_count = s->bytes > 0;
    s->one = (struct si_piece){.base = s->send->inl, .bytes = s->bytes};
    s->piece = &s->one;
}

static bool has_data(uint8_t op)
{
    return op == VB_WR_SEND || op == VB_WR_WRITE || op == VB_WR_READ;
}

static vb_status_t check_send(const struct vb_qp *qp, const struct vb_send_wr *wr)
{
    const uint8_t known = VB_WR_SIGNALED | VB_WR_FENCE | VB_WR_INLINE | VB_WR_SOLICITED;
    const bool is_inline = (wr->flags & VB_WR_INLINE) != 0;
    uint64_t bytes = 0;
    if (wr->op > VB_WR_INVALIDATE || (wr->flags & ~known) ||
        (is_inline && wr->op != VB_WR_SEND && wr->op != VB_WR_WRITE))
        return VB_E_INVAL;
    if (has_data(wr->op)) {
        /* inline payload is gathered now: any number of pieces would do, but one rule is simpler to remember */
        if (wr->sge_count > qp->caps.send_sge)
            return VB_E_INVAL;
        for (uint32_t i = 0; i < wr->sge_count; i++)
            bytes += wr->sge[i].bytes;
        return bytes > (is_inline ? qp->caps.inline_bytes : SI_MAX_MESSAGE) ? VB_E_INVAL : VB_OK;
    }
    if (wr->op == VB_WR_INVALIDATE)
        return wr->u.invalidate ? VB_OK : VB_E_INVAL;
    return wr->u.bind.mw && wr->u.bind.mr && wr->u.bind.bytes &&
                   !(wr->u.bind.access & ~(uint32_t)(VB_ACCESS_REMOTE_READ | VB_ACCESS_REMOTE_WRITE))
               ? VB_OK
               : VB_E_INVAL;
}

static void take_send(struct vb_qp *qp, const struct vb_send_wr *wr)
{
    struct si_slot *s = si_new_slot(&qp->sq);
    s->id = wr->id;
    s->op = wr->op;
    s->flags = wr->flags;
    s->state = SI_SLOT_POSTED;
    s->status = VB_OK;
    s->piece_count = s->bytes = 0;
    if (wr->flags & VB_WR_INLINE)
        fill_inline(s, wr->sge, wr->sge_count);
    else if (has_data(wr->op))
        fill_pieces(qp, &qp->sq, s, wr->sge, wr->sge_count, wr->op == VB_WR_READ);
    if (wr->op == VB_WR_BIND) {
        s->send->mw = wr->u.bind.mw;
        s->send->mr = wr->u.bind.mr;
        s->send->bind_addr = wr->u.bind.addr;
        s->send->bind_bytes = wr->u.bind.bytes;
        s->send->bind_access = wr->u.bind.access;
        s->send->rkey = si_new_key(qp->be);
        pal_store_relaxed(&s->send->mw->posted_key, s->send->rkey);
        /* At once, though others wait for TCP before it: a consumer may tell the key by other ways than this QP. Not
         * when the window has something to do first. */
        s->is_bound_early = qp->state == SI_QP_RTS && !pal_load_acquire(&s->send->mw->queued) &&
                            si_window_bind(qp, s);
        if (!s->is_bound_early)
            pal_add_acq_rel(&s->send->mw->queued, 1);
    } else if (wr->op == VB_WR_INVALIDATE) {
        s->send->mw = wr->u.invalidate;
        s->send->rkey = pal_load_relaxed(&s->send->mw->posted_key);
        pal_add_acq_rel(&s->send->mw->queued, 1);
    } else {
        s->send->remote_addr = wr->u.rdma.remote_addr;
        s->send->rkey = wr->u.rdma.rkey;
    }
}

vb_status_t si_post_send(struct vb_qp *qp, const struct vb_send_wr *wr, const struct vb_send_wr **bad)
{
    vb_status_t st = VB_OK;
    struct si_queue *q = &qp->sq;
    si_qp_lock(qp);
    while (wr) {
        if (qp->state == SI_QP_RESET || qp->state == SI_QP_INIT)
            st = VB_E_STATE;
        else if (q->posted - pal_load_acquire(&q->free) >= q->depth) /* acquire: the slot was given back */
            st = VB_E_AGAIN;
        else
            st = check_send(qp, wr);
        if (st != VB_OK)
            break;
        take_send(qp, wr);
        wr = wr->next;
    }
    *bad = wr;
    if (qp->state == SI_QP_ERROR) {
        flush(qp, VB_OK, SI_NONE);
    } else if (qp->state == SI_QP_RTS) {
        (void)si_tx_run(qp);
        if (qp->state == SI_QP_RTS)
            si_cq_activate(qp); /* an answer is likely */
    }
    pal_mutex_unlock(&qp->lock);
    return st;
}

vb_status_t si_post_recv(struct vb_qp *qp, const struct vb_recv_wr *wr, const struct vb_recv_wr **bad)
{
    vb_status_t st = VB_OK;
    struct si_queue *q = &qp->rq;
    si_qp_lock(qp);
    while (wr) {
        uint64_t bytes = 0;
        if (qp->state == SI_QP_RESET)
            st = VB_E_STATE;
        else if (wr->sge_count > qp->caps.recv_sge)
            st = VB_E_INVAL;
        else if (q->posted - pal_load_acquire(&q->free) >= q->depth)
            st = VB_E_AGAIN;
        for (uint32_t i = 0; st == VB_OK && i < wr->sge_count; i++)
            bytes += wr->sge[i].bytes;
        if (bytes > UINT32_MAX)
            st = VB_E_INVAL;
        if (st != VB_OK)
            break;
        struct si_slot *s = si_new_slot(q);
        s->id = wr->id;
        s->state = SI_SLOT_POSTED;
        fill_pieces(qp, q, s, wr->sge, wr->sge_count, true);
        wr = wr->next;
    }
    *bad = wr;
    if (qp->state == SI_QP_ERROR) {
        flush(qp, VB_OK, SI_NONE);
    } else if (qp->rx.is_stalled && q->done < q->posted) { /* a message waits for it */
        (void)si_qp_progress(qp);
        for (unsigned at = 0; at < SI_WHERE_COUNT && qp->state == SI_QP_RTS && !qp->rx.is_stalled; at++)
            if (qp->interest[at])
                (void)si_qp_sync(qp, (enum si_where)at);
    }
    pal_mutex_unlock(&qp->lock);
    return st;
}
