/* peer_death.c - the other side is gone without a word, in every state.
 * On a device the peer is a process that gets SIGKILL; on the loop backend the wire is cut.
 * Source: contract 4.11, 7.6, 8.12; 14.3. */
#include <arpa/inet.h>

#include "ct.h"

/* ---- on the loop backend: the wire ---- */

static void short_retries(void)
{
    struct loop_config config;

    ct.loop->get_config(&config);
    config.retry_ms = 2000; /* counts from the first request on; the others are posted within it */
    ct.loop->set_config(&config);
}

static void a_cut_wire_fails_sends_and_then_everything(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    WSAOVERLAPPED in[2] = {{0}}, out[2] = {{0}};

    ct_needs_loop();
    short_retries();
    ct_pair(f, &p, 4096);
    for (int i = 0; i < 2; i++)
        ct_ok(ct_recv(&p.a, 0, 64, &in[i], i == 0 ? SW_POLL : SW_NOTIFY));
    assert_true(ct.loop->cut(0, LOOP_CUT_SILENT) > 0);
    for (int i = 0; i < 2; i++)
        ct_ok(ct_send(&p.a, 0, 64, &out[i], i == 0 ? SW_POLL : SW_NOTIFY));
    ct_done(p.a.c, &out[0], WSAECONNABORTED); /* retry exceeded (7.6) */
    ct_one_of(ct_outcome(p.a.c, &out[1]), WSAECONNABORTED, WSAECONNRESET);
    for (int i = 0; i < 2; i++)
        ct_one_of(ct_outcome(p.a.c, &in[i]), WSAECONNABORTED, WSAECONNRESET);
    WSAOVERLAPPED later = {0};
    int error = ct_send(&p.a, 0, 64, &later, SW_POLL);
    if (error == 0)
        error = ct_outcome(p.a.c, &later);
    ct_one_of(error, WSAECONNABORTED, WSAECONNRESET, WSAENOTCONN);
}

static void a_cut_wire_fails_transfers(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    struct sw_rdma_descriptor d;
    WSAOVERLAPPED write = {0}, read = {0};

    ct_needs_loop();
    short_retries();
    ct_pair(f, &p, 4096);
    ct_expose(&p.b, p.b.rx, 4096, MEM_READWRITE, &d);
    ct.loop->cut(0, LOOP_CUT_SILENT);
    ct_ok(ct_write(&p.a, 0, 4096, &d, 0, &write, SW_NOTIFY));
    ct_ok(ct_read(&p.a, 0, 4096, &d, 0, &read, SW_POLL));
    ct_one_of(ct_outcome(p.a.c, &write), WSAECONNABORTED);
    ct_one_of(ct_outcome(p.a.c, &read), WSAECONNABORTED, WSAECONNRESET);
}

static void a_disconnect_from_below_fails_receives(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    WSAOVERLAPPED in[4] = {{0}};

    ct_needs_loop();
    ct_pair(f, &p, 4096);
    for (int i = 0; i < 4; i++)
        ct_ok(ct_recv(i < 2 ? &p.a : &p.b, 0, 64, &in[i], i % 2 == 0 ? SW_POLL : SW_NOTIFY));
    ct.loop->cut(0, LOOP_CUT_NOTIFY);
    for (int i = 0; i < 4; i++)
        ct_one_of(ct_outcome(i < 2 ? p.a.c : p.b.c, &in[i]), WSAECONNRESET, WSAECONNABORTED);
}

static void a_wire_cut_while_connecting_times_out(void **state)
{
    struct fixture *f = *state;

    ct_needs_loop();
    ct_reload(f, "WSD_CONNECT_TIMEOUT_MS", "2000", NULL);
    struct sw_listener *l = ct_listen(f, 5);
    struct sw_companion *a = ct_start_connect(f, l), *b;
    bool should_fall_back = false;
    ct_ok(sw_event_wait(l->event, ct.wait_ms)); /* the request is there */
    assert_true(ct.loop->cut(0, LOOP_CUT_SILENT) > 0);
    int error = ct_accept(f, l, ct.wait_ms, &b); /* the other side cannot know */
    ct_one_of(error, 0, WSAECONNRESET, WSAENOBUFS, WSAECONNABORTED);
    ct_fails(WSAETIMEDOUT, sw_connect_finish(a, ct.wait_ms, &should_fall_back));
    assert_true(should_fall_back);
    if (error == 0) { /* Q20: accepted, and never established */
        WSAOVERLAPPED in = {0};
        WSABUF nothing = {0, NULL};
        error = sw_recv(b, &nothing, 1, &in, SW_NOTIFY);
        if (error == 0)
            error = ct_outcome(b, &in);
        ct_one_of(error, WSAECONNABORTED, WSAECONNRESET, WSAENOTCONN);
    }
}

/* ---- on a device: a process ---- */

/* Idle with receives posted: the end must come by itself. */
static void a_killed_peer_fails_pending_receives(void **state)
{
    struct fixture *f = *state;
    struct ct_end mine;
    WSAOVERLAPPED in[4] = {{0}};

    ct_needs_processes();
    ct_needs_sockets_that_end_with_their_process();
    struct ct_process *q = ct_process_connected(f, &mine, 65536);
    second_process_tell(&q->second, "receive 8");
    for (int i = 0; i < 4; i++)
        ct_ok(ct_recv(&mine, 0, 64, &in[i], i % 2 == 0 ? SW_POLL : SW_NOTIFY));
    ct_kill(q);
    for (int i = 0; i < 4; i++)
        ct_one_of(ct_outcome(mine.c, &in[i]), WSAECONNRESET, WSAECONNABORTED);
}

static void a_peer_killed_while_it_sends_fails_what_is_pending(void **state)
{
    struct fixture *f = *state;
    struct ct_end mine;
    WSAOVERLAPPED in[32] = {{0}};
    int failed = 0, error = 0;

    ct_needs_processes();
    ct_needs_sockets_that_end_with_their_process();
    struct ct_process *q = ct_process_connected(f, &mine, 65536);
    for (int i = 0; i < 32; i++)
        ct_ok(ct_recv(&mine, 0, 65536, &in[i], i % 2 == 0 ? SW_POLL : SW_NOTIFY));
    second_process_tell(&q->second, "flood");
    assert_int_equal(ct_done(mine.c, &in[0], 0), 65536);
    ct_kill(q);
    for (int i = 1; i < 32; i++) {
        error = ct_outcome(mine.c, &in[i]); /* first what came, then the end */
        ct_one_of(error, 0, WSAECONNRESET, WSAECONNABORTED);
        failed += error != 0;
        assert_true(error != 0 || failed == 0);
    }
    /* what the transport had taken from the peer before it died may come first, where a send is over that early */
    for (int i = 0; ct.completes_early && failed == 0 && i < 1000; i++) {
        WSAOVERLAPPED more = {0};
        error = ct_recv(&mine, 0, 65536, &more, SW_POLL);
        error = error == 0 ? ct_outcome(mine.c, &more) : error;
        ct_one_of(error, 0, WSAECONNRESET, WSAECONNABORTED, WSAENOTCONN);
        failed += error != 0;
    }
    if (failed == 0)
        ct_sees_reset(&mine);
}

static void a_peer_killed_under_our_sends_fails_them(void **state)
{
    struct fixture *f = *state;
    struct ct_end mine;

    ct_needs_processes();
    ct_needs_flow_control();
    if (ct.completes_early)
        ct_skip("sends do not wait for receives: they are over once they were handed on");
    struct ct_process *q = ct_process_connected(f, &mine, 65536);
    second_process_tell(&q->second,
                        "receive 4"); /* four fit, the fifth waits for a receive that never comes */
    WSAOVERLAPPED out[8] = {{0}};
    for (int i = 0; i < 8; i++)
        ct_ok(ct_send(&mine, 0, 1000, &out[i], i % 2 == 0 ? SW_POLL : SW_NOTIFY));
    ct_done(mine.c, &out[3], 0);
    ct_kill(q);
    for (int i = 4; i < 8; i++)
        ct_one_of(ct_outcome(mine.c, &out[i]), WSAECONNRESET, WSAECONNABORTED);
}

static void a_peer_killed_during_transfers_ends_them(void **state)
{
    static const char *const verbs[] = {"write", "read"};
    struct fixture *f = *state;

    ct_needs_processes();
    ct_needs_sockets_that_end_with_their_process();
    for (int i = 0; i < 2; i++) {
        struct ct_end mine;
        struct sw_rdma_descriptor d;
        char hex[2 * SW_DESCRIPTOR_MAX + 1];
        WSAOVERLAPPED in = {0};
        struct ct_process *q = ct_process_connected(f, &mine, 65536);
        ct_expose(&mine, mine.rx, 65536, MEM_READWRITE, &d);
        for (DWORD k = 0; k < d.length; k++)
            snprintf(hex + 2 * k, 3, "%02x", d.bytes[k]);
        ct_ok(ct_recv(&mine, 0, 64, &in, SW_NOTIFY));
        second_process_tell(&q->second, "%s %s", verbs[i], hex);
        ct_fails(WSAETIMEDOUT, sw_wait(mine.c, &in, 300, NULL, NULL)); /* let it run */
        ct_kill(q);
        ct_one_of(ct_outcome(mine.c, &in), WSAECONNRESET, WSAECONNABORTED);
        ct_ok(sw_deregister_rdma(mine.c, &d));
        ct_close(f, mine.c);
    }
}

static void a_peer_killed_under_our_transfers_fails_them(void **state)
{
    struct fixture *f = *state;
    struct ct_end mine;
    struct sw_rdma_descriptor d;
    unsigned byte;
    int error = 0;

    ct_needs_processes();
    if (POSIX_KILL_KEEPS_SOCKETS)
        ct_reload(f, "WSD_SOFTIWARP_DEAD_MS", "1000", NULL);
    struct ct_process *q = ct_process_connected(f, &mine, 65536);
    const char *hex = second_process_tell(&q->second, "expose 65536");
    for (d.length = 0; sscanf(hex + 2 * d.length, "%2x", &byte) == 1; d.length++)
        d.bytes[d.length] = (BYTE)byte;
    WSAOVERLAPPED ov = {0};
    ct_ok(ct_write(&mine, 0, 65536, &d, 0, &ov, SW_POLL));
    ct_done(mine.c, &ov, 0);
    ct_kill(q);
    for (int i = 0; i < 1000 && error == 0; i++) {
        WSAOVERLAPPED next = {0};
        error = ct_write(&mine, 0, 65536, &d, 0, &next, SW_POLL);
        if (error == 0)
            error = ct_outcome(mine.c, &next);
    }
    ct_one_of(error, WSAECONNRESET, WSAECONNABORTED, WSAENOTCONN);
}

static void a_peer_killed_with_its_request_in_our_queue_leaves_the_listener_working(void **state)
{
    struct fixture *f = *state;
    struct sw_companion *b = NULL;

    ct_needs_processes();
    ct_needs_sockets_that_end_with_their_process();
    struct ct_process *q = ct_process_start(f);
    struct sw_listener *l = ct_listen(f, 5);
    second_process_tell(&q->second, "start %u", (unsigned)ntohs(l->local.sin_port));
    ct_ok(sw_event_wait(l->event, ct.wait_ms));
    ct_kill(q);
    int error = ct_accept(f, l, 2000, &b); /* withdrawn, or accepted and broken */
    ct_one_of(error, 0, WSAETIMEDOUT, WSAECONNRESET, WSAEACCES, WSAENOBUFS);
    if (error == 0) {
        WSAOVERLAPPED in = {0};
        WSABUF nothing = {0, NULL};
        error = sw_recv(b, &nothing, 1, &in, SW_NOTIFY);
        if (error == 0)
            error = ct_outcome(b, &in);
        ct_one_of(error, WSAECONNABORTED, WSAECONNRESET, WSAENOTCONN);
        ct_close(f, b);
    }
    struct sw_companion *a = ct_start_connect(f, l);
    ct_ok(ct_accept(f, l, ct.wait_ms, &b));
    ct_finish_connect(a);
}

static void a_listener_killed_with_our_request_in_its_queue_lets_us_fall_back(void **state)
{
    struct fixture *f = *state;
    struct sw_companion *a;
    bool should_fall_back = false;

    ct_needs_processes();
    ct_reload(f, "WSD_CONNECT_TIMEOUT_MS", "5000", NULL);
    struct ct_process *q = ct_process_start(f);
    unsigned port = (unsigned)strtoul(second_process_tell(&q->second, "listen 5"), NULL, 10);
    WSD_SOCKADDR_IN to = ct_at(f->here, (uint16_t)port);
    ct_ok(sw_connect_start(f->provider, &f->other, &to, NULL, &a, NULL));
    ct_adopt_companion(f, a);
    ct_fails(WSAEWOULDBLOCK, sw_connect_finish(a, 200, NULL));
    ct_kill(q);
    ct_fails(WSAETIMEDOUT, sw_connect_finish(a, ct.wait_ms, &should_fall_back));
    assert_true(should_fall_back);
}

static void a_peer_killed_right_after_accepting_resets_the_connection(void **state)
{
    struct fixture *f = *state;
    struct sw_companion *a;

    ct_needs_processes();
    ct_needs_sockets_that_end_with_their_process();
    struct ct_process *q = ct_process_start(f);
    unsigned port = (unsigned)strtoul(second_process_tell(&q->second, "listen 5"), NULL, 10);
    WSD_SOCKADDR_IN to = ct_at(f->here, (uint16_t)port);
    ct_ok(sw_connect_start(f->provider, &f->other, &to, NULL, &a, NULL));
    ct_adopt_companion(f, a);
    second_process_tell(&q->second, "accept");
    ct_kill(q);
    int error = sw_connect_finish(a, ct.wait_ms, NULL);
    if (error != 0) {
        ct_fails(WSAETIMEDOUT, error);
        return;
    }
    WSAOVERLAPPED in = {0};
    WSABUF nothing = {0, NULL}; /* it may have broken already: then nothing can be registered any more */
    error = sw_recv(a, &nothing, 1, &in, SW_POLL);
    if (error == 0)
        error = ct_outcome(a, &in);
    ct_one_of(error, WSAECONNRESET, WSAECONNABORTED, WSAENOTCONN);
}

/* Both ends vanish from the adapter's point of view at the same moment. */
static void a_peer_killed_while_we_close_hangs_nothing(void **state)
{
    struct fixture *f = *state;

    ct_needs_processes();
    for (int i = 0; i < 3; i++) {
        struct ct_end mine;
        WSAOVERLAPPED in = {0}, out[4] = {{0}};
        int error;
        struct ct_process *q = ct_process_connected(f, &mine, 65536);
        if (!ct.has_flow_control) /* one too many for the peer's receives would end the connection before we do */
            second_process_tell(&q->second, "receive 4");
        ct_ok(ct_recv(&mine, 0, 64, &in, SW_NOTIFY));
        for (int k = 0; k < 4; k++)
            ct_ok(ct_send(&mine, 0, 1000, &out[k], SW_NOTIFY));
        ct_kill(q);
        ct_close(f, mine.c);
        /* another thread may be in the middle of the last upcalls (provider/README.md, Threads) */
        assert_true(ct_until(sw_overlapped_result(&in, NULL, &error)));
        ct_one_of(error, WSA_OPERATION_ABORTED, WSAECONNRESET, WSAECONNABORTED);
        for (int k = 0; k < 4; k++)
            assert_true(ct_until(sw_overlapped_result(&out[k], NULL, &error)));
    }
}

static const struct CMUnitTest peer_death_tests[] = {
    ct_test(a_cut_wire_fails_sends_and_then_everything),
    ct_test(a_cut_wire_fails_transfers),
    ct_test(a_disconnect_from_below_fails_receives),
    ct_test(a_wire_cut_while_connecting_times_out),
    ct_test(a_killed_peer_fails_pending_receives),
    ct_test(a_peer_killed_while_it_sends_fails_what_is_pending),
    ct_test(a_peer_killed_under_our_sends_fails_them),
    ct_test(a_peer_killed_during_transfers_ends_them),
    ct_test(a_peer_killed_under_our_transfers_fails_them),
    ct_test(a_peer_killed_with_its_request_in_our_queue_leaves_the_listener_working),
    ct_test(a_listener_killed_with_our_request_in_its_queue_lets_us_fall_back),
    ct_test(a_peer_killed_right_after_accepting_resets_the_connection),
    ct_test(a_peer_killed_while_we_close_hangs_nothing),
};
CT_GROUP(peer_death);
