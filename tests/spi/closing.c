/* closing.c - shutdown, disconnecting, linger, abort. Contract 10.1, functions 6, 20, 24, 27; 10.3 "Close and linger"; B133 to B145. */
#include "sp.h"

static void half_closed_the_other_half_flows(void **state)
{
    struct sp_pair pair;

    (void)state;
    sp_pair_open(&pair);
    sp_echo(pair.b, pair.a, 1);
    sp_ok(sp_shutdown(pair.a, SD_SEND));
    sp_ok(sp_shutdown(pair.a, SD_SEND)); /* B134 */
    sp_expect_end(pair.b);
    sp_expect_end(pair.b); /* each time */
    sp_echo(pair.b, pair.a, 2);
    sp_fails(WSAESHUTDOWN, sp_send(pair.a, "x", 1, 0, NULL));
    sp_ok(sp_shutdown(pair.b, SD_SEND));
    sp_expect_end(pair.a);
    WSD_SOCKADDR_IN peer;
    sp_ok(sp_peer(pair.a, &peer)); /* B140 */
    sp_pair_close(&pair);
}

static void receiving_is_over_when_one_says_so(void **state)
{
    struct sp_pair pair;
    char byte;

    (void)state;
    sp_pair_open(&pair);
    sp_fails(WSAEINVAL, sp_shutdown(pair.a, 77)); /* B133 */
    sp_ok(sp_shutdown(pair.a, SD_RECEIVE));
    sp_fails(WSAESHUTDOWN, sp_recv(pair.a, &byte, 1, 0, NULL));
    sp_fails(WSAESHUTDOWN, sp_recv(pair.a, &byte, 1, 0, NULL));
    sp_echo(pair.a, pair.b, 1); /* the other way goes on */
    sp_ok(sp_shutdown(pair.a, SD_BOTH));
    sp_fails(WSAESHUTDOWN, sp_send(pair.a, "x", 1, 0, NULL));
    sp_fails(WSAESHUTDOWN, sp_recv(pair.a, &byte, 1, 0, NULL));
    sp_expect_end(pair.b);
    sp_pair_close(&pair);
}

/* B139; windows.md, trap 6 */
static void pending_receives_and_shutdown(void **state)
{
    struct sp_pair pair;
    WSAOVERLAPPED ov = {.hEvent = NULL};
    char data[10];
    WSABUF buffer = {sizeof(data), data};
    DWORD bytes = 9;

    (void)state;
    sp_pair_open(&pair);
    sp_fails(WSA_IO_PENDING, sp_recv_overlapped(pair.a, &buffer, 1, 0, &ov));
    sp_ok(sp_shutdown(pair.a, SD_RECEIVE));
    sp_send_all(pair.b, "late", 4);
    sp_ok(sp_finish(pair.a, &ov, &bytes));
    assert_int_equal(bytes, 4);
    sp_fails(WSA_IO_PENDING, sp_recv_overlapped(pair.b, &buffer, 1, 0, &ov));
    sp_ok(sp_shutdown(pair.a, SD_SEND));
    sp_ok(sp_finish(pair.b, &ov, &bytes));
    assert_int_equal(bytes, 0);
    sp_pair_close(&pair);
}

static void disconnecting_calls(void **state)
{
    struct sp_pair pair;
    INT error = 0;
    char byte;
    WSABUF disconnect_data = {1, &byte};

    (void)state;
    sp_pair_open(&pair);
    assert_int_equal(sp.procs->lpWSPSendDisconnect(pair.a, &disconnect_data, &error), SOCKET_ERROR);
    sp_fails(WSAENOPROTOOPT, error);
    sp_echo(pair.a, pair.b, 1); /* refused means nothing happened */
    assert_int_equal(sp.procs->lpWSPSendDisconnect(pair.a, NULL, &error), 0);
    sp_expect_end(pair.b);
    assert_int_equal(sp.procs->lpWSPRecvDisconnect(pair.a, NULL, &error), 0);
    sp_fails(WSAESHUTDOWN, sp_recv(pair.a, &byte, 1, 0, NULL));
    sp_fails(WSAESHUTDOWN, sp_send(pair.a, &byte, 1, 0, NULL));
    SOCKET fresh = sp_stream();
    assert_int_equal(sp.procs->lpWSPSendDisconnect(fresh, NULL, &error), SOCKET_ERROR);
    sp_fails(WSAENOTCONN, error);
    assert_int_equal(sp.procs->lpWSPRecvDisconnect(fresh, NULL, &error), SOCKET_ERROR);
    sp_fails(WSAENOTCONN, error);
    sp_ok(sp_close(fresh));
    sp_pair_close(&pair);
}

/* All that was sent before a close arrives, then the end. linger_s 0: the default, closing in the background. */
static void close_behind_bytes(unsigned bytes, unsigned linger_s)
{
    struct sp_pair pair;
    struct sp_reader reader = {.seed = 5, .piece_bytes = 5000, .want = bytes};
    char *data = malloc(bytes);

    assert_non_null(data);
    sp_pair_open(&pair);
    sp_fill(data, bytes, 5, 0);
    if (linger_s != 0)
        sp_ok(sp_set_linger(pair.a, true, linger_s));
    reader.s = pair.b;
    sp_reader_start(&reader);
    sp_send_all(pair.a, data, bytes);
    sp_ok(sp_close(pair.a));
    pair.a = INVALID_SOCKET;
    sp_reader_join(&reader);
    sp_expect_end(pair.b);
    free(data);
    sp_pair_close(&pair);
}

static void closing_leaves_the_bytes_on_their_way(void **state)
{
    (void)state;
    close_behind_bytes(300000, 0);
}

static void an_abortive_close_resets(void **state)
{
    struct sp_pair pair;
    char byte;

    (void)state;
    sp_skip_on_wine_tcp("tells a reset as an end of the stream");
    sp_pair_open(&pair);
    sp_ok(sp_set_linger(pair.a, true, 0));
    sp_ok(sp_close(pair.a));
    pair.a = INVALID_SOCKET;
    sp_fails(WSAECONNRESET, sp_recv(pair.b, &byte, 1, 0, NULL));
    sp_fails(WSAECONNRESET, sp_recv(pair.b, &byte, 1, 0, NULL)); /* B142 */
    sp_one_of(sp_send(pair.b, &byte, 1, 0, NULL), WSAECONNRESET, WSAECONNABORTED);
    sp_pair_close(&pair);
}

static void lingering_waits_until_it_is_sent(void **state)
{
    (void)state;
    close_behind_bytes(200000, 10);
}

/* 10.3: lingering with a time on a non-blocking socket fails with WSAEWOULDBLOCK while something is unsent, and the handle stays. */
static void lingering_does_not_wait_on_a_non_blocking_socket(void **state)
{
    struct sp_pair pair;
    uint64_t total;

    (void)state;
    sp_pair_open(&pair);
    sp_ok(sp_nonblocking(pair.a, true));
    total = sp_fill_up(pair.a);
    sp_ok(sp_set_linger(pair.a, true, 10));
    sp_fails(WSAEWOULDBLOCK, sp_close(pair.a));
    assert_true(ws2_handle_is_open(pair.a));
    sp_drain(pair.b, total);
    sp_ok(sp_set_linger(pair.a, false, 0));
    sp_ok(sp_close(pair.a));
    pair.a = INVALID_SOCKET;
    sp_expect_end(pair.b);
    sp_pair_close(&pair);
}

static void linger_as_an_option(void **state)
{
    SOCKET s = sp_stream();
    WSD_LINGER linger = {.l_onoff = 9};
    int bytes = sizeof(linger), value = -1;

    (void)state;
    sp_ok(sp_get(s, WS_SOL_SOCKET, WS_SO_LINGER, &linger, &bytes));
    assert_int_equal(linger.l_onoff, 0);
    sp_ok(sp_get_int(s, WS_SOL_SOCKET, WS_SO_DONTLINGER, &value));
    assert_int_equal(value, 1);
    sp_ok(sp_set_linger(s, true, 5));
    bytes = sizeof(linger);
    sp_ok(sp_get(s, WS_SOL_SOCKET, WS_SO_LINGER, &linger, &bytes));
    assert_int_equal(linger.l_onoff, 1);
    assert_int_equal(linger.l_linger, 5);
    sp_ok(sp_get_int(s, WS_SOL_SOCKET, WS_SO_DONTLINGER, &value));
    assert_int_equal(value, 0);
    sp_ok(sp_set_int(s, WS_SOL_SOCKET, WS_SO_DONTLINGER, 1));
    bytes = sizeof(linger);
    sp_ok(sp_get(s, WS_SOL_SOCKET, WS_SO_LINGER, &linger, &bytes));
    assert_int_equal(linger.l_onoff, 0);
    sp_ok(sp_close(s));
}

/* Who sent what the peer has not read learns that it did not (RFC 2525, 2.17). */
static void closing_with_bytes_unread_resets(void **state)
{
    enum { BYTES = 32 << 20 };
    struct sp_pair pair;
    char *out = calloc(1, BYTES), data[10];
    WSABUF buffer = {BYTES, out};
    WSAOVERLAPPED ov = {.hEvent = NULL};
    unsigned ready = 0;

    (void)state;
    sp_pair_open(&pair);
    sp_fails(WSA_IO_PENDING, sp_send_overlapped(pair.a, &buffer, 1, &ov));
    sp_ok(sp_select(pair.b, SP_READ, sp_env.wait_ms, &ready));
    assert_int_equal(ready, SP_READ);
    sp_ok(sp_close(pair.b));
    pair.b = INVALID_SOCKET;
    sp_one_of(sp_finish(pair.a, &ov, NULL), WSAECONNRESET, WSAECONNABORTED);
    sp_one_of(sp_recv(pair.a, data, sizeof(data), 0, NULL), WSAECONNRESET, WSAECONNABORTED);
    free(out);
    sp_pair_close(&pair);
}

static void both_ends_close_at_once(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        struct sp_pair pair;

        sp_pair_open(&pair);
        sp_ok(sp_send(pair.a, "x", 1, 0, NULL));
        sp_ok(sp_send(pair.b, "y", 1, 0, NULL));
        sp_ok(sp_close(i % 2 == 0 ? pair.a : pair.b));
        sp_ok(sp_close(i % 2 == 0 ? pair.b : pair.a));
        sp_ok(sp_close(pair.listener));
    }
}

int sp_closing(void)
{
    const struct CMUnitTest tests[] = {
        sp_test(half_closed_the_other_half_flows),
        sp_test(receiving_is_over_when_one_says_so),
        sp_test(pending_receives_and_shutdown),
        sp_test(disconnecting_calls),
        sp_test(closing_leaves_the_bytes_on_their_way),
        sp_test(an_abortive_close_resets),
        sp_test(lingering_waits_until_it_is_sent),
        sp_test(lingering_does_not_wait_on_a_non_blocking_socket),
        sp_test(linger_as_an_option),
        sp_test(closing_with_bytes_unread_resets),
        sp_test(both_ends_close_at_once),
    };

    return cmocka_run_group_tests_name("closing", tests, NULL, NULL);
}
