/* data.c - sending and receiving. A call is an array of WSABUF for the switch, and, for overlapped operations, what goes on around it:
 * the event is reset, the thread is named for a completion routine, and the packet that may not come waits (ws2.h). */
#include "app/app.h"

/* Nothing, as an array and as memory: C has no copying of 0 bytes from NULL, and the layers below copy what they are given. */
static char no_byte;
static WSABUF no_buffers = {0, &no_byte};
static LPWSABUF array_of(LPWSABUF buffers, DWORD count)
{
    return count == 0 ? &no_buffers : buffers;
}
static char *memory_of(const char *data)
{
    return data != NULL ? (char *)(uintptr_t)data : &no_byte;
}

/* An operation begins: its event is not signalled any more, as the I/O manager of Windows has it. With a completion routine hEvent is
 * the program's own (contract 10.3). False: no memory for a routine. */
static bool begin(struct ws2_submission *sub, LPWSAOVERLAPPED ov, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine,
                  WSATHREADID **thread)
{
    ULONG_PTR event = ov != NULL && routine == NULL ? (ULONG_PTR)ov->hEvent & ~(ULONG_PTR)1u : 0;

    *thread = NULL;
    if (ov != NULL && routine != NULL && (*thread = ws2_this_thread()) == NULL) {
        sw_set_last_error(WSAENOBUFS);
        return false;
    }
    if (event != 0)
        ws2_os_reset_event((WSAEVENT)event);
    ws2_submission_begin(sub, routine == NULL ? ov : NULL);
    return true;
}

static int end(struct ws2_submission *sub, int result, int code)
{
    ws2_submission_end(sub, result == 0);
    return ws2_answer(result, &code);
}

int WSAAPI WSASend(SOCKET s, LPWSABUF buffers, DWORD count, LPDWORD sent, DWORD flags, LPWSAOVERLAPPED ov,
                   LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
    const WSPPROC_TABLE *down = ws2_down();
    struct ws2_submission sub;
    WSATHREADID *thread;
    INT code = 0;
    int result;

    if (down == NULL || !begin(&sub, ov, routine, &thread))
        return SOCKET_ERROR;
    result = down->lpWSPSend(s, array_of(buffers, count), count, sent, flags, ov, routine, thread, &code);
    return end(&sub, result, code);
}

int WSAAPI WSASendTo(SOCKET s, LPWSABUF buffers, DWORD count, LPDWORD sent, DWORD flags,
                     const struct sockaddr *to, int to_bytes, LPWSAOVERLAPPED ov,
                     LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
    const WSPPROC_TABLE *down = ws2_down();
    struct ws2_submission sub;
    WSATHREADID *thread;
    INT code = 0;
    int result;

    if (down == NULL || !begin(&sub, ov, routine, &thread))
        return SOCKET_ERROR;
    result = down->lpWSPSendTo(s, array_of(buffers, count), count, sent, flags, to, to_bytes, ov, routine,
                               thread, &code);
    return end(&sub, result, code);
}

int WSAAPI WSARecv(SOCKET s, LPWSABUF buffers, DWORD count, LPDWORD got, LPDWORD flags, LPWSAOVERLAPPED ov,
                   LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
    const WSPPROC_TABLE *down = ws2_down();
    struct ws2_submission sub;
    WSATHREADID *thread;
    INT code = 0;
    int result;

    if (down == NULL || !begin(&sub, ov, routine, &thread))
        return SOCKET_ERROR;
    result = down->lpWSPRecv(s, buffers, count, got, flags, ov, routine, thread, &code);
    return end(&sub, result, code);
}

int WSAAPI WSARecvFrom(SOCKET s, LPWSABUF buffers, DWORD count, LPDWORD got, LPDWORD flags,
                       struct sockaddr *from, LPINT from_bytes, LPWSAOVERLAPPED ov,
                       LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
    const WSPPROC_TABLE *down = ws2_down();
    struct ws2_submission sub;
    WSATHREADID *thread;
    INT code = 0;
    int result;

    if (down == NULL || !begin(&sub, ov, routine, &thread))
        return SOCKET_ERROR;
    result = down->lpWSPRecvFrom(s, buffers, count, got, flags, from, from_bytes, ov, routine, thread, &code);
    return end(&sub, result, code);
}

/* --- the four of Berkeley: they go down straight, since nothing completes later --- */

/* Memory that cannot be the caller's; the kernel of Windows finds that out by touching it, and says WSAEFAULT. */
static bool is_wild(const void *data, int bytes)
{
    return bytes < 0 || (data == NULL && bytes > 0);
}

int WSAAPI send(SOCKET s, const char *data, int bytes, int flags)
{
    const WSPPROC_TABLE *down = ws2_down();
    WSABUF buffer = {(ULONG)bytes, memory_of(data)};
    DWORD sent = 0;
    INT code = 0;

    if (down == NULL)
        return SOCKET_ERROR;
    if (is_wild(data, bytes))
        return ws2_fail_behind_handle(s, WSAEFAULT);
    if (down->lpWSPSend(s, &buffer, 1, &sent, (DWORD)flags, NULL, NULL, NULL, &code) == SOCKET_ERROR)
        return ws2_fail(code);
    return (int)sent;
}

int WSAAPI sendto(SOCKET s, const char *data, int bytes, int flags, const struct sockaddr *to, int to_bytes)
{
    const WSPPROC_TABLE *down = ws2_down();
    WSABUF buffer = {(ULONG)bytes, memory_of(data)};
    DWORD sent = 0;
    INT code = 0;

    if (down == NULL)
        return SOCKET_ERROR;
    if (is_wild(data, bytes))
        return ws2_fail_behind_handle(s, WSAEFAULT);
    if (down->lpWSPSendTo(s, &buffer, 1, &sent, (DWORD)flags, to, to_bytes, NULL, NULL, NULL, &code) ==
        SOCKET_ERROR)
        return ws2_fail(code);
    return (int)sent;
}

int WSAAPI recv(SOCKET s, char *data, int bytes, int flags)
{
    const WSPPROC_TABLE *down = ws2_down();
    WSABUF buffer = {(ULONG)bytes, memory_of(data)};
    DWORD got = 0, in_and_out = (DWORD)flags;
    INT code = 0;

    if (down == NULL)
        return SOCKET_ERROR;
    if (is_wild(data, bytes))
        return ws2_fail_behind_handle(s, WSAEFAULT);
    if (down->lpWSPRecv(s, &buffer, 1, &got, &in_and_out, NULL, NULL, NULL, &code) == SOCKET_ERROR)
        return ws2_fail(code);
    return (int)got;
}

int WSAAPI recvfrom(SOCKET s, char *data, int bytes, int flags, struct sockaddr *from, int *from_bytes)
{
    const WSPPROC_TABLE *down = ws2_down();
    WSABUF buffer = {(ULONG)bytes, memory_of(data)};
    DWORD got = 0, in_and_out = (DWORD)flags;
    INT code = 0;

    if (down == NULL)
        return SOCKET_ERROR;
    if (is_wild(data, bytes))
        return ws2_fail_behind_handle(s, WSAEFAULT);
    if (down->lpWSPRecvFrom(s, &buffer, 1, &got, &in_and_out, from, from_bytes, NULL, NULL, NULL, &code) ==
        SOCKET_ERROR)
        return ws2_fail(code);
    return (int)got;
}
