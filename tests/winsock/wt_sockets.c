/* wt_sockets.c - wt.h: sockets, checks, and what a teardown closes. */
#include "wt.h"

#define KEPT_MAX 512u

static SOCKET kept_sockets[KEPT_MAX];
static HANDLE kept_handles[KEPT_MAX];
static unsigned socket_count, handle_count;

/* --- checks --- */

void wt_fail(const char *file, int line, const char *format, ...)
{
    char text[512];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    print_error("%s:%d: %s\n", file, line, text);
    _fail(file, line);
}

int wt_ok(int result, const char *call, const char *file, int line)
{
    if (result == SOCKET_ERROR)
        wt_fail(file, line, "%s failed with %d", call, WSAGetLastError());
    return result;
}

void wt_refused(int result, int code, const char *call, const char *file, int line)
{
    int error = WSAGetLastError();

    if (result != SOCKET_ERROR)
        wt_fail(file, line, "%s succeeded (%d), %d was expected", call, result, code);
    if (error != code)
        wt_fail(file, line, "%s failed with %d, %d was expected", call, error, code);
}

/* --- keeping --- */

SOCKET wt_keep(SOCKET s)
{
    if (s == INVALID_SOCKET)
        fail_msg("no socket: %d", WSAGetLastError());
    assert_true(socket_count < KEPT_MAX);
    kept_sockets[socket_count++] = s;
    return s;
}

static HANDLE keep_handle(HANDLE h)
{
    assert_non_null(h);
    assert_true(handle_count < KEPT_MAX);
    kept_handles[handle_count++] = h;
    return h;
}

void wt_close(SOCKET s)
{
    for (unsigned i = 0; i < socket_count; i++)
        if (kept_sockets[i] == s)
            kept_sockets[i] = INVALID_SOCKET;
    OK(closesocket(s));
}

/* What the test has left open; before WSACleanup, so that a socket in an odd state is closed too. */
void wt_drop_all(void)
{
    while (socket_count > 0) {
        struct linger hard = {1, 0};
        SOCKET s = kept_sockets[--socket_count];

        if (s == INVALID_SOCKET)
            continue;
        (void)setsockopt(s, SOL_SOCKET, SO_LINGER, (const char *)&hard, sizeof(hard));
        (void)closesocket(s);
    }
    while (handle_count > 0)
        (void)CloseHandle(kept_handles[--handle_count]);
}

/* --- sockets --- */

SOCKET wt_socket(void)
{
    return wt_keep(WSASocketW(AF_INET, SOCK_STREAM, IPPROTO_TCP, NULL, 0, WSA_FLAG_OVERLAPPED));
}

SOCKET wt_bound(SOCKADDR_IN *name)
{
    SOCKET s = wt_socket();
    int bytes = sizeof(*name);

    OK(bind(s, (const struct sockaddr *)&wt_env.here, sizeof(wt_env.here)));
    OK(getsockname(s, (struct sockaddr *)name, &bytes));
    return s;
}

SOCKET wt_listener(SOCKADDR_IN *name)
{
    SOCKET s = wt_bound(name);

    OK(listen(s, 16));
    return s;
}

int wt_connect(SOCKET s, const SOCKADDR_IN *to)
{
    return connect(s, (const struct sockaddr *)to, sizeof(*to));
}

SOCKET wt_accept_one(SOCKET listener)
{
    SOCKET s;

    wt_until_readable(listener);
    s = wt_keep(accept(listener, NULL, NULL));
    wt_check_carried(s);
    return s;
}

struct wt_pair wt_pair(void)
{
    SOCKADDR_IN name;
    SOCKET listener = wt_listener(&name);
    struct wt_pair pair;

    pair.client = wt_socket();
    OK(wt_connect(pair.client, &name));
    pair.server = wt_accept_one(listener);
    wt_close(listener);
    wt_check_carried(pair.client);
    return pair;
}

SOCKADDR_IN wt_nobody(void)
{
    SOCKADDR_IN name;

    wt_close(wt_bound(&name));
    return name;
}

SOCKET wt_bound_any(void)
{
    SOCKET s = wt_socket();
    SOCKADDR_IN any = wt_env.here;

    any.sin_addr.s_addr = INADDR_ANY;
    OK(bind(s, (const struct sockaddr *)&any, sizeof(any)));
    return s;
}

static bool is_connected_soon(const SOCKADDR_IN *to)
{
    struct timeval time = {0, 500000};
    SOCKET s = wt_socket();
    fd_set set;

    wt_nonblocking(s, true);
    if (wt_connect(s, to) == SOCKET_ERROR)
        assert_int_equal(WSAGetLastError(), WSAEWOULDBLOCK);
    FD_ZERO(&set);
    FD_SET(s, &set);
    return OK(select(0, NULL, &set, NULL, &time)) == 1;
}

/* A lane may have no address that is silent for sure (Wine's sockets live in a server, outside the network of the test). There it is a
 * listener on loopback whose queue is full: the host says nothing to those who come then, as Linux does, or not at once, as Windows. */
SOCKADDR_IN wt_silent(void)
{
    SOCKADDR_IN to = wt_env.here;
    int bytes = sizeof(to);
    unsigned i = 0;
    SOCKET listener;

    to.sin_addr.s_addr = wt_env.silent;
    to.sin_port = htons(255);
    if (wt_env.silent != 0)
        return to;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = 0;
    listener = wt_socket();
    OK(bind(listener, (const struct sockaddr *)&to, sizeof(to)));
    OK(getsockname(listener, (struct sockaddr *)&to, &bytes));
    OK(listen(listener, 1));
    while (is_connected_soon(&to))
        assert_true(i++ < 16);
    return to;
}

void wt_nonblocking(SOCKET s, bool is_on)
{
    u_long on = is_on;

    OK(ioctlsocket(s, (LONG)FIONBIO, &on));
}

void wt_reset(SOCKET s)
{
    struct linger hard = {1, 0};

    OK(setsockopt(s, SOL_SOCKET, SO_LINGER, (const char *)&hard, sizeof(hard)));
    wt_close(s);
}

void wt_send(SOCKET s, const char *text)
{
    int bytes = (int)strlen(text);

    assert_int_equal(OK(send(s, text, bytes, 0)), bytes);
}

void wt_receive(SOCKET s, const char *text)
{
    size_t bytes = strlen(text), got = 0;
    char buffer[256];

    assert_true(bytes < sizeof(buffer));
    while (got < bytes) {
        int n;

        wt_until_readable(s);
        n = OK(recv(s, buffer + got, (int)(bytes - got), 0));
        assert_int_not_equal(n, 0);
        got += (size_t)n;
    }
    assert_memory_equal(buffer, text, bytes);
}

bool wt_readable(SOCKET s, DWORD ms)
{
    struct timeval time = {(LONG)(ms / 1000), (LONG)(ms % 1000 * 1000)};
    fd_set set;

    FD_ZERO(&set);
    FD_SET(s, &set);
    return OK(select(0, &set, NULL, NULL, &time)) == 1;
}

void wt_until_readable(SOCKET s)
{
    if (!wt_readable(s, wt_env.wait_ms))
        fail_msg("nothing came to read");
}

int wt_get(SOCKET s, int level, int option)
{
    int value = 0, bytes = sizeof(value); /* some options fill one byte only */

    OK(getsockopt(s, level, option, (char *)&value, &bytes));
    return value;
}

int wt_set(SOCKET s, int level, int option, int value)
{
    return setsockopt(s, level, option, (const char *)&value, sizeof(value));
}

void *wt_extension(SOCKET s, GUID id, void *out)
{
    DWORD bytes = 0;

    OK(WSAIoctl(s, SIO_GET_EXTENSION_FUNCTION_POINTER, &id, sizeof(id), out, sizeof(void (*)(void)), &bytes,
                NULL, NULL));
    assert_int_equal(bytes, sizeof(void (*)(void)));
    return out;
}

LPFN_CONNECTEX wt_connect_ex(SOCKET s)
{
    static const GUID id = WSAID_CONNECTEX;
    LPFN_CONNECTEX fn = NULL;

    wt_extension(s, id, &fn);
    return fn;
}

LPFN_DISCONNECTEX wt_disconnect_ex(SOCKET s)
{
    static const GUID id = WSAID_DISCONNECTEX;
    LPFN_DISCONNECTEX fn = NULL;

    wt_extension(s, id, &fn);
    return fn;
}

/* --- events, ports, operations --- */

WSAEVENT wt_event(void)
{
    return keep_handle(CreateEventA(NULL, TRUE, FALSE, NULL));
}

HANDLE wt_port(void)
{
    return keep_handle(CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 0));
}

int wt_receive_later(SOCKET s, WSABUF *buffer, WSAOVERLAPPED *ov)
{
    DWORD flags = 0;

    return WSARecv(s, buffer, 1, NULL, &flags, ov, NULL) == 0 ? 0 : WSAGetLastError();
}

bool wt_receive_at_once(SOCKET s, WSABUF *buffer, WSAOVERLAPPED *ov)
{
    int code = wt_receive_later(s, buffer, ov);

    if ((wt_env.lane & WT_SANS) != 0 && code == WSA_IO_PENDING)
        return false;
    assert_int_equal(code, 0);
    return true;
}

int wt_finish_code(SOCKET s, WSAOVERLAPPED *ov)
{
    DWORD bytes = 0, flags = 0;
    ULONGLONG end = GetTickCount64() + wt_env.wait_ms;

    while (!WSAGetOverlappedResult(s, ov, &bytes, FALSE, &flags)) {
        int error = WSAGetLastError();

        if (error != WSA_IO_INCOMPLETE)
            return error;
        if (GetTickCount64() > end)
            fail_msg("the operation does not end");
        Sleep(1);
    }
    return 0;
}

DWORD wt_finish(SOCKET s, WSAOVERLAPPED *ov)
{
    assert_int_equal(wt_finish_code(s, ov), 0);
    return (DWORD)ov->InternalHigh;
}

DWORD wt_packet(HANDLE port, ULONG_PTR key, const void *ov, DWORD *bytes)
{
    DWORD spare = 0xDEAD, code = 0;
    ULONG_PTR got_key = 0xDEAD;
    LPOVERLAPPED got_ov = NULL;

    if (!GetQueuedCompletionStatus(port, bytes != NULL ? bytes : &spare, &got_key, &got_ov, wt_env.wait_ms))
        code = GetLastError();
    if (got_ov == NULL && ov != NULL)
        fail_msg("no packet: %u", (unsigned)code);
    assert_ptr_equal(got_ov, ov);
    assert_int_equal(got_key, key);
    return code;
}

void wt_no_packet(HANDLE port)
{
    DWORD bytes = 0;
    ULONG_PTR key = 0;
    LPOVERLAPPED ov = NULL;

    FALSE_OF(GetQueuedCompletionStatus(port, &bytes, &key, &ov, 50), WAIT_TIMEOUT);
    assert_null(ov);
}

LONG wt_events(SOCKET s, WSAEVENT e, DWORD ms)
{
    WSANETWORKEVENTS events;

    memset(&events, 0, sizeof(events));
    (void)WaitForSingleObject(e, ms);
    OK(WSAEnumNetworkEvents(s, e, &events));
    return events.lNetworkEvents;
}

/* --- threads --- */

HANDLE wt_thread(LPTHREAD_START_ROUTINE fn, void *context)
{
    return keep_handle(CreateThread(NULL, 0, fn, context, 0, NULL));
}

void wt_join(HANDLE thread)
{
    if (WaitForSingleObject(thread, wt_env.wait_ms) != WAIT_OBJECT_0)
        fail_msg("the thread does not end");
}
