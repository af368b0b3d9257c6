/* silent_tcp.c - softiwarp's peers may be anything that TCP reaches: what does not answer, says nothing, half of what is due, or
 * something else. A connect ends in bounded time with a code that lets the switch fall back, closing under way does not wait, and a
 * listener serves others meanwhile.
 * Source: contract 4.8, 4.9, 8.2, Q19, Q28; checklist 6, 19; verbs_backend/softiwarp/PROTOCOL.md 2 and 7. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ct.h"

#define RAW_MAX 64

static int raw[RAW_MAX];
static unsigned raws;

static int setup(void **state)
{
    raws = 0;
    return ct_setup(state);
}

static void close_raw(void)
{
    while (raws > 0)
        close(raw[--raws]);
}

static int teardown(void **state)
{
    close_raw();
    return ct_teardown(state);
}

#define ct_needs_tcp()                                                                                       \
    do {                                                                                                     \
        ct_needs_one_instance("its peers are sockets of TCP, not another instance");                         \
        if (strcmp(ct.vb_spec, "softiwarp") != 0)                                                            \
            ct_skip("TCP is below softiwarp alone");                                                         \
    } while (0)

/* ---- sockets of the test ---- */

static int raw_socket(void)
{
    int s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    assert_true(s >= 0);
    assert_true(raws < RAW_MAX);
    raw[raws++] = s;
    return s;
}

/* Where softiwarp looks for the service of a port first (PROTOCOL.md 7). */
static uint16_t candidate(uint16_t port)
{
    return (uint16_t)(61000u + ((uint32_t)port * 2654435761u >> 16) % 4536u);
}

/* Returns whether the connection stands within the time. */
static bool raw_connect(int s, WSD_SOCKADDR_IN to, int wait_ms)
{
    struct pollfd p = {.fd = s, .events = POLLOUT};
    int error = 0;
    socklen_t room = sizeof error;

    if (connect(s, (const struct sockaddr *)&to, sizeof to) != 0) {
        assert_int_equal(errno, EINPROGRESS);
        if (poll(&p, 1, wait_ms) == 0)
            return false;
        assert_int_equal(getsockopt(s, SOL_SOCKET, SO_ERROR, &error, &room), 0);
    }
    assert_int_equal(error, 0);
    return true;
}

/* Somebody else sits where the service of *to is expected: *to gets its port. Returns his listening socket. */
static int imposter(struct fixture *f, WSD_SOCKADDR_IN *to, int backlog)
{
    for (int tries = 0; tries < 100; tries++) {
        uint16_t port = ct_port();
        WSD_SOCKADDR_IN at = ct_at(f->here, candidate(port));
        int s = raw_socket();
        if (bind(s, (const struct sockaddr *)&at, sizeof at) == 0) {
            assert_int_equal(listen(s, backlog), 0);
            *to = ct_at(f->here, port);
            return s;
        }
        assert_int_equal(errno, EADDRINUSE);
        close(raw[--raws]);
    }
    ct_fail("no port is free");
}

/* His queue of connections is full: TCP itself gives no answer. */
static void black_hole(struct fixture *f, WSD_SOCKADDR_IN *to)
{
    (void)imposter(f, to, 1);
    WSD_SOCKADDR_IN at = ct_at(f->here, candidate(ntohs(to->sin_port)));
    while (raw_connect(raw_socket(), at, 300))
        ;
}

static void lets_fall_back(struct fixture *f, const WSD_SOCKADDR_IN *to)
{
    struct sw_companion *c = NULL;
    bool should_fall_back = false;

    ct_fails(WSAETIMEDOUT, sw_connect(f->provider, &f->other, to, ct.wait_ms, NULL, &c, &should_fall_back));
    assert_true(should_fall_back);
}

/* ---- connecting ---- */

static void a_port_that_does_not_answer_times_out(void **state)
{
    struct fixture *f = *state;
    WSD_SOCKADDR_IN to;

    ct_needs_tcp();
    ct_reload(f, "WSD_CONNECT_TIMEOUT_MS", "500", NULL);
    black_hole(f, &to);
    lets_fall_back(f, &to);
}

static void a_peer_that_accepts_tcp_and_says_nothing_times_out(void **state)
{
    struct fixture *f = *state;
    WSD_SOCKADDR_IN to;

    ct_needs_tcp();
    ct_reload(f, "WSD_CONNECT_TIMEOUT_MS", "500", NULL);
    (void)imposter(f, &to, 8);
    lets_fall_back(f, &to);
}

struct speaker {
    int listener;
    const char *text;
    size_t bytes;
};

/* Takes one connection, says what it has to say, and hangs up or stays. */
static void speak(struct ct_thread *t)
{
    const struct speaker *x = t->arg;
    struct pollfd p = {.fd = x->listener, .events = POLLIN};
    int s = poll(&p, 1, (int)ct.wait_ms) == 1 ? accept(x->listener, NULL, NULL) : -1;

    if (s < 0)
        ct_thread_fails(t, "nobody connected");
    else if (write(s, x->text, x->bytes) != (ssize_t)x->bytes)
        ct_thread_fails(t, "nobody listens");
    if (s >= 0)
        close(s);
}

static void a_peer_that_speaks_something_else_lets_the_switch_fall_back(void **state)
{
    static const char *const texts[] = {"", "SSH-2.0-OpenSSH_9.2\r\n", "MPA ID Rep Frame"};
    struct fixture *f = *state;

    ct_needs_tcp();
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        WSD_SOCKADDR_IN to;
        struct speaker x = {imposter(f, &to, 8), texts[i], strlen(texts[i])};
        struct ct_thread *t = ct_start(f, speak, &x);
        lets_fall_back(f, &to);
        ct_join(t);
        close_raw();
    }
}

static void closing_while_nobody_answers_is_prompt(void **state)
{
    struct fixture *f = *state;

    ct_needs_tcp();
    for (int i = 0; i < 2; i++) {
        WSD_SOCKADDR_IN to;
        struct sw_companion *c = NULL;
        if (i == 0)
            black_hole(f, &to);
        else
            (void)imposter(f, &to, 8);
        ct_ok(sw_connect_start(f->provider, &f->other, &to, NULL, &c, NULL));
        ct_adopt_companion(f, c);
        ct_fails(WSAEWOULDBLOCK, sw_connect_finish(c, 200, NULL));
        uint64_t start = pal_now_ns();
        ct_close(f, c);
        assert_true(pal_now_ns() - start < 2000000000u); /* the time-out is 5 s */
    }
}

/* Others connect beside it, from the same process. */
static void a_connect_that_hangs_holds_up_nobody(void **state)
{
    struct fixture *f = *state;
    WSD_SOCKADDR_IN to;
    struct sw_companion *c = NULL;
    struct ct_pair p;

    ct_needs_tcp();
    black_hole(f, &to);
    ct_ok(sw_connect_start(f->provider, &f->other, &to, NULL, &c, NULL));
    ct_adopt_companion(f, c);
    ct_pair(f, &p, 4096);
    ct_pair_works(&p);
    ct_fails(WSAEWOULDBLOCK, sw_connect_finish(c, 0, NULL));
}

/* The network of tests/support/own_network.sh: packets that vanish, nobody there, routes that drop or forbid, no route. */
static void addresses_that_cannot_be_reached_let_the_switch_fall_back(void **state)
{
    struct fixture *f = *state;
    const char *list = getenv("WSD_TEST_LOST");
    char text[64];
    int used = 0;

    ct_needs_tcp();
    if (list == NULL)
        ct_skip("WSD_TEST_LOST names no addresses; tests/support/own_network.sh does");
    ct_reload(f, "WSD_CONNECT_TIMEOUT_MS", "500", NULL);
    for (; sscanf(list, "%63s%n", text, &used) == 1; list += used) {
        WSD_SOCKADDR_IN to;
        ct_ok(sw_parse_address(text, &to));
        to.sin_port = htons(ct_port());
        printf("           %s\n", text);
        lets_fall_back(f, &to);
    }
}

/* ---- listening ---- */

static void half_a_request_holds_up_no_other(void **state)
{
    static const char request[] = "MPA ID Req Frame\x50\x02\x00\x10";
    struct fixture *f = *state;
    struct ct_pair p;

    ct_needs_tcp();
    struct sw_listener *l = ct_listen(f, 64);
    WSD_SOCKADDR_IN at = ct_at(f->here, candidate(ntohs(l->local.sin_port)));
    for (size_t i = 0; i < sizeof request; i++) { /* the last one has all but its private data */
        int s = raw_socket();
        if (!raw_connect(s, at, (int)ct.wait_ms))
            ct_fail("the listener takes no connection");
        assert_int_equal(write(s, request, i), i);
    }
    ct_pair(f, &p, 4096);
    ct_pair_works(&p);
    close_raw();
    ct_pair(f, &p, 4096);
    ct_pair_works(&p);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

static const struct CMUnitTest silent_tcp_tests[] = {
    TEST(a_port_that_does_not_answer_times_out),
    TEST(a_peer_that_accepts_tcp_and_says_nothing_times_out),
    TEST(a_peer_that_speaks_something_else_lets_the_switch_fall_back),
    TEST(closing_while_nobody_answers_is_prompt),
    TEST(a_connect_that_hangs_holds_up_nobody),
    TEST(addresses_that_cannot_be_reached_let_the_switch_fall_back),
    TEST(half_a_request_holds_up_no_other),
};
CT_GROUP(silent_tcp);
