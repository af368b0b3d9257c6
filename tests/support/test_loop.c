/* test_loop.c - owns the self-test of the loop backend: that it is as strict as loop_backend.h says. What
 * every backend must do is tested by tests/conformance. */
#include "test_loop.h"

struct vb_addr addr(const char *text)
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

struct vb_cm_event expect_event(struct vb_cm *cm, enum vb_cm_event_kind kind, vb_status_t status)
{
    struct vb_cm_event ev = next_event(cm);
    assert_int_equal(ev.kind, kind);
    assert_int_equal(ev.status, status);
    return ev;
}

void expect_no_event(struct vb_cm *cm)
{
    struct vb_cm_event ev;
    assert_int_equal(vb_cm_poll(cm, &ev), VB_E_AGAIN);
}

void expect_wc(struct vb_cq *cq, uint64_t id, vb_status_t status)
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

void expect_no_wc(struct vb_cq *cq)
{
    struct vb_wc wc;
    assert_int_equal(vb_cq_poll(cq, &wc, 1), 0);
}

void side_qp(struct fixture *f, struct side *s, uint32_t depth)
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

void start_connect(struct fixture *f)
{
    struct vb_addr to = addr("10.77.0.2:7000"), from = addr("10.77.0.1");
    struct vb_conn_params p = {
        .data = "hi", .data_bytes = 2, .read_in = 200, .read_out = 4, .timeout_ms = 500};
    assert_int_equal(vb_conn_create(f->a.cm, &from, &f->a, &f->a.conn), VB_OK);
    assert_int_equal(vb_conn_connect(f->a.conn, &to, &p), VB_E_STATE);
    assert_int_equal(vb_conn_bind_qp(f->a.conn, f->a.qp), VB_OK);
    assert_int_equal(vb_conn_connect(f->a.conn, &to, &p), VB_OK);
}

void take_request(struct fixture *f)
{
    struct vb_cm_event ev = expect_event(f->b.cm, VB_CM_REQUEST, VB_OK);
    assert_ptr_equal(ev.context, f);
    assert_memory_equal(ev.data, "hi", 3);
    assert_int_equal(ev.read_in, 4);
    assert_int_equal(ev.read_out, 16);
    f->b.conn = ev.conn;
    vb_conn_set_context(ev.conn, &f->b);
}

void accept_request(struct fixture *f)
{
    struct vb_conn_params p = {.data = "yes", .data_bytes = 3, .read_in = 2, .read_out = 8};
    assert_int_equal(vb_conn_accept(f->b.conn, &p), VB_E_STATE);
    assert_int_equal(vb_conn_bind_qp(f->b.conn, f->b.qp), VB_OK);
    assert_int_equal(vb_conn_accept(f->b.conn, &p), VB_OK);
}

void see_established(struct fixture *f)
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

void connect_both(struct fixture *f)
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

int setup(void **state)
{
    loop_reset();
    struct fixture *f = calloc(1, sizeof *f);
    open_all(f);
    *state = f;
    return 0;
}

int setup_connected(void **state)
{
    setup(state);
    connect_both(*state);
    return 0;
}

int setup_iwarp(void **state)
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

int teardown(void **state)
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

struct vb_sge sge_of(const struct side *s, size_t at, uint32_t bytes)
{
    return (struct vb_sge){
        .addr = (uint64_t)(uintptr_t)(s->mem + at), .bytes = bytes, .lkey = vb_mr_lkey(s->mr)};
}

vb_status_t post_recv(struct side *s, uint64_t id, size_t at, uint32_t bytes)
{
    struct vb_sge e = sge_of(s, at, bytes);
    struct vb_recv_wr wr = {.id = id, .sge = &e, .sge_count = 1};
    return vb_post_recv(s->qp, &wr, NULL);
}

vb_status_t post_send(struct side *s, uint64_t id, size_t at, uint32_t bytes, uint8_t flags)
{
    struct vb_sge e = sge_of(s, at, bytes);
    struct vb_send_wr wr = {.id = id, .sge = &e, .sge_count = 1, .op = VB_WR_SEND, .flags = flags};
    return vb_post_send(s->qp, &wr, NULL);
}

vb_status_t post_rdma(struct side *s, uint8_t op, uint64_t id, size_t at, uint32_t bytes, const void *remote,
                      uint32_t rkey, uint8_t flags)
{
    struct vb_sge e = sge_of(s, at, bytes);
    struct vb_send_wr wr = {.id = id, .sge = &e, .sge_count = 1, .op = op, .flags = flags};
    wr.u.rdma.remote_addr = (uint64_t)(uintptr_t)remote;
    wr.u.rdma.rkey = rkey;
    return vb_post_send(s->qp, &wr, NULL);
}

vb_status_t post_bind(struct side *s, struct vb_mw *mw, size_t at, uint64_t bytes, uint32_t access)
{
    struct vb_send_wr wr = {.id = 900, .op = VB_WR_BIND, .flags = VB_WR_SIGNALED};
    wr.u.bind.mw = mw;
    wr.u.bind.mr = s->mr;
    wr.u.bind.addr = (uint64_t)(uintptr_t)(s->mem + at);
    wr.u.bind.bytes = bytes;
    wr.u.bind.access = access;
    return vb_post_send(s->qp, &wr, NULL);
}

vb_status_t post_invalidate(struct side *s, struct vb_mw *mw)
{
    struct vb_send_wr wr = {.id = 901, .op = VB_WR_INVALIDATE, .flags = VB_WR_SIGNALED};
    wr.u.invalidate = mw;
    return vb_post_send(s->qp, &wr, NULL);
}

void change_config(void (*change)(struct loop_config *))
{
    struct loop_config c;
    loop_get_config(&c);
    change(&c);
    loop_set_config(&c);
}

int main(void)
{
    int failed = 0;
    if (loop_backend_register() != VB_OK)
        return 1;
    failed += _cmocka_run_group_tests("data", loop_data_tests, loop_data_test_count, NULL, NULL);
    failed += _cmocka_run_group_tests("conn", loop_conn_tests, loop_conn_test_count, NULL, NULL);
    failed += _cmocka_run_group_tests("threads", loop_thread_tests, loop_thread_test_count, NULL, NULL);
    return failed;
}
