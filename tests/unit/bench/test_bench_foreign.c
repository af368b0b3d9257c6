/* test_bench_foreign.c - the raw and the san layer where something else than a peer answers, or comes: the sentence of the bench
 * says what it sent. Over softiwarp with plain ports, so that a TCP socket of the test can stand there.
 * usage: test_bench_foreign PROVIDER
 *        test_bench_foreign --siw: raw on the kernel's soft iWARP, at WSD_TEST_ADDR; it tells an event and a code */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "bench_net.h"
#include "bench_run.h"
#include "bench_session.h"
#include "pal/thread.h"

static const char *provider;
static const char *backend = "softiwarp", *here = "127.0.0.1";
static char log_path[] = "/tmp/openwsd-bench-log-XXXXXX";

struct stranger {
    pal_socket fd;
    struct vb_addr at;
    const char *says;
    struct pal_thread *thread;
};

/* One client: says its word and waits for the end, as servers do. */
static void serve(void *context)
{
    const struct stranger *s = context;
    char waste[512];
    const pal_socket client = bench_net_accept(s->fd, NULL, NULL);
    if (client == PAL_SOCKET_NONE)
        return;
    struct pollfd waiting = {.fd = client, .events = POLLIN};
    if (bench_net_send(client, s->says, strlen(s->says)) > 0) {
        long long n = BENCH_NET_LATER;
        while (n > 0 || n == BENCH_NET_LATER) {
            (void)bench_net_poll(&waiting, 1, 1000);
            n = bench_net_recv(client, waste, sizeof waste);
        }
    }
    bench_net_close(client);
}

static void start(struct stranger *s, const char *says)
{
    struct sockaddr_storage at;
    socklen_t bytes;
    s->says = says;
    s->fd = bench_net_make(AF_INET, SOCK_STREAM);
    assert_true(s->fd != PAL_SOCKET_NONE && vb_addr_parse(here, &s->at));
    bytes = bench_net_to_system(&s->at, &at);
    assert_int_equal(bind(s->fd, (struct sockaddr *)&at, bytes), 0);
    assert_int_equal(listen(s->fd, 4), 0);
    assert_true(bench_net_own_address(s->fd, &s->at));
    s->thread = pal_thread_start(serve, s, "stranger");
    assert_non_null(s->thread);
}

static void stop(struct stranger *s)
{
    pal_thread_join(s->thread);
    bench_net_close(s->fd);
}

struct bench {
    struct bench_options options;
    struct bench_control control;
    struct bench_error err;
    const struct bench_layer_ops *ops;
    struct bench_layer *layer;
};

static void open_bench(struct bench *b, const char *kind, const struct vb_addr *remote)
{
    char line[1200];
    char *argv[16] = {(char *)(uintptr_t) "wsdbench"};
    int argc = 1;
    memset(b, 0, sizeof *b);
    (void)snprintf(line, sizeof line, "lat --layer %s --backend %s --addr %s --timeout 20 --provider %s",
                   kind, backend, here, provider ? provider : "none");
    for (char *word = strtok(line, " "); word != NULL; word = strtok(NULL, " "))
        argv[argc++] = word;
    if (bench_options_parse(argc, argv, &b->options, &b->err) != BENCH_PARSED)
        fail_msg("%s", b->err.text);
    bench_control_init(&b->control, PAL_SOCKET_NONE, 10000, &b->err);
    const struct bench_layer_config config = {&b->options, remote, &b->control};
    b->ops = bench_layer_of(b->options.test.layer);
    if (!b->ops->open(&config, &b->layer))
        fail_msg("%s", b->err.text);
}

static void close_bench(struct bench *b)
{
    b->ops->close(b->layer);
}

static void says(const char *where, const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("%s: no \"%s\" in \"%s\"", where, part, text);
}

/* Connects to the stranger; fails with a sentence in b->err. */
static void connect_to(struct bench *b, const char *kind, const char *words)
{
    struct stranger s;
    struct bench_ep_config config;
    struct bench_ep *ep = NULL;
    char port[32];
    start(&s, words);
    open_bench(b, kind, &s.at);
    bench_lat_config(&b->options.test, &config);
    assert_false(b->ops->connect(b->layer, &config, &s.at, 30000, &ep));
    assert_null(ep);
    stop(&s);
    close_bench(b);
    print_message("           %s\n", b->err.text);
    (void)snprintf(port, sizeof port, "%s:%u", here, s.at.port);
    says("error", b->err.text, port);
}

static void the_raw_layer_says_what_answered_instead_of_a_peer(void **state)
{
    struct bench b;
    (void)state;
    connect_to(&b, "raw", "HTTP/1.1 400 Bad Request\r\n\r\n");
    says("error", b.err.text, "it sent \"HTTP/1.1 400 Bad Req\" where an MPA reply belongs");
    says("error", b.err.text, "VB_E_NOSERVICE");
    connect_to(&b, "raw", "\033[2J");
    says("error", b.err.text, "it sent \"\\x1b[2J\" where");
}

/* Who tries to connect gets a code; the reason is in the log that the bench has turned on, and it says where. */
static void the_san_layer_says_where_the_reason_is_and_there_it_is(void **state)
{
    struct bench b;
    char log[4096];
    (void)state;
    if (!provider)
        skip();
    const int fd = mkstemp(log_path);
    assert_true(fd >= 0);
    setenv("WSD_LOG_FILE", log_path, 1);
    unsetenv("WSD_LOG");
    connect_to(&b, "san", "SSH-2.0-OpenSSH_9.2p1\r\n");
    unsetenv("WSD_LOG_FILE");
    says("error", b.err.text, "WSAETIMEDOUT");
    says("error", b.err.text, "; event=connect-failed in ");
    says("error", b.err.text, log_path);
    const ssize_t bytes = read(fd, log, sizeof log - 1);
    (void)close(fd);
    (void)unlink(log_path);
    assert_true(bytes > 0);
    log[bytes] = '\0';
    print_message("           %s", log);
    says("log", log, "level=notice ");
    says("log", log, "event=connect-failed error=10060 why=[127.0.0.1:");
    says("log", log, "it sent \"SSH-2.0-OpenSSH_9.2p\" where an MPA reply belongs]");
}

/* A client that is told apart from none: the client of this server's user may be the one that is wrong. */
static void the_raw_layer_says_who_came_instead_of_a_client(void **state)
{
    struct sockaddr_storage to;
    struct bench_ep_config config;
    struct bench_ep *ep = NULL;
    struct vb_addr at;
    struct bench b;
    pal_socket pair[2];
    (void)state;
    open_bench(&b, "raw", NULL);
    assert_true(bench_net_pair(pair));
    b.control.fd = pair[0]; /* alive, and silent */
    assert_true(b.ops->listen(b.layer, &at));
    bench_lat_config(&b.options.test, &config);
    const socklen_t to_bytes = bench_net_to_system(&at, &to);
    const pal_socket s = bench_net_make(AF_INET, SOCK_STREAM);
    assert_true(bench_net_connect(s, (struct sockaddr *)&to, to_bytes, 10000));
    assert_int_equal(bench_net_send(s, "GET / HTTP/1.1\r\n", 16), 16);
    assert_false(b.ops->accept(b.layer, &config, 500, &ep));
    bench_net_close(s);
    close_bench(&b);
    bench_control_close(&b.control);
    bench_net_close(pair[1]);
    print_message("           %s\n", b.err.text);
    says("error", b.err.text, "no connection arrived within");
    says("error", b.err.text, "a client was turned away: 127.0.0.1:");
    says("error", b.err.text, "it sent \"GET / HTTP/1.1\\x0d\\x0a\" where an MPA request belongs");
}

/* The kernel does not tell what it got. Fewer bytes than the fixed part of a reply: siw of Linux 6.1 takes the length of
 * private data from whatever comes there and, when it gives up 10 s later, copies so much from a null pointer
 * (siw_cm_upcall, kmemdup). A longer answer, the first line of HTTP for one, was the end of the guest's kernel. */
static void the_raw_layer_tells_the_event_of_the_kernel(void **state)
{
    struct bench b;
    (void)state;
    connect_to(&b, "raw", "220 mail\r\n");
    says("error", b.err.text, "RDMA_CM_EVENT_");
    says("error", b.err.text, ", status -");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_raw_layer_says_what_answered_instead_of_a_peer),
        cmocka_unit_test(the_raw_layer_says_who_came_instead_of_a_client),
        cmocka_unit_test(the_san_layer_says_where_the_reason_is_and_there_it_is),
    };
    const struct CMUnitTest siw[] = {
        cmocka_unit_test(the_raw_layer_tells_the_event_of_the_kernel),
    };
    if (argc > 1 && strcmp(argv[1], "--siw") == 0) {
        here = getenv("WSD_TEST_ADDR");
        if (!here || !here[0]) {
            puts("skipped: no address of siw");
            return 77;
        }
        backend = "rdmacore";
        return cmocka_run_group_tests_name("foreign", siw, NULL, NULL);
    }
    provider = argc > 1 ? argv[1] : NULL;
    setenv("WSD_SOFTIWARP_PORTS", "plain", 1);
    return cmocka_run_group_tests_name("foreign", tests, NULL, NULL);
}
