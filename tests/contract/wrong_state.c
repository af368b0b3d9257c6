/* wrong_state.c - every call in every state of a socket, and calls at random: a documented answer each
 * time, never a crash.
 * Source: issue section 10; contract 8.12 (states), 4.x (codes). */
#include "ct.h"

enum ws_state { CREATED, BOUND, LISTENING, CONNECTING, CONNECTED, BROKEN, FAILED, MOVED, STATES };

static const char *const state_names[STATES] = {"CREATED",   "BOUND",  "LISTENING", "CONNECTING",
                                                "CONNECTED", "BROKEN", "FAILED",    "MOVED"};

struct subject {
    struct fixture *f;
    struct sw_companion *c; /* NULL when listening */
    struct sw_listener *l;
    struct sw_companion *peer;
    SOCKET s;
    const WSPPROC_TABLE *procs; /* of the instance that s belongs to */
    const struct sw_extensions *ext;
};

static void make(struct fixture *f, enum ws_state state, struct subject *x)
{
    WSD_SOCKADDR_IN nobody = ct_at(f->here, ct_port());
    WSAPROTOCOL_INFOW info;

    memset(x, 0, sizeof *x);
    x->f = f;
    switch (state) {
    case CREATED: x->c = ct_socket(f); break;
    case BOUND: x->c = ct_bound(f); break;
    case LISTENING: x->l = ct_listen(f, 5); break;
    case CONNECTING: x->c = ct_start_connect(f, ct_listen(f, 5)); break;
    case CONNECTED: ct_connect(f, &x->c, &x->peer); break;
    case BROKEN: {
        struct ct_end end;
        ct_connect(f, &x->c, &x->peer);
        ct_end_init(f, &end, x->c, 64);
        ct_close(f, x->peer);
        x->peer = NULL;
        ct_sees_reset(&end);
        break;
    }
    case FAILED:
        ct_ok(sw_connect_start(f->provider, &f->other, &nobody, NULL, &x->c, NULL));
        ct_adopt_companion(f, x->c);
        assert_true(sw_connect_finish(x->c, ct.wait_ms, NULL) != 0);
        break;
    case MOVED:
        ct_connect(f, &x->c, &x->peer);
        ct_ok(sw_duplicate(x->c, pal_process_id(), &info));
        break;
    case STATES: break;
    }
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): every case makes one of them or fails */
    x->s = x->l != NULL ? x->l->descriptor : x->c->descriptor;
    x->procs = x->l != NULL ? x->l->procs : x->c->procs;
    x->ext = x->l != NULL ? sw_extensions(x->l->provider) : x->c->ext;
}

/* Run fn in every state; its answer must be among the codes that `allowed` lists for the state (0 ends
 * each list). -1 stands for success. */
struct row {
    const char *name;
    int (*fn)(struct subject *x);
    int allowed[STATES][8];
};

#define OK (-1)
#define IV WSAEINVAL
#define NC WSAENOTCONN
#define OPEN_STATES_NOT_CONNECTED                                                                            \
    [CREATED] = {NC}, [BOUND] = {NC}, [LISTENING] = {NC}, [CONNECTING] = {NC},                               \
    [FAILED] = {NC, WSAECONNRESET, IV}

static int do_bind(struct subject *x)
{
    WSD_SOCKADDR_IN at = ct_at(x->f->other, ct_port());
    INT error = 0;

    return x->procs->lpWSPBind(x->s, (WSD_SOCKADDR *)&at, sizeof at, &error) == 0 ? OK : error;
}

static int do_listen(struct subject *x)
{
    INT error = 0;

    return x->procs->lpWSPListen(x->s, 5, &error) == 0 ? OK : error;
}

static int do_connect(struct subject *x)
{
    WSD_SOCKADDR_IN to = ct_listen(x->f, 5)->local;
    INT error = 0;

    return x->procs->lpWSPConnect(x->s, (WSD_SOCKADDR *)&to, sizeof to, NULL, NULL, NULL, NULL, &error) == 0
               ? OK
               : error;
}

static int do_accept(struct subject *x)
{
    INT error = 0;

    return x->procs->lpWSPAccept(x->s, NULL, NULL, ct_accept_all, 0, &error) != INVALID_SOCKET ? OK : error;
}

static int do_event_select(struct subject *x)
{
    INT error = 0;

    return x->procs->lpWSPEventSelect(x->s, ct_event(x->f, true), FD_ACCEPT | FD_CONNECT, &error) == 0
               ? OK
               : error;
}

static int do_enum(struct subject *x)
{
    WSANETWORKEVENTS events;
    INT error = 0;

    return x->procs->lpWSPEnumNetworkEvents(x->s, NULL, &events, &error) == 0 ? OK : error;
}

static int do_send(struct subject *x)
{
    static WSAOVERLAPPED ov;
    static char byte;
    WSABUF piece = {0, &byte}; /* nothing to register, so that only the state can be wrong */
    DWORD bytes;
    INT error = 0;

    memset(&ov, 0, sizeof ov);
    ov.hEvent = (HANDLE)1;
    return x->procs->lpWSPSend(x->s, &piece, 1, &bytes, 0, &ov, NULL, NULL, &error) == 0 ? OK : error;
}

static int do_recv(struct subject *x)
{
    static WSAOVERLAPPED ov;
    static char byte;
    WSABUF piece = {0, &byte};
    DWORD bytes, flags = 0;
    INT error = 0;

    memset(&ov, 0, sizeof ov);
    ov.hEvent = (HANDLE)1;
    return x->procs->lpWSPRecv(x->s, &piece, 1, &bytes, &flags, &ov, NULL, NULL, &error) == 0 ? OK : error;
}

static int do_register(struct subject *x)
{
    void *memory = ct_memory(x->f, 4096);
    INT error = 0;

    return x->ext->register_memory(x->s, memory, 4096, MEM_READ, &error) != NULL ? OK : error;
}

static int do_register_rdma(struct subject *x)
{
    void *memory = ct_memory(x->f, 4096);
    BYTE descriptor[SW_DESCRIPTOR_MAX];
    DWORD length = sizeof descriptor;
    INT error = 0;

    return x->ext->register_rdma_memory(x->s, memory, 4096, MEM_READ, descriptor, &length, &error) == 0
               ? OK
               : error;
}

static int do_deregister(struct subject *x)
{
    INT error = 0;

    return x->ext->deregister_memory(x->s, (HANDLE)(uintptr_t)4711, &error) == 0 ? OK : error;
}

static int do_write(struct subject *x)
{
    static WSAOVERLAPPED ov;
    BYTE descriptor[24] = {0};
    DWORD bytes;
    INT error = 0;

    memset(&ov, 0, sizeof ov);
    ov.hEvent = (HANDLE)1;
    return x->ext->rdma_write(x->s, NULL, 0, descriptor, sizeof descriptor, 0, &bytes, 0, &ov, NULL, NULL,
                              &error) == 0
               ? OK
               : error;
}

static int do_duplicate(struct subject *x)
{
    WSAPROTOCOL_INFOW info;
    INT error = 0;

    return x->procs->lpWSPDuplicateSocket(x->s, pal_process_id(), &info, &error) == 0 ? OK : error;
}

static int do_get_option(struct subject *x)
{
    DWORD value;
    INT bytes = sizeof value, error = 0;

    return x->procs->lpWSPGetSockOpt(x->s, WS_SOL_SOCKET, WS_SO_MAX_MSG_SIZE, (char *)&value, &bytes,
                                     &error) == 0
               ? OK
               : error;
}

static int do_set_option(struct subject *x)
{
    int on = 1;
    INT error = 0;

    return x->procs->lpWSPSetSockOpt(x->s, WS_SOL_SOCKET, WS_SO_KEEPALIVE, (char *)&on, sizeof on, &error) ==
                   0
               ? OK
               : error;
}

static int do_ioctl(struct subject *x)
{
    _Alignas(16) char room[2048];
    DWORD bytes;
    INT error = 0;

    return x->procs->lpWSPIoctl(x->s, SIO_ADDRESS_LIST_QUERY, NULL, 0, room, sizeof room, &bytes, NULL, NULL,
                                NULL, &error) == 0
               ? OK
               : error;
}

#define ANYTHING_MOVED [MOVED] = {IV, NC, WSAENOTSOCK, WSAEISCONN, WSAEOPNOTSUPP, WSAECONNRESET}
#define EVERYWHERE_FINE                                                                                      \
    [CREATED] = {OK}, [BOUND] = {OK}, [LISTENING] = {OK}, [CONNECTING] = {OK}, [CONNECTED] = {OK},           \
    [BROKEN] = {OK}, [FAILED] = {OK}, [MOVED] = {OK, IV, WSAENOTSOCK}

static const struct row rows[] = {
    {"WSPBind",
     do_bind,
     {[CREATED] = {OK},
      [BOUND] = {IV},
      [LISTENING] = {IV},
      [CONNECTING] = {IV},
      [CONNECTED] = {IV},
      [BROKEN] = {IV},
      [FAILED] = {IV},
      ANYTHING_MOVED}},
    {"WSPListen",
     do_listen,
     {[CREATED] = {IV},
      [BOUND] = {OK},
      [LISTENING] = {OK},
      [CONNECTING] = {IV, WSAEISCONN},
      [CONNECTED] = {WSAEISCONN},
      [BROKEN] = {WSAEISCONN, IV},
      [FAILED] = {IV, WSAEISCONN},
      ANYTHING_MOVED}},
    {"WSPConnect",
     do_connect,
     {[CREATED] = {IV, WSAEWOULDBLOCK, WSAEADDRNOTAVAIL},
      [BOUND] = {WSAEWOULDBLOCK},
      [LISTENING] = {IV},
      [CONNECTING] = {WSAEALREADY},
      [CONNECTED] = {WSAEISCONN},
      [BROKEN] = {WSAEISCONN, IV},
      [FAILED] = {IV, WSAEISCONN},
      ANYTHING_MOVED}},
    {"WSPAccept",
     do_accept,
     {[CREATED] = {IV},
      [BOUND] = {IV},
      [LISTENING] = {WSAEWOULDBLOCK},
      [CONNECTING] = {IV},
      [CONNECTED] = {IV},
      [BROKEN] = {IV},
      [FAILED] = {IV},
      ANYTHING_MOVED}},
    {"WSPEventSelect",
     do_event_select,
     {[CREATED] = {OK, IV},
      [BOUND] = {OK},
      [LISTENING] = {OK},
      [CONNECTING] = {OK},
      [CONNECTED] = {OK, IV},
      [BROKEN] = {OK, IV},
      [FAILED] = {OK, IV},
      [MOVED] = {OK, IV, WSAENOTSOCK}}},
    {"WSPEnumNetworkEvents",
     do_enum,
     {[CREATED] = {OK, IV},
      [BOUND] = {OK},
      [LISTENING] = {OK},
      [CONNECTING] = {OK},
      [CONNECTED] = {OK},
      [BROKEN] = {OK},
      [FAILED] = {OK},
      [MOVED] = {OK, IV, WSAENOTSOCK}}},
    {"WSPSend",
     do_send,
     {OPEN_STATES_NOT_CONNECTED, [CONNECTED] = {WSA_IO_PENDING},
      [BROKEN] = {WSAECONNRESET, NC, WSA_IO_PENDING}, ANYTHING_MOVED}},
    {"WSPRecv",
     do_recv,
     {OPEN_STATES_NOT_CONNECTED, [CONNECTED] = {WSA_IO_PENDING},
      [BROKEN] = {WSAECONNRESET, NC, WSA_IO_PENDING}, ANYTHING_MOVED}},
    {"WSPRdmaWrite",
     do_write,
     {OPEN_STATES_NOT_CONNECTED, [CONNECTED] = {IV, WSA_IO_PENDING}, [BROKEN] = {WSAECONNRESET, NC, IV},
      ANYTHING_MOVED}},
    {"WSPRegisterMemory",
     do_register,
     {OPEN_STATES_NOT_CONNECTED, [CONNECTED] = {OK}, [BROKEN] = {OK, NC, WSAECONNRESET}, ANYTHING_MOVED}},
    {"WSPRegisterRdmaMemory",
     do_register_rdma,
     {OPEN_STATES_NOT_CONNECTED, [CONNECTED] = {OK}, [BROKEN] = {OK, NC, WSAECONNRESET}, ANYTHING_MOVED}},
    {"WSPDeregisterMemory",
     do_deregister,
     {[CREATED] = {IV, NC},
      [BOUND] = {IV, NC},
      [LISTENING] = {IV, NC},
      [CONNECTING] = {IV, NC},
      [CONNECTED] = {IV},
      [BROKEN] = {IV},
      [FAILED] = {IV, NC},
      ANYTHING_MOVED}},
    {"WSPDuplicateSocket",
     do_duplicate,
     {[CREATED] = {IV},
      [BOUND] = {IV},
      [LISTENING] = {OK},
      [CONNECTING] = {IV},
      [CONNECTED] = {OK},
      [BROKEN] = {IV},
      [FAILED] = {IV},
      [MOVED] = {IV, WSAENOTSOCK}}},
    {"WSPGetSockOpt", do_get_option, {EVERYWHERE_FINE}},
    {"WSPSetSockOpt", do_set_option, {EVERYWHERE_FINE}},
    {"WSPIoctl", do_ioctl, {EVERYWHERE_FINE}},
};

static void every_call_in_every_state_gives_a_documented_answer(void **state)
{
    struct fixture *f = *state;
    unsigned wrong = 0;

    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++)
        for (int st = 0; st < STATES; st++) {
            struct subject x;
            bool is_allowed = false;
            make(f, (enum ws_state)st, &x);
            int got = rows[r].fn(&x);
            for (int i = 0; i < 8 && rows[r].allowed[st][i] != 0; i++)
                is_allowed |= rows[r].allowed[st][i] == got;
            if (!is_allowed) {
                print_error("%s in state %s: %s\n", rows[r].name, state_names[st],
                            got == OK ? "success" : sw_error_name(got));
                wrong++;
            }
            ct_close_all(f);
        }
    assert_int_equal(wrong, 0);
}

/* ---- at random ---- */

struct random {
    uint64_t x;
};

static uint32_t next(struct random *r, uint32_t below)
{
    r->x = r->x * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(r->x >> 33) % below;
}

struct garden { /* what the random calls pick from */
    struct sw_provider
        *providers[2]; /* sockets with even numbers belong to the first, with odd ones to the second */
    SOCKET sockets[16];
    uint8_t *memory;
    HANDLE handles[16];
    struct sw_rdma_descriptor descriptors[8];
    WSAOVERLAPPED *ovs; /* each used once: a pending one must not be used again */
    unsigned next_ov;
    WSAEVENT events[4];
};

static void random_call(struct fixture *f, struct garden *g, struct random *r)
{
    SOCKET *slot = &g->sockets[next(r, 16)], s = *slot;
    const unsigned odd = (unsigned)(slot - g->sockets) % 2;
    const WSPPROC_TABLE *procs = sw_procs(g->providers[odd]);
    const struct sw_extensions *ext = sw_extensions(g->providers[odd]);
    WSD_SOCKADDR_IN name = ct_at(next(r, 2) ? f->here : f->other, (uint16_t)(22000 + next(r, 4)));
    WSABUF pieces[4];
    WSABUFEX ex[4];
    DWORD bytes, flags = next(r, 8) == 0 ? next(r, 16) : 0;
    DWORD count = next(r, 5);
    INT error = 0, length = next(r, 8) == 0 ? (INT)next(r, 20) : (INT)sizeof name;
    WSAOVERLAPPED *ov = &g->ovs[g->next_ov];
    struct sw_rdma_descriptor *d = &g->descriptors[next(r, 8)];
    WSANETWORKEVENTS events;
    _Alignas(16) char room[512];

    count = count == 4 ? 3 : count;
    for (int i = 0; i < 4; i++) {
        DWORD n = next(r, 8) == 0 ? 100000 : next(r, 300);
        CHAR *at = (CHAR *)g->memory + next(r, 60000);
        pieces[i] = (WSABUF){n, at};
        ex[i] = (WSABUFEX){n, at, g->handles[next(r, 16)]};
    }
    ov->hEvent = (HANDLE)(uintptr_t)next(r, 2);
    switch (next(r, 20)) {
    case 0:
        if (next(r, 4) == 0) {
            procs->lpWSPCloseSocket(s, &error);
        }
        break;
    case 1:
    case 2: {
        WSAPROTOCOL_INFOW info = *sw_protocol_info(g->providers[odd]);
        if (procs->lpWSPGetSockOpt(s, WS_SOL_SOCKET, WS_SO_DEBUG, room, &length, &error) == 0 || length > 16)
            break; /* it is open */
        procs->lpWSPCloseSocket(s, &error);
        *slot = procs->lpWSPSocket(WS_AF_INET, WS_SOCK_STREAM, WS_IPPROTO_TCP, &info, 0, WSA_FLAG_OVERLAPPED,
                                   &error);
        break;
    }
    case 3: procs->lpWSPBind(s, (WSD_SOCKADDR *)&name, length, &error); break;
    case 4: procs->lpWSPListen(s, (int)next(r, 3), &error); break;
    case 5:
    case 6: procs->lpWSPConnect(s, (WSD_SOCKADDR *)&name, length, NULL, NULL, NULL, NULL, &error); break;
    case 7:
    case 8: {
        SOCKET a = procs->lpWSPAccept(s, NULL, NULL, ct_accept_all, 0, &error);
        if (a != INVALID_SOCKET) {
            SOCKET *into = &g->sockets[2 * next(r, 8) + odd];
            procs->lpWSPCloseSocket(*into, &error);
            *into = a;
        }
        break;
    }
    case 9: procs->lpWSPEventSelect(s, g->events[next(r, 4)], (LONG)next(r, 0x20), &error); break;
    case 10: procs->lpWSPEnumNetworkEvents(s, g->events[next(r, 4)], &events, &error); break;
    case 11:
        g->handles[next(r, 16)] = ext->register_memory(s, g->memory + next(r, 30000), next(r, 40000),
                                                       next(r, 5), &error);
        break;
    case 12: ext->deregister_memory(s, g->handles[next(r, 16)], &error); break;
    case 13:
        d->length = SW_DESCRIPTOR_MAX;
        ext->register_rdma_memory(s, g->memory + next(r, 30000), next(r, 40000), next(r, 5), d->bytes,
                                  &d->length, &error);
        break;
    case 14: ext->deregister_rdma_memory(s, d->bytes, d->length, &error); break;
    case 15:
    case 16:
        procs->lpWSPSend(s, pieces, count, &bytes, flags, ov, NULL, NULL, &error);
        g->next_ov += error == WSA_IO_PENDING;
        break;
    case 17:
        procs->lpWSPRecv(s, pieces, count, &bytes, &flags, ov, NULL, NULL, &error);
        g->next_ov += error == WSA_IO_PENDING;
        break;
    case 18:
        ext->rdma_write(s, ex, count, d->bytes, d->length, next(r, 5000), &bytes, flags, ov, NULL, NULL,
                        &error);
        g->next_ov += error == WSA_IO_PENDING;
        break;
    default:
        if (ext->rdma_read != NULL) {
            ext->rdma_read(s, ex, count, d->bytes, d->length, next(r, 5000), &bytes, flags, ov, NULL, NULL,
                           &error);
            g->next_ov += error == WSA_IO_PENDING;
        }
        break;
    }
    if (g->next_ov > 0 && next(r, 3) == 0)
        procs->lpWSPGetOverlappedResult(s, &g->ovs[next(r, g->next_ov)], &bytes, FALSE, &flags, &error);
}

static unsigned pending(const struct garden *g)
{
    unsigned count = 0;

    for (unsigned i = 0; i < g->next_ov; i++)
        count += !sw_overlapped_result(&g->ovs[i], NULL, NULL);
    return count;
}

static void random_calls_leak_nothing_and_crash_nothing(void **state)
{
    enum { CALLS = 40000 };
    struct fixture *f = *state;
    const char *text = getenv("WSD_TEST_SEED");
    struct random r = {text != NULL ? strtoull(text, NULL, 0) : pal_now_ns()};
    unsigned calls = ct.is_loop ? CALLS : CALLS / 20;
    struct garden g = {.providers = {f->provider, f->peer}, .memory = ct_memory(f, 262144)};
    INT error = 0;

    print_message("seed %llu (WSD_TEST_SEED)\n", (unsigned long long)r.x);
    g.ovs = ct_memory(f, CALLS * sizeof *g.ovs);
    for (int i = 0; i < 4; i++)
        g.events[i] = ct_event(f, i % 2 == 0);
    for (int i = 0; i < 16; i++)
        g.sockets[i] = INVALID_SOCKET;
    for (unsigned i = 0; i < calls; i++)
        random_call(f, &g, &r);
    for (int i = 0; i < 16; i++)
        if (g.sockets[i] != INVALID_SOCKET)
            sw_procs(g.providers[i % 2])->lpWSPCloseSocket(g.sockets[i], &error);
    /* another thread may be in the middle of the last upcalls (provider/README.md, Threads) */
    (void)ct_until(pending(&g) == 0);
    assert_int_equal(pending(&g), 0); /* everything that was taken has ended */
    struct ct_pair p;
    ct_pair(f, &p, 4096);
    ct_pair_works(&p);
}

static const struct CMUnitTest wrong_state_tests[] = {
    ct_test(every_call_in_every_state_gives_a_documented_answer),
    ct_test(random_calls_leak_nothing_and_crash_nothing),
};
CT_GROUP(wrong_state);
