/* ports.c - completion ports: B124 to B131, and what the pages of the functions say of several packets, posted ones, and skip-on-success. */
#include "wt.h"

static char data[16];
static WSABUF buffer = {sizeof(data), data};

/* A pair whose server is bound to a port with key 1. */
static HANDLE bound_pair(struct wt_pair *pair)
{
    HANDLE port = wt_port();

    *pair = wt_pair();
    assert_ptr_equal(CreateIoCompletionPort((HANDLE)pair->server, port, 1, 0), port);
    return port;
}

static void b124_the_end_of_the_stream(void **state)
{
    struct wt_pair pair;
    HANDLE port = bound_pair(&pair);
    WSAOVERLAPPED ov;
    DWORD bytes = 0xDEAD;

    (void)state;
    OK(shutdown(pair.client, SD_SEND));
    wt_until_readable(pair.server);
    memset(&ov, 0, sizeof(ov));
    assert_int_equal(wt_receive_later(pair.server, &buffer, &ov), 0);
    assert_int_equal(wt_packet(port, 1, &ov, &bytes), 0);
    assert_int_equal(bytes, 0);
    wt_no_packet(port);
}

static void b125_a_failure_on_the_spot(void **state)
{
    HANDLE port = wt_port();
    SOCKET s = wt_socket();
    WSAOVERLAPPED ov;
    DWORD got = 0xDEAD, flags = 0;

    (void)state;
    assert_ptr_equal(CreateIoCompletionPort((HANDLE)s, port, 1, 0), port);
    memset(&ov, 0, sizeof(ov));
    REFUSED(WSARecv(s, &buffer, 1, &got, &flags, &ov, NULL), WSAENOTCONN);
    assert_int_equal(got, 0xDEAD);
    wt_no_packet(port);
}

static void b125_a_failure_after_a_reset(void **state)
{
    struct wt_pair pair;
    HANDLE port = bound_pair(&pair);
    WSAOVERLAPPED ov;
    DWORD got = 0xDEAD, flags = 0;

    (void)state;
    wt_reset(pair.client);
    wt_until_readable(pair.server);
    memset(&ov, 0, sizeof(ov));
    REFUSED(WSARecv(pair.server, &buffer, 1, &got, &flags, &ov, NULL), WSAECONNRESET);
    assert_int_equal(got, 0xDEAD);
    wt_no_packet(port);
}

static void b127_a_reset(void **state)
{
    struct wt_pair pair;
    HANDLE port = bound_pair(&pair);
    WSAOVERLAPPED ov;
    DWORD bytes = 0xDEAD;

    (void)state;
    memset(&ov, 0, sizeof(ov));
    assert_int_equal(wt_receive_later(pair.server, &buffer, &ov), WSA_IO_PENDING);
    wt_reset(pair.client);
    assert_int_equal(wt_packet(port, 1, &ov, &bytes), ERROR_NETNAME_DELETED);
    assert_int_equal(bytes, 0);
    wt_no_packet(port);
}

static void b128_data(void **state)
{
    struct wt_pair pair;
    HANDLE port = bound_pair(&pair);
    WSAOVERLAPPED ov;
    DWORD bytes;

    (void)state;
    memset(&ov, 0, sizeof(ov));
    assert_int_equal(wt_receive_later(pair.server, &buffer, &ov), WSA_IO_PENDING);
    wt_send(pair.client, "Hello World!");
    assert_int_equal(wt_packet(port, 1, &ov, &bytes), 0);
    assert_int_equal(bytes, 12);
    assert_int_equal(ov.Internal, 0);
    assert_int_equal(ov.InternalHigh, 12);
    wt_no_packet(port);
}

static void b130_closing_without_requests(void **state)
{
    struct wt_pair pair;
    HANDLE port = bound_pair(&pair);

    (void)state;
    wt_close(pair.server);
    wt_no_packet(port);
}

static void b131_what_gives_no_packet(void **state)
{
    struct wt_pair pair;
    HANDLE port = bound_pair(&pair);
    WSAOVERLAPPED ov;

    (void)state;
    OK(shutdown(pair.server, SD_SEND));
    wt_no_packet(port);
    port = bound_pair(&pair);
    OK(WSASendDisconnect(pair.server, NULL));
    wt_no_packet(port);
    port = bound_pair(&pair);
    OK(WSARecvDisconnect(pair.server, NULL));
    wt_no_packet(port);
    port = bound_pair(&pair);
    TRUE_OF(wt_disconnect_ex(pair.server)(pair.server, NULL, 0, 0));
    wt_no_packet(port);
    port = bound_pair(&pair);
    memset(&ov, 0, sizeof(ov));
    FALSE_OF(wt_disconnect_ex(pair.server)(pair.server, &ov, 0, 0), ERROR_IO_PENDING);
    assert_int_equal(wt_packet(port, 1, &ov, NULL), 0);
    wt_no_packet(port);
}

/* PostQueuedCompletionStatus: what was posted comes out, in order. */
static void p001_posted_packets(void **state)
{
    HANDLE port = wt_port();
    WSAOVERLAPPED ov;
    DWORD bytes;

    (void)state;
    TRUE_OF(PostQueuedCompletionStatus(port, 5, 50, &ov));
    TRUE_OF(PostQueuedCompletionStatus(port, 6, 60, NULL));
    assert_int_equal(wt_packet(port, 50, &ov, &bytes), 0);
    assert_int_equal(bytes, 5);
    assert_int_equal(wt_packet(port, 60, NULL, &bytes), 0);
    assert_int_equal(bytes, 6);
    wt_no_packet(port);
}

/* GetQueuedCompletionStatusEx: as many as are there, at most as many as asked for. */
static void p002_several_packets_at_once(void **state)
{
    HANDLE port = wt_port();
    OVERLAPPED_ENTRY entries[100];
    ULONG got = 0;

    (void)state;
    for (ULONG_PTR i = 0; i < 150; i++)
        TRUE_OF(PostQueuedCompletionStatus(port, (DWORD)i, i, NULL));
    TRUE_OF(GetQueuedCompletionStatusEx(port, entries, 100, &got, 0, FALSE));
    assert_int_equal(got, 100);
    for (ULONG i = 0; i < got; i++)
        assert_int_equal(entries[i].lpCompletionKey, i);
    TRUE_OF(GetQueuedCompletionStatusEx(port, entries, 100, &got, 0, FALSE));
    assert_int_equal(got, 50);
    assert_int_equal(entries[49].dwNumberOfBytesTransferred, 149);
    FALSE_OF(GetQueuedCompletionStatusEx(port, entries, 100, &got, 20, FALSE), WAIT_TIMEOUT);
}

/* SetFileCompletionNotificationModes: no packet for what succeeds at once, one for what was pending. */
static void p003_no_packet_for_immediate_success(void **state)
{
    struct wt_pair pair;
    HANDLE port = bound_pair(&pair);
    WSAOVERLAPPED ov;
    DWORD bytes;

    (void)state;
    TRUE_OF(SetFileCompletionNotificationModes((HANDLE)pair.server, FILE_SKIP_COMPLETION_PORT_ON_SUCCESS));
    wt_send(pair.client, "abc");
    wt_until_readable(pair.server);
    memset(&ov, 0, sizeof(ov));
    if (!wt_receive_at_once(pair.server, &buffer, &ov))
        assert_int_equal(wt_packet(port, 1, &ov, &bytes), 0);
    assert_int_equal(ov.InternalHigh, 3);
    wt_no_packet(port);
    memset(&ov, 0, sizeof(ov));
    assert_int_equal(wt_receive_later(pair.server, &buffer, &ov), WSA_IO_PENDING);
    wt_send(pair.client, "defg");
    assert_int_equal(wt_packet(port, 1, &ov, &bytes), 0);
    assert_int_equal(bytes, 4);
}

static DWORD WINAPI wait_for_packet(LPVOID port)
{
    DWORD bytes;
    ULONG_PTR key;
    LPOVERLAPPED ov;

    if (GetQueuedCompletionStatus(port, &bytes, &key, &ov, 10000))
        return 1;
    return 0;
}

/* CloseHandle: a thread that waits is told (ERROR_ABANDONED_WAIT_0 since Vista); a socket that is bound goes on. */
static void p004_closing_a_port(void **state)
{
    struct wt_pair pair = wt_pair();
    HANDLE port = CreateIoCompletionPort((HANDLE)pair.server, NULL, 1, 0); /* not kept: closed here */
    HANDLE thread = wt_thread(wait_for_packet, port);

    (void)state;
    assert_non_null(port);
    Sleep(50);
    TRUE_OF(CloseHandle(port));
    wt_join(thread);
    wt_send(pair.client, "x");
    wt_receive(pair.server, "x");
}

static const struct wt_line lines[] = {
    WT(b124_the_end_of_the_stream),
    WT(b125_a_failure_on_the_spot),
    WT_EXCEPT(b125_a_failure_after_a_reset, WT_WINE, "Wine tells of the end, as b142"),
    WT(b127_a_reset),
    WT(b128_data),
    WT(b130_closing_without_requests),
    WT(b131_what_gives_no_packet),
    WT(p001_posted_packets),
    WT(p002_several_packets_at_once),
    WT(p003_no_packet_for_immediate_success),
    WT(p004_closing_a_port),
};
WT_GROUP(ports, lines);
