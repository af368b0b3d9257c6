/* completion.c - how operations end: polled or notified, exactly once, in order, and the OVERLAPPED
 * protocol.
 * Source: contract 4.12, 7, C7, C17, Q15-Q17; checklist 10, 11; peers.md W13, W14. switch_shim records
 *         every second or wrong upcall. */
#include "ct_mini.h"

/* A connected pair over the smallest switch, with one registered page at each end. */
struct rig {
    struct mini m;
    struct mini_pair p;
    uint8_t *tx, *rx;
};

static void rig_open(struct fixture *f, struct rig *r)
{
    INT error = 0;
    int code;

    mini_open(&r->m);
    ct_ok(mini_start(&r->m));
    mini_connect(f, &r->m, &r->p);
    LPFN_WSPREGISTERMEMORY reg = mini_extension(&r->m.procs, r->p.connector, (GUID)WSAID_REGISTERMEMORY,
                                                &code);
    ct_ok(code);
    r->tx = ct_memory(f, 4096);
    r->rx = ct_memory(f, 4096);
    assert_non_null(reg(r->p.connector, r->tx, 4096, MEM_READWRITE, &error));
    reg = mini_extension(r->p.there, r->p.acceptor, (GUID)WSAID_REGISTERMEMORY, &code);
    ct_ok(code);
    assert_non_null(reg(r->p.acceptor, r->rx, 4096, MEM_READWRITE, &error));
}

static void rig_close(struct rig *r)
{
    INT error = 0;

    assert_int_equal(r->m.procs.lpWSPCloseSocket(r->p.connector, &error), 0);
    assert_int_equal(r->p.there->lpWSPCloseSocket(r->p.acceptor, &error), 0);
    assert_int_equal(r->p.there->lpWSPCloseSocket(r->p.listener, &error), 0);
    ct_ok(mini_cleanup(&r->m));
    mini_close(&r->m);
}

static int rig_recv(struct rig *r, WSAOVERLAPPED *ov)
{
    WSABUF piece = {64, (CHAR *)r->rx};
    DWORD bytes, flags = 0;
    INT error = 0;

    assert_int_equal(r->p.there->lpWSPRecv(r->p.acceptor, &piece, 1, &bytes, &flags, ov, NULL, NULL, &error),
                     SOCKET_ERROR);
    return error;
}

static int rig_send(struct rig *r, WSAOVERLAPPED *ov)
{
    WSABUF piece = {64, (CHAR *)r->tx};
    DWORD bytes;
    INT error = 0;

    assert_int_equal(r->m.procs.lpWSPSend(r->p.connector, &piece, 1, &bytes, 0, ov, NULL, NULL, &error),
                     SOCKET_ERROR);
    return error;
}

static bool rig_is_over(struct rig *r, SOCKET s, WSAOVERLAPPED *ov)
{
    const WSPPROC_TABLE *procs = s == r->p.acceptor ? r->p.there : &r->m.procs;
    DWORD bytes, flags;
    INT error = 0;

    return procs->lpWSPGetOverlappedResult(s, ov, &bytes, FALSE, &flags, &error) ||
           error != WSA_IO_INCOMPLETE;
}

static void checklist_10_an_operation_submitted_for_polling_is_never_notified(void **state)
{
    struct fixture *f = *state;
    struct rig r;
    WSAOVERLAPPED in = {.hEvent = (HANDLE)1}, out = {.hEvent = (HANDLE)1};

    rig_open(f, &r);
    ct_fails(WSA_IO_PENDING, rig_recv(&r, &in));
    in.hEvent = NULL; /* the switch changes its mind: too late */
    mini_forget();
    ct_fails(WSA_IO_PENDING, rig_send(&r, &out));
    assert_true(ct_until(rig_is_over(&r, r.p.acceptor, &in)));
    assert_true(ct_until(rig_is_over(&r, r.p.connector, &out)));
    assert_int_equal(mini_count(MINI_COMPLETE), 0);
    rig_close(&r);
    assert_int_equal(mini_count(MINI_COMPLETE), 0);
}

static void checklist_10_an_operation_submitted_for_notification_is_notified_whatever_the_bit_says_later(
    void **state)
{
    struct fixture *f = *state;
    struct rig r;
    WSAOVERLAPPED in = {0}, out = {.hEvent = (HANDLE)1};

    rig_open(f, &r);
    mini_forget();
    ct_fails(WSA_IO_PENDING, rig_recv(&r, &in));
    in.hEvent = (HANDLE)1;
    ct_fails(WSA_IO_PENDING, rig_send(&r, &out));
    assert_true(ct_until(mini_count(MINI_COMPLETE) == 1));
    assert_true(ct_until(rig_is_over(&r, r.p.connector, &out)));
    rig_close(&r);
    assert_int_equal(mini_count(MINI_COMPLETE), 1);
}

static void checklist_10_bits_above_the_first_are_the_switches_affair(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    WSAOVERLAPPED in = {.hEvent = (HANDLE)(uintptr_t)0xFFFFFFF6},
                  out = {.hEvent = (HANDLE)(uintptr_t)0xFFFFFFF7};

    ct_pair(f, &p, 4096);
    ct_ok(ct_recv(&p.b, 0, 64, &in, SW_NOTIFY)); /* no event, no pointer: only bit 0 counts */
    ct_ok(ct_send(&p.a, 0, 64, &out, SW_POLL));
    ct_done(p.b.c, &in, 0);
    ct_done(p.a.c, &out, 0);
    assert_ptr_equal(in.hEvent, (HANDLE)(uintptr_t)0xFFFFFFF6);
    assert_ptr_equal(out.hEvent, (HANDLE)(uintptr_t)0xFFFFFFF7);
}

static void checklist_11_an_operation_is_marked_before_it_can_complete(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;

    ct_pair(f, &p, 4096);
    for (unsigned i = 0; i < ct.rounds; i++) {
        /* stale values of the last use, and a result that can only come from this operation */
        WSAOVERLAPPED in = {.Internal = 4711, .InternalHigh = 4711, .Offset = 4711, .OffsetHigh = 4711},
                      out = in;
        ct_ok(ct_recv(&p.b, 0, 64, &in, i % 2 == 0 ? SW_POLL : SW_NOTIFY));
        assert_true(in.Internal == WSS_OPERATION_IN_PROGRESS); /* nothing has been sent */
        ct_ok(ct_send(&p.a, 0, 33, &out, i % 3 == 0 ? SW_POLL : SW_NOTIFY));
        assert_true(__atomic_load_n(&out.Internal, __ATOMIC_ACQUIRE) != 4711);
        assert_int_equal(ct_done(p.b.c, &in, 0), 33);
        ct_done(p.a.c, &out, 0);
        assert_true(in.InternalHigh == 33 && in.OffsetHigh == 0 && in.Offset == 0);
    }
}

static void checklist_11_a_finished_operation_is_never_touched_again(void **state)
{
    enum { N = 64 };
    struct fixture *f = *state;
    struct ct_pair p;
    static WSAOVERLAPPED in[N], out[N], poison;

    memset(in, 0, sizeof in);
    memset(out, 0, sizeof out);
    memset(&poison, 0x5A, sizeof poison);
    ct_pair(f, &p, 4096);
    for (int i = 0; i < N; i++) {
        ct_ok(ct_recv(&p.b, 0, 64, &in[i], i % 2 == 0 ? SW_POLL : SW_NOTIFY));
        ct_ok(ct_send(&p.a, 0, 64, &out[i], i % 2 == 0 ? SW_NOTIFY : SW_POLL));
        ct_done(p.b.c, &in[i], 0);
        ct_done(p.a.c, &out[i], 0);
        in[i] = out[i] = poison;
    }
    ct_pair_works(&p);
    ct_close(f, p.a.c);
    ct_sees_reset(&p.b);
    ct_close(f, p.b.c);
    ct_unload(f);
    for (int i = 0; i < N; i++) {
        assert_memory_equal(&in[i], &poison, sizeof poison);
        assert_memory_equal(&out[i], &poison, sizeof poison);
    }
}

static void a_thousand_polled_receives_make_no_upcall_even_when_closed(void **state)
{
    enum { N = 1000 };
    struct fixture *f = *state;
    struct ct_pair p;
    static WSAOVERLAPPED in[N];

    memset(in, 0, sizeof in);
    ct_pair(f, &p, 4096);
    uint64_t upcalls = ct_upcalls(f, SW_UPCALL_COMPLETE_OVERLAPPED_REQUEST);
    for (int i = 0; i < N; i++)
        ct_ok(ct_recv(&p.b, 0, 64, &in[i], SW_POLL));
    for (int i = 0; i < N / 2; i++) {
        WSAOVERLAPPED out = {0};
        ct_ok(ct_send(&p.a, 0, 64, &out, SW_POLL));
        ct_done(p.a.c, &out, 0);
        assert_int_equal(ct_done(p.b.c, &in[i], 0), 64);
    }
    ct_close(f, p.b.c);
    for (int i = N / 2; i < N; i++) { /* the result is in the OVERLAPPED, silently */
        DWORD bytes = 1;
        int error = 0;
        assert_true(sw_overlapped_result(&in[i], &bytes, &error));
        ct_fails(WSA_OPERATION_ABORTED, error);
        assert_int_equal(bytes, 0);
    }
    assert_int_equal(ct_upcalls(f, SW_UPCALL_COMPLETE_OVERLAPPED_REQUEST), upcalls);
}

static void notified_operations_make_exactly_one_upcall_each(void **state)
{
    enum { N = 500 };
    struct fixture *f = *state;
    struct ct_pair p;
    static WSAOVERLAPPED in[N], out[N];

    memset(in, 0, sizeof in);
    memset(out, 0, sizeof out);
    ct_pair(f, &p, 4096);
    uint64_t upcalls = ct_upcalls(f, SW_UPCALL_COMPLETE_OVERLAPPED_REQUEST);
    for (int i = 0; i < N; i++)
        ct_ok(ct_recv(&p.b, 0, 64, &in[i], SW_NOTIFY));
    for (int i = 0; i < N - 10; i++)
        ct_ok(ct_send(&p.a, 0, 64, &out[i], SW_NOTIFY));
    for (int i = 0; i < N - 10; i++) {
        DWORD bytes;
        int error;
        (void)sw_poll(p.a.c, &out[i], &bytes, &error); /* Q17: asking consumes nothing */
        ct_done(p.a.c, &out[i], 0);
        ct_done(p.b.c, &in[i], 0);
    }
    ct_close(f, p.b.c);
    /* another thread may be in the middle of the last upcalls (provider/README.md, Threads) */
    for (int i = N - 10; i < N; i++) {
        int error = 0;
        assert_true(ct_until(sw_overlapped_result(&in[i], NULL, &error)));
        ct_fails(WSA_OPERATION_ABORTED, error);
    }
    assert_int_equal(ct_upcalls(f, SW_UPCALL_COMPLETE_OVERLAPPED_REQUEST), upcalls + 2 * N - 10);
}

static void the_provider_never_sets_hEvent_itself(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    WSAEVENT e = ct_event(f, true);
    WSAOVERLAPPED in = {.hEvent = e}, out = {0};

    ct_pair(f, &p, 4096);
    ct_ok(ct_recv(&p.b, 0, 64, &in, SW_POLL));
    ct_ok(ct_send(&p.a, 0, 64, &out, SW_POLL));
    ct_done(p.b.c, &in, 0);
    ct_done(p.a.c, &out, 0);
    ct_fails(WSAETIMEDOUT, sw_event_wait(e, 0));
}

static void results_can_be_asked_for_again_and_again(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    WSAOVERLAPPED in = {0}, out = {0};

    ct_pair(f, &p, 4096);
    ct_ok(ct_recv(&p.b, 0, 64, &in, SW_POLL));
    ct_ok(ct_send(&p.a, 0, 40, &out, SW_NOTIFY));
    ct_done(p.a.c, &out, 0);
    ct_done(p.b.c, &in, 0);
    for (int i = 0; i < 5; i++) {
        DWORD bytes = 0, flags = 77;
        INT error = 0;
        assert_int_equal(
            p.b.c->procs->lpWSPGetOverlappedResult(p.b.c->descriptor, &in, &bytes, i % 2, &flags, &error),
            TRUE);
        assert_int_equal(bytes, 40);
        assert_int_equal(flags, 0);
        assert_int_equal(
            p.a.c->procs->lpWSPGetOverlappedResult(p.a.c->descriptor, &out, &bytes, i % 2, &flags, &error),
            TRUE);
        assert_int_equal(bytes, 40);
    }
}

static void waiting_inside_the_provider_works_for_both_kinds(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;

    ct_pair(f, &p, 4096);
    for (int i = 0; i < 20; i++) {
        WSAOVERLAPPED in = {0}, out = {0};
        DWORD bytes = 0;
        ct_ok(ct_recv(&p.b, 0, 64, &in, i % 2 == 0 ? SW_POLL : SW_NOTIFY));
        ct_ok(ct_send(&p.a, 0, 50, &out, i % 4 < 2 ? SW_POLL : SW_NOTIFY));
        ct_ok(sw_wait_in_provider(p.b.c, &in, &bytes));
        assert_int_equal(bytes, 50);
        ct_ok(sw_wait_in_provider(p.a.c, &out, NULL));
        ct_done(p.a.c, &out, 0); /* the upcall of a notified one may still be on its way */
        ct_done(p.b.c, &in, 0);
    }
}

struct waiter {
    struct sw_companion *c;
    WSAOVERLAPPED ov;
    int result;
    pal_atomic_bool is_in;
};

static void wait_thread(struct ct_thread *t)
{
    struct waiter *w = t->arg;

    pal_store_release(&w->is_in, true);
    w->result = sw_wait_in_provider(w->c, &w->ov, NULL);
}

static void a_thread_waiting_in_the_provider_wakes_when_the_message_comes(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;

    ct_pair(f, &p, 4096);
    for (int i = 0; i < 6; i++) {
        static struct waiter w;
        WSAOVERLAPPED out = {0};
        memset(&w, 0, sizeof w);
        w.c = p.b.c;
        ct_ok(ct_recv(&p.b, 0, 64, &w.ov, i % 2 == 0 ? SW_POLL : SW_NOTIFY));
        struct ct_thread *t = ct_start(f, wait_thread, &w);
        assert_true(ct_until(pal_load_acquire(&w.is_in)));
        if (i >= 2)
            ct_fails(WSAETIMEDOUT, sw_event_wait(ct_event(f, true), 20)); /* surely asleep */
        ct_ok(ct_send(&p.a, 0, 64, &out, SW_POLL));
        ct_done(p.a.c, &out, 0);
        ct_join(t);
        ct_ok(w.result);
        ct_done(p.b.c, &w.ov, 0);
    }
}

static void asking_early_answers_WSA_IO_INCOMPLETE_and_touches_nothing(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    WSAOVERLAPPED in[2] = {{0}};
    INT error = 0;

    ct_pair(f, &p, 4096);
    for (int i = 0; i < 2; i++) {
        DWORD bytes = 4711, flags = 4712;
        ct_ok(ct_recv(&p.b, 0, 64, &in[i], i == 0 ? SW_POLL : SW_NOTIFY));
        assert_int_equal(
            p.b.c->procs->lpWSPGetOverlappedResult(p.b.c->descriptor, &in[i], &bytes, FALSE, &flags, &error),
            FALSE);
        ct_fails(WSA_IO_INCOMPLETE, error);
        assert_int_equal(bytes, 4711);
    }
    ct_close(f, p.b.c); /* `in` lives on this stack */
}

static void a_failed_operation_reports_its_own_error(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    WSAOVERLAPPED in[2] = {{0}};

    ct_pair(f, &p, 4096);
    ct_ok(ct_recv(&p.b, 0, 64, &in[0], SW_POLL));
    ct_ok(ct_recv(&p.b, 0, 64, &in[1], SW_NOTIFY));
    ct_close(f, p.a.c);
    for (int i = 0; i < 2; i++) {
        DWORD bytes = 4711, flags = 0;
        INT error = 0;
        ct_done(p.b.c, &in[i], WSAECONNRESET);
        assert_int_equal(
            p.b.c->procs->lpWSPGetOverlappedResult(p.b.c->descriptor, &in[i], &bytes, TRUE, &flags, &error),
            FALSE);
        ct_fails(WSAECONNRESET, error);
        assert_int_equal(bytes, 4711); /* left alone on failure */
    }
}

static void w14_a_bad_socket_is_FALSE_and_a_result_of_zero_bytes_is_TRUE(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    WSAOVERLAPPED in = {0}, out = {0};
    DWORD bytes = 4711, flags = 0;
    INT error = 0;

    ct_pair(f, &p, 4096);
    ct_ok(ct_recv(&p.b, 0, 64, &in, SW_POLL));
    ct_ok(ct_send(&p.a, 0, 0, &out, SW_POLL));
    ct_done(p.a.c, &out, 0);
    ct_done(p.b.c, &in, 0);
    assert_int_equal(
        p.b.c->procs->lpWSPGetOverlappedResult(p.b.c->descriptor, &in, &bytes, FALSE, &flags, &error), TRUE);
    assert_int_equal(bytes, 0);
    assert_int_equal(f->procs->lpWSPGetOverlappedResult((SOCKET)4711, &in, &bytes, FALSE, &flags, &error),
                     FALSE);
    ct_fails(WSAENOTSOCK, error);
}

static const struct CMUnitTest completion_tests[] = {
    ct_test_bare(checklist_10_an_operation_submitted_for_polling_is_never_notified),
    ct_test_bare(
        checklist_10_an_operation_submitted_for_notification_is_notified_whatever_the_bit_says_later),
    ct_test(checklist_10_bits_above_the_first_are_the_switches_affair),
    ct_test(checklist_11_an_operation_is_marked_before_it_can_complete),
    ct_test(checklist_11_a_finished_operation_is_never_touched_again),
    ct_test(a_thousand_polled_receives_make_no_upcall_even_when_closed),
    ct_test(notified_operations_make_exactly_one_upcall_each),
    ct_test(the_provider_never_sets_hEvent_itself),
    ct_test(results_can_be_asked_for_again_and_again),
    ct_test(waiting_inside_the_provider_works_for_both_kinds),
    ct_test(a_thread_waiting_in_the_provider_wakes_when_the_message_comes),
    ct_test(asking_early_answers_WSA_IO_INCOMPLETE_and_touches_nothing),
    ct_test(a_failed_operation_reports_its_own_error),
    ct_test(w14_a_bad_socket_is_FALSE_and_a_result_of_zero_bytes_is_TRUE),
};
CT_GROUP(completion);
