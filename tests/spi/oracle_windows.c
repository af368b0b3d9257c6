/* oracle_windows.c - Winsock itself behind WSPStartup: each function asks ws2_32 about a socket of the system. The contract suite run
 * against it tells whether a test expects what Winsock does (under Wine: what Wine's TCP does; winsock-behaviours.md marks what
 * that does wrong). Not served: window messages, the blocking hook, duplication.
 * Layer:   tests; a library of its own. Overlapped calls complete through the upcall, from threads of the system's pool. */
#include <stdlib.h>
#include <string.h>

#include "wsd/ws2_types.h"

#define EXPORT __declspec(dllexport)

/* what the suite looks up by name */
EXPORT void sw_set_complete_upcall(LPWPUCOMPLETEOVERLAPPEDREQUEST fn);
EXPORT int sw_carried_by(SOCKET s, char *name, size_t bytes);
EXPORT int sw_cancel_io(SOCKET s, LPWSAOVERLAPPED ov, int is_own_only);
EXPORT int sw_last_error(void);

static WSPUPCALLTABLE up;
static LPWPUCOMPLETEOVERLAPPEDREQUEST complete;
static DWORD entry_id;
static LONG startups;
static __thread int last_error;

struct oracle {
    SOCKET real, handle;
    volatile LONG pending, is_closed;
    WSAEVENT real_event, user_event; /* of WSPEventSelect */
    HANDLE event_wait;
};

/* An overlapped call: the system has `ov`, the caller sees `user`. */
struct operation {
    OVERLAPPED ov; /* first */
    struct oracle *o;
    WSAOVERLAPPED *user;
    LPWSAOVERLAPPED_COMPLETION_ROUTINE routine;
    WSATHREADID thread;
    HANDLE wait;
    DWORD error, bytes, flags;
};

static struct oracle *find(SOCKET s, INT *error)
{
    DWORD_PTR context = 0;
    struct oracle *o;

    if (up.lpWPUQuerySocketHandleContext(s, &context, error) != 0)
        return NULL;
    o = (struct oracle *)context;
    if (o->is_closed) {
        *error = WSAENOTSOCK;
        return NULL;
    }
    return o;
}

static int answer(int result, INT *error)
{
    *error = result == SOCKET_ERROR ? WSAGetLastError() : 0;
    return result;
}

static SOCKET wrap(SOCKET real, INT *error)
{
    struct oracle *o;

    if (real == INVALID_SOCKET) {
        *error = WSAGetLastError();
        return INVALID_SOCKET;
    }
    o = calloc(1, sizeof(*o));
    o->real = real;
    o->handle = up.lpWPUCreateSocketHandle(entry_id, (DWORD_PTR)o, error);
    return o->handle;
}

#define FIND(failed)                                                                                         \
    struct oracle *o = find(s, error);                                                                       \
    if (o == NULL)                                                                                           \
    return failed

/* --- overlapped calls --- */

static void CALLBACK run_routine(DWORD_PTR context)
{
    struct operation *op = (struct operation *)context;

    op->routine(op->error, op->bytes, op->user, op->flags);
    free(op);
}

static void CALLBACK finished(PVOID context, BOOLEAN is_timeout)
{
    struct operation *op = context;
    INT ignored;

    (void)is_timeout;
    op->error = WSAGetOverlappedResult(op->o->real, &op->ov, &op->bytes, FALSE, &op->flags)
                    ? 0
                    : WSAGetLastError();
    if (op->error == WSAENOTSOCK) /* closed: the status says how it ended */
        op->error = op->ov.Internal == 0 ? 0 : WSA_OPERATION_ABORTED;
    UnregisterWait(op->wait);
    CloseHandle(op->ov.hEvent);
    if (op->routine != NULL) {
        op->user->InternalHigh = op->bytes;
        op->user->Internal = op->error;
        up.lpWPUQueueApc(&op->thread, run_routine, (DWORD_PTR)op, &ignored);
        InterlockedDecrement(&op->o->pending);
        return;
    }
    complete(op->o->handle, op->user, op->error, op->bytes, &ignored);
    InterlockedDecrement(&op->o->pending);
    free(op);
}

static struct operation *begin(struct oracle *o, WSAOVERLAPPED *user,
                               LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, WSATHREADID *thread)
{
    struct operation *op = calloc(1, sizeof(*op));

    op->o = o;
    op->user = user;
    op->routine = routine;
    if (thread != NULL)
        op->thread = *thread;
    op->ov.Offset = user->Offset;
    op->ov.hEvent = CreateEventA(NULL, TRUE, FALSE, NULL);
    user->Internal = WSS_OPERATION_IN_PROGRESS;
    InterlockedIncrement(&o->pending);
    return op;
}

/* What the system answered; when it took the operation its end is waited for. */
static int started(struct operation *op, int result, INT *error)
{
    answer(result, error);
    if (result == SOCKET_ERROR && *error != WSA_IO_PENDING) {
        op->user->Internal = 0;
        InterlockedDecrement(&op->o->pending);
        CloseHandle(op->ov.hEvent);
        free(op);
        return result;
    }
    RegisterWaitForSingleObject(&op->wait, op->ov.hEvent, finished, op, INFINITE,
                                WT_EXECUTEONLYONCE | WT_EXECUTEINWAITTHREAD);
    return result;
}

static int WSPAPI o_recv(SOCKET s, WSABUF *buffers, DWORD count, DWORD *got, DWORD *flags, WSAOVERLAPPED *ov,
                         LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, WSATHREADID *thread, INT *error)
{
    struct operation *op;

    FIND(SOCKET_ERROR);
    if (ov == NULL)
        return answer(WSARecv(o->real, buffers, count, got, flags, NULL, NULL), error);
    op = begin(o, ov, routine, thread);
    return started(op, WSARecv(o->real, buffers, count, got, flags, &op->ov, NULL), error);
}

static int WSPAPI o_recv_from(SOCKET s, WSABUF *buffers, DWORD count, DWORD *got, DWORD *flags,
                              WSD_SOCKADDR *from, INT *from_bytes, WSAOVERLAPPED *ov,
                              LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, WSATHREADID *thread, INT *error)
{
    struct operation *op;

    FIND(SOCKET_ERROR);
    if (ov == NULL)
        return answer(WSARecvFrom(o->real, buffers, count, got, flags, from, from_bytes, NULL, NULL), error);
    op = begin(o, ov, routine, thread);
    return started(op, WSARecvFrom(o->real, buffers, count, got, flags, from, from_bytes, &op->ov, NULL),
                   error);
}

static int WSPAPI o_send(SOCKET s, WSABUF *buffers, DWORD count, DWORD *sent, DWORD flags, WSAOVERLAPPED *ov,
                         LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, WSATHREADID *thread, INT *error)
{
    struct operation *op;

    FIND(SOCKET_ERROR);
    if (ov == NULL)
        return answer(WSASend(o->real, buffers, count, sent, flags, NULL, NULL), error);
    op = begin(o, ov, routine, thread);
    return started(op, WSASend(o->real, buffers, count, sent, flags, &op->ov, NULL), error);
}

static int WSPAPI o_send_to(SOCKET s, WSABUF *buffers, DWORD count, DWORD *sent, DWORD flags,
                            const WSD_SOCKADDR *to, int to_bytes, WSAOVERLAPPED *ov,
                            LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, WSATHREADID *thread, INT *error)
{
    struct operation *op;

    FIND(SOCKET_ERROR);
    if (ov == NULL)
        return answer(WSASendTo(o->real, buffers, count, sent, flags, to, to_bytes, NULL, NULL), error);
    op = begin(o, ov, routine, thread);
    return started(op, WSASendTo(o->real, buffers, count, sent, flags, to, to_bytes, &op->ov, NULL), error);
}

static int WSPAPI o_ioctl(SOCKET s, DWORD code, void *in, DWORD in_bytes, void *out, DWORD out_bytes,
                          DWORD *returned, WSAOVERLAPPED *ov, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine,
                          WSATHREADID *thread, INT *error);

static BOOL WSPAPI o_result(SOCKET s, WSAOVERLAPPED *ov, DWORD *bytes, BOOL wait, DWORD *flags, INT *error)
{
    FIND(FALSE);
    while (wait && *(volatile ULONG_PTR *)&ov->Internal == WSS_OPERATION_IN_PROGRESS)
        Sleep(1);
    *flags = 0;
    if (*(volatile ULONG_PTR *)&ov->Internal == WSS_OPERATION_IN_PROGRESS) {
        *error = WSA_IO_INCOMPLETE;
        return FALSE;
    }
    (void)o;
    *bytes = (DWORD)ov->InternalHigh;
    *error = (INT)ov->Internal;
    return *error == 0;
}

/* --- extension functions: the system's, on the system's sockets --- */

static void (*real_extension(SOCKET real, GUID id))(void)
{
    void (*fn)(void) = NULL;
    DWORD bytes;

    WSAIoctl(real, SIO_GET_EXTENSION_FUNCTION_POINTER, &id, sizeof(id), &fn, sizeof(fn), &bytes, NULL, NULL);
    return fn;
}

static BOOL extension_answer(BOOL result, struct operation *op)
{
    INT error = 0;

    if (op == NULL)
        last_error = result ? 0 : WSAGetLastError();
    else
        started(op, result ? 0 : SOCKET_ERROR, &last_error);
    (void)error;
    return result;
}

static BOOL WSPAPI o_accept_ex(SOCKET l, SOCKET s, PVOID out, DWORD data, DWORD local, DWORD remote,
                               DWORD *got, WSAOVERLAPPED *ov)
{
    struct oracle *listener = find(l, &last_error);
    struct oracle *o = listener == NULL ? NULL : find(s, &last_error);
    struct operation *op;

    if (o == NULL)
        return FALSE;
    op = begin(listener, ov, NULL, NULL);
    return extension_answer(((LPFN_ACCEPTEX)real_extension(listener->real, (GUID)WSAID_ACCEPTEX))(
                                listener->real, o->real, out, data, local, remote, got, &op->ov),
                            op);
}

static void WSPAPI o_addresses(PVOID out, DWORD data, DWORD local, DWORD remote, WSD_SOCKADDR **l,
                               INT *l_bytes, WSD_SOCKADDR **r, INT *r_bytes)
{
    SOCKET any = socket(AF_INET, SOCK_STREAM, 0);

    ((LPFN_GETACCEPTEXSOCKADDRS)real_extension(any, (GUID)WSAID_GETACCEPTEXSOCKADDRS))(
        out, data, local, remote, l, l_bytes, r, r_bytes);
    closesocket(any);
}

static BOOL WSPAPI o_connect_ex(SOCKET s, const WSD_SOCKADDR *name, int bytes, PVOID data, DWORD data_bytes,
                                DWORD *sent, WSAOVERLAPPED *ov)
{
    struct oracle *o = find(s, &last_error);
    struct operation *op;

    if (o == NULL)
        return FALSE;
    if (ov == NULL) {
        last_error = ERROR_INVALID_PARAMETER;
        return FALSE;
    }
    op = begin(o, ov, NULL, NULL);
    return extension_answer(((LPFN_CONNECTEX)real_extension(o->real, (GUID)WSAID_CONNECTEX))(
                                o->real, name, bytes, data, data_bytes, sent, &op->ov),
                            op);
}

static BOOL WSPAPI o_disconnect_ex(SOCKET s, WSAOVERLAPPED *ov, DWORD flags, DWORD reserved)
{
    struct oracle *o = find(s, &last_error);
    struct operation *op;

    if (o == NULL)
        return FALSE;
    op = ov == NULL ? NULL : begin(o, ov, NULL, NULL);
    return extension_answer(((LPFN_DISCONNECTEX)real_extension(o->real, (GUID)WSAID_DISCONNECTEX))(
                                o->real, op == NULL ? NULL : &op->ov, flags, reserved),
                            op);
}

static BOOL WSPAPI o_transmit_file(SOCKET s, HANDLE file, DWORD bytes, DWORD piece, WSAOVERLAPPED *ov,
                                   LPTRANSMIT_FILE_BUFFERS buffers, DWORD flags)
{
    struct oracle *o = find(s, &last_error);
    struct operation *op;

    if (o == NULL)
        return FALSE;
    op = ov == NULL ? NULL : begin(o, ov, NULL, NULL);
    return extension_answer(((LPFN_TRANSMITFILE)real_extension(o->real, (GUID)WSAID_TRANSMITFILE))(
                                o->real, file, bytes, piece, op == NULL ? NULL : &op->ov, buffers, flags),
                            op);
}

static void (*own_extension(const GUID *id))(void)
{
    static const struct {
        GUID id;
        void (*fn)(void);
    } all[] = {
        {WSAID_ACCEPTEX, (void (*)(void))o_accept_ex},
        {WSAID_GETACCEPTEXSOCKADDRS, (void (*)(void))o_addresses},
        {WSAID_CONNECTEX, (void (*)(void))o_connect_ex},
        {WSAID_DISCONNECTEX, (void (*)(void))o_disconnect_ex},
        {WSAID_TRANSMITFILE, (void (*)(void))o_transmit_file},
    };

    for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (memcmp(&all[i].id, id, sizeof(*id)) == 0)
            return all[i].fn;
    return NULL;
}

static int WSPAPI o_ioctl(SOCKET s, DWORD code, void *in, DWORD in_bytes, void *out, DWORD out_bytes,
                          DWORD *returned, WSAOVERLAPPED *ov, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine,
                          WSATHREADID *thread, INT *error)
{
    struct operation *op;
    int result;

    FIND(SOCKET_ERROR);
    if (ov != NULL) {
        op = begin(o, ov, routine, thread);
        return started(op, WSAIoctl(o->real, code, in, in_bytes, out, out_bytes, returned, &op->ov, NULL),
                       error);
    }
    result = answer(WSAIoctl(o->real, code, in, in_bytes, out, out_bytes, returned, NULL, NULL), error);
    if (result == 0 && code == SIO_GET_EXTENSION_FUNCTION_POINTER) {
        void (*fn)(void) = own_extension(in);
        memcpy(out, &fn, sizeof(fn));
    }
    return result;
}

/* --- events --- */

static void CALLBACK signalled(PVOID context, BOOLEAN is_timeout)
{
    struct oracle *o = context;
    INT ignored;

    (void)is_timeout;
    ResetEvent(o->real_event);
    up.lpWPUSetEvent(o->user_event, &ignored);
}

static void stop_waiting(struct oracle *o)
{
    if (o->event_wait == NULL)
        return;
    UnregisterWaitEx(o->event_wait, INVALID_HANDLE_VALUE);
    o->event_wait = NULL;
}

static int WSPAPI o_event_select(SOCKET s, WSAEVENT event, LONG events, INT *error)
{
    FIND(SOCKET_ERROR);
    stop_waiting(o);
    if (o->real_event == NULL)
        o->real_event = WSACreateEvent();
    ResetEvent(o->real_event);
    o->user_event = event;
    if (events != 0)
        RegisterWaitForSingleObject(&o->event_wait, o->real_event, signalled, o, INFINITE,
                                    WT_EXECUTEINWAITTHREAD);
    return answer(WSAEventSelect(o->real, events == 0 ? NULL : o->real_event, events), error);
}

static int WSPAPI o_enum_events(SOCKET s, WSAEVENT event, WSANETWORKEVENTS *out, INT *error)
{
    INT ignored;

    FIND(SOCKET_ERROR);
    if (event != NULL)
        up.lpWPUResetEvent(event, &ignored);
    return answer(WSAEnumNetworkEvents(o->real, NULL, out), error);
}

/* --- plain calls --- */

static SOCKET WSPAPI o_socket(int af, int type, int protocol, WSAPROTOCOL_INFOW *info, GROUP g, DWORD flags,
                              INT *error)
{
    if (startups == 0) {
        *error = WSANOTINITIALISED;
        return INVALID_SOCKET;
    }
    if (info != NULL && info->dwProviderReserved == 0) {
        af = info->iAddressFamily;
        type = info->iSocketType;
        protocol = info->iProtocol;
        info = NULL;
    }
    return wrap(WSASocketW(af, type, protocol, info, g, flags), error);
}

static SOCKET WSPAPI o_accept(SOCKET s, WSD_SOCKADDR *name, INT *bytes, LPCONDITIONPROC condition,
                              DWORD_PTR context, INT *error)
{
    SOCKET accepted;
    struct oracle *n;
    DWORD_PTR found = 0;

    FIND(INVALID_SOCKET);
    accepted = wrap(WSAAccept(o->real, name, bytes, condition, context), error);
    if (accepted != INVALID_SOCKET && o->event_wait != NULL) { /* the registration is inherited */
        up.lpWPUQuerySocketHandleContext(accepted, &found, error);
        n = (struct oracle *)found;
        n->real_event = o->real_event;
        n->user_event = o->user_event;
    }
    return accepted;
}

static int WSPAPI o_close(SOCKET s, INT *error)
{
    int result;

    FIND(SOCKET_ERROR);
    result = answer(closesocket(o->real), error);
    if (result != 0)
        return result;
    o->is_closed = 1;
    stop_waiting(o);
    while (o->pending > 0)
        Sleep(1);
    up.lpWPUCloseSocketHandle(s, error);
    return 0;
}

static int WSPAPI o_select(int nfds, WSD_FD_SET *r, WSD_FD_SET *w, WSD_FD_SET *x, WSD_SELECT_TIMEOUT timeout,
                           INT *error)
{
    WSD_FD_SET *asked[3] = {r, w, x}, real[3], before[3];
    int result;

    for (unsigned i = 0; i < 3; i++) {
        if (asked[i] == NULL)
            continue;
        before[i] = *asked[i];
        real[i].fd_count = asked[i]->fd_count;
        for (unsigned k = 0; k < real[i].fd_count; k++) {
            struct oracle *o = find(asked[i]->fd_array[k], error);

            if (o == NULL)
                return SOCKET_ERROR;
            real[i].fd_array[k] = o->real;
        }
    }
    result = answer(select(nfds, r != NULL ? &real[0] : NULL, w != NULL ? &real[1] : NULL,
                           x != NULL ? &real[2] : NULL, timeout),
                    error);
    for (unsigned i = 0; result >= 0 && i < 3; i++) {
        if (asked[i] == NULL)
            continue;
        asked[i]->fd_count = real[i].fd_count;
        for (unsigned k = 0; k < real[i].fd_count; k++)
            for (unsigned n = 0; n < before[i].fd_count; n++) {
                struct oracle *o = find(before[i].fd_array[n], error);

                if (o != NULL && o->real == real[i].fd_array[k])
                    asked[i]->fd_array[k] = before[i].fd_array[n];
            }
    }
    return result;
}

static int WSPAPI o_set_option(SOCKET s, int level, int name, const char *value, int bytes, INT *error)
{
    FIND(SOCKET_ERROR);
    if (level == SOL_SOCKET && name == SO_UPDATE_ACCEPT_CONTEXT && value != NULL && bytes == sizeof(SOCKET)) {
        struct oracle *l = find(*(const SOCKET *)(const void *)value, error);

        if (l == NULL)
            return SOCKET_ERROR;
        return answer(setsockopt(o->real, level, name, (const char *)&l->real, sizeof(l->real)), error);
    }
    return answer(setsockopt(o->real, level, name, value, bytes), error);
}

static SOCKET WSPAPI o_join_leaf(SOCKET s, const WSD_SOCKADDR *name, int bytes, WSABUF *a, WSABUF *b, QOS *c,
                                 QOS *d, DWORD flags, INT *error)
{
    (void)name, (void)bytes, (void)a, (void)b, (void)c, (void)d, (void)flags;
    FIND(INVALID_SOCKET);
    (void)o;
    *error = WSAEOPNOTSUPP;
    return INVALID_SOCKET;
}

static BOOL WSPAPI o_qos(SOCKET s, WSABUF *name, QOS *qos, INT *error)
{
    (void)name, (void)qos;
    FIND(FALSE);
    (void)o;
    *error = WSAEOPNOTSUPP;
    return FALSE;
}

#define PLAIN(fn, parameters, call)                                                                          \
    static int WSPAPI fn parameters                                                                          \
    {                                                                                                        \
        FIND(SOCKET_ERROR);                                                                                  \
        return answer(call, error);                                                                          \
    }
PLAIN(o_bind, (SOCKET s, const WSD_SOCKADDR *n, int b, INT *error), bind(o->real, n, b))
PLAIN(o_connect,
      (SOCKET s, const WSD_SOCKADDR *n, int b, WSABUF *caller, WSABUF *callee, QOS *x, QOS *y, INT *error),
      WSAConnect(o->real, n, b, caller, callee, x, y))
PLAIN(o_listen, (SOCKET s, int backlog, INT *error), listen(o->real, backlog))
PLAIN(o_peer, (SOCKET s, WSD_SOCKADDR *n, INT *b, INT *error), getpeername(o->real, n, b))
PLAIN(o_local, (SOCKET s, WSD_SOCKADDR *n, INT *b, INT *error), getsockname(o->real, n, b))
PLAIN(o_get_option, (SOCKET s, int level, int name, char *value, INT *bytes, INT *error),
      getsockopt(o->real, level, name, value, bytes))
PLAIN(o_shutdown, (SOCKET s, int how, INT *error), shutdown(o->real, how))
PLAIN(o_send_disconnect, (SOCKET s, WSABUF *data, INT *error), WSASendDisconnect(o->real, data))
PLAIN(o_recv_disconnect, (SOCKET s, WSABUF *data, INT *error), WSARecvDisconnect(o->real, data))
PLAIN(o_duplicate, (SOCKET s, DWORD pid, WSAPROTOCOL_INFOW *info, INT *error),
      WSADuplicateSocketW(o->real, pid, info))
PLAIN(o_async, (SOCKET s, HWND window, UINT message, LONG events, INT *error),
      WSAAsyncSelect(o->real, window, message, events))

static INT WSPAPI o_to_text(WSD_SOCKADDR *a, DWORD bytes, WSAPROTOCOL_INFOW *info, WCHAR *text, DWORD *length,
                            INT *error)
{
    return answer(WSAAddressToStringW(a, bytes, info, text, length), error);
}

static INT WSPAPI o_to_address(WCHAR *text, INT family, WSAPROTOCOL_INFOW *info, WSD_SOCKADDR *a, INT *bytes,
                               INT *error)
{
    return answer(WSAStringToAddressW(text, family, info, a, bytes), error);
}

static int WSPAPI o_cancel(INT *error)
{
    *error = WSAEINVAL;
    return SOCKET_ERROR;
}

static int WSPAPI o_cleanup(INT *error)
{
    if (startups == 0) {
        *error = WSANOTINITIALISED;
        return SOCKET_ERROR;
    }
    startups--;
    *error = 0;
    return 0;
}

EXPORT int WSPAPI WSPStartup(WORD version, WSPDATA *data, WSAPROTOCOL_INFOW *info, WSPUPCALLTABLE upcalls,
                             WSPPROC_TABLE *procs)
{
    static const WSPPROC_TABLE table = {o_accept,
                                        o_to_text,
                                        o_async,
                                        o_bind,
                                        o_cancel,
                                        o_cleanup,
                                        o_close,
                                        o_connect,
                                        o_duplicate,
                                        o_enum_events,
                                        o_event_select,
                                        o_result,
                                        o_peer,
                                        o_local,
                                        o_get_option,
                                        o_qos,
                                        o_ioctl,
                                        o_join_leaf,
                                        o_listen,
                                        o_recv,
                                        o_recv_disconnect,
                                        o_recv_from,
                                        o_select,
                                        o_send,
                                        o_send_disconnect,
                                        o_send_to,
                                        o_set_option,
                                        o_shutdown,
                                        o_socket,
                                        o_to_address};
    WSADATA unused;

    if (data == NULL || info == NULL || procs == NULL)
        return WSAEFAULT;
    if (version == 0)
        return WSAVERNOTSUPPORTED;
    WSAStartup(0x0202, &unused);
    memset(data, 0, sizeof(*data));
    data->wVersion = data->wHighVersion = 0x0202;
    data->szDescription[0] = L'W';
    up = upcalls;
    entry_id = info->dwCatalogEntryId;
    *procs = table;
    startups++;
    return 0;
}

EXPORT void sw_set_complete_upcall(LPWPUCOMPLETEOVERLAPPEDREQUEST fn)
{
    complete = fn;
}

EXPORT int sw_carried_by(SOCKET s, char *name, size_t bytes)
{
    INT error = 0;

    if (find(s, &error) == NULL)
        return error;
    strncpy(name, "tcp", bytes);
    return 0;
}

EXPORT int sw_last_error(void)
{
    return last_error;
}

/* One operation is named by an OVERLAPPED of this library's own: it cancels all of the socket, and for the group cancel_io that is too few. */
EXPORT int sw_cancel_io(SOCKET s, LPWSAOVERLAPPED ov, int is_own_only)
{
    INT error = 0;
    struct oracle *o = find(s, &error);

    (void)ov;
    if (o == NULL)
        return error;
    return (is_own_only != 0 ? CancelIo((HANDLE)o->real) : CancelIoEx((HANDLE)o->real, NULL))
               ? 0
               : (int)GetLastError();
}
