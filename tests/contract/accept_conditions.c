/* accept_conditions.c - the condition function of WSPAccept: order, arguments, answers, re-entry.
 * Source: contract 4.9, Q21; checklist 7; 14.3. switch_shim checks the arguments and the thread on every
 *         call. */
#include "ct.h"

struct watch {
    struct fixture *f;
    struct sw_companion *connector; /* must not hear anything while the function runs */
    int answer;
    unsigned calls;
    uint64_t thread;
    int seen_by_connector;
    uint32_t hold_ms;
    WSD_SOCKADDR_IN caller;
};

static int CALLBACK watching(LPWSABUF caller_id, LPWSABUF caller_data, LPQOS sqos, LPQOS gqos,
                             LPWSABUF callee_id, LPWSABUF callee_data, GROUP *g, DWORD_PTR context)
{
    struct watch *w = (struct watch *)context;

    (void)caller_data, (void)sqos, (void)gqos, (void)callee_id, (void)callee_data, (void)g;
    w->calls++;
    w->thread = pal_thread_id();
    memcpy(&w->caller, caller_id->buf, sizeof w->caller);
    if (w->connector != NULL) /* give the wire time to carry what must not be on it */
        w->seen_by_connector = sw_connect_finish(w->connector, w->hold_ms, NULL);
    return w->answer;
}

static int accept_within(struct sw_listener *l, struct watch *w, uint32_t timeout_ms,
                         struct sw_companion **out)
{
    int result = sw_accept(l, watching, (DWORD_PTR)w, timeout_ms, NULL, out);

    if (result == 0)
        ct_adopt_companion(w->f, *out);
    return result;
}

static int accept_with(struct sw_listener *l, struct watch *w, struct sw_companion **out)
{
    return accept_within(l, w, ct.wait_ms, out);
}

static void checklist_07_the_condition_function_answers_before_the_wire_hears_anything(void **state)
{
    struct fixture *f = *state;
    struct sw_listener *l = ct_listen(f, 5);
    struct watch w = {.f = f, .answer = CF_ACCEPT, .hold_ms = 200};
    struct sw_companion *b;

    w.connector = ct_start_connect(f, l);
    ct_ok(accept_with(l, &w, &b));
    assert_int_equal(w.calls, 1);
    assert_true(w.thread == pal_thread_id());
    ct_fails(WSAEWOULDBLOCK, w.seen_by_connector);
    assert_int_equal(w.caller.sin_port, w.connector->local.sin_port);
    assert_int_equal(w.caller.sin_addr.s_addr, w.connector->local.sin_addr.s_addr);
    ct_finish_connect(w.connector);
}

static void a_rejecting_condition_refuses_the_peer(void **state)
{
    struct fixture *f = *state;
    struct sw_listener *l = ct_listen(f, 5);
    struct watch w = {.f = f, .answer = CF_REJECT};
    struct sw_companion *a = ct_start_connect(f, l), *b;
    bool should_fall_back = true;

    ct_fails(WSAECONNREFUSED, accept_with(l, &w, &b));
    int refused = sw_connect_finish(a, ct.wait_ms, &should_fall_back);
    ct_was_refused(refused, should_fall_back);
    a = ct_start_connect(f, l); /* the listener goes on */
    w.answer = CF_ACCEPT;
    ct_ok(accept_with(l, &w, &b));
    ct_finish_connect(a);
}

/* Q21: it stays first in the queue. */
static void a_deferring_condition_leaves_the_request_first_in_the_queue(void **state)
{
    struct fixture *f = *state;
    struct sw_listener *l = ct_listen(f, 5);
    struct watch w = {.f = f, .answer = CF_DEFER};
    struct sw_companion *a[2], *b;
    WSD_SOCKADDR_IN first;

    a[0] = ct_start_connect(f, l);
    ct_fails(WSATRY_AGAIN, accept_with(l, &w, &b));
    first = w.caller;
    a[1] = ct_start_connect(f, l);
    for (int i = 0; i < 3; i++) {
        ct_fails(WSATRY_AGAIN, accept_with(l, &w, &b));
        assert_memory_equal(&w.caller, &first, sizeof first);
    }
    ct_fails(WSAEWOULDBLOCK, sw_connect_finish(a[0], 0, NULL));
    w.answer = CF_ACCEPT;
    ct_ok(accept_with(l, &w, &b));
    assert_int_equal(b->remote.sin_port, a[0]->local.sin_port);
    ct_finish_connect(a[0]);
    ct_ok(accept_with(l, &w, &b));
    assert_int_equal(b->remote.sin_port, a[1]->local.sin_port);
    ct_finish_connect(a[1]);
}

static void a_deferred_request_gives_no_signal_until_the_next_accept(void **state)
{
    struct fixture *f = *state;
    struct sw_listener *l = ct_listen(f, 5);
    struct watch w = {.f = f, .answer = CF_DEFER};
    struct sw_companion *a = ct_start_connect(f, l), *b;

    ct_fails(WSATRY_AGAIN, accept_with(l, &w, &b));
    ct_fails(WSAETIMEDOUT, sw_event_wait(l->event, 100));
    w.answer = CF_ACCEPT;
    ct_ok(accept_with(l, &w, &b));
    ct_finish_connect(a);
}

static void a_nonsense_answer_is_WSAEINVAL_and_nothing_is_lost(void **state)
{
    static const int nonsense[] = {3, -1, 77, 0x7FFFFFFF};
    struct fixture *f = *state;
    struct sw_listener *l = ct_listen(f, 5);

    for (size_t i = 0; i < sizeof nonsense / sizeof nonsense[0]; i++) {
        struct watch w = {.f = f, .answer = nonsense[i]};
        struct sw_companion *a = ct_start_connect(f, l), *b;
        ct_fails(WSAEINVAL, accept_with(l, &w, &b));
        /* refused or kept: a refusal takes its time to arrive, so both ends are asked until one has an answer */
        int accepted = WSAETIMEDOUT, connected = WSAEWOULDBLOCK;
        w.answer = CF_ACCEPT;
        assert_true(ct_until((accepted = accept_within(l, &w, 0, &b)) != WSAETIMEDOUT ||
                             (connected = sw_connect_finish(a, 10, NULL)) != WSAEWOULDBLOCK));
        if (connected == WSAEWOULDBLOCK) { /* kept: then it can still be accepted */
            ct_ok(accepted);
            ct_finish_connect(a);
        } else {
            assert_true(connected != 0);
        }
        ct_close(f, a);
    }
    ct_close_all(f);
}

static void a_condition_may_take_two_seconds(void **state)
{
    struct fixture *f = *state;
    struct watch w = {.f = f, .answer = CF_ACCEPT, .hold_ms = 2000};
    struct sw_companion *b;

    ct_reload(f, "WSD_CONNECT_TIMEOUT_MS", "20000", NULL); /* room for what a busy machine adds */
    struct sw_listener *l = ct_listen(f, 5);
    w.connector = ct_start_connect(f, l);
    ct_ok(accept_with(l, &w, &b));
    ct_finish_connect(w.connector);
}

struct reentry {
    struct fixture *f;
    struct ct_pair *pair;
    int result;
};

/* Anything on other sockets is allowed in here: new sockets, a whole transfer, even an accept on another
 * listener. */
static int CALLBACK reentering(LPWSABUF caller_id, LPWSABUF caller_data, LPQOS sqos, LPQOS gqos,
                               LPWSABUF callee_id, LPWSABUF callee_data, GROUP *g, DWORD_PTR context)
{
    struct reentry *r = (struct reentry *)context;
    struct sw_companion *c = NULL;
    WSAOVERLAPPED in = {0}, out = {0};
    int error = 0;

    (void)caller_id, (void)caller_data, (void)sqos, (void)gqos, (void)callee_id, (void)callee_data, (void)g;
    r->result = sw_socket(r->f->provider, NULL, &c);
    if (r->result == 0)
        r->result = sw_close(c);
    if (r->result == 0)
        r->result = ct_recv(&r->pair->b, 0, 64, &in, SW_NOTIFY);
    if (r->result == 0)
        r->result = ct_send(&r->pair->a, 0, 64, &out, SW_POLL);
    if (r->result == 0)
        r->result = sw_wait(r->pair->b.c, &in, ct.wait_ms, NULL, &error);
    if (r->result == 0)
        r->result = sw_wait(r->pair->a.c, &out, ct.wait_ms, NULL, &error);
    return r->result == 0 && error == 0 ? CF_ACCEPT : CF_REJECT;
}

static void a_condition_may_use_the_provider_for_other_sockets(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    struct sw_listener *l = ct_listen(f, 5);
    struct reentry r = {f, &p, 0};
    struct sw_companion *a, *b;

    f->listener = NULL;
    ct_pair(f, &p, 4096);
    a = ct_start_connect(f, l);
    ct_ok(sw_accept(l, reentering, (DWORD_PTR)&r, ct.wait_ms, NULL, &b));
    ct_adopt_companion(f, b);
    ct_ok(r.result);
    ct_finish_connect(a);
}

static void acceptor_thread(struct ct_thread *t)
{
    struct sw_listener *l = t->arg;

    for (int i = 0; i < 8; i++) {
        struct sw_companion *b;
        int error = sw_accept(l, NULL, 0, ct.wait_ms, NULL, &b);
        if (error != 0) {
            ct_thread_fails(t, "sw_accept: %s", sw_error_name(error));
            return;
        }
        error = sw_close(b);
        if (error != 0)
            ct_thread_fails(t, "sw_close: %s", sw_error_name(error));
    }
}

static void several_threads_may_accept_on_one_listener(void **state)
{
    struct fixture *f = *state;
    struct sw_listener *l = ct_listen(f, 64);
    struct ct_thread *threads[4];
    struct sw_companion *c[32];

    for (int i = 0; i < 4; i++)
        threads[i] = ct_start(f, acceptor_thread, l);
    for (int i = 0; i < 32; i++)
        c[i] = ct_start_connect(f, l);
    for (int i = 0; i < 32; i++)
        ct_finish_connect(c[i]);
    for (int i = 0; i < 4; i++)
        ct_join(threads[i]);
}

static const struct CMUnitTest accept_conditions_tests[] = {
    ct_test(checklist_07_the_condition_function_answers_before_the_wire_hears_anything),
    ct_test(a_rejecting_condition_refuses_the_peer),
    ct_test(a_deferring_condition_leaves_the_request_first_in_the_queue),
    ct_test(a_deferred_request_gives_no_signal_until_the_next_accept),
    ct_test(a_nonsense_answer_is_WSAEINVAL_and_nothing_is_lost),
    ct_test(a_condition_may_take_two_seconds),
    ct_test(a_condition_may_use_the_provider_for_other_sockets),
    ct_test(several_threads_may_accept_on_one_listener),
};
CT_GROUP(accept_conditions);
