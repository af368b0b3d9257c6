/* qp.c - queue pairs: creation, bring-up, posting, stop; and the link between a QP and its connection.
 * Layer:   verbs_backend/rdmacore.
 * Threads: one thread posts to a queue of a QP at a time; the rest is any thread.
 * Posting: a chain is converted on the stack, RC_POST_BATCH requests per library call: no allocation, no lock
 *          (siw excepted). */
#include <errno.h>
#include <stdlib.h>

#include "rdmacore.h"

/* Attributes of a connected QP. Encodings: IBTA volume 1; times are 4.096 us * 2^n. */
enum {
    /* RNR NAK timer: how long a sender that found no receive posted waits before it tries again. 12 = 0.64 ms
     * (9.7.5.2.8). The CM's default is 0, which encodes the longest: 655 ms. */
    MIN_RNR_TIMER = 12,
    RNR_RETRY = 7, /* for ever: the receiver sets the pace */
    /* Local ACK timeout: 16 = 268 ms. Long enough for a software device on a busy host; only lost last
     * packets wait for it. */
    ACK_TIMEOUT = 16,
    /* Seven retries: about 2 s (devices may stretch the timeout up to four times) until a silent peer is
     * given up. rxe takes 7 as "for ever" and counts the timeouts while it waits for a receive as well, so
     * there any less would end a connection whose receiver pauses for 2 s. The price: on rxe only the CM
     * notices that a peer is gone. */
    RETRY_COUNT = 7
};

_Static_assert(sizeof(struct vb_sge) == sizeof(struct ibv_sge) &&
                   offsetof(struct vb_sge, addr) == offsetof(struct ibv_sge, addr) &&
                   offsetof(struct vb_sge, bytes) == offsetof(struct ibv_sge, length) &&
                   offsetof(struct vb_sge, lkey) == offsetof(struct ibv_sge, lkey),
               "vb_sge is passed to the library as ibv_sge");

/* ---- create, stop, destroy ---- */

static struct ibv_qp *create_ib(struct vb_pd *pd, struct ibv_qp_init_attr *attr)
{
    uint32_t want = attr->cap.max_inline_data;
    struct ibv_qp_init_attr try;
    struct ibv_qp *ib;

    for (;;) { /* what can be inline depends on the other sizes, and is a wish: ask for less until it fits */
        try = *attr;
        try.cap.max_inline_data = want;
        errno = 0;
        ib = ibv_create_qp(pd->ib, &try);
        if (ib || want == 0)
            break;
        want = want > 32 ? want / 2 : 0;
    }
    *attr = try;
    return ib;
}

vb_status_t rc_qp_create(struct vb_pd *pd, struct vb_cq *send_cq, struct vb_cq *recv_cq,
                         struct vb_qp_caps *caps, void *context, struct vb_qp **out)
{
    struct vb_dev *dev = pd->dev;
    const struct vb_caps *max = &dev->caps;

    if (caps->send_wr == 0 || caps->recv_wr == 0 || caps->send_wr > max->max_qp_wr ||
        caps->recv_wr > max->max_qp_wr || caps->send_sge > max->max_sge || caps->recv_sge > max->max_sge)
        return VB_E_INVAL;
    struct vb_qp *qp = calloc(1, sizeof *qp);
    if (!qp)
        return VB_E_NOMEM;
    qp->dev = dev;
    qp->context = context;

    struct ibv_qp_init_attr attr = {
        .qp_context = qp,
        .send_cq = send_cq->ib,
        .recv_cq = recv_cq->ib,
        .qp_type = IBV_QPT_RC,
        .sq_sig_all = 0,
        .cap = {.max_send_wr = dev->is_siw ? RC_SIW_PER_REQUEST * caps->send_wr : caps->send_wr,
                .max_recv_wr = caps->recv_wr,
                .max_send_sge = caps->send_sge ? caps->send_sge : 1,
                .max_recv_sge = caps->recv_sge ? caps->recv_sge : 1,
                .max_inline_data = caps->inline_bytes < max->max_inline_bytes ? caps->inline_bytes
                                                                              : max->max_inline_bytes},
    };
    vb_status_t st = VB_E_NOMEM;
    qp->ib = create_ib(pd, &attr);
    if (!qp->ib) {
        if (errno)
            st = rc_status_errno(errno);
        goto err;
    }
    if (dev->is_siw) {
        qp->send_shadow = rc_shadow_create(send_cq, attr.cap.max_send_wr);
        qp->recv_shadow = rc_shadow_create(recv_cq, attr.cap.max_recv_wr);
        if (!qp->send_shadow || !qp->recv_shadow)
            goto err_ib;
    }
    qp->caps = (struct vb_qp_caps){.send_wr = dev->is_siw ? attr.cap.max_send_wr / RC_SIW_PER_REQUEST
                                                          : attr.cap.max_send_wr,
                                   .recv_wr = attr.cap.max_recv_wr,
                                   .send_sge = attr.cap.max_send_sge,
                                   .recv_sge = attr.cap.max_recv_sge,
                                   .inline_bytes = attr.cap.max_inline_data};
    *caps = qp->caps;
    qp->pd = pd;
    pal_add_relaxed(&pd->refs, 1);
    *out = qp;
    return VB_OK;
err_ib:
    if (qp->send_shadow)
        rc_shadow_destroy(qp->send_shadow);
    if (qp->recv_shadow)
        rc_shadow_destroy(qp->recv_shadow);
    (void)ibv_destroy_qp(qp->ib);
err:
    free(qp);
    return st;
}

static void end_qp(void *arg)
{
    struct vb_qp *qp = arg;
    struct rc_link *link = pal_load_acquire(&qp->link);

    /* Waits for asynchronous events in flight, which may look at qp->link: the reference goes afterwards. */
    (void)ibv_destroy_qp(qp->ib);
    if (link)
        rc_link_release(link);
    if (qp->send_shadow)
        rc_shadow_destroy(qp->send_shadow);
    if (qp->recv_shadow)
        rc_shadow_destroy(qp->recv_shadow);
    rc_pd_release(qp->pd);
    free(qp);
}

void rc_qp_destroy(struct vb_qp *qp)
{
    struct rc_link *link = pal_load_acquire(&qp->link);
    struct vb_backend *be = qp->dev->be;
    bool is_unanswered = false;

    if (link) {
        pal_mutex_lock(&link->lock);
        if (link->conn && link->conn->dial) {
            rc_dial_wait(link->conn->dial, true); /* it holds the QP in the kernel */
            is_unanswered = rc_dial_may_stand(link->conn->dial);
        }
        link->qp = NULL;
        pal_mutex_unlock(&link->lock);
    }
    if (!is_unanswered) {
        end_qp(qp);
        return;
    }
    pal_mutex_lock(&be->lock);
    qp->is_buried = true;
    pal_mutex_unlock(&be->lock);
    rc_bury(be, end_qp, qp);
}

void rc_qp_stop(struct vb_qp *qp)
{
    /* Also from ERR to ERR: rxe flushes receives that were posted after it had drained the queue only when
     * told again. */
    struct ibv_qp_attr attr = {.qp_state = IBV_QPS_ERR};
    (void)ibv_modify_qp(qp->ib, &attr, IBV_QP_STATE);
    if (qp->send_shadow) {
        rc_shadow_stop(qp->send_shadow);
        rc_shadow_stop(qp->recv_shadow);
    }
}

uint32_t rc_qp_number(const struct vb_qp *qp)
{
    return qp->ib->qp_num;
}

/* ---- link ---- */

struct rc_link *rc_link_create(struct vb_qp *qp, struct vb_conn *conn)
{
    struct rc_link *link = calloc(1, sizeof *link);
    if (!link)
        return NULL;
    if (!pal_mutex_init(&link->lock)) {
        free(link);
        return NULL;
    }
    link->qp = qp;
    link->conn = conn;
    link->refs = 2;
    return link;
}

void rc_link_release(struct rc_link *link)
{
    if (pal_sub_acq_rel(&link->refs, 1) == 1) { /* acq_rel: the other side's last use comes before the free */
        pal_mutex_fini(&link->lock);
        free(link);
    }
}

void rc_link_stop(struct rc_link *link)
{
    if (!link)
        return;
    pal_mutex_lock(&link->lock);
    if (link->qp)
        rc_qp_stop(link->qp);
    pal_mutex_unlock(&link->lock);
}

/* ---- bring-up ---- */

static vb_status_t modify_to(struct vb_qp *qp, struct rdma_cm_id *id, enum ibv_qp_state state,
                             uint8_t read_in, uint8_t read_out)
{
    struct ibv_qp_attr attr = {.qp_state = state};
    int mask = 0;

    if (rdma_init_qp_attr(id, &attr, &mask) != 0)
        return rc_status_errno(errno);
    if (state == IBV_QPS_INIT) {
        attr.qp_access_flags = IBV_ACCESS_REMOTE_READ |
                               IBV_ACCESS_REMOTE_WRITE; /* keys restrict, not the QP */
        mask |= IBV_QP_ACCESS_FLAGS;
    } else if (state == IBV_QPS_RTR) {
        attr.max_dest_rd_atomic = read_in;
        attr.min_rnr_timer = MIN_RNR_TIMER;
        mask |= IBV_QP_MAX_DEST_RD_ATOMIC | IBV_QP_MIN_RNR_TIMER;
        /* Old rdma_ucm kernels set RoCE's bits 21 to 23 here too; librdmacm clears them likewise. */
        if (qp->dev->is_ib_link)
            mask &= ~0xe00000;
    } else {
        attr.max_rd_atomic = read_out;
        attr.timeout = ACK_TIMEOUT;
        attr.retry_cnt = RETRY_COUNT;
        attr.rnr_retry = RNR_RETRY;
        mask |= IBV_QP_MAX_QP_RD_ATOMIC | IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT | IBV_QP_RNR_RETRY;
    }
    return rc_status_call(ibv_modify_qp(qp->ib, &attr, mask));
}

vb_status_t rc_qp_init(struct vb_qp *qp, struct rdma_cm_id *id)
{
    vb_status_t st = modify_to(qp, id, IBV_QPS_INIT, 0, 0);
    if (st == VB_OK)
        pal_store_release(&qp->phase, RC_QP_INIT);
    return st;
}

vb_status_t rc_qp_up(struct vb_qp *qp, struct rdma_cm_id *id, uint8_t read_in, uint8_t read_out)
{
    vb_status_t st = VB_OK;
    if (!qp->dev->is_iwarp) { /* iWARP: the device goes to RTS by itself, inside connect and accept */
        st = modify_to(qp, id, IBV_QPS_INIT, 0,
                       0); /* again: the route may have changed port or partition key */
        if (st == VB_OK)
            st = modify_to(qp, id, IBV_QPS_RTR, read_in, read_out);
        if (st == VB_OK)
            st = modify_to(qp, id, IBV_QPS_RTS, read_in, read_out);
    }
    if (st == VB_OK)
        pal_store_release(&qp->phase, RC_QP_RTS);
    return st;
}

/* ---- posting ---- */

/* siw needs a piece where others take none: a receive without pieces is refused, a read without one uses what
 * is left in the slot. */
static struct ibv_sge no_piece;

static vb_status_t convert_send(struct vb_qp *qp, const struct vb_send_wr *wr, struct ibv_send_wr *out)
{
    unsigned flags = (wr->flags & VB_WR_SIGNALED ? IBV_SEND_SIGNALED : 0) |
                     (wr->flags & VB_WR_FENCE ? IBV_SEND_FENCE : 0) |
                     (wr->flags & VB_WR_SOLICITED ? IBV_SEND_SOLICITED : 0);

    if (wr->sge_count > qp->caps.send_sge)
        return VB_E_INVAL;
    out->wr_id = wr->id;
    out->imm_data = 0; /* rxe refuses a bind with anything here */
    out->sg_list = (struct ibv_sge *)(void *)(uintptr_t)wr->sge;
    out->num_sge = (int)wr->sge_count;
    if ((wr->flags & VB_WR_INLINE) && wr->sge_count > 0) {
        uint64_t bytes = 0;
        if (wr->op != VB_WR_SEND && wr->op != VB_WR_WRITE)
            return VB_E_INVAL;
        for (uint32_t i = 0; i < wr->sge_count; i++)
            bytes += wr->sge[i].bytes;
        if (bytes > qp->caps.inline_bytes)
            return VB_E_INVAL;
        flags |= IBV_SEND_INLINE;
    }
    switch (wr->op) {
    case VB_WR_SEND: out->opcode = IBV_WR_SEND; break;
    case VB_WR_WRITE:
        out->opcode = IBV_WR_RDMA_WRITE;
        out->wr.rdma.remote_addr = wr->u.rdma.remote_addr;
        out->wr.rdma.rkey = wr->u.rdma.rkey;
        break;
    case VB_WR_READ:
        if (wr->sge_count > qp->dev->max_read_sge)
            return VB_E_INVAL;
        out->opcode = IBV_WR_RDMA_READ;
        out->wr.rdma.remote_addr = wr->u.rdma.remote_addr;
        out->wr.rdma.rkey = wr->u.rdma.rkey;
        if (qp->send_shadow) { /* siw fails a fenced read; it serves reads and invalidates in order without */
            flags &= ~(unsigned)IBV_SEND_FENCE;
            flags |= IBV_SEND_SIGNALED;
            if (out->num_sge == 0) {
                out->sg_list = &no_piece;
                out->num_sge = 1;
            }
        }
        break;
    case VB_WR_BIND:
        if (!(qp->dev->caps.flags & VB_CAP_MW_TYPE2))
            return VB_E_NOTSUP;
        if (wr->u.bind.bytes == 0)
            return VB_E_INVAL;
        out->opcode = IBV_WR_BIND_MW;
        out->num_sge = 0;
        out->bind_mw.mw = wr->u.bind.mw->ib;
        out->bind_mw.rkey = ibv_inc_rkey(wr->u.bind.mw->ib->rkey);
        out->bind_mw.bind_info.mr = wr->u.bind.mr->ib;
        out->bind_mw.bind_info.addr = wr->u.bind.addr;
        out->bind_mw.bind_info.length = wr->u.bind.bytes;
        out->bind_mw.bind_info.mw_access_flags =
            (wr->u.bind.access & VB_ACCESS_REMOTE_READ ? IBV_ACCESS_REMOTE_READ : 0) |
            (wr->u.bind.access & VB_ACCESS_REMOTE_WRITE ? IBV_ACCESS_REMOTE_WRITE : 0);
        break;
    case VB_WR_INVALIDATE:
        if (!(qp->dev->caps.flags & VB_CAP_MW_TYPE2))
            return VB_E_NOTSUP;
        out->opcode = IBV_WR_LOCAL_INV;
        out->num_sge = 0;
        out->invalidate_rkey = wr->u.invalidate->ib->rkey;
        break;
    default: return VB_E_INVAL;
    }
    out->send_flags = flags;
    return VB_OK;
}

/* How many of n requests went in. Providers name the first that did not; software ones fill the queue and
 * ring a bell (a system call), and when only the bell fails they name none: then all are in the queue of a QP
 * that is dead or dying, and will be flushed. siw may also return success and name one, when the queue was
 * too short. */
static uint32_t count_posted(const void *first, const void *named, size_t wr_bytes, uint32_t n)
{
    if (!named)
        return n;
    const size_t index = (size_t)((const char *)named - (const char *)first) / wr_bytes;
    return index < n ? (uint32_t)index : n;
}

/* siw (Linux 6.1, siw_try_1seg() in siw_qp_tx.c) answers a read whose data fits the header of its reply with wrong bytes
 * when they lie in two pages: it copies the lengths before and behind the boundary the wrong way round. Such a read
 * is cut there. True: out[0] and out[1] are its two halves. */
#define SIW_ANSWER_IN_HEADER 32u
#define SIW_PAGE             4096u

static bool siw_cut_read(const struct vb_qp *qp, struct ibv_send_wr out[2], struct ibv_sge half[2])
{
    if (!qp->send_shadow || out[0].opcode != IBV_WR_RDMA_READ ||
        out[0].sg_list->length > SIW_ANSWER_IN_HEADER)
        return false;
    const uint64_t from = out[0].wr.rdma.remote_addr;
    const uint32_t bytes = out[0].sg_list->length, first = SIW_PAGE - (uint32_t)(from % SIW_PAGE);
    if (first >= bytes)
        return false;
    half[0] = half[1] = *out[0].sg_list;
    half[0].length = first;
    half[1].addr += first;
    half[1].length -= first;
    out[1] = out[0];
    out[0].sg_list = &half[0];
    out[1].sg_list = &half[1];
    out[1].wr.rdma.remote_addr += first;
    return true;
}

static vb_status_t post_status(int rv)
{
    vb_status_t st = rv == 0 ? VB_E_AGAIN : rc_status_call(rv);
    if (st == VB_E_NOMEM)
        return VB_E_AGAIN; /* queue full */
    return st;
}

/* One library call for at most RC_POST_BATCH requests. *posted: how many went in, also on failure. */
static vb_status_t post_send_batch(struct vb_qp *qp, const struct vb_send_wr *const *from,
                                   struct ibv_send_wr *wrs, uint32_t n, uint32_t *posted)
{
    struct ibv_send_wr *bad = NULL;
    uint32_t count = n;
    bool is_stopped = false;

    if (qp->send_shadow) {
        static const uint8_t ops[] = {
            [VB_WR_SEND] = VB_WC_SEND, [VB_WR_WRITE] = VB_WC_WRITE, [VB_WR_READ] = VB_WC_READ};
        struct rc_shadow_entry entries[RC_POST_BATCH];
        uint64_t ticket;
        for (uint32_t i = 0; i < n; i++)
            entries[i] = (struct rc_shadow_entry){.id = from[i]->id,
                                                  /* of a read that was cut, the second half stands for it */
                                                  .is_signaled = (from[i]->flags & VB_WR_SIGNALED) != 0 &&
                                                                 (i + 1 == n || from[i + 1] != from[i]),
                                                  .is_awaited = (wrs[i].send_flags & IBV_SEND_SIGNALED) != 0,
                                                  .op = ops[from[i]->op]};
        const uint32_t pushed = rc_shadow_push(qp->send_shadow, entries, n, &ticket, &is_stopped);
        if (pushed < count)
            count = pushed;
        for (uint32_t i = 0; i < count; i++)
            wrs[i].wr_id = rc_shadow_ticket(ticket, i);
        if (count > 0)
            wrs[count - 1].next = NULL;
    }
    *posted = 0;
    if (count == 0)
        return is_stopped ? VB_E_STATE : VB_E_AGAIN;
    int rv = ibv_post_send(qp->ib, wrs, &bad);
    *posted = count_posted(wrs, bad, sizeof *wrs, count);
    if (qp->send_shadow)
        rc_shadow_confirm(qp->send_shadow, count, *posted);
    for (uint32_t i = 0; i < *posted; i++)
        if (from[i]->op == VB_WR_BIND) /* not every library does; rxe finds the window by it next time */
            from[i]->u.bind.mw->ib->rkey = wrs[i].bind_mw.rkey;
    if (*posted == n)
        return VB_OK;
    return *posted == count ? VB_E_AGAIN : post_status(rv);
}

/* Does wr name a window that the batch before it binds? The library looks at the window's present key while
 * it posts, so that bind has to be posted first. */
static bool needs_new_key(const struct vb_send_wr *wr, const struct vb_send_wr *const *batch, uint32_t n)
{
    if (wr->op != VB_WR_BIND && wr->op != VB_WR_INVALIDATE)
        return false;
    const struct vb_mw *mw = wr->op == VB_WR_BIND ? wr->u.bind.mw : wr->u.invalidate;
    for (uint32_t i = 0; i < n; i++)
        if (batch[i]->op == VB_WR_BIND && batch[i]->u.bind.mw == mw)
            return true;
    return false;
}

vb_status_t rc_post_send(struct vb_qp *qp, const struct vb_send_wr *wr, const struct vb_send_wr **bad)
{
    if (pal_load_relaxed(&qp->phase) !=
        RC_QP_RTS) { /* relaxed: the caller learned of the connection in an ordered way */
        *bad = wr;
        return VB_E_STATE;
    }
    while (wr) {
        struct ibv_send_wr wrs[RC_POST_BATCH];
        struct ibv_sge halves[RC_POST_BATCH][2];
        const struct vb_send_wr *from[RC_POST_BATCH];
        vb_status_t st = VB_OK, convert_st = VB_OK;
        uint32_t n = 0, posted = 0;

        for (; wr && n + 1 < RC_POST_BATCH && !needs_new_key(wr, from, n); wr = wr->next, n++) {
            convert_st = convert_send(qp, wr, &wrs[n]);
            if (convert_st != VB_OK)
                break;
            from[n] = wr;
            if (siw_cut_read(qp, &wrs[n], halves[n])) {
                wrs[n].next = &wrs[n + 1];
                from[++n] = wr;
            }
            wrs[n].next = &wrs[n + 1];
        }
        if (n > 0) {
            wrs[n - 1].next = NULL;
            st = post_send_batch(qp, from, wrs, n, &posted);
        }
        if (st == VB_OK)
            st = convert_st;
        if (st != VB_OK) {
            *bad = posted < n ? from[posted] : wr;
            return st;
        }
    }
    return VB_OK;
}

vb_status_t rc_post_recv(struct vb_qp *qp, const struct vb_recv_wr *wr, const struct vb_recv_wr **bad)
{
    if (pal_load_relaxed(&qp->phase) == RC_QP_RESET) {
        *bad = wr;
        return VB_E_STATE;
    }
    while (wr) {
        struct ibv_recv_wr wrs[RC_POST_BATCH], *ib_bad = NULL;
        const struct vb_recv_wr *from[RC_POST_BATCH];
        uint32_t n = 0, count, posted = 0;
        bool is_too_long = false, is_stopped = false;

        for (; wr && n < RC_POST_BATCH; wr = wr->next, n++) {
            is_too_long = wr->sge_count > qp->caps.recv_sge;
            if (is_too_long)
                break;
            from[n] = wr;
            wrs[n].wr_id = wr->id;
            wrs[n].sg_list = (struct ibv_sge *)(void *)(uintptr_t)wr->sge;
            wrs[n].num_sge = (int)wr->sge_count;
            wrs[n].next = &wrs[n + 1];
            if (qp->recv_shadow && wrs[n].num_sge == 0) {
                wrs[n].sg_list = &no_piece;
                wrs[n].num_sge = 1;
            }
        }
        count = n;
        if (qp->recv_shadow && n > 0) {
            struct rc_shadow_entry entries[RC_POST_BATCH];
            uint64_t ticket;
            for (uint32_t i = 0; i < n; i++)
                entries[i] = (struct rc_shadow_entry){
                    .id = from[i]->id, .is_signaled = true, .is_awaited = true, .op = VB_WC_RECV};
            count = rc_shadow_push(qp->recv_shadow, entries, n, &ticket, &is_stopped);
            for (uint32_t i = 0; i < count; i++)
                wrs[i].wr_id = rc_shadow_ticket(ticket, i);
        }
        vb_status_t st = is_too_long ? VB_E_INVAL : VB_OK;
        if (count < n)
            st = is_stopped ? VB_E_STATE : VB_E_AGAIN;
        if (count > 0) {
            wrs[count - 1].next = NULL;
            int rv = ibv_post_recv(qp->ib, wrs, &ib_bad);
            posted = count_posted(wrs, ib_bad, sizeof *wrs, count);
            if (qp->recv_shadow)
                rc_shadow_confirm(qp->recv_shadow, count, posted);
            if (posted < count)
                st = post_status(rv);
        }
        if (st != VB_OK) {
            *bad = posted < n ? from[posted] : wr;
            return st;
        }
    }
    return VB_OK;
}
