/* closing.c - shutdown, linger, resets, DisconnectEx: B133 to B148; urgent data: B216. */
#include "wt.h"

static void b133_an_unknown_direction(void **state)
{
    (void)state;
    REFUSED(shutdown(wt_pair().client, 123), WSAEINVAL);
}

static void b134_twice(void **state)
{
    struct wt_pair pair = wt_pair();

    (void)state;
    OK(shutdown(pair.client, SD_SEND));
    OK(shutdown(pair.client, SD_SEND));
}

static void b136_no_more_receiving(void **state)
{
    struct wt_pair pair = wt_pair();
    char byte;

    (void)state;
    OK(shutdown(pair.client, SD_RECEIVE));
    REFUSED(recv(pair.client, &byte, 1, 0), WSAESHUTDOWN);
    REFUSED(recv(pair.client, &byte, 1, 0), WSAESHUTDOWN);
    OK(shutdown(pair.server, SD_BOTH));
    REFUSED(recv(pair.server, &byte, 1, 0), WSAESHUTDOWN);
    REFUSED(recv(pair.server, &byte, 1, 0), WSAESHUTDOWN);
}

static void b137_the_other_direction_goes_on(void **state)
{
    struct wt_pair pair = wt_pair();
    char byte;

    (void)state;
    wt_send(pair.server, "before");
    OK(shutdown(pair.client, SD_SEND));
    wt_until_readable(pair.server);
    assert_int_equal(OK(recv(pair.server, &byte, 1, 0)), 0);
    wt_send(pair.server, "after");
    wt_receive(pair.client, "beforeafter");
}

static void b139_a_pending_receive_ends(void **state)
{
    struct wt_pair pair = wt_pair();
    char data[4];
    WSABUF buffer = {sizeof(data), data};
    WSAOVERLAPPED ov;

    (void)state;
    memset(&ov, 0, sizeof(ov));
    assert_int_equal(wt_receive_later(pair.server, &buffer, &ov), WSA_IO_PENDING);
    OK(shutdown(pair.client, SD_SEND));
    assert_int_equal(wt_finish(pair.server, &ov), 0);
}

static void expect_peer(SOCKET s, const SOCKADDR_IN *peer)
{
    SOCKADDR_IN name;
    int bytes = sizeof(name);

    memset(&name, 0, sizeof(name));
    OK(getpeername(s, (struct sockaddr *)&name, &bytes));
    assert_int_equal(bytes, sizeof(name));
    assert_int_equal(name.sin_port, peer->sin_port);
    assert_int_equal(name.sin_addr.s_addr, peer->sin_addr.s_addr);
}

static void b140_the_peer_keeps_its_name(void **state)
{
    struct wt_pair pair = wt_pair();
    SOCKADDR_IN client, server;
    int bytes = sizeof(client);

    (void)state;
    OK(getsockname(pair.client, (struct sockaddr *)&client, &bytes));
    OK(getsockname(pair.server, (struct sockaddr *)&server, &bytes));
    OK(shutdown(pair.client, SD_BOTH));
    OK(shutdown(pair.server, SD_BOTH));
    expect_peer(pair.client, &server);
    expect_peer(pair.server, &client);
}

static void b142_a_receive_after_a_reset(void **state)
{
    struct wt_pair pair = wt_pair();
    char byte;

    (void)state;
    wt_reset(pair.client);
    wt_until_readable(pair.server);
    REFUSED(recv(pair.server, &byte, 1, 0), WSAECONNRESET);
    REFUSED(recv(pair.server, &byte, 1, 0), WSAECONNRESET);
}

static void b145_linger(void **state)
{
    SOCKET s = wt_socket();
    struct linger linger = {1, 5};
    int bytes = sizeof(linger);

    (void)state;
    OK(setsockopt(s, SOL_SOCKET, SO_LINGER, (const char *)&linger, sizeof(linger)));
    memset(&linger, 0, sizeof(linger));
    OK(getsockopt(s, SOL_SOCKET, SO_LINGER, (char *)&linger, &bytes));
    assert_int_equal(linger.l_onoff, 1);
    assert_int_equal(linger.l_linger, 5);
    assert_int_equal(wt_get(s, SOL_SOCKET, SO_DONTLINGER), 0);
    linger.l_onoff = 0;
    OK(setsockopt(s, SOL_SOCKET, SO_LINGER, (const char *)&linger, sizeof(linger)));
    OK(getsockopt(s, SOL_SOCKET, SO_LINGER, (char *)&linger, &bytes));
    assert_int_equal(linger.l_onoff, 0);
    assert_int_equal(wt_get(s, SOL_SOCKET, SO_DONTLINGER), 1);
}

static void b147_disconnectex_later(void **state)
{
    struct wt_pair pair = wt_pair();
    WSAOVERLAPPED ov;
    char byte = 0;

    (void)state;
    memset(&ov, 0, sizeof(ov));
    FALSE_OF(wt_disconnect_ex(pair.client)(pair.client, &ov, 0, 0), ERROR_IO_PENDING);
    assert_int_equal(wt_finish(pair.client, &ov), 0);
    REFUSED(send(pair.client, &byte, 1, 0), WSAESHUTDOWN);
    wt_send(pair.server, "still");
    wt_receive(pair.client, "still");
}

static void b148_disconnectex_now(void **state)
{
    struct wt_pair pair = wt_pair();

    (void)state;
    TRUE_OF(wt_disconnect_ex(pair.client)(pair.client, NULL, 0, 0));
    TRUE_OF(wt_disconnect_ex(pair.client)(pair.client, NULL, 0, 0));
}

static void b216_urgent_data_inline(void **state)
{
    struct wt_pair pair = wt_pair();
    struct timeval at_once = {0, 0};
    fd_set except;
    char byte;

    (void)state;
    OK(wt_set(pair.server, SOL_SOCKET, SO_OOBINLINE, 1));
    assert_int_equal(OK(send(pair.client, "A", 1, MSG_OOB)), 1);
    wt_until_readable(pair.server);
    FD_ZERO(&except);
    FD_SET(pair.server, &except);
    assert_int_equal(OK(select(0, NULL, NULL, &except, &at_once)), 0);
    REFUSED(recv(pair.server, &byte, 1, MSG_OOB), WSAEINVAL);
    assert_int_equal(OK(recv(pair.server, &byte, 1, 0)), 1);
    assert_int_equal(byte, 'A');
}

static const struct wt_line lines[] = {
    WT(b133_an_unknown_direction),
    WT(b134_twice),
    WT(b136_no_more_receiving),
    WT(b137_the_other_direction_goes_on),
    WT(b139_a_pending_receive_ends),
    WT_EXCEPT(b140_the_peer_keeps_its_name, WT_WINE, "Wine's host has forgotten it"),
    WT_EXCEPT(b142_a_receive_after_a_reset, WT_WINE, "Wine tells a reset once, then the end"),
    WT(b145_linger),
    WT(b147_disconnectex_later),
    WT(b148_disconnectex_now),
    WT(b216_urgent_data_inline),
};
WT_GROUP(closing, lines);
