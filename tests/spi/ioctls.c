/* ioctls.c - WSPIoctl. Contract 10.1, function 16; 3.9; B199 to B208. */
#include "sp.h"

static void blocking_mode(void **state)
{
    SOCKET s = sp_stream();
    ULONG wide[2] = {1, 0};
    DWORD returned = 99;

    (void)state;
    sp_fails(WSAEFAULT, sp_ioctl(s, WS_FIONBIO, wide, 3, NULL, 0, NULL));
    sp_fails(WSAEFAULT, sp_ioctl(s, WS_FIONBIO, NULL, 4, NULL, 0, NULL));
    sp_ok(sp_ioctl(s, WS_FIONBIO, wide, sizeof(wide), NULL, 0, &returned));
    assert_int_equal(returned, 0);
    sp_ok(sp_close(s));
}

static void bytes_that_wait(void **state)
{
    struct sp_pair pair;
    ULONG count = 77;
    unsigned ready;

    (void)state;
    sp_pair_open(&pair);
    sp_ok(sp_ioctl(pair.a, WS_FIONREAD, NULL, 0, &count, sizeof(count), NULL));
    assert_int_equal(count, 0);
    count = 77;
    sp_fails(WSAEFAULT, sp_ioctl(pair.a, WS_FIONREAD, NULL, 0, &count, 3, NULL));
    assert_int_equal(count, 77);
    sp_send_all(pair.b, "12345", 5);
    sp_ok(sp_select(pair.a, SP_READ, sp_env.wait_ms, &ready));
    sp_ok(sp_ioctl(pair.a, WS_FIONREAD, NULL, 0, &count, sizeof(count), NULL));
    assert_int_equal(count, 5);
    sp_pair_close(&pair);
}

static void extension_functions(void **state)
{
    static const GUID known[] = {WSAID_ACCEPTEX, WSAID_GETACCEPTEXSOCKADDRS, WSAID_CONNECTEX,
                                 WSAID_DISCONNECTEX, WSAID_TRANSMITFILE};
    static const GUID unknown = {1, 2, 3, {4, 5, 6, 7, 8, 9, 10, 11}};
    SOCKET s = sp_stream();
    void (*fn)(void) = NULL;

    (void)state;
    for (unsigned i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        assert_non_null(sp_extension(s, &known[i]));
    sp_one_of(
        sp_ioctl(s, SIO_GET_EXTENSION_FUNCTION_POINTER, &unknown, sizeof(unknown), &fn, sizeof(fn), NULL),
        WSAEINVAL, WSAEOPNOTSUPP); /* B205; 10.3 allows either */
    assert_null(fn);
    sp_fails(WSAEFAULT, sp_ioctl(s, SIO_GET_EXTENSION_FUNCTION_POINTER, &known[0], sizeof(GUID) - 1, &fn,
                                 sizeof(fn), NULL));
    sp_fails(WSAEFAULT, sp_ioctl(s, SIO_GET_EXTENSION_FUNCTION_POINTER, &known[0], sizeof(GUID), &fn,
                                 sizeof(fn) - 1, NULL));
    sp_ok(sp_close(s));
}

/* 10.3 "SIO_ADDRESS_LIST_QUERY": without loopback; too small: WSAEFAULT and the size. */
static void the_list_of_addresses(void **state)
{
    SOCKET s = sp_stream();
    union {
        SOCKET_ADDRESS_LIST list;
        char room[8000];
    } out;
    DWORD needed = 0, returned = 0;
    bool is_here = false;

    (void)state;
    int error = sp_ioctl(s, SIO_ADDRESS_LIST_QUERY, NULL, 0, &out, 2, &needed);
    sp_fails(WSAEFAULT, error);
    assert_true(needed >= sizeof(INT) && needed <= sizeof(out));
    sp_ok(sp_ioctl(s, SIO_ADDRESS_LIST_QUERY, NULL, 0, &out, sizeof(out), &returned));
    assert_true(returned >= needed);
    for (INT i = 0; i < out.list.iAddressCount; i++) {
        const WSD_SOCKADDR_IN *a = (const WSD_SOCKADDR_IN *)(const void *)out.list.Address[i].lpSockaddr;

        assert_true((const char *)a >= out.room && (const char *)a < out.room + sizeof(out));
        assert_int_equal(out.list.Address[i].iSockaddrLength, sizeof(*a));
        assert_int_equal(a->sin_family, WS_AF_INET);
        assert_int_not_equal(*(const unsigned char *)&a->sin_addr, 127);
        is_here = is_here || a->sin_addr.s_addr == sp_env.here.sin_addr.s_addr;
    }
    if (*(const unsigned char *)&sp_env.here.sin_addr != 127)
        assert_true(is_here);
    sp_ok(sp_close(s));
}

static void the_way_to_an_address(void **state)
{
    SOCKET s = sp_stream();
    WSD_SOCKADDR_IN local;
    DWORD returned = 0;

    (void)state;
    memset(&local, 0, sizeof(local));
    sp_ok(sp_ioctl(s, SIO_ROUTING_INTERFACE_QUERY, &sp_env.here, sizeof(sp_env.here), &local, sizeof(local),
                   &returned));
    assert_int_equal(local.sin_family, WS_AF_INET);
    assert_int_equal(local.sin_addr.s_addr, sp_env.here.sin_addr.s_addr);
    sp_fails(WSAEFAULT, sp_ioctl(s, SIO_ROUTING_INTERFACE_QUERY, &sp_env.here, sizeof(sp_env.here), &local, 3,
                                 &returned));
    sp_ok(sp_close(s));
}

/* B208 */
static void keep_alive(void **state)
{
    struct sp_pair pair;
    ULONG values[3] = {1, 60000, 1000};

    (void)state;
    sp_pair_open(&pair);
    sp_fails(WSAEFAULT, sp_ioctl(pair.a, SIO_KEEPALIVE_VALS, values, 8, NULL, 0, NULL));
    sp_ok(sp_ioctl(pair.a, SIO_KEEPALIVE_VALS, values, sizeof(values), NULL, 0, NULL));
    values[0] = 0;
    sp_ok(sp_ioctl(pair.a, SIO_KEEPALIVE_VALS, values, sizeof(values), NULL, 0, NULL));
    sp_echo(pair.a, pair.b, 1);
    sp_pair_close(&pair);
}

/* B204 */
static void what_does_not_exist(void **state)
{
    SOCKET s = sp_stream();
    WSAOVERLAPPED ov = {.hEvent = NULL};
    DWORD returned = 9;
    INT error = 0;
    int result;

    (void)state;
    sp_fails(WSAEOPNOTSUPP, sp_ioctl(s, 0xDEADBEEF, NULL, 0, NULL, 0, &returned));
    assert_int_equal(returned, 0);
    sp_ok(ws2_operation_begin(s, &ov));
    result = sp.procs->lpWSPIoctl(s, 0xDEADBEEF, NULL, 0, NULL, 0, &returned, &ov, NULL, NULL, &error);
    ws2_operation_submitted(s, &ov, result, error);
    assert_int_equal(result, SOCKET_ERROR);
    if (error == WSA_IO_PENDING)
        error = sp_finish(s, &ov, NULL);
    sp_fails(WSAEOPNOTSUPP, error);
    sp_ok(sp_close(s));
}

/* B207 */
static void the_ideal_backlog(void **state)
{
    struct sp_pair pair;
    ULONG ideal = 0;
    SOCKET s = sp_stream();
    int error;

    (void)state;
    sp_pair_open(&pair);
    sp_fails(WSAENOTCONN, sp_ioctl(s, SIO_IDEAL_SEND_BACKLOG_QUERY, NULL, 0, &ideal, sizeof(ideal), NULL));
    error = sp_ioctl(pair.a, SIO_IDEAL_SEND_BACKLOG_QUERY, NULL, 0, &ideal, sizeof(ideal), NULL);
    sp_ok(error);
    assert_int_equal(ideal, 0x10000);
    sp_ok(sp_close(s));
    sp_pair_close(&pair);
}

/* Nobody changes an address during the test: it stays pending, and closing ends it. */
static void waiting_for_another_address(void **state)
{
    SOCKET s = sp_stream();
    WSAOVERLAPPED ov = {.hEvent = NULL};
    DWORD returned = 0;
    INT error = 0;
    int result;

    (void)state;
    sp_ok(ws2_operation_begin(s, &ov));
    result = sp.procs->lpWSPIoctl(s, SIO_ADDRESS_LIST_CHANGE, NULL, 0, NULL, 0, &returned, &ov, NULL, NULL,
                                  &error);
    ws2_operation_submitted(s, &ov, result, error);
    assert_int_equal(result, SOCKET_ERROR);
    sp_fails(WSA_IO_PENDING, error);
    sp_fails(WSA_IO_INCOMPLETE, sp_result(s, &ov, false, &returned));
    sp_ok(sp_close(s));
    sp_until(ov.Internal == WSA_OPERATION_ABORTED);
    s = sp_stream(); /* and one that may not wait */
    sp_ok(sp_nonblocking(s, true));
    sp_fails(WSAEWOULDBLOCK, sp_ioctl(s, SIO_ADDRESS_LIST_CHANGE, NULL, 0, NULL, 0, NULL));
    sp_ok(sp_close(s));
}

int sp_ioctls(void)
{
    const struct CMUnitTest tests[] = {
        sp_test(blocking_mode),         sp_test(bytes_that_wait),       sp_test(extension_functions),
        sp_test(the_list_of_addresses), sp_test(the_way_to_an_address), sp_test(keep_alive),
        sp_test(what_does_not_exist),   sp_test(the_ideal_backlog),     sp_test(waiting_for_another_address),
    };

    return cmocka_run_group_tests_name("ioctls", tests, NULL, NULL);
}
