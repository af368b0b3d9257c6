/* overlapped.c - overlapped operations: B108 to B122. */
#include "wt.h"

#define ABORTED(code) ((code) == ERROR_OPERATION_ABORTED || (code) == ERROR_CONNECTION_ABORTED)

static void b108_nonblocking_does_not_matter(void **state)
{
    struct wt_pair pair = wt_pair();
    char data[8];
    WSABUF buffer = {sizeof(data), data};
    WSAOVERLAPPED ov;

    (void)state;
    wt_nonblocking(pair.server, true);
    memset(&ov, 0, sizeof(ov));
    assert_int_equal(wt_receive_later(pair.server, &buffer, &ov), WSA_IO_PENDING);
    wt_send(pair.client, "x");
    assert_int_equal(wt_finish(pair.server, &ov), 1);
}

static void b110_what_a_pending_operation_shows(void **state)
{
    struct wt_pair pair = wt_pair();
    char data[8];
    WSABUF buffer = {sizeof(data), data};
    WSAOVERLAPPED ov;

    (void)state;
    memset(&ov, 0, sizeof(ov));
    ov.InternalHigh = 0xDEADBEEFu;
    assert_int_equal(wt_receive_later(pair.server, &buffer, &ov), WSA_IO_PENDING);
    assert_false(HasOverlappedIoCompleted(&ov));
    assert_int_equal(ov.InternalHigh, 0xDEADBEEFu);
    wt_send(pair.client, "xyz");
    assert_int_equal(wt_finish(pair.server, &ov), 3);
    assert_int_equal(ov.Internal, 0);
    assert_int_equal(ov.InternalHigh, 3);
}

static void b111_the_array_of_buffers_is_free_again(void **state)
{
    struct wt_pair pair = wt_pair();
    char first[2], second[2], wrong[4] = "";
    WSABUF buffers[2] = {{2, first}, {2, second}};
    WSAOVERLAPPED ov;
    DWORD flags = 0;

    (void)state;
    memset(&ov, 0, sizeof(ov));
    REFUSED(WSARecv(pair.server, buffers, 2, NULL, &flags, &ov, NULL), WSA_IO_PENDING);
    buffers[0] = buffers[1] = (WSABUF){sizeof(wrong), wrong};
    wt_send(pair.client, "abcd");
    assert_int_equal(wt_finish(pair.server, &ov), 4);
    assert_memory_equal(first, "ab", 2);
    assert_memory_equal(second, "cd", 2);
    assert_int_equal(wrong[0], 0);
}

static bool is_over(SOCKET s, WSAOVERLAPPED *ov)
{
    DWORD bytes, flags;

    return WSAGetOverlappedResult(s, ov, &bytes, FALSE, &flags) || WSAGetLastError() != WSA_IO_INCOMPLETE;
}

static void b113_b114_a_queue_of_receives(void **state)
{
    struct wt_pair pair = wt_pair();
    char data[3][8];
    WSAOVERLAPPED ov[3];
    char byte;
    WSABUF late = {1, &byte};

    (void)state;
    memset(ov, 0, sizeof(ov));
    for (unsigned i = 0; i < 3; i++) {
        WSABUF buffer = {sizeof(data[i]), data[i]};

        assert_int_equal(wt_receive_later(pair.server, &buffer, &ov[i]), WSA_IO_PENDING);
    }
    wt_send(pair.client, "abc");
    assert_int_equal(wt_finish(pair.server, &ov[0]), 3);
    assert_memory_equal(data[0], "abc", 3);
    assert_false(is_over(pair.server, &ov[1]));
    assert_false(is_over(pair.server, &ov[2]));
    wt_close(pair.client);
    assert_int_equal(wt_finish(pair.server, &ov[1]), 0);
    assert_int_equal(wt_finish(pair.server, &ov[2]), 0);
    assert_int_equal(OK(recv(pair.server, &byte, 1, 0)), 0);
    memset(ov, 0, sizeof(ov));
    assert_int_equal(wt_receive_later(pair.server, &late, &ov[0]), 0);
    assert_int_equal(wt_finish(pair.server, &ov[0]), 0);
}

static void b116_the_status_says_how_it_ended(void **state)
{
    static const struct {
        DWORD status;
        int code; /* 0: success */
    } rows[] = {
        {0, 0},
        {0x00000001u, 0}, /* any success */
        {0x40000000u, 0}, /* information */
        {0xC0000120u, WSA_OPERATION_ABORTED},
        {0xC000020Du, WSAECONNRESET},
        {0xC0000236u, WSAECONNREFUSED},
        {0xC00000B5u, WSAETIMEDOUT},
    };
    SOCKET s = wt_socket();

    (void)state;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        WSAOVERLAPPED ov;
        DWORD bytes = 0, flags = 0;

        memset(&ov, 0, sizeof(ov));
        ov.Internal = rows[i].status;
        ov.InternalHigh = 7;
        if (rows[i].code == 0) {
            TRUE_OF(WSAGetOverlappedResult(s, &ov, &bytes, FALSE, &flags));
            assert_int_equal(bytes, 7);
        } else
            FALSE_OF(WSAGetOverlappedResult(s, &ov, &bytes, FALSE, &flags), rows[i].code);
    }
}

static struct {
    unsigned calls;
    DWORD error, bytes, thread;
    LPWSAOVERLAPPED ov;
} routine_saw;

static void CALLBACK routine(DWORD error, DWORD bytes, LPWSAOVERLAPPED ov, DWORD flags)
{
    (void)flags;
    routine_saw.calls++;
    routine_saw.error = error;
    routine_saw.bytes = bytes;
    routine_saw.ov = ov;
    routine_saw.thread = GetCurrentThreadId();
}

static DWORD WINAPI wait_alertably(LPVOID is_woken)
{
    *(bool *)is_woken = SleepEx(50, TRUE) != 0;
    return 0;
}

static void b117_a_completion_routine(void **state)
{
    struct wt_pair pair = wt_pair();
    WSAEVENT event = wt_event();
    char data[8];
    WSABUF buffer = {sizeof(data), data};
    WSAOVERLAPPED ov;
    DWORD flags = 0;
    bool is_woken = true;

    (void)state;
    memset(&routine_saw, 0, sizeof(routine_saw));
    memset(&ov, 0, sizeof(ov));
    ov.hEvent = event;
    REFUSED(WSARecv(pair.server, &buffer, 1, NULL, &flags, &ov, routine), WSA_IO_PENDING);
    assert_int_equal(SleepEx(20, TRUE), 0);
    wt_send(pair.client, "abcd");
    Sleep(50); /* a wait that is not alertable runs nothing, nor does one of another thread */
    wt_join(wt_thread(wait_alertably, &is_woken));
    assert_false(is_woken);
    assert_int_equal(routine_saw.calls, 0);
    assert_int_equal(SleepEx(wt_env.wait_ms, TRUE), WAIT_IO_COMPLETION);
    assert_int_equal(routine_saw.calls, 1);
    assert_int_equal(routine_saw.error, 0);
    assert_int_equal(routine_saw.bytes, 4);
    assert_ptr_equal(routine_saw.ov, &ov);
    assert_int_equal(routine_saw.thread, GetCurrentThreadId());
    assert_int_equal(WaitForSingleObject(event, 0), WAIT_TIMEOUT);
    assert_int_equal(SleepEx(20, TRUE), 0);
    assert_int_equal(routine_saw.calls, 1);
}

static void b117_a_wait_for_events_is_alertable_too(void **state)
{
    struct wt_pair pair = wt_pair();
    WSAEVENT event = wt_event();
    char data[8];
    WSABUF buffer = {sizeof(data), data};
    WSAOVERLAPPED ov;
    DWORD flags = 0;

    (void)state;
    memset(&routine_saw, 0, sizeof(routine_saw));
    memset(&ov, 0, sizeof(ov));
    REFUSED(WSARecv(pair.server, &buffer, 1, NULL, &flags, &ov, routine), WSA_IO_PENDING);
    wt_send(pair.client, "ab");
    assert_int_equal(WSAWaitForMultipleEvents(1, &event, FALSE, wt_env.wait_ms, TRUE),
                     WSA_WAIT_IO_COMPLETION);
    assert_int_equal(routine_saw.calls, 1);
    assert_int_equal(routine_saw.bytes, 2);
}

static DWORD WINAPI send_soon(LPVOID socket_at)
{
    Sleep(100);
    return send(*(SOCKET *)socket_at, "late", 4, 0) == 4 ? 0 : 1;
}

static void b119_a_socket_that_is_not_overlapped_blocks(void **state)
{
    SOCKADDR_IN name;
    SOCKET listener = wt_listener(&name), server;
    SOCKET client = wt_keep(WSASocketW(AF_INET, SOCK_STREAM, IPPROTO_TCP, NULL, 0, 0));
    char data[8];
    WSABUF buffer = {sizeof(data), data};
    WSAOVERLAPPED ov;
    HANDLE sender;

    (void)state;
    OK(wt_connect(client, &name));
    server = wt_accept_one(listener);
    sender = wt_thread(send_soon, &server);
    memset(&ov, 0, sizeof(ov));
    assert_int_equal(wt_receive_later(client, &buffer, &ov), 0);
    assert_true(is_over(client, &ov));
    assert_int_equal(ov.InternalHigh, 4);
    assert_memory_equal(data, "late", 4);
    wt_join(sender);
}

static void b120_closing_ends_a_receive(void **state)
{
    struct wt_pair pair = wt_pair();
    HANDLE port = wt_port();
    char data[8];
    WSABUF buffer = {sizeof(data), data};
    WSAOVERLAPPED ov;
    DWORD bytes = 0xDEAD, code;

    (void)state;
    assert_ptr_equal(CreateIoCompletionPort((HANDLE)pair.server, port, 5, 0), port);
    memset(&ov, 0, sizeof(ov));
    assert_int_equal(wt_receive_later(pair.server, &buffer, &ov), WSA_IO_PENDING);
    wt_close(pair.server);
    code = wt_packet(port, 5, &ov, &bytes);
    assert_true(ABORTED(code));
    assert_int_equal(bytes, 0);
    wt_no_packet(port);
}

static struct thread_end {
    SOCKET s;
    WSABUF buffer;
    WSAOVERLAPPED ov;
} thread_end;

static DWORD WINAPI receive_and_end(LPVOID context)
{
    struct thread_end *t = context;

    return wt_receive_later(t->s, &t->buffer, &t->ov) == WSA_IO_PENDING ? 0 : 1;
}

static HANDLE receive_of_a_thread_that_ended(struct wt_pair pair, char *data, ULONG bytes)
{
    HANDLE port = wt_port();

    assert_ptr_equal(CreateIoCompletionPort((HANDLE)pair.server, port, 9, 0), port);
    memset(&thread_end, 0, sizeof(thread_end));
    thread_end.s = pair.server;
    thread_end.buffer = (WSABUF){bytes, data};
    wt_join(wt_thread(receive_and_end, &thread_end));
    wt_no_packet(port);
    return port;
}

static void b122_requests_survive_their_thread(void **state)
{
    struct wt_pair pair = wt_pair();
    char data[8];
    HANDLE port = receive_of_a_thread_that_ended(pair, data, sizeof(data));
    DWORD bytes;

    (void)state;
    wt_send(pair.client, "abc");
    assert_int_equal(wt_packet(port, 9, &thread_end.ov, &bytes), 0);
    assert_int_equal(bytes, 3);
}

static void b122_cancelling_ends_them(void **state)
{
    struct wt_pair pair = wt_pair();
    char data[8];
    HANDLE port = receive_of_a_thread_that_ended(pair, data, sizeof(data));

    (void)state;
    TRUE_OF(CancelIoEx((HANDLE)pair.server, &thread_end.ov));
    assert_int_equal(wt_packet(port, 9, &thread_end.ov, NULL), ERROR_OPERATION_ABORTED);
    wt_no_packet(port);
}

static const struct wt_line lines[] = {
    WT(b108_nonblocking_does_not_matter),
    WT(b110_what_a_pending_operation_shows),
    WT(b111_the_array_of_buffers_is_free_again),
    WT(b113_b114_a_queue_of_receives),
    WT(b116_the_status_says_how_it_ended),
    WT(b117_a_completion_routine),
    WT(b117_a_wait_for_events_is_alertable_too),
    WT(b119_a_socket_that_is_not_overlapped_blocks),
    WT_EXCEPT(b120_closing_ends_a_receive, WT_WINE, "Wine tells another code"),
    WT(b122_requests_survive_their_thread),
    WT(b122_cancelling_ends_them),
};
WT_GROUP(overlapped, lines);
