/* test_bench_session.c - whole sessions, client and server in two threads over the loop backend and over
 * sockets, every byte verified. This is how the loops are tested on machines without RDMA. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "bench_backend.h"
#include "bench_host.h"
#include "bench_net.h"
#include "bench_session.h"
#include "loop_backend.h"
#include "pal/thread.h"

struct ends {
    struct bench_options options;
    struct bench_control server, client;
    struct bench_error server_err, client_err;
    bool is_server_good;
};

static char layer[512] = "--layer raw"; /* or san, with the provider; tcp; unix */

static void serve(void *context)
{
    struct ends *e = context;

    e->is_server_good = bench_session_server(&e->options, &e->server);
    bench_control_close(&e->server);
}

/* Runs wsdbench's client with these words and a server beside it; the report stays for the caller to look
 * at. */
static bool run(const char *line, struct ends *e, struct bench_report *r)
{
    char copy[1024];
    char *argv[48] = {(char *)(uintptr_t) "wsdbench"};
    struct pal_thread *server;
    int argc = 1;
    pal_socket pair[2];
    bool is_good;

    memset(e, 0, sizeof *e);
    (void)snprintf(copy, sizeof copy, "%s %s --backend loop --timeout 10 --quiet", line, layer);
    for (char *word = strtok(copy, " "); word != NULL; word = strtok(NULL, " "))
        argv[argc++] = word;
    if (bench_options_parse(argc, argv, &e->options, &e->client_err) != BENCH_PARSED)
        fail_msg("%s", e->client_err.text);
    assert_true(bench_net_pair(pair));
    bench_control_init(&e->server, pair[0], 10000, &e->server_err);
    bench_control_init(&e->client, pair[1], 10000, &e->client_err);
    server = pal_thread_start(serve, e, "server");
    assert_non_null(server);
    bench_report_init(r, &e->options);
    is_good = bench_session_client(&e->options, &e->client, r);
    bench_control_close(&e->client);
    pal_thread_join(server);
    if (!is_good)
        print_message("client: %s\nserver: %s\n", e->client_err.text, e->server_err.text);
    return is_good && e->is_server_good;
}

static int set_up(void **state)
{
    (void)state;
    loop_reset();
    return 0;
}

/* On the SAN layer the loop backend that carries data lives inside the provider and was unloaded with it. */
static int tear_down(void **state)
{
    struct loop_counts counts;

    (void)state;
    loop_get_counts(&counts);
    return loop_nothing_alive() && counts.violations == 0 ? 0 : -1;
}

static void expect_good(const char *line, uint32_t rows)
{
    struct bench_report r;
    struct ends e;

    assert_true(run(line, &e, &r));
    assert_int_equal(r.row_count, rows);
    for (uint32_t i = 0; i < rows; i++) {
        assert_true(r.rows[i].elapsed_ns > 0);
        if (e.options.test.verify && r.rows[i].size > 1)
            assert_true(r.rows[i].checked_bytes > 0);
    }
    bench_report_fini(&r);
}

static void latency_of_messages(void **state)
{
    (void)state;
    expect_good("lat --sizes 0,1,64,257,64K --iters 50 --warmup 10 --verify", 5);
    expect_good("lat --sizes 64 --iters 100 --warmup 0 --inline 0", 1);
}

static void latency_with_rare_completions(void **state)
{
    (void)state;
    expect_good("lat --sizes 64 --iters 55 --cq-mod 10", 1);
}

static void latency_of_messages_with_upcalls(void **state)
{
    (void)state;
    expect_good("lat --sizes 0,1,64,64K --iters 50 --warmup 10 --verify --notify upcall", 4);
}

static void latency_of_writes(void **state)
{
    (void)state;
    expect_good("lat --op write --sizes 1,2,64K --iters 40 --warmup 10 --verify", 3);
    expect_good("lat --op write --sizes 64 --iters 280 --verify", 1); /* the watched byte wraps */
}

static void latency_of_reads(void **state)
{
    (void)state;
    expect_good("lat --op read --sizes 1,64,64K --iters 50 --verify", 3);
    expect_good("lat --op read --sizes 1,64,64K --iters 50 --verify --notify upcall", 3);
}

static void throughput_of_messages(void **state)
{
    (void)state;
    expect_good("bw --sizes 0,1,64,64K --iters 333 --verify", 4);
    expect_good("bw --sizes 64 --iters 1000 --depth 1", 1);
    expect_good("bw --sizes 64 --iters 1000 --depth 100", 1);
}

static void throughput_of_messages_with_upcalls(void **state)
{
    (void)state;
    expect_good("bw --sizes 0,1,64,64K --iters 333 --verify --notify upcall", 4);
    expect_good("bw --sizes 64 --iters 1000 --depth 3 --notify upcall", 1);
}

static void throughput_of_writes_and_reads(void **state)
{
    (void)state;
    expect_good("bw --op write --sizes 1,64,64K --iters 100 --verify", 3);
    expect_good("bw --op read --sizes 1,64,64K --iters 100 --verify --depth 5", 3);
    expect_good("bw --op write --sizes 64 --iters 500 --notify upcall", 1);
    expect_good("bw --op read --sizes 64,4M --iters 20 --notify upcall", 2);
}

static void connections(void **state)
{
    (void)state;
    expect_good("connect --iters 50", 1);
}

static void registrations(void **state)
{
    (void)state;
    /* raw: local, rdma, window for each size; san: local and rdma, each cached and cold */
    expect_good("reg --sizes 4K,64K --iters 20", strstr(layer, "san") != NULL ? 8 : 6);
}

static void latency_with_a_completion_port(void **state)
{
    (void)state;
    expect_good("lat --sizes 0,64,64K --iters 50 --verify --notify upcall --wake port", 3);
    expect_good("bw --sizes 64,64K --iters 100 --verify --notify upcall --wake port", 2);
}

/* raw: in one process the two ends of a SAN connection share a completion queue, and ask it in each other's way */
static void steps_are_taken_one_by_one(void **state)
{
    (void)state;
    expect_good("lat --steps --sizes 64,64K --iters 40 --warmup 5", 2);
}

static void idle_connections(void **state)
{
    struct bench_report r;
    struct ends e;

    (void)state;
    assert_true(run("lat --iters 20 --idle 40 --rss", &e, &r));
    assert_true(r.has_memory);
    assert_int_equal(r.memory.count, 40);
    bench_report_fini(&r);
}

static void a_run_by_time_takes_about_that_long(void **state)
{
    struct bench_report r;
    struct ends e;

    (void)state;
    assert_true(run("lat --seconds 1", &e, &r));
    assert_int_equal(r.row_count, 1);
    assert_true(r.rows[0].count >= 10);
    bench_report_fini(&r);
}

static void slow_devices_give_slow_figures(void **state)
{
    struct loop_config config;
    struct bench_report r;
    struct ends e;

    (void)state;
    loop_get_config(&config);
    config.delivery_us = 2000;
    loop_set_config(&config);
    assert_true(run("lat --iters 20 --warmup 1", &e, &r));
    assert_true(r.rows[0].stats.min >= 2000 * 0.9);
    bench_report_fini(&r);
}

static void an_address_without_device_is_an_error_with_a_reason(void **state)
{
    struct bench_report r;
    struct ends e;

    (void)state;
    assert_false(run("lat --addr 192.0.2.1", &e, &r));
    assert_non_null(strstr(e.client_err.text, "192.0.2.1"));
    bench_report_fini(&r);
}

static void a_wire_that_is_cut_is_an_error_not_a_hang(void **state)
{
    struct loop_config config;
    struct bench_report r;
    struct ends e;

    (void)state;
    loop_get_config(&config);
    config.black_hole = true;
    loop_set_config(&config);
    assert_false(run("lat --timeout 2", &e, &r));
    assert_true(e.client_err.text[0] != '\0');
    bench_report_fini(&r);
}

static void the_json_file_has_what_the_table_has(void **state)
{
    char name[] = "/tmp/wsdbench-test-XXXXXX";
    char line[128];
    char text[8192];
    struct bench_report r;
    struct bench_error err = {{0}};
    struct bench_host host;
    struct ends e;
    int fd = mkstemp(name);
    FILE *f;
    size_t n;

    (void)state;
    assert_true(fd >= 0);
    (void)close(fd);
    (void)snprintf(line, sizeof line, "lat --iters 20 --sizes 64,128 --json %s", name);
    assert_true(run(line, &e, &r));
    assert_true(bench_report_end(&r, &err));
    f = fopen(name, "r");
    assert_non_null(f);
    n = fread(text, 1, sizeof text - 1, f);
    text[n] = '\0';
    (void)fclose(f);
    (void)unlink(name);
    assert_non_null(strstr(text, "\"device\": \"loop0\""));
    assert_non_null(strstr(text, "\"backend\": \"loop\""));
    assert_non_null(strstr(text, "\"backend_why\": \"--backend says so\""));
    bench_host_look(&host);
    (void)snprintf(line, sizeof line, "\"kernel\": \"%.100s\"", host.system);
    assert_non_null(strstr(text, line));
    assert_non_null(strstr(text, "{\"bytes\": 64, \"iterations\": 20"));
    assert_non_null(strstr(text, "{\"bytes\": 128, \"iterations\": 20"));
    assert_non_null(strstr(text, "\"typical_us\": "));
    bench_report_fini(&r);
}

/* The rule of the provider: what is named, else the environment, else the best that opens. */
static void the_backend_is_chosen_as_the_provider_does(void **state)
{
    struct bench_options o = {.backend = "auto"};
    struct bench_device device;
    struct vb_backend *be;
    char why[512];

    (void)state;
    assert_int_equal(setenv("WSD_BACKEND", "loop", 1), 0);
    if (bench_backend_open(&o, &device, &be, why, sizeof why)) {
        assert_string_equal(device.backend, vb_name(be));
        assert_string_not_equal(device.backend, "loop"); /* --backend auto comes before the environment */
        assert_non_null(strstr(device.backend_why, "something to serve"));
        vb_close(be);
    } else {
        assert_true(why[0] != '\0');
    }
    o.backend[0] = '\0';
    assert_true(bench_backend_open(&o, &device, &be, why, sizeof why));
    assert_string_equal(device.backend, "loop");
    assert_string_equal(device.backend_why, "WSD_BACKEND says so");
    vb_close(be);
    memcpy(o.backend, "nothing", sizeof "nothing");
    assert_false(bench_backend_open(&o, &device, &be, why, sizeof why));
    assert_non_null(strstr(why, "nothing"));
    assert_int_equal(unsetenv("WSD_BACKEND"), 0);
}

static void sockets_carry_messages(void **state)
{
    (void)state;
    expect_good("lat --sizes 1,64,257,64K --iters 10 --warmup 2 --verify", 4);
    expect_good("lat --sizes 1,64,257,64K --iters 50 --warmup 5 --verify --notify upcall", 4);
    expect_good("bw --sizes 1,64,64K --iters 333 --verify", 3);
    expect_good("bw --sizes 1,64,64K --iters 333 --verify --notify upcall", 3);
    expect_good("bw --sizes 64 --iters 300 --depth 1", 1);
}

/* Larger than any socket buffer: both ends must go on sending while they wait for the other. */
static void sockets_carry_messages_in_parts(void **state)
{
    (void)state;
    expect_good("lat --sizes 4M --iters 3 --warmup 0 --verify", 1);
    expect_good("lat --sizes 4M --iters 3 --warmup 0 --verify --notify upcall", 1);
    expect_good("bw --sizes 4M --iters 10 --warmup 0 --verify --depth 4 --notify upcall", 1);
}

static void sockets_connect(void **state)
{
    (void)state;
    expect_good("connect --iters 200", 1); /* more than are open at once */
}

static void sockets_name_no_backend(void **state)
{
    struct bench_report r;
    struct ends e;

    (void)state;
    assert_true(run("lat --iters 5", &e, &r));
    assert_string_equal(r.local.backend, "");
    assert_string_equal(r.local.address, "127.0.0.1");
    assert_non_null(strstr(layer, strcmp(r.local.transport, "TCP") == 0 ? "tcp" : "unix"));
    bench_report_fini(&r);
}

#define SESSION_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

/* usage: test_bench_session [PROVIDER]   PROVIDER: the library with the loop backend inside; then the SAN
 * layer too */
int main(int argc, char *argv[])
{
    static const struct CMUnitTest both[] = {
        SESSION_TEST(latency_of_messages),
        SESSION_TEST(latency_of_messages_with_upcalls),
        SESSION_TEST(latency_with_a_completion_port),
        SESSION_TEST(latency_of_writes),
        SESSION_TEST(latency_of_reads),
        SESSION_TEST(throughput_of_messages),
        SESSION_TEST(throughput_of_messages_with_upcalls),
        SESSION_TEST(throughput_of_writes_and_reads),
        SESSION_TEST(connections),
        SESSION_TEST(registrations),
        SESSION_TEST(idle_connections),
    };
    static const struct CMUnitTest raw[] = {
        SESSION_TEST(latency_with_rare_completions),
        SESSION_TEST(steps_are_taken_one_by_one),
        SESSION_TEST(a_run_by_time_takes_about_that_long),
        SESSION_TEST(slow_devices_give_slow_figures),
        SESSION_TEST(an_address_without_device_is_an_error_with_a_reason),
        SESSION_TEST(a_wire_that_is_cut_is_an_error_not_a_hang),
        SESSION_TEST(the_json_file_has_what_the_table_has),
        SESSION_TEST(the_backend_is_chosen_as_the_provider_does),
    };
    static const struct CMUnitTest tcp[] = {
        SESSION_TEST(an_address_without_device_is_an_error_with_a_reason),
    };
    static const struct CMUnitTest sockets[] = {
        SESSION_TEST(sockets_carry_messages), SESSION_TEST(sockets_carry_messages_in_parts),
        SESSION_TEST(sockets_connect),        SESSION_TEST(sockets_name_no_backend),
        SESSION_TEST(idle_connections),
    };
    struct bench_error err = {{0}};
    int failures;

    if (loop_backend_register() != VB_OK)
        return 1;
    failures = cmocka_run_group_tests_name("raw layer", raw, NULL, NULL);
    failures += cmocka_run_group_tests_name("both layers: raw", both, NULL, NULL);
    if (argc > 1) {
        (void)snprintf(layer, sizeof layer, "--layer san --provider %s", argv[1]);
        failures += cmocka_run_group_tests_name("both layers: san", both, NULL, NULL);
    }
    (void)snprintf(layer, sizeof layer, "--layer tcp");
    failures += cmocka_run_group_tests_name("sockets: tcp", sockets, NULL, NULL);
    failures += cmocka_run_group_tests_name("tcp only", tcp, NULL, NULL);
    if (bench_net_unix_exists(&err)) {
        (void)snprintf(layer, sizeof layer, "--layer unix");
        failures += cmocka_run_group_tests_name("sockets: unix", sockets, NULL, NULL);
    } else {
        print_message("skipped: sockets: unix: %s\n", err.text);
    }
    return failures;
}
