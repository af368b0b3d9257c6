/* device.c - the SAN's device goes away, loses an address, its wires, or fails at any call: the application keeps its TCP/IP, gets the right
 * error in bounded time, and never hangs (contract 8.2, 8.1, 4.0). Over the loop backend, whose levers are in the test module wsdprov_loop
 * (tests/contract/prov_loop.h); its address 10.77.0.1 has to be one of this host's, too. */
#include "sp.h"

#include <dlfcn.h>
#include <unistd.h>

#include "prov_loop.h"

static const struct prov_loop_api *loop;
static void *module;
static struct loop_config usual;

static int setup(void **state)
{
    prov_loop_api_fn *api = NULL;

    if (sp_env.is_san && module == NULL) { /* held, so that the backend outlives each load of the switch */
        module = dlopen(sp_env.provider, RTLD_NOW | RTLD_LOCAL);
        if (module != NULL)
            *(void **)&api = dlsym(module, "prov_loop_api");
        loop = api != NULL ? api() : NULL;
    }
    if (loop != NULL) {
        setenv("WSD_BACKEND", "loop+fault", 1);
        loop->reset();
        loop->fault_clear();
        loop->get_config(&usual);
    }
    return sp_setup(state);
}

static int teardown(void **state)
{
    int result;

    if (loop != NULL) {
        loop->set_config(&usual);
        loop->fault_clear();
    }
    result = sp_teardown(state);
    if (loop != NULL && !loop->nothing_alive())
        sp_fail("objects of the backend are left");
    return result;
}
#define device_test(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

static void needs_levers(void)
{
    if (loop == NULL)
        sp_skip("needs the levers of the loop backend");
}

#define expect_lost(code) sp_one_of((code), WSAENETDOWN, WSAECONNABORTED, WSAECONNRESET)

/* --- the device goes --- */

static void its_connections_end_with_an_error(void **state)
{
    struct sp_pair pair, told;
    struct sp_call call;
    struct sp_receiving blocked = {.got = 0};
    WSAOVERLAPPED in[4] = {{.Internal = 0}}, out = {.Internal = 0};
    WSAEVENT event;
    WSANETWORKEVENTS events;
    static char large[4 << 20];
    char data[4][100];
    WSABUF buffer = {sizeof(large), large};
    int error;

    (void)state;
    needs_levers();
    event = sw_event_create(true, false);
    sp_pair_open(&pair);
    sp_pair_open(&told);
    sp_ok(sp_event_select(told.a, event, FD_CLOSE));
    for (unsigned i = 0; i < 4; i++) {
        WSABUF room = {sizeof(data[i]), data[i]};

        sp_fails(WSA_IO_PENDING, sp_recv_overlapped(pair.a, &room, 1, 0, &in[i]));
    }
    sp_started(sp_send_overlapped(pair.a, &buffer, 1, &out)); /* nobody reads */
    blocked.s = told.b;
    sp_call_start(&call, sp_receive_now, &blocked);
    loop->set_device_present(false);
    for (unsigned i = 0; i < 4; i++)
        expect_lost(sp_finish(pair.a, &in[i], NULL));
    sp_one_of(sp_finish(pair.a, &out, NULL), 0, WSAENETDOWN, WSAECONNABORTED, WSAECONNRESET);
    expect_lost(sp_call_join(&call));
    sp_expect_events(told.a, event, FD_CLOSE, &events);
    expect_lost(events.iErrorCode[FD_CLOSE_BIT]);
    error = sp_send(pair.b, "x", 1, 0, NULL);
    sp_one_of(error, WSAENETDOWN, WSAECONNABORTED, WSAECONNRESET, WSAENOTCONN);
    sp_pair_close(&pair);
    sp_pair_close(&told);
    sp_ok(sw_event_close(event));
}

static void new_connections_go_over_tcp(void **state)
{
    WSD_SOCKADDR_IN at;
    SOCKET listener, client, accepted;

    (void)state;
    needs_levers();
    listener = sp_listener(5, &at);
    loop->set_device_present(false);
    for (unsigned i = 0; i < 3; i++) {
        client = sp_stream();
        sp_ok(sp_connect(client, &at));
        sp_ok(sp_accept(listener, &accepted)); /* its TCP/IP half goes on */
        sp_carried_name(client, "tcp");
        sp_carried_name(accepted, "tcp");
        sp_echo(client, accepted, i);
        sp_ok(sp_close(client));
        sp_ok(sp_close(accepted));
    }
    sp_ok(sp_close(listener));
    listener = sp_listener(5, &at); /* one that begins without the device */
    client = sp_stream();
    sp_ok(sp_connect(client, &at));
    sp_ok(sp_accept(listener, &accepted));
    sp_echo(client, accepted, 9);
    sp_ok(sp_close(client));
    sp_ok(sp_close(accepted));
    sp_ok(sp_close(listener));
}

static int accept_now(void *context)
{
    SOCKET *sockets = context; /* listener in, accepted out */

    return sp_accept(sockets[0], &sockets[1]);
}

static void who_waits_in_accept_gets_tcp_arrivals(void **state)
{
    WSD_SOCKADDR_IN at;
    SOCKET sockets[2] = {INVALID_SOCKET, INVALID_SOCKET}, client;
    struct sp_call call;

    (void)state;
    needs_levers();
    sockets[0] = sp_listener(5, &at);
    sp_call_start(&call, accept_now, sockets);
    sp_call_blocks(&call);
    loop->set_device_present(false);
    client = sp_stream();
    sp_ok(sp_connect(client, &at));
    sp_ok(sp_call_join(&call));
    sp_echo(client, sockets[1], 1);
    sp_ok(sp_close(client));
    sp_ok(sp_close(sockets[1]));
    sp_ok(sp_close(sockets[0]));
}

static void a_connect_under_way_falls_back(void **state)
{
    struct loop_config slow;
    WSD_SOCKADDR_IN at;
    SOCKET listener, client, accepted;
    unsigned ready;

    (void)state;
    needs_levers();
    slow = usual;
    slow.connect_delay_ms = 60000;
    loop->set_config(&slow);
    listener = sp_listener(5, &at);
    client = sp_stream();
    sp_ok(sp_nonblocking(client, true));
    sp_fails(WSAEWOULDBLOCK, sp_connect(client, &at));
    sp_ok(sp_select(client, SP_WRITE | SP_EXCEPT, 0, &ready));
    assert_int_equal(ready, 0);
    loop->set_device_present(false);
    sp_ok(sp_select(client, SP_WRITE | SP_EXCEPT, sp_env.wait_ms, &ready));
    assert_int_equal(ready, SP_WRITE);
    sp_carried_name(client, "tcp");
    sp_ok(sp_accept(listener, &accepted));
    sp_ok(sp_nonblocking(client, false));
    sp_echo(client, accepted, 1);
    sp_ok(sp_close(client));
    sp_ok(sp_close(accepted));
    sp_ok(sp_close(listener));
}

/* The same by operations: AcceptEx gets the arrival over TCP/IP, ConnectEx falls back, FD_ACCEPT is told. */
static void operations_under_way_fall_back(void **state)
{
    struct loop_config slow;
    WSD_SOCKADDR_IN at, any = sp_env.here;
    SOCKET listener, into, client, accepted;
    WSAOVERLAPPED accepting = {.Internal = 0}, connecting = {.Internal = 0};
    WSAEVENT event;
    char room[2 * SP_ACCEPT_ROOM], text[] = "first bytes";

    (void)state;
    needs_levers();
    into = sp_stream();
    client = sp_stream();
    event = sw_event_create(true, false);
    slow = usual;
    slow.connect_delay_ms = 60000;
    loop->set_config(&slow);
    listener = sp_listener(5, &at);
    sp_fails(WSA_IO_PENDING, sp_accept_ex(listener, into, room, 0, &accepting));
    sp_ok(sp_bind(client, &any));
    sp_fails(WSA_IO_PENDING, sp_connect_ex(client, &at, text, sizeof(text), &connecting));
    loop->set_device_present(false);
    sp_ok(sp_finish(client, &connecting, NULL));
    sp_ok(sp_finish(listener, &accepting, NULL));
    sp_carried_name(client, "tcp");
    sp_carried_name(into, "tcp");
    sp_recv_all(into, room, sizeof(text));
    assert_memory_equal(room, text, sizeof(text));
    sp_ok(sp_close(client));
    sp_ok(sp_close(into));
    sp_ok(sp_event_select(listener, event, FD_ACCEPT));
    client = sp_stream();
    sp_ok(sp_connect(client, &at));
    sp_expect_events(listener, event, FD_ACCEPT, NULL);
    sp_ok(sp_accept(listener, &accepted));
    sp_ok(sp_close(accepted));
    sp_ok(sp_close(client));
    sp_ok(sp_close(listener));
    sp_ok(sw_event_close(event));
}

static void forced_it_is_an_error(void **state)
{
    WSD_SOCKADDR_IN at;
    SOCKET listener, client;

    (void)state;
    needs_levers();
    sp_unload();
    sp_switch_mode("forced");
    sp_load();
    listener = sp_listener(5, &at);
    loop->set_device_present(false);
    client = sp_stream();
    sp_one_of(sp_connect(client, &at), WSAENETDOWN, WSAEADDRNOTAVAIL, WSAETIMEDOUT);
    sp_ok(sp_close(client));
    sp_ok(sp_close(listener));
}

static bool is_over_san_again(void)
{
    WSD_SOCKADDR_IN at;
    SOCKET listener = sp_listener(5, &at), client = sp_stream(), accepted;
    char name[32] = "";

    sp_ok(sp_connect(client, &at));
    sp_ok(sp_accept(listener, &accepted));
    sp_ok(sp.carried_by(client, name, sizeof(name)));
    sp_echo(client, accepted, 1);
    sp_ok(sp_close(client));
    sp_ok(sp_close(accepted));
    sp_ok(sp_close(listener));
    return strcmp(name, "san") == 0;
}

static void it_comes_back(void **state)
{
    struct sp_pair pair;

    (void)state;
    needs_levers();
    sp_pair_open(&pair);
    loop->set_device_present(false);
    sp_pair_close(&pair);
    assert_false(is_over_san_again());
    loop->set_device_present(true);
    sp_until(is_over_san_again()); /* new listeners and connections; those that live stay where they are */
}

/* --- an address, the wires --- */

static void an_address_goes_and_comes_back(void **state)
{
    (void)state;
    needs_levers();
    assert_true(is_over_san_again());
    loop->set_address_present("10.77.0.1", false);
    assert_false(is_over_san_again());
    loop->set_address_present("10.77.0.1", true);
    sp_until(is_over_san_again());
}

static void wires_that_are_cut(void **state)
{
    static const enum loop_cut_how how[] = {LOOP_CUT_NOTIFY, LOOP_CUT_SILENT};

    (void)state;
    needs_levers();
    for (unsigned i = 0; i < 2; i++) {
        struct sp_pair pair;
        struct sp_call call;
        struct sp_receiving blocked = {.got = 0};
        int error = 0;

        sp_pair_open(&pair);
        blocked.s = pair.a;
        sp_call_start(&call, sp_receive_now, &blocked);
        assert_true(loop->cut(0, how[i]) > 0);
        for (unsigned n = 0; n < 1000 && error == 0; n++) { /* a silent peer is noticed by who sends */
            error = sp_send(pair.a, "x", 1, 0, NULL);
            pal_sleep_ms(error == 0 ? 5 : 0);
        }
        sp_one_of(error, WSAENETDOWN, WSAECONNABORTED, WSAECONNRESET, WSAETIMEDOUT);
        sp_one_of(sp_call_join(&call), WSAENETDOWN, WSAECONNABORTED, WSAECONNRESET, WSAETIMEDOUT);
        sp_pair_close(&pair);
    }
}

/* --- any call of the backend fails --- */

/* More than the threshold of RDMA. What is received has to be what was sent, also when less of it comes. A send that finds no memory is
 * refused, and the connection goes on without those bytes: so the receiver looks at the send, too. */
static int transfer(SOCKET from, SOCKET to)
{
    static char out[100000], in[sizeof(out)];
    WSABUF buffer = {sizeof(out), out};
    WSAOVERLAPPED ov = {.Internal = 0};
    uint64_t end = sp_deadline();
    DWORD have = 0, got = 1, sent = 0;
    int sending, error = 0;

    sp_fill(out, sizeof(out), 3, 0);
    sending = sp_send_overlapped(from, &buffer, 1, &ov);
    if (sending != 0 && sending != WSA_IO_PENDING)
        return sending;
    while (error == 0 && got > 0 && have < sizeof(in)) {
        error = sp_recv(to, in + have, sizeof(in) - have, 0, &got);
        have += error == 0 ? got : 0;
        if (error != WSAEWOULDBLOCK)
            continue;
        sending = sp_result(from, &ov, false, &sent);
        error = sending == 0 || sending == WSA_IO_INCOMPLETE ? 0 : sending;
        got = 1;
        if (pal_now_ns() > end)
            error = WSAETIMEDOUT;
        suite_relax();
    }
    sp_expect_pattern(in, have, 3, 0);
    sending = sp_finish(from, &ov, NULL); /* the same fate, whoever hears of it first */
    return error != 0 ? error : sending;
}

static char plan[64]; /* of this round */

/* What a SAN connection that stood, or was about to, may end with; those of TCP/IP have no reason to. */
static void expect_san_error(const char *step, int error)
{
    static const int allowed[] = {WSAECONNREFUSED, WSAECONNRESET, WSAECONNABORTED, WSAENETDOWN, WSAENOBUFS};

    for (unsigned i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
        if (error == allowed[i])
            return;
    sp_fail("%s: %s ended with %s", plan, step, sw_error_name(error));
}

/* One connection with some bytes. Each step may fail where the SAN connection stood already; before that TCP/IP takes over. */
static void scenario(void)
{
    WSD_SOCKADDR_IN at;
    SOCKET listener = sp_listener(5, &at), client = sp_stream(), accepted = INVALID_SOCKET;
    unsigned ready = 0;
    int error;

    sp_ok(sp_nonblocking(client, true));
    sp_one_of(sp_connect(client, &at), 0, WSAEWOULDBLOCK);
    sp_ok(sp_select(client, SP_WRITE | SP_EXCEPT, sp_env.wait_ms, &ready));
    if (ready !=
        SP_WRITE) { /* the listener's side failed with an answer that TCP/IP would get too, or the connection stood already */
        sp_ok(sp_get_int(client, WS_SOL_SOCKET, WS_SO_ERROR, &error));
        expect_san_error("connecting", error);
        sp_ok(sp_close(client));
        sp_ok(sp_close(listener));
        return;
    }
    sp_ok(sp_nonblocking(client, false));
    sp_ok(sp_nonblocking(listener, true));
    error = WSAEWOULDBLOCK;
    for (unsigned i = 0; i < 200 && error == WSAEWOULDBLOCK; i++) {
        error = sp_accept(listener, &accepted);
        pal_sleep_ms(error == 0 ? 0 : 1);
    }
    /* the other end may have lost it in the moment it stood */
    sp_one_of(error, 0, WSAEWOULDBLOCK, WSAECONNABORTED, WSAENOBUFS);
    if (error == 0) {
        sp_ok(sp_nonblocking(accepted, true));
        error = transfer(client, accepted);
        if (error != 0)
            expect_san_error("the transfer", error);
        sp_ok(sp_close(accepted));
    }
    sp_ok(sp_close(client));
    sp_ok(sp_close(listener));
}

static unsigned fired; /* rounds that met their fault */

/* From the start of the switch to its end. */
static void round_with(const char *operation, unsigned n, const char *what)
{
    char why[256];

    sp_unload();
    snprintf(plan, sizeof(plan), "%s:%u:%s", operation, n, what);
    if (loop->fault_set(plan, why, sizeof(why)) != VB_OK)
        sp_fail("%s", why);
    sp_load(); /* without this provider, if it cannot start */
    scenario();
    fired += loop->fault_fired() != 0 ? 1 : 0;
    loop->fault_clear();
}

static void any_call_may_fail(void **state)
{
    static const char *const operations[] = {
        "open",        "addr_list",    "route",        "dev_open",    "pd_create",  "mr_reg",    "mw_alloc",
        "cq_create",   "cq_arm",       "qp_create",    "post_send",   "post_recv",  "cm_create", "listen",
        "conn_create", "conn_bind_qp", "conn_connect", "conn_accept", "conn_reject"};

    (void)state;
    needs_levers();
    fired = 0;
    for (unsigned i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
        for (unsigned n = 1; n <= 6; n++)
            round_with(operations[i], n, "fail");
    assert_true(fired >= 25); /* most of them are called, and met it */
    sp_unload();
    sp_load();
    assert_true(is_over_san_again()); /* nothing of it stays */
}

/* A large send goes in messages then, and the peer gets what it waits for. */
static void memory_that_cannot_be_registered(void **state)
{
    enum { BYTES = 1 << 20 };
    struct sp_pair pair;
    char *out = malloc(BYTES), why[256];
    WSABUF buffer = {BYTES, out};
    WSAOVERLAPPED ov = {.hEvent = NULL};
    struct sp_reader reader = {.seed = 6, .piece_bytes = 100000, .want = BYTES};
    DWORD bytes = 0;

    (void)state;
    needs_levers();
    sp_fill(out, BYTES, 6, 0);
    sp_pair_open(&pair);
    sp_echo(pair.a, pair.b, 1);
    assert_int_equal(loop->fault_set("mr_reg:0:fail,mw_alloc:0:fail", why, sizeof(why)), VB_OK);
    sp_fails(WSA_IO_PENDING, sp_send_overlapped(pair.a, &buffer, 1, &ov));
    reader.s = pair.b;
    sp_reader_start(&reader);
    sp_reader_join(&reader);
    sp_ok(sp_finish(pair.a, &ov, &bytes));
    assert_int_equal(bytes, BYTES);
    assert_true(loop->fault_fired() > 0);
    loop->fault_clear();
    sp_echo(pair.b, pair.a, 2);
    free(out);
    sp_pair_close(&pair);
}

static void any_connection_may_be_flushed(void **state)
{
    static const char *const operations[] = {"post_send", "post_recv", "conn_bind_qp", "conn_connect",
                                             "conn_accept"};

    (void)state;
    needs_levers();
    fired = 0;
    for (unsigned i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
        for (unsigned n = 1; n <= 6; n++)
            round_with(operations[i], n, "flush");
    assert_true(fired >= 10);
    assert_true(is_over_san_again());
}

int sp_device(void)
{
    const struct CMUnitTest tests[] = {
        device_test(its_connections_end_with_an_error),
        device_test(new_connections_go_over_tcp),
        device_test(who_waits_in_accept_gets_tcp_arrivals),
        device_test(a_connect_under_way_falls_back),
        device_test(operations_under_way_fall_back),
        device_test(forced_it_is_an_error),
        device_test(it_comes_back),
        device_test(an_address_goes_and_comes_back),
        device_test(wires_that_are_cut),
        device_test(memory_that_cannot_be_registered),
        device_test(any_call_may_fail),
        device_test(any_connection_may_be_flushed),
    };
    int failed = cmocka_run_group_tests_name("device", tests, NULL, NULL);

    if (module != NULL)
        dlclose(module);
    return failed;
}
