/* packets.c - overlapped operations on sockets that are bound to a completion queue. Contract 10.1 ("Generic base-provider rules"); B120
 * to B131. */
#include "sp.h"

static char data[4][1000];

/* B124, B128 */
static void packets_tell(void **state)
{
    struct sp_pair pair;
    struct sw_iocp *queue = sw_iocp_create();
    struct sw_packet packet;
    WSAOVERLAPPED ov = {.hEvent = NULL}, sending = {.hEvent = NULL};
    WSABUF buffer = {1000, data[0]}, out = {12, data[1]};

    (void)state;
    sp_pair_open(&pair);
    sp_ok(ws2_bind_queue(pair.a, queue, 77));
    sp_ok(ws2_bind_queue(pair.b, queue, 88));
    sp_fails(WSA_IO_PENDING, sp_recv_overlapped(pair.a, &buffer, 1, 0, &ov));
    sp_started(sp_send_overlapped(pair.b, &out, 1, &sending));
    for (unsigned i = 0; i < 2; i++) {
        sp_ok(sw_iocp_get(queue, &packet, sp_env.wait_ms));
        assert_int_equal(packet.error, 0);
        assert_int_equal(packet.bytes, 12);
        assert_true(packet.ov == (packet.key == 77 ? &ov : &sending));
    }
    sp_ok(sp_shutdown(pair.b, SD_SEND)); /* B131: no packet of its own */
    sp_started(sp_recv_overlapped(pair.a, &buffer, 1, 0, &ov));
    sp_ok(sw_iocp_get(queue, &packet, sp_env.wait_ms));
    assert_true(packet.ov == &ov && packet.bytes == 0 && packet.error == 0);
    assert_int_equal(sw_iocp_get(queue, &packet, 30), WSAETIMEDOUT);
    sp_pair_close(&pair); /* B130: nothing pending, no packet */
    assert_int_equal(sw_iocp_get(queue, &packet, 30), WSAETIMEDOUT);
    sw_iocp_destroy(queue);
}

/* B120, B125, B127 */
static void packets_of_failures(void **state)
{
    struct sp_pair pair;
    struct sw_iocp *queue = sw_iocp_create();
    struct sw_packet packet;
    WSAOVERLAPPED ov = {.hEvent = NULL};
    WSABUF buffer = {1000, data[0]};
    SOCKET fresh;

    (void)state;
    sp_skip_on_wine_tcp("tells a reset as an end of the stream");
    fresh = sp_stream();
    sp_pair_open(&pair);
    sp_ok(ws2_bind_queue(pair.a, queue, 1));
    sp_ok(ws2_bind_queue(fresh, queue, 2));
    sp_fails(WSAENOTCONN, sp_recv_overlapped(fresh, &buffer, 1, 0, &ov));
    assert_int_equal(sw_iocp_get(queue, &packet, 30), WSAETIMEDOUT);
    sp_fails(WSA_IO_PENDING, sp_recv_overlapped(pair.a, &buffer, 1, 0, &ov));
    sp_ok(sp_set_linger(pair.b, true, 0));
    sp_ok(sp_close(pair.b));
    pair.b = INVALID_SOCKET;
    sp_ok(sw_iocp_get(queue, &packet, sp_env.wait_ms));
    assert_true(packet.ov == &ov && packet.key == 1 && packet.bytes == 0);
    sp_one_of((int)packet.error, WSAECONNRESET, 64 /* ERROR_NETNAME_DELETED */);
    assert_int_equal(sw_iocp_get(queue, &packet, 30), WSAETIMEDOUT);
    sp_fails(WSAECONNRESET, sp_recv_overlapped(pair.a, &buffer, 1, 0, &ov)); /* B142 */
    assert_int_equal(sw_iocp_get(queue, &packet, 30), WSAETIMEDOUT);
    sp_ok(sp_close(fresh));
    sp_pair_close(&pair);
    sw_iocp_destroy(queue);
}

static void closing_aborts_all(void **state)
{
    struct sp_pair pair;
    struct sw_iocp *queue = sw_iocp_create();
    struct sw_packet packet;
    WSAOVERLAPPED ov[4];

    (void)state;
    sp_pair_open(&pair);
    sp_ok(ws2_bind_queue(pair.a, queue, 1));
    memset(ov, 0, sizeof(ov));
    for (unsigned i = 0; i < 4; i++) {
        WSABUF buffer = {1000, data[i]};

        sp_fails(WSA_IO_PENDING, sp_recv_overlapped(pair.a, &buffer, 1, 0, &ov[i]));
    }
    sp_ok(sp_close(pair.a));
    pair.a = INVALID_SOCKET;
    for (unsigned i = 0; i < 4; i++) {
        sp_ok(sw_iocp_get(queue, &packet, sp_env.wait_ms));
        sp_one_of((int)packet.error, WSA_OPERATION_ABORTED, WSAECONNABORTED);
        assert_int_equal(packet.bytes, 0);
    }
    assert_int_equal(sw_iocp_get(queue, &packet, 30), WSAETIMEDOUT);
    sp_pair_close(&pair);
    sw_iocp_destroy(queue);
}

static void data_that_is_there_completes_at_once(void **state)
{
    struct sp_pair pair;
    struct sw_iocp *queue = sw_iocp_create();
    struct sw_packet packet;
    WSAOVERLAPPED ov = {.hEvent = NULL};
    WSABUF buffer = {1000, data[0]};
    unsigned ready;

    (void)state;
    sp_pair_open(&pair);
    sp_ok(ws2_bind_queue(pair.a, queue, 3));
    sp_send_all(pair.b, "there", 5);
    sp_ok(sp_select(pair.a, SP_READ, sp_env.wait_ms, &ready));
    sp_started(sp_recv_overlapped(pair.a, &buffer, 1, 0, &ov));
    sp_ok(sw_iocp_get(queue, &packet, sp_env.wait_ms)); /* a packet comes all the same */
    assert_true(packet.key == 3 && packet.ov == &ov && packet.bytes == 5 && packet.error == 0);
    sp_pair_close(&pair);
    sw_iocp_destroy(queue);
}

int sp_packets(void)
{
    const struct CMUnitTest tests[] = {
        sp_test(packets_tell),
        sp_test(data_that_is_there_completes_at_once),
        sp_test(packets_of_failures),
        sp_test(closing_aborts_all),
    };

    return cmocka_run_group_tests_name("packets", tests, NULL, NULL);
}
