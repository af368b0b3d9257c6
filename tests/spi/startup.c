/* startup.c - WSPStartup and WSPCleanup. Contract 10.1: the rules below its table, function 5. */
#include "sp.h"

static int start(WORD version, WSPDATA *data, WSPPROC_TABLE *procs)
{
    WSAPROTOCOL_INFOW info = *ws2_protocol_info(sp.ws2, WS2_TCP);

    return ws2_startup_entry(sp.ws2)(version, data, &info, *ws2_upcall_table(), procs);
}

static int cleanup(void)
{
    INT error = 0;

    return sp.procs->lpWSPCleanup(&error) == SOCKET_ERROR ? (error != 0 ? error : -1) : 0;
}

static void versions_are_negotiated(void **state)
{
    WSPDATA data;
    WSPPROC_TABLE procs;

    (void)state;
    assert_int_equal(ws2_wspdata(sp.ws2)->wVersion, 0x0202);
    assert_int_equal(ws2_wspdata(sp.ws2)->wHighVersion, 0x0202);
    assert_int_not_equal(ws2_wspdata(sp.ws2)->szDescription[0], 0);
    memset(&data, 0, sizeof(data));
    sp_ok(start(0x0003, &data, &procs)); /* 3.0: a higher one than there is */
    assert_int_equal(data.wVersion, 0x0202);
    assert_int_equal(data.wHighVersion, 0x0202);
    sp_ok(cleanup());
    sp_fails(WSAVERNOTSUPPORTED, start(0x0000, &data, &procs));
}

static void bad_pointers(void **state)
{
    WSPDATA data;
    WSPPROC_TABLE procs;
    LPWSPSTARTUP entry = ws2_startup_entry(sp.ws2);
    WSAPROTOCOL_INFOW info = *ws2_protocol_info(sp.ws2, WS2_TCP);

    (void)state;
    sp_fails(WSAEFAULT, start(0x0202, NULL, &procs));
    sp_fails(WSAEFAULT, start(0x0202, &data, NULL));
    sp_fails(WSAEFAULT, entry(0x0202, &data, NULL, *ws2_upcall_table(), &procs));
    sp_ok(entry(0x0202, &data, &info, *ws2_upcall_table(), &procs));
    sp_ok(cleanup());
}

static void starts_are_counted(void **state)
{
    WSPDATA data;
    WSPPROC_TABLE procs;
    struct sp_pair pair;

    (void)state;
    sp_ok(start(0x0202, &data, &procs));
    assert_memory_equal(&procs, ws2_procs(sp.ws2), sizeof(procs));
    sp_ok(cleanup());
    sp_pair_open(&pair); /* it still works */
    sp_pair_close(&pair);
    sp_ok(cleanup());
    sp_fails(WSANOTINITIALISED, cleanup());
    sp_ok(start(0x0202, &data, &procs));
}

static void nothing_works_after_the_last_cleanup(void **state)
{
    WSPDATA data;
    WSPPROC_TABLE procs;
    SOCKET s;

    (void)state;
    sp_ok(cleanup());
    sp_fails(WSANOTINITIALISED, sp_socket(WS_AF_INET, WS_SOCK_STREAM, 0, 0, &s));
    sp_ok(start(0x0202, &data, &procs));
    s = sp_stream();
    sp_ok(sp_close(s));
}

static void cleanup_ends_what_is_open_without_telling(void **state)
{
    struct sp_pair pair;
    WSAEVENT event = sw_event_create(true, false);
    WSAOVERLAPPED ov = {.hEvent = (HANDLE)event};
    char data[10];
    WSABUF buffer = {sizeof(data), data};
    SOCKET bound = sp_stream();
    uint64_t told = ws2_upcall_count(SW_UPCALL_COMPLETE_OVERLAPPED_REQUEST);

    (void)state;
    sp_ok(sp_bind(bound, &sp_env.here));
    sp_pair_open(&pair);
    sp_fails(WSA_IO_PENDING, sp_recv_overlapped(pair.a, &buffer, 1, 0, &ov));
    sp_unload(); /* wants every handle given back, and no completion */
    assert_int_equal(ws2_upcall_count(SW_UPCALL_COMPLETE_OVERLAPPED_REQUEST), told);
    assert_int_equal(sw_event_wait(event, 0), WSAETIMEDOUT);
    sp_ok(sw_event_close(event));
    sp_load();
    sp_pair_open(&pair);
    sp_echo(pair.a, pair.b, 3);
    sp_pair_close(&pair);
}

struct awaited {
    SOCKET s;
    WSAOVERLAPPED ov;
    DWORD bytes;
};

static int wait_for_result(void *context)
{
    struct awaited *a = context;

    return sp_result(a->s, &a->ov, true, &a->bytes);
}

/* It is not told as an operation is, but it cannot stay where it is: Ws2_32 unloads the library. */
static void a_thread_that_waits_for_a_result_comes_back(void **state)
{
    char data[10];
    WSABUF buffer = {sizeof(data), data};
    struct awaited awaited = {.bytes = 99};
    struct sp_call call;
    struct sp_pair pair;

    (void)state;
    sp_pair_open(&pair);
    awaited.s = pair.a;
    sp_fails(WSA_IO_PENDING, sp_recv_overlapped(pair.a, &buffer, 1, 0, &awaited.ov));
    sp_call_start(&call, wait_for_result, &awaited);
    sp_call_most_likely_blocks(&call);
    sp_unload();
    sp_one_of(sp_call_join(&call), WSA_OPERATION_ABORTED,
              WSAECONNRESET); /* the other end is closed as well */
    sp_load();
}

static void many_times_over(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        struct sp_pair pair;

        sp_pair_open(&pair);
        sp_echo(pair.b, pair.a, i);
        sp_pair_close(&pair);
        sp_unload();
        sp_load();
    }
}

static void what_is_not_served(void **state)
{
    INT error = 0;
    QOS qos;
    WSABUF name = {4, (CHAR[]){"name"}};
    SOCKET s = sp_stream();

    (void)state;
    memset(&qos, 0, sizeof(qos));
    assert_false(sp.procs->lpWSPGetQOSByName(s, &name, &qos, &error));
    sp_fails(WSAEOPNOTSUPP, error);
    assert_true(sp.procs->lpWSPJoinLeaf(s, (const WSD_SOCKADDR *)&sp_env.here, sizeof(sp_env.here), NULL,
                                        NULL, NULL, NULL, 0, &error) == INVALID_SOCKET);
    sp_fails(WSAEOPNOTSUPP, error);
    /* nobody blocks in this thread */
    assert_int_equal(sp.procs->lpWSPCancelBlockingCall(&error), SOCKET_ERROR);
    sp_fails(WSAEINVAL, error);
    sp_ok(sp_close(s));
}

int sp_startup(void)
{
    const struct CMUnitTest tests[] = {
        sp_test(versions_are_negotiated),
        sp_test(bad_pointers),
        sp_test(starts_are_counted),
        sp_test(nothing_works_after_the_last_cleanup),
        sp_test(cleanup_ends_what_is_open_without_telling),
        sp_test(a_thread_that_waits_for_a_result_comes_back),
        sp_test(many_times_over),
        sp_test(what_is_not_served),
    };

    return cmocka_run_group_tests_name("startup", tests, NULL, NULL);
}
