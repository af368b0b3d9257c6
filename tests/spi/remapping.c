/* remapping.c - memory that is sent from and received into, and then is other memory at the same addresses: unmapped, mapped over, moved,
 * discarded, by one thread and by several at once. What is carried are the bytes that stand there at the time of the call, whatever is
 * remembered of the addresses (checklist 14.2, 13). */
#include "sp.h"

enum { BYTES = 256 * 1024, AT_ONCE = 65536 }; /* large enough for RDMA; AT_ONCE: where Windows may map */

struct sending {
    SOCKET s;
    const char *data;
    DWORD bytes;
};

static int send_it(void *context)
{
    struct sending *w = context;
    DWORD sent = 0;
    int error = sp_send(w->s, w->data, w->bytes, 0, &sent);

    return error != 0 ? error : sent == w->bytes ? 0 : -2;
}

/* From `out` to `in`, filled before. */
static void carry(struct sp_pair *pair, char *out, char *in, uint32_t seed)
{
    struct sending w = {pair->a, out, BYTES};
    struct sp_call call;

    sp_fill(out, BYTES, seed, 0);
    memset(in, 0, BYTES);
    sp_call_start(&call, send_it, &w);
    sp_recv_all(pair->b, in, BYTES);
    sp_ok(sp_call_join(&call));
    sp_expect_pattern(in, BYTES, seed, 0);
}

static char *map(void *where, size_t bytes)
{
    char *p = sp_map(where, bytes);

    assert_non_null(p);
    return p;
}

static void freed_and_mapped_again(void **state)
{
    struct sp_pair pair;
    char *out = map(NULL, BYTES), *in = map(NULL, BYTES);

    (void)state;
    sp_pair_open(&pair);
    for (uint32_t round = 0; round < 16; round++) {
        carry(&pair, out, in, 2 * round);
        carry(&pair, out, in, 2 * round + 1);
        sp_unmap(out, BYTES);
        sp_unmap(in, BYTES);
        map(out, BYTES);
        map(in, BYTES);
    }
    sp_pair_close(&pair);
    sp_unmap(out, BYTES);
    sp_unmap(in, BYTES);
}

static void mapped_over(void **state)
{
    struct sp_pair pair;
    char *out = map(NULL, BYTES), *in = map(NULL, BYTES);

    (void)state;
    sp_pair_open(&pair);
    for (uint32_t round = 0; round < 16; round++) {
        carry(&pair, out, in, round);
        /* a part, as an allocator does */
        if (!sp_map_over(out + BYTES / 2, AT_ONCE) || !sp_map_over(in, BYTES))
            sp_skip("not on this system");
    }
    sp_pair_close(&pair);
    sp_unmap(out, BYTES);
    sp_unmap(in, BYTES);
}

static void moved(void **state)
{
    struct sp_pair pair;
    char *one = map(NULL, BYTES), *two = map(NULL, BYTES), *in = map(NULL, BYTES);

    (void)state;
    sp_pair_open(&pair);
    for (uint32_t round = 0; round < 8; round++) {
        carry(&pair, one, in, 3 * round);
        carry(&pair, two, in, 3 * round + 1);
        if (!sp_move_memory(one, two, BYTES))
            sp_skip("not on this system");
        map(one, BYTES);
        carry(&pair, two, in, 3 * round + 2);
    }
    sp_pair_close(&pair);
    sp_unmap(one, BYTES);
    sp_unmap(two, BYTES);
    sp_unmap(in, BYTES);
}

static void discarded(void **state)
{
    struct sp_pair pair;
    char *out = map(NULL, BYTES), *in = map(NULL, BYTES);

    (void)state;
    sp_pair_open(&pair);
    for (uint32_t round = 0; round < 16; round++) {
        carry(&pair, out, in, round);
        if (!sp_discard(out, BYTES) || !sp_discard(in, BYTES))
            sp_skip("not on this system");
    }
    sp_pair_close(&pair);
    sp_unmap(out, BYTES);
    sp_unmap(in, BYTES);
}

/* --- several threads that hand addresses round, each of them while another is still about to let go --- */

enum { PAIRS = 3, PLACES = 2, ROUNDS = 12, PIECE = 65536 };

static struct {
    char *send_places[PLACES], *receive_places[PLACES];
    uint64_t end_ns;
} race;

static char *take_a_place(char *const *places, uint32_t *random)
{
    while (pal_now_ns() < race.end_ns) {
        *random = *random * 1664525u + 1013904223u;
        char *at = places[(*random >> 16) % PLACES];
        char *p = sp_map(at, PIECE);
        if (p == at)
            return p;
        if (p != NULL) /* another system may give another place */
            sp_unmap(p, PIECE);
        pal_thread_yield();
    }
    return NULL;
}

static int send_from_places(SOCKET s)
{
    uint32_t random = (uint32_t)s + 1;

    for (uint32_t round = 0; round < ROUNDS; round++) {
        char *at = take_a_place(race.send_places, &random);
        struct sending w = {s, at, PIECE};
        int error;

        if (at == NULL)
            return -3;
        for (uint32_t i = 0; i < 2; i++) {
            sp_fill(at, PIECE, 2 * round + i, 0);
            if ((error = send_it(&w)) != 0)
                return error;
        }
        sp_unmap(at, PIECE);
    }
    return 0;
}

static int receive_into_places(SOCKET s)
{
    uint32_t random = (uint32_t)s + 1;
    char *wanted = malloc(PIECE);
    int error = wanted != NULL ? 0 : -1;

    for (uint32_t n = 0; n < 2 * ROUNDS && error == 0; n++) {
        char *at = take_a_place(race.receive_places, &random);

        if (at == NULL)
            error = -3;
        for (DWORD have = 0, got = 0; have < PIECE && error == 0; have += got) {
            error = sp_recv(s, at + have, PIECE - have, 0, &got);
            if (error == 0 && got == 0)
                error = -4;
        }
        if (error != 0)
            break;
        sp_fill(wanted, PIECE, n, 0);
        if (memcmp(wanted, at, PIECE) != 0)
            error = -5;
        sp_unmap(at, PIECE);
    }
    free(wanted);
    return error;
}

/* Who fails must not leave the other end waiting. */
static int send_all(void *s)
{
    int error = send_from_places(*(SOCKET *)s);

    if (error != 0)
        sp_shutdown(*(SOCKET *)s, SD_BOTH);
    return error;
}

static int receive_all(void *s)
{
    int error = receive_into_places(*(SOCKET *)s);

    if (error != 0)
        sp_shutdown(*(SOCKET *)s, SD_BOTH);
    return error;
}

static void addresses_that_go_round_among_threads(void **state)
{
    struct sp_pair pair[PAIRS];
    struct sp_call sending[PAIRS], receiving[PAIRS];
    char *far_away = sp_far_place();

    (void)state;
    for (unsigned i = 0; i < PAIRS; i++)
        sp_pair_open(&pair[i]);
    for (unsigned i = 0; i < PLACES; i++) {
        race.send_places[i] = far_away + 2 * i * PIECE;
        race.receive_places[i] = far_away + (2 * i + 1) * PIECE;
    }
    race.end_ns = sp_deadline();
    for (unsigned i = 0; i < PAIRS; i++) {
        sp_call_start(&receiving[i], receive_all, &pair[i].b);
        sp_call_start(&sending[i], send_all, &pair[i].a);
    }
    for (unsigned i = 0; i < PAIRS; i++) {
        sp_call_join(&receiving[i]);
        sp_ok(sp_call_join(&sending[i])); /* first whoever ended it */
        sp_ok(receiving[i].error);
    }
    for (unsigned i = 0; i < PAIRS; i++)
        sp_pair_close(&pair[i]);
}

int sp_remapping(void)
{
    const struct CMUnitTest tests[] = {
        sp_test(freed_and_mapped_again),
        sp_test(mapped_over),
        sp_test(moved),
        sp_test(discarded),
        sp_test(addresses_that_go_round_among_threads),
    };

    return cmocka_run_group_tests_name("remapping", tests, NULL, NULL);
}
