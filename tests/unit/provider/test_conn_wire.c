/* test_conn_wire.c - the private data of connection requests and answers: its bytes, and what bytes of a
 * hostile peer can do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pal/time.h"
#include "sock/conn_wire.h"

/* One message of each kind with the bytes that conn_wire.h documents for it, written out by hand. */
struct sample {
    const char *name;
    struct wsd_wire w;
    uint16_t size;
    uint8_t bytes[WSD_WIRE_MAX_BYTES];
};

/* clang-format off */
static const struct sample samples[] = {
    {"CONNECT over IPv4",
     {.kind = WSD_WIRE_CONNECT, .flags = WSD_WIRE_HAS_READ, .family = VB_AF_IPV4, .resume_port = 0x9ABC,
      .source = {.family = VB_AF_IPV4, .ip = {10, 0, 0, 1}, .port = 0xC001},
      .destination = {.family = VB_AF_IPV4, .ip = {10, 0, 0, 2}, .port = 7000}, .key = 0x0102030405060708u},
     52,
     {0x57, 0x44, 1, 1, 4, 1, 0xC0, 0x01, 0x1B, 0x58, 0x9A, 0xBC,
      10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
      10, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
      1, 2, 3, 4, 5, 6, 7, 8}},
    {"CONNECT over IPv6",
     {.kind = WSD_WIRE_CONNECT, .family = VB_AF_IPV6,
      .source = {.family = VB_AF_IPV6, .ip = {0xFD, 0x77, [15] = 1}, .port = 1},
      .destination = {.family = VB_AF_IPV6, .ip = {0xFD, 0x77, [15] = 2}, .port = 0xFFFF},
      .key = UINT64_MAX},
     52,
     {0x57, 0x44, 1, 1, 6, 0, 0, 1, 0xFF, 0xFF, 0, 0,
      0xFD, 0x77, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
      0xFD, 0x77, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2,
      0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}},
    {"MOVE",
     {.kind = WSD_WIRE_MOVE, .family = VB_AF_IPV4,
      .peer_key = 0x1122334455667788u, .key = 0x99AABBCCDDEEFF01u},
     24,
     {0x57, 0x44, 1, 2, 4, 0, 0, 0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88,
      0x99, 0xAA, 0xBB, 0xCC, 0xDD, 0xEE, 0xFF, 0x01}},
    {"RESUME",
     {.kind = WSD_WIRE_RESUME, .family = VB_AF_IPV6, .resume_port = 0xBEEF, .peer_key = 1,
      .key = 0x8000000000000000u},
     24,
     {0x57, 0x44, 1, 3, 6, 0, 0xBE, 0xEF, 0, 0, 0, 0, 0, 0, 0, 1, 0x80, 0, 0, 0, 0, 0, 0, 0}},
    {"ACCEPT",
     {.kind = WSD_WIRE_ACCEPT, .flags = WSD_WIRE_HAS_READ, .resume_port = 513, .key = 0xDEADBEEF00C0FFEEu},
     16,
     {0x57, 0x44, 1, 4, 1, 0, 2, 1, 0xDE, 0xAD, 0xBE, 0xEF, 0x00, 0xC0, 0xFF, 0xEE}},
    {"REJECT",
     {.kind = WSD_WIRE_REJECT, .reason = WSD_REJECT_BACKLOG},
     8,
     {0x57, 0x44, 1, 5, 2, 0, 0, 0}},
    {"ABANDON",
     {.kind = WSD_WIRE_ABANDON, .family = VB_AF_IPV4, .peer_key = 0xFF, .key = 0x0100000000000000u},
     24,
     {0x57, 0x44, 1, 6, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 1, 0, 0, 0, 0, 0, 0, 0}},
};
/* clang-format on */
#define SAMPLES (sizeof samples / sizeof samples[0])

/* Decode from a block of exactly that size, so that a sanitizer sees every byte read beyond it. */
static bool decode_exact(const uint8_t *in, uint32_t bytes, struct wsd_wire *out)
{
    uint8_t *copy = malloc(bytes ? bytes : 1);
    assert_non_null(copy);
    if (bytes)
        memcpy(copy, in, bytes);
    bool ok = wsd_wire_decode(bytes ? copy : copy + 1, bytes, out);
    free(copy);
    return ok;
}

static bool same_addr(const struct vb_addr *a, const struct vb_addr *b)
{
    return a->family == b->family && memcmp(a->ip, b->ip, 16) == 0 && a->port == b->port &&
           a->scope == b->scope;
}

static bool same(const struct wsd_wire *a, const struct wsd_wire *b)
{
    return a->kind == b->kind && a->flags == b->flags && a->reason == b->reason && a->family == b->family &&
           a->resume_port == b->resume_port && same_addr(&a->source, &b->source) &&
           same_addr(&a->destination, &b->destination) && a->key == b->key && a->peer_key == b->peer_key;
}

static bool is_legal_addr(const struct vb_addr *a, uint8_t family)
{
    static const uint8_t zero[12];
    return a->family == family && a->scope == 0 && (family == VB_AF_IPV6 || memcmp(a->ip + 4, zero, 12) == 0);
}

/* What upper layers may rely on once decoding has said yes. */
static bool is_legal(const struct wsd_wire *w)
{
    bool has_family = w->family == VB_AF_IPV4 || w->family == VB_AF_IPV6;
    switch (w->kind) {
    case WSD_WIRE_CONNECT:
        return has_family && !(w->flags & ~WSD_WIRE_HAS_READ) && is_legal_addr(&w->source, w->family) &&
               is_legal_addr(&w->destination, w->family) && w->destination.port && w->key;
    case WSD_WIRE_MOVE:
    case WSD_WIRE_RESUME:
    case WSD_WIRE_ABANDON: return has_family && w->key && w->peer_key;
    case WSD_WIRE_ACCEPT: return !(w->flags & ~WSD_WIRE_HAS_READ) && w->key;
    case WSD_WIRE_REJECT: return w->reason >= WSD_REJECT_REFUSED && w->reason <= WSD_REJECT_NOTED;
    default: return false;
    }
}

/* Rejected, or legal and then saying exactly what the bytes say. */
static void check_hostile(const uint8_t *in, uint32_t bytes, const char *what)
{
    struct wsd_wire w;
    uint8_t again[WSD_WIRE_MAX_BYTES];
    if (!decode_exact(in, bytes, &w))
        return;
    if (!is_legal(&w))
        fail_msg("%s: decoded to something illegal", what);
    uint16_t size = wsd_wire_encode(&w, again);
    if (size > bytes || memcmp(again, in, size) != 0)
        fail_msg("%s: two spellings of one message", what);
}

/* ---- what we say ---- */

static void every_kind_has_the_documented_bytes(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        uint8_t out[WSD_WIRE_MAX_BYTES];
        memset(out, 0xEE, sizeof out);
        assert_int_equal(wsd_wire_encode(&samples[i].w, out), samples[i].size);
        if (memcmp(out, samples[i].bytes, sizeof out) != 0) /* zeros behind the end included */
            fail_msg("%s: bytes differ", samples[i].name);
    }
}

static void every_kind_survives_the_round_trip(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        uint8_t bytes[WSD_WIRE_MAX_BYTES];
        struct wsd_wire w;
        uint16_t size = wsd_wire_encode(&samples[i].w, bytes);
        if (!decode_exact(bytes, size, &w) || !same(&w, &samples[i].w))
            fail_msg("%s: lost something", samples[i].name);
    }
    for (int reason = WSD_REJECT_REFUSED; reason <= WSD_REJECT_NOTED; reason++) {
        struct wsd_wire in = {.kind = WSD_WIRE_REJECT, .reason = (uint8_t)reason}, out;
        uint8_t bytes[WSD_WIRE_MAX_BYTES];
        assert_true(decode_exact(bytes, wsd_wire_encode(&in, bytes), &out));
        assert_int_equal(out.reason, reason);
    }
}

/* IPv4 request on InfiniBand: 92 bytes less the 36 of the RDMA-CM header; reply 196, reject 148 (peers.md
 * 0.4). */
static void every_kind_fits_into_what_the_transport_leaves(void **state)
{
    (void)state;
    static const uint16_t room[] = {
        [WSD_WIRE_CONNECT] = 56, [WSD_WIRE_MOVE] = 56,    [WSD_WIRE_RESUME] = 56,
        [WSD_WIRE_ACCEPT] = 196, [WSD_WIRE_REJECT] = 148, [WSD_WIRE_ABANDON] = 56};
    for (size_t i = 0; i < SAMPLES; i++)
        assert_in_range(samples[i].size, 1, room[samples[i].w.kind]);
}

/* ---- what we hear ---- */

static void zeros_that_the_transport_appends_change_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLES; i++)
        for (uint32_t bytes = samples[i].size; bytes <= VB_PRIVATE_DATA_MAX; bytes++) {
            uint8_t padded[VB_PRIVATE_DATA_MAX] = {0};
            struct wsd_wire w;
            memcpy(padded, samples[i].bytes, samples[i].size);
            if (!decode_exact(padded, bytes, &w) || !same(&w, &samples[i].w))
                fail_msg("%s padded to %u bytes", samples[i].name, bytes);
        }
}

static void every_shorter_length_is_rejected(void **state)
{
    (void)state;
    struct wsd_wire w;
    for (size_t i = 0; i < SAMPLES; i++)
        for (uint32_t bytes = 0; bytes < samples[i].size; bytes++)
            if (decode_exact(samples[i].bytes, bytes, &w))
                fail_msg("%s cut to %u bytes was accepted", samples[i].name, bytes);
}

static void every_corruption_of_one_byte_is_rejected_or_a_legal_message(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLES; i++)
        for (uint32_t at = 0; at < samples[i].size; at++)
            for (unsigned change = 1; change < 256; change++) {
                uint8_t bytes[WSD_WIRE_MAX_BYTES];
                char what[80];
                memcpy(bytes, samples[i].bytes, sizeof bytes);
                bytes[at] ^= (uint8_t)change;
                snprintf(what, sizeof what, "%s, byte %u = %02x", samples[i].name, at, bytes[at]);
                check_hostile(bytes, samples[i].size, what);
            }
}

static void fixed_and_reserved_bytes_must_be_what_the_format_says(void **state)
{
    (void)state;
    static const struct {
        uint8_t kind, at;
    } fixed[] = {{WSD_WIRE_MOVE, 6},   {WSD_WIRE_MOVE, 7},   {WSD_WIRE_ABANDON, 6}, {WSD_WIRE_ABANDON, 7},
                 {WSD_WIRE_MOVE, 5},   {WSD_WIRE_RESUME, 5}, {WSD_WIRE_ABANDON, 5}, {WSD_WIRE_ACCEPT, 5},
                 {WSD_WIRE_REJECT, 5}, {WSD_WIRE_REJECT, 6}, {WSD_WIRE_REJECT, 7}};
    for (size_t i = 0; i < SAMPLES; i++) {
        for (unsigned change = 1; change < 256; change++)
            for (unsigned at = 0; at < 3 + sizeof fixed / sizeof fixed[0]; at++) {
                uint8_t bytes[WSD_WIRE_MAX_BYTES];
                struct wsd_wire w;
                if (at >= 3 && fixed[at - 3].kind != samples[i].w.kind)
                    continue;
                memcpy(bytes, samples[i].bytes, sizeof bytes);
                bytes[at < 3 ? at : fixed[at - 3].at] ^= (uint8_t)change; /* magic and version come first */
                assert_false(decode_exact(bytes, samples[i].size, &w));
            }
    }
}

static void fields_out_of_range_are_rejected(void **state)
{
    (void)state;
    enum { V4, V6, MOVE, RESUME, ACCEPT, REJECT, ABANDON };
    static const struct {
        uint8_t sample, at, bytes; /* the bytes [at, at+bytes) become `value` */
        uint8_t value;
        const char *what;
    } cases[] = {
        {V4, 4, 1, 0, "no family"},
        {V4, 4, 1, 5, "family 5"},
        {V4, 4, 1, 255, "family 255"},
        {V4, 5, 1, 2, "an unknown flag"},
        {V4, 5, 1, 0x81, "an unknown flag beside a known one"},
        {V4, 8, 2, 0, "destination port 0"},
        {V4, 16, 1, 1, "source: IPv4 with a 5th byte"},
        {V4, 27, 1, 1, "source: IPv4 with a 16th byte"},
        {V4, 32, 1, 1, "destination: IPv4 with a 5th byte"},
        {V4, 43, 1, 1, "destination: IPv4 with a 16th byte"},
        {V4, 44, 8, 0, "key 0"},
        {V6, 4, 1, 4, "IPv6 addresses said to be IPv4"},
        {V6, 44, 8, 0, "key 0"},
        {MOVE, 4, 1, 0, "no family"},
        {MOVE, 8, 8, 0, "key of the receiver 0"},
        {MOVE, 16, 8, 0, "key of the sender 0"},
        {RESUME, 4, 1, 7, "family 7"},
        {RESUME, 8, 8, 0, "key of the receiver 0"},
        {RESUME, 16, 8, 0, "key of the sender 0"},
        {ABANDON, 4, 1, 5, "family 5"},
        {ABANDON, 8, 8, 0, "key of the receiver 0"},
        {ABANDON, 16, 8, 0, "key of the sender 0"},
        {ACCEPT, 4, 1, 2, "an unknown flag"},
        {ACCEPT, 8, 8, 0, "key 0"},
        {REJECT, 4, 1, 0, "reason 0"},
        {REJECT, 4, 1, WSD_REJECT_NOTED + 1, "a reason of the future"},
        {REJECT, 4, 1, 255, "reason 255"},
        {V4, 3, 1, 0, "kind 0"},
        {V4, 3, 1, WSD_WIRE_ABANDON + 1, "a kind of the future"},
        {V4, 3, 1, 255, "kind 255"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t bytes[WSD_WIRE_MAX_BYTES];
        struct wsd_wire w;
        memcpy(bytes, samples[cases[i].sample].bytes, sizeof bytes);
        memset(bytes + cases[i].at, cases[i].value, cases[i].bytes);
        if (decode_exact(bytes, samples[cases[i].sample].size, &w))
            fail_msg("%s: %s was accepted", samples[cases[i].sample].name, cases[i].what);
    }
}

static void a_port_of_zero_says_that_this_side_cannot_follow_a_move(void **state)
{
    (void)state;
    static const uint8_t at[] = {[WSD_WIRE_CONNECT] = 10, [WSD_WIRE_RESUME] = 6, [WSD_WIRE_ACCEPT] = 6};
    for (size_t i = 0; i < SAMPLES; i++) {
        uint8_t bytes[WSD_WIRE_MAX_BYTES];
        struct wsd_wire w;
        if (samples[i].w.kind >= sizeof at || !at[samples[i].w.kind])
            continue;
        memcpy(bytes, samples[i].bytes, sizeof bytes);
        memset(bytes + at[samples[i].w.kind], 0, 2);
        assert_true(decode_exact(bytes, samples[i].size, &w));
        assert_int_equal(w.resume_port, 0);
    }
}

/* Whoever fills in one structure for all kinds need not know which of them carries the port. */
static void a_move_and_its_withdrawal_carry_no_port(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        struct wsd_wire w = samples[i].w;
        uint8_t bytes[WSD_WIRE_MAX_BYTES];
        if (w.kind != WSD_WIRE_MOVE && w.kind != WSD_WIRE_ABANDON)
            continue;
        w.resume_port = 0x1234;
        (void)wsd_wire_encode(&w, bytes);
        assert_memory_equal(bytes, samples[i].bytes, sizeof bytes);
    }
}

static void what_a_rejected_message_leaves_behind_names_no_address_or_key_of_the_message_before(void **state)
{
    (void)state;
    struct wsd_wire w;
    assert_true(wsd_wire_decode(samples[0].bytes, samples[0].size, &w));
    assert_false(wsd_wire_decode(samples[0].bytes, 3, &w));
    assert_true(same(&w, &(struct wsd_wire){0}));
}

/* Deterministic, with the seed in the output: the same program finds the same message again. */
static void random_bytes_behind_a_good_head_are_rejected_or_a_legal_message(void **state)
{
    (void)state;
    const char *text = getenv("WSD_TEST_SEED");
    uint64_t seed = text ? strtoull(text, NULL, 0) : pal_now_ns(), x = seed | 1;
    char what[64];
    print_message("seed: WSD_TEST_SEED=%llu\n", (unsigned long long)seed);
    snprintf(what, sizeof what, "WSD_TEST_SEED=%llu", (unsigned long long)seed);
    for (int i = 0; i < 200000; i++) {
        uint8_t bytes[64];
        for (size_t at = 0; at < sizeof bytes; at++) {
            x ^= x << 13, x ^= x >> 7, x ^= x << 17; /* xorshift64 */
            bytes[at] = x & 0x300 ? (uint8_t)x : 0;  /* zeros are what the checks are about */
        }
        uint32_t size = (uint32_t)(x >> 20) % (sizeof bytes + 1);
        uint8_t head[] = {0x57, 0x44, 1, (uint8_t)(x >> 32) % 8, (uint8_t)(4 + (x >> 40 & 2))};
        memcpy(bytes, head, sizeof head);
        check_hostile(bytes, size, what);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_has_the_documented_bytes),
        cmocka_unit_test(every_kind_survives_the_round_trip),
        cmocka_unit_test(every_kind_fits_into_what_the_transport_leaves),
        cmocka_unit_test(zeros_that_the_transport_appends_change_nothing),
        cmocka_unit_test(every_shorter_length_is_rejected),
        cmocka_unit_test(every_corruption_of_one_byte_is_rejected_or_a_legal_message),
        cmocka_unit_test(fixed_and_reserved_bytes_must_be_what_the_format_says),
        cmocka_unit_test(fields_out_of_range_are_rejected),
        cmocka_unit_test(a_port_of_zero_says_that_this_side_cannot_follow_a_move),
        cmocka_unit_test(a_move_and_its_withdrawal_carry_no_port),
        cmocka_unit_test(what_a_rejected_message_leaves_behind_names_no_address_or_key_of_the_message_before),
        cmocka_unit_test(random_bytes_behind_a_good_head_are_rejected_or_a_legal_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
