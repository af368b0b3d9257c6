/* blocking.c - sends and receives that wait: time-outs, flags. Contract 10.1, functions 19, 23; B090 to B119. */
#include "sp.h"

static void a_receive_waits_for_data(void **state)
{
    struct sp_pair pair;
    struct sp_call call;
    struct sp_receiving r = {.got = 0};

    (void)state;
    sp_pair_open(&pair);
    r.s = pair.a;
    sp_call_start(&call, sp_receive_now, &r);
    sp_call_blocks(&call);
    sp_send_all(pair.b, "data", 4);
    sp_ok(sp_call_join(&call));
    assert_int_equal(r.got, 4);
    assert_memory_equal(r.data, "data", 4);
    sp_pair_close(&pair);
}

static int wait_and_drain(void *context)
{
    struct sp_reader *r = context;

    pal_sleep_ms(50);
    sp_reader_start(r);
    pal_thread_join(r->thread);
    return r->error != 0 || r->differs || r->got != r->want;
}

/* B102 */
static void a_send_takes_all_however_slow_the_reader(void **state)
{
    enum { BYTES = 1 << 20 };
    struct sp_pair pair;
    struct sp_reader reader = {.seed = 7, .piece_bytes = 5000, .want = BYTES};
    struct sp_call call;
    char *data = malloc(BYTES);

    (void)state;
    sp_pair_open(&pair);
    sp_fill(data, BYTES, 7, 0);
    reader.s = pair.b;
    sp_call_start(&call, wait_and_drain, &reader);
    sp_send_all(pair.a, data, BYTES);
    sp_ok(sp_call_join(&call));
    free(data);
    sp_pair_close(&pair);
}

/* B105 */
static void receives_time_out(void **state)
{
    struct sp_pair pair;
    char data[10];
    DWORD got = 77;
    uint64_t before = pal_now_ns();

    (void)state;
    sp_pair_open(&pair);
    sp_ok(sp_set_int(pair.a, WS_SOL_SOCKET, WS_SO_RCVTIMEO, 100));
    sp_fails(WSAETIMEDOUT, sp_recv(pair.a, data, sizeof(data), 0, &got));
    assert_true(pal_now_ns() - before >= 90u * 1000000u); /* it did wait */
    assert_int_equal(got, 77);
    sp_ok(sp_set_int(pair.a, WS_SOL_SOCKET, WS_SO_RCVTIMEO, (int)sp_env.wait_ms));
    sp_echo(pair.b, pair.a, 1); /* nothing got lost */
    sp_ok(sp_set_int(pair.a, WS_SOL_SOCKET, WS_SO_RCVTIMEO, 100));
    sp_fails(WSAETIMEDOUT, sp_recv(pair.a, data, sizeof(data), 0, &got));
    sp_echo(pair.a, pair.b, 2);
    sp_pair_close(&pair);
}

static void sends_time_out(void **state)
{
    enum { BYTES = 48 << 20 };
    struct sp_pair pair;
    char *data = calloc(1, BYTES);
    int error = 0;

    (void)state;
    sp_pair_open(&pair);
    sp_ok(sp_set_int(pair.a, WS_SOL_SOCKET, WS_SO_SNDTIMEO, 200));
    for (unsigned i = 0; i < 4 && error == 0; i++) /* more than any buffer holds */
        error = sp_send(pair.a, data, BYTES, 0, NULL);
    sp_fails(WSAETIMEDOUT, error);
    sp_ok(sp_set_linger(pair.a, true, 0));
    sp_pair_close(&pair);
    free(data);
}

static void peeking_leaves_the_bytes(void **state)
{
    struct sp_pair pair;
    char data[10];
    DWORD got = 0;

    (void)state;
    sp_pair_open(&pair);
    sp_send_all(pair.a, "0123456789", 10);
    for (unsigned i = 0; i < 2; i++) {
        sp_ok(sp_recv(pair.b, data, 4, WS_MSG_PEEK, &got));
        assert_int_equal(got, 4);
        assert_memory_equal(data, "0123", 4);
    }
    sp_recv_all(pair.b, data, 6);
    assert_memory_equal(data, "012345", 6);
    sp_ok(sp_recv(pair.b, data, 10, WS_MSG_PEEK, &got));
    assert_int_equal(got, 4);
    sp_recv_all(pair.b, data, 4);
    assert_memory_equal(data, "6789", 4);
    sp_pair_close(&pair);
}

struct waiting_for_all {
    SOCKET s;
    char data[30000];
    DWORD got;
};

static int receive_all_at_once(void *context)
{
    struct waiting_for_all *w = context;

    return sp_recv(w->s, w->data, sizeof(w->data), WS_MSG_WAITALL, &w->got);
}

static void waitall_waits_for_all(void **state)
{
    static struct waiting_for_all w;
    static char data[30000];
    struct sp_pair pair;
    struct sp_call call;

    (void)state;
    sp_pair_open(&pair);
    sp_fill(data, sizeof(data), 3, 0);
    w.s = pair.b;
    w.got = 0;
    sp_call_start(&call, receive_all_at_once, &w);
    for (unsigned i = 0; i < 3; i++) {
        sp_send_all(pair.a, data + i * 10000, 10000);
        pal_sleep_ms(10);
    }
    sp_ok(sp_call_join(&call));
    assert_int_equal(w.got, sizeof(data));
    sp_expect_pattern(w.data, sizeof(data), 3, 0);
    /* the end of the stream ends it too */
    sp_send_all(pair.a, data, 100);
    sp_ok(sp_shutdown(pair.a, SD_SEND));
    sp_ok(receive_all_at_once(&w));
    assert_int_equal(w.got, 100);
    sp_pair_close(&pair);
}

static int recv_raw(SOCKET s, WSABUF *buffers, DWORD count, DWORD flags)
{
    DWORD got = 0;
    INT error = 0;

    return sp.procs->lpWSPRecv(s, buffers, count, &got, &flags, NULL, NULL, NULL, &error) == SOCKET_ERROR
               ? error
               : 0;
}

static int send_raw(SOCKET s, WSABUF *buffers, DWORD count, DWORD flags)
{
    DWORD sent = 0;
    INT error = 0;

    return sp.procs->lpWSPSend(s, buffers, count, &sent, flags, NULL, NULL, NULL, &error) == SOCKET_ERROR
               ? error
               : 0;
}

static void arguments_that_do_not_do(void **state)
{
    struct sp_pair pair;
    char data[10];
    WSABUF buffer = {sizeof(data), data}, nothing = {0, NULL};
    DWORD sent = 9;

    (void)state;
    sp_pair_open(&pair);
    sp_fails(WSAEINVAL, recv_raw(pair.a, NULL, 0, 0)); /* B099 */
    sp_fails(WSAEINVAL, recv_raw(pair.a, &buffer, 0, 0));
    sp_fails(WSAEFAULT, recv_raw(pair.a, NULL, 1, 0));
    sp_fails(WSAEFAULT, send_raw(pair.a, NULL, 1, 0));
    sp_fails(WSAEOPNOTSUPP, recv_raw(pair.a, &buffer, 1, 0x40000000u));
    sp_fails(WSAEOPNOTSUPP, send_raw(pair.a, &buffer, 1, 0x40000000u));
    sp_ok(send_raw(pair.a, &nothing, 1, 0)); /* B091 */
    sp_ok(sp_send(pair.a, NULL, 0, 0, &sent));
    assert_int_equal(sent, 0);
    sp_echo(pair.a, pair.b, 1); /* a send of nothing is nothing, not the end */
    sp_pair_close(&pair);
}

static int echo_back(void *context)
{
    SOCKET s = *(SOCKET *)context;
    char data[64];

    for (unsigned i = 0; i < 500; i++) {
        DWORD have = 0, got = 0;
        int error = 0;

        while (have < sizeof(data) && error == 0) {
            error = sp_recv(s, data + have, sizeof(data) - have, 0, &got);
            have += got;
        }
        if (error == 0)
            error = sp_send(s, data, sizeof(data), 0, NULL);
        if (error != 0)
            return error;
    }
    return 0;
}

static void ping_pong(void **state)
{
    struct sp_pair pair;
    struct sp_call call;
    char data[64];

    (void)state;
    sp_pair_open(&pair);
    sp_call_start(&call, echo_back, &pair.b);
    for (unsigned i = 0; i < 500; i++) {
        sp_fill(data, sizeof(data), i, 0);
        sp_send_all(pair.a, data, sizeof(data));
        memset(data, 0, sizeof(data));
        sp_recv_all(pair.a, data, sizeof(data));
        sp_expect_pattern(data, sizeof(data), i, 0);
    }
    sp_ok(sp_call_join(&call));
    sp_pair_close(&pair);
}

static void both_directions_at_once(void **state)
{
    enum { BYTES = 2 << 20 };
    struct sp_pair pair;
    struct sp_reader at_a = {.seed = 1, .piece_bytes = 30000, .want = BYTES};
    struct sp_reader at_b = {.seed = 2, .piece_bytes = 70000, .want = BYTES};
    char *out = malloc(BYTES);

    (void)state;
    sp_pair_open(&pair);
    at_a.s = pair.a;
    at_b.s = pair.b;
    sp_reader_start(&at_a);
    sp_reader_start(&at_b);
    sp_fill(out, BYTES, 2, 0);
    sp_send_all(pair.a, out, BYTES);
    sp_fill(out, BYTES, 1, 0);
    sp_send_all(pair.b, out, BYTES);
    sp_reader_join(&at_a);
    sp_reader_join(&at_b);
    free(out);
    sp_pair_close(&pair);
}

static int send_late(void *context)
{
    pal_sleep_ms(30);
    return sp_send(*(SOCKET *)context, "late", 4, 0, NULL);
}

/* B119: on a socket without the overlapped flag an OVERLAPPED is ignored, the call blocks. */
static void without_the_flag_an_overlapped_receive_blocks(void **state)
{
    WSD_SOCKADDR_IN at;
    SOCKET l = sp_listener(1, &at), s, b;
    struct sp_call call;
    char data[10];
    WSABUF buffer = {sizeof(data), data};
    WSAOVERLAPPED ov = {.hEvent = NULL};
    DWORD got = 0, flags = 0;
    INT error = 0;

    (void)state;
    sp_ok(sp_socket(WS_AF_INET, WS_SOCK_STREAM, 0, 0, &s));
    sp_ok(sp_connect(s, &at));
    sp_ok(sp_accept(l, &b));
    sp_call_start(&call, send_late, &b);
    assert_int_equal(sp.procs->lpWSPRecv(s, &buffer, 1, &got, &flags, &ov, NULL, NULL, &error), 0);
    assert_int_equal(got, 4);
    assert_memory_equal(data, "late", 4);
    sp_ok(sp_call_join(&call));
    sp_ok(sp_close(s));
    sp_ok(sp_close(b));
    sp_ok(sp_close(l));
}

int sp_blocking(void)
{
    const struct CMUnitTest tests[] = {
        sp_test(a_receive_waits_for_data), sp_test(a_send_takes_all_however_slow_the_reader),
        sp_test(receives_time_out),        sp_test(sends_time_out),
        sp_test(peeking_leaves_the_bytes), sp_test(waitall_waits_for_all),
        sp_test(arguments_that_do_not_do), sp_test(ping_pong),
        sp_test(both_directions_at_once),  sp_test(without_the_flag_an_overlapped_receive_blocks),
    };

    return cmocka_run_group_tests_name("blocking", tests, NULL, NULL);
}
