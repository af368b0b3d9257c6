/* sharing.c - sockets that have several handles: B087, B211 to B214; files: B210. */
#include "wt.h"

static SOCKET duplicate(SOCKET s)
{
    WSAPROTOCOL_INFOW info;

    OK(WSADuplicateSocketW(s, GetCurrentProcessId(), &info));
    return wt_keep(WSASocketW(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info, 0,
                              WSA_FLAG_OVERLAPPED));
}

/* AcceptEx on a duplicate of a listener; which of the two is closed first? */
static void close_both(bool is_duplicate_first)
{
    static char buffer[2 * (sizeof(SOCKADDR_IN) + 16)];
    const DWORD each = sizeof(SOCKADDR_IN) + 16;
    static WSAOVERLAPPED ov;
    SOCKADDR_IN name;
    SOCKET listener = wt_listener(&name), other = duplicate(listener), into = wt_socket();
    HANDLE port = wt_port();
    DWORD received = 0, bytes = 0xDEAD;

    assert_ptr_equal(CreateIoCompletionPort((HANDLE)other, port, 3, 0), port);
    memset(&ov, 0, sizeof(ov));
    FALSE_OF(AcceptEx(other, into, buffer, 0, each, each, &received, &ov), ERROR_IO_PENDING);
    wt_close(is_duplicate_first ? other : listener);
    wt_no_packet(port);
    wt_close(is_duplicate_first ? listener : other);
    assert_int_equal(wt_packet(port, 3, &ov, &bytes), ERROR_OPERATION_ABORTED);
    assert_int_equal(bytes, 0);
    wt_no_packet(port);
}

static void b087_a_request_on_a_duplicate(void **state)
{
    (void)state;
    close_both(false);
    close_both(true);
}

static void b210_head_file_and_tail(void **state)
{
    struct wt_pair pair = wt_pair();
    HANDLE file = wt_file("0123456789");
    TRANSMIT_FILE_BUFFERS around;
    WSAOVERLAPPED ov;

    (void)state;
    memset(&around, 0, sizeof(around));
    around.Head = (PVOID)(uintptr_t) "head-";
    around.HeadLength = 5;
    around.Tail = (PVOID)(uintptr_t) "-tail";
    around.TailLength = 5;
    TRUE_OF(TransmitFile(pair.client, file, 0, 0, NULL, &around, 0));
    wt_receive(pair.server, "head-0123456789-tail");
    memset(&ov, 0, sizeof(ov));
    ov.Offset = 6;
    FALSE_OF(TransmitFile(pair.client, file, 0, 0, &ov, &around, 0), ERROR_IO_PENDING);
    assert_int_equal(wt_finish(pair.client, &ov), 14);
    wt_receive(pair.server, "head-6789-tail");
    CloseHandle(file);
}

static void b211_what_cannot_be_duplicated(void **state)
{
    SOCKET s = wt_socket();
    WSAPROTOCOL_INFOW info;

    (void)state;
    REFUSED(WSADuplicateSocketW(s, 0, &info), WSAEINVAL);
    REFUSED(WSADuplicateSocketW(s, GetCurrentProcessId(), NULL), WSAEFAULT);
    REFUSED(WSADuplicateSocketW((SOCKET)0xDEADBEEFu, GetCurrentProcessId(), &info), WSAENOTSOCK);
    REFUSED(WSADuplicateSocketW((SOCKET)0xDEADBEEFu, 0, NULL), WSAENOTSOCK);
}

static void b213_a_connection_ends_with_its_last_handle(void **state)
{
    struct wt_pair pair = wt_pair();
    SOCKET other = duplicate(pair.server);
    char byte;

    (void)state;
    wt_close(pair.server);
    wt_send(pair.client, "to");
    wt_receive(other, "to");
    wt_send(other, "fro");
    wt_receive(pair.client, "fro");
    assert_false(wt_readable(pair.client, 50));
    wt_close(other);
    wt_until_readable(pair.client);
    assert_int_equal(OK(recv(pair.client, &byte, 1, 0)), 0);
}

static struct selecting {
    SOCKET s;
    int result;
} selecting;

static DWORD WINAPI select_it(LPVOID context)
{
    struct selecting *what = context;
    struct timeval long_time = {20, 0};
    fd_set set;

    FD_ZERO(&set);
    FD_SET(what->s, &set);
    what->result = select(0, &set, NULL, NULL, &long_time);
    return 0;
}

static void b214_a_select_on_a_duplicate(void **state)
{
    struct wt_pair pair = wt_pair();
    HANDLE thread;

    (void)state;
    selecting.s = duplicate(pair.server);
    selecting.result = -2;
    thread = wt_thread(select_it, &selecting);
    Sleep(100);
    wt_close(pair.server);
    assert_int_equal(WaitForSingleObject(thread, 100), WAIT_TIMEOUT);
    wt_close(selecting.s);
    wt_join(thread);
    assert_int_not_equal(selecting.result, -2);
}

static const struct wt_line lines[] = {
    WT(b087_a_request_on_a_duplicate),  WT(b210_head_file_and_tail),
    WT(b211_what_cannot_be_duplicated), WT(b213_a_connection_ends_with_its_last_handle),
    WT(b214_a_select_on_a_duplicate),
};
WT_GROUP(sharing, lines);
