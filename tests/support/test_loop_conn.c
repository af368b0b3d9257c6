/* test_loop_conn.c - how its connections come and go; misuse. */
#include "test_loop.h"

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
    c->connect_delay_ms = 500; /* long: the test looks before it has passed */
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

const struct CMUnitTest loop_conn_tests[] = {
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
};
const size_t loop_conn_test_count = sizeof(loop_conn_tests) / sizeof(loop_conn_tests[0]);
