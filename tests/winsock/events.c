/* events.c - WSAEventSelect, WSAEnumNetworkEvents: B150 to B173. */
#include "wt.h"

#define SHORT_MS 50 /* so long nothing must come */

/* The events that are asked for on a socket, and its event object. */
static WSAEVENT watch(SOCKET s, LONG events)
{
    WSAEVENT e = wt_event();

    OK(WSAEventSelect(s, e, events));
    return e;
}

/* All of `wanted` come within the time, each once, and nothing else; they need not come together. */
static void expect(SOCKET s, WSAEVENT e, LONG wanted)
{
    LONG seen = 0;

    while (seen != wanted) {
        LONG came = wt_events(s, e, wt_env.wait_ms);

        assert_int_not_equal(came, 0);
        assert_int_equal(came & ~wanted, 0);
        assert_int_equal(came & seen, 0);
        seen |= came;
    }
}

static void expect_none(SOCKET s, WSAEVENT e)
{
    assert_int_equal(wt_events(s, e, SHORT_MS), 0);
}

static void b150_what_a_fresh_socket_reports(void **state)
{
    struct wt_pair pair = wt_pair();
    SOCKADDR_IN name;
    SOCKET bound = wt_bound(&name);
    WSAEVENT e = watch(bound, FD_READ | FD_WRITE);

    (void)state;
    expect_none(bound, e);
    e = watch(pair.client, FD_READ | FD_WRITE);
    expect(pair.client, e, FD_WRITE);
    expect_none(pair.client, e);
}

static void b151_only_what_is_reported_is_written(void **state)
{
    struct wt_pair pair = wt_pair();
    WSAEVENT e = watch(pair.client, FD_READ | FD_WRITE);
    WSANETWORKEVENTS events;

    (void)state;
    assert_int_equal(WaitForSingleObject(e, wt_env.wait_ms), WAIT_OBJECT_0);
    memset(&events, 0xCC, sizeof(events));
    OK(WSAEnumNetworkEvents(pair.client, e, &events));
    assert_int_equal(events.lNetworkEvents, FD_WRITE);
    for (unsigned i = 0; i < FD_MAX_EVENTS; i++)
        assert_int_equal(events.iErrorCode[i], i == FD_WRITE_BIT ? 0 : (int)0xCCCCCCCCu);
}

static void b153_what_is_not_asked_for_stays_recorded(void **state)
{
    struct wt_pair pair = wt_pair();
    WSAEVENT e = watch(pair.server, FD_READ | FD_WRITE);

    (void)state;
    expect(pair.server, e, FD_WRITE);
    wt_send(pair.client, "data");
    assert_int_equal(WaitForSingleObject(e, wt_env.wait_ms), WAIT_OBJECT_0);
    OK(WSAEventSelect(pair.server, e, FD_WRITE | FD_CLOSE));
    ResetEvent(e);
    expect_none(pair.server, e);
    OK(WSAEventSelect(pair.server, e, FD_READ | FD_WRITE));
    expect(pair.server, e, FD_READ);
}

static void b154_a_connection_that_succeeds(void **state)
{
    SOCKADDR_IN name;
    SOCKET client = wt_socket();
    WSAEVENT e;

    (void)state;
    (void)wt_listener(&name);
    e = watch(client, FD_CONNECT | FD_WRITE | FD_READ | FD_CLOSE);
    expect_none(client, e);
    REFUSED(wt_connect(client, &name), WSAEWOULDBLOCK);
    expect(client, e, FD_CONNECT | FD_WRITE);
    expect_none(client, e);
}

/* Neither while the attempt is under way nor when it has failed can anything be written. */
static void b154_a_connection_that_is_not_made(void **state)
{
    SOCKADDR_IN nobody = wt_nobody(), silent = wt_silent();
    SOCKET pending = wt_bound_any(), refused = wt_socket();
    WSANETWORKEVENTS events;
    WSAEVENT e = watch(pending, FD_CONNECT | FD_WRITE);

    (void)state;
    REFUSED(wt_connect(pending, &silent), WSAEWOULDBLOCK);
    expect_none(pending, e);
    e = watch(refused, FD_CONNECT | FD_WRITE);
    REFUSED(wt_connect(refused, &nobody), WSAEWOULDBLOCK);
    assert_int_equal(WaitForSingleObject(e, wt_env.wait_ms), WAIT_OBJECT_0);
    memset(&events, 0, sizeof(events));
    OK(WSAEnumNetworkEvents(refused, e, &events));
    assert_int_equal(events.lNetworkEvents, FD_CONNECT);
    assert_int_equal(events.iErrorCode[FD_CONNECT_BIT], WSAECONNREFUSED);
    expect_none(refused, e);
}

static void b156_data_is_reported_once(void **state)
{
    struct wt_pair pair = wt_pair();
    WSAEVENT e = watch(pair.server, FD_READ);

    (void)state;
    wt_send(pair.client, "data");
    expect(pair.server, e, FD_READ);
    wt_send(pair.client, "more");
    expect_none(pair.server, e);
}

static void b157_a_receive_that_leaves_data(void **state)
{
    struct wt_pair pair = wt_pair();
    WSAEVENT e = watch(pair.server, FD_READ);
    char data[4];

    (void)state;
    wt_send(pair.client, "data");
    expect(pair.server, e, FD_READ);
    assert_int_equal(OK(recv(pair.server, data, 2, 0)), 2);
    expect(pair.server, e, FD_READ);
    assert_int_equal(OK(recv(pair.server, data, 2, 0)), 2);
    expect_none(pair.server, e);
}

static void select_again(SOCKET s, WSAEVENT e, LONG events)
{
    OK(WSAEventSelect(s, e, events));
    expect_none(s, e);
    OK(WSAEventSelect(s, e, 0));
    OK(WSAEventSelect(s, e, events));
    expect_none(s, e);
}

static void b159_b160_selecting_again_replays_nothing(void **state)
{
    struct wt_pair pair = wt_pair();
    WSAEVENT e = watch(pair.server, FD_READ | FD_WRITE);

    (void)state;
    wt_send(pair.client, "data");
    expect(pair.server, e, FD_READ | FD_WRITE);
    select_again(pair.server, e, FD_READ | FD_WRITE);
}

static void b159_b160_nor_a_connection_that_waits(void **state)
{
    SOCKADDR_IN name;
    SOCKET listener = wt_listener(&name);
    WSAEVENT e = watch(listener, FD_ACCEPT);

    (void)state;
    OK(wt_connect(wt_socket(), &name));
    expect(listener, e, FD_ACCEPT);
    select_again(listener, e, FD_ACCEPT);
}

static void b159_b160_nor_a_close(void **state)
{
    struct wt_pair pair = wt_pair();
    WSAEVENT e = watch(pair.server, FD_CLOSE);

    (void)state;
    OK(shutdown(pair.client, SD_SEND));
    expect(pair.server, e, FD_CLOSE);
    select_again(pair.server, e, FD_CLOSE);
}

static void b159_b160_nor_urgent_data(void **state)
{
    struct wt_pair pair = wt_pair();
    WSAEVENT e = watch(pair.server, FD_OOB);

    (void)state;
    assert_int_equal(OK(send(pair.client, "A", 1, MSG_OOB)), 1);
    expect(pair.server, e, FD_OOB);
    select_again(pair.server, e, FD_OOB);
}

static void b162_data_of_a_pending_receive_is_no_event(void **state)
{
    struct wt_pair pair = wt_pair();
    WSAEVENT e = watch(pair.server, FD_READ);
    char data[8];
    WSABUF buffer = {sizeof(data), data};
    WSAOVERLAPPED ov;

    (void)state;
    memset(&ov, 0, sizeof(ov));
    assert_int_equal(wt_receive_later(pair.server, &buffer, &ov), WSA_IO_PENDING);
    wt_send(pair.client, "one");
    assert_int_equal(wt_finish(pair.server, &ov), 3);
    expect_none(pair.server, e);
    wt_send(pair.client, "two");
    expect(pair.server, e, FD_READ);
}

static void b164_a_connection_that_came_before(void **state)
{
    SOCKADDR_IN name;
    SOCKET listener = wt_listener(&name);
    WSAEVENT e;

    (void)state;
    OK(wt_connect(wt_socket(), &name));
    wt_until_readable(listener);
    e = watch(listener, FD_ACCEPT);
    expect(listener, e, FD_ACCEPT);
    (void)wt_accept_one(listener);

    OK(WSAEventSelect(listener, e, FD_CONNECT));
    OK(wt_connect(wt_socket(), &name));
    wt_until_readable(listener);
    expect_none(listener, e);
    OK(WSAEventSelect(listener, e, FD_ACCEPT));
    expect(listener, e, FD_ACCEPT);
    (void)wt_accept_one(listener);

    OK(WSAEventSelect(listener, e, FD_CONNECT));
    OK(wt_connect(wt_socket(), &name));
    (void)wt_accept_one(listener);
    OK(WSAEventSelect(listener, e, FD_ACCEPT));
    expect_none(listener, e);
}

static void b165_the_event_object_is_left_alone(void **state)
{
    SOCKADDR_IN name;
    SOCKET listener = wt_listener(&name);
    WSAEVENT e = watch(listener, FD_CONNECT | FD_ACCEPT);

    (void)state;
    OK(wt_connect(wt_socket(), &name));
    assert_int_equal(WaitForSingleObject(e, wt_env.wait_ms), WAIT_OBJECT_0);
    OK(WSAEventSelect(listener, e, FD_CONNECT));
    assert_int_equal(WaitForSingleObject(e, SHORT_MS), WAIT_OBJECT_0);
    ResetEvent(e);
    assert_int_equal(WaitForSingleObject(e, SHORT_MS), WAIT_TIMEOUT);
    OK(WSAEventSelect(listener, e, FD_CONNECT | FD_ACCEPT));
    assert_int_equal(WaitForSingleObject(e, wt_env.wait_ms), WAIT_OBJECT_0);
}

static void b167_room_after_there_was_none(void **state)
{
    struct wt_pair pair = wt_pair();
    static char block[65536];
    WSAEVENT e = watch(pair.client, FD_WRITE);
    int sent = 0, got = 0, before, n;
    LONG came;

    (void)state;
    expect(pair.client, e, FD_WRITE);
    do { /* over loopback TCP may move more a moment after it took nothing; who says so has room */
        before = sent;
        while ((n = send(pair.client, block, sizeof(block), 0)) != SOCKET_ERROR)
            sent += n;
        assert_int_equal(WSAGetLastError(), WSAEWOULDBLOCK);
        assert_true(sent > before);
        came = wt_events(pair.client, e, SHORT_MS);
    } while (came == FD_WRITE);
    assert_int_equal(came, 0);
    while (got < sent)
        got += OK(recv(pair.server, block, sizeof(block), 0));
    expect(pair.client, e, FD_WRITE);
    expect_none(pair.client, e);
}

/* It comes alone, and says that nothing was wrong. */
static void expect_orderly_close(SOCKET s, WSAEVENT e)
{
    WSANETWORKEVENTS events;

    assert_int_equal(WaitForSingleObject(e, wt_env.wait_ms), WAIT_OBJECT_0);
    memset(&events, 0xCC, sizeof(events));
    OK(WSAEnumNetworkEvents(s, e, &events));
    assert_int_equal(events.lNetworkEvents, FD_CLOSE);
    assert_int_equal(events.iErrorCode[FD_CLOSE_BIT], 0);
}

static void b168_a_close_is_reported_once(void **state)
{
    struct wt_pair pair = wt_pair(), other = wt_pair();
    WSAEVENT e = watch(pair.server, FD_CLOSE);

    (void)state;
    OK(shutdown(pair.client, SD_SEND));
    expect_orderly_close(pair.server, e);
    wt_close(pair.client);
    expect_none(pair.server, e);

    e = watch(other.server, FD_CLOSE);
    wt_close(other.client);
    expect_orderly_close(other.server, e);
    expect_none(other.server, e);
}

static void b170_a_close_behind_unread_data(void **state)
{
    struct wt_pair pair = wt_pair();
    WSAEVENT e = watch(pair.server, FD_READ | FD_CLOSE);
    char data[8];

    (void)state;
    wt_send(pair.client, "data");
    wt_close(pair.client);
    expect(pair.server, e, FD_READ | FD_CLOSE);
    assert_int_equal(OK(recv(pair.server, data, 4, 0)), 4);
    expect_none(pair.server, e);
}

static void b171_a_close_that_came_before(void **state)
{
    struct wt_pair pair = wt_pair(), other = wt_pair();
    WSAEVENT e;

    (void)state;
    wt_close(pair.client);
    wt_until_readable(pair.server);
    e = watch(pair.server, FD_CLOSE);
    expect(pair.server, e, FD_CLOSE);

    e = watch(other.server, FD_READ);
    wt_close(other.client);
    wt_until_readable(other.server);
    expect_none(other.server, e);
    OK(WSAEventSelect(other.server, e, FD_CLOSE));
    expect(other.server, e, FD_CLOSE);
}

static void b173_selecting_makes_nonblocking(void **state)
{
    struct wt_pair pair = wt_pair();
    WSAEVENT e = watch(pair.server, FD_READ);
    u_long off = 0;
    char byte;

    (void)state;
    REFUSED(recv(pair.server, &byte, 1, 0), WSAEWOULDBLOCK);
    REFUSED(ioctlsocket(pair.server, (LONG)FIONBIO, &off), WSAEINVAL);
    OK(WSAEventSelect(pair.server, e, 0));
    OK(ioctlsocket(pair.server, (LONG)FIONBIO, &off));
}

static const struct wt_line lines[] = {
    WT(b150_what_a_fresh_socket_reports),
    WT(b151_only_what_is_reported_is_written),
    WT(b153_what_is_not_asked_for_stays_recorded),
    WT(b154_a_connection_that_succeeds),
    WT(b154_a_connection_that_is_not_made),
    WT(b156_data_is_reported_once),
    WT(b157_a_receive_that_leaves_data),
    WT(b159_b160_selecting_again_replays_nothing),
    WT(b159_b160_nor_a_connection_that_waits),
    WT(b159_b160_nor_a_close),
    WT(b159_b160_nor_urgent_data),
    WT(b162_data_of_a_pending_receive_is_no_event),
    WT(b164_a_connection_that_came_before),
    WT(b165_the_event_object_is_left_alone),
    WT(b167_room_after_there_was_none),
    WT(b168_a_close_is_reported_once),
    WT_EXCEPT(b170_a_close_behind_unread_data, WT_WINE | WT_DLL,
              "Wine tells of the close when the data has been read"),
    WT(b171_a_close_that_came_before),
    WT(b173_selecting_makes_nonblocking),
};
WT_GROUP(events, lines);
