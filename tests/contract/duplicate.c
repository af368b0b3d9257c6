/* duplicate.c - WSPDuplicateSocket and taking a socket over: within one process, in another and back, and
 * when somebody dies.
 * Source: contract 4.3, 4.14, 8.10, C7, Q25-Q27; checklist 23, 24; 14.3; peers.md W11, W12. */
#include "ct.h"

/* What travels through the switch is 32 bits: everything else in the structure is the receiver's own. */
static WSAPROTOCOL_INFOW only_32_bits(struct fixture *f, DWORD value)
{
    WSAPROTOCOL_INFOW info = *sw_protocol_info(f->provider);

    info.dwProviderReserved = value;
    return info;
}

static DWORD move_out(struct sw_companion *c, DWORD process)
{
    WSAPROTOCOL_INFOW info;

    memset(&info, 0xEE, sizeof info);
    ct_ok(sw_duplicate(c, process, &info));
    assert_true(info.dwProviderReserved != 0);
    return info.dwProviderReserved;
}

/* p: the instance that the socket belongs to. */
static struct sw_companion *move_in(struct fixture *f, struct sw_provider *p, DWORD value)
{
    WSAPROTOCOL_INFOW info = only_32_bits(f, value);
    struct sw_companion *c = NULL;

    ct_ok(sw_adopt(p, &info, NULL, NULL, &c));
    ct_adopt_companion(f, c);
    return c;
}

static int try_move_in(struct fixture *f, DWORD value)
{
    WSAPROTOCOL_INFOW info = only_32_bits(f, value);
    struct sw_companion *c = NULL;
    int error = sw_adopt(f->provider, &info, NULL, NULL, &c);

    if (error == 0)
        ct_adopt_companion(f, c);
    return error;
}

static void checklist_23_a_socket_moves_by_32_bits_alone(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;

    ct_pair(f, &p, 4096);
    DWORD value = move_out(p.a.c, pal_process_id());
    struct sw_companion *moved = move_in(f, f->provider, value);
    assert_true(moved->descriptor != p.a.c->descriptor);
    assert_true(moved->handle != p.a.c->handle);
    ct_close(f, p.a.c); /* the old descriptor's leftovers; the connection lives elsewhere */
    struct ct_end end;
    ct_end_init(f, &end, moved, 4096);
    struct ct_pair q = {end, p.b};
    ct_pair_works(&q);
}

static void checklist_24_duplication_completes_receives_with_success_and_no_bytes(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    WSAOVERLAPPED in[6] = {{0}};

    ct_pair(f, &p, 4096);
    for (int i = 0; i < 6; i++)
        ct_ok(ct_recv(&p.a, 0, 64, &in[i], i % 2 == 0 ? SW_POLL : SW_NOTIFY));
    uint64_t upcalls = ct_upcalls(f, SW_UPCALL_COMPLETE_OVERLAPPED_REQUEST);
    DWORD value = move_out(p.a.c, pal_process_id());
    /* another thread may be in the middle of the last upcalls (provider/README.md, Threads) */
    for (int i = 0; i < 6; i++) {
        DWORD bytes = 1;
        int error = 1;
        assert_true(ct_until(sw_overlapped_result(&in[i], &bytes, &error)));
        ct_ok(error);
        assert_int_equal(bytes, 0);
    }
    /* C7 */
    assert_int_equal(ct_upcalls(f, SW_UPCALL_COMPLETE_OVERLAPPED_REQUEST), upcalls + 3);
    move_in(f, f->provider, value);
}

static pal_atomic_u32 times[64];
static WSAOVERLAPPED twelve[64];

static void count_completion(void *context, SOCKET handle, WSAOVERLAPPED *ov, DWORD error, DWORD bytes)
{
    (void)context, (void)handle, (void)error, (void)bytes;
    if (ov >= twelve && ov < twelve + 64)
        pal_add_relaxed(&times[ov - twelve], 1u);
}

static void w12_every_receive_of_a_moved_socket_completes_once(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    struct sw_notify notify = {SW_NOTIFY_CALLBACK, count_completion, NULL, NULL, 0};

    memset(twelve, 0, sizeof twelve);
    for (int i = 0; i < 64; i++)
        pal_store_relaxed(&times[i], 0u);
    ct_pair(f, &p, 4096);
    ct_ok(sw_handle_set_notify(p.a.c->handle, &notify));
    for (int i = 0; i < 64; i++)
        ct_ok(ct_recv(&p.a, 0, 64, &twelve[i], SW_NOTIFY));
    DWORD value = move_out(p.a.c, pal_process_id());
    struct sw_companion *moved = move_in(f, f->provider, value);
    ct_close(f, p.a.c);
    /* another thread may be in the middle of the last upcalls (provider/README.md, Threads) */
    for (int i = 0; i < 64; i++)
        assert_true(ct_until(pal_load_relaxed(&times[i]) > 0));
    for (int i = 0; i < 64; i++)
        assert_int_equal(pal_load_relaxed(&times[i]), 1);
    (void)moved;
}

static void a_thousand_polled_receives_are_moved_without_an_upcall(void **state)
{
    enum { N = 1000 };
    struct fixture *f = *state;
    struct ct_pair p;
    static WSAOVERLAPPED in[N];

    memset(in, 0, sizeof in);
    ct_pair(f, &p, 4096);
    for (int i = 0; i < N; i++)
        ct_ok(ct_recv(&p.a, 0, 64, &in[i], SW_POLL));
    uint64_t upcalls = ct_upcalls(f, SW_UPCALL_COMPLETE_OVERLAPPED_REQUEST);
    DWORD value = move_out(p.a.c, pal_process_id());
    for (int i = 0; i < N; i++)
        assert_int_equal(ct_done(p.a.c, &in[i], 0), 0);
    assert_int_equal(ct_upcalls(f, SW_UPCALL_COMPLETE_OVERLAPPED_REQUEST), upcalls);
    move_in(f, f->provider, value);
}

/* The peer's receives were posted before and must fill in their order afterwards (8.10, Q27). */
static void the_peers_receives_survive_the_move(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    WSAOVERLAPPED in[8] = {{0}};

    ct_pair(f, &p, 8192);
    for (DWORD i = 0; i < 8; i++)
        ct_ok(ct_recv(&p.b, 1000 * i, 1000, &in[i], i % 2 == 0 ? SW_POLL : SW_NOTIFY));
    DWORD value = move_out(p.a.c, pal_process_id());
    struct ct_end end;
    ct_end_init(f, &end, move_in(f, f->provider, value), 8192);
    for (DWORD i = 0; i < 8; i++) {
        WSAOVERLAPPED out = {0};
        ct_fill(end.tx, 500 + i, i);
        ct_ok(ct_send(&end, 0, 500 + i, &out, SW_POLL));
        ct_done(end.c, &out, 0);
        assert_int_equal(ct_done(p.b.c, &in[i], 0), 500 + i);
        assert_int_equal(ct_wrong_byte(p.b.rx + 1000 * i, 500 + i, i), -1);
    }
    struct ct_pair q = {end, p.b};
    ct_pair_works(&q);
}

static void a_socket_moves_back_and_forth(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;

    ct_pair(f, &p, 4096);
    for (int i = 0; i < 6; i++) { /* each end in turn: the acceptor's side moves as well */
        struct ct_end *e = i % 2 == 0 ? &p.a : &p.b;
        struct sw_companion *old = e->c;
        DWORD value = move_out(old, pal_process_id());
        struct sw_companion *now = move_in(f, i % 2 == 0 ? f->provider : f->peer, value);
        ct_close(f, old);
        ct_end_init(f, e, now, 4096);
        ct_moved_speaks(e, i % 2 == 0 ? &p.b : &p.a);
        ct_pair_works(&p);
    }
}

static void transfers_work_after_a_move(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    struct sw_rdma_descriptor d;
    WSAOVERLAPPED ov = {0};

    ct_pair(f, &p, 65536);
    DWORD value = move_out(p.b.c, pal_process_id());
    ct_end_init(f, &p.b, move_in(f, f->peer, value), 65536);
    ct_moved_speaks(&p.b, &p.a);
    ct_expose(&p.b, p.b.rx, 65536, MEM_READWRITE, &d);
    ct_fill(p.a.tx, 65536, 3);
    ct_ok(ct_write(&p.a, 0, 65536, &d, 0, &ov, SW_POLL));
    ct_done(p.a.c, &ov, 0);
    if (f->ext->rdma_read != NULL) {
        ct_ok(ct_read(&p.a, 0, 65536, &d, 0, &ov, SW_POLL));
        ct_done(p.a.c, &ov, 0);
        assert_int_equal(ct_wrong_byte(p.a.rx, 65536, 3), -1);
    }
}

static void a_moved_socket_keeps_its_options_and_addresses(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    int value = 54321, got = 0;
    INT bytes = sizeof got, error = 0;

    ct_pair(f, &p, 4096);
    assert_int_equal(p.a.c->procs->lpWSPSetSockOpt(p.a.c->descriptor, WS_SOL_SOCKET, WS_SO_RCVBUF,
                                                   (char *)&value, sizeof value, &error),
                     0);
    struct sw_companion *moved = move_in(f, f->provider, move_out(p.a.c, pal_process_id()));
    assert_int_equal(moved->procs->lpWSPGetSockOpt(moved->descriptor, WS_SOL_SOCKET, WS_SO_RCVBUF,
                                                   (char *)&got, &bytes, &error),
                     0);
    assert_int_equal(got, value);
    /* connected: it can be neither bound nor connected again */
    assert_int_equal(moved->procs->lpWSPListen(moved->descriptor, 5, &error), SOCKET_ERROR);
    ct_one_of(error, WSAEISCONN, WSAEINVAL);
}

static void the_old_descriptor_may_only_be_closed(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    WSAOVERLAPPED ov = {0};
    WSAPROTOCOL_INFOW again;
    HANDLE h;

    ct_pair(f, &p, 4096);
    DWORD value = move_out(p.a.c, pal_process_id());
    assert_true(ct_send(&p.a, 0, 16, &ov, SW_POLL) != 0);
    assert_true(ct_recv(&p.a, 0, 16, &ov, SW_POLL) != 0);
    assert_true(sw_register(p.a.c, p.a.rx, 4096, MEM_READ, &h) != 0);
    assert_true(sw_duplicate(p.a.c, pal_process_id(), &again) != 0);
    struct sw_companion *moved = move_in(f, f->provider, value);
    ct_close(f, p.a.c);
    struct ct_end end;
    ct_end_init(f, &end, moved, 4096);
    struct ct_pair q = {end, p.b};
    ct_pair_works(&q);
}

static void a_value_works_once_and_nobody_guesses_one(void **state)
{
    static const DWORD guesses[] = {1, 2, 0x7FFFFFFF, 0xFFFFFFFF, 0x12345678};
    struct fixture *f = *state;
    struct ct_pair p;

    ct_pair(f, &p, 4096);
    for (size_t i = 0; i < sizeof guesses / sizeof guesses[0]; i++)
        ct_one_of(try_move_in(f, guesses[i]), WSAEINVAL, WSAENOTSOCK, WSAEACCES, WSAECONNRESET);
    DWORD value = move_out(p.a.c, pal_process_id());
    ct_one_of(try_move_in(f, value ^ 1), WSAEINVAL, WSAENOTSOCK, WSAEACCES, WSAECONNRESET);
    move_in(f, f->provider, value);
    ct_one_of(try_move_in(f, value), WSAEINVAL, WSAENOTSOCK, WSAEACCES, WSAECONNRESET);
}

static void values_are_never_zero_and_never_alike(void **state)
{
    enum { N = 20 };
    struct fixture *f = *state;
    DWORD values[N];
    struct ct_pair p;

    ct_pair(f, &p, 4096);
    struct sw_companion *c = p.a.c;
    for (int i = 0; i < N; i++) {
        values[i] = move_out(c, pal_process_id());
        struct sw_companion *next = move_in(f, f->provider, values[i]);
        ct_close(f, c);
        c = next;
        for (int k = 0; k < i; k++)
            assert_true(values[k] != values[i]);
    }
}

static void a_value_for_another_process_does_not_work_here(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;

    ct_pair(f, &p, 4096);
    DWORD value = move_out(p.a.c, 1); /* a process that is there and is not this one */
    ct_one_of(try_move_in(f, value), WSAEINVAL, WSAENOTSOCK, WSAEACCES);
}

/* Q25, Q26: nobody came for it. */
static void a_move_that_nobody_takes_expires_and_the_peer_sees_a_reset(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    WSAOVERLAPPED in = {0};

    ct_reload(f, "WSD_DUPLICATE_EXPIRY_MS", ct.is_loop ? "300" : "2000", NULL);
    ct_pair(f, &p, 4096);
    ct_ok(ct_recv(&p.b, 0, 64, &in, SW_NOTIFY));
    DWORD value = move_out(p.a.c, pal_process_id());
    ct_done(p.b.c, &in, WSAECONNRESET);
    ct_one_of(try_move_in(f, value), WSAEINVAL, WSAENOTSOCK, WSAECONNRESET, WSAECONNABORTED);
}

/* Q26: closing the descriptor in the source process gives up. */
static void closing_the_old_descriptor_before_anybody_came_resets_the_peer(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    WSAOVERLAPPED in = {0};

    ct_pair(f, &p, 4096);
    ct_ok(ct_recv(&p.b, 0, 64, &in, SW_NOTIFY));
    DWORD value = move_out(p.a.c, pal_process_id());
    ct_close(f, p.a.c);
    ct_done(p.b.c, &in, WSAECONNRESET);
    ct_one_of(try_move_in(f, value), WSAEINVAL, WSAENOTSOCK, WSAECONNRESET, WSAECONNABORTED);
}

static void w11_a_listening_socket_moves_too(void **state)
{
    struct fixture *f = *state;
    struct sw_listener *l = ct_listen(f, 5);
    WSAPROTOCOL_INFOW info;
    WSAEVENT e = ct_event(f, true);
    WSANETWORKEVENTS events = {0};
    WSD_SOCKADDR_IN at = l->local, peer;
    struct sw_companion *a = NULL;
    INT error = 0, bytes = sizeof peer;

    ct_ok(l->procs->lpWSPDuplicateSocket(l->descriptor, pal_process_id(), &info, &error) == 0 ? 0 : error);
    assert_true(info.dwProviderReserved != 0);
    struct sw_companion *moved = move_in(f, f->peer, info.dwProviderReserved);
    ct_close_listener(f, l);
    assert_int_equal(moved->procs->lpWSPEventSelect(moved->descriptor, e, FD_ACCEPT, &error), 0);
    ct_ok(sw_connect_start(f->provider, &f->other, &at, NULL, &a, NULL));
    ct_adopt_companion(f, a);
    ct_ok(sw_event_wait(e, ct.wait_ms));
    assert_int_equal(moved->procs->lpWSPEnumNetworkEvents(moved->descriptor, e, &events, &error), 0);
    assert_int_equal(events.lNetworkEvents, FD_ACCEPT);
    SOCKET s = moved->procs->lpWSPAccept(moved->descriptor, (WSD_SOCKADDR *)&peer, &bytes, ct_accept_all, 0,
                                         &error);
    assert_true(s != INVALID_SOCKET);
    ct_finish_connect(a);
    assert_int_equal(moved->procs->lpWSPCloseSocket(s, &error), 0);
}

static void duplication_without_a_place_for_the_answer_is_refused(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    INT error = 0;

    ct_pair(f, &p, 4096);
    assert_int_equal(p.a.c->procs->lpWSPDuplicateSocket(p.a.c->descriptor, pal_process_id(), NULL, &error),
                     SOCKET_ERROR);
    ct_one_of(error, WSAEFAULT, WSAEINVAL);
    ct_pair_works(&p);
}

/* ---- with another process ---- */

static void a_connected_socket_goes_to_another_process_and_comes_back(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;

    ct_needs_processes();
    struct ct_process *q = ct_process_start(f);
    ct_pair(f, &p, 4096);
    for (unsigned round = 0; round < 3; round++) {
        DWORD value = move_out(p.a.c, q->second.pid);
        second_process_order(&q->second, "adopt %u connector", (unsigned)value);
        second_process_answer(&q->second);
        second_process_tell(&q->second, "open 4096");
        WSAOVERLAPPED in = {0}, out = {0};
        ct_ok(ct_recv(&p.b, 0, 4096, &in, SW_POLL));
        second_process_tell(&q->second, "send 1000 %u", round);
        assert_int_equal(ct_done(p.b.c, &in, 0), 1000);
        assert_int_equal(ct_wrong_byte(p.b.rx, 1000, round), -1);
        ct_fill(p.b.tx, 700, round);
        /* the switch sends to a posted receive only; without flow control all depends on it */
        second_process_tell(&q->second, "ready");
        ct_ok(ct_send(&p.b, 0, 700, &out, SW_POLL));
        ct_done(p.b.c, &out, 0);
        second_process_tell(&q->second, "expect 700 %u", round);
        value = (DWORD)strtoul(second_process_tell(&q->second, "duplicate %u", (unsigned)pal_process_id()),
                               NULL, 10);
        struct sw_companion *back = move_in(f, f->provider, value);
        second_process_tell(&q->second, "close");
        ct_close(f, p.a.c);
        ct_end_init(f, &p.a, back, 4096);
        ct_pair_works(&p);
    }
    second_process_end(&q->second);
}

static void a_listening_socket_goes_to_another_process_and_comes_back(void **state)
{
    struct fixture *f = *state;
    WSAPROTOCOL_INFOW info;
    INT error = 0;

    ct_needs_processes();
    struct ct_process *q = ct_process_start(f);
    struct sw_listener *l = ct_listen(f, 5);
    WSD_SOCKADDR_IN at = l->local;
    ct_ok(l->procs->lpWSPDuplicateSocket(l->descriptor, q->second.pid, &info, &error) == 0 ? 0 : error);
    second_process_tell(&q->second, "take %u", (unsigned)info.dwProviderReserved);
    struct sw_companion *a = NULL;
    ct_ok(sw_connect_start(f->provider, &f->other, &at, NULL, &a, NULL));
    ct_adopt_companion(f, a);
    second_process_tell(&q->second, "serve");
    ct_finish_connect(a);
    DWORD value = (DWORD)strtoul(second_process_tell(&q->second, "return %u", (unsigned)pal_process_id()),
                                 NULL, 10);
    struct sw_companion *back = move_in(f, f->peer, value);
    WSAEVENT e = ct_event(f, true);
    assert_int_equal(back->procs->lpWSPEventSelect(back->descriptor, e, FD_ACCEPT, &error), 0);
    ct_ok(sw_connect_start(f->provider, &f->other, &at, NULL, &a, NULL));
    ct_adopt_companion(f, a);
    ct_ok(sw_event_wait(e, ct.wait_ms));
    SOCKET s = back->procs->lpWSPAccept(back->descriptor, NULL, NULL, ct_accept_all, 0, &error);
    assert_true(s != INVALID_SOCKET);
    ct_finish_connect(a);
    assert_int_equal(back->procs->lpWSPCloseSocket(s, &error), 0);
    second_process_end(&q->second);
}

static void a_target_that_dies_before_it_takes_the_socket_resets_the_peer(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    WSAOVERLAPPED in = {0};

    ct_needs_processes();
    ct_reload(f, "WSD_DUPLICATE_EXPIRY_MS", "3000", NULL);
    struct ct_process *q = ct_process_start(f);
    ct_pair(f, &p, 4096);
    ct_ok(ct_recv(&p.b, 0, 64, &in, SW_NOTIFY));
    move_out(p.a.c, q->second.pid);
    ct_kill(q);
    ct_done(p.b.c, &in, WSAECONNRESET);
}

static void a_target_that_dies_with_the_socket_resets_the_peer(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    WSAOVERLAPPED in = {0};

    ct_needs_processes();
    ct_needs_sockets_that_end_with_their_process();
    struct ct_process *q = ct_process_start(f);
    ct_pair(f, &p, 4096);
    ct_ok(ct_recv(&p.b, 0, 64, &in, SW_NOTIFY));
    second_process_tell(&q->second, "adopt %u connector", (unsigned)move_out(p.a.c, q->second.pid));
    ct_kill(q);
    ct_one_of(ct_outcome(p.b.c, &in), WSAECONNRESET, WSAECONNABORTED);
}

static void the_socket_survives_its_source_process(void **state)
{
    struct fixture *f = *state;
    struct ct_end mine;
    WSAOVERLAPPED in = {0};

    ct_needs_processes();
    struct ct_process *q = ct_process_connected(f, &mine, 65536);
    struct ct_process *heir = ct_process_start(f);
    second_process_tell(&heir->second, "adopt %s acceptor",
                        second_process_tell(&q->second, "duplicate %u", (unsigned)heir->second.pid));
    second_process_tell(&heir->second, "open 65536");
    ct_kill(q);
    ct_ok(ct_recv(&mine, 0, 65536, &in, SW_POLL));
    second_process_tell(&heir->second, "send 5000 1");
    assert_int_equal(ct_done(mine.c, &in, 0), 5000);
    second_process_end(&heir->second);
}

static const struct CMUnitTest duplicate_tests[] = {
    ct_test(checklist_23_a_socket_moves_by_32_bits_alone),
    ct_test(checklist_24_duplication_completes_receives_with_success_and_no_bytes),
    ct_test(w12_every_receive_of_a_moved_socket_completes_once),
    ct_test(a_thousand_polled_receives_are_moved_without_an_upcall),
    ct_test(the_peers_receives_survive_the_move),
    ct_test(a_socket_moves_back_and_forth),
    ct_test(transfers_work_after_a_move),
    ct_test(a_moved_socket_keeps_its_options_and_addresses),
    ct_test(the_old_descriptor_may_only_be_closed),
    ct_test(a_value_works_once_and_nobody_guesses_one),
    ct_test(values_are_never_zero_and_never_alike),
    ct_test(a_value_for_another_process_does_not_work_here),
    ct_test(a_move_that_nobody_takes_expires_and_the_peer_sees_a_reset),
    ct_test(closing_the_old_descriptor_before_anybody_came_resets_the_peer),
    ct_test(w11_a_listening_socket_moves_too),
    ct_test(duplication_without_a_place_for_the_answer_is_refused),
    ct_test(a_connected_socket_goes_to_another_process_and_comes_back),
    ct_test(a_listening_socket_goes_to_another_process_and_comes_back),
    ct_test(a_target_that_dies_before_it_takes_the_socket_resets_the_peer),
    ct_test(a_target_that_dies_with_the_socket_resets_the_peer),
    ct_test(the_socket_survives_its_source_process),
};
CT_GROUP(duplicate);
