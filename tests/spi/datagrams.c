/* datagrams.c - WSPSendTo and WSPRecvFrom: datagrams, which never go over SAN (contract 1.1), and what streams make of them. Contract
 * 10.1, functions 21, 25. */
#include "sp.h"

static SOCKET datagram_socket(WSD_SOCKADDR_IN *at)
{
    SOCKET s;

    sp_ok(sp_socket(WS_AF_INET, WS_SOCK_DGRAM, WS_IPPROTO_UDP, WSA_FLAG_OVERLAPPED, &s));
    sp_ok(sp_bind(s, &sp_env.here));
    sp_ok(sp_local(s, at));
    sp_ok(sp_set_int(s, WS_SOL_SOCKET, WS_SO_RCVTIMEO, (int)sp_env.wait_ms));
    return s;
}

static int send_to(SOCKET s, const void *data, DWORD bytes, const WSD_SOCKADDR_IN *to, DWORD *sent)
{
    WSABUF buffer = {bytes, (CHAR *)(uintptr_t)data};
    INT error = 0;
    DWORD spare;

    return sp.procs->lpWSPSendTo(s, &buffer, 1, sent != NULL ? sent : &spare, 0, (const WSD_SOCKADDR *)to,
                                 to != NULL ? sizeof(*to) : 0, NULL, NULL, NULL, &error) == SOCKET_ERROR
               ? error
               : 0;
}

static int receive_from(SOCKET s, void *data, DWORD bytes, DWORD flags, WSD_SOCKADDR_IN *from, DWORD *got)
{
    WSABUF buffer = {bytes, data};
    INT error = 0, from_bytes = sizeof(*from);

    return sp.procs->lpWSPRecvFrom(s, &buffer, 1, got, &flags, (WSD_SOCKADDR *)from, &from_bytes, NULL, NULL,
                                   NULL, &error) == SOCKET_ERROR
               ? error
               : 0;
}

static void datagrams_keep_their_bounds(void **state)
{
    WSD_SOCKADDR_IN at_a, at_b, from;
    SOCKET a = datagram_socket(&at_a), b = datagram_socket(&at_b);
    char data[100];
    DWORD got = 0, sent = 0;

    (void)state;
    sp_ok(send_to(a, "one", 3, &at_b, &sent));
    assert_int_equal(sent, 3);
    sp_ok(send_to(a, "", 0, &at_b, NULL));
    sp_ok(send_to(a, "three", 5, &at_b, NULL));
    sp_ok(receive_from(b, data, sizeof(data), WS_MSG_PEEK, &from, &got));
    assert_int_equal(got, 3);
    sp_ok(receive_from(b, data, sizeof(data), 0, &from, &got));
    assert_int_equal(got, 3);
    assert_memory_equal(data, "one", 3);
    assert_memory_equal(&from, &at_a, sizeof(from));
    sp_ok(receive_from(b, data, sizeof(data), 0, &from, &got));
    assert_int_equal(got, 0);
    sp_ok(receive_from(b, data, sizeof(data), 0, &from, &got));
    assert_int_equal(got, 5);
    sp_carried_name(a, "tcp"); /* that is: not SAN */
    sp_ok(sp_close(a));
    sp_ok(sp_close(b));
}

/* 10.3 "Stream or message": too small a buffer gets what fits, WSAEMSGSIZE, and the rest is lost. */
static void a_buffer_that_is_too_small(void **state)
{
    WSD_SOCKADDR_IN at_a, at_b, from;
    SOCKET a = datagram_socket(&at_a), b = datagram_socket(&at_b);
    char data[100] = "";
    DWORD got = 0;

    (void)state;
    sp_ok(send_to(a, "0123456789", 10, &at_b, NULL));
    sp_ok(send_to(a, "next", 4, &at_b, NULL));
    sp_fails(WSAEMSGSIZE, receive_from(b, data, 4, 0, &from, &got));
    assert_memory_equal(data, "0123", 4);
    sp_ok(receive_from(b, data, sizeof(data), 0, &from, &got));
    assert_int_equal(got, 4);
    assert_memory_equal(data, "next", 4);
    sp_ok(sp_close(a));
    sp_ok(sp_close(b));
}

static void connected_datagram_sockets(void **state)
{
    WSD_SOCKADDR_IN at_a, at_b, peer;
    SOCKET a = datagram_socket(&at_a), b = datagram_socket(&at_b);
    char data[100];
    DWORD got = 0;

    (void)state;
    sp_fails(WSAENOTCONN, sp_send(a, "x", 1, 0, NULL));
    sp_fails(WSAENOTCONN, sp_peer(a, &peer));
    sp_ok(sp_connect(a, &at_b));
    sp_ok(sp_peer(a, &peer));
    assert_memory_equal(&peer, &at_b, sizeof(peer));
    sp_ok(sp_send(a, "hello", 5, 0, NULL));
    sp_ok(sp_recv(b, data, sizeof(data), 0, &got));
    assert_int_equal(got, 5);
    sp_ok(sp_connect(a, &at_a)); /* another peer: allowed */
    sp_ok(sp_peer(a, &peer));
    assert_memory_equal(&peer, &at_a, sizeof(peer));
    sp_ok(sp_close(a));
    sp_ok(sp_close(b));
}

/* connect() to AF_UNSPEC takes the peer away, also one that was never there. */
static void a_peer_is_taken_away(void **state)
{
    WSD_SOCKADDR_IN at_a, at_b, nobody = {0};
    SOCKET a = datagram_socket(&at_a), b = datagram_socket(&at_b);
    char byte = 1;

    (void)state;
    sp_ok(sp_connect(a, &nobody));
    sp_fails(WSAENOTCONN, sp_send(a, &byte, 1, 0, NULL));
    sp_ok(sp_connect(a, &at_b));
    sp_ok(sp_send(a, &byte, 1, 0, NULL));
    sp_ok(sp_connect(a, &nobody));
    sp_fails(WSAENOTCONN, sp_send(a, &byte, 1, 0, NULL));
    sp_ok(sp_close(a));
    sp_ok(sp_close(b));
}

static void refusals(void **state)
{
    WSD_SOCKADDR_IN at, to, from;
    SOCKET s = datagram_socket(&at), b;
    static char large[70000];
    char data[10];
    DWORD got = 0;

    (void)state;
    sp_one_of(sp_listen(s, 1), WSAEOPNOTSUPP);
    sp_one_of(sp_accept(s, &b), WSAEOPNOTSUPP, WSAEINVAL);
    sp_fails(WSAEMSGSIZE, send_to(s, large, sizeof(large), &at, NULL));
    sp_one_of(send_to(s, "x", 1, NULL, NULL), WSAENOTCONN, WSAEDESTADDRREQ);
    to = at;
    to.sin_family = 77;
    sp_fails(WSAEAFNOSUPPORT, send_to(s, "x", 1, &to, NULL));
    to = at;
    to.sin_addr.s_addr = 0xFFFFFFFFu;
    sp_one_of(send_to(s, "x", 1, &to, NULL), WSAEACCES, WSAENETUNREACH,
              WSAEHOSTUNREACH); /* no SO_BROADCAST */
    sp_ok(sp_nonblocking(s, true));
    sp_fails(WSAEWOULDBLOCK, receive_from(s, data, sizeof(data), 0, &from, &got));
    sp_ok(sp_close(s));
    sp_ok(sp_socket(WS_AF_INET, WS_SOCK_DGRAM, 0, 0, &s));
    sp_fails(WSAEINVAL, receive_from(s, data, sizeof(data), 0, &from, &got)); /* not bound */
    sp_ok(sp_close(s));
}

static void overlapped_datagrams(void **state)
{
    WSD_SOCKADDR_IN at_a, at_b, from;
    SOCKET a = datagram_socket(&at_a), b = datagram_socket(&at_b);
    char data[100];
    WSABUF buffer = {sizeof(data), data}, out = {5, (CHAR[]){"hello"}};
    WSAOVERLAPPED receiving = {.hEvent = NULL}, sending = {.hEvent = NULL};
    INT from_bytes = sizeof(from), error = 0;
    DWORD bytes = 0, flags = 0;
    int result;

    (void)state;
    memset(&from, 0, sizeof(from));
    sp_ok(ws2_operation_begin(b, &receiving));
    result = sp.procs->lpWSPRecvFrom(b, &buffer, 1, &bytes, &flags, (WSD_SOCKADDR *)&from, &from_bytes,
                                     &receiving, NULL, NULL, &error);
    ws2_operation_submitted(b, &receiving, result, error);
    assert_int_equal(result, SOCKET_ERROR);
    sp_fails(WSA_IO_PENDING, error);
    sp_ok(ws2_operation_begin(a, &sending));
    error = 0;
    result = sp.procs->lpWSPSendTo(a, &out, 1, &bytes, 0, (const WSD_SOCKADDR *)&at_b, sizeof(at_b), &sending,
                                   NULL, NULL, &error);
    ws2_operation_submitted(a, &sending, result, error);
    sp_one_of(result == 0 ? 0 : error, 0, WSA_IO_PENDING);
    sp_ok(sp_finish(a, &sending, &bytes));
    assert_int_equal(bytes, 5);
    sp_ok(sp_finish(b, &receiving, &bytes));
    assert_int_equal(bytes, 5);
    assert_memory_equal(data, "hello", 5);
    assert_memory_equal(&from, &at_a, sizeof(from));
    assert_int_equal(from_bytes, sizeof(from));
    sp_ok(sp_close(a));
    sp_ok(sp_close(b));
}

static void events_and_select_of_datagrams(void **state)
{
    WSD_SOCKADDR_IN at_a, at_b, from;
    SOCKET a = datagram_socket(&at_a), b = datagram_socket(&at_b);
    WSAEVENT event = sw_event_create(true, false);
    char data[100];
    DWORD got;
    unsigned ready;

    (void)state;
    sp_ok(sp_select(b, SP_READ | SP_WRITE, 0, &ready));
    assert_int_equal(ready, SP_WRITE);
    sp_ok(sp_event_select(b, event, FD_READ));
    sp_ok(send_to(a, "one", 3, &at_b, NULL));
    sp_expect_events(b, event, FD_READ, NULL);
    sp_ok(sp_select(b, SP_READ, sp_env.wait_ms, &ready));
    assert_int_equal(ready, SP_READ);
    sp_ok(receive_from(b, data, sizeof(data), 0, &from, &got));
    sp_expect_no_event(b, event);
    sp_ok(send_to(a, "two", 3, &at_b, NULL));
    sp_expect_events(b, event, FD_READ, NULL);
    sp_ok(sp_close(a));
    sp_ok(sp_close(b));
    sp_ok(sw_event_close(event));
}

/* On a stream the address is ignored or refused (10.1, 21 and 25). */
static void on_a_stream(void **state)
{
    struct sp_pair pair;
    WSD_SOCKADDR_IN from;
    char data[10];
    DWORD got = 0;
    int error;

    (void)state;
    sp_pair_open(&pair);
    error = send_to(pair.a, "abc", 3, &pair.at, NULL);
    sp_one_of(error, 0, WSAEOPNOTSUPP, WSAEISCONN);
    if (error != 0)
        sp_send_all(pair.a, "abc", 3);
    error = receive_from(pair.b, data, sizeof(data), 0, &from, &got);
    sp_one_of(error, 0, WSAEISCONN);
    if (error != 0)
        sp_ok(sp_recv(pair.b, data, sizeof(data), 0, &got));
    assert_int_equal(got, 3);
    assert_memory_equal(data, "abc", 3);
    sp_pair_close(&pair);
}

int sp_datagrams(void)
{
    const struct CMUnitTest tests[] = {
        sp_test(datagrams_keep_their_bounds),
        sp_test(a_buffer_that_is_too_small),
        sp_test(connected_datagram_sockets),
        sp_test(a_peer_is_taken_away),
        sp_test(refusals),
        sp_test(overlapped_datagrams),
        sp_test(events_and_select_of_datagrams),
        sp_test(on_a_stream),
    };

    return cmocka_run_group_tests_name("datagrams", tests, NULL, NULL);
}
