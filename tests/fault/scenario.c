/* scenario.c - see scenario.h. The calls go straight to the procedure table, so that each is judged by its
 * own list of codes. */
#include "scenario.h"

#include <sys/resource.h>

#include "pal/compiler.h"
#include "pal/memory.h"
#include "pattern.h"

#define WAIT_MS      8000u /* above every time limit of the provider's settings below */
#define OPS          80u
#define GRANTS       4u
#define MEMORY_BYTES 65536u
#define CHUNK        512u /* of memory, one per operation */
#define HELLO_BYTES  200u /* fits a private buffer (8.5) */
#define SENDS        20u  /* several times the depth that is set below */
#define MANY_PIECES  40u  /* above what a device takes in one request: bounced */

/* One socket, its memory and its operations. `c` is made by hand: the shim's own companions hide single
 * calls. */
struct party {
    const char *name;
    struct sw_companion c;
    bool is_open, is_connected;
    WSAEVENT event;
    uint8_t *memory; /* first half for receives, second half to send from */
    HANDLE registration;
    struct sw_rdma_descriptor grants[GRANTS];
    unsigned grant_count;
    WSAOVERLAPPED ov[OPS];
    bool is_over[OPS];
    unsigned ops;
};

static struct {
    struct sw_provider *provider;
    const WSPPROC_TABLE *procs;
    struct scenario_result *out;
    bool retries;
    struct party listener, connector, acceptor;
    struct party moved_listener, second_connector, second_acceptor;
    WSD_SOCKADDR_IN here, other;
    uint16_t port;
    struct usage at_start;
} sc;

static pal_atomic_u64 current_step; /* a pointer to a string, for the watchdog's thread */

const char *scenario_step(void)
{
    const char *text = (const char *)(uintptr_t)pal_load_acquire(&current_step);

    return text != NULL ? text : "-";
}

static void complain(const char *format, ...) PAL_PRINTF(1, 2);
static void complain(const char *format, ...)
{
    char *text = sc.out->complaint;
    size_t used = strlen(text);
    va_list arguments;

    if (used + 4 >= sizeof sc.out->complaint)
        return;
    if (used > 0)
        used += (size_t)snprintf(text + used, sizeof sc.out->complaint - used, "; ");
    va_start(arguments, format);
    vsnprintf(text + used, sizeof sc.out->complaint - used, format, arguments);
    va_end(arguments);
}

/* ---- judging ---- */

static bool is_retriable(enum fault_call call)
{
    switch (call) {
    case CALL_START:
    case CALL_REFRESH:
    case CALL_SOCKET:
    case CALL_BIND:
    case CALL_LISTEN:
    case CALL_REGISTER:
    case CALL_REGISTER_RDMA:
    case CALL_SEND:
    case CALL_RECV:
    case CALL_RDMA: return true;
    default: return false;
    }
}

static void judge(enum fault_call call, int error, const char *what)
{
    if (!fault_is_allowed(call, error))
        complain("%s: %s answered %s, which nothing documents for such a failure", what,
                 fault_call_name(call), sw_error_name(error));
}

static bool give_up(enum fault_call call, int error)
{
    if (sc.out->failed == CALL_COUNT) {
        sc.out->failed = call;
        sc.out->error = error;
    }
    return false;
}

/* One call, judged; made again when that was asked for. Leaves the function (returning false) when it
 * failed for good. */
#define STEP(call, expression)                                                                               \
    do {                                                                                                     \
        pal_store_release(&current_step, (uint64_t)(uintptr_t) #expression);                                 \
        int step_error_ = (expression);                                                                      \
        judge(call, step_error_, #expression);                                                               \
        if (step_error_ != 0 && sc.retries && is_retriable(call)) {                                          \
            step_error_ = (expression);                                                                      \
            judge(call, step_error_, #expression);                                                           \
            sc.out->retried += step_error_ == 0;                                                             \
        }                                                                                                    \
        if (step_error_ != 0)                                                                                \
            return give_up(call, step_error_);                                                               \
    } while (0)

#define DO(expression)                                                                                       \
    do {                                                                                                     \
        pal_store_release(&current_step, (uint64_t)(uintptr_t) #expression);                                 \
        if (!(expression))                                                                                   \
            return false;                                                                                    \
    } while (0)

/* ---- single calls ---- */

static void open_party(struct party *p, SOCKET descriptor, SOCKET handle)
{
    p->c = (struct sw_companion){.descriptor = descriptor,
                                 .handle = handle,
                                 .procs = sc.procs,
                                 .ext = sw_extensions(sc.provider),
                                 .provider = sc.provider};
    p->is_open = true;
}

static int call_load(void)
{
    char why[512];
    int error = sw_load(ct.provider, NULL, &sc.provider, why, sizeof why);

    if (error == 0)
        sc.procs = sw_procs(sc.provider);
    return error;
}

static int call_socket(struct party *p, DWORD reserved)
{
    WSAPROTOCOL_INFOW info = *sw_protocol_info(sc.provider);
    INT error = 0;

    info.dwProviderReserved = reserved;
    (void)sw_take_created_handle();
    SOCKET d = sc.procs->lpWSPSocket(WS_AF_INET, WS_SOCK_STREAM, WS_IPPROTO_TCP, &info, 0,
                                     WSA_FLAG_OVERLAPPED, &error);
    SOCKET handle = sw_take_created_handle();
    if (d != INVALID_SOCKET) {
        open_party(p, d, handle);
        return 0;
    }
    if (handle != INVALID_SOCKET && sw_handle_is_open(handle))
        complain("WSPSocket failed and left its handle open");
    return error;
}

static int call_bind(struct party *p, WSD_SOCKADDR_IN at, uint16_t port)
{
    INT error = 0;

    at.sin_port = (USHORT)(port >> 8 | port << 8);
    p->c.local = at;
    return sc.procs->lpWSPBind(p->c.descriptor, (const WSD_SOCKADDR *)&at, sizeof at, &error) == 0 ? 0
                                                                                                   : error;
}

static int call_listen(struct party *p)
{
    INT error = 0;

    return sc.procs->lpWSPListen(p->c.descriptor, 5, &error) == 0 ? 0 : error;
}

static int call_select(struct party *p, LONG events)
{
    INT error = 0;

    sw_event_reset(p->event);
    return sc.procs->lpWSPEventSelect(p->c.descriptor, p->event, events, &error) == 0 ? 0 : error;
}

static int call_connect(struct party *p, const struct party *to)
{
    INT error = 0;

    if (sc.procs->lpWSPConnect(p->c.descriptor, (const WSD_SOCKADDR *)&to->c.local, sizeof to->c.local, NULL,
                               NULL, NULL, NULL, &error) == 0)
        return 0;
    return error == WSAEWOULDBLOCK ? 0 : error;
}

static int call_accept(struct party *l, struct party *p)
{
    INT error = 0;

    (void)sw_take_created_handle();
    SOCKET d = sc.procs->lpWSPAccept(l->c.descriptor, NULL, NULL, NULL, 0, &error);
    SOCKET handle = sw_take_created_handle();
    if (d != INVALID_SOCKET) {
        open_party(p, d, handle);
        p->is_connected = true;
        return 0;
    }
    if (handle != INVALID_SOCKET && sw_handle_is_open(handle))
        complain("WSPAccept failed and left its handle open");
    return error;
}

/* The record of the socket, if its event is set. */
static int call_enum(struct party *p, WSANETWORKEVENTS *seen)
{
    INT error = 0;

    memset(seen, 0, sizeof *seen);
    if (sw_event_wait(p->event, 0) != 0)
        return 0;
    return sc.procs->lpWSPEnumNetworkEvents(p->c.descriptor, p->event, seen, &error) == 0 ? 0 : error;
}

static int call_register(struct party *p)
{
    INT error = 0;

    p->registration = p->c.ext->register_memory(p->c.descriptor, p->memory, MEMORY_BYTES, MEM_READWRITE,
                                                &error);
    return p->registration != NULL ? 0 : error;
}

static int call_grant(struct party *p, unsigned chunk, DWORD flags)
{
    struct sw_rdma_descriptor *d = &p->grants[p->grant_count];
    int error = sw_register_rdma(&p->c, p->memory + (size_t)chunk * CHUNK, CHUNK, flags, d);

    if (error == 0)
        p->grant_count++;
    return error;
}

static int call_duplicate(struct party *p, DWORD *token)
{
    WSAPROTOCOL_INFOW info = *sw_protocol_info(sc.provider);
    INT error = 0;

    if (sc.procs->lpWSPDuplicateSocket(p->c.descriptor, pal_process_id(), &info, &error) != 0)
        return error;
    *token = info.dwProviderReserved;
    return 0;
}

static int call_close(struct party *p)
{
    INT error = 0;

    p->is_open = p->is_connected = false;
    return sc.procs->lpWSPCloseSocket(p->c.descriptor, &error) == 0 ? 0 : error;
}

/* ---- operations ---- */

static uint64_t key_of(const struct party *p, unsigned op)
{
    return (uint64_t)(uintptr_t)p ^ (uint64_t)sc.port << 32 ^ op * 977u;
}

static unsigned pieces_of(WSABUF out[MANY_PIECES], uint8_t *memory, DWORD bytes, bool is_cut)
{
    unsigned count = is_cut ? MANY_PIECES : 1;

    for (unsigned i = 0; i < count; i++) {
        DWORD piece = i + 1 == count ? bytes : bytes / count;
        out[i] = (WSABUF){.len = piece, .buf = (CHAR *)memory};
        memory += piece;
        bytes -= piece;
    }
    return count;
}

static uint8_t *chunk_of(struct party *p, unsigned op)
{
    return p->memory + (size_t)op * CHUNK;
}

static int call_recv(struct party *p, enum sw_completion how, bool is_cut)
{
    WSABUF pieces[MANY_PIECES];
    int error;

    memset(&p->ov[p->ops], 0, sizeof p->ov[p->ops]);
    memset(chunk_of(p, p->ops), 0, CHUNK);
    error = sw_recv(&p->c, pieces, pieces_of(pieces, chunk_of(p, p->ops), CHUNK, is_cut), &p->ov[p->ops],
                    how);
    p->is_over[p->ops] = false;
    p->ops += error == 0;
    return error;
}

static int call_send(struct party *p, DWORD bytes, uint64_t key, enum sw_completion how, bool is_cut)
{
    WSABUF pieces[MANY_PIECES];
    int error;

    memset(&p->ov[p->ops], 0, sizeof p->ov[p->ops]);
    pattern_fill(chunk_of(p, p->ops), bytes, key);
    error = sw_send(&p->c, pieces, pieces_of(pieces, chunk_of(p, p->ops), bytes, is_cut), &p->ov[p->ops],
                    how);
    p->is_over[p->ops] = false;
    p->ops += error == 0;
    return error;
}

static int call_rdma(struct party *p, const struct sw_rdma_descriptor *d, bool is_read, DWORD bytes,
                     enum sw_completion how)
{
    WSABUFEX piece = {.len = bytes, .buf = (CHAR *)chunk_of(p, p->ops), .handle = p->registration};
    int error;

    memset(&p->ov[p->ops], 0, sizeof p->ov[p->ops]);
    if (!is_read)
        pattern_fill(piece.buf, bytes, key_of(p, 1000));
    error = is_read ? sw_rdma_read(&p->c, &piece, 1, d, 0, &p->ov[p->ops], how)
                    : sw_rdma_write(&p->c, &piece, 1, d, 0, &p->ov[p->ops], how);
    p->is_over[p->ops] = false;
    p->ops += error == 0;
    return error;
}

/* The end of one operation; WSAETIMEDOUT stands for a hang. */
static int ended(struct party *p, unsigned op, DWORD *bytes)
{
    int error = 0, result = sw_wait(&p->c, &p->ov[op], WAIT_MS, bytes, &error);

    if (result != 0) {
        complain("%s: operation %u hangs (%s)", p->name, op, sw_error_name(result));
        return WSAETIMEDOUT;
    }
    p->is_over[op] = true;
    return error;
}

static bool end_of(struct party *p, unsigned op, DWORD *bytes)
{
    int error = ended(p, op, bytes);

    if (error == WSAETIMEDOUT)
        return give_up(CALL_COMPLETION, error);
    judge(CALL_COMPLETION, error, p->name);
    return error == 0 || give_up(CALL_COMPLETION, error);
}

static bool received(struct party *p, unsigned op, DWORD expected, uint64_t key)
{
    DWORD bytes = 0;

    if (!end_of(p, op, &bytes))
        return false;
    if (bytes != expected || pattern_check(chunk_of(p, op), bytes, key) >= 0)
        complain("%s: receive %u has %u bytes, %u were sent, or they are wrong", p->name, op, (unsigned)bytes,
                 (unsigned)expected);
    return true;
}

/* ---- the story ---- */

static bool start(void)
{
    STEP(CALL_START, call_load());
    STEP(CALL_REFRESH, sw_refresh(sc.provider));
    return true;
}

static bool listens(struct party *l)
{
    STEP(CALL_SOCKET, call_socket(l, 0));
    STEP(CALL_BIND, call_bind(l, sc.here, sc.port));
    STEP(CALL_LISTEN, call_listen(l));
    STEP(CALL_EVENT_SELECT, call_select(l, FD_ACCEPT));
    return true;
}

/* 8.3 and 8.4. What one side fails at, the other must hear of. */
static bool connects(struct party *l, struct party *c, struct party *a)
{
    uint64_t deadline = pal_now_ns() + (uint64_t)WAIT_MS * 1000000u;
    bool is_up = false;

    STEP(CALL_SOCKET, call_socket(c, 0));
    STEP(CALL_BIND, call_bind(c, sc.other, (uint16_t)(sc.port + 1)));
    STEP(CALL_EVENT_SELECT, call_select(c, FD_CONNECT));
    STEP(CALL_CONNECT, call_connect(c, l));
    while (!is_up || !a->is_open) {
        WSANETWORKEVENTS seen;
        STEP(CALL_ENUM_EVENTS, call_enum(c, &seen));
        if (seen.lNetworkEvents & FD_CONNECT) {
            STEP(CALL_FD_CONNECT, seen.iErrorCode[FD_CONNECT_BIT]);
            is_up = c->is_connected = true;
        }
        STEP(CALL_ENUM_EVENTS, call_enum(l, &seen));
        if (seen.lNetworkEvents & FD_ACCEPT) {
            int error = call_accept(l, a);
            judge(CALL_ACCEPT, error, "accepting");
            if (error != 0)
                give_up(CALL_ACCEPT, error); /* and see what becomes of the connector */
        }
        if (pal_now_ns() > deadline) {
            complain("connecting hangs: connector %s, acceptor %s", is_up ? "up" : "waits",
                     a->is_open ? "up" : "waits");
            return give_up(CALL_FD_CONNECT, WSAETIMEDOUT);
        }
        pal_sleep_ms(0);
    }
    return true;
}

static enum sw_completion how_of(unsigned i)
{
    return i & 1 ? SW_NOTIFY : SW_POLL;
}

/* The first message meets a private buffer (8.5): the acceptor has posted nothing when it is sent. */
static bool greets(struct party *c, struct party *a)
{
    STEP(CALL_REGISTER, call_register(c));
    for (unsigned i = 0; i < 4; i++)
        STEP(CALL_RECV, call_recv(c, how_of(i), false));
    STEP(CALL_SEND, call_send(c, HELLO_BYTES, key_of(c, 0), SW_NOTIFY, false));
    DO(end_of(c, 4, NULL));
    STEP(CALL_REGISTER, call_register(a));
    for (unsigned i = 0; i < 4; i++)
        STEP(CALL_RECV, call_recv(a, how_of(i), false));
    DO(received(a, 0, HELLO_BYTES, key_of(c, 0)));
    STEP(CALL_SEND, call_send(a, HELLO_BYTES, key_of(a, 0), SW_POLL, false));
    DO(end_of(a, 4, NULL));
    DO(received(c, 0, HELLO_BYTES, key_of(a, 0)));
    return true;
}

/* More at once than the queues of the device take, some in more pieces than it takes. Receives 1 to 3 are
 * posted. */
static bool floods(struct party *c, struct party *a)
{
    unsigned first_recv = a->ops, first_send = c->ops;

    for (unsigned i = 3; i < SENDS; i++)
        STEP(CALL_RECV, call_recv(a, how_of(i), i % 8 == 5));
    for (unsigned i = 0; i < SENDS; i++)
        STEP(CALL_SEND, call_send(c, i * 20, key_of(c, 100 + i), how_of(i / 2), i % 8 == 3));
    for (unsigned i = 0; i < SENDS; i++) {
        DO(end_of(c, first_send + i, NULL));
        DO(received(a, i < 3 ? 1 + i : first_recv + i - 3, i * 20, key_of(c, 100 + i)));
    }
    STEP(CALL_SEND, call_send(a, 33, key_of(a, 1), SW_NOTIFY, false));
    STEP(CALL_SEND, call_send(a, 0, key_of(a, 2), SW_POLL, false));
    DO(received(c, 1, 33, key_of(a, 1)));
    STEP(CALL_COMPLETION, sw_wait_in_provider(&c->c, &c->ov[2], NULL));
    c->is_over[2] = true;
    DO(end_of(a, a->ops - 2, NULL));
    DO(end_of(a, a->ops - 1, NULL));
    return true;
}

static bool revokes(struct party *p)
{
    while (p->grant_count > 0) {
        STEP(CALL_DEREGISTER_RDMA, sw_deregister_rdma(&p->c, &p->grants[p->grant_count - 1]));
        p->grant_count--;
    }
    return true;
}

static bool moves_memory(struct party *c, struct party *a)
{
    unsigned op = c->ops, chunk = OPS - 1;

    STEP(CALL_REGISTER_RDMA, call_grant(a, chunk, MEM_WRITE));
    STEP(CALL_REGISTER_RDMA, call_grant(a, chunk, MEM_READ));
    STEP(CALL_RDMA, call_rdma(c, &a->grants[0], false, CHUNK, SW_POLL));
    STEP(CALL_RDMA, call_rdma(c, &a->grants[0], false, 0, SW_NOTIFY));
    DO(end_of(c, op, NULL));
    DO(end_of(c, op + 1, NULL));
    STEP(CALL_RDMA, call_rdma(c, &a->grants[1], true, CHUNK, SW_NOTIFY));
    DO(end_of(c, op + 2, NULL));
    if (pattern_check(chunk_of(c, op + 2), CHUNK, key_of(c, 1000)) >= 0)
        complain("what an RDMA write wrote an RDMA read does not find");
    DO(revokes(a));
    STEP(CALL_REGISTER_RDMA, call_grant(c, chunk, MEM_READWRITE)); /* a window for the second time */
    DO(revokes(c));
    return true;
}

/* To this same process (8.10). The receives that were pending succeed with 0 bytes; the peer's stay. */
static bool moves_itself(struct party *c, struct party *a)
{
    DWORD token = 0, bytes = 1;
    struct party old = {.c = c->c};

    STEP(CALL_DUPLICATE, call_duplicate(c, &token));
    DO(end_of(c, 3, &bytes));
    if (bytes != 0)
        complain("a receive of a socket that moved has %u bytes", (unsigned)bytes);
    c->registration = NULL;
    c->is_connected = false;
    STEP(CALL_ADOPT, call_socket(c, token));
    c->is_connected = true;
    STEP(CALL_CLOSE, call_close(&old));
    STEP(CALL_REGISTER, call_register(c));
    c->ops = 0;
    STEP(CALL_RECV, call_recv(c, SW_NOTIFY, false));
    STEP(CALL_RECV, call_recv(a, SW_NOTIFY, false));
    STEP(CALL_SEND, call_send(c, 77, key_of(c, 3), SW_NOTIFY, false));
    DO(received(a, a->ops - 1, 77, key_of(c, 3)));
    STEP(CALL_SEND, call_send(a, 78, key_of(a, 3), SW_NOTIFY, false));
    DO(received(c, 0, 78, key_of(a, 3)));
    DO(end_of(c, 1, NULL));
    DO(end_of(a, a->ops - 1, NULL));
    return true;
}

static bool moves_listener(struct party *l, struct party *to)
{
    DWORD token = 0;

    STEP(CALL_DUPLICATE, call_duplicate(l, &token));
    STEP(CALL_ADOPT, call_socket(to, token));
    to->c.local = l->c.local;
    STEP(CALL_CLOSE, call_close(l));
    STEP(CALL_EVENT_SELECT, call_select(to, FD_ACCEPT));
    return true;
}

static bool gives_back(struct party *p)
{
    DO(revokes(p));
    if (p->registration != NULL)
        STEP(CALL_DEREGISTER, sw_deregister(&p->c, p->registration));
    p->registration = NULL;
    return true;
}

static bool story(void)
{
    DO(start());
    DO(listens(&sc.listener));
    DO(connects(&sc.listener, &sc.connector, &sc.acceptor));
    DO(greets(&sc.connector, &sc.acceptor));
    DO(floods(&sc.connector, &sc.acceptor));
    DO(moves_memory(&sc.connector, &sc.acceptor));
    DO(moves_itself(&sc.connector, &sc.acceptor));
    DO(moves_listener(&sc.listener, &sc.moved_listener));
    DO(connects(&sc.moved_listener, &sc.second_connector, &sc.second_acceptor));
    DO(greets(&sc.second_connector, &sc.second_acceptor));
    return true;
}

/* ---- clearing away ---- */

static void check_over_after_close(struct party *p)
{
    uint64_t deadline = pal_now_ns() + (uint64_t)WAIT_MS * 1000000u;

    while (sw_handle_is_open(p->c.handle) && pal_now_ns() < deadline)
        pal_sleep_ms(1);
    if (sw_handle_is_open(p->c.handle))
        complain("%s: WPUCloseSocketHandle did not come", p->name);
    for (unsigned i = 0; i < p->ops; i++) {
        int error = 0;
        if (!sw_overlapped_result(&p->ov[i], NULL, &error))
            complain("%s: operation %u never ended", p->name, i);
        else if (!p->is_over[i] && error != WSA_OPERATION_ABORTED &&
                 !fault_is_allowed(CALL_COMPLETION, error))
            complain("%s: operation %u ended with %s", p->name, i, sw_error_name(error));
    }
}

static void close_party(struct party *p)
{
    if (!p->is_open)
        return;
    pal_store_release(&current_step, (uint64_t)(uintptr_t) "closing");
    judge(CALL_CLOSE, call_close(p), p->name);
    check_over_after_close(p);
}

/* Its peer is gone: what is pending ends by itself, then all memory can be given back although the
 * connection is dead. */
static void outlive(struct party *p)
{
    if (!p->is_open)
        return;
    pal_store_release(&current_step,
                      (uint64_t)(uintptr_t) "waiting for what is pending after the peer has closed");
    for (unsigned i = 0; p->is_connected && i < p->ops; i++)
        if (!p->is_over[i])
            judge(CALL_COMPLETION, ended(p, i, NULL), p->name);
    pal_store_release(&current_step, (uint64_t)(uintptr_t) "giving memory back");
    (void)gives_back(p);
    close_party(p);
}

static void clear_away(void)
{
    char text[1024];
    unsigned violations;

    close_party(&sc.connector);
    outlive(&sc.acceptor);
    close_party(&sc.second_connector);
    outlive(&sc.second_acceptor);
    close_party(&sc.listener);
    close_party(&sc.moved_listener);
    if (sc.provider == NULL)
        return;
    if (sw_open_handles(sc.provider) != 0)
        complain("%u switch handles are open", sw_open_handles(sc.provider));
    pal_store_release(&current_step, (uint64_t)(uintptr_t) "unloading");
    violations = sw_unload(sc.provider, text, sizeof text);
    sc.provider = NULL;
    if (violations != 0)
        complain("%u contract violations: %s", violations, text);
}

static void check_nothing_left(void)
{
    struct usage now;

    pal_store_release(&current_step, (uint64_t)(uintptr_t) "looking for what is left");
    sc.out->fired = ct.loop->fault_fired();
    if (sc.out->fired != 0)
        snprintf(sc.out->fired_op, sizeof sc.out->fired_op, "%s", ct.loop->fault_fired_last());
    ct.loop->fault_clear();
    if (!usage_back_at(ct.loop, &sc.at_start, WAIT_MS))
        complain("threads, files, records or objects of the backend are left (see above)");
    usage_take(ct.loop, &now);
    if (now.loop_violations != 0)
        complain("the rules of the verbs backend were broken %u times (see above)", now.loop_violations);
}

/* ---- running ---- */

static void limit_files(rlim_t most, rlim_t *before)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        exit(2);
    if (before != NULL)
        *before = limit.rlim_cur;
    limit.rlim_cur = most;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        exit(2);
}

static void party_reset(struct party *p, const char *name)
{
    uint8_t *memory = p->memory;
    WSAEVENT event = p->event;

    memset(p, 0, sizeof *p);
    p->memory = memory;
    p->event = event;
    p->name = name;
    sw_event_reset(event);
}

static void party_init(struct party *p)
{
    p->memory = pal_pages_alloc(MEMORY_BYTES);
    p->event = sw_event_create(true, false);
    if (p->memory == NULL || p->event == WSA_INVALID_EVENT) {
        fprintf(stderr, "out of memory\n");
        exit(2);
    }
}

void scenario_init(void)
{
    struct party *all[] = {&sc.listener,       &sc.connector,        &sc.acceptor,
                           &sc.moved_listener, &sc.second_connector, &sc.second_acceptor};

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        party_init(all[i]);
    if (sw_parse_address(ct.address, &sc.here) != 0 || sw_parse_address(ct.other_address, &sc.other) != 0)
        exit(2);
    sc.port = (uint16_t)(20000u +
                         pal_process_id() % 10000u * 4u); /* real ports: another run may go on beside */
    usage_take(ct.loop, &sc.at_start);
}

unsigned scenario_files(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) !=
        0) /* where there is no such limit, the test ends here as skipped */
        exit(2);
    return sc.at_start.fds;
}

void scenario_run(bool retries, unsigned files, struct scenario_result *out)
{
    rlim_t before = 0;

    memset(out, 0, sizeof *out);
    out->failed = CALL_COUNT;
    sc.out = out;
    sc.retries = retries;
    sc.provider = NULL;
    sc.port = (uint16_t)(sc.port < 60000 ? sc.port + 4 : 20000);
    party_reset(&sc.listener, "listener");
    party_reset(&sc.connector, "connector");
    party_reset(&sc.acceptor, "acceptor");
    party_reset(&sc.moved_listener, "moved listener");
    party_reset(&sc.second_connector, "second connector");
    party_reset(&sc.second_acceptor, "second acceptor");
    if (files != 0)
        limit_files(files, &before);
    out->is_complete = story();
    clear_away();
    if (files != 0)
        limit_files(before, NULL);
    check_nothing_left();
}
