/* echo.c - see bench_echo.h. Both ends are the same machine: a connection sends a whole message or receives one, then the other
 * way round; the client begins. Each operation that starts puts one packet into the port, also one that is over at once. */
/* clang-format off: the application's view first */
#include "winsock2.h"
#include "mswsock.h"
/* clang-format on */

#include "bench_echo.h"

#include <stdlib.h>
#include <string.h>

#include "bench_app.h"
#include "pal/memory.h"
#include "pal/time.h"

enum { PACKETS = 64, LOOK_TIME_MS = 50, CLOSE_TIME_MS = 5000 };
enum doing { ACCEPTING, RECEIVING, SENDING, RESTING };
#define ADDRESS_ROOM (sizeof(struct sockaddr_in) + 16)

struct echo_conn {
    OVERLAPPED ov; /* first: what comes out of the port is the connection */
    SOCKET s;
    enum doing doing;
    uint32_t moved; /* bytes of the message */
    char *data;
    char addresses[2 * ADDRESS_ROOM]; /* AcceptEx */
};

struct bench_echo {
    struct app_layer *layer;
    struct bench_control *control;
    HANDLE port;
    struct echo_conn *conns;
    uint32_t count, room; /* connections that are there; the server makes one more while it accepts */
    uint32_t pending;     /* operations whose packet has not come out yet */
    uint32_t piece_bytes;
    uint32_t size;        /* of a message of this run */
    uint64_t to_start;    /* client: messages of this run not begun */
    uint64_t done;        /* messages of this run that were echoed */
    uint64_t rss_before;  /* bytes */
    pal_atomic_u64 *beat; /* progress; NULL: nobody looks */
};

static bool fail(struct bench_echo *e, const char *what)
{
    return app_fail_code(e->layer, what, WSAGetLastError());
}

/* --- one connection ------------------------------------------------------------------------------------- */

/* Start the operation that the connection is at. */
static bool start(struct bench_echo *e, struct echo_conn *c)
{
    WSABUF buffer = {e->size - c->moved, c->data + c->moved};
    DWORD flags = 0;
    int result;

    memset(&c->ov, 0, sizeof c->ov);
    if (c->doing == SENDING) {
        result = WSASend(c->s, &buffer, 1, NULL, 0, &c->ov, NULL);
    } else {
        buffer.len = e->piece_bytes - c->moved; /* the next run's messages may be longer */
        result = WSARecv(c->s, &buffer, 1, NULL, &flags, &c->ov, NULL);
    }
    if (result == SOCKET_ERROR && WSAGetLastError() != WSA_IO_PENDING)
        return fail(e, c->doing == SENDING ? "an overlapped send" : "an overlapped receive");
    e->pending++;
    return true;
}

static bool begin(struct bench_echo *e, struct echo_conn *c, enum doing what)
{
    c->doing = what;
    c->moved = 0;
    return start(e, c);
}

static void one_more(struct bench_echo *e)
{
    e->done++;
    if (e->beat != NULL)
        pal_store_relaxed(e->beat, e->done);
}

/* Client: a message is back. Another one, as long as some are to be sent. */
static bool came_back(struct bench_echo *e, struct echo_conn *c)
{
    one_more(e);
    if (e->to_start == 0) {
        c->doing = RESTING;
        return true;
    }
    e->to_start--;
    return begin(e, c, SENDING);
}

/* An operation of the connection has ended with so many bytes. */
static bool step(struct bench_echo *e, struct echo_conn *c, DWORD bytes, bool is_client)
{
    if (bytes == 0)
        return bench_fail(e->control->err, "the peer closed a connection of --layer %s", e->layer->name);
    c->moved += bytes;
    if (c->moved < e->size)
        return start(e, c);
    if (c->moved > e->size)
        return bench_fail(e->control->err, "%u bytes came where a message of %u was due", c->moved, e->size);
    if (c->doing == SENDING) {
        if (!is_client)
            one_more(e);
        return begin(e, c, RECEIVING);
    }
    return is_client ? came_back(e, c) : begin(e, c, SENDING);
}

/* --- the port ------------------------------------------------------------------------------------------- */

/* Packets that are there within ms. -1: failed; 0: none. */
static int take(struct bench_echo *e, OVERLAPPED_ENTRY *entries, DWORD ms)
{
    ULONG n = 0;

    if (GetQueuedCompletionStatusEx(e->port, entries, PACKETS, &n, ms, FALSE)) {
        e->pending -= n;
        return (int)n;
    }
    if (WSAGetLastError() == WAIT_TIMEOUT)
        return 0;
    (void)fail(e, "GetQueuedCompletionStatusEx");
    return -1;
}

/* The packet's operation, as it ended. */
static bool turn(struct bench_echo *e, const OVERLAPPED_ENTRY *packet, bool is_client)
{
    struct echo_conn *c = (struct echo_conn *)(void *)packet->lpOverlapped;
    DWORD bytes = 0, flags = 0;

    if (packet->lpOverlapped->Internal != 0 && !WSAGetOverlappedResult(c->s, &c->ov, &bytes, FALSE, &flags))
        return fail(e, c->doing == SENDING ? "an overlapped send" : "an overlapped receive");
    return step(e, c, packet->dwNumberOfBytesTransferred, is_client);
}

/* What came out of the port once. False: the sentence. *none: nothing within LOOK_TIME_MS. */
static bool serve_port(struct bench_echo *e, bool is_client, bool *none)
{
    OVERLAPPED_ENTRY entries[PACKETS];
    int n = take(e, entries, LOOK_TIME_MS);

    for (int i = 0; i < n; i++)
        if (!turn(e, &entries[i], is_client))
            return false;
    *none = n == 0;
    return n >= 0;
}

/* --- making them ---------------------------------------------------------------------------------------- */

static struct bench_echo *create(struct bench_layer *l, const struct bench_test *t, struct bench_control *c)
{
    struct bench_echo *e = calloc(1, sizeof *e);
    uint32_t largest = 1;

    for (unsigned i = 0; i < t->size_count; i++)
        largest = t->sizes[i] > largest ? t->sizes[i] : largest;
    if (e != NULL) {
        e->layer = app_layer_of(l);
        e->control = c;
        e->room = t->connections;
        e->rss_before = pal_resident_bytes();
        e->piece_bytes = largest;
        e->size = t->sizes[0];
        e->conns = calloc(e->room, sizeof *e->conns);
        e->port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 0);
    }
    if (e == NULL || e->conns == NULL || e->port == NULL) {
        bench_echo_close(e);
        (void)bench_fail(c->err, "out of memory for %u connections", t->connections);
        return NULL;
    }
    for (uint32_t i = 0; i < e->room; i++) {
        e->conns[i].s = INVALID_SOCKET;
        e->conns[i].doing = RESTING;
    }
    return e;
}

/* The next connection of the array: its memory, its socket. */
static struct echo_conn *next_conn(struct bench_echo *e)
{
    struct echo_conn *c = &e->conns[e->count];

    c->data = calloc(1, e->piece_bytes);
    if (c->data == NULL) {
        (void)bench_fail(e->control->err, "out of memory for connection %u", e->count + 1);
        return NULL;
    }
    c->s = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
    if (c->s != INVALID_SOCKET)
        return c;
    (void)fail(e, "socket");
    return NULL;
}

/* Small messages are not held back: TCP's affair, and harmless above a SAN. */
static bool enter_port(struct bench_echo *e, struct echo_conn *c)
{
    static const BOOL on = TRUE;

    return (setsockopt(c->s, IPPROTO_TCP, TCP_NODELAY, (const char *)&on, sizeof on) == 0 &&
            CreateIoCompletionPort((HANDLE)c->s, e->port, 0, 0) != NULL) ||
           fail(e, "setting up");
}

static bool connect_one(struct bench_echo *e, const WSD_SOCKADDR_IN *to)
{
    struct echo_conn *c = next_conn(e);

    if (c == NULL)
        return false;
    if (bind(c->s, (const struct sockaddr *)&e->layer->local, sizeof e->layer->local) == SOCKET_ERROR ||
        connect(c->s, (const struct sockaddr *)to, sizeof *to) == SOCKET_ERROR)
        return fail(e, "connecting");
    if (!app_check_carrier(e->layer, c->s) || !enter_port(e, c))
        return false;
    e->count++;
    return true;
}

/* One message over each. */
static bool greet(struct bench_echo *e, const struct bench_test *t)
{
    uint64_t give_up = pal_now_ns() + (uint64_t)t->timeout_s * 1000000000u;
    bool none = false;

    for (uint32_t i = 0; i < e->count; i++)
        if (!begin(e, &e->conns[i], SENDING))
            return false;
    while (e->done < e->count) {
        if (!serve_port(e, true, &none) || (none && !bench_control_alive(e->control)))
            return false;
        if (none && pal_now_ns() >= give_up)
            return bench_fail(e->control->err, "%u of %u first messages did not come back within %u s",
                              e->count - (uint32_t)e->done, e->count, t->timeout_s);
    }
    return true;
}

bool bench_echo_connect(struct bench_layer *l, const struct bench_test *t, const struct vb_addr *remote,
                        struct bench_control *c, struct bench_echo **out)
{
    struct bench_echo *e = *out = create(l, t, c);
    WSD_SOCKADDR_IN to;

    if (e == NULL)
        return false;
    app_address(remote, &to);
    while (e->count < t->connections)
        if (!connect_one(e, &to))
            return bench_fail_in(c->err, "connection %u of %u", e->count + 1, t->connections);
    return greet(e, t);
}

/* --- accepting them ------------------------------------------------------------------------------------- */

static bool accept_next(struct bench_echo *e)
{
    struct echo_conn *c;
    DWORD received;

    if (e->count == e->room)
        return true;
    c = next_conn(e);
    if (c == NULL)
        return false;
    c->doing = ACCEPTING;
    if (!AcceptEx(e->layer->listener, c->s, c->addresses, 0, ADDRESS_ROOM, ADDRESS_ROOM, &received, &c->ov) &&
        WSAGetLastError() != ERROR_IO_PENDING)
        return fail(e, "AcceptEx");
    e->pending++;
    return true;
}

static bool accepted(struct bench_echo *e, struct echo_conn *c)
{
    if (setsockopt(c->s, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT, (const char *)&e->layer->listener,
                   sizeof e->layer->listener) != 0)
        return fail(e, "SO_UPDATE_ACCEPT_CONTEXT");
    if (!app_check_carrier(e->layer, c->s) || !enter_port(e, c))
        return false;
    e->count++;
    return begin(e, c, RECEIVING) && accept_next(e);
}

static bool turn_accepting(struct bench_echo *e, const OVERLAPPED_ENTRY *packet)
{
    struct echo_conn *c = (struct echo_conn *)(void *)packet->lpOverlapped;

    if (c->doing != ACCEPTING)
        return turn(e, packet, false);
    return packet->lpOverlapped->Internal == 0 ? accepted(e, c) : fail(e, "AcceptEx");
}

/* Until the first message of each has been sent back. */
static bool accept_all(struct bench_echo *e, const struct bench_test *t)
{
    OVERLAPPED_ENTRY entries[PACKETS];
    uint64_t give_up = pal_now_ns() + (uint64_t)t->timeout_s * 1000000000u;

    while (e->done < e->room) {
        int n = take(e, entries, LOOK_TIME_MS);

        if (n < 0 || (n == 0 && !bench_control_alive(e->control)))
            return false;
        for (int i = 0; i < n; i++)
            if (!turn_accepting(e, &entries[i]))
                return false;
        if (n > 0)
            give_up = pal_now_ns() + (uint64_t)t->timeout_s * 1000000000u;
        else if (pal_now_ns() >= give_up)
            return bench_fail(e->control->err, "%u of %u connections came, and then none for %u s", e->count,
                              e->room, t->timeout_s);
    }
    return true;
}

bool bench_echo_accept(struct bench_layer *l, const struct bench_test *t, struct bench_control *c,
                       struct bench_echo **out)
{
    struct bench_echo *e = *out = create(l, t, c);

    if (e == NULL)
        return false;
    if (CreateIoCompletionPort((HANDLE)e->layer->listener, e->port, 0, 0) == NULL)
        return fail(e, "the completion port of the listener");
    return (accept_next(e) && accept_all(e, t)) || bench_fail_in(c->err, "echo server");
}

/* --- runs ----------------------------------------------------------------------------------------------- */

struct bench_idle bench_echo_memory(const struct bench_echo *e)
{
    struct bench_idle m = {e->count, e->rss_before, pal_resident_bytes()};

    return m;
}

bool bench_echo_takes(const struct bench_echo *e, uint32_t size)
{
    return size > 0 && size <= e->piece_bytes;
}

bool bench_echo_client(struct bench_run_args *a)
{
    struct bench_echo *e = a->echo;
    uint64_t start_ns = pal_now_ns();
    bool none = false;

    e->size = a->size;
    e->done = 0;
    e->to_start = a->count;
    e->beat = &a->ep->progress;
    for (uint32_t i = 0; i < e->count && e->to_start > 0; i++) {
        e->to_start--;
        if (!begin(e, &e->conns[i], SENDING))
            return false;
    }
    while (e->done < a->count)
        if (!serve_port(e, true, &none) || (none && !bench_patience_check(a->ep)))
            return false;
    a->elapsed_ns = pal_now_ns() - start_ns;
    return true;
}

bool bench_echo_server(struct bench_run_args *a)
{
    struct bench_echo *e = a->echo;
    bool none = false;

    e->size = a->size; /* nothing is under way: the client begins after GO */
    if (!a->go(a->go_context))
        return false;
    while (!none || !bench_control_readable(a->control, 0))
        if (!serve_port(e, false, &none))
            return false;
    return true;
}

/* --- the end -------------------------------------------------------------------------------------------- */

/* The memory behind operations is the switch's until their packets have come. */
static void drain(struct bench_echo *e)
{
    OVERLAPPED_ENTRY entries[PACKETS];
    uint64_t give_up = pal_now_ns() + CLOSE_TIME_MS * 1000000ull;

    while (e->pending > 0 && pal_now_ns() < give_up && take(e, entries, LOOK_TIME_MS) >= 0) {
    }
}

void bench_echo_close(struct bench_echo *e)
{
    if (e == NULL)
        return;
    for (uint32_t i = 0; e->conns != NULL && i < e->room; i++)
        if (e->conns[i].s != INVALID_SOCKET)
            (void)closesocket(e->conns[i].s);
    if (e->port != NULL) {
        drain(e);
        (void)CloseHandle(e->port);
    }
    if (e->pending == 0) { /* else somebody may still write there */
        for (uint32_t i = 0; e->conns != NULL && i < e->room; i++)
            free(e->conns[i].data);
        free(e->conns);
    }
    free(e);
}
