/* nonblocking.c - sends and receives that do not wait. Contract 10.1, functions 19, 23; B104; windows.md's trap: a send takes all or
 * nothing where there is room for it. */
#include "sp.h"

static void open_pair(struct sp_pair *pair)
{
    sp_pair_open(pair);
    sp_ok(sp_nonblocking(pair->a, true));
    sp_ok(sp_nonblocking(pair->b, true));
}

/* Sends pieces until there is no room, and none comes by itself either: what was refused may go on its way a moment later, until the
 * peer's side is full, too. How many bytes went. */
static uint64_t send_until_full(SOCKET s, uint32_t seed, DWORD piece_bytes)
{
    char *piece = malloc(piece_bytes);
    uint64_t total = 0;
    unsigned ready;
    int error;

    do {
        for (;;) {
            DWORD sent = 0;

            sp_fill(piece, piece_bytes, seed, total);
            error = sp_send(s, piece, piece_bytes, 0, &sent);
            if (error != 0)
                break;
            if (sent != piece_bytes)
                sp_fail("%u of %u bytes were sent", (unsigned)sent, (unsigned)piece_bytes);
            total += sent;
            if (total > 512u << 20)
                sp_fail("it never gets full");
        }
        sp_fails(WSAEWOULDBLOCK, error);
        sp_ok(sp_select(s, SP_WRITE, 250, &ready));
    } while (ready != 0);
    free(piece);
    return total;
}

/* Receives and compares `bytes`, waiting with select. */
static void drain(SOCKET s, uint32_t seed, uint64_t bytes)
{
    static char piece[50000];
    uint64_t have = 0;
    uint64_t end = sp_deadline();

    while (have < bytes) {
        DWORD got = 0;
        unsigned ready;
        int error = sp_recv(s, piece, bytes - have < sizeof(piece) ? (DWORD)(bytes - have) : sizeof(piece), 0,
                            &got);

        if (error == WSAEWOULDBLOCK) {
            assert_true(pal_now_ns() < end);
            sp_ok(sp_select(s, SP_READ, 1000, &ready));
            continue;
        }
        sp_ok(error);
        assert_int_not_equal(got, 0);
        sp_expect_pattern(piece, got, seed, have);
        have += got;
    }
}

static void nothing_there(void **state)
{
    struct sp_pair pair;
    char data[10];
    DWORD got = 55;
    ULONG waiting = 9;

    (void)state;
    open_pair(&pair);
    sp_fails(WSAEWOULDBLOCK, sp_recv(pair.a, data, sizeof(data), 0, &got));
    assert_int_equal(got, 55);
    sp_fails(WSAEWOULDBLOCK, sp_recv(pair.a, data, sizeof(data), WS_MSG_PEEK, &got));
    sp_ok(sp_ioctl(pair.a, WS_FIONREAD, NULL, 0, &waiting, sizeof(waiting), NULL));
    assert_int_equal(waiting, 0);
    sp_ok(sp_send(pair.b, "12345", 5, 0, NULL));
    sp_until(sp_recv(pair.a, data, sizeof(data), WS_MSG_PEEK, &got) == 0);
    assert_int_equal(got, 5);
    sp_ok(sp_ioctl(pair.a, WS_FIONREAD, NULL, 0, &waiting, sizeof(waiting), NULL));
    assert_int_equal(waiting, 5);
    sp_ok(sp_recv(pair.a, data, sizeof(data), 0, &got));
    assert_int_equal(got, 5);
    sp_fails(WSAEWOULDBLOCK, sp_recv(pair.a, data, sizeof(data), 0, &got));
    sp_pair_close(&pair);
}

static void all_or_nothing(void **state)
{
    static const DWORD pieces[] = {1000, 4096, 10000};

    (void)state;
    for (unsigned i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        struct sp_pair pair;
        uint64_t total;
        unsigned ready;

        open_pair(&pair);
        total = send_until_full(pair.a, i, pieces[i]);
        assert_true(total > 0);
        sp_ok(sp_select(pair.a, SP_WRITE, 0, &ready)); /* B182 */
        assert_int_equal(ready, 0);
        drain(pair.b, i, total);
        sp_ok(sp_select(pair.a, SP_WRITE, sp_env.wait_ms, &ready));
        assert_int_equal(ready, SP_WRITE);
        total = send_until_full(pair.a, i + 10, pieces[i]);
        drain(pair.b, i + 10, total);
        sp_pair_close(&pair);
    }
}

static void a_large_send_takes_what_it_can(void **state)
{
    enum { BYTES = 8 << 20 };
    struct sp_pair pair;
    char *data = malloc(BYTES);
    uint64_t total = 0;
    uint64_t end = sp_deadline();
    struct sp_reader reader = {.seed = 4, .piece_bytes = 60000, .want = BYTES};

    (void)state;
    sp_pair_open(&pair);
    sp_ok(sp_nonblocking(pair.a, true));
    sp_fill(data, BYTES, 4, 0);
    reader.s = pair.b;
    sp_reader_start(&reader);
    while (total < BYTES) {
        DWORD sent = 0;
        unsigned ready;
        int error = sp_send(pair.a, data + total, (DWORD)(BYTES - total), 0, &sent);

        if (error == WSAEWOULDBLOCK) {
            assert_true(pal_now_ns() < end);
            sp_ok(sp_select(pair.a, SP_WRITE, 1000, &ready));
            continue;
        }
        sp_ok(error);
        assert_int_not_equal(sent, 0);
        total += sent;
    }
    sp_reader_join(&reader);
    free(data);
    sp_pair_close(&pair);
}

static void the_end_of_the_stream(void **state)
{
    struct sp_pair pair;
    char data[10];
    DWORD got = 9;

    (void)state;
    open_pair(&pair);
    sp_ok(sp_send(pair.a, "bye", 3, 0, NULL));
    sp_ok(sp_close(pair.a));
    pair.a = INVALID_SOCKET;
    sp_until(sp_recv(pair.b, data, sizeof(data), 0, &got) == 0);
    assert_int_equal(got, 3);
    sp_until(sp_recv(pair.b, data, sizeof(data), 0, &got) == 0);
    assert_int_equal(got, 0);
    sp_pair_close(&pair);
}

/* The mode may change at any time, and back. */
static void between_the_modes(void **state)
{
    struct sp_pair pair;
    char data[10];

    (void)state;
    open_pair(&pair);
    sp_fails(WSAEWOULDBLOCK, sp_recv(pair.a, data, sizeof(data), 0, NULL));
    sp_ok(sp_nonblocking(pair.a, false));
    sp_ok(sp_set_int(pair.a, WS_SOL_SOCKET, WS_SO_RCVTIMEO, 20));
    sp_fails(WSAETIMEDOUT, sp_recv(pair.a, data, sizeof(data), 0, NULL));
    sp_ok(sp_nonblocking(pair.a, true));
    sp_fails(WSAEWOULDBLOCK, sp_recv(pair.a, data, sizeof(data), 0, NULL));
    sp_pair_close(&pair);
}

int sp_nonblocking_data(void)
{
    const struct CMUnitTest tests[] = {
        sp_test(nothing_there),         sp_test(all_or_nothing),    sp_test(a_large_send_takes_what_it_can),
        sp_test(the_end_of_the_stream), sp_test(between_the_modes),
    };

    return cmocka_run_group_tests_name("nonblocking", tests, NULL, NULL);
}
