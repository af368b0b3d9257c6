/* test_loop.c - owns the self-test of the loop backend: that it is as strict as loop_backend.h says. What
 * every backend must do is tested by tests/conformance. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "loop_backend.h"
#include "pal/thread.h"
#include "pal/time.h"

enum { DEPTH = 8, CQ_DEPTH = 64, MEM = 4096, WAIT_MS = 5000 };

struct side {
    struct vb_cm *cm;
    struct vb_cq *scq, *rcq;
    struct vb_qp *qp;
    struct vb_conn *conn;
    struct vb_mr *mr;
    uint8_t mem[MEM];
};

struct fixture {
    struct vb_backend *be;
    struct vb_dev *dev;
    struct vb_pd *pd;
    struct vb_listener *listener;
    struct side a, b; /* a connects to b */
};

static struct vb_addr addr(const char *text)
{
    struct vb_addr a;
    assert_true(vb_addr_parse(text, &a));
    return a;
}

static struct vb_cm_event next_event(struct vb_cm *cm)
{
    struct vb_cm_event ev;
    uint64_t end = pal_now_ns() + WAIT_MS * 1000000ull;
    vb_status_t st;
    while ((st = vb_cm_poll(cm, &ev)) == VB_E_AGAIN && pal_now_ns() < end) {
        pal_waitable w = vb_cm_waitable(cm);
        (void)pal_wait(&w, 1, 100);
    }
    assert_int_equal(st, VB_OK);
    return ev;
}

static struct vb_cm_event expect_event(struct vb_cm *cm, enum vb_cm_event_kind kind, vb_status_t status)
{
    struct vb_cm_event ev = next_event(cm);
    assert_int_equal(ev.kind, kind);
    assert_int_equal(ev.status, status);
    return ev;
}

static void expect_no_event(struct vb_cm *cm)
{
    struct vb_cm_event ev;
    assert_int_equal(vb_cm_poll(cm, &ev), VB_E_AGAIN);
}

static void expect_wc(struct vb_cq *cq, uint64_t id, vb_status_t status)
{
    struct vb_wc wc;
    uint64_t end = pal_now_ns() + WAIT_MS * 1000000ull;
    unsigned n;
    while ((n = vb_cq_poll(cq, &wc, 1)) == 0 && pal_now_ns() < end)
        pal_thread_yield();
    assert_int_equal(n, 1);
    assert_int_equal(wc.id, id);
    assert_int_equal(wc.status, status);
}

static void expect_no_wc(struct vb_cq *cq)
{
    struct vb_wc wc;
    assert_int_equal(vb_cq_poll(cq, &wc, 1), 0);
}

static void side_qp(struct fixture *f, struct side *s, uint32_t depth)
{
    struct vb_qp_caps caps = {
        .send_wr = depth, .recv_wr = depth, .send_sge = 2, .recv_sge = 2, .inline_bytes = 64};
    assert_int_equal(vb_qp_create(f->pd, s->scq, s->rcq, &caps, s, &s->qp), VB_OK);
}

static void side_init(struct fixture *f, struct side *s, uint32_t cq_depth)
{
    assert_int_equal(vb_cm_create(f->be, &s->cm), VB_OK);
    assert_int_equal(vb_cq_create(f->dev, cq_depth, &s->scq), VB_OK);
    assert_int_equal(vb_cq_create(f->dev, cq_depth, &s->rcq), VB_OK);
    uint32_t access = VB_ACCESS_LOCAL_WRITE | VB_ACCESS_REMOTE_READ | VB_ACCESS_REMOTE_WRITE;
    struct vb_caps caps;
    vb_dev_caps(f->dev, &caps);
    if (caps.flags & VB_CAP_MW_TYPE2)
        access |= VB_ACCESS_WINDOW;
    assert_int_equal(vb_mr_reg(f->pd, s->mem, MEM, access, &s->mr), VB_OK);
    side_qp(f, s, DEPTH);
}

static void side_fini(struct side *s)
{
    vb_qp_destroy(s->qp);
    vb_conn_destroy(s->conn);
    vb_mr_dereg(s->mr);
    vb_cq_destroy(s->scq);
    vb_cq_destroy(s->rcq);
}

static void start_connect(struct fixture *f)
{
    struct vb_addr to = addr("10.77.0.2:7000"), from = addr("10.77.0.1");
    struct vb_conn_params p = {
        .data = "hi", .data_bytes = 2, .read_in = 200, .read_out = 4, .timeout_ms = 50};
    assert_int_equal(vb_conn_create(f->a.cm, &from, &f->a, &f->a.conn), VB_OK);
    assert_int_equal(vb_conn_connect(f->a.conn, &to, &p), VB_E_STATE);
    assert_int_equal(vb_conn_bind_qp(f->a.conn, f->a.qp), VB_OK);
    assert_int_equal(vb_conn_connect(f->a.conn, &to, &p), VB_OK);
}

static void take_request(struct fixture *f)
{
    struct vb_cm_event ev = expect_event(f->b.cm, VB_CM_REQUEST, VB_OK);
    assert_ptr_equal(ev.context, f);
    assert_memory_equal(ev.data, "hi", 3);
    assert_int_equal(ev.read_in, 4);
    assert_int_equal(ev.read_out, 16);
    f->b.conn = ev.conn;
    vb_conn_set_context(ev.conn, &f->b);
}

static void accept_request(struct fixture *f)
{
    struct vb_conn_params p = {.data = "yes", .data_bytes = 3, .read_in = 2, .read_out = 8};
    assert_int_equal(vb_conn_accept(f->b.conn, &p), VB_E_STATE);
    assert_int_equal(vb_conn_bind_qp(f->b.conn, f->b.qp), VB_OK);
    assert_int_equal(vb_conn_accept(f->b.conn, &p), VB_OK);
}

static void see_established(struct fixture *f)
{
    struct vb_cm_event ev = expect_event(f->a.cm, VB_CM_ESTABLISHED, VB_OK);
    assert_ptr_equal(ev.context, &f->a);
    assert_memory_equal(ev.data, "yes", 4);
    assert_int_equal(ev.read_in, 8);
    assert_int_equal(ev.read_out, 2);
    ev = expect_event(f->b.cm, VB_CM_ESTABLISHED, VB_OK);
    assert_ptr_equal(ev.context, &f->b);
    assert_int_equal(ev.read_in, 2);
    assert_int_equal(ev.read_out, 8);
}

static void connect_both(struct fixture *f)
{
    start_connect(f);
    take_request(f);
    accept_request(f);
    see_established(f);
}

static void open_all(struct fixture *f)
{
    struct vb_addr a1 = addr("10.77.0.1"), any = addr("0.0.0.0:7000");
    char why[200];
    assert_int_equal(vb_open("loop", &f->be, why, sizeof why), VB_OK);
    assert_int_equal(vb_dev_open(f->be, &a1, &f->dev), VB_OK);
    assert_int_equal(vb_pd_create(f->dev, &f->pd), VB_OK);
    side_init(f, &f->a, CQ_DEPTH);
    side_init(f, &f->b, CQ_DEPTH);
    assert_int_equal(vb_listen(f->b.cm, &any, 5, f, &f->listener), VB_OK);
}

static int setup(void **state)
{
    loop_reset();
    struct fixture *f = calloc(1, sizeof *f);
    open_all(f);
    *state = f;
    return 0;
}

static int setup_connected(void **state)
{
    setup(state);
    connect_both(*state);
    return 0;
}

static int setup_iwarp(void **state)
{
    struct loop_config c;
    loop_reset();
    loop_get_config(&c);
    loop_config_iwarp(&c);
    c.pads_private_data = true; /* the fixture compares with padding */
    loop_set_config(&c);
    struct fixture *f = calloc(1, sizeof *f);
    open_all(f);
    connect_both(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    side_fini(&f->a);
    side_fini(&f->b);
    vb_listener_destroy(f->listener);
    vb_cm_destroy(f->a.cm);
    vb_cm_destroy(f->b.cm);
    vb_pd_destroy(f->pd);
    vb_dev_close(f->dev);
    vb_close(f->be);
    free(f);
    return loop_nothing_alive() ? 0 : -1;
}

static struct vb_sge sge_of(const struct side *s, size_t at, uint32_t bytes)
{
    return (struct vb_sge){
        .addr = (uint64_t)(uintptr_t)(s->mem + at), .bytes = bytes, .lkey = vb_mr_lkey(s->mr)};
}

static vb_status_t post_recv(struct side *s, uint64_t id, size_t at, uint32_t bytes)
{
    struct vb_sge e = sge_of(s, at, bytes);
    struct vb_recv_wr wr = {.id = id, .sge = &e, .sge_count = 1};
    return vb_post_recv(s->qp, &wr, NULL);
}

static vb_status_t post_send(struct side *s, uint64_t id, size_t at, uint32_t bytes, uint8_t flags)
{
    struct vb_sge e = sge_of(s, at, bytes);
    struct vb_send_wr wr = {.id = id, .sge = &e, .sge_count = 1, .op = VB_WR_SEND, .flags = flags};
    return vb_post_send(s->qp, &wr, NULL);
}

static vb_status_t post_rdma(struct side *s, uint8_t op, uint64_t id, size_t at, uint32_t bytes,
                             const void *remote, uint32_t rkey, uint8_t flags)
{
    struct vb_sge e = sge_of(s, at, bytes);
    struct vb_send_wr wr = {.id = id, .sge = &e, .sge_count = 1, .op = op, .flags = flags};
    wr.u.rdma.remote_addr = (uint64_t)(uintptr_t)remote;
    wr.u.rdma.rkey = rkey;
    return vb_post_send(s->qp, &wr, NULL);
}

static vb_status_t post_bind(struct side *s, struct vb_mw *mw, size_t at, uint64_t bytes, uint32_t access)
{
    struct vb_send_wr wr = {.id = 900, .op = VB_WR_BIND, .flags = VB_WR_SIGNALED};
    wr.u.bind.mw = mw;
    wr.u.bind.mr = s->mr;
    wr.u.bind.addr = (uint64_t)(uintptr_t)(s->mem + at);
    wr.u.bind.bytes = bytes;
    wr.u.bind.access = access;
    return vb_post_send(s->qp, &wr, NULL);
}

static vb_status_t post_invalidate(struct side *s, struct vb_mw *mw)
{
    struct vb_send_wr wr = {.id = 901, .op = VB_WR_INVALIDATE, .flags = VB_WR_SIGNALED};
    wr.u.invalidate = mw;
    return vb_post_send(s->qp, &wr, NULL);
}

static void change_config(void (*change)(struct loop_config *))
{
    struct loop_config c;
    loop_get_config(&c);
    change(&c);
    loop_set_config(&c);
}

/* ---- data ---- */

static void sends_wait_for_receives_and_arrive_in_order(void **state)
{
    struct fixture *f = *state;
    struct vb_wc wc;
    memcpy(f->a.mem, "onetwo", 6);
    assert_int_equal(post_send(&f->a, 1, 0, 3, VB_WR_SIGNALED), VB_OK);
    assert_int_equal(post_send(&f->a, 2, 3, 3, 0), VB_OK);
    expect_no_wc(f->a.scq);
    assert_int_equal(post_recv(&f->b, 11, 100, 10), VB_OK);
    assert_int_equal(vb_cq_poll(f->b.rcq, &wc, 1), 1);
    assert_int_equal(wc.op, VB_WC_RECV);
    assert_int_equal(wc.bytes, 3);
    expect_wc(f->a.scq, 1, VB_OK);
    assert_int_equal(post_recv(&f->b, 12, 200, 10), VB_OK);
    expect_wc(f->b.rcq, 12, VB_OK);
    expect_no_wc(f->a.scq); /* unsignaled */
    assert_memory_equal(f->b.mem + 100, "one", 4);
    assert_memory_equal(f->b.mem + 200, "two", 4);
}

static void inline_payload_is_copied_at_the_post(void **state)
{
    struct fixture *f = *state;
    memcpy(f->a.mem, "old", 3);
    assert_int_equal(post_send(&f->a, 1, 0, 3, VB_WR_INLINE), VB_OK);
    assert_int_equal(post_send(&f->a, 1, 0, 65, VB_WR_INLINE), VB_E_INVAL);
    memcpy(f->a.mem, "new", 3);
    assert_int_equal(post_recv(&f->b, 11, 0, 3), VB_OK);
    assert_memory_equal(f->b.mem, "old", 3);
}

static void pieces_are_gathered_and_scattered(void **state)
{
    struct fixture *f = *state;
    memcpy(f->a.mem, "abcdefgh", 8);
    struct vb_sge from[2] = {sge_of(&f->a, 0, 5), sge_of(&f->a, 5, 3)};
    struct vb_sge to[2] = {sge_of(&f->b, 0, 2), sge_of(&f->b, 100, 6)};
    struct vb_recv_wr r = {.id = 1, .sge = to, .sge_count = 2};
    struct vb_send_wr s = {.id = 2, .sge = from, .sge_count = 2, .op = VB_WR_SEND};
    assert_int_equal(vb_post_recv(f->b.qp, &r, NULL), VB_OK);
    assert_int_equal(vb_post_send(f->a.qp, &s, NULL), VB_OK);
    assert_memory_equal(f->b.mem, "ab\0", 3);
    assert_memory_equal(f->b.mem + 100, "cdefgh\0", 7);
}

static void too_long_message_kills_both_ends(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(post_recv(&f->b, 11, 0, 2), VB_OK);
    assert_int_equal(post_recv(&f->b, 12, 0, 2), VB_OK);
    assert_int_equal(post_send(&f->a, 1, 0, 3, 0), VB_OK);
    assert_int_equal(post_send(&f->a, 2, 0, 1, 0), VB_OK);
    expect_wc(f->b.rcq, 11, VB_E_LENGTH);
    expect_wc(f->b.rcq, 12, VB_E_FLUSHED);
    expect_wc(f->a.scq, 1, VB_E_REMOTE_OP);
    expect_wc(f->a.scq, 2, VB_E_FLUSHED); /* unsignaled, but failed */
    expect_no_event(f->a.cm);
}

static void a_slot_is_free_again_only_after_its_completion_was_polled(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < DEPTH; i++) {
        assert_int_equal(post_recv(&f->b, 10, 0, 8), VB_OK);
        assert_int_equal(post_send(&f->a, 1, 0, 1, i == DEPTH - 2 ? VB_WR_SIGNALED : 0), VB_OK);
    }
    assert_int_equal(post_recv(&f->b, 10, 0, 8), VB_E_AGAIN);
    assert_int_equal(post_send(&f->a, 1, 0, 1, 0), VB_E_AGAIN);
    expect_wc(f->b.rcq, 10, VB_OK);
    expect_wc(f->a.scq, 1, VB_OK);
    assert_int_equal(post_recv(&f->b, 10, 0, 8), VB_OK);
    assert_int_equal(post_recv(&f->b, 10, 0, 8), VB_E_AGAIN);
    for (int i = 0; i < DEPTH - 1; i++)
        assert_int_equal(post_send(&f->a, 1, 0, 1, 0), VB_OK);
    assert_int_equal(post_send(&f->a, 1, 0, 1, 0), VB_E_AGAIN);
}

static void a_chain_is_posted_up_to_the_bad_request(void **state)
{
    struct fixture *f = *state;
    struct vb_send_wr w[3] = {{.id = 1, .op = VB_WR_SEND, .next = &w[1]},
                              {.id = 2, .op = VB_WR_SEND, .sge_count = 99, .next = &w[2]},
                              {.id = 3, .op = VB_WR_SEND}};
    const struct vb_send_wr *bad = NULL;
    assert_int_equal(vb_post_send(f->a.qp, w, &bad), VB_E_INVAL);
    assert_ptr_equal(bad, &w[1]);
    vb_qp_stop(f->a.qp);
    expect_wc(f->a.scq, 1, VB_E_FLUSHED);
    expect_no_wc(f->a.scq);
}

static void local_keys_bounds_and_rights_are_checked(void **state)
{
    struct fixture *f = *state;
    struct vb_sge e = sge_of(&f->a, MEM - 4, 5);
    struct vb_send_wr wr = {.id = 1, .sge = &e, .sge_count = 1, .op = VB_WR_SEND};
    assert_int_equal(vb_post_send(f->a.qp, &wr, NULL), VB_OK);
    expect_wc(f->a.scq, 1, VB_E_PROTECTION);
    /* The receiver's fault is the receiver's protection error and the sender's remote error: other direction,
     * dead already. */
    assert_int_equal(post_send(&f->b, 2, 0, 1, 0), VB_OK);
    expect_wc(f->b.scq, 2, VB_E_RETRY);
}

static void an_rkey_is_no_lkey(void **state)
{
    struct fixture *f = *state;
    struct vb_sge e = sge_of(&f->b, 0, 5);
    e.lkey = vb_mr_rkey(f->b.mr);
    struct vb_recv_wr r = {.id = 11, .sge = &e, .sge_count = 1};
    assert_int_equal(vb_post_recv(f->b.qp, &r, NULL), VB_OK);
    assert_int_equal(post_send(&f->a, 1, 0, 1, VB_WR_SIGNALED), VB_OK);
    expect_wc(f->b.rcq, 11, VB_E_PROTECTION);
    expect_wc(f->a.scq, 1, VB_E_REMOTE_OP);
}

static void rdma_moves_bytes_and_refuses_what_lies_outside(void **state)
{
    struct fixture *f = *state;
    uint32_t rkey = vb_mr_rkey(f->b.mr);
    struct vb_async_event ev;
    memcpy(f->a.mem, "write", 5);
    memcpy(f->b.mem + 50, "read", 4);
    assert_int_equal(post_rdma(&f->a, VB_WR_WRITE, 1, 0, 5, f->b.mem, rkey, VB_WR_SIGNALED), VB_OK);
    assert_int_equal(post_rdma(&f->a, VB_WR_READ, 2, 100, 4, f->b.mem + 50, rkey, VB_WR_SIGNALED), VB_OK);
    expect_wc(f->a.scq, 1, VB_OK);
    expect_wc(f->a.scq, 2, VB_OK);
    assert_memory_equal(f->b.mem, "write", 6);
    assert_memory_equal(f->a.mem + 100, "read", 5);
    assert_int_equal(vb_async_poll(f->be, &ev), VB_E_AGAIN);
    assert_int_equal(post_rdma(&f->a, VB_WR_WRITE, 3, 0, 5, f->b.mem + MEM - 4, rkey, 0), VB_OK);
    expect_wc(f->a.scq, 3, VB_E_REMOTE_ACCESS);
    assert_int_equal(f->b.mem[MEM - 4], 0);
    assert_int_equal(vb_async_poll(f->be, &ev), VB_OK);
    assert_int_equal(ev.kind, VB_ASYNC_QP_FATAL);
    assert_ptr_equal(ev.qp_context, &f->b);
}

static void an_lkey_is_no_rkey(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(post_rdma(&f->a, VB_WR_READ, 1, 0, 4, f->b.mem, vb_mr_lkey(f->b.mr), 0), VB_OK);
    expect_wc(f->a.scq, 1, VB_E_REMOTE_ACCESS);
}

static void a_window_has_exact_bounds_and_dies_by_invalidate(void **state)
{
    struct fixture *f = *state;
    struct vb_mw *mw;
    assert_int_equal(vb_mw_alloc(f->pd, &mw), VB_OK);
    uint32_t before = vb_mw_rkey(mw);
    assert_int_equal(post_bind(&f->b, mw, 10, 5, VB_ACCESS_REMOTE_WRITE), VB_OK);
    uint32_t key = vb_mw_rkey(mw);
    assert_int_not_equal(before, key);
    expect_wc(f->b.scq, 900, VB_OK);
    memcpy(f->a.mem, "12345", 5);
    assert_int_equal(post_rdma(&f->a, VB_WR_WRITE, 1, 0, 5, f->b.mem + 10, key, VB_WR_SIGNALED), VB_OK);
    expect_wc(f->a.scq, 1, VB_OK);
    assert_int_equal(post_invalidate(&f->b, mw), VB_OK);
    expect_wc(f->b.scq, 901, VB_OK);
    assert_int_equal(post_bind(&f->b, mw, 10, 5, VB_ACCESS_REMOTE_READ), VB_OK);
    expect_wc(f->b.scq, 900, VB_OK);
    assert_int_not_equal(vb_mw_rkey(mw), key);
    assert_int_equal(post_rdma(&f->a, VB_WR_WRITE, 2, 0, 5, f->b.mem + 10, key, 0), VB_OK);
    expect_wc(f->a.scq, 2, VB_E_REMOTE_ACCESS);
    vb_mw_free(mw); /* bound still: freeing unbinds */
}

static void a_bound_window_cannot_be_bound_again(void **state)
{
    struct fixture *f = *state;
    struct vb_mw *mw;
    assert_int_equal(vb_mw_alloc(f->pd, &mw), VB_OK);
    assert_int_equal(post_bind(&f->b, mw, 10, 5, VB_ACCESS_REMOTE_WRITE), VB_OK);
    assert_int_equal(post_bind(&f->b, mw, 10, 5, VB_ACCESS_REMOTE_WRITE), VB_OK);
    expect_wc(f->b.scq, 900, VB_OK);
    expect_wc(f->b.scq, 900, VB_E_PROTECTION);
    vb_mw_free(mw);
}

static void a_window_belongs_to_the_qp_that_bound_it(void **state)
{
    struct fixture *f = *state;
    struct vb_mw *mw;
    assert_int_equal(vb_mw_alloc(f->pd, &mw), VB_OK);
    assert_int_equal(post_bind(&f->a, mw, 0, 5, VB_ACCESS_REMOTE_READ), VB_OK);
    expect_wc(f->a.scq, 900, VB_OK);
    assert_int_equal(post_rdma(&f->a, VB_WR_READ, 1, 0, 1, f->a.mem, vb_mw_rkey(mw), 0), VB_OK);
    expect_wc(f->a.scq, 1, VB_E_REMOTE_ACCESS);
    vb_mw_free(mw);
}

/* ---- errors and ends of QPs ---- */

static void stop_flushes_in_order_and_again(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(post_send(&f->a, 1, 0, 1, VB_WR_SIGNALED), VB_OK);
    assert_int_equal(post_send(&f->a, 2, 0, 1, 0), VB_OK);
    assert_int_equal(post_recv(&f->a, 11, 0, 1), VB_OK);
    vb_qp_stop(f->a.qp);
    expect_wc(f->a.scq, 1, VB_E_FLUSHED);
    expect_wc(f->a.scq, 2, VB_E_FLUSHED);
    expect_wc(f->a.rcq, 11, VB_E_FLUSHED);
    assert_int_equal(post_send(&f->a, 3, 0, 1, 0), VB_OK);
    expect_wc(f->a.scq, 3, VB_E_FLUSHED);
    assert_int_equal(post_recv(&f->a, 12, 0, 1), VB_OK);
    expect_no_wc(f->a.rcq);
    vb_qp_stop(f->a.qp);
    expect_wc(f->a.rcq, 12, VB_E_FLUSHED);
    expect_no_wc(f->a.scq);
}

static void completions_outlive_their_qp(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(post_recv(&f->a, 11, 0, 1), VB_OK);
    assert_int_equal(post_recv(&f->a, 12, 0, 1), VB_OK);
    vb_qp_stop(f->a.qp);
    vb_qp_destroy(f->a.qp);
    f->a.qp = NULL;
    expect_wc(f->a.rcq, 11, VB_E_FLUSHED);
    expect_wc(f->a.rcq, 12, VB_E_FLUSHED);
    expect_no_wc(f->a.rcq);
}

static void a_full_cq_kills_its_qps(void **state)
{
    struct fixture *f = *state;
    struct vb_async_event ev;
    for (int i = 0; i <= CQ_DEPTH; i++) {
        assert_int_equal(post_recv(&f->b, 11, 0, 1), VB_OK);
        assert_int_equal(post_send(&f->a, 1, 0, 0, VB_WR_SIGNALED), VB_OK);
        if (i < CQ_DEPTH)
            expect_wc(f->a.scq, 1, VB_OK);
        if (i == 0) { /* go on with QPs that are deep enough to fill b's receive CQ */
            vb_qp_destroy(f->a.qp);
            vb_conn_destroy(f->a.conn);
            vb_qp_destroy(f->b.qp);
            vb_conn_destroy(f->b.conn);
            side_qp(f, &f->a, CQ_DEPTH);
            side_qp(f, &f->b, CQ_DEPTH * 2);
            expect_wc(f->b.rcq, 11, VB_OK);
            f->a.conn = f->b.conn = NULL;
            connect_both(f);
        }
    }
    assert_int_equal(vb_async_poll(f->be, &ev), VB_E_AGAIN);
    assert_int_equal(post_recv(&f->b, 11, 0, 1), VB_OK);
    assert_int_equal(post_send(&f->a, 2, 0, 0, VB_WR_SIGNALED), VB_OK);
    assert_int_equal(vb_async_poll(f->be, &ev), VB_OK);
    assert_int_equal(ev.kind, VB_ASYNC_CQ_ERROR);
    assert_ptr_equal(ev.cq, f->b.rcq);
    assert_int_equal(vb_cq_arm(f->b.rcq), VB_E_FATAL);
}

static void arm_notifies_once_and_only_for_what_comes_later(void **state)
{
    struct fixture *f = *state;
    pal_waitable w = vb_cq_waitable(f->b.rcq);
    assert_int_equal(post_recv(&f->b, 11, 0, 1), VB_OK);
    assert_int_equal(post_send(&f->a, 1, 0, 0, 0), VB_OK);
    assert_int_equal(vb_cq_arm(f->b.rcq), VB_OK);
    assert_int_equal(vb_cq_arm(f->b.rcq), VB_OK);
    assert_int_equal(pal_wait(&w, 1, 0), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(post_recv(&f->b, 12, 0, 1), VB_OK);
        assert_int_equal(post_send(&f->a, 1, 0, 0, 0), VB_OK);
        assert_int_equal(pal_wait(&w, 1, 0), 1);
    }
    assert_int_equal(vb_cq_ack(f->b.rcq), 1);
    assert_int_equal(pal_wait(&w, 1, 0), 0);
    assert_int_equal(post_recv(&f->b, 12, 0, 1), VB_OK);
    assert_int_equal(post_send(&f->a, 1, 0, 0, 0), VB_OK);
    assert_int_equal(pal_wait(&w, 1, 0), 0);
    assert_int_equal(vb_cq_ack(f->b.rcq), 0);
}

/* ---- delays ---- */

static void slow_reads(struct loop_config *c)
{
    c->read_us = 30000;
}

static void an_unfenced_send_overtakes_a_read(void **state)
{
    struct fixture *f = *state;
    change_config(slow_reads);
    memcpy(f->b.mem, "read", 4);
    assert_int_equal(post_recv(&f->b, 11, 100, 8), VB_OK);
    assert_int_equal(post_recv(&f->b, 12, 200, 8), VB_OK);
    assert_int_equal(post_rdma(&f->a, VB_WR_READ, 1, 0, 4, f->b.mem, vb_mr_rkey(f->b.mr), VB_WR_SIGNALED),
                     VB_OK);
    assert_int_equal(post_send(&f->a, 2, 0, 4, VB_WR_SIGNALED), VB_OK);
    assert_int_equal(post_send(&f->a, 3, 0, 4, VB_WR_SIGNALED | VB_WR_FENCE), VB_OK);
    expect_wc(f->b.rcq, 11, VB_OK); /* arrived, */
    expect_no_wc(f->a.scq);         /* but completes after the read */
    assert_int_equal(f->b.mem[100], 0);
    expect_wc(f->a.scq, 1, VB_OK);
    expect_wc(f->a.scq, 2, VB_OK);
    expect_wc(f->a.scq, 3, VB_OK);
    expect_wc(f->b.rcq, 12, VB_OK);
    assert_memory_equal(f->b.mem + 200, "read", 4);
}

static void a_failing_request_waits_for_earlier_reads(void **state)
{
    struct fixture *f = *state;
    change_config(slow_reads);
    for (uint64_t id = 1; id <= 3; id++) /* depth is two: the third waits for the first */
        assert_int_equal(
            post_rdma(&f->a, VB_WR_READ, id, 0, 4, f->b.mem, vb_mr_rkey(f->b.mr), VB_WR_SIGNALED), VB_OK);
    assert_int_equal(post_rdma(&f->a, VB_WR_WRITE, 4, 0, 4, f->b.mem, 12345, VB_WR_SIGNALED), VB_OK);
    for (uint64_t id = 1; id <= 3; id++)
        expect_wc(f->a.scq, id, VB_OK);
    expect_wc(f->a.scq, 4, VB_E_REMOTE_ACCESS);
}

static void slow_delivery(struct loop_config *c)
{
    c->delivery_us = 20000;
}

static void delivery_can_be_delayed(void **state)
{
    struct fixture *f = *state;
    change_config(slow_delivery);
    assert_int_equal(post_recv(&f->b, 11, 0, 1), VB_OK);
    uint64_t start = pal_now_ns();
    assert_int_equal(post_send(&f->a, 1, 0, 1, VB_WR_SIGNALED), VB_OK);
    expect_no_wc(f->a.scq);
    expect_wc(f->b.rcq, 11, VB_OK);
    expect_wc(f->a.scq, 1, VB_OK);
    assert_true(pal_now_ns() - start >= 20000000);
}

static void a_silent_cut_ends_in_retry_errors_only(void **state)
{
    struct fixture *f = *state;
    /* This one waits for a receive when the wire goes. */
    assert_int_equal(post_send(&f->b, 9, 0, 1, VB_WR_SIGNALED), VB_OK);
    assert_int_equal(loop_cut(7000, LOOP_CUT_SILENT), 1);
    assert_int_equal(post_send(&f->a, 1, 0, 1, VB_WR_SIGNALED), VB_OK);
    assert_int_equal(post_send(&f->a, 2, 0, 1, VB_WR_SIGNALED), VB_OK);
    expect_wc(f->a.scq, 1, VB_E_RETRY);
    expect_wc(f->a.scq, 2, VB_E_FLUSHED);
    expect_wc(f->b.scq, 9, VB_E_RETRY);
    expect_no_event(f->a.cm);
    vb_conn_disconnect(f->a.conn);
    expect_no_event(f->a.cm);
    expect_event(f->a.cm, VB_CM_DISCONNECTED, VB_OK);
    expect_no_event(f->b.cm);
}

static void a_cut_can_be_announced(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(loop_cut(0, LOOP_CUT_NOTIFY), 1);
    expect_event(f->a.cm, VB_CM_DISCONNECTED, VB_OK);
    expect_event(f->b.cm, VB_CM_DISCONNECTED, VB_OK);
    assert_int_equal(loop_cut(0, LOOP_CUT_NOTIFY), 0);
}

/* ---- connections ---- */

static void disconnect_stops_our_qp_and_tells_both(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(post_recv(&f->a, 11, 0, 1), VB_OK);
    assert_int_equal(post_recv(&f->b, 12, 0, 1), VB_OK);
    vb_conn_disconnect(f->a.conn);
    vb_conn_disconnect(f->a.conn);
    expect_wc(f->a.rcq, 11, VB_E_FLUSHED);
    expect_event(f->a.cm, VB_CM_DISCONNECTED, VB_OK);
    expect_event(f->b.cm, VB_CM_DISCONNECTED, VB_OK);
    vb_conn_disconnect(f->b.conn);
    expect_no_event(f->a.cm);
    expect_no_event(f->b.cm);
    expect_wc(f->b.rcq, 12, VB_E_FLUSHED);
}

static void the_peer_of_a_disconnect_must_stop_itself(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(post_recv(&f->b, 12, 0, 1), VB_OK);
    vb_conn_disconnect(f->a.conn);
    expect_event(f->b.cm, VB_CM_DISCONNECTED, VB_OK);
    expect_no_wc(f->b.rcq);
    assert_int_equal(post_send(&f->b, 1, 0, 1, 0), VB_OK);
    expect_wc(f->b.scq, 1, VB_E_RETRY);
    expect_wc(f->b.rcq, 12, VB_E_FLUSHED);
}

static void the_passive_side_may_send_before_the_active_side_knows(void **state)
{
    struct fixture *f = *state;
    start_connect(f);
    assert_int_equal(post_recv(&f->a, 11, 0, 4), VB_OK);
    assert_int_equal(post_send(&f->a, 5, 0, 1, 0), VB_E_STATE);
    take_request(f);
    accept_request(f);
    memcpy(f->b.mem, "soon", 4);
    assert_int_equal(post_send(&f->b, 1, 0, 4, VB_WR_SIGNALED), VB_OK);
    pal_sleep_ms(5);
    expect_no_wc(f->b.scq);
    expect_no_event(f->b.cm);
    see_established(f);
    expect_wc(f->a.rcq, 11, VB_OK);
    expect_wc(f->b.scq, 1, VB_OK);
    assert_memory_equal(f->a.mem, "soon", 4);
}

static void connect_is_refused_when_nobody_listens(void **state)
{
    struct fixture *f = *state;
    vb_listener_destroy(f->listener);
    f->listener = NULL;
    start_connect(f);
    expect_event(f->a.cm, VB_CM_REJECTED, VB_E_NOSERVICE);
    expect_no_event(f->a.cm);
}

static void a_reject_carries_data(void **state)
{
    struct fixture *f = *state;
    start_connect(f);
    take_request(f);
    assert_int_equal(vb_conn_reject(f->b.conn, "busy", 4), VB_OK);
    assert_int_equal(vb_conn_reject(f->b.conn, "busy", 4), VB_E_STATE);
    struct vb_cm_event ev = expect_event(f->a.cm, VB_CM_REJECTED, VB_E_REJECTED);
    assert_memory_equal(ev.data, "busy\0", 5);
    assert_int_equal(ev.data_bytes, 148);
}

static void a_destroyed_connect_withdraws_its_request(void **state)
{
    struct fixture *f = *state;
    start_connect(f);
    vb_conn_destroy(f->a.conn);
    f->a.conn = NULL;
    take_request(f);
    struct vb_conn_params p = {.read_in = 0};
    assert_int_equal(vb_conn_bind_qp(f->b.conn, f->b.qp), VB_E_STATE);
    assert_int_equal(vb_conn_accept(f->b.conn, &p), VB_E_STATE);
    expect_event(f->b.cm, VB_CM_WITHDRAWN, VB_E_RESET);
}

static void an_active_side_that_dies_before_it_knows_fails_the_passive_side(void **state)
{
    struct fixture *f = *state;
    start_connect(f);
    take_request(f);
    accept_request(f);
    vb_qp_stop(f->a.qp);
    expect_event(f->a.cm, VB_CM_FAILED, VB_E_STATE);
    expect_event(f->b.cm, VB_CM_FAILED, VB_E_RESET);
}

static void a_passive_side_that_leaves_early_is_established_then_disconnected(void **state)
{
    struct fixture *f = *state;
    start_connect(f);
    take_request(f);
    accept_request(f);
    vb_conn_disconnect(f->b.conn);
    expect_event(f->b.cm, VB_CM_DISCONNECTED, VB_OK);
    expect_event(f->a.cm, VB_CM_ESTABLISHED, VB_OK);
    expect_event(f->a.cm, VB_CM_DISCONNECTED, VB_OK);
    expect_no_event(f->b.cm);
}

static void requests_nobody_took_die_with_the_listener(void **state)
{
    struct fixture *f = *state;
    start_connect(f);
    vb_listener_destroy(f->listener);
    f->listener = NULL;
    expect_event(f->a.cm, VB_CM_REJECTED, VB_E_REJECTED);
    expect_no_event(f->b.cm);
}

static void dark(struct loop_config *c)
{
    c->black_hole = true;
}

static void a_black_hole_ends_in_a_timeout(void **state)
{
    struct fixture *f = *state;
    change_config(dark);
    start_connect(f);
    expect_no_event(f->a.cm);
    expect_event(f->a.cm, VB_CM_FAILED, VB_E_TIMEOUT);
    expect_no_event(f->b.cm);
}

static void late_requests(struct loop_config *c)
{
    c->connect_delay_ms = 20;
}

static void a_request_can_be_late(void **state)
{
    struct fixture *f = *state;
    change_config(late_requests);
    start_connect(f);
    expect_no_event(f->b.cm);
    take_request(f);
    assert_int_equal(loop_cut(0, LOOP_CUT_SILENT), 1);
    accept_request(f);
    expect_event(f->a.cm, VB_CM_FAILED, VB_E_TIMEOUT);
    expect_event(f->b.cm, VB_CM_FAILED, VB_E_TIMEOUT);
}

static void addresses_and_ports_follow_the_rules(void **state)
{
    struct fixture *f = *state;
    struct vb_listener *l[3];
    struct vb_addr taken = addr("10.77.0.1:7000"), six = addr("[fd77::1]:7000"), zero = addr("10.77.0.1"),
                   got;
    struct vb_addr other = addr("10.78.0.1:7000"), list[4];
    uint32_t n = 3;
    assert_int_equal(vb_listen(f->b.cm, &taken, 1, NULL, &l[0]), VB_E_ADDRINUSE);
    assert_int_equal(vb_listen(f->b.cm, &other, 1, NULL, &l[0]), VB_E_ADDRNOTAVAIL);
    assert_int_equal(vb_listen(f->b.cm, &six, 1, NULL, &l[0]), VB_OK);
    assert_int_equal(vb_listen(f->b.cm, &zero, 1, NULL, &l[1]), VB_OK);
    vb_listener_addr(l[1], &got);
    assert_true(got.port >= 40000);
    vb_listener_destroy(l[0]);
    vb_listener_destroy(l[1]);
    assert_int_equal(vb_addr_list(f->be, list, &n), VB_E_AGAIN);
    assert_int_equal(n, 4);
    assert_int_equal(vb_addr_list(f->be, list, &n), VB_OK);
    other = addr("10.77.0.9");
    assert_int_equal(vb_route(f->be, &other, &got), VB_OK);
    assert_true(vb_addr_same_ip(&got, &zero));
    other = addr("127.0.0.1");
    assert_int_equal(vb_route(f->be, &other, &got), VB_E_ADDRNOTAVAIL);
    other = addr("10.78.0.1");
    assert_int_equal(vb_route(f->be, &other, &got), VB_E_UNREACH);
    loop_set_address_present("10.77.0.2", false);
    struct vb_async_event ev;
    assert_int_equal(vb_async_poll(f->be, &ev), VB_OK);
    assert_int_equal(ev.kind, VB_ASYNC_ADDR_CHANGE);
    start_connect(f);
    expect_event(f->a.cm, VB_CM_FAILED, VB_E_UNREACH);
}

static void a_removed_device_takes_everything_down(void **state)
{
    struct fixture *f = *state;
    struct vb_async_event ev;
    assert_int_equal(post_recv(&f->a, 11, 0, 1), VB_OK);
    loop_set_device_present(false);
    expect_wc(f->a.rcq, 11, VB_E_FLUSHED);
    expect_event(f->a.cm, VB_CM_DEV_GONE, VB_E_NODEV);
    expect_event(f->b.cm, VB_CM_DEV_GONE, VB_E_NODEV);
    assert_int_equal(vb_async_poll(f->be, &ev), VB_OK);
    assert_int_equal(ev.kind, VB_ASYNC_DEV_GONE);
    assert_ptr_equal(ev.dev, f->dev);
    struct vb_pd *pd;
    assert_int_equal(vb_pd_create(f->dev, &pd), VB_E_NODEV);
    assert_int_equal(post_send(&f->a, 1, 0, 1, 0), VB_OK);
    expect_wc(f->a.scq, 1, VB_E_FLUSHED);
}

static void without_flow_control_a_missing_receive_kills_the_connection(void **state)
{
    struct fixture *f = *state;
    struct vb_mw *mw;
    assert_int_equal(vb_mw_alloc(f->pd, &mw), VB_E_NOTSUP);
    assert_int_equal(post_send(&f->a, 1, 0, 1, VB_WR_SIGNALED), VB_OK);
    expect_wc(f->a.scq, 1, VB_E_REMOTE_OP);
    expect_event(f->a.cm, VB_CM_DISCONNECTED, VB_OK);
    expect_event(f->b.cm, VB_CM_DISCONNECTED, VB_OK);
}

static void a_remote_sink_needs_remote_write(void **state)
{
    struct fixture *f = *state;
    struct vb_mr *mr;
    static uint8_t sink[16];
    assert_int_equal(vb_mr_reg(f->pd, sink, sizeof sink, VB_ACCESS_LOCAL_WRITE, &mr), VB_OK);
    struct vb_sge e = {.addr = (uint64_t)(uintptr_t)sink, .bytes = 4, .lkey = vb_mr_lkey(mr)};
    struct vb_send_wr wr = {.id = 1, .sge = &e, .sge_count = 1, .op = VB_WR_READ};
    wr.u.rdma.remote_addr = (uint64_t)(uintptr_t)f->b.mem;
    wr.u.rdma.rkey = vb_mr_rkey(f->b.mr);
    assert_int_equal(vb_post_send(f->a.qp, &wr, NULL), VB_OK);
    expect_wc(f->a.scq, 1, VB_E_PROTECTION);
    vb_mr_dereg(mr);
}

/* ---- misuse ---- */

static void only_count(struct loop_config *c)
{
    c->aborts_on_violation = false;
}

static void poll_cm_elsewhere(void *arg)
{
    struct vb_cm_event ev;
    (void)vb_cm_poll(arg, &ev);
}

static void destroy_conn_elsewhere(void *arg)
{
    vb_conn_destroy(arg);
}

static void misuse_is_counted(void **state)
{
    struct fixture *f = *state;
    struct loop_counts c;
    struct vb_mw *mw;
    change_config(only_count);
    assert_int_equal(post_recv(&f->a, 11, 0, 1), VB_OK);
    vb_mr_dereg(f->a.mr); /* posted */
    vb_cq_destroy(f->a.scq);
    vb_pd_destroy(f->pd);
    vb_dev_close(f->dev);
    vb_cm_destroy(f->a.cm);
    loop_get_counts(&c);
    assert_int_equal(c.violations, 5);
    assert_int_equal(vb_mw_alloc(f->pd, &mw), VB_OK);
    assert_int_equal(post_bind(&f->b, mw, 0, 5, VB_ACCESS_REMOTE_READ), VB_OK);
    vb_mw_free(mw); /* its bind was not polled */
    expect_wc(f->b.scq, 900, VB_OK);
    vb_mr_dereg(f->b.mr); /* window bound */
    vb_mw_free(mw);
    loop_get_counts(&c);
    assert_int_equal(c.violations, 7);
    pal_thread_join(pal_thread_start(destroy_conn_elsewhere, f->b.conn, "intruder"));
    f->b.conn = NULL;
    expect_no_event(f->b.cm); /* the poller is back */
    loop_get_counts(&c);
    assert_int_equal(c.violations, 8);
    pal_thread_join(pal_thread_start(poll_cm_elsewhere, f->b.cm, "handover"));
    loop_get_counts(&c);
    assert_int_equal(c.violations, 8);
    poll_cm_elsewhere(f->b.cm); /* and back: teardown destroys on this thread */
}

static void unmapped_or_read_only_memory_cannot_be_registered(void **state)
{
    struct fixture *f = *state;
    struct vb_mr *mr;
    static const char constant[8192] = "in read-only data";
    assert_int_equal(vb_mr_reg(f->pd, (void *)(uintptr_t)constant, 100, VB_ACCESS_LOCAL_WRITE, &mr),
                     VB_E_FAULT);
    assert_int_equal(vb_mr_reg(f->pd, (void *)(uintptr_t)constant, 100, 0, &mr), VB_OK);
    vb_mr_dereg(mr);
    assert_int_equal(vb_mr_reg(f->pd, (void *)(uintptr_t)4096, 100, 0, &mr), VB_E_FAULT);
    assert_int_equal(vb_mr_reg(f->pd, f->a.mem, 100, VB_ACCESS_REMOTE_WRITE, &mr), VB_E_INVAL);
}

/* ---- two threads ---- */

enum { ROUNDS = 3000 };

struct player {
    struct side *s;
    bool serves;
    unsigned bad;
};

static bool wait_wc(struct vb_cq *cq, uint64_t id)
{
    struct vb_wc wc;
    for (;;) {
        if (vb_cq_poll(cq, &wc, 1))
            return wc.status == VB_OK && wc.id == id;
        if (vb_cq_arm(cq) != VB_OK)
            return false;
        if (vb_cq_poll(cq, &wc, 1))
            return wc.status == VB_OK && wc.id == id;
        pal_waitable w = vb_cq_waitable(cq);
        if (!pal_wait(&w, 1, WAIT_MS))
            return false;
        (void)vb_cq_ack(cq);
    }
}

static void play(void *arg)
{
    struct player *p = arg;
    for (uint32_t i = 0; i < ROUNDS && !p->bad; i++) {
        if (p->serves || i) {
            memcpy(p->s->mem, &i, sizeof i);
            p->bad += post_recv(p->s, i + 1, 64, 8) != VB_OK;
        }
        if (p->serves) {
            p->bad += post_send(p->s, i, 0, 4, VB_WR_SIGNALED) != VB_OK;
            p->bad += !wait_wc(p->s->scq, i);
        }
        p->bad += !wait_wc(p->s->rcq, p->serves || i ? i + 1 : 1);
        p->bad += memcmp(p->s->mem + 64, &i, sizeof i) != 0;
        if (!p->serves) {
            memcpy(p->s->mem, &i, sizeof i);
            p->bad += post_send(p->s, i, 0, 4, VB_WR_SIGNALED) != VB_OK;
            p->bad += !wait_wc(p->s->scq, i);
        }
    }
}

static void two_threads_play_ping_pong(void **state)
{
    struct fixture *f = *state;
    struct player a = {.s = &f->a, .serves = true}, b = {.s = &f->b};
    assert_int_equal(post_recv(&f->b, 1, 64, 8), VB_OK);
    struct pal_thread *ta = pal_thread_start(play, &a, "a"), *tb = pal_thread_start(play, &b, "b");
    pal_thread_join(ta);
    pal_thread_join(tb);
    assert_int_equal(a.bad + b.bad, 0);
}

/* Both ends of one connection do random things on their own threads until one of them stops its QP. */
struct brawler {
    struct side *s, *peer;
    uint64_t random;
    unsigned rounds;
    uint32_t sends_signaled, sends_quiet, recvs; /* posted */
    uint32_t done_signaled, done_quiet, done_recvs;
    unsigned bad;
};

static uint32_t dice(struct brawler *b, uint32_t sides)
{
    b->random = b->random * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(b->random >> 33) % sides;
}

/* True when a completion was an error. */
static bool brawl_poll(struct brawler *b)
{
    struct vb_wc wc[4];
    bool failed = false;
    unsigned n = vb_cq_poll(b->s->scq, wc, 1 + dice(b, 4));
    for (unsigned i = 0; i < n; i++) {
        failed = failed || wc[i].status != VB_OK;
        b->bad += wc[i].status == VB_OK && !(wc[i].id & 1);
        if (wc[i].id & 1)
            b->bad += wc[i].id >> 1 != b->done_signaled++;
        else
            b->done_quiet++;
    }
    n = vb_cq_poll(b->s->rcq, wc, 1 + dice(b, 4));
    for (unsigned i = 0; i < n; i++) {
        failed = failed || wc[i].status != VB_OK;
        b->bad += wc[i].id != b->done_recvs++;
    }
    return failed;
}

static void brawl_send(struct brawler *b)
{
    bool is_signaled = dice(b, 3) != 0;
    uint64_t id = is_signaled ? (uint64_t)b->sends_signaled << 1 | 1 : 0;
    uint8_t flags = is_signaled ? VB_WR_SIGNALED : 0;
    uint32_t rkey = vb_mr_rkey(b->peer->mr);
    vb_status_t st;
    if (dice(b, 4) == 0)
        flags |= VB_WR_FENCE;
    switch (dice(b, 4)) {
    case 0: st = post_rdma(b->s, VB_WR_WRITE, id, 0, dice(b, 512), b->peer->mem + 2048, rkey, flags); break;
    case 1: st = post_rdma(b->s, VB_WR_READ, id, 1024, dice(b, 512), b->peer->mem, rkey, flags); break;
    default:
        st = post_send(b->s, id, 0, dice(b, 64), flags | (uint8_t)(dice(b, 2) ? VB_WR_INLINE : 0));
        break;
    }
    if (st == VB_OK && is_signaled)
        b->sends_signaled++;
    else if (st == VB_OK)
        b->sends_quiet++;
    else
        b->bad += st != VB_E_AGAIN;
}

static void brawl(void *arg)
{
    struct brawler *b = arg;
    uint64_t end = pal_now_ns() + WAIT_MS * 1000000ull;
    bool failed = false;
    for (unsigned i = 0; i < b->rounds && !failed; i++) {
        vb_status_t st = post_recv(b->s, b->recvs, 3072, 64);
        if (st == VB_OK)
            b->recvs++;
        else
            b->bad += st != VB_E_AGAIN;
        brawl_send(b);
        failed = brawl_poll(b);
        if (pal_now_ns() > end)
            break; /* all slots quiet: stuck as on hardware */
    }
    vb_qp_stop(b->s->qp);
    end = pal_now_ns() + WAIT_MS * 1000000ull;
    while (b->done_signaled < b->sends_signaled || b->done_recvs < b->recvs) {
        (void)brawl_poll(b);
        b->bad += pal_now_ns() > end;
        if (b->bad)
            return;
    }
    for (int i = 0; i < 2 * DEPTH; i++)
        (void)brawl_poll(b);
    b->bad += b->done_signaled != b->sends_signaled || b->done_recvs != b->recvs ||
              b->done_quiet > b->sends_quiet;
}

static void hurried(struct loop_config *c)
{
    c->delivery_us = 30;
    c->read_us = 50;
    c->retry_ms = 5;
}

static void completions_are_exact_whatever_happens(void **state)
{
    struct fixture *f = *state;
    uint64_t seed = pal_now_ns();
    printf("seed %llu\n", (unsigned long long)seed);
    for (int round = 0; round < 40; round++) {
        struct brawler a = {.s = &f->a, .peer = &f->b, .random = seed + (uint64_t)round};
        struct brawler b = {.s = &f->b, .peer = &f->a, .random = seed ^ (uint64_t)round << 32};
        if (round == 20)
            change_config(hurried);
        a.rounds = 50 + dice(&a, 500);
        b.rounds = 50 + dice(&a, 500);
        connect_both(f);
        struct pal_thread *ta = pal_thread_start(brawl, &a, "a"), *tb = pal_thread_start(brawl, &b, "b");
        if (round % 3 == 0) {
            pal_sleep_ms(1);
            (void)loop_cut(0, round % 2 ? LOOP_CUT_SILENT : LOOP_CUT_NOTIFY);
        }
        pal_thread_join(ta);
        pal_thread_join(tb);
        assert_int_equal(a.bad, 0);
        assert_int_equal(b.bad, 0);
        struct side *sides[2] = {&f->a, &f->b};
        for (int i = 0; i < 2; i++) {
            vb_qp_destroy(sides[i]->qp);
            vb_conn_destroy(sides[i]->conn);
            sides[i]->conn = NULL;
            side_qp(f, sides[i], DEPTH);
        }
    }
}

#define CONNECTED(t)   cmocka_unit_test_setup_teardown(t, setup_connected, teardown)
#define UNCONNECTED(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
#define IWARP(t)       cmocka_unit_test_setup_teardown(t, setup_iwarp, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONNECTED(sends_wait_for_receives_and_arrive_in_order),
        CONNECTED(inline_payload_is_copied_at_the_post),
        CONNECTED(pieces_are_gathered_and_scattered),
        CONNECTED(too_long_message_kills_both_ends),
        CONNECTED(a_slot_is_free_again_only_after_its_completion_was_polled),
        CONNECTED(a_chain_is_posted_up_to_the_bad_request),
        CONNECTED(local_keys_bounds_and_rights_are_checked),
        CONNECTED(an_rkey_is_no_lkey),
        CONNECTED(rdma_moves_bytes_and_refuses_what_lies_outside),
        CONNECTED(an_lkey_is_no_rkey),
        CONNECTED(a_window_has_exact_bounds_and_dies_by_invalidate),
        CONNECTED(a_bound_window_cannot_be_bound_again),
        CONNECTED(a_window_belongs_to_the_qp_that_bound_it),
        CONNECTED(stop_flushes_in_order_and_again),
        CONNECTED(completions_outlive_their_qp),
        CONNECTED(a_full_cq_kills_its_qps),
        CONNECTED(arm_notifies_once_and_only_for_what_comes_later),
        CONNECTED(an_unfenced_send_overtakes_a_read),
        CONNECTED(a_failing_request_waits_for_earlier_reads),
        CONNECTED(delivery_can_be_delayed),
        CONNECTED(a_silent_cut_ends_in_retry_errors_only),
        CONNECTED(a_cut_can_be_announced),
        CONNECTED(disconnect_stops_our_qp_and_tells_both),
        CONNECTED(the_peer_of_a_disconnect_must_stop_itself),
        UNCONNECTED(the_passive_side_may_send_before_the_active_side_knows),
        UNCONNECTED(connect_is_refused_when_nobody_listens),
        UNCONNECTED(a_reject_carries_data),
        UNCONNECTED(a_destroyed_connect_withdraws_its_request),
        UNCONNECTED(an_active_side_that_dies_before_it_knows_fails_the_passive_side),
        UNCONNECTED(a_passive_side_that_leaves_early_is_established_then_disconnected),
        UNCONNECTED(requests_nobody_took_die_with_the_listener),
        UNCONNECTED(a_black_hole_ends_in_a_timeout),
        UNCONNECTED(a_request_can_be_late),
        UNCONNECTED(addresses_and_ports_follow_the_rules),
        CONNECTED(a_removed_device_takes_everything_down),
        IWARP(without_flow_control_a_missing_receive_kills_the_connection),
        IWARP(a_remote_sink_needs_remote_write),
        CONNECTED(misuse_is_counted),
        UNCONNECTED(unmapped_or_read_only_memory_cannot_be_registered),
        CONNECTED(two_threads_play_ping_pong),
        UNCONNECTED(completions_are_exact_whatever_happens),
    };
    if (loop_backend_register() != VB_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
