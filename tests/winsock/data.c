/* data.c - sending and receiving: B090 to B107. */
#include "wt.h"

static void b090_no_sending_without_a_connection(void **state)
{
    SOCKET s = wt_socket();
    char byte = 0;

    (void)state;
    REFUSED(send(s, &byte, 1, 0), WSAENOTCONN);
    REFUSED(send(s, NULL, 0, 0), WSAENOTCONN);
}

static void b090_no_receiving_without_a_connection(void **state)
{
    char byte = 0;

    (void)state;
    REFUSED(recv(wt_socket(), &byte, 1, 0), WSAENOTCONN);
}

static void b091_nothing_can_be_sent(void **state)
{
    (void)state;
    assert_int_equal(OK(send(wt_pair().client, NULL, 0, 0)), 0);
}

static void b093_buffers_fill_in_their_order(void **state)
{
    struct wt_pair pair = wt_pair();
    char first[4], second[10];
    WSABUF buffers[2] = {{sizeof(first), first}, {sizeof(second), second}};
    DWORD got = 0, flags = 0;

    (void)state;
    wt_send(pair.client, "1234567");
    wt_until_readable(pair.server);
    OK(WSARecv(pair.server, buffers, 2, &got, &flags, NULL, NULL));
    assert_int_equal(got, 7);
    assert_memory_equal(first, "1234", 4);
    assert_memory_equal(second, "567", 3);
}

static void b094_peeking_leaves_the_data(void **state)
{
    struct wt_pair pair = wt_pair();
    char seen[3];

    (void)state;
    wt_send(pair.client, "abcdef");
    wt_until_readable(pair.server);
    assert_int_equal(OK(recv(pair.server, seen, 3, MSG_PEEK)), 3);
    assert_memory_equal(seen, "abc", 3);
    assert_int_equal(OK(recv(pair.server, seen, 3, 0)), 3);
    assert_memory_equal(seen, "abc", 3);
    assert_int_equal(OK(recv(pair.server, seen, 3, 0)), 3);
    assert_memory_equal(seen, "def", 3);
}

static unsigned calls;
static volatile LONG begun; /* calls, for other threads to see */
static void CALLBACK count_call(ULONG_PTR by)
{
    InterlockedIncrement(&begun);
    calls += (unsigned)by;
}

static LONG now_in(volatile LONG *at)
{
    InterlockedIncrement(at);
    return InterlockedDecrement(at);
}

static void b096_a_receive_with_data_ready_runs_no_queued_call(void **state)
{
    struct wt_pair pair = wt_pair();
    char byte;
    WSABUF buffer = {1, &byte};
    DWORD got = 0, flags = 0;

    (void)state;
    wt_send(pair.client, "x");
    wt_until_readable(pair.server);
    calls = 0;
    assert_int_not_equal(QueueUserAPC(count_call, GetCurrentThread(), 1), 0);
    OK(WSARecv(pair.server, &buffer, 1, &got, &flags, NULL, NULL));
    assert_int_equal(calls, 0);
    assert_int_equal(SleepEx(0, TRUE), WAIT_IO_COMPLETION);
    assert_int_equal(calls, 1);
}

static DWORD WINAPI send_soon(LPVOID socket_at)
{
    Sleep(200);
    return send(*(SOCKET *)socket_at, "late", 4, 0) == 4 ? 0 : 1;
}

/* A receive that finds data runs no call (B096): nothing is sent before a call has begun, or it is clear that none does. */
static DWORD WINAPI send_when_called(LPVOID socket_at)
{
    DWORD end = GetTickCount() + wt_env.wait_ms;

    while (now_in(&begun) == 0 && GetTickCount() < end)
        Sleep(1);
    return send_soon(socket_at);
}

static void b097_a_blocked_receive_runs_queued_calls(void **state)
{
    struct wt_pair pair = wt_pair();
    char data[4];
    HANDLE sender;

    (void)state;
    calls = 0;
    begun = 0;
    assert_int_not_equal(QueueUserAPC(count_call, GetCurrentThread(), 1), 0);
    sender = wt_thread(send_when_called, &pair.client);
    assert_int_equal(OK(recv(pair.server, data, 4, 0)), 4);
    assert_int_equal(calls, 1);
    wt_join(sender);
}

/* Calls come while the thread waits, again and again, in each of the calls that may have to (their pages). */
enum { WAITS_RECV, WAITS_ACCEPT, WAITS_SELECT, WAITS_PORT };
static struct {
    int what;
    SOCKET s;
    HANDLE port;
    volatile LONG calls, is_over, is_wrong;
} waits;

static void CALLBACK count_for_thread(ULONG_PTR data)
{
    (void)data;
    InterlockedIncrement(&waits.calls);
}

static DWORD WINAPI wait_in(LPVOID unused)
{
    OVERLAPPED_ENTRY entry;
    ULONG got = 0;
    fd_set set;
    char byte;
    LONG is_right = 0;
    SOCKET s;

    (void)unused;
    switch (waits.what) {
    case WAITS_RECV: is_right = recv(waits.s, &byte, 1, 0) == 1; break;
    case WAITS_ACCEPT:
        s = accept(waits.s, NULL, NULL);
        is_right = s != INVALID_SOCKET && closesocket(s) == 0;
        break;
    case WAITS_SELECT:
        FD_ZERO(&set);
        FD_SET(waits.s, &set);
        is_right = select(0, &set, NULL, NULL, NULL) == 1;
        break;
    case WAITS_PORT: /* each call ends it */
        do
            is_right = GetQueuedCompletionStatusEx(waits.port, &entry, 1, &got, wt_env.wait_ms, TRUE);
        while (!is_right && GetLastError() == WAIT_IO_COMPLETION);
        break;
    default: break;
    }
    if (!is_right)
        InterlockedIncrement(&waits.is_wrong);
    InterlockedIncrement(&waits.is_over);
    return 0;
}

static void call_while_it_waits(HANDLE thread)
{
    for (LONG i = 1; i <= 3; i++) {
        DWORD end = GetTickCount() + wt_env.wait_ms;

        Sleep(30);
        assert_int_not_equal(QueueUserAPC(count_for_thread, thread, 0), 0);
        while (now_in(&waits.calls) < i && GetTickCount() < end)
            Sleep(1);
        assert_int_equal(now_in(&waits.calls), i);
    }
    assert_int_equal(now_in(&waits.is_over), 0);
}

static void call_another_thread(int what)
{
    SOCKADDR_IN name;
    SOCKET listener = wt_listener(&name);
    struct wt_pair pair = wt_pair();
    HANDLE thread;

    memset((void *)&waits, 0, sizeof(waits));
    waits.what = what;
    waits.s = what == WAITS_ACCEPT ? listener : pair.server;
    waits.port = wt_port();
    thread = wt_thread(wait_in, NULL);
    call_while_it_waits(thread);
    if (what == WAITS_ACCEPT)
        OK(wt_connect(wt_socket(), &name));
    else if (what == WAITS_PORT)
        TRUE_OF(PostQueuedCompletionStatus(waits.port, 1, 2, NULL));
    else
        wt_send(pair.client, "x");
    wt_join(thread);
    assert_int_equal(now_in(&waits.is_wrong), 0);
}

static void b097_a_call_from_another_thread_in_recv(void **state)
{
    (void)state;
    call_another_thread(WAITS_RECV);
}

static void b097_a_call_from_another_thread_in_accept(void **state)
{
    (void)state;
    call_another_thread(WAITS_ACCEPT);
}

static void b097_a_call_from_another_thread_in_select(void **state)
{
    (void)state;
    call_another_thread(WAITS_SELECT);
}

static void b097_a_call_from_another_thread_at_a_port(void **state)
{
    (void)state;
    call_another_thread(WAITS_PORT);
    assert_int_equal(QueueUserAPC(count_for_thread, NULL, 0), 0);
}

static struct wt_pair inner;
static char inner_byte;

static void CALLBACK receive_inside(ULONG_PTR data)
{
    (void)data;
    InterlockedIncrement(&begun);
    calls += recv(inner.server, &inner_byte, 1, 0) == 1 ? 1 : 100;
}

/* Not asked of Windows, whose pages leave it undefined: that it does no harm is our choice. */
static void b097_a_queued_call_blocks_itself(void **state)
{
    struct wt_pair pair = wt_pair();
    HANDLE senders[2];
    char data[4];

    (void)state;
    inner = wt_pair();
    calls = 0;
    begun = 0;
    assert_int_not_equal(QueueUserAPC(receive_inside, GetCurrentThread(), 1), 0);
    senders[0] = wt_thread(send_when_called, &inner.client);
    assert_int_equal(WaitForSingleObject(senders[0], 0), WAIT_TIMEOUT);
    senders[1] = wt_thread(send_when_called, &pair.client);
    assert_int_equal(OK(recv(pair.server, data, 4, 0)), 4);
    assert_int_equal(calls, 1);
    wt_join(senders[0]);
    wt_join(senders[1]);
}

static void b099_a_receive_wants_buffers(void **state)
{
    struct wt_pair pair = wt_pair();
    char byte;
    WSABUF buffer = {1, &byte};
    DWORD got = 0, flags = 0;

    (void)state;
    REFUSED(WSARecv(pair.server, NULL, 0, &got, &flags, NULL, NULL), WSAEINVAL);
    REFUSED(WSARecv(pair.server, &buffer, 0, &got, &flags, NULL, NULL), WSAEINVAL);
}

static void b100_a_receive_of_length_0_waits_for_data(void **state)
{
    struct wt_pair pair = wt_pair();
    WSABUF empty = {0, NULL};
    WSAOVERLAPPED ov;
    DWORD got = 1, flags = 0;

    (void)state;
    memset(&ov, 0, sizeof(ov));
    assert_int_equal(wt_receive_later(pair.server, &empty, &ov), WSA_IO_PENDING);
    FALSE_OF(WSAGetOverlappedResult(pair.server, &ov, &got, FALSE, &flags), WSA_IO_INCOMPLETE);
    wt_send(pair.client, "data");
    assert_int_equal(wt_finish(pair.server, &ov), 0);
    memset(&ov, 0, sizeof(ov));
    (void)wt_receive_at_once(pair.server, &empty, &ov);
    assert_int_equal(wt_finish(pair.server, &ov), 0);
    wt_receive(pair.server, "data");
}

#define MUCH (1024 * 1024)
static char much[MUCH];

static DWORD WINAPI drain_slowly(LPVOID socket_at)
{
    static char room[65536];
    int total = 0, n = 1;

    while (total < MUCH && n > 0) {
        n = recv(*(SOCKET *)socket_at, room, sizeof(room), 0);
        total += n > 0 ? n : 0;
        Sleep(1);
    }
    return total == MUCH ? 0 : 1;
}

static void b102_a_blocking_send_is_whole(void **state)
{
    struct wt_pair pair = wt_pair();
    HANDLE drain = wt_thread(drain_slowly, &pair.server);

    (void)state;
    assert_int_equal(OK(send(pair.client, much, MUCH, 0)), MUCH);
    wt_join(drain);
}

static void b104_a_nonblocking_send_is_whole_or_none(void **state)
{
    struct wt_pair pair = wt_pair();
    int result;

    (void)state;
    wt_nonblocking(pair.client, true);
    for (unsigned i = 0; i < 10000; i++) {
        result = send(pair.client, much, 10000, 0);
        if (result == SOCKET_ERROR)
            break;
        assert_int_equal(result, 10000);
    }
    REFUSED(result, WSAEWOULDBLOCK);
}

static void b105_the_time_to_receive(void **state)
{
    struct wt_pair pair = wt_pair();
    char byte;
    WSABUF buffer = {1, &byte};
    DWORD got = 0xDEAD, flags = 0;

    (void)state;
    OK(wt_set(pair.server, SOL_SOCKET, SO_RCVTIMEO, 100));
    REFUSED(recv(pair.server, &byte, 1, 0), WSAETIMEDOUT);
    REFUSED(WSARecv(pair.server, &buffer, 1, &got, &flags, NULL, NULL), WSAETIMEDOUT);
    assert_int_equal(got, 0xDEAD);
}

static void read_file(SOCKET s, const char *text)
{
    char room[16];
    DWORD bytes = (DWORD)strlen(text), got = 0;

    TRUE_OF(ReadFile((HANDLE)s, room, bytes, &got, NULL));
    assert_int_equal(got, bytes);
    assert_memory_equal(room, text, bytes);
}

static void b107_a_socket_as_a_file(void **state)
{
    SOCKADDR_IN name;
    SOCKET listener = wt_listener(&name), server;
    SOCKET client = wt_keep(WSASocketW(AF_INET, SOCK_STREAM, IPPROTO_TCP, NULL, 0, 0));
    DWORD written = 0;
    HANDLE sender;

    (void)state;
    OK(wt_connect(client, &name));
    server = wt_accept_one(listener);
    wt_send(server, "abcdef");
    wt_until_readable(client);
    read_file(client, "abc");
    read_file(client, "def");
    TRUE_OF(WriteFile((HANDLE)client, "xyz", 3, &written, NULL));
    assert_int_equal(written, 3);
    wt_receive(server, "xyz");
    wt_nonblocking(client, true);
    sender = wt_thread(send_soon, &server);
    read_file(client, "late");
    wt_join(sender);
}

static const struct wt_line lines[] = {
    WT_EXCEPT(b090_no_sending_without_a_connection, WT_WINE, "Wine's host reports a reset"),
    WT(b090_no_receiving_without_a_connection),
    WT(b091_nothing_can_be_sent),
    WT(b093_buffers_fill_in_their_order),
    WT(b094_peeking_leaves_the_data),
    WT(b096_a_receive_with_data_ready_runs_no_queued_call),
    WT(b097_a_blocked_receive_runs_queued_calls),
    WT(b097_a_call_from_another_thread_in_recv),
    WT_EXCEPT(b097_a_call_from_another_thread_in_accept, WT_WINE, "Wine's accept() does not wait alertably"),
    WT(b097_a_call_from_another_thread_in_select),
    WT(b097_a_call_from_another_thread_at_a_port),
    WT_EXCEPT(b097_a_queued_call_blocks_itself, WT_WINE, "undefined on Windows"),
    WT_EXCEPT(b099_a_receive_wants_buffers, WT_WINE, "Wine waits for data"),
    WT(b100_a_receive_of_length_0_waits_for_data),
    WT(b102_a_blocking_send_is_whole),
    WT_EXCEPT(b104_a_nonblocking_send_is_whole_or_none, WT_WINE, "Wine's host takes a part"),
    WT(b105_the_time_to_receive),
    WT(b107_a_socket_as_a_file),
};
WT_GROUP(data, lines);
