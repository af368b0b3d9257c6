/* options.c - options and control codes: B190 to B210. */
#include "wt.h"

#include <mstcpip.h>

static void b190_times_are_milliseconds(void **state)
{
    SOCKET s = wt_socket();

    (void)state;
    assert_int_equal(wt_get(s, SOL_SOCKET, SO_RCVTIMEO), 0);
    assert_int_equal(wt_get(s, SOL_SOCKET, SO_SNDTIMEO), 0);
    OK(wt_set(s, SOL_SOCKET, SO_RCVTIMEO, 1234));
    OK(wt_set(s, SOL_SOCKET, SO_SNDTIMEO, 5678));
    assert_int_equal(wt_get(s, SOL_SOCKET, SO_RCVTIMEO), 1234);
    assert_int_equal(wt_get(s, SOL_SOCKET, SO_SNDTIMEO), 5678);
}

static void b191_nodelay_is_one_byte(void **state)
{
    SOCKET s = wt_socket();
    char value[8] = {1};

    (void)state;
    for (int bytes = 1; bytes <= 8; bytes++) {
        OK(wt_set(s, IPPROTO_TCP, TCP_NODELAY, 0));
        OK(setsockopt(s, IPPROTO_TCP, TCP_NODELAY, value, bytes));
        assert_int_equal(wt_get(s, IPPROTO_TCP, TCP_NODELAY), 1);
    }
    OK(wt_set(s, IPPROTO_TCP, TCP_NODELAY, 0x100));
    assert_int_equal(wt_get(s, IPPROTO_TCP, TCP_NODELAY), 0);
    REFUSED(setsockopt(s, IPPROTO_TCP, TCP_NODELAY, value, 0), WSAEFAULT);
}

static void b193_what_does_not_exist(void **state)
{
    static const int levels[] = {SOL_SOCKET, IPPROTO_TCP, IPPROTO_IP};
    SOCKET s = wt_socket();
    int value = 0, bytes = sizeof(value);

    (void)state;
    REFUSED(wt_set(s, 0xDEAD, 1, 1), WSAEINVAL);
    REFUSED(getsockopt(s, 0xDEAD, 1, (char *)&value, &bytes), WSAEINVAL);
    for (unsigned i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
        REFUSED(wt_set(s, levels[i], 0xDEAD, 1), WSAENOPROTOOPT);
        REFUSED(getsockopt(s, levels[i], 0xDEAD, (char *)&value, &bytes), WSAENOPROTOOPT);
    }
}

static void b194_the_error_can_be_set(void **state)
{
    SOCKET s = wt_socket();
    char byte;
    int bytes = 1;

    (void)state;
    REFUSED(getsockopt(s, SOL_SOCKET, SO_ERROR, &byte, &bytes), WSAEFAULT);
    OK(wt_set(s, SOL_SOCKET, SO_ERROR, 123));
    assert_int_equal(wt_get(s, SOL_SOCKET, SO_ERROR), 123);
}

static void b196_debug_is_on_or_off(void **state)
{
    SOCKET s = wt_socket();

    (void)state;
    OK(wt_set(s, SOL_SOCKET, SO_DEBUG, 2));
    assert_int_equal(wt_get(s, SOL_SOCKET, SO_DEBUG), 1);
}

static void b197_options_of_ip_on_a_stream(void **state)
{
    static const int datagrams[] = {IP_MULTICAST_IF, IP_MULTICAST_TTL, IP_MULTICAST_LOOP, IP_PKTINFO,
                                    IP_RECVTTL};
    SOCKET s = wt_socket();
    int value = 0, bytes = sizeof(value);

    (void)state;
    for (unsigned i = 0; i < sizeof(datagrams) / sizeof(datagrams[0]); i++) {
        REFUSED(getsockopt(s, IPPROTO_IP, datagrams[i], (char *)&value, &bytes), WSAEINVAL);
        REFUSED(wt_set(s, IPPROTO_IP, datagrams[i], 1), WSAEINVAL);
    }
    REFUSED(getsockopt(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, (char *)&value, &bytes), WSAENOPROTOOPT);
    REFUSED(getsockopt(s, IPPROTO_IP, IP_DROP_MEMBERSHIP, (char *)&value, &bytes), WSAENOPROTOOPT);
    (void)wt_get(s, IPPROTO_IP, IP_TOS);
    (void)wt_get(s, IPPROTO_IP, IP_TTL);
    (void)wt_get(s, IPPROTO_IP, IP_DONTFRAGMENT);
    OK(wt_set(s, IPPROTO_IP, IP_TOS, 0));
    OK(wt_set(s, IPPROTO_IP, IP_TTL, 64));
    OK(wt_set(s, IPPROTO_IP, IP_DONTFRAGMENT, 1));
    assert_int_equal(wt_get(s, IPPROTO_IP, IP_TTL), 64);
    assert_int_equal(wt_get(s, IPPROTO_IP, IP_DONTFRAGMENT), 1);
}

static void b199_the_room_of_fionbio(void **state)
{
    SOCKET s = wt_socket();
    u_long on[2] = {1, 0};
    DWORD bytes = 0xDEAD;

    (void)state;
    REFUSED(WSAIoctl(s, FIONBIO, on, sizeof(on[0]) - 1, NULL, 0, &bytes, NULL, NULL), WSAEFAULT);
    bytes = 0xDEAD;
    OK(WSAIoctl(s, FIONBIO, on, sizeof(on), NULL, 0, &bytes, NULL, NULL));
    assert_int_equal(bytes, 0);
}

static void b200_the_room_of_fionread(void **state)
{
    SOCKET s = wt_socket();
    u_long value = 0;
    DWORD bytes = 0xDEAD;

    (void)state;
    REFUSED(WSAIoctl(s, FIONREAD, NULL, 0, &value, sizeof(value) - 1, &bytes, NULL, NULL), WSAEFAULT);
    assert_int_equal(bytes, 0xDEAD);
}

static void b202_no_urgent_data_no_mark(void **state)
{
    u_long at_mark = 0;

    (void)state;
    OK(ioctlsocket(wt_socket(), (LONG)SIOCATMARK, &at_mark));
    assert_int_equal(at_mark, TRUE);
    at_mark = 0;
    OK(ioctlsocket(wt_pair().client, (LONG)SIOCATMARK, &at_mark));
    assert_int_equal(at_mark, TRUE);
}

#define UNKNOWN_CODE 0x88FF00FFu

static struct {
    unsigned calls;
    DWORD error, bytes;
} routine_saw;

static void CALLBACK routine(DWORD error, DWORD bytes, LPWSAOVERLAPPED ov, DWORD flags)
{
    (void)ov;
    (void)flags;
    routine_saw.calls++;
    routine_saw.error = error;
    routine_saw.bytes = bytes;
}

static void b204_an_unknown_code_with_a_routine(void **state)
{
    WSAOVERLAPPED ov;
    DWORD bytes = 0;

    (void)state;
    memset(&routine_saw, 0, sizeof(routine_saw));
    memset(&ov, 0, sizeof(ov));
    REFUSED(WSAIoctl(wt_socket(), UNKNOWN_CODE, NULL, 0, NULL, 0, &bytes, &ov, routine), WSA_IO_PENDING);
    assert_int_equal(SleepEx(wt_env.wait_ms, TRUE), WAIT_IO_COMPLETION);
    assert_int_equal(routine_saw.calls, 1);
    assert_int_equal(routine_saw.error, WSAEOPNOTSUPP); /* Winsock's name of it; a port has Win32's */
    assert_int_equal(routine_saw.bytes, 0);
}

static void b204_an_unknown_code(void **state)
{
    SOCKET s = wt_socket();
    HANDLE port = wt_port();
    WSAOVERLAPPED ov;
    DWORD bytes = 0xDEAD;

    (void)state;
    REFUSED(WSAIoctl(s, UNKNOWN_CODE, NULL, 0, NULL, 0, &bytes, NULL, NULL), WSAEOPNOTSUPP);
    assert_int_equal(bytes, 0);
    assert_ptr_equal(CreateIoCompletionPort((HANDLE)s, port, 4, 0), port);
    memset(&ov, 0, sizeof(ov));
    REFUSED(WSAIoctl(s, UNKNOWN_CODE, NULL, 0, NULL, 0, &bytes, &ov, NULL), WSA_IO_PENDING);
    assert_int_equal(wt_packet(port, 4, &ov, &bytes), ERROR_NOT_SUPPORTED);
    assert_int_equal(bytes, 0);
}

static void b205_an_unknown_extension(void **state)
{
    static GUID nobodys = {0x11111111, 0x2222, 0x3333, {1, 2, 3, 4, 5, 6, 7, 8}};
    SOCKET s = wt_socket();
    HANDLE port = wt_port();
    WSAOVERLAPPED ov, untouched;
    DWORD bytes = 0xDEAD;
    void *fn = NULL;

    (void)state;
    assert_ptr_equal(CreateIoCompletionPort((HANDLE)s, port, 4, 0), port);
    memset(&ov, 0, sizeof(ov));
    ov.Internal = 0xDEAD;
    untouched = ov;
    REFUSED(WSAIoctl(s, SIO_GET_EXTENSION_FUNCTION_POINTER, &nobodys, sizeof(nobodys), &fn, sizeof(fn),
                     &bytes, &ov, NULL),
            WSAEINVAL);
    assert_int_equal(bytes, 0xDEAD);
    assert_memory_equal(&ov, &untouched, sizeof(ov));
    wt_no_packet(port);
}

#ifndef SIO_IDEAL_SEND_BACKLOG_QUERY /* older SDKs lack it */
#define SIO_IDEAL_SEND_BACKLOG_QUERY 0x4004747Bu
#endif

static void b207_the_ideal_backlog(void **state)
{
    u_long value = 0;
    DWORD bytes = 0;

    (void)state;
    REFUSED(WSAIoctl(wt_socket(), SIO_IDEAL_SEND_BACKLOG_QUERY, NULL, 0, &value, sizeof(value), &bytes, NULL,
                     NULL),
            WSAENOTCONN);
    OK(WSAIoctl(wt_pair().client, SIO_IDEAL_SEND_BACKLOG_QUERY, NULL, 0, &value, sizeof(value), &bytes, NULL,
                NULL));
    assert_int_equal(value, 0x10000);
}

static void b208_keepalive_values(void **state)
{
    struct tcp_keepalive on = {1, 10000, 1000}, off = {0, 0, 0};
    SOCKET s = wt_socket();
    DWORD bytes = 0;

    (void)state;
    REFUSED(WSAIoctl(s, SIO_KEEPALIVE_VALS, &on, sizeof(on) - 1, NULL, 0, &bytes, NULL, NULL), WSAEFAULT);
    REFUSED(WSAIoctl(s, SIO_KEEPALIVE_VALS, NULL, 0, NULL, 0, &bytes, NULL, NULL), WSAEFAULT);
    OK(WSAIoctl(s, SIO_KEEPALIVE_VALS, &on, sizeof(on), NULL, 0, &bytes, NULL, NULL));
    OK(WSAIoctl(s, SIO_KEEPALIVE_VALS, &off, sizeof(off), NULL, 0, &bytes, NULL, NULL));
}

/* Page of WSAIoctl: interfaces with their addresses, which older programs list with it. */
static void the_interfaces(void **state)
{
    ULONG room[2048] = {0}; /* INTERFACE_INFO begins with its flags; 1 is IFF_UP */
    DWORD bytes = 0;

    (void)state;
    OK(WSAIoctl(wt_socket(), SIO_GET_INTERFACE_LIST, NULL, 0, room, sizeof(room), &bytes, NULL, NULL));
    assert_true(bytes >= 76); /* loopback at least */
    assert_int_equal(bytes % 76, 0);
    assert_int_equal(room[0] & 1u, 1);
    REFUSED(WSAIoctl(wt_socket(), SIO_GET_INTERFACE_LIST, NULL, 0, room, 4, &bytes, NULL, NULL), WSAEFAULT);
}

static const struct wt_line lines[] = {
    WT(b190_times_are_milliseconds),
    WT(b191_nodelay_is_one_byte),
    WT(b193_what_does_not_exist),
    WT_EXCEPT(b194_the_error_can_be_set, WT_WINE, "Wine does not keep it"),
    WT_EXCEPT(b196_debug_is_on_or_off, WT_WINE, "Wine does not keep it"),
    WT(b197_options_of_ip_on_a_stream),
    WT(b199_the_room_of_fionbio),
    WT(b200_the_room_of_fionread),
    WT(b202_no_urgent_data_no_mark),
    WT(b204_an_unknown_code),
    WT(b204_an_unknown_code_with_a_routine),
    WT(b205_an_unknown_extension),
    WT(b207_the_ideal_backlog),
    WT(b208_keepalive_values),
    WT(the_interfaces),
};
WT_GROUP(options, lines);
