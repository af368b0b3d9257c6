/* test_descriptor.c - the 24 bytes that let a peer reach a buffer: their layout, and what hostile ones can do
 * (6.4, W5). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "data/grant.h"
#include "pal/time.h"

static const struct wsd_descriptor sample = {.access = MEM_READWRITE,
                                             .rkey = 0xA1B2C3D4u,
                                             .addr = 0x0123456789ABCDEFu,
                                             .bytes = 0x00100002u,
                                             .nonce = 0xCAFEF00Du};
/* clang-format off */
static const uint8_t sample_bytes[WSD_DESCRIPTOR_BYTES] = {
    1, 3, 0, 0,                                     /* version, access, zero */
    0xA1, 0xB2, 0xC3, 0xD4,                         /* remote key */
    0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF, /* address */
    0x00, 0x10, 0x00, 0x02,                         /* length */
    0xCA, 0xFE, 0xF0, 0x0D};                        /* nonce of the connection */
/* clang-format on */

/* From a block of exactly that size and at an odd address: a session message puts it anywhere. */
static bool decode_exact(const uint8_t *in, uint32_t bytes, struct wsd_descriptor *out)
{
    uint8_t *copy = malloc(bytes + 1u);
    assert_non_null(copy);
    memcpy(copy + 1, in, bytes);
    bool ok = wsd_descriptor_decode(copy + 1, bytes, out);
    free(copy);
    return ok;
}

static bool same(const struct wsd_descriptor *a, const struct wsd_descriptor *b)
{
    return a->access == b->access && a->rkey == b->rkey && a->addr == b->addr && a->bytes == b->bytes &&
           a->nonce == b->nonce;
}

static void check_hostile(const uint8_t *in, const char *what)
{
    struct wsd_descriptor d;
    uint8_t again[WSD_DESCRIPTOR_BYTES];
    if (!decode_exact(in, WSD_DESCRIPTOR_BYTES, &d))
        return;
    if (d.access < MEM_READ || d.access > MEM_READWRITE || d.addr + d.bytes < d.addr)
        fail_msg("%s: decoded to something illegal", what);
    wsd_descriptor_encode(&d, again);
    if (memcmp(again, in, sizeof again) != 0)
        fail_msg("%s: two spellings of one descriptor", what);
}

static void a_descriptor_has_the_documented_24_bytes(void **state)
{
    (void)state;
    uint8_t out[WSD_DESCRIPTOR_BYTES];
    assert_int_equal(WSD_DESCRIPTOR_BYTES, 24); /* at most 32 fit what a switch offers first (Q9) */
    memset(out, 0xEE, sizeof out);
    wsd_descriptor_encode(&sample, out);
    assert_memory_equal(out, sample_bytes, sizeof out);
}

static void every_field_survives_the_round_trip(void **state)
{
    (void)state;
    static const struct wsd_descriptor edges[] = {
        {.access = MEM_READ, .bytes = 1},
        {.access = MEM_WRITE, .rkey = 1, .addr = 1, .bytes = 1, .nonce = 1},
        {.access = MEM_READWRITE, .rkey = UINT32_MAX, .addr = 4096, .bytes = UINT32_MAX, .nonce = UINT32_MAX},
        {.access = MEM_READ, .addr = UINT64_MAX - UINT32_MAX, .bytes = UINT32_MAX}, /* up to the end */
    };
    for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++) {
        uint8_t bytes[WSD_DESCRIPTOR_BYTES];
        struct wsd_descriptor d;
        wsd_descriptor_encode(&edges[i], bytes);
        assert_true(decode_exact(bytes, sizeof bytes, &d));
        assert_true(same(&d, &edges[i]));
    }
}

static void every_other_length_is_rejected(void **state)
{
    (void)state;
    uint8_t room[2 * WSD_DESCRIPTOR_BYTES] = {0};
    struct wsd_descriptor d;
    memcpy(room, sample_bytes, WSD_DESCRIPTOR_BYTES);
    for (uint32_t bytes = 0; bytes <= sizeof room; bytes++)
        assert_int_equal(decode_exact(room, bytes, &d), bytes == WSD_DESCRIPTOR_BYTES);
    assert_true(decode_exact(sample_bytes, WSD_DESCRIPTOR_BYTES, &d));
    assert_true(same(&d, &sample));
}

static void every_corruption_of_one_byte_is_rejected_or_a_legal_descriptor(void **state)
{
    (void)state;
    for (uint32_t at = 0; at < WSD_DESCRIPTOR_BYTES; at++)
        for (unsigned change = 1; change < 256; change++) {
            uint8_t bytes[WSD_DESCRIPTOR_BYTES];
            char what[40];
            struct wsd_descriptor d;
            memcpy(bytes, sample_bytes, sizeof bytes);
            bytes[at] ^= (uint8_t)change;
            snprintf(what, sizeof what, "byte %u = %02x", at, bytes[at]);
            check_hostile(bytes, what);
            if ((at == 0 || at == 2 || at == 3) && decode_exact(bytes, sizeof bytes, &d))
                fail_msg("%s: version and reserved bytes are fixed", what);
        }
}

static void unknown_rights_are_rejected(void **state)
{
    (void)state;
    struct wsd_descriptor d;
    for (unsigned access = 0; access < 256; access++) {
        uint8_t bytes[WSD_DESCRIPTOR_BYTES];
        memcpy(bytes, sample_bytes, sizeof bytes);
        bytes[1] = (uint8_t)access;
        assert_int_equal(decode_exact(bytes, sizeof bytes, &d), access >= 1 && access <= 3);
    }
}

static void a_range_that_wraps_around_the_address_space_is_rejected(void **state)
{
    (void)state;
    static const struct {
        uint64_t addr;
        uint32_t bytes;
        bool is_legal;
    } cases[] = {
        {UINT64_MAX - 16, 16, true},         {UINT64_MAX - 15, 17, false},
        {UINT64_MAX, UINT32_MAX, false},     {UINT64_MAX - UINT32_MAX, UINT32_MAX, true},
        {UINT64_MAX - 1, UINT32_MAX, false}, {0, UINT32_MAX, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct wsd_descriptor d = sample;
        uint8_t bytes[WSD_DESCRIPTOR_BYTES];
        d.addr = cases[i].addr;
        d.bytes = cases[i].bytes;
        wsd_descriptor_encode(&d, bytes);
        assert_int_equal(decode_exact(bytes, sizeof bytes, &d), cases[i].is_legal);
    }
}

static void random_bytes_are_rejected_or_a_legal_descriptor(void **state)
{
    (void)state;
    const char *text = getenv("WSD_TEST_SEED");
    uint64_t seed = text ? strtoull(text, NULL, 0) : pal_now_ns(), x = seed | 1;
    char what[64];
    print_message("seed: WSD_TEST_SEED=%llu\n", (unsigned long long)seed);
    snprintf(what, sizeof what, "WSD_TEST_SEED=%llu", (unsigned long long)seed);
    for (int i = 0; i < 200000; i++) {
        uint8_t bytes[WSD_DESCRIPTOR_BYTES];
        for (size_t at = 0; at < sizeof bytes; at++) {
            x ^= x << 13, x ^= x >> 7, x ^= x << 17; /* xorshift64 */
            bytes[at] = (uint8_t)x;
        }
        if (i % 2) /* half of them get past the head */
            memcpy(bytes, (const uint8_t[]){1, (uint8_t)(x >> 32) % 5, 0, 0}, 4);
        check_hostile(bytes, what);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_descriptor_has_the_documented_24_bytes),
        cmocka_unit_test(every_field_survives_the_round_trip),
        cmocka_unit_test(every_other_length_is_rejected),
        cmocka_unit_test(every_corruption_of_one_byte_is_rejected_or_a_legal_descriptor),
        cmocka_unit_test(unknown_rights_are_rejected),
        cmocka_unit_test(a_range_that_wraps_around_the_address_space_is_rejected),
        cmocka_unit_test(random_bytes_are_rejected_or_a_legal_descriptor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
