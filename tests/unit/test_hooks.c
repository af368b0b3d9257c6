/* test_hooks.c - the hook fault around a backend without a network (fake_backend.h); trace: test_hook_trace.c. */
#include "hooks_kit.h"

/* ---- the plan ---- */

static void bad_plans_are_refused_with_a_readable_reason_and_change_nothing(void **state)
{
    (void)state;
    static char long_plan[600], many[VB_FAULT_PLAN_MAX * 20];
    memset(long_plan, 'x', sizeof long_plan - 1);
    many[0] = 0;
    for (int i = 0; i <= VB_FAULT_PLAN_MAX; i++)
        strcat(many, i == 0 ? "any:1:fail" : ",any:1:fail");
    const struct {
        const char *plan, *reason;
    } cases[] = {
        {"post_send", "\"post_send\" is not of the form OP:N:ACTION"},
        {"post_send:1", "not of the form"},
        {",", "\"\" is not of the form"},
        {"any:1:fail,", "\"\" is not of the form"},
        {"send:1:fail", "\"send\" is not an operation"},
        {"qp_destroy:1:fail", "\"qp_destroy\" is not an operation"},
        {"async_poll:1:fail", "\"async_poll\" is not an operation"},
        {"post_send::fail", "\"\" is not a count"},
        {"post_send:x:fail", "\"x\" is not a count"},
        {"post_send:-1:fail", "\"-1\" is not a count"},
        {"post_send:99999999999:fail", "is not a count"},
        {"post_send:1:", "unknown action \"\""},
        {"post_send:1:crash", "unknown action \"crash\""},
        {"post_send:1:fail=VB_OK", "\"VB_OK\" is not the name of a failure"},
        {"post_send:1:fail=ENOMEM", "\"ENOMEM\" is not the name of a failure"},
        {"post_send:1:fail=", "\"\" is not the name of a failure"},
        {"post_send:1:late", "needs a number of milliseconds"},
        {"post_send:1:late=", "needs a number of milliseconds"},
        {"post_send:1:late=soon", "needs a number of milliseconds"},
        {"post_send:1:late=4294967295", "needs a number of milliseconds"},
        {"post_send:1:flush=1", "unknown action"},
        {"mr_reg:1:flush", "not \"mr_reg\""},
        {"any:1:flush", "not \"any\""},
        {"cq_poll:1:fail", "\"cq_poll\" can only be late"},
        {"cm_poll:1:flush", "not \"cm_poll\""},
        {long_plan, "longer than"},
        {many, "more than 16 entries"},
    };
    plan("mr_reg:7:fail");
    (void)vb_fault_calls("mr_reg");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char why[200] = "";
        assert_int_equal(vb_fault_set(cases[i].plan, why, sizeof why), VB_E_INVAL);
        if (!strstr(why, cases[i].reason))
            fail_msg("\"%s\" gave \"%s\"", cases[i].plan, why);
        assert_int_equal(vb_fault_set(cases[i].plan, NULL, 0), VB_E_INVAL);
    }
    struct stack *s = *state;
    struct vb_mr *mr;
    static char memory[8];
    for (int i = 1; i < 7; i++) {
        assert_int_equal(vb_mr_reg(s->pd, memory, 8, 0, &mr), VB_OK);
        vb_mr_dereg(mr);
    }
    assert_int_equal(vb_mr_reg(s->pd, memory, 8, 0, &mr), VB_E_NOMEM);
}

static void the_nth_call_fails_and_the_others_work(void **state)
{
    struct stack *s = *state;
    struct vb_send_wr wr = {.id = 1};
    const struct vb_send_wr *bad = NULL;
    plan("post_send:3:fail,post_send:4:fail=VB_E_AGAIN");
    assert_int_equal(vb_post_send(s->qp, &wr, NULL), VB_OK);
    assert_int_equal(vb_post_send(s->qp, &wr, NULL), VB_OK);
    assert_int_equal(vb_fault_fired(), 0);
    assert_null(vb_fault_fired_last());
    unsigned before = fake.calls;
    assert_int_equal(vb_post_send(s->qp, &wr, &bad), VB_E_NOMEM);
    assert_ptr_equal(bad, &wr);
    assert_int_equal(vb_post_send(s->qp, &wr, NULL), VB_E_AGAIN);
    assert_int_equal(fake.calls, before);
    assert_int_equal(vb_post_send(s->qp, &wr, NULL), VB_OK);
    assert_int_equal(vb_fault_fired(), 2);
    assert_string_equal(vb_fault_fired_last(), "post_send");
    assert_int_equal(vb_fault_calls("post_send"), 5);
    assert_int_equal(vb_fault_calls("post_recv"), 0);
    assert_int_equal(vb_fault_calls("any"), 5);
    assert_int_equal(vb_fault_calls("no_such_op"), 0);
    assert_int_equal(vb_fault_calls(NULL), 0);
}

static void zero_means_every_call_until_the_plan_is_cleared(void **state)
{
    struct stack *s = *state;
    struct vb_recv_wr wr = {.id = 1};
    plan("post_recv:0:fail=VB_E_STATE");
    for (int i = 0; i < 5; i++)
        assert_int_equal(vb_post_recv(s->qp, &wr, NULL), VB_E_STATE);
    vb_fault_clear();
    assert_int_equal(vb_post_recv(s->qp, &wr, NULL), VB_OK);
    assert_int_equal(vb_fault_calls("post_recv"), 1);
}

static void every_fallible_operation_can_fail(void **state)
{
    struct stack *s = *state;
    struct vb_addr a = addr("192.0.2.1:80"), out;
    struct vb_qp_caps caps = {.send_wr = 1};
    struct vb_send_wr send = {.id = 1};
    struct vb_recv_wr recv = {.id = 1};
    struct vb_conn_params params = {0};
    static char memory[8];
    uint32_t count = 1;
    struct vb_backend *be;
    struct vb_dev *dev;
    struct vb_pd *pd;
    struct vb_mr *mr;
    struct vb_mw *mw;
    struct vb_cq *cq;
    struct vb_qp *qp;
    struct vb_cm *cm;
    struct vb_listener *l;
    struct vb_conn *conn;
    char why[128] = "";

    plan("any:0:fail=VB_E_BUSY");
    unsigned before = fake.calls;
    assert_int_equal(vb_open("fake+fault", &be, why, sizeof why), VB_E_BUSY);
    assert_non_null(strstr(why, "planned"));
    assert_int_equal(vb_addr_list(s->be, &out, &count), VB_E_BUSY);
    assert_int_equal(vb_route(s->be, &a, &out), VB_E_BUSY);
    assert_int_equal(vb_dev_open(s->be, &a, &dev), VB_E_BUSY);
    assert_int_equal(vb_pd_create(s->dev, &pd), VB_E_BUSY);
    assert_int_equal(vb_mr_reg(s->pd, memory, 8, 0, &mr), VB_E_BUSY);
    assert_int_equal(vb_mw_alloc(s->pd, &mw), VB_E_BUSY);
    assert_int_equal(vb_cq_create(s->dev, 1, &cq), VB_E_BUSY);
    assert_int_equal(vb_cq_arm(s->cq), VB_E_BUSY);
    assert_int_equal(vb_qp_create(s->pd, s->cq, s->cq, &caps, NULL, &qp), VB_E_BUSY);
    assert_int_equal(vb_post_send(s->qp, &send, NULL), VB_E_BUSY);
    assert_int_equal(vb_post_recv(s->qp, &recv, NULL), VB_E_BUSY);
    assert_int_equal(vb_cm_create(s->be, &cm), VB_E_BUSY);
    assert_int_equal(vb_listen(s->cm, &a, 1, NULL, &l), VB_E_BUSY);
    assert_int_equal(vb_conn_create(s->cm, &a, NULL, &conn), VB_E_BUSY);
    assert_int_equal(vb_conn_bind_qp(s->conn, s->qp), VB_E_BUSY);
    assert_int_equal(vb_conn_connect(s->conn, &a, &params), VB_E_BUSY);
    assert_int_equal(vb_conn_accept(s->conn, &params), VB_E_BUSY);
    assert_int_equal(vb_conn_reject(s->conn, NULL, 0), VB_E_BUSY);
    assert_int_equal(fake.calls, before);
    assert_int_equal(vb_fault_calls("any"), 19);
    assert_int_equal(vb_fault_fired(), 19);
}

static void what_is_not_fallible_does_not_count_as_any(void **state)
{
    struct stack *s = *state;
    struct vb_wc wc;
    struct vb_cm_event ev;
    struct vb_async_event async;
    struct vb_caps caps;
    plan("any:0:fail");
    assert_int_equal(vb_cq_poll(s->cq, &wc, 1), 0);
    assert_int_equal(vb_cm_poll(s->cm, &ev), VB_E_AGAIN);
    assert_int_equal(vb_async_poll(s->be, &async), VB_E_AGAIN);
    (void)vb_cq_ack(s->cq);
    vb_dev_caps(s->dev, &caps);
    vb_qp_stop(s->qp);
    vb_conn_disconnect(s->conn);
    assert_int_equal(vb_fault_calls("any"), 0);
    assert_int_equal(vb_fault_calls("cq_poll"), 0);
    assert_int_equal(vb_fault_calls("cm_poll"), 0);
}

/* The loop that fault tests are made of. */
static void failing_the_nth_call_for_growing_n_visits_every_call_and_leaks_nothing(void **state)
{
    (void)state;
    unsigned n = 1;
    for (;; n++) {
        struct stack s;
        char text[32];
        fake_reset();
        snprintf(text, sizeof text, "any:%u:fail", n);
        plan(text);
        vb_status_t st = try_build(&s, "fake+fault");
        tear_down(&s);
        assert_int_equal(fake.objects_alive, 0);
        if (vb_fault_fired() == 0) {
            assert_int_equal(st, VB_OK);
            break;
        }
        assert_int_not_equal(st, VB_OK);
        assert_int_equal(vb_fault_fired(), 1);
        assert_true(n < 100);
    }
    assert_int_equal(n, 9); /* the scenario makes eight calls that can fail */
}

static void a_plan_can_come_with_the_backend_text(void **state)
{
    (void)state;
    struct stack s;
    fake_reset();
    assert_int_equal(try_build(&s, "fake+fault=pd_create:1:fail=VB_E_DENIED"), VB_E_DENIED);
    tear_down(&s);
    assert_int_equal(try_build(&s, "fake+fault"),
                     VB_OK); /* without an argument the plan stays, and it has fired */
    assert_int_equal(vb_fault_fired(), 1);
    tear_down(&s);
    vb_fault_clear();
    assert_int_equal(fake.objects_alive, 0);
}

static void late_calls_are_made_at_once_but_return_late(void **state)
{
    struct stack *s = *state;
    struct vb_send_wr wr = {.id = 1};
    plan("post_send:1:late=20,post_send:1:late=5");
    uint64_t before = pal_now_ns();
    assert_int_equal(vb_post_send(s->qp, &wr, NULL), VB_OK);
    assert_true(pal_now_ns() - before >= 25 * MS);
    assert_string_equal(fake.last_op, "post_send");
}

static void flush_stops_the_queue_pair_after_a_call_that_succeeded(void **state)
{
    struct stack *s = *state;
    struct vb_send_wr send = {.id = 1};
    struct vb_recv_wr recv = {.id = 1};
    struct vb_addr remote = addr("192.0.2.2:80");
    struct vb_conn_params params = {0};
    plan("post_send:2:flush,post_recv:1:flush,conn_connect:1:flush,conn_accept:1:flush");
    assert_int_equal(vb_post_send(s->qp, &send, NULL), VB_OK);
    assert_int_equal(fake.qp_stops, 0);
    assert_int_equal(vb_post_send(s->qp, &send, NULL), VB_OK);
    assert_int_equal(fake.qp_stops, 1);
    assert_ptr_equal(fake.last_object, s->qp);
    assert_int_equal(vb_post_recv(s->qp, &recv, NULL), VB_OK);
    assert_int_equal(fake.qp_stops, 2);
    assert_int_equal(vb_conn_connect(s->conn, &remote, &params), VB_OK);
    assert_int_equal(fake.qp_stops, 3);
    assert_ptr_equal(fake.last_object, s->qp);
    fake.next_status = VB_E_STATE;
    assert_int_equal(vb_conn_accept(s->conn, &params), VB_E_STATE);
    assert_int_equal(fake.qp_stops, 3);
    plan("conn_accept:1:flush");
    vb_qp_destroy(s->qp);
    s->qp = NULL;
    assert_int_equal(vb_conn_accept(s->conn, &params), VB_OK); /* nothing left to stop */
    assert_int_equal(fake.qp_stops, 3);
}

static void binding_can_flush(void **state)
{
    (void)state;
    struct stack s;
    fake_reset();
    assert_int_equal(try_build(&s, "fake+fault=conn_bind_qp:1:flush"), VB_OK);
    assert_int_equal(fake.qp_stops, 1);
    tear_down(&s);
    assert_int_equal(fake.objects_alive, 0);
}

/* ---- late completions ---- */

static void a_late_completion_is_withheld_with_all_behind_it_and_keeps_the_order(void **state)
{
    struct stack *s = *state;
    struct vb_wc wc[8];
    plan("cq_poll:2:late=30");
    uint64_t before = pal_now_ns();
    for (uint64_t id = 1; id <= 4; id++)
        fake_complete(s->cq, id);
    assert_int_equal(vb_cq_poll(s->cq, wc, 8), 1);
    assert_int_equal(wc[0].id, 1);
    fake_complete(s->cq, 5);
    unsigned got = 0;
    while (got < 4) {
        unsigned n = vb_cq_poll(s->cq, wc + got, 8 - got);
        if (n > 0)
            assert_true(pal_now_ns() - before >= 30 * MS);
        got += n;
        assert_true(pal_now_ns() - before < (uint64_t)PATIENCE * MS);
    }
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(wc[i].id, i + 2);
    assert_int_equal(vb_fault_calls("cq_poll"), 5);
    assert_int_equal(vb_fault_fired(), 1);
    fake_complete(s->cq, 6);
    assert_int_equal(vb_cq_poll(s->cq, wc, 1), 1);
    assert_int_equal(wc[0].id, 6);
}

/* The loop of a thread that sleeps on the CQ: it must not sleep past a completion. */
static void a_sleeping_consumer_is_woken_for_a_late_completion(void **state)
{
    struct stack *s = *state;
    struct vb_wc wc;
    pal_waitable waits[1] = {vb_cq_waitable(s->cq)};
    plan("cq_poll:0:late=15");
    for (uint64_t id = 1; id <= 3; id++) {
        uint64_t before = pal_now_ns();
        unsigned sleeps = 0;
        assert_int_equal(vb_cq_arm(s->cq), VB_OK);
        fake_complete(s->cq, id);
        for (;;) {
            (void)vb_cq_ack(s->cq);
            assert_int_equal(vb_cq_arm(s->cq), VB_OK);
            if (vb_cq_poll(s->cq, &wc, 1) == 1)
                break;
            assert_int_equal(pal_wait(waits, 1, PATIENCE), 1);
            assert_true(++sleeps < 5); /* no spinning either */
        }
        assert_int_equal(wc.id, id);
        assert_true(pal_now_ns() - before >= 15 * MS);
    }
    (void)vb_cq_ack(s->cq);
    assert_int_equal(pal_wait(waits, 1, 0), 0);
}

static void more_late_completions_than_fit_wait_below(void **state)
{
    struct stack *s = *state;
    struct vb_wc wc[200];
    unsigned got = 0;
    uint64_t deadline_ns = pal_now_ns() + (uint64_t)PATIENCE * MS;
    plan("cq_poll:0:late=5");
    for (uint64_t id = 0; id < 200; id++)
        fake_complete(s->cq, id);
    while (got < 200) {
        got += vb_cq_poll(s->cq, wc + got, 200 - got);
        assert_true(pal_now_ns() < deadline_ns);
    }
    for (uint64_t id = 0; id < 200; id++)
        assert_int_equal(wc[id].id, id);
}

static void a_queue_may_be_destroyed_with_completions_withheld(void **state)
{
    struct stack *s = *state;
    struct vb_cq *cq;
    struct vb_wc wc;
    assert_int_equal(vb_cq_create(s->dev, 4, &cq), VB_OK);
    plan("cq_poll:1:late=100000");
    fake_complete(cq, 1);
    (void)vb_cq_waitable(cq);
    assert_int_equal(vb_cq_poll(cq, &wc, 1), 0);
    vb_cq_destroy(cq);
}

/* ---- late connection events ---- */

/* The next event, once it is no longer withheld. */
static void expect_late_event(struct stack *s, struct vb_cm_event *ev)
{
    const uint64_t deadline = pal_now_ns() + (uint64_t)PATIENCE * MS;
    enum vb_status st;
    while ((st = vb_cm_poll(s->cm, ev)) == VB_E_AGAIN && pal_now_ns() < deadline)
        pal_sleep_ms(1);
    assert_int_equal(st, VB_OK);
}

static void a_late_event_wakes_its_poller_and_keeps_the_order(void **state)
{
    struct stack *s = *state;
    struct vb_cm_event ev;
    pal_waitable waits[1] = {vb_cm_waitable(s->cm)};
    int context;
    plan("cm_poll:1:late=500");
    uint64_t before = pal_now_ns();
    fake_event(s->cm, VB_CM_ESTABLISHED, s->conn, NULL);
    fake_event(s->cm, VB_CM_DISCONNECTED, s->conn, NULL);
    assert_int_equal(pal_wait(waits, 1, PATIENCE), 1);
    assert_int_equal(vb_cm_poll(s->cm, &ev), VB_E_AGAIN);
    vb_conn_set_context(s->conn, &context);
    assert_int_equal(pal_wait(waits, 1, 0), 0);
    assert_int_equal(pal_wait(waits, 1, PATIENCE), 1);
    assert_int_equal(vb_cm_poll(s->cm, &ev), VB_OK);
    assert_true(pal_now_ns() - before >= 500 * MS);
    assert_int_equal(ev.kind, VB_CM_ESTABLISHED);
    assert_ptr_equal(ev.context, &context);
    assert_int_equal(pal_wait(waits, 1, PATIENCE), 1);
    assert_int_equal(vb_cm_poll(s->cm, &ev), VB_OK);
    assert_int_equal(ev.kind, VB_CM_DISCONNECTED);
    assert_int_equal(vb_cm_poll(s->cm, &ev), VB_E_AGAIN);
    assert_int_equal(pal_wait(waits, 1, 0), 0);
    assert_int_equal(vb_fault_calls("cm_poll"), 2);
}

static void a_broken_event_source_is_reported_while_events_are_withheld(void **state)
{
    struct stack *s = *state;
    struct vb_cm_event ev;
    plan("cm_poll:1:late=5000");
    fake_event(s->cm, VB_CM_ESTABLISHED, s->conn, NULL);
    assert_int_equal(vb_cm_poll(s->cm, &ev), VB_E_AGAIN);
    fake.next_status = VB_E_FATAL;
    assert_int_equal(vb_cm_poll(s->cm, &ev), VB_E_FATAL);
}

static void no_event_of_a_connection_follows_its_destroy(void **state)
{
    struct stack *s = *state;
    struct vb_cm_event ev;
    struct vb_addr local = addr("192.0.2.1");
    struct vb_conn *other;
    assert_int_equal(vb_conn_create(s->cm, &local, NULL, &other), VB_OK);
    plan("cm_poll:1:late=500");
    fake_event(s->cm, VB_CM_ESTABLISHED, other, NULL);
    fake_event(s->cm, VB_CM_ESTABLISHED, s->conn, NULL);
    fake_event(s->cm, VB_CM_DISCONNECTED, other, NULL);
    assert_int_equal(vb_cm_poll(s->cm, &ev), VB_E_AGAIN);
    vb_conn_destroy(other);
    expect_late_event(s, &ev);
    assert_ptr_equal(ev.conn, s->conn);
    assert_int_equal(vb_cm_poll(s->cm, &ev), VB_E_AGAIN);
}

static void withheld_requests_are_refused_when_their_listener_goes(void **state)
{
    struct stack *s = *state;
    struct vb_cm_event ev;
    struct vb_addr port = addr("192.0.2.1:80");
    struct vb_listener *going, *staying;
    int going_context, staying_context;
    assert_int_equal(vb_listen(s->cm, &port, 5, &going_context, &going), VB_OK);
    assert_int_equal(vb_listen(s->cm, &port, 5, &staying_context, &staying), VB_OK);
    plan("cm_poll:1:late=500");
    fake_event(s->cm, VB_CM_REQUEST, NULL, &going_context);
    struct vb_conn *wanted = fake_event(s->cm, VB_CM_REQUEST, NULL, &staying_context);
    struct vb_conn *void_one = fake_event(s->cm, VB_CM_REQUEST, NULL, &going_context);
    fake_event(s->cm, VB_CM_WITHDRAWN, void_one, NULL);
    assert_int_equal(vb_cm_poll(s->cm, &ev), VB_E_AGAIN);
    vb_listener_destroy(going);
    assert_int_equal(fake.rejects, 2);
    expect_late_event(s, &ev);
    assert_ptr_equal(ev.conn, wanted);
    assert_int_equal(vb_cm_poll(s->cm, &ev), VB_E_AGAIN);
    vb_conn_destroy(wanted);
    vb_listener_destroy(staying);
}

static void withheld_requests_are_refused_when_their_event_source_goes(void **state)
{
    struct stack *s = *state;
    struct vb_cm_event ev;
    struct vb_cm *cm;
    assert_int_equal(vb_cm_create(s->be, &cm), VB_OK);
    plan("cm_poll:1:late=100000");
    struct vb_conn *conn = fake_event(cm, VB_CM_REQUEST, NULL, NULL);
    fake_event(cm, VB_CM_WITHDRAWN, conn, NULL);
    assert_int_equal(vb_cm_poll(cm, &ev), VB_E_AGAIN);
    vb_cm_destroy(cm);
    assert_int_equal(fake.rejects, 1);
}

/* ---- threads ---- */

static pal_atomic_bool is_over;

static void change_the_plan_and_read_it(void *arg)
{
    (void)arg;
    while (!pal_load_acquire(&is_over)) {
        (void)vb_fault_set("any:3:fail,post_send:0:fail", NULL, 0);
        (void)vb_fault_fired();
        (void)vb_fault_fired_last();
        (void)vb_fault_calls("any");
        vb_fault_clear();
    }
}

static void the_plan_may_change_while_calls_are_made(void **state)
{
    struct stack *s = *state;
    struct vb_send_wr wr = {.id = 1};
    struct vb_wc wc;
    pal_store_release(&is_over, false);
    struct pal_thread *t = pal_thread_start(change_the_plan_and_read_it, NULL, "planner");
    assert_non_null(t);
    for (int i = 0; i < 5000; i++) {
        vb_status_t st = vb_post_send(s->qp, &wr, NULL);
        assert_true(st == VB_OK || st == VB_E_NOMEM);
        (void)vb_cq_poll(s->cq, &wc, 1);
    }
    pal_store_release(&is_over, true);
    pal_thread_join(t);
}

int main(void)
{
#define WITH_STACK(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest fault[] = {
        WITH_STACK(bad_plans_are_refused_with_a_readable_reason_and_change_nothing),
        WITH_STACK(the_nth_call_fails_and_the_others_work),
        WITH_STACK(zero_means_every_call_until_the_plan_is_cleared),
        WITH_STACK(every_fallible_operation_can_fail),
        WITH_STACK(what_is_not_fallible_does_not_count_as_any),
        cmocka_unit_test(failing_the_nth_call_for_growing_n_visits_every_call_and_leaks_nothing),
        cmocka_unit_test(a_plan_can_come_with_the_backend_text),
        WITH_STACK(late_calls_are_made_at_once_but_return_late),
        WITH_STACK(flush_stops_the_queue_pair_after_a_call_that_succeeded),
        cmocka_unit_test(binding_can_flush),
        WITH_STACK(a_late_completion_is_withheld_with_all_behind_it_and_keeps_the_order),
        WITH_STACK(a_sleeping_consumer_is_woken_for_a_late_completion),
        WITH_STACK(more_late_completions_than_fit_wait_below),
        WITH_STACK(a_queue_may_be_destroyed_with_completions_withheld),
        WITH_STACK(a_late_event_wakes_its_poller_and_keeps_the_order),
        WITH_STACK(a_broken_event_source_is_reported_while_events_are_withheld),
        WITH_STACK(no_event_of_a_connection_follows_its_destroy),
        WITH_STACK(withheld_requests_are_refused_when_their_listener_goes),
        WITH_STACK(withheld_requests_are_refused_when_their_event_source_goes),
        WITH_STACK(the_plan_may_change_while_calls_are_made),
    };
    if (vb_register_backend(&fake_ops) != VB_OK)
        return 1;
    return cmocka_run_group_tests_name("hook fault", fault, NULL, NULL);
}
