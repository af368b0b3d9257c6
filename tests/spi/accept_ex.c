/* accept_ex.c - AcceptEx and GetAcceptExSockaddrs. Their pages; B068 to B088. */
#include "sp.h"

static char out[1000 + 2 * SP_ACCEPT_ROOM];

static void the_connection_completes_it(void **state)
{
    WSD_SOCKADDR_IN at, own, found;
    SOCKET l = sp_listener(1, &at), s = sp_stream(), b = sp_stream();
    WSAOVERLAPPED ov = {.hEvent = NULL};
    DWORD bytes = 99;
    static const GUID id = WSAID_GETACCEPTEXSOCKADDRS;
    sp_accept_addresses_fn addresses = (sp_accept_addresses_fn)sp_extension(l, &id);
    WSD_SOCKADDR *local = NULL, *remote = NULL;
    INT local_bytes = 0, remote_bytes = 0;

    (void)state;
    sp_fails(WSA_IO_PENDING, sp_accept_ex(l, b, out, 0, &ov));
    sp_fails(WSA_IO_INCOMPLETE, sp_result(l, &ov, false, &bytes));
    sp_ok(sp_connect(s, &at));
    sp_ok(sp_finish(l, &ov, &bytes));
    assert_int_equal(bytes, 0);
    sp_ok(sp_local(s, &own));
    addresses(out, 0, SP_ACCEPT_ROOM, SP_ACCEPT_ROOM, &local, &local_bytes, &remote, &remote_bytes);
    assert_int_equal(local_bytes, sizeof(at));
    assert_int_equal(remote_bytes, sizeof(own));
    assert_memory_equal(local, &at, sizeof(at));
    assert_memory_equal(remote, &own, sizeof(own));
    sp_ok(sp_set(b, WS_SOL_SOCKET, WS_SO_UPDATE_ACCEPT_CONTEXT, &l, sizeof(l)));
    sp_ok(sp_local(b, &found));
    assert_memory_equal(&found, &at, sizeof(at));
    sp_ok(sp_peer(b, &found));
    assert_memory_equal(&found, &own, sizeof(own));
    sp_carried(b);
    sp_carried(s);
    sp_echo(s, b, 1);
    sp_echo(b, s, 2);
    sp_ok(sp_close(s));
    sp_ok(sp_close(b));
    sp_ok(sp_close(l));
}

static void the_first_bytes_complete_it(void **state)
{
    WSD_SOCKADDR_IN at;
    SOCKET l = sp_listener(1, &at), s = sp_stream(), b = sp_stream();
    WSAOVERLAPPED ov = {.hEvent = NULL};
    DWORD bytes = 0;

    (void)state;
    sp_fails(WSA_IO_PENDING, sp_accept_ex(l, b, out, 1000, &ov));
    sp_ok(sp_connect(s, &at));
    pal_sleep_ms(30);
    sp_fails(WSA_IO_INCOMPLETE, sp_result(l, &ov, false, &bytes));
    sp_send_all(s, "first", 5);
    sp_ok(sp_finish(l, &ov, &bytes));
    assert_int_equal(bytes, 5);
    assert_memory_equal(out, "first", 5);
    sp_ok(sp_set(b, WS_SOL_SOCKET, WS_SO_UPDATE_ACCEPT_CONTEXT, &l, sizeof(l)));
    sp_echo(s, b, 1);
    sp_ok(sp_close(s));
    sp_ok(sp_close(b));
    sp_ok(sp_close(l));
}

static void who_was_there_before_is_taken(void **state)
{
    WSD_SOCKADDR_IN at;
    SOCKET l = sp_listener(1, &at), s = sp_stream(), b = sp_stream();
    WSAOVERLAPPED ov = {.hEvent = NULL};
    DWORD bytes = 0;

    (void)state;
    sp_ok(sp_connect(s, &at));
    sp_send_all(s, "early", 5);
    sp_started(sp_accept_ex(l, b, out, 1000, &ov));
    sp_ok(sp_finish(l, &ov, &bytes));
    assert_int_equal(bytes, 5);
    assert_memory_equal(out, "early", 5);
    sp_ok(sp_close(s));
    sp_ok(sp_close(b));
    sp_ok(sp_close(l));
}

static void refusals(void **state)
{
    WSD_SOCKADDR_IN at;
    SOCKET l = sp_listener(1, &at), b = sp_stream(), bound = sp_stream();
    WSAOVERLAPPED ov = {.hEvent = NULL}, other = {.hEvent = NULL};
    struct sp_pair pair;
    static const GUID id = WSAID_ACCEPTEX;
    sp_accept_ex_fn fn = (sp_accept_ex_fn)sp_extension(l, &id);
    DWORD got;

    (void)state;
    sp_pair_open(&pair);
    sp_ok(sp_bind(bound, &sp_env.here));
    sp_fails(WSAENOTSOCK, sp_accept_ex(INVALID_SOCKET, b, out, 0, &ov));
    sp_fails(WSAENOTSOCK, sp_accept_ex(l, INVALID_SOCKET, out, 0, &ov));
    sp_fails(WSAEINVAL, sp_accept_ex(bound, b, out, 0, &ov));
    sp_fails(WSAEINVAL, sp_accept_ex(l, bound, out, 0, &ov));
    sp_fails(WSAEINVAL, sp_accept_ex(l, pair.a, out, 0, &ov));
    assert_false(fn(l, b, out, 0, SP_ACCEPT_ROOM, 0, &got, &ov)); /* B074 */
    sp_fails(WSAEFAULT, sp.last_error());
    sp_fails(WSA_IO_PENDING, sp_accept_ex(l, b, out, 0, &ov));
    sp_fails(WSAEINVAL, sp_accept_ex(l, b, out, 0, &other)); /* one at a time */
    sp_fails(WSAEINVAL, sp_connect(b, &at));                 /* B073 */
    sp_ok(sp_close(l));
    sp_until(ov.Internal == WSA_OPERATION_ABORTED);
    sp_ok(sp_close(b));
    sp_ok(sp_close(bound));
    sp_pair_close(&pair);
}

/* B084, B085, B088 */
static void packets_carry_the_listeners_key(void **state)
{
    WSD_SOCKADDR_IN at;
    SOCKET l = sp_listener(5, &at), s = sp_stream(), b = sp_stream(), b2 = sp_stream();
    struct sw_iocp *queue = sw_iocp_create();
    WSAOVERLAPPED ov = {.hEvent = NULL}, ov2 = {.hEvent = NULL};
    struct sw_packet packet;

    (void)state;
    sp_ok(ws2_bind_queue(l, queue, 11));
    sp_ok(ws2_bind_queue(b, queue, 22));
    sp_fails(WSA_IO_PENDING, sp_accept_ex(l, b, out, 0, &ov));
    sp_fails(WSA_IO_PENDING, sp_accept_ex(l, b2, out, 0, &ov2));
    sp_ok(sp_connect(s, &at));
    sp_ok(sw_iocp_get(queue, &packet, sp_env.wait_ms));
    assert_true(packet.key == 11 && packet.ov == &ov && packet.error == 0); /* the oldest request first */
    sp_ok(sp_close(l));
    sp_ok(sw_iocp_get(queue, &packet, sp_env.wait_ms));
    assert_true(packet.key == 11 && packet.ov == &ov2);
    sp_fails(WSA_OPERATION_ABORTED, (int)packet.error);
    assert_int_equal(packet.bytes, 0);
    assert_int_equal(sw_iocp_get(queue, &packet, 30), WSAETIMEDOUT);
    sp_ok(sp_bind(b2, &sp_env.here)); /* nothing waits for it any more: it is a socket like others */
    sp_ok(sp_listen(b2, 1));
    sp_ok(sp_close(s));
    sp_ok(sp_close(b));
    sp_ok(sp_close(b2));
    sw_iocp_destroy(queue);
}

static void several_are_served_in_order(void **state)
{
    enum { COUNT = 4 };
    WSD_SOCKADDR_IN at, own, peer;
    SOCKET l = sp_listener(COUNT, &at), s[COUNT], b[COUNT];
    WSAOVERLAPPED ov[COUNT];
    char rooms[COUNT][2 * SP_ACCEPT_ROOM];

    (void)state;
    memset(ov, 0, sizeof(ov));
    for (unsigned i = 0; i < COUNT; i++) {
        b[i] = sp_stream();
        sp_fails(WSA_IO_PENDING, sp_accept_ex(l, b[i], rooms[i], 0, &ov[i]));
    }
    for (unsigned i = 0; i < COUNT; i++) {
        s[i] = sp_stream();
        sp_ok(sp_connect(s[i], &at));
        sp_ok(sp_finish(l, &ov[i], NULL));
        sp_ok(sp_set(b[i], WS_SOL_SOCKET, WS_SO_UPDATE_ACCEPT_CONTEXT, &l, sizeof(l)));
        sp_ok(sp_local(s[i], &own));
        sp_ok(sp_peer(b[i], &peer));
        assert_memory_equal(&own, &peer, sizeof(own));
    }
    for (unsigned i = 0; i < COUNT; i++) {
        sp_echo(s[i], b[i], i);
        sp_ok(sp_close(s[i]));
        sp_ok(sp_close(b[i]));
    }
    sp_ok(sp_close(l));
}

int sp_accepting_ex(void)
{
    const struct CMUnitTest tests[] = {
        sp_test(the_connection_completes_it),     sp_test(the_first_bytes_complete_it),
        sp_test(who_was_there_before_is_taken),   sp_test(refusals),
        sp_test(packets_carry_the_listeners_key), sp_test(several_are_served_in_order),
    };

    return cmocka_run_group_tests_name("accept_ex", tests, NULL, NULL);
}
