/* bench_raw.c - the data path of a raw endpoint: posting, polling, arming and waiting, registering. */
#include "bench_raw.h"

#include <stdlib.h>
#include <string.h>

#include "pal/time.h"

static struct raw_ep *raw_of(struct bench_ep *ep)
{
    return (struct raw_ep *)(void *)ep;
}

static bool fail_status(struct raw_ep *r, const char *what, vb_status_t st)
{
    return bench_fail(r->ep.err, "%s on %s failed: %s (%s)", what, r->layer->caps.device, vb_status_text(st),
                      vb_status_name(st));
}

/* --- posting -------------------------------------------------------------------------------------------- */

static bool raw_post_recv(struct bench_ep *ep, uint32_t slot)
{
    struct raw_ep *r = raw_of(ep);
    struct raw_rx *rx = &r->rx[slot];
    vb_status_t st;

    rx->is_done = false;
    st = vb_post_recv(r->qp, &rx->wr, NULL);
    if (st != VB_OK)
        return fail_status(r, "posting a receive", st);
    r->rx_posted++;
    return true;
}

static bool raw_post(struct raw_ep *r, uint32_t slot, uint32_t bytes, enum vb_wr_op op, uint8_t flags)
{
    struct raw_tx *tx = &r->tx[slot];
    uint64_t seq = r->tx_posted;
    uint32_t cq_mod = r->ep.config.cq_mod;
    vb_status_t st;

    if (cq_mod <= 1 || seq % cq_mod == cq_mod - 1 || seq + 1 == r->ep.tx_goal)
        flags |= VB_WR_SIGNALED;
    tx->seq = seq;
    tx->sge.bytes = bytes;
    tx->wr.id = seq;
    tx->wr.op = (uint8_t)op;
    tx->wr.flags = flags;
    tx->wr.sge_count = bytes != 0;
    st = vb_post_send(r->qp, &tx->wr, NULL);
    if (st != VB_OK)
        return fail_status(r, "posting a request", st);
    r->tx_posted = seq + 1;
    return true;
}

static bool raw_post_send(struct bench_ep *ep, uint32_t slot, uint32_t bytes)
{
    struct raw_ep *r = raw_of(ep);

    return raw_post(r, slot, bytes, VB_WR_SEND, bytes <= r->inline_bytes ? VB_WR_INLINE : 0);
}

static bool raw_post_write(struct bench_ep *ep, uint32_t slot, uint32_t bytes, uint32_t remote_offset)
{
    struct raw_ep *r = raw_of(ep);

    r->tx[slot].wr.u.rdma.remote_addr = r->remote_addr + remote_offset;
    r->tx[slot].wr.u.rdma.rkey = r->remote_rkey;
    return raw_post(r, slot, bytes, VB_WR_WRITE, bytes <= r->inline_bytes ? VB_WR_INLINE : 0);
}

static bool raw_post_read(struct bench_ep *ep, uint32_t slot, uint32_t bytes, uint32_t remote_offset)
{
    struct raw_ep *r = raw_of(ep);

    r->tx[slot].wr.u.rdma.remote_addr = r->remote_addr + remote_offset;
    r->tx[slot].wr.u.rdma.rkey = r->remote_rkey;
    return raw_post(r, slot, bytes, VB_WR_READ, 0);
}

/* --- harvesting ----------------------------------------------------------------------------------------- */

static bool harvest_tx(struct raw_ep *r, unsigned *found)
{
    struct vb_wc wc[RAW_POLL_BATCH];
    unsigned n = vb_cq_poll(r->send_cq, wc, RAW_POLL_BATCH);

    for (unsigned i = 0; i < n; i++) {
        if (wc[i].status != VB_OK)
            return fail_status(r, "a request", wc[i].status);
        r->tx_done = wc[i].id + 1; /* the queue completes in order: everything before is done too */
    }
    *found = n;
    return true;
}

static bool harvest_rx(struct raw_ep *r, unsigned *found)
{
    struct vb_wc wc[RAW_POLL_BATCH];
    unsigned n = vb_cq_poll(r->recv_cq, wc, RAW_POLL_BATCH);

    for (unsigned i = 0; i < n; i++) {
        struct raw_rx *rx = &r->rx[wc[i].id];

        r->rx_posted--;
        if (wc[i].status != VB_OK)
            return fail_status(r, "a receive", wc[i].status);
        rx->bytes = wc[i].bytes;
        rx->is_done = true;
    }
    *found = n;
    return true;
}

static enum bench_step raw_poll_rx(struct bench_ep *ep, uint32_t slot, uint32_t *bytes)
{
    struct raw_ep *r = raw_of(ep);
    struct raw_rx *rx = &r->rx[slot];
    unsigned found;

    if (!rx->is_done) {
        if (!harvest_rx(r, &found))
            return BENCH_FAILED;
        if (!rx->is_done)
            return BENCH_PENDING;
    }
    rx->is_done = false;
    *bytes = rx->bytes;
    return BENCH_FINISHED;
}

static enum bench_step raw_poll_tx(struct bench_ep *ep, uint32_t slot)
{
    struct raw_ep *r = raw_of(ep);
    unsigned found;

    if (r->tx[slot].seq < r->tx_done)
        return BENCH_FINISHED;
    if (!harvest_tx(r, &found))
        return BENCH_FAILED;
    return r->tx[slot].seq < r->tx_done ? BENCH_FINISHED : BENCH_PENDING;
}

/* --- being told ----------------------------------------------------------------------------------------- */

/* Hand everything that is done now to the loop, in ring order. Returns how much, -1 on failure. */
static int deliver(struct raw_ep *r)
{
    struct bench_ep *ep = &r->ep;
    unsigned found_rx = 0;
    unsigned found_tx = 0;

    if (ep->config.upcall_rx) {
        if (!harvest_rx(r, &found_rx))
            return -1;
        while (ep->config.rx_count > 0 && r->rx[ep->rx_next].is_done) {
            uint32_t slot = ep->rx_next;

            r->rx[slot].is_done = false;
            ep->rx_next = slot + 1 == ep->config.rx_count ? 0 : slot + 1;
            ep->done(ep->done_context, true, slot, r->rx[slot].bytes);
        }
    }
    if (ep->config.upcall_tx) {
        if (!harvest_tx(r, &found_tx))
            return -1;
        while (ep->tx_ended < r->tx_done) {
            uint32_t slot = ep->tx_oldest;

            bench_tx_finished(ep);
            ep->done(ep->done_context, false, slot, 0);
        }
    }
    return (int)(found_rx + found_tx);
}

static bool arm(struct raw_ep *r)
{
    vb_status_t st = VB_OK;

    if (r->ep.config.upcall_rx)
        st = vb_cq_arm(r->recv_cq);
    if (st == VB_OK && r->ep.config.upcall_tx)
        st = vb_cq_arm(r->send_cq);
    return st == VB_OK || fail_status(r, "arming a completion queue", st);
}

/* Arm, poll again, wait. Armed only when there is nothing left to do: an arm is a system call on some
 * devices, and behind the last answer it costs no latency. */
static bool raw_serve_upcalls(struct bench_ep *ep)
{
    struct raw_ep *r = raw_of(ep);
    pal_waitable waits[2];
    struct vb_cq *queues[2];
    unsigned n = 0;
    bool is_armed = false;

    if (ep->config.upcall_rx)
        queues[n] = r->recv_cq, waits[n++] = vb_cq_waitable(r->recv_cq);
    if (ep->config.upcall_tx)
        queues[n] = r->send_cq, waits[n++] = vb_cq_waitable(r->send_cq);
    for (;;) {
        int delivered = deliver(r);
        uint32_t ready;

        if (delivered < 0)
            return false;
        if (pal_load_acquire(&ep->is_finished) != 0)
            return true;
        if (delivered > 0)
            continue;
        if (!is_armed) {
            if (!arm(r))
                return false;
            is_armed = true;
            continue;
        }
        ready = pal_wait(waits, n, 100);
        if (ready == 0 && !bench_patience_check(ep))
            return false;
        for (unsigned i = 0; i < n; i++) {
            if (ready & 1u << i)
                (void)vb_cq_ack(queues[i]);
        }
        is_armed = ready == 0;
    }
}

/* --- keys ----------------------------------------------------------------------------------------------- */

static void put_le(uint8_t *out, uint64_t v, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        out[i] = (uint8_t)(v >> (8 * i));
}

static uint64_t get_le(const uint8_t *in, unsigned bytes)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < bytes; i++)
        v |= (uint64_t)in[i] << (8 * i);
    return v;
}

static bool raw_set_peer(struct bench_ep *ep, const struct bench_window *peer)
{
    struct raw_ep *r = raw_of(ep);

    ep->peer = *peer;
    if (peer->window_bytes == 0)
        return true;
    if (peer->desc.bytes != 12)
        return bench_fail(ep->err, "the peer's key has %u bytes, must be 12", peer->desc.bytes);
    r->remote_addr = get_le(peer->desc.data, 8);
    r->remote_rkey = (uint32_t)get_le(peer->desc.data + 8, 4);
    return true;
}

/* --- registering ---------------------------------------------------------------------------------------- */

static bool cycle_mr(struct raw_ep *r, uint32_t access, void *memory, uint32_t bytes, uint64_t *out_ns)
{
    struct vb_mr *mr;
    uint64_t start = pal_now_ns();
    vb_status_t st = vb_mr_reg(r->layer->pd, memory, bytes, access, &mr);

    if (st != VB_OK)
        return fail_status(r, "registering memory", st);
    vb_mr_dereg(mr);
    *out_ns = pal_now_ns() - start;
    return true;
}

static bool bind_and_invalidate(struct raw_ep *r, struct vb_mr *mr, void *memory, uint32_t bytes)
{
    struct vb_send_wr bind = {.op = VB_WR_BIND, .id = r->tx_posted};
    struct vb_send_wr kill = {.op = VB_WR_INVALIDATE, .id = r->tx_posted + 1, .flags = VB_WR_SIGNALED};
    vb_status_t st;
    unsigned found = 0;

    bind.u.bind.mw = r->cycle_mw;
    bind.u.bind.mr = mr;
    bind.u.bind.addr = (uint64_t)(uintptr_t)memory;
    bind.u.bind.bytes = bytes;
    bind.u.bind.access = VB_ACCESS_REMOTE_WRITE;
    kill.u.invalidate = r->cycle_mw;
    st = vb_post_send(r->qp, &bind, NULL);
    if (st == VB_OK)
        st = vb_post_send(r->qp, &kill, NULL);
    if (st != VB_OK)
        return fail_status(r, "binding and invalidating a window", st);
    r->tx_posted += 2;
    while (r->tx_done < r->tx_posted) {
        if (!harvest_tx(r, &found) || (found == 0 && !bench_patient(&r->ep)))
            return false;
    }
    return true;
}

/* The window lies over a registration that stays, as in a cache: a fresh one each time makes the device slower. */
static vb_status_t prepare_window(struct raw_ep *r, void *memory, uint32_t bytes)
{
    uint32_t access = VB_ACCESS_LOCAL_WRITE | VB_ACCESS_REMOTE_READ | VB_ACCESS_REMOTE_WRITE |
                      VB_ACCESS_WINDOW;
    vb_status_t st = VB_OK;

    if (r->cycle_mw == NULL)
        st = vb_mw_alloc(r->layer->pd, &r->cycle_mw);
    if (st != VB_OK || (r->cycle_mr != NULL && r->cycle_memory == memory && r->cycle_bytes == bytes))
        return st;
    if (r->cycle_mr != NULL)
        vb_mr_dereg(r->cycle_mr);
    r->cycle_mr = NULL;
    r->cycle_memory = memory;
    r->cycle_bytes = bytes;
    return vb_mr_reg(r->layer->pd, memory, bytes, access, &r->cycle_mr);
}

/* What a provider with a registration cache pays at least: bind a window, invalidate it, wait for that. */
static bool cycle_window(struct raw_ep *r, void *memory, uint32_t bytes, uint64_t *out_ns)
{
    vb_status_t st;
    uint64_t start;
    bool is_good;

    *out_ns = 0;
    if (!(r->layer->caps.flags & VB_CAP_MW_TYPE2))
        return true;
    st = prepare_window(r, memory, bytes);
    if (st != VB_OK)
        return fail_status(r, "preparing a memory window", st);
    start = pal_now_ns();
    is_good = bind_and_invalidate(r, r->cycle_mr, memory, bytes);
    *out_ns = pal_now_ns() - start;
    return is_good;
}

static bool raw_reg_cycle(struct bench_ep *ep, enum bench_reg_kind kind, bool is_cold, void *memory,
                          uint32_t bytes, uint64_t *out_ns)
{
    struct raw_ep *r = raw_of(ep);

    (void)is_cold; /* nothing here caches */
    switch (kind) {
    case BENCH_REG_LOCAL: return cycle_mr(r, VB_ACCESS_LOCAL_WRITE, memory, bytes, out_ns);
    case BENCH_REG_RDMA:
        return cycle_mr(r, VB_ACCESS_LOCAL_WRITE | VB_ACCESS_REMOTE_READ | VB_ACCESS_REMOTE_WRITE, memory,
                        bytes, out_ns);
    case BENCH_REG_WINDOW: return cycle_window(r, memory, bytes, out_ns);
    case BENCH_REG_KINDS: break;
    }
    return false;
}

/* --- making and unmaking -------------------------------------------------------------------------------- */

static bool register_memory(struct raw_ep *r)
{
    const struct bench_ep_config *c = &r->ep.config;
    struct vb_pd *pd = r->layer->pd;
    size_t piece = c->piece_bytes;
    uint32_t sink = VB_ACCESS_LOCAL_WRITE;
    vb_status_t st = VB_OK;

    if (r->layer->caps.flags & VB_CAP_READ_SINK_REMOTE)
        sink |= VB_ACCESS_REMOTE_WRITE;
    if (c->rx_pieces != 0)
        st = vb_mr_reg(pd, r->ep.rx_memory, c->rx_pieces * piece, VB_ACCESS_LOCAL_WRITE, &r->rx_mr);
    if (st == VB_OK && c->tx_pieces != 0)
        st = vb_mr_reg(pd, r->ep.tx_memory, c->tx_pieces * piece, sink, &r->tx_mr);
    if (st == VB_OK && c->window_pieces != 0) {
        st = vb_mr_reg(pd, r->ep.window, c->window_pieces * piece,
                       VB_ACCESS_LOCAL_WRITE | VB_ACCESS_REMOTE_READ | VB_ACCESS_REMOTE_WRITE, &r->window_mr);
        if (st == VB_OK) {
            put_le(r->ep.mine.desc.data, (uint64_t)(uintptr_t)r->ep.window, 8);
            put_le(r->ep.mine.desc.data + 8, vb_mr_rkey(r->window_mr), 4);
            r->ep.mine.desc.bytes = 12;
        }
    }
    return st == VB_OK || fail_status(r, "registering the message buffers", st);
}

static bool create_queues(struct raw_ep *r)
{
    const struct bench_ep_config *c = &r->ep.config;
    struct vb_qp_caps caps = {c->tx_count + 2, c->rx_count + 2, 1, 1, c->inline_bytes};
    bool is_bare = c->tx_count == 0;
    vb_status_t st = VB_OK;

    if (is_bare) {
        caps = (struct vb_qp_caps){8, 8, 1, 1, 0};
        if (r->layer->bare_cq == NULL)
            st = vb_cq_create(r->layer->dev, 16, &r->layer->bare_cq);
    } else {
        st = vb_cq_create(r->layer->dev, caps.send_wr, &r->send_cq);
        if (st == VB_OK)
            st = vb_cq_create(r->layer->dev, caps.recv_wr, &r->recv_cq);
    }
    if (st == VB_OK)
        st = vb_qp_create(r->layer->pd, is_bare ? r->layer->bare_cq : r->send_cq,
                          is_bare ? r->layer->bare_cq : r->recv_cq, &caps, r, &r->qp);
    r->inline_bytes = caps.inline_bytes < c->inline_bytes ? caps.inline_bytes : c->inline_bytes;
    return st == VB_OK || fail_status(r, "creating queues", st);
}

static void build_requests(struct raw_ep *r)
{
    const struct bench_ep_config *c = &r->ep.config;

    for (uint32_t i = 0; i < c->tx_count; i++) {
        struct raw_tx *t = &r->tx[i];

        t->sge.addr = (uint64_t)(uintptr_t)bench_tx_piece(&r->ep, i);
        t->sge.lkey = vb_mr_lkey(r->tx_mr);
        t->wr.sge = &t->sge;
    }
    for (uint32_t i = 0; i < c->rx_count; i++) {
        struct raw_rx *x = &r->rx[i];

        x->sge.addr = (uint64_t)(uintptr_t)bench_rx_piece(&r->ep, i);
        x->sge.bytes = c->piece_bytes;
        x->sge.lkey = vb_mr_lkey(r->rx_mr);
        x->wr.id = i;
        x->wr.sge = &x->sge;
        x->wr.sge_count = 1;
    }
}

bool raw_ep_create(struct raw_layer *l, const struct bench_ep_config *c, struct raw_ep **out)
{
    struct raw_ep *r = calloc(1, sizeof *r);

    if (r == NULL)
        return bench_fail(l->err, "out of memory for a connection");
    if (!bench_ep_init(&r->ep, &raw_ep_ops, c, l->err)) {
        free(r);
        return false;
    }
    r->layer = l;
    if (c->tx_count != 0)
        r->tx = calloc(c->tx_count, sizeof *r->tx);
    if (c->rx_count != 0)
        r->rx = calloc(c->rx_count, sizeof *r->rx);
    if ((c->tx_count != 0 && r->tx == NULL) || (c->rx_count != 0 && r->rx == NULL)) {
        (void)bench_fail(l->err, "out of memory for %u operations", c->tx_count + c->rx_count);
        raw_ep_destroy(r);
        return false;
    }
    if (!register_memory(r) || !create_queues(r)) {
        raw_ep_destroy(r);
        return false;
    }
    build_requests(r);
    *out = r;
    return true;
}

bool raw_post_all_receives(struct raw_ep *r)
{
    for (uint32_t i = 0; i < r->ep.config.rx_count; i++) {
        if (!raw_post_recv(&r->ep, i))
            return false;
    }
    return true;
}

/* What is still posted comes back flushed; a queue pair goes only when it has. Bounded, should the device be
 * gone. */
static void flush(struct raw_ep *r)
{
    struct vb_wc wc[RAW_POLL_BATCH];
    uint64_t deadline = pal_now_ns() + 1000000000u;

    vb_qp_stop(r->qp);
    while (r->recv_cq != NULL && r->rx_posted > 0 && pal_now_ns() < deadline)
        r->rx_posted -= vb_cq_poll(r->recv_cq, wc, RAW_POLL_BATCH);
    while (r->send_cq != NULL && vb_cq_poll(r->send_cq, wc, RAW_POLL_BATCH) > 0) {
    }
}

void raw_ep_destroy(struct raw_ep *r)
{
    if (r->qp != NULL)
        flush(r);
    if (r->cycle_mw != NULL)
        vb_mw_free(r->cycle_mw);
    if (r->cycle_mr != NULL)
        vb_mr_dereg(r->cycle_mr);
    if (r->rx_mr != NULL)
        vb_mr_dereg(r->rx_mr);
    if (r->tx_mr != NULL)
        vb_mr_dereg(r->tx_mr);
    if (r->window_mr != NULL)
        vb_mr_dereg(r->window_mr);
    if (r->qp != NULL)
        vb_qp_destroy(r->qp);
    if (r->send_cq != NULL)
        vb_cq_destroy(r->send_cq);
    if (r->recv_cq != NULL)
        vb_cq_destroy(r->recv_cq);
    if (r->conn != NULL)
        vb_conn_destroy(r->conn);
    free(r->tx);
    free(r->rx);
    bench_ep_fini(&r->ep);
    free(r);
}

const struct bench_ep_ops raw_ep_ops = {
    raw_post_recv, raw_post_send,     raw_post_write, raw_post_read, raw_poll_rx,
    raw_poll_tx,   raw_serve_upcalls, raw_set_peer,   raw_reg_cycle, raw_ep_close,
};
