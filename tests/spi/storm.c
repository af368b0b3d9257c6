/* storm.c - any call, in any state, by several threads at once on the same few sockets: nothing crashes or hangs, every operation
 * ends, no contract with Ws2_32 is broken. What each call answers is other groups' affair. The seed is printed; WSD_TEST_SEED
 * repeats one, as far as threads repeat themselves. */
#include "sp.h"

enum { THREADS = 3, SOCKETS = 5, OPERATIONS = 32, STORM_MS = 1500, BYTES = 512 };

struct storm_op {
    WSAOVERLAPPED ov;
    char data[BYTES];
};

static struct {
    pal_atomic_u64 sockets[SOCKETS]; /* SOCKETs; any thread closes, replaces and uses any */
    WSD_SOCKADDR_IN at;              /* a listener that stays */
    sp_accept_ex_fn accept_ex;
    sp_connect_ex_fn connect_ex;
    sp_disconnect_ex_fn disconnect_ex;
    uint64_t end_ns;
} storm;

struct storm_thread {
    struct pal_thread *thread;
    uint64_t random;
    uint64_t calls;
    struct storm_op ops[OPERATIONS]; /* each used again only when it is over */
};
static struct storm_thread threads[THREADS];

static uint32_t draw(struct storm_thread *t, uint32_t below)
{
    t->random += 0x9E3779B97F4A7C15u; /* splitmix64 */
    uint64_t x = t->random;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return (uint32_t)(((x ^ x >> 31) >> 32) * below >> 32);
}

static SOCKET some_socket(struct storm_thread *t)
{
    return (SOCKET)pal_load_acquire(&storm.sockets[draw(t, SOCKETS)]);
}

static bool is_over(const struct storm_op *o)
{
    DWORD bytes;
    int error;

    return sw_overlapped_result(&o->ov, &bytes, &error);
}

/* NULL: that one is under way. */
static struct storm_op *some_op(struct storm_thread *t)
{
    struct storm_op *o = &t->ops[draw(t, OPERATIONS)];

    if (!is_over(o))
        return NULL;
    memset(&o->ov, 0, sizeof(o->ov));
    return o;
}

static void replace(struct storm_thread *t, SOCKET by)
{
    INT error = 0;
    SOCKET old = (SOCKET)pal_swap_acq_rel(&storm.sockets[draw(t, SOCKETS)], (uint64_t)by);
    WSD_LINGER hard = {1, 0}; /* thousands of ports at rest would be in the way of other tests */
    ULONG on = 1;
    DWORD returned = 0;

    (void)sp.procs->lpWSPSetSockOpt(by, WS_SOL_SOCKET, WS_SO_LINGER, (const char *)&hard, sizeof(hard),
                                    &error);
    (void)sp.procs->lpWSPIoctl(by, WS_FIONBIO, &on, sizeof(on), NULL, 0, &returned, NULL, NULL, NULL, &error);
    (void)sp.procs->lpWSPCloseSocket(old, &error);
}

static void make_one(struct storm_thread *t)
{
    INT error = 0;
    SOCKET s = sp.procs->lpWSPSocket(WS_AF_INET, draw(t, 5) == 0 ? WS_SOCK_DGRAM : WS_SOCK_STREAM, 0, NULL, 0,
                                     WSA_FLAG_OVERLAPPED, &error);

    if (s != INVALID_SOCKET)
        replace(t, s);
}

/* A call that was refused leaves nothing to wait for, and its OVERLAPPED says what it likes. */
static void note_answer(struct storm_op *o, int error)
{
    if (o != NULL && error != 0 && error != WSA_IO_PENDING)
        memset(&o->ov, 0, sizeof(o->ov));
}

static void transfer(struct storm_thread *t, SOCKET s)
{
    struct storm_op *o = draw(t, 2) == 0 ? some_op(t) : NULL;
    WSAOVERLAPPED *ov = o != NULL ? &o->ov : NULL;
    static PAL_THREAD_LOCAL char own[BYTES];
    WSABUF buffer = {draw(t, BYTES + 1), o != NULL ? o->data : own};
    DWORD done = 0, flags = draw(t, 8) == 0 ? WS_MSG_PEEK : 0, urgent = draw(t, 16) == 0 ? WS_MSG_OOB : 0;
    INT error = 0;
    int result = draw(t, 2) == 0 ? sp.procs->lpWSPSend(s, &buffer, 1, &done, urgent, ov, NULL, NULL, &error)
                                 : sp.procs->lpWSPRecv(s, &buffer, 1, &done, &flags, ov, NULL, NULL, &error);

    note_answer(o, result == SOCKET_ERROR ? error : 0);
}

static void extension(struct storm_thread *t, SOCKET s)
{
    struct storm_op *o = some_op(t);
    DWORD done = 0;
    BOOL is_good;

    if (o == NULL)
        return;
    switch (draw(t, 3)) {
    case 0:
        is_good = storm.accept_ex(s, some_socket(t), o->data, 0, SP_ACCEPT_ROOM, SP_ACCEPT_ROOM, &done,
                                  &o->ov);
        break;
    case 1:
        is_good = storm.connect_ex(s, (const WSD_SOCKADDR *)&storm.at, sizeof(storm.at), NULL, 0, &done,
                                   &o->ov);
        break;
    default: is_good = storm.disconnect_ex(s, &o->ov, draw(t, 2) == 0 ? SP_REUSE_SOCKET : 0, 0); break;
    }
    note_answer(o, is_good ? 0 : sp.last_error());
}

static void connecting(struct storm_thread *t, SOCKET s)
{
    WSD_SOCKADDR_IN any = storm.at;
    INT error = 0;
    SOCKET accepted;

    any.sin_port = 0;
    switch (draw(t, 5)) {
    case 0: (void)sp.procs->lpWSPBind(s, (const WSD_SOCKADDR *)&any, sizeof(any), &error); break;
    case 1: (void)sp.procs->lpWSPListen(s, 1 + (int)draw(t, 3), &error); break;
    case 2:
    case 3:
        (void)sp.procs->lpWSPConnect(s, (const WSD_SOCKADDR *)&storm.at, sizeof(storm.at), NULL, NULL, NULL,
                                     NULL, &error);
        break;
    default:
        accepted = sp.procs->lpWSPAccept(s, NULL, NULL, NULL, 0, &error);
        if (accepted != INVALID_SOCKET)
            replace(t, accepted);
        break;
    }
}

static void asking(struct storm_thread *t, SOCKET s)
{
    WSD_FD_SET set = {.fd_count = 1, .fd_array = {s}};
    WSD_TIMEVAL none = {0, 0};
    WSD_SOCKADDR_STORAGE name;
    WSANETWORKEVENTS events;
    WSD_LINGER linger = {(USHORT)(draw(t, 16) != 0), 0};
    INT bytes = sizeof(name), error = 0;

    switch (draw(t, 6)) {
    case 0: (void)sp.procs->lpWSPSelect(0, &set, NULL, NULL, &none, &error); break;
    case 1: (void)sp.procs->lpWSPGetSockName(s, (WSD_SOCKADDR *)&name, &bytes, &error); break;
    case 2: (void)sp.procs->lpWSPGetPeerName(s, (WSD_SOCKADDR *)&name, &bytes, &error); break;
    case 3: (void)sp.procs->lpWSPEnumNetworkEvents(s, NULL, &events, &error); break;
    case 4:
        (void)sp.procs->lpWSPSetSockOpt(s, WS_SOL_SOCKET, WS_SO_LINGER, (const char *)&linger, sizeof(linger),
                                        &error);
        break;
    default: (void)sp.procs->lpWSPShutdown(s, (int)draw(t, 3), &error); break;
    }
}

static void storm_main(void *context)
{
    struct storm_thread *t = context;

    while (pal_now_ns() < storm.end_ns) {
        SOCKET s = some_socket(t);

        switch (draw(t, 16)) {
        case 0: make_one(t); break;
        case 1:
        case 2: extension(t, s); break;
        case 3:
        case 4:
        case 5: asking(t, s); break;
        case 6:
        case 7:
        case 8:
        case 9: connecting(t, s); break;
        default: transfer(t, s); break;
        }
        t->calls++;
    }
}

/* What comes to the listener that stays is taken and dropped, or its backlog would be all that clients meet. */
static void host(SOCKET listener)
{
    while (pal_now_ns() < storm.end_ns) {
        SOCKET s;

        if (sp_accept(listener, &s) == 0) {
            (void)sp_set_linger(s, true, 0);
            (void)sp_close(s);
        } else
            pal_sleep_ms(1);
    }
}

static void find_extensions(SOCKET s)
{
    static const GUID accept_ex = WSAID_ACCEPTEX, connect_ex = WSAID_CONNECTEX,
                      disconnect_ex = WSAID_DISCONNECTEX;

    storm.accept_ex = (sp_accept_ex_fn)sp_extension(s, &accept_ex);
    storm.connect_ex = (sp_connect_ex_fn)sp_extension(s, &connect_ex);
    storm.disconnect_ex = (sp_disconnect_ex_fn)sp_extension(s, &disconnect_ex);
}

static uint64_t seed_of_today(void)
{
    const char *text = getenv("WSD_TEST_SEED");

    return text != NULL ? strtoull(text, NULL, 0) : pal_now_ns();
}

static void any_call_in_any_state_by_several_threads(void **state)
{
    uint64_t seed = seed_of_today(), calls = 0;
    SOCKET listener = sp_listener(64, &storm.at);

    (void)state;
    print_message("seed %llu\n", (unsigned long long)seed);
    find_extensions(listener);
    sp_ok(sp_nonblocking(listener, true));
    memset(threads, 0, sizeof(threads));
    for (unsigned i = 0; i < SOCKETS; i++) {
        SOCKET s = sp_stream();

        sp_ok(sp_nonblocking(s, true));
        pal_store_release(&storm.sockets[i], (uint64_t)s);
    }
    storm.end_ns = pal_now_ns() + STORM_MS * 1000000ull;
    for (unsigned i = 0; i < THREADS; i++) {
        threads[i].random = seed + i;
        threads[i].thread = pal_thread_start(storm_main, &threads[i], "storm");
        assert_non_null(threads[i].thread);
    }
    host(listener);
    for (unsigned i = 0; i < THREADS; i++) {
        pal_thread_join(threads[i].thread);
        calls += threads[i].calls;
    }
    for (unsigned i = 0; i < SOCKETS; i++)
        (void)sp_close((SOCKET)pal_load_acquire(&storm.sockets[i]));
    sp_ok(sp_close(listener));
    for (unsigned i = 0; i < THREADS; i++)
        for (unsigned k = 0; k < OPERATIONS; k++)
            sp_until(is_over(&threads[i].ops[k])); /* closing ends what was under way */
    print_message("%llu calls\n", (unsigned long long)calls);
    assert_true(calls > 0);
}

int sp_storm(void)
{
    const struct CMUnitTest tests[] = {sp_test(any_call_in_any_state_by_several_threads)};

    return cmocka_run_group_tests_name("storm", tests, NULL, NULL);
}
