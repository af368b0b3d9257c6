/* winsock.c - see bench_winsock.h. Data calls take the form an application would choose: send() and recv() without an
 * OVERLAPPED, WSASend() and WSARecv() with one. */
/* clang-format off: the application's view first */
#include "winsock2.h"
/* clang-format on */

#include "bench_winsock.h"

#include "sw/switch.h"

/* Winsock's answer with its last error, as the table gives it. */
static int told(int result, INT *code)
{
    if (result == SOCKET_ERROR)
        *code = WSAGetLastError();
    return result;
}

static SOCKET WSPAPI make(int af, int type, int protocol, LPWSAPROTOCOL_INFOW info, GROUP g, DWORD flags,
                          LPINT code)
{
    SOCKET s = WSASocketW(af, type, protocol, info, g, flags);

    if (s == INVALID_SOCKET)
        *code = WSAGetLastError();
    return s;
}

static int WSPAPI close_it(SOCKET s, LPINT code)
{
    return told(closesocket(s), code);
}

static int WSPAPI bind_it(SOCKET s, const struct sockaddr *name, int bytes, LPINT code)
{
    return told(bind(s, name, bytes), code);
}

static int WSPAPI connect_it(SOCKET s, const struct sockaddr *name, int bytes, LPWSABUF caller,
                             LPWSABUF callee, LPQOS sqos, LPQOS gqos, LPINT code)
{
    (void)caller, (void)callee, (void)sqos, (void)gqos;
    return told(connect(s, name, bytes), code);
}

static int WSPAPI listen_it(SOCKET s, int backlog, LPINT code)
{
    return told(listen(s, backlog), code);
}

static SOCKET WSPAPI accept_it(SOCKET s, struct sockaddr *name, LPINT bytes, LPCONDITIONPROC condition,
                               DWORD_PTR data, LPINT code)
{
    SOCKET taken = accept(s, name, bytes);

    (void)condition, (void)data;
    if (taken == INVALID_SOCKET)
        *code = WSAGetLastError();
    return taken;
}

static int WSPAPI name_of(SOCKET s, struct sockaddr *name, LPINT bytes, LPINT code)
{
    return told(getsockname(s, name, bytes), code);
}

static int WSPAPI set_option(SOCKET s, int level, int option, const CHAR *value, int bytes, LPINT code)
{
    return told(setsockopt(s, level, option, value, bytes), code);
}

static int WSPAPI control(SOCKET s, DWORD what, LPVOID in, DWORD in_bytes, LPVOID out, DWORD out_bytes,
                          LPDWORD returned, LPWSAOVERLAPPED ov, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine,
                          LPWSATHREADID thread, LPINT code)
{
    (void)thread;
    return told(WSAIoctl(s, what, in, in_bytes, out, out_bytes, returned, ov, routine), code);
}

static int WSPAPI select_some(int nfds, WSD_FD_SET *readable, WSD_FD_SET *writable, WSD_FD_SET *except,
                              const WSD_TIMEVAL *timeout, LPINT code)
{
    return told(select(nfds, (void *)readable, (void *)writable, (void *)except, (const void *)timeout),
                code);
}

static int WSPAPI shut(SOCKET s, int how, LPINT code)
{
    return told(shutdown(s, how), code);
}

static int WSPAPI send_it(SOCKET s, LPWSABUF buffers, DWORD count, LPDWORD sent, DWORD flags,
                          LPWSAOVERLAPPED ov, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine,
                          LPWSATHREADID thread, LPINT code)
{
    int result;

    (void)thread;
    if (ov != NULL)
        return told(WSASend(s, buffers, count, sent, flags, ov, routine), code);
    result = told(send(s, buffers->buf, (int)buffers->len, (int)flags), code);
    if (result == SOCKET_ERROR)
        return SOCKET_ERROR;
    *sent = (DWORD)result;
    return 0;
}

static int WSPAPI receive_it(SOCKET s, LPWSABUF buffers, DWORD count, LPDWORD got, LPDWORD flags,
                             LPWSAOVERLAPPED ov, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine,
                             LPWSATHREADID thread, LPINT code)
{
    int result;

    (void)thread;
    if (ov != NULL)
        return told(WSARecv(s, buffers, count, got, flags, ov, routine), code);
    result = told(recv(s, buffers->buf, (int)buffers->len, (int)*flags), code);
    if (result == SOCKET_ERROR)
        return SOCKET_ERROR;
    *got = (DWORD)result;
    return 0;
}

static BOOL WSPAPI result_of(SOCKET s, LPWSAOVERLAPPED ov, LPDWORD bytes, BOOL wait, LPDWORD flags,
                             LPINT code)
{
    BOOL is_over = WSAGetOverlappedResult(s, ov, bytes, wait, flags);

    if (!is_over)
        *code = WSAGetLastError();
    return is_over;
}

static const WSPPROC_TABLE calls = {
    .lpWSPAccept = accept_it,
    .lpWSPBind = bind_it,
    .lpWSPCloseSocket = close_it,
    .lpWSPConnect = connect_it,
    .lpWSPGetOverlappedResult = result_of,
    .lpWSPGetSockName = name_of,
    .lpWSPIoctl = control,
    .lpWSPListen = listen_it,
    .lpWSPRecv = receive_it,
    .lpWSPSelect = select_some,
    .lpWSPSend = send_it,
    .lpWSPSetSockOpt = set_option,
    .lpWSPShutdown = shut,
    .lpWSPSocket = make,
};

bool bench_winsock_start(const WSPPROC_TABLE **out, struct bench_error *err)
{
    WSADATA data;
    int code = WSAStartup(MAKEWORD(2, 2), &data);

    if (code != 0)
        return bench_fail(err, "WSAStartup failed: %s (%d)", sw_error_name(code), code);
    *out = &calls;
    return true;
}

void bench_winsock_stop(void)
{
    (void)WSACleanup();
}
