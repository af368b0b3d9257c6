/* transmit.c - TransmitFile and DisconnectEx, with a socket used again. Their pages; B131, B147, B148, B210. */
#include "sp.h"

static void head_file_tail(void **state)
{
    enum { BYTES = 300000 };
    struct sp_pair pair;
    HANDLE file = sp_file_create(BYTES, 5);
    struct sp_transmit_buffers around = {(char[]){"head"}, 4, (char[]){"tail!"}, 5};
    char *in = malloc(BYTES + 9);
    struct sp_reader reader = {.seed = 5, .piece_bytes = 9000, .want = BYTES};
    WSAOVERLAPPED ov = {.hEvent = NULL};
    DWORD bytes = 0;

    (void)state;
    sp_pair_open(&pair);
    sp_started(sp_transmit_file(pair.a, file, 0, &ov, &around, 0));
    sp_recv_all(pair.b, in, 4);
    assert_memory_equal(in, "head", 4);
    reader.s = pair.b;
    sp_reader_start(&reader);
    sp_reader_join(&reader);
    sp_recv_all(pair.b, in, 5);
    assert_memory_equal(in, "tail!", 5);
    sp_ok(sp_finish(pair.a, &ov, &bytes));
    assert_int_equal(bytes, BYTES + 9);
    sp_file_close(file);
    free(in);
    sp_pair_close(&pair);
}

static void from_an_offset_so_many_bytes(void **state)
{
    struct sp_pair pair;
    HANDLE file = sp_file_create(10000, 6);
    WSAOVERLAPPED ov = {.Offset = 1000};
    char in[500];
    DWORD bytes = 0;

    (void)state;
    sp_pair_open(&pair);
    sp_started(sp_transmit_file(pair.a, file, sizeof(in), &ov, NULL, 0));
    sp_recv_all(pair.b, in, sizeof(in));
    sp_expect_pattern(in, sizeof(in), 6, 1000);
    sp_ok(sp_finish(pair.a, &ov, &bytes));
    assert_int_equal(bytes, sizeof(in));
    sp_file_close(file);
    sp_pair_close(&pair);
}

static void without_an_overlapped_it_waits(void **state)
{
    struct sp_pair pair;
    HANDLE file = sp_file_create(2000, 7);
    struct sp_transmit_buffers around = {NULL, 0, (char[]){"end"}, 3};
    char in[2003];

    (void)state;
    sp_pair_open(&pair);
    sp_ok(sp_transmit_file(pair.a, file, 0, NULL, &around, 0));
    sp_recv_all(pair.b, in, sizeof(in));
    sp_expect_pattern(in, 2000, 7, 0);
    assert_memory_equal(in + 2000, "end", 3);
    sp_ok(sp_transmit_file(pair.a, NULL, 0, NULL, &around, 0)); /* no file: the buffers alone */
    sp_recv_all(pair.b, in, 3);
    assert_memory_equal(in, "end", 3);
    sp_file_close(file);
    sp_pair_close(&pair);
}

static void refusals(void **state)
{
    SOCKET fresh = sp_stream(), datagrams;
    WSD_SOCKADDR_IN at = sp_env.here;
    WSAOVERLAPPED ov = {.hEvent = NULL};
    struct sp_transmit_buffers around = {(char[]){"x"}, 1, NULL, 0};

    (void)state;
    at.sin_port = 0x0900; /* 9, whoever is there */
    sp_fails(WSAENOTSOCK, sp_transmit_file(INVALID_SOCKET, NULL, 0, &ov, &around, 0));
    sp_fails(WSAENOTCONN, sp_transmit_file(fresh, NULL, 0, &ov, &around, 0));
    sp_fails(WSAENOTCONN, sp_disconnect_ex(fresh, NULL, 0));
    sp_fails(WSAENOTSOCK, sp_disconnect_ex(INVALID_SOCKET, NULL, 0));
    sp_ok(sp_socket(WS_AF_INET, WS_SOCK_DGRAM, WS_IPPROTO_UDP, WSA_FLAG_OVERLAPPED, &datagrams));
    sp_ok(sp_connect(datagrams, &at));
    sp_fails(WSAEOPNOTSUPP, sp_disconnect_ex(datagrams, NULL, SP_REUSE_SOCKET)); /* not connection-oriented */
    sp_ok(sp_connect(datagrams, &at));                                           /* and as usable as before */
    sp_ok(sp_close(datagrams));
    sp_ok(sp_close(fresh));
}

/* B147, B148 */
static void disconnecting(void **state)
{
    struct sp_pair pair;
    WSAOVERLAPPED ov = {.hEvent = NULL};
    DWORD bytes = 9;

    (void)state;
    sp_pair_open(&pair);
    sp_started(sp_disconnect_ex(pair.a, &ov, 0));
    sp_ok(sp_finish(pair.a, &ov, &bytes));
    assert_int_equal(bytes, 0);
    sp_fails(WSAESHUTDOWN, sp_send(pair.a, "x", 1, 0, NULL));
    sp_expect_end(pair.b);
    sp_echo(pair.b, pair.a, 1);
    sp_pair_close(&pair);
    sp_pair_open(&pair);
    sp_ok(sp_disconnect_ex(pair.a, NULL, 0));
    sp_ok(sp_disconnect_ex(pair.a, NULL, 0));
    sp_expect_end(pair.b);
    sp_pair_close(&pair);
}

/* TF_REUSE_SOCKET: the socket may be given to ConnectEx again, which it can be bound already. */
static void a_socket_is_used_again_to_connect(void **state)
{
    struct sp_pair pair;
    WSAOVERLAPPED ov = {.hEvent = NULL};
    SOCKET again;

    (void)state;
    sp_pair_open(&pair);
    for (unsigned i = 0; i < 3; i++) {
        sp_echo(pair.a, pair.b, i);
        sp_ok(sp_shutdown(pair.b, SD_SEND));
        sp_started(sp_disconnect_ex(pair.a, &ov, SP_REUSE_SOCKET));
        sp_expect_end(pair.b);
        sp_ok(sp_close(pair.b));
        sp_ok(sp_finish(pair.a, &ov, NULL));
        sp_started(sp_connect_ex(pair.a, &pair.at, NULL, 0, &ov));
        sp_ok(sp_finish(pair.a, &ov, NULL));
        sp_ok(sp_accept(pair.listener, &again));
        sp_carried(pair.a);
        sp_carried(again);
        pair.b = again;
    }
    sp_echo(pair.b, pair.a, 9);
    sp_pair_close(&pair);
}

static void a_socket_is_used_again_to_accept(void **state)
{
    struct sp_pair pair;
    static char room[2 * SP_ACCEPT_ROOM];
    WSAOVERLAPPED ov = {.hEvent = NULL};
    SOCKET other;

    (void)state;
    sp_pair_open(&pair);
    sp_ok(sp_shutdown(pair.a, SD_SEND));
    sp_started(sp_disconnect_ex(pair.b, &ov, SP_REUSE_SOCKET));
    sp_expect_end(pair.a);
    sp_ok(sp_close(pair.a));
    sp_ok(sp_finish(pair.b, &ov, NULL));
    sp_started(sp_accept_ex(pair.listener, pair.b, room, 0, &ov));
    other = sp_stream();
    sp_ok(sp_connect(other, &pair.at));
    sp_ok(sp_finish(pair.listener, &ov, NULL));
    sp_carried(pair.b);
    sp_echo(other, pair.b, 1);
    pair.a = other;
    sp_pair_close(&pair);
}

static void a_transmission_may_disconnect(void **state)
{
    struct sp_pair pair;
    struct sp_transmit_buffers around = {(char[]){"last words"}, 10, NULL, 0};
    char in[10];

    (void)state;
    sp_pair_open(&pair);
    sp_ok(sp_transmit_file(pair.a, NULL, 0, NULL, &around, SP_DISCONNECT));
    sp_recv_all(pair.b, in, 10);
    assert_memory_equal(in, "last words", 10);
    sp_expect_end(pair.b);
    sp_pair_close(&pair);
}

int sp_transmit(void)
{
    const struct CMUnitTest tests[] = {
        sp_test(head_file_tail),
        sp_test(from_an_offset_so_many_bytes),
        sp_test(without_an_overlapped_it_waits),
        sp_test(refusals),
        sp_test(disconnecting),
        sp_test(a_socket_is_used_again_to_connect),
        sp_test(a_socket_is_used_again_to_accept),
        sp_test(a_transmission_may_disconnect),
    };

    return cmocka_run_group_tests_name("transmit", tests, NULL, NULL);
}
