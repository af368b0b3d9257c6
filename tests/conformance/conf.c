/* conf.c - pairs, posting and waiting for vb_conformance; see conf.h. */
#include "conf.h"

#define STASH_MAX 512

struct conf g;

static struct vb_cm_event stash[STASH_MAX];
static unsigned stash_count;

void conf_skip(const char *why)
{
    print_message("[  SKIP    ] %s: %s\n", g.caps.device, why);
    skip();
}

void conf_fill(uint8_t *p, size_t bytes, uint32_t seed)
{
    uint32_t x = seed * 2654435761u + 12345u;
    for (size_t i = 0; i < bytes; i++) {
        x = x * 1664525u + 1013904223u;
        p[i] = (uint8_t)(x >> 24);
    }
}

void conf_check(const uint8_t *p, size_t bytes, uint32_t seed)
{
    uint32_t x = seed * 2654435761u + 12345u;
    for (size_t i = 0; i < bytes; i++) {
        x = x * 1664525u + 1013904223u;
        if (p[i] != (uint8_t)(x >> 24))
            fail_msg("byte %zu of %zu is %02x, should be %02x", i, bytes, p[i], (uint8_t)(x >> 24));
    }
}

/* ---- connection events ---- */

static bool matches(const struct vb_cm_event *ev, const struct vb_conn *conn)
{
    return conn ? ev->conn == conn : ev->kind == VB_CM_REQUEST;
}

static bool from_stash(const struct vb_conn *conn, struct vb_cm_event *ev)
{
    for (unsigned i = 0; i < stash_count; i++)
        if (matches(&stash[i], conn)) {
            *ev = stash[i];
            memmove(&stash[i], &stash[i + 1], (--stash_count - i) * sizeof *stash);
            return true;
        }
    return false;
}

static void forget_events_of(const struct vb_conn *conn)
{
    struct vb_cm_event ev;
    while (from_stash(conn, &ev)) {
    }
}

bool conf_next(const struct vb_conn *conn, struct vb_cm_event *ev, uint32_t timeout_ms)
{
    const uint64_t deadline = pal_now_ns() + (uint64_t)timeout_ms * 1000000;

    if (from_stash(conn, ev))
        return true;
    for (;;) {
        vb_status_t st = vb_cm_poll(g.cm, ev);
        if (st == VB_OK) {
            if (matches(ev, conn))
                return true;
            assert_true(stash_count < STASH_MAX);
            stash[stash_count++] = *ev;
            continue;
        }
        assert_int_equal(st, VB_E_AGAIN);
        const uint64_t now = pal_now_ns();
        if (now >= deadline)
            return false;
        const pal_waitable w = vb_cm_waitable(g.cm);
        (void)pal_wait(&w, 1, (int)((deadline - now) / 1000000 + 1));
    }
}

static const char *kind_name(enum vb_cm_event_kind kind)
{
    static const char *const names[] = {"REQUEST",      "ESTABLISHED", "REJECTED", "FAILED",
                                        "DISCONNECTED", "WITHDRAWN",   "DEV_GONE"};
    return (unsigned)kind < sizeof names / sizeof *names ? names[kind] : "?";
}

void conf_await(const struct vb_conn *conn, enum vb_cm_event_kind kind, struct vb_cm_event *ev)
{
    struct vb_cm_event ignored;
    if (!ev)
        ev = &ignored;
    if (!conf_next(conn, ev, CONF_DEADLINE_MS))
        fail_msg("no event while waiting for %s", kind_name(kind));
    if (ev->kind != kind)
        fail_msg("event %s (%s) while waiting for %s", kind_name(ev->kind), vb_status_name(ev->status),
                 kind_name(kind));
}

void conf_no_event(const struct vb_conn *conn)
{
    struct vb_cm_event ev;
    if (conf_next(conn, &ev, CONF_QUIET_MS))
        fail_msg("unexpected event %s", kind_name(ev.kind));
}

/* ---- pairs ---- */

struct vb_conn_params conf_params(uint8_t read_in, uint8_t read_out, const void *data, uint16_t bytes)
{
    return (struct vb_conn_params){
        .data = data, .data_bytes = bytes, .read_in = read_in, .read_out = read_out, .timeout_ms = 5000};
}

void conf_end_open(struct conf_end *e, const struct vb_qp_caps *want, size_t mem_bytes,
                   struct vb_pd *share_pd)
{
    struct vb_qp_caps caps = *want;
    uint32_t access = VB_ACCESS_LOCAL_WRITE | VB_ACCESS_REMOTE_READ | VB_ACCESS_REMOTE_WRITE;

    if (share_pd) {
        e->pd = share_pd;
    } else {
        assert_ok(vb_pd_create(g.dev, &e->pd));
        e->owns_pd = true;
    }
    assert_ok(vb_cq_create(g.dev, caps.send_wr * 2, &e->cq[CONF_SEND]));
    assert_ok(vb_cq_create(g.dev, caps.recv_wr * 2, &e->cq[CONF_RECV]));
    assert_ok(vb_qp_create(e->pd, e->cq[CONF_SEND], e->cq[CONF_RECV], &caps, e, &e->qp));
    e->caps = caps;
    e->mem = pal_pages_alloc(mem_bytes);
    assert_non_null(e->mem);
    e->mem_bytes = mem_bytes;
    if (g.caps.flags & VB_CAP_MW_TYPE2)
        access |= VB_ACCESS_WINDOW;
    assert_ok(vb_mr_reg(e->pd, e->mem, mem_bytes, access, &e->mr));
}

void conf_end_close(struct conf_end *e)
{
    if (e->qp)
        conf_drain(e);
    if (e->conn) {
        vb_conn_destroy(e->conn);
        forget_events_of(e->conn);
    }
    vb_qp_destroy(e->qp);
    vb_mr_dereg(e->mr);
    vb_cq_destroy(e->cq[CONF_SEND]);
    vb_cq_destroy(e->cq[CONF_RECV]);
    if (e->owns_pd)
        vb_pd_destroy(e->pd);
    if (e->mem)
        pal_pages_free(e->mem, e->mem_bytes);
    memset(e, 0, sizeof *e);
}

void conf_listen(struct conf_pair *p)
{
    struct vb_addr at = p->listen_on.family ? p->listen_on : g.addr;
    assert_ok(vb_listen(g.cm, &at, 8, p, &p->listener));
    vb_listener_addr(p->listener, &p->at);
    assert_int_not_equal(p->at.port, 0);
}

void conf_pair_open(struct conf_pair *p)
{
    struct vb_cm_event ev;

    if (p->want.send_wr == 0)
        p->want = (struct vb_qp_caps){
            .send_wr = 64, .recv_wr = 64, .send_sge = 2, .recv_sge = 2, .inline_bytes = 64};
    if (p->mem_bytes == 0)
        p->mem_bytes = 64 * 1024;
    if (!p->listener)
        conf_listen(p);
    conf_end_open(&p->a, &p->want, p->mem_bytes, NULL);
    conf_end_open(&p->b, &p->want, p->mem_bytes, p->share_pd_b);

    struct vb_addr to = g.addr;
    to.port = p->at.port;
    struct vb_conn_params pa = conf_params(p->read_in_a ? p->read_in_a : 4, p->read_out_a ? p->read_out_a : 4,
                                           p->data_a, p->data_a_bytes);
    struct vb_conn_params pb = conf_params(p->read_in_b ? p->read_in_b : 4, p->read_out_b ? p->read_out_b : 4,
                                           p->data_b, p->data_b_bytes);
    assert_ok(vb_conn_create(g.cm, &g.addr, &p->a, &p->a.conn));
    assert_ok(vb_conn_bind_qp(p->a.conn, p->a.qp));
    assert_ok(vb_conn_connect(p->a.conn, &to, &pa));
    conf_await(NULL, VB_CM_REQUEST, &p->request);
    assert_ptr_equal(p->request.context, p);
    p->b.conn = p->request.conn;
    vb_conn_set_context(p->b.conn, &p->b);
    assert_ok(vb_conn_bind_qp(p->b.conn, p->b.qp));
    assert_ok(vb_conn_accept(p->b.conn, &pb));
    conf_await(p->a.conn, VB_CM_ESTABLISHED, &ev);
    assert_ptr_equal(ev.context, &p->a);
    p->a.established = ev;
    conf_await(p->b.conn, VB_CM_ESTABLISHED, &ev);
    assert_ptr_equal(ev.context, &p->b);
    p->b.established = ev;
}

void conf_pair_close(struct conf_pair *p)
{
    conf_end_close(&p->a);
    conf_end_close(&p->b);
    vb_listener_destroy(p->listener);
    p->listener = NULL;
}

int conf_setup_none(void **state)
{
    *state = calloc(1, sizeof(struct conf_pair));
    return *state ? 0 : -1;
}

int conf_setup_pair(void **state)
{
    if (conf_setup_none(state) != 0)
        return -1;
    conf_pair_open(*state);
    return 0;
}

int conf_teardown(void **state)
{
    struct conf_pair *p = *state;
    if (p)
        conf_pair_close(p);
    free(p);
    if (stash_count) {
        print_message("%u connection events were left over, the first is %s\n", stash_count,
                      kind_name(stash[0].kind));
        stash_count = 0;
        return -1;
    }
    return 0;
}

/* ---- requests ---- */

struct vb_sge conf_sge(const struct conf_end *e, size_t offset, uint32_t bytes)
{
    assert_true(offset + bytes <= e->mem_bytes);
    return (struct vb_sge){.addr = (uintptr_t)e->mem + offset, .bytes = bytes, .lkey = vb_mr_lkey(e->mr)};
}

vb_status_t conf_post(struct conf_end *e, struct vb_send_wr *wr, const struct vb_send_wr **bad)
{
    const struct vb_send_wr *stopped = NULL;
    vb_status_t st = vb_post_send(e->qp, wr, &stopped);

    if (st == VB_OK)
        stopped = NULL; /* undefined then */
    else
        assert_non_null(stopped);
    for (const struct vb_send_wr *i = wr; i && i != stopped; i = i->next)
        if (i->flags & VB_WR_SIGNALED)
            e->out[CONF_SEND]++;
        else
            e->unsignaled++;
    if (bad)
        *bad = stopped;
    return st;
}

vb_status_t conf_post_recv(struct conf_end *e, struct vb_recv_wr *wr, const struct vb_recv_wr **bad)
{
    const struct vb_recv_wr *stopped = NULL;
    vb_status_t st = vb_post_recv(e->qp, wr, &stopped);

    if (st == VB_OK)
        stopped = NULL; /* undefined then */
    else
        assert_non_null(stopped);
    for (const struct vb_recv_wr *i = wr; i && i != stopped; i = i->next)
        e->out[CONF_RECV]++;
    if (bad)
        *bad = stopped;
    return st;
}

vb_status_t conf_send(struct conf_end *e, uint64_t id, size_t offset, uint32_t bytes, uint8_t flags)
{
    struct vb_sge sge = conf_sge(e, offset, bytes);
    struct vb_send_wr wr = {.id = id, .sge = &sge, .sge_count = bytes > 0, .op = VB_WR_SEND, .flags = flags};
    return conf_post(e, &wr, NULL);
}

vb_status_t conf_recv(struct conf_end *e, uint64_t id, size_t offset, uint32_t bytes)
{
    struct vb_sge sge = conf_sge(e, offset, bytes);
    struct vb_recv_wr wr = {.id = id, .sge = &sge, .sge_count = bytes > 0};
    return conf_post_recv(e, &wr, NULL);
}

vb_status_t conf_rdma(struct conf_end *e, enum vb_wr_op op, uint64_t id, size_t offset, uint32_t bytes,
                      uint64_t remote, uint32_t rkey, uint8_t flags)
{
    struct vb_sge sge = conf_sge(e, offset, bytes);
    struct vb_send_wr wr = {.id = id, .sge = &sge, .sge_count = bytes > 0, .op = (uint8_t)op, .flags = flags};
    wr.u.rdma.remote_addr = remote;
    wr.u.rdma.rkey = rkey;
    return conf_post(e, &wr, NULL);
}

vb_status_t conf_bind(struct conf_end *e, uint64_t id, struct vb_mw *mw, size_t offset, uint64_t bytes,
                      uint32_t access, uint8_t flags)
{
    struct vb_send_wr wr = {.id = id, .op = VB_WR_BIND, .flags = flags};
    wr.u.bind.mw = mw;
    wr.u.bind.mr = e->mr;
    wr.u.bind.addr = (uintptr_t)e->mem + offset;
    wr.u.bind.bytes = bytes;
    wr.u.bind.access = access;
    return conf_post(e, &wr, NULL);
}

vb_status_t conf_invalidate(struct conf_end *e, uint64_t id, struct vb_mw *mw, uint8_t flags)
{
    struct vb_send_wr wr = {.id = id, .op = VB_WR_INVALIDATE, .flags = flags};
    wr.u.invalidate = mw;
    return conf_post(e, &wr, NULL);
}

/* ---- completions ---- */

unsigned conf_poll(struct conf_end *e, enum conf_queue q, struct vb_wc *wc, unsigned max)
{
    const unsigned got = vb_cq_poll(e->cq[q], wc, max);
    for (unsigned i = 0; i < got; i++) {
        if (e->out[q] > 0)
            e->out[q]--;
        else if (q == CONF_SEND && wc[i].status != VB_OK && e->unsignaled > 0)
            e->unsignaled--;
        else
            fail_msg("completion %llu (%s) that nobody waits for", (unsigned long long)wc[i].id,
                     vb_status_name(wc[i].status));
    }
    return got;
}

bool conf_wait(struct conf_end *e, enum conf_queue q, struct vb_wc *wc, uint32_t timeout_ms)
{
    const uint64_t deadline = pal_now_ns() + (uint64_t)timeout_ms * 1000000;
    while (conf_poll(e, q, wc, 1) == 0) {
        if (pal_now_ns() >= deadline)
            return false;
        pal_thread_yield();
    }
    return true;
}

struct vb_wc conf_expect(struct conf_end *e, enum conf_queue q, uint64_t id, vb_status_t status)
{
    struct vb_wc wc;
    if (!conf_wait(e, q, &wc, CONF_DEADLINE_MS))
        fail_msg("no completion for request %llu", (unsigned long long)id);
    if (wc.status != status || (id != CONF_ANY_ID && wc.id != id))
        fail_msg("request %llu completed with %s, expected %llu with %s", (unsigned long long)wc.id,
                 vb_status_name(wc.status), (unsigned long long)id, vb_status_name(status));
    return wc;
}

void conf_quiet(struct conf_end *e, enum conf_queue q)
{
    struct vb_wc wc;
    if (conf_wait(e, q, &wc, CONF_QUIET_MS))
        fail_msg("request %llu completed (%s) where nothing should", (unsigned long long)wc.id,
                 vb_status_name(wc.status));
}

void conf_drain(struct conf_end *e)
{
    const uint64_t deadline = pal_now_ns() + (uint64_t)CONF_DEADLINE_MS * 1000000;

    vb_qp_stop(e->qp);
    for (int q = CONF_SEND; q <= CONF_RECV; q++) {
        struct vb_wc wc[16];
        /* Unsignaled ones that are flushed may come before signaled ones and were counted as such: give the
         * rest a moment. */
        uint64_t until = q == CONF_SEND && e->unsignaled > 0 ? pal_now_ns() + 20000000 : 0;
        while ((e->out[q] > 0 && pal_now_ns() < deadline) || pal_now_ns() < until)
            if (conf_poll(e, (enum conf_queue)q, wc, 16) == 0)
                pal_thread_yield();
        if (e->out[q] > 0)
            fail_msg("%u requests of the %s queue never came back", e->out[q],
                     q == CONF_SEND ? "send" : "receive");
    }
}
