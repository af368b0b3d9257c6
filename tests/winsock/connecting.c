/* connecting.c - connect: B044 to B057. */
#include "wt.h"

/* Which of the sets a socket is in within the time: bit 0 read, 1 write, 2 except. */
static unsigned selected(SOCKET s, DWORD ms)
{
    struct timeval time = {(LONG)(ms / 1000), (LONG)(ms % 1000 * 1000)};
    fd_set sets[3];
    unsigned found = 0;

    for (unsigned i = 0; i < 3; i++) {
        FD_ZERO(&sets[i]);
        FD_SET(s, &sets[i]);
    }
    OK(select(0, &sets[0], &sets[1], &sets[2], &time));
    for (unsigned i = 0; i < 3; i++)
        found |= FD_ISSET(s, &sets[i]) ? 1u << i : 0;
    return found;
}

static void b044_nobody_listens(void **state)
{
    SOCKADDR_IN nobody = wt_nobody();

    (void)state;
    REFUSED(wt_connect(wt_socket(), &nobody), WSAECONNREFUSED);
}

static void b045_a_nonblocking_connect_never_succeeds_at_once(void **state)
{
    SOCKADDR_IN name;
    SOCKET client = wt_socket();

    (void)state;
    (void)wt_listener(&name);
    wt_nonblocking(client, true);
    REFUSED(wt_connect(client, &name), WSAEWOULDBLOCK);
}

static void connect_silently(SOCKET s, WSAOVERLAPPED *ov)
{
    SOCKADDR_IN to = wt_silent();

    FALSE_OF(wt_connect_ex(s)(s, (const struct sockaddr *)&to, sizeof(to), NULL, 0, NULL, ov),
             ERROR_IO_PENDING);
}

static void b047_one_attempt_at_a_time(void **state)
{
    SOCKADDR_IN to = wt_silent();
    SOCKET s = wt_bound_any();
    static WSAOVERLAPPED ov, other;

    (void)state;
    memset(&ov, 0, sizeof(ov));
    memset(&other, 0, sizeof(other));
    connect_silently(s, &ov);
    REFUSED(wt_connect(s, &to), WSAEINVAL);
    FALSE_OF(wt_connect_ex(s)(s, (const struct sockaddr *)&to, sizeof(to), NULL, 0, NULL, &other), WSAEINVAL);
    wt_close(s);
    s = wt_bound_any();
    wt_nonblocking(s, true);
    REFUSED(wt_connect(s, &to), WSAEWOULDBLOCK);
    FALSE_OF(wt_connect_ex(s)(s, (const struct sockaddr *)&to, sizeof(to), NULL, 0, NULL, &other), WSAEINVAL);
}

static void b048_no_data_while_connecting(void **state)
{
    SOCKET s = wt_bound_any();
    static WSAOVERLAPPED ov;
    char byte = 0;

    (void)state;
    memset(&ov, 0, sizeof(ov));
    connect_silently(s, &ov);
    REFUSED(send(s, &byte, 1, 0), WSAENOTCONN);
    REFUSED(recv(s, &byte, 1, 0), WSAENOTCONN);
    assert_false(HasOverlappedIoCompleted(&ov));
    wt_close(s);
}

static void b050_no_peer_while_connecting(void **state)
{
    SOCKET s = wt_bound_any();
    static WSAOVERLAPPED ov;
    SOCKADDR_IN peer;
    int bytes = sizeof(peer);

    (void)state;
    memset(&ov, 0, sizeof(ov));
    connect_silently(s, &ov);
    REFUSED(getpeername(s, (struct sockaddr *)&peer, &bytes), WSAENOTCONN);
    assert_false(HasOverlappedIoCompleted(&ov));
    wt_close(s);
}

static void b051_connected_is_connected(void **state)
{
    struct wt_pair pair = wt_pair();
    SOCKADDR_IN nobody = wt_nobody();

    (void)state;
    REFUSED(wt_connect(pair.client, &nobody), WSAEISCONN);
    REFUSED(wt_connect(pair.server, &nobody), WSAEISCONN);
}

static void fail_to_connect(SOCKET s)
{
    SOCKADDR_IN nobody = wt_nobody();

    wt_nonblocking(s, true);
    REFUSED(wt_connect(s, &nobody), WSAEWOULDBLOCK);
    assert_int_equal(selected(s, wt_env.wait_ms) & 4, 4);
}

static void b053_a_failed_attempt_is_an_except(void **state)
{
    SOCKET s = wt_socket();

    (void)state;
    fail_to_connect(s);
    assert_int_equal(selected(s, 0), 4);
    assert_int_equal(wt_get(s, SOL_SOCKET, SO_ERROR), WSAECONNREFUSED);
    assert_int_equal(wt_get(s, SOL_SOCKET, SO_ERROR), WSAECONNREFUSED);
}

static void b054_success_clears_the_error(void **state)
{
    SOCKET s = wt_socket();
    SOCKADDR_IN name;

    (void)state;
    fail_to_connect(s);
    (void)wt_listener(&name);
    assert_int_equal(wt_connect(s, &name), SOCKET_ERROR);
    if (wt_env.lane == WT_WINE &&
        WSAGetLastError() == WSAECONNABORTED) /* Linux below: once after one that failed */
        assert_int_equal(wt_connect(s, &name), SOCKET_ERROR);
    assert_int_equal(WSAGetLastError(), WSAEWOULDBLOCK);
    assert_int_equal(selected(s, wt_env.wait_ms), 2);
    assert_int_equal(wt_get(s, SOL_SOCKET, SO_ERROR), 0);
}

static void b056_a_failed_blocking_attempt_leaves_no_error(void **state)
{
    SOCKET s = wt_socket();
    SOCKADDR_IN nobody = wt_nobody();

    (void)state;
    REFUSED(wt_connect(s, &nobody), WSAECONNREFUSED);
    assert_int_equal(selected(s, 0), 4);
    assert_int_equal(wt_get(s, SOL_SOCKET, SO_ERROR), 0);
}

static void b057_connect_time(void **state)
{
    struct wt_pair pair = wt_pair();

    (void)state;
    assert_int_equal(wt_get(wt_socket(), SOL_SOCKET, SO_CONNECT_TIME), -1);
    assert_in_range(wt_get(pair.client, SOL_SOCKET, SO_CONNECT_TIME), 0,
                    30); /* 0, unless the machine stood still */
    assert_in_range(wt_get(pair.server, SOL_SOCKET, SO_CONNECT_TIME), 0, 30);
}

static const struct wt_line lines[] = {
    WT(b044_nobody_listens),
    WT(b045_a_nonblocking_connect_never_succeeds_at_once),
    WT(b047_one_attempt_at_a_time),
    WT_EXCEPT(b048_no_data_while_connecting, WT_WINE, "Wine lets the call through"),
    WT(b050_no_peer_while_connecting),
    WT(b051_connected_is_connected),
    WT_EXCEPT(b053_a_failed_attempt_is_an_except, WT_WINE, "Wine now and then reports it as readable too"),
    WT(b054_success_clears_the_error),
    WT_EXCEPT(b056_a_failed_blocking_attempt_leaves_no_error, WT_WINE,
              "Wine keeps the error, or reports no except"),
    WT(b057_connect_time),
};
WT_GROUP(connecting, lines);
