/* test_bench_wire.c - control messages survive the trip, and hostile ones are refused. Random bytes come from
 * a printed seed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "bench_wire.h"

static struct bench_test some_test(void)
{
    struct bench_test t = {.command = BENCH_BW,
                           .layer = BENCH_SAN,
                           .op = BENCH_SEND,
                           .same_memory = true,
                           .size_count = 3,
                           .sizes = {0, 64, 4 << 20},
                           .iters = 12345,
                           .depth = 17,
                           .warmup = 3,
                           .inline_bytes = 200,
                           .cq_mod = 1,
                           .connections = 1,
                           .timeout_s = 9};

    return t;
}

static void headers_survive(void **state)
{
    struct bench_header in = {BENCH_WIRE_VERSION, BENCH_MSG_GO, 77};
    struct bench_header out;
    struct bench_error err = {{0}};
    uint8_t bytes[BENCH_HEADER_BYTES];

    (void)state;
    bench_header_encode(&in, bytes);
    assert_true(bench_header_decode(bytes, &out, &err));
    assert_int_equal(out.type, BENCH_MSG_GO);
    assert_int_equal(out.bytes, 77);
}

static void foreign_headers_are_refused(void **state)
{
    struct bench_header in = {BENCH_WIRE_VERSION, BENCH_MSG_GO, 0};
    struct bench_header out;
    uint8_t good[BENCH_HEADER_BYTES];
    uint8_t bytes[BENCH_HEADER_BYTES];
    static const struct {
        unsigned at;
        uint8_t value;
    } changes[] = {{0, 'G'},  {3, 0}, {4, BENCH_WIRE_VERSION + 1}, {5, 1}, {6, 0}, {6, 200}, {7, 1},
                   {9, 0x20}, {11, 1}};

    (void)state;
    bench_header_encode(&in, good);
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        struct bench_error err = {{0}};

        memcpy(bytes, good, sizeof bytes);
        bytes[changes[i].at] = changes[i].value;
        assert_false(bench_header_decode(bytes, &out, &err));
        assert_true(err.text[0] != '\0');
    }
}

static void another_version_is_named(void **state)
{
    struct bench_header in = {9, BENCH_MSG_GO, 0};
    struct bench_header out;
    struct bench_error err = {{0}};
    uint8_t bytes[BENCH_HEADER_BYTES];

    (void)state;
    bench_header_encode(&in, bytes);
    assert_false(bench_header_decode(bytes, &out, &err));
    assert_non_null(strstr(err.text, "version 9"));
}

static void tests_survive(void **state)
{
    struct bench_test in = some_test();
    struct bench_test out;
    struct bench_error err = {{0}};
    uint8_t bytes[BENCH_BODY_MAX];
    size_t n = bench_hello_encode(&in, bytes);

    (void)state;
    assert_true(bench_hello_decode(bytes, n, &out, &err));
    assert_memory_equal(&in, &out, sizeof in);
}

static void a_hello_of_any_other_length_is_refused(void **state)
{
    struct bench_test in = some_test();
    struct bench_test out;
    uint8_t bytes[BENCH_BODY_MAX] = {0};
    size_t n = bench_hello_encode(&in, bytes);

    (void)state;
    for (size_t i = 0; i < n + 20; i++) {
        struct bench_error err = {{0}};

        if (i != n)
            assert_false(bench_hello_decode(bytes, i, &out, &err));
    }
}

static void a_hello_with_a_value_out_of_range_is_refused(void **state)
{
    struct bench_test good = some_test();
    struct bench_test out;
    uint8_t bytes[BENCH_BODY_MAX];

    (void)state;
    for (unsigned field = 0; field < 15; field++) {
        struct bench_error err = {{0}};
        struct bench_test t = good;
        size_t n;

        switch (field) {
        case 0: t.command = BENCH_COMMANDS; break;
        case 1: t.layer = BENCH_LAYERS; break;
        case 2: t.op = 3; break;
        case 3: t.notify = 2; break;
        case 4: t.wake = 2; break;
        case 5: t.iters = BENCH_ITERS_MAX + 1; break;
        case 6: t.depth = 0; break;
        case 7: t.depth = 0xFFFFFFFF; break;
        case 8: t.inline_bytes = 1 << 30; break;
        case 9: t.idle = BENCH_IDLE_MAX + 1; break;
        case 10: t.connections = 0; break;
        case 11: t.connections = BENCH_CONNECTIONS_MAX + 1; break;
        case 12: t.sizes[2] = BENCH_SIZE_MAX + 1; break;
        case 13: t.verify = true; break; /* together with same_memory */
        default: t.timeout_s = 0; break;
        }
        n = bench_hello_encode(&t, bytes);
        assert_false(bench_hello_decode(bytes, n, &out, &err));
    }
}

static void a_hello_with_too_many_sizes_is_refused(void **state)
{
    struct bench_test t = some_test();
    struct bench_test out;
    struct bench_error err = {{0}};
    uint8_t bytes[BENCH_BODY_MAX] = {0};
    size_t n = bench_hello_encode(&t, bytes);

    (void)state;
    bytes[n - 3 * 4 - 2] = 0xFF; /* the count in front of the sizes */
    bytes[n - 3 * 4 - 1] = 0xFF;
    assert_false(bench_hello_decode(bytes, n, &out, &err));
}

static void addresses_and_names_survive(void **state)
{
    struct bench_ready in = {.device = "rxe0", .transport = "RoCEv2", .mtu_bytes = 4096};
    struct bench_ready out;
    uint8_t bytes[BENCH_BODY_MAX];
    size_t n;

    (void)state;
    assert_true(vb_addr_parse("10.77.0.1:4791", &in.addr));
    n = bench_ready_encode(&in, bytes);
    assert_true(bench_ready_decode(bytes, n, &out));
    assert_true(vb_addr_same_ip(&in.addr, &out.addr));
    assert_int_equal(out.addr.port, 4791);
    assert_string_equal(out.device, "rxe0");
    assert_string_equal(out.transport, "RoCEv2");
    assert_int_equal(out.mtu_bytes, 4096);
}

static void bad_addresses_and_names_are_refused(void **state)
{
    struct bench_ready in = {.device = "rxe0", .transport = "RoCEv2"};
    struct bench_ready out;
    uint8_t bytes[BENCH_BODY_MAX];
    size_t n;

    (void)state;
    assert_true(vb_addr_parse("10.77.0.1:4791", &in.addr));
    n = bench_ready_encode(&in, bytes);
    bytes[0] = 9; /* family */
    assert_false(bench_ready_decode(bytes, n, &out));
    bytes[0] = VB_AF_IPV4;
    bytes[17] = bytes[18] = 0; /* port */
    assert_false(bench_ready_decode(bytes, n, &out));
    bytes[17] = 1;
    assert_true(bench_ready_decode(bytes, n, &out));
    bytes[19] = 200; /* length of the device's name */
    assert_false(bench_ready_decode(bytes, n, &out));
    bytes[19] = 4;
    bytes[21] = 0x1b; /* an escape sequence for our terminal */
    assert_true(bench_ready_decode(bytes, n, &out));
    assert_string_equal(out.device, "?xe0");
}

static void windows_survive_and_bad_ones_are_refused(void **state)
{
    struct bench_window in = {
        .receives = 32, .window_bytes = 4096, .piece_bytes = 64, .desc = {3, {1, 2, 3}}};
    struct bench_window out;
    uint8_t bytes[BENCH_BODY_MAX] = {0};
    size_t n = bench_window_encode(&in, bytes);

    (void)state;
    assert_true(bench_window_decode(bytes, n, &out));
    assert_memory_equal(out.desc.data, in.desc.data, 3);
    assert_int_equal(out.piece_bytes, 64);
    assert_false(bench_window_decode(bytes, n - 1, &out));
    assert_false(bench_window_decode(bytes, n + 1, &out));
    bytes[12] = BENCH_DESC_MAX + 1;
    assert_false(bench_window_decode(bytes, 13 + BENCH_DESC_MAX + 1, &out));
    in.piece_bytes = 0; /* would divide by zero */
    assert_false(bench_window_decode(bytes, bench_window_encode(&in, bytes), &out));
    in.piece_bytes = 8192; /* larger than the window */
    assert_false(bench_window_decode(bytes, bench_window_encode(&in, bytes), &out));
    in.piece_bytes = 64;
    in.receives = 0;
    assert_false(bench_window_decode(bytes, bench_window_encode(&in, bytes), &out));
    in.receives = 1u << 30;
    assert_false(bench_window_decode(bytes, bench_window_encode(&in, bytes), &out));
}

static void runs_survive_and_bad_ones_are_refused(void **state)
{
    struct bench_run in = {64, 1000};
    struct bench_run out;
    uint8_t bytes[BENCH_BODY_MAX] = {0};
    size_t n = bench_run_encode(&in, bytes);

    (void)state;
    assert_true(bench_run_decode(bytes, n, &out));
    assert_int_equal(out.count, 1000);
    assert_false(bench_run_decode(bytes, n - 1, &out));
    in.count = 0;
    assert_false(bench_run_decode(bytes, bench_run_encode(&in, bytes), &out));
    in.count = BENCH_ITERS_MAX + 1;
    assert_false(bench_run_decode(bytes, bench_run_encode(&in, bytes), &out));
    in.count = 1;
    in.size = BENCH_SIZE_MAX + 1;
    assert_false(bench_run_decode(bytes, bench_run_encode(&in, bytes), &out));
}

static void texts_lose_what_terminals_obey(void **state)
{
    char out[8];

    (void)state;
    bench_text_decode((const uint8_t *)"a\033[2J\n\xff", 7, out, sizeof out);
    assert_string_equal(out, "a?[2J??");
    bench_text_decode((const uint8_t *)"0123456789", 10, out, sizeof out);
    assert_string_equal(out, "0123456");
}

/* Whatever the bytes are: a decoder that accepts them yields values in range, and none reads outside (ASan
 *                         watches). */
static void random_bytes_do_no_harm(void **state)
{
    unsigned seed = (unsigned)time(NULL);

    (void)state;
    printf("seed %u\n", seed);
    srand(seed);
    for (int round = 0; round < 200000; round++) {
        size_t n = (size_t)rand() % 120;
        uint8_t *bytes = malloc(n + 1);
        struct bench_error err = {{0}};
        struct bench_test test;
        struct bench_ready ready;
        struct bench_window window;
        struct bench_idle idle;
        struct bench_run run;
        struct bench_done done;

        assert_non_null(bytes);
        for (size_t i = 0; i < n; i++)
            bytes[i] = rand() % 3 == 0 ? (uint8_t)rand() : (uint8_t)(rand() % 4);
        if (bench_hello_decode(bytes, n, &test, &err))
            assert_true(test.size_count <= BENCH_SIZES_MAX && test.depth >= 1 &&
                        test.depth <= BENCH_DEPTH_MAX);
        if (bench_ready_decode(bytes, n, &ready))
            assert_true(strlen(ready.device) < sizeof ready.device);
        if (bench_window_decode(bytes, n, &window))
            assert_true(window.desc.bytes <= BENCH_DESC_MAX);
        if (bench_idle_decode(bytes, n, &idle))
            assert_true(idle.count <= BENCH_IDLE_MAX);
        if (bench_run_decode(bytes, n, &run))
            assert_true(run.size <= BENCH_SIZE_MAX);
        (void)bench_done_decode(bytes, n, &done);
        free(bytes);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_survive),
        cmocka_unit_test(foreign_headers_are_refused),
        cmocka_unit_test(another_version_is_named),
        cmocka_unit_test(tests_survive),
        cmocka_unit_test(a_hello_of_any_other_length_is_refused),
        cmocka_unit_test(a_hello_with_a_value_out_of_range_is_refused),
        cmocka_unit_test(a_hello_with_too_many_sizes_is_refused),
        cmocka_unit_test(addresses_and_names_survive),
        cmocka_unit_test(bad_addresses_and_names_are_refused),
        cmocka_unit_test(windows_survive_and_bad_ones_are_refused),
        cmocka_unit_test(runs_survive_and_bad_ones_are_refused),
        cmocka_unit_test(texts_lose_what_terminals_obey),
        cmocka_unit_test(random_bytes_do_no_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
