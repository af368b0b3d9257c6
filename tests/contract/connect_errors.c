/* connect_errors.c - WSPConnect: codes that decide whether the switch falls back to TCP/IP, time-outs, bad
 * arguments.
 * Source: contract 4.8, 8.2, Q28; checklist 6; peers.md W9, W10. */
#include <arpa/inet.h>

#include "ct.h"

static int connect_to(struct fixture *f, const WSD_SOCKADDR_IN *to, bool *should_fall_back)
{
    struct sw_companion *c = NULL;
    int result = sw_connect(f->provider, &f->other, to, ct.wait_ms, NULL, &c, should_fall_back);

    if (result == 0)
        ct_adopt_companion(f, c);
    return result;
}

static WSD_SOCKADDR_IN unused_port(struct fixture *f)
{
    return ct_at(f->here, ct_port());
}

/* "Nobody listens" in the fabric proves nothing about TCP. */
static void checklist_06_without_a_listener_the_switch_may_fall_back(void **state)
{
    struct fixture *f = *state;
    WSD_SOCKADDR_IN to = unused_port(f);
    bool should_fall_back = false;

    ct_fails(WSAETIMEDOUT, connect_to(f, &to, &should_fall_back));
    assert_true(should_fall_back);
}

static void checklist_06_a_host_that_does_not_answer_is_not_called_unreachable(void **state)
{
    struct fixture *f = *state;
    WSD_SOCKADDR_IN to = f->here;
    bool should_fall_back = false;

    ct_reload(f, "WSD_CONNECT_TIMEOUT_MS", "500", NULL);
    to.sin_addr.s_addr = htonl(ntohl(to.sin_addr.s_addr) | 0xF9); /* same subnet, nobody there */
    to.sin_port = htons(ct_port());
    ct_one_of(connect_to(f, &to, &should_fall_back), WSAETIMEDOUT, WSAENETUNREACH);
    assert_true(should_fall_back);
}

static void checklist_06_a_peer_that_never_answers_times_out(void **state)
{
    struct fixture *f = *state;
    struct loop_config config;
    bool should_fall_back = false;

    ct_needs_loop();
    ct_reload(f, "WSD_CONNECT_TIMEOUT_MS", "300", NULL);
    struct sw_listener *l = ct_listen(f, 5);
    ct.loop->get_config(&config);
    config.black_hole = true;
    ct.loop->set_config(&config);
    ct_fails(WSAETIMEDOUT, connect_to(f, &l->local, &should_fall_back));
    assert_true(should_fall_back);
}

/* A peer that took the request and never decides: nobody accepts on this listener. */
static void checklist_06_a_request_nobody_accepts_times_out(void **state)
{
    struct fixture *f = *state;
    bool should_fall_back = false;

    ct_reload(f, "WSD_CONNECT_TIMEOUT_MS", "500", NULL);
    struct sw_listener *l = ct_listen(f, 5);
    ct_fails(WSAETIMEDOUT, connect_to(f, &l->local, &should_fall_back));
    assert_true(should_fall_back);
}

static void checklist_06_local_shortage_is_WSAENOBUFS(void **state)
{
    static const char *const plans[] = {"qp_create:1:fail", "conn_create:1:fail", "conn_bind_qp:1:fail",
                                        "conn_connect:1:fail"};
    struct fixture *f = *state;
    bool should_fall_back;

    ct_needs_loop();
    for (size_t i = 0; i < sizeof plans / sizeof plans[0]; i++) {
        ct_reload_with_faults(f);
        struct sw_listener *l = ct_listen(f, 5);
        struct sw_companion *a = NULL;
        should_fall_back = false;
        ct_fault(plans[i]);
        int error = sw_connect_start(f->provider, &f->other, &l->local, NULL, &a, &should_fall_back);
        if (error == 0) {
            ct_adopt_companion(f, a);
            error = sw_connect_finish(a, ct.wait_ms, &should_fall_back);
        }
        ct_fails(WSAENOBUFS, error);
        assert_true(should_fall_back);
        ct_fault(NULL);
    }
}

/* Raw listener: the request of *a is in our hands, in *ev, and so is the answer. */
static void ask_raw_peer(struct fixture *f, struct ct_raw *raw, struct vb_listener **listener,
                         struct sw_companion **a, struct vb_cm_event *ev, bool *should_fall_back)
{
    WSD_SOCKADDR_IN at = ct_at(f->here, ct_port());

    ct_raw_open(raw);
    assert_int_equal(ct_raw_listen(raw, &at, listener), VB_OK);
    ct_ok(sw_connect_start(f->provider, &f->other, &at, NULL, a, should_fall_back));
    ct_adopt_companion(f, *a);
    assert_true(ct_raw_event(raw, ev, ct.wait_ms));
    assert_int_equal(ev->kind, VB_CM_REQUEST);
}

static int answer_of_raw_peer(struct fixture *f, bool with_data, bool *should_fall_back)
{
    struct ct_raw raw;
    struct vb_listener *listener;
    struct vb_cm_event ev;
    struct sw_companion *a;
    static const char data[] = "busy, ask somebody else";

    ask_raw_peer(f, &raw, &listener, &a, &ev, should_fall_back);
    assert_int_equal(ct.vb->conn_reject(ev.conn, with_data ? data : NULL, with_data ? sizeof data : 0),
                     VB_OK);
    int error = sw_connect_finish(a, ct.wait_ms, should_fall_back);
    ct.vb->conn_destroy(ev.conn);
    ct.vb->listener_destroy(listener);
    ct_close(f, a);
    ct_raw_close(&raw);
    return error;
}

static void w09_a_refusal_without_our_private_data_lets_the_switch_fall_back(void **state)
{
    struct fixture *f = *state;
    bool should_fall_back = false;

    ct_fails(WSAETIMEDOUT, answer_of_raw_peer(f, false, &should_fall_back));
    assert_true(should_fall_back);
}

static void w09_a_refusal_with_foreign_private_data_lets_the_switch_fall_back(void **state)
{
    struct fixture *f = *state;
    bool should_fall_back = false;

    ct_fails(WSAETIMEDOUT, answer_of_raw_peer(f, true, &should_fall_back));
    assert_true(should_fall_back);
}

static uint64_t milliseconds(void)
{
    return pal_now_ns() / 1000000u;
}

/* Address resolution that nobody answers goes on elsewhere: the caller gets WSAEWOULDBLOCK at once. */
static void w10_looking_for_a_host_does_not_hold_up_the_caller(void **state)
{
    struct fixture *f = *state;
    struct sw_companion *a;
    WSD_SOCKADDR_IN to = f->here;
    bool should_fall_back = false;

    ct_reload(f, "WSD_CONNECT_TIMEOUT_MS", "3000", NULL);
    to.sin_addr.s_addr = htonl(ntohl(to.sin_addr.s_addr) | 0xF9); /* same subnet, nobody there */
    to.sin_port = htons(ct_port());
    uint64_t start = milliseconds();
    ct_ok(sw_connect_start(f->provider, &f->other, &to, NULL, &a, NULL));
    uint64_t took = milliseconds() - start;
    ct_adopt_companion(f, a);
    if (took >= 2000)
        ct_fail("WSPConnect took %u ms", (unsigned)took);
    ct_one_of(sw_connect_finish(a, ct.wait_ms, &should_fall_back), WSAETIMEDOUT, WSAENETUNREACH);
    assert_true(should_fall_back);
}

/* Nor does it hold up anybody else: another connection comes up and works meanwhile, and the attempt can be closed. */
static void w10_looking_for_a_host_does_not_hold_up_other_connections(void **state)
{
    struct fixture *f = *state;
    struct sw_companion *lost;
    struct ct_pair p;
    WSD_SOCKADDR_IN to = f->here;

    ct_reload(f, "WSD_CONNECT_TIMEOUT_MS", "20000", NULL);
    to.sin_addr.s_addr = htonl(ntohl(to.sin_addr.s_addr) | 0xF9); /* same subnet, nobody there */
    to.sin_port = htons(ct_port());
    ct_ok(sw_connect_start(f->provider, &f->other, &to, NULL, &lost, NULL));
    ct_adopt_companion(f, lost);
    ct_pair(f, &p, 4096);
    ct_pair_works(&p);
    /* where the fabric knows at once that nobody is there, the attempt is over already */
    ct_one_of(sw_connect_finish(lost, 0, NULL), WSAEWOULDBLOCK, WSAETIMEDOUT, WSAENETUNREACH);
    ct_close(f, lost);
    ct_pair_works(&p);
}

static bool is_an_end(const struct vb_cm_event *ev)
{
    return ev->kind == VB_CM_DISCONNECTED || ev->kind == VB_CM_FAILED || ev->kind == VB_CM_REJECTED ||
           ev->kind == VB_CM_WITHDRAWN;
}

static void another_pair_works(struct fixture *f)
{
    struct ct_pair p;

    ct_pair(f, &p, 4096);
    ct_pair_works(&p);
}

/* Raw peer: it has the request, the connect is closed, and then it accepts. Returns what accepting said. */
static vb_status_t accept_a_closed_connect(struct fixture *f, bool after_others)
{
    struct ct_raw raw;
    struct ct_raw_conn accepted;
    struct vb_listener *listener;
    struct vb_cm_event ev;
    struct sw_companion *a;

    ask_raw_peer(f, &raw, &listener, &a, &ev, NULL);
    assert_int_equal(ct_raw_adopt(&raw, ev.conn, &accepted), VB_OK);
    ct_close(f, a);
    if (after_others)
        another_pair_works(f);
    vb_status_t st = ct.vb->conn_accept(accepted.conn, &(struct vb_conn_params){.read_in = 1, .read_out = 1});
    if (st == VB_OK) { /* a connection that nobody has any more */
        do
            assert_true(ct_raw_event(&raw, &ev, ct.wait_ms));
        while (!is_an_end(&ev));
    } else { /* it knows already that nobody is there */
        assert_true(st == VB_E_RESET || st == VB_E_STATE);
    }
    ct_raw_drop(&accepted);
    ct.vb->listener_destroy(listener);
    ct_raw_close(&raw);
    return st;
}

/* siw keeps the QP of a connect that was closed until its peer has answered, or its own timer strikes; nobody else waits for that:
 * when another connection has come up and works, the attempt is still there to be accepted. Other devices end it at once. */
static void w10_a_closed_connect_without_an_answer_holds_up_no_other(void **state)
{
    struct fixture *f = *state;
    vb_status_t st = accept_a_closed_connect(f, true);

    if (ct_env_is_siw())
        assert_int_equal(st, VB_OK);
    another_pair_works(f);
}

static void a_closed_connect_that_is_accepted_ends(void **state)
{
    struct fixture *f = *state;

    (void)accept_a_closed_connect(f, false);
    another_pair_works(f);
}

static void w10_a_slow_answer_does_not_hold_up_the_caller(void **state)
{
    struct fixture *f = *state;
    struct loop_config config;
    struct sw_companion *a, *b;

    ct_needs_loop();
    ct.loop->get_config(&config);
    config.connect_delay_ms = 700;
    ct.loop->set_config(&config);
    struct sw_listener *l = ct_listen(f, 5);
    /* a busy machine may be late now and then; who waits for the answer is so every time */
    bool is_prompt = false;
    for (int i = 0; i < 5 && !is_prompt; i++) {
        uint64_t start = milliseconds();
        a = ct_start_connect(f, l);
        is_prompt = milliseconds() - start < 700;
        ct_ok(ct_accept(f, l, ct.wait_ms, &b));
        ct_finish_connect(a);
    }
    assert_true(is_prompt);
}

static void sixty_four_connects_at_once(void **state)
{
    struct fixture *f = *state;
    struct sw_companion *a[64], *b[64];

    /* the last one waits for all the others, for long on an emulated machine */
    ct_reload(f, "WSD_CONNECT_TIMEOUT_MS", "20000", NULL);
    struct sw_listener *l = ct_listen(f, 200);
    for (int i = 0; i < 64; i++)
        a[i] = ct_start_connect(f, l);
    for (int i = 0; i < 64; i++)
        ct_ok(ct_accept(f, l, ct.wait_ms, &b[i]));
    for (int i = 0; i < 64; i++)
        ct_finish_connect(a[i]);
}

static int connect_raw(struct sw_companion *c, const void *name, int bytes, WSABUF *caller, WSABUF *callee,
                       QOS *sqos, QOS *gqos)
{
    INT error = 0;

    return c->procs->lpWSPConnect(c->descriptor, name, bytes, caller, callee, sqos, gqos, &error) ==
                   SOCKET_ERROR
               ? error
               : 0;
}

static void bad_names_cannot_be_connected_to(void **state)
{
    struct fixture *f = *state;
    struct sw_listener *l = ct_listen(f, 5);
    struct sw_companion *c = ct_bound(f), *b;
    WSD_SOCKADDR_IN good = l->local, bad;

    ct_fails(WSAEFAULT, connect_raw(c, NULL, sizeof good, NULL, NULL, NULL, NULL));
    for (int n = -1; n < (int)sizeof good; n++)
        ct_fails(WSAEFAULT, connect_raw(c, &good, n, NULL, NULL, NULL, NULL));
    bad = good;
    bad.sin_family = WS_AF_INET6;
    ct_one_of(connect_raw(c, &bad, sizeof bad, NULL, NULL, NULL, NULL), WSAEAFNOSUPPORT, WSAEFAULT);
    bad.sin_family = 77;
    ct_fails(WSAEAFNOSUPPORT, connect_raw(c, &bad, sizeof bad, NULL, NULL, NULL, NULL));
    bad = good;
    bad.sin_addr.s_addr = 0;
    ct_fails(WSAEADDRNOTAVAIL, connect_raw(c, &bad, sizeof bad, NULL, NULL, NULL, NULL));
    bad = good;
    bad.sin_port = 0;
    ct_fails(WSAEADDRNOTAVAIL, connect_raw(c, &bad, sizeof bad, NULL, NULL, NULL, NULL));
    /* none of that used up the socket */
    ct_fails(WSAEWOULDBLOCK, connect_raw(c, &good, sizeof good, NULL, NULL, NULL, NULL));
    ct_ok(ct_accept(f, l, ct.wait_ms, &b));
    assert_int_equal(b->remote.sin_port, c->local.sin_port);
}

static void connect_data_and_quality_of_service_are_answered_as_documented(void **state)
{
    struct fixture *f = *state;
    struct sw_listener *l = ct_listen(f, 5);
    struct sw_companion *c = ct_bound(f), *b;
    char text[] = "hello", room[32];
    WSABUF caller = {sizeof text, text}, callee = {sizeof room, room}, nothing = {0, NULL};
    QOS qos = {0};

    ct_one_of(connect_raw(c, &l->local, sizeof l->local, &caller, NULL, NULL, NULL), WSAEPROTONOSUPPORT);
    ct_one_of(connect_raw(c, &l->local, sizeof l->local, NULL, NULL, &qos, NULL), WSAEOPNOTSUPP, WSAEINVAL);
    ct_one_of(connect_raw(c, &l->local, sizeof l->local, NULL, NULL, NULL, &qos), WSAEOPNOTSUPP, WSAEINVAL);
    ct_fails(WSAEWOULDBLOCK, connect_raw(c, &l->local, sizeof l->local, &nothing, &callee, NULL, NULL));
    ct_ok(ct_accept(f, l, ct.wait_ms, &b));
    assert_true(ct_until(callee.len == 0)); /* nothing comes back */
}

static void a_failed_connect_can_only_be_closed(void **state)
{
    struct fixture *f = *state;
    WSD_SOCKADDR_IN to = unused_port(f);
    struct sw_companion *c = NULL;

    ct_ok(sw_connect_start(f->provider, &f->other, &to, NULL, &c, NULL));
    ct_adopt_companion(f, c);
    ct_fails(WSAETIMEDOUT, sw_connect_finish(c, ct.wait_ms, NULL));
    struct sw_listener *l = ct_listen(f, 5);
    assert_true(connect_raw(c, &l->local, sizeof l->local, NULL, NULL, NULL, NULL) != 0);
    ct_close(f, c);
}

static const struct CMUnitTest connect_errors_tests[] = {
    ct_test(checklist_06_without_a_listener_the_switch_may_fall_back),
    ct_test(checklist_06_a_host_that_does_not_answer_is_not_called_unreachable),
    ct_test(checklist_06_a_peer_that_never_answers_times_out),
    ct_test(checklist_06_a_request_nobody_accepts_times_out),
    ct_test(checklist_06_local_shortage_is_WSAENOBUFS),
    ct_test(w09_a_refusal_without_our_private_data_lets_the_switch_fall_back),
    ct_test(w09_a_refusal_with_foreign_private_data_lets_the_switch_fall_back),
    ct_test(w10_looking_for_a_host_does_not_hold_up_the_caller),
    ct_test(w10_looking_for_a_host_does_not_hold_up_other_connections),
    ct_test(w10_a_closed_connect_without_an_answer_holds_up_no_other),
    ct_test(a_closed_connect_that_is_accepted_ends),
    ct_test(w10_a_slow_answer_does_not_hold_up_the_caller),
    ct_test(sixty_four_connects_at_once),
    ct_test(bad_names_cannot_be_connected_to),
    ct_test(connect_data_and_quality_of_service_are_answered_as_documented),
    ct_test(a_failed_connect_can_only_be_closed),
};
CT_GROUP(connect_errors);
