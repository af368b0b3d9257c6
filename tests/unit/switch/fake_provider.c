/* fake_provider.c - the smallest SAN provider that a switch can be tried with, and one that breaks the
 * contract on demand. Connections exist inside the process only: a message goes straight from the sender's
 * buffers into the peer's posted receive, or waits in a list. One thread reports completions. fake_provider.h
 * steers it. */
#include "fake_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pal/mutex.h"
#include "pal/thread.h"

#define LOCAL_ADDRESS  0x0100000Au /* 10.0.0.1 in network order on a little-endian machine */
#define LIST_ADDRESSES 2

struct op {
    struct op *next;
    struct fake_socket *owner;
    WSAOVERLAPPED *ov;
    bool is_polled;
    DWORD error, bytes;
    WSABUF into; /* a posted receive */
};

struct message {
    struct message *next;
    DWORD bytes;
    unsigned char data[];
};

enum state { FRESH, BOUND, LISTENING, CONNECTING, CONNECTED, BROKEN };

struct fake_socket {
    struct fake_socket *next;
    enum state state;
    SOCKET handle;
    WSD_SOCKADDR_IN local, remote;
    WSAEVENT event;
    LONG selected;
    WSANETWORKEVENTS record;
    struct fake_socket *peer;
    struct fake_socket *queue_next, *queue; /* a listener's waiting connectors */
    struct op *receives;                    /* posted, in order */
    struct message *messages;               /* arrived before their receive */
};

static struct fake_control control;

static struct {
    struct pal_mutex lock; /* guards everything here and all sockets */
    struct pal_cond changed;
    WSPUPCALLTABLEEX up;
    DWORD catalog_id;
    unsigned users;
    struct fake_socket *sockets;
    struct op *done; /* finished, to be reported by the thread */
    struct op *reporting;
    struct pal_thread *thread;
    bool stop;
} g;

struct fake_control *fake_control(void)
{
    return &control;
}

static void trace(const char *name)
{
    size_t used = strlen(control.trace);

    snprintf(control.trace + used, sizeof(control.trace) - used, "%s%s", used == 0 ? "" : " ", name);
}

static struct fake_socket *find_locked(SOCKET s)
{
    struct fake_socket *f = g.sockets;

    while (f != NULL && (SOCKET)f != s)
        f = f->next;
    return f;
}

/* Take the lock and find the socket; NULL (unlocked) after storing WSAENOTSOCK. */
struct fake_socket *fake_enter(SOCKET s, const char *name, INT *error)
{
    struct fake_socket *f;

    pal_mutex_lock(&g.lock);
    trace(name);
    f = find_locked(s);
    if (f == NULL) {
        pal_mutex_unlock(&g.lock);
        *error = WSAENOTSOCK;
    }
    return f;
}

int fake_leave(INT *error, int code)
{
    pal_mutex_unlock(&g.lock);
    if (code == 0)
        return 0;
    *error = code;
    return SOCKET_ERROR;
}

/* --- completion --- */

static void report(struct op *op)
{
    INT ignored;

    if (op->is_polled && !control.complete_polled) {
        op->ov->OffsetHigh = op->error;
        __atomic_store_n(&op->ov->InternalHigh, (ULONG_PTR)op->bytes, __ATOMIC_RELAXED);
        __atomic_store_n(&op->ov->Internal, (ULONG_PTR)op->error, __ATOMIC_RELEASE);
        return;
    }
    op->ov->OffsetHigh = op->error;
    g.up.lpWPUCompleteOverlappedRequest(op->owner->handle, op->ov, op->error, op->bytes, &ignored);
    if (control.complete_twice)
        g.up.lpWPUCompleteOverlappedRequest(op->owner->handle, op->ov, op->error, op->bytes, &ignored);
}

void fake_finish_locked(struct op *op, DWORD error, DWORD bytes)
{
    struct op **at = &g.done;

    op->error = error;
    op->bytes = bytes;
    op->next = NULL;
    if (control.never_complete && !op->is_polled) {
        free(op);
        return;
    }
    while (*at != NULL)
        at = &(*at)->next;
    *at = op;
    pal_cond_broadcast(&g.changed);
}

static void reporter(void *unused)
{
    (void)unused;
    pal_mutex_lock(&g.lock);
    while (!g.stop) {
        struct op *op = g.done;

        if (op == NULL) {
            pal_cond_wait(&g.changed, &g.lock);
            continue;
        }
        g.done = op->next;
        g.reporting = op;
        pal_mutex_unlock(&g.lock);
        report(op);
        pal_mutex_lock(&g.lock);
        g.reporting = NULL;
        pal_cond_broadcast(&g.changed);
        free(op);
    }
    pal_mutex_unlock(&g.lock);
}

static void receive_locked(struct fake_socket *f)
{
    while (f->receives != NULL && f->messages != NULL) {
        struct op *op = f->receives;
        struct message *m = f->messages;
        bool fits = m->bytes <= op->into.len;

        f->receives = op->next;
        f->messages = m->next;
        if (fits)
            memcpy(op->into.buf, m->data, m->bytes);
        fake_finish_locked(op, fits ? 0 : WSAEMSGSIZE, fits ? m->bytes : 0);
        free(m);
    }
}

struct op *fake_begin(struct fake_socket *f, WSAOVERLAPPED *ov)
{
    struct op *op = calloc(1, sizeof(*op));

    op->owner = f;
    op->ov = ov;
    op->is_polled = ((ULONG_PTR)ov->hEvent & 1u) != 0;
    ov->Offset = ov->OffsetHigh = 0;
    ov->Internal = WSS_OPERATION_IN_PROGRESS;
    return op;
}

/* The end of every data call; takes the lock away. */
int fake_answer(struct op *op, INT *error)
{
    INT ignored;

    pal_mutex_unlock(&g.lock);
    if (op != NULL) { /* complete_inside */
        g.up.lpWPUCompleteOverlappedRequest(op->owner->handle, op->ov, 0, 0, &ignored);
        free(op);
    }
    if (control.answer_zero)
        return 0;
    *error = WSA_IO_PENDING;
    return SOCKET_ERROR;
}

static int WSPAPI send_(SOCKET s, LPWSABUF bufs, DWORD n, LPDWORD sent, DWORD flags, LPWSAOVERLAPPED ov,
                        LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, LPWSATHREADID thread, LPINT error)
{
    struct fake_socket *f = fake_enter(s, "Send", error);
    struct message *m;
    struct message **at;
    struct op *op;
    DWORD bytes = 0;

    (void)sent;
    (void)flags;
    (void)routine;
    (void)thread;
    if (f == NULL)
        return SOCKET_ERROR;
    if (control.refuse_data != 0 || f->state != CONNECTED)
        return fake_leave(error, control.refuse_data != 0 ? control.refuse_data : WSAENOTCONN);
    for (DWORD i = 0; i < n; i++)
        bytes += bufs[i].len;
    m = calloc(1, sizeof(*m) + bytes);
    for (DWORD i = 0; i < n; i++) {
        memcpy(m->data + m->bytes, bufs[i].buf, bufs[i].len);
        m->bytes += bufs[i].len;
    }
    op = fake_begin(f, ov);
    for (at = &f->peer->messages; *at != NULL; at = &(*at)->next)
        ;
    *at = m;
    receive_locked(f->peer);
    if (control.complete_inside)
        return fake_answer(op, error);
    fake_finish_locked(op, 0, bytes);
    return fake_answer(NULL, error);
}

static int WSPAPI recv_(SOCKET s, LPWSABUF bufs, DWORD n, LPDWORD received, LPDWORD flags, LPWSAOVERLAPPED ov,
                        LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, LPWSATHREADID thread, LPINT error)
{
    struct fake_socket *f = fake_enter(s, "Recv", error);
    struct op *op;
    struct op **at;

    (void)n;
    (void)received;
    (void)flags;
    (void)routine;
    (void)thread;
    if (f == NULL)
        return SOCKET_ERROR;
    if (f->state != CONNECTED)
        return fake_leave(error, f->state == BROKEN ? WSAECONNRESET : WSAENOTCONN);
    op = fake_begin(f, ov);
    op->into = bufs[0];
    for (at = &f->receives; *at != NULL; at = &(*at)->next)
        ;
    *at = op;
    receive_locked(f);
    return fake_answer(NULL, error);
}

static BOOL WSPAPI get_overlapped_result(SOCKET s, LPWSAOVERLAPPED ov, LPDWORD bytes, BOOL wait,
                                         LPDWORD flags, LPINT error)
{
    ULONG_PTR status;
    struct fake_socket *f;

    pal_mutex_lock(&g.lock);
    f = find_locked(s);
    pal_mutex_unlock(&g.lock);
    if (f == NULL) {
        *error = WSAENOTSOCK;
        return FALSE;
    }
    while ((status = __atomic_load_n(&ov->Internal, __ATOMIC_ACQUIRE)) == WSS_OPERATION_IN_PROGRESS && wait)
        pal_thread_yield();
    if (status != 0) {
        *error = status == WSS_OPERATION_IN_PROGRESS ? WSA_IO_INCOMPLETE : (INT)ov->OffsetHigh;
        return FALSE;
    }
    *bytes = (DWORD)ov->InternalHigh;
    *flags = ov->Offset;
    return TRUE;
}

/* --- connections --- */

static void record_locked(struct fake_socket *f, int bit, int code, WSAEVENT *to_signal)
{
    f->record.lNetworkEvents |= 1 << bit;
    f->record.iErrorCode[bit] = code;
    *to_signal = (f->selected & 1 << bit) != 0 ? f->event : WSA_INVALID_EVENT;
}

static void signal_event(WSAEVENT e)
{
    INT ignored;

    if (e != WSA_INVALID_EVENT)
        g.up.lpWPUSetEvent(e, &ignored);
}

static SOCKET WSPAPI socket_(int af, int type, int protocol, LPWSAPROTOCOL_INFOW info, GROUP group,
                             DWORD flags, LPINT error)
{
    struct fake_socket *f;

    (void)group;
    pal_mutex_lock(&g.lock);
    trace("Socket");
    pal_mutex_unlock(&g.lock);
    if (af != WS_AF_INET || type != WS_SOCK_STREAM || protocol != WS_IPPROTO_TCP ||
        flags != WSA_FLAG_OVERLAPPED || info == NULL || info->dwCatalogEntryId != g.catalog_id) {
        *error = WSAEINVAL;
        return INVALID_SOCKET;
    }
    f = calloc(1, sizeof(*f));
    f->handle = g.up.lpWPUCreateSocketHandle(g.catalog_id, (DWORD_PTR)f, error);
    if (f->handle == INVALID_SOCKET) {
        free(f);
        return INVALID_SOCKET;
    }
    pal_mutex_lock(&g.lock);
    f->next = g.sockets;
    g.sockets = f;
    pal_mutex_unlock(&g.lock);
    return (SOCKET)f;
}

static int WSPAPI bind_(SOCKET s, const WSD_SOCKADDR *name, int bytes, LPINT error)
{
    struct fake_socket *f = fake_enter(s, "Bind", error);

    (void)bytes;
    if (f == NULL)
        return SOCKET_ERROR;
    memcpy(&f->local, name, sizeof(f->local));
    f->state = BOUND;
    return fake_leave(error, control.bind_error != 0  ? control.bind_error
                             : f->local.sin_port == 0 ? WSAEINVAL
                                                      : 0);
}

static int WSPAPI set_sock_opt(SOCKET s, int level, int name, const char *value, int bytes, LPINT error)
{
    (void)level;
    (void)name;
    (void)value;
    (void)bytes;
    if (fake_enter(s, "SetSockOpt", error) == NULL)
        return SOCKET_ERROR;
    return fake_leave(error, control.option_error);
}

static int WSPAPI get_sock_opt(SOCKET s, int level, int name, char *value, LPINT bytes, LPINT error)
{
    const DWORD limit = 4096;

    (void)level;
    if (fake_enter(s, "GetSockOpt", error) == NULL)
        return SOCKET_ERROR;
    if (name != WS_SO_MAX_MSG_SIZE)
        return fake_leave(error, WSAENOPROTOOPT);
    memcpy(value, &limit, sizeof(limit));
    *bytes = sizeof(limit);
    return fake_leave(error, 0);
}

static int WSPAPI listen_(SOCKET s, int backlog, LPINT error)
{
    struct fake_socket *f = fake_enter(s, "Listen", error);

    (void)backlog;
    if (f == NULL)
        return SOCKET_ERROR;
    f->state = LISTENING;
    return fake_leave(error, control.listen_error);
}

static int WSPAPI event_select(SOCKET s, WSAEVENT e, LONG events, LPINT error)
{
    struct fake_socket *f = fake_enter(s, "EventSelect", error);
    bool is_due;

    if (f == NULL)
        return SOCKET_ERROR;
    f->event = e;
    f->selected = events;
    is_due = f->queue != NULL && (events & FD_ACCEPT) != 0;
    if (is_due)
        f->record.lNetworkEvents |= FD_ACCEPT;
    fake_leave(error, 0);
    if (is_due)
        signal_event(e);
    return 0;
}

static int WSPAPI enum_network_events(SOCKET s, WSAEVENT e, LPWSANETWORKEVENTS out, LPINT error)
{
    struct fake_socket *f = fake_enter(s, "EnumNetworkEvents", error);
    INT ignored;

    if (f == NULL)
        return SOCKET_ERROR;
    *out = f->record;
    memset(&f->record, 0, sizeof(f->record));
    fake_leave(error, 0);
    if (e != WSA_INVALID_EVENT)
        g.up.lpWPUResetEvent(e, &ignored);
    return 0;
}

static int WSPAPI connect_(SOCKET s, const WSD_SOCKADDR *name, int bytes, LPWSABUF caller, LPWSABUF callee,
                           LPQOS sqos, LPQOS gqos, LPINT error)
{
    struct fake_socket *f = fake_enter(s, "Connect", error);
    struct fake_socket *l = NULL;
    WSAEVENT to_signal = WSA_INVALID_EVENT;
    struct fake_socket **at;

    (void)bytes;
    (void)caller;
    (void)callee;
    (void)sqos;
    (void)gqos;
    if (f == NULL)
        return SOCKET_ERROR;
    if (control.connect_error != 0)
        return fake_leave(error, control.connect_error);
    memcpy(&f->remote, name, sizeof(f->remote));
    f->state = CONNECTING;
    if (control.connect_event_error != 0) {
        record_locked(f, FD_CONNECT_BIT, control.connect_event_error, &to_signal);
    } else if (!control.connect_never) {
        for (l = g.sockets; l != NULL; l = l->next)
            if (l->state == LISTENING && l->local.sin_port == f->remote.sin_port)
                break;
        if (l == NULL) {
            record_locked(f, FD_CONNECT_BIT, WSAETIMEDOUT, &to_signal);
        } else {
            for (at = &l->queue; *at != NULL; at = &(*at)->queue_next)
                ;
            *at = f;
            record_locked(l, FD_ACCEPT_BIT, 0, &to_signal);
        }
    }
    fake_leave(error, 0);
    signal_event(to_signal);
    *error = WSAEWOULDBLOCK;
    return SOCKET_ERROR;
}

static SOCKET WSPAPI accept_(SOCKET s, WSD_SOCKADDR *addr, LPINT addrlen, LPCONDITIONPROC condition,
                             DWORD_PTR context, LPINT error)
{
    struct fake_socket *l = fake_enter(s, "Accept", error);
    struct fake_socket *from;
    struct fake_socket *f;
    WSAEVENT client = WSA_INVALID_EVENT;
    WSAEVENT server = WSA_INVALID_EVENT;
    WSD_SOCKADDR_IN caller_address, callee_address;
    WSABUF caller = {sizeof(caller_address), (CHAR *)&caller_address};
    WSABUF callee = {sizeof(callee_address), (CHAR *)&callee_address};
    WSABUF no_data = {0, NULL};
    GROUP group = 0;
    int verdict = CF_ACCEPT;

    if (l == NULL)
        return INVALID_SOCKET;
    from = l->queue;
    if (from == NULL) {
        fake_leave(error, WSAEWOULDBLOCK);
        return INVALID_SOCKET;
    }
    caller_address = from->local;
    callee_address = from->remote;
    pal_mutex_unlock(&g.lock);
    if (!control.accept_breaks)
        verdict = condition(&caller, NULL, NULL, NULL, &callee, &no_data, &group, context);
    if (verdict == CF_DEFER) {
        *error = WSATRY_AGAIN;
        return INVALID_SOCKET;
    }
    f = calloc(1, sizeof(*f));
    if (verdict == CF_ACCEPT)
        f->handle = g.up.lpWPUCreateSocketHandle(g.catalog_id, (DWORD_PTR)f, error);

    pal_mutex_lock(&g.lock);
    l->queue = from->queue_next;
    from->queue_next = NULL;
    if (l->queue != NULL)
        record_locked(l, FD_ACCEPT_BIT, 0, &server);
    record_locked(from, FD_CONNECT_BIT, verdict == CF_ACCEPT ? 0 : WSAECONNREFUSED, &client);
    if (verdict == CF_ACCEPT) {
        f->state = from->state = CONNECTED;
        f->peer = from;
        from->peer = f;
        f->local = callee_address;
        f->remote = caller_address;
        f->next = g.sockets;
        g.sockets = f;
        memcpy(addr, &caller_address, sizeof(caller_address));
        *addrlen = sizeof(caller_address);
    }
    pal_mutex_unlock(&g.lock);
    signal_event(client);
    signal_event(server);
    if (verdict == CF_ACCEPT)
        return (SOCKET)f;
    free(f);
    *error = WSAECONNREFUSED;
    return INVALID_SOCKET;
}

/* Every operation of f ends with `error`, and its handle goes. `silent`: the last WSPCleanup. */
static void destroy(struct fake_socket *f, bool silent)
{
    struct fake_socket **at = &g.sockets;
    struct op *op;
    struct op *mine = NULL;
    struct op **link;
    INT ignored;

    pal_mutex_lock(&g.lock);
    while (*at != f)
        at = &(*at)->next;
    *at = f->next;
    for (struct fake_socket *other = g.sockets; other != NULL; other = other->next) {
        for (struct fake_socket **q = &other->queue; *q != NULL; q = &(*q)->queue_next)
            if (*q == f) {
                *q = f->queue_next;
                break;
            }
    }
    if (f->peer != NULL) {
        f->peer->state = BROKEN;
        f->peer->peer = NULL;
        while ((op = f->peer->receives) != NULL) {
            f->peer->receives = op->next;
            fake_finish_locked(op, WSAECONNRESET, 0);
        }
    }
    while ((op = f->receives) != NULL) {
        f->receives = op->next;
        fake_finish_locked(op, WSA_OPERATION_ABORTED, 0);
    }
    for (link = &g.done; *link != NULL;) { /* report ours ourselves */
        if ((*link)->owner == f) {
            op = *link;
            *link = op->next;
            op->next = mine;
            mine = op;
        } else {
            link = &(*link)->next;
        }
    }
    while (g.reporting != NULL && g.reporting->owner == f)
        pal_cond_wait(&g.changed, &g.lock);
    pal_mutex_unlock(&g.lock);

    while ((op = mine) != NULL) {
        mine = op->next;
        if (!silent)
            report(op);
        free(op);
    }
    if (!control.forget_handle)
        g.up.lpWPUCloseSocketHandle(f->handle, &ignored);
    while (f->messages != NULL) {
        struct message *m = f->messages;

        f->messages = m->next;
        free(m);
    }
    free(f);
}

static int WSPAPI close_socket(SOCKET s, LPINT error)
{
    struct fake_socket *f = fake_enter(s, "CloseSocket", error);

    if (f == NULL)
        return SOCKET_ERROR;
    fake_leave(error, 0);
    destroy(f, false);
    return 0;
}

/* --- ioctl --- */

static int address_list(void *out, DWORD out_bytes, DWORD *got)
{
    struct {
        SOCKET_ADDRESS_LIST list;
        SOCKET_ADDRESS second;
        WSD_SOCKADDR_IN address[LIST_ADDRESSES];
    } *answer = out;
    SOCKET_ADDRESS *entries;
    DWORD needed = sizeof(*answer);

    if (control.address_error != 0)
        return control.address_error;
    if (out_bytes > 0 && control.address_growth > 0) {
        control.address_growth--;
        needed = out_bytes + 64;
    }
    *got = needed;
    if (out_bytes < needed)
        return WSAEFAULT;
    memset(answer, 0, sizeof(*answer));
    answer->list.iAddressCount = LIST_ADDRESSES;
    entries = answer->list.Address; /* the declared length of 1 is not meant */
    for (int i = 0; i < LIST_ADDRESSES; i++) {
        answer->address[i].sin_family = WS_AF_INET;
        answer->address[i].sin_addr.s_addr = i == 0 ? LOCAL_ADDRESS : 0x0100007Fu; /* 127.0.0.1 */
        entries[i].iSockaddrLength = sizeof(WSD_SOCKADDR_IN);
        entries[i].lpSockaddr = (WSD_SOCKADDR *)&answer->address[i];
    }
    if (control.address_stray)
        entries[0].lpSockaddr = (WSD_SOCKADDR *)&control;
    return 0;
}

static int WSPAPI ioctl_(SOCKET s, DWORD code, LPVOID in, DWORD in_bytes, LPVOID out, DWORD out_bytes,
                         LPDWORD got, LPWSAOVERLAPPED ov, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine,
                         LPWSATHREADID thread, LPINT error)
{
    static const GUID ids[] = {WSAID_REGISTERMEMORY,
                               WSAID_DEREGISTERMEMORY,
                               WSAID_REGISTERRDMAMEMORY,
                               WSAID_DEREGISTERRDMAMEMORY,
                               WSAID_RDMAWRITE,
                               WSAID_RDMAREAD,
                               WSAID_MEMORYREGISTRATIONCACHECALLBACK};
    void (*const functions[])(void) = {
        (void (*)(void))fake_register_memory,      (void (*)(void))fake_deregister_memory,
        (void (*)(void))fake_register_rdma_memory, (void (*)(void))fake_deregister_rdma_memory,
        (void (*)(void))fake_rdma_write,           (void (*)(void))fake_rdma_read,
        (void (*)(void))fake_cache_callback};

    (void)in_bytes;
    (void)ov;
    (void)routine;
    (void)thread;
    if (fake_enter(s, code == SIO_ADDRESS_LIST_QUERY ? "AddressList" : "Extension", error) == NULL)
        return SOCKET_ERROR;
    if (code == SIO_ADDRESS_LIST_QUERY)
        return fake_leave(error, address_list(out, out_bytes, got));
    for (int i = 0; i < 7 && code == SIO_GET_EXTENSION_FUNCTION_POINTER; i++) {
        if (memcmp(in, &ids[i], sizeof(GUID)) != 0)
            continue;
        if (control.refused_extension == i + 1)
            return fake_leave(error, control.refusal);
        if (control.no_rdma_read && i == 5)
            break;
        memcpy(out, &functions[i], out_bytes);
        *got = sizeof(functions[i]);
        return fake_leave(error, 0);
    }
    return fake_leave(error, WSAEOPNOTSUPP);
}

/* --- start and end --- */

static int WSPAPI cleanup(LPINT error)
{
    bool last;

    pal_mutex_lock(&g.lock);
    if (g.users == 0)
        return fake_leave(error, WSANOTINITIALISED);
    control.cleanups++;
    last = --g.users == 0;
    if (last) {
        g.stop = true;
        pal_cond_broadcast(&g.changed);
    }
    pal_mutex_unlock(&g.lock);
    if (!last)
        return 0;
    pal_thread_join(g.thread);
    while (g.sockets != NULL)
        destroy(g.sockets, true);
    while (g.done != NULL) {
        struct op *op = g.done;

        g.done = op->next;
        free(op);
    }
    pal_cond_fini(&g.changed);
    pal_mutex_fini(&g.lock);
    return 0;
}

static void not_for_sans(void)
{
    abort(); /* the switch never calls these */
}

int WSPAPI WSPStartupEx(WORD version, LPWSPDATA data, LPWSAPROTOCOL_INFOW info, LPWSPUPCALLTABLEEX up,
                        LPWSPPROC_TABLE procs)
{
    void (*slots[sizeof(*procs) / sizeof(void (*)(void))])(void);
    WSPPROC_TABLE table;

    control.startups++;
    if (control.startup_error != 0)
        return control.startup_error;
    for (unsigned i = 0; i < sizeof(slots) / sizeof(slots[0]); i++)
        slots[i] = not_for_sans;
    memcpy(&table, slots, sizeof(table));
    table.lpWSPAccept = accept_;
    table.lpWSPBind = bind_;
    table.lpWSPCleanup = cleanup;
    table.lpWSPCloseSocket = close_socket;
    table.lpWSPConnect = connect_;
    table.lpWSPEnumNetworkEvents = enum_network_events;
    table.lpWSPEventSelect = event_select;
    table.lpWSPGetOverlappedResult = get_overlapped_result;
    table.lpWSPGetSockOpt = get_sock_opt;
    table.lpWSPIoctl = ioctl_;
    table.lpWSPListen = listen_;
    table.lpWSPRecv = recv_;
    table.lpWSPSend = send_;
    table.lpWSPSetSockOpt = set_sock_opt;
    table.lpWSPSocket = socket_;
    if (control.empty_slot != 0) {
        memcpy(slots, &table, sizeof(table));
        slots[control.empty_slot - 1] = NULL;
        memcpy(&table, slots, sizeof(table));
    }
    *procs = table;
    if (control.empty_slot == 6) /* nobody could stop us: do not start */
        return 0;
    data->wVersion = control.version != 0 ? control.version : version;
    data->wHighVersion = 0x0202;
    g.up = *up;
    g.catalog_id = info->dwCatalogEntryId;
    if (g.users++ == 0) {
        g.stop = false;
        if (!pal_mutex_init(&g.lock) || !pal_cond_init(&g.changed))
            return WSASYSNOTREADY;
        g.thread = pal_thread_start(reporter, NULL, "fake");
    }
    return 0;
}
