/* order.c - the stream's order when kinds of calls, sizes and modes are mixed. Contract 1.4 (KB 927620: non-blocking mixed with
 * overlapped, a large send right after a small one, more than one WSABUF), 10.3 "Buffers". */
#include "sp.h"

#define TOTAL (4u << 20)

static char *stream; /* TOTAL bytes of the pattern */
static const DWORD sizes[] = {1, 100, 70000, 3, 200000, 4096, 16384, 65536, 0, 65537, 17, 31000};
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

static void open_with_reader(struct sp_pair *pair, struct sp_reader *reader, uint32_t seed)
{
    sp_pair_open(pair);
    stream = malloc(TOTAL);
    sp_fill(stream, TOTAL, seed, 0);
    *reader = (struct sp_reader){.s = pair->b, .seed = seed, .piece_bytes = 50000, .want = TOTAL};
    sp_reader_start(reader);
}

static void close_with_reader(struct sp_pair *pair, struct sp_reader *reader)
{
    sp_reader_join(reader);
    free(stream);
    sp_pair_close(pair);
}

static DWORD next_size(unsigned i, uint64_t at)
{
    DWORD bytes = sizes[i % SIZES];

    return TOTAL - at < bytes ? (DWORD)(TOTAL - at) : bytes;
}

static void overlapped_sends_between_blocking_ones(void **state)
{
    enum { SLOTS = 8 };
    struct sp_pair pair;
    struct sp_reader reader;
    WSAOVERLAPPED ov[SLOTS];
    bool used[SLOTS] = {false};
    uint64_t at = 0;

    (void)state;
    open_with_reader(&pair, &reader, 1);
    memset(ov, 0, sizeof(ov));
    for (unsigned i = 0; at < TOTAL; i++) {
        unsigned slot = i % SLOTS;
        WSABUF buffer = {next_size(i, at), stream + at};

        if (i % 5 == 4) {
            sp_send_all(pair.a, buffer.buf, buffer.len);
        } else {
            if (used[slot])
                sp_ok(sp_finish(pair.a, &ov[slot], NULL));
            sp_started(sp_send_overlapped(pair.a, &buffer, 1, &ov[slot]));
            used[slot] = true;
        }
        at += buffer.len;
    }
    for (unsigned i = 0; i < SLOTS; i++)
        if (used[i])
            sp_ok(sp_finish(pair.a, &ov[i], NULL));
    close_with_reader(&pair, &reader);
}

static void non_blocking_sends_between_overlapped_ones(void **state)
{
    struct sp_pair pair;
    struct sp_reader reader;
    WSAOVERLAPPED ov = {.hEvent = NULL};
    bool is_used = false;
    uint64_t at = 0, end = sp_deadline();

    (void)state;
    open_with_reader(&pair, &reader, 2);
    sp_ok(sp_nonblocking(pair.a, true));
    for (unsigned i = 0; at < TOTAL; i++) {
        WSABUF buffer = {next_size(i, at), stream + at};
        DWORD sent = 0;

        if (i % 2 == 0) {
            if (is_used)
                sp_ok(sp_finish(pair.a, &ov, NULL));
            sp_started(sp_send_overlapped(pair.a, &buffer, 1, &ov));
            is_used = true;
            at += buffer.len;
            continue;
        }
        while (buffer.len > 0) { /* may be told to wait behind the overlapped one */
            int error = sp_sendv(pair.a, &buffer, 1, &sent);
            unsigned ready;

            sp_one_of(error, 0, WSAEWOULDBLOCK);
            assert_true(pal_now_ns() < end);
            if (error == 0) {
                at += sent;
                buffer.buf += sent;
                buffer.len -= sent;
            } else {
                sp_ok(sp_select(pair.a, SP_WRITE, 1000, &ready));
            }
        }
    }
    if (is_used)
        sp_ok(sp_finish(pair.a, &ov, NULL));
    close_with_reader(&pair, &reader);
}

static void large_right_after_small(void **state)
{
    struct sp_pair pair;
    struct sp_reader reader;
    uint64_t at = 0;

    (void)state;
    open_with_reader(&pair, &reader, 3);
    for (unsigned i = 0; at < TOTAL; i++) {
        DWORD bytes = i % 2 == 0 ? 10 : 150000;

        bytes = TOTAL - at < bytes ? (DWORD)(TOTAL - at) : bytes;
        sp_send_all(pair.a, stream + at, bytes);
        at += bytes;
    }
    close_with_reader(&pair, &reader);
}

static void many_buffers_in_one_send(void **state)
{
    enum { BUFFERS = 40 };
    struct sp_pair pair;
    struct sp_reader reader;
    uint64_t at = 0;

    (void)state;
    open_with_reader(&pair, &reader, 4);
    for (unsigned i = 0; at < TOTAL; i++) {
        WSABUF buffers[BUFFERS];
        DWORD sum = 0, sent = 0;

        for (unsigned k = 0; k < BUFFERS; k++) {
            DWORD bytes = next_size(i + k, at + sum) % 5000;

            if (k == BUFFERS - 1 && i > 200) /* the rest of it */
                bytes = (DWORD)(TOTAL - at - sum);
            buffers[k] = (WSABUF){bytes, stream + at + sum};
            sum += bytes;
        }
        sp_ok(sp_sendv(pair.a, buffers, BUFFERS, &sent));
        assert_int_equal(sent, sum);
        at += sum;
    }
    close_with_reader(&pair, &reader);
}

/* Receives queued by overlapped calls come before a blocking one that follows. */
static void a_blocking_receive_behind_overlapped_ones(void **state)
{
    enum { COUNT = 5, PIECE = 1000 };
    struct sp_pair pair;
    WSAOVERLAPPED ov[COUNT];
    static char in[COUNT + 1][PIECE], out[(COUNT + 1) * PIECE];
    DWORD bytes = 0;

    (void)state;
    sp_pair_open(&pair);
    memset(ov, 0, sizeof(ov));
    sp_fill(out, sizeof(out), 5, 0);
    for (unsigned i = 0; i < COUNT; i++) {
        WSABUF buffer = {PIECE, in[i]};

        sp_fails(WSA_IO_PENDING, sp_recv_overlapped(pair.b, &buffer, 1, 0, &ov[i]));
    }
    for (unsigned i = 0; i < COUNT; i++) { /* one by one, so that each fills one buffer */
        sp_send_all(pair.a, out + i * PIECE, PIECE);
        sp_ok(sp_finish(pair.b, &ov[i], &bytes));
        assert_int_equal(bytes, PIECE);
    }
    sp_send_all(pair.a, out + COUNT * PIECE, PIECE);
    sp_recv_all(pair.b, in[COUNT], PIECE);
    for (unsigned i = 0; i <= COUNT; i++)
        sp_expect_pattern(in[i], PIECE, 5, (uint64_t)i * PIECE);
    sp_pair_close(&pair);
}

/* Posted receive buffers fill in posting order, whatever the sizes of the sends. */
static void posted_receives_fill_in_order(void **state)
{
    enum { COUNT = 60 };
    static WSAOVERLAPPED ov[COUNT];
    static char in[COUNT][9000];
    struct sp_pair pair;
    uint64_t at = 0;
    char *out = malloc(COUNT * 9000u);

    (void)state;
    sp_pair_open(&pair);
    memset(ov, 0, sizeof(ov));
    sp_fill(out, COUNT * 9000u, 6, 0);
    for (unsigned i = 0; i < COUNT; i++) {
        WSABUF buffer = {1 + i * 150, in[i]};

        sp_fails(WSA_IO_PENDING, sp_recv_overlapped(pair.b, &buffer, 1, 0, &ov[i]));
    }
    for (uint64_t sent = 0; sent < 100000; sent += 1250)
        sp_send_all(pair.a, out + sent, 1250);
    sp_ok(sp_shutdown(pair.a, SD_SEND));
    for (unsigned i = 0; i < COUNT; i++) {
        DWORD bytes = 0;

        sp_ok(sp_finish(pair.b, &ov[i], &bytes));
        sp_expect_pattern(in[i], bytes, 6, at);
        at += bytes;
    }
    while (at < 100000) { /* short ones leave something */
        char rest[5000];
        DWORD got = 0;

        sp_ok(sp_recv(pair.b, rest, sizeof(rest), 0, &got));
        assert_int_not_equal(got, 0);
        sp_expect_pattern(rest, got, 6, at);
        at += got;
    }
    sp_expect_end(pair.b);
    free(out);
    sp_pair_close(&pair);
}

int sp_order_of_bytes(void)
{
    const struct CMUnitTest tests[] = {
        sp_test(overlapped_sends_between_blocking_ones),
        sp_test(non_blocking_sends_between_overlapped_ones),
        sp_test(large_right_after_small),
        sp_test(many_buffers_in_one_send),
        sp_test(a_blocking_receive_behind_overlapped_ones),
        sp_test(posted_receives_fill_in_order),
    };

    return cmocka_run_group_tests_name("order", tests, NULL, NULL);
}
