/* connect_ex.c - ConnectEx. Its page; B047, B050, B059 to B067. */
#include "sp.h"

static SOCKET bound_stream(void)
{
    SOCKET s = sp_stream();

    sp_ok(sp_bind(s, &sp_env.here));
    return s;
}

static void it_connects_and_sends(void **state)
{
    WSD_SOCKADDR_IN at, peer;
    SOCKET l = sp_listener(1, &at), s = bound_stream(), b;
    WSAOVERLAPPED ov = {.hEvent = NULL};
    char first[5];
    DWORD bytes = 0;

    (void)state;
    sp_fails(WSA_IO_PENDING, sp_connect_ex(s, &at, (char[]){"hello"}, 5, &ov));
    sp_ok(sp_finish(s, &ov, &bytes));
    assert_int_equal(bytes, 5);
    sp_carried(s);
    sp_ok(sp_set(s, WS_SOL_SOCKET, WS_SO_UPDATE_CONNECT_CONTEXT, NULL, 0));
    sp_ok(sp_peer(s, &peer));
    assert_memory_equal(&peer, &at, sizeof(at));
    sp_ok(sp_accept(l, &b));
    sp_recv_all(b, first, sizeof(first));
    assert_memory_equal(first, "hello", 5);
    sp_echo(s, b, 1);
    sp_ok(sp_close(s));
    sp_ok(sp_close(b));
    sp_ok(sp_close(l));
}

static void data_without_memory(void **state)
{
    WSD_SOCKADDR_IN at;
    SOCKET l = sp_listener(1, &at), s = bound_stream(), b;
    WSAOVERLAPPED ov = {.Internal = 0};
    DWORD bytes = 0;

    (void)state;
    sp_fails(WSAEFAULT, sp_connect_ex(s, &at, NULL, 5, &ov));
    sp_fails(WSA_IO_PENDING, sp_connect_ex(s, &at, (char[]){"hello"}, 5, &ov)); /* nothing was begun */
    sp_ok(sp_finish(s, &ov, &bytes));
    sp_ok(sp_accept(l, &b));
    sp_ok(sp_close(s));
    sp_ok(sp_close(b));
    sp_ok(sp_close(l));
}

static void without_data(void **state)
{
    WSD_SOCKADDR_IN at;
    SOCKET l = sp_listener(1, &at), s = bound_stream(), b;
    WSAEVENT event = sw_event_create(true, false);
    WSAOVERLAPPED ov = {.hEvent = (HANDLE)event};
    DWORD bytes = 99;

    (void)state;
    sp_fails(WSA_IO_PENDING, sp_connect_ex(s, &at, NULL, 0, &ov));
    sp_ok(sw_event_wait(event, sp_env.wait_ms));
    sp_ok(sp_result(s, &ov, false, &bytes));
    assert_int_equal(bytes, 0);
    sp_ok(sp_accept(l, &b));
    sp_echo(b, s, 1);
    sp_ok(sp_close(s));
    sp_ok(sp_close(b));
    sp_ok(sp_close(l));
    sp_ok(sw_event_close(event));
}

static void refusals(void **state)
{
    WSD_SOCKADDR_IN at;
    SOCKET l = sp_listener(1, &at), fresh = sp_stream();
    struct sp_pair pair;
    WSAOVERLAPPED ov = {.hEvent = NULL};

    (void)state;
    sp_pair_open(&pair);
    sp_fails(WSAEINVAL, sp_connect_ex(fresh, &at, NULL, 0, &ov)); /* not bound */
    sp_one_of(sp_connect_ex(pair.a, &at, NULL, 0, NULL), SP_INVALID_PARAMETER, WSAEINVAL);
    sp_fails(WSAEISCONN, sp_connect_ex(pair.a, &at, NULL, 0, &ov));
    sp_fails(WSAENOTSOCK, sp_connect_ex(INVALID_SOCKET, &at, NULL, 0, &ov));
    sp_pair_close(&pair);
    sp_ok(sp_close(fresh));
    sp_ok(sp_close(l));
}

static void nobody_listens(void **state)
{
    WSD_SOCKADDR_IN nobody;
    SOCKET silent = bound_stream(), s = bound_stream();
    WSAOVERLAPPED ov = {.hEvent = NULL};
    DWORD bytes = 0;

    (void)state;
    sp_ok(sp_local(silent, &nobody));
    sp_fails(WSA_IO_PENDING, sp_connect_ex(s, &nobody, NULL, 0, &ov));
    sp_one_of(sp_finish(s, &ov, &bytes), WSAECONNREFUSED, SP_CONNECTION_REFUSED);
    sp_ok(sp_close(s));
    sp_ok(sp_close(silent));
}

/* B065, B067 */
static void packets(void **state)
{
    WSD_SOCKADDR_IN at;
    SOCKET l = sp_listener(5, &at), s = bound_stream(), quiet = bound_stream(), plain = sp_stream();
    struct sw_iocp *queue = sw_iocp_create();
    WSAEVENT event = sw_event_create(true, false);
    WSAOVERLAPPED ov = {.hEvent = NULL}, ov2 = {.hEvent = (HANDLE)((ULONG_PTR)event | 1u)};
    struct sw_packet packet;
    DWORD bytes;

    (void)state;
    sp_ok(ws2_bind_queue(s, queue, 5));
    sp_ok(ws2_bind_queue(quiet, queue, 6));
    sp_ok(ws2_bind_queue(plain, queue, 7));
    sp_fails(WSA_IO_PENDING, sp_connect_ex(s, &at, (char[]){"abc"}, 3, &ov));
    sp_ok(sw_iocp_get(queue, &packet, sp_env.wait_ms));
    assert_true(packet.key == 5 && packet.ov == &ov && packet.bytes == 3 && packet.error == 0);
    sp_fails(WSA_IO_PENDING, sp_connect_ex(quiet, &at, NULL, 0, &ov2));
    sp_ok(sp_finish(quiet, &ov2, &bytes));
    sp_ok(sw_event_wait(event, sp_env.wait_ms));
    sp_ok(sp_connect(plain, &at));
    assert_int_equal(sw_iocp_get(queue, &packet, 50), WSAETIMEDOUT);
    sp_ok(sp_close(s));
    sp_ok(sp_close(quiet));
    sp_ok(sp_close(plain));
    sp_ok(sp_close(l));
    sp_ok(sw_event_close(event));
    sw_iocp_destroy(queue);
}

static void closing_aborts(void **state)
{
    WSD_SOCKADDR_IN at;
    SOCKET l = sp_listener(1, &at), s = bound_stream();
    WSAOVERLAPPED ov = {.hEvent = NULL};

    (void)state;
    sp_fails(WSA_IO_PENDING, sp_connect_ex(s, &at, NULL, 0, &ov));
    sp_ok(sp_close(s));
    sp_until(ov.Internal == WSA_OPERATION_ABORTED || ov.Internal == 0);
    sp_ok(sp_close(l));
}

int sp_connecting_ex(void)
{
    const struct CMUnitTest tests[] = {
        sp_test(it_connects_and_sends), sp_test(data_without_memory),
        sp_test(without_data),          sp_test(refusals),
        sp_test(nobody_listens),        sp_test(packets),
        sp_test(closing_aborts),
    };

    return cmocka_run_group_tests_name("connect_ex", tests, NULL, NULL);
}
