/* ipv6.c - sockets of IPv6: always TCP/IP's, in both lanes (contract Q24: the subnet table knows IPv4 only), with names of their own size.
 * Contract 10.1, functions 0, 3, 7, 12, 13, 21, 25. */
#include "sp.h"

static WSD_SOCKADDR_IN6 here(void)
{
    WSD_SOCKADDR_IN6 name = {.sin6_family = WS_AF_INET6};

    ((unsigned char *)&name.sin6_addr)[15] = 1; /* ::1 */
    return name;
}

static int bind6(SOCKET s, const WSD_SOCKADDR_IN6 *name, int bytes)
{
    INT error = 0;

    return sp.procs->lpWSPBind(s, (const WSD_SOCKADDR *)name, bytes, &error) == SOCKET_ERROR ? error : 0;
}

static int connect6(SOCKET s, const WSD_SOCKADDR_IN6 *name, int bytes)
{
    INT error = 0;

    return sp.procs->lpWSPConnect(s, (const WSD_SOCKADDR *)name, bytes, NULL, NULL, NULL, NULL, &error) ==
                   SOCKET_ERROR
               ? error
               : 0;
}

static int local6(SOCKET s, WSD_SOCKADDR_IN6 *name, int room)
{
    INT error = 0, bytes = room;
    int result = sp.procs->lpWSPGetSockName(s, (WSD_SOCKADDR *)name, &bytes, &error);

    if (result == SOCKET_ERROR)
        return error;
    assert_int_equal(bytes, sizeof(*name));
    return 0;
}

static SOCKET bound_socket(int type, WSD_SOCKADDR_IN6 *at)
{
    const WSD_SOCKADDR_IN6 name = here();
    SOCKET s;

    if (sp_socket(WS_AF_INET6, type, 0, WSA_FLAG_OVERLAPPED, &s) != 0)
        sp_skip("this system has no IPv6");
    if (bind6(s, &name, sizeof(name)) != 0) {
        sp_ok(sp_close(s));
        sp_skip("this system has no ::1");
    }
    sp_ok(local6(s, at, sizeof(*at)));
    assert_int_not_equal(at->sin6_port, 0);
    assert_memory_equal(&at->sin6_addr, &name.sin6_addr, sizeof(name.sin6_addr));
    return s;
}

static void a_stream(void **state)
{
    WSD_SOCKADDR_IN6 at, from, peer, own;
    SOCKET listener = bound_socket(WS_SOCK_STREAM, &at), client, accepted;
    INT error = 0, bytes = sizeof(from) - 1;

    (void)state;
    sp_ok(sp_listen(listener, 5));
    sp_ok(sp_socket(WS_AF_INET6, WS_SOCK_STREAM, WS_IPPROTO_TCP, WSA_FLAG_OVERLAPPED, &client));
    sp_ok(connect6(client, &at, sizeof(at)));
    sp_carried_name(client, "tcp");
    assert_true(sp.procs->lpWSPAccept(listener, (WSD_SOCKADDR *)&from, &bytes, NULL, 0, &error) ==
                INVALID_SOCKET);
    sp_fails(WSAEFAULT, error); /* and it waits still */
    bytes = sizeof(from);
    accepted = sp.procs->lpWSPAccept(listener, (WSD_SOCKADDR *)&from, &bytes, NULL, 0, &error);
    assert_true(accepted != INVALID_SOCKET);
    assert_int_equal(bytes, sizeof(from));
    sp_carried_name(accepted, "tcp");
    sp_ok(local6(client, &own, sizeof(own)));
    assert_int_equal(from.sin6_port, own.sin6_port);
    bytes = sizeof(peer);
    assert_int_equal(sp.procs->lpWSPGetPeerName(client, (WSD_SOCKADDR *)&peer, &bytes, &error), 0);
    assert_int_equal(bytes, sizeof(peer));
    assert_int_equal(peer.sin6_port, at.sin6_port);
    bytes = sizeof(WSD_SOCKADDR_IN);
    assert_int_equal(sp.procs->lpWSPGetPeerName(client, (WSD_SOCKADDR *)&peer, &bytes, &error), SOCKET_ERROR);
    sp_fails(WSAEFAULT, error);
    sp_fails(WSAEFAULT, local6(client, &own, sizeof(WSD_SOCKADDR_IN)));
    sp_echo(client, accepted, 1);
    sp_echo(accepted, client, 2);
    sp_ok(sp_close(client));
    sp_expect_end(accepted);
    sp_ok(sp_close(accepted));
    sp_ok(sp_close(listener));
}

static void names_that_do_not_do(void **state)
{
    WSD_SOCKADDR_IN6 at, any = {.sin6_family = WS_AF_INET6, .sin6_port = 0x5858};
    SOCKET s = bound_socket(WS_SOCK_STREAM, &at), other;

    (void)state;
    sp_ok(sp_socket(WS_AF_INET6, WS_SOCK_STREAM, WS_IPPROTO_TCP, WSA_FLAG_OVERLAPPED, &other));
    sp_fails(WSAEFAULT, bind6(other, &at, sizeof(WSD_SOCKADDR_IN)));
    sp_fails(WSAEFAULT, connect6(other, &at, sizeof(WSD_SOCKADDR_IN)));
    sp_fails(WSAEADDRNOTAVAIL, connect6(other, &any, sizeof(any))); /* the wildcard is nobody */
    sp_fails(WSAEADDRINUSE, bind6(other, &at, sizeof(at)));
    sp_fails(WSAECONNREFUSED, connect6(other, &at, sizeof(at))); /* bound, and does not listen */
    sp_ok(sp_close(other));
    sp_ok(sp_close(s));
}

static void datagrams(void **state)
{
    WSD_SOCKADDR_IN6 at_a, at_b, from;
    SOCKET a = bound_socket(WS_SOCK_DGRAM, &at_a), b;
    WSABUF buffer = {5, (CHAR[]){"hello"}};
    char data[10];
    WSABUF room = {sizeof(data), data};
    DWORD bytes = 0, flags = 0;
    INT error = 0, from_bytes = sizeof(from) - 1;

    (void)state;
    b = bound_socket(WS_SOCK_DGRAM, &at_b);
    sp_ok(sp_set_int(b, WS_SOL_SOCKET, WS_SO_RCVTIMEO, (int)sp_env.wait_ms));
    assert_int_equal(sp.procs->lpWSPSendTo(a, &buffer, 1, &bytes, 0, (const WSD_SOCKADDR *)&at_b,
                                           sizeof(WSD_SOCKADDR_IN), NULL, NULL, NULL, &error),
                     SOCKET_ERROR);
    sp_fails(WSAEFAULT, error);
    assert_int_equal(sp.procs->lpWSPSendTo(a, &buffer, 1, &bytes, 0, (const WSD_SOCKADDR *)&at_b,
                                           sizeof(at_b), NULL, NULL, NULL, &error),
                     0);
    assert_int_equal(sp.procs->lpWSPRecvFrom(b, &room, 1, &bytes, &flags, (WSD_SOCKADDR *)&from, &from_bytes,
                                             NULL, NULL, NULL, &error),
                     SOCKET_ERROR);
    sp_fails(WSAEFAULT, error);
    from_bytes = sizeof(from);
    flags = 0;
    assert_int_equal(sp.procs->lpWSPRecvFrom(b, &room, 1, &bytes, &flags, (WSD_SOCKADDR *)&from, &from_bytes,
                                             NULL, NULL, NULL, &error),
                     0);
    assert_int_equal(bytes, 5);
    assert_int_equal(from_bytes, sizeof(from));
    assert_int_equal(from.sin6_port, at_a.sin6_port);
    sp_ok(sp_close(a));
    sp_ok(sp_close(b));
}

static void ways_and_lists(void **state)
{
    WSD_SOCKADDR_IN6 at, to = here(), way;
    SOCKET s = bound_socket(WS_SOCK_STREAM, &at);
    DWORD bytes = 0;
    union {
        SOCKET_ADDRESS_LIST list;
        char room[4096];
    } answer;

    (void)state;
    sp_fails(WSAEFAULT, sp_ioctl(s, SIO_ROUTING_INTERFACE_QUERY, &to, sizeof(WSD_SOCKADDR_IN), &way,
                                 sizeof(way), &bytes));
    sp_fails(WSAEFAULT, sp_ioctl(s, SIO_ROUTING_INTERFACE_QUERY, &to, sizeof(to), &way,
                                 sizeof(WSD_SOCKADDR_IN), &bytes));
    sp_ok(sp_ioctl(s, SIO_ROUTING_INTERFACE_QUERY, &to, sizeof(to), &way, sizeof(way), &bytes));
    assert_int_equal(bytes, sizeof(way));
    assert_memory_equal(&way.sin6_addr, &to.sin6_addr, sizeof(to.sin6_addr));
    sp_ok(sp_ioctl(s, SIO_ADDRESS_LIST_QUERY, NULL, 0, &answer, sizeof(answer), &bytes));
    for (INT i = 0; i < answer.list.iAddressCount; i++) {
        const SOCKET_ADDRESS *one = &answer.list.Address[i];

        assert_int_equal(one->iSockaddrLength, sizeof(WSD_SOCKADDR_IN6));
        assert_int_equal(((const WSD_SOCKADDR *)one->lpSockaddr)->sa_family, WS_AF_INET6);
    }
    sp_ok(sp_close(s));
}

int sp_ipv6(void)
{
    const struct CMUnitTest tests[] = {
        sp_test(a_stream),
        sp_test(names_that_do_not_do),
        sp_test(datagrams),
        sp_test(ways_and_lists),
    };

    return cmocka_run_group_tests_name("ipv6", tests, NULL, NULL);
}
