/* sp_calls.c - the calls down with the usual arguments, each answering 0 or its code. */
#include "sp.h"

/* A failure has to say why. (By pointer: the call that writes the error is another argument.) */
static int code(bool failed, const INT *error)
{
    return !failed ? 0 : *error != 0 ? *error : -1;
}

int sp_socket(int af, int type, int protocol, DWORD flags, SOCKET *out)
{
    INT error = 0;

    *out = sp.procs->lpWSPSocket(af, type, protocol, NULL, 0, flags, &error);
    return code(*out == INVALID_SOCKET, &error);
}

int sp_close(SOCKET s)
{
    INT error = 0;

    return code(sp.procs->lpWSPCloseSocket(s, &error) == SOCKET_ERROR, &error);
}

int sp_bind(SOCKET s, const WSD_SOCKADDR_IN *name)
{
    INT error = 0;

    return code(sp.procs->lpWSPBind(s, (const WSD_SOCKADDR *)name, sizeof(*name), &error) == SOCKET_ERROR,
                &error);
}

int sp_listen(SOCKET s, int backlog)
{
    INT error = 0;

    return code(sp.procs->lpWSPListen(s, backlog, &error) == SOCKET_ERROR, &error);
}

int sp_connect(SOCKET s, const WSD_SOCKADDR_IN *name)
{
    INT error = 0;

    return code(sp.procs->lpWSPConnect(s, (const WSD_SOCKADDR *)name, sizeof(*name), NULL, NULL, NULL, NULL,
                                       &error) == SOCKET_ERROR,
                &error);
}

int sp_accept_if(SOCKET s, LPCONDITIONPROC condition, DWORD_PTR context, WSD_SOCKADDR_IN *from, SOCKET *out)
{
    INT error = 0;
    INT bytes = sizeof(*from);

    *out = sp.procs->lpWSPAccept(s, (WSD_SOCKADDR *)from, from != NULL ? &bytes : NULL, condition, context,
                                 &error);
    return code(*out == INVALID_SOCKET, &error);
}

int sp_accept(SOCKET s, SOCKET *out)
{
    return sp_accept_if(s, NULL, 0, NULL, out);
}

int sp_local(SOCKET s, WSD_SOCKADDR_IN *out)
{
    INT error = 0;
    INT bytes = sizeof(*out);

    return code(sp.procs->lpWSPGetSockName(s, (WSD_SOCKADDR *)out, &bytes, &error) == SOCKET_ERROR, &error);
}

int sp_peer(SOCKET s, WSD_SOCKADDR_IN *out)
{
    INT error = 0;
    INT bytes = sizeof(*out);

    return code(sp.procs->lpWSPGetPeerName(s, (WSD_SOCKADDR *)out, &bytes, &error) == SOCKET_ERROR, &error);
}

/* --- data --- */

int sp_send(SOCKET s, const void *data, DWORD bytes, DWORD flags, DWORD *sent)
{
    WSABUF buffer = {bytes, (CHAR *)(uintptr_t)data};
    DWORD spare = 0;
    INT error = 0;

    return code(sp.procs->lpWSPSend(s, &buffer, 1, sent != NULL ? sent : &spare, flags, NULL, NULL, NULL,
                                    &error) == SOCKET_ERROR,
                &error);
}

int sp_recv(SOCKET s, void *data, DWORD bytes, DWORD flags, DWORD *got)
{
    WSABUF buffer = {bytes, data};
    DWORD spare = 0;
    INT error = 0;

    return code(sp.procs->lpWSPRecv(s, &buffer, 1, got != NULL ? got : &spare, &flags, NULL, NULL, NULL,
                                    &error) == SOCKET_ERROR,
                &error);
}

int sp_sendv(SOCKET s, WSABUF *buffers, DWORD count, DWORD *sent)
{
    INT error = 0;

    return code(sp.procs->lpWSPSend(s, buffers, count, sent, 0, NULL, NULL, NULL, &error) == SOCKET_ERROR,
                &error);
}

int sp_recvv(SOCKET s, WSABUF *buffers, DWORD count, DWORD *got)
{
    DWORD flags = 0;
    INT error = 0;

    return code(sp.procs->lpWSPRecv(s, buffers, count, got, &flags, NULL, NULL, NULL, &error) == SOCKET_ERROR,
                &error);
}

int sp_send_overlapped(SOCKET s, WSABUF *buffers, DWORD count, WSAOVERLAPPED *ov)
{
    INT error = ws2_operation_begin(s, ov);
    bool is_known = error == 0;
    int result;

    error = 0;
    result = sp.procs->lpWSPSend(s, buffers, count, NULL, 0, ov, NULL, NULL, &error);
    if (is_known)
        ws2_operation_submitted(s, ov, result, error);
    return code(result == SOCKET_ERROR, &error);
}

int sp_recv_overlapped(SOCKET s, WSABUF *buffers, DWORD count, DWORD flags, WSAOVERLAPPED *ov)
{
    INT error = ws2_operation_begin(s, ov);
    bool is_known = error == 0;
    int result;

    error = 0;
    result = sp.procs->lpWSPRecv(s, buffers, count, NULL, &flags, ov, NULL, NULL, &error);
    if (is_known)
        ws2_operation_submitted(s, ov, result, error);
    return code(result == SOCKET_ERROR, &error);
}

int sp_send_routine(SOCKET s, WSABUF *buffer, WSAOVERLAPPED *ov, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
    DWORD sent = 0;
    INT error = 0;

    return code(sp.procs->lpWSPSend(s, buffer, 1, &sent, 0, ov, routine, &sp.thread, &error) == SOCKET_ERROR,
                &error);
}

int sp_recv_routine(SOCKET s, WSABUF *buffer, WSAOVERLAPPED *ov, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
    DWORD got = 0, flags = 0;
    INT error = 0;

    return code(sp.procs->lpWSPRecv(s, buffer, 1, &got, &flags, ov, routine, &sp.thread, &error) ==
                    SOCKET_ERROR,
                &error);
}

int sp_result(SOCKET s, WSAOVERLAPPED *ov, bool wait, DWORD *bytes)
{
    DWORD flags = 0;
    INT error = 0;

    return code(!sp.procs->lpWSPGetOverlappedResult(s, ov, bytes, wait, &flags, &error), &error);
}

int sp_finish(SOCKET s, WSAOVERLAPPED *ov, DWORD *bytes)
{
    uint64_t end = sp_deadline();
    DWORD spare = 0;

    for (;;) {
        int error = sp_result(s, ov, false, bytes != NULL ? bytes : &spare);

        if (error != WSA_IO_INCOMPLETE || pal_now_ns() >= end)
            return error;
        suite_relax();
    }
}

int sp_shutdown(SOCKET s, int how)
{
    INT error = 0;

    return code(sp.procs->lpWSPShutdown(s, how, &error) == SOCKET_ERROR, &error);
}

/* --- options and ioctls --- */

int sp_set(SOCKET s, int level, int name, const void *value, int bytes)
{
    INT error = 0;

    return code(sp.procs->lpWSPSetSockOpt(s, level, name, value, bytes, &error) == SOCKET_ERROR, &error);
}

int sp_get(SOCKET s, int level, int name, void *value, int *bytes)
{
    INT error = 0;

    return code(sp.procs->lpWSPGetSockOpt(s, level, name, value, bytes, &error) == SOCKET_ERROR, &error);
}

int sp_set_int(SOCKET s, int level, int name, int value)
{
    return sp_set(s, level, name, &value, sizeof(value));
}

int sp_get_int(SOCKET s, int level, int name, int *value)
{
    int bytes = sizeof(*value);

    *value = 0; /* some options fill one byte only */
    return sp_get(s, level, name, value, &bytes);
}

int sp_set_linger(SOCKET s, bool is_on, unsigned seconds)
{
    WSD_LINGER value = {.l_onoff = is_on, .l_linger = (USHORT)seconds};

    return sp_set(s, WS_SOL_SOCKET, WS_SO_LINGER, &value, sizeof(value));
}

int sp_ioctl(SOCKET s, DWORD ioctl_code, const void *in, DWORD in_bytes, void *out, DWORD out_bytes,
             DWORD *returned)
{
    INT error = 0;
    DWORD spare = 0;

    return code(sp.procs->lpWSPIoctl(s, ioctl_code, (void *)(uintptr_t)in, in_bytes, out, out_bytes,
                                     returned != NULL ? returned : &spare, NULL, NULL, NULL,
                                     &error) == SOCKET_ERROR,
                &error);
}

int sp_nonblocking(SOCKET s, bool is_on)
{
    ULONG value = is_on;

    return sp_ioctl(s, WS_FIONBIO, &value, sizeof(value), NULL, 0, NULL);
}

void (*sp_extension(SOCKET s, const GUID *id))(void)
{
    void (*fn)(void) = NULL;
    DWORD bytes = 0;
    GUID copy = *id;

    sp_ok(sp_ioctl(s, SIO_GET_EXTENSION_FUNCTION_POINTER, &copy, sizeof(copy), &fn, sizeof(fn), &bytes));
    assert_int_equal(bytes, sizeof(fn));
    assert_non_null(fn);
    return fn;
}

/* --- events and select --- */

int sp_event_select(SOCKET s, WSAEVENT e, LONG events)
{
    INT error = 0;

    return code(sp.procs->lpWSPEventSelect(s, e, events, &error) == SOCKET_ERROR, &error);
}

int sp_enum_events(SOCKET s, WSAEVENT e, WSANETWORKEVENTS *out)
{
    INT error = 0;

    return code(sp.procs->lpWSPEnumNetworkEvents(s, e, out, &error) == SOCKET_ERROR, &error);
}

LONG sp_next_events(SOCKET s, WSAEVENT e, WSANETWORKEVENTS *out)
{
    memset(out, 0, sizeof(*out));
    sp_ok(sw_event_wait(e, sp_env.wait_ms));
    sp_ok(sp_enum_events(s, e, out));
    return out->lNetworkEvents;
}

void sp_expect_events(SOCKET s, WSAEVENT e, LONG wanted, WSANETWORKEVENTS *out)
{
    WSANETWORKEVENTS all = {.lNetworkEvents = 0}, some;

    while ((all.lNetworkEvents & wanted) != wanted) {
        LONG came = sp_next_events(s, e, &some);

        if (came & ~wanted)
            sp_fail("events %#x came, only %#x were expected", (unsigned)came, (unsigned)wanted);
        if (came & all.lNetworkEvents)
            sp_fail("events %#x came twice", (unsigned)(came & all.lNetworkEvents));
        all.lNetworkEvents |= came;
        for (unsigned i = 0; i < FD_MAX_EVENTS; i++)
            if (came >> i & 1)
                all.iErrorCode[i] = some.iErrorCode[i];
    }
    if (out != NULL)
        *out = all;
}

/* Nothing is recorded, and the event object is at rest. It is set after the record was made, without a lock, so one that was fetched
 * in between leaves it set once with nothing behind it, as on Windows: that is no event. */
void sp_expect_no_event(SOCKET s, WSAEVENT e)
{
    WSANETWORKEVENTS events = {.lNetworkEvents = 0};

    for (unsigned looks = 0; looks < 2 && sw_event_wait(e, 50) != WSAETIMEDOUT; looks++) {
        sp_ok(sp_enum_events(s, e, &events));
        if (events.lNetworkEvents != 0 || looks > 0)
            sp_fail("the event is set, events %#x", (unsigned)events.lNetworkEvents);
    }
    sp_ok(sp_enum_events(s, e, &events));
    assert_int_equal(events.lNetworkEvents, 0);
}

int sp_select(SOCKET s, unsigned which, uint32_t timeout_ms, unsigned *ready)
{
    WSD_FD_SET set[3];
    WSD_TIMEVAL timeout = {(LONG)(timeout_ms / 1000u), (LONG)(timeout_ms % 1000u * 1000u)};
    INT error = 0;
    int result;

    for (unsigned i = 0; i < 3; i++) {
        memset(&set[i], 0, sizeof(set[i]));
        set[i].fd_count = 1;
        set[i].fd_array[0] = s;
    }
    result = sp.procs->lpWSPSelect(0, which & SP_READ ? &set[0] : NULL, which & SP_WRITE ? &set[1] : NULL,
                                   which & SP_EXCEPT ? &set[2] : NULL,
                                   timeout_ms == SW_FOREVER ? NULL : &timeout, &error);
    *ready = 0;
    if (result == SOCKET_ERROR)
        return code(true, &error);
    for (unsigned i = 0; i < 3; i++)
        if ((which >> i & 1) != 0 && set[i].fd_count == 1 && set[i].fd_array[0] == s)
            *ready |= 1u << i;
    return 0;
}
