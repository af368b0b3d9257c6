/* connecting.c - WSPConnect: blocking, non-blocking, refused, in wrong states. Contract 10.1, function 7; B044 to B057. */
#include "sp.h"

/* A port where nobody listens: bound, so that nobody else takes it. */
static SOCKET silent_port(WSD_SOCKADDR_IN *at)
{
    SOCKET s = sp_stream();

    sp_ok(sp_bind(s, &sp_env.here));
    sp_ok(sp_local(s, at));
    return s;
}

static int connect_raw(SOCKET s, const void *name, int bytes)
{
    INT error = 0;

    return sp.procs->lpWSPConnect(s, name, bytes, NULL, NULL, NULL, NULL, &error) == SOCKET_ERROR ? error : 0;
}

static void blocking_connect_comes_before_accept(void **state)
{
    struct sp_pair pair;

    (void)state;
    sp_pair_open(&pair);
    sp_echo(pair.a, pair.b, 1);
    sp_echo(pair.b, pair.a, 2);
    sp_pair_close(&pair);
}

static void non_blocking_connect_is_told_by_select(void **state)
{
    WSD_SOCKADDR_IN at;
    SOCKET l = sp_listener(1, &at), s = sp_stream(), b;
    unsigned ready;

    (void)state;
    sp_ok(sp_nonblocking(s, true));
    sp_fails(WSAEWOULDBLOCK, sp_connect(s, &at));
    sp_one_of(sp_connect(s, &at), WSAEALREADY, WSAEINVAL, WSAEISCONN);
    sp_ok(sp_select(s, SP_WRITE | SP_EXCEPT, sp_env.wait_ms, &ready));
    assert_int_equal(ready, SP_WRITE);
    sp_fails(WSAEISCONN, sp_connect(s, &at));
    sp_ok(sp_accept(l, &b));
    sp_carried(s);
    sp_carried(b);
    sp_ok(sp_nonblocking(s, false));
    sp_echo(s, b, 1);
    sp_ok(sp_close(s));
    sp_ok(sp_close(b));
    sp_ok(sp_close(l));
}

static void refused(void **state)
{
    WSD_SOCKADDR_IN nobody, at;
    SOCKET silent = silent_port(&nobody), l = sp_listener(1, &at), s = sp_stream(), b;
    int value = -1;

    (void)state;
    sp_fails(WSAECONNREFUSED, sp_connect(s, &nobody));
    sp_ok(sp_get_int(s, WS_SOL_SOCKET, WS_SO_ERROR, &value));
    assert_int_equal(value, 0); /* told already (B056) */
    sp_fails(WSAENOTCONN, sp_send(s, "x", 1, 0, NULL));
    sp_ok(sp_connect(s, &at)); /* and it may be tried again */
    sp_carried(s);
    sp_ok(sp_accept(l, &b));
    sp_echo(s, b, 1);
    sp_ok(sp_close(s));
    sp_ok(sp_close(b));
    sp_ok(sp_close(l));
    sp_ok(sp_close(silent));
}

/* B053, B054 */
static void refused_while_non_blocking(void **state)
{
    WSD_SOCKADDR_IN nobody, at;
    SOCKET silent = silent_port(&nobody), l = sp_listener(1, &at), s = sp_stream();
    unsigned ready;
    int value = 0;

    (void)state;
    sp_ok(sp_nonblocking(s, true));
    sp_fails(WSAEWOULDBLOCK, sp_connect(s, &nobody));
    sp_ok(sp_select(s, SP_READ | SP_WRITE | SP_EXCEPT, sp_env.wait_ms, &ready));
    assert_int_equal(ready, SP_EXCEPT);
    sp_ok(sp_get_int(s, WS_SOL_SOCKET, WS_SO_ERROR, &value));
    sp_fails(WSAECONNREFUSED, value);
    sp_ok(sp_get_int(s, WS_SOL_SOCKET, WS_SO_ERROR, &value));
    sp_fails(WSAECONNREFUSED, value); /* reading does not clear it */
    sp_fails(WSAEWOULDBLOCK, sp_connect(s, &at));
    sp_ok(sp_select(s, SP_WRITE | SP_EXCEPT, sp_env.wait_ms, &ready));
    assert_int_equal(ready, SP_WRITE);
    sp_ok(sp_get_int(s, WS_SOL_SOCKET, WS_SO_ERROR, &value));
    assert_int_equal(value, 0);
    sp_ok(sp_close(s));
    sp_ok(sp_close(l));
    sp_ok(sp_close(silent));
}

static void wrong_states(void **state)
{
    struct sp_pair pair;
    char byte;

    (void)state;
    sp_pair_open(&pair);
    sp_fails(WSAEISCONN, sp_connect(pair.a, &pair.at));
    sp_fails(WSAEISCONN, sp_connect(pair.b, &pair.at));
    sp_fails(WSAEINVAL, sp_connect(pair.listener, &pair.at));
    sp_one_of(sp_listen(pair.a, 1), WSAEISCONN, WSAEINVAL);
    sp_fails(WSAENOTCONN, sp_recv(pair.listener, &byte, 1, 0, NULL));
    sp_fails(WSAENOTCONN, sp_send(pair.listener, &byte, 1, 0, NULL));
    sp_pair_close(&pair);
}

static void before_it_is_connected(void **state)
{
    SOCKET s = sp_stream();
    WSD_SOCKADDR_IN peer;
    char byte = 0;
    int value = 0;

    (void)state;
    sp_fails(WSAENOTCONN, sp_send(s, &byte, 1, 0, NULL));
    sp_fails(WSAENOTCONN, sp_send(s, NULL, 0, 0, NULL));
    sp_fails(WSAENOTCONN, sp_recv(s, &byte, 1, 0, NULL));
    sp_fails(WSAENOTCONN, sp_peer(s, &peer));
    sp_fails(WSAENOTCONN, sp_shutdown(s, SD_SEND));
    sp_ok(sp_get_int(s, WS_SOL_SOCKET, WS_SO_CONNECT_TIME, &value));
    assert_int_equal(value, -1);
    sp_ok(sp_close(s));
}

static void wrong_names(void **state)
{
    WSD_SOCKADDR_IN at, wrong;
    SOCKET l = sp_listener(1, &at), s = sp_stream();

    (void)state;
    sp_fails(WSAEFAULT, connect_raw(s, NULL, sizeof(at)));
    sp_fails(WSAEFAULT, connect_raw(s, &at, sizeof(at) - 1));
    wrong = at;
    wrong.sin_family = 77;
    sp_fails(WSAEAFNOSUPPORT, sp_connect(s, &wrong));
    wrong = at;
    wrong.sin_addr.s_addr = 0;
    sp_fails(WSAEADDRNOTAVAIL, sp_connect(s, &wrong));
    wrong = at;
    wrong.sin_port = 0;
    sp_fails(WSAEADDRNOTAVAIL, sp_connect(s, &wrong));
    sp_ok(sp_connect(s, &at));
    sp_ok(sp_close(s));
    sp_ok(sp_close(l));
}

/* B057 */
static void how_long_it_is_connected(void **state)
{
    struct sp_pair pair;
    int a = -1, b = -1;

    (void)state;
    sp_pair_open(&pair);
    sp_ok(sp_get_int(pair.a, WS_SOL_SOCKET, WS_SO_CONNECT_TIME, &a));
    sp_ok(sp_get_int(pair.b, WS_SOL_SOCKET, WS_SO_CONNECT_TIME, &b));
    assert_in_range(a, 0, 60); /* the watchdog's seconds: it is not -1 */
    assert_in_range(b, 0, 60);
    sp_pair_close(&pair);
}

static void closing_ends_an_attempt(void **state)
{
    WSD_SOCKADDR_IN at;
    SOCKET l = sp_listener(5, &at);

    (void)state;
    for (unsigned i = 0; i < 10; i++) {
        SOCKET s = sp_stream();

        sp_ok(sp_nonblocking(s, true));
        sp_fails(WSAEWOULDBLOCK, sp_connect(s, &at));
        sp_ok(sp_close(s));
    }
    sp_ok(sp_close(l));
}

static void connect_data_is_not_served(void **state)
{
    WSD_SOCKADDR_IN at;
    SOCKET l = sp_listener(1, &at), s = sp_stream();
    WSABUF data = {3, (CHAR[]){"abc"}};
    INT error = 0;

    (void)state;
    assert_int_equal(
        sp.procs->lpWSPConnect(s, (const WSD_SOCKADDR *)&at, sizeof(at), &data, NULL, NULL, NULL, &error),
        SOCKET_ERROR);
    sp_one_of(error, WSAEPROTONOSUPPORT, WSAEOPNOTSUPP, WSAEINVAL);
    sp_ok(sp_close(s));
    sp_ok(sp_close(l));
}

int sp_connecting(void)
{
    const struct CMUnitTest tests[] = {
        sp_test(blocking_connect_comes_before_accept),
        sp_test(non_blocking_connect_is_told_by_select),
        sp_test(refused),
        sp_test(refused_while_non_blocking),
        sp_test(wrong_states),
        sp_test(before_it_is_connected),
        sp_test(wrong_names),
        sp_test(how_long_it_is_connected),
        sp_test(closing_ends_an_attempt),
        sp_test(connect_data_is_not_served),
    };

    return cmocka_run_group_tests_name("connecting", tests, NULL, NULL);
}
