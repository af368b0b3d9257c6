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

/* What goes on around a call down that may be over before it returns. */
struct frame {
    const WSPPROC_TABLE *down;
    WSATHREADID *thread; /* for a completion routine */
    struct ws2_submission sub;
    INT code;
};

/* An operation begins: its event is not signalled any more, as the I/O manager of Windows has it. With a completion routine hEvent is
 * the program's own (contract 10.3). False, and the last error: no WSAStartup, or no memory for a routine. */
static bool begin(struct frame *f, LPWSAOVERLAPPED ov, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
    ULONG_PTR event = ov != NULL && routine == NULL ? (ULONG_PTR)ov->hEvent & ~(ULONG_PTR)1u : 0;

    f->down = ws2_down();
    f->thread = NULL;
    f->code = 0;
    if (f->down == NULL)
        return false;
    if (ov != NULL && routine != NULL && (f->thread = ws2_this_thread()) == NULL) {
        sw_set_last_error(WSAENOBUFS);
        return false;
    }
    if (event != 0)
        ws2_os_reset_event((WSAEVENT)event);
    ws2_submission_begin(&f->sub, routine == NULL ? ov : NULL);
    return true;
}

static int end(struct frame *f, int result)
{
    ws2_submission_end(&f->sub, result == 0);
    return ws2_answer(result, &f->code);
}

int WSAAPI WSASend(SOCKET s, LPWSABUF buffers, DWORD count, LPDWORD sent, DWORD flags, LPWSAOVERLAPPED ov,
                   LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
    struct frame f;

    return !begin(&f, ov, routine) ? SOCKET_ERROR
                                   : end(&f, f.down->lpWSPSend(s, array_of(buffers, count), count, sent,
                                                               flags, ov, routine, f.thread, &f.code));
}

int WSAAPI WSASendTo(SOCKET s, LPWSABUF buffers, DWORD count, LPDWORD sent, DWORD flags,
                     const struct sockaddr *to, int to_bytes, LPWSAOVERLAPPED ov,
                     LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
    struct frame f;

    return !begin(&f, ov, routine)
               ? SOCKET_ERROR
               : end(&f, f.down->lpWSPSendTo(s, array_of(buffers, count), count, sent, flags, to, to_bytes,
                                             ov, routine, f.thread, &f.code));
}

int WSAAPI WSARecv(SOCKET s, LPWSABUF buffers, DWORD count, LPDWORD got, LPDWORD flags, LPWSAOVERLAPPED ov,
                   LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
    struct frame f;

    return !begin(&f, ov, routine)
               ? SOCKET_ERROR
               : end(&f, f.down->lpWSPRecv(s, buffers, count, got, flags, ov, routine, f.thread, &f.code));
}

int WSAAPI WSARecvFrom(SOCKET s, LPWSABUF buffers, DWORD count, LPDWORD got, LPDWORD flags,
                       struct sockaddr *from, int *from_bytes, LPWSAOVERLAPPED ov,
                       LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
    struct frame f;

    return !begin(&f, ov, routine)
               ? SOCKET_ERROR
               : end(&f, f.down->lpWSPRecvFrom(s, buffers, count, got, flags, from, from_bytes, ov, routine,
                                               f.thread, &f.code));
}

/* --- the four of Berkeley: they go down straight, since nothing completes later --- */

/* Memory that cannot be the caller's; the kernel of Windows finds that out by touching it, and says WSAEFAULT. */
static bool is_wild(const void *data, int bytes)
{
    return bytes < 0 || (data == NULL && bytes > 0);
}

/* The table of the switch; NULL, and the last error: there is none, or the memory cannot be. */
static const WSPPROC_TABLE *down_with(SOCKET s, const void *data, int bytes)
{
    const WSPPROC_TABLE *down = ws2_down();

    if (down == NULL || !is_wild(data, bytes))
        return down;
    (void)ws2_fail_behind_handle(s, WSAEFAULT);
    return NULL;
}

int WSAAPI send(SOCKET s, const char *data, int bytes, int flags)
{
    const WSPPROC_TABLE *down = down_with(s, data, bytes);
    WSABUF buffer = {(ULONG)bytes, memory_of(data)};
    DWORD sent = 0;
    INT code = 0;

    if (down == NULL)
        return SOCKET_ERROR;
    if (down->lpWSPSend(s, &buffer, 1, &sent, (DWORD)flags, NULL, NULL, NULL, &code) == SOCKET_ERROR)
        return ws2_fail(code);
    return (int)sent;
}

int WSAAPI sendto(SOCKET s, const char *data, int bytes, int flags, const struct sockaddr *to, int to_bytes)
{
    const WSPPROC_TABLE *down = down_with(s, data, bytes);
    WSABUF buffer = {(ULONG)bytes, memory_of(data)};
    DWORD sent = 0;
    INT code = 0;

    if (down == NULL)
        return SOCKET_ERROR;
    if (down->lpWSPSendTo(s, &buffer, 1, &sent, (DWORD)flags, to, to_bytes, NULL, NULL, NULL, &code) ==
        SOCKET_ERROR)
        return ws2_fail(code);
    return (int)sent;
}

static int receive(SOCKET s, char *data, int bytes, DWORD *flags)
{
    const WSPPROC_TABLE *down = down_with(s, data, bytes);
    WSABUF buffer = {(ULONG)bytes, memory_of(data)};
    DWORD got = 0;
    INT code = 0;

    if (down == NULL)
        return SOCKET_ERROR;
    if (down->lpWSPRecv(s, &buffer, 1, &got, flags, NULL, NULL, NULL, &code) == SOCKET_ERROR)
        return ws2_fail(code);
    return (int)got;
}

int WSAAPI recv(SOCKET s, char *data, int bytes, int flags)
{
    DWORD in_and_out = (DWORD)flags;

    return receive(s, data, bytes, &in_and_out);
}

int WSAAPI WSARecvEx(SOCKET s, char *data, int bytes, int *flags)
{
    DWORD in_and_out;
    int result;

    if (flags == NULL)
        return ws2_down() == NULL ? SOCKET_ERROR : ws2_fail_behind_handle(s, WSAEFAULT);
    in_and_out = (DWORD)*flags;
    result = receive(s, data, bytes, &in_and_out);
    if (result != SOCKET_ERROR)
        *flags = (int)in_and_out;
    return result;
}

int WSAAPI recvfrom(SOCKET s, char *data, int bytes, int flags, struct sockaddr *from, int *from_bytes)
{
    const WSPPROC_TABLE *down = down_with(s, data, bytes);
    WSABUF buffer = {(ULONG)bytes, memory_of(data)};
    DWORD got = 0, in_and_out = (DWORD)flags;
    INT code = 0;

    if (down == NULL)
        return SOCKET_ERROR;
    if (down->lpWSPRecvFrom(s, &buffer, 1, &got, &in_and_out, from, from_bytes, NULL, NULL, NULL, &code) ==
        SOCKET_ERROR)
        return ws2_fail(code);
    return (int)got;
}
