/* errors.c - codes that contract 10.1 lists and that no other group meets: arguments, datagram sockets, streams whose end matters, options
 * and calls that are cancelled. documented.c says which code is met where. */
#include "sp.h"

/* --- arguments --- */

static void events_that_do_not_exist(void **state)
{
    SOCKET s = sp_stream();
    WSAEVENT event = sw_event_create(true, false);
    INT error = 0;

    (void)state;
    sp_fails(WSAEINVAL, sp_event_select(s, event, 0x40000000));
    sp_fails(WSAEINVAL, sp_event_select(s, WSA_INVALID_EVENT, FD_READ));
    assert_int_equal(sp.procs->lpWSPAsyncSelect(s, (HWND)(uintptr_t)1, 1, 0x40000000, &error), SOCKET_ERROR);
    sp_fails(WSAEINVAL, error);
    assert_int_equal(sp.procs->lpWSPAsyncSelect(s, NULL, 1, FD_READ, &error), SOCKET_ERROR);
    sp_fails(WSAEINVAL, error);
    sp_ok(sp_nonblocking(s, false)); /* a selection that was refused changed nothing */
    sp_ok(sp_close(s));
    sp_ok(sw_event_close(event));
}

static int result_with(SOCKET s, WSAOVERLAPPED *ov, DWORD *bytes, DWORD *flags)
{
    INT error = 0;

    return sp.procs->lpWSPGetOverlappedResult(s, ov, bytes, FALSE, flags, &error) ? 0 : error;
}

static void results_of_nothing(void **state)
{
    SOCKET s = sp_stream();
    WSAOVERLAPPED ov = {.Internal = 0};
    DWORD bytes = 0, flags = 0;

    (void)state;
    sp_fails(WSAEINVAL, result_with(s, NULL, &bytes, &flags));
    sp_fails(WSAEFAULT, result_with(s, &ov, NULL, &flags));
    sp_fails(WSAEFAULT, result_with(s, &ov, &bytes, NULL));
    sp_ok(result_with(s, &ov, &bytes, &flags));
    sp_ok(sp_close(s));
}

/* Found before anything is sent or taken, and however the call waits. */
static void buffers_without_memory(void **state)
{
    WSABUF buffers[2] = {{1, (CHAR[]){"x"}}, {5, NULL}};
    struct sp_transmit_buffers around = {.head = NULL, .head_bytes = 5};
    WSAOVERLAPPED ov = {.Internal = 0};
    struct sp_pair pair;
    DWORD bytes = 0;

    (void)state;
    sp_pair_open(&pair);
    sp_fails(WSAEFAULT, sp_sendv(pair.a, buffers, 2, &bytes));
    sp_fails(WSAEFAULT, sp_recvv(pair.a, buffers, 2, &bytes));
    sp_fails(WSAEFAULT, sp_send_overlapped(pair.a, buffers, 2, &ov));
    sp_fails(WSAEFAULT, sp_transmit_file(pair.a, NULL, 0, NULL, &around, 0));
    sp_ok(sp_nonblocking(pair.a, true));
    sp_fails(WSAEFAULT, sp_sendv(pair.a, buffers, 2, &bytes));
    sp_fails(WSAEFAULT, sp_recvv(pair.a, buffers, 2, &bytes));
    sp_ok(sp_nonblocking(pair.a, false));
    sp_echo(pair.a, pair.b, 1);
    sp_pair_close(&pair);
}

static void more_buffers_than_there_can_be(void **state)
{
    struct sp_pair pair;
    DWORD bytes = 0, flags = 0;
    INT error = 0;
    WSABUF one = {1, (CHAR[]){"x"}};

    (void)state;
    sp_pair_open(&pair);
    sp_fails(WSAEINVAL, sp_sendv(pair.a, &one, 0x10000, &bytes));
    sp_fails(WSAEINVAL, sp_recvv(pair.a, &one, 0x10000, &bytes));
    assert_int_equal(
        sp.procs->lpWSPSendTo(pair.a, &one, 0x10000, &bytes, 0, NULL, 0, NULL, NULL, NULL, &error),
        SOCKET_ERROR);
    sp_fails(WSAEINVAL, error);
    assert_int_equal(
        sp.procs->lpWSPRecvFrom(pair.a, &one, 0x10000, &bytes, &flags, NULL, NULL, NULL, NULL, NULL, &error),
        SOCKET_ERROR);
    sp_fails(WSAEINVAL, error);
    sp_echo(pair.a, pair.b, 1);
    sp_pair_close(&pair);
}

static void disconnect_data_is_not_served(void **state)
{
    struct sp_pair pair;
    WSABUF data = {3, (CHAR[]){"abc"}};
    INT error = 0;

    (void)state;
    sp_pair_open(&pair);
    assert_int_equal(sp.procs->lpWSPSendDisconnect(pair.a, &data, &error), SOCKET_ERROR);
    sp_fails(WSAENOPROTOOPT, error);
    assert_int_equal(sp.procs->lpWSPRecvDisconnect(pair.a, &data, &error), SOCKET_ERROR);
    sp_fails(WSAENOPROTOOPT, error);
    sp_echo(pair.a, pair.b, 1); /* nothing was half closed */
    sp_echo(pair.b, pair.a, 2);
    sp_pair_close(&pair);
}

static void contexts_without_a_connection(void **state)
{
    SOCKET s = sp_stream();

    (void)state;
    sp_fails(WSAENOTCONN, sp_set(s, WS_SOL_SOCKET, WS_SO_UPDATE_CONNECT_CONTEXT, NULL, 0));
    sp_ok(sp_close(s));
}

/* --- addresses --- */

static SOCKET datagrams(void)
{
    SOCKET s;

    sp_ok(sp_socket(WS_AF_INET, WS_SOCK_DGRAM, WS_IPPROTO_UDP, WSA_FLAG_OVERLAPPED, &s));
    return s;
}

static int send_to(SOCKET s, const WSD_SOCKADDR_IN *to, int to_bytes, DWORD flags)
{
    WSABUF buffer = {1, (CHAR[]){"x"}};
    DWORD sent = 0;
    INT error = 0;

    return sp.procs->lpWSPSendTo(s, &buffer, 1, &sent, flags, (const WSD_SOCKADDR *)to, to_bytes, NULL, NULL,
                                 NULL, &error) == SOCKET_ERROR
               ? error
               : 0;
}

static int receive_from(SOCKET s, DWORD flags, DWORD *flags_at, WSD_SOCKADDR_IN *from, INT *from_bytes)
{
    char data[4];
    WSABUF buffer = {sizeof(data), data};
    DWORD got = 0;
    INT error = 0;

    if (flags_at != NULL)
        *flags_at = flags;
    return sp.procs->lpWSPRecvFrom(s, &buffer, 1, &got, flags_at, (WSD_SOCKADDR *)from, from_bytes, NULL,
                                   NULL, NULL, &error) == SOCKET_ERROR
               ? error
               : 0;
}

/* A socket of IPv6 wants its addresses, and gets no SAN; one of IPv4 does not take them. */
static void families_do_not_mix(void **state)
{
    WSD_SOCKADDR_IN6 six = {.sin6_family = WS_AF_INET6, .sin6_port = 0x5858};
    WSD_SOCKADDR_IN four = sp_env.here;
    SOCKET s = sp_stream(), s6;
    INT error = 0;
    DWORD bytes = 0;

    (void)state;
    ((unsigned char *)&six.sin6_addr)[15] = 1;
    four.sin_port = 0x5858;
    assert_int_equal(
        sp.procs->lpWSPConnect(s, (const WSD_SOCKADDR *)&six, sizeof(six), NULL, NULL, NULL, NULL, &error),
        SOCKET_ERROR);
    sp_fails(WSAEAFNOSUPPORT, error);
    assert_int_equal(sp.procs->lpWSPBind(s, (const WSD_SOCKADDR *)&six, sizeof(six), &error), SOCKET_ERROR);
    sp_fails(WSAEAFNOSUPPORT, error);
    assert_int_equal(sp.procs->lpWSPIoctl(s, SIO_ROUTING_INTERFACE_QUERY, &six, sizeof(six), &four,
                                          sizeof(four), &bytes, NULL, NULL, NULL, &error),
                     SOCKET_ERROR);
    sp_fails(WSAEAFNOSUPPORT, error);
    sp_ok(sp_close(s));
    if (sp_socket(WS_AF_INET6, WS_SOCK_STREAM, WS_IPPROTO_TCP, WSA_FLAG_OVERLAPPED, &s6) != 0)
        sp_skip("this system has no IPv6");
    sp_fails(WSAEAFNOSUPPORT, sp_connect(s6, &four));
    sp_fails(WSAEAFNOSUPPORT, sp_bind(s6, &four));
    sp_ok(sp_close(s6));
}

static void addresses_of_datagrams(void **state)
{
    WSD_SOCKADDR_IN everybody = sp_env.here, small = sp_env.here;
    SOCKET s = datagrams();
    DWORD flags;
    INT room = sizeof(small) - 1;

    (void)state;
    sp_ok(sp_bind(s, &sp_env.here));
    sp_fails(WSAEFAULT, send_to(s, &small, sizeof(small) - 1, 0));
    sp_fails(WSAEFAULT, receive_from(s, 0, &flags, &small, &room));
    sp_fails(WSAEFAULT, receive_from(s, 0, &flags, &small, NULL));
    sp_fails(WSAEFAULT, receive_from(s, 0, NULL, NULL, NULL));
    sp_fails(WSAEOPNOTSUPP, receive_from(s, WS_MSG_OOB, &flags, NULL, NULL));
    sp_fails(WSAEOPNOTSUPP, send_to(s, &sp_env.here, sizeof(sp_env.here), WS_MSG_OOB));
    everybody.sin_addr.s_addr = 0xFFFFFFFFu;
    everybody.sin_port = 0x5858;
    /* no SO_BROADCAST; a network without any way out may say that first */
    sp_one_of(sp_connect(s, &everybody), WSAEACCES, WSAENETUNREACH, WSAEHOSTUNREACH,
              POSIX_KILL_KEEPS_SOCKETS ? 0 : WSAEACCES);
    sp_ok(sp_close(s));
}

/* In a network that has no way there (own_network.sh); 192.0.2.1 is for documents (RFC 5737). */
static void where_no_way_leads(void **state)
{
    WSD_SOCKADDR_IN nowhere, forbidden;
    SOCKET s;

    (void)state;
    if (getenv("WSD_TEST_LOST") == NULL)
        sp_skip("needs a network of its own");
    sp_ok(sw_parse_address("192.0.2.1:7", &nowhere));
    s = sp_stream();
    sp_fails(WSAENETUNREACH, sp_connect(s, &nowhere));
    sp_ok(sp_close(s));
    sp_ok(sw_parse_address("10.77.11.1:7", &forbidden));
    s = sp_stream();
    sp_fails(WSAEACCES, sp_connect(s, &forbidden));
    sp_ok(sp_close(s));
    s = datagrams();
    sp_fails(WSAENETUNREACH, send_to(s, &nowhere, sizeof(nowhere), 0));
    sp_ok(sp_close(s));
}

static void ports_in_use(void **state)
{
    WSD_SOCKADDR_IN at;
    SOCKET first = sp_stream(), second = sp_stream();

    (void)state;
    sp_skip_on_wine_tcp("lets two listeners share a port");
    sp_ok(sp_set_int(first, WS_SOL_SOCKET, WS_SO_REUSEADDR, 1));
    sp_ok(sp_set_int(second, WS_SOL_SOCKET, WS_SO_REUSEADDR, 1));
    sp_ok(sp_bind(first, &sp_env.here));
    sp_ok(sp_local(first, &at));
    sp_ok(sp_bind(second, &at)); /* both asked for it */
    sp_ok(sp_listen(first, 1));
    sp_one_of(sp_listen(second, 1), WSAEADDRINUSE, POSIX_KILL_KEEPS_SOCKETS ? 0 : WSAEADDRINUSE);
    sp_ok(sp_close(first));
    sp_ok(sp_close(second));
}

/* One name, one destination, twice: the second connection cannot be. Linux says WSAEADDRNOTAVAIL, which connect() documents too. */
static void a_connection_that_exists_already(void **state)
{
    WSD_SOCKADDR_IN at, own;
    SOCKET listener = sp_listener(5, &at), first = sp_stream(), second = sp_stream(), accepted;

    (void)state;
    sp_skip_on_wine_tcp("lets it be");
    sp_ok(sp_set_int(first, WS_SOL_SOCKET, WS_SO_REUSEADDR, 1));
    sp_ok(sp_set_int(second, WS_SOL_SOCKET, WS_SO_REUSEADDR, 1));
    sp_ok(sp_bind(first, &sp_env.here));
    sp_ok(sp_local(first, &own));
    sp_ok(sp_bind(second, &own));
    sp_ok(sp_connect(first, &at));
    sp_ok(sp_accept(listener, &accepted));
    if (!sp_env
             .is_san) /* over a SAN the port is no file of the system's connections: the provider may tell them apart */
        sp_one_of(sp_connect(second, &at), WSAEADDRINUSE, WSAEADDRNOTAVAIL);
    sp_echo(first, accepted, 1);
    sp_ok(sp_close(first));
    sp_ok(sp_close(second));
    sp_ok(sp_close(accepted));
    sp_ok(sp_close(listener));
}

/* --- datagram sockets in states --- */

static void connected_datagrams(void **state)
{
    WSD_SOCKADDR_IN at_a, at_b, from;
    SOCKET a = datagrams(), b = datagrams();
    static char large[70000];
    char data[4];
    INT room = sizeof(from);
    DWORD got = 0, flags;

    (void)state;
    sp_ok(sp_bind(a, &sp_env.here));
    sp_ok(sp_local(a, &at_a));
    sp_ok(sp_bind(b, &sp_env.here));
    sp_ok(sp_local(b, &at_b));
    sp_ok(sp_connect(a, &at_b));
    sp_ok(sp_connect(b, &at_a));
    sp_fails(WSAEMSGSIZE, sp_send(a, large, sizeof(large), 0, NULL));
    sp_ok(sp_send(a, "0123456789", 10, 0, NULL));
    sp_fails(WSAEMSGSIZE, sp_recv(b, data, sizeof(data), 0, &got));
    assert_int_equal(got, sizeof(data));
    sp_ok(sp_shutdown(a, SD_BOTH));
    sp_fails(WSAESHUTDOWN, send_to(a, &at_b, sizeof(at_b), 0));
    sp_fails(WSAESHUTDOWN, receive_from(a, 0, &flags, &from, &room));
    sp_ok(sp_close(a));
    sp_ok(sp_close(b));
}

/* A datagram that nobody takes: the next receive says so (SIO_UDP_CONNRESET). */
static void datagrams_to_nobody(void **state)
{
    WSD_SOCKADDR_IN at;
    SOCKET a = datagrams(), gone = datagrams();
    WSD_SOCKADDR_IN from;
    INT room = sizeof(from);
    DWORD flags;

    (void)state;
    if (POSIX_KILL_KEEPS_SOCKETS)
        sp_skip("Wine does not tell who is not there");
    sp_ok(sp_bind(gone, &sp_env.here));
    sp_ok(sp_local(gone, &at));
    sp_ok(sp_close(gone));
    sp_ok(sp_bind(a, &sp_env.here));
    sp_ok(sp_set_int(a, WS_SOL_SOCKET, WS_SO_RCVTIMEO, (int)sp_env.wait_ms));
    sp_ok(send_to(a, &at, sizeof(at), 0));
    sp_fails(WSAECONNRESET, receive_from(a, 0, &flags, &from, &room));
    sp_ok(sp_close(a));
}

/* --- calls that are ended --- */

struct from_call {
    SOCKET s;
};

static int receive_from_now(void *context)
{
    DWORD flags;

    return receive_from(((struct from_call *)context)->s, 0, &flags, NULL, NULL);
}

static int fill_with_send_to(void *context)
{
    int error = 0;
    static char block[60000];
    WSABUF buffer = {sizeof(block), block};

    while (error == 0) {
        DWORD sent = 0;

        if (sp.procs->lpWSPSendTo(((struct from_call *)context)->s, &buffer, 1, &sent, 0, NULL, 0, NULL, NULL,
                                  NULL, &error) != SOCKET_ERROR)
            error = 0;
    }
    return error;
}

static void closing_ends_the_from_and_to_calls(void **state)
{
    struct sp_pair pair;
    struct sp_call receiving, sending;
    struct from_call datagram = {datagrams()}, stream;

    (void)state;
    sp_ok(sp_bind(datagram.s, &sp_env.here));
    sp_pair_open(&pair);
    stream.s = pair.a;
    sp_call_start(&receiving, receive_from_now, &datagram);
    sp_call_blocks(&receiving);
    sp_call_start(&sending, fill_with_send_to, &stream);
    sp_call_blocks(&sending);
    sp_ok(sp_close(datagram.s));
    sp_ok(sp_close(pair.a));
    pair.a = INVALID_SOCKET;
    sp_one_of(sp_call_join(&receiving), WSAEINTR, WSAENOTSOCK); /* the latter: closed before the call */
    sp_one_of(sp_call_join(&sending), WSAEINTR, WSAENOTSOCK);   /* or between two of them */
    sp_pair_close(&pair);
}

static BOOL CALLBACK hook_says_no(DWORD_PTR context)
{
    (void)context;
    return FALSE;
}

static void a_hook_ends_a_select(void **state)
{
    struct sp_pair pair;
    unsigned ready = 0;

    (void)state;
    sp_pair_open(&pair);
    ws2_set_blocking_hook(hook_says_no, 0);
    sp_fails(WSAEINTR, sp_select(pair.a, SP_READ, SW_FOREVER, &ready));
    ws2_set_blocking_hook(NULL, 0);
    sp_echo(pair.a, pair.b, 1);
    sp_pair_close(&pair);
}

/* 10.77.9.2 takes what is sent to it and says nothing (own_network.sh). */
static void a_hook_ends_a_connect(void **state)
{
    WSD_SOCKADDR_IN silent;
    SOCKET s;

    (void)state;
    if (getenv("WSD_TEST_LOST") == NULL)
        sp_skip("needs a network of its own");
    sp_ok(sw_parse_address("10.77.9.2:7", &silent));
    s = sp_stream();
    ws2_set_blocking_hook(hook_says_no, 0);
    sp_fails(WSAEINTR, sp_connect(s, &silent));
    ws2_set_blocking_hook(NULL, 0);
    sp_fails(WSAEALREADY, sp_connect(s, &silent)); /* the attempt goes on, until it is closed */
    sp_ok(sp_close(s));
}

/* --- SendTo and RecvFrom of a stream: as Send and Recv (10.1, 21 and 25) --- */

static int send_to_overlapped(SOCKET s, WSABUF *buffer, WSAOVERLAPPED *ov)
{
    INT error = ws2_operation_begin(s, ov);
    int result;

    sp_ok(error);
    result = sp.procs->lpWSPSendTo(s, buffer, 1, NULL, 0, NULL, 0, ov, NULL, NULL, &error);
    ws2_operation_submitted(s, ov, result, error);
    return result == SOCKET_ERROR ? error : 0;
}

static void a_stream_that_takes_no_more(void **state)
{
    struct sp_pair pair;
    WSAOVERLAPPED ov = {.Internal = 0};
    static char block[8 << 20];
    WSABUF buffer = {sizeof(block), block};
    int error;

    (void)state;
    sp_pair_open(&pair);
    sp_ok(sp_nonblocking(pair.a, true));
    (void)sp_fill_up(pair.a);
    do
        error = send_to(pair.a, NULL, 0, 0);
    while (error == 0);
    sp_fails(WSAEWOULDBLOCK, error);
    sp_fails(WSA_IO_PENDING, send_to_overlapped(pair.a, &buffer, &ov));
    sp_ok(sp_set_linger(pair.b, true, 0));
    sp_ok(sp_close(pair.b)); /* a reset */
    pair.b = INVALID_SOCKET;
    sp_one_of(sp_finish(pair.a, &ov, NULL), WSAECONNRESET, WSAECONNABORTED);
    sp_one_of(send_to(pair.a, NULL, 0, 0), WSAECONNRESET, WSAECONNABORTED);
    sp_pair_close(&pair);
}

int sp_error_codes(void)
{
    const struct CMUnitTest tests[] = {
        sp_test(events_that_do_not_exist),
        sp_test(results_of_nothing),
        sp_test(more_buffers_than_there_can_be),
        sp_test(buffers_without_memory),
        sp_test(disconnect_data_is_not_served),
        sp_test(contexts_without_a_connection),
        sp_test(families_do_not_mix),
        sp_test(addresses_of_datagrams),
        sp_test(where_no_way_leads),
        sp_test(ports_in_use),
        sp_test(a_connection_that_exists_already),
        sp_test(connected_datagrams),
        sp_test(datagrams_to_nobody),
        sp_test(closing_ends_the_from_and_to_calls),
        sp_test(a_hook_ends_a_select),
        sp_test(a_hook_ends_a_connect),
        sp_test(a_stream_that_takes_no_more),
    };

    return cmocka_run_group_tests_name("errors", tests, NULL, NULL);
}
