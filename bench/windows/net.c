/* net.c - stream sockets of Winsock. Sockets do not block; waiting is WSAPoll(), and a receive that sleeps is an overlapped
 * one, which is what a blocking receive of Windows is inside. WSA codes as they are. */
#include "bench_net.h"

#include <stdio.h>
#include <string.h>

#include "pal/atomic.h"

int bench_net_error(void)
{
    return WSAGetLastError();
}

const char *bench_net_error_text(int code)
{
    static PAL_THREAD_LOCAL char text[256];
    DWORD n = FormatMessageA(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS |
                                 FORMAT_MESSAGE_MAX_WIDTH_MASK, /* no line breaks */
                             NULL, (DWORD)code, 0, text, sizeof text, NULL);

    while (n > 0 && (text[n - 1] == ' ' || text[n - 1] == '.'))
        text[--n] = '\0';
    if (n == 0)
        (void)snprintf(text, sizeof text, "error %d of Windows", code);
    return text;
}

/* Once; its count is the process's and ends with it. */
static BOOL CALLBACK start_once(INIT_ONCE *once, void *parameter, void **context)
{
    WSADATA data;

    (void)once, (void)parameter, (void)context;
    return WSAStartup(MAKEWORD(2, 2), &data) == 0;
}

static bool start(void)
{
    static INIT_ONCE once = INIT_ONCE_STATIC_INIT;

    return InitOnceExecuteOnce(&once, start_once, NULL, NULL) != 0;
}

static bool set_non_blocking(SOCKET s)
{
    u_long on = 1;

    return ioctlsocket(s, (long)FIONBIO, &on) == 0;
}

pal_socket bench_net_make(int family, int type)
{
    SOCKET s;

    if (!start())
        return PAL_SOCKET_NONE;
    s = WSASocketW(family, type, 0, NULL, 0, WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
    if (s == INVALID_SOCKET)
        return PAL_SOCKET_NONE;
    if (set_non_blocking(s))
        return s;
    bench_net_close(s);
    return PAL_SOCKET_NONE;
}

void bench_net_close(pal_socket s)
{
    int code = WSAGetLastError(); /* the caller may still be about to say what failed */

    (void)closesocket(s);
    WSASetLastError(code);
}

bool bench_net_set(pal_socket s, int level, int name, int value)
{
    return setsockopt(s, level, name, (const char *)&value, sizeof value) == 0;
}

/* Connections of the server before are no obstacle here, and SO_REUSEADDR would let anybody in beside us.
 * Source: Microsoft, "Using SO_REUSEADDR and SO_EXCLUSIVEADDRUSE". */
bool bench_net_come_back(pal_socket s)
{
    (void)s;
    return true;
}

bool bench_net_bind_address(pal_socket s, const struct sockaddr *at, socklen_t bytes)
{
    return bind(s, at, bytes) == 0;
}

/* select(), because WSAPoll() does not tell of a connect that failed before Windows 10 2004. */
bool bench_net_connect(pal_socket s, const struct sockaddr *to, socklen_t bytes, uint32_t timeout_ms)
{
    struct timeval patience = {.tv_sec = (long)(timeout_ms / 1000),
                               .tv_usec = (long)(timeout_ms % 1000 * 1000)};
    fd_set done, failed;
    int code = 0;
    int code_bytes = sizeof code;

    if (connect(s, to, bytes) == 0)
        return true;
    if (WSAGetLastError() != WSAEWOULDBLOCK)
        return false;
    FD_ZERO(&done);
    FD_SET(s, &done);
    failed = done;
    if (select(0, NULL, &done, &failed, &patience) == 0)
        code = WSAETIMEDOUT;
    else if (getsockopt(s, SOL_SOCKET, SO_ERROR, (char *)&code, &code_bytes) != 0)
        return false;
    WSASetLastError(code);
    return code == 0;
}

pal_socket bench_net_accept(pal_socket listener, struct sockaddr *from, socklen_t *bytes)
{
    struct pollfd waiting = {.fd = listener, .events = POLLRDNORM};
    SOCKET s = accept(listener, from, bytes);

    while (s == INVALID_SOCKET && WSAGetLastError() == WSAEWOULDBLOCK) {
        if (WSAPoll(&waiting, 1, -1) < 0)
            return PAL_SOCKET_NONE;
        s = accept(listener, from, bytes);
    }
    if (s == INVALID_SOCKET)
        return PAL_SOCKET_NONE;
    (void)SetHandleInformation((HANDLE)s, HANDLE_FLAG_INHERIT, 0); /* a leak to children at worst */
    if (set_non_blocking(s))
        return s;
    bench_net_close(s);
    return PAL_SOCKET_NONE;
}

/* --- two ends of one connection: over TCP on the loopback interface ---------------------------------------- */

/* Anybody on this machine can connect to the listener: the one that did must be our own other end. */
static bool is_ours(SOCKET ours, SOCKET accepted)
{
    struct sockaddr_in mine = {0}, theirs = {0};
    int mine_bytes = sizeof mine, theirs_bytes = sizeof theirs;

    return getsockname(ours, (struct sockaddr *)&mine, &mine_bytes) == 0 &&
           getpeername(accepted, (struct sockaddr *)&theirs, &theirs_bytes) == 0 &&
           mine.sin_port == theirs.sin_port && mine.sin_addr.s_addr == theirs.sin_addr.s_addr;
}

static bool make_pair(SOCKET listener, pal_socket out[2])
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int bytes = sizeof at;

    if (bind(listener, (struct sockaddr *)&at, bytes) != 0 || listen(listener, 1) != 0 ||
        getsockname(listener, (struct sockaddr *)&at, &bytes) != 0 ||
        !bench_net_connect(out[0], (struct sockaddr *)&at, bytes, 5000))
        return false;
    out[1] = bench_net_accept(listener, NULL, NULL);
    if (out[1] == PAL_SOCKET_NONE)
        return false;
    if (is_ours(out[0], out[1]))
        return bench_net_set(out[0], IPPROTO_TCP, TCP_NODELAY, 1) &&
               bench_net_set(out[1], IPPROTO_TCP, TCP_NODELAY, 1);
    WSASetLastError(WSAEACCES);
    return false;
}

bool bench_net_pair(pal_socket out[2])
{
    pal_socket listener = bench_net_make(AF_INET, SOCK_STREAM);
    bool is_good;

    out[0] = bench_net_make(AF_INET, SOCK_STREAM);
    out[1] = PAL_SOCKET_NONE;
    is_good = listener != PAL_SOCKET_NONE && out[0] != PAL_SOCKET_NONE && make_pair(listener, out);
    if (listener != PAL_SOCKET_NONE)
        bench_net_close(listener);
    for (unsigned i = 0; i < 2 && !is_good; i++) {
        if (out[i] != PAL_SOCKET_NONE)
            bench_net_close(out[i]);
    }
    return is_good;
}

int bench_net_lookup(const char *host, uint16_t port, struct addrinfo **out)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_family = AF_UNSPEC};
    char service[8];

    if (!start())
        return EAI_FAIL;
    (void)snprintf(service, sizeof service, "%u", port);
    return getaddrinfo(host, service, &hints, out);
}

/* --- moving bytes ----------------------------------------------------------------------------------------- */

static long long outcome(int n)
{
    if (n >= 0)
        return n;
    return WSAGetLastError() == WSAEWOULDBLOCK ? BENCH_NET_LATER : BENCH_NET_FAILED;
}

long long bench_net_send(pal_socket s, const void *data, size_t bytes)
{
    return outcome(send(s, data, (int)bytes, 0)); /* BENCH_SIZE_MAX is far below INT_MAX */
}

long long bench_net_recv(pal_socket s, void *data, size_t bytes)
{
    return outcome(recv(s, data, (int)bytes, 0));
}

long long bench_net_peek(pal_socket s, void *data, size_t bytes)
{
    return outcome(recv(s, data, (int)bytes, MSG_PEEK));
}

bool bench_net_finish(pal_socket s)
{
    return shutdown(s, SD_SEND) == 0;
}

int bench_net_poll(struct pollfd *fds, unsigned count, int timeout_ms)
{
    return WSAPoll(fds, count, timeout_ms);
}

/* --- receiving asleep: no time-out of the socket, after one its state is undefined (SO_RCVTIMEO) ------------ */

void bench_net_sleeper_init(struct bench_net_sleeper *z, pal_socket s, unsigned look_ms)
{
    memset(z, 0, sizeof *z);
    z->s = s;
    z->look_ms = look_ms;
}

static bool begin(struct bench_net_sleeper *z, void *data, size_t bytes)
{
    WSABUF buffer = {.len = (ULONG)bytes, .buf = data};
    DWORD flags = 0;

    if (z->ov.hEvent == NULL)
        z->ov.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL);
    if (z->ov.hEvent == NULL) {
        WSASetLastError(WSAENOBUFS);
        return false;
    }
    /* resets the event */
    if (WSARecv(z->s, &buffer, 1, NULL, &flags, &z->ov, NULL) != 0 && WSAGetLastError() != WSA_IO_PENDING)
        return false;
    z->is_under_way = true;
    return true;
}

/* Also when it was done at once: the event is set then. */
long long bench_net_sleeper_recv(struct bench_net_sleeper *z, void *data, size_t bytes)
{
    DWORD got = 0;
    DWORD flags = 0;

    if (!z->is_under_way && !begin(z, data, bytes))
        return BENCH_NET_FAILED;
    if (!HasOverlappedIoCompleted(&z->ov) && WaitForSingleObject(z->ov.hEvent, z->look_ms) != WAIT_OBJECT_0)
        return BENCH_NET_LATER;
    z->is_under_way = false;
    return WSAGetOverlappedResult(z->s, &z->ov, &got, FALSE, &flags) ? (long long)got : BENCH_NET_FAILED;
}

void bench_net_sleeper_fini(struct bench_net_sleeper *z)
{
    DWORD got, flags;

    if (z->is_under_way) {
        (void)CancelIoEx((HANDLE)z->s, &z->ov);
        (void)WSAGetOverlappedResult(z->s, &z->ov, &got, TRUE, &flags); /* then the memory is ours again */
        z->is_under_way = false;
    }
    if (z->ov.hEvent != NULL)
        (void)CloseHandle(z->ov.hEvent);
    z->ov.hEvent = NULL;
}
