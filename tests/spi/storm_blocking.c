/* storm_blocking.c - calls that block, in several threads on the same few sockets, while others close, duplicate, select, call off and clean up: every
 * call comes back, every operation ends, no contract with Ws2_32 is broken. Sources: contract 10.1 (function 5 and 6), 10.3; B039, B184, B214.
 * The seed is printed; WSD_TEST_SEED repeats one, as far as threads repeat themselves. */
#include "sp.h"

#include "pal/process.h"

enum { WORKERS = 4, SOCKETS = 6, STORM_MS = 1500, BYTES = 70000, PLACES = 3 };

static struct {
    pal_atomic_u64 sockets[SOCKETS];
    WSD_SOCKADDR_IN at; /* a listener that stays */
    sp_accept_ex_fn accept_ex;
    pal_atomic_u32 is_over, running;
    pal_atomic_u32 is_cleaned; /* operations that were under way are not told any more */
} storm;

struct worker {
    struct pal_thread *thread;
    uint64_t random, calls;
    WSATHREADID id;
    WSAEVENT event;
    WSAOVERLAPPED ov; /* of its routine, and of what it waits for */
    unsigned routines_due, routines_run;
    char data[BYTES], accept_room[2 * SP_ACCEPT_ROOM];
};
static struct worker workers[WORKERS + 1]; /* the last is the closer's */

static uint32_t draw(struct worker *w, uint32_t below)
{
    w->random += 0x9E3779B97F4A7C15u; /* splitmix64 */
    uint64_t x = w->random;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return (uint32_t)(((x ^ x >> 31) >> 32) * below >> 32);
}

static SOCKET some_socket(struct worker *w)
{
    return (SOCKET)pal_load_acquire(&storm.sockets[draw(w, SOCKETS)]);
}

/* --- what there is to be used: made, and taken away --- */

static void replace(struct worker *w, SOCKET by)
{
    (void)sp_close((SOCKET)pal_swap_acq_rel(&storm.sockets[draw(w, SOCKETS)], (uint64_t)by));
}

static void make_one(struct worker *w)
{
    WSD_SOCKADDR_IN any = storm.at;
    SOCKET s;

    if (sp_socket(WS_AF_INET, draw(w, 6) == 0 ? WS_SOCK_DGRAM : WS_SOCK_STREAM, 0, WSA_FLAG_OVERLAPPED, &s) !=
        0)
        return;
    (void)sp_set_linger(s, true, 0); /* thousands of ports at rest would be in the way of other tests */
    any.sin_port = 0;
    switch (draw(w, 4)) {
    case 0: /* a listener */
        (void)sp_bind(s, &any);
        (void)sp_listen(s, 2);
        break;
    case 1: break;
    default: (void)sp_connect(s, &storm.at); break;
    }
    replace(w, s);
}

/* One more handle of a socket in the place of another. */
static void duplicate(struct worker *w)
{
    WSAPROTOCOL_INFOW info;
    INT error = 0;
    SOCKET s;

    if (sp.procs->lpWSPDuplicateSocket(some_socket(w), pal_process_id(), &info, &error) == SOCKET_ERROR)
        return;
    s = sp.procs->lpWSPSocket(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info, 0,
                              WSA_FLAG_OVERLAPPED, &error);
    if (s != INVALID_SOCKET)
        replace(w, s);
}

/* Without it all workers might wait for each other. */
static void closer(void *context)
{
    struct worker *w = context;

    while (pal_load_acquire(&storm.is_over) == 0 || pal_load_acquire(&storm.running) > 0) {
        if (pal_load_acquire(&storm.is_over) == 0)
            make_one(w);
        else
            replace(w, INVALID_SOCKET);
        pal_sleep_ms(draw(w, 3));
    }
}

/* --- calls that block --- */

static void transfer(struct worker *w, SOCKET s)
{
    DWORD bytes = 1 + draw(w, BYTES);

    if (draw(w, 2) == 0)
        (void)sp_send(s, w->data, bytes, 0, NULL);
    else
        (void)sp_recv(s, w->data, bytes, 0, &bytes);
}

static void accept_one(struct worker *w, SOCKET s)
{
    SOCKET accepted;

    if (sp_accept(s, &accepted) == 0)
        replace(w, accepted);
}

static void select_some(struct worker *w)
{
    WSD_FD_SET sets[3];
    INT error = 0;

    memset(sets, 0, sizeof(sets));
    for (unsigned i = 0; i < PLACES; i++)
        sets[draw(w, 3)].fd_array[0] = some_socket(w);
    for (unsigned i = 0; i < 3; i++)
        sets[i].fd_count = sets[i].fd_array[0] != 0 ? 1 : 0;
    (void)sp.procs->lpWSPSelect(0, &sets[0], &sets[1], &sets[2], NULL, &error);
}

/* An operation, and a wait for its end, which another thread's close or call-off may bring. */
static void wait_for_one(struct worker *w, SOCKET s)
{
    WSABUF buffer = {100, w->data};
    DWORD got = 0, flags = 0;
    INT error = 0;
    int result;

    memset(&w->ov, 0, sizeof(w->ov));
    if (draw(w, 4) == 0)
        result = storm.accept_ex(s, some_socket(w), w->accept_room, 0, SP_ACCEPT_ROOM, SP_ACCEPT_ROOM, &got,
                                 &w->ov)
                     ? 0
                     : sp.last_error();
    else
        result = sp.procs->lpWSPRecv(s, &buffer, 1, &got, &flags, &w->ov, NULL, NULL, &error) == 0 ? 0
                                                                                                   : error;
    if (result != WSA_IO_PENDING)
        return;
    /* the handle may be gone, and the operation still end */
    while (!sw_overlapped_result(&w->ov, &got, &result) && pal_load_acquire(&storm.is_cleaned) == 0)
        if (sp_result(s, &w->ov, true, &got) != 0)
            suite_relax();
}

static void CALLBACK routine(DWORD error, DWORD bytes, WSAOVERLAPPED *ov, DWORD flags)
{
    struct worker *w = (struct worker *)ov->hEvent;

    (void)error, (void)bytes, (void)flags;
    w->routines_run++;
}

static void receive_by_routine(struct worker *w, SOCKET s)
{
    WSABUF buffer = {100, w->data};
    DWORD got = 0, flags = 0;
    INT error = 0;
    int result;

    memset(&w->ov, 0, sizeof(w->ov));
    w->ov.hEvent = (HANDLE)w;
    result = sp.procs->lpWSPRecv(s, &buffer, 1, &got, &flags, &w->ov, routine, &w->id, &error);
    if (result == SOCKET_ERROR && error != WSA_IO_PENDING)
        return;
    w->routines_due++;
    while (w->routines_run < w->routines_due && pal_load_acquire(&storm.is_cleaned) == 0)
        (void)sw_alertable_wait(100);
}

/* --- calls that do not --- */

static void others(struct worker *w, SOCKET s)
{
    WSANETWORKEVENTS events;
    INT value = 0, bytes = sizeof(value), error = 0;

    switch (draw(w, 6)) {
    case 0: (void)sp_event_select(s, w->event, (LONG)draw(w, FD_ALL_EVENTS + 1)); break;
    case 1: (void)sp_event_select(s, WSA_INVALID_EVENT, 0); break;
    case 2: (void)sp_enum_events(s, w->event, &events); break;
    case 3: (void)sp.cancel_io(s, NULL, false); break;
    case 4: (void)sp_shutdown(s, (int)draw(w, 3)); break;
    default:
        (void)sp.procs->lpWSPGetSockOpt(s, WS_SOL_SOCKET, WS_SO_ERROR, (char *)&value, &bytes, &error);
        break;
    }
    (void)sp_nonblocking(s, false);
}

static void work(void *context)
{
    struct worker *w = context;

    assert_int_equal(sw_thread_open(&w->id), 0);
    while (pal_load_acquire(&storm.is_over) == 0) {
        SOCKET s = some_socket(w);

        switch (draw(w, 12)) {
        case 0: make_one(w); break;
        case 1: duplicate(w); break;
        case 2:
        case 3: others(w, s); break;
        case 4: accept_one(w, s); break;
        case 5: select_some(w); break;
        case 6:
        case 7: wait_for_one(w, s); break;
        case 8: receive_by_routine(w, s); break;
        default: transfer(w, s); break;
        }
        w->calls++;
    }
    (void)sw_thread_close(&w->id);
    pal_sub_acq_rel(&storm.running, 1u);
}

/* --- the storm --- */

/* Takes what comes and sends a little, so that receives end, too. */
static void host(SOCKET listener, uint64_t end_ns)
{
    char text[100] = "";

    while (pal_now_ns() < end_ns) {
        SOCKET s;

        if (sp_accept(listener, &s) == 0) {
            (void)sp_set_linger(s, true, 0);
            (void)sp_send(s, text, sizeof(text), 0, NULL);
            (void)sp_close(s);
        } else {
            pal_sleep_ms(1);
        }
    }
}

static uint64_t seed_of_today(void)
{
    const char *text = getenv("WSD_TEST_SEED");

    return text != NULL ? strtoull(text, NULL, 0) : pal_now_ns();
}

static void begin(SOCKET *listener)
{
    static const GUID accept_ex = WSAID_ACCEPTEX;
    const uint64_t seed = seed_of_today();

    print_message("seed %llu\n", (unsigned long long)seed);
    *listener = sp_listener(64, &storm.at);
    storm.accept_ex = (sp_accept_ex_fn)sp_extension(*listener, &accept_ex);
    sp_ok(sp_nonblocking(*listener, true));
    memset(workers, 0, sizeof(workers));
    pal_store_release(&storm.is_over, 0u);
    pal_store_release(&storm.is_cleaned, 0u);
    pal_store_release(&storm.running, (uint32_t)WORKERS);
    for (unsigned i = 0; i < SOCKETS; i++)
        pal_store_release(&storm.sockets[i], (uint64_t)sp_stream());
    for (unsigned i = 0; i <= WORKERS; i++) {
        workers[i].random = seed + i;
        workers[i].event = sw_event_create(true, false);
        workers[i].thread = pal_thread_start(i < WORKERS ? work : closer, &workers[i], "storm");
        assert_non_null(workers[i].thread);
    }
}

static void join_all(void)
{
    uint64_t calls = 0;

    pal_store_release(&storm.is_over, 1u);
    for (unsigned i = 0; i <= WORKERS; i++) { /* the watchdog bounds it */
        pal_thread_join(workers[i].thread);
        calls += workers[i].calls;
    }
    print_message("%llu calls\n", (unsigned long long)calls);
}

static void end(SOCKET listener)
{
    join_all();
    for (unsigned i = 0; i < SOCKETS; i++)
        (void)sp_close((SOCKET)pal_load_acquire(&storm.sockets[i]));
    (void)sp_close(listener);
    for (unsigned i = 0; i <= WORKERS; i++)
        sp_ok(sw_event_close(workers[i].event));
}

static void calls_that_block_while_others_close(void **state)
{
    SOCKET listener;

    (void)state;
    begin(&listener);
    host(listener, pal_now_ns() + STORM_MS * UINT64_C(1000000));
    end(listener);
}

/* WSPCleanup "cancels" what is under way (10.1, 5): no call stays inside, and what comes later is told that nothing is started. The next start finds
 * nothing of it. */
static void the_last_cleanup_while_calls_block(void **state)
{
    WSAPROTOCOL_INFOW info = *ws2_protocol_info(sp.ws2, WS2_TCP);
    LPWSPSTARTUP entry = ws2_startup_entry(sp.ws2);
    WSPPROC_TABLE procs;
    SOCKET listener;
    struct sp_pair pair;
    WSPDATA data;
    INT error = 0;

    (void)state;
    for (unsigned round = 0; round < 3; round++) {
        begin(&listener);
        host(listener, pal_now_ns() + STORM_MS / 5 * UINT64_C(1000000));
        sp_ok(sp.procs->lpWSPCleanup(&error) == SOCKET_ERROR ? error : 0);
        pal_store_release(&storm.is_cleaned, 1u);
        end(listener);
        sp_ok(entry(0x0202, &data, &info, *ws2_upcall_table(), &procs));
        sp_pair_open(&pair);
        sp_echo(pair.a, pair.b, round);
        sp_pair_close(&pair);
    }
}

int sp_storm_blocking(void)
{
    const struct CMUnitTest tests[] = {
        sp_test(calls_that_block_while_others_close),
        sp_test(the_last_cleanup_while_calls_block),
    };

    return cmocka_run_group_tests_name("storm_blocking", tests, NULL, NULL);
}
