/* startup.c - start-up, cleanup, and what is no handle: B001 to B011. */
#include "wt.h"

/* The harness has started Winsock for each test; these tests want it off. */
static void stop(void)
{
    OK(WSACleanup());
}

static void start(void)
{
    WSADATA data;

    assert_int_equal(WSAStartup(MAKEWORD(2, 2), &data), 0);
    assert_int_equal(data.wVersion, MAKEWORD(2, 2));
}

static void b001_no_socket_before_startup(void **state)
{
    (void)state;
    stop();
    NO_SOCKET(socket(AF_INET, SOCK_STREAM, IPPROTO_TCP), WSANOTINITIALISED);
    NO_SOCKET(WSASocketW(AF_INET, SOCK_STREAM, IPPROTO_TCP, NULL, 0, 0), WSANOTINITIALISED);
    start();
}

static void b002_one_cleanup_too_many(void **state)
{
    (void)state;
    start();
    stop();
    stop();
    REFUSED(WSACleanup(), WSANOTINITIALISED);
    start();
}

static void b004_listen_on_no_socket(void **state)
{
    (void)state;
    REFUSED(listen(0, 1), WSAENOTSOCK);
    REFUSED(listen((SOCKET)0xDEADBEEFu, 1), WSAENOTSOCK);
}

static void b005_the_handle_is_checked_before_the_buffer(void **state)
{
    char byte = 0;

    (void)state;
    REFUSED(send(0, &byte, 1, 0), WSAENOTSOCK);
    REFUSED(send(0, NULL, 1, 0), WSAENOTSOCK);
}

static void b007_getpeername_of_no_socket(void **state)
{
    (void)state;
    REFUSED(getpeername(INVALID_SOCKET, NULL, NULL), WSAENOTSOCK);
}

static void b008_result_of_no_socket(void **state)
{
    WSAOVERLAPPED ov;
    DWORD bytes = 0, flags = 0;

    (void)state;
    memset(&ov, 0, sizeof(ov));
    FALSE_OF(WSAGetOverlappedResult((SOCKET)0xDEADBEEFu, &ov, &bytes, FALSE, &flags), WSAENOTSOCK);
}

static void b010_recv_on_no_socket_leaves_the_buffer(void **state)
{
    char buffer[32], untouched[32];

    (void)state;
    memset(buffer, 0x5A, sizeof(buffer));
    memset(untouched, 0x5A, sizeof(untouched));
    assert_int_equal(recv(0, buffer, sizeof(buffer), 0), SOCKET_ERROR);
    assert_memory_equal(buffer, untouched, sizeof(buffer));
}

static void b011_a_closed_handle_is_none(void **state)
{
    struct timeval at_once = {0, 0};
    SOCKET s = wt_socket();
    char byte;
    fd_set set;

    (void)state;
    wt_close(s);
    FD_ZERO(&set);
    FD_SET(s, &set);
    REFUSED(select(0, &set, NULL, NULL, &at_once), WSAENOTSOCK);
    assert_int_equal(recv(s, &byte, 1, 0), SOCKET_ERROR);
}

static DWORD WINAPI start_and_stop(LPVOID failures)
{
    WSADATA data;

    for (unsigned i = 0; i < 20; i++) {
        SOCKET s = INVALID_SOCKET;

        if (WSAStartup(MAKEWORD(2, 2), &data) != 0 ||
            (s = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP)) == INVALID_SOCKET || closesocket(s) != 0 ||
            WSACleanup() != 0)
            InterlockedIncrement((LONG *)failures);
    }
    return 0;
}

/* WSAStartup counts, whoever calls it: several threads at once, the first of which starts it and the last of which ends it. */
static void p020_threads_that_start_and_stop(void **state)
{
    static LONG failures;
    HANDLE threads[4];

    (void)state;
    failures = 0;
    stop();
    for (unsigned i = 0; i < 4; i++)
        threads[i] = wt_thread(start_and_stop, &failures);
    for (unsigned i = 0; i < 4; i++)
        wt_join(threads[i]);
    assert_int_equal(failures, 0);
    NO_SOCKET(socket(AF_INET, SOCK_STREAM, IPPROTO_TCP), WSANOTINITIALISED);
    start();
}

/* The version that is agreed upon (page of WSAStartup). */
static void p021_versions(void **state)
{
    static const WORD rows[][2] = {{MAKEWORD(1, 1), MAKEWORD(1, 1)},
                                   {MAKEWORD(2, 0), MAKEWORD(2, 0)},
                                   {MAKEWORD(2, 2), MAKEWORD(2, 2)},
                                   {MAKEWORD(3, 0), MAKEWORD(2, 2)}};
    WSADATA data;

    (void)state;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(WSAStartup(rows[i][0], &data), 0);
        assert_int_equal(data.wVersion, rows[i][1]);
        assert_int_equal(data.wHighVersion, MAKEWORD(2, 2));
        stop();
    }
    assert_int_equal(WSAStartup(MAKEWORD(0, 5), &data), WSAVERNOTSUPPORTED);
}

static const struct wt_line lines[] = {
    WT(b001_no_socket_before_startup),
    WT(b002_one_cleanup_too_many),
    WT(b004_listen_on_no_socket),
    WT(b005_the_handle_is_checked_before_the_buffer),
    WT(b007_getpeername_of_no_socket),
    WT(b008_result_of_no_socket),
    WT(b010_recv_on_no_socket_leaves_the_buffer),
    WT(b011_a_closed_handle_is_none),
    WT(p020_threads_that_start_and_stop),
    WT(p021_versions),
};
WT_GROUP(startup, lines);
