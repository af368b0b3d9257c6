/* closing.c - WSPCloseSocket in every state: order of the upcalls, what completes how, what it must not wait for.
 * Source: contract 4.13, 7.6, 8.11, 8.12, Q18, Q19; checklist 18, 19; peers.md W18, W21, W22. */
#include <time.h>

#include "ct_mini.h"

static uint64_t milliseconds(void)
{
    return pal_now_ns() / 1000000u;
}

static uint64_t thread_cpu_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static uint64_t process_cpu_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void checklist_18_the_handle_is_closed_by_the_last_upcall(void **state)
{
    struct fixture *f = *state;
    struct mini m;
    struct mini_pair p;
    static struct mini_record records[256];
    WSAOVERLAPPED in[6];
    uint8_t *memory = ct_memory(f, 4096);
    INT error = 0;
    int code;

    mini_open(&m);
    ct_ok(mini_start(&m));
    mini_connect(f, &m, &p);
    LPFN_WSPREGISTERMEMORY reg = mini_extension(p.there, p.acceptor, (GUID)WSAID_REGISTERMEMORY, &code);
    ct_ok(code);
    assert_non_null(reg(p.acceptor, memory, 4096, MEM_READWRITE, &error));
    for (int i = 0; i < 6; i++) {
        WSABUF piece = {64, (CHAR *)memory};
        DWORD bytes, flags = 0;
        memset(&in[i], 0, sizeof in[i]);
        p.there->lpWSPRecv(p.acceptor, &piece, 1, &bytes, &flags, &in[i], NULL, NULL, &error);
        ct_fails(WSA_IO_PENDING, error);
    }
    mini_forget();
    assert_int_equal(p.there->lpWSPCloseSocket(p.acceptor, &error), 0);
    /* another thread may be in the middle of the last upcalls (provider/README.md, Threads) */
    assert_true(ct_until(mini_count(MINI_COMPLETE) == 6 && mini_count(MINI_CLOSE) > 0));
    unsigned count = mini_records(records, 256);
    unsigned completed = 0, closed_at = count;
    SOCKET handle = 0;
    for (unsigned i = 0; i < count; i++) {
        if (records[i].what == MINI_COMPLETE) {
            completed++;
            handle = records[i].handle;
            ct_fails(WSA_OPERATION_ABORTED, (int)records[i].error);
            assert_int_equal(records[i].bytes, 0);
        }
    }
    assert_int_equal(completed, 6);
    for (unsigned i = 0; i < count; i++)
        if (records[i].what == MINI_CLOSE && records[i].handle == handle)
            closed_at = i;
    assert_true(closed_at < count);
    for (unsigned i = closed_at + 1; i < count; i++)
        assert_true(records[i].handle != handle);
    assert_int_equal(m.procs.lpWSPCloseSocket(p.connector, &error), 0);
    assert_int_equal(p.there->lpWSPCloseSocket(p.listener, &error), 0);
    ct_ok(mini_cleanup(&m));
    count = mini_records(records, 256);
    for (unsigned i = closed_at + 1; i < count; i++)
        assert_true(records[i].handle != handle);
    mini_close(&m);
}

static void closing_completes_everything_with_WSA_OPERATION_ABORTED(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    WSAOVERLAPPED in[8] = {{0}};

    ct_pair(f, &p, 4096);
    for (int i = 0; i < 8; i++)
        ct_ok(ct_recv(&p.a, 0, 64, &in[i], i % 2 == 0 ? SW_POLL : SW_NOTIFY));
    ct_close(f, p.a.c);
    /* another thread may be in the middle of the last upcalls (provider/README.md, Threads) */
    for (int i = 0; i < 8; i++) {
        int error = 0;
        DWORD bytes = 1;
        assert_true(ct_until(sw_overlapped_result(&in[i], &bytes, &error)));
        ct_fails(WSA_OPERATION_ABORTED, error);
        assert_int_equal(bytes, 0);
    }
    ct_sees_reset(&p.b);
}

/* The memory of an operation is released before the operation completes (4.13, step 2). */
struct releasing {
    struct ct_end *e;
    int result;
    pal_atomic_u32 calls;
};

static void release_it(void *context, SOCKET handle, WSAOVERLAPPED *ov, DWORD error, DWORD bytes)
{
    struct releasing *r = context;

    (void)handle, (void)ov, (void)error, (void)bytes;
    memset(r->e->rx, 0xEE, 64); /* ours again: the adapter must not write here any more */
    pal_add_acq_rel(&r->calls, 1u);
}

static void memory_is_the_switches_again_when_an_aborted_operation_completes(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    WSAOVERLAPPED in = {0}, out = {0};
    static struct releasing r;
    struct sw_notify notify = {SW_NOTIFY_CALLBACK, release_it, &r, NULL, 0};

    ct_pair(f, &p, 4096);
    memset(&r, 0, sizeof(r));
    r.e = &p.b;
    ct_ok(sw_handle_set_notify(p.b.c->handle, &notify));
    ct_ok(ct_recv(&p.b, 0, 64, &in, SW_NOTIFY));
    ct_close(f, p.b.c);
    /* another thread may be in the middle of the last upcalls (provider/README.md, Threads) */
    assert_true(ct_until(pal_load_acquire(&r.calls) > 0));
    memset(p.a.tx, 0x11, 64);
    if (ct_send(&p.a, 0, 64, &out, SW_POLL) == 0)
        (void)ct_outcome(p.a.c, &out);
    assert_int_equal(pal_load_acquire(&r.calls), 1);
    for (int i = 0; i < 64; i++)
        assert_int_equal(p.b.rx[i], 0xEE);
}

static void checklist_19_closing_cancels_a_pending_connect_promptly(void **state)
{
    struct fixture *f = *state;
    struct loop_config config;

    ct_needs_loop();
    struct sw_listener *l = ct_listen(f, 5);
    ct.loop->get_config(&config);
    config.black_hole = true;
    ct.loop->set_config(&config);
    for (int i = 0; i < 5; i++) {
        struct sw_companion *c = ct_start_connect(f, l);
        ct_fails(WSAEWOULDBLOCK, sw_connect_finish(c, i % 2 == 0 ? 0 : 20, NULL));
        uint64_t start = milliseconds();
        ct_close(f, c);
        assert_true(milliseconds() - start < 2000); /* the time-out is 5 s */
        /* the event went with the companion; a late signal is a violation that the teardown reports */
    }
}

static void checklist_19_closing_does_not_wait_for_a_silent_peer(void **state)
{
    struct fixture *f = *state;
    struct loop_config config;
    struct ct_pair p;
    WSAOVERLAPPED out[4] = {{0}};

    ct_needs_loop();
    ct.loop->get_config(&config);
    config.retry_ms = 10000;
    config.disconnect_ms = 10000;
    ct.loop->set_config(&config);
    ct_pair(f, &p, 4096);
    ct.loop->cut(0, LOOP_CUT_SILENT);
    for (int i = 0; i < 4; i++)
        ct_ok(ct_send(&p.a, 0, 64, &out[i], i % 2 == 0 ? SW_POLL : SW_NOTIFY));
    uint64_t start = milliseconds();
    ct_close(f, p.a.c);
    assert_true(milliseconds() - start < 5000);
    /* another thread may be in the middle of the last upcalls (provider/README.md, Threads) */
    for (int i = 0; i < 4; i++) {
        int error = 0;
        assert_true(ct_until(sw_overlapped_result(&out[i], NULL, &error)));
        ct_fails(WSA_OPERATION_ABORTED, error);
    }
    ct_close(f, p.b.c);
}

static void a_socket_can_be_closed_in_every_state(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;

    ct_close(f, ct_socket(f));
    ct_close(f, ct_bound(f));
    struct sw_listener *l = ct_listen(f, 5);
    ct_close(f, ct_start_connect(f, l));
    ct_close_listener(f, l);
    ct_pair(f, &p, 4096);
    ct_close(f, p.a.c); /* connected */
    ct_sees_reset(&p.b);
    ct_close(f, p.b.c); /* broken */
    WSD_SOCKADDR_IN nobody = ct_at(f->here, ct_port());
    struct sw_companion *failed = NULL;
    ct_ok(sw_connect_start(f->provider, &f->other, &nobody, NULL, &failed, NULL));
    ct_adopt_companion(f, failed);
    assert_true(sw_connect_finish(failed, ct.wait_ms, NULL) != 0);
    ct_close(f, failed); /* failed */
    ct_pair(f, &p, 4096);
    WSAPROTOCOL_INFOW info;
    ct_ok(sw_duplicate(p.a.c, pal_process_id(), &info));
    ct_close(f, p.a.c); /* moved */
}

static void a_closed_socket_is_no_socket(void **state)
{
    struct fixture *f = *state;
    struct sw_companion *c = ct_bound(f);
    SOCKET s = c->descriptor;
    INT error = 0;

    ct_close(f, c);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(f->procs->lpWSPCloseSocket(s, &error), SOCKET_ERROR);
        ct_fails(WSAENOTSOCK, error);
    }
}

static void both_sides_may_close_at_once(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < ct.rounds / 5 + 3; i++) {
        struct ct_pair p;
        WSAOVERLAPPED in[2] = {{0}};
        ct_pair(f, &p, 4096);
        ct_ok(ct_recv(&p.a, 0, 64, &in[0], SW_NOTIFY));
        ct_ok(ct_recv(&p.b, 0, 64, &in[1], SW_NOTIFY));
        ct_close(f, p.a.c);
        ct_close(f, p.b.c);
        /* another thread may be in the middle of the last upcalls (provider/README.md, Threads) */
        int error[2] = {0};
        for (int k = 0; k < 2; k++)
            assert_true(ct_until(sw_overlapped_result(&in[k], NULL, &error[k])));
        ct_fails(WSA_OPERATION_ABORTED, error[0]);
        ct_one_of(error[1], WSA_OPERATION_ABORTED, WSAECONNRESET);
    }
}

static void close_thread(struct ct_thread *t)
{
    int error = sw_close(t->arg);

    if (error != 0)
        ct_thread_fails(t, "WSPCloseSocket: %s", sw_error_name(error));
}

static void closing_in_one_thread_while_another_sends_is_orderly(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < ct.rounds / 10 + 3; i++) {
        struct ct_pair p;
        SOCKET s;
        DWORD bytes;
        INT error = 0;
        static WSAOVERLAPPED out[2000];
        unsigned sent = 0;
        memset(out, 0, sizeof out);
        ct_pair(f, &p, 4096);
        s = p.a.c->descriptor;
        ct_forget_companion(f, p.a.c);
        struct ct_thread *t = ct_start(f, close_thread, p.a.c);
        while (sent < 2000) { /* through the table: the companion is being freed */
            WSABUF piece = {64, (CHAR *)p.a.tx};
            out[sent].hEvent = (HANDLE)1;
            f->procs->lpWSPSend(s, &piece, 1, &bytes, 0, &out[sent], NULL, NULL, &error);
            if (error == WSA_IO_PENDING) {
                sent++;
                continue;
            }
            if (error == WSAENOTSOCK)
                break;
            ct_one_of(error, WSAENOTCONN, WSAECONNRESET, WSAECONNABORTED, WSA_OPERATION_ABORTED, WSAENOBUFS,
                      WSAEINVAL, WSAEFAULT);
        }
        ct_join(t);
        for (unsigned k = 0; k < sent; k++) {
            int code;
            assert_true(sw_overlapped_result(&out[k], NULL, &code));
        }
        ct_close(f, p.b.c);
    }
}

struct self_closing {
    struct sw_companion *c;
    int result;
    pal_atomic_bool is_done;
};

static void close_myself(void *context, SOCKET handle, WSAOVERLAPPED *ov, DWORD error, DWORD bytes)
{
    struct self_closing *s = context;

    (void)handle, (void)ov, (void)error, (void)bytes;
    s->result = sw_close(s->c);
    pal_store_release(&s->is_done, true);
}

/* The switch may do so from a completion routine; the provider's own thread is then inside its own upcall. */
static void a_completion_routine_may_close_its_own_socket(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    static struct self_closing s;
    struct sw_notify notify = {SW_NOTIFY_CALLBACK, close_myself, &s, NULL, 0};
    WSAOVERLAPPED in = {0}, out = {0};

    ct_pair(f, &p, 4096);
    memset(&s, 0, sizeof s);
    s.c = p.b.c;
    ct_ok(sw_handle_set_notify(p.b.c->handle, &notify));
    ct_ok(ct_recv(&p.b, 0, 64, &in, SW_NOTIFY));
    ct_forget_companion(f, p.b.c);
    ct_ok(ct_send(&p.a, 0, 64, &out, SW_POLL));
    assert_true(ct_until(pal_load_acquire(&s.is_done)));
    ct_ok(s.result);
    const int sent = ct_outcome(p.a.c, &out);
    ct_one_of(sent, 0, WSAECONNRESET, WSAECONNABORTED);
    WSAOVERLAPPED later = {0};
    int error = ct_recv(&p.a, 0, 64, &later, SW_POLL);
    if (error == 0)
        error = ct_outcome(p.a.c, &later);
    /* what ended the send (siw fails the one that it is sending when the end comes) ends the rest as well (7.6) */
    ct_one_of(error, WSAECONNRESET, WSAENOTCONN, sent == WSAECONNABORTED ? sent : WSAECONNRESET);
}

/* W18: the queue that is drained must be the one that has something in it. */
static void w18_closing_with_only_receives_outstanding_drains_them(void **state)
{
    enum { N = 300 };
    struct fixture *f = *state;
    struct ct_pair p;
    static WSAOVERLAPPED in[N];

    memset(in, 0, sizeof in);
    ct_pair(f, &p, 4096);
    for (int i = 0; i < N; i++) /* more than the receive queue of a queue pair holds */
        ct_ok(ct_recv(&p.b, 0, 64, &in[i], i % 2 == 0 ? SW_POLL : SW_NOTIFY));
    ct_close(f, p.b.c);
    /* another thread may be in the middle of the last upcalls (provider/README.md, Threads) */
    for (int i = 0; i < N; i++) {
        int error = 0;
        assert_true(ct_until(sw_overlapped_result(&in[i], NULL, &error)));
        ct_fails(WSA_OPERATION_ABORTED, error);
    }
}

static void w18_closing_with_only_sends_outstanding_drains_them(void **state)
{
    enum { N = 300 };
    struct fixture *f = *state;
    struct loop_config config;
    struct ct_pair p;
    static WSAOVERLAPPED out[N];

    ct_needs_loop();
    memset(out, 0, sizeof out);
    ct_pair(f, &p, 4096);
    ct.loop->get_config(&config);
    config.delivery_us = 200000;
    ct.loop->set_config(&config);
    for (int i = 0; i < N; i++)
        ct_ok(ct_send(&p.a, 0, 64, &out[i], i % 2 == 0 ? SW_POLL : SW_NOTIFY));
    ct_close(f, p.a.c);
    /* another thread may be in the middle of the last upcalls (provider/README.md, Threads) */
    for (int i = 0; i < N; i++) {
        int error = 0;
        assert_true(ct_until(sw_overlapped_result(&out[i], NULL, &error)));
        ct_fails(WSA_OPERATION_ABORTED, error);
    }
}

/* W21: whatever the end of one connection has to wait for, it waits without a lock that others need. */
static void w21_a_slow_disconnect_does_not_hold_up_other_sockets(void **state)
{
    struct fixture *f = *state;
    struct loop_config config;
    struct ct_pair slow, p;
    WSAOVERLAPPED in = {0};

    ct_needs_loop();
    ct_pair(f, &slow, 4096);
    ct.loop->get_config(&config);
    config.disconnect_ms = 4000;
    config.retry_ms = 4000;
    ct.loop->set_config(&config);
    ct_ok(ct_recv(&slow.a, 0, 64, &in, SW_NOTIFY));
    ct.loop->cut(0, LOOP_CUT_SILENT); /* every wire there is; new ones work */
    uint64_t start = milliseconds();
    ct_close(f, slow.a.c);
    ct_pair(f, &p, 4096); /* sockets, connecting, accepting, registering, data */
    ct_pair_works(&p);
    uint64_t took = milliseconds() - start;
    if (took >= 3900)
        ct_fail("other sockets waited %u ms for a disconnect", (unsigned)took);
}

/* W22: nobody spins while a connection comes to its end. */
static void w22_closing_burns_no_processor_time(void **state)
{
    struct fixture *f = *state;
    struct loop_config config;
    struct ct_pair p;
    struct loop_counts counts;
    uint32_t before;

    ct_needs_loop();
    ct.loop->get_counts(&counts);
    before = counts.conns;
    ct_pair(f, &p, 4096);
    ct.loop->get_config(&config);
    config.disconnect_ms = 800;
    config.retry_ms = 800;
    ct.loop->set_config(&config);
    ct.loop->cut(0, LOOP_CUT_SILENT);
    uint64_t cpu = thread_cpu_ms(), all = process_cpu_ms(), start = milliseconds();
    ct_close(f, p.a.c);
    ct_close(f, p.b.c);
    uint64_t mine = thread_cpu_ms() - cpu;
    do {
        pal_sleep_ms(20);
        ct.loop->get_counts(&counts);
    } while (counts.conns > before && milliseconds() - start < ct.wait_ms);
    uint64_t wall = milliseconds() - start, used = process_cpu_ms() - all;
    assert_int_equal(counts.conns, before);
    if (mine > 250)
        ct_fail("WSPCloseSocket used %u ms of processor time", (unsigned)mine);
    if (used > 100 + wall / 2)
        ct_fail("%u ms of processor time in %u ms of closing", (unsigned)used, (unsigned)wall);
}

/* Q19: no receive was pending when the peer left; the next one says so. */
static void a_connection_that_broke_unnoticed_fails_the_next_calls(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    struct sw_rdma_descriptor d;

    ct_pair(f, &p, 4096);
    ct_expose(&p.b, p.b.rx, 4096, MEM_READWRITE, &d);
    ct_close(f, p.a.c);
    for (int i = 0; i < 3; i++)
        ct_sees_reset(&p.b);
    WSAOVERLAPPED ov = {0};
    int error = ct_send(&p.b, 0, 64, &ov, SW_POLL);
    if (error == 0)
        error = ct_outcome(p.b.c, &ov);
    ct_one_of(error, WSAECONNRESET, WSAENOTCONN);
    error = ct_write(&p.b, 0, 64, &d, 0, &ov, SW_POLL);
    if (error == 0)
        error = ct_outcome(p.b.c, &ov);
    ct_one_of(error, WSAECONNRESET, WSAENOTCONN, WSAEINVAL);
    ct_ok(sw_deregister_rdma(p.b.c, &d)); /* what was registered can still be given back */
    ct_ok(sw_deregister(p.b.c, p.b.rx_handle));
}

static const struct CMUnitTest closing_tests[] = {
    ct_test_bare(checklist_18_the_handle_is_closed_by_the_last_upcall),
    ct_test(closing_completes_everything_with_WSA_OPERATION_ABORTED),
    ct_test(memory_is_the_switches_again_when_an_aborted_operation_completes),
    ct_test(checklist_19_closing_cancels_a_pending_connect_promptly),
    ct_test(checklist_19_closing_does_not_wait_for_a_silent_peer),
    ct_test(a_socket_can_be_closed_in_every_state),
    ct_test(a_closed_socket_is_no_socket),
    ct_test(both_sides_may_close_at_once),
    ct_test(closing_in_one_thread_while_another_sends_is_orderly),
    ct_test(a_completion_routine_may_close_its_own_socket),
    ct_test(w18_closing_with_only_receives_outstanding_drains_them),
    ct_test(w18_closing_with_only_sends_outstanding_drains_them),
    ct_test(w21_a_slow_disconnect_does_not_hold_up_other_sockets),
    ct_test(w22_closing_burns_no_processor_time),
    ct_test(a_connection_that_broke_unnoticed_fails_the_next_calls),
};
CT_GROUP(closing);
