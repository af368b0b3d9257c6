/* sizes.c - sizes around every threshold that there may be (private buffers, message size, RDMA threshold: contract 8.7), and numbers of
 * WSABUFs on both sides. */
#include "pal/memory.h"
#include "sp.h"

#define MOST (1u << 20)

static const DWORD around[] = {256, 1024, 4096, 8192, 16384, 32768, 65536, 131072};
static const DWORD counts[] = {1, 2, 16, 40};

static char memory_out[MOST], memory_in[MOST];
static char *out = memory_out, *in = memory_in; /* the sender's and the receiver's */

/* `bytes` cut in `count` buffers of about the same size. */
static void cut(WSABUF *buffers, DWORD count, char *memory, DWORD bytes)
{
    DWORD at = 0;

    for (DWORD i = 0; i < count; i++) {
        DWORD piece = i + 1 == count ? bytes - at : bytes / count;

        buffers[i] = (WSABUF){piece, memory + at};
        at += piece;
    }
}

struct sending {
    SOCKET s;
    DWORD bytes, count;
};

static int send_cut(void *context)
{
    struct sending *w = context;
    WSABUF buffers[40];
    DWORD sent = 0;
    int error;

    cut(buffers, w->count, out, w->bytes);
    error = sp_sendv(w->s, buffers, w->count, &sent);
    return error != 0 ? error : sent == w->bytes ? 0 : -2;
}

static void transfer(struct sp_pair *pair, DWORD bytes, DWORD send_count, DWORD receive_count, uint32_t seed)
{
    struct sending w = {pair->a, bytes, send_count};
    struct sp_call call;
    DWORD have = 0;

    sp_fill(out, bytes, seed, 0);
    memset(in, 0, bytes);
    sp_call_start(&call, send_cut, &w);
    while (have < bytes) {
        WSABUF buffers[40];
        DWORD got = 0;

        cut(buffers, receive_count, in + have, bytes - have);
        sp_ok(sp_recvv(pair->b, buffers, receive_count, &got));
        if (got == 0)
            sp_fail("the stream ended");
        have += got;
    }
    sp_ok(sp_call_join(&call));
    sp_expect_pattern(in, bytes, seed, 0);
}

static void around_the_thresholds(void **state)
{
    struct sp_pair pair;

    (void)state;
    sp_pair_open(&pair);
    for (unsigned i = 0; i < sizeof(around) / sizeof(around[0]); i++)
        for (int d = -1; d <= 1; d++)
            transfer(&pair, around[i] + (DWORD)d, 1, 1, i * 3 + (uint32_t)(d + 1));
    transfer(&pair, 1, 1, 1, 50);
    transfer(&pair, MOST, 1, 1, 51);
    transfer(&pair, MOST - 1, 1, 1, 52);
    sp_pair_close(&pair);
}

static void every_size_up_to_some(void **state)
{
    struct sp_pair pair;

    (void)state;
    sp_pair_open(&pair);
    for (DWORD bytes = 0; bytes < 300; bytes++)
        transfer(&pair, bytes, 1, 1, bytes);
    sp_pair_close(&pair);
}

static void numbers_of_buffers(void **state)
{
    static const DWORD some[] = {40, 1000, 16384, 100000};
    struct sp_pair pair;

    (void)state;
    sp_pair_open(&pair);
    for (unsigned b = 0; b < 4; b++)
        for (unsigned i = 0; i < 4; i++)
            for (unsigned k = 0; k < 4; k++)
                transfer(&pair, some[b], counts[i], counts[k], b * 16 + i * 4 + k);
    transfer(&pair, MOST, 40, 40, 99);
    sp_pair_close(&pair);
}

/* A program frees its memory and gets other pages at the same addresses, which the system does as soon as it can: nothing that was
 * remembered of the pages before may serve the transfers after (checklist 14.2, 13). */
static void remapped(void **state)
{
    struct sp_pair pair;

    (void)state;
    sp_pair_open(&pair);
    for (uint32_t round = 0; round < 16; round++) {
        out = pal_pages_alloc(MOST);
        in = pal_pages_alloc(MOST);
        assert_true(out != NULL && in != NULL);
        transfer(&pair, MOST, 1, 1, 200 + round);
        pal_pages_free(in, MOST);
        pal_pages_free(out, MOST);
    }
    out = memory_out;
    in = memory_in;
    sp_pair_close(&pair);
}

/* Empty buffers among full ones, and no buffers at all. */
static void buffers_of_nothing(void **state)
{
    struct sp_pair pair;
    WSABUF buffers[5] = {{0, NULL}, {3, out}, {0, out}, {4, out + 3}, {0, NULL}};
    DWORD sent = 9;

    (void)state;
    sp_pair_open(&pair);
    sp_fill(out, 7, 1, 0);
    sp_ok(sp_sendv(pair.a, buffers, 5, &sent));
    assert_int_equal(sent, 7);
    sp_recv_all(pair.b, in, 7);
    sp_expect_pattern(in, 7, 1, 0);
    sp_one_of(sp_sendv(pair.a, buffers, 0, &sent), 0, WSAEINVAL); /* the pages do not say */
    sp_ok(sp_sendv(pair.a, buffers, 1, &sent));
    assert_int_equal(sent, 0);
    sp_echo(pair.a, pair.b, 2);
    sp_pair_close(&pair);
}

/* A receive of 10 bytes from a message of 1 MiB, and so on: the rest stays. */
static void small_receives_from_large_sends(void **state)
{
    struct sp_pair pair;
    struct sending w = {.bytes = MOST, .count = 1};
    struct sp_call call;
    DWORD have = 0;

    (void)state;
    sp_pair_open(&pair);
    sp_fill(out, MOST, 8, 0);
    w.s = pair.a;
    sp_call_start(&call, send_cut, &w);
    for (unsigned i = 0; have < MOST; i++) {
        DWORD piece = 1 + i * 61 % 5000, got = 0;

        sp_ok(sp_recv(pair.b, in + have, MOST - have < piece ? MOST - have : piece, 0, &got));
        assert_int_not_equal(got, 0);
        have += got;
    }
    sp_ok(sp_call_join(&call));
    sp_expect_pattern(in, MOST, 8, 0);
    sp_pair_close(&pair);
}

int sp_sizes(void)
{
    const struct CMUnitTest tests[] = {
        sp_test(around_the_thresholds), sp_test(every_size_up_to_some),
        sp_test(numbers_of_buffers),    sp_test(remapped),
        sp_test(buffers_of_nothing),    sp_test(small_receives_from_large_sends),
    };

    return cmocka_run_group_tests_name("sizes", tests, NULL, NULL);
}
