/* device_events.c - the adapter and its resources: removal, shortage when a request comes in, more sockets
 * than one queue serves.
 * Source: contract 4.0 (WSAENETDOWN), 4.9, 4.16; peers.md W17, W19, W20. Loop backend only: no test pulls
 *         out real cards. */
#include "ct.h"

static void w20_a_device_that_disappears_ends_its_connections_and_nothing_else(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    WSAOVERLAPPED in[4] = {{0}}, later = {0};
    INT error = 0;

    ct_needs_loop();
    ct_pair(f, &p, 4096);
    struct sw_listener *queued = ct_listen(f, 5);
    struct sw_companion *pending = ct_start_connect(f, queued);
    for (int i = 0; i < 4; i++)
        ct_ok(ct_recv(i < 2 ? &p.a : &p.b, 64, 64, &in[i], i % 2 == 0 ? SW_POLL : SW_NOTIFY));
    ct.loop->set_device_present(false);
    for (int i = 0; i < 4; i++)
        ct_one_of(ct_outcome(i < 2 ? p.a.c : p.b.c, &in[i]), WSAENETDOWN, WSAECONNABORTED, WSAECONNRESET);
    assert_true(sw_connect_finish(pending, ct.wait_ms, NULL) != 0);
    int code = ct_send(&p.a, 0, 64, &later, SW_POLL);
    if (code == 0)
        code = ct_outcome(p.a.c, &later);
    ct_one_of(code, WSAENETDOWN, WSAECONNABORTED, WSAECONNRESET, WSAENOTCONN);
    /* the switch can still tidy up, ask, and be told no */
    ct_ok(sw_deregister(p.a.c, p.a.tx_handle));
    struct sw_companion *c = ct_socket(f);
    WSD_SOCKADDR_IN at = ct_at(f->other, ct_port());
    assert_int_equal(c->procs->lpWSPBind(c->descriptor, (WSD_SOCKADDR *)&at, sizeof at, &error),
                     SOCKET_ERROR);
    ct_one_of(error, WSAEADDRNOTAVAIL, WSAENETDOWN);
    ct_close_all(f);
    ct_unload(f);
    ct.loop->set_device_present(true);
    ct_load(f);
    ct_pair(f, &p, 4096);
    ct_pair_works(&p);
}

static void w20_a_device_that_comes_back_serves_new_connections(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p, q;
    struct sw_address addresses[8];

    ct_needs_loop();
    ct_pair(f, &p, 4096);
    WSAOVERLAPPED in = {0};
    ct_ok(ct_recv(&p.a, 0, 64, &in, SW_NOTIFY));
    ct.loop->set_device_present(false);
    assert_true(ct_outcome(p.a.c, &in) != 0);
    ct_close_all(f);
    ct.loop->set_device_present(true);
    assert_true(ct_until(sw_refresh(f->provider) == 0 && sw_addresses(f->provider, addresses, 8) >= 2));
    ct_pair(f, &q, 4096);
    ct_pair_works(&q);
}

/* Short of something exactly when a request arrives or is accepted; the listener must live on, unlocked. */
static void w17_a_shortage_while_a_request_comes_in_leaves_the_listener_working(void **state)
{
    static const char *const plans[] = {"qp_create:2:fail",    "conn_bind_qp:2:fail", "conn_accept:1:fail",
                                        "post_recv:1:fail",    "post_recv:2:fail",    "cq_create:1:fail",
                                        "mr_reg:1:fail",       "pd_create:1:fail",    "conn_accept:1:flush",
                                        "conn_bind_qp:2:flush"};
    struct fixture *f = *state;

    ct_needs_loop();
    ct_reload_with_faults(f);
    struct sw_listener *l = ct_listen(f, 8);
    for (size_t i = 0; i < sizeof plans / sizeof plans[0]; i++) {
        struct sw_companion *a = NULL, *b = NULL;
        ct_fault(plans[i]);
        int error = sw_connect_start(f->provider, &f->other, &l->local, NULL, &a, NULL);
        if (error == 0) {
            ct_adopt_companion(f, a);
            bool is_decided = false;
            uint64_t deadline = pal_now_ns() + (uint64_t)ct.wait_ms * 1000000u;
            while (!is_decided && pal_now_ns() < deadline) {
                int accepted = b == NULL ? ct_accept(f, l, 0, &b) : 0;
                ct_one_of(accepted, 0, WSAETIMEDOUT, WSAENOBUFS, WSAEMFILE, WSAECONNRESET, WSAEACCES,
                          WSAENETDOWN, WSAECONNABORTED);
                error = sw_connect_finish(a, 5, NULL);
                is_decided = error != WSAEWOULDBLOCK;
            }
            assert_true(is_decided);
        }
        ct_one_of(error, 0, WSAENOBUFS, WSAETIMEDOUT, WSAENETDOWN, WSAECONNREFUSED);
        ct_fault(NULL);
        if (a != NULL)
            ct_close(f, a);
        if (b != NULL)
            ct_close(f, b);
        struct sw_companion *late;
        while (ct_accept(f, l, 0, &late) == 0) /* accepted just before it broke */
            ct_close(f, late);
        a = ct_start_connect(f, l);
        ct_ok(ct_accept(f, l, ct.wait_ms, &b));
        ct_finish_connect(a);
        ct_close(f, a);
        ct_close(f, b);
    }
}

static uint32_t queues(void)
{
    struct loop_counts counts;

    ct.loop->get_counts(&counts);
    return counts.cqs;
}

/* A completion queue serves so many sockets; then there must be another, and only one another. */
static void w19_more_sockets_than_one_queue_serves_get_more_queues(void **state)
{
    enum { PAIRS = 24 };
    struct fixture *f = *state;
    static struct ct_pair p[PAIRS];
    uint32_t most = 0;

    ct_needs_loop();
    ct_reload(f, "WSD_CQ_DEPTH", "255", NULL);
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < PAIRS; i++)
            ct_pair(f, &p[i], 4096);
        for (int i = 0; i < PAIRS; i++)
            ct_pair_works(&p[i]);
        if (round == 0) {
            most = queues();
            assert_true(most > 2);
            assert_true(most <= pal_processors() + 4); /* two sockets each, then 5, 10, 21, 43 */
        }
        assert_true(queues() <= most); /* found again, not made anew */
        for (int i = 0; i < PAIRS; i++) {
            ct_close(f, p[i].a.c);
            ct_close(f, p[i].b.c);
        }
        struct loop_counts counts;
        assert_true(ct_until((ct.loop->get_counts(&counts), counts.qps == 0)));
    }
}

static void w19_a_queue_that_cannot_be_made_fails_the_connection_only(void **state)
{
    enum { PAIRS = 8 };
    struct fixture *f = *state;
    static struct ct_pair p[PAIRS];

    ct_needs_loop();
    ct_setenv(f, "WSD_CQ_DEPTH", "255");
    ct_reload_with_faults(f);
    for (int i = 0; i < PAIRS; i++)
        ct_pair(f, &p[i], 4096);
    ct_fault("cq_create:0:fail");
    unsigned failed = 0;
    for (int i = 0; i < 64 && failed < 4; i++) {
        struct sw_companion *a = NULL, *b = NULL;
        int error = sw_connect_start(f->provider, &f->other, &f->listener->local, NULL, &a, NULL);
        if (error == 0) {
            ct_adopt_companion(f, a);
            error = sw_connect_finish(a, 50, NULL);
            if (error == WSAEWOULDBLOCK) { /* still found room, and keeps it */
                ct_one_of(ct_accept(f, f->listener, 0, &b), 0, WSAETIMEDOUT, WSAENOBUFS);
                continue;
            }
            ct_close(f, a);
        }
        ct_fails(WSAENOBUFS, error);
        failed++;
    }
    assert_true(failed > 0);
    for (int i = 0; i < PAIRS; i++)
        ct_pair_works(&p[i]);
    ct_fault(NULL);
    struct sw_companion *old;
    while (ct_accept(f, f->listener, 0, &old) == 0)
        ct_close(f, old);
    struct ct_pair again;
    ct_pair(f, &again, 4096);
    ct_pair_works(&again);
}

static void an_address_that_goes_away_cannot_be_bound_until_it_comes_back(void **state)
{
    struct fixture *f = *state;
    INT error = 0;

    ct_needs_loop();
    ct.loop->set_address_present("10.77.0.2", false);
    WSD_SOCKADDR_IN at = ct_at(f->other, ct_port());
    bool is_refused = ct_until(f->procs->lpWSPBind(ct_socket(f)->descriptor, (WSD_SOCKADDR *)&at, sizeof at,
                                                   &error) == SOCKET_ERROR ||
                               f->companion_count > 3000);
    assert_true(is_refused);
    ct_fails(WSAEADDRNOTAVAIL, error);
    ct.loop->set_address_present("10.77.0.2", true);
    assert_true(
        ct_until(f->procs->lpWSPBind(ct_socket(f)->descriptor, (WSD_SOCKADDR *)&at, sizeof at, &error) == 0 ||
                 f->companion_count > 3900));
    struct ct_pair p;
    ct_pair(f, &p, 4096);
}

static const struct CMUnitTest device_events_tests[] = {
    ct_test(w20_a_device_that_disappears_ends_its_connections_and_nothing_else),
    ct_test(w20_a_device_that_comes_back_serves_new_connections),
    ct_test(w17_a_shortage_while_a_request_comes_in_leaves_the_listener_working),
    ct_test(w19_more_sockets_than_one_queue_serves_get_more_queues),
    ct_test(w19_a_queue_that_cannot_be_made_fails_the_connection_only),
    ct_test(an_address_that_goes_away_cannot_be_bound_until_it_comes_back),
};
CT_GROUP(device_events);
