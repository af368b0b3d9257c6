/* test_hooks.c - the hooks trace and fault around a backend without a network (fake_backend.h). */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake_backend.h"
#include "pal/atomic.h"
#include "pal/thread.h"
#include "pal/time.h"
#include "vb/vb_fault.h"

#define MS       1000000u
#define PATIENCE 20000 /* ms */

struct stack {
    struct vb_backend *be;
    struct vb_dev *dev;
    struct vb_pd *pd;
    struct vb_cq *cq;
    struct vb_qp *qp;
    struct vb_cm *cm;
    struct vb_conn *conn;
};

static struct vb_addr addr(const char *text)
{
    struct vb_addr a;
    assert_true(vb_addr_parse(text, &a));
    return a;
}

static void plan(const char *text)
{
    char why[200];
    if (vb_fault_set(text, why, sizeof why) != VB_OK)
        fail_msg("%s: %s", text, why);
}

/* Everything from the backend to a bound connection; stops at the first failure. `s` says how far it came. */
static vb_status_t try_build(struct stack *s, const char *spec)
{
    struct vb_addr local = addr("192.0.2.1");
    struct vb_qp_caps caps = {.send_wr = 4, .recv_wr = 4};
    vb_status_t st;
    memset(s, 0, sizeof *s);
    if ((st = vb_open(spec, &s->be, NULL, 0)) != VB_OK)
        return st;
    if ((st = vb_dev_open(s->be, &local, &s->dev)) != VB_OK)
        return st;
    if ((st = vb_pd_create(s->dev, &s->pd)) != VB_OK)
        return st;
    if ((st = vb_cq_create(s->dev, 64, &s->cq)) != VB_OK)
        return st;
    if ((st = vb_qp_create(s->pd, s->cq, s->cq, &caps, NULL, &s->qp)) != VB_OK)
        return st;
    if ((st = vb_cm_create(s->be, &s->cm)) != VB_OK)
        return st;
    if ((st = vb_conn_create(s->cm, &local, NULL, &s->conn)) != VB_OK)
        return st;
    return vb_conn_bind_qp(s->conn, s->qp);
}

static void tear_down(struct stack *s)
{
    vb_qp_destroy(s->qp);
    vb_conn_destroy(s->conn);
    vb_cm_destroy(s->cm);
    vb_cq_destroy(s->cq);
    vb_pd_destroy(s->pd);
    vb_dev_close(s->dev);
    vb_close(s->be);
}

static int setup(void **state)
{
    static struct stack s;
    fake_reset();
    vb_fault_clear();
    *state = &s;
    return try_build(&s, "fake+fault") == VB_OK ? 0 : -1;
}

static int teardown(void **state)
{
    tear_down(*state);
    vb_fault_clear();
    return fake.objects_alive == 0 ? 0 : -1;
}

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

static void a_late_event_wakes_its_poller_and_keeps_the_order(void **state)
{
    struct stack *s = *state;
    struct vb_cm_event ev;
    pal_waitable waits[1] = {vb_cm_waitable(s->cm)};
    int context;
    plan("cm_poll:1:late=20");
    uint64_t before = pal_now_ns();
    fake_event(s->cm, VB_CM_ESTABLISHED, s->conn, NULL);
    fake_event(s->cm, VB_CM_DISCONNECTED, s->conn, NULL);
    assert_int_equal(pal_wait(waits, 1, PATIENCE), 1);
    assert_int_equal(vb_cm_poll(s->cm, &ev), VB_E_AGAIN);
    vb_conn_set_context(s->conn, &context);
    assert_int_equal(pal_wait(waits, 1, 0), 0);
    assert_int_equal(pal_wait(waits, 1, PATIENCE), 1);
    assert_int_equal(vb_cm_poll(s->cm, &ev), VB_OK);
    assert_true(pal_now_ns() - before >= 20 * MS);
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
    plan("cm_poll:1:late=10");
    fake_event(s->cm, VB_CM_ESTABLISHED, other, NULL);
    fake_event(s->cm, VB_CM_ESTABLISHED, s->conn, NULL);
    fake_event(s->cm, VB_CM_DISCONNECTED, other, NULL);
    assert_int_equal(vb_cm_poll(s->cm, &ev), VB_E_AGAIN);
    vb_conn_destroy(other);
    pal_sleep_ms(15);
    assert_int_equal(vb_cm_poll(s->cm, &ev), VB_OK);
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
    plan("cm_poll:1:late=10");
    fake_event(s->cm, VB_CM_REQUEST, NULL, &going_context);
    struct vb_conn *wanted = fake_event(s->cm, VB_CM_REQUEST, NULL, &staying_context);
    struct vb_conn *void_one = fake_event(s->cm, VB_CM_REQUEST, NULL, &going_context);
    fake_event(s->cm, VB_CM_WITHDRAWN, void_one, NULL);
    assert_int_equal(vb_cm_poll(s->cm, &ev), VB_E_AGAIN);
    vb_listener_destroy(going);
    assert_int_equal(fake.rejects, 2);
    pal_sleep_ms(15);
    assert_int_equal(vb_cm_poll(s->cm, &ev), VB_OK);
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

/* ---- trace ---- */

static char trace_path[] = "/tmp/openwsd-trace-XXXXXX";

static int setup_trace(void **state)
{
    (void)state;
    fake_reset();
    vb_fault_clear();
    strcpy(trace_path + strlen(trace_path) - 6, "XXXXXX");
    int fd = mkstemp(trace_path);
    if (fd < 0)
        return -1;
    close(fd);
    return 0;
}

static int teardown_trace(void **state)
{
    (void)state;
    unlink(trace_path);
    vb_fault_clear();
    return fake.objects_alive == 0 ? 0 : -1;
}

/* The n-th line (from 0) that has `op`, without the parts that change; NULL when there is none. */
static const char *traced(const char *op, int n, char out[700])
{
    char wanted[64], line[700];
    FILE *f = fopen(trace_path, "r");
    assert_non_null(f);
    snprintf(wanted, sizeof wanted, " op=%s ", op);
    const char *found = NULL;
    while (!found && fgets(line, sizeof line, f)) {
        char *at = strstr(line, wanted);
        if (!at || n-- > 0)
            continue;
        assert_int_equal(strncmp(line, "vb t=", 5), 0);
        assert_non_null(strstr(line, " thr="));
        char *us = strstr(line, " us=");
        assert_non_null(us);
        assert_int_equal(us[strlen(us) - 1], '\n');
        *us = 0;
        strcpy(out, at + 1);
        found = out;
    }
    fclose(f);
    return found;
}

static void build_traced(struct stack *s, const char *rest)
{
    char spec[200];
    snprintf(spec, sizeof spec, "fake+trace=%s%s", trace_path, rest);
    assert_int_equal(try_build(s, spec), VB_OK);
}

static void trace_writes_one_line_per_operation_with_object_numbers(void **state)
{
    (void)state;
    struct stack s;
    char line[700];
    static char memory[64];
    struct vb_mr *mr;
    struct vb_mw *mw;
    build_traced(&s, "");
    assert_string_equal(traced("open", 0, line), "op=open backend=fake status=VB_OK");
    assert_string_equal(traced("dev_open", 0, line), "op=dev_open local=192.0.2.1 dev=1 status=VB_OK");
    assert_string_equal(traced("pd_create", 0, line), "op=pd_create dev=1 pd=1 status=VB_OK");
    assert_string_equal(traced("cq_create", 0, line), "op=cq_create dev=1 depth=64 cq=1 status=VB_OK");
    assert_string_equal(traced("conn_bind_qp", 0, line), "op=conn_bind_qp conn=1 qp=1 status=VB_OK");

    assert_int_equal(vb_mr_reg(s.pd, memory, 64, VB_ACCESS_LOCAL_WRITE | VB_ACCESS_WINDOW, &mr), VB_OK);
    assert_int_equal(vb_mw_alloc(s.pd, &mw), VB_OK);
    char wanted[200];
    snprintf(wanted, sizeof wanted, "op=mr_reg pd=1 addr=%p bytes=64 access=LB mr=1 status=VB_OK",
             (void *)memory);
    assert_string_equal(traced("mr_reg", 0, line), wanted);

    struct vb_sge sge[2] = {{.bytes = 10}, {.bytes = 20}};
    struct vb_send_wr invalidate = {.id = 3, .op = VB_WR_INVALIDATE, .u.invalidate = mw};
    struct vb_send_wr bind = {
        .next = &invalidate,
        .id = 2,
        .op = VB_WR_BIND,
        .flags = VB_WR_SIGNALED,
        .u.bind = {.mw = mw, .mr = mr, .addr = 0x1000, .bytes = 8, .access = VB_ACCESS_REMOTE_READ}};
    struct vb_send_wr read = {.next = &bind,
                              .id = 1,
                              .op = VB_WR_READ,
                              .flags = VB_WR_FENCE,
                              .sge = sge,
                              .sge_count = 2,
                              .u.rdma = {.remote_addr = 0xabc, .rkey = 0x77}};
    fake.next_status = VB_E_AGAIN;
    assert_int_equal(vb_post_send(s.qp, &read, NULL), VB_E_AGAIN);
    assert_string_equal(traced("post_send", 0, line),
                        "op=post_send qp=1 [READ id=0x1 raddr=0xabc rkey=0x77 bytes=30 sge=2 flags=F]"
                        " [BIND id=0x2 mw=1 mr=1 addr=0x1000 bytes=8 access=R flags=S]"
                        " [INVALIDATE id=0x3 mw=1 flags=] bad=0x1 status=VB_E_AGAIN");
    vb_mw_free(mw);
    vb_mr_dereg(mr);
    assert_string_equal(traced("mr_dereg", 0, line), "op=mr_dereg mr=1");
    assert_int_equal(vb_mr_reg(s.pd, memory, 64, 0, &mr), VB_OK);
    assert_non_null(strstr(traced("mr_reg", 1, line), " mr=2 ")); /* numbers are not used again */
    vb_mr_dereg(mr);
    tear_down(&s);
    assert_non_null(traced("close", 0, line) ? line : NULL);
}

static void trace_tells_why_an_attempt_failed_and_who_was_turned_away(void **state)
{
    (void)state;
    struct stack s;
    struct vb_cm_event ev;
    struct vb_listener *l;
    struct vb_addr at = addr("192.0.2.1:7000");
    char line[700];
    build_traced(&s, "+fault");
    assert_int_equal(vb_listen(s.cm, &at, 1, NULL, &l), VB_OK);
    strcpy(fake.text, "it sent \"x\"\n");
    fake_event(s.cm, VB_CM_FAILED, s.conn, NULL);
    assert_int_equal(vb_cm_poll(s.cm, &ev), VB_OK);
    assert_non_null(strstr(traced("cm_poll", 0, line), " why=[it sent \"x\"?] status=VB_OK"));
    fake_event(s.cm, VB_CM_DISCONNECTED, s.conn, NULL);
    assert_int_equal(vb_cm_poll(s.cm, &ev), VB_OK);
    assert_null(strstr(traced("cm_poll", 1, line), "why="));
    vb_listener_destroy(l);
    tear_down(&s);
    assert_string_equal(traced("listener_destroy", 0, line),
                        "op=listener_destroy listener=1 turned_away=[it sent \"x\"?]");
}

static void trace_leaves_no_line_for_polls_that_found_nothing(void **state)
{
    (void)state;
    struct stack s;
    char line[700];
    struct vb_wc wc[4];
    struct vb_cm_event ev;
    struct vb_async_event async;
    build_traced(&s, "");
    assert_int_equal(vb_cq_poll(s.cq, wc, 4), 0);
    assert_int_equal(vb_cm_poll(s.cm, &ev), VB_E_AGAIN);
    assert_int_equal(vb_async_poll(s.be, &async), VB_E_AGAIN);
    assert_int_equal(vb_cq_ack(s.cq), 0);
    assert_null(traced("cq_poll", 0, line));
    assert_null(traced("cm_poll", 0, line));
    assert_null(traced("async_poll", 0, line));
    assert_null(traced("cq_ack", 0, line));

    fake_complete(s.cq, 0x99);
    assert_int_equal(vb_cq_poll(s.cq, wc, 4), 1);
    assert_string_equal(traced("cq_poll", 0, line), "op=cq_poll cq=1 n=1 [id=0x99 VB_OK SEND]");
    fake_event(s.cm, VB_CM_REQUEST, NULL, NULL);
    assert_int_equal(vb_cm_poll(s.cm, &ev), VB_OK);
    assert_string_equal(traced("cm_poll", 0, line),
                        "op=cm_poll cm=1 event=REQUEST conn=2 cause=VB_OK data_bytes=0 "
                        "read_in=0 read_out=0 status=VB_OK");
    vb_conn_destroy(ev.conn);
    tear_down(&s);
}

static void trace_outside_of_fault_sees_the_faults_and_inside_it_does_not(void **state)
{
    (void)state;
    struct stack s;
    char line[700], spec[200];
    struct vb_send_wr wr = {.id = 1};
    build_traced(&s, "+fault");
    plan("post_send:1:fail");
    assert_int_equal(vb_post_send(s.qp, &wr, NULL), VB_E_NOMEM);
    assert_null(traced("post_send", 0, line)); /* never got that far down */
    tear_down(&s);

    vb_fault_clear();
    snprintf(spec, sizeof spec, "fake+fault+trace=%s", trace_path);
    assert_int_equal(try_build(&s, spec), VB_OK);
    plan("post_send:1:fail");
    assert_int_equal(vb_post_send(s.qp, &wr, NULL), VB_E_NOMEM);
    assert_non_null(strstr(traced("post_send", 0, line), "status=VB_E_NOMEM"));
    tear_down(&s);
}

static void a_request_that_fault_refuses_passes_through_a_trace_below(void **state)
{
    (void)state;
    struct stack s;
    char line[700];
    struct vb_cm_event ev;
    build_traced(&s, "+fault");
    plan("cm_poll:1:late=100000");
    fake_event(s.cm, VB_CM_REQUEST, NULL, NULL);
    assert_int_equal(vb_cm_poll(s.cm, &ev), VB_E_AGAIN);
    tear_down(&s);
    assert_string_equal(traced("conn_reject", 0, line), "op=conn_reject conn=2 data_bytes=0 status=VB_OK");
}

static void a_trace_line_that_is_too_long_is_cut_but_stays_one_line(void **state)
{
    (void)state;
    struct stack s;
    char line[700];
    struct vb_recv_wr wr[64];
    build_traced(&s, "");
    for (int i = 0; i < 64; i++)
        wr[i] = (struct vb_recv_wr){.next = i < 63 ? &wr[i + 1] : NULL, .id = UINT64_MAX};
    assert_int_equal(vb_post_recv(s.qp, &wr[0], NULL), VB_OK);
    assert_non_null(strstr(traced("post_recv", 0, line), "status=VB_OK"));
    tear_down(&s);
}

static void trace_keeps_errno(void **state)
{
    (void)state;
    struct stack s;
    build_traced(&s, "");
    errno = 4711;
    vb_qp_stop(s.qp);
    assert_int_equal(errno, 4711);
    tear_down(&s);
}

int main(void)
{
#define WITH_STACK(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
#define WITH_TRACE(test) cmocka_unit_test_setup_teardown(test, setup_trace, teardown_trace)
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
    const struct CMUnitTest trace[] = {
        WITH_TRACE(trace_writes_one_line_per_operation_with_object_numbers),
        WITH_TRACE(trace_tells_why_an_attempt_failed_and_who_was_turned_away),
        WITH_TRACE(trace_leaves_no_line_for_polls_that_found_nothing),
        WITH_TRACE(trace_outside_of_fault_sees_the_faults_and_inside_it_does_not),
        WITH_TRACE(a_request_that_fault_refuses_passes_through_a_trace_below),
        WITH_TRACE(a_trace_line_that_is_too_long_is_cut_but_stays_one_line),
        WITH_TRACE(trace_keeps_errno),
    };
    if (vb_register_backend(&fake_ops) != VB_OK)
        return 1;
    int failed = cmocka_run_group_tests_name("hook fault", fault, NULL, NULL);
    return failed + cmocka_run_group_tests_name("hook trace", trace, NULL, NULL);
}
