/* test_session_wire.c - messages of the session protocol: their bytes as PROTOCOL.md gives them, and what bytes of a
 * hostile peer can do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "session/wire.h"

/* clang-format off */
static const uint8_t negotiate[SW_WIRE_HELLO_BYTES] = {
    'W', 'S', 'D', 'S', 1, 1, 1, 1, 32, 0, 4, 0, 0x28, 0x10, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0x40, 0, 0, 0, 0};

struct sample {
    const char *name;
    struct sw_wire_message m;
    uint16_t bytes;
    uint8_t is[64];
};

static const uint8_t descriptor[4] = {0xD1, 0xD2, 0xD3, 0xD4};

static const struct sample samples[] = {
    {"DATA", {.type = SW_WIRE_DATA, .credits = 0x0102, .sequence = 0x03040506, .limit = 0x1122334455667788,
              .position = 0x8877665544332211, .payload_bytes = 3}, 43,
     {4, 0, 2, 1, 6, 5, 4, 3, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11,
      0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 3, 0, 0, 0, [40] = 'a', 'b', 'c'}},
    {"LARGE_PULL", {.type = SW_WIRE_LARGE_PULL, .position = 9, .transfer = 0x0A0B0C0D, .amount = 0x10000,
                    .descriptor_bytes = 4, .descriptor = descriptor, .payload_bytes = 1}, 45,
     {5, [16] = 9, [24] = 1, 0, 4, 0, 0x0D, 0x0C, 0x0B, 0x0A, 0, 0, 1, 0, [40] = 0xD1, 0xD2, 0xD3, 0xD4, 'a'}},
    {"LARGE_PUSH", {.type = SW_WIRE_LARGE_PUSH, .transfer = 1, .amount = 5}, 40, {6, [28] = 1, [32] = 5}},
    {"SINK", {.type = SW_WIRE_SINK, .transfer = 1, .amount = 7, .descriptor_bytes = 4, .descriptor = descriptor}, 44,
     {7, [26] = 4, [28] = 1, [32] = 7, [40] = 0xD1, 0xD2, 0xD3, 0xD4}},
    {"DONE", {.type = SW_WIRE_DONE, .flags = SW_WIRE_WRITTEN, .transfer = 2, .amount = 9}, 40, {8, 2, [28] = 2, [32] = 9}},
    {"CREDIT", {.type = SW_WIRE_CREDIT, .credits = 16}, 40, {9, 0, 16}},
    {"URGENT", {.type = SW_WIRE_URGENT, .position = 4, .payload_bytes = 1}, 41, {10, [16] = 4, [24] = 1, [40] = 'a'}},
    {"SHUT", {.type = SW_WIRE_SHUT, .position = 4}, 40, {11, [16] = 4}},
    {"CLOSE", {.type = SW_WIRE_CLOSE}, 40, {12}},
    {"SUSPEND", {.type = SW_WIRE_SUSPEND}, 40, {13}},
    {"SUSPENDED", {.type = SW_WIRE_SUSPENDED}, 40, {14}},
    {"RESUME", {.type = SW_WIRE_RESUME, .amount = 32}, 40, {15, [32] = 32}},
    {"PING", {.type = SW_WIRE_PING, .flags = SW_WIRE_ANSWER}, 40, {16, 1}},
};
/* clang-format on */

static void every_message_has_the_bytes_of_the_document(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        const struct sample *s = &samples[i];
        uint8_t out[64] = {0};
        struct sw_wire_message back;
        size_t n = sw_wire_encode(&s->m, out);

        memcpy(out + n, "abc", s->m.payload_bytes);
        assert_int_equal(n + s->m.payload_bytes, s->bytes);
        assert_memory_equal(out, s->is, s->bytes);
        assert_null(sw_wire_decode(s->is, s->bytes, &back));
        assert_string_equal(sw_wire_type_name(back.type), s->name);
        assert_true(back.position == s->m.position && back.limit == s->m.limit && back.amount == s->m.amount);
        assert_ptr_equal(back.payload, s->is + s->bytes - s->m.payload_bytes);
    }
}

/* Every single byte of every message changed to every value: what decodes must encode to the same again. */
static void a_message_has_one_spelling(void **state)
{
    unsigned refused = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++)
        for (unsigned at = 0; at < samples[i].bytes; at++)
            for (unsigned v = 0; v < 256; v++) {
                struct sw_wire_message m;
                uint8_t in[64];
                uint8_t out[64];

                memcpy(in, samples[i].is, sizeof(in));
                in[at] = (uint8_t)v;
                if (sw_wire_decode(in, samples[i].bytes, &m) != NULL) {
                    refused++;
                    continue;
                }
                size_t n = sw_wire_encode(&m, out);
                assert_int_equal(n + m.payload_bytes, samples[i].bytes);
                assert_memory_equal(out, in, n);
            }
    assert_true(refused > 1000);
}

static void lengths_that_lie_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++)
        for (unsigned bytes = 0; bytes < 64; bytes++) {
            struct sw_wire_message m;
            const char *why = sw_wire_decode(samples[i].is, bytes, &m);

            assert_true(bytes == samples[i].bytes ? why == NULL : why != NULL);
        }
}

static void fields_out_of_place_are_refused(void **state)
{
    struct {
        unsigned sample, at, value;
    } wrong[] = {{0, 1, 1},    {0, 28, 1}, {0, 32, 1}, {0, 36, 1}, {2, 32, 0}, {3, 16, 1}, {4, 1, 3},
                 {4, 32, 0},   {5, 16, 1}, {5, 28, 1}, {7, 32, 1}, {8, 1, 1},  {9, 28, 1}, {11, 32, 3},
                 {11, 32, 65}, {12, 1, 2}, {5, 0, 0},  {5, 0, 1},  {5, 0, 17}, {5, 39, 1}};

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct sw_wire_message m;
        uint8_t in[64];

        memcpy(in, samples[wrong[i].sample].is, sizeof(in));
        in[wrong[i].at] = (uint8_t)wrong[i].value;
        assert_non_null(sw_wire_decode(in, samples[wrong[i].sample].bytes, &m));
    }
}

static void negotiate_has_the_bytes_of_the_document(void **state)
{
    struct sw_wire_hello h = {.type = SW_WIRE_NEGOTIATE,
                              .version_low = 1,
                              .version_high = 1,
                              .flags = SW_WIRE_HAS_READ,
                              .receives = 32,
                              .transfers = 4,
                              .message_bytes = 0x1028,
                              .storage_bytes = 0x10000,
                              .max_rdma_bytes = 0x40000000};
    struct sw_wire_hello back;
    uint8_t out[SW_WIRE_HELLO_BYTES];

    (void)state;
    sw_wire_hello_encode(&h, out);
    assert_memory_equal(out, negotiate, sizeof(out));
    assert_true(sw_wire_hello_decode(out, sizeof(out), &back));
    assert_memory_equal(&back, &h, sizeof(h));
}

static void a_hello_of_other_versions_says_only_that(void **state)
{
    struct sw_wire_hello h;
    uint8_t in[60] = {0};

    (void)state;
    memcpy(in, negotiate, sizeof(negotiate));
    in[5] = 2;
    in[6] = 3;
    assert_true(sw_wire_hello_decode(in, sizeof(in), &h)); /* its length is its own affair */
    assert_int_equal(h.version_low, 2);
    assert_int_equal(h.receives, 0);
    in[5] = 4;
    assert_false(sw_wire_hello_decode(in, sizeof(in), &h));
    in[5] = 0;
    assert_false(sw_wire_hello_decode(in, sizeof(in), &h));
}

static void hellos_out_of_range_are_refused(void **state)
{
    struct {
        unsigned at, value;
    } wrong[] = {{0, 'X'}, {4, 0},  {4, 4},  {7, 2},  {8, 3},     {8, 65}, {9, 1}, {10, 0},
                 {10, 9},  {13, 0}, {14, 1}, {18, 0}, {19, 0x41}, {24, 1}, {27, 1}};

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct sw_wire_hello h;
        uint8_t in[SW_WIRE_HELLO_BYTES];

        memcpy(in, negotiate, sizeof(in));
        in[wrong[i].at] = (uint8_t)wrong[i].value;
        assert_false(sw_wire_hello_decode(in, sizeof(in), &h));
    }
    for (unsigned bytes = 0; bytes < SW_WIRE_HELLO_BYTES; bytes++) {
        struct sw_wire_hello h;
        assert_false(sw_wire_hello_decode(negotiate, bytes, &h));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_message_has_the_bytes_of_the_document),
        cmocka_unit_test(a_message_has_one_spelling),
        cmocka_unit_test(lengths_that_lie_are_refused),
        cmocka_unit_test(fields_out_of_place_are_refused),
        cmocka_unit_test(negotiate_has_the_bytes_of_the_document),
        cmocka_unit_test(a_hello_of_other_versions_says_only_that),
        cmocka_unit_test(hellos_out_of_range_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
