/* accepting.c - listen and accept: B031 to B042. */
#include "wt.h"

static void b031_listen_wants_a_name(void **state)
{
    SOCKET s = wt_socket();

    (void)state;
    REFUSED(listen(s, 0), WSAEINVAL);
    REFUSED(listen(s, 5), WSAEINVAL);
    REFUSED(listen(s, -1), WSAEINVAL);
}

static void b033_acceptconn_tells_who_listens(void **state)
{
    SOCKADDR_IN name;
    SOCKET s = wt_bound(&name);

    (void)state;
    assert_int_equal(wt_get(s, SOL_SOCKET, SO_ACCEPTCONN), 0);
    OK(listen(s, 1));
    assert_int_equal(wt_get(s, SOL_SOCKET, SO_ACCEPTCONN), 1);
}

static void b034_acceptconn_cannot_be_set(void **state)
{
    SOCKADDR_IN name;
    SOCKET s = wt_bound(&name);

    (void)state;
    REFUSED(wt_set(s, SOL_SOCKET, SO_ACCEPTCONN, 1), WSAENOPROTOOPT);
    OK(listen(s, 1));
    REFUSED(wt_set(s, SOL_SOCKET, SO_ACCEPTCONN, 1), WSAENOPROTOOPT);
}

static void b036_accept_without_a_length(void **state)
{
    SOCKADDR_IN name, peer, untouched;
    SOCKET listener = wt_listener(&name);

    (void)state;
    memset(&peer, 0x5A, sizeof(peer));
    untouched = peer;
    OK(wt_connect(wt_socket(), &name));
    wt_until_readable(listener);
    (void)wt_keep(accept(listener, (struct sockaddr *)&peer, NULL));
    assert_memory_equal(&peer, &untouched, sizeof(peer));
}

static void b037_accept_tells_the_true_length(void **state)
{
    SOCKADDR_STORAGE peer;
    SOCKADDR_IN name;
    int bytes = sizeof(peer);
    SOCKET listener = wt_listener(&name);

    (void)state;
    memset(&peer, 0, sizeof(peer));
    OK(wt_connect(wt_socket(), &name));
    wt_until_readable(listener);
    (void)wt_keep(accept(listener, (struct sockaddr *)&peer, &bytes));
    assert_int_equal(bytes, sizeof(SOCKADDR_IN));
    assert_int_equal(peer.ss_family, AF_INET);
}

static DWORD WINAPI close_soon(LPVOID socket_at)
{
    Sleep(200); /* by then the other thread most likely waits; when it does not, the test holds as well */
    closesocket(*(SOCKET *)socket_at);
    return 0;
}

static void b039_closing_ends_a_blocked_accept(void **state)
{
    SOCKADDR_IN name;
    SOCKET listener = wt_bound(&name); /* the thread closes it: the teardown may find it gone */
    HANDLE closer;

    (void)state;
    OK(listen(listener, 1));
    closer = wt_thread(close_soon, &listener);
    assert_int_equal(accept(listener, NULL, NULL), INVALID_SOCKET);
    wt_join(closer);
}

static void b040_an_accepted_socket_inherits(void **state)
{
    SOCKADDR_IN name;
    SOCKET listener = wt_socket(), s;
    struct linger linger = {1, 42};
    int bytes = sizeof(name);

    (void)state;
    OK(wt_set(listener, SOL_SOCKET, SO_REUSEADDR, 1));
    OK(wt_set(listener, SOL_SOCKET, SO_KEEPALIVE, 1));
    OK(wt_set(listener, SOL_SOCKET, SO_OOBINLINE, 1));
    OK(wt_set(listener, SOL_SOCKET, SO_SNDBUF, 8192));
    OK(wt_set(listener, SOL_SOCKET, SO_RCVBUF, 8192));
    OK(wt_set(listener, SOL_SOCKET, SO_SNDTIMEO, 1000));
    OK(wt_set(listener, SOL_SOCKET, SO_RCVTIMEO, 2000));
    OK(wt_set(listener, IPPROTO_TCP, TCP_NODELAY, 1));
    OK(setsockopt(listener, SOL_SOCKET, SO_LINGER, (const char *)&linger, sizeof(linger)));
    OK(bind(listener, (const struct sockaddr *)&wt_env.here, sizeof(wt_env.here)));
    OK(getsockname(listener, (struct sockaddr *)&name, &bytes));
    OK(listen(listener, 1));
    OK(wt_connect(wt_socket(), &name));
    s = wt_accept_one(listener);
    assert_int_equal(wt_get(s, SOL_SOCKET, SO_REUSEADDR), 1);
    assert_int_equal(wt_get(s, SOL_SOCKET, SO_KEEPALIVE), 1);
    assert_int_equal(wt_get(s, SOL_SOCKET, SO_OOBINLINE), 1);
    assert_int_equal(wt_get(s, SOL_SOCKET, SO_SNDBUF), 8192);
    assert_int_equal(wt_get(s, SOL_SOCKET, SO_RCVBUF), 8192);
    assert_int_equal(wt_get(s, SOL_SOCKET, SO_SNDTIMEO), 1000);
    assert_int_equal(wt_get(s, SOL_SOCKET, SO_RCVTIMEO), 2000);
    assert_int_equal(wt_get(s, IPPROTO_TCP, TCP_NODELAY), 1);
    memset(&linger, 0, sizeof(linger));
    bytes = sizeof(linger);
    OK(getsockopt(s, SOL_SOCKET, SO_LINGER, (char *)&linger, &bytes));
    assert_int_equal(linger.l_onoff, 1);
    assert_int_equal(linger.l_linger, 42);
}

static void b042_a_listener_is_not_connected(void **state)
{
    SOCKADDR_IN name;
    SOCKET listener = wt_listener(&name);

    (void)state;
    REFUSED(shutdown(listener, SD_RECEIVE), WSAENOTCONN);
    REFUSED(shutdown(listener, SD_SEND), WSAENOTCONN);
}

static const struct wt_line lines[] = {
    WT(b031_listen_wants_a_name),          WT(b033_acceptconn_tells_who_listens),
    WT(b034_acceptconn_cannot_be_set),     WT(b036_accept_without_a_length),
    WT(b037_accept_tells_the_true_length), WT(b039_closing_ends_a_blocked_accept),
    WT(b040_an_accepted_socket_inherits),  WT(b042_a_listener_is_not_connected),
};
WT_GROUP(accepting, lines);
