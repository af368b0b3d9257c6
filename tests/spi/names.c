/* names.c - WSPBind, WSPGetSockName, WSPGetPeerName. Contract 10.1, functions 3, 12, 13; B019 to B030, B217. */
#include "sp.h"

static int bind_raw(SOCKET s, const void *name, int bytes)
{
    INT error = 0;

    return sp.procs->lpWSPBind(s, name, bytes, &error) == SOCKET_ERROR ? error : 0;
}

static void addresses_that_do_not_do(void **state)
{
    SOCKET s = sp_stream();
    WSD_SOCKADDR_IN a = sp_env.here;

    (void)state;
    sp_fails(WSAEFAULT, bind_raw(s, NULL, sizeof(a)));
    sp_fails(WSAEFAULT, bind_raw(s, &a, 0));
    sp_fails(WSAEFAULT, bind_raw(s, &a, sizeof(a) - 1));
    sp_ok(sw_parse_address("198.51.100.7", &a)); /* documentation's: nobody has it */
    sp_fails(WSAEADDRNOTAVAIL, sp_bind(s, &a));
    a = sp_env.here;
    a.sin_family = 77;
    sp_one_of(sp_bind(s, &a), WSAEAFNOSUPPORT, WSAEFAULT);
    sp_ok(sp_bind(s, &sp_env.here)); /* after all that */
    sp_fails(WSAEINVAL, sp_bind(s, &sp_env.here));
    sp_ok(sp_close(s));
}

static void the_own_name(void **state)
{
    SOCKET s = sp_stream();
    WSD_SOCKADDR_IN a, any = {.sin_family = WS_AF_INET};
    static const char zero[8];

    (void)state;
    sp_fails(WSAEINVAL, sp_local(s, &a));
    sp_ok(sp_bind(s, &any));
    memset(&a, 0x55, sizeof(a));
    sp_ok(sp_local(s, &a));
    assert_int_equal(a.sin_family, WS_AF_INET);
    assert_int_not_equal(a.sin_port, 0);
    assert_int_equal(a.sin_addr.s_addr, 0);
    assert_memory_equal(a.sin_zero, zero, sizeof(zero));
    sp_ok(sp_close(s));
    s = sp_stream();
    sp_ok(sp_bind(s, &sp_env.here));
    sp_ok(sp_local(s, &a));
    assert_int_equal(a.sin_addr.s_addr, sp_env.here.sin_addr.s_addr);
    sp_ok(sp_close(s));
}

static void room_for_names(void **state)
{
    struct sp_pair pair;
    WSD_SOCKADDR_STORAGE big;
    INT bytes = sizeof(WSD_SOCKADDR_IN) - 1, error = 0;

    (void)state;
    sp_pair_open(&pair);
    assert_int_equal(sp.procs->lpWSPGetSockName(pair.a, (WSD_SOCKADDR *)&big, &bytes, &error), SOCKET_ERROR);
    sp_fails(WSAEFAULT, error);
    assert_int_equal(bytes, sizeof(WSD_SOCKADDR_IN) - 1);
    assert_int_equal(sp.procs->lpWSPGetPeerName(pair.a, (WSD_SOCKADDR *)&big, &bytes, &error), SOCKET_ERROR);
    sp_fails(WSAEFAULT, error);
    assert_int_equal(bytes, sizeof(WSD_SOCKADDR_IN) - 1);
    bytes = sizeof(big);
    assert_int_equal(sp.procs->lpWSPGetPeerName(pair.a, (WSD_SOCKADDR *)&big, &bytes, &error), 0);
    assert_int_equal(bytes, sizeof(WSD_SOCKADDR_IN));
    bytes = sizeof(big);
    assert_int_equal(sp.procs->lpWSPGetSockName(pair.a, (WSD_SOCKADDR *)&big, &bytes, &error), 0);
    assert_int_equal(bytes, sizeof(WSD_SOCKADDR_IN));
    assert_int_equal(sp.procs->lpWSPGetPeerName(pair.a, NULL, &bytes, &error), SOCKET_ERROR);
    sp_fails(WSAEFAULT, error);
    assert_int_equal(sp.procs->lpWSPGetPeerName(pair.a, (WSD_SOCKADDR *)&big, NULL, &error), SOCKET_ERROR);
    sp_fails(WSAEFAULT, error);
    assert_int_equal(sp.procs->lpWSPGetSockName(pair.a, NULL, &bytes, &error), SOCKET_ERROR);
    sp_fails(WSAEFAULT, error);
    sp_pair_close(&pair);
}

static void names_of_a_connection(void **state)
{
    struct sp_pair pair;
    WSD_SOCKADDR_IN a_local, a_peer, b_local, b_peer;

    (void)state;
    sp_pair_open(&pair);
    sp_ok(sp_local(pair.a, &a_local));
    sp_ok(sp_peer(pair.a, &a_peer));
    sp_ok(sp_local(pair.b, &b_local));
    sp_ok(sp_peer(pair.b, &b_peer));
    assert_memory_equal(&a_local, &b_peer, sizeof(a_local));
    assert_memory_equal(&a_peer, &b_local, sizeof(a_peer));
    assert_memory_equal(&a_peer, &pair.at, sizeof(a_peer));
    sp_fails(WSAENOTCONN, sp_peer(pair.listener, &a_peer));
    sp_pair_close(&pair);
}

static void an_address_in_use(void **state)
{
    SOCKET first = sp_stream(), second = sp_stream();
    WSD_SOCKADDR_IN a;

    (void)state;
    sp_ok(sp_bind(first, &sp_env.here));
    sp_ok(sp_local(first, &a));
    sp_ok(sp_listen(first, 1));
    sp_fails(WSAEADDRINUSE, sp_bind(second, &a));
    sp_ok(sp_close(first));
    sp_ok(sp_bind(second, &a)); /* closed means free */
    sp_ok(sp_close(second));
}

/* B028, B030 */
static void an_address_shared_on_purpose(void **state)
{
    SOCKET first = sp_stream(), second = sp_stream();
    WSD_SOCKADDR_IN a;

    (void)state;
    sp_ok(sp_set_int(first, WS_SOL_SOCKET, WS_SO_REUSEADDR, 1));
    sp_fails(WSAEINVAL, sp_set_int(first, WS_SOL_SOCKET, WS_SO_EXCLUSIVEADDRUSE, 1));
    sp_ok(sp_set_int(second, WS_SOL_SOCKET, WS_SO_REUSEADDR, 1));
    sp_ok(sp_bind(first, &sp_env.here));
    sp_ok(sp_local(first, &a));
    sp_ok(sp_bind(second, &a));
    sp_ok(sp_close(first));
    sp_ok(sp_close(second));
    first = sp_stream();
    sp_ok(sp_set_int(first, WS_SOL_SOCKET, WS_SO_EXCLUSIVEADDRUSE, 1));
    sp_fails(WSAEINVAL, sp_set_int(first, WS_SOL_SOCKET, WS_SO_REUSEADDR, 1));
    sp_ok(sp_set_int(first, WS_SOL_SOCKET, WS_SO_EXCLUSIVEADDRUSE, 0));
    sp_ok(sp_set_int(first, WS_SOL_SOCKET, WS_SO_REUSEADDR, 1));
    sp_ok(sp_close(first));
}

/* Q31, Q32: the application's address stands, whoever carries the connection. */
static void a_bound_socket_keeps_its_name_when_it_connects(void **state)
{
    WSD_SOCKADDR_IN at, bound, now, seen;
    SOCKET l = sp_listener(1, &at), s = sp_stream(), b;

    (void)state;
    sp_ok(sp_bind(s, &sp_env.here));
    sp_ok(sp_local(s, &bound));
    sp_ok(sp_connect(s, &at));
    sp_carried(s);
    sp_ok(sp_local(s, &now));
    assert_memory_equal(&bound, &now, sizeof(now));
    sp_ok(sp_accept_if(l, NULL, 0, &seen, &b));
    assert_memory_equal(&bound, &seen, sizeof(seen));
    sp_ok(sp_close(s));
    sp_ok(sp_close(b));
    sp_ok(sp_close(l));
}

int sp_names(void)
{
    const struct CMUnitTest tests[] = {
        sp_test(addresses_that_do_not_do),
        sp_test(the_own_name),
        sp_test(room_for_names),
        sp_test(names_of_a_connection),
        sp_test(an_address_in_use),
        sp_test(an_address_shared_on_purpose),
        sp_test(a_bound_socket_keeps_its_name_when_it_connects),
    };

    return cmocka_run_group_tests_name("names", tests, NULL, NULL);
}
