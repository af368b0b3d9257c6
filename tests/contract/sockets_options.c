/* sockets_options.c - WSPSocket, descriptors and handles, WSPGetSockOpt and WSPSetSockOpt.
 * Source: contract 1.3, 3.8, 4.3, 4.15, Q4, Q5, Q6; checklist 1, 5, 17. */
#include "ct_mini.h"

static SOCKET raw_socket(struct fixture *f, int af, int type, int protocol, GROUP g, DWORD flags, int *error)
{
    WSAPROTOCOL_INFOW info = *sw_protocol_info(f->provider);
    INT code = 0;
    SOCKET s = f->procs->lpWSPSocket(af, type, protocol, &info, g, flags, &code);

    *error = s == INVALID_SOCKET ? code : 0;
    return s;
}

static void close_raw(struct fixture *f, SOCKET s)
{
    INT error = 0;

    assert_int_equal(f->procs->lpWSPCloseSocket(s, &error), 0);
}

/* ---- sockets ---- */

static void sockets_of_other_kinds_are_refused(void **state)
{
    struct fixture *f = *state;
    int error;

    assert_true(raw_socket(f, 99, WS_SOCK_STREAM, WS_IPPROTO_TCP, 0, WSA_FLAG_OVERLAPPED, &error) ==
                INVALID_SOCKET);
    ct_fails(WSAEAFNOSUPPORT, error);
    assert_true(raw_socket(f, WS_AF_INET, WS_SOCK_DGRAM, WS_IPPROTO_UDP, 0, WSA_FLAG_OVERLAPPED, &error) ==
                INVALID_SOCKET);
    ct_one_of(error, WSAESOCKTNOSUPPORT, WSAEPROTONOSUPPORT, WSAEPROTOTYPE);
    assert_true(raw_socket(f, WS_AF_INET, WS_SOCK_RAW, 0, 0, WSA_FLAG_OVERLAPPED, &error) == INVALID_SOCKET);
    ct_one_of(error, WSAESOCKTNOSUPPORT, WSAEPROTONOSUPPORT, WSAEPROTOTYPE);
    assert_true(raw_socket(f, WS_AF_INET, WS_SOCK_STREAM, WS_IPPROTO_UDP, 0, WSA_FLAG_OVERLAPPED, &error) ==
                INVALID_SOCKET);
    ct_one_of(error, WSAEPROTONOSUPPORT, WSAEPROTOTYPE);
    assert_true(raw_socket(f, WS_AF_INET, WS_SOCK_STREAM, 12345, 0, WSA_FLAG_OVERLAPPED, &error) ==
                INVALID_SOCKET);
    ct_one_of(error, WSAEPROTONOSUPPORT, WSAEPROTOTYPE);
}

static void groups_and_multipoint_are_refused(void **state)
{
    struct fixture *f = *state;
    int error;

    assert_true(raw_socket(f, WS_AF_INET, WS_SOCK_STREAM, WS_IPPROTO_TCP, 0x1234, WSA_FLAG_OVERLAPPED,
                           &error) == INVALID_SOCKET);
    ct_fails(WSAEINVAL, error);
    assert_true(raw_socket(f, WS_AF_INET, WS_SOCK_STREAM, WS_IPPROTO_TCP, 0,
                           WSA_FLAG_OVERLAPPED | WSA_FLAG_MULTIPOINT_C_ROOT, &error) == INVALID_SOCKET);
    ct_one_of(error, WSAEINVAL, WSAEOPNOTSUPP);
}

static void ipv6_sockets_are_made_for_whoever_asks(void **state)
{
    struct fixture *f = *state;
    int error;
    SOCKET s = raw_socket(f, WS_AF_INET6, WS_SOCK_STREAM, WS_IPPROTO_TCP, 0, WSA_FLAG_OVERLAPPED, &error);

    ct_ok(error);
    close_raw(f, s);
}

static void checklist_01_descriptors_go_down_and_handles_go_up(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    struct sw_iocp *q = ct_iocp(f);
    struct sw_notify notify = {SW_NOTIFY_IOCP, NULL, NULL, q, 7};
    struct sw_packet packet;
    WSAOVERLAPPED in = {0}, out = {0};
    INT error = 0;

    ct_pair(f, &p, 4096);
    assert_true(p.a.c->descriptor != p.a.c->handle);
    /* a handle is no descriptor */
    assert_int_equal(f->procs->lpWSPListen(p.a.c->handle, 1, &error), SOCKET_ERROR);
    ct_fails(WSAENOTSOCK, error);
    assert_int_equal(p.b.c->procs->lpWSPCloseSocket(p.b.c->handle, &error), SOCKET_ERROR);
    ct_fails(WSAENOTSOCK, error);
    /* and an upcall names the handle, of that very socket */
    ct_ok(sw_handle_set_notify(p.b.c->handle, &notify));
    ct_ok(ct_recv(&p.b, 0, 64, &in, SW_NOTIFY));
    ct_ok(ct_send(&p.a, 0, 64, &out, SW_NOTIFY));
    ct_done(p.a.c, &out, 0);
    ct_ok(sw_iocp_get(q, &packet, ct.wait_ms));
    assert_true(packet.handle == p.b.c->handle);
    assert_ptr_equal(packet.ov, &in);
    ct_pair_works(&p);
}

static void checklist_17_a_socket_lives_until_its_own_switch_closes_it(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    DWORD limit = 0;
    INT bytes = sizeof limit, error = 0;

    ct_pair(f, &p, 4096);
    ct_close(f, p.b.c);
    ct_sees_reset(&p.a);
    /* broken, but still there, under the same descriptor */
    assert_int_equal(p.a.c->procs->lpWSPGetSockOpt(p.a.c->descriptor, WS_SOL_SOCKET,
                                                   WS_SO_RDMA_THRESHOLD_SIZE, (char *)&limit, &bytes, &error),
                     0);
    assert_true(sw_handle_is_open(p.a.c->handle));
    for (int i = 0; i < 100; i++)
        assert_true(ct_socket(f)->descriptor != p.a.c->descriptor);
    ct_ok(sw_deregister(p.a.c, p.a.rx_handle));
}

static void checklist_17_a_closed_descriptor_stays_closed_when_others_are_made(void **state)
{
    struct fixture *f = *state;
    INT error = 0;

    for (unsigned round = 0; round < 50; round++) {
        struct sw_companion *c = ct_socket(f);
        SOCKET old = c->descriptor;
        ct_close(f, c);
        struct sw_companion *next = ct_socket(f);
        assert_int_equal(f->procs->lpWSPListen(old, 1, &error), SOCKET_ERROR);
        ct_fails(WSAENOTSOCK, error);
        ct_close(f, next);
    }
}

static void a_thousand_sockets_can_be_open(void **state)
{
    struct fixture *f = *state;
    unsigned before = sw_open_handles(f->provider);

    for (unsigned i = 0; i < 1000; i++)
        ct_socket(f);
    assert_int_equal(sw_open_handles(f->provider), before + 1000);
    ct_close_all(f);
    assert_int_equal(sw_open_handles(f->provider), before);
}

static void without_a_handle_there_is_no_socket(void **state)
{
    struct mini m;
    int error;

    (void)state;
    mini_open(&m);
    ct_ok(mini_start(&m));
    mini_refuse_handles(true);
    for (int i = 0; i < 10; i++) {
        assert_true(mini_socket(&m.procs, &error) == INVALID_SOCKET);
        ct_one_of(error, WSAENOBUFS, WSAEMFILE);
    }
    mini_refuse_handles(false);
    SOCKET s = mini_socket(&m.procs, &error);
    ct_ok(error);
    assert_int_equal(mini_open_handles(), 1);
    INT code = 0;
    assert_int_equal(m.procs.lpWSPCloseSocket(s, &code), 0);
    assert_int_equal(mini_open_handles(), 0);
    ct_ok(mini_cleanup(&m));
    mini_close(&m);
}

/* ---- options ---- */

static int set_option(struct sw_companion *c, int level, int name, const void *value, int bytes)
{
    INT error = 0;

    return c->procs->lpWSPSetSockOpt(c->descriptor, level, name, value, bytes, &error) == SOCKET_ERROR ? error
                                                                                                       : 0;
}

static int get_option(struct sw_companion *c, int level, int name, void *value, INT *bytes)
{
    INT error = 0;

    return c->procs->lpWSPGetSockOpt(c->descriptor, level, name, value, bytes, &error) == SOCKET_ERROR ? error
                                                                                                       : 0;
}

/* Failing one of these silently costs the application its SAN connection (4.15). */
static void checklist_05_harmless_options_are_accepted(void **state)
{
    static const int names[] = {
        WS_SO_DEBUG,       WS_SO_REUSEADDR,         WS_SO_KEEPALIVE,  WS_SO_DONTROUTE,        WS_SO_BROADCAST,
        WS_SO_USELOOPBACK, WS_SO_OOBINLINE,         WS_SO_DONTLINGER, WS_SO_EXCLUSIVEADDRUSE, WS_SO_SNDBUF,
        WS_SO_RCVBUF,      WS_SO_SNDLOWAT,          WS_SO_RCVLOWAT,   WS_SO_SNDTIMEO,         WS_SO_RCVTIMEO,
        WS_PVD_CONFIG,     WS_SO_CONDITIONAL_ACCEPT};
    struct fixture *f = *state;
    struct sw_companion *c = ct_bound(f);
    WSD_LINGER linger = {1, 3};
    int value = 1;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        int error = set_option(c, WS_SOL_SOCKET, names[i], &value, sizeof value);
        if (error != 0)
            ct_fail("option %#x fails with %s", (unsigned)names[i], sw_error_name(error));
    }
    ct_ok(set_option(c, WS_SOL_SOCKET, WS_SO_LINGER, &linger, sizeof linger));
    ct_ok(set_option(c, WS_IPPROTO_TCP, WS_TCP_NODELAY, &value, sizeof value));
}

static void options_set_before_a_connection_do_not_prevent_it(void **state)
{
    struct fixture *f = *state;
    const int on = 1, bytes = 65536;
    const struct sw_option options[] = {{WS_SOL_SOCKET, WS_SO_KEEPALIVE, &on, sizeof on},
                                        {WS_SOL_SOCKET, WS_SO_RCVBUF, &bytes, sizeof bytes},
                                        {WS_IPPROTO_TCP, WS_TCP_NODELAY, &on, sizeof on}};
    const struct sw_socket_params params = {options, 3, NULL};
    struct sw_listener *l = NULL;
    struct sw_companion *a = NULL, *b = NULL;
    bool should_fall_back;

    ct_ok(sw_listen(f->peer, &f->here, 5, &params, &l));
    f->listeners[f->listener_count++] = l;
    ct_ok(sw_connect_start(f->provider, &f->other, &l->local, &params, &a, &should_fall_back));
    ct_adopt_companion(f, a);
    ct_ok(ct_accept(f, l, ct.wait_ms, &b));
    ct_finish_connect(a);
}

static void stored_options_are_answered(void **state)
{
    static const struct {
        int level, name, value;
    } stored[] = {{WS_SOL_SOCKET, WS_SO_KEEPALIVE, 1},   {WS_SOL_SOCKET, WS_SO_REUSEADDR, 1},
                  {WS_SOL_SOCKET, WS_SO_SNDBUF, 54321},  {WS_SOL_SOCKET, WS_SO_RCVBUF, 12345},
                  {WS_SOL_SOCKET, WS_SO_OOBINLINE, 1},   {WS_SOL_SOCKET, WS_SO_DEBUG, 1},
                  {WS_SOL_SOCKET, WS_SO_RCVTIMEO, 2500}, {WS_IPPROTO_TCP, WS_TCP_NODELAY, 1}};
    struct fixture *f = *state;
    struct sw_companion *c = ct_bound(f);
    WSD_LINGER linger = {1, 7}, got_linger = {0, 0};
    INT bytes = sizeof got_linger;

    for (size_t i = 0; i < sizeof stored / sizeof stored[0]; i++) {
        int value = 0;
        INT length = sizeof value;
        ct_ok(set_option(c, stored[i].level, stored[i].name, &stored[i].value, sizeof(int)));
        ct_ok(get_option(c, stored[i].level, stored[i].name, &value, &length));
        assert_int_equal(value, stored[i].value);
        assert_int_equal(length, sizeof value);
    }
    ct_ok(set_option(c, WS_SOL_SOCKET, WS_SO_LINGER, &linger, sizeof linger));
    ct_ok(get_option(c, WS_SOL_SOCKET, WS_SO_LINGER, &got_linger, &bytes));
    assert_memory_equal(&got_linger, &linger, sizeof linger);
}

/* Q4, Q5, Q6: four bytes each, the same in every state. */
static void sizes_are_answered_alike_in_every_state(void **state)
{
    static const int names[] = {WS_SO_MAX_MSG_SIZE, WS_SO_MAX_RDMA_SIZE, WS_SO_RDMA_THRESHOLD_SIZE};
    struct fixture *f = *state;
    struct ct_pair p;
    struct sw_companion *sockets[6];
    DWORD first[3] = {0};

    sockets[0] = ct_socket(f);
    sockets[1] = ct_bound(f);
    ct_pair(f, &p, 4096);
    sockets[2] = p.a.c;
    sockets[3] = p.b.c;
    sockets[4] = ct_start_connect(f, ct_listen(f, 5));
    struct sw_companion *gone;
    ct_connect(f, &gone, &sockets[5]);
    ct_close(f, gone);
    for (int s = 0; s < 6; s++)
        for (int n = 0; n < 3; n++) {
            DWORD value[2] = {0, 0xABABABAB};
            INT bytes = s == 1 ? (INT)sizeof value : (INT)sizeof value[0]; /* more room is no error */
            ct_ok(get_option(sockets[s], WS_SOL_SOCKET, names[n], value, &bytes));
            assert_int_equal(bytes, 4);
            assert_int_equal(value[1], 0xABABABAB);
            assert_true(value[0] != 0);
            if (s == 0)
                first[n] = value[0];
            assert_int_equal(value[0], first[n]);
        }
    assert_true(first[0] >= 4096);      /* a control message must fit */
    assert_true(first[1] >= 64u << 10); /* and bulk data be worth it */
    assert_true(first[1] <= 0x7FFFFFFF);
    assert_int_equal(first[2], 16384);
}

static void the_threshold_is_tunable(void **state)
{
    struct fixture *f = *state;
    struct sw_limits limits;

    ct_reload(f, "WSD_RDMA_THRESHOLD", "8000", NULL);
    ct_ok(sw_get_limits(ct_socket(f), &limits));
    assert_int_equal(limits.rdma_threshold_bytes, 8000);
}

static void sizes_cannot_be_set(void **state)
{
    static const int names[] = {WS_SO_MAX_MSG_SIZE, WS_SO_MAX_RDMA_SIZE, WS_SO_RDMA_THRESHOLD_SIZE};
    struct fixture *f = *state;
    struct sw_companion *c = ct_socket(f);
    struct sw_limits before, after;
    DWORD value = 123456;

    ct_ok(sw_get_limits(c, &before));
    for (int n = 0; n < 3; n++)
        ct_one_of(set_option(c, WS_SOL_SOCKET, names[n], &value, sizeof value), WSAENOPROTOOPT, WSAEINVAL);
    ct_ok(sw_get_limits(c, &after));
    assert_memory_equal(&before, &after, sizeof before);
}

static void unknown_options_and_levels_are_refused(void **state)
{
    static const int unknown[] = {0x7777, 0x0003, 0x2FFF, 0x7FFFFFFF, 0};
    struct fixture *f = *state;
    struct sw_companion *c = ct_socket(f);
    int value = 1;
    INT bytes = sizeof value;

    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        ct_fails(WSAENOPROTOOPT, set_option(c, WS_SOL_SOCKET, unknown[i], &value, sizeof value));
        ct_fails(WSAENOPROTOOPT, get_option(c, WS_SOL_SOCKET, unknown[i], &value, &bytes));
    }
    ct_fails(WSAENOPROTOOPT, set_option(c, WS_IPPROTO_TCP, 0x4711, &value, sizeof value));
    ct_one_of(set_option(c, 4711, 1, &value, sizeof value), WSAEINVAL, WSAENOPROTOOPT);
    ct_one_of(get_option(c, 4711, 1, &value, &bytes), WSAEINVAL, WSAENOPROTOOPT);
}

static void short_and_missing_option_buffers_are_refused(void **state)
{
    struct fixture *f = *state;
    struct sw_companion *c = ct_socket(f);
    int value = 1;
    INT bytes = sizeof value;

    for (INT room = 0; room < 4; room++) {
        char guarded[8] = "1234567";
        bytes = room;
        ct_fails(WSAEFAULT, get_option(c, WS_SOL_SOCKET, WS_SO_MAX_MSG_SIZE, guarded, &bytes));
        assert_string_equal(guarded, "1234567");
        ct_fails(WSAEFAULT, set_option(c, WS_SOL_SOCKET, WS_SO_DEBUG, &value, room));
    }
    bytes = sizeof value;
    ct_fails(WSAEFAULT, get_option(c, WS_SOL_SOCKET, WS_SO_MAX_MSG_SIZE, NULL, &bytes));
    ct_fails(WSAEFAULT, get_option(c, WS_SOL_SOCKET, WS_SO_MAX_MSG_SIZE, &value, NULL));
    ct_fails(WSAEFAULT, set_option(c, WS_SOL_SOCKET, WS_SO_DEBUG, NULL, sizeof value));
    ct_fails(WSAEFAULT, set_option(c, WS_SOL_SOCKET, WS_SO_DEBUG, &value, -1));
    bytes = -4;
    ct_fails(WSAEFAULT, get_option(c, WS_SOL_SOCKET, WS_SO_MAX_MSG_SIZE, &value, &bytes));
}

static const struct CMUnitTest sockets_options_tests[] = {
    ct_test(sockets_of_other_kinds_are_refused),
    ct_test(groups_and_multipoint_are_refused),
    ct_test(ipv6_sockets_are_made_for_whoever_asks),
    ct_test(checklist_01_descriptors_go_down_and_handles_go_up),
    ct_test(checklist_17_a_socket_lives_until_its_own_switch_closes_it),
    ct_test(checklist_17_a_closed_descriptor_stays_closed_when_others_are_made),
    ct_test(a_thousand_sockets_can_be_open),
    ct_test_bare(without_a_handle_there_is_no_socket),
    ct_test(checklist_05_harmless_options_are_accepted),
    ct_test(options_set_before_a_connection_do_not_prevent_it),
    ct_test(stored_options_are_answered),
    ct_test(sizes_are_answered_alike_in_every_state),
    ct_test(the_threshold_is_tunable),
    ct_test(sizes_cannot_be_set),
    ct_test(unknown_options_and_levels_are_refused),
    ct_test(short_and_missing_option_buffers_are_refused),
};
CT_GROUP(sockets_options);
