/* cancel_io.c - operations called off: sw_cancel_io(), which is CancelIoEx and CancelIo. Their pages; B082, B122; contract 8.8.
 * ws2 checks that each operation completes exactly once. */
#include "sp.h"

#define NOT_FOUND 1168 /* ERROR_NOT_FOUND */

static char data[4][1000];

static int cancel(SOCKET s, WSAOVERLAPPED *ov)
{
    return sp.cancel_io(s, ov, false);
}

static int receive(SOCKET s, unsigned which, DWORD flags, WSAOVERLAPPED *ov)
{
    WSABUF buffer = {sizeof(data[0]), data[which]};

    memset(ov, 0, sizeof(*ov));
    return sp_recv_overlapped(s, &buffer, 1, flags, ov);
}

static void a_receive_is_taken_back(void **state)
{
    struct sp_pair pair;
    WSAOVERLAPPED ov;
    DWORD bytes = 9;

    (void)state;
    sp_pair_open(&pair);
    sp_fails(NOT_FOUND, cancel(pair.a, NULL));
    sp_fails(WSA_IO_PENDING, receive(pair.a, 0, 0, &ov));
    sp_ok(cancel(pair.a, &ov));
    sp_fails(WSA_OPERATION_ABORTED, sp_finish(pair.a, &ov, &bytes));
    assert_int_equal(bytes, 0);
    sp_fails(NOT_FOUND, cancel(pair.a, &ov));
    sp_echo(pair.b, pair.a, 1); /* the connection goes on, and no byte went into the cancelled one */
    sp_fails(WSAENOTSOCK, cancel(INVALID_SOCKET, &ov));
    sp_pair_close(&pair);
}

static void one_of_several(void **state)
{
    struct sp_pair pair;
    WSAOVERLAPPED ov[3];
    DWORD bytes = 0;

    (void)state;
    sp_pair_open(&pair);
    for (unsigned i = 0; i < 3; i++)
        sp_fails(WSA_IO_PENDING, receive(pair.a, i, 0, &ov[i]));
    sp_ok(cancel(pair.a, &ov[1]));
    sp_fails(WSA_OPERATION_ABORTED, sp_finish(pair.a, &ov[1], &bytes));
    sp_send_all(pair.b, "one", 3);
    sp_ok(sp_finish(pair.a, &ov[0], &bytes));
    sp_send_all(pair.b, "two", 3);
    sp_ok(sp_finish(pair.a, &ov[2], &bytes));
    assert_memory_equal(data[2], "two", 3);
    for (unsigned i = 0; i < 3; i++)
        sp_fails(WSA_IO_PENDING, receive(pair.a, i, 0, &ov[i]));
    sp_ok(cancel(pair.a, NULL));
    for (unsigned i = 0; i < 3; i++)
        sp_fails(WSA_OPERATION_ABORTED, sp_finish(pair.a, &ov[i], &bytes));
    sp_echo(pair.b, pair.a, 2);
    sp_pair_close(&pair);
}

static int receive_there(void *context)
{
    WSAOVERLAPPED *ov = context;
    WSABUF buffer = {sizeof(data[0]), data[0]};

    return sp_recv_overlapped((SOCKET)ov->hEvent, &buffer, 1, 0, ov);
}

/* CancelIo: the calling thread's; those of a thread that has ended live on (B122). */
static void only_the_threads_own(void **state)
{
    struct sp_pair pair;
    WSAOVERLAPPED theirs, mine;
    struct sp_call call;
    DWORD bytes;

    (void)state;
    sp_pair_open(&pair);
    memset(&theirs, 0, sizeof(theirs));
    theirs.hEvent = (HANDLE)pair.a; /* no event: bit 0 is clear, and it is none of the shim's events */
    sp_call_start(&call, receive_there, &theirs);
    sp_fails(WSA_IO_PENDING, sp_call_join(&call));
    sp_fails(NOT_FOUND, sp.cancel_io(pair.a, NULL, true));
    sp_fails(WSA_IO_PENDING, receive(pair.a, 1, 0, &mine));
    sp_ok(sp.cancel_io(pair.a, NULL, true));
    sp_fails(WSA_OPERATION_ABORTED, sp_finish(pair.a, &mine, &bytes));
    sp_fails(WSA_IO_INCOMPLETE, sp_result(pair.a, &theirs, false, &bytes));
    sp_ok(cancel(pair.a, &theirs));
    sp_fails(WSA_OPERATION_ABORTED, sp_finish(pair.a, &theirs, &bytes));
    sp_pair_close(&pair);
}

static struct {
    unsigned calls;
    DWORD error, bytes;
} routine_seen;

static void CALLBACK routine(DWORD error, DWORD bytes, LPWSAOVERLAPPED ov, DWORD flags)
{
    (void)ov;
    (void)flags;
    routine_seen.calls++;
    routine_seen.error = error;
    routine_seen.bytes = bytes;
}

static void a_routine_hears(void **state)
{
    struct sp_pair pair;
    WSAOVERLAPPED ov = {.hEvent = NULL};
    WSABUF buffer = {sizeof(data[0]), data[0]};

    (void)state;
    sp_pair_open(&pair);
    memset(&routine_seen, 0, sizeof(routine_seen));
    sp_fails(WSA_IO_PENDING, sp_recv_routine(pair.a, &buffer, &ov, routine));
    sp_ok(cancel(pair.a, &ov));
    assert_int_equal(routine_seen.calls, 0);
    assert_int_equal(sw_alertable_wait(sp_env.wait_ms), 1);
    assert_int_equal(routine_seen.calls, 1);
    assert_int_equal(routine_seen.error, WSA_OPERATION_ABORTED);
    sp_pair_close(&pair);
}

/* What a receive has, it has. */
static void a_receive_that_waits_for_all_keeps_what_it_has(void **state)
{
    struct sp_pair pair;
    WSAOVERLAPPED ov;
    DWORD bytes = 0;
    int code;

    (void)state;
    sp_pair_open(&pair);
    sp_fails(WSA_IO_PENDING, receive(pair.a, 0, WS_MSG_WAITALL, &ov));
    sp_send_all(pair.b, "part", 4);
    pal_sleep_ms(100); /* long enough as a rule; what has not come by then comes behind it */
    sp_ok(cancel(pair.a, &ov));
    code = sp_finish(pair.a, &ov, &bytes);
    sp_one_of(code, 0, WSA_OPERATION_ABORTED);
    assert_int_equal(bytes, code == 0 ? 4 : 0);
    if (code != 0)
        sp_recv_all(pair.a, data[0], 4);
    assert_memory_equal(data[0], "part", 4);
    sp_echo(pair.b, pair.a, 3);
    sp_pair_close(&pair);
}

/* The peer does not read: over a SAN it may begin to at any time, since it knows where the bytes are; nobody can forbid it any more,
 * so the connection has to end (8.8). Over TCP/IP a part has gone, and the stream is good for closing only. */
static void a_large_send_the_peer_may_be_reading(void **state)
{
    enum { BYTES = 32 << 20 };
    struct sp_pair pair;
    char *out = calloc(1, BYTES), in[100];
    WSABUF buffer = {BYTES, out};
    WSAOVERLAPPED ov = {.hEvent = NULL};
    DWORD bytes = 0, got = 1;
    int code = 0;

    (void)state;
    sp_pair_open(&pair);
    sp_fails(WSA_IO_PENDING, sp_send_overlapped(pair.a, &buffer, 1, &ov));
    sp_ok(cancel(pair.a, &ov));
    sp_fails(WSA_OPERATION_ABORTED, sp_finish(pair.a, &ov, &bytes));
    assert_true(bytes < BYTES);
    free(out); /* nobody reads from it any more */
    if (sp_env.is_san) {
        while (code == 0 && got != 0)
            code = sp_recv(pair.b, in, sizeof(in), 0, &got);
        sp_one_of(code, WSAECONNRESET, WSAECONNABORTED);
        sp_one_of(sp_send(pair.a, "x", 1, 0, NULL), WSAECONNRESET, WSAECONNABORTED);
    }
    sp_pair_close(&pair);
}

/* A send that nobody has begun with: the stream is as if it had never been. Over a SAN the peer has room for eight transfers. */
static void a_send_that_waits_is_taken_back(void **state)
{
    enum { BYTES = 1 << 20, SENDS = 12 };
    struct sp_pair pair;
    char *out = malloc(BYTES);
    WSABUF buffer = {BYTES, out};
    WSAOVERLAPPED ov[SENDS];
    DWORD bytes = 0;

    (void)state;
    sp_pair_open(&pair);
    sp_fill(out, BYTES, 8, 0);
    memset(ov, 0, sizeof(ov));
    for (unsigned i = 0; i < SENDS; i++)
        sp_started(sp_send_overlapped(pair.a, &buffer, 1, &ov[i]));
    sp_ok(cancel(pair.a, &ov[SENDS - 1]));
    sp_fails(WSA_OPERATION_ABORTED, sp_finish(pair.a, &ov[SENDS - 1], &bytes));
    assert_int_equal(bytes, 0);
    for (unsigned i = 0; i < SENDS - 1; i++) {
        struct sp_reader reader = {.s = pair.b, .seed = 8, .piece_bytes = 100000, .want = BYTES};

        sp_reader_start(&reader);
        sp_reader_join(&reader);
        sp_ok(sp_finish(pair.a, &ov[i], &bytes));
        assert_int_equal(bytes, BYTES);
    }
    sp_echo(pair.a, pair.b, 1);
    free(out);
    sp_pair_close(&pair);
}

/* Waiting for a connection, and for the first data of one. */
static void an_accept_ex(void **state)
{
    WSD_SOCKADDR_IN at;
    SOCKET l = sp_listener(2, &at), s = sp_stream(), b = sp_stream(), other;
    static char out[100 + 2 * SP_ACCEPT_ROOM];
    WSAOVERLAPPED first = {.hEvent = NULL}, second = {.hEvent = NULL};
    DWORD bytes;

    (void)state;
    sp_fails(WSA_IO_PENDING, sp_accept_ex(l, b, out, 0, &first));
    sp_fails(NOT_FOUND, cancel(b, NULL)); /* B082 */
    sp_ok(cancel(l, &first));
    sp_fails(WSA_OPERATION_ABORTED, sp_finish(l, &first, &bytes));
    sp_fails(WSA_IO_PENDING, sp_accept_ex(l, b, out, 100, &second)); /* the socket may be used again */
    sp_ok(sp_connect(s, &at));
    sp_until(sp_set(b, WS_SOL_SOCKET, WS_SO_UPDATE_ACCEPT_CONTEXT, &l, sizeof(l)) == 0);
    sp_fails(WSA_IO_INCOMPLETE, sp_result(l, &second, false, &bytes));
    sp_ok(cancel(l, NULL));
    sp_fails(WSA_OPERATION_ABORTED, sp_finish(l, &second, &bytes));
    sp_ok(sp_close(b));
    sp_ok(sp_close(s));
    s = sp_stream(); /* the listener goes on */
    sp_ok(sp_connect(s, &at));
    sp_ok(sp_accept(l, &other));
    sp_echo(s, other, 1);
    sp_ok(sp_close(s));
    sp_ok(sp_close(other));
    sp_ok(sp_close(l));
}

/* Whether the attempt has ended meanwhile is not known. Either way the operation ends once, and what was called off leaves a socket that can
 * be bound again. */
static void a_connect_ex(void **state)
{
    WSD_SOCKADDR_IN at;
    SOCKET l = sp_listener(1, &at), s, b;
    unsigned aborted = 0;

    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        WSAOVERLAPPED ov = {.hEvent = NULL};
        DWORD bytes = 0;
        int code;

        s = sp_stream();
        sp_ok(sp_bind(s, &sp_env.here));
        sp_fails(WSA_IO_PENDING, sp_connect_ex(s, &at, (char[]){"hello"}, 5, &ov));
        sp_one_of(cancel(s, &ov), 0, NOT_FOUND);
        code = sp_finish(s, &ov, &bytes);
        sp_one_of(code, 0, WSA_OPERATION_ABORTED, WSAECONNREFUSED);
        if (code == WSA_OPERATION_ABORTED && sp_bind(s, &sp_env.here) == 0)
            aborted++;
        sp_ok(sp_close(s));
    }
    printf("taken back before they stood: %u of 20\n", aborted);
    sp_ok(sp_close(l));
    l = sp_listener(1, &at);
    s = sp_stream();
    sp_ok(sp_connect(s, &at));
    sp_ok(sp_accept(l, &b));
    sp_echo(s, b, 1);
    sp_ok(sp_close(s));
    sp_ok(sp_close(b));
    sp_ok(sp_close(l));
}

static void a_transmission(void **state)
{
    enum { BYTES = 32 << 20 };
    struct sp_pair pair;
    HANDLE file = sp_file_create(BYTES, 5);
    WSAOVERLAPPED ov = {.hEvent = NULL};
    DWORD bytes = 0;

    (void)state;
    sp_pair_open(&pair);
    sp_fails(WSA_IO_PENDING, sp_transmit_file(pair.a, file, 0, &ov, NULL, 0));
    sp_ok(cancel(pair.a, &ov));
    sp_fails(WSA_OPERATION_ABORTED, sp_finish(pair.a, &ov, &bytes));
    assert_true(bytes < BYTES);
    sp_file_close(file);
    sp_pair_close(&pair);
}

static void a_change_of_addresses(void **state)
{
    SOCKET s = sp_stream();
    WSAOVERLAPPED ov = {.hEvent = NULL};
    DWORD bytes = 0;
    INT error = 0;

    (void)state;
    sp_ok(ws2_operation_begin(s, &ov));
    ws2_operation_submitted(
        s, &ov,
        sp.procs->lpWSPIoctl(s, SIO_ADDRESS_LIST_CHANGE, NULL, 0, NULL, 0, &bytes, &ov, NULL, NULL, &error),
        error);
    assert_int_equal(error, WSA_IO_PENDING);
    sp_ok(cancel(s, &ov));
    sp_fails(WSA_OPERATION_ABORTED, sp_finish(s, &ov, &bytes));
    sp_ok(sp_close(s));
}

/* --- calling off while the operation ends by itself: one of both, once, and no byte lost --- */

static struct {
    SOCKET s;
    pal_atomic_u32 round, is_over;
} sender;

static int send_each_round(void *unused)
{
    (void)unused;
    for (unsigned seen = 0; pal_load_acquire(&sender.is_over) == 0;) {
        unsigned round = pal_load_acquire(&sender.round);
        char byte = (char)round;

        if (round == seen)
            continue;
        seen = round;
        if (sp_send(sender.s, &byte, 1, 0, NULL) != 0)
            return 1;
    }
    return 0;
}

static void in_a_race_with_its_end(void **state)
{
    enum { ROUNDS = 500 };
    struct sp_pair pair;
    struct sp_call call;
    unsigned won = 0;

    (void)state;
    sp_pair_open(&pair);
    sender.s = pair.b;
    pal_store_relaxed(&sender.round, 0u);
    pal_store_relaxed(&sender.is_over, 0u);
    sp_call_start(&call, send_each_round, NULL);
    for (unsigned i = 1; i <= ROUNDS; i++) {
        WSAOVERLAPPED ov;
        DWORD bytes = 0;
        int code;

        sp_fails(WSA_IO_PENDING, receive(pair.a, 0, 0, &ov));
        pal_store_release(&sender.round, i);
        for (unsigned spin = 0; spin < i * 20; spin++)
            pal_cpu_relax();
        sp_one_of(cancel(pair.a, i % 2 == 0 ? NULL : &ov), 0, NOT_FOUND);
        code = sp_finish(pair.a, &ov, &bytes);
        sp_one_of(code, 0, WSA_OPERATION_ABORTED);
        if (code != 0) {
            won++;
            sp_recv_all(pair.a, data[0], 1);
        } else {
            assert_int_equal(bytes, 1);
        }
        assert_int_equal(data[0][0], (char)i);
    }
    pal_store_release(&sender.is_over, 1u);
    sp_ok(sp_call_join(&call));
    printf("called off in time: %u of %d\n", won, ROUNDS);
    sp_pair_close(&pair);
}

int sp_cancelling_io(void)
{
    const struct CMUnitTest tests[] = {
        sp_test(a_receive_is_taken_back),
        sp_test(one_of_several),
        sp_test(only_the_threads_own),
        sp_test(a_routine_hears),
        sp_test(a_receive_that_waits_for_all_keeps_what_it_has),
        sp_test(a_large_send_the_peer_may_be_reading),
        sp_test(a_send_that_waits_is_taken_back),
        sp_test(an_accept_ex),
        sp_test(a_connect_ex),
        sp_test(a_transmission),
        sp_test(a_change_of_addresses),
        sp_test(in_a_race_with_its_end),
    };

    return cmocka_run_group_tests_name("cancel_io", tests, NULL, NULL);
}
