/* test_bench_stats.c - percentiles, medians and the verification pattern. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench_pattern.h"
#include "bench_stats.h"

static void no_samples_give_zeros(void **state)
{
    struct bench_stats s;

    (void)state;
    bench_stats_of(NULL, 0, &s);
    assert_int_equal(s.count, 0);
    assert_true(s.max == 0 && s.typical == 0);
}

static void one_sample_is_every_figure(void **state)
{
    uint64_t v[] = {7};
    struct bench_stats s;

    (void)state;
    bench_stats_of(v, 1, &s);
    assert_true(s.min == 7 && s.typical == 7 && s.avg == 7 && s.p99 == 7 && s.p999 == 7 && s.max == 7 &&
                s.stdev == 0);
}

static void the_median_of_an_even_number_is_the_mean_of_the_middle(void **state)
{
    uint64_t v[] = {40, 10, 30, 20};
    struct bench_stats s;

    (void)state;
    bench_stats_of(v, 4, &s);
    assert_true(s.typical == 25);
    assert_true(s.min == 10 && s.max == 40 && s.avg == 25);
}

static void percentiles_are_nearest_rank(void **state)
{
    uint64_t v[1000];
    struct bench_stats s;

    (void)state;
    for (unsigned i = 0; i < 1000; i++)
        v[i] = 1000 - i; /* 1 .. 1000, backwards */
    bench_stats_of(v, 1000, &s);
    assert_true(s.p99 == 990);
    assert_true(s.p999 == 999);
    bench_stats_of(v, 100, &s); /* 1 .. 100 */
    assert_true(s.p99 == 99);
    assert_true(s.p999 == 100);
    bench_stats_of(v, 101, &s);
    assert_true(s.p99 == 100);
}

static void the_standard_deviation_is_right(void **state)
{
    uint64_t v[] = {2, 4, 4, 4, 5, 5, 7, 9};
    struct bench_stats s;

    (void)state;
    bench_stats_of(v, 8, &s);
    assert_float_equal(s.stdev, 2.0, 1e-9);
}

static void scaling_leaves_the_count(void **state)
{
    uint64_t v[] = {2000, 4000};
    struct bench_stats s;

    (void)state;
    bench_stats_of(v, 2, &s);
    bench_stats_scale(&s, 0.5 / 1e3);
    assert_int_equal(s.count, 2);
    assert_float_equal(s.min, 1.0, 1e-9);
    assert_float_equal(s.avg, 1.5, 1e-9);
}

static void points_in_time_become_durations(void **state)
{
    uint64_t v[] = {100, 103, 110, 110};

    (void)state;
    bench_stats_differences(v, 3);
    assert_int_equal(v[0], 3);
    assert_int_equal(v[1], 7);
    assert_int_equal(v[2], 0);
}

static void the_pattern_of_the_right_message_passes(void **state)
{
    struct bench_error err = {{0}};
    uint8_t bytes[4096];

    (void)state;
    bench_pattern_fill(bytes, sizeof bytes, 41);
    assert_true(bench_pattern_check(bytes, sizeof bytes, 41, "message", &err));
    assert_true(bench_pattern_check(bytes, 0, 12345, "message", &err));
}

static void neighbouring_patterns_differ_in_every_byte(void **state)
{
    uint8_t a[512];
    uint8_t b[512];

    (void)state;
    bench_pattern_fill(a, sizeof a, 9);
    bench_pattern_fill(b, sizeof b, 10);
    for (size_t i = 0; i < sizeof a; i++)
        assert_int_not_equal(a[i], b[i]);
}

static void one_wrong_byte_is_named(void **state)
{
    struct bench_error err = {{0}};
    uint8_t bytes[300];

    (void)state;
    bench_pattern_fill(bytes, sizeof bytes, 5);
    bytes[299] ^= 1;
    assert_false(bench_pattern_check(bytes, sizeof bytes, 5, "message", &err));
    assert_non_null(strstr(err.text, "byte 299 of 300"));
}

static void shifted_data_does_not_pass(void **state)
{
    struct bench_error err = {{0}};
    uint8_t bytes[300];

    (void)state;
    bench_pattern_fill(bytes, sizeof bytes, 5);
    memmove(bytes + 100, bytes + 108, 192);
    assert_false(bench_pattern_check(bytes, sizeof bytes, 5, "message", &err));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_samples_give_zeros),
        cmocka_unit_test(one_sample_is_every_figure),
        cmocka_unit_test(the_median_of_an_even_number_is_the_mean_of_the_middle),
        cmocka_unit_test(percentiles_are_nearest_rank),
        cmocka_unit_test(the_standard_deviation_is_right),
        cmocka_unit_test(scaling_leaves_the_count),
        cmocka_unit_test(points_in_time_become_durations),
        cmocka_unit_test(the_pattern_of_the_right_message_passes),
        cmocka_unit_test(neighbouring_patterns_differ_in_every_byte),
        cmocka_unit_test(one_wrong_byte_is_named),
        cmocka_unit_test(shifted_data_does_not_pass),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
