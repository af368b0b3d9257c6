/* test_bench_options.c - the command line, good and bad. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench_options.h"

static struct bench_options o;
static struct bench_error err;

/* Words separated by one space. */
static enum bench_parsed parse(const char *line)
{
    static char copy[1024];
    char *argv[64] = {(char *)(uintptr_t) "wsdbench"};
    int argc = 1;

    assert_true(strlen(line) < sizeof copy);
    memcpy(copy, line, strlen(line) + 1);
    for (char *word = strtok(copy, " "); word != NULL; word = strtok(NULL, " "))
        argv[argc++] = word;
    memset(&err, 0, sizeof err);
    return bench_options_parse(argc, argv, &o, &err);
}

static void defaults_are_those_of_the_help(void **state)
{
    (void)state;
    assert_int_equal(parse("lat"), BENCH_PARSED);
    assert_int_equal(o.test.layer, BENCH_SAN);
    assert_int_equal(o.test.op, BENCH_SEND);
    assert_int_equal(o.test.notify, BENCH_POLL);
    assert_int_equal(o.test.size_count, 1);
    assert_int_equal(o.test.sizes[0], 64);
    assert_int_equal(o.test.iters, 1000);
    assert_int_equal(o.role, BENCH_FORK);
    assert_int_equal(parse("bw"), BENCH_PARSED);
    assert_int_equal(o.test.sizes[0], 65536);
    assert_int_equal(o.test.depth, 16);
}

static void every_option_arrives(void **state)
{
    (void)state;
    assert_int_equal(
        parse("lat --layer raw --op read --notify upcall --wake port --sizes 1,2K --seconds 3 --depth=7 "
              "--warmup 9 --inline 0 --addr 10.0.0.1 --backend x+trace --provider /p.so --idle 5 --verify "
              "--timeout 4 --json f --quiet --connect h:99"),
        BENCH_PARSED);
    assert_int_equal(o.test.layer, BENCH_RAW);
    assert_int_equal(o.test.op, BENCH_READ);
    assert_int_equal(o.test.notify, BENCH_UPCALL);
    assert_int_equal(o.test.wake, BENCH_WAKE_PORT);
    assert_int_equal(o.test.sizes[1], 2048);
    assert_int_equal(o.test.seconds, 3);
    assert_int_equal(o.test.iters, 0);
    assert_int_equal(o.test.depth, 7);
    assert_int_equal(o.test.warmup, 9);
    assert_int_equal(o.test.inline_bytes, 0);
    assert_int_equal(o.test.idle, 5);
    assert_true(o.test.verify && o.quiet);
    assert_int_equal(o.test.timeout_s, 4);
    assert_string_equal(o.addr, "10.0.0.1");
    assert_string_equal(o.backend, "x+trace");
    assert_string_equal(o.provider, "/p.so");
    assert_string_equal(o.json, "f");
    assert_string_equal(o.host, "h");
    assert_int_equal(o.port, 99);
    assert_int_equal(o.role, BENCH_CLIENT);
    assert_int_equal(o.pin[0], -1);
    assert_int_equal(o.pin[1], -1);
    assert_int_equal(parse("lat --pin 3,12"), BENCH_PARSED);
    assert_int_equal(o.pin[0], 3);
    assert_int_equal(o.pin[1], 12);
    assert_false(o.test.same_memory);
    assert_int_equal(parse("bw --same-memory"), BENCH_PARSED);
    assert_true(o.test.same_memory);
}

static void sizes_may_be_lists_and_ranges(void **state)
{
    (void)state;
    assert_int_equal(parse("lat --sizes all"), BENCH_PARSED);
    assert_int_equal(o.test.size_count, 24); /* 0, 1, 2, ... 4M */
    assert_int_equal(o.test.sizes[0], 0);
    assert_int_equal(o.test.sizes[1], 1);
    assert_int_equal(o.test.sizes[23], 4 << 20);
    assert_int_equal(parse("lat --sizes 64..1K,3,1M"), BENCH_PARSED);
    assert_int_equal(o.test.size_count, 7);
    assert_int_equal(o.test.sizes[4], 1024);
    assert_int_equal(o.test.sizes[5], 3);
    assert_int_equal(o.test.sizes[6], 1 << 20);
}

static void bad_sizes_are_refused(void **state)
{
    static const char *const bad[] = {"",    ",",    "64,",   "x",  "64x", "4097K",       "5M", "1..",
                                      "..4", "8..4", "1...4", "-1", "1 2", "99999999999", "4G", "1,,2"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct bench_test t = {0};
        struct bench_error e = {{0}};

        assert_false(bench_sizes_parse(bad[i], &t, &e));
        assert_true(e.text[0] != '\0');
    }
    assert_int_equal(parse("lat --sizes all,all,all"), BENCH_PARSED_WRONG);
    assert_int_equal(parse("lat --sizes 0..4M,0..4M,0..4M"), BENCH_PARSED_WRONG); /* too many */
}

static void hosts_with_and_without_ports(void **state)
{
    (void)state;
    assert_int_equal(parse("lat --connect host"), BENCH_PARSED);
    assert_int_equal(o.port, BENCH_PORT);
    assert_int_equal(parse("lat --connect fe80::1"), BENCH_PARSED);
    assert_string_equal(o.host, "fe80::1");
    assert_int_equal(o.port, BENCH_PORT);
    assert_int_equal(parse("lat --connect [fe80::1]:7"), BENCH_PARSED);
    assert_string_equal(o.host, "fe80::1");
    assert_int_equal(o.port, 7);
    assert_int_equal(parse("lat --connect host:0"), BENCH_PARSED_WRONG);
    assert_int_equal(parse("lat --connect host:70000"), BENCH_PARSED_WRONG);
    assert_int_equal(parse("lat --connect :7"), BENCH_PARSED_WRONG);
    assert_int_equal(parse("lat --connect [::1"), BENCH_PARSED_WRONG);
    assert_int_equal(parse("lat --connect [::1]x"), BENCH_PARSED_WRONG);
}

static void mistakes_are_named(void **state)
{
    static const char *const lines[] = {
        "latency",        "lat 64",           "lat --sizs 64",
        "lat --iters",    "lat --iters 0",    "lat --iters 9M",
        "lat --depth 0",  "lat --depth 1025", "lat --layer udp",
        "lat --verify=1", "lat --timeout 0",  "lat --seconds 0",
        "--json x",       "lat --cq-mod 0",   "bw --verify --same-memory",
    };

    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        assert_int_equal(parse(lines[i]), BENCH_PARSED_WRONG);
        assert_true(err.text[0] != '\0');
    }
}

static void combinations_without_meaning_are_refused(void **state)
{
    (void)state;
    assert_int_equal(parse("lat --op write --sizes 0"), BENCH_PARSED_WRONG);
    assert_int_equal(parse("lat --op send --sizes 0"), BENCH_PARSED);
    assert_int_equal(parse("lat --op write --notify upcall"), BENCH_PARSED_WRONG);
    assert_int_equal(parse("lat --layer san --cq-mod 4"), BENCH_PARSED_WRONG);
    assert_int_equal(parse("bw --idle 3"), BENCH_PARSED_WRONG);
    assert_int_equal(parse("bw --connections 10"), BENCH_PARSED);
    assert_int_equal(o.test.connections, 10);
    assert_int_equal(parse("bw --connections 0"), BENCH_PARSED_WRONG);
    assert_int_equal(parse("bw --connections 10 --verify"), BENCH_PARSED_WRONG);
    assert_int_equal(parse("bw --connections 10 --op read"), BENCH_PARSED_WRONG);
    assert_int_equal(parse("lat --connections 10"), BENCH_PARSED_WRONG);
    assert_int_equal(parse("bw --rss"), BENCH_PARSED_WRONG);
    assert_int_equal(parse("reg --notify upcall"), BENCH_PARSED_WRONG);
    assert_int_equal(parse("bw --op write --verify --notify upcall"), BENCH_PARSED_WRONG);
    assert_int_equal(parse("lat --steps"), BENCH_PARSED);
    assert_true(o.test.steps);
    assert_int_equal(parse("lat --steps --notify upcall"), BENCH_PARSED_WRONG);
    assert_int_equal(parse("lat --steps --layer tcp"), BENCH_PARSED_WRONG);
    assert_int_equal(parse("bw --steps"), BENCH_PARSED_WRONG);
    assert_int_equal(parse("bw --verify --sizes 4M --depth 1024"), BENCH_PARSED_WRONG);
}

static void sockets_carry_messages_only(void **state)
{
    static const char *const bad[] = {"reg --layer tcp", "lat --layer unix --op write",
                                      "bw --layer tcp --op read", "lat --layer tcp --sizes 64,0",
                                      "lat --layer unix --cq-mod 2"};

    (void)state;
    assert_int_equal(parse("lat --layer tcp --notify upcall"), BENCH_PARSED);
    assert_int_equal(o.test.layer, BENCH_TCP);
    assert_int_equal(parse("bw --layer unix --idle 0"), BENCH_PARSED);
    assert_int_equal(o.test.layer, BENCH_UNIX);
    assert_int_equal(parse("connect --layer tcp"), BENCH_PARSED);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(parse(bad[i]), BENCH_PARSED_WRONG);
        assert_non_null(strstr(err.text, i == 4                   ? "--layer raw"
                                         : strstr(bad[i], "unix") ? "--layer unix"
                                                                  : "--layer tcp"));
    }
}

static void echo_is_of_winsock(void **state)
{
    (void)state;
    assert_int_equal(parse("echo"), BENCH_PARSED);
    assert_int_equal(o.test.layer, BENCH_WINSOCK);
    assert_int_equal(o.test.sizes[0], 64);
    assert_int_equal(o.test.connections, 1);
    assert_int_equal(parse("echo --layer winsocktcp --connections 1000 --rss"), BENCH_PARSED);
    assert_int_equal(o.test.idle, 0);
    assert_int_equal(parse("lat --layer winsock"), BENCH_PARSED);
    assert_int_equal(parse("echo --layer app"), BENCH_PARSED_WRONG);
    assert_int_equal(parse("echo --verify"), BENCH_PARSED_WRONG);
    assert_int_equal(parse("echo --sizes 0"), BENCH_PARSED_WRONG);
    assert_int_equal(parse("echo --idle 3"), BENCH_PARSED_WRONG);
    assert_int_equal(parse("reg --layer winsock"), BENCH_PARSED_WRONG);
}

static void rss_without_a_number_means_a_thousand(void **state)
{
    (void)state;
    assert_int_equal(parse("lat --rss"), BENCH_PARSED);
    assert_int_equal(o.test.idle, 1000);
    assert_int_equal(parse("lat --rss --idle 20"), BENCH_PARSED);
    assert_int_equal(o.test.idle, 20);
}

static void the_other_ways_to_end(void **state)
{
    (void)state;
    assert_int_equal(parse(""), BENCH_PARSED_HELP);
    assert_int_equal(parse("--help"), BENCH_PARSED_HELP);
    assert_int_equal(parse("bw --help"), BENCH_PARSED_HELP);
    assert_int_equal(parse("--version"), BENCH_PARSED_VERSION);
    assert_int_equal(parse("compare --anything"), BENCH_PARSED_COMPARE);
    assert_int_equal(parse("--server --once"), BENCH_PARSED);
    assert_int_equal(o.role, BENCH_SERVER);
    assert_true(o.once);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_those_of_the_help),
        cmocka_unit_test(every_option_arrives),
        cmocka_unit_test(sizes_may_be_lists_and_ranges),
        cmocka_unit_test(bad_sizes_are_refused),
        cmocka_unit_test(hosts_with_and_without_ports),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(combinations_without_meaning_are_refused),
        cmocka_unit_test(sockets_carry_messages_only),
        cmocka_unit_test(echo_is_of_winsock),
        cmocka_unit_test(rss_without_a_number_means_a_thousand),
        cmocka_unit_test(the_other_ways_to_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
