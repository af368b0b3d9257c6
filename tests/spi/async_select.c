/* async_select.c - WSPAsyncSelect: the same events as messages through WPUPostMessage. Contract 10.1, function 2; its page. */
#include "sp.h"

#define WINDOW  ((HWND)(uintptr_t)0x1234)
#define MESSAGE 0x0407u

static int async_select(SOCKET s, UINT message, LONG events)
{
    INT error = 0;

    return sp.procs->lpWSPAsyncSelect(s, WINDOW, message, events, &error) == SOCKET_ERROR ? error : 0;
}

/* The next message is this event of this socket; its error. */
static int expect_message(SOCKET s, UINT message, LONG event)
{
    struct sw_message m;

    sp_ok(ws2_next_message(&m, sp_env.wait_ms));
    assert_true(m.window == WINDOW);
    assert_int_equal(m.message, message);
    assert_true((SOCKET)m.wparam == s);
    assert_int_equal(m.lparam & 0xFFFF, event);
    return (int)((ULONG_PTR)m.lparam >> 16 & 0xFFFFu);
}

static void expect_none(void)
{
    struct sw_message m;

    if (ws2_next_message(&m, 50) == 0)
        sp_fail("an unexpected message, event %#x", (unsigned)(m.lparam & 0xFFFF));
}

static void a_connection_in_messages(void **state)
{
    WSD_SOCKADDR_IN at;
    SOCKET l = sp_listener(1, &at), s = sp_stream(), b;
    char data[10];

    (void)state;
    sp_ok(async_select(l, MESSAGE, FD_ACCEPT));
    sp_ok(async_select(s, MESSAGE + 1, FD_CONNECT | FD_READ | FD_CLOSE));
    sp_fails(WSAEWOULDBLOCK, sp_connect(s, &at));
    struct sw_message first, second;
    sp_ok(ws2_next_message(&first, sp_env.wait_ms));
    sp_ok(ws2_next_message(&second, sp_env.wait_ms));
    if (first.message == MESSAGE + 1) { /* the two ends may be told in either order */
        struct sw_message swap = first;
        first = second;
        second = swap;
    }
    assert_true(first.message == MESSAGE && (SOCKET)first.wparam == l && first.lparam == FD_ACCEPT);
    assert_true(second.message == MESSAGE + 1 && (SOCKET)second.wparam == s && second.lparam == FD_CONNECT);
    sp_ok(sp_accept(l, &b));
    sp_ok(async_select(b, 0, 0)); /* it inherited FD_ACCEPT, which never comes */
    sp_ok(sp_nonblocking(b, false));
    sp_send_all(b, "data", 4);
    sp_ok(expect_message(s, MESSAGE + 1, FD_READ));
    expect_none();
    sp_ok(sp_recv(s, data, 2, 0, NULL));
    sp_ok(expect_message(s, MESSAGE + 1, FD_READ)); /* some is left */
    sp_ok(sp_recv(s, data, 2, 0, NULL));
    expect_none();
    sp_ok(sp_close(b));
    sp_ok(expect_message(s, MESSAGE + 1, FD_CLOSE));
    expect_none();
    sp_ok(sp_close(s));
    sp_ok(sp_close(l));
}

static void failure_is_in_the_high_word(void **state)
{
    WSD_SOCKADDR_IN nobody;
    SOCKET silent = sp_stream(), s = sp_stream();

    (void)state;
    sp_ok(sp_bind(silent, &sp_env.here));
    sp_ok(sp_local(silent, &nobody));
    sp_ok(async_select(s, MESSAGE, FD_CONNECT));
    sp_fails(WSAEWOULDBLOCK, sp_connect(s, &nobody));
    sp_fails(WSAECONNREFUSED, expect_message(s, MESSAGE, FD_CONNECT));
    sp_ok(sp_close(s));
    sp_ok(sp_close(silent));
}

/* Unlike WSPEventSelect, calling it again replays what still holds (winsock-behaviours, out-of-scope note; page of WSAAsyncSelect). */
static void selecting_again_replays(void **state)
{
    struct sp_pair pair;

    (void)state;
    sp_pair_open(&pair);
    sp_ok(async_select(pair.a, MESSAGE, FD_READ));
    sp_send_all(pair.b, "x", 1);
    sp_ok(expect_message(pair.a, MESSAGE, FD_READ));
    expect_none();
    sp_ok(async_select(pair.a, MESSAGE + 2, FD_READ));
    sp_ok(expect_message(pair.a, MESSAGE + 2, FD_READ));
    expect_none();
    sp_pair_close(&pair);
}

static void cancelled_and_non_blocking(void **state)
{
    struct sp_pair pair;
    char byte;

    (void)state;
    sp_pair_open(&pair);
    sp_ok(async_select(pair.a, MESSAGE, FD_READ));
    sp_fails(WSAEWOULDBLOCK, sp_recv(pair.a, &byte, 1, 0, NULL));
    sp_fails(WSAEINVAL, sp_nonblocking(pair.a, false));
    sp_ok(async_select(pair.a, 0, 0));
    sp_send_all(pair.b, "x", 1);
    expect_none();
    sp_ok(sp_nonblocking(pair.a, false));
    sp_ok(sp_recv(pair.a, &byte, 1, 0, NULL));
    sp_pair_close(&pair);
}

/* One kind of telling at a time: the newest. */
static void an_event_selection_replaces_it(void **state)
{
    struct sp_pair pair;
    WSAEVENT event = sw_event_create(true, false);

    (void)state;
    sp_pair_open(&pair);
    sp_ok(async_select(pair.a, MESSAGE, FD_READ));
    sp_ok(sp_event_select(pair.a, event, FD_READ));
    sp_send_all(pair.b, "x", 1);
    sp_expect_events(pair.a, event, FD_READ, NULL);
    expect_none();
    sp_pair_close(&pair);
    sp_ok(sw_event_close(event));
}

int sp_async_select(void)
{
    const struct CMUnitTest tests[] = {
        sp_test(a_connection_in_messages),       sp_test(failure_is_in_the_high_word),
        sp_test(selecting_again_replays),        sp_test(cancelled_and_non_blocking),
        sp_test(an_event_selection_replaces_it),
    };

    return cmocka_run_group_tests_name("async_select", tests, NULL, NULL);
}
