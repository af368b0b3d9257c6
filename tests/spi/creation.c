/* creation.c - WSPSocket and WSPCloseSocket: families, types, protocols, protocol infos, many sockets. Contract 10.1, functions 6, 28. */
#include "sp.h"

static int create(int af, int type, int protocol)
{
    SOCKET s;
    int error = sp_socket(af, type, protocol, WSA_FLAG_OVERLAPPED, &s);

    if (error == 0) {
        assert_true(ws2_handle_is_open(s)); /* the value that WPUCreateSocketHandle gave */
        sp_ok(sp_close(s));
        sp_until(!ws2_handle_is_open(s)); /* the last upcall of a socket */
    }
    return error;
}

static void what_there_is(void **state)
{
    (void)state;
    sp_ok(create(WS_AF_INET, WS_SOCK_STREAM, WS_IPPROTO_TCP));
    sp_ok(create(WS_AF_INET, WS_SOCK_STREAM, 0));
    sp_ok(create(WS_AF_INET, WS_SOCK_DGRAM, WS_IPPROTO_UDP));
    sp_ok(create(WS_AF_INET, WS_SOCK_DGRAM, 0));
    sp_one_of(create(WS_AF_INET6, WS_SOCK_STREAM, WS_IPPROTO_TCP), 0, WSAEAFNOSUPPORT);
}

/* B013, B014 */
static void what_is_left_out_is_found(void **state)
{
    SOCKET s;
    int type = 0;

    (void)state;
    sp_ok(sp_socket(WS_AF_INET, 0, WS_IPPROTO_TCP, 0, &s));
    sp_ok(sp_get_int(s, WS_SOL_SOCKET, WS_SO_TYPE, &type));
    assert_int_equal(type, WS_SOCK_STREAM);
    sp_ok(sp_close(s));
    sp_ok(create(WS_AF_UNSPEC, WS_SOCK_STREAM, WS_IPPROTO_TCP));
    sp_fails(WSAEINVAL, create(WS_AF_UNSPEC, 0, 0));
    sp_fails(WSAEINVAL, create(WS_AF_UNSPEC, WS_SOCK_STREAM, 0));
}

/* B016, B017 */
static void what_there_is_not(void **state)
{
    (void)state;
    sp_fails(WSAESOCKTNOSUPPORT, create(WS_AF_INET, 55, WS_IPPROTO_TCP));
    sp_fails(WSAESOCKTNOSUPPORT, create(77, 55, 99));
    sp_fails(WSAEAFNOSUPPORT, create(77, WS_SOCK_STREAM, WS_IPPROTO_TCP));
    sp_one_of(create(WS_AF_INET, WS_SOCK_STREAM, WS_IPPROTO_UDP), WSAEPROTONOSUPPORT, WSAEPROTOTYPE);
    sp_one_of(create(WS_AF_INET, WS_SOCK_DGRAM, WS_IPPROTO_TCP), WSAEPROTONOSUPPORT, WSAEPROTOTYPE);
    sp_fails(WSAEPROTONOSUPPORT, create(WS_AF_INET, WS_SOCK_STREAM, 200));
}

static SOCKET from_info(enum ws2_protocol which, INT *error)
{
    WSAPROTOCOL_INFOW info = *ws2_protocol_info(sp.ws2, which);

    *error = 0;
    return sp.procs->lpWSPSocket(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info, 0,
                                 WSA_FLAG_OVERLAPPED, error);
}

static void protocol_infos_say_all(void **state)
{
    WSAPROTOCOL_INFOW found;
    int bytes = sizeof(found), type;
    INT error;
    SOCKET s = from_info(WS2_TCP, &error);

    (void)state;
    assert_true(s != INVALID_SOCKET);
    sp_ok(sp_get(s, WS_SOL_SOCKET, WS_SO_PROTOCOL_INFOW, &found, &bytes));
    assert_int_equal(bytes, sizeof(found));
    assert_int_equal(found.iAddressFamily, WS_AF_INET);
    assert_int_equal(found.iSocketType, WS_SOCK_STREAM);
    assert_int_equal(found.iProtocol, WS_IPPROTO_TCP);
    sp_ok(sp_close(s));
    s = from_info(WS2_UDP, &error);
    assert_true(s != INVALID_SOCKET);
    sp_ok(sp_get_int(s, WS_SOL_SOCKET, WS_SO_TYPE, &type));
    assert_int_equal(type, WS_SOCK_DGRAM);
    sp_ok(sp_close(s));
}

static void other_flags(void **state)
{
    SOCKET s;

    (void)state;
    sp_ok(sp_socket(WS_AF_INET, WS_SOCK_STREAM, WS_IPPROTO_TCP, WSA_FLAG_NO_HANDLE_INHERIT, &s));
    sp_ok(sp_close(s));
}

static void many_sockets(void **state)
{
    static SOCKET all[200];
    SOCKET again;

    (void)state;
    for (unsigned i = 0; i < 200; i++)
        all[i] = sp_stream();
    assert_int_equal(ws2_open_handles(sp.ws2), 200);
    for (unsigned i = 0; i < 200; i++)
        for (unsigned k = 0; k < i; k++)
            assert_true(all[i] != all[k]);
    for (unsigned i = 0; i < 200; i++)
        sp_ok(sp_close(all[i]));
    sp_until(ws2_open_handles(sp.ws2) == 0);
    again = sp_stream();
    for (unsigned i = 0; i < 200; i++)
        assert_true(all[i] != again);
    sp_ok(sp_close(again));
    sp_fails(WSAENOTSOCK, sp_close(again));
}

int sp_creation(void)
{
    const struct CMUnitTest tests[] = {
        sp_test(what_there_is),     sp_test(what_is_left_out_is_found),
        sp_test(what_there_is_not), sp_test(protocol_infos_say_all),
        sp_test(many_sockets),      sp_test(other_flags),
    };

    return cmocka_run_group_tests_name("creation", tests, NULL, NULL);
}
