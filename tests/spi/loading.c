/* loading.c - the library comes and goes: loaded, started, used hard, ended, unloaded, and again; started by several threads at once; left
 * by a process that ends without a word. */
#include "sp.h"

#include <dlfcn.h>

#define ROUNDS  4
#define PAIRS   4u
#define THREADS 4u

/* Unloaded, not only ended: the next sp_load() starts from nothing. */
static void library_is_gone(void)
{
    assert_null(dlopen(sp_env.library, RTLD_NOW | RTLD_NOLOAD));
}

/* --- load, start, use, end, unload, load --- */

/* Overlapped sends of all sizes one way over each pair, and a thread that receives and compares. */
static void use_hard(struct sp_pair pairs[PAIRS])
{
    static struct sp_traffic loads[PAIRS];
    struct sp_reader readers[PAIRS];

    memset(readers, 0, sizeof(readers));
    for (unsigned i = 0; i < PAIRS; i++) {
        sp_pair_open(&pairs[i]);
        readers[i].s = pairs[i].b;
        readers[i].seed = i;
        readers[i].piece_bytes = 30000;
        readers[i].want = sp_traffic_bytes();
        sp_reader_start(&readers[i]);
    }
    for (unsigned i = 0; i < PAIRS; i++)
        sp_ok(sp_traffic_start(&loads[i], pairs[i].a, i, 0));
    for (unsigned i = 0; i < PAIRS; i++)
        sp_ok(sp_traffic_finish(&loads[i]));
    for (unsigned i = 0; i < PAIRS; i++)
        sp_reader_join(&readers[i]);
}

static void load_use_unload_and_again(void **state)
{
    (void)state;
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct sp_pair pairs[PAIRS];
        WSAOVERLAPPED pending = {0};
        char room[10];
        WSABUF buffer = {sizeof(room), room};

        use_hard(pairs);
        sp_pair_close(&pairs[0]); /* the others are open when the end comes, one with a receive under way */
        sp_fails(WSA_IO_PENDING, sp_recv_overlapped(pairs[1].a, &buffer, 1, 0, &pending));
        sp_unload();
        library_is_gone();
        sp_load();
    }
}

/* The routine is code of the application's, but what calls it is the library's, and WSPCleanup waits for nobody's alertable wait. */
static void a_routine_outlives_the_library(void **state)
{
    WSD_SOCKADDR_IN at;
    SOCKET listener = sp_listener(5, &at), s;
    struct second_process p;
    char text[32];

    (void)state;
    sp_process_start(&p, sp_env.is_san ? "on" : "off");
    sw_format_address(&at, text, sizeof(text));
    second_process_order(&p, "connect %s", text);
    sp_ok(sp_accept(listener, &s));
    second_process_answer(&p);
    sp_send_all(s, "hello", 5);
    second_process_tell(&p, "routine");
    second_process_tell(&p, "cleanup"); /* and FreeLibrary */
    assert_string_equal(second_process_tell(&p, "alert"), "1");
    second_process_end(&p);
    sp_ok(sp_close(s));
    sp_ok(sp_close(listener));
}

/* --- several threads --- */

static pal_atomic_u32 gate; /* how many have come to it, of all rounds */

static void stand_together(unsigned round)
{
    const uint64_t end = sp_deadline();

    pal_add_acq_rel(&gate, 1u);
    while (pal_load_acquire(&gate) < (round + 1) * THREADS && pal_now_ns() < end)
        pal_thread_yield();
}

/* All start what nobody has started, use it, and end it. */
static int start_and_end(void *entry)
{
    for (unsigned round = 0; round < 40; round++) {
        WSAPROTOCOL_INFOW info = *ws2_protocol_info(sp.ws2, WS2_TCP);
        LPWSPSTARTUP startup = *(LPWSPSTARTUP *)entry;
        WSPDATA data;
        WSPPROC_TABLE procs;
        INT error = 0;
        SOCKET s;
        int code;

        if (round < 20) /* after that one starts while another's end is under way */
            stand_together(round);
        code = startup(0x0202, &data, &info, *ws2_upcall_table(), &procs);
        if (code != 0)
            return code;
        s = procs.lpWSPSocket(WS_AF_INET, WS_SOCK_STREAM, WS_IPPROTO_TCP, &info, 0, WSA_FLAG_OVERLAPPED,
                              &error);
        if (s == INVALID_SOCKET)
            return error;
        /* with one that does not end, the last clean-up is after the last socket */
        if (procs.lpWSPCloseSocket(s, &error) == SOCKET_ERROR || procs.lpWSPCleanup(&error) == SOCKET_ERROR)
            return error;
    }
    return 0;
}

static void threads_start_at_once(void **state)
{
    struct sp_call calls[THREADS];
    LPWSPSTARTUP entry = ws2_startup_entry(sp.ws2);
    WSAPROTOCOL_INFOW info = *ws2_protocol_info(sp.ws2, WS2_TCP);
    WSPDATA data;
    WSPPROC_TABLE procs;
    INT error = 0;
    struct sp_pair pair;

    (void)state;
    sp_ok(sp.procs->lpWSPCleanup(&error)); /* now it is loaded, and nobody has started it */
    memset(calls, 0, sizeof(calls));
    pal_store_relaxed(&gate, 0u);
    for (unsigned i = 0; i < THREADS; i++)
        sp_call_start(&calls[i], start_and_end, &entry);
    for (unsigned i = 0; i < THREADS; i++)
        sp_ok(sp_call_join(&calls[i]));
    sp_ok(entry(0x0202, &data, &info, *ws2_upcall_table(), &procs));
    sp_pair_open(&pair);
    sp_echo(pair.a, pair.b, 1);
    sp_pair_close(&pair);
}

/* From the file on. */
static int load_and_unload(void *unused)
{
    (void)unused;
    for (unsigned round = 0; round < 5; round++) {
        struct ws2_provider *mine;
        int code;

        stand_together(round);
        code = ws2_load(sp_env.library, &mine, NULL, 0);
        if (code != 0)
            return code;
        (void)ws2_unload(mine, NULL, 0); /* violations are those of all; sp_unload() looks at them */
    }
    return 0;
}

/* The thread sanitizer does not see the loader's lock: two copies of the library, after each other at one place, look to it like one that is shared.
 * So it stays loaded then, and is started by all from the file on. */
#ifdef SP_THREAD_SANITIZER
#define KEEP_LOADED true
#else
#define KEEP_LOADED false
#endif

static void threads_load_at_once(void **state)
{
    struct sp_call calls[THREADS];
    void *kept = KEEP_LOADED ? dlopen(sp_env.library, RTLD_NOW) : NULL;

    (void)state;
    sp_unload();
    memset(calls, 0, sizeof(calls));
    pal_store_relaxed(&gate, 0u);
    for (unsigned i = 0; i < THREADS; i++)
        sp_call_start(&calls[i], load_and_unload, NULL);
    for (unsigned i = 0; i < THREADS; i++)
        sp_ok(sp_call_join(&calls[i]));
    if (kept != NULL)
        dlclose(kept);
    library_is_gone();
    sp_load();
}

/* --- a process that ends without WSPCleanup --- */

/* Whatever it had sent comes, or a part of it; then the end, or a reset. */
static void the_peer_is_told(SOCKET s)
{
    static char data[60000];
    DWORD got = 1;
    int error = 0;

    while (error == 0 && got > 0)
        error = sp_recv(s, data, sizeof(data), 0, &got); /* the watchdog bounds it */
    sp_one_of(error, 0, WSAECONNRESET, WSAECONNABORTED);
}

/* The server of Wine 8 keeps a socket of which a process was just receiving when it ended (one time in ten here); then nobody is told. */
static void the_peer_may_be_told(SOCKET s)
{
    static char data[60000];
    const uint64_t end = pal_now_ns() + 3000000000u;
    DWORD got = 1;
    int error = 0;

    sp_ok(sp_nonblocking(s, true));
    while ((error == 0 && got > 0) || (error == WSAEWOULDBLOCK && pal_now_ns() < end)) {
        error = sp_recv(s, data, sizeof(data), 0, &got);
        if (error == WSAEWOULDBLOCK)
            suite_relax();
    }
    if (error == WSAEWOULDBLOCK)
        print_message("left out: the Wine server has kept the socket of the process that ended\n");
    else
        sp_one_of(error, 0, WSAECONNRESET, WSAECONNABORTED);
}

/* how: "return" from main(), or "quit" without any function of the C library's exit. */
static void process_ends(const char *how)
{
    WSD_SOCKADDR_IN at;
    SOCKET listener = sp_listener(5, &at), s;
    struct second_process p;
    char text[32];
    int status = -1;

    sp_process_start(&p, sp_env.is_san ? "on" : "off");
    sw_format_address(&at, text, sizeof(text));
    second_process_order(&p, "connect %s", text);
    sp_ok(sp_accept(listener, &s));
    second_process_answer(&p);
    sp_carried(s);
    second_process_tell(&p, "busy"); /* sends under way, a thread in a receive, both for ever */
    second_process_order(&p, "%s", how);
    if (POSIX_KILL_KEEPS_SOCKETS)
        the_peer_may_be_told(s);
    else
        the_peer_is_told(s);
    second_process_reap(&p, &status);
    assert_int_equal(status, 0);
    sp_ok(sp_close(s));
    sp_ok(sp_close(listener));
}

static void a_process_that_returns_without_cleanup(void **state)
{
    (void)state;
    process_ends("return");
}

static void a_process_that_quits_without_cleanup(void **state)
{
    (void)state;
    process_ends("quit");
}

int sp_loading(void)
{
    const struct CMUnitTest tests[] = {
        sp_test(load_use_unload_and_again),
        sp_test(a_routine_outlives_the_library),
        sp_test(threads_start_at_once),
        sp_test(threads_load_at_once),
        sp_test(a_process_that_returns_without_cleanup),
        sp_test(a_process_that_quits_without_cleanup),
    };

    return cmocka_run_group_tests_name("loading", tests, NULL, NULL);
}
